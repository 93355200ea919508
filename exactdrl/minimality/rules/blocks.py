"""Blocks: units of the trained layer that share no remaining kink are decided apart, since F is the sum over blocks.

A block's kinks are scaled to integer rows of short numbers, in the pivot columns of those rows alone; the slope lies in
their span, so F does not depend on the other columns. Source: proofs/minimality-tree.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from operator import mul

from gmpy2 import mpq, mpz

from exactdrl.exact.linear import independent_rows, pivot_columns, project_out, to_integers
from exactdrl.minimality.rules.settle import Settled

_ZERO = mpq(0)


@dataclass(frozen=True, slots=True)
class Block:
    """F on some units, as an abs-normal form in `width` variables y: z_j = rows_j · y + Σ folds_jk |z_k|, scaled.

    Attributes:
        units: of the trained layer, increasing.
        positions: of the kinks in the whole form, in address order.
        scales: by which the kinks are multiplied here.
        columns: of the whole form, one for each variable.
        is_flat: whether F does not depend on some of the units' parameters.
        rows: integers.
        folds: for each kink, rationals by the kink's index in this block.
        slope: of F.
        weights: of |z_j| in F.
    """

    units: tuple[int, ...]
    positions: tuple[int, ...]
    scales: tuple[mpq, ...]
    columns: tuple[int, ...]
    is_flat: bool
    rows: tuple[tuple[mpz, ...], ...]
    folds: tuple[dict[int, mpq], ...]
    slope: tuple[mpq, ...]
    weights: tuple[mpq, ...]

    @property
    def width(self) -> int:
        """Returns the number of variables."""
        return len(self.columns)

    @property
    def is_shallow(self) -> bool:
        """Returns whether no kink folds another: F is a sum of |linear forms| and one linear form."""
        return not any(self.folds)

    def kink_changes(self, direction: Sequence[mpz]) -> list[mpq]:
        """Returns z_j along a direction."""
        changes: list[mpq] = []
        for row, fold in zip(self.rows, self.folds, strict=True):
            change = mpq(sum(map(mul, row, direction)))
            for k, c in fold.items():
                change += c * abs(changes[k])
            changes.append(change)
        return changes

    def change(self, direction: Sequence[mpz]) -> mpq:
        """Returns F(direction)."""
        return self.change_of(direction, self.kink_changes(direction))

    def change_of(self, direction: Sequence[mpz], kink_changes: Sequence[mpq]) -> mpq:
        """Returns F(direction), from the kinks' changes along it."""
        bent = sum((b * abs(z) for b, z in zip(self.weights, kink_changes, strict=True)), _ZERO)
        return bent + sum((g * d for g, d in zip(self.slope, direction, strict=True)), _ZERO)

    def embed(self, direction: Sequence[mpz], n: int) -> list[mpq]:
        """Returns a direction of the whole form, 0 outside the block's columns."""
        whole = [_ZERO] * n
        for column, entry in zip(self.columns, direction, strict=True):
            whole[column] = mpq(entry)
        return whole


def cell_row(block: Block, signs: dict[int, int], kink: int) -> list[mpq]:
    """Returns the row by which z_kink is linear on a cone that fixes the signs of all kinks that it folds."""
    row = [mpq(entry) for entry in block.rows[kink]]
    for k, fold in block.folds[kink].items():
        folded = cell_row(block, signs, k)
        row = [a + fold * signs[k] * b for a, b in zip(row, folded, strict=True)]
    return row


def cell_rows(block: Block, signs: Sequence[int]) -> list[list[mpq]]:
    """Returns the rows by which the kinks are linear on a cone that fixes all signs."""
    rows: list[list[mpq]] = []
    for own, fold in zip(block.rows, block.folds, strict=True):
        row = [mpq(entry) for entry in own]
        for k, c in fold.items():
            row = [a + c * signs[k] * b for a, b in zip(row, rows[k], strict=True)]
        rows.append(row)
    return rows


def find_escape(state: Settled) -> tuple[mpq, ...] | None:
    """Returns a direction with F' < 0 along which no remaining kink changes; None if the slope is in their rows' span.

    The rows of settled kinks without effect do not count: F' does not see them.
    """
    rows = [to_integers(state.form.rows[j])[0] for j in state.remaining]
    slope, _ = to_integers(state.slope)
    part = project_out([rows[j] for j in independent_rows(rows, len(slope))], slope)
    return tuple(mpq(-entry) for entry in part) if any(part) else None


def split(state: Settled, units: int) -> list[Block]:
    """Returns the blocks of the remaining kinks, in the order of their first units.

    Args:
        state: with a slope that is a combination of the remaining kinks' rows.
        units: the number of units in the trained layer.
    """
    size = len(state.slope) // units
    leader = list(range(units))

    def find(unit: int) -> int:
        while leader[unit] != unit:
            unit = leader[unit]
        return unit

    touched: dict[int, set[int]] = {}
    for j in state.remaining:
        own = {column // size for column, entry in enumerate(state.form.rows[j]) if entry}
        touched[j] = own.union(*(touched[k] for k in state.form.folds[j]))
        first, *others = sorted({find(unit) for unit in touched[j]})
        for unit in others:
            leader[unit] = first
    groups: dict[int, list[int]] = {}
    for j in state.remaining:
        groups.setdefault(find(min(touched[j])), []).append(j)
    return [
        _block(state, tuple(unit for unit in range(units) if find(unit) == first), positions, size)
        for first, positions in sorted(groups.items())
    ]


def _block(state: Settled, units: tuple[int, ...], positions: Sequence[int], size: int) -> Block:
    columns = [unit * size + p for unit in units for p in range(size)]
    rows: list[list[mpz]] = []
    scales: list[mpq] = []
    for j in positions:
        integers, denominator = to_integers([state.form.rows[j][column] for column in columns])
        content = mpz(gcd(*(int(entry) for entry in integers))) or mpz(1)
        rows.append([entry // content for entry in integers])
        scales.append(mpq(denominator, content))
    pivots = pivot_columns(rows, len(columns))
    index = {position: local for local, position in enumerate(positions)}
    folds = tuple(
        {index[k]: value * scales[index[j]] / scales[index[k]] for k, value in sorted(state.form.folds[j].items())}
        for j in positions
    )
    return Block(
        units,
        tuple(positions),
        tuple(scales),
        tuple(columns[p] for p in pivots),
        len(pivots) < len(columns),
        tuple(tuple(row[p] for p in pivots) for row in rows),
        folds,
        tuple(state.slope[columns[p]] for p in pivots),
        tuple(state.weights[j] / scale for j, scale in zip(positions, scales, strict=True)),
    )
