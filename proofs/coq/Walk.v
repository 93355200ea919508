(* Soundness of the checker of a walk, over every ordered field. *)

From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From Exactdrl Require Import Definitions Numbers Checker Minimum Cells Steps.
Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section Lists.
Variable R : realFieldType.
Implicit Types (x y z w : seq R).

Definition times (c : R) x : seq R := [seq c * t | t <- x].

Lemma dot_times c d x y : dot (times c x) (times d y) = c * d * dot x y.
Proof. by elim: x y => [|a x IH] [|b y] //=; rewrite ?mulr0 // IH; ring. Qed.

Lemma total_times c x : total (times c x) = c * total x.
Proof. by elim: x => [|a x IH] /=; rewrite ?mulr0 // IH mulrDr. Qed.

Lemma nth_times c x j : nth 0 (times c x) j = c * nth 0 x j.
Proof. by elim: x j => [|a x IH] [|j] //=; rewrite ?mulr0. Qed.

Lemma nth_residuals (gs : seq (goal R)) y j : size gs = size y ->
  nth 0 (residuals gs y) j = nth 0 y j - nth 0 (map (@target R) gs) j.
Proof. by elim: gs y j => [|g gs IH] [|b y] [|j] //=; rewrite ?subr0 // => [[/IH ->]]. Qed.

Lemma perm_all_rem (T : eqType) (p : pred T) k (ks : seq T) : k \in ks -> all p ks = p k && all p (rem k ks).
Proof. by move=> h; rewrite (perm_all p (perm_to_rem h)). Qed.
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

Lemma read_same x y : same N x y = (f x == f y).
Proof. by rewrite /same !fle eq_le. Qed.

Lemma read_is_zero x : is_zero N x = (f x == 0).
Proof. by rewrite /is_zero !fle f0 eq_le. Qed.

Lemma read_positive x : positive N x = (0 < f x).
Proof. by rewrite /positive fle f0 ltNge. Qed.

Lemma read_multiple c xs ys : multiple N c xs ys -> map f ys = times (f c) (map f xs).
Proof. by elim: xs ys => [|x xs IH] [|y ys] //= /andP[]; rewrite read_same fM => /eqP -> /IH ->. Qed.

Lemma read_same_slopes s s' : same_slopes N s s' -> map_slopes f s = map_slopes f s'.
Proof. by rewrite /same_slopes !read_same /map_slopes => /andP[/eqP -> /eqP ->]. Qed.

Lemma read_bent s : bent_of N s = bent (map_slopes f s).
Proof. by rewrite /bent_of /bent read_same. Qed.

Lemma read_signed b t : signed_of N b t = signed b (f t).
Proof. by rewrite /signed_of /signed !fle f0. Qed.

Lemma read_sides bs ss z c x : map f z = times c x ->
  map f (sides_of N bs ss z) = times c (sides bs (map (map_slopes f) ss) x).
Proof.
elim: ss bs z x => [|s ss IH] bs [|t z] [|y x] //= [e1 /IH ->].
by rewrite fM e1 /side; congr (_ :: _); case: (head true bs) => /=; ring.
Qed.

