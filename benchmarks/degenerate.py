"""Walks at degenerate vertices: how often they are met, what is decided there, where the published rule stops wrongly.

Prints a table in Markdown, and the seeds of the cases: for each architecture, how many walks meet a degenerate vertex,
how many the published rule stops at a vertex that is no local minimum, and how the verdicts at the ends are
distributed. Every walk is reproduced by its architecture and seed:

    exactdrl sample --widths W --samples N --seed S --bits B -o a.json
    exactdrl walk a.json -o a.drl

With --check, each end is judged anew from an instance that starts there, and its certificate put through
proofs/check.py.

    python benchmarks/degenerate.py [--widths 2,3,1] [--bits 12] [--scale 0.1] [--processes 2] [--limit 300] [--check]
"""

import argparse
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path

from exactdrl import (
    Instance,
    LocalMinimum,
    StrictLocalMinimum,
    Undecided,
    Walk,
    record_walk,
    sample_experiment,
    verify,
    write_instance,
)

# widths, samples, number of seeds from 0
CAMPAIGNS = (((2, 3, 1), 20, 300), ((3, 4, 2, 1), 40, 300), ((4, 5, 4, 3, 2, 1), 100, 30))
OUT_OF_TIME = "out of time"
STEPS_AT_ONCE = 256
COLUMNS = (
    "widths",
    "N",
    "bits",
    "walks",
    "degenerate",
    "wrong stops",
    "strict",
    "minimum",
    "by tree",
    "undecided",
    OUT_OF_TIME,
    "checked",
    "longest",
)


@dataclass(frozen=True, slots=True)
class Case:
    """One walk to run."""

    widths: tuple[int, ...]
    samples: int
    seed: int
    bits: int
    limit: int
    is_checked: bool


@dataclass(frozen=True, slots=True)
class Result:
    """What one walk did.

    Attributes:
        case: the walk.
        outcome: the verdict's name, or OUT_OF_TIME.
        by: what proves it, empty if undecided.
        steps: of phase 2.
        is_degenerate: whether a vertex of phase 2 was degenerate, the first and the last included.
        wrong_stops: steps before which the published rule stops at a vertex that is no local minimum.
        is_accepted: whether the checker accepts the end.
        seconds: of CPU time, in all.
    """

    case: Case
    outcome: str
    by: str
    steps: int
    is_degenerate: bool
    wrong_stops: tuple[int, ...]
    is_accepted: bool
    seconds: float


class _OutOfTimeError(Exception):
    pass


def _stop(_signal: int, _frame: object) -> None:
    raise _OutOfTimeError


def run(case: Case) -> Result:
    """Runs one walk."""
    began = time.process_time()
    walk = Walk(sample_experiment(case.widths, samples=case.samples, seed=case.seed, bits=case.bits))
    signal.signal(signal.SIGPROF, _stop)
    signal.setitimer(signal.ITIMER_PROF, case.limit)
    outcome, by, is_degenerate, is_accepted = OUT_OF_TIME, "", False, False
    try:
        is_degenerate = _is_degenerate(walk)
        exact_steps = 0
        while walk.advance(STEPS_AT_ONCE):
            # steps in floats end in regular vertices, by their own proof: proofs/filter.md
            taken = walk.counts.steps[1] if walk.counts is not None else walk.steps
            if taken > exact_steps and not is_degenerate:
                is_degenerate = _is_degenerate(walk)
            exact_steps = taken
        outcome, by = type(walk.outcome).__name__, getattr(walk.outcome, "by", "")
        if case.is_checked:
            is_accepted = _is_end_accepted(walk)
    except _OutOfTimeError:
        pass
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    seconds = time.process_time() - began
    return Result(case, outcome, by, walk.steps, is_degenerate, tuple(walk.published_stops), is_accepted, seconds)


def _is_degenerate(walk: Walk) -> bool:
    return len(walk.arithmetic.vanishing_kinks()) > walk.problem.dimension


def _is_end_accepted(walk: Walk) -> bool:
    """Returns whether a walk that starts at another's end ends there at once, alike, and the checker accepts it."""
    instance = walk.problem.instance
    layers = [(layer.weight, layer.bias) for layer in instance.layers]
    again = Instance.create(layers, instance.inputs, instance.targets, layer=instance.layer, start=walk.vertex)
    with tempfile.TemporaryDirectory() as folder:
        path, run_path = Path(folder) / "a.json", Path(folder) / "a.drl"
        write_instance(again, path)
        second = Walk(again)
        outcome = record_walk(second, run_path)
        is_same = type(outcome) is type(walk.outcome) and second.steps == 0 and second.vertex == walk.vertex
        return is_same and verify(path, run_path).status == "accepted"


def row(results: Sequence[Result]) -> tuple[object, ...]:
    """Returns a line of the table."""
    outcomes = Counter(result.outcome for result in results)
    case = results[0].case
    return (
        ",".join(map(str, case.widths)),
        case.samples,
        case.bits,
        len(results),
        sum(result.is_degenerate for result in results),
        sum(bool(result.wrong_stops) for result in results),
        outcomes[StrictLocalMinimum.__name__],
        outcomes[LocalMinimum.__name__],
        sum(result.by == "tree" for result in results),
        outcomes[Undecided.__name__],
        outcomes[OUT_OF_TIME],
        sum(result.is_accepted for result in results) if case.is_checked else "",
        f"{max(result.seconds for result in results):.1f} s",
    )


def notes(results: Sequence[Result]) -> list[str]:
    """Returns the seeds of the cases that the table counts."""

    def seeds(chosen: Callable[[Result], bool]) -> list[int]:
        return [result.case.seed for result in results if chosen(result)]

    case = results[0].case
    name = f"{','.join(map(str, case.widths))}, N = {case.samples}, bits {case.bits}"
    wrong = {result.case.seed: list(result.wrong_stops) for result in results if result.wrong_stops}
    return [
        f"{name}: wrong stops by seed, with the steps they come before: {wrong}",
        f"{name}: undecided with seeds {seeds(lambda result: result.outcome == Undecided.__name__)}",
        f"{name}: out of time with seeds {seeds(lambda result: result.outcome == OUT_OF_TIME)}",
        f"{name}: met a degenerate vertex with seeds {seeds(lambda result: result.is_degenerate)}",
        f"{name}: {sum(r.steps for r in results)} steps, {sum(r.seconds for r in results):.0f} s of CPU time",
    ]


def print_line(cells: Sequence[object]) -> None:
    """Prints a line of the table."""
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def main() -> None:
    """Runs the campaigns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--widths", help="one architecture alone")
    parser.add_argument("--bits", type=int, default=12, help="of the random numbers")
    parser.add_argument("--scale", type=float, default=1, help="share of the walks to run")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--limit", type=int, default=300, help="CPU seconds of one walk")
    parser.add_argument("--check", action="store_true", help="put each end through the checker")
    options = parser.parse_args()
    print_line(COLUMNS)
    print_line(["---"] * len(COLUMNS))
    lines = []
    for widths, samples, count in CAMPAIGNS:
        if options.widths not in (None, ",".join(map(str, widths))):
            continue
        seeds = range(max(1, round(count * options.scale)))
        cases = [Case(widths, samples, seed, options.bits, options.limit, options.check) for seed in seeds]
        with Pool(options.processes) as pool:
            results = pool.map(run, cases, chunksize=1)
        print_line(row(results))
        lines += notes(results)
    print("\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
