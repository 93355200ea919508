"""Slopes along a vertex's 2n edges in float64, with rigorous bounds; which are negative and which is steepest.

Theorem and proof: proofs/filter.md, sections 4 and 6.
"""

from math import inf, sqrt

from exactdrl.arithmetic.float64.cancel import can_cancel, is_cancelled, prepare
from exactdrl.arithmetic.float64.coefficients import fold_coefficient, gradient_jump
from exactdrl.arithmetic.float64.marks import compiled
from exactdrl.arithmetic.float64.scan import ROUNDING, TINY, slack
from exactdrl.arithmetic.float64.state import SIGNS, STEEPEST_EDGES, FloatProblem, FloatVertex, Slopes
from exactdrl.arithmetic.float64.structure import find_zero_slopes

# How a choice of the edge ended
CHOSEN, NO_EDGE, UNSURE_SIGN, UNSURE_STEEPEST = 0, 1, 2, 3
NEGATIVE, NOT_NEGATIVE, UNSURE = 1, -1, 0
# With more rivals than these for the steepest edge, the inverse is enclosed anew rather than their columns one by one
MOST_RIVALS = 8


@compiled
def is_on(vertex: FloatVertex, slot: int) -> bool:
    """Returns whether the kink in a slot is on."""
    return bool(vertex.masks[vertex.kinks[slot, 0], vertex.kinks[slot, 2], vertex.kinks[slot, 1]] != 0.0)


@compiled
def set_slopes(vertex: FloatVertex, slopes: Slopes) -> None:
    """Computes multipliers and slopes in the cell; those across are computed when they are asked for."""
    set_multipliers(vertex, slopes)
    slopes.across_bounds[:] = -1.0
    slopes.known[0] = 0
    for j in range(vertex.matrix.shape[0]):
        slopes.inside[j] = slopes.multipliers[j] if is_on(vertex, j) else -slopes.multipliers[j]


@compiled
def set_multipliers(vertex: FloatVertex, slopes: Slopes) -> None:
    """Computes multipliers with their bounds, and the squared lengths of the columns."""
    n = vertex.matrix.shape[0]
    slopes.multipliers[:] = 0.0
    slopes.squares[:] = 0.0
    for i in range(n):
        g = vertex.gradient[i]
        for j in range(n):
            r = vertex.inverse[i, j]
            slopes.multipliers[j] += g * r
            slopes.squares[j] += r * r
    bound_slopes(vertex, slopes)


@compiled
def bound_slopes(vertex: FloatVertex, slopes: Slopes) -> None:
    """Bounds the errors of the multipliers."""
    n = vertex.matrix.shape[0]
    k = slack(n)
    for i in range(n):
        vertex.residual[i] = vertex.gradient[i]
        vertex.terms[i] = abs(vertex.gradient[i])
    row_rest = 0.0
    for j in range(n):
        multiplier = slopes.multipliers[j]
        row_rest += abs(multiplier) * vertex.row_errors[j]
        for i in range(n):
            term = multiplier * vertex.matrix[j, i]
            vertex.residual[i] -= term
            vertex.terms[i] += abs(term)
    total = row_rest
    for i in range(n):
        rest = abs(vertex.residual[i]) + vertex.gradient_errors[i] + k * vertex.terms[i]
        slopes.rests[i] = rest
        total += rest
    slopes.row_rest[0] = row_rest
    factor, root = total * (1.0 + 4.0 * k), sqrt(1.0 * n)
    for j in range(n):
        slopes.length_errors[j] = root * vertex.column_errors[j]
        slopes.bounds[j] = factor * (vertex.column_sizes[j] + vertex.column_errors[j]) * (1.0 + 4.0 * k) + TINY


@compiled
def copy_column(vertex: FloatVertex, slot: int) -> None:
    """Copies one column of R into `column`."""
    for i in range(vertex.column.shape[0]):
        vertex.column[i] = vertex.inverse[i, slot]


@compiled
def tighten_column(vertex: FloatVertex, slopes: Slopes, slot: int) -> None:
    """Bounds the error of one column of R by its residual, which is less than what the levels say."""
    n = vertex.matrix.shape[0]
    k, root = slack(n), sqrt(1.0 * n)
    copy_column(vertex, slot)
    size = vertex.column_sizes[slot]
    error, length_error = 0.0, 0.0
    for i in range(n):
        residual = 1.0 if i == slot else 0.0
        terms = residual
        for p in range(n):
            term = vertex.matrix[i, p] * vertex.column[p]
            residual -= term
            terms += abs(term)
        own = abs(residual) + k * terms + vertex.row_errors[i] * size
        error += (vertex.column_sizes[i] + vertex.column_errors[i]) * own
        length_error += (sqrt(slopes.squares[i]) * (1.0 + k) + root * vertex.column_errors[i]) * own
    vertex.column_errors[slot] = min(vertex.column_errors[slot], error * (1.0 + 4.0 * k) + TINY)
    slopes.length_errors[slot] = min(slopes.length_errors[slot], length_error * (1.0 + 8.0 * k) + 2.0**-300)


