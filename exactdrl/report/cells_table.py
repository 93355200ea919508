"""Tables of cells: Parquet and CSV."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from exactdrl.exact.rationals import InputError, parse_rational, to_float
from exactdrl.problem.output import refuse_existing, write_new

_ENDINGS = (".parquet", ".csv")
# rationals that have a column of nearest float64 numbers beside them
_RATIONAL = ("loss", "mean", "inradius")


def check_table_path(path: Path, *, force: bool) -> None:
    """Refuses a path under which no table of cells can be written.

    Raises:
        InputError: it ends neither in .parquet nor in .csv, it exists and `force` is not set, or its folder does not
            exist.
    """
    if path.suffix not in _ENDINGS:
        raise InputError(f"{path}: the name of a table of cells ends in {' or '.join(_ENDINGS)}")
    refuse_existing(path, force=force)


def write_cells_table(path: Path, cells: Sequence[dict[str, object]], *, force: bool) -> None:
    """Writes a row for each cell, with rationals as texts beside floats, and lists joined with blanks.

    Args:
        path: `*.parquet` or `*.csv`.
        cells: objects with the same keys.
        force: write over an existing file.

    Raises:
        InputError: see `check_table_path`; or the file cannot be written.
    """
    check_table_path(path, force=force)
    rows = [_flat(cell) for cell in cells]
    names = list(rows[0]) if rows else ["pattern"]
    if path.suffix == ".csv":
        stream = io.StringIO(newline="")
        writer = csv.DictWriter(stream, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: "" if value is None else value for name, value in row.items()} for row in rows)
        content = stream.getvalue().encode("ascii")
    else:
        import pyarrow as pa  # noqa: PLC0415 - half a second to import, and only this needs it
        import pyarrow.parquet as pq  # noqa: PLC0415

        sink = io.BytesIO()
        pq.write_table(pa.Table.from_pydict({name: [row[name] for row in rows] for name in names}), sink)
        content = sink.getvalue()
    write_new(path, content, force=force)


def _flat(cell: dict[str, object]) -> dict[str, object]:
    row: dict[str, object] = {}
    for name, value in cell.items():
        row[name] = " ".join(map(str, value)) if isinstance(value, list) else value
        if name in _RATIONAL:
            row[f"{name}_float"] = to_float(parse_rational(value)) if isinstance(value, str) else None
    return row
