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
      | [ l; i; u; number ] -> Hashtbl.replace found (address inst place (List [ l; i; u ])) (rational place number)
      | _ -> raise (Malformed (place ^ ": not a kink and a number"))) (list place value);
  let deepest = List.length inst.problem.after + 1 and widest = List.fold_left max 0 inst.widths in
  List.mapi (fun i _ -> List.init (deepest + 1) (fun d ->
      List.init widest (fun u -> Option.value (Hashtbl.find_opt found ((i, d), u)) ~default:Q.zero))) inst.problem.samples

let split_of inst place value =
  let field = fields place [ "kink"; "plus"; "minus" ] [ "tied" ] value in
  let tie entry = match list place entry with
    | [ found; factor ] -> (kink inst place found, rational place factor)
    | _ -> raise (Malformed (place ^ ": not a kink and a factor")) in
  let ties = match field "tied" with Null -> [] | ties -> List.map tie (list place ties) in
  (kink inst place (field "kink"), ties, field "plus", field "minus")

let rec tree inst place value =
  if object_has "kink" value then
    let k, ties, plus, minus = split_of inst place value in
    Split (k, ties, tree inst place plus, tree inst place minus)
  else Leaf (slopes_of inst place (fields place [ "slopes" ] [] value "slopes"))

let rec strict_tree inst place value =
  if object_has "kink" value then
    let k, ties, plus, minus = split_of inst place value in
    StrictSplit (k, ties, strict_tree inst place plus, strict_tree inst place minus)
  else
    let pair value = match list place value with
      | [ up; down ] -> (slopes_of inst place up, slopes_of inst place down)
      | _ -> raise (Malformed (place ^ ": not two lists of slopes")) in
    StrictLeaf (List.map (fun row -> List.map pair (list place row)) (list place (fields place [ "axes" ] [] value "axes")))

(* Lines of the certificate, each with its place; the digest of all before the last one read; what follows. *)
type lines = { next : unit -> string * Json.t; before : unit -> string; ends : unit -> bool }

let certificate path =
  let run = open_lines path certificate_cap and hash = Sha256.create () in
  let number = ref 0 and before = ref "" in
  let next () =
    incr number;
    let place = Printf.sprintf "line %d" !number in
    match run () with
    | None -> raise (Malformed "the certificate breaks off before its end line")
    | Some line ->
      let value = parse place line in
      before := Sha256.digest hash;
      Sha256.feed hash line; Sha256.feed hash "\n";
      (place, value)
  in
  { next; before = (fun () -> !before); ends = (fun () -> run () = None) }

let check_end_line lines steps =
  let place, value = lines.next () in
  let field = fields place [ "steps"; "sha256" ] [] (fields place [ "end" ] [] value "end") in
  demand (integer place (field "steps") = steps) (place ^ ": not the number of steps");
  demand (text place (field "sha256") = lines.before ()) (place ^ ": the hash is not that of the lines before");
  demand (lines.ends ()) (place ^ ": something follows the end line")

let check_hints_header inst hints =
  let field = fields "hints" [ "format"; "version"; "instance" ] [] (hint "hints" (hints ())) in
  demand (field "format" = String "exactdrl-hints" && field "version" = Number "1") "hints: format or version";
  demand (text "hints" (field "instance") = inst.digest) "hints: they are for another instance"

(* The lines of a certificate. Their form is read twice: all of it before any claim is checked, and then line by line. *)
let replacing inst place = function Null -> None | value -> Some (kinks inst place value)
let truth place = function Null -> false | Bool true -> true | _ -> raise (Malformed (place ^ ": not true"))

type opening =
  | From_vertex of { cell : bool list list list; basis : ((int * int) * int) list; is_elsewhere : bool }
  | From_start of bool list list list

