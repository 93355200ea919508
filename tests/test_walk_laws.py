"""Laws that every walk obeys, and cases with known answers. The judge is tests/oracle.py, which knows nothing of
exactdrl.
"""

import itertools
import random
from dataclasses import dataclass
from fractions import Fraction

import oracle
import pytest
import strategies
from hypothesis import assume, event, given, reject
from hypothesis import strategies as st
from oracle import ONE, ZERO, Kink, Problem, Row

from exactdrl.exact.rationals import InputError
from exactdrl.minimality.verdict import LocalMinimum, StrictLocalMinimum, Undecided
from exactdrl.problem.instance import Instance
from exactdrl.steps.first_vertex import StartEnd
from exactdrl.walks.driver import StepLimit, Walk

RULES = ["reference", "steepest", "first"]
START_RULES = ["projected-gradient", "coordinate"]
# Far above what any instance of these tests needs: a walk that gets here cycles
MAX_STEPS = 3000

rules = st.sampled_from(RULES)
start_rules = st.sampled_from(START_RULES)


@dataclass
class Vertex:
    """A vertex of a walk: the point, its cell, its basis in order, the loss that the walk reports."""

    theta: list[Row]
    on: dict[Kink, bool]
    basis: list[Kink]
    loss: Fraction


@dataclass
class Trace:
    """A whole walk over Fractions."""

    problem: Problem
    walk: Walk
    phase1: list[list[Row]]
    vertices: list[Vertex]
    steps: list[object]
    outcome: object

    @property
    def last(self) -> Vertex:
        """Returns the last vertex."""
        return self.vertices[-1]

    def path(self) -> list[tuple[object, ...]]:
        """Returns what two equal walks have in common: points, cells, bases, losses and pivots."""
        return [
            (
                v.theta,
                v.on,
                v.basis,
                v.loss,
                step and (step.flips, step.basis, step.leaving, step.entering, step.is_published_stop),
            )
            for v, step in zip(self.vertices, [None, *self.steps], strict=True)
        ]


def _pattern(pattern: object) -> dict[Kink, bool]:
    return {tuple(kink): pattern.is_on(kink) for kink in pattern}


def claimed(outcome):
    """What an outcome claims; its witness has multipliers in units that scaling changes."""
    return type(outcome), getattr(outcome, "by", None), getattr(outcome, "active", None)


def record(
    instance: Instance, rule: str = "reference", start_rule: str | None = None, max_steps: int = MAX_STEPS
) -> Trace:
    """Walks and keeps everything."""
    walk = Walk(instance, rule=rule, start_rule=start_rule, max_steps=max_steps)
    problem = Problem(instance)

    def now() -> Vertex:
        on = _pattern(walk.stepper.arithmetic.pattern)
        basis = [tuple(kink) for kink in walk.stepper.arithmetic.basis]
        return Vertex(oracle.to_fractions(walk.vertex), on, basis, oracle.to_fraction(walk.loss))

    # a loss that is constant for certain has no walk
    if isinstance(walk.first_vertex, StartEnd):
        reject()
    phase1 = [oracle.to_fractions(walk.problem.to_full(point)) for point in walk.first_vertex.points]
    vertices, steps = [now()], []
    for step in walk:
        steps.append(step)
        vertices.append(now())
    return Trace(problem, walk, phase1, vertices, steps, walk.outcome)


def _flipped(on: dict[Kink, bool], kinks: object) -> dict[Kink, bool]:
    changed = dict(on)
    for kink in kinks:
        changed[tuple(kink)] = not changed[tuple(kink)]
    return changed


def _edges(problem: Problem, on: dict[Kink, bool], basis: list[Kink]) -> dict[Kink, tuple[Row, Fraction]]:
    """Returns for each kink of the basis its edge direction in the cell, in the reduced parameters, and the edge's
    slope.
    """
    normals, gradient = problem.normals(on)
    columns = oracle.inverse([problem.reduce(normals[kink]) for kink in basis])
    assert columns is not None
    reduced = problem.reduce(gradient)
    result = {}
    for slot, kink in enumerate(basis):
        direction = [row[slot] if on[kink] else -row[slot] for row in columns]
        result[kink] = direction, oracle.dot(reduced, direction)
    return result


def _steepness(edge: tuple[Row, Fraction]) -> Fraction:
    direction, slope = edge
    return slope * slope / oracle.dot(direction, direction)


def _is_regular(problem: Problem, vertex: Vertex) -> bool:
    """Returns whether the kinks that vanish at a vertex are exactly its basis."""
    return {kink for kink, value in problem.values(vertex.theta).items() if value == 0} == set(vertex.basis)


def _check_segment(problem: Problem, a: list[Row], b: list[Row]) -> None:
    """Checks that two points lie in one closed cell: no kink has opposite signs, and everything is affine between
    them.
    """
    middle = [[(p + q) / 2 for p, q in zip(r, s, strict=True)] for r, s in zip(a, b, strict=True)]
    at_a, at_b, between = problem.values(a), problem.values(b), problem.values(middle)
    for kink, value in at_a.items():
        assert value * at_b[kink] >= 0, kink
        assert 2 * between[kink] == value + at_b[kink], kink
    assert 2 * problem.loss(middle) == problem.loss(a) + problem.loss(b)


# --- laws of every walk ----------------------------------------------------------------------------------------------


