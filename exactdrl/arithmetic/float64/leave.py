"""Steps out of vertices where whole units are 0, in float64: the walk's own choice there, where it is certain.

At such a vertex the pivot rule may choose an edge that leaves a kink of a unit that is 0, and that is blocked at once,
or no edge at all. The exact walk then judges the vertex, and settling finds edges that leave other kinks; it takes the
steepest of those along which the loss falls. These are edges of the vertex's basis, so their slopes and lengths are at
hand. Theorem and proof: proofs/dead-units.md.
"""

from exactdrl.arithmetic.float64.coefficients import (
    pass_units,
    pull_back,
    start_coefficients,
    start_loss_coefficients,
)
from exactdrl.arithmetic.float64.marks import compiled
from exactdrl.arithmetic.float64.scan import TINY, slack
from exactdrl.arithmetic.float64.slopes import find_steepest, set_across, sign_of
from exactdrl.arithmetic.float64.state import FloatProblem, FloatVertex, Slopes
from exactdrl.arithmetic.float64.vertex import is_kink

# In place of an edge
UNSURE_OF_EDGE, UNSURE_OF_SIGN = -1, -2


@compiled
def is_zero_unit_kink(vertex: FloatVertex, slot: int) -> bool:
    """Returns whether the kink in a slot is an own one of a unit that is 0."""
    return bool(vertex.kinks[slot, 0] == 0 and vertex.zero_units[vertex.kinks[slot, 2]] != 0)


@compiled
def is_certainly_blocked(problem: FloatProblem, vertex: FloatVertex, slot: int, is_on: bool) -> bool:
    """Returns whether the edge that leaves an own kink of a unit that is 0 certainly leaves its cell at once.

    Args:
        problem: the data.
        vertex: a vertex.
        slot: of the kink.
        is_on: the side of the kink to which the edge leads.
    """
    rank, samples = problem.inputs.shape[0], problem.inputs.shape[1]
    own, unit = vertex.kinks[slot, 1], vertex.kinks[slot, 2]
    k, error = slack(rank), vertex.column_errors[slot]
    sign = 1.0 if is_on else -1.0
    for i in range(samples):
        if i == own:
            continue
        rate, bound = 0.0, 0.0
        for p in range(rank):
            x = problem.inputs[p, i]
            d = sign * vertex.inverse[unit * rank + p, slot]
            rate += x * d
            bound += abs(x) * (error + k * abs(d))
        if (2.0 * vertex.masks[0, unit, i] - 1.0) * rate < -(bound * (1.0 + k) + TINY):
            return True
    return False


@compiled
def has_constant_kinks(problem: FloatProblem, vertex: FloatVertex) -> bool:
    """Returns whether a kink above the trained layer may be 0 whatever the parameters, in this cell.

    It adds up nothing but activations that are off, or of units that are 0. Nothing is claimed of what is True.
    """
    for depth in range(1, problem.widths.shape[0]):
        for unit in range(problem.widths[depth]):
            for i in range(problem.inputs.shape[1]):
                if problem.offsets[depth, unit, i] != 0.0:
                    continue
                is_constant = True
                for q in range(problem.widths[depth - 1]):
                    if (
                        vertex.masks[depth - 1, q, i] != 0.0
                        and problem.weights[depth, unit, q] != 0.0
                        and (depth > 1 or vertex.zero_units[q] == 0)
                    ):
                        is_constant = False
                if is_constant:
                    return True
    return False


@compiled
def average_out(problem: FloatProblem, vertex: FloatVertex, depth: int, sample: int, row: int) -> None:
    """Turns coefficients on a layer's activations into those on its preactivations in the local form.

    A unit that is on has slope 1, one that is off 0, an active kink of the basis ½.
    """
    for j in range(problem.widths[depth]):
        slope = vertex.masks[depth, j, sample]
        for slot in range(vertex.kinks.shape[0]):
            if is_kink(vertex, slot, depth, sample, j):
                slope = 0.5
        vertex.coefficients[row, j] *= slope
        vertex.coefficient_bounds[row, j] *= slope


@compiled
def local_fold(problem: FloatProblem, vertex: FloatVertex, slot: int, deeper: int) -> tuple[float, float]:
    """Returns twice the coefficient of |z| of the kink in `slot` in the local form of a deeper one, with its bound."""
    depth, sample, unit = vertex.kinks[slot, 0], vertex.kinks[slot, 1], vertex.kinks[slot, 2]
    top = vertex.kinks[deeper, 0]
    row = start_coefficients(problem, vertex, top, vertex.kinks[deeper, 2])
    for t in range(top - 1, depth, -1):
        average_out(problem, vertex, t, sample, row)
        row = pull_back(problem, vertex, t, row)
    return vertex.coefficients[row, unit], vertex.coefficient_bounds[row, unit]


@compiled
def local_weight(problem: FloatProblem, vertex: FloatVertex, slot: int) -> tuple[float, float]:
    """Returns twice the weight of |z| of the kink in a slot, below the residuals, in the local form of the loss."""
    top = problem.widths.shape[0] - 1
    depth, sample, unit = vertex.kinks[slot, 0], vertex.kinks[slot, 1], vertex.kinks[slot, 2]
    row = start_loss_coefficients(problem, vertex, sample)
    for other in range(vertex.kinks.shape[0]):
        if vertex.kinks[other, 0] == top and vertex.kinks[other, 1] == sample:
            vertex.coefficients[row, vertex.kinks[other, 2]] = 0.0
    for t in range(top, depth, -1):
        if t < top:
            average_out(problem, vertex, t, sample, row)
        row = pull_back(problem, vertex, t, row)
    return vertex.coefficients[row, unit], vertex.coefficient_bounds[row, unit]


