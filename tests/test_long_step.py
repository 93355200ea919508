"""Rule `long-step`: optima against independent linear programs, certificates replayed over Fractions, resuming."""

import json
import random
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import oracle
import pytest
import strategies
from exactdrl_cli.main import main
from hypothesis import given
from hypothesis import strategies as st
from oracle import ZERO, Kink, Problem, Row

from exactdrl import export, read_certificate, read_instance, record_walk, rerun, write_instance
from exactdrl.doors.datasets import load_dataset
from exactdrl.exact.rationals import InputError
from exactdrl.minimality.point import judge_point
from exactdrl.minimality.verdict import LocalMinimum, StrictLocalMinimum
from exactdrl.problem.instance import Instance
from exactdrl.regression import protocol as regression
from exactdrl.walks.driver import StepLimit, Walk

problems = strategies.lad_problems(max_samples=14) | strategies.generic_instances(max_depth=0)


def record(instance: Instance, path: Path, *, arithmetic: str = "filtered", steps: int | None = None) -> Walk:
    """Records a walk, and returns it."""
    walk = Walk(instance, rule="long-step", arithmetic=arithmetic, max_steps=steps)
    record_walk(walk, path, force=True)
    return walk


def lines_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


def solve(problem: Problem, basis: list[Kink]) -> list[Row]:
    """Returns the point at which the residuals of a basis vanish; the basis must be independent."""
    theta = []
    for unit, start in enumerate(problem.start):
        samples = [sample for _, sample, other in basis if other == unit]
        inverse = oracle.inverse([[problem.pushed[i][c] for c in problem.columns] for i in samples])
        assert inverse is not None
        row = list(start)
        fixed = [ZERO if c in problem.columns else value for c, value in enumerate(row)]
        right = [problem.targets[i][unit] - oracle.dot(fixed, problem.pushed[i]) for i in samples]
        for column, entries in zip(problem.columns, inverse, strict=True):
            row[column] = oracle.dot(entries, right)
        theta.append(row)
    return theta


def replay(problem: Problem, lines: list[dict]) -> list[Fraction]:
    """Checks every claim of a certificate but the outcome's, and returns the losses of its vertices."""
    first = lines[1]["vertex"]
    assert first["elsewhere"] is True
    kinks = list(problem.kinks())
    bits = bin(int("1" + first["pattern"][0], 16))[3:]
    on = {kink: bit == "1" for kink, bit in zip(kinks, bits, strict=False)}
    basis = [tuple(kink) for kink in first["basis"]]
    theta = solve(problem, basis)
    assert problem.is_in_cell(problem.values(theta), on)
    losses = [problem.loss(theta)]
    assert losses[0] <= problem.loss(problem.start)
    for line in lines[2:-2]:
        values = problem.values(theta)
        for address in line["flip"]:
            assert values[tuple(address)] == 0
            on[tuple(address)] ^= True
        if "basis" in line:
            basis = [tuple(kink) for kink in line["basis"]]
            assert solve(problem, basis) == theta
        assert line.get("cross") != []
        for address in line.get("cross", []):
            assert tuple(address) not in basis
            assert values[tuple(address)] != 0
            on[tuple(address)] ^= True
        basis.remove(tuple(line["leave"]))
        assert tuple(line["enter"]) not in basis
        basis.append(tuple(line["enter"]))
        theta = solve(problem, basis)
        assert problem.is_in_cell(problem.values(theta), on)
        losses.append(problem.loss(theta))
        assert losses[-1] < losses[-2]
    return losses


@strategies.examples(150)
@given(problems)
def test_certificate_is_true_and_ends_at_the_optimum(
    tmp_path_factory: pytest.TempPathFactory, instance: Instance
) -> None:
    """Both arithmetics write the same bytes; each line's claims hold; the last loss is the linear program's value."""
    folder = tmp_path_factory.mktemp("walk")
    walk = record(instance, folder / "a.drl")
    record(instance, folder / "b.drl", arithmetic="exact")
    assert (folder / "a.drl").read_bytes() == (folder / "b.drl").read_bytes()
    problem = Problem(instance)
    losses = replay(problem, lines_of(folder / "a.drl"))
    assert losses[-1] == oracle.to_fraction(walk.loss) == problem.loss(oracle.to_fractions(walk.vertex))
    assert losses[-1] == oracle.lad_optimum_of(problem)


