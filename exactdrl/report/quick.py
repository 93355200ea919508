"""A figure at once, for a result in hand; `figures` draws those for print."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BLUE = "#0072B2"
# up to so many points each is marked
_MARKED = 50


def plot_losses(steps: Sequence[int], losses: Sequence[float], title: str) -> "Figure":
    """Returns a figure of losses against steps, on a log scale where all losses are positive.

    Args:
        steps: numbers of the points, the start first.
        losses: in floats, for the eye.
        title: above the axes.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - it takes half a second to import

    figure = Figure(figsize=(6.3, 3.2), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(steps, losses, color=_BLUE, linewidth=1.2, marker="o" if len(steps) < _MARKED else None, markersize=3)
    if losses and min(losses) > 0:
        axes.set_yscale("log")
    axes.set_xlabel("point of the walk")
    axes.set_ylabel("loss")
    axes.set_title(title, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="0.88", linewidth=0.5)
    return figure
