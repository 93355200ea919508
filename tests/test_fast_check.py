"""verify --fast: the verdict of the stand-alone checker, at less than the cost of the walk."""

import json
import shutil
from dataclasses import replace
from hashlib import sha256
from itertools import product

import pytest
from test_corpus import CORPUS, WALKS, find_file, is_walk, load_checker
from test_filter import GENERAL, generalise

from exactdrl import (
    Walk,
    read_certificate,
    record_walk,
    sample_experiment,
    verify,
    verify_fast,
    write_instance,
)
from exactdrl.arithmetic.exact import ExactArithmetic
from exactdrl.arithmetic.filtered import FilteredArithmetic
from exactdrl.arithmetic.protocol import Edge
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.certificate.fast_check import FalseClaimError, check_step, check_steps
from exactdrl.problem.file import read_instance
from exactdrl.steps.step import Step

VERDICTS = {"accept": "accepted", "reject": "rejected", "malformed": "malformed"}


def steps_verdict(instance, run):
    """Whether first vertex and steps pass the fast check."""
    problem = read_instance(instance)
    try:
        check_steps(IntegerProblem.from_instance(problem), read_certificate(run, problem))
    except FalseClaimError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    "stem", [s for s in WALKS if s.parent.name != "malformed" and is_walk(s)], ids=lambda s: f"{s.parent.name}/{s.name}"
)
def test_steps_agree_with_the_corpus(stem):
    """Accepted cases pass; rejected cases fail here exactly if it is not the outcome that is false."""
    found = steps_verdict(find_file(stem, ".json"), find_file(stem, ".drl"))
    if stem.parent.name == "accept":
        assert found is None
        return
    reason = (stem.parent / f"{stem.name}.reason").read_text("ascii")
    content = find_file(stem, ".drl").read_bytes()
    lines = content.splitlines() if not content.startswith(b"\x1f") else []
    # the line that the checker blames: the outcome is the last but one
    number = int(reason.split("line ", 1)[1].split(":")[0].split()[0]) if "line " in reason else None
    if number is not None and lines:
        assert (found is not None) == (number < len(lines) - 1), (found, reason)


WHOLE = ["accept/line", "accept/tree-walk", "accept/published-stop-deep", "accept/no-parameters", "reject/loss-rises", "malformed/end-hash",
    "malformed/kink-sample", "malformed/instance-empty"]  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_whole_verdicts_agree(name):
    """The two checks' verdicts are the same, over the files as they are."""
    stem = CORPUS / name
    files = find_file(stem, ".json"), find_file(stem, ".drl")
    assert verify_fast(*files).status == verify(*files).status == VERDICTS[name.split("/")[0]]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A walk of the published experiment, most of whose steps are regular."""
    folder = tmp_path_factory.mktemp("fast")
    instance = sample_experiment(samples=30, seed=4)
    write_instance(instance, folder / "a.json")
    record_walk(Walk(instance), folder / "a.drl")
    return folder


def rewrite(path, lines):
    """The lines with an end line that fits."""
    body = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines).encode()
    steps = sum("flip" in line for line in lines)
    end = json.dumps({"end": {"steps": steps, "sha256": sha256(body).hexdigest()}}, separators=(",", ":"))
    path.write_bytes(body + end.encode() + b"\n")


def test_floats_follow(recorded):
    """Nearly all steps are certain in floats."""
    problem = read_instance(recorded / "a.json")
    counts = check_steps(IntegerProblem.from_instance(problem), read_certificate(recorded / "a.drl", problem))
    assert counts.steps[0] > 10 * counts.steps[1]
    assert verify_fast(recorded / "a.json", recorded / "a.drl").line.startswith("accepted: ")


def mutants(lines):
    """Certificates whose lines are changed, by name."""
    steps = [index for index, line in enumerate(lines) if "flip" in line]
    for index in steps[:: max(len(steps) // 6, 1)]:
        step = lines[index]
        others = {
            "without flips": step | {"flip": []},
            "another entering kink": step
            | {"enter": [step["enter"][0], (step["enter"][1] + 1) % 30, step["enter"][2]]},
            "another leaving kink": step | {"leave": lines[index - 1].get("enter", step["leave"])},
            "a flip that does not vanish": step | {"flip": [*step["flip"], [1, (step["enter"][1] + 1) % 30, 0]]},
            "enters what leaves": step | {"enter": step["leave"]},
            "a flip twice": step | {"flip": step["flip"] * 2},
        }
        for name, other in others.items():
            yield f"{name} in line {index + 1}", [*lines[:index], other, *lines[index + 1 :]]
        yield f"without line {index + 1}", lines[:index] + lines[index + 1 :]
        yield f"line {index + 1} twice", lines[: index + 1] + lines[index:]
    first = lines[1]["vertex"]
    digits = f"{int(first['pattern'][0], 16) ^ (1 << 40):0{len(first['pattern'][0])}x}"
    yield "another first cell", [lines[0], {"vertex": first | {"pattern": [digits, *first["pattern"][1:]]}}, *lines[2:]]


def test_mutants_get_the_checkers_verdict(recorded, tmp_path):
    """Whatever is changed in a step: rejected here exactly if the stand-alone checker rejects."""
    checker = load_checker()
    shutil.copy(recorded / "a.json", tmp_path / "a.json")
    lines = [json.loads(line) for line in (recorded / "a.drl").read_text("ascii").splitlines()][:-1]
    lines = [*lines[:60], {"outcome": "step-limit"}]
    seen = set()
    for name, changed in mutants(lines):
        rewrite(tmp_path / "m.drl", changed)
        code = checker.main([str(tmp_path / "a.json"), str(tmp_path / "m.drl")])
        if code == 2:
            continue
        found = steps_verdict(tmp_path / "a.json", tmp_path / "m.drl")
        assert (found is not None) == (code == 1), (name, found)
        seen.add(code)
    assert seen == {1} or seen == {0, 1}


@pytest.mark.parametrize("name", ["leaky", "weights", "leaky hinge", "falling"])
def test_floats_follow_general_problems(name, tmp_path):
    """Other activations and losses: steps are certain in floats, and whatever is changed gets the checker's verdict."""
    instance = generalise(sample_experiment((3, 4, 3, 2), samples=30, seed=4), **GENERAL[name])
    write_instance(instance, tmp_path / "a.json")
    record_walk(Walk(instance, max_steps=40), tmp_path / "a.drl")
    instance = read_instance(tmp_path / "a.json")
    counts = check_steps(IntegerProblem.from_instance(instance), read_certificate(tmp_path / "a.drl", instance))
    assert counts.steps[0] > counts.steps[1]
    lines = [json.loads(line) for line in (tmp_path / "a.drl").read_text("ascii").splitlines()][:-1]
    checker, rejected = load_checker(), 0
    for mutant, changed in mutants(lines):
        rewrite(tmp_path / "m.drl", changed)
        code = checker.main([str(tmp_path / "a.json"), str(tmp_path / "m.drl")])
        if code < 2:
            found = steps_verdict(tmp_path / "a.json", tmp_path / "m.drl")
            assert (found is not None) == (code == 1), (mutant, found)
            rejected += code
    assert rejected > 10


