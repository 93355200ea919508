"""Recorded walks for other programs and for readers: tables, hints, VIPR certificates, one HTML page."""

import gzip
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.certificate.hints import hint_lines
from exactdrl.certificate.reader import Certificate
from exactdrl.certificate.vipr import vipr_of_run
from exactdrl.certificate.vipr_cells import is_cells_file, vipr_of_cells
from exactdrl.certificate.vipr_minimum import vipr_of_minimum
from exactdrl.engine.pool import available_jobs
from exactdrl.exact.rationals import InputError
from exactdrl.front.problems import Problem, to_instance
from exactdrl.front.recorded import Run, to_certificate
from exactdrl.minimality.slopes import DEFAULT_NODES
from exactdrl.observations.observe import LINES, Progress
from exactdrl.problem.output import STREAM, new_file, refuse_existing, write_new
from exactdrl.report.page import to_html
from exactdrl.report.report import make_report
from exactdrl.series.export import WalkPoint
from exactdrl.series.export import export as export_tables
from exactdrl.series.export import points as points_of


def _read(problem: Problem, run: Run) -> tuple[IntegerProblem, Certificate]:
    instance = to_instance(problem)
    certificate = to_certificate(run, instance)
    return IntegerProblem.from_instance(instance), certificate


def walk_points(problem: Problem, run: Run, *, jobs: int = 1) -> Iterator[WalkPoint]:
    """Yields every point of a recorded walk in order, the start first, in exact numbers.

    Args:
        problem: an instance, or the path of its file.
        run: the walk's result, its certificate, or the path of its file.
        jobs: how many processes; the points are the same for any number.

    Raises:
        InputError: a file cannot be read or does not fit.
    """
    yield from points_of(*_read(problem, run), jobs=jobs)


def export(
    problem: Problem,
    run: Run,
    *,
    vertices: Path | str | None = None,
    losses: Path | str | None = None,
    force: bool = False,
    jobs: int | None = None,
    on_point: Callable[[WalkPoint], None] | None = None,
) -> int:
    """Writes the exact vertices and losses of a recorded walk as tables, and returns the number of points.

    Args:
        problem: an instance, or the path of its file.
        run: the walk's result, its certificate, or the path of its file.
        vertices: the table with the parameters at each point, `*.jsonl`, `*.csv` or `*.parquet`; None for none.
        losses: the table with the loss at each point, likewise.
        force: whether existing files are written over.
        jobs: how many processes; default: one for each processor. The tables are the same for any number.
        on_point: is called after each row.

    Raises:
        InputError: a file cannot be read, does not fit, has another ending, exists and `force` is not set, or cannot be
            written.
    """
    return export_tables(
        *_read(problem, run),
        vertices=None if vertices is None else Path(vertices),
        losses=None if losses is None else Path(losses),
        force=force,
        jobs=jobs or available_jobs(),
        on_point=on_point,
    )


def export_vipr(problem: Problem, run: Run, path: Path | str, *, force: bool = False) -> list[tuple[Path, str]]:
    """Writes VIPR certificates, for checkers of exact linear programming.

    For a regression there is one, of its optimum. For another walk that ended in a local minimum there is one for each
    leaf of the proof's tree. For a file about hidden cells there is one for each infeasible choice of signs of a judged
    cell's outer weights.

    Args:
        problem: an instance, or the path of its file.
        run: the walk's result, its certificate, the path of its file, or the path of a file about hidden cells.
        path: the file that is written; several files are named NAME-1, NAME-2 and so on, with the same ending.
        force: whether existing files are written over.

    Returns:
        The paths of the files, each with what the file proves.

    Raises:
        InputError: the walk did not end in a minimum that slopes prove, no choice of signs is infeasible, or a file
            cannot be read or written.
    """
    instance, path = to_instance(problem), Path(path)
    if isinstance(run, (str, Path)) and is_cells_file(Path(run)):
        programs, what = vipr_of_cells(instance, Path(run)), "an infeasible sign choice"
        if not programs:
            raise InputError(
                f"{run}: no choice of signs of a judged cell is infeasible, so that there is nothing to write"
            )
    else:
        certificate = to_certificate(run, instance)
        if instance.free == len(instance.layers):
            programs = [list(vipr_of_run(instance, certificate))]
            what = f"the optimum, {len(instance.inputs)} samples"
        else:
            programs, what = vipr_of_minimum(instance, certificate), "a leaf of the local minimum"
    written = []
    for number, lines in enumerate(programs, 1):
        name = path if len(programs) == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
        write_new(name, "".join(f"{line}\n" for line in lines).encode("ascii"), force=force)
        written.append((name, what))
    return written


def elaborate(
    problem: Problem,
    run: Run,
    path: Path | str = STREAM,
    *,
    nodes: int = DEFAULT_NODES,
    force: bool = False,
    on_step: Callable[[int], None] | None = None,
) -> None:
    """Writes hints for the proved checker, which is run as `proofs/coq/check INSTANCE RUN HINTS`.

    Args:
        problem: an instance, or the path of its file.
        run: the walk's result, its certificate, or the path of its file.
        path: the hints' path, `*.hints` or `*.hints.gz`; - is standard output.
        nodes: the most linear programs that the proof of the minimum may take.
        force: whether an existing file is written over.
        on_step: is called with the number of steps so far.

    Raises:
        InputError: the proof takes more linear programs, or a file cannot be read or written.
    """
    instance = to_instance(problem)
    certificate = to_certificate(run, instance)
    lines = (f"{line}\n" for line in hint_lines(instance, certificate, nodes=nodes, on_step=on_step))
    if Path(path) == STREAM:
        sys.stdout.writelines(lines)
        return
    with (
        new_file(Path(path), force=force) as partial,
        gzip.open(partial, "wt") if str(path).endswith(".gz") else partial.open("w", encoding="ascii") as stream,
    ):
        stream.writelines(lines)


def write_report(
    problem: Path | str,
    run: Path | str,
    path: Path | str,
    *,
    check: bool = True,
    lines: int = LINES,
    seed: int = 0,
    jobs: int | None = None,
    force: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> None:
    """Writes one HTML page about a walk: verdict, figures, claims, how to do it again.

    The page opens in any browser, loads nothing from elsewhere, and is the same for the same files and versions.

    Args:
        problem: the instance's file.
        run: the certificate's file, which has to be whole.
        path: the page's path, `*.html`, or `-` for standard output.
        check: whether the stand-alone checker is run; if not, the page says so.
        lines: see `observe`.
        seed: the seed of the random lines.
        jobs: how many processes observe the walk; default: one for each processor.
        force: whether an existing file is written over.
        on_progress: see `observe`.

    Raises:
        InputError: a file cannot be read or does not fit, the page exists and `force` is not set, or the checker
            rejects the certificate.
    """
    page = Path(path)
    if page != STREAM and page.suffix not in {".html", ".htm"}:
        raise InputError(f"{page}: a report's name ends in .html")
    refuse_existing(page, force=force)
    found = make_report(
        Path(problem),
        Path(run),
        check=check,
        lines=lines,
        seed=seed,
        jobs=jobs or available_jobs(),
        on_progress=on_progress,
    )
    write_new(page, to_html(found).encode("utf-8"), force=force)
