"""Damaged certificates: what the stand-alone checker accepts is true, and what it rejects is false.

Real certificates are changed in ways that keep them well-formed, with the end line made to fit again, so that nothing but the
meaning is left to notice. tests/certjudge.py says what is true.
"""

import contextlib
import copy
import hashlib
import json
import random
from collections import Counter

import certjudge
import oracle
import pytest
from certjudge import FalseClaimError
from hypothesis import given
from hypothesis import strategies as st
from strategies import examples
from test_corpus import load_checker, run

from exactdrl import Walk, record_walk, sample_experiment, write_instance

# Widths, samples, bits: few bits make kinks coincide, so that vertices are degenerate and outcomes need trees.
PROBLEMS = [
    ((2, 2, 1), 7, 3),
    ((1, 3, 1), 8, 2),
    ((2, 2, 2, 1), 6, 3),
    ((1, 2, 2, 2), 6, 12),
    ((2, 1), 9, 2),
    ((2, 2), 8, 12),
]
RULES = ("reference", "steepest", "first")
CLAIMS = [
    {"outcome": "strict-local-minimum", "by": "likq"},
    {"outcome": "local-minimum", "by": "likq"},
    {"outcome": "local-minimum", "by": "zero-loss"},
    {"outcome": "strict-local-minimum", "by": "tree", "settled": [], "blocks": []},
    {"outcome": "undecided", "active": 3},
]
STOP = {"outcome": "step-limit"}


class Case:
    """An instance and the runs of the three rules on it: lines 2 to 4 of their certificates."""

    def __init__(self, folder, number, seed):
        widths, samples, bits = PROBLEMS[number]
        instance = sample_experiment(widths, samples=samples, seed=seed, bits=bits)
        self.problem = oracle.Problem(instance)
        self.path = folder / f"{number}-{seed}.json"
        self.run_path = folder / f"{number}-{seed}.drl"
        write_instance(instance, self.path, force=True)
        self.runs = []
        for rule in RULES:
            record_walk(Walk(instance, rule=rule), self.run_path, force=True)
            lines = [json.loads(line) for line in self.run_path.read_text("ascii").splitlines()]
            self.header = lines[0]
            self.runs.append(lines[1:-1])

    def check(self, checker, lines, *options):
        """The checker's answer on these lines between a header and an end line that fit them."""
        text = "".join(json.dumps(line) + "\n" for line in [self.header, *lines])
        digest = hashlib.sha256(text.encode("ascii")).hexdigest()
        end = {"end": {"steps": sum("leave" in line for line in lines), "sha256": digest}}
        self.run_path.write_text(f"{text}{json.dumps(end)}\n", "ascii")
        return run(checker, self.path, self.run_path, *options)


@pytest.fixture(scope="module")
def checker():
    return load_checker()


@pytest.fixture(scope="module")
def find_case(tmp_path_factory):
    folder, cases = tmp_path_factory.mktemp("fuzz"), {}

    def find(number, seed):
        if (number, seed) not in cases:
            cases[number, seed] = Case(folder, number, seed)
        return cases[number, seed]

    return find


def any_kink(case, rng):
    return list(rng.choice(list(case.problem.kinks())))


def any_step(lines, rng):
    return rng.choice(lines[1:-1]) if len(lines) > 2 else {}


def flip_bit(case, lines, rng):
    vertex = lines[0]["vertex"]
    bits = certjudge.parse_pattern(case.problem, vertex["pattern"])
    kink = tuple(any_kink(case, rng))
    vertex["pattern"] = certjudge.write_pattern(case.problem, bits | {kink: not bits[kink]})


def change_kink(case, lines, rng):
    step = any_step(lines, rng)
    if step:
        step[rng.choice(["leave", "enter"])] = any_kink(case, rng)


def change_list(case, lines, rng):
    step = any_step(lines, rng)
    kinks = step.get(rng.choice(["flip", "basis", "cross"])) or lines[0]["vertex"]["basis"]
    match rng.randrange(4):
        case 0 if kinks:
            kinks.pop(rng.randrange(len(kinks)))
        case 1:
            kinks.insert(rng.randrange(len(kinks) + 1), any_kink(case, rng))
        case 2 if kinks:
            kinks[rng.randrange(len(kinks))] = any_kink(case, rng)
        case _:
            rng.shuffle(kinks)
    if step.get("cross") == []:
        del step["cross"]


def swap_ends(case, lines, rng):
    step = any_step(lines, rng)
    if step:
        step["leave"], step["enter"] = step["enter"], step["leave"]


