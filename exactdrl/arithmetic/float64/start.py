"""Phase 1 by the coordinate rule in float64, each of whose decisions is certain.

The basis starts as the coordinate rows and takes in one kink after another; to the kernel a coordinate row is a kink
of depth -1 that no scan knows. Bounds: proofs/filter.md, 3 to 5, which ask of a row only that it is enclosed.
"""

from math import sqrt

import numpy as np

from exactdrl.arithmetic.float64.arrays import scan_rates
from exactdrl.arithmetic.float64.marks import compiled, exported
from exactdrl.arithmetic.float64.scan import ROUNDING, TINY, slack
from exactdrl.arithmetic.float64.slopes import set_multipliers
from exactdrl.arithmetic.float64.state import (
    POINT_ERROR,
    FloatProblem,
    FloatVertex,
    Indices,
    Slopes,
    Table,
    Vector,
)
from exactdrl.arithmetic.float64.vertex import enclose_inverse, go, set_direction

# Where phase 1 is flat, many rates are 0 exactly. What is so small beside what it could be is taken for one of them
FAINT = 2.0**-36


def set_coordinates(vertex: FloatVertex, start: Vector) -> None:
    """Makes the coordinate rows the basis, and the start, correctly rounded, their right sides."""
    n = len(start)
    vertex.matrix[:] = vertex.columns[:] = np.eye(n)
    vertex.row_errors[:] = 0.0
    vertex.row_sums[:] = vertex.scales[:] = 1.0
    vertex.right[:] = start
    vertex.right_errors[:] = 2.0 * ROUNDING * np.abs(start) + TINY
    vertex.kinks[:] = -1
    vertex.order[:] = np.arange(n)


@compiled
def steepest_coordinates(vertex: FloatVertex, slopes: Slopes, rivals: Indices) -> tuple[int, bool]:
    """Fills in the slots of coordinate rows whose columns may be the steepest; returns how many, and if slopes are 0.

    One alone is the steepest if the second value is False: then its slope is certainly not 0. No slots are told where
    a column is not enclosed.
    """
    n = vertex.matrix.shape[0]
    k = slack(n)
    set_multipliers(vertex, slopes)
    count, highest = 0, 0.0
    for turn in range(2):
        for j in range(n):
            if vertex.kinks[j, 0] >= 0:
                continue
            slope, bound = abs(slopes.multipliers[j]), slopes.bounds[j]
            length = sqrt(slopes.squares[j])
            error = (sqrt(1.0 * n) * vertex.column_errors[j] + k * length) * (1.0 + 4.0 * k) + 2.0**-300
            if not (length > 2.0 * error and length < 2.0**300):
                return 0, True
            if turn == 0:
                highest = max(highest, (slope - bound) / (length + error) * (1.0 - 16.0 * ROUNDING))
            elif not ((slope + bound) / (length - error) * (1.0 + 16.0 * ROUNDING) < highest):
                rivals[count] = j
                count += 1
    return count, not highest > 0.0


