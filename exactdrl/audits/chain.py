"""The steps of a certificate, made from the vertices that an audit found."""

from collections.abc import Sequence

from exactdrl.audits.move import Adjacent, common_cell
from exactdrl.audits.point import ExactPoint
from exactdrl.audits.signs import bits_of, kinks_of, pattern_from_bits
from exactdrl.cells.affine import affine_form
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.exact.linear import independent_rows
from exactdrl.walks.driver import Step


class Chain:
    """A walk as a certificate has it, built vertex by vertex.

    Attributes:
        first_pattern: the first vertex's cell; it holds the instance's start unless `is_elsewhere`.
        first_basis: the first vertex's basis, n kinks.
        is_elsewhere: whether no closed cell holds both the instance's start and the first vertex.
        is_above_start: whether the loss at the first vertex is greater than at the start, so that no certificate can be
            written.
        pattern: the activation pattern of the current cell.
        steps: the steps so far.
    """

    def __init__(self, problem: IntegerProblem, start: ExactPoint, vertex: ExactPoint) -> None:
        """Begins at a vertex.

        Args:
            problem: the scaled problem.
            start: the instance's start.
            vertex: the walk's first vertex.
        """
        self._problem = problem
        self.is_elsewhere = bool(start.signs.opposite(vertex.signs))
        self.is_above_start = vertex.loss > start.loss
        on = vertex.signs.positive
        if not self.is_elsewhere:
            on |= start.signs.positive
        self.pattern = pattern_from_bits(problem, on)
        self.first_pattern = self.pattern.copy()
        self._basis = self._independent(self.pattern, list(kinks_of(self.pattern, vertex.signs.zero)))
        self.first_basis = tuple(self._basis)
        self.steps: list[Step] = []

    def _independent(self, pattern: Pattern, kinks: Sequence[Kink]) -> list[Kink]:
        rows = [affine_form(self._problem, pattern, kink).row for kink in kinks]
        return [kinks[index] for index in independent_rows(rows, self._problem.dimension)]

    def step(self, before: ExactPoint, after: ExactPoint, move: Adjacent) -> None:
        """Adds the step between two adjacent vertices, the first of which is the current one."""
        n = self._problem.dimension
        cell = common_cell(self._problem, self.pattern, before, after)
        flips = tuple(kinks_of(cell, bits_of(cell) ^ bits_of(self.pattern)))
        shared = set(move.shared)
        kept = [kink for kink in self._basis if kink in shared]
        replaced: tuple[Kink, ...] | None = None
        # flips of kinks in the basis keep it independent; flips of other kinks may not
        if len(kept) == n - 1 and set(flips) <= set(self._basis):
            leaving = next(kink for kink in self._basis if kink not in shared)
        else:
            # A kink that vanishes at one end of the edge only is independent of all that vanish at both
            old = set(self._basis)
            kept = self._independent(cell, [*kept, *(kink for kink in move.shared if kink not in old)])
            leaving = next((kink for kink in move.leaving if kink in old), move.leaving[0])
            replaced = (*kept, leaving)
        entering = move.entering[0]
        self._basis = [*kept, entering]
        self.pattern = cell
        self.steps.append(Step(len(self.steps) + 1, flips, replaced, leaving, entering, is_published_stop=False))
