"""The proved checker with a condition dropped accepts some false case: the cases are sharp, and each condition counts.

Needs what `python3 start.py coq` installs and builds; without it these tests are skipped.
"""

import gzip
import hashlib
import json
import re
import shutil
import subprocess

import pytest
from test_coq import (
    CODES,
    CORPUS,
    KINDS,
    PROGRAM,
    RECORDS,
    best_hints,
    cases,
    elaborate,
    gzip_or_plain,
    sealed,
    tampered,
)

BUILD = PROGRAM.parent / "build"
FILES = ("checker.mli", "checker.ml", "arithmetic.ml", "sha256.ml", "json.ml", "files.ml", "main.ml")
# An expression of the extracted program behind a text, and what stands there in the mutant: true where nothing is said.
MUTATIONS = {
    "a slope may be under its bound": ("", "(n.le low h)"),
    "a slope may be over its bound": ("", "(n.le h high)"),
    "slopes need not add up to 0": ("Some rows ->", "all (all (is_zero n)) rows"),
    "slopes need not be those of an axis": ("Some rows ->", "is_axis_rows n b r c rows"),
    "tied kinks need not be proportional": ("| Split (k, ties, plus0, minus) -> (&&)", "(all (is_tied n p k) ties)"),
    "tied kinks need not be so for strictness": (
        "| StrictSplit (k, ties, plus0, minus) -> (&&)",
        "(all (is_tied n p k) ties)",
    ),
    "the end may be another point": ("let check_end n p st u t = (&&)", "(is_point n st u)"),
    "a strict end may be another point": ("let check_strict_end n p st u t = (&&)", "(is_point n st u)"),
    "an edge may begin at another point": ("zero_of n st.values_there in (&&)", "(is_point n st u)"),
    "the first basis' inverse": ("", "(is_inverse n p free c (size num) m ks inv)"),
    "the first basis need not vanish": ("if", "all (zero_of n values) ks"),
    "the first basis may be too small": (
        "",
        "(eq_op nat_eqType (Obj.magic size ks) (Obj.magic number free (shape num)))",
    ),
    "what is no kink may be in the first basis": ("", "(all (is_kink_of n p) ks)"),
    "what is no kink may be in a new basis": ("", "(all (is_kink_of n p) new0)"),
    "flipped kinks need not vanish": ("", "(all here mv.flips)"),
    "a new basis need not vanish": ("", "(all (zero_of n values) new0)"),
    "a new basis' inverse": ("Some inv ->", "is_inverse n p free c (size num) m new0 inv"),
    "a basis that replaces another is believed": ("", "(implb (isSome mv.replaced) turns)"),
    "a basis that replaces another need not vanish": ("old))) ((&&)", "(all here old)"),
    "flips out of the basis need no inverse": ("None -> (&&)", "turns"),
    "crossed kinks may be deep": ("", "(all (fun k -> negb (deep p k)) mv.crossed)"),
    "the loss may rise": ("", "(n.le behind before0)"),
    "a long step's loss may stay": ("_ :: _ ->", "falls"),
    "a step may stay at its point": ("[] ->", "negb (here mv.entering)"),
    "points may lie outside the cell": ("if", "obeys_all_of n bits (all_slopes_of p s) values"),
    "held parameters may move in a step": ("", "(keeps_of n free st.numerators st.denominator num mv.to_denominator)"),
    "the first vertex need not keep what is held": ("", "(keeps_of n free num den st.numerators st.denominator)"),
    "the first loss may be above the start's": (
        "",
        "(n.le (n.product st.loss_there den) (n.product cost st.denominator))",
    ),
    "a loss of 0 is believed": ("", "(is_zero n st.loss_there)"),
    "the loss may be below 0 elsewhere": ("", "(all (fun s -> all (fun g -> (&&) (n.le g.term.below n.zero)"),
    "the loss may change along what is held": ("Some x ->", "is_zero n x"),
    "kinks may change along what is held": ("if", "(||) (negb (bent_of n s)) (is_zero n x)"),
    "a held parameter need not move": ("then", "same n x n.one"),
    "a published stop need not be left downwards": ("Some xs -> (&&)", "falls"),
    "edges may fall at a published stop": ("", "(all2 (fun k x -> signed_of n (bit c k) x) ks xs)"),
    "multipliers need not give the gradient": ("", "(is_zero_rows n free (minus_rows n rows rows'))"),
    "a ray may leave its cell": ("", "(goes_all n bits (all_slopes_of p s) (at_ u) (at_ v))"),
    "a ray may begin outside its cell": ("", "(obeys_all_of n bits (all_slopes_of p s) (at_ u))"),
    "the loss need not fall along a ray": ("", "(negb (n.le (loss_of n p u) (loss_of n p v)))"),
    "a bound need not be reached": ("Some b ->", "n.le (loss_of n p u) b"),
    "a constant loss may have two bounds": ("", "n.le b' b"),
    "a constant loss need not be in its cell": ("", "(isSome (arrive n p pl c num den))"),
    "an edge need not keep the others": (
        "((&&) (keeps_of n free u n.one v n.one) ((&&)",
        "(all (Obj.magic zero_of n (table_of n p c v))",
    ),
    "an edge's basis need not vanish": ("(all here flipped) ((&&)", "(all here old)"),
    "an edge's basis is believed": ("", "(is_turn n p free st flipped another inv)"),
    "slopes are believed": ("(is_point n st u)", "(check_local_minimum n p u t)"),
    "slopes are believed to be strict": ("(is_point n st u)", "(check_strict_local_minimum n p u t)"),
    "the certificate's reason is believed": (
        "(implb strict (is_whole free))",
        "(check_witness n inv lf strict (number free (shape st.numerators)) w)",
    ),
    "any number of kinks may be active": (
        "(is_half n half)",
        "(eq_op nat_eqType (Obj.magic size (snd (local_form n half free p st))) (Obj.magic count0))",
    ),
    "LIKQ's kinks may be dependent": ("if", "all isSome found"),
    "a tree's kinks may be others": (
        "(&&)",
        "(perm_eq (prod_eqType (prod_eqType nat_eqType nat_eqType) nat_eqType) (cat (map0 (Obj.magic fst) w.settled)",
    ),
    "a unit may be in two blocks": ("", "(uniq nat_eqType (Obj.magic parts))"),
    "a settled kink's multiplier may be too large": ("", "(all (fun p -> n.le n.zero (slack p)) w.settled)"),
    "blocks are believed": ("", "(all (check_block n inv none g' ks strict) w.blocks)"),
    "the slope outside of blocks is believed": (
        "w.blocks) ((&&)",
        "(null_rows n (map0 fst (filter (fun q -> negb (in_mem (snd (Obj.magic q))",
    ),
    "tight kinks may have too small a rank": (
        "",
        "(implb strict (eq_op nat_eqType (Obj.magic tight_rank n inv ks left tight)",
    ),
    "a strict minimum may have lineality": ("", "(implb strict (is_whole free))"),
    "a block's kinks may depend on other units": (
        "(&&)",
        "(null_rows n (map0 fst (filter (fun row -> negb (in_mem (snd (Obj.magic row))",
    ),
    "a block's kinks may fold others": (
        "b.units)))) (zip f.linear (iota 0 (size f.linear))))))",
        "(all (PredOfSimpl.coerce",
    ),
    "the leaves need not be a tree's": ("", "(is_tree (size own) (size own) signs0)"),
    "a tree may split where a leaf has no sign": ("find (fun k ->", "all (fun s -> isSome (nth None s k)) signs0"),
    "a leaf's multipliers need not give the slope": ("", "(within rest)"),
    "a cover need not be a relation": ("", "(all (fun c -> within (bent c)) l.covers)"),
    "a leaf's multiplier may be too large": ("", "(all (fun p -> (||) (in_mem (fst (Obj.magic p)) (mem (seq_predType"),
    "any leaf may be called empty": ("", "(implb l.is_empty"),
    "a leaf's tight kinks may have too small a rank": (
        "l.is_empty ((||) (negb strict)",
        "(eq_op nat_eqType (Obj.magic tight_rank n inv ks []",
    ),
    "kinks that are not fixed may be determined": ("(&&)", "(isSome sign)"),
    "kinks that fold others may be determined": (
        "(isSome sign)",
        "(eq_op (seq_eqType (prod_eqType (prod_eqType nat_eqType nat_eqType) nat_eqType)) (Obj.magic folded n row)",
    ),
    "a kink may be tight that folds others": (
        "if",
        (
            "all (PredOfSimpl.coerce (simpl_of_mem (mem (Obj.magic seq_predType (prod_eqType (prod_eqType nat_eqType"
            " nat_eqType) nat_eqType)) (Obj.magic found)))) (folded n (form_at ks k))"
        ),
    ),
    "all kinks may be one": (
        "(&&) (negb (is_zero n c))",
        "(all (fun p -> same n (n.product c (fst p)) (snd p)) pairs)",
    ),
}

