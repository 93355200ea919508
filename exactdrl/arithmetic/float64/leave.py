"""Edges out of vertices where whole units of the trained layer are 0, in float64: which leave their cell at once.

Theorem and proof: proofs/dead-units.md.
"""

from exactdrl.arithmetic.float64.marks import compiled
from exactdrl.arithmetic.float64.scan import TINY, slack
from exactdrl.arithmetic.float64.state import FloatProblem, FloatVertex


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
