"""Which vertex a point of a float trajectory stands for: a guess by the nearest kinks, verified exactly.

proofs/audit.md states the rule, what follows from it, and what does not.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from flint import fmpq_mat, fmpz, fmpz_mat
from gmpy2 import mpq, mpz

from exactdrl.audits.nearness import Bounds, Nearness
from exactdrl.audits.point import ExactPoint, has_rank, is_independent
from exactdrl.audits.signs import kinks_of
from exactdrl.cells.affine import AffineForm, affine_form
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink
from exactdrl.cells.scan import Values, pattern_of
from exactdrl.exact.linear import independent_rows, to_fmpz, to_matrix, to_mpz
from exactdrl.exact.rationals import to_float

# A point is read as a vertex only if every kink that does not pass through the vertex is at least this many times as
# far from the point as the vertex is. Of points on a line with many breakpoints, about one in 2^16 is as near to one of
# them by chance.
SEPARATION = 2**16


@dataclass(frozen=True, slots=True)
class FoundVertex:
    """A point that is proved to be a vertex.

    Attributes:
        point: the vertex, exactly.
        squared_distance: the squared distance of the given point to the vertex.
    """

    point: ExactPoint
    squared_distance: mpq


@dataclass(frozen=True, slots=True)
class NoVertex:
    """No vertex was found for a point; this does not say that there is none.

    Attributes:
        reason: why none was found, in words.
        squared_distance: the squared distance of the given point to the guessed vertex, where that is a vertex but not
            near enough; else None.
    """

    reason: str
    squared_distance: mpq | None = None


@dataclass(frozen=True, slots=True)
class OnFace:
    """A point stands for no vertex: the kinks that are near meet in a face, and the next ones are far.

    Attributes:
        dimension: the face's dimension, from 1 to n - 1.
        squared_distance: an exact lower bound on the squared distance to every vertex of the point's own closed cell.
    """

    dimension: int
    squared_distance: mpq

    @property
    def reason(self) -> str:
        """Returns why the point stands for no vertex, in words."""
        distance = math.sqrt(to_float(self.squared_distance))
        return f"it lies in a face of dimension {self.dimension}, at least {distance:.3g} from every vertex of its cell"


Reading: TypeAlias = FoundVertex | NoVertex | OnFace


@dataclass(frozen=True, slots=True)
class _Near:
    """A kink near a point.

    Attributes:
        kink: the kink's address.
        form: the kink's affine function in the point's own cell.
        square: the point's squared distance to the hyperplane where that function vanishes.
    """

    kink: Kink
    form: AffineForm
    square: mpq


def find_vertex(
    problem: IntegerProblem,
    bounds: Bounds,
    point: ExactPoint,
    values: Values,
    *,
    before: ExactPoint | None = None,
    separation: int = SEPARATION,
) -> Reading:
    """Returns the vertex that a point stands for.

    What is returned as a vertex is proved to be a vertex. That the point's author meant this vertex is a guess.

    Args:
        problem: the scaled problem.
        bounds: `Bounds.of(problem)`.
        point: the point as given.
        values: the values of all kinks at the point, as `ExactPoint.at` returns them.
        before: the trajectory's point before; its rounding counts too.
        separation: every kink that does not pass through the vertex must be at least this many times as far from the
            point as the vertex is.
    """
    n = problem.dimension
    nearness = Nearness(problem, bounds, point, values)
    chosen = _nearest_independent(problem, nearness)
    if len(chosen) < n:
        return NoVertex("the kinks of the point's own cell do not meet in a point")
    found = _verify(problem, nearness, point, chosen, separation)
    if isinstance(found, NoVertex):
        rounding = max(known.squared_rounding() for known in (point, before) if known is not None)
        return _find_face(rounding, [near.square for near in chosen], separation) or found
    return found


def _verify(
    problem: IntegerProblem, nearness: Nearness, point: ExactPoint, chosen: Sequence[_Near], separation: int
) -> FoundVertex | NoVertex:
    """Returns the vertex where n independent kinks of the point's own cell meet, if it is one and near enough."""
    vertex, at_vertex = ExactPoint.at(problem, *_solve([near.form for near in chosen], problem.dimension))
    vanishing = list(kinks_of(nearness.pattern, vertex.signs.zero))
    if not {near.kink for near in chosen} <= set(vanishing):
        return NoVertex("the nearest kinks meet outside the point's own cell")
    is_outside = vertex.signs.positive & ~point.signs.positive | vertex.signs.negative & point.signs.positive
    if is_outside and not _is_vertex(problem, at_vertex, vanishing):
        return NoVertex("the nearest kinks are dependent in the cells around the point where they meet")
    square = vertex.squared_distance(point)
    if not nearness.are_others_beyond(set(vanishing), square * separation**2):
        return NoVertex("another kink is about as near as the nearest vertex", square)
    return FoundVertex(vertex, square)


def _find_face(rounding: mpq, squares: Sequence[mpq], separation: int) -> OnFace | None:
    """Returns the face that a point stands for, None where its nearest kinks show no gap.

    Args:
        rounding: the square of the rounding of the point's numbers.
        squares: the squared distances of the nearest independent kinks, increasing. A vertex of the closed cell lies on
            n independent kinks, each of which is at most as far as the vertex. So the last of these squares is a bound.
        separation: the gap that is needed. From some kink on, not the first, all kinks are at least this many times as
            far away as the kinks before, and as the rounding.
    """
    near = rounding
    for index, square in enumerate(squares):
        if index and square >= near * separation**2:
            return OnFace(len(squares) - index, squares[-1])
        near = max(near, square)
    return None


def _nearest_independent(problem: IntegerProblem, nearness: Nearness) -> list[_Near]:
    """Returns, from near to far, up to n kinks, each independent of the kinks before it."""
    n = problem.dimension
    kinks: list[_Near] = []
    source = nearness.kinks()
    while True:
        more = islice(source, max(n, len(kinks)))
        added = [_Near(kink, affine_form(problem, nearness.pattern, kink), square) for square, kink in more]
        kinks += added
        rows = [near.form.row for near in kinks]
        if len(kinks) == n and is_independent(rows, n):
            return kinks
        if not added or has_rank(rows, n, n):
            return [kinks[index] for index in independent_rows(rows, n)]


def _solve(forms: Sequence[AffineForm], n: int) -> tuple[list[mpz], mpz]:
    """Returns the numerators and the positive denominator of the point where n independent affine functions vanish."""
    if not n:
        return [], mpz(1)
    right = fmpz_mat(n, 1, [to_fmpz(-form.offset) for form in forms])
    matrix = fmpq_mat(to_matrix([form.row for form in forms], n))
    solution, denominator = matrix.solve(fmpq_mat(right)).numer_denom()
    if denominator < fmpz(0):
        solution, denominator = -solution, -denominator
    return [to_mpz(entry) for entry in solution.entries()], to_mpz(denominator)


def _is_vertex(problem: IntegerProblem, values: Values, vanishing: Sequence[Kink]) -> bool:
    """Returns whether n of the vanishing kinks are independent in a cell around the point, and so in all such cells."""
    pattern = pattern_of(problem, values)
    rows = [affine_form(problem, pattern, kink).row for kink in vanishing]
    return has_rank(rows, problem.dimension, problem.dimension)
