"""A vertex in float64 with rigorous bounds: rows, enclosed inverse, gradient, point; what flips and pivots change.

Everything that decides carries a bound on its error. The inverse R encloses the exact one by |I - A R| ≤ x yᵀ, entry by
entry, with levels x of rows and y of columns. Theorem and proof: proofs/filter.md, whose numbers the comments give.
"""

from typing import NamedTuple

import numpy as np

from exactdrl.arithmetic.compiling import compiled, inlined
from exactdrl.arithmetic.float64.problem import FloatProblem
from exactdrl.arithmetic.float64.scan import (
    BLOCK,
    Floats,
    Integers,
    count_unsure,
    identity_defect,
    move_values,
    scan_rates,
    scan_values,
    slack,
    slopes_at,
)
from exactdrl.cells.kinks import Pattern

# The inverse is given up as an enclosure above this, and polished by a Newton step above the second
LARGEST_DEFECT = 2.0**-10
POLISHED_DEFECT = 2.0**-24
# Rows, inverse and point beyond these are left to exact arithmetic, so that underflow stays below TINY
LARGEST = 2.0**200
# Flips until the gradient is computed anew, its accumulated rounding with it
FLIPS_A_GRADIENT = 512
# Steps until the values are computed anew
STEPS_A_SCAN = 64
# Places in `scalars`: ε ≥ x · y; flips since the gradient was computed; the largest condition met; bounds on the error
# of every component of θ, and of every value: spread · gain · size + share · level + lost; steps since values were
# computed
EPSILON, FLIPS, CONDITION, POINT_ERROR, SPREAD, SHARE, AGE = range(7)
# Signs of slopes and steepest edges that were decided, for the record
SIGNS, STEEPEST_EDGES = 7, 8
LOST = 9


class FloatVertex(NamedTuple):
    """State of the kernel; arrays are changed in place.

    Attributes:
        masks: (depths, width, N), 1.0 where the pattern is on.
        values: (depths, width, N), of the kinks at the vertex; 0 for those of the basis, ∞ for what is no kink.
        errors: their bounds, where `settle` has computed them.
        rates: (depths, width, N), working space.
        active: (width, N), working space.
        magnitudes: (width, N), working space.
        kinks: (n, 3), depth, sample, unit of the kink in each slot.
        order: slots in order of entry.
        matrix: (n, n), the rows A, each scaled by a power of two, to entries of at most 1 when the kink enters.
        columns: (n, n), the same transposed.
        row_errors: bounds on the sums of the rows' entries' errors, beyond 8 u of each entry, which `slack` covers.
        row_sums: bounds on the sums of the computed entries' sizes.
        scales: the powers of two.
        right: b, so that A θ = b.
        right_errors: their bounds.
        inverse: (n, n), R.
        column_sizes: the largest size of an entry in each column of R.
        row_levels: x, at least the exact rows' sums of sizes.
        column_levels: y.
        column_errors: bounds on the error of each entry of a column of R, where `check_inverse` has computed them.
        defect: (n, n), I - A R as last computed.
        gradient: of the loss.
        gradient_errors: their bounds.
        theta: the point.
        theta_errors: their bounds.
        zero_units: (n_ℓ,), 1 for units whose parameters are 0: their kinks all vanish, and rest while the basis keeps
            its own of them.
        scalars: numbers, by the places below.
    """

    masks: Floats
    values: Floats
    errors: Floats
    rates: Floats
    active: Floats
    magnitudes: Floats
    kinks: Integers
    order: Integers
    matrix: Floats
    columns: Floats
    row_errors: Floats
    row_sums: Floats
    scales: Floats
    right: Floats
    right_errors: Floats
    inverse: Floats
    column_sizes: Floats
    row_levels: Floats
    column_levels: Floats
    column_errors: Floats
    defect: Floats
    gradient: Floats
    gradient_errors: Floats
    theta: Floats
    theta_errors: Floats
    zero_units: Integers
    scalars: Floats


def empty_vertex(problem: FloatProblem) -> FloatVertex:
    """Returns a vertex with room for a problem's."""
    depths, width, samples = problem.offsets.shape
    n = int(problem.widths[0]) * problem.inputs.shape[0]
    cube, square = (depths, width, samples), (n, n)
    return FloatVertex(
        masks=np.zeros(cube),
        values=np.zeros(cube),
        errors=np.zeros(cube),
        rates=np.zeros(cube),
        active=np.zeros((width, samples)),
        magnitudes=np.zeros((width, samples)),
        kinks=np.zeros((n, 3), dtype=np.int64),
        order=np.arange(n),
        matrix=np.zeros(square),
        columns=np.zeros(square),
        row_errors=np.zeros(n),
        row_sums=np.zeros(n),
        scales=np.ones(n),
        right=np.zeros(n),
        right_errors=np.zeros(n),
        inverse=np.zeros(square),
        column_sizes=np.zeros(n),
        row_levels=np.zeros(n),
        column_levels=np.zeros(n),
        column_errors=np.zeros(n),
        defect=np.zeros(square),
        gradient=np.zeros(n),
        gradient_errors=np.zeros(n),
        theta=np.zeros(n),
        theta_errors=np.zeros(n),
        zero_units=np.zeros(int(problem.widths[0]), dtype=np.int64),
        scalars=np.zeros(10),
    )