@compiled
def tighten_slope(vertex: FloatVertex, slopes: Slopes, slot: int) -> None:
    """Bounds the error of one multiplier by its column, entry by entry, whose error is to be tight already."""
    n = vertex.matrix.shape[0]
    k = slack(n)
    error, total = slopes.row_rest[0] * vertex.column_sizes[slot], slopes.row_rest[0]
    for i in range(n):
        error += slopes.rests[i] * abs(vertex.inverse[i, slot])
        total += slopes.rests[i]
    error = (error + total * vertex.column_errors[slot]) * (1.0 + 8.0 * k) + TINY
    slopes.bounds[slot] = min(slopes.bounds[slot], error)


@compiled
def set_across(problem: FloatProblem, vertex: FloatVertex, slopes: Slopes, slot: int) -> None:
    """Computes the slope along the edge on the other side of the kink in a slot, with its bound, unless it is there."""
    if slopes.across_bounds[slot] >= 0.0:
        return
    if slopes.known[0] != 0 and (slopes.off_zero[slot] if is_on(vertex, slot) else slopes.on_zero[slot]) != 0:
        slopes.across[slot] = 0.0
        slopes.across_bounds[slot] = 0.0
        return
    jump, bound = gradient_jump(problem, vertex, slot)
    slope, error = slopes.multipliers[slot] + jump, slopes.bounds[slot] + bound
    size, terms = abs(slopes.multipliers[slot]) + abs(jump), 2
    for other in range(vertex.matrix.shape[0]):
        if vertex.kinks[other, 1] == vertex.kinks[slot, 1] and vertex.kinks[other, 0] > vertex.kinks[slot, 0]:
            c, e = fold_coefficient(problem, vertex, slot, other)
            multiplier = slopes.multipliers[other]
            slope -= c * multiplier
            error += abs(c) * slopes.bounds[other] + e * (abs(multiplier) + slopes.bounds[other])
            size += abs(c * multiplier)
            terms += 1
    k = slack(terms)
    slopes.across[slot] = -slope if is_on(vertex, slot) else slope
    slopes.across_bounds[slot] = (error + k * size) * (1.0 + 4.0 * k) + TINY


@compiled
def clear_zeros(problem: FloatProblem, vertex: FloatVertex, slopes: Slopes) -> None:
    """Finds slopes that are 0 by structure and sets them, and their bounds, to 0; those too that are given."""
    find_zero_slopes(problem, vertex, slopes)
    slopes.known[0] = 1
    for slot in range(slopes.inside.shape[0]):
        here, there = slopes.off_zero[slot], slopes.on_zero[slot]
        if is_on(vertex, slot):
            here, there = there, here
        here, there = max(here, slopes.given[2 * slot]), max(there, slopes.given[2 * slot + 1])
        if here != 0:
            slopes.multipliers[slot] = 0.0
            slopes.inside[slot] = 0.0
            slopes.bounds[slot] = 0.0
        if there != 0:
            slopes.across[slot] = 0.0
            slopes.across_bounds[slot] = 0.0
    if can_cancel(problem):
        clear_cancelled(problem, vertex, slopes)


@compiled
def clear_cancelled(problem: FloatProblem, vertex: FloatVertex, slopes: Slopes) -> None:
    """Sets slopes whose signs are not certain, and their bounds, to 0 where the edge's changes certainly cancel."""
    prepare(problem, vertex, slopes)
    for slot in range(slopes.inside.shape[0]):
        if sign_of(slopes, 2 * slot) == 0 and is_cancelled(problem, vertex, slopes, slot, False):
            slopes.multipliers[slot] = 0.0
            slopes.inside[slot] = 0.0
            slopes.bounds[slot] = 0.0
    for slot in range(slopes.inside.shape[0]):
        set_across(problem, vertex, slopes, slot)
        if sign_of(slopes, 2 * slot + 1) == 0 and is_cancelled(problem, vertex, slopes, slot, True):
            slopes.across[slot] = 0.0
            slopes.across_bounds[slot] = 0.0


