"""Encloses the share of the plane that a cell has, by its angle."""

from flint import arb, ctx, fmpz
from gmpy2 import mpq

from exactdrl.exact.balls import from_arb
from exactdrl.hidden_cells.cone import Cone

_BITS = 96
_PLANE = 2


def gaussian_measure(cone: Cone) -> tuple[mpq, mpq] | None:
    """Returns two rationals between which the standard Gaussian measure of a cone lies; None beyond dimension 2.

    The measure is the angle between the rays, divided by 2π. It is exact where the angle is a multiple of π / 4.

    Args:
        cone: full-dimensional, of dimension at most 2.
    """
    if not cone.rays:
        return mpq(1), mpq(1)
    if len(cone.lines) + 1 == len(cone.rays[0]):
        return mpq(1, 2), mpq(1, 2)
    if len(cone.rays[0]) > _PLANE:
        return None
    (a, b), (c, d) = cone.rays
    across, along = abs(a * d - b * c), a * c + b * d
    if not along:
        return mpq(1, 4), mpq(1, 4)
    if across == abs(along):
        return (mpq(1, 8), mpq(1, 8)) if along > 0 else (mpq(3, 8), mpq(3, 8))
    before = ctx.prec
    ctx.prec = _BITS
    try:
        share = arb.atan2(arb(fmpz(int(across))), arb(fmpz(int(along)))) / (2 * arb.pi())
        return from_arb(share.lower()), from_arb(share.upper())
    finally:
        ctx.prec = before
