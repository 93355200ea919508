"""Slopes that are 0 by structure, whatever the numbers are: no path through units with a slope leads to the loss.

Floats cannot tell such a 0 from a small number, yet these are common: whole units without effect on the loss. The
argument is combinatorial, made in the cell around the vertex where every kink of the basis is off, and rests on
independence alone. Proofs/filter.md, 6.
"""

import numpy as np

from exactdrl.arithmetic.compiling import compiled, inlined
from exactdrl.arithmetic.float64.problem import FloatProblem
from exactdrl.arithmetic.float64.scan import Integers
from exactdrl.arithmetic.float64.vertex import FloatVertex

# Units of a layer are the bits of an integer; wider layers are left to exact arithmetic
WIDEST = 62


@compiled
def paths_below(problem: FloatProblem) -> Integers:
    """Returns (depths, width), for each unit the units one layer below that it depends on, as bits."""
    depths, width = problem.weights.shape[0], problem.weights.shape[1]
    below = np.zeros((depths, width), dtype=np.int64)
    for t in range(1, depths):
        for j in range(problem.widths[t]):
            for q in range(problem.widths[t - 1]):
                if problem.weights[t, j, q] != 0.0:
                    below[t, j] |= 1 << q
    return below


@compiled
def passing_units(problem: FloatProblem, vertex: FloatVertex) -> Integers:
    """Returns (depths, N), the units whose slope is not 0, as bits; in the last layer, where the loss's is not.

    In the cell in which all kinks of the basis are off, the others where they are.
    """
    depths, samples = problem.weights.shape[0], problem.inputs.shape[1]
    passing = np.zeros((depths, samples), dtype=np.int64)
    for t in range(depths):
        for q in range(problem.widths[t]):
            for i in range(samples):
                if has_slope(problem, t, q, i, vertex.masks[t, q, i] != 0.0):
                    passing[t, i] |= 1 << q
    for slot in range(vertex.kinks.shape[0]):
        t, i, q = vertex.kinks[slot, 0], vertex.kinks[slot, 1], vertex.kinks[slot, 2]
        passing[t, i] &= ~(1 << q)
        if has_slope(problem, t, q, i, False):
            passing[t, i] |= 1 << q
    return passing


@inlined
def has_slope(problem: FloatProblem, depth: int, unit: int, sample: int, is_on: bool) -> bool:
    """Returns whether a unit's activation, or in the last layer the loss, has a slope other than 0 on a side."""
    side = 1 if is_on else 0
    if depth == problem.weights.shape[0] - 1:
        return bool(problem.loss_slopes[side, unit, sample] != 0.0)
    return bool(problem.slopes[side, depth, unit] != 0.0)


@compiled
def reach_down(below: Integers, passing: Integers, sample: int, depth: int, until: int, units: int) -> int:
    """Returns the activations of layer `until` to which paths lead down from some units of layer `depth`, all as bits.

    A path ends at a unit of a layer in between whose slope is 0.
    """
    for t in range(depth, until, -1):
        if t < depth:
            units &= passing[t, sample]
        reached, j = 0, 0
        while units != 0:
            if units & 1:
                reached |= below[t, j]
            units >>= 1
            j += 1
        units = reached
    return units


@inlined
def mark_silent(vertex: FloatVertex, rank: int, touched: Integers, reaches: Integers, off_zero: Integers) -> None:
    """Marks rows on units on which the loss does not depend at all.

    On these units' parameters the rows have full rank and combine to 0, the gradient there. Rows of one sample have at
    most as much rank as there are such units; where no rank is to spare, samples with no more rows than that have
    independent ones, and multipliers 0.
    """
    n, width = reaches.shape
    silent = np.ones(width, dtype=np.int64)
    for u in range(width):
        for i in range(touched.shape[1]):
            if touched[u, i] & 1:
                silent[u] = 0
    units, total = 0, 0
    for u in range(width):
        units += silent[u]
    outside, group = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    for slot in range(n):
        for u in range(width):
            if silent[u] != 0 and reaches[slot, u] != 0:
                outside[slot] = 1
    for slot in range(n):
        if outside[slot] != 0:
            first = True
            for other in range(n):
                if outside[other] != 0 and vertex.kinks[other, 1] == vertex.kinks[slot, 1]:
                    group[slot] += 1
                    first = first and other >= slot
            if first:
                total += min(group[slot], units)
    if units > 0 and total == units * rank:
        for slot in range(n):
            if outside[slot] != 0 and group[slot] <= units:
                off_zero[slot] = 1


