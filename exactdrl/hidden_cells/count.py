"""Counts the cells of one unit without finding one of them.

Source: Zaslavsky, Facing up to arrangements (1975): deletion and restriction; Cover (1965) for general position; the
page proofs/cells-count.md.
"""

from collections.abc import Sequence
from math import comb

from gmpy2 import gcd, mpz

from exactdrl.hidden_cells.samples import Samples

_PLANE = 2


def general_count(planes: int, rank: int) -> int:
    """Returns the number of cells of so many hyperplanes in general position: the most that are possible.

    Args:
        planes: different hyperplanes through 0.
        rank: of their vectors.
    """
    total: int = 2 * sum(comb(planes - 1, size) for size in range(rank))
    return total if planes else 1


def least_count(planes: int, rank: int) -> int:
    """Returns a lower bound of the number of cells.

    A plane in general position meets the hyperplanes in as many different lines, which cut it into 2 · `planes` parts;
    and `rank` of the hyperplanes are independent, which alone make 2^rank cells.
    """
    return max(2 * planes if rank >= _PLANE else 1, 1 << rank)


class _BudgetSpentError(Exception):
    """The count takes more work than is allowed."""


class _Counter:
    def __init__(self, budget: int | None) -> None:
        self.left = budget

    def count(self, planes: Sequence[tuple[mpz, ...]], dimension: int) -> int:
        """Returns the number of cells of different hyperplanes, given by vectors no two of which are parallel."""
        if not planes:
            return 1
        if dimension <= _PLANE:
            return 2 * len(planes)
        total = 1
        for number, plane in enumerate(planes):
            total += self.count(self._restrict(planes[:number], plane), dimension - 1)
        return total

    def _restrict(self, planes: Sequence[tuple[mpz, ...]], plane: tuple[mpz, ...]) -> list[tuple[mpz, ...]]:
        """Returns what hyperplanes leave on one more, in coordinates without its vector's first nonzero entry."""
        if self.left is not None:
            self.left -= len(planes) * len(plane)
            if self.left < 0:
                raise _BudgetSpentError
        lead = next(place for place, entry in enumerate(plane) if entry)
        pivot, rest = plane[lead], plane[:lead] + plane[lead + 1 :]
        found: dict[tuple[mpz, ...], None] = {}
        for other in planes:
            factor, row = other[lead], other[:lead] + other[lead + 1 :]
            restricted = [pivot * a - factor * b for a, b in zip(row, rest, strict=True)] if factor else list(row)
            content = gcd(*restricted)
            if next(entry for entry in restricted if entry) < 0:
                content = -content
            found[tuple(entry // content for entry in restricted)] = None
        return list(found)


def count_cells(samples: Samples, budget: int | None = None) -> int | None:
    """Returns the number of cells of one unit by the recursion, None if that takes more work than the budget.

    Args:
        samples: of the problem.
        budget: the most entries of vectors that are computed.
    """
    try:
        return _Counter(budget).count(samples.planes, samples.dimension)
    except _BudgetSpentError:
        return None
