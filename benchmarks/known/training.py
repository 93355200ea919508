"""Do trainings end near certified local minima, and are the walk's minima better? The same problems and starts for all.

    python benchmarks/known/training.py docs/known/tables/training.parquet --widths 4,5,4,3,2,1 --samples 100 --seeds 20

For each seed of the published experiment one layer is trained on the absolute loss by stochastic (sub)gradient descent
and by Adam, in float64, with rates that fall to 0 along a cosine. From the end of each training the exact walk goes on
to a proved local minimum. Another walk goes there from the start. Losses are exact, at the floats as they are. At some
epochs the signs of all kinks are decided exactly, which tells how many have changed since the epoch before and how many
cells were seen. Trainings are float computations, and may end elsewhere on another machine. A walk that takes more than
`--seconds` of processor time has a row without its numbers. Seeds come in order, and those that the table has are not
computed again.
"""

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from density import run_limited
from gmpy2 import mpq
from numpy.typing import NDArray

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.scan import scan
from exactdrl.doors.sample import sample_experiment
from exactdrl.exact.linear import to_integers
from exactdrl.exact.rationals import to_float
from exactdrl.minimality.verdict import LocalMinimum, StrictLocalMinimum
from exactdrl.problem.instance import Instance, Matrix
from exactdrl.walks.driver import Walk

Floats = NDArray[np.float64]
METHODS = {"sgd": (1.0, 10.0, 100.0), "adam": (0.3, 1.0, 3.0), "adam, all samples": (0.3, 1.0, 3.0)}
BATCH = 20
# epochs at which cells are looked at: so many at the beginning, and so many at the end
LOOKED = 20
KINDS = {
    "seed": pa.int32(),
    "widths": pa.string(),
    "samples": pa.int32(),
    "method": pa.string(),
    "rate": pa.float64(),
    "epochs": pa.int32(),
    "start_loss": pa.float64(),
    "trained_loss": pa.float64(),
    "walked_loss": pa.float64(),
    "walk_loss": pa.float64(),
    "walk_steps": pa.int32(),
    "more_steps": pa.int32(),
    "distance": pa.float64(),
    "norm": pa.float64(),
    "kinks_between": pa.int32(),
    "kinks": pa.int32(),
    "early_changes": pa.float64(),
    "early_cells": pa.float64(),
    "late_changes": pa.float64(),
    "late_cells": pa.float64(),
    "instance": pa.string(),
}


@dataclass(frozen=True, slots=True)
class Net:
    """An instance in floats.

    Attributes:
        inputs: (N, n_0 + 1), with a 1 appended.
        targets: (N, outputs).
        layers: weight and bias of the layers after the trained first one.
    """

    inputs: Floats
    targets: Floats
    layers: tuple[tuple[Floats, Floats], ...]

    @classmethod
    def of(cls, instance: Instance) -> "Net":
        """Returns the floats nearest to an instance whose first layer is trained."""
        layers = []
        for layer in instance.layers[1:]:
            bias = [mpq(0)] * len(layer.weight) if layer.bias is None else layer.bias
            layers.append((to_array(layer.weight), to_array([bias])[0]))
        inputs = to_array(instance.inputs)
        return cls(np.column_stack([inputs, np.ones(len(inputs))]), to_array(instance.targets), tuple(layers))

    def slope(self, theta: Floats, chosen: NDArray[np.int64]) -> Floats:
        """Returns a subgradient of the mean loss over some samples."""
        inputs = self.inputs[chosen]
        values = [inputs @ theta.T]
        for weight, bias in self.layers:
            values.append(np.maximum(values[-1], 0) @ weight.T + bias)
        back = np.sign(values[-1] - self.targets[chosen])
        for (weight, _), below in zip(reversed(self.layers), reversed(values[:-1]), strict=True):
            back = (back @ weight) * (below > 0)
        found: Floats = back.T @ inputs / len(chosen)
        return found


def to_array(rows: Sequence[Sequence[mpq]]) -> Floats:
    """Returns rationals as floats."""
    return np.array([[to_float(mpq(value)) for value in row] for row in rows])


def descend(net: Net, start: Floats, method: str, rate: float, epochs: int, seed: int) -> Iterator[Floats]:
    """Yields the parameters at the beginning and after each epoch."""
    numbers, theta = np.random.default_rng(seed), start.copy()
    size = len(net.inputs)
    batch = size if method.endswith("all samples") else min(BATCH, size)
    steps, taken = epochs * math.ceil(size / batch), 0
    mean, square = np.zeros_like(theta), np.zeros_like(theta)
    yield theta.copy()
    for _ in range(epochs):
        order = numbers.permutation(size)
        for begin in range(0, size, batch):
            slope = net.slope(theta, order[begin : begin + batch])
            own = rate * (1 + math.cos(math.pi * taken / steps)) / 2
            taken += 1
            if method.startswith("adam"):
                mean, square = 0.9 * mean + 0.1 * slope, 0.999 * square + 0.001 * slope * slope
                slope = mean / (1 - 0.9**taken) / (np.sqrt(square / (1 - 0.999**taken)) + 1e-8)
            theta = theta - own * slope
        yield theta.copy()