def set_masks(vertex: FloatVertex, pattern: Pattern) -> None:
    """Puts a pattern's bits into the masks."""
    for depth, (bits, width) in enumerate(zip(pattern.bits, pattern.widths, strict=True)):
        vertex.masks[depth, :width] = np.frombuffer(bits, dtype=np.uint8).reshape(pattern.samples, width).T


def approximate_inverse(vertex: FloatVertex) -> bool:
    """Sets R by NumPy, an approximation that is still to be enclosed; False if there is none."""
    try:
        vertex.inverse[:] = np.linalg.inv(vertex.matrix)
    except np.linalg.LinAlgError:
        return False
    return bool(np.isfinite(vertex.inverse).all())


def estimate_loss(problem: FloatProblem, vertex: FloatVertex) -> float:
    """Returns about the loss at the vertex, for display."""
    active, values = problem.inputs, problem.inputs
    top = len(problem.widths) - 1
    for depth, width in enumerate(problem.widths.tolist()):
        shape = (width, problem.inputs.shape[0])
        matrix = problem.weights[depth, :width, : len(active)] if depth else vertex.theta.reshape(shape)
        values = matrix @ active + problem.offsets[depth, :width]
        active = slopes_at(problem.slopes, vertex.masks, depth, width) * values
    slopes = np.where(vertex.masks[top, : len(values)] != 0.0, problem.loss_slopes[1], problem.loss_slopes[0])
    return float((slopes * values).sum())


@compiled
def pull_back(
    problem: FloatProblem, depth: int, coefficients: Floats, bounds: Floats, below: Floats, below_bounds: Floats
) -> None:
    """Fills `below` with coefficients on layer depth-1's activations, from those on layer `depth`'s, with bounds."""
    width = problem.widths[depth]
    k = slack(width)
    for q in range(problem.widths[depth - 1]):
        total, bound = 0.0, 0.0
        for j in range(width):
            c = coefficients[j]
            if c != 0.0 or bounds[j] != 0.0:
                w = problem.weights[depth, j, q]
                total += c * w
                bound += abs(w) * (bounds[j] + k * abs(c))
        below[q] = total
        below_bounds[q] = bound * (1.0 + k) + (2.0**-700 if bound > 0.0 else 0.0)


@compiled
def start_coefficients(problem: FloatProblem, depth: int, unit: int, coefficients: Floats, bounds: Floats) -> None:
    """Fills in how a unit's preactivation depends on the activations one layer below, with bounds."""
    for j in range(problem.widths[depth - 1]):
        w = problem.weights[depth, unit, j]
        coefficients[j] = w
        bounds[j] = 2.0 * 2.0**-53 * abs(w)


@compiled
def pass_units(
    problem: FloatProblem, vertex: FloatVertex, depth: int, sample: int, coefficients: Floats, bounds: Floats
) -> None:
    """Turns coefficients on a layer's activations into those on its preactivations: each times its unit's slope.

    Twice the rounding of a datum is left to the slack of what is computed next: proofs/filter.md, 2.
    """
    for j in range(problem.widths[depth]):
        slope = problem.slopes[1 if vertex.masks[depth, j, sample] != 0.0 else 0, depth, j]
        coefficients[j] *= slope
        bounds[j] *= abs(slope)


@compiled
def set_loss_coefficients(
    problem: FloatProblem, vertex: FloatVertex, sample: int, coefficients: Floats, bounds: Floats
) -> None:
    """Fills in how a sample's share of the loss depends on its residuals; rounding as in `pass_units`."""
    top = len(problem.widths) - 1
    for j in range(problem.widths[top]):
        coefficients[j] = problem.loss_slopes[1 if vertex.masks[top, j, sample] != 0.0 else 0, j, sample]
        bounds[j] = 0.0


