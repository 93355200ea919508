"""Following recorded steps in float64: each is taken only if what it claims is certain. No pivot rule is asked.

Claims of a step: the flipped kinks vanish, the exchanged basis is a vertex of the cell, another point, and the loss
falls. All but the last are certain by section 5 of proofs/filter.md, the last by the sign of one multiplier (section
4).
"""

from exactdrl.arithmetic.float64.arrays import scan_rates
from exactdrl.arithmetic.float64.marks import compiled, exported
from exactdrl.arithmetic.float64.scan import TINY, slack
from exactdrl.arithmetic.float64.slopes import is_on, set_multipliers, tighten_column, tighten_slope
from exactdrl.arithmetic.float64.state import FLIPS, FloatProblem, FloatVertex, Indices, Slopes, Table
from exactdrl.arithmetic.float64.vertex import (
    FLIPS_A_GRADIENT,
    check_inverse,
    enclose_inverse,
    flip,
    go,
    is_kink,
    set_direction,
    set_gradient,
)


@compiled
def find_slot(vertex: FloatVertex, depth: int, sample: int, unit: int) -> int:
    """Returns the slot of a kink, -1 if it is not in the basis."""
    for slot in range(vertex.kinks.shape[0]):
        if is_kink(vertex, slot, depth, sample, unit):
            return slot
    return -1


@compiled
def falls(vertex: FloatVertex, slot: int) -> bool:
    """Returns whether the loss certainly falls along the cell's edge that leaves the kink in a slot."""
    if not check_inverse(vertex):
        return False
    n = vertex.matrix.shape[0]
    k, off = slack(n), vertex.column_errors[slot]
    slope, bound = 0.0, 0.0
    for i in range(n):
        g, error, r = vertex.gradient[i], vertex.gradient_errors[i], vertex.inverse[i, slot]
        slope += g * r
        bound += k * abs(g * r) + error * abs(r) + off * (abs(g) + error)
    bound = bound * (1.0 + 8.0 * k) + TINY
    return (slope if is_on(vertex, slot) else -slope) < -bound * (1.0 + 4.0 * k)


@compiled
def falls_tightly(vertex: FloatVertex, slopes: Slopes, slot: int) -> bool:
    """Returns the same by the bounds that the pivot rules use, which cost n²."""
    if not check_inverse(vertex):
        return False
    set_multipliers(vertex, slopes)
    tighten_column(vertex, slopes, slot)
    tighten_slope(vertex, slopes, slot)
    slope = slopes.multipliers[slot]
    return bool((slope if is_on(vertex, slot) else -slope) < -slopes.bounds[slot])


@compiled
def follow_step(
    problem: FloatProblem, vertex: FloatVertex, slopes: Slopes, leaving: int, depth: int, sample: int, unit: int
) -> bool:
    """Goes along the cell's edge that leaves a slot's kink to where another kink vanishes, if all is certain."""
    if not falls(vertex, leaving) and not falls_tightly(vertex, slopes, leaving):
        # perhaps only the accumulated rounding
        if not enclose_inverse(vertex):
            return False
        set_gradient(problem, vertex)
        if not falls_tightly(vertex, slopes, leaving):
            return False
    sign = 1.0 if is_on(vertex, leaving) else -1.0
    set_direction(vertex, leaving, sign)
    # the kink that is met is given
    scan_rates(problem, vertex)
    rate = vertex.rates[depth, unit, sample]
    distance = -vertex.values[depth, unit, sample] / rate if rate != 0.0 else 0.0
    return go(problem, vertex, leaving, distance, depth, sample, unit)


@exported
def follow_steps(
    problem: FloatProblem, vertex: FloatVertex, slopes: Slopes, steps: Table, ends: Indices, flips: Table
) -> int:
    """Takes steps as long as each is certain; returns how many it took.

    After fewer than all, masks, kinks and order are those of the last vertex; everything else is to be computed anew.

    Args:
        problem: the data.
        vertex: after `load` and `begin`.
        slopes: room for them.
        steps: (count, 6), leaving and entering kink as depth, sample, unit; each of the problem.
        ends: (count,), where each step's flips end in `flips`.
        flips: (total, 3), kinks of the problem.
    """
    n = vertex.kinks.shape[0]
    begin, taken = 0, 0
    for step in range(steps.shape[0]):
        if vertex.scalars[FLIPS] > FLIPS_A_GRADIENT:
            set_gradient(problem, vertex)
        sound, done = True, begin
        for entry in range(begin, ends[step]):
            slot = find_slot(vertex, flips[entry, 0], flips[entry, 1], flips[entry, 2])
            # at a regular vertex only the basis' kinks vanish
            if slot < 0:
                sound = False
                break
            done = entry + 1
            if not flip(problem, vertex, slot):
                sound = False
                break
        leaving = find_slot(vertex, steps[step, 0], steps[step, 1], steps[step, 2])
        depth, sample, unit = steps[step, 3], steps[step, 4], steps[step, 5]
        for place in range(n):
            vertex.order_before[place] = vertex.order[place]
        if (
            not sound
            or leaving < 0
            or find_slot(vertex, depth, sample, unit) >= 0
            or not follow_step(problem, vertex, slopes, leaving, depth, sample, unit)
        ):
            # back to the vertex before
            if leaving >= 0:
                for part in range(3):
                    vertex.kinks[leaving, part] = steps[step, part]
            for place in range(n):
                vertex.order[place] = vertex.order_before[place]
            for entry in range(begin, done):
                depth, sample, unit = flips[entry, 0], flips[entry, 1], flips[entry, 2]
                vertex.masks[depth, unit, sample] = 1.0 - vertex.masks[depth, unit, sample]
            break
        begin = ends[step]
        taken += 1
    return taken
