"""Covers: by linear relations between kinks, concave ones are outweighed by convex ones.

Let Σ_i r_i Z_i = 0. Then Σ_i r_i z_i = Σ_k ρ_k |z_k| with ρ_k = Σ_i r_i L_ik, so that for each kink h

    |r_h| |z_h| ≤ Σ_{i≠h} |r_i| |z_i| + Σ_k |ρ_k| |z_k|.

Added to F, the difference lowers it: a cover of h gives |r_h| to the weight of h, and takes from all others. With all
concave kinks covered a single leaf may prove F ≥ 0 where the tree has one for each cell of theirs. For one layer this
is the sufficient condition R5 of proofs/minimality-tree.md.

The relations are looked for in integers, rounded: each concave kink is spread over the convex ones by weighted least
squares, and the weights moved from kinks with much load to those with little. What is found is then made exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from flint import fmpq_mat, fmpz, fmpz_mat
from gmpy2 import mpq

from exactdrl.exact.linear import independent_rows, solve_columns, to_integers, to_matrix
from exactdrl.minimality.rules.blocks import Block

_ZERO = mpq(0)
# rows are rounded to so many bits, weights of least squares and loads (of a capacity) to as many
_ROW, _WEIGHT = 20, 16
_ROUNDS = 40
# a share has so many binary digits, but for those that make the relation exact
_SHARE = 24
# the greatest load, in eighths of a capacity, with which a proof is tried: multipliers that were found before the
# covers may give way
_MOST = 10


@dataclass(frozen=True, slots=True)
class Cover:
    """A relation between a block's rows, and the kink whose weight it raises.

    Attributes:
        kink: h, by index in the block.
        shares: r, one for each kink; Σ_i r_i rows_i = 0.
    """

    kink: int
    shares: tuple[mpq, ...]


def lowered(block: Block, covers: Sequence[Cover]) -> Block:
    """Returns the block with the weights that covers leave: its F is nowhere greater."""
    weights = list(block.weights)
    for cover in covers:
        bent = [_ZERO] * len(weights)
        for i, share in enumerate(cover.shares):
            if not share:
                continue
            weights[i] += abs(share) if i == cover.kink else -abs(share)
            for k, fold in block.folds[i].items():
                bent[k] += share * fold
        weights = [weight - abs(entry) if entry else weight for weight, entry in zip(weights, bent, strict=True)]
    return replace(block, weights=tuple(weights))


def work_of_covers(block: Block, concave: Sequence[int]) -> int:
    """Returns the work of looking for covers, in the unit of `close_tree`."""
    return _ROUNDS * len(block.rows) * len(concave) // 1000


def find_covers(block: Block, concave: Sequence[int], multipliers: Sequence[mpq]) -> tuple[Cover, ...] | None:
    """Returns covers that raise the weights of some kinks to 0 or a little more, None where none were found.

    Args:
        block: a block.
        concave: kinks with negative weights that fold none and that none folds.
        multipliers: λ for the block without these kinks; they load the convex kinks too.
    """
    capacities = [
        weight - sum((block.folds[k].get(j, _ZERO) * m for k, m in enumerate(multipliers)), _ZERO)
        for j, weight in enumerate(block.weights)
    ]
    columns = sorted({c for j in concave for c, entry in enumerate(block.rows[j]) if entry})
    outside = set(range(block.width)).difference(columns)
    convex = [
        j
        for j, row in enumerate(block.rows)
        if capacities[j] > 0 and not block.folds[j] and not any(row[c] for c in outside)
    ]
    rows = [[block.rows[j][c] for c in columns] for j in convex]
    wanted = [[block.rows[j][c] for c in columns] for j in concave]
    pivots = independent_rows([list(column) for column in zip(*rows, strict=True)], len(convex))
    if len(independent_rows([*rows, *wanted], len(columns))) > len(pivots):
        # a kink outside the span of the others is covered by none
        return None
    slope = [sum((multipliers[j] * row[p] for j, row in zip(convex, rows, strict=True)), _ZERO) for p in pivots]
    bounds = [capacities[j] for j in convex]
    loads = [[-block.weights[j] * row[p] for p in pivots] for j, row in zip(concave, wanted, strict=True)]
    spread = _spread([[b * row[p] for p in pivots] for b, row in zip(bounds, rows, strict=True)], [*loads, slope])
    if spread is None:
        return None
    order, parts = spread
    basis = [order[i] for i in independent_rows([[rows[i][p] for p in pivots] for i in order], len(pivots))]
    relations = [
        {i: _short(bound * part) for i, (bound, part) in enumerate(zip(bounds, column, strict=True)) if i not in basis}
        for column in parts[: len(concave)]
    ]
    heads = [_short(-block.weights[j] * (1 + mpq(1, 1 << (_SHARE - 2)))) for j in concave]
    rest = [
        [head * row[p] - sum((r * rows[i][p] for i, r in relation.items()), _ZERO) for p in pivots]
        for head, row, relation in zip(heads, wanted, relations, strict=True)
    ]
    solved = solve_columns([[rows[i][p] for i in basis] for p in pivots], rest)
    covers = []
    for j, head, relation, exact in zip(concave, heads, relations, solved, strict=True):
        shares = [_ZERO] * len(block.rows)
        for i, share in (*relation.items(), *zip(basis, exact, strict=True)):
            shares[convex[i]] = share
        shares[j] = -head
        covers.append(Cover(j, tuple(shares)))
    return tuple(covers)


def _spread(rows: Sequence[Sequence[mpq]], wanted: Sequence[Sequence[mpq]]) -> tuple[list[int], list[list[mpq]]] | None:
    """Returns the rows by their weight, greatest first, and each wanted row as a combination of rows, rounded.

    The sizes of a row's coefficients add up to its load; None where the greatest load is too great.
    """
    width = len(rows[0])
    exact, _ = to_integers([entry for row in (*rows, *wanted) for entry in row])
    lines = [exact[i : i + width] for i in range(0, len(exact), width)]
    shifts = [max(0, max(int(line[c].bit_length()) for line in lines) - _ROW) for c in range(width)]
    rounded = [[entry >> shift for entry, shift in zip(line, shifts, strict=True)] for line in lines]
    matrix, right = to_matrix(rounded[: len(rows)], width), to_matrix(rounded[len(rows) :], width).transpose()
    entries, transposed = matrix.tolist(), matrix.transpose()
    weights = [1 << _WEIGHT] * len(rows)
    best: tuple[int, list[int], list[list[fmpz]], int] | None = None
    for _ in range(_ROUNDS):
        weighted = fmpz_mat([[weight * entry for entry in row] for weight, row in zip(weights, entries, strict=True)])
        gram = transposed * weighted
        if gram.rank() < width:
            return None
        numerators, denominator = fmpq_mat(gram).solve(fmpq_mat(right)).numer_denom()
        parts = (weighted * numerators).tolist()
        size = int(denominator)
        loads = [(int(sum(map(abs, row))) << _WEIGHT) // size for row in parts]
        worst, mean = max(loads), sum(loads) // len(loads)
        if best is None or worst < best[0]:
            best = worst, weights, parts, size
        weights = [
            weight - 3 * weight * (load - mean) // (10 * worst + 1) for weight, load in zip(weights, loads, strict=True)
        ]
        largest = max(weights)
        weights = [max(1, (weight << _WEIGHT) // largest) for weight in weights]
    if best is None or best[0] * 8 > _MOST << _WEIGHT:
        return None
    _, weights, parts, size = best
    order = sorted(range(len(rows)), key=lambda i: -weights[i])
    return order, [[mpq(int(row[c]), size) for row in parts] for c in range(len(wanted))]


def _short(value: mpq) -> mpq:
    """Returns a rational rounded towards 0 to few binary digits."""
    if not value:
        return _ZERO
    exponent = int(value.numerator.bit_length()) - int(value.denominator.bit_length()) - _SHARE
    unit = mpq(2) ** exponent
    quotient = abs(value) / unit
    size = (quotient.numerator // quotient.denominator) * unit
    return size if value > 0 else -size
