"""`exactdrl visits`."""

import json
from pathlib import Path

import click

from exactdrl import read_instance, read_trajectory, write_instance
from exactdrl.front.options import TextForm
from exactdrl.front.visited import TITLES, Visit, point_of, visit_fields, visit_line, visits

from .tables import say_notes, text_options


@click.command("visits")
@click.argument("instance", type=click.Path(path_type=Path))
@click.argument("points", type=click.Path(path_type=Path))
@click.option(
    "--columns",
    metavar="PREFIX",
    help="take the columns PREFIX0, PREFIX1, ... of a table, or the array PREFIX of an *.npz  [default: all]",
)
@text_options
@click.option("--row", type=int, help="the row of the point that -o writes, from 1; -1 is the last row  [default: -1]")
@click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(path_type=Path),
    help="write one point as an instance to *.json or *.json.gz",
)
@click.option("--summary", is_flag=True, help="print the summary without the table")
@click.option("--force", is_flag=True, help="write over an existing file")
@click.option("--json", "as_json", is_flag=True, help="print the table as JSON")
def visits_command(
    *,
    instance: Path,
    points: Path,
    columns: str | None,
    form: TextForm,
    row: int | None,
    path: Path | None,
    summary: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Show which cells the training POINTS visits on INSTANCE, with the exact loss at each recorded point.

    POINTS is what `exactdrl.Recorder` has kept (*.npz, *.parquet), or any file that `audit` takes. The columns of the
    table: the cell's number in the order of first visits, with * where the training comes back to it; how many kinks
    have changed their sign since the point before; how many kinks are met exactly; and the dead units (layer, unit),
    whose activation is 0 on every sample. With -o one point becomes an instance. `judge` and
    `snap` take POINTS, too, by their option --points.
    """
    if row is not None and path is None:
        raise click.UsageError("--row needs --output")
    read = read_instance(instance)
    trajectory = read_trajectory(points, columns=columns, form=form)
    say_notes(trajectory.notes)
    trajectory.shapes_in(read)
    if path is not None:
        chosen = -1 if row is None else row
        write_instance(point_of(read, trajectory, chosen), path, force=force)
    is_shown = not as_json and not summary
    if is_shown:
        click.echo(TITLES)

    def on_visit(visit: Visit) -> None:
        if is_shown:
            click.echo(visit_line(visit))

    found = visits(read, trajectory, on_visit=on_visit)
    if as_json:
        click.echo(json.dumps([visit_fields(visit) for visit in found.visits]))
        return
    click.echo(found.message)
    if path is not None:
        place = found.visits[chosen - 1 if chosen > 0 else chosen]
        click.echo(f"{path}: the point of row {place.row}, step {place.step}")