# The number of a condition of the parser: that what is called a kink bends. With it the proved function never sees others.
PARSED = 1000
# Conditions on slopes, which only count where the certificate's own reason is believed.
SLOPES = (
    "a slope may be under its bound",
    "a slope may be over its bound",
    "tied kinks need not be proportional",
    "tied kinks need not be so for strictness",
    "a strict end may be another point",
)
FLAT = ("what is no kink may be in the first basis", "what is no kink may be in a new basis")
# Those before are on walks and minima, those behind on the reason that the certificate gives.
MIDDLE = list(MUTATIONS).index("slopes are believed")
WALKS, REASONS = list(MUTATIONS)[:MIDDLE], list(MUTATIONS)[MIDDLE + 3 :]
# What is dropped beside a condition on a certificate's own reason, so that the slopes of the hints do not stand in for it.
BELIEVED = (
    "slopes are believed",
    "slopes are believed to be strict",
    "the end may be another point",
    "a strict end may be another point",
)

pytestmark = pytest.mark.skipif(
    not (PROGRAM.exists() and BUILD.exists() and shutil.which("ocamlfind")),
    reason="proofs/coq is not built here: python3 start.py coq",
)


def verdict_of(program, instance, run, lines):
    text = "".join(f"{line}\n" for line in lines)
    done = subprocess.run([program, instance, run, "-"], input=text, capture_output=True, text=True, check=False)
    verdict = done.stdout.split(":")[0]
    assert done.returncode == CODES[verdict]
    return verdict


