"""Turns a descent of a block into an edge of the same cell and slope, along which all kinks but those of a line rest.

It is done as in `ray`, but in the variables of the block alone, where kernels are small. Exact.
"""

from collections.abc import Sequence

from flint import fmpz_mat
from gmpy2 import mpq, mpz

from exactdrl.exact.linear import independent_rows, primitive, to_integers, to_matrix, to_mpz
from exactdrl.minimality.rules.blocks import Block, cell_rows


def to_block_edge(block: Block, direction: Sequence[mpz]) -> tuple[mpz, ...]:
    """Returns an edge of the cell of a direction with F < 0, with the same slope up to a positive factor."""
    signs = [1 if z > 0 else -1 for z in block.kink_changes(direction)]
    exact_rows = cell_rows(block, signs)
    slope = list(block.slope)
    for row, sign, weight in zip(exact_rows, signs, block.weights, strict=True):
        slope = [g + weight * sign * a for g, a in zip(slope, row, strict=True)]
    rows = [to_integers(row)[0] for row in exact_rows]
    matrix = to_matrix(rows, block.width)
    gradient, _ = to_integers(slope)
    point = list(direction)
    rates = _products(matrix, point)
    while True:
        resting = [row for row, rate in zip(rows, rates, strict=True) if not rate]
        chosen = independent_rows(resting, block.width)
        if len(chosen) >= block.width - 1:
            return primitive(point)
        kernel, _ = to_matrix([*(resting[index] for index in chosen), gradient], block.width).nullspace()
        kernel_vector = primitive([mpz(int(kernel[row, 0])) for row in range(block.width)])
        kernel_rates = _products(matrix, kernel_vector)
        # the rates are rate + t · change; the cone holds no line, so that one side meets a kink
        met = [-mpq(rate, change) for rate, change in zip(rates, kernel_rates, strict=True) if rate and change]
        length = min((t for t in met if t > 0), default=None) or max(t for t in met if t < 0)
        point, rates = (
            [length.denominator * d + length.numerator * e for d, e in zip(old, change, strict=True)]
            for old, change in ((point, kernel_vector), (rates, kernel_rates))
        )


def _products(matrix: fmpz_mat, vector: Sequence[mpz]) -> list[mpz]:
    """Returns each row's product with a vector."""
    column = fmpz_mat(len(vector), 1, [int(entry) for entry in vector])
    return [to_mpz(entry) for entry in (matrix * column).entries()]
