"""Verdicts on points: known answers, and the brute-force oracle. Every witness is checked by tests/treecheck.py."""

import itertools
from fractions import Fraction

import oracle
import pytest
import strategies
from gmpy2 import mpq
from hypothesis import event, given, reject
from oracle import Problem
from treecheck import check_tree

from exactdrl import Walk, sample_experiment
from exactdrl.minimality.judge import DEFAULT_BUDGET
from exactdrl.minimality.point import JudgedPoint, judge_point
from exactdrl.minimality.verdict import LocalMinimum, NotMinimum, StrictLocalMinimum, Undecided
from exactdrl.problem.instance import Instance


def to_mpq(value: Fraction) -> mpq:
    """Returns a rational for the library."""
    return mpq(value.numerator, value.denominator)


def judged(instance: Instance, budget: int = DEFAULT_BUDGET) -> JudgedPoint:
    """Judges a start, and checks all that the verdict shows: witness, descent and step, flat direction and its length."""
    problem = Problem(instance)
    point = judge_point(instance, budget=budget)
    theta = problem.start
    loss = problem.loss(theta)
    assert oracle.to_fraction(point.loss) == loss
    form = oracle.local_form(problem, theta)
    assert point.active == len(form.active)

    def full(direction):
        return [oracle.to_fraction(value) for row in point.problem.to_full_direction(direction) for value in row]

    match point.verdict:
        case NotMinimum(direction, epsilon):
            change = oracle.local_change(form, full(direction))
            assert change < 0
            step = oracle.to_fraction(epsilon)
            assert problem.loss(oracle.move(theta, full(direction), step)) == loss + step * change
        case StrictLocalMinimum("tree", witness):
            check_tree(problem, theta, witness, is_strict=True)
        case LocalMinimum("tree", witness, flat):
            check_tree(problem, theta, witness, is_strict=False)
            if flat is None:
                event("a minimum by the tree, not strict, without a flat direction")
        case Undecided(active=active):
            assert active == len(form.active)
    match point.verdict:
        case LocalMinimum(flat=flat) if flat is not None:
            direction = full(flat.direction)
            assert any(direction)
            assert oracle.local_change(form, direction) == 0
            lengths = [1, 10**9] if flat.length is None else [flat.length / 2, flat.length]
            for length in lengths:
                assert problem.loss(oracle.move(theta, direction, oracle.to_fraction(length))) == loss
            inside = oracle.move(theta, direction, oracle.to_fraction(lengths[0]))
            beyond = judge_point(instance, [list(map(to_mpq, row)) for row in inside], budget=budget)
            assert beyond.freedom == flat.dimension >= 1
            assert beyond.is_stationary
    return point


def unit(samples, start, *, bias=False) -> Instance:
    """One ReLU unit with output weight 1: samples are (input, label); the unit's bias is the last input."""
    weight = [start[:-1]] if bias else [start]
    inputs = [list(x) for x, _ in samples]
    targets = [[y] for _, y in samples]
    return Instance.create([(weight, [start[-1]] if bias else None), ([[1]], None)], inputs, targets, layer=1)


def absolute_terms(terms) -> list[tuple[list[Fraction], int]]:
    """Samples at w = 0 whose F is the sum of b |a·w| for (b, a): x = ±|b| a with label -1 for b > 0, +1 for b < 0."""
    return [
        ([side * abs(b) * entry for entry in a], -1 if b > 0 else 1) for b, a in terms if b != 0 for side in (1, -1)
    ]


def max_cut(vertices: int, edges) -> int:
    """Returns the size of a maximum cut, by all subsets."""
    return max(sum(s[i] != s[j] for i, j in edges) for s in itertools.product([0, 1], repeat=vertices))


def cut_instance(vertices: int, edges, c: int) -> Instance:
    """F(v) = K Σ ||v_i| - |v_0|| + c |v_0| - Σ |v_i - v_j|: a minimum at 0 iff maxcut ≤ (c - 1)/2."""
    degrees = [sum(i in edge for edge in edges) for i in range(vertices)]
    k = max(degrees, default=0) + 1

    def form(**entries: int) -> list[int]:
        return [entries.get(f"v{i}", 0) for i in range(vertices + 1)]

    terms = [(Fraction(c - k * vertices), form(v0=1))]
    for i in range(1, vertices + 1):
        terms += [(k, form(**{f"v{i}": 1, "v0": side})) for side in (1, -1)]
        terms.append((-k, form(**{f"v{i}": 1})))
    terms += [(-1, form(**{f"v{i + 1}": 1, f"v{j + 1}": -1})) for i, j in edges]
    return unit(absolute_terms(terms), [0] * (vertices + 1))


