"""The figures of a campaign: how often each criterion holds, and the measures of all runs, by group.

Groups differ in their markers as well as in their colours, for grey print.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from exactdrl.campaigns.criteria import CRITERIA, number
from exactdrl.campaigns.summary import Summary
from exactdrl.campaigns.table import Row
from exactdrl.engine.job import DONE
from exactdrl.report.style import BLACK, BLUE, GREEN, ORANGE, PINK, SKY, YELLOW, Size, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = (BLUE, ORANGE, GREEN, PINK, BLACK, SKY, YELLOW)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
# the heights of a criterion's row and of a measure's panel, in inches; in a column panels are stacked
_ROW, _PANEL = 0.3, {"screen": 4.2, "column": 2.4, "page": 3.8}
_LEGEND = 1.2
_NAMES_A_LINE = {"screen": 2, "column": 1, "page": 2}
# more groups could not be told apart
MAX_GROUPS = len(_COLOURS)
_PANELS = (
    (
        "falls in its best decay\nwindow by the factor",
        (
            ("loss gap", "window_loss_gap_fall_float"),
            ("distance", "window_squared_distance_fall_float"),
            ("running\nmean", "window_length_sum_fall_float"),
        ),
        (10.0,),
    ),
    (
        "kinks near the last vertex\nover those near",
        (
            ("points of the\nwalk's box", "density_ratio_control_float"),
            ("points as far\nfrom the origin", "density_ratio_turned_float"),
        ),
        (1.0,),
    ),
    (
        "relative error of the final\nloss, after half of the steps",
        (
            ("the loss\nitself", "at_50_loss_error_float"),
            ("Aitken", "at_50_aitken_2_error_float"),
            ("fitted\nlimit", "at_50_fit_error_float"),
        ),
        (0.05,),
    ),
)


def draw_answers(summary: Summary, *, size: Size = "screen") -> "Figure":
    """Returns a figure: for each criterion and group the share of runs in which it holds, with its interval.

    Raises:
        InputError: there is no such size.
    """
    groups = summary.parts[:MAX_GROUPS]

    def fill(figure: "Figure") -> None:
        axes = figure.subplots()
        for place, group in enumerate(groups):
            shift = (place - (len(groups) - 1) / 2) * 0.7 / max(len(groups), 1)
            for line, criterion in enumerate(CRITERIA):
                share = group.answers[criterion.name]
                if not share.total:
                    continue
                height, colour = line + shift, _COLOURS[place]
                axes.plot([share.low, share.high], [height, height], color=colour, lw=1.1)
                is_first = line == 0
                axes.plot(
                    [share.count / share.total],
                    [height],
                    color=colour,
                    marker=_MARKERS[place],
                    ms=3.5,
                    ls="",
                    label=group.name if is_first else None,
                )
        axes.axvline(0.5, color="0.4", lw=0.8, ls=(0, (4, 2)))
        axes.set_yticks(range(len(CRITERIA)), [criterion.name for criterion in CRITERIA])
        axes.set_ylim(len(CRITERIA) - 0.5, -0.5)
        axes.set_xlim(-0.02, 1.02)
        gap = "\n" if size == "column" else " "
        axes.set_xlabel(f"share of runs in which the criterion{gap}holds, with 95 % interval")
        if axes.get_legend_handles_labels()[1]:
            figure.legend(loc="outside upper left", ncols=_NAMES_A_LINE[size])

    return _draw(fill, _ROW * len(CRITERIA) + _LEGEND, size)


def draw_measures(rows: Sequence[Row], summary: Summary, *, size: Size = "screen") -> "Figure":
    """Returns a figure: every run's decay, density and estimates as points, by group.

    Raises:
        InputError: there is no such size.
    """
    names = [group.name for group in summary.parts[:MAX_GROUPS]]
    done = [row for row in rows if row["status"] == DONE]
    is_column = size == "column"

    def fill(figure: "Figure") -> None:
        panels = figure.subplots(*((len(_PANELS), 1) if is_column else (1, len(_PANELS))))
        for axes, (title, columns, marks) in zip(panels, _PANELS, strict=True):
            _scatter(axes, done, names, columns)
            for mark in marks:
                axes.axhline(mark, color="0.4", lw=0.8, ls=(0, (4, 2)))
            axes.set_title(title.replace("\n", " ") if is_column else title, fontsize="small")
        handles, labels = panels[0].get_legend_handles_labels()
        if labels:
            figure.legend(handles, labels, loc="outside upper left", ncols=_NAMES_A_LINE[size])

    return _draw(fill, _PANEL[size] * (len(_PANELS) if is_column else 1), size)


def _scatter(axes: "Axes", rows: Sequence[Row], names: Sequence[str], columns: Sequence[tuple[str, str]]) -> None:
    for place, name in enumerate(names):
        group = [row for row in rows if row["group"] == name]
        shift = (place - (len(names) - 1) / 2) * 0.75 / max(len(names), 1)
        across: list[float] = []
        heights: list[float] = []
        for index, (_, column) in enumerate(columns):
            # a logarithmic axis cannot show 0
            values = [abs(value) for row in group if (value := number(row, column))]
            across += [index + shift] * len(values)
            heights += values
        axes.plot(
            across, heights, color=_COLOURS[place], marker=_MARKERS[place], ms=2.6, ls="", alpha=0.6, mew=0, label=name
        )
    axes.set_xticks(range(len(columns)), [label for label, _ in columns], fontsize="small")
    axes.set_xlim(-0.5, len(columns) - 0.5)
    if axes.lines and any(len(line.get_ydata()) for line in axes.lines):  # type: ignore[arg-type]
        axes.set_yscale("log")
    axes.grid(visible=False, axis="x")


def _draw(fill: Callable[["Figure"], None], height: float, size: Size) -> "Figure":
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to import

    with styled(size) as width:
        figure = Figure(figsize=(width, height), layout="constrained")
        fill(figure)
    return figure
