"""Figures of a judged point: its units among the samples' hyperplanes, the function, and the loss along its curve."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from gmpy2 import mpq

from exactdrl.exact.rationals import InputError, to_float
from exactdrl.points.germ import move
from exactdrl.points.judge import JudgedPoint
from exactdrl.points.setting import find_loss, forward
from exactdrl.points.verdict import NotMinimum
from exactdrl.report.style import BLUE, GREEN, ORANGE, Size, save_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Panel: TypeAlias = Callable[[Any, JudgedPoint], None]
_GREY = "0.6"
_PANEL = 3.1  # inches, on a screen; in print the panels share the page's width, or stand below one another in a column
_PLANE, _PLACES = 2, 97


def can_draw_units(judged: JudgedPoint) -> bool:
    """Returns whether the units of layer 1 are vectors in a plane: two inputs, or one and a bias."""
    return len(judged.theta[0][0]) == _PLANE and len(judged.theta) > 1


def draw_points(
    points: list[tuple[str, JudgedPoint]], path: Path, *, size: Size = "screen", force: bool = False
) -> None:
    """Draws judged points, one a row: units, function, and the loss along the curve where the verdict has one.

    Args:
        points: the points, each with its title.
        path: the file's path, `*.png`, `*.svg`, `*.pdf` or `*.pgf`.
        size: see `styled`.
        force: write over an existing file.

    Raises:
        InputError: the path has another ending, LaTeX, which *.pgf needs, is missing, or there is nothing to draw:
            neither units in a plane nor a curve.
    """
    save_figure(figure_of(points, size=size), path, size=size, force=force)


def figure_of(points: list[tuple[str, JudgedPoint]], *, size: Size = "screen") -> "Figure":
    """Returns the figure that `draw_points` writes.

    Raises:
        InputError: there is no such size, or nothing to draw: neither units in a plane nor a curve.
    """
    rows = [(title, judged, _panels(judged)) for title, judged in points]
    count = max(len(panels) for _, _, panels in rows)
    if not count:
        raise InputError(
            "there is nothing to draw: the units have not two inner parameters each, and the verdict has no curve"
        )
    if size == "column":
        # a panel a row; the point's title stands above its first one
        rows = [(title if not k else "", j, [panel]) for title, j, panels in rows for k, panel in enumerate(panels)]
        count = 1
    from exactdrl.report.shown import ShownFigure  # noqa: PLC0415 - Matplotlib is slow to import

    with styled(size) as width:
        wide = _PANEL * count + 0.4 if size == "screen" else width
        figure = ShownFigure(figsize=(wide, len(rows) * min(wide / count, _PANEL)), layout="constrained")
        grid = figure.subplots(len(rows), count, squeeze=False)
        for line, (title, judged, panels) in zip(grid, rows, strict=True):
            line[0].set_title(title, loc="left")
            for axes in line[len(panels) :]:
                axes.set_axis_off()
            for axes, panel in zip(line, panels, strict=False):
                panel(axes, judged)
    return figure


def _panels(judged: JudgedPoint) -> list[Panel]:
    panels: list[Panel] = []
    if can_draw_units(judged):
        panels.append(_draw_units)
        if judged.setting.biases[0] or all(x[-1] == 1 for x in judged.setting.inputs):
            panels.append(_draw_function)
    if isinstance(judged.verdict, NotMinimum):
        panels.append(_draw_curve)
    return panels


def _draw_units(axes: "Axes", judged: JudgedPoint) -> None:
    """Draws each unit's inner weights as an arrow, and for each sample the line on which its preactivation is 0."""
    found = forward(judged.setting, judged.theta)
    units = [[to_float(w) for w in row] for row in judged.theta[0]]
    size = max((abs(w) for row in units for w in row), default=1.0) or 1.0
    for number, x in enumerate(found.arrivals[0]):
        along = (-to_float(x[1]), to_float(x[0]))
        length = max(map(abs, along)) or 1.0
        ends = [1.25 * size * a / length for a in along]
        axes.plot([-ends[0], ends[0]], [-ends[1], ends[1]], color=_GREY, lw=0.8, zorder=1)
        axes.annotate(str(number), (ends[0], ends[1]), fontsize="x-small", color="0.4", ha="center", va="center")
    dead = {unit for layer, unit in judged.dead if layer == 0}
    drawn = set()
    for unit, (first, second) in enumerate(units):
        on_kink = any(not row[unit] for row in found.values[0])
        colour = _GREY if unit in dead else ORANGE if on_kink else BLUE
        drawn.add(colour)
        axes.annotate(
            "", (first, second), (0, 0), arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 0.9, "shrinkA": 0}
        )
    for colour, text in ((BLUE, "unit"), (ORANGE, "unit on a kink"), (_GREY, "dead unit")):
        if colour in drawn:
            axes.plot([], [], color=colour, lw=1.5, label=text)
    axes.plot([], [], color=_GREY, lw=0.8, label="line of a sample")
    axes.set_xlim(-1.4 * size, 1.4 * size)
    # room for the legend above what is drawn
    axes.set_ylim(-1.4 * size, 2.0 * size)
    axes.set_aspect("equal")
    axes.set_xlabel("inner weight 1")
    axes.set_ylabel("bias" if judged.setting.biases[0] else "inner weight 2")
    axes.legend(loc="upper left", fontsize="x-small", ncols=2, columnspacing=1.0, handlelength=1.2)


def _draw_function(axes: "Axes", judged: JudgedPoint) -> None:
    """Draws the data and the network's outputs over one input."""
    setting = judged.setting
    xs = [x[0] for x in setting.inputs]
    low, high = min(xs), max(xs)
    reach = (high - low) / 8 or mpq(1)
    places = [low - reach + (high - low + 2 * reach) * k / (_PLACES - 1) for k in range(_PLACES)]
    setting = setting.at([(p, *setting.inputs[0][1:]) for p in places])
    outputs = forward(setting, judged.theta).values[-1]
    for output in range(judged.setting.outputs):
        colour = (BLUE, GREEN, ORANGE)[output % 3]
        axes.plot([to_float(p) for p in places], [to_float(row[output]) for row in outputs], color=colour, lw=1.2)
        axes.plot(
            [to_float(x) for x in xs],
            [to_float(row[output]) for row in judged.setting.targets],
            "o",
            color=colour,
            markersize=4,
        )
    axes.set_xlabel("input")
    axes.set_ylabel("network (line), target (dot)")


def _draw_curve(axes: "Axes", judged: JudgedPoint) -> None:
    """Draws how the loss changes along the verdict's curve, from the point to the place with the smaller loss."""
    if not isinstance(judged.verdict, NotMinimum):
        raise TypeError("a point without a curve has no such panel: this is a bug")
    descent = judged.verdict.descent
    places = [descent.at * k / (_PLACES - 1) for k in range(_PLACES)]
    losses = [find_loss(judged.setting, move(judged.theta, descent.curve, t)) for t in places]
    axes.plot([to_float(t) for t in places], [to_float(loss - judged.loss) for loss in losses], color=BLUE, lw=1.2)
    axes.axhline(0, color="0", lw=0.6)
    axes.ticklabel_format(axis="both", scilimits=(-2, 3), useMathText=True)
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlabel("t along the curve")
    axes.set_ylabel("change of the loss")
