(* Soundness of ranges: the loss over all parameters lies between the bounds that are computed. *)

From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From Exactdrl Require Import Definitions Numbers Checker Minimum Cells Steps Walk Outcome.
Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section Soundness.
Variables (T : Type) (N : numbers T) (R : realFieldType) (f : T -> R).
Hypothesis reads : reading N f.
Let f0 := read_zero reads.
Let f1 := read_one reads.
Let fN := read_opp reads.
Let fD := read_add reads.
Let fM := read_mul reads.
Let fle := read_le reads.

Definition above_end (x : option T) (t : R) : bool := if x is Some a then f a <= t else true.
Definition below_end (x : option T) (t : R) : bool := if x is Some a then t <= f a else true.
Definition within (r : range T) (t : R) : bool := above_end r.1 t && below_end r.2 t.

Lemma within_point x : within (point_range x) (f x).
Proof. by rewrite /within /= lexx. Qed.

Lemma within_zero : within (point_range (zero N)) 0.
Proof. by have := within_point (zero N); rewrite f0. Qed.

Lemma within_scale c r t : within r t -> within (scale_range N c r) (f c * t).
Proof.
rewrite /scale_range (read_is_zero reads) fle f0; case: eqP => [-> _|_].
  by rewrite mul0r; exact: within_zero.
case: r => lo hi /andP[/= h1 h2]; case: (leP 0 (f c)) => hc; rewrite /within /=; apply/andP; split.
- by case: lo h1 => //= a h; rewrite fM; exact: ler_wpmul2l.
- by case: hi h2 => //= a h; rewrite fM; exact: ler_wpmul2l.
- by case: hi h2 => //= a h; rewrite fM ler_wnmul2l // ltW.
- by case: lo h1 => //= a h; rewrite fM ler_wnmul2l // ltW.
Qed.

Lemma within_add r s x y : within r x -> within s y -> within (add_range N r s) (x + y).
Proof.
case: r s => [a b] [c d] /andP[/= h1 h2] /andP[/= h3 h4]; apply/andP; split => /=.
  by case: a c h1 h3 => [a|] [c|] //= h1 h3; rewrite fD ler_add.
by case: b d h2 h4 => [b|] [d|] //= h2 h4; rewrite fD ler_add.
Qed.

Lemma within_hull r s x : within r x || within s x ->
  within (least_end N r.1 s.1, greatest_end N r.2 s.2) x.
Proof.
case: r s => [a b] [c d] /=; rewrite /within /= => h; apply/andP; split.
  case: a c h => [a|] [c|] //=; rewrite fle; case: (leP (f a) (f c)) => hac /orP[/andP[h _]|/andP[h _]] //.
  - exact: le_trans hac h.
  - exact: le_trans (ltW hac) h.
case: b d h => [b|] [d|] //=; rewrite ?andbT fle; case: (leP (f b) (f d)) => hbd /orP[/andP[_ h]|/andP[_ h]] //.
- exact: le_trans h hbd.
- exact: le_trans h (ltW hbd).
Qed.

Lemma within_bend s r x : within r x -> within (bend_range N s r) (bend (map_slopes f s) x).
Proof.
move=> h; rewrite /bend_range (read_same reads) /bend /=; case: orP => [side|_].
  have -> : (if x <= 0 then f (below s) else f (above s)) * x = f (above s) * x; last exact: within_scale.
  case: side => [/eqP ->|]; first by rewrite if_same.
  case: r h => [[a|] b] //= /andP[/= h _]; rewrite fle f0 => a0.
  have x0 : 0 <= x := le_trans a0 h; case: (leP x 0) => // x1.
  by have -> : x = 0; [apply/eqP; rewrite eq_le x1 x0 | rewrite !mulr0].
case: ifP => [|_].
  case: r h => [a [b|]] //= h; rewrite fle f0 => b0.
  have x0 : x <= 0 by move/andP: (h) => [_ /= hb]; exact: le_trans hb b0.
  by rewrite x0; exact: within_scale.
apply: within_hull; case: r h => a b /andP[/= ha hb]; case: (leP x 0) => x0; apply/orP; [left | right].
- by apply: within_scale; rewrite /within /= ha f0.
- by apply: within_scale; rewrite /within /= hb f0 ltW.
Qed.

Lemma within_bends ss rs (z : seq R) : all2 within rs z ->
  all2 within (bend_ranges N ss rs) (bends (map (map_slopes f) ss) z).
Proof.
elim: ss rs z => [|s ss IH] [|r rs] [|x z] //= /andP[h /IH ->]; by rewrite andbT; exact: within_bend.
Qed.

Lemma within_dot w rs (z : seq R) : all2 within rs z -> within (dot_range N w rs) (dot (map f w) z).
Proof.
elim: w rs z => [|a w IH] [|r rs] [|x z] //=; try by move=> _; exact: within_zero.
by case/andP=> h /IH hd; apply: within_add hd; exact: within_scale.
Qed.

