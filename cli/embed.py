"""`exactdrl embed`."""

import json
from pathlib import Path

import click
from gmpy2 import mpq

from exactdrl import InputError, embed, parse_rational
from exactdrl.front.options import refuse_existing

from .points import budget_option


@click.command("embed")
@click.argument("instance", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="write the wider network's instance to *.json or *.json.gz",
)
@click.option(
    "--replicate",
    "unit",
    type=int,
    metavar="UNIT",
    help="replace this unit of the first hidden layer, from 0, by copies; see --copies",
)
@click.option(
    "--copies",
    metavar="β,γ;β,γ",
    help="for --replicate: a copy's inner weights are times β > 0, its outer weights times γ, with Σ βγ = 1",
)
@click.option(
    "--inactive",
    metavar="w,...;h,...",
    help="add a unit that is off on every sample, with these inner and outer weights",
)
@click.option("--propagate", metavar="w,...", help="add a unit with these inner weights and with outer weights 0")
@budget_option
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
@click.option("--force", is_flag=True, help="write over OUTPUT")
def embed_command(
    *,
    instance: Path,
    output: Path,
    unit: int | None,
    copies: str | None,
    inactive: str | None,
    propagate: str | None,
    budget: int,
    as_json: bool,
    force: bool,
) -> int:
    """Add hidden units to INSTANCE's network that keep its function, and judge what becomes of the point.

    The point is the network's own parameters. A unit's inner weights lead into it, the bias last; its outer weights
    lead out of it. One of --replicate, --inactive and --propagate is needed.
    """
    if sum(value is not None for value in (unit, inactive, propagate)) != 1:
        raise click.UsageError("one of --replicate, --inactive and --propagate is needed")
    if (unit is None) != (copies is None):
        raise click.UsageError("--replicate and --copies belong together")
    refuse_existing(output, force=force)
    if unit is not None and copies is not None:
        found = embed(instance, replicated=(unit, _pairs(copies)), budget=budget)
    elif inactive is not None:
        inner, separator, outer = inactive.partition(";")
        if not separator:
            raise InputError("--inactive: write w,...;h,... with a semicolon between the inner and the outer weights")
        weights = _numbers(inner, "--inactive"), _numbers(outer, "--inactive")
        found = embed(instance, inactive=weights, budget=budget)
    else:
        found = embed(instance, propagated=_numbers(propagate or "", "--propagate"), budget=budget)
    found.save(output, force=force)
    click.echo(json.dumps(found.to_dict()) if as_json else str(found))
    return 0


def _pairs(text: str) -> list[tuple[mpq, mpq]]:
    pairs = [_numbers(part, "--copies") for part in text.split(";")]
    for pair in pairs:
        if len(pair) != 2:  # noqa: PLR2004 - β and γ
            raise InputError(f"--copies: a copy has {len(pair)} numbers, two are needed: β,γ")
    return [(pair[0], pair[1]) for pair in pairs]


def _numbers(text: str, option: str) -> list[mpq]:
    try:
        return [parse_rational(part.strip(" ")) for part in text.split(",")]
    except InputError as error:
        raise InputError(f"{option}: {error}") from None
