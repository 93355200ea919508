"""Proves a local minimum by a slope for each kink that vanishes there, which a checker only has to evaluate.

The slopes come from backpropagation through one sample at a time. At each vanishing kink a slope between the
activation's two is chosen, times what arrives from above. If the chosen slopes of all samples add up to 0 in the
parameters, the loss does not fall nearby. Where no choice does so, the neighbourhood is split by the sign of a kink,
which removes one of the two bounds there. This is proved in proofs/coq/Minimum.v. It is the tree of
proofs/minimality-tree.md, without covers and empty leaves.

The choice is a linear program over the slopes, solved exactly.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from gmpy2 import mpq, mpz

from exactdrl.cells.kinks import Kink
from exactdrl.exact.linear import to_integers
from exactdrl.exact.program import BoundedForms, Conflict
from exactdrl.exact.sparse import add_multiple
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
    """Two trees, one where the kink's value is >= 0 and one where it is <= 0.

    Attributes:
        kink: the kink.
        ties: kinks of its unit on samples with a proportional feature, so that their values have the kink's sign, or
            the opposite one where the factor is negative.
        plus: the tree where the value is >= 0.
        minus: the tree where it is <= 0.
    """

    kink: Kink
    ties: "Ties"
    plus: "SlopeTree"
    minus: "SlopeTree"


SlopeTree: TypeAlias = SlopeLeaf | SlopeSplit

# kinks whose values are a multiple of another's, each with the factor
Ties: TypeAlias = tuple[tuple[Kink, mpq], ...]

# An affine function of the slopes that are chosen: coefficients by kink, the constant under None.
Expression: TypeAlias = dict[Kink | None, mpq]


@dataclass(frozen=True, slots=True)
class VanishingKink:
    """An address, with what arrives at its activation from above, and the activation's two slopes.

    Attributes:
        kink: the address.
        arriving: y, an affine function of the slopes that are chosen at the kinks above.
        below: the activation's slope below 0; of a residual, the loss's.
        above: the slope above 0.
    """

    kink: Kink
    arriving: Expression
    below: mpq
    above: mpq

    def choose(self, value: mpq, kinks: "list[VanishingKink]") -> Expression:
        """Returns what passes, and appends it to the kinks if it vanishes: there the slope is chosen later."""
        if value != 0 or self.below == self.above:
            slope = self.above if value > 0 else self.below
            return {key: slope * v for key, v in self.arriving.items()} if slope else {}
        kinks.append(self)
        return {self.kink: _ONE}


@dataclass(frozen=True, slots=True)
class AxisLeaf:
    """For each parameter and both signs, slopes that add up to a multiple with that sign of the parameter alone.

    Attributes:
        pairs: shape (n_ℓ, m), the slopes for a positive multiple and for a negative one.
    """

    pairs: tuple[tuple[tuple[SlopeLeaf, SlopeLeaf], ...], ...]


@dataclass(frozen=True, slots=True)
class AxisSplit:
    """Two trees, as of `SlopeSplit`."""

    kink: Kink
    ties: Ties
    plus: "AxisTree"
    minus: "AxisTree"


AxisTree: TypeAlias = AxisLeaf | AxisSplit


def find_slopes(instance: Instance, parameters: Matrix, *, nodes: int = DEFAULT_NODES) -> SlopeTree | None:
    """Returns slopes that prove a local minimum, or None if none are found with so many nodes.

    None proves nothing.

    Args:
        instance: the problem, with one trained layer and a loss of two slopes.
        parameters: the point, shape (n_ℓ, m).
        nodes: how many linear programs may be solved.
    """
    kinks, balance = localise_slopes(instance, parameters)
    return _Search(instance, kinks, balance).close({}, [nodes])


def find_strict_slopes(instance: Instance, parameters: Matrix, *, nodes: int = DEFAULT_NODES) -> AxisTree | None:
    """Returns slopes that prove a strict local minimum, or None if none are found. None proves nothing.

    Args:
        instance: the problem, with one trained layer and a loss of two slopes.
        parameters: the point, shape (n_ℓ, m).
        nodes: how many linear programs may be solved for the tree, to which those of its leaves come; and as many
            again for leaves that have to be split once more.
    """
    kinks, balance = localise_slopes(instance, parameters)
    search = _Search(instance, kinks, balance)
    tree = search.close({}, [nodes])
    return None if tree is None else search.sharpen(tree, {}, [nodes])


def localise_slopes(instance: Instance, parameters: Matrix) -> tuple[list["VanishingKink"], list[list[Expression]]]:
    """Returns the vanishing kinks, and for each parameter what the slopes of all samples add up to.

    Args:
        instance: the problem, with one trained layer and a loss of two slopes.
        parameters: the point, shape (n_ℓ, m).
    """
    kinks: list[VanishingKink] = []
    total: list[list[Expression]] = [[{} for _ in row] for row in parameters]
    for sample, feature in enumerate(instance.pushed_inputs()):
        for unit, expression in enumerate(_pull(instance, parameters, sample, feature, kinks)):
            for column, x in enumerate(feature):
                if x:
                    add_multiple(total[unit][column], x, expression)
    return kinks, total


def _pull(
    instance: Instance, parameters: Matrix, sample: int, feature: list[mpq], kinks: list[VanishingKink]
) -> list[Expression]:
    """Returns what a sample's loss gives to the trained layer's preactivations, and appends its vanishing kinks."""
    first = int(instance.free)
    layers = instance.layers[first - 1 :]
    values = [[sum((w * x for w, x in zip(row, feature, strict=True)), _ZERO) for row in parameters]]
    for below, layer in pairwise(layers):
        values.append(layer.affine([a(z) for a, z in zip(below.activations, values[-1], strict=True)]))
    weight = _ONE if instance.weights is None else instance.weights[sample]
    arriving: list[Expression] = []
    outputs = [a(z) for a, z in zip(layers[-1].activations, values[-1], strict=True)]
    for output, (value, target) in enumerate(zip(outputs, instance.targets[sample], strict=True)):
        low, high = instance.loss.slopes(output, target)
        kink = Kink(first + len(layers) - 1, sample, output)
        one = VanishingKink(kink, {None: _ONE}, weight * low, weight * high)
        arriving.append(one.choose(value - target, kinks))
    for depth in range(len(layers) - 1, -1, -1):
        if depth < len(layers) - 1:
            above, arriving = arriving, [{} for _ in layers[depth].weight]
            for expression, row in zip(above, layers[depth + 1].weight, strict=True):
                for unit, w in enumerate(row):
                    if w:
                        add_multiple(arriving[unit], w, expression)
        for unit, activation in enumerate(layers[depth].activations):
            one = VanishingKink(Kink(first + depth, sample, unit), arriving[unit], activation.below, activation.above)
            arriving[unit] = one.choose(values[depth][unit], kinks)
    return arriving


def leaves(tree: SlopeTree) -> Iterator[tuple[dict[Kink, int], SlopeLeaf]]:
    """Yields a tree's leaves, each with the signs of kinks above it."""
    if isinstance(tree, SlopeLeaf):
        yield {}, tree
        return
    for side, part in ((1, tree.plus), (-1, tree.minus)):
        for signs, leaf in leaves(part):
            yield {**_signs(tree.kink, tree.ties, side), **signs}, leaf