@compiled
def find_turns(problem: FloatProblem, vertex: FloatVertex, slopes: Slopes) -> bool:
    """Finds in which turn the kinks outside the units that are 0 settle; returns whether that is certain of all.

    A kink settles in the first turn if no other kink folds it, else in the turn after those that do.
    """
    n, top = vertex.kinks.shape[0], problem.widths.shape[0] - 1
    slopes.turns[:] = 0
    for depth in range(top, -1, -1):
        for slot in range(n):
            if vertex.kinks[slot, 0] != depth or is_zero_unit_kink(vertex, slot):
                continue
            slopes.turns[slot] = 1
            if depth == top:
                continue
            for other in range(n):
                if vertex.kinks[other, 1] == vertex.kinks[slot, 1] and vertex.kinks[other, 0] > depth:
                    fold, bound = local_fold(problem, vertex, slot, other)
                    if abs(fold) > bound:
                        slopes.turns[slot] = max(slopes.turns[slot], slopes.turns[other] + 1)
                    elif not (fold == 0.0 and bound == 0.0):
                        return False
            if slopes.turns[slot] == 1:
                # a kink that none folds and that has no weight is none of the form's
                weight, bound = local_weight(problem, vertex, slot)
                if not abs(weight) > bound:
                    return False
    return True


@compiled
def mark_effects(problem: FloatProblem, vertex: FloatVertex, slopes: Slopes, sample: int) -> None:
    """Marks the units of the trained layer on which the loss of a sample certainly depends, in this cell."""
    top = problem.widths.shape[0] - 1
    row = start_loss_coefficients(problem, vertex, sample)
    for t in range(top, 0, -1):
        if t < top:
            pass_units(problem, vertex, t, sample, row)
        row = pull_back(problem, vertex, t, row)
    for unit in range(problem.widths[0]):
        size = abs(vertex.coefficients[row, unit])
        slopes.effects[unit, sample] = 1 if size > vertex.coefficient_bounds[row, unit] else 0


@compiled
def are_crowded(problem: FloatProblem, vertex: FloatVertex, slopes: Slopes) -> bool:
    """Returns whether at each unit that is 0 there certainly are two bases of kinks of its own with an effect.

    Then none of its kinks settles by itself, and the form's rows are dependent.
    """
    slopes.is_known[:] = 0
    slopes.effects[:] = 0
    for slot in range(vertex.kinks.shape[0]):
        if vertex.kinks[slot, 0] > 0:
            # an active kink above: the averages of the local form are not the cell's
            slopes.is_known[vertex.kinks[slot, 1]] = 1
    for unit in range(problem.widths[0]):
        if vertex.zero_units[unit] == 0:
            continue
        found = 0
        for place in range(problem.bases.shape[0]):
            is_whole = True
            for part in range(problem.bases.shape[1]):
                i = problem.bases[place, part]
                if slopes.is_known[i] == 0:
                    mark_effects(problem, vertex, slopes, i)
                    slopes.is_known[i] = 1
                if slopes.effects[unit, i] == 0:
                    is_whole = False
                    break
            if is_whole:
                found += 1
                if found == 2:
                    break
        if found < 2:
            return False
    return True


@compiled
def choose_settled(problem: FloatProblem, vertex: FloatVertex, slopes: Slopes) -> int:
    """Returns the edge that settling takes at a vertex with units that are 0, as `edges` writes it.

    UNSURE_OF_SIGN where that hangs on signs of slopes that are not certain, UNSURE_OF_EDGE where on anything else.
    """
    n, zeros = vertex.kinks.shape[0], 0
    for unit in range(vertex.zero_units.shape[0]):
        zeros += vertex.zero_units[unit]
    if (
        zeros == 0
        or problem.bases.shape[0] == 0
        or problem.widths.shape[0] < 2
        or not find_turns(problem, vertex, slopes)
        or has_constant_kinks(problem, vertex)
        or not are_crowded(problem, vertex, slopes)
    ):
        return -1
    for turn in range(1, problem.widths.shape[0] + 1):
        total, sure = 0, 0
        for slot in range(n):
            if slopes.turns[slot] != turn:
                continue
            set_across(problem, vertex, slopes, slot)
            here, there = sign_of(slopes, 2 * slot), sign_of(slopes, 2 * slot + 1)
            if turn > 1:
                bound = (slopes.bounds[slot] + slopes.across_bounds[slot]) * (1.0 + 2.0**-50)
                # twice the weight that the turns before have left; without any the kink would not settle like others
                weight = slopes.inside[slot] + slopes.across[slot]
                if not abs(weight) > bound + 2.0**-50 * abs(weight):
                    return -1
                if here >= 0 and there >= 0:
                    # settling looks at the lower side alone; the directions to both differ in length
                    lower = slopes.across[slot] - slopes.inside[slot]
                    if not abs(lower) > bound + 2.0**-50 * abs(lower):
                        return -1
                    if lower > 0.0:
                        there = -1
                    else:
                        here = -1
            if here >= 0:
                slopes.edges[total] = 2 * slot
                total += 1
                sure += here
            if there >= 0:
                slopes.edges[total] = 2 * slot + 1
                total += 1
                sure += there
        if sure > 0:
            best = find_steepest(problem, vertex, slopes, total)
            return slopes.edges[best] if best >= 0 else -1
        if total > 0:
            return -2
    return -1
