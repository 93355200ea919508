"""What the network above the trained layer allows: ranges and curvature of the outputs, over all parameters.

The trained layer's preactivations take every value, and depend on the parameters in a linear way. From there, layer by
layer, a range and a curvature is kept for each unit: a weighted sum of convex functions with weights ≥ 0 is convex, an
activation that bends upwards and does not fall keeps convexity, one that a range shows on one side of its kink only is
linear. So units without effect are found at any depth, and losses that are constant or convex, and a lower bound of the
loss. All that is found is proved. What is not found may still be true. Source: proofs/convexity.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gmpy2 import mpq

from exactdrl.problem.instance import Instance

_ZERO = mpq(0)


@dataclass(frozen=True, slots=True)
class Quantity:
    """What is known of a function of the trained layer's parameters.

    Attributes:
        low: a lower bound; None where none is known.
        high: an upper bound; None where none is known.
        is_convex: whether it is convex for certain.
        is_concave: whether it is concave for certain; with both it is affine.
        units: the units of the trained layer on which it may depend.
    """

    low: mpq | None
    high: mpq | None
    is_convex: bool
    is_concave: bool
    units: frozenset[int]


@dataclass(frozen=True, slots=True)
class Ranges:
    """What is known of the loss.

    Attributes:
        bound: a lower bound of the loss; None where none is known.
        is_constant: whether the loss is the same everywhere for certain.
        is_convex: whether it is convex for certain, so that every local minimum is a global one.
        idle: units of the trained layer that have no effect on the loss for certain, from 0.
    """

    bound: mpq | None
    is_constant: bool
    is_convex: bool
    idle: tuple[int, ...]


def find_ranges(instance: Instance) -> Ranges:
    """Returns what the network above the trained layer says of the loss. Exact; sufficient, not necessary.

    Args:
        instance: with one layer trained and a loss with two slopes.
    """
    first = instance.layer
    if first == len(instance.layers):
        # residuals are affine and take every value
        is_nonnegative = instance.loss.is_nonnegative
        return Ranges(_ZERO if is_nonnegative else None, is_constant=False, is_convex=True, idle=())
    zeros = [not any(x) for x in instance.pushed_inputs()]
    outputs = {is_zero: _find_outputs(instance, is_zero=is_zero) for is_zero in set(zeros)}
    entries = [
        _activate(_add([output], -target), below, above)
        for sample, (is_zero, targets) in enumerate(zip(zeros, instance.targets, strict=True))
        for output, target, (below, above) in zip(outputs[is_zero], targets, instance.entry_slopes(sample), strict=True)
    ]
    total = _add(entries, _ZERO)
    idle = tuple(unit for unit in range(len(instance.start)) if unit not in total.units)
    return Ranges(total.low, total.low is not None and total.low == total.high, total.is_convex, idle)


def _find_outputs(instance: Instance, *, is_zero: bool) -> list[Quantity]:
    """Returns the network's outputs on a sample whose x̃ is 0, or on any other."""
    first = instance.layer
    row = [
        _affine(_ZERO, _ZERO, frozenset()) if is_zero else _affine(None, None, frozenset({unit}))
        for unit in range(len(instance.start))
    ]
    for below, layer in zip(instance.layers[first - 1 :], instance.layers[first:], strict=False):
        row = [_activate(q, a.below, a.above) for q, a in zip(row, below.activations, strict=True)]
        offsets = layer.bias or (_ZERO,) * len(layer.weight)
        row = [
            _add([_scale(q, w) for q, w in zip(row, weights, strict=True)], offset)
            for weights, offset in zip(layer.weight, offsets, strict=True)
        ]
    return row


def _affine(low: mpq | None, high: mpq | None, units: frozenset[int]) -> Quantity:
    return Quantity(low, high, is_convex=True, is_concave=True, units=units)


def _scale(value: Quantity, factor: mpq) -> Quantity:
    if not factor:
        return _affine(_ZERO, _ZERO, frozenset())
    ends = [None if end is None else factor * end for end in (value.low, value.high)]
    if factor > 0:
        return Quantity(ends[0], ends[1], value.is_convex, value.is_concave, value.units)
    return Quantity(ends[1], ends[0], value.is_concave, value.is_convex, value.units)


def _add(values: Sequence[Quantity], offset: mpq) -> Quantity:
    low: mpq | None = offset
    high: mpq | None = offset
    for value in values:
        low = None if low is None or value.low is None else low + value.low
        high = None if high is None or value.high is None else high + value.high
    return Quantity(
        low,
        high,
        all(value.is_convex for value in values),
        all(value.is_concave for value in values),
        frozenset().union(*(value.units for value in values)),
    )


def _activate(value: Quantity, below: mpq, above: mpq) -> Quantity:
    """Returns a function with two slopes of a quantity: an activation, or a loss of a residual."""
    if value.low is not None and value.low >= 0:
        return _scale(value, above)
    if value.high is not None and value.high <= 0:
        return _scale(value, below)
    if below == above:
        return _scale(value, above)
    is_affine = value.is_convex and value.is_concave
    # what rises keeps the curvature of its argument, what falls turns it over
    rises, falls = below >= 0 and above >= 0, below <= 0 and above <= 0
    keeps_convex = is_affine or (rises and value.is_convex) or (falls and value.is_concave)
    keeps_concave = is_affine or (rises and value.is_concave) or (falls and value.is_convex)
    left = _scale(_affine(value.low, _ZERO, value.units), below)
    right = _scale(_affine(_ZERO, value.high, value.units), above)
    lows, highs = [left.low, right.low], [left.high, right.high]
    return Quantity(
        None if None in lows else min(end for end in lows if end is not None),
        None if None in highs else max(end for end in highs if end is not None),
        below <= above and keeps_convex,
        below >= above and keeps_concave,
        value.units,
    )
