"""Turns a closed tree into one that shows F > 0 everywhere but at 0, where that is true.

A leaf's λ comes from a search for any λ, often one at the edge of what its inequalities allow: then they show F ≥ 0 on
the leaf's cone, and no more. So the λ of as many strict inequalities as the cone admits is found, by linear programs
that raise those that hold with equality, averaged (the set of all λ is convex). A leaf that fixes all signs shows F > 0
off 0 by such a λ if that is true: F is then in the interior of the cone that the signed kinks generate. Another leaf
may fail where it is true; it is split, as in the search of the tree. A direction other than 0 with F = 0 ends all that.
Source: proofs/minimality-tree.md.
"""

from collections.abc import Callable
from dataclasses import replace

from gmpy2 import mpq, mpz

from exactdrl.minimality.rules.blocks import Block, cell_row
from exactdrl.minimality.rules.flat import flat_in_leaf
from exactdrl.minimality.tree.chords import close_by_chords, is_narrow
from exactdrl.minimality.tree.cover import lowered
from exactdrl.minimality.tree.tree import (
    CellLeaf,
    Closed,
    Multipliers,
    OutOfBudget,
    Refuted,
    children,
    close_tree,
    is_strict,
    strict_kinks,
    zero_sides,
)


def find_strict(block: Block, tree: Closed, spend: Callable[[int], bool]) -> Closed | list[mpz] | None:
    """Returns a tree that shows F > 0 on a block but at 0; else a direction of the block with F = 0, or None.

    Args:
        block: a block.
        tree: its closed tree.
        spend: called with the work of each step before it; False ends the search, with None.
    """
    waiting, leaves = list(tree.leaves), []
    program: Multipliers | None = None
    while waiting:
        # a direction with F = 0 in any leaf ends the search: it is looked for in all of them before one is split
        loose: list[CellLeaf] = []
        for leaf in waiting:
            loosened = _loosen(block, leaf, spend)
            if loosened is None:
                return None
            if is_strict(block, loosened):
                leaves.append(loosened)
                continue
            flat = flat_in_leaf(block, loosened)
            if flat is not None:
                return flat
            loose.append(loosened)
        waiting = []
        if loose and program is None and not is_narrow(block):
            # one for all parts that are searched: each goes on from the last one's basis
            program = Multipliers(block)
        for leaf in loose:
            parts = _split(block, leaf, spend, program)
            if parts is None:
                return None
            waiting += parts
    return Closed(tuple(leaves))


def _loosen(block: Block, leaf: CellLeaf, spend: Callable[[int], bool]) -> CellLeaf | None:
    """Returns a leaf of the same cone and covers that shows F > 0 off 0; None for no budget.

    Where there is none, it is one with as many strict inequalities as cone and covers allow.
    """
    low = lowered(block, leaf.covers)
    while not is_strict(block, leaf) and (sides := zero_sides(low, replace(leaf, covers=()))):
        program = Multipliers(low, raised=sides)
        if not spend(program.cost):
            return None
        better = program.raise_sides(leaf.signs)
        if better is None:
            break
        half = mpq(1, 2)
        leaf = replace(leaf, multipliers=tuple((a + b) * half for a, b in zip(leaf.multipliers, better, strict=True)))
    return leaf


def _split(
    block: Block, leaf: CellLeaf, spend: Callable[[int], bool], program: Multipliers | None
) -> list[CellLeaf] | None:
    """Returns the leaves of trees below a leaf; None where there is none to split by, or no budget.

    Args:
        block: a block.
        leaf: a leaf of its tree.
        spend: called with the work of each step before it.
        program: of the block, for `close_tree`; None where trees with chords are searched.
    """
    kink = _next_kink(block, leaf)
    if kink is None or leaf.point is None:
        return None
    row = cell_row(block, leaf.signs, kink)
    if not any(row):
        return [replace(leaf, signs={**leaf.signs, kink: 0})]
    found: list[CellLeaf] = []
    for node in children(leaf.signs, kink, row, leaf.point):
        if program is None:
            closed = close_by_chords(block, leaf.point, spend, root=node)
        else:
            closed = close_tree(block, leaf.point, spend, root=node, program=program)
        match closed:
            case Closed(leaves):
                found += leaves
            case OutOfBudget():
                return None
            case Refuted():
                raise AssertionError("a closed tree is refuted: this is a bug")
    return found


def _next_kink(block: Block, leaf: CellLeaf) -> int | None:
    """Returns a kink without a sign: a concave one or one that is not tight, or one that it folds."""
    strict = set(strict_kinks(block, leaf))
    loose = [j for j in range(len(block.rows)) if j not in leaf.signs and (block.weights[j] < 0 or j not in strict)]
    for j in loose:
        return min(_open_below(block, j, leaf.signs))
    return None


def _open_below(block: Block, kink: int, signs: dict[int, int]) -> set[int]:
    """Returns a kink and those that it folds, however deep, without those that have a sign."""
    own = set() if kink in signs else {kink}
    return own.union(*(_open_below(block, k, signs) for k in block.folds[kink]))
