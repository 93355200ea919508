"""Looks for a descent in one cell of a block, by a linear program.

The cell fixes the signs of all kinks that are concave or folded by others; on its cone F is at most, and inside it
exactly, a sum of |linear forms| with positive weights and one linear form.
"""

from collections.abc import Sequence

from gmpy2 import mpq, mpz

from exactdrl.exact.linear import common_denominator, to_integers
from exactdrl.exact.program import BoundedForms, Conflict
from exactdrl.minimality.rules.blocks import Block, cell_row


def cell_signs(block: Block, point: Sequence[mpz]) -> dict[int, int]:
    """Returns the signs that the cell of a point fixes; a kink that rests counts as -1."""
    folded = {k for fold in block.folds for k in fold}
    fixed: set[int] = set()
    for j in range(len(block.rows) - 1, -1, -1):
        if j in folded or j in fixed or block.weights[j] < 0:
            fixed |= {j, *block.folds[j]}
    return {j: 1 if z > 0 else -1 for j, z in enumerate(block.kink_changes(point)) if j in fixed}


def descend_in_cell(block: Block, signs: dict[int, int]) -> tuple[mpz, ...] | None:
    """Returns a direction with F < 0 if there is one in a cell; None says only that this cell holds none.

    The direction may lie outside of the cell: concave kinks are replaced by linear forms that are never less.
    """
    folded = {k for fold in block.folds for k in fold}
    slope = list(block.slope)
    columns: list[list[mpz]] = []
    bounds: list[tuple[mpq, mpq | None]] = []
    for j, weight in enumerate(block.weights):
        row = cell_row(block, signs, j)
        if j in signs:
            slope = [g + weight * signs[j] * a for g, a in zip(slope, row, strict=True)]
            if j not in folded:
                continue
        integers, scale = to_integers(row)
        columns.append([-entry for entry in integers] if signs.get(j) == -1 else integers)
        bounds.append((mpq(0), None) if j in folded else (-weight / scale, weight / scale))
    size = common_denominator([*slope, *(bound for pair in bounds for bound in pair if bound is not None)])
    forms = BoundedForms([[column[i] for column in columns] for i in range(block.width)], len(columns))
    for index, (lower, upper) in enumerate(bounds):
        forms.set_bounds(index, lower * size, None if upper is None else upper * size)
    for i, goal in enumerate(slope):
        forms.set_bounds(len(columns) + i, goal * size, goal * size)
    solved = forms.solve()
    if not isinstance(solved, Conflict):
        return None
    direction = tuple(-y for y in solved.multipliers)
    return direction if block.change(direction) < 0 else None
