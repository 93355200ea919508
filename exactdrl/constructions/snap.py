"""Finds the exact stationary point that a network trained in floats approximates.

A tolerance *proposes* which preactivations, residuals of a loss with two slopes, and outer weights are 0. Exact algebra
then solves for the point of that pattern with the least loss, and for the one nearest to the trained point where there
are several. Then the point is checked against the pattern, and judged. Source: proofs/snapping.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from gmpy2 import mpq

from exactdrl.constructions.nearest import find_nearest, minimise_nearest
from exactdrl.exact.rationals import InputError, to_text
from exactdrl.minimality.judge import DEFAULT_BUDGET
from exactdrl.points.judge import JudgedPoint, judge_setting
from exactdrl.points.reading import Choice, read_setting, write_point
from exactdrl.points.setting import Matrix, Setting, Theta, find_loss, forward, freeze
from exactdrl.points.verdict import Minimum, NotMinimum
from exactdrl.problem.instance import Instance

_ZERO, _ONE = mpq(0), mpq(1)
# a squared distance is near up to this part of the trained point's squared size
_NEAR = 100
DEFAULT_TOLERANCES = tuple(mpq(1, 10**power) for power in (2, 3, 4, 5, 6, 8))
# -1, 0, 1 for each layer from the first free one, sample and unit; the last layer's are the residuals'
Signs: TypeAlias = tuple[tuple[tuple[int, ...], ...], ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a tolerance proposes.

    Attributes:
        signs: of preactivations and residuals.
        silenced: hidden units whose outer weights are 0.
    """

    signs: Signs
    silenced: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class System:
    """Linear equations and a loss in some unknowns, and where these are at the trained point.

    Attributes:
        rows: of the preactivations that are 0.
        right: their right sides.
        features: of the outputs, sample by sample.
        goals: what the outputs should be.
        point: the trained point.
    """

    rows: list[list[mpq]]
    right: list[mpq]
    features: list[list[mpq]]
    goals: list[mpq]
    point: list[mpq]


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one tolerance gives.

    Attributes:
        tolerance: relative: a preactivation w·x is proposed to be 0 if it is at most this times max |w_p| Σ |x_p|, or
            if all inner weights are at most this times the outer ones.
        kinks: how many preactivations are proposed to be 0, that are not 0 already.
        residuals: how many residuals are, of a loss with two slopes.
        silenced: hidden units whose outer weights are proposed to be 0.
        method: which parameters were solved for.
        theta: the snapped point; None if the proposal has no point.
        stays: whether the snapped point has the proposed signs.
        judged: the verdict on it.
        squared_distance: to the trained point, in all parameters.
        loss_change: loss at the snapped point minus loss at the trained one.
        is_near: whether the distance is at most a tenth of the trained point's own size; a point farther away is not
            what the floats approximate.
    """

    tolerance: mpq
    kinks: int
    residuals: int
    silenced: tuple[int, ...]
    method: str
    theta: Theta | None
    stays: bool
    judged: JudgedPoint | None
    squared_distance: mpq | None
    loss_change: mpq | None
    is_near: bool = False


@dataclass(frozen=True, slots=True)
class Snapped:
    """The trained point and what every tolerance makes of it.

    Attributes:
        trained: the verdict on the trained point, judged literally.
        attempts: one for each tolerance and method.
        best: the attempt to keep: near points before others, then a proved minimum before a stationary point before
            others, the nearest of equals; None if no tolerance has a point.
        instance: of the best attempt.
    """

    trained: JudgedPoint
    attempts: tuple[Attempt, ...]
    best: Attempt | None
    instance: Instance | None


def snap(
    instance: Instance,
    *,
    free: Choice | None = None,
    tolerances: Sequence[mpq] = DEFAULT_TOLERANCES,
    budget: int = DEFAULT_BUDGET,
) -> Snapped:
    """Snaps an instance's point.

    Args:
        instance: the problem and its point.
        free: as for `judge`; all parameters for networks with one hidden layer alone.
        tolerances: each positive, and tried in order.
        budget: how much work each tree may take.

    Raises:
        InputError: a tolerance that is not between 0 and 1, or all parameters of a network with several hidden layers.
    """
    for tolerance in tolerances:
        if not 0 < tolerance < 1:
            proposes = "it proposes nothing" if not tolerance else "a number between 0 and 1 is needed"
            raise InputError(f"the tolerance is {to_text(tolerance)}: {proposes}")
    setting, theta = read_setting(instance, free)
    if len(setting.free) > 1 and not setting.is_shallow():
        raise InputError("all parameters are free, but there is not one hidden layer: name a layer, as in --free 1")
    trained = judge_setting(setting, theta, budget=budget)
    attempts: list[Attempt] = []
    seen: dict[tuple[str, Pattern], Attempt] = {}
    for tolerance in tolerances:
        pattern = propose(setting, theta, tolerance)
        for name, solve in _methods(setting).items():
            if (name, pattern) not in seen:
                snapped = solve(setting, theta, pattern)
                judged = None if snapped is None else judge_setting(setting, snapped, budget=budget)
                seen[name, pattern] = _attempt(setting, theta, pattern, name, judged)
            attempts.append(replace(seen[name, pattern], tolerance=tolerance))
    best = min((a for a in attempts if a.theta is not None), key=_rank, default=None)
    kept = None if best is None or best.theta is None else write_point(instance, best.theta, free)
    return Snapped(trained, tuple(attempts), best, kept)


def _rank(attempt: Attempt) -> tuple[bool, int, mpq]:
    verdict = None if attempt.judged is None else attempt.judged.verdict
    distance = _ZERO if attempt.squared_distance is None else attempt.squared_distance
    match verdict:
        case Minimum():
            kind = 0 if attempt.stays else 1
        case NotMinimum(is_stationary=True):
            kind = 2
        case NotMinimum():
            kind = 4
        case _:
            kind = 3
    return not attempt.is_near, kind, distance


def propose(setting: Setting, theta: Theta, tolerance: mpq) -> Pattern:
    """Returns the signs that a tolerance proposes, and the hidden units whose outer weights it proposes to be 0."""
    found = forward(setting, theta)
    first, last = min(setting.free), len(theta) - 1
    faint, silenced = _find_small(theta, tolerance) if setting.is_shallow() else ((), ())
    layers = []
    for number in range(first, last + 1):
        rows: list[tuple[int, ...]] = []
        for given, values in zip(found.arrivals[number], found.values[number], strict=True):
            row = []
            for unit, value in enumerate(values):
                size = max(map(abs, theta[number][unit]), default=_ZERO) * sum(map(abs, given), _ZERO)
                if number == last:
                    # a residual f - y: the target takes part in the size
                    size += abs(setting.targets[len(rows)][unit])
                is_zero = abs(value) <= tolerance * size or (number == first and unit in faint)
                is_zero = is_zero and (number < last or not setting.is_squared)
                row.append(0 if is_zero else (value > 0) - (value < 0))
            rows.append(tuple(row))
        layers.append(tuple(rows))
    return Pattern(tuple(layers), silenced)


def _find_small(theta: Theta, tolerance: mpq) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns hidden units whose inner weights are small beside the outer ones, and those with the converse."""
    faint, silenced = [], []
    for unit, own in enumerate(theta[0]):
        inner, outer = max(map(abs, own), default=_ZERO), max(abs(row[unit]) for row in theta[1])
        if inner <= tolerance * outer:
            faint.append(unit)
        elif outer and outer <= tolerance * inner:
            silenced.append(unit)
    return tuple(faint), tuple(silenced)