@strategies.examples(120)
@given(strategies.instances(), rules, start_rules)
def test_losses_fall(instance: Instance, rule: str, start_rule: str) -> None:
    """Phase 1 never raises the loss, every step of phase 2 lowers it, and each reported loss is the forward pass's."""
    trace = record(instance, rule, start_rule)
    problem = trace.problem
    phase1 = [problem.loss(point) for point in trace.phase1]
    assert phase1[0] == problem.loss(problem.start)
    assert all(b <= a for a, b in itertools.pairwise(phase1))
    assert trace.vertices[0].loss == phase1[-1]
    losses = [vertex.loss for vertex in trace.vertices]
    assert all(b < a for a, b in itertools.pairwise(losses))
    for vertex in trace.vertices:
        assert vertex.loss == problem.loss(vertex.theta) == oracle.to_fraction(instance.loss_of(_mpq(vertex.theta)))


def _mpq(theta: list[Row]) -> list[list[object]]:
    from gmpy2 import mpq

    return [[mpq(value.numerator, value.denominator) for value in row] for row in theta]


@strategies.examples(120)
@given(strategies.instances(), rules, start_rules)
def test_every_vertex_is_one(instance: Instance, rule: str, start_rule: str) -> None:
    """At every vertex the basis' kinks vanish, their normals in its cell are independent and n many, and the cell
    holds it.
    """
    trace = record(instance, rule, start_rule)
    problem = trace.problem
    assert trace.walk.problem.lineality == problem.lineality
    for vertex in trace.vertices:
        values = problem.values(vertex.theta)
        assert set(vertex.on) == set(values)
        assert problem.is_in_cell(values, vertex.on)
        assert [values[kink] for kink in vertex.basis] == [ZERO] * problem.reduced_n
        normals, _ = problem.normals(vertex.on)
        assert oracle.rank([problem.reduce(normals[kink]) for kink in vertex.basis]) == problem.reduced_n


@strategies.examples(80)
@given(strategies.instances(), rules, start_rules)
def test_parameters_outside_the_pivot_columns_stay(instance: Instance, rule: str, start_rule: str) -> None:
    """Under lineality the parameters in columns that depend on the columns before keep the values of the start."""
    trace = record(instance, rule, start_rule)
    problem = trace.problem
    fixed = [column for column in range(problem.m) if column not in problem.columns]
    for theta in [*trace.phase1, *(vertex.theta for vertex in trace.vertices)]:
        assert [[row[c] for c in fixed] for row in theta] == [[row[c] for c in fixed] for row in problem.start]


@strategies.examples(100)
@given(strategies.instances(), start_rules)
def test_phase_1_stays_in_the_cell_of_the_start(instance: Instance, start_rule: str) -> None:
    """The start, every point of phase 1 and the first vertex lie in the closed cell of the first vertex's pattern."""
    trace = record(instance, "reference", start_rule, max_steps=0)
    problem = trace.problem
    on = _pattern(trace.walk.first_vertex.pattern)
    assert trace.phase1[0] == problem.start
    assert trace.phase1[-1] == trace.vertices[0].theta
    for theta in trace.phase1:
        assert problem.is_in_cell(problem.values(theta), on)
    for a, b in zip(trace.phase1, trace.phase1[1:], strict=False):
        _check_segment(problem, a, b)


@strategies.examples(120)
@given(strategies.instances(), rules, start_rules)
def test_steps_join_adjacent_vertices(instance: Instance, rule: str, start_rule: str) -> None:
    """Each step does what its line in the certificate says: it ends elsewhere, in one closed cell, sharing n-1 kinks
    of the basis.
    """
    trace = record(instance, rule, start_rule)
    problem = trace.problem
    for index, (before, step, after) in enumerate(
        zip(trace.vertices, trace.steps, trace.vertices[1:], strict=False), 1
    ):
        assert step.index == index
        values = problem.values(before.theta)
        flips = [tuple(kink) for kink in step.flips]
        assert len(set(flips)) == len(flips)
        assert all(values[kink] == 0 for kink in flips)
        on = _flipped(before.on, flips)
        assert on == after.on
        assert problem.is_in_cell(values, on)
        basis = before.basis if step.basis is None else [tuple(kink) for kink in step.basis]
        assert all(values[kink] == 0 for kink in basis)
        normals, _ = problem.normals(on)
        assert oracle.rank([problem.reduce(normals[kink]) for kink in basis]) == problem.reduced_n == len(basis)
        assert tuple(step.leaving) in basis
        assert tuple(step.entering) not in basis
        assert after.basis == [*(kink for kink in basis if kink != step.leaving), tuple(step.entering)]
        assert after.theta != before.theta
        assert problem.is_in_cell(problem.values(after.theta), on)
        _check_segment(problem, before.theta, after.theta)


@strategies.examples(250)
@given(strategies.instances(max_samples=9), rules, start_rules)
def test_outcome_agrees_with_the_oracle(instance: Instance, rule: str, start_rule: str) -> None:
    """What is reported as a minimum is one, strict if and only if LIKQ says so; undecided is said only where LIKQ does
    not hold.
    """
    check_outcome(record(instance, rule, start_rule))


@strategies.examples(120)
@given(strategies.generic_instances(), rules, start_rules)
def test_outcome_agrees_with_the_oracle_in_general_position(instance: Instance, rule: str, start_rule: str) -> None:
    """The same for longer walks with long numbers."""
    check_outcome(record(instance, rule, start_rule))


