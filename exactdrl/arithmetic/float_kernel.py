"""Whole steps of a walk in float64, each of whose decisions is certain; the first that is not ends the run.

The kernel follows the pivot rules of exactdrl.walk.rules and the exact arithmetic's edges step by step. Signs are certain when they exceed their bound,
comparisons when intervals do not meet, the ratio test when the next vertex certainly lies in the cell with no other kink active there
(proofs/filter.md). Floats decide nothing else.
"""

import numpy as np

from exactdrl.arithmetic.compiling import compiled
from exactdrl.arithmetic.float_problem import FloatProblem
from exactdrl.arithmetic.float_scan import Floats, Integers, propose_first, scan_rates, slack
from exactdrl.arithmetic.float_structure import find_zero_slopes
from exactdrl.arithmetic.float_vertex import (
    FloatVertex,
    enclose_inverse,
    exchange,
    flip,
    fold_coefficient,
    gradient_jump,
    set_gradient,
    set_row,
    settle,
)

REFERENCE, STEEPEST, FIRST = 0, 1, 2
# Columns of the table of steps: flips, leaving kink, entering kink, published stop
RECORD = 8
# Kinds of decisions, as counted
SLOPE_SIGN, STEEPER, FIRST_KINK = 0, 1, 2
# How a run ended
FULL, NO_EDGE, UNSURE_SIGN, UNSURE_STEEPEST, UNSURE_FIRST = 0, 1, 2, 3, 4


@compiled
def load(problem: FloatProblem, vertex: FloatVertex) -> bool:
    """Computes rows and gradient for the masks, kinks and order that have been put in."""
    for slot in range(vertex.kinks.shape[0]):
        if not set_row(
            problem, vertex, slot, vertex.kinks[slot, 0], vertex.kinks[slot, 1], vertex.kinks[slot, 2], True
        ):
            return False
    set_gradient(problem, vertex)
    return True


@compiled
def begin(problem: FloatProblem, vertex: FloatVertex) -> bool:
    """Encloses inverse and point, once R is a first approximation; True if the vertex is certainly regular."""
    return enclose_inverse(vertex) and settle(problem, vertex)


@compiled
def cell_slopes(vertex: FloatVertex, slopes: Floats, bounds: Floats, column_errors: Floats) -> None:
    """Fills in gradient · A⁻¹ with bounds, and a bound on the error of each entry of a column of R. Proofs/filter.md, 4."""
    n = vertex.matrix.shape[0]
    k = slack(n)
    sizes, largest = np.zeros(n), np.zeros(n)
    total = 0.0
    for j in range(n):
        slopes[j] = 0.0
        bounds[j] = 0.0
    for i in range(n):
        g, e = vertex.gradient[i], vertex.gradient_errors[i]
        size = abs(g)
        total += size + e
        row = vertex.inverse[i]
        for j in range(n):
            r = row[j]
            a = abs(r)
            slopes[j] += g * r
            sizes[j] += size * a
            bounds[j] += e * a
            largest[j] = max(largest[j], a)
    ratio = vertex.scalars[0] / (1.0 - vertex.scalars[0]) * (1.0 + 2.0**-50)
    for j in range(n):
        column_errors[j] = ratio * largest[j] + 2.0**-700
        bounds[j] = (column_errors[j] * total + bounds[j] + k * sizes[j]) * (1.0 + 4.0 * k) + 2.0**-700


@compiled
def is_unsure(value: float, bound: float) -> bool:
    """Returns whether a value's sign is not certain; a bound of 0 marks a value that is 0 for certain. A NaN is not certain."""
    return not (abs(value) > bound or bound == 0.0)


@compiled
def any_unsure(slopes: Floats, bounds: Floats) -> bool:
    """Returns whether the sign of any slope is not certain."""
    for j in range(slopes.shape[0]):
        if is_unsure(slopes[j], bounds[j]):
            return True
    return False


@compiled
def clear_zero_slopes(
    vertex: FloatVertex, slopes: Floats, bounds: Floats, off_zero: Integers, on_zero: Integers
) -> None:
    """Sets multipliers that are 0 by structure, and their bounds, to 0."""
    for slot in range(slopes.shape[0]):
        if (on_zero[slot] if is_on(vertex, slot) else off_zero[slot]) != 0:
            slopes[slot] = 0.0
            bounds[slot] = 0.0


