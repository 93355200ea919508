(* Facts about cells: affine functions, segments, flips, exchanges of a kink of the basis. *)

From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From Exactdrl Require Import Definitions.
Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section Cells.
Variable R : realFieldType.
Implicit Types (x y z : seq R) (s : slopes R) (t : R) (bits : seq (seq bool)).

(* Affine combinations of three points. *)
Section Combination.
Variables (a b c : R).

Fixpoint comb x y z : seq R :=
  if (x, y, z) is (p :: x', q :: y', r :: z') then a * p + b * q + c * r :: comb x' y' z' else [::].

Fixpoint comb_rows (u v w : seq (seq R)) : seq (seq R) :=
  if (u, v, w) is (x :: u', y :: v', z :: w') then comb x y z :: comb_rows u' v' w' else [::].

Lemma size_comb x y z : size y = size x -> size z = size x -> size (comb x y z) = size x.
Proof. by elim: x y z => [|p x IH] [|q y] [|r z] //= [e1] [e2]; rewrite IH. Qed.

Lemma nth_comb x y z j : size y = size x -> size z = size x ->
  nth 0 (comb x y z) j = a * nth 0 x j + b * nth 0 y j + c * nth 0 z j.
Proof.
elim: x y z j => [|p x IH] [|q y] [|r z] j //=; first by rewrite !nth_nil !mulr0 !addr0.
by case=> e1 [e2]; case: j => //= j; exact: IH.
Qed.

Lemma dot_comb w x y z : size y = size x -> size z = size x ->
  dot w (comb x y z) = a * dot w x + b * dot w y + c * dot w z.
Proof.
elim: w x y z => [|k w IH] [|p x] [|q y] [|r z] //=; rewrite ?mulr0 ?addr0 //.
by case=> e1 [e2]; rewrite IH //; ring.
Qed.

Lemma dot_comb_left w x y z : size y = size x -> size z = size x ->
  dot (comb x y z) w = a * dot x w + b * dot y w + c * dot z w.
Proof.
elim: w x y z => [|k w IH] [|p x] [|q y] [|r z] //=; rewrite ?mulr0 ?addr0 //.
by case=> e1 [e2]; rewrite IH //; ring.
Qed.

Lemma dots_comb (u v w : seq (seq R)) f : shape v = shape u -> shape w = shape u ->
  [seq dot row f | row <- comb_rows u v w]
  = comb [seq dot row f | row <- u] [seq dot row f | row <- v] [seq dot row f | row <- w].
Proof.
elim: u v w => [|x u IH] [|y v] [|z w] //= [e1 s1] [e2 s2].
by rewrite dot_comb_left // IH.
Qed.

Lemma shape_comb (u v w : seq (seq R)) : shape v = shape u -> shape w = shape u -> shape (comb_rows u v w) = shape u.
Proof.
rewrite /shape; elim: u v w => [|x u IH] [|y v] [|z w] //= [e1 s1] [e2 s2].
by rewrite size_comb // IH.
Qed.

Lemma size_sides bs (ss : seq (slopes R)) x : size (sides bs ss x) = minn (size ss) (size x).
Proof. by elim: ss bs x => [|s ss IH] bs [|p x] //=; rewrite ?minn0 ?min0n // IH minnSS. Qed.

Lemma sides_comb bs ss x y z : size y = size x -> size z = size x ->
  sides bs ss (comb x y z) = comb (sides bs ss x) (sides bs ss y) (sides bs ss z).
Proof.
elim: ss bs x y z => [|s ss IH] bs [|p x] [|q y] [|r z] //= [e1] [e2].
by rewrite IH //; congr (_ :: _); rewrite /side; ring.
Qed.

Hypothesis affine : a + b + c = 1.

Lemma preactivations_comb (l : layer R) x y z : size y = size x -> size z = size x ->
  preactivations l (comb x y z) = comb (preactivations l x) (preactivations l y) (preactivations l z).
Proof.
move=> e1 e2; elim: l => //= u l ->; congr (_ :: _); rewrite dot_comb //.
by rewrite -[bias u in LHS]mul1r -affine; ring.
Qed.

Lemma residuals_comb (gs : seq (goal R)) x y z : size y = size x -> size z = size x ->
  residuals gs (comb x y z) = comb (residuals gs x) (residuals gs y) (residuals gs z).
Proof.
elim: gs x y z => [|g gs IH] [|p x] [|q y] [|r z] //= [e1] [e2].
by rewrite IH //; congr (_ :: _); rewrite -[target g in LHS]mul1r -affine; ring.
Qed.

Lemma size_residuals (gs : seq (goal R)) x : size (residuals gs x) = minn (size gs) (size x).
Proof. by elim: gs x => [|g gs IH] [|p x] //=; rewrite ?minn0 ?min0n // IH minnSS. Qed.

Lemma pieces_comb gs ss ls bits x y z d j : size y = size x -> size z = size x ->
  let at_ v := nth 0 (nth [::] (pieces gs ss ls bits v) d) j in
  at_ (comb x y z) = a * at_ x + b * at_ y + c * at_ z.
Proof.
elim: ls ss bits x y z d => [|l ls IH] ss bits x y z [|d] e1 e2 /=; try exact: nth_comb.
  case: d => [|d] /=; last by rewrite !nth_nil !mulr0 !addr0.
  by rewrite sides_comb // residuals_comb ?nth_comb ?size_residuals ?size_sides ?e1 ?e2.
by rewrite sides_comb // preactivations_comb ?IH ?size_map ?size_sides ?e1 ?e2.
Qed.

Lemma piece_comb (P : problem R) pattern u v w k : shape v = shape u -> shape w = shape u ->
  piece P pattern (comb_rows u v w) k = a * piece P pattern u k + b * piece P pattern v k + c * piece P pattern w k.
Proof.
move=> s1 s2; case: k => [[i d] j]; rewrite /piece /table /=.
elim: (zip _ _) i => [|p ps IH] [|i] //=; try by rewrite !nth_nil !mulr0 !addr0.
have size_shape (r : seq (seq R)) g : size [seq dot row g | row <- r] = size (shape r) by rewrite !size_map.
by rewrite dots_comb // pieces_comb // !size_shape ?s1 ?s2.
Qed.
End Combination.

(* The loss in a cell. *)
Lemma obeys_bends bs ss z : obeys bs ss z -> bends ss z = sides bs ss z.
Proof.
elim: ss bs z => [|s ss IH] bs [|t z] //= /andP[h /IH ->]; congr (_ :: _).
move: h; rewrite /bent /bend /side; case: eqP => /= [-> _|_]; first by case: ifP; case: ifP.
rewrite /signed; case: (head true bs) => h; last by rewrite h.
case: ifP => // h'; have -> : t = 0 by apply/eqP; rewrite eq_le h h'.
by rewrite !mulr0.
Qed.

Lemma terms_total gs f : terms gs f = total (bends (map (@term R) gs) (residuals gs f)).
Proof. by elim: gs f => [|g gs IH] [|y f] //=; rewrite IH. Qed.

Definition slopes_of gs ss (ls : seq (layer R)) : seq (seq (slopes R)) :=
  ss :: rcons [seq map (@activation R) l | l <- ls] (map (@term R) gs).

Lemma cost_piece gs ss ls bits z : obeys_all bits (slopes_of gs ss ls) (pieces gs ss ls bits z) ->
  cost gs ss ls z = piece_cost gs ss ls bits z.
Proof.
elim: ls ss bits z => [|l ls IH] ss bits z /=.
  by case/and3P=> /obeys_bends e1 /obeys_bends e2 _; rewrite terms_total e1 e2.
by case/andP=> /obeys_bends e1 /IH; rewrite /= e1.
Qed.

Lemma piece_cost_comb a b c gs ss ls bits x y z : a + b + c = 1 -> size y = size x -> size z = size x ->
  let at_ := piece_cost gs ss ls bits in at_ (comb a b c x y z) = a * at_ x + b * at_ y + c * at_ z.
Proof.
move=> affine; elim: ls ss bits x y z => [|l ls IH] ss bits x y z e1 e2 /=; rewrite sides_comb //.
  rewrite residuals_comb ?size_sides ?e1 ?e2 // sides_comb ?size_residuals ?size_sides ?e1 ?e2 //.
  have: forall p q r : seq R, size q = size p -> size r = size p ->
      total (comb a b c p q r) = a * total p + b * total q + c * total r.
    elim=> [|p ps IHp] [|q qs] [|r rs] //=; first by rewrite !mulr0 !addr0.
    by case=> e3 [e4]; rewrite IHp //; ring.
  by apply; rewrite !size_sides !size_residuals !size_sides ?e1 ?e2.
by rewrite preactivations_comb ?IH ?size_map ?size_sides ?e1 ?e2.
Qed.

Lemma obeys_comb (t : R) bs ss x y : 0 <= t <= 1 -> size y = size x -> obeys bs ss x -> obeys bs ss y ->
  obeys bs ss (comb (1 - t) t 0 x y y).
Proof.
case/andP=> t0 t1; have u0 : 0 <= 1 - t by rewrite subr_ge0.
elim: ss bs x y => [|s ss IH] bs [|p x] [|q y] //= [e] /andP[h1 h2] /andP[h3 h4].
rewrite IH // andbT; apply/implyP => bent_s; move: h1 h3; rewrite bent_s /= /signed mul0r addr0.
case: (head true bs) => h1 h3; first by apply: addr_ge0; exact: mulr_ge0.
by rewrite -oppr_ge0 opprD -!mulrN; apply: addr_ge0; apply: mulr_ge0; rewrite ?oppr_ge0.
Qed.

Lemma obeys_all_comb (t : R) gs ss ls bits x y : 0 <= t <= 1 -> size y = size x ->
  obeys_all bits (slopes_of gs ss ls) (pieces gs ss ls bits x) ->
  obeys_all bits (slopes_of gs ss ls) (pieces gs ss ls bits y) ->
  let z := comb (1 - t) t 0 x y y in obeys_all bits (slopes_of gs ss ls) (pieces gs ss ls bits z).
Proof.
move=> t01; have affine : (1 - t) + t + 0 = 1 by ring.
elim: ls ss bits x y => [|l ls IH] ss bits x y e /=.
  case/and3P=> h1 h2 _ /and3P[h3 h4 _]; rewrite obeys_comb // sides_comb // residuals_comb ?size_sides ?e //.
  by rewrite obeys_comb // !size_residuals !size_sides e.
case/andP=> h1 h2 /andP[h3 h4]; rewrite obeys_comb // sides_comb // preactivations_comb ?size_sides ?e //.
by apply: IH; rewrite // !size_map.
Qed.

(* Two points in one cell: so is the segment between them, and the loss is affine on it. *)
Theorem segment (P : problem R) pattern u v (t : R) : 0 <= t <= 1 -> shape v = shape u ->
  in_cell P pattern u -> in_cell P pattern v ->
  let w := comb_rows (1 - t) t 0 u v v in in_cell P pattern w /\ loss P w = (1 - t) * loss P u + t * loss P v.
Proof.
move=> t01 e; have affine : (1 - t) + t + 0 = 1 by ring.
rewrite /in_cell /loss /table => /andP[/eqP size_p +] /andP[_ +] /=; rewrite size_p eqxx /=.
have size_shape (r : seq (seq R)) g : size [seq dot row g | row <- r] = size (shape r) by rewrite !size_map.
elim: (samples P) pattern size_p => [|s ss IH] [|bits pattern] //= => [_ _ _|[size_p]].
  by rewrite !big_nil !mulr0 addr0.
move=> /andP[h1 h2] /andP[h3 h4]; have [-> h6] := IH _ size_p h2 h4.
rewrite !big_cons h6 dots_comb //; have e' : size [seq dot row (feature P s) | row <- v]
  = size [seq dot row (feature P s) | row <- u] by rewrite !size_shape e.
have h5 := obeys_all_comb t01 e' h1 h3; split; first exact/andP.
rewrite (cost_piece h1) (cost_piece h3) (cost_piece h5) piece_cost_comb //; ring.
Qed.

(* Patterns that differ only where the kinks' functions are 0 have the same functions there. *)
Lemma pieces_flip gs ss ls bits bits' z :
  (forall d j, (d <= size ls)%N -> nth true (nth [::] bits d) j != nth true (nth [::] bits' d) j ->
     nth 0 (nth [::] (pieces gs ss ls bits' z) d) j = 0) ->
  pieces gs ss ls bits z = pieces gs ss ls bits' z.
Proof.
have sides_flip bs bs' ss0 x : (forall j, nth true bs j != nth true bs' j -> nth 0 x j = 0) ->
    sides bs ss0 x = sides bs' ss0 x.
  elim: ss0 bs bs' x => [|s ss0 IH] bs bs' [|t x] //= h; congr (_ :: _).
    have := h 0%N; rewrite !nth0 /=; have hd (b : seq bool) : head true b = nth true b 0 by case: b.
    rewrite /side -!nth0; case: eqP => [-> //|_ h0]; by rewrite h0 // !mulr0.
  by apply: IH => j; move: (h j.+1) => /=; rewrite -!nth_behead.
elim: ls ss bits bits' z => [|l ls IH] ss bits bits' z h /=; congr (_ :: _).
  by rewrite -!nth0 (@sides_flip _ (nth [::] bits' 0)) // => j; exact: (h 0%N).
have e : sides (head [::] bits) ss z = sides (head [::] bits') ss z.
  by rewrite -!nth0; apply: sides_flip => j; exact: (h 0%N).
by rewrite e; apply: IH => d j hd; move: (h d.+1 j hd) => /=; rewrite -!nth_behead.
Qed.

(* Parameters that are held stay so in combinations. *)
Lemma keeps_comb (a b c : R) free u v w : a + b + c = 1 -> shape v = shape u -> shape w = shape u ->
  keeps free w u -> keeps free w v -> keeps free w (comb_rows a b c u v w).
Proof.
move=> affine; have row bs (x y z : seq R) : size y = size x -> size z = size x ->
    keeps_row bs z x -> keeps_row bs z y -> keeps_row bs z (comb a b c x y z).
  elim: x bs y z => [|p x IH] bs [|q y] [|r z] //= [e1] [e2] /andP[h1 h2] /andP[h3 h4].
  rewrite IH // andbT; case: (head true bs) h1 h3 => //= /eqP -> /eqP ->.
  by rewrite -!mulrDl affine mul1r.
elim: u free v w => [|x u IH] free [|y v] [|z w] //= [e1 s1] [e2 s2] /andP[h1 h2] /andP[h3 h4].
by rewrite row ?IH.
Qed.

Lemma keeps_trans free (u v w : seq (seq R)) : shape v = shape u -> shape w = shape u ->
  keeps free u v -> keeps free v w -> keeps free u w.
Proof.
have row bs (x y z : seq R) : size y = size x -> size z = size x ->
    keeps_row bs x y -> keeps_row bs y z -> keeps_row bs x z.
  elim: x bs y z => [|p x IH] bs [|q y] [|r z] //= [e1] [e2] /andP[h1 h2] /andP[h3 h4].
  by rewrite (IH _ _ _ e1 e2 h2 h4) andbT; case: (head true bs) h1 h3 => //= /eqP -> /eqP ->.
elim: u free v w => [|x u IH] free [|y v] [|z w] //= [e1 s1] [e2 s2] /andP[h1 h2] /andP[h3 h4].
by rewrite (row _ _ _ _ e1 e2 h1 h3) (IH _ _ _ s1 s2 h2 h4).
Qed.

Lemma keeps_sym free (u v : seq (seq R)) : keeps free u v = keeps free v u.
Proof.
have row bs (x y : seq R) : keeps_row bs x y = keeps_row bs y x.
  by elim: x bs y => [|p x IH] bs [|q y] //=; rewrite IH eq_sym.
by elim: u free v => [|x u IH] free [|y v] //=; rewrite row IH.
Qed.

Lemma keeps_refl free (u : seq (seq R)) : keeps free u u.
Proof.
elim: u free => //= x u IH free; rewrite IH andbT; elim: x (head [::] free) => //= a x IHx bs.
by rewrite eqxx orbT IHx.
Qed.

(* Exchange: where the functions of shared and of leaving have u as their only common zero, entering is not 0 at u, and
   v is a zero of shared and of entering, v is the only one. *)
Lemma exchange (P : problem R) free pattern (shared : seq kink) leaving entering u v :
  let zero_at k theta := piece P pattern theta k == 0 in
  shape v = shape u ->
  all (zero_at^~ u) shared -> zero_at leaving u -> piece P pattern u entering != 0 ->
  all (zero_at^~ v) shared -> zero_at entering v ->
  keeps free u v ->
  (forall theta, shape theta = shape u -> keeps free u theta -> all (zero_at^~ theta) shared -> zero_at leaving theta ->
     theta = u) ->
  forall theta, shape theta = shape v -> keeps free v theta -> all (zero_at^~ theta) shared -> zero_at entering theta ->
    theta = v.
Proof.
move=> zero_at sv su lu eu sh_v ev kv only w sw kw sh_w ew; rewrite sv in sw.
have {}kw : keeps free u w by apply: keeps_trans kv kw.
have nz : piece P pattern v leaving != 0.
  apply/negP => lv; have := only v sv kv sh_v lv => vu; by move: eu; rewrite -vu (eqP ev) eqxx.
set c := piece P pattern w leaving / piece P pattern v leaving.
have affine : 1 + - c + c = 1 by ring.
have at_ k := piece_comb affine P pattern k (u := w) (v := v) (w := u).
set w' := comb_rows 1 (- c) c w v u in at_.
have {}at_ k : piece P pattern w' k = 1 * piece P pattern w k + - c * piece P pattern v k + c * piece P pattern u k.
  by apply: at_; rewrite ?sv ?sw.
have w'u : w' = u.
  apply: only; first by rewrite shape_comb ?sv ?sw.
  - by apply: keeps_comb; rewrite ?sv ?sw.
  - apply/allP => k hk; rewrite /zero_at at_ (eqP (allP sh_w _ hk)) (eqP (allP sh_v _ hk)) (eqP (allP su _ hk)).
    by rewrite !mulr0 !addr0.
  - by rewrite /zero_at at_ (eqP lu) mul1r mulr0 addr0 /c mulNr divfK // subrr.
have c1 : c = 1.
  have := at_ entering; rewrite w'u (eqP ew) (eqP ev) !mulr0 !add0r => h.
  by apply: (mulIf eu); rewrite mul1r -h.
move: w'u; rewrite /w' c1; move: sw sv; clear; rewrite /shape.
have cancel x y z : size y = size x -> size z = size x -> comb 1 (-1) 1 x y z = z -> x = y.
  elim: x y z => [|p x IH] [|q y] [|r z] //= [e1] [e2] [h] /(IH _ _ e1 e2) ->; congr (_ :: _).
  apply: subr0_eq; apply: (addIr r); rewrite add0r; apply: etrans h; ring.
elim: w v u => [|x w IH] [|y v] [|z u] //= [e1 s1] [e2 s2] [h1 h2].
have e3 : size y = size x by rewrite e1.
have e4 : size z = size x by rewrite e1.
have -> : x = y := cancel x y z e3 e4 h1.
by have -> : w = v := IH v u s1 s2 h2.
Qed.
End Cells.
