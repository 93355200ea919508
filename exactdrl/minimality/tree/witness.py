"""The witness by which the tree shows that a point is a local minimum: settled kinks, blocks, leaves.

It has true units: it is about F as proofs/FORMAT.md, section 5, defines it, after its reduction, and so about the true
preactivations, residuals and loss. proofs/minimality-tree.md says what it claims and how it is checked.
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
        covers: each a kink and r, one number for each kink of the block, by which that kink is at most others.
    """

    signs: tuple[tuple[Kink, int], ...]
    multipliers: tuple[mpq, ...]
    is_empty: bool
    covers: tuple[tuple[Kink, tuple[mpq, ...]], ...] = ()


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


# What the checker reads: proofs/FORMAT.md, before section 1, and section 1
LONGEST_LINE = 2**26
LONGEST_NUMBER = 100_000
# at least the characters of keys, brackets and the line's end
_FRAME = 256


def is_writable(witness: TreeWitness) -> bool:
    """Returns whether a witness surely fits into one line of a certificate; a longer one could not be checked.

    It is decided by an upper bound of its length, which is at most a tenth too long for the numbers.
    """
    sizes = [_number_size(multiplier) for _, multiplier in witness.settled]
    length = _FRAME + sum(_kink_size(kink) for kink, _ in witness.settled) + 4 * len(sizes)
    for block in witness.blocks:
        length += _FRAME + sum(map(_kink_size, block.kinks)) + sum(len(str(unit)) + 1 for unit in block.units)
        for leaf in block.leaves:
            length += _FRAME + len(block.kinks)
            sizes += map(_number_size, leaf.multipliers)
            for kink, shares in leaf.covers:
                length += _kink_size(kink) + len("[,[]],")
                sizes += map(_number_size, shares)
    return max(sizes, default=0) <= LONGEST_NUMBER and length + sum(sizes) + 3 * len(sizes) <= LONGEST_LINE


def _kink_size(kink: Kink) -> int:
    return sum(len(str(part)) for part in kink) + len("[,,],")


def _number_size(value: mpq) -> int:
    """Returns a bound on the characters of p/q: 10/33 > log 2 / log 10."""
    # most shares of covers are 0
    if not value:
        return len("0/1") + 1
    return sum(int(part.bit_length()) * 10 // 33 + 2 for part in (value.numerator, value.denominator))
