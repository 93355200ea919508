"""How dense are kinks and cells at minima, against other points of the same loss, and of the same distance from 0?

    python benchmarks/known/density.py docs/known/tables/lines.parquet --widths 4,5,4,3,2,1 --samples 100 --seeds 40
    python benchmarks/known/density.py docs/known/tables/cells.parquet --widths 2,3,1 --samples 20 --bits 12 --cells

For each seed two walks are made on one problem, from its own start and from another. The walk that ends higher ends at
a minimum M. The other one passes the loss of M on some edge, at a point E that is no minimum and has exactly the same
loss. Lines are laid through M, through E, and through both points turned, which means that each unit's weights get a
random direction and keep their distance from 0. Lines are also laid through the vertices of M's own walk after each
quarter of its steps. All breakpoints of the loss on these lines are counted. With `--cells` the cells in a square
window of random planes are counted instead. All counts are exact. A seed with a walk that takes more than `--seconds`
of processor time has one row with the place `limit`. The place `none` says that there is no pair. Seeds come in order,
and the table is written after each. Seeds that the table has are not computed again.
"""

import argparse
import math
import multiprocessing
import random
import resource
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from gmpy2 import mpq

from exactdrl.campaigns.measures import turn_rows
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.doors.sample import sample_experiment
from exactdrl.exact.rationals import to_float
from exactdrl.minimality.verdict import LocalMinimum, StrictLocalMinimum
from exactdrl.observations.lines import find_breakpoints
from exactdrl.observations.plane import Plane, find_cells
from exactdrl.problem.instance import Instance, Matrix
from exactdrl.problem.loss import Loss
from exactdrl.walks.driver import Walk

_Found = TypeVar("_Found")
LINES, PLANES = 4, 2
# the greatest distance that is counted, as parts of the minimum's own distance from 0
PARTS = (16, 64)
QUARTERS = 4
_GRID = 1 << 10
KINDS = {
    "seed": pa.int32(),
    "widths": pa.string(),
    "samples": pa.int32(),
    "place": pa.string(),
    "parts": pa.int16(),
    "kinks": pa.int32(),
    "residual_kinks": pa.int32(),
    "cells": pa.int32(),
    "loss": pa.float64(),
    "norm": pa.float64(),
    "end_loss": pa.float64(),
    "other_loss": pa.float64(),
    "instance": pa.string(),
}


@dataclass(frozen=True, slots=True)
class End:
    """A walk's end.

    Attributes:
        instance: with the walk's start.
        estimates: of the losses after each step, as floats.
        loss: exact, at the last vertex.
        vertex: the last one.
    """

    instance: Instance
    estimates: list[float]
    loss: mpq
    vertex: Matrix


def find_end(instance: Instance) -> End | None:
    """Returns where a walk ends; None if that is not proved to be a minimum."""
    walk = Walk(instance)
    if walk.start_end is not None:
        return None
    estimates = [walk.loss_estimate, *(walk.loss_estimate for _ in walk)]
    if not isinstance(walk.outcome, (LocalMinimum, StrictLocalMinimum)):
        return None
    return End(instance, estimates, walk.loss, walk.vertex)


def other_start(instance: Instance, seed: int) -> Matrix:
    """Returns another start, drawn like the published one."""
    source = random.Random(f"start {seed}")  # noqa: S311 - an experiment's draws, not a secret
    return tuple(tuple(mpq((2 * source.random() - 1) * 20) for _ in row) for row in instance.start)


def vertex_after(instance: Instance, steps: int) -> tuple[Matrix, mpq]:
    """Returns the vertex after so many steps, and its loss. Exact."""
    walk = Walk(instance, max_steps=steps)
    walk.run()
    return walk.vertex, walk.loss


def find_crossing(end: End, level: mpq) -> Matrix | None:
    """Returns the point at which a walk has a loss exactly, on one of its edges; None if it starts below.

    Args:
        end: of a walk that ends at or below the level.
        level: the loss.
    """
    step = next((k for k, loss in enumerate(end.estimates) if loss <= to_float(level)), len(end.estimates) - 1)
    for after in range(max(step - 1, 1), min(step + 2, len(end.estimates))):
        (one, high), (two, low) = (vertex_after(end.instance, k) for k in (after - 1, after))
        if high >= level >= low and high > low:
            share = (high - level) / (high - low)
            return tuple(
                tuple(a + share * (b - a) for a, b in zip(*rows, strict=True)) for rows in zip(one, two, strict=True)
            )
    return None


def norm_of(point: Matrix) -> float:
    """Returns a point's distance from 0."""
    return math.sqrt(to_float(sum((value * value for row in point for value in row), mpq(0))))