def test_trap():
    """All four axis directions rise by 1/2, yet the point is no minimum: (1, 1) has slope -2."""
    samples = [((1, 0), 1), ((-1, 0), 1), ((0, 1), 1), ((0, -1), 1)]
    half = Fraction(3, 2)
    instance = unit([*samples, ((half, -half), 0), ((-half, half), 0)], [0, 0])
    problem = Problem(instance)
    assert problem.loss([[Fraction(0), Fraction(0)]]) == 4
    assert problem.loss([[Fraction(1, 4), Fraction(1, 4)]]) == Fraction(7, 2)
    point = judged(instance)
    assert isinstance(point.verdict, NotMinimum)
    assert point.freedom == 0


TRIANGLE = [(0, 1), (0, 2), (1, 2)]


def test_triangle():
    """The triangle's maximum cut is 2: with c = 5 a minimum, proved by the tree; with c = 3 not."""
    verdict = judged(cut_instance(3, TRIANGLE, 5)).verdict
    assert isinstance(verdict, (LocalMinimum, StrictLocalMinimum))
    assert verdict.by == "tree"
    assert isinstance(judged(cut_instance(3, TRIANGLE, 3)).verdict, NotMinimum)
    form = oracle.local_form(Problem(cut_instance(3, TRIANGLE, 3)), [[Fraction(0)] * 4])
    assert oracle.local_change(form, [Fraction(v) for v in (1, 1, 1, -1)]) < 0


GRAPHS = [
    (2, [(0, 1)]),
    (3, [(0, 1), (1, 2)]),
    (4, [(0, 1), (1, 2), (2, 3)]),
    (4, [(0, 1), (1, 2), (2, 3), (0, 3)]),
    (4, [(0, 1), (0, 2), (0, 3)]),
    (4, [*TRIANGLE, (0, 3)]),
    (4, list(itertools.combinations(range(4), 2))),
    (5, [(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)]),
]


@pytest.mark.parametrize(("vertices", "edges"), GRAPHS)
def test_maximum_cuts(vertices, edges):
    """0 is a minimum iff the maximum cut is at most (c - 1)/2: on both sides of the bound."""
    c = 2 * max_cut(vertices, edges) + 1
    assert isinstance(judged(cut_instance(vertices, edges, c)).verdict, (LocalMinimum, StrictLocalMinimum))
    assert isinstance(judged(cut_instance(vertices, edges, c - 2)).verdict, NotMinimum)


def test_deep_likq():
    """Two kinks, one concave alone (b = -1/2), yet a local minimum by LIKQ with λ = (0, 1), c = (0, 1)."""
    layers = [([[1], [1]], [-1, 0]), ([[-1, 1]], [-1]), ([[2]], [0])]
    instance = Instance.create(layers, [[1], [-1]], [[-2], [-2]], layer=1)
    point = judged(instance)
    assert point.loss == 4
    assert isinstance(point.verdict, LocalMinimum)
    assert point.verdict.by == "likq"


LINE = [((1,), 1), ((2,), 1), ((3,), 2), ((4,), 3), ((5,), 2)]


def line(intercept, slope) -> Instance:
    """Least absolute deviations of a line through five points."""
    return Instance.create([([[slope]], [intercept])], [x for x, _ in LINE], [[y] for _, y in LINE])


def test_segment_of_optima():
    """The minimisers are the segment from (1/2, 1/2) to (3/4, 1/4): its ends are vertices, its middle is flat."""
    quarter = Fraction(1, 4)
    ends = [line(2 * quarter, 2 * quarter), line(3 * quarter, quarter)]
    for instance in ends:
        point = judged(instance)
        assert point.loss == 2
        assert isinstance(point.verdict, LocalMinimum)
        assert point.freedom == 0
        flat = point.verdict.flat
        assert flat is not None
        a, b = (flat.length * value for value in flat.direction)
        # from one end to the other: parameters are (slope, intercept)
        assert (abs(a), abs(b)) == (quarter, quarter)
        assert a == -b
    middle = judged(line(Fraction(5, 8), Fraction(3, 8)))
    assert middle.loss == 2
    assert middle.freedom == 1
    assert middle.is_stationary
    assert isinstance(middle.verdict, LocalMinimum)
    beyond = judged(line(quarter, 3 * quarter))
    assert beyond.loss > 2
    assert isinstance(beyond.verdict, NotMinimum)


