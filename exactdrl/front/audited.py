"""The audit of another program's walk in one call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exactdrl.audits.audit import Audit, AuditRow
from exactdrl.audits.audit import audit as audit_rows
from exactdrl.audits.record import record_audit, to_row, write_table
from exactdrl.audits.vertex import SEPARATION
from exactdrl.doors.trajectory import Trajectory
from exactdrl.front.frames import to_frame
from exactdrl.front.problems import Problem, to_instance
from exactdrl.front.result import Result
from exactdrl.minimality.judge import DEFAULT_BUDGET
from exactdrl.problem.instance import Instance, to_samples
from exactdrl.report.audit_words import (
    audit_fields,
    audit_lines,
    audit_table_lines,
    audit_verdict_name,
    audit_verdict_words,
)

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, slots=True, repr=False)
class AuditResult(Result):
    """The exact judgement on another program's trajectory, row by row.

    Attributes:
        instance: the problem.
        audit: every row's vertex, move and fault, and the verdict on the last row's vertex.
    """

    instance: Instance
    audit: Audit

    @property
    def status(self) -> str:
        """Returns `walk`, `wrong` or `undecided`."""
        return audit_verdict_name(self.audit)

    @property
    def message(self) -> str:
        """Returns the result in a sentence."""
        return audit_verdict_words(self.audit)

    @property
    def rows(self) -> tuple[AuditRow, ...]:
        """Returns what is known of each point of the trajectory."""
        return self.audit.rows

    @property
    def is_wrong(self) -> bool:
        """Returns whether a claim of the trajectory is refuted."""
        return self.audit.is_wrong

    @property
    def is_undecided(self) -> bool:
        """Returns whether nothing is refuted, yet not all is proved."""
        return self.audit.is_undecided

    @property
    def is_certifiable(self) -> bool:
        """Returns whether `save` can write a certificate.

        It can where the rows are a whole walk whose first vertex has no greater loss than the instance's start.
        """
        return self.audit.is_certifiable

    def table_lines(self) -> list[str]:
        """Returns a line for each row of the trajectory, below a line of titles."""
        return audit_table_lines(self.audit)

    def lines(self) -> list[str]:
        """Returns the summary in lines, as `exactdrl audit --summary` prints it."""
        return audit_lines(self.audit)

    def to_dict(self, *, with_rows: bool = True) -> dict[str, object]:
        """Returns the result for JSON, as `exactdrl audit --json` prints it.

        Args:
            with_rows: whether the table of all rows is part of it.
        """
        return audit_fields(self.audit, with_rows=with_rows)

    def to_pandas(self) -> "DataFrame":
        """Returns a data frame with a row for each point, and the columns of the written table.

        Raises:
            InputError: pandas is not installed.
        """
        rows = [to_row(row) for row in self.audit.rows]
        return to_frame({name: [row[name] for row in rows] for name in rows[0]}, index="row")

    def save_table(self, path: Path | str, *, force: bool = False) -> None:
        """Writes the table of all rows, with exact numbers, as CSV.

        Raises:
            InputError: the path does not end in .csv, the file exists and `force` is not set, or it cannot be written.
        """
        write_table(self.audit, path, force=force)

    def save(self, path: Path | str, *, force: bool = False) -> None:
        """Writes the certificate of the walk that the trajectory is, `*.drl` or `*.drl.gz`.

        Raises:
            InputError: the trajectory is no such walk, the path has another ending, the file exists and `force` is not
                set, or it cannot be written.
        """
        record_audit(self.audit, path, force=force)


def audit(
    problem: Problem,
    trajectory: Trajectory | Sequence[Sequence[object]],
    *,
    separation: int = SEPARATION,
    first_vertex: int | None = None,
    claims_minimum: bool = False,
    budget: int = DEFAULT_BUDGET,
    on_row: Callable[[AuditRow], None] | None = None,
) -> AuditResult:
    """Judges the trajectory of another program row by row in exact arithmetic.

    A vertex is a point where n independent kinks meet; a kink is a place where a preactivation or a residual is 0.
    Every claim about a vertex is exact and holds for the vertex that a row is read as. That its author meant this
    vertex is a guess: a row is read as a vertex if the vertex is near and all other kinks are far. Rows before the
    first vertex are the way to it, and are not judged.

    Args:
        problem: an instance, or the path of its file.
        trajectory: what `read_trajectory` returns, or rows of the trained layer's n_layer · (n_{layer-1} + 1)
            parameters, row-major [W | b], of any exact numbers; floats mean the dyadic rationals that they are.
        separation: a row is read as a vertex if every other kink is at least this many times as far from the row as the
            vertex is.
        first_vertex: the row, from 1, from which on all rows are claimed to be vertices; default: the first row that is
            read as a vertex.
        claims_minimum: whether the trajectory claims that its last row is a local minimum.
        budget: how much work the verdict on the last vertex may take, in nodes of the proof's tree.
        on_row: is called after each row.

    Raises:
        InputError: the trajectory has no rows or fewer than `first_vertex`, or a row has another number of parameters
            than the layer.

    Source: proofs/audit.md.
    """
    instance = to_instance(problem)
    if isinstance(trajectory, Trajectory):
        rows = trajectory.points_of_layer(instance)
    else:
        rows = to_samples(trajectory, "the trajectory")
    found = audit_rows(
        instance,
        rows,
        separation=separation,
        first_vertex=first_vertex,
        claims_minimum=claims_minimum,
        budget=budget,
        on_row=on_row,
    )
    return AuditResult(instance, found)
