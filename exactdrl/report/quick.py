"""A figure at once, for a result in hand; `figures` draws those for print."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from exactdrl.report.style import Size, set_scale, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# up to so many points each is marked
_MARKED = 50
_SHAPE: dict[Size, float] = {"screen": 0.5, "column": 0.65, "page": 0.4}


def plot_losses(steps: Sequence[int], losses: Sequence[float], title: str, *, size: Size = "screen") -> "Figure":
    """Returns a figure of losses against steps, on a log scale where all losses are positive.

    Args:
        steps: numbers of the points, the start first.
        losses: in floats, for the eye.
        title: above the axes.
        size: see `styled`.

    Raises:
        InputError: there is no such size.
    """
    from exactdrl.report.shown import ShownFigure  # noqa: PLC0415 - Matplotlib takes half a second to import

    with styled(size) as width:
        figure = ShownFigure(figsize=(width, width * _SHAPE[size]), layout="constrained")
        axes = figure.add_subplot()
        axes.plot(steps, losses, marker="o" if len(steps) < _MARKED else None)
        set_scale(axes, losses)
        axes.set_xlabel("point of the walk")
        axes.set_ylabel("loss")
        axes.set_title(title, fontsize="small", wrap=True)
    return figure