def check_outcome(trace: Trace) -> None:
    """Checks a walk's outcome against both oracles: enumeration of cells, and LIKQ."""
    problem, theta, outcome = trace.problem, trace.last.theta, trace.outcome
    try:
        truth = oracle.decide_minimality(problem, theta)
    except oracle.TooManyCellsError:
        reject()
    form = oracle.local_form(problem, theta)
    likq = oracle.likq_verdict(problem, form)
    assert likq in (
        None,
        {(True, True): "strict", (True, False): "minimum"}.get((truth.is_minimum, truth.is_strict), "no"),
    )
    match outcome:
        case StrictLocalMinimum(by=by):
            assert truth.is_minimum
            assert truth.is_strict
            assert by != "likq" or likq == "strict"
        case LocalMinimum(by=by):
            assert truth.is_minimum
            assert by != "likq" or likq == "minimum"
            assert by != "zero-loss" or problem.loss(theta) == 0
        case Undecided(active=active):
            assert likq is None
            assert problem.loss(theta) > 0
            assert active == len(form.active)
        case _:
            pytest.fail(f"outcome {outcome}")
    if _is_regular(problem, trace.last):
        assert not isinstance(outcome, Undecided)


@strategies.examples(100)
@given(strategies.instances(max_samples=9), rules, start_rules)
def test_every_walk_ends(instance: Instance, rule: str, start_rule: str) -> None:
    """A walk ends by itself, and never comes back to a point."""
    trace = record(instance, rule, start_rule)
    assert not isinstance(trace.outcome, StepLimit)
    points = [tuple(map(tuple, vertex.theta)) for vertex in trace.vertices]
    assert len(set(points)) == len(points)


@strategies.examples(60)
@given(strategies.instances(), rules, start_rules)
def test_same_walk_twice(instance: Instance, rule: str, start_rule: str) -> None:
    """The trajectory is a function of the instance and the rules."""
    first, second = record(instance, rule, start_rule), record(instance, rule, start_rule)
    assert first.path() == second.path()
    assert first.outcome == second.outcome


@strategies.examples(60)
@given(strategies.instances(), rules, st.integers(0, 4))
def test_step_limit_cuts_the_same_walk(instance: Instance, rule: str, limit: int) -> None:
    """With a limit of k steps the walk is the first k steps of the walk without; the limit never passes for a
    verdict.
    """
    whole, part = record(instance, rule), record(instance, rule, max_steps=limit)
    assert part.path() == whole.path()[: limit + 1]
    if len(whole.steps) > limit:
        assert part.outcome == StepLimit()
    elif len(whole.steps) < limit:
        assert part.outcome == whole.outcome


@strategies.examples(80)
@given(strategies.instances(), rules, rules, start_rules)
def test_walk_from_a_strict_minimum_stays(instance: Instance, rule: str, again: str, start_rule: str) -> None:
    """Started at a strict local minimum a walk takes no step and says so again; from any last vertex it never gets
    worse.
    """
    trace = record(instance, rule, start_rule)
    second = record(instance.with_start(trace.walk.vertex), again, start_rule)
    assert second.last.loss <= trace.last.loss
    if isinstance(trace.outcome, StrictLocalMinimum):
        assert second.vertices[0].theta == trace.last.theta
        assert not second.steps
        assert second.outcome == StrictLocalMinimum()
    check_outcome(second)


@strategies.examples(60)
@given(strategies.instances(max_samples=9), rules, st.data())
def test_resumed_walk_goes_on(instance: Instance, rule: str, data: st.DataObject) -> None:
    """Resumed from any vertex's pattern and basis, or left and iterated again, a walk takes the same steps to the same
    outcome.
    """
    whole = record(instance, rule)
    halt = data.draw(st.integers(0, len(whole.steps)))
    walk = Walk(instance, rule=rule, max_steps=halt)
    walk.run()
    second = Walk(instance, rule=rule, max_steps=MAX_STEPS)
    second.resume(
        walk.stepper.arithmetic.pattern.copy(),
        list(walk.stepper.arithmetic.basis),
        walk.steps,
        list(walk.published_stops),
    )
    assert list(second) == whole.steps[halt:]
    assert second.outcome == whole.outcome
    assert oracle.to_fractions(second.vertex) == whole.last.theta
    assert second.published_stops == whole.walk.published_stops
    third = Walk(instance, rule=rule)
    steps = []
    while third.outcome is None:
        for step in third:
            steps.append(step)
            break
    assert steps == whole.steps
    assert third.outcome == whole.outcome


def test_unknown_rules_are_refused() -> None:
    """A rule that does not exist is refused by its name."""
    instance = Instance.create([([[1]], [0])], [[1]], [[1]])
    with pytest.raises(InputError, match="'bland'"):
        Walk(instance, rule="bland")
    with pytest.raises(InputError, match="'middle'"):
        Walk(instance, start_rule="middle")


def test_many_parameters() -> None:
    """With 66 parameters (where the start rule is another by default) the first vertices are vertices, and the loss
    falls.
    """
    source = random.Random(5)

    def rows(count: int, width: int) -> list[list[int]]:
        return [[source.randint(-9, 9) for _ in range(width)] for _ in range(count)]

    layers = [(rows(6, 10), rows(1, 6)[0]), (rows(2, 6), rows(1, 2)[0])]
    trace = record(Instance.create(layers, rows(25, 10), rows(25, 2)), max_steps=4)
    problem = trace.problem
    assert trace.walk.start_rule == "coordinate"
    assert problem.reduced_n == 66
    assert len(trace.steps) == 4
    losses = [problem.loss(problem.start), *(vertex.loss for vertex in trace.vertices)]
    assert losses == sorted(losses, reverse=True)
    for vertex in trace.vertices:
        values = problem.values(vertex.theta)
        assert problem.is_in_cell(values, vertex.on)
        assert not any(values[kink] for kink in vertex.basis)
    normals, _ = problem.normals(trace.last.on)
    assert oracle.rank([normals[kink] for kink in trace.last.basis]) == 66


