"""What shows that a point is a local minimum by the tree: settled kinks, blocks, leaves. In true units.

The witness speaks of F as proofs/FORMAT.md, section 5, defines it, after its reduction: of the true preactivations,
residuals and loss. `IntegerProblem` scales: a kink's form by a factor s, the loss by a factor S; from F = Σ λ z + c |z|
follows that λ in true units is s/S times the scaled one.
"""

from dataclasses import dataclass

from gmpy2 import lcm, mpq

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink
from exactdrl.exact.linear import common_denominator


@dataclass(frozen=True, slots=True)
class Leaf:
    """A node of a block's tree at which it closes.

    Attributes:
        signs: the kinks whose signs it fixes, in address order, each with 1 or -1.
        multipliers: λ, one for each kink of the block in address order.
        is_empty: λ shows that the cone of these signs has no interior; else that F ≥ 0 on it.
    """

    signs: tuple[tuple[Kink, int], ...]
    multipliers: tuple[mpq, ...]
    is_empty: bool


@dataclass(frozen=True, slots=True)
class BlockWitness:
    """F ≥ 0 on some units.

    Attributes:
        units: of the trained layer, increasing.
        kinks: of the block, in address order.
        leaves: they cover all signs.
    """

    units: tuple[int, ...]
    kinks: tuple[Kink, ...]
    leaves: tuple[Leaf, ...]


@dataclass(frozen=True, slots=True)
class TreeWitness:
    """F ≥ 0.

    Attributes:
        settled: kinks that are dealt with before the form splits into blocks, in address order, each with its λ.
        blocks: what remains.
    """

    settled: tuple[tuple[Kink, mpq], ...]
    blocks: tuple[BlockWitness, ...]


def true_factors(problem: IntegerProblem) -> list[list[mpq]]:
    """Returns s/S by layer (the trained one first) and sample.

    A kink of layer l on sample i has s = D_i E_{ℓ+1} ⋯ E_l, a residual T_i times that; S = C E_{ℓ+1} ⋯ E_{L+1} with
    C = w_i D_i T_i for every i.
    """
    above = mpq(1)
    factors: list[list[mpq]] = []
    for depth in range(len(problem.widths) - 1, -1, -1):
        is_residual = depth == len(problem.widths) - 1
        factors.append(
            [
                above / (weight * (1 if is_residual else factor))
                for weight, factor in zip(problem.sample_weights, problem.residual_factors, strict=True)
            ]
        )
        if depth:
            layer = problem.instance.layers[problem.first + depth - 1]
            above /= lcm(common_denominator(layer.bias or ()), *(common_denominator(row) for row in layer.weight))
    return factors[::-1]
