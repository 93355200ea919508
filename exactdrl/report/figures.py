"""The figures that users publish of a walk, each with the data behind it as a table.

`loss`, `lengths` and `distance` are figures 2, 3 and 4 of Hinz, arXiv:2105.02831. `walk` shows the three below one
another. `density` shows the vertices and kinks around the last vertex. Lines differ in their dashes, too, for grey
print.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exactdrl.exact.rationals import InputError, to_float
from exactdrl.observations.observe import Observations
from exactdrl.observations.phases import Phases
from exactdrl.observations.series import Series
from exactdrl.observations.tables import (
    Table,
    kink_density_table,
    refuse_written,
    table_paths,
    vertex_density_table,
    walk_table,
    write_tables,
)
from exactdrl.report.style import BLACK, BLUE, FORMATS, GREEN, ORANGE, Size, find_tex, save_figure, set_scale, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FIGURES = ("walk", "loss", "lengths", "distance", "density")
_TABLES = ("walk", "vertex_density", "kink_density")
# heights in print, as shares of those on a screen
_SHRINK: dict[Size, float] = {"screen": 1.0, "column": 0.62, "page": 0.8}


@dataclass(frozen=True, slots=True)
class _Drawing:
    name: str
    height: float
    panels: tuple[Callable[["Axes"], None], ...]
    is_row: bool = False


def draw(
    found: Observations,
    series: Series,
    folder: Path,
    *,
    formats: Sequence[str] = ("png",),
    size: Size = "screen",
    force: bool = False,
) -> list[Path]:
    """Writes the figures and the tables behind them into a folder, and returns the paths, figures first.

    Args:
        found: what was observed.
        series: the walk's points.
        folder: made if it does not exist.
        formats: the formats of the figures, some of `FORMATS`.
        size: see `styled`.
        force: whether existing files are written over.

    Raises:
        InputError: a format or the size is unknown, a file exists and `force` is not set, or the folder cannot be
            written.
    """
    refuse_written(figure_paths(folder, formats), force=force)
    tables: list[Table] = [walk_table(series), vertex_density_table(found), kink_density_table(found)]
    drawn: list[Path] = []
    for drawing in _drawings(found, series):
        paths = [folder / f"{drawing.name}.{name}" for name in formats]
        _save(drawing, found.phases, found.steps, paths, size)
        drawn += paths
    return [*drawn, *write_tables(folder, tables, force=force)]


def figure_paths(folder: Path, formats: Sequence[str]) -> list[Path]:
    """Returns the files that `draw` writes.

    Raises:
        InputError: a format is unknown, or needs LaTeX, which is not installed.
    """
    for name in formats:
        if name not in FORMATS:
            raise InputError(f"figure format is {name!r}; one of {', '.join(FORMATS)} is needed")
        if name == "pgf":
            find_tex()
    figures = [folder / f"{name}.{ending}" for name in _FIGURES for ending in formats]
    return figures + table_paths(folder, _TABLES, "csv")


def _drawings(found: Observations, series: Series) -> list[_Drawing]:
    phases = found.phases

    def loss(axes: "Axes") -> None:
        _against_steps(axes, series, series.loss, "loss", colour=BLUE, phases=phases)

    def gap(axes: "Axes") -> None:
        _against_steps(axes, series, series.gap, "loss gap  $L_k - L_S$", colour=BLUE, phases=phases)
        _mark_bracket(axes, found)

    def lengths(axes: "Axes") -> None:
        label = f"mean length of {series.window} steps"
        _against_steps(axes, series, series.running_mean, label, colour=ORANGE, phases=phases)

    def distance(axes: "Axes") -> None:
        _against_steps(axes, series, series.distance, "distance to last vertex", colour=GREEN, phases=phases)

    return [
        _Drawing("walk", 7.4, (gap, lengths, distance)),
        _Drawing("loss", 5.2, (loss, gap)),
        _Drawing("lengths", 3.0, (lengths,)),
        _Drawing("distance", 3.0, (distance,)),
        _Drawing("density", 3.4, (lambda axes: _vertices(axes, found), lambda axes: _kinks(axes, found)), is_row=True),
    ]


def figure_of_walk(found: Observations, series: Series, *, size: Size = "screen") -> "Figure":
    """Returns the figure `walk`: loss gap, running mean of lengths and distance to the end, one below another."""
    return _make(_drawings(found, series)[0], found.phases, found.steps, size)


def _make(drawing: _Drawing, phases: Phases, steps: int, size: Size) -> "Figure":
    from exactdrl.report.shown import ShownFigure  # noqa: PLC0415 - Matplotlib is slow to import

    with styled(size) as width:
        count = len(drawing.panels)
        # a column is too narrow for two panels side by side
        is_row = drawing.is_row and size != "column"
        height = drawing.height * _SHRINK[size] * (1 if is_row == drawing.is_row else count)
        figure = ShownFigure(figsize=(width, height), layout="constrained")
        grid = figure.subplots(*((1, count) if is_row else (count, 1)), sharex=not drawing.is_row, squeeze=False)
        for axes, panel in zip(grid.flat, drawing.panels, strict=True):
            panel(axes)
        if not drawing.is_row:
            _name_phases(grid[0, 0], phases, steps)
            grid[-1, 0].set_xlabel("step $k$  (0: first vertex)")
            figure.align_ylabels()
    return figure


def _save(drawing: _Drawing, phases: Phases, steps: int, paths: Sequence[Path], size: Size) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - slow to import

    figure = _make(drawing, phases, steps, size)
    with styled(size):
        FigureCanvasAgg(figure)
        # the layout is the same in every format, and costs as much as a drawing
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    for path in paths:
        save_figure(figure, path, size=size, force=True)


def _name_phases(axes: "Axes", phases: Phases, steps: int) -> None:
    if phases.decay_end is not None:
        # above the axes, where no curve is
        text, place = f"decay phase ends at step {phases.decay_end}", (phases.decay_end, 1.0)
        axes.annotate(
            text,
            place,
            xytext=(0, 3),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            fontsize="small",
            va="bottom",
            ha="left" if 2 * phases.decay_end < steps else "right",
        )


def _against_steps(
    axes: "Axes", series: Series, values: Sequence[float], label: str, *, colour: str, phases: Phases
) -> None:
    # a logarithmic axis shows no zeros; the last distance is 0, and a loss may be 0
    shown = [value if value > 0 else math.nan for value in values]
    if series.before:
        axes.axvspan(-series.before, 0, color="0.85", lw=0, zorder=0)
    axes.plot(list(series.steps), shown, color=colour)
    if phases.decay_end is not None:
        axes.axvline(phases.decay_end, color=BLACK, lw=0.9, ls=(0, (4, 2)))
    axes.set_ylabel(label)
    set_scale(axes, shown)
    axes.margins(x=0.01)


def _mark_bracket(axes: "Axes", found: Observations) -> None:
    bracket = found.phases.decay
    if bracket is None:
        return
    steps = range(bracket.begin, bracket.end + 1)
    start = to_float(found.trajectory.gaps[bracket.begin])
    rate = to_float(bracket.rate)
    for constant in {bracket.low, bracket.high}:
        line = [to_float(constant) * start * rate ** (k - bracket.begin) for k in steps]
        axes.plot(list(steps), line, color=ORANGE, ls=(0, (1, 1)))
    axes.plot([], [], color=ORANGE, ls=(0, (1, 1)), label=f"certified bracket, rate {rate:.6g}")
    axes.legend(loc="upper right", frameon=True, framealpha=1.0, edgecolor="none")


def _vertices(axes: "Axes", found: Observations) -> None:
    density = found.trajectory_density
    axes.plot([to_float(radius) for radius in density.radii], density.counts, color=GREEN, marker="o")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel("radius $r$ around last vertex")
    axes.set_ylabel("vertices of the walk within $r$")


def _kinks(axes: "Axes", found: Observations) -> None:
    radii = [to_float(row.radius) for row in found.density_rows]
    seen: list[float] = []
    for place, colour, marker, dashes, label in (
        ("last", BLUE, "o", "-", "through last vertex"),
        ("control", ORANGE, "s", "--", "through control points"),
    ):
        lines = [density for density in found.line_densities if density.line.place == place]
        if not lines:
            continue
        per_line = [
            sorted((line.counts[i] - line.at_origin) / (2 * radius) for line in lines) for i, radius in enumerate(radii)
        ]
        means = [sum(values) / len(values) for values in per_line]
        axes.plot(radii, means, color=colour, ls=dashes, marker=marker, label=label)
        quarter = len(lines) // 4
        low, high = ([values[index] for values in per_line] for index in (quarter, -1 - quarter))
        axes.fill_between(radii, low, high, color=colour, alpha=0.15, lw=0)
        seen += [*means, *low, *high]
    axes.set_xscale("log", base=2)
    positive = [value for value in seen if value > 0]
    if positive:
        # the axis is logarithmic down to the least value that is not 0, and linear from there to 0: a quarter of the
        # lines may meet no kink, so that 0 is a value like others
        least = min(positive)
        axes.set_yscale("symlog", linthresh=least, linscale=0.4)
        axes.set_ylim(0 if min(seen) == 0 else least / 2, 3 * max(positive))
        # above the axes: curves and bands are anywhere in them
        title = "mean and middle half of lines"
        axes.legend(title=title, alignment="left", loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.2)
    axes.set_xlabel("radius $r$ along the line")
    axes.set_ylabel("kinks per unit length, $|t| < r$")
