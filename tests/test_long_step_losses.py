"""Rule `long-step` with every loss of two slopes: optima by PPL, lines replayed over Fractions, rays checked."""

import hashlib
import json
import random
from collections.abc import Callable, Sequence
from fractions import Fraction
from math import lcm
from pathlib import Path

import oracle
import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st
from oracle import ONE, ZERO, Row
from ppl import Linear_Expression, MIP_Problem

from exactdrl import (
    read_certificate,
    read_instance,
    read_result,
    rerun,
    verify,
    verify_fast,
    walk,
    write_instance,
)
from exactdrl.certificate.record import record_walk
from exactdrl.exact.rationals import InputError
from exactdrl.minimality.point import judge_point
from exactdrl.minimality.verdict import LocalMinimum, StrictLocalMinimum
from exactdrl.problem.instance import Instance
from exactdrl.problem.loss import Loss
from exactdrl.regression.fit import fit
from exactdrl.steps.step import Unbounded
from exactdrl.walks.driver import StepLimit, Walk
from exactdrl.walks.steppers import default_rule

Address = tuple[int, int]


class Regression:
    """An instance of one affine layer over Fractions: what its loss is, by the definition."""

    def __init__(self, instance: Instance) -> None:
        biased = instance.layers[0].bias is not None
        self.pushed = [[*row, ONE] if biased else row for row in oracle.to_fractions(instance.inputs)]
        self.targets = oracle.to_fractions(instance.targets)
        self.start = oracle.to_fractions(instance.start)
        self.outputs = len(self.start)
        weights = [1] * len(self.pushed) if instance.weights is None else instance.weights
        self.slopes: dict[Address, tuple[Fraction, Fraction]] = {}
        for i, row in enumerate(self.targets):
            for j, y in enumerate(row):
                weight = oracle.to_fraction(weights[i])
                below, above = slopes_of(instance.loss, j, y)
                self.slopes[i, j] = weight * below, weight * above
        reached = [x for i, x in enumerate(self.pushed) if any(self.bends((i, j)) for j in range(self.outputs))]
        self.columns = oracle.pivot_columns(reached) if reached else []

    def bends(self, kink: Address) -> bool:
        return self.slopes[kink][0] != self.slopes[kink][1]

    def residuals(self, theta: Sequence[Row]) -> dict[Address, Fraction]:
        return {(i, j): oracle.dot(theta[j], self.pushed[i]) - self.targets[i][j] for i, j in self.slopes}

    def loss(self, theta: Sequence[Row]) -> Fraction:
        values = self.residuals(theta)
        return sum((r * self.slopes[kink][r > 0] for kink, r in values.items()), ZERO)

    def solve(self, basis: Sequence[Address]) -> list[Row]:
        """Returns the point at which residuals vanish; they must be independent."""
        theta = []
        for unit, start in enumerate(self.start):
            samples = [i for i, other in basis if other == unit]
            inverse = oracle.inverse([[self.pushed[i][c] for c in self.columns] for i in samples])
            assert inverse is not None
            fixed = [ZERO if c in self.columns else value for c, value in enumerate(start)]
            right = [self.targets[i][unit] - oracle.dot(fixed, self.pushed[i]) for i in samples]
            row = list(start)
            for column, entries in zip(self.columns, inverse, strict=True):
                row[column] = oracle.dot(entries, right)
            theta.append(row)
        return theta

    def optimum(self) -> Fraction | None:
        """Returns the least loss by PPL's exact simplex, None if there is none."""
        m, total = len(self.pushed[0]), ZERO
        for j in range(self.outputs):
            program = MIP_Problem(m + len(self.pushed))
            for i, x in enumerate(self.pushed):
                y = self.targets[i][j]
                for slope in self.slopes[i, j]:
                    # share i is at least slope · residual
                    row = [-slope * entry for entry in x]
                    right = slope * y
                    scale = lcm(*(v.denominator for v in [*row, right]))
                    own = [int(entry * scale) for entry in row] + [scale * (k == i) for k in range(len(self.pushed))]
                    program.add_constraint(Linear_Expression(own, int(right * scale)) >= 0)
            program.set_objective_function(Linear_Expression([0] * m + [1] * len(self.pushed), 0))
            program.set_optimization_mode("minimization")
            if program.solve()["status"] != "optimized":
                return None
            total += Fraction(str(program.optimal_value()))
        return total


