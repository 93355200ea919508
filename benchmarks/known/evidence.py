"""Has what the pages of docs/known share: reading tables, shares and medians in words, verdicts, exponents.

`decide` computes every verdict: it takes shares with their intervals, and returns the word that they allow.
"""

import hashlib
import io
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq

from exactdrl.campaigns.statistics import CONFIDENCE, Median, Share, wilson

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = dict[str, Any]
HOLDS, CONDITIONS, FAILS, OPEN = "holds", "holds with conditions", "fails", "open"
# groups with fewer answers leave everything open
LEAST_ANSWERS = 10
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#56B4E9", "#E69F00")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "0.88",
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "exactdrl",
}


def read_rows(path: Path) -> list[Row]:
    """Returns a table's rows."""
    rows: list[Row] = pq.read_table(path).to_pylist()
    return rows


def digests(paths: Iterable[Path]) -> str:
    """Returns a Markdown list of files with the SHA-256 of their bytes."""
    return "\n".join(f"- `{path.name}`: {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in paths)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


# -- shares


def bounded(count: int, known: int, missing: int = 0) -> Share:
    """Returns a share with an interval that holds whatever the missing trials would have been.

    Args:
        count: how many of the known trials.
        known: how many are known.
        missing: how many more there are.
    """
    least, most = wilson(count, known + missing), wilson(count + missing, known + missing)
    return Share(count, known, least.low, most.high)


def share_words(share: Share) -> str:
    """Returns a share with its interval."""
    return f"{share.count}/{share.total} [{share.low:.2f}, {share.high:.2f}]"


def median_words(found: Median, digits: int = 3) -> str:
    """Returns a median with its interval."""
    if found.value is None:
        return "none"
    text = f"{found.value:.{digits}g}"
    return (
        text if found.interval is None else f"{text} [{found.interval[0]:.{digits}g}, {found.interval[1]:.{digits}g}]"
    )


def decide(shares: Sequence[Share]) -> str:
    """Returns what a claim of the kind "this is usually so" comes to, by the intervals of one or several groups.

    It holds if every group's interval is above one half, fails if every one is below, holds with conditions if some
    are above, and is open otherwise. Groups with fewer than ten answers do not count.
    """
    asked = [share for share in shares if share.total >= LEAST_ANSWERS]
    above, below = ([share.low > 1 / 2 for share in asked], [share.high < 1 / 2 for share in asked])
    if not asked:
        return OPEN
    if all(above):
        return HOLDS
    if all(below):
        return FAILS
    return CONDITIONS if any(above) else OPEN


def decide_ratio(found: Median) -> str:
    """Returns whether a ratio is usually above 1: by the interval of its median."""
    if found.interval is None:
        return OPEN
    if found.interval[0] > 1:
        return HOLDS
    return FAILS if found.interval[1] < 1 else OPEN


# -- exponents


@dataclass(frozen=True, slots=True)
class Exponent:
    """The slope of log y on log x, least squares, with a 95 % interval that allows for unequal scatter (HC1, normal).

    Attributes:
        value: the slope.
        low: the interval's lower end.
        high: its upper end.
        runs: how many points.
    """

    value: float
    low: float
    high: float
    runs: int

    def __str__(self) -> str:
        """Returns it with its interval."""
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


def fit_exponent(points: Sequence[tuple[float, float]]) -> Exponent | None:
    """Returns the exponent of a power law through points with positive coordinates; None where there are too few."""
    chosen = [(math.log(x), math.log(y)) for x, y in points if x > 0 and y > 0]
    if len(chosen) < LEAST_ANSWERS or len({x for x, _ in chosen}) < 2:
        return None
    x, y = np.array(chosen).T
    centred = x - x.mean()
    square = float(centred @ centred)
    slope = float(centred @ y) / square
    rest = y - y.mean() - slope * centred
    size = len(chosen)
    error = math.sqrt(size / (size - 2) * float((centred**2) @ (rest**2))) / square
    half = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * error
    return Exponent(slope, slope - half, slope + half, size)


# -- figures


def draw(path: Path, size: tuple[float, float], fill: Callable[["Figure"], None]) -> None:
    """Writes an SVG; the same table gives the same bytes with the same version of Matplotlib."""
    from matplotlib import rc_context  # noqa: PLC0415 - slow to import
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    with rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        fill(figure)
        stream = io.BytesIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(stream.getvalue())
