"""The parts of one computation in parallel processes, with results in order and the same for any number of them."""

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
    """An object that all parts of a computation use. It is built anew in other processes, to which it cannot be sent.

    Attributes:
        value: the object in this process.
        build: the function that builds the object; it is sent to each process.
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
    """Yields what `work` returns for each item, in order. The results are the same for any number of processes.

    Args:
        common: the object that `work` gets as its first argument.
        items: the items, each the second argument of a call of `work`.
        work: the function; with several processes the function, items and results are sent between them.
        jobs: how many processes; with 1 the work is done in this process.

    Raises:
        InputError: a process was killed.
    """
    jobs = min(jobs, len(items))
    if jobs <= 1:
        for item in items:
            yield work(common.value, item)
        return
    # spawn, since a fork would copy the locks of threads that draw progress bars
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_prepare, initargs=(common.build,))
    try:
        # only a few items are sent ahead, so that long runs do not fill the memory
        pending: deque[Future[Result]] = deque()
        for item in items:
            pending.append(pool.submit(_work, work, item))
            if len(pending) > _AHEAD * jobs:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except BrokenProcessPool:
        raise InputError(
            "a worker process was killed, perhaps for want of memory; try fewer processes: --jobs (jobs)"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _prepare(build: Callable[[], object]) -> None:
    global _shared  # noqa: PLW0603 - what a worker process keeps between items
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt ends the process that asked
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _shared = build()


def _end_with_parent() -> None:
    """Ends this process when its parent is gone, since a pool's process would wait for work forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(work: Callable[[Shared, Item], Result], item: Item) -> Result:
    return work(cast(Shared, _shared), item)  # built by the same call's `Common`
