"""Measures what an observation costs: CPU time a step of the exact sequences, against scans at every vertex.

The script walks the published experiment for some steps, and times each part in one process. With more processes the
sequences and the lines take their share of the time.

    python benchmarks/observe.py [--steps 1000] [--samples 500]
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from gmpy2 import mpq

from exactdrl import Walk, read_certificate, read_instance, record_walk, sample_experiment, write_instance
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.certificate.replay import replay
from exactdrl.exact.rationals import to_float
from exactdrl.observations.density import choose_radii, count_breakpoints, draw_lines
from exactdrl.observations.estimates import FRACTIONS, find_settled, tabulate_estimates
from exactdrl.observations.lengths import sum_lengths
from exactdrl.observations.observe import find_brackets
from exactdrl.observations.phases import split_phases
from exactdrl.series.trajectory import follow_trajectory

Result = TypeVar("Result")
SCANNED = 100
LINES = 4


def timed(title: str, pieces: int, unit: str, work: Callable[[], Result]) -> Result:
    """Prints the CPU time of a piece of work and returns its result."""
    begin = time.process_time()
    result = work()
    spent = time.process_time() - begin
    print(f"{title:<44}{spent:9.2f} s {1e3 * spent / max(pieces, 1):10.3f} ms a {unit}", flush=True)
    return result


def main() -> None:
    """Walks, observes, prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=500)
    arguments = parser.parse_args()
    steps, samples = arguments.steps, arguments.samples
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_instance(sample_experiment(samples=samples, seed=1), folder / "a.json")
        instance = read_instance(folder / "a.json")
        timed("the walk itself", steps, "step", partial(record_walk, Walk(instance, max_steps=steps), folder / "a.drl"))
        certificate = read_certificate(folder / "a.drl", instance)
        size = (folder / "a.drl").stat().st_size
    steps = len(certificate.steps)
    problem = IntegerProblem.from_instance(instance)
    trajectory = timed(
        "losses, lengths, distances, exactly", steps, "step", lambda: follow_trajectory(problem, certificate)
    )

    def scanned() -> None:
        for count, arithmetic in enumerate(replay(problem, certificate)):
            arithmetic.loss()
            if count == SCANNED:
                return

    timed("the same losses by scans, some steps", min(SCANNED, steps), "step", scanned)
    gaps = trajectory.gaps
    phases = timed("decay phase", steps, "step", lambda: split_phases(gaps))
    sums = timed("running sums of lengths", steps, "step", lambda: sum_lengths(trajectory.squared_steps, 40, 64))
    timed("three brackets over all steps but the last", steps, "step",
          lambda: find_brackets(trajectory, gaps, sums, 0, steps - 1))  # fmt: skip
    timed("from where on estimates stay close, exactly", steps, "step",
          lambda: [find_settled(trajectory.losses, f, mpq(10)) for f in FRACTIONS])  # fmt: skip
    floats = [to_float(loss) for loss in trajectory.losses]
    timed("estimates at 19 steps, with fits", 19, "row", lambda: tabulate_estimates(trajectory.losses, floats))
    radii = choose_radii(trajectory.squared_distances)
    lines = draw_lines(problem, trajectory, LINES, 0)
    densities = timed("breakpoints along lines", len(lines), "line",
                      lambda: [count_breakpoints(problem, trajectory.last, line, radii) for line in lines])  # fmt: skip
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = sum(density.counts[-1] for density in densities)
    print(f"{steps} steps, N = {samples}; certificate {size / max(steps, 1):.0f} bytes a step; {memory:.0f} MB")
    print(f"decay phase ends at {phases.decay_end}; {found} breakpoints on {len(lines)} lines")


if __name__ == "__main__":
    main()
