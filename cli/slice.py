"""`exactdrl slice`."""

from pathlib import Path

import click

from exactdrl import InputError, parse_rational, read_certificate, read_instance, read_trajectory
from exactdrl.front.options import SLICE_FORMATS, Size, check_format, refuse_existing
from exactdrl.front.sliced import Matrix, slice_loss, write_slice

from .figure_options import size_option


@click.command("slice")
@click.argument("instance", type=click.Path(path_type=Path))
@click.argument("run", type=click.Path(path_type=Path), required=False)
@click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(path_type=Path),
    required=True,
    help=", ".join(f"*.{kind}" for kind in SLICE_FORMATS),
)
@click.option(
    "--through",
    type=click.Path(path_type=Path),
    help="a table with three rows of parameters, through which the plane goes: *.csv",
)
@click.option("--zoom", help="enlarge so many times around the second point, which is the walk's end with RUN")
@click.option("--title", default="", help="title above the picture")
@size_option
@click.option("--force", is_flag=True, help="write over an existing file")
def slice_command(
    *,
    instance: Path,
    run: Path | None,
    path: Path,
    through: Path | None,
    zoom: str | None,
    title: str,
    size: Size,
    force: bool,
) -> None:
    """Draw the loss of INSTANCE in a plane of parameters: its kinks exactly, its values as grey, the path of RUN.

    The plane goes through the walk's start, its end, and the point of the path that is farthest from the line through
    both. Without RUN it goes through the start, 0, and the start with its entries in reverse order. Kinks are exact for
    the plane through these points rounded to float64. A name that ends in .gif makes an animation in which the path
    grows.
    """
    check_format(path, SLICE_FORMATS)
    refuse_existing(path, force=force)
    problem = read_instance(instance)
    certificate = None if run is None else read_certificate(run, problem)
    times = None if zoom is None else parse_rational(zoom)
    if times is not None and times <= 0:
        raise InputError(f"--zoom is {zoom}; a positive number is needed")
    chosen = None if through is None else _read_points(problem.start, through)
    found = slice_loss(problem, certificate, through=chosen, zoom=times)
    write_slice(found, path, title=title, size=size, force=force)
    pieces = sum(map(len, found.lines))
    click.echo(f"{path}: {pieces} straight pieces of kinks, {len(found.path)} points of the walk")


def _read_points(shape: Matrix, path: Path) -> list[Matrix]:
    rows = read_trajectory(path).points
    width = len(shape[0])
    for number, row in enumerate(rows, 1):
        if len(row) != len(shape) * width:
            raise InputError(
                f"{path}: row {number} has {len(row)} numbers; the layer has {len(shape) * width} parameters"
            )
    return [tuple(tuple(row[at : at + width]) for at in range(0, len(row), width)) for row in rows]
