(* Soundness: what the checker accepts is a minimum, over every ordered field. *)

From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From Exactdrl Require Import Definitions Numbers Checker.
Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section Lists.
Variable R : realFieldType.
Implicit Types (x y z a w : seq R) (s : slopes R) (t : R).

Definition close (e : R) x y : bool := all2 (fun p q => `|q - p| < e) x y.

Lemma close_size e x y : close e x y -> size y = size x.
Proof. by elim: x y => [|p x IH] [|q y] //= /andP[_ /IH ->]. Qed.

Lemma close_mono e e' x y : e <= e' -> close e x y -> close e' x y.
Proof.
move=> le_e; elim: x y => [|p x IH] [|q y] //= /andP[h /IH ->]; rewrite andbT.
exact: lt_le_trans h le_e.
Qed.

(* A common bound for two properties of points close by. *)
Lemma close_both (P Q : R -> Prop) :
  (forall e e', 0 < e' -> e' <= e -> P e -> P e') -> (forall e e', 0 < e' -> e' <= e -> Q e -> Q e') ->
  (exists2 e, 0 < e & P e) -> (exists2 e, 0 < e & Q e) -> exists2 e, 0 < e & P e /\ Q e.
Proof.
move=> monoP monoQ [e1 p1 h1] [e2 p2 h2]; exists (Num.min e1 e2); first by rewrite lt_minr p1.
split; [apply: monoP h1 | apply: monoQ h2]; rewrite ?lt_minr ?p1 ?p2 //.
  by rewrite le_minl lexx.
by rewrite le_minl lexx orbT.
Qed.

Definition size1 w : R := foldr (fun p q => `|p| + q) 0 w.

Lemma size1_ge0 w : 0 <= size1 w.
Proof. by elim: w => //= p w IH; rewrite addr_ge0. Qed.

Lemma dot_close w e x y : 0 < e -> close e x y -> `|dot w y - dot w x| <= size1 w * e.
Proof.
move=> e0; elim: w x y => [|p w IH] [|q x] [|r y] //=; rewrite ?subrr ?normr0 ?mul0r //.
- by move=> _; apply: mulr_ge0 (ltW e0); apply: addr_ge0 (normr_ge0 _) (size1_ge0 _).
case/andP=> h /IH IH'.
have -> : p * r + dot w y - (p * q + dot w x) = p * (r - q) + (dot w y - dot w x) by ring.
rewrite mulrDl; apply: le_trans (ler_norm_add _ _) _; apply: ler_add => //.
by rewrite normrM; apply: ler_wpmul2l (normr_ge0 _) _ _ (ltW h).
Qed.

Lemma dot_close' w x e y : 0 < e -> close e x y -> `|dot y w - dot x w| <= size1 w * e.
Proof.
move=> e0; elim: w x y => [|p w IH] [|q x] [|r y] //=; rewrite ?subrr ?normr0 ?mul0r //.
- by move=> _; apply: mulr_ge0 (ltW e0); apply: addr_ge0 (normr_ge0 _) (size1_ge0 _).
case/andP=> h /IH IH'.
have -> : r * p + dot y w - (q * p + dot x w) = p * (r - q) + (dot y w - dot x w) by ring.
rewrite mulrDl; apply: le_trans (ler_norm_add _ _) _; apply: ler_add => //.
by rewrite normrM; apply: ler_wpmul2l (normr_ge0 _) _ _ (ltW h).
Qed.

Lemma bend_close s t t' : `|bend s t' - bend s t| <= (`|below s| + `|above s|) * `|t' - t|.
Proof.
case: s => lo hi; rewrite /bend /=.
have mixed p q : p <= 0 -> 0 < q -> `|hi * q - lo * p| <= (`|lo| + `|hi|) * `|q - p|.
  move=> p0 q0; have pq : `|q - p| = q - p by rewrite ger0_norm // subr_ge0 (le_trans p0) // ltW.
  apply: le_trans (ler_norm_sub _ _) _; rewrite !normrM pq (ger0_norm (ltW q0)) (ler0_norm p0) mulrDl addrC.
  by apply: ler_add; apply: ler_wpmul2l => //; [rewrite addrC ler_addl ltW | rewrite ler_addl oppr_ge0].
have same c p q : `|c| <= `|lo| + `|hi| -> `|c * q - c * p| <= (`|lo| + `|hi|) * `|q - p|.
  by move=> h; rewrite -mulrBr normrM ler_wpmul2r.
case: (leP t 0) => ht; case: (leP t' 0) => ht'.
- by apply: same; rewrite ler_addl.
- exact: mixed.
- by rewrite distrC (distrC t') mixed.
- by apply: same; rewrite ler_addr.
Qed.

Lemma bends_close ss z e : 0 < e ->
  exists2 e', 0 < e' & forall z', close e' z z' -> close e (bends ss z) (bends ss z').
Proof.
move=> e0; elim: ss z => [|s ss IH] [|t z]; try by exists 1; [exact: ltr01 | case].
have [e2 p2 h2] := IH z; set K := `|below s| + `|above s| + 1.
have K0 : 0 < K by rewrite ltr_paddl ?addr_ge0 ?ltr01.
exists (Num.min e2 (e / K)); first by rewrite lt_minr p2; apply: divr_gt0.
case=> // t' z' /= /andP[]; rewrite lt_minr => /andP[_ h3] h4.
apply/andP; split; last by apply: h2; apply: close_mono h4; rewrite le_minl lexx.
apply: le_lt_trans (bend_close _ _ _) _.
have [->|nz] := eqVneq (`|t' - t|) 0; first by rewrite mulr0.
rewrite ltr_pdivl_mulr // mulrC in h3; apply: lt_trans h3.
by rewrite ltr_pmul2r ?ltr_addl ?ltr01 // lt_def nz normr_ge0.
Qed.

Lemma preactivations_close (l : layer R) a e : 0 < e ->
  exists2 e', 0 < e' & forall a', close e' a a' -> close e (preactivations l a) (preactivations l a').
Proof.
move=> e0; elim: l => [|u l [e2 p2 h2]] /=; first by exists 1; first exact: ltr01.
set K := size1 (weight u) + 1; have K0 : 0 < K by rewrite ltr_paddl ?size1_ge0 ?ltr01.
exists (Num.min e2 (e / K)); first by rewrite lt_minr p2; apply: divr_gt0.
move=> a' h; apply/andP; split; last by apply: h2; apply: close_mono h; rewrite le_minl lexx.
have {}h : close (e / K) a a' by apply: close_mono h; rewrite le_minl lexx orbT.
have -> : dot (weight u) a' + bias u - (dot (weight u) a + bias u) = dot (weight u) a' - dot (weight u) a by ring.
apply: le_lt_trans (dot_close _ _ h) _; first by rewrite divr_gt0.
by rewrite mulrCA gtr_pmulr // ltr_pdivr_mulr // mul1r ltr_addl ltr01.
Qed.

Lemma near_close (u : seq (seq R)) x e : 0 < e ->
  exists2 e', 0 < e' & forall theta, near e' u theta ->
    close e [seq dot row x | row <- u] [seq dot row x | row <- theta].
