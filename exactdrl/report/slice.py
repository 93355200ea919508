"""A picture of the loss in a plane of parameters, with exact kinks, the values as grey, and a walk's path.

The kinks are those of the plane through three points whose coordinates are rounded to float64 first. From there on
nothing is rounded until the kinks are drawn. Grey levels show the loss in float64. A vertex of the walk that does not
lie in the plane is drawn at its orthogonal projection onto the plane.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from gmpy2 import mpq
from numpy.typing import NDArray

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.exact.rationals import InputError, to_float
from exactdrl.observations.plane import Plane, find_segments, through_points
from exactdrl.problem.instance import Instance, Matrix
from exactdrl.problem.output import new_file
from exactdrl.report.style import (
    BLACK,
    BLUE,
    FORMATS,
    GREEN,
    ORANGE,
    PINK,
    SKY,
    YELLOW,
    Size,
    check_format,
    save_figure,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

SLICE_FORMATS = (*FORMATS, "gif")
# kinks by layer, on a light ground
_COLOURS = (BLUE, GREEN, PINK, SKY, YELLOW, BLACK)
_PATH = ORANGE
# height of a picture, as a share of its width
_SHAPE: dict[Size, float] = {"screen": 0.8, "column": 1.0, "page": 0.65}
_GRID = 240
# points of the grid that are evaluated at once
_CHUNK = 4000
_MARGIN = mpq(1, 4)
# frames of an animation, and milliseconds of each
_FRAMES, _MILLISECONDS = 60, 80


@dataclass(frozen=True, slots=True)
class Slice:
    """What is drawn.

    Attributes:
        plane: the plane of parameters.
        lower: the least s and t of the window.
        upper: the greatest s and t of the window.
        lines: for each layer from the trained one on, the straight pieces of its kinks in float64, shape (count, 2, 2).
        losses: the losses on a grid in float64, with axes (t, s).
        path: the walk's points as (s, t), shape (count, 2); empty without a walk.
        names: the names of the three points, each with its (s, t).
        first_layer: the number of the trained layer.
    """

    plane: Plane
    lower: tuple[mpq, mpq]
    upper: tuple[mpq, mpq]
    lines: tuple[NDArray[np.float64], ...]
    losses: NDArray[np.float64]
    path: NDArray[np.float64]
    names: tuple[tuple[str, tuple[float, float]], ...]
    first_layer: int


def make_slice(
    instance: Instance,
    points: Sequence[Matrix],
    names: Sequence[str],
    *,
    path: Sequence[Matrix] = (),
    zoom: mpq | None = None,
) -> Slice:
    """Returns what is to be drawn of the plane through three points.

    Args:
        instance: the problem, of one trained layer and a loss with two slopes.
        points: three points that are not on a line; they are rounded to float64.
        names: the names of the three points.
        path: the points of a walk.
        zoom: how many times the window is enlarged around the second point, the walk's end; default: the smallest
            window that holds points and path, with a margin.

    Raises:
        InputError: the points lie on a line.
    """
    problem = IntegerProblem.from_instance(instance)
    rounded = [tuple(tuple(mpq(to_float(value)) for value in row) for row in point) for point in points]
    plane = through_points(rounded)
    placed = _project(plane, path)
    marks = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))
    seen = np.array([*placed.tolist(), *marks])
    lower, upper = [], []
    for axis in range(2):
        least, most = mpq(float(seen[:, axis].min())), mpq(float(seen[:, axis].max()))
        margin = _MARGIN * (most - least)
        low, high = least - margin, most + margin
        if zoom is not None:
            centre, half = mpq(marks[1][axis]), (high - low) / (2 * zoom)
            low, high = centre - half, centre + half
        lower.append(low)
        upper.append(high)
    window = (lower[0], lower[1]), (upper[0], upper[1])
    lines: list[list[list[tuple[float, float]]]] = [[] for _ in problem.widths]
    for segment in find_segments(problem, plane, *window):
        ends = [(to_float(s), to_float(t)) for s, t in (segment.begin, segment.end)]
        lines[segment.kink.layer - problem.first].append(ends)
    return Slice(
        plane,
        *window,
        tuple(np.array(layer, dtype=np.float64).reshape(-1, 2, 2) for layer in lines),
        _losses(instance, plane, *window),
        placed,
        tuple(zip(names, marks, strict=True)),
        problem.first,
    )


def _flat(matrix: Matrix) -> NDArray[np.float64]:
    return np.array([to_float(value) for row in matrix for value in row])


def _project(plane: Plane, path: Sequence[Matrix]) -> NDArray[np.float64]:
    """Returns the orthogonal projections of points onto a plane, as (s, t)."""
    if not path:
        return np.zeros((0, 2))
    axes = np.stack([_flat(plane.first), _flat(plane.second)], axis=1)
    offsets = np.stack([_flat(point) for point in path]) - _flat(plane.origin)
    return np.linalg.lstsq(axes, offsets.T, rcond=None)[0].T.astype(np.float64)


def _losses(instance: Instance, plane: Plane, lower: tuple[mpq, mpq], upper: tuple[mpq, mpq]) -> NDArray[np.float64]:
    """Returns the loss on a grid in float64, which is only drawn."""
    s, t = (np.linspace(to_float(a), to_float(b), _GRID) for a, b in zip(lower, upper, strict=True))
    places = np.stack(np.meshgrid(s, t), axis=-1).reshape(-1, 2)
    shape = (len(instance.start), len(instance.start[0]))
    origin = _flat(plane.origin).reshape(shape)
    first, second = _flat(plane.first).reshape(shape), _flat(plane.second).reshape(shape)
    pushed = np.array([[to_float(value) for value in row] for row in instance.pushed_inputs()])
    targets = np.array([[to_float(value) for value in row] for row in instance.targets])
    slopes = np.array(
        [[(to_float(b), to_float(a)) for b, a in instance.entry_slopes(k)] for k in range(len(instance.inputs))]
    )
    layers = [
        (
            np.array([[to_float(w) for w in row] for row in layer.weight]),
            np.array([to_float(b) for b in layer.bias or (mpq(0),) * len(layer.weight)]),
        )
        for layer in instance.layers[instance.layer :]
    ]
    kinds = [
        np.array([(to_float(a.below), to_float(a.above)) for a in layer.activations])
        for layer in instance.layers[instance.layer - 1 :]
    ]
    parts = []
    for begin in range(0, len(places), max(1, _CHUNK // max(1, len(pushed) // 100))):
        own = places[begin : begin + max(1, _CHUNK // max(1, len(pushed) // 100))]
        weights = origin + own[:, 0, None, None] * first + own[:, 1, None, None] * second
        values = np.einsum("kuc,nc->knu", weights, pushed)
        for kind, (weight, bias) in zip(kinds[:-1], layers, strict=True):
            values = np.where(values > 0, kind[:, 1], kind[:, 0]) * values @ weight.T + bias
        residuals = values - targets
        parts.append((residuals * np.where(residuals > 0, slopes[..., 1], slopes[..., 0])).sum(axis=(1, 2)))
    return np.concatenate(parts).reshape(_GRID, _GRID)


def draw_slice(found: Slice, *, title: str = "", size: Size = "screen") -> "Figure":
    """Returns a figure of a slice.

    Args:
        found: what is drawn.
        title: above the axes.
        size: see `styled`.

    Raises:
        InputError: there is no such size.
    """
    return _draw(found, title, size)[0]


def _draw(found: Slice, title: str, size: Size) -> "tuple[Figure, Line2D | None]":
    """Returns a figure, and in it the line of the path; None without a path."""
    from matplotlib import rcParams  # noqa: PLC0415 - half a second to import
    from matplotlib.collections import LineCollection  # noqa: PLC0415

    from exactdrl.report.shown import ShownFigure  # noqa: PLC0415

    with styled(size) as width:
        figure = ShownFigure(figsize=(width, width * _SHAPE[size]), layout="constrained")
        axes = figure.add_subplot()
        axes.grid(visible=False)
        (left, right), (bottom, top) = (
            (to_float(low), to_float(high)) for low, high in zip(found.lower, found.upper, strict=True)
        )
        extent = left, right, bottom, top
        levels, label = _shade(found.losses)
        image = axes.imshow(levels, origin="lower", extent=extent, aspect="auto", cmap="Greys", alpha=0.75)
        figure.colorbar(image, ax=axes, label=label, shrink=0.85)
        for depth, lines in enumerate(found.lines):
            if len(lines):
                is_last = depth == len(found.lines) - 1
                name = "residuals" if is_last else f"layer {found.first_layer + depth}"
                colour = _COLOURS[-1] if is_last else _COLOURS[depth % (len(_COLOURS) - 1)]
                thin = 0.8 if len(lines) < 400 else 0.35  # noqa: PLR2004 - many lines are drawn thinner
                axes.add_collection(LineCollection(list(lines), colors=colour, linewidths=thin, alpha=0.7, label=name))
        path, line = found.path, None
        if len(path):
            thick = 1.4 * rcParams["lines.linewidth"]
            (line,) = axes.plot(path[:, 0], path[:, 1], color=_PATH, lw=thick, marker="o", label="walk")
        for name, (s, t) in found.names:
            if extent[0] <= s <= extent[1] and extent[2] <= t <= extent[3]:
                box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}
                axes.annotate(name, (s, t), textcoords="offset points", xytext=(6, 6), color=_PATH, bbox=box, zorder=5)
                axes.plot([s], [t], marker="D", markersize=4, color=_PATH)
        axes.set_xlim(extent[0], extent[1])
        axes.set_ylim(extent[2], extent[3])
        axes.set_xlabel(f"s, from {found.names[0][0]} (0) to {found.names[1][0]} (1)")
        axes.set_ylabel(f"t, from {found.names[0][0]} (0) to {found.names[2][0]} (1)")
        handles = axes.get_legend_handles_labels()[0]
        if handles:
            # below the axes, in as many rows as the width demands
            columns = 2 if size == "column" else len(handles)
            figure.legend(handles=handles, loc="outside lower center", ncols=columns)
        if title:
            axes.set_title(title, fontsize="small", wrap=True)
        return figure, line


def _shade(losses: NDArray[np.float64]) -> tuple[NDArray[np.float64], str]:
    """Returns what is shown as grey, and its name.

    It is the logarithm of the loss where the loss is positive and its greatest value is more than ten times its least.
    """
    least, most = float(losses.min()), float(losses.max())
    if least > 0 and most > 10 * least:
        return np.log10(losses), "loss, decimal logarithm"
    return losses, "loss"


def write_slice(found: Slice, path: Path, *, title: str = "", size: Size = "screen", force: bool = False) -> list[Path]:
    """Writes a slice as PNG, SVG, PDF or PGF, or as a GIF in which the path grows, and returns the files.

    Args:
        found: what is drawn.
        path: the picture's path, whose ending names the format.
        title: the text above the axes.
        size: see `styled`.
        force: whether existing files are written over.

    Raises:
        InputError: the path has another ending, the file exists and `force` is not set, an animation has no path, or
            LaTeX, which PGF needs, is missing.
        MachineError: the disk is full, or the machine failed otherwise.
    """
    if check_format(path, SLICE_FORMATS) != "gif":
        return save_figure(draw_slice(found, title=title, size=size), path, size=size, force=force)
    if not len(found.path):
        raise InputError(f"{path}: an animation shows a walk; name its certificate RUN")
    with new_file(path, force=force) as partial:
        _animate(found, partial, title)
    return [path]


def _animate(found: Slice, path: Path, title: str) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - half a second to import
    from PIL import Image  # noqa: PLC0415 - Matplotlib brings it

    count = len(found.path)
    stops = sorted({round(1 + (count - 1) * k / (_FRAMES - 1)) for k in range(_FRAMES)})
    frames = []
    figure, line = _draw(found, title, "screen")
    canvas = FigureCanvasAgg(figure)
    figure.set_dpi(80)
    for stop in stops:
        if line is not None:
            line.set_data(found.path[:stop, 0], found.path[:stop, 1])
        canvas.draw()  # type: ignore[no-untyped-call]
        pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
        frames.append(Image.fromarray(pixels).convert("P", palette=Image.Palette.ADAPTIVE))
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=_MILLISECONDS, loop=0)
