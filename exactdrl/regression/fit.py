"""The exact fit of a regression with one output: coefficients, their proof, and all other optimal coefficients."""

from dataclasses import dataclass
from functools import cached_property

from gmpy2 import mpq

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.exact.rationals import InputError
from exactdrl.minimality.verdict import LocalMinimum, StrictLocalMinimum
from exactdrl.problem.instance import Instance, Vector
from exactdrl.regression.convex import UnitOptimum
from exactdrl.regression.faces import Face, find_face, multipliers_at
from exactdrl.regression.long_step import LongSteps, check_long_step
from exactdrl.regression.path import Piece, find_path
from exactdrl.steps.step import Unbounded


@dataclass(frozen=True)
class Fit:
    """A global minimum of a regression's loss. The loss is convex, so that a local minimum is global.

    Attributes:
        problem: the scaled problem, with one output and the last layer trained.
        optimum: the vertex of the minimum, and its proof.
        coefficients: the coefficients of all columns of x̃; columns outside the pivots keep the start's value.
        objective: the loss at the minimum.
        steps: how many long steps led to the minimum.
    """

    problem: IntegerProblem
    optimum: UnitOptimum
    coefficients: Vector
    objective: mpq
    steps: int

    def __reduce__(self) -> tuple[object, tuple[Instance]]:
        """Returns how a copy is made: the problem is fitted again, with the same result."""
        return fit, (self.problem.instance,)

    @property
    def vanishing(self) -> tuple[int, ...]:
        """Returns the samples whose residual is 0 and has a kink that depends on the coefficients, increasing."""
        arithmetic = self.optimum.arithmetic
        places = sorted([*arithmetic.basis, *arithmetic.vanishing()])
        return tuple(arithmetic.regression.samples[place] for place in places)

    @property
    def is_degenerate(self) -> bool:
        """Returns whether more residuals vanish than there are pivot columns."""
        return bool(self.optimum.arithmetic.vanishing())

    @property
    def aliased(self) -> dict[int, tuple[mpq, ...]]:
        """Returns each column that is a combination of pivot columns before it, with the factors of these columns."""
        pivots, combination = self.problem.pivots, self.problem.reduction.combination
        others = [column for column in range(len(self.coefficients)) if column not in pivots]
        return {column: tuple(counts[index] for counts in combination) for index, column in enumerate(others)}

    @cached_property
    def dual(self) -> Vector:
        """Returns the optimal dual solution d, a number for each sample.

        Σ d_i x̃_i = 0, and d_i lies between minus the loss's slope above 0 and minus that below 0, each times the
        sample's weight. The objective is Σ d_i y_i, which proves that no coefficients have a smaller loss.
        """
        regression, instance = self.optimum.arithmetic.regression, self.problem.instance
        found = [mpq(0)] * self.problem.samples
        shares = regression.shares
        for sample, e in zip(regression.samples, multipliers_at(self.optimum), strict=True):
            found[sample] = -shares.factor * shares.weight_of(sample) * (e + shares.tilt_of(sample))
        for sample in shares.apart:
            target = instance.targets[sample][0]
            below, above = instance.entry_slopes(sample)[0]
            # x̃ is 0 for these samples, so that the residual is minus the target
            found[sample] = -below if target > 0 else -above
        return tuple(found)

    @cached_property
    def residuals(self) -> Vector:
        """Returns targets minus fitted values, one for each sample. Elsewhere residuals have the opposite sign."""
        pushed, targets = self.problem.instance.pushed_inputs(), self.problem.instance.targets
        return tuple(
            row[0] - sum((a * b for a, b in zip(x, self.coefficients, strict=True) if b), mpq(0))
            for row, x in zip(targets, pushed, strict=True)
        )

    @cached_property
    def face(self) -> Face:
        """Returns all minimisers, in the parameters of the pivot columns."""
        return find_face(self.optimum)

    @cached_property
    def path(self) -> tuple[Piece, ...]:
        """Returns the minimisers for all levels of the pinball loss, in the parameters of the pivot columns."""
        return find_path(self.problem, 0)


def fit(instance: Instance) -> Fit:
    """Returns the exact fit, by the rule `long-step`.

    Args:
        instance: an instance with one output whose last layer is trained.

    Raises:
        InputError: the instance is of another kind, or its loss falls forever in some direction.
    """
    problem = IntegerProblem.from_instance(instance)
    check_long_step(problem)
    if len(instance.start) != 1:
        raise InputError(f"one target is needed, not {len(instance.start)}; fit each by itself")
    steps = LongSteps(problem, filtered=True)
    count = 0
    if steps.start_end is None:
        while isinstance(outcome := steps.advance(count + 1, 1), list):
            count += len(outcome)
        if isinstance(outcome, StrictLocalMinimum | LocalMinimum):
            (coefficients,) = problem.to_full(steps.parameters())
            return Fit(problem, steps.optima[0], coefficients, steps.loss(), count)
        assert isinstance(outcome, Unbounded)  # noqa: S101 - nothing else is left
    raise InputError("the loss falls forever in some direction, so that there is no fit")