@strategies.examples(100)
@given(problems)
def test_outcome_is_the_judge_s(instance: Instance) -> None:
    """The verdict from the walk's own multipliers is the general judge's: strictness, and what proves it."""
    walk = Walk(instance, rule="long-step")
    outcome = walk.run()
    verdict = judge_point(instance, walk.vertex).verdict
    assert isinstance(outcome, StrictLocalMinimum | LocalMinimum)
    assert (type(outcome), outcome.by) == (type(verdict), verdict.by)
    if outcome.witness is not None:
        check_settled(Problem(instance), walk, outcome)


def check_settled(problem: Problem, walk: Walk, outcome: StrictLocalMinimum | LocalMinimum) -> None:
    """Checks a witness that settles all kinks: |λ| ≤ b and g = Σ λ Z, over Fractions."""
    form = oracle.reduce_form(oracle.local_form(problem, oracle.to_fractions(walk.vertex)))
    if outcome.witness.blocks:
        return
    settled = {tuple(kink): oracle.to_fraction(value) for kink, value in outcome.witness.settled}
    assert sorted(settled) == form.active
    assert all(abs(value) <= form.weights[kink] for kink, value in settled.items())
    for place, entry in enumerate(form.gradient):
        assert entry == sum((value * form.linear[kink][place] for kink, value in settled.items()), ZERO)


KNOWN = {
    "stackloss": Fraction(14518, 345),
    "longley": Fraction(6139948496661889412, 2517631891960141),
    "engel": Fraction(1282196888984091228751781760757, 73018326135633500000000000),
    "lad-diabetes": Fraction(3477391033516410032218077, 182786389948038941735),
}


@pytest.mark.parametrize("arithmetic", ["filtered", "exact"])
@pytest.mark.parametrize("name", KNOWN)
def test_known_optima(name: str, arithmetic: str) -> None:
    """The optima of published data sets, decimals taken as written."""
    walk = Walk(load_dataset(name), rule="long-step", arithmetic=arithmetic)
    assert isinstance(walk.run(), StrictLocalMinimum | LocalMinimum)
    assert oracle.to_fraction(walk.loss) == KNOWN[name]


def random_instance(samples: int, inputs: int, seed: int, *, family: str = "generic", outputs: int = 1) -> Instance:
    """Random doubles: generic; columns collinear up to 1e-10; targets interpolated, rounded; integers; near ties."""
    source = random.Random(seed)
    rows = [[source.uniform(-3, 3) for _ in range(inputs)] for _ in range(samples)]
    slopes = [[source.uniform(-1, 1) for _ in range(inputs)] for _ in range(outputs)]
    if family in ("collinear", "both"):
        rows = [[row[0] + 1e-10 * source.gauss(0, 1) for _ in row] for row in rows]
    if family in ("integers", "near ties"):
        rows = [[float(source.randint(-2, 2)) for _ in row] for row in rows]
    targets = [[sum(a * b for a, b in zip(row, slope, strict=True)) for slope in slopes] for row in rows]
    if family in ("generic", "collinear"):
        targets = [[y + source.gauss(0, 1) for y in row] for row in targets]
    if family in ("integers", "near ties"):
        targets = [[float(source.randint(-3, 3)) for _ in row] for row in targets]
    if family == "near ties":
        # ties but for a few units in the last place of 1
        targets = [[y + source.randint(-2, 2) * 2.0**-52 if abs(y) <= 1 else y for y in row] for row in targets]
    return Instance.create([([[0] * inputs] * outputs, [0] * outputs)], rows, targets)


