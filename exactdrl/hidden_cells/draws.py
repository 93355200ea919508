"""Draws random data and judges their hidden cells, all or those of random weights: which have bad minima, say."""

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement, permutations
from typing import Literal, TypeAlias, get_args

from gmpy2 import mpq

from exactdrl.hidden_cells.dichotomies import UnitCell, cells
from exactdrl.hidden_cells.judge import judge_cell
from exactdrl.hidden_cells.measure import gaussian_measure
from exactdrl.hidden_cells.setting import LossKind, Setting
from exactdrl.hidden_cells.survey import draw_cells

Distribution: TypeAlias = Literal["gaussian", "uniform"]
DISTRIBUTIONS: tuple[Distribution, ...] = get_args(Distribution)
Patterns: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DataShape:
    """The kind of data that is drawn.

    Attributes:
        distribution: of inputs and targets, which are independent: standard Gaussian, or uniform on [-1, 1].
        inputs: how many a sample has; a bias is appended.
        samples: N.
        grain: numbers are rounded to multiples of 1 / grain.
    """

    distribution: Distribution
    inputs: int
    samples: int
    grain: int


def draw_setting(shape: DataShape, units: int, loss: LossKind, seed: int) -> Setting:
    """Returns the data of a seed, with the network that they are given to.

    Args:
        shape: of the data.
        units: K.
        loss: its kind.
        seed: the draw; together with inputs, samples and distribution it decides the numbers before they are rounded.
    """
    source = random.Random(f"{shape.inputs} {shape.samples} {shape.distribution} {seed}")  # noqa: S311 - no secret

    def number() -> mpq:
        value = source.gauss(0, 1) if shape.distribution == "gaussian" else source.uniform(-1, 1)
        return mpq(round(value * shape.grain), shape.grain)

    rows = [[number() for _ in range(shape.inputs)] for _ in range(shape.samples)]
    return Setting.create(rows, [number() for _ in range(shape.samples)], units=units, loss=loss)


@dataclass(frozen=True, slots=True)
class AllJudged:
    """All hidden cells of some data, up to the order of the units, and one of them that random weights lie in.

    Attributes:
        cells: the hidden cells, each as its units' patterns in order.
        values: of the hidden cells that have a genuine minimum, the loss there.
        masses: of each hidden cell, in any order of its units, two rationals between which its share of weight space
            lies, by Gaussian weights; empty where one unit has more than two weights.
        drawn: the hidden cell of random weights.
    """

    cells: tuple[Patterns, ...]
    values: Mapping[Patterns, mpq]
    masses: Mapping[Patterns, tuple[mpq, mpq]]
    drawn: Patterns

    @property
    def best(self) -> mpq:
        """Returns the least loss at a genuine minimum."""
        return min(self.values.values())

    @property
    def bad(self) -> frozenset[Patterns]:
        """Returns the hidden cells whose genuine minimum is worse than that of another."""
        best = self.best
        return frozenset(patterns for patterns, value in self.values.items() if value > best)

    def mass(self, group: Collection[Patterns]) -> tuple[mpq, mpq] | None:
        """Returns two rationals between which the share of weight space of some hidden cells lies; None if unknown."""
        if not self.masses:
            return None
        low, high = (sum((self.masses[patterns][side] for patterns in group), mpq(0)) for side in (0, 1))
        return low, high


def judge_all(setting: Setting, seed: int) -> AllJudged:
    """Judges all hidden cells.

    Args:
        setting: of the problem; the activation is 0 on one side, so that the cell of dead units has a minimum.
        seed: of the random weights.

    Raises:
        ConeTooLargeError: a cell has so many rays that it cannot be cut.
    """
    unit_cells = sorted(cells(setting.samples), key=lambda cell: cell.pattern)
    found: list[Patterns] = []
    values: dict[Patterns, mpq] = {}
    masses: dict[Patterns, tuple[mpq, mpq]] = {}
    for chosen in combinations_with_replacement(unit_cells, setting.units):
        patterns = tuple(cell.pattern for cell in chosen)
        found.append(patterns)
        judged = judge_cell(setting, patterns)
        if judged.is_genuine:
            values[patterns] = judged.relaxation.value
        mass = _find_mass(chosen)
        if mass is not None:
            masses[patterns] = mass
    return AllJudged(tuple(found), values, masses, _drawn(setting, 1, seed)[0])


def _find_mass(chosen: tuple[UnitCell, ...]) -> tuple[mpq, mpq] | None:
    """Returns the share of weight space of a hidden cell, in any order of its units."""
    low = high = mpq(len(set(permutations(cell.pattern for cell in chosen))))
    for cell in chosen:
        bounds = gaussian_measure(cell.cone)
        if bounds is None:
            return None
        low, high = low * bounds[0], high * bounds[1]
    return low, high


@dataclass(frozen=True, slots=True)
class DrawnJudged:
    """The hidden cells that random weights lie in.

    Attributes:
        drawn: the cell of each draw, in the order of the draws, as its units' patterns in order.
        values: of those with a genuine minimum, the loss there.
        best: the least loss that is known: at one of these minima, or where the network is 0.
    """

    drawn: tuple[Patterns, ...]
    values: Mapping[Patterns, mpq]
    best: mpq

    def is_bad(self, patterns: Patterns) -> bool | None:
        """Returns whether a hidden cell has a bad minimum; None if no better point is known, but there may be one."""
        value = self.values.get(patterns)
        if value is None:
            return False
        if value > self.best:
            return True
        return None if value else False


def judge_drawn(setting: Setting, count: int, seed: int) -> DrawnJudged:
    """Judges the hidden cells that random weights lie in.

    Args:
        setting: of the problem.
        count: how many weights are drawn, at least 1. The first ones are those that `judge_all` draws.
        seed: of the random weights.
    """
    drawn = _drawn(setting, count, seed)
    values: dict[Patterns, mpq] = {}
    for patterns in dict.fromkeys(drawn):
        judged = judge_cell(setting, patterns)
        if judged.is_genuine:
            values[patterns] = judged.relaxation.value
    return DrawnJudged(drawn, values, min([setting.total(setting.targets), *values.values()]))


def _drawn(setting: Setting, count: int, seed: int) -> tuple[Patterns, ...]:
    found = draw_cells(setting, count, seed)
    return tuple(tuple(sorted(pattern for pattern, _ in chosen)) for chosen in found)
