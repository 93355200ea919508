"""The rule `long-step`, for a trained layer that is the last: Barrodale and Roberts' walk, output by output.

The loss has two slopes, so that it is convex. Along an edge the walk passes breakpoints as long as the loss falls
behind them. At the first vertex behind which it does not fall, the loss is least on that edge (a weighted median). If
the loss falls along an edge forever, the walk goes to the last vertex on the edge, and ends if the loss falls on from
there.

Where more than r residuals of an output vanish, the loss near the vertex is a regression of its own, the local problem.
It is walked with the vanishing residuals set apart. That walk ends with multipliers that prove the minimum, or with an
edge along which the loss falls at the vertex, too.

proofs/long-step.md proves that the walk ends, and says what its certificates claim. Source: Barrodale and Roberts, An
improved algorithm for discrete l1 linear approximation, SIAM J. Numer. Anal. 10 (1973).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gmpy2 import mpq

from exactdrl.arithmetic.counts import LONG_KINDS, DecisionCounts
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.exact.rationals import InputError, to_float
from exactdrl.minimality.verdict import LocalMinimum, StrictLocalMinimum
from exactdrl.problem.instance import Instance
from exactdrl.regression.convex import UnitOptimum, judge_convex
from exactdrl.regression.exact import ExactRegression
from exactdrl.regression.filtered import FilteredRegression
from exactdrl.regression.protocol import Regression, RegressionArithmetic
from exactdrl.regression.threads import one_thread
from exactdrl.steps.first_vertex import FirstVertex, StartEnd, find_first_vertex
from exactdrl.steps.step import Outcome, Step, Unbounded

LONG_STEP = "long-step"
# the rule's way to the first vertex, from the start along coordinates
LINE_SEARCH = "line-search"


@dataclass(frozen=True, slots=True)
class _Improving:
    """An edge along which the loss falls.

    Attributes:
        basis: a basis of the vertex to which the edge belongs.
        leaving: the place of the residual that leaves 0 along the edge.
        side: the sign that this residual gets.
    """

    basis: tuple[int, ...]
    leaving: int
    side: int


@dataclass(frozen=True, slots=True)
class Optimal:
    """The vertex is a minimum of its output's loss.

    Attributes:
        basis: a basis whose multipliers are at most 1 in size if the other vanishing residuals count with `signs`.
        signs: the sign with which each vanishing residual outside the basis counts, by its place.
    """

    basis: tuple[int, ...]
    signs: dict[int, int]


def is_convex(instance: Instance) -> bool:
    """Returns whether the rule can walk a problem: the last layer is trained, and the loss has two slopes."""
    return instance.free == len(instance.layers) and not instance.loss.is_squared


def check_long_step(problem: IntegerProblem) -> None:
    """Refuses the rule where the trained layer is not the last, or the loss has no kinks.

    Raises:
        InputError: the trained layer is not the last, or the loss is squared.
    """
    if problem.first != problem.last:
        raise InputError(
            f"rule is 'long-step', which needs the last layer as the trained one; "
            f"layer {problem.first} is trained, the last is {problem.last}"
        )
    if problem.instance.loss.is_squared:
        raise InputError("rule is 'long-step', which needs a loss with two slopes; the squared loss has none")


def decide(arithmetic: RegressionArithmetic) -> _Improving | Optimal:
    """Returns an improving edge of a vertex, or the proof that there is none."""
    if not arithmetic.vanishing():
        leaving = arithmetic.leaving()
        basis = tuple(arithmetic.basis)
        return Optimal(basis, {}) if leaving is None else _Improving(basis, *leaving)
    members = sorted([*arithmetic.basis, *arithmetic.vanishing()])
    local = arithmetic.local()
    while True:
        found = decide(local)
        basis = tuple(members[place] for place in found.basis)
        if isinstance(found, Optimal):
            inside = set(found.basis)
            signs = {
                members[place]: found.signs.get(place) or local.sign(place)
                for place in range(len(members))
                if place not in inside
            }
            return Optimal(basis, signs)
        if found.basis != tuple(local.basis):
            local.rebase(found.basis)
        if local.go(found.leaving, found.side) is None:
            return _Improving(basis, members[found.leaving], found.side)


def descend(arithmetic: RegressionArithmetic) -> Optimal | None:
    """Walks to a minimum, and returns its proof; None where the loss falls forever."""
    with one_thread(arithmetic.regression.problem.rank):
        while True:
            found = decide(arithmetic)
            if isinstance(found, Optimal):
                return found
            if found.basis != tuple(arithmetic.basis):
                arithmetic.rebase(found.basis)
            if arithmetic.go(found.leaving, found.side) is None:
                return None


def search_lines(arithmetic: RegressionArithmetic) -> bool:
    """Moves along coordinates, each time to where the loss is least, until the basis holds residuals only.

    Returns:
        Whether the basis holds residuals only; False where the loss falls along a coordinate forever.
    """
    _join(arithmetic)
    while any(arithmetic.regression.is_coordinate(place) for place in arithmetic.basis):
        leaving = arithmetic.leaving()
        if leaving is None:
            raise AssertionError("no coordinate can leave the basis: this is a bug")
        if not arithmetic.go(*leaving):
            slot = arithmetic.basis.index(leaving[0])
            if arithmetic.multipliers_of(arithmetic.basis, {})[slot]:
                return False
            # along a coordinate that does not change the loss there may be a residual on one side only
            if not arithmetic.go(leaving[0], -leaving[1]):
                raise AssertionError("a line meets no residual, yet the parameters are reduced: this is a bug")
        _join(arithmetic)
    return True


def _join(arithmetic: RegressionArithmetic) -> None:
    """Takes vanishing residuals into the basis in place of coordinates, where the basis stays independent."""
    regression = arithmetic.regression
    for place in arithmetic.vanishing():
        if not any(regression.is_coordinate(other) for other in arithmetic.basis):
            break
        coordinate = arithmetic.joinable(place)
        if coordinate is not None:
            arithmetic.rebase([*(other for other in arithmetic.basis if other != coordinate), place])


class LongSteps:
    """A vertex of each output's regression, with the pattern and the basis; it implements a walk's `Stepper`.

    Attributes:
        on_node: is never called, since no proof of this rule grows a tree.
    """

    def __init__(self, problem: IntegerProblem, *, filtered: bool) -> None:
        """Prepares a walk.

        Args:
            problem: the scaled problem, whose trained layer is the last.
            filtered: decide in floats where these are certain; the steps are the same.
        """
        self._problem = problem
        self._counts = DecisionCounts(LONG_KINDS) if filtered else None
        self._regressions = [Regression.of_unit(problem, unit) for unit in range(problem.widths[0])]
        self._units: list[RegressionArithmetic] = []
        self._first: FirstVertex | StartEnd | None = None
        self._pattern: Pattern | None = None
        self._basis: list[Kink] = []
        self._optima: list[UnitOptimum] = []
        self._outcome: Outcome | None = None
        self.on_node: Callable[[int], None] | None = None

    def _make(self, regression: Regression, basis: Sequence[int]) -> RegressionArithmetic:
        if self._counts is None:
            return ExactRegression(regression, basis)
        return FilteredRegression(regression, basis, counts=self._counts)

    @property
    def first_vertex(self) -> FirstVertex | StartEnd:
        """Returns the first vertex, which is reached from the start along coordinates.

        Where the loss falls along a coordinate forever, it is the first vertex in the start's cell, or the ray along
        which the loss falls there.
        """
        if self._first is None:
            with one_thread(self._problem.rank):
                self._first = self._find_first()
        return self._first

    @property
    def start_end(self) -> StartEnd | None:
        """Returns the ray from the start; None where the walk has a vertex."""
        if self._units:
            return None
        first = self.first_vertex
        return first if isinstance(first, StartEnd) else None

    def _find_first(self) -> FirstVertex | StartEnd:
        if self._problem.reduction.ray is not None:
            return find_first_vertex(self._problem, "coordinate")
        units: list[RegressionArithmetic] = []
        for regression in self._regressions:
            arithmetic = self._make(regression, range(regression.count, regression.count + self._problem.rank))
            if not search_lines(arithmetic):
                return self._find_inside()
            units.append(arithmetic)
        basis = [self._kink(u, place) for u, unit in enumerate(units) for place in unit.basis]
        pattern = self._pattern_of(units)
        start = tuple(self._problem.to_reduced(self._problem.instance.start))
        self._begin(pattern, basis, units)
        return FirstVertex(pattern, tuple(basis), (start, self._point(units)), is_elsewhere=True)

    def _find_inside(self) -> FirstVertex | StartEnd:
        """Returns the first vertex in the start's cell, or a ray there."""
        found = find_first_vertex(self._problem, "coordinate", filtered=self._counts is not None, with_points=False)
        if isinstance(found, StartEnd):
            return found
        units = [self._make(regression, places) for regression, places in self._places_of(found.basis)]
        self._begin(found.pattern, found.basis, units)
        start = tuple(self._problem.to_reduced(self._problem.instance.start))
        return FirstVertex(found.pattern, found.basis, (start, self._point(units)))

    def _begin(self, pattern: Pattern, basis: Sequence[Kink], units: list[RegressionArithmetic]) -> None:
        if not self._units:
            self._units, self._pattern, self._basis = units, pattern.copy(), list(basis)

    def _places_of(self, basis: Sequence[Kink]) -> list[tuple[Regression, list[int]]]:
        """Returns each output's regression with the places of its kinks of a basis; -1 for a kink that is no member."""
        return [
            (regression, [regression.places.get(k.sample, -1) for k in basis if k.unit == regression.shares.output])
            for regression in self._regressions
        ]

    def resume(self, pattern: Pattern, basis: Sequence[Kink]) -> None:
        """Continues the walk from a vertex.

        Raises:
            InputError: the basis is that of no vertex of this problem.
        """
        problem = self._problem
        problem.check_dimension(len(basis))
        units: list[RegressionArithmetic] = []
        for regression, places in self._places_of(basis):
            if len(places) != problem.rank or -1 in places or not ExactRegression.is_basis(regression, places):
                raise InputError(f"the kinks of unit {regression.shares.output} are no basis")
            units.append(self._make(regression, places))
        self._units, self._pattern, self._basis, self._optima = units, pattern.copy(), list(basis), []

    def _kink(self, unit: int, place: int) -> Kink:
        return self._problem.addresses.kink_of(0, self._regressions[unit].samples[place], unit)

    def _pattern_of(self, units: Sequence[RegressionArithmetic]) -> Pattern:
        """Returns the pattern of the point's signs; a residual that vanishes is off."""
        problem, width = self._problem, len(units)
        bits = bytearray(b"\1" * (problem.samples * width))
        for u, unit in enumerate(units):
            regression = unit.regression
            for sample in regression.shares.apart:
                bits[sample * width + u] = problem.offsets[0][sample][u] > 0
            for sample, sign in zip(regression.samples, unit.signs(), strict=True):
                bits[sample * width + u] = sign > 0
        return Pattern(problem.addresses, [bits])

    @staticmethod
    def _point(units: Sequence[RegressionArithmetic]) -> tuple[mpq, ...]:
        return tuple(value for unit in units for value in unit.parameters())

    def _at(self) -> list[RegressionArithmetic]:
        """Returns the vertex of each output."""
        if not self._units and isinstance(first := self.first_vertex, StartEnd):
            raise InputError(f"the walk ends in its start, it has no vertex: the loss {first.reason}")
        return self._units

    def parameters(self) -> tuple[mpq, ...]:
        """Returns the reduced parameters, n rationals."""
        return self._point(self._at())

    def loss(self) -> mpq:
        """Returns the exact loss."""
        if not self._problem.dimension:
            instance = self._problem.instance
            return instance.loss_of(instance.start)
        return sum((unit.loss() for unit in self._at()), self._loss_apart())

    @property
    def optima(self) -> tuple[UnitOptimum, ...]:
        """Returns the proofs of the minima that outputs have reached so far."""
        return tuple(self._optima)

    @property
    def counts(self) -> DecisionCounts | None:
        """Returns how the decisions were made so far; None where all are exact."""
        return self._counts

    def loss_estimate(self) -> float:
        """Returns the loss in floats, for display."""
        return sum((unit.loss_estimate() for unit in self._at()), to_float(self._loss_apart()))

    def _loss_apart(self) -> mpq:
        """Returns what residuals that never change add to the loss, and outputs without a kink."""
        own = mpq(self._problem.loss_apart, self._problem.loss_scale)
        return sum((regression.shares.loss_apart() for regression in self._regressions), own)

    def advance(self, index: int, limit: int) -> list[Step] | Outcome:
        """Takes at least one and up to `limit` steps, or returns the outcome.

        Args:
            index: the number of the first step that is taken, from 1.
            limit: the most steps that are taken, at least 1.
        """
        if self._outcome is not None:
            return self._outcome
        steps: list[Step] = []
        while len(steps) < limit:
            found = self._advance(index + len(steps))
            if not isinstance(found, Step):
                # the outcome is returned by the next call, after the steps before it
                self._outcome = found
                return steps or found
            steps.append(found)
        return steps

    def _advance(self, index: int) -> Step | StrictLocalMinimum | LocalMinimum | Unbounded:
        """Takes one step of the first output that is not at its minimum, and returns the step, or the outcome.

        Args:
            index: the number of the step.
        """
        units = self._at()
        with one_thread(self._problem.rank):
            while len(self._optima) < len(units):
                u = len(self._optima)
                found = decide(units[u])
                if isinstance(found, _Improving):
                    return self._take(index, u, found)
                self._optima.append(UnitOptimum(units[u], found.basis, found.signs))
        return judge_convex(self._problem, self._optima, self.loss)

    def _take(self, index: int, u: int, edge: _Improving) -> Step | Unbounded:
        unit, pattern = self._units[u], self._pattern
        assert pattern is not None  # noqa: S101 - set with the units
        # the rest of the basis vanishes along the edge, too
        vanishing = sorted([edge.leaving, *(set(unit.basis) | set(unit.vanishing())).difference(edge.basis)])
        basis = None
        if edge.basis != tuple(unit.basis):
            unit.rebase(edge.basis)
            self._basis = [kink for kink in self._basis if kink.unit != unit.regression.shares.output]
            self._basis += [self._kink(u, place) for place in edge.basis]
            basis = tuple(self._basis)
        met = unit.go(edge.leaving, edge.side) or unit.go_far(edge.leaving, edge.side)
        if met is None:
            return self._fall(u, edge, vanishing, basis)
        flips = []
        for place in vanishing:
            kink, sign = self._kink(u, place), unit.sign(place)
            if sign and (sign > 0) != pattern.is_on(kink):
                flips.append(kink)
        kink_of, samples = self._problem.addresses.kink_of, unit.regression.samples
        crossed = [kink_of(0, samples[place], u) for place in met.crossed]
        pattern.flip_all([*flips, *crossed])
        leaving, entering = self._kink(u, edge.leaving), self._kink(u, met.entering)
        self._basis.remove(leaving)
        self._basis.append(entering)
        return Step(index, tuple(flips), basis, leaving, entering, is_published_stop=False, crossed=tuple(crossed))

    def _fall(self, u: int, edge: _Improving, vanishing: Sequence[int], basis: tuple[Kink, ...] | None) -> Unbounded:
        """Returns the outcome at a vertex with an edge along which the loss falls and no residual vanishes ahead."""
        unit, problem, pattern = self._units[u], self._problem, self._pattern
        assert pattern is not None  # noqa: S101 - set with the units
        direction = unit.edge(edge.leaving, edge.side)
        flips = []
        for place in vanishing:
            rate = sum(mpq(a) * b for a, b in zip(unit.regression.row(place), direction, strict=True))
            if rate and (rate > 0) != pattern.is_on(self._kink(u, place)):
                flips.append(self._kink(u, place))
        reduced = [mpq(0)] * problem.dimension
        reduced[u * problem.rank : (u + 1) * problem.rank] = direction
        return Unbounded(problem.to_full_direction(reduced), tuple(flips), basis, self._kink(u, edge.leaving))