let read_opening inst place value =
  if object_has "start" value then
    From_start (pattern inst place (fields place [ "pattern" ] [] (fields place [ "start" ] [] value "start") "pattern"))
  else
    let field = fields place [ "pattern"; "basis" ] [ "elsewhere" ] (fields place [ "vertex" ] [] value "vertex") in
    From_vertex { is_elsewhere = truth (place ^ ": elsewhere") (field "elsewhere");
                  cell = pattern inst place (field "pattern"); basis = kinks inst place (field "basis") }

type step = {
  flip : ((int * int) * int) list; leave : (int * int) * int; enter : (int * int) * int;
  another : ((int * int) * int) list option; cross : ((int * int) * int) list; is_stop : bool }

let read_step inst place value =
  let field = fields place [ "flip"; "leave"; "enter" ] [ "basis"; "cross"; "published_stop" ] value in
  let cross = match field "cross" with
    | Null -> []
    | value -> let found = kinks inst place value in demand (found <> []) (place ^ ": cross: empty"); found in
  { flip = kinks inst place (field "flip"); leave = kink inst place (field "leave");
    enter = kink inst place (field "enter"); another = replacing inst place (field "basis"); cross;
    is_stop = truth (place ^ ": published_stop") (field "published_stop") }

(* A tree's witness. *)
let read_tree inst settled blocks =
  let place = "outcome" in
  let address value = ignore (kink inst place value); List.map (integer place) (list place value) in
  let rec increases = function a :: (b :: _ as rest) -> compare a b < 0 && increases rest | _ -> true in
  let ordered found = demand (increases (List.map address found)) (place ^ ": kinks: not in order, each once");
    List.map (kink inst place) found in
  let read_cover own value =
    let field = fields place [ "kink"; "shares" ] [] value in
    let covered = kink inst place (field "kink") and shares = vector place (field "shares") in
    demand (List.mem covered own) (place ^ ": a cover of no kink of the block");
    demand (List.length shares = List.length own) (place ^ ": not a number for each kink of the block");
    { covered; shares } in
  let read_leaf own value =
    let field = fields place [ "signs"; "empty"; "multipliers" ] [ "covers" ] value in
    let signs = text place (field "signs") and multipliers = vector place (field "multipliers") in
    let sign = function '+' -> Some true | '-' -> Some false | '.' -> None | _ -> raise (Malformed (place ^ ": signs")) in
    demand (String.length signs = List.length own) (place ^ ": signs");
    demand (List.length multipliers = List.length own) (place ^ ": not a number for each kink of the block");
    { fixes = List.map sign (List.of_seq (String.to_seq signs)); multipliers;
      is_empty = (match field "empty" with Bool b -> b | _ -> raise (Malformed (place ^ ": empty: not true or false")));
      covers = (match field "covers" with Null -> [] | value -> List.map (read_cover own) (list place value)) } in
  let read_block value =
    let field = fields place [ "units"; "kinks"; "leaves" ] [] value in
    let units = List.map (integer place) (list place (field "units")) in
    demand (units <> [] && increases units && List.for_all (fun u -> u >= 0 && u < List.length inst.start) units)
      (place ^ ": units");
    let block_kinks = ordered (list place (field "kinks")) and leaves = list place (field "leaves") in
    demand (leaves <> []) (place ^ ": no leaves");
    { units; block_kinks; leaves = List.map (read_leaf block_kinks) leaves } in
  let pairs = List.map (fun entry -> match list place entry with
      | [ k; number ] -> (k, rational place number)
      | _ -> raise (Malformed (place ^ ": settled: not a kink and a number"))) (list place settled) in
  { settled = List.combine (ordered (List.map fst pairs)) (List.map snd pairs);
    blocks = List.map read_block (list place blocks) }

type reason = Zero_loss | Bound | Likq | Tree of Q.t witness

type outcome =
  | Minimum of { strict : bool; reason : reason }
  | Edge of { flip : ((int * int) * int) list; leave : (int * int) * int; another : ((int * int) * int) list option }
  | Ray of Q.t list list
  | Undecided of int
  | Step_limit

let read_outcome inst opening value =
  let place = "outcome" in
  let find key = match value with Object found -> Option.value (List.assoc_opt key found) ~default:Null | _ -> Null in
  let kind = text place (find "outcome") in
  let expect needed optional = ignore (fields place ("outcome" :: needed) optional value) in
  let minimum strict =
    let reason = match text place (find "by") with
      | "tree" -> expect [ "by"; "settled"; "blocks" ] []; Tree (read_tree inst (find "settled") (find "blocks"))
      | by ->
        expect [ "by" ] [];
        match by with
        | "likq" -> Likq
        | "zero-loss" when not strict -> Zero_loss
        | "bound" when not strict -> Bound
        | _ -> raise (Malformed (place ^ ": by")) in
    Minimum { strict; reason } in
  let found = match kind with
    | "step-limit" -> expect [] []; Step_limit
    | "undecided" ->
      expect [ "active" ] [];
      let count = integer "outcome: active" (find "active") in
      demand (count >= 0) "outcome: active: out of range"; Undecided count
    | "unbounded" when object_has "ray" value ->
      expect [ "flip"; "ray" ] [];
      demand (list place (find "flip") = []) (place ^ ": flip: not empty");
      let ray = matrix "outcome: ray" (find "ray") in
      demand (List.map List.length ray = List.map List.length inst.start) "outcome: ray: its shape"; Ray ray
    | "unbounded" ->
      expect [ "flip"; "leave" ] [ "basis" ];
      Edge { flip = kinks inst place (find "flip"); leave = kink inst place (find "leave");
             another = replacing inst place (find "basis") }
    | "local-minimum" -> minimum false
    | "strict-local-minimum" -> minimum true
    | _ -> raise (Malformed "outcome: unknown") in
  let fits = match opening, found with
    | From_start _, (Ray _ | Minimum { strict = false; reason = Bound }) -> true
    | From_start _, _ | From_vertex _, Ray _ -> false
    | From_vertex _, _ -> true in
  demand fits (place ^ ": not one for this second line");
  found

(* Everything that is of the form; the hash of all bytes before the end line is. *)
let check_form inst path =
  let lines = certificate path in
  let place, header = lines.next () in
  let field = fields place [ "format"; "version"; "instance"; "rule"; "start" ] [] header in
  demand (field "format" = String "exactdrl-certificate" && field "version" = Number "1") (place ^ ": format or version");
  demand (text place (field "instance") = inst.digest) (place ^ ": the certificate is for another instance");
  name place (field "rule"); name place (field "start");
  let place, value = lines.next () in
  let opening = read_opening inst place value in
  let rec go steps =
    let place, value = lines.next () in
    if object_has "outcome" value then (ignore (read_outcome inst opening value); check_end_line lines steps)
    else begin
      demand (match opening with From_start _ -> false | From_vertex _ -> true) (place ^ ": a step from no vertex");
      ignore (read_step inst place value); go (steps + 1)
    end in
  go 0

(* A walk without a vertex: the loss falls forever along a ray from the start, or is constant. *)
let check_start_alone inst cell outcome =
  match outcome with
  | Ray ray ->
    require (check_ray numbers inst.problem cell inst.start ray) "outcome: no ray along which the loss falls forever";
    "0 steps, the loss is unbounded along a ray from the start"
  | _ ->
    let num, den = common inst.start in
    require (check_constant numbers inst.problem (plan inst.problem) cell num den)
      "outcome: the start is in another cell, or the loss need not be constant";
    "0 steps, a global minimum, the loss is constant"

(* The parameters that are held, as a mask, and a direction for each. *)
let lineality inst place value =
  let held = Hashtbl.create 8 in
  List.iter (fun entry -> match list place entry with
      | [ i; j; direction ] -> Hashtbl.replace held (integer place i, integer place j) (matrix place direction)
      | _ -> raise (Malformed (place ^ ": not a row, a column and a direction"))) (match value with Null -> [] | _ -> list place value);
  let for_each make = List.mapi (fun i row -> List.mapi (fun j _ -> make (i, j)) row) inst.start in
  (for_each (fun k -> not (Hashtbl.mem held k)), for_each (fun k -> Option.value (Hashtbl.find_opt held k) ~default:[]), Hashtbl.length held)

type counts = { steps : int; long : int; stops : int }

(* Kinks that are flipped or crossed, each once. *)
let require_once place found =
  require (List.length (List.sort_uniq compare found) = List.length found) (place ^ ": a kink is flipped or crossed twice")

(* A line of hints. Where a claim is found to be false while they are made, they say so in place of what would show it. *)
let help hints spot needed optional =
  let value = hint spot (hints ()) in
  let reason key = text spot (fields spot [ key ] [] value key) in
  if object_has "false" value then raise (Rejected (reason "false"));
  if object_has "malformed" value then raise (Malformed (reason "malformed"));
  if object_has "unsupported" value then raise (Unsupported (reason "unsupported"));
  fields spot needed optional value

let rec check_steps inst pl free lines hints state counts =
  let place, value = lines.next () in
  if object_has "outcome" value then (state, counts, value)
  else begin
    let { flip; leave; enter; another; cross; is_stop } = read_step inst place value in
    let old = Option.value another ~default:state.basis in
    require_once place flip;
    require_once place cross;
    require (not (List.exists (fun k -> List.mem k old) cross)) (place ^ ": a crossed kink is in the basis");
    require (not (List.mem enter old)) (place ^ ": the entering kink is in the basis");
    let spot = "hints: " ^ place in
    let help = help hints spot [ "point" ] [ "inverse"; "between"; "stop" ] in
    let to_numerators, to_denominator = point spot (help "point") in
    let stop = match help "stop" with
      | value when is_stop -> Some (match value with Null -> [] | _ -> List.map (vector spot) (list spot value))
      | Null -> None
      | _ -> raise (Malformed (spot ^ ": stop, where none is claimed")) in
    let move = { flips = flip; crossed = cross; replaced = another; leaving = leave; entering = enter; to_numerators;
                 to_denominator; inverse = inverse spot (help "inverse"); between = inverse spot (help "between"); stop } in
    match next numbers inst.problem pl free state move with
    | Some state ->
      let steps = counts.steps + 1 in
      if steps mod 100 = 0 && Unix.isatty Unix.stderr then Printf.eprintf "\rchecked step %d%!" steps;
      check_steps inst pl free lines hints state
        { steps; long = (counts.long + if cross = [] then 0 else 1); stops = (counts.stops + if is_stop then 1 else 0) }
    | None -> raise (Rejected (place ^ ": no step to the point of the hints"))
  end

let rows_of spot value = List.map (vector spot) (list spot value)

(* Division for the local form, whose quotients the proved functions check. *)
let half = Q.of_ints 1 2
let inv x = if Q.equal x Q.zero then Q.zero else Q.inv x

(* The outcome: what is proved of it. *)
let check_outcome inst free state hints outcome =
  let p = inst.problem in
  let spot = "hints: outcome" in
  let show strict holds =
    require holds "outcome: it is not a minimum for the reason that is given";
    let field = help hints spot [ "point"; (if strict then "strict" else "tree") ] [] in
    let u = rows_of spot (field "point") in
    if strict then begin
      let t = strict_tree inst spot (field "strict") in
      require (check_strict_end numbers p state u t) "outcome: the hints do not show a strict local minimum";
      if check_unique_global_minimum numbers p u t then "the only global minimum" else "a strict local minimum"
    end
    else begin
      let t = tree inst spot (field "tree") in
      require (check_end numbers p state u t) "outcome: the hints do not show a local minimum";
      let is_global = is_convex numbers p && (match t with Leaf h -> check_global_minimum numbers p u h | Split (_, _, _, _) -> false) in
      if is_global then "a global minimum" else "a local minimum"
    end in
  match outcome with
  | Undecided count ->
    require (check_active numbers half free p state count) "outcome: another number of kinks is active";
    Printf.sprintf "nothing claimed of a minimum, %d kinks active" count
  | Step_limit -> "nothing claimed of a minimum"
  | Ray _ -> raise (Malformed "outcome: a ray from a vertex")
  | Edge { flip; leave; another } ->
    require_once "outcome" flip;
    let field = help hints spot [ "point"; "direction" ] [ "between" ] in
    require (check_edge numbers p free state (rows_of spot (field "point")) flip another (inverse spot (field "between")) leave
        (rows_of spot (field "direction"))) "outcome: the hints show no edge along which the loss falls forever";
    "the loss is unbounded along an edge"
  | Minimum { reason = Zero_loss; _ } ->
    require (check_zero numbers p state) "outcome: the loss is not zero, or may fall below";
    "a global minimum with loss 0"
  | Minimum { reason = Bound; _ } ->
    let u = List.map (List.map (fun x -> Q.div x state.denominator)) state.numerators in
    require (check_bound numbers p state u) "outcome: the ranges of the outputs allow a smaller loss";
    "a global minimum, by the ranges of the outputs"
  | Minimum { strict; reason = Likq } -> show strict (check_by_likq numbers inv half free p state strict)
  | Minimum { strict; reason = Tree w } -> show strict (check_by_tree numbers inv half free p state strict w)

let check instance_path run_path hints_path =
  let inst = instance instance_path in
  let p = inst.problem in
  check_form inst run_path;
  let lines = certificate run_path and hints = open_lines hints_path max_int in
  check_hints_header inst hints;
  ignore (lines.next ());
  let place, value = lines.next () in
  match read_opening inst place value with
  | From_start cell as opening ->
    let _, outcome = lines.next () in
    let words = check_start_alone inst cell (read_outcome inst opening outcome) in
    check_end_line lines 0;
    words
  | From_vertex { cell; basis; is_elsewhere } as opening ->
    let spot = "hints: first vertex" in
    let field = help hints spot [ "point"; "inverse" ] [ "held" ] in
    let num, den = point spot (field "point") and inv = Option.value (inverse spot (field "inverse")) ~default:[] in
    let free, directions, held = lineality inst spot (field "held") in
    let pl = plan p in
    require (check_lineality numbers p free inst.start directions) (place ^ ": something changes along a held parameter");
    let state = match first_vertex numbers p pl free cell basis num den inv with
      | Some state -> state
      | None -> raise (Rejected (place ^ ": no vertex")) in
    let start_num, start_den = common inst.start in
    require (check_start numbers p pl free state (if is_elsewhere then pattern_at p inst.start else cell) start_num start_den)
      (place ^ (if is_elsewhere then ": the loss is above the start's" else ": the start is in another cell, or the loss is above the start's"));
    let state, counts, outcome = check_steps inst pl free lines hints state { steps = 0; long = 0; stops = 0 } in
    let proved = check_outcome inst free state hints (read_outcome inst opening outcome) in
    check_end_line lines counts.steps;
    let notes = List.concat [
        (if counts.long > 0 then [ Printf.sprintf "%d adjacent, %d long" (counts.steps - counts.long) counts.long ] else []);
        (if is_elsewhere then [ "first vertex elsewhere" ] else []);
        (if counts.stops > 0 then [ Printf.sprintf "%d published stops" counts.stops ] else []);
        (if held > 0 then [ Printf.sprintf "%d parameters held" held ] else []) ] in
    Printf.sprintf "%d steps, %s%s" counts.steps proved (if notes = [] then "" else " (" ^ String.concat "; " notes ^ ")")

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
