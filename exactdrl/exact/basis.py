"""The inverse of a square integer matrix under exchanges of rows, without fractions.

With A the matrix, the inverse is kept as adj / den, adj an integer matrix and den > 0 an integer (up to sign, the
adjugate and the determinant). An exchange of one row costs n² multiplications and exact divisions; every number stays
a minor of A, so sizes do not grow with the number of exchanges.
Source: Bareiss' and Edmonds' integer-preserving pivots; the page proofs/integer-basis.md.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from gmpy2 import divexact, mpz

# A vector: integers over a positive denominator
Scaled: TypeAlias = tuple[list[mpz], mpz]

_ZERO = mpz(0)


def dot(left: Sequence[mpz], right: Sequence[mpz]) -> mpz:
    """Returns the inner product of two integer vectors of one length."""
    total = _ZERO
    for a, b in zip(left, right, strict=True):
        if a:
            total += a * b
    return total


class IntegerBasis:
    """The inverse adj / den of an n × n integer matrix A; starts as the identity.

    Attributes:
        columns: column k of adj, so row_j · columns[k] is den for j = k and 0 otherwise.
        den: positive.
    """

    __slots__ = ("columns", "den")

    def __init__(self, n: int) -> None:
        """Starts with the n × n identity."""
        self.columns: list[list[mpz]] = [[mpz(i == j) for i in range(n)] for j in range(n)]
        self.den = mpz(1)

    def products(self, row: Sequence[mpz]) -> Scaled:
        """Returns row A⁻¹, one entry for each column."""
        return [dot(row, column) for column in self.columns], self.den

    def column(self, slot: int, places: Sequence[int] | None = None) -> Scaled:
        """Returns one column of A⁻¹. Where it is likely to be other than 0 does not matter."""
        del places
        return self.columns[slot], self.den

    def replace(self, slot: int, row: Sequence[mpz], products: Sequence[mpz] | None = None) -> None:
        """Replaces row `slot` of A.

        Args:
            slot: the row to be replaced.
            row: the new one.
            products: the integers of `self.products(row)`, where they are known.

        Raises:
            ZeroDivisionError: the new row depends on the other rows.
        """
        products = self.products(row)[0] if products is None else products
        pivot, special = products[slot], self.columns[slot]
        kept = special
        if pivot == 0:
            raise ZeroDivisionError("the new row depends on the other rows of the basis")
        if pivot < 0:
            # negate adj and den together, so that den stays positive
            pivot, products, kept = -pivot, [-product for product in products], [-entry for entry in special]
        den = self.den
        for other, column in enumerate(self.columns):
            product = products[other]
            if other == slot:
                continue
            if product:
                self.columns[other] = [
                    divexact(entry * pivot - product * part, den) for entry, part in zip(column, special, strict=True)
                ]
            elif pivot != den:
                self.columns[other] = [divexact(entry * pivot, den) for entry in column]
        self.columns[slot] = kept
        self.den = pivot

    def add_multiples(self, slot: int, multiples: Mapping[int, mpz]) -> None:
        """Adds multiples[j] times row `slot` to each row j ≠ slot of A; the determinant keeps its value."""
        if multiples:
            self.columns[slot] = self.bent_column(slot, multiples)[0]

    def bent_column(self, slot: int, multiples: Mapping[int, mpz]) -> Scaled:
        """Returns the column `slot` as `add_multiples` would leave it."""
        column = self.columns[slot]
        for other, multiple in multiples.items():
            column = [a - multiple * b for a, b in zip(column, self.columns[other], strict=True)]
        return column, self.den

    def solve(self, right: Sequence[mpz]) -> Scaled:
        """Returns A⁻¹ right."""
        total = [_ZERO] * len(self.columns)
        for value, column in zip(right, self.columns, strict=True):
            if value:
                total = [a + value * b for a, b in zip(total, column, strict=True)]
        return total, self.den
