"""Decides blocks: searches for a descent, then for the proof that there is none, within a budget of work."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gmpy2 import mpq, mpz

from exactdrl.exact.linear import independent_rows, to_integers
from exactdrl.minimality.descent.block_edge import to_block_edge
from exactdrl.minimality.descent.planes import ALL_SEEN, descend_on_planes
from exactdrl.minimality.descent.search import scatter
from exactdrl.minimality.descent.subgradient_steps import search_by_subgradients
from exactdrl.minimality.rules.blocks import Block, split
from exactdrl.minimality.rules.flat import find_still, is_loose
from exactdrl.minimality.rules.settle import Settled
from exactdrl.minimality.tree.cell_program import cell_signs, descend_in_cell
from exactdrl.minimality.tree.chords import close_by_chords, is_narrow
from exactdrl.minimality.tree.covered_tree import close_covered
from exactdrl.minimality.tree.strictness import find_strict
from exactdrl.minimality.tree.tree import Closed, OutOfBudget, Refuted, TreeResult, close_tree

# a first, small tree: it closes most minima, and is cheaper than the search of cells
SMALL = 200
_PAIRS = 64
# nodes of a first tree with covers: it closes at once or takes long
_FEW = 3
# of a tree with chords; minima of units that are 0 on 100 samples in three dimensions took up to 340
_CHORDS = 1000


class Budget:
    """Counts the nodes of trees, and bounds the work of each tree."""

    def __init__(self, work: int, on_node: Callable[[int], None] | None) -> None:
        """Starts to count.

        Args:
            work: of each tree, see `close_tree`.
            on_node: called with the number of nodes so far.
        """
        self.work = work
        self._nodes, self._on_node = 0, on_node

    def allowance(self, work: int, nodes: int | None = None) -> Callable[[int], bool]:
        """Returns a function that spends the work of a node, and returns False where it is too much.

        Args:
            work: in all.
            nodes: in all; None for as many as there is work for.
        """
        left, last = work, None if nodes is None else self._nodes + nodes

        def spend(cost: int) -> bool:
            nonlocal left
            left -= cost
            self._nodes += 1
            if self._on_node is not None:
                self._on_node(self._nodes)
            return left >= 0 and (last is None or self._nodes <= last)

        return spend


def decide_blocks(blocks: Sequence[Block], budget: Budget) -> list[Closed] | tuple[Block, tuple[mpz, ...]] | None:
    """Returns each block's closed tree, or a block and an edge of it where F < 0, or None if the budget is spent."""
    searches = []
    for block in blocks:
        descent, proposals = search_by_subgradients(block)
        if descent is not None:
            return block, to_block_edge(block, descent)
        searches.append(proposals)
    closed: list[Closed] = []
    for block, proposals in zip(blocks, searches, strict=True):
        result = _decide_block(block, proposals, budget)
        if isinstance(result, Refuted):
            return block, to_block_edge(block, result.direction)
        if isinstance(result, Closed):
            closed.append(result)
    return closed if len(closed) == len(blocks) else None


@dataclass(frozen=True, slots=True)
class Strict:
    """F > 0 everywhere but at 0.

    Attributes:
        state: what is settled.
        closed: the blocks, with trees that show it.
    """

    state: Settled
    closed: list[tuple[Block, Closed]]


def prove_strict(
    state: Settled, closed: Sequence[tuple[Block, Closed]], units: int, budget: Budget
) -> Strict | tuple[mpq, ...] | None:
    """Returns why a proved minimum is strict; else a direction other than 0 with F = 0, or None for neither.

    Args:
        state: what was settled before.
        closed: the blocks with their trees.
        units: the number of units in the trained layer.
        budget: of which each block may take as much as a small tree.
    """
    n = len(state.slope)
    if find_still(state.form) is not None or any(is_loose(state, kink) for kink in state.kinks):
        return None
    resting = [to_integers(state.form.rows[j])[0] for j in state.resting()]
    if len(independent_rows(resting, n)) < n:
        # a settled kink that folds one without effect is not known to rest: a tree of all kinks may show it
        if not state.kinks:
            return None
        state = Settled(state.form, (), tuple(range(len(state.form.rows))), state.form.slope, state.form.weights)
        whole = []
        for block in split(state, units):
            begin = tuple(mpz(not index) for index in range(block.width))
            tree = close_tree(block, begin, budget.allowance(min(SMALL, budget.work)))
            if not isinstance(tree, Closed):
                return None
            whole.append((block, tree))
        closed = whole
    found: list[tuple[Block, Closed]] = []
    for block, tree in closed:
        strict = find_strict(block, tree, budget.allowance(min(SMALL, budget.work)))
        if strict is None:
            return None
        if not isinstance(strict, Closed):
            return state.lift(block.embed(strict, n))
        found.append((block, strict))
    return Strict(state, found)


def _decide_block(block: Block, proposals: Sequence[tuple[mpz, ...]], budget: Budget) -> TreeResult:
    begin = proposals[0] if proposals else tuple(mpz(not index) for index in range(block.width))
    # where planes see all rays, a block with a descent is not asked for a proof, which would be in vain
    is_seen = is_narrow(block) and block.width <= ALL_SEEN
    ray = descend_on_planes(block) if is_seen else None
    # what proves only comes first: which descent a block has, where it has one, is up to the searches below
    chords = None
    if ray is None and is_narrow(block):
        chords = close_by_chords(block, begin, budget.allowance(min(_CHORDS, budget.work)))
    if isinstance(chords, Closed):
        return chords
    result = close_tree(block, begin, budget.allowance(min(SMALL, budget.work)))
    if not isinstance(result, OutOfBudget) or budget.work <= SMALL:
        return result
    return _decide_large(block, begin, proposals, budget, chords) if ray is None else Refuted(ray)


def _decide_large(
    block: Block,
    begin: Sequence[mpz],
    proposals: Sequence[tuple[mpz, ...]],
    budget: Budget,
    chords: TreeResult | None,
) -> TreeResult:
    """Decides a block for which a small tree is not enough, and of which chords prove no minimum."""
    covered = close_covered(block, begin, budget.allowance(budget.work // 2, _FEW))
    if isinstance(covered, Closed):
        return covered
    descent = descend_on_planes(block) or _search_cells(block, proposals)
    if descent is not None:
        return Refuted(descent)
    if isinstance(chords, Refuted):
        return chords
    result = close_covered(block, begin, budget.allowance(budget.work // 2))
    return close_tree(block, begin, budget.allowance(budget.work)) if isinstance(result, OutOfBudget) else result


def _search_cells(block: Block, proposals: Sequence[tuple[mpz, ...]]) -> tuple[mpz, ...] | None:
    """Returns a descent of one of some cells."""
    seen = set()
    for point in (*proposals, *scatter(block, _PAIRS)):
        signs = cell_signs(block, point)
        key = tuple(signs.values())
        if key not in seen:
            seen.add(key)
            descent = descend_in_cell(block, signs)
            if descent is not None:
                return descent
    return None
