"""Work on the segments of a run in parallel processes, with results in order and the same for any number of them."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.certificate.reader import Certificate
from exactdrl.engine.pool import Common, map_items
from exactdrl.series.segments import Segment, segments

Result = TypeVar("Result")
# a segment's first vertex costs a solve, as much as some 15 steps at n = 25; so segments are long, and the 70 segments
# of a run of 18,000 steps still keep all processes busy
STEPS_A_SEGMENT = 256


def common_problem(problem: IntegerProblem) -> Common[IntegerProblem]:
    """Returns a problem for work in parallel, where each process builds its own, since matrices cannot be sent."""
    return Common(problem, partial(IntegerProblem.from_instance, problem.instance))


def map_segments(
    problem: IntegerProblem,
    certificate: Certificate,
    work: Callable[[IntegerProblem, Segment], Result],
    *,
    jobs: int = 1,
    length: int = STEPS_A_SEGMENT,
) -> Iterator[Result]:
    """Yields what `work` returns for each segment of a run, in order; see `map_items`.

    Args:
        problem: the scaled problem.
        certificate: the walk's certificate, which has to be whole.
        work: the function that is called with the problem and a segment.
        jobs: how many processes; with 1 the work is done in this process.
        length: how many steps a segment has.

    Raises:
        InputError: a line of the certificate does not fit this problem, or a process was killed.
    """
    return map_items(common_problem(problem), segments(problem, certificate, length), work, jobs=jobs)
