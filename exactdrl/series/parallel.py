"""Work on the segments of a run in parallel processes; results in order, the same for any number of processes."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.certificate.reader import Certificate
from exactdrl.engine.pool import Common, map_items
from exactdrl.series.segments import Segment, segments

Result = TypeVar("Result")
# A segment's first vertex costs a solve, as much as some 15 steps at n = 25: few enough, and 70 segments on a run of
# 18,000 steps keep all processes busy
STEPS_A_SEGMENT = 256


def common_problem(problem: IntegerProblem) -> Common[IntegerProblem]:
    """Returns a problem for work in parallel: its matrices cannot be sent, so that processes build their own."""
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
        problem: the certificate's.
        certificate: a whole one.
        work: called with the problem and a segment.
        jobs: how many processes; 1 works in this one.
        length: how many steps a segment has.

    Raises:
        InputError: a line does not fit this problem, or a process was killed.
    """
    return map_items(common_problem(problem), segments(problem, certificate, length), work, jobs=jobs)
