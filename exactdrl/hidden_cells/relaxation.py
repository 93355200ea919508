"""The relaxation of a hidden cell: the least loss over all V, whatever the signs, by exact least squares or LAD."""

from collections.abc import Sequence
from dataclasses import dataclass

from flint import fmpq_mat, fmpz_mat
from gmpy2 import mpq, mpz

from exactdrl.exact.linear import pivot_columns, to_integers, to_mpq
from exactdrl.exact.program import BoundedForms, Conflict
from exactdrl.hidden_cells.setting import LossKind, Setting

_ONE = mpq(1)


@dataclass(frozen=True, slots=True)
class Relaxation:
    """A minimum of the relaxation, with its dual.

    Attributes:
        matrix: A, N rows: for each unit m entries, and one for the output's bias if there is one.
        variables: V, as long as a row of A; 0 outside A's pivot columns.
        residuals: A V - y.
        dual: e with Aᵀ e = 0. Squared loss: the residuals. Absolute loss: |e_k| < 1 if and only if the residual is 0,
            and e_k is the residual's sign otherwise (strict complementarity).
        is_tied: for each sample whether all minima have the prediction A V there because of this dual: always for the
            squared loss, and where |e_k| < 1 for the absolute loss.
        value: of the loss.
    """

    matrix: tuple[tuple[mpq, ...], ...]
    variables: tuple[mpq, ...]
    residuals: tuple[mpq, ...]
    dual: tuple[mpq, ...]
    is_tied: tuple[bool, ...]
    value: mpq


def design_matrix(setting: Setting, patterns: Sequence[str]) -> list[list[mpq]]:
    """Returns A: predictions in the hidden cell of the patterns are A V."""
    rows = []
    for sample in range(len(setting.targets)):
        x = setting.samples.vector(sample)
        row = [setting.slope(pattern[sample]) * entry for pattern in patterns for entry in x]
        rows.append([*row, _ONE] if setting.has_output_bias else row)
    return rows


def relax(setting: Setting, patterns: Sequence[str]) -> Relaxation:
    """Returns a minimum of the relaxation of a hidden cell."""
    return fit(design_matrix(setting, patterns), setting.targets, setting.loss)


def fit(matrix: Sequence[Sequence[mpq]], targets: Sequence[mpq], loss: LossKind) -> Relaxation:
    """Returns a V with the least loss of A V - y, and its dual. Exact.

    Args:
        matrix: A, N rows of one length.
        targets: y.
        loss: its kind.
    """
    if loss == "squared":
        return _project(matrix, targets)
    return _complete(matrix, targets)


def least_squares(matrix: Sequence[Sequence[mpq]], targets: Sequence[mpq]) -> list[mpq]:
    """Returns a V with the least Σ (A V - y)², 0 outside the pivot columns of A. Exact."""
    width = len(matrix[0])
    numbers, scale = to_integers([entry for row in matrix for entry in row])
    rows = [numbers[start : start + width] for start in range(0, len(numbers), width)]
    found = [mpq(0)] * width
    columns = pivot_columns(rows, width)
    if columns:
        part = fmpz_mat(len(rows), len(columns), [int(row[column]) for row in rows for column in columns])
        goals, unit = to_integers(list(targets))
        right = part.transpose() * fmpz_mat(len(rows), 1, [int(goal) for goal in goals])
        solution = fmpq_mat(part.transpose() * part).solve(fmpq_mat(right))
        for column, entry in zip(columns, solution.entries(), strict=True):
            found[column] = to_mpq(entry) * scale / unit
    return found


def residuals_of(matrix: Sequence[Sequence[mpq]], variables: Sequence[mpq], targets: Sequence[mpq]) -> list[mpq]:
    """Returns A V - y."""
    return [
        sum((a * v for a, v in zip(row, variables, strict=True) if a and v), -target)
        for row, target in zip(matrix, targets, strict=True)
    ]


def _project(matrix: Sequence[Sequence[mpq]], targets: Sequence[mpq]) -> Relaxation:
    variables = least_squares(matrix, targets)
    residuals = tuple(residuals_of(matrix, variables, targets))
    rows = tuple(tuple(row) for row in matrix)
    tied = tuple(True for _ in rows)
    return Relaxation(rows, tuple(variables), residuals, residuals, tied, sum((r * r for r in residuals), mpq(0)))


