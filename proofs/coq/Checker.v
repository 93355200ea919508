(* The checker: functions that compute. What they decide is proved in Minimum.v. *)

From mathcomp Require Import all_ssreflect.
From Exactdrl Require Import Definitions Numbers.
Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

(* Which signs a leaf of a tree gives to kinks, by sample, depth from the trained layer, unit: Some true is >= 0. *)
Definition signs := nat -> nat -> nat -> option bool.

Section Checker.
Variables (T : Type) (N : numbers T).

Fixpoint dot_of (x y : seq T) : T :=
  if (x, y) is (a :: x', b :: y') then plus N (product N a b) (dot_of x' y') else zero N.

Definition bend_of (s : slopes T) (t : T) : T := product N (if le N t (zero N) then below s else above s) t.

Fixpoint bends_of (ss : seq (slopes T)) (z : seq T) : seq T :=
  if (ss, z) is (s :: ss', t :: z') then bend_of s t :: bends_of ss' z' else [::].

Definition preactivations_of (l : layer T) (x : seq T) : seq T :=
  [seq plus N (dot_of (weight u) x) (bias u) | u <- l].

Definition feature_of (P : problem T) (s : sample T) : seq T :=
  foldl (fun x l => bends_of (map (@activation T) l) (preactivations_of l x)) (input s) (before P)
  ++ nseq (biased P) (one N).

Fixpoint residuals_of (gs : seq (goal T)) (f : seq T) : seq T :=
  if (gs, f) is (g :: gs', y :: f') then plus N y (opp N (target g)) :: residuals_of gs' f' else [::].

(* x times c, plus y. *)
Fixpoint axpy (c : T) (x y : seq T) : seq T :=
  if (x, y) is (a :: x', b :: y') then plus N (product N a c) b :: axpy c x' y' else [::].

(* A slope of y times an activation at t, which is valid on the side that the sign names: the only one unless t is 0 and
   the activation bends there; then the one proposed, h, if it lies in between. *)
Definition slope_at (s : slopes T) (t y h : T) (sign : option bool) : option T :=
  let low := product N y (below s) in
  let high := product N y (above s) in
  if ~~ le N t (zero N) || (le N (below s) (above s) && le N (above s) (below s)) then Some high
  else if ~~ le N (zero N) t then Some low
  else if ((sign == Some true) || le N low h) && ((sign == Some false) || le N h high) then Some h
  else None.

Fixpoint slopes_at (sign : nat -> option bool) (ss : seq (slopes T)) (z ys hs : seq T) : option (seq T) :=
  match ss, z, ys with
  | s :: ss', t :: z', y :: ys' =>
    if slope_at s t y (head (zero N) hs) (sign 0) is Some m then
      if slopes_at (fun j => sign j.+1) ss' z' ys' (behead hs) is Some ms then Some (m :: ms) else None
    else None
  | [::], [::], [::] => Some [::]
  | _, _, _ => None
  end.