@inlined
def mark_apart(vertex: FloatVertex, rank: int, touched: Integers, reaches: Integers, off_zero: Integers) -> None:
    """Marks rows that are alone in their sample on a unit whose samples are independent and not in the loss.

    If the rows that reach a unit come from just as many samples as there are inputs, these samples' inputs are
    independent, since the rows have full rank on the unit. If the loss depends on the unit in no other samples,
    multipliers and gradient agree sample by sample there.
    """
    n, width = reaches.shape
    for u in range(width):
        count, alone = 0, True
        for i in range(touched.shape[1]):
            if touched[u, i] & 2:
                count += 1
            elif touched[u, i] & 1:
                alone = False
        if count != rank or not alone:
            continue
        for slot in range(n):
            sample = vertex.kinks[slot, 1]
            if reaches[slot, u] == 0 or touched[u, sample] & 1:
                continue
            group = 0
            for other in range(n):
                if reaches[other, u] != 0 and vertex.kinks[other, 1] == sample:
                    group += 1
            if group == 1:
                off_zero[slot] = 1


@compiled
def find_zero_slopes(problem: FloatProblem, vertex: FloatVertex, off_zero: Integers, on_zero: Integers) -> None:
    """Marks slots whose slope on the off side, and on the on side, of their kink is 0 by structure."""
    n = vertex.kinks.shape[0]
    width, rank, samples = problem.widths[0], problem.inputs.shape[0], problem.inputs.shape[1]
    top = len(problem.widths) - 1
    off_zero[:] = 0
    on_zero[:] = 0
    if problem.weights.shape[1] > 62:
        return
    below, passing = paths_below(problem), passing_units(problem, vertex)
    # by unit and sample: whether the loss depends on the unit there (1), and whether a row of the basis does (2)
    touched = np.zeros((width, samples), dtype=np.int64)
    for i in range(samples):
        reached = reach_down(below, passing, i, top, 0, passing[top, i])
        if top > 0:
            reached &= passing[0, i]
        for u in range(width):
            touched[u, i] = (reached >> u) & 1
    reaches = np.zeros((n, width), dtype=np.int64)
    for slot in range(n):
        depth, sample = vertex.kinks[slot, 0], vertex.kinks[slot, 1]
        reached = reach_down(below, passing, sample, depth, 0, 1 << vertex.kinks[slot, 2])
        if depth > 0:
            reached &= passing[0, sample]
        for u in range(width):
            if (reached >> u) & 1:
                reaches[slot, u] = 1
                touched[u, sample] |= 2
    mark_silent(vertex, rank, touched, reaches, off_zero)
    mark_apart(vertex, rank, touched, reaches, off_zero)
    for slot in range(n):
        depth, sample, bit = vertex.kinks[slot, 0], vertex.kinks[slot, 1], 1 << vertex.kinks[slot, 2]
        if (
            off_zero[slot] == 0
            or depth == top
            or reach_down(below, passing, sample, top, depth, passing[top, sample]) & bit
        ):
            continue
        on_zero[slot] = 1
        for other in range(n):
            if off_zero[other] == 0 and vertex.kinks[other, 1] == sample and vertex.kinks[other, 0] > depth:
                if reach_down(below, passing, sample, vertex.kinks[other, 0], depth, 1 << vertex.kinks[other, 2]) & bit:
                    on_zero[slot] = 0
