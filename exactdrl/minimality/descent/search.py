"""Directions chosen by pseudo-random numbers that are the same everywhere, for the search for a descent of a block.

Measured on walks at widths (2,3,1) and (3,4,2,1): at vertices with a dead unit in the second layer, 3 to 25 of 100
cells of such directions hold a descent.
"""

from collections.abc import Iterator, Sequence

from gmpy2 import mpq, mpz

from exactdrl.exact.linear import PRIME, independent_modulo_prime, solve_columns, solve_rows, to_integers
from exactdrl.minimality.rules.blocks import Block

_REACH = 9


def scatter(block: Block, count: int) -> Iterator[tuple[mpz, ...]]:
    """Yields directions in general position, in pairs d, -d: small values for the kinks of pseudo-random bases."""
    numbers = pseudo_random()
    residues = [[int(entry % PRIME) for entry in row] for row in block.rows]
    for _ in range(count):
        order = sorted(range(len(block.rows)), key=lambda _: next(numbers))
        # the first few mostly hold a basis, and the rest need not be looked at then
        chosen = independent_modulo_prime([residues[j] for j in order[: 4 * block.width]], block.width)
        if len(chosen) < block.width:
            chosen = independent_modulo_prime([residues[j] for j in order], block.width)
        basis = [order[k] for k in chosen]
        direction = _solve(block, basis, [mpq(next(numbers) % (2 * _REACH + 1) - _REACH) for _ in basis])
        if any(direction):
            yield direction
            yield tuple(-entry for entry in direction)


def _solve(block: Block, basis: Sequence[int], right: Sequence[mpq]) -> tuple[mpz, ...]:
    rows = [block.rows[j] for j in basis]
    if len(rows) < block.width:
        return tuple(to_integers(solve_rows(rows, right))[0])
    (solved,) = solve_columns(rows, [right])
    return tuple(to_integers(solved)[0])


def pseudo_random() -> Iterator[int]:
    """Yields the high bits of Knuth's 64-bit linear congruential generator, always the same ones."""
    state = 1
    while True:
        state = (6364136223846793005 * state + 1442695040888963407) % 2**64
        yield state >> 33