def slopes_of(loss: Loss, output: int, target: Fraction) -> tuple[Fraction, Fraction]:
    """Returns the slopes left and right of 0, by proofs/FORMAT.md."""
    place = output if len(loss.below) > 1 else 0
    if loss.kind == "pinball":
        level = oracle.to_fraction(loss.below[place])
        return -level, 1 - level
    if loss.kind == "two-slope":
        return oracle.to_fraction(loss.below[place]), oracle.to_fraction(loss.above[place])
    return {
        "absolute": (-ONE, ONE),
        "linear": (ONE, ONE),
        "hinge": (-ONE, ZERO) if target > 0 else (ZERO, ONE),
    }[loss.kind]


def replay(problem: Regression, lines: list[dict]) -> tuple[list[Fraction], list[Row], dict[Address, bool], list]:
    """Checks every claim of a certificate's vertices and steps; returns losses, the last point, pattern and basis."""
    kinks = list(problem.slopes)
    head = lines[1]["vertex"] if "vertex" in lines[1] else lines[1]["start"]
    bits = bin(int("1" + head["pattern"][0], 16))[3:]
    on = {kink: bit == "1" for kink, bit in zip(kinks, bits, strict=False)}
    assert all(on[kink] for kink in kinks if not problem.bends(kink))
    theta, basis = problem.start, []

    def check_cell() -> None:
        for kink, value in problem.residuals(theta).items():
            assert not problem.bends(kink) or (value >= 0 if on[kink] else value <= 0)

    def to_kinks(addresses: list) -> list[Address]:
        assert all(problem.bends((i, j)) for _, i, j in addresses)
        return [(i, j) for _, i, j in addresses]

    if "vertex" in lines[1]:
        if "elsewhere" not in head:
            check_cell()
        basis = to_kinks(head["basis"])
        theta = problem.solve(basis)
        assert problem.loss(theta) <= problem.loss(problem.start)
    check_cell()
    losses = [problem.loss(theta)]
    for line in lines[2:-2]:
        values = problem.residuals(theta)
        for kink in to_kinks(line["flip"]):
            assert values[kink] == 0
            on[kink] ^= True
        if "basis" in line:
            basis = to_kinks(line["basis"])
            assert problem.solve(basis) == theta
        for kink in to_kinks(line.get("cross", [])):
            assert kink not in basis
            assert values[kink] != 0
            on[kink] ^= True
        (leaving,), (entering,) = to_kinks([line["leave"]]), to_kinks([line["enter"]])
        basis.remove(leaving)
        assert entering not in basis
        basis.append(entering)
        theta = problem.solve(basis)
        check_cell()
        losses.append(problem.loss(theta))
        assert losses[-1] < losses[-2]
    return losses, theta, on, basis


def check_ray(problem: Regression, lines: list[dict], walk: Walk) -> None:
    """Checks that the loss falls forever from the walk's end: along the edge of the line, or the start's ray."""
    _, theta, on, basis = replay(problem, lines)
    line = lines[-2]
    assert line["outcome"] == "unbounded"
    for _, i, j in line["flip"]:
        assert problem.residuals(theta)[i, j] == 0
        on[i, j] ^= True
    if "ray" in line:
        direction = oracle.to_fractions(line["ray"])
        assert theta == problem.start
    else:
        basis = [(i, j) for _, i, j in line["basis"]] if "basis" in line else basis
        assert problem.solve(basis) == theta
        _, sample, unit = line["leave"]
        assert (sample, unit) in basis
        direction = [[ZERO] * len(row) for row in problem.start]
        own = [i for i, j in basis if j == unit]
        inverse = oracle.inverse([[problem.pushed[i][c] for c in problem.columns] for i in own])
        assert inverse is not None
        for column, entries in zip(problem.columns, inverse, strict=True):
            direction[unit][column] = entries[own.index(sample)] * (1 if on[sample, unit] else -1)
        said = oracle.to_fractions(walk.outcome.direction)
        assert oracle.rank([[e for row in d for e in row] for d in (said, direction)]) == 1
    slope = ZERO
    for (i, j), (below, above) in problem.slopes.items():
        rate = oracle.dot(direction[j], problem.pushed[i])
        assert not problem.bends((i, j)) or (rate >= 0 if on[i, j] else rate <= 0)
        slope += rate * (above if on[i, j] else below)
    assert slope < 0
    for far in (1, 1000):
        there = [[a + far * b for a, b in zip(r, d, strict=True)] for r, d in zip(theta, direction, strict=True)]
        assert problem.loss(there) == problem.loss(theta) + far * slope