def write_case(folder, name, content, lines, hints):
    """An instance, a run with these lines between its header and its end, and hints."""
    instance, run = folder / f"{name}.json", folder / f"{name}.drl"
    text = json.dumps({"format": "exactdrl-instance", **content})
    instance.write_text(text, "ascii")
    digest = hashlib.sha256(text.encode()).hexdigest()
    header = {"format": "exactdrl-certificate", "version": 1, "instance": digest, "rule": "first", "start": "own"}
    run.write_text(sealed([json.dumps(line) for line in (header, *lines)]), "ascii")
    head = {"format": "exactdrl-hints", "version": 1, "instance": digest}
    return instance, run, [json.dumps(line) for line in (head, *hints)]


def regression(start, targets, *, weights=None, loss=None, inputs=None):
    """A linear function without bias; x = 1 for each sample where nothing else is said."""
    data = {"inputs": inputs or [["1"] for _ in targets], "targets": [[t] for t in targets]}
    return {
        "version": 2,
        "network": {"layers": [{"weight": [start], "bias": None}]},
        "free": 1,
        "loss": loss or {"kind": "absolute"},
        "data": data | ({"weights": weights} if weights else {}),
    }


LIMIT = {"outcome": "step-limit"}
INVERSE = {"inverse": [[["1"]]]}


def first(pattern, *basis):
    return {"vertex": {"pattern": [pattern], "basis": [[1, sample, 0] for sample in basis]}}


def step(leave, enter, **more):
    return {"flip": [], "leave": [1, leave, 0], "enter": [1, enter, 0]} | more


def vertex_at(*numerators, denominator=1):
    return {"point": {"numerators": [[hex(x) for x in numerators]], "denominator": hex(denominator)}}


def median(folder, name, start, pattern, steps, outcome, hints):
    """A run on the median of 0, 1 and 2, one parameter, with the hints of its points."""
    content = regression([start], ["0", "1", "2"])
    return write_case(folder, name, content, [first(pattern, int(start)), *steps, outcome], hints)


