"""A vertex in float64 with rigorous bounds: rows, enclosed inverse, gradient, point; what flips and pivots change.

Everything that decides carries a bound on its error. The inverse R encloses the exact one by |I - A R| ≤ x yᵀ, entry by
entry, with levels x of rows and y of columns. Theorem and proof: proofs/filter.md, whose numbers the comments give.
"""

from math import inf

import numpy as np

from exactdrl.arithmetic.float64.arrays import (
    count_unsure,
    move_values,
    scan_values,
    set_defect,
    slopes_at,
)
from exactdrl.arithmetic.float64.coefficients import (
    fold_coefficient,
    gradient_jump,
    pass_units,
    pull_back,
    start_coefficients,
    start_loss_coefficients,
)
from exactdrl.arithmetic.float64.groups import clear_resting, find_resting, is_first_met
from exactdrl.arithmetic.float64.marks import compiled
from exactdrl.arithmetic.float64.scan import BLOCK, ROUNDING, TINY, slack
from exactdrl.arithmetic.float64.state import (
    AGE,
    CONDITION,
    EPSILON,
    FLIPS,
    LOST,
    POINT_ERROR,
    RESTING,
    SHARE,
    SPREAD,
    FloatProblem,
    FloatVertex,
    Vector,
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
    top = problem.widths.shape[0] - 1
    for depth, width in enumerate(problem.widths.tolist()):
        shape = (width, problem.inputs.shape[0])
        matrix = problem.weights[depth, :width, : len(active)] if depth else vertex.theta.reshape(shape)
        values = matrix @ active + problem.offsets[depth, :width]
        active = slopes_at(problem.slopes, vertex.masks, depth, width) * values
    slopes = np.where(vertex.masks[top, : len(values)] != 0.0, problem.loss_slopes[1], problem.loss_slopes[0])
    return float((slopes * values).sum())


@compiled
def set_row(
    problem: FloatProblem, vertex: FloatVertex, slot: int, depth: int, sample: int, unit: int, fresh: bool
) -> bool:
    """Computes the row and right side of the kink in a slot, in the cell of the masks; False if float64 cannot hold it.

    Bounds: proofs/filter.md, 3. With `fresh` the row gets a new scale, else the slot's.
    """
    width, rank = problem.widths[0], problem.inputs.shape[0]
    offset, row = problem.offsets[depth, unit, sample], 0
    size, bound, terms = abs(offset), 0.0, 1
    if depth == 0:
        for j in range(width):
            vertex.coefficients[0, j] = 1.0 if j == unit else 0.0
            vertex.coefficient_bounds[0, j] = 0.0
    else:
        row = start_coefficients(problem, vertex, depth, unit)
        for t in range(depth - 1, -1, -1):
            pass_units(problem, vertex, t, sample, row)
            terms += problem.widths[t]
            for j in range(problem.widths[t]):
                o = problem.offsets[t, j, sample]
                if o != 0.0:
                    offset += vertex.coefficients[row, j] * o
                    size += abs(vertex.coefficients[row, j] * o)
                    bound += vertex.coefficient_bounds[row, j] * abs(o)
            if t > 0:
                row = pull_back(problem, vertex, t, row)
    largest, error, total = 0.0, 0.0, 0.0
    for j in range(width):
        for p in range(rank):
            x = problem.inputs[p, sample]
            entry = vertex.coefficients[row, j] * x
            vertex.matrix[slot, j * rank + p] = entry
            largest = max(largest, abs(entry))
            total += abs(entry)
            error += vertex.coefficient_bounds[row, j] * abs(x)
    if not (2.0**-250 <= largest <= 2.0**250):
        return False
    if fresh:
        scale = 1.0
        while largest * scale > 1.0:
            scale *= 0.5
        while largest * scale <= 0.5:
            scale *= 2.0
        vertex.scales[slot] = scale
    scale = vertex.scales[slot]
    if not (2.0**-250 <= largest * scale <= 2.0**250):
        return False
    for j in range(width * rank):
        entry = vertex.matrix[slot, j] * scale
        vertex.matrix[slot, j] = entry
        vertex.columns[j, slot] = entry
    k = slack(terms + width * rank)
    vertex.row_errors[slot] = error * scale * (1.0 + k) + TINY
    vertex.row_sums[slot] = total * scale * (1.0 + k)
    vertex.right[slot] = -offset * scale
    vertex.right_errors[slot] = (bound + k * size) * scale * (1.0 + k) + TINY
    return True


@compiled
def set_gradient(problem: FloatProblem, vertex: FloatVertex) -> None:
    """Computes the gradient in the cell of the masks anew, with bounds."""
    width, rank, samples = problem.widths[0], problem.inputs.shape[0], problem.inputs.shape[1]
    top = problem.widths.shape[0] - 1
    n = width * rank
    vertex.gradient[:] = 0.0
    vertex.gradient_errors[:] = 0.0
    vertex.terms[:] = 0.0
    for i in range(samples):
        row = start_loss_coefficients(problem, vertex, i)
        for t in range(top, 0, -1):
            row = pull_back(problem, vertex, t, row)
            pass_units(problem, vertex, t - 1, i, row)
        for j in range(width):
            c, b = vertex.coefficients[row, j], vertex.coefficient_bounds[row, j]
            if c != 0.0 or b != 0.0:
                for p in range(rank):
                    x = problem.inputs[p, i]
                    vertex.gradient[j * rank + p] += c * x
                    vertex.terms[j * rank + p] += abs(c * x)
                    vertex.gradient_errors[j * rank + p] += b * abs(x)
    k = slack(samples)
    for j in range(n):
        vertex.gradient_errors[j] = (vertex.gradient_errors[j] + k * vertex.terms[j]) * (1.0 + k) + TINY
    vertex.scalars[FLIPS] = 0.0


@compiled
def polish(vertex: FloatVertex) -> None:
    """Replaces R by R + R (I - A R), a Newton step."""
    n = vertex.inverse.shape[0]
    for i in range(n):
        for j in range(n):
            vertex.products[j] = vertex.inverse[i, j]
        for k in range(n):
            r = vertex.products[k]
            for j in range(n):
                vertex.inverse[i, j] += r * vertex.defect[k, j]


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
        set_defect(vertex)
        vertex.column_sizes[:] = 0.0
        vertex.column_levels[:] = 0.0
        for i in range(n):
            for j in range(n):
                vertex.column_sizes[j] = max(vertex.column_sizes[j], abs(vertex.inverse[i, j]))
        computed = 0.0
        for i in range(n):
            level = vertex.row_sums[i] + vertex.row_errors[i]
            rounding = k * vertex.row_sums[i] + vertex.row_errors[i]
            total = 0.0
            for j in range(n):
                size = abs(vertex.defect[i, j])
                total += size
                own = (size + rounding * vertex.column_sizes[j]) / level
                vertex.column_levels[j] = max(vertex.column_levels[j], own)
            # of the 1 on the diagonal
            own = (abs(vertex.defect[i, i]) + rounding * vertex.column_sizes[i] + 2.0 * k) / level
            vertex.column_levels[i] = max(vertex.column_levels[i], own)
            computed = total if not (total <= computed) else computed
            vertex.row_levels[i] = level * (1.0 + 2.0**-49)
        for j in range(n):
            vertex.column_levels[j] = vertex.column_levels[j] * (1.0 + 4.0 * k) + TINY
        sound = check_inverse(vertex)
        if sound and computed <= POLISHED_DEFECT:
            return True
        # a Newton step helps a defect below 1, unless the bound's own rounding is what is too large
        if not (computed < 0.5 and attempt < 2):
            return bool(sound and computed < 0.5)
        polish(vertex)
    return False


@compiled
def keep_inverse(vertex: FloatVertex) -> bool:
    """Returns whether R encloses the inverse; computes I - A R anew where the bound on it has grown too much."""
    return check_inverse(vertex) or enclose_inverse(vertex)


@compiled
def find_zero_units(problem: FloatProblem, vertex: FloatVertex) -> None:
    """Marks the units whose parameters are 0: as many kinks of their own as parameters are in the basis."""
    rank = problem.inputs.shape[0]
    vertex.own[:] = 0
    for slot in range(vertex.kinks.shape[0]):
        if vertex.kinks[slot, 0] == 0:
            vertex.own[vertex.kinks[slot, 2]] += 1
    for unit in range(vertex.own.shape[0]):
        vertex.zero_units[unit] = 1 if vertex.own[unit] == rank and problem.homogeneous[unit] != 0 else 0


@compiled
def rest_zero_units(vertex: FloatVertex, parameters: Vector, moving: int) -> None:
    """Sets the components of a point or of a direction to 0 for units that are 0, but for one that moves."""
    rank = parameters.shape[0] // vertex.zero_units.shape[0]
    for unit in range(vertex.zero_units.shape[0]):
        if vertex.zero_units[unit] != 0 and unit != moving:
            for p in range(unit * rank, (unit + 1) * rank):
                parameters[p] = 0.0


@compiled
def set_direction(vertex: FloatVertex, slot: int, sign: float) -> None:
    """Sets the direction to about that in which the value of a slot's kink changes by a sign."""
    for p in range(vertex.direction.shape[0]):
        vertex.direction[p] = sign * vertex.inverse[p, slot]
    rest_zero_units(vertex, vertex.direction, vertex.kinks[slot, 2] if vertex.kinks[slot, 0] == 0 else -1)


@compiled
def enclose_point(vertex: FloatVertex) -> bool:
    """Solves A θ = b with a bound on each component's error; False if θ is out of range."""
    n = vertex.matrix.shape[0]
    k = slack(n)
    for i in range(n):
        total = 0.0
        for j in range(n):
            total += vertex.inverse[i, j] * vertex.right[j]
        vertex.theta[i] = total
    bound_residual(vertex, False)
    for i in range(n):
        total = 0.0
        for j in range(n):
            total += vertex.inverse[i, j] * vertex.residual[j]
        vertex.theta[i] += total
    rest_zero_units(vertex, vertex.theta, -1)
    largest = bound_residual(vertex, True)
    worst, rest = 0.0, 0.0
    for j in range(n):
        rest += vertex.column_errors[j] * vertex.residual[j]
    for i in range(n):
        total = 0.0
        for j in range(n):
            total += abs(vertex.inverse[i, j]) * vertex.residual[j]
        vertex.theta_errors[i] = total
        worst = max(worst, total)
    for i in range(n):
        vertex.theta_errors[i] = (vertex.theta_errors[i] + rest) * (1.0 + 4.0 * k) + TINY
    rest_zero_units(vertex, vertex.theta_errors, -1)
    vertex.scalars[POINT_ERROR] = (worst + rest) * (1.0 + 4.0 * k) + TINY
    return largest <= LARGEST


@compiled
def bound_residual(vertex: FloatVertex, with_bounds: bool) -> float:
    """Fills in b - A θ, or bounds on its entries for the exact A and b; returns the largest component of θ."""
    n = vertex.matrix.shape[0]
    largest = 0.0
    for j in range(n):
        vertex.residual[j] = vertex.right[j]
        vertex.terms[j] = abs(vertex.right[j])
    for p in range(n):
        t = vertex.theta[p]
        largest = abs(t) if not (abs(t) <= largest) else largest
        for j in range(n):
            term = vertex.columns[p, j] * t
            vertex.residual[j] -= term
            vertex.terms[j] += abs(term)
    if with_bounds:
        k = slack(n)
        for j in range(n):
            errors = vertex.row_errors[j] * largest + vertex.right_errors[j]
            vertex.residual[j] = abs(vertex.residual[j]) + errors + k * vertex.terms[j]
    return largest


@compiled
def settle(problem: FloatProblem, vertex: FloatVertex) -> bool:
    """Computes the point and all values at it; True if it certainly lies in the cell, no kink but the basis' active.

    Kinks whose form is identically 0 in the cell, and those of units that are 0, count for nothing. Proofs/filter.md,
    5.
    """
    if not enclose_point(vertex):
        return False
    scan_values(problem, vertex)
    set_free(problem, vertex)
    clear_resting(vertex)
    # kinks of units that are 0, everywhere or on a group, are 0 with no error
    if count_unsure(problem, vertex) != count_kinks(problem, vertex, False):
        return False
    clear_basis(vertex)
    largest, above = 0.0, 1.0 + 2.0**-40
    for p in range(vertex.theta.shape[0]):
        largest = max(largest, abs(vertex.theta[p]))
    vertex.scalars[SPREAD] = (vertex.scalars[POINT_ERROR] + problem.rounding[0] * largest) * above
    vertex.scalars[SHARE] = problem.rounding[0]
    vertex.scalars[LOST] = TINY
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
    top = problem.widths.shape[0] - 1
    for depth in range(top):
        for unit in range(problem.widths[depth]):
            if problem.slopes[2, depth, unit] == 0.0:
                for i in range(problem.inputs.shape[1]):
                    vertex.values[depth, unit, i] = inf
    for unit in range(problem.widths[top]):
        for i in range(problem.inputs.shape[1]):
            if problem.loss_slopes[2, unit, i] == 0.0:
                vertex.values[top, unit, i] = inf


@compiled
def count_kinks(problem: FloatProblem, vertex: FloatVertex, with_resting: bool) -> int:
    """Returns how many kinks vanish, those that rest because their unit is 0, or 0 on a group, counted or not.

    In phase 1 some slots hold coordinate rows, as kinks of depth -1.
    """
    count = 0
    for slot in range(vertex.kinks.shape[0]):
        depth, unit = vertex.kinks[slot, 0], vertex.kinks[slot, 2]
        count += depth > 0 or (depth == 0 and vertex.zero_units[unit] == 0)
    if with_resting:
        for unit in range(vertex.zero_units.shape[0]):
            count += problem.homogeneous[unit] if vertex.zero_units[unit] != 0 else 0
        count += vertex.group_counts[RESTING]
    return count


@compiled
def move(problem: FloatProblem, vertex: FloatVertex, distance: float) -> bool:
    """Goes along the direction, whose rates are there, to the vertex of the basis, which has been exchanged already.

    True if it certainly lies in the cell, no kink but the basis' active. The bounds on values grow by what is added to
    them: proofs/filter.md, 5.
    """
    longest = 0.0
    for p in range(vertex.direction.shape[0]):
        longest = max(longest, abs(vertex.direction[p]))
        vertex.theta[p] += distance * vertex.direction[p]
    rest_zero_units(vertex, vertex.theta, -1)
    before = vertex.scalars[POINT_ERROR]
    largest = enclose_moved_point(vertex)
    added = before + vertex.scalars[POINT_ERROR] + 2.0 * problem.rounding[0] * abs(distance) * longest
    vertex.scalars[SPREAD] = (vertex.scalars[SPREAD] + added + 16.0 * ROUNDING * largest) * (1.0 + 2.0**-40)
    vertex.scalars[SHARE] += 16.0 * ROUNDING
    vertex.scalars[LOST] += TINY * (1.0 + abs(distance))
    vertex.scalars[AGE] += 1.0
    spread, share, lost = vertex.scalars[SPREAD], vertex.scalars[SHARE], vertex.scalars[LOST]
    unsure = move_values(problem, vertex, distance, spread, share, lost)
    if unsure != count_kinks(problem, vertex, True):
        return False
    clear_basis(vertex)
    clear_resting(vertex)
    return largest <= LARGEST


@compiled
def go(
    problem: FloatProblem,
    vertex: FloatVertex,
    slot: int,
    distance: float,
    depth: int,
    sample: int,
    unit: int,
) -> bool:
    """Puts another kink into a slot, and goes to the vertex of that basis along the direction, whose rates are there.

    True if it certainly is one, lies in the cell, no kink but the basis' is active, or those of units that are 0, and
    the kink is the first in address order of those that are met where a unit becomes 0 on a group.
    """
    old_depth, old_sample, old_unit = vertex.kinks[slot, 0], vertex.kinks[slot, 1], vertex.kinks[slot, 2]
    was_zero = depth == 0 and vertex.zero_units[unit] != 0
    if not (exchange(problem, vertex, slot, depth, sample, unit) and keep_inverse(vertex)):
        return False
    find_zero_units(problem, vertex)
    find_resting(problem, vertex)
    if vertex.group_counts[RESTING] != 0:
        if old_depth >= 0 and vertex.vanishing[old_depth, old_unit, old_sample] != 0.0:
            # the point stays where it is
            return False
        if not is_first_met(problem, vertex, depth, sample, unit):
            return False
    if depth == 0 and vertex.zero_units[unit] != 0:
        # where a unit becomes 0 all its kinks are met at once, and their values are set anew; where it was 0 an
        # exchange of two of its own leaves the point where it is
        return not was_zero and settle_anew(problem, vertex)
    if vertex.scalars[AGE] < STEPS_A_SCAN and move(problem, vertex, distance):
        return True
    return settle_anew(problem, vertex)


@compiled
def is_kink(vertex: FloatVertex, slot: int, depth: int, sample: int, unit: int) -> bool:
    """Returns whether a slot holds a kink."""
    is_there = vertex.kinks[slot, 0] == depth and vertex.kinks[slot, 1] == sample
    return bool(is_there and vertex.kinks[slot, 2] == unit)


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
                if slot != leaving and is_kink(vertex, slot, 0, i, unit):
                    is_basic = True
            if not is_basic:
                return i
    return -1


@compiled
def enclose_moved_point(vertex: FloatVertex) -> float:
    """Bounds the error of θ as it is, the same for all components; returns the largest component."""
    n = vertex.matrix.shape[0]
    largest = bound_residual(vertex, True)
    total = 0.0
    for j in range(n):
        total += (vertex.column_sizes[j] + vertex.column_errors[j]) * vertex.residual[j]
    error = total * (1.0 + 8.0 * slack(n)) + TINY
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
            + 16.0 * ROUNDING * (abs(change) + abs(vertex.gradient[p]))
        ) * (1.0 + 16.0 * ROUNDING)
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
    u = ROUNDING
    sizes = vertex.column_sizes[slot] + abs(c) * vertex.column_sizes[other]
    row_level = vertex.row_levels[other] + (abs(c) + bound) * vertex.row_levels[slot]
    level = vertex.column_levels[slot] + abs(c) * vertex.column_levels[other] + 4.0 * u * sizes + bound / row_level
    vertex.row_levels[other] = row_level * (1.0 + 8.0 * u)
    vertex.column_levels[slot] = level * (1.0 + 16.0 * u) + TINY


