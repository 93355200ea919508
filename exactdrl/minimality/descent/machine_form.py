"""A block rounded to machine integers: many directions at once, F and its gradient by shifts and sums in int64.

It only proposes directions, which the caller evaluates exactly. No float takes part and no sum overflows, so that the
proposals are the same on every machine.

Scales. Variables y are turned and stretched so that the kinks, each in proportion to its weight, spread evenly over
all of them: d = transform · y. Then, with `_ENTRY` bits for y, each kink is divided by the power of two that bounds it
by 2^`_KINK` for all those y, and all weights on kinks by one power of two that bounds them by 2^`_WEIGHT`. A fold is
then at most 1, and is held in units of 2^-`_FOLD`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from gmpy2 import divexact, isqrt, mpq, mpz
from numpy.typing import NDArray

from exactdrl.exact.linear import primitive, to_integers, to_matrix, to_mpz
from exactdrl.minimality.rules.blocks import Block

Integers: TypeAlias = NDArray[np.int64]

# |z| < 2^_KINK, weights ≤ 2^_WEIGHT: a sum over 2^11 kinks stays below 2^62
_ENTRY, _KINK, _WEIGHT, _FOLD = 18, 38, 12, 16
_MOST_KINKS, _MOST_VARIABLES = 2**11, 2**8
# beyond, variables are stretched only: an exact elimination grows like width^4 or faster
_MOST_TURNED = 32
REACH = 2**_ENTRY


@dataclass(frozen=True, slots=True)
class _Level:
    """Kinks that fold others, one level deeper than the deepest of those.

    Attributes:
        kinks: their indices.
        folded: (len(kinks), most folds of one) indices; filled up with 0.
        folds: of these, in units of 2^-`_FOLD`; filled up with 0.
    """

    kinks: Integers
    folded: Integers
    folds: Integers


@dataclass(frozen=True, slots=True)
class MachineForm:
    """F of a block, rounded.

    Attributes:
        transform: (width, width) integers, d = transform · y.
        rows: (kinks, width).
        levels: from the shallowest kinks that fold others to the deepest.
        slope: (width,).
        weights: (kinks, 1).
    """

    transform: tuple[tuple[mpz, ...], ...]
    rows: Integers
    levels: tuple[_Level, ...]
    slope: Integers
    weights: Integers

    def kink_changes(self, points: Integers) -> Integers:
        """Returns z at each of (width, count) points, |entries| ≤ REACH."""
        changes: Integers = self.rows @ points
        for level in self.levels:
            for q in range(level.folded.shape[1]):
                bent: Integers = np.abs(changes[level.folded[:, q]]) * level.folds[:, q, None]
                changes[level.kinks] += bent >> _FOLD
        return changes

    def changes(self, kinks: Integers, points: Integers) -> tuple[Integers, Integers]:
        """Returns F at points, and Σ |b_j z_j|, from z at the points."""
        bent = self.weights * np.abs(kinks)
        return self.slope @ points + bent.sum(axis=0), np.abs(bent).sum(axis=0)

    def gradients(self, kinks: Integers) -> Integers:
        """Returns the gradient of F at points, (width, count), from z at the points."""
        signs = np.sign(kinks)
        weights: Integers = np.repeat(self.weights, kinks.shape[1], axis=1)
        for level in reversed(self.levels):
            for q in range(level.folded.shape[1]):
                bent: Integers = level.folds[:, q, None] * signs[level.kinks] * weights[level.kinks]
                np.add.at(weights, level.folded[:, q], bent >> _FOLD)
        signed = signs * weights
        result: Integers = self.slope[:, None] + self.rows.T @ signed
        return result

    def to_direction(self, point: Sequence[int]) -> tuple[mpz, ...]:
        """Returns the block's direction at a point."""
        return tuple(sum((t * int(y) for t, y in zip(row, point, strict=True)), mpz(0)) for row in self.transform)


def to_machine_form(block: Block) -> MachineForm | None:
    """Returns a block, rounded; None for too many kinks or variables, or for a kink that is 0 or without effect."""
    count = len(block.rows)
    if not count or count > _MOST_KINKS or block.width > _MOST_VARIABLES:
        return None
    slope, weights = _to_primitive(block)
    influence = _influence(block, weights)
    if not all(influence):
        return None
    transform = _find_transform(block, influence)
    columns = (to_matrix(block.rows, block.width) * to_matrix(transform, block.width)).tolist()
    transformed = [[mpz(int(entry)) for entry in row] for row in columns]
    # the power of two that bounds each kink, for |y| ≤ 2^_ENTRY
    bounds: list[mpq] = []
    exponents: list[int] = []
    for row, fold in zip(transformed, block.folds, strict=True):
        bound = mpq(sum(map(abs, row)) << _ENTRY) + sum((abs(c) * bounds[k] for k, c in fold.items()), mpq(0))
        if not bound:
            return None
        bounds.append(bound)
        exponents.append(_exponent(bound) - _KINK)
    rows = [[_shift(mpq(entry), -e) for entry in row] for row, e in zip(transformed, exponents, strict=True)]
    slopes_of_y = [mpq(sum(g * transform[i][c] for i, g in enumerate(slope))) for c in range(block.width)]
    # one power of two for weights and slope
    largest = max(_exponent(a) + e for a, e in zip(influence, exponents, strict=True)) - _WEIGHT
    steepest = max(map(_exponent, slopes_of_y)) + _ENTRY + block.width.bit_length() - 60
    scale = max(largest, steepest)
    return MachineForm(
        tuple(tuple(row) for row in transform),
        np.array(rows, dtype=np.int64),
        _levels(block, exponents),
        np.array([_shift(g, -scale) for g in slopes_of_y], dtype=np.int64),
        np.array([[_shift(b, e - scale)] for b, e in zip(weights, exponents, strict=True)], dtype=np.int64),
    )


