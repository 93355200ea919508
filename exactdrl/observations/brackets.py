"""Certified brackets of decay: rational low ≤ high with low ρ^k ≤ q_k / q_0 ≤ high ρ^k throughout a window.

The rate is fitted in floats and rounded to a rational, for which the bracket is computed, so that any rate gives a
right bracket. Balls (FLINT's arb) bound each ratio. Where a ball leaves open whether a candidate constant holds,
rationals decide.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import arb, ctx
from gmpy2 import mpq

from exactdrl.exact.balls import from_arb, to_arb
from exactdrl.exact.enclosed import PRECISION, EnclosedSequence, enclose, log_of
from exactdrl.exact.rationals import parse_rational
from exactdrl.observations.lengths import LengthSums, exponent_of

DIGITS = 4
_MAX_RATE_PART = 1 << 64


@dataclass(frozen=True, slots=True)
class Bracket:
    """A certified claim of decay (proofs/CLAIMS.md, section 3) with the tightest constants of `DIGITS` digits.

    Attributes:
        quantity: `loss-gap`, `squared-distance` or `length-sum`.
        begin: the window's first step a.
        end: the window's last step b.
        rate: the rate ρ per step; above 1 the quantity grows.
        low: the greatest number of `DIGITS` significant digits, at most 1, for which the claim holds.
        high: the least number of `DIGITS` significant digits, at least 1, for which the claim holds.
        window: how many lengths a length sum has; None for other quantities.
        bits: the precision of the length sums; None for other quantities.
    """

    quantity: str
    begin: int
    end: int
    rate: mpq
    low: mpq
    high: mpq
    window: int | None = None
    bits: int | None = None

    @property
    def spread(self) -> mpq | None:
        """Returns high / low, which is 1 for an exactly exponential decay; None where low is 0."""
        return self.high / self.low if self.low else None

    @property
    def half_life(self) -> float:
        """Returns in floats after how many steps ρ^k is 1/2; negative for growth, infinite for ρ = 1."""
        return -math.log(2) / log_of(self.rate) if self.rate != 1 else math.inf


def fit_slope(logs: Sequence[float]) -> tuple[float, float]:
    """Returns the slope of the lowest strip that contains all points (k, logs[k]), and the strip's height, in floats.

    The height is the logarithm of high / low. It is convex in the slope, and golden sections find its minimum.
    """
    heights = np.asarray(logs, dtype=np.float64)
    if len(heights) <= 2:  # noqa: PLR2004 - a line goes through two points
        return (float(heights[1] - heights[0]) if len(heights) > 1 else 0.0), 0.0
    steps = np.arange(len(heights), dtype=np.float64)

    def height(slope: float) -> float:
        return float(np.ptp(heights - slope * steps))

    differences = np.diff(heights)
    low, high = float(differences.min()), float(differences.max())
    golden = (math.sqrt(5) - 1) / 2
    inner, outer = high - golden * (high - low), low + golden * (high - low)
    at_inner, at_outer = height(inner), height(outer)
    for _ in range(100):
        if at_inner <= at_outer:
            high, outer, at_outer = outer, inner, at_inner
            inner = high - golden * (high - low)
            at_inner = height(inner)
        else:
            low, inner, at_inner = inner, outer, at_outer
            outer = low + golden * (high - low)
            at_outer = height(outer)
    slope = (low + high) / 2
    return slope, height(slope)


def round_rate(slope: float) -> mpq:
    """Returns ρ = exp(slope) as a decimal for which 1 - ρ is rounded to `DIGITS` digits, within a claim's bounds."""
    change = math.expm1(min(max(slope, -40.0), 40.0))
    if change == 0:
        return mpq(1)
    places = min(DIGITS - 1 - math.floor(math.log10(abs(change))), 15)
    rate = 1 + parse_rational(f"{change:.{max(places, 0)}f}")
    return rate if 0 < rate.numerator <= _MAX_RATE_PART and rate.denominator <= _MAX_RATE_PART else mpq(1)


