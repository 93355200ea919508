"""Sums of square roots: step lengths and their running sums as enclosures in integers, and their certain digits."""

from collections.abc import Sequence
from dataclasses import dataclass

from flint import arb, ctx
from gmpy2 import f_divmod, isqrt_rem, mpq, mpz

from exactdrl.exact.balls import from_arb
from exactdrl.exact.enclosed import PRECISION, EnclosedSequence, enclose

_DIGITS = 17


@dataclass(frozen=True, slots=True)
class LengthSums:
    """Enclosures of the sums of `window` consecutive lengths: low[i] ≤ 2^bits · sum ≤ high[i].

    Attributes:
        window: the number w of lengths in a sum.
        bits: the number B of bits after the binary point.
        low: the lower bounds, one integer for each k = w..S, at index k - w.
        high: the upper bounds, likewise.

    Source: proofs/CLAIMS.md, section 3, decay.
    """

    window: int
    bits: int
    low: tuple[mpz, ...]
    high: tuple[mpz, ...]


def enclose_root(square: mpq, bits: int) -> tuple[mpz, mpz]:
    """Returns integers lo ≤ 2^bits · √square ≤ hi, which are equal if the root is lo / 2^bits, and else neighbours.

    Args:
        square: the square, not negative.
        bits: how many bits after the binary point are kept, not negative.
    """
    quotient, rest = f_divmod(square.numerator << 2 * bits, square.denominator)
    root, over = isqrt_rem(quotient)
    return root, root if not over and not rest else root + 1


def _enclose_roots(squares: EnclosedSequence, bits: int) -> list[tuple[mpz, mpz]]:
    """Returns `enclose_root` of each square."""
    roots = []
    scale = arb((1, bits))
    with ctx.workprec(PRECISION):
        for index, ball in enumerate(squares.balls):
            root = ball.sqrt() * scale
            floor = root.floor().unique_fmpz()
            if floor is None or not root > floor:
                roots.append(enclose_root(squares[index], bits))
            else:
                low = mpz(int(floor))
                roots.append((low, low + 1))
    return roots


def sum_lengths(squares: Sequence[mpq], window: int, bits: int) -> LengthSums:
    """Returns the running sums of the roots of squared lengths; no sums if there are fewer than `window` lengths."""
    roots = _enclose_roots(enclose(squares), bits)
    sums: tuple[list[mpz], list[mpz]] = ([], [])
    for side, found in enumerate(sums):
        total = sum((root[side] for root in roots[:window]), mpz(0))
        for end in range(window, len(roots) + 1):
            if end > window:
                total += roots[end - 1][side] - roots[end - 1 - window][side]
            found.append(total)
    return LengthSums(window, bits, tuple(sums[0]), tuple(sums[1]))


def compare_with_sum(squares: Sequence[mpq], bound: mpq) -> int:
    """Returns the sign of Σ √square - bound, exactly.

    Enclosures of growing precision decide if the two differ. They are equal only if every root is rational: square
    roots of different square-free numbers are linearly independent over Q, so that a sum of positive square roots is
    rational only if each root is (Besicovitch). In that case the roots themselves are added.
    """
    exact = [_rational_root(square) for square in squares]
    rational = [root for root in exact if root is not None]
    if len(rational) == len(exact):
        total = sum(rational, mpq(0))
        return int(total > bound) - int(total < bound)
    bits = 64
    while True:
        low, high = enclose_sum(squares, bits)
        if mpq(low, mpz(1) << bits) > bound:
            return 1
        if mpq(high, mpz(1) << bits) < bound:
            return -1
        bits *= 2


def enclose_sum(squares: Sequence[mpq], bits: int) -> tuple[mpz, mpz]:
    """Returns integers lo ≤ 2^bits · Σ √square ≤ hi."""
    roots = [enclose_root(square, bits) for square in squares]
    return sum((low for low, _ in roots), mpz(0)), sum((high for _, high in roots), mpz(0))


def _rational_root(square: mpq) -> mpq | None:
    numerator, first = isqrt_rem(square.numerator)
    denominator, second = isqrt_rem(square.denominator)
    return None if first or second else mpq(numerator, denominator)


def to_decimal(low: mpq, high: mpq, digits: int) -> str | None:
    """Returns the decimal with `digits` digits to which all numbers in [low, high] round; None if they differ.

    Ties round up. The bounds satisfy 0 < low ≤ high.
    """
    texts = {_round(value, digits) for value in (low, high)}
    return texts.pop() if len(texts) == 1 else None


def _round(value: mpq, digits: int) -> str:
    power = exponent_of(value) - digits + 1
    scaled = value / mpq(10) ** power
    mantissa = int((2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator))
    if mantissa == 10**digits:
        mantissa, power = mantissa // 10, power + 1
    text = str(mantissa)
    return f"{text[0]}.{text[1:]}e{power + digits - 1:+03d}" if digits > 1 else f"{text}e{power:+03d}"


def exponent_of(value: mpq) -> int:
    """Returns the integer e with 10^e ≤ value < 10^(e+1) for a positive value, exactly."""
    exponent = len(str(value.numerator)) - len(str(value.denominator))
    # the difference of the numbers of digits is e or e + 1
    return exponent if value >= mpq(10) ** exponent else exponent - 1


def mean_text(squares: Sequence[mpq], digits: int = 15) -> str:
    """Returns the mean of the roots of positive squares, rounded correctly to `digits` digits."""
    bits = 64
    while True:
        low, high = enclose_sum(squares, bits)
        scale = (mpz(1) << bits) * len(squares)
        # a sum equals a rounding tie only if all roots are rational; enough bits enclose dyadic roots exactly, and
        # other rational roots are added themselves
        found = to_decimal(mpq(low, scale), mpq(high, scale), digits) if low > 0 else None
        if found is not None:
            return found
        exact = [_rational_root(square) for square in squares]
        rational = [root for root in exact if root is not None]
        if len(rational) == len(exact):
            mean = sum(rational, mpq(0)) / len(rational)
            return _round(mean, digits)
        bits *= 2


class Lengths:
    """The roots of squared lengths and their means, as floats that are correct to 17 digits."""

    def __init__(self, squares: EnclosedSequence) -> None:
        """Takes the squares, not negative."""
        self._squares = squares
        with ctx.workprec(PRECISION):
            self._roots = [ball.sqrt() for ball in squares.balls]

    def root(self, index: int) -> float:
        """Returns one root."""
        if self._squares.compare(index, mpq(0)) == 0:
            return 0.0
        return self.mean(index, index + 1)

    def mean(self, begin: int, end: int) -> float:
        """Returns the mean of the roots begin..end-1 of positive squares."""
        with ctx.workprec(PRECISION):
            ball = sum(self._roots[begin:end], arb(0)) / (end - begin)
            found = None
            if ball.is_finite() and ball > 0:
                found = to_decimal(from_arb(ball.lower()), from_arb(ball.upper()), _DIGITS)
        return float(mean_text(list(self._squares[begin:end]), _DIGITS) if found is None else found)
