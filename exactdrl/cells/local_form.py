"""The loss near a point in abs-normal form: F(d) = g·d + Σ b_j |z_j|, z_j = Z_j·d + Σ_{k<j} L_jk |z_k|.

Exact at any rational point, vertex or not: L(u + d) = L(u) + F(d) for small d. Source: Griewank and Walther's
abs-normal form; proofs/FORMAT.md, section 5.

The format goes forward: from each layer's changes to the next layer's. Here the same coefficients are found backwards,
which is linear as well: a coefficient c on an activation is c on its preactivation where that is positive, and
c/2 on z and c/2 on |z| where it is an active kink. So one pass through all samples at once gives g and b, and one
through a single sample each active kink's own form.
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
    """F, in the scaled units of `IntegerProblem` (kinks by their factors, the loss by loss_scale).

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


def localise(problem: IntegerProblem, values: Values) -> LocalForm:
    """Returns the loss's local form at the point whose scaled values are given."""
    kinks: list[Kink] = []
    rows: list[tuple[mpq, ...]] = []
    folds: list[dict[int, mpq]] = []
    position: dict[Kink, int] = {}
    for depth, width in enumerate(problem.widths):
        for index, value in enumerate(values[depth]):
            if value != 0:
                continue
            sample, unit = divmod(index, width)
            kink = Kink(problem.first + depth, sample, unit)
            units, fold = _own_form(problem, values, kink, position)
            # without any coefficient the kink's activation does not change at all
            if any(units) or fold:
                position[kink] = len(kinks)
                kinks.append(kink)
                rows.append(_spread(problem, sample, units))
                folds.append(fold)
    slope, weights = _pull_loss_back(problem, values, position)
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
        units[kink.unit] = mpq(1)
        return units, folds
    # coefficients on the activations of the layer below
    coefficients = [mpq(weight) for weight in incoming_weights(problem, kink)]
    for depth in range(kink.layer - problem.first - 1, -1, -1):
        width = problem.widths[depth]
        for unit, coefficient in enumerate(coefficients):
            if not coefficient or (value := values[depth][sample * width + unit]) > 0:
                continue
            folded = position.get(Kink(problem.first + depth, sample, unit)) if value == 0 else None
            if folded is None:
                coefficients[unit] = _ZERO
            else:
                coefficients[unit] = folds[folded] = coefficient * _HALF
        if depth:
            below = [_ZERO] * problem.widths[depth - 1]
            for unit, coefficient in enumerate(coefficients):
                if coefficient:
                    below = [b + coefficient * w for b, w in zip(below, problem.weights[depth - 1][unit], strict=True)]
            coefficients = below
    return coefficients, {k: value for k, value in sorted(folds.items()) if value}


def _pull_loss_back(
    problem: IntegerProblem, values: Values, position: dict[Kink, int]
) -> tuple[tuple[mpq, ...], tuple[mpq, ...]]:
    """Returns g and b: the loss's coefficients on the parameters and on the |z_k|.

    In integers: a layer's coefficients are multiplied by 2 once more than those of the layer above.
    """
    top = len(problem.widths) - 1
    active: list[dict[int, int]] = [{} for _ in problem.widths]
    for kink, place in position.items():
        depth = kink.layer - problem.first
        active[depth][kink.sample * problem.widths[depth] + kink.unit] = place
    weights = [_ZERO] * len(position)
    entries: list[fmpz] = []
    for index, value in enumerate(values[top]):
        sample = index // problem.widths[top]
        if value == 0:
            entries.append(fmpz(0))
            if index in active[top]:
                weights[active[top][index]] = mpq(problem.sample_weights[sample])
        else:
            size = to_fmpz(problem.sample_weights[sample] * problem.residual_factors[sample])
            entries.append(size if value > 0 else -size)
    matrix = fmpz_mat(problem.samples, problem.widths[top], entries)
    for depth in range(top - 1, -1, -1):
        scale = 2 ** (top - depth)
        pulled = (matrix * problem.weight_matrices[depth].transpose()).entries()
        passed = [2 * entry if value > 0 else 0 for entry, value in zip(pulled, values[depth], strict=True)]
        for index, place in active[depth].items():
            passed[index] = pulled[index]
            weights[place] = mpq(int(pulled[index]), scale)
        matrix = fmpz_mat(problem.samples, problem.widths[depth], passed)
    slope = (matrix.transpose() * problem.row_matrix).entries()
    return tuple(mpq(int(entry), 2**top) for entry in slope), tuple(weights)
