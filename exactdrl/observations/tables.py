"""Observations as tables in CSV or Parquet: columns of floats, and short exact numbers as texts."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gmpy2 import mpq

from exactdrl.exact.enclosed import EnclosedNumber
from exactdrl.exact.rationals import InputError, to_float, to_number_text
from exactdrl.observations.density import LineDensity
from exactdrl.observations.observe import Observations
from exactdrl.observations.series import Series
from exactdrl.problem.output import new_file, refuse_existing

ENDINGS = ("csv", "parquet")


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Attributes:
        name: the name of its file, without the ending.
        columns: columns of one length; entries are int, float, str or None, and NaN stands for no number.
    """

    name: str
    columns: Mapping[str, Sequence[object]]


def walk_table(series: Series) -> Table:
    """Returns the points of a walk; the first vertex has the step 0, and points before it have negative steps."""
    return Table(
        "walk",
        {
            "step": list(series.steps),
            "phase": [1 if step <= 0 else 2 for step in series.steps],
            "loss": series.loss,
            "loss_gap": series.gap,
            "length": series.length,
            f"mean_of_{series.window}_lengths": series.running_mean,
            "distance_to_last": series.distance,
        },
    )


def bracket_table(found: Observations) -> Table:
    """Returns the certified brackets of decay; numbers are exact, `half_life` is a float."""
    brackets = found.brackets
    return Table(
        "decay",
        {
            "quantity": [b.quantity for b in brackets],
            "from": [b.begin for b in brackets],
            "to": [b.end for b in brackets],
            "rate": [to_number_text(b.rate) for b in brackets],
            "low": [to_number_text(b.low) for b in brackets],
            "high": [to_number_text(b.high) for b in brackets],
            "half_life": [b.half_life for b in brackets],
            "window": [b.window for b in brackets],
        },
    )


def estimate_table(found: Observations) -> Table:
    """Returns the estimates of the final loss by share of the walk, with their relative errors, as nearest floats."""
    rows = found.estimates
    columns: dict[str, Sequence[object]] = {
        "share": [to_float(row.share) for row in rows],
        "step": [row.step for row in rows],
    }
    for index, first in enumerate(rows[0].estimates if rows else ()):
        name = "loss" if not first.fraction else f"aitken_{first.fraction.numerator}_{first.fraction.denominator}"
        columns[name] = [_nearest(row.estimates[index].value) for row in rows]
        columns[f"{name}_error"] = [_nearest(row.estimates[index].error) for row in rows]
    columns["fit"] = [math.nan if row.fit is None else row.fit for row in rows]
    columns["fit_error"] = [math.nan if row.fit_error is None else row.fit_error for row in rows]
    return Table("estimates", columns)


def settled_table(found: Observations) -> Table:
    """Returns from which step on each estimate stays close; `exact` is 1 for Aitken's and 0 for the fit in floats."""
    exact = [(_method(s.fraction), s.within, s.step, 1) for s in found.settled]
    rows = [*exact, *(("fit", s.within, s.step, 0) for s in found.settled_fits)]
    return Table(
        "settled",
        {
            "method": [method for method, _, _, _ in rows],
            "within": [to_float(within) for _, within, _, _ in rows],
            "step": [step for _, _, step, _ in rows],
            "steps_before_the_end": [None if step is None else found.steps - step for _, _, step, _ in rows],
            "exact": [is_exact for _, _, _, is_exact in rows],
        },
    )


def _method(fraction: mpq) -> str:
    return "loss" if not fraction else f"aitken {fraction}"


def vertex_density_table(found: Observations) -> Table:
    """Returns how many vertices of the walk lie within each radius of the last."""
    density = found.trajectory_density
    radii = [to_float(radius) for radius in density.radii]
    return Table("vertex_density", {"radius": radii, "vertices": density.counts})


