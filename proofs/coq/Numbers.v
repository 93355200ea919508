(* The arithmetic that the checker computes with: any type whose operations are those of an ordered field's elements. *)

From mathcomp Require Import all_ssreflect all_algebra.
Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Record numbers T := Numbers {
  zero : T; one : T; opp : T -> T; plus : T -> T -> T; product : T -> T -> T; le : T -> T -> bool}.

(* f reads the numbers as elements of R. *)
Record reading T (N : numbers T) (R : realFieldType) (f : T -> R) : Prop := Reading {
  read_zero : f (zero N) = 0;
  read_one : f (one N) = 1;
  read_opp : forall x, f (opp N x) = - f x;
  read_add : forall x y, f (plus N x y) = f x + f y;
  read_mul : forall x y, f (product N x y) = f x * f y;
  read_le : forall x y, le N x y = (f x <= f y)}.

(* The rational numbers, as Coq's library has them. The extracted program computes with another implementation. *)
Definition rationals : numbers rat :=
  Numbers (0 : rat) 1 (fun x => - x) (fun x y => x + y) (fun x y => x * y) (fun x y => x <= y).

(* Every ordered field holds the rational numbers. *)
Lemma reading_rationals (R : realFieldType) : reading rationals (@ratr R).
Proof.
split => //=; [exact: rmorph0 | exact: rmorph1 | exact: rmorphN | exact: rmorphD | exact: rmorphM |].
by move=> x y; rewrite ler_rat.
Qed.
