(* Soundness of what stands around a walk: rays along which the loss falls forever, and parameters that are held. *)

From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From Exactdrl Require Import Definitions Numbers Checker Minimum Cells Steps Walk.
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
Variable P : problem T.
Let PR := map_problem f P.

Lemma shape_map (x : seq (seq T)) : shape (map (map f) x) = shape x.
Proof. by rewrite /shape -map_comp; apply: eq_map => row /=; rewrite size_map. Qed.

Lemma sides_read bs ss z : map f (sides_of N bs ss z) = sides bs (map (map_slopes f) ss) (map f z).
Proof.
elim: ss bs z => [|s ss IH] bs [|t z] //=; rewrite fM IH /side; congr (_ :: _).
by case: (head true bs).
Qed.

Lemma pieces_read gs ss ls bits z : map (map f) (pieces_of N gs ss ls bits z)
  = pieces (map (map_goal f) gs) (map (map_slopes f) ss) (map (map (map_neuron f)) ls) bits (map f z).
Proof.
elim: ls ss bits z => [|l ls IH] ss bits z /=; congr (_ :: _).
  by rewrite (read_residuals reads) sides_read.
by rewrite IH (read_preactivations reads) sides_read activations_map.
Qed.

Lemma dots_read (u : seq (seq T)) s : map f (dots_of N u (feature_of N P s))
  = [seq dot row (feature PR (map_sample f s)) | row <- map (map f) u].
Proof.
rewrite /dots_of -!map_comp; apply: eq_map => row /=.
by rewrite (read_dot reads) (read_feature reads).
Qed.

Lemma cost_read gs ss ls z :
  f (cost_of N gs ss ls z) = cost (map (map_goal f) gs) (map (map_slopes f) ss) (map (map (map_neuron f)) ls) (map f z).
Proof.
elim: ls ss z => [|l ls IH] ss z /=.
  have sum x : f (foldr (plus N) (zero N) x) = total (map f x) by elim: x => //= t x IHx; rewrite fD IHx.
  rewrite sum terms_total (read_bends reads) (read_residuals reads) (read_bends reads).
  by rewrite -terms_map.
by rewrite IH (read_preactivations reads) (read_bends reads) activations_map.
Qed.

Lemma loss_read u : f (loss_of N P u) = loss PR (map (map f) u).
Proof.
rewrite /loss_of /loss /=; elim: (samples P) => [|s ss IH] /=; first by rewrite big_nil.
by rewrite big_cons fD IH cost_read dots_read.
Qed.

