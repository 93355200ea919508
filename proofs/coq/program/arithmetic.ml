(* The numbers that the extracted functions compute with: zarith's rationals, in lowest terms. *)

let whole x = Z.equal (Q.den x) Z.one

(* Most numbers are integers, and their sums and products need no common divisor. *)
let add x y = if whole x && whole y then Q.of_bigint (Z.add (Q.num x) (Q.num y)) else Q.add x y
let mul x y = if whole x && whole y then Q.of_bigint (Z.mul (Q.num x) (Q.num y)) else Q.mul x y

let numbers : Q.t Checker.numbers =
  { Checker.zero = Q.zero; one = Q.one; opp = Q.neg; plus = add; product = mul; le = Q.leq }
