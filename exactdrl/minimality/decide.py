"""The decision on blocks: search for a descent, then the proof that there is none, within a budget of work."""

from collections.abc import Callable, Sequence

from gmpy2 import mpz

from exactdrl.minimality.descent.block_edge import to_block_edge
from exactdrl.minimality.descent.planes import descend_on_planes
from exactdrl.minimality.descent.search import scatter
from exactdrl.minimality.descent.slide import slide
from exactdrl.minimality.rules.blocks import Block
from exactdrl.minimality.tree.cell_program import cell_signs, descend_in_cell
from exactdrl.minimality.tree.covered_tree import close_covered
from exactdrl.minimality.tree.tree import Closed, OutOfBudget, Refuted, TreeResult, close_tree

# a first, small tree: it closes most minima, and is cheaper than the search of cells
_SMALL = 200
_PAIRS = 64


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

    def purse(self, work: int) -> Callable[[int], bool]:
        """Returns a function that spends the work of a node, and returns False where it is too much."""
        left = work

        def spend(cost: int) -> bool:
            nonlocal left
            left -= cost
            self._nodes += 1
            if self._on_node is not None:
                self._on_node(self._nodes)
            return left >= 0

        return spend


def decide_blocks(blocks: Sequence[Block], budget: Budget) -> list[Closed] | tuple[Block, tuple[mpz, ...]] | None:
    """Returns each block's closed tree, or a block and an edge of it where F < 0, or None for out of budget."""
    searches = []
    for block in blocks:
        descent, proposals = slide(block)
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


def _decide_block(block: Block, proposals: Sequence[tuple[mpz, ...]], budget: Budget) -> TreeResult:
    begin = proposals[0] if proposals else tuple(mpz(not index) for index in range(block.width))
    result = close_tree(block, begin, budget.purse(min(_SMALL, budget.work)))
    if not isinstance(result, OutOfBudget) or budget.work <= _SMALL:
        return result
    descent = descend_on_planes(block) or _search_cells(block, proposals)
    if descent is not None:
        return Refuted(descent)
    result = close_covered(block, begin, budget.purse(budget.work // 2))
    return close_tree(block, begin, budget.purse(budget.work)) if isinstance(result, OutOfBudget) else result


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
