"""Samples from a table: text as people write it, Parquet files, frames, arrays.

Commands and notebooks use the function `read_table`:

```python
table = read_table("stackloss.csv", targets="STACKLOSS")
table.input_names    # ('AIRFLOW', 'WATERTEMP', 'ACIDCONC')
table.target_names   # ('STACKLOSS',)
table.inputs         # exact rationals, shape (N, 3)
table.targets        # exact rationals, shape (N, 1)
table.weights        # None, or a rational for each sample
table.notes          # what was decided by a rule, one sentence each, for the user to read
```

Numbers in text are the decimals that are written. Floats in Parquet files and frames are the dyadic rationals that they
are; a matrix of floats makes its rationals on demand.
"""

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
from gmpy2 import mpq

from exactdrl.doors.sheet import Sheet
from exactdrl.doors.sheet_frame import from_array, from_frame, read_parquet
from exactdrl.doors.sheet_text import TextForm, decode_text, parse_sheet
from exactdrl.exact.rationals import InputError, shown
from exactdrl.problem.facts import Facts
from exactdrl.problem.file import read_bytes
from exactdrl.problem.instance import Samples

Columns: TypeAlias = int | str | Sequence[int | str]

# What pandas and R call the column of row labels when they have to name it
_INDEX_NAMES = frozenset({"", "Unnamed: 0", "rownames", "row.names"})
# so few rows may count upwards by chance
_BY_CHANCE = 3
_ADVICE = "; --drop-missing leaves such rows out (drop_missing=True)"
_BINARY_KINDS = (
    (".npz", "an npz file holds several arrays; the command `import` reads it as --data"),
    (".xlsx", "a spreadsheet is no table in text; save it as CSV"),
    (".xls", "a spreadsheet is no table in text; save it as CSV"),
)


@dataclass(frozen=True, slots=True)
class Table(Facts):
    """The samples that a table holds.

    Attributes:
        place: what error messages call the table.
        input_names: the names of the input columns; `column_1` for the first column where the table has no names.
        target_names: the names of the target columns.
        inputs: shape (N, len(input_names)).
        targets: shape (N, len(target_names)).
        weights: a nonnegative number for each sample; None without a column of weights.
        rows: for each sample, the number of its row as the source counts it, from 1.
        notes: what was decided by a rule rather than by the caller, one sentence each.
    """

    place: str
    input_names: tuple[str, ...]
    target_names: tuple[str, ...]
    inputs: Samples
    targets: Samples
    weights: tuple[mpq, ...] | None
    rows: tuple[int, ...]
    notes: tuple[str, ...]

    def _title(self) -> str:
        return f"exactdrl table {self.place}"

    def _facts(self) -> list[tuple[str, str]]:
        facts = [
            ("samples", str(len(self.inputs))),
            ("inputs", ", ".join(self.input_names)),
            ("targets", ", ".join(self.target_names)),
        ]
        return [*facts, *(("note", note) for note in self.notes)]


class TextInputsError(InputError):
    """Input columns hold no numbers."""


