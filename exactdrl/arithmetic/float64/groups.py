"""Kinks outside the basis that vanish with it, since a unit above the trained layer is 0 on a whole group of samples.

Where the units below have the same slopes on some samples, what a unit gets there is one linear function of the inputs.
As many kinks of the unit in the basis as there are inputs make it 0, and with it the unit on all samples of the group.
Theorem and proof: proofs/filter.md, 5.
"""

from exactdrl.arithmetic.float64.marks import compiled
from exactdrl.arithmetic.float64.state import ANY_SIDE, IS_MARKED, RESTING, FloatProblem, FloatVertex


@compiled
def find_resting(problem: FloatProblem, vertex: FloatVertex) -> None:
    """Marks the basis' kinks, and those that vanish in groups, where there are any; counts the latter."""
    if vertex.group_counts[IS_MARKED] != 0:
        vertex.vanishing[:] = 0.0
    vertex.group_counts[IS_MARKED] = 0
    vertex.group_counts[RESTING] = 0
    if not has_groups(problem, vertex):
        return
    vertex.group_counts[IS_MARKED] = 1
    for slot in range(vertex.kinks.shape[0]):
        if vertex.kinks[slot, 0] >= 0:
            vertex.vanishing[vertex.kinks[slot, 0], vertex.kinks[slot, 2], vertex.kinks[slot, 1]] = 2.0
    # upwards: a unit that is 0 on a group may lie below another one
    for depth in range(1, problem.widths.shape[0]):
        for unit in range(problem.widths[depth]):
            if vertex.deep_own[depth, unit] >= problem.inputs.shape[0] and problem.grouped[depth, unit] != 0:
                mark_groups(problem, vertex, depth, unit)


@compiled
def has_groups(problem: FloatProblem, vertex: FloatVertex) -> bool:
    """Counts each unit's kinks in the basis; returns whether one above the trained layer has as many as inputs."""
    found = False
    vertex.deep_own[:] = 0
    for slot in range(vertex.kinks.shape[0]):
        depth, unit = vertex.kinks[slot, 0], vertex.kinks[slot, 2]
        if depth > 0:
            vertex.deep_own[depth, unit] += 1
            if vertex.deep_own[depth, unit] >= problem.inputs.shape[0] and problem.grouped[depth, unit] != 0:
                found = True
    return found


@compiled
def mark_groups(problem: FloatProblem, vertex: FloatVertex, depth: int, unit: int) -> None:
    """Marks the kinks of one unit that vanish in groups."""
    n, rank = vertex.kinks.shape[0], problem.inputs.shape[0]
    vertex.taken[:] = 0
    for base in range(n):
        if vertex.taken[base] != 0 or vertex.kinks[base, 0] != depth or vertex.kinks[base, 2] != unit:
            continue
        for t in range(depth):
            for j in range(problem.widths[t]):
                vertex.sides[t, j] = ANY_SIDE
        count = 0
        for slot in range(base, n):
            if (
                vertex.taken[slot] == 0
                and vertex.kinks[slot, 0] == depth
                and vertex.kinks[slot, 2] == unit
                and has_sides(problem, vertex, depth, vertex.kinks[slot, 1])
            ):
                take_sides(problem, vertex, depth, vertex.kinks[slot, 1])
                vertex.taken[slot] = 1
                count += 1
        if count >= rank:
            for i in range(problem.inputs.shape[1]):
                if vertex.vanishing[depth, unit, i] == 0.0 and has_sides(problem, vertex, depth, i):
                    vertex.vanishing[depth, unit, i] = 1.0
                    vertex.group_counts[RESTING] += 1


@compiled
def vanishes(vertex: FloatVertex, depth: int, unit: int, sample: int) -> bool:
    """Returns whether a kink certainly vanishes: of the basis, of a unit that is 0, or of one that is 0 on a group."""
    return bool(vertex.vanishing[depth, unit, sample] != 0.0 or (depth == 0 and vertex.zero_units[unit] != 0))


@compiled
def has_sides(problem: FloatProblem, vertex: FloatVertex, depth: int, sample: int) -> bool:
    """Returns whether all units below a layer are on the group's sides in a sample, but for those that vanish there."""
    for t in range(depth):
        for j in range(problem.widths[t]):
            side = vertex.sides[t, j]
            if side != ANY_SIDE and vertex.masks[t, j, sample] != side and not vanishes(vertex, t, j, sample):
                return False
    return True


@compiled
def take_sides(problem: FloatProblem, vertex: FloatVertex, depth: int, sample: int) -> None:
    """Adds to the group's sides those of a sample, where the group has none yet and the unit does not vanish there."""
    for t in range(depth):
        for j in range(problem.widths[t]):
            if vertex.sides[t, j] == ANY_SIDE and not vanishes(vertex, t, j, sample):
                vertex.sides[t, j] = vertex.masks[t, j, sample]


@compiled
def clear_resting(vertex: FloatVertex) -> None:
    """Sets the values of the kinks that vanish in groups, and their bounds, to 0, which they are."""
    if vertex.group_counts[RESTING] == 0:
        return
    for depth in range(1, vertex.values.shape[0]):
        for unit in range(vertex.values.shape[1]):
            for i in range(vertex.values.shape[2]):
                if vertex.vanishing[depth, unit, i] == 1.0:
                    vertex.values[depth, unit, i] = 0.0
                    vertex.errors[depth, unit, i] = 0.0


@compiled
def is_first_met(problem: FloatProblem, vertex: FloatVertex, depth: int, sample: int, unit: int) -> bool:
    """Returns whether a kink has the lowest address of those that vanish in the basis' vertex and did not before.

    The values are still those of the vertex before, where only what vanishes is 0.
    """
    for t in range(depth + 1):
        for i in range(problem.inputs.shape[1]):
            for j in range(problem.widths[t]):
                if t == depth and i == sample and j == unit:
                    return True
                if vertex.vanishing[t, j, i] != 0.0 and vertex.values[t, j, i] != 0.0:
                    return False
    return True


@compiled
def first_near(problem: FloatProblem, vertex: FloatVertex, depth: int, sample: int, unit: int) -> tuple[int, int, int]:
    """Returns, as depth, unit and sample, the kink of the lowest address that by floats is met where a given one is.

    A proposal: nothing is proved of it.
    """
    distance = -vertex.values[depth, unit, sample] / vertex.rates[depth, unit, sample]
    for t in range(depth + 1):
        for i in range(problem.inputs.shape[1]):
            for j in range(problem.widths[t]):
                z, r = vertex.values[t, j, i], vertex.rates[t, j, i]
                # strictly, since the value of what is no kink is ∞
                if r != 0.0 and z * r < 0.0 and abs(z + distance * r) < 2.0**-30 * abs(z):
                    return t, j, i
    return depth, unit, sample
