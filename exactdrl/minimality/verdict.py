"""The verdicts on a point."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from gmpy2 import mpq

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.minimality.tree.witness import TreeWitness


@dataclass(frozen=True, slots=True)
class StrictLocalMinimum:
    """Proved: near the point, the loss is greater everywhere else.

    Attributes:
        by: what proves it.
        witness: for `tree`, else None.
    """

    by: Literal["likq", "tree"] = "likq"
    witness: TreeWitness | None = None


@dataclass(frozen=True, slots=True)
class Flat:
    """A direction along which the loss keeps its value: a face of minimisers.

    Attributes:
        direction: in the reduced parameters, n rationals.
        length: the loss is constant from the point to this multiple of the direction, where the ray meets the next
            kink; None if it meets none, or if that was not measured.
        is_measured: whether `length` and `dimension` were asked for.
        dimension: of the face of the arrangement that the ray enters. The loss has its least value there, so it is
            constant on the face: all of it are minimisers.
    """

    direction: tuple[mpq, ...]
    length: mpq | None
    is_measured: bool
    dimension: int | None = None


@dataclass(frozen=True, slots=True)
class LocalMinimum:
    """Proved: near the point, the loss is nowhere smaller. Strictness is not claimed.

    Attributes:
        by: what proves it.
        witness: for `tree`, else None.
        flat: a direction that shows that it is not strict, None where none was found; a by-product, not part of the
            verdict's value.
    """

    by: Literal["likq", "zero-loss", "bound", "tree"]
    witness: TreeWitness | None = None
    flat: Flat | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class NotMinimum:
    """Proved: the loss falls along a direction.

    Attributes:
        direction: in the reduced parameters, n rationals.
        epsilon: a step along it, to a point with a smaller loss; None where the point's denominator was not given.
    """

    direction: tuple[mpq, ...]
    epsilon: mpq | None = None


@dataclass(frozen=True, slots=True)
class Undecided:
    """Minimality was neither proved nor refuted; nothing is said about it.

    Attributes:
        active: how many kinks are active at the point.
    """

    active: int


Verdict: TypeAlias = StrictLocalMinimum | LocalMinimum | NotMinimum | Undecided


def is_global_minimum(problem: IntegerProblem, verdict: object, loss: mpq) -> bool:
    """Returns whether a verdict proves a global minimum in the trained layer's parameters.

    It does where it proves a local one and the loss is convex, or no greater than what the outputs' ranges allow. False
    only says that neither was shown. Source: proofs/convexity.md.

    Args:
        problem: the scaled problem.
        verdict: on the point; anything else than a minimum is none.
        loss: at the point.
    """
    if not isinstance(verdict, (LocalMinimum, StrictLocalMinimum)):
        return False
    return problem.ranges.is_convex or verdict.by == "zero-loss" or loss == problem.ranges.bound
