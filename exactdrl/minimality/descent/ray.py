"""Turns any descent at a vertex into an edge: a direction of the same cell and slope along which n-1 kinks rest.

The cone of a cell at a vertex holds no line. As long as the resting kinks have rank r < n-1, some e is orthogonal to
them and to the cell's gradient; moving along e or -e keeps slope and resting kinks, and meets a kink that comes to
rest. So there are at most n-1-r moves, each one a kernel and a scan. Source: proofs/termination.md.
"""

from collections.abc import Sequence

from flint import fmpz
from gmpy2 import mpq, mpz

from exactdrl.cells.affine import affine_form, gradient
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.reach import tangent_cell
from exactdrl.cells.scan import Values, scan, vanishing_kinks
from exactdrl.exact.linear import independent_rows, primitive, to_integers, to_matrix, to_mpz


def to_edge(problem: IntegerProblem, values: Values, direction: Sequence[mpq]) -> tuple[mpq, ...]:
    """Returns an edge of the tangent cell of a direction, with the same slope up to a positive factor. Exact.

    Args:
        problem: the scaled problem.
        values: of a vertex.
        direction: along which the loss falls there, in the reduced parameters.
    """
    n = problem.dimension
    numerators: Sequence[mpz] = to_integers(direction)[0]
    while True:
        cell, rates = tangent_cell(problem, values, [mpq(entry) for entry in numerators])
        moving = {}
        resting = []
        for kink in vanishing_kinks(cell, values):
            depth, index = problem.addresses.place(kink)
            rate = rates[depth][index]
            if rate:
                moving[kink] = rate
            else:
                resting.append(affine_form(problem, cell, kink).row)
        rank = independent_rows(resting, n)
        if len(rank) >= n - 1:
            return tuple(mpq(entry) for entry in numerators)
        kernel, _ = to_matrix([*(resting[index] for index in rank), gradient(problem, cell)], n).nullspace()
        kernel_vector = primitive([to_mpz(kernel[row, 0]) for row in range(n)])
        kernel_rates = scan(problem, kernel_vector, mpz(0), cell)
        # lengths t > 0 at which a kink's rate, rate + t · change, comes to 0; least for either side
        best: dict[int, tuple[fmpz, fmpz]] = {}
        for kink, rate in moving.items():
            depth, index = problem.addresses.place(kink)
            change = kernel_rates[depth][index]
            if change:
                side = 1 if (change > 0) != (rate > 0) else -1
                top, bottom = best.get(side, (fmpz(0), fmpz(0)))
                if side not in best or abs(rate) * bottom < top * abs(change):
                    best[side] = abs(rate), abs(change)
        # one of both is met: no line fits into the cone of a vertex
        side = 1 if 1 in best else -1
        top, bottom = best[side]
        numerators = primitive(
            [
                to_mpz(fmpz(int(d)) * bottom + side * top * fmpz(int(e)))
                for d, e in zip(numerators, kernel_vector, strict=True)
            ]
        )
