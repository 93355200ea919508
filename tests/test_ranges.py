"""Ranges and curvature: what is claimed holds at random parameters, and both programs claim the same."""

import random
from fractions import Fraction
from pathlib import Path

import oracle
import pytest
from gmpy2 import mpq
from test_corpus import load_checker, run

from exactdrl import Instance, Loss, Walk, record_walk, verify, write_instance
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.ranges import find_ranges
from exactdrl.front.walked import read_result
from exactdrl.minimality.point import judge_point
from exactdrl.minimality.verdict import LocalMinimum, is_global_minimum

ACTIVATIONS = [(0, 1), (0, 1), (0, 1), (1, 1), (-1, 1), ("1/10", 1), (1, 0), (0, -1), (2, 1), (-1, -2)]


def draw(rng: random.Random) -> Instance:
    """A small network, half of them with weights and targets of one sign, so that something can be said."""
    depth = rng.randint(1, 3)
    widths = [rng.randint(1, 2) for _ in range(depth + 2)]
    layer = rng.randint(1, depth)
    sign = rng.choice([(-2, 2), (0, 2), (-2, 0), (0, 2)])

    def rows(count: int, width: int, ends: tuple[int, int]) -> list[list[Fraction]]:
        return [[Fraction(rng.randint(*ends)) for _ in range(width)] for _ in range(count)]

    layers = []
    for k in range(depth + 1):
        ends = sign if k >= layer else (-2, 2)
        bias = rng.choice([None, rows(1, widths[k + 1], rng.choice([ends, (-2, 2)]))[0]])
        activation = (
            [rng.choice(ACTIVATIONS) for _ in range(widths[k + 1])] if k < depth and rng.random() < 0.5 else None
        )
        weight = rows(widths[k + 1], widths[k], ends)
        layers.append((weight, bias, activation) if activation else (weight, bias))
    samples = rng.randint(1, 3)
    loss = rng.choice([Loss.absolute(), Loss.hinge(), Loss.linear(), Loss.pinball(mpq(1, 4)), "hinge-like"])
    outputs = widths[-1]
    if loss == "hinge-like":
        loss = Loss.two_slope([mpq(-1)] * outputs, [mpq(0)] * outputs)
    targets = rows(samples, outputs, rng.choice([(-3, 3), (-3, 0), (0, 3)]))
    if loss.kind == "hinge":
        targets = [[Fraction(rng.choice([-1, 1])) for _ in row] for row in targets]
    inputs = rows(samples, widths[0], (-2, 2))
    return Instance.create(layers, inputs, targets, layer=layer, loss=loss)


def random_points(instance: Instance, rng: random.Random, count: int):
    shape = (len(instance.start), len(instance.start[0]))
    for _ in range(count):
        size = 10 ** rng.randint(0, 3)
        yield [
            [Fraction(rng.randint(-size, size), rng.randint(1, 4)) for _ in range(shape[1])] for _ in range(shape[0])
        ]


def loss_at(instance: Instance, theta) -> Fraction:
    return oracle.to_fraction(instance.loss_of(oracle_to_mpq(theta)))


def oracle_to_mpq(theta):
    return [[mpq(entry.numerator, entry.denominator) for entry in row] for row in theta]


def contradiction(instance: Instance, ranges, rng: random.Random) -> str:
    """What random parameters say against the claims, by plain evaluation; empty for nothing."""
    points = list(random_points(instance, rng, 8))
    losses = [loss_at(instance, theta) for theta in points]
    if ranges.bound is not None and min(losses) < oracle.to_fraction(ranges.bound):
        return "bound"
    if ranges.is_constant and len(set(losses)) > 1:
        return "constant"
    for (x, a), (y, b) in zip(
        zip(points, losses, strict=True), zip(points[1:], losses[1:], strict=False), strict=False
    ):
        middle = [[(s + t) / 2 for s, t in zip(*rows, strict=True)] for rows in zip(x, y, strict=True)]
        if ranges.is_convex and 2 * loss_at(instance, middle) > a + b:
            return "convex"
        moved = [y[unit] if unit in ranges.idle else x[unit] for unit in range(len(x))]
        if loss_at(instance, moved) != a:
            return "idle"
    return ""