class _Duals:
    """The e with Aᵀ e = 0 and |e_k| ≤ 1, over which linear functions are maximised."""

    def __init__(self, matrix: Sequence[Sequence[mpq]]) -> None:
        integer_rows, self.scales = [], []
        for row in matrix:
            numbers, scale = to_integers(list(row))
            integer_rows.append(numbers)
            self.scales.append(scale)
        self.count, self.width = len(matrix), len(matrix[0])
        self.columns = pivot_columns(integer_rows, self.width)
        self.matrix = matrix
        # one row for each pivot column of A, scaled to integers
        self.rows, self.units = [], []
        for column in self.columns:
            numbers, unit = to_integers([row[column] for row in matrix])
            self.rows.append(numbers)
            self.units.append(unit)

    def maximize(
        self, goal: Sequence[mpq], fixed: Sequence[mpq | None]
    ) -> tuple[mpq, tuple[mpq, ...], list[mpq], list[mpq]]:
        """Returns the greatest goal · e, that e, d with goal = A d + rates, and the rates.

        Args:
            goal: N numbers.
            fixed: for each sample what e_k has to be, or None for -1 ≤ e_k ≤ 1.
        """
        numbers, unit = to_integers(list(goal))
        program = BoundedForms([*self.rows, numbers], self.count)
        for form in range(len(self.rows)):
            program.set_bounds(self.count + form, mpq(0), mpq(0))
        for sample, value in enumerate(fixed):
            low, high = (-_ONE, _ONE) if value is None else (value, value)
            program.set_bounds(sample, low, high)
        if isinstance(program.solve(), Conflict):  # a result, and no wrong type
            raise AssertionError("the dual of a LAD problem has solutions")  # noqa: TRY004
        found = program.maximize(self.count + len(self.rows))
        if found is None:
            raise AssertionError("a bounded program has an optimum")
        direction = [mpq(0)] * self.width
        for place, column in enumerate(self.columns):
            direction[column] = found.multipliers[self.count + place] * self.units[place] / unit
        rates = [found.multipliers[sample] / unit for sample in range(self.count)]
        return found.value / unit, found.point, direction, rates


def _complete(matrix: Sequence[Sequence[mpq]], targets: Sequence[mpq]) -> Relaxation:
    """Returns a LAD optimum and a dual that are strictly complementary.

    Where a residual is 0 and e_k is ±1, either another dual has |e_k| < 1, or the program that says otherwise returns a
    direction in which V stays optimal and the residual becomes e_k · positive; of both kinds midpoints are taken.
    """
    duals = _Duals(matrix)
    # -e · y = A d · e + rates · e, so that V = -d has the residuals A V - y = rates
    _, first, direction, _ = duals.maximize([-target for target in targets], [None] * len(targets))
    variables, dual = [-entry for entry in direction], list(first)
    for sample in range(len(targets)):
        residuals = residuals_of(matrix, variables, targets)
        if residuals[sample] or abs(dual[sample]) < 1:
            continue
        sign = dual[sample]
        fixed = [None if not r else _ONE if r > 0 else -_ONE for r in residuals]
        goal = [-sign if k == sample else mpq(0) for k in range(len(dual))]
        value, other, direction, rates = duals.maximize(goal, fixed)
        if value > -1:
            dual = [(a + b) / 2 for a, b in zip(dual, other, strict=True)]
            continue
        # goal = A d + rates, so that along -d the residuals change by rates - goal
        dual = [(a + b) / 2 for a, b in zip(dual, other, strict=True)]
        changes = [rate - own for rate, own in zip(rates, goal, strict=True)]
        step = min((abs(r / c) / 2 for r, c in zip(residuals, changes, strict=True) if r * c < 0), default=_ONE)
        variables = [v - step * d for v, d in zip(variables, direction, strict=True)]
    residuals = residuals_of(matrix, variables, targets)
    rows = tuple(tuple(row) for row in matrix)
    tied = tuple(not r for r in residuals)
    return Relaxation(rows, tuple(variables), tuple(residuals), tuple(dual), tied, sum(map(abs, residuals), mpq(0)))


def to_scaled_rows(matrix: Sequence[Sequence[mpq]]) -> tuple[list[list[mpz]], list[mpz]]:
    """Returns the rows scaled to integers, and the positive factors."""
    rows, factors = [], []
    for row in matrix:
        numbers, factor = to_integers(list(row))
        rows.append(numbers)
        factors.append(factor)
    return rows, factors
