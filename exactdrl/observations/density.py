"""The density of vertices and kinks near a walk's last vertex: exact counts within geometric radii.

There are two views. One counts the walk's own vertices around the last one. The other does without the walk: it counts
the breakpoints of the loss on lines through the last vertex, and on lines of the same directions through control
points. Control points are uniform in the box that holds all vertices of the walk, on the grid of multiples of 1/1024.
Directions have exactly length 1: they are rational points of the sphere, made by stereographic projection of nearly
uniform draws. All draws come from one seed.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from gmpy2 import mpq

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.exact.enclosed import EnclosedSequence, enclose
from exactdrl.observations.float_lines import FloatProblem
from exactdrl.observations.lines import count_breakpoints_within
from exactdrl.problem.instance import Matrix
from exactdrl.series.trajectory import Trajectory

RADII = 18
_GRID = 1024


@dataclass(frozen=True, slots=True)
class TrajectoryDensity:
    """The numbers of the walk's vertices within radii around the last vertex.

    Attributes:
        radii: powers of 2, increasing.
        counts: for each radius, the number of steps k = 0..S with |v_k - v_S| ≤ radius.
    """

    radii: tuple[mpq, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A rational line on which breakpoints are counted.

    Attributes:
        place: `last` for a line through the last vertex, `control` for one through a control point.
        offset: the full parameters of the control point, shape (n_ℓ, m); 0 for a line through the last vertex.
        direction: the line's direction, of length 1, which is 0 outside the pivot columns of the data.
    """

    place: str
    offset: Matrix
    direction: Matrix


@dataclass(frozen=True, slots=True)
class LineDensity:
    """The breakpoints of the loss on a line.

    Attributes:
        line: the line.
        radii: powers of 2, increasing.
        counts: for each radius, the number of breakpoints with |t| < radius.
        at_origin: whether t = 0 is a breakpoint, as it is on almost every line through a vertex.
    """

    line: Line
    radii: tuple[mpq, ...]
    counts: tuple[int, ...]
    at_origin: bool


@dataclass(frozen=True, slots=True)
class DensityRow:
    """The counts of all lines together for one radius, without breakpoints at t = 0, which every vertex has.

    Attributes:
        radius: the radius r.
        last: how many breakpoints with 0 < |t| < r all lines through the last vertex have.
        control: the same number for lines through control points.
        last_shell: how many of `last` have r/2 ≤ |t|; for the least radius all of them.
        control_shell: the same number for lines through control points.
        length: the length of all lines of one kind within r, 2 r times their number.
    """

    radius: mpq
    last: int
    control: int
    last_shell: int
    control_shell: int
    length: mpq

    @property
    def ratio(self) -> mpq | None:
        """Returns `last` / `control`; None where `control` is 0."""
        return mpq(self.last, self.control) if self.control else None


def choose_radii(squared_distances: Sequence[mpq], count: int = RADII) -> tuple[mpq, ...]:
    """Returns increasing powers of 2, the greatest of which is the least that no distance exceeds (1 if all are 0)."""
    known = enclose(squared_distances)
    exponent, log = 0, max(known.logs())
    if log > -math.inf:
        # the least e with 4^e ≥ every squared distance; floats say where to begin
        exponent = round(log / math.log(4))
        while _is_beyond_all(known, mpq(4) ** exponent):
            exponent -= 1
        while not _is_beyond_all(known, mpq(4) ** exponent):
            exponent += 1
    return tuple(mpq(2) ** (exponent - back) for back in range(count - 1, -1, -1))


def _is_beyond_all(values: EnclosedSequence, bound: mpq) -> bool:
    return all(sign <= 0 for sign in values.compare_all(bound))


def count_vertices(squared_distances: Sequence[mpq], radii: Sequence[mpq]) -> TrajectoryDensity:
    """Returns for each radius how many of the squared distances are at most its square, exactly."""
    known = enclose(squared_distances)
    counts = tuple(sum(sign <= 0 for sign in known.compare_all(radius * radius)) for radius in radii)
    return TrajectoryDensity(tuple(radii), counts)


def draw_lines(problem: IntegerProblem, trajectory: Trajectory, count: int, seed: int) -> list[Line]:
    """Returns `count` lines through the last vertex and as many through control points, in pairs of one direction.

    The same arguments give the same lines on every machine.
    """
    source = random.Random(seed)  # noqa: S311 - an experiment's draws, not a secret
    zero = tuple((mpq(0),) * len(row) for row in trajectory.last)
    lines = []
    for _ in range(count):
        flat = _draw_unit_vector(source, problem.dimension)
        direction = problem.to_full_direction(flat)
        control = tuple(
            tuple(
                mpq(source.randint(int(low * _GRID), int(high * _GRID)), _GRID) if column in problem.pivots else low
                for column, (low, high) in enumerate(zip(*rows, strict=True))
            )
            for rows in zip(trajectory.lower, trajectory.upper, strict=True)
        )
        lines += [Line("last", zero, direction), Line("control", control, direction)]
    return lines


def _draw_unit_vector(source: random.Random, size: int) -> list[mpq]:
    """Returns a rational vector of length exactly 1, nearly uniform on the sphere; an empty one for size 0.

    A normal draw g points in a uniform direction. Its stereographic image u from the pole of the last coordinate,
    rounded to a grid, has the rational preimage (2u, |u|² - 1) / (|u|² + 1). Sums of twelve uniform draws stand for
    normal draws. They need only additions, which are the same on every machine, while logarithms are not.
    """
    if size == 0:
        return []
    normal = [math.fsum(source.random() for _ in range(12)) - 6.0 for _ in range(size)]
    length = math.sqrt(math.fsum(value * value for value in normal))
    pole = length + abs(normal[-1])
    sign = 1 if normal[-1] <= 0 else -1
    image = [mpq(round(value / pole * _GRID), _GRID) for value in normal[:-1]]
    square = sum((value * value for value in image), mpq(0))
    return [*(2 * value / (square + 1) for value in image), sign * (square - 1) / (square + 1)]


def count_breakpoints(
    problem: IntegerProblem, last: Matrix, line: Line, radii: Sequence[mpq], floats: FloatProblem | None = None
) -> LineDensity:
    """Returns exactly how many breakpoints a line has within each radius.

    Args:
        problem: the scaled problem.
        last: the last vertex.
        line: a line through the last vertex or through a control point.
        radii: the radii, increasing.
        floats: the problem's numbers as floats, which make the count faster.
    """
    origin = last if line.place == "last" else line.offset
    counts, is_at_origin = count_breakpoints_within(problem, origin, line.direction, radii, floats)
    return LineDensity(line, tuple(radii), counts, is_at_origin)


def compare_densities(densities: Sequence[LineDensity]) -> tuple[DensityRow, ...]:
    """Returns the counts of all lines together, by radius."""
    if not densities:
        return ()
    radii = densities[0].radii
    sums = {
        place: [sum(d.counts[i] - d.at_origin for d in densities if d.line.place == place) for i in range(len(radii))]
        for place in ("last", "control")
    }
    shells = {place: [counts[0], *(b - a for a, b in pairwise(counts))] for place, counts in sums.items()}
    lines = sum(d.line.place == "last" for d in densities)
    return tuple(
        DensityRow(
            radius, sums["last"][i], sums["control"][i], shells["last"][i], shells["control"][i], 2 * radius * lines
        )
        for i, radius in enumerate(radii)
    )
