"""Finds the global minimum of a small network by exact branch and bound over hidden cells and signs of outer weights.

With |h_i| = 1 a sign string fixes the outer weights, and the bits of the samples, decided sample by sample, cut the
space of each unit into cones. On the samples decided so far the best predictions in such cones are a convex problem,
solved in the cones' extreme rays; its dual is the bound (proofs/CELLS.md, section 5). The rest of the samples adds
nothing negative.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count, product

from gmpy2 import mpq, mpz

from exactdrl.exact.linear import to_integers
from exactdrl.exact.program import BoundedForms, Conflict
from exactdrl.hidden_cells.cone import Cone, split_cone
from exactdrl.hidden_cells.conic import Conic, fit_absolute, fit_squared
from exactdrl.hidden_cells.setting import Network, Setting

_ZERO = mpq(0)


@dataclass(frozen=True, slots=True)
class BoundLeaf:
    """A leaf closed by a dual: see proofs/CELLS.md for e and the multipliers, pairs of a sample and a number a unit."""

    signs: str
    bits: str
    dual: tuple[mpq, ...]
    multipliers: tuple[tuple[tuple[int, mpq], ...], ...]


@dataclass(frozen=True, slots=True)
class FlatLeaf:
    """A leaf whose cone of one unit has no interior, as a positive combination of its conditions is 0."""

    signs: str
    bits: str
    unit: int
    multipliers: tuple[tuple[int, mpq], ...]


@dataclass(frozen=True, slots=True)
class TwinLeaf:
    """A leaf in which a unit and the next one stand in the wrong order."""

    signs: str
    bits: str
    unit: int


Leaf = BoundLeaf | FlatLeaf | TwinLeaf


@dataclass(frozen=True, slots=True)
class GlobalMinimum:
    """The least loss of all networks of the shape.

    Attributes:
        loss: Σ r² or Σ |r|.
        network: that attains it.
        order: one sample of each hyperplane, in the order of branching.
        leaves: of the search, which together are the proof.
        nodes: cones that were bounded.
    """

    loss: mpq
    network: Network
    order: tuple[int, ...]
    leaves: tuple[Leaf, ...]
    nodes: int


@dataclass(frozen=True, slots=True)
class GlobalUndecided:
    """The search spent its budget, and the global minimum is not known.

    Attributes:
        bound: a lower bound of the loss of all networks.
        loss: of the best network that was found.
        network: that one.
        nodes: cones that were bounded.
    """

    bound: mpq
    loss: mpq
    network: Network
    nodes: int


@dataclass(frozen=True, slots=True)
class _Node:
    """A part of the parameters: signs, cones of the units, the sides decided so far for each unit, the bound's dual."""

    signs: str
    cones: tuple[Cone, ...]
    sides: tuple[tuple[int, ...], ...]
    dual: tuple[mpq, ...]

    @property
    def bits(self) -> str:
        return _word(self.sides)


def _word(sides: Sequence[Sequence[int]]) -> str:
    """Returns the bits of a word, sample by sample, from the sides of each unit; the last sample may lack units."""
    depth = len(sides[0])
    return "".join("1" if row[level] > 0 else "0" for level in range(depth) for row in sides if level < len(row))