@compiled
def sign_of(slopes: Slopes, edge: int) -> int:
    """Returns NEGATIVE or NOT_NEGATIVE where that is certain of an edge's slope, else UNSURE.

    A bound of 0 marks a slope that is 0 by structure. Written so that a NaN is unsure.
    """
    slot = edge // 2
    value, bound = slopes.inside[slot], slopes.bounds[slot]
    if edge % 2 == 1:
        value, bound = slopes.across[slot], slopes.across_bounds[slot]
    if value < -bound:
        return 1
    if value > bound or (bound == 0.0 and value == 0.0):
        return -1
    return 0


@compiled
def has_deeper(vertex: FloatVertex, slot: int) -> bool:
    """Returns whether a flip of the kink in a slot changes the row of another."""
    depth, sample = vertex.kinks[slot, 0], vertex.kinks[slot, 1]
    for other in range(vertex.kinks.shape[0]):
        if vertex.kinks[other, 1] == sample and vertex.kinks[other, 0] > depth:
            return True
    return False


@compiled
def direction_length(problem: FloatProblem, vertex: FloatVertex, slopes: Slopes, edge: int) -> tuple[float, float]:
    """Returns the length of an edge's direction, and a bound on its error."""
    n = vertex.matrix.shape[0]
    slot = edge // 2
    if edge % 2 == 0 or not has_deeper(vertex, slot):
        length = sqrt(slopes.squares[slot])
        bound = slopes.length_errors[slot] + slack(n) * length
        return length, bound * (1.0 + 4.0 * slack(n)) + 2.0**-300
    copy_column(vertex, slot)
    error = slopes.length_errors[slot]
    longest, terms = sqrt(slopes.squares[slot]), 1
    for other in range(n):
        if vertex.kinks[other, 1] == vertex.kinks[slot, 1] and vertex.kinks[other, 0] > vertex.kinks[slot, 0]:
            c, e = fold_coefficient(problem, vertex, slot, other)
            for i in range(n):
                vertex.column[i] -= c * vertex.inverse[i, other]
            other_length = sqrt(slopes.squares[other])
            error += abs(c) * slopes.length_errors[other] + e * (other_length + slopes.length_errors[other])
            longest += abs(c) * other_length
            terms += 1
    # entry by entry the partial sums stay below what the columns' sizes sum to; each of the operations rounds once
    error += slack(terms) * longest
    total = 0.0
    for i in range(n):
        total += vertex.column[i] * vertex.column[i]
    length = sqrt(total)
    k = slack(n)
    return length, (k * length + error) * (1.0 + 8.0 * k) + 2.0**-300


@compiled
def tighten_edge(problem: FloatProblem, vertex: FloatVertex, slopes: Slopes, edge: int) -> None:
    """Bounds anew the errors of the columns that make up an edge's direction, and of their slopes."""
    slot = edge // 2
    tighten_column(vertex, slopes, slot)
    tighten_slope(vertex, slopes, slot)
    if edge % 2 == 1:
        for other in range(vertex.kinks.shape[0]):
            if vertex.kinks[other, 1] == vertex.kinks[slot, 1] and vertex.kinks[other, 0] > vertex.kinks[slot, 0]:
                tighten_column(vertex, slopes, other)
                tighten_slope(vertex, slopes, other)
        slopes.across_bounds[slot] = -1.0
        set_across(problem, vertex, slopes, slot)


@compiled
def find_steepest(problem: FloatProblem, vertex: FloatVertex, slopes: Slopes, count: int) -> int:
    """Returns the place of the certainly steepest of the first `count` of `edges`, -1 where it is not certain.

    At least one of them has a certainly negative slope; those of others may turn out not to be negative: an edge that
    is certainly steeper than they could be is the steepest improving one all the same. Where few come near, their
    columns' errors are bounded by residuals, which costs n² each, and their slopes' by these columns.
    """
    if count == 1:
        return 0
    best = bound_steepness(problem, vertex, slopes, count)
    for attempt in range(2):
        rivals = 0
        for place in range(count):
            # written so that a NaN is a rival
            rivals += place != best and not (slopes.upper[place] < slopes.lower[best])
        if rivals == 0:
            return best if sign_of(slopes, slopes.edges[best]) == 1 else -1
        if attempt == 1 or rivals > MOST_RIVALS:
            return -1
        bar = slopes.lower[best]
        for place in range(count):
            if place == best or not (slopes.upper[place] < bar):
                tighten_edge(problem, vertex, slopes, slopes.edges[place])
        best = bound_steepness(problem, vertex, slopes, count)
    return -1