FAMILIES = ["generic", "collinear", "interpolated", "both", "integers", "near ties"]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("samples", "inputs", "outputs"), [(40, 3, 1), (20, 2, 2)])
def test_hard_families(tmp_path: Path, family: str, samples: int, inputs: int, outputs: int) -> None:
    """Where floats are worst the arithmetics agree byte for byte, and the end is the linear program's optimum."""
    instance = random_instance(samples, inputs, 7, family=family, outputs=outputs)
    walk = record(instance, tmp_path / "a.drl")
    record(instance, tmp_path / "b.drl", arithmetic="exact")
    assert (tmp_path / "a.drl").read_bytes() == (tmp_path / "b.drl").read_bytes()
    problem = Problem(instance)
    assert replay(problem, lines_of(tmp_path / "a.drl"))[-1] == oracle.lad_optimum_of(problem)
    counts = walk.counts
    assert counts is not None
    # only the first edges, from coordinates that are nearly dependent, are beyond floats
    assert counts.steps[1] <= outputs * (2 if family != "near ties" else 12)
    assert counts.steps[0] > 0


def test_long_steps_cross(tmp_path: Path) -> None:
    """On generic data lines have `cross`, which names exactly the residuals that change their sign on the way."""
    record(random_instance(80, 3, 1), tmp_path / "a.drl")
    steps = lines_of(tmp_path / "a.drl")[2:-2]
    assert any("cross" in step for step in steps)
    assert len(steps) < 30


@pytest.mark.parametrize("zeros", [1, 8])
def test_local_problems_nest(monkeypatch: pytest.MonkeyPatch, zeros: int) -> None:
    """Offsets that do not set residuals apart only nest local problems deeper: the optimum is the same."""
    plain = regression.local_offset
    depths = []

    def offset(sample: int, depth: int) -> int:
        depths.append(depth)
        return 0 if depth <= zeros else plain(sample, depth)

    monkeypatch.setattr(regression, "local_offset", offset)
    monkeypatch.setattr("exactdrl.regression.filtered.local_offset", offset)
    for seed in range(3):
        instance = random_instance(20, 2, seed, family="integers")
        for arithmetic in ("filtered", "exact"):
            walk = Walk(instance, rule="long-step", arithmetic=arithmetic)
            walk.run()
            assert oracle.to_fraction(walk.loss) == oracle.lad_optimum_of(Problem(instance))
    assert max(depths) > zeros


@pytest.mark.parametrize("exponent", [300, -300])
def test_beyond_the_floats_range(tmp_path: Path, exponent: int) -> None:
    """Data outside the filter's range are walked exactly, to the scaled optimum."""
    instance = random_instance(12, 2, 3)
    scale = Fraction(2) ** exponent
    scaled = Instance.create(
        [([[0, 0]], [0])],
        [list(row) for row in instance.inputs],
        [[oracle.to_fraction(y) * scale for y in row] for row in instance.targets],
    )
    walk = record(scaled, tmp_path / "a.drl")
    assert walk.counts is not None
    assert walk.counts.steps[0] == 0
    plain = Walk(instance, rule="long-step")
    plain.run()
    assert oracle.to_fraction(walk.loss) == oracle.to_fraction(plain.loss) * scale


@pytest.mark.parametrize("arithmetic", ["filtered", "exact"])
@pytest.mark.parametrize("family", ["generic", "integers"])
def test_resuming_ends_in_the_same_bytes(tmp_path: Path, family: str, arithmetic: str) -> None:
    """A walk that was cut after any line, or stopped by a limit, goes on to the same certificate."""
    instance = random_instance(40, 3, 5, family=family, outputs=2)
    whole = tmp_path / "whole.drl"
    record(instance, whole)
    content = whole.read_bytes().splitlines(keepends=True)
    cut = tmp_path / "cut.drl"
    for count in range(len(content)):
        cut.write_bytes(b"".join(content[:count]) + b'{"half a li')
        record_walk(Walk(instance, rule="long-step", arithmetic=arithmetic), cut, resume=True)
        assert cut.read_bytes() == whole.read_bytes()
    limited = record(instance, cut, steps=2)
    assert limited.outcome == StepLimit()
    record_walk(Walk(instance, rule="long-step", arithmetic=arithmetic), cut, resume=True)
    assert cut.read_bytes() == whole.read_bytes()


