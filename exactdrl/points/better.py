"""Finds a strictly better point beside a local minimum of a network with one hidden layer: then that is spurious.

If a hidden unit can be freed without a change of the network's values on the samples (it is dead, its outer weights are
0, or two units have inner weights in the same direction and are merged), it is given new weights (u, γ): the loss along
γ has the slope Σ e_k a(u·x̃_k), and falls where that is not 0. Source: proofs/spurious.md.
"""

from collections.abc import Iterator

from gmpy2 import mpq

from exactdrl.exact.linear import to_integers
from exactdrl.minimality.descent.search import pseudo_random
from exactdrl.points.form import find_duals
from exactdrl.points.setting import Pass, Setting, Theta, Vector, activate, find_loss, forward, freeze

_ZERO = mpq(0)
_DIRECTIONS, _REACH, _HALVINGS = 200, 5, 40


def find_better(setting: Setting, theta: Theta) -> Theta | None:
    """Returns a point with a smaller loss, for one hidden layer; None only says that none was found."""
    freed = free_unit(setting, theta)
    if freed is None:
        return None
    unit, start = freed
    found = forward(setting, start)
    entries = find_duals(setting, found)
    duals = [[_ZERO if e is None else e for e in row] for row in entries]
    best, least = None, find_loss(setting, theta)
    for u in _directions(found):
        moves = [activate(_dot(x, u), setting.slopes[0][unit]) for x in found.arrivals[0]]
        for output in range(setting.outputs):
            slope = sum((e[output] * a for e, a in zip(duals, moves, strict=True)), _ZERO)
            size = sum((w * a * a for w, a in zip(setting.weights, moves, strict=True)), _ZERO)
            if not slope:
                continue
            gamma = -slope / (2 * size) if setting.is_squared else mpq(-1 if slope > 0 else 1)
            for _ in range(1 if setting.is_squared else _HALVINGS):
                moved = _place(start, unit, u, output, gamma)
                loss = find_loss(setting, moved)
                if loss < least:
                    best, least = moved, loss
                    break
                gamma /= 2
    return best


def free_unit(setting: Setting, theta: Theta) -> tuple[int, Theta] | None:
    """Returns a hidden unit and a point with the same values on the samples at which its outer weights are 0."""
    found = forward(setting, theta)
    outer = [tuple(row[unit] for row in theta[1]) for unit in range(len(theta[0]))]
    for unit, own in enumerate(outer):
        if not any(own) or not any(row[unit] for row in found.arrivals[1]):
            return unit, _place(theta, unit, theta[0][unit], 0, _ZERO)
    seen: dict[tuple[object, ...], tuple[int, mpq]] = {}
    for unit, row in enumerate(theta[0]):
        integers, scale = to_integers(row)
        lead = max(map(abs, integers))
        key = (tuple(entry / mpq(lead) for entry in integers), setting.slopes[0][unit])
        size = lead / mpq(scale)
        if key not in seen:
            seen[key] = (unit, size)
            continue
        kept, kept_size = seen[key]
        weights = [list(line) for line in theta[1]]
        for line in weights:
            line[kept] += line[unit] * size / kept_size
            line[unit] = _ZERO
        return unit, (theta[0], tuple(map(tuple, weights)))
    return None


def _directions(found: Pass) -> Iterator[Vector]:
    size = len(found.arrivals[0][0])
    for k in range(size):
        for side in (1, -1):
            yield tuple(mpq(side * (p == k)) for p in range(size))
    numbers = pseudo_random()
    for _ in range(_DIRECTIONS):
        u = tuple(mpq(next(numbers) % (2 * _REACH + 1) - _REACH) for _ in range(size))
        if any(u):
            yield u


def _place(theta: Theta, unit: int, inner: Vector, output: int, gamma: mpq) -> Theta:
    """Returns a point with other weights of one unit: one outer weight, the others 0."""
    first, second = [list(row) for row in theta[0]], [list(row) for row in theta[1]]
    first[unit] = list(inner)
    for j, row in enumerate(second):
        row[unit] = gamma if j == output else _ZERO
    return freeze([first, second])


def _dot(left: Vector, right: Vector) -> mpq:
    return sum((a * b for a, b in zip(left, right, strict=True)), _ZERO)
