"""Slopes that are 0 since the changes of the units that an edge moves cancel in every sample, whatever the numbers are.

Two units that take part in the same samples are the common case: what the one gains the other loses. The argument
counts dimensions, and the numbers have no part in it. Theorem and proof: proofs/filter.md, 6.
"""

from exactdrl.arithmetic.float64.coefficients import fold_coefficient
from exactdrl.arithmetic.float64.marks import compiled
from exactdrl.arithmetic.float64.state import MOST_MOVED, FloatProblem, FloatVertex, Slopes
from exactdrl.arithmetic.float64.structure import WIDEST, bit_of, has_slope, reach_down

# A unit is taken to move if an entry of its part is more than this share of the direction's greatest; if that is
# wrong, nothing is found
SHARE_OF_MOVE = 2.0**-30


@compiled
def can_cancel(problem: FloatProblem) -> bool:
    """Returns whether there is a layer above the trained one, and none is too wide."""
    return bool(problem.widths.shape[0] > 1 and problem.weights.shape[1] <= WIDEST)


@compiled
def prepare(problem: FloatProblem, vertex: FloatVertex, slopes: Slopes) -> None:
    """Finds by sample what the loss depends on, and which own kinks of the trained layer's units are in the basis."""
    for i in range(problem.inputs.shape[1]):
        listen(problem, slopes, i)
        slopes.resting[i] = 0
    for slot in range(vertex.kinks.shape[0]):
        slopes.resting[vertex.kinks[slot, 1]] |= own_bit(vertex.kinks[slot, 0], vertex.kinks[slot, 2])


@compiled
def listen(problem: FloatProblem, slopes: Slopes, sample: int) -> None:
    """Finds the units above the trained layer on which the loss depends in a sample, but for those of the basis."""
    top = problem.widths.shape[0] - 1
    heard = slopes.clear[top, sample]
    if top > 1:
        heard = reach_down(slopes, slopes.clear, sample, top, 1, heard) & slopes.clear[1, sample]
    slopes.heard[sample] = heard


@compiled
def hears(slopes: Slopes, depth: int, sample: int, unit: int, k: int) -> bool:
    """Returns whether a deeper kink depends on a unit of the layer above the trained one by a path clear of the basis.

    Args:
        slopes: with `below` and `clear`.
        depth: of the kink, at least 1.
        sample: of the kink.
        unit: of the kink.
        k: the unit above the trained layer.
    """
    if depth == 1:
        return unit == k
    return bool(reach_down(slopes, slopes.clear, sample, depth, 1, bit_of(unit)) & slopes.clear[1, sample] & bit_of(k))


@compiled
def is_cancelled(problem: FloatProblem, vertex: FloatVertex, slopes: Slopes, slot: int, is_across: bool) -> bool:
    """Returns whether the slope along an edge is certainly 0 since what it changes cancels.

    Args:
        problem: the data, for which `can_cancel`.
        vertex: a vertex.
        slopes: with `below` and `clear`, after `prepare`.
        slot: of the kink that the edge leaves.
        is_across: whether the edge is that on the kink's other side.
    """
    depth, sample, unit = vertex.kinks[slot, 0], vertex.kinks[slot, 1], vertex.kinks[slot, 2]
    count = find_moved(problem, vertex, slopes, slot, is_across)
    if count == 0:
        return False
    # the other kinks of the basis rest; the edge's own is on its side
    slopes.resting[sample] &= ~own_bit(depth, unit)
    if has_slope(problem, depth, unit, sample, (vertex.masks[depth, unit, sample] != 0.0) != is_across):
        slopes.clear[depth, sample] |= bit_of(unit)
        listen(problem, slopes, sample)
    is_found = all_cancels(problem, vertex, slopes, slot, count)
    slopes.clear[depth, sample] &= ~bit_of(unit)
    slopes.resting[sample] |= own_bit(depth, unit)
    listen(problem, slopes, sample)
    return is_found


@compiled
def own_bit(depth: int, unit: int) -> int:
    """Returns the bit of a unit of the trained layer, 0 for units above it."""
    return bit_of(unit) if depth == 0 else 0


@compiled
def find_moved(problem: FloatProblem, vertex: FloatVertex, slopes: Slopes, slot: int, is_across: bool) -> int:
    """Lists the units that an edge seems to move; returns how many, 0 for too many or a unit with two slopes.

    A guess, on which nothing depends but whether something is found.
    """
    n, rank = vertex.matrix.shape[0], problem.inputs.shape[0]
    for p in range(n):
        vertex.column[p] = vertex.inverse[p, slot]
    if is_across:
        for other in range(n):
            if vertex.kinks[other, 1] == vertex.kinks[slot, 1] and vertex.kinks[other, 0] > vertex.kinks[slot, 0]:
                c, _ = fold_coefficient(problem, vertex, slot, other)
                for p in range(n):
                    vertex.column[p] -= c * vertex.inverse[p, other]
    largest, count = 0.0, 0
    for p in range(n):
        largest = max(largest, abs(vertex.column[p]))
    for u in range(problem.widths[0]):
        size = 0.0
        for p in range(rank):
            size = max(size, abs(vertex.column[u * rank + p]))
        if size > largest * SHARE_OF_MOVE:
            below, above, difference = problem.slopes[0, 0, u], problem.slopes[1, 0, u], problem.slopes[2, 0, u]
            if count == MOST_MOVED or min(abs(below), abs(above), abs(difference)) != 0.0:
                return 0
            slopes.moved[count] = u
            count += 1
    return count


