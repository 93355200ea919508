"""`exactdrl cells`."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np

from exactdrl import InputError, to_float, to_text
from exactdrl.certificate.cells_file import CellsWriter, bad_lines, cell_lines, complete_lines
from exactdrl.certificate.cells_file import judged_lines as judged_claims
from exactdrl.hidden_cells.cone import ConeTooLargeError
from exactdrl.hidden_cells.dichotomies import UnitCell, cell_of
from exactdrl.hidden_cells.inradius import Inradius, find_inradius
from exactdrl.hidden_cells.large import LargeData
from exactdrl.hidden_cells.survey import (
    CellCount,
    JudgedCell,
    best_network,
    count_hidden_cells,
    count_unit_cells,
    draw_cells,
    judge_cells,
    judge_chosen,
    survey_cells,
)
from exactdrl.problem.file import write_instance
from exactdrl.problem.output import refuse_existing
from exactdrl.report.cells_table import check_table_path, write_cells_table
from exactdrl.report.cells_words import (
    SHOWN,
    cell_object,
    count_lines,
    hidden_cell_objects,
    judged_lines,
    judged_objects,
    large_object,
)

from .cells_data import Data, cells_options
from .progress import progress

UNDECIDED = 3
_BUDGET = 100_000
_SPENT = "the budget is spent"
# samples times inputs times units beyond which cells are decided without linear programs
_LARGE = 20_000


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is asked for, and where it goes."""

    budget: int
    after: str | None
    output: Path | None
    table: Path | None
    force: bool
    as_json: bool


@dataclass(slots=True)
class _Listed:
    """What an enumeration has listed so far."""

    done: int = 0
    last: str | None = None
    reason: str = _SPENT
    objects: list[dict[str, object]] = field(default_factory=list)


@click.command("cells")
@cells_options
@click.option("--judge", is_flag=True, help="say which hidden cells have a genuine minimum, and which are bad")
@click.option("--draw", type=click.IntRange(min=1), metavar="M", help="judge M cells of random weights, not all")
@click.option("--seed", type=int, default=0, show_default=True, help="of --draw")
@click.option(
    "--budget",
    type=click.IntRange(min=1),
    default=_BUDGET,
    show_default=True,
    help="cells that are listed or judged at most",
)
@click.option("--after", metavar="PATTERN", help="go on behind this cell of an enumeration that was stopped")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="the certificate, *.drl or *.drl.gz; for a table the instance is written beside it",
)
@click.option("--table", "table_path", type=click.Path(path_type=Path), help="write the cells to *.parquet or *.csv")
@click.option("--force", is_flag=True, help="write over existing files")
@click.option("--json", "as_json", is_flag=True, help="print the cells as JSON")
def cells_command(
    *,
    data: Data,
    judge: bool,
    draw: int | None,
    seed: int,
    budget: int,
    after: str | None,
    output: Path | None,
    table_path: Path | None,
    force: bool,
    as_json: bool,
) -> int:
    """List the cells of one unit on DATA, count those of K units, and judge them.

    DATA is a table (CSV, Parquet) or an instance file. A cell is a set of weights with the same signs of all
    preactivations; its pattern has a bit for each sample. With --judge every hidden cell of K units is decided: does it
    hold a minimum of its relaxation (a genuine minimum), and is another point better (a bad one)?
    """
    wish = _Wish(budget, after, output, table_path, force, as_json)
    if after is not None:
        _check_pattern(data, after)
    if output is not None:
        check_output(data, output, force=force)
    if table_path is not None:
        check_table_path(table_path, force=force)
    if draw is not None:
        return _judge_drawn(data, draw, seed, wish)
    count = count_unit_cells(data.setting.samples)
    return _judge_all(data, count, wish) if judge else _list_cells(data, count, wish)


def _check_pattern(data: Data, pattern: str) -> None:
    samples = data.setting.samples
    if len(pattern) != len(samples.places) or set(pattern) - {"0", "1"}:
        raise InputError(f"--after {pattern!r}: a bit for each of the {len(samples.places)} samples is needed")
    try:
        is_cell = cell_of(samples, pattern) is not None
    except ConeTooLargeError as error:
        raise InputError(f"--after {pattern!r}: {error}") from None
    if not is_cell:
        raise InputError(f"--after {pattern!r}: no weights have this pattern")


