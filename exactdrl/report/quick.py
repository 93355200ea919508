"""Simple figures of a single result; the module `figures` draws those for print."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from exactdrl.report.style import BLACK, Size, set_scale, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# with fewer points than this each point is marked
_MARKED = 50
_SHAPE: dict[Size, float] = {"screen": 0.5, "column": 0.65, "page": 0.4}


def plot_losses(steps: Sequence[int], losses: Sequence[float], title: str, *, size: Size = "screen") -> "Figure":
    """Returns a figure of losses against steps, on a log scale where all losses are positive.

    Args:
        steps: the points' numbers, the start first.
        losses: the losses in floats, as many.
        title: the text above the axes.
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


def plot_path(
    paths: Mapping[str, Sequence[tuple[float, float, float]]], level: float, title: str, *, size: Size = "screen"
) -> "Figure":
    """Returns a figure of regression quantiles: a panel for each coefficient, its value against the level.

    Args:
        paths: for each coefficient its pieces in order, each with its least level, its greatest level and its value.
        level: the level that is marked in each panel.
        title: the text above the panels.
        size: see `styled`.

    Raises:
        InputError: there is no such size.
    """
    from exactdrl.report.shown import ShownFigure  # noqa: PLC0415 - Matplotlib takes half a second to import

    columns = 1 if size == "column" or len(paths) == 1 else 2
    rows = -(-len(paths) // columns)
    with styled(size) as width:
        figure = ShownFigure(figsize=(width, rows * width / columns * 0.55 + 0.3), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
        for axes in grid.flat[len(paths) :]:
            axes.set_axis_off()
        for axes, (name, pieces) in zip(grid.flat, paths.items(), strict=False):
            ends = [end for low, high, _ in pieces for end in (low, high)]
            values = [value for _, _, value in pieces for _ in range(2)]
            axes.plot(ends, values)
            axes.axvline(level, color=BLACK, ls=(0, (4, 2)))
            axes.set_ylabel(name)
        for axes in grid[-1]:
            axes.set_xlabel("level τ")
        figure.suptitle(title, fontsize="small")
    return figure
