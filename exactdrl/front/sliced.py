"""A slice of a loss through the points of an instance, of a finished walk, or through any three points."""

from collections.abc import Sequence

from gmpy2 import mpq

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.certificate.reader import Certificate
from exactdrl.exact.rationals import InputError
from exactdrl.problem.instance import Instance, Matrix
from exactdrl.report.slice import Slice, make_slice, write_slice
from exactdrl.series.export import points

__all__ = ["Matrix", "slice_loss", "write_slice"]

_ZERO = mpq(0)


def slice_loss(
    instance: Instance,
    certificate: Certificate | None = None,
    *,
    through: Sequence[Matrix] | None = None,
    zoom: mpq | None = None,
) -> Slice:
    """Returns the picture of the loss in a plane.

    Args:
        instance: the problem.
        certificate: the certificate of a walk on it, whose path is drawn.
        through: three points, each of shape (n_ℓ, m). Default with a walk: its start, its end, and the point of the
            path that is farthest from the line through both. Default without a walk: the start, 0, and the start with
            its entries in reverse order.
        zoom: see `make_slice`.

    Raises:
        InputError: the three points lie on a line, or the walk ends where it starts.
    """
    path: list[Matrix] = []
    if certificate is not None:
        width = len(instance.start[0])
        problem = IntegerProblem.from_instance(instance)
        path = [
            tuple(tuple(point.theta[at : at + width]) for at in range(0, len(point.theta), width))
            for point in points(problem, certificate)
        ]
    if through is not None:
        return make_slice(instance, through, ("A", "B", "C"), path=path, zoom=zoom)
    if len(path) > 2:  # noqa: PLR2004 - a line is through two points
        chosen, names = [path[0], path[-1], _farthest(path)], ("start", "end", "farthest")
    else:
        start = instance.start
        entries = [value for row in start for value in row][::-1]
        turned = tuple(tuple(entries[at : at + len(start[0])]) for at in range(0, len(entries), len(start[0])))
        zero = tuple(tuple(_ZERO for _ in row) for row in start)
        chosen, names = [start, zero, turned], ("start", "0", "turned")
    return make_slice(instance, chosen, names, path=path, zoom=zoom)


def _farthest(path: Sequence[Matrix]) -> Matrix:
    """Returns the point of a path that is farthest from the line through its ends."""
    begin = [value for row in path[0] for value in row]
    line = [value - b for value, b in zip((v for row in path[-1] for v in row), begin, strict=True)]
    length = sum((d * d for d in line), _ZERO)
    if not length:
        raise InputError("the walk ends where it starts, so that three points have to be named: --through (through=)")

    def distance(point: Matrix) -> mpq:
        offset = [value - b for value, b in zip((v for row in point for v in row), begin, strict=True)]
        along = sum((o * d for o, d in zip(offset, line, strict=True)), _ZERO)
        return sum((o * o for o in offset), _ZERO) - along * along / length

    return max(path[1:-1], key=distance)
