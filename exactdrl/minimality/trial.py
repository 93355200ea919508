"""Directions that are tried before any proof: a descent, where one exists, is mostly among them."""

from collections.abc import Iterator

from gmpy2 import mpq, mpz

from exactdrl.exact.linear import to_matrix, to_mpz
from exactdrl.minimality.blocks import Block


def try_directions(block: Block) -> tuple[tuple[mpz, ...], mpq]:
    """Returns, of some directions, the one with the least F in proportion to Σ |b_j z_j|, and that least ratio.

    Along a line on which width - 1 kinks rest, F is least somewhere in its cell: such lines are tried, for kinks that
    follow one another in address order.
    """
    best: tuple[mpz, ...] = tuple(mpz(not index) for index in range(block.width))
    least = mpq(2)
    for line in _lines(block):
        for direction in (line, tuple(-entry for entry in line)):
            bent = [b * abs(z) for b, z in zip(block.weights, block.kink_changes(direction), strict=True)]
            size = sum(map(abs, bent), mpq(0))
            linear = sum((g * d for g, d in zip(block.slope, direction, strict=True)), mpq(0))
            if size and (sum(bent, mpq(0)) + linear) / size < least:
                best, least = direction, (sum(bent, mpq(0)) + linear) / size
    return best, least


def _lines(block: Block) -> Iterator[tuple[mpz, ...]]:
    count, width = len(block.rows), block.width
    if width == 1:
        yield (mpz(1),)
        return
    for begin in range(count):
        rows = [block.rows[(begin + step) % count] for step in range(width - 1)]
        kernel, dimension = to_matrix(rows, width).nullspace()
        if dimension == 1:
            entries = [to_mpz(kernel[row, 0]) for row in range(width)]
            yield tuple(entries)
