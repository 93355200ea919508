"""The scans of scan.py on NumPy arrays, for where there is no compiled kernel: the kernel's other modules import them.

The compiled kernel has the loops of scan.py in their place. NumPy and BLAS may add in any order, and the error bounds
hold for every order.
"""

import numpy as np

from exactdrl.arithmetic.float64.scan import BLOCK, TINY, slack
from exactdrl.arithmetic.float64.state import Cube, FloatProblem, FloatVertex, Matrix


def slopes_at(slopes: Cube, masks: Cube, depth: int, width: int) -> Matrix:
    """Returns (width, N), the slopes of a layer's activations on the sides of the masks."""
    off, on = slopes[0, depth, :width, None], slopes[1, depth, :width, None]
    return np.where(masks[depth, :width] != 0.0, on, off)


def scan_values(problem: FloatProblem, vertex: FloatVertex) -> None:
    """Computes the values of all kinks at θ, with bounds on their errors."""
    active, rank = problem.inputs, problem.inputs.shape[0]
    spread = np.abs(active)
    for depth, width in enumerate(problem.widths.tolist()):
        k = slack(active.shape[0])
        if depth == 0:
            matrix = vertex.theta.reshape(width, rank)
            sizes = vertex.theta_errors.reshape(width, rank) + k * np.abs(matrix)
        else:
            matrix = problem.weights[depth, :width, : active.shape[0]]
            sizes = np.abs(matrix)
        own = problem.offsets[depth, :width]
        values = matrix @ active + own
        bound = sizes @ spread + k * np.abs(own)
        errors = bound * (1.0 + k) + np.where(bound > 0.0, TINY, 0.0)
        vertex.values[depth, :width], vertex.errors[depth, :width] = values, errors
        passing = slopes_at(problem.slopes, vertex.masks, depth, width)
        active, spread = passing * values, np.abs(passing) * (errors + slack(width) * np.abs(values))


def scan_rates(problem: FloatProblem, vertex: FloatVertex) -> tuple[int, int, int]:
    """Fills in the rates along the direction; returns depth, unit and sample of the kink met first, -1 for none."""
    active = problem.inputs
    for depth, width in enumerate(problem.widths.tolist()):
        matrix = problem.weights[depth, :width, : active.shape[0]]
        if depth == 0:
            matrix = vertex.direction.reshape(width, active.shape[0])
        r = vertex.rates[depth, :width]
        r[:] = matrix @ active
        active = slopes_at(problem.slopes, vertex.masks, depth, width) * r
    return nearest_kink(problem, vertex)


def nearest_kink(problem: FloatProblem, vertex: FloatVertex) -> tuple[int, int, int]:
    """Returns depth, unit and sample of the kink that is met first by the rates that are there, -1 for none."""
    nearest, found = 0.0, (-1, -1, -1)
    for depth, width in enumerate(problem.widths.tolist()):
        r, z = vertex.rates[depth, :width], vertex.values[depth, :width]
        with np.errstate(all="ignore"):
            closeness = np.where(z * r < 0.0, -r / z, 0.0)
        unit, sample = divmod(int(np.argmax(closeness)), z.shape[1])
        if closeness[unit, sample] > nearest:
            nearest, found = float(closeness[unit, sample]), (depth, unit, sample)
    return found


def move_values(
    problem: FloatProblem, vertex: FloatVertex, distance: float, spread: float, share: float, lost: float
) -> int:
    """Goes a distance along the rates; returns how many values have not certainly the sign of their side."""
    unsure = 0
    for depth, width in enumerate(problem.widths.tolist()):
        z = vertex.values[depth, :width]
        z += distance * vertex.rates[depth, :width]
        levels = share * problem.levels[depth, :width, None] + lost
        bounds = spread * problem.gains[depth, :width, None] * problem.sizes + levels
        unsure += int(np.count_nonzero(~((2.0 * vertex.masks[depth, :width] - 1.0) * z > bounds)))
    return unsure


def count_unsure(problem: FloatProblem, vertex: FloatVertex) -> int:
    """Returns how many values have not certainly the sign of their side, by the bounds in `errors`."""
    unsure = 0
    for depth, width in enumerate(problem.widths.tolist()):
        z, e, m = (array[depth, :width] for array in (vertex.values, vertex.errors, vertex.masks))
        unsure += int(np.count_nonzero(~(((2.0 * m - 1.0) * z > e) | ((e == 0.0) & (z == 0.0)))))
    return unsure


def set_defect(vertex: FloatVertex) -> None:
    """Computes I - A R, with partial sums of BLOCK terms, which BLAS may add in any order."""
    n = vertex.matrix.shape[0]
    vertex.defect[:] = np.eye(n)
    for low in range(0, n, BLOCK):
        vertex.defect[:] -= vertex.matrix[:, low : low + BLOCK] @ vertex.inverse[low : low + BLOCK]
