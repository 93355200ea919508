"""Values that notebooks and consoles show as a short table, instead of every number that they hold."""

import html
from abc import ABC, abstractmethod


class Facts(ABC):
    """A value that IPython, Jupyter and others show by a title and some facts. Its repr shows all of it."""

    __slots__ = ()

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

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        del include, exclude
        lines = (self._title(), *(f"{name:<12} {text}" for name, text in self._facts()))
        return {"text/plain": "\n".join(lines), "text/html": self._repr_html_()}
