"""Lists of the cells of one hidden unit, counts and verdicts of hidden cells of K units, and their files."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from gmpy2 import mpq

from exactdrl.certificate.cells_file import CellsWriter, bad_lines, cell_lines, complete_lines
from exactdrl.certificate.cells_file import judged_lines as judged_claims
from exactdrl.exact.rationals import InputError
from exactdrl.front.cells_data import CellsData
from exactdrl.front.result import Result
from exactdrl.hidden_cells.cone import ConeTooLargeError
from exactdrl.hidden_cells.dichotomies import UnitCell, cell_of
from exactdrl.hidden_cells.inradius import Inradius, find_inradius
from exactdrl.hidden_cells.large import LargeData, LargeVerdict, OpenCell
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
    cell_line,
    cell_object,
    count_lines,
    hidden_cell_objects,
    judged_lines,
    judged_objects,
    large_lines,
    large_object,
)

__all__ = [
    "DEFAULT_CELLS",
    "SHOWN",
    "CellCount",
    "CellsFiles",
    "Inradius",
    "JudgedCells",
    "LargeCells",
    "ListedCells",
    "UnitCell",
    "cell_line",
    "check_pattern",
    "count_cells",
    "count_hidden_cells",
    "count_lines",
    "hidden_cells_beyond",
    "judge_all_cells",
    "judge_drawn_cells",
    "list_cells",
]

DEFAULT_CELLS = 100_000
_SPENT = "the budget is spent"
# samples times inputs times units beyond which cells are decided without linear programs
_LARGE = 20_000


@dataclass(frozen=True, slots=True)
class CellsFiles:
    """The files into which cells are written.

    Attributes:
        certificate: the certificate's path, `*.drl` or `*.drl.gz`; None for none. The instance is written beside it
            unless it is a file already.
        table: the table's path, `*.parquet` or `*.csv`; None for none.
        force: whether existing files are written over.
    """

    certificate: Path | None = None
    table: Path | None = None
    force: bool = False

    def instance_path(self, data: CellsData) -> Path | None:
        """Returns the path to which the certificate's instance is written; None where it is not written."""
        if self.certificate is None or data.is_from_file:
            return None
        name = self.certificate.name.removesuffix(".gz").removesuffix(".drl")
        return self.certificate.with_name(f"{name}.json")

    def refuse_existing(self, data: CellsData) -> None:
        """Refuses paths that cannot be written, before the work is done.

        Raises:
            InputError: a path has another ending, or a file exists and `force` is not set.
        """
        if self.certificate is not None:
            if not self.certificate.name.endswith((".drl", ".drl.gz")):
                raise InputError(f"{self.certificate}: a certificate's name ends in .drl or .drl.gz")
            for path in (self.certificate, self.instance_path(data)):
                if path is not None:
                    refuse_existing(path, force=self.force)
        if self.table is not None:
            check_table_path(self.table, force=self.force)

    def open_writer(self, data: CellsData) -> CellsWriter | None:
        """Returns the writer of the certificate, after the instance is written; None without a certificate.

        Raises:
            InputError: a file exists and `force` is not set, or cannot be written.
        """
        if self.certificate is None:
            return None
        refuse_existing(self.certificate, force=self.force)
        beside = self.instance_path(data)
        if beside is not None:
            write_instance(data.instance, beside, force=self.force)
        return CellsWriter(self.certificate, data.instance.digest)

    def write_table(self, objects: Sequence[dict[str, object]]) -> None:
        """Writes the table, if there is a path for it."""
        if self.table is not None:
            write_cells_table(self.table, list(objects), force=self.force)


_NOWHERE = CellsFiles()


