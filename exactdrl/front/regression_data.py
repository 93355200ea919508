"""The data of a regression from tables, frames, arrays or lists, with targets in them or beside them."""

from dataclasses import replace

import numpy as np
from gmpy2 import mpq

from exactdrl.doors.design import Design, DesignOptions, categories_of, read_design
from exactdrl.doors.formulas import read_formula
from exactdrl.doors.sheet import Column, Sheet
from exactdrl.doors.tables import Columns, read_sheet
from exactdrl.exact.rationals import InputError, shown, to_rational, to_text


def read_regression(
    data: object,
    target: object | None,
    options: DesignOptions,
    *,
    formula: str | None = None,
    weights: object | None = None,
) -> Design:
    """Returns the columns of a regression, with targets and weights that are columns or numbers.

    Args:
        data: see `regress`.
        target: the target column, or the targets themselves, one number a row.
        options: what else is taken of the data; its `weights` are not used.
        formula: a formula in place of target, inputs and intercept.
        weights: the column of weights, or the weights themselves, one number a row.

    Raises:
        InputError: the data cannot be read or do not fit; the message names the place and the value.
    """
    source = _to_source(data)
    named_weights = weights if isinstance(weights, (str, int)) else None
    chosen = replace(options, weights=named_weights)
    levels = categories_of(data)
    if formula is not None:
        if target is not None or options.inputs is not None or options.exclude is not None or not options.intercept:
            raise InputError("a formula names the target, the inputs and the intercept; leave their own options out")
        sheet = read_sheet(source, options.form)
        design = read_formula(sheet, formula, weights=named_weights, drop_missing=options.drop_missing, levels=levels)
    elif (columns := _to_columns(target)) is not None or target is None:
        design = read_design(source, columns, chosen, levels=levels)
    else:
        whole = _with_targets(read_sheet(source), target)
        design = read_design(whole, len(whole.columns), chosen, levels=levels)
    if weights is None or named_weights is not None:
        return design
    return replace(design, weights=to_weights(weights, len(design.lines)))


def _to_columns(target: object) -> Columns | None:
    """Returns a target that names columns; None for a target that holds numbers."""
    if isinstance(target, (str, int)):
        return target
    if isinstance(target, tuple) and all(isinstance(name, str) for name in target):
        return target
    return None


def _with_targets(sheet: Sheet, target: object) -> Sheet:
    """Returns a table of inputs alone with targets, given as numbers, as its last column."""
    values = _to_column(target, len(sheet.lines))
    name = "y" if sheet.names is None or "y" not in sheet.names else "target"
    names = sheet.names or tuple(sheet.name(column) for column in range(sheet.width))
    return replace(sheet, names=(*names, name), columns=(*sheet.columns, values))


def _to_source(data: object) -> object:
    """Returns a list of rows as a sheet, and anything else as it is."""
    if not isinstance(data, (list, tuple)):
        return data
    rows = [list(row) if isinstance(row, (list, tuple)) else row for row in data]
    if (
        not rows
        or not isinstance(rows[0], list)
        or any(not isinstance(r, list) or len(r) != len(rows[0]) for r in rows)
    ):
        raise InputError("the rows of the data are not equally long lists")
    columns = tuple(tuple(row[column] for row in rows) for column in range(len(rows[0])))
    return Sheet("the rows", None, tuple(range(1, len(rows) + 1)), columns)


def _to_column(target: object, count: int) -> Column:
    """Returns targets as a column, which stays a column of floats where they are floats.

    Raises:
        InputError: see `to_numbers`.
    """
    listed = target.tolist() if isinstance(target, np.ndarray) and target.ndim == 1 else target
    if isinstance(listed, (list, tuple)) and len(listed) == count and set(map(type, listed)) == {float}:
        array = np.array(listed, dtype=np.float64)
        if bool(np.isfinite(array).all()):
            return array
    return tuple(to_numbers(target, "target", count))


def to_numbers(values: object, name: str, count: int) -> list[mpq]:
    """Returns numbers, one a row, as rationals.

    Raises:
        InputError: there are not as many numbers as rows, or an entry is no number; the message names the entry.
    """
    listed = values.tolist() if hasattr(values, "tolist") else values
    if hasattr(listed, "to_list"):
        listed = listed.to_list()
    if not isinstance(listed, (list, tuple)):
        raise InputError(f"{name}: a list of numbers is needed, not {shown(values)}")
    if listed and isinstance(listed[0], (list, tuple)) and all(len(row) == 1 for row in listed):
        listed = [row[0] for row in listed]
    if len(listed) != count:
        raise InputError(f"{name} has {len(listed)} entries, the data has {count} rows")
    found = []
    for place, value in enumerate(listed):
        try:
            found.append(to_rational(value))
        except InputError as error:
            raise InputError(f"{name}[{place}]: {error}") from None
    return found


def to_weights(values: object, count: int) -> tuple[mpq, ...]:
    """Returns weights, one a row.

    Raises:
        InputError: see `to_numbers`; or a weight is negative.
    """
    found = to_numbers(values, "weights", count)
    for place, weight in enumerate(found):
        if weight < 0:
            raise InputError(f"weights[{place}] is {to_text(weight)}; it must not be negative")
    return tuple(found)