@exported
def take_in_kinks(
    problem: FloatProblem,
    vertex: FloatVertex,
    slopes: Slopes,
    start: Vector,
    entered: int,
    is_flat: bool,
    found: Table,
    rivals: Indices,
) -> tuple[int, int, bool]:
    """Exchanges coordinate rows for kinks as long as that is certain.

    Args:
        problem: the data.
        vertex: after `load` and `begin`.
        slopes: room for them.
        start: the reduced parameters, each the nearest float64.
        entered: how many kinks the basis holds.
        is_flat: every slope along a coordinate's edge is 0: the first coordinate leaves, upwards.
        found: (n, 4), filled in from row `entered` on: slot, depth, sample, unit of the kinks in order of entry.
        rivals: (n,), filled in with the slots of coordinates that may be the ones to leave next.

    Returns:
        How many kinks the basis holds; how many rivals there are, 0 if not even these are certain; and whether the
        vertex is still held. Where it is not it is to be set up anew.
    """
    n = start.shape[0]
    for place in range(entered, n):
        sign = 1.0
        if is_flat:
            rivals[0] = 0
            while vertex.kinks[rivals[0], 0] >= 0:
                rivals[0] += 1
        else:
            count, is_unsure = steepest_coordinates(vertex, slopes, rivals)
            # perhaps only the bound on the inverse, which grows from step to step
            if (count != 1 or is_unsure) and enclose_inverse(vertex):
                count, is_unsure = steepest_coordinates(vertex, slopes, rivals)
            if count != 1 or is_unsure:
                return place, count, True
            # a slope whose interval is above 0 has a certain sign
            sign = -1.0 if slopes.multipliers[rivals[0]] > 0.0 else 1.0
        leaving = rivals[0]
        set_direction(vertex, leaving, sign)
        depth, unit, sample = scan_rates(problem, vertex)
        if depth < 0 or (is_flat and is_faint(problem, vertex, depth, sample, unit)):
            return place, 1, True
        if not exchange_coordinate(problem, vertex, start, leaving, sign, depth, sample, unit):
            return place, 1, False
        found[place, 0] = leaving
        for part in range(3):
            found[place, 1 + part] = vertex.kinks[leaving, part]
    return n, 0, True


@compiled
def is_faint(problem: FloatProblem, vertex: FloatVertex, depth: int, sample: int, unit: int) -> bool:
    """Returns whether a rate along the direction seems to be rounding alone. This spares trials and decides nothing."""
    longest = 0.0
    for p in range(vertex.direction.shape[0]):
        longest = max(longest, abs(vertex.direction[p]))
    size = longest * problem.gains[depth, unit] * problem.sizes[sample]
    return bool(abs(vertex.rates[depth, unit, sample]) <= FAINT * size)


@compiled
def exchange_coordinate(
    problem: FloatProblem,
    vertex: FloatVertex,
    start: Vector,
    leaving: int,
    sign: float,
    depth: int,
    sample: int,
    unit: int,
) -> bool:
    """Exchanges a coordinate row for a kink that seems to be met first, if it certainly is, and no other beside it."""
    distance = -vertex.values[depth, unit, sample] / vertex.rates[depth, unit, sample]
    # the proof asks that the point moved along the direction, not against it
    if not go(problem, vertex, leaving, distance, depth, sample, unit) or not moved_forward(
        vertex, leaving, start, sign
    ):
        return False
    # where a unit becomes 0 its kinks outside the basis, if it has any, join it as far as they can
    is_zero = depth == 0 and vertex.zero_units[unit] != 0
    return not (is_zero and problem.homogeneous[unit] > problem.inputs.shape[0])


@exported
def take_in_one(
    problem: FloatProblem,
    vertex: FloatVertex,
    start: Vector,
    leaving: int,
    sign: float,
    depth: int,
    sample: int,
    unit: int,
) -> bool:
    """Exchanges a coordinate row for the kink that is met first along the direction, if it certainly is the only one.

    Args:
        problem: the data.
        vertex: with direction and rates; held no more where the answer is False.
        start: the reduced parameters, each the nearest float64.
        leaving: the coordinate's slot.
        sign: of the coordinate's change along the direction.
        depth: of the kink, which is a proposal.
        sample: of the kink.
        unit: of the kink.
    """
    return exchange_coordinate(problem, vertex, start, leaving, sign, depth, sample, unit)


@compiled
def moved_forward(vertex: FloatVertex, slot: int, before: Vector, sign: float) -> bool:
    """Returns whether the coordinate of a row that has left certainly changed from the start in a sign's direction."""
    change = sign * (vertex.theta[slot] - before[slot])
    return bool(change > vertex.scalars[POINT_ERROR] + 2.0 * ROUNDING * (abs(before[slot]) + abs(vertex.theta[slot])))