@compiled
def set_row(
    problem: FloatProblem, vertex: FloatVertex, slot: int, depth: int, sample: int, unit: int, fresh: bool
) -> bool:
    """Computes the row and right side of the kink in a slot, in the cell of the masks; False if float64 cannot hold it.

    Bounds: proofs/filter.md, 3. With `fresh` the row gets a new scale, else the slot's.
    """
    widest = problem.weights.shape[1]
    width, rank = problem.widths[0], problem.inputs.shape[0]
    coefficients, bounds = np.zeros(widest), np.zeros(widest)
    below, below_bounds = np.zeros(widest), np.zeros(widest)
    offset = problem.offsets[depth, unit, sample]
    size, bound, terms = abs(offset), 0.0, 1
    if depth == 0:
        coefficients[unit] = 1.0
    else:
        start_coefficients(problem, depth, unit, coefficients, bounds)
        for t in range(depth - 1, -1, -1):
            pass_units(problem, vertex, t, sample, coefficients, bounds)
            terms += problem.widths[t]
            for j in range(problem.widths[t]):
                o = problem.offsets[t, j, sample]
                if o != 0.0:
                    offset += coefficients[j] * o
                    size += abs(coefficients[j] * o)
                    bound += bounds[j] * abs(o)
            if t > 0:
                pull_back(problem, t, coefficients, bounds, below, below_bounds)
                coefficients, below = below, coefficients
                bounds, below_bounds = below_bounds, bounds
    row = vertex.matrix[slot]
    largest, error, total = 0.0, 0.0, 0.0
    for j in range(width):
        for p in range(rank):
            x = problem.inputs[p, sample]
            entry = coefficients[j] * x
            row[j * rank + p] = entry
            largest = max(largest, abs(entry))
            total += abs(entry)
            error += bounds[j] * abs(x)
    if not (2.0**-250 <= largest <= 2.0**250):
        return False
    if fresh:
        vertex.scales[slot] = 2.0 ** -np.ceil(np.log2(largest))
    scale = vertex.scales[slot]
    if not (2.0**-250 <= largest * scale <= 2.0**250):
        return False
    for j in range(width * rank):
        row[j] *= scale
        vertex.columns[j, slot] = row[j]
    k = slack(terms + width * rank)
    vertex.row_errors[slot] = error * scale * (1.0 + k) + 2.0**-700
    vertex.row_sums[slot] = total * scale * (1.0 + k)
    vertex.right[slot] = -offset * scale
    vertex.right_errors[slot] = (bound + k * size) * scale * (1.0 + k) + 2.0**-700
    return True


@compiled
def fold_coefficient(problem: FloatProblem, vertex: FloatVertex, slot: int, deeper: int) -> tuple[float, float]:
    """Returns c with its bound: a flip of the kink in `slot` adds c times its scaled row to that in `deeper`."""
    widest = problem.weights.shape[1]
    depth, sample, unit = vertex.kinks[slot, 0], vertex.kinks[slot, 1], vertex.kinks[slot, 2]
    coefficients, bounds = np.zeros(widest), np.zeros(widest)
    below, below_bounds = np.zeros(widest), np.zeros(widest)
    top = vertex.kinks[deeper, 0]
    start_coefficients(problem, top, vertex.kinks[deeper, 2], coefficients, bounds)
    for t in range(top - 1, depth, -1):
        pass_units(problem, vertex, t, sample, coefficients, bounds)
        pull_back(problem, t, coefficients, bounds, below, below_bounds)
        coefficients, below = below, coefficients
        bounds, below_bounds = below_bounds, bounds
    ratio = vertex.scales[deeper] / vertex.scales[slot]
    change = slope_change(vertex, slot, problem.slopes[2, depth, unit]) * ratio
    c = coefficients[unit] * change
    return c, bound_product(c, bounds[unit], change)


@inlined
def slope_change(vertex: FloatVertex, slot: int, difference: float) -> float:
    """Returns what a flip of the kink in a slot adds to the slope of its unit or residual."""
    depth, sample, unit = vertex.kinks[slot, 0], vertex.kinks[slot, 1], vertex.kinks[slot, 2]
    return -difference if vertex.masks[depth, unit, sample] != 0.0 else difference


@inlined
def bound_product(product: float, bound: float, change: float) -> float:
    """Bounds the error of a coefficient times a change of slope, from that of the coefficient."""
    return bound * abs(change) * (1.0 + 8.0 * 2.0**-53) + 8.0 * 2.0**-53 * abs(product) + 2.0**-1000


@compiled
def gradient_jump(problem: FloatProblem, vertex: FloatVertex, slot: int) -> tuple[float, float]:
    """Returns γ with its bound, such that a flip of the kink in `slot` adds γ times its scaled row to the gradient."""
    widest = problem.weights.shape[1]
    depth, sample, unit = vertex.kinks[slot, 0], vertex.kinks[slot, 1], vertex.kinks[slot, 2]
    top = len(problem.widths) - 1
    if depth == top:
        jump = slope_change(vertex, slot, problem.loss_slopes[2, unit, sample]) / vertex.scales[slot]
        return jump, bound_product(jump, 0.0, 0.0)
    coefficients, bounds = np.zeros(widest), np.zeros(widest)
    below, below_bounds = np.zeros(widest), np.zeros(widest)
    set_loss_coefficients(problem, vertex, sample, coefficients, bounds)
    for t in range(top, depth, -1):
        if t < top:
            pass_units(problem, vertex, t, sample, coefficients, bounds)
        pull_back(problem, t, coefficients, bounds, below, below_bounds)
        coefficients, below = below, coefficients
        bounds, below_bounds = below_bounds, bounds
    change = slope_change(vertex, slot, problem.slopes[2, depth, unit]) / vertex.scales[slot]
    jump = coefficients[unit] * change
    return jump, bound_product(jump, bounds[unit], change)


