"""What every result of the front can do: a sentence, lines and a JSON object, also in a notebook."""

import html
from abc import ABC, abstractmethod


class Result(ABC):
    """The result of one call."""

    __slots__ = ()

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

    def __repr__(self) -> str:
        """Returns the result in lines: the fields hold all of the data."""
        return str(self)

    def _repr_html_(self) -> str:
        return f"<b>{html.escape(self.message)}</b><pre>{html.escape(str(self))}</pre>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        del include, exclude
        return {"text/plain": str(self), "text/html": self._repr_html_()}
