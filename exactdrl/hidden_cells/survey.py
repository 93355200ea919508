"""Surveys all cells of one unit with their sizes, and the verdicts on all hidden cells or on drawn ones."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import comb
from random import Random

from gmpy2 import mpq

from exactdrl.hidden_cells.cone import ConeTooLargeError
from exactdrl.hidden_cells.count import count_cells, general_count, least_count
from exactdrl.hidden_cells.dichotomies import UnitCell, cells
from exactdrl.hidden_cells.inradius import Inradius, find_inradius
from exactdrl.hidden_cells.judge import Judged, judge_cell, to_network
from exactdrl.hidden_cells.samples import Samples
from exactdrl.hidden_cells.setting import Network, Setting

# entries of vectors that the count computes at most: some seconds
COUNT_BUDGET = 5_000_000
# weights of drawn units are integers of this size, as good as Gaussian numbers to six digits
_GRAIN = 10**6


@dataclass(frozen=True, slots=True)
class CellCount:
    """The number of cells of one unit, or bounds on it.

    Attributes:
        exact: the number, by the recursion; None where that is too much work.
        least: a lower bound.
        most: an upper bound.
    """

    exact: int | None
    least: int
    most: int


def count_unit_cells(samples: Samples, budget: int | None = COUNT_BUDGET) -> CellCount:
    """Returns the number of cells of one unit, or bounds on it.

    Args:
        samples: of the problem.
        budget: see `count_cells`.
    """
    planes = len(samples.planes)
    rank = len(samples.pivots)
    exact = count_cells(samples, budget)
    if exact is not None:
        return CellCount(exact, exact, exact)
    return CellCount(None, least_count(planes, rank), general_count(planes, rank))


def count_hidden_cells(unit_cells: int, units: int) -> tuple[int, int]:
    """Returns the number of hidden cells of K units, and that up to the order of the units."""
    return unit_cells**units, comb(unit_cells + units - 1, units)


def survey_cells(
    samples: Samples, *, after: str | None = None, budget: int | None = None
) -> Iterator[tuple[UnitCell, Inradius]]:
    """Yields the cells of one unit with their largest balls, in the order of `cells`, until the budget is spent.

    Args:
        samples: of the problem.
        after: see `cells`.
        budget: the most cells that are yielded; None for no limit.

    Raises:
        ConeTooLargeError: a cell has so many rays that it cannot be cut.
    """
    ball: Inradius | None = None
    for number, cell in enumerate(cells(samples, after)):
        if budget is not None and number >= budget:
            return
        if ball is None or not cell.sides or cell.sides[0] > 0:
            ball = find_inradius(samples, cell)
        else:
            # the opposite of the cell before
            ball = Inradius(tuple(-entry for entry in ball.center), ball.radius, ball.multipliers)
        yield cell, ball


@dataclass(frozen=True, slots=True)
class JudgedCell:
    """A hidden cell with its verdict.

    Attributes:
        judged: what minima it has.
        network: at a genuine minimum; None where there is none.
    """

    judged: Judged
    network: Network | None


def judge_cells(
    setting: Setting,
    unit_cells: Sequence[tuple[str, Sequence[mpq]]],
    *,
    on_cell: Callable[[int, str], None] | None = None,
) -> Iterator[JudgedCell]:
    """Yields the verdicts of all hidden cells, up to the order of the units.

    Args:
        setting: of the problem.
        unit_cells: of one unit, each with a point of it.
        on_cell: called with the number of hidden cells so far and a note.
    """
    ordered = sorted(unit_cells, key=lambda cell: cell[0], reverse=True)
    for number, chosen in enumerate(combinations_with_replacement(ordered, setting.units), 1):
        yield judge_chosen(setting, chosen)
        if on_cell is not None:
            on_cell(number, "")


def judge_chosen(setting: Setting, chosen: Sequence[tuple[str, Sequence[mpq]]]) -> JudgedCell:
    """Returns the verdict of one hidden cell, given by the cells of its units, each with a point."""
    judged = judge_cell(setting, [pattern for pattern, _ in chosen])
    network = to_network(setting, judged.feasible[0], [point for _, point in chosen]) if judged.feasible else None
    return JudgedCell(judged, network)


def draw_cells(setting: Setting, count: int, seed: int) -> Iterator[tuple[tuple[str, tuple[mpq, ...]], ...]]:
    """Yields hidden cells that random weights lie in, with those weights: Gaussian, rounded to multiples of 10⁻⁶.

    Weights with a preactivation 0 are drawn again.

    Args:
        setting: of the problem.
        count: how many are drawn; the same one may come again.
        seed: of the generator.
    """
    random, samples = Random(seed), setting.samples  # noqa: S311 - no secret hangs on it
    for _ in range(count):
        yield tuple(_draw(random, samples) for _ in range(setting.units))


def _draw(random: Random, samples: Samples) -> tuple[str, tuple[mpq, ...]]:
    while True:
        weights = tuple(mpq(round(random.gauss(0, 1) * _GRAIN), _GRAIN) for _ in range(samples.dimension))
        products = [sum((a * b for a, b in zip(row, weights, strict=True)), mpq(0)) for row in samples.rows]
        if all(p or place is None for p, place in zip(products, samples.places, strict=True)):
            return "".join("1" if p > 0 else "0" for p in products), weights


def best_network(found: Sequence[JudgedCell], setting: Setting) -> tuple[mpq, Network] | None:
    """Returns the least loss at genuine minima, and a network there; None if there are none."""
    best: tuple[mpq, Network] | None = None
    for cell in found:
        loss = cell.judged.relaxation.value
        if cell.network is not None and (best is None or loss < best[0]):
            best = loss, cell.network
    if best is not None and setting.loss_of(best[1]) != best[0]:
        raise AssertionError("a network at a genuine minimum has its loss")
    return best


__all__ = [
    "CellCount",
    "ConeTooLargeError",
    "JudgedCell",
    "best_network",
    "count_hidden_cells",
    "count_unit_cells",
    "draw_cells",
    "judge_cells",
    "judge_chosen",
    "survey_cells",
]
