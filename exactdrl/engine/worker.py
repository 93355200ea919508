"""A worker process: `python -m exactdrl.engine.worker` reads jobs from stdin and writes results to stdout.

A line of JSON each. It ends when stdin does, at once, so that no orphan works on after its parent was killed.
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
    """Works on jobs until stdin ends; an error in one is its result."""
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
            result = failed("out of memory")
        try:
            answers.write(json.dumps(result.to_json(), allow_nan=False) + "\n")
            answers.flush()
        except OSError:
            # the parent is gone; to end here would stop the other thread in the middle of its removals
            reader.join()


def _read(stream: TextIO, lines: "queue.SimpleQueue[str]") -> None:
    for line in stream:
        lines.put(line)
    # the parent may have been killed: nobody else removes what this process leaves
    scratch = os.environ.get(SCRATCH)
    if scratch:
        remove_in_use(scratch)
    os._exit(0)


def remove_in_use(folder: str) -> None:
    """Removes a folder in which another thread may be making files: under another name nothing is added to it."""
    removed = f"{folder}.removed"
    try:
        Path(folder).rename(removed)
    except OSError:
        return
    for _ in range(_TRIALS):
        # the other thread may hold an open folder still, or be removing it itself
        shutil.rmtree(removed, ignore_errors=True)
        if not Path(removed).exists():
            return
        time.sleep(0.01)


if __name__ == "__main__":
    serve()
