"""Measures a step of the exact arithmetic in milliseconds, and in bytes of its certificate, on the published widths.

The bar is 40 ms at N = 500. Beside it stands a NumPy float64 forward pass over the same data in the same run,
since machines differ.

    python benchmarks/exact_step.py [--steps 300] [--samples 100,500]
"""

import argparse
import tempfile
import time
from pathlib import Path

from forward_pass import forward_pass, seconds_a_call

from exactdrl import Walk, record_walk, sample_experiment


def main() -> None:
    """Prints a line for each number of samples."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--samples", default="100,500")
    arguments = parser.parse_args()
    print(f"{'N':>6} {'phase 1, s':>11} {'ms a step':>10} {'forward, ms':>12} {'ratio':>7} {'bytes a step':>13}")
    for samples in map(int, arguments.samples.split(",")):
        instance = sample_experiment(samples=samples)
        walk = Walk(instance, arithmetic="exact", max_steps=arguments.steps)
        began = time.perf_counter()
        _ = walk.first_vertex
        phase_one = time.perf_counter() - began
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.drl"
            began = time.perf_counter()
            record_walk(walk, path)
            step = (time.perf_counter() - began) / walk.steps
            lines = [line for line in path.read_bytes().splitlines(keepends=True) if b'"flip"' in line]
        forward = seconds_a_call(forward_pass(instance))
        size = sum(map(len, lines)) / len(lines)
        figures = f"{phase_one:11.2f} {step * 1e3:10.2f} {forward * 1e3:12.3f} {step / forward:7.1f} {size:13.1f}"
        print(f"{samples:6d} {figures}")


if __name__ == "__main__":
    main()
