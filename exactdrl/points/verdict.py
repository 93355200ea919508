"""The verdicts on a point, and the proofs of them."""

from dataclasses import dataclass, field
from typing import TypeAlias

from gmpy2 import mpq

from exactdrl.minimality.tree.witness import TreeWitness
from exactdrl.points.germ import Descent
from exactdrl.points.setting import Matrix, Theta


@dataclass(frozen=True, slots=True)
class FormProof:
    """The proof for one free layer: F ≥ 0.

    Attributes:
        tree: that shows it.
        spread: for a strict minimum of the squared loss, the tree that shows that F + Σ |δr| > 0 off 0.
    """

    tree: TreeWitness
    spread: TreeWitness | None = None


@dataclass(frozen=True, slots=True)
class MarginProof:
    """The proof for all parameters of one hidden layer: the first-order test holds for all outer weights nearby.

    Attributes:
        duals: e, shape (N, n_{L+1}): derivatives or subgradients of the loss by the outputs.
        margins: δ_i > 0 for each hidden unit.
        trees: for q = e_1, ..., e_dy, -(e_1 + ... + e_dy): Σ_i (h_i + δ_i q)·D_i ≥ 0.
    """

    duals: Matrix
    margins: tuple[mpq, ...]
    trees: tuple[TreeWitness, ...]


@dataclass(frozen=True, slots=True)
class AffineProof:
    """The proof for all parameters where the network is affine on the samples, and no affine function is better.

    Attributes:
        duals: e, shape (N, n_{L+1}), orthogonal to all affine functions of the inputs.
    """

    duals: Matrix


@dataclass(frozen=True, slots=True)
class ZeroLoss:
    """The proof that the loss is 0 and nowhere negative."""


Proof: TypeAlias = FormProof | MarginProof | AffineProof | ZeroLoss


@dataclass(frozen=True, slots=True)
class Minimum:
    """Proved: near the point, the loss is nowhere smaller.

    Attributes:
        proof: why.
        is_strict: whether it is proved that the loss is greater everywhere else nearby.
        flat: a direction in all parameters along which the loss keeps its value for a while; None if none is known.
    """

    proof: Proof
    is_strict: bool
    flat: Theta | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class NotMinimum:
    """Proved: the loss falls along a curve at once.

    Attributes:
        descent: the curve.
        is_stationary: whether the point passes every first-order test, so that only the curve's second order shows it.
        is_unbounded: whether the loss falls forever along the curve, a line: it has no lower bound.
    """

    descent: Descent
    is_stationary: bool
    is_unbounded: bool = False


@dataclass(frozen=True, slots=True)
class Undecided:
    """Minimality was neither proved nor refuted.

    Attributes:
        reason: what is missing, in words.
    """

    reason: str


Verdict: TypeAlias = Minimum | NotMinimum | Undecided


@dataclass(frozen=True, slots=True)
class EscapeUnit:
    """A hidden unit whose direction has slope 0 but moves the gradient of its outer weights.

    Attributes:
        unit: from 0.
        direction: v of its inner weights, with h·D(v) = 0.
        rates: D(v), not 0.
    """

    unit: int
    direction: tuple[mpq, ...]
    rates: tuple[mpq, ...]
