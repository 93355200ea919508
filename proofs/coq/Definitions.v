(* What the theorems are about, and all that a reader has to read of it: networks, their L1-like losses, minima.
   T is the type of numbers that a problem is written in; R is any ordered field, as the rational or the real numbers. *)

From mathcomp Require Import all_ssreflect all_algebra.
Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(* An activation and a term of the loss have two slopes, below and above 0. ReLU: 0 and 1; |r|: -1 and 1. *)
Record slopes T := Slopes {below : T; above : T}.
Record neuron T := Neuron {weight : seq T; bias : T; activation : slopes T}.
Definition layer T := seq (neuron T).
(* One output of a sample: its term of the loss has these slopes in prediction minus target. *)
Record goal T := Goal {target : T; term : slopes T}.
Record sample T := Sample {input : seq T; goals : seq (goal T)}.
(* The layers before the trained one; whether this has a bias, and its activations; the layers after it. *)
Record problem T := Problem {
  before : seq (layer T); biased : bool; trained : seq (slopes T); after : seq (layer T); samples : seq (sample T)}.

(* An address: sample, depth from the trained layer on, unit. *)
Definition kink := (nat * nat * nat)%type.

Section Loss.
Variable R : realFieldType.

Fixpoint dot (x y : seq R) : R := if (x, y) is (a :: x', b :: y') then a * b + dot x' y' else 0.

Definition bend (s : slopes R) (t : R) : R := (if t <= 0 then below s else above s) * t.

Fixpoint bends (ss : seq (slopes R)) (z : seq R) : seq R :=
  if (ss, z) is (s :: ss', t :: z') then bend s t :: bends ss' z' else [::].

Definition preactivations (l : layer R) (x : seq R) : seq R := [seq dot (weight u) x + bias u | u <- l].

(* What the trained layer multiplies: the input, pushed through the layers before. *)
Definition feature (P : problem R) (s : sample R) : seq R :=
  foldl (fun x l => bends (map (@activation R) l) (preactivations l x)) (input s) (before P) ++ nseq (biased P) 1.

Fixpoint terms (gs : seq (goal R)) (f : seq R) : R :=
  if (gs, f) is (g :: gs', y :: f') then bend (term g) (y - target g) + terms gs' f' else 0.

Fixpoint residuals (gs : seq (goal R)) (f : seq R) : seq R :=
  if (gs, f) is (g :: gs', y :: f') then y - target g :: residuals gs' f' else [::].