Solver: TypeAlias = Callable[[Setting, Theta, Pattern], Theta | None]


def _methods(setting: Setting) -> dict[str, Solver]:
    if not setting.is_shallow():
        return {f"layer {setting.free[0] + 1}": _solve_layer}
    if setting.outputs == 1:
        return {"inner weights": _solve_inner}
    return {"inner weights": _solve_inner, "outer weights": _solve_outer}


def _attempt(setting: Setting, theta: Theta, pattern: Pattern, name: str, judged: JudgedPoint | None) -> Attempt:
    """Returns what is known of a snapped point; the tolerance is filled in later."""
    found = forward(setting, theta).values[min(setting.free) :]
    zeros = [
        sum(not s and bool(z) for row, values in zip(layer, own, strict=True) for s, z in zip(row, values, strict=True))
        for layer, own in zip(pattern.signs, found, strict=True)
    ]
    residuals = 0 if setting.is_squared else zeros[-1]
    start = Attempt(
        _ZERO,
        sum(zeros[:-1]),
        residuals,
        pattern.silenced,
        name,
        None,
        stays=False,
        judged=None,
        squared_distance=None,
        loss_change=None,
    )
    if judged is None:
        return start
    pairs = (
        (a, b)
        for left, right in zip(judged.theta, theta, strict=True)
        for row, other in zip(left, right, strict=True)
        for a, b in zip(row, other, strict=True)
    )
    squared_distance = sum(((a - b) ** 2 for a, b in pairs), _ZERO)
    size = sum((entry * entry for matrix in theta for row in matrix for entry in row), _ZERO)
    return replace(
        start,
        theta=judged.theta,
        stays=_has_signs(setting, judged.theta, pattern.signs),
        judged=judged,
        squared_distance=squared_distance,
        is_near=_NEAR * squared_distance <= size,
        loss_change=judged.loss - find_loss(setting, theta),
    )


