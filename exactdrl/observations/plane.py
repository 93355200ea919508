"""All kinks of the loss in a window of a plane of parameters, as exact segments.

On the plane θ(s, t) = origin + s · first + t · second every preactivation of a sample is piecewise affine. Sample by
sample and layer by layer the window is cut into convex polygons along the lines where a unit's preactivation is 0. On
each polygon the next layer's preactivations are affine. So a kink is a broken line, given by its straight pieces. No
number is rounded, so that the picture is exact for the plane that was asked for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gmpy2 import mpq

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink
from exactdrl.exact.rationals import InputError
from exactdrl.problem.instance import Matrix

Place: TypeAlias = tuple[mpq, mpq]
Polygon: TypeAlias = tuple[Place, ...]
# a + b s + c t
Affine: TypeAlias = tuple[mpq, mpq, mpq]

_ZERO = mpq(0)


@dataclass(frozen=True, slots=True)
class Plane:
    """A plane of parameters, each a matrix of the trained layer's shape (n_ℓ, m).

    Attributes:
        origin: θ(0, 0).
        first: what is added for s = 1.
        second: what is added for t = 1.
    """

    origin: Matrix
    first: Matrix
    second: Matrix

    def point(self, s: mpq, t: mpq) -> Matrix:
        """Returns θ(s, t)."""
        return tuple(
            tuple(o + s * a + t * b for o, a, b in zip(*rows, strict=True))
            for rows in zip(self.origin, self.first, self.second, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Segment:
    """A straight piece of a kink in a plane.

    Attributes:
        kink: the kink, whose preactivation or residual is 0 on the piece.
        begin: the (s, t) of one end.
        end: the (s, t) of the other end.
    """

    kink: Kink
    begin: Place
    end: Place


def through_points(points: Sequence[Matrix]) -> Plane:
    """Returns the plane through three points, whose (s, t) are (0, 0), (1, 0) and (0, 1).

    Raises:
        InputError: there are not three points, or they lie on a line.
    """
    if len(points) != 3:  # noqa: PLR2004 - a plane
        raise InputError(f"{len(points)} points are given; a plane needs three")
    origin, one, two = points
    first, second = (
        tuple(tuple(p - o for p, o in zip(*rows, strict=True)) for rows in zip(point, origin, strict=True))
        for point in (one, two)
    )
    a, b = ([entry for row in matrix for entry in row] for matrix in (first, second))
    products = [sum((x * y for x, y in zip(*pair, strict=True)), _ZERO) for pair in ((a, a), (b, b), (a, b))]
    if products[0] * products[1] == products[2] ** 2:
        raise InputError("the three points lie on a line, so that many planes go through them; name other points")
    return Plane(origin, first, second)


def find_segments(
    problem: IntegerProblem, plane: Plane, lower: Place, upper: Place, samples: Sequence[int] | None = None
) -> Iterator[Segment]:
    """Yields exactly every straight piece of every kink that crosses the inside of a window, sample by sample.

    Args:
        problem: the scaled problem.
        plane: a plane of full parameters.
        lower: the least s and t of the window.
        upper: the greatest s and t of the window.
        samples: the samples whose kinks are wanted; default: all.

    Raises:
        InputError: the window is empty.
    """
    corners, line = _corners(lower, upper), _reduce(problem, plane)
    for sample in range(problem.samples) if samples is None else samples:
        segments: list[Segment] = []
        _cut_sample(problem, sample, _first_values(problem, sample, line), corners, segments)
        yield from segments


def find_cells(problem: IntegerProblem, plane: Plane, lower: Place, upper: Place) -> list[Polygon]:
    """Returns exactly the cells of the loss in a window of a plane, as convex polygons.

    In a cell every kink's preactivation or residual has one sign, which is not 0. Each cell of the parameters is
    convex, so that the plane meets it in one polygon or not at all. The work grows with the number of cells times the
    number of samples.

    Args:
        problem: the scaled problem.
        plane: a plane of full parameters.
        lower: the least s and t of the window.
        upper: the greatest s and t of the window.

    Raises:
        InputError: the window is empty.
    """
    polygons, line = [_corners(lower, upper)], _reduce(problem, plane)
    for sample in range(problem.samples):
        values = _first_values(problem, sample, line)
        polygons = [part for polygon in polygons for part in _cut_sample(problem, sample, values, polygon, [])]
    return polygons


def _corners(lower: Place, upper: Place) -> Polygon:
    if not (lower[0] < upper[0] and lower[1] < upper[1]):
        raise InputError("the window of the plane is empty")
    return (lower, (upper[0], lower[1]), upper, (lower[0], upper[1]))


def _reduce(problem: IntegerProblem, plane: Plane) -> tuple[Sequence[mpq], ...]:
    """Returns the origin and what is added for s = 1 and for t = 1, in the reduced parameters."""
    origin = problem.to_reduced(plane.origin)
    ends = [problem.to_reduced(plane.point(mpq(1), _ZERO)), problem.to_reduced(plane.point(_ZERO, mpq(1)))]
    return origin, *([e - o for e, o in zip(end, origin, strict=True)] for end in ends)


def _first_values(problem: IntegerProblem, sample: int, line: tuple[Sequence[mpq], ...]) -> list[Affine]:
    """Returns the trained layer's preactivations of a sample on the plane."""
    row, rank = problem.rows[sample], problem.rank
    values: list[Affine] = []
    for unit, offset in enumerate(problem.offsets[0][sample]):
        own = slice(unit * rank, (unit + 1) * rank)
        a, b, c = (sum((x * v for x, v in zip(row, part[own], strict=True)), _ZERO) for part in line)
        values.append((a + offset, b, c))
    return values


