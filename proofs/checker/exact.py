"""Integers, fractions and a little linear algebra. Nothing is rounded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import lcm
from operator import mul
from typing import Any

from .reading import demand

INTEGER: Any = int  # or gmpy2's, which are faster; check.py sets it
ZERO, ONE, SCALE_CAP = Fraction(0), Fraction(1), 2**26  # bits

Rows = list[list[Fraction]]


def dot(left: Iterable[int], right: Iterable[int]) -> int:
    """Returns the inner product."""
    return sum(map(mul, left, right))


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
