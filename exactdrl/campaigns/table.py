"""The table of a campaign in Parquet and CSV: a row for each run, in the order of the configuration."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from exactdrl.campaigns.case import Case
from exactdrl.campaigns.cases import AnyCase
from exactdrl.campaigns.cell_case import KIND, CellCase

Row = dict[str, object]

# what is known of every run, then how it ended; the columns of its measures follow by name
_FIRST = (
    *(
        "name",
        "group",
        "widths",
        "samples",
        "bits",
        "loss",
        "activation",
        "rule",
        "seed",
        "status",
        "reason",
        "instance",
        "verified",
    ),
    *("outcome", "by", "parameters", "lineality", "steps", "wrong_stops", "first_wrong_stop"),
    *("zero_unit_vertices", "degenerate_exits", "last_is_degenerate"),
)


# the same for runs that judge cells; a column is there if a run has it
_FIRST_OF_CELLS = (
    *("kind", "name", "group", "distribution", "inputs", "samples", "units", "bits", "loss", "draws", "seed"),
    *("status", "reason", "cells", "genuine", "bad", "picked_genuine", "picked_bad"),
    *("weights", "weights_genuine", "weights_bad", "weights_open", "drawn_genuine", "drawn_bad"),
)


def to_row(case: AnyCase, result: Mapping[str, object]) -> Row:
    """Returns a run's row."""
    row: Row = {"name": case.name, "group": case.group}
    fields = result["fields"]
    row |= _cells_row(case) if isinstance(case, CellCase) else _walk_row(case)
    row |= {"seed": case.seed, "status": result["status"], "reason": result["reason"]}
    return row | (fields if isinstance(fields, dict) else {})


def _walk_row(case: Case) -> Row:
    return {
        "widths": ",".join(map(str, case.widths)),
        "samples": case.samples,
        "bits": case.bits,
        "loss": case.loss,
        "activation": case.activation,
        "rule": case.rule,
    }


def _cells_row(case: CellCase) -> Row:
    return case.to_json() | {"draws": case.draws_text}


def columns(rows: Iterable[Row]) -> list[str]:
    """Returns all columns of some rows: first those in a fixed order, then the others by name."""
    rows = list(rows)
    names = {name for row in rows for name in row}
    kinds = {row.get("kind") for row in rows}
    of_walks = () if kinds == {KIND} else _FIRST
    of_cells = [name for name in _FIRST_OF_CELLS if name in names] if KIND in kinds else []
    first = dict.fromkeys([*of_walks, *of_cells])
    return [*first, *sorted(names.difference(first))]


def to_csv(rows: Sequence[Row], *, exact: bool = True) -> bytes:
    """Returns the table as CSV. An empty cell means that the run has no such number.

    Args:
        rows: the rows of the table.
        exact: whether the long exact numbers are kept that have a column of floats beside them.
    """
    names = columns(rows)
    if not exact:
        names = [name for name in names if f"{name}_float" not in names]
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: "" if value is None else value for name, value in row.items()} for row in rows)
    return stream.getvalue().encode("utf-8")


def to_parquet(rows: Sequence[Row]) -> bytes:
    """Returns the table as Parquet; rationals are text, with floats beside them."""
    import pyarrow as pa  # noqa: PLC0415 - half a second to import, and only this needs it
    import pyarrow.parquet as pq  # noqa: PLC0415

    arrays = {}
    for name in columns(rows):
        values = [row.get(name) for row in rows]
        arrays[name] = pa.array(values, type=_kind(pa, name, values))
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(arrays), sink)
    return bytes(sink.getvalue())


def _kind(arrow: object, name: str, values: Sequence[object]) -> object:
    # decided by the name and all values, so that a single run does not change a column's type
    known = [value for value in values if value is not None]
    if name.endswith("_float"):
        return arrow.float64()  # type: ignore[attr-defined]
    if known and all(isinstance(value, bool) for value in known):
        return arrow.bool_()  # type: ignore[attr-defined]
    if known and all(isinstance(value, int) for value in known):
        return arrow.int64()  # type: ignore[attr-defined]
    return arrow.string()  # type: ignore[attr-defined]
