"""Whole steps of a walk in float64, each of whose decisions is certain; the first that is not ends the run.

The kernel follows the pivot rules of exactdrl.walks.rules step by step. Signs are certain when they exceed their
bounds, comparisons when intervals do not meet, the ratio test when the next vertex certainly lies in the cell with no
other kink active there. Theorem and proof: proofs/filter.md.
"""

from exactdrl.arithmetic.float64.arrays import scan_rates
from exactdrl.arithmetic.float64.leave import choose_settled, is_certainly_blocked, is_zero_unit_kink
from exactdrl.arithmetic.float64.marks import compiled, exported
from exactdrl.arithmetic.float64.slopes import (
    choose_among_all,
    choose_reference,
    clear_zeros,
    is_on,
    set_slopes,
)
from exactdrl.arithmetic.float64.state import FLIPS, FloatProblem, FloatVertex, Slopes, Table
from exactdrl.arithmetic.float64.vertex import (
    FLIPS_A_GRADIENT,
    enclose_inverse,
    find_zero_units,
    first_to_enter,
    flip,
    go,
    set_direction,
    set_gradient,
    set_row,
    settle_anew,
)

REFERENCE, STEEPEST, FIRST = 0, 1, 2
# Columns of the table of steps: number of flips, leaving kink, entering kink, published stop, whether it is settling's
RECORD = 9
# How a run ended
FULL, NO_EDGE, UNSURE_SIGN, UNSURE_STEEPEST, UNSURE_FIRST = 0, 1, 2, 3, 4


@exported
def load(problem: FloatProblem, vertex: FloatVertex) -> bool:
    """Computes rows and gradient for the masks and kinks that have been put in; False if float64 cannot hold them.

    In phase 1 the rows of coordinates, kinks of depth -1, are there already.
    """
    for slot in range(vertex.kinks.shape[0]):
        depth, sample, unit = vertex.kinks[slot, 0], vertex.kinks[slot, 1], vertex.kinks[slot, 2]
        if depth >= 0 and not set_row(problem, vertex, slot, depth, sample, unit, True):
            return False
    set_gradient(problem, vertex)
    return True


@exported
def begin(problem: FloatProblem, vertex: FloatVertex) -> bool:
    """Encloses inverse and point, once R is a first approximation; True if the vertex is certainly regular."""
    find_zero_units(problem, vertex)
    return enclose_inverse(vertex) and settle_anew(problem, vertex)


@compiled
def choose(problem: FloatProblem, vertex: FloatVertex, slopes: Slopes, rule: int) -> tuple[int, int, int]:
    """Returns how the choice by a pivot rule ended, the slot that leaves, and the number of flips before."""
    end, leaving, flips = 0, -1, 0
    for attempt in range(3):
        set_slopes(vertex, slopes)
        if rule == 0:
            end, leaving, flips = choose_reference(problem, vertex, slopes)
        else:
            end, leaving, flips = choose_among_all(problem, vertex, slopes, rule == 2)
        if end < 2 or attempt == 2:
            break
        # perhaps only the accumulated rounding: of the inverse, then of the gradient
        if attempt == 0 and not enclose_inverse(vertex):
            break
        if attempt == 1:
            if vertex.scalars[FLIPS] == 0.0:
                break
            set_gradient(problem, vertex)
    return end, leaving, flips


@compiled
def is_stuck(problem: FloatProblem, vertex: FloatVertex, leaving: int, flips: int, rule: int) -> bool:
    """Returns whether a chosen edge certainly leaves its cell at once: it leaves a kink of a unit that is 0."""
    if not is_zero_unit_kink(vertex, leaving):
        return False
    is_flipped = flips > 0
    if rule == 0:
        place = 0
        while vertex.order[place] != leaving:
            place += 1
        is_flipped = place < flips
    return is_certainly_blocked(problem, vertex, leaving, is_on(vertex, leaving) != is_flipped)


