"""The words for the result of an audit."""

import math

from exactdrl.audits.audit import Audit, AuditRow
from exactdrl.audits.record import to_row
from exactdrl.audits.vertex import FoundVertex
from exactdrl.exact.rationals import to_float
from exactdrl.minimality.verdict import NotMinimum
from exactdrl.report.words import outcome_name, outcome_words

_CHANGES = {None: "", -1: "falls", 0: "keeps", 1: "rises"}


def distance(row: AuditRow) -> str:
    """Returns the distance of a row to its vertex."""
    square = row.vertex.squared_distance
    return "" if square is None else f"{math.sqrt(to_float(square)):.3g}"


def audit_table_lines(result: Audit) -> list[str]:
    """Returns a line for each row, below a line of titles."""
    form = "{:>6}  {:>6}  {:>10}  {:<9}  {:>16}  {:<6}  {}"
    lines = [form.format("row", "active", "distance", "move", "loss", "", "").rstrip()]
    for row in result.rows:
        move = to_row(row)["move"]
        loss = row.point_loss if row.loss is None else row.loss
        words = row.fault or ""
        if not isinstance(row.vertex, FoundVertex):
            words = f"no vertex found: {row.vertex.reason}"
        active = "" if row.active is None else row.active
        cells = (
            row.row,
            active,
            distance(row),
            move or "",
            f"{to_float(loss):.10g}",
            _CHANGES[row.loss_change],
            words,
        )
        lines.append(form.format(*cells).rstrip())
    return lines


def audit_verdict_words(result: Audit) -> str:
    """Returns the whole result in a sentence."""
    fault = result.first_fault
    if fault is not None:
        return f"wrong: row {fault.row}: {fault.fault}"
    if result.false_end:
        return "wrong: the last row is claimed to be a local minimum, and its vertex is proved to be none"
    if result.is_undecided:
        return f"undecided: {_open_words(result)}"
    if result.chain is not None and result.chain.is_above_start:
        return "a walk, but its first vertex has a greater loss than the instance's start, which no certificate allows"
    return "a walk: consecutive vertices are adjacent, and the loss never rises"


def _open_words(result: Audit) -> str:
    gap = result.first_open
    if gap is not None:
        vertex = gap.vertex
        reason = "none was found for the row before" if isinstance(vertex, FoundVertex) else vertex.reason
        return f"no vertex was found for row {gap.row}: {reason}"
    if result.chain is None:
        return "no row was read as a vertex; rows that are rounded more coarsely need a smaller --separation"
    return "each step is one of a walk; whether the last vertex is a local minimum was not decided"


def end_words(result: Audit) -> str:
    """Returns what the last vertex is."""
    match result.last:
        case None:
            return "no vertex was found for the last row"
        case NotMinimum():
            return "the last vertex is not a local minimum"
        case verdict:
            return f"the last vertex: {outcome_words(verdict)}"


def audit_counts(result: Audit) -> dict[str, int]:
    """Returns how many rows there are of each kind, by the kind's name."""
    found = [row for row in result.rows if isinstance(row.vertex, FoundVertex)]
    return {
        "rows": len(result.rows),
        "vertices": len(found),
        "degenerate": sum(row.active is not None and row.active > result.problem.dimension for row in found),
        "faults": sum(row.fault is not None for row in result.rows),
        "point_loss_rises": sum(row.point_loss_change == 1 for row in result.rows),
    }


def farthest(result: Audit) -> AuditRow | None:
    """Returns the row that is farthest from its vertex, None where no row has a vertex."""
    found = [row for row in result.rows if isinstance(row.vertex, FoundVertex)]
    return max(found, key=lambda row: row.vertex.squared_distance or 0) if found else None


def audit_lines(result: Audit) -> list[str]:
    """Returns the result in a few lines."""
    numbers, far = audit_counts(result), farthest(result)
    lines = [f"verdict      {audit_verdict_words(result)}"]
    lines.append(
        f"rows         {numbers['rows']}, {numbers['vertices']} of them vertices ({numbers['degenerate']} degenerate), "
        f"{numbers['faults']} with a fault"
    )
    if far is not None:
        lines.append(f"distance     at most {distance(far)} from a row to its vertex, in row {far.row}")
    lines.append(f"as given     the loss at the given points themselves rises in {numbers['point_loss_rises']} rows")
    lines.append(f"end          {end_words(result)}")
    return lines


def audit_verdict_name(result: Audit) -> str:
    """Returns the verdict's name."""
    return "wrong" if result.is_wrong else "undecided" if result.is_undecided else "walk"


def audit_fields(result: Audit, *, with_rows: bool = True) -> dict[str, object]:
    """Returns the result as a JSON object, with the rows of the written table."""
    fault, gap = result.first_fault, result.first_open
    end = result.last
    value: dict[str, object] = {
        "verdict": audit_verdict_name(result),
        "reason": audit_verdict_words(result),
        **audit_counts(result),
        "first_fault": None if fault is None else {"row": fault.row, "reason": fault.fault},
        "first_open": None if gap is None else gap.row,
        "end": None if end is None else "not-a-minimum" if isinstance(end, NotMinimum) else outcome_name(end),
    }
    if with_rows:
        value["table"] = [to_row(row) for row in result.rows]
    return value
