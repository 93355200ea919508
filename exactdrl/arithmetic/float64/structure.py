"""Slopes that are 0 by structure, whatever the numbers are: no path through units with a slope leads to the loss.

Floats cannot tell such a 0 from a small number, yet these are common: whole units without effect on the loss. The
argument is combinatorial, made in the cell around the vertex where every kink of the basis is off, and rests on
independence alone. Proofs/filter.md, 6.
"""

from exactdrl.arithmetic.float64.marks import compiled
from exactdrl.arithmetic.float64.state import FloatProblem, FloatVertex, Slopes, Table

# Units of a layer are the bits of an integer; wider layers are left to exact arithmetic
WIDEST = 62


@compiled
def bit_of(unit: int) -> int:
    """Returns the bit of a unit."""
    one = 1
    return one << unit


@compiled
def find_paths(problem: FloatProblem, slopes: Slopes) -> None:
    """Finds for each unit the units one layer below that it depends on."""
    slopes.below[:] = 0
    for t in range(1, problem.widths.shape[0]):
        for j in range(problem.widths[t]):
            for q in range(problem.widths[t - 1]):
                if problem.weights[t, j, q] != 0.0:
                    slopes.below[t, j] |= bit_of(q)


@compiled
def find_passing_units(problem: FloatProblem, vertex: FloatVertex, slopes: Slopes) -> None:
    """Finds the units whose slope is not 0; in the last layer, where the loss's is not.

    In the cell in which all kinks of the basis are off, the others where they are.
    """
    slopes.passing[:] = 0
    for t in range(problem.widths.shape[0]):
        for q in range(problem.widths[t]):
            for i in range(problem.inputs.shape[1]):
                if has_slope(problem, t, q, i, vertex.masks[t, q, i] != 0.0):
                    slopes.passing[t, i] |= bit_of(q)
    for slot in range(vertex.kinks.shape[0]):
        slopes.passing[vertex.kinks[slot, 0], vertex.kinks[slot, 1]] &= ~bit_of(vertex.kinks[slot, 2])
    slopes.clear[:] = slopes.passing
    for slot in range(vertex.kinks.shape[0]):
        t, i, q = vertex.kinks[slot, 0], vertex.kinks[slot, 1], vertex.kinks[slot, 2]
        if has_slope(problem, t, q, i, False):
            slopes.passing[t, i] |= bit_of(q)


@compiled
def has_slope(problem: FloatProblem, depth: int, unit: int, sample: int, is_on: bool) -> bool:
    """Returns whether a unit's activation, or in the last layer the loss, has a slope other than 0 on a side."""
    side = 1 if is_on else 0
    if depth == problem.widths.shape[0] - 1:
        return bool(problem.loss_slopes[side, unit, sample] != 0.0)
    return bool(problem.slopes[side, depth, unit] != 0.0)


@compiled
def reach_down(slopes: Slopes, passing: Table, sample: int, depth: int, until: int, units: int) -> int:
    """Returns the activations of layer `until` to which paths lead down from some units of layer `depth`, all as bits.

    A path ends at a unit of a layer in between that is not among those that are passing.
    """
    for t in range(depth, until, -1):
        if t < depth:
            units &= passing[t, sample]
        reached, j = 0, 0
        while units != 0:
            if units & 1:
                reached |= slopes.below[t, j]
            units >>= 1
            j += 1
        units = reached
    return units


@compiled
def mark_silent(vertex: FloatVertex, slopes: Slopes, rank: int) -> None:
    """Marks rows on units on which the loss does not depend at all.

    On these units' parameters the rows have full rank and combine to 0, the gradient there. Rows of one sample have at
    most as much rank as there are such units; where no rank is to spare, samples with no more rows than that have
    independent ones, and multipliers 0.
    """
    n, width = slopes.reaches.shape[0], slopes.reaches.shape[1]
    units, total = 0, 0
    slopes.groups[:] = 0
    for u in range(width):
        is_silent = True
        for i in range(slopes.touched.shape[1]):
            if slopes.touched[u, i] & 1:
                is_silent = False
        if is_silent:
            units += 1
            for slot in range(n):
                if slopes.reaches[slot, u] != 0:
                    slopes.groups[slot] = 1
    # by then the rows on such units are marked; their groups' sizes take the marks' place
    for slot in range(n):
        if slopes.groups[slot] == 0:
            continue
        is_first, size = True, 0
        for other in range(n):
            if slopes.groups[other] != 0 and vertex.kinks[other, 1] == vertex.kinks[slot, 1]:
                size += 1
                is_first = is_first and other >= slot
        slopes.groups[slot] = size
        if is_first:
            total += min(size, units)
    if units > 0 and total == units * rank:
        for slot in range(n):
            if slopes.groups[slot] != 0 and slopes.groups[slot] <= units:
                slopes.off_zero[slot] = 1


