"""How a preactivation, a residual or the loss depends on the units of a layer further down, in the cell of the masks.

Coefficients stand in one of the two rows of `coefficients`, with their bounds in the same of `coefficient_bounds`; a
step from layer to layer puts the next ones in the other row, whose number it returns. Bounds: proofs/filter.md, 2.
"""

from exactdrl.arithmetic.float64.marks import compiled
from exactdrl.arithmetic.float64.scan import ROUNDING, TINY, slack
from exactdrl.arithmetic.float64.state import FloatProblem, FloatVertex


@compiled
def start_coefficients(problem: FloatProblem, vertex: FloatVertex, depth: int, unit: int) -> int:
    """Fills in how a unit's preactivation depends on the activations one layer below."""
    for j in range(problem.widths[depth - 1]):
        w = problem.weights[depth, unit, j]
        vertex.coefficients[0, j] = w
        vertex.coefficient_bounds[0, j] = 2.0 * ROUNDING * abs(w)
    return 0


@compiled
def start_loss_coefficients(problem: FloatProblem, vertex: FloatVertex, sample: int) -> int:
    """Fills in how a sample's share of the loss depends on its residuals; rounding as in `pass_units`."""
    top = problem.widths.shape[0] - 1
    for j in range(problem.widths[top]):
        side = 1 if vertex.masks[top, j, sample] != 0.0 else 0
        vertex.coefficients[0, j] = problem.loss_slopes[side, j, sample]
        vertex.coefficient_bounds[0, j] = 0.0
    return 0


@compiled
def pull_back(problem: FloatProblem, vertex: FloatVertex, depth: int, row: int) -> int:
    """Turns coefficients on a layer's preactivations into those on the activations one layer below."""
    other, width = 1 - row, problem.widths[depth]
    k = slack(width)
    for q in range(problem.widths[depth - 1]):
        total, bound = 0.0, 0.0
        for j in range(width):
            c, b = vertex.coefficients[row, j], vertex.coefficient_bounds[row, j]
            if c != 0.0 or b != 0.0:
                w = problem.weights[depth, j, q]
                total += c * w
                bound += abs(w) * (b + k * abs(c))
        vertex.coefficients[other, q] = total
        vertex.coefficient_bounds[other, q] = bound * (1.0 + k) + (TINY if bound > 0.0 else 0.0)
    return other


@compiled
def pass_units(problem: FloatProblem, vertex: FloatVertex, depth: int, sample: int, row: int) -> None:
    """Turns coefficients on a layer's activations into those on its preactivations: each times its unit's slope.

    Twice the rounding of a datum is left to the slack of what is computed next: proofs/filter.md, 2.
    """
    for j in range(problem.widths[depth]):
        slope = problem.slopes[1 if vertex.masks[depth, j, sample] != 0.0 else 0, depth, j]
        vertex.coefficients[row, j] *= slope
        vertex.coefficient_bounds[row, j] *= abs(slope)


@compiled
def slope_change(vertex: FloatVertex, slot: int, difference: float) -> float:
    """Returns what a flip of the kink in a slot adds to the slope of its unit or residual."""
    depth, sample, unit = vertex.kinks[slot, 0], vertex.kinks[slot, 1], vertex.kinks[slot, 2]
    return -difference if vertex.masks[depth, unit, sample] != 0.0 else difference


@compiled
def bound_product(product: float, bound: float, change: float) -> float:
    """Bounds the error of a coefficient times a change of slope, from that of the coefficient."""
    return bound * abs(change) * (1.0 + 8.0 * ROUNDING) + 8.0 * ROUNDING * abs(product) + 2.0**-1000


@compiled
def fold_coefficient(problem: FloatProblem, vertex: FloatVertex, slot: int, deeper: int) -> tuple[float, float]:
    """Returns c with its bound: a flip of the kink in `slot` adds c times its scaled row to that in `deeper`."""
    depth, sample, unit = vertex.kinks[slot, 0], vertex.kinks[slot, 1], vertex.kinks[slot, 2]
    top = vertex.kinks[deeper, 0]
    row = start_coefficients(problem, vertex, top, vertex.kinks[deeper, 2])
    for t in range(top - 1, depth, -1):
        pass_units(problem, vertex, t, sample, row)
        row = pull_back(problem, vertex, t, row)
    ratio = vertex.scales[deeper] / vertex.scales[slot]
    change = slope_change(vertex, slot, problem.slopes[2, depth, unit]) * ratio
    c = vertex.coefficients[row, unit] * change
    return c, bound_product(c, vertex.coefficient_bounds[row, unit], change)


@compiled
def gradient_jump(problem: FloatProblem, vertex: FloatVertex, slot: int) -> tuple[float, float]:
    """Returns γ with its bound, such that a flip of the kink in `slot` adds γ times its scaled row to the gradient."""
    depth, sample, unit = vertex.kinks[slot, 0], vertex.kinks[slot, 1], vertex.kinks[slot, 2]
    top = problem.widths.shape[0] - 1
    if depth == top:
        jump = slope_change(vertex, slot, problem.loss_slopes[2, unit, sample]) / vertex.scales[slot]
        return jump, bound_product(jump, 0.0, 0.0)
    row = start_loss_coefficients(problem, vertex, sample)
    for t in range(top, depth, -1):
        if t < top:
            pass_units(problem, vertex, t, sample, row)
        row = pull_back(problem, vertex, t, row)
    change = slope_change(vertex, slot, problem.slopes[2, depth, unit]) / vertex.scales[slot]
    jump = vertex.coefficients[row, unit] * change
    return jump, bound_product(jump, vertex.coefficient_bounds[row, unit], change)
