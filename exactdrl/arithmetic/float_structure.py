"""Slopes that are 0 by structure, whatever the numbers are: no path through units that are on leads to the loss.

Floats cannot tell such a 0 from a small number, yet these are common: whole units without effect on the loss. The
argument is combinatorial, made in the cell around the vertex where every kink of the basis is off, and rests on
independence alone. Proofs/filter.md, 6.
"""

import numpy as np

from exactdrl.arithmetic.compiling import compiled
from exactdrl.arithmetic.float_problem import FloatProblem
from exactdrl.arithmetic.float_scan import Integers
from exactdrl.arithmetic.float_vertex import FloatVertex


@compiled
def reach_down(
    problem: FloatProblem, vertex: FloatVertex, sample: int, depth: int, until: int, reached: Integers, below: Integers
) -> None:
    """Follows paths down, from units `reached` in layer `depth` to the activations of layer `until`, left in `reached`.

    A path ends at a unit of a layer in between that is off.
    """
    for t in range(depth, until, -1):
        for q in range(problem.widths[t - 1]):
            below[q] = 0
            for j in range(problem.widths[t]):
                if reached[j] != 0 and problem.weights[t, j, q] != 0.0:
                    below[q] = 1
        for q in range(problem.widths[t - 1]):
            reached[q] = below[q]
            if t - 1 > until and vertex.masks[t - 1, q, sample] == 0.0:
                reached[q] = 0


@compiled
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
    units, total = silent.sum(), 0
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


@compiled
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
    widest, width, rank = problem.weights.shape[1], problem.widths[0], problem.inputs.shape[0]
    top = len(problem.widths) - 1
    kept = np.zeros(n)
    for slot in range(n):
        depth, sample, unit = vertex.kinks[slot, 0], vertex.kinks[slot, 1], vertex.kinks[slot, 2]
        kept[slot] = vertex.masks[depth, unit, sample]
        vertex.masks[depth, unit, sample] = 0.0
        off_zero[slot] = 0
        on_zero[slot] = 0
    reached, below = np.zeros(widest, dtype=np.int64), np.zeros(widest, dtype=np.int64)
    # by unit and sample: whether the loss depends on the unit there (1), and whether a row of the basis does (2)
    touched = np.zeros((width, problem.inputs.shape[1]), dtype=np.int64)
    for i in range(problem.inputs.shape[1]):
        reached[:] = 1
        reach_down(problem, vertex, i, top, 0, reached, below)
        for u in range(width):
            if reached[u] != 0 and (top == 0 or vertex.masks[0, u, i] != 0.0):
                touched[u, i] = 1
    reaches = np.zeros((n, width), dtype=np.int64)
    for slot in range(n):
        depth, sample = vertex.kinks[slot, 0], vertex.kinks[slot, 1]
        reached[:] = 0
        reached[vertex.kinks[slot, 2]] = 1
        reach_down(problem, vertex, sample, depth, 0, reached, below)
        for u in range(width):
            if reached[u] != 0 and (depth == 0 or vertex.masks[0, u, sample] != 0.0):
                reaches[slot, u] = 1
                touched[u, sample] |= 2
    mark_silent(vertex, rank, touched, reaches, off_zero)
    mark_apart(vertex, rank, touched, reaches, off_zero)
    if top > 0:
        for slot in range(n):
            depth, sample, unit = vertex.kinks[slot, 0], vertex.kinks[slot, 1], vertex.kinks[slot, 2]
            if off_zero[slot] == 0 or depth == top:
                continue
            on_zero[slot] = 1
            reached[:] = 1
            reach_down(problem, vertex, sample, top, depth, reached, below)
            if reached[unit] != 0:
                on_zero[slot] = 0
            for other in range(n):
                if off_zero[other] == 0 and vertex.kinks[other, 1] == sample and vertex.kinks[other, 0] > depth:
                    reached[:] = 0
                    reached[vertex.kinks[other, 2]] = 1
                    reach_down(problem, vertex, sample, vertex.kinks[other, 0], depth, reached, below)
                    if reached[unit] != 0:
                        on_zero[slot] = 0
    for slot in range(n):
        vertex.masks[vertex.kinks[slot, 0], vertex.kinks[slot, 2], vertex.kinks[slot, 1]] = kept[slot]
