"""Vectors, echelon forms, and numbers that depend on t, over integers and fractions. Nothing is rounded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import zip_longest
from math import lcm
from operator import mul
from typing import Any

from .reading import demand

INTEGER: Any = int  # or gmpy2's, which are faster; check.py sets it
ZERO, ONE, SCALE_CAP = Fraction(0), Fraction(1), 2**26  # bits

Rows = list[list[Fraction]]


def dot(left: Iterable[Any], right: Iterable[Any]) -> Any:
    """Returns the inner product."""
    return sum(map(mul, left, right))


def combine(terms: Iterable[tuple[Any, Sequence[Any]]], size: int) -> list[Any]:
    """Returns a linear combination of vectors."""
    total = [0] * size
    for factor, vector in terms:
        total = [t + factor * v for t, v in zip(total, vector)] if factor else total
    return total


def to_integers(rows: Sequence[Sequence[Fraction]]) -> tuple[list[list[int]], int]:
    """Returns a matrix times its least common denominator, and that."""
    entries = [entry for row in rows for entry in row]
    scale = lcm(*(entry.denominator for entry in entries))
    size = sum(part.bit_length() for entry in entries for part in entry.as_integer_ratio())
    demand(len(entries) * scale.bit_length() <= SCALE_CAP + 64 * size, "numbers have too large a common denominator")
    return [[INTEGER(entry.numerator * (scale // entry.denominator)) for entry in row] for row in rows], scale


def echelon(rows: Iterable[list[Fraction]]) -> dict[int, list[Fraction]]:
    """Returns the rows of a matrix's reduced row echelon form, by their pivot columns (section 3)."""
    found: dict[int, list[Fraction]] = {}
    for row in rows:
        for column, pivot in found.items():
            row = [x - row[column] * y for x, y in zip(row, pivot)] if row[column] else row
        lead = next((column for column, entry in enumerate(row) if entry), None)
        if lead is not None:
            unit = [entry / row[lead] for entry in row]
            found = {k: [x - v[lead] * y for x, y in zip(v, unit)] if v[lead] else v for k, v in found.items()}
            found[lead] = unit
        if len(found) == len(row):
            break
    return dict(sorted(found.items()))


class Germ:
    """A polynomial in t as it is for small t > 0: positive if its first coefficient is that is not 0."""

    def __init__(self, coefficients: Iterable[Fraction]) -> None:
        self.coefficients = list(coefficients)  # from the constant one up, without zeros at the end
        while self.coefficients and not self.coefficients[-1]:
            self.coefficients.pop()

    def __add__(self, other: Any) -> Germ:
        more = other.coefficients if isinstance(other, Germ) else [other]
        return Germ(a + b for a, b in zip_longest(self.coefficients, more, fillvalue=ZERO))

    def __mul__(self, other: Any) -> Germ:
        more = other.coefficients if isinstance(other, Germ) else [other]
        product = [ZERO] * (len(self.coefficients) + len(more))
        for i, a in enumerate(self.coefficients):
            for j, b in enumerate(more):
                product[i + j] += a * b
        return Germ(product)

    __radd__, __rmul__ = __add__, __mul__

    def __gt__(self, zero: int) -> bool:
        return next((a for a in self.coefficients if a), 0) > zero
