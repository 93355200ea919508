"""What every result of the front can do: lines for people, in a notebook too."""

import html
from abc import ABC, abstractmethod

from exactdrl.problem.facts import Printer


class Result(ABC):
    """The result of one call."""

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        """Lets IPython find how the result prints itself before the repr of all fields that a dataclass has."""
        super().__init_subclass__()
        setattr(cls, "_repr_pretty_", cls._repr_pretty_)  # noqa: B010 - a plain assignment is no method to mypy

    @property
    @abstractmethod
    def message(self) -> str:
        """Returns the result in a sentence."""

    @abstractmethod
    def lines(self) -> list[str]:
        """Returns the result in lines, as the command prints it."""

    @abstractmethod
    def to_dict(self) -> dict[str, object]:
        """Returns the result for JSON: fractions as text, floats beside them."""

    def __str__(self) -> str:
        """Returns the result in lines."""
        return "\n".join(self.lines())

    def _repr_pretty_(self, printer: Printer, cycle: bool) -> None:  # noqa: FBT001 - IPython calls it so
        del cycle
        printer.text(str(self))

    def _repr_html_(self) -> str:
        return f"<b>{html.escape(self.message)}</b><pre>{html.escape(str(self))}</pre>"