Proof.
move=> e0; set K := size1 x + 1; have K0 : 0 < K by rewrite ltr_paddl ?size1_ge0 ?ltr01.
exists (e / K); first by rewrite divr_gt0.
elim: u => [|r u IH] [|r' theta] //= /andP[h /IH ->]; rewrite andbT.
apply: le_lt_trans (dot_close' _ _ h) _; first by rewrite divr_gt0.
by rewrite mulrCA gtr_pmulr // ltr_pdivr_mulr // mul1r ltr_addl ltr01.
Qed.

Lemma residuals_close gs f e f' : close e f f' -> close e (residuals gs f) (residuals gs f').
Proof.
elim: gs f f' => [|g gs IH] [|y f] [|y' f'] //= /andP[h /IH ->].
by rewrite (_ : y' - target g - (y - target g) = y' - y) ?h //; ring.
Qed.

Lemma terms_total gs f n : (size f <= n)%N ->
  terms gs f = dot (nseq n 1) (bends (map (@term R) gs) (residuals gs f)).
Proof.
elim: gs f n => [|g gs IH] [|y f] [|n] //= h; by rewrite ?mul1r -?IH.
Qed.

(* What the kinks of a sample are at its preactivations z: a list for each depth, the residuals last. *)
Fixpoint values (gs : seq (goal R)) (ss : seq (slopes R)) (ls : seq (layer R)) z : seq (seq R) :=
  z :: if ls is l :: ls' then values gs (map (@activation R) l) ls' (preactivations l (bends ss z))
       else [:: residuals gs (bends ss z)].

Definition agrees1 (sign : nat -> option bool) z := forall j b, sign j = Some b -> signed b (nth 0 z j).
Definition agrees (sign : nat -> nat -> option bool) (vs : seq (seq R)) :=
  forall d, agrees1 (sign d) (nth [::] vs d).

Lemma agrees_cons sign z vs : agrees sign (z :: vs) -> agrees1 (sign 0%N) z /\ agrees (fun d => sign d.+1) vs.
Proof. by move=> h; split; [exact: (h 0%N) | move=> d; exact: (h d.+1)]. Qed.

Lemma agrees1_cons sign t z : agrees1 sign (t :: z) ->
  (forall b, sign 0%N = Some b -> signed b t) /\ agrees1 (fun j => sign j.+1) z.
Proof. by move=> h; split; [exact: (h 0%N) | move=> j; exact: (h j.+1)]. Qed.
End Lists.

Section Soundness.
Variables (T : Type) (N : numbers T) (R : realFieldType) (f : T -> R).
Hypothesis reads : reading N f.
Let f0 := read_zero reads.
Let f1 := read_one reads.
Let fN := read_opp reads.
Let fD := read_add reads.
Let fM := read_mul reads.
Let fle := read_le reads.

Lemma read_dot x y : f (dot_of N x y) = dot (map f x) (map f y).
Proof. by elim: x y => [|a x IH] [|b y] //=; rewrite fD fM IH. Qed.

Lemma read_bend s t : f (bend_of N s t) = bend (map_slopes f s) (f t).
Proof. by rewrite /bend_of /bend fM fle f0; case: (f t <= 0). Qed.

Lemma read_bends ss z : map f (bends_of N ss z) = bends (map (map_slopes f) ss) (map f z).
Proof. by elim: ss z => [|s ss IH] [|t z] //=; rewrite read_bend IH. Qed.

Lemma read_preactivations l x :
  map f (preactivations_of N l x) = preactivations (map (map_neuron f) l) (map f x).
Proof.
by rewrite /preactivations_of /preactivations -!map_comp; apply: eq_map => u /=; rewrite fD read_dot.
Qed.

Lemma activations_map l : map (@activation R) (map (map_neuron f) l) = map (map_slopes f) (map (@activation T) l).
Proof. by rewrite -!map_comp. Qed.

Lemma read_feature P s : map f (feature_of N P s) = feature (map_problem f P) (map_sample f s).
Proof.
rewrite /feature_of /feature map_cat map_nseq f1 /=; congr (_ ++ _).
elim: (before P) (input s) => //= l ls IH x.
by rewrite IH read_bends read_preactivations activations_map.
Qed.

Lemma read_residuals gs y :
  map f (residuals_of N gs y) = residuals (map (map_goal f) gs) (map f y).
Proof. by elim: gs y => [|g gs IH] [|a y] //=; rewrite fD fN IH. Qed.

Lemma read_axpy c x y z :
  size x = size z -> size y = size z -> dot (map f (axpy N c x y)) z = f c * dot (map f x) z + dot (map f y) z.
Proof.
elim: x y z => [|a x IH] [|b y] [|d z] //=; first by rewrite mulr0 addr0.
by case=> sx [sy]; rewrite IH // fD fM; ring.
Qed.

Lemma size_axpy c x y : size y = size x -> size (axpy N c x y) = size x.
Proof. by elim: x y => [|a x IH] [|b y] //= [/IH ->]. Qed.

(* One bend. *)
Definition supports (y m : R) (s : slopes R) (t t' : R) := m * (t' - t) <= y * (bend s t' - bend s t).

Lemma slope_at_local s t y h sign m : slope_at N s t y h sign = Some m ->
  exists2 e, 0 < e & forall t', `|t' - f t| < e -> (forall b, sign = Some b -> signed b t') ->
    supports (f y) (f m) (map_slopes f s) (f t) t'.
Proof.
rewrite /slope_at !fle f0 !fM -!ltNge; case: s => lo hi; rewrite /supports /bend /= -eq_le.
have [e|_] := eqVneq (f lo) (f hi).
  rewrite orbT => [[<-]]; exists 1; first exact: ltr01.
  by move=> t' _ _; rewrite e !if_same fM mulrBr mulrBr !mulrA.
rewrite orbF.
case: (ltP 0 (f t)) => [tp [<-]|tn].
  exists (f t) => // t' h' _; have {}h' : 0 < t'.
    by move: h'; rewrite ltr_norml ltr_subr_addl subrr => /andP[].
  have -> : (t' <= 0) = false by rewrite leNgt h'.
  by rewrite fM !mulrBr !mulrA.
case: (ltP (f t) 0) => [tm [<-]|tp].
  exists (- f t); first by rewrite oppr_gt0.
  move=> t' h' _; have {}h' : t' < 0 by move: h'; rewrite ltr_norml ltr_subl_addr addNr => /andP[].
  by rewrite (ltW h') fM !mulrBr !mulrA.
have -> : f t = 0 by apply/eqP; rewrite eq_le tn tp.
case: ifP => // /andP[hlo hhi] [<-]; exists 1; first exact: ltr01.
move=> t' _ ht'; rewrite mulr0 !subr0 mulrA.
case: (leP t' 0) => h'.
  case/orP: hlo => [/eqP es|hlo]; last by rewrite ler_wnmul2r.
  have /= t'p := ht' _ es; have -> : t' = 0 by apply/eqP; rewrite eq_le h' t'p.
  by rewrite !mulr0.
case/orP: hhi => [/eqP es|hhi]; last by rewrite ler_wpmul2r // ltW.
by have /= := ht' _ es; rewrite leNgt h'.
Qed.

Lemma slope_at_global s t y h sign m : slope_at N s t y h sign = Some m ->
  f y * f (below s) <= f y * f (above s) ->
  forall t', (forall b, sign = Some b -> signed b t') -> supports (f y) (f m) (map_slopes f s) (f t) t'.
Proof.
rewrite /slope_at !fle f0 !fM -!ltNge; case: s => lo hi; rewrite /supports /bend /= -eq_le => hm convex t' ht'.
move: hm; have [e|_] := eqVneq (f lo) (f hi).
  by rewrite orbT => [[<-]]; rewrite e !if_same fM mulrBr mulrBr !mulrA.
rewrite orbF => hm.
move: hm; case: (ltP 0 (f t)) => [tp [<-]|tn].
  rewrite fM !mulrBr !mulrA ler_add2r; case: (leP t' 0) => // h'; by rewrite ler_wnmul2r.
case: (ltP (f t) 0) => [tm [<-]|tp].
  rewrite fM !mulrBr !mulrA ler_add2r; case: (leP t' 0) => // h'; by rewrite ler_wpmul2r // ltW.
have -> : f t = 0 by apply/eqP; rewrite eq_le tn tp.
case: ifP => // /andP[hlo hhi] [<-]; rewrite mulr0 !subr0 mulrA.
case: (leP t' 0) => h'.
  case/orP: hlo => [/eqP es|hlo]; last by rewrite ler_wnmul2r.
  have /= t'p := ht' _ es; have -> : t' = 0 by apply/eqP; rewrite eq_le h' t'p.
  by rewrite !mulr0.
case/orP: hhi => [/eqP es|hhi]; last by rewrite ler_wpmul2r // ltW.
by have /= := ht' _ es; rewrite leNgt h'.
Qed.

(* A layer of bends. *)
Definition supports_all (ys ms : seq T) (ss : seq (slopes T)) (z : seq T) (z' : seq R) :=
  dot (map f ms) z' - dot (map f ms) (map f z)
  <= dot (map f ys) (bends (map (map_slopes f) ss) z') - dot (map f ys) (bends (map (map_slopes f) ss) (map f z)).

Lemma supports_cons y m s t t' ys ms ss z z' :
  supports (f y) (f m) (map_slopes f s) (f t) t' -> supports_all ys ms ss z z' ->
  supports_all (y :: ys) (m :: ms) (s :: ss) (t :: z) (t' :: z').
Proof.
rewrite /supports /supports_all /= => h1 h2.
set A := dot _ z'; set B := dot _ (map f z) in h2 *; set C := dot _ (bends _ z') in h2 *.
set D := dot _ (bends _ (map f z)) in h2 *.
rewrite (_ : _ - _ = f m * (t' - f t) + (A - B)); last by ring.
rewrite [X in _ <= X](_ : _ = f y * (bend (map_slopes f s) t' - bend (map_slopes f s) (f t)) + (C - D)).
  exact: ler_add.
by ring.
Qed.

Lemma slopes_at_size sign ss z ys hs ms : slopes_at N sign ss z ys hs = Some ms ->
  [/\ size ms = size z, size ss = size z & size ys = size z].
Proof.
elim: ss sign z ys hs ms => [|s ss IH] sign [|t z] [|y ys] hs ms //=; first by case=> <-.
case: slope_at => // m; case E: slopes_at => [ms'|] // [<-] /=.
by case: (IH _ _ _ _ _ E) => -> -> ->.
Qed.

Lemma slopes_at_local sign ss z ys hs ms : slopes_at N sign ss z ys hs = Some ms ->
  exists2 e, 0 < e & forall z', close e (map f z) z' -> agrees1 sign z' -> supports_all ys ms ss z z'.
Proof.
elim: ss sign z ys hs ms => [|s ss IH] sign [|t z] [|y ys] hs ms //=.
  by case=> <-; exists 1; [exact: ltr01 | case=> // _ _; rewrite /supports_all /= subrr].
case E1: slope_at => [m|] //; case E2: slopes_at => [ms'|] // [<-].
have [e1 p1 h1] := slope_at_local E1; have [e2 p2 h2] := IH _ _ _ _ _ E2.
exists (Num.min e1 e2); first by rewrite lt_minr p1.
case=> // t' z' /= /andP[c1 c2] /agrees1_cons[a1 a2]; apply: supports_cons.
  by apply: h1 => //; apply: lt_le_trans c1 _; rewrite le_minl lexx.
by apply: h2 => //; apply: close_mono c2; rewrite le_minl lexx orbT.
Qed.

Definition upward (s : slopes T) (y : T) : bool := f y * f (below s) <= f y * f (above s).

Lemma slopes_at_global sign ss z ys hs ms : slopes_at N sign ss z ys hs = Some ms -> all2 upward ss ys ->
  forall z', size z' = size z -> agrees1 sign z' -> supports_all ys ms ss z z'.
Proof.
elim: ss sign z ys hs ms => [|s ss IH] sign [|t z] [|y ys] hs ms //=.
  by case=> <- _ [] // _ _; rewrite /supports_all /= subrr.
case E1: slope_at => [m|] //; case E2: slopes_at => [ms'|] // [<-] /andP[u1 u2].
case=> // t' z' /= [size_z] /agrees1_cons[a1 a2]; apply: supports_cons; first exact: slope_at_global E1 _ _ _.
exact: IH E2 _ _ _ _.
Qed.

(* A layer's rows. *)
Lemma dot_zeros n (a : seq R) : dot (map f (nseq n (zero N))) a = 0.
Proof. by rewrite map_nseq f0; elim: n a => [|n IH] [|b a] //=; rewrite mul0r IH addr0. Qed.

Lemma gather_dot n ms l : all (fun u => size (weight u) == n) l ->
  size (gather N n ms l) = n /\
  exists c, forall a' : seq R, size a' = n ->
    dot (map f (gather N n ms l)) a' = dot (map f ms) (preactivations (map (map_neuron f) l) a') + c.
Proof.
elim: ms l => [|m ms IH] [|u l] //=; try by split; [rewrite size_nseq | exists 0 => a' _; rewrite dot_zeros addr0].
case/andP=> /eqP size_u /IH[size_g [c hc]].
have sg : size (axpy N m (weight u) (gather N n ms l)) = n by rewrite size_axpy ?size_u ?size_g.
split => //; exists (c - f m * f (bias u)) => a' size_a'.
rewrite read_axpy ?size_u ?size_g // hc //; ring.
Qed.

Lemma residuals_dot (gs : seq (goal R)) (w a : seq R) : size gs = size a ->
  dot w (residuals gs a) = dot w a - dot w (map (@target R) gs).
Proof.
elim: gs w a => [|g gs IH] [|b w] [|y a] //=; rewrite ?subr0 //.
by case=> /IH ->; ring.
Qed.

Lemma size_residuals (gs : seq (goal T)) a : size (residuals_of N gs a) = minn (size gs) (size a).
Proof. by elim: gs a => [|g gs IH] [|y a] //=; rewrite ?minn0 ?min0n // IH minnSS. Qed.

Lemma size_bends (ss : seq (slopes R)) z : size (bends ss z) = minn (size ss) (size z).
Proof. by elim: ss z => [|s ss IH] [|t z] //=; rewrite ?minn0 ?min0n // IH minnSS. Qed.

Lemma terms_map (gs : seq (goal T)) :
  map (@term R) (map (map_goal f) gs) = map (map_slopes f) (map (@term T) gs).
Proof. by rewrite -!map_comp. Qed.

Section Sample.
Variables (gs : seq (goal T)).
Let G := map (map_goal f) gs.

(* The inequality that a slope at z is about. *)
Definition below_cost ss ls (z ms : seq T) (z' : seq R) :=
  dot (map f ms) z' - dot (map f ms) (map f z) + cost G (map (map_slopes f) ss) (map (map (map_neuron f)) ls) (map f z)
  <= cost G (map (map_slopes f) ss) (map (map (map_neuron f)) ls) z'.

Lemma below_last ss z ys ms z' :
  let a := bends_of N ss z in
  let r := residuals_of N gs a in
  let a' := bends (map (map_slopes f) ss) z' in
  size gs = size r -> size r = size a -> size z' = size z ->
  supports_all (nseq (size a) (one N)) ys (map (@term T) gs) r (residuals G a') ->
  supports_all ys ms ss z z' -> below_cost ss [::] z ms z'.
Proof.
move=> a r a' sg sr sz; rewrite /supports_all /below_cost /= map_nseq f1 -terms_map -/G -/a'.
have fa : map f a = bends (map (map_slopes f) ss) (map f z) by rewrite read_bends.
have sa : size (map f a) = size a by rewrite size_map.
have sa' : size a' = size a by rewrite -sa fa !size_bends sz !size_map.
have sG : size G = size a by rewrite size_map sg sr.
rewrite -fa read_residuals -/G -!terms_total ?sa' ?sa // !residuals_dot ?sa' ?sa //.
set A := dot _ z'; set B := dot _ (map f z); set C := dot _ a'; set D := dot _ (map f a); set E := dot _ _.
rewrite (_ : C - E - (D - E) = C - D); last by ring.
move=> h1 h2; rewrite -ler_subr_addr; exact: le_trans h2 h1.
Qed.

Lemma pull_local sign ss ls z hints ms : pull N sign gs ss ls z hints = Some ms ->
  size ms = size z /\
  exists2 e, 0 < e & forall z', close e (map f z) z' ->
    agrees sign (values G (map (map_slopes f) ss) (map (map (map_neuron f)) ls) z') -> below_cost ss ls z ms z'.
Proof.
elim: ls sign ss z hints ms => [|l ls IH] sign ss z hints ms /=.
  case E1: slopes_at => [ys|] // E2; have [s1 s2 s3] := slopes_at_size E1; have [s4 s5 s6] := slopes_at_size E2.
  split=> //; have [e1 p1 h1] := slopes_at_local E1; have [e2 p2 h2] := slopes_at_local E2.
  have [e3 p3 h3] := bends_close (map (map_slopes f) ss) (map f z) p1.
  exists (Num.min e2 e3); first by rewrite lt_minr p2.
  move=> z' near_z /agrees_cons[a1 /agrees_cons[a2 _]].
  have c2 : close e2 (map f z) z' by apply: close_mono near_z; rewrite le_minl lexx.
  have c3 : close e3 (map f z) z' by apply: close_mono near_z; rewrite le_minl lexx orbT.
  apply: (@below_last _ _ ys).
  - by rewrite -s2 size_map.
  - by rewrite -s3 size_nseq.
  - by rewrite (close_size c2) size_map.
  - by apply: h1 => //; rewrite read_residuals; apply: residuals_close; rewrite read_bends; apply: h3.
  - exact: h2.
case: ifP => // sizes; case E1: pull => [ns|] // E2; have [s4 s5 s6] := slopes_at_size E2.
split=> //; have [s1 [e1 p1 h1]] := IH _ _ _ _ _ E1; have [e2 p2 h2] := slopes_at_local E2.
set a := bends_of N ss z in sizes E1 E2 s1 h1 h2 s4 s5 s6.
have [e3 p3 h3] := preactivations_close (map (map_neuron f) l) (map f a) p1.
have [e4 p4 h4] := bends_close (map (map_slopes f) ss) (map f z) p3.
exists (Num.min e2 e4); first by rewrite lt_minr p2.
move=> z' near_z /agrees_cons[a1 a2].
have c2 : close e2 (map f z) z' by apply: close_mono near_z; rewrite le_minl lexx.
have c4 : close e4 (map f z) z' by apply: close_mono near_z; rewrite le_minl lexx orbT.
have {}h2 := h2 _ c2 a1; have := h4 _ c4; rewrite -read_bends -/a => /h3 c1.
rewrite -read_preactivations in c1; rewrite activations_map in a2.
have {}h1 := h1 _ c1 a2.
move: h1 h2; rewrite /below_cost /supports_all /= !activations_map -!(read_bends ss) -/a -read_preactivations.
have [sg [c hc]] := gather_dot ns sizes.
have sa' : size (bends (map (map_slopes f) ss) z') = size a.
  by rewrite -(size_map f a) read_bends !size_bends (close_size c2).
rewrite !hc ?size_map // -read_preactivations.
set A := dot _ z'; set B := dot _ (map f z); set C := dot _ (preactivations _ _); set D := dot _ (map f _).
rewrite (_ : C + c - (D + c) = C - D); last by ring.
move=> h1 h2; apply: le_trans h1; by rewrite ler_add2r.
Qed.

(* Without layers behind, and with bends upwards alone, everywhere and not only nearby. *)
Lemma pull_global sign ss z hints ms : pull N sign gs ss [::] z hints = Some ms ->
  all (fun s => le N (below s) (above s) && le N (above s) (below s)) ss ->
  all (fun g => le N (below (term g)) (above (term g))) gs ->
  forall z', size z' = size z -> agrees sign (values G (map (map_slopes f) ss) [::] z') -> below_cost ss [::] z ms z'.
Proof.
rewrite /=; case E1: slopes_at => [ys|] // E2 flat up z' sz /agrees_cons[a1 /agrees_cons[a2 _]].
have [s1 s2 s3] := slopes_at_size E1; have [s4 s5 s6] := slopes_at_size E2.
have sG : size G = size (bends_of N ss z) by rewrite size_map -(size_map (@term T)) s2 -s3 size_nseq.
have sB : size (bends (map (map_slopes f) ss) z') = size (bends_of N ss z).
  by rewrite -(size_map f) read_bends !size_bends sz !size_map.
apply: (@below_last _ _ ys) => //.
- by rewrite -s2 size_map.
- by rewrite -s3 size_nseq.
- apply: (slopes_at_global E1) => //; last first.
    rewrite -s3 size_nseq -[RHS]sB; move: sG; rewrite -sB; move: (bends _ _) => y.
    by elim: G y => [|g gs' IH] [|b y] //= [/IH ->].
  have <- : size gs = size (bends_of N ss z) by rewrite -sG size_map.
  elim: (gs) up => //= g gs' IH /andP[hg /IH ->]; by rewrite andbT /upward f1 !mul1r -!fle hg.
apply: (slopes_at_global E2) => //.
have {E1 E2 s1 s2 s3 s4 a1 a2 sz sG sB} : size ys = size ss by rewrite s6.
move=> h; elim: ss ys flat h {s5 s6} => [|s ss' IH] [|y ys] //= flat [h]; move: flat.
case/andP=> /andP[lo hi] /IH -> //; rewrite andbT /upward.
by have -> : f (below s) = f (above s) by apply/eqP; rewrite eq_le -!fle lo hi.
Qed.
End Sample.

(* All samples. *)
Lemma dotC (x y : seq R) : dot x y = dot y x.
Proof. by elim: x y => [|a x IH] [|b y] //=; rewrite IH mulrC. Qed.

Fixpoint frob (rows theta : seq (seq R)) : R :=
  if (rows, theta) is (r :: rows', t :: theta') then dot r t + frob rows' theta' else 0.

Lemma frob_zero rows theta : all (all (is_zero N)) rows -> frob (map (map f) rows) theta = 0.
Proof.
elim: rows theta => [|r rows IH] [|t theta] //= /andP[hr /IH ->]; rewrite addr0.
elim: r t hr => [|a r IHr] [|b t] //= /andP[/andP[h1 h2] /IHr ->].
have -> : f a = 0 by apply/eqP; rewrite eq_le -f0 -!fle h1 h2.
by rewrite mul0r addr0.
Qed.

Definition fits (m : nat) A (rows : seq (seq A)) := all (fun row => size row == m) rows.

Lemma frob_outer (ms x : seq T) rows theta m : size x = m -> size ms = size rows -> size theta = size rows ->
  fits m rows -> fits m theta ->
  frob (map (map f) (add_outer N ms x rows)) theta
  = dot (map f ms) [seq dot row (map f x) | row <- theta] + frob (map (map f) rows) theta.
Proof.
move=> sx; elim: ms rows theta => [|k ms IH] [|r rows] [|t theta] //=; first by rewrite addr0.
case=> s1 [s2] /andP[/eqP fr frs] /andP[/eqP ft fts].
by rewrite IH // read_axpy ?sx ?fr ?ft // (dotC t); ring.
Qed.

Lemma add_outer_fits ms x rows m : size x = m -> size ms = size rows -> fits m rows ->
  size (add_outer N ms x rows) = size rows /\ fits m (add_outer N ms x rows).
Proof.
move=> sx; elim: ms rows => [|k ms IH] [|r rows] //= [s1] /andP[/eqP fr /(IH _ s1)[-> h]].
by split=> //; rewrite size_axpy ?sx ?fr // eqxx.
Qed.

Section Whole.
Variable P : problem T.
Let PR := map_problem f P.

Definition values_at (theta : seq (seq R)) (s : sample R) : seq (seq R) :=
  values (goals s) (trained PR) (after PR) [seq dot row (feature PR s) | row <- theta].

Definition values_table theta : seq (seq (seq R)) := [seq values_at theta s | s <- samples PR].

Definition agrees_from (sign : signs) (i : nat) (tab : seq (seq (seq R))) :=
  forall k, agrees (sign (i + k)%N) (nth [::] tab k).

Lemma agrees_from_cons sign i v tab : agrees_from sign i (v :: tab) ->
  agrees (sign i) v /\ agrees_from sign i.+1 tab.
Proof. by move=> h; split; [move: (h 0%N); rewrite addn0 | move=> k; move: (h k.+1); rewrite addnS]. Qed.

Definition cost_at (theta : seq (seq R)) (s : sample R) : R :=
  cost (goals s) (trained PR) (after PR) [seq dot row (feature PR s) | row <- theta].

Definition sum_cost theta (ss : seq (sample R)) : R := \sum_(s <- ss) cost_at theta s.

Section Point.
Variables (u : seq (seq T)) (m : nat).
Let U := map (map f) u.
Hypothesis fits_u : fits m u.

Lemma fits_U : fits m U.
Proof. by move: fits_u; rewrite /U /fits all_map; congr (_ = _); apply: eq_all => r /=; rewrite size_map. Qed.

Lemma features_U (s : sample T) :
  map f (dots_of N u (feature_of N P s)) = [seq dot row (feature PR (map_sample f s)) | row <- U].
Proof.
rewrite /dots_of /U -!map_comp; apply: eq_map => row /=.
by rewrite read_dot read_feature.
Qed.

Lemma near_fits e theta : near e U theta -> size theta = size u /\ fits m theta.
Proof.
move: fits_U; rewrite -(size_map (map f) u) -/U; elim: U theta => [|r V IH] [|t theta] //=.
by case/andP=> /eqP sr fV /andP[/close_size -> /(IH _ fV)[-> ->]]; rewrite sr eqxx.
Qed.

Lemma near_mono e e' theta : e <= e' -> near e U theta -> near e' U theta.
Proof.
move=> le_e; elim: U theta => [|r V IH] [|t theta] //= /andP[h /IH ->]; rewrite andbT.
exact: close_mono le_e h.
Qed.

Definition point_of (theta : seq (seq R)) (s : sample T) : seq R :=
  [seq dot row (feature PR (map_sample f s)) | row <- theta].

Definition below_sum (ss : seq (sample T)) (rows : seq (seq T)) theta :=
  frob (map (map f) rows) theta - frob (map (map f) rows) U + sum_cost U (map (map_sample f) ss)
  <= sum_cost theta (map (map_sample f) ss).

Lemma outer_step s ss ms rows theta :
  let x := feature_of N P s in
  size x = m -> size ms = size u -> size rows = size u -> fits m rows -> size theta = size u -> fits m theta ->
  below_cost (goals s) (trained P) (after P) (dots_of N u x) ms (point_of theta s) -> below_sum ss rows theta ->
  below_sum (s :: ss) (add_outer N ms x rows) theta.
Proof.
move=> x sx sms sr fr st ft; rewrite /below_cost features_U => h1 h2.
have sU : size U = size rows by rewrite size_map sr.
rewrite /below_sum !(frob_outer sx) ?sU ?sms ?sr ?st //; try exact: fits_U.
rewrite read_feature /sum_cost /= !big_cons -/(sum_cost U _) -/(sum_cost theta _).
rewrite /cost_at -/(point_of U s) -/(point_of theta s) /= in h1 h2 *.
move: h1 h2; rewrite /below_sum -/(point_of U s).
set A := dot _ (point_of theta s); set B := dot _ (point_of U s); set C := frob _ theta; set D := frob _ U.
set E := cost _ _ _ (point_of U s); set F := cost _ _ _ (point_of theta s) => h1 h2.
move: (sum_cost U _) (sum_cost theta _) h2 => G H h2.
rewrite (_ : A + C - (B + D) + (E + G) = (A - B + E) + (C - D + G)); last by ring.
exact: ler_add.
Qed.

Lemma collect_size sign i ss hints rows : collect N sign P u m i ss hints = Some rows -> size u = size (trained P) ->
  size rows = size u /\ fits m rows.
Proof.
move=> + su; elim: ss i hints rows => [|s ss IH] i hints rows /=.
  case=> <-; rewrite size_nseq; split=> //; rewrite /fits; elim: (size u) => //= n ->.
  by rewrite size_nseq eqxx.
case: eqP => // sx; case E: pull => [ms|] //; case E2: collect => [rows'|] // [<-].
have [sr fr] := IH _ _ _ E2.
have sms : size ms = size u by move: (pull_local E) => [-> _]; rewrite size_map.
by rewrite -sr; apply: add_outer_fits => //; rewrite sms sr.
Qed.

Lemma collect_nil theta n : below_sum [::] (nseq n (nseq m (zero N))) theta.
Proof.
rewrite /below_sum /sum_cost !big_nil; have z t : frob (map (map f) (nseq n (nseq m (zero N)))) t = 0.
  by elim: n t => [|n IH] [|r t] //=; rewrite dot_zeros IH addr0.
by rewrite !z subrr addr0.
Qed.

Lemma collect_local sign i ss hints rows : collect N sign P u m i ss hints = Some rows ->
  size u = size (trained P) ->
  exists2 e, 0 < e & forall theta, near e U theta ->
    agrees_from sign i [seq values_at theta s | s <- map (map_sample f) ss] -> below_sum ss rows theta.
Proof.
move=> + su; elim: ss i hints rows => [|s ss IH] i hints rows /=.
  case=> <-; exists 1; first exact: ltr01; move=> theta _ _; exact: collect_nil.
case: eqP => // sx; case E: pull => [ms|] //; case E2: collect => [rows'|] // [<-].
have [sr fr] := collect_size E2 su; have [e1 p1 h1] := IH _ _ _ E2; have [sms [e2 p2 h2]] := pull_local E.
have [e3 p3 h3] := near_close U (feature PR (map_sample f s)) p2.
exists (Num.min e1 e3); first by rewrite lt_minr p1.
move=> theta near_u /agrees_from_cons[a1 a2]; have [st ft] := near_fits near_u.
apply: outer_step => //; first by rewrite sms size_map.
  apply: h2 => //; rewrite features_U; apply: h3; apply: near_mono near_u; by rewrite le_minl lexx orbT.
by apply: h1 => //; apply: near_mono near_u; rewrite le_minl lexx.
Qed.

Lemma collect_global sign i ss hints rows : collect N sign P u m i ss hints = Some rows ->
  size u = size (trained P) -> after P = [::] ->
  all (fun s => le N (below s) (above s) && le N (above s) (below s)) (trained P) ->
  all (fun s => all (fun g => le N (below (term g)) (above (term g))) (goals s)) ss ->
  forall theta, size theta = size u -> fits m theta ->
    agrees_from sign i [seq values_at theta s | s <- map (map_sample f) ss] -> below_sum ss rows theta.
Proof.
move=> + su last flat; elim: ss i hints rows => [|s ss IH] i hints rows /=.
  case=> <- _ theta _ _ _; exact: collect_nil.
case: eqP => // sx; case E: pull => [ms|] //; case E2: collect => [rows'|] // [<-] /andP[up1 up2].
have [sr fr] := collect_size E2 su; have [sms _] := pull_local E.
move=> theta st ft /agrees_from_cons[a1 a2].
apply: outer_step => //; first by rewrite sms size_map.
  move: a1; rewrite /values_at /= last => a1; rewrite last in E.
  by apply: pull_global E flat up1 _ _ _; rewrite // !size_map.
exact: IH E2 up2 _ st ft a2.
Qed.
End Point.

Lemma balanced_parts sign u hints : is_balanced N sign P u hints ->
  let m := size (head [::] u) in
  [/\ size u = size (trained P), fits m u
    & exists2 rows, collect N sign P u m 0 (samples P) hints = Some rows & all (all (is_zero N)) rows].
Proof. by case/and3P=> /eqP su fu; case E: collect => [rows|] // h; split=> //; exists rows. Qed.

Lemma below_loss u rows theta : all (all (is_zero N)) rows -> below_sum u (samples P) rows theta ->
  loss PR (map (map f) u) <= loss PR theta.
Proof. by move=> zero_rows; rewrite /below_sum !frob_zero // subrr add0r. Qed.

Lemma balanced_local sign u hints : is_balanced N sign P u hints ->
  exists2 e, 0 < e & forall theta, near e (map (map f) u) theta -> agrees_from sign 0 (values_table theta) ->
    loss PR (map (map f) u) <= loss PR theta.
Proof.
case/balanced_parts=> su fu [rows E zero_rows]; have [e p h] := collect_local fu E su.
by exists e => // theta near_u ag; apply: below_loss zero_rows (h _ near_u ag).
Qed.

(* Splits: where the kink's value has a sign, so have those that are tied to it. *)
Lemma feature_at_value i s theta j : feature_at N P i = Some s ->
  nth 0 (nth [::] (nth [::] (values_table theta) i) 0) j = dot (nth [::] theta j) (map f s).
Proof.
rewrite /feature_at /values_table /=; elim: (samples P) i => [|x ss IH] [|i] //= => [[<-]|]; last exact: IH.
have -> : nth [::] (values_at theta (map_sample f x)) 0 = [seq dot row (feature PR (map_sample f x)) | row <- theta].
  by rewrite /values_at /=; case: (map _ (after P)).
rewrite read_feature {IH}; elim: theta j => [|row theta IHt] [|j] //=; by rewrite ?nth_nil.
Qed.

Lemma is_tied_value k t theta : is_tied N P k t ->
  let v (k : kink) := nth 0 (nth [::] (nth [::] (values_table theta) k.1.1) k.1.2) k.2 in v t.1 = f t.2 * v k.
Proof.
case: k t => [[i d] j] [[[i' d'] j'] c]; case/and4P=> /= /eqP -> /eqP -> /eqP ->.
case E1: feature_at => [x|] //; case E2: feature_at => [y|] // h; rewrite (feature_at_value _ _ E1) (feature_at_value _ _ E2).
move: (nth [::] theta j) => row; elim: x y h {E1 E2} row => [|a x IH] [|b y] //= => [_|/andP[hab /IH {}IH]] [|r row] //=.
- by rewrite mulr0.
- by rewrite mulr0.
- by rewrite mulr0.
have -> : f b = f c * f a by apply/eqP; rewrite eq_sym -fM eq_le -!fle.
by rewrite IH; ring.
Qed.

Lemma fix_signs_agrees sign k ties b theta : all (is_tied N P k) ties -> agrees_from sign 0 (values_table theta) ->
  signed b (nth 0 (nth [::] (nth [::] (values_table theta) k.1.1) k.1.2) k.2) ->
  agrees_from (fix_signs N sign k ties b) 0 (values_table theta).
Proof.
move=> tied ag hv; have fixed s k' b' : agrees_from s 0 (values_table theta) ->
    signed b' (nth 0 (nth [::] (nth [::] (values_table theta) k'.1.1) k'.1.2) k'.2) ->
    agrees_from (fix_sign s k' b') 0 (values_table theta).
  case: k' => [[i d] j] /= ag' hv' i' d' j' b''; rewrite /fix_sign add0n; case: eqP => [[-> -> ->] [<-] //|_]; exact: ag'.
elim: ties tied => [_|t ties IH /= /andP[ht /IH h]]; first exact: fixed.
apply: fixed h _; have /= -> := is_tied_value theta ht; rewrite fle f0.
move: hv {IH}; set v := nth _ _ _; case: (leP 0 (f t.2)) => hc; rewrite /signed; case: b => hv /=.
- exact: mulr_ge0.
- exact: mulr_ge0_le0.
- by apply: mulr_le0_ge0 => //; exact: ltW.
- by apply: mulr_le0 => //; exact: ltW.
Qed.

Lemma closed_local sign u t : is_closed N sign P u t ->
  exists2 e, 0 < e & forall theta, near e (map (map f) u) theta -> agrees_from sign 0 (values_table theta) ->
    loss PR (map (map f) u) <= loss PR theta.
Proof.
elim: t sign => [hints|k ties plus IHp minus IHm] sign /=; first exact: balanced_local.
case/and3P=> tied /IHp[e1 p1 h1] /IHm[e2 p2 h2]; exists (Num.min e1 e2); first by rewrite lt_minr p1.
move=> theta near_u ag; have fixed b := @fix_signs_agrees _ _ _ b theta tied ag.
set v := nth 0 (nth [::] (nth [::] (values_table theta) k.1.1) k.1.2) k.2 in fixed.
case: (leP 0 v) => hv; [apply: h1 | apply: h2]; try (by apply: fixed => //=; apply: ltW).
  by apply: near_mono near_u; rewrite le_minl lexx.
by apply: near_mono near_u; rewrite le_minl lexx orbT.
Qed.

(* Strict minima. *)
Lemma is_axis_dot b j row : is_axis N b j row -> exists2 x : R, (if b then 0 < x else x < 0) &
  forall z : seq R, size z = size row -> dot (map f row) z = x * nth 0 z j.
Proof.
elim: row j => [|y row IH] [|j] //= /andP[].
  move=> hy zero; exists (f y); first by move: hy; rewrite !fle f0 -!ltNge; case: (b).
  case=> [//|t z] [e] /=; have -> : dot (map f row) z = 0.
    elim: row z zero {e IH} => [|a row IH] [|b' z] //=; rewrite /is_zero !fle f0 => /andP[/andP[h1 h2] /IH ->].
    by have -> : f a = 0; [apply/eqP; rewrite eq_le h1 h2 | rewrite mul0r addr0].
  by rewrite addr0.
rewrite /is_zero !fle f0 => /andP[h1 h2] /IH[x hx h]; exists x => // -[|t z] //= [e].
have -> : f y = 0 by apply/eqP; rewrite eq_le h1 h2.
by rewrite mul0r add0r h.
Qed.

Lemma is_axis_frob b m r j rows : fits m rows -> is_axis_rows N b r j rows ->
  exists2 x : R, (if b then 0 < x else x < 0) & forall theta : seq (seq R), size theta = size rows -> fits m theta ->
    frob (map (map f) rows) theta = x * nth 0 (nth [::] theta r) j.
Proof.
elim: rows r => [|row rows IH] [|r] //= /andP[/eqP sr fr] /andP[].
  move=> /is_axis_dot[x hx h] zero; exists x => // -[|t theta] //= [e] /andP[/eqP st _].
  by rewrite h ?st ?sr // (frob_zero _ zero) addr0.
move=> zero /(IH _ fr)[x hx h]; exists x => // -[|t theta] //= [e] /andP[_ ft]; rewrite h // -[RHS]add0r.
by congr (_ + _); have /= := @frob_zero [:: row] [:: t]; rewrite andbT addr0; apply.
Qed.

Lemma common_radius (A : eqType) (Q : A -> R -> Prop) (s : seq A) :
  (forall a e e', e' <= e -> Q a e -> Q a e') -> (forall a, a \in s -> exists2 e, 0 < e & Q a e) ->
  exists2 e, 0 < e & forall a, a \in s -> Q a e.
Proof.
move=> mono; elim: s => [|a s IH] h; first by exists 1; first exact: ltr01.
have [|e1 p1 h1] := IH; first by move=> b hb; apply: h; rewrite inE hb orbT.
have [|e2 p2 h2] := h a; first by rewrite inE eqxx.
exists (Num.min e1 e2); first by rewrite lt_minr p1.
move=> b; rewrite inE => /orP[/eqP -> | hb]; first by apply: mono h2; rewrite le_minl lexx orbT.
by apply: mono (h1 _ hb); rewrite le_minl lexx.
Qed.

Definition rising (sign : signs) (u : seq (seq T)) (r j : nat) (theta : seq (seq R)) : Prop :=
  nth 0 (nth [::] theta r) j <> nth 0 (nth [::] (map (map f) u) r) j -> loss PR (map (map f) u) < loss PR theta.

Lemma rises_sound sign u r j b hints : size u = size (trained P) -> fits (size (head [::] u)) u ->
  rises N sign P u r j b hints -> exists2 e, 0 < e & forall theta, near e (map (map f) u) theta ->
    agrees_from sign 0 (values_table theta) -> exists2 x : R, (if b then 0 < x else x < 0) &
    x * (nth 0 (nth [::] theta r) j - nth 0 (nth [::] (map (map f) u) r) j) + loss PR (map (map f) u) <= loss PR theta.
Proof.
move=> su fu; rewrite /rises; case E: collect => [rows|] // axis.
have [sr fr] := collect_size E su; have [x hx h] := is_axis_frob fr axis.
have [e p hl] := collect_local fu E su; exists e => // theta near_u ag; exists x => //.
have [st ft] := near_fits fu near_u; have := hl _ near_u ag; rewrite /below_sum mulrBr.
rewrite !h ?size_map ?sr ?st //; exact: fits_U.
Qed.

(* Points of the same shape that agree in all entries are the same. *)
Lemma differ_somewhere (m : nat) (u : seq (seq T)) (theta : seq (seq R)) : fits m u -> size theta = size u ->
  fits m theta -> theta <> map (map f) u -> exists2 rj : nat * nat, (rj.1 < size u)%N && (rj.2 < m)%N &
    nth 0 (nth [::] theta rj.1) rj.2 != nth 0 (nth [::] (map (map f) u) rj.1) rj.2.
Proof.
move=> fu st ft ne.
have [hd|/allPn[rj /allpairsP[[r j] [/= hr hj ->]] ne']] := boolP (all (fun rj =>
  nth 0 (nth [::] theta rj.1) rj.2 == nth 0 (nth [::] (map (map f) u) rj.1) rj.2)
  [seq (r, j) | r <- iota 0 (size u), j <- iota 0 m]); last first.
  by exists (r, j) => //=; move: hr hj; rewrite !mem_iota /= !add0n => -> ->.
case: ne; apply: (@eq_from_nth _ [::]); first by rewrite st size_map.
move=> r; rewrite st => hr; have row (v : seq (seq R)) : size v = size u -> fits m v -> size (nth [::] v r) = m.
  by move=> sv fv; apply/eqP; apply: (allP fv); apply: mem_nth; rewrite sv.
apply: (@eq_from_nth _ 0); first by rewrite !row // ?size_map //; exact: fits_U.
move=> j; rewrite row // => hj; apply/eqP; apply: (allP hd (r, j)).
by apply/allpairsP; exists (r, j); rewrite !mem_iota.
Qed.

Lemma strict_closed sign u t : is_strict N sign P u t ->
  exists2 e, 0 < e & forall theta, near e (map (map f) u) theta -> agrees_from sign 0 (values_table theta) ->
    theta <> map (map f) u -> loss PR (map (map f) u) < loss PR theta.
Proof.
elim: t sign => [hints|k ties plus IHp minus IHm] sign /=; last first.
  case/and3P=> tied /IHp[e1 p1 h1] /IHm[e2 p2 h2]; exists (Num.min e1 e2); first by rewrite lt_minr p1.
  move=> theta near_u ag ne; have fixed b := @fix_signs_agrees _ _ _ b theta tied ag.
  set v := nth 0 (nth [::] (nth [::] (values_table theta) k.1.1) k.1.2) k.2 in fixed.
  case: (leP 0 v) => hv; [apply: h1 | apply: h2] => //; try (by apply: fixed => //=; apply: ltW).
    by apply: near_mono near_u; rewrite le_minl lexx.
  by apply: near_mono near_u; rewrite le_minl lexx orbT.
case/and3P=> /eqP su fu all_rise; set m := size (head [::] u) in fu all_rise.
pose Q (rj : nat * nat) (e : R) := forall theta, near e (map (map f) u) theta ->
  agrees_from sign 0 (values_table theta) -> rising sign u rj.1 rj.2 theta.
have [] := @common_radius _ Q [seq (r, j) | r <- iota 0 (size u), j <- iota 0 m].
- by move=> rj e e' le_e h theta near_u; apply: h; apply: near_mono near_u.
- move=> rj /allpairsP[[r j] [/= hr hj ->]]; have /andP[h1 h2] := allP (allP all_rise _ hr) _ hj.
  have [e1 p1 q1] := rises_sound su fu h1; have [e2 p2 q2] := rises_sound su fu h2.
  exists (Num.min e1 e2); first by rewrite lt_minr p1.
  move=> theta near_u ag /= /eqP ne.
  have [|x1 hx1 r1] := q1 _ _ ag; first by apply: near_mono near_u; rewrite le_minl lexx.
  have [|x2 hx2 r2] := q2 _ _ ag; first by apply: near_mono near_u; rewrite le_minl lexx orbT.
  rewrite -subr_eq0 in ne; case: (ltgtP (nth 0 (nth [::] theta r) j - nth 0 (nth [::] (map (map f) u) r) j) 0) => h.
  + by apply: lt_le_trans r2; rewrite ltr_addr nmulr_rgt0.
  + by apply: lt_le_trans r1; rewrite ltr_addr pmulr_rgt0.
  + by rewrite h eqxx in ne.
move=> e p h; exists e => // theta near_u ag ne; have [st ft] := near_fits fu near_u.
have [[r j] /= /andP[hr hj] /eqP ne'] := differ_somewhere fu st ft ne.
by apply: (h (r, j)) => //; apply/allpairsP; exists (r, j); rewrite !mem_iota.
Qed.

Lemma rises_global u r j b hints : is_convex N P -> size u = size (trained P) -> fits (size (head [::] u)) u ->
  rises N no_signs P u r j b hints -> forall theta, size theta = size u -> fits (size (head [::] u)) theta ->
  exists2 x : R, (if b then 0 < x else x < 0) &
    x * (nth 0 (nth [::] theta r) j - nth 0 (nth [::] (map (map f) u) r) j) + loss PR (map (map f) u) <= loss PR theta.
Proof.
case/and3P=> /eqP/size0nil last flat up su fu; rewrite /rises; case E: collect => [rows|] // axis theta st ft.
have [sr fr] := collect_size E su; have [x hx h] := is_axis_frob fr axis; exists x => //.
have : below_sum u (samples P) rows theta by apply: collect_global E su last flat up _ st ft _ => // i d k b'.
rewrite /below_sum mulrBr !h ?size_map ?sr ?st //; exact: fits_U.
Qed.

Theorem unique_global_minimum_read u t : check_unique_global_minimum N P u t ->
  unique_global_minimum PR (map (map f) u).
Proof.
case/andP=> convex; case: t => // hints /and3P[/eqP su fu all_rise] theta shapes ne.
set m := size (head [::] u) in fu all_rise.
have st : size theta = size u by rewrite -[LHS](size_map size) -/(shape _) shapes !size_map.
have ft : fits m theta.
  have : fits m (map (map f) u) by exact: fits_U.
  by rewrite /fits -!(all_map size (fun n => n == _)) -/(shape _) -/(shape theta) shapes.
have [[r j] /= /andP[hr hj] ne'] := differ_somewhere fu st ft ne.
have hr' : r \in iota 0 (size u) by rewrite mem_iota.
have hj' : j \in iota 0 m by rewrite mem_iota.
have /andP[h1 h2] := allP (allP all_rise _ hr') _ hj'.
have [x1 hx1 r1] := rises_global convex su fu h1 st ft; have [x2 hx2 r2] := rises_global convex su fu h2 st ft.
rewrite -subr_eq0 in ne'; case: (ltgtP (nth 0 (nth [::] theta r) j - nth 0 (nth [::] (map (map f) u) r) j) 0) => h.
- by apply: lt_le_trans r2; rewrite ltr_addr nmulr_rgt0.
- by apply: lt_le_trans r1; rewrite ltr_addr pmulr_rgt0.
- by rewrite h eqxx in ne'.
Qed.

Theorem strict_local_minimum_read u t : check_strict_local_minimum N P u t -> strict_local_minimum PR (map (map f) u).
Proof.
by case/strict_closed=> e p h; exists e => // theta near_u ne; apply: h => // i d j b.
Qed.

Theorem local_minimum_read u t : check_local_minimum N P u t -> local_minimum PR (map (map f) u).
Proof.
case/closed_local=> e p h; exists e => // theta near_u; apply: h near_u _.
by move=> i d j b.
Qed.

Theorem global_minimum_read u hints : check_global_minimum N P u hints -> global_minimum PR (map (map f) u).
Proof.
case/andP=> /and3P[/eqP/size0nil last flat up] /balanced_parts[su fu [rows E zero_rows]] theta shapes.
have st : size theta = size u by rewrite -[LHS](size_map size) -/(shape _) shapes !size_map.
have ft : fits (size (head [::] u)) theta.
  have : fits (size (head [::] u)) (map (map f) u) by exact: fits_U.
  by rewrite /fits -!(all_map size (fun n => n == _)) -/(shape _) -/(shape theta) shapes.
apply: below_loss zero_rows _; apply: collect_global E su last flat up _ st ft _ => //.

Qed.
End Whole.
End Soundness.

(* The theorems: over any ordered field R, of the problem P whose numbers are rational. *)
Theorem accepted_local_minimum (P : problem rat) (u : seq (seq rat)) (t : tree rat) :
  check_local_minimum rationals P u t ->
  forall R : realFieldType, local_minimum (map_problem ratr P) (map (map (@ratr R)) u).
Proof. by move=> h R; exact: (local_minimum_read (reading_rationals R) h). Qed.

Theorem accepted_strict_local_minimum (P : problem rat) (u : seq (seq rat)) (t : strict_tree rat) :
  check_strict_local_minimum rationals P u t ->
  forall R : realFieldType, strict_local_minimum (map_problem ratr P) (map (map (@ratr R)) u).
Proof. by move=> h R; exact: (strict_local_minimum_read (reading_rationals R) h). Qed.

Theorem accepted_unique_global_minimum (P : problem rat) (u : seq (seq rat)) (t : strict_tree rat) :
  check_unique_global_minimum rationals P u t ->
  forall R : realFieldType, unique_global_minimum (map_problem ratr P) (map (map (@ratr R)) u).
Proof. by move=> h R; exact: (unique_global_minimum_read (reading_rationals R) h). Qed.

Theorem accepted_global_minimum (P : problem rat) (u : seq (seq rat)) (hints : seq (seq (seq rat))) :
  check_global_minimum rationals P u hints ->
  forall R : realFieldType, global_minimum (map_problem ratr P) (map (map (@ratr R)) u).
Proof. by move=> h R; exact: (global_minimum_read (reading_rationals R) h). Qed.