def find_places(seed: int, instance: Instance) -> tuple[list[tuple[str, Matrix]], End, End] | None:
    """Returns the points to count at by name, and both ends, the higher first; None if there is no such pair."""
    ends = [find_end(instance), find_end(instance.with_start(other_start(instance, seed)))]
    if ends[0] is None or ends[1] is None or ends[0].loss == ends[1].loss:
        return None
    low, high = sorted((end for end in ends if end is not None), key=lambda end: end.loss)
    equal = find_crossing(low, high.loss)
    if equal is None:
        return None
    problem, source = IntegerProblem.from_instance(instance), random.Random(f"turned {seed}")  # noqa: S311 - as above
    places = [("minimum", high.vertex), ("equal", equal)]
    places += [(f"{name} turned", turn_rows(source, problem, point)) for name, point in places[:2]]
    steps = len(high.estimates) - 1
    for quarter in range(QUARTERS):
        places.append((f"walk {quarter}/{QUARTERS}", vertex_after(high.instance, steps * quarter // QUARTERS)[0]))
    return places, high, low


def directions(source: random.Random, count: int, shape: Matrix) -> list[Matrix]:
    """Returns random directions of a length near 1, each entry a multiple of 1/1024."""
    found = []
    for _ in range(count):
        draws = [[source.gauss(0, 1) for _ in row] for row in shape]
        size = math.sqrt(math.fsum(value * value for row in draws for value in row))
        found.append(tuple(tuple(mpq(round(value / size * _GRID), _GRID) for value in row) for row in draws))
    return found


def count_lines(instance: Instance, places: Sequence[tuple[str, Matrix]], seed: int, reach: mpq) -> Iterator[Any]:
    """Yields place, parts, breakpoints and those of residuals alone, on the same directions at each place."""
    problem = IntegerProblem.from_instance(instance)
    # with a linear loss the residuals have no kinks
    smooth = IntegerProblem.from_instance(replace(instance, loss=Loss.linear()))
    lines = directions(random.Random(f"lines {seed}"), LINES, instance.start)  # noqa: S311 - as above
    for place, point in places:
        counts = [
            [abs(t) for line in lines for t in find_breakpoints(kind, point, line, reach / PARTS[0]) if t]
            for kind in (problem, smooth)
        ]
        for parts in PARTS:
            every, hidden = (sum(size < reach / parts for size in sizes) for sizes in counts)
            yield place, parts, every, every - hidden, None


def count_cells(instance: Instance, places: Sequence[tuple[str, Matrix]], seed: int, reach: mpq) -> Iterator[Any]:
    """Yields place, parts and the cells in windows of random planes, the same directions at each place."""
    problem = IntegerProblem.from_instance(instance)
    source = random.Random(f"planes {seed}")  # noqa: S311 - as above
    pairs = [directions(source, 2, instance.start) for _ in range(PLANES)]
    for place, point in places:
        for parts in PARTS:
            half = reach / parts
            cells = sum(len(find_cells(problem, Plane(point, *pair), (-half, -half), (half, half))) for pair in pairs)
            yield place, parts, None, None, cells


def measure(chosen: argparse.Namespace, seed: int) -> list[dict[str, Any]]:
    """Returns a seed's rows."""
    widths = tuple(map(int, chosen.widths.split(",")))
    instance = sample_experiment(widths, samples=chosen.samples, seed=seed, bits=chosen.bits)
    head = {"seed": seed, "widths": chosen.widths, "samples": chosen.samples, "instance": instance.digest}
    found = find_places(seed, instance)
    if found is None:
        return [head | {"place": "none"}]
    places, high, low = found
    ends = {"end_loss": to_float(high.loss), "other_loss": to_float(low.loss)}
    reach = mpq(2) ** math.ceil(math.log2(norm_of(high.vertex)))
    known = {place: {"loss": to_float(instance.loss_of(point)), "norm": norm_of(point)} for place, point in places}
    counted = (count_cells if chosen.cells else count_lines)(instance, places, seed, reach)
    names = ("place", "parts", "kinks", "residual_kinks", "cells")
    return [head | ends | known[row[0]] | dict(zip(names, row, strict=True)) for row in counted]


def run_limited(seconds: int, work: Callable[[], _Found]) -> _Found | None:
    """Returns what some work finds in a process that the kernel ends after so much processor time; None then.

    Raises:
        RuntimeError: the process ended with an error of its own.
    """
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)

    def run(pipe: Connection) -> None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        limit = int(used.ru_utime + used.ru_stime) + seconds
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        pipe.send(work())

    process = context.Process(target=run, args=(there,))
    process.start()
    there.close()
    try:
        found: _Found | None = here.recv()
    except EOFError:
        found = None
    process.join()
    if process.exitcode is not None and process.exitcode > 0:
        raise RuntimeError(f"the process ended with exit code {process.exitcode}")
    return found


def main() -> None:
    """Parses the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--widths", default="4,5,4,3,2,1")
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--bits", type=int, default=53)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--cells", action="store_true", help="cells in planes instead of breakpoints on lines")
    chosen = parser.parse_args()
    rows: list[dict[str, Any]] = pq.read_table(chosen.table).to_pylist() if chosen.table.exists() else []
    done = {(row["seed"], row["widths"], row["samples"]) for row in rows}
    # compiles, so that the limit is the measurement's
    Walk(sample_experiment((2, 3, 1), samples=20, seed=1)).run()
    for seed in range(chosen.seeds):
        if (seed, chosen.widths, chosen.samples) not in done:
            found = run_limited(chosen.seconds, partial(measure, chosen, seed))
            head = {"seed": seed, "widths": chosen.widths, "samples": chosen.samples}
            rows += [head | {"place": "limit"}] if found is None else found
            write(rows, chosen.table)


def write(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Writes the table."""
    arrays = {name: pa.array([row.get(name) for row in rows], kind) for name, kind in KINDS.items()}
    pq.write_table(pa.table(arrays), path, compression="zstd")


if __name__ == "__main__":
    main()
