"""`exactdrl plot`."""

from pathlib import Path

import click

from exactdrl import InputError, read_certificate, read_instance
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.engine.pool import available_jobs
from exactdrl.exact.rationals import to_rational
from exactdrl.observations.observe import LINES, WINDOW, check_options, observe
from exactdrl.observations.phases import SPREAD
from exactdrl.observations.series import to_series
from exactdrl.observations.tables import refuse_written
from exactdrl.report.figures import draw, figure_paths
from exactdrl.report.style import FORMATS, SIZE_HELP, SIZES, Size

from .observe import observing


@click.command("plot")
@click.argument("instance", type=click.Path(path_type=Path))
@click.argument("run", type=click.Path(path_type=Path))
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path), required=True, help="a folder")
@click.option("--format", "formats", type=click.Choice(FORMATS), multiple=True, default=("png",), show_default=True)
@click.option("--size", type=click.Choice(SIZES), default="screen", show_default=True, help=SIZE_HELP)
@click.option("--window", type=click.IntRange(min=1), default=WINDOW, show_default=True, help="step lengths in a mean")
@click.option("--spread", default=str(SPREAD), show_default=True, help="of the decay phase, as in `observe`")
@click.option("--lines", type=click.IntRange(min=0), default=LINES, show_default=True, help="lines of each kind")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="of the lines")
@click.option("--jobs", type=click.IntRange(min=1), help="processes; default: one for each processor")
@click.option("--force", is_flag=True, help="write over existing files")
def plot_command(
    *,
    instance: Path,
    run: Path,
    folder: Path,
    formats: tuple[str, ...],
    size: Size,
    window: int,
    spread: str,
    lines: int,
    seed: int,
    jobs: int | None,
    force: bool,
) -> None:
    """Draw loss, step lengths, distances and densities of the walk RUN on INSTANCE, with the data."""
    problem_instance = read_instance(instance)
    certificate = read_certificate(run, problem_instance)
    try:
        factor = to_rational(spread)
    except InputError as error:
        raise InputError(f"--spread: {error}") from None
    check_options(len(certificate.steps), window=window, spread=factor, between=(), lines=lines)
    refuse_written(figure_paths(folder, formats), force=force)
    with observing("plot") as report:
        found = observe(
            problem_instance,
            run,
            certificate=certificate,
            window=window,
            spread=factor,
            lines=lines,
            seed=seed,
            jobs=jobs or available_jobs(),
            on_progress=report,
        )
    problem = IntegerProblem.from_instance(problem_instance)
    series = to_series(problem, certificate, found.trajectory, window)
    for path in draw(found, series, folder, formats=formats, size=size, force=force):
        click.echo(path)
