"""The whole exact path of regression quantiles: a minimiser for every level τ between 0 and 1, piece by piece.

At a basis with fixed signs the multipliers are affine in the tilt t = 1 - 2τ. So they lie in [-1, 1] on an interval of
t that is computed exactly, and on this interval the vertex is optimal. One solve gives one piece. Levels between two
pieces of different vertices that do not touch are solved in turn, until the pieces cover all levels. A convex
combination of multipliers of a vertex at two levels is one of multipliers at a level between. So a vertex is optimal on
an interval, and nothing is left to solve between two of its pieces. No step relies on an order of pivots: every piece
is proved by its own multipliers, and the ends of the pieces show that none is missing. Source: proofs/long-step.md,
section 9.
"""

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
        high: the greatest of these levels, 1 or a breakpoint.
        parameters: the reduced parameters of the vertex.
    """

    low: mpq
    high: mpq
    parameters: tuple[mpq, ...]


def find_path(problem: IntegerProblem, unit: int) -> tuple[Piece, ...]:
    """Returns the pieces for all levels, in increasing order; the `high` of each is the `low` of the next one.

    At a breakpoint both vertices and the segment between them are minimisers. The instance's weights are used, and its
    loss is not.
    """
    half = Regression.of_shares(Shares(problem, unit, _HALF, mpq(0)))
    ends = _Ends(half, Regression.of_shares(Shares(problem, unit, _HALF, mpq(1))))
    start = FilteredRegression(half, range(half.count, half.count + problem.rank))
    if not search_lines(start):
        raise AssertionError("the absolute loss falls forever: this is a bug")
    basis: Sequence[int] = start.basis
    # the least and the greatest level of each vertex that was found
    found: dict[tuple[mpq, ...], tuple[mpq, mpq]] = {}
    gaps: list[_Gap] = [_Gap(mpq(0), mpq(1), None, None)]
    while gaps:
        gap = gaps.pop()
        regression = Regression.of_shares(Shares(problem, unit, _HALF, 1 - 2 * gap.inside))
        arithmetic = FilteredRegression(regression, basis)
        optimal = descend(arithmetic)
        if optimal is None:
            raise AssertionError("a pinball loss falls forever: this is a bug")
        basis = arithmetic.basis
        signs = arithmetic.signs()
        for place, sign in optimal.signs.items():
            signs[place] = sign
        piece = ends.find_piece(optimal.basis, signs, arithmetic.parameters())
        low, high = found.get(piece.parameters, (piece.low, piece.high))
        found[piece.parameters] = min(low, piece.low), max(high, piece.high)
        # the gap above is solved next, since the basis is near its solution
        below = _Gap(gap.low, piece.low, gap.left, piece.parameters)
        above = _Gap(piece.high, gap.high, piece.parameters, gap.right)
        gaps += [part for part in (below, above) if not part.is_closed]
    return _in_order(found)


@dataclass(frozen=True, slots=True)
class _Gap:
    """The levels between two pieces, and the vertices of these pieces, which are None at the levels 0 and 1."""

    low: mpq
    high: mpq
    left: tuple[mpq, ...] | None
    right: tuple[mpq, ...] | None

    @property
    def is_closed(self) -> bool:
        return self.low >= self.high or (self.left is not None and self.left == self.right)

    @property
    def inside(self) -> mpq:
        """Returns a short rational in the middle third."""
        third = (self.high - self.low) / 3
        return simplest_between(self.low + third, self.high - third)


def _in_order(found: dict[tuple[mpq, ...], tuple[mpq, mpq]]) -> tuple[Piece, ...]:
    """Returns pieces that touch, from the levels at which vertices are optimal.

    Of several vertices that are optimal at the same level the one is taken that stays optimal the longest.
    """
    pieces: list[Piece] = []
    level = mpq(0)
    while level < 1:
        here = [(high, point) for point, (low, high) in found.items() if low <= level < high]
        if not here:
            raise AssertionError("the pieces of a path do not touch: this is a bug")
        high, point = max(here)
        pieces.append(Piece(level, high, point))
        level = high
    return tuple(pieces)


class _Ends:
    """The levels at which the multipliers of a basis leave [-1, 1]."""

    def __init__(self, even: Regression, tilted: Regression) -> None:
        """Takes the problem with the tilts 0 and 1."""
        self._even, self._tilted = even, tilted

    def find_piece(self, basis: Sequence[int], signs: Sequence[int], parameters: tuple[mpq, ...]) -> Piece:
        """Returns the piece of a basis.

        Args:
            basis: r places whose multipliers are at most 1 in size at some level if all other members count with
                `signs`.
            signs: the signs of all members.
            parameters: the parameters of the vertex.
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


def simplest_between(low: mpq, high: mpq) -> mpq:
    """Returns the rational with the least denominator strictly between two numbers, by continued fractions.

    Raises:
        ValueError: it is not 0 ≤ low < high.
    """
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
