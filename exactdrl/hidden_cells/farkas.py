"""The proof that a sign choice is not feasible."""

from dataclasses import dataclass

from gmpy2 import mpq


@dataclass(frozen=True, slots=True)
class Farkas:
    """Farkas multipliers that prove that a sign choice is not feasible (proofs/CELLS.md, section 4).

    Attributes:
        cones: λ, for each unit N nonnegative numbers.
        fits: p, N numbers.
    """

    cones: tuple[tuple[mpq, ...], ...]
    fits: tuple[mpq, ...]
