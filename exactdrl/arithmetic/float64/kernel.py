"""Whole steps of a walk in float64, each of whose decisions is certain; the first that is not ends the run.

The kernel chooses edges as a pivot rule's `EdgeSearch` says, step by step. Signs are certain when they exceed their
bounds, comparisons when intervals do not meet, the ratio test when the next vertex certainly lies in the cell with no
other kink active there. Theorem and proof: proofs/filter.md.
"""

from exactdrl.arithmetic.float64.arrays import scan_rates
from exactdrl.arithmetic.float64.groups import find_resting, first_near
from exactdrl.arithmetic.float64.leave import is_certainly_closed
from exactdrl.arithmetic.float64.marks import compiled, exported
from exactdrl.arithmetic.float64.scan import ROUNDING, TINY
from exactdrl.arithmetic.float64.slopes import (
    CHOSEN,
    UNSURE_SIGN,
    choose_among_all,
    choose_cumulative,
    is_on,
    set_slopes,
)
from exactdrl.arithmetic.float64.state import (
    AGE,
    FLIPS,
    LOST,
    POINT_ERROR,
    RESTING,
    SHARE,
    SPREAD,
    FloatProblem,
    FloatVertex,
    Slopes,
    Table,
)
from exactdrl.arithmetic.float64.vertex import (
    FLIPS_A_GRADIENT,
    LARGEST,
    clear_basis,
    enclose_inverse,
    find_zero_units,
    first_to_enter,
    flip,
    go,
    set_direction,
    set_free,
    set_gradient,
    set_row,
    settle_anew,
)

# How an edge is chosen: `EdgeSearch` in exactdrl.arithmetic.protocol
CUMULATIVE, STEEPEST, FIRST = 0, 1, 2
# Columns of the table of steps: number of flips, leaving kink, entering kink, published stop
RECORD = 8
# How a run ended, where it was not by a choice of `slopes` that is none
FULL, UNSURE_FIRST = 0, 4


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
    find_resting(problem, vertex)
    return enclose_inverse(vertex) and settle_anew(problem, vertex)


@exported
def begin_at(problem: FloatProblem, vertex: FloatVertex) -> bool:
    """Does what `begin` does, at a point that is known with all values there; True if the inverse is enclosed.

    θ and the values are the exact ones, rounded; only the kinks of the basis vanish. Proofs/filter.md, 5.
    """
    find_zero_units(problem, vertex)
    find_resting(problem, vertex)
    set_free(problem, vertex)
    clear_basis(vertex)
    largest = 0.0
    for p in range(vertex.theta.shape[0]):
        largest = max(largest, abs(vertex.theta[p]))
        vertex.theta_errors[p] = 2.0 * ROUNDING * abs(vertex.theta[p]) + TINY
    vertex.scalars[POINT_ERROR] = 2.0 * ROUNDING * largest + TINY
    vertex.scalars[SPREAD] = 2.0 * ROUNDING * largest + TINY
    vertex.scalars[SHARE] = 2.0 * ROUNDING
    vertex.scalars[LOST] = TINY
    vertex.scalars[AGE] = 0.0
    return enclose_inverse(vertex) and largest <= LARGEST


@compiled
def choose(problem: FloatProblem, vertex: FloatVertex, slopes: Slopes, search: int) -> tuple[int, int, int, bool]:
    """Returns how the choice ended, the slot that leaves, the number of flips, and whether it is the search's own."""
    end, leaving, flips, is_own = 0, -1, 0, True
    for attempt in range(3):
        set_slopes(vertex, slopes)
        end, leaving, flips, is_own = choose_open(problem, vertex, slopes, search)
        if end < UNSURE_SIGN or attempt == 2:
            break
        # perhaps only the accumulated rounding: of the inverse, then of the gradient
        if attempt == 0 and not enclose_inverse(vertex):
            break
        if attempt == 1:
            if vertex.scalars[FLIPS] == 0.0:
                break
            set_gradient(problem, vertex)
    return end, leaving, flips, is_own