@strategies.examples(80)
@given(strategies.instances(max_samples=9), rules, start_rules)
def test_entering_kink_has_the_smallest_address(instance: Instance, rule: str, start_rule: str) -> None:
    """Of the kinks that an edge meets first, all at its end, the one with the smallest address enters the basis."""
    trace = record(instance, rule, start_rule)
    for before, step, after in zip(trace.vertices, trace.steps, trace.vertices[1:], strict=False):
        values, ends = trace.problem.values(before.theta), trace.problem.values(after.theta)
        assert step.entering == min(kink for kink, value in ends.items() if value == 0 and values[kink] != 0)


# --- pivot rules -----------------------------------------------------------------------------------------------------


def _published(problem: Problem, vertex: Vertex) -> tuple[list[Kink], dict[Kink, tuple[Row, Fraction]]] | None:
    """Returns the published rule's flips and improving edges at a vertex, None where it stops."""
    on = dict(vertex.on)
    for count, kink in enumerate(vertex.basis, 1):
        on[kink] = not on[kink]
        improving = {k: edge for k, edge in _edges(problem, on, vertex.basis).items() if edge[1] < 0}
        if improving:
            return vertex.basis[:count], improving
    return None


def _sides(problem: Problem, vertex: Vertex) -> list[tuple[Kink, tuple[Kink, ...], tuple[Row, Fraction]]]:
    """Returns all 2n edges of a vertex, n in its cell and n beyond one kink: the kink that each leaves, the flips, the
    edge.
    """
    inside = _edges(problem, vertex.on, vertex.basis)
    beyond = [
        (kink, (kink,), _edges(problem, _flipped(vertex.on, [kink]), vertex.basis)[kink]) for kink in vertex.basis
    ]
    return [*((kink, (), edge) for kink, edge in inside.items()), *beyond]


@strategies.examples(150)
@given(st.one_of(strategies.generic_instances(), strategies.instances()), start_rules)
def test_reference_rule(instance: Instance, start_rule: str) -> None:
    """At a regular vertex the rule `reference` takes the edge that the published rule takes, and a_1's edge where that
    one stops.
    """
    trace = record(instance, "reference", start_rule)
    for vertex, step in zip(trace.vertices, trace.steps, strict=False):
        published = _published(trace.problem, vertex) if vertex.basis else None
        assert step.is_published_stop == (published is None and bool(vertex.basis))
        if not _is_regular(trace.problem, vertex):
            continue
        assert step.basis is None
        if published is None:
            assert (step.flips, step.leaving) == ((), vertex.basis[0])
        else:
            flips, improving = published
            best = max(map(_steepness, improving.values()))
            assert [tuple(kink) for kink in step.flips] == flips
            assert step.leaving == min(k for k, edge in improving.items() if _steepness(edge) == best)
    assert trace.walk.published_stops == [step.index for step in trace.steps if step.is_published_stop]


@strategies.examples(150)
@given(
    st.one_of(strategies.generic_instances(), strategies.instances()),
    start_rules,
    st.sampled_from(["steepest", "first"]),
)
def test_steepest_and_first_rule(instance: Instance, start_rule: str, rule: str) -> None:
    """At a regular vertex `steepest` takes the steepest of all 2n edges, `first` an improving one at the smallest
    address.
    """
    trace = record(instance, rule, start_rule)
    problem = trace.problem
    for vertex, step in zip(trace.vertices, trace.steps, strict=False):
        assert not step.is_published_stop
        if not _is_regular(problem, vertex):
            continue
        assert step.basis is None
        improving = [(kink, flips, edge) for kink, flips, edge in _sides(problem, vertex) if edge[1] < 0]
        if rule == "steepest":
            best = max(_steepness(edge) for _, _, edge in improving)
            improving = [choice for choice in improving if _steepness(choice[2]) == best]
        smallest = min(kink for kink, _, _ in improving)
        assert (step.leaving, step.flips) in [(kink, flips) for kink, flips, _ in improving if kink == smallest]


def test_published_rule_stops_wrongly_on_lines() -> None:
    """On random lines (N = 20, one input and a bias) the published rule stops early in many of 60 cases; the walk goes
    on.
    """
    stops = 0
    for seed in range(60):
        source = random.Random(seed)
        inputs = [[Fraction(source.randint(-3000, 3000), 1000)] for _ in range(20)]
        targets = [[Fraction(source.randint(-3000, 3000), 1000)] for _ in range(20)]
        start = [[Fraction(source.randint(-20000, 20000), 1000) for _ in range(2)]]
        trace = record(Instance.create([([[0]], [0])], inputs, targets, start=start))
        stops += bool(trace.walk.published_stops)
        assert trace.last.loss == oracle.lad_optimum_of(trace.problem)
        assert isinstance(trace.outcome, StrictLocalMinimum | LocalMinimum)
    assert stops >= 3


def test_published_rule_stops_wrongly_at_a_degenerate_vertex() -> None:
    """A stop of the published rule is recorded, too, where its vertex is degenerate and the missed edge leads out of
    the cell.
    """
    inputs, targets = [[-4], [-2], ["7/2"], [3], ["5/2"]], [["9/5"], [1], ["-6/5"], ["-3/5"], [11]]
    trace = record(Instance.create([([["1/4"]], [8])], inputs, targets, start=[["11/4", "-77/8"]]))
    assert not _is_regular(trace.problem, trace.vertices[0])
    assert _published(trace.problem, trace.vertices[0]) is None
    assert trace.walk.published_stops == [1]


