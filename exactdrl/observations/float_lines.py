"""Breakpoints of the loss along a line in floats with error bounds, for all samples at once.

It makes the cuts of the module `lines` on arrays with a row for each piece of each sample. Every value has a bound on
its error. Decisions are whether a unit's zero lies in a piece, in which order zeros lie, whether a unit is on, and
whether the slope changes. Each decision is certain by these bounds, or its sample is left open for integers to decide.
Source: proofs/enclosures.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from gmpy2 import mpq, mpz
from numpy.typing import NDArray

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.exact.rationals import to_float

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

_UNIT = 2.0**-52  # twice the unit roundoff
_TINY = 2.0**-900  # more than what underflow can lose in a sum
_LARGEST_FLOAT_BITS = 1000


class _RangeError(ArithmeticError):
    """A number is beyond the range of floats."""


@dataclass(frozen=True, slots=True)
class FloatProblem:
    """A scaled problem's numbers as rounded floats, divided by powers of 2 that bring them near 1.

    Each sample has its own power of 2, and so have the slopes and the weights of each layer. No sign and no zero
    changes.

    Attributes:
        rows: the data rows, shape (N, r).
        slopes: for each layer with activations, its slopes, shape (width, 2).
        weights: for each layer above the trained one, its weights, shape (n_l, n_{l-1}).
        offsets: for each layer, its offsets, shape (N, n_l).
        factors: the factors of the residuals, shape (N, 1).
        loss: the slopes of the loss, shape (N, outputs, 2).
        bends: for each layer with activations, whether each unit's slopes differ; for residuals, shape (N, outputs).
    """

    rows: Floats
    slopes: tuple[Floats, ...]
    weights: tuple[Floats, ...]
    offsets: tuple[Floats, ...]
    factors: Floats
    loss: Floats
    bends: tuple[Flags, ...]

    @classmethod
    def of(cls, problem: IntegerProblem) -> "FloatProblem | None":
        """Returns a problem's numbers as floats; None where a number is beyond the range of floats."""
        try:
            return cls._scaled(problem)
        except _RangeError:
            return None

    @classmethod
    def _scaled(cls, problem: IntegerProblem) -> "FloatProblem":
        top, samples = len(problem.widths) - 1, problem.samples
        powers = [_bits(row) for row in problem.rows]
        rows = [[_round(v, power) for v in row] for row, power in zip(problem.rows, powers, strict=True)]
        slopes, weights, offsets = [], [], []
        for depth, width in enumerate(problem.widths):
            if depth:
                pairs, matrix = problem.slopes[depth - 1], problem.weights[depth - 1]
                own = _bits([slope for pair in pairs for slope in pair]), max(map(_bits, matrix))
                slopes.append(np.array([[_round(slope, own[0]) for slope in pair] for pair in pairs]))
                weights.append(np.array([[_round(weight, own[1]) for weight in row] for row in matrix]))
                powers = [power + sum(own) for power in powers]
            if depth == top > 0:
                powers = [p + f.bit_length() for p, f in zip(powers, problem.residual_factors, strict=True)]
            layer = [[_round(o, power) for o in row] for row, power in zip(problem.offsets[depth], powers, strict=True)]
            offsets.append(np.array(layer).reshape(samples, width))
        factors = [_round(factor, factor.bit_length()) for factor in problem.residual_factors]
        shift = _bits([slope for pair in problem.loss_slopes for slope in pair])
        loss = [[_round(slope, shift) for slope in pair] for pair in problem.loss_slopes]
        layers = [*problem.slopes, problem.loss_slopes]
        bends = [np.array([below != above for below, above in pairs]) for pairs in layers]
        return cls(
            np.array(rows).reshape(samples, problem.rank),
            tuple(slopes),
            tuple(weights),
            tuple(offsets),
            np.array(factors)[:, None],
            np.array(loss).reshape(samples, problem.widths[top], 2),
            (*bends[:-1], bends[-1].reshape(samples, -1)),
        )


def _bits(values: Sequence[mpz]) -> int:
    return max((value.bit_length() for value in values), default=0)


def _round(value: mpz, power: int) -> float:
    """Returns an integer divided by a power of 2, rounded at most twice.

    Raises:
        _RangeError: the quotient is beyond the range of floats.
    """
    # what is cut off below 64 bits is far less than a rounding
    cut = max(value.bit_length() - _LARGEST_FLOAT_BITS, 0)
    try:
        found = math.ldexp(float(int(value >> cut)), cut - power)
    except OverflowError:
        raise _RangeError from None
    if value and abs(found) < 2.0**-1000:
        raise _RangeError
    return found


