"""Ranges and curvature of what the network computes, over all parameters of the trained layer (section 5a)."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

from .exact import ZERO
from .instance import Instance
from .problem import Problem


class Quantity(NamedTuple):
    """A function of the parameters: its bounds (None for none), whether it is convex and concave for certain."""

    low: Fraction | None
    high: Fraction | None
    convex: bool
    concave: bool


FREE, NOTHING = Quantity(None, None, True, True), Quantity(ZERO, ZERO, True, True)


def scale(value: Quantity, factor: Fraction) -> Quantity:
    """Returns a multiple of a quantity."""
    if not factor:
        return NOTHING
    low, high = (None if end is None else factor * end for end in value[:2])
    return Quantity(low, high, *value[2:]) if factor > 0 else Quantity(high, low, value.concave, value.convex)


def add(values: Iterable[Quantity], offset: Fraction) -> Quantity:
    """Returns a sum."""
    total = Quantity(offset, offset, True, True)
    for value in values:
        low, high = (None if x is None or y is None else x + y for x, y in zip(total[:2], value[:2]))
        total = Quantity(low, high, total.convex and value.convex, total.concave and value.concave)
    return total


def bend(value: Quantity, below: Fraction, above: Fraction) -> Quantity:
    """Returns a function with slopes below and above 0 of a quantity."""
    low, high, convex, concave = value
    if below == above or (low is not None and low >= 0):
        return scale(value, above)
    if high is not None and high <= 0:
        return scale(value, below)
    left, right = scale(Quantity(low, ZERO, True, True), below), scale(Quantity(ZERO, high, True, True), above)
    rising, falling = min(below, above) >= 0, max(below, above) <= 0
    keeps = (convex and concave) or (rising and convex) or (falling and concave)
    turns = (convex and concave) or (rising and concave) or (falling and convex)
    least = None if left.low is None or right.low is None else min(left.low, right.low)
    most = None if left.high is None or right.high is None else max(left.high, right.high)
    return Quantity(least, most, below < above and keeps, below > above and turns)


def find_range(instance: Instance, problem: Problem) -> Quantity:
    """Returns what is known of the loss."""
    first, known = instance.trained, dict[bool, list[Quantity]]()
    for is_zero in {not any(x) for x in problem.inputs}:
        row = [NOTHING if is_zero else FREE for _ in problem.start]
        for pairs, layer, biased in zip(
            instance.activations[first - 1 :], instance.layers[first:], instance.biased[first:]
        ):
            row = [bend(value, *pair) for value, pair in zip(row, pairs)]
            row = [add(map(scale, row, unit), unit[-1] if biased else ZERO) for unit in layer]
        known[is_zero] = row
    return add(
        (
            bend(add([value], -y), *pair)
            for x, goal, pairs in zip(problem.inputs, instance.targets, instance.slopes or [])
            for value, y, pair in zip(known[not any(x)], goal, pairs)
        ),
        ZERO,
    )
