(* The files of FORMAT.md as the proved functions' arguments. Trusted: what is read here is what the theorems speak of. *)

open Checker
open! Stdlib
open Json

exception Unsupported of string

let instance_cap, certificate_cap, line_cap = (1 lsl 28, 1 lsl 32, 1 lsl 26)

(* A file's lines, decompressed if its name ends in .gz; - is the standard input. *)
let open_lines path cap =
  let ended = ref 0 in
  let channel, close =
    if path = "-" then (stdin, fun () -> ())
    else if Filename.check_suffix path ".gz" then (
      demand (Sys.file_exists path) ("a file cannot be read: " ^ path);
      let channel = Unix.open_process_in ("gzip -dc -- " ^ Filename.quote path ^ " 2>/dev/null") in
      (channel, fun () -> demand (Unix.close_process_in channel = Unix.WEXITED 0) ("a file cannot be read: " ^ path)))
    else
      match open_in_bin path with
      | channel -> (channel, fun () -> close_in channel)
      | exception Sys_error _ -> raise (Malformed ("a file cannot be read: " ^ path))
  in
  let chunk = Bytes.create 65536 and filled = ref 0 and at = ref 0 and line = Buffer.create 4096 in
  let take until =
    Buffer.add_subbytes line chunk !at (until - !at);
    demand (Buffer.length line < line_cap) ("a line is too long: " ^ path)
  in
  let rec next () =
    if !at = !filled then (filled := input channel chunk 0 (Bytes.length chunk); at := 0);
    if !filled = 0 then (
      close ();
      demand (Buffer.length line = 0) ("the last line breaks off: " ^ path);
      None)
    else
      match Bytes.index_from_opt chunk !at '\n' with
      | Some k when k < !filled ->
        take k;
        at := k + 1;
        let found = Buffer.contents line in
        Buffer.clear line;
        ended := !ended + String.length found + 1;
        demand (!ended <= cap) ("a file is too long: " ^ path);
        Some found
      | _ -> take !filled; at := !filled; next ()
  in
  next

let read_all path cap =
  let part = Buffer.create 65536 in
  let channel = if Filename.check_suffix path ".gz" then None else Some path in
  (match channel with
   | Some path -> (
     match open_in_bin path with
     | channel ->
       demand (in_channel_length channel <= cap) ("a file is too long: " ^ path);
       Buffer.add_channel part channel (in_channel_length channel);
       close_in channel
     | exception Sys_error _ -> raise (Malformed ("a file cannot be read: " ^ path)))
   | None ->
     demand (Sys.file_exists path) ("a file cannot be read: " ^ path);
     let channel = Unix.open_process_in ("gzip -dc -- " ^ Filename.quote path ^ " 2>/dev/null") in
     (try
        while true do
          Buffer.add_channel part channel 1;
          demand (Buffer.length part <= cap) ("a file is too long: " ^ path)
        done
      with End_of_file -> ());
     demand (Unix.close_process_in channel = Unix.WEXITED 0) ("a file cannot be read: " ^ path));
  Buffer.contents part

let vector place value = List.map (rational place) (list place value)

let matrix place value =
  let rows = List.map (vector place) (list place value) in
  demand (rows <> []) (place ^ ": no rows");
  demand (List.for_all (fun row -> List.length row = List.length (List.hd rows)) rows) (place ^ ": ragged rows");
  rows

(* An instance: the problem that the theorems speak of, and what the certificate's addresses mean. *)
type instance = {
  digest : string;
  problem : Q.t problem;
  start : Q.t list list;
  first : int;  (* the trained layer *)
  widths : int list;  (* of the layers ℓ..L+1 *)
  bent : bool list;  (* which of them are layers of their own in the proved problem's kinks: all but an identity at last *)
}

let identity = { below = Q.one; above = Q.one }
let relu = { below = Q.zero; above = Q.one }

let slopes place value =
  match vector place value with
  | [ below; above ] ->
    demand (not (Q.equal below Q.zero && Q.equal above Q.zero)) (place ^ ": slopes 0 and 0");
    { below; above }
  | _ -> raise (Malformed (place ^ ": not two slopes"))

let activations place width is_last = function
  | Null -> List.init width (fun _ -> if is_last then identity else relu)
  | List (List _ :: _ as each) ->
    demand (List.length each = width) (place ^ ": not a pair for each unit");
    List.map (slopes place) each
  | pair -> let one = slopes place pair in List.init width (fun _ -> one)

let layer version number is_last value =
  let place = Printf.sprintf "layer %d" number in
  let field = fields place [ "weight"; "bias" ] (if version = 2 then [ "activation" ] else []) value in
  let weights = matrix place (field "weight") and width = List.length (list place (field "weight")) in
  let bias = if field "bias" = Null then None else Some (vector place (field "bias")) in
  Option.iter (fun b -> demand (List.length b = width) (place ^ ": not a bias for each unit")) bias;
  let acts = activations place width is_last (field "activation") in
  let biases = Option.value bias ~default:(List.init width (fun _ -> Q.zero)) in
  (bias <> None, List.map2 (fun (weight, bias) activation -> { weight; bias; activation }) (List.combine weights biases) acts)

(* The two slopes of each output's term, by its target. *)
let loss version place outputs value =
  let kind = match value with Object found -> text place (List.assoc "kind" (("kind", List.assoc_opt "kind" found |> Option.value ~default:Null) :: found)) | _ -> raise (Malformed (place ^ ": not an object")) in
  let each value = match value with
    | List _ -> let found = vector place value in demand (List.length found = outputs) (place ^ ": not one for each output"); found
    | _ -> let one = rational place value in List.init outputs (fun _ -> one)
  in
  let all below above _ = List.init outputs (fun _ -> { below; above }) in
  let minus = Q.of_int (-1) in
  match kind with
  | "absolute" -> ignore (fields place [ "kind" ] [] value); all minus Q.one
  | _ when version = 1 -> raise (Malformed (place ^ ": kind"))
  | "pinball" ->
    let levels = each (fields place [ "kind"; "level" ] [] value "level") in
    List.iter (fun t -> demand (Q.lt Q.zero t && Q.lt t Q.one) (place ^ ": level: out of range")) levels;
    fun _ -> List.map (fun t -> { below = Q.neg t; above = Q.sub Q.one t }) levels
  | "hinge" ->
    ignore (fields place [ "kind" ] [] value);
    List.map (fun y ->
        demand (Q.equal (Q.abs y) Q.one) "data: targets: not 1 or -1";
        if Q.equal y Q.one then { below = minus; above = Q.zero } else { below = Q.zero; above = Q.one })
  | "linear" -> ignore (fields place [ "kind" ] [] value); all Q.one Q.one
  | "two-slope" ->
    let field = fields place [ "kind"; "below"; "above" ] [] value in
    let pairs = List.map2 (fun below above -> { below; above }) (each (field "below")) (each (field "above")) in
    List.iter (fun s -> demand (Q.leq s.below s.above) (place ^ ": below is over above")) pairs;
    fun _ -> pairs
  | "squared" -> raise (Malformed "a squared loss has no walk")
  | _ -> raise (Malformed (place ^ ": kind"))

let instance path =
  let bytes = read_all path instance_cap in
  let hash = Sha256.create () in
  Sha256.feed hash bytes;
  let value = parse "instance" bytes in
  let version = match value with
    | Object found when List.mem_assoc "version" found -> integer "instance: version" (List.assoc "version" found)
    | _ -> raise (Malformed "instance: its keys are not those of the format")
  in
  demand (version = 1 || version = 2) "instance: version: out of range";
  let free = if version = 1 then "layer" else "free" in
  let field = fields "instance" [ "format"; "version"; "network"; free; "loss"; "data" ] [ "start" ] value in
  demand (text "instance: format" (field "format") = "exactdrl-instance") "instance: format";
  (match field free with String _ -> raise (Malformed "a problem with all parameters free has no walk") | _ -> ());
  let first = integer "instance: layer" (field free) in
  let network = list "instance: layers" (fields "instance: network" [ "layers" ] [] (field "network") "layers") in
  let count = List.length network in
  demand (1 <= first && first <= count) "instance: layer: out of range";
  let layers = List.mapi (fun i value -> layer version (i + 1) (i + 1 = count) value) network in
  let data = fields "instance: data" [ "inputs" ]
    (if version = 2 then [ "targets"; "weights" ] else [ "targets" ]) (field "data") in
  let inputs = List.map (vector "data: inputs") (list "data: inputs" (data "inputs")) in
  demand (inputs <> [] && (version = 2 || List.for_all (fun x -> x <> []) inputs)) "data: no inputs";
  let outputs = List.length (snd (List.nth layers (count - 1))) in
  let make = loss version "instance: loss" outputs (field "loss") in
  let kind = fields "instance: loss" [ "kind" ] [ "level"; "below"; "above" ] (field "loss") "kind" in
  let zeros = List.map (fun _ -> List.init outputs (fun _ -> Q.zero)) inputs in
  let targets = match data "targets" with
    | Null -> demand (version = 2 && kind = String "linear") "data: no targets"; zeros
    | value -> if kind = String "linear" then (ignore (matrix "data: targets" value); zeros) else matrix "data: targets" value
  in
  let weights = match data "weights" with
    | Null -> List.map (fun _ -> Q.one) inputs
    | value -> vector "data: weights" value
  in
  List.iter (fun w -> demand (Q.leq Q.zero w) "data: weights: below 0") weights;
  let samples = List.length inputs in
  demand (List.length targets = samples && List.length weights = samples) "data: not as many targets or weights as inputs";
  List.iter (fun y -> demand (List.length y = outputs) "data: targets: not one for each output") targets;
  let width = ref (List.length (List.hd inputs)) in
  List.iter (fun x -> demand (List.length x = !width) "data: inputs: ragged rows") inputs;
  List.iteri (fun i (_, l) ->
      List.iter (fun u -> demand (List.length u.weight = !width) (Printf.sprintf "layer %d: not %d weights for each unit" (i + 1) !width)) l;
      width := List.length l) layers;
  let sample x (y, w) =
    let term s = { below = Q.mul w s.below; above = Q.mul w s.above } in
    { input = x; goals = List.map2 (fun target s -> { target; term = term s }) y (make y) }
  in
  let biased, trained = List.nth layers (first - 1) in
  let after = List.map snd (List.filteri (fun i _ -> i >= first) layers) in
  let own = List.map (fun u -> if biased then u.weight @ [ u.bias ] else u.weight) trained in
  let start = match field "start" with Null -> own | value -> matrix "start" value in
  demand (List.map List.length start = List.map List.length own) "start: its shape does not fit";
  let is_identity l = List.for_all (fun u -> Q.equal u.activation.below Q.one && Q.equal u.activation.above Q.one) l in
  let shown = trained :: after in
  let last = List.length shown - 1 in
  let kinks = List.filteri (fun i l -> i < last || not (is_identity l)) shown in
  { digest = Sha256.digest hash; start; first;
    problem = { before = List.map snd (List.filteri (fun i _ -> i < first - 1) layers); biased;
                trained = List.map (fun u -> u.activation) trained; after;
                samples = List.map2 sample inputs (List.combine targets weights) };
    widths = List.map List.length kinks @ [ outputs ];
    bent = List.mapi (fun i l -> i < last || not (is_identity l)) shown }

(* Depth of a layer of the certificate in the proved problem: its residuals come after the last layer's values. *)
let depth_of inst layer =
  let index = layer - inst.first in
  if index = List.length inst.widths - 1 then List.length inst.problem.after + 1 else index

let address inst place value =
  match List.map (integer place) (list place value) with
  | [ l; i; u ] ->
    let index = l - inst.first in
    demand (index >= 0 && index < List.length inst.widths && i >= 0 && i < List.length inst.problem.samples
            && u >= 0 && u < List.nth inst.widths index) (place ^ ": kink: out of range");
    ((i, depth_of inst l), u)
  | _ -> raise (Malformed (place ^ ": kink: not three integers"))

(* Kinks are where the two slopes differ. *)
let is_kink inst k = is_kink_of Arithmetic.numbers inst.problem k

let kink inst place value =
  let found = address inst place value in
  demand (is_kink inst found) (place ^ ": kink: nothing bends there"); found

let kinks inst place value = List.map (kink inst place) (list place value)

(* The pattern as the proved functions take it: for each sample and depth the bits; an identity layer has none. *)
let pattern inst place value =
  let texts = List.map (text place) (list place value) in
  demand (List.length texts = List.length inst.widths) (place ^ ": not a string for each layer");
  let samples = List.length inst.problem.samples in
  let bits width digits =
    demand (String.length digits = (width * samples + 3) / 4) (place ^ ": not the digits of a layer");
    let bit k =
      let digit = match digits.[k / 4] with
        | '0' .. '9' as c -> Char.code c - 48
        | 'a' .. 'f' as c -> Char.code c - 87
        | _ -> raise (Malformed (place ^ ": not a lower-case hexadecimal digit"))
      in
      digit land (8 lsr (k mod 4)) <> 0
    in
    for k = width * samples to 4 * String.length digits - 1 do
      demand (not (bit k)) (place ^ ": not filled up with zero bits")
    done;
    bit
  in
  let layers = List.map2 (fun width digits -> (width, bits width digits)) inst.widths texts in
  let hidden = List.filteri (fun i _ -> i < List.length layers - 1) layers and residual = List.nth layers (List.length layers - 1) in
  let gap = if List.for_all Fun.id inst.bent then [] else [ [] ] in
  let fits bit s = demand (bit || not (Q.equal s.below s.above)) (place ^ ": what is no kink is off") in
  List.mapi (fun i s ->
      let row (width, bit) = List.init width (fun u -> bit ((i * width) + u)) in
      let found = List.map row hidden @ gap @ [ row residual ] in
      List.iter2 (fun bits slopes -> if bits <> [] then List.iter2 fits bits slopes) found
        (all_slopes_of inst.problem s);
      found) inst.problem.samples

(* Numerators over one denominator. *)
let common rows =
  let den = List.fold_left (List.fold_left (fun d x -> Z.lcm d (Q.den x))) Z.one rows in
  (List.map (List.map (fun x -> Q.mul x (Q.of_bigint den))) rows, Q.of_bigint den)

(* The plan: the problem multiplied by what makes it integral. It is compared with the problem by proved functions. *)
let plan problem =
  let layer l =
    let _, scale = common (List.map (fun u -> u.bias :: u.weight) l) in
    (scale, List.map (fun u -> { u with weight = List.map (Q.mul scale) u.weight; bias = Q.mul scale u.bias }) l)
  in
  let parts = List.map (fun s ->
      let x = feature_of Arithmetic.numbers problem s in
      let rows, spread = common [ x ] in
      let _, stretch = common [ List.map (fun g -> g.target) s.goals ] in
      (List.hd rows, spread, stretch, List.map (fun g -> { g with target = Q.mul stretch g.target }) s.goals)) problem.samples in
  let total = List.fold_left (fun k (_, d, e, _) -> Z.lcm k (Q.num (Q.mul d e))) Z.one parts in
  { scaled = List.map layer problem.after; common = Q.of_bigint total;
    views = List.map (fun (vector, spread, stretch, marks) ->
        { vector; spread; stretch; marks; factor = Q.div (Q.of_bigint total) (Q.mul spread stretch) }) parts }

(* The pattern of a point: which cell it lies in. Only proposed. *)
let pattern_at problem theta =
  let n = Arithmetic.numbers in
  let bits z = List.map (fun t -> Q.geq t Q.zero) z in
  let rec go goals ss ls z =
    let a = bends_of n ss z in
    bits z :: (match ls with
        | l :: rest -> go goals (List.map (fun u -> u.activation) l) rest (preactivations_of n l a)
        | [] -> [ bits (residuals_of n goals a) ])
  in
  List.map (fun s ->
      let x = feature_of n problem s in
      let z = List.map (fun row -> List.fold_left2 (fun t w y -> Q.add t (Q.mul w y)) Q.zero row x) theta in
      go s.goals problem.trained problem.after z) problem.samples
