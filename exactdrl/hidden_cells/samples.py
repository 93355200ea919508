"""The samples as hyperplanes in the space of one unit's weights."""

from collections.abc import Sequence
from dataclasses import dataclass

from gmpy2 import gcd, mpq, mpz

from exactdrl.exact.linear import pivot_columns, to_integers


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples x̃_k, scaled to integers each, and the hyperplanes x̃_k^⊥ without repetition.

    Attributes:
        rows: N rows of m integers, positive multiples of the x̃_k.
        scales: the positive denominators, x̃_k = rows[k] / scales[k].
        planes: primitive integer vectors, no two parallel, none 0, in the order of their first samples.
        places: for each sample the number of its hyperplane and 1 or -1, the side of the hyperplane's vector on which
            the sample lies; None where x̃_k = 0.
        dimension: m.
        pivots: the pivot columns of the samples. Weights in other columns act as combinations of weights in these.
    """

    rows: tuple[tuple[mpz, ...], ...]
    scales: tuple[mpz, ...]
    planes: tuple[tuple[mpz, ...], ...]
    places: tuple[tuple[int, int] | None, ...]
    dimension: int
    pivots: tuple[int, ...]

    @classmethod
    def create(cls, inputs: Sequence[Sequence[mpq]], *, has_bias: bool) -> "Samples":
        """Takes the inputs.

        Args:
            inputs: N rows of equally many rationals.
            has_bias: whether a 1 is appended to each.
        """
        rows, scales = [], []
        for entries in inputs:
            numerators, scale = to_integers([*entries, mpq(1)] if has_bias else list(entries))
            rows.append(tuple(numerators))
            scales.append(scale)
        numbers: dict[tuple[mpz, ...], int] = {}
        places: list[tuple[int, int] | None] = []
        for row in rows:
            lead = next((entry for entry in row if entry), None)
            if lead is None:
                places.append(None)
                continue
            content = gcd(*row) * (1 if lead > 0 else -1)
            plane = tuple(entry // content for entry in row)
            places.append((numbers.setdefault(plane, len(numbers)), 1 if lead > 0 else -1))
        dimension = len(rows[0]) if rows else 0
        return cls(tuple(rows), tuple(scales), tuple(numbers), tuple(places), dimension, pivot_columns(rows, dimension))

    def vector(self, sample: int) -> tuple[mpq, ...]:
        """Returns x̃_k."""
        return tuple(mpq(entry, self.scales[sample]) for entry in self.rows[sample])

    def pattern(self, sides: Sequence[int]) -> str:
        """Returns the bits of all samples.

        Args:
            sides: 1 or -1 for each hyperplane, the side of its vector.
        """
        return "".join("1" if place is not None and sides[place[0]] == place[1] else "0" for place in self.places)

    def sides(self, pattern: str) -> list[int]:
        """Returns 1 or -1 for each hyperplane, as the first sample on it has it."""
        found = [0] * len(self.planes)
        for bit, place in zip(pattern, self.places, strict=True):
            if place is not None and not found[place[0]]:
                found[place[0]] = place[1] if bit == "1" else -place[1]
        return found

    def mirror(self, pattern: str) -> str:
        """Returns the pattern of the opposite cell."""
        return "".join(
            "0" if place is None else "10"[int(bit)] for bit, place in zip(pattern, self.places, strict=True)
        )
