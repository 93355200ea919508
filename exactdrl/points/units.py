"""Computes how the inner weights of a hidden unit change the gradient of its outer weights, for one hidden layer.

With e_k the derivative of the loss by the outputs at sample k, a unit's map is
D_i(v) = Σ_k e_k a'(z_ik; x̃_k·v), one number for each output, piecewise linear in v. The loss changes by
Σ_i (h_i + dh_i)·D_i(dw_i) + Σ_i dh_i·S_i + B, where S_i = Σ_k e_k a(z_ik) and B ≥ 0. Source: proofs/all-parameters.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gmpy2 import mpq

from exactdrl.cells.kinks import Kink
from exactdrl.cells.local_form import LocalForm
from exactdrl.points.decision import Negative, Nonnegative, decide_form
from exactdrl.points.reading import read_setting
from exactdrl.points.setting import Matrix, Pass, Setting, Vector, activate, forward
from exactdrl.problem.instance import Instance

_ZERO, _ONE = mpq(0), mpq(1)
# tries of a smaller margin; each excludes a direction for good, and two or three are usual
_TRIES = 64


@dataclass(frozen=True, slots=True)
class UnitMap:
    """D_i of one hidden unit.

    Attributes:
        unit: from 0.
        drift: for each output, the linear part of D_i: one vector in the inner parameters.
        kinks: for each sample with z_ik = 0 that bends D_i: its number, x̃_k, and for each output the coefficient of
            |x̃_k·v|.
    """

    unit: int
    drift: Matrix
    kinks: tuple[tuple[int, Vector, Vector], ...]

    def form(self, outer: Sequence[mpq]) -> LocalForm:
        """Returns the form outer·D_i(v) in the unit's inner parameters."""
        size = len(self.drift[0])
        slope = tuple(sum((h * row[p] for h, row in zip(outer, self.drift, strict=True)), _ZERO) for p in range(size))
        return LocalForm(
            tuple(Kink(1, sample, self.unit) for sample, _, _ in self.kinks),
            tuple(x for _, x, _ in self.kinks),
            tuple({} for _ in self.kinks),
            slope,
            tuple(sum((h * c for h, c in zip(outer, jump, strict=True)), _ZERO) for _, _, jump in self.kinks),
        )

    def rates(self, v: Sequence[mpq]) -> Vector:
        """Returns D_i(v)."""
        totals = [sum((c * d for c, d in zip(row, v, strict=True)), _ZERO) for row in self.drift]
        for _, x, jump in self.kinks:
            size = abs(sum((a * d for a, d in zip(x, v, strict=True)), _ZERO))
            totals = [total + c * size for total, c in zip(totals, jump, strict=True)]
        return tuple(totals)


def map_unit(setting: Setting, found: Pass, duals: Matrix, unit: int) -> UnitMap:
    """Returns D_i for given e."""
    low, high = setting.slopes[0][unit]
    outputs = range(setting.outputs)
    size = len(found.arrivals[0][0])
    drift = [[_ZERO] * size for _ in outputs]
    kinks = []
    for sample, x in enumerate(found.arrivals[0]):
        value, e = found.values[0][sample][unit], duals[sample]
        if value or low == high:
            slope = high if value > 0 else low
        else:
            slope = (low + high) / 2
            if any(e) and any(x):
                kinks.append((sample, x, tuple(c * (high - low) / 2 for c in e)))
        for output in outputs:
            factor = slope * e[output]
            if factor:
                drift[output] = [d + factor * a for d, a in zip(drift[output], x, strict=True)]
    return UnitMap(unit, tuple(map(tuple, drift)), tuple(kinks))


def outer_gradient(setting: Setting, found: Pass, duals: Matrix) -> Matrix:
    """Returns Σ_k e_k a(z_ik) for each output and unit, and Σ_k e_k where there is an output bias: shape of layer 2."""
    return tuple(
        tuple(
            sum((duals[k][output] * found.arrivals[1][k][unit] for k in range(setting.samples)), _ZERO)
            for unit in range(len(found.arrivals[1][0]))
        )
        for output in range(setting.outputs)
    )


@dataclass(frozen=True, slots=True)
class Margin:
    """(h + δq)·D ≥ 0 for all corners q, so h'·D ≥ 0 for all h' near h."""

    delta: mpq


@dataclass(frozen=True, slots=True)
class Falls:
    """h·D(v) < 0: the unit's inner weights alone lower the loss."""

    direction: Vector


@dataclass(frozen=True, slots=True)
class Escapes:
    """h·D(v) = 0 and D(v) is not 0."""

    direction: Vector
    rates: Vector


@dataclass(frozen=True, slots=True)
class Unknown:
    """The budget was not enough to decide."""


UnitState: TypeAlias = Margin | Falls | Escapes | Unknown


def corners(outputs: int) -> list[Vector]:
    """Returns the corners of a simplex around 0: e_1, ..., e_dy, -(e_1 + ... + e_dy)."""
    units = [tuple(mpq(j == k) for k in range(outputs)) for j in range(outputs)]
    return [*units, (-_ONE,) * outputs]


def judge_unit(own: UnitMap, outer: Sequence[mpq], budget: int) -> UnitState:
    """Decides S2 and NE of one unit: h·D ≥ 0, and h·D(v) = 0 only where D(v) = 0.

    Both hold exactly if h'·D ≥ 0 for all h' near h. Exact; `Unknown` only beyond the budget.
    """
    base = decide_form(own.form(outer), budget)
    if isinstance(base, Negative):
        return Falls(base.direction)
    if not isinstance(base, Nonnegative):
        return Unknown()
    delta = min((abs(h) for h in outer if h), default=mpq(2)) / 2
    for _ in range(_TRIES):
        narrower = None
        for corner in corners(len(outer)):
            moved = [h + delta * q for h, q in zip(outer, corner, strict=True)]
            decided = decide_form(own.form(moved), budget)
            if isinstance(decided, Negative):
                rates = own.rates(decided.direction)
                slope = sum((h * r for h, r in zip(outer, rates, strict=True)), _ZERO)
                if not slope:
                    return Escapes(decided.direction, rates)
                lean = -sum((q * r for q, r in zip(corner, rates, strict=True)), _ZERO)
                narrower = slope / lean / 2
                break
            if not isinstance(decided, Nonnegative):
                return Unknown()
        if narrower is None:
            return Margin(delta)
        delta = _short_below(narrower)
    return Unknown()


def _short_below(value: mpq) -> mpq:
    """Returns a power of 2 in (value / 2, value]."""
    power = mpq(2) ** (int(value.numerator.bit_length()) - int(value.denominator.bit_length()))
    while power > value:
        power /= 2
    return power


def dead_units(setting: Setting, found: Pass, layer: int) -> tuple[int, ...]:
    """Returns the units of a hidden layer that are off on every sample and near it: slope 0 below 0, all z < 0."""
    return tuple(
        unit
        for unit, (low, _) in enumerate(setting.slopes[layer])
        if not low and all(row[unit] < 0 for row in found.values[layer])
    )


def dead_units_of(instance: Instance) -> tuple[int, ...]:
    """Returns the units of an instance's own layer that are off on every sample and near its start."""
    setting, theta = read_setting(instance, "layer")
    layer = setting.free[0]
    return () if layer == len(theta) - 1 else dead_units(setting, forward(setting, theta), layer)


def activations(setting: Setting, found: Pass, unit: int) -> list[mpq]:
    """Returns a(z_ik) for every sample."""
    return [activate(row[unit], setting.slopes[0][unit]) for row in found.values[0]]
