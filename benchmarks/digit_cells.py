"""Looks for genuine minima in hidden cells of the digits (1,797 images, 8 x 8 pixels), and in cells of a training.

    python benchmarks/digit_cells.py start cells.csv --units 1,2,4,8 --draws 20
    python benchmarks/digit_cells.py train visits.csv --units 1,2,4,8 --seeds 3 --steps 2000

`start` draws random weights as Liu (arXiv:2006.09192) did, and decides the hidden cells in which they lie, exactly.
`train` makes gradient descent in float64. The hidden cell at every step is exact, and the last one is decided. Rows
that the file has already are not computed again. Inputs are the pixels, 0 to 16, and a 1. There is one output without
bias. The target is 1 for one digit and 0 for the others, or the digit's value.
"""

import argparse
import csv
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from exactdrl.hidden_cells.large import EmptyCell, GenuineCell, LargeData, LargeVerdict, exact_pattern

START = ("units", "target", "draw", "verdict", "detail", "seconds")
TRAIN = (
    *("units", "target", "seed", "rate", "steps", "loss_start", "loss_end", "cells", "left_start_at"),
    *("longest_stay", "steps_in_last", "bits_changed", "dead", "verdict", "detail", "seconds_judge"),
)


def load(target: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns the inputs with a 1 appended, and the targets."""
    pixels, digits = load_digits(return_X_y=True)
    inputs = np.hstack([pixels.astype(np.int64), np.ones((len(pixels), 1), np.int64)])
    values = digits if target == "value" else digits == int(target)
    return inputs, values.astype(np.int64)


def describe(verdict: LargeVerdict) -> tuple[str, str]:
    """Returns a verdict's name and detail."""
    match verdict:
        case GenuineCell(signs):
            return "genuine", signs
        case EmptyCell(unit, samples):
            return "none", f"unit {unit} fails on samples {samples[0]} and {samples[1]}"
        case _:
            return "undecided", f"freedom {verdict.freedom}"


def rows_of(path: Path, columns: tuple[str, ...], keys: int) -> set[tuple[str, ...]]:
    """Returns the keys of the rows that a table has; makes the table if it is new."""
    if not path.exists():
        path.write_text(",".join(columns) + "\n", encoding="ascii")
    with path.open(encoding="ascii") as stream:
        return {tuple(row[:keys]) for row in csv.reader(stream)}


def append(path: Path, row: tuple[object, ...]) -> None:
    """Appends a row."""
    with path.open("a", encoding="ascii", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerow(row)


def draw_patterns(inputs: NDArray[np.int64], units: int, random: np.random.Generator) -> list[NDArray[np.bool_]]:
    """Returns patterns of Gaussian weights; weights with a preactivation 0 are drawn again."""
    found: list[NDArray[np.bool_]] = []
    while len(found) < units:
        signs = exact_pattern(inputs, random.standard_normal((1, inputs.shape[1]))[0])
        if signs.all():
            found.append(signs > 0)
    return found


def run_start(path: Path, target: str, units: list[int], draws: int) -> None:
    """Decides cells of random weights."""
    inputs, targets = load(target)
    data, done = LargeData(inputs, targets), rows_of(path, START, 3)
    for count in units:
        for draw in range(draws):
            if (str(count), target, str(draw)) in done:
                continue
            patterns = draw_patterns(inputs, count, np.random.default_rng([count, draw]))
            began = time.process_time()
            verdict = data.decide(patterns)
            append(path, (count, target, draw, *describe(verdict), round(time.process_time() - began, 3)))


def descend(
    inputs: NDArray[np.float64], targets: NDArray[np.float64], units: int, rate: float, seed: int
) -> Iterator[tuple[NDArray[np.float64], float]]:
    """Yields inner weights and the mean of squares along gradient descent on it, from the usual random start."""
    random, (count, size) = np.random.default_rng(seed), inputs.shape
    weights = random.standard_normal((units, size)) * np.sqrt(2 / size)
    outer = random.standard_normal(units) / np.sqrt(units)
    while True:
        hidden = np.maximum(inputs @ weights.T, 0)
        residuals = hidden @ outer - targets
        yield weights, float(residuals @ residuals) / count
        slopes = np.outer(residuals, outer) * (hidden > 0)
        outer = outer - rate * 2 / count * hidden.T @ residuals
        weights = weights - rate * 2 / count * slopes.T @ inputs


def run_train(path: Path, target: str, units: list[int], seeds: int, steps: int, rate: float) -> None:
    """Follows gradient descent from cell to cell."""
    inputs, targets = load(target)
    # pixels / 16 and the 1: the same cells as of the pixels with weights / 16, exactly
    scaled = inputs / np.array([16.0] * (inputs.shape[1] - 1) + [1.0])
    integers = np.hstack([inputs[:, :-1], 16 * inputs[:, -1:]])
    data, done = LargeData(inputs, targets), rows_of(path, TRAIN, 5)
    for count in units:
        for seed in range(seeds):
            key = (count, target, seed, rate, steps)
            if tuple(map(str, key)) in done:
                continue
            stays, first_left, losses = [0], -1, []
            before = start = None
            for step, (weights, loss) in enumerate(descend(scaled, targets.astype(float), count, rate, seed)):
                signs = np.array([exact_pattern(integers, row) for row in weights])
                losses.append(loss)
                if before is not None and not np.array_equal(signs, before):
                    stays.append(0)
                    first_left = step if first_left < 0 else first_left
                start = signs if start is None else start
                stays[-1] += 1
                before = signs
                if step == steps:
                    break
            if before is None or start is None:
                return
            began = time.process_time()
            on = [row > 0 for row in before]
            verdict = ("undecided", "a preactivation is 0") if not before.all() else describe(data.decide(on))
            changed, dead = int((before != start).sum()), sum(not row.any() for row in on)
            tail = (*verdict, round(time.process_time() - began, 3))
            append(
                path, (*key, losses[0], losses[-1], len(stays), first_left, max(stays), stays[-1], changed, dead, *tail)
            )


def main() -> None:
    """Parses the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["start", "train"])
    parser.add_argument("table", type=Path)
    parser.add_argument("--target", default="3", help="a digit, or `value`")
    parser.add_argument("--units", default="1,2,3,4,5,6,7,8")
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=0.05)
    chosen = parser.parse_args()
    units = [int(part) for part in chosen.units.split(",")]
    if chosen.what == "start":
        run_start(chosen.table, chosen.target, units, chosen.draws)
    else:
        run_train(chosen.table, chosen.target, units, chosen.seeds, chosen.steps, chosen.rate)


if __name__ == "__main__":
    main()