(* A sample's loss, from the preactivations z of a layer with activations ss that the layers ls follow. *)
Fixpoint cost (gs : seq (goal R)) (ss : seq (slopes R)) (ls : seq (layer R)) (z : seq R) : R :=
  if ls is l :: ls' then cost gs (map (@activation R) l) ls' (preactivations l (bends ss z))
  else terms gs (bends ss z).

(* theta has a row for each unit of the trained layer: its weights, and its bias last. *)
Definition loss (P : problem R) (theta : seq (seq R)) : R :=
  \sum_(s <- samples P) cost (goals s) (trained P) (after P) [seq dot row (feature P s) | row <- theta].

(* Points have the same shape, and no two entries differ by e or more. *)
Definition near (e : R) (u theta : seq (seq R)) : bool := all2 (all2 (fun x y => `|y - x| < e)) u theta.

Definition local_minimum (P : problem R) (u : seq (seq R)) : Prop :=
  exists2 e : R, 0 < e & forall theta, near e u theta -> loss P u <= loss P theta.

Definition strict_local_minimum (P : problem R) (u : seq (seq R)) : Prop :=
  exists2 e : R, 0 < e & forall theta, near e u theta -> theta <> u -> loss P u < loss P theta.

Definition global_minimum (P : problem R) (u : seq (seq R)) : Prop :=
  forall theta, shape theta = shape u -> loss P u <= loss P theta.

Definition unique_global_minimum (P : problem R) (u : seq (seq R)) : Prop :=
  forall theta, shape theta = shape u -> theta <> u -> loss P u < loss P theta.
(* Cells. A pattern has a bit for each address: true where the kink's value is >= 0 in the cell, false where <= 0. *)
Definition side (b : bool) (s : slopes R) (t : R) : R := (if b then above s else below s) * t.

Fixpoint sides (bs : seq bool) (ss : seq (slopes R)) (z : seq R) : seq R :=
  if (ss, z) is (s :: ss', t :: z') then side (head true bs) s t :: sides (behead bs) ss' z' else [::].

(* A sample's kinks as the affine functions of the cell: depth by depth from the trained layer on, the residuals last. *)
Fixpoint pieces (gs : seq (goal R)) (ss : seq (slopes R)) (ls : seq (layer R)) (bits : seq (seq bool)) (z : seq R)
    : seq (seq R) :=
  let a := sides (head [::] bits) ss z in
  z :: if ls is l :: ls' then pieces gs (map (@activation R) l) ls' (behead bits) (preactivations l a)
       else [:: residuals gs a].

Definition signed (b : bool) (t : R) : bool := if b then 0 <= t else t <= 0.

(* Only where the slopes differ an address is a kink, and bounds the cell. *)
Definition bent (s : slopes R) : bool := below s != above s.

Fixpoint obeys (bs : seq bool) (ss : seq (slopes R)) (z : seq R) : bool :=
  if (ss, z) is (s :: ss', t :: z') then (bent s ==> signed (head true bs) t) && obeys (behead bs) ss' z' else true.

Definition all_slopes (P : problem R) (s : sample R) : seq (seq (slopes R)) :=
  trained P :: rcons [seq map (@activation R) l | l <- after P] (map (@term R) (goals s)).

Fixpoint obeys_all (bits : seq (seq bool)) (sss : seq (seq (slopes R))) (vs : seq (seq R)) : bool :=
  if (sss, vs) is (ss :: sss', z :: vs') then obeys (head [::] bits) ss z && obeys_all (behead bits) sss' vs' else true.

Definition table (P : problem R) (pattern : seq (seq (seq bool))) (theta : seq (seq R)) : seq (seq (seq R)) :=
  [seq pieces (goals p.1) (trained P) (after P) p.2 [seq dot row (feature P p.1) | row <- theta]
     | p <- zip (samples P) pattern].

Definition in_cell (P : problem R) (pattern : seq (seq (seq bool))) (theta : seq (seq R)) : bool :=
  (size pattern == size (samples P)) &&
  all (fun p => obeys_all p.1.2 (all_slopes P p.1.1) p.2) (zip (zip (samples P) pattern) (table P pattern theta)).

Definition piece P pattern theta (k : kink) : R :=
  nth 0 (nth [::] (nth [::] (table P pattern theta) k.1.1) k.1.2) k.2.

Fixpoint alter A (g : A -> A) (n : nat) (s : seq A) : seq A :=
  match s, n with
  | [::], _ => [::]
  | x :: s', 0 => g x :: s'
  | x :: s', n'.+1 => x :: alter g n' s'
  end.

Definition flip (pattern : seq (seq (seq bool))) (k : kink) := alter (alter (alter negb k.2) k.1.2) k.1.1 pattern.

Definition bit (pattern : seq (seq (seq bool))) (k : kink) : bool :=
  nth true (nth [::] (nth [::] pattern k.1.1) k.1.2) k.2.

Definition is_kink (P : problem R) (k : kink) : bool :=
  bent (nth (Slopes 0 0) (nth [::] (nth [::] [seq all_slopes P s | s <- samples P] k.1.1) k.1.2) k.2).

(* Parameters may be held fixed. `free` has a bit for each one, false where it is held; those missing are true. *)
Fixpoint keeps_row (free : seq bool) (x y : seq R) : bool :=
  if (x, y) is (a :: x', b :: y') then (head true free || (b == a)) && keeps_row (behead free) x' y' else true.

Fixpoint keeps (free : seq (seq bool)) (u theta : seq (seq R)) : bool :=
  if (u, theta) is (x :: u', y :: theta') then keeps_row (head [::] free) x y && keeps (behead free) u' theta' else true.

(* How many are free, of a point whose rows have the sizes ns. *)
Fixpoint number (free : seq (seq bool)) (ns : seq nat) : nat :=
  if ns is n :: ns' then n - count negb (take n (head [::] free)) + number (behead free) ns' else 0.

(* The cell's affine functions of n kinks, n being the number of free parameters, vanish at u and, among the points with
   the same held parameters, nowhere else together. *)
Definition vertex P free pattern (basis : seq kink) (u : seq (seq R)) : Prop :=
  [/\ in_cell P pattern u, size basis = number free (shape u), all (is_kink P) basis,
      all (fun k => piece P pattern u k == 0) basis
    & forall theta, shape theta = shape u -> keeps free u theta -> all (fun k => piece P pattern theta k == 0) basis ->
        theta = u].

(* Two points of one cell; v is a vertex there, and all but one kink of its basis vanish at u too. *)
Definition adjacent P free (u v : seq (seq R)) : Prop :=
  exists pattern shared k, [/\ u <> v, keeps free u v, vertex P free pattern (rcons shared k) v, in_cell P pattern u
    & all (fun k => piece P pattern u k == 0) shared].

(* The loss in a cell is an affine function, too. *)
Definition total (x : seq R) : R := foldr (fun p q => p + q) 0 x.

Fixpoint piece_cost (gs : seq (goal R)) (ss : seq (slopes R)) (ls : seq (layer R)) (bits : seq (seq bool)) z : R :=
  let a := sides (head [::] bits) ss z in
  if ls is l :: ls' then piece_cost gs (map (@activation R) l) ls' (behead bits) (preactivations l a)
  else total (sides (head [::] (behead bits)) (map (@term R) gs) (residuals gs a)).

Definition piece_loss (P : problem R) pattern (theta : seq (seq R)) : R :=
  \sum_(p <- zip (samples P) pattern)
    piece_cost (goals p.1) (trained P) (after P) p.2 [seq dot row (feature P p.1) | row <- theta].

(* At a vertex u: along no edge, where all but one kink of the basis vanish and this one takes the side that its bit says,
   the affine function falls. *)
Definition no_falling_edge P free pattern (basis : seq kink) (u : seq (seq R)) : Prop :=
  forall k theta, k \in basis -> shape theta = shape u -> keeps free u theta ->
    all (fun k' => piece P pattern theta k' == 0) (rem k basis) -> signed (bit pattern k) (piece P pattern theta k) ->
    piece_loss P pattern u <= piece_loss P pattern theta.

(* The published rule stops at u: the kinks of the basis flipped one after another, no edge falls in any of these cells. *)
Definition published_stop P free pattern (basis : seq kink) (u : seq (seq R)) : Prop :=
  basis <> [::] /\ forall i, (0 < i <= size basis)%N -> let c := foldl flip pattern (take i basis) in
    vertex P free c basis u /\ no_falling_edge P free c basis u.

(* u, moved by t times d. *)
Definition moved (t : R) (u d : seq (seq R)) : seq (seq R) :=
  [seq [seq p.1 + t * p.2 | p <- zip q.1 q.2] | q <- zip u d].

(* Along d nothing changes: no kink's function, in whatever pattern, and not the loss. *)
Definition flat P (d : seq (seq R)) : Prop := forall t theta, shape theta = shape d ->
  loss P (moved t theta d) = loss P theta
  /\ forall pattern k, is_kink P k -> piece P pattern (moved t theta d) k = piece P pattern theta k.

(* It does not matter what the held parameters are: each can be moved alone, together with free ones before it, along a
   direction where nothing changes. *)
Definition entry (u : seq (seq R)) (i j : nat) : R := nth 0 (nth [::] u i) j.

Definition is_free (free : seq (seq bool)) (i j : nat) : bool := nth true (nth [::] free i) j.

Definition only_lineality P free (u : seq (seq R)) : Prop :=
  forall i j, (i < size u)%N -> (j < size (nth [::] u i))%N -> ~~ is_free free i j ->
    exists d, [/\ shape d = shape u, flat P d, entry d i j = 1
      & forall i' j', entry d i' j' != 0 -> (i' == i) && (j' == j) || is_free free i' j' && ((i' < i) || (i' == i) && (j' < j))%N].

Definition constant_loss P (u : seq (seq R)) : Prop :=
  forall theta, shape theta = shape u -> loss P theta = loss P u.

(* From u on along d the loss falls forever, with one slope in one cell. *)
Definition falls_forever P pattern (u d : seq (seq R)) : Prop :=
  exists2 s : R, s < 0 & forall t, 0 <= t -> in_cell P pattern (moved t u d) /\ loss P (moved t u d) = loss P u + t * s.

Definition unbounded P (u : seq (seq R)) : Prop :=
  forall bound, exists2 theta, shape theta = shape u & loss P theta < bound.
End Loss.

(* The same problem, with its numbers read in R. *)
Section Embedding.
Variables (T R : Type) (f : T -> R).
Definition map_slopes s := Slopes (f (below s)) (f (above s)).
Definition map_neuron u := Neuron (map f (weight u)) (f (bias u)) (map_slopes (activation u)).
Definition map_goal g := Goal (f (target g)) (map_slopes (term g)).
Definition map_sample s := Sample (map f (input s)) (map map_goal (goals s)).
Definition map_problem P := Problem (map (map map_neuron) (before P)) (biased P) (map map_slopes (trained P))
  (map (map map_neuron) (after P)) (map map_sample (samples P)).
End Embedding.
