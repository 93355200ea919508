"""Measures a cell by the largest ball of the maximum norm in it and in the box [-1, 1]^m. Exact."""

from dataclasses import dataclass

from gmpy2 import mpq, mpz

from exactdrl.exact.program import BoundedForms
from exactdrl.hidden_cells.dichotomies import UnitCell
from exactdrl.hidden_cells.samples import Samples

_ZERO, _ONE = mpq(0), mpq(1)


@dataclass(frozen=True, slots=True)
class Inradius:
    """The largest ball.

    Attributes:
        center: m rationals, a point of the cell.
        radius: positive.
        multipliers: pairs of a hyperplane and a positive number, in increasing order: with z = Σ y σ x over them,
            where x is the hyperplane's vector and σ the cell's side, radius · (Σ y |x|₁ + |z|₁) = |z|₁. So no ball is
            larger.
    """

    center: tuple[mpq, ...]
    radius: mpq
    multipliers: tuple[tuple[int, mpq], ...]


def find_inradius(samples: Samples, cell: UnitCell) -> Inradius:
    """Returns the largest ball in a cell. Exact; the facets of the cell alone take part, the others follow from them.

    The linear program asks only that the ball's center is in the box, not the ball, so that it is smaller. Cells are
    cones, so that scaling turns one answer into the other.

    Args:
        samples: of the problem.
        cell: one of its cells.
    """
    dimension, mask = samples.dimension, cell.cone.facets()
    facets = [number for number in range(len(samples.planes)) if mask >> number & 1]
    if not facets:
        return Inradius((_ZERO,) * dimension, mpq(1), ())
    rows: list[list[mpz]] = []
    for number in facets:
        plane, side = samples.planes[number], cell.sides[number]
        rows.append([*(side * entry for entry in plane), -sum(map(abs, plane), mpz(0))])
    program = BoundedForms(rows, dimension + 1)
    for variable in range(dimension):
        program.set_bounds(variable, -_ONE, _ONE)
    for form in range(len(facets)):
        program.set_bounds(dimension + 1 + form, _ZERO, None)
    found = program.maximize(dimension)
    if found is None:
        raise AssertionError("a ball in the box is bounded")
    scale = 1 / (1 + found.value)
    duals = found.multipliers[dimension + 1 :]
    multipliers = tuple((number, -y) for number, y in zip(facets, duals, strict=True) if y)
    return Inradius(tuple(scale * entry for entry in found.point[:dimension]), scale * found.value, multipliers)
