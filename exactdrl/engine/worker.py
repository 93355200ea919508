"""A worker process: `python -m exactdrl.engine.worker` reads jobs from stdin and writes results to stdout.

Each job and each result is a line of JSON. The worker ends at once when stdin does, so that it does not outlive a
parent that was killed.
"""

import json
import os
import queue
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from exactdrl.engine.job import Job, Work, failed, find_work
from exactdrl.engine.process import SCRATCH

_TRIALS = 100


def serve(find: Callable[[str], Work] = find_work) -> None:
    """Works on jobs until stdin ends; a job that raises an error has the error as its result."""
    # whatever a library prints must not stand between results
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="ascii")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(sys.stdin, lines), daemon=True)
    reader.start()
    while True:
        job = Job.from_json(json.loads(lines.get()))
        try:
            result = find(job.work)(job.arguments)
        except Exception as error:  # noqa: BLE001 - one job's failure is recorded, and must not end the others
            result = failed(f"{type(error).__name__}: {error}")
        except MemoryError:
            result = failed("the memory is too small")
        try:
            answers.write(json.dumps(result.to_json(), allow_nan=False) + "\n")
            answers.flush()
        except OSError:
            # the parent is gone; ending here would stop the other thread while it removes files
            reader.join()


def _read(stream: TextIO, lines: "queue.SimpleQueue[str]") -> None:
    for line in stream:
        lines.put(line)
    # the parent may have been killed, so that this process removes its own files
    scratch = os.environ.get(SCRATCH)
    if scratch:
        remove_in_use(scratch)
    os._exit(0)


def remove_in_use(folder: str) -> None:
    """Removes a folder in which another thread may be making files.

    The folder is renamed first, so that nothing is added to it.
    """
    removed = f"{folder}.removed"
    try:
        Path(folder).rename(removed)
    except OSError:
        return
    for _ in range(_TRIALS):
        # the other thread may still have a folder open, or may be removing the folder itself
        shutil.rmtree(removed, ignore_errors=True)
        if not Path(removed).exists():
            return
        time.sleep(0.01)


if __name__ == "__main__":
    serve()