@compiled
def settle_on(problem: FloatProblem, vertex: FloatVertex, slopes: Slopes) -> int:
    """Returns the edge that settling takes where the rule's is blocked or there is none; negative where uncertain."""
    edge = choose_settled(problem, vertex, slopes)
    if edge == -2 and slopes.known[0] == 0:
        clear_zeros(problem, vertex, slopes)
        edge = choose_settled(problem, vertex, slopes)
    if edge < 0 and enclose_inverse(vertex):
        # perhaps only the accumulated rounding
        set_slopes(vertex, slopes)
        clear_zeros(problem, vertex, slopes)
        edge = choose_settled(problem, vertex, slopes)
    return edge


@compiled
def take(problem: FloatProblem, vertex: FloatVertex, leaving: int, records: Table, step: int) -> bool:
    """Goes along the current cell's edge that leaves a slot's kink, if what it meets is certain.

    Fills in a record's kinks. Where it is not certain, kinks and order are left as they were; the rest of the vertex
    is not.
    """
    n = vertex.kinks.shape[0]
    sign = 1.0 if is_on(vertex, leaving) else -1.0
    set_direction(vertex, leaving, sign)
    # a proposal; the proof is that the next vertex lies in the cell
    depth, unit, sample = scan_rates(problem, vertex)
    if depth < 0:
        return False
    if depth == 0:
        sample = first_to_enter(problem, vertex, leaving, sample, unit)
        if sample < 0:
            return False
    distance = -vertex.values[depth, unit, sample] / vertex.rates[depth, unit, sample]
    for part in range(3):
        records[step, 1 + part] = vertex.kinks[leaving, part]
    records[step, 4], records[step, 5], records[step, 6] = depth, sample, unit
    for place in range(n):
        vertex.order_before[place] = vertex.order[place]
    if go(problem, vertex, leaving, distance, depth, sample, unit):
        return True
    for part in range(3):
        vertex.kinks[leaving, part] = records[step, 1 + part]
    for place in range(n):
        vertex.order[place] = vertex.order_before[place]
    return False


@exported
def walk_steps(
    problem: FloatProblem, vertex: FloatVertex, slopes: Slopes, rule: int, records: Table, flips: Table
) -> tuple[int, int]:
    """Takes as many certain steps as `records` has rows, or fewer; returns how many, and how it ended.

    After an end other than FULL, masks, kinks and order are those of the last vertex; everything else is to be
    computed anew.

    Args:
        problem: the data.
        vertex: after `load` and `begin`.
        slopes: room for them; `given` tells of edges of the first vertex whose slope is 0 exactly.
        rule: REFERENCE, STEEPEST or FIRST.
        records: (steps, RECORD), filled in.
        flips: (steps · n, 3), filled in: the kinks flipped by one step after another.
    """
    filled = 0
    for step in range(records.shape[0]):
        # after that many flips, the gradient's accumulated rounding is worth a new computation
        if vertex.scalars[FLIPS] > FLIPS_A_GRADIENT:
            set_gradient(problem, vertex)
        end, leaving, flipped = choose(problem, vertex, slopes, rule)
        if end > 1:
            return step, end
        is_stop, is_settled = rule == 0 and flipped == 0, False
        if end == 1 or is_stuck(problem, vertex, leaving, flipped, rule):
            edge = settle_on(problem, vertex, slopes)
            if edge < 0:
                return step, 2 if edge == -2 else 1 if end == 1 else 4
            leaving, flipped, is_settled = edge // 2, edge % 2, True
        begin_of_flips, sound = filled, True
        for count in range(flipped):
            slot = vertex.order[count] if rule == 0 and not is_settled else leaving
            for part in range(3):
                flips[filled, part] = vertex.kinks[slot, part]
            filled += 1
            sound = sound and flip(problem, vertex, slot)
        if not sound or not take(problem, vertex, leaving, records, step):
            # back to the cell of the vertex before
            for entry in range(begin_of_flips, filled):
                depth, sample, unit = flips[entry, 0], flips[entry, 1], flips[entry, 2]
                vertex.masks[depth, unit, sample] = 1.0 - vertex.masks[depth, unit, sample]
            return step, 4
        records[step, 0] = flipped
        records[step, 7] = 1 if is_stop else 0
        records[step, 8] = 1 if is_settled else 0
        slopes.given[:] = 0
    return records.shape[0], 0
