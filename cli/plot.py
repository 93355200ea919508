"""`exactdrl plot`."""

from pathlib import Path

import click

from exactdrl import observe
from exactdrl.front.observed import Outputs
from exactdrl.front.options import FORMATS, LINES, SIZE_HELP, SIZES, SPREAD, WINDOW, Size

from .observe import observing, parse_spread


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
