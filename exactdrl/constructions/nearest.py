"""Finds the minimiser of a convex quadratic function on an affine subspace that is nearest to a point. Exact."""

from collections.abc import Sequence

from flint import fmpq, fmpq_mat
from gmpy2 import mpq, mpz

from exactdrl.exact.linear import independent_rows, to_integers, to_matrix

_ZERO = mpq(0)
Rows = Sequence[Sequence[mpq]]


def find_nearest(rows: Rows, right: Sequence[mpq], point: Sequence[mpq]) -> list[mpq] | None:
    """Returns the solution of a linear system that is nearest to a point; None if there is no solution.

    Args:
        rows: of the system, each as long as the point.
        right: its right sides.
        point: from which the distance is measured.
    """
    gaps = [
        r - sum((a * b for a, b in zip(row, point, strict=True) if a), _ZERO)
        for row, r in zip(rows, right, strict=True)
    ]
    integers = [to_integers([*row, gap])[0] for row, gap in zip(rows, gaps, strict=True)]
    chosen = independent_rows([row[:-1] for row in integers], len(point))
    if len(independent_rows(integers, len(point) + 1)) > len(chosen):
        return None
    if not chosen:
        return list(point)
    matrix = to_matrix([integers[index][:-1] for index in chosen], len(point))
    gap = fmpq_mat(len(chosen), 1, [fmpq(int(integers[index][-1]), 1) for index in chosen])
    step = fmpq_mat(matrix.transpose()) * fmpq_mat(matrix * matrix.transpose()).solve(gap)
    return [x + mpq(int(d.p), int(d.q)) for x, d in zip(point, step.entries(), strict=True)]


def minimise_nearest(
    rows: Rows,
    right: Sequence[mpq],
    *,
    features: Rows,
    goals: Sequence[mpq],
    weights: Sequence[mpq],
    point: Sequence[mpq],
) -> list[mpq] | None:
    """Returns, of all y with rows·y = right that minimise Σ weights (features·y - goals)², the one nearest to a point.

    Args:
        rows: the rows of the subspace's equations.
        right: their right sides.
        features: of the residuals.
        goals: of the residuals.
        weights: of the residuals, not negative.
        point: from which the distance is measured.

    Returns:
        y, or None if the equations contradict each other.
    """
    size = len(point)
    columns = _kernel([to_integers(row)[0] for row in rows], size)
    normal, sides = [], []
    for column in columns:
        moves = [
            w * sum((a * b for a, b in zip(row, column, strict=True) if a and b), _ZERO)
            for row, w in zip(features, weights, strict=True)
        ]
        normal.append(
            [sum((m * row[p] for m, row in zip(moves, features, strict=True) if m), _ZERO) for p in range(size)]
        )
        sides.append(sum((m * g for m, g in zip(moves, goals, strict=True)), _ZERO))
    return find_nearest([*rows, *normal], [*right, *sides], point)


def _kernel(rows: Sequence[Sequence[mpz]], size: int) -> list[list[mpq]]:
    """Returns a basis of all y with rows·y = 0."""
    if not rows:
        return [[mpq(p == q) for p in range(size)] for q in range(size)]
    kernel, rank = to_matrix(rows, size).nullspace()
    return [[mpq(int(kernel[p, q])) for p in range(size)] for q in range(rank)]
