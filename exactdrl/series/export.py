"""Exact vertices and losses of a recorded walk as a table: JSON Lines, CSV or Parquet."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Protocol, TypeAlias

from gmpy2 import mpq, mpz

from exactdrl.arithmetic.exact import ExactArithmetic
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.local_form import localise
from exactdrl.cells.scan import loss_of_values, scan
from exactdrl.certificate.reader import Certificate
from exactdrl.certificate.replay import final_vertex
from exactdrl.exact.linear import to_integers
from exactdrl.exact.rationals import InputError, to_float, to_text
from exactdrl.problem.output import new_file, refuse_existing
from exactdrl.series.parallel import map_segments
from exactdrl.series.residues import ResidueScan
from exactdrl.series.segments import Segment, replay_segment
from exactdrl.steps.first_vertex import FirstVertex, find_first_vertex, to_start_rule

ENDINGS = (".jsonl", ".csv", ".parquet")
_ROWS_A_GROUP = 256


@dataclass(frozen=True, slots=True)
class WalkPoint:
    """One point of a walk.

    Attributes:
        step: the number of the point, from 0 for the start.
        phase: 1 up to and including the first vertex, then 2.
        loss: the exact loss.
        theta: the full parameters, row-major [W | b].
        squared_step: the squared Euclidean distance to the point before; None for the start.
        squared_distance_to_last: the squared Euclidean distance to the walk's last vertex.
        is_degenerate: whether more than n kinks are active; None for points that are no vertices.
    """

    step: int
    phase: int
    loss: mpq
    theta: tuple[mpq, ...]
    squared_step: mpq | None
    squared_distance_to_last: mpq
    is_degenerate: bool | None


def points(problem: IntegerProblem, certificate: Certificate, *, jobs: int = 1) -> Iterator[WalkPoint]:
    """Yields every point of a recorded walk in order, the start first, in exact numbers.

    Points before the first vertex are computed again by the start rule that the header names. If this rule does not
    lead to the certificate's first vertex, as in another program's walk, only the start is yielded before that vertex.

    Args:
        problem: the scaled problem.
        certificate: the walk's certificate, which has to be whole.
        jobs: how many processes; the points are the same for any number.

    Raises:
        InputError: a line of the certificate does not fit this problem, or a basis is dependent.
    """
    last = to_integers(ExactArithmetic(problem, *final_vertex(problem, certificate)).vertex())
    early = phase_one_points(problem, certificate)
    before: tuple[list[mpz], mpz] | None = None
    for step, at in enumerate(early):
        here = to_integers(at)
        moved = squared_distance(here, before) if before is not None else None
        loss, distance = exact_loss(problem, at), squared_distance(here, last)
        yield WalkPoint(step, 1, loss, _flatten_parameters(problem, at), moved, distance, None)
        before = here
    work = partial(_segment_points, last, len(early), before)
    yield from chain.from_iterable(map_segments(problem, certificate, work, jobs=jobs))


def _segment_points(
    last: tuple[list[mpz], mpz],
    early: int,
    before_first: tuple[list[mpz], mpz] | None,
    problem: IntegerProblem,
    segment: Segment,
) -> list[WalkPoint]:
    """Returns the points after each step of a segment, and the walk's first vertex where it begins the segment."""
    found = []
    residues = ResidueScan(problem)
    before = before_first
    for k, vertex in enumerate(replay_segment(problem, segment), segment.before):
        at = vertex.vertex()
        here = to_integers(at)
        if k > segment.before or k == 0:
            found.append(
                WalkPoint(
                    early + k,
                    1 if k == 0 else 2,
                    vertex.loss(),
                    _flatten_parameters(problem, at),
                    None if before is None else squared_distance(here, before),
                    squared_distance(here, last),
                    not residues.is_certainly_regular(*vertex.point(), vertex.pattern)
                    and _is_degenerate(problem, vertex),
                )
            )
        before = here
    return found


def _flatten_parameters(problem: IntegerProblem, at: Sequence[mpq]) -> tuple[mpq, ...]:
    return tuple(value for row in problem.to_full(at) for value in row)


def phase_one_points(problem: IntegerProblem, certificate: Certificate) -> Sequence[tuple[mpq, ...]]:
    """Returns the points before the first vertex in reduced parameters; only the start where they are not known."""
    rule = to_start_rule(certificate.header.start_rule)
    if rule is not None:
        first = find_first_vertex(problem, rule, filtered=True)
        recorded = certificate.first.pattern, certificate.first.basis
        if isinstance(first, FirstVertex) and (tuple(first.pattern.to_hex()), first.basis) == recorded:
            return first.points[:-1]
    start = tuple(problem.to_reduced(problem.instance.start))
    pattern = problem.pattern_from_hex(certificate.first.pattern)
    vertex = ExactArithmetic(problem, pattern, certificate.first.basis).vertex()
    return [] if start == vertex else [start]


def exact_loss(problem: IntegerProblem, at: Sequence[mpq]) -> mpq:
    """Returns the loss at reduced parameters, by a scan."""
    numerators, denominator = to_integers(at)
    return loss_of_values(problem, scan(problem, numerators, denominator, None), denominator)


def _is_degenerate(problem: IntegerProblem, arithmetic: ExactArithmetic) -> bool:
    if len(arithmetic.vanishing_kinks()) == problem.dimension:
        return False
    return len(localise(problem, arithmetic.values()).kinks) > problem.dimension


def squared_distance(left: tuple[list[mpz], mpz], right: tuple[list[mpz], mpz]) -> mpq:
    """Returns the squared distance of points, each given as integers over a common denominator."""
    (a, p), (b, q) = left, right
    return mpq(sum(((x * q - y * p) ** 2 for x, y in zip(a, b, strict=True)), mpz(0)), (p * q) ** 2)


