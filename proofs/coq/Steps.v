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

(* A step, and what helps to check it: the point; where an exchange does not show that the new basis is one, its inverse;
   the inverse of the basis that stands between, where one does; multipliers where the published rule stops before it. *)
Record move T := Move {
  flips : seq kink; crossed : seq kink; replaced : option (seq kink); leaving : kink; entering : kink;
  to_numerators : seq (seq T); to_denominator : T; inverse : option (seq (seq (seq T)));
  between : option (seq (seq (seq T))); stop : option (seq (seq T))}.

Section Steps.
Variables (T : Type) (N : numbers T).

Definition positive (x : T) : bool := ~~ le N x (zero N).
Definition same_slopes (s s' : slopes T) : bool := same N (below s) (below s') && same N (above s) (above s').
Definition bent_of (s : slopes T) : bool := ~~ same N (below s) (above s).

(* The plan. *)
Definition check_layer (l : layer T) (p : T * layer T) : bool :=
  positive p.1 && all2 (fun u u' => [&& multiple N p.1 (weight u) (weight u'), same N (product N p.1 (bias u)) (bias u')
    & same_slopes (activation u) (activation u')]) l p.2.

Definition check_view (P : problem T) (k : T) (s : sample T) (v : view T) : bool :=
  [&& positive (spread v), multiple N (spread v) (feature_of N P s) (vector v), positive (stretch v),
      all2 (fun g g' => same N (product N (stretch v) (target g)) (target g') && same_slopes (term g) (term g'))
        (goals s) (marks v)
    & same N (product N (factor v) (product N (spread v) (stretch v))) k].

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

(* Parameters that are held: `free` says which are not. *)
Fixpoint is_zero_row (free : seq bool) (row : seq T) : bool :=
  if row is x :: row' then (head true free ==> is_zero N x) && is_zero_row (behead free) row' else true.

Fixpoint is_unit (free : seq bool) (c : nat) (row : seq T) : bool :=
  match row, c with
  | [::], _ => false
  | x :: row', 0 => same N x (one N) && is_zero_row (behead free) row'
  | x :: row', c'.+1 => (head true free ==> is_zero N x) && is_unit (behead free) c' row'
  end.

Fixpoint is_zero_rows (free : seq (seq bool)) (rows : seq (seq T)) : bool :=
  if rows is row :: rows' then is_zero_row (head [::] free) row && is_zero_rows (behead free) rows' else true.

Fixpoint is_unit_rows (free : seq (seq bool)) (r c : nat) (rows : seq (seq T)) : bool :=
  match rows, r with
  | [::], _ => false
  | row :: rows', 0 => is_unit (head [::] free) c row && is_zero_rows (behead free) rows'
  | row :: rows', r'.+1 => is_zero_row (head [::] free) row && is_unit_rows (behead free) r' c rows'
  end.

Fixpoint keeps_row_of (free : seq bool) (x : seq T) (d : T) (y : seq T) (e : T) : bool :=
  if (x, y) is (a :: x', b :: y') then
    (head true free || same N (product N b d) (product N a e)) && keeps_row_of (behead free) x' d y' e
  else true.

(* Of points given as numerators over a denominator. *)
Fixpoint keeps_of (free : seq (seq bool)) (u : seq (seq T)) (d : T) (v : seq (seq T)) (e : T) : bool :=
  if (u, v) is (x :: u', y :: v') then keeps_row_of (head [::] free) x d y e && keeps_of (behead free) u' d v' e
  else true.

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

Definition is_inverse (P : problem T) free (c : pattern) (n m : nat) (ks : seq kink) (inv : seq (seq (seq T))) : bool :=
  all (fun r => all (fun j => nth true (nth [::] free r) j ==>
    if combine P c n m ks (nth [::] (nth [::] inv r) j) is Some rows then is_unit_rows free r j rows else false)
  (iota 0 m)) (iota 0 n).

Definition has_shape (P : problem T) (num : seq (seq T)) : bool :=
  (size num == size (trained P)) && all (fun row => size row == size (head [::] num)) num.

(* The first vertex. *)
Definition first_vertex (P : problem T) (pl : plan T) free (c : pattern) (ks : seq kink) (num : seq (seq T)) (den : T)
    (inv : seq (seq (seq T))) : option (state T) :=
  let m := size (head [::] num) in
  if [&& check_plan P pl, has_shape P num, size ks == number free (shape num), all (is_kink_of P) ks
       & is_inverse P free c (size num) m ks inv] then
    if arrive P pl c num den is Some (values, cost) then
      if all (zero_of values) ks then Some (State c ks num den values cost) else None
    else None
  else None.

(* Flips at a vertex. Is the basis, or the one that replaces it, one in the new cell? *)
Definition deep (P : problem T) (k : kink) : bool := k.1.2 <= size (after P).

Definition is_turn (P : problem T) free (st : state T) (flipped : seq kink) (another : option (seq kink))
    (inv : option (seq (seq (seq T)))) : bool :=
  let old := odflt (basis st) another in
  let num := numerators st in
  if inv is Some inv then
    [&& size old == size (basis st), all (is_kink_of P) old
      & is_inverse P free (foldl flip (cell st) flipped) (size num) (size (head [::] num)) old inv]
  else ~~ isSome another && all (fun k => (k \in basis st) || ~~ deep P k) flipped.

(* The published rule stops: after each flip, multipliers of the basis' normals that give the gradient of the loss. *)
Fixpoint pull_piece (gs : seq (goal T)) (ss : seq (slopes T)) (ls : seq (layer T)) (bits : seq (seq bool))
    : option (seq T) :=
  if ls is l :: ls' then
    if all (fun u => size (weight u) == size ss) l then
      if pull_piece gs (map (@activation T) l) ls' (behead bits) is Some v then
        Some (sides_of (head [::] bits) ss (gather N (size ss) v l))
      else None
    else None
  else if size gs == size ss then
    Some (sides_of (head [::] bits) ss
      (sides_of (head [::] (behead bits)) (map (@term T) gs) (nseq (size ss) (one N))))
  else None.

Fixpoint gradient (P : problem T) (n m : nat) (ss : seq (sample T)) (c : pattern) : option (seq (seq T)) :=
  match ss, c with
  | s :: ss', bits :: c' =>
    let x := feature_of N P s in
    if size x == m then
      if pull_piece (goals s) (trained P) (after P) bits is Some v then
        if gradient P n m ss' c' is Some rows then Some (add_outer N v x rows) else None
      else None
    else None
  | _, _ => Some (nseq n (nseq m (zero N)))
  end.

Definition minus_rows (rows rows' : seq (seq T)) : seq (seq T) :=
  [seq axpy N (opp N (one N)) p.2 p.1 | p <- zip rows rows'].

Definition no_edge_falls (P : problem T) free (c : pattern) (n m : nat) (ks : seq kink) (xs : seq T) : bool :=
  if gradient P n m (samples P) c is Some rows then
    if combine P c n m ks xs is Some rows' then
      is_zero_rows free (minus_rows rows rows') && all2 (fun k x => signed_of (bit c k) x) ks xs
    else false
  else false.

Definition is_stop (P : problem T) free (st : state T) (multipliers : seq (seq T)) : bool :=
  let num := numerators st in
  (basis st != [::]) && all (fun i =>
    no_edge_falls P free (foldl flip (cell st) (take i.+1 (basis st))) (size num) (size (head [::] num)) (basis st)
      (nth [::] multipliers i)) (iota 0 (size (basis st))).

(* A step. *)
Definition next (P : problem T) (pl : plan T) free (st : state T) (mv : move T) : option (state T) :=
  let old := odflt (basis st) (replaced mv) in
  let shared := rem (leaving mv) old in
  let new := rcons shared (entering mv) in
  let c := foldl flip (foldl flip (cell st) (flips mv)) (crossed mv) in
  let num := to_numerators mv in
  let m := size (head [::] num) in
  let here := zero_of (values_there st) in
  let turns := is_turn P free st (flips mv) (replaced mv) (between mv) in
  if [&& has_shape P num, size num == size (numerators st), m == size (head [::] (numerators st)),
       size new == number free (shape num), all (is_kink_of P) new
     & [&& leaving mv \in old, all here old, all here (flips mv), isSome (replaced mv) ==> turns
     & if inverse mv is Some inv then is_inverse P free c (size num) m new inv
       else [&& turns, all (fun k => ~~ deep P k) (crossed mv) & ~~ here (entering mv)]]] then
    if arrive P pl c num (to_denominator mv) is Some (values, cost) then
      let before := product N (loss_there st) (to_denominator mv) in
      let behind := product N cost (denominator st) in
      let falls := ~~ le N before behind in
      if [&& keeps_of free (numerators st) (denominator st) num (to_denominator mv), all (zero_of values) new,
             le N behind before, if crossed mv is [::] then ~~ here (entering mv) else falls
           & if stop mv is Some xs then falls && is_stop P free st xs else true] then
        Some (State c new num (to_denominator mv) values cost)
      else None
    else None
  else None.

Fixpoint follow (P : problem T) (pl : plan T) free (st : state T) (moves : seq (move T)) : option (state T) :=
  if moves is mv :: moves' then
    if next P pl free st mv is Some st' then follow P pl free st' moves' else None
  else Some st.

(* The state's point, and its end. *)
Definition is_point (st : state T) (u : seq (seq T)) : bool :=
  all2 (all2 (fun x y => same N (product N x (denominator st)) y)) u (numerators st).

(* The start, in a cell c: the loss at the first vertex is not above the loss there. *)
Definition check_start (P : problem T) (pl : plan T) free (st : state T) (c : pattern) (num : seq (seq T)) (den : T) : bool :=
  if arrive P pl c num den is Some (_, cost) then
    keeps_of free num den (numerators st) (denominator st)
    && le N (product N (loss_there st) den) (product N cost (denominator st))
  else false.

(* The loss is 0 here, and nowhere below 0. *)
Definition check_zero (P : problem T) (st : state T) : bool :=
  is_zero N (loss_there st)
  && all (fun s => all (fun g => le N (below (term g)) (zero N) && le N (zero N) (above (term g))) (goals s)) (samples P).

Definition check_end (P : problem T) (st : state T) (u : seq (seq T)) (t : tree T) : bool :=
  is_point st u && check_local_minimum N P u t.

Definition check_strict_end (P : problem T) (st : state T) (u : seq (seq T)) (t : strict_tree T) : bool :=
  is_point st u && check_strict_local_minimum N P u t.

(* The loss falls forever along a ray: all kinks of the cell keep their sides, and the loss is lower one step along it. *)
Fixpoint pieces_of (gs : seq (goal T)) (ss : seq (slopes T)) (ls : seq (layer T)) (bits : seq (seq bool)) (z : seq T)
    : seq (seq T) :=
  let a := sides_of (head [::] bits) ss z in
  z :: if ls is l :: ls' then pieces_of gs (map (@activation T) l) ls' (behead bits) (preactivations_of N l a)
       else [:: residuals_of N gs a].

Definition table_of (P : problem T) (c : pattern) (theta : seq (seq T)) : seq (seq (seq T)) :=
  [seq pieces_of (goals p.1) (trained P) (after P) p.2 (dots_of N theta (feature_of N P p.1)) | p <- zip (samples P) c].

Fixpoint goes (bs : seq bool) (ss : seq (slopes T)) (z z' : seq T) : bool :=
  if (ss, z, z') is (s :: ss', x :: y, x' :: y') then
    (bent_of s ==> if head true bs then le N x x' else le N x' x) && goes (behead bs) ss' y y'
  else true.

Fixpoint goes_all (bits : seq (seq bool)) (sss : seq (seq (slopes T))) (vs vs' : seq (seq T)) : bool :=
  if (sss, vs, vs') is (ss :: sss', z :: ws, z' :: ws') then
    goes (head [::] bits) ss z z' && goes_all (behead bits) sss' ws ws'
  else true.

Fixpoint stays (P : problem T) (u v : seq (seq T)) (ss : seq (sample T)) (c : pattern) : bool :=
  match ss, c with
  | s :: ss', bits :: c' =>
    let x := feature_of N P s in
    let at_ w := pieces_of (goals s) (trained P) (after P) bits (dots_of N w x) in
    [&& obeys_all_of bits (all_slopes_of P s) (at_ u), goes_all bits (all_slopes_of P s) (at_ u) (at_ v)
      & stays P u v ss' c']
  | [::], [::] => true
  | _, _ => false
  end.

Definition add_rows (u d : seq (seq T)) : seq (seq T) := [seq axpy N (one N) p.1 p.2 | p <- zip u d].

Definition check_ray (P : problem T) (c : pattern) (u d : seq (seq T)) : bool :=
  let v := add_rows u d in
  [&& all2 (fun x y => size x == size y) u d, stays P u v (samples P) c & ~~ le N (loss_of N P u) (loss_of N P v)].

(* The ray is the edge of the state's vertex, after flips and perhaps with another basis, that leaves a kink. *)
Definition check_edge (P : problem T) free (st : state T) (u : seq (seq T)) (flipped : seq kink)
    (another : option (seq kink)) (inv : option (seq (seq (seq T)))) (leaves : kink) (d : seq (seq T)) : bool :=
  let old := odflt (basis st) another in
  let c := foldl flip (cell st) flipped in
  let v := add_rows u d in
  let here := zero_of (values_there st) in
  [&& is_point st u, all here flipped, all here old, is_turn P free st flipped another inv
    & [&& leaves \in old, keeps_of free u (one N) v (one N), all (zero_of (table_of P c v)) (rem leaves old)
      & check_ray P c u d]].

(* Directions along which nothing changes: no kink is reached, and the samples' losses change by nothing in sum. *)
Fixpoint passes (ss : seq (slopes T)) (dz : seq T) : option (seq T) :=
  if (ss, dz) is (s :: ss', x :: dz') then
    if ~~ bent_of s || is_zero N x then
      if passes ss' dz' is Some da then Some (product N (above s) x :: da) else None
    else None
  else Some [::].

Fixpoint drift (gs : seq (goal T)) (ss : seq (slopes T)) (ls : seq (layer T)) (dz : seq T) : option T :=
  if passes ss dz is Some da then
    if ls is l :: ls' then drift gs (map (@activation T) l) ls' [seq dot_of N (weight u) da | u <- l]
    else if passes (map (@term T) gs) da is Some dr then Some (total_of dr) else None
  else None.

Fixpoint drifts (P : problem T) (d : seq (seq T)) (ss : seq (sample T)) : option T :=
  if ss is s :: ss' then
    if drift (goals s) (trained P) (after P) (dots_of N d (feature_of N P s)) is Some x then
      if drifts P d ss' is Some y then Some (plus N x y) else None
    else None
  else Some (zero N).

Definition is_flat (P : problem T) (d : seq (seq T)) : bool :=
  if drifts P d (samples P) is Some x then is_zero N x else false.

(* For each held parameter a direction. *)
Definition may_move (free : seq (seq bool)) (i j i' j' : nat) (x : T) : bool :=
  if (i' == i) && (j' == j) then same N x (one N)
  else is_free free i' j' && ((i' < i) || (i' == i) && (j' < j)) || is_zero N x.

Definition check_lineality (P : problem T) (free : seq (seq bool)) (u : seq (seq T))
    (directions : seq (seq (seq (seq T)))) : bool :=
  all (fun i => all (fun j => is_free free i j ||
    let d := nth [::] (nth [::] directions i) j in
    [&& all2 (fun x y => size x == size y) u d, is_flat P d
      & all (fun i' => all (fun j' => may_move free i j i' j' (nth (zero N) (nth [::] d i') j'))
          (iota 0 (size (nth [::] d i')))) (iota 0 (size d))])
    (iota 0 (size (nth [::] u i)))) (iota 0 (size u)).

(* Ranges: bounds of a function over all parameters, None for none. *)
Definition range := (option T * option T)%type.

Definition scale_range (c : T) (r : range) : range :=
  if is_zero N c then (Some (zero N), Some (zero N))
  else if le N (zero N) c then (omap (product N c) r.1, omap (product N c) r.2)
  else (omap (product N c) r.2, omap (product N c) r.1).

Definition add_ends (x y : option T) : option T :=
  if x is Some a then (if y is Some b then Some (plus N a b) else None) else None.

Definition add_range (r s : range) : range := (add_ends r.1 s.1, add_ends r.2 s.2).

Definition least_end (x y : option T) : option T :=
  if x is Some a then (if y is Some b then Some (if le N a b then a else b) else None) else None.

Definition greatest_end (x y : option T) : option T :=
  if x is Some a then (if y is Some b then Some (if le N a b then b else a) else None) else None.

Definition bend_range (s : slopes T) (r : range) : range :=
  if same N (below s) (above s) || (if r.1 is Some l then le N (zero N) l else false) then scale_range (above s) r
  else if (if r.2 is Some h then le N h (zero N) else false) then scale_range (below s) r
  else let left := scale_range (below s) (r.1, Some (zero N)) in
       let right := scale_range (above s) (Some (zero N), r.2) in
       (least_end left.1 right.1, greatest_end left.2 right.2).

Fixpoint bend_ranges (ss : seq (slopes T)) (rs : seq range) : seq range :=
  if (ss, rs) is (s :: ss', r :: rs') then bend_range s r :: bend_ranges ss' rs' else [::].

Definition point_range (x : T) : range := (Some x, Some x).

Fixpoint dot_range (w : seq T) (rs : seq range) : range :=
  if (w, rs) is (a :: w', r :: rs') then add_range (scale_range a r) (dot_range w' rs') else point_range (zero N).

Definition layer_ranges (l : layer T) (rs : seq range) : seq range :=
  [seq add_range (dot_range (weight u) rs) (point_range (bias u)) | u <- l].

Fixpoint terms_range (gs : seq (goal T)) (rs : seq range) : range :=
  if (gs, rs) is (g :: gs', r :: rs') then
    add_range (bend_range (term g) (add_range r (point_range (opp N (target g))))) (terms_range gs' rs')
  else point_range (zero N).

Fixpoint cost_range (gs : seq (goal T)) (ss : seq (slopes T)) (ls : seq (layer T)) (rs : seq range) : range :=
  if ls is l :: ls' then cost_range gs (map (@activation T) l) ls' (layer_ranges l (bend_ranges ss rs))
  else terms_range gs (bend_ranges ss rs).

Definition loss_range (P : problem T) : range :=
  foldr (fun s r => add_range (cost_range (goals s) (trained P) (after P)
    (nseq (size (trained P)) (if all (is_zero N) (feature_of N P s) then point_range (zero N) else (None, None)))) r)
    (point_range (zero N)) (samples P).

(* No parameters can do better than the state's point, or than the start, whose loss is all that there is. *)
Definition check_bound (P : problem T) (st : state T) (u : seq (seq T)) : bool :=
  is_point st u && (if (loss_range P).1 is Some b then le N (loss_of N P u) b else false).

Definition check_constant (P : problem T) (pl : plan T) (c : pattern) (num : seq (seq T)) (den : T) : bool :=
  [&& check_plan P pl, has_shape P num, isSome (arrive P pl c num den)
    & if loss_range P is (Some b, Some b') then le N b' b else false].
End Steps.
