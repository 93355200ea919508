"""Phase 1: from the start to a first vertex, inside the start's cell, the loss never rising."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from gmpy2 import mpq, mpz

from exactdrl.cells.affine import AffineForm, affine_form, gradient
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.cells.scan import first_ahead, first_on_line, pattern_of, scan, vanishing_kinks
from exactdrl.exact.linear import independent_rows, project_out, to_integers
from exactdrl.steps.coordinate_search import CoordinateSearch

StartRule: TypeAlias = Literal["projected-gradient", "coordinate"]

_RULES: dict[str, StartRule] = {"projected-gradient": "projected-gradient", "coordinate": "coordinate"}

# Beyond this many parameters the exact projected gradient's numbers grow too large (measured: 10^5 bits at n = 25
# already)
LARGEST_PROJECTED = 60


@dataclass(frozen=True, slots=True)
class FirstVertex:
    """The first vertex, which phase 1 found.

    Attributes:
        pattern: its cell, the start's unless elsewhere; kinks that vanish at the start are off.
        basis: n kinks in order of entry.
        points: the start and the point after each move, reduced parameters; the last one is the vertex. The start
            alone where floats were used and no points asked for.
        is_elsewhere: the vertex need not lie in the start's cell.
    """

    pattern: Pattern
    basis: tuple[Kink, ...]
    points: tuple[tuple[mpq, ...], ...]
    is_elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class StartEnd:
    """The reason why phase 1 found no vertex: the walk ends at the start.

    Either the loss falls forever along a ray from there, in the start's cell: a ray that leaves a later point of phase
    1 and stays in the cell does so from the start too, with the same slope. Or the loss is constant in the trained
    layer, for certain.

    Attributes:
        pattern: the start's cell; kinks that vanish at the start are off.
        direction: of the ray, in the trained layer's parameters, row-major; None where the loss is constant.
    """

    pattern: Pattern
    direction: tuple[mpq, ...] | None

    @property
    def reason(self) -> str:
        """Returns what the loss does, as a predicate of it."""
        if self.direction is None:
            return "is constant in the trained layer"
        return "falls forever along a ray from there"


def to_start_rule(name: str) -> StartRule | None:
    """Returns the start rule of a name, None if there is none."""
    return _RULES.get(name)


def default_start_rule(problem: IntegerProblem) -> StartRule:
    """Returns the published start rule where its exact numbers stay bearable, else the coordinate rule."""
    return "projected-gradient" if problem.dimension <= LARGEST_PROJECTED else "coordinate"


def find_constant(problem: IntegerProblem) -> StartEnd | None:
    """Returns that the walk ends at its start, where the loss is constant for certain; else None.

    Without parameters that remain the start is a vertex already.
    """
    if not problem.dimension or not problem.ranges.is_constant:
        return None
    numerators, denominator = to_integers(problem.to_reduced(problem.instance.start))
    return StartEnd(pattern_of(problem, scan(problem, numerators, denominator, None)), None)


def find_first_vertex(
    problem: IntegerProblem, rule: StartRule, *, filtered: bool = False, with_points: bool = True
) -> FirstVertex | StartEnd:
    """Returns the first vertex, or why the walk ends at the start.

    Args:
        problem: the scaled problem.
        rule: `projected-gradient` goes along the negative gradient projected onto the null space of the active
            normals, as published;
            `coordinate` keeps the active kinks completed by coordinate rows as a basis, and leaves the steepest of
            these rows at each move, like a simplex crash basis. Both go to the next kink of the cell; where the slope
            is 0, along a flat direction.
        filtered: use floats where they are certain and worth it; the vertex is the same.
        with_points: compute the points on the way also where floats do not need them.
    """
    search: _ProjectionSearch | CoordinateSearch
    if rule == "projected-gradient":
        search = _ProjectionSearch(problem)
    else:
        search = CoordinateSearch(problem, filtered=filtered, with_points=with_points)
    if problem.reduction.ray is not None:
        return StartEnd(search.pattern, problem.reduction.ray)
    search.run()
    if search.ray is not None:
        full = problem.to_full_direction([mpq(entry) for entry in search.ray])
        return StartEnd(search.pattern, tuple(entry for row in full for entry in row))
    return FirstVertex(search.pattern, tuple(search.basis), tuple(search.points))


class _ProjectionSearch:
    """A point of the start's cell, and the independent ones of the kinks that are active there."""

    def __init__(self, problem: IntegerProblem) -> None:
        self.problem = problem
        self.numerators, self.denominator = to_integers(problem.to_reduced(problem.instance.start))
        self.values = scan(problem, self.numerators, self.denominator, None)
        self.pattern = pattern_of(problem, self.values)
        self.gradient = gradient(problem, self.pattern)
        self.basis: list[Kink] = []
        self.forms: list[AffineForm] = []
        self.points = [self._point()]
        self.ray: list[mpz] | None = None

    def _point(self) -> tuple[mpq, ...]:
        return tuple(mpq(numerator, self.denominator) for numerator in self.numerators)

    def _join_active(self, kinks: Sequence[Kink]) -> list[AffineForm]:
        """Adds to the basis those of some active kinks that are independent of it, and returns their forms."""
        forms = [affine_form(self.problem, self.pattern, kink) for kink in kinks]
        rows = [form.row for form in (*self.forms, *forms)]
        own = len(self.forms)
        joined = [index - own for index in independent_rows(rows, self.problem.dimension) if index >= own]
        self.basis += [kinks[index] for index in joined]
        self.forms += [forms[index] for index in joined]
        return [forms[index] for index in joined]

    def _move(self, numerators: list[mpz], denominator: mpz) -> None:
        self.numerators, self.denominator = to_integers([mpq(value, denominator) for value in numerators])
        self.values = scan(self.problem, self.numerators, self.denominator, self.pattern)
        self.points.append(self._point())

    def run(self) -> None:
        """Goes along the projected negative gradient until n kinks are active, or it meets no kink."""
        n = self.problem.dimension
        self._join_active(vanishing_kinks(self.pattern, self.values))
        # what lies in the span of the active kinks' rows stays there while they become more: the gradient, and the
        # coordinates before this one. With fewer samples than parameters that is most of what would be projected
        is_flat, coordinate = False, 0
        while len(self.basis) < n:
            rows = [form.row for form in self.forms]
            direction = [] if is_flat else project_out(rows, [-entry for entry in self.gradient])
            is_flat = not any(direction)
            if not is_flat:
                ahead = first_ahead(self.problem, self.pattern, self.values, direction)
                if ahead is None:
                    self.ray = direction
                    return
                met = ahead
            else:
                while not any(flat := project_out(rows, _unit(n, coordinate))):
                    coordinate += 1
                direction, met = first_on_line(self.problem, self.pattern, self.values, flat)
            # values are scaled by the denominator, rates are not
            step = (met.distance or mpq(0)) / self.denominator
            numerator, denominator = step.numerator * self.denominator, step.denominator
            self._move(
                [p * denominator + numerator * d for p, d in zip(self.numerators, direction, strict=True)],
                self.denominator * denominator,
            )
            self._join_active(met.kinks)


def _unit(n: int, position: int) -> list[mpz]:
    return [mpz(index == position) for index in range(n)]