def kink_density_table(found: Observations) -> Table:
    """Returns the breakpoints of all lines together by radius, without those at t = 0."""
    rows = found.density_rows
    return Table(
        "kink_density",
        {
            "radius": [to_float(row.radius) for row in rows],
            "length": [to_float(row.length) for row in rows],
            "last": [row.last for row in rows],
            "control": [row.control for row in rows],
            "last_shell": [row.last_shell for row in rows],
            "control_shell": [row.control_shell for row in rows],
            "ratio": [_float(row.ratio) for row in rows],
        },
    )


def line_table(found: Observations) -> Table:
    """Returns the breakpoints of each line by radius; `at_origin` is 1 if one of them is at t = 0."""
    entries = [(number, d, i) for number, d in _numbered(found.line_densities) for i in range(len(d.radii))]
    return Table(
        "lines",
        {
            "line": [number for number, _, _ in entries],
            "place": [d.line.place for _, d, _ in entries],
            "radius": [to_float(d.radii[i]) for _, d, i in entries],
            "breakpoints": [d.counts[i] for _, d, i in entries],
            "at_origin": [int(d.at_origin) for _, d, _ in entries],
        },
    )


def _numbered(densities: Sequence[LineDensity]) -> list[tuple[int, LineDensity]]:
    # the two lines of one direction follow each other and have the same number
    return [(index // 2, density) for index, density in enumerate(densities)]


def _nearest(number: EnclosedNumber | None) -> float:
    return math.nan if number is None else number.to_float()


def _float(value: mpq | None) -> float:
    return math.nan if value is None else to_float(value)


def all_tables(found: Observations, series: Series) -> list[Table]:
    """Returns every table of a walk's observations."""
    tables = [walk_table(series), bracket_table(found), estimate_table(found), settled_table(found)]
    return [*tables, vertex_density_table(found), kink_density_table(found), line_table(found)]


# The names of `all_tables`, in their order
TABLES = ("walk", "decay", "estimates", "settled", "vertex_density", "kink_density", "lines")


def table_paths(folder: Path, names: Sequence[str], ending: str) -> list[Path]:
    """Returns the files of tables by their names."""
    return [folder / f"{name}.{ending}" for name in names]


def make_folder(folder: Path) -> None:
    """Makes a folder where there is none.

    Raises:
        InputError: the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror or error})") from None


def refuse_written(paths: Sequence[Path], *, force: bool) -> None:
    """Refuses files that exist, before anything is computed for them, and makes their folders.

    Raises:
        InputError: a file exists and `force` is not set, or a folder cannot be made.
    """
    for path in paths:
        make_folder(path.parent)
        refuse_existing(path, force=force)


def write_tables(folder: Path, tables: Sequence[Table], *, ending: str = "csv", force: bool = False) -> list[Path]:
    """Writes tables into a folder, which is made if it does not exist, and returns their paths.

    Args:
        folder: the folder.
        tables: the tables, each of which becomes a file.
        ending: `csv` or `parquet`.
        force: whether existing files are written over.

    Raises:
        InputError: the ending is another, a file exists and `force` is not set, or it cannot be written.
    """
    if ending not in ENDINGS:
        raise InputError(f"table format is {ending!r}; one of {', '.join(ENDINGS)} is needed")
    paths = table_paths(folder, [table.name for table in tables], ending)
    refuse_written(paths, force=force)
    for path, table in zip(paths, tables, strict=True):
        with new_file(path, force=True) as partial:
            _write_csv(partial, table) if ending == "csv" else _write_parquet(partial, table)
    return paths


def _write_csv(path: Path, table: Table) -> None:
    with path.open("w", encoding="ascii", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(table.columns)
        for row in zip(*table.columns.values(), strict=True):
            writer.writerow(["" if _is_missing(entry) else entry for entry in row])


def _write_parquet(path: Path, table: Table) -> None:
    import pyarrow as pa  # noqa: PLC0415 - half a second to import, and only this needs it
    import pyarrow.parquet as pq  # noqa: PLC0415

    columns = {
        name: [None if _is_missing(entry) else entry for entry in column] for name, column in table.columns.items()
    }
    pq.write_table(pa.table(columns), path)


def _is_missing(entry: object) -> bool:
    return entry is None or (isinstance(entry, float) and math.isnan(entry))
