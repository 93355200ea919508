"""A closed cell: the parameters at which all kinks have the signs of one pattern, weakly."""

from dataclasses import dataclass
from functools import cached_property

from gmpy2 import mpq

from exactdrl.cells.affine import AffineForm, affine_form, gradient
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.cells.point import Point
from exactdrl.cells.scan import is_in_cell, loss_constant
from exactdrl.exact.program import BoundedForms, Conflict


@dataclass(frozen=True)
class Cell:
    """A cell of one layer's parameters; the loss is affine on it.

    Attributes:
        problem: the scaled problem, whose loss has slopes.
        pattern: the signs; not to be changed.
    """

    problem: IntegerProblem
    pattern: Pattern

    @classmethod
    def around(cls, point: Point) -> "Cell":
        """Returns a cell that holds a point: the one where kinks that vanish are off."""
        return cls(point.problem, point.pattern)

    @cached_property
    def inequalities(self) -> dict[Kink, AffineForm]:
        """Returns each kink's scaled affine function, times -1 where the kink is off: the cell is where all are ≥ 0.

        Functions that are constant are left out.
        """
        found = {}
        for kink in self.pattern:
            form = affine_form(self.problem, self.pattern, kink)
            if any(form.row):
                sign = 1 if self.pattern.is_on(kink) else -1
                found[kink] = AffineForm([sign * entry for entry in form.row], sign * form.offset)
        return found

    @cached_property
    def gradient(self) -> tuple[mpq, ...]:
        """Returns the gradient of the loss in the reduced parameters."""
        return tuple(mpq(entry, self.problem.loss_scale) for entry in gradient(self.problem, self.pattern))

    @cached_property
    def constant(self) -> mpq:
        """Returns the loss's affine function at 0, which need not lie in the cell."""
        return mpq(loss_constant(self.problem, self.pattern), self.problem.loss_scale)

    def loss_at(self, point: Point) -> mpq:
        """Returns the value of the loss's affine function, which is the loss where the cell holds the point."""
        return self.constant + sum((g * u for g, u in zip(self.gradient, point.reduced, strict=True)), mpq(0))

    def holds(self, point: Point) -> bool:
        """Returns whether the closed cell holds a point."""
        # values by their own signs are those by the pattern wherever they have its signs, layer by layer
        return is_in_cell(self.pattern, point.values)

    def find_point(self) -> Point | None:
        """Returns a point of the closed cell, None where it is empty. Exact, by linear programming."""
        forms = list(self.inequalities.values())
        n = self.problem.dimension
        program = BoundedForms([form.row for form in forms], n)
        for index, form in enumerate(forms):
            program.set_bounds(n + index, mpq(-form.offset), None)
        found = program.solve()
        if isinstance(found, Conflict):
            return None
        point = Point.at(self.problem, found)
        # constant functions may have the wrong sign everywhere
        return point if self.holds(point) else None
