"""The proved checker, proofs/coq: it accepts what check.py accepts, and nothing that is false by its theorems.

Needs the program, which `python3 start.py coq` builds; without it these tests are skipped.
"""

import contextlib
import copy
import gzip
import hashlib
import json
import random
import re
import subprocess
import zlib
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest
import test_certificate_fuzz as fuzz
from test_corpus import load_checker

from exactdrl import (
    InputError,
    Instance,
    Walk,
    read_certificate,
    read_instance,
    record_walk,
    verify,
    write_instance,
)
from exactdrl.certificate.hints import hint_lines

ROOT = Path(__file__).parent.parent
PROGRAM = ROOT / "proofs" / "coq" / "check"
CORPUS = ROOT / "tests" / "corpus"
RECORDS = ROOT / "proofs" / "records"
CODES = {"accepted": 0, "rejected": 1, "malformed": 2, "unsupported": 3}
pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="proofs/coq/check is not built: python3 start.py coq")


def check(instance, run, hints):
    text = "".join(f"{line}\n" for line in hints)
    done = subprocess.run([PROGRAM, instance, run, "-"], input=text, capture_output=True, text=True, check=False)
    verdict = done.stdout.split(":")[0]
    assert done.returncode == CODES[verdict], (done.stdout, done.stderr)
    assert done.stdout.count("\n") == 1
    return verdict, done.stdout.partition(": ")[2].strip()


def elaborate(instance, run):
    problem = read_instance(instance)
    return list(hint_lines(problem, read_certificate(run, problem)))


def is_walk(path):
    """The corpus holds files of other formats too."""
    data = path.read_bytes()
    with contextlib.suppress(OSError, EOFError, zlib.error):
        data = gzip.decompress(data) if path.suffix == ".gz" else data
    others = (b'"exactdrl-cells"', b'"exactdrl-verdict"')
    return not path.name.startswith(("cells-", "verdict-")) and not any(name in data[:200] for name in others)


def gzip_or_plain(path):
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("ascii")


def cases(folder):
    stems = [(path.name.split(".")[0], path) for path in sorted((CORPUS / folder).glob("*.drl*")) if is_walk(path)]
    stems = [(stem, path) for stem, path in stems if not any(path.parent.glob(f"{stem}.claims*"))]
    return [pytest.param(next(path.parent.glob(f"{stem}.json*")), path, id=stem) for stem, path in stems]


def best_hints(instance, run):
    """As many hints as can be made."""
    found = []
    with contextlib.suppress(InputError):
        problem = read_instance(instance)
        for line in hint_lines(problem, read_certificate(run, problem)):
            found.append(line)  # noqa: PERF402 - what stands before an error counts
    return found


@pytest.mark.parametrize("name", sorted(path.name for path in RECORDS.iterdir() if (path / "run.drl.gz").exists()))
def test_records_are_accepted(name):
    """Every record of a walk: all steps, and the minimum where one is claimed."""
    instance, run = RECORDS / name / "instance.json.gz", RECORDS / name / "run.drl.gz"
    verdict, words = check(instance, run, elaborate(instance, run))
    assert verdict == "accepted"
    steps = len(read_certificate(run, read_instance(instance)).steps)
    assert words.startswith(f"{steps} steps, ")
    assert ("the only global minimum" in words) == name.startswith("lad-")
    assert "not " not in words


@pytest.mark.parametrize("folder", ["accept", "reject", "malformed"])
def test_corpus(folder):
    """Both checkers say the same of every walk in the corpus."""
    differing = []
    for case in cases(folder):
        instance, run = case.values
        expected, (verdict, words) = verify(instance, run).line, check(instance, run, best_hints(instance, run))
        if expected.split(":")[0] != verdict:
            differing.append((case.id, expected, verdict, words))
    assert not differing


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """A short walk in a deep network to a minimum, with its hints."""
    folder = tmp_path_factory.mktemp("coq")
    instance = RECORDS / "published-stop" / "instance.json.gz"
    run = RECORDS / "published-stop" / "run.drl.gz"
    plain = folder / "run.drl"
    plain.write_bytes(gzip.decompress(run.read_bytes()))
    return instance, plain, elaborate(instance, plain)


