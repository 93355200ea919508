"""The data of a regression on binary floats, in integers that are made when they are asked for.

A float64 number is an odd integer of at most 53 bits times a power of 2. So samples are held as such integers and
exponents, in arrays; sample i's common denominator is 2^bits_i. All is exact: integers only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

Integers = NDArray[np.int64]

# bits of a group of exponents, and of the lower part of an odd integer: a shifted part has at most 27 + 15 bits, and
# _ROWS of them sum to less than 2^63
_GROUP = 16
_LOWER = 27
_ROWS = 1 << 20


class DyadicRows(Sequence[tuple[mpz, ...]]):
    """Rows of integers odd · 2^shift; each is made when it is asked for, and kept."""

    __slots__ = ("_made", "_odd", "_shifts")

    def __init__(self, odd: Integers, shifts: Integers) -> None:
        """Takes rows.

        Args:
            odd: (rows, columns), odd or 0.
            shifts: the same shape, not negative.
        """
        self._odd, self._shifts = odd, shifts
        self._made: dict[int, tuple[mpz, ...]] = {}

    def flat(self) -> list[int]:
        """Returns all entries, row by row."""
        pairs = zip(self._odd.ravel().tolist(), self._shifts.ravel().tolist(), strict=True)
        return [odd << shift for odd, shift in pairs]

    def __len__(self) -> int:
        """Returns the number of rows."""
        return len(self._odd)

    @overload
    def __getitem__(self, index: int) -> tuple[mpz, ...]: ...
    @overload
    def __getitem__(self, index: slice) -> list[tuple[mpz, ...]]: ...
    def __getitem__(self, index: int | slice) -> tuple[mpz, ...] | list[tuple[mpz, ...]]:
        """Returns a row, or rows."""
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        row = self._made.get(index)
        if row is None:
            pairs = zip(self._odd[index].tolist(), self._shifts[index].tolist(), strict=True)
            row = self._made[index] = tuple(mpz(odd << shift) for odd, shift in pairs)
        return row

    def __iter__(self) -> Iterator[tuple[mpz, ...]]:
        """Yields the rows."""
        return (self[index] for index in range(len(self)))


@dataclass(frozen=True, slots=True)
class DyadicSamples:
    """The inputs x̃ and targets of a regression on binary floats.

    Attributes:
        doubles: (N, m + outputs), x̃ and the targets.
        columns: m.
        odd: (N, m + outputs), their odd parts, 0 for 0.
        exponents: (N, m + outputs): an entry is odd · 2^exponent; 0 for 0.
        bits: (N,): sample i's common denominator is 2^bits.
    """

    doubles: NDArray[np.float64]
    columns: int
    odd: Integers
    exponents: Integers
    bits: Integers

    @classmethod
    def create(cls, inputs: NDArray[np.float64], targets: NDArray[np.float64]) -> "DyadicSamples":
        """Takes x̃, (N, m), and targets, (N, outputs), all finite."""
        doubles = np.hstack([inputs, targets])
        mantissas, exponents = np.frexp(doubles)
        odd = np.ldexp(mantissas, 53).astype(np.int64)
        # the lowest bit, a power of 2, has its exponent in float64
        zeros = np.frexp((odd & -odd).astype(np.float64))[1] - 1
        is_zero = odd == 0
        zeros[is_zero] = 0
        lowest = (exponents.astype(np.int64) - 53) + zeros
        lowest[is_zero] = 0
        return cls(doubles, inputs.shape[1], odd >> zeros, lowest, np.maximum(-lowest.min(axis=1), 0))

    def rows(self, columns: Sequence[int]) -> DyadicRows:
        """Returns some columns of x̃, each row times its common denominator."""
        places = list(columns)
        return DyadicRows(self.odd[:, places], self._shifts(places))

    def offsets(self) -> DyadicRows:
        """Returns minus the targets, each row times its common denominator."""
        places = list(range(self.columns, self.doubles.shape[1]))
        return DyadicRows(-self.odd[:, places], self._shifts(places))

    def _shifts(self, places: list[int]) -> Integers:
        shifts: Integers = self.exponents[:, places] + self.bits[:, None]
        # zeros have no exponent of their own, but are no reason for long shifts
        shifts[self.odd[:, places] == 0] = 0
        return shifts

    def members(self) -> tuple[int, ...]:
        """Returns the samples whose x̃ is not 0."""
        return tuple(np.flatnonzero(np.count_nonzero(self.odd[:, : self.columns], axis=1)).tolist())

    @property
    def greatest(self) -> int:
        """Returns the greatest of the bits: 2 to it is all samples' common denominator."""
        return int(self.bits.max())

    def weights(self) -> tuple[mpz, ...]:
        """Returns the common denominator over each sample's."""
        one = mpz(1)
        return tuple(one << bits for bits in (self.greatest - self.bits).tolist())

    def signed_sums(self, signs: Integers) -> list[mpz]:
        """Returns Σ sign_i (x̃_i, target_i) times the common denominator of all, m + outputs integers.

        Args:
            signs: (N,), -1, 0 or 1.
        """
        shifts = self.exponents + self.greatest
        groups, within = shifts // _GROUP, shifts % _GROUP
        totals = [mpz(0)] * self.doubles.shape[1]
        for begin in range(0, len(signs), _ROWS):
            rows = slice(begin, begin + _ROWS)
            odd = self.odd[rows]
            upper, lower = (odd >> _LOWER) << within[rows], (odd & ((1 << _LOWER) - 1)) << within[rows]
            for group in np.flatnonzero(np.bincount(groups[rows].ravel())).tolist():
                belongs = groups[rows] == group
                for part, shift in ((upper, _LOWER), (lower, 0)):
                    sums = signs[rows] @ np.where(belongs, part, 0)
                    place = group * _GROUP + shift
                    totals = [total + (mpz(entry) << place) for total, entry in zip(totals, sums.tolist(), strict=True)]
        return totals
