"""The whole path of regression quantiles: for every level τ between 0 and 1 a minimiser, piece by piece, exact.

At a basis with fixed signs the multipliers are affine in the tilt t = 1 - 2τ. So they stay within [-1, 1] on an
interval of t that is computed exactly, and there the vertex is optimal: one solve covers a piece. Levels between two
pieces that do not touch are solved in turn, the simplest rational first, until the pieces cover everything. No step of
this trusts an order of pivots: every piece is proved by its own multipliers, and that nothing is missing is seen from
the ends.
"""

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass

from gmpy2 import mpq, mpz

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.regression.exact import ExactRegression
from exactdrl.regression.filtered import FilteredRegression
from exactdrl.regression.long_step import descend, search_lines
from exactdrl.regression.protocol import Regression
from exactdrl.regression.shares import Shares

_HALF = mpq(1, 2)


@dataclass(frozen=True, slots=True, order=True)
class Piece:
    """Levels at which one vertex is a minimiser.

    Attributes:
        low: the least of these levels, 0 or a breakpoint.
        high: the greatest, 1 or a breakpoint.
        parameters: of the vertex, reduced.
    """

    low: mpq
    high: mpq
    parameters: tuple[mpq, ...]


def find_path(problem: IntegerProblem, unit: int) -> tuple[Piece, ...]:
    """Returns the pieces for all levels, increasing; the next one's `low` is the last one's `high`.

    At a breakpoint both vertices are minimisers, and with them the segment between them. Weights of the instance count;
    its loss does not.
    """
    half = Regression.of_shares(Shares(problem, unit, _HALF, mpq(0)))
    ends = _Ends(half, Regression.of_shares(Shares(problem, unit, _HALF, mpq(1))))
    start = FilteredRegression(half, range(half.count, half.count + problem.rank))
    if not search_lines(start):
        raise AssertionError("the absolute loss falls forever: this is a bug")
    basis: Sequence[int] = start.basis
    pieces: list[Piece] = []
    gaps = [(mpq(0), mpq(1))]
    while gaps:
        low, high = gaps.pop()
        level = simplest_between(low, high)
        regression = Regression.of_shares(Shares(problem, unit, _HALF, 1 - 2 * level))
        arithmetic = FilteredRegression(regression, basis)
        optimal = descend(arithmetic)
        if optimal is None:
            raise AssertionError("a pinball loss falls forever: this is a bug")
        basis = arithmetic.basis
        signs = arithmetic.signs()
        for place, sign in optimal.signs.items():
            signs[place] = sign
        piece = ends.find_piece(optimal.basis, signs, arithmetic.parameters())
        insort(pieces, piece)
        if low < piece.low:
            gaps.append((low, piece.low))
        # next to the last piece, so that its basis is near
        if piece.high < high:
            gaps.append((piece.high, high))
    return _merge(pieces)


class _Ends:
    """Where the multipliers of a basis leave [-1, 1]."""

    def __init__(self, even: Regression, tilted: Regression) -> None:
        """Takes the problem at the tilts 0 and 1."""
        self._even, self._tilted = even, tilted

    def find_piece(self, basis: Sequence[int], signs: Sequence[int], parameters: tuple[mpq, ...]) -> Piece:
        """Returns the piece of a basis.

        Args:
            basis: r places whose multipliers are at most 1 in size at some level,
            signs: if all other members count with these signs.
            parameters: of the vertex.
        """
        own = list(signs)
        for place in basis:
            own[place] = 0
        at_0 = ExactRegression(self._even, basis, own).multipliers_of(basis, {})
        at_1 = ExactRegression(self._tilted, basis, own).multipliers_of(basis, {})
        least, most = mpq(-1), mpq(1)
        for value, other in zip(at_0, at_1, strict=True):
            rate = other - value
            if rate:
                meets = sorted(((1 - value) / rate, (-1 - value) / rate))
                least, most = max(least, meets[0]), min(most, meets[1])
        # t = 1 - 2 τ falls where τ grows
        return Piece((1 - most) / 2, (1 - least) / 2, parameters)


def _merge(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Returns pieces without those of one level alone, neighbours at one vertex joined."""
    merged: list[Piece] = []
    for piece in pieces:
        if piece.low == piece.high:
            continue
        if merged and merged[-1].parameters == piece.parameters:
            merged[-1] = Piece(merged[-1].low, piece.high, piece.parameters)
        else:
            merged.append(piece)
    return tuple(merged)


def simplest_between(low: mpq, high: mpq) -> mpq:
    """Returns the rational with the least denominator strictly between two, by continued fractions."""
    whole = mpz(low)
    if low < 0 or low >= high:
        raise ValueError("0 ≤ low < high is needed")
    if whole + 1 < high:
        return mpq(whole + 1)
    rest_low, rest_high = low - whole, high - whole
    if not rest_low:
        # 1/n is below `rest_high` from this n on
        return whole + mpq(1, mpz(1 / rest_high) + 1)
    return whole + 1 / simplest_between(1 / rest_high, 1 / rest_low)
