"""Phase 1 by the coordinate rule: kinks replace the coordinate rows of a basis, one after another."""

from collections.abc import Sequence

from gmpy2 import mpq, mpz

from exactdrl.arithmetic.filtered_start import FilteredSearch, narrow_down
from exactdrl.cells.affine import affine_form, gradient
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink
from exactdrl.cells.scan import (
    Breakpoint,
    Values,
    first_breakpoint,
    meets_kink,
    pattern_of,
    scan,
    vanishing_kinks,
)
from exactdrl.exact.basis import Scaled, dot
from exactdrl.exact.linear import Row, primitive, to_integers
from exactdrl.exact.solved import LARGEST_KEPT, Inverse, invert


class CoordinateSearch:
    """A point of the start's cell at which the kinks of a basis vanish; the basis' other rows are coordinates.

    Floats go on for as long as they are certain, then one exchange is decided exactly.

    Attributes:
        pattern: the cell; kinks that vanish at the start are off.
        points: the start and the point after each exchange, reduced parameters; the start alone where no points are
            asked for and floats are used.
        ray: a direction in which the loss falls and no kink is met; None as long as none was found.
    """

    def __init__(self, problem: IntegerProblem, *, filtered: bool, with_points: bool) -> None:
        """Prepares a search.

        Args:
            problem: the scaled problem.
            filtered: use floats where parameters are many; what is found is the same.
            with_points: compute every point.
        """
        n = problem.dimension
        self._problem = problem
        self._start, self._denominator = to_integers(problem.to_reduced(problem.instance.start))
        start_values = scan(problem, self._start, self._denominator, None)
        self.pattern = pattern_of(problem, start_values)
        self._gradient = gradient(problem, self.pattern)
        self._rows: list[Row] = [[mpz(place == slot) for place in range(n)] for slot in range(n)]
        self._floats = FilteredSearch(problem, self.pattern) if filtered and n > LARGEST_KEPT else None
        self._inverse: Inverse = invert(self._rows, is_walked=self._floats is None)[0]
        # over the start's denominator: coordinates keep the start's values while their rows stay
        self._right = list(self._start)
        self._entered: list[tuple[int, Kink]] = []
        self._own_kinks = [0] * problem.addresses.units
        self._free = list(range(n))
        self._is_flat = False
        self._with_points = with_points or self._floats is None
        self._values: Values | None = start_values
        self.ray: list[mpz] | None = None
        self.points = [tuple(mpq(entry, self._denominator) for entry in self._start)]

    @property
    def basis(self) -> tuple[Kink, ...]:
        """Returns the kinks that have entered, in order."""
        return tuple(kink for _, kink in self._entered)

    def run(self) -> None:
        """Exchanges coordinates for kinks until none is left, or a ray meets no kink."""
        for kink in vanishing_kinks(self.pattern, self._values_here()):
            self._join(kink)
        while self._free and self.ray is None:
            rivals = self._run_ahead()
            if self._free:
                self._exchange_one(rivals)

    def _run_ahead(self) -> list[int]:
        """Exchanges as many as floats are certain of; returns slots one of which certainly is the next to leave."""
        if self._floats is None:
            return self._free
        taken, rivals = self._floats.take_in(self._entered, is_flat=self._is_flat)
        for slot, kink in taken:
            self._put(kink, slot)
            self._keep_point()
        return rivals or self._free

    # -- the point

    def _values_here(self) -> Values:
        if self._values is None:
            self._values = scan(self._problem, *self._point(), self.pattern)
        return self._values

    def _point(self) -> tuple[list[mpz], mpz]:
        numerators, denominator = self._inverse.solve(self._right)
        return to_integers([mpq(entry, denominator * self._denominator) for entry in numerators])

    def _keep_point(self) -> None:
        if self._with_points:
            numerators, denominator = self._point()
            self.points.append(tuple(mpq(entry, denominator) for entry in numerators))

    # -- exchanges

    def _exchange_one(self, slots: Sequence[int]) -> None:
        """Leaves the steepest coordinate, known to be in one of some slots, for the first kink on its edge."""
        slot, slope = self._steepest(slots)
        column = self._column(slot)
        sign = -1 if slope > 0 else 1
        rates = self._rates(column, sign)
        if not meets_kink(self.pattern, rates):
            if slope:
                self.ray = [sign * entry for entry in self._reduced(column)]
                return
            # the parameters are reduced: some value changes along every line
            sign, rates = -1, self._rates(column, -1)
        kink = None if self._floats is None else self._floats.take_in_one(self._entered, slot, column, sign, rates)
        if kink is not None:
            self._put(kink, slot)
        else:
            self._put_first(first_breakpoint(self.pattern, self._values_here(), rates), slot)
        self._keep_point()

    def _column(self, slot: int) -> Scaled:
        """Returns a column of the inverse; floats tell where it is likely to be 0."""
        return self._inverse.column(slot, None if self._floats is None else self._floats.likely_places(slot))

    def _reduced(self, column: Scaled) -> Sequence[mpz]:
        """Returns a column's integers; in lowest terms where the arithmetics keep the inverse in different ways."""
        numerators, denominator = column
        if len(numerators) <= LARGEST_KEPT:
            return numerators
        return primitive([*numerators, denominator])[:-1]

    def _rates(self, column: Scaled, sign: int) -> Values:
        return scan(self._problem, [sign * entry for entry in column[0]], mpz(0), self.pattern)

    def _put_first(self, met: Breakpoint | None, slot: int) -> None:
        """Puts the first kink that an edge meets into the slot that it leaves; others join where they can."""
        if met is None:
            raise AssertionError("a line meets no kink, yet the parameters are reduced: this is a bug in exactdrl")
        self._put(met.kinks[0], slot)
        for kink in met.kinks[1:]:
            self._join(kink)

    def _steepest(self, slots: Sequence[int]) -> tuple[int, mpz]:
        """Returns the slot whose column is steepest: the largest |slope · column| / |column|; ties: the first.

        Its slope comes with it, up to a positive factor.
        """
        if not self._is_flat:
            slopes, _ = self._inverse.products(self._gradient)
            # phase 1 stays in its cell: once the gradient is a combination of the kinks' normals, it stays one
            self._is_flat = not any(slopes[slot] for slot in self._free)
        if self._is_flat:
            return self._free[0], mpz(0)
        rising = [slot for slot in slots if slopes[slot]]
        if self._floats is not None:
            rising = narrow_down(self._rows, self._gradient, rising)
        best, best_slope, best_length = rising[0], mpz(0), mpz(1)
        for slot in rising:
            column, denominator = self._column(slot)
            slope, length = (slopes[slot] * denominator) ** 2, dot(column, column)
            if slope * best_length > best_slope * length:
                best, best_slope, best_length = slot, slope, length
        return best, slopes[best]

    def _put(self, kink: Kink, slot: int, products: Sequence[mpz] | None = None) -> None:
        form = affine_form(self._problem, self.pattern, kink)
        self._inverse.replace(slot, form.row, products)
        self._rows[slot], self._right[slot] = form.row, -form.offset * self._denominator
        self._entered.append((slot, kink))
        if kink.layer == self._problem.first:
            self._own_kinks[kink.unit] += 1
        self._free.remove(slot)
        self._values = None

    def _join(self, kink: Kink) -> None:
        """Puts a kink that vanishes here into the first coordinate's slot that takes it, if there is one."""
        problem = self._problem
        # as many own kinks of a unit as it has parameters span all the others of its own
        if kink.layer == problem.first and self._own_kinks[kink.unit] == problem.rank:
            return
        products, _ = self._inverse.products(affine_form(problem, self.pattern, kink).row)
        slot = next((slot for slot in self._free if products[slot]), None)
        if slot is not None:
            self._put(kink, slot, products)
