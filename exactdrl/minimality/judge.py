"""The verdict on a point: the rules that decide, in their order."""

from collections.abc import Callable, Sequence

from gmpy2 import mpq, mpz

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.scan import Values, scaled_loss
from exactdrl.exact.linear import independent_rows, to_integers
from exactdrl.minimality.blocks import Block, find_escape, split
from exactdrl.minimality.likq import decide_by_likq, reduce_form
from exactdrl.minimality.local_form import localise
from exactdrl.minimality.settle import Settled, settle
from exactdrl.minimality.tree import CellLeaf, Closed, OutOfBudget, Refuted, TreeResult, close_tree
from exactdrl.minimality.trial import try_directions
from exactdrl.minimality.verdict import LocalMinimum, NotMinimum, StrictLocalMinimum, Undecided, Verdict
from exactdrl.minimality.witness import BlockWitness, Leaf, TreeWitness, true_factors

# nodes of the tree: about a millisecond each at one dead unit in R^4 with 40 samples
DEFAULT_BUDGET = 4000


def judge(
    problem: IntegerProblem,
    values: Values,
    *,
    budget: int = DEFAULT_BUDGET,
    on_node: Callable[[int], None] | None = None,
) -> Verdict:
    """Returns the verdict on the point whose scaled values are given.

    Exact and deterministic. LIKQ decides regular vertices and the degenerate ones whose extra kinks merge or have no
    effect; elsewhere kinks are settled, units that share no kink are decided apart, and the tree of tangent cells
    decides each block.

    Args:
        problem: the scaled problem.
        values: of the point.
        budget: how many nodes the trees may have; beyond it the verdict is `Undecided`.
        on_node: called with the number of nodes so far.
    """
    form = localise(problem, values)
    reduced = reduce_form(form)
    qualified = decide_by_likq(reduced)
    if qualified is not None:
        if qualified.descent is not None:
            return NotMinimum(qualified.descent)
        return StrictLocalMinimum() if qualified.is_strict and not problem.lineality else LocalMinimum("likq")
    if scaled_loss(problem, values) == 0:
        return LocalMinimum("zero-loss")
    state = settle(reduced)
    if not isinstance(state, Settled):
        return NotMinimum(state)
    escape = find_escape(state)
    if escape is not None:
        return NotMinimum(escape)
    blocks = split(state, problem.widths[0])
    results = _decide(blocks, budget, on_node)
    if isinstance(results, tuple):
        block, direction = results
        return NotMinimum(state.lift(block.embed(direction, problem.dimension)))
    closed = [result for result in results if isinstance(result, Closed)]
    if len(closed) < len(blocks):
        return Undecided(len(form.kinks))
    witness = _to_witness(problem, state, list(zip(blocks, closed, strict=True)))
    rows = [to_integers(row)[0] for row in reduced.rows]
    strict = (
        not problem.lineality
        and len(independent_rows(rows, problem.dimension)) == problem.dimension
        and state.is_strict()
        and all(_is_strict(block, leaf) for block, tree in zip(blocks, closed, strict=True) for leaf in tree.leaves)
    )
    return StrictLocalMinimum("tree", witness) if strict else LocalMinimum("tree", witness)


def _decide(
    blocks: Sequence[Block], budget: int, on_node: Callable[[int], None] | None
) -> list[TreeResult] | tuple[Block, tuple[mpz, ...]]:
    """Returns each block's result, or a block and a direction where it is negative."""
    begins = []
    for block in blocks:
        direction, least = try_directions(block)
        if least < 0:
            return block, direction
        begins.append(direction)
    nodes = 0

    def spend() -> bool:
        nonlocal nodes
        nodes += 1
        if on_node is not None:
            on_node(nodes)
        return nodes <= budget

    results: list[TreeResult] = []
    for block, begin in zip(blocks, begins, strict=True):
        result = close_tree(block, begin, spend)
        if isinstance(result, Refuted):
            return block, result.direction
        results.append(result)
        if isinstance(result, OutOfBudget):
            nodes = 0
    return results


def _is_strict(block: Block, leaf: CellLeaf) -> bool:
    """Returns whether a leaf shows F > 0 on its cone but at 0: strict inequalities, closed under folds, of full rank."""
    if leaf.is_empty:
        return True
    if block.is_flat:
        # F does not depend on some parameters, though other blocks or settled kinks may
        pass
    strict: list[int] = []
    for j, multiplier in enumerate(leaf.multipliers):
        c = block.weights[j] - sum((block.folds[k].get(j, mpq(0)) * leaf.multipliers[k] for k in range(j + 1, len(block.rows))), mpq(0))
        sign = leaf.signs.get(j, 0)
        slack = sign * multiplier + c if sign else c - abs(multiplier)
        if slack > 0 and all(k in strict for k in block.folds[j]):
            strict.append(j)
    return len(independent_rows([block.rows[j] for j in strict], block.width)) == block.width


def _to_witness(problem: IntegerProblem, state: Settled, closed: Sequence[tuple[Block, Closed]]) -> TreeWitness:
    factors = true_factors(problem)
    kinks = state.form.kinks
    factor = [factors[kink.layer - problem.first][kink.sample] for kink in kinks]
    settled = sorted((kinks[s.position], s.multiplier * factor[s.position]) for s in state.kinks)
    witnesses = []
    for block, tree in closed:
        scales = [scale * factor[j] for scale, j in zip(block.scales, block.positions, strict=True)]
        leaves = tuple(
            Leaf(
                tuple((kinks[block.positions[j]], sign) for j, sign in sorted(leaf.signs.items())),
                tuple(m * scale for m, scale in zip(leaf.multipliers, scales, strict=True)),
                leaf.is_empty,
            )
            for leaf in tree.leaves
        )
        witnesses.append(BlockWitness(block.units, tuple(kinks[j] for j in block.positions), leaves))
    return TreeWitness(tuple(settled), tuple(witnesses))