def test_cancelling_kinks():
    """|t| - ReLU(2t) = -t: the kinks cancel, and what remains falls."""
    instance = unit([((1,), -1), ((-1,), -1), ((2,), 1)], [0])
    assert isinstance(judged(instance).verdict, NotMinimum)


def test_slope_along_a_kink_without_effect():
    """The slope is in the span of all kinks, but not of those that are left once the others are settled: no minimum."""
    layers = [([[0, 0], [-1, -1], [1, 0]], None), ([[1, 1, 1], [1, -1, -1]], None)]
    inputs = [[-1, -2], [2, -2], [1, -1], [1, 1], [-2, -1]]
    targets = [[3, -2], [1, -2], [2, -1], [0, -2], [4, -4]]
    instance = Instance.create(layers, inputs, targets, layer=1)
    problem = Problem(instance)
    assert not oracle.decide_minimality(problem, problem.start).is_minimum
    assert isinstance(judged(instance).verdict, NotMinimum)


def test_off_unit_between_vertices():
    """A unit that is off on all samples: inside a cell where the loss is constant."""
    instance = unit([((1, 1), 0), ((2, 1), 1)], [-1, -1])
    point = judged(instance)
    assert (point.freedom, point.active, point.is_stationary) == (2, 0, True)
    assert isinstance(point.verdict, LocalMinimum)


def test_gradient_not_zero():
    """Inside a cell with a slope the verdict is no, with a step."""
    point = judged(unit([((1, 1), 0), ((2, 1), 9)], [1, 1]))
    assert point.freedom == 2
    assert not point.is_stationary
    assert isinstance(point.verdict, NotMinimum)


def test_budget():
    """Beyond the budget the answer is undecided; nodes are reported."""
    instance = cut_instance(3, TRIANGLE, 5)
    assert judged(instance, budget=3).verdict == Undecided(judge_point(instance).active)
    seen: list[int] = []
    judge_point(instance, on_node=seen.append)
    assert seen == list(range(1, len(seen) + 1))
    assert len(seen) > 3


@strategies.examples(150)
@given(strategies.instances(max_samples=7))
def test_against_enumeration(instance):
    """On small problems with many coincidences the verdict is that of the enumeration of all cells, and never undecided."""
    compare(instance)


@strategies.examples(60)
@given(strategies.instances(min_depth=2, max_parameters=4, max_samples=5))
def test_against_enumeration_deep(instance):
    """The same with two and three layers above the trained one or below it."""
    compare(instance)


def compare(instance: Instance) -> None:
    """Judges a start, and compares with the enumeration of cells."""
    problem = Problem(instance)
    try:
        truth = oracle.decide_minimality(problem, problem.start, max_cells=3000)
    except oracle.TooManyCellsError:
        reject()
    verdict = judged(instance).verdict
    event(f"{type(verdict).__name__} {getattr(verdict, 'by', '')}")
    assert not isinstance(verdict, Undecided)
    assert isinstance(verdict, NotMinimum) != truth.is_minimum
    if isinstance(verdict, StrictLocalMinimum):
        assert truth.is_strict
    elif isinstance(verdict, LocalMinimum) and verdict.by == "likq":
        assert not truth.is_strict


@pytest.mark.parametrize("seed", [5, 14, 20])
def test_ends_of_walks(seed):
    """Walks that end at dead units: the tree proves the minimum, with a witness that holds."""
    walk = Walk(sample_experiment((2, 3, 1), samples=20, seed=seed, bits=12))
    walk.run()
    instance = Instance.create(
        [(layer.weight, layer.bias) for layer in walk.problem.instance.layers],
        walk.problem.instance.inputs,
        walk.problem.instance.targets,
        start=walk.vertex,
    )
    assert not isinstance(judged(instance).verdict, (NotMinimum, Undecided))