@dataclass(slots=True, repr=False)
class ListedCells(Result):
    """Cells of one unit, listed.

    Attributes:
        count: how many cells there are.
        units: how many units the hidden layer has.
        done: how many cells were listed.
        last: the pattern of the last listed cell; None without one.
        reason: why the list is not whole, where it is not.
        is_whole: whether all cells were listed, which their number proves.
        is_ended: whether a list that began behind a given cell reached the end of the sequence of cells.
        objects: the cells for JSON, where they were kept.
    """

    count: CellCount
    units: int
    done: int = 0
    last: str | None = None
    reason: str = _SPENT
    is_whole: bool = False
    is_ended: bool = False
    objects: list[dict[str, object]] = field(default_factory=list)

    @property
    def message(self) -> str:
        """Returns how far the list goes, in a sentence."""
        if self.is_whole:
            return f"complete: {self.done} cells, which is as many as the recursion counts"
        known = f"at least {max(self.count.least, self.done)}" if self.count.exact is None else str(self.count.exact)
        words = f"undecided: {self.reason}; {self.done} cells were listed, and there are {known}"
        if self.last is not None and len(self.last) <= SHOWN:
            words += f"; --after {self.last} goes on"
        return words

    def lines(self) -> list[str]:
        """Returns the count, and how far the list goes, in lines."""
        return [*count_lines(self.count, self.units), self.message]

    def to_dict(self) -> dict[str, object]:
        """Returns the cells for JSON."""
        return {"cells": self.objects, "listed": self.done, "is_complete": self.is_whole}


def list_cells(
    data: CellsData,
    count: CellCount,
    *,
    after: str | None = None,
    budget: int = DEFAULT_CELLS,
    files: CellsFiles = _NOWHERE,
    keeps: bool = True,
    on_cell: Callable[[int, UnitCell, Inradius], None] | None = None,
) -> ListedCells:
    """Lists the cells of one unit, each with a witness point and its exact inradius.

    Args:
        data: the problem, whose targets have no part in the list.
        count: the number of cells, see `count_cells`.
        after: the pattern of the cell behind which the list begins; None to begin with the first cell.
        budget: the most cells that are listed.
        files: the files into which the cells are written.
        keeps: whether the result holds the cells; a table holds them in any case.
        on_cell: is called with the number of cells so far, the cell, and the greatest ball in it.

    Raises:
        InputError: `after` is the pattern of no cell, or a file cannot be written.
    """
    samples, listed = data.setting.samples, ListedCells(count, data.setting.units)
    if after is not None:
        check_pattern(data, after)
    files.refuse_existing(data)
    with ExitStack() as stack:
        opened = files.open_writer(data)
        writer = None if opened is None else stack.enter_context(opened)
        try:
            for cell, ball in survey_cells(samples, after=after, budget=budget):
                listed.done += 1
                listed.last = cell.pattern
                if writer is not None:
                    writer.write(cell_lines(samples, cell, ball))
                if keeps or files.table is not None:
                    listed.objects.append(cell_object(cell, ball))
                if on_cell is not None:
                    on_cell(listed.done, cell, ball)
        except ConeTooLargeError as error:
            listed.reason = str(error)
        listed.is_whole = after is None and listed.done == count.exact
        if writer is not None and listed.is_whole:
            writer.write(complete_lines(listed.done))
    # a list behind a given cell is at its end where the sequence is, unless the budget cut it short
    listed.is_ended = after is not None and listed.reason == _SPENT and listed.done < budget
    units = data.setting.units
    if listed.is_whole and units > 1 and count_hidden_cells(listed.done, units)[1] <= budget:
        listed.objects = hidden_cell_objects([str(cell["pattern"]) for cell in listed.objects], units)
    files.write_table(listed.objects)
    return listed


def count_cells(data: CellsData) -> CellCount:
    """Returns how many cells one unit has: exactly, or by bounds where the exact count is too much work."""
    return count_unit_cells(data.setting.samples)


