"""The search for a descent of a block: lines, and cells chosen by pseudo-random numbers that are the same everywhere.

It proves nothing where it finds none. Measured on walks at widths (2,3,1) and (3,4,2,1): the lines find nine descents
in ten; at vertices with a dead unit in the second layer, 3 to 25 cells in 100 hold a descent that no line shows.
"""

from collections.abc import Iterator, Sequence

from gmpy2 import mpq, mpz

from exactdrl.exact.linear import independent_rows, solve_rows, to_integers
from exactdrl.minimality.blocks import Block

_REACH = 9


def try_lines(block: Block) -> tuple[tuple[mpz, ...], mpq]:
    """Returns, of some directions, the one with the least F in proportion to Σ |b_j z_j|, and that ratio.

    They are those along which width - 1 of the kinks would rest if nothing were folded, for kinks that follow one
    another in address order. Along such lines a shallow F is least in its cells.
    """
    best: tuple[mpz, ...] = tuple(mpz(not index) for index in range(block.width))
    least = mpq(2)
    count = len(block.rows)
    for begin in range(count):
        order = [*range(begin, count), *range(begin)]
        basis = [order[k] for k in independent_rows([block.rows[j] for j in order], block.width)]
        line = _solve(block, basis, [mpq(k == len(basis) - 1) for k in range(len(basis))])
        for direction in (line, tuple(-entry for entry in line)):
            bent = [b * abs(z) for b, z in zip(block.weights, block.kink_changes(direction), strict=True)]
            size = sum(map(abs, bent), mpq(0))
            value = sum(bent, mpq(0)) + sum((g * d for g, d in zip(block.slope, direction, strict=True)), mpq(0))
            if size and value < least * size:
                best, least = direction, value / size
    return best, least


def scatter(block: Block, count: int) -> Iterator[tuple[mpz, ...]]:
    """Yields directions in general position, in pairs d, -d: small values for the kinks of pseudo-random bases."""
    numbers = _numbers()
    for _ in range(count):
        order = sorted(range(len(block.rows)), key=lambda _: next(numbers))
        basis = [order[k] for k in independent_rows([block.rows[j] for j in order], block.width)]
        direction = _solve(block, basis, [mpq(next(numbers) % (2 * _REACH + 1) - _REACH) for _ in basis])
        if any(direction):
            yield direction
            yield tuple(-entry for entry in direction)


def _solve(block: Block, basis: Sequence[int], right: Sequence[mpq]) -> tuple[mpz, ...]:
    return tuple(to_integers(solve_rows([block.rows[j] for j in basis], right))[0])


def _numbers() -> Iterator[int]:
    """Yields the high bits of Knuth's 64-bit linear congruential generator, always the same ones."""
    state = 1
    while True:
        state = (6364136223846793005 * state + 1442695040888963407) % 2**64
        yield state >> 33
