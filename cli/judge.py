"""`exactdrl judge`."""

import json
import time
from pathlib import Path
from typing import Literal

import click
from gmpy2 import mpq

from exactdrl import read_instance, to_float, to_text
from exactdrl.certificate.verdict_file import verdict_name, write_verdict
from exactdrl.minimality.judge import DEFAULT_BUDGET
from exactdrl.points.judge import JudgedPoint, judge
from exactdrl.points.setting import Theta, find_loss
from exactdrl.points.verdict import (
    AffineProof,
    FormProof,
    MarginProof,
    Minimum,
    NotMinimum,
    Undecided,
    ZeroLoss,
)
from exactdrl.problem.output import refuse_existing
from exactdrl.report.words import loss_words

UNDECIDED = 3
# units that are listed one by one
_LISTED = 8
_PROOFS = {
    FormProof: "the first-order change of the loss is nowhere negative: a tree of tangent cells",
    MarginProof: "the first-order test holds for all outer weights nearby",
    AffineProof: "near it the network is affine on the samples, and no affine function is better",
    ZeroLoss: "the loss is 0, and nowhere negative",
}


def parse_free(value: str | None) -> Literal["layer", "all"] | int | None:
    """Returns what `--free` says.

    Raises:
        click.BadParameter: it is neither `layer`, nor `all`, nor a number.
    """
    match value:
        case None:
            return None
        case "layer":
            return "layer"
        case "all":
            return "all"
    if not (value.isascii() and value.isdigit()):
        raise click.BadParameter(f"{value!r} is neither layer, nor all, nor the number of a layer", param_hint="--free")
    return int(value)


@click.command("judge")
@click.argument("instance", type=click.Path(path_type=Path))
@click.option("--free", metavar="layer|all|N", help="what is free: the instance's layer, all parameters, or layer N")
@click.option(
    "--budget",
    type=click.IntRange(min=1),
    default=DEFAULT_BUDGET,
    show_default=True,
    help="work of each proof, in nodes of a small tree",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="write the verdict with its witness: *.verdict")
@click.option(
    "--figure",
    type=click.Path(path_type=Path),
    help="draw the units among the samples' hyperplanes, the function, the loss along the curve: *.png, *.svg, *.pdf",
)
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
@click.option("--force", is_flag=True, help="write over OUTPUT")
def judge_command(
    *,
    instance: Path,
    free: str | None,
    budget: int,
    output: Path | None,
    figure: Path | None,
    as_json: bool,
    force: bool,
) -> int:
    """Is the point of INSTANCE a local minimum of one layer's loss, or of the loss in all parameters?

    The point is the network with its parameters, in the trained layer the start. Every verdict is proved; what is not
    proved is undecided, with the reason. A verdict file is checked by `exactdrl verify INSTANCE VERDICT`.
    """
    for path in (output, figure):
        if path is not None:
            refuse_existing(path, force=force)
    read = read_instance(instance)
    began = time.monotonic()
    judged = judge(read, free=parse_free(free), budget=budget)
    if output is not None:
        write_verdict(judged, read.digest, output, force=force)
    if figure is not None:
        from exactdrl.report.point_figures import draw_points  # noqa: PLC0415 - matplotlib takes a second to import

        draw_points([(instance.name, judged)], figure, force=force)
    return print_verdict(judged, time.monotonic() - began, as_json=as_json)


def print_verdict(judged: JudgedPoint, seconds: float, *, as_json: bool) -> int:
    """Prints a verdict, and returns the exit code."""
    if as_json:
        click.echo(json.dumps(verdict_json(judged, seconds)))
    else:
        for line in verdict_lines(judged):
            click.echo(line)
    return UNDECIDED if isinstance(judged.verdict, Undecided) else 0


def _checked(judged: JudgedPoint) -> str:
    setting = judged.setting
    loss = "squared" if setting.is_squared else "two-slope"
    if len(setting.free) == 1:
        return f"all changes of layer {setting.free[0] + 1}, the other layers fixed; {loss} loss"
    return f"all changes of all parameters of {len(setting.slopes)} layers at once; {loss} loss"


def _verdict(judged: JudgedPoint) -> str:
    match judged.verdict:
        case Minimum(proof, is_strict):
            kind = "strict local minimum" if is_strict else "local minimum"
            return f"{kind} ({_PROOFS[type(proof)]})"
        case NotMinimum(descent, is_stationary):
            if is_stationary:
                return "not a local minimum: stationary, but the loss falls along a curve"
            if descent.order == 1:
                return "not a local minimum, not even stationary: the loss has a negative slope in a direction"
            return "not a local minimum"
        case Undecided(reason):
            return f"undecided: {reason}"