def tampered(value):
    """Yields the value with each of its numbers changed, one at a time."""
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from ({**value, key: other} for other in tampered(entry))
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from ([*value[:index], other, *value[index + 1 :]] for other in tampered(entry))
    elif isinstance(value, bool) or value is None:
        return
    elif isinstance(value, int):
        yield value + 1
    elif isinstance(value, str):
        yield hex(int(value, 16) + 1) if "x" in value else f"-{value}" if value[0] != "-" and value != "0" else "7/3"


@pytest.mark.parametrize("line", [1, 2, 17, -1])
def test_tampered_hints_are_rejected(example, line):
    """Each number in the first vertex, in a step's point and at the end: changed, nothing is proved by it."""
    instance, run, hints = example
    changed = list(tampered(json.loads(hints[line])))
    assert len(changed) > 5
    for other in changed:
        lines = list(hints)
        lines[line] = json.dumps(other)
        verdict, words = check(instance, run, lines)
        assert verdict == "rejected", (other, words)


# Cases of every kind of hint: inverses, bases in between, published stops, held parameters, edges, strict slopes.
KINDS = (
    "basis-replaced",
    "old-basis-dependent-after-flips",
    "old-basis-dependent-and-replaced",
    "published-stop-deep",
    "published-stop-two-parameters",
    "lineality",
    "lineality-middle-column",
    "slopes-flat",
    "slopes-unbounded-edge",
    "slopes-unbounded-basis",
    "deep-likq-convex",
    "tree-walk-deep-settled",
)


def meaning(value):
    """A line of hints, with its point as fractions, and its direction up to a positive factor."""
    value = dict(value)
    if isinstance(value.get("point"), dict):
        den = int(value["point"]["denominator"], 16)
        value["point"] = [[Fraction(int(x, 16), den) for x in row] for row in value["point"]["numerators"]]
    if "direction" in value:
        flat = [Fraction(x) for row in value["direction"] for x in row]
        size = max(map(abs, flat))
        value["direction"] = [x / size for x in flat]
    return value


@pytest.mark.parametrize("name", KINDS)
def test_every_number_of_the_hints_counts(name):
    """One number changed in any line: rejected or malformed, but for slopes, where others may prove the same."""
    instance, run = CORPUS / "accept" / f"{name}.json", CORPUS / "accept" / f"{name}.drl"
    hints = elaborate(instance, run)
    verdicts = Counter()
    for line in range(1, len(hints)):
        for other in list(tampered(json.loads(hints[line])))[:40]:
            if meaning(other) == meaning(json.loads(hints[line])):
                continue
            lines = [*hints[:line], json.dumps(other), *hints[line + 1 :]]
            verdict, words = check(instance, run, lines)
            verdicts[verdict] += 1
            assert verdict in {"rejected", "malformed"} or "slopes" in hints[line] or "strict" in hints[line], (
                other,
                words,
            )
    assert verdicts["rejected"] > 2


@pytest.fixture(scope="module")
def find_case(tmp_path_factory):
    """Walks of random networks of few bits, whose vertices are degenerate."""
    folder, found = tmp_path_factory.mktemp("fuzz"), {}

    def find(number, seed):
        if (number, seed) not in found:
            found[number, seed] = fuzz.Case(folder, number, seed)
        return found[number, seed]

    return find


@pytest.mark.parametrize("dice", range(60))
def test_mutants_of_walks(find_case, dice):
    """Walks damaged as in test_certificate_fuzz.py: both checkers say the same."""
    rng = random.Random(dice)
    case = find_case(rng.randrange(len(fuzz.PROBLEMS)), rng.randrange(3))
    lines = copy.deepcopy(rng.choice(case.runs))
    for mutate in rng.choices(fuzz.MUTATIONS, k=rng.randint(0, 2)):
        mutate(case, lines, rng)
    code, text = case.check(load_checker(), lines)
    verdict, words = check(case.path, case.run_path, best_hints(case.path, case.run_path))
    assert code == CODES[verdict], (text, words)


def damaged(value):
    """Yields an outcome's content with one number, sign, kink or part of its witness changed."""
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from ({**value, key: other} for other in damaged(entry))
        if "signs" in value:
            yield {**value, "empty": not value["empty"]}
            for place, sign in enumerate(value["signs"]):
                others = set("+-.") - {sign}
                yield from (
                    {**value, "signs": value["signs"][:place] + x + value["signs"][place + 1 :]} for x in others
                )
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from ([*value[:index], other, *value[index + 1 :]] for other in damaged(entry))
            if isinstance(entry, dict | list):
                yield [*value[:index], *value[index + 1 :]]
    elif isinstance(value, str) and value.strip("-0123456789/.") == "" and value.strip("-.") != "":
        yield from (str(Fraction(value) + change) for change in (1, -1, Fraction(1, 1000)))
        yield str(-Fraction(value))
    elif isinstance(value, int) and not isinstance(value, bool):
        yield from {value + 1, max(value - 1, 0)} - {value}


