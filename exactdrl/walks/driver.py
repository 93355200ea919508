"""Phase 2: from vertex to adjacent vertex, the loss falling at every step, to a verdict.

That it ends is argued in proofs/termination.md.
"""

from collections.abc import Callable, Iterator, Sequence

from gmpy2 import mpq

from exactdrl.arithmetic.counts import DecisionCounts
from exactdrl.arithmetic.exact import ExactArithmetic
from exactdrl.arithmetic.filtered import FilteredArithmetic
from exactdrl.arithmetic.protocol import Arithmetic, Edge
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.cells.reach import tangent_cell
from exactdrl.cells.scan import Values, scan, vanishing_kinks
from exactdrl.exact.linear import to_integers
from exactdrl.exact.rationals import InputError, to_float
from exactdrl.minimality.descent.ray import to_edge
from exactdrl.minimality.judge import DEFAULT_BUDGET, judge
from exactdrl.minimality.verdict import NotMinimum
from exactdrl.problem.instance import Instance, Matrix
from exactdrl.regression.long_step import LINE_SEARCH, LONG_STEP, LongSteps, check_long_step, is_convex
from exactdrl.steps.first_vertex import FirstVertex, StartRay, default_start_rule, find_first_vertex, to_start_rule
from exactdrl.steps.step import Outcome, Step, StepLimit, Unbounded
from exactdrl.walks.rules import RULES, Choice

__all__ = ["ALL_RULES", "ARITHMETICS", "Outcome", "Step", "StepLimit", "Unbounded", "Walk"]

