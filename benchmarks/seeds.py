"""Times the walks of the published experiment over its seeds, and shows the slowest beside the median.

    python benchmarks/seeds.py                                   seeds 0 to 99 at N = 100, 200 and 500; some minutes
    python benchmarks/seeds.py --samples 100 --seeds 0-9,17      others
    python benchmarks/seeds.py --seconds 60                      walks that take longer are stopped, and count as that

The script prints a table in Markdown, with a row for each N. The row has processor seconds of the whole walk (without
sampling and recording, with the kernel loaded before): the least, the median, the ninth decile and the most, and the
ratio of the last to the median. It also has the steps, and how many of all steps were certain in float64. Below the
table stand the slowest seeds, with the seconds of their last call, which ends with the verdict, their steps, and the
steps that were not certain. Each walk's seconds go to stderr as it ends. Every walk is reproduced by its seed:

    exactdrl sample --samples N --seed S -o a.json
    exactdrl walk a.json -o a.drl
"""

import argparse
import math
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from degenerate import parse_seeds, print_line
from real_data import processor, seconds_of_additions

from exactdrl import Walk, sample_experiment

SLOWEST = 8
STEPS_AT_ONCE = 256
COLUMNS = ("N", "walks", "least, s", "median, s", "90 %, s", "most, s", "most / median", "steps", "certain in float64")


@dataclass(frozen=True, slots=True)
class Result:
    """One walk.

    Attributes:
        seed: of the experiment.
        seconds: of processor time, of the whole walk.
        verdict: those of the last call, which ends with the verdict.
        steps: of the walk.
        certain: steps decided in float64 alone.
        outcome: the verdict's name, and what proves it; None if the walk was stopped.
    """

    seed: int
    seconds: float
    verdict: float
    steps: int
    certain: int
    outcome: str | None


def run(samples: int, seed: int, limit: float = math.inf) -> Result:
    """Walks from a sampled start to the end, or until a call of the walk ends after the limit."""
    instance = sample_experiment(samples=samples, seed=seed)
    began = time.process_time()
    walk = Walk(instance)
    last = began
    while walk.advance(STEPS_AT_ONCE) and last - began < limit:
        last = time.process_time()
    ended = time.process_time()
    certain = walk.counts.steps[0] if walk.counts is not None else 0
    words = " ".join([type(walk.outcome).__name__, getattr(walk.outcome, "by", "")]).strip()
    outcome = None if walk.outcome is None else words
    return Result(seed, ended - began, ended - last, walk.steps, certain, outcome)


def row(samples: int, results: Sequence[Result]) -> tuple[object, ...]:
    """Returns a line of the table."""
    times = sorted(result.seconds for result in results)
    median, steps = statistics.median(times), sum(result.steps for result in results)
    shown = [f"{value:.2f}" for value in (times[0], median, times[len(times) * 9 // 10])]
    share = 100 * sum(result.certain for result in results) / max(steps, 1)
    over = "over " if any(result.outcome is None for result in results) else ""
    most = (f"{over}{times[-1]:.2f}", f"{over}{times[-1] / median:.1f}")
    return (samples, len(results), *shown, *most, steps, f"{share:.2f} %")


def notes(samples: int, results: Sequence[Result]) -> list[str]:
    """Returns what took the slowest walks' time."""
    slowest = sorted(results, key=lambda result: -result.seconds)[:SLOWEST]
    return [
        f"- N = {samples}, seed {result.seed}: {result.seconds:.2f} s, {result.verdict:.2f} of them the end, "
        f"{result.steps} steps, {result.steps - result.certain} not certain in float64; {result.outcome or 'stopped'}"
        for result in slowest
    ]


def main() -> None:
    """Prints table and slowest seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", default="100,200,500", help="N, several with commas")
    parser.add_argument("--seeds", type=parse_seeds, default=parse_seeds("0-99"), help="as 0-9,17")
    parser.add_argument("--seconds", type=float, default=math.inf, help="of processor time, at most so many a walk")
    options = parser.parse_args()
    # the kernel is loaded here, so that no seed pays for it
    run(100, 0)
    print(f"{processor()}; 5,000,000 additions in {seconds_of_additions():.2f} s\n")
    print_line(COLUMNS)
    print_line(["---"] * len(COLUMNS))
    lines = []
    for samples in map(int, options.samples.split(",")):
        results = []
        for seed in options.seeds:
            results.append(run(samples, seed, options.seconds))
            print(f"N = {samples}, seed {seed}: {results[-1].seconds:.2f} s", file=sys.stderr, flush=True)
        print_line(row(samples, results))
        lines += notes(samples, results)
    print("\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
