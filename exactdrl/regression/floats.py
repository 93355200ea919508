"""A regression in float64 with bounds on every error, in coordinates that suit it.

The parameters are u = origin + T s with dyadic T and origin. So residuals are affine in s, with the rows x T, and with
the residuals at the origin for s = 0. Both are computed as if in twice the precision, so that neither nearly dependent
columns nor residuals that are tiny against the targets cost accuracy. The choice of T and origin changes no decision.

Every bound holds for any order of summation. Source: proofs/long-step.md has the theorems.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from gmpy2 import mpq

from exactdrl.exact.rationals import to_float_or_infinity
from exactdrl.regression.products import TINY, Floats, powers_above, product
from exactdrl.regression.protocol import Regression

# numbers outside this range are left to exact arithmetic, as in float_problem.py; within it no underflow matters
RANGE = (2.0**-200, 2.0**200)
# above this condition of the scaled normal equations new coordinates are worth their cost
_ILL = 1e8
_ROUNDS = 4
# this factor covers the rounding errors of a bound's own computation, some hundreds of operations
SAFETY = 1.01
# entries of a block; OpenBLAS uses no threads for fewer than 9,216
_BLOCK = 9000


def slack(terms: int) -> float:
    """Returns 4 (terms + 8) u, which covers a sum of so many products whose data have relative errors of 2 u."""
    return (terms + 8) * 4.0 * 2.0**-53


def in_blocks(rows: Floats) -> Floats:
    """Returns rows in blocks, filled up with zeros, which BLAS multiplies in the calling thread.

    On a busy machine the threads of BLAS wait for one another; for 20,000 rows of 26 that took 15 ms instead of 0.2 ms.
    """
    rank = rows.shape[1]
    each = max(1, _BLOCK // rank)
    blocks = np.zeros((max(1, -(-len(rows) // each)), each, rank))
    blocks.reshape(-1, rank)[: len(rows)] = rows
    return blocks


@dataclass(slots=True)
class Coordinates:
    """The data of a problem, kept for a change of the origin.

    Attributes:
        source: the true rows and minus the targets, times the weights, shape (count, r + 1); None where `high` is
            exact.
        high: the same numbers in float64, with relative errors of at most 2 u.
        start: the reduced start, r rationals.
        transform: the matrix T, shape (r, r).
        origin: the origin, shape (r,).
        low: `source` minus `high`, in float64; None where it is 0, or where `is_low_known` is False.
        is_low_known: whether `low` was computed.
    """

    source: list[tuple[mpq, ...]] | None
    high: Floats
    start: tuple[mpq, ...]
    transform: Floats
    origin: Floats
    low: Floats | None = None
    is_low_known: bool = False

    def lacking(self) -> Floats | None:
        """Returns `source` minus `high` in float64; None where it is 0."""
        if self.source is not None and not self.is_low_known:
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
    """A regression in float64: the rows and residuals of its members, then of the r coordinates.

    Zeros fill the M rows up to whole blocks. A residual's error at a computed s is at most
    `reach_errors` · max|s| + `fixed_errors` + `spreads` · (the error of s).

    Attributes:
        count: how many members there are.
        blocks: the rows in blocks, shape (blocks, rows in a block, r).
        rows: the same rows as a matrix, shape (M, r).
        sizes: the sums of |row|, shape (M,).
        floors: the sums of the rows' absolute errors beyond relative errors of 2 u, shape (M,).
        values: the residuals at s = 0, shape (M,).
        value_errors: bounds on the absolute errors of `values`, shape (M,).
        pull: the linear term, shape (r,); None for 0.
        pull_error: bounds on the absolute errors of `pull`, shape (r,).
        coordinates: the data for a change of the origin; None for local problems, whose origin does not change.
        reach_errors: the part of a residual's error for each unit of max|s|, shape (M,).
        fixed_errors: the part of a residual's error at s = 0, shape (M,).
        spreads: the part of a residual's error for each unit of the error of s, shape (M,).
        gradient_error: bounds on the absolute error of any sum of ± rows and the linear term, shape (r,).
        identity: the identity matrix, shape (r, r).
        weights: the members' weights with relative errors of at most 2 u, shape (count,); None for 1 each.
    """

    count: int
    blocks: Floats
    sizes: Floats
    floors: Floats
    values: Floats
    value_errors: Floats
    pull: Floats | None
    pull_error: Floats
    coordinates: Coordinates | None
    weights: Floats | None = None
    rows: Floats = field(init=False)
    reach_errors: Floats = field(init=False)
    fixed_errors: Floats = field(init=False)
    spreads: Floats = field(init=False)
    gradient_error: Floats = field(init=False)
    identity: Floats = field(init=False)
    _greatest: tuple[float, float, float] = field(init=False)

    def __post_init__(self) -> None:
        """Computes what the bounds at all vertices have in common; proofs/long-step.md has a formula for each."""
        rank, count = self.rank, self.count
        self.rows = self.blocks.reshape(-1, rank)
        self.reach_errors = (slack(rank) * self.sizes + self.floors) * SAFETY
        self.spreads = (self.sizes + self.floors) * SAFETY
        error = slack(count) * np.abs(self.rows[:count]).sum(axis=0) + float(self.floors[:count].sum())
        if self.pull is not None:
            error += slack(count) * np.abs(self.pull)
        self.gradient_error = (error + self.pull_error) * SAFETY
        self.identity = np.eye(rank)
        self._take_values()

    def _take_values(self) -> None:
        self.fixed_errors = (slack(self.rank) * np.abs(self.values) + self.value_errors) * SAFETY + TINY
        reach, fixed, spread = (
            float(errors[: self.count].max(initial=0.0))
            for errors in (self.reach_errors, self.fixed_errors, self.spreads)
        )
        self._greatest = reach, fixed, spread

    @property
    def rank(self) -> int:
        """Returns the number r of parameters."""
        return int(self.blocks.shape[2])

    def errors(self, reach: float, error: float) -> Floats:
        """Returns bounds on the errors of `values_at(s)`, shape (M,).

        Args:
            reach: max|s|.
            error: a bound on the error of each entry of s.
        """
        return self.reach_errors * reach + self.fixed_errors + self.spreads * error

    def greatest_error(self, reach: float, error: float) -> float:
        """Returns a number that none of the members' `errors` exceeds."""
        reaching, fixed, spread = self._greatest
        return reaching * reach + fixed + spread * error

    def times(self, factors: Floats) -> Floats:
        """Returns rows · factors for r factors, shape (M,)."""
        product: Floats = np.matmul(self.blocks, factors).reshape(-1)
        return product

    def values_at(self, s: Floats) -> Floats:
        """Returns all residuals at s, shape (M,)."""
        values = self.times(s)
        values += self.values
        return values

    def combine(self, factors: Floats) -> Floats:
        """Returns factors · rows for M factors, shape (r,)."""
        total: Floats = np.matmul(factors.reshape(len(self.blocks), 1, -1), self.blocks).sum(axis=0)[0]
        return total

    def local(self, members: Sequence[int], offsets: Floats, pull: Floats, pull_error: Floats) -> FloatRegression:
        """Returns the local problem of some members, with given residuals."""
        count, rank = len(members), self.rank
        place = np.concatenate([np.asarray(members, dtype=np.intp), np.arange(self.count, self.count + rank)])
        values = np.concatenate([offsets, np.zeros(rank)])
        errors = np.zeros(count + rank)
        rows, floors = self.rows[place], self.floors[place]
        weights = None if self.weights is None else self.weights[np.asarray(members, dtype=np.intp)]
        return from_rows(rows, floors, (values, errors), (pull, pull_error), None, weights=weights)

    def move_origin(self, s: Floats) -> None:
        """Takes a point as the new origin. Residuals there are then exact but for their last bits."""
        coordinates = self.coordinates
        if coordinates is None:
            return
        coordinates.origin = coordinates.origin + coordinates.transform @ s
        count, origin = self.count, coordinates.origin
        values, floors = product(coordinates.high, coordinates.lacking(), np.append(origin, 1.0)[:, None])
        self.values[:count], self.value_errors[:count] = values[:, 0], floors[:, 0]
        shifts = zip(origin.tolist(), coordinates.start, strict=True)
        self.values[count : count + self.rank] = [float(mpq(there) - start) for there, start in shifts]
        self._take_values()


