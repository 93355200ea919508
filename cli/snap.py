"""`exactdrl snap`."""

import json
from collections.abc import Callable
from pathlib import Path

import click

from exactdrl import Instance, parse_rational, snap
from exactdrl.front.options import DEFAULT_TOLERANCES, refuse_existing

from .judge import FREE_HELP, UNDECIDED, parse_free
from .points import budget_option, point_options


@click.command("snap")
@click.argument("instance", type=click.Path(path_type=Path))
@point_options
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="write the snapped point's instance to *.json or *.json.gz",
)
@click.option("--free", metavar="layer|all|N", help=FREE_HELP)
@click.option(
    "--tolerance",
    "tolerances",
    multiple=True,
    metavar="T",
    help="relative size below which a number is proposed to be 0; may be repeated  [default: several tolerances]",
)
@budget_option
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
@click.option("--force", is_flag=True, help="write over OUTPUT")
def snap_command(
    *,
    instance: Path,
    read: Callable[[Path], Instance],
    output: Path,
    free: str | None,
    tolerances: tuple[str, ...],
    budget: int,
    as_json: bool,
    force: bool,
) -> int:
    """Find the exact point that INSTANCE's trained floats approximate: is it a local minimum?

    A tolerance proposes which preactivations, residuals and outer weights are 0. Exact algebra then finds the
    stationary point of that pattern that is nearest to the trained one. A point is stationary if every one-sided
    derivative test holds there. Both points are judged, and their verdicts stand side by side. A unit is silenced if
    its outer weights are proposed to be 0. Exit codes: 0 a point near the trained one was found and decided, 2 bad
    input, 3 undecided.
    """
    refuse_existing(output, force=force)
    chosen = tuple(parse_rational(text) for text in tolerances) or DEFAULT_TOLERANCES
    found = snap(read(instance), free=parse_free(free), tolerances=chosen, budget=budget)
    if found.snapped is not None:
        found.save(output, force=force)
    if as_json:
        click.echo(json.dumps(found.to_dict()))
    else:
        click.echo(str(found))
        if found.snapped is not None:
            click.echo(f"written      {output}")
    return 0 if found.is_decided else UNDECIDED
