"""`exactdrl judge`."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import click

from exactdrl import Instance, JudgeResult, judge
from exactdrl.front.judged_layer import LayerResult
from exactdrl.front.options import STREAM, Size, check_format, refuse_existing

from .figure_options import size_option
from .points import budget_option, point_options

UNDECIDED = 3
FREE_HELP = (
    "the parameters that may change: of the instance's layer, of all layers, or of layer N  [default: the instance's]"
)


def parse_free(value: str | None) -> Literal["layer", "all"] | int | None:
    """Returns what `--free` says.

    Raises:
        click.BadParameter: the value is neither `layer`, nor `all`, nor a number.
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
@point_options
@click.option("--free", metavar="layer|all|N", help=FREE_HELP)
@budget_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="write the verdict with its proof to *.verdict; - is standard output",
)
@click.option(
    "--figure",
    type=click.Path(path_type=Path),
    help="draw the point to *.png, *.svg, *.pdf or *.pgf: its units among the samples' hyperplanes, its function, and "
    "the loss along the curve on which it falls",
)
@size_option
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
@click.option("--force", is_flag=True, help="write over OUTPUT")
def judge_command(
    *,
    instance: Path,
    read: Callable[[Path], Instance],
    free: str | None,
    budget: int,
    output: Path | None,
    figure: Path | None,
    size: Size,
    as_json: bool,
    force: bool,
) -> int:
    """Is the point of INSTANCE a local minimum of one layer's loss, or of the loss in all parameters?

    The point is the network's own parameters, with INSTANCE's start in the trained layer, or with --points those that a
    training had at ROW. Every verdict is proved. What is not proved is undecided, and the reason is given.
    `exactdrl verify INSTANCE VERDICT` checks the file that -o writes. Exit codes: 0 decided, 2 bad input, 3 undecided.
    """
    for path in (output, figure):
        if path is not None:
            refuse_existing(path, force=force)
    if figure is not None:
        check_format(figure)
    began = time.monotonic()
    problem = read(instance)
    if output is not None and problem.file_digest is None:
        raise click.UsageError(
            "a verdict names the file of its instance: write the point first by `exactdrl visits ... --row ROW "
            "-o POINT`, and judge POINT"
        )
    judged = judge(problem, free=parse_free(free), budget=budget)
    if output is not None:
        judged.save(output, force=force)
    if figure is not None:
        judged.save_figure(figure, title=instance.name, size=size, force=force)
    return print_verdict(judged, time.monotonic() - began, as_json=as_json, err=output == STREAM)


def print_verdict(judged: JudgeResult | LayerResult, seconds: float, *, as_json: bool, err: bool = False) -> int:
    """Prints a verdict, to stderr with `err`, and returns the exit code."""
    text = json.dumps(judged.to_dict() | {"seconds": round(seconds, 3)}) if as_json else str(judged)
    click.echo(text, err=err)
    return 0 if judged.is_decided else UNDECIDED
