"""Directions along which F is 0: where one exists a local minimum is not strict, and its minimisers form a face."""

from collections.abc import Sequence

from gmpy2 import mpq, mpz

from exactdrl.cells.local_form import LocalForm
from exactdrl.exact.linear import independent_rows, to_integers, to_matrix
from exactdrl.exact.program import BoundedForms, Conflict
from exactdrl.minimality.rules.blocks import Block, cell_row
from exactdrl.minimality.rules.settle import Settled, SettledKink
from exactdrl.minimality.tree.tree import CellLeaf, Closed, slacks, strict_kinks

# leaves that are looked at: a linear program each
_LEAVES = 512


def find_still(form: LocalForm) -> tuple[mpq, ...] | None:
    """Returns a direction other than 0 along which no kink of a form changes, None if there is none."""
    n = len(form.slope)
    rows = [to_integers(row)[0] for row in form.rows]
    if len(independent_rows(rows, n)) == n:
        return None
    kernel, _ = to_matrix(rows or [[mpq(0)] * n], n).nullspace()
    return tuple(mpq(int(kernel[row, 0])) for row in range(n))


def face_dimension(form: LocalForm, direction: Sequence[mpq]) -> int:
    """Returns the dimension of the face that a ray enters: n minus the rank of the kinks that rest along it."""
    changes = form.kink_changes(direction)
    rows: list[list[mpq]] = []
    for own, fold in zip(form.rows, form.folds, strict=True):
        row = list(own)
        for k, c in fold.items():
            if changes[k]:
                factor = c if changes[k] > 0 else -c
                row = [a + factor * b for a, b in zip(row, rows[k], strict=True)]
        rows.append(row)
    n = len(form.slope)
    resting = [to_integers(row)[0] for row, change in zip(rows, changes, strict=True) if not change]
    return n - len(independent_rows(resting, n))


def find_flat(state: Settled, closed: Sequence[tuple[Block, Closed]]) -> tuple[mpq, ...] | None:
    """Returns a direction other than 0 with F = 0 at a proved minimum; None only says that none was found."""
    still = find_still(state.form)
    if still is not None:
        return still
    for kink in state.kinks:
        if is_loose(state, kink):
            return state.push(kink)
    n = len(state.slope)
    for block, tree in closed:
        for leaf in tree.leaves[:_LEAVES]:
            direction = None if leaf.is_empty else flat_in_leaf(block, leaf)
            if direction is not None:
                return state.lift(block.embed(direction, n))
    return None


def is_loose(state: Settled, kink: SettledKink) -> bool:
    """Returns whether a settled kink can change, the others resting, while F stays 0."""
    return kink.escape is not None and abs(kink.multiplier) == state.weights[kink.position]


def flat_in_leaf(block: Block, leaf: CellLeaf) -> list[mpz] | None:
    """Returns a direction other than 0 in a leaf's cone with F = 0; None only says that none was found.

    F is at least a sum of terms ≥ 0, one for each kink: that is 0 where kinks with a strict inequality rest and the
    others, which have |λ_j| = c_j or are fixed, do not move to the side on which their term is positive. Kinks whose
    term is 0 on both sides, as those that are covered, may move.
    """
    strict = set(strict_kinks(block, leaf))
    folded = {k for fold in block.folds for k in fold}
    slack, multipliers = slacks(block, leaf), leaf.multipliers
    free = {j for j, s in enumerate(slack) if j not in leaf.signs and not s and not multipliers[j]} - folded
    signs = {
        j: leaf.signs.get(j) or (-1 if multiplier > 0 else 1)
        for j, multiplier in enumerate(multipliers)
        if j not in free
    }
    rows = [to_integers(cell_row(block, signs, j))[0] for j in signs]
    moving = [
        [sign * entry for entry in row] for (j, sign), row in zip(signs.items(), rows, strict=True) if j not in strict
    ]
    if not moving:
        return None
    forms = BoundedForms([*rows, [sum(column, mpz(0)) for column in zip(*moving, strict=True)]], block.width)
    zero = mpq(0)
    for place, (j, sign) in enumerate(signs.items()):
        bounds = (zero, zero) if j in strict else (zero, None) if sign > 0 else (None, zero)
        forms.set_bounds(block.width + place, *bounds)
    forms.set_bounds(block.width + len(rows), mpq(1), None)
    solved = forms.solve()
    if isinstance(solved, Conflict):
        return None
    direction = to_integers(solved)[0]
    return direction if block.change(direction) == 0 else None