@compiled
def is_on(vertex: FloatVertex, slot: int) -> bool:
    """Returns whether the kink in a slot is on."""
    return bool(vertex.masks[vertex.kinks[slot, 0], vertex.kinks[slot, 2], vertex.kinks[slot, 1]] != 0.0)


@compiled
def across_slope(
    problem: FloatProblem, vertex: FloatVertex, slot: int, slopes: Floats, bounds: Floats
) -> tuple[float, float]:
    """Returns the slope along the edge on the other side of the kink in a slot, with its bound."""
    n = vertex.matrix.shape[0]
    jump, bound = gradient_jump(problem, vertex, slot)
    slope, error, size, terms = slopes[slot] + jump, bounds[slot] + bound, abs(slopes[slot]) + abs(jump), 2
    for other in range(n):
        if vertex.kinks[other, 1] == vertex.kinks[slot, 1] and vertex.kinks[other, 0] > vertex.kinks[slot, 0]:
            c, e = fold_coefficient(problem, vertex, slot, other)
            slope -= c * slopes[other]
            error += abs(c) * bounds[other] + e * (abs(slopes[other]) + bounds[other])
            size += abs(c * slopes[other])
            terms += 1
    if error == 0.0 and size == 0.0:
        return 0.0, 0.0
    k = slack(terms)
    error = (error + k * size) * (1.0 + 4.0 * k) + 2.0**-700
    return (-slope if is_on(vertex, slot) else slope), error


@compiled
def direction_length(
    problem: FloatProblem, vertex: FloatVertex, slot: int, across: bool, column_errors: Floats
) -> tuple[float, float]:
    """Returns the length of an edge's direction, and a bound on its error."""
    n = vertex.matrix.shape[0]
    column = vertex.inverse[:, slot].copy()
    error = column_errors[slot]
    terms = 1
    if across:
        for other in range(n):
            if vertex.kinks[other, 1] == vertex.kinks[slot, 1] and vertex.kinks[other, 0] > vertex.kinks[slot, 0]:
                c, e = fold_coefficient(problem, vertex, slot, other)
                largest = 0.0
                for i in range(n):
                    r = vertex.inverse[i, other]
                    column[i] -= c * r
                    largest = max(largest, abs(r))
                terms += 1
                error += abs(c) * column_errors[other] + e * (largest + column_errors[other])
                # rounding of the two operations for each entry, on the sizes that took part
                error += 8.0 * 2.0**-53 * abs(c) * largest
        largest = 0.0
        for i in range(n):
            largest = max(largest, abs(column[i]), abs(vertex.inverse[i, slot]))
        error += terms * 8.0 * 2.0**-53 * largest
    total = 0.0
    for i in range(n):
        total += column[i] * column[i]
    length = np.sqrt(total)
    k = slack(n)
    return length, (k * length + np.sqrt(float(n)) * error) * (1.0 + 4.0 * k) + 2.0**-300


@compiled
def choose_steepest(
    problem: FloatProblem,
    vertex: FloatVertex,
    candidates: Integers,
    count: int,
    slopes: Floats,
    bounds: Floats,
    across: Floats,
    across_bounds: Floats,
    column_errors: Floats,
) -> int:
    """Returns the place of the certainly steepest of the first `count` candidates, -1 where it is not certain.

    A candidate is 2 · slot, and one more for the edge on the other side; all have certainly negative slopes.
    """
    if count == 1:
        return 0
    lower, upper = np.zeros(count), np.zeros(count)
    best = 0
    for place in range(count):
        slot, side = candidates[place] // 2, candidates[place] % 2 == 1
        slope, bound = (abs(across[slot]), across_bounds[slot]) if side else (abs(slopes[slot]), bounds[slot])
        length, error = direction_length(problem, vertex, slot, side, column_errors)
        if not (length > 2.0 * error and length < 2.0**300):
            return -1
        lower[place] = (slope - bound) / (length + error) * (1.0 - 16.0 * 2.0**-53)
        upper[place] = (slope + bound) / (length - error) * (1.0 + 16.0 * 2.0**-53)
        if lower[place] > lower[best]:
            best = place
    for place in range(count):
        if place != best and not (upper[place] < lower[best]):
            return -1
    return best


