"""Values that notebooks and consoles show as a short table, instead of every number that they hold."""

import html
from abc import ABC, abstractmethod
from typing import Protocol


class Printer(Protocol):
    """What IPython hands to a value that prints itself."""

    def text(self, words: str) -> None:
        """Prints words."""
        ...


class Facts(ABC):
    """A value that IPython, Jupyter and others show by a title and some facts."""

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        """Lets IPython find how the value prints itself before the repr of all fields that a dataclass has."""
        super().__init_subclass__()
        setattr(cls, "_repr_pretty_", cls._repr_pretty_)  # noqa: B010 - a plain assignment is no method to mypy

    @abstractmethod
    def _title(self) -> str:
        """Returns what the value is."""

    @abstractmethod
    def _facts(self) -> list[tuple[str, str]]:
        """Returns names and texts."""

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
            for name, text in self._facts()
        )
        return f"<table><caption>{html.escape(self._title())}</caption>{rows}</table>"

    def _repr_pretty_(self, printer: Printer, cycle: bool) -> None:  # noqa: FBT001 - IPython calls it so
        del cycle
        printer.text("\n".join((self._title(), *(f"{name:<12} {text}" for name, text in self._facts()))))
