"""The sequences behind every observation: losses, squared step lengths, squared distances to the last vertex.

Each number is known by an enclosure of some 100 bits, and is computed exactly on demand (`exact.enclosed`).
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice

import numpy as np
from flint import arb, arb_mat, ctx
from gmpy2 import mpq, mpz
from numpy.typing import NDArray

from exactdrl.arithmetic.exact import ExactArithmetic
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.certificate.reader import Certificate
from exactdrl.certificate.replay import follow
from exactdrl.engine.pool import map_items
from exactdrl.exact.balls import BallParts, from_parts, to_arb, to_parts
from exactdrl.exact.enclosed import PRECISION, EnclosedSequence
from exactdrl.exact.linear import to_integers
from exactdrl.series.enclosures import replay_enclosed
from exactdrl.series.export import squared_distance
from exactdrl.series.parallel import common_problem
from exactdrl.series.segments import Segment, replay_segment, segments


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A walk's vertices as sequences of rationals. The vertex v_k is that after step k, and v_0 is the first vertex.

    Attributes:
        losses: L_0..L_S.
        squared_steps: |v_k - v_{k-1}|² for k = 1..S, at index k - 1.
        squared_distances: |v_k - v_S|² for k = 0..S.
        first: the first vertex in the full parameters, shape (n_ℓ, m).
        last: the last vertex.
        lower: the least value of each parameter over all vertices, rounded down to a multiple of 1/1024.
        upper: the greatest value of each parameter, rounded up to such a multiple.
    """

    losses: EnclosedSequence
    squared_steps: EnclosedSequence
    squared_distances: EnclosedSequence
    first: tuple[tuple[mpq, ...], ...]
    last: tuple[tuple[mpq, ...], ...]
    lower: tuple[tuple[mpq, ...], ...]
    upper: tuple[tuple[mpq, ...], ...]

    @property
    def steps(self) -> int:
        """Returns the number S of steps."""
        return len(self.squared_steps)

    @property
    def gaps(self) -> EnclosedSequence:
        """Returns L_k - L_S for k = 0..S."""
        return self.losses.minus(-1)


_GRID = 1024
# a part costs four scans of all kinks besides its steps
_STEPS_A_PART = 1024


class _Vertices:
    """The exact vertices of a recorded walk: a single vertex by a linear system, all vertices by a replay."""

    def __init__(self, problem: IntegerProblem, parts: Sequence[Segment]) -> None:
        self._problem, self._parts = problem, parts
        self.last = self._point(parts[-1].before + len(parts[-1].steps))

    def at(self, index: int) -> ExactArithmetic:
        """Returns the vertex after a number of steps."""
        segment = self._parts[bisect_right(self._parts, index, key=lambda part: part.before) - 1]
        pattern, basis = self._problem.pattern_from_hex(segment.pattern), list(segment.basis)
        for step in segment.steps[: index - segment.before]:
            follow(pattern, basis, step)
        return ExactArithmetic(self._problem, pattern, basis, is_brief=True)

    def _point(self, index: int) -> tuple[list[mpz], mpz]:
        return to_integers(self.at(index).vertex())

    def loss(self, index: int) -> mpq:
        return self.at(index).loss()

    def squared_step(self, index: int) -> mpq:
        return squared_distance(self._point(index + 1), self._point(index))

    def squared_distance(self, index: int) -> mpq:
        return squared_distance(self._point(index), self.last)

    @cached_property
    def all(self) -> tuple[list[mpq], list[mpq], list[mpq]]:
        """Returns all losses, squared steps and squared distances."""
        losses: list[mpq] = []
        squared_steps: list[mpq] = []
        squared_distances: list[mpq] = []
        for segment in self._parts:
            before: tuple[list[mpz], mpz] | None = None
            for vertex in replay_segment(self._problem, segment):
                here = vertex.point()
                if before is not None:
                    squared_steps.append(squared_distance(here, before))
                if before is not None or segment.before == 0:
                    losses.append(vertex.loss())
                    squared_distances.append(squared_distance(here, self.last))
                before = here
        return losses, squared_steps, squared_distances


@dataclass(frozen=True, slots=True)
class _Part:
    """The enclosures of a segment's vertices, as integers that can be sent between processes."""

    losses: list[BallParts]
    squared_steps: list[BallParts]
    squared_distances: list[BallParts]
    lower: list[mpz]
    upper: list[mpz]


def _observe_segment(last: tuple[list[mpz], mpz], problem: IntegerProblem, segment: Segment) -> _Part:
    numbers, denominator = last
    points: list[arb_mat] = []
    losses, squared_steps, squared_distances = [], [], []
    with ctx.workprec(PRECISION):
        end = arb_mat(len(numbers), 1, [to_arb(mpq(number, denominator)) for number in numbers])
        for point, loss in replay_enclosed(problem, segment):
            if points:
                squared_steps.append(to_parts(_squared_length(point - points[-1])))
            if points or segment.before == 0:
                losses.append(to_parts(loss))
                squared_distances.append(to_parts(_squared_length(point - end)))
            points.append(point)
    first = 0 if segment.before == 0 else 1
    lower, upper = _box(problem, segment, points, first) if points[first:] else ([], [])
    return _Part(losses, squared_steps, squared_distances, lower, upper)


def _squared_length(difference: arb_mat) -> arb:
    return (difference.transpose() * difference)[0, 0] if difference.nrows() else arb(0)


