"""Phase 1: from the start to a first vertex, inside the start's cell, the loss never rising."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from gmpy2 import mpq, mpz

from exactdrl.cells.affine import AffineForm, affine_form, gradient
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.cells.scan import Breakpoint, Values, first_breakpoint, pattern_of, scan, vanishing_kinks
from exactdrl.exact.basis import IntegerBasis, dot
from exactdrl.exact.linear import independent_rows, project_out, to_integers

StartRule: TypeAlias = Literal["projected-gradient", "coordinate"]

_RULES: dict[str, StartRule] = {"projected-gradient": "projected-gradient", "coordinate": "coordinate"}

# Beyond this many parameters the exact projected gradient's numbers grow too large (measured: 10^5 bits at n = 25
# already)
LARGEST_PROJECTED = 60


@dataclass(frozen=True, slots=True)
class FirstVertex:
    """What phase 1 found.

    Attributes:
        pattern: its cell, the start's unless elsewhere; kinks that vanish at the start are off.
        basis: n kinks in order of entry.
        points: the start and the point after each move, reduced parameters; the last one is the vertex. None where
            floats found the kinks and no point was computed.
        is_elsewhere: the vertex need not lie in the start's cell.
    """

    pattern: Pattern
    basis: tuple[Kink, ...]
    points: tuple[tuple[mpq, ...], ...]
    is_elsewhere: bool = False


def to_start_rule(name: str) -> StartRule | None:
    """Returns the start rule of a name, None if there is none."""
    return _RULES.get(name)


def default_start_rule(problem: IntegerProblem) -> StartRule:
    """Returns the published start rule where its exact numbers stay bearable, else the coordinate rule."""
    return "projected-gradient" if problem.dimension <= LARGEST_PROJECTED else "coordinate"


def find_start_cell(problem: IntegerProblem) -> Pattern:
    """Returns the start's cell; kinks that vanish there are off."""
    numerators, denominator = to_integers(problem.to_reduced(problem.instance.start))
    return pattern_of(problem, scan(problem, numerators, denominator, None))


def find_first_vertex(problem: IntegerProblem, rule: StartRule) -> FirstVertex:
    """Returns the first vertex.

    Args:
        problem: the scaled problem.
        rule: `projected-gradient` goes along the negative gradient projected onto the null space of the active
            normals, as published;
            `coordinate` keeps the active kinks completed by coordinate rows as a basis, and leaves the steepest of
            these rows at each move, like a simplex crash basis. Both go to the next kink of the cell; where the slope
            is 0, along a flat direction.
    """
    numerators, denominator = to_integers(problem.to_reduced(problem.instance.start))
    values = scan(problem, numerators, denominator, None)
    search = _Search(problem, pattern_of(problem, values), numerators, denominator, values)
    (search.by_projection if rule == "projected-gradient" else search.by_coordinates)()
    return FirstVertex(search.pattern, tuple(search.basis), tuple(search.points))


class _Search:
    """The state of phase 1: a point of the cell, and the independent ones of the kinks that are active there."""

    def __init__(
        self, problem: IntegerProblem, pattern: Pattern, numerators: list[mpz], denominator: mpz, values: Values
    ) -> None:
        self.problem, self.pattern = problem, pattern
        self.numerators, self.denominator, self.values = numerators, denominator, values
        self.gradient = gradient(problem, pattern)
        self.basis: list[Kink] = []
        self.forms: list[AffineForm] = []
        self.points = [self._point()]

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

    def _first_kinks(self, direction: Sequence[mpz]) -> Breakpoint | None:
        rates = scan(self.problem, direction, mpz(0), self.pattern)
        return first_breakpoint(self.pattern, self.values, rates)

    def _move(self, numerators: list[mpz], denominator: mpz) -> None:
        self.numerators, self.denominator = to_integers([mpq(value, denominator) for value in numerators])
        self.values = scan(self.problem, self.numerators, self.denominator, self.pattern)
        self.points.append(self._point())

    def _vanishing(self) -> list[Kink]:
        return vanishing_kinks(self.pattern, self.values)

    def _first_on_line(self, direction: list[mpz]) -> tuple[list[mpz], Breakpoint]:
        """Returns the direction, or its opposite where it meets no kink, and what it meets."""
        for candidate in (direction, [-entry for entry in direction]):
            met = self._first_kinks(candidate)
            if met is not None:
                return candidate, met
        raise ArithmeticError("a line meets no kink, yet the parameters are reduced: this is a bug")

    def by_projection(self) -> None:
        """Goes along the projected negative gradient until n kinks are active."""
        n = self.problem.dimension
        self._join_active(self._vanishing())
        while len(self.basis) < n:
            rows = [form.row for form in self.forms]
            direction = project_out(rows, [-entry for entry in self.gradient])
            if not any(direction):
                direction = next(d for d in (project_out(rows, _unit(n, c)) for c in range(n)) if any(d))
            direction, met = self._first_on_line(direction)
            # values are scaled by the denominator, rates are not
            step = (met.distance or mpq(0)) / self.denominator
            numerator, denominator = step.numerator * self.denominator, step.denominator
            self._move(
                [p * denominator + numerator * d for p, d in zip(self.numerators, direction, strict=True)],
                self.denominator * denominator,
            )
            self._join_active(met.kinks)

    def by_coordinates(self) -> None:
        """Leaves one coordinate row after another until n kinks are active."""
        n = self.problem.dimension
        inverse = IntegerBasis(n)
        # right sides over the start's denominator: coordinates keep the start's values while their rows stay
        start, right = self.denominator, list(self.numerators)
        free = list(range(n))

        def exchange(forms: Sequence[AffineForm], choose: Callable[[list[mpz]], int]) -> None:
            for form in forms:
                products = inverse.products(form.row)
                slot = choose(products)
                inverse.replace(slot, products)
                right[slot] = -form.offset * start
                free.remove(slot)

        def first_free(products: list[mpz]) -> int:
            return next(slot for slot in free if products[slot])

        exchange(self._join_active(self._vanishing()), first_free)
        while free:
            slot = _steepest_column(inverse, self.gradient, free)
            column = inverse.columns[slot]
            slope = dot(self.gradient, column)
            _, met = self._first_on_line([-entry for entry in column] if slope > 0 else list(column))
            leaving = slot
            joined = self._join_active(met.kinks)
            exchange(joined[:1], lambda _products, leaving=leaving: leaving)  # type: ignore[misc]
            exchange(joined[1:], first_free)
            self._move(inverse.solve(right), inverse.den * start)


def _unit(n: int, position: int) -> list[mpz]:
    return [mpz(index == position) for index in range(n)]


def _steepest_column(inverse: IntegerBasis, slope: Sequence[mpz], slots: Sequence[int]) -> int:
    """Returns the slot whose column is steepest: the largest |slope · column| / |column|; ties: the first."""
    best, best_slope, best_length = slots[0], mpz(-1), mpz(1)
    for slot in slots:
        column = inverse.columns[slot]
        value, length = dot(slope, column) ** 2, dot(column, column)
        if value * best_length > best_slope * length:
            best, best_slope, best_length = slot, value, length
    return best