def _cut_sample(
    problem: IntegerProblem, sample: int, values: list[Affine], corners: Polygon, segments: list[Segment]
) -> list[Polygon]:
    """Returns a convex polygon cut along all kinks of a sample, and appends their pieces inside it."""
    top = len(problem.widths) - 1
    pieces, ends = [(corners, values)], list[Polygon]()
    for depth in range(top + 1):
        following: list[tuple[Polygon, list[Affine]]] = []
        for polygon, forms in pieces:
            parts = [polygon]
            for unit, form in enumerate(forms):
                if not problem.addresses.is_kink(depth, sample * problem.widths[depth] + unit):
                    continue
                kink = problem.addresses.kink(depth, sample * problem.widths[depth] + unit)
                divided: list[Polygon] = []
                for part in parts:
                    cut = _cut(part, form)
                    divided += cut[0]
                    if cut[1] is not None:
                        segments.append(Segment(kink, *cut[1]))
                parts = divided
            if depth < top:
                following += [(part, _next_layer(problem, sample, depth, part, forms)) for part in parts]
            else:
                ends += parts
        pieces = following
    return ends


def _at(form: Affine, place: Place) -> mpq:
    return form[0] + form[1] * place[0] + form[2] * place[1]


def _cut(polygon: Polygon, form: Affine) -> tuple[list[Polygon], tuple[Place, Place] | None]:
    """Returns a convex polygon cut along form = 0, and the ends of the cut; the whole polygon if it is not cut."""
    heights = [_at(form, place) for place in polygon]
    if all(height >= 0 for height in heights) or all(height <= 0 for height in heights):
        return [polygon], None
    sides: tuple[list[Place], list[Place]] = ([], [])
    crossings: list[Place] = []
    for index, place in enumerate(polygon):
        height, after = heights[index], heights[(index + 1) % len(polygon)]
        if height == 0:
            sides[0].append(place)
            sides[1].append(place)
            crossings.append(place)
            continue
        sides[height > 0].append(place)
        if height * after < 0:
            other = polygon[(index + 1) % len(polygon)]
            share = height / (height - after)
            between = (place[0] + share * (other[0] - place[0]), place[1] + share * (other[1] - place[1]))
            sides[0].append(between)
            sides[1].append(between)
            crossings.append(between)
    return [tuple(sides[0]), tuple(sides[1])], (crossings[0], crossings[1])


def _next_layer(
    problem: IntegerProblem, sample: int, depth: int, polygon: Polygon, forms: Sequence[Affine]
) -> list[Affine]:
    """Returns the next layer's preactivations, or the residuals, on a polygon that no unit of this layer cuts."""
    inside = (sum((p[0] for p in polygon), _ZERO) / len(polygon), sum((p[1] for p in polygon), _ZERO) / len(polygon))
    passed: list[Affine | None] = []
    for form, slopes in zip(forms, problem.slopes[depth], strict=True):
        slope = slopes[_at(form, inside) > 0]
        passed.append((slope * form[0], slope * form[1], slope * form[2]) if slope else None)
    factor = problem.residual_factors[sample] if depth + 1 == len(problem.widths) - 1 else 1
    found: list[Affine] = []
    for weights, offset in zip(problem.weights[depth], problem.offsets[depth + 1][sample], strict=True):
        a, b, c = _ZERO, _ZERO, _ZERO
        for weight, part in zip(weights, passed, strict=True):
            if part is not None and weight:
                a, b, c = a + weight * part[0], b + weight * part[1], c + weight * part[2]
        found.append((factor * a + offset, factor * b, factor * c))
    return found