# --- equivariance ----------------------------------------------------------------------------------------------------


def _parts(instance: Instance) -> tuple[list[tuple[list[Row], Row | None]], list[Row], list[Row], list[Row]]:
    layers = [
        (oracle.to_fractions(la.weight), None if la.bias is None else [oracle.to_fraction(b) for b in la.bias])
        for la in instance.layers
    ]
    return (
        layers,
        oracle.to_fractions(instance.inputs),
        oracle.to_fractions(instance.targets),
        oracle.to_fractions(instance.start),
    )


def _times(factor: Fraction, rows: list[Row]) -> list[Row]:
    return [[factor * value for value in row] for row in rows]


@strategies.examples(80)
@given(strategies.instances(), rules, start_rules, st.sampled_from([Fraction(2, 3), Fraction(5)]))
def test_scaling_the_outputs(instance: Instance, rule: str, start_rule: str, factor: Fraction) -> None:
    """Outputs and targets times c > 0 (the start, too, if the last layer is trained): the same pivots, every loss
    times c. Always.
    """
    layers, inputs, targets, start = _parts(instance)
    weight, bias = layers[-1]
    if instance.layer == len(layers):
        start = _times(factor, start)
    layers[-1] = _times(factor, weight), None if bias is None else _times(factor, [bias])[0]
    scaled = Instance.create(layers, inputs, _times(factor, targets), layer=instance.layer, start=start)
    one, two = record(instance, rule, start_rule), record(scaled, rule, start_rule)
    stretch = factor if instance.layer == len(layers) else ONE
    assert one.steps == two.steps
    assert claimed(one.outcome) == claimed(two.outcome)
    for a, b in zip(one.vertices, two.vertices, strict=True):
        assert (b.theta, b.on, b.basis, b.loss) == (_times(stretch, a.theta), a.on, a.basis, factor * a.loss)


@strategies.examples(80)
@given(strategies.instances(min_depth=1), rules, start_rules, st.data())
def test_scaling_a_fixed_unit(instance: Instance, rule: str, start_rule: str, data: st.DataObject) -> None:
    """A unit above the trained layer times c > 0, undone by the layer after it: the same walk. Always."""
    layers, inputs, targets, start = _parts(instance)
    assume(instance.layer + 1 < len(layers))
    index = data.draw(st.integers(instance.layer, len(layers) - 2))
    unit = data.draw(st.integers(0, len(layers[index][0]) - 1))
    factor = data.draw(st.sampled_from([Fraction(1, 3), Fraction(2), Fraction(7, 2)]))
    weight, bias = layers[index]
    weight[unit] = [factor * value for value in weight[unit]]
    if bias is not None:
        bias[unit] *= factor
    for row in layers[index + 1][0]:
        row[unit] /= factor
    scaled = Instance.create(layers, inputs, targets, layer=instance.layer, start=start)
    one, two = record(instance, rule, start_rule), record(scaled, rule, start_rule)
    assert one.path() == two.path()
    assert claimed(one.outcome) == claimed(two.outcome)


def _is_without_ties(trace: Trace, rule: str) -> bool:
    """Returns whether nothing in a walk was settled by an address.

    That is: no vertex is degenerate, phase 1 falls all the way (a vanishing projected gradient leaves its direction
    open) and meets
    one kink at a time, and the steepest of the edges that the rule compares is the only one. Kinks whose value is 0 on
    a whole
    neighbourhood (behind units that are off) do not count.
    """
    problem = trace.problem

    def vanishing(theta: list[Row]) -> int:
        return len(oracle.local_form(problem, theta).active)

    losses = [problem.loss(theta) for theta in trace.phase1]
    if any(a <= b for a, b in itertools.pairwise(losses)):
        return False
    if [vanishing(theta) for theta in trace.phase1] != list(range(problem.reduced_n + 1)):
        return False
    if any(vanishing(vertex.theta) != problem.reduced_n for vertex in trace.vertices):
        return False
    for vertex in trace.vertices[:-1]:
        if rule == "reference":
            published = _published(problem, vertex)
            edges = list(published[1].values()) if published else []
        else:
            edges = [edge for _, _, edge in _sides(problem, vertex) if edge[1] < 0]
        steepness = sorted(map(_steepness, edges))
        if len(steepness) > 1 and steepness[-1] == steepness[-2]:
            return False
    return True


@strategies.examples(200)
@given(strategies.generic_instances(), st.sampled_from(["reference", "steepest"]), st.data())
def test_permuting_samples(instance: Instance, rule: str, data: st.DataObject) -> None:
    """Permuted samples give the same points, and pivots with permuted addresses, where no tie is broken by an address.

    (Ties go to the smaller address, and `first` goes by addresses alone; there only the soundness of the outcome is
    claimed.)
    """
    one = record(instance, rule)
    layers, inputs, targets, start = _parts(instance)
    order = data.draw(st.permutations(range(len(inputs))))
    two = record(
        Instance.create(
            layers, [inputs[i] for i in order], [targets[i] for i in order], layer=instance.layer, start=start
        ),
        rule,
    )
    place = {old: new for new, old in enumerate(order)}
    _check_same(one, two, rule, lambda kink: (kink[0], place[kink[1]], kink[2]), lambda theta: theta)


