"""The looks of figures and the writing of their files: colours, sizes for screen and print, formats.

The looks are Matplotlib style files beside this module: `figures.mplstyle`, and on top of it `column.mplstyle` for one
column of a paper with two, and `page.mplstyle` for both. Other figures of the same paper can use them, too:
`plt.style.use(["exactdrl.report.figures", "exactdrl.report.column"])`.
"""

import math
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from exactdrl.exact.rationals import InputError
from exactdrl.problem.output import new_file, temporary_folder
from exactdrl.report.latex_text import latex_texts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Size: TypeAlias = Literal["screen", "column", "page"]

FORMATS = ("png", "svg", "pdf", "pgf")
SIZES: tuple[Size, ...] = ("screen", "column", "page")
SIZE_HELP = "size of the figures: for a screen, for one column of a paper with two, or for the width of the page"
# Okabe and Ito: colour-blind readers tell them apart
BLUE, ORANGE, GREEN, PINK, SKY, YELLOW, BLACK = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#E69F00",
    "#000000",
)
# a smaller ratio of the greatest to the least value is shown on a linear axis: a logarithmic one would look the same,
# and have no room for labels
_LINEAR = 3
_STYLE = "exactdrl.report."
# no dates in the files: the same run gives the same bytes
_METADATA: dict[str, dict[str, Any]] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}, "pgf": {}}
# Matplotlib's macro for numbers, which a document does not know
_MATH = r"\providecommand{\mathdefault}[1]{#1}"
# what stands before each text: how Matplotlib makes % a letter, and the same for _
_PERCENT = r"\catcode`\%=\active\def%{\%}"
_UNDERSCORE = r"\catcode`\_=\active\def_{\ifmmode\sb\else\textunderscore\fi}"
_TEX = ("pdflatex", "xelatex", "lualatex")


@contextmanager
def styled(size: Size) -> Iterator[float]:
    """Yields the width of a figure of a size in inches, and holds Matplotlib to its fonts and lines meanwhile.

    Args:
        size: `screen`, 6.3 inches wide; `column`, 3.3 inches, one column of a paper with two; `page`, 6.8 inches, both.

    Raises:
        InputError: there is no such size.
    """
    if size not in SIZES:
        raise InputError(f"the size of a figure is {size!r}; one of {', '.join(SIZES)} is needed")
    from matplotlib import rcParams, style  # noqa: PLC0415 - half a second to import

    names = [f"{_STYLE}figures"] if size == "screen" else [f"{_STYLE}figures", f"{_STYLE}{size}"]
    with style.context(names):
        yield float(rcParams["figure.figsize"][0])


def check_format(path: Path, formats: tuple[str, ...] = FORMATS) -> str:
    """Returns the format that a path's ending names.

    Raises:
        InputError: the ending is none of the formats, or the format needs LaTeX, which is not installed.
    """
    kind = path.suffix[1:]
    if kind not in formats:
        raise InputError(f"{path}: a figure's name ends in one of .{', .'.join(formats)}")
    if kind == "pgf":
        find_tex()
    return kind


def find_tex() -> str:
    """Returns the LaTeX program that measures the text of a figure in the format pgf.

    Raises:
        InputError: none is installed.
    """
    for name in _TEX:
        if shutil.which(name) is not None:
            return name
    raise InputError(
        f"the format pgf needs LaTeX ({', '.join(_TEX)}), and none is installed; on Debian: "
        "apt-get install texlive-latex-recommended texlive-pictures"
    )


def save_figure(figure: "Figure", path: Path, *, size: Size = "screen", force: bool = False) -> list[Path]:
    r"""Writes a figure in the format that its path's ending names, and returns the files that were written.

    The format pgf is for LaTeX' `\input`; its text has the document's own fonts. A picture in such a figure stands in
    a PNG file beside it, `NAME-img0.png`.

    Args:
        figure: a figure made in the style of `size`.
        path: the file's path, `*.png`, `*.svg`, `*.pdf` or `*.pgf`.
        size: see `styled`.
        force: write over existing files.

    Raises:
        InputError: the path has another ending, a file exists and `force` is not set, or LaTeX is missing or fails.
        MachineError: the disk is full, or the machine failed otherwise.
    """
    kind = check_format(path)
    with styled(size):
        if kind == "pgf":
            return _save_pgf(figure, path, force=force)
        with new_file(path, force=force) as partial:
            figure.savefig(partial, format=kind, metadata=_METADATA[kind])
    return [path]


def _save_pgf(figure: "Figure", path: Path, *, force: bool) -> list[Path]:
    from matplotlib import rc_context  # noqa: PLC0415 - half a second to import
    from matplotlib.backends.backend_pgf import LatexError  # noqa: PLC0415

    with temporary_folder() as folder:
        drawn = folder / path.name
        try:
            with rc_context({"pgf.texsystem": find_tex()}), latex_texts(figure):
                figure.savefig(drawn, format="pgf", backend="pgf")
        except (LatexError, ValueError) as error:
            lines = str(error).splitlines()
            reason = next((line for line in lines if line.startswith("!")), lines[0])
            raise InputError(f"{path}: LaTeX cannot set a text of the figure ({reason})") from None
        # Matplotlib leaves underscores to a package, which a document may not load
        content = drawn.read_text(encoding="utf-8").replace(_PERCENT, _PERCENT + _UNDERSCORE)
        drawn.write_text(f"{_MATH}\n{content}", encoding="utf-8")
        pictures = sorted(folder.glob(f"{path.stem}-img*.png"))
        written = [path.with_name(picture.name) for picture in pictures]
        for source, target in zip([*pictures, drawn], [*written, path], strict=True):
            with new_file(target, force=force) as partial:
                shutil.copyfile(source, partial)
    return [path, *written]


def set_scale(axes: "Axes", values: Sequence[float]) -> None:
    """Makes the vertical axis logarithmic where the values are positive and far apart, and gives it labels."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite or min(finite) <= 0 or max(finite) < _LINEAR * min(finite):
        return
    from matplotlib.ticker import (  # noqa: PLC0415 - slow to import
        FuncFormatter,
        LogFormatterSciNotation,
        LogLocator,
        NullFormatter,
    )

    axes.set_yscale("log")
    if max(finite) < 10 * min(finite):
        # numbers as they are, at a few places
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.yaxis.set_major_formatter(LogFormatterSciNotation())
