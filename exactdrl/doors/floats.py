"""Tensors of any library as exact numbers, and the decimals that an author may have written.

A binary float means the dyadic rational that it is. Only if the caller asks for `decimals=k` does it mean the decimal
with at most k places that rounds to it; a float without such a decimal is refused.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from gmpy2 import mpq, mpz

from exactdrl.exact.rationals import InputError, shown, to_rational

_TOO_MANY_DECIMALS = 1000


@dataclass(frozen=True, slots=True)
class FloatKind:
    """A kind of binary floats.

    Attributes:
        name: the kind's name in NumPy and PyTorch.
        precision: how many bits the significand has, with the hidden bit.
        lowest: the exponent of the smallest normal number 2^lowest.
    """

    name: str
    precision: int
    lowest: int

    @property
    def roundoff(self) -> mpq:
        """Returns the unit roundoff, the largest relative error of rounding to nearest."""
        return mpq(1, mpz(1) << self.precision)

    @property
    def smallest(self) -> mpq:
        """Returns the smallest normal number. Underflow, flushed to zero or not, changes a number by less."""
        return mpq(1, mpz(1) << -self.lowest)

    def half_gaps(self, value: mpq) -> tuple[mpq, mpq]:
        """Returns half the distances from a float's magnitude to its neighbours towards 0 and away from it."""
        if not value:
            gap = self.smallest * self.roundoff * 2
            return gap / 2, gap / 2
        exponent = _exponent(abs(value))
        gap = _power(max(exponent, self.lowest) - self.precision + 1)
        is_power = abs(value) == _power(exponent) and exponent > self.lowest
        return (gap / 4 if is_power else gap / 2), gap / 2


FLOAT64 = FloatKind("float64", 53, -1022)
FLOAT32 = FloatKind("float32", 24, -126)
FLOAT16 = FloatKind("float16", 11, -14)
BFLOAT16 = FloatKind("bfloat16", 8, -126)
KINDS = {kind.name: kind for kind in (FLOAT64, FLOAT32, FLOAT16, BFLOAT16)}


def _power(exponent: int) -> mpq:
    return mpq(mpz(1) << exponent) if exponent >= 0 else mpq(1, mpz(1) << -exponent)


def _exponent(value: mpq) -> int:
    """Returns e with 2^e <= value < 2^(e+1), for a value above 0."""
    exponent = int(value.numerator.bit_length() - value.denominator.bit_length())
    return exponent if _power(exponent) <= value else exponent - 1


def to_decimal(value: mpq, kind: FloatKind, decimals: int) -> mpq:
    """Returns the shortest decimal that rounds to a float, with at most `decimals` places.

    Args:
        value: the float, as the dyadic rational that it is.
        kind: the kind of the float.
        decimals: the most places behind the point, at least 0.

    Raises:
        InputError: no such decimal rounds to the float.
    """
    inner, outer = kind.half_gaps(value)
    for places in range(decimals + 1):
        scale = mpz(10) ** places
        scaled = value * scale
        rounded = mpq((2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator), scale)
        # at half the gap rounding depends on the last bit; such a decimal is not what an author wrote
        if rounded == value or (rounded * value >= 0 and -inner < abs(rounded) - abs(value) < outer):
            return rounded
    raise InputError(f"no decimal with at most {decimals} places rounds to the {kind.name} {float(value)!r}")


def check_decimals(decimals: object) -> int | None:
    """Returns the number of places, None for binary floats taken as they are.

    Raises:
        InputError: `decimals` is no integer from 0 to 1000.
    """
    if decimals is None:
        return None
    if isinstance(decimals, bool) or not isinstance(decimals, int) or not 0 <= decimals <= _TOO_MANY_DECIMALS:
        raise InputError(f"decimals is {shown(decimals)}; an integer from 0 to {_TOO_MANY_DECIMALS} is needed")
    return decimals


@dataclass(frozen=True, slots=True)
class Tensor:
    """Numbers from a file, with the kind of floats that they have in the file.

    Attributes:
        array: the numbers in float64, or integers.
        kind: the kind of the floats in the file; None for integers.
    """

    array: np.ndarray
    kind: FloatKind | None


def is_tensor(values: object) -> bool:
    """Returns whether `to_array` reads an object: an array or a tensor, not a list."""
    return isinstance(values, Tensor) or hasattr(values, "__array__") or is_torch(values)


def is_torch(values: object) -> bool:
    """Returns whether an object is a tensor of PyTorch; the package is not imported."""
    return type(values).__module__.partition(".")[0] == "torch" and hasattr(values, "detach")


def to_array(values: object, place: str) -> tuple[np.ndarray, FloatKind | None]:
    """Returns a tensor of PyTorch, NumPy, JAX or another library as a NumPy array with the same numbers.

    Gradients are not recorded, and a tensor on another device is copied.

    Args:
        values: anything that NumPy reads as an array.
        place: what error messages call it.

    Returns:
        The array, in float64 for floats of at most 64 bits, and the kind of the floats, None for an unknown kind.

    Raises:
        InputError: the values cannot be read as an array of numbers, as with quantised and sparse tensors.
    """
    if isinstance(values, Tensor):
        return values.array, values.kind
    name = ""
    try:
        if is_torch(values):
            # only what tensors have had for years is used, since their type is not known here
            tensor = values.detach()  # type: ignore[attr-defined]
            name = str(tensor.dtype).removeprefix("torch.")
            if "strided" not in str(tensor.layout) or tensor.is_meta or tensor.is_quantized:
                raise InputError(f"{place} is a tensor without plain numbers (sparse, quantised or without data)")
            tensor = tensor.cpu()
            array = np.asarray((tensor.double() if tensor.is_floating_point() else tensor).numpy())
        else:
            array = np.asarray(values)
            name = array.dtype.name
    except (RuntimeError, TypeError, ValueError, NotImplementedError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{place} cannot be read as an array ({error})") from None
    kind = KINDS.get(name)
    if kind is not None or name.startswith("float8"):
        # bfloat16 and smaller kinds come from a package of their own, as NumPy does not know them
        array = array.astype(np.float64)
    return array, kind


def to_exact(values: object, place: str, decimals: int | None = None) -> object:
    """Returns tensors as arrays, and everything else as it is; with `decimals` floats become decimals.

    Args:
        values: a tensor, an array, or nested lists.
        place: what error messages call it.
        decimals: see `to_decimal`; None takes floats as the dyadic rationals that they are.

    Raises:
        InputError: see `to_array` and `to_decimal`; the message names the entry.
    """
    if is_tensor(values):
        return to_numbers(*to_array(values, place), place, decimals)
    return values if decimals is None else _map(values, FLOAT64, decimals, place)


def to_numbers(array: np.ndarray, kind: FloatKind | None, place: str, decimals: int | None) -> object:
    """Returns an array as it is, or as nested lists of decimals where its floats are to be read as such.

    Args:
        array: see `to_array`.
        kind: the kind of its floats.
        place: what error messages call it.
        decimals: see `to_decimal`.

    Raises:
        InputError: no such decimal rounds to a float; the message names the entry.
    """
    return array if decimals is None or kind is None else _map(array.tolist(), kind, decimals, place)


def _map(values: object, kind: FloatKind, decimals: int, place: str) -> object:
    if isinstance(values, float):
        try:
            return to_decimal(to_rational(values), kind, decimals)
        except InputError as error:
            raise InputError(f"{place}: {error}") from None
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        return values
    return [_map(entry, kind, decimals, f"{place}[{index}]") for index, entry in enumerate(values)]
