"""The problem's numbers as nearest float64, laid out for scans, where float64's range holds them safely."""

from collections.abc import Sequence

import numpy as np
from gmpy2 import mpq

from exactdrl.arithmetic.float64.scan import TINY, slack
from exactdrl.arithmetic.float64.state import Cube, FloatProblem, Indices, Matrix, Table
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.exact.rationals import to_float_or_infinity
from exactdrl.problem.instance import Instance

# Numbers outside are left to exact arithmetic: within, no product of a scan that matters underflows below TINY or
# overflows unseen. Slopes of activations meet weights, errors and bounds once in every layer: theirs is narrower
RANGE = (2.0**-200, 2.0**200)
SLOPE_RANGE = (2.0**-100, 2.0**100)
# What underflow loses in one layer is multiplied by no more than this in those above
MOST_AMPLIFIED = 2.0**250


def to_float_problem(problem: IntegerProblem) -> FloatProblem | None:
    """Returns the problem in float64.

    None where a number is outside its range, or there are no parameters.
    """
    instance = problem.instance
    if not problem.dimension:
        return None
    pushed = instance.pushed_inputs()
    widest, depths, samples = max(problem.widths), len(problem.widths), problem.samples
    inputs = np.array([[to_float_or_infinity(row[column]) for row in pushed] for column in problem.pivots])
    weights = np.zeros((depths, widest, widest))
    offsets = np.zeros((depths, widest, samples))
    kept: Sequence[int] = problem.reduction.units
    for depth, layer in enumerate(instance.layers[instance.layer :], 1):
        weights[depth, : problem.widths[depth], : problem.widths[depth - 1]] = [
            [to_float_or_infinity(row[unit]) for unit in kept] for row in layer.weight
        ]
        for unit, bias in enumerate(layer.bias or ()):
            offsets[depth, unit] = to_float_or_infinity(bias)
        kept = range(problem.widths[depth])
    last_bias = instance.layers[-1].bias if depths > 1 else None
    for place, output in enumerate(kept):
        bias = last_bias[output] if last_bias is not None else mpq(0)
        offsets[-1, place] = [to_float_or_infinity(bias - target[output]) for target in instance.targets]
    slopes, loss_slopes = read_slopes(problem), read_loss_slopes(instance, kept)
    ranges = ((inputs, RANGE), (weights, RANGE), (offsets, RANGE), (slopes, SLOPE_RANGE), (loss_slopes, RANGE))
    for array, (least, largest) in ranges:
        sizes = np.abs(array[array != 0.0])
        if sizes.size and not (least <= float(sizes.min()) and float(sizes.max()) <= largest):
            return None
    widths = np.array(problem.widths, dtype=np.int64)
    gains, levels, rounding = bound_sizes(widths, len(problem.pivots), weights, offsets, slopes)
    if not amplification(widths, weights, slopes) <= MOST_AMPLIFIED:
        return None
    sizes = np.abs(inputs).sum(axis=0) * (1.0 + slack(len(problem.pivots)))
    bends = problem.addresses.bends[0]
    kinks = np.ones((samples, problem.widths[0])) if bends is None else np.frombuffer(bends, dtype=np.uint8)
    homogeneous = (offsets[0, : problem.widths[0]] == 0.0).all(axis=1)
    own = homogeneous * kinks.reshape(samples, -1).sum(axis=0).astype(np.int64)
    grouped = find_grouped(offsets, has_bias=instance.has_bias)
    scalars, own = np.array([rounding]), own.astype(np.int64)
    return FloatProblem(
        widths, inputs, weights, offsets, slopes, loss_slopes, sizes, gains, levels, scalars, own, grouped
    )


def find_grouped(offsets: Cube, *, has_bias: bool) -> Table:
    """Returns `grouped` of `FloatProblem`.

    Biases of the layers above are the same for all samples; they are a linear function of the inputs if the trained
    layer has one of its own, so that 1 is among them, or if they are 0.
    """
    grouped = np.zeros(offsets.shape[:2], dtype=np.int64)
    for depth in range(1, len(offsets) - 1):
        grouped[depth] = has_bias or not offsets[1 : depth + 1].any()
    return grouped


def read_slopes(problem: IntegerProblem) -> Cube:
    """Returns `slopes` of `FloatProblem`."""
    slopes = np.zeros((3, len(problem.widths), max(problem.widths)))
    kept: Sequence[int] = problem.reduction.units
    for depth, layer in enumerate(problem.instance.layers[problem.first - 1 : -1]):
        for place, unit in enumerate(kept):
            slopes[:, depth, place] = to_slopes(layer.activations[unit].below, layer.activations[unit].above)
        kept = range(problem.widths[depth + 1])
    return slopes


def read_loss_slopes(instance: Instance, outputs: Sequence[int]) -> Cube:
    """Returns `loss_slopes` of `FloatProblem`, for the outputs that remain."""
    slopes = np.zeros((3, len(outputs), len(instance.targets)))
    known: dict[tuple[mpq, mpq], tuple[float, float, float]] = {}
    for sample in range(len(instance.targets)):
        pairs = instance.entry_slopes(sample)
        for place, output in enumerate(outputs):
            pair = pairs[output]
            if pair not in known:
                known[pair] = to_slopes(*pair)
            slopes[:, place, sample] = known[pair]
    return slopes


def to_slopes(below: mpq, above: mpq) -> tuple[float, float, float]:
    """Returns two slopes and the second minus the first, each the nearest float64 of the exact number."""
    return to_float_or_infinity(below), to_float_or_infinity(above), to_float_or_infinity(above - below)


def bound_sizes(widths: Indices, rank: int, weights: Cube, offsets: Cube, slopes: Cube) -> tuple[Matrix, Matrix, float]:
    """Returns G, B and K of `FloatProblem`, rounded up; proofs/filter.md, 5."""
    gains, levels = np.zeros(offsets.shape[:2]), np.zeros(offsets.shape[:2])
    steepest = np.abs(slopes[:2]).max(axis=0)
    rounding = slack(rank)
    for depth, width in enumerate(widths.tolist()):
        levels[depth, :width] = np.abs(offsets[depth, :width]).max(axis=1)
        if depth == 0:
            gains[0, :width] = 1.0
        else:
            below = int(widths[depth - 1])
            matrix = np.abs(weights[depth, :width, :below]) * steepest[depth - 1, :below]
            # what underflows here might be multiplied up again
            gains[depth, :width] = np.maximum(matrix @ gains[depth - 1, :below], TINY)
            levels[depth, :width] += np.maximum(matrix @ levels[depth - 1, :below], TINY)
            rounding += slack(below)
    above = 1.0 + rounding
    return gains * above, levels * above, 2.0 * rounding


def amplification(widths: Indices, weights: Cube, slopes: Cube) -> float:
    """Returns by how much, at most about, the layers above any one multiply the size of its activations."""
    product = 1.0
    for depth in range(1, len(widths)):
        below = int(widths[depth - 1])
        steepest = np.maximum(np.abs(slopes[:2, depth - 1, :below]).max(axis=0), 1.0)
        sums = np.abs(weights[depth, : widths[depth], :below]) @ steepest
        product *= max(1.0, float(sums.max()))
    return product
