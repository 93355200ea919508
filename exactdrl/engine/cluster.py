"""Jobs on a Dask cluster; Dask is an optional package."""

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
# how the jobs of a lost scheduler end
_GONE = (asyncio.CancelledError, concurrent.futures.CancelledError)
_of_thread = threading.local()


class SchedulerLostError(Exception):
    """The scheduler of a cluster went away while it had jobs."""


def run_in_cluster(job: dict[str, object], command: tuple[str, ...]) -> dict[str, object]:
    """Returns the result of a job as JSON values; it is called on a worker of the cluster.

    The job runs in a process of its own, which a kill or a CPU limit ends without ending the cluster's worker. The
    process is kept for the next job of the same thread.
    """
    kept: dict[tuple[str, ...], WorkerProcess] | None = getattr(_of_thread, "workers", None)
    if kept is None:
        kept = _of_thread.workers = {}
    if command not in kept:
        kept[command] = WorkerProcess(command or WORKER)
    return kept[command].run(Job.from_json(job)).to_json()


def run_on_cluster(jobs: Sequence[Job], address: str, command: Sequence[str] = ()) -> Iterator[tuple[int, JobResult]]:
    """Yields each job's index and result, in the order in which the jobs end.

    Args:
        jobs: the jobs.
        address: the address of the cluster's scheduler, `tcp://host:8786`.
        command: the command that starts a worker process; default: the usual one, with the Python of each machine.

    Raises:
        InputError: Dask is not installed, or no scheduler answers at the address.
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
        raise InputError(f"no Dask scheduler answers at {address} ({' '.join(str(error).split())[:200]})") from None
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
                    # all jobs that are not done are cancelled when the connection is lost for good
                    raise SchedulerLostError(
                        f"the Dask scheduler at {address} went away; finished runs are kept, and "
                        "the same command again does the others"
                    ) from None
                yield futures[future], result or failed(f"the cluster: {type(problem).__name__}: {problem}")
                future.release()
        finally:
            # a scheduler that is gone has nothing to cancel
            with suppress(*_GONE, OSError, RuntimeError):
                client.cancel(list(futures))


@contextmanager
def _without_log() -> Iterator[None]:
    """Keeps Dask from logging a lost connection with a traceback, since it is reported as an error here."""
    logger = logging.getLogger("distributed")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