@compiled
def set_gradient(problem: FloatProblem, vertex: FloatVertex) -> None:
    """Computes the gradient in the cell of the masks anew, with bounds."""
    widest = problem.weights.shape[1]
    width, rank, samples = problem.widths[0], problem.inputs.shape[0], problem.inputs.shape[1]
    top = len(problem.widths) - 1
    n = width * rank
    sizes = np.zeros(n)
    for j in range(n):
        vertex.gradient[j] = 0.0
        vertex.gradient_errors[j] = 0.0
    coefficients, bounds = np.zeros(widest), np.zeros(widest)
    below, below_bounds = np.zeros(widest), np.zeros(widest)
    for i in range(samples):
        set_loss_coefficients(problem, vertex, i, coefficients, bounds)
        for t in range(top, 0, -1):
            pull_back(problem, t, coefficients, bounds, below, below_bounds)
            coefficients, below = below, coefficients
            bounds, below_bounds = below_bounds, bounds
            pass_units(problem, vertex, t - 1, i, coefficients, bounds)
        for j in range(width):
            c = coefficients[j]
            if c != 0.0 or bounds[j] != 0.0:
                for p in range(rank):
                    x = problem.inputs[p, i]
                    vertex.gradient[j * rank + p] += c * x
                    sizes[j * rank + p] += abs(c * x)
                    vertex.gradient_errors[j * rank + p] += bounds[j] * abs(x)
    k = slack(samples)
    for j in range(n):
        vertex.gradient_errors[j] = (vertex.gradient_errors[j] + k * sizes[j]) * (1.0 + k) + 2.0**-700
    vertex.scalars[FLIPS] = 0.0


@compiled
def polish(inverse: Floats, defect: Floats) -> None:
    """Replaces R by R + R (I - A R), a Newton step."""
    n = inverse.shape[0]
    before = inverse.copy()
    for i in range(n):
        for k in range(n):
            r = before[i, k]
            for j in range(n):
                inverse[i, j] += r * defect[k, j]


@compiled
def set_column_size(vertex: FloatVertex, slot: int) -> None:
    """Finds the largest size of an entry in one column of R."""
    largest = 0.0
    for i in range(vertex.inverse.shape[0]):
        largest = max(largest, abs(vertex.inverse[i, slot]))
    vertex.column_sizes[slot] = largest


@compiled
def check_inverse(vertex: FloatVertex) -> bool:
    """Sets ε and the columns' errors from the levels; True if R is within range and encloses the inverse."""
    n = vertex.matrix.shape[0]
    epsilon, reach, largest, condition = 0.0, 0.0, 0.0, 0.0
    for j in range(n):
        size = vertex.column_sizes[j]
        epsilon += vertex.row_levels[j] * vertex.column_levels[j]
        reach += vertex.row_levels[j] * size
        # a NaN is kept
        largest = size if not (size <= largest) else largest
        condition = max(condition, size * vertex.row_sums[j])
    above = 1.0 + slack(n)
    epsilon *= above
    vertex.scalars[EPSILON] = epsilon
    vertex.scalars[CONDITION] = max(vertex.scalars[CONDITION], condition)
    if not (epsilon < LARGEST_DEFECT and 1.0 / LARGEST <= largest <= LARGEST):
        return False
    reach *= above / (1.0 - epsilon) * above
    for j in range(n):
        vertex.column_errors[j] = reach * vertex.column_levels[j] * (1.0 + 2.0**-50)
    return True


