"""Searches for curves along which the loss falls, where no rule gives one.

The curves that it finds are proofs. If it finds none, nothing follows.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

from gmpy2 import mpq

from exactdrl.minimality.descent.search import pseudo_random
from exactdrl.points.germ import Descent, find_descent
from exactdrl.points.setting import Setting, Theta, Vector, forward, freeze, zero_direction

_LENGTHS = tuple(mpq(2) ** power for power in (0, -2, -5, -9))
# curves that are tried: each is an exact evaluation of the network in polynomials
_MOST, _SCATTERED = 600, 400
# entries of scattered directions: their sizes differ by orders, since a curve's second order has to beat its first
_SIZES = (mpq(1), mpq(1, 8), mpq(1, 64))
_REACH, _SOME = 2, 3


def search_curves(setting: Setting, theta: Theta, hints: Sequence[tuple[int, Vector]] = ()) -> Descent | None:
    """Returns a descent along one of some straight lines; None says nothing.

    First each hidden unit without outgoing weights moves along one direction, and one outgoing weight with it; then
    come lines in all parameters with pseudo-random entries, the same ones everywhere.

    Args:
        setting: the problem.
        theta: the point.
        hints: units of the first hidden layer with directions to try first.
    """
    lines = [*islice(_candidates(setting, theta, hints), _MOST), *islice(_scatter(setting, theta), _SCATTERED)]
    for direction in lines:
        descent = find_descent(setting, theta, (direction,))
        if descent is not None:
            return descent
    return None


def _candidates(setting: Setting, theta: Theta, hints: Sequence[tuple[int, Vector]]) -> Iterator[Theta]:
    found = forward(setting, theta)
    for unit, v in hints:
        yield from _pairs(theta, 0, unit, v)
    for layer in range(len(theta) - 1):
        if layer not in setting.free or layer + 1 not in setting.free:
            continue
        size = len(theta[layer][0])
        directions = dict.fromkeys(
            [tuple(mpq(side * (p == k)) for p in range(size)) for k in range(size) for side in (1, -1)]
            + [tuple(side * x for x in row) for row in found.arrivals[layer] for side in (1, -1)]
        )
        for unit in range(len(theta[layer])):
            if not any(row[unit] for row in theta[layer + 1]):
                for v in directions:
                    if any(v):
                        yield from _pairs(theta, layer, unit, v)


def _scatter(setting: Setting, theta: Theta) -> Iterator[Theta]:
    """Yields directions of two kinds: in all free parameters, and in those of one hidden unit."""
    numbers = pseudo_random()

    def draw() -> mpq:
        entry = mpq(next(numbers) % (2 * _REACH + 1) - _REACH)
        return entry * _SIZES[next(numbers) % len(_SIZES)]

    hidden = [layer for layer in setting.free[:-1] if layer + 1 in setting.free]
    while True:
        direction = zero_direction(theta)
        if hidden and next(numbers) % 2:
            layer = hidden[next(numbers) % len(hidden)]
            unit = next(numbers) % len(theta[layer])
            direction[layer][unit] = [draw() for _ in theta[layer][unit]]
            for row in direction[layer + 1]:
                row[unit] = draw()
        else:
            for number in setting.free:
                direction[number] = [[draw() if next(numbers) % _SOME else 0 * x for x in row] for row in theta[number]]
        yield freeze(direction)


def _pairs(theta: Theta, layer: int, unit: int, v: Sequence[mpq]) -> Iterator[Theta]:
    for above in range(len(theta[layer + 1])):
        for length in _LENGTHS:
            for side in (1, -1):
                direction = zero_direction(theta)
                direction[layer][unit] = list(v)
                direction[layer + 1][above][unit] = side * length
                yield freeze(direction)
