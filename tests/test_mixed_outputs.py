"""A trained last layer of which some outputs have a kink in the loss and others have none.

The outputs without a kink keep the start's parameters. Their share of the loss is constant, or the loss falls forever.
"""

import json
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from random import Random

import oracle
import pytest
import slopes
from gmpy2 import mpq
from hypothesis import given
from strategies import examples, mixed_outputs
from test_corpus import load_checker, run

import exactdrl
from exactdrl import InputError, Instance, Loss, Unbounded, Walk, read_certificate, write_instance
from exactdrl.arithmetic.exact import ExactArithmetic
from exactdrl.cells.cell import Cell
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.point import Point
from exactdrl.certificate.fast_check import check_steps
from exactdrl.front.judged_layer import judge_start
from exactdrl.front.observed import Outputs
from exactdrl.minimality.verdict import LocalMinimum, StrictLocalMinimum
from exactdrl.observations.lines import find_breakpoints
from exactdrl.regression.fit import fit

ALL_RULES = ("reference", "steepest", "first", "long-step")


@pytest.fixture(scope="module")
def checker():
    return load_checker()


def to_file(instance, folder):
    path = folder / "instance.json"
    write_instance(instance, path, force=True)
    return path


def steps_of(walk):
    return [(s.flips, s.basis, s.leaving, s.entering, s.crossed, s.is_published_stop) for s in walk]


@examples(25)
@given(instance=mixed_outputs())
def test_both_arithmetics_and_the_definitions_agree(checker, tmp_path_factory, instance):
    """Every rule: the same bytes by both arithmetics, accepted by the checkers, and true by brute force."""
    folder = tmp_path_factory.mktemp("mixed")
    path = to_file(instance, folder)
    problem = slopes.Slopes(json.loads(path.read_text("ascii")))
    ends = set()
    for rule in ALL_RULES:
        walked = exactdrl.walk(instance, rule=rule, arithmetic="exact")
        certificate, other = folder / "exact.drl", folder / "filtered.drl"
        walked.save(certificate, force=True)
        exactdrl.walk(instance, rule=rule, arithmetic="filtered").save(other, force=True)
        assert certificate.read_bytes() == other.read_bytes()
        assert run(checker, path, certificate)[0] == 0
        check_steps(IntegerProblem.from_instance(instance), read_certificate(certificate, instance))
        lines = [json.loads(line) for line in certificate.read_text("ascii").splitlines()]
        slopes.judge(problem, lines[1:-1])
        assert walked.loss == instance.loss_of(walked.parameters)
        is_unbounded = lines[-2]["outcome"] == "unbounded"
        # the loss is convex: all rules end in the same one
        ends.add(None if is_unbounded else walked.loss)
        if not is_unbounded:
            theta = oracle.to_fractions(walked.parameters)
            found = slopes.decide_minimality(problem, theta)
            assert found == (True, lines[-2]["outcome"] == "strict-local-minimum")
    assert len(ends) == 1


@examples(60)
@given(instance=mixed_outputs())
def test_losses_of_points_and_cells_count_every_output(instance):
    """Where the loss does not fall along what changes no kink: at the start, and by the affine piece of its cell."""
    problem = IntegerProblem.from_instance(instance)
    if problem.reduction.ray is not None:
        return
    point = Point.of(problem)
    assert point.loss == instance.loss_of(instance.start)
    cell = Cell.around(point)
    assert cell.loss_at(point) == point.loss
    walk = Walk(instance, rule="steepest")
    walk.run()
    if walk.start_end is None:
        assert walk.loss_estimate == pytest.approx(float(walk.loss))


def big(seed: int, *, bits: int = 18) -> Instance:
    """Output 0 is linear, and flat since the inputs sum to 0; output 1 has a pinball loss, output 2 the absolute one."""
    source = Random(seed)

    def number() -> mpq:
        return mpq(source.randint(-(2 ** (bits + 2)), 2 ** (bits + 2)), 2**bits)

    inputs = [[number() for _ in range(4)] for _ in range(40)]
    inputs.append([-sum(column) for column in zip(*inputs, strict=True)])
    targets = [[number() for _ in range(3)] for _ in inputs]
    weight = [[number() for _ in range(4)] for _ in range(3)]
    loss = Loss.two_slope([mpq(1, 3), mpq(-1, 4), mpq(-1)], [mpq(1, 3), mpq(3, 4), mpq(1)])
    return Instance.create([(weight, None)], inputs, targets, loss=loss)


