"""Why a point is a local minimum, in a form that a checker only evaluates: a slope for each kink that vanishes there.

Backpropagation through one sample at a time, where at each vanishing kink a slope between the activation's two is
chosen, times what arrives from above. If the chosen slopes of all samples add up to 0 in the parameters, the loss does
not fall nearby. Where no choice does, the neighbourhood is split by the sign of a kink, which frees one of the two
bounds there. This is proved in proofs/coq/Minimum.v. It is rule R4 of the local form and its tree, without covers and
empty leaves.

The choice is a linear program over the slopes, solved exactly.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from gmpy2 import mpq, mpz

from exactdrl.cells.kinks import Kink
from exactdrl.exact.linear import to_integers
from exactdrl.exact.program import BoundedForms, Conflict
from exactdrl.problem.instance import Instance, Matrix

_ZERO, _ONE = mpq(0), mpq(1)
DEFAULT_NODES = 1000


@dataclass(frozen=True, slots=True)
class SlopeLeaf:
    """Slopes that add up to 0.

    Attributes:
        slopes: by kink, those that are not 0; in the trained layer's problem, true units.
    """

    slopes: Mapping[Kink, mpq]


@dataclass(frozen=True, slots=True)
class SlopeSplit:
    """Two trees, one where the kink's value is >= 0 and one where it is <= 0."""

    kink: Kink
    plus: "SlopeTree"
    minus: "SlopeTree"


SlopeTree: TypeAlias = SlopeLeaf | SlopeSplit

# an affine function of the slopes that are chosen: coefficients by kink, the constant under None
_Expression: TypeAlias = dict[Kink | None, mpq]


@dataclass(frozen=True, slots=True)
class _Kinked:
    """An address: what arrives at its activation, and the two slopes of that."""

    kink: Kink
    arriving: _Expression
    below: mpq
    above: mpq

    def choose(self, value: mpq, kinks: "list[_Kinked]") -> _Expression:
        """Returns what passes, and appends it to the kinks if it vanishes: there the slope is chosen later."""
        if value != 0 or self.below == self.above:
            slope = self.above if value > 0 else self.below
            return {key: slope * v for key, v in self.arriving.items()} if slope else {}
        kinks.append(self)
        return {self.kink: _ONE}


def find_slopes(instance: Instance, parameters: Matrix, *, nodes: int = DEFAULT_NODES) -> SlopeTree | None:
    """Returns slopes that prove a local minimum, or None if none are found with so many nodes.

    None proves nothing.

    Args:
        instance: the problem, with one trained layer and a loss of two slopes.
        parameters: the point, shape (n_ℓ, m).
        nodes: how many linear programs may be solved.
    """
    kinks: list[_Kinked] = []
    total: dict[tuple[int, int], _Expression] = {}
    for sample, feature in enumerate(instance.pushed_inputs()):
        for unit, expression in enumerate(_pull(instance, parameters, sample, feature, kinks)):
            for column, x in enumerate(feature):
                if x:
                    _add(total.setdefault((unit, column), {}), x, expression)
    return _close(kinks, [e for e in total.values() if e], {}, [nodes])


def _add(total: _Expression, factor: mpq, expression: _Expression) -> None:
    for key, value in expression.items():
        changed = total.get(key, _ZERO) + factor * value
        if changed:
            total[key] = changed
        else:
            total.pop(key, None)


def _pull(
    instance: Instance, parameters: Matrix, sample: int, feature: list[mpq], kinks: list[_Kinked]
) -> list[_Expression]:
    """Returns what a sample's loss gives to the trained layer's preactivations, and appends its vanishing kinks."""
    first = int(instance.free)
    layers = instance.layers[first - 1 :]
    values = [[sum((w * x for w, x in zip(row, feature, strict=True)), _ZERO) for row in parameters]]
    for below, layer in pairwise(layers):
        values.append(layer.affine([a(z) for a, z in zip(below.activations, values[-1], strict=True)]))
    weight = _ONE if instance.weights is None else instance.weights[sample]
    arriving: list[_Expression] = []
    outputs = [a(z) for a, z in zip(layers[-1].activations, values[-1], strict=True)]
    for output, (value, target) in enumerate(zip(outputs, instance.targets[sample], strict=True)):
        low, high = instance.loss.slopes(output, target)
        kink = Kink(first + len(layers) - 1, sample, output)
        one = _Kinked(kink, {None: _ONE}, weight * low, weight * high)
        arriving.append(one.choose(value - target, kinks))
    for depth in range(len(layers) - 1, -1, -1):
        if depth < len(layers) - 1:
            above, arriving = arriving, [{} for _ in layers[depth].weight]
            for expression, row in zip(above, layers[depth + 1].weight, strict=True):
                for unit, w in enumerate(row):
                    if w:
                        _add(arriving[unit], w, expression)
        for unit, activation in enumerate(layers[depth].activations):
            one = _Kinked(Kink(first + depth, sample, unit), arriving[unit], activation.below, activation.above)
            arriving[unit] = one.choose(values[depth][unit], kinks)
    return arriving


def _close(
    kinks: list[_Kinked], balance: list[_Expression], signs: dict[Kink, int], budget: list[int]
) -> SlopeTree | None:
    """Returns a tree below the signs that are fixed."""
    if budget[0] <= 0:
        return None
    budget[0] -= 1
    place = {one.kink: index for index, one in enumerate(kinks)}
    forms: list[tuple[_Expression, bool, Kink | None]] = [(expression, True, None) for expression in balance]
    for one in kinks:
        for slope, side in ((one.below, 1), (one.above, -1)):
            if signs.get(one.kink) == side:
                continue  # on the side that is fixed, the other bound is not needed
            form: _Expression = {one.kink: mpq(side)}
            _add(form, -side * slope, one.arriving)
            forms.append((form, False, one.kink))
    solved = _solve(forms, place)
    if isinstance(solved, dict):
        return SlopeLeaf(solved)
    split = next((one.kink for one in kinks if one.kink in solved and one.kink not in signs), None)
    if split is None:
        return None
    plus = _close(kinks, balance, signs | {split: 1}, budget)
    minus = _close(kinks, balance, signs | {split: -1}, budget) if plus is not None else None
    return None if plus is None or minus is None else SlopeSplit(split, plus, minus)


def _solve(
    forms: list[tuple[_Expression, bool, Kink | None]], place: dict[Kink, int]
) -> dict[Kink, mpq] | set[Kink | None]:
    """Returns slopes with each form = 0 or >= 0, or the kinks whose bounds exclude them."""
    rows: list[list[mpz]] = []
    bounds: list[mpq] = []
    kept: list[tuple[bool, Kink | None]] = []
    for expression, is_equal, owner in forms:
        row = [_ZERO] * len(place)
        for key, value in expression.items():
            if key is not None:
                row[place[key]] = value
        integers, scale = to_integers(row)
        rows.append(integers)
        bounds.append(-expression.get(None, _ZERO) * scale)
        kept.append((is_equal, owner))
    system = BoundedForms(rows, len(place))
    for index, (bound, (is_equal, _)) in enumerate(zip(bounds, kept, strict=True)):
        system.set_bounds(len(place) + index, bound, bound if is_equal else None)
    found = system.solve()
    if isinstance(found, Conflict):
        return {owner for y, (_, owner) in zip(found.multipliers, kept, strict=True) if y}
    return {kink: value for kink, value in zip(place, found, strict=True) if value}
