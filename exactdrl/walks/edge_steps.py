"""Steps along edges: by a pivot rule to an adjacent vertex, and out of degenerate vertices by a proved descent."""

from collections.abc import Callable, Sequence

from gmpy2 import mpq

from exactdrl.arithmetic.counts import DecisionCounts
from exactdrl.arithmetic.exact import ExactArithmetic
from exactdrl.arithmetic.protocol import Arithmetic, Edge
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.cells.reach import tangent_cell
from exactdrl.cells.scan import Values, loss_of_values, scan, vanishing_kinks
from exactdrl.exact.linear import to_integers
from exactdrl.exact.rationals import InputError
from exactdrl.minimality.descent.ray import to_edge
from exactdrl.minimality.judge import judge
from exactdrl.minimality.verdict import NotMinimum
from exactdrl.steps.first_vertex import FirstVertex, StartEnd
from exactdrl.steps.step import Outcome, Step, Unbounded
from exactdrl.walks.rules import Choice, PivotRule, choose_instead


class EdgeSteps:
    """A vertex that goes along edges; implements `Stepper`.

    Attributes:
        problem: the scaled problem.
        rule: the pivot rule.
        on_node: called with the number of nodes so far, while a vertex is proved to be a minimum; None for nothing.
    """

    def __init__(
        self,
        problem: IntegerProblem,
        rule: PivotRule,
        *,
        find_first: Callable[[], FirstVertex | StartEnd],
        arithmetic_at: Callable[[IntegerProblem, Pattern, Sequence[Kink]], Arithmetic],
        budget: int,
    ) -> None:
        """Prepares the steps; phase 1 runs when the first vertex is asked for.

        Args:
            problem: the scaled problem.
            rule: the pivot rule.
            find_first: runs phase 1.
            arithmetic_at: makes the vertex of a pattern and a basis.
            budget: how much work a proof at a degenerate vertex may take.
        """
        self.problem, self.rule = problem, rule
        self.on_node: Callable[[int], None] | None = None
        self._find_first, self._arithmetic_at, self._budget = find_first, arithmetic_at, budget
        self._first: FirstVertex | StartEnd | None = None
        self._arithmetic: Arithmetic | None = None
        self._outcome: Outcome | None = None

    @property
    def first_vertex(self) -> FirstVertex | StartEnd:
        """Returns the result of phase 1: a vertex, or why the walk ends at the start."""
        if self._first is None:
            self._first = self._find_first()
        return self._first

    @property
    def start_end(self) -> StartEnd | None:
        """Returns what phase 1 found instead of a vertex, None where there is a vertex."""
        if self._arithmetic is not None:
            return None
        first = self.first_vertex
        return first if isinstance(first, StartEnd) else None

    @property
    def arithmetic(self) -> Arithmetic:
        """Returns the current vertex.

        Raises:
            InputError: the walk ends in its start, it has no vertex; the message says why.
        """
        if self._arithmetic is None:
            first = self.first_vertex
            if isinstance(first, StartEnd):
                raise InputError(f"the walk ends in its start, it has no vertex: the loss {first.reason}")
            self.resume(first.pattern, first.basis)
        assert self._arithmetic is not None  # noqa: S101 - for mypy: resume sets it
        return self._arithmetic

    def resume(self, pattern: Pattern, basis: Sequence[Kink]) -> None:
        """Takes a vertex.

        Raises:
            InputError: pattern and basis are no vertex of this problem.
        """
        self._arithmetic = self._arithmetic_at(self.problem, pattern, basis)

    @property
    def counts(self) -> DecisionCounts | None:
        """Returns how the decisions were made so far; None where all are exact."""
        return None if self._arithmetic is None else self._arithmetic.counts

    def parameters(self) -> tuple[mpq, ...]:
        """Returns the reduced parameters of the vertex."""
        return self.arithmetic.vertex()

    def loss(self) -> mpq:
        """Returns the loss at the vertex."""
        return self.arithmetic.loss()

    def loss_estimate(self) -> float:
        """Returns the loss in floats, for display only."""
        return self.arithmetic.loss_estimate()

    def advance(self, index: int, limit: int) -> list[Step] | Outcome:
        """Takes at least one and up to `limit` steps, or returns the outcome.

        Args:
            index: of the first step taken, from 1.
            limit: at least 1.
        """
        search = self.rule.search
        moves = [] if search is None else self.arithmetic.run_ahead(search, limit)
        if moves:
            return [
                Step(number, move.flips, None, move.leaving, move.entering, move.is_published_stop)
                for number, move in enumerate(moves, index)
            ]
        step = self._step(index)
        if step is not None:
            return [step]
        if self._outcome is None:
            raise AssertionError("neither a step nor an outcome: this is a bug")
        return self._outcome

    def _step(self, index: int) -> Step | None:
        """Takes one step, or sets the outcome and returns None."""
        arithmetic = self.arithmetic
        choice = self.rule.choose(arithmetic)
        # the published rule stops where it sees no edge, and where all that is left is the one that it never looks at
        is_published_stop = self._is_published and (choice is None or choice.is_published_stop)
        if choice is not None and arithmetic.is_blocked(choice.edge):
            choice = choose_instead(arithmetic, choice.edge)
        if choice is not None:
            return self._take(index, choice)
        values, loss = _values(self.problem, arithmetic)
        verdict = judge(self.problem, values, loss=loss, budget=self._budget, on_node=self.on_node)
        if not isinstance(verdict, NotMinimum):
            self._outcome = verdict
            return None
        return self._leave_degenerate(index, values, verdict.direction, is_published_stop=is_published_stop)

    @property
    def _is_published(self) -> bool:
        return self.rule.is_published and bool(self.problem.dimension)

    def _take(self, index: int, choice: Choice) -> Step | None:
        """Goes along the chosen edge; where it meets no kink the outcome is set, and None returned."""
        arithmetic = self.arithmetic
        for kink in choice.flips:
            arithmetic.flip(kink)
        met = arithmetic.first_kinks(choice.leaving)
        if met is None:
            self._outcome = self._unbounded(choice.flips, None, choice.leaving)
            return None
        if met.is_blocked:
            raise AssertionError("an edge that is not blocked leaves its cell at once: this is a bug")
        entering = met.kinks[0]
        arithmetic.pivot(choice.leaving, entering)
        return Step(index, choice.flips, None, choice.leaving, entering, choice.is_published_stop)

    def _unbounded(self, flips: tuple[Kink, ...], basis: tuple[Kink, ...] | None, leaving: Kink) -> Unbounded:
        """Returns the outcome at a vertex whose cell has an edge, as it is now, that falls and meets no kink."""
        here = ExactArithmetic(self.problem, self.arithmetic.pattern, self.arithmetic.basis)
        numerators, _ = here.direction(Edge(leaving, is_flipped=False))
        direction = self.problem.to_full_direction([mpq(entry) for entry in numerators])
        return Unbounded(direction, flips, basis, leaving)

    def _leave_degenerate(
        self, index: int, values: Values, direction: Sequence[mpq], *, is_published_stop: bool
    ) -> Step | None:
        """Leaves a vertex along an improving edge of the cell into which the loss falls along a direction.

        All kinks of the basis but one rest along that edge, and nothing blocks it. Where it meets no kink the outcome
        is set, and None returned.
        """
        arithmetic, problem = self.arithmetic, self.problem
        pattern = arithmetic.pattern.copy()
        cell, rates = tangent_cell(problem, values, to_edge(problem, values, direction))
        vanishing = vanishing_kinks(cell, values)
        moving = set(vanishing).difference(vanishing_kinks(cell, rates))
        flips = [kink for kink in vanishing if kink in moving and cell.is_on(kink) != pattern.is_on(kink)]
        for kink in flips:
            pattern.flip(kink)
        kinks = [*arithmetic.basis, *sorted(set(vanishing) - set(arithmetic.basis))]
        arithmetic.rebase(pattern, [kink for kink in kinks if kink not in moving] + [k for k in kinks if k in moving])
        (leaving,) = moving.intersection(arithmetic.basis)
        met = arithmetic.first_kinks(leaving)
        basis = tuple(arithmetic.basis)
        if met is None:
            self._outcome = self._unbounded(tuple(flips), basis, leaving)
            return None
        arithmetic.pivot(leaving, met.kinks[0])
        return Step(index, tuple(flips), basis, leaving, met.kinks[0], is_published_stop)


def _values(problem: IntegerProblem, arithmetic: Arithmetic) -> tuple[Values, mpq]:
    """Returns the scaled values at the vertex, and the loss."""
    numerators, denominator = to_integers(arithmetic.vertex())
    values = scan(problem, numerators, denominator, arithmetic.pattern)
    return values, loss_of_values(problem, values, denominator)
