"""What lies between two points of a trajectory: whether vertices are adjacent, and which kinks are crossed."""

from dataclasses import dataclass
from typing import TypeAlias

from gmpy2 import mpq

from exactdrl.audits.point import ExactPoint, has_rank
from exactdrl.audits.signs import kinks_of, pattern_from_bits
from exactdrl.cells.affine import affine_form
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.cells.reach import tangent_cell
from exactdrl.cells.scan import first_breakpoint
from exactdrl.exact.linear import independent_rows


@dataclass(frozen=True, slots=True)
class Stays:
    """Both vertices are the same point."""


@dataclass(frozen=True, slots=True)
class Adjacent:
    """The vertices lie in one closed cell and share n-1 independent active kinks.

    Attributes:
        shared: the kinks that vanish at both vertices, in address order.
        leaving: the kinks that vanish at the first vertex only.
        entering: the kinks that vanish at the second vertex only.
        on: a bit for each kink, 1 where the kink is positive at one of the vertices.
    """

    shared: tuple[Kink, ...]
    leaving: tuple[Kink, ...]
    entering: tuple[Kink, ...]
    on: int


@dataclass(frozen=True, slots=True)
class Crossed:
    """A kink is crossed between two points.

    Attributes:
        kink: the first kink that the segment crosses in its interior; of several at one place, the one with the least
            address.
        fraction: where on the segment the kink is met, in (0, 1).
        count: how many kinks have opposite signs at the segment's ends.
    """

    kink: Kink
    fraction: mpq
    count: int


@dataclass(frozen=True, slots=True)
class NoEdge:
    """The vertices lie in one closed cell, but on no common edge.

    Attributes:
        dimension: the dimension of the least face that holds both vertices, at least 2.
    """

    dimension: int


Move: TypeAlias = Stays | Adjacent | Crossed | NoEdge


def find_crossing(problem: IntegerProblem, before: ExactPoint, after: ExactPoint) -> Crossed | None:
    """Returns the first kink that is crossed on the segment between two points, None if both lie in one closed cell."""
    opposite = before.signs.opposite(after.signs)
    if not opposite:
        return None
    p, q = before.denominator, after.denominator
    pairs = zip(before.numerators, after.numerators, strict=True)
    # as a direction in mpq the difference over p·q: the ray's parameter is then p·t of the segment
    direction = [mpq(y * p - x * q) for x, y in pairs]
    values = before.values(problem)
    pattern, rates = tangent_cell(problem, values, direction)
    met = first_breakpoint(pattern, values, rates)
    if met is None or met.distance is None:
        raise AssertionError("signs change along a segment, yet no kink is met: this is a bug")
    # values are p times, rates p·q times those along the segment
    return Crossed(met.kinks[0], met.distance * q, opposite.bit_count())


def judge_move(problem: IntegerProblem, cell: Pattern, before: ExactPoint, after: ExactPoint) -> Move:
    """Returns how two vertices lie to each other, exactly.

    Args:
        problem: the scaled problem.
        cell: a cell that holds the first vertex.
        before: the first vertex.
        after: the second vertex.
    """
    if (before.numerators, before.denominator) == (after.numerators, after.denominator):
        return Stays()
    crossed = find_crossing(problem, before, after)
    if crossed is not None:
        return crossed
    on = before.signs.positive | after.signs.positive
    zero, zero_after = before.signs.zero, after.signs.zero
    shared = tuple(kinks_of(cell, zero & zero_after))
    common = common_cell(problem, cell, before, after)
    rows = [affine_form(problem, common, kink).row for kink in shared]
    n = problem.dimension
    # the difference of the vertices is orthogonal to all of these: their rank is at most n-1
    if has_rank(rows, n, n - 1):
        return Adjacent(
            shared, tuple(kinks_of(cell, zero & ~zero_after)), tuple(kinks_of(cell, zero_after & ~zero)), on
        )
    return NoEdge(n - len(independent_rows(rows, n)))


def common_cell(problem: IntegerProblem, cell: Pattern, before: ExactPoint, after: ExactPoint) -> Pattern:
    """Returns a cell that holds two points at which no kink has opposite signs.

    Kinks that vanish at both points keep the bits that they have in `cell`.
    """
    on = before.signs.positive | after.signs.positive
    both = pattern_from_bits(problem, before.signs.zero & after.signs.zero)
    pattern = pattern_from_bits(problem, on)
    for bits, kept, old in zip(pattern.bits, both.bits, cell.bits, strict=True):
        for index, is_kept in enumerate(kept):
            if is_kept:
                bits[index] = old[index]
    return pattern
