(* JSON in ASCII. Numbers stay text; keys occur once; everything else is malformed. *)

exception Malformed of string

type t = Null | Bool of bool | Number of string | String of string | List of t list | Object of (string * t) list

let demand condition reason = if not condition then raise (Malformed reason)

let parse place text =
  let size = String.length text and position = ref 0 in
  let fail () = raise (Malformed (place ^ ": not JSON in ASCII")) in
  let peek () = if !position < size then text.[!position] else '\000' in
  let rec blank () = match peek () with ' ' | '\t' | '\n' | '\r' -> incr position; blank () | _ -> () in
  let expect c = if peek () = c && !position < size then incr position else fail () in
  let word w value =
    let n = String.length w in
    if !position + n <= size && String.sub text !position n = w then (position := !position + n; value) else fail ()
  in
  let string () =
    expect '"';
    let start = !position in
    while !position < size && text.[!position] <> '"' do
      (* no name or number of the format needs an escape *)
      if text.[!position] < ' ' || text.[!position] > '~' || text.[!position] = '\\' then fail ();
      incr position
    done;
    let found = String.sub text start (!position - start) in
    expect '"'; found
  in
  let number () =
    let start = !position in
    let digits () =
      let first = !position in
      while peek () >= '0' && peek () <= '9' do incr position done;
      if !position = first then fail ()
    in
    if peek () = '-' then incr position;
    let lead = !position in
    digits ();
    if text.[lead] = '0' && !position > lead + 1 then fail ();
    if peek () = '.' then (incr position; digits ());
    if peek () = 'e' || peek () = 'E' then (
      incr position;
      if peek () = '+' || peek () = '-' then incr position;
      digits ());
    Number (String.sub text start (!position - start))
  in
  let rec value depth =
    if depth > 900 then fail ();
    blank ();
    let found =
      match peek () with
      | '{' -> incr position; members depth []
      | '[' -> incr position; entries depth []
      | '"' -> String (string ())
      | 't' -> word "true" (Bool true)
      | 'f' -> word "false" (Bool false)
      | 'n' -> word "null" Null
      | _ -> number ()
    in
    blank (); found
  and entries depth found =
    blank ();
    if found = [] && peek () = ']' then (incr position; List [])
    else
      let found = value (depth + 1) :: found in
      if peek () = ',' then (incr position; entries depth found) else (expect ']'; List (List.rev found))
  and members depth found =
    blank ();
    if found = [] && peek () = '}' then (incr position; Object [])
    else
      let key = string () in
      blank (); expect ':';
      demand (not (List.mem_assoc key found)) (place ^ ": a key occurs twice in one object");
      let found = (key, value (depth + 1)) :: found in
      if peek () = ',' then (incr position; blank (); members depth found) else (expect '}'; Object (List.rev found))
  in
  let found = value 0 in
  if !position <> size then fail ();
  found

(* An object with these keys, and perhaps those; returns how to look them up. *)
let fields place needed optional = function
  | Object found ->
    let known = needed @ optional in
    List.iter (fun (key, _) -> demand (List.mem key known) (place ^ ": its keys are not those of the format")) found;
    List.iter (fun key -> demand (List.mem_assoc key found) (place ^ ": its keys are not those of the format")) needed;
    fun key -> Option.value (List.assoc_opt key found) ~default:Null
  | _ -> raise (Malformed (place ^ ": not an object"))

let list place = function List found -> found | _ -> raise (Malformed (place ^ ": not a list"))
let text place = function String found -> found | _ -> raise (Malformed (place ^ ": not a string"))

let integer place = function
  | Number found when String.for_all (fun c -> c = '-' || (c >= '0' && c <= '9')) found && String.length found < 18 ->
    int_of_string found
  | _ -> raise (Malformed (place ^ ": not an integer"))

(* A number (FORMAT.md, section 1). *)
let is_digit c = c >= '0' && c <= '9'
let is_hex c = is_digit c || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')

let rational place value =
  let found = match value with String s -> s | Number s -> s | _ -> raise (Malformed (place ^ ": not a number")) in
  let fail () = raise (Malformed (place ^ ": a number is neither decimal, ratio nor hexadecimal float")) in
  let size = String.length found in
  demand (size <= 100_000) (place ^ ": a number has over 100000 characters");
  let negative = size > 0 && found.[0] = '-' in
  let body = if negative then String.sub found 1 (size - 1) else found in
  let signed q = if negative then Q.neg q else q in
  let digits test s = s <> "" && String.for_all test s in
  let natural s = if digits is_digit s then Z.of_string_base 10 s else fail () in
  match String.index_opt body '/' with
  | Some slash ->
    let p = natural (String.sub body 0 slash) and q = natural (String.sub body (slash + 1) (String.length body - slash - 1)) in
    if Z.equal q Z.zero then fail () else signed (Q.make p q)
  | None ->
    let is_hexadecimal = String.length body > 1 && body.[0] = '0' && (body.[1] = 'x' || body.[1] = 'X') in
    let body = if is_hexadecimal then String.sub body 2 (String.length body - 2) else body in
    let test, base, root, places, cap, marks =
      if is_hexadecimal then (is_hex, 16, 2, 4, 40_000, [ 'p'; 'P' ]) else (is_digit, 10, 10, 1, 10_000, [ 'e'; 'E' ])
    in
    let at = List.find_map (String.index_opt body) marks in
    let mantissa, power =
      match at with
      | None -> if is_hexadecimal then fail () else (body, 0)
      | Some at ->
        let exponent = String.sub body (at + 1) (String.length body - at - 1) in
        let minus = exponent <> "" && exponent.[0] = '-' in
        let plus = exponent <> "" && exponent.[0] = '+' in
        let bare = if minus || plus then String.sub exponent 1 (String.length exponent - 1) else exponent in
        let size = natural bare in
        demand (Z.leq size (Z.of_int cap)) (place ^ ": a number's exponent is over " ^ string_of_int cap);
        (String.sub body 0 at, if minus then -Z.to_int size else Z.to_int size)
    in
    let whole, behind =
      match String.index_opt mantissa '.' with
      | None -> (mantissa, "")
      | Some dot -> (String.sub mantissa 0 dot, String.sub mantissa (dot + 1) (String.length mantissa - dot - 1))
    in
    if not (digits test (whole ^ behind)) then fail ();
    let exponent = power - (places * String.length behind) in
    let scale = Z.pow (Z.of_int root) (abs exponent) and size = Z.of_string_base base (whole ^ behind) in
    signed (if exponent >= 0 then Q.of_bigint (Z.mul size scale) else Q.make size scale)