@compiled
def exchange(problem: FloatProblem, vertex: FloatVertex, slot: int, depth: int, sample: int, unit: int) -> bool:
    """Puts another kink into a slot and last in the order: row, R by the rank-one update, bounds on the defect."""
    n = vertex.matrix.shape[0]
    if not set_row(problem, vertex, slot, depth, sample, unit, True):
        return False
    vertex.products[:] = 0.0
    for p in range(n):
        a = vertex.matrix[slot, p]
        if a != 0.0:
            for j in range(n):
                vertex.products[j] += a * vertex.inverse[p, j]
    pivot = vertex.products[slot]
    if not (abs(pivot) > 2.0**-100):
        return False
    vertex.products[slot] -= 1.0
    for j in range(n):
        vertex.column[j] = vertex.column_sizes[j]
        vertex.column_sizes[j] = 0.0
    for p in range(n):
        factor = vertex.inverse[p, slot] / pivot
        for j in range(n):
            r = vertex.inverse[p, j] - factor * vertex.products[j]
            vertex.inverse[p, j] = r
            vertex.column_sizes[j] = max(vertex.column_sizes[j], abs(r))
    bound_exchange(vertex, slot, pivot)
    vertex.kinks[slot, 0], vertex.kinks[slot, 1], vertex.kinks[slot, 2] = depth, sample, unit
    place = 0
    while vertex.order[place] != slot:
        place += 1
    for j in range(place, n - 1):
        vertex.order[j] = vertex.order[j + 1]
    vertex.order[n - 1] = slot
    return True


