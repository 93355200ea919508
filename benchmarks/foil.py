"""Compares a float walk in the style of the published code with exact arithmetic: how it goes wrong, and how often.

Runs tests/foil.py on problems of `exactdrl sample` and variants of them, audits each of its trajectories exactly, and
runs the exact walk beside it. Prints a table in Markdown, and the seeds behind its entries on stderr.

    python benchmarks/foil.py [--scale 0.1] [--processes 2]
"""

import argparse
import importlib
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path

from gmpy2 import mpq

from exactdrl import Instance, LocalMinimum, StrictLocalMinimum, Walk, sample_experiment, to_float
from exactdrl.audits.audit import Audit, audit
from exactdrl.audits.vertex import FoundVertex, OnFace

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

# widths, samples, variant, number of seeds from 0
CAMPAIGNS = (
    ((1, 1), 20, "as drawn", 300),
    ((1, 1), 20, "twice", 100),
    ((1, 1), 20, "integers", 100),
    ((3, 2, 1), 20, "as drawn", 100),
    ((2, 3, 1), 20, "as drawn", 100),
    ((2, 3, 1), 20, "integers", 100),
    ((2, 3, 1), 20, "twice", 100),
    ((2, 2, 2, 1), 20, "as drawn", 100),
    ((3, 4, 2, 1), 40, "as drawn", 20),
    ((4, 5, 4, 3, 2, 1), 60, "as drawn", 3),
)
# reasons to stop, as columns
STOPS = ("converged", "singular matrix", "coordinate difference diverged", "step limit", "no kink")
# a step shorter than this is no rounding error
BACKWARD = -1e-9
MOST_STEPS = 2000


@dataclass(frozen=True, slots=True)
class Case:
    """One run: `make` gives its instance."""

    widths: tuple[int, ...]
    samples: int
    variant: str
    seed: int


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one run.

    Attributes:
        case: the run.
        reason: why the foil stopped.
        steps: its moves.
        is_false_end: it declared convergence at a vertex that is no local minimum.
        excess: by how much its last loss, as it is, is above the exact walk's, relatively.
        has_left: one of its points after phase 1 lies inside a face, far from every vertex of its cell.
        is_wrong: any other fault: a kink crossed, no common edge, a loss that rises.
        is_backward: a step of negative length.
        is_open: a point's vertex was not found.
        distance: the largest distance of a point to the vertex that it stands for.
        is_minimum: the exact walk ends in a proved local minimum.
        seconds: of foil, audit and exact walk.
    """

    case: Case
    reason: str
    steps: int
    is_false_end: bool
    excess: float
    has_left: bool
    is_wrong: bool
    is_backward: bool
    is_open: bool
    distance: float
    is_minimum: bool
    seconds: tuple[float, float, float]


def make(case: Case) -> Instance:
    """Returns a run's instance: of `exactdrl sample`, with inputs and targets rounded or repeated."""
    instance = sample_experiment(case.widths, samples=case.samples, seed=case.seed)
    inputs, targets = instance.inputs, instance.targets
    if case.variant == "integers":
        inputs, targets = (tuple(tuple(mpq(round(v)) for v in row) for row in rows) for rows in (inputs, targets))
    if case.variant == "twice":
        half = case.samples // 2
        inputs, targets = inputs[:half] * 2, targets[:half] * 2
    layers = [(layer.weight, layer.bias) for layer in instance.layers]
    return Instance.create(layers, inputs, targets, start=instance.start)