def _signs(kink: Kink, ties: Ties, side: int) -> dict[Kink, int]:
    """Returns the signs of a kink and of those tied to it on one side."""
    return {kink: side} | {other: side if factor > 0 else -side for other, factor in ties}


class _Search:
    """The search for a tree: the vanishing kinks, what has to add up to 0, and which kinks have signs together."""

    def __init__(self, instance: Instance, kinks: list[VanishingKink], balance: list[list[Expression]]) -> None:
        self._kinks, self._balance = kinks, balance
        self._features, self._first = instance.pushed_inputs(), int(instance.free)

    def _ties(self, kink: Kink, signs: Mapping[Kink, int]) -> Ties:
        """Returns the kinks without a sign that are tied to one."""
        if kink.layer > self._first:
            return ()
        x = self._features[kink.sample]
        found = []
        for one in self._kinks:
            other = one.kink
            if other.layer == kink.layer and other.unit == kink.unit and other != kink and other not in signs:
                factor = _ratio(x, self._features[other.sample])
                if factor:
                    found.append((other, factor))
        return tuple(found)

    def close(self, signs: dict[Kink, int], budget: list[int]) -> SlopeTree | None:
        """Returns a tree below the signs that are fixed."""
        if budget[0] <= 0:
            return None
        budget[0] -= 1
        solved = _Program(self._kinks, self._balance, signs).solve()
        if isinstance(solved, SlopeLeaf):
            return solved
        split = next((one.kink for one in self._kinks if one.kink in solved and one.kink not in signs), None)
        if split is None:
            return None
        ties = self._ties(split, signs)
        plus = self.close(signs | _signs(split, ties, 1), budget)
        minus = self.close(signs | _signs(split, ties, -1), budget) if plus is not None else None
        return None if plus is None or minus is None else SlopeSplit(split, ties, plus, minus)

    def sharpen(self, tree: SlopeTree, signs: dict[Kink, int], budget: list[int]) -> AxisTree | None:
        """Returns the tree with slopes in every direction at its leaves, which are split where there are none."""
        if isinstance(tree, SlopeSplit):
            plus = self.sharpen(tree.plus, signs | _signs(tree.kink, tree.ties, 1), budget)
            if plus is None:
                return None
            minus = self.sharpen(tree.minus, signs | _signs(tree.kink, tree.ties, -1), budget)
            return None if minus is None else AxisSplit(tree.kink, tree.ties, plus, minus)
        leaf = _find_axes(_Program(self._kinks, self._balance, signs), self._balance)
        if leaf is not None:
            return leaf
        # the trained layer's kinks first: theirs are the signs on which those above depend
        split = min((one.kink for one in self._kinks if one.kink not in signs), default=None)
        if split is None or budget[0] <= 0:
            return None
        budget[0] -= 1
        return self.sharpen(SlopeSplit(split, self._ties(split, signs), tree, tree), signs, budget)


