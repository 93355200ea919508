(* The checker of a walk: functions that compute. What they decide is proved in Walk.v.

   Vertices have numbers of thousands of bits, so a point is held as numerators over one denominator, and the network is
   evaluated in homogeneous coordinates: the plan holds it multiplied by numbers that make it integral. The plan is not
   trusted, it is compared with the problem. *)

From mathcomp Require Import all_ssreflect.
From Exactdrl Require Import Definitions Numbers Checker.
Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

(* A sample: its feature times spread, its targets times stretch; factor * spread * stretch is the same for all. *)
Record view T := View {spread : T; vector : seq T; stretch : T; marks : seq (goal T); factor : T}.
(* The layers after the trained one, each with what it is multiplied by. *)
Record plan T := Plan {scaled : seq (T * layer T); views : seq (view T); common : T}.

Definition pattern := seq (seq (seq bool)).

Record state T := State {
  cell : pattern; basis : seq kink; numerators : seq (seq T); denominator : T;
  values_there : seq (seq (seq T)); loss_there : T}.

(* A step, and what helps to check it: the point, and, where an exchange does not show it, the inverse of the basis. *)
Record move T := Move {
  flips : seq kink; crossed : seq kink; replaced : option (seq kink); leaving : kink; entering : kink;
  to_numerators : seq (seq T); to_denominator : T; inverse : option (seq (seq (seq T)))}.

Section Steps.
Variables (T : Type) (N : numbers T).

