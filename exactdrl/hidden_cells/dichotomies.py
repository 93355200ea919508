"""Lists all cells of one unit, the ways in which a hyperplane divides the samples, one after another in little memory.

The search is a tree. At depth k stand the cells of the first k hyperplanes, and a cell has one child or, if the next
hyperplane cuts it, two. Only the cells on the path from the root are kept. Cells come in pairs w, -w, so that half of
the tree is enough. `count` proves that no cell is missed, since it computes how many there are.

Source: Rada and Černý, A new algorithm for enumeration of cells of hyperplane arrangements and a comparison with Avis
and Fukuda's reverse search, SIAM J. Discrete Math. 32 (2018), here with extreme rays in place of linear programs.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from exactdrl.hidden_cells.cone import Cone, split_cone
from exactdrl.hidden_cells.samples import Samples


@dataclass(frozen=True, slots=True)
class UnitCell:
    """A cell of one unit.

    Attributes:
        pattern: a bit for each sample.
        sides: 1 or -1 for each hyperplane.
        cone: the closed cell.
    """

    pattern: str
    sides: tuple[int, ...]
    cone: Cone


def half_of_cells(samples: Samples, after: str | None = None) -> Iterator[UnitCell]:
    """Yields one of each pair of opposite cells: the one on the positive side of the first hyperplane.

    The order is that of the sides, the positive side first.

    Args:
        samples: of the problem.
        after: the pattern of a cell of this sequence: the sequence goes on behind it.
    """
    planes, dimension = samples.planes, samples.dimension
    if not planes:
        if after is None:
            yield UnitCell(samples.pattern(()), (), Cone.whole(dimension))
        return
    target = None if after is None else samples.sides(after)
    # entries: sides so far, the cone, and whether the sides are those of `after` so far
    stack: list[tuple[tuple[int, ...], Cone, bool]] = [((), Cone.whole(dimension), target is not None)]
    while stack:
        sides, cone, is_on_target = stack.pop()
        depth = len(sides)
        if depth == len(planes):
            if not is_on_target:
                yield UnitCell(samples.pattern(sides), sides, cone)
            continue
        below, above = split_cone(cone, planes[depth], depth)
        wanted = target[depth] if is_on_target and target is not None else 0
        if below is not None and depth:
            stack.append(((*sides, -1), below, wanted == -1))
        if above is not None and wanted != -1:
            stack.append(((*sides, 1), above, wanted == 1))


def cell_of(samples: Samples, pattern: str) -> UnitCell | None:
    """Returns the cell with a pattern, None if no weights have it.

    Args:
        samples: of the problem.
        pattern: a bit for each sample.

    Raises:
        ConeTooLargeError: see `split_cone`.
    """
    sides = samples.sides(pattern)
    if samples.pattern(sides) != pattern:
        return None
    cone: Cone | None = Cone.whole(samples.dimension)
    for number, (plane, side) in enumerate(zip(samples.planes, sides, strict=True)):
        if cone is None:
            return None
        below, above = split_cone(cone, plane, number)
        cone = above if side > 0 else below
    return None if cone is None else UnitCell(pattern, tuple(sides), cone)


def mirror_cell(samples: Samples, cell: UnitCell) -> UnitCell:
    """Returns the opposite cell."""
    rays = tuple(tuple(-entry for entry in ray) for ray in cell.cone.rays)
    cone = Cone(cell.cone.lines, rays, cell.cone.tight)
    return UnitCell(samples.mirror(cell.pattern), tuple(-side for side in cell.sides), cone)


def cells(samples: Samples, after: str | None = None) -> Iterator[UnitCell]:
    """Yields all cells, each followed by its opposite.

    Args:
        samples: of the problem.
        after: the pattern of a cell: the sequence goes on behind it.

    Raises:
        ConeTooLargeError: see `split_cone`.
    """
    if after is not None and samples.planes:
        if samples.sides(after)[0] < 0:
            after = samples.mirror(after)
        else:
            last = cell_of(samples, after)
            if last is not None:
                yield mirror_cell(samples, last)
    for cell in half_of_cells(samples, after):
        yield cell
        if samples.planes:
            yield mirror_cell(samples, cell)
