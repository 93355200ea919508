(* SHA-256 (FIPS 180-4), as 64 lower-case hexadecimal digits; fed piece by piece. *)

type t = { state : int array; block : Bytes.t; mutable filled : int; mutable length : int }

let mask = 0xffffffff

(* The first 32 bits of the fractional parts of the roots of the first primes, in integers. *)
let primes count =
  let rec go found n =
    if List.length found = count then List.rev found
    else go (if List.exists (fun p -> n mod p = 0) found then found else n :: found) (n + 1)
  in
  go [] 2

let fraction degree p = Z.to_int (Z.logand (Z.root (Z.shift_left (Z.of_int p) (32 * degree)) degree) (Z.of_int mask))
let constants = Array.of_list (List.map (fraction 3) (primes 64))
let create () = { state = Array.of_list (List.map (fraction 2) (primes 8)); block = Bytes.create 64; filled = 0; length = 0 }
let rotate x n = ((x lsr n) lor (x lsl (32 - n))) land mask

let compress t =
  let w = Array.make 64 0 in
  for i = 0 to 15 do
    w.(i) <- Int32.to_int (Bytes.get_int32_be t.block (4 * i)) land mask
  done;
  for i = 16 to 63 do
    let s0 = rotate w.(i - 15) 7 lxor rotate w.(i - 15) 18 lxor (w.(i - 15) lsr 3) in
    let s1 = rotate w.(i - 2) 17 lxor rotate w.(i - 2) 19 lxor (w.(i - 2) lsr 10) in
    w.(i) <- (w.(i - 16) + s0 + w.(i - 7) + s1) land mask
  done;
  let v = Array.copy t.state in
  for i = 0 to 63 do
    let e = v.(4) and a = v.(0) in
    let s1 = rotate e 6 lxor rotate e 11 lxor rotate e 25 and choice = e land v.(5) lxor (lnot e land mask land v.(6)) in
    let first = (v.(7) + s1 + choice + constants.(i) + w.(i)) land mask in
    let s0 = rotate a 2 lxor rotate a 13 lxor rotate a 22 in
    let majority = a land v.(1) lxor (a land v.(2)) lxor (v.(1) land v.(2)) in
    Array.blit v 0 v 1 7;
    v.(4) <- (v.(4) + first) land mask;
    v.(0) <- (first + s0 + majority) land mask
  done;
  Array.iteri (fun i x -> t.state.(i) <- (x + v.(i)) land mask) t.state

let feed t text =
  let position = ref 0 and size = String.length text in
  t.length <- t.length + size;
  while !position < size do
    let part = min (64 - t.filled) (size - !position) in
    Bytes.blit_string text !position t.block t.filled part;
    position := !position + part;
    t.filled <- t.filled + part;
    if t.filled = 64 then (compress t; t.filled <- 0)
  done

(* The digest of what was fed; more can be fed afterwards. *)
let digest original =
  let t = { original with state = Array.copy original.state; block = Bytes.copy original.block } in
  let length = t.length in
  feed t "\x80";
  while t.filled <> 56 do feed t "\x00" done;
  let tail = Bytes.create 8 in
  Bytes.set_int64_be tail 0 (Int64.of_int (8 * length));
  feed t (Bytes.to_string tail);
  String.concat "" (Array.to_list (Array.map (Printf.sprintf "%08x") t.state))