def _theta_text(theta: Theta) -> list[list[list[str]]]:
    return [[[to_text(value) for value in row] for row in matrix] for matrix in theta]


def _short(values: tuple[mpq, ...]) -> str:
    return "(" + ", ".join(to_text(value) for value in values) + ")"


def verdict_lines(judged: JudgedPoint) -> list[str]:
    """Returns what is known of a point, in lines for a person."""
    setting = judged.setting
    lines = [f"checked      {_checked(judged)}", f"verdict      {_verdict(judged)}"]
    name = "sum" if setting.is_squared else "loss"
    lines.append(f"loss         {name} {loss_words(judged.loss)}")
    if setting.is_squared:
        lines.append(f"             mean {loss_words(judged.mean_loss)}, over samples and outputs")
    lines.append(f"kinks        {judged.active} active at the point")
    lines += _unit_lines(judged)
    if judged.is_affine_fit:
        lines.append("affine fit   on the samples the network is the affine function with the least squared loss")
    match judged.verdict:
        case NotMinimum(descent):
            lines.append(f"curve        theta(t) = point + t · {json.dumps(_theta_text(descent.curve[0]))}")
            lines.append(f"             at t = {to_text(descent.at)} the loss is {loss_words(descent.loss)}")
        case Minimum(is_strict=False, flat=flat):
            if flat is not None:
                lines.append(f"flat along   {json.dumps(_theta_text(flat))}")
            if len(setting.free) > 1:
                lines.append(
                    "never strict: a unit's weights w and h may be rescaled to a w and h / a, or h moves alone"
                )
    if judged.better is not None:
        better = find_loss(setting, judged.better)
        lines.append(f"spurious     another point has the loss {loss_words(better)}")
        lines.append(f"             {json.dumps(_theta_text(judged.better))}")
    return lines


def _unit_lines(judged: JudgedPoint) -> list[str]:
    dead = ", ".join(f"layer {layer + 1} unit {unit}" for layer, unit in judged.dead[:_LISTED])
    more = f" and {len(judged.dead) - _LISTED} more" if len(judged.dead) > _LISTED else ""
    lines = [f"dead units   {dead + more if dead else 'none'}"]
    if not judged.escapes:
        lines.append(f"escape units {'not determined here' if judged.escapes is None else 'none'}")
        return lines
    lines += [
        f"escape unit  {escape.unit}: its inner weights may move along {_short(escape.direction)} at slope 0, and then "
        f"its outer weights gain the slope {_short(escape.rates)}"
        for escape in judged.escapes[:_LISTED]
    ]
    if len(judged.escapes) > _LISTED:
        lines.append(f"             and {len(judged.escapes) - _LISTED} more escape units")
    return lines


def verdict_json(judged: JudgedPoint, seconds: float) -> dict[str, object]:
    """Returns the same for programs."""
    setting = judged.setting
    hidden = setting.free[0] if len(setting.free) == 1 else 0
    result: dict[str, object] = {
        "verdict": verdict_name(judged),
        "checked": _checked(judged),
        "free": setting.free[0] + 1 if len(setting.free) == 1 else "all",
        "loss": to_text(judged.loss),
        "loss_float": to_float(judged.loss),
        "mean_loss": to_text(judged.mean_loss),
        "active": judged.active,
        "dead_units": [unit for layer, unit in judged.dead if layer == hidden],
        "dead": [[layer + 1, unit] for layer, unit in judged.dead],
        "escape_units": [escape.unit for escape in judged.escapes or ()],
        "escapes": None
        if judged.escapes is None
        else [
            {
                "unit": escape.unit,
                "direction": [to_text(value) for value in escape.direction],
                "rates": [to_text(value) for value in escape.rates],
            }
            for escape in judged.escapes
        ],
        "is_affine_fit": judged.is_affine_fit,
        "seconds": round(seconds, 3),
    }
    match judged.verdict:
        case Minimum(proof, _, flat):
            names = {FormProof: "tree", MarginProof: "margins", AffineProof: "affine", ZeroLoss: "zero-loss"}
            result["is_stationary"] = True
            result["by"] = names[type(proof)]
            result["flat_direction"] = None if flat is None else _theta_text(flat)
        case NotMinimum(descent, is_stationary):
            result["is_stationary"] = is_stationary
            result["curve"] = [_theta_text(part) for part in descent.curve]
            result["at"] = to_text(descent.at)
            result["loss_at"] = to_text(descent.loss)
        case Undecided(reason):
            result["reason"] = reason
    if judged.better is not None:
        result["better"] = _theta_text(judged.better)
        result["better_loss"] = to_text(find_loss(setting, judged.better))
    return result
