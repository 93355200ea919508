"""`exactdrl cells`."""

import json
import time
from pathlib import Path

import click

from exactdrl.front.cells_data import CellsData
from exactdrl.front.progress import progress
from exactdrl.front.surveyed import (
    DEFAULT_CELLS,
    SHOWN,
    CellCount,
    CellsFiles,
    Inradius,
    UnitCell,
    cell_line,
    check_pattern,
    count_cells,
    count_hidden_cells,
    count_lines,
    hidden_cells_beyond,
    judge_all_cells,
    judge_drawn_cells,
    list_cells,
)

from .cells_data import cells_options

UNDECIDED = 3


@click.command("cells")
@cells_options
@click.option("--judge", is_flag=True, help="decide which hidden cells have a genuine minimum, and which a bad one")
@click.option(
    "--draw", type=click.IntRange(min=1), metavar="M", help="judge the cells of M random weights, not all cells"
)
@click.option("--seed", type=int, default=0, show_default=True, help="seed of the random weights of --draw")
@click.option(
    "--budget",
    type=click.IntRange(min=1),
    default=DEFAULT_CELLS,
    show_default=True,
    help="the most cells that are listed or judged",
)
@click.option("--after", metavar="PATTERN", help="go on behind the cell with this pattern, where a list was stopped")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="write the certificate, *.drl or *.drl.gz; for a table the instance is written beside it",
)
@click.option("--table", "table_path", type=click.Path(path_type=Path), help="write the cells to *.parquet or *.csv")
@click.option("--force", is_flag=True, help="write over existing files")
@click.option("--json", "as_json", is_flag=True, help="print the cells as JSON")
def cells_command(
    *,
    data: CellsData,
    judge: bool,
    draw: int | None,
    seed: int,
    budget: int,
    after: str | None,
    output: Path | None,
    table_path: Path | None,
    force: bool,
    as_json: bool,
) -> int:
    """List the cells of one unit on DATA, count those of K units, and judge them.

    DATA is a table (CSV, Parquet) or an instance file. A cell of a unit is the set of its weights for which its
    preactivations have given signs; the cell's pattern has a bit for each sample, 1 where the unit is on. A hidden cell
    is a choice of such a cell for each of K units. On it the loss is a convex function of the units' outer weights
    times their inner weights. The cell's relaxation minimises this function whether or not the signs are kept. With
    --judge every hidden cell is decided: it has a genuine minimum if the relaxation's minimum is attained inside the
    cell, and a bad one if moreover another point has a smaller loss. Exit codes: 0 all cells are listed or decided, 2
    bad input, 3 the budget is too small or a cell is undecided.
    """
    if after is not None:
        check_pattern(data, after)
    files = CellsFiles(output, table_path, force)
    files.refuse_existing(data)
    if draw is not None:
        with progress("judge", total=draw, unit="cell") as report:
            found = judge_drawn_cells(data, draw, seed, files=files, on_cell=report)
        say_instance(files, data)
        click.echo(json.dumps(found.objects) if as_json else str(found))
        return 0 if found.is_decided else UNDECIDED
    count = count_cells(data)
    if not judge:
        return _list_cells(data, count, after=after, budget=budget, files=files, as_json=as_json)
    beyond = hidden_cells_beyond(count, data.setting.units, budget)
    if beyond is not None:
        click.echo(beyond, err=True)
        return UNDECIDED
    total = count_hidden_cells(count.least, data.setting.units)[1]
    with progress("judge", total=total, unit="cell") as report:
        judged = judge_all_cells(data, count, files=files, on_cell=report)
    say_instance(files, data)
    click.echo(json.dumps(judged.objects) if as_json else str(judged))
    return 0


def say_instance(files: CellsFiles, data: CellsData) -> None:
    """Says where the certificate's instance is, if it was written beside the certificate."""
    beside = files.instance_path(data)
    if beside is not None:
        click.echo(f"note: {files.certificate} is about the instance {beside}", err=True)


def _list_cells(
    data: CellsData, count: CellCount, *, after: str | None, budget: int, files: CellsFiles, as_json: bool
) -> int:
    began = time.monotonic()
    if not as_json:
        for line in count_lines(count, data.setting.units):
            click.echo(line)
    with progress("cells", total=count.exact, unit="cell") as report:

        def on_cell(number: int, cell: UnitCell, ball: Inradius) -> None:
            if not as_json and files.table is None and number <= SHOWN:
                click.echo(cell_line(cell, ball))
            report(number)

        found = list_cells(data, count, after=after, budget=budget, files=files, keeps=as_json, on_cell=on_cell)
    say_instance(files, data)
    if as_json:
        click.echo(json.dumps(found.objects))
    else:
        if found.done > SHOWN and files.table is None:
            click.echo(f"...          {found.done - SHOWN} more are not shown; --json, --table and -o give all")
        click.echo(f"listed       {found.done} in {time.monotonic() - began:.1f} s")
        if found.is_whole:
            click.echo("complete     these are as many cells as the recursion counts")
    if found.is_whole or found.is_ended:
        return 0
    click.echo(found.message, err=True)
    return UNDECIDED