def to_point(theta: Floats) -> Matrix:
    """Returns floats as the rationals that they are."""
    return tuple(tuple(mpq(float(value)) for value in row) for row in theta)


def signs_of(problem: IntegerProblem, point: Matrix) -> tuple[int, ...]:
    """Returns the sign of each preactivation and residual at a point. Exact."""
    numerators, denominator = to_integers(problem.to_reduced(point))
    values = scan(problem, numerators, denominator, None)
    return tuple((value > 0) - (value < 0) for layer in values for value in layer)


def find_minimum(instance: Instance) -> dict[str, Any] | None:
    """Returns the loss, the steps and the vertex of the minimum that a walk ends at; None if none is proved."""
    walk = Walk(instance)
    outcome = walk.run()
    if not isinstance(outcome, (LocalMinimum, StrictLocalMinimum)):
        return None
    return {"loss": walk.loss, "steps": walk.steps, "vertex": walk.vertex}


def look(problem: IntegerProblem, points: Sequence[Floats]) -> tuple[float, float]:
    """Returns how many kinks change their sign from one epoch to the next, on average, and cells an epoch."""
    signs = [signs_of(problem, to_point(theta)) for theta in points]
    changes = [sum(a != b for a, b in zip(*pair, strict=True)) for pair in pairwise(signs)]
    return float(np.mean(changes)), (len(set(signs)) - 1) / (len(signs) - 1)


def measure(widths: tuple[int, ...], samples: int, seed: int, epochs: int, seconds: int) -> list[dict[str, Any]]:
    """Returns a seed's rows."""
    instance = sample_experiment(widths, samples=samples, seed=seed)
    net, problem = Net.of(instance), IntegerProblem.from_instance(instance)
    start = to_array(instance.start)
    walk = run_limited(seconds, partial(find_minimum, instance))
    head = {
        "seed": seed,
        "widths": ",".join(map(str, widths)),
        "samples": samples,
        "epochs": epochs,
        "start_loss": to_float(instance.loss_of(instance.start)),
        "walk_loss": None if walk is None else to_float(walk["loss"]),
        "walk_steps": None if walk is None else walk["steps"],
        "instance": instance.digest,
    }
    rows = []
    for method, rate in ((method, rate) for method, rates in METHODS.items() for rate in rates):
        points = list(descend(net, start, method, rate, epochs, seed))
        end = to_point(points[-1])
        row = head | {"method": method, "rate": rate, "trained_loss": to_float(instance.loss_of(end))}
        row["early_changes"], row["early_cells"] = look(problem, points[: LOOKED + 1])
        row["late_changes"], row["late_cells"] = look(problem, points[-LOOKED - 1 :])
        found = run_limited(seconds, partial(find_minimum, instance.with_start(end)))
        if found is not None:
            row |= compare(problem, end, found)
        rows.append(row)
    return rows


def compare(problem: IntegerProblem, end: Matrix, found: dict[str, Any]) -> dict[str, Any]:
    """Returns what lies between a training's end and the minimum that the walk reaches from there."""
    pairs = [pair for rows in zip(end, found["vertex"], strict=True) for pair in zip(*rows, strict=True)]
    one, two = signs_of(problem, end), signs_of(problem, found["vertex"])
    return {
        "walked_loss": to_float(found["loss"]),
        "more_steps": found["steps"],
        "distance": math.sqrt(to_float(sum(((a - b) ** 2 for a, b in pairs), mpq(0)))),
        "norm": math.sqrt(to_float(sum((b * b for _, b in pairs), mpq(0)))),
        # a kink that is met at the vertex is on neither side
        "kinks_between": sum(a * b < 0 for a, b in zip(one, two, strict=True)),
        "kinks": len(one),
    }


def write(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Writes the table."""
    arrays = {name: pa.array([row.get(name) for row in rows], kind) for name, kind in KINDS.items()}
    pq.write_table(pa.table(arrays), path, compression="zstd")


def main() -> None:
    """Parses the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--widths", default="4,5,4,3,2,1")
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=400)
    parser.add_argument("--seconds", type=int, default=10)
    chosen = parser.parse_args()
    rows: list[dict[str, Any]] = pq.read_table(chosen.table).to_pylist() if chosen.table.exists() else []
    done = {(row["seed"], row["widths"], row["samples"]) for row in rows}
    widths = tuple(map(int, chosen.widths.split(",")))
    # compiles, so that the limit is the walk's
    Walk(sample_experiment((2, 3, 1), samples=20, seed=1)).run()
    for seed in range(chosen.seeds):
        if (seed, chosen.widths, chosen.samples) not in done:
            rows += measure(widths, chosen.samples, seed, chosen.epochs, chosen.seconds)
            write(rows, chosen.table)


if __name__ == "__main__":
    main()
