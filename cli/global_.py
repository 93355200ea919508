"""`exactdrl global`."""

import json
import time
from pathlib import Path

import click

from exactdrl.front.cells_data import CellsData
from exactdrl.front.hidden import find_global
from exactdrl.front.progress import progress
from exactdrl.front.surveyed import CellsFiles

from .cells import say_instance
from .cells_data import cells_options

UNDECIDED = 3
_BUDGET = 200_000


@click.command("global")
@cells_options
@click.option(
    "--budget",
    type=click.IntRange(min=1),
    default=_BUDGET,
    show_default=True,
    help="the most parts of the parameter space that are bounded",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="write the certificate, *.drl or *.drl.gz; for a table the instance is written beside it",
)
@click.option("--force", is_flag=True, help="write over existing files")
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
def global_command(*, data: CellsData, budget: int, output: Path | None, force: bool, as_json: bool) -> int:
    """Find the least loss that K hidden units can reach on DATA, with a proof that no network does better.

    DATA is a table (CSV, Parquet) or an instance file. The search branches over the signs of the outer weights, which
    lead out of the hidden units, and of the preactivations on each sample. Every part of the parameter space that it
    closes has an exact dual bound. Exit codes: 0 proved, 2 bad input, 3 the budget is spent, so that the least loss is
    undecided.
    """
    files = CellsFiles(output, force=force)
    files.refuse_existing(data)
    began = time.monotonic()
    with progress("global", unit="part") as report:
        found = find_global(data.instance, budget=budget, on_node=report)
    seconds = time.monotonic() - began
    if found.is_proved and output is not None:
        found.save(files.instance_path(data), output, force=force)
        say_instance(files, data)
    click.echo(json.dumps(found.to_dict() | {"seconds": round(seconds, 3)}) if as_json else str(found))
    if not found.is_proved:
        click.echo(f"undecided: the budget of {budget} parts is spent; --budget allows more", err=True)
        return UNDECIDED
    return 0
