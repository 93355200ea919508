"""All breakpoints of the loss along a rational line, exactly and without the walk.

Along a line every preactivation of a sample is piecewise affine. Sample by sample and layer by layer the line is cut
where a unit's value changes its sign. On each piece values are affine with integer coefficients, so that only the
breakpoints themselves are fractions. The changes of slope of all samples are added up by place. So several kinks at one
place count once, and kinks that do not change the slope, or cancel, do not count.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from gmpy2 import mpq, mpz

from exactdrl.cells.integer_problem import IntegerProblem, Slopes
from exactdrl.exact.linear import to_integers
from exactdrl.exact.rationals import to_float
from exactdrl.observations.float_lines import Flags, FloatBreakpoints, FloatProblem, Floats, Integers, find_certain
from exactdrl.problem.instance import Matrix

Affine: TypeAlias = tuple[mpz, mpz]  # (constant, rate) along the line


@dataclass(frozen=True, slots=True)
class _Piece:
    """An open interval of the line on which all values so far are affine.

    Attributes:
        begin: the interval's lower end.
        end: the interval's upper end.
        values: the affine values of the present layer's units.
    """

    begin: mpq
    end: mpq
    values: list[Affine]


def find_breakpoints(problem: IntegerProblem, origin: Matrix, direction: Matrix, radius: mpq) -> list[mpq]:
    """Returns exactly, in order, all |t| < radius at which the slope of t ↦ loss(origin + t direction) changes.

    Args:
        problem: the scaled problem.
        origin: the full parameters at t = 0, shape (n_ℓ, m).
        direction: any direction of the same shape.
        radius: a positive number.
    """
    return sorted(_find_jumps(problem, _Line.through(problem, origin, direction, radius), range(problem.samples)))


def count_breakpoints_within(
    problem: IntegerProblem, origin: Matrix, direction: Matrix, radii: Sequence[mpq], floats: FloatProblem | None
) -> tuple[tuple[int, ...], bool]:
    """Returns exactly how many breakpoints have |t| below each radius, and whether t = 0 is a breakpoint.

    Floats with error bounds find most breakpoints. Integers find those of the samples that floats leave open.

    Args:
        problem: the scaled problem.
        origin: the full parameters at t = 0, shape (n_ℓ, m).
        direction: any direction of the same shape.
        radii: the radii, increasing.
        floats: the problem's numbers as floats; without them integers find all breakpoints.
    """
    line = _Line.through(problem, origin, direction, radii[-1])
    certain = _Certain.of(floats, problem, (problem.to_reduced(origin), problem.to_reduced(direction)), radii)
    is_open = certain.is_open
    exact = _find_jumps(problem, line, np.flatnonzero(is_open).tolist())
    # where two samples may have a breakpoint at one place, integers decide: the two count once, or cancel
    while (shared := certain.samples_near(exact)).size:
        is_open[shared] = True
        exact = _find_jumps(problem, line, np.flatnonzero(is_open).tolist())
    counts = certain.counts() + [sum(abs(t) < radius for t in exact) for radius in radii]
    return tuple(map(int, counts)), mpq(0) in exact


@dataclass(frozen=True, slots=True)
class _Line:
    """A line with the parameter τ = t · unit, in which the coefficients of all values are integers."""

    point: list[mpz]
    scale: mpz
    rates: list[mpz]
    unit: mpq
    end: mpq

    @classmethod
    def through(cls, problem: IntegerProblem, origin: Matrix, direction: Matrix, radius: mpq) -> "_Line":
        point, point_scale = to_integers(problem.to_reduced(origin))
        rates, rate_scale = to_integers(problem.to_reduced(direction))
        unit = mpq(point_scale, rate_scale)
        return cls(point, point_scale, rates, unit, radius * unit)


def _find_jumps(problem: IntegerProblem, line: _Line, samples: Iterable[int]) -> set[mpq]:
    """Returns every t inside the line's ends at which the slope of some samples' share of the loss changes."""
    jumps: dict[mpq, mpz] = {}
    for sample in samples:
        for place, jump in _slope_changes(problem, sample, line):
            jumps[place] = jumps.get(place, mpz(0)) + jump
    return {place / line.unit for place, jump in jumps.items() if jump}


@dataclass(slots=True)
class _Certain:
    """The breakpoints of which floats are certain, and that are apart from one another, from 0 and from the radii.

    Attributes:
        is_open: for each sample, whether its breakpoints are left to integers.
    """

    _found: FloatBreakpoints
    _radii: Floats
    is_open: Flags

    @classmethod
    def of(
        cls,
        floats: FloatProblem | None,
        problem: IntegerProblem,
        line: tuple[Sequence[mpq], Sequence[mpq]],
        radii: Sequence[mpq],
    ) -> "_Certain":
        bounds = np.array([to_float(radius) for radius in radii], dtype=np.float64)
        if floats is None or any(mpq(near) != radius for near, radius in zip(bounds.tolist(), radii, strict=True)):
            nothing = np.zeros(0)
            is_open = np.ones(problem.samples, dtype=np.bool_)
            return cls(FloatBreakpoints(np.zeros(0, dtype=np.int64), nothing, nothing, is_open), bounds, is_open)
        found = find_certain(floats, *line, float(bounds[-1]))
        certain = cls(found, bounds, found.is_open.copy())
        certain._open_what_is_close()
        return certain

    def _open_what_is_close(self) -> None:
        sample, low, high = self._found.sample, *self._ends()
        order = np.argsort(low)
        reach = np.maximum.accumulate(high[order])
        is_close = np.zeros(len(order), dtype=np.bool_)
        is_close[order[:-1]] = high[order[:-1]] >= low[order[1:]]
        is_close[order[1:]] |= reach[:-1] >= low[order[1:]]
        for radius in (*self._radii, 0.0):
            for bound in (radius, -radius):
                is_close |= (low <= bound) & (bound <= high)
        self.is_open[sample[is_close]] = True

    def _ends(self) -> tuple[Floats, Floats]:
        # the bounds allow for one more rounding
        error = self._found.error + 2.0**-52 * np.abs(self._found.place)
        return self._found.place - error, self._found.place + error

    def samples_near(self, places: Iterable[mpq]) -> Integers:
        """Returns the samples that are not open and have a breakpoint that may be at one of some places."""
        is_kept = ~self.is_open[self._found.sample]
        low, high = (ends[is_kept] for ends in self._ends())
        if not low.size:
            return np.zeros(0, dtype=np.int64)
        order = np.argsort(low)
        asked = np.array([to_float(place) for place in places], dtype=np.float64)
        # kept breakpoints are apart, so that only the last one that begins before the place can be near it
        slack = 2.0**-52 * np.abs(asked) + 2.0**-1000
        before = np.searchsorted(low[order], asked + slack, side="right") - 1
        near = (before >= 0) & (high[order][before] >= asked - slack)
        return np.unique(self._found.sample[is_kept][order[before[near]]])

    def counts(self) -> Integers:
        """Returns how many breakpoints of samples that are not open are within each radius."""
        sizes = np.sort(np.abs(self._found.place[~self.is_open[self._found.sample]]))
        return np.searchsorted(sizes, self._radii)


def _slope_changes(problem: IntegerProblem, sample: int, line: _Line) -> list[tuple[mpq, mpz]]:
    """Returns the places where the slope of one sample's share of the scaled loss changes, and by how much."""
    point, scale, rates, end = line.point, line.scale, line.rates, line.end
    row, width, top = problem.rows[sample], problem.rank, len(problem.widths) - 1
    values = [
        (
            sum((x * v for x, v in zip(row, point[unit * width :], strict=False)), offset * scale),
            sum((x * v for x, v in zip(row, rates[unit * width :], strict=False)), mpz(0)),
        )
        for unit, offset in enumerate(problem.offsets[0][sample])
    ]
    pieces = [_Piece(-end, end, values)]
    for depth in range(top):
        pieces = [
            _Piece(part.begin, part.end, _next_layer(problem, sample, depth + 1, part.values, scale))
            for piece in pieces
            for part in _cut(piece, problem.slopes[depth])
        ]
    outputs = problem.widths[top]
    loss = problem.loss_slopes[sample * outputs : (sample + 1) * outputs]
    slopes = [
        (part.begin, sum((rate for _, rate in part.values), mpz(0))) for piece in pieces for part in _cut(piece, loss)
    ]
    return [(place, slope - before) for (_, before), (place, slope) in pairwise(slopes)]


