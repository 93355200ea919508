"""`exactdrl snap`."""

import json
from pathlib import Path

import click

from exactdrl import parse_rational, read_instance, to_float, to_text, write_instance
from exactdrl.certificate.verdict_file import verdict_name
from exactdrl.constructions.snap import DEFAULT_TOLERANCES, Attempt, Snapped, snap
from exactdrl.minimality.judge import DEFAULT_BUDGET
from exactdrl.points.judge import JudgedPoint
from exactdrl.points.verdict import Undecided
from exactdrl.problem.output import refuse_existing
from exactdrl.report.point_words import verdict_fields, verdict_lines

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
    found = snap(read_instance(instance), free=parse_free(free), tolerances=chosen, budget=budget)
    if found.instance is not None:
        write_instance(found.instance, output, force=force)
    if as_json:
        click.echo(json.dumps(_to_json(found)))
    else:
        for line in _to_lines(found, output):
            click.echo(line)
    best = found.best
    return UNDECIDED if best is None or not best.is_near or isinstance(_judged(best).verdict, Undecided) else 0


def _judged(attempt: Attempt) -> JudgedPoint:
    if attempt.judged is None:
        raise AssertionError("an attempt without a point was chosen: this is a bug")
    return attempt.judged


def _to_lines(found: Snapped, output: Path) -> list[str]:
    lines = ["the trained point, taken literally:", *(f"  {line}" for line in verdict_lines(found.trained)[:4]), ""]
    lines.append(
        f"{'tolerance':>9}  {'solved for':<13} {'kinks':>5} {'residuals':>9} {'silenced':>8}  {'distance':>9}  "
        f"{'loss change':>11}  in its cell  verdict"
    )
    lines += [_row(attempt) for attempt in found.attempts]
    best = found.best
    lines.append("")
    if best is None:
        return [*lines, "no tolerance proposes a pattern that has a point: the trained point stays as it is"]
    lines.append(f"the snapped point, tolerance {to_text(best.tolerance)}, written to {output}:")
    lines += [f"  {line}" for line in verdict_lines(_judged(best))]
    if not best.is_near:
        lines.append(
            "  undecided: not rational. It is far from the trained point, and not what that approximates: no stationary"
        )
        lines.append(
            "  point with rational coordinates was found near it; saddles with several outputs may be irrational"
        )
        return lines
    if not best.stays:
        lines.append("  it leaves the proposed cell: the pattern holds no stationary point near the trained one")
    if verdict_name(_judged(best)) in {"not-stationary", "undecided"}:
        lines.append("  no proposed pattern gave a stationary point with rational coordinates near the trained one")
    return lines


def _row(attempt: Attempt) -> str:
    start = (
        f"{to_float(attempt.tolerance):>9.0e}  {attempt.method:<13} {attempt.kinks:>5} {attempt.residuals:>9} "
        f"{len(attempt.silenced):>8}"
    )
    if attempt.judged is None or attempt.squared_distance is None or attempt.loss_change is None:
        return f"{start}  {'-':>9}  {'-':>11}  {'-':<11}  the proposed kinks have no common point"
    distance = to_float(attempt.squared_distance) ** 0.5
    stays = "yes" if attempt.stays else "no"
    change = to_float(attempt.loss_change)
    return f"{start}  {distance:>9.2e}  {change:>11.2e}  {stays:<11}  {verdict_name(attempt.judged)}"


def _to_json(found: Snapped) -> dict[str, object]:
    return {
        "trained": verdict_fields(found.trained),
        "attempts": [
            {
                "tolerance": to_text(attempt.tolerance),
                "solved_for": attempt.method,
                "kinks": attempt.kinks,
                "residuals": attempt.residuals,
                "silenced": list(attempt.silenced),
                "in_its_cell": attempt.stays,
                "is_near": attempt.is_near,
                "squared_distance": None if attempt.squared_distance is None else to_text(attempt.squared_distance),
                "loss_change": None if attempt.loss_change is None else to_text(attempt.loss_change),
                "verdict": None if attempt.judged is None else verdict_name(attempt.judged),
                "loss": None if attempt.judged is None else to_text(attempt.judged.loss),
                "mean_loss": None if attempt.judged is None else to_text(attempt.judged.mean_loss),
            }
            for attempt in found.attempts
        ],
        "snapped": None if found.best is None else verdict_fields(_judged(found.best)),
        "tolerance": None if found.best is None else to_text(found.best.tolerance),
    }
