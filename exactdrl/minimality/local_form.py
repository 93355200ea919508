"""The loss near a point in abs-normal form: F(d) = g·d + Σ b_j |z_j|, z_j = Z_j·d + Σ_{k<j} L_jk |z_k|.

Exact at any rational point, vertex or not: L(u + d) = L(u) + F(d) for small d. Source: Griewank and Walther's
abs-normal form; proofs/FORMAT.md, section 5, which this module follows step by step.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gmpy2 import mpq

from exactdrl.cells.affine import gradient, incoming_weights
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink
from exactdrl.cells.scan import Values, pattern_of, vanishing_kinks

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


class _Affine:
    """A form on one sample: `units` on the trained layer's preactivation changes, `folds` on the |z_k|."""

    __slots__ = ("folds", "units")

    def __init__(self, units: list[mpq], folds: dict[int, mpq]) -> None:
        self.units, self.folds = units, folds

    @classmethod
    def zero(cls, problem: IntegerProblem) -> "_Affine":
        return cls([_ZERO] * problem.widths[0], {})

    @classmethod
    def fold(cls, problem: IntegerProblem, index: int) -> "_Affine":
        return cls([_ZERO] * problem.widths[0], {index: mpq(1)})

    def add(self, other: "_Affine", factor: mpq) -> None:
        self.units = [a + factor * b for a, b in zip(self.units, other.units, strict=True)]
        for k, value in other.folds.items():
            self.folds[k] = self.folds.get(k, _ZERO) + factor * value

    def is_zero(self) -> bool:
        return not any(self.units) and not any(self.folds.values())


def localise(problem: IntegerProblem, values: Values) -> LocalForm:
    """Returns the loss's local form at the point whose scaled values are given."""
    pattern = pattern_of(problem, values)
    samples = sorted({kink.sample for kink in vanishing_kinks(pattern, values)})
    slope = [mpq(entry) for entry in gradient(problem, pattern, skipped=set(samples))]
    found: list[tuple[Kink, tuple[mpq, ...], dict[int, mpq], mpq]] = []
    for sample in samples:
        share = _localise_sample(problem, values, sample, found)
        slope = [g + s for g, s in zip(slope, _spread(problem, sample, share), strict=True)]
    # found is ordered by sample; the format orders by address. Indices of folds move with it.
    order = sorted(range(len(found)), key=lambda index: found[index][0])
    position = {old: new for new, old in enumerate(order)}
    return LocalForm(
        tuple(found[old][0] for old in order),
        tuple(found[old][1] for old in order),
        tuple({position[k]: value for k, value in found[old][2].items() if value} for old in order),
        tuple(slope),
        tuple(found[old][3] for old in order),
    )


def _spread(problem: IntegerProblem, sample: int, units: Sequence[mpq]) -> tuple[mpq, ...]:
    return tuple(unit * x for unit in units for x in problem.rows[sample])


def _localise_sample(
    problem: IntegerProblem,
    values: Values,
    sample: int,
    found: list[tuple[Kink, tuple[mpq, ...], dict[int, mpq], mpq]],
) -> list[mpq]:
    """Appends a sample's active kinks, and returns its share of g as units of the trained layer."""
    top = len(problem.widths) - 1
    weight = mpq(problem.sample_weights[sample])
    share = _Affine.zero(problem)
    begin = len(found)
    # None for activations that do not change
    activations: list[_Affine | None] = []
    for depth, width in enumerate(problem.widths):
        passed: list[_Affine | None] = []
        for unit in range(width):
            kink = Kink(problem.first + depth, sample, unit)
            form = _preactivation(problem, kink, activations)
            value = values[depth][sample * width + unit]
            activation = form if value > 0 else None
            if value == 0 and not form.is_zero():
                found.append(
                    (kink, _spread(problem, sample, form.units), form.folds, weight if depth == top else _ZERO)
                )
                activation = _Affine.zero(problem)
                activation.add(form, _HALF)
                activation.add(_Affine.fold(problem, len(found) - 1), _HALF)
            if depth == top and value != 0:
                share.add(form, weight if value > 0 else -weight)
            passed.append(activation)
        activations = passed
    for index in range(begin, len(found)):
        kink, row, folds, own = found[index]
        found[index] = (kink, row, folds, own + share.folds.get(index, _ZERO))
    return share.units


def _preactivation(problem: IntegerProblem, kink: Kink, activations: Sequence[_Affine | None]) -> _Affine:
    """Returns the change of a preactivation from the changes of the activations one layer below."""
    form = _Affine.zero(problem)
    if kink.layer == problem.first:
        if any(problem.rows[kink.sample]):
            form.units[kink.unit] = mpq(1)
        return form
    for weight, activation in zip(incoming_weights(problem, kink), activations, strict=True):
        if weight and activation is not None:
            form.add(activation, mpq(weight))
    return form