def vertex_row(point: WalkPoint) -> dict[str, object]:
    """Returns a point's row of the table of vertices, with rationals as p/q and floats beside them."""
    squared_step = point.squared_step
    return {
        **loss_row(point),
        "theta": [to_text(value) for value in point.theta],
        "theta_float": [to_float(value) for value in point.theta],
        "squared_step": None if squared_step is None else to_text(squared_step),
        "squared_step_float": None if squared_step is None else to_float(squared_step),
        "squared_distance_to_last": to_text(point.squared_distance_to_last),
        "squared_distance_to_last_float": to_float(point.squared_distance_to_last),
        "degenerate": point.is_degenerate,
    }


def loss_row(point: WalkPoint) -> dict[str, object]:
    """Returns a point's row of the table of losses."""
    return {"step": point.step, "phase": point.phase, "loss": to_text(point.loss), "loss_float": to_float(point.loss)}


def export(
    problem: IntegerProblem,
    certificate: Certificate,
    *,
    vertices: Path | None = None,
    losses: Path | None = None,
    force: bool = False,
    jobs: int = 1,
    on_point: Callable[[WalkPoint], None] | None = None,
) -> int:
    """Writes the tables of a recorded walk, row by row, and returns the number of points.

    Args:
        problem: the scaled problem.
        certificate: the walk's certificate, which has to be whole.
        vertices: the path of the table with the rows of `vertex_row`, `.jsonl`, `.csv` or `.parquet`. In CSV, theta has
            a column for each parameter.
        losses: the path of the table with the rows of `loss_row`, likewise.
        force: whether existing files are written over.
        jobs: how many processes; the tables are the same for any number.
        on_point: is called after each row.

    Raises:
        InputError: a path has another ending, a file exists and `force` is not set, or it cannot be written.
    """
    targets = [(path, make) for path, make in ((vertices, vertex_row), (losses, loss_row)) if path is not None]
    for path, _ in targets:
        if path.suffix not in ENDINGS:
            raise InputError(f"{path}: an export's name ends in one of {', '.join(ENDINGS)}")
        refuse_existing(path, force=force)
    count = 0
    with _tables([path for path, _ in targets]) as writers:
        for point in points(problem, certificate, jobs=jobs):
            for (_, make), write in zip(targets, writers, strict=True):
                write(make(point))
            count += 1
            if on_point is not None:
                on_point(point)
    return count


_Write: TypeAlias = Callable[[dict[str, object]], None]


@contextmanager
def _tables(paths: Sequence[Path]) -> Iterator[list[_Write]]:
    """Opens a table for each path. A table gets its name only when it is whole."""
    kinds: dict[str, Callable[[Path], _Table]] = {".jsonl": _JsonLines, ".csv": _Csv, ".parquet": _Parquet}
    with ExitStack() as files:
        # whether they exist was asked before
        partials = [files.enter_context(new_file(path, force=True)) for path in paths]
        tables = [kinds[path.suffix](partial) for path, partial in zip(paths, partials, strict=True)]
        try:
            yield [table.write for table in tables]
        finally:
            for table in tables:
                table.close()


class _Table(Protocol):
    def write(self, row: dict[str, object]) -> None: ...

    def close(self) -> None: ...


class _JsonLines:
    def __init__(self, path: Path) -> None:
        self._stream = path.open("w", encoding="ascii")

    def write(self, row: dict[str, object]) -> None:
        self._stream.write(json.dumps(row) + "\n")

    def close(self) -> None:
        self._stream.close()


class _Csv:
    def __init__(self, path: Path) -> None:
        self._stream = path.open("w", encoding="ascii", newline="")
        self._writer: csv.DictWriter[str] | None = None

    def write(self, row: dict[str, object]) -> None:
        flat = dict(_flatten(row))
        if self._writer is None:
            self._writer = csv.DictWriter(self._stream, list(flat), lineterminator="\n")
            self._writer.writeheader()
        self._writer.writerow(flat)

    def close(self) -> None:
        self._stream.close()


def _flatten(row: dict[str, object]) -> Iterable[tuple[str, object]]:
    for key, value in row.items():
        if isinstance(value, list):
            yield from ((f"{key}_{index}", entry) for index, entry in enumerate(value))
        else:
            yield key, value


class _Parquet:
    """A Parquet table whose rows are written in groups, so that long walks do not fill the memory."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa  # noqa: PLC0415 - half a second to import, and only this needs it
        import pyarrow.parquet as pq  # noqa: PLC0415

        self._arrow, self._parquet, self._path = pa, pq, path
        self._rows: list[dict[str, object]] = []
        self._writer: pq.ParquetWriter | None = None

    def _schema(self, row: dict[str, object]) -> object:
        arrow = self._arrow
        kinds = {"step": arrow.int64(), "phase": arrow.int8(), "degenerate": arrow.bool_()}

        def kind(key: str) -> object:
            basic = kinds.get(key, arrow.float64() if key.endswith("_float") else arrow.string())
            return arrow.list_(basic) if isinstance(row[key], list) else basic

        return arrow.schema([(key, kind(key)) for key in row])

    def write(self, row: dict[str, object]) -> None:
        self._rows.append(row)
        if len(self._rows) == _ROWS_A_GROUP:
            self._flush()

    def _flush(self) -> None:
        if not self._rows:
            return
        schema = self._schema(self._rows[0])
        if self._writer is None:
            self._writer = self._parquet.ParquetWriter(self._path, schema)
        self._writer.write_table(self._arrow.Table.from_pylist(self._rows, schema=schema))
        self._rows = []

    def close(self) -> None:
        self._flush()
        if self._writer is not None:
            self._writer.close()