def find_bracket(
    lows: Sequence[mpq], highs: Sequence[mpq], rate: mpq, *, digits: int = DIGITS
) -> tuple[mpq, mpq] | None:
    """Returns the tightest low and high with so many digits, for a sequence that is known by enclosures.

    For all k ≥ 1, low · ρ^k · highs[0] ≤ lows[k] and highs[k] ≤ high · ρ^k · lows[0]; moreover low ≤ 1 ≤ high.

    Args:
        lows: lower bounds of the sequence, which are the exact values where these are known.
        highs: upper bounds of the sequence.
        rate: the rate ρ > 0.
        digits: how many significant digits the results have.

    Returns:
        The pair (low, high); None if lows[0] is not positive.
    """
    below, above = enclose(lows), enclose(highs)
    if below.compare(0, mpq(0)) <= 0:
        return None
    low = _tightest(below, above, rate, digits, is_low=True)
    return low, _tightest(above, below, rate, digits, is_low=False)


def _tightest(values: EnclosedSequence, reference: EnclosedSequence, rate: mpq, digits: int, *, is_low: bool) -> mpq:
    with ctx.workprec(PRECISION):
        balls = _ratio_balls(values, reference, rate)
        # for each ball the end that demands least of the constant
        ends = [ball.upper() if is_low else ball.lower() for ball in balls if ball.is_finite()]
        best = min(ends, default=arb(1)) if is_low else max(ends, default=arb(1))
        best = min(from_arb(best), mpq(1)) if is_low else max(from_arb(best), mpq(1))
        constant = _round_outward(best, digits, is_low=is_low)
        at = to_arb(constant)
        for k, ball in enumerate(balls, 1):
            while not (ball >= at if is_low else ball <= at) and not _holds(
                constant, values[k], reference[0], rate, k, is_low=is_low
            ):
                constant = _next(constant, digits, is_low=is_low)
                at = to_arb(constant)
        return constant


def _ratio_balls(values: EnclosedSequence, reference: EnclosedSequence, rate: mpq) -> list[arb]:
    """Returns balls that hold values[k] / (ρ^k reference[0]) for k ≥ 1."""
    factor = to_arb(1 / rate)
    scale = 1 / reference.balls[0]
    found = []
    for value in values.balls[1:]:
        scale *= factor
        found.append(value * scale)
    return found


def _holds(constant: mpq, value: mpq, reference: mpq, rate: mpq, k: int, *, is_low: bool) -> bool:
    bound = constant * rate**k * reference
    return bool(bound <= value if is_low else value <= bound)


def _round_outward(value: mpq, digits: int, *, is_low: bool) -> mpq:
    if value <= 0:
        return mpq(0)
    unit = mpq(10) ** (exponent_of(value) - digits + 1)
    scaled = value / unit
    whole = scaled.numerator // scaled.denominator
    return unit * (whole if is_low or whole == scaled else whole + 1)


def _next(constant: mpq, digits: int, *, is_low: bool) -> mpq:
    """Returns the next weaker constant with so many digits."""
    unit = mpq(10) ** (exponent_of(constant) - digits + 1)
    if is_low and constant == unit * 10 ** (digits - 1):
        unit /= 10  # below a power of ten the grid is finer
    return constant - unit if is_low else constant + unit


def bracket_values(
    quantity: str, values: Sequence[mpq], begin: int, end: int, rate: mpq | None = None
) -> Bracket | None:
    """Returns the bracket of an exact sequence over begin..end; None if the sequence is not positive at `begin`.

    Args:
        quantity: the sequence's name.
        values: q_0..q_S.
        begin: the first step a.
        end: the last step b.
        rate: the rate ρ; default: it is fitted to the positive part of the window.
    """
    part = enclose(values)[begin : end + 1]
    if rate is None:
        rate = round_rate(fit_slope([log for log in part.logs() if log > -math.inf])[0])
    found = find_bracket(part, part, rate)
    return None if found is None else Bracket(quantity, begin, end, rate, *found)


def bracket_sums(sums: LengthSums, begin: int, end: int, rate: mpq | None = None) -> Bracket | None:
    """Returns the bracket of running sums of lengths over begin..end, begin ≥ window; None with too few bits."""
    lows = [mpq(value) for value in sums.low[begin - sums.window : end + 1 - sums.window]]
    highs = enclose([mpq(value) for value in sums.high[begin - sums.window : end + 1 - sums.window]])
    if rate is None:
        rate = round_rate(fit_slope([log for log in highs.logs() if log > -math.inf])[0])
    found = find_bracket(lows, highs, rate)
    return None if found is None else Bracket("length-sum", begin, end, rate, *found, sums.window, sums.bits)
