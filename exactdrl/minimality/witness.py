"""What shows that a point is a local minimum by the tree: settled kinks, blocks, leaves.

In true units: it speaks of F as proofs/FORMAT.md, section 5, defines it, after its reduction, hence of the true
preactivations, residuals and loss. What it claims and how it is checked: proofs/minimality-tree.md.
"""

from dataclasses import dataclass

from gmpy2 import mpq

from exactdrl.cells.kinks import Kink


@dataclass(frozen=True, slots=True)
class Leaf:
    """A node of a block's tree at which it closes.

    Attributes:
        signs: the kinks whose signs it fixes, in address order, each with 1 or -1.
        multipliers: λ, one for each kink of the block in address order.
        is_empty: λ shows that the cone of these signs has no interior; else that F ≥ 0 on it.
    """

    signs: tuple[tuple[Kink, int], ...]
    multipliers: tuple[mpq, ...]
    is_empty: bool


@dataclass(frozen=True, slots=True)
class BlockWitness:
    """F ≥ 0 on some units.

    Attributes:
        units: of the trained layer, increasing.
        kinks: of the block, in address order.
        leaves: they cover all signs.
    """

    units: tuple[int, ...]
    kinks: tuple[Kink, ...]
    leaves: tuple[Leaf, ...]


@dataclass(frozen=True, slots=True)
class TreeWitness:
    """F ≥ 0.

    Attributes:
        settled: kinks that are dealt with before the form splits into blocks, in address order, each with its λ.
        blocks: what remains.
    """

    settled: tuple[tuple[Kink, mpq], ...]
    blocks: tuple[BlockWitness, ...]