def hidden(seed: int) -> Instance:
    """Layer 1 is trained; its third unit is an identity that leads to a linear output alone, and keeps its weights."""
    base = big(seed)
    layers = [
        (base.start, None, [(0, 1), (0, 1), (1, 1)]),
        ([[mpq(1, 3), mpq(-5, 4), 0], [0, 0, 1]], [mpq(1, 7), mpq(1, 5)]),
    ]
    loss = Loss.two_slope([mpq(-1), mpq(1)], [mpq(1), mpq(1)])
    return Instance.create(layers, base.inputs, [row[:2] for row in base.targets], layer=1, loss=loss)


@pytest.mark.parametrize("make", [big, hidden])
@pytest.mark.parametrize("rule", ["reference", "steepest", "first"])
def test_floats_take_the_steps(make: Callable[[int], Instance], rule: str):
    """Units that keep their parameters do not send a walk to exact arithmetic: its kinks have numbers without them."""
    instance = make(3)
    exact, filtered = Walk(instance, rule=rule, arithmetic="exact"), Walk(instance, rule=rule)
    assert IntegerProblem.from_instance(instance).widths[0] == 2
    wanted = steps_of(exact)
    assert steps_of(filtered) == wanted
    assert filtered.outcome == exact.outcome
    assert len(wanted) > 10
    assert filtered.counts is not None
    assert filtered.counts.steps[0] > 0.9 * len(wanted)


@pytest.mark.parametrize("make", [big, hidden])
def test_phase_1_in_floats(make: Callable[[int], Instance]):
    """The coordinate rule, whose kinks floats find, too."""
    instance = make(4)
    walks = [Walk(instance, start_rule="coordinate", arithmetic=name) for name in ("exact", "filtered")]
    assert walks[0].first_vertex.basis == walks[1].first_vertex.basis
    assert {kink.unit for kink in walks[0].first_vertex.basis if kink.layer == instance.layer} <= {0, 1, 2}
    assert steps_of(walks[0]) == steps_of(walks[1])


@pytest.mark.parametrize("make", [big, hidden])
def test_what_is_said_of_a_walk(make: Callable[[int], Instance], tmp_path):
    """Rerun, series, claims, judged points and breakpoints on lines."""
    instance = make(5)
    path = to_file(instance, tmp_path)
    walked = exactdrl.walk(instance, rule="reference")
    certificate = tmp_path / "run.drl"
    walked.save(certificate)
    assert exactdrl.rerun(instance, read_certificate(certificate, instance)) is None
    claims = tmp_path / "run.claims"
    Outputs(claims=claims).write(exactdrl.observe(path, certificate, lines=2, jobs=1))
    assert exactdrl.verify(path, certificate, claims).status == "accepted"
    assert exactdrl.verify_fast(path, certificate).status == "accepted"
    exactdrl.export(path, certificate, vertices=tmp_path / "vertices.csv", jobs=1)
    rows = [line.split(",") for line in (tmp_path / "vertices.csv").read_text("ascii").splitlines()]
    size = len(instance.start) * len(instance.start[0])
    columns = [rows[0].index(f"theta_{k}") for k in range(size)]
    width = len(instance.start[0])
    for row in rows[1:]:
        flat = [Fraction(row[column]) for column in columns]
        theta = [[mpq(entry) for entry in flat[k : k + width]] for k in range(0, size, width)]
        assert mpq(Fraction(row[rows[0].index("loss")])) == instance.loss_of(theta)
    judged = judge_start(instance.with_start(walked.parameters))
    assert judged.is_minimum
    assert judged.loss == walked.loss
    # the loss on a line through the last vertex, by its own values
    problem = IntegerProblem.from_instance(instance)
    direction = tuple(tuple(mpq(1 + (i + k) % 3, 8) for k in range(width)) for i in range(len(instance.start)))
    found = find_breakpoints(problem, walked.parameters, direction, mpq(1, 4))

    def loss_at(t: mpq) -> mpq:
        rows = zip(walked.parameters, direction, strict=True)
        return instance.loss_of([[a + t * b for a, b in zip(*pair, strict=True)] for pair in rows])

    assert found
    ends = [mpq(-1, 4), *found, mpq(1, 4)]
    for low, high in pairwise(ends):
        assert loss_at((low + high) / 2) == (loss_at(low) + loss_at(high)) / 2


