"""Phase 1 by the coordinate rule in float64, each of whose decisions is certain.

The basis starts as the coordinate rows and takes in one kink after another; to the kernel a coordinate row is a kink
of depth -1 that no scan knows. Bounds: proofs/filter.md, 3 to 5, which ask of a row only that it is enclosed.
"""

import numpy as np

from exactdrl.arithmetic.compiling import compiled, exported
from exactdrl.arithmetic.float_problem import FloatProblem
from exactdrl.arithmetic.float_scan import Floats, Integers, slack
from exactdrl.arithmetic.float_slopes import Slopes, empty_slopes, set_multipliers
from exactdrl.arithmetic.float_vertex import (
    POINT_ERROR,
    FloatVertex,
    enclose_inverse,
    go,
    propose,
    set_gradient,
    settle_anew,
)


@compiled
def set_coordinates(vertex: FloatVertex, start: Floats) -> None:
    """Makes the coordinate rows the basis, and the start, correctly rounded, their right sides."""
    n = start.shape[0]
    vertex.matrix[:] = 0.0
    vertex.columns[:] = 0.0
    vertex.inverse[:] = 0.0
    vertex.row_errors[:] = 0.0
    vertex.row_sums[:] = 1.0
    vertex.scales[:] = 1.0
    for p in range(n):
        vertex.matrix[p, p] = 1.0
        vertex.columns[p, p] = 1.0
        vertex.inverse[p, p] = 1.0
        vertex.right[p] = start[p]
        vertex.right_errors[p] = 2.0 * 2.0**-53 * abs(start[p]) + 2.0**-700
        vertex.kinks[p, 0], vertex.kinks[p, 1], vertex.kinks[p, 2] = -1, p, 0
        vertex.order[p] = p


@compiled
def steepest_coordinate(vertex: FloatVertex, slopes: Slopes) -> int:
    """Returns the slot of the coordinate row whose column is certainly steepest, its slope not 0; -1 if none is."""
    n = vertex.matrix.shape[0]
    k = slack(n)
    set_multipliers(vertex, slopes)
    best, highest = -1, 0.0
    for turn in range(2):
        for j in range(n):
            if vertex.kinks[j, 0] >= 0:
                continue
            slope, bound = abs(slopes.multipliers[j]), slopes.bounds[j]
            length = np.sqrt(slopes.squares[j])
            error = (np.sqrt(float(n)) * vertex.column_errors[j] + k * length) * (1.0 + 4.0 * k) + 2.0**-300
            if not (length > 2.0 * error and length < 2.0**300):
                return -1
            if turn == 0:
                low = (slope - bound) / (length + error) * (1.0 - 16.0 * 2.0**-53)
                if low > highest:
                    best, highest = j, low
            elif j != best and not ((slope + bound) / (length - error) * (1.0 + 16.0 * 2.0**-53) < highest):
                return -1
    return best


@exported
def find_first_basis(problem: FloatProblem, vertex: FloatVertex, start: Floats, found: Integers) -> bool:
    """Fills in the basis of the first vertex, kinks as depth, sample, unit in order of entry; False if not certain.

    Args:
        problem: the data.
        vertex: with the masks of the start's cell.
        start: the reduced parameters, each the nearest float64.
        found: (n, 3).
    """
    n = start.shape[0]
    set_coordinates(vertex, start)
    set_gradient(problem, vertex)
    if not enclose_inverse(vertex) or not settle_anew(problem, vertex):
        return False
    slopes = empty_slopes(n)
    for entered in range(n):
        leaving = steepest_coordinate(vertex, slopes)
        # perhaps only the bound on the inverse, which grows from step to step
        if leaving < 0 and enclose_inverse(vertex):
            leaving = steepest_coordinate(vertex, slopes)
        if leaving < 0:
            return False
        # a slope whose interval is above 0 has a certain sign
        sign = -1.0 if slopes.multipliers[leaving] > 0.0 else 1.0
        direction = sign * vertex.inverse[:, leaving]
        depth, unit, sample = propose(problem, vertex, direction)
        if depth < 0:
            return False
        distance = -vertex.values[depth, unit, sample] / vertex.rates[depth, unit, sample]
        if not go(problem, vertex, leaving, direction, distance, depth, sample, unit):
            return False
        # the proof asks that the point moved along the direction, not against it
        if not moved_forward(vertex, leaving, start, sign):
            return False
        for part in range(3):
            found[entered, part] = vertex.kinks[leaving, part]
    return True


@compiled
def moved_forward(vertex: FloatVertex, slot: int, before: Floats, sign: float) -> bool:
    """Returns whether the coordinate of a row that has left certainly changed from the start in a sign's direction."""
    change = sign * (vertex.theta[slot] - before[slot])
    return bool(change > vertex.scalars[POINT_ERROR] + 2.0 * 2.0**-53 * (abs(before[slot]) + abs(vertex.theta[slot])))