def _has_signs(setting: Setting, theta: Theta, signs: Signs) -> bool:
    found = forward(setting, theta).values[min(setting.free) :]
    last = len(signs) - 1
    return all(
        (value > 0) - (value < 0) == sign
        for number, (layer, own) in enumerate(zip(signs, found, strict=True))
        if number < last or not setting.is_squared
        for row, values in zip(layer, own, strict=True)
        for sign, value in zip(row, values, strict=True)
    )


def _slope(setting: Setting, layer: int, unit: int, sign: int) -> mpq:
    low, high = setting.slopes[layer][unit]
    return high if sign > 0 else low


def _solve(setting: Setting, system: System, signs: Sequence[Sequence[int]]) -> list[mpq] | None:
    """Returns the nearest point of the pattern with the least loss; None if the equations contradict each other.

    For a loss with two slopes the pattern's residuals of sign 0 are more equations, and the nearest point is taken.
    """
    if setting.is_squared:
        return minimise_nearest(
            system.rows,
            system.right,
            features=system.features,
            goals=system.goals,
            weights=[w for w in setting.weights for _ in range(setting.outputs)],
            point=system.point,
        )
    zero = [k for k, sign in enumerate(sign for row in signs for sign in row) if not sign]
    rows = [*system.rows, *(system.features[k] for k in zero)]
    return find_nearest(rows, [*system.right, *(system.goals[k] for k in zero)], system.point)


def _solve_inner(setting: Setting, theta: Theta, pattern: Pattern) -> Theta | None:
    """Solves for the inner weights, times the outer ones' size, and the output biases; outer weights are fixed."""
    outer = [[_ZERO if c in pattern.silenced else w for c, w in enumerate(row)] for row in theta[1]]
    width, size = len(theta[0]), len(theta[0][0])
    scales = {unit: max(abs(row[unit]) for row in outer) for unit in range(width) if any(row[unit] for row in outer)}
    solved = _solve(setting, _inner_system(setting, theta, pattern, outer, scales), pattern.signs[1])
    if solved is None:
        return None
    arrivals = forward(setting, theta).arrivals[0]
    inner = []
    for unit, own in enumerate(theta[0]):
        if unit in scales:
            start = size * [*scales].index(unit)
            inner.append([a / scales[unit] for a in solved[start : start + size]])
        else:
            inner.append(_project(arrivals, [row[unit] for row in pattern.signs[0]], list(own)))
    for row, bias in zip(outer, solved[size * len(scales) :], strict=False):
        row[-1] = bias
    return freeze([inner, outer])


def _inner_system(
    setting: Setting, theta: Theta, pattern: Pattern, outer: list[list[mpq]], scales: dict[int, mpq]
) -> System:
    size = len(theta[0][0])
    biases = setting.outputs if setting.biases[1] else 0
    total = len(scales) * size + biases
    point = [scale * w for unit, scale in scales.items() for w in theta[0][unit]] + [row[-1] for row in outer[:biases]]
    rows, features, goals = [], [], []
    for x, signs, targets in zip(forward(setting, theta).arrivals[0], pattern.signs[0], setting.targets, strict=True):
        for index, unit in enumerate(scales):
            if not signs[unit]:
                rows.append([*[_ZERO] * (index * size), *x, *[_ZERO] * (total - (index + 1) * size)])
        for output, target in enumerate(targets):
            feature: list[mpq] = []
            for unit, scale in scales.items():
                factor = outer[output][unit] / scale * _slope(setting, 0, unit, signs[unit])
                feature += [factor * a for a in x]
            features.append([*feature, *(mpq(j == output) for j in range(biases))])
            goals.append(target)
    return System(rows, [_ZERO] * len(rows), features, goals, point)


