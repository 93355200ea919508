"""`exactdrl judge`."""

import json
import time
from pathlib import Path
from typing import Literal

import click

from exactdrl import JudgeResult, judge
from exactdrl.front.judged_layer import LayerResult
from exactdrl.front.options import DEFAULT_BUDGET, SIZE_HELP, SIZES, Size, check_format, refuse_existing

UNDECIDED = 3


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
    help="draw the units among the samples' hyperplanes, the function, the loss along the curve; png, svg, pdf or pgf",
)
@click.option("--size", type=click.Choice(SIZES), default="screen", show_default=True, help=SIZE_HELP)
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
@click.option("--force", is_flag=True, help="write over OUTPUT")
def judge_command(
    *,
    instance: Path,
    free: str | None,
    budget: int,
    output: Path | None,
    figure: Path | None,
    size: Size,
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
    if figure is not None:
        check_format(figure)
    began = time.monotonic()
    judged = judge(instance, free=parse_free(free), budget=budget)
    if output is not None:
        judged.save(output, force=force)
    if figure is not None:
        judged.save_figure(figure, title=instance.name, size=size, force=force)
    return print_verdict(judged, time.monotonic() - began, as_json=as_json)


def print_verdict(judged: JudgeResult | LayerResult, seconds: float, *, as_json: bool) -> int:
    """Prints a verdict, and returns the exit code."""
    if as_json:
        click.echo(json.dumps(judged.to_dict() | {"seconds": round(seconds, 3)}))
    else:
        click.echo(str(judged))
    return 0 if judged.is_decided else UNDECIDED