def test_claims_hold():
    """At random parameters: no loss below the bound, none different where constant, no chord below, idle units idle."""
    said = {"bound": 0, "constant": 0, "convex": 0, "idle": 0, "nothing": 0}
    for seed in range(700):
        rng = random.Random(seed)
        instance = draw(rng)
        ranges = find_ranges(instance)
        assert contradiction(instance, ranges, rng) == "", seed
        said["bound"] += ranges.bound is not None
        said["constant"] += ranges.is_constant
        said["convex"] += ranges.is_convex and not ranges.is_constant
        said["idle"] += 0 < len(ranges.idle) < len(instance.start)
        said["nothing"] += ranges.bound is None and not ranges.is_convex
    assert min(said.values()) >= 15, said


def test_both_programs_say_the_same(tmp_path):
    """The stand-alone checker finds the same bound and the same curvature."""
    parts = load_checker().parts
    for seed in range(150):
        instance = draw(random.Random(seed))
        write_instance(instance, tmp_path / "a.json", force=True)
        read = parts["instance"].read_instance(str(tmp_path / "a.json"))
        try:
            problem = parts["problem"].Problem(read)
        except parts["reading"].Malformed:
            continue  # the samples' kinks see different spaces
        found, ranges = parts["ranges"].find_range(read, problem), find_ranges(instance)
        assert found.low == (None if ranges.bound is None else oracle.to_fraction(ranges.bound))
        assert found.convex == ranges.is_convex
        assert (found.low is not None and found.low == found.high) == ranges.is_constant


MUTATIONS = [
    ("is_affine or (rises and value.is_convex)", "is_affine or (value.is_convex)"),
    ("(falls and value.is_concave)\n", "(value.is_concave)\n"),
    ("below <= above and keeps_convex", "keeps_convex"),
    ("if value.low is not None and value.low >= 0:", "if value.low is not None:"),
    ("if value.high is not None and value.high <= 0:", "if value.high is not None:"),
    ("all(value.is_convex for value in values)", "any(value.is_convex for value in values)"),
    ("None if None in lows else min(", "None if None in lows else max("),
    (
        "Quantity(ends[1], ends[0], value.is_concave, value.is_convex",
        "Quantity(ends[0], ends[1], value.is_concave, value.is_convex",
    ),
    (
        "Quantity(ends[1], ends[0], value.is_concave, value.is_convex",
        "Quantity(ends[1], ends[0], value.is_convex, value.is_concave",
    ),
    ("frozenset({unit})", "frozenset({0})"),
]


@pytest.mark.parametrize("number", range(len(MUTATIONS)))
def test_every_rule_is_needed(number):
    """With one rule changed some claim is false."""
    import exactdrl.cells.ranges as module

    before, after = MUTATIONS[number]
    source = Path(module.__file__).read_text("utf-8")
    assert before in source
    changed: dict[str, object] = {"__name__": "changed"}
    exec(
        compile(source.replace(before, after).replace("slots=True", "slots=False"), "changed", "exec"), _fresh(changed)
    )
    for seed in range(2500):
        rng = random.Random(seed)
        instance = draw(rng)
        if contradiction(instance, changed["find_ranges"](instance), rng):
            return
    pytest.fail("no claim became false")


def _fresh(namespace):
    import sys
    import types

    # dataclasses look their module up
    sys.modules["changed"] = types.ModuleType("changed")
    sys.modules["changed"].__dict__.update(namespace)
    namespace.update({"__builtins__": __builtins__})
    return namespace


def constant_problem() -> Instance:
    """Layer 2 is off on all samples whatever layer 1 does."""
    layers = [([[1, 2], [2, 1]], [0, 1]), ([[-1, -2], [-1, 0]], [0, -1]), ([[3, 1]], [1])]
    return Instance.create(layers, [[1, 0], [2, 1], [0, 1]], [[2], [-3], [0]], layer=1)


