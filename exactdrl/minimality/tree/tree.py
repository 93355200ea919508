"""The tree of tangent cells: is F ≥ 0 on a block? Leaves that prove it, a direction that refutes it, or neither.

A node fixes the signs σ of some kinks. F ≥ 0 on its cone {σ_j z_j ≥ 0} if there is a λ with

    Zᵀλ = g;  |λ_j| ≤ c_j for free j;  σ_j λ_j + c_j ≥ 0 for fixed j;  c_j = b_j - Σ_k L_kj λ_k,

because F = Σ λ_j z_j + c_j |z_j|. Where all kinks are fixed that is necessary too. A free kink with c_j = b_j < 0 has
no λ, so these are fixed first, and a fixed one gets λ_j = -σ_j b_j: its term becomes linear, the same on the cone and
never less elsewhere, so that more descents show. A cone without interior is closed by a λ that shows just that. A kink
that rests on a cone, since its forms cancel there, needs no sign: its term is 0 whatever its λ.
Every decision is exact. The order of the search is fixed. Source: proofs/minimality-tree.md.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gmpy2 import mpq, mpz

from exactdrl.exact.linear import common_denominator, independent_rows, to_integers
from exactdrl.exact.program import BoundedForms, Conflict
from exactdrl.exact.sparse import add_multiple
from exactdrl.minimality.rules.blocks import Block, cell_row
from exactdrl.minimality.tree.cover import Cover, lowered

_ZERO, _ONE = mpq(0), mpq(1)
# coefficients of the variables by their number, the constant behind the last
_Affine: TypeAlias = dict[int, mpq]


@dataclass(frozen=True, slots=True)
class CellLeaf:
    """A closed leaf of a block's tree.

    Attributes:
        signs: of the fixed kinks, by index in the block; 0 for kinks that rest on the whole cone.
        multipliers: λ, for the block's scaled kinks.
        is_empty: the cone has no interior; λ shows that instead of F ≥ 0.
        point: inside the cone, None if it is empty.
        covers: λ is for the weights that these leave.
    """

    signs: dict[int, int]
    multipliers: tuple[mpq, ...]
    is_empty: bool
    point: tuple[mpz, ...] | None
    covers: tuple[Cover, ...] = ()


@dataclass(frozen=True, slots=True)
class Closed:
    """F ≥ 0 on the block; the leaves cover all signs."""

    leaves: tuple[CellLeaf, ...]


@dataclass(frozen=True, slots=True)
class Refuted:
    """F < 0 along a direction of the block."""

    direction: tuple[mpz, ...]


@dataclass(frozen=True, slots=True)
class OutOfBudget:
    """The tree was too large; nothing is said about F."""


TreeResult: TypeAlias = Closed | Refuted | OutOfBudget
# a kink, and the side of its inequality: 1 for c + λ ≥ 0, -1 for c - λ ≥ 0
Side: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Node:
    """A node whose parent was split.

    Attributes:
        signs: as of a leaf.
        point: inside the cone; None if none is known.
    """

    signs: dict[int, int]
    point: tuple[mpz, ...] | None


def close_tree(
    block: Block,
    point: Sequence[mpz],
    spend: Callable[[int], bool],
    root: Node | None = None,
    program: "Multipliers | None" = None,
) -> TreeResult:
    """Searches the tree, depth first.

    Args:
        block: a block.
        point: where the search begins: each kink's first side is the one of this point.
        spend: called with the work of each node before it; False ends the search.
        root: the node below which is searched; default: that of the whole space.
        program: of the block, from whose last basis the search goes on; default: a new one.
    """
    program = Multipliers(block) if program is None else program
    leaves: list[CellLeaf] = []
    stack = [Node({}, tuple(point)) if root is None else root]
    while stack:
        if not spend(program.cost):
            return OutOfBudget()
        node = stack.pop()
        inside = node.point if node.point is not None else find_inside(block, node.signs)
        if isinstance(inside, CellLeaf):
            leaves.append(inside)
            continue
        kink = program.first_concave(node.signs)
        if kink is None:
            solved = program.solve(node.signs, inside)
            if isinstance(solved, CellLeaf):
                leaves.append(solved)
                continue
            for direction in both_sides(solved):
                if block.change(direction) < 0:
                    return Refuted(direction)
            # only kinks that others fold can make the bound too low
            kink = next(j for j in program.folded if j not in node.signs)
        row = cell_row(block, node.signs, kink)
        stack += children(node.signs, kink, row, inside) if any(row) else [Node({**node.signs, kink: 0}, inside)]
    return Closed(tuple(leaves))


def both_sides(direction: Sequence[mpz]) -> list[tuple[mpz, ...]]:
    """Returns a direction and its opposite."""
    return [tuple(side * entry for entry in direction) for side in (1, -1)]


def children(signs: dict[int, int], kink: int, row: Sequence[mpq], inside: tuple[mpz, ...]) -> Iterator[Node]:
    """Yields the two children, the one that holds the point last, so that it is visited first."""
    value = sum((a * d for a, d in zip(row, inside, strict=True)), _ZERO)
    near = -1 if value < 0 else 1
    yield Node({**signs, kink: -near}, None)
    yield Node({**signs, kink: near}, inside if value else None)


def find_inside(block: Block, signs: dict[int, int]) -> tuple[mpz, ...] | CellLeaf:
    """Returns a point inside a cone, or the leaf that shows that there is none."""
    rows = {j: to_integers(cell_row(block, signs, j)) for j in sorted(signs) if signs[j]}
    forms = BoundedForms([row for row, _ in rows.values()], block.width)
    one = mpq(1)
    for form, j in enumerate(rows):
        forms.set_bounds(block.width + form, *((one, None) if signs[j] > 0 else (None, -one)))
    solved = forms.solve()
    if not isinstance(solved, Conflict):
        return tuple(to_integers(solved)[0])
    relation = {j: y * scale for (j, (_, scale)), y in zip(rows.items(), solved.multipliers, strict=True)}
    return _empty_leaf(block, signs, relation)


def _empty_leaf(block: Block, signs: dict[int, int], relation: dict[int, mpz]) -> CellLeaf:
    """Returns a λ with Zᵀλ = 0 and σ_j λ_j + c_j ≥ 0, c without b, from Σ relation_j · (z_j's row on the cone) = 0."""
    multipliers = [_ZERO] * len(block.rows)
    # -c_j, to which each kink that folds the kink j adds; such kinks come after it
    folded = [_ZERO] * len(block.rows)
    for j in sorted(signs, reverse=True):
        multipliers[j] = signs[j] * (abs(mpq(relation.get(j, 0))) + folded[j])
        for k, share in block.folds[j].items():
            folded[k] += share * multipliers[j]
    return CellLeaf(signs, tuple(multipliers), is_empty=True, point=None)


def slacks(block: Block, leaf: CellLeaf) -> list[mpq]:
    """Returns, for each kink, by how much a leaf's inequality holds; it need not where the kink rests on the cone."""
    found: list[mpq] = []
    most = _unfolded(lowered(block, leaf.covers), leaf.multipliers)
    for j, (multiplier, c) in enumerate(zip(leaf.multipliers, most, strict=True)):
        sign = leaf.signs.get(j)
        found.append(c - abs(multiplier) if sign is None else sign * multiplier + c)
    return found


def _unfolded(block: Block, multipliers: Sequence[mpq]) -> list[mpq]:
    """Returns c for a λ: the weights without what later kinks' folds take."""
    most = list(block.weights)
    for multiplier, fold in zip(multipliers, block.folds, strict=True):
        if multiplier:
            for k, factor in fold.items():
                most[k] -= factor * multiplier
    return most


def zero_sides(block: Block, leaf: CellLeaf) -> list[Side]:
    """Returns the inequalities of a leaf without covers that hold with equality, but for kinks that rest."""
    found: list[Side] = []
    most = _unfolded(block, leaf.multipliers)
    for j, (multiplier, c) in enumerate(zip(leaf.multipliers, most, strict=True)):
        sign = leaf.signs.get(j)
        found += [(j, side) for side in (1, -1) if sign in (None, side) and c + side * multiplier == 0]
    return found


def strict_kinks(block: Block, leaf: CellLeaf) -> list[int]:
    """Returns the kinks that must rest where F = 0 on a leaf's cone: strict inequalities, closed under folds."""
    strict: list[int] = []
    for j, slack in enumerate(slacks(block, leaf)):
        if (slack > 0 or leaf.signs.get(j) == 0) and all(k in strict for k in block.folds[j]):
            strict.append(j)
    return strict


def is_strict(block: Block, leaf: CellLeaf) -> bool:
    """Returns whether a leaf shows F > 0 on its cone but at 0; False only says that it does not show it."""
    strict = strict_kinks(block, leaf)
    return leaf.is_empty or len(independent_rows([block.rows[j] for j in strict], block.width)) == block.width


def _to_affine(block: Block) -> tuple[list[_Affine], list[_Affine]]:
    """Returns λ_j and c_j in the variables of `Multipliers`, from the deepest kink up."""
    count = len(block.rows)
    folded = {j for fold in block.folds for j in fold}
    bounds: list[_Affine] = [{count: weight} if weight else {} for weight in block.weights]
    multipliers: list[_Affine] = [{}] * count
    for j in range(count - 1, -1, -1):
        multipliers[j] = {j: _ONE}
        if j in folded:
            multipliers[j] = dict(bounds[j])
            add_multiple(multipliers[j], -_ONE, {j: _ONE})
        for k, fold in block.folds[j].items():
            add_multiple(bounds[k], -fold, multipliers[j])
    return multipliers, bounds


class Multipliers:
    """The inequalities for λ on a block as bounds, changed as the search goes from node to node.

    Variables: λ_j of kinks that no other kink folds, c_j - λ_j of the others; forms: Zᵀλ, and c_j + λ_j of the others.
    """

    def __init__(self, block: Block, raised: Sequence[Side] = ()) -> None:
        """Takes the block; no kink is fixed.

        Args:
            block: a block.
            raised: the inequalities that `raise_sides` is to make strict.
        """
        self.block, self.raised = block, raised
        count = len(block.rows)
        self.folded = sorted({j for fold in block.folds for j in fold})
        self.affine, bounds = _to_affine(block)
        forms: list[_Affine] = [{} for _ in range(block.width)]
        for multiplier, own in zip(self.affine, block.rows, strict=True):
            for form, entry in zip(forms, own, strict=True):
                if entry:
                    add_multiple(form, mpq(entry), multiplier)
        for j in self.folded:
            forms.append(dict(bounds[j]))
            add_multiple(forms[-1], _ONE, self.affine[j])
        if raised:
            forms.append({})
            for j, side in raised:
                add_multiple(forms[-1], _ONE, bounds[j])
                add_multiple(forms[-1], mpq(side), self.affine[j])
        self.rows = [[form.get(k, _ZERO) for k in range(count + 1)] for form in forms]
        scaled = [to_integers(row[:-1]) for row in self.rows]
        self.scales = [scale for _, scale in scaled]
        self.forms = BoundedForms([row for row, _ in scaled], count)
        self.size = common_denominator([*block.slope, *block.weights])
        for i in range(block.width):
            self._bound_form(i, block.slope[i], block.slope[i])
        self.signs: dict[int, int] = {}
        for j in range(count):
            self._fix(j, None)

    @property
    def cost(self) -> int:
        """Returns the work of a node, in thousands of a tableau's entries, at least 1."""
        return 1 + len(self.rows) * len(self.affine) // 1000

    def _bound_form(self, index: int, lower: mpq, upper: mpq | None) -> None:
        constant, scale = self.rows[index][-1], self.scales[index] * self.size
        above = None if upper is None else (upper - constant) * scale
        self.forms.set_bounds(len(self.affine) + index, (lower - constant) * scale, above)

    def _fix(self, j: int, sign: int | None) -> None:
        """Sets the bounds of a kink that is free (None), rests on the cone (0), or has a sign."""
        weight = self.block.weights[j] * self.size
        # c + λ ≥ 0 and c - λ ≥ 0
        is_low, is_high = sign in (None, 1), sign in (None, -1)
        if j in self.folded:
            self.forms.set_bounds(j, _ZERO if is_high else None, None)
            index = self.block.width + self.folded.index(j)
            if is_low:
                self._bound_form(index, _ZERO, None)
            else:
                self.forms.set_bounds(len(self.affine) + index, None, None)
        elif weight >= 0 or (sign and self.raised):
            self.forms.set_bounds(j, -weight if is_low else None, weight if is_high else None)
        elif sign:
            self.forms.set_bounds(j, -sign * weight, -sign * weight)
        else:
            # a free concave kink has no λ and is never solved for
            self.forms.set_bounds(j, None, None)

    def first_concave(self, signs: dict[int, int]) -> int | None:
        """Returns the kink to fix next so that no free kink makes λ impossible; kinks that it folds come first."""
        for j, weight in enumerate(self.block.weights):
            if weight < 0 and j not in self.folded and j not in signs:
                return min((k for k in self._below(j) if k not in signs), default=j)
        return None

    def _below(self, kink: int) -> set[int]:
        return {kink}.union(*(self._below(k) for k in self.block.folds[kink]))

    def solve(self, signs: dict[int, int], inside: tuple[mpz, ...]) -> CellLeaf | list[mpz]:
        """Returns a leaf, or a direction in which a node's lower bound of F is negative."""
        for j in sorted(self.signs.keys() | signs.keys()):
            if self.signs.get(j) != signs.get(j):
                self._fix(j, signs.get(j))
        self.signs = signs
        solved = self.forms.solve()
        if isinstance(solved, Conflict):
            return [-y * scale for y, scale in zip(solved.multipliers, self.scales, strict=True)][: self.block.width]
        return CellLeaf(signs, self._to_multipliers(solved), is_empty=False, point=inside)

    def raise_sides(self, signs: dict[int, int]) -> tuple[mpq, ...] | None:
        """Returns a λ of a node for which some of the raised inequalities are strict; None if there is none.

        They hold with equality for some λ, so that none has to be more than 1 in the program's units: that bounds the
        sum, which is raised.
        """
        for j, sign in signs.items():
            self._fix(j, sign)
        for j, side in self.raised:
            self._cap(j, side)
        self.forms.solve()
        best = self.forms.maximize(len(self.affine) + len(self.rows) - 1)
        if best is None:
            raise AssertionError("a bounded sum has no greatest value: this is a bug")
        if best.value == -self.rows[-1][-1] * self.scales[-1] * self.size:
            return None
        return self._to_multipliers(best.point)

    def _cap(self, j: int, side: int) -> None:
        """Bounds how strict an inequality may be, beside the bounds that it has."""
        one = mpq(1)
        if j not in self.folded:
            lower, upper = self.forms.bounds(j)
            weight = self.block.weights[j] * self.size
            caps = (lower, one - weight) if side > 0 else (weight - one, upper)
            self.forms.set_bounds(j, _largest(lower, caps[0]), _least(upper, caps[1]))
        elif side < 0:
            self.forms.set_bounds(j, _ZERO, one)
        else:
            self._bound_form(self.block.width + self.folded.index(j), _ZERO, one / self.size)

    def _to_multipliers(self, values: Sequence[mpq]) -> tuple[mpq, ...]:
        point = [*(value / self.size for value in values), _ONE]
        return tuple(sum((a * point[k] for k, a in row.items()), _ZERO) for row in self.affine)


def _largest(left: mpq | None, right: mpq | None) -> mpq | None:
    return right if left is None else left if right is None else max(left, right)


def _least(left: mpq | None, right: mpq | None) -> mpq | None:
    return right if left is None else left if right is None else min(left, right)
