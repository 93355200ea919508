"""Makes the tables of docs/known from a campaign's folder: each run's results, its losses in brief, its falls.

    exactdrl campaign docs/known/hinz.toml -o FOLDER
    python benchmarks/known/walks.py docs/known/hinz.toml FOLDER docs/known/tables

The campaign need not be finished. Runs that are not there are left out, and the pages say how many there are. The
tables are:

- `walks.parquet` has a row for each run: the campaign's table without the long rationals that have floats beside them.
- `losses.parquet` has a row for each run: the losses after each 240th of its steps, as nearest floats.
- `falls.parquet` has, for each run, quantity and choice of the criteria's constants, the greatest factor by which the
  quantity falls in a window. It is computed in floats on every step; the campaign's own windows are certified.
- `shapes.parquet` has loss, running mean and distance of the first ten runs of the published experiment.
"""

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from exactdrl.campaigns.case import Case
from exactdrl.campaigns.config import read_config
from exactdrl.campaigns.sequences import SERIES_ENDING, read_series
from exactdrl.campaigns.table import columns, to_row

CONFIG = Path(__file__).resolve().parent.parent.parent / "docs" / "known" / "hinz.toml"
GRID = 240
# the certified windows have ends on a grid of so many parts
PARTS = 24
LEAST_PARTS = (3, 6, 12)
SPREADS = (1.5, 2.0, 3.0, 4.0, 8.0)
MEANS = (10, 40, 160, 640)
GOLDEN, GOLDEN_STEPS = (math.sqrt(5) - 1) / 2, 30
SHAPES = ("4,5,4,3,2,1 N=500 bits=53 reference", 10, 480)

Floats = NDArray[np.float64]


def asked(group: str, config: Path = CONFIG) -> int:
    """Returns how many seeds a configuration asks of a group."""
    return sum(case.group == group for case in read_config(config).cases)


def asked_of_all(config: Path = CONFIG) -> int:
    """Returns how many runs a configuration asks for."""
    return len(read_config(config).cases)


def read_runs(config: Path, folder: Path) -> Iterator[tuple[dict[str, Any], dict[str, Floats] | None]]:
    """Yields each run's row, and its sequences where they were kept, in the order of the configuration."""
    for case in read_config(config).cases:
        path = folder / "results" / f"{case.name}.json"
        if not isinstance(case, Case) or not path.exists():
            continue
        series = folder / "runs" / f"{case.name}{SERIES_ENDING}"
        yield to_row(case, json.loads(path.read_bytes())), read_series(series) if series.exists() else None


