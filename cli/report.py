"""`exactdrl report`."""

from pathlib import Path

import click

from exactdrl.front.exported import write_report
from exactdrl.front.options import LINES, STREAM

from .observe import JOBS_HELP, LINES_HELP, SEED_HELP, observing


@click.command("report")
@click.argument("instance", type=click.Path(path_type=Path))
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(path_type=Path),
    required=True,
    help="write the page to *.html; - is standard output",
)
@click.option("--no-check", is_flag=True, help="do not run the stand-alone checker; the page then says so")
@click.option("--lines", type=click.IntRange(min=0), default=LINES, show_default=True, help=LINES_HELP)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help=SEED_HELP)
@click.option("--jobs", type=click.IntRange(min=1), help=JOBS_HELP)
@click.option("--force", is_flag=True, help="write over an existing file")
def report_command(
    *, instance: Path, run: Path, path: Path, no_check: bool, lines: int, seed: int, jobs: int | None, force: bool
) -> None:
    """Write one HTML page about the walk RUN on INSTANCE: verdict, figures, claims, how to do it again.

    The page opens in any browser, loads nothing from elsewhere, and is the same for the same files and versions. Claims
    are what `observe` finds.
    """
    with observing("report") as on_progress:
        write_report(
            instance,
            run,
            path,
            check=not no_check,
            lines=lines,
            seed=seed,
            jobs=jobs,
            force=force,
            on_progress=on_progress,
        )
    click.echo(path, err=path == STREAM)