@dataclass(frozen=True, slots=True)
class _Numbers:
    """The numbers of all pieces and units: floats, bounds on their errors, and whether they can be other than 0."""

    values: Floats
    errors: Floats
    live: Flags

    def rows(self, chosen: Integers) -> "_Numbers":
        return _Numbers(self.values[chosen], self.errors[chosen], self.live[chosen])

    def times(self, factors: Floats) -> "_Numbers":
        """Returns the numbers times factors; the factors have been rounded at most twice."""
        values = self.values * factors
        errors = self.errors * np.abs(factors) * (1 + 8 * _UNIT) + 2 * _UNIT * np.abs(values) + _TINY
        return _clean(values, errors, self.live & (factors != 0))

    def through(self, matrix: Floats, offsets: Floats | None = None) -> "_Numbers":
        """Returns matrix · numbers + offsets; matrix and offsets have been rounded at most twice."""
        sizes = np.abs(matrix).T
        values, reach = self.values @ matrix.T, np.abs(self.values) @ sizes
        live = (self.live.astype(np.float64) @ (sizes != 0)) > 0
        if offsets is not None:
            values, reach, live = values + offsets, reach + np.abs(offsets), live | (offsets != 0)
        errors = self.errors @ sizes * (1 + _UNIT * (len(sizes) + 6)) + _UNIT * (len(sizes) + 6) * reach + _TINY
        return _clean(values, errors, live)


def _clean(values: Floats, errors: Floats, live: Flags) -> _Numbers:
    return _Numbers(np.where(live, values, 0.0), np.where(live, errors, 0.0), live)


@dataclass(frozen=True, slots=True)
class _Cuts:
    """The pieces of the line, in order for each sample.

    Attributes:
        sample: the sample of each piece.
        begin: the lower end of each piece.
        begin_error: a bound on the error of the lower end.
        end: the upper end of each piece.
        end_error: a bound on the error of the upper end.
        depth: the layer of the unit whose zero is the lower end; -1 where the line begins.
        unit: that unit.
    """

    sample: Integers
    begin: Floats
    begin_error: Floats
    end: Floats
    end_error: Floats
    depth: Integers
    unit: Integers


@dataclass(frozen=True, slots=True)
class FloatBreakpoints:
    """What is certain of a line's breakpoints.

    Attributes:
        sample: the sample of each breakpoint, whose share of the loss changes its slope there.
        place: the parameter t of each breakpoint, as a float.
        error: a bound on the error of each place.
        is_open: for each sample, whether it was left open; the breakpoints of open samples are not listed.
    """

    sample: Integers
    place: Floats
    error: Floats
    is_open: Flags


def find_certain(
    problem: FloatProblem, point: Sequence[mpq], direction: Sequence[mpq], radius: float
) -> FloatBreakpoints:
    """Returns the breakpoints with |t| < radius of all samples for which floats are certain.

    Args:
        problem: the problem.
        point: the reduced parameters at t = 0.
        direction: the line's direction in the reduced parameters.
        radius: a number that is exactly a float.
    """
    samples = len(problem.rows)
    with np.errstate(all="ignore"):
        start = _first_values(problem, point), _first_values(problem, direction, is_rate=True)
        if start[0] is None or start[1] is None:
            return FloatBreakpoints(*(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0)), np.ones(samples, bool))
        return _find(problem, start[0], start[1], radius)


def _first_values(problem: FloatProblem, parameters: Sequence[mpq], *, is_rate: bool = False) -> _Numbers | None:
    floats = np.array([to_float(value) for value in parameters], dtype=np.float64)
    is_lost = [value != 0 and abs(near) < 2.0**-1000 for value, near in zip(parameters, floats, strict=True)]
    if any(is_lost) or not np.isfinite(floats).all():
        return None
    matrix = floats.reshape(-1, problem.rows.shape[1])
    rows = _Numbers(problem.rows, 2 * _UNIT * np.abs(problem.rows), problem.rows != 0)
    return rows.through(matrix, None if is_rate else problem.offsets[0])


def _find(problem: FloatProblem, constants: _Numbers, rates: _Numbers, radius: float) -> FloatBreakpoints:
    samples, top = len(problem.rows), len(problem.weights)
    is_open = np.zeros(samples, bool)
    ends = np.full(samples, radius)
    none, zero = np.full(samples, -1), np.zeros(samples)
    cuts = _Cuts(np.arange(samples), -ends, zero, ends, zero, none, none)
    taken: list[Floats] = []
    for depth in range(top + 1):
        cuts, parents, is_on, open_pieces = _cut(cuts, constants, rates, depth)
        is_open[cuts.sample[open_pieces]] = True
        units = np.arange(is_on.shape[1])
        slopes = (
            problem.loss[cuts.sample[:, None], units, is_on] if depth == top else problem.slopes[depth][units, is_on]
        )
        taken = [*(one[parents] for one in taken), slopes]
        if depth < top:
            constants, rates = constants.rows(parents).times(slopes), rates.rows(parents).times(slopes)
            offsets = problem.offsets[depth + 1][cuts.sample]
            matrix = problem.weights[depth]
            if depth + 1 == top:
                factors = problem.factors[cuts.sample]
                constants = constants.times(np.broadcast_to(factors, slopes.shape))
                rates = rates.times(np.broadcast_to(factors, slopes.shape))
            constants, rates = constants.through(matrix, offsets), rates.through(matrix)
    has_jump, open_pieces = _jumps(problem, cuts, taken)
    is_open[cuts.sample[open_pieces]] = True
    kept = has_jump & ~is_open[cuts.sample]
    return FloatBreakpoints(cuts.sample[kept], cuts.begin[kept], cuts.begin_error[kept], is_open)


