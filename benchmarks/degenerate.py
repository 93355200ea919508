"""Walks at degenerate vertices: how often they are met, what is decided there, where the published rule stops wrongly.

Prints a table in Markdown: for each architecture, how many walks meet a degenerate vertex, how many the published
rule stops at a vertex that is no local minimum, and how the verdicts at the ends are distributed. Every walk is
reproduced by its architecture and seed: `exactdrl sample --widths W --samples N --seed S --bits 12`.

    python benchmarks/degenerate.py [--scale 0.1] [--processes 2]
"""

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import Pool

from exactdrl import LocalMinimum, StepLimit, StrictLocalMinimum, Undecided, Walk, sample_experiment

# widths, samples, number of seeds from 0
CAMPAIGNS = (((2, 3, 1), 20, 300), ((3, 4, 2, 1), 40, 300), ((4, 5, 4, 3, 2, 1), 100, 30))
BITS = 12
COLUMNS = ("widths", "N", "walks", "degenerate", "wrong stops", "strict", "minimum", "by tree", "undecided", "longest")


@dataclass(frozen=True, slots=True)
class Case:
    """One walk to run."""

    widths: tuple[int, ...]
    samples: int
    seed: int


@dataclass(frozen=True, slots=True)
class Result:
    """What one walk did.

    Attributes:
        case: the walk.
        outcome: the verdict's name.
        by: what proves it, empty if undecided.
        steps: of phase 2.
        degenerate: how many vertices of phase 2 were degenerate, the first and the last included.
        wrong_stops: how often the published rule would have stopped at a vertex that is no local minimum.
        seconds: in all.
    """

    case: Case
    outcome: str
    by: str
    steps: int
    degenerate: int
    wrong_stops: int
    seconds: float


def run(case: Case) -> Result:
    """Runs one walk."""
    began = time.perf_counter()
    walk = Walk(sample_experiment(case.widths, samples=case.samples, seed=case.seed, bits=BITS))
    size = walk.problem.dimension
    degenerate = int(len(walk.arithmetic.vanishing_kinks()) > size)
    for _ in walk:
        degenerate += len(walk.arithmetic.vanishing_kinks()) > size
    outcome = walk.outcome
    by = outcome.by if isinstance(outcome, (LocalMinimum, StrictLocalMinimum)) else ""
    seconds = time.perf_counter() - began
    return Result(case, type(outcome).__name__, by, walk.steps, degenerate, len(walk.published_stops), seconds)


def row(widths: Sequence[int], samples: int, results: Sequence[Result]) -> tuple[object, ...]:
    """Returns a line of the table."""
    outcomes = Counter(result.outcome for result in results)
    return (
        ",".join(map(str, widths)),
        samples,
        len(results),
        sum(result.degenerate > 0 for result in results),
        sum(result.wrong_stops > 0 for result in results),
        outcomes[StrictLocalMinimum.__name__],
        outcomes[LocalMinimum.__name__],
        sum(result.by == "tree" for result in results),
        outcomes[Undecided.__name__] + outcomes[StepLimit.__name__],
        f"{max(result.seconds for result in results):.1f} s",
    )


def print_line(cells: Sequence[object]) -> None:
    """Prints a line of the table."""
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def main() -> None:
    """Runs the campaigns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1, help="share of the walks to run")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    print_line(COLUMNS)
    print_line(["---"] * len(COLUMNS))
    notes = []
    for widths, samples, count in CAMPAIGNS:
        cases = [Case(widths, samples, seed) for seed in range(max(1, round(count * options.scale)))]
        with Pool(options.processes) as pool:
            results = pool.map(run, cases, chunksize=1)
        print_line(row(widths, samples, results))
        name = ",".join(map(str, widths))
        wrong = [result.case.seed for result in results if result.wrong_stops]
        notes.append(f"{name}: the published rule stops wrongly with seeds {wrong}")
        undecided = [result.case.seed for result in results if result.outcome == Undecided.__name__]
        notes.append(f"{name}: undecided with seeds {undecided}")
    print("\n" + "\n".join(notes))


if __name__ == "__main__":
    main()
