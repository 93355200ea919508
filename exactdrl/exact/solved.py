"""The inverse of a large integer matrix: each part that is asked for is found by a linear system.

From some size on one system, solved by lifting digits (Dixon), costs far less than an exchange in the whole inverse.
Only the rows are kept from one exchange to the next.
Source: Dixon, Exact solution of linear equations using p-adic expansions, Numer. Math. 40 (1982); FLINT.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TypeAlias

from flint import fmpz_mat, nmod_mat
from gmpy2 import mpz

from exactdrl.exact.basis import IntegerBasis, Scaled
from exactdrl.exact.linear import PRIME, Row, independent_rows, solve_regular, to_fmpz, to_mpz

# Rows up to which the whole inverse is kept, for single vertices and for walks: these ask for many columns of each
LARGEST_KEPT, LARGEST_WALKED = 60, 200


class DependentRowError(ArithmeticError):
    """A row depends on those before it.

    Attributes:
        index: of the first such row.
    """

    def __init__(self, index: int) -> None:
        """Takes the row's index."""
        super().__init__(f"row {index} depends on those before it")
        self.index = index


class SolvedBasis:
    """The inverse of a regular integer matrix, like `IntegerBasis`; each part is solved for when it is asked for."""

    def __init__(self, rows: Sequence[Row]) -> None:
        """Takes the rows of A; they must be independent."""
        self._rows = [[to_fmpz(entry) for entry in row] for row in rows]
        self._columns: dict[int, Scaled] = {}

    @cached_property
    def _matrix(self) -> fmpz_mat:
        n = len(self._rows)
        return fmpz_mat(n, n, [entry for row in self._rows for entry in row])

    def column(self, slot: int) -> Scaled:
        """Returns one column of A⁻¹."""
        if slot not in self._columns:
            self._columns[slot] = self.solve(self._unit(slot))
        return self._columns[slot]

    def _unit(self, slot: int) -> list[mpz]:
        return [mpz(place == slot) for place in range(len(self._rows))]

    def solve(self, right: Sequence[mpz]) -> Scaled:
        """Returns A⁻¹ right."""
        return _solve(self._matrix, right)

    def products(self, row: Row) -> Scaled:
        """Returns row A⁻¹, one entry for each column."""
        return _solve(self._matrix.transpose(), row)

    def is_regular(self) -> bool:
        """Returns whether the matrix is regular modulo a large prime; if it is, it is regular over Q, too."""
        return nmod_mat(self._matrix, PRIME).rank() == len(self._rows)

    def replace(self, slot: int, row: Row, products: Sequence[mpz] | None = None) -> None:
        """Replaces row `slot` of A; the new row must not depend on the others. Its products are not needed."""
        del products
        self._rows[slot] = [to_fmpz(entry) for entry in row]
        self._columns = {}
        self.__dict__.pop("_matrix", None)

    def add_multiples(self, slot: int, multiples: Mapping[int, mpz]) -> None:
        """Adds multiples[j] times row `slot` to each row j ≠ slot of A."""
        if not multiples:
            return
        own = self._rows[slot]
        for other, multiple in multiples.items():
            factor = to_fmpz(multiple)
            self._rows[other] = [b + factor * a for a, b in zip(own, self._rows[other], strict=True)]
        self._columns.pop(slot, None)
        self.__dict__.pop("_matrix", None)

    def bent_column(self, slot: int, multiples: Mapping[int, mpz]) -> Scaled:
        """Returns the column `slot` as `add_multiples` would leave it."""
        if not multiples:
            return self.column(slot)
        right = self._unit(slot)
        for other, multiple in multiples.items():
            right[other] = -multiple
        return self.solve(right)


def _solve(matrix: fmpz_mat, right: Sequence[mpz]) -> Scaled:
    column = fmpz_mat(len(right), 1, [to_fmpz(entry) for entry in right])
    numerators, denominator = solve_regular(matrix, column)
    return [to_mpz(entry) for entry in numerators.entries()], to_mpz(denominator)


Inverse: TypeAlias = IntegerBasis | SolvedBasis


def invert(rows: Sequence[Row], *, is_walked: bool = False, is_brief: bool = False) -> tuple[Inverse, list[int]]:
    """Returns the inverse of a square matrix, whose rows may stand in another order, and the slot of each row.

    Args:
        rows: of the matrix.
        is_walked: many columns will be asked for, and many exchanges made.
        is_brief: a few columns or products will be asked for, and nothing exchanged.

    Raises:
        DependentRowError: the matrix is not regular.
    """
    n = len(rows)
    if is_brief or n > (LARGEST_WALKED if is_walked else LARGEST_KEPT):
        inverse = SolvedBasis(rows)
        if not inverse.is_regular():
            found = independent_rows(rows, n)
            if len(found) < n:
                raise DependentRowError(next(i for i in range(n) if i >= len(found) or found[i] != i))
        return inverse, list(range(n))
    kept, free, slots = IntegerBasis(n), list(range(n)), []
    for index, row in enumerate(rows):
        products, _ = kept.products(row)
        slot = next((slot for slot in free if products[slot]), None)
        if slot is None:
            raise DependentRowError(index)
        kept.replace(slot, row, products)
        free.remove(slot)
        slots.append(slot)
    return kept, slots