def test_an_output_that_falls_forever():
    """Without a kink and with a slope: the ray is that output's alone."""
    loss = Loss.two_slope([mpq(1), mpq(-1)], [mpq(1), mpq(1)])
    instance = Instance.create([([[1], [2]], None)], [[1], [2]], [[0, 1], [0, 3]], loss=loss)
    for rule in ALL_RULES:
        walk = Walk(instance, rule=rule)
        assert walk.run() == Unbounded(((mpq(-1),), (mpq(0),)))
        assert walk.loss == instance.loss_of(instance.start)


def test_an_output_that_does_not_count():
    """Slopes 0 and 0: the output is ignored, and the minimum is that of the other output's problem."""
    alone = big(6)
    loss = Loss.two_slope([mpq(0), mpq(-1, 4), mpq(-1)], [mpq(0), mpq(3, 4), mpq(1)])
    ignored = Instance.create([(alone.start, None)], alone.inputs, alone.targets, loss=loss)
    pair = Instance.create(
        [(alone.start[1:], None)],
        alone.inputs,
        [row[1:] for row in alone.targets],
        loss=Loss.two_slope(loss.below[1:], loss.above[1:]),
    )
    for rule in ALL_RULES:
        first, second = Walk(ignored, rule=rule), Walk(pair, rule=rule)
        shifted = [
            [k._replace(unit=k.unit - 1) for k in (*step.flips, step.leaving, step.entering, *step.crossed)]
            for step in first
        ]
        assert shifted == [[*step.flips, step.leaving, step.entering, *step.crossed] for step in second]
        assert first.loss == second.loss
        assert isinstance(first.outcome, LocalMinimum | StrictLocalMinimum)
        assert first.vertex == (alone.start[0], *second.vertex)


def test_only_the_outputs_that_remain_are_in_a_basis():
    """A kink of an output that keeps its parameters is none of the problem's."""
    problem = IntegerProblem.from_instance(big(7))
    assert problem.addresses.kept == (1, 2)
    assert not problem.addresses.holds(problem.addresses.kink_of(0, 0, 0)._replace(unit=0))
    assert problem.addresses.numbers(problem.addresses.kink_of(0, 5, 1)) == (0, 5, 1)
    walk = Walk(big(7), rule="reference")
    first = walk.first_vertex
    vertex = ExactArithmetic(walk.problem, first.pattern, first.basis)
    assert vertex.loss() == big(7).loss_of(walk.problem.to_full(vertex.vertex()))


def test_a_fit_is_of_one_output():
    """Two outputs are refused, though one of them alone has a kink."""
    loss = Loss.two_slope([mpq(0), mpq(-1)], [mpq(0), mpq(1)])
    with pytest.raises(InputError, match="one target is needed, not 2"):
        fit(Instance.create([([[1], [2]], None)], [[1], [2]], [[0, 1], [0, 3]], loss=loss))


def test_samples_without_weight_are_named_where_they_are_in_the_way():
    """Kinks of a hidden layer that see other units where the loss has no share: which sample, and what to do."""
    layers = [([[1, 0], [0, 1]], None, [(0, 1), (1, 1)]), ([[1, 1]], None)]
    inputs, targets = [[1, 2], [3, 1], [1, 1]], [[1], [2], [0]]
    given = {"layer": 1, "weights": [1, 1, 0], "loss": Loss.pinball(mpq(1, 3))}
    with pytest.raises(InputError, match=r"data\.weights\[2\] is 0, and kinks of layer 1 see other units"):
        Walk(Instance.create(layers, inputs, targets, **given))
    given["weights"] = [1, 1]
    assert Walk(Instance.create(layers, inputs[:2], targets[:2], **given)).run() is not None