ARITHMETICS = ("filtered", "exact")
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
        on_node: called with the number of nodes so far, while a vertex is proved to be a minimum; None for nothing.
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
        self._long: LongSteps | None = None
        self.start_rule: str
        if rule == LONG_STEP:
            check_long_step(self.problem)
            if start_rule not in (None, LINE_SEARCH):
                raise InputError(f"start rule is {start_rule!r}; rule {LONG_STEP} starts by {LINE_SEARCH}")
            self.start_rule = LINE_SEARCH
            self._long = LongSteps(self.problem, arithmetic)
        else:
            named = to_start_rule(start_rule) if start_rule is not None else default_start_rule(self.problem)
            if named is None:
                raise InputError(f"start rule is {start_rule!r}; one of projected-gradient, coordinate is needed")
            self.start_rule = self._named_start = named
        self.arithmetic_name = arithmetic
        self.max_steps = max_steps
        self.budget = budget
        self.outcome: Outcome | None = None
        self.steps = 0
        self.published_stops: list[int] = []
        self.on_node: Callable[[int], None] | None = None
        self._first: FirstVertex | StartRay | None = None
        self._arithmetic: Arithmetic | None = None

    @property
    def first_vertex(self) -> FirstVertex | StartRay:
        """Returns the result of phase 1: a vertex, or a ray from the start along which the loss falls forever."""
        if self._long is not None:
            return self._long.first_vertex
        if self._first is None:
            is_filtered = self.arithmetic_name == "filtered"
            self._first = find_first_vertex(self.problem, self._named_start, filtered=is_filtered, with_points=False)
        return self._first

    @property
    def start_ray(self) -> StartRay | None:
        """Returns the ray that phase 1 found instead of a vertex, None where there is a vertex."""
        if self._long is not None:
            return self._long.start_ray
        if self._arithmetic is not None:
            return None
        first = self.first_vertex
        return first if isinstance(first, StartRay) else None

    @property
    def arithmetic(self) -> Arithmetic:
        """Returns the current vertex; not of the rule `long-step`, which has none in this form.

        Raises:
            InputError: the walk has no vertex: the loss falls forever along a ray from the start.
        """
        if self._arithmetic is None:
            first = self.first_vertex
            if isinstance(first, StartRay):
                raise InputError("the walk has no vertex: the loss falls forever along a ray from the start")
            self._arithmetic = self._start_at(first.pattern, first.basis)
        return self._arithmetic

    def _start_at(self, pattern: Pattern, basis: Sequence[Kink]) -> Arithmetic:
        if self.arithmetic_name == "exact":
            return ExactArithmetic(self.problem, pattern, basis, is_walked=True)
        return FilteredArithmetic(self.problem, pattern, basis)

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
        if self._long is not None:
            self._long.resume(pattern, basis)
        else:
            self._arithmetic = self._start_at(pattern, basis)
        self.steps, self.published_stops = steps, list(published_stops)

    @property
    def loss(self) -> mpq:
        """Returns the exact loss at the current vertex; at the start, where the walk has none."""
        if self.start_ray is not None:
            return self.problem.instance.loss_of(self.problem.instance.start)
        return self.arithmetic.loss() if self._long is None else self._long.loss()

    @property
    def loss_estimate(self) -> float:
        """Returns the loss in floats, for display while the walk runs."""
        if self.start_ray is not None:
            return to_float(self.loss)
        return self.arithmetic.loss_estimate() if self._long is None else self._long.loss_estimate()

    @property
    def counts(self) -> DecisionCounts | None:
        """Returns how the decisions were made so far; None where all are exact."""
        if self._long is not None:
            return self._long.counts
        return self._arithmetic.counts if isinstance(self._arithmetic, FilteredArithmetic) else None

    @property
    def vertex(self) -> Matrix:
        """Returns the exact parameters [W | b] of the trained layer at the current vertex, shape (n_ℓ, m).

        At the start, where the walk has no vertex.
        """
        if self.start_ray is not None:
            return self.problem.instance.start
        return self.problem.to_full(self.arithmetic.vertex() if self._long is None else self._long.parameters())

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
        ray = self.start_ray
        if ray is not None:
            self.outcome = Unbounded(_to_rows(ray.direction, self.problem.instance.start))
            return []
        if self._long is not None:
            return self._long_steps(self._long, limit)
        moves = self.arithmetic.run_ahead(self.rule, limit)
        if not moves:
            step = self._step()
            return [] if step is None else [step]
        steps = []
        for move in moves:
            self.steps += 1
            steps.append(Step(self.steps, move.flips, move.basis, move.leaving, move.entering, move.is_published_stop))
            if move.is_published_stop:
                self.published_stops.append(self.steps)
        return steps

    def _long_steps(self, long: LongSteps, limit: int) -> list[Step]:
        """Takes up to `limit` long steps, or sets the outcome and returns none."""
        steps: list[Step] = []
        while len(steps) < limit:
            found = long.advance(self.steps + 1)
            if not isinstance(found, Step):
                # the outcome waits until the steps before it are handed over
                self.outcome = None if steps else found
                break
            self.steps += 1
            steps.append(found)
        return steps

    def _step(self) -> Step | None:
        """Takes one step, or sets the outcome and returns None."""
        arithmetic = self.arithmetic
        choice = RULES[self.rule](arithmetic)
        step: Step | None = None
        if choice is not None:
            step = self._take(choice)
        if self.outcome is not None:
            return None
        if step is None:
            values = _values(self.problem, arithmetic)
            verdict = judge(self.problem, values, budget=self.budget, on_node=self.on_node)
            if not isinstance(verdict, NotMinimum):
                self.outcome = verdict
                return None
            # the published rule stops where it sees no edge, and where all that is left is the one that it never looks
            # at
            is_published_stop = self._is_published and (choice is None or choice.is_published_stop)
            step = self._leave_degenerate(values, verdict.direction, is_published_stop=is_published_stop)
            if step is None:
                return None
        self.steps += 1
        if step.is_published_stop:
            self.published_stops.append(self.steps)
        return step

    @property
    def _is_published(self) -> bool:
        return self.rule == "reference" and bool(self.problem.dimension)

    def _take(self, choice: Choice) -> Step | None:
        """Goes along the chosen edge.

        Returns:
            The step. None where the edge leaves its cell at once: then nothing is changed. None, too, where it meets no
            kink: then the outcome is set.
        """
        arithmetic = self.arithmetic
        for kink in choice.flips:
            arithmetic.flip(kink)
        met = arithmetic.first_kinks(choice.leaving)
        if met is None:
            self.outcome = self._unbounded(choice.flips, None, choice.leaving)
            return None
        if met.is_blocked:
            for kink in reversed(choice.flips):
                arithmetic.flip(kink)
            return None
        entering = met.kinks[0]
        arithmetic.pivot(choice.leaving, entering)
        return Step(self.steps + 1, choice.flips, None, choice.leaving, entering, choice.is_published_stop)

    def _unbounded(self, flips: tuple[Kink, ...], basis: tuple[Kink, ...] | None, leaving: Kink) -> Unbounded:
        """Returns the outcome at a vertex whose cell has an edge, as it is now, that falls and meets no kink."""
        here = ExactArithmetic(self.problem, self.arithmetic.pattern, self.arithmetic.basis)
        numerators, _ = here.direction(Edge(leaving, is_flipped=False))
        direction = self.problem.to_full_direction([mpq(entry) for entry in numerators])
        return Unbounded(direction, flips, basis, leaving)

    def _leave_degenerate(self, values: Values, direction: Sequence[mpq], *, is_published_stop: bool) -> Step | None:
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
            self.outcome = self._unbounded(tuple(flips), basis, leaving)
            return None
        arithmetic.pivot(leaving, met.kinks[0])
        return Step(self.steps + 1, tuple(flips), basis, leaving, met.kinks[0], is_published_stop)


def _to_rows(flat: Sequence[mpq], shape: Matrix) -> Matrix:
    width = len(shape[0])
    return tuple(tuple(flat[begin : begin + width]) for begin in range(0, len(flat), width))


def _values(problem: IntegerProblem, arithmetic: Arithmetic) -> Values:
    numerators, denominator = to_integers(arithmetic.vertex())
    return scan(problem, numerators, denominator, arithmetic.pattern)
