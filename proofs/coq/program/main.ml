(* check INSTANCE RUN HINTS: one line, accepted (0), rejected (1), malformed (2) or unsupported (3). *)

open Checker
open! Stdlib
open Json
open Files

exception Rejected of string

let require condition reason = if not condition then raise (Rejected reason)
let numbers = Arithmetic.numbers
let usage = "usage: check INSTANCE RUN HINTS, where - stands for hints from the standard input"
let name place value =
  let found = text place value in
  let fits c = (c >= 'a' && c <= 'z') || is_digit c || c = '-' in
  demand (found <> "" && String.length found <= 64 && found.[0] >= 'a' && found.[0] <= 'z' && String.for_all fits found)
    (place ^ ": not a name")

let contains part whole =
  let n = String.length part in
  let rec go i = i + n <= String.length whole && (String.sub whole i n = part || go (i + 1)) in
  go 0

let object_has key = function Object found -> List.mem_assoc key found | _ -> false

(* Hints. *)
let hint place = function Some line -> parse place line | None -> raise (Malformed (place ^ ": the hints break off"))

let whole place value =
  let found = text place value in
  demand (String.length found < line_cap && found <> "") (place ^ ": not an integer");
  match Z.of_string found with z -> Q.of_bigint z | exception Invalid_argument _ -> raise (Malformed (place ^ ": not an integer"))

let point place value =
  let field = fields place [ "numerators"; "denominator" ] [] value in
  let rows = List.map (fun row -> List.map (whole place) (list place row)) (list place (field "numerators")) in
  (rows, whole place (field "denominator"))

let inverse place = function
  | Null -> None
  | value -> Some (List.map (fun rows -> List.map (fun row -> vector place row) (list place rows)) (list place value))

(* Chosen slopes, for each sample, depth and unit; 0 where none is given. *)
let slopes_of inst place value =
  let found = Hashtbl.create 64 in
  List.iter (fun entry -> match list place entry with
      | [ l; i; u; number ] -> Hashtbl.replace found (kink inst place (List [ l; i; u ])) (rational place number)
      | _ -> raise (Malformed (place ^ ": not a kink and a number"))) (list place value);
  let deepest = List.length inst.problem.after + 1 and widest = List.fold_left max 0 inst.widths in
  List.mapi (fun i _ -> List.init (deepest + 1) (fun d ->
      List.init widest (fun u -> Option.value (Hashtbl.find_opt found ((i, d), u)) ~default:Q.zero))) inst.problem.samples

let split_of inst place value =
  let field = fields place [ "kink"; "plus"; "minus" ] [] value in
  (kink inst place (field "kink"), field "plus", field "minus")

let rec tree inst place value =
  if object_has "kink" value then
    let k, plus, minus = split_of inst place value in
    Split (k, tree inst place plus, tree inst place minus)
  else Leaf (slopes_of inst place (fields place [ "slopes" ] [] value "slopes"))

let rec strict_tree inst place value =
  if object_has "kink" value then
    let k, plus, minus = split_of inst place value in
    StrictSplit (k, strict_tree inst place plus, strict_tree inst place minus)
  else
    let pair value = match list place value with
      | [ up; down ] -> (slopes_of inst place up, slopes_of inst place down)
      | _ -> raise (Malformed (place ^ ": not two lists of slopes")) in
    StrictLeaf (List.map (fun row -> List.map pair (list place row)) (list place (fields place [ "axes" ] [] value "axes")))

