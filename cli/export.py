"""`exactdrl export`."""

from pathlib import Path

import click

from exactdrl import WalkPoint, export, read_certificate, read_instance
from exactdrl.front.exported import export_vipr
from exactdrl.front.progress import progress


@click.command("export")
@click.argument("instance", type=click.Path(path_type=Path))
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--vertices",
    type=click.Path(path_type=Path),
    help="write every point with its parameters to *.jsonl, *.csv or *.parquet",
)
@click.option(
    "--losses", type=click.Path(path_type=Path), help="write every point's loss to *.jsonl, *.csv or *.parquet"
)
@click.option(
    "--vipr",
    type=click.Path(path_type=Path),
    help="write VIPR certificates, which checkers of exact linear programming read: *.vipr",
)
@click.option("--jobs", type=click.IntRange(min=1), help="number of processes  [default: one for each processor]")
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

    With --vipr certificates of linear programming are written. For a regression there is one, of its optimum. For
    another walk that ended in a local minimum there is one for each leaf of the proof's tree, NAME-1.vipr and so on.
    Where RUN is a file that `cells --judge` has written, there is one for each infeasible choice of signs of a judged
    cell's outer weights.
    """
    named = [path for path in (vertices, losses, vipr) if path is not None]
    if not named:
        raise click.UsageError("name a file with --vertices, --losses or --vipr")
    if len(set(named)) < len(named):
        raise click.UsageError("--vertices, --losses and --vipr name the same file")
    problem_instance = read_instance(instance)
    if vipr is not None:
        for name, what in export_vipr(problem_instance, run, vipr, force=force):
            click.echo(f"{name}: {what}")
    if vertices is None and losses is None:
        return
    certificate = read_certificate(run, problem_instance)
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
