"""The tree with chords, for blocks of one layer in few dimensions: on a narrow cone a concave kink is nearly linear.

Let σ fix kinks of which as many are independent as the block has variables, B = z_1, ..., z_w. Each other kink is a
combination of them, z_h = Σ_i r_i z_i, so that on the cone |z_h| ≤ Σ_i |r_i| σ_i z_i: a linear form that is equal to
|z_h| on the rays of the simplicial cone {σ_i z_i ≥ 0}, the chord. That is a cover of h by the kinks of B, and with
covers for all free concave kinks what is left is convex: one linear program proves F ≥ chords on the cone, or gives a
direction in it where that fails. The cone is then split by the kink whose chord is worst there. So the leaves are
narrow where F is small, and few elsewhere, where a tree that fixes each concave kink has one for each of their cells.

Source: on a simplex the concave envelope of a convex function is linear; Horst, An algorithm for nonconvex programming
problems (1976), branches on it. proofs/minimality-tree.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gmpy2 import mpq, mpz

from exactdrl.exact.linear import dot, independent_rows, solve_columns
from exactdrl.exact.program import BoundedForms, Conflict
from exactdrl.minimality.rules.blocks import Block
from exactdrl.minimality.tree.cover import Cover
from exactdrl.minimality.tree.tree import (
    CellLeaf,
    Closed,
    Node,
    OutOfBudget,
    Refuted,
    TreeResult,
    children,
    find_inside,
    slacks,
)

_ZERO = mpq(0)
# each dimension more doubles the leaves that there are at least
_WIDEST = 4


def is_narrow(block: Block) -> bool:
    """Returns whether a block is one for this tree: of few dimensions, with more concave kinks than they are."""
    return block.is_shallow and 1 < block.width <= _WIDEST and sum(weight < 0 for weight in block.weights) > block.width


def close_by_chords(
    block: Block, point: Sequence[mpz], spend: Callable[[int], bool], root: Node | None = None
) -> TreeResult:
    """Searches the tree with chords, depth first.

    Args:
        block: of one layer.
        point: where the search begins, as in `close_tree`.
        spend: called with the work of each node before it; False ends the search.
        root: the node below which is searched; default: that of the whole space.
    """
    program = _Program(block)
    leaves: list[CellLeaf] = []
    stack = [_Part(Node({}, tuple(point)) if root is None else root, {})]
    while stack:
        if not spend(1 + len(block.rows) * block.width // 1000):
            return OutOfBudget()
        part = stack.pop()
        node = part.node
        inside = node.point if node.point is not None else find_inside(block, node.signs)
        if isinstance(inside, CellLeaf):
            leaves.append(inside)
            continue
        facets = _nearest(block, node.signs, inside)
        if len(facets) < block.width:
            kink = _next_independent(block, facets)
        else:
            chords = _chords(block, part, _narrowed(block, node.signs, facets))
            solved = program.solve(node.signs, chords)
            if not isinstance(solved, Conflict):
                covers = _to_covers(block, chords)
                leaf = CellLeaf(node.signs, tuple(solved), is_empty=False, point=inside, covers=covers)
                if min(slacks(block, leaf)) < 0:
                    raise AssertionError("a leaf with chords does not close: this is a bug")
                leaves.append(leaf)
                continue
            direction = tuple(-y for y in solved.multipliers)
            changes = block.kink_changes(direction)
            if block.change_of(direction, changes) < 0:
                return Refuted(direction)
            kink = _worst(chords, changes)
        far, near = children(node.signs, kink, [mpq(entry) for entry in block.rows[kink]], inside)
        other = find_inside(block, far.signs)
        if isinstance(other, CellLeaf):
            # the kink has one sign on the cone, so it is equal to a combination of signed ones there
            stack.append(_Part(Node(node.signs, inside), {**part.signed, kink: _relation(block, other, kink)}))
        else:
            stack += [_Part(Node(far.signs, other), part.signed), _Part(near, part.signed)]
    return Closed(tuple(leaves))


# for a kink, the others and their shares by which it is covered
_Chords: TypeAlias = dict[int, dict[int, mpq]]


@dataclass(frozen=True, slots=True)
class _Part:
    """A node, and what covers the concave kinks that are known to have one sign on its cone."""

    node: Node
    signed: _Chords


def _relation(block: Block, empty: CellLeaf, kink: int) -> dict[int, mpq]:
    """Returns what covers a kink where a cone has no interior since that kink has a sign there."""
    factor = block.weights[kink] / abs(empty.multipliers[kink])
    return {j: factor * m for j, m in enumerate(empty.multipliers) if m}


def _to_covers(block: Block, chords: _Chords) -> tuple[Cover, ...]:
    return tuple(
        Cover(kink, tuple(shares.get(j, _ZERO) for j in range(len(block.rows)))) for kink, shares in chords.items()
    )


def _nearest(block: Block, signs: dict[int, int], inside: Sequence[mpz]) -> list[int]:
    """Returns independent kinks with signs, those first on whose hyperplanes a point of the cone nearly lies."""

    def distance(kink: int) -> mpq:
        row = block.rows[kink]
        return mpq(dot(row, inside) ** 2, dot(row, row))

    order = sorted((j for j, sign in signs.items() if sign), key=lambda j: (distance(j), j))
    return [order[k] for k in independent_rows([block.rows[j] for j in order], block.width)]


def _narrowed(block: Block, signs: dict[int, int], facets: Sequence[int]) -> list[int]:
    """Returns kinks with signs whose simplicial cone lies in that of the given ones, as far as single exchanges lead.

    Where σ_k z_k = Σ ρ_i σ_i z_i with one ρ_i > 0 only, σ_i z_i ≥ 0 follows from the others and k.
    """
    found = list(facets)
    others = [j for j, sign in signs.items() if sign and j not in found]
    if not others:
        return found
    parts = _combinations(block, found, others)
    table = [
        [signs[j] * signs[i] * share for i, share in zip(found, shares, strict=True)]
        for j, shares in zip(others, parts, strict=True)
    ]
    column = 0
    while column < len(others):
        rho = table[column]
        positive = [place for place, entry in enumerate(rho) if entry > 0]
        if len(positive) != 1 or all(entry >= 0 for entry in rho):
            column += 1
            continue
        (place,) = positive
        lead = rho[place]
        exchanged = [1 / lead if k == place else -entry / lead for k, entry in enumerate(rho)]
        table = [
            [line[place] * e + (_ZERO if k == place else line[k]) for k, e in enumerate(exchanged)] for line in table
        ]
        table[column] = exchanged
        found[place], others[column] = others[column], found[place]
        column = 0
    return found


def _next_independent(block: Block, facets: Sequence[int]) -> int:
    """Returns a kink independent of some: the concave one with the greatest weight, else the first."""
    order = sorted(
        range(len(block.rows)), key=lambda j: (min(_ZERO, block.weights[j]) * sum(map(abs, block.rows[j])), j)
    )
    order = [*facets, *(j for j in order if j not in facets)]
    found = independent_rows([block.rows[j] for j in order], block.width)
    return order[found[len(facets)]]


def _chords(block: Block, part: _Part, facets: Sequence[int]) -> _Chords:
    """Returns covers of the concave kinks without sign: those that are known, else by a basis of kinks with signs."""
    signs = part.node.signs
    found = {kink: shares for kink, shares in part.signed.items() if kink not in signs}
    free = [j for j, weight in enumerate(block.weights) if weight < 0 and j not in signs and j not in found]
    if free:
        parts = _combinations(block, facets, free)
        for column, j in enumerate(free):
            weight = block.weights[j]
            found[j] = {i: -weight * share for i, share in zip(facets, parts[column], strict=True) if share}
            found[j][j] = weight
    return found


def _combinations(block: Block, basis: Sequence[int], kinks: Sequence[int]) -> list[list[mpq]]:
    """Returns each kink as a combination of a basis."""
    square = list(zip(*(block.rows[i] for i in basis), strict=True))
    return solve_columns(square, [[mpq(entry) for entry in block.rows[j]] for j in kinks])


def _worst(chords: _Chords, changes: Sequence[mpq]) -> int:
    """Returns the covered kink whose chord is farthest from it along a direction, by the kinks' changes along it."""

    def gap(kink: int) -> mpq:
        shares = chords[kink]
        own = 2 * abs(shares[kink] * changes[kink])
        return sum((abs(r * changes[j]) for j, r in shares.items()), _ZERO) - own

    return max(chords, key=lambda kink: (gap(kink), -kink))


class _Program:
    """The inequalities for λ on a block of one layer, changed as the search goes from node to node."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self._forms = BoundedForms([list(column) for column in zip(*block.rows, strict=True)], len(block.rows))
        for i, goal in enumerate(block.slope):
            self._forms.set_bounds(len(block.rows) + i, goal, goal)

    def solve(self, signs: dict[int, int], chords: _Chords) -> list[mpq] | Conflict:
        """Returns λ, or why there is none: minus the multipliers is a direction in the cone where F with chords < 0."""
        weights = list(self._block.weights)
        for kink, shares in chords.items():
            for j, share in shares.items():
                weights[j] += abs(share) if j == kink else -abs(share)
        for j, weight in enumerate(weights):
            sign = signs.get(j)
            bounds = None if sign == -1 else -weight, None if sign == 1 else weight
            if self._forms.bounds(j) != bounds:
                self._forms.set_bounds(j, *bounds)
        return self._forms.solve()
