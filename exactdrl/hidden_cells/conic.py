"""Finds best fits by nonnegative combinations of some columns and free combinations of others. Exact.

Source: Lawson and Hanson, Solving least squares problems (1974), chapter 23, in rationals; the absolute fit is the
dual linear program.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from flint import fmpq_mat
from gmpy2 import mpq

from exactdrl.exact.linear import to_fmpq, to_integers, to_mpq
from exactdrl.exact.program import BoundedForms

_ZERO, _ONE = mpq(0), mpq(1)


@dataclass(frozen=True, slots=True)
class Conic:
    """A best fit.

    Attributes:
        value: Σ r² or Σ |r|.
        coefficients: one for each column; nonnegative where the column is not free.
        dual: e with e · column ≥ 0, and = 0 where it is free; value = -Σ e (2 y + e) or -Σ e y with |e| ≤ 1.
    """

    value: mpq
    coefficients: tuple[mpq, ...]
    dual: tuple[mpq, ...]


def _dot(left: Sequence[mpq], right: Sequence[mpq]) -> mpq:
    return sum((a * b for a, b in zip(left, right, strict=True) if a and b), _ZERO)


class _Independent:
    """Columns that are independent, by elimination as they come."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, list[mpq]]] = []

    def add(self, column: Sequence[mpq]) -> bool:
        """Returns whether a column is independent of those before, and takes it if so."""
        rest = list(column)
        for lead, row in self.rows:
            if rest[lead]:
                factor = rest[lead]
                rest = [a - factor * b for a, b in zip(rest, row, strict=True)]
        lead = next((place for place, entry in enumerate(rest) if entry), -1)
        if lead < 0:
            return False
        unit = rest[lead]
        self.rows.append((lead, [entry / unit for entry in rest]))
        return True


def _solve(
    columns: Sequence[Sequence[mpq]], chosen: Sequence[int], gram: dict[tuple[int, int], mpq], products: Sequence[mpq]
) -> list[mpq]:
    """Returns the least squares coefficients of independent columns."""
    size = len(chosen)
    if not size:
        return []
    entries = []
    for a in chosen:
        for b in chosen:
            key = (a, b) if a <= b else (b, a)
            if key not in gram:
                gram[key] = _dot(columns[a], columns[b])
            entries.append(to_fmpq(gram[key]))
    right = fmpq_mat(size, 1, [to_fmpq(products[a]) for a in chosen])
    return [to_mpq(entry) for entry in fmpq_mat(size, size, entries).solve(right).entries()]


def fit_squared(columns: Sequence[Sequence[mpq]], free: Sequence[bool], goals: Sequence[mpq]) -> Conic:
    """Returns the fit with the least Σ r². Exact, and it ends: every passive set has a smaller residual than the last.

    Args:
        columns: of one length.
        free: for each column whether its coefficient may be negative.
        goals: y.
    """
    products = [_dot(column, goals) for column in columns]
    gram: dict[tuple[int, int], mpq] = {}
    basis = _Independent()
    fixed = [number for number, is_free in enumerate(free) if is_free and basis.add(columns[number])]
    passive: list[int] = []
    values: dict[int, mpq] = dict(zip(fixed, _solve(columns, fixed, gram, products), strict=True))
    while True:
        residuals = [-goal for goal in goals]
        for number, value in values.items():
            if value:
                residuals = [r + value * c if c else r for r, c in zip(residuals, columns[number], strict=True)]
        slopes = [(_dot(columns[number], residuals), number) for number in range(len(columns)) if not free[number]]
        # the slopes are not normalised, since any column with a negative slope will do
        slope, entering = min(slopes, default=(_ZERO, -1))
        if slope >= 0:
            coefficients = tuple(values.get(number, _ZERO) for number in range(len(columns)))
            return Conic(_dot(residuals, residuals), coefficients, tuple(residuals))
        passive.append(entering)
        values[entering] = _ZERO
        while True:
            chosen = fixed + passive
            solution = dict(zip(chosen, _solve(columns, chosen, gram, products), strict=True))
            if all(solution[number] > 0 for number in passive):
                values = solution
                break
            step = min(
                values[number] / (values[number] - solution[number]) for number in passive if solution[number] <= 0
            )
            values = {number: values[number] + step * (solution[number] - values[number]) for number in chosen}
            passive = [number for number in passive if values[number] > 0]
            values = {number: values[number] for number in fixed + passive}


def fit_absolute(columns: Sequence[Sequence[mpq]], free: Sequence[bool], goals: Sequence[mpq]) -> Conic:
    """Returns the fit with the least Σ |r|, by the greatest -e · y. Exact.

    Args:
        columns: of one length.
        free: for each column whether its coefficient may be negative.
        goals: y.
    """
    if not goals:
        return Conic(_ZERO, tuple(_ZERO for _ in columns), ())
    rows, units = [], []
    for column in columns:
        numbers, unit = to_integers(list(column))
        rows.append(numbers)
        units.append(unit)
    numbers, scale = to_integers([-goal for goal in goals])
    program = BoundedForms([*rows, numbers], len(goals))
    for sample in range(len(goals)):
        program.set_bounds(sample, -_ONE, _ONE)
    for number, is_free in enumerate(free):
        program.set_bounds(len(goals) + number, _ZERO, _ZERO if is_free else None)
    found = program.maximize(len(goals) + len(rows))
    if found is None:
        raise AssertionError("a bounded program has an optimum")
    coefficients = tuple(-found.multipliers[len(goals) + number] * unit / scale for number, unit in enumerate(units))
    return Conic(found.value / scale, coefficients, found.point)
