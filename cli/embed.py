"""`exactdrl embed`."""

import json
from pathlib import Path

import click
from gmpy2 import mpq

from exactdrl import InputError, parse_rational, read_instance, write_instance
from exactdrl.certificate.verdict_file import verdict_name
from exactdrl.constructions.embed import Embedded, add_inactive, is_borne_out, propagate_inactive, replicate
from exactdrl.minimality.judge import DEFAULT_BUDGET
from exactdrl.problem.output import refuse_existing
from exactdrl.report.point_words import verdict_fields, verdict_lines


@click.command("embed")
@click.argument("instance", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="the wider network's instance")
@click.option(
    "--replicate", "unit", type=int, metavar="UNIT", help="replace this hidden unit, from 0, by copies; see --copies"
)
@click.option(
    "--copies", metavar="β,γ;β,γ", help="for --replicate: inner weights times β, outer weights times γ; Σ βγ = 1"
)
@click.option(
    "--inactive", metavar="w,...;h,...", help="add a unit that is off on every sample: inner and outer weights"
)
@click.option("--propagate", metavar="w,...", help="add a unit with these inner weights, and outer weights 0")
@click.option(
    "--budget", type=click.IntRange(min=1), default=DEFAULT_BUDGET, show_default=True, help="work of each proof"
)
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

    In inner weights the bias comes last. One of --replicate, --inactive and --propagate is needed.
    """
    if sum(value is not None for value in (unit, inactive, propagate)) != 1:
        raise click.UsageError("one of --replicate, --inactive and --propagate is needed")
    if (unit is None) != (copies is None):
        raise click.UsageError("--replicate and --copies belong together")
    refuse_existing(output, force=force)
    read = read_instance(instance)
    if unit is not None and copies is not None:
        pairs = [_numbers(part, "--copies") for part in copies.split(";")]
        for pair in pairs:
            if len(pair) != 2:  # noqa: PLR2004 - β and γ
                raise InputError(f"--copies: {len(pair)} numbers between semicolons, two are needed: β,γ")
        found = replicate(read, unit, [(pair[0], pair[1]) for pair in pairs], budget=budget)
    elif inactive is not None:
        inner, separator, outer = inactive.partition(";")
        if not separator:
            raise InputError("--inactive: a semicolon between inner and outer weights is needed")
        found = add_inactive(read, _numbers(inner, "--inactive"), _numbers(outer, "--inactive"), budget=budget)
    else:
        found = propagate_inactive(read, _numbers(propagate or "", "--propagate"), budget=budget)
    write_instance(found.instance, output, force=force)
    for line in _report(found, as_json=as_json):
        click.echo(line)
    return 0


def _numbers(text: str, option: str) -> list[mpq]:
    try:
        return [parse_rational(part.strip(" ")) for part in text.split(",")]
    except InputError as error:
        raise InputError(f"{option}: {error}") from None


def _report(found: Embedded, *, as_json: bool) -> list[str]:
    prediction, agrees = found.prediction, is_borne_out(found)
    if as_json:
        theory = None
        if prediction is not None:
            theory = {
                "stays_stationary": prediction.stays_stationary,
                "stays_minimum": prediction.stays_minimum,
                "reason": prediction.reason,
                "agrees": agrees,
            }
        both = {"before": verdict_fields(found.before), "after": verdict_fields(found.after), "theory": theory}
        return [json.dumps(both)]
    lines = [f"before       {verdict_name(found.before)}", "after:"]
    lines += [f"  {line}" for line in verdict_lines(found.after)]
    if prediction is None:
        return [*lines, "theory       for one hidden layer, one output and a loss without kink at the point alone"]
    stationary = "stays stationary" if prediction.stays_stationary else "does not stay stationary"
    minimum = "a local minimum stays one" if prediction.stays_minimum else "a local minimum does not stay one"
    lines.append(f"theory       a stationary point {stationary}, {minimum} ({prediction.reason})")
    if agrees is not None:
        lines.append(f"             the verdicts {'agree' if agrees else 'DISAGREE: this is a bug'}")
    return lines
