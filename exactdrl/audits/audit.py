"""The audit of a trajectory that any other program made: every row is judged in exact arithmetic.

proofs/audit.md says what is decided, what is guessed, and what the words mean.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gmpy2 import mpq

from exactdrl.audits.chain import Chain
from exactdrl.audits.move import Adjacent, Crossed, Move, NoEdge, Stays, find_crossing, judge_move
from exactdrl.audits.nearness import Bounds
from exactdrl.audits.point import ExactPoint
from exactdrl.audits.vertex import (
    SEPARATION,
    FoundVertex,
    NoVertex,
    OnFace,
    Reading,
    find_vertex,
)
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Pattern
from exactdrl.exact.rationals import InputError, to_float
from exactdrl.minimality.judge import DEFAULT_BUDGET, judge
from exactdrl.minimality.verdict import NotMinimum, Undecided, Verdict
from exactdrl.problem.instance import Instance, Matrix


@dataclass(frozen=True, slots=True)
class AuditRow:
    """What is known of one point of a trajectory, and of the way to it from the point before.

    Attributes:
        row: the row's number, from 1.
        vertex: the vertex that the point stands for, or why none was found.
        active: how many kinks vanish at the vertex; None without a vertex.
        loss: the loss at the vertex; None without a vertex.
        point_loss: the loss at the point as given.
        opposite: how many kinks have opposite signs at the given point and the given point before; None in row 1.
        move: how the vertices of the row before and of this row lie to each other; None where one of the rows has none.
        crossed: the first kink that is crossed between the two vertices or, where one of them is missing, between the
            points as given; None where no kink is crossed, and in row 1.
        loss_change: the sign of the loss at this vertex minus the loss at the last vertex before; None where one of the
            vertices is missing.
        point_loss_change: the same sign for the points as given; None in row 1.
        fault: why the way to this row is no step of a walk, in words; None where no fault was found.
        is_open: whether nothing is known of the way to this row, since after the first vertex no vertex was found for
            this row or for the row before.
    """

    row: int
    vertex: Reading
    active: int | None
    loss: mpq | None
    point_loss: mpq
    opposite: int | None
    move: Move | None
    crossed: Crossed | None
    loss_change: int | None
    point_loss_change: int | None
    fault: str | None
    is_open: bool


@dataclass(frozen=True, slots=True)
class Audit:
    """The result of an audit.

    Attributes:
        problem: the instance, scaled to integers.
        rows: what is known of each point.
        last: the verdict on the last row's vertex; None where that row has no vertex.
        chain: the steps of the certificate; None where the trajectory is no whole walk.
        claims_minimum: whether the trajectory claims to end in a local minimum.
    """

    problem: IntegerProblem
    rows: tuple[AuditRow, ...]
    last: Verdict | None
    chain: Chain | None
    claims_minimum: bool

    @property
    def first_fault(self) -> AuditRow | None:
        """Returns the first row with a fault."""
        return next((row for row in self.rows if row.fault is not None), None)

    @property
    def first_open(self) -> AuditRow | None:
        """Returns the first row of which nothing is known."""
        return next((row for row in self.rows if row.is_open), None)

    @property
    def false_end(self) -> bool:
        """Returns whether the trajectory claims to end in a local minimum, and its last vertex is proved to be none."""
        return self.claims_minimum and isinstance(self.last, NotMinimum)

    @property
    def is_wrong(self) -> bool:
        """Returns whether a claim of the trajectory is refuted."""
        return self.first_fault is not None or self.false_end

    @property
    def is_undecided(self) -> bool:
        """Returns whether nothing is refuted, yet not all is proved."""
        is_end_open = self.claims_minimum and (self.last is None or isinstance(self.last, Undecided))
        return not self.is_wrong and (self.chain is None or is_end_open)

    @property
    def is_certifiable(self) -> bool:
        """Returns whether a certificate can be written.

        It can where the rows are a whole walk whose first vertex has no greater loss than the instance's start.
        """
        return self.chain is not None and not self.chain.is_above_start


def audit(
    instance: Instance,
    trajectory: Sequence[Sequence[mpq]],
    *,
    separation: int = SEPARATION,
    first_vertex: int | None = None,
    claims_minimum: bool = False,
    budget: int = DEFAULT_BUDGET,
    on_row: Callable[[AuditRow], None] | None = None,
) -> Audit:
    """Returns what a trajectory is worth.

    Every claim about a vertex is exact and holds for the vertex that a row is read as; that a row is read as the vertex
    that its author meant is a guess (`find_vertex`). Rows before the first vertex are the way to it and are not judged.

    Args:
        instance: the problem.
        trajectory: rows of the full parameters, row-major [W | b].
        separation: see `find_vertex`.
        first_vertex: the row, from 1, from which on all rows are claimed to be vertices; default: the first row that is
            read as a vertex.
        claims_minimum: whether the trajectory claims that its last row is a local minimum.
        budget: how much work the verdict on the last vertex may take, see `judge`.
        on_row: is called after each row.

    Raises:
        InputError: the trajectory has no rows or fewer than `first_vertex`, or a row has another number of parameters
            than the layer.
    """
    if not trajectory:
        raise InputError("the trajectory has no rows")
    if first_vertex is not None and not 1 <= first_vertex <= len(trajectory):
        raise InputError(f"the first vertex is row {first_vertex}, the trajectory has rows 1 to {len(trajectory)}")
    problem = IntegerProblem.from_instance(instance)
    auditor = _Auditor(problem, separation, first_vertex)
    rows: list[AuditRow] = []
    for parameters in trajectory:
        row = auditor.judge_row(_to_matrix(instance, parameters, len(rows) + 1))
        rows.append(row)
        if on_row is not None:
            on_row(row)
    last = rows[-1].vertex
    verdict = None
    if isinstance(last, FoundVertex):
        verdict = judge(problem, last.point.values(problem), denominator=last.point.denominator, budget=budget)
    is_whole = auditor.chain is not None and not any(row.fault is not None or row.is_open for row in rows)
    return Audit(problem, tuple(rows), verdict, auditor.chain if is_whole else None, claims_minimum)


def _to_matrix(instance: Instance, parameters: Sequence[mpq], row: int) -> Matrix:
    units, width = len(instance.start), len(instance.start[0])
    if len(parameters) != units * width:
        raise InputError(
            f"row {row} of the trajectory has {len(parameters)} numbers, layer {instance.layer} has {units * width} "
            f"parameters: {units} units, {width} a unit"
        )
    return tuple(tuple(parameters[unit * width : (unit + 1) * width]) for unit in range(units))


class _Auditor:
    """Judges row after row, and keeps the point and the vertex of the row before."""

    def __init__(self, problem: IntegerProblem, separation: int, first_vertex: int | None) -> None:
        self._problem, self._separation, self._first_vertex = problem, separation, first_vertex
        self._bounds = Bounds.of(problem)
        self._start, _ = ExactPoint.of(problem, problem.instance.start)
        self._count = 0
        self._point: ExactPoint | None = None
        self._vertex: ExactPoint | None = None
        self._is_vertex_before = False
        self.chain: Chain | None = None

    def judge_row(self, parameters: Matrix) -> AuditRow:
        """Returns the next row's judgement."""
        problem = self._problem
        self._count += 1
        before = self._point
        self._point, values = ExactPoint.of(problem, parameters)
        point = self._point
        first = self._first_vertex
        is_begun = self._vertex is not None if first is None else self._count >= first
        found: Reading = NoVertex("it stands before the first vertex")
        if first is None or is_begun:
            found = find_vertex(problem, self._bounds, point, values, before=before, separation=self._separation)
        opposite = None if before is None else before.signs.opposite(point.signs).bit_count()
        change = None if before is None else _sign(point.loss - before.loss)
        if not isinstance(found, FoundVertex):
            self._is_vertex_before = False
            crossed = None if before is None else find_crossing(problem, before, point)
            fault = f"the row is no vertex: {found.reason}" if is_begun and isinstance(found, OnFace) else None
            is_open = is_begun and fault is None
            return AuditRow(
                self._count, found, None, None, point.loss, opposite, None, crossed, None, change, fault, is_open
            )
        move, crossed, loss_change, fault = self._judge_vertex(found.point)
        is_open = self._vertex is not None and not self._is_vertex_before
        if before is not None and not self._is_vertex_before:
            crossed = find_crossing(problem, before, point)
        self._vertex, self._is_vertex_before = found.point, True
        active = found.point.signs.zero.bit_count()
        return AuditRow(
            self._count,
            found,
            active,
            found.point.loss,
            point.loss,
            opposite,
            move,
            crossed,
            loss_change,
            change,
            fault,
            is_open and fault is None,
        )

    def _judge_vertex(self, vertex: ExactPoint) -> tuple[Move | None, Crossed | None, int | None, str | None]:
        """Returns the move to a vertex, the crossed kink, the sign of the loss's change, and the fault of the move."""
        before = self._vertex
        if before is None:
            self.chain = Chain(self._problem, self._start, vertex)
            return None, None, None, None
        loss_change = _sign(vertex.loss - before.loss)
        rise = _rise_words(before.loss, vertex.loss) if loss_change > 0 else None
        if not self._is_vertex_before:
            self.chain = None
            return None, None, loss_change, rise
        move = judge_move(self._problem, self._cell(before), before, vertex)
        fault = move_words(move)
        if rise is not None:
            fault = rise if fault is None else f"{fault}; {rise}"
        if fault is not None:
            self.chain = None
        elif isinstance(move, Adjacent) and self.chain is not None:
            self.chain.step(before, vertex, move)
        return move, move if isinstance(move, Crossed) else None, loss_change, fault

    def _cell(self, vertex: ExactPoint) -> Pattern:
        return self.chain.pattern if self.chain is not None else vertex.pattern(self._problem)


def _sign(value: mpq) -> int:
    return int(value > 0) - int(value < 0)


def _rise_words(before: mpq, after: mpq) -> str:
    return f"the loss rises by {to_float(after - before):.6g}"


def move_words(move: Move) -> str | None:
    """Returns why a move is no step of a walk, None where it may be a step."""
    match move:
        case Crossed(kink, fraction, count):
            others = "" if count == 1 else f"; in all {count} kinks have opposite signs at the two ends"
            return f"kink {list(kink)} is crossed on the way, at {to_float(fraction):.6g} of it{others}"
        case NoEdge(dimension):
            return f"the vertices share no edge: the least common face has dimension {dimension}"
        case Stays() | Adjacent():
            return None