class _Search:
    def __init__(self, setting: Setting, budget: int | None, on_node: Callable[[int, str], None] | None) -> None:
        self.setting, self.budget, self.on_node = setting, budget, on_node
        samples = setting.samples
        first: dict[int, int] = {}
        for sample, place in enumerate(samples.places):
            if place is not None:
                first.setdefault(place[0], sample)
        # hyperplanes are numbered by their first samples, which lie on the vector's side or on the other one
        self.order = tuple(first[plane] for plane in range(len(samples.planes)))
        self.rows = [samples.rows[sample] for sample in self.order]
        self.same = [self._same(sample) for sample in range(len(setting.targets))]
        self.vectors = [samples.vector(sample) for sample in range(len(setting.targets))]
        self.nodes = 0
        self.network = Network(
            tuple(tuple(_ZERO for _ in range(samples.dimension)) for _ in range(setting.units)),
            tuple(_ZERO for _ in range(setting.units)),
            _ZERO,
        )
        self.loss = setting.loss_of(self.network)

    def _same(self, sample: int) -> tuple[int, int] | None:
        """Returns a sample's level in the order, and whether it has the side of that level's sample, as 1 or -1."""
        place = self.setting.samples.places[sample]
        if place is None:
            return None
        own = self.setting.samples.places[self.order[place[0]]]
        return place[0], place[1] * (own[1] if own is not None else 1)

    def bit(self, sides: Sequence[int], sample: int) -> str | None:
        """Returns a unit's bit on a sample, None where it is open."""
        same = self.same[sample]
        if same is None:
            return "0"
        if same[0] >= len(sides):
            return None
        return "1" if sides[same[0]] * same[1] > 0 else "0"

    def bound(self, signs: str, cones: Sequence[Cone], sides: Sequence[Sequence[int]]) -> tuple[mpq, tuple[mpq, ...]]:
        """Returns the least loss on the decided samples and its dual, and offers the network that attains it."""
        setting = self.setting
        decided = [k for k in range(len(setting.targets)) if all(self.bit(row, k) is not None for row in sides)]
        self.nodes += 1
        columns: list[list[mpq]] = []
        owners: list[tuple[int, tuple[mpz, ...]] | None] = []
        free: list[bool] = []
        for unit, cone in enumerate(cones):
            sign = 1 if signs[unit] == "+" else -1
            slopes = [sign * setting.slope(self.bit(sides[unit], k) or "0") for k in decided]
            for number, generator in enumerate((*cone.lines, *cone.rays)):
                columns.append(
                    [
                        slope * sum((a * b for a, b in zip(self.vectors[k], generator, strict=True)), _ZERO)
                        if slope
                        else _ZERO
                        for slope, k in zip(slopes, decided, strict=True)
                    ]
                )
                owners.append((unit, generator))
                free.append(number < len(cone.lines))
        if setting.has_output_bias:
            columns.append([mpq(1) for _ in decided])
            owners.append(None)
            free.append(True)
        goals = [setting.targets[k] for k in decided]
        fit = fit_squared if setting.loss == "squared" else fit_absolute
        found: Conic = fit(columns, free, goals)
        self._offer(signs, cones, owners, found)
        dual = [_ZERO] * len(setting.targets)
        for k, entry in zip(decided, found.dual, strict=True):
            dual[k] = entry
        return found.value, tuple(dual)

    def _offer(
        self,
        signs: str,
        cones: Sequence[Cone],
        owners: Sequence[tuple[int, tuple[mpz, ...]] | None],
        found: Conic,
    ) -> None:
        weights = [[_ZERO] * self.setting.samples.dimension for _ in cones]
        constant = _ZERO
        for owner, coefficient in zip(owners, found.coefficients, strict=True):
            if owner is None:
                constant = coefficient
            elif coefficient:
                unit, generator = owner
                weights[unit] = [w + coefficient * g for w, g in zip(weights[unit], generator, strict=True)]
        network = Network(
            tuple(tuple(row) for row in weights), tuple(mpq(1 if sign == "+" else -1) for sign in signs), constant
        )
        loss = self.setting.loss_of(network)
        if loss < self.loss:
            self.loss, self.network = loss, network

    def children(self, node: _Node) -> tuple[list[tuple[tuple[Cone, ...], tuple[tuple[int, ...], ...]]], list[Leaf]]:
        """Returns what deciding the next sample makes of a node: cones with interior, and closed leaves."""
        depth, leaves = len(node.sides[0]), list[Leaf]()
        row = self.rows[depth]
        options = []
        for cone in node.cones:
            below, above = split_cone(cone, row, depth)
            options.append({1: above, -1: below})
        # unit by unit, as the words have the bits
        partial: list[tuple[Cone, ...]] = [()]
        prefixes: list[tuple[int, ...]] = [()]
        for unit, parts in enumerate(options):
            grown: list[tuple[Cone, ...]] = []
            names: list[tuple[int, ...]] = []
            for (cones, prefix), side in product(zip(partial, prefixes, strict=True), (1, -1)):
                sides = tuple(
                    (*own, (*prefix, side)[place]) if place <= unit else own for place, own in enumerate(node.sides)
                )
                part = parts[side]
                if self._is_twin(node, unit, sides):
                    leaves.append(TwinLeaf(node.signs, _word(sides), unit - 1))
                elif part is None:
                    leaves.append(self._flat(node, unit, sides))
                else:
                    grown.append((*cones, part))
                    names.append((*prefix, side))
            partial, prefixes = grown, names
        found = [
            (cones, tuple((*own, side) for own, side in zip(node.sides, prefix, strict=True)))
            for cones, prefix in zip(partial, prefixes, strict=True)
        ]
        return found, leaves

    def _is_twin(self, node: _Node, unit: int, sides: Sequence[tuple[int, ...]]) -> bool:
        return unit > 0 and node.signs[unit - 1] == node.signs[unit] and sides[unit - 1] < sides[unit]

    def _flat(self, node: _Node, unit: int, sides: Sequence[tuple[int, ...]]) -> FlatLeaf:
        """Returns the leaf of a cone without interior: the new condition's opposite follows from the others."""
        depth = len(node.sides[0])
        target = [-sides[unit][depth] * entry for entry in self.rows[depth]]
        pairs = self._combine(target, sides[unit][:depth], node.cones[unit])
        pairs.append((self.order[depth], mpq(self.setting.samples.scales[self.order[depth]])))
        return FlatLeaf(node.signs, _word(sides), unit, tuple(sorted(pairs)))

    def _combine(self, target: Sequence[mpq | mpz], sides: Sequence[int], cone: Cone) -> list[tuple[int, mpq]]:
        """Returns a vector that is nowhere negative on a cone as a nonnegative combination of the σ x̃_k."""
        if not any(target):
            return []
        mask = cone.facets()
        levels = [level for level in range(len(sides)) if mask >> level & 1]
        numbers, scale = to_integers([mpq(entry) for entry in target])
        forms = [[sides[level] * self.rows[level][place] for level in levels] for place in range(len(target))]
        program = BoundedForms(forms, len(levels))
        for variable in range(len(levels)):
            program.set_bounds(variable, _ZERO, None)
        for form, number in enumerate(numbers):
            program.set_bounds(len(levels) + form, mpq(number), mpq(number))
        found = program.solve()
        if isinstance(found, Conflict):  # a result, and no wrong type
            raise AssertionError("what is nowhere negative on a cone is a sum of its facets")  # noqa: TRY004
        return [
            (self.order[level], value / scale * self.setting.samples.scales[self.order[level]])
            for level, value in zip(levels, found, strict=True)
            if value
        ]

    def close(self, node: _Node) -> BoundLeaf:
        """Returns a node as a leaf, with the multipliers that prove its bound."""
        lists = []
        for unit, cone in enumerate(node.cones):
            sign = 1 if node.signs[unit] == "+" else -1
            total = [_ZERO] * self.setting.samples.dimension
            for k, e in enumerate(node.dual):
                factor = e and sign * e * self.setting.slope(self.bit(node.sides[unit], k) or "0")
                if factor:
                    total = [t + factor * x for t, x in zip(total, self.vectors[k], strict=True)]
            lists.append(tuple(sorted(self._combine(total, node.sides[unit], cone))))
        return BoundLeaf(node.signs, node.bits, node.dual, tuple(lists))

    def run(self) -> GlobalMinimum | GlobalUndecided:
        """Searches best bounds first, and among equal bounds deepest first."""
        heap: list[tuple[mpq, int, int, _Node]] = []
        serial, leaves = count(), list[Leaf]()
        zero = tuple(_ZERO for _ in self.setting.targets)
        for plus in range(self.setting.units, -1, -1):
            signs = "+" * plus + "-" * (self.setting.units - plus)
            cones = tuple(Cone.whole(self.setting.samples.dimension) for _ in signs)
            sides: tuple[tuple[int, ...], ...] = tuple(() for _ in signs)
            value, dual = self.bound(signs, cones, sides) if None in self.same else (_ZERO, zero)
            heapq.heappush(heap, (value, 0, next(serial), _Node(signs, cones, sides, dual)))
        while heap and heap[0][0] < self.loss:
            if self.budget is not None and self.nodes >= self.budget:
                return GlobalUndecided(heap[0][0], self.loss, self.network, self.nodes)
            _, _, _, node = heapq.heappop(heap)
            found, closed = self.children(node)
            leaves += closed
            for cones, sides in found:
                value, dual = self.bound(node.signs, cones, sides)
                child = _Node(node.signs, cones, sides, dual)
                heapq.heappush(heap, (value, -len(sides[0]), next(serial), child))
                if self.on_node is not None:
                    self.on_node(self.nodes, f"{len(heap)} open")
        leaves += [self.close(node) for *_, node in heap]
        leaves.sort(key=lambda leaf: (leaf.signs, leaf.bits))
        return GlobalMinimum(self.loss, self.network, self.order, tuple(leaves), self.nodes)


def find_global_minimum(
    setting: Setting, *, budget: int | None = None, on_node: Callable[[int, str], None] | None = None
) -> GlobalMinimum | GlobalUndecided:
    """Returns the least loss of all networks of the setting's shape, with its proof, or what a budget left open.

    Args:
        setting: of the problem.
        budget: the most cones that are bounded; None for no limit.
        on_node: called with the number of cones so far and a note.
    """
    return _Search(setting, budget, on_node).run()
