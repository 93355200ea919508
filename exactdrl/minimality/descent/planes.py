"""The search for a descent of a block of one layer by planes: on each, the rays of the arrangement are walked around.

F is linear between the rays of the arrangement, and the rays on a plane in which width - 2 kinks rest are found by
sorting the others by angle; going around, F changes its slope by one kink at a ray. So a plane costs little more than
one evaluation of F. In two and three dimensions all rays are seen. Beyond, from each of some planes the search goes on
to planes through its best ray, where width - 3 kinks rest as well, until none is better: a walk on F over rays.

Where it finds no descent, it proves nothing. It finds narrow descents beside wide cones where F is 0, in which a search
along the gradient of F ends: at a unit of widths (2,3,1) that is dead on 200 samples, 34 of 39,402 rays were descents.
All is exact.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cmp_to_key

from gmpy2 import mpz

from exactdrl.exact.linear import dot, independent_rows, primitive, to_integers, to_matrix
from exactdrl.minimality.descent.search import pseudo_random
from exactdrl.minimality.rules.blocks import Block

# the most dimensions in which the planes that are looked at hold all rays
ALL_SEEN = 3
# planes that are looked at: a plane with 200 kinks takes two milliseconds
_PLANES = 600


@dataclass(frozen=True, slots=True)
class _Ray:
    """A ray.

    Attributes:
        direction: along it.
        change: F along it.
        size: Σ |b_j z_j| along it.
    """

    direction: tuple[mpz, ...]
    change: mpz
    size: mpz

    def is_better_than(self, other: "_Ray | None") -> bool:
        """Returns whether F is less in proportion to Σ |b_j z_j|."""
        return other is None or self.change * other.size < other.change * self.size


@dataclass(frozen=True, slots=True)
class _Forms:
    """A block of one layer in integers: F(d) = slope · d + Σ weights_j |rows_j · d|, up to a positive factor."""

    width: int
    rows: tuple[tuple[mpz, ...], ...]
    slope: tuple[mpz, ...]
    weights: tuple[mpz, ...]


def descend_on_planes(block: Block) -> tuple[mpz, ...] | None:
    """Returns a direction with F < 0, or None where none was found, which says nothing about F."""
    if not block.is_shallow or block.width < 2:  # noqa: PLR2004 - a plane needs two dimensions
        return None
    integers, _ = to_integers([*block.slope, *block.weights])
    forms = _Forms(block.width, block.rows, tuple(integers[: block.width]), tuple(integers[block.width :]))
    left = _PLANES
    for resting in _first_planes(forms):
        best: _Ray | None = None
        planes = [resting]
        while planes and left:
            left -= 1
            ray = _best_ray(forms, planes.pop())
            if ray is None or not ray.is_better_than(best):
                continue
            if ray.change < 0:
                return ray.direction
            best, planes = ray, _planes_through(forms, ray)
        if not left:
            break
    return None


def _first_planes(forms: _Forms) -> Iterator[list[int]]:
    """Yields the kinks that rest on planes: all single kinks in three dimensions, pseudo-random ones beyond."""
    count, resting = len(forms.rows), forms.width - 2
    if resting < 2:  # noqa: PLR2004
        yield from ([kink] * resting for kink in range(count if resting else 1))
        return
    numbers = pseudo_random()
    for _ in range(_PLANES):
        order = sorted(range(count), key=lambda _: next(numbers))
        yield [order[k] for k in independent_rows([forms.rows[j] for j in order], forms.width)[:resting]]


def _planes_through(forms: _Forms, ray: _Ray) -> list[list[int]]:
    """Returns the planes through a ray on which all but one of some independent kinks rest; none in few dimensions."""
    if forms.width - 2 < 2:  # noqa: PLR2004 - all planes are looked at
        return []
    still = [j for j, row in enumerate(forms.rows) if not dot(row, ray.direction)]
    chosen = [still[k] for k in independent_rows([forms.rows[j] for j in still], forms.width)]
    return [chosen[:place] + chosen[place + 1 :] for place in range(len(chosen))]


@dataclass(frozen=True, slots=True)
class _Line:
    """Where a kink rests on a plane: at multiples of (x, y), in the upper half; the kink changes by a x' + b y'."""

    x: mpz
    y: mpz
    a: mpz
    b: mpz
    weight: mpz


def _best_ray(forms: _Forms, resting: Sequence[int]) -> _Ray | None:
    """Returns the ray of a plane with the least F in proportion to Σ |b_j z_j|, None if no kink changes on it."""
    kernel, nullity = to_matrix([forms.rows[j] for j in resting], forms.width).nullspace()
    if nullity != 2:  # noqa: PLR2004 - the kinks are dependent
        return None
    first, second = (primitive([mpz(int(kernel[i, c])) for i in range(forms.width)]) for c in range(2))
    best: tuple[mpz, mpz, mpz, mpz] | None = None
    for change, size, x, y in _go_around(_lines_on(forms, first, second), forms.slope, first, second):
        if size and (best is None or change * best[1] < best[0] * size):
            best = change, size, x, y
    if best is None:
        return None
    change, size, x, y = best
    # F and its size along it are multiples of these two by the same factor
    return _Ray(primitive([x * p + y * q for p, q in zip(first, second, strict=True)]), change, size)


def _lines_on(forms: _Forms, first: Sequence[mpz], second: Sequence[mpz]) -> list[_Line]:
    """Returns the lines where the kinks rest that change on a plane, by their angle."""
    lines = []
    for row, weight in zip(forms.rows, forms.weights, strict=True):
        a, b = dot(row, first), dot(row, second)
        if a or b:
            x, y = (b, -a) if (-a, b) > (0, 0) else (-b, a)
            lines.append(_Line(x, y, a, b, weight))
    return sorted(lines, key=cmp_to_key(_compare_angles))


def _compare_angles(left: _Line, right: _Line) -> int:
    cross = left.x * right.y - right.x * left.y
    return -1 if cross > 0 else int(cross < 0)


def _go_around(
    lines: Sequence[_Line], slope: Sequence[mpz], first: Sequence[mpz], second: Sequence[mpz]
) -> Iterator[tuple[mpz, mpz, mpz, mpz]]:
    """Yields F, Σ |b_j z_j| and the ray itself for each ray of a plane; both are linear from one ray to the next."""
    if not lines:
        return
    # a point before the first ray and behind the last one's opposite
    begin = lines[0].x - lines[-1].x, lines[0].y - lines[-1].y
    if not any(begin):
        begin = lines[0].y, -lines[0].x
    sides = [1 if line.a * begin[0] + line.b * begin[1] > 0 else -1 for line in lines]
    change_x, change_y = dot(slope, first), dot(slope, second)
    size_x, size_y = mpz(0), mpz(0)
    for side, line in zip(sides, lines, strict=True):
        change_x, change_y = change_x + side * line.weight * line.a, change_y + side * line.weight * line.b
        size_x, size_y = size_x + side * abs(line.weight) * line.a, size_y + side * abs(line.weight) * line.b
    for half in (1, -1):
        for side, line in zip(sides, lines, strict=True):
            x, y = half * line.x, half * line.y
            yield change_x * x + change_y * y, size_x * x + size_y * y, x, y
            jump = 2 * half * side
            change_x, change_y = change_x - jump * line.weight * line.a, change_y - jump * line.weight * line.b
            size_x, size_y = size_x - jump * abs(line.weight) * line.a, size_y - jump * abs(line.weight) * line.b