@compiled
def enclose_inverse(vertex: FloatVertex) -> bool:
    """Bounds I - A R for the exact rows A, after Newton steps where R has drifted; False if it is too large."""
    n = vertex.matrix.shape[0]
    # the sums of `identity_defect` are made of partial ones
    k = slack(BLOCK + n // BLOCK + 1)
    for attempt in range(3):
        identity_defect(vertex.matrix, vertex.inverse, vertex.defect)
        vertex.column_sizes[:] = 0.0
        vertex.column_levels[:] = 0.0
        for i in range(n):
            row = vertex.inverse[i]
            for j in range(n):
                vertex.column_sizes[j] = max(vertex.column_sizes[j], abs(row[j]))
        computed = 0.0
        for i in range(n):
            level = vertex.row_sums[i] + vertex.row_errors[i]
            rounding = k * vertex.row_sums[i] + vertex.row_errors[i]
            row = vertex.defect[i]
            total = 0.0
            for j in range(n):
                total += abs(row[j])
                own = (abs(row[j]) + rounding * vertex.column_sizes[j]) / level
                vertex.column_levels[j] = max(vertex.column_levels[j], own)
            # of the 1 on the diagonal
            own = (abs(row[i]) + rounding * vertex.column_sizes[i] + 2.0 * k) / level
            vertex.column_levels[i] = max(vertex.column_levels[i], own)
            computed = total if not (total <= computed) else computed
            vertex.row_levels[i] = level * (1.0 + 2.0**-49)
        for j in range(n):
            vertex.column_levels[j] = vertex.column_levels[j] * (1.0 + 4.0 * k) + 2.0**-700
        sound = check_inverse(vertex)
        if sound and computed <= POLISHED_DEFECT:
            return True
        # a Newton step helps a defect below 1, unless the bound's own rounding is what is too large
        if not (computed < 0.5 and attempt < 2):
            return bool(sound and computed < 0.5)
        polish(vertex.inverse, vertex.defect)
    return False


@compiled
def keep_inverse(vertex: FloatVertex) -> bool:
    """Returns whether R encloses the inverse; computes I - A R anew where the bound on it has grown too much."""
    return check_inverse(vertex) or enclose_inverse(vertex)


@compiled
def find_zero_units(problem: FloatProblem, vertex: FloatVertex) -> None:
    """Marks the units whose parameters are 0: as many kinks of their own as parameters are in the basis."""
    rank = problem.inputs.shape[0]
    own = np.zeros(vertex.zero_units.shape[0], dtype=np.int64)
    for slot in range(vertex.kinks.shape[0]):
        if vertex.kinks[slot, 0] == 0:
            own[vertex.kinks[slot, 2]] += 1
    for unit in range(own.shape[0]):
        vertex.zero_units[unit] = 1 if own[unit] == rank and problem.homogeneous[unit] != 0 else 0


@compiled
def rest_zero_units(vertex: FloatVertex, parameters: Floats, moving: int) -> None:
    """Sets the components of a point or of a direction to 0 for units that are 0, but for one that moves."""
    rank = parameters.shape[0] // vertex.zero_units.shape[0]
    for unit in range(vertex.zero_units.shape[0]):
        if vertex.zero_units[unit] != 0 and unit != moving:
            for p in range(unit * rank, (unit + 1) * rank):
                parameters[p] = 0.0


@compiled
def edge_direction(vertex: FloatVertex, slot: int, sign: float) -> Floats:
    """Returns about the direction in which the value of a slot's kink changes by a sign."""
    direction = sign * vertex.inverse[:, slot]
    rest_zero_units(vertex, direction, vertex.kinks[slot, 2] if vertex.kinks[slot, 0] == 0 else -1)
    return direction


@compiled
def enclose_point(vertex: FloatVertex) -> bool:
    """Solves A θ = b with a bound on each component's error; False if θ is out of range."""
    n = vertex.matrix.shape[0]
    theta, residual = vertex.theta, np.zeros(n)
    k = slack(n)
    for i in range(n):
        total = 0.0
        for j in range(n):
            total += vertex.inverse[i, j] * vertex.right[j]
        theta[i] = total
    bound_residual(vertex, residual, False)
    for i in range(n):
        total = 0.0
        for j in range(n):
            total += vertex.inverse[i, j] * residual[j]
        theta[i] += total
    rest_zero_units(vertex, theta, -1)
    largest = bound_residual(vertex, residual, True)
    worst, rest = 0.0, 0.0
    for j in range(n):
        rest += vertex.column_errors[j] * residual[j]
    for i in range(n):
        total = 0.0
        for j in range(n):
            total += abs(vertex.inverse[i, j]) * residual[j]
        vertex.theta_errors[i] = total
        worst = max(worst, total)
    for i in range(n):
        vertex.theta_errors[i] = (vertex.theta_errors[i] + rest) * (1.0 + 4.0 * k) + 2.0**-700
    rest_zero_units(vertex, vertex.theta_errors, -1)
    vertex.scalars[POINT_ERROR] = (worst + rest) * (1.0 + 4.0 * k) + 2.0**-700
    return bool(largest <= LARGEST)


@compiled
def bound_residual(vertex: FloatVertex, residual: Floats, with_bounds: bool) -> float:
    """Fills in b - A θ, or bounds on its entries for the exact A and b; returns the largest component of θ."""
    n = vertex.matrix.shape[0]
    largest = 0.0
    sizes = np.zeros(n)
    for j in range(n):
        residual[j] = vertex.right[j]
        sizes[j] = abs(vertex.right[j])
    for p in range(n):
        t = vertex.theta[p]
        largest = abs(t) if not (abs(t) <= largest) else largest
        column = vertex.columns[p]
        for j in range(n):
            term = column[j] * t
            residual[j] -= term
            sizes[j] += abs(term)
    if with_bounds:
        k = slack(n)
        for j in range(n):
            errors = vertex.row_errors[j] * largest + vertex.right_errors[j]
            residual[j] = abs(residual[j]) + errors + k * sizes[j]
    return largest


@compiled
def settle(problem: FloatProblem, vertex: FloatVertex) -> bool:
    """Computes the point and all values at it; True if it certainly lies in the cell, no kink but the basis' active.

    Kinks whose form is identically 0 in the cell, and those of units that are 0, count for nothing. Proofs/filter.md,
    5.
    """
    if not enclose_point(vertex):
        return False
    scan_values(
        problem.widths,
        problem.inputs,
        problem.weights,
        problem.offsets,
        problem.slopes,
        vertex.masks,
        vertex.theta,
        vertex.theta_errors,
        vertex.values,
        vertex.errors,
        vertex.active,
        vertex.magnitudes,
    )
    set_free(problem, vertex)
    # kinks of units that are 0 are 0 with no error
    if count_unsure(problem.widths, vertex.masks, vertex.values, vertex.errors) != count_kinks(problem, vertex, False):
        return False
    clear_basis(vertex)
    largest, above = 0.0, 1.0 + 2.0**-40
    for p in range(vertex.theta.shape[0]):
        largest = max(largest, abs(vertex.theta[p]))
    vertex.scalars[SPREAD] = (vertex.scalars[POINT_ERROR] + problem.rounding[0] * largest) * above
    vertex.scalars[SHARE] = problem.rounding[0]
    vertex.scalars[LOST] = 2.0**-700
    vertex.scalars[AGE] = 0.0
    return True


@compiled
def settle_anew(problem: FloatProblem, vertex: FloatVertex) -> bool:
    """Settles a vertex, if need be with the inverse enclosed anew."""
    return settle(problem, vertex) or (enclose_inverse(vertex) and settle(problem, vertex))


@compiled
def clear_basis(vertex: FloatVertex) -> None:
    """Sets the values of the basis' kinks to 0, which they are."""
    for slot in range(vertex.kinks.shape[0]):
        if vertex.kinks[slot, 0] >= 0:
            vertex.values[vertex.kinks[slot, 0], vertex.kinks[slot, 2], vertex.kinks[slot, 1]] = 0.0


@compiled
def set_free(problem: FloatProblem, vertex: FloatVertex) -> None:
    """Sets the values of what is no kink to ∞: nothing comes to it, and it is on its side wherever the point is."""
    top = len(problem.widths) - 1
    for depth in range(top):
        for unit in range(problem.widths[depth]):
            if problem.slopes[2, depth, unit] == 0.0:
                vertex.values[depth, unit, :] = np.inf
    for unit in range(problem.widths[top]):
        for i in range(problem.inputs.shape[1]):
            if problem.loss_slopes[2, unit, i] == 0.0:
                vertex.values[top, unit, i] = np.inf


@compiled
def count_kinks(problem: FloatProblem, vertex: FloatVertex, with_resting: bool) -> int:
    """Returns how many kinks vanish, those that rest because their unit is 0 counted or not.

    In phase 1 some slots hold coordinate rows, as kinks of depth -1.
    """
    count = 0
    for slot in range(vertex.kinks.shape[0]):
        depth, unit = vertex.kinks[slot, 0], vertex.kinks[slot, 2]
        count += depth > 0 or (depth == 0 and vertex.zero_units[unit] == 0)
    if with_resting:
        for unit in range(vertex.zero_units.shape[0]):
            count += problem.homogeneous[unit] if vertex.zero_units[unit] != 0 else 0
    return count


@compiled
def move(problem: FloatProblem, vertex: FloatVertex, direction: Floats, distance: float) -> bool:
    """Goes along a direction whose rates are there to the vertex of the basis, which has been exchanged already.

    True if it certainly lies in the cell, no kink but the basis' active. The bounds on values grow by what is added to
    them: proofs/filter.md, 5.
    """
    longest = 0.0
    for p in range(direction.shape[0]):
        longest = max(longest, abs(direction[p]))
        vertex.theta[p] += distance * direction[p]
    rest_zero_units(vertex, vertex.theta, -1)
    before = vertex.scalars[POINT_ERROR]
    largest = enclose_moved_point(vertex)
    added = before + vertex.scalars[POINT_ERROR] + 2.0 * problem.rounding[0] * abs(distance) * longest
    vertex.scalars[SPREAD] = (vertex.scalars[SPREAD] + added + 16.0 * 2.0**-53 * largest) * (1.0 + 2.0**-40)
    vertex.scalars[SHARE] += 16.0 * 2.0**-53
    vertex.scalars[LOST] += 2.0**-700 * (1.0 + abs(distance))
    vertex.scalars[AGE] += 1.0
    unsure = move_values(
        problem.widths,
        vertex.masks,
        vertex.values,
        vertex.rates,
        distance,
        problem.sizes,
        problem.gains,
        problem.levels,
        vertex.scalars[SPREAD],
        vertex.scalars[SHARE],
        vertex.scalars[LOST],
    )
    if unsure != count_kinks(problem, vertex, True):
        return False
    clear_basis(vertex)
    return bool(largest <= LARGEST)


@compiled
def propose(problem: FloatProblem, vertex: FloatVertex, direction: Floats) -> tuple[int, int, int]:
    """Computes all rates along a direction; returns which kink seems to be met first (depth, unit, sample), or -1."""
    return scan_rates(
        problem.widths,
        problem.inputs,
        problem.weights,
        problem.slopes,
        vertex.masks,
        direction,
        vertex.values,
        vertex.rates,
        vertex.active,
    )


@compiled
def go(
    problem: FloatProblem,
    vertex: FloatVertex,
    slot: int,
    direction: Floats,
    distance: float,
    depth: int,
    sample: int,
    unit: int,
) -> bool:
    """Puts another kink into a slot, and goes to the vertex of that basis along a direction whose rates are there.

    True if it certainly is one, lies in the cell, and no kink but the basis' is active, or those of units that are 0.
    """
    was_zero = depth == 0 and vertex.zero_units[unit] != 0
    if not (exchange(problem, vertex, slot, depth, sample, unit) and keep_inverse(vertex)):
        return False
    find_zero_units(problem, vertex)
    if depth == 0 and vertex.zero_units[unit] != 0:
        # where a unit becomes 0 all its kinks are met at once, and their values are set anew; where it was 0 an
        # exchange of two of its own leaves the point where it is
        return not was_zero and settle_anew(problem, vertex)
    if vertex.scalars[AGE] < STEPS_A_SCAN and move(problem, vertex, direction, distance):
        return True
    return settle_anew(problem, vertex)


@compiled
def first_to_enter(problem: FloatProblem, vertex: FloatVertex, leaving: int, sample: int, unit: int) -> int:
    """Returns the sample of the kink that enters where one of a unit of the trained layer is met first; -1 if unsure.

    Where the unit becomes 0 all its kinks outside the basis are met at once, and the first sample's enters.
    """
    rank, own = problem.inputs.shape[0], 0
    for slot in range(vertex.kinks.shape[0]):
        own += slot != leaving and vertex.kinks[slot, 0] == 0 and vertex.kinks[slot, 2] == unit
    if own != rank - 1 or problem.homogeneous[unit] == 0:
        return sample
    if problem.homogeneous[unit] != problem.inputs.shape[1]:
        return -1
    for i in range(problem.inputs.shape[1]):
        if problem.sizes[i] > 0.0:
            is_basic = False
            for slot in range(vertex.kinks.shape[0]):
                at = vertex.kinks[slot]
                if slot != leaving and at[0] == 0 and at[1] == i and at[2] == unit:
                    is_basic = True
            if not is_basic:
                return i
    return -1


@inlined
def enclose_moved_point(vertex: FloatVertex) -> float:
    """Bounds the error of θ as it is, the same for all components; returns the largest component."""
    n = vertex.matrix.shape[0]
    residual = np.zeros(n)
    largest = bound_residual(vertex, residual, True)
    total = 0.0
    for j in range(n):
        total += (vertex.column_sizes[j] + vertex.column_errors[j]) * residual[j]
    error = total * (1.0 + 8.0 * slack(n)) + 2.0**-700
    vertex.scalars[POINT_ERROR] = error
    return largest


@compiled
def flip(problem: FloatProblem, vertex: FloatVertex, slot: int) -> bool:
    """Goes over to the other side of the kink in a slot: mask, gradient, rows of deeper kinks, one column of R."""
    n = vertex.matrix.shape[0]
    jump, jump_bound = gradient_jump(problem, vertex, slot)
    for p in range(n):
        a = vertex.matrix[slot, p]
        change = jump * a
        vertex.gradient[p] += change
        vertex.gradient_errors[p] = (
            vertex.gradient_errors[p]
            + jump_bound * (abs(a) + vertex.row_errors[slot])
            + abs(jump) * vertex.row_errors[slot]
            + 16.0 * 2.0**-53 * (abs(change) + abs(vertex.gradient[p]))
        ) * (1.0 + 16.0 * 2.0**-53)
    vertex.scalars[FLIPS] += 1.0
    depth, sample, unit = vertex.kinks[slot, 0], vertex.kinks[slot, 1], vertex.kinks[slot, 2]
    folds = 0
    for other in range(n):
        if vertex.kinks[other, 1] == sample and vertex.kinks[other, 0] > depth:
            fold_column(problem, vertex, slot, other)
            folds += 1
    vertex.masks[depth, unit, sample] = 1.0 - vertex.masks[depth, unit, sample]
    if folds:
        for other in range(n):
            if vertex.kinks[other, 1] == sample and vertex.kinks[other, 0] > depth:
                if not set_row(problem, vertex, other, vertex.kinks[other, 0], sample, vertex.kinks[other, 2], False):
                    return False
    return True


@compiled
def fold_column(problem: FloatProblem, vertex: FloatVertex, slot: int, other: int) -> None:
    """Subtracts from a slot's column of R what its kink's flip adds to the row of a deeper one; bounds the defect."""
    n = vertex.matrix.shape[0]
    c, bound = fold_coefficient(problem, vertex, slot, other)
    for p in range(n):
        vertex.inverse[p, slot] -= c * vertex.inverse[p, other]
    set_column_size(vertex, slot)
    u = 2.0**-53
    sizes = vertex.column_sizes[slot] + abs(c) * vertex.column_sizes[other]
    row_level = vertex.row_levels[other] + (abs(c) + bound) * vertex.row_levels[slot]
    level = vertex.column_levels[slot] + abs(c) * vertex.column_levels[other] + 4.0 * u * sizes + bound / row_level
    vertex.row_levels[other] = row_level * (1.0 + 8.0 * u)
    vertex.column_levels[slot] = level * (1.0 + 16.0 * u) + 2.0**-700


@compiled
def exchange(problem: FloatProblem, vertex: FloatVertex, slot: int, depth: int, sample: int, unit: int) -> bool:
    """Puts another kink into a slot and last in the order: row, R by the rank-one update, bounds on the defect."""
    n = vertex.matrix.shape[0]
    if not set_row(problem, vertex, slot, depth, sample, unit, True):
        return False
    products = np.zeros(n)
    for p in range(n):
        a = vertex.matrix[slot, p]
        if a != 0.0:
            row = vertex.inverse[p]
            for j in range(n):
                products[j] += a * row[j]
    pivot = products[slot]
    if not (abs(pivot) > 2.0**-100):
        return False
    products[slot] -= 1.0
    sizes = vertex.column_sizes
    before = np.zeros(n)
    for j in range(n):
        before[j] = sizes[j]
        sizes[j] = 0.0
    for p in range(n):
        row = vertex.inverse[p]
        factor = row[slot] / pivot
        for j in range(n):
            r = row[j] - factor * products[j]
            row[j] = r
            sizes[j] = max(sizes[j], abs(r))
    bound_exchange(vertex, slot, products, pivot, before)
    vertex.kinks[slot, 0], vertex.kinks[slot, 1], vertex.kinks[slot, 2] = depth, sample, unit
    place = 0
    while vertex.order[place] != slot:
        place += 1
    for j in range(place, n - 1):
        vertex.order[j] = vertex.order[j + 1]
    vertex.order[n - 1] = slot
    return True


@inlined
def bound_exchange(vertex: FloatVertex, slot: int, products: Floats, pivot: float, before: Floats) -> None:
    """Bounds I - A R after a rank-one update by what it was: proofs/filter.md, 4.

    Args:
        vertex: with the new row, R and column sizes, and the old levels.
        slot: of the new row.
        products: w.
        pivot: p.
        before: the old column sizes.
    """
    n = vertex.matrix.shape[0]
    u = 2.0**-53
    sizes, levels = vertex.column_sizes, vertex.column_levels
    row_level = (vertex.row_sums[slot] + vertex.row_errors[slot]) * (1.0 + 2.0**-49)
    # of the new row's product with the old R, for a column of size 1 and a row of sum 1
    eta = (vertex.row_errors[slot] / row_level + slack(n)) * (1.0 + 2.0**-50)
    leaving, size = levels[slot], before[slot]
    for j in range(n):
        ratio = abs(products[j] / pivot)
        rounding = 4.0 * u * size * ratio + 2.0 * u * sizes[j]
        kept = levels[j] + leaving * ratio + rounding
        own = eta * (before[j] + size * ratio) + rounding
        if j == slot:
            kept = leaving / abs(pivot) + 2.0 * u * leaving * ratio + rounding
            own += 2.0 * u * abs(products[j]) / row_level
        levels[j] = max(kept, own) * (1.0 + 16.0 * u) + 2.0**-700
    vertex.row_levels[slot] = row_level