Definition same (x y : T) : bool := le N x y && le N y x.
Definition positive (x : T) : bool := ~~ le N x (zero N).
Definition multiple (c : T) (xs ys : seq T) : bool := all2 (fun x y => same (product N c x) y) xs ys.
Definition same_slopes (s s' : slopes T) : bool := same (below s) (below s') && same (above s) (above s').
Definition bent_of (s : slopes T) : bool := ~~ same (below s) (above s).

(* The plan. *)
Definition check_layer (l : layer T) (p : T * layer T) : bool :=
  positive p.1 && all2 (fun u u' => [&& multiple p.1 (weight u) (weight u'), same (product N p.1 (bias u)) (bias u')
    & same_slopes (activation u) (activation u')]) l p.2.

Definition check_view (P : problem T) (k : T) (s : sample T) (v : view T) : bool :=
  [&& positive (spread v), multiple (spread v) (feature_of N P s) (vector v), positive (stretch v),
      all2 (fun g g' => same (product N (stretch v) (target g)) (target g') && same_slopes (term g) (term g'))
        (goals s) (marks v)
    & same (product N (factor v) (product N (spread v) (stretch v))) k].

Definition check_plan (P : problem T) (pl : plan T) : bool :=
  [&& all2 check_layer (after P) (scaled pl), all2 (check_view P (common pl)) (samples P) (views pl)
    & positive (common pl)].

(* Evaluation in homogeneous coordinates: what is computed is a positive multiple of the piece's value. *)
Fixpoint sides_of (bs : seq bool) (ss : seq (slopes T)) (z : seq T) : seq T :=
  if (ss, z) is (s :: ss', t :: z') then
    product N (if head true bs then above s else below s) t :: sides_of (behead bs) ss' z'
  else [::].

Definition preactivations_at (l : layer T) (x : seq T) (c : T) : seq T :=
  [seq plus N (dot_of N (weight u) x) (product N (bias u) c) | u <- l].

Fixpoint residuals_at (gs : seq (goal T)) (f : seq T) (c e : T) : seq T :=
  if (gs, f) is (g :: gs', y :: f') then
    plus N (product N y e) (opp N (product N (target g) c)) :: residuals_at gs' f' c e
  else [::].

Definition total_of (x : seq T) : T := foldr (plus N) (zero N) x.

(* Values by depth, and the loss's. *)
Fixpoint evaluate (gs : seq (goal T)) (ss : seq (slopes T)) (ls : seq (T * layer T)) (bits : seq (seq bool))
    (z : seq T) (c e : T) : seq (seq T) * T :=
  let a := sides_of (head [::] bits) ss z in
  if ls is p :: ls' then
    let: (vs, cost) := evaluate gs (map (@activation T) p.2) ls' (behead bits) (preactivations_at p.2 a c) (product N c p.1) e in
    (z :: vs, cost)
  else
    let r := residuals_at gs a c e in
    ([:: z; r], total_of (sides_of (head [::] (behead bits)) (map (@term T) gs) r)).

Definition signed_of (b : bool) (t : T) : bool := if b then le N (zero N) t else le N t (zero N).

Fixpoint obeys_of (bs : seq bool) (ss : seq (slopes T)) (z : seq T) : bool :=
  if (ss, z) is (s :: ss', t :: z') then
    (bent_of s ==> signed_of (head true bs) t) && obeys_of (behead bs) ss' z'
  else true.

Fixpoint obeys_all_of (bits : seq (seq bool)) (sss : seq (seq (slopes T))) (vs : seq (seq T)) : bool :=
  if (sss, vs) is (ss :: sss', z :: vs') then obeys_of (head [::] bits) ss z && obeys_all_of (behead bits) sss' vs'
  else true.

Definition all_slopes_of (P : problem T) (s : sample T) : seq (seq (slopes T)) :=
  trained P :: rcons [seq map (@activation T) l | l <- after P] (map (@term T) (goals s)).

(* All samples' values and the loss's, if the point lies in the cell. *)
Fixpoint evaluate_all (P : problem T) (pl : plan T) (num : seq (seq T)) (den : T) (ss : seq (sample T))
    (vs : seq (view T)) (bitss : pattern) : option (seq (seq (seq T)) * T) :=
  match ss, vs, bitss with
  | s :: ss', v :: vs', bits :: bitss' =>
    let: (values, cost) := evaluate (marks v) (trained P) (scaled pl) bits (dots_of N num (vector v))
      (product N den (spread v)) (stretch v) in
    if obeys_all_of bits (all_slopes_of P s) values then
      if evaluate_all P pl num den ss' vs' bitss' is Some (rest, sum) then
        Some (values :: rest, plus N (product N (factor v) cost) sum)
      else None
    else None
  | [::], [::], [::] => Some ([::], zero N)
  | _, _, _ => None
  end.

Definition arrive (P : problem T) (pl : plan T) (c : pattern) (num : seq (seq T)) (den : T) :=
  if positive den then evaluate_all P pl num den (samples P) (views pl) c else None.

(* Kinks. *)
Definition value_of (values : seq (seq (seq T))) (k : kink) : T :=
  nth (zero N) (nth [::] (nth [::] values k.1.1) k.1.2) k.2.

Definition zero_of (values : seq (seq (seq T))) (k : kink) : bool := is_zero N (value_of values k).

Definition is_kink_of (P : problem T) (k : kink) : bool :=
  bent_of (nth (Slopes (zero N) (zero N))
    (nth [::] (nth [::] [seq all_slopes_of P s | s <- samples P] k.1.1) k.1.2) k.2).

Fixpoint alter A (g : A -> A) (n : nat) (s : seq A) : seq A :=
  match s, n with
  | [::], _ => [::]
  | x :: s', 0 => g x :: s'
  | x :: s', n'.+1 => x :: alter g n' s'
  end.

Definition flip (c : pattern) (k : kink) : pattern := alter (alter (alter negb k.2) k.1.2) k.1.1 c.

(* The basis' inverse. A kink's function is its normal times the preactivations of the trained layer, up to a constant. *)
Fixpoint unit_row (n j : nat) : seq T :=
  match n, j with
  | 0, _ => [::]
  | n'.+1, 0 => one N :: nseq n' (zero N)
  | n'.+1, j'.+1 => zero N :: unit_row n' j'
  end.

Fixpoint normal (gs : seq (goal T)) (ss : seq (slopes T)) (ls : seq (layer T)) (bits : seq (seq bool)) (d j : nat)
    : option (seq T) :=
  if d is d'.+1 then
    if ls is l :: ls' then
      if all (fun u => size (weight u) == size ss) l then
        if normal gs (map (@activation T) l) ls' (behead bits) d' j is Some v then
          Some (sides_of (head [::] bits) ss (gather N (size ss) v l))
        else None
      else None
    else if (d' == 0) && (size gs == size ss) then Some (sides_of (head [::] bits) ss (unit_row (size ss) j))
    else None
  else Some (unit_row (size ss) j).

Fixpoint is_unit (c : nat) (row : seq T) : bool :=
  match row, c with
  | [::], _ => false
  | x :: row', 0 => same x (one N) && all (is_zero N) row'
  | x :: row', c'.+1 => is_zero N x && is_unit c' row'
  end.

Fixpoint is_unit_rows (r c : nat) (rows : seq (seq T)) : bool :=
  match rows, r with
  | [::], _ => false
  | row :: rows', 0 => is_unit c row && all (all (is_zero N)) rows'
  | row :: rows', r'.+1 => all (is_zero N) row && is_unit_rows r' c rows'
  end.

(* Normal and feature of a kink. *)
Definition normal_at (P : problem T) (c : pattern) (m : nat) (k : kink) : option (seq T * seq T) :=
  if ohead (drop k.1.1 (zip (samples P) c)) is Some (s, bits) then
    let x := feature_of N P s in
    if size x == m then
      if normal (goals s) (trained P) (after P) bits k.1.2 k.2 is Some v then Some (v, x) else None
    else None
  else None.

Fixpoint combine (P : problem T) (c : pattern) (n m : nat) (ks : seq kink) (xs : seq T) : option (seq (seq T)) :=
  match ks, xs with
  | [::], [::] => Some (nseq n (nseq m (zero N)))
  | k :: ks', x :: xs' =>
    if normal_at P c m k is Some (v, feature) then
      if combine P c n m ks' xs' is Some rows then Some (add_outer N [seq product N x t | t <- v] feature rows) else None
    else None
  | _, _ => None
  end.

Definition is_inverse (P : problem T) (c : pattern) (n m : nat) (ks : seq kink) (inv : seq (seq (seq T))) : bool :=
  all (fun r => all (fun j =>
    if combine P c n m ks (nth [::] (nth [::] inv r) j) is Some rows then is_unit_rows r j rows else false)
  (iota 0 m)) (iota 0 n).

Definition has_shape (P : problem T) (num : seq (seq T)) : bool :=
  (size num == size (trained P)) && all (fun row => size row == size (head [::] num)) num.

(* The first vertex. *)
Definition first_vertex (P : problem T) (pl : plan T) (c : pattern) (ks : seq kink) (num : seq (seq T)) (den : T)
    (inv : seq (seq (seq T))) : option (state T) :=
  let m := size (head [::] num) in
  if [&& check_plan P pl, has_shape P num, size ks == size num * m, all (is_kink_of P) ks
       & is_inverse P c (size num) m ks inv] then
    if arrive P pl c num den is Some (values, cost) then
      if all (zero_of values) ks then Some (State c ks num den values cost) else None
    else None
  else None.

(* A step. *)
Definition next (P : problem T) (pl : plan T) (st : state T) (mv : move T) : option (state T) :=
  let old := odflt (basis st) (replaced mv) in
  let shared := rem (leaving mv) old in
  let new := rcons shared (entering mv) in
  let changed := flips mv ++ crossed mv in
  let c := foldl flip (cell st) changed in
  let num := to_numerators mv in
  let m := size (head [::] num) in
  let deep k := k.1.2 <= size (after P) in
  let here := zero_of (values_there st) in
  if [&& has_shape P num, size num == size (numerators st), m == size (head [::] (numerators st)),
       size new == size num * m, all (is_kink_of P) new, leaving mv \in old, all here old, all here (flips mv)
     & if inverse mv is Some inv then is_inverse P c (size num) m new inv
       else [&& ~~ isSome (replaced mv), all (fun k => (k \in old) || ~~ deep k) changed,
                all (fun k => ~~ deep k) (crossed mv) & ~~ here (entering mv)]] then
    if arrive P pl c num (to_denominator mv) is Some (values, cost) then
      let before := product N (loss_there st) (to_denominator mv) in
      let behind := product N cost (denominator st) in
      if [&& all (zero_of values) new, le N behind before
           & if crossed mv is [::] then ~~ here (entering mv) else ~~ le N before behind] then
        Some (State c new num (to_denominator mv) values cost)
      else None
    else None
  else None.

Fixpoint follow (P : problem T) (pl : plan T) (st : state T) (moves : seq (move T)) : option (state T) :=
  if moves is mv :: moves' then if next P pl st mv is Some st' then follow P pl st' moves' else None else Some st.

(* The state's point, and its end. *)
Definition is_point (st : state T) (u : seq (seq T)) : bool :=
  all2 (all2 (fun x y => same (product N x (denominator st)) y)) u (numerators st).

(* The start, in a cell c: the loss at the first vertex is not above the loss there. *)
Definition check_start (P : problem T) (pl : plan T) (st : state T) (c : pattern) (num : seq (seq T)) (den : T) : bool :=
  if arrive P pl c num den is Some (_, cost) then
    le N (product N (loss_there st) den) (product N cost (denominator st))
  else false.

(* The loss is 0 here, and nowhere below 0. *)
Definition check_zero (P : problem T) (st : state T) : bool :=
  is_zero N (loss_there st)
  && all (fun s => all (fun g => le N (below (term g)) (zero N) && le N (zero N) (above (term g))) (goals s)) (samples P).

Definition check_end (P : problem T) (st : state T) (u : seq (seq T)) (t : tree T) : bool :=
  is_point st u && check_local_minimum N P u t.

Definition check_strict_end (P : problem T) (st : state T) (u : seq (seq T)) (t : strict_tree T) : bool :=
  is_point st u && check_strict_local_minimum N P u t.
End Steps.
