"""Products of float64 matrices as if in twice the precision, by BLAS, with a bound on their errors.

Source: Ozaki, Ogita, Oishi, Rump, Error-free transformations of matrix multiplication, Numer. Algorithms 59 (2012). The
theorem and its proof are in proofs/long-step.md, section 5.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# more than underflow can lose
TINY = 2.0**-700
# a piece has 22 bits for 26 terms, so that 5 pieces hold 110 bits below the greatest entries
PIECES = 5
# covers, besides what the pieces leave out, the rounding of the last sums and of the low parts
_ROUNDED = 2.0**-103
# OpenBLAS uses no threads for fewer than 2^18 products; on a busy machine its threads wait for one another
_PRODUCTS = 250_000


def powers_above(sizes: Floats) -> Floats:
    """Returns the least power of 2 above each positive size, and 1 for 0."""
    return np.where(sizes > 0.0, np.ldexp(1.0, np.frexp(sizes)[1]), 1.0)


def piece_bits(terms: int) -> int:
    """Returns the number of bits of pieces for which `PIECES` · terms products of two are added without rounding."""
    return (53 - (terms * PIECES).bit_length()) // 2


def cut(values: Floats, sizes: Floats, bits: int) -> list[Floats]:
    """Returns the values cut into `PIECES` parts, whose sum differs from them by at most half a unit of the last part.

    The unit of the k-th part is 2^(-k bits) times the size.

    Args:
        values: the numbers that are cut.
        sizes: powers of 2 that bound the values, of any shape that broadcasts.
        bits: how many bits a piece has.
    """
    parts = []
    rest, unit = values, sizes * 2.0 ** (52 - bits) * 1.5
    for _ in range(PIECES):
        part = rest + unit
        part -= unit
        parts.append(part)
        rest = rest - part
        unit = unit * 2.0**-bits
    return parts


def _add(left: Floats, right: Floats) -> tuple[Floats, Floats]:
    """Returns a sum and its exact rounding error. Source: Knuth; Møller."""
    total = left + right
    own = total - left
    return total, (left - (total - own)) + (right - own)


@np.errstate(over="ignore", invalid="ignore")
def product(high: Floats, low: Floats | None, factors: Floats) -> tuple[Floats, Floats]:
    """Returns (high + low) · factors as if in twice the precision, then rounded, and bounds on its absolute errors.

    The bounds leave out a relative error of 2 u of the result. The result is NaN where a number is infinite or
    overflows.

    Args:
        high: shape (count, terms).
        low: shape (count, terms), each entry at most 2⁻⁵² times the entry in `high`; None for 0.
        factors: shape (terms, width).
    """
    terms, width = factors.shape
    bits = piece_bits(terms)
    # the bounds follow from the greatest entries; powers of 2 first bring the factors to one size, so that the bound of
    # a row follows from its own greatest term
    scale = powers_above(np.abs(factors).max(axis=1))
    left, right = high * scale, factors / scale[:, None]
    rows, columns = powers_above(np.abs(left).max(axis=1, keepdims=True)), powers_above(np.abs(right).max(axis=0))
    pieces = np.concatenate(cut(left, rows, bits), axis=1)
    reversed_pieces = np.concatenate(cut(right, columns, bits)[::-1], axis=0)
    found = np.empty((len(high), width))
    each = max(1, _PRODUCTS // (terms * PIECES * width))
    for begin in range(0, len(high), each):
        part = pieces[begin : begin + each]
        # sums of products of one order of magnitude, the greatest first; each of these sums is exact
        sums = [part[:, : terms * k] @ reversed_pieces[terms * (PIECES - k) :] for k in range(1, PIECES + 1)]
        total, lost = _add(sums[0], sums[1])
        total, more = _add(total, sums[2])
        small = sums[3] + sums[4]
        if low is not None:
            small += low[begin : begin + each] @ factors
        found[begin : begin + each] = total + (more + (lost + small))
    left_out = (PIECES + 2) * 2.0 ** (-PIECES * bits) + (terms + 16) * _ROUNDED
    return found, rows * columns * (terms * left_out) + TINY
