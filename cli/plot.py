"""`exactdrl plot`."""

from pathlib import Path

import click

from exactdrl import Point, read_certificate, read_instance
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.observations.figures import FORMATS, WINDOW, draw, series

from .progress import progress


@click.command("plot")
@click.argument("instance", type=click.Path(path_type=Path))
@click.argument("run", type=click.Path(path_type=Path))
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path), required=True, help="a folder")
@click.option("--format", "formats", type=click.Choice(FORMATS), multiple=True, default=("png",), show_default=True)
@click.option("--window", type=click.IntRange(min=1), default=WINDOW, show_default=True, help="step lengths in a mean")
@click.option("--force", is_flag=True, help="write over existing files")
def plot_command(
    *, instance: Path, run: Path, folder: Path, formats: tuple[str, ...], window: int, force: bool
) -> None:
    """Draw loss, step lengths and distance to the final vertex of the walk RUN on INSTANCE, and write the data."""
    problem_instance = read_instance(instance)
    certificate = read_certificate(run, problem_instance)
    problem = IntegerProblem.from_instance(problem_instance)
    with progress("plot", unit="point") as report:

        def on_point(point: Point) -> None:
            report(point.step)

        data = series(problem, certificate, window=window, on_point=on_point)
    for path in draw(data, folder, formats=formats, force=force):
        click.echo(path)