def _beside(output: Path) -> Path:
    return output.with_name(output.name.removesuffix(".gz").removesuffix(".drl") + ".json")


def check_output(data: Data, output: Path, *, force: bool) -> None:
    """Refuses a path under which no certificate can be written, before the work is done.

    Raises:
        InputError: its ending is another, or it, or the instance beside it, exists and `force` is not set.
    """
    if not output.name.endswith((".drl", ".drl.gz")):
        raise InputError(f"{output}: a certificate's name ends in .drl or .drl.gz")
    refuse_existing(output, force=force)
    if not data.is_from_file:
        refuse_existing(_beside(output), force=force)


def open_writer(data: Data, output: Path, *, force: bool) -> CellsWriter:
    """Returns the writer of a certificate; the instance that it is about is written beside it unless it was given.

    Raises:
        InputError: a file exists and `force` is not set, or cannot be written.
    """
    check_output(data, output, force=force)
    if not data.is_from_file:
        write_instance(data.instance, _beside(output), force=force)
        click.echo(f"note: the instance that {output} is about is {_beside(output)}", err=True)
    return CellsWriter(output, data.instance.digest)


def _list_cells(data: Data, count: CellCount, wish: _Wish) -> int:
    began, listed = time.monotonic(), _Listed()
    if not wish.as_json:
        for line in count_lines(count, data.setting.units):
            click.echo(line)
    with ExitStack() as files:
        output = wish.output
        writer = None if output is None else files.enter_context(open_writer(data, output, force=wish.force))
        try:
            _enumerate(data, count, wish, writer, listed)
        except ConeTooLargeError as error:
            listed.reason = str(error)
        is_whole = wish.after is None and listed.done == count.exact
        if writer is not None and is_whole:
            writer.write(complete_lines(listed.done))
    _give_list(data, wish, listed, is_whole=is_whole)
    if not wish.as_json:
        click.echo(f"listed       {listed.done} in {time.monotonic() - began:.1f} s")
        if is_whole:
            click.echo("complete     as many as the recursion counts")
    # behind a given cell the end of the sequence is the end, if no budget cut it short
    is_ended = wish.after is not None and listed.reason == _SPENT and listed.done < wish.budget
    return 0 if is_whole or is_ended else _say_undecided(count, listed)


def _enumerate(data: Data, count: CellCount, wish: _Wish, writer: CellsWriter | None, listed: _Listed) -> None:
    samples, keeps = data.setting.samples, wish.as_json or wish.table is not None
    with progress("cells", total=count.exact, unit="cell") as report:
        for cell, ball in survey_cells(samples, after=wish.after, budget=wish.budget):
            listed.done += 1
            listed.last = cell.pattern
            if writer is not None:
                writer.write(cell_lines(samples, cell, ball))
            if keeps:
                listed.objects.append(cell_object(cell, ball))
            elif listed.done <= SHOWN:
                click.echo(f"{cell.pattern}  inradius {_short(ball)}")
            report(listed.done)


def _short(ball: Inradius) -> str:
    text = to_text(ball.radius)
    return text if len(text) <= SHOWN // 10 else f"{to_float(ball.radius):.6g}"


def _give_list(data: Data, wish: _Wish, listed: _Listed, *, is_whole: bool) -> None:
    units, objects = data.setting.units, listed.objects
    if is_whole and units > 1 and count_hidden_cells(listed.done, units)[1] <= wish.budget:
        objects = hidden_cell_objects([str(cell["pattern"]) for cell in objects], units)
    if wish.as_json:
        click.echo(json.dumps(objects))
    elif listed.done > SHOWN and wish.table is None:
        click.echo(f"...          {listed.done - SHOWN} more; --json, --table and -o have all")
    if wish.table is not None:
        write_cells_table(wish.table, objects, force=wish.force)


def _say_undecided(count: CellCount, listed: _Listed) -> int:
    known = f"at least {max(count.least, listed.done)}" if count.exact is None else str(count.exact)
    words = f"undecided: {listed.reason}; {listed.done} cells listed, there are {known}"
    if listed.last is not None and len(listed.last) <= SHOWN:
        words += f"; --after {listed.last} goes on"
    click.echo(words, err=True)
    return UNDECIDED