def _box(problem: IntegerProblem, segment: Segment, points: list[arb_mat], first: int) -> tuple[list[mpz], list[mpz]]:
    """Returns for each coordinate the least ⌊1024 θ⌋ over a segment's vertices, and the greatest plus 1."""
    with ctx.workprec(PRECISION):
        entries = [point.entries() for point in points[first:]]
        middles = np.array([[float(entry) for entry in row] for row in entries], dtype=np.float64)
        radii = np.array([[float(entry.rad()) for entry in row] for row in entries], dtype=np.float64)
        # more than the radius and the errors of rounding the middle and this sum together
        slack = 2 * radii + 2.0**-50 * np.abs(middles) + 2.0**-1000
        least, greatest = _extremes(entries, middles, slack)
        if least is None or greatest is None:
            # a coordinate is a multiple of 1/1024, or too near to such a multiple; it is often 0, since a unit is
            for row, zeros in zip(entries, islice(_find_zeros(problem, segment), first, None), strict=True):
                for column in zeros:
                    row[column] = arb(0)
            least, greatest = _extremes(entries, middles, slack)
    if least is None or greatest is None:
        floors = []
        for vertex in replay_segment(problem, segment):
            numbers, denominator = vertex.point()
            floors.append([_GRID * number // denominator for number in numbers])
        columns = list(zip(*floors[first:], strict=True))
        least, greatest = [min(column) for column in columns], [max(column) for column in columns]
    return least, [floor + 1 for floor in greatest]


def _find_zeros(problem: IntegerProblem, segment: Segment) -> Iterator[list[int]]:
    """Yields, for each vertex of a segment, the coordinates of units that are 0 there.

    A unit with as many kinks of its own in the basis as it has parameters is 0: they are independent, and vanish where
    it is 0.
    """
    pattern, basis = problem.pattern_from_hex(segment.pattern), list(segment.basis)
    for step in (None, *segment.steps):
        if step is not None:
            follow(pattern, basis, step)
        own = Counter(
            problem.addresses.unit(kink)
            for kink in basis
            if kink.layer == problem.first and not problem.offsets[0][kink.sample][problem.addresses.unit(kink)]
        )
        dead = [unit for unit, count in own.items() if count == problem.rank]
        yield [unit * problem.rank + column for unit in dead for column in range(problem.rank)]


def _extremes(
    entries: list[list[arb]], middles: NDArray[np.float64], slack: NDArray[np.float64]
) -> tuple[list[mpz] | None, list[mpz] | None]:
    """Returns the least and the greatest ⌊1024 θ⌋ of each coordinate, each None where the balls leave one open."""
    return (
        _floors(entries, middles - slack, middles + slack, min),
        _floors(entries, -middles - slack, slack - middles, max),
    )


def _floors(
    entries: list[list[arb]],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    choose: Callable[[list[int]], int],
) -> list[mpz] | None:
    """Returns the least or the greatest ⌊1024 θ⌋ of each coordinate; None where the balls leave one open.

    Args:
        entries: a row for each vertex.
        low: lower bounds of the coordinates for the least, or of their negatives for the greatest.
        high: upper bounds of the same.
        choose: `min` or `max`.
    """
    found = []
    for column, bound in enumerate(high.min(axis=0)):
        places = np.flatnonzero(low[:, column] <= bound)
        floors = [(entries[place][column] * _GRID).floor().unique_fmpz() for place in places]
        known = [int(floor) for floor in floors if floor is not None]
        if len(known) < len(floors):
            return None
        found.append(mpz(choose(known)))
    return found


def follow_trajectory(
    problem: IntegerProblem,
    certificate: Certificate,
    *,
    jobs: int = 1,
    on_step: Callable[[int], None] | None = None,
) -> Trajectory:
    """Returns a recorded walk's sequences, which are the same for any number of processes.

    Args:
        problem: the scaled problem.
        certificate: the walk's certificate, which has to be whole.
        jobs: how many processes.
        on_step: is called now and then with the number of steps done.

    Raises:
        InputError: a line of the certificate does not fit this problem, or a basis is dependent.
    """
    parts = segments(problem, certificate, _STEPS_A_PART)
    exact = _Vertices(problem, parts)
    first, last = exact.at(0).vertex(), exact.at(len(certificate.steps)).vertex()
    losses: list[arb] = []
    squared_steps: list[arb] = []
    squared_distances: list[arb] = []
    lower: list[mpz] = []
    upper: list[mpz] = []
    for part in map_items(common_problem(problem), parts, partial(_observe_segment, exact.last), jobs=jobs):
        losses += map(from_parts, part.losses)
        squared_steps += map(from_parts, part.squared_steps)
        squared_distances += map(from_parts, part.squared_distances)
        lower[:] = map(min, lower or part.lower, part.lower)
        upper[:] = map(max, upper or part.upper, part.upper)
        if on_step is not None:
            on_step(len(squared_steps))
    squared_distances[-1] = arb(0)
    corners = [problem.to_full([mpq(value, _GRID) for value in corner]) for corner in (lower, upper)]
    return Trajectory(
        EnclosedSequence(losses, exact.loss, lambda: exact.all[0]),
        EnclosedSequence(squared_steps, exact.squared_step, lambda: exact.all[1]),
        EnclosedSequence(squared_distances, exact.squared_distance, lambda: exact.all[2]),
        problem.to_full(first),
        problem.to_full(last),
        corners[0],
        corners[1],
    )