def make_false(folder):
    """Runs that are false, or whose hints do not show them, and each breaks one condition."""

    def claim(name, start, pattern, slope):
        slopes = {"point": [[start]], "tree": {"slopes": [[1, int(start), 0, slope]]}}
        end = {"outcome": "local-minimum", "by": "likq"}
        return median(folder, name, start, pattern, [], end, [vertex_at(int(start)) | INVERSE, slopes])

    yield claim("over", "0", "8", "2")
    yield claim("under", "2", "e", "-2")
    yield claim("unbalanced", "0", "8", "1")
    yield median(folder, "first", "0", "8", [], LIMIT, [vertex_at(1, denominator=2) | INVERSE])
    yield median(folder, "new", "0", "8", [step(0, 1)], LIMIT, [vertex_at(0) | INVERSE, vertex_at(1, denominator=2)])
    # the strict minimum is another point
    axes = {"point": [["1"]], "strict": {"axes": [[[[[1, 1, 0, "1"]], [[1, 1, 0, "-1"]]]]]}}
    strict = {"outcome": "strict-local-minimum", "by": "likq"}
    yield median(folder, "strict", "0", "8", [], strict, [vertex_at(0) | INVERSE, axes])
    # two kinks that vanish together, said to have opposite signs
    slope = regression(["0"], ["0", "0", "1", "1", "1"])
    start = {"vertex": {"pattern": ["c0"], "basis": [[1, 0, 0]]}}

    def opposite(plus, minus):
        return {"kink": [1, 0, 0], "tied": [[[1, 1, 0], "-1"]], "plus": plus, "minus": minus}

    def slopes_of(one, other):
        return [[1, 0, 0, one], [1, 1, 0, other]]

    proof = opposite({"slopes": slopes_of("1", "2")}, {"slopes": slopes_of("2", "1")})
    end = {"outcome": "local-minimum", "by": "likq"}
    hints = [vertex_at(0) | INVERSE, {"point": [["0"]], "tree": proof}]
    yield write_case(folder, "tied", slope, [start, end], hints)
    axes = [{"axes": [[[slopes_of(*up), slopes_of(*down)]]]} for up, down in (("13", "11"), ("31", "11"))]
    hints = [vertex_at(0) | INVERSE, {"point": [["0"]], "strict": opposite(*axes)}]
    yield write_case(folder, "tied-strictly", slope, [start, strict], hints)
    # two kinks for one parameter, and a step from one to the other at the same point
    twice = regression(["0"], ["0", "0", "2"])
    both = {"inverse": [[["1", "0"]]]}
    yield write_case(folder, "twice", twice, [first("c", 0, 1), LIMIT], [vertex_at(0) | both])
    yield write_case(folder, "stays", twice, [first("c", 0), step(0, 1), LIMIT], [vertex_at(0) | INVERSE] * 2)
    # a parameter that is held, along which kinks move while the loss's slopes with all of them on add up to 0
    seesaw = regression(["1"], ["0", "0"], inputs=[["1"], ["-1"]])
    held = {"held": [[0, 0, [["1"]]]], "inverse": [[[]]]}
    yield write_case(folder, "held", seesaw, [first("8"), LIMIT], [vertex_at(1) | held])
    # and one that moves in the first vertex, or in a step
    level = regression(["0", "0"], ["0", "1", "2"], inputs=[["1", "1"]] * 3)
    held = {"held": [[0, 1, [["-1", "1"]]]], "inverse": [[["1"], []]]}
    yield write_case(folder, "held-first", level, [first("8", 0), LIMIT], [vertex_at(-1, 1) | held])
    lines = [first("8", 0), step(0, 1), LIMIT]
    yield write_case(folder, "held-step", level, lines, [vertex_at(0, 0) | held, vertex_at(0, 1)])
    # an edge of the corner from which the loss falls, and a ray that is none; an edge with a basis of another point
    falling = {"kind": "two-slope", "below": "1", "above": "2"}
    corner = regression(["0", "0"], ["0", "0"], loss=falling, inputs=[["1", "0"], ["0", "1"]])
    edge = {"outcome": "unbounded", "flip": [], "leave": [1, 0, 0]}
    square = {"inverse": [[["1", "0"], ["0", "1"]]]}
    ray = {"point": [["0", "0"]], "direction": [["-1", "-1"]]}
    yield write_case(folder, "no-edge", corner, [first("0", 0, 1), edge], [vertex_at(0, 0) | square, ray])
    line = regression(["1"], ["1", "2"], loss=falling)
    edge = {"outcome": "unbounded", "flip": [[1, 0, 0]], "basis": [[1, 1, 0]], "leave": [1, 1, 0]}
    ray = {"point": [["1"]], "direction": [["-1"]], "between": [[["1"]]]}
    yield write_case(folder, "edge-elsewhere", line, [first("8", 0), edge], [vertex_at(1) | INVERSE, ray])
    # a loss between 0 and 1 that is said to be constant
    layers = [{"weight": [["0"]], "bias": None}, {"weight": [["-1"]], "bias": ["1"]}, {"weight": [["1"]], "bias": None}]
    between = regression(["0"], ["0"]) | {"network": {"layers": layers}}
    lines = [{"start": {"pattern": ["8", "8", "8"]}}, {"outcome": "local-minimum", "by": "bound"}]
    yield write_case(folder, "between", between, lines, [])
    # a published stop with multipliers that have the right signs and give nothing
    instance, run = CORPUS / "reject" / "published-stop-falls.json", CORPUS / "reject" / "published-stop-falls.drl"
    hints = best_hints(instance, run)
    value = json.loads(hints[2])
    value["stop"] = [["0" for _ in row] for row in value["stop"]]
    yield instance, run, [*hints[:2], json.dumps(value), *hints[3:]]
    # true steps whose hints do not show them
    for name, key in (("basis-replaced", "between"), ("old-basis-dependent-after-flips", "inverse")):
        instance, run = CORPUS / "accept" / f"{name}.json", CORPUS / "accept" / f"{name}.drl"
        hints = elaborate(instance, run)
        number = next(k for k in range(2, len(hints)) if key in json.loads(hints[k]))
        value = json.loads(hints[number])
        value.pop(key)
        if key == "between":
            value["inverse"] = INVERSE["inverse"]
        yield instance, run, [*hints[:number], json.dumps(value), *hints[number + 1 :]]
    yield deep_long_step(folder)


