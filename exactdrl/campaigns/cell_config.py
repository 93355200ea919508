"""The tables [[cells]] of a configuration."""

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import get_args

from exactdrl.campaigns.cell_case import ALL, CellCase
from exactdrl.campaigns.values import MAX_SEED, integer, refuse_unknown, several
from exactdrl.doors.sample import DOUBLE_BITS
from exactdrl.exact.rationals import InputError, shown
from exactdrl.hidden_cells.count import general_count
from exactdrl.hidden_cells.draws import DISTRIBUTIONS, Distribution
from exactdrl.hidden_cells.setting import LossKind
from exactdrl.hidden_cells.survey import count_hidden_cells

LOSSES: tuple[LossKind, ...] = get_args(LossKind)
DEFAULT_BITS = 12
# the most hidden cells of one run; a cell takes some milliseconds, so that more would take hours
MAX_CELLS = 1_000_000
_MAX_SAMPLES, _MAX_INPUTS, _MAX_UNITS, _MAX_DRAWS = 10_000, 100, 100, 1_000_000
_NEEDED = ("samples", "inputs", "units", "seeds")
_KNOWN = (*_NEEDED, "distributions", "losses", "bits", "draws", "first_seed")


def to_cell_cases(table: dict[str, object], place: str, room: int) -> Sequence[CellCase] | None:
    """Returns the runs of a table [[cells]]; None if there are more runs than `room`.

    Raises:
        InputError: the table is not of the form; the message names the place and the value.
    """
    refuse_unknown(table, f"{place}: ", _KNOWN)
    for key in _NEEDED:
        if key not in table:
            raise InputError(f"{place}: key {key!r} is missing")
    distributions = several(table.get("distributions", ["gaussian"]), f"{place}.distributions", _distribution)
    inputs = _integers(table["inputs"], f"{place}.inputs", _MAX_INPUTS)
    samples = _integers(table["samples"], f"{place}.samples", _MAX_SAMPLES)
    units = _integers(table["units"], f"{place}.units", _MAX_UNITS)
    losses = several(table.get("losses", ["squared"]), f"{place}.losses", _loss)
    bits = _integers(table.get("bits", [DEFAULT_BITS]), f"{place}.bits", DOUBLE_BITS)
    draws = _draws(table.get("draws", ALL), f"{place}.draws")
    first = integer(table.get("first_seed", 0), f"{place}.first_seed", 0, MAX_SEED)
    seeds = integer(table["seeds"], f"{place}.seeds", 1, MAX_SEED)
    if prod(len(values) for values in (distributions, inputs, samples, units, losses, bits)) * seeds > room:
        return None
    if draws is None:
        for shape in product(samples, inputs, units):
            _refuse_too_many(*shape, place)
    combinations = product(distributions, inputs, samples, units, losses, bits, [draws], range(first, first + seeds))
    return [CellCase(*combination) for combination in combinations]


def _refuse_too_many(samples: int, inputs: int, units: int, place: str) -> None:
    """Refuses to judge all hidden cells where there are too many."""
    # the appended 1 makes the rank inputs + 1, and random data have as many cells as data in general position
    _, cells = count_hidden_cells(general_count(samples, inputs + 1), units)
    if cells > MAX_CELLS:
        raise InputError(
            f"{place}: {samples} samples with {inputs} inputs and {units} units have {cells} hidden cells in general "
            f'position; draws = "{ALL}" judges at most {MAX_CELLS}, and draws = 20 judges those of 20 random weights'
        )


def _integers(value: object, place: str, greatest: int) -> list[int]:
    return several(value, place, lambda entry, at: integer(entry, at, 1, greatest))


def _distribution(value: object, place: str) -> Distribution:
    for name in DISTRIBUTIONS:
        if value == name:
            return name
    raise InputError(f"{place} is {shown(value)}; one of {', '.join(DISTRIBUTIONS)} is needed")


def _loss(value: object, place: str) -> LossKind:
    for name in LOSSES:
        if value == name:
            return name
    raise InputError(f"{place} is {shown(value)}; one of {', '.join(LOSSES)} is needed")


def _draws(value: object, place: str) -> int | None:
    if value == ALL:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MAX_DRAWS:
        raise InputError(f'{place} is {shown(value)}, "{ALL}" or an integer from 1 to {_MAX_DRAWS} is needed')
    return value