def check_pattern(data: CellsData, pattern: str) -> None:
    """Refuses a text that is the pattern of no cell.

    Raises:
        InputError: it is the pattern of no cell.
    """
    samples = data.setting.samples
    if len(pattern) != len(samples.places) or set(pattern) - {"0", "1"}:
        raise InputError(f"--after {pattern!r}: a bit for each of the {len(samples.places)} samples is needed")
    try:
        is_cell = cell_of(samples, pattern) is not None
    except ConeTooLargeError as error:
        raise InputError(f"--after {pattern!r}: {error}") from None
    if not is_cell:
        raise InputError(f"--after {pattern!r}: no weights have this pattern")


@dataclass(frozen=True, slots=True, repr=False)
class JudgedCells(Result):
    """Hidden cells, each with its verdict: does it have a genuine minimum, and is that a bad one?

    Attributes:
        data: the problem.
        judged: the cells.
        is_complete: whether these are all hidden cells, up to the order of the units.
    """

    data: CellsData
    judged: tuple[JudgedCell, ...]
    is_complete: bool

    @property
    def message(self) -> str:
        """Returns how many cells have a genuine and how many a bad minimum, in a sentence."""
        first, second = list(judged_lines(self.data.setting, self.judged))[:2]
        return f"{' '.join(first.split())}; {' '.join(second.split())}"

    @property
    def is_decided(self) -> bool:
        """Returns whether each cell is decided; linear programs decide every cell."""
        return True

    @property
    def objects(self) -> list[dict[str, object]]:
        """Returns the cells for JSON."""
        return judged_objects(self.data.setting, self.judged)

    def lines(self) -> list[str]:
        """Returns the result in lines, as `exactdrl cells --judge` prints it."""
        return list(judged_lines(self.data.setting, self.judged))

    def to_dict(self) -> dict[str, object]:
        """Returns the cells for JSON."""
        return {"cells": self.objects, "is_complete": self.is_complete}


@dataclass(frozen=True, slots=True, repr=False)
class LargeCells(Result):
    """Hidden cells of data at the size of images, each with the verdict whether it has a genuine minimum.

    Attributes:
        units: how many units the hidden layer has.
        patterns: for each cell, the pattern of each unit.
        verdicts: the verdict on each cell.
    """

    units: int
    patterns: tuple[tuple[str, ...], ...]
    verdicts: tuple[LargeVerdict, ...]

    @property
    def message(self) -> str:
        """Returns how many cells have a genuine minimum, in a sentence."""
        return "; ".join(" ".join(line.split()) for line in self.lines())

    @property
    def is_decided(self) -> bool:
        """Returns whether each cell is decided."""
        return not any(isinstance(verdict, OpenCell) for verdict in self.verdicts)

    @property
    def objects(self) -> list[dict[str, object]]:
        """Returns the cells for JSON."""
        return [large_object(chosen, verdict) for chosen, verdict in zip(self.patterns, self.verdicts, strict=True)]

    def lines(self) -> list[str]:
        """Returns the result in lines, as `exactdrl cells --draw` prints it."""
        return list(large_lines(self.units, self.verdicts))

    def to_dict(self) -> dict[str, object]:
        """Returns the cells for JSON."""
        return {"cells": self.objects, "is_complete": False}


def hidden_cells_beyond(count: CellCount, units: int, budget: int) -> str | None:
    """Returns why not all hidden cells can be judged within a budget, in words; None where they can."""
    total = count_hidden_cells(count.least, units)[1]
    if count.exact is not None and total <= budget:
        return None
    words = f"{'at least ' if count.exact is None else ''}{total} hidden cells of {units} units"
    return f"undecided: there are {words}, more than --budget {budget} allows; --draw M judges some of them"


def judge_all_cells(
    data: CellsData,
    count: CellCount,
    *,
    files: CellsFiles = _NOWHERE,
    on_cell: Callable[[int, str], None] | None = None,
) -> JudgedCells:
    """Judges all hidden cells of K units, up to their order.

    Args:
        data: the problem.
        count: the exact number of one unit's cells.
        files: the files into which the result is written.
        on_cell: is called with the number of cells so far, and a note.

    Raises:
        InputError: a file cannot be written.
    """
    files.refuse_existing(data)
    sized = list(survey_cells(data.setting.samples))
    if len(sized) != count.exact:
        raise AssertionError("the enumeration and the recursion differ")
    chosen = [(cell.pattern, ball.center) for cell, ball in sized]
    found = JudgedCells(data, tuple(judge_cells(data.setting, chosen, on_cell=on_cell)), is_complete=True)
    _write(found, sized, files)
    return found


