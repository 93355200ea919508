"""`exactdrl snap`."""

import json
from pathlib import Path

import click

from exactdrl import parse_rational, snap
from exactdrl.front.options import DEFAULT_BUDGET, DEFAULT_TOLERANCES, refuse_existing

from .judge import UNDECIDED, parse_free


@click.command("snap")
@click.argument("instance", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="the snapped instance")
@click.option("--free", metavar="layer|all|N", help="what is free: the instance's layer, all parameters, or layer N")
@click.option(
    "--tolerance",
    "tolerances",
    multiple=True,
    metavar="T",
    help="relative size below which a preactivation is proposed to be 0; may be repeated; default: several",
)
@click.option(
    "--budget", type=click.IntRange(min=1), default=DEFAULT_BUDGET, show_default=True, help="work of each proof"
)
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
@click.option("--force", is_flag=True, help="write over OUTPUT")
def snap_command(
    *,
    instance: Path,
    output: Path,
    free: str | None,
    tolerances: tuple[str, ...],
    budget: int,
    as_json: bool,
    force: bool,
) -> int:
    """Find the exact point that INSTANCE's trained floats approximate: is it a local minimum?

    A tolerance proposes which preactivations, residuals and outer weights are 0; exact algebra finds the stationary
    point of that pattern that is nearest to the trained one. Both points are judged, and stand side by side.
    """
    refuse_existing(output, force=force)
    chosen = tuple(parse_rational(text) for text in tolerances) or DEFAULT_TOLERANCES
    found = snap(instance, free=parse_free(free), tolerances=chosen, budget=budget)
    if found.snapped is not None:
        found.save(output, force=force)
    if as_json:
        click.echo(json.dumps(found.to_dict()))
    else:
        click.echo(str(found))
        if found.snapped is not None:
            click.echo(f"written      {output}")
    return 0 if found.is_decided else UNDECIDED
