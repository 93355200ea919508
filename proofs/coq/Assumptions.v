(* What the theorems state, and what they rest on. *)
From Exactdrl Require Import Minimum Cells Walk Outcome Ranges.
Check accepted_local_minimum.
Print Assumptions accepted_local_minimum.
Check accepted_strict_local_minimum.
Print Assumptions accepted_strict_local_minimum.
Check accepted_global_minimum.
Print Assumptions accepted_global_minimum.
Check accepted_unique_global_minimum.
Print Assumptions accepted_unique_global_minimum.
Check segment.
Print Assumptions segment.
Check accepted_walk.
Print Assumptions accepted_walk.
Check accepted_ray.
Print Assumptions accepted_ray.
Check accepted_edge.
Print Assumptions accepted_edge.
Check accepted_lineality.
Print Assumptions accepted_lineality.
Check accepted_bound.
Print Assumptions accepted_bound.
Check accepted_constant.
Print Assumptions accepted_constant.