WITNESSED = [
    case for case in cases("accept") if re.search('"by":"tree"|"undecided"|strict-', gzip_or_plain(case.values[1]))
]


def test_damaged_witnesses(tmp_path):
    """A tree's multipliers, signs, kinks, covers, and the number of active kinks, changed: both checkers say the same."""
    verdicts, rng = Counter(), random.Random(5)
    for case in rng.sample(WITNESSED, 30):
        instance, run = case.values
        lines = gzip_or_plain(run).splitlines()
        outcome = json.loads(lines[-2])
        changed = [*damaged(outcome), {**outcome, "outcome": outcome["outcome"].removeprefix("strict-")}]
        for other in rng.sample(changed, min(5, len(changed))):
            path = tmp_path / "damaged.drl"
            path.write_text(sealed([*lines[:-2], json.dumps(other)]), "ascii")
            expected, (verdict, words) = verify(instance, path).line, check(instance, path, best_hints(instance, path))
            assert expected.split(":")[0] == verdict, (case.id, other, expected, words)
            verdicts[verdict] += 1
    assert verdicts["rejected"] > 40
    assert verdicts["accepted"] > 5


def test_hints_left_out():
    """A hint that the claim needs, left out: the line is not accepted."""
    for name, line, key in (
        ("basis-replaced", 2, "between"),
        ("published-stop-deep", 2, "stop"),
        ("lineality", 1, "held"),
        ("slopes-unbounded-basis", 2, "between"),
        ("old-basis-dependent-after-flips", 2, "inverse"),
    ):
        instance, run = CORPUS / "accept" / f"{name}.json", CORPUS / "accept" / f"{name}.drl"
        hints = elaborate(instance, run)
        number = next(k for k in range(line, len(hints)) if key in json.loads(hints[k]))
        value = json.loads(hints[number])
        del value[key]
        assert check(instance, run, [*hints[:number], json.dumps(value), *hints[number + 1 :]])[0] == "rejected", name


def test_hints_missing_or_of_another_instance(example):
    """Hints that break off, and those for another instance, are malformed."""
    instance, run, hints = example
    for count in (0, 1, 2, 10, len(hints) - 1):
        assert check(instance, run, hints[:count])[0] == "malformed"
    other = json.dumps({**json.loads(hints[0]), "instance": "0" * 64})
    assert check(instance, run, [other, *hints[1:]]) == ("malformed", "hints: they are for another instance")


def test_the_last_newline_counts(example, tmp_path):
    """The certificate without its last byte breaks off."""
    instance, run, hints = example
    short = tmp_path / "short.drl"
    short.write_bytes(run.read_bytes()[:-1])
    assert check(instance, short, hints) == ("malformed", f"the last line breaks off: {short}")


def sealed(lines):
    """The certificate of these lines, with an end line that fits."""
    steps = sum("enter" in json.loads(line) for line in lines)
    body = "".join(f"{line}\n" for line in lines)
    end = {"end": {"steps": steps, "sha256": hashlib.sha256(body.encode()).hexdigest()}}
    return body + json.dumps(end) + "\n"


def test_a_minimum_claimed_too_early_is_rejected(example, tmp_path):
    """The walk cut off before its end is no minimum there, whatever the hints say."""
    instance, run, hints = example
    lines = run.read_text("ascii").splitlines()
    for count in (2, 10, 20):
        early = tmp_path / f"{count}.drl"
        early.write_text(sealed([*lines[:count], lines[-2]]), "ascii")
        try:
            best = elaborate(instance, early)
        except InputError:
            best = []
        for candidate in (best, [*hints[: count - 1 + 1], hints[-1]]):
            assert check(instance, early, candidate)[0] != "accepted"


def test_wrong_steps_are_rejected(example, tmp_path):
    """Flips, leaving and entering kinks changed in a step."""
    instance, run, hints = example
    lines = run.read_text("ascii").splitlines()
    changed = 0
    for index in range(2, 12):
        step = json.loads(lines[index])
        for key in ("leave", "enter"):
            layer, sample, unit = step[key]
            wrong = json.dumps({**step, key: [layer, (sample + 1) % 20, unit]})
            path = tmp_path / "wrong.drl"
            path.write_text(sealed([*lines[:index], wrong, *lines[index + 1 : -1]]), "ascii")
            assert check(instance, path, hints)[0] == "rejected"
            changed += 1
    assert changed == 20


