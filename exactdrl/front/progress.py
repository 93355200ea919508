"""The progress of work: a bar on a terminal or in a notebook; elsewhere silence, or a line now and then."""

import html
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

_SECONDS_BETWEEN = 0.1
_SECONDS_BETWEEN_LINES = 10.0
# seconds; a notebook keeps what it was shown, so that short work shows nothing
_SECONDS_BEFORE_NOTEBOOK = 1.0


class Report(Protocol):
    """What a command calls after each piece of work."""

    def __call__(self, done: int, note: str = "") -> None:
        """Takes the number of pieces that are done, and a short note."""
        ...

    def is_due(self) -> bool:
        """Returns whether the bar would be drawn now, so that callers need not make a note otherwise."""
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


class _NotebookBar:
    """A bar in the output of a notebook's cell. It needs IPython, which every notebook has, and no widgets."""

    def __init__(self, title: str, total: int | None, unit: str) -> None:
        self._title, self._total, self._unit = title, total, unit
        self._began = self._last = time.monotonic()
        self._handle: Handle | None = None

    def is_due(self) -> bool:
        now = time.monotonic()
        is_long = now - self._began >= _SECONDS_BEFORE_NOTEBOOK
        return is_long and (self._handle is None or now - self._last >= _SECONDS_BETWEEN)

    def __call__(self, done: int, note: str = "") -> None:
        if not self.is_due():
            return
        self._last = time.monotonic()
        speed = done / max(self._last - self._began, 1e-9)
        words = html.escape(f"{self._title}: {self._unit} {done}  {speed:.0f}/s  {note}")
        share = "" if self._total is None else f"value='{done}' max='{self._total}'"
        self._show(f"<progress {share}></progress> <code>{words}</code>")

    def close(self) -> None:
        if self._handle is not None:
            self._show("")

    def _show(self, text: str) -> None:
        from IPython.display import HTML, display  # noqa: PLC0415 - a notebook has it

        if self._handle is None:
            self._handle = display(HTML(text), display_id=True)
        else:
            self._handle.update(HTML(text))


class Handle(Protocol):
    """What IPython returns for an output that can be replaced."""

    def update(self, shown: object) -> None:
        """Replaces the output."""
        ...


def is_notebook() -> bool:
    """Returns whether this process is a notebook's kernel."""
    interactive = sys.modules.get("IPython")
    shell = interactive.get_ipython() if interactive is not None else None
    return getattr(shell, "kernel", None) is not None


@contextmanager
def progress(
    title: str,
    *,
    total: int | None = None,
    unit: str = "step",
    has_heartbeat: bool = False,
    is_shown: bool | None = True,
) -> Iterator[Report]:
    """Yields a report: a bar in a notebook or on a terminal; elsewhere a line now and then if asked for, or nothing.

    Args:
        title: the name of the work.
        total: how many pieces there are; None where that is not known.
        unit: the name of a piece.
        has_heartbeat: whether a line is printed every ten seconds where there can be no bar.
        is_shown: True for a report, False for none, None for a report in a notebook only.
    """
    if is_shown is False or (is_shown is None and not is_notebook()):
        yield _Silent()
        return
    if is_notebook():
        bar = _NotebookBar(title, total, unit)
        try:
            yield bar
        finally:
            bar.close()
        return
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
    with Progress(*columns, console=Console(stderr=True), transient=True) as drawn:
        yield _Bar(drawn, title, total, unit)
