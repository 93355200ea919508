"""The rule `long-step`, for a trained layer that is the last: Barrodale and Roberts' walk, output by output.

Along an edge the walk passes through breakpoints for as long as the loss falls behind them: the first vertex at which
it does not is where the loss is least on that edge (a weighted median). Where more than r residuals of an output
vanish, the loss near the vertex is a regression of its own: it is walked with the vanishing residuals set apart, which
ends at multipliers that prove the minimum, or at an edge along which the loss falls at the vertex too.

That it ends, and what its certificates claim: proofs/long-step.md. Source: Barrodale and Roberts, An improved algorithm
for discrete l1 linear approximation, SIAM J. Numer. Anal. 10 (1973).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gmpy2 import mpq

from exactdrl.arithmetic.counts import LONG_KINDS, DecisionCounts
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.exact.rationals import InputError
from exactdrl.minimality.verdict import LocalMinimum, StrictLocalMinimum
from exactdrl.regression.convex import UnitOptimum, judge_convex
from exactdrl.regression.exact import ExactRegression
from exactdrl.regression.filtered import FilteredRegression
from exactdrl.regression.protocol import Regression, RegressionArithmetic
from exactdrl.steps.first_vertex import FirstVertex
from exactdrl.steps.step import Step

LONG_STEP = "long-step"
# its way to the first vertex: from the start along coordinates
LINE_SEARCH = "line-search"


@dataclass(frozen=True, slots=True)
class _Improving:
    """An edge along which the loss falls.

    Attributes:
        basis: of the vertex, in which the edge is one.
        leaving: the residual that it leaves.
        side: the sign that this residual gets.
    """

    basis: tuple[int, ...]
    leaving: int
    side: int


@dataclass(frozen=True, slots=True)
class _Optimal:
    """The vertex is a minimum of its output's loss.

    Attributes:
        basis: one whose multipliers are at most 1 in size,
        signs: if the other vanishing residuals count with these signs.
    """

    basis: tuple[int, ...]
    signs: dict[int, int]


def check_long_step(problem: IntegerProblem) -> None:
    """Refuses the rule where the trained layer is not the last.

    Raises:
        InputError: it is not.
    """
    if problem.first != problem.last:
        raise InputError(
            f"rule is 'long-step', which needs the last layer as the trained one; "
            f"layer {problem.first} is trained, the last is {problem.last}"
        )
    if not problem.is_plain:
        raise InputError("rule is 'long-step', which needs the absolute loss without weights")


def decide(arithmetic: RegressionArithmetic) -> _Improving | _Optimal:
    """Returns an improving edge of a vertex, or what shows that there is none."""
    if not arithmetic.vanishing():
        leaving = arithmetic.leaving()
        basis = tuple(arithmetic.basis)
        return _Optimal(basis, {}) if leaving is None else _Improving(basis, *leaving)
    members = sorted([*arithmetic.basis, *arithmetic.vanishing()])
    local = arithmetic.local()
    while True:
        found = decide(local)
        basis = tuple(members[place] for place in found.basis)
        if isinstance(found, _Optimal):
            inside = set(found.basis)
            signs = {
                members[place]: found.signs.get(place) or local.sign(place)
                for place in range(len(members))
                if place not in inside
            }
            return _Optimal(basis, signs)
        if found.basis != tuple(local.basis):
            local.rebase(found.basis)
        if local.go(found.leaving, found.side) is None:
            return _Improving(basis, members[found.leaving], found.side)


def search_lines(arithmetic: RegressionArithmetic) -> None:
    """Goes along coordinates, each time to where the loss is least, until the basis is all residuals."""
    _join(arithmetic)
    while any(arithmetic.regression.is_coordinate(place) for place in arithmetic.basis):
        leaving = arithmetic.leaving()
        # a coordinate along which the loss does not change may meet a residual on one side only
        if leaving is None or not (arithmetic.go(*leaving) or arithmetic.go(leaving[0], -leaving[1])):
            raise AssertionError("a line meets no residual, yet the parameters are reduced: this is a bug")
        _join(arithmetic)


def _join(arithmetic: RegressionArithmetic) -> None:
    """Takes vanishing residuals into the basis where that is independent; no edge of a coordinate moves the others."""
    regression = arithmetic.regression
    for place in arithmetic.vanishing():
        if not any(regression.is_coordinate(other) for other in arithmetic.basis):
            break
        coordinate = arithmetic.joinable(place)
        if coordinate is not None:
            arithmetic.rebase([*(other for other in arithmetic.basis if other != coordinate), place])


class LongSteps:
    """The walk's state: a vertex of each output's regression, the pattern, the basis in order of entry."""

    def __init__(self, problem: IntegerProblem, arithmetic: str) -> None:
        """Prepares a walk.

        Args:
            problem: its trained layer is the last.
            arithmetic: `filtered` or `exact`.
        """
        self._problem = problem
        self._counts = None if arithmetic == "exact" else DecisionCounts(LONG_KINDS)
        self._regressions = [Regression.of_unit(problem, unit) for unit in range(problem.widths[0])]
        # samples with x̃ = 0 are no members: their residuals do not change
        self._apart = sorted(set(range(problem.samples)).difference(problem.members))
        self._units: list[RegressionArithmetic] = []
        self._first: FirstVertex | None = None
        self._pattern: Pattern | None = None
        self._basis: list[Kink] = []
        self._optima: list[UnitOptimum] = []

    def _make(self, regression: Regression, basis: Sequence[int]) -> RegressionArithmetic:
        if self._counts is None:
            return ExactRegression(regression, basis)
        return FilteredRegression(regression, basis, counts=self._counts)

    @property
    def first_vertex(self) -> FirstVertex:
        """Returns the first vertex, from the start along coordinates."""
        if self._first is None:
            units: list[RegressionArithmetic] = []
            for regression in self._regressions:
                arithmetic = self._make(regression, range(regression.count, regression.count + self._problem.rank))
                search_lines(arithmetic)
                units.append(arithmetic)
            basis = [self._kink(u, place) for u, unit in enumerate(units) for place in unit.basis]
            pattern = self._pattern_of(units)
            start = tuple(self._problem.to_reduced(self._problem.instance.start))
            self._first = FirstVertex(pattern, tuple(basis), (start, self._point(units)), is_elsewhere=True)
            if not self._units:
                self._units, self._pattern, self._basis = units, pattern.copy(), basis
        return self._first

    def resume(self, pattern: Pattern, basis: Sequence[Kink]) -> None:
        """Goes on from a vertex.

        Raises:
            InputError: pattern and basis are no vertex of this problem.
        """
        problem = self._problem
        problem.check_dimension(len(basis))
        units: list[RegressionArithmetic] = []
        for unit, regression in enumerate(self._regressions):
            places = [regression.places.get(kink.sample, -1) for kink in basis if kink.unit == unit]
            if len(places) != problem.rank or -1 in places or not ExactRegression.is_basis(regression, places):
                raise InputError(f"the kinks of unit {unit} are no basis")
            units.append(self._make(regression, places))
        self._units, self._pattern, self._basis, self._optima = units, pattern.copy(), list(basis), []

    def _kink(self, unit: int, place: int) -> Kink:
        return Kink(self._problem.first, self._regressions[unit].samples[place], unit)

    def _pattern_of(self, units: Sequence[RegressionArithmetic]) -> Pattern:
        """Returns the pattern of the point by its signs; a residual that vanishes is off."""
        problem, width = self._problem, len(units)
        bits = bytearray(problem.samples * width)
        for u, unit in enumerate(units):
            for sample in self._apart:
                bits[sample * width + u] = problem.offsets[0][sample][u] > 0
            for sample, sign in zip(problem.members, unit.signs(), strict=True):
                bits[sample * width + u] = sign > 0
        return Pattern(problem.addresses, [bits])

    @staticmethod
    def _point(units: Sequence[RegressionArithmetic]) -> tuple[mpq, ...]:
        return tuple(value for unit in units for value in unit.parameters())

    def _at(self) -> list[RegressionArithmetic]:
        """Returns the vertex of each output."""
        if not self._units:
            _ = self.first_vertex
        return self._units

    def parameters(self) -> tuple[mpq, ...]:
        """Returns the reduced parameters, n rationals."""
        return self._point(self._at())

    def loss(self) -> mpq:
        """Returns the loss, exact."""
        problem = self._problem
        total = sum((unit.loss() for unit in self._at()), mpq(0))
        for sample in self._apart:
            weight = problem.sample_weights[sample]
            total += mpq(weight * sum(map(abs, problem.offsets[0][sample])), problem.loss_scale)
        return total

    @property
    def counts(self) -> DecisionCounts | None:
        """Returns how the decisions were made so far; None where all are exact."""
        return self._counts

    def loss_estimate(self) -> float:
        """Returns the loss in floats, for display."""
        return sum(unit.loss_estimate() for unit in self._at())

    def advance(self, index: int) -> Step | StrictLocalMinimum | LocalMinimum:
        """Takes one step, of the first output that is not at its minimum; returns it, or the verdict.

        Args:
            index: of the step.
        """
        units = self._at()
        while len(self._optima) < len(units):
            u = len(self._optima)
            found = decide(units[u])
            if isinstance(found, _Improving):
                return self._take(index, u, found)
            self._optima.append(UnitOptimum(units[u], found.basis, found.signs))
        return judge_convex(self._problem, self._optima, self.loss)

    def _take(self, index: int, u: int, edge: _Improving) -> Step:
        unit, pattern = self._units[u], self._pattern
        assert pattern is not None  # noqa: S101 - set with the units
        # the rest of the basis vanishes behind the vertex too
        vanishing = sorted([edge.leaving, *(set(unit.basis) | set(unit.vanishing())).difference(edge.basis)])
        basis = None
        if edge.basis != tuple(unit.basis):
            unit.rebase(edge.basis)
            self._basis = [kink for kink in self._basis if kink.unit != u]
            self._basis += [self._kink(u, place) for place in edge.basis]
            basis = tuple(self._basis)
        met = unit.go(edge.leaving, edge.side)
        if met is None:
            raise AssertionError("the loss falls forever along an edge, yet it is nowhere negative: this is a bug")
        flips = []
        for place in vanishing:
            kink, sign = self._kink(u, place), unit.sign(place)
            if sign and (sign > 0) != pattern.is_on(kink):
                flips.append(kink)
        crossed = [self._kink(u, place) for place in met.crossed]
        for kink in (*flips, *crossed):
            pattern.flip(kink)
        leaving, entering = self._kink(u, edge.leaving), self._kink(u, met.entering)
        self._basis.remove(leaving)
        self._basis.append(entering)
        return Step(index, tuple(flips), basis, leaving, entering, is_published_stop=False, crossed=tuple(crossed))
