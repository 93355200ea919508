"""Where does gradient descent end that starts near 0? Random data, every end snapped and judged exactly.

    python benchmarks/known/small_start.py docs/known/tables/small_start.parquet --samples 3,5,8 --draws 200

A row of the table is one data set of `hidden_cells.draws`, with one input. Inputs and targets are Gaussian and
multiples of 2^-12, and a number is added to all targets. The network has inner weights on (x, 1), no output bias and
the squared loss. It is trained by gradient descent on all data in float64, from Gaussian weights of a small deviation.
All data sets of one size are trained at once. The end is snapped to an exact stationary point, which is judged in all
parameters. Trainings are float computations, and may end elsewhere on another machine. What is said of an end is exact.
"""

import argparse
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from gmpy2 import mpq
from numpy.typing import NDArray

from exactdrl.constructions.affine_fit import fit_affine
from exactdrl.constructions.snap import Snapped, snap
from exactdrl.exact.rationals import to_float, to_text
from exactdrl.hidden_cells.draws import DataShape, draw_setting
from exactdrl.points.verdict import Minimum, NotMinimum
from exactdrl.problem.instance import Instance
from exactdrl.problem.loss import Loss

Floats = NDArray[np.float64]
GRAIN = 2**12
TOLERANCES = tuple(mpq(1, 10**power) for power in (2, 3, 4, 6))
KINDS = {
    "samples": pa.int16(),
    "draw": pa.int32(),
    "shift": pa.int16(),
    "width": pa.int16(),
    "deviation": pa.float64(),
    "rate": pa.float64(),
    "steps": pa.int32(),
    "slope": pa.float64(),
    "trained_loss": pa.float64(),
    "end": pa.string(),
    "is_affine_fit": pa.bool_(),
    "is_spurious": pa.bool_(),
    "loss": pa.string(),
    "affine_loss": pa.string(),
    "squared_distance": pa.float64(),
}


def draw_data(samples: int, draw: int, shift: int) -> tuple[list[list[mpq]], list[mpq]]:
    """Returns inputs with a 1 appended, and targets to which a number is added."""
    setting = draw_setting(DataShape("gaussian", 1, samples, GRAIN), 1, "squared", draw)
    return [[*map(mpq, row), mpq(1)] for row in setting.inputs], [mpq(y) + shift for y in setting.targets]


def descend(
    inputs: Floats, targets: Floats, *, width: int, deviation: float, rate: float, steps: int
) -> tuple[Floats, Floats, Floats]:
    """Returns inner weights (D, width, 2), outer weights (D, width), and the sizes of the last gradients.

    Args:
        inputs: (D, N, 2), D data sets.
        targets: (D, N).
        width: hidden units.
        deviation: of the Gaussian start.
        rate: of learning, on the mean of squares.
        steps: how many.
    """
    numbers = np.random.default_rng(0)
    inner = numbers.normal(0, deviation, (len(inputs), width, inputs.shape[2]))
    outer = numbers.normal(0, deviation, (len(inputs), width))
    columns, step = np.ascontiguousarray(inputs.transpose(0, 2, 1)), 2 * rate / inputs.shape[1]
    slope = np.full(len(inputs), np.inf)
    for _ in range(steps):
        values = inner @ columns
        active = values > 0
        hidden = values * active
        rest = (outer[:, None, :] @ hidden)[:, 0, :] - targets
        outer_slope = (hidden @ rest[:, :, None])[:, :, 0]
        inner_slope = (active * (outer[:, :, None] * rest[:, None, :])) @ inputs
        outer = outer - step * outer_slope
        inner = inner - step * inner_slope
        slope = np.maximum(np.abs(outer_slope).max(axis=1), np.abs(inner_slope).max(axis=(1, 2)))
    return inner, outer, slope


def judge_end(rows: Sequence[Sequence[mpq]], targets: Sequence[mpq], inner: Floats, outer: Floats) -> dict[str, Any]:
    """Returns what an end is, exactly, after it was snapped."""
    layers = [(inner.tolist(), None), ([outer.tolist()], None)]
    instance = Instance.create(layers, rows, [[y] for y in targets], free="all", loss=Loss.squared())
    found = snap(instance, tolerances=TOLERANCES)
    affine = fit_affine(tuple(tuple(row[:-1]) for row in rows), tuple((y,) for y in targets), "squared").loss
    best = found.best
    judged = None if best is None or not best.is_near else best.judged
    return {
        "trained_loss": to_float(found.trained.loss),
        "end": describe(found),
        "is_affine_fit": None if judged is None else judged.loss == affine,
        # a unit a sample is enough to fit samples with distinct inputs
        "is_spurious": None if judged is None or len(outer) < len(targets) else judged.loss > 0,
        "loss": None if judged is None else to_text(judged.loss),
        "affine_loss": to_text(affine),
        "squared_distance": None if best is None else to_float(best.squared_distance),
    }


def describe(found: Snapped) -> str:
    """Returns what the nearest exact point is, or that none is near."""
    if found.best is None or found.best.judged is None or not found.best.is_near:
        return "none near"
    match found.best.judged.verdict:
        case Minimum():
            return "minimum" if found.best.stays else "minimum, other signs"
        case NotMinimum(is_stationary=True):
            return "saddle"
        case NotMinimum():
            return "slope"
        case _:
            return "undecided"


def run(samples: int, shift: int, draws: Sequence[int], **options: Any) -> list[dict[str, Any]]:
    """Returns the rows of data sets of one size."""
    data = [draw_data(samples, draw, shift) for draw in draws]
    inputs = np.array([[[to_float(x) for x in row] for row in rows] for rows, _ in data])
    targets = np.array([[to_float(y) for y in column] for _, column in data])
    inner, outer, slope = descend(inputs, targets, **options)
    found = []
    for place, draw in enumerate(draws):
        row = {"samples": samples, "shift": shift, "draw": draw, **options, "slope": float(slope[place])}
        found.append(row | judge_end(*data[place], inner[place], outer[place]))
    return found


def write(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Writes the table."""
    arrays = {name: pa.array([row[name] for row in rows], kind) for name, kind in KINDS.items()}
    pq.write_table(pa.table(arrays), path, compression="zstd")


def main() -> None:
    """Parses the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--samples", default="3,5,8")
    parser.add_argument("--shifts", default="0,1,3", help="are added to all targets")
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--width", type=int, default=20)
    parser.add_argument("--deviations", default="1e-4")
    parser.add_argument("--rate", type=float, default=0.01)
    parser.add_argument("--steps", type=int, default=150_000)
    chosen = parser.parse_args()
    rows = []
    for deviation, shift, samples in product(
        *(texts.split(",") for texts in (chosen.deviations, chosen.shifts, chosen.samples))
    ):
        options = {"width": chosen.width, "deviation": float(deviation), "rate": chosen.rate, "steps": chosen.steps}
        rows += run(int(samples), int(shift), range(chosen.draws), **options)
    write(rows, chosen.table)


if __name__ == "__main__":
    main()