def make_flat(folder):
    """Runs whose first basis, or the next, has a residual without weight, where nothing bends."""
    still = regression(["0"], ["0", "1"], weights=["0", "1"])
    yield write_case(folder, "flat", still, [first("8", 0), LIMIT], [vertex_at(0) | INVERSE])
    still = regression(["0"], ["1", "0", "3"], weights=["0", "1", "3"])
    lines = [first("c", 1), step(1, 0), LIMIT]
    yield write_case(folder, "flat-next", still, lines, [vertex_at(0) | INVERSE, vertex_at(1)])


def deep_long_step(folder):
    """Two steps of a deep network as one that crosses a hidden kink, without the inverse that shows the new basis."""
    instance, run = RECORDS / "published-stop" / "instance.json.gz", RECORDS / "published-stop" / "run.drl.gz"
    lines = [json.loads(line) for line in gzip.decompress(run.read_bytes()).splitlines()]
    last = max(line["leave"][0] for line in lines if "leave" in line)
    number = next(
        k
        for k in range(2, len(lines) - 3)
        if lines[k]["enter"] == lines[k + 1]["leave"]
        and lines[k + 1]["flip"] == [lines[k]["enter"]]
        and lines[k]["enter"][0] < last
    )
    one, other = lines[number], lines[number + 1]
    joined = {"flip": one["flip"], "leave": one["leave"], "enter": other["enter"], "cross": other["flip"]}
    path = folder / "deep.drl"
    kept = [json.dumps(line) for line in (*lines[:number], joined, LIMIT)]
    path.write_text(sealed(kept), "ascii")
    hints = elaborate(instance, path)
    value = json.loads(hints[-1])
    del value["inverse"]
    return instance, path, [*hints[:-1], json.dumps(value)]


def test_the_median_itself(tmp_path):
    """The neighbours of the false cases: the same with the right numbers is accepted."""
    last = {"point": [["1"]], "tree": {"slopes": []}}
    end = {"outcome": "local-minimum", "by": "likq"}
    case = median(tmp_path, "a", "0", "8", [step(0, 1)], end, [vertex_at(0) | INVERSE, vertex_at(1), last])
    assert verdict_of(PROGRAM, *case) == "accepted"