# -- windows


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a walk between two points of the grid, and how a quantity behaves on it.

    Attributes:
        begin: the first grid point.
        end: the last one.
        fall: the logarithm of its value at the first step over that at the last one.
        spread: the logarithm of the least C/c with c ρ^k ≤ value ≤ C ρ^k for any rate ρ.
        is_falling: whether that rate is below 1.
    """

    begin: int
    end: int
    fall: float
    spread: float
    is_falling: bool


def find_windows(values: Floats) -> list[Window]:
    """Returns all windows of at least the least length between points of the grid; none where the walk is too short."""
    positive = int(np.argmax(values <= 0)) if bool((values <= 0).any()) else len(values)
    if positive - 1 < PARTS:
        return []
    logs = np.log(values[:positive])
    ends = [(positive - 1) * part // PARTS for part in range(PARTS + 1)]
    # the lowest strip around a window's points touches only corners of its parts' hulls
    corners = [find_corners(logs, *part) for part in pairwise(ends)]
    found = []
    for (i, begin), (j, end) in combinations(enumerate(ends), 2):
        if j - i >= LEAST_PARTS[0]:
            places = np.concatenate(corners[i:j])
            slope, height = lowest_strip(places - begin, logs[places])
            found.append(Window(i, j, float(logs[begin] - logs[end]), height, is_falling=slope < 0))
    return found


def find_corners(heights: Floats, begin: int, end: int) -> NDArray[np.int64]:
    """Returns the places begin..end at which the points (place, height) have a corner of their convex hull."""
    part = heights[begin : end + 1].tolist()
    found: set[int] = set()
    for side in (1, -1):
        hull: list[int] = []
        for place, height in enumerate(part):
            while len(hull) > 1:
                a, b = hull[-2], hull[-1]
                if side * ((b - a) * (height - part[a]) - (place - a) * (part[b] - part[a])) < 0:
                    break
                hull.pop()
            hull.append(place)
        found.update(hull)
    return np.array(sorted(found)) + begin


def lowest_strip(places: NDArray[np.int64], heights: Floats) -> tuple[float, float]:
    """Returns the slope of the lowest strip that holds all points, and its height: C/c's least logarithm.

    A height is convex in the slope. From the least-squares slope the best one is at most twice that one's height over
    the places' range away.
    """
    centred = places - places.mean()
    middle = float(centred @ heights) / float(centred @ centred)
    reach = 2 * float(np.ptp(heights - middle * centred)) / float(np.ptp(places))
    low, high = middle - reach, middle + reach
    inner, outer = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_inner, at_outer = (float(np.ptp(heights - slope * centred)) for slope in (inner, outer))
    for _ in range(GOLDEN_STEPS):
        if at_inner <= at_outer:
            high, outer, at_outer = outer, inner, at_inner
            inner = high - GOLDEN * (high - low)
            at_inner = float(np.ptp(heights - inner * centred))
        else:
            low, inner, at_inner = inner, outer, at_outer
            outer = low + GOLDEN * (high - low)
            at_outer = float(np.ptp(heights - outer * centred))
    return (inner, at_inner) if at_inner <= at_outer else (outer, at_outer)


def best_fall(windows: Sequence[Window], spread: float, parts: int) -> float:
    """Returns the greatest factor by which a quantity falls in a window that fits; 0 where none does."""
    falls = [
        window.fall
        for window in windows
        if window.is_falling and window.spread <= np.log(spread) and window.end - window.begin >= parts
    ]
    return float(np.exp(max(falls))) if falls else 0.0


def running_mean(lengths: Floats, width: int) -> Floats:
    """Returns means of so many consecutive lengths, from the first full one on."""
    sums = np.concatenate([[0.0], np.cumsum(lengths)])
    means: Floats = (sums[width:] - sums[:-width]) / width
    return means


def find_falls(series: dict[str, Floats]) -> Iterator[tuple[str, int, float, int, float]]:
    """Yields quantity, width of the mean (0: none), spread, least parts and the greatest fall, for every choice.

    `together` is the greatest factor by which gap, distance and the mean of 40 all fall in one window.
    """
    gap, distance = series["loss"] - series["loss"][-1], np.sqrt(series["squared_distance"])
    lengths = np.sqrt(series["squared_step"][1:])
    quantities = [("gap", 0, find_windows(gap)), ("distance", 0, find_windows(distance))]
    for width in MEANS:
        is_long = len(lengths) > width + PARTS
        quantities.append(("mean", width, find_windows(running_mean(lengths, width)) if is_long else []))
    for quantity, width, windows in quantities:
        for spread in SPREADS:
            for parts in LEAST_PARTS:
                yield quantity, width, spread, parts, best_fall(windows, spread, parts)
    by_place = [
        {(window.begin, window.end): window for window in windows}
        for _, width, windows in quantities
        if width in {0, 40}
    ]
    common = set.intersection(*(set(found) for found in by_place))
    for spread in SPREADS:
        for parts in LEAST_PARTS:
            # the running mean is the noisiest: twice the factor, as in the criteria
            allowed = np.log([spread, spread, 2 * spread])
            falls = [
                min(found[place].fall for found in by_place)
                for place in common
                if place[1] - place[0] >= parts
                and all(
                    found[place].is_falling and found[place].spread <= bound
                    for found, bound in zip(by_place, allowed, strict=True)
                )
            ]
            yield "together", 40, spread, parts, float(np.exp(max(falls))) if falls else 0.0


# -- tables


def write(path: Path, arrays: dict[str, pa.Array]) -> None:
    """Writes a table, small."""
    pq.write_table(pa.table(arrays), path, compression="zstd", compression_level=15)


def tabulate(config: Path, folder: Path, tables: Path) -> int:
    """Writes the tables; returns how many runs they hold."""
    tables.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    losses: dict[str, list[Any]] = {"name": [], "losses": []}
    falls: list[tuple[Any, ...]] = []
    shapes: list[tuple[Any, ...]] = []
    for row, series in read_runs(config, folder):
        rows.append(row)
        if series is None:
            continue
        steps = len(series["loss"]) - 1
        losses["name"].append(row["name"])
        losses["losses"].append(series["loss"][[steps * part // GRID for part in range(GRID + 1)]])
        falls += [(row["name"], *entry) for entry in find_falls(series)]
        group, count, points = SHAPES
        if row["group"] == group and len({entry[0] for entry in shapes}) < count:
            shapes += shape_rows(row["name"], series, points)
    names = [name for name in columns(rows) if f"{name}_float" not in columns(rows)]
    write(tables / "walks.parquet", {name: to_array(name, [row.get(name) for row in rows]) for name in names})
    write(
        tables / "losses.parquet",
        {"name": pa.array(losses["name"], pa.string()), "losses": pa.array(losses["losses"], pa.list_(pa.float64()))},
    )
    kinds = (pa.string(), pa.string(), pa.int16(), pa.float32(), pa.int16(), pa.float32())
    heads = ("name", "quantity", "mean", "spread", "parts", "fall")
    write(tables / "falls.parquet", to_arrays(heads, kinds, falls))
    of_shapes = ("name", "step", "loss", "mean", "distance")
    write(tables / "shapes.parquet", to_arrays(of_shapes, (pa.string(), pa.int32(), *[pa.float32()] * 3), shapes))
    return len(rows)


def shape_rows(name: str, series: dict[str, Floats], points: int) -> Iterator[tuple[Any, ...]]:
    """Yields step, loss, running mean of 40 lengths (fewer at the beginning) and distance, at evenly spaced steps."""
    steps = len(series["loss"]) - 1
    sums = np.concatenate([[0.0], np.cumsum(np.sqrt(series["squared_step"][1:]))])
    for step in sorted({steps * part // points for part in range(points + 1)}):
        begin = max(0, step - 40)
        mean = (sums[step] - sums[begin]) / (step - begin) if step else None
        yield name, step, series["loss"][step], mean, float(np.sqrt(series["squared_distance"][step]))


def to_arrays(heads: Sequence[str], kinds: Sequence[Any], rows: Sequence[tuple[Any, ...]]) -> dict[str, pa.Array]:
    """Returns columns of rows."""
    found = zip(*rows, strict=True) if rows else [[] for _ in heads]
    return {head: pa.array(list(column), kind) for head, kind, column in zip(heads, kinds, found, strict=True)}


def to_array(name: str, values: Sequence[Any]) -> pa.Array:
    """Returns a column of the table of runs, of a type that a run more or less does not change."""
    known = [value for value in values if value is not None]
    if name.endswith("_float"):
        return pa.array(values, pa.float64())
    if known and all(isinstance(value, bool) for value in known):
        return pa.array(values, pa.bool_())
    if known and all(isinstance(value, int) for value in known):
        return pa.array(values, pa.int64())
    return pa.array([None if value is None else str(value) for value in values], pa.string())


def main() -> None:
    """Parses the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("tables", type=Path)
    chosen = parser.parse_args()
    print(f"{tabulate(chosen.config, chosen.folder, chosen.tables)} runs")


if __name__ == "__main__":
    main()
