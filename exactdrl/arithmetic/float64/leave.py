"""Edges out of vertices where units are 0, everywhere or on a group of samples: which leave their cell at once.

Theorem and proof: proofs/dead-units.md.
"""

from exactdrl.arithmetic.float64.arrays import scan_rates
from exactdrl.arithmetic.float64.coefficients import fold_coefficient
from exactdrl.arithmetic.float64.marks import compiled
from exactdrl.arithmetic.float64.scan import TINY, slack
from exactdrl.arithmetic.float64.slopes import is_on
from exactdrl.arithmetic.float64.state import RESTING, FloatProblem, FloatVertex
from exactdrl.arithmetic.float64.vertex import rest_zero_units


@compiled
def is_certainly_closed(problem: FloatProblem, vertex: FloatVertex, slot: int, is_across: bool) -> bool:
    """Returns whether an edge certainly leaves its cell at once.

    Args:
        problem: the data.
        vertex: a vertex.
        slot: of the kink that the edge leaves.
        is_across: whether the edge is that on the kink's other side.
    """
    if is_zero_unit_kink(vertex, slot) and is_certainly_blocked(
        problem, vertex, slot, is_on(vertex, slot) != is_across
    ):
        return True
    return bool(vertex.group_counts[RESTING] != 0 and is_certainly_blocked_by_group(problem, vertex, slot, is_across))


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
    if problem.homogeneous[unit] != samples:
        # on some samples the unit has no kink
        return False
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
def is_certainly_blocked_by_group(problem: FloatProblem, vertex: FloatVertex, slot: int, is_across: bool) -> bool:
    """Returns whether a kink that vanishes in a group certainly changes along an edge, to the side that is not its own.

    Args:
        problem: the data.
        vertex: a vertex where kinks vanish in groups.
        slot: of the kink that the edge leaves.
        is_across: whether the edge is that on the kink's other side.
    """
    depth, sample, unit = vertex.kinks[slot, 0], vertex.kinks[slot, 1], vertex.kinks[slot, 2]
    own = vertex.masks[depth, unit, sample]
    error = set_edge(problem, vertex, slot, is_across)
    longest = 0.0
    for p in range(vertex.direction.shape[0]):
        longest = max(longest, abs(vertex.direction[p]))
    vertex.masks[depth, unit, sample] = 1.0 - own if is_across else own
    scan_rates(problem, vertex)
    spread = (error + problem.rounding[0] * longest) * (1.0 + 2.0**-40)
    is_blocked = False
    for t in range(1, problem.widths.shape[0]):
        for j in range(problem.widths[t]):
            factor = spread * problem.gains[t, j]
            for i in range(problem.inputs.shape[1]):
                if vertex.vanishing[t, j, i] != 0.0:
                    bound = factor * problem.sizes[i] + TINY
                    rate = vertex.rates[t, j, i]
                    if (2.0 * vertex.masks[t, j, i] - 1.0) * rate < -bound:
                        is_blocked = True
    vertex.masks[depth, unit, sample] = own
    return is_blocked


@compiled
def set_edge(problem: FloatProblem, vertex: FloatVertex, slot: int, is_across: bool) -> float:
    """Sets the direction to that of an edge; returns a bound on the error of every component."""
    n = vertex.direction.shape[0]
    depth, sample = vertex.kinks[slot, 0], vertex.kinks[slot, 1]
    sign = 1.0 if is_on(vertex, slot) != is_across else -1.0
    for p in range(n):
        vertex.direction[p] = sign * vertex.inverse[p, slot]
    error, size, terms = vertex.column_errors[slot], vertex.column_sizes[slot], 1
    if is_across:
        for other in range(n):
            if vertex.kinks[other, 1] == sample and vertex.kinks[other, 0] > depth:
                c, e = fold_coefficient(problem, vertex, slot, other)
                for p in range(n):
                    vertex.direction[p] -= sign * c * vertex.inverse[p, other]
                reach = vertex.column_sizes[other] + vertex.column_errors[other]
                error += abs(c) * vertex.column_errors[other] + e * reach
                size += abs(c) * reach
                terms += 1
    rest_zero_units(vertex, vertex.direction, vertex.kinks[slot, 2] if depth == 0 else -1)
    return with_rounding(error, size, terms)


@compiled
def with_rounding(error: float, size: float, terms: int) -> float:
    """Returns the bound on a sum of products, its rounding added, from the errors' sum and the sum of the sizes."""
    k = slack(terms)
    return (error + k * size) * (1.0 + 4.0 * k) + TINY
