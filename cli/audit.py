"""`exactdrl audit`."""

import json
from pathlib import Path

import click

from exactdrl import audit, read_instance, read_trajectory
from exactdrl.front.audited import AuditResult
from exactdrl.front.options import DEFAULT_BUDGET, SEPARATION, TextForm, refuse_existing
from exactdrl.front.progress import progress

from .tables import say_notes, text_options

WRONG, UNDECIDED = 1, 3


@click.command("audit")
@click.argument("instance", type=click.Path(path_type=Path))
@click.argument("points", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "table",
    type=click.Path(path_type=Path),
    help="write the whole table, with exact numbers, to *.csv",
)
@click.option(
    "--certificate",
    type=click.Path(path_type=Path),
    help="write the certificate that `verify` checks, if the rows are a walk: *.drl or *.drl.gz",
)
@click.option("--claims-minimum", is_flag=True, help="judge also the claim that the last row is a local minimum")
@click.option(
    "--first-vertex",
    type=click.IntRange(min=1),
    metavar="ROW",
    help="the row from which on all rows are claimed to be vertices; rows before it are not judged  "
    "[default: the first row that is read as a vertex]",
)
@click.option(
    "--columns",
    metavar="PREFIX",
    help="take the columns PREFIX0, PREFIX1, ... of a table, or the array PREFIX of an *.npz  [default: all]",
)
@text_options
@click.option(
    "--separation",
    type=click.IntRange(min=1),
    default=SEPARATION,
    show_default=True,
    help="read a row as a vertex if every other kink is at least this many times as far from the row as the vertex",
)
@click.option(
    "--budget",
    type=click.IntRange(min=1),
    default=DEFAULT_BUDGET,
    show_default=True,
    help="work that the proof at a degenerate last vertex may take, in nodes of the proof's tree",
)
@click.option("--summary", is_flag=True, help="print the summary without the table")
@click.option("--force", is_flag=True, help="write over existing files")
@click.option("--json", "as_json", is_flag=True, help="print table and result as JSON")
def audit_command(
    *,
    instance: Path,
    points: Path,
    table: Path | None,
    certificate: Path | None,
    claims_minimum: bool,
    first_vertex: int | None,
    columns: str | None,
    form: TextForm,
    separation: int,
    budget: int,
    summary: bool,
    force: bool,
    as_json: bool,
) -> int:
    """Judge the float trajectory POINTS on INSTANCE that any other program made, row by row, exactly.

    POINTS is a table (CSV, Parquet) with a row of n numbers for each point, the trained layer's parameters row-major
    [W | b]; a NumPy array in *.npy or *.npz; or what `exactdrl.Recorder` has kept of a training. Each row is read as
    the vertex that it stands for, a point where n independent kinks meet. The table says whether this vertex is
    adjacent to the one before, whether the loss falls, and which kink, at the address [layer, sample, unit], was
    crossed on the way. Exit codes: 0 the rows are a whole walk, 1 something is wrong, 2 bad input, 3 a row's vertex was
    not found, or the end is undecided.
    """
    for path in (table, certificate):
        if path is not None:
            refuse_existing(path, force=force)
    if table is not None and table == certificate:
        raise click.UsageError("--output and --certificate name the same file")
    read = read_instance(instance)
    trajectory = read_trajectory(points, columns=columns, form=form)
    say_notes(trajectory.notes)
    with progress("audit", total=len(trajectory.points), unit="row") as report:
        result = audit(
            read,
            trajectory,
            separation=separation,
            first_vertex=first_vertex,
            claims_minimum=claims_minimum,
            budget=budget,
            on_row=lambda row: report(row.row),
        )
    if table is not None:
        result.save_table(table, force=force)
    written = certificate is not None and result.is_certifiable
    if certificate is not None and written:
        result.save(certificate, force=force)
    _show(result, certificate, is_written=written, has_table=not summary, as_json=as_json)
    if result.is_wrong:
        return WRONG
    is_refused = certificate is not None and not written
    return UNDECIDED if result.is_undecided or is_refused else 0


def _show(result: AuditResult, certificate: Path | None, *, is_written: bool, has_table: bool, as_json: bool) -> None:
    if as_json:
        path = str(certificate) if is_written else None
        click.echo(json.dumps(result.to_dict(with_rows=has_table) | {"certificate": path}))
        return
    for line in [*(result.table_lines() if has_table else []), *result.lines()]:
        click.echo(line)
    if certificate is not None:
        click.echo(f"certificate  {certificate if is_written else 'not written'}")
