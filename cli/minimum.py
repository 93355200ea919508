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
    help="work that the proof at a degenerate point may take, in nodes of its tree",
)
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
def minimum_command(*, instance: Path, budget: int, as_json: bool) -> int:
    """Is INSTANCE's start a local minimum? The start may lie on a vertex, between vertices or inside a cell.

    The verdict is about the trained layer's parameters. If the start is no local minimum, a direction and a step along
    it to a smaller loss are printed. `exactdrl judge` also decides about all parameters at once. Exit codes: 0 decided,
    2 bad input, 3 undecided.
    """
    began = time.monotonic()
    with progress("minimum", unit="node") as report:
        judged = judge_start(instance, budget=budget, on_node=report)
    return print_verdict(judged, time.monotonic() - began, as_json=as_json)
