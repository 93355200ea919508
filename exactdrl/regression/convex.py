"""The verdict on a minimum of a regression, from the multipliers that its walk ended with.

The loss is convex. Let b_j be half the jump of the loss's slope at the vanishing residual j, and g the gradient of the
rest. Multipliers |λ_j| ≤ 1 with g = Σ λ_j b_j (normal j) prove the minimum (rule R1). They are brought into the form of
proofs/FORMAT.md, section 5. Proportional kinks are merged. If the merged kinks are independent, the proof is LIKQ, the
linear-independence kink qualification; otherwise it lists every kink with its multiplier.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gmpy2 import gcd, mpq, mpz

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink
from exactdrl.cells.scan import scan
from exactdrl.exact.linear import independent_rows, to_integers
from exactdrl.minimality.judge import judge
from exactdrl.minimality.tree.witness import TreeWitness
from exactdrl.minimality.verdict import LocalMinimum, StrictLocalMinimum
from exactdrl.regression.protocol import RegressionArithmetic

# the most merged kinks for which the general judge is asked where strictness does not follow here
_FEW = 100


@dataclass(frozen=True, slots=True)
class UnitOptimum:
    """Why an output's regression is at its minimum.

    Attributes:
        arithmetic: the arithmetic at the vertex.
        basis: a basis whose multipliers are at most 1 in size if the other vanishing residuals count with `signs`.
        signs: the sign with which each vanishing residual outside the basis counts, by its place.
    """

    arithmetic: RegressionArithmetic
    basis: tuple[int, ...]
    signs: dict[int, int]


@dataclass(slots=True)
class _Merged:
    """Proportional kinks merged into the first one.

    `row` is its normal and `share` its own b. `multiplier` and `bound` are λ and b of all of them together, in units of
    that b.
    """

    kink: Kink
    row: Sequence[mpz]
    share: mpq
    multiplier: mpq
    bound: mpq


def judge_convex(
    problem: IntegerProblem, optima: Sequence[UnitOptimum], loss: Callable[[], mpq]
) -> StrictLocalMinimum | LocalMinimum:
    """Returns the verdict on a minimum of the loss.

    Args:
        problem: the scaled problem, whose trained layer is the last.
        optima: why each output's regression is at its minimum.
        loss: a function that returns the loss.
    """
    if not any(optimum.signs for optimum in optima):
        if not problem.lineality and all(optimum.arithmetic.is_strict() for optimum in optima):
            return StrictLocalMinimum()
        return LocalMinimum("likq")
    merged = [_merge(problem, u, optimum) for u, optimum in enumerate(optima)]
    tight = [[kink for kink in unit if abs(kink.multiplier) < kink.bound] for unit in merged]
    is_strict = not problem.lineality and all(_rank(problem, unit) == problem.rank for unit in tight)
    if all(len(unit) == problem.rank for unit in merged):
        return StrictLocalMinimum() if is_strict else LocalMinimum("likq")
    if not is_strict:
        if sum(map(len, merged)) <= _FEW:
            # other multipliers may show that the minimum is strict
            verdict = judge(problem, scan(problem, *to_integers(_point(optima)), None))
            if isinstance(verdict, StrictLocalMinimum | LocalMinimum):
                return verdict
        if problem.instance.loss.is_nonnegative and loss() == 0:
            return LocalMinimum("zero-loss")
    settled = sorted((kink.kink, kink.multiplier * kink.share) for unit in merged for kink in unit)
    witness = TreeWitness(tuple(settled), ())
    return StrictLocalMinimum("tree", witness) if is_strict else LocalMinimum("tree", witness)


def _point(optima: Sequence[UnitOptimum]) -> list[mpq]:
    return [value for optimum in optima for value in optimum.arithmetic.parameters()]


def _rank(problem: IntegerProblem, kinks: Sequence[_Merged]) -> int:
    return len(independent_rows([kink.row for kink in kinks], problem.rank)) if kinks else 0


def _merge(problem: IntegerProblem, unit: int, optimum: UnitOptimum) -> list[_Merged]:
    """Returns the vanishing kinks of an output in address order, with proportional kinks merged into the first one."""
    arithmetic = optimum.arithmetic
    regression = arithmetic.regression
    multipliers = dict(zip(optimum.basis, arithmetic.multipliers_of(optimum.basis, optimum.signs), strict=True))
    multipliers |= {place: mpq(-sign) for place, sign in optimum.signs.items()}
    found: dict[tuple[mpz, ...], tuple[mpq, _Merged]] = {}
    for place in sorted(multipliers):
        row, multiplier = regression.row(place), multipliers[place]
        common = gcd(*row) if next(entry for entry in row if entry) > 0 else -gcd(*row)
        shape = tuple(entry // common for entry in row)
        # b times the true normal is this multiple of its shape, up to one factor for all
        size = mpq(common * regression.weights[place])
        if shape not in found:
            sample = regression.samples[place]
            share = regression.shares.factor * regression.shares.weight_of(sample)
            found[shape] = size, _Merged(problem.addresses.kink_of(0, sample, unit), row, share, multiplier, mpq(1))
        else:
            first, merged = found[shape]
            merged.multiplier += multiplier * size / first
            merged.bound += abs(size / first)
    return [merged for _, merged in found.values()]