def _cut(piece: _Piece, slopes: Sequence[Slopes]) -> list[_Piece]:
    """Returns a piece cut at its values' zeros, each value multiplied by the slope for its sign."""
    zeros = [mpq(-constant, rate) if rate else None for constant, rate in piece.values]
    cuts = sorted({zero for zero in zeros if zero is not None and piece.begin < zero < piece.end})
    ends = [piece.begin, *cuts, piece.end]
    parts = []
    for begin, end in pairwise(ends):
        values: list[Affine] = []
        for (constant, rate), zero, pair in zip(piece.values, zeros, slopes, strict=True):
            is_positive = constant > 0 if zero is None else (zero <= begin) == (rate > 0)
            slope = pair[is_positive]
            values.append((constant * slope, rate * slope))
        parts.append(_Piece(begin, end, values))
    return parts


def _next_layer(
    problem: IntegerProblem, sample: int, depth: int, activations: Sequence[Affine], scale: mpz
) -> list[Affine]:
    """Returns the values of a layer, or the residuals, from the activations below it."""
    factor = problem.residual_factors[sample] if depth == len(problem.widths) - 1 else mpz(1)
    values = []
    for weights, offset in zip(problem.weights[depth - 1], problem.offsets[depth][sample], strict=True):
        constant, rate = mpz(0), mpz(0)
        for weight, (c, r) in zip(weights, activations, strict=True):
            if c or r:
                constant += weight * c
                rate += weight * r
        values.append((factor * constant + offset * scale, factor * rate))
    return values