@strategies.examples(200)
@given(strategies.generic_instances(), st.sampled_from(["reference", "steepest"]), st.data())
def test_permuting_units(instance: Instance, rule: str, data: st.DataObject) -> None:
    """Permuted units of any layer (inputs and outputs, too) give correspondingly permuted walks, where no tie is
    broken by an address.
    """
    one = record(instance, rule)
    layers, inputs, targets, start = _parts(instance)
    moved = data.draw(st.integers(0, len(layers)))
    if moved < instance.layer:
        # the parameters' columns: with lineality the pivot columns depend on their order
        assume(one.problem.lineality == 0)
    width = len(inputs[0]) if moved == 0 else len(layers[moved - 1][0])
    order = data.draw(st.permutations(range(width)))
    place = {old: new for new, old in enumerate(order)}

    def permuted(row: Row) -> Row:
        return [*(row[i] for i in order), *row[width:]]

    if moved == 0:
        inputs = [permuted(row) for row in inputs]
    else:
        weight, bias = layers[moved - 1]
        layers[moved - 1] = permuted(weight), permuted(bias)
    if moved == len(layers):
        targets = [permuted(row) for row in targets]
    else:
        weight, bias = layers[moved]
        layers[moved] = [permuted(row) for row in weight], bias

    def to_theta(theta: list[Row]) -> list[Row]:
        if moved == instance.layer:
            return permuted(theta)
        return [permuted(row) for row in theta] if moved == instance.layer - 1 else theta

    two = record(Instance.create(layers, inputs, targets, layer=instance.layer, start=to_theta(start)), rule)
    _check_same(
        one, two, rule, lambda kink: (kink[0], kink[1], place[kink[2]]) if kink[0] == moved else tuple(kink), to_theta
    )


def _check_same(one: Trace, two: Trace, rule: str, to_kink: object, to_theta: object) -> None:
    """Checks that the second walk is the first one's image; where ties occur, that both outcomes are sound."""
    is_without_ties = _is_without_ties(one, rule)
    event(f"without ties: {is_without_ties}, steps: {min(len(one.steps), 5)}")
    if not is_without_ties:
        check_outcome(two)
        return
    assert [to_theta(vertex.theta) for vertex in one.vertices] == [vertex.theta for vertex in two.vertices]
    assert [vertex.loss for vertex in one.vertices] == [vertex.loss for vertex in two.vertices]
    assert [list(map(to_kink, vertex.basis)) for vertex in one.vertices] == [vertex.basis for vertex in two.vertices]
    for a, b in zip(one.steps, two.steps, strict=True):
        assert [to_kink(kink) for kink in a.flips] == [tuple(kink) for kink in b.flips]
        assert (to_kink(a.leaving), to_kink(a.entering)) == (b.leaving, b.entering)
        assert a.is_published_stop == b.is_published_stop
    assert claimed(one.outcome) == claimed(two.outcome)


# --- the oracle is right on what is known ----------------------------------------------------------------------------


@strategies.examples(60)
@given(strategies.instances(), st.data())
def test_oracle_local_form_is_the_local_change(instance: Instance, data: st.DataObject) -> None:
    """The oracle's local form gives the change of the loss near a point, and its two decisions agree where both
    speak.
    """
    problem = Problem(instance)
    form = oracle.local_form(problem, problem.start)
    direction = [Fraction(data.draw(st.integers(-3, 3))) for _ in range(problem.n)]
    loss = problem.loss(problem.start)
    length = Fraction(1, 10**9)
    moved = problem.loss(oracle.move(problem.start, direction, length))
    assert (
        moved - loss
        == oracle.local_change(form, direction) * length
        == oracle.local_change(oracle.reduce_form(form), direction) * length
    )
    truth, likq = oracle.decide_minimality(problem, problem.start), oracle.likq_verdict(problem, form)
    assert likq in (
        None,
        {(True, True): "strict", (True, False): "minimum"}.get((truth.is_minimum, truth.is_strict), "no"),
    )
    if truth.direction is not None:
        change = problem.loss(oracle.move(problem.start, truth.direction, length)) - loss
        assert change < 0 if not truth.is_minimum else change == 0
    if truth.is_minimum:
        assert moved > loss if truth.is_strict and any(direction) else moved >= loss


def one_unit(terms: list[tuple[list[object], int]], start: list[object] | None = None) -> Instance:
    """Returns one unit v without bias whose loss is Σ b |a·v| plus a constant near 0: the pair ±|b|a, label -1 or +1."""
    inputs, targets = [], []
    for a, b in terms:
        for side in (1, -1):
            inputs.append([side * abs(b) * Fraction(str(value)) for value in a])
            targets.append([-1 if b > 0 else 1])
    width = len(inputs[0])
    return Instance.create([([[0] * width], None), ([[1]], None)], inputs, targets, start=[start or [0] * width])


def max_cut(vertices: int, edges: list[tuple[int, int]], c: int) -> Instance:
    """Returns the MAX-CUT instance of a graph: 0 is a local minimum iff maxcut ≤ (c-1)/2."""
    degree = max(sum(v in edge for edge in edges) for v in range(1, vertices + 1))
    k = degree + 1

    def unit(*entries: tuple[int, int]) -> list[int]:
        row = [0] * (vertices + 1)
        for place, value in entries:
            row[place] = value
        return row

    terms = [(unit((0, 1)), c - 1)]
    for i in range(1, vertices + 1):
        terms += [(unit((i, 1), (0, 1)), k), (unit((i, 1), (0, -1)), k), (unit((i, 1)), -k), (unit((0, 1)), -k)]
    terms += [(unit((i, 1), (j, -1)), -1) for i, j in edges]
    return one_unit(terms)


TRIANGLE = [(1, 2), (2, 3), (1, 3)]
PATH = [(1, 2), (2, 3)]


