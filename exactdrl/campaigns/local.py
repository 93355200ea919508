"""Running tasks on this machine's cores: a thread for each worker process."""

import queue
import threading
from collections import deque
from collections.abc import Iterator, Sequence

from exactdrl.campaigns.cases import AnyCase
from exactdrl.campaigns.process import WORKER, WorkerProcess
from exactdrl.campaigns.task import RunResult, Task, failed

_SECONDS_BETWEEN_KILLS = 0.05


def run_local(tasks: Sequence[Task], jobs: int, command: Sequence[str] = WORKER) -> Iterator[tuple[AnyCase, RunResult]]:
    """Yields what each task came to, as they end. Closing the iterator ends all workers.

    Args:
        tasks: in the order in which they are begun.
        jobs: how many at once, at least 1.
        command: that starts a worker.
    """
    waiting = deque(tasks)
    results: queue.SimpleQueue[tuple[AnyCase, RunResult]] = queue.SimpleQueue()
    workers = [WorkerProcess(command) for _ in range(min(jobs, len(tasks)))]
    is_closing = threading.Event()

    def work(worker: WorkerProcess) -> None:
        while not is_closing.is_set():
            try:
                task = waiting.popleft()
            except IndexError:
                return
            try:
                result = worker.run(task)
            except Exception as error:  # noqa: BLE001 - a thread's error would be lost, and its run with it
                result = failed(f"no worker: {type(error).__name__}: {error}")
            results.put((task.case, result))

    threads = [threading.Thread(target=work, args=(worker,), daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    try:
        for _ in tasks:
            yield results.get()
    finally:
        is_closing.set()
        for worker, thread in zip(workers, threads, strict=True):
            while thread.is_alive():
                # again and again: a worker may just be starting
                worker.kill()
                thread.join(_SECONDS_BETWEEN_KILLS)
            worker.close()
