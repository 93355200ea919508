"""The loss near a point in abs-normal form: F(d) = g·d + Σ b_j |z_j|, z_j = Z_j·d + Σ_{k<j} L_jk |z_k|.

The form is exact at any rational point, vertex or not: L(u + d) = L(u) + F(d) for small d. Source: Griewank and
Walther's abs-normal form; proofs/FORMAT.md, section 5.

The format goes forward: from each layer's changes to the next layer's. Here the same coefficients are found backwards,
which is linear as well: a coefficient c on an activation is c times the slope of its preactivation's sign where that is
not 0, and c (above + below)/2 on z and c (above - below)/2 on |z| where it is an active kink. So one pass through all
samples at once gives g and b, and one through a single sample each active kink's own form.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from flint import fmpz, fmpz_mat
from gmpy2 import mpq

from exactdrl.cells.affine import incoming_weights
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink
from exactdrl.cells.scan import Values
from exactdrl.exact.linear import to_fmpz

_ZERO = mpq(0)
_HALF = mpq(1, 2)


@dataclass(frozen=True, slots=True)
class LocalForm:
    """The form F, in the units of `IntegerProblem`: kinks are scaled by their factors, the loss by loss_scale.

    Attributes:
        kinks: the active kinks, in address order.
        rows: Z_j, n rationals each.
        folds: for each j, L_jk by k; zeros are left out.
        slope: g, n rationals.
        weights: b_j.
    """

    kinks: tuple[Kink, ...]
    rows: tuple[tuple[mpq, ...], ...]
    folds: tuple[dict[int, mpq], ...]
    slope: tuple[mpq, ...]
    weights: tuple[mpq, ...]

    def kink_changes(self, direction: Sequence[mpq]) -> list[mpq]:
        """Returns z_j along a direction, for every active kink."""
        changes: list[mpq] = []
        for row, folds in zip(self.rows, self.folds, strict=True):
            change = sum((a * d for a, d in zip(row, direction, strict=True) if a and d), _ZERO)
            changes.append(change + sum((c * abs(changes[k]) for k, c in folds.items()), _ZERO))
        return changes

    def kink_change(self, position: int, direction: Sequence[mpq]) -> mpq:
        """Returns z_j along a direction, for one active kink."""
        change = sum((a * d for a, d in zip(self.rows[position], direction, strict=True) if a and d), _ZERO)
        for k, c in self.folds[position].items():
            change += c * abs(self.kink_change(k, direction))
        return change

    def change(self, direction: Sequence[mpq]) -> mpq:
        """Returns F(direction)."""
        changes = self.kink_changes(direction)
        linear = sum((g * d for g, d in zip(self.slope, direction, strict=True)), _ZERO)
        return linear + sum((b * abs(z) for b, z in zip(self.weights, changes, strict=True)), _ZERO)


def localise(problem: IntegerProblem, values: Values, derivatives: Sequence[fmpz] | None = None) -> LocalForm:
    """Returns the loss's local form at the point whose scaled values are given.

    Args:
        problem: the scaled problem.
        values: of the point.
        derivatives: for each residual, in address order, the derivative of a differentiable loss in its scaled value,
            all times one positive number; then residuals are no kinks, and F is the loss's first-order change times
            that number. None where the loss has two slopes.
    """
    kinks: list[Kink] = []
    rows: list[tuple[mpq, ...]] = []
    folds: list[dict[int, mpq]] = []
    position: dict[Kink, int] = {}
    for depth, width in enumerate(problem.widths):
        for index, value in enumerate(values[depth]):
            if value != 0 or not problem.addresses.is_kink(depth, index):
                continue
            sample = index // width
            kink = problem.addresses.kink(depth, index)
            units, fold = _own_form(problem, values, kink, position)
            # without any coefficient the kink's activation does not change at all
            if any(units) or fold:
                position[kink] = len(kinks)
                kinks.append(kink)
                rows.append(_spread(problem, sample, units))
                folds.append(fold)
    slope, weights = _pull_loss_back(problem, values, position, derivatives)
    return LocalForm(tuple(kinks), tuple(rows), tuple(folds), slope, weights)


def _spread(problem: IntegerProblem, sample: int, units: Sequence[mpq]) -> tuple[mpq, ...]:
    nothing = (_ZERO,) * problem.rank
    row: list[mpq] = []
    for unit in units:
        row.extend([unit * x for x in problem.rows[sample]] if unit else nothing)
    return tuple(row)


def _own_form(
    problem: IntegerProblem, values: Values, kink: Kink, position: dict[Kink, int]
) -> tuple[list[mpq], dict[int, mpq]]:
    """Returns a kink's change: coefficients on the trained layer's preactivation changes, and on the |z_k|."""
    sample = kink.sample
    folds: dict[int, mpq] = {}
    units = [_ZERO] * problem.widths[0]
    if not any(problem.rows[sample]):
        return units, folds
    if kink.layer == problem.first:
        units[problem.addresses.unit(kink)] = mpq(1)
        return units, folds
    # coefficients on the activations of the layer below
    coefficients = [mpq(weight) for weight in incoming_weights(problem, kink)]
    for depth in range(kink.layer - problem.first - 1, -1, -1):
        width = problem.widths[depth]
        for unit, coefficient in enumerate(coefficients):
            if not coefficient:
                continue
            value = values[depth][sample * width + unit]
            below, above = problem.slopes[depth][unit]
            folded = position.get(problem.addresses.kink(depth, sample * width + unit)) if value == 0 else None
            if folded is None:
                # an activation whose form is identically 0 has coefficients 0 below
                coefficients[unit] = coefficient * (above if value > 0 else below)
            else:
                coefficients[unit] = coefficient * (above + below) * _HALF
                folds[folded] = coefficient * (above - below) * _HALF
        if depth:
            pulled = [_ZERO] * problem.widths[depth - 1]
            for unit, coefficient in enumerate(coefficients):
                if coefficient:
                    row = problem.weights[depth - 1][unit]
                    pulled = [p + coefficient * w for p, w in zip(pulled, row, strict=True)]
            coefficients = pulled
    return coefficients, {k: value for k, value in sorted(folds.items()) if value}


def _pull_loss_back(
    problem: IntegerProblem, values: Values, position: dict[Kink, int], derivatives: Sequence[fmpz] | None
) -> tuple[tuple[mpq, ...], tuple[mpq, ...]]:
    """Returns g and b: the loss's coefficients on the parameters and on the |z_k|.

    It computes in integers: the residuals' coefficients are multiplied by 2, and each layer's once more than those of
    the layer above.
    """
    top = len(problem.widths) - 1
    active: list[dict[int, int]] = [{} for _ in problem.widths]
    for kink, place in position.items():
        depth, index = problem.addresses.place(kink)
        active[depth][index] = place
    weights = [_ZERO] * len(position)
    entries: list[fmpz] = []
    for index, value in enumerate(values[top]):
        factor = problem.residual_factors[index // problem.widths[top]]
        if derivatives is not None:
            entries.append(2 * to_fmpz(factor) * derivatives[index])
            continue
        below, above = problem.loss_slopes[index]
        if index in active[top]:
            weights[active[top][index]] = mpq(above - below, 2)
            entries.append(to_fmpz(factor * (above + below)))
        else:
            entries.append(to_fmpz(2 * factor * (above if value > 0 else below)))
    matrix = fmpz_mat(problem.samples, problem.widths[top], entries)
    for depth in range(top - 1, -1, -1):
        scale = 2 ** (top - depth + 1)
        pulled = (matrix * problem.weight_matrices[depth].transpose()).entries()
        passed = [2 * entry for entry in problem.pass_on(depth, [value > 0 for value in values[depth]], pulled)]
        for index, place in active[depth].items():
            below, above = problem.slopes[depth][index % problem.widths[depth]]
            passed[index] = pulled[index] * to_fmpz(above + below)
            weights[place] = mpq(int(pulled[index]) * (above - below), scale)
        matrix = fmpz_mat(problem.samples, problem.widths[depth], passed)
    slope = (matrix.transpose() * problem.row_matrix).entries()
    return tuple(mpq(int(entry), 2 ** (top + 1)) for entry in slope), tuple(weights)
