"""The words for verdicts on a point in one layer's parameters, for people and for programs."""

from collections.abc import Sequence
from dataclasses import replace

from gmpy2 import mpq

from exactdrl.exact.rationals import to_float, to_text
from exactdrl.minimality.point import JudgedPoint
from exactdrl.minimality.verdict import (
    LocalMinimum,
    NotMinimum,
    StrictLocalMinimum,
    Undecided,
    Verdict,
    is_global_minimum,
)
from exactdrl.points.units import dead_units_of
from exactdrl.report.parameter_words import Rows, direction_words, handy_exponent, legend_words
from exactdrl.report.words import loss_words, outcome_name, outcome_words, range_lines


def layer_verdict_words(judged: JudgedPoint) -> str:
    """Returns the verdict in a sentence."""
    match judged.verdict:
        case NotMinimum():
            return "not a local minimum"
        case StrictLocalMinimum() | LocalMinimum() | Undecided() as outcome:
            words = outcome_words(outcome)
            is_flat = judged.freedom and not isinstance(outcome, Undecided)
            return f"{words}, flat along its face of dimension {judged.freedom}" if is_flat else words


def layer_verdict_name(judged: JudgedPoint) -> str:
    """Returns the verdict's name."""
    verdict = judged.verdict
    return "not-a-minimum" if isinstance(verdict, NotMinimum) else outcome_name(verdict)


def _place(judged: JudgedPoint) -> str:
    n = judged.problem.dimension
    if judged.freedom == 0:
        kind = "vertex" if judged.active == n else "degenerate vertex"
        return f"{kind}: {judged.active} active kinks for {n} parameters"
    if judged.freedom == n:
        return f"inside a cell of dimension {n}: no active kink"
    return f"not a vertex: inside a face of dimension {judged.freedom}, {judged.active} active kinks"


def _handy(verdict: Verdict) -> Verdict:
    """Returns the verdict with its direction scaled to numbers that are easy to read, and the lengths along it."""
    match verdict:
        case NotMinimum(direction, epsilon):
            direction, factor = _scaled(direction)
            return NotMinimum(direction, None if epsilon is None else epsilon / factor)
        case LocalMinimum(flat=flat) if flat is not None:
            direction, factor = _scaled(flat.direction)
            length = None if flat.length is None else flat.length / factor
            return replace(verdict, flat=replace(flat, direction=direction, length=length))
    return verdict


def _scaled(direction: Sequence[mpq]) -> tuple[tuple[mpq, ...], mpq]:
    factor = mpq(2) ** handy_exponent(direction)
    return tuple(factor * entry for entry in direction), factor


def _matrix_text(judged: JudgedPoint, direction: tuple[mpq, ...]) -> list[list[str]]:
    return [[to_text(value) for value in row] for row in judged.problem.to_full_direction(direction)]


def _named(judged: JudgedPoint, direction: tuple[mpq, ...]) -> list[tuple[int, Rows, bool]]:
    instance = judged.problem.instance
    return [(instance.layer, judged.problem.to_full_direction(direction), instance.has_bias)]


def layer_lines(judged: JudgedPoint) -> list[str]:
    """Returns what is known of a point, in lines for a person."""
    lines = [f"point        {_place(judged)}", f"verdict      {layer_verdict_words(judged)}"]
    lines.append(f"loss         {loss_words(judged.loss)}")
    match _handy(judged.verdict):
        case NotMinimum(direction, epsilon):
            if judged.freedom and not judged.is_stationary:
                lines.append("gradient     not zero along the face that holds the point")
            lines.append(f"direction    {direction_words(_named(judged, direction))}")
            if epsilon is not None:
                lines.append(f"epsilon      {to_text(epsilon)}: at this multiple of the direction the loss is smaller")
            lines.append(f"             ({legend_words(_named(judged, direction))})")
        case LocalMinimum(flat=flat) if flat is not None:
            lines.append(f"flat along   a move of {direction_words(_named(judged, flat.direction))}")
            reach = "forever" if flat.length is None else f"up to {to_text(flat.length)} times this move"
            lines.append(f"             the loss keeps its value {reach},")
            lines.append(f"             and throughout the face of dimension {flat.dimension} that this ray enters")
    if judged.problem.lineality:
        lines.append(f"lineality    {judged.problem.lineality} independent directions do not change the loss at all")
    lines += range_lines(judged.problem, judged.verdict, judged.loss)
    return lines


def layer_fields(judged: JudgedPoint) -> dict[str, object]:
    """Returns what is known of a point as a JSON object."""
    verdict = judged.verdict
    result: dict[str, object] = {
        "verdict": layer_verdict_name(judged),
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
        "global": is_global_minimum(judged.problem, verdict, judged.loss),
        "idle_units": list(judged.problem.ranges.idle),
    }
    match _handy(verdict):
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
