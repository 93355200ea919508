r"""Texts of a figure for LaTeX: what is no mathematics stands there as it is written.

Matplotlib hands texts to LaTeX as they are, so that a brace or a backslash in a title is a command there. Between
dollars a text stays mathematics, as Matplotlib reads it for other formats.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Matplotlib itself sees to %, _, ^ and the minus sign. Fonts in the old encoding have other signs at the places of <>|
_MARKS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "#": r"\#",
    "&": r"\&",
    "$": r"\$",
    "~": r"\textasciitilde{}",
    "<": r"\ensuremath{<}",
    ">": r"\ensuremath{>}",
    "|": r"\ensuremath{|}",
}
_DOLLAR = re.compile(r"(?<!\\)\$")


def to_latex(text: str) -> str:
    """Returns a text so that LaTeX sets it as Matplotlib does: literally, but for what stands between dollars."""
    parts = _DOLLAR.split(text)
    if len(parts) % 2 == 0:
        # a dollar without a second one is a dollar
        parts = [text]
    return "$".join(part if place % 2 else _escape(part) for place, part in enumerate(parts))


def _escape(text: str) -> str:
    return "".join(_MARKS.get(mark, mark) for mark in text.replace(r"\$", "$"))


@contextmanager
def latex_texts(figure: "Figure") -> Iterator[None]:
    """Makes the texts of a figure LaTeX', and gives them back afterwards."""
    from matplotlib.text import Text  # noqa: PLC0415 - half a second to import

    changed = []
    for artist in figure.findobj(Text):
        if isinstance(artist, Text) and (found := to_latex(text := artist.get_text())) != text:
            changed.append((artist, text, artist.get_parse_math()))
            artist.set_text(found)
            artist.set_parse_math(False)
    try:
        yield
    finally:
        for artist, text, parses in changed:
            artist.set_text(text)
            artist.set_parse_math(parses)
