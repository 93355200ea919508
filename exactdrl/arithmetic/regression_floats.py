"""A regression in float64 with bounds on every error, in coordinates that suit it.

The parameters are u = origin + T s with dyadic T and origin, so residuals are linear in s with the rows x T and, at s =
0, the residuals at the origin. Both are computed as if in twice the precision, so that neither nearly dependent columns
nor residuals that are tiny against the targets cost accuracy. Which T and origin are taken changes no decision.

Every bound holds for any order of summation. Theorems: proofs/long-step.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from gmpy2 import mpq
from numpy.typing import NDArray

from exactdrl.arithmetic.regression import Regression

Floats = NDArray[np.float64]

# numbers outside are left to exact arithmetic, as in float_problem.py: within, nothing that matters underflows
RANGE = (2.0**-200, 2.0**200)
# above whatever underflow can lose
TINY = 2.0**-700
# relative error of the products in twice the precision, times the square of their number: (n u)² and the lost digits of
# the data, with room
_DOUBLE = 2.0**-98
# a condition of the scaled normal equations above which new coordinates are worth their cost
_ILL = 1e8
_ROUNDS = 4
# covers the rounding of a bound's own computation, some hundreds of operations
SAFETY = 1.01
# entries of a block: OpenBLAS takes no threads for fewer than 9,216
_BLOCK = 9000
# entries that stay in the processor's cache
_CHUNK = 16_000
_SPLITTER = 2.0**27 + 1.0


def slack(terms: int) -> float:
    """Returns 4 (terms + 8) u: it covers a sum of so many products whose data have relative errors of 2 u."""
    return (terms + 8) * 4.0 * 2.0**-53


def in_blocks(rows: Floats) -> Floats:
    """Returns rows in blocks, filled up with zeros, that BLAS multiplies in the calling thread.

    On a busy machine its threads wait for one another: 15 ms instead of 0.2 ms for 20,000 rows of 26.
    """
    rank = rows.shape[1]
    each = max(1, _BLOCK // rank)
    blocks = np.zeros((max(1, -(-len(rows) // each)), each, rank))
    blocks.reshape(-1, rank)[: len(rows)] = rows
    return blocks


def _multiply(rows: Floats, factors: Floats) -> Floats:
    product: Floats = np.matmul(in_blocks(rows), factors).reshape(-1, factors.shape[1])[: len(rows)]
    return product


@dataclass(slots=True)
class Coordinates:
    """The data of a problem, kept for a change of the origin.

    Attributes:
        source: (count, r + 1), true rows and minus the targets.
        high: the same in float64, with relative errors of at most 2 u.
        start: the reduced start, r rationals.
        transform: T, (r, r).
        origin: (r,).
        low: what `high` lacks, in float64; None for nothing, or where `is_low_known` is False.
        is_low_known: whether `low` was computed.
    """

    source: list[tuple[mpq, ...]]
    high: Floats
    start: tuple[mpq, ...]
    transform: Floats
    origin: Floats
    low: Floats | None = None
    is_low_known: bool = False

    def lacking(self) -> Floats | None:
        """Returns what `high` lacks, None for nothing."""
        if not self.is_low_known:
            values = self.high.tolist()
            if any(row != tuple(own) for row, own in zip(self.source, values, strict=True)):
                self.low = np.array(
                    [
                        [float(entry - mpq(value)) for entry, value in zip(row, own, strict=True)]
                        for row, own in zip(self.source, values, strict=True)
                    ]
                )
            self.is_low_known = True
        return self.low


@dataclass(slots=True)
class FloatRegression:
    """Rows and residuals at s = 0 of the members and, after them, of the r coordinates.

    Attributes:
        blocks: the rows, count + r of them, and zeros, in blocks: (blocks, rows a block, r).
        sizes: (count + r,), sums of |row|.
        floors: (count + r,), or 0: sums of the rows' absolute errors, beyond relative ones of 2 u.
        values: (count + r,), residuals at s = 0.
        value_errors: (count + r,), absolute.
        columns: (r,), sums of |column|.
        pull: (r,), the linear term.
        pull_error: (r,).
        coordinates: None for local problems, whose origin does not change.
    """

    blocks: Floats
    sizes: Floats
    floors: Floats
    values: Floats
    value_errors: Floats
    columns: Floats
    pull: Floats
    pull_error: Floats
    coordinates: Coordinates | None

    @property
    def rank(self) -> int:
        """Returns r."""
        return int(self.blocks.shape[2])

    @property
    def rows(self) -> Floats:
        """Returns the rows, (count + r, r)."""
        return self.blocks.reshape(-1, self.rank)[: len(self.sizes)]

    def times(self, factors: Floats) -> Floats:
        """Returns rows · factors, for r factors."""
        product: Floats = np.matmul(self.blocks, factors[:, None]).reshape(-1)[: len(self.sizes)]
        return product

    def combine(self, factors: Floats) -> Floats:
        """Returns factors · rows, for as many factors as there are members."""
        padded = np.zeros(self.blocks.shape[0] * self.blocks.shape[1])
        padded[: len(factors)] = factors
        total: Floats = np.matmul(padded.reshape(len(self.blocks), 1, -1), self.blocks).sum(axis=0)[0]
        return total

    def local(self, members: Sequence[int], offsets: Floats, pull: Floats, pull_error: Floats) -> FloatRegression:
        """Returns the local problem of some members, with given residuals."""
        count, rank = len(members), self.rank
        every = len(self.sizes)
        place = np.concatenate([np.asarray(members, dtype=np.intp), np.arange(every - rank, every)])
        rows = self.rows[place]
        values = np.concatenate([offsets, np.zeros(rank)])
        sizes = self.sizes[place]
        return FloatRegression(
            in_blocks(rows),
            sizes,
            self.floors[place],
            values,
            np.zeros(count + rank),
            np.abs(rows[:count]).sum(axis=0),
            pull,
            pull_error,
            None,
        )

    def move_origin(self, s: Floats) -> None:
        """Takes a point as the new origin: residuals there become exact but for their last bits."""
        coordinates = self.coordinates
        if coordinates is None:
            return
        coordinates.origin = coordinates.origin + coordinates.transform @ s
        count, origin = len(coordinates.high), coordinates.origin
        values, floors = product(coordinates.high, coordinates.lacking(), np.append(origin, 1.0)[:, None])
        self.values[:count], self.value_errors[:count] = values[:, 0], floors[:, 0]
        shifts = zip(origin.tolist(), coordinates.start, strict=True)
        self.values[count:] = [float(mpq(there) - start) for there, start in shifts]


def load(regression: Regression) -> FloatRegression | None:
    """Returns a problem in float64; None where a number but 0 is outside RANGE, or there are no parameters."""
    problem = regression.problem
    if not problem.rank:
        return None
    pushed, targets, unit = problem.instance.pushed_inputs(), problem.instance.targets, regression.unit
    columns = problem.pivots
    source = [(*(pushed[i][c] for c in columns), -targets[i][unit]) for i in regression.samples]
    high = np.array([[float(entry) for entry in row] for row in source])
    start = [float(value) for value in regression.start]
    sizes = np.abs(np.concatenate([high[high != 0.0], [value for value in start if value]]))
    if not sizes.size or not (RANGE[0] <= float(sizes.min()) and float(sizes.max()) <= RANGE[1]):
        return None
    rank = problem.rank
    coordinates = Coordinates(source, high, regression.start, np.eye(rank), np.zeros(rank))
    rows, floors = _transform(coordinates)
    if not (np.isfinite(rows).all() and np.isfinite(coordinates.transform).all()):
        return None
    count = len(rows)
    rows = np.concatenate([rows, coordinates.transform])
    return FloatRegression(
        in_blocks(rows),
        np.abs(rows).sum(axis=1),
        np.concatenate([floors, np.zeros(rank)]),
        np.concatenate([high[:, rank], [-value for value in start]]),
        np.zeros(count + rank),
        np.abs(rows[:count]).sum(axis=0),
        np.zeros(rank),
        np.zeros(rank),
        coordinates,
    )


def _transform(coordinates: Coordinates) -> tuple[Floats, Floats]:
    """Sets T so that the rows x T are well conditioned, and returns them with sums of their absolute errors."""
    inputs = coordinates.high[:, :-1]
    scale = _powers(np.abs(inputs).max(axis=0))
    transform, rows, floors = np.diag(scale), inputs * scale, np.zeros(len(inputs))
    for _ in range(_ROUNDS):
        better = _orthogonaliser(rows) if _is_ill(rows) else None
        if better is None:
            break
        transform = transform @ better
        low = coordinates.lacking()
        rows, errors = product(inputs, None if low is None else low[:, :-1], transform)
        scale = _powers(np.abs(rows).max(axis=0))
        transform, rows = transform * scale, rows * scale
        floors = (errors * scale).sum(axis=1)
    coordinates.transform = transform
    return rows, floors


def _powers(sizes: Floats) -> Floats:
    """Returns powers of 2 that bring positive sizes to [1/2, 1), and 1 for 0."""
    return np.where(sizes > 0.0, np.ldexp(1.0, -np.frexp(sizes)[1]), 1.0)


def _is_ill(rows: Floats) -> bool:
    blocks = in_blocks(rows)
    gram = np.matmul(blocks.transpose(0, 2, 1), blocks).sum(axis=0)
    size = np.sqrt(np.diag(gram))
    if not (size > 0.0).all():
        return False
    scaled = np.linalg.eigvalsh(gram / np.outer(size, size))
    return bool(scaled[0] * _ILL < scaled[-1])


def _orthogonaliser(rows: Floats) -> Floats | None:
    """Returns about R⁻¹ of rows = Q R; any regular matrix serves, so that nothing depends on how exact it is."""
    some = rows[:: max(1, len(rows) // (4 * rows.shape[1]))]
    factor = np.linalg.qr(some, mode="r")
    try:
        inverse = np.linalg.inv(factor)
    except np.linalg.LinAlgError:
        return None
    inverse = inverse * _powers(np.abs(inverse).max(axis=0))
    return inverse if bool(np.isfinite(inverse).all()) else None


def product(high: Floats, low: Floats | None, factors: Floats) -> tuple[Floats, Floats]:
    """Returns (high + low) · factors as if in twice the precision, then rounded, and bounds of its absolute errors.

    The bounds leave out a relative error of 2 u of the result. Each product and sum carries its rounding error along
    (Dekker, Knuth), the errors are summed plainly. Source: Ogita, Rump, Oishi, Accurate sum and dot product, SIAM J.
    Sci. Comput. 26 (2005), algorithm 5.3.
    """
    terms = high.shape[1]
    found = np.empty((len(high), factors.shape[1]))
    each = max(1, _CHUNK // factors.shape[1])
    f_upper, f_lower = split(factors)
    for begin in range(0, len(high), each):
        chunk = high[begin : begin + each]
        upper, lower = split(chunk)
        total, lost = np.zeros((len(chunk), factors.shape[1])), np.zeros((len(chunk), factors.shape[1]))
        for k in range(terms):
            x_upper, x_lower = upper[:, k : k + 1], lower[:, k : k + 1]
            p = chunk[:, k : k + 1] * factors[k]
            e = ((x_upper * f_upper[k] - p) + x_upper * f_lower[k] + x_lower * f_upper[k]) + x_lower * f_lower[k]
            s = total + p
            v = s - total
            e += (total - (s - v)) + (p - v)
            total = s
            lost += e
        if low is not None:
            # before the last rounding, and what this loses is far below the bound
            lost += _multiply(low[begin : begin + each], factors)
        found[begin : begin + each] = total + lost
    bounds = _multiply(np.abs(high), np.abs(factors)) * (_DOUBLE * terms * terms) + TINY
    return found, bounds


def split(values: Floats) -> tuple[Floats, Floats]:
    """Returns two parts of at most 26 bits that sum to the values. Source: Dekker; Veltkamp."""
    scaled = values * _SPLITTER
    upper = scaled - (scaled - values)
    return upper, values - upper
