"""What an audit writes: the certificate of a whole walk, and the table of all rows."""

import csv
import io
import json
import math
from pathlib import Path

from gmpy2 import mpq

from exactdrl.audits.audit import Audit, AuditRow
from exactdrl.audits.move import Adjacent, Crossed, NoEdge, Stays
from exactdrl.audits.vertex import FoundVertex
from exactdrl.certificate.lines import Header, header_text, vertex_text
from exactdrl.certificate.stream import CertificateFile
from exactdrl.exact.rationals import InputError, to_float, to_text
from exactdrl.minimality.verdict import NotMinimum
from exactdrl.problem.output import write_new
from exactdrl.walks.driver import Outcome, StepLimit

# The names that the header gives for pivot rule and start rule; they claim nothing
NAME = "audit"


def record_audit(audit: Audit, path: Path | str, *, force: bool = False) -> Outcome:
    """Writes the certificate of a whole walk, and returns its outcome.

    Args:
        audit: an audit with `is_certifiable`.
        path: the certificate's path, `*.drl` or `*.drl.gz`.
        force: whether an existing file is written over.

    Raises:
        InputError: the audit is not certifiable, the path has another ending, the file exists and `force` is not set,
            or it cannot be written.
    """
    path = Path(path)
    chain = audit.chain
    if chain is None or chain.is_above_start:
        raise InputError(
            f"{path}: not written, since the trajectory is not proved to be a walk from a loss at most the start's"
        )
    outcome: Outcome = StepLimit()
    if audit.last is not None and not isinstance(audit.last, NotMinimum):
        outcome = audit.last
    first = vertex_text(chain.first_pattern, chain.first_basis)
    if chain.is_elsewhere:
        first = json.dumps({"vertex": json.loads(first)["vertex"] | {"elsewhere": True}}, separators=(",", ":"))
    header = header_text(Header(audit.problem.instance.digest, NAME, NAME))
    with CertificateFile(path, force=force) as file:
        file.begin(f"{header}\n{first}\n".encode("ascii"))
        file.append(chain.steps)
        file.finish(outcome)
    return outcome


def to_row(row: AuditRow) -> dict[str, object]:
    """Returns a row of the table, with rationals as p/q and floats beside them.

    An entry is None where nothing is known.
    """
    vertex = row.vertex
    crossed = row.crossed
    square = vertex.squared_distance
    return {
        "row": row.row,
        "vertex": isinstance(vertex, FoundVertex),
        "active": row.active,
        "distance": None if square is None else math.sqrt(to_float(square)),
        "move": _move_name(row),
        "crossed": None if crossed is None else list(crossed.kink),
        "crossed_at": None if crossed is None else to_float(crossed.fraction),
        "opposite": row.opposite,
        "loss_float": None if row.loss is None else to_float(row.loss),
        "loss_change": row.loss_change,
        "point_loss_float": to_float(row.point_loss),
        "point_loss_change": row.point_loss_change,
        "fault": row.fault,
        "note": vertex.reason if not isinstance(vertex, FoundVertex) else None,
        "loss": _text(row.loss),
        "point_loss": to_text(row.point_loss),
        "squared_distance": _text(square),
    }


def _text(value: mpq | None) -> str | None:
    return None if value is None else to_text(value)


def _move_name(row: AuditRow) -> str | None:
    match row.move:
        case Adjacent():
            return "adjacent"
        case Stays():
            return "stays"
        case Crossed():
            return "crossed"
        case NoEdge():
            return "no edge"
        case None:
            return None


def write_table(audit: Audit, path: Path | str, *, force: bool = False) -> None:
    """Writes the table of all rows as CSV.

    Raises:
        InputError: the path does not end in .csv, the file exists and `force` is not set, or it cannot be written.
    """
    path = Path(path)
    if path.suffix != ".csv":
        raise InputError(f"{path}: a table's name ends in .csv")
    stream = io.StringIO(newline="")
    rows = [to_row(row) for row in audit.rows]
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        kink = row["crossed"]
        writer.writerow(row | {"crossed": None if kink is None else json.dumps(kink)})
    write_new(path, stream.getvalue().encode("ascii"), force=force)
