"""`exactdrl visits`."""

import json
from itertools import pairwise
from pathlib import Path

import click

from exactdrl import read_instance, to_float, to_text, write_instance
from exactdrl.doors.sheet_text import TextForm
from exactdrl.doors.trajectory import read_trajectory
from exactdrl.doors.visits import Visit, find_visits

from .tables import say_notes, text_options

# units that are listed one by one
_LISTED = 6


@click.command("visits")
@click.argument("instance", type=click.Path(path_type=Path))
@click.argument("points", type=click.Path(path_type=Path))
@click.option(
    "--columns", metavar="PREFIX", help="table: take the columns PREFIX0, PREFIX1, ...; *.npz: the array PREFIX"
)
@text_options
@click.option("--row", type=int, help="the point that --output gets, from 1; -1 is the last one  [default: -1]")
@click.option("-o", "--output", "path", type=click.Path(path_type=Path), help="write one point as an instance: *.json")
@click.option("--summary", is_flag=True, help="print no table")
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

    POINTS is what `exactdrl.Recorder` has kept (*.npz, *.parquet), or any file that `audit` takes. With -o one point
    becomes an instance, which `judge` and `snap` take.
    """
    if row is not None and (path is None or not row):
        raise click.UsageError("--row needs --output, and counts from 1, or from -1 backwards")
    read = read_instance(instance)
    trajectory = read_trajectory(points, columns=columns, form=form)
    say_notes(trajectory.notes)
    trajectory.shapes_in(read)
    if path is not None:
        chosen = -1 if row is None else row - 1 if row > 0 else row
        write_instance(trajectory.instance_at(read, chosen), path, force=force)
    visits = []
    if not as_json and not summary:
        click.echo(f"{'row':>6} {'step':>8} {'loss':>22} {'cell':>6} {'changed':>8} {'zeros':>6}  dead units")
    for visit in find_visits(read, trajectory):
        visits.append(visit)
        if not as_json and not summary:
            click.echo(_line(visit))
    if as_json:
        click.echo(json.dumps([_to_json(visit) for visit in visits]))
        return
    cells = len({visit.cell for visit in visits})
    rises = sum(later.loss > earlier.loss for earlier, later in pairwise(visits))
    returns = sum(visit.is_return for visit in visits)
    words = f"{len(visits)} points in {cells} cells, {returns} returns to a cell that was left"
    click.echo(f"{words}; the loss rises {rises} times")
    if path is not None:
        click.echo(f"{path}: the point of row {visits[chosen].row}, step {visits[chosen].step}")


def _line(visit: Visit) -> str:
    dead = ", ".join(f"({layer}, {unit})" for layer, unit in visit.dead_units[:_LISTED])
    more = len(visit.dead_units) - _LISTED
    cell = f"{visit.cell}{'*' if visit.is_return else ''}"
    words = f"{dead}{f' and {more} more' if more > 0 else ''}"
    loss = f"{to_float(visit.loss):.15g}"
    return f"{visit.row:>6} {visit.step:>8} {loss:>22} {cell:>6} {visit.changed:>8} {visit.zeros:>6}  {words}".rstrip()


def _to_json(visit: Visit) -> dict[str, object]:
    return {
        "row": visit.row,
        "step": visit.step,
        "loss": to_text(visit.loss),
        "cell": visit.cell,
        "is_return": visit.is_return,
        "changed": visit.changed,
        "zeros": visit.zeros,
        "dead_units": [list(unit) for unit in visit.dead_units],
    }