def drop(case, lines, rng):
    if len(lines) > 2:
        del lines[rng.randrange(1, len(lines) - 1)]


def cut_off(case, lines, rng):
    lines[rng.randrange(1, len(lines)) :] = [rng.choice([STOP, lines[-1]])]


def double(case, lines, rng):
    if len(lines) > 2:
        index = rng.randrange(1, len(lines) - 1)
        lines.insert(index, copy.deepcopy(lines[index]))


def swap_lines(case, lines, rng):
    if len(lines) > 3:
        index = rng.randrange(1, len(lines) - 2)
        lines[index], lines[index + 1] = lines[index + 1], lines[index]


def splice(case, lines, rng):
    other = copy.deepcopy(rng.choice(case.runs))
    lines[rng.randrange(1, len(lines)) :] = other[rng.randrange(1, len(other)) :]


def join_steps(case, lines, rng):
    """Two steps as a long one; true where the second goes on from the kink at which the first ended."""
    pairs = [k for k in range(1, len(lines) - 2) if not {"basis", "cross"} & (lines[k].keys() | lines[k + 1].keys())]
    straight = [k for k in pairs if lines[k]["enter"] == lines[k + 1]["leave"]] or pairs
    if straight:
        index = rng.choice(straight)
        first, second = lines[index : index + 2]
        joined = {"flip": first["flip"], "leave": first["leave"], "enter": second["enter"]}
        lines[index : index + 2] = [joined | ({"cross": second["flip"]} if second["flip"] else {})]


def cross_some(case, lines, rng):
    step = any_step(lines, rng)
    if step:
        step["cross"] = [any_kink(case, rng) for _ in range(rng.randint(1, 2))]


def say_published_stop(case, lines, rng):
    step = any_step(lines, rng)
    if step:
        step["published_stop"] = True


def start_later(case, lines, rng):
    """The first vertex is a later one, and says so, or not."""
    vertex = lines[0]["vertex"]
    bits, basis = certjudge.parse_pattern(case.problem, vertex["pattern"]), vertex["basis"]
    for _ in range(rng.randrange(max(len(lines) - 2, 1))):
        step = lines.pop(1)
        for kink in map(tuple, step["flip"] + step.get("cross", [])):
            bits[kink] = not bits[kink]
        basis = [kink for kink in step.get("basis", basis) if kink != step["leave"]] + [step["enter"]]
    vertex["pattern"], vertex["basis"] = certjudge.write_pattern(case.problem, bits), basis
    if rng.random() < 0.8:
        vertex["elsewhere"] = True


def claim_outcome(case, lines, rng):
    lines[-1] = copy.deepcopy(rng.choice([*CLAIMS, *(other[-1] for other in case.runs)]))


def claim_strict(case, lines, rng):
    if lines[-1].get("by") in {"likq", "tree"}:
        lines[-1]["outcome"] = "strict-local-minimum"


def change_witness(case, lines, rng):
    """A number, a sign or an emptiness of a tree, or its parts."""
    settled, blocks = lines[-1].get("settled", []), lines[-1].get("blocks", [])
    if settled and rng.random() < 0.3:
        rng.choice(settled)[1] = rng.choice(["0", "1/2", "-1", "7"])
    elif blocks:
        block = rng.choice(blocks)
        leaf = rng.choice(block["leaves"])
        match rng.randrange(4):
            case 0 if leaf["multipliers"]:
                leaf["multipliers"][rng.randrange(len(leaf["multipliers"]))] = rng.choice(["0", "1/2", "-1", "7"])
            case 1 if leaf["signs"]:
                index = rng.randrange(len(leaf["signs"]))
                leaf["signs"] = leaf["signs"][:index] + rng.choice("+-.") + leaf["signs"][index + 1 :]
            case 2:
                leaf["empty"] = not leaf["empty"]
            case _:
                block["leaves"] = rng.sample(block["leaves"], rng.randint(1, len(block["leaves"])))


MUTATIONS = [
    flip_bit,
    change_kink,
    change_list,
    swap_ends,
    drop,
    cut_off,
    double,
    swap_lines,
    splice,
    join_steps,
    cross_some,
    say_published_stop,
    start_later,
    claim_outcome,
    claim_strict,
    change_witness,
]


def judge_step_claims(case, lines):
    """The last vertex if all that first vertex and steps claim is true, else None."""
    try:
        return certjudge.judge_steps(case.problem, lines)
    except FalseClaimError:
        return None


