"""All breakpoints of the loss along a rational line, exactly and without the walk.

Along a line every preactivation of a sample is piecewise affine. Sample by sample and layer by layer the line is cut
where a unit's value changes its sign; on each piece values are affine with integer coefficients, so no fraction is
formed but the breakpoints themselves. Each sample's changes of slope are added up by place: kinks at one place count
once, and what does not change the slope, or cancels, does not count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from gmpy2 import mpq, mpz

from exactdrl.cells.integer_problem import IntegerProblem, Slopes
from exactdrl.exact.linear import to_integers
from exactdrl.problem.instance import Matrix

Affine: TypeAlias = tuple[mpz, mpz]  # (constant, rate) along the line


@dataclass(frozen=True, slots=True)
class _Piece:
    """An open interval of the line on which all values so far are affine.

    Attributes:
        begin: its lower end.
        end: its upper end.
        values: of the units of the layer in hand.
    """

    begin: mpq
    end: mpq
    values: list[Affine]


def find_breakpoints(problem: IntegerProblem, origin: Matrix, direction: Matrix, radius: mpq) -> list[mpq]:
    """Returns every t with |t| < radius at which the slope of t ↦ loss(origin + t direction) changes, in order. Exact.

    Args:
        problem: the scaled problem.
        origin: full parameters, shape (n_ℓ, m).
        direction: the same; may be anything.
        radius: positive.
    """
    point, point_scale = to_integers(problem.to_reduced(origin))
    rates, rate_scale = to_integers(problem.to_reduced(direction))
    # values are computed at the parameter τ = t · point_scale / rate_scale, where all coefficients are integers
    unit = mpq(point_scale, rate_scale)
    end = radius * unit
    jumps: dict[mpq, mpz] = {}
    for sample in range(problem.samples):
        for place, jump in _slope_changes(problem, sample, (point, point_scale, rates), end):
            jumps[place] = jumps.get(place, mpz(0)) + jump
    return sorted(place / unit for place, jump in jumps.items() if jump)


def _slope_changes(
    problem: IntegerProblem, sample: int, line: tuple[list[mpz], mpz, list[mpz]], end: mpq
) -> list[tuple[mpq, mpz]]:
    """Returns the places where the slope of one sample's share of the scaled loss changes, and by how much."""
    point, scale, rates = line
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