def test_rerun_and_export(tmp_path: Path) -> None:
    """A recorded walk is the exact one; a changed step is named; its points are exported with their exact losses."""
    instance = random_instance(40, 3, 5)
    write_instance(instance, tmp_path / "i.json")
    read = read_instance(tmp_path / "i.json")
    walk = record(read, tmp_path / "a.drl")
    certificate = read_certificate(tmp_path / "a.drl", read)
    assert certificate.first.is_elsewhere
    assert rerun(read, certificate) is None
    count = export(walk.problem.instance, certificate, losses=tmp_path / "l.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "l.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [Fraction(row["loss"]) for row in rows[1:]] == replay(Problem(read), lines_of(tmp_path / "a.drl"))
    assert count == len(rows) == walk.steps + 2
    steps = (replace(certificate.steps[0], crossed=()), *certificate.steps[1:])
    assert "step 1: recorded" in (rerun(read, replace(certificate, steps=steps)) or "")


def test_walk_needs_the_last_layer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another trained layer is refused, naming rule and layer, in Python and on the command line with exit code 2."""
    instance = Instance.create([([[1]], [0]), ([[1]], [0])], [[1]], [[1]], layer=1)
    with pytest.raises(InputError, match=r"rule is 'long-step'.*layer 1 is trained, the last is 2"):
        Walk(instance, rule="long-step")
    write_instance(instance, tmp_path / "i.json")
    arguments = ["walk", str(tmp_path / "i.json"), "-o", str(tmp_path / "a.drl"), "--rule", "long-step"]
    with pytest.raises(SystemExit) as done:
        main(arguments)
    assert done.value.code == 2
    assert "layer 1 is trained, the last is 2" in capsys.readouterr().err
    last = Instance.create([([[1]], [0])], [[1]], [[1]])
    with pytest.raises(InputError, match="rule long-step starts by line-search"):
        Walk(last, rule="long-step", start_rule="coordinate")
    with pytest.raises(InputError, match="start rule is 'line-search'"):
        Walk(instance, start_rule="line-search")


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`exactdrl walk --rule long-step` prints the optimum; both arithmetics write the same bytes."""
    write_instance(load_dataset("stackloss"), tmp_path / "i.json")
    paths = []
    for arithmetic in ("filtered", "exact"):
        paths.append(tmp_path / f"{arithmetic}.drl")
        arguments = ["walk", str(tmp_path / "i.json"), "-o", str(paths[-1]), "--rule", "long-step", "--stats"]
        with pytest.raises(SystemExit) as done:
            main([*arguments, "--arithmetic", arithmetic])
        assert done.value.code == 0
        assert "14518/345" in capsys.readouterr().out
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert json.loads(paths[0].read_text(encoding="ascii").splitlines()[0])["start"] == "line-search"


@strategies.examples(40)
@given(strategies.lad_problems(max_samples=8, max_features=2), st.integers(0, 10**6))
def test_below_fixed_layers(instance: Instance, seed: int) -> None:
    """The last layer of a deeper network is a regression on the pushed inputs."""
    source = random.Random(seed)
    weight = [[Fraction(source.randint(-4, 4), 2) for _ in instance.inputs[0]] for _ in range(2)]
    outputs = len(instance.targets[0])
    layers = [(weight, [1, 0]), ([[1, -1]] * outputs, [0] * outputs)]
    deep = Instance.create(layers, instance.inputs, instance.targets, layer=2)
    walk = Walk(deep, rule="long-step")
    walk.run()
    assert oracle.to_fraction(walk.loss) == oracle.lad_optimum_of(Problem(deep))
