"""The exact columns of a regression: an intercept, numbers, and booleans and categories by treatment coding.

The intercept comes first, so that a constant column beside it is the aliased one. A boolean column `x` becomes
`x[T.True]`, which is 1 where `x` is true. A category `x` with the levels a, b, c becomes `x[T.b]` and `x[T.c]`. The
coding and the names are those of R, patsy and formulaic. Texts are no categories unless a formula says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from gmpy2 import mpq

from exactdrl.doors.sheet import Column, Sheet
from exactdrl.doors.sheet_text import TextForm
from exactdrl.doors.tables import Columns, Table, TextInputsError, read_sheet, read_table
from exactdrl.exact.rationals import InputError
from exactdrl.problem.doubles import DoubleMatrix
from exactdrl.problem.instance import Samples

INTERCEPT = "Intercept"


@dataclass(frozen=True, slots=True)
class Design:
    """A regression's data.

    Attributes:
        place: what error messages call the source.
        names: the names of the columns of `rows`, the intercept first where there is one.
        rows: the columns, shape (N, len(names)).
        target_name: the name of the target.
        targets: the targets, shape (N, 1).
        weights: a nonnegative number for each sample, None without weights.
        lines: for each sample, the number of its row as the source counts it, from 1.
        notes: what was decided by a rule rather than by the caller, one sentence each.
    """

    place: str
    names: tuple[str, ...]
    rows: Samples
    target_name: str
    targets: Samples
    weights: tuple[mpq, ...] | None
    lines: tuple[int, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DesignOptions:
    """What is taken of a table beside its target; see `read_table`.

    Attributes:
        intercept: whether a column of ones comes first.
        inputs: the input columns; default: all others.
        exclude: the columns that are left out.
        weights: the column of nonnegative weights.
        index: whether the first column is an index; default: decided by the rule of `read_table`.
        drop_missing: whether rows with a missing value are left out.
        form: how a text writes a table.
    """

    intercept: bool = True
    inputs: Columns | None = None
    exclude: Columns | None = None
    weights: int | str | None = None
    index: bool | None = None
    drop_missing: bool = False
    form: TextForm = field(default_factory=TextForm)


_DEFAULT = DesignOptions()


def read_design(
    source: object,
    target: Columns | None = None,
    options: DesignOptions = _DEFAULT,
    *,
    levels: dict[str, tuple[object, ...]] | None = None,
) -> Design:
    """Returns the columns of a regression from a table.

    Args:
        source: see `read_table`.
        target: the target column; default: the last column.
        options: what else is taken.
        levels: the levels of each column that is a category; default: those of a frame.

    Raises:
        InputError: see `read_table`; or there are several targets.
    """
    sheet = read_sheet(source, replace(options.form, skip_blank=options.drop_missing)).with_truths()
    coded, parts = code_columns(sheet, categories_of(source) if levels is None else levels)

    def expand(columns: Columns | None) -> tuple[int | str, ...] | None:
        if columns is None:
            return None
        chosen = sheet.column_indices(columns)
        return tuple(place + 1 for position in chosen for place in parts[position])

    weights = None if options.weights is None else parts[sheet.column_index(options.weights)][0] + 1
    try:
        table = read_table(
            coded,
            expand(target),
            inputs=expand(options.inputs),
            exclude=expand(options.exclude),
            weights=weights,
            index=options.index,
            drop_missing=options.drop_missing,
        )
    except TextInputsError as error:
        raise InputError(f"{error}; a formula takes texts as categories (--formula 'y ~ x + C(name)')") from None
    return to_design(table, intercept=options.intercept)


def to_design(table: Table, *, intercept: bool) -> Design:
    """Returns the columns of a regression from a table that has been read.

    Raises:
        InputError: there are several targets, or a column is named like the intercept.
    """
    if len(table.target_names) != 1:
        raise InputError(
            f"{table.place}: the targets are {', '.join(table.target_names)}; one is needed, so fit each by itself"
        )
    if INTERCEPT in table.input_names and intercept:
        raise InputError(
            f"{table.place}: a column is named {INTERCEPT} already; --no-intercept leaves out the column of ones"
        )
    names = (INTERCEPT, *table.input_names) if intercept else table.input_names
    rows = with_ones(table.inputs) if intercept else table.inputs
    return Design(
        table.place, names, rows, table.target_names[0], table.targets, table.weights, table.rows, table.notes
    )


def with_ones(rows: Samples) -> Samples:
    """Returns rows with a 1 in front of each row."""
    if isinstance(rows, DoubleMatrix):
        return DoubleMatrix(np.hstack([np.ones((len(rows), 1)), rows.doubles]))
    one = mpq(1)
    return tuple((one, *row) for row in rows)


def code_columns(sheet: Sheet, levels: dict[str, tuple[object, ...]]) -> tuple[Sheet, list[tuple[int, ...]]]:
    """Returns the sheet with booleans and categories coded, and the places of each column's new columns.

    Args:
        sheet: a table.
        levels: the levels of each column that is a category, in their order.
    """
    columns: list[Column] = []
    names: list[str] = []
    parts: list[tuple[int, ...]] = []
    for index, column in enumerate(sheet.columns):
        name, known = sheet.name(index), levels.get(sheet.name(index))
        if known is None and is_boolean(column):
            known = (False, True)
        if known is None:
            own: list[tuple[str, Column]] = [(name, column)]
        else:
            present = [level for level in known if any(value == level for value in column)]
            own = [(f"{name}[T.{level}]", _indicator(column, level)) for level in present[1:]]
        parts.append(tuple(range(len(columns), len(columns) + len(own))))
        names += [title for title, _ in own]
        columns += [values for _, values in own]
    if len(columns) == sheet.width and all(a is b for a, b in zip(columns, sheet.columns, strict=True)):
        return sheet, parts
    return replace(sheet, names=tuple(names), columns=tuple(columns)), parts


def is_boolean(column: Column) -> bool:
    """Returns whether a column holds truth values, and perhaps None, and nothing else."""
    if isinstance(column, np.ndarray):
        return False
    kinds = {type(value) for value in column if value is not None}
    return kinds == {bool}


def _indicator(column: Column, level: object) -> tuple[object, ...]:
    return tuple(None if value is None else int(value == level) for value in column)


def categories_of(source: object) -> dict[str, tuple[object, ...]]:
    """Returns the levels of a frame's categorical columns."""
    if isinstance(source, (str, Sheet, np.ndarray)) or not hasattr(source, "columns"):
        return {}
    try:
        # the present version has no other way to a category's levels in their order
        from narwhals.stable import v1 as narwhals  # noqa: PLC0415 - optional
    except ImportError:
        return {}
    try:
        frame = narwhals.from_native(source, eager_only=True)
    except TypeError:
        return {}
    found = {}
    for name in frame.columns:
        kind = frame[name].dtype
        if kind in (narwhals.Categorical, narwhals.Enum):
            found[str(name)] = tuple(frame[name].cat.get_categories().to_list())
    return found


def check_names(names: Sequence[str], place: str) -> None:
    """Refuses repeated names.

    Raises:
        InputError: two names are the same.
    """
    repeated = next((name for position, name in enumerate(names) if name in names[:position]), None)
    if repeated is not None:
        raise InputError(f"{place}: two columns have the name {repeated}")