@compiled
def bound_exchange(vertex: FloatVertex, slot: int, pivot: float) -> None:
    """Bounds I - A R after a rank-one update by what it was: proofs/filter.md, 4.

    Args:
        vertex: with the new row, R and column sizes, and the old levels; `products` are w, `column` the old sizes.
        slot: of the new row.
        pivot: p.
    """
    n = vertex.matrix.shape[0]
    u = ROUNDING
    row_level = (vertex.row_sums[slot] + vertex.row_errors[slot]) * (1.0 + 2.0**-49)
    # of the new row's product with the old R, for a column of size 1 and a row of sum 1
    eta = (vertex.row_errors[slot] / row_level + slack(n)) * (1.0 + 2.0**-50)
    leaving, size = vertex.column_levels[slot], vertex.column[slot]
    for j in range(n):
        ratio = abs(vertex.products[j] / pivot)
        rounding = 4.0 * u * size * ratio + 2.0 * u * vertex.column_sizes[j]
        kept = vertex.column_levels[j] + leaving * ratio + rounding
        own = eta * (vertex.column[j] + size * ratio) + rounding
        if j == slot:
            kept = leaving / abs(pivot) + 2.0 * u * leaving * ratio + rounding
            own += 2.0 * u * abs(vertex.products[j]) / row_level
        vertex.column_levels[j] = max(kept, own) * (1.0 + 16.0 * u) + TINY
    vertex.row_levels[slot] = row_level
