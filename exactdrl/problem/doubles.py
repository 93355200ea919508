"""Samples that are binary floats: each entry means the dyadic rational that it is, which is made on demand.

A rational costs some 50 times as much as the float, and few algorithms need all rationals.
"""

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
from gmpy2 import mpq
from numpy.typing import NDArray

_AXES = 2


class DoubleMatrix(Sequence[tuple[mpq, ...]]):
    """A matrix of finite float64 numbers that behaves and compares like the tuple of its rows of rationals."""

    __slots__ = ("_rows", "doubles")

    def __init__(self, doubles: NDArray[np.float64]) -> None:
        """Takes numbers.

        Args:
            doubles: the numbers, with at least one row and one column. They are copied, and the copy is read-only.

        Raises:
            ValueError: a number is not finite, or there are no numbers.
        """
        if doubles.ndim != _AXES or not doubles.size or not np.isfinite(doubles).all():
            raise ValueError("rows of finite numbers are needed")
        # adding 0.0 turns -0.0 into 0.0, since there is only one rational zero
        self.doubles = doubles + 0.0
        self.doubles.setflags(write=False)
        self._rows: tuple[tuple[mpq, ...], ...] | None = None

    @property
    def rows(self) -> tuple[tuple[mpq, ...], ...]:
        """Returns the rows as rationals."""
        if self._rows is None:
            self._rows = tuple(tuple(map(mpq, row)) for row in self.doubles.tolist())
        return self._rows

    def __reduce__(self) -> tuple[type["DoubleMatrix"], tuple[NDArray[np.float64]]]:
        """Returns how a copy is made: by the constructor, so that the copy is read-only, too."""
        return DoubleMatrix, (self.doubles,)

    def __len__(self) -> int:
        """Returns the number of rows."""
        return len(self.doubles)

    @overload
    def __getitem__(self, index: int) -> tuple[mpq, ...]: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[tuple[mpq, ...], ...]: ...
    def __getitem__(self, index: int | slice) -> tuple[mpq, ...] | tuple[tuple[mpq, ...], ...]:
        """Returns a row, or rows."""
        if self._rows is None and not isinstance(index, slice):
            return tuple(map(mpq, self.doubles[index].tolist()))
        return self.rows[index]

    def __iter__(self) -> Iterator[tuple[mpq, ...]]:
        """Yields the rows."""
        return iter(self.rows)

    def __eq__(self, other: object) -> bool:
        """Returns whether the other object is the same matrix, as a `DoubleMatrix` or as a tuple."""
        if isinstance(other, DoubleMatrix):
            return bool(np.array_equal(self.doubles, other.doubles))
        return self.rows == other if isinstance(other, tuple) else NotImplemented

    def __hash__(self) -> int:
        """Returns the hash of the tuple."""
        return hash(self.rows)

    def __repr__(self) -> str:
        """Returns what the tuple shows."""
        return repr(self.rows)


def find_doubles(rows: object) -> DoubleMatrix | None:
    """Returns the matrix of rows that hold only finite binary floats of at most 64 bits; None for all other rows.

    Args:
        rows: an array, or a list or tuple of equally long lists or tuples of Python's floats.
    """
    if type(rows) is np.ndarray:
        if rows.dtype.kind != "f" or rows.dtype.itemsize > np.dtype(np.float64).itemsize or rows.ndim != _AXES:
            return None
        doubles = rows.astype(np.float64)
    elif isinstance(rows, (list, tuple)) and rows:
        first = rows[0]
        for row in rows:
            # a subclass may mean something else
            if type(row) not in (list, tuple) or len(row) != len(first) or set(map(type, row)) != {float}:
                return None
        doubles = np.array(rows, dtype=np.float64)
    else:
        return None
    return DoubleMatrix(doubles) if doubles.size and bool(np.isfinite(doubles).all()) else None
