"""Jobs on this machine's cores, with a thread for each worker process."""

import queue
import threading
from collections import deque
from collections.abc import Iterator, Sequence

from exactdrl.engine.job import Job, JobResult, failed
from exactdrl.engine.process import WORKER, WorkerProcess

_SECONDS_BETWEEN_KILLS = 0.05


def run_local(jobs: Sequence[Job], at_once: int, command: Sequence[str] = WORKER) -> Iterator[tuple[int, JobResult]]:
    """Yields each job's index and result, in the order in which the jobs end. Closing the iterator ends all workers.

    Args:
        jobs: the jobs, in the order in which they are begun.
        at_once: how many jobs run at once, at least 1.
        command: the command that starts a worker process.
    """
    waiting = deque(enumerate(jobs))
    results: queue.SimpleQueue[tuple[int, JobResult]] = queue.SimpleQueue()
    workers = [WorkerProcess(command) for _ in range(min(at_once, len(jobs)))]
    is_closing = threading.Event()

    def work(worker: WorkerProcess) -> None:
        while not is_closing.is_set():
            try:
                index, job = waiting.popleft()
            except IndexError:
                return
            try:
                result = worker.run(job)
            except Exception as error:  # noqa: BLE001 - a thread's error would be lost, and its job with it
                result = failed(f"no worker: {type(error).__name__}: {error}")
            results.put((index, result))

    threads = [threading.Thread(target=work, args=(worker,), daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    try:
        for _ in jobs:
            yield results.get()
    finally:
        is_closing.set()
        for worker, thread in zip(workers, threads, strict=True):
            while thread.is_alive():
                # repeated, since a worker may just be starting
                worker.kill()
                thread.join(_SECONDS_BETWEEN_KILLS)
            worker.close()
