"""`exactdrl minimum`."""

import json
import time
from pathlib import Path

import click
from gmpy2 import mpq

from exactdrl import LocalMinimum, StrictLocalMinimum, Undecided, read_instance, to_float, to_text
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.minimality.judge import DEFAULT_BUDGET
from exactdrl.minimality.point import JudgedPoint, judge_point
from exactdrl.minimality.verdict import NotMinimum
from exactdrl.points.judge import judge
from exactdrl.points.units import dead_units_of
from exactdrl.report.words import loss_words, outcome_name, outcome_words

from .judge import print_verdict
from .progress import progress

UNDECIDED = 3


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
    read = read_instance(instance)
    began = time.monotonic()
    if read.loss.is_squared or (not read.is_plain and IntegerProblem.from_instance(read).reduction.ray is not None):
        return print_verdict(judge(read, free="layer", budget=budget), time.monotonic() - began, as_json=as_json)
    with progress("minimum", unit="node") as report:
        judged = judge_point(read, budget=budget, on_node=report)
    seconds = time.monotonic() - began
    if as_json:
        click.echo(json.dumps(_to_json(judged, seconds)))
    else:
        for line in _to_lines(judged):
            click.echo(line)
    return UNDECIDED if isinstance(judged.verdict, Undecided) else 0


def _place(judged: JudgedPoint) -> str:
    n = judged.problem.dimension
    if judged.freedom == 0:
        kind = "vertex" if judged.active == n else "degenerate vertex"
        return f"{kind}: {judged.active} active kinks for {n} parameters"
    if judged.freedom == n:
        return f"inside a cell of dimension {n}: no active kink"
    return f"not a vertex: inside a face of dimension {judged.freedom}, {judged.active} active kinks"


def _verdict(judged: JudgedPoint) -> str:
    match judged.verdict:
        case NotMinimum():
            return "not a local minimum"
        case StrictLocalMinimum() | LocalMinimum() | Undecided() as outcome:
            words = outcome_words(outcome)
            is_flat = judged.freedom and not isinstance(outcome, Undecided)
            return f"{words}, flat along its face of dimension {judged.freedom}" if is_flat else words


def _matrix_text(judged: JudgedPoint, direction: tuple[mpq, ...]) -> list[list[str]]:
    return [[to_text(value) for value in row] for row in judged.problem.to_full_direction(direction)]


def _to_lines(judged: JudgedPoint) -> list[str]:
    lines = [f"point        {_place(judged)}", f"verdict      {_verdict(judged)}"]
    lines.append(f"loss         {loss_words(judged.loss)}")
    match judged.verdict:
        case NotMinimum(direction, epsilon):
            if judged.freedom and not judged.is_stationary:
                lines.append("gradient     not zero along the face that holds the point")
            lines.append(f"direction    {json.dumps(_matrix_text(judged, direction))}")
            if epsilon is not None:
                lines.append(f"epsilon      {to_text(epsilon)}: the loss at start + epsilon · direction is smaller")
        case LocalMinimum(flat=flat) if flat is not None:
            lines.append(f"flat along   {json.dumps(_matrix_text(judged, flat.direction))}")
            reach = "forever" if flat.length is None else f"up to {to_text(flat.length)} times it"
            lines.append(f"             the loss keeps its value {reach},")
            lines.append(f"             and throughout the face of dimension {flat.dimension} that this ray enters")
    if judged.problem.lineality:
        lines.append(f"lineality    {judged.problem.lineality} directions do not change the loss at all")
    return lines


def _to_json(judged: JudgedPoint, seconds: float) -> dict[str, object]:
    verdict = judged.verdict
    result: dict[str, object] = {
        "verdict": "not-a-minimum" if isinstance(verdict, NotMinimum) else outcome_name(verdict),
        "loss": to_text(judged.loss),
        "loss_float": to_float(judged.loss),
        "parameters": judged.problem.dimension,
        "active": judged.active,
        "face_dimension": judged.freedom,
        "is_stationary": judged.is_stationary,
        "lineality": judged.problem.lineality,
        "radius": None if judged.radius is None else to_text(judged.radius),
        "dead_units": list(dead_units_of(judged.problem.instance)),
        "escape_units": [],
        "seconds": round(seconds, 3),
    }
    match verdict:
        case NotMinimum(direction, epsilon):
            result["direction"] = _matrix_text(judged, direction)
            result["epsilon"] = None if epsilon is None else to_text(epsilon)
        case StrictLocalMinimum(by):
            result["by"] = by
        case LocalMinimum(by, _, flat):
            result["by"] = by
            if flat is not None:
                result["flat_direction"] = _matrix_text(judged, flat.direction)
                result["flat_face_dimension"] = flat.dimension
                result["flat_length"] = None if flat.length is None else to_text(flat.length)
    return result