@given(st.integers(0, len(PROBLEMS) - 1), st.integers(0, 2), st.integers(0, 2**32))
@examples(250)
def test_accepted_is_true(checker, find_case, number, seed, dice):
    """Steps are accepted exactly if what they claim is true; an outcome only if it is."""
    rng, case = random.Random(dice), find_case(number, seed)
    lines = copy.deepcopy(rng.choice(case.runs))
    for mutate in rng.choices(MUTATIONS, k=rng.randint(0, 2)):
        mutate(case, lines, rng)
    code, text = case.check(checker, lines)
    assert code in {0, 1}, text
    theta = judge_step_claims(case, lines)
    assert case.check(checker, [*lines[:-1], STOP])[0] == (1 if theta is None else 0), text
    if code == 0:
        with contextlib.suppress(oracle.TooManyCellsError):
            certjudge.judge_outcome(case.problem, theta, lines[-1])


def test_mutations_reach_both_verdicts(checker, find_case):
    """Mutated certificates of each kind are rejected, and long steps and later beginnings accepted, among others."""
    found = Counter()
    for mutate in MUTATIONS:
        for dice in range(12):
            rng, case = random.Random(dice), find_case(dice % len(PROBLEMS), 0)
            lines = copy.deepcopy(case.runs[dice % 3])
            before = copy.deepcopy(lines)
            mutate(case, lines, rng)
            if lines != before:
                found[mutate, case.check(checker, lines)[0]] += 1
    assert found.keys() >= {(mutate, 1) for mutate in MUTATIONS if mutate is not claim_strict}
    assert found.keys() >= {(mutate, 0) for mutate in (join_steps, start_later, cut_off)}


@given(st.integers(0, len(PROBLEMS) - 1), st.integers(0, 2), st.integers(0, 2**32))
@examples(40)
def test_parts_agree_with_the_whole(checker, find_case, number, seed, dice):
    """A false run has no span but those before or after the false line that is accepted; a true one has no other."""
    rng, case = random.Random(dice), find_case(number, seed)
    lines = copy.deepcopy(rng.choice(case.runs))
    total = len(lines) - 2
    if total == 0:
        return
    first = rng.randint(1, total)
    last = rng.randint(first, total)
    code, text = case.check(checker, lines, "--steps", f"{first}:{last}")
    assert code == 0, text
    is_part = last - first + 1 < total
    assert ("part:" in text) == is_part
    assert ("outcome" in text) == (last < total)
    broken = rng.randint(1, total)
    lines[broken]["enter"] = lines[broken]["leave"]  # it leaves and enters at once
    code, text = case.check(checker, lines, "--steps", f"{first}:{last}")
    assert code == 1 or not first <= broken <= last, text


def test_the_package_of_long_integers_changes_nothing(checker, find_case):
    """--gmpy2 gives the same line, accepted or not."""
    for number in range(len(PROBLEMS)):
        case, rng = find_case(number, 0), random.Random(number)
        for mutate in (None, splice, change_kink):
            lines = copy.deepcopy(case.runs[0])
            if mutate is not None:
                mutate(case, lines, rng)
            assert case.check(checker, lines) == case.check(checker, lines, "--gmpy2")


def test_a_position_is_what_it_says(checker, find_case):
    """After every step the basis' functions vanish at the point, and den is the size of their determinant."""
    for number in range(len(PROBLEMS)):
        case = find_case(number, 1)
        for lines in case.runs:
            case.check(checker, lines)
            problem = checker.parts["problem"].Problem(checker.read_instance(str(case.path)))
            claims = checker.parts["walks"].read_certificate(str(case.run_path), problem, hashlib.sha256())
            place, first = next(claims)
            position = checker.parts["walks"].Position(problem, first["pattern"])
            position.occupy(first["basis"], place)
            position.arrive(place)
            for place, step in claims:
                if "leave" in step:
                    position.check_step(step, place)
                for function in position.rows:
                    assert checker.parts["exact"].dot(function, [*position.numerators, position.den]) == 0
                rows = [[oracle.to_fraction(entry) for entry in normal] for *normal, _ in position.rows]
                assert abs(determinant(rows)) == position.den > 0
                theta, den = position.find_parameters()
                assert position.loss == case.problem.loss([[oracle.Fraction(x, den) for x in row] for row in theta])


def determinant(rows):
    """By Gauss."""
    rows, result = [list(row) for row in rows], oracle.ONE
    while rows:
        pivot = next((k for k, row in enumerate(rows) if row[0] != 0), None)
        if pivot is None:
            return oracle.ZERO
        top = rows.pop(pivot)
        result *= top[0] * (-1) ** pivot
        rows = [[y - row[0] / top[0] * x for x, y in zip(top[1:], row[1:], strict=True)] for row in rows]
    return result
