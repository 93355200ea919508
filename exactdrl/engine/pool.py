"""Parts of one computation in parallel processes; results in order, the same for any number of processes."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from exactdrl.exact.rationals import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")
Shared = TypeVar("Shared")
_AHEAD = 3

_shared: object = None  # of a worker process


@dataclass(frozen=True, slots=True)
class Common(Generic[Shared]):
    """What all parts of a computation use, and what makes it anew in other processes, to which it may not be sent.

    Attributes:
        value: the object in this process.
        build: makes it; sent to each process.
    """

    value: Shared
    build: Callable[[], Shared]


def available_jobs() -> int:
    """Returns how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_items(
    common: Common[Shared], items: Sequence[Item], work: Callable[[Shared, Item], Result], *, jobs: int = 1
) -> Iterator[Result]:
    """Yields what `work` returns for each of some items, in order, the same for any number of processes.

    Args:
        common: handed to `work` first.
        items: what is sent to `work`, one by one.
        work: where jobs > 1 it, items and results are sent between processes.
        jobs: how many processes; 1 works in this one.

    Raises:
        InputError: a process was killed.
    """
    jobs = min(jobs, len(items))
    if jobs <= 1:
        for item in items:
            yield work(common.value, item)
        return
    # spawn: a fork would copy the locks of threads that draw progress bars
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_prepare, initargs=(common.build,))
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


def _prepare(build: Callable[[], object]) -> None:
    global _shared  # noqa: PLW0603 - what a worker process keeps between items
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt ends the process that asked
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _shared = build()


def _end_with_parent() -> None:
    """Ends this process when the one that asked is gone: a pool's processes would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(work: Callable[[Shared, Item], Result], item: Item) -> Result:
    return work(cast(Shared, _shared), item)  # built by the same call's `Common`