def read_table(
    source: object,
    targets: Columns | None = None,
    *,
    inputs: Columns | None = None,
    exclude: Columns | None = None,
    weights: int | str | None = None,
    index: bool | None = None,
    drop_missing: bool = False,
    has_header: bool | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
    thousands: str | None = None,
    skip_rows: int = 0,
    encoding: str | None = None,
) -> Table:
    """Returns the samples in a table.

    Columns are given by name, or by number as the source counts them, from 1. Several columns are given as a list, or
    as one text with commas. A text that as a whole is a column's name means that column, even if it has commas.

    The first column is left out as an index, a column of row labels that a program has written, if its header is empty,
    `Unnamed: 0`, `rownames` or `row.names` and it holds texts or distinct integers. A note says so.

    Args:
        source: the path of a text (CSV and its relatives, compressed where the name ends in .gz), of a Parquet file
            (`*.parquet`) or of an array (`*.npy`); a frame of pandas, Polars, PyArrow or another library that narwhals
            knows; an array of NumPy.
        targets: the target columns; default: the last column that has no other use, which a note says.
        inputs: the input columns; default: all others.
        exclude: the columns that are left out.
        weights: the column of nonnegative weights, one for each sample.
        index: whether the first column is an index; default: decided by the rule above.
        drop_missing: whether blank rows, and samples with a missing value in a chosen column, are left out; a note
            counts them.
        has_header: of a text: whether the first row names the columns; see `TextForm` for the rules.
        delimiter: of a text: the sign between cells.
        decimal: of a text: the decimal sign.
        thousands: of a text: the sign that groups thousands.
        skip_rows: of a text: how many lines at the beginning are left out.
        encoding: of a text: a codec that Python knows.

    Raises:
        InputError: the source cannot be read, a column is unknown or chosen twice, a cell is empty or no number; the
            message names the place, row (as counted in the file, from 1), column and value, and says what to type.
    """
    form = TextForm(delimiter, decimal, thousands, has_header, skip_rows, encoding, skip_blank=drop_missing)
    sheet = read_sheet(source, form)
    said: list[str] = []
    left_out = list(sheet.column_indices(exclude)) if exclude is not None else []
    named = [] if inputs is None else list(sheet.column_indices(inputs))
    goals = None if targets is None else list(sheet.column_indices(targets))
    if inputs is None and 0 not in (*left_out, *(goals or ())) and _is_index(sheet, index, said):
        left_out.append(0)
    weighing = None if weights is None else sheet.column_index(weights)
    taken = {*left_out, *named, *(() if weighing is None else (weighing,))}
    if goals is None:
        free = [position for position in range(sheet.width) if position not in taken]
        if not free:
            raise InputError(f"{sheet.place}: no column is left for the targets")
        goals = [free[-1]]
        said.append(f"the last column is the target: {sheet.column_words(free[-1])}; --target chooses another one")
    if inputs is None:
        named = [position for position in range(sheet.width) if position not in {*taken, *goals}]
    _check_choice(sheet, named, goals, weighing, left_out)
    chosen = [*named, *goals, *([] if weighing is None else [weighing])]
    if drop_missing:
        sheet = _without_missing(sheet, chosen, said)
    _check_texts(sheet, named, goals, is_open=inputs is None)
    return Table(
        sheet.place,
        tuple(sheet.name(position) for position in named),
        tuple(sheet.name(position) for position in goals),
        sheet.numbers(named, _ADVICE),
        sheet.numbers(goals, _ADVICE),
        None if weighing is None else _to_weights(sheet, weighing),
        sheet.lines,
        (*sheet.notes, *said),
    )


def read_sheet(source: object, form: TextForm | None = None) -> Sheet:
    """Returns the cells of a table, not yet read as numbers; see `read_table`.

    Args:
        source: see `read_table`; a sheet is returned as it is.
        form: how a text writes a table; other sources do not use it.

    Raises:
        InputError: see `read_table`.
    """
    form = form or TextForm()
    if isinstance(source, Sheet):
        return source
    if not isinstance(source, (str, os.PathLike)):
        return from_array(source, "the array") if isinstance(source, np.ndarray) else from_frame(source, "the frame")
    path = Path(source)
    for ending, reason in _BINARY_KINDS:
        if path.name.lower().endswith(ending):
            raise InputError(f"{path}: {reason}")
    content = read_bytes(path)
    if path.suffix in {".parquet", ".pq", ".npy"}:
        if replace(form, skip_blank=False) != TextForm():
            raise InputError(f"{path}: the options for tables in text are of no use with a {path.suffix} file")
        return (
            read_parquet(content, str(path))
            if path.suffix != ".npy"
            else from_array(load_npy(content, path), str(path))
        )
    text, notes = decode_text(content, str(path), form.encoding)
    return parse_sheet(text, str(path), form, notes)


def load_npy(content: bytes, path: Path) -> np.ndarray:
    """Returns the array in a file `*.npy`.

    Raises:
        InputError: the file is damaged, holds objects, or is another kind of file.
    """
    try:
        # No pickles: an array of objects would run the file's own code
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except Exception as error:  # noqa: BLE001 - a damaged file makes NumPy's parsers raise anything
        # NumPy goes on with advice to load the file unsafely
        reason = str(error).partition(" If you trust")[0]
        raise InputError(f"{path}: not a whole npy file of plain numbers ({reason})") from None
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path}: an npy file with a single array is needed")
    return array