def test_right_neighbours(tmp_path):
    """What is held stays, an edge is one: accepted, with the hints of the false cases but for one number."""
    level = regression(["0", "0"], ["0", "1", "2"], inputs=[["1", "1"]] * 3)
    held = {"held": [[0, 1, [["-1", "1"]]]], "inverse": [[["1"], []]]}
    lines = [first("8", 0), step(0, 1), LIMIT]
    case = write_case(tmp_path, "a", level, lines, [vertex_at(0, 0) | held, vertex_at(1, 0)])
    assert verdict_of(PROGRAM, *case) == "accepted"
    falling = {"kind": "two-slope", "below": "1", "above": "2"}
    corner = regression(["0", "0"], ["0", "0"], loss=falling, inputs=[["1", "0"], ["0", "1"]])
    edge = {"outcome": "unbounded", "flip": [], "leave": [1, 0, 0]}
    square = {"inverse": [[["1", "0"], ["0", "1"]]]}
    ray = {"point": [["0", "0"]], "direction": [["-1", "0"]]}
    case = write_case(tmp_path, "b", corner, [first("0", 0, 1), edge], [vertex_at(0, 0) | square, ray])
    assert verdict_of(PROGRAM, *case) == "accepted"


@pytest.fixture(scope="module")
def false_cases(tmp_path_factory):
    """What the checker rejects: the corpus, medians, and runs with one number of their hints changed."""
    found = list(make_false(tmp_path_factory.mktemp("false")))
    assert [verdict_of(PROGRAM, *case) for case in found] == ["rejected"] * len(found)
    for parameter in cases("reject"):
        instance, run = parameter.values
        found.append((instance, run, best_hints(instance, run)))
    accepted = [tuple(parameter.values) for parameter in cases("accept") if parameter.id in KINDS]
    accepted += [
        (RECORDS / name / "instance.json.gz", RECORDS / name / "run.drl.gz") for name in ("published-stop", "lad-engel")
    ]
    for instance, run in accepted:
        hints = elaborate(instance, run)
        for line in {1, min(2, len(hints) - 1), len(hints) - 1}:
            texts = [json.dumps(changed) for changed in tampered(json.loads(hints[line]))][:12]
            found.extend((instance, run, [*hints[:line], text, *hints[line + 1 :]]) for text in texts)
    return [case for case in found if verdict_of(PROGRAM, *case) == "rejected"]


def find_expression(text, before, expression):
    """Where an expression stands in the program; line breaks are the extraction's, and what is begun goes to its bracket."""
    depth = expression.count("(") - expression.count(")")
    pattern = re.compile(r"\s+".join(map(re.escape, f"{before} {expression}".split())))
    found = pattern.search(text)
    assert found, (before, expression)
    end = found.end()
    while depth:
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        end += 1
    start = found.start() + re.match(r"\s*".join(map(re.escape, before.split())), found[0]).end()
    return start, end


