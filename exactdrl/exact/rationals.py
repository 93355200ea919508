"""Converts texts and Python numbers to the rationals that they mean, and back.

Every number of the public interface is a `gmpy2.mpq`. The grammar and its limits are proofs/FORMAT.md, section 1.
"""

import math
import numbers
import re
from fractions import Fraction

from gmpy2 import mpq, mpz

MAX_CHARACTERS = 100_000
MAX_DECIMAL_EXPONENT = 10_000
MAX_BINARY_EXPONENT = 40_000

_DECIMAL = re.compile(r"(-?)(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([+-]?[0-9]+))?")
_RATIO = re.compile(r"(-?[0-9]+)/([0-9]+)")
_HEXADECIMAL = re.compile(r"(-?)0[xX](?:([0-9a-fA-F]+)(?:\.([0-9a-fA-F]*))?|\.([0-9a-fA-F]+))[pP]([+-]?[0-9]+)")
_SHOWN = 40
_LONGEST_DECIMAL = 17


class InputError(ValueError):
    """Input was refused; the message names the place and the value."""


def shown(value: object) -> str:
    """Returns a value as an error message shows it: quoted, cut to a readable length."""
    # huge integers are shown in hexadecimal, since Python refuses to write long decimals
    text = hex(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) >> 256 else repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def parse_rational(text: str) -> mpq:
    """Returns the rational that a text writes, exactly: `0.1` is 1/10, `0x1.8p-1` is 3/4.

    Args:
        text: a decimal, a ratio p/q or a C99 hexadecimal float, ASCII only.

    Raises:
        InputError: the text is none of these, or beyond the limits of the format.

    Source: proofs/FORMAT.md, section 1.
    """
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"a number has more than {MAX_CHARACTERS} characters: {shown(text)}")
    if match := _DECIMAL.fullmatch(text):
        sign, whole, part, bare, exponent_text = match.groups()
        part = (part if whole is not None else bare) or ""
        exponent = _parse_exponent(exponent_text, MAX_DECIMAL_EXPONENT, text) - len(part)
        digits = mpz((whole or "") + part or "0")
        value = mpq(digits * mpz(10) ** exponent) if exponent >= 0 else mpq(digits, mpz(10) ** -exponent)
    elif match := _RATIO.fullmatch(text):
        numerator, denominator = mpz(match[1]), mpz(match[2])
        if denominator == 0:
            raise InputError(f"a number has denominator 0: {shown(text)}")
        return mpq(numerator, denominator)
    elif match := _HEXADECIMAL.fullmatch(text):
        sign, whole, part, bare, exponent_text = match.groups()
        part = (part if whole is not None else bare) or ""
        exponent = _parse_exponent(exponent_text, MAX_BINARY_EXPONENT, text) - 4 * len(part)
        digits = mpz((whole or "") + part, 16)
        value = mpq(digits << exponent) if exponent >= 0 else mpq(digits, mpz(1) << -exponent)
    else:
        raise InputError(f"not a number: {shown(text)}")
    return -value if sign else value


def _parse_exponent(text: str | None, limit: int, number: str) -> int:
    if text is None:
        return 0
    exponent = mpz(text.removeprefix("+"))
    if abs(exponent) > limit:
        raise InputError(f"a number has an exponent beyond {limit}: {shown(number)}")
    return int(exponent)


def to_rational(value: object) -> mpq:
    """Returns the rational that a Python, NumPy or gmpy2 number is; text is parsed, a binary float is the dyadic it is.

    Raises:
        InputError: NaN, an infinity, a bool, or no number at all.
    """
    # the usual kinds first: the tests for abstract numbers take five times as long as all else
    if isinstance(value, str):
        return parse_rational(value)
    if isinstance(value, mpq):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return mpq(value)
    if isinstance(value, bool):
        raise InputError(f"not a number: {shown(value)}")
    if isinstance(value, (int, mpz, Fraction)):
        return mpq(value)
    if isinstance(value, numbers.Integral):
        return mpq(int(value))
    if isinstance(value, numbers.Real):
        if not math.isfinite(value):
            raise InputError(f"not a finite number: {value}")
        # as_integer_ratio is exact for every NumPy float, longdouble included; float(value) would round that one
        numerator, denominator = (
            value.as_integer_ratio()
            if hasattr(value, "as_integer_ratio")
            else Fraction(float(value)).as_integer_ratio()
        )
        return mpq(int(numerator), int(denominator))
    raise InputError(f"not a number: {shown(value)}")


def to_text(value: mpq) -> str:
    """Returns `p/q`, or `p` for an integer; `fractions.Fraction` reads both."""
    return str(value)


def to_float(value: mpq) -> float:
    """Returns the nearest float64, correctly rounded (ties to even), with the right infinity beyond the range.

    It decides nothing. (gmpy2's own conversion truncates; Python's division of integers rounds.)
    """
    try:
        return int(value.numerator) / int(value.denominator)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def to_float_or_infinity(value: mpq) -> float:
    """Returns the nearest float64, but infinity for a number other than 0 that would round to 0.

    For the float filter a weight that is 0 means that no path leads through it, so no other number may become 0.
    Infinity is outside the filter's range.
    """
    nearest = to_float(value)
    return nearest if nearest or not value else math.inf


def to_number_text(value: mpq) -> str:
    """Returns a short text that means exactly `value`: a decimal, else a hexadecimal float, else p/q."""
    if value.denominator == 1:
        return str(value.numerator)
    decimal = _to_short_decimal(value)
    if decimal is not None:
        return decimal
    nearest = to_float(value)
    if math.isfinite(nearest) and to_rational(nearest) == value:
        mantissa, exponent = nearest.hex().split("p")
        return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}p{exponent}"
    return to_text(value)


def _to_short_decimal(value: mpq) -> str | None:
    denominator, twos, fives = value.denominator, 0, 0
    while denominator % 2 == 0 and twos <= _LONGEST_DECIMAL:
        denominator, twos = denominator // 2, twos + 1
    while denominator % 5 == 0 and fives <= _LONGEST_DECIMAL:
        denominator, fives = denominator // 5, fives + 1
    places = max(twos, fives)
    if denominator != 1 or places > _LONGEST_DECIMAL:
        return None
    digits = str(abs(value.numerator) * mpz(10) ** places // value.denominator).rjust(places + 1, "0")
    if len(digits) > _LONGEST_DECIMAL:
        return None
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"
