"""Tables that are not text: Parquet files, frames of pandas, Polars and other libraries, arrays of NumPy.

Floats mean the dyadic rationals that they are, and texts mean what they write. Frames are read through narwhals, so
that no library is needed by name.
"""

import io
from typing import TYPE_CHECKING

import numpy as np

from exactdrl.doors.extras import import_extra
from exactdrl.doors.sheet import Column, Sheet
from exactdrl.exact.rationals import InputError, shown

if TYPE_CHECKING:
    import pyarrow as pa

# What pandas calls a frame's index in a Parquet file
_INDEX_PREFIX = "__index_level_"
_DOUBLE_BYTES = 8
_TABLE_AXES = 2


def read_parquet(content: bytes, place: str) -> Sheet:
    """Returns the table in a Parquet file.

    Columns that pandas wrote for a frame's index are left out, which a note says.

    Args:
        content: the file's bytes.
        place: what error messages call the file.

    Raises:
        InputError: the bytes are no whole Parquet file, or its table cannot be read.
    """
    import pyarrow as pa  # noqa: PLC0415 - a tenth of a second, for those who need it
    from pyarrow import parquet  # noqa: PLC0415 - the same

    try:
        table = parquet.ParquetFile(io.BytesIO(content)).read()
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise InputError(f"{place}: not a whole Parquet file ({error})") from None
    return from_arrow(table, place)


def from_frame(frame: object, place: str) -> Sheet:
    """Returns the table in a frame of pandas, Polars, PyArrow or another library that narwhals knows.

    The index of a pandas frame is no column.

    Args:
        frame: an eager or a lazy frame.
        place: what error messages call the frame.

    Raises:
        InputError: narwhals is missing, it does not know the frame, or a column holds values of several kinds.
    """
    narwhals = import_extra("narwhals", "narwhals", "frames")
    try:
        known = narwhals.from_native(frame)
        if isinstance(known, narwhals.LazyFrame):
            known = known.collect()
        names = [str(name) for name in known.columns]
        _check_repeated(names, place)
        columns = []
        for name, title in zip(known.columns, names, strict=True):
            columns.append((title, known[name].to_arrow()))
    except TypeError:
        kind = shown(type(frame).__name__)
        needed = "a file, an array, rows, or a frame of pandas, Polars or PyArrow is needed"
        raise InputError(f"{place}: an object of type {kind} is no known table; {needed}") from None
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 - each library of frames raises errors of its own
        raise InputError(f"{place}: the frame cannot be read ({error})") from None
    return _to_sheet(columns, place, _index_notes(frame))


def _index_notes(frame: object) -> tuple[str, ...]:
    """Returns a note where a pandas frame has another index than the numbers of its rows."""
    index = getattr(frame, "index", None)
    if not type(frame).__module__.startswith("pandas") or index is None:
        return ()
    name = getattr(index, "name", None)
    is_range = type(index).__name__ == "RangeIndex"
    if is_range and (name, index.start, index.step) == (None, 0, 1):
        return ()
    words = "the frame's index" if name is None else f"the frame's index ({shown(str(name))})"
    return (f"{words} is no column, and is left out; frame.reset_index() makes it one",)


def from_arrow(table: "pa.Table", place: str) -> Sheet:
    """Returns the table in a table of PyArrow; see `read_parquet`.

    Raises:
        InputError: the table has no rows, or a name is repeated.
    """
    names = [str(name) for name in table.column_names]
    _check_repeated(names, place)
    kept = [
        (name, column) for name, column in zip(names, table.columns, strict=True) if not name.startswith(_INDEX_PREFIX)
    ]
    dropped = [name for name in names if name.startswith(_INDEX_PREFIX)]
    notes = tuple(f"column {shown(name)} is the index of a pandas frame, and is left out" for name in dropped)
    return _to_sheet(kept, place, notes)


def from_array(array: np.ndarray, place: str) -> Sheet:
    """Returns the table in an array: rows of numbers without names, or records with the names of their fields.

    Args:
        array: shape (rows, columns), or (rows,) with fields.
        place: what error messages call the array.

    Raises:
        InputError: the array is masked, is empty, or has another number of axes.
    """
    if isinstance(array, np.ma.MaskedArray):
        raise InputError(f"{place} is a masked array; masked values have no meaning here, so leave their rows out")
    if array.dtype.names:
        if array.ndim != 1 or not array.size:
            raise InputError(f"{place} has shape {array.shape}; records need one axis")
        fields = tuple(array.dtype.names)
        columns = tuple(_to_column(array[name]) for name in fields)
        return Sheet(place, fields, tuple(range(1, len(array) + 1)), columns)
    if array.ndim != _TABLE_AXES or not array.size:
        raise InputError(f"{place} has shape {array.shape}; rows and columns are needed")
    columns = tuple(_to_column(array[:, index]) for index in range(array.shape[1]))
    return Sheet(place, None, tuple(range(1, len(array) + 1)), columns)


def _check_repeated(names: list[str], place: str) -> None:
    repeated = next((name for position, name in enumerate(names) if name in names[:position]), None)
    if repeated is not None:
        raise InputError(f"{place}: two columns have the name {shown(repeated)}")


def _to_column(values: np.ndarray) -> Column:
    if values.dtype.kind == "f" and values.dtype.itemsize <= _DOUBLE_BYTES:
        return values.astype(np.float64)
    # for longdouble, tolist keeps NumPy's scalars, whose ratios are exact
    return tuple(values.tolist())


def _to_sheet(named: "list[tuple[str, pa.ChunkedArray]]", place: str, notes: tuple[str, ...]) -> Sheet:
    import pyarrow as pa  # noqa: PLC0415 - see read_parquet

    if not named or not len(named[0][1]):
        raise InputError(f"{place}: holds no rows")
    columns: list[Column] = []
    for name, column in named:
        kind = column.type
        if pa.types.is_dictionary(kind):
            column, kind = column.cast(kind.value_type), kind.value_type  # noqa: PLW2901 - the same column, plain
        if pa.types.is_floating(kind) and not column.null_count:
            columns.append(np.asarray(column.to_numpy(), dtype=np.float64))
        elif pa.types.is_nested(kind):
            raise InputError(f"{place}: column {shown(name)} holds {kind}; numbers are needed")
        else:
            columns.append(tuple(column.to_pylist()))
    names = tuple(name for name, _ in named)
    return Sheet(place, names, tuple(range(1, len(named[0][1]) + 1)), tuple(columns), notes=notes)
