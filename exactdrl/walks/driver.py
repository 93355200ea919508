"""Phase 2: from vertex to vertex, the loss falling at every step, to a verdict.

proofs/termination.md proves that it ends.
"""

from collections.abc import Callable, Iterator, Sequence

from gmpy2 import mpq

from exactdrl.arithmetic.counts import DecisionCounts
from exactdrl.arithmetic.protocol import Arithmetic
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.exact.rationals import InputError, to_float
from exactdrl.minimality.judge import DEFAULT_BUDGET
from exactdrl.minimality.verdict import LocalMinimum
from exactdrl.problem.instance import Instance, Matrix
from exactdrl.regression.long_step import LINE_SEARCH, LONG_STEP, LongSteps, check_long_step, is_convex
from exactdrl.steps.first_vertex import FirstVertex, StartEnd, default_start_rule, to_start_rule
from exactdrl.steps.step import Outcome, Step, StepLimit, Unbounded
from exactdrl.walks.edge_steps import ARITHMETICS, EdgeSteps
from exactdrl.walks.rules import RULES
from exactdrl.walks.stepper import Stepper

__all__ = ["ALL_RULES", "ARITHMETICS", "Outcome", "Step", "StepLimit", "Unbounded", "Walk"]

ALL_RULES = (*RULES, LONG_STEP)


def default_rule(instance: Instance, start_rule: str | None = None) -> str:
    """Returns the pivot rule where none is named: `long-step` where the problem is convex, else the published one.

    Args:
        instance: the problem.
        start_rule: what was named; `long-step` has its own.
    """
    return LONG_STEP if is_convex(instance) and start_rule in (None, LINE_SEARCH) else "reference"


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
        if rule not in ALL_RULES:
            raise InputError(f"rule is {rule!r}; one of {', '.join(ALL_RULES)} is needed")
        if arithmetic not in ARITHMETICS:
            raise InputError(f"arithmetic is {arithmetic!r}; one of {', '.join(ARITHMETICS)} is needed")
        if instance.loss.is_squared:
            raise InputError("the loss is squared, which is judged and not walked: exactdrl judge INSTANCE")
        self.problem = IntegerProblem.from_instance(instance)
        self.rule = rule
        self.start_rule, self._stepper = self._choose(start_rule, arithmetic, budget)
        self.arithmetic_name = arithmetic
        self.max_steps = max_steps
        self.outcome: Outcome | None = None
        self.steps = 0
        self.published_stops: list[int] = []

    def _choose(self, start_rule: str | None, arithmetic: str, budget: int) -> tuple[str, Stepper]:
        """Returns the start rule's name, and what takes the steps."""
        if self.rule == LONG_STEP:
            check_long_step(self.problem)
            if start_rule not in (None, LINE_SEARCH):
                raise InputError(f"start rule is {start_rule!r}; rule {LONG_STEP} starts by {LINE_SEARCH}")
            return LINE_SEARCH, LongSteps(self.problem, arithmetic)
        named = to_start_rule(start_rule) if start_rule is not None else default_start_rule(self.problem)
        if named is None:
            raise InputError(f"start rule is {start_rule!r}; one of projected-gradient, coordinate is needed")
        return named, EdgeSteps(self.problem, RULES[self.rule], named, arithmetic=arithmetic, budget=budget)

    @property
    def on_node(self) -> Callable[[int], None] | None:
        """Returns what is called with the number of nodes so far, while a vertex is proved to be a minimum."""
        return self._stepper.on_node

    @on_node.setter
    def on_node(self, call: Callable[[int], None] | None) -> None:
        self._stepper.on_node = call

    @property
    def first_vertex(self) -> FirstVertex | StartEnd:
        """Returns the result of phase 1: a vertex, or why the walk ends at the start."""
        return self._stepper.first_vertex

    @property
    def start_end(self) -> StartEnd | None:
        """Returns what phase 1 found instead of a vertex, None where there is a vertex."""
        return self._stepper.start_end

    @property
    def arithmetic(self) -> Arithmetic:
        """Returns the current vertex; not of the rule `long-step`, which has none in this form.

        Raises:
            InputError: the walk ends in its start, it has no vertex; or the rule is `long-step`.
        """
        if not isinstance(self._stepper, EdgeSteps):
            raise InputError(f"rule {LONG_STEP} has no vertex in this form; use the walk's vertex() and loss")
        return self._stepper.arithmetic

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
        self._stepper.resume(pattern, basis)
        self.steps, self.published_stops = steps, list(published_stops)

    @property
    def loss(self) -> mpq:
        """Returns the exact loss at the current vertex; at the start, where the walk has none."""
        if self.start_end is not None:
            return self.problem.instance.loss_of(self.problem.instance.start)
        return self._stepper.loss()

    @property
    def loss_estimate(self) -> float:
        """Returns the loss in floats, for display while the walk runs."""
        if self.start_end is not None:
            return to_float(self.loss)
        return self._stepper.loss_estimate()

    @property
    def counts(self) -> DecisionCounts | None:
        """Returns how the decisions were made so far; None where all are exact."""
        return self._stepper.counts

    @property
    def vertex(self) -> Matrix:
        """Returns the exact parameters [W | b] of the trained layer at the current vertex, shape (n_ℓ, m).

        At the start, where the walk has no vertex.
        """
        if self.start_end is not None:
            return self.problem.instance.start
        return self.problem.to_full(self._stepper.parameters())

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
        if self.max_steps is not None:
            limit = min(limit, self.max_steps - self.steps)
            if limit <= 0:
                self.outcome = StepLimit()
                return []
        end = self.start_end
        if end is not None:
            self.outcome = (
                LocalMinimum("bound")
                if end.direction is None
                else Unbounded(_to_rows(end.direction, self.problem.instance.start))
            )
            return []
        found = self._stepper.advance(self.steps + 1, limit)
        if not isinstance(found, list):
            self.outcome = found
            return []
        self.steps += len(found)
        self.published_stops += [step.index for step in found if step.is_published_stop]
        return found


def _to_rows(flat: Sequence[mpq], shape: Matrix) -> Matrix:
    width = len(shape[0])
    return tuple(tuple(flat[begin : begin + width]) for begin in range(0, len(flat), width))
