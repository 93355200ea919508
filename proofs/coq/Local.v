(* The local form at a point, and the witness of a minimum (FORMAT.md, section 5): functions that compute. What they say
   of the loss is proved in Witness.v.

   Near a point the loss and each kink that vanishes there change by a form: linear times the change of the parameters, and
   for kinks before it a multiple of the size of their change. Division is by an oracle, `inv`; each quotient is checked. *)

From mathcomp Require Import all_ssreflect.
From Exactdrl Require Import Definitions Numbers Checker Steps.
Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Record form T := Form {linear : seq (seq T); folds : seq (kink * T)}.

(* What a tree's certificate writes down, FORMAT.md, section 4. A sign is Some true for +, None for a point. *)
Record cover T := Cover {covered : kink; shares : seq T}.
Record leaf T := TreeLeaf {fixes : seq (option bool); is_empty : bool; multipliers : seq T; covers : seq (cover T)}.
Record block T := Block {units : seq nat; block_kinks : seq kink; leaves : seq (leaf T)}.
Record witness T := Witness {settled : seq (kink * T); blocks : seq (block T)}.

Section Local.
Variables (T : Type) (N : numbers T) (inv : T -> T).

Definition absolute (x : T) : T := if le N (zero N) x then x else opp N x.
Definition subtract (x y : T) : T := plus N x (opp N y).

(* Forms. *)
Fixpoint add_fold (k : kink) (c : T) (fs : seq (kink * T)) : seq (kink * T) :=
  if fs is (k', c') :: fs' then if k == k' then (k', plus N c c') :: fs' else (k', c') :: add_fold k c fs'
  else [:: (k, c)].

Fixpoint coefficient (fs : seq (kink * T)) (k : kink) : T :=
  if fs is (k', c) :: fs' then if k == k' then c else coefficient fs' k else zero N.

Definition axpy_rows (c : T) (x y : seq (seq T)) : seq (seq T) := [seq axpy N c p.1 p.2 | p <- zip x y].

(* c times f, plus g. *)
Definition add_form (c : T) (f g : form T) : form T :=
  if is_zero N c then g
  else Form (axpy_rows c (linear f) (linear g)) (foldr (fun p fs => add_fold p.1 (product N p.2 c) fs) (folds g) (folds f)).

Definition scale_form (c : T) (f : form T) : form T :=
  Form [seq [seq product N x c | x <- row] | row <- linear f] [seq (p.1, product N p.2 c) | p <- folds f].

Definition null_rows (x : seq (seq T)) : bool := all (all (is_zero N)) x.
Definition is_null (f : form T) : bool := null_rows (linear f) && all (fun p => is_zero N p.2) (folds f).
Definition folded (f : form T) : seq kink := [seq p.1 | p <- folds f & ~~ is_zero N p.2].

(* The forms behind a layer's activations, and the kinks of the layer that are active, with theirs. *)
Fixpoint bend_forms (half : T) (i d j : nat) (ss : seq (slopes T)) (z : seq T) (fs : seq (form T))
    : seq (form T) * seq (kink * form T) :=
  match ss, z, fs with
  | s :: ss', t :: z', f :: fs' =>
    let: (gs, ks) := bend_forms half i d j.+1 ss' z' fs' in
    if bent_of N s && is_zero N t then
      if is_null f then (f :: gs, ks)
      else
        let g := scale_form (product N half (plus N (above s) (below s))) f in
        let fold := product N half (subtract (above s) (below s)) in
        (Form (linear g) (add_fold (i, d, j) fold (folds g)) :: gs, ((i, d, j), f) :: ks)
    else (scale_form (if le N (zero N) t then above s else below s) f :: gs, ks)
  | _, _, _ => ([::], [::])
  end.

Definition mix_forms (none : form T) (w : seq T) (fs : seq (form T)) : form T :=
  foldr (fun p g => add_form p.1 p.2 g) none (zip w fs).

(* A sample: the form of its loss, and its active kinks; vs are its values at the point, or positive multiples. *)
Fixpoint sample_forms (half : T) (none : form T) (i d : nat) (gs : seq (goal T)) (ss : seq (slopes T)) (ls : seq (layer T))
    (vs : seq (seq T)) (fs : seq (form T)) : form T * seq (kink * form T) :=
  let: (a, ks) := bend_forms half i d 0 ss (head [::] vs) fs in
  if ls is l :: ls' then
    let: (g, ks') := sample_forms half none i d.+1 gs (map (@activation T) l) ls' (behead vs)
      [seq mix_forms none (weight u) a | u <- l] in
    (g, ks ++ ks')
  else
    let: (rs, ks') := bend_forms half i d.+1 0 (map (@term T) gs) (head [::] (behead vs)) a in
    (mix_forms none (nseq (size rs) (one N)) rs, ks ++ ks').

(* Parameters that are held do not change. *)
Fixpoint masked (free : seq bool) (x : seq T) : seq T :=
  if x is a :: x' then (if head true free then a else zero N) :: masked (behead free) x' else [::].

Definition no_form (n m : nat) : form T := Form (nseq n (nseq m (zero N))) [::].

Definition unit_forms (free : seq (seq bool)) (n : nat) (x : seq T) : seq (form T) :=
  [seq Form [seq if r == j then masked (nth [::] free r) x else nseq (size x) (zero N) | r <- iota 0 n] [::]
     | j <- iota 0 n].

Fixpoint all_forms (half : T) (free : seq (seq bool)) (P : problem T) (m i : nat) (ss : seq (sample T))
    (values : seq (seq (seq T))) : form T * seq (kink * form T) :=
  let none := no_form (size (trained P)) m in
  match ss, values with
  | s :: ss', vs :: values' =>
    let: (g, ks) := sample_forms half none i 0 (goals s) (trained P) (after P) vs
      (unit_forms free (size (trained P)) (feature_of N P s)) in
    let: (g', ks') := all_forms half free P m i.+1 ss' values' in
    (add_form (one N) g g', ks ++ ks')
  | _, _ => (none, [::])
  end.

(* The loss's form, and the active kinks' in the order of the addresses: layer, sample, unit. *)
Definition local_form (half : T) free (P : problem T) (st : state T) : form T * seq (kink * form T) :=
  let: (g, ks) := all_forms half free P (size (head [::] (numerators st))) 0 (samples P) (values_there st) in
  (g, flatten [seq [seq p <- ks | p.1.1.2 == d] | d <- iota 0 (size (after P)).+2]).

Definition is_half (half : T) : bool := same N (plus N half half) (one N).

Definition check_active (half : T) free (P : problem T) (st : state T) (count : nat) : bool :=
  is_half half && (size (local_form half free P st).2 == count).

(* Reduction. Kinks that are dropped: |z_q| is 0 wherever it occurs, or, for a kink q that is c times p, |c| |z_p|. *)
Definition drops := seq (kink * option (kink * T)).

Fixpoint dropped (ds : drops) (q : kink) : option (option (kink * T)) :=
  if ds is (k, into) :: ds' then if k == q then Some into else dropped ds' q else None.

Definition replace (ds : drops) (f : form T) : form T :=
  Form (linear f) (foldr (fun p fs => match dropped ds p.1 with
    | None => add_fold p.1 p.2 fs
    | Some None => fs
    | Some (Some (k, c)) => add_fold k (product N p.2 c) fs
    end) [::] (folds f)).

(* The factor c with g = c f, if there is one. *)
Definition factor_of (f g : form T) : option T :=
  let at_fold k := (coefficient (folds f) k, coefficient (folds g) k) in
  let keys := folded f ++ folded g in
  let pairs := zip (flatten (linear f)) (flatten (linear g)) ++ map at_fold keys in
  if [seq p <- pairs | ~~ is_zero N p.1] is first :: _ then
    let c := product N first.2 (inv first.1) in
    if ~~ is_zero N c && all (fun p => same N (product N c p.1) p.2) pairs then Some c else None
  else None.

Fixpoint leader (kept : seq (kink * form T)) (f : form T) : option (kink * T) :=
  if kept is (p, g) :: kept' then if factor_of g f is Some c then Some (p, absolute c) else leader kept' f else None.

(* Rules (i) and (ii), kink by kink. *)
Fixpoint merge (kept todo : seq (kink * form T)) (ds : drops) : seq (kink * form T) * drops :=
  if todo is (q, f) :: todo' then
    let f' := replace ds f in
    if is_null f' then merge kept todo' ((q, None) :: ds)
    else if leader kept f' is Some into then merge kept todo' ((q, Some into) :: ds)
    else merge (rcons kept (q, f')) todo' ds
  else (kept, ds).

(* Rule (iii), until nothing changes. *)
Fixpoint prune (fuel : nat) (g : form T) (ks : seq (kink * form T)) : seq (kink * form T) :=
  if fuel is fuel'.+1 then
    let used := folded g ++ flatten [seq folded p.2 | p <- ks] in
    let ks' := [seq p <- ks | p.1 \in used] in
    if size ks' == size ks then ks else prune fuel' g ks'
  else ks.

Definition reduced (lf : form T * seq (kink * form T)) : form T * seq (kink * form T) :=
  let: (ks, ds) := merge [::] lf.2 [::] in
  let g := replace ds lf.1 in
  (g, prune (size ks) g ks).

(* Elimination. A pivot is a column and a row that has 1 there. *)
Definition eliminate (pivots : seq (nat * seq T)) (row : seq T) : seq T :=
  foldl (fun r p => axpy N (opp N (nth (zero N) r p.1)) p.2 r) row pivots.

(* The pivots of these rows, looked for in the first n columns; None where a row depends on those before it. *)
Fixpoint eliminated (n : nat) (pivots : seq (nat * seq T)) (rs : seq (seq T)) : seq (option (nat * seq T)) :=
  if rs is row :: rs' then
    let r := eliminate pivots row in
    let c := find (fun x => ~~ is_zero N x) (take n r) in
    let x := inv (nth (zero N) r c) in
    let unit := [seq product N t x | t <- r] in
    if (c < size (take n r)) && same N (nth (zero N) unit c) (one N)
    then Some (c, unit) :: eliminated n (rcons pivots (c, unit)) rs'
    else None :: eliminated n pivots rs'
  else [::].

Definition rank (rs : seq (seq T)) : nat := count isSome (eliminated (size (head [::] rs)) [::] rs).

(* LIKQ: the reduced kinks' rows are independent; if the loss's slope is a combination of them, these are its multipliers. *)
Definition likq_multipliers (lf : form T * seq (kink * form T)) : option (seq T) :=
  let s := size lf.2 in
  let g := flatten (linear lf.1) in
  let n := size g in
  let found := eliminated n [::] [seq flatten (linear q.1.2) ++ unit_row N s q.2 | q <- zip lf.2 (iota 0 s)] in
  if all isSome found then
    Some (map (opp N) (drop n (eliminate (pmap id found) (g ++ nseq s (zero N)))))
  else None.

(* A tree. *)
Definition form_at (ks : seq (kink * form T)) (k : kink) : form T :=
  head (Form [::] [::]) [seq p.2 | p <- ks & p.1 == k].

Definition combined (none : form T) (ks : seq (kink * form T)) (terms : seq (kink * T)) : form T :=
  foldr (fun p g => add_form p.2 (form_at ks p.1) g) none terms.

(* The kinks, of those that may be, that fold only such kinks or those known: their rows' rank. *)
Definition tight_rank (ks : seq (kink * form T)) (known tight : seq kink) : nat :=
  let found := foldl (fun found k => if all (mem found) (folded (form_at ks k)) then rcons found k else found) known tight in
  rank [seq flatten (linear (form_at ks k)) | k <- found].

(* Signs of leaves: of a tree, if they are of one leaf without a sign; or if one kink has a sign in all of them, and those
   with + are of a tree without it, and those with -. *)
Definition split_of (count : nat) (signs : seq (seq (option bool))) : nat :=
  find (fun k => all (fun s => isSome (nth None s k)) signs) (iota 0 count).

Fixpoint is_tree (fuel count : nat) (signs : seq (seq (option bool))) : bool :=
  match signs, fuel with
  | [::], _ => false
  | [:: s], _ => all (fun x => ~~ isSome x) s
  | _, 0 => false
  | _, fuel'.+1 =>
    let k := split_of count signs in
    let side b := [seq set_nth None s k None | s <- signs & nth None s k == Some b] in
    [&& k < count, is_tree fuel' count (side true) & is_tree fuel' count (side false)]
  end.

(* |z_j| on a leaf's cone for determined kinks: rows times the change. *)
Fixpoint moduli (none : form T) (ks : seq (kink * form T)) (signs : seq (kink * option bool)) (known : seq (kink * form T))
    : seq (kink * form T) :=
  if signs is (k, sign) :: signs' then
    let f := form_at ks k in
    let inside p := p.1 \in map fst known in
    let start := Form (linear f) [seq p <- folds f | ~~ inside p] in
    let row := foldr (fun p g => add_form p.2 (form_at known p.1) g) start [seq p <- folds f | inside p] in
    let is_known := is_null row || isSome sign && (folded row == [::]) in
    let row' := if sign == Some false then scale_form (opp N (one N)) row else row in
    moduli none ks signs' (if is_known then rcons known (k, row') else known)
  else known.

Definition restricted (us : seq nat) (x : seq (seq T)) : seq (seq T) :=
  [seq if q.2 \in us then q.1 else [seq zero N | _ <- q.1] | q <- zip x (iota 0 (size x))].

Definition check_leaf (none g : form T) (ks : seq (kink * form T)) (strict : bool) (b : block T) (l : leaf T) : bool :=
  let own := block_kinks b in
  let within f := null_rows (restricted (units b) (linear f)) in
  let lambda := zip own (multipliers l) in
  let rest := combined (if is_empty l then none else g) ks [seq (p.1, opp N p.2) | p <- lambda] in
  let bent c := combined none ks (zip own (shares c)) in
  let signs := zip own (fixes l) in
  let given c k :=
    let x := absolute (coefficient (zip own (shares c)) k) in
    subtract (if k == covered c then x else opp N x) (absolute (coefficient (folds (bent c)) k)) in
  let slack k :=
    let x := coefficient lambda k in
    let term := match head None [seq p.2 | p <- signs & p.1 == k] with
      | Some true => x | Some false => opp N x | None => opp N (absolute x) end in
    foldr (fun c y => plus N (given c k) y) (plus N (coefficient (folds rest) k) term) (covers l) in
  let slacks := [seq (k, slack k) | k <- own] in
  let known := moduli none ks signs [::] in
  let resting := [seq p.1 | p <- known & is_null p.2] in
  let high := [seq p.1 | p <- slacks & ~~ le N p.2 (zero N)] in
  [&& within rest, all (fun c => within (bent c)) (covers l),
      all (fun p => (p.1 \in resting) || le N (zero N) p.2) slacks,
      is_empty l ==> has (fun p => (p.1 \in high) && ~~ is_null p.2) known
    & [|| is_empty l, ~~ strict
        | tight_rank ks [::] [seq k <- own | (k \in high) || (k \in resting)]
          == rank [seq flatten (linear (form_at ks k)) | k <- own]]].

Definition check_block (none g : form T) (ks : seq (kink * form T)) (strict : bool) (b : block T) : bool :=
  let own := block_kinks b in
  let signs := [seq fixes l | l <- leaves b] in
  let inside f := [&& null_rows [seq row.1 | row <- zip (linear f) (iota 0 (size (linear f))) & row.2 \notin units b]
    & all (mem own) (folded f)] in
  [&& all (fun k => inside (form_at ks k)) own, is_tree (size own) (size own) signs & all (check_leaf none g ks strict b) (leaves b)].

Definition check_witness (lf : form T * seq (kink * form T)) (strict : bool) (count : nat) (w : witness T) : bool :=
  let: (g, ks) := lf in
  let none := Form [seq [seq zero N | _ <- row] | row <- linear g] [::] in
  let left := flatten (map (@block_kinks T) (blocks w)) in
  let parts := flatten (map (@units T) (blocks w)) in
  let g' := combined g ks [seq (p.1, opp N p.2) | p <- settled w] in
  let slack p := subtract (coefficient (folds g') p.1) (absolute p.2) in
  let tight := [seq p.1 | p <- settled w & ~~ le N (slack p) (zero N)] in
  [&& perm_eq (map fst (settled w) ++ left) (map fst ks), uniq parts,
      all (fun p => le N (zero N) (slack p)) (settled w), all (check_block none g' ks strict) (blocks w),
      null_rows [seq q.1 | q <- zip (linear g') (iota 0 (size (linear g'))) & q.2 \notin parts]
    & strict ==> (tight_rank ks left tight == count)].

Definition is_whole (free : seq (seq bool)) : bool := all (all id) free.

(* What a certificate claims: by a tree, or by LIKQ, which is a tree of settled kinks alone. *)
Definition check_by_tree (half : T) free (P : problem T) (st : state T) (strict : bool) (w : witness T) : bool :=
  let lf := reduced (local_form half free P st) in
  [&& is_half half, strict ==> is_whole free
    & check_witness lf strict (number free (shape (numerators st))) w].

Definition check_by_likq (half : T) free (P : problem T) (st : state T) (strict : bool) : bool :=
  if likq_multipliers (reduced (local_form half free P st)) is Some xs then
    check_by_tree half free P st strict (Witness (zip (map fst (reduced (local_form half free P st)).2) xs) [::])
  else false.
End Local.
