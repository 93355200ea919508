"""The problem's numbers as nearest float64, laid out for scans, where float64's range holds them safely."""

from typing import NamedTuple

import numpy as np
from gmpy2 import mpq

from exactdrl.arithmetic.float64.scan import Floats, Integers, slack
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.exact.rationals import to_float_or_infinity

# Numbers outside are left to exact arithmetic: within, no product of a scan that matters underflows below TINY or
# overflows unseen
RANGE = (2.0**-200, 2.0**200)


class FloatProblem(NamedTuple):
    """Data for the kernel; every number is the nearest float64 of the exact one, so its relative error is at most u.

    Attributes:
        widths: n_ℓ..n_{L+1}.
        inputs: (r, N), the pivot columns of x̃.
        weights: (depths, width, width), `weights[depth, unit, below]`, depth 0 unused, filled up with zeros.
        offsets: (depths, width, N), biases, in the last layer minus the targets.
        sizes: (N,), at least Σ|x̃| of each sample.
        gains: (depths, width), G: a unit's preactivation changes by at most G · size · |Δθ|, whatever is on.
        levels: (depths, width), B: at θ it is at most G · size · |θ| + B.
        rounding: (1,), K: rounding in a scan is at most K times these.
        homogeneous: (n_ℓ,), 1 where nothing is added to a unit of the trained layer: its kinks vanish at 0.
    """

    widths: Integers
    inputs: Floats
    weights: Floats
    offsets: Floats
    sizes: Floats
    gains: Floats
    levels: Floats
    rounding: Floats
    homogeneous: Integers


def to_float_problem(problem: IntegerProblem) -> FloatProblem | None:
    """Returns the problem in float64; None where a number but 0 is outside RANGE, or there are no parameters."""
    instance = problem.instance
    if not problem.dimension or not problem.is_plain:
        return None
    pushed = instance.pushed_inputs()
    widest, depths, samples = max(problem.widths), len(problem.widths), problem.samples
    inputs = np.array([[to_float_or_infinity(row[column]) for row in pushed] for column in problem.pivots])
    weights = np.zeros((depths, widest, widest))
    offsets = np.zeros((depths, widest, samples))
    for depth, layer in enumerate(instance.layers[instance.layer :], 1):
        weights[depth, : problem.widths[depth], : problem.widths[depth - 1]] = [
            [to_float_or_infinity(w) for w in row] for row in layer.weight
        ]
        for unit, bias in enumerate(layer.bias or ()):
            offsets[depth, unit] = to_float_or_infinity(bias)
    last_bias = instance.layers[-1].bias if depths > 1 else None
    for unit in range(problem.widths[-1]):
        bias = last_bias[unit] if last_bias is not None else mpq(0)
        offsets[-1, unit] = [to_float_or_infinity(bias - target[unit]) for target in instance.targets]
    for array in (inputs, weights, offsets):
        sizes = np.abs(array[array != 0.0])
        if sizes.size and not (RANGE[0] <= float(sizes.min()) and float(sizes.max()) <= RANGE[1]):
            return None
    widths = np.array(problem.widths, dtype=np.int64)
    gains, levels, rounding = bound_sizes(widths, len(problem.pivots), weights, offsets)
    sizes = np.abs(inputs).sum(axis=0) * (1.0 + slack(len(problem.pivots)))
    homogeneous = (offsets[0, : problem.widths[0]] == 0.0).all(axis=1).astype(np.int64)
    return FloatProblem(widths, inputs, weights, offsets, sizes, gains, levels, np.array([rounding]), homogeneous)


def bound_sizes(widths: Integers, rank: int, weights: Floats, offsets: Floats) -> tuple[Floats, Floats, float]:
    """Returns G, B and K of `FloatProblem`, rounded up; proofs/filter.md, 5."""
    gains, levels = np.zeros(offsets.shape[:2]), np.zeros(offsets.shape[:2])
    rounding = slack(rank)
    for depth, width in enumerate(widths.tolist()):
        levels[depth, :width] = np.abs(offsets[depth, :width]).max(axis=1)
        if depth == 0:
            gains[0, :width] = 1.0
        else:
            below = int(widths[depth - 1])
            matrix = np.abs(weights[depth, :width, :below])
            gains[depth, :width] = matrix @ gains[depth - 1, :below]
            levels[depth, :width] += matrix @ levels[depth - 1, :below]
            rounding += slack(below)
    above = 1.0 + rounding
    return gains * above, levels * above, 2.0 * rounding
