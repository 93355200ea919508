"""`exactdrl cells`."""

import json
import time
from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement
from pathlib import Path

import click
from gmpy2 import mpq

from exactdrl import InputError, to_float, to_text
from exactdrl.certificate.cells_file import CellsWriter, bad_lines, cell_lines, complete_lines, judged_lines
from exactdrl.hidden_cells.cone import ConeTooLargeError
from exactdrl.hidden_cells.dichotomies import UnitCell, cell_of
from exactdrl.hidden_cells.inradius import Inradius, find_inradius
from exactdrl.hidden_cells.measure import gaussian_measure
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
from exactdrl.problem.file import refuse_existing, write_instance
from exactdrl.report.cells_table import write_cells_table

from .cells_data import Data, cells_options
from .progress import progress
from .words import loss_words

UNDECIDED = 3
_BUDGET = 100_000
# lines of a table that a person reads
_SHOWN = 200

Sized = tuple[UnitCell, Inradius]


@click.command("cells")
@cells_options
@click.option("--judge", is_flag=True, help="say which hidden cells have a genuine minimum, and which are bad")
@click.option("--draw", type=click.IntRange(min=1), metavar="M", help="judge M cells of random weights, not all")
@click.option("--seed", type=int, default=0, show_default=True, help="of --draw")
@click.option("--budget", type=click.IntRange(min=1), default=_BUDGET, show_default=True, help="cells that are listed or judged at most")
@click.option("--after", metavar="PATTERN", help="go on behind this cell of an enumeration that was stopped")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="write the certificate, *.drl or *.drl.gz; of a table also the instance beside it")
@click.option("--table", "table_path", type=click.Path(path_type=Path), help="write the cells to *.parquet or *.csv")
@click.option("--force", is_flag=True, help="write over existing files")
@click.option("--json", "as_json", is_flag=True, help="print the cells as JSON")
def cells_command(
    *,
    data: Data,
    source: Path,
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
    preactivations; its pattern has a bit for each sample. With --judge every hidden cell of K units is decided: does
    it hold a minimum of its relaxation (a genuine minimum), and is another point better (a bad one)?
    """
    del source
    if after is not None:
        _check_pattern(data, after)
    for path in filter(None, (output, table_path)):
        refuse_existing(path, force=force)
    if draw is not None:
        return _judge_drawn(data, draw, seed, output, as_json=as_json, force=force)
    began = time.monotonic()
    count = count_unit_cells(data.setting.samples)
    if judge:
        return _judge_all(data, count, budget, output, table_path, as_json=as_json, force=force)
    return _list_cells(data, count, budget, after, output, table_path, as_json=as_json, force=force, began=began)


def _check_pattern(data: Data, pattern: str) -> None:
    samples = data.setting.samples
    if len(pattern) != len(samples.places) or set(pattern) - {"0", "1"}:
        raise InputError(f"--after {pattern!r}: a bit for each of the {len(samples.places)} samples is needed")
    if samples.pattern(samples.sides(pattern)) != pattern or cell_of(samples, pattern) is None:
        raise InputError(f"--after {pattern!r}: no weights have this pattern")


def open_writer(data: Data, output: Path, *, force: bool) -> CellsWriter:
    """Returns the writer of a certificate; the instance that it is about is written beside it unless it was given.

    Raises:
        InputError: a file exists and `force` is not set, or cannot be written.
    """
    if not output.name.endswith((".drl", ".drl.gz")):
        raise InputError(f"{output}: a certificate's name ends in .drl or .drl.gz")
    refuse_existing(output, force=force)
    if not data.is_from_file:
        beside = output.with_name(output.name.removesuffix(".gz").removesuffix(".drl") + ".json")
        write_instance(data.instance, beside, force=force)
        click.echo(f"note: the instance that {output} is about is {beside}", err=True)
    return CellsWriter(output, data.instance.digest)


def _cell_json(cell: UnitCell, ball: Inradius) -> dict[str, object]:
    measure = gaussian_measure(cell.cone)
    return {
        "pattern": cell.pattern,
        "genuine": None,
        "loss": None,
        "witness": [to_text(entry) for entry in ball.center],
        "inradius": to_text(ball.radius),
        "measure": None if measure is None else [to_text(bound) for bound in measure],
    }


def _count_words(data: Data, count: CellCount) -> list[str]:
    lines = []
    if count.exact is not None:
        lines.append(f"cells        {count.exact} of one unit, by the recursion")
        if data.setting.units > 1:
            ordered, free = count_hidden_cells(count.exact, data.setting.units)
            lines.append(f"hidden cells {ordered} of {data.setting.units} units, {free} up to their order")
    else:
        lines.append(f"cells        at least {count.least}, at most {count.most} of one unit; the recursion is too much work")
    return lines


def _list_cells(
    data: Data,
    count: CellCount,
    budget: int,
    after: str | None,
    output: Path | None,
    table_path: Path | None,
    *,
    as_json: bool,
    force: bool,
    began: float,
) -> int:
    samples, found = data.setting.samples, list[dict[str, object]]()
    writer = None if output is None else open_writer(data, output, force=force)
    keeps = as_json or table_path is not None
    done, last, reason = 0, None, "the budget is spent"
    smallest: mpq | None = None
    largest: mpq | None = None
    if not as_json:
        for line in _count_words(data, count):
            click.echo(line)
    try:
        with progress("cells", total=count.exact, unit="cell") as report:
            for cell, ball in survey_cells(samples, after=after, budget=budget):
                done += 1
                last = cell.pattern
                smallest = ball.radius if smallest is None else min(smallest, ball.radius)
                largest = ball.radius if largest is None else max(largest, ball.radius)
                if writer is not None:
                    writer.write(cell_lines(samples, cell, ball))
                if keeps:
                    found.append(_cell_json(cell, ball))
                elif done <= _SHOWN:
                    click.echo(f"{cell.pattern}  inradius {to_text(ball.radius)}")
                report(done)
    except ConeTooLargeError as error:
        reason = str(error)
    is_whole = after is None and done == count.exact
    if writer is not None:
        if is_whole:
            writer.write(complete_lines(done))
        writer.finish(is_complete=is_whole or done > 0)
    if as_json:
        click.echo(json.dumps(_with_units(data, found) if is_whole else found))
    if table_path is not None:
        write_cells_table(table_path, found, force=force)
    if not as_json:
        if done > _SHOWN and not keeps:
            click.echo(f"...          {done - _SHOWN} more; --json, --table and -o have all")
        if smallest is not None and largest is not None:
            click.echo(f"inradius     {to_float(smallest):.6g} to {to_float(largest):.6g}")
        click.echo(f"listed       {done} in {time.monotonic() - began:.1f} s")
    if is_whole:
        if not as_json:
            click.echo("complete     as many as the recursion counts")
        return 0
    if after is not None and count.exact is not None and reason == "the budget is spent" and done < budget:
        return 0
    known = f"at least {max(count.least, done)}" if count.exact is None else str(count.exact)
    words = f"undecided: {reason}; {done} cells listed, there are {known}"
    hint = f"; --after {_resume_pattern(data, last)} goes on" if last is not None and len(last) <= _SHOWN else ""
    click.echo(words + hint, err=True)
    return UNDECIDED


def _resume_pattern(data: Data, last: str) -> str:
    """Returns the cell of the enumerated half that the last one is, or is the opposite of."""
    samples = data.setting.samples
    return last if samples.sides(last)[0] > 0 else samples.mirror(last)


def _with_units(data: Data, found: list[dict[str, object]]) -> list[dict[str, object]]:
    """Returns the objects of hidden cells of K units; those of one unit have witnesses and sizes."""
    if data.setting.units == 1:
        return found
    patterns = sorted((str(cell["pattern"]) for cell in found), reverse=True)
    if count_hidden_cells(len(patterns), data.setting.units)[1] > _BUDGET:
        return found
    return [
        {"pattern": list(chosen), "genuine": None, "loss": None}
        for chosen in combinations_with_replacement(patterns, data.setting.units)
    ]


def _judge_all(
    data: Data,
    count: CellCount,
    budget: int,
    output: Path | None,
    table_path: Path | None,
    *,
    as_json: bool,
    force: bool,
) -> int:
    units = data.setting.units
    known = count.exact if count.exact is not None else count.least
    total = count_hidden_cells(known, units)[1]
    if count.exact is None or total > budget:
        words = f"{'at least ' if count.exact is None else ''}{total}"
        click.echo(f"undecided: {words} hidden cells of {units} units, more than --budget {budget}; --draw M judges some", err=True)
        return UNDECIDED
    sized = list(survey_cells(data.setting.samples))
    if len(sized) != count.exact:
        raise AssertionError("the enumeration and the recursion differ")
    chosen = [(cell.pattern, ball.center) for cell, ball in sized]
    with progress("judge", total=total, unit="cell") as report:
        judged = list(judge_cells(data.setting, chosen, on_cell=report))
    _finish_judged(data, judged, sized, output, is_complete=True, as_json=as_json, force=force)
    if table_path is not None:
        write_cells_table(table_path, _judged_json(data, judged), force=force)
    return 0


def _judge_drawn(data: Data, draw: int, seed: int, output: Path | None, *, as_json: bool, force: bool) -> int:
    with progress("judge", total=draw, unit="cell") as report:
        judged = []
        for number, chosen in enumerate(draw_cells(data.setting, draw, seed), 1):
            judged.append(judge_chosen(data.setting, chosen))
            report(number)
    sized: list[Sized] = []
    if output is not None:
        for pattern in dict.fromkeys(pattern for cell in judged for pattern in cell.judged.patterns):
            cell = cell_of(data.setting.samples, pattern)
            if cell is None:
                raise AssertionError("weights lie in their cell")
            sized.append((cell, find_inradius(data.setting.samples, cell)))
    _finish_judged(data, judged, sized, output, is_complete=False, as_json=as_json, force=force)
    return 0


def _finish_judged(
    data: Data,
    judged: Sequence[JudgedCell],
    sized: Sequence[Sized],
    output: Path | None,
    *,
    is_complete: bool,
    as_json: bool,
    force: bool,
) -> None:
    if output is not None:
        with open_writer(data, output, force=force) as writer:
            for cell, ball in sized:
                writer.write(cell_lines(data.setting.samples, cell, ball))
            if is_complete:
                writer.write(complete_lines(len(sized)))
            writer.write(_judged_claims(data, judged))
    found = _judged_json(data, judged)
    if as_json:
        click.echo(json.dumps(found))
        return
    for line in _judged_words(data, judged, found):
        click.echo(line)


def _judged_claims(data: Data, judged: Sequence[JudgedCell]) -> Iterator[str]:
    best = best_network(judged, data.setting)
    for cell in judged:
        yield from judged_lines(data.setting, cell.judged)
        if best is not None and cell.judged.is_genuine and cell.judged.relaxation.value > best[0]:
            yield from bad_lines(cell.judged.patterns, best[1])


def _judged_json(data: Data, judged: Sequence[JudgedCell]) -> list[dict[str, object]]:
    best = best_network(judged, data.setting)
    found = []
    for cell in judged:
        own, value = cell.judged, cell.judged.relaxation.value
        found.append(
            {
                "pattern": own.patterns[0] if len(own.patterns) == 1 else list(own.patterns),
                "genuine": own.is_genuine,
                "loss": to_text(value),
                "mean": to_text(value / len(data.setting.targets)),
                "signs": [choice.signs for choice in own.feasible],
                "dimension": own.dimension,
                "valleys": len(own.valleys),
                "valleys_up_to_order": len(own.classes),
                "bad": None if not own.is_genuine or best is None else value > best[0],
            }
        )
    return found


def _judged_words(data: Data, judged: Sequence[JudgedCell], found: Sequence[dict[str, object]]) -> Iterator[str]:
    genuine = sum(cell.judged.is_genuine for cell in judged)
    bad = sum(1 for cell in found if cell["bad"])
    yield f"judged       {len(judged)} hidden cells of {data.setting.units} units, {data.setting.loss} loss"
    yield f"genuine      {genuine}, of which bad {bad}"
    best = best_network(judged, data.setting)
    if best is not None:
        yield f"best         {loss_words(best[0])}, mean {to_text(best[0] / len(data.setting.targets))}"
    for cell, line in list(zip(judged, found, strict=True))[:_SHOWN]:
        signs = ", ".join(choice.signs for choice in cell.judged.feasible) or "none"
        tail = "" if not cell.judged.is_genuine else f"  dimension {cell.judged.dimension}, valleys {line['valleys']}, up to order {line['valleys_up_to_order']}"
        mark = "bad" if line["bad"] else "genuine" if cell.judged.is_genuine else "-"
        yield f"{' '.join(cell.judged.patterns)}  {line['loss']}  {mark:7}  signs {signs}{tail}"
    if len(judged) > _SHOWN:
        yield f"...          {len(judged) - _SHOWN} more; --json and -o have all"
