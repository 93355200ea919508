"""Rationals and the balls of FLINT's arithmetic (Arb), both ways."""

from flint import arb
from gmpy2 import mpq, mpz

from exactdrl.exact.linear import to_fmpq


def to_arb(value: mpq) -> arb:
    """Returns a ball around a rational, at the context's precision."""
    return arb(to_fmpq(value))


def from_arb(value: arb) -> mpq:
    """Returns the rational that a ball of radius 0 is, such as the ends `lower()` and `upper()`."""
    mantissa, exponent = value.man_exp()
    power = int(exponent)
    whole = mpz(int(mantissa))
    return mpq(whole << power) if power >= 0 else mpq(whole, mpz(1) << -power)
