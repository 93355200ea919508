"""Slopes that are 0 by structure: whatever the numbers are, no path through units that are on leads from the edge to the loss.

Floats cannot tell such a 0 from a small number, yet these are common: whole units without effect on the loss. The argument is combinatorial, made
in the cell around the vertex where every kink of the basis is off, and rests on independence alone. Proofs/filter.md, 6.
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
    # the units that the loss depends on
    in_loss = np.zeros(width, dtype=np.int64)
    for i in range(problem.inputs.shape[1]):
        reached[:] = 1
        reach_down(problem, vertex, i, top, 0, reached, below)
        for u in range(width):
            if reached[u] != 0 and (top == 0 or vertex.masks[0, u, i] != 0.0):
                in_loss[u] = 1
    # the rows that live on these units; as many as these have parameters span the gradient, and the others' multipliers are 0
    outside = np.zeros(n, dtype=np.int64)
    inside = 0
    for slot in range(n):
        depth, sample = vertex.kinks[slot, 0], vertex.kinks[slot, 1]
        reached[:] = 0
        reached[vertex.kinks[slot, 2]] = 1
        reach_down(problem, vertex, sample, depth, 0, reached, below)
        for u in range(width):
            if reached[u] != 0 and in_loss[u] == 0 and (depth == 0 or vertex.masks[0, u, sample] != 0.0):
                outside[slot] = 1
        inside += 1 - outside[slot]
    units = 0
    for u in range(width):
        units += in_loss[u]
    if inside == units * rank:
        for slot in range(n):
            off_zero[slot] = outside[slot]
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
