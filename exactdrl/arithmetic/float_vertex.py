"""A vertex in float64 with rigorous bounds: rows, enclosed inverse, gradient, point; what flips and pivots change.

Everything that decides carries a bound on its error. The inverse R encloses the exact one by ε ≥ ‖I - R A‖: |A⁻¹ - R|
in column k is at most ε/(1-ε) max |R_k|. Theorem and proof: proofs/filter.md, whose numbers the comments give.
"""

from typing import NamedTuple

import numpy as np

from exactdrl.arithmetic.compiling import compiled
from exactdrl.arithmetic.float_problem import FloatProblem
from exactdrl.arithmetic.float_scan import Floats, Integers, count_unsure, identity_defect, scan_values, slack

# The inverse is given up as an enclosure above this, and polished by a Newton step above the second
LARGEST_DEFECT = 2.0**-10
POLISHED_DEFECT = 2.0**-36
# Rows, inverse and point beyond these are left to exact arithmetic, so that underflow stays below TINY
LARGEST = 2.0**200
# Flips until the gradient is computed anew, its accumulated rounding with it
FLIPS_A_GRADIENT = 512


class FloatVertex(NamedTuple):
    """State of the kernel; arrays are changed in place.

    Attributes:
        masks: (depths, width, N), 1.0 where the pattern is on.
        values: (depths, width, N), of the kinks at the vertex; 0 for those of the basis.
        errors: their bounds.
        rates: (depths, width, N), working space.
        active: (width, N), working space.
        magnitudes: (width, N), working space.
        kinks: (n, 3), depth, sample, unit of the kink in each slot.
        order: slots in order of entry.
        matrix: (n, n), the rows A, each scaled by a power of two, to entries of at most 1 when the kink enters.
        row_errors: bounds on the sums of the rows' entries' errors.
        row_sums: bounds on the sums of the computed entries' sizes.
        scales: the powers of two.
        right: b, so that A θ = b.
        right_errors: their bounds.
        inverse: (n, n), R.
        defect: (n, n), I - R A as computed.
        gradient: of the loss.
        gradient_errors: their bounds.
        theta: the point.
        theta_errors: their bounds.
        scalars: ε, flips since the gradient was computed, the largest condition met.
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
    row_errors: Floats
    row_sums: Floats
    scales: Floats
    right: Floats
    right_errors: Floats
    inverse: Floats
    defect: Floats
    gradient: Floats
    gradient_errors: Floats
    theta: Floats
    theta_errors: Floats
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
        row_errors=np.zeros(n),
        row_sums=np.zeros(n),
        scales=np.ones(n),
        right=np.zeros(n),
        right_errors=np.zeros(n),
        inverse=np.zeros(square),
        defect=np.zeros(square),
        gradient=np.zeros(n),
        gradient_errors=np.zeros(n),
        theta=np.zeros(n),
        theta_errors=np.zeros(n),
        scalars=np.zeros(3),
    )


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
def mask_out(vertex: FloatVertex, depth: int, sample: int, width: int, coefficients: Floats, bounds: Floats) -> None:
    """Sets the coefficients of units that are off to 0."""
    for j in range(width):
        if vertex.masks[depth, j, sample] == 0.0:
            coefficients[j] = 0.0
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
            mask_out(vertex, t, sample, problem.widths[t], coefficients, bounds)
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
            error += bounds[j] * abs(x) + 8.0 * 2.0**-53 * abs(entry)
    if not (2.0**-300 <= largest <= 2.0**300):
        return False
    if fresh:
        vertex.scales[slot] = 2.0 ** -np.ceil(np.log2(largest))
    scale = vertex.scales[slot]
    for j in range(width * rank):
        row[j] *= scale
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
        mask_out(vertex, t, sample, problem.widths[t], coefficients, bounds)
        pull_back(problem, t, coefficients, bounds, below, below_bounds)
        coefficients, below = below, coefficients
        bounds, below_bounds = below_bounds, bounds
    ratio = vertex.scales[deeper] / vertex.scales[slot]
    sign = -1.0 if vertex.masks[depth, unit, sample] != 0.0 else 1.0
    return sign * coefficients[unit] * ratio, bounds[unit] * ratio


@compiled
def gradient_jump(problem: FloatProblem, vertex: FloatVertex, slot: int) -> tuple[float, float]:
    """Returns γ with its bound, such that a flip of the kink in `slot` adds γ times its scaled row to the gradient."""
    widest = problem.weights.shape[1]
    depth, sample, unit = vertex.kinks[slot, 0], vertex.kinks[slot, 1], vertex.kinks[slot, 2]
    sign = -1.0 if vertex.masks[depth, unit, sample] != 0.0 else 1.0
    top = len(problem.widths) - 1
    if depth == top:
        return sign * 2.0 / vertex.scales[slot], 0.0
    coefficients, bounds = np.zeros(widest), np.zeros(widest)
    below, below_bounds = np.zeros(widest), np.zeros(widest)
    for j in range(problem.widths[top]):
        coefficients[j] = 2.0 * vertex.masks[top, j, sample] - 1.0
    for t in range(top, depth, -1):
        if t < top:
            mask_out(vertex, t, sample, problem.widths[t], coefficients, bounds)
        pull_back(problem, t, coefficients, bounds, below, below_bounds)
        coefficients, below = below, coefficients
        bounds, below_bounds = below_bounds, bounds
    return sign * coefficients[unit] / vertex.scales[slot], bounds[unit] / vertex.scales[slot]


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
        for j in range(problem.widths[top]):
            coefficients[j] = 2.0 * vertex.masks[top, j, i] - 1.0
            bounds[j] = 0.0
        for t in range(top, 0, -1):
            pull_back(problem, t, coefficients, bounds, below, below_bounds)
            coefficients, below = below, coefficients
            bounds, below_bounds = below_bounds, bounds
            mask_out(vertex, t - 1, i, problem.widths[t - 1], coefficients, bounds)
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
    vertex.scalars[1] = 0.0


@compiled
def polish(inverse: Floats, defect: Floats) -> None:
    """Replaces R by R + (I - R A) R, a Newton step."""
    n = inverse.shape[0]
    before = inverse.copy()
    for i in range(n):
        for k in range(n):
            e = defect[i, k]
            for j in range(n):
                inverse[i, j] += e * before[k, j]


@compiled
def enclose_inverse(vertex: FloatVertex) -> bool:
    """Bounds ‖I - R A‖ for the exact rows A, after Newton steps where R has drifted; False if it is too large."""
    n = vertex.matrix.shape[0]
    for attempt in range(3):
        identity_defect(vertex.inverse, vertex.matrix, vertex.defect)
        k = slack(n)
        computed, epsilon, largest, condition = 0.0, 0.0, 0.0, 0.0
        for i in range(n):
            own, rounding, size = 0.0, 0.0, 0.0
            for j in range(n):
                own += abs(vertex.defect[i, j])
                r = abs(vertex.inverse[i, j])
                rounding += r * (k * vertex.row_sums[j] + vertex.row_errors[j])
                size += r * vertex.row_sums[j]
                largest = max(largest, r)
            computed = max(computed, own)
            epsilon = max(epsilon, (own + rounding + 2.0 * k) * (1.0 + 4.0 * k))
            condition = max(condition, size)
        vertex.scalars[0] = epsilon
        vertex.scalars[2] = max(vertex.scalars[2], condition)
        if not (epsilon < 2.0**-10 and 2.0**-200 <= largest <= 2.0**200):
            # a Newton step helps a defect below 1, unless the bound's own rounding is what is too large
            if not (computed < 0.5 and attempt < 2):
                return False
        elif computed <= 2.0**-36:
            return True
        polish(vertex.inverse, vertex.defect)
    return bool(vertex.scalars[0] < 2.0**-10)


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
    for attempt in range(2):
        largest = 0.0
        for i in range(n):
            largest = max(largest, abs(theta[i]))
        for i in range(n):
            total, size = vertex.right[i], abs(vertex.right[i])
            for j in range(n):
                term = vertex.matrix[i, j] * theta[j]
                total -= term
                size += abs(term)
            if attempt == 0:
                residual[i] = total
            else:
                residual[i] = abs(total) + vertex.row_errors[i] * largest + vertex.right_errors[i] + k * size
        if attempt == 0:
            for i in range(n):
                total = 0.0
                for j in range(n):
                    total += vertex.inverse[i, j] * residual[j]
                theta[i] += total
    worst = 0.0
    for i in range(n):
        total = 0.0
        for j in range(n):
            total += abs(vertex.inverse[i, j]) * residual[j]
        vertex.theta_errors[i] = total
        worst = max(worst, total)
    epsilon = vertex.scalars[0]
    rest = epsilon / (1.0 - epsilon) * worst
    for i in range(n):
        vertex.theta_errors[i] = (vertex.theta_errors[i] + rest) * (1.0 + 4.0 * k) + 2.0**-700
    return bool(largest <= 2.0**200)


@compiled
def settle(problem: FloatProblem, vertex: FloatVertex) -> bool:
    """Computes the point and all values at it; True if it certainly lies in the cell, no kink but the basis' active.

    Kinks whose form is identically 0 in the cell count for nothing. Proofs/filter.md, 5.
    """
    if not enclose_point(vertex):
        return False
    scan_values(
        problem.widths,
        problem.inputs,
        problem.weights,
        problem.offsets,
        vertex.masks,
        vertex.theta,
        vertex.theta_errors,
        vertex.values,
        vertex.errors,
        vertex.active,
        vertex.magnitudes,
    )
    n = vertex.kinks.shape[0]
    if count_unsure(problem.widths, vertex.masks, vertex.values, vertex.errors) != n:
        return False
    for slot in range(n):
        depth, sample, unit = vertex.kinks[slot, 0], vertex.kinks[slot, 1], vertex.kinks[slot, 2]
        vertex.values[depth, unit, sample] = 0.0
    return True


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
            + 8.0 * 2.0**-53 * (abs(change) + abs(vertex.gradient[p]))
        ) * (1.0 + 16.0 * 2.0**-53)
    vertex.scalars[1] += 1.0
    depth, sample, unit = vertex.kinks[slot, 0], vertex.kinks[slot, 1], vertex.kinks[slot, 2]
    for other in range(n):
        if vertex.kinks[other, 1] == sample and vertex.kinks[other, 0] > depth:
            c, _ = fold_coefficient(problem, vertex, slot, other)
            for p in range(n):
                vertex.inverse[p, slot] -= c * vertex.inverse[p, other]
    vertex.masks[depth, unit, sample] = 1.0 - vertex.masks[depth, unit, sample]
    for other in range(n):
        if vertex.kinks[other, 1] == sample and vertex.kinks[other, 0] > depth:
            if not set_row(problem, vertex, other, vertex.kinks[other, 0], sample, vertex.kinks[other, 2], False):
                return False
    return True


@compiled
def exchange(problem: FloatProblem, vertex: FloatVertex, slot: int, depth: int, sample: int, unit: int) -> bool:
    """Puts another kink into a slot and last in the order: row, and R by the rank-one update."""
    n = vertex.matrix.shape[0]
    if not set_row(problem, vertex, slot, depth, sample, unit, True):
        return False
    products = np.zeros(n)
    for p in range(n):
        a = vertex.matrix[slot, p]
        if a != 0.0:
            for j in range(n):
                products[j] += a * vertex.inverse[p, j]
    pivot = products[slot]
    if not (abs(pivot) > 2.0**-100):
        return False
    products[slot] -= 1.0
    for p in range(n):
        factor = vertex.inverse[p, slot] / pivot
        for j in range(n):
            vertex.inverse[p, j] -= factor * products[j]
    vertex.kinks[slot, 0], vertex.kinks[slot, 1], vertex.kinks[slot, 2] = depth, sample, unit
    place = 0
    while vertex.order[place] != slot:
        place += 1
    for j in range(place, n - 1):
        vertex.order[j] = vertex.order[j + 1]
    vertex.order[n - 1] = slot
    return True