@compiled
def bound_steepness(problem: FloatProblem, vertex: FloatVertex, slopes: Slopes, count: int) -> int:
    """Fills in bounds on |slope| / length of the first of `edges`; returns the place of the highest lower one."""
    best = 0
    for place in range(count):
        edge = slopes.edges[place]
        slot = edge // 2
        slope, bound = abs(slopes.inside[slot]), slopes.bounds[slot]
        if edge % 2 == 1:
            slope, bound = abs(slopes.across[slot]), slopes.across_bounds[slot]
        length, error = direction_length(problem, vertex, slopes, edge)
        # a length that is not certain decides nothing; written so that a NaN does not either
        slopes.lower[place], slopes.upper[place] = 0.0, inf
        if not (length > 2.0 * error and length < 2.0**300):
            continue
        slopes.lower[place] = (slope - bound) / (length + error) * (1.0 - 16.0 * ROUNDING)
        slopes.upper[place] = (slope + bound) / (length - error) * (1.0 + 16.0 * ROUNDING)
        if slopes.lower[place] > slopes.lower[best]:
            best = place
    return best


@compiled
def choose_cumulative(problem: FloatProblem, vertex: FloatVertex, slopes: Slopes) -> tuple[int, int, int]:
    """Returns how the published rule's choice ended, the chosen edge's slot, and the number of flips before it.

    CHOSEN without flips: the published rule stops, and the one edge that it never looks at improves.
    """
    n = vertex.matrix.shape[0]
    count = 1
    while count <= n:
        set_across(problem, vertex, slopes, vertex.order[count - 1])
        vertex.scalars[SIGNS] += n
        total, sure = 0, 0
        for place in range(n):
            edge = 2 * vertex.order[place] + (1 if place < count else 0)
            sign = sign_of(slopes, edge)
            if sign >= 0:
                slopes.edges[total] = edge
                total += 1
                sure += sign
        if total > 0 and sure == 0:
            # whether the rule goes on flipping hangs on signs that are not certain
            if slopes.known[0] != 0:
                return UNSURE_SIGN, -1, 0
            clear_zeros(problem, vertex, slopes)
            continue
        if total > 0:
            best = find_steepest(problem, vertex, slopes, total)
            if best < 0:
                return UNSURE_STEEPEST, -1, 0
            vertex.scalars[STEEPEST_EDGES] += 1.0
            return CHOSEN, slopes.edges[best] // 2, count
        count += 1
    sign = sign_of(slopes, 2 * vertex.order[0])
    if sign == 0:
        return UNSURE_SIGN, -1, 0
    return (CHOSEN if sign > 0 else NO_EDGE), vertex.order[0], 0


@compiled
def choose_among_all(
    problem: FloatProblem, vertex: FloatVertex, slopes: Slopes, takes_first: bool
) -> tuple[int, int, int]:
    """Returns how the choice of the steepest edge, or of the first in address order, ended; the slot; the flips.

    Edges that are marked as blocked are no candidates.
    """
    n = vertex.matrix.shape[0]
    order_slots(vertex, slopes)
    for _ in range(2):
        total, sure = 0, 0
        for place in range(2 * n):
            slot = slopes.slots[place // 2]
            if place % 2 == 1:
                set_across(problem, vertex, slopes, slot)
            if slopes.blocked[2 * slot + place % 2] != 0:
                continue
            sign = sign_of(slopes, 2 * slot + place % 2)
            vertex.scalars[SIGNS] += 1.0
            if sign >= 0:
                slopes.edges[total] = 2 * slot + place % 2
                total += 1
                sure += sign
                if takes_first:
                    break
        if total == 0:
            return NO_EDGE, -1, 0
        if sure > 0:
            best = find_steepest(problem, vertex, slopes, total)
            if best < 0:
                return UNSURE_STEEPEST, -1, 0
            vertex.scalars[STEEPEST_EDGES] += 1.0
            return CHOSEN, slopes.edges[best] // 2, slopes.edges[best] % 2
        if slopes.known[0] == 0:
            clear_zeros(problem, vertex, slopes)
    return UNSURE_SIGN, -1, 0


@compiled
def order_slots(vertex: FloatVertex, slopes: Slopes) -> None:
    """Puts the slots into the address order of their kinks."""
    for slot in range(vertex.kinks.shape[0]):
        place = slot
        while place > 0 and comes_before(vertex, slot, slopes.slots[place - 1]):
            slopes.slots[place] = slopes.slots[place - 1]
            place -= 1
        slopes.slots[place] = slot


@compiled
def comes_before(vertex: FloatVertex, slot: int, other: int) -> bool:
    """Returns whether the address (depth, sample, unit) of one slot's kink is smaller than another's."""
    for part in range(3):
        if vertex.kinks[slot, part] != vertex.kinks[other, part]:
            return bool(vertex.kinks[slot, part] < vertex.kinks[other, part])
    return False
