"""The size of a cell: the largest ball of the maximum norm in it and in the box [-1, 1]^m. Exact."""

from dataclasses import dataclass

from gmpy2 import mpq, mpz

from exactdrl.exact.program import BoundedForms
from exactdrl.hidden_cells.dichotomies import UnitCell
from exactdrl.hidden_cells.samples import Samples

_ZERO = mpq(0)


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

    Args:
        samples: of the problem.
        cell: one of its cells.
    """
    dimension, mask = samples.dimension, cell.cone.facets()
    facets = [number for number in range(len(samples.planes)) if mask >> number & 1]
    rows: list[list[mpz]] = []
    for number in facets:
        plane, side = samples.planes[number], cell.sides[number]
        rows.append([*(side * entry for entry in plane), -sum(map(abs, plane), mpz(0))])
    rows += [
        [*(mpz(side * (other == place)) for other in range(dimension)), mpz(1)]
        for place in range(dimension)
        for side in (1, -1)
    ]
    rows.append([*(mpz(0) for _ in range(dimension)), mpz(1)])
    program = BoundedForms(rows, dimension + 1)
    for index in range(dimension + 1, dimension + 1 + len(facets)):
        program.set_bounds(index, _ZERO, None)
    for index in range(dimension + 1 + len(facets), len(rows) + dimension):
        program.set_bounds(index, None, mpq(1))
    found = program.maximize(len(rows) + dimension)
    if found is None:
        raise AssertionError("a ball in the box is bounded")
    duals = found.multipliers[dimension + 1 : dimension + 1 + len(facets)]
    multipliers = tuple((number, -y) for number, y in zip(facets, duals, strict=True) if y)
    return Inradius(found.point[:dimension], found.value, multipliers)
