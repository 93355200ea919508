"""The figures that users publish of a walk, each with the data behind it as a table.

`loss`, `lengths` and `distance` are figures 2, 3 and 4 of Hinz, arXiv:2105.02831; `walk` shows the three below one
another; `density` the vertices and kinks around the last vertex. Colours are told apart by colour-blind readers (Okabe
and Ito), and lines by their dashes in grey print.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from exactdrl.problem.output import new_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = ("png", "svg", "pdf")
_BLUE, _ORANGE, _GREEN, _BLACK = "#0072B2", "#D55E00", "#009E73", "#000000"
_WIDTH = 6.3  # inches: a text's width; fonts keep their size there
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.labelsize": 10,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "0.88",
    "grid.linewidth": 0.5,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "svg.hashsalt": "exactdrl",
}


_FIGURES = ("walk", "loss", "lengths", "distance", "density")
_TABLES = ("walk", "vertex_density", "kink_density")


@dataclass(frozen=True, slots=True)
class _Drawing:
    name: str
    height: float
    panels: tuple[Callable[["Axes"], None], ...]
    is_row: bool = False


def draw(
    found: Observations, series: Series, folder: Path, *, formats: Sequence[str] = ("png",), force: bool = False
) -> list[Path]:
    """Writes the figures and the tables behind them into a folder, and returns the paths, figures first.

    Args:
        found: what was observed.
        series: the walk's points.
        folder: made if it does not exist.
        formats: some of `FORMATS`.
        force: write over existing files.

    Raises:
        InputError: an unknown format, a file exists and `force` is not set, or the folder cannot be written.
    """
    for name in formats:
        if name not in FORMATS:
            raise InputError(f"figure format is {name!r}; one of {', '.join(FORMATS)} is needed")
    refuse_written(figure_paths(folder, formats), force=force)
    tables: list[Table] = [walk_table(series), vertex_density_table(found), kink_density_table(found)]
    drawn: list[Path] = []
    for drawing in _drawings(found, series):
        paths = [folder / f"{drawing.name}.{name}" for name in formats]
        _save(drawing, found.phases, found.steps, paths)
        drawn += paths
    return [*drawn, *write_tables(folder, tables, force=force)]


def figure_paths(folder: Path, formats: Sequence[str]) -> list[Path]:
    """Returns the files that `draw` writes."""
    figures = [folder / f"{name}.{ending}" for name in _FIGURES for ending in formats]
    return figures + table_paths(folder, _TABLES, "csv")


def _drawings(found: Observations, series: Series) -> list[_Drawing]:
    phases = found.phases

    def loss(axes: "Axes") -> None:
        _against_steps(axes, series, series.loss, "loss", colour=_BLUE, phases=phases)

    def gap(axes: "Axes") -> None:
        _against_steps(axes, series, series.gap, "loss gap  $L_k - L_S$", colour=_BLUE, phases=phases)
        _mark_bracket(axes, found)

    def lengths(axes: "Axes") -> None:
        label = f"mean length of {series.window} steps"
        _against_steps(axes, series, series.running_mean, label, colour=_ORANGE, phases=phases)

    def distance(axes: "Axes") -> None:
        _against_steps(axes, series, series.distance, "distance to last vertex", colour=_GREEN, phases=phases)

    return [
        _Drawing("walk", 7.4, (gap, lengths, distance)),
        _Drawing("loss", 5.2, (loss, gap)),
        _Drawing("lengths", 3.0, (lengths,)),
        _Drawing("distance", 3.0, (distance,)),
        _Drawing("density", 3.4, (lambda axes: _vertices(axes, found), lambda axes: _kinks(axes, found)), is_row=True),
    ]


def _save(drawing: _Drawing, phases: Phases, steps: int, paths: Sequence[Path]) -> None:
    from matplotlib import rc_context  # noqa: PLC0415 - slow to import
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    with rc_context(STYLE):
        figure = Figure(figsize=(_WIDTH, drawing.height), layout="constrained")
        FigureCanvasAgg(figure)
        count = len(drawing.panels)
        shape = (1, count) if drawing.is_row else (count, 1)
        grid = figure.subplots(*shape, sharex=not drawing.is_row, squeeze=False)
        for axes, panel in zip(grid.flat, drawing.panels, strict=True):
            panel(axes)
        if not drawing.is_row:
            _name_phases(grid[0, 0], phases, steps)
            grid[-1, 0].set_xlabel("step $k$  (0: first vertex)")
            figure.align_ylabels()
        # the layout is the same in every format, and costs as much as a drawing
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        for path in paths:
            # no dates in the files: the same run gives the same bytes
            kind = path.suffix[1:]
            metadata = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[kind]
            with new_file(path, force=True) as partial:
                figure.savefig(partial, dpi=200, metadata=metadata)


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
            fontsize=9,
            va="bottom",
            ha="left" if 2 * phases.decay_end < steps else "right",
        )


def _against_steps(
    axes: "Axes", series: Series, values: Sequence[float], label: str, *, colour: str, phases: Phases
) -> None:
    # a logarithm shows no zeros: the last distance is 0, and a loss may be
    shown = [value if value > 0 else math.nan for value in values]
    if series.before:
        axes.axvspan(-series.before, 0, color="0.85", lw=0, zorder=0)
    axes.plot(list(series.steps), shown, color=colour, lw=1.0)
    if phases.decay_end is not None:
        axes.axvline(phases.decay_end, color=_BLACK, lw=0.9, ls=(0, (4, 2)))
    axes.set_ylabel(label)
    _scale(axes, shown)
    axes.margins(x=0.01)


def _scale(axes: "Axes", shown: Sequence[float]) -> None:
    from matplotlib.ticker import LogFormatterSciNotation  # noqa: PLC0415

    finite = [value for value in shown if math.isfinite(value)]
    if not finite or min(finite) == max(finite):
        return
    axes.set_yscale("log")
    if max(finite) < 10 * min(finite):
        # less than a decade: numbers as they are, at a few places
        from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter  # noqa: PLC0415

        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 1.2, 1.4, 1.7, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.yaxis.set_major_formatter(LogFormatterSciNotation())


def _mark_bracket(axes: "Axes", found: Observations) -> None:
    bracket = found.phases.decay
    if bracket is None:
        return
    steps = range(bracket.begin, bracket.end + 1)
    start = to_float(found.trajectory.gaps[bracket.begin])
    rate = to_float(bracket.rate)
    for constant in {bracket.low, bracket.high}:
        line = [to_float(constant) * start * rate ** (k - bracket.begin) for k in steps]
        axes.plot(list(steps), line, color=_ORANGE, lw=1.0, ls=(0, (1, 1)))
    axes.plot([], [], color=_ORANGE, lw=1.0, ls=(0, (1, 1)), label=f"certified bracket, rate {rate:.6g}")
    axes.legend(loc="upper right", frameon=True, framealpha=1.0, edgecolor="none")


def _vertices(axes: "Axes", found: Observations) -> None:
    density = found.trajectory_density
    axes.plot([to_float(radius) for radius in density.radii], density.counts, color=_GREEN, lw=1.0, marker="o", ms=3)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel("radius $r$ around last vertex")
    axes.set_ylabel("vertices of the walk within $r$")


def _kinks(axes: "Axes", found: Observations) -> None:
    radii = [to_float(row.radius) for row in found.density_rows]
    floor, ceiling = math.inf, 0.0
    for place, colour, marker, dashes, label in (
        ("last", _BLUE, "o", "-", "through last vertex"),
        ("control", _ORANGE, "s", "--", "through control points"),
    ):
        lines = [density for density in found.line_densities if density.line.place == place]
        if not lines:
            continue
        per_line = [
            sorted((line.counts[i] - line.at_origin) / (2 * radius) for line in lines) for i, radius in enumerate(radii)
        ]
        means = [sum(values) / len(values) for values in per_line]
        shown = [value if value > 0 else math.nan for value in means]
        axes.plot(radii, shown, color=colour, lw=1.0, ls=dashes, marker=marker, ms=3, label=label)
        floor = min([floor, *(value for value in shown if value > 0)])
        ceiling = max(ceiling, *means)
        quarter = len(lines) // 4
        low, high = ([max(values[index], 1e-30) for values in per_line] for index in (quarter, -1 - quarter))
        axes.fill_between(radii, low, high, color=colour, alpha=0.15, lw=0)
    axes.set_xscale("log", base=2)
    if any(row.last or row.control for row in found.density_rows):
        axes.set_yscale("log")
        axes.set_ylim(floor / 30, 3 * ceiling)
        axes.legend(loc="lower left", title="mean and middle half of lines", title_fontsize=9)
    axes.set_xlabel("radius $r$ along the line")
    axes.set_ylabel("kinks per unit length, $|t| < r$")