def _project(arrivals: Sequence[Sequence[mpq]], signs: Sequence[int], weights: list[mpq]) -> list[mpq]:
    """Returns the nearest weights whose preactivations are 0 where the signs are."""
    rows = [x for x, sign in zip(arrivals, signs, strict=True) if not sign]
    return find_nearest(rows, [_ZERO] * len(rows), weights) or weights


def _solve_outer(setting: Setting, theta: Theta, pattern: Pattern) -> Theta | None:
    """Moves the inner weights onto their kinks, and solves for the outer weights and biases."""
    arrivals = forward(setting, theta).arrivals[0]
    first = tuple(
        tuple(_project(arrivals, [row[unit] for row in pattern.signs[0]], list(own)))
        for unit, own in enumerate(theta[0])
    )
    given = forward(setting, (first, theta[1])).arrivals[1]
    size, outputs = len(theta[1][0]), setting.outputs
    features = [
        [*[_ZERO] * (output * size), *row, *[_ZERO] * ((outputs - 1 - output) * size)]
        for row in given
        for output in range(outputs)
    ]
    goals = [target for row in setting.targets for target in row]
    rows = [
        [mpq(p == output * size + unit) for p in range(size * outputs)]
        for output in range(outputs)
        for unit in pattern.silenced
    ]
    point = [w for row in theta[1] for w in row]
    solved = _solve(setting, System(rows, [_ZERO] * len(rows), features, goals, point), pattern.signs[1])
    if solved is None:
        return None
    outer: Matrix = tuple(tuple(solved[j * size : (j + 1) * size]) for j in range(outputs))
    return first, outer


def _solve_layer(setting: Setting, theta: Theta, pattern: Pattern) -> Theta | None:
    """Solves for the free layer's parameters: with all signs fixed, every preactivation is affine in them."""
    free = setting.free[0]
    system = System([], [], [], [], [w for row in theta[free] for w in row])
    for sample, x in enumerate(forward(setting, theta).arrivals[free]):
        _add_sample(setting, theta, pattern.signs, sample, x, system=system)
    solved = _solve(setting, system, pattern.signs[-1])
    if solved is None:
        return None
    size = len(theta[free][0])
    moved = tuple(tuple(solved[j * size : (j + 1) * size]) for j in range(len(theta[free])))
    return tuple(moved if number == free else matrix for number, matrix in enumerate(theta))


def _add_sample(setting: Setting, theta: Theta, signs: Signs, sample: int, x: Sequence[mpq], *, system: System) -> None:
    """Adds a sample's equations and outputs; in its rows the last entry is the constant."""
    free, last = setting.free[0], len(theta) - 1
    width, size = len(theta[free]), len(theta[free][0])
    own = [[*[_ZERO] * (u * size), *x, *[_ZERO] * ((width - 1 - u) * size), _ZERO] for u in range(width)]
    for number in range(free, last):
        here = signs[number - free][sample]
        for row, sign, pair in zip(own, here, setting.slopes[number], strict=True):
            if not sign and pair[0] != pair[1]:
                system.rows.append(row[:-1])
                system.right.append(-row[-1])
        below = [
            [_slope(setting, number, u, sign) * a for a in row]
            for u, (row, sign) in enumerate(zip(own, here, strict=True))
        ]
        own = []
        for weights in theta[number + 1]:
            columns = zip(*below, strict=True)
            row = [sum((w * a for w, a in zip(weights, column, strict=False) if w), _ZERO) for column in columns]
            if setting.biases[number + 1]:
                row[-1] += weights[-1]
            own.append(row)
    system.features.extend(row[:-1] for row in own)
    system.goals.extend(y - row[-1] for y, row in zip(setting.targets[sample], own, strict=True))
