"""Wilkinson formulas, `foodexp ~ income + C(region)`, read by formulaic and evaluated in exact rationals.

The package formulaic decides which columns a formula means, how categories are coded and what the columns are called.
The numbers go through it as rationals, so that columns, products and powers stay exact. Functions that exist in floats
only, like `np.log`, are evaluated in float64, and a note says so. Their values mean the dyadic rationals that they are.

A formula is a program: `I(...)` and functions run as Python. Do not evaluate formulas from sources that you do not
trust.
"""

import re
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
from gmpy2 import mpq

from exactdrl.doors.design import Design, check_names, is_boolean
from exactdrl.doors.extras import import_extra
from exactdrl.doors.sheet import Sheet
from exactdrl.exact.rationals import InputError, to_float, to_rational

_KIND = type(mpq(0))


def read_formula(
    sheet: Sheet,
    formula: str,
    *,
    weights: int | str | None = None,
    drop_missing: bool = False,
    levels: dict[str, tuple[object, ...]] | None = None,
) -> Design:
    """Returns the columns that a formula makes of a table.

    Args:
        sheet: a table with named columns.
        formula: a text `target ~ terms`; without `- 1` an intercept comes first.
        weights: the column of nonnegative weights.
        drop_missing: whether rows with a missing value in a column of the formula are left out.
        levels: the levels of each column that is a category.

    Raises:
        InputError: formulaic or pandas is missing, the formula cannot be read or evaluated, a cell of its columns is
            empty or no number, it has not exactly one target, or the table's columns have no names.
    """
    formulaic = import_extra("formulaic", "formulaic", "regression")
    pandas = import_extra("pandas", "pandas", "regression")
    place = sheet.place
    if sheet.names is None:
        raise InputError(
            f"{place}: the columns have no names, which a formula needs; --header takes them from the first row"
        )
    try:
        parsed = formulaic.Formula(formula)
    except Exception as error:  # noqa: BLE001 - the parser raises many kinds
        raise InputError(f"formula {formula!r} cannot be read: {_plain(error)}") from None
    if not hasattr(parsed, "lhs") or not hasattr(parsed, "rhs"):
        raise InputError(f"formula {formula!r} has no target; write: target ~ terms")
    words = set(re.findall(r"[^\W\d]\w*", formula)) | set(re.findall(r"`([^`]+)`", formula))
    takes_all = re.search(r"(?<![\w.)`])\.(?![\w.(])", formula) is not None
    chosen = [index for index, name in enumerate(sheet.names) if takes_all or name in words]
    weighing = None if weights is None else sheet.column_index(weights)
    said: list[str] = []
    used = [*chosen, *(() if weighing is None else (weighing,))]
    sheet = _whole_rows(sheet, used, said, drop_missing=drop_missing)
    frame = pandas.DataFrame(
        {sheet.name(index): _to_series(pandas, sheet, index, levels or {}) for index in chosen},
        index=range(len(sheet.lines)),
    )
    try:
        # missing cells are refused by now, and numbers that are not finite are refused when they are read
        with np.errstate(all="ignore"):
            both = _materializer(said)(frame).get_model_matrix(parsed, na_action="ignore")
        left, right = both.lhs, both.rhs
    except Exception as error:  # noqa: BLE001 - anything that the formula's own Python raises
        raise InputError(f"{place}: formula {formula!r} cannot be evaluated: {_plain(error)}") from None
    if left.shape[1] != 1:
        raise InputError(f"formula {formula!r} has {left.shape[1]} targets, one is needed")
    names = tuple(str(name) for name in right.columns)
    if not names:
        raise InputError(f"formula {formula!r} has no terms")
    check_names(names, place)
    targets = _to_rows(left, sheet, str(left.columns[0]))
    rows = _to_rows(right, sheet, "")
    own = None if weighing is None else _to_weights(sheet, weighing)
    return Design(place, names, rows, str(left.columns[0]), targets, own, sheet.lines, (*sheet.notes, *said))