def test_a_constant_loss_ends_at_the_start(tmp_path):
    """Before phase 1: no vertex, a global minimum; accepted by both checkers, shown, resumed to the same bytes."""
    instance = constant_problem()
    write_instance(instance, tmp_path / "a.json")
    walk = Walk(instance)
    assert record_walk(walk, tmp_path / "a.drl") == LocalMinimum("bound")
    assert (walk.steps, walk.vertex) == (0, instance.start)
    assert verify(tmp_path / "a.json", tmp_path / "a.drl").line == "accepted: 0 steps, local-minimum by bound (global)"
    result = read_result(instance, tmp_path / "a.drl")
    assert result.is_global
    assert result.verify(fast=True).status == "accepted"
    assert result.to_dict()["idle_units"] == [0, 1]
    assert "no effect" in str(result)
    content = (tmp_path / "a.drl").read_bytes()
    (tmp_path / "a.drl").write_bytes(content[:200])
    record_walk(Walk(instance), tmp_path / "a.drl", resume=True)
    assert (tmp_path / "a.drl").read_bytes() == content
    judged = judge_point(instance)
    assert is_global_minimum(judged.problem, judged.verdict, judged.loss)


def test_a_unit_that_is_always_on_and_constant():
    """The network of an instance that was undecided at its first vertex: 120 active kinks, and nothing has an effect."""
    layers = [([[-1, 1], [0, 1]], [-1, 1]), ([[-1, -1], [0, 0]], [0, 1]), ([[-1, -1]], None)]
    rng = random.Random(1)
    inputs = [[rng.choice([0, 1, 2**200]), rng.choice([-1, 0, 2**-50])] for _ in range(40)]
    walk = Walk(Instance.create(layers, inputs, [[rng.randint(-3, 3)] for _ in range(40)], layer=1))
    assert walk.run() == LocalMinimum("bound")
    assert walk.problem.ranges.idle == (0, 1)


def test_one_unit_without_effect():
    """A unit whose outer weights lead only to what is off on all samples."""
    layers = [([[1], [1], [1]], [0, 0, 0]), ([[-1, 0, 0], [0, 2, 0]], [0, 1]), ([[3, 1]], [1])]
    ranges = find_ranges(Instance.create(layers, [[1], [2]], [[2], [-3]], layer=1))
    assert ranges.idle == (0, 2)
    assert not ranges.is_constant


def test_a_dead_vertex_is_at_the_bound(tmp_path):
    """Outputs that are nowhere negative and targets below 0: the vertex where all units are 0 is decided at once."""
    rng = random.Random(3)
    inputs = [[rng.randint(1, 9) for _ in range(3)] for _ in range(30)]
    layers = [([[0, 0, 0]] * 3, None), ([[1, 2, 1]], [0])]
    instance = Instance.create(layers, inputs, [[-1]] * 30, layer=1)
    verdict = judge_point(instance).verdict
    assert isinstance(verdict, LocalMinimum)
    assert verdict.by == "bound"
    write_instance(instance, tmp_path / "a.json")
    outcome = record_walk(Walk(instance, max_steps=50), tmp_path / "a.drl")
    assert outcome.by in {"bound", "likq"}
    code, text = run(load_checker(), tmp_path / "a.json", tmp_path / "a.drl")
    assert code == 0
    assert "global" in text


@pytest.mark.parametrize("sign", [1, -1])
def test_a_convex_problem_ends_in_a_global_minimum(tmp_path, sign):
    """A hinge or linear loss above outer weights of one sign: convex where the sign is that of the loss's slopes."""
    rng = random.Random(5)
    inputs = [[rng.randint(-5, 5), rng.randint(-5, 5)] for _ in range(6)]
    layers = [([[1, 0], [0, 1]], [0, 0]), ([[1, 2], [1, 0]], [-1, 1]), ([[sign, 2 * sign]], [0])]
    loss = Loss.two_slope([mpq(0)], [mpq(1)])
    instance = Instance.create(layers, inputs, [[-9]] * 6, layer=1, loss=loss)
    assert find_ranges(instance).is_convex == (sign > 0)
    walk = Walk(instance)
    write_instance(instance, tmp_path / "a.json")
    outcome = record_walk(walk, tmp_path / "a.drl")
    if sign > 0:
        assert is_global_minimum(IntegerProblem.from_instance(instance), outcome, walk.loss)
        assert "global" in verify(tmp_path / "a.json", tmp_path / "a.drl").line
        assert all(instance.loss_of(oracle_to_mpq(t)) >= walk.loss for t in random_points(instance, rng, 50))