Lemma within_layer l rs (z : seq R) : all2 within rs z ->
  all2 within (layer_ranges N l rs) (preactivations (map (map_neuron f) l) z).
Proof.
move=> h; elim: l => //= u l ->; rewrite andbT; apply: within_add; last exact: within_point.
exact: within_dot.
Qed.

Lemma within_terms gs rs (y : seq R) : all2 within rs y ->
  within (terms_range N gs rs) (terms (map (map_goal f) gs) y).
Proof.
elim: gs rs y => [|g gs IH] [|r rs] [|x y] //=; try by move=> _; exact: within_zero.
case/andP=> h /IH ht; apply: within_add ht; apply: within_bend; apply: within_add h _.
by rewrite -fN; exact: within_point.
Qed.

Lemma within_cost gs ss ls rs (z : seq R) : all2 within rs z -> within (cost_range N gs ss ls rs)
  (cost (map (map_goal f) gs) (map (map_slopes f) ss) (map (map (map_neuron f)) ls) z).
Proof.
elim: ls ss rs z => [|l ls IH] ss rs z h /=; first by apply: within_terms; exact: within_bends.
by rewrite activations_map; apply: IH; apply: within_layer; exact: within_bends.
Qed.

Variable P : problem T.
Let PR := map_problem f P.

Theorem within_loss (theta : seq (seq R)) : size theta = size (trained P) -> within (loss_range N P) (loss PR theta).
Proof.
move=> st; rewrite /loss_range /loss /=; elim: (samples P) => [|s ss IH] /=.
  by rewrite big_nil; exact: within_zero.
rewrite big_cons; apply: within_add IH; apply: within_cost; rewrite -st.
have [zeros|_] := boolP (all (is_zero N) (feature_of N P s)); last by elim: theta {st} => //= row theta ->; rewrite /within.
have nothing row : dot row (feature PR (map_sample f s)) = 0.
  rewrite -(read_feature reads); elim: (feature_of N P s) zeros row => [|x xs IHx] /=; first by move=> _ [].
  by rewrite (read_is_zero reads) => /andP[/eqP -> /IHx h] [|a row] //=; rewrite mulr0 add0r.
by elim: theta {st} => //= row theta ->; rewrite nothing within_zero.
Qed.

Theorem bound_sound pl free st u : sound N f P pl free st -> check_bound N P st u -> global_minimum PR (point f st).
Proof.
move=> ok /andP[/(read_is_point reads ok) eu]; case E: loss_range => [[b|] hi] //=; rewrite fle (loss_read reads) -/PR eu.
move=> h theta shapes; have [s1 _ _] := at_shape f (denominator st) (sound_shape ok).
have st' : size theta = size (trained P) by rewrite -s1 -[LHS](size_map size) -/(shape theta) shapes !size_map.
have := within_loss st'; rewrite E => /andP[/= hb _]; exact: le_trans h hb.
Qed.

Theorem constant_sound pl c num den : check_constant N P pl c num den ->
  in_cell PR c (at_ f num den) /\ constant_loss PR (at_ f num den).
Proof.
case/and4P=> hp hs; case E: arrive => [[values cost]|] // _; case E2: loss_range => [[b|] [b'|]] //; rewrite fle => hb.
have [_ inside _ _] := read_arrive reads hp E; split=> // theta shapes.
have [s1 _ _] := at_shape f den hs.
have st' : size theta = size (trained P) by rewrite -s1 -[LHS](size_map size) -/(shape theta) shapes !size_map.
have := within_loss st'; have := within_loss s1; rewrite E2 => /andP[/= h1 h2] /andP[/= h3 h4].
by apply/eqP; rewrite eq_le (le_trans h4) ?(le_trans hb) //= (le_trans h2) ?(le_trans hb).
Qed.
End Soundness.

Theorem accepted_bound (P : problem rat) (pl : plan rat) free c ks num den inv st moves st' u :
  first_vertex rationals P pl free c ks num den inv = Some st -> follow rationals P pl free st moves = Some st' ->
  check_bound rationals P st' u ->
  forall R : realFieldType, global_minimum (map_problem ratr P) (at_ (@ratr R) (numerators st') (denominator st')).
Proof.
move=> E1 E2 E3 R; have reads := reading_rationals R.
have hp : check_plan rationals P pl by move: E1; rewrite /first_vertex; case: ifP => // /and5P[].
have [ok _] := follow_sound reads hp (first_vertex_sound reads hp E1) E2.
exact: (bound_sound reads ok E3).
Qed.

Theorem accepted_constant (P : problem rat) (pl : plan rat) c num den : check_constant rationals P pl c num den ->
  forall R : realFieldType, let u := at_ (@ratr R) num den in
    in_cell (map_problem ratr P) c u /\ constant_loss (map_problem ratr P) u.
Proof. by move=> h R; exact: (constant_sound (reading_rationals R) h). Qed.