def _plain(error: Exception) -> str:
    """Returns a message's first line, without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().split("\n")[0]


def _whole_rows(sheet: Sheet, used: Sequence[int], said: list[str], *, drop_missing: bool) -> Sheet:
    """Returns the sheet without rows that have a missing value in a used column.

    Raises:
        InputError: a value is missing and `drop_missing` is not set, or no row remains.
    """
    whole = []
    for row in range(len(sheet.lines)):
        missing = next((index for index in used if sheet.is_missing(row, index)), None)
        if missing is None:
            whole.append(row)
        elif not drop_missing:
            raise InputError(
                f"{sheet.place}: row {sheet.lines[row]}, {sheet.column_words(missing)}: the value is missing; "
                "--drop-missing leaves such rows out (drop_missing=True)"
            )
    if not whole:
        raise InputError(f"{sheet.place}: every row has a missing value in a chosen column")
    if len(whole) < len(sheet.lines):
        lost = len(sheet.lines) - len(whole)
        said.append(f"{lost} of {len(sheet.lines)} rows have a missing value in a chosen column, and are left out")
        return sheet.with_rows(whole)
    return sheet


def _to_series(pandas: ModuleType, sheet: Sheet, index: int, levels: dict[str, tuple[object, ...]]) -> object:
    """Returns a column for formulaic: rationals, or a category."""
    column, name = sheet.columns[index], sheet.name(index)
    known = levels.get(name)
    if known is None and is_boolean(column):
        known = (False, True)
    if known is None and sheet.find_text(index) is not None:
        texts = list(column)
        known = tuple(sorted(set(texts), key=str))
    if known is not None:
        present = [level for level in known if any(value == level for value in column)]
        return pandas.Series(pandas.Categorical(list(column), categories=present))
    numbers = np.empty(len(sheet.lines), dtype=object)
    numbers[:] = [row[0] for row in sheet.numbers([index])]
    return pandas.Series(numbers)


def _to_weights(sheet: Sheet, index: int) -> tuple[mpq, ...]:
    found = tuple(row[0] for row in sheet.numbers([index]))
    for line, weight in zip(sheet.lines, found, strict=True):
        if weight < 0:
            raise InputError(f"{sheet.place}: row {line}, {sheet.column_words(index)}: a weight is {weight}, below 0")
    return found


def _to_exact(values: object) -> np.ndarray:
    """Returns an array of rationals, in which floats mean the dyadic rationals that they are."""
    listed = np.asarray(values, dtype=object).reshape(-1).tolist()
    exact = np.empty(len(listed), dtype=object)
    exact[:] = [
        value if type(value) is _KIND else to_rational(int(value) if value is True or value is False else value)
        for value in listed
    ]
    return exact


def _to_rows(matrix: Any, sheet: Sheet, target: str) -> tuple[tuple[mpq, ...], ...]:  # noqa: ANN401 - a frame
    columns = [_to_exact(matrix.iloc[:, place]) for place in range(matrix.shape[1])]
    if len(columns[0]) != len(sheet.lines):
        raise InputError(f"{sheet.place}: {target or 'a term'} has {len(columns[0])} rows, not {len(sheet.lines)}")
    return tuple(zip(*columns, strict=True))


def _has_floats(values: object) -> bool:
    """Returns whether there is a float among some values, in whatever formulaic holds them."""
    inner = getattr(values, "__wrapped__", values)
    if isinstance(inner, dict):
        return any(_has_floats(part) for part in inner.values())
    try:
        listed = np.asarray(inner, dtype=object).reshape(-1).tolist()
    except (TypeError, ValueError):
        return False
    return any(isinstance(value, (float, np.floating)) or type(value).__name__ == "mpfr" for value in listed)


def _materializer(said: list[str]) -> type:
    """Returns formulaic's evaluation for columns of rationals."""
    plain = import_extra("formulaic.materializers", "formulaic", "regression").PandasMaterializer
    # formulaic refuses methods that are not said to replace its own
    override = import_extra("interface_meta", "formulaic", "regression").override

    def is_exact(values: object) -> bool:
        if getattr(getattr(values, "dtype", None), "kind", "") != "O":
            return False
        listed = np.asarray(values, dtype=object).reshape(-1).tolist()
        return bool(listed) and all(type(value) is _KIND for value in listed)

    class Exact(plain):  # type: ignore[misc, valid-type]
        REGISTER_NAME = None

        @override  # type: ignore[untyped-decorator]
        def _is_categorical(self, values: Any) -> bool:  # noqa: ANN401 - formulaic's own
            # the column may be wrapped in a proxy
            inner = getattr(values, "__wrapped__", values)
            return False if is_exact(inner) else bool(super()._is_categorical(values))

        @override  # type: ignore[untyped-decorator]
        def _evaluate(self, expr: str, metadata: Any, spec: Any) -> Any:  # noqa: ANN401
            try:
                found = super()._evaluate(expr, metadata, spec)
                if not _has_floats(found[0]):
                    return found
            except Exception:  # noqa: BLE001, S110 - functions of floats fail on rationals in many ways
                pass
            rounded = {
                name: self.data[name].map(to_float).astype(float) if is_exact(self.data[name]) else self.data[name]
                for name in self.data.columns
            }
            # what the function has stored about the rationals is removed
            spec.transform_state.pop(expr, None)
            found = plain(type(self.data)(rounded))._evaluate(expr, metadata, spec)  # noqa: SLF001
            said.append(f"{expr} is computed in float64; its values are taken as the floats that they are")
            return found

        @override  # type: ignore[untyped-decorator]
        def _get_columns_for_term(self, factors: Any, spec: Any, scale: float = 1) -> Any:  # noqa: ANN401
            exact = [{name: _to_exact(values) for name, values in factor.items()} for factor in factors]
            return super()._get_columns_for_term(exact, spec, to_rational(scale))

    return Exact