(* The combination of a layer's rows. *)
Fixpoint gather (n : nat) (ms : seq T) (l : layer T) : seq T :=
  if (ms, l) is (m :: ms', u :: l') then axpy m (weight u) (gather n ms' l') else nseq n (zero N).

(* Slopes of a sample's loss in the preactivations z: backpropagation, where the hints choose a slope at each kink. *)
Fixpoint pull (sign : nat -> nat -> option bool) (gs : seq (goal T)) (ss : seq (slopes T)) (ls : seq (layer T))
    (z : seq T) (hints : seq (seq T)) : option (seq T) :=
  let a := bends_of ss z in
  let ys := if ls is l :: ls' then
      let z' := preactivations_of l a in
      if all (fun u => size (weight u) == size a) l then
        if pull (fun d => sign d.+1) gs (map (@activation T) l) ls' z' (behead hints) is Some ms
        then Some (gather (size a) ms l) else None
      else None
    else
      slopes_at (sign 1) (map (@term T) gs) (residuals_of gs a) (nseq (size a) (one N)) (head [::] (behead hints)) in
  if ys is Some ys then slopes_at (sign 0) ss z ys (head [::] hints) else None.

Definition dots_of (rows : seq (seq T)) (x : seq T) : seq T := [seq dot_of row x | row <- rows].

(* Adds the products of m and x. *)
Fixpoint add_outer (ms x : seq T) (rows : seq (seq T)) : seq (seq T) :=
  if (ms, rows) is (m :: ms', row :: rows') then axpy m x row :: add_outer ms' x rows' else [::].

(* The samples' slopes in the parameters, added up; i counts samples. *)
Fixpoint collect (sign : signs) (P : problem T) (u : seq (seq T)) (m : nat) (i : nat) (ss : seq (sample T))
    (hints : seq (seq (seq T))) : option (seq (seq T)) :=
  if ss is s :: ss' then
    let x := feature_of P s in
    if size x == m then
      if pull (sign i) (goals s) (trained P) (after P) (dots_of u x) (head [::] hints) is Some ms then
        if collect sign P u m i.+1 ss' (behead hints) is Some rows then Some (add_outer ms x rows) else None
      else None
    else None
  else Some (nseq (size u) (nseq m (zero N))).

Definition is_zero (x : T) : bool := le N x (zero N) && le N (zero N) x.

(* The point's shape, and slopes that add up to 0. *)
Definition is_balanced (sign : signs) (P : problem T) (u : seq (seq T)) (hints : seq (seq (seq T))) : bool :=
  let m := size (head [::] u) in
  [&& size u == size (trained P), all (fun row => size row == m) u
    & if collect sign P u m 0 (samples P) hints is Some rows then all (all is_zero) rows else false].

(* Kinks split the neighbourhood: below a Split, the kink's sign is + in the first tree, - in the second. So is that of
   each kink tied to it, whose value is a multiple of this kink's, or the opposite one where the factor is negative. *)
Inductive tree := Leaf of seq (seq (seq T)) | Split of kink & seq (kink * T) & tree & tree.

Definition same (x y : T) : bool := le N x y && le N y x.
Definition multiple (c : T) (xs ys : seq T) : bool := all2 (fun x y => same (product N c x) y) xs ys.

Definition feature_at (P : problem T) (i : nat) : option (seq T) :=
  if drop i (samples P) is s :: _ then Some (feature_of P s) else None.

(* Kinks of one unit of the trained layer, on samples whose features are proportional. *)
Definition is_tied (P : problem T) (k : kink) (t : kink * T) : bool :=
  [&& k.1.2 == 0, t.1.1.2 == 0, t.1.2 == k.2
    & if feature_at P k.1.1 is Some x then
        if feature_at P t.1.1.1 is Some y then multiple t.2 x y else false
      else false].

Definition fix_sign (sign : signs) (k : kink) (b : bool) : signs :=
  fun i d j => if (i, d, j) == k then Some b else sign i d j.

Definition fix_signs (sign : signs) (k : kink) (ties : seq (kink * T)) (b : bool) : signs :=
  foldr (fun t s => fix_sign s t.1 (if le N (zero N) t.2 then b else ~~ b)) (fix_sign sign k b) ties.

Fixpoint is_closed (sign : signs) (P : problem T) (u : seq (seq T)) (t : tree) : bool :=
  match t with
  | Leaf hints => is_balanced sign P u hints
  | Split k ties plus minus =>
    [&& all (is_tied P k) ties, is_closed (fix_signs sign k ties true) P u plus
      & is_closed (fix_signs sign k ties false) P u minus]
  end.

Definition no_signs : signs := fun _ _ _ => None.

Definition check_local_minimum (P : problem T) (u : seq (seq T)) (t : tree) : bool := is_closed no_signs P u t.

(* Strict minima. For each parameter and both signs, slopes that add up to a multiple with that sign of this parameter
   alone: then the loss rises at least so fast along it. *)
Fixpoint is_axis (b : bool) (c : nat) (row : seq T) : bool :=
  match row, c with
  | [::], _ => false
  | x :: row', 0 => (if b then ~~ le N x (zero N) else ~~ le N (zero N) x) && all is_zero row'
  | x :: row', c'.+1 => is_zero x && is_axis b c' row'
  end.

Fixpoint is_axis_rows (b : bool) (r c : nat) (rows : seq (seq T)) : bool :=
  match rows, r with
  | [::], _ => false
  | row :: rows', 0 => is_axis b c row && all (all is_zero) rows'
  | row :: rows', r'.+1 => all is_zero row && is_axis_rows b r' c rows'
  end.

Definition rises (sign : signs) (P : problem T) (u : seq (seq T)) (r c : nat) (b : bool) (hints : seq (seq (seq T))) : bool :=
  if collect sign P u (size (head [::] u)) 0 (samples P) hints is Some rows then is_axis_rows b r c rows else false.

(* At a leaf: for each row and column of the parameters the hints for both signs. *)
Inductive strict_tree :=
  | StrictLeaf of seq (seq (seq (seq (seq T)) * seq (seq (seq T))))
  | StrictSplit of kink & seq (kink * T) & strict_tree & strict_tree.

Fixpoint is_strict (sign : signs) (P : problem T) (u : seq (seq T)) (t : strict_tree) : bool :=
  match t with
  | StrictLeaf hints =>
    let m := size (head [::] u) in
    [&& size u == size (trained P), all (fun row => size row == m) u
      & all (fun r => all (fun c =>
          let pair := nth ([::], [::]) (nth [::] hints r) c in
          rises sign P u r c true pair.1 && rises sign P u r c false pair.2) (iota 0 m)) (iota 0 (size u))]
  | StrictSplit k ties plus minus =>
    [&& all (is_tied P k) ties, is_strict (fix_signs sign k ties true) P u plus
      & is_strict (fix_signs sign k ties false) P u minus]
  end.

Definition check_strict_local_minimum (P : problem T) (u : seq (seq T)) (t : strict_tree) : bool :=
  is_strict no_signs P u t.

(* The loss is convex: nothing bends before the residuals, and these bend upwards. *)
Definition is_convex (P : problem T) : bool :=
  [&& size (after P) == 0, all (fun s => le N (below s) (above s) && le N (above s) (below s)) (trained P)
    & all (fun s => all (fun g => le N (below (term g)) (above (term g))) (goals s)) (samples P)].

Definition check_global_minimum (P : problem T) (u : seq (seq T)) (hints : seq (seq (seq T))) : bool :=
  is_convex P && is_balanced no_signs P u hints.

Definition check_unique_global_minimum (P : problem T) (u : seq (seq T)) (t : strict_tree) : bool :=
  is_convex P && (if t is StrictLeaf _ then is_strict no_signs P u t else false).

(* The loss, for the report. *)
Fixpoint cost_of (gs : seq (goal T)) (ss : seq (slopes T)) (ls : seq (layer T)) (z : seq T) : T :=
  let a := bends_of ss z in
  if ls is l :: ls' then cost_of gs (map (@activation T) l) ls' (preactivations_of l a)
  else foldr (plus N) (zero N) (bends_of (map (@term T) gs) (residuals_of gs a)).

Definition loss_of (P : problem T) (u : seq (seq T)) : T :=
  foldr (plus N) (zero N) [seq cost_of (goals s) (trained P) (after P) (dots_of u (feature_of P s)) | s <- samples P].
End Checker.
