"""Intervals of 95 % for shares and medians over many runs: those of Wilson, and those of order statistics."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import NormalDist, median

from gmpy2 import mpz

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Share:
    """A share of runs with its interval.

    Attributes:
        count: how many runs are counted.
        total: how many runs there are.
        low: the interval's lower end; 0 without runs.
        high: the interval's upper end; 1 without runs.
    """

    count: int
    total: int
    low: float
    high: float

    def to_json(self) -> dict[str, object]:
        """Returns the share as a JSON object."""
        return {"count": self.count, "of": self.total, "low": round(self.low, 6), "high": round(self.high, 6)}


def wilson(count: int, total: int) -> Share:
    """Returns Wilson's score interval for a share.

    Source: Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927) 209-212.
    """
    if total == 0:
        return Share(0, 0, 0.0, 1.0)
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    share, square = count / total, z * z / total
    centre = (share + square / 2) / (1 + square)
    half = z / (1 + square) * math.sqrt(share * (1 - share) / total + square / (4 * total))
    # at the ends the formula gives exactly 0 and 1, and floats give nearly that
    low = 0.0 if count == 0 else max(0.0, centre - half)
    high = 1.0 if count == total else min(1.0, centre + half)
    return Share(count, total, low, high)


def clopper_pearson(count: int, total: int) -> Share:
    """Returns Clopper and Pearson's interval for a share.

    It covers the true share with a probability of at least 95 %. The ends are multiples of 2⁻²⁰, rounded outwards. The
    binomial sums are computed in integers.

    Source: Clopper and Pearson, The use of confidence or fiducial limits, Biometrika 26 (1934) 404-413.
    """
    if total == 0:
        return Share(0, 0, 0.0, 1.0)
    # P(X ≥ count) ≤ 1/40 at the lower end, P(X ≤ count) ≤ 1/40 at the upper one
    low = 0 if count == 0 else _largest(lambda part: _is_rare(range(count, total + 1), total, part))
    high = 0 if count == total else _largest(lambda part: _is_rare(range(total - count, total + 1), total, part))
    return Share(count, total, low / _PARTS, 1 - high / _PARTS)


_PARTS = 2**20
_RARE = 40


def _is_rare(counts: range, total: int, part: int) -> bool:
    """Returns whether a binomial count with the share part / 2²⁰ is in a range with probability at most 1/40."""
    rest = _PARTS - part
    count = counts[0]
    term = tail = mpz(math.comb(total, count)) * mpz(part) ** count * mpz(rest) ** (total - count)
    for count in counts[:-1]:
        # from C(n, k) pᵏ rⁿ⁻ᵏ to the next term, without a remainder
        term = term * (total - count) * part // ((count + 1) * rest)
        tail += term
    return bool(_RARE * tail <= mpz(_PARTS) ** total)


def _largest(is_fit: Callable[[int], bool]) -> int:
    """Returns the largest part that fits, if all smaller parts fit, too."""
    fits, fails = 0, _PARTS
    while fails - fits > 1:
        middle = (fits + fails) // 2
        fits, fails = (middle, fails) if is_fit(middle) else (fits, middle)
    return fits


@dataclass(frozen=True, slots=True)
class Median:
    """The median of a measure over runs, its quartiles, and an interval for the median of all such runs.

    Attributes:
        total: how many runs have the measure.
        value: the median; None without such runs.
        quartiles: the lower and the upper quartile; None without such runs.
        interval: two order statistics between which the true median lies with at least 95 %, whatever the distribution;
            None where there are too few runs for that (five or less).
    """

    total: int
    value: float | None
    quartiles: tuple[float, float] | None
    interval: tuple[float, float] | None

    def to_json(self) -> dict[str, object]:
        """Returns the median as a JSON object."""
        return {
            "of": self.total,
            "median": self.value,
            "quartiles": None if self.quartiles is None else list(self.quartiles),
            "interval": None if self.interval is None else list(self.interval),
        }


def summarise(values: Sequence[float]) -> Median:
    """Returns the median of some values with its interval."""
    ordered = sorted(values)
    size = len(ordered)
    if not size:
        return Median(0, None, None, None)
    rank = median_rank(size)
    interval = None if rank is None else (ordered[rank - 1], ordered[size - rank])
    quartiles = (_quantile(ordered, Fraction(1, 4)), _quantile(ordered, Fraction(3, 4)))
    return Median(size, median(ordered), quartiles, interval)


def median_rank(size: int) -> int | None:
    """Returns the greatest r for which the r-th least and the r-th greatest of so many values enclose the median.

    They enclose it with a probability of at least 95 %. The number of values below the median is binomial with 1/2, so
    that the probability of missing it is 2 P(X ≤ r - 1), which is computed exactly. None if not even the least and the
    greatest value enclose it.
    """
    allowed = Fraction(1) - Fraction(str(CONFIDENCE))
    below, rank = Fraction(0), 0
    while rank < size // 2:
        below += Fraction(math.comb(size, rank), 2**size)
        if 2 * below > allowed:
            break
        rank += 1
    return rank or None


def _quantile(ordered: Sequence[float], share: Fraction) -> float:
    """Returns a quantile, interpolated linearly between neighbours (R's and NumPy's default)."""
    place = share * (len(ordered) - 1)
    index = int(place)
    rest = float(place - index)
    if rest == 0:
        return ordered[index]
    return ordered[index] + rest * (ordered[index + 1] - ordered[index])