let check instance_path run_path hints_path =
  let inst = instance instance_path in
  let p = inst.problem in
  let pl = plan p in
  let run = open_lines run_path certificate_cap and hash = Sha256.create () in
  let line_number = ref 0 in
  let before = ref "" in
  let next_line () =
    incr line_number;
    let place = Printf.sprintf "line %d" !line_number in
    match run () with
    | None -> raise (Malformed "the certificate breaks off before its end line")
    | Some line ->
      let value = parse place line in
      before := Sha256.digest hash;
      Sha256.feed hash line; Sha256.feed hash "\n";
      (place, value)
  in
  let hints = open_lines hints_path max_int in
  let place, header = next_line () in
  let field = fields place [ "format"; "version"; "instance"; "rule"; "start" ] [] header in
  demand (field "format" = String "exactdrl-certificate" && field "version" = Number "1") (place ^ ": format or version");
  demand (text place (field "instance") = inst.digest) (place ^ ": the certificate is for another instance");
  name place (field "rule"); name place (field "start");
  (* the first vertex *)
  let place, value = next_line () in
  if object_has "start" value then raise (Unsupported "a walk without a vertex");
  let vertex = fields place [ "vertex" ] [] value "vertex" in
  let field = fields place [ "pattern"; "basis" ] [ "elsewhere" ] vertex in
  let elsewhere = match field "elsewhere" with
    | Null -> false | Bool true -> true | _ -> raise (Malformed (place ^ ": elsewhere: not true")) in
  let cell = pattern inst place (field "pattern") and basis = kinks inst place (field "basis") in
  let rows = List.length inst.start and columns = List.length (List.hd inst.start) in
  if List.length basis < rows * columns then
    raise (Unsupported "a basis with fewer kinks than parameters: lineality is not covered");
  let field = fields "hints" [ "format"; "version"; "instance" ] [] (hint "hints" (hints ())) in
  demand (field "format" = String "exactdrl-hints" && field "version" = Number "1") "hints: format or version";
  demand (text "hints" (field "instance") = inst.digest) "hints: they are for another instance";
  let field = fields "hints" [ "point"; "inverse" ] [] (hint "hints: first vertex" (hints ())) in
  let num, den = point "hints: first vertex" (field "point") in
  let inv = Option.value (inverse "hints: first vertex" (field "inverse")) ~default:[] in
  let state = match first_vertex numbers p pl cell basis num den inv with
    | Some state -> state
    | None -> raise (Rejected (place ^ ": no vertex")) in
  let start_num, start_den = common inst.start in
  let start_cell = if elsewhere then pattern_at p inst.start else cell in
  require (check_start numbers p pl state start_cell start_num start_den)
    (place ^ (if elsewhere then ": the loss is above the start's" else ": the start is in another cell, or the loss is above the start's"));
  (* steps *)
  let rec walk state steps long stops =
    let place, value = next_line () in
    if object_has "outcome" value then (state, steps, long, stops, value)
    else begin
      let field = fields place [ "flip"; "leave"; "enter" ] [ "basis"; "cross"; "published_stop" ] value in
      let once value = let found = kinks inst place value in
        require (List.length (List.sort_uniq compare found) = List.length found) (place ^ ": a kink is flipped or crossed twice"); found in
      let stop = match field "published_stop" with
        | Null -> 0 | Bool true -> 1 | _ -> raise (Malformed (place ^ ": published_stop: not true")) in
      let crossed = match field "cross" with
        | Null -> [] | value -> let found = once value in demand (found <> []) (place ^ ": cross: empty"); found in
      let replaced = match field "basis" with Null -> None | value -> Some (kinks inst place value) in
      let spot = "hints: " ^ place in
      let help = fields spot [ "point" ] [ "inverse" ] (hint spot (hints ())) in
      let to_numerators, to_denominator = point spot (help "point") in
      let move = { flips = once (field "flip"); crossed; replaced; leaving = kink inst place (field "leave");
                   entering = kink inst place (field "enter"); to_numerators; to_denominator;
                   inverse = inverse spot (help "inverse") } in
      require (List.for_all (fun k -> not (List.mem k (Option.value replaced ~default:state.basis))) crossed) (place ^ ": a crossed kink is in the basis");
      require (not (List.mem move.entering (Option.value replaced ~default:state.basis))) (place ^ ": the entering kink is in the basis");
      match next numbers p pl state move with
      | Some state ->
        if (steps + 1) mod 100 = 0 && Unix.isatty Unix.stderr then Printf.eprintf "\rchecked step %d%!" (steps + 1);
        walk state (steps + 1) (if crossed = [] then long else long + 1) (stops + stop)
      | None -> raise (Rejected (place ^ ": no step to the point of the hints"))
    end
  in
  let state, steps, long, stops, outcome = walk state 0 0 0 in
  (* the outcome *)
  let keys = match outcome with Object found -> List.sort compare (List.map fst found) | _ -> [] in
  let kind = match outcome with Object found -> text "outcome" (List.assoc "outcome" found) | _ -> assert false in
  let by = match outcome with Object found -> (match List.assoc_opt "by" found with Some value -> text "outcome" value | None -> "") | _ -> "" in
  let is_minimum = kind = "local-minimum" || kind = "strict-local-minimum" in
  let expected = match kind, by with
    | "undecided", _ ->
      demand (integer "outcome: active" (fields "outcome" [ "outcome"; "active" ] [] outcome "active") >= 0) "outcome: active: out of range";
      [ "active"; "outcome" ]
    | "step-limit", _ -> [ "outcome" ]
    | "unbounded", _ ->
      let field = fields "outcome" [ "outcome"; "flip" ] [ "leave"; "basis"; "ray" ] outcome in
      ignore (kinks inst "outcome" (field "flip"));
      if field "ray" = Null then (
        ignore (kink inst "outcome" (field "leave"));
        if field "basis" = Null then [ "flip"; "leave"; "outcome" ]
        else (ignore (kinks inst "outcome" (field "basis")); [ "basis"; "flip"; "leave"; "outcome" ]))
      else (
        demand (List.map List.length (matrix "outcome: ray" (field "ray")) = List.map List.length inst.start) "outcome: ray: its shape";
        [ "flip"; "outcome"; "ray" ])
    | _, "tree" when is_minimum -> [ "blocks"; "by"; "outcome"; "settled" ]
    | _, "likq" when is_minimum -> [ "by"; "outcome" ]
    | "local-minimum", "zero-loss" -> [ "by"; "outcome" ]
    | _ -> []
  in
  demand (keys = expected) "outcome: its keys are not those of the format";
  let proved = match kind with
    | "local-minimum" when by = "zero-loss" ->
      require (check_zero numbers p state) "outcome: the loss is not zero, or may fall below";
      "a global minimum with loss 0"
    | "local-minimum" | "strict-local-minimum" ->
      let last = hint "hints: outcome" (hints ()) in
      if object_has "unsupported" last then raise (Unsupported (text "hints" (fields "hints" [ "unsupported" ] [] last "unsupported")));
      let spot = "hints: outcome" in
      let field = fields spot [ "point" ] [ "tree"; "strict" ] last in
      let u = List.map (vector spot) (list spot (field "point")) in
      if object_has "strict" last then (
        let t = strict_tree inst spot (field "strict") in
        require (check_strict_end numbers p state u t) "outcome: the hints do not show a strict local minimum";
        if check_unique_global_minimum numbers p u t then "the only global minimum" else "a strict local minimum")
      else
        let t = tree inst spot (field "tree") in
        require (check_end numbers p state u t) "outcome: the hints do not show a local minimum";
        let is_global = is_convex numbers p && (match t with Leaf h -> check_global_minimum numbers p u h | Split _ -> false) in
        if is_global then "a global minimum" else "a local minimum"
    | _ -> "no minimum claimed or checked" in
  let place, value = next_line () in
  let field = fields place [ "steps"; "sha256" ] [] (fields place [ "end" ] [] value "end") in
  demand (integer place (field "steps") = steps) (place ^ ": not the number of steps");
  demand (text place (field "sha256") = !before) (place ^ ": the hash is not that of the lines before");
  demand (run () = None) (place ^ ": something follows the end line");
  let notes = List.filter (fun s -> s <> "") [
      (if long > 0 then Printf.sprintf "%d adjacent, %d long" (steps - long) long else "");
      (if elsewhere then "first vertex elsewhere" else "");
      (if kind = "strict-local-minimum" && not (contains "strict" proved || contains "only" proved) then "strictness not proved" else "");
      (if kind = "undecided" then "active kinks not counted" else "");
      (if kind = "unbounded" then "the outcome not checked" else "");
      (if stops > 0 then Printf.sprintf "%d published stops not checked" stops else "") ] in
  Printf.sprintf "%d steps, %s%s" steps proved (if notes = [] then "" else " (" ^ String.concat "; " notes ^ ")")

let () =
  let finish code line = print_endline line; exit code in
  match check Sys.argv.(1) Sys.argv.(2) Sys.argv.(3) with
  | words -> finish 0 ("accepted: " ^ words)
  | exception Rejected reason -> finish 1 ("rejected: " ^ reason)
  | exception Malformed reason -> finish 2 ("malformed: " ^ reason)
  | exception Unsupported reason -> finish 3 ("unsupported: " ^ reason)
  | exception Sys_error reason -> finish 2 ("malformed: a file cannot be read: " ^ reason)
  | exception Invalid_argument _ when Array.length Sys.argv <> 4 -> finish 2 ("malformed: " ^ usage)
  | exception (Stack_overflow | Out_of_memory) -> finish 3 "unsupported: not enough memory"
