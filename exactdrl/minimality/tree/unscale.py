"""Converts the scaled units of the search to the true units of the witness.

`IntegerProblem` scales a kink's form by a factor s and the loss by a factor S. F = Σ λ z + c |z| in scaled units;
divided by S, with z = s times the true z, this is the same with λ s/S and c s/S. Signs, and all inequalities, stay.
"""

from collections.abc import Sequence

from gmpy2 import mpq

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.minimality.rules.blocks import Block
from exactdrl.minimality.rules.settle import Settled
from exactdrl.minimality.tree.tree import Closed
from exactdrl.minimality.tree.witness import BlockWitness, Leaf, TreeWitness


def true_factors(problem: IntegerProblem) -> list[list[mpq]]:
    """Returns s/S by layer (the trained one first) and sample.

    A kink of layer l on sample i has s = D_i times the layer's scale, a residual T_i times that; S is the scale of the
    loss, and the common denominator of all samples is w_i D_i T_i for every i.
    """
    top = len(problem.widths) - 1
    total = problem.scales[top] * problem.loss_unit
    return [
        [
            mpq(problem.scales[depth], total * weight * (1 if depth == top else factor))
            for weight, factor in zip(problem.sample_weights, problem.residual_factors, strict=True)
        ]
        for depth in range(top + 1)
    ]


def to_witness(problem: IntegerProblem, state: Settled, closed: Sequence[tuple[Block, Closed]]) -> TreeWitness:
    """Returns the witness of closed trees, in true units."""
    factors = true_factors(problem)
    kinks = state.form.kinks
    factor = [factors[kink.layer - problem.first][kink.sample] for kink in kinks]
    return gather_witness(state, closed, factor, problem.reduction.units)


def gather_witness(
    state: Settled, closed: Sequence[tuple[Block, Closed]], factor: Sequence[mpq], units: Sequence[int]
) -> TreeWitness:
    """Returns the witness of closed trees, in other units.

    Args:
        state: what was settled before.
        closed: the blocks with their trees.
        factor: for each kink of the form, s/S (see above).
        units: what each unit of a block is called in the witness.
    """
    kinks = state.form.kinks
    settled = sorted((kinks[s.position], s.multiplier * factor[s.position]) for s in state.kinks)
    witnesses = []
    for block, tree in closed:
        scales = [scale * factor[j] for scale, j in zip(block.scales, block.positions, strict=True)]
        own = tuple(kinks[j] for j in block.positions)
        leaves = tuple(
            Leaf(
                tuple((own[j], sign) for j, sign in sorted(leaf.signs.items()) if sign),
                tuple(m * scale for m, scale in zip(leaf.multipliers, scales, strict=True)),
                leaf.is_empty,
                tuple(
                    (own[cover.kink], tuple(r * scale for r, scale in zip(cover.shares, scales, strict=True)))
                    for cover in leaf.covers
                ),
            )
            for leaf in tree.leaves
        )
        witnesses.append(BlockWitness(tuple(units[u] for u in block.units), own, leaves))
    return TreeWitness(tuple(settled), tuple(witnesses))
