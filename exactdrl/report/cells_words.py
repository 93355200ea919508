"""The words for cells and their verdicts, for people and for programs."""

from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement

from exactdrl.exact.rationals import to_float, to_text
from exactdrl.hidden_cells.dichotomies import UnitCell
from exactdrl.hidden_cells.inradius import Inradius
from exactdrl.hidden_cells.large import EmptyCell, GenuineCell, LargeVerdict, OpenCell
from exactdrl.hidden_cells.measure import gaussian_measure
from exactdrl.hidden_cells.setting import Setting
from exactdrl.hidden_cells.survey import CellCount, JudgedCell, best_network, count_hidden_cells
from exactdrl.report.words import loss_words

# lines of a list that a person reads
SHOWN = 200
_LONGEST = 20


def cell_object(cell: UnitCell, ball: Inradius) -> dict[str, object]:
    """Returns a cell of one unit for JSON; it is not judged."""
    measure = gaussian_measure(cell.cone)
    return {
        "pattern": cell.pattern,
        "genuine": None,
        "loss": None,
        "witness": [to_text(entry) for entry in ball.center],
        "inradius": to_text(ball.radius),
        "measure": None if measure is None else [to_text(bound) for bound in measure],
    }


def hidden_cell_objects(patterns: Sequence[str], units: int) -> list[dict[str, object]]:
    """Returns the hidden cells of several units for JSON, up to the order of the units; they are not judged."""
    ordered = sorted(patterns, reverse=True)
    return [
        {"pattern": list(chosen), "genuine": None, "loss": None}
        for chosen in combinations_with_replacement(ordered, units)
    ]


def judged_objects(setting: Setting, judged: Sequence[JudgedCell]) -> list[dict[str, object]]:
    """Returns judged hidden cells for JSON: the pattern of one unit is a text, of several a list of texts."""
    best = best_network(judged, setting)
    found: list[dict[str, object]] = []
    for cell in judged:
        own, value = cell.judged, cell.judged.relaxation.value
        found.append(
            {
                "pattern": own.patterns[0] if len(own.patterns) == 1 else list(own.patterns),
                "genuine": own.is_genuine,
                "loss": to_text(value),
                "mean": to_text(value / len(setting.targets)),
                "signs": [choice.signs for choice in own.feasible],
                "dimension": own.dimension,
                "valleys": len(own.valleys),
                "valleys_up_to_order": len(own.classes),
                "bad": None if not own.is_genuine or best is None else bool(value > best[0]),
            }
        )
    return found


def large_object(patterns: Sequence[str], verdict: LargeVerdict) -> dict[str, object]:
    """Returns a hidden cell of large data for JSON; whether it is genuine is null where that is undecided."""
    is_genuine = None if isinstance(verdict, OpenCell) else isinstance(verdict, GenuineCell)
    return {
        "pattern": patterns[0] if len(patterns) == 1 else list(patterns),
        "genuine": is_genuine,
        "loss": None,
        "signs": [verdict.signs] if isinstance(verdict, GenuineCell) else [],
        "failing_unit": verdict.unit if isinstance(verdict, EmptyCell) else None,
        "failing_samples": list(verdict.samples) if isinstance(verdict, EmptyCell) else None,
    }


def large_lines(units: int, verdicts: Sequence[LargeVerdict]) -> Iterator[str]:
    """Yields how many hidden cells of large data have a genuine minimum, in lines."""
    genuine = sum(isinstance(verdict, GenuineCell) for verdict in verdicts)
    undecided = sum(isinstance(verdict, OpenCell) for verdict in verdicts)
    yield f"judged       {len(verdicts)} hidden cells of {units} units, squared loss"
    without = len(verdicts) - genuine - undecided
    yield f"genuine      {genuine} with a genuine minimum, {without} without, {undecided} undecided"


def cell_line(cell: UnitCell, ball: Inradius) -> str:
    """Returns a cell of one unit in a line."""
    text = to_text(ball.radius)
    return f"{cell.pattern}  inradius {text if len(text) <= _LONGEST else f'{to_float(ball.radius):.6g}'}"


def count_lines(count: CellCount, units: int) -> Iterator[str]:
    """Yields how many cells there are, in lines."""
    if count.exact is None:
        yield f"cells        at least {count.least}, at most {count.most} of one unit; an exact count is too much work"
        return
    yield f"cells        {count.exact} of one unit, by the recursion"
    if units > 1:
        ordered, free = count_hidden_cells(count.exact, units)
        yield f"hidden cells {ordered} of {units} units, {free} up to their order"


def judged_lines(setting: Setting, judged: Sequence[JudgedCell]) -> Iterator[str]:
    """Yields what is known of judged hidden cells, in lines.

    The line of a cell holds the pattern of each unit and the loss of the relaxation. A genuine minimum's line goes on
    with its kind, the possible signs of the outer weights, the dimension of the set of minima, and how many valleys
    this set has.
    """
    found = judged_objects(setting, judged)
    genuine, bad = (sum(bool(cell[name]) for cell in found) for name in ("genuine", "bad"))
    units = "1 unit" if setting.units == 1 else f"{setting.units} units"
    yield f"judged       {len(judged)} hidden cells of {units}, {setting.loss} loss"
    yield f"genuine      {genuine}, of which bad {bad}"
    best = best_network(judged, setting)
    if best is not None:
        yield f"best         {loss_words(best[0])}, mean {to_text(best[0] / len(setting.targets))}"
    for cell, line in list(zip(judged, found, strict=True))[:SHOWN]:
        own = cell.judged
        words = f"{' '.join(own.patterns)}  {line['loss']}"
        if own.is_genuine:
            signs = ", ".join(choice.signs for choice in own.feasible)
            kind = "bad" if line["bad"] else "genuine"
            words += f"  {kind:7}  signs {signs}  dimension {own.dimension}"
            words += f", valleys {len(own.valleys)}, up to order {len(own.classes)}"
        yield words
    if len(judged) > SHOWN:
        yield f"...          {len(judged) - SHOWN} more are not shown; --json, --table and -o give all"
