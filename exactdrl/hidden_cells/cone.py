"""Closed polyhedral cones by their lines and extreme rays, cut by one hyperplane after another. Exact.

The double description method: a hyperplane cuts the interior of a full-dimensional cone if and only if there are
generators on both of its sides, so that neither a linear program nor a witness is needed. In few dimensions a cell
has few rays.

Source: Motzkin, Raiffa, Thompson and Thrall, The double description method; Fukuda and Prodon, Double description
method revisited, Proposition 7 (the combinatorial test of adjacency).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gmpy2 import mpz

from exactdrl.exact.linear import dot, primitive

Vector: TypeAlias = tuple[mpz, ...]

# triples of rays that one cut compares at most, half a second of work; cells of few dimensions have dozens of rays
_MOST_TRIPLES = 5_000_000


class ConeTooLargeError(Exception):
    """A cone has too many rays for a hyperplane to be cut through it in reasonable time."""


@dataclass(frozen=True, slots=True)
class Cone:
    """A full-dimensional cone: all sums of multiples of the lines and nonnegative multiples of the rays.

    Attributes:
        lines: independent integer vectors.
        rays: the extreme rays modulo the lines, primitive integer vectors.
        tight: for each ray the set of the hyperplanes that hold it, as the bits of an integer.
    """

    lines: tuple[Vector, ...]
    rays: tuple[Vector, ...]
    tight: tuple[int, ...]

    @classmethod
    def whole(cls, dimension: int) -> "Cone":
        """Returns the whole space."""
        return cls(tuple(tuple(mpz(i == j) for j in range(dimension)) for i in range(dimension)), (), ())

    def interior(self) -> Vector:
        """Returns a point of the interior: the sum of the rays."""
        if not self.rays:
            return tuple(mpz(0) for _ in self.lines)
        return tuple(sum(entries, mpz(0)) for entries in zip(*self.rays, strict=True))

    def facets(self) -> int:
        """Returns hyperplanes that bound the cone, all of its facets among them, as the bits of an integer."""
        dimension = len((self.lines or self.rays)[0]) - len(self.lines) if self.lines or self.rays else 0
        together = 0
        for mask in self.tight:
            together |= mask
        if dimension <= 1:
            return -1  # a half-space: every hyperplane that the cone met bounds it
        found, rest = 0, together
        while rest:
            bit = rest & -rest
            rest ^= bit
            if sum(1 for mask in self.tight if mask & bit) >= dimension - 1:
                found |= bit
        return found


def split_cone(cone: Cone, row: Sequence[mpz], index: int) -> tuple[Cone | None, Cone | None]:
    """Returns the parts of a cone with row · w ≤ 0 and with row · w ≥ 0, None for a part without interior.

    Args:
        cone: full-dimensional.
        row: integers, not all 0, not parallel to a hyperplane that cut the cone before.
        index: the number of the hyperplane, greater than those before.

    Raises:
        ConeTooLargeError: the cone has too many rays.
    """
    bit = 1 << index
    for place, line in enumerate(cone.lines):
        product = dot(row, line)
        if product:
            return _split_line(cone, row, place, product, bit)
    products = [dot(row, ray) for ray in cone.rays]
    is_above, is_below = any(p > 0 for p in products), any(p < 0 for p in products)
    if is_above and is_below:
        return _split_rays(cone, products, bit)
    if not all(products):
        tight = tuple(mask if p else mask | bit for mask, p in zip(cone.tight, products, strict=True))
        cone = Cone(cone.lines, cone.rays, tight)
    return (None, cone) if is_above else (cone, None)


def _split_line(cone: Cone, row: Sequence[mpz], place: int, product: mpz, bit: int) -> tuple[Cone, Cone]:
    """Splits a cone by a hyperplane that one of its lines crosses: the line becomes a ray of each part."""
    line = cone.lines[place] if product > 0 else tuple(-entry for entry in cone.lines[place])
    size = abs(product)

    def push(vector: Vector) -> Vector:
        own = dot(row, vector)
        return primitive([size * a - own * b for a, b in zip(vector, line, strict=True)]) if own else vector

    lines = tuple(push(other) for number, other in enumerate(cone.lines) if number != place)
    rays = tuple(push(ray) for ray in cone.rays)
    tight = tuple(mask | bit for mask in cone.tight)
    every = bit - 1
    above = Cone(lines, (*rays, line), (*tight, every))
    return Cone(lines, (*rays, tuple(-entry for entry in line)), (*tight, every)), above


def _split_rays(cone: Cone, products: Sequence[mpz], bit: int) -> tuple[Cone, Cone]:
    """Splits a cone by a hyperplane that holds all of its lines and has rays on both sides."""
    rays, tight = cone.rays, cone.tight
    least = len(rays[0]) - len(cone.lines) - 2
    above = [number for number, p in enumerate(products) if p > 0]
    below = [number for number, p in enumerate(products) if p < 0]
    if len(above) * len(below) * len(rays) > _MOST_TRIPLES:
        raise ConeTooLargeError(f"a cell has over {len(rays)} rays")
    kept = [(rays[number], tight[number] | bit) for number, p in enumerate(products) if not p]
    for up in above:
        for down in below:
            common = tight[up] & tight[down]
            if common.bit_count() < least or any(
                mask & common == common and other not in {up, down} for other, mask in enumerate(tight)
            ):
                continue
            left, right = products[up], -products[down]
            shared = primitive([right * a + left * b for a, b in zip(rays[up], rays[down], strict=True)])
            kept.append((shared, common | bit))
    parts = [
        Cone(
            cone.lines,
            (*(rays[number] for number in side), *(ray for ray, _ in kept)),
            (*(tight[number] for number in side), *(mask for _, mask in kept)),
        )
        for side in (below, above)
    ]
    return parts[0], parts[1]
