"""Work on the segments of a run in parallel processes; results in order, the same for any number of processes."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.certificate.reader import Certificate
from exactdrl.exact.rationals import InputError
from exactdrl.problem.instance import Instance
from exactdrl.series.segments import Segment, segments

Item = TypeVar("Item")
Result = TypeVar("Result")
_AHEAD = 3
# A segment's first vertex costs a solve, as much as some 15 steps at n = 25: few enough, and 70 segments on a run of
# 18,000 steps keep all processes busy
STEPS_A_SEGMENT = 256

_problem: IntegerProblem | None = None  # of a worker process: its matrices cannot be sent to it


def available_jobs() -> int:
    """Returns how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
    return map_items(problem, segments(problem, certificate, length), work, jobs=jobs)


def map_items(
    problem: IntegerProblem,
    items: Sequence[Item],
    work: Callable[[IntegerProblem, Item], Result],
    *,
    jobs: int = 1,
) -> Iterator[Result]:
    """Yields what `work` returns for each of some items, in order, the same for any number of processes.

    Args:
        problem: handed to `work`; processes build their own from its instance.
        items: what is sent to `work`, one by one.
        work: where jobs > 1 it, items and results are sent between processes.
        jobs: how many processes; 1 works in this one.

    Raises:
        InputError: a process was killed.
    """
    jobs = min(jobs, len(items))
    if jobs <= 1:
        for item in items:
            yield work(problem, item)
        return
    # spawn: a fork would copy the locks of threads that draw progress bars
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_prepare, initargs=(problem.instance,))
    try:
        # a few items ahead, so that long runs stay flat in memory
        pending: deque[Future[Result]] = deque()
        for item in items:
            pending.append(pool.submit(_work, work, item))
            if len(pending) > _AHEAD * jobs:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except BrokenProcessPool:
        raise InputError("a worker process was killed, perhaps for want of memory; try fewer jobs") from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _prepare(instance: Instance) -> None:
    global _problem  # noqa: PLW0603 - what a worker process keeps between segments
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt ends the process that asked
    _problem = IntegerProblem.from_instance(instance)


def _work(work: Callable[[IntegerProblem, Item], Result], item: Item) -> Result:
    if _problem is None:
        raise AssertionError("a worker process without its problem: this is a bug")
    return work(_problem, item)
