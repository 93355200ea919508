"""`exactdrl minimum`."""

import time
from pathlib import Path

import click

from exactdrl.front.judged_layer import judge_start
from exactdrl.front.options import DEFAULT_BUDGET
from exactdrl.front.progress import progress

from .judge import print_verdict


@click.command("minimum")
@click.argument("instance", type=click.Path(path_type=Path))
@click.option(
    "--budget",
    type=click.IntRange(min=1),
    default=DEFAULT_BUDGET,
    show_default=True,
    help="work of a proof at a degenerate point, in nodes of a small tree",
)
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
def minimum_command(*, instance: Path, budget: int, as_json: bool) -> int:
    """Is INSTANCE's start a local minimum? The start may lie on a vertex, between vertices or inside a cell.

    Prints a verdict, and for a point that is none, a direction and a step along it to a smaller loss. `exactdrl judge`
    does the same for all parameters at once.
    """
    began = time.monotonic()
    with progress("minimum", unit="node") as report:
        judged = judge_start(instance, budget=budget, on_node=report)
    return print_verdict(judged, time.monotonic() - began, as_json=as_json)
