"""Proves minima in all parameters, at any depth, where the network is affine on the samples and the best affine fit.

If every hidden unit has one and the same slope on all samples, with preactivations other than 0 wherever its slopes
differ, then all nearby networks are affine functions of the inputs on the samples. The loss is convex in the outputs:
with e a derivative or subgradient that is orthogonal to all affine functions of the inputs,
L(f') ≥ L(f) + Σ e·(f' - f) = L(f). Source: proofs/affine-networks.md.
"""

from gmpy2 import mpq

from exactdrl.exact.linear import independent_rows, to_integers
from exactdrl.points.form import find_duals
from exactdrl.points.setting import Matrix, Pass, Setting, Theta, forward
from exactdrl.points.subgradients import Choice
from exactdrl.points.verdict import AffineProof

_ZERO, _ONE = mpq(0), mpq(1)


def find_bend(setting: Setting, theta: Theta) -> tuple[int, int] | None:
    """Returns the first hidden unit, as layer and unit from 0, that may bend on the samples; None if there is none."""
    found = forward(setting, theta)
    for layer in range(len(theta) - 1):
        for unit, (low, high) in enumerate(setting.slopes[layer]):
            if low == high:
                continue
            values = [row[unit] for row, weight in zip(found.values[layer], setting.weights, strict=True) if weight]
            if not (all(value > 0 for value in values) or all(value < 0 for value in values)):
                return layer, unit
    return None


def affine_rows(setting: Setting) -> Matrix:
    """Returns the inputs, with 1 appended if some layer has a bias: affine functions are their combinations."""
    has_bias = any(setting.biases)
    return tuple((*row, _ONE) if has_bias else row for row in setting.inputs)


def prove_affine(setting: Setting, theta: Theta) -> AffineProof | str:
    """Returns the proof that a point is a local minimum in all parameters, or what is missing for it, in words."""
    bend = find_bend(setting, theta)
    if bend is not None:
        return f"the network bends on the samples (layer {bend[0] + 1}, unit {bend[1]})"
    found = forward(setting, theta)
    rows = affine_rows(setting)
    choice = Choice(setting, find_duals(setting, found))
    for output in range(setting.outputs):
        for column in range(len(rows[0])):
            choice.demand(
                [[row[column] if j == output else _ZERO for j in range(setting.outputs)] for row in rows],
                is_zero=True,
            )
    duals = choice.solve()
    if duals is None:
        return "the network is affine on the samples, but some affine function has a smaller loss"
    return AffineProof(duals)


def is_affine_fit(setting: Setting, found: Pass) -> bool:
    """Returns whether the values on the samples are those of the affine function with the least squared loss.

    They are if the residuals are orthogonal to all affine functions, and the values are those of one. Where no layer
    has a bias, linear functions take the place of affine ones.
    """
    rows = affine_rows(setting)
    integers = [to_integers(column)[0] for column in zip(*rows, strict=True)]
    base = len(independent_rows(integers, setting.samples))
    for output in range(setting.outputs):
        residuals = [row[output] for row in found.values[-1]]
        shares = [w * r for w, r in zip(setting.weights, residuals, strict=True)]
        if any(sum((x * s for x, s in zip(column, shares, strict=True)), _ZERO) for column in zip(*rows, strict=True)):
            return False
        values = [r + target[output] for r, target in zip(residuals, setting.targets, strict=True)]
        if len(independent_rows([*integers, to_integers(values)[0]], setting.samples)) > base:
            return False
    return True
