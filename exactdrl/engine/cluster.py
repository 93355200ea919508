"""Running jobs on a Dask cluster; Dask is an optional package."""

import asyncio
import concurrent.futures
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from exactdrl.engine.job import Job, JobResult, failed
from exactdrl.engine.process import WORKER, WorkerProcess
from exactdrl.exact.rationals import InputError

_SECONDS_TO_CONNECT = 15
# how jobs end that a lost scheduler had
_GONE = (asyncio.CancelledError, concurrent.futures.CancelledError)
_of_thread = threading.local()


class SchedulerLostError(Exception):
    """The scheduler of a cluster went away while it had jobs."""


def run_in_cluster(job: dict[str, object], command: tuple[str, ...]) -> dict[str, object]:
    """Returns what a job came to, as JSON values; runs on a worker of the cluster.

    In a worker process of ours below Dask's, kept for the thread's next job: a kill or a CPU limit ends that one, and
    not the cluster's.
    """
    kept: dict[tuple[str, ...], WorkerProcess] | None = getattr(_of_thread, "workers", None)
    if kept is None:
        kept = _of_thread.workers = {}
    if command not in kept:
        kept[command] = WorkerProcess(command or WORKER)
    return kept[command].run(Job.from_json(job)).to_json()


def run_on_cluster(jobs: Sequence[Job], address: str, command: Sequence[str] = ()) -> Iterator[tuple[int, JobResult]]:
    """Yields each job's index and what it came to, as they end.

    Args:
        jobs: in any order.
        address: of the cluster's scheduler, `tcp://host:8786`.
        command: that starts a worker; empty: the usual one, by the Python of each of the cluster's machines.

    Raises:
        InputError: Dask is not installed, or there is no scheduler.
        SchedulerLostError: the scheduler went away.
    """
    try:
        from distributed import Client, as_completed  # noqa: PLC0415 - an optional package
    except ImportError:
        commands = "pip install 'dask[distributed]', or in a clone of exactdrl: pip install \".[cluster]\""
        raise InputError(f"--scheduler needs Dask: {commands}") from None
    try:
        client = Client(address, timeout=_SECONDS_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError, ImportError) as error:
        raise InputError(f"no Dask scheduler at {address} ({' '.join(str(error).split())[:200]})") from None
    with _without_log(), client:
        futures = {
            client.submit(run_in_cluster, job.to_json(), tuple(command), pure=False): index
            for index, job in enumerate(jobs)
        }
        try:
            for future in as_completed(futures, loop=client.loop):
                try:
                    problem = future.exception()
                    result = JobResult.from_json(future.result()) if problem is None else None
                except (*_GONE, OSError):
                    # all that is not done is cancelled when the connection is lost for good
                    raise SchedulerLostError(
                        f"the Dask scheduler at {address} went away; what was done is kept: start again"
                    ) from None
                yield futures[future], result or failed(f"the cluster: {type(problem).__name__}: {problem}")
                future.release()
        finally:
            # a scheduler that is gone has nothing to cancel
            with suppress(*_GONE, OSError, RuntimeError):
                client.cancel(list(futures))


@contextmanager
def _without_log() -> Iterator[None]:
    """Keeps Dask from logging a lost connection with its traceback: it is an error of ours, with a message."""
    logger = logging.getLogger("distributed")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