@pytest.mark.parametrize(
    ("edges", "c", "is_minimum"), [(TRIANGLE, 5, True), (TRIANGLE, 3, False), (PATH, 5, True), (PATH, 3, False)]
)
def test_max_cut(edges: list[tuple[int, int]], c: int, is_minimum: bool) -> None:
    """The oracle knows the MAX-CUT family's answers; no walk from 0 reports a minimum at 0 where there is none."""
    instance = max_cut(3, edges, c)
    problem = Problem(instance)
    truth = oracle.decide_minimality(problem, problem.start)
    assert truth.is_minimum == is_minimum
    if edges == TRIANGLE and not is_minimum:
        form = oracle.local_form(problem, problem.start)
        assert oracle.local_change(form, [ONE, ONE, ONE, -ONE]) < 0
    for rule in RULES:
        trace = record(instance, rule)
        at_zero = not any(map(any, trace.last.theta))
        if isinstance(trace.outcome, StrictLocalMinimum | LocalMinimum) and at_zero:
            assert is_minimum
        if at_zero:
            assert not isinstance(trace.outcome, StrictLocalMinimum) or truth.is_strict


# --- cases with known answers ----------------------------------------------------------------------------------------

every_rule = pytest.mark.parametrize("rule", RULES)
every_start_rule = pytest.mark.parametrize("start_rule", START_RULES)


@every_rule
@every_start_rule
def test_trap(rule: str, start_rule: str) -> None:
    """A trap: at w = 0 all four axis slopes are positive, yet L = 4 there is no minimum and is never
    reported as one.
    """
    inputs = [["1", "0"], ["-1", "0"], ["0", "1"], ["0", "-1"], ["3/2", "-3/2"], ["-3/2", "3/2"]]
    instance = Instance.create([([[0, 0]], None), ([[1]], None)], inputs, [[1]] * 4 + [[0]] * 2)
    problem = Problem(instance)
    assert problem.loss([[ZERO, ZERO]]) == 4
    assert problem.loss([[Fraction(1, 4), Fraction(1, 4)]]) == Fraction(7, 2)
    for axis in ([1, 0], [-1, 0], [0, 1], [0, -1]):
        step = Fraction(1, 100)
        assert problem.loss([[step * a for a in axis]]) == 4 + step / 2
    truth = oracle.decide_minimality(problem, problem.start)
    assert not truth.is_minimum
    trace = record(instance, rule, start_rule)
    if isinstance(trace.outcome, StrictLocalMinimum | LocalMinimum):
        assert trace.last.loss < 4
    else:
        assert isinstance(trace.outcome, Undecided)
    check_outcome(trace)


@every_rule
@every_start_rule
def test_trap_from_around(rule: str, start_rule: str) -> None:
    """From starts all around the trap no walk reports a minimum at w = 0."""
    inputs = [["1", "0"], ["-1", "0"], ["0", "1"], ["0", "-1"], ["3/2", "-3/2"], ["-3/2", "3/2"]]
    for a in range(-2, 3):
        for b in range(-2, 3):
            start = [[Fraction(a, 10), Fraction(b, 10)]]
            instance = Instance.create([([[0, 0]], None), ([[1]], None)], inputs, [[1]] * 4 + [[0]] * 2, start=start)
            check_outcome(record(instance, rule, start_rule))


@every_rule
@every_start_rule
def test_deep_likq(rule: str, start_rule: str) -> None:
    """LIKQ in a deep network: started there, the walk ends with a local minimum of loss 4 that is not
    strict.
    """
    layers = [([[1], [1]], [-1, 0]), ([[-1, 1]], [-1]), ([[2]], [0])]
    instance = Instance.create(layers, [[1], [-1]], [[-2], [-2]])
    problem = Problem(instance)
    form = oracle.reduce_form(oracle.local_form(problem, problem.start))
    assert oracle.combination([form.linear[k] for k in form.active], form.gradient) == [0, 1]
    assert oracle.likq_verdict(problem, form) == "minimum"
    trace = record(instance, rule, start_rule)
    assert trace.outcome == LocalMinimum(by="likq")
    assert trace.last.loss == 4
    check_outcome(trace)


@every_rule
@every_start_rule
def test_barrodale_roberts_segment(rule: str, start_rule: str) -> None:
    """Data on a line with more than one optimum: from every start the walk ends at an end of the optimal segment, not strict, loss
    2.
    """
    ends = [[[Fraction(1, 2), Fraction(1, 2)]], [[Fraction(1, 4), Fraction(3, 4)]]]
    for slope, intercept in [(0, 0), (5, -3), (-2, 7), ("1/2", "1/2"), ("3/8", "5/8"), ("1/4", "3/4")]:
        instance = Instance.create([([[slope]], [intercept])], [[1], [2], [3], [4], [5]], [[1], [1], [2], [3], [2]])
        trace = record(instance, rule, start_rule)
        assert trace.last.loss == 2
        assert trace.last.theta in ends
        assert trace.outcome == LocalMinimum(by="likq")
        check_outcome(trace)


@every_rule
@every_start_rule
def test_cancelling_kinks(rule: str, start_rule: str) -> None:
    """|t| - ReLU(2t) = -t: the two kinks at 0 cancel, the walk from 0 goes on to the strict minimum at t =
    5.
    """
    instance = Instance.create([([[0]], None), ([[1]], None)], [[1], [-1], [2]], [[-1], [-1], [10]])
    problem = Problem(instance)
    assert oracle.likq_verdict(problem, oracle.local_form(problem, problem.start)) == "no"
    trace = record(instance, rule, start_rule)
    assert trace.last.theta == [[5]]
    assert trace.last.loss == 7
    assert trace.outcome == StrictLocalMinimum()


