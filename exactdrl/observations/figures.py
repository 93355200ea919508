"""The figures that users publish of a walk: loss, step lengths, distance to the final vertex, against the step."""

import csv
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.certificate.export import Point, points
from exactdrl.certificate.reader import Certificate
from exactdrl.exact.rationals import InputError, to_float
from exactdrl.problem.instance_file import refuse_existing

FORMATS = ("png", "svg", "pdf")
WINDOW = 40


@dataclass(frozen=True, slots=True)
class Series:
    """What the figures show, as floats: nearest to the exact values, square roots and means rounded.

    Attributes:
        phase_one: the number of points up to and with the first vertex.
        loss: at each point.
        length: of the step to each point; NaN for the start.
        running_mean: of the last `window` lengths; NaN where there are fewer.
        distance: to the last vertex.
        window: how many lengths a mean takes.
    """

    phase_one: int
    loss: tuple[float, ...]
    length: tuple[float, ...]
    running_mean: tuple[float, ...]
    distance: tuple[float, ...]
    window: int


def series(
    problem: IntegerProblem,
    certificate: Certificate,
    *,
    window: int = WINDOW,
    on_point: Callable[[Point], None] | None = None,
) -> Series:
    """Returns the figures' data of a recorded walk.

    Args:
        problem: the certificate's.
        certificate: a whole one.
        window: how many consecutive step lengths a running mean takes, as published 40.
        on_point: called after each point.
    """
    phase_one, loss, length, distance = 0, [], [], []
    for point in points(problem, certificate):
        phase_one += point.phase == 1
        loss.append(to_float(point.loss))
        length.append(math.nan if point.squared_step is None else math.sqrt(to_float(point.squared_step)))
        distance.append(math.sqrt(to_float(point.squared_distance_to_last)))
        if on_point is not None:
            on_point(point)
    means = [
        math.fsum(length[end - window : end]) / window if end > window else math.nan
        for end in range(1, len(length) + 1)
    ]
    return Series(phase_one, tuple(loss), tuple(length), tuple(means), tuple(distance), window)


def draw(data: Series, folder: Path, *, formats: Sequence[str] = ("png",), force: bool = False) -> list[Path]:
    """Writes `walk.*`, the three figures below one another, and `walk.csv`, the data behind them; returns the paths.

    Args:
        data: what to draw.
        folder: made if it does not exist.
        formats: some of `FORMATS`.
        force: write over existing files.

    Raises:
        InputError: an unknown format, a file exists and `force` is not set, or the folder cannot be written.
    """
    for name in formats:
        if name not in FORMATS:
            raise InputError(f"figure format is {name!r}; one of {', '.join(FORMATS)} is needed")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror or error})") from None
    figures = [folder / f"walk.{name}" for name in formats]
    table = folder / "walk.csv"
    for path in (*figures, table):
        refuse_existing(path, force=force)
    try:
        _write_table(data, table)
        _draw(data, figures)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror or error})") from None
    return [*figures, table]


def _write_table(data: Series, path: Path) -> None:
    with path.open("w", encoding="ascii", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        mean = f"mean_of_{data.window}_lengths"
        writer.writerow(["step", "phase", "loss", "length", mean, "distance_to_last"])
        rows = zip(data.loss, data.length, data.running_mean, data.distance, strict=True)
        for step, row in enumerate(rows):
            cells = ["" if math.isnan(value) else repr(value) for value in row]
            writer.writerow([step, 1 if step < data.phase_one else 2, *cells])


def _draw(data: Series, paths: Sequence[Path]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - slow to import
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(6.4, 7.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(3, 1, sharex=True)
    contents = (
        ("loss", data.loss),
        (f"mean of {data.window} step lengths", data.running_mean),
        ("distance to the final vertex", data.distance),
    )
    for panel, (label, values) in zip(panels, contents, strict=True):
        # a logarithm shows no zeros: the last distance is 0, and a loss may be
        shown = [value if value > 0 else math.nan for value in values]
        panel.axvspan(0, max(data.phase_one - 1, 0), color="0.9", lw=0)
        panel.plot(shown, color="C0", lw=1.2)
        panel.set_ylabel(label)
        if any(value > 0 for value in values):
            panel.set_yscale("log")
        panel.grid(visible=True, which="both", color="0.92", lw=0.5)
        panel.margins(x=0.01)
    panels[-1].set_xlabel("step (grey: phase 1, up to the first vertex)")
    for path in paths:
        figure.savefig(path, dpi=160)
