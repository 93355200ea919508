"""`exactdrl plot`."""

from pathlib import Path

import click

from exactdrl import observe
from exactdrl.front.observed import Outputs
from exactdrl.front.options import LINES, SPREAD, WINDOW, Size

from .figure_options import format_option, size_option
from .observe import JOBS_HELP, LINES_HELP, SEED_HELP, observing, parse_spread


@click.command("plot")
@click.argument("instance", type=click.Path(path_type=Path))
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", "folder", type=click.Path(path_type=Path), required=True, help="a folder for the figures"
)
@format_option("png")
@size_option
@click.option(
    "--window", type=click.IntRange(min=1), default=WINDOW, show_default=True, help="step lengths in a running mean"
)
@click.option(
    "--spread", default=str(SPREAD), show_default=True, help="factor that defines the decay phase, see `observe`"
)
@click.option("--lines", type=click.IntRange(min=0), default=LINES, show_default=True, help=LINES_HELP)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help=SEED_HELP)
@click.option("--jobs", type=click.IntRange(min=1), help=JOBS_HELP)
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
    """Draw loss, step lengths, distances and densities of the walk RUN on INSTANCE, with the data.

    The folder gets the figures walk, loss, lengths, distance and density, and the tables behind them as CSV files. See
    `observe` for what is measured.
    """
    outputs = Outputs(figures=folder, formats=formats, size=size, force=force)
    with observing("plot") as report:
        found = observe(
            instance,
            run,
            window=window,
            spread=parse_spread(spread),
            lines=lines,
            seed=seed,
            jobs=jobs,
            outputs=outputs,
            on_progress=report,
        )
    for path in outputs.write(found)[1]:
        click.echo(path)