def from_rows(
    rows: Floats,
    floors: Floats,
    values: tuple[Floats, Floats],
    pull: tuple[Floats | None, Floats],
    coordinates: Coordinates | None,
    *,
    weights: Floats | None = None,
) -> FloatRegression:
    """Returns a problem from the rows of its members and coordinates.

    Args:
        rows: the rows, shape (count + r, r).
        floors: see the class; shape (count + r,).
        values: the residuals at s = 0 and their errors, shape (count + r,) each.
        pull: the linear term and its error.
        coordinates: see the class.
        weights: see the class.
    """
    blocks = in_blocks(rows)
    size = blocks.shape[0] * blocks.shape[1]

    def fill(own: Floats) -> Floats:
        filled = np.zeros(size)
        filled[: len(own)] = own
        return filled

    sizes = np.abs(rows).sum(axis=1)
    parts = fill(sizes), fill(floors), fill(values[0]), fill(values[1])
    return FloatRegression(len(rows) - blocks.shape[2], blocks, *parts, *pull, coordinates, weights)


def load(regression: Regression) -> FloatRegression | None:
    """Returns a problem in float64; None where a nonzero number is outside RANGE, or there are no parameters."""
    problem = regression.problem
    if not problem.rank:
        return None
    source, high = _find_data(regression)
    start = [to_float_or_infinity(value) for value in regression.start]
    weights = _find_weights(regression)
    sizes = np.abs(np.concatenate([high[high != 0.0], [value for value in start if value], *weights]))
    if not sizes.size or not (RANGE[0] <= float(sizes.min()) and float(sizes.max()) <= RANGE[1]):
        return None
    rank = problem.rank
    coordinates = Coordinates(source, high, regression.start, np.eye(rank), np.zeros(rank))
    rows, floors = _transform(coordinates)
    if not (np.isfinite(rows).all() and np.isfinite(coordinates.transform).all()):
        return None
    pull, pull_error = _find_pull(regression, coordinates.transform)
    if pull is not None and not np.isfinite(pull).all():
        return None
    values = np.concatenate([high[:, rank], [-value for value in start]])
    return from_rows(
        np.concatenate([rows, coordinates.transform]),
        np.concatenate([floors, np.zeros(rank)]),
        (values, np.zeros(len(values))),
        (pull, pull_error),
        coordinates,
        weights=weights[0] if weights else None,
    )


