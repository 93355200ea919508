"""`exactdrl export`."""

from pathlib import Path

import click

from exactdrl import WalkPoint, export, read_certificate, read_instance
from exactdrl.front.exported import export_vipr

from .progress import progress


@click.command("export")
@click.argument("instance", type=click.Path(path_type=Path))
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--vertices", type=click.Path(path_type=Path), help="every point, with its parameters: *.jsonl, *.csv or *.parquet"
)
@click.option("--losses", type=click.Path(path_type=Path), help="every point's loss: *.jsonl, *.csv or *.parquet")
@click.option(
    "--vipr",
    type=click.Path(path_type=Path),
    help="a regression's optimum as a VIPR certificate, for checkers of exact linear programming",
)
@click.option("--jobs", type=click.IntRange(min=1), help="processes; default: one for each processor")
@click.option("--force", is_flag=True, help="write over existing files")
def export_command(
    *,
    instance: Path,
    run: Path,
    vertices: Path | None,
    losses: Path | None,
    vipr: Path | None,
    jobs: int | None,
    force: bool,
) -> None:
    """Write the exact vertices and losses of the walk RUN on INSTANCE as tables.

    Or, with --vipr, the optimum of a regression as a certificate of linear programming.
    """
    named = [path for path in (vertices, losses, vipr) if path is not None]
    if not named:
        raise click.UsageError("name a file with --vertices, --losses or --vipr")
    if len(set(named)) < len(named):
        raise click.UsageError("--vertices, --losses and --vipr name the same file")
    problem_instance = read_instance(instance)
    certificate = read_certificate(run, problem_instance)
    if vipr is not None:
        export_vipr(problem_instance, certificate, vipr, force=force)
        click.echo(f"{vipr}: the optimum, {len(problem_instance.inputs)} samples")
    if vertices is None and losses is None:
        return
    with progress("export", unit="point") as report:

        def on_point(point: WalkPoint) -> None:
            report(point.step)

        count = export(
            problem_instance,
            certificate,
            vertices=vertices,
            losses=losses,
            force=force,
            jobs=jobs,
            on_point=on_point,
        )
    for path in (vertices, losses):
        if path is not None:
            click.echo(f"{path}: {count} points")