def _ratio(x: Sequence[mpq], y: Sequence[mpq]) -> mpq | None:
    """Returns the factor by which y is a multiple of x, None if there is none, or x is 0."""
    place = next((k for k, entry in enumerate(x) if entry), None)
    if place is None:
        return None
    factor = y[place] / x[place]
    return factor if all(factor * a == b for a, b in zip(x, y, strict=True)) else None


def _find_axes(program: "_Program", balance: list[list[Expression]]) -> AxisLeaf | None:
    """Returns slopes in every direction, None if there are none in some direction."""
    program.solve()
    pairs: list[tuple[tuple[SlopeLeaf, SlopeLeaf], ...]] = []
    for unit, row in enumerate(balance):
        found: list[tuple[SlopeLeaf, SlopeLeaf]] = []
        for column in range(len(row)):
            up, down = program.push(unit, column, 1), program.push(unit, column, -1)
            if up is None or down is None:
                return None
            found.append((up, down))
        pairs.append(tuple(found))
    return AxisLeaf(tuple(pairs))


class _Program:
    """The linear program over the slopes of the vanishing kinks, below signs that are fixed."""

    def __init__(self, kinks: list[VanishingKink], balance: list[list[Expression]], signs: Mapping[Kink, int]) -> None:
        self._place = {one.kink: index for index, one in enumerate(kinks)}
        self._columns = len(balance[0])
        equal = [expression for row in balance for expression in row]
        forms: list[tuple[Expression, Kink | None]] = [(expression, None) for expression in equal]
        for one in kinks:
            for slope, side in ((one.below, 1), (one.above, -1)):
                if signs.get(one.kink) == side:
                    continue  # on the side that is fixed, the other bound is not needed
                form: Expression = {one.kink: mpq(side)}
                add_multiple(form, -side * slope, one.arriving)
                forms.append((form, one.kink))
        self._owners = [owner for _, owner in forms]
        # each sum of slopes once more with either sign and without bounds, to be made as great as it can be
        self._goals = len(forms)
        forms += [({key: side * v for key, v in form.items()}, None) for form in equal for side in (1, -1)]
        rows: list[list[mpz]] = []
        self._bounds: list[mpq] = []
        for expression, _ in forms:
            row = [_ZERO] * len(self._place)
            for key, value in expression.items():
                if key is not None:
                    row[self._place[key]] = value
            integers, scale = to_integers(row)
            rows.append(integers)
            self._bounds.append(-expression.get(None, _ZERO) * scale)
        self._system = BoundedForms(rows, len(self._place))
        for index, owner in enumerate(self._owners):
            bound = self._bounds[index]
            self._system.set_bounds(len(self._place) + index, bound, bound if owner is None else None)

    def solve(self) -> SlopeLeaf | set[Kink | None]:
        """Returns slopes that add up to 0, or the kinks whose bounds exclude them."""
        found = self._system.solve()
        if isinstance(found, Conflict):
            return {owner for y, owner in zip(found.multipliers, self._owners, strict=False) if y}
        return self._leaf(found)

    def push(self, unit: int, column: int, side: int) -> SlopeLeaf | None:
        """Returns slopes that add up to a multiple with this sign of one parameter; None if there are none."""
        index = unit * self._columns + column
        form, bound = len(self._place) + index, self._bounds[index]
        low, high = (bound, bound + 1) if side > 0 else (bound - 1, bound)
        self._system.set_bounds(form, low, high)
        self._system.solve()
        goal = self._goals + 2 * index + (side < 0)
        best = self._system.maximize(len(self._place) + goal)
        self._system.set_bounds(form, bound, bound)
        found = best is not None and best.value > self._bounds[goal]
        leaf = self._leaf(best.point) if best is not None and found else None
        self._system.solve()
        return leaf

    def _leaf(self, values: Sequence[mpq]) -> SlopeLeaf:
        return SlopeLeaf({kink: value for kink, value in zip(self._place, values, strict=True) if value})
