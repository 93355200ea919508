"""The first-order change of the loss at a point in abs-normal form, for any free layers, activations and losses.

F(d) = g·d + Σ b_j |z_j| with z_j = Z_j·d + Σ_{k<j} L_jk |z_k|. It is the one-sided derivative of the loss in the
direction d. With one free layer and a loss with two slopes it is the loss's change itself, for small d. With the
squared loss the change is F(d) + Σ (weights) δf(d)². Kinks have the addresses of proofs/FORMAT.md, section 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gmpy2 import mpq

from exactdrl.cells.kinks import Kink
from exactdrl.cells.local_form import LocalForm
from exactdrl.exact.sparse import add_multiple
from exactdrl.points.setting import Pass, Setting, Slopes, Theta, derivative, forward

_ZERO, _HALF = mpq(0), mpq(1, 2)
# coefficients by parameter
Sparse: TypeAlias = dict[int, mpq]


@dataclass(frozen=True, slots=True)
class _Change:
    """How a number changes: coefficients on the parameters, and on the |z_k|."""

    row: Sparse
    fold: Sparse

    def __bool__(self) -> bool:
        """Returns whether it changes at all."""
        return bool(self.row or self.fold)


_STILL = _Change({}, {})


class _Builder:
    """Collects kinks and the loss's change."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.kinks: list[Kink] = []
        self.rows: list[_Change] = []
        self.slope: Sparse = {}
        self.weights: Sparse = {}

    def meet(self, kink: Kink, change: _Change) -> int:
        self.kinks.append(kink)
        self.rows.append(change)
        return len(self.kinks) - 1

    def add(self, factor: mpq, change: _Change) -> None:
        add_multiple(self.slope, factor, change.row)
        add_multiple(self.weights, factor, change.fold)

    def form(self) -> LocalForm:
        return LocalForm(
            tuple(self.kinks),
            tuple(_dense(change.row, self.size) for change in self.rows),
            tuple(dict(sorted(change.fold.items())) for change in self.rows),
            _dense(self.slope, self.size),
            tuple(self.weights.get(j, _ZERO) for j in range(len(self.kinks))),
        )


def find_duals(setting: Setting, found: Pass) -> list[list[mpq | None]]:
    """Returns e, shape (N, n_{L+1}): the derivative of the loss by each output; None where the loss has a kink."""
    return [[derivative(setting, i, j, r) for j, r in enumerate(row)] for i, row in enumerate(found.values[-1])]


def localise_point(
    setting: Setting,
    theta: Theta,
    *,
    duals: Sequence[Sequence[mpq | None]] | None = None,
    is_spread: bool = False,
) -> LocalForm:
    """Returns F at a point, in the parameters of the free layers, layer by layer and row by row.

    Args:
        setting: the problem.
        theta: the point.
        duals: the multipliers of the residuals' changes, shape (N, n_{L+1}), None for a kink of the loss; default: the
            loss's own derivatives.
        is_spread: adds |δr| of every residual whose sample has a weight. The sum is 0 where F and all δr are 0.
    """
    found = forward(setting, theta)
    duals = find_duals(setting, found) if duals is None else duals
    offsets, size = _offsets(setting, theta)
    builder = _Builder(size)
    below: list[list[_Change]] = [[_STILL] * len(row) for row in found.arrivals[min(setting.free)]]
    last = len(theta) - 1
    for number in range(min(setting.free), len(theta)):
        above: list[list[_Change]] = []
        for sample, values in enumerate(found.values[number]):
            changes = []
            for unit, row in enumerate(theta[number]):
                own = _own_change(offsets.get(number), unit, found.arrivals[number][sample])
                for weight, change in zip(row, below[sample], strict=False):
                    if weight and change:
                        add_multiple(own.row, weight, change.row)
                        add_multiple(own.fold, weight, change.fold)
                kink = Kink(number + 1, sample, unit)
                if number < last:
                    changes.append(_activate(builder, kink, values[unit], setting.slopes[number][unit], own))
                else:
                    _charge(setting, builder, kink, own, duals[sample][unit], is_spread=is_spread)
            above.append(changes)
        below = above
    return builder.form()


def _offsets(setting: Setting, theta: Theta) -> tuple[dict[int, int], int]:
    """Returns where each free layer's parameters begin, and how many there are."""
    offsets, size = {}, 0
    for number in setting.free:
        offsets[number] = size
        size += sum(map(len, theta[number]))
    return offsets, size


def _own_change(offset: int | None, unit: int, arrival: Sequence[mpq]) -> _Change:
    """Returns how a preactivation changes with its own layer's parameters."""
    if offset is None:
        return _Change({}, {})
    start = offset + unit * len(arrival)
    return _Change({start + k: x for k, x in enumerate(arrival) if x}, {})


def _activate(builder: _Builder, kink: Kink, value: mpq, slopes: Slopes, change: _Change) -> _Change:
    if not change:
        return _STILL
    low, high = slopes
    if value or low == high:
        slope = high if value > 0 else low
        return _scaled(slope, change)
    place = builder.meet(kink, change)
    mean = _scaled((low + high) * _HALF, change)
    fold = dict(mean.fold)
    fold[place] = (high - low) * _HALF
    return _Change(dict(mean.row), fold)


def _charge(
    setting: Setting, builder: _Builder, kink: Kink, change: _Change, dual: mpq | None, *, is_spread: bool
) -> None:
    """Adds what a residual's change adds to the loss's."""
    weight = setting.weights[kink.sample]
    if not weight or not change:
        return
    extra = _ZERO
    if dual is not None:
        if dual:
            builder.add(dual, change)
    elif setting.loss_slopes is not None:
        low, high = setting.loss_slopes[kink.sample][kink.unit]
        builder.add(weight * (low + high) * _HALF, change)
        extra = weight * (high - low) * _HALF
    if is_spread:
        extra += 1
    if extra:
        builder.weights[builder.meet(kink, change)] = extra


def _scaled(factor: mpq, change: _Change) -> _Change:
    if not factor:
        return _STILL
    return _Change(
        {key: factor * value for key, value in change.row.items()},
        {key: factor * value for key, value in change.fold.items()},
    )


def _dense(row: Sparse, size: int) -> tuple[mpq, ...]:
    dense = [_ZERO] * size
    for key, value in row.items():
        dense[key] = value
    return tuple(dense)