def _is_index(sheet: Sheet, wanted: bool | None, said: list[str]) -> bool:  # noqa: FBT001 - it has three values
    if wanted is not None:
        return wanted
    if sheet.doubt:
        raise InputError(f"{sheet.place}: {sheet.doubt}; --index leaves the first column out, --no-index keeps it")
    name = sheet.names[0] if sheet.names else None
    if name is None or name not in _INDEX_NAMES or sheet.width == 1:
        if _counts_rows(sheet) and sheet.width > 2:  # noqa: PLR2004 - it may be the only input
            said.append(
                f"{sheet.column_words(0)} counts the rows, and is used like any other column; --index leaves it out"
            )
        return False
    if sheet.has_index or sheet.find_text(0) is not None or _holds_distinct_integers(sheet):
        said.append(f"{sheet.column_words(0)} is taken for an index and left out; --no-index keeps it")
        return True
    raise InputError(
        f"{sheet.place}: {sheet.column_words(0)} may be an index or not; type --index to leave it out or --no-index to "
        "keep it (index=True or False)"
    )


def _first_integers(sheet: Sheet) -> list[int] | None:
    """Returns the first column if it holds integers alone, None otherwise."""
    try:
        values = [row[0] for row in sheet.numbers([0])]
    except InputError:
        return None
    return [int(value) for value in values] if all(value.denominator == 1 for value in values) else None


def _holds_distinct_integers(sheet: Sheet) -> bool:
    integers = _first_integers(sheet)
    return integers is not None and len(set(integers)) == len(integers)


def _counts_rows(sheet: Sheet) -> bool:
    integers = _first_integers(sheet) or []
    upwards = list(range(len(integers)))
    return len(integers) > _BY_CHANCE and integers in (upwards, [value + 1 for value in upwards])


def _check_choice(
    sheet: Sheet, named: Sequence[int], goals: Sequence[int], weighing: int | None, left_out: Sequence[int]
) -> None:
    for positions, what in ((goals, "targets"), (named, "inputs")):
        if not positions:
            raise InputError(f"{sheet.place}: no column is left for the {what}")
    every = [*named, *goals, *(() if weighing is None else (weighing,)), *dict.fromkeys(left_out)]
    repeated = next((position for count, position in enumerate(every) if position in every[:count]), None)
    if repeated is not None:
        raise InputError(f"{sheet.place}: {sheet.column_words(repeated)} is chosen twice")


def _without_missing(sheet: Sheet, chosen: Sequence[int], said: list[str]) -> Sheet:
    whole = [row for row in range(len(sheet.lines)) if not any(sheet.is_missing(row, position) for position in chosen)]
    missing = len(sheet.lines) - len(whole)
    if not whole:
        raise InputError(f"{sheet.place}: every row has a missing value in a chosen column")
    if not missing:
        return sheet
    said.append(f"{missing} of {len(sheet.lines)} rows have a missing value in a chosen column, and are left out")
    return sheet.with_rows(whole)


def _check_texts(sheet: Sheet, named: Sequence[int], goals: Sequence[int], *, is_open: bool) -> None:
    """Refuses columns without a number, and names all of them in one message."""
    found = [(position, row) for position in (*named, *goals) if (row := sheet.find_text(position)) is not None]
    if not found:
        return
    words = [
        f"{sheet.column_words(position)} holds no numbers, but {shown(sheet.columns[position][row])} in row "
        f"{sheet.lines[row]}"
        for position, row in found
    ]
    texts = [position for position, _ in found]
    others = [position for position in named if position not in texts]
    hint = ""
    if is_open and others and not set(goals) & set(texts):
        names = ",".join(sheet.name(position) if sheet.names else str(position + 1) for position in texts)
        typed = shown(names) if " " in names else names
        hint = f"; --exclude {typed} leaves {'it' if len(texts) == 1 else 'them'} out (exclude={names!r})"
    elif set(goals) & set(texts):
        hint = "; --target chooses a column of numbers"
    kind = TextInputsError if set(named) & set(texts) else InputError
    raise kind(f"{sheet.place}: {'; '.join(words)}{hint}")


def _to_weights(sheet: Sheet, position: int) -> tuple[mpq, ...]:
    weights = tuple(row[0] for row in sheet.numbers([position], _ADVICE))
    for line, weight in zip(sheet.lines, weights, strict=True):
        if weight < 0:
            raise InputError(
                f"{sheet.place}: row {line}, {sheet.column_words(position)}: a weight is {weight}, below 0"
            )
    return weights
