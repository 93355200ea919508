"""The exact sequences behind every observation: losses, squared step lengths, squared distances to the last vertex."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from gmpy2 import mpq, mpz

from exactdrl.arithmetic.exact import ExactArithmetic
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.certificate.reader import Certificate
from exactdrl.certificate.replay import final_vertex, first_cell
from exactdrl.exact.linear import to_integers
from exactdrl.series.export import squared_distance
from exactdrl.series.parallel import map_segments
from exactdrl.series.segments import Segment, replay_segment


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A walk's vertices as rational sequences; index k is the vertex after step line k, 0 the first vertex.

    Attributes:
        losses: L_0..L_S.
        squared_steps: |v_k - v_{k-1}|² for k = 1..S, at index k - 1.
        squared_distances: |v_k - v_S|² for k = 0..S.
        first: the first vertex in the full parameters, shape (n_ℓ, m).
        last: the last vertex.
        lower: the least value of each parameter over all vertices, rounded down to a multiple of 1/1024.
        upper: the greatest, rounded up.
    """

    losses: tuple[mpq, ...]
    squared_steps: tuple[mpq, ...]
    squared_distances: tuple[mpq, ...]
    first: tuple[tuple[mpq, ...], ...]
    last: tuple[tuple[mpq, ...], ...]
    lower: tuple[tuple[mpq, ...], ...]
    upper: tuple[tuple[mpq, ...], ...]

    @property
    def steps(self) -> int:
        """Returns S."""
        return len(self.squared_steps)

    @property
    def gaps(self) -> tuple[mpq, ...]:
        """Returns L_k - L_S for k = 0..S."""
        return tuple(loss - self.losses[-1] for loss in self.losses)


_GRID = 1024


@dataclass(frozen=True, slots=True)
class _Part:
    losses: list[mpq]
    squared_steps: list[mpq]
    squared_distances: list[mpq]
    lower: list[mpz]
    upper: list[mpz]


def _observe_segment(last: tuple[list[mpz], mpz], problem: IntegerProblem, segment: Segment) -> _Part:
    part = _Part([], [], [], [], [])
    before: tuple[list[mpz], mpz] | None = None
    for vertex in replay_segment(problem, segment):
        here = vertex.point()
        if before is not None:
            part.squared_steps.append(squared_distance(here, before))
        if before is not None or segment.before == 0:
            part.losses.append(vertex.loss())
            part.squared_distances.append(squared_distance(here, last))
            floors = [_GRID * value // here[1] for value in here[0]]
            part.lower[:] = map(min, part.lower or floors, floors)
            part.upper[:] = map(max, part.upper or floors, [floor + 1 for floor in floors])
        before = here
    return part


def follow_trajectory(
    problem: IntegerProblem,
    certificate: Certificate,
    *,
    jobs: int = 1,
    on_step: Callable[[int], None] | None = None,
) -> Trajectory:
    """Returns a recorded walk's sequences. Exact, and the same for any number of processes.

    Args:
        problem: the certificate's.
        certificate: a whole one.
        jobs: how many processes.
        on_step: called now and then with the number of steps done.

    Raises:
        InputError: a line does not fit this problem, or a basis is dependent.
    """
    first = ExactArithmetic(problem, *first_cell(problem, certificate)).vertex()
    last = ExactArithmetic(problem, *final_vertex(problem, certificate)).vertex()
    losses: list[mpq] = []
    squared_steps: list[mpq] = []
    squared_distances: list[mpq] = []
    lower: list[mpz] = []
    upper: list[mpz] = []
    work = partial(_observe_segment, to_integers(last))
    for part in map_segments(problem, certificate, work, jobs=jobs):
        losses += part.losses
        squared_steps += part.squared_steps
        squared_distances += part.squared_distances
        lower[:] = map(min, lower or part.lower, part.lower)
        upper[:] = map(max, upper or part.upper, part.upper)
        if on_step is not None:
            on_step(len(squared_steps))
    corners = [problem.to_full([mpq(value, _GRID) for value in corner]) for corner in (lower, upper)]
    return Trajectory(
        tuple(losses),
        tuple(squared_steps),
        tuple(squared_distances),
        problem.to_full(first),
        problem.to_full(last),
        corners[0],
        corners[1],
    )
