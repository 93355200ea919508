"""A quick test by a prime that vertices are not degenerate.

A kink whose scaled value is not 0 modulo the prime does not vanish. The n kinks of a vertex's basis vanish. So if only
n values are 0 modulo the prime, exactly the basis vanishes, and the vertex is certainly not degenerate. Otherwise
nothing is known, and integers decide. A random value that is not 0 is 0 modulo the prime once in 67 million times.
"""

from collections.abc import Sequence

import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Pattern

# the greatest prime below 2^26; products have 52 bits, and sums of 2^10 products and one more number fit into 63 bits
PRIME = (1 << 26) - 5
_MOST_TERMS = 1 << 10

Residues = NDArray[np.int64]


class ResidueScan:
    """A scan of all kinks modulo a prime."""

    __slots__ = ("_bends", "_factors", "_is_possible", "_offsets", "_problem", "_rows", "_slopes", "_weights")

    def __init__(self, problem: IntegerProblem) -> None:
        """Takes a problem modulo the prime."""
        self._problem = problem
        self._is_possible = max(problem.rank, *problem.widths) <= _MOST_TERMS
        self._rows = _reduce(problem.rows).reshape(problem.samples, problem.rank)
        self._weights = [_reduce(weight) for weight in problem.weights]
        self._offsets = [_reduce(offset) for offset in problem.offsets]
        self._factors = _reduce([problem.residual_factors])[0][:, None]
        # slopes by a kink's bit, (2, width) for each layer with activations
        self._slopes = [_reduce(list(zip(*layer, strict=True))) for layer in problem.slopes]
        self._bends = [
            None if bends is None else np.frombuffer(bends, dtype=np.uint8).reshape(problem.samples, -1) == 1
            for bends in problem.addresses.bends
        ]

    def is_certainly_regular(self, numerators: Sequence[mpz], denominator: mpz, pattern: Pattern) -> bool:
        """Returns whether exactly n kinks vanish. True is certain; False says nothing.

        Args:
            numerators: the vertex times the denominator, n integers.
            denominator: the common denominator, positive.
            pattern: the pattern of a cell that holds the vertex.
        """
        if not self._is_possible:
            return False
        problem = self._problem
        parameters = _reduce([numerators]).reshape(problem.widths[0], problem.rank)
        scale = int(denominator % PRIME)
        values = (self._rows @ parameters.T + self._offsets[0] * scale) % PRIME
        zeros = self._count_zeros(0, values)
        top = len(problem.widths) - 1
        for depth in range(1, top + 1):
            bits = np.frombuffer(pattern.bits[depth - 1], dtype=np.uint8).reshape(values.shape)
            below, above = self._slopes[depth - 1]
            passed = values * np.where(bits == 1, above, below) % PRIME
            values = passed @ self._weights[depth - 1].T % PRIME
            if depth == top:
                values = values * self._factors % PRIME
            values = (values + self._offsets[depth] * scale) % PRIME
            zeros += self._count_zeros(depth, values)
        return zeros == problem.dimension

    def _count_zeros(self, depth: int, values: Residues) -> int:
        bends = self._bends[depth]
        return int(np.count_nonzero(values == 0 if bends is None else (values == 0) & bends))


def _reduce(rows: Sequence[Sequence[mpz]]) -> Residues:
    return np.array([[int(value % PRIME) for value in row] for row in rows], dtype=np.int64)