@pytest.fixture(scope="module")
def mutants(tmp_path_factory):
    """One program with all mutations; the environment says which of them it has."""
    folder = tmp_path_factory.mktemp("mutants")
    for source in FILES:
        shutil.copy(BUILD / source, folder)
    text = (folder / "checker.ml").read_text("utf-8")
    places = [(*find_expression(text, *mutation), number) for number, mutation in enumerate(MUTATIONS.values())]
    for start, end, number in sorted(places, reverse=True):
        text = f"{text[:start]} (if is_dropped {number} then true else {text[start:end]}){text[end:]}"
    files = (folder / "files.ml").read_text("utf-8")
    parsed = "demand (is_kink inst found)"
    assert files.count(parsed) == 1
    files = files.replace(parsed, f"demand (Checker.is_dropped {PARSED} || is_kink inst found)")
    (folder / "files.ml").write_text(files, "utf-8")
    with (folder / "checker.mli").open("a") as interface:
        interface.write("val is_dropped : int -> bool\n")
    choice = (
        'let dropped = String.split_on_char \',\' (Option.value (Sys.getenv_opt "MUTANT") ~default:"")\n'
        "let is_dropped number = List.mem (string_of_int number) dropped\n"
    )
    (folder / "checker.ml").write_text(choice + text, "utf-8")
    command = ["ocamlfind", "ocamlopt", "-w", "-a", "-package", "zarith,unix", "-linkpkg", *FILES, "-o", "mutant"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / "mutant"


def test_no_mutation(mutants, false_cases, monkeypatch):
    """Without a choice the program is the program."""
    monkeypatch.delenv("MUTANT", raising=False)
    assert [verdict_of(mutants, *case) for case in false_cases[:40]] == ["rejected"] * 40


def choose(names):
    return ",".join(str(list(MUTATIONS).index(name)) for name in names)


@pytest.mark.parametrize("name", FLAT)
def test_the_proved_function_knows_kinks(name, mutants, tmp_path, monkeypatch):
    """What is no kink is malformed; where the parser believes that it is one, the proved function rejects it."""
    flat = list(make_flat(tmp_path))
    assert [verdict_of(PROGRAM, *case) for case in flat] == ["malformed"] * 2
    monkeypatch.setenv("MUTANT", str(PARSED))
    assert [verdict_of(mutants, *case) for case in flat] == ["rejected"] * 2
    monkeypatch.setenv("MUTANT", f"{PARSED},{choose([name])}")
    assert any(verdict_of(mutants, *case) == "accepted" for case in flat)


@pytest.mark.parametrize("name", [name for name in WALKS if name not in FLAT + SLOPES])
def test_each_condition_matters(name, mutants, false_cases, monkeypatch):
    """Without the condition the program accepts a case that it rejects."""
    monkeypatch.setenv("MUTANT", choose([name]))
    assert any(verdict_of(mutants, *case) == "accepted" for case in false_cases)


@pytest.mark.parametrize("name", SLOPES)
def test_each_condition_on_slopes_matters(name, mutants, false_cases, monkeypatch):
    """The same where the certificate's reason is believed, which is false where the slopes prove nothing."""
    believed = ("the certificate's reason is believed", "LIKQ's kinks may be dependent")
    monkeypatch.setenv("MUTANT", choose(believed))
    rejected = [case for case in false_cases if verdict_of(mutants, *case) == "rejected"]
    monkeypatch.setenv("MUTANT", choose([name, *believed]))
    assert any(verdict_of(mutants, *case) == "accepted" for case in rejected)


@pytest.fixture(scope="module")
def false_reasons(tmp_path_factory, mutants):
    """Runs of the corpus whose outcome is false, and a median with leaves that are none of a tree; slopes are believed."""
    found = []
    for parameter in cases("reject"):
        instance, run = parameter.values
        outcome = json.loads(gzip_or_plain(run).splitlines()[-2])
        if outcome.get("by") in {"likq", "tree"} or "active" in outcome:
            hints = best_hints(instance, run)
            proof = {"strict": {"axes": []}} if "strict" in outcome["outcome"] else {"tree": {"slopes": []}}
            last = [] if "active" in outcome else [json.dumps({"point": [["0"]]} | proof)]
            steps = len(gzip_or_plain(run).splitlines()) - 4
            found.append((instance, run, [*hints[: steps + 2], *last]))
    leaves = [{"signs": sign, "empty": False, "multipliers": ["0"]} for sign in "+-."]
    end = {"outcome": "local-minimum", "by": "tree", "settled": []}
    end["blocks"] = [{"units": [0], "kinks": [[1, 1, 0]], "leaves": leaves}]
    last = {"point": [["1"]], "tree": {"slopes": []}}
    folder = tmp_path_factory.mktemp("reasons")
    found.append(median(folder, "leaves", "1", "c", [], end, [vertex_at(1) | INVERSE, last]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MUTANT", choose(BELIEVED))
        return [case for case in found if verdict_of(mutants, *case) == "rejected"]


@pytest.mark.parametrize("name", REASONS)
def test_each_condition_on_the_reason_matters(name, mutants, false_reasons, monkeypatch):
    """The same where the slopes of the hints are believed, which prove a minimum whatever its reason is."""
    monkeypatch.setenv("MUTANT", choose([name, *BELIEVED]))
    assert any(verdict_of(mutants, *case) == "accepted" for case in false_reasons)


def test_slopes_and_reasons_matter(mutants, false_reasons, monkeypatch):
    """With slopes and reasons believed, all minima are accepted that are claimed."""
    monkeypatch.setenv("MUTANT", choose(["the certificate's reason is believed", *BELIEVED]))
    assert sum(verdict_of(mutants, *case) == "accepted" for case in false_reasons) > 30