@compiled
def walk_steps(
    problem: FloatProblem, vertex: FloatVertex, rule: int, limit: int, records: Integers, flips: Integers, counts: Integers
) -> tuple[int, int, int]:
    """Takes up to `limit` certain steps; returns how many, how it ended, and the number of entries of `flips` that are filled.

    After an end that is not FULL, masks, kinks and order are those of the last vertex, everything else is to be computed anew.

    Args:
        problem: the data.
        vertex: after `load` and `begin`.
        rule: REFERENCE, STEEPEST or FIRST.
        limit: rows that `records` has, n times that many that `flips` has at least.
        records: (limit, RECORD), filled in.
        flips: (any, 3), filled in: the kinks flipped by one step after another.
        counts: decisions that were certain, by kind; added to.
    """
    n = vertex.kinks.shape[0]
    slopes, bounds, column_errors = np.zeros(n), np.zeros(n), np.zeros(n)
    inside, across, across_bounds = np.zeros(n), np.zeros(n), np.zeros(n)
    candidates = np.zeros(2 * n, dtype=np.int64)
    sorted_slots = np.zeros(n, dtype=np.int64)
    direction = np.zeros(n)
    off_zero, on_zero = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    filled = 0
    for step in range(limit):
        if vertex.scalars[1] > 512.0:
            set_gradient(problem, vertex)
        cell_slopes(vertex, slopes, bounds, column_errors)
        zeros_known = False
        if any_unsure(slopes, bounds):
            find_zero_slopes(problem, vertex, off_zero, on_zero)
            zeros_known = True
            clear_zero_slopes(vertex, slopes, bounds, off_zero, on_zero)
            if vertex.scalars[1] > 0.0 and any_unsure(slopes, bounds):
                # perhaps only the gradient's accumulated rounding
                set_gradient(problem, vertex)
                cell_slopes(vertex, slopes, bounds, column_errors)
                clear_zero_slopes(vertex, slopes, bounds, off_zero, on_zero)
        for slot in range(n):
            inside[slot] = slopes[slot] if is_on(vertex, slot) else -slopes[slot]
        # -- the pivot rule: which kinks flip, which one leaves
        flipped, leaving, published_stop = 0, -1, 0
        if rule == 0:
            improving = 0
            for count in range(1, n + 1):
                slot = vertex.order[count - 1]
                across[slot], across_bounds[slot] = across_slope(problem, vertex, slot, slopes, bounds)
                if is_unsure(across[slot], across_bounds[slot]):
                    if not zeros_known:
                        find_zero_slopes(problem, vertex, off_zero, on_zero)
                        zeros_known = True
                    if (off_zero[slot] if is_on(vertex, slot) else on_zero[slot]) == 0:
                        return step, 2, filled
                    across[slot] = 0.0
                counts[0] += 1
                if across[slot] < 0.0:
                    candidates[improving] = 2 * slot + 1
                    improving += 1
                total = improving
                for place in range(count, n):
                    other = vertex.order[place]
                    if is_unsure(inside[other], bounds[other]):
                        return step, 2, filled
                    if inside[other] < 0.0:
                        candidates[total] = 2 * other
                        total += 1
                if count == 1:
                    counts[0] += n - 1
                if total > 0:
                    best = choose_steepest(
                        problem, vertex, candidates, total, slopes, bounds, across, across_bounds, column_errors
                    )
                    if best < 0:
                        return step, 3, filled
                    counts[1] += 1
                    leaving = candidates[best] // 2
                    flipped = count
                    break
            if leaving < 0:
                slot = vertex.order[0]
                if is_unsure(inside[slot], bounds[slot]):
                    return step, 2, filled
                counts[0] += 1
                if inside[slot] >= 0.0:
                    return step, 1, filled
                leaving, published_stop = slot, 1
        else:
            order_slots(vertex, sorted_slots)
            total = 0
            for place in range(n):
                slot = sorted_slots[place]
                if is_unsure(inside[slot], bounds[slot]):
                    return step, 2, filled
                counts[0] += 1
                if inside[slot] < 0.0:
                    candidates[total] = 2 * slot
                    total += 1
                    if rule == 2:
                        break
                across[slot], across_bounds[slot] = across_slope(problem, vertex, slot, slopes, bounds)
                if is_unsure(across[slot], across_bounds[slot]):
                    if not zeros_known:
                        find_zero_slopes(problem, vertex, off_zero, on_zero)
                        zeros_known = True
                    if (off_zero[slot] if is_on(vertex, slot) else on_zero[slot]) == 0:
                        return step, 2, filled
                    across[slot] = 0.0
                counts[0] += 1
                if across[slot] < 0.0:
                    candidates[total] = 2 * slot + 1
                    total += 1
                    if rule == 2:
                        break
            if total == 0:
                return step, 1, filled
            best = choose_steepest(
                problem, vertex, candidates, total, slopes, bounds, across, across_bounds, column_errors
            )
            if best < 0:
                return step, 3, filled
            counts[1] += 1
            leaving = candidates[best] // 2
            flipped = candidates[best] % 2
        # -- flips; for the rules other than reference the leaving kink alone
        begin_of_flips = filled
        sound = True
        for count in range(flipped):
            slot = vertex.order[count] if rule == 0 else leaving
            for part in range(3):
                flips[filled, part] = vertex.kinks[slot, part]
            filled += 1
            sound = sound and flip(problem, vertex, slot)
        # -- the ratio test: a proposal, then the proof at the next vertex
        old_depth, old_sample, old_unit = vertex.kinks[leaving, 0], vertex.kinks[leaving, 1], vertex.kinks[leaving, 2]
        old_place = 0
        while vertex.order[old_place] != leaving:
            old_place += 1
        sign = 1.0 if is_on(vertex, leaving) else -1.0
        for i in range(n):
            direction[i] = sign * vertex.inverse[i, leaving]
        scan_rates(problem.widths, problem.inputs, problem.weights, vertex.masks, direction, vertex.rates)
        depth, unit, sample = propose_first(problem.widths, vertex.values, vertex.rates)
        exchanged = False
        if sound and depth >= 0:
            exchanged = exchange(problem, vertex, leaving, depth, sample, unit)
            sound = exchanged and enclose_inverse(vertex) and settle(problem, vertex)
        if not sound or depth < 0:
            # back to the combinatorics of the vertex before
            if exchanged:
                for place in range(n - 1, old_place, -1):
                    vertex.order[place] = vertex.order[place - 1]
                vertex.order[old_place] = leaving
                vertex.kinks[leaving, 0], vertex.kinks[leaving, 1] = old_depth, old_sample
                vertex.kinks[leaving, 2] = old_unit
            for entry in range(begin_of_flips, filled):
                d, s, u = flips[entry, 0], flips[entry, 1], flips[entry, 2]
                vertex.masks[d, u, s] = 1.0 - vertex.masks[d, u, s]
            return step, 4, begin_of_flips
        counts[2] += 1
        records[step, 0] = flipped
        records[step, 1], records[step, 2], records[step, 3] = old_depth, old_sample, old_unit
        records[step, 4], records[step, 5], records[step, 6] = depth, sample, unit
        records[step, 7] = published_stop
    return limit, 0, filled


@compiled
def order_slots(vertex: FloatVertex, sorted_slots: Integers) -> None:
    """Fills in the slots in the address order of their kinks."""
    n = sorted_slots.shape[0]
    for slot in range(n):
        place = slot
        while place > 0:
            other = sorted_slots[place - 1]
            if (
                vertex.kinks[other, 0] < vertex.kinks[slot, 0]
                or (
                    vertex.kinks[other, 0] == vertex.kinks[slot, 0]
                    and (
                        vertex.kinks[other, 1] < vertex.kinks[slot, 1]
                        or (
                            vertex.kinks[other, 1] == vertex.kinks[slot, 1]
                            and vertex.kinks[other, 2] < vertex.kinks[slot, 2]
                        )
                    )
                )
            ):
                break
            sorted_slots[place] = other
            place -= 1
        sorted_slots[place] = slot
