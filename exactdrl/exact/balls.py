"""Conversions between rationals and the balls of FLINT's arithmetic (Arb)."""

from typing import TypeAlias

from flint import arb, ctx, fmpz
from gmpy2 import f_div, mpq, mpz

from exactdrl.exact.linear import to_fmpq

# bits that a quotient has beyond the precision, where a long rational is cut before FLINT sees it
_GUARD = 32


def to_arb(value: mpq) -> arb:
    """Returns a ball around a rational, at the context's precision."""
    numerator, denominator = value.numerator, value.denominator
    bits: int = ctx.prec + _GUARD
    length = numerator.bit_length()
    if denominator == 1 and length <= bits:
        return arb(fmpz(int(numerator)))
    if length + denominator.bit_length() <= 2 * bits:
        return arb(to_fmpq(value))
    # numbers of thousands of bits take microseconds each to go from one library to the other: cut them first
    shift = bits + denominator.bit_length() - length
    quotient = f_div(numerator << shift, denominator) if shift >= 0 else f_div(numerator, denominator << -shift)
    # the quotient was rounded down: the rational lies within half a unit of the middle
    return arb((int(2 * quotient + 1), -shift - 1), (1, -shift - 1))


def from_arb(value: arb) -> mpq:
    """Returns the rational that a ball of radius 0 is, such as the ends `lower()` and `upper()`."""
    mantissa, exponent = value.man_exp()
    power = int(exponent)
    whole = mpz(int(mantissa))
    return mpq(whole << power) if power >= 0 else mpq(whole, mpz(1) << -power)


# A ball's middle and radius, each mantissa and exponent of 2: what can be sent between processes
BallParts: TypeAlias = tuple[tuple[int, int], tuple[int, int]]


def to_parts(ball: arb) -> BallParts:
    """Returns the integers that a finite ball consists of."""
    (middle, exponent), (radius, power) = ball.mid().man_exp(), ball.rad().man_exp()
    return (int(middle), int(exponent)), (int(radius), int(power))


def from_parts(parts: BallParts) -> arb:
    """Returns the ball that `to_parts` took apart."""
    return arb(*parts)