@compiled
def all_cancels(problem: FloatProblem, vertex: FloatVertex, slopes: Slopes, slot: int, count: int) -> bool:
    """Returns whether an edge certainly lies where the loss does not change along any combination of the moved units.

    That is a space of at least `free` dimensions, on which the rows have full rank. Those of one sample have at most
    rank `most`. Where no rank is to spare the samples' rows are independent of each other, and in a sample with no
    more rows than that they are independent, too: their edges lie in the space.
    """
    n, free, most = vertex.kinks.shape[0], count * problem.inputs.shape[0], count
    for other in range(n):
        own = to_part(slopes, own_bit(vertex.kinks[other, 0], vertex.kinks[other, 2]), count)
        slopes.groups[other] = 1 if own != 0 else 0
    for k in range(problem.widths[1]):
        size, conditions = span_samples(problem, slopes, k, count)
        free -= conditions
        most = min(most, count - size)
        for other in range(n):
            depth, sample = vertex.kinks[other, 0], vertex.kinks[other, 1]
            if (
                depth > 0
                and slopes.groups[other] == 0
                and hears(slopes, depth, sample, vertex.kinks[other, 2], k)
                and not is_quiet(slopes, k, sample, count)
            ):
                slopes.groups[other] = 1
    if slopes.groups[slot] == 0:
        return False
    slopes.rows_of[:] = 0
    for other in range(n):
        slopes.rows_of[vertex.kinks[other, 1]] += slopes.groups[other]
    for i in range(problem.inputs.shape[1]):
        free -= min(slopes.rows_of[i], most)
    return bool(free == 0 and slopes.rows_of[vertex.kinks[slot, 1]] <= most)


@compiled
def to_part(slopes: Slopes, units: int, count: int) -> int:
    """Returns which of some units, given as bits, move, as bits by their place among those that do."""
    part = 0
    for place in range(count):
        part |= ((units >> slopes.moved[place]) & 1) << place
    return part


@compiled
def span_samples(problem: FloatProblem, slopes: Slopes, k: int, count: int) -> tuple[int, int]:
    """Returns a span's dimension, and how many conditions make a unit above the trained layer rest where it is heard.

    On a part of the moved units that occurs in as many samples as there are inputs, or more, their combination is to
    be 0, whatever the input is; so it is on all parts in the span of these. Elsewhere each sample is a condition.
    Leaves -1 in `counts` for the parts in the span, and for no unit.
    """
    rank, size, conditions = problem.inputs.shape[0], 0, 0
    parts = bit_of(count)
    for part in range(parts):
        slopes.counts[part] = 0
    for i in range(problem.inputs.shape[1]):
        if slopes.heard[i] & bit_of(k) and to_part(slopes, slopes.below[1, k] & slopes.resting[i], count) == 0:
            slopes.counts[to_part(slopes, slopes.below[1, k] & slopes.clear[0, i], count)] += 1
    for part in range(1, parts):
        if slopes.counts[part] >= rank and not is_spanned(slopes, part, size, count):
            # it stands in the row behind the others already
            size += 1
    for part in range(parts):
        if is_spanned(slopes, part, size, count):
            slopes.counts[part] = -1
        else:
            conditions += slopes.counts[part]
    for i in range(problem.inputs.shape[1]):
        if (
            slopes.heard[i] & bit_of(k)
            and to_part(slopes, slopes.below[1, k] & slopes.resting[i], count) != 0
            and not is_quiet(slopes, k, i, count)
        ):
            conditions += 1
    return size, conditions + size * rank


@compiled
def is_quiet(slopes: Slopes, k: int, sample: int, count: int) -> bool:
    """Returns whether a unit above the trained layer rests in a sample, by the parts that `span_samples` has marked.

    Moved units whose own kinks in the sample rest may take part or not, as it suits.
    """
    part = to_part(slopes, slopes.below[1, k] & slopes.clear[0, sample], count)
    free = to_part(slopes, slopes.below[1, k] & slopes.resting[sample], count)
    chosen = free
    while chosen >= 0:
        if slopes.counts[part | chosen] < 0:
            return True
        # the next smaller subset, and -1 after the empty one
        chosen = ((chosen - 1) & free) if chosen > 0 else -1
    return False


@compiled
def is_spanned(slopes: Slopes, part: int, size: int, count: int) -> bool:
    """Returns whether a part, as a row of 0 and 1, lies in the span of the first `size` rows.

    Leaves what elimination makes of it in the row behind them.
    """
    for place in range(count):
        slopes.span[size, place] = (part >> place) & 1
    for row in range(size):
        pivot = 0
        while slopes.span[row, pivot] == 0:
            pivot += 1
        own, factor = slopes.span[row, pivot], slopes.span[size, pivot]
        if factor != 0:
            for place in range(count):
                slopes.span[size, place] = own * slopes.span[size, place] - factor * slopes.span[row, place]
    rest = 0
    for place in range(count):
        rest += slopes.span[size, place] != 0
    return rest == 0