def run(case: Case) -> Result:
    """Runs the foil, audits it, and walks exactly."""
    run_foil = importlib.import_module("foil").run_foil
    instance = make(case)
    clock = [time.process_time()]
    foil = run_foil(instance, MOST_STEPS)
    clock.append(time.process_time())
    rows = [[mpq(value) for value in point] for point in foil.points]
    first = min(foil.first_vertex + 1, len(rows))
    result = audit(instance, rows, first_vertex=first, claims_minimum=foil.reason == "converged")
    clock.append(time.process_time())
    walk = Walk(instance)
    outcome = walk.run()
    clock.append(time.process_time())
    found = [row.vertex.squared_distance for row in result.rows if isinstance(row.vertex, FoundVertex)]
    excess = to_float(result.rows[-1].point_loss / walk.loss - 1) if walk.loss else 0.0
    faults = [row for row in result.rows if row.fault is not None]
    return Result(
        case,
        foil.reason,
        len(rows) - 1,
        result.false_end,
        excess,
        any(isinstance(row.vertex, OnFace) for row in faults),
        any(isinstance(row.vertex, FoundVertex) for row in faults),
        foil.shortest < BACKWARD,
        is_open(result),
        math.sqrt(to_float(max(found))) if found else 0.0,
        isinstance(outcome, (LocalMinimum, StrictLocalMinimum)),
        (clock[1] - clock[0], clock[2] - clock[1], clock[3] - clock[2]),
    )


def is_open(result: Audit) -> bool:
    """Returns whether a row's vertex was not found, where no row before it was wrong."""
    gap, fault = result.first_open, result.first_fault
    return gap is not None and (fault is None or gap.row < fault.row)


COLUMNS = (
    "widths", "N", "data", "seeds", "declared converged", "of these wrongly", "singular matrix", "diverged",
    "step limit", "left the vertices", "step backwards", "other fault", "row not read", "farthest from its vertex",
    "exact walk: minimum",
)  # fmt: skip


def to_cells(results: Sequence[Result]) -> tuple[object, ...]:
    """Returns a line of the table."""
    case = results[0].case
    reasons = [result.reason for result in results]
    return (
        ",".join(map(str, case.widths)),
        case.samples,
        case.variant,
        len(results),
        reasons.count(STOPS[0]),
        sum(result.is_false_end for result in results),
        reasons.count(STOPS[1]),
        reasons.count(STOPS[2]),
        reasons.count(STOPS[3]) + reasons.count(STOPS[4]),
        sum(result.has_left for result in results),
        sum(result.is_backward for result in results),
        sum(result.is_wrong for result in results),
        sum(result.is_open for result in results),
        f"{max(result.distance for result in results):.1e}",
        sum(result.is_minimum for result in results),
    )


def print_line(cells: Sequence[object]) -> None:
    """Prints a line of the table."""
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def main() -> None:
    """Runs the campaigns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1, help="share of the runs")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    print_line(COLUMNS)
    print_line(["---"] * len(COLUMNS))
    for widths, samples, variant, count in CAMPAIGNS:
        cases = [Case(widths, samples, variant, seed) for seed in range(max(1, round(count * options.scale)))]
        with Pool(options.processes) as pool:
            results = pool.map(run, cases, chunksize=1)
        print_line(to_cells(results))
        notes = []
        name = f"{','.join(map(str, widths))}, N = {samples}, {variant}"
        false_ends = [result for result in results if result.is_false_end]
        if false_ends:
            worst = max(result.excess for result in false_ends)
            seeds = [result.case.seed for result in false_ends]
            notes.append(
                f"- {name}: wrong ends with seeds {seeds}; the loss up to {100 * worst:.1f} % above the exact walk's"
            )
        for words, chosen in (
            ("singular", [r for r in results if r.reason == STOPS[1]]),
            ("diverged", [r for r in results if r.reason == STOPS[2]]),
            ("step limit", [r for r in results if r.reason in STOPS[3:]]),
            ("left the vertices", [r for r in results if r.has_left]),
            ("backwards", [r for r in results if r.is_backward]),
            ("other fault", [r for r in results if r.is_wrong]),
            ("row not read", [r for r in results if r.is_open]),
            ("exact walk undecided", [r for r in results if not r.is_minimum]),
        ):
            if chosen:
                notes.append(f"- {name}: {words} with seeds {[r.case.seed for r in chosen]}")
        seconds = [sum(result.seconds[part] for result in results) for part in range(3)]
        notes.append(
            f"- {name}: CPU seconds foil {seconds[0]:.1f}, audit {seconds[1]:.1f}, exact walk {seconds[2]:.1f}"
        )
        print("\n".join(notes), file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