def _find_weights(regression: Regression) -> list[Floats]:
    """Returns a list with the members' weights; an empty list where all weights are 1."""
    if regression.problem.instance.weights is None:
        return []
    return [np.array([to_float_or_infinity(regression.shares.weight_of(sample)) for sample in regression.samples])]


def _find_pull(regression: Regression, transform: Floats) -> tuple[Floats | None, Floats]:
    """Returns the linear term in the coordinates s, rounded from the exact one, and its error; None for 0."""
    rank = len(transform)
    if not regression.has_pull:
        return None, np.zeros(rank)
    exact = [mpq(entry, regression.scale) for entry in regression.pull]
    columns = transform.T.tolist()
    turned = (sum((p * mpq(t) for p, t in zip(exact, own, strict=True) if t), mpq(0)) for own in columns)
    return np.array([to_float_or_infinity(entry) for entry in turned]), np.full(rank, TINY)


def _find_data(regression: Regression) -> tuple[list[tuple[mpq, ...]] | None, Floats]:
    """Returns the members' rows and minus their targets, times the weights: exactly, and in float64.

    The exact ones are None if all of them are binary floats.
    """
    problem, output, members = regression.problem, regression.shares.output, list(regression.samples)
    dyadic = problem.dyadic
    if dyadic is not None:
        chosen = dyadic.doubles if len(members) == problem.samples else dyadic.doubles[members]
        return None, np.hstack([chosen[:, list(problem.pivots)], -chosen[:, [dyadic.columns + output]]])
    pushed, targets = problem.instance.pushed_inputs(), problem.instance.targets
    source = [(*(pushed[i][c] for c in problem.pivots), -targets[i][output]) for i in members]
    if problem.instance.weights is not None:
        weights = (regression.shares.weight_of(sample) for sample in members)
        source = [tuple(weight * entry for entry in row) for weight, row in zip(weights, source, strict=True)]
    return source, np.array([[to_float_or_infinity(entry) for entry in row] for row in source])


def _transform(coordinates: Coordinates) -> tuple[Floats, Floats]:
    """Sets T so that the rows x T are well conditioned, and returns these with the sums of their absolute errors."""
    inputs = coordinates.high[:, :-1]
    scale = 1.0 / powers_above(np.abs(inputs).max(axis=0))
    transform, rows, floors = np.diag(scale), inputs * scale, np.zeros(len(inputs))
    for _ in range(_ROUNDS):
        better = _orthogonaliser(rows) if _is_ill(rows) else None
        if better is None:
            break
        transform = transform @ better
        low = coordinates.lacking()
        rows, errors = product(inputs, None if low is None else low[:, :-1], transform)
        scale = 1.0 / powers_above(np.abs(rows).max(axis=0))
        transform, rows = transform * scale, rows * scale
        floors = (errors * scale).sum(axis=1)
    coordinates.transform = transform
    return rows, floors


def _is_ill(rows: Floats) -> bool:
    blocks = in_blocks(rows)
    gram = np.matmul(blocks.transpose(0, 2, 1), blocks).sum(axis=0)
    size = np.sqrt(np.diag(gram))
    if not (size > 0.0).all():
        return False
    scaled = np.linalg.eigvalsh(gram / np.outer(size, size))
    return bool(scaled[0] * _ILL < scaled[-1])


def _orthogonaliser(rows: Floats) -> Floats | None:
    """Returns an approximation of R⁻¹ for rows = Q R; its accuracy does not matter, since any regular matrix serves."""
    some = rows[:: max(1, len(rows) // (4 * rows.shape[1]))]
    factor = np.linalg.qr(some, mode="r")
    try:
        inverse = np.linalg.inv(factor)
    except np.linalg.LinAlgError:
        return None
    inverse = inverse / powers_above(np.abs(inverse).max(axis=0))
    return inverse if bool(np.isfinite(inverse).all()) else None