def _exponent(value: mpq) -> int:
    """Returns an e with |value| < 2^e, at most 2 too large; for 0 one that is small."""
    if not value:
        return -(2**30)
    return int(value.numerator.bit_length()) - int(value.denominator.bit_length()) + 1


def _shift(value: mpq, exponent: int) -> int:
    """Returns value · 2^exponent, rounded down."""
    top, bottom = value.numerator, value.denominator
    return int((top << exponent) // bottom if exponent >= 0 else top // (bottom << -exponent))


def _to_primitive(block: Block) -> tuple[list[mpz], list[mpq]]:
    """Returns slope and weights, as integers without a common factor: proposals do not depend on the loss's unit."""
    integers, _ = to_integers([*block.slope, *block.weights])
    entries = primitive(integers)
    return list(entries[: block.width]), [mpq(entry) for entry in entries[block.width :]]


def _influence(block: Block, weights: Sequence[mpq]) -> list[mpq]:
    """Returns, for each kink, a bound on the weight of |z_j| in F whatever the signs of the kinks that fold it."""
    influence = [abs(weight) for weight in weights]
    for j in range(len(influence) - 1, -1, -1):
        for k, fold in block.folds[j].items():
            influence[k] += abs(fold) * influence[j]
    return influence


def _find_transform(block: Block, influence: Sequence[mpq]) -> list[list[mpz]]:
    """Returns a nonsingular matrix, its columns nearly orthogonal for Σ (influence_j rows_j · d)² and of equal length.

    Exactly orthogonal, and rounded once at the end; the rounding does no harm, see the module.
    """
    width = block.width
    weighted = [[a * entry for entry in row] for a, row in zip(influence, block.rows, strict=True)]
    integers, _ = to_integers([entry for row in weighted for entry in row])
    stacked = to_matrix([integers[i * width : (i + 1) * width] for i in range(len(weighted))], width)
    gram = [[to_mpz(entry) for entry in row] for row in (stacked.transpose() * stacked).tolist()]
    if width > _MOST_TURNED:
        columns = [[mpq(i == index) for i in range(width)] for index in range(width)]
        sizes = [mpq(gram[index][index]) for index in range(width)]
    else:
        columns, sizes = _orthogonalise(gram)
    digits = 40 + max(_exponent(size) for size in sizes) // 2
    rounded = [
        [_shift(entry, digits) // isqrt(1 + mpz(_shift(size, 0))) for entry in column]
        for column, size in zip(columns, sizes, strict=True)
    ]
    return [[mpz(rounded[c][i]) for c in range(width)] for i in range(width)]


def _orthogonalise(gram: Sequence[Sequence[mpz]]) -> tuple[list[list[mpq]], list[mpq]]:
    """Returns the unit vectors made orthogonal for a positive definite form, one after another, and their squares.

    That is the method of Gram and Schmidt by an elimination without fractions: eliminating the columns before the one
    of a row leaves the row's combination of rows, times the minor before it. Rationals took ten times as long.
    Source: Bareiss, Sylvester's identity and multistep integer-preserving Gaussian elimination (1968).
    """
    width = len(gram)
    rows = [[*row, *(mpz(i == k) for k in range(width))] for i, row in enumerate(gram)]
    columns: list[list[mpq]] = []
    sizes: list[mpq] = []
    minor = mpz(1)
    for index, row in enumerate(rows):
        # positive: the influence is, and the rows have full rank
        pivot = row[index]
        columns.append([mpq(entry, minor) for entry in row[width:]])
        sizes.append(mpq(pivot, minor))
        for place in range(index + 1, width):
            below = rows[place]
            factor = below[index]
            rows[place] = [divexact(pivot * e - factor * o, minor) for e, o in zip(below, row, strict=True)]
        minor = pivot
    return columns, sizes


def _levels(block: Block, exponents: Sequence[int]) -> tuple[_Level, ...]:
    depth: list[int] = []
    for fold in block.folds:
        depth.append(1 + max((depth[k] for k in fold), default=-1))
    levels = []
    for level in range(1, max(depth) + 1):
        kinks = [j for j, own in enumerate(depth) if own == level]
        most = max(len(block.folds[j]) for j in kinks)
        folded = np.zeros((len(kinks), most), dtype=np.int64)
        folds = np.zeros((len(kinks), most), dtype=np.int64)
        for place, j in enumerate(kinks):
            for q, (k, fold) in enumerate(block.folds[j].items()):
                folded[place, q] = k
                folds[place, q] = _shift(fold, exponents[k] - exponents[j] + _FOLD)
        levels.append(_Level(np.array(kinks, dtype=np.int64), folded, folds))
    return tuple(levels)