Lemma read_preactivations_at l l' p c a x : 
  all2 (fun u u' => [&& multiple N p (weight u) (weight u'), same N (product N p (bias u)) (bias u')
    & same_slopes N (activation u) (activation u')]) l l' -> map f a = times (f c) x ->
  map f (preactivations_at N l' a c) = times (f c * f p) (preactivations (map (map_neuron f) l) x) /\
  map (map_slopes f) (map (@activation T) l') = map (map_slopes f) (map (@activation T) l).
Proof.
move=> + ea; elim: l l' => [|u l IH] [|u' l'] //= /andP[/and3P[hw hb hs] /IH[-> ->]].
rewrite (read_same_slopes hs); split=> //; congr (_ :: _).
move: hb; rewrite read_same fM => /eqP hb.
by rewrite fD fM (read_dot reads) (read_multiple hw) ea dot_times -hb /=; ring.
Qed.

Lemma read_total x : f (total_of N x) = total (map f x).
Proof. by elim: x => //= t x IH; rewrite fD IH. Qed.

Lemma read_residuals_at e c gs gs' a x :
  all2 (fun g g' => same N (product N e (target g)) (target g') && same_slopes N (term g) (term g')) gs gs' ->
  map f a = times (f c) x ->
  map f (residuals_at N gs' a c e) = times (f c * f e) (residuals (map (map_goal f) gs) x) /\
  map (map_slopes f) (map (@term T) gs') = map (map_slopes f) (map (@term T) gs).
Proof.
elim: gs gs' a x => [|g gs IH] [|g' gs'] // a x /= /andP[/andP[ht hs] hg].
case: a x => [|t a] [|y x] //=.
  by move=> _; have [_ ->] := IH _ [::] [::] hg erefl; rewrite (read_same_slopes hs).
case=> e1 e2; have [-> ->] := IH _ _ _ hg e2; rewrite (read_same_slopes hs); split=> //; congr (_ :: _).
move: ht; rewrite read_same fM => /eqP ht; rewrite fD fN !fM e1 -ht /=; ring.
Qed.

(* What is computed at a point, and what it stands for. *)
Fixpoint rel (values : seq (seq T)) (vs : seq (seq R)) : Prop :=
  match values, vs with
  | row :: values', z :: vs' => (exists2 c, 0 < c & map f row = times c z) /\ rel values' vs'
  | [::], [::] => True
  | _, _ => False
  end.

Definition stretched (sl : seq (T * layer T)) : R := foldr (fun p q => f p.1 * q) 1 sl.

Lemma read_evaluate gs gs' ss ss' ls sl bits z c e x :
  all2 (check_layer N) ls sl ->
  all2 (fun g g' => same N (product N e (target g)) (target g') && same_slopes N (term g) (term g')) gs gs' ->
  0 < f c -> 0 < f e -> map (map_slopes f) ss' = map (map_slopes f) ss -> map f z = times (f c) x ->
  let G := map (map_goal f) gs in let S := map (map_slopes f) ss in let L := map (map (map_neuron f)) ls in
  rel (evaluate N gs' ss' sl bits z c e).1 (pieces G S L bits x) /\
  f (evaluate N gs' ss' sl bits z c e).2 = f c * stretched sl * f e * piece_cost G S L bits x.
Proof.
move=> + hg; elim: ls sl ss ss' bits z c x => [|l ls IH] [|p sl] //= ss ss' bits z c x.
  move=> _ c0 e0 eS ez; have ea := read_sides (head [::] bits) ss' ez; rewrite eS in ea.
  have [er et] := read_residuals_at hg ea.
  split; first by split; [exists (f c) | split=> //; exists (f c * f e); rewrite ?mulr_gt0].
  rewrite read_total (read_sides _ _ er) et total_times terms_map; congr (_ * _); ring.
case/andP=> /andP[hp hl] hls c0 e0 eS ez; rewrite read_positive in hp.
have ea := read_sides (head [::] bits) ss' ez; rewrite eS in ea.
have [ez' eS'] := read_preactivations_at hl ea.
have cp : f c * f p.1 = f (product N c p.1) by rewrite fM.
rewrite cp in ez'; have c0' : 0 < f (product N c p.1) by rewrite fM mulr_gt0.
have := IH sl _ _ (behead bits) _ _ _ hls c0' e0 eS' ez'; rewrite activations_map.
case: evaluate => vs cost /= [h1 ->]; split; first by split=> //; exists (f c).
by rewrite fM; ring.
Qed.

Lemma read_obeys bs ss z c x : 0 < c -> map f z = times c x ->
  obeys_of N bs ss z = obeys bs (map (map_slopes f) ss) x.
Proof.
move=> c0; elim: ss bs z x => [|s ss IH] bs [|t z] [|y x] //= [e1 /IH ->].
by rewrite read_bent read_signed e1 /signed pmulr_rge0 // pmulr_rle0.
Qed.

Lemma read_obeys_all bits sss values vs : rel values vs ->
  obeys_all_of N bits sss values = obeys_all bits (map (map (map_slopes f)) sss) vs.
Proof.
elim: sss bits values vs => [|ss sss IH] bits [|row values] [|z vs] //= [[c c0 e] h].
by rewrite (read_obeys _ _ c0 e) (IH _ _ _ h).
Qed.

Fixpoint rels (valuess : seq (seq (seq T))) (vss : seq (seq (seq R))) : Prop :=
  match valuess, vss with
  | values :: rest, vs :: rest' => rel values vs /\ rels rest rest'
  | [::], [::] => True
  | _, _ => False
  end.

Lemma rels_zero valuess vss k : rels valuess vss ->
  zero_of N valuess k = (nth 0 (nth [::] (nth [::] vss k.1.1) k.1.2) k.2 == 0).
Proof.
case: k => [[i d] j]; rewrite /zero_of /value_of read_is_zero /=.
have nil : (f (nth (zero N) [::] j) == 0) = (nth 0 ([::] : seq R) j == 0) by rewrite !nth_nil f0 !eqxx.
have row_zero row z c : 0 < c -> map f row = times c z -> (f (nth (zero N) row j) == 0) = (nth 0 z j == 0).
  move=> c0 e; have -> : f (nth (zero N) row j) = c * nth 0 z j.
    by rewrite -nth_times -e; move: row {e} j {nil}; elim=> [|t row IHr] [|j] //=; rewrite ?f0.
  by rewrite mulf_eq0 gt_eqF.
have rel_zero values vs : rel values vs ->
    (f (nth (zero N) (nth [::] values d) j) == 0) = (nth 0 (nth [::] vs d) j == 0).
  elim: values vs d => [|row values IH] [|z vs] [|d] //= [[c c0 e] h]; [exact: row_zero e | exact: IH].
elim: valuess vss i => [|values rest IH] [|vs rest'] [|i] //=.
- by move=> _; rewrite !nth_nil f0 eqxx.
- by move=> _; rewrite !nth_nil f0 eqxx.
- by case=> /rel_zero.
- by case=> _ /IH.
Qed.

Local Arguments all_slopes_of : simpl never.
Local Arguments all_slopes : simpl never.
Local Arguments obeys_all_of : simpl never.
Local Arguments obeys_all : simpl never.

Section Problem.
Variable P : problem T.
Let PR := map_problem f P.

Lemma slopes_map s : map (map (map_slopes f)) (all_slopes_of P s) = all_slopes PR (map_sample f s).
Proof.
rewrite /all_slopes_of /all_slopes /= map_rcons -terms_map; congr (_ :: rcons _ _).
by rewrite -!map_comp; apply: eq_map => l /=; rewrite activations_map.
Qed.

Lemma read_is_kink k : is_kink_of N P k = is_kink PR k.
Proof.
case: k => [[i d] j]; rewrite /is_kink_of /is_kink read_bent /=; congr bent.
rewrite -map_comp; elim: (samples P) i => [|s ss IH] [|i] //=; try by rewrite !nth_nil /map_slopes /= f0.
rewrite -slopes_map; elim: (all_slopes_of P s) d {IH} => [|sl sls IH] [|d] //=.
- by rewrite !nth_nil /map_slopes /= f0.
- by rewrite !nth_nil /map_slopes /= f0.
by elim: sl j {IH} => [|t sl IH] [|j] //=; rewrite ?nth_nil /map_slopes /= ?f0.
Qed.

Definition at_ (num : seq (seq T)) (den : T) : seq (seq R) := [seq [seq f x / f den | x <- row] | row <- num].

Lemma read_point num den v s : 0 < f den -> multiple N (spread v) (feature_of N P s) (vector v) ->
  map f (dots_of N num (vector v))
  = times (f (product N den (spread v))) [seq dot row (feature PR (map_sample f s)) | row <- at_ num den].
Proof.
move=> d0 hv; rewrite /dots_of /times /at_ -!map_comp; apply: eq_map => row /=.
rewrite (read_dot reads) (read_multiple hv) (read_feature reads) fM -dot_times; congr dot.
by rewrite /times -map_comp; apply: eq_map => x /=; rewrite mulrC divfK // gt_eqF.
Qed.

Variable pl : plan T.
Hypothesis plan_ok : check_plan N P pl.

Lemma read_evaluate_all num den ss vs bitss values sum : positive N den ->
  all2 (check_view N P (common pl)) ss vs ->
  evaluate_all N P pl num den ss vs bitss = Some (values, sum) ->
  let S := map (map_sample f) ss in
  let tab := [seq pieces (goals p.1) (trained PR) (after PR) p.2 [seq dot row (feature PR p.1) | row <- at_ num den]
     | p <- zip S bitss] in
  [/\ size bitss = size S,
      all (fun p => obeys_all p.1.2 (all_slopes PR p.1.1) p.2) (zip (zip S bitss) tab),
      rels values tab
    & f sum = f (common pl) * f den * stretched (scaled pl)
        * \sum_(s <- S) cost (goals s) (trained PR) (after PR) [seq dot row (feature PR s) | row <- at_ num den]].
Proof.
rewrite read_positive => d0; have [hl _ _] := and3P plan_ok.
elim: ss vs bitss values sum => [|s ss IH] [|v vs] [|bits bitss] values sum //=.
  by move=> _ [<- <-]; split; rewrite ?big_nil ?mulr0.
case/andP=> /and5P[hD hx he hg hk] hvs; rewrite !read_positive in hD he.
have c0 : 0 < f (product N den (spread v)) by rewrite fM mulr_gt0.
have ez := read_point num d0 hx.
have [] := @read_evaluate (goals s) (marks v) (trained P) (trained P) (after P) (scaled pl) bits _ _ _ _
  hl hg c0 he erefl ez.
case: evaluate => row cost0 /= h1 h2; rewrite (read_obeys_all _ _ h1) slopes_map.
case: ifP => // ob; case E: evaluate_all => [[rest sum']|] // [<- <-].
have [h6 h3 h4 h5] := IH _ _ _ _ hvs E; split=> //; first by rewrite h6.
rewrite big_cons fD fM h2 h5; move: (\sum_(_ <- _) _) => X; set C := piece_cost _ _ _ _ _.
rewrite (_ : cost _ _ _ _ = C); last exact: cost_piece ob.
by move: hk; rewrite read_same !fM => /eqP <-; ring.
Qed.

Lemma read_arrive c num den values sum : arrive N P pl c num den = Some (values, sum) ->
  [/\ 0 < f den, in_cell PR c (at_ num den), rels values (table PR c (at_ num den))
    & f sum = f (common pl) * f den * stretched (scaled pl) * loss PR (at_ num den)].
Proof.
rewrite /arrive; case: ifP => // d0; have [_ hv _] := and3P plan_ok.
move=> h; have [h1 h2 h3 h4] := read_evaluate_all d0 hv h; rewrite read_positive in d0.
by split=> //; rewrite /in_cell h1 eqxx.
Qed.

Lemma stretched_gt0 : 0 < f (common pl) * stretched (scaled pl).
Proof.
have [hl _ hk] := and3P plan_ok; rewrite read_positive in hk; apply: mulr_gt0 => //.
elim: (after P) (scaled pl) hl => [|l ls IH] [|p sl] //=; first by rewrite ltr01.
by case/andP=> /andP[hp _] /IH h; rewrite mulr_gt0 // -read_positive.
Qed.

Lemma rels_zeros values vss ks : rels values vss ->
  all (zero_of N values) ks = all (fun k => nth 0 (nth [::] (nth [::] vss k.1.1) k.1.2) k.2 == 0) ks.
Proof. by move=> h; apply: eq_all => k; exact: rels_zero h. Qed.

(* Patterns that differ only where the kinks' functions are 0 at a point have the same functions there. *)
Lemma table_flip (c c' : pattern) (theta : seq (seq R)) : size c = size (samples P) -> size c' = size (samples P) ->
  (forall k, (k.1.2 <= size (after P))%N -> bit c k != bit c' k -> piece PR c' theta k = 0) ->
  table PR c theta = table PR c' theta.
Proof.
rewrite /table /piece /table /= -!(size_map (map_sample f) (samples P)).
elim: (map (map_sample f) _) c c' => [|s ss IH] [|bits c] [|bits' c'] //= [e1] [e2] h.
congr (_ :: _); last by apply: IH => // -[[i d] j] hd hb; exact: (h (i.+1, d, j)).
apply: pieces_flip => d j hd hb; rewrite size_map in hd; exact: (h (0%N, d, j)).
Qed.

Lemma alter_nth A (g : A -> A) n m (s : seq A) x0 : m != n -> nth x0 (alter g n s) m = nth x0 s m.
Proof. by elim: s n m => [|x s IH] [|n] [|m] //= h; exact: IH. Qed.

Lemma size_alter A (g : A -> A) n (s : seq A) : size (alter g n s) = size s.
Proof. by elim: s n => [|x s IH] [|n] //=; rewrite IH. Qed.

Lemma alter_nth_same A (g : A -> A) n (s : seq A) x0 : (n < size s)%N -> nth x0 (alter g n s) n = g (nth x0 s n).
Proof. by elim: s n => [|x s IH] [|n] //= h; exact: IH. Qed.

Lemma alter_default A (g : A -> A) n (s : seq A) : (size s <= n)%N -> alter g n s = s.
Proof. by elim: s n => [|x s IH] [|n] //= h; rewrite IH. Qed.

Lemma bit_flip c k k' : bit (flip c k) k' != bit c k' -> k' = k.
Proof.
case: k k' => [[i d] j] [[i' d'] j']; rewrite /bit /flip /=.
have [->|ne] := eqVneq i' i; last by rewrite alter_nth // eqxx.
have [hi|hi] := ltnP i (size c); last by rewrite (alter_default _ hi) eqxx.
rewrite alter_nth_same //; set r := nth [::] c i.
have [->|ne] := eqVneq d' d; last by rewrite alter_nth // eqxx.
have [hd|hd] := ltnP d (size r); last by rewrite (alter_default _ hd) eqxx.
rewrite alter_nth_same //.
by have [->|ne] := eqVneq j' j; last by rewrite alter_nth // eqxx.
Qed.

Lemma bit_flips c ks k : bit (foldl flip c ks) k != bit c k -> k \in ks.
Proof.
elim: ks c => [|k0 ks IH] c /=; first by rewrite eqxx.
rewrite inE; have [h|ne] := eqVneq (bit (flip c k0) k) (bit c k).
  by rewrite -h => /IH ->; rewrite orbT.
by rewrite (bit_flip ne) eqxx.
Qed.

Lemma size_flips c ks : size (foldl flip c ks) = size c.
Proof. by elim: ks c => //= k ks IH c; rewrite IH size_alter. Qed.

Lemma obeys_flip bs bs' ss (z : seq R) : (forall j, nth true bs j != nth true bs' j -> nth 0 z j = 0) ->
  obeys bs ss z -> obeys bs' ss z.
Proof.
elim: ss bs bs' z => [|s ss IH] bs bs' [|t z] //= h /andP[h1 h2].
rewrite (IH _ _ _ _ h2) ?andbT; last by move=> j; move: (h j.+1); rewrite -!nth_behead.
move: h1 (h 0%N); rewrite -!nth0 /=; case: eqP => [-> //|_ _ ->] //.
by rewrite /signed lexx; case: (nth _ _ _); rewrite implybT.
Qed.

Lemma obeys_all_flip bits bits' sss (vs : seq (seq R)) :
  (forall d j, nth true (nth [::] bits d) j != nth true (nth [::] bits' d) j -> nth 0 (nth [::] vs d) j = 0) ->
  obeys_all bits sss vs -> obeys_all bits' sss vs.
Proof.
elim: sss bits bits' vs => [|ss sss IH] bits bits' [|z vs] // h /andP[h1 h2]; apply/andP; split.
  by apply: obeys_flip h1 => j; rewrite -!nth0; exact: (h 0%N).
by apply: IH h2 => d j; move: (h d.+1 j); rewrite -!nth_behead.
Qed.

Lemma in_cell_flip (c c' : pattern) (theta : seq (seq R)) : size c' = size c ->
  table PR c' theta = table PR c theta -> (forall k, bit c k != bit c' k -> piece PR c theta k = 0) ->
  in_cell PR c theta -> in_cell PR c' theta.
Proof.
move=> e et h /andP[/eqP sc]; rewrite /in_cell e sc eqxx et /=; move: h; rewrite /piece.
move: (table PR c theta) => tab {et}; move: sc => _; move: (map _ (samples P)) => S.
elim: S c c' tab e => [|s S IH] [|b c] [|b' c'] [|vs tab] //= [e] h /andP[h1 h2]; apply/andP; split.
  by apply: obeys_all_flip h1 => d j; exact: (h (0%N, d, j)).
by apply: IH h2 => // -[[i d] j]; exact: (h (i.+1, d, j)).
Qed.

(* Normals. *)
Lemma size_sides_of bs ss z : size (sides_of N bs ss z) = minn (size ss) (size z).
Proof. by elim: ss bs z => [|s ss IH] bs [|t z] //=; rewrite ?minn0 ?min0n // IH minnSS. Qed.

Lemma size_unit_row n j : size (unit_row N n j) = n.
Proof. by elim: n j => [|n IH] [|j] //=; rewrite ?size_nseq ?IH. Qed.

Lemma dot_unit_row n j (z : seq R) : size z = n -> dot (map f (unit_row N n j)) z = nth 0 z j.
Proof.
elim: n j z => [|n IH] j [|t z] //=; first by rewrite nth_nil.
case=> e; case: j => [|j] /=; first by rewrite f1 mul1r (dot_zeros reads) addr0.
by rewrite f0 mul0r add0r IH.
Qed.

Lemma dot_sides bs ss y (z : seq R) :
  dot (map f (sides_of N bs ss y)) z = dot (map f y) (sides bs (map (map_slopes f) ss) z).
Proof.
elim: ss bs y z => [|s ss IH] bs [|t y] [|x z] //=.
by rewrite IH fM /side; congr (_ + _); case: (head true bs) => /=; ring.
Qed.

Lemma normal_sound gs ss ls bits d j v : normal N gs ss ls bits d j = Some v -> size v = size ss /\
  exists c, forall z : seq R, size z = size ss ->
    nth 0 (nth [::] (pieces (map (map_goal f) gs) (map (map_slopes f) ss) (map (map (map_neuron f)) ls) bits z) d) j
    = dot (map f v) z + c.
Proof.
elim: ls ss bits d v => [|l ls IH] ss bits [|d] v /=.
- by case=> <-; rewrite size_unit_row; split=> //; exists 0 => z e; rewrite addr0 dot_unit_row.
- case: ifP => // /andP[/eqP -> /eqP sg] [<-]; rewrite size_sides_of size_unit_row minnn; split=> //.
  exists (- nth 0 (map (@target R) (map (map_goal f) gs)) j) => z e.
  have sa : size (sides (head [::] bits) [seq map_slopes f i | i <- ss] z) = size ss.
    by rewrite size_sides size_map e minnn.
  by rewrite /= dot_sides dot_unit_row // nth_residuals // size_map sa.
- by case=> <-; rewrite size_unit_row; split=> //; exists 0 => z e; rewrite addr0 dot_unit_row.
case: ifP => // sizes; case E: normal => [w|] // [<-].
have [sw [c hc]] := IH _ _ _ _ E; have [sg [c' hc']] := gather_dot reads w sizes.
rewrite size_sides_of sg minnn; split=> //; exists (c - c') => z e.
have sa : size (sides (head [::] bits) [seq map_slopes f i | i <- ss] z) = size ss.
  by rewrite size_sides size_map e minnn.
rewrite activations_map hc ?size_map // dot_sides hc' //; ring.
Qed.

Lemma nth_ohead (A B : Type) (F : A -> B) (ps : seq A) i p x0 : ohead (drop i ps) = Some p -> nth x0 (map F ps) i = F p.
Proof. by elim: ps i => [|q ps IH] [|i] //=; [case=> -> | exact: IH]. Qed.

Lemma normal_at_sound c m k v x : normal_at N P c m k = Some (v, x) -> [/\ size x = m, size v = size (trained P)
  & exists C, forall theta : seq (seq R), size theta = size (trained P) ->
      piece PR c theta k = dot (map f v) [seq dot row (map f x) | row <- theta] + C].
Proof.
rewrite /normal_at; case: k => [[i d] j]; case E: ohead => [[s bits]|] //.
case: eqP => // sx; case E2: normal => [w|] // [<- <-].
have [sw [C hC]] := normal_sound E2; split=> //; exists C => theta st.
rewrite -hC ?size_map // /piece /table /=; congr (nth 0 (nth [::] _ d) j).
rewrite (_ : zip _ c = map (fun p => (map_sample f p.1, p.2)) (zip (samples P) c)); last first.
  by elim: (samples P) c {E} => [|s0 ss IH] [|b c] //=; rewrite IH.
by rewrite -map_comp (nth_ohead _ _ E) /= (read_feature reads).
Qed.

Lemma dot_zero_right (x y : seq R) : all (fun t => t == 0) y -> dot x y = 0.
Proof. by elim: x y => [|a x IH] [|b y] //= /andP[/eqP -> /IH ->]; rewrite mulr0 addr0. Qed.

Lemma read_scaled x v : map f [seq product N x t | t <- v] = times (f x) (map f v).
Proof. by rewrite /times -!map_comp; apply: eq_map => t /=; rewrite fM. Qed.

Lemma dot_times_left c (x y : seq R) : dot (times c x) y = c * dot x y.
Proof. by elim: x y => [|a x IH] [|b y] //=; rewrite ?mulr0 // IH; ring. Qed.

Lemma combine_sound c m ks xs rows : combine N P c (size (trained P)) m ks xs = Some rows ->
  [/\ size rows = size (trained P), fits m rows
  & exists C, forall theta : seq (seq R), size theta = size (trained P) -> fits m theta ->
      frob (map (map f) rows) theta = dot (map f xs) [seq piece PR c theta k | k <- ks] + C].
Proof.
elim: ks xs rows => [|k ks IH] [|x xs] rows //=.
  case=> <-; split; first by rewrite size_nseq.
    by rewrite /fits; elim: (size _) => //= n ->; rewrite size_nseq eqxx.
  exists 0 => theta _ _; rewrite addr0; elim: (size _) theta => [|n IH] [|row theta] //=.
  by rewrite (dot_zeros reads) add0r IH.
case E: normal_at => [[v g]|] //; case E2: combine => [rows'|] // [<-].
have [sx sv [C hC]] := normal_at_sound E; have [sr fr [C' hC']] := IH _ _ E2.
have sm : size [seq product N x t | t <- v] = size rows' by rewrite size_map sv sr.
have [sa fa] := add_outer_fits N sx sm fr; split=> //; first by rewrite sa.
exists (C' - f x * C) => theta st ft.
rewrite (frob_outer reads sx sm) ?sr // hC' // read_scaled dot_times_left hC //; ring.
Qed.

Lemma is_zero_row_dot bs row (y z : seq R) : size y = size z -> keeps_row bs y z -> is_zero_row N bs row ->
  dot (map f row) z = dot (map f row) y.
Proof.
elim: row bs y z => [|x row IH] bs [|a y] [|b z] //= [e] /andP[h1 h2] /andP[h3 h4]; rewrite (IH _ _ _ e h2 h4).
case: (head true bs) h1 h3 => /= [_|/eqP -> //]; rewrite read_is_zero => /eqP ->; by rewrite !mul0r.
Qed.

Lemma is_unit_dot bs j row (y z : seq R) : size y = size z -> size row = size z -> keeps_row bs y z -> nth true bs j ->
  is_unit N bs j row -> dot (map f row) z - dot (map f row) y = nth 0 z j - nth 0 y j.
Proof.
elim: row bs j y z => [|x row IH] bs [|j] [|a y] [|b z] //= [e1] [e2] /andP[h1 h2].
  by move=> _ /andP[]; rewrite read_same f1 => /eqP -> h; rewrite (is_zero_row_dot e1 h2 h); ring.
rewrite -nth_behead => hj /andP[h3 /(IH _ _ _ _ e1 e2 h2 hj) <-].
have -> : f x * b = f x * a; last by ring.
by case: (head true bs) h1 h3 => /= [_|/eqP -> //]; rewrite read_is_zero => /eqP ->; rewrite !mul0r.
Qed.

Lemma is_zero_rows_frob m free rows (u theta : seq (seq R)) : size theta = size u -> fits m u -> fits m theta ->
  keeps free u theta -> is_zero_rows N free rows -> frob (map (map f) rows) theta = frob (map (map f) rows) u.
Proof.
elim: rows free u theta => [|row rows IH] free [|x u] [|y theta] //= [e] /andP[/eqP s1 f2] /andP[/eqP s2 f3].
case/andP=> h1 h2 /andP[h3 h4]; rewrite (IH _ _ _ e f2 f3 h2 h4); congr (_ + _).
by apply: is_zero_row_dot h1 h3; rewrite s1 s2.
Qed.

Lemma is_unit_rows_frob m free r j rows (u theta : seq (seq R)) : size theta = size u -> size rows = size u ->
  fits m rows -> fits m u -> fits m theta -> keeps free u theta -> nth true (nth [::] free r) j ->
  is_unit_rows N free r j rows ->
  frob (map (map f) rows) theta - frob (map (map f) rows) u = nth 0 (nth [::] theta r) j - nth 0 (nth [::] u r) j.
Proof.
elim: rows free r u theta => [|row rows IH] free [|r] [|x u] [|y theta] //= [e1] [e2].
all: move=> /andP[/eqP s1 g1] /andP[/eqP s2 g2] /andP[/eqP s3 g3] /andP[h1 h2].
  rewrite nth0 => hj /andP[h3 h4]; rewrite (is_zero_rows_frob e1 g2 g3 h2 h4).
  have := is_unit_dot _ _ h1 hj h3; rewrite s1 s2 s3 => /(_ erefl erefl) <-; ring.
rewrite -nth_behead => hj /andP[h3 h4]; have := IH _ _ _ _ e1 e2 g1 g2 g3 h2 hj h4 => <-.
have e : size x = size y by rewrite s2 s3.
by rewrite (is_zero_row_dot e h1 h3); ring.
Qed.

Lemma keeps_nth free (u theta : seq (seq R)) r j : keeps free u theta -> shape theta = shape u ->
  ~~ nth true (nth [::] free r) j -> nth 0 (nth [::] theta r) j = nth 0 (nth [::] u r) j.
Proof.
have row bs x y k : size y = size x -> keeps_row bs x y -> ~~ nth true bs k -> nth 0 y k = nth 0 x k.
  elim: x bs y k => [|a x IH] bs [|b y] [|k] //= [e] /andP[h1 h2].
    by rewrite nth0 => /negbTE hb; move: h1; rewrite hb => /eqP.
  by rewrite -nth_behead; exact: IH.
elim: u free theta r => [|x u IH] free [|y theta] [|r] //= /andP[h1 h2] [e1 s1]; first by rewrite nth0; exact: row.
by rewrite -nth_behead; exact: IH.
Qed.

Lemma fits_shape m (theta u : seq (seq R)) : shape theta = shape u -> size theta = size u /\ fits m theta = fits m u.
Proof.
move=> e; split; first by rewrite -[LHS](size_map size) -/(shape _) e size_map.
have fits_all (v : seq (seq R)) : fits m v = all (fun n => n == m) (shape v) by rewrite /fits /shape all_map.
by rewrite !fits_all e.
Qed.

Lemma inverse_sound free c m ks inv (u : seq (seq R)) : size u = size (trained P) -> fits m u ->
  is_inverse N P free c (size (trained P)) m ks inv ->
  all (fun k => piece PR c u k == 0) ks ->
  forall theta, shape theta = shape u -> keeps free u theta -> all (fun k => piece PR c theta k == 0) ks -> theta = u.
Proof.
move=> su fu inv_ok zero_u theta e kept zero_t; have [st ft] := fits_shape m e; rewrite fu in ft; rewrite su in st.
have entries r j : (r < size (trained P))%N -> (j < m)%N -> nth 0 (nth [::] theta r) j = nth 0 (nth [::] u r) j.
  move=> hr hj; have [hf|hf] := boolP (nth true (nth [::] free r) j); last exact: keeps_nth kept e hf.
  have := allP inv_ok r; rewrite mem_iota /= add0n => /(_ hr)/allP /(_ j).
  rewrite mem_iota /= add0n hf => /(_ hj); case E: combine => [rows|] // unit.
  have [sr fr [C hC]] := combine_sound E.
  have at_zero v : size v = size (trained P) -> fits m v -> all (fun k => piece PR c v k == 0) ks ->
      frob (map (map f) rows) v = C.
    by move=> sv fv zero; rewrite hC // dot_zero_right ?add0r // all_map.
  have sz : size theta = size u by rewrite st su.
  have srs : size rows = size u by rewrite sr su.
  apply: subr0_eq; rewrite -(is_unit_rows_frob sz srs fr fu ft kept hf unit) !at_zero ?subrr //.
apply: (@eq_from_nth _ [::]); first by rewrite st su.
move=> r; rewrite st => hr; have row (v : seq (seq R)) : size v = size (trained P) -> fits m v -> size (nth [::] v r) = m.
  by move=> sv fv; apply/eqP; apply: (allP fv); apply: mem_nth; rewrite sv.
apply: (@eq_from_nth _ 0); first by rewrite !row.
by move=> j; rewrite row // => hj; exact: entries.
Qed.

(* States, with a mask of free parameters. *)
Variable free : seq (seq bool).

Definition point (st : state T) : seq (seq R) := at_ (numerators st) (denominator st).

Record sound (st : state T) : Prop := Sound {
  sound_plan : check_plan N P pl;
  sound_positive : 0 < f (denominator st);
  sound_shape : has_shape P (numerators st);
  sound_vertex : vertex PR free (cell st) (basis st) (point st);
  sound_values : rels (values_there st) (table PR (cell st) (point st));
  sound_loss : f (loss_there st) = f (common pl) * f (denominator st) * stretched (scaled pl) * loss PR (point st)}.

Lemma at_shape num den : has_shape P num ->
  [/\ size (at_ num den) = size (trained P), fits (size (head [::] num)) (at_ num den)
  & shape (at_ num den) = shape num].
Proof.
case/andP=> /eqP sn; move: (size (head _ _)) => m fn; split.
- by rewrite size_map.
- by rewrite /fits all_map; apply: sub_all fn => row /=; rewrite size_map.
by rewrite /shape -map_comp; apply: eq_map => row /=; rewrite size_map.
Qed.

Lemma same_shape num den num' den' : has_shape P num -> has_shape P num' ->
  size (head [::] num') = size (head [::] num) -> shape (at_ num' den') = shape (at_ num den).
Proof.
move=> /andP[/eqP s1 h1] /andP[/eqP s2 h2] e; rewrite e in h2; rewrite /shape -!map_comp.
have flat (rows : seq (seq T)) m d : all (fun row => size row == m) rows ->
    [seq (size \o map (fun x => f x / f d)) row | row <- rows] = nseq (size rows) m.
  by elim: rows => //= row rows IH /andP[/eqP sr /IH ->]; rewrite size_map sr.
by rewrite (flat _ _ _ h1) (flat _ _ _ h2) s1 s2.
Qed.

Lemma kinks_ok ks : all (is_kink_of N P) ks = all (is_kink PR) ks.
Proof. by apply: eq_all => k; exact: read_is_kink. Qed.

Lemma read_keeps u d v e : 0 < f d -> 0 < f e -> keeps_of N free u d v e = keeps free (at_ u d) (at_ v e).
Proof.
move=> d0 e0; elim: u free v => [|x u IH] fr [|y v] //=; rewrite IH; congr (_ && _).
elim: x (head [::] fr) y => [|a x IHx] bs [|b y] //=; rewrite IHx; congr ((_ || _) && _).
by rewrite read_same !fM eqr_div ?lt0r_neq0.
Qed.

Theorem first_vertex_sound c ks num den inv st : first_vertex N P pl free c ks num den inv = Some st -> sound st.
Proof.
rewrite /first_vertex; case: ifP => // /and5P[hp hs /eqP hk kinks hi].
case E: arrive => [[values cost]|] //; case: ifP => // zeros [<-].
have [d0 inside relv hl] := read_arrive E; have [s1 s2 s3] := at_shape den hs.
rewrite (rels_zeros _ relv) in zeros; split=> //=; split=> //; first by rewrite /point /= s3.
  by rewrite -kinks_ok.
move: hi; have -> : size num = size (trained P) by case/andP: hs => /eqP.
by move=> hi; exact: inverse_sound s1 s2 hi zeros.
Qed.

Lemma rcons_all (p : pred kink) ks k : all p (rcons ks k) = all p ks && p k.
Proof. by rewrite all_rcons andbC. Qed.

(* Flips of kinks that vanish at a point: it lies in the new cell too, where all functions have the same values at it. *)
Lemma flips_here c u ks : in_cell PR c u -> all (fun k => piece PR c u k == 0) ks ->
  table PR (foldl flip c ks) u = table PR c u /\ in_cell PR (foldl flip c ks) u.
Proof.
move=> inside zeros; have size0 : size c = size (samples P) by case/andP: inside => /eqP ->; rewrite size_map.
have same : table PR (foldl flip c ks) u = table PR c u.
  apply: table_flip; rewrite ?size_flips // => k _ hb.
  by apply/eqP; apply: (allP zeros); exact: bit_flips hb.
split=> //; apply: in_cell_flip inside; rewrite ?size_flips // => k hb.
by apply/eqP; apply: (allP zeros); apply: bit_flips; rewrite eq_sym; exact: hb.
Qed.

Section State.
Variable st : state T.
Hypothesis st_ok : sound st.
Let u := point st.
Let c0 := cell st.

Lemma here_zeros ks : all (zero_of N (values_there st)) ks = all (fun k => piece PR c0 u k == 0) ks.
Proof. exact: rels_zeros (sound_values st_ok). Qed.

Lemma within_free ks flipped : (forall k, k \in flipped -> (k \in ks) || ~~ deep P k) ->
  size c0 = size (samples P) -> forall theta, all (fun k => piece PR (foldl flip c0 flipped) theta k == 0) ks ->
  table PR c0 theta = table PR (foldl flip c0 flipped) theta.
Proof.
move=> within size0 theta zt; apply: table_flip; rewrite ?size_flips // => k hd hb.
have /within : k \in flipped by apply: bit_flips; rewrite eq_sym; exact: hb.
by rewrite /deep hd orbF => hk; apply/eqP; exact: (allP zt).
Qed.

Theorem turn_sound flipped another inv : all (zero_of N (values_there st)) flipped ->
  all (zero_of N (values_there st)) (odflt (basis st) another) -> is_turn N P free st flipped another inv ->
  vertex PR free (foldl flip c0 flipped) (odflt (basis st) another) u.
Proof.
rewrite !here_zeros => zf zo; case: (sound_vertex st_ok) => inside sb kb zb only.
have [same inside'] := flips_here inside zf.
have zo' : all (fun k => piece PR (foldl flip c0 flipped) u k == 0) (odflt (basis st) another).
  by apply: sub_all zo => k; rewrite /piece same.
have [t1 t2 t3] := at_shape (denominator st) (sound_shape st_ok).
rewrite /is_turn; case: inv => [inv|] /=.
  case/and3P=> /eqP so ko; have -> : size (numerators st) = size (trained P).
    by case/andP: (sound_shape st_ok) => /eqP.
  move=> hi; split=> //; [by rewrite so | by rewrite -kinks_ok | exact: inverse_sound t1 t2 hi zo'].
case: another zo zo' => [//|] zo zo' within /=; split=> //.
move=> theta e kept zt; apply: only => //; have size0 : size c0 = size (samples P).
  by case/andP: inside => /eqP ->; rewrite size_map.
have same_table := within_free (allP within) size0 zt.
by apply: sub_all zt => k; rewrite /piece same_table.
Qed.

(* The gradient of the loss in a cell. *)
Lemma pull_piece_sound gs ss ls bits v : pull_piece N gs ss ls bits = Some v -> size v = size ss /\
  exists C, forall z : seq R, size z = size ss ->
    piece_cost (map (map_goal f) gs) (map (map_slopes f) ss) (map (map (map_neuron f)) ls) bits z = dot (map f v) z + C.
Proof.
elim: ls ss bits v => [|l ls IH] ss bits v /=.
  case: eqP => // sg [<-]; rewrite !size_sides_of size_nseq size_map sg !minnn; split=> //.
  set ts := map (@term T) gs; set bs := head [::] (behead bits).
  exists (- dot (map f (sides_of N bs ts (nseq (size ss) (one N)))) (map (@target R) (map (map_goal f) gs))) => z e.
  rewrite dot_sides; set a := sides (head [::] bits) _ z.
  have sa : size a = size ss by rewrite size_sides size_map e minnn.
  have sts : size ts = size ss by rewrite size_map.
  rewrite terms_map -/ts -residuals_dot ?size_map ?sa // dot_sides map_nseq f1.
  set r := residuals _ _; have sr : size r = size ss by rewrite size_residuals size_map sa sg minnn.
  have : size (sides bs (map (map_slopes f) ts) r) = size ss by rewrite size_sides size_map sts sr minnn.
  move: (sides bs _ r) => q; elim: (size ss) q => [|n IHn] [|t q] //= [/IHn <-]; by rewrite mul1r.
case: ifP => // sizes; case E: pull_piece => [w|] // [<-].
have [sw [C hC]] := IH _ _ _ E; have [sg [c' hc']] := gather_dot reads w sizes.
rewrite size_sides_of sg minnn; split=> //; exists (C - c') => z e.
have sa : size (sides (head [::] bits) [seq map_slopes f i | i <- ss] z) = size ss.
  by rewrite size_sides size_map e minnn.
rewrite activations_map hC ?size_map // dot_sides hc' //; ring.
Qed.

Lemma gradient_sound c m rows : gradient N P (size (trained P)) m (samples P) c = Some rows ->
  [/\ size rows = size (trained P), fits m rows
  & exists C, forall theta : seq (seq R), size theta = size (trained P) -> fits m theta ->
      piece_loss PR c theta = frob (map (map f) rows) theta + C].
Proof.
rewrite /piece_loss /=; elim: (samples P) c rows => [|s ss IH] [|bits c] rows /=.
1,2,3: case=> <-; split; [by rewrite size_nseq | |].
1,3,5: by rewrite /fits; elim: (size _) => //= n ->; rewrite size_nseq eqxx.
1,2,3: exists 0 => theta _ _; rewrite big_nil addr0; elim: (size _) theta => [|n IHn] [|row theta] //=.
1,2,3: by rewrite (dot_zeros reads) add0r -IHn.
case: eqP => // sx; case E: pull_piece => [v|] //; case E2: gradient => [rows'|] // [<-].
have [sv [C hC]] := pull_piece_sound E; have [sr fr [C' hC']] := IH _ _ E2.
have [sa fa] : size (add_outer N v (feature_of N P s) rows') = size rows' /\ fits m (add_outer N v (feature_of N P s) rows').
  by apply: add_outer_fits; rewrite ?sv ?sr.
split=> //; first by rewrite sa.
exists (C + C') => theta st_ ft; rewrite big_cons /= hC' // hC ?size_map //.
by rewrite (frob_outer reads sx) ?sv ?sr // (read_feature reads) addrACA.
Qed.

Lemma frob_minus m rows rows' (theta : seq (seq R)) : size rows' = size rows -> size theta = size rows ->
  fits m rows -> fits m rows' -> fits m theta ->
  frob (map (map f) (minus_rows N rows rows')) theta = frob (map (map f) rows) theta - frob (map (map f) rows') theta.
Proof.
elim: rows rows' theta => [|x rows IH] [|y rows'] [|z theta] //=; first by rewrite subr0.
case=> e1 [e2] /andP[/eqP s1 f1'] /andP[/eqP s2 f2'] /andP[/eqP s3 f3']; rewrite IH //.
by rewrite (read_axpy reads) ?s1 ?s2 ?s3 // fN f1; ring.
Qed.

Lemma no_edge_falls_sound c ks xs : no_edge_falls N P free c (size (trained P)) (size (head [::] (numerators st))) ks xs ->
  all (fun k => piece PR c u k == 0) ks -> no_falling_edge PR free c ks u.
Proof.
set m := size (head _ _); rewrite /no_edge_falls; case E1: gradient => [rows|] //; case E2: combine => [rows'|] //.
case/andP=> equal signs zero_u k theta hk e kept others side.
have [t1 t2 _] : [/\ size u = size (trained P), fits m u & shape u = shape (numerators st)].
  exact: (at_shape (denominator st) (sound_shape st_ok)).
have [s1 f1' [C1 h1]] := gradient_sound E1; have [s2 f2' [C2 h2]] := combine_sound E2.
have [st_ ft] := fits_shape m e; rewrite t2 in ft; rewrite t1 in st_.
have su : size theta = size u by rewrite st_ t1.
have := is_zero_rows_frob su t2 ft kept equal.
rewrite !(@frob_minus m) ?s1 ?s2 ?st_ ?t1 // !h1 // => hd.
rewrite -subr_ge0 (_ : _ - _ = frob (map (map f) rows') theta - frob (map (map f) rows') u); last first.
  apply/eqP; rewrite -subr_eq0; apply/eqP.
  set A := frob (map (map f) rows) theta in hd *; set B := frob (map (map f) rows') theta in hd *.
  set C := frob (map (map f) rows) u in hd *; set D := frob (map (map f) rows') u in hd *.
  by rewrite (_ : _ - _ = (A - B) - (C - D)); [rewrite hd subrr | ring].
rewrite !h2 // (_ : _ + C2 - _ = dot (map f xs) [seq piece PR c theta k | k <- ks]
  - dot (map f xs) [seq piece PR c u k | k <- ks]); last by ring.
rewrite [X in _ - X]dot_zero_right ?all_map // subr0 {h1 h2 hd zero_u}.
have other k' : k' \in ks -> k' != k -> piece PR c theta k' = 0.
  move=> hk' ne; apply/eqP; apply: (allP others); have := perm_mem (perm_to_rem hk) k'.
  by rewrite hk' inE (negbTE ne).
elim: ks xs signs other {hk others E2} => [|k' ks IH] [|x xs] //= /andP[hx /IH {}IH] other.
apply: addr_ge0; last by apply: IH => k'' h; apply: other; rewrite inE h orbT.
have [ek|ne] := eqVneq k' k; last by rewrite (other k') ?inE ?eqxx // mulr0.
move: side hx; rewrite ek read_signed /signed; case: (bit c k); first by move=> h1 h2; exact: mulr_ge0.
by move=> h1 h2; rewrite -mulrNN mulr_ge0 // oppr_ge0.
Qed.

Theorem stop_sound multipliers : is_stop N P free st multipliers -> published_stop PR free c0 (basis st) u.
Proof.
case/andP=> /eqP ne stops; split=> // i /andP[i0 hi]; set ks := take i (basis st); set c := foldl flip c0 ks.
have sub : {subset ks <= basis st} by move=> k; exact: mem_take.
have zeros : all (zero_of N (values_there st)) (basis st) by rewrite here_zeros; case: (sound_vertex st_ok).
have zks : all (zero_of N (values_there st)) ks by apply/allP => k /sub; exact: (allP zeros).
have v : vertex PR free c (basis st) u.
  by apply: (@turn_sound ks None None) => //=; apply/allP => k /sub ->.
split=> //; case: i i0 hi @ks @c sub zks v => // i _ hi ks c sub zks v.
have := allP stops i; rewrite mem_iota /= add0n => /(_ hi).
have -> : size (numerators st) = size (trained P) by case/andP: (sound_shape st_ok) => /eqP.
by move=> h; apply: no_edge_falls_sound h _; case: v.
Qed.
End State.

Theorem next_sound st mv st' : sound st -> next N P pl free st mv = Some st' ->
  let u := point st in let v := point st' in let turned := foldl flip (cell st) (flips mv) in
  let old := odflt (basis st) (replaced mv) in
  [/\ sound st', cell st' = foldl flip turned (crossed mv) /\ basis st' = rcons (rem (leaving mv) old) (entering mv),
      (stop mv -> published_stop PR free (cell st) (basis st) u /\ loss PR v < loss PR u)
      /\ (replaced mv -> vertex PR free turned old u),
      keeps free u v /\ loss PR v <= loss PR u
    & if crossed mv is [::] then adjacent PR free u v else loss PR v < loss PR u].
Proof.
move=> ok; have [hp d0 hs0 [inside0 sb0 kb0 zb0 only0] relv0 hl0] := ok.
rewrite /next /=; set u := point st in inside0 sb0 zb0 only0 relv0 hl0 *.
set c0 := cell st in inside0 zb0 only0 relv0 *.
set old := odflt _ _; set shared := rem _ _; set new := rcons _ _.
set c1 := foldl flip c0 _; set c := foldl flip c1 _; set num := to_numerators mv; set den := to_denominator mv.
set turns := is_turn _ _ _ _ _ _ _.
case: ifP => // /and5P[hs /eqP sn /eqP hm /eqP snew /andP[kinks /and5P[leave_old here_old here_flips between_ok how]]].
case E: arrive => [[values cost]|] //; case: ifP => // /and5P[kept zeros no_rise strict stop_ok] [<-].
have [d1 inside relv hl] := read_arrive E; have [s1 s2 s3] := at_shape den hs.
have [t1 t2 t3] := at_shape (denominator st) hs0.
have turn_ok : turns -> vertex PR free c1 old u by exact: turn_sound.
rewrite (here_zeros ok) -/c0 -/u in here_old; rewrite (here_zeros ok) -/c0 -/u in here_flips.
rewrite (rels_zeros _ relv) -/(all (fun k => piece PR c (at_ num den) k == 0) new) in zeros.
rewrite read_keeps // in kept.
rewrite /point /=; set v := at_ num den in inside relv hl s1 s2 s3 zeros kept *.
have shapes : shape v = shape u by exact: same_shape.
have size0 : size c0 = size (samples P) by case/andP: inside0 => /eqP ->; rewrite size_map.
have [same1 inside1] := flips_here inside0 here_flips; rewrite -/c1 in same1 inside1.
(* The functions at u are the same in both patterns, unless a kink that is not a residual was crossed. *)
have shallow_same theta : all (fun k => ~~ deep P k) (crossed mv) -> table PR c theta = table PR c1 theta.
  move=> shallow; apply: table_flip; rewrite ?size_flips // => k hd hb.
  by have := allP shallow _ (bit_flips hb); rewrite /deep hd.
have nonzero_entering : ~~ zero_of N (values_there st) (entering mv) -> piece PR c0 u (entering mv) != 0.
  by rewrite (rels_zero _ relv0).
have only : forall theta, shape theta = shape v -> keeps free v theta -> all (fun k => piece PR c theta k == 0) new ->
    theta = v.
  case: (inverse mv) how => [inv|] how.
    have es : size num = size (trained P) by case/andP: hs => /eqP.
    by rewrite es in how; exact: inverse_sound s1 s2 how zeros.
  case/and3P: how => /turn_ok[_ _ _ zero_old only1] shallow /nonzero_entering nonzero.
  have pc theta k : piece PR c theta k = piece PR c1 theta k by rewrite /piece shallow_same.
  have zero_old' : all (fun k => piece PR c u k == 0) old by apply: sub_all zero_old => k; rewrite pc.
  move: zero_old'; rewrite (perm_all_rem _ leave_old) => /andP[zero_leaving zero_shared].
  move: (zeros); rewrite rcons_all => /andP[zeros_shared zero_entering].
  move=> theta e kt; rewrite rcons_all => /andP[zt1 zt2]; move: theta e kt zt1 zt2.
  apply: (exchange shapes zero_shared zero_leaving _ zeros_shared zero_entering kept).
    by rewrite pc /piece same1.
  move=> theta e kt zt1 zt2; apply: only1 => //.
  have zt : all (fun k => piece PR c theta k == 0) old by rewrite (perm_all_rem _ leave_old) zt1 zt2.
  by apply: sub_all zt => k; rewrite pc.
have vertex_v : vertex PR free c new v.
  by split=> //; rewrite ?snew ?s3 // -kinks_ok.
have K0 : 0 < f (common pl) * stretched (scaled pl) by exact: stretched_gt0.
have D0 : 0 < f den * f (denominator st) by exact: mulr_gt0.
set K := f (common pl) * stretched (scaled pl) in K0.
have behind_is : f (product N cost (denominator st)) = K * (f den * f (denominator st)) * loss PR v.
  by rewrite fM hl /K; ring.
have before_is : f (product N (loss_there st) den) = K * (f den * f (denominator st)) * loss PR u.
  by rewrite fM hl0 /K; ring.
have falls : ~~ le N (product N (loss_there st) den) (product N cost (denominator st)) = (loss PR v < loss PR u).
  by rewrite fle behind_is before_is -ltNge ltr_pmul2l // mulr_gt0.
have no_rise' : loss PR v <= loss PR u.
  by move: no_rise; rewrite fle behind_is before_is ler_pmul2l // mulr_gt0.
split=> //; first split.
- case: (stop mv) stop_ok => [xs|] //= /andP[falls_ok stops] _; split; last by rewrite -falls.
  exact: stop_sound stops.
- by case: (replaced mv) between_ok turn_ok => [ks|] //= hb /(_ hb).
case E2: (crossed mv) strict => [|k0 ks] strict; last by rewrite -falls.
exists c, shared, (entering mv).
have same_u : table PR c u = table PR c0 u by rewrite shallow_same ?E2.
have pu k : piece PR c u k = piece PR c0 u k by rewrite /piece same_u.
move: (zeros); rewrite rcons_all => /andP[_ zero_entering].
split=> //.
- have ze : piece PR c v (entering mv) = 0 by exact/eqP.
  by move=> uv; have := nonzero_entering strict; rewrite -pu uv ze eqxx.
- by rewrite /c E2.
- rewrite (eq_all (fun k => congr1 (eq_op^~ 0) (pu k))).
  by move: here_old; rewrite (perm_all_rem _ leave_old) => /andP[].
Qed.

(* A walk: what its steps claim, from a vertex u with cell c and basis ks on. *)
Fixpoint walks (c : pattern) (ks : seq kink) (u : seq (seq R)) (moves : seq (move T)) : Prop :=
  if moves is mv :: moves' then
    let turned := foldl flip c (flips mv) in
    let old := odflt ks (replaced mv) in
    let c' := foldl flip turned (crossed mv) in
    let ks' := rcons (rem (leaving mv) old) (entering mv) in
    let v := at_ (to_numerators mv) (to_denominator mv) in
    [/\ (stop mv -> published_stop PR free c ks u /\ loss PR v < loss PR u)
        /\ (replaced mv -> vertex PR free turned old u),
        vertex PR free c' ks' v, keeps free u v /\ loss PR v <= loss PR u,
        if crossed mv is [::] then adjacent PR free u v else loss PR v < loss PR u & walks c' ks' v moves']
  else True.

Lemma next_point st mv st' : next N P pl free st mv = Some st' ->
  point st' = at_ (to_numerators mv) (to_denominator mv).
Proof.
by rewrite /next; case: ifP => // _; case: arrive => [[values cost]|] //; case: ifP => // _ [<-].
Qed.

Theorem follow_sound st moves st' : sound st -> follow N P pl free st moves = Some st' -> sound st' /\
  walks (cell st) (basis st) (point st) moves.
Proof.
elim: moves st => [|mv moves IH] st h /=; first by case=> <-.
case E: next => [st1|] // h2; have [h1 [ec ek] facts kept strict] := next_sound h E; have [h3 h4] := IH _ h1 h2.
have e := next_point E; rewrite -e -ec -ek; split=> //; split=> //; exact: sound_vertex h1.
Qed.

Theorem start_sound st c num den : sound st -> check_start N P pl free st c num den ->
  [/\ in_cell PR c (at_ num den), keeps free (at_ num den) (point st) & loss PR (point st) <= loss PR (at_ num den)].
Proof.
case=> hp d0 _ _ _ hl; rewrite /check_start; case E: arrive => [[values cost]|] //.
have [d1 inside _ hl'] := read_arrive E; rewrite read_keeps // fle !fM hl hl' => /andP[kept] h; split=> //; move: h.
set K := f (common pl) * stretched (scaled pl).
set u := point st; set v := at_ num den.
rewrite [X in X <= _](_ : _ = K * (f den * f (denominator st)) * loss PR u); last by rewrite /K; ring.
rewrite [X in _ <= X](_ : _ = K * (f den * f (denominator st)) * loss PR v); last by rewrite /K; ring.
by rewrite ler_pmul2l //; apply: mulr_gt0; [exact: stretched_gt0 | exact: mulr_gt0].
Qed.

Theorem zero_sound st : sound st -> check_zero N P st -> loss PR (point st) = 0 /\ global_minimum PR (point st).
Proof.
case=> hp d0 _ _ _ hl /andP[]; rewrite read_is_zero hl => zero up.
have l0 : loss PR (point st) = 0.
  apply/eqP; move: zero; rewrite (_ : _ * _ = f (common pl) * stretched (scaled pl) * f (denominator st) * loss PR (point st)).
    by rewrite mulf_eq0 gt_eqF // mulr_gt0 // stretched_gt0.
  by rewrite -!mulrA; congr (_ * _); rewrite mulrCA.
split=> // theta _; rewrite l0 /loss /=; elim: (samples P) up => [|s ss IH] /=; first by rewrite big_nil.
case/andP=> hs /IH h; rewrite big_cons addr_ge0 // {h IH}.
have terms_ge0 y : 0 <= terms (map (map_goal f) (goals s)) y.
  elim: (goals s) y hs => [|g gs IH] [|t y] //= /andP[/andP[h1 h2] /IH h]; apply: addr_ge0 (h y).
  rewrite !fle f0 in h1 h2; rewrite /bend /=; case: (leP (t - f (target g)) 0) => ht; first exact: mulr_le0.
  by apply: mulr_ge0 => //; exact: ltW.
move: [seq dot row _ | row <- theta] => z /=; move: [seq map_slopes f i | i <- trained P] => ss'.
by elim: (map _ (after P)) ss' z => [|l ls IH] ss' z /=; [exact: terms_ge0 | exact: IH].
Qed.

Lemma read_is_point st u : sound st -> is_point N st u -> map (map f) u = point st.
Proof.
move=> h; have d0 := sound_positive h; rewrite /is_point /point /at_.
elim: u (numerators st) => [|x u IH] [|y num] //= /andP[hx /IH ->]; congr (_ :: _).
elim: x y hx => [|p x IHx] [|q y] //= /andP[hp /IHx ->]; congr (_ :: _).
by move: hp; rewrite read_same fM => /eqP <-; rewrite mulfK // gt_eqF.
Qed.

Theorem end_sound st u t : sound st -> check_end N P st u t -> local_minimum PR (point st).
Proof. by move=> h /andP[/(read_is_point h) <- /(local_minimum_read reads)]. Qed.

Theorem strict_end_sound st u t : sound st -> check_strict_end N P st u t -> strict_local_minimum PR (point st).
Proof. by move=> h /andP[/(read_is_point h) <- /(strict_local_minimum_read reads)]. Qed.
End Problem.
End Soundness.

(* The theorem, with rational numbers in the files, over any ordered field R. Where all of first_vertex, follow and
   check_end accept, the walk's points are vertices, each step does what `walks` says, and the last is a local minimum. *)
Theorem accepted_walk (P : problem rat) (pl : plan rat) free c ks num den inv st moves st' :
  first_vertex rationals P pl free c ks num den inv = Some st -> follow rationals P pl free st moves = Some st' ->
  forall R : realFieldType, let Q := map_problem ratr P in let at_R := at_ (@ratr R) in
    [/\ vertex Q free c ks (at_R num den),
        walks (@ratr R) P free c ks (at_R num den) moves,
        (forall c0 num0 den0, check_start rationals P pl free st c0 num0 den0 ->
          [/\ in_cell Q c0 (at_R num0 den0), keeps free (at_R num0 den0) (at_R num den)
            & loss Q (at_R num den) <= loss Q (at_R num0 den0)]),
        (forall u t, check_end rationals P st' u t -> local_minimum Q (at_R (numerators st') (denominator st')))
        /\ (forall u t, check_strict_end rationals P st' u t ->
             strict_local_minimum Q (at_R (numerators st') (denominator st')))
      & (check_zero rationals P st' -> global_minimum Q (at_R (numerators st') (denominator st')))].
Proof.
move=> E1 E2 R Q at_R; have reads := reading_rationals R.
have hp : check_plan rationals P pl by move: E1; rewrite /first_vertex; case: ifP => // /and5P[].
have h := first_vertex_sound reads hp E1; have [h' w] := follow_sound reads hp h E2.
have est : [/\ cell st = c, basis st = ks & point (@ratr R) st = at_R num den].
  move: E1; rewrite /first_vertex; case: ifP => // _; case: arrive => [[values cost]|] //; case: ifP => // _ [<-].
  by split.
case: est => e1 e2 e3; split.
- by rewrite -e1 -e2 -e3; exact: sound_vertex h.
- by rewrite -e1 -e2 -e3.
- by move=> c0 num0 den0 hs; rewrite -e3; exact: (start_sound reads hp h hs).
- by split=> u t he; [exact: (end_sound reads h' he) | exact: (strict_end_sound reads h' he)].
- by move=> hz; case: (zero_sound reads hp h' hz).
Qed.
