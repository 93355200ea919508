"""Sparse linear combinations over Q: mappings without zeros, from what is combined to its coefficient."""

from collections.abc import Hashable, Mapping
from typing import TypeVar

from gmpy2 import mpq

Key = TypeVar("Key", bound=Hashable)

_ZERO = mpq(0)


def add_multiple(total: dict[Key, mpq], factor: mpq, part: Mapping[Key, mpq]) -> None:
    """Adds a multiple of one combination to another, in place; what cancels is left out."""
    for key, value in part.items():
        added = total.get(key, _ZERO) + factor * value
        if added:
            total[key] = added
        else:
            total.pop(key, None)