def judge_drawn_cells(
    data: CellsData,
    draws: int,
    seed: int = 0,
    *,
    files: CellsFiles = _NOWHERE,
    on_cell: Callable[[int], None] | None = None,
) -> JudgedCells | LargeCells:
    """Judges the hidden cells of random weights.

    Args:
        data: the problem. Cells of data at the size of images are decided by linear systems, without a certificate.
        draws: how many weights are drawn.
        seed: the seed of the draws.
        files: the files into which the result is written.
        on_cell: is called with the number of cells so far.

    Raises:
        InputError: a certificate is asked for data at the size of images, or a file cannot be written.
    """
    files.refuse_existing(data)
    setting = data.setting
    drawn = _counted(draw_cells(setting, draws, seed), on_cell)
    if len(setting.targets) * setting.samples.dimension * setting.units > _LARGE:
        if files.certificate is not None:
            raise InputError(f"{files.certificate}: there is no certificate for cells of data this large; leave -o out")
        large, patterns, verdicts = LargeData.from_setting(setting), list[tuple[str, ...]](), list[LargeVerdict]()
        for chosen in drawn:
            patterns.append(tuple(pattern for pattern, _ in chosen))
            verdicts.append(large.decide([np.array([bit == "1" for bit in pattern]) for pattern in patterns[-1]]))
        result = LargeCells(setting.units, tuple(patterns), tuple(verdicts))
        files.write_table(result.objects)
        return result
    found = JudgedCells(data, tuple(judge_chosen(setting, chosen) for chosen in drawn), is_complete=False)
    _write(found, _sizes(found) if files.certificate is not None else [], files)
    return found


Chosen = Sequence[tuple[str, Sequence[mpq]]]


def _counted(drawn: Iterator[Chosen], on_cell: Callable[[int], None] | None) -> Iterator[Chosen]:
    """Yields cells, and calls `on_cell` with the number of cells that are done."""
    for number, chosen in enumerate(drawn, 1):
        yield chosen
        if on_cell is not None:
            on_cell(number)


def _sizes(found: JudgedCells) -> list[tuple[UnitCell, Inradius]]:
    """Returns the cells of single units that make up the judged hidden cells, each with the greatest ball in it."""
    samples, sized = found.data.setting.samples, list[tuple[UnitCell, Inradius]]()
    for pattern in dict.fromkeys(pattern for cell in found.judged for pattern in cell.judged.patterns):
        try:
            cell = cell_of(samples, pattern)
        except ConeTooLargeError as error:
            raise InputError(f"no certificate of drawn cells: {error}") from None
        if cell is None:
            raise AssertionError("weights lie in their cell")
        sized.append((cell, find_inradius(samples, cell)))
    return sized


def _write(found: JudgedCells, sized: Sequence[tuple[UnitCell, Inradius]], files: CellsFiles) -> None:
    setting = found.data.setting
    opened = files.open_writer(found.data)
    if opened is not None:
        with opened as writer:
            for cell, ball in sized:
                writer.write(cell_lines(setting.samples, cell, ball))
            if found.is_complete:
                writer.write(complete_lines(len(sized)))
            writer.write(_claims(found))
    files.write_table(found.objects)


def _claims(found: JudgedCells) -> Iterator[str]:
    setting = found.data.setting
    best = best_network(found.judged, setting)
    for cell in found.judged:
        yield from judged_claims(setting, cell.judged)
        if best is not None and cell.judged.is_genuine and cell.judged.relaxation.value > best[0]:
            yield from bad_lines(cell.judged.patterns, best[1])
