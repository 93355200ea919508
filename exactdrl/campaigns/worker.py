"""A worker process: `python -m exactdrl.campaigns.worker` reads tasks from stdin and writes results to stdout.

A line of JSON each. It ends when stdin does, at once, so that no orphan works on after its parent was killed.
"""

import json
import os
import queue
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from exactdrl.campaigns.process import SCRATCH
from exactdrl.campaigns.run import RunResult, Task, failed, run_case


def serve(run: Callable[[Task], RunResult] = run_case) -> None:
    """Works on tasks until stdin ends; an error in a run is its result."""
    # whatever a library prints must not stand between results
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="ascii")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    tasks: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin, tasks), daemon=True).start()
    while True:
        task = Task.from_json(json.loads(tasks.get()))
        try:
            result = run(task)
        except Exception as error:  # noqa: BLE001 - one run's failure is recorded, and must not end the campaign
            result = failed(f"{type(error).__name__}: {error}")
        except MemoryError:
            result = failed("out of memory")
        answers.write(json.dumps(result.to_json(), allow_nan=False) + "\n")
        answers.flush()


def _read(stream: TextIO, tasks: "queue.SimpleQueue[str]") -> None:
    for line in stream:
        tasks.put(line)
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
    shutil.rmtree(removed, ignore_errors=True)


if __name__ == "__main__":
    serve()