levels = st.sampled_from([Fraction(1, 2), Fraction(1, 4), Fraction(9, 10), Fraction(1, 7), Fraction(2, 3)])
slopes = st.sampled_from([Fraction(n, d) for n in range(-3, 4) for d in (1, 2, 3)])


@st.composite
def losses(draw: Callable, outputs: int) -> Loss:
    """Any loss with two slopes."""
    count = draw(st.sampled_from([1, outputs]))
    kind = draw(st.sampled_from(["absolute", "pinball", "pinball", "two-slope", "hinge", "linear"]))
    if kind == "pinball":
        return Loss.pinball(*(draw(levels) for _ in range(count)))
    if kind == "two-slope":
        pairs = [sorted(draw(st.lists(slopes, min_size=2, max_size=2, unique=True))) for _ in range(count)]
        return Loss.two_slope([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    return Loss(kind)


@st.composite
def problems(draw: Callable, *, max_samples: int = 12) -> Instance:
    """Regressions on degenerate data with any loss, some with weights, some of these 0."""
    plain = draw(strategies.lad_problems(max_samples=max_samples))
    loss = draw(losses(len(plain.targets[0])))
    targets = plain.targets
    if loss.kind == "hinge":
        targets = [[1 if y > 0 else -1 for y in row] for row in targets]
    weights = None
    if draw(st.booleans()):
        weights = draw(
            st.lists(
                st.sampled_from([Fraction(0), Fraction(1), Fraction(2), Fraction(1, 3), Fraction(5, 4)]),
                min_size=len(targets),
                max_size=len(targets),
            )
        )
    layer = plain.layers[0]
    return Instance.create([(layer.weight, layer.bias)], plain.inputs, targets, loss=loss, weights=weights)


def record(instance: Instance, path: Path, **options: object) -> tuple[Walk, list[dict]]:
    walk = Walk(instance, rule="long-step", **options)
    record_walk(walk, path, force=True)
    return walk, [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


def check(instance: Instance, folder: Path) -> Walk:
    """Walks in both arithmetics, replays, and compares with PPL."""
    walk, lines = record(instance, folder / "a.drl")
    record(instance, folder / "b.drl", arithmetic="exact")
    assert (folder / "a.drl").read_bytes() == (folder / "b.drl").read_bytes()
    problem = Regression(instance)
    optimum = problem.optimum()
    if optimum is None:
        assert isinstance(walk.outcome, Unbounded)
        check_ray(problem, lines, walk)
        return walk
    assert isinstance(walk.outcome, StrictLocalMinimum | LocalMinimum)
    losses, theta, _, _ = replay(problem, lines)
    assert losses[-1] == optimum == oracle.to_fraction(walk.loss)
    assert oracle.to_fractions(walk.vertex) == theta
    verdict = judge_point(instance, walk.vertex).verdict
    assert (type(walk.outcome), walk.outcome.by) == (type(verdict), verdict.by)
    if walk.outcome.witness is not None and not walk.outcome.witness.blocks:
        check_settled(problem, theta, walk.outcome)
    return walk


def check_settled(problem: Regression, theta: list[Row], outcome: StrictLocalMinimum | LocalMinimum) -> None:
    """Checks that multipliers within their bounds give the gradient, so that the point is a minimum."""
    values = problem.residuals(theta)
    settled = {(kink.sample, kink.unit): oracle.to_fraction(value) for kink, value in outcome.witness.settled}
    for unit in range(problem.outputs):
        own = {i: value for (i, j), value in settled.items() if j == unit}
        bounds = dict.fromkeys(own, ZERO)
        gradient = [ZERO] * len(problem.columns)
        for (i, j), (below, above) in problem.slopes.items():
            if j != unit:
                continue
            row = [problem.pushed[i][c] for c in problem.columns]
            value = values[i, j]
            slope = (below + above) / 2 if value == 0 else above if value > 0 else below
            gradient = [g + slope * entry for g, entry in zip(gradient, row, strict=True)]
            if value == 0 and below != above and any(row):
                first = next(
                    p for p in sorted(own) if oracle.rank([row, [problem.pushed[p][c] for c in problem.columns]]) == 1
                )
                place = next(k for k, entry in enumerate(row) if entry)
                ratio = row[place] / problem.pushed[first][problem.columns[place]]
                bounds[first] += abs(ratio) * (above - below) / 2
        for place, column in enumerate(problem.columns):
            assert gradient[place] == sum((value * problem.pushed[i][column] for i, value in own.items()), ZERO)
        assert all(abs(own[i]) <= bounds[i] for i in own)


@strategies.examples(250)
@given(problems())
def test_every_loss_ends_at_the_optimum(tmp_path_factory: pytest.TempPathFactory, instance: Instance) -> None:
    """Both arithmetics write the same bytes; lines are true; the end is PPL's optimum, or a ray where PPL has none."""
    check(instance, tmp_path_factory.mktemp("walk"))


def drawn(
    seed: int, loss: Loss, *, samples: int = 40, inputs: int = 3, family: str = "generic", weights: bool = False
) -> Instance:
    """Random doubles, or small integers; targets are signs for the hinge."""
    source = random.Random(seed)

    def number() -> float:
        return float(source.randint(-2, 2)) if family == "integers" else source.uniform(-3, 3)

    rows = [[number() for _ in range(inputs)] for _ in range(samples)]
    targets = [[sum(row) + number()] for row in rows]
    if family == "collinear":
        rows = [[row[0] + 1e-10 * source.gauss(0, 1) for _ in row] for row in rows]
    if loss.kind == "hinge":
        targets = [[1.0 if y > 0 else -1.0] for (y,) in targets]
    own = [source.choice([0, 1, 2.5, 0.1]) for _ in rows] if weights else None
    return Instance.create([([[0] * inputs], [0])], rows, targets, loss=loss, weights=own)


LOSSES = [
    Loss.pinball(Fraction(1, 4)),
    Loss.pinball(Fraction(999, 1000)),
    Loss.hinge(),
    Loss.two_slope([Fraction(-1)], [Fraction(3, 2)]),
    Loss.two_slope([Fraction(1)], [Fraction(4, 3)]),
]


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("family", ["generic", "integers", "collinear"])
@pytest.mark.parametrize("loss", LOSSES, ids=[f"{loss.kind}{i}" for i, loss in enumerate(LOSSES)])
def test_larger_regressions(tmp_path: Path, loss: Loss, family: str, *, weights: bool) -> None:
    """Forty samples, generic, with ties, nearly dependent: the arithmetics agree, and floats decide most."""
    for seed in range(2):
        walk = check(drawn(seed, loss, family=family, weights=weights), tmp_path)
        assert walk.counts is not None
        assert walk.counts.steps[0] or isinstance(walk.outcome, Unbounded)


@pytest.mark.parametrize("family", ["generic", "integers", "collinear"])
@pytest.mark.parametrize("loss", LOSSES[:3], ids=["pinball", "high", "hinge"])
def test_carried_bounds_change_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, loss: Loss, family: str
) -> None:
    """Where defects are carried and the origin moves at once, as with many columns, both arithmetics agree, to PPL's optimum."""
    monkeypatch.setattr("exactdrl.regression.bounds._FEW", 0)
    monkeypatch.setattr("exactdrl.regression.filtered._FEW", 0)
    check(drawn(5, loss, samples=60, inputs=5, family=family), tmp_path)


@strategies.examples(60)
@given(strategies.lad_problems(), st.sampled_from(["filtered", "exact"]))
def test_the_median_is_absolute(instance: Instance, arithmetic: str) -> None:
    """Pinball of level 1/2 takes the steps of the absolute loss, to the same point, at half the loss."""
    half = Instance.create(
        [(layer.weight, layer.bias) for layer in instance.layers],
        instance.inputs,
        instance.targets,
        loss=Loss.pinball(Fraction(1, 2)),
    )
    walks = [Walk(one, rule="long-step", arithmetic=arithmetic) for one in (instance, half)]
    first, second = (list(walk) for walk in walks)
    assert first == second
    assert walks[0].first_vertex == walks[1].first_vertex
    assert walks[0].vertex == walks[1].vertex
    assert walks[0].loss == 2 * walks[1].loss
    assert (type(walks[0].outcome), walks[0].outcome.by) == (type(walks[1].outcome), walks[1].outcome.by)


@strategies.examples(60)
@given(problems())
def test_weights_scale_samples(instance: Instance) -> None:
    """A sample of positive weight w is the sample multiplied by w: the same steps, the same loss."""
    if instance.weights is None or not all(instance.weights) or instance.loss.kind in ("hinge", "linear"):
        return
    layer = instance.layers[0]
    pushed = [[*row, *([1] if layer.bias is not None else [])] for row in instance.inputs]
    scaled = Instance.create(
        [(instance.start, None)],
        [[w * entry for entry in row] for w, row in zip(instance.weights, pushed, strict=True)],
        [[w * entry for entry in row] for w, row in zip(instance.weights, instance.targets, strict=True)],
        loss=instance.loss,
    )
    walks = [Walk(one, rule="long-step") for one in (instance, scaled)]
    assert list(walks[0]) == list(walks[1])
    assert walks[0].loss == walks[1].loss
    assert walks[0].vertex == walks[1].vertex


@pytest.mark.parametrize("arithmetic", ["filtered", "exact"])
@pytest.mark.parametrize("loss", [LOSSES[0], LOSSES[2], LOSSES[4]], ids=["pinball", "hinge", "unbounded"])
@pytest.mark.parametrize("family", ["generic", "integers"])
def test_resuming_ends_in_the_same_bytes(tmp_path: Path, loss: Loss, family: str, arithmetic: str) -> None:
    """A walk that was cut after any line goes on to the same certificate."""
    instance = drawn(3, loss, family=family, weights=True)
    whole, cut = tmp_path / "whole.drl", tmp_path / "cut.drl"
    record(instance, whole)
    content = whole.read_bytes().splitlines(keepends=True)
    for count in range(len(content)):
        cut.write_bytes(b"".join(content[:count]) + b'{"half a li')
        record_walk(Walk(instance, rule="long-step", arithmetic=arithmetic), cut, resume=True)
        assert cut.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("loss", LOSSES, ids=[f"{loss.kind}{i}" for i, loss in enumerate(LOSSES)])
def test_the_checker_accepts(tmp_path: Path, loss: Loss, *, weights: bool) -> None:
    """The stand-alone checker and the daily check accept; a changed line is rejected; the walk is found again."""
    instance, run = tmp_path / "i.json", tmp_path / "a.drl"
    write_instance(drawn(2, loss, samples=16, inputs=2, family="integers", weights=weights), instance)
    read = read_instance(instance)
    walk, lines = record(read, run)
    assert verify(instance, run).status == "accepted"
    assert verify_fast(instance, run).status == "accepted"
    assert rerun(read, read_certificate(run, read)) is None
    result = read_result(instance, run)
    assert (result.parameters, result.loss) == (walk.vertex, walk.loss)
    if isinstance(walk.outcome, Unbounded) and "ray" in lines[-2]:
        lines[-2]["ray"] = [[f"-{e}".replace("--", "") for e in row] for row in lines[-2]["ray"]]
    elif isinstance(walk.outcome, Unbounded):
        # the edge to the other side
        lines[-2]["flip"] = [kink for kink in lines[-2]["flip"] if kink != lines[-2]["leave"]]
    else:
        # the last step is missing: its vertex is no minimum
        assert walk.steps
        del lines[-3]
        lines[-1]["end"]["steps"] -= 1
    texts = [json.dumps(line, separators=(",", ":")) + "\n" for line in lines[:-1]]
    lines[-1]["end"]["sha256"] = hashlib.sha256("".join(texts).encode("ascii")).hexdigest()
    run.write_text("".join(texts) + json.dumps(lines[-1], separators=(",", ":")) + "\n", encoding="ascii")
    assert verify(instance, run).status == "rejected"


def test_long_steps_fall_to_the_last_vertex(tmp_path: Path) -> None:
    """Where the loss falls forever behind kinks, the walk crosses them all, and then leaves the last."""
    instance = Instance.create(
        [([[-1]], [-3])],
        [[1], [1], [2], [5], [0]],
        [[0], [3], [1], [7], [2]],
        loss=Loss.two_slope([Fraction(1, 2)], [Fraction(2)]),
    )
    walk = check(instance, tmp_path)
    assert isinstance(walk.outcome, Unbounded)


def test_what_is_walked_by_default() -> None:
    """Convex problems are walked by long steps where no rule is named; others, and named start rules, as before."""
    convex = Instance.create([([[1]], [0])], [[1]], [[1]], loss=Loss.pinball(Fraction(1, 3)))
    assert default_rule(convex) == "long-step"
    assert default_rule(convex, "coordinate") == "reference"
    assert walk(convex).rule == "long-step"
    assert walk(convex, rule="steepest").rule == "steepest"
    deep = Instance.create([([[1]], [0]), ([[1]], [0])], [[1]], [[1]], layer=1)
    assert default_rule(deep) == "reference"
    squared = Instance.create([([[1]], [0])], [[1]], [[1]], loss=Loss.squared())
    assert default_rule(squared) == "reference"
    with pytest.raises(InputError, match="the loss is squared, which is judged and not walked"):
        Walk(squared, rule="long-step")
    with pytest.raises(InputError, match="needs a loss with two slopes; the squared loss has none"):
        fit(squared)
    with pytest.raises(InputError, match="the loss falls forever in some direction, so that there is no fit"):
        fit(Instance.create([([[1]], [0])], [[1]], [[1]], loss=Loss.two_slope([Fraction(1)], [Fraction(2)])))
    with pytest.raises(InputError, match="one target is needed, not 2"):
        fit(Instance.create([([[1], [1]], [0, 0])], [[1]], [[1, 2]]))


def test_a_limit_is_no_outcome() -> None:
    """A limit stops a fall too."""
    instance = drawn(3, LOSSES[0])
    walk = Walk(instance, rule="long-step", max_steps=1)
    assert walk.run() == StepLimit()


@pytest.mark.parametrize("is_constant", [False, True])
def test_a_walk_that_ends_in_its_start_meets_no_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_constant: bool
) -> None:
    """A certificate without a vertex holds the ray or the bound: neither a limit of 0 steps nor an interrupt hides it."""
    layers = [([[1]], [0]), *([([[0]], [0])] if is_constant else [])]
    instance = Instance.create(layers, [[1], [2]], [[0], [0]], layer=1, loss=Loss.linear())
    write_instance(instance, tmp_path / "a.json")
    instance = read_instance(tmp_path / "a.json")
    whole, limited, stopped = tmp_path / "a.drl", tmp_path / "b.drl", tmp_path / "c.drl"
    outcome = record_walk(Walk(instance), whole)
    assert isinstance(outcome, LocalMinimum if is_constant else Unbounded)
    assert record_walk(Walk(instance, max_steps=0), limited) == outcome

    def interrupted(walk: Walk, limit: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Walk, "advance", interrupted)
    assert record_walk(Walk(instance), stopped) == outcome
    assert whole.read_bytes() == limited.read_bytes() == stopped.read_bytes()
    assert verify(tmp_path / "a.json", whole).status == "accepted"