def _judge_all(data: Data, count: CellCount, wish: _Wish) -> int:
    units = data.setting.units
    known = count.exact if count.exact is not None else count.least
    total = count_hidden_cells(known, units)[1]
    if count.exact is None or total > wish.budget:
        words = f"{'at least ' if count.exact is None else ''}{total} hidden cells of {units} units"
        click.echo(f"undecided: {words}, more than --budget {wish.budget} allows; --draw M judges some", err=True)
        return UNDECIDED
    sized = list(survey_cells(data.setting.samples))
    if len(sized) != count.exact:
        raise AssertionError("the enumeration and the recursion differ")
    chosen = [(cell.pattern, ball.center) for cell, ball in sized]
    with progress("judge", total=total, unit="cell") as report:
        judged = list(judge_cells(data.setting, chosen, on_cell=report))
    _give_judged(data, judged, sized, wish, is_complete=True)
    return 0


def _judge_drawn(data: Data, draw: int, seed: int, wish: _Wish) -> int:
    setting = data.setting
    if len(setting.targets) * setting.samples.dimension * setting.units > _LARGE:
        return _judge_large(data, draw, seed, wish)
    judged = []
    with progress("judge", total=draw, unit="cell") as report:
        for number, chosen in enumerate(draw_cells(data.setting, draw, seed), 1):
            judged.append(judge_chosen(data.setting, chosen))
            report(number)
    sized: list[tuple[UnitCell, Inradius]] = []
    if wish.output is not None:
        for pattern in dict.fromkeys(pattern for cell in judged for pattern in cell.judged.patterns):
            try:
                cell = cell_of(data.setting.samples, pattern)
            except ConeTooLargeError as error:
                raise InputError(f"no certificate of drawn cells: {error}") from None
            if cell is None:
                raise AssertionError("weights lie in their cell")
            sized.append((cell, find_inradius(data.setting.samples, cell)))
    _give_judged(data, judged, sized, wish, is_complete=False)
    return 0


def _judge_large(data: Data, draw: int, seed: int, wish: _Wish) -> int:
    """Decides whether drawn cells of large data have a genuine minimum, without a certificate."""
    if wish.output is not None:
        raise InputError(f"{wish.output}: cells of so large data are decided without a certificate")
    large, setting, found = LargeData.from_setting(data.setting), data.setting, list[dict[str, object]]()
    with progress("judge", total=draw, unit="cell") as report:
        for number, chosen in enumerate(draw_cells(setting, draw, seed), 1):
            verdict = large.decide([np.array([bit == "1" for bit in pattern]) for pattern, _ in chosen])
            found.append(large_object([pattern for pattern, _ in chosen], verdict))
            report(number)
    if wish.table is not None:
        write_cells_table(wish.table, found, force=wish.force)
    undecided = sum(cell["genuine"] is None for cell in found)
    if wish.as_json:
        click.echo(json.dumps(found))
    else:
        genuine = sum(cell["genuine"] is True for cell in found)
        click.echo(f"judged       {draw} hidden cells of {setting.units} units, squared loss")
        click.echo(f"genuine      {genuine}, without {draw - genuine - undecided}, undecided {undecided}")
    return UNDECIDED if undecided else 0


def _give_judged(
    data: Data,
    judged: Sequence[JudgedCell],
    sized: Sequence[tuple[UnitCell, Inradius]],
    wish: _Wish,
    *,
    is_complete: bool,
) -> None:
    setting = data.setting
    if wish.output is not None:
        with open_writer(data, wish.output, force=wish.force) as writer:
            for cell, ball in sized:
                writer.write(cell_lines(setting.samples, cell, ball))
            if is_complete:
                writer.write(complete_lines(len(sized)))
            writer.write(_claims(data, judged))
    if wish.table is not None:
        write_cells_table(wish.table, judged_objects(setting, judged), force=wish.force)
    if wish.as_json:
        click.echo(json.dumps(judged_objects(setting, judged)))
    else:
        for line in judged_lines(setting, judged):
            click.echo(line)


def _claims(data: Data, judged: Sequence[JudgedCell]) -> Iterator[str]:
    best = best_network(judged, data.setting)
    for cell in judged:
        yield from judged_claims(data.setting, cell.judged)
        if best is not None and cell.judged.is_genuine and cell.judged.relaxation.value > best[0]:
            yield from bad_lines(cell.judged.patterns, best[1])
