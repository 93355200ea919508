"""Exact rationals known by enclosures, and computed only where an enclosure leaves a question open.

A number has a ball that holds it, and a way to find it. Questions (which sign, which side of a bound, which float,
which decimal) are put to the ball first. Where the ball does not decide one, the rational is found and decides it. So
the width of the balls changes only the cost of an answer, never the answer.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import overload

from flint import arb, ctx
from gmpy2 import mpq

from exactdrl.exact.balls import from_arb, to_arb
from exactdrl.exact.rationals import to_float

# Bits of the arithmetic on enclosures
PRECISION = 192
# Floats below this are left to the rational: rounding to nearest is not relative among the least floats
_LEAST_FLOAT = 1e-290


class EnclosedNumber:
    """A rational of which a ball is known that holds it.

    Attributes:
        ball: holds the rational.
    """

    __slots__ = ("_find", "_found", "ball")

    def __init__(self, ball: arb, find: Callable[[], mpq]) -> None:
        """Takes the ball, and what returns the rational."""
        self.ball, self._find = ball, find
        self._found: mpq | None = None

    @property
    def exact(self) -> mpq:
        """Returns the rational."""
        if self._found is None:
            self._found = self._find()
        return self._found

    @property
    def ends(self) -> tuple[mpq, mpq]:
        """Returns rationals below and above, both the number itself where it was found."""
        if self._found is None and self.ball.is_finite():
            with ctx.workprec(PRECISION):
                return from_arb(self.ball.lower()), from_arb(self.ball.upper())
        return self.exact, self.exact

    def __eq__(self, other: object) -> bool:
        """Returns whether the numbers are the same, by the rationals."""
        return isinstance(other, EnclosedNumber) and self.exact == other.exact

    def __hash__(self) -> int:
        """Returns the rational's hash."""
        return hash(self.exact)

    def __repr__(self) -> str:
        """Returns the ball's text."""
        return f"EnclosedNumber({self.ball})"

    def to_float(self) -> float:
        """Returns the nearest float64, correctly rounded."""
        nearest = _nearest_float(self.ball)
        return to_float(self.exact) if nearest is None else nearest


def _nearest_float(ball: arb) -> float | None:
    """Returns the float64 to which every number of a ball rounds; None if they round to several, or are tiny."""
    # FLINT rounds the conversion to nearest, ties to even, and that is monotone
    low, high = float(ball.lower()), float(ball.upper())
    return low if low == high and _LEAST_FLOAT < abs(low) < math.inf else None


class EnclosedSequence(Sequence[mpq]):
    """A sequence of rationals with balls that hold them; entries and iteration give rationals, found when asked for.

    Attributes:
        balls: one a number.
    """

    __slots__ = ("_find", "_find_all", "_found", "_logs", "balls")

    def __init__(
        self,
        balls: Iterable[arb],
        find: Callable[[int], mpq],
        find_all: Callable[[], Sequence[mpq]] | None = None,
    ) -> None:
        """Takes the balls, what returns the rational at an index, and what returns all where that is cheaper."""
        self.balls: tuple[arb, ...] = tuple(balls)
        self._find, self._find_all = find, find_all
        self._found: dict[int, mpq] = {}
        self._logs: list[float] | None = None

    def __len__(self) -> int:
        """Returns how many numbers there are."""
        return len(self.balls)

    @overload
    def __getitem__(self, index: int) -> mpq: ...

    @overload
    def __getitem__(self, index: slice) -> "EnclosedSequence": ...

    def __getitem__(self, index: int | slice) -> "mpq | EnclosedSequence":
        """Returns the rational at an index, or a part of the sequence."""
        if isinstance(index, slice):
            places = range(len(self))[index]
            part = EnclosedSequence(self.balls[index], lambda k: self[places[k]], lambda: list(self)[index])
            part._logs = None if self._logs is None else self._logs[index]
            return part
        place = range(len(self))[index]
        if place not in self._found:
            self._found[place] = self._find(place)
        return self._found[place]

    def __iter__(self) -> Iterator[mpq]:
        """Yields all rationals."""
        if self._find_all is not None and len(self._found) < len(self):
            self._found = dict(enumerate(self._find_all()))
        for index in range(len(self)):
            yield self[index]

    def __eq__(self, other: object) -> bool:
        """Returns whether another sequence has the same rationals."""
        if not isinstance(other, Sequence):
            return NotImplemented
        return self is other or (len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True)))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Returns a short text."""
        return f"EnclosedSequence of {len(self)} numbers"

    def number(self, index: int) -> EnclosedNumber:
        """Returns the number at an index."""
        place = range(len(self))[index]
        return EnclosedNumber(self.balls[place], lambda: self[place])

    def compare(self, index: int, bound: mpq) -> int:
        """Returns the sign of the number at an index minus a bound."""
        with ctx.workprec(PRECISION):
            return self._compare(range(len(self))[index], bound, to_arb(bound))

    def _compare(self, place: int, bound: mpq, at: arb) -> int:
        if place not in self._found:
            ball = self.balls[place]
            if ball > at:
                return 1
            if ball < at:
                return -1
        value = self[place]
        return int(value > bound) - int(value < bound)

    def compare_all(self, bound: mpq) -> list[int]:
        """Returns the sign of each number minus a bound."""
        with ctx.workprec(PRECISION):
            at = to_arb(bound)
            return [self._compare(place, bound, at) for place in range(len(self))]

    def floats(self) -> list[float]:
        """Returns the nearest float64 of each number, correctly rounded."""
        with ctx.workprec(PRECISION):
            nearest = [_nearest_float(ball) for ball in self.balls]
        return [to_float(self[place]) if value is None else value for place, value in enumerate(nearest)]

    def logs(self) -> list[float]:
        """Returns the logarithm of each number as a float, good to some 15 digits; -inf where it is not positive."""
        if self._logs is None:
            self._logs = [
                _log(ball) if ball > 0 else log_of(self[place]) if self.compare(place, _ZERO) > 0 else -math.inf
                for place, ball in enumerate(self.balls)
            ]
        return self._logs

    def minus(self, index: int) -> "EnclosedSequence":
        """Returns the sequence of what each number is above the one at an index."""
        other = range(len(self))[index]
        with ctx.workprec(PRECISION):
            balls = [arb(0) if place == other else ball - self.balls[other] for place, ball in enumerate(self.balls)]
        return EnclosedSequence(
            balls, lambda place: self[place] - self[other], lambda: [value - self[other] for value in self]
        )


_ZERO = mpq(0)


def enclose(values: Sequence[mpq]) -> EnclosedSequence:
    """Returns a sequence of rationals with balls around them; a sequence that has balls is returned as it is."""
    if isinstance(values, EnclosedSequence):
        return values
    with ctx.workprec(PRECISION):
        return EnclosedSequence(map(to_arb, values), values.__getitem__)


def concatenate(first: EnclosedSequence, second: EnclosedSequence) -> EnclosedSequence:
    """Returns one sequence, then another."""
    size = len(first)
    return EnclosedSequence(
        first.balls + second.balls,
        lambda place: first[place] if place < size else second[place - size],
        lambda: [*first, *second],
    )


def log_of(value: mpq) -> float:
    """Returns the logarithm of a positive rational of any size as a float."""
    return math.log(int(value.numerator)) - math.log(int(value.denominator))


def _log(ball: arb) -> float:
    middle = ball.mid()
    near = float(middle)
    if _LEAST_FLOAT < near < math.inf:
        return math.log(near)
    mantissa, exponent = middle.man_exp()
    return math.log(int(mantissa)) + int(exponent) * math.log(2)
