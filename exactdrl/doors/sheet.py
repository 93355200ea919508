"""A table as its source holds it: columns of cells that are not yet read as numbers, and the line of each row."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from difflib import get_close_matches
from numbers import Number
from typing import TypeAlias

import numpy as np
from gmpy2 import mpq
from numpy.typing import NDArray

from exactdrl.doors.numerals import Numerals, find_hint, is_missing
from exactdrl.exact.rationals import InputError, shown, to_rational
from exactdrl.problem.doubles import DoubleMatrix
from exactdrl.problem.instance import Samples

# an array is a column of binary floats of at most 64 bits, whose rationals are made on demand
Column: TypeAlias = tuple[object, ...] | NDArray[np.float64]

_LONGEST_NUMBER = 9
# how many names a message lists
_LISTED = 20
# truth values as pandas and R write them
_TRUTHS = {"true": True, "false": False}
_EMPTY = "the cell is empty: ''"


def _list_names(wanted: object, names: Sequence[str]) -> str:
    """Returns the names in words; of many names those that are like the wanted one."""
    if len(names) <= _LISTED:
        return f"the names are {', '.join(name or '(none)' for name in names)}"
    close = get_close_matches(str(wanted), names, n=3) or list(names[:_LISTED])
    return f"there are {len(names)} names, among them {', '.join(close)}"


@dataclass(frozen=True, slots=True)
class Sheet:
    """The cells of a table.

    Attributes:
        place: what error messages call the table, such as its file's name.
        names: the names of the columns, no two the same; None where the columns have no names.
        lines: for each row, its number as the source counts it, from 1.
        columns: equally long columns with at least one row. A column is an array of floats, or a tuple of texts,
            numbers of Python, decimals and None.
        numerals: how the texts write numbers.
        notes: what was decided while reading, one sentence each.
        has_index: whether the first column is known to be an index, a column of row labels that a program has written.
        doubt: why it is doubtful whether the first column is an index; empty where there is no doubt.
    """

    place: str
    names: tuple[str, ...] | None
    lines: tuple[int, ...]
    columns: tuple[Column, ...]
    numerals: Numerals = field(default_factory=Numerals)
    notes: tuple[str, ...] = ()
    has_index: bool = False
    doubt: str = ""

    @property
    def width(self) -> int:
        """Returns the number of columns."""
        return len(self.columns)

    def name(self, index: int) -> str:
        """Returns a column's name; `column_3` for the third column where the columns have no names."""
        return self.names[index] if self.names else f"column_{index + 1}"

    def column_words(self, index: int) -> str:
        """Returns a column's number and name, as messages have it."""
        return f"column {index + 1} ({shown(self.names[index])})" if self.names else f"column {index + 1}"

    def column_index(self, column: int | str) -> int:
        """Returns a column's index, from 0.

        Args:
            column: the column's name, or its number as the source counts it, from 1. A text of digits is a number
                where no column has that name.

        Raises:
            InputError: there is no such column, or the text is one column's name and another one's number.
        """
        index: int | None = None
        if isinstance(column, int) and not isinstance(column, bool):
            index = column - 1
        elif isinstance(column, str) and column.isascii() and column.isdecimal() and len(column) <= _LONGEST_NUMBER:
            index = int(column) - 1
        if isinstance(column, str) and column in (self.names or ()):
            named = (self.names or ()).index(column)
            if index is not None and 0 <= index < self.width and index != named:
                number = f"column {index + 1} or, by its name, column {named + 1}"
                raise InputError(f"{self.place}: column {shown(column)} may be {number}")
            return named
        if index is None:
            known = (
                "the columns have no names; choose by number, or take the names from the first row with --header "
                "(has_header=True)"
            )
            if self.names:
                known = _list_names(column, self.names)
            raise InputError(f"{self.place}: no column is named {shown(column)}; {known}")
        if not 0 <= index < self.width:
            raise InputError(f"{self.place}: there is no column {column}; the columns are 1 to {self.width}")
        return index

    def column_indices(self, columns: int | str | Sequence[int | str]) -> tuple[int, ...]:
        """Returns the indices of several columns.

        Args:
            columns: names and numbers; a text that is no column's name may hold several with commas between them.

        Raises:
            InputError: see `column_index`.
        """
        listed = [columns] if isinstance(columns, (int, str)) else columns
        indices: list[int] = []
        for column in listed:
            if isinstance(column, str) and column not in (self.names or ()):
                indices += self._listed_indices(column.split(","))
            else:
                indices.append(self.column_index(column))
        return tuple(indices)

    def _listed_indices(self, parts: Sequence[str]) -> list[int]:
        try:
            return [self.column_index(part.strip()) for part in parts]
        except InputError as error:
            if len(parts) == 1 or not any("," in name for name in self.names or ()):
                raise
            hint = "a name with a comma is given alone, and the option again for other names"
            raise InputError(f"{error}; {hint} (in Python as an entry of a list)") from None

    def is_missing(self, row: int, index: int) -> bool:
        """Returns whether a cell holds no value."""
        value = self.columns[index][row]
        if isinstance(value, str):
            return is_missing(value)
        return value is None or (isinstance(value, float) and math.isnan(value))

    def with_truths(self) -> "Sheet":
        """Returns the sheet with truth values in place of the words for them, in columns that hold nothing else."""
        columns = tuple(self._to_truths(index) or column for index, column in enumerate(self.columns))
        return replace(self, columns=columns)

    def _to_truths(self, index: int) -> tuple[bool | None, ...] | None:
        column = self.columns[index]
        if isinstance(column, np.ndarray):
            return None
        found = tuple(_TRUTHS.get(value.strip().lower()) if isinstance(value, str) else None for value in column)
        is_whole = all(value is not None or self.is_missing(row, index) for row, value in enumerate(found))
        return found if is_whole and any(value is not None for value in found) else None

    def find_text(self, index: int) -> int | None:
        """Returns the first row with a value, if no value of the column is a number in any notation, else None."""
        column = self.columns[index]
        if isinstance(column, np.ndarray):
            return None
        first = None
        for row, value in enumerate(column):
            if self.is_missing(row, index):
                continue
            # to Python truth values are integers, and rationals of other packages are numbers
            if not isinstance(value, bool) and isinstance(value, (Number, Decimal)):
                return None
            if isinstance(value, str) and (self.numerals.is_number(value) or find_hint(value) is not None):
                return None
            first = row if first is None else first
        return first

    def numbers(self, indices: Sequence[int], advice: str = "") -> Samples:
        """Returns columns as the numbers that are written, shape (rows, len(indices)).

        Args:
            indices: the indices of the columns, from 0, at least one.
            advice: what a message about a missing value adds.

        Raises:
            InputError: a cell is empty or no number; the message names the place, row, column and value.
        """
        chosen = [self.columns[index] for index in indices]
        arrays = [column for column in chosen if isinstance(column, np.ndarray)]
        if len(arrays) == len(chosen) and all(bool(np.isfinite(array).all()) for array in arrays):
            return DoubleMatrix(np.column_stack(arrays))
        return tuple(tuple(self._number(row, index, advice) for index in indices) for row in range(len(self.lines)))

    def _number(self, row: int, index: int, advice: str) -> mpq:
        value = self.columns[index][row]
        if isinstance(value, str) and (found := self.numerals.parse_plain(value)) is not None:
            return found
        if isinstance(value, np.generic):
            value = value.item()
        try:
            if not self.is_missing(row, index):
                if isinstance(value, Decimal) and value.is_finite():
                    return mpq(*value.as_integer_ratio())
                return self.numerals.parse(value) if isinstance(value, str) else to_rational(value)
            words = f"not a finite number: {value}" if isinstance(value, float) else f"not a number: {shown(value)}"
            reason = f"{words if value else _EMPTY}{advice}"
        except InputError as error:
            reason = str(error)
        raise InputError(f"{self.place}: row {self.lines[row]}, {self.column_words(index)}: {reason}")

    def with_rows(self, rows: Sequence[int]) -> "Sheet":
        """Returns the sheet with only the rows at some positions, from 0."""
        columns: tuple[Column, ...] = tuple(
            column[list(rows)] if isinstance(column, np.ndarray) else tuple(column[row] for row in rows)
            for column in self.columns
        )
        return replace(self, lines=tuple(self.lines[row] for row in rows), columns=columns)
