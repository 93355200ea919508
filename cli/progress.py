"""A progress bar on a terminal; in a pipe silence, or a line now and then where it is asked for."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

_SECONDS_BETWEEN = 0.1
_SECONDS_BETWEEN_LINES = 10.0


class Report(Protocol):
    """What a command calls after each piece of work."""

    def __call__(self, done: int, note: str = "") -> None:
        """Tells how many pieces are done, and a short note."""
        ...

    def is_due(self) -> bool:
        """Returns whether the bar would be drawn now; lets callers spare the work of making a note."""
        ...


class _Silent:
    def __call__(self, done: int, note: str = "") -> None:
        pass

    def is_due(self) -> bool:
        return False


class _Lines:
    """A heartbeat: a line on stderr every few seconds."""

    def __init__(self, title: str, unit: str) -> None:
        self._title, self._unit = title, unit
        self._began = self._last = time.monotonic()

    def is_due(self) -> bool:
        return time.monotonic() - self._last >= _SECONDS_BETWEEN_LINES

    def __call__(self, done: int, note: str = "") -> None:
        if self.is_due():
            self._last = time.monotonic()
            text = f"{self._title}: {self._unit} {done}, {self._last - self._began:.0f} s"
            print(f"{text}  {note}" if note else text, file=sys.stderr, flush=True)  # noqa: T201 - a stream of its own


class _Bar:
    def __init__(self, progress: Progress, title: str, total: int | None, unit: str) -> None:
        self._progress, self._unit = progress, unit
        self._task = progress.add_task(title, total=total, note="")
        self._began = self._last = time.monotonic()
        self._offset: int | None = None

    def is_due(self) -> bool:
        return time.monotonic() - self._last >= _SECONDS_BETWEEN

    def __call__(self, done: int, note: str = "") -> None:
        if self._offset is None:
            self._offset = done - 1
        if not self.is_due():
            return
        self._last = time.monotonic()
        speed = (done - self._offset) / max(self._last - self._began, 1e-9)
        text = f"{self._unit} {done}  {speed:.0f}/s  {note}"
        self._progress.update(self._task, completed=done, note=text)


@contextmanager
def progress(
    title: str, *, total: int | None = None, unit: str = "step", has_heartbeat: bool = False
) -> Iterator[Report]:
    """Yields a report: a bar on stderr if that is a terminal, else a heartbeat if asked for, else nothing."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield _Lines(title, unit) if has_heartbeat and sys.stderr is not None else _Silent()
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield _Bar(bar, title, total, unit)