@compiled
def choose_open(problem: FloatProblem, vertex: FloatVertex, slopes: Slopes, search: int) -> tuple[int, int, int, bool]:
    """Returns the choice of a search, or the steepest edge where that choice certainly is blocked.

    Edges that certainly are blocked are marked on the way, and are no candidates after that.
    """
    slopes.blocked[:] = 0
    if search == CUMULATIVE:
        end, leaving, flips = choose_cumulative(problem, vertex, slopes)
        across = 1 if is_among_first(vertex, leaving, flips) else 0
    else:
        end, leaving, flips = choose_among_all(problem, vertex, slopes, search == FIRST)
        across = flips
    is_own = True
    while end == CHOSEN and is_certainly_closed(problem, vertex, leaving, across == 1):
        slopes.blocked[2 * leaving + across] = 1
        end, leaving, flips = choose_among_all(problem, vertex, slopes, False)
        across, is_own = flips, False
    return end, leaving, flips, is_own


@compiled
def is_among_first(vertex: FloatVertex, slot: int, count: int) -> bool:
    """Returns whether a slot is one of the first in the order of entry."""
    place = 0
    while place < count and vertex.order[place] != slot:
        place += 1
    return place < count


@compiled
def may_tie(problem: FloatProblem, vertex: FloatVertex, leaving: int, depth: int, unit: int) -> bool:
    """Returns whether a unit is or may become 0 on a group of samples where a kink of a unit enters."""
    if vertex.group_counts[RESTING] != 0:
        return True
    own = 1
    for slot in range(vertex.kinks.shape[0]):
        own += slot != leaving and vertex.kinks[slot, 0] == depth and vertex.kinks[slot, 2] == unit
    return bool(problem.grouped[depth, unit] != 0 and own >= problem.inputs.shape[0])


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
    if may_tie(problem, vertex, leaving, depth, unit):
        depth, unit, sample = first_near(problem, vertex, depth, sample, unit)
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
    problem: FloatProblem, vertex: FloatVertex, slopes: Slopes, search: int, records: Table, flips: Table
) -> tuple[int, int]:
    """Takes as many certain steps as `records` has rows, or fewer; returns how many, and how it ended.

    After an end other than FULL, masks, kinks and order are those of the last vertex; everything else is to be
    computed anew.

    Args:
        problem: the data.
        vertex: after `load` and `begin`.
        slopes: room for them; `given` tells of edges of the first vertex whose slope is 0 exactly.
        search: CUMULATIVE, STEEPEST or FIRST.
        records: (steps, RECORD), filled in; after UNSURE_FIRST the next row is the step whose edge is certain. Its
            entering kink is a proposal, of depth -1 where there is none.
        flips: (steps · n, 3), filled in: the kinks flipped by one step after another.
    """
    filled = 0
    for step in range(records.shape[0]):
        # after that many flips, the gradient's accumulated rounding is worth a new computation
        if vertex.scalars[FLIPS] > FLIPS_A_GRADIENT:
            set_gradient(problem, vertex)
        end, leaving, flipped, is_own = choose(problem, vertex, slopes, search)
        if end != CHOSEN:
            return step, end
        is_stop = search == CUMULATIVE and is_own and flipped == 0
        begin_of_flips, sound = filled, True
        for count in range(flipped):
            slot = vertex.order[count] if search == CUMULATIVE and is_own else leaving
            for part in range(3):
                flips[filled, part] = vertex.kinks[slot, part]
            filled += 1
            sound = sound and flip(problem, vertex, slot)
        records[step, 0] = flipped
        records[step, 4] = -1
        records[step, 7] = 1 if is_stop else 0
        if not sound or not take(problem, vertex, leaving, records, step):
            # back to the cell of the vertex before
            for entry in range(begin_of_flips, filled):
                depth, sample, unit = flips[entry, 0], flips[entry, 1], flips[entry, 2]
                vertex.masks[depth, unit, sample] = 1.0 - vertex.masks[depth, unit, sample]
            return step, UNSURE_FIRST
        slopes.given[:] = 0
    return records.shape[0], FULL