SLOPES = {"absolute": {"kind": "absolute"}, "pinball": {"kind": "pinball", "level": "1/4"}}


@pytest.mark.parametrize("loss", sorted(SLOPES))
def test_regressions_by_instance_file(tmp_path, loss):
    """Least absolute deviations and a quantile: the optimum of the walk is proved global."""
    content = {
        "format": "exactdrl-instance",
        "version": 2,
        "network": {"layers": [{"weight": [["0"]], "bias": ["0"]}]},
        "free": 1,
        "loss": SLOPES[loss],
        "data": {"inputs": [["1"], ["2"], ["3"], ["4"], ["5"]], "targets": [["1"], ["1.5"], ["2"], ["3"], ["0x1p1"]]},
    }
    instance, run = tmp_path / "a.json", tmp_path / "a.drl"
    instance.write_text(json.dumps(content), "ascii")
    record_walk(Walk(read_instance(instance)), run)
    verdict, words = check(instance, run, elaborate(instance, run))
    assert verdict == "accepted"
    assert "global minimum" in words


def test_leaky_units_and_weights(tmp_path):
    """A network with two-slope activations, a pinball loss and weighted samples."""
    layers = [
        {"weight": [["1", "1/2"], ["-1", "2"]], "bias": ["0", "1"], "activation": [["1/10", "1"], ["0", "2"]]},
        {"weight": [["1", "-1"]], "bias": ["1/2"]},
    ]
    inputs = [[str(i % 5 - 2), str((3 * i) % 7 - 3)] for i in range(9)]
    content = {
        "format": "exactdrl-instance",
        "version": 2,
        "network": {"layers": layers},
        "free": 1,
        "loss": {"kind": "pinball", "level": "2/5"},
        "data": {
            "inputs": inputs,
            "targets": [[str((5 * i) % 4)] for i in range(9)],
            "weights": [str(1 + i % 3) for i in range(9)],
        },
    }
    instance, run = tmp_path / "a.json", tmp_path / "a.drl"
    instance.write_text(json.dumps(content), "ascii")
    record_walk(Walk(read_instance(instance)), run)
    verdict, words = check(instance, run, elaborate(instance, run))
    assert verdict == "accepted", words


def test_numbers_are_read_as_the_format_says(tmp_path):
    """One number in many writings makes the same problem; what the format refuses is malformed."""
    base = Instance.create([([["0"]], None)], [["1"]], [["0.125"]])
    run = tmp_path / "a.drl"
    for text in ("0.125", "1/8", "125e-3", "0x1p-3", "0x.2p0", ".125", "2/16", "1.25E-1"):
        instance = tmp_path / "a.json"
        write_instance(base, instance, force=True)
        content = json.loads(instance.read_text("ascii"))
        content["data"]["targets"] = [[text]]
        instance.write_text(json.dumps(content), "ascii")
        record_walk(Walk(read_instance(instance)), run, force=True)
        assert check(instance, run, elaborate(instance, run))[0] == "accepted"
        certified = elaborate(instance, run)
        for wrong in ("+1", "1_0", " 1", "1/0", "0x1", "1e", "٣", "nan", "1.", "--1", "0x1p99999", "1e99999"):
            if wrong == "1.":
                continue  # the format allows it
            content["data"]["targets"] = [[wrong]]
            broken = tmp_path / "b.json"
            broken.write_text(json.dumps(content, ensure_ascii=False), "utf-8")
            assert check(broken, run, certified)[0] == "malformed", wrong


def test_proofs_rest_on_no_axiom():
    """What Coq prints about each theorem, and no Admitted or Axiom in the sources."""
    text = (PROGRAM.parent / "assumptions.txt").read_text("utf-8")
    assert text.count("Closed under the global context") == text.count("\naccepted_") + 2 == 11
    assert "Axioms:" not in text
    for source in PROGRAM.parent.glob("*.v"):
        for word in ("Admitted", "admit.", "Axiom", "Parameter ", "Conjecture", "Hypothesis axiom"):
            assert word not in source.read_text("utf-8"), (source.name, word)
