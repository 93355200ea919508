"""The tree with covers: at each node the concave kinks that are not fixed are covered by convex ones, if they can be.

So a node can close though concave kinks are free, and a tree of a few leaves does what one with a leaf for each cell of
the concave kinks would do: where a unit is constant, the 22 concave kinks of a unit behind it had up to 15,094.
Source: proofs/minimality-tree.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from gmpy2 import mpq, mpz

from exactdrl.minimality.rules.blocks import Block, cell_row
from exactdrl.minimality.tree.cover import find_covers, lowered, work_of_covers
from exactdrl.minimality.tree.tree import (
    CellLeaf,
    Closed,
    Multipliers,
    Node,
    OutOfBudget,
    Refuted,
    TreeResult,
    both_sides,
    children,
    find_inside,
    slacks,
)

_ZERO = mpq(0)


def close_covered(block: Block, point: Sequence[mpz], spend: Callable[[int], bool]) -> TreeResult:
    """Searches the tree with covers, depth first.

    Args:
        block: a block.
        point: where the search begins, as in `close_tree`.
        spend: called with the work of each node before it; False ends the search.
    """
    folded = {k for fold in block.folds for k in fold}
    leaves: list[CellLeaf] = []
    stack = [Node({}, tuple(point))]
    while stack:
        node = stack.pop()
        free = [j for j, b in enumerate(block.weights) if b < 0 and j not in folded and j not in node.signs]
        # what a free concave kink folds has to be fixed first, and then that kink: covers are for shallow ones
        deep = next((j for j in free if block.folds[j]), None)
        cost = 1 + len(block.rows) * (block.width + len(folded)) // 1000
        if not spend(cost if deep is not None else 2 * cost + work_of_covers(block, free)):
            return OutOfBudget()
        inside = node.point if node.point is not None else find_inside(block, node.signs)
        if isinstance(inside, CellLeaf):
            leaves.append(inside)
            continue
        if deep is not None:
            kink = min((k for k in _below(block, deep) if k not in node.signs), default=deep)
        else:
            closed = _close_node(block, node.signs, inside, free, folded)
            if isinstance(closed, CellLeaf):
                leaves.append(closed)
                continue
            for direction in closed:
                if block.change(direction) < 0:
                    return Refuted(direction)
            kink = _next_kink(block, node.signs, free, folded)
        row = cell_row(block, node.signs, kink)
        stack += children(node.signs, kink, row, inside) if any(row) else [Node({**node.signs, kink: 0}, inside)]
    return Closed(tuple(leaves))


def _close_node(
    block: Block, signs: dict[int, int], inside: tuple[mpz, ...], free: Sequence[int], folded: set[int]
) -> CellLeaf | list[tuple[mpz, ...]]:
    """Returns a leaf, or directions in which F may be negative where the node does not close."""
    weights = [_ZERO if j in set(free) else weight for j, weight in enumerate(block.weights)]
    solved = Multipliers(replace(block, weights=tuple(weights))).solve(signs, inside)
    if not isinstance(solved, CellLeaf):
        return both_sides(solved)
    if not free:
        return solved
    covers = find_covers(block, free, solved.multipliers)
    if covers is None:
        return []
    low = lowered(block, covers)
    if any(weight < 0 and j not in signs and j not in folded for j, weight in enumerate(low.weights)):
        # a kink has given more than it has: no λ fits
        return []
    again = Multipliers(low).solve(signs, inside)
    if not isinstance(again, CellLeaf):
        return both_sides(again)
    if any(slack < 0 for j, slack in enumerate(slacks(low, again)) if signs.get(j) != 0):
        raise AssertionError("a covered leaf does not close: this is a bug")
    return replace(again, covers=covers)


def _next_kink(block: Block, signs: dict[int, int], free: Sequence[int], folded: set[int]) -> int:
    """Returns the kink to fix next: the free concave one with the greatest weight, else one that others fold."""
    if free:
        return max(free, key=lambda j: (-block.weights[j] * sum(map(abs, block.rows[j])), -j))
    return min(j for j in folded if j not in signs)


def _below(block: Block, kink: int) -> set[int]:
    return {kink}.union(*(_below(block, k) for k in block.folds[kink]))
