"""The tree of tangent cells: is F ≥ 0 on a block? Leaves that prove it, a direction that refutes it, or neither.

A node fixes the signs σ of some kinks. F ≥ 0 on its cone {σ_j z_j ≥ 0} if there is a λ with

    Zᵀλ = g;  |λ_j| ≤ c_j for free j;  σ_j λ_j + c_j ≥ 0 for fixed j;  c_j = b_j - Σ_k L_kj λ_k,

because F = Σ λ_j z_j + c_j |z_j|. Where all kinks are fixed that is necessary too. A free kink with c_j = b_j < 0 has
no λ, so these are fixed first, and a fixed one gets λ_j = -σ_j b_j: its term becomes linear, the same on the cone and
never less elsewhere, so that more descents show. A cone without interior is closed by a λ that shows just that. A kink
that rests on a cone, since its forms cancel there, needs no sign: its term is 0 whatever its λ.
Every decision is exact; the order of the search is fixed. Source: THEORY.md, section 3; proofs/minimality-tree.md.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gmpy2 import mpq, mpz

from exactdrl.exact.linear import common_denominator, independent_rows, to_integers
from exactdrl.exact.program import BoundedForms, Conflict
from exactdrl.minimality.rules.blocks import Block, cell_row
from exactdrl.minimality.tree.cover import Cover, lowered

_ZERO = mpq(0)


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
    block: Block, point: Sequence[mpz], spend: Callable[[int], bool], root: Node | None = None
) -> TreeResult:
    """Searches the tree, depth first.

    Args:
        block: a block.
        point: where the search begins: each kink's first side is the one of this point.
        spend: called with the work of each node before it; False ends the search.
        root: the node below which is searched; default: that of the whole space.
    """
    program = Multipliers(block)
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
    for j in range(len(block.rows) - 1, -1, -1):
        if j in signs:
            c = -sum((block.folds[k].get(j, _ZERO) * multipliers[k] for k in range(j + 1, len(block.rows))), _ZERO)
            multipliers[j] = signs[j] * (abs(mpq(relation.get(j, 0))) - c)
    return CellLeaf(signs, tuple(multipliers), is_empty=True, point=None)


def slacks(block: Block, leaf: CellLeaf) -> list[mpq]:
    """Returns, for each kink, by how much a leaf's inequality holds; it need not where the kink rests on the cone."""
    found: list[mpq] = []
    weights = lowered(block, leaf.covers).weights
    for j, multiplier in enumerate(leaf.multipliers):
        later = range(j + 1, len(block.rows))
        c = weights[j] - sum((block.folds[k].get(j, _ZERO) * leaf.multipliers[k] for k in later), _ZERO)
        sign = leaf.signs.get(j)
        found.append(c - abs(multiplier) if sign is None else sign * multiplier + c)
    return found


def zero_sides(block: Block, leaf: CellLeaf) -> list[Side]:
    """Returns the inequalities of a leaf without covers that hold with equality, but for kinks that rest."""
    found: list[Side] = []
    for j, multiplier in enumerate(leaf.multipliers):
        later = range(j + 1, len(block.rows))
        c = block.weights[j] - sum((block.folds[k].get(j, _ZERO) * leaf.multipliers[k] for k in later), _ZERO)
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
        # c_j and λ_j as a constant and coefficients of the variables, from the deepest kink up
        bounds: list[list[mpq]] = [[]] * count
        self.affine: list[list[mpq]] = [[]] * count
        for j in range(count - 1, -1, -1):
            bounds[j] = [_ZERO] * count + [block.weights[j]]
            for k in range(j + 1, count):
                fold = block.folds[k].get(j)
                if fold:
                    bounds[j] = [c - fold * m for c, m in zip(bounds[j], self.affine[k], strict=True)]
            unit = [mpq(k == j) for k in range(count + 1)]
            self.affine[j] = [c - u for c, u in zip(bounds[j], unit, strict=True)] if j in self.folded else unit
        self.rows: list[list[mpq]] = [
            [
                sum((m[k] * row[i] for m, row in zip(self.affine, block.rows, strict=True) if m[k]), _ZERO)
                for k in range(count + 1)
            ]
            for i in range(block.width)
        ]
        self.rows += [[c + m for c, m in zip(bounds[j], self.affine[j], strict=True)] for j in self.folded]
        if raised:
            sides = [[c + s * m for c, m in zip(bounds[j], self.affine[j], strict=True)] for j, s in raised]
            self.rows.append([sum(column, _ZERO) for column in zip(*sides, strict=True)])
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
        point = [*(value / self.size for value in values), mpq(1)]
        return tuple(sum((a * x for a, x in zip(row, point, strict=True) if a), _ZERO) for row in self.affine)


def _largest(left: mpq | None, right: mpq | None) -> mpq | None:
    return right if left is None else left if right is None else max(left, right)


def _least(left: mpq | None, right: mpq | None) -> mpq | None:
    return right if left is None else left if right is None else min(left, right)