def _cut(cuts: _Cuts, constants: _Numbers, rates: _Numbers, depth: int) -> tuple[_Cuts, Integers, Integers, Flags]:
    """Returns the pieces cut at a layer's zeros, the old piece and the units' bits of each, and what is left open."""
    slope, begin, end = rates.values, cuts.begin[:, None], cuts.end[:, None]
    size = np.abs(slope)
    has_zero = size > 2 * rates.errors
    zero = np.where(has_zero, -constants.values / slope, np.inf)
    error = 2 * (constants.errors + np.abs(zero) * rates.errors) / size + 2 * _UNIT * np.abs(zero) + _TINY
    low, high = zero - error, zero + error
    is_inside = has_zero & (low > begin + cuts.begin_error[:, None]) & (high < end - cuts.end_error[:, None])
    is_before = has_zero & (high < begin - cuts.begin_error[:, None])
    is_after = has_zero & (low > end + cuts.end_error[:, None])
    is_constant = ~rates.live & (~constants.live | (np.abs(constants.values) > constants.errors))
    is_open = ~(is_inside | is_before | is_after | is_constant).all(axis=1)

    places = np.where(is_inside, zero, np.inf)
    order = np.argsort(places, axis=1)
    sorted_low, sorted_high = (np.take_along_axis(side, order, axis=1) for side in (low, high))
    count = is_inside.sum(axis=1)
    follows = np.arange(1, order.shape[1]) < count[:, None]
    is_open |= (follows & ~(sorted_high[:, :-1] < sorted_low[:, 1:])).any(axis=1)

    parents = np.repeat(np.arange(len(count)), count + 1)
    part = np.arange(len(parents)) - np.repeat(np.cumsum(count + 1) - (count + 1), count + 1)
    is_first, is_last = part == 0, part == count[parents]
    left = order[parents, np.maximum(part - 1, 0)]
    right = order[parents, np.minimum(part, order.shape[1] - 1)]
    found = _Cuts(
        cuts.sample[parents],
        np.where(is_first, cuts.begin[parents], zero[parents, left]),
        np.where(is_first, cuts.begin_error[parents], error[parents, left]),
        np.where(is_last, cuts.end[parents], zero[parents, right]),
        np.where(is_last, cuts.end_error[parents], error[parents, right]),
        np.where(is_first, cuts.depth[parents], depth),
        np.where(is_first, cuts.unit[parents], left),
    )
    rank = np.argsort(order, axis=1)
    is_past = np.where(is_inside[parents], part[:, None] > rank[parents], is_before[parents])
    is_on = np.where(rates.live[parents], is_past == (slope[parents] > 0), constants.values[parents] > 0)
    return found, parents, is_on.astype(np.int64), is_open[parents]


def _jumps(problem: FloatProblem, cuts: _Cuts, taken: Sequence[Floats]) -> tuple[Flags, Flags]:
    """Returns for each piece whether the loss's slope changes at its lower end, and whether that is left open.

    The change of the loss's slope is the product of three numbers: the unit's rate, the change of its activation's
    slope, and the loss's derivative in the activation. Deeper units have the same bits on both sides.
    """
    top = len(problem.weights)
    has_jump = np.zeros(len(cuts.sample), bool)
    is_open = np.zeros(len(cuts.sample), bool)
    places = np.flatnonzero(cuts.depth == top)
    has_jump[places] = problem.bends[top][cuts.sample[places], cuts.unit[places]]
    derivatives = _Numbers(taken[top], 2 * _UNIT * np.abs(taken[top]), taken[top] != 0)
    if top:
        derivatives = derivatives.times(np.broadcast_to(problem.factors[cuts.sample], taken[top].shape))
    for depth in range(top - 1, -1, -1):
        derivatives = derivatives.through(problem.weights[depth].T)
        places = np.flatnonzero(cuts.depth == depth)
        units = cuts.unit[places]
        can_jump = derivatives.live[places, units] & problem.bends[depth][units]
        is_certain = np.abs(derivatives.values[places, units]) > derivatives.errors[places, units]
        has_jump[places] = can_jump & is_certain
        is_open[places] = can_jump & ~is_certain
        derivatives = derivatives.times(taken[depth])
    return has_jump, is_open