(* Rays. *)
Fixpoint going (bs : seq bool) (ss : seq (slopes R)) (z z' : seq R) : bool :=
  if (ss, z, z') is (s :: ss', x :: y, x' :: y') then
    (bent s ==> if head true bs then x <= x' else x' <= x) && going (behead bs) ss' y y'
  else true.

Fixpoint going_all (bits : seq (seq bool)) (sss : seq (seq (slopes R))) (vs vs' : seq (seq R)) : bool :=
  if (sss, vs, vs') is (ss :: sss', z :: ws, z' :: ws') then
    going (head [::] bits) ss z z' && going_all (behead bits) sss' ws ws'
  else true.

Lemma goes_read bs ss z z' : goes N bs ss z z' = going bs (map (map_slopes f) ss) (map f z) (map f z').
Proof.
by elim: ss bs z z' => [|s ss IH] bs [|x y] [|x' y'] //=; rewrite IH (read_bent reads) !fle.
Qed.

Lemma goes_all_read bits sss vs vs' : goes_all N bits sss vs vs'
  = going_all bits (map (map (map_slopes f)) sss) (map (map f) vs) (map (map f) vs').
Proof. by elim: sss bits vs vs' => [|ss sss IH] bits [|x y] [|x' y'] //=; rewrite IH goes_read. Qed.

Lemma obeys_read bits sss vs : obeys_all_of N bits sss vs
  = obeys_all bits (map (map (map_slopes f)) sss) (map (map f) vs).
Proof.
have row bs ss z : obeys_of N bs ss z = obeys bs (map (map_slopes f) ss) (map f z).
  by elim: ss bs z => [|s ss IH] bs [|x z] //=; rewrite IH (read_bent reads) (read_signed reads).
by elim: sss bits vs => [|ss sss IH] bits [|z vs] //=; rewrite IH row.
Qed.

Lemma obeys_ray (t : R) bs ss (x y : seq R) : 0 <= t -> size y = size x -> obeys bs ss x -> going bs ss x y ->
  obeys bs ss (comb (1 - t) t 0 x y y).
Proof.
move=> t0; elim: ss bs x y => [|s ss IH] bs [|p x] [|q y] //= [e] /andP[h1 h2] /andP[h3 h4].
rewrite (IH _ _ _ e h2 h4) andbT; apply/implyP => bent_s; move: h1 h3; rewrite bent_s /= /signed mul0r addr0.
have -> : (1 - t) * p + t * q = p + t * (q - p) by ring.
case: (head true bs) => h1 h3; first by rewrite addr_ge0 // mulr_ge0 // subr_ge0.
by rewrite -[0]addr0; apply: ler_add => //; apply: mulr_ge0_le0 => //; rewrite subr_le0.
Qed.

Lemma obeys_all_ray (t : R) gs ss ls bits (x y : seq R) : 0 <= t -> size y = size x ->
  let sl := slopes_of gs ss ls in let at_ := pieces gs ss ls bits in
  obeys_all bits sl (at_ x) -> going_all bits sl (at_ x) (at_ y) -> obeys_all bits sl (at_ (comb (1 - t) t 0 x y y)).
Proof.
move=> t0; have affine : (1 - t) + t + 0 = 1 by ring.
elim: ls ss bits x y => [|l ls IH] ss bits x y e /=.
  case/and3P=> h1 h2 _ /and3P[h3 h4 _]; rewrite obeys_ray // sides_comb // residuals_comb ?size_sides ?e //.
  by rewrite obeys_ray // !Cells.size_residuals !size_sides e.
case/andP=> h1 h2 /andP[h3 h4]; rewrite obeys_ray // sides_comb // preactivations_comb ?size_sides ?e //.
by apply: IH; rewrite // !size_map.
Qed.

Local Arguments all_slopes_of : simpl never.
Local Arguments all_slopes : simpl never.
Local Arguments obeys_all_of : simpl never.
Local Arguments obeys_all : simpl never.
Local Arguments goes_all : simpl never.

Lemma stays_sound (t : R) (u v : seq (seq T)) ss c : 0 <= t -> shape v = shape u -> stays N P u v ss c ->
  let S := map (map_sample f) ss in
  let w := comb_rows (1 - t) t 0 (map (map f) u) (map (map f) v) (map (map f) v) in
  let tab := [seq pieces (goals p.1) (trained PR) (after PR) p.2 [seq dot row (feature PR p.1) | row <- w]
     | p <- zip S c] in
  let sum w := \sum_(s <- S) cost (goals s) (trained PR) (after PR) [seq dot row (feature PR s) | row <- w] in
  [/\ size c = size S, all (fun p => obeys_all p.1.2 (all_slopes PR p.1.1) p.2) (zip (zip S c) tab)
    & sum w = (1 - t) * sum (map (map f) u) + t * sum (map (map f) v)].
Proof.
move=> t0 e; have affine : (1 - t) + t + 0 = 1 by ring.
set U := map (map f) u; set V := map (map f) v.
have shapes : shape V = shape U by rewrite !shape_map.
elim: ss c => [|s ss IH] [|bits c] //=; first by split=> //; rewrite !big_nil !mulr0 addr0.
case/and3P=> h1 h2 /IH[h3 h4 h5]; rewrite !big_cons h5.
rewrite obeys_read pieces_read slopes_map dots_read -/U in h1.
rewrite goes_all_read !pieces_read slopes_map !dots_read -/U -/V in h2.
have sizes : size [seq dot row (feature PR (map_sample f s)) | row <- V]
  = size [seq dot row (feature PR (map_sample f s)) | row <- U].
  by have size_shape (r : seq (seq R)) g : size [seq dot row g | row <- r] = size (shape r); rewrite ?size_shape ?shapes // !size_map.
have inside (r : R) : 0 <= r -> obeys_all bits (all_slopes PR (map_sample f s))
    (pieces (goals (map_sample f s)) (trained PR) (after PR) bits
      [seq dot row (feature PR (map_sample f s)) | row <- comb_rows (1 - r) r 0 U V V]).
  by move=> r0; rewrite dots_comb //; exact: obeys_all_ray.
split; [by rewrite h3 | by rewrite inside |].
have at1 : comb_rows (1 - 1) 1 0 U V V = V.
  rewrite subrr; move: shapes; rewrite /shape; elim: (U) (V) => [|x U' IHU] [|y V'] //= [e1 /IHU ->].
  by congr (_ :: _); elim: x y e1 => [|p x IHx] [|q y] //= [/IHx ->]; rewrite !mul0r mul1r add0r addr0.
have := inside 1 ler01; rewrite at1 => hv; have := inside t t0; rewrite dots_comb // => hw.
by rewrite (cost_piece h1) (cost_piece hv) (cost_piece hw) piece_cost_comb // mul0r addr0 !mulrDr addrACA.
Qed.

Lemma all2_shape (u d : seq (seq T)) : all2 (fun x y => size x == size y) u d -> shape d = shape u.
Proof. by rewrite /shape; elim: u d => [|x u IH] [|y d] //= /andP[/eqP -> /IH ->]. Qed.

Lemma shape_add (u d : seq (seq T)) : shape d = shape u -> shape (add_rows N u d) = shape u.
Proof.
rewrite /shape /add_rows; elim: u d => [|x u IH] [|y d] //= [e /IH ->].
by rewrite size_axpy.
Qed.

Lemma moved_comb (t : R) (u d : seq (seq T)) : shape d = shape u ->
  let V := map (map f) (add_rows N u d) in
  moved t (map (map f) u) (map (map f) d) = comb_rows (1 - t) t 0 (map (map f) u) V V.
Proof.
rewrite /shape /moved; elim: u d => [|x u IH] [|y d] //= [e /IH ->]; congr (_ :: _).
by elim: x y e => [|p x IHx] [|q y] //= [/IHx ->]; congr (_ :: _); rewrite fD fM f1; ring.
Qed.

Theorem ray_sound c u d : check_ray N P c u d -> falls_forever PR c (map (map f) u) (map (map f) d).
Proof.
case/and3P=> /all2_shape e inside; rewrite fle !loss_read -ltNge => falls.
set U := map (map f) u; set V := map (map f) (add_rows N u d) in falls *.
exists (loss PR V - loss PR U); first by rewrite subr_lt0.
move=> t t0; rewrite moved_comb //; have [h1 h2 h3] := stays_sound t0 (shape_add e) inside.
split; first by rewrite /in_cell h1 eqxx.
by rewrite /loss h3; move: (\sum_(_ <- _) _) (\sum_(_ <- _) _) => X Y; ring.
Qed.

Theorem ray_unbounded c (u d : seq (seq R)) : shape d = shape u -> falls_forever PR c u d -> unbounded PR u.
Proof.
move=> e [s s0 h] bound; set q := (bound - loss PR u) / s; set t := `|q| + 1.
have t0 : 0 <= t by rewrite addr_ge0.
exists (moved t u d).
  rewrite /moved /shape; move: e; rewrite /shape; elim: (u) (d) => [|x u' IH] [|y d'] //= [e /IH ->].
  by rewrite size_map size_zip e minnn.
have [_ ->] := h t t0; rewrite -ltr_subr_addl mulrC -ltr_ndivr_mull // mulrC -/q.
by apply: le_lt_trans (ler_norm q) _; rewrite ltr_addl ltr01.
Qed.

(* Edges. *)
Lemma table_read c theta : rels f (table_of N P c theta) (table PR c (map (map f) theta)).
Proof.
rewrite /table_of /table /=; elim: (samples P) c => [|s ss IH] [|bits c] //=; split=> //.
rewrite -dots_read -pieces_read; elim: (pieces_of _ _ _ _ _ _) => //= row vs IHvs; split=> //.
by exists 1; [exact: ltr01 | rewrite /times map_id_in // => x _; rewrite mul1r].
Qed.

Lemma keeps_read free u v : keeps_of N free u (one N) v (one N) = keeps free (map (map f) u) (map (map f) v).
Proof.
elim: u free v => [|x u IH] free [|y v] //=; rewrite IH; congr (_ && _).
elim: x (head [::] free) y => [|a x IHx] bs [|b y] //=; rewrite IHx; congr ((_ || _) && _).
by rewrite (read_same reads) !fM f1 !mulr1.
Qed.

Theorem edge_sound pl free st u flipped another inv leaves d : sound N f P pl free st ->
  check_edge N P free st u flipped another inv leaves d ->
  let c := foldl flip (cell st) flipped in let old := odflt (basis st) another in
  let U := map (map f) u in let D := map (map f) d in
  [/\ U = point f st, vertex PR free c old U, leaves \in old, falls_forever PR c U D
    & forall t, keeps free U (moved t U D) /\ all (fun k => piece PR c (moved t U D) k == 0) (rem leaves old)].
Proof.
move=> ok /and5P[/(read_is_point reads ok) eU zf zo turn /and4P[hl kept zeros ray]] c old U D.
have v : vertex PR free c old U by rewrite /U eU; exact: (turn_sound reads ok zf zo turn).
have fall := ray_sound ray; split=> // t; have /and3P[/all2_shape e _ _] := ray.
rewrite /U /D moved_comb // -/U; set V := map (map f) (add_rows N u d).
have shapes : shape V = shape U by rewrite !shape_map shape_add.
have affine : (1 - t) + t + 0 = 1 by ring.
have kUV : keeps free U V by rewrite -keeps_read.
split; first apply: (keeps_trans _ _ kUV); rewrite ?shape_comb ?shapes //.
  by apply: keeps_comb; rewrite ?shapes ?keeps_refl // keeps_sym.
case: v => _ _ _ + _; rewrite (perm_all_rem _ hl) => /andP[_ zu].
move: zeros; rewrite (rels_zeros reads _ (table_read c (add_rows N u d))) => zv.
apply/allP => k hk; rewrite (piece_comb affine) ?shapes // (eqP (allP zu _ hk)).
by have /eqP := allP zv _ hk; rewrite /piece => ->; rewrite !mulr0 !addr0.
Qed.

(* Directions along which nothing changes. *)
Section Flat.
Variable t : R.
Definition shift (z d : seq R) : seq R := [seq p.1 + t * p.2 | p <- zip z d].

Lemma size_shift z d : size (shift z d) = minn (size z) (size d).
Proof. by rewrite size_map size_zip. Qed.

Lemma dot_shift w z d : size d = size z -> dot w (shift z d) = dot w z + t * dot w d.
Proof.
elim: w z d => [|a w IH] [|x z] [|y d] //=; rewrite ?mulr0 ?addr0 // => [[e]].
by rewrite IH //; ring.
Qed.

Lemma dot_shift_left w z d : size d = size z -> dot (shift z d) w = dot z w + t * dot d w.
Proof.
elim: w z d => [|a w IH] [|x z] [|y d] //=; rewrite ?mulr0 ?addr0 // => [[e]].
by rewrite IH //; ring.
Qed.

Lemma total_shift z d : size d = size z -> total (shift z d) = total z + t * total d.
Proof. by elim: z d => [|x z IH] [|y d] //= => [|[/IH ->]]; [rewrite mulr0 addr0 | ring]. Qed.

Lemma residuals_shift (gs : seq (goal R)) z d : residuals gs (shift z d) = shift (residuals gs z) d.
Proof. by elim: gs z d => [|g gs IH] [|x z] [|y d] //=; rewrite IH; congr (_ :: _) => /=; ring. Qed.

Lemma preactivations_shift (l : layer T) z da : size da = size z ->
  preactivations (map (map_neuron f) l) (shift z (map f da))
  = shift (preactivations (map (map_neuron f) l) z) (map f [seq dot_of N (weight u) da | u <- l]).
Proof.
move=> e; elim: l => //= u l ->; congr (_ :: _).
by rewrite dot_shift ?size_map //= (read_dot reads); ring.
Qed.

Lemma passes_sound ss dz da : passes N ss dz = Some da -> let S := map (map_slopes f) ss in
  [/\ size da = minn (size ss) (size dz), forall z, bends S (shift z (map f dz)) = shift (bends S z) (map f da),
      forall bs z, sides bs S (shift z (map f dz)) = shift (sides bs S z) (map f da)
    & forall z j, (size z <= size dz)%N -> bent (nth (Slopes 0 0) S j) -> nth 0 (shift z (map f dz)) j = nth 0 z j].
Proof.
elim: ss dz da => [|s ss IH] [|x dz] da /=.
- by case=> <-; split=> // z j _; rewrite nth_nil /bent eqxx.
- by case=> <-; split=> // z j _; rewrite nth_nil /bent eqxx.
- by case=> <-; split=> //; [case | move=> bs; case | case].
case: ifP => // ok; case E: passes => [rest|] // [<-]; have [h1 h2 h3 h4] := IH _ _ E.
move: ok; rewrite (read_bent reads) (read_is_zero reads) => ok; split.
- by rewrite /= h1 minnSS.
- case=> [|y z] //=; rewrite h2; congr (_ :: _); rewrite fM.
  case: s ok {IH} => lo hi; rewrite /bent /bend /=; case: eqP => [->|_] /= ok; first by rewrite !if_same; ring.
  by rewrite (eqP ok) !mulr0 !addr0.
- move=> bs [|y z] //=; rewrite h3; congr (_ :: _); rewrite fM.
  case: s ok {IH} => lo hi; rewrite /bent /side /=; case: eqP => [->|_] /= ok; first by rewrite !if_same; ring.
  by rewrite (eqP ok) !mulr0 !addr0.
case=> [|y z] [|j] //= hz; last exact: h4.
by move=> hb; move: ok; rewrite hb => /= /eqP ->; rewrite mulr0 addr0.
Qed.

Lemma drift_sound gs ss ls dz x : drift N gs ss ls dz = Some x ->
  let G := map (map_goal f) gs in let S := map (map_slopes f) ss in let L := map (map (map_neuron f)) ls in
  forall z : seq R, size z = size dz ->
  cost G S L (shift z (map f dz)) = cost G S L z + t * f x
  /\ forall bits d j, bent (nth (Slopes 0 0) (nth [::] (slopes_of G S L) d) j) ->
       nth 0 (nth [::] (pieces G S L bits (shift z (map f dz))) d) j = nth 0 (nth [::] (pieces G S L bits z) d) j.
Proof.
elim: ls ss dz x => [|l ls IH] ss dz x /=; case E: passes => [da|] //.
  have [h1 h2 h3 h4] := passes_sound E; case E2: passes => [dr|] // [<-] z e.
  have [k1 k2 k3 k4] := passes_sound E2; split.
    rewrite h2 !Cells.terms_total residuals_shift terms_map k2 total_shift; last first.
      by rewrite size_map k1 Minimum.size_bends Cells.size_residuals Minimum.size_bends !size_map h1 e [in RHS]minnA minnn.
    by rewrite (read_total reads).
  move=> bits [|[|d]] j; rewrite /slopes_of /=; last by rewrite !nth_nil /bent eqxx.
    by apply: h4; rewrite e.
  rewrite h3 residuals_shift terms_map; apply: k4.
  by rewrite Cells.size_residuals size_sides !size_map h1 e geq_minr.
have [h1 h2 h3 h4] := passes_sound E => E2 z e; rewrite activations_map.
set S := map (map_slopes f) ss.
have sb : size da = size (bends S z) by rewrite Minimum.size_bends size_map h1 e.
have ss' bs : size da = size (sides bs S z) by rewrite size_sides size_map h1 e.
have sz y : size (preactivations (map (map_neuron f) l) y) = size [seq dot_of N (weight u) da | u <- l].
  by rewrite !size_map.
split; first by have [k _] := IH _ _ _ E2 _ (sz (bends S z)); rewrite h2 preactivations_shift.
move=> bits [|d] j; rewrite /slopes_of /=; first by apply: h4; rewrite e.
rewrite h3 preactivations_shift // activations_map => hb.
by have [_ k] := IH _ _ _ E2 _ (sz (sides (head [::] bits) S z)); apply: k.
Qed.

Lemma dots_shift (theta d : seq (seq R)) x : shape theta = shape d ->
  [seq dot row x | row <- moved t theta d] = shift [seq dot row x | row <- theta] [seq dot row x | row <- d].
Proof.
rewrite /shape /moved; elim: theta d => [|y theta IH] [|z d] //= [e /IH ->]; congr (_ :: _).
exact: dot_shift_left.
Qed.

Lemma drifts_sound d ss x (theta : seq (seq R)) : shape theta = shape (map (map f) d) ->
  drifts N P d ss = Some x -> let S := map (map_sample f) ss in let D := map (map f) d in
  let sum w := \sum_(s <- S) cost (goals s) (trained PR) (after PR) [seq dot row (feature PR s) | row <- w] in
  let at_ w c k := nth 0 (nth [::] (nth [::] [seq pieces (goals p.1) (trained PR) (after PR) p.2
    [seq dot row (feature PR p.1) | row <- w] | p <- zip S c] k.1.1) k.1.2) k.2 in
  sum (moved t theta D) = sum theta + t * f x
  /\ forall c k, bent (nth (Slopes 0 0) (nth [::] (nth [::] [seq all_slopes PR s | s <- S] k.1.1) k.1.2) k.2) ->
       at_ (moved t theta D) c k = at_ theta c k.
Proof.
move=> e; elim: ss x => [|s ss IH] x /=.
  by case=> <-; split=> [|[|bits c] k _] //; rewrite !big_nil f0 mulr0 addr0.
case E: drift => [y|] //; case E2: drifts => [y'|] // [<-]; have [h1 h2] := IH _ E2.
set D := map (map f) d in e h1 h2 *.
have sz : size [seq dot row (feature PR (map_sample f s)) | row <- theta] = size (dots_of N d (feature_of N P s)).
  have sizes : size theta = size d by rewrite -[LHS](size_map size) -/(shape theta) e !size_map.
  by rewrite !size_map.
have [k1 k2] := drift_sound E sz; rewrite dots_read -/D -dots_shift // in k1 k2.
split; first by rewrite !big_cons h1 k1 fD mulrDr addrACA.
move=> [|bits c] [[[|i] dd] j] hb //=; first exact: k2.
exact: (h2 c (i, dd, j)).
Qed.
End Flat.

Theorem flat_sound d : is_flat N P d -> flat PR (map (map f) d).
Proof.
rewrite /is_flat; case E: drifts => [x|] //; rewrite (read_is_zero reads) => /eqP x0 t theta e.
have [h1 h2] := drifts_sound t e E; split; first by rewrite /loss h1 x0 mulr0 addr0.
by move=> c k; exact: h2.
Qed.

Theorem lineality_sound free u directions : check_lineality N P free u directions ->
  only_lineality PR free (map (map f) u).
Proof.
move=> /allP h i j; rewrite size_map => hi hj hf.
have row (v : seq (seq T)) k : nth [::] (map (map f) v) k = map f (nth [::] v k).
  by elim: v k => [|x v IH] [|k] //=.
rewrite row size_map in hj; have := h i; rewrite mem_iota /= add0n => /(_ hi)/allP/(_ j).
rewrite mem_iota /= add0n (negbTE hf) => /(_ hj) /=; set d := nth _ _ j.
case/and3P=> /all2_shape e /flat_sound fl entries; exists (map (map f) d).
have sizes : size d = size u by rewrite -[LHS](size_map size) -/(shape d) e size_map.
have row_sizes k : size (nth [::] d k) = size (nth [::] u k).
  have at_ (v : seq (seq T)) : size (nth [::] v k) = nth 0%N (shape v) k.
    by rewrite /shape; elim: v k => [|x v IH] [|k] //=.
  by rewrite !at_ e.
have entry_is k l : entry (map (map f) d) k l = f (nth (zero N) (nth [::] d k) l).
  rewrite /entry row; move: (nth [::] d k) l; elim=> [|x v IH] [|l] //=; by rewrite ?f0.
have moves k l : (k < size d)%N -> (l < size (nth [::] d k))%N -> may_move N free i j k l (nth (zero N) (nth [::] d k) l).
  move=> hk hl; have := allP entries k; rewrite mem_iota /= add0n => /(_ hk)/allP/(_ l).
  by rewrite mem_iota /= add0n; apply.
split=> //.
- by rewrite !shape_map.
- have := moves i j; rewrite sizes row_sizes => /(_ hi hj); rewrite /may_move !eqxx /= (read_same reads) f1 entry_is.
  by move/eqP.
move=> k l; rewrite entry_is; have [hk|hk] := ltnP k (size d); last first.
  by rewrite (nth_default [::] hk) nth_nil f0 eqxx.
have [hl|hl] := ltnP l (size (nth [::] d k)); last by rewrite (nth_default _ hl) f0 eqxx.
have := moves k l hk hl; rewrite /may_move; case: ifP => // _ /orP[-> //|].
by rewrite (read_is_zero reads) => ->.
Qed.
End Soundness.

(* The theorems: over any ordered field R, of the problem P whose numbers are rational. *)
Theorem accepted_ray (P : problem rat) c (u d : seq (seq rat)) : check_ray rationals P c u d ->
  forall R : realFieldType, let Q := map_problem ratr P in let to_R := map (map (@ratr R)) in
    falls_forever Q c (to_R u) (to_R d) /\ unbounded Q (to_R u).
Proof.
move=> h R Q to_R; have fall := ray_sound (reading_rationals R) h; split=> //.
by apply: ray_unbounded fall; have /and3P[/all2_shape e _ _] := h; rewrite !shape_map.
Qed.

Theorem accepted_edge (P : problem rat) (pl : plan rat) free c ks num den inv st moves st' u flipped another inv' leaves d :
  first_vertex rationals P pl free c ks num den inv = Some st -> follow rationals P pl free st moves = Some st' ->
  check_edge rationals P free st' u flipped another inv' leaves d ->
  forall R : realFieldType, let Q := map_problem ratr P in let to_R := map (map (@ratr R)) in
  let c' := foldl flip (cell st') flipped in let ks' := odflt (basis st') another in
    [/\ to_R u = at_ (@ratr R) (numerators st') (denominator st'), vertex Q free c' ks' (to_R u), leaves \in ks',
        (forall t, keeps free (to_R u) (moved t (to_R u) (to_R d))
           /\ all (fun k => piece Q c' (moved t (to_R u) (to_R d)) k == 0) (rem leaves ks'))
      & falls_forever Q c' (to_R u) (to_R d) /\ unbounded Q (to_R u)].
Proof.
move=> E1 E2 E3 R Q to_R c' ks'; have reads := reading_rationals R.
have hp : check_plan rationals P pl by move: E1; rewrite /first_vertex; case: ifP => // /and5P[].
have [ok _] := follow_sound reads hp (first_vertex_sound reads hp E1) E2.
have [h1 h2 h3 h4 h5] := edge_sound reads ok E3; split=> //; split=> //.
by apply: ray_unbounded h4; have /and5P[_ _ _ _ /and4P[_ _ _ /and3P[/all2_shape e _ _]]] := E3; rewrite !shape_map.
Qed.

Theorem accepted_lineality (P : problem rat) free (u : seq (seq rat)) directions :
  check_lineality rationals P free u directions ->
  forall R : realFieldType, only_lineality (map_problem ratr P) free (map (map (@ratr R)) u).
Proof. by move=> h R; exact: (lineality_sound (reading_rationals R) h). Qed.