@compiled
def mark_apart(vertex: FloatVertex, slopes: Slopes, rank: int) -> None:
    """Marks rows that are alone in their sample on a unit whose samples are independent and not in the loss.

    If the rows that reach a unit come from just as many samples as there are inputs, these samples' inputs are
    independent, since the rows have full rank on the unit. If the loss depends on the unit in no other samples,
    multipliers and gradient agree sample by sample there.
    """
    n, width = slopes.reaches.shape[0], slopes.reaches.shape[1]
    for u in range(width):
        count, alone = 0, True
        for i in range(slopes.touched.shape[1]):
            if slopes.touched[u, i] & 2:
                count += 1
            elif slopes.touched[u, i] & 1:
                alone = False
        if count != rank or not alone:
            continue
        for slot in range(n):
            sample = vertex.kinks[slot, 1]
            if slopes.reaches[slot, u] == 0 or slopes.touched[u, sample] & 1:
                continue
            group = 0
            for other in range(n):
                if slopes.reaches[other, u] != 0 and vertex.kinks[other, 1] == sample:
                    group += 1
            if group == 1:
                slopes.off_zero[slot] = 1


@compiled
def find_zero_slopes(problem: FloatProblem, vertex: FloatVertex, slopes: Slopes) -> None:
    """Marks slots whose slope on the off side, and on the on side, of their kink is 0 by structure."""
    n, width, rank = vertex.kinks.shape[0], problem.widths[0], problem.inputs.shape[0]
    top = problem.widths.shape[0] - 1
    slopes.off_zero[:] = 0
    slopes.on_zero[:] = 0
    if problem.weights.shape[1] > WIDEST:
        return
    find_paths(problem, slopes)
    find_passing_units(problem, vertex, slopes)
    # by unit and sample: whether the loss depends on the unit there (1), and whether a row of the basis does (2)
    for i in range(problem.inputs.shape[1]):
        reached = reach_down(slopes, slopes.passing, i, top, 0, slopes.passing[top, i])
        if top > 0:
            reached &= slopes.passing[0, i]
        for u in range(width):
            slopes.touched[u, i] = (reached >> u) & 1
    for slot in range(n):
        depth, sample = vertex.kinks[slot, 0], vertex.kinks[slot, 1]
        reached = reach_down(slopes, slopes.passing, sample, depth, 0, bit_of(vertex.kinks[slot, 2]))
        if depth > 0:
            reached &= slopes.passing[0, sample]
        for u in range(width):
            slopes.reaches[slot, u] = (reached >> u) & 1
            if slopes.reaches[slot, u] != 0:
                slopes.touched[u, sample] |= 2
    mark_silent(vertex, slopes, rank)
    mark_apart(vertex, slopes, rank)
    for slot in range(n):
        depth, sample, bit = vertex.kinks[slot, 0], vertex.kinks[slot, 1], bit_of(vertex.kinks[slot, 2])
        if (
            slopes.off_zero[slot] == 0
            or depth == top
            or reach_down(slopes, slopes.passing, sample, top, depth, slopes.passing[top, sample]) & bit
        ):
            continue
        slopes.on_zero[slot] = 1
        for other in range(n):
            if slopes.off_zero[other] == 0 and vertex.kinks[other, 1] == sample and vertex.kinks[other, 0] > depth:
                own = bit_of(vertex.kinks[other, 2])
                if reach_down(slopes, slopes.passing, sample, vertex.kinks[other, 0], depth, own) & bit:
                    slopes.on_zero[slot] = 0