def test_uncertain_is_not_false(recorded, monkeypatch):
    """Where floats follow nothing, every step is decided exactly and the walk is accepted all the same."""
    monkeypatch.setattr(FilteredArithmetic, "follow", lambda self, moves: 0)
    problem = read_instance(recorded / "a.json")
    certificate = read_certificate(recorded / "a.drl", problem)
    counts = check_steps(IntegerProblem.from_instance(problem), certificate)
    assert counts.steps == [0, len(certificate.steps)]


def zero_unit_forgeries(problem, certificate):
    """Steps that exchange two own kinks of a unit that is 0, along an edge that falls: with them the run so far."""
    pattern, basis = problem.pattern_from_hex(certificate.first.pattern), list(certificate.first.basis)
    for step in certificate.steps:
        for unit in range(problem.widths[0]):
            own = [kink for kink in basis if (kink.layer, kink.unit) == (problem.first, unit)]
            if len(own) == problem.rank:
                vertex = ExactArithmetic(problem, pattern, basis)
                falling = [(k, f) for k in own for f in (False, True) if vertex.slope_sign(Edge(k, f)) < 0]
                others = [k for k in vertex.vanishing_kinks() if k not in basis and k.unit == unit]
                for (kink, is_flipped), other in list(product(falling, others))[:4]:
                    forged = Step(step.index, (kink,) if is_flipped else (), None, kink, other, is_published_stop=False)
                    yield replace(certificate, steps=(*certificate.steps[: step.index - 1], forged))
        pattern, basis = check_step(problem, pattern, basis, step)


def test_a_step_that_stays_at_a_zero_unit_is_rejected(tmp_path):
    """All kinks of a unit that is 0 vanish: floats must not take the exchange of two of them for a step."""
    tried = 0
    for seed in range(1, 12):
        instance = sample_experiment((2, 3, 1), samples=20, seed=seed, bits=12)
        walk = Walk(instance, max_steps=40)
        record_walk(walk, tmp_path / "run.drl", force=True)
        for certificate in zero_unit_forgeries(walk.problem, read_certificate(tmp_path / "run.drl", instance)):
            tried += 1
            with pytest.raises(FalseClaimError, match="stays where it is"):
                check_steps(walk.problem, certificate)
    assert tried > 5


def test_a_run_without_vertex():
    """Where the loss falls forever from the start, there are no steps to check, and the ray is the checker's."""
    files = [str(CORPUS / "accept" / f"slopes-one-output-bends{ending}") for ending in (".json", ".drl")]
    fast = verify_fast(*files)
    assert fast.status == "accepted"
    assert fast.line.startswith(f"{verify(*files).line} (fast check: 0 certain in float64, 0 exact;")
