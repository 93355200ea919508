(* The program: the functions of Checker.v and Steps.v in OCaml. *)

From mathcomp Require Import all_ssreflect.
From Exactdrl Require Import Definitions Numbers Checker Steps Local.
Require Extraction.
Require Import ExtrOcamlBasic ExtrOcamlNatInt.
Extraction Language OCaml.
Extraction "checker.ml" first_vertex next check_start check_zero check_end check_strict_end check_ray check_edge check_lineality
  check_bound check_constant
  check_active check_by_likq check_by_tree
  check_global_minimum check_unique_global_minimum is_convex
  feature_of preactivations_of bends_of residuals_of is_kink_of all_slopes_of.