@every_rule
@every_start_rule
@pytest.mark.parametrize(
    ("inputs", "lineality"),
    [
        ([["1", "2"]], 2),
        ([["1", "2"], ["1", "2"]], 2),
        ([["1", "2"], ["3", "2"]], 1),
        ([["0", "0"], ["0", "0"]], 2),
        ([["1", "2"], ["2", "4"], ["3", "6"]], 1),
        ([["1", "2"], ["2", "4"], ["0", "1"]], 0),
    ],
)
def test_lineality(rule: str, start_rule: str, inputs: list[list[str]], lineality: int) -> None:
    """Too few, repeated, constant or dependent data: the dimension is right, a minimum is found and never called
    strict.
    """
    for depth in (0, 1):
        layers = [([["1", "-1/2"]], ["1/3"]), ([[2]], [1])][: depth + 1]
        instance = Instance.create(layers, inputs, [[i + 7] for i in range(len(inputs))])
        trace = record(instance, rule, start_rule)
        assert trace.problem.lineality == lineality
        assert trace.walk.problem.lineality == lineality
        assert lineality == 0 or not isinstance(trace.outcome, StrictLocalMinimum)
        assert depth or isinstance(trace.outcome, StrictLocalMinimum | LocalMinimum)
        check_outcome(trace)


@every_rule
@every_start_rule
def test_no_parameter_matters(rule: str, start_rule: str) -> None:
    """All inputs zero and no bias: lineality is everything, the basis is empty, the start is a local minimum, not
    strict.
    """
    instance = Instance.create([([[3, -1]], None), ([[1]], [2])], [[0, 0], [0, 0]], [[1], [5]])
    trace = record(instance, rule, start_rule)
    assert trace.vertices[0].basis == []
    assert trace.last.theta == [[3, -1]]
    assert not trace.steps
    assert trace.outcome == LocalMinimum(by="likq")


@strategies.examples(60)
@given(strategies.instances(), rules, start_rules)
def test_start_with_loss_0(instance: Instance, rule: str, start_rule: str) -> None:
    """A start that fits the data exactly: the loss stays 0 and the outcome is a minimum, without a step."""
    problem = Problem(instance)
    values = problem.values(problem.start)
    layers, inputs, targets, start = _parts(instance)
    fitted = [[values[problem.last, i, j] + y for j, y in enumerate(row)] for i, row in enumerate(targets)]
    trace = record(Instance.create(layers, inputs, fitted, layer=instance.layer, start=start), rule, start_rule)
    assert trace.last.loss == 0
    assert not trace.steps
    assert isinstance(trace.outcome, StrictLocalMinimum | LocalMinimum)
    check_outcome(trace)


@every_rule
@every_start_rule
def test_zero_gradient(rule: str, start_rule: str) -> None:
    """Targets 1 and -1 on one input: the gradient is 0 between them, the walk ends at an end of the segment, loss 2,
    not strict.
    """
    instance = Instance.create([([[0]], None)], [[1], [1]], [[1], [-1]])
    trace = record(instance, rule, start_rule)
    assert trace.last.theta in ([[1]], [[-1]])
    assert trace.last.loss == 2
    assert trace.outcome == LocalMinimum(by="likq")


@every_rule
@every_start_rule
def test_dead_unit(rule: str, start_rule: str) -> None:
    """A unit that is off on every sample: the walk is a right one, and its outcome agrees with the oracle."""
    inputs, targets = [["1"], ["2"], ["3"]], [["1"], ["0"], ["2"]]
    for start in ([["-1", "-1"]], [["-1", "-1"], ["1", "1"]], [["-1", "0"], ["-2", "-1"]]):
        weight = [[row[0]] for row in start]
        layers = [(weight, [row[1] for row in start]), ([[1, -2][: len(start)]], ["1/2"])]
        trace = record(Instance.create(layers, inputs, targets), rule, start_rule)
        assert trace.last.loss <= trace.problem.loss(trace.problem.start)
        check_outcome(trace)


@every_rule
@every_start_rule
def test_active_kinks_are_counted(rule: str, start_rule: str) -> None:
    """Undecided counts what vanishes with a local form that is not identically 0 (FORMAT, 4): here 2 kinks, not the 4
    that vanish.

    On sample 0 the pushed input is 0, so the unit's preactivation and one residual are 0 whatever the parameter is. On
    sample 1
    the unit's kink and the residual behind it are active, and dependent: LIKQ does not hold.
    """
    instance = Instance.create([([[0]], None), ([[0], [1]], [1, 0])], [[0], [1]], [[0, 0], [0, 0]])
    trace = record(instance, rule, start_rule)
    assert trace.last.theta == [[0]]
    values = trace.problem.values(trace.last.theta)
    assert [kink for kink, value in values.items() if value == 0] == [(1, 0, 0), (2, 0, 1), (1, 1, 0), (2, 1, 1)]
    if isinstance(trace.outcome, Undecided):
        assert trace.outcome.active == 2
    check_outcome(trace)


@every_rule
def test_dead_network(rule: str) -> None:
    """A unit above the trained layer that is off whatever the parameters are: every point is a minimum, and the start
    is where the walk ends.
    """
    layers = [([[1], [2]], [0, 1]), ([[-1, -1]], [-1]), ([[3]], [0])]
    walk = Walk(Instance.create(layers, [[1], [2], [-1]], [[1], [2], [3]]), rule=rule)
    assert walk.run() == LocalMinimum("bound")
    assert (walk.steps, walk.loss, walk.vertex) == (0, 6, walk.problem.instance.start)
