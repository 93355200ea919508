"""Phase 2: from vertex to vertex, the loss falling at every step, to a verdict.

proofs/termination.md proves that it ends.
"""

from collections.abc import Callable, Iterator, Sequence

from gmpy2 import mpq

from exactdrl.arithmetic.counts import DecisionCounts
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.cells.scan import pattern_of, scan, vanishing_kinks
from exactdrl.exact.linear import to_integers
from exactdrl.exact.rationals import InputError, to_float
from exactdrl.minimality.judge import DEFAULT_BUDGET
from exactdrl.minimality.verdict import LocalMinimum
from exactdrl.problem.instance import Instance, Matrix
from exactdrl.steps.first_vertex import FirstVertex, StartEnd
from exactdrl.steps.step import Outcome, Step, StepLimit, Unbounded
from exactdrl.walks.steppers import check_names, choose_stepper

__all__ = ["Outcome", "Step", "StepLimit", "Unbounded", "Walk"]


class Walk:
    """A walk over the vertices of an instance's loss; iterating runs it and yields its steps.

    Example::

        walk = Walk(instance, rule="steepest")
        for step in walk:
            print(step.index, float(walk.loss))
        print(walk.outcome)

    The trajectory is a function of the instance, the rule, the start rule and the budget alone.

    Attributes:
        problem: the instance, scaled.
        rule: the pivot rule's name.
        start_rule: the start rule's name.
        stepper: what takes the steps, by rule and arithmetic; it holds the current vertex.
        arithmetic_name: the arithmetic's name.
        outcome: None while the walk runs.
        steps: how many steps of phase 2 it has taken.
        published_stops: the steps before which the published rule stops though the vertex is no local minimum.
    """

    def __init__(
        self,
        instance: Instance,
        *,
        rule: str = "reference",
        start_rule: str | None = None,
        arithmetic: str = "filtered",
        max_steps: int | None = None,
        budget: int = DEFAULT_BUDGET,
    ) -> None:
        """Prepares a walk; phase 1 runs when the first vertex is asked for.

        Args:
            instance: the problem.
            rule: `reference`, `steepest`, `first`, or `long-step` where the trained layer is the last and the loss has
                two slopes; `default_rule` chooses.
            start_rule: `projected-gradient` or `coordinate`; default: the first up to 60 parameters, the second beyond.
                The rule `long-step` has its own, `line-search`.
            arithmetic: `filtered` or `exact`; the trajectory is the same.
            max_steps: stop after this many steps with the outcome `StepLimit`.
            budget: how much work a proof at a degenerate vertex may take, see `judge`; beyond it the walk ends
                `Undecided`.

        Raises:
            InputError: an unknown rule, start rule or arithmetic, a rule that the problem does not allow, or a squared
                loss.
        """
        check_names(rule, arithmetic)
        if instance.loss.is_squared:
            raise InputError("the loss is squared, which is judged and not walked: exactdrl judge INSTANCE")
        self.problem = IntegerProblem.from_instance(instance)
        self.rule = rule
        self.start_rule, self.stepper = choose_stepper(
            self.problem, rule, start_rule, arithmetic=arithmetic, budget=budget
        )
        self.arithmetic_name = arithmetic
        self.max_steps = max_steps
        self.outcome: Outcome | None = None
        self.steps = 0
        self.published_stops: list[int] = []

    @property
    def on_node(self) -> Callable[[int], None] | None:
        """Returns what is called with the number of nodes so far, while a vertex is proved to be a minimum."""
        return self.stepper.on_node

    @on_node.setter
    def on_node(self, call: Callable[[int], None] | None) -> None:
        self.stepper.on_node = call

    @property
    def first_vertex(self) -> FirstVertex | StartEnd:
        """Returns the result of phase 1: a vertex, or why the walk ends at the start."""
        return self.stepper.first_vertex

    @property
    def start_end(self) -> StartEnd | None:
        """Returns what phase 1 found instead of a vertex, None where there is a vertex."""
        return self.stepper.start_end

    def resume(self, pattern: Pattern, basis: Sequence[Kink], steps: int, published_stops: Sequence[int] = ()) -> None:
        """Goes on from a vertex that this same walk has reached before.

        Args:
            pattern: its cell.
            basis: its basis, in order of entry.
            steps: how many steps led there.
            published_stops: see the class.

        Raises:
            InputError: pattern and basis are no vertex of this problem.
        """
        self.stepper.resume(pattern, basis)
        self.steps, self.published_stops = steps, list(published_stops)

    @property
    def loss(self) -> mpq:
        """Returns the exact loss at the current vertex; at the start, where the walk has none."""
        if self.start_end is not None:
            return self.problem.instance.loss_of(self.problem.instance.start)
        return self.stepper.loss()

    @property
    def loss_estimate(self) -> float:
        """Returns the loss in floats, for display while the walk runs."""
        if self.start_end is not None:
            return to_float(self.loss)
        return self.stepper.loss_estimate()

    @property
    def outcome_at_start(self) -> LocalMinimum | Unbounded | None:
        """Returns the outcome of a walk that ends in its start, None for a walk that has a vertex."""
        end = self.start_end
        if end is None:
            return None
        if end.direction is None:
            return LocalMinimum("bound")
        return Unbounded(_to_rows(end.direction, self.problem.instance.start))

    @property
    def counts(self) -> DecisionCounts | None:
        """Returns how the decisions were made so far; None where all are exact."""
        return self.stepper.counts

    @property
    def vertex(self) -> Matrix:
        """Returns the exact parameters [W | b] of the trained layer at the current vertex, shape (n_ℓ, m).

        At the start, where the walk has no vertex.
        """
        if self.start_end is not None:
            return self.problem.instance.start
        return self.problem.to_full(self.stepper.parameters())

    @property
    def active_kinks(self) -> tuple[Kink, ...]:
        """Returns all kinks that vanish at the current vertex, in address order.

        The vertex is degenerate if there are more than the problem has parameters.
        """
        numerators, denominator = to_integers(self.problem.to_reduced(self.vertex))
        values = scan(self.problem, numerators, denominator, None)
        return tuple(vanishing_kinks(pattern_of(self.problem, values), values))

    def run(self) -> Outcome:
        """Runs the walk to its end and returns the outcome."""
        for _ in self:
            pass
        if self.outcome is None:
            raise AssertionError("a walk ended without an outcome: this is a bug")
        return self.outcome

    def __iter__(self) -> Iterator[Step]:
        """Yields the steps that remain."""
        while steps := self.advance(1):
            yield from steps

    def advance(self, limit: int) -> list[Step]:
        """Takes at least one and up to `limit` steps; returns them, none at the walk's end.

        Faster than iterating where the vertices on the way are not looked at.
        """
        if self.outcome is not None:
            return []
        # before the limit: a certificate without a vertex has this outcome or none
        self.outcome = self.outcome_at_start
        if self.outcome is not None:
            return []
        if self.max_steps is not None:
            limit = min(limit, self.max_steps - self.steps)
            if limit <= 0:
                self.outcome = StepLimit()
                return []
        found = self.stepper.advance(self.steps + 1, limit)
        if not isinstance(found, list):
            self.outcome = found
            return []
        self.steps += len(found)
        self.published_stops += [step.index for step in found if step.is_published_stop]
        return found


def _to_rows(flat: Sequence[mpq], shape: Matrix) -> Matrix:
    width = len(shape[0])
    return tuple(tuple(flat[begin : begin + width]) for begin in range(0, len(flat), width))
