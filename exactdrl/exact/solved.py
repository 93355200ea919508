"""The inverse of a large integer matrix: each part that is asked for is found by a linear system.

From some size on one system, solved by lifting digits (Dixon), costs far less than an exchange in the whole inverse.
Only the rows are kept from one exchange to the next.
Source: Dixon, Exact solution of linear equations using p-adic expansions, Numer. Math. 40 (1982); FLINT.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TypeAlias

from flint import fmpz, fmpz_mat, nmod_mat
from gmpy2 import mpz

from exactdrl.exact.basis import IntegerBasis, Scaled
from exactdrl.exact.linear import PRIME, Row, independent_rows, solve_overdetermined, solve_regular, to_fmpz, to_mpz

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
    """The inverse of a regular integer matrix, like `IntegerBasis`; each part is solved for when it is asked for.

    Rows that are those of the identity are not solved for: with K the other slots, C the identity's, only A_KK is.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        """Takes the rows of A; they must be independent."""
        self._rows = [[to_fmpz(entry) for entry in row] for row in rows]
        self._is_identity = [_is_unit(row, slot) for slot, row in enumerate(self._rows)]
        self._columns: dict[int, Scaled] = {}

    @cached_property
    def _own(self) -> list[int]:
        """Returns K."""
        return [slot for slot, is_identity in enumerate(self._is_identity) if not is_identity]

    @cached_property
    def _beside(self) -> list[int]:
        """Returns C."""
        return [slot for slot, is_identity in enumerate(self._is_identity) if is_identity]

    @cached_property
    def _matrix(self) -> fmpz_mat:
        """Returns A_KK."""
        return self._part(self._own)

    def _part(self, columns: Sequence[int]) -> fmpz_mat:
        """Returns some columns of the rows K."""
        rows = (self._rows[slot] for slot in self._own)
        return fmpz_mat(len(self._own), len(columns), [row[column] for row in rows for column in columns])

    def column(self, slot: int, places: Sequence[int] | None = None) -> Scaled:
        """Returns one column of A⁻¹.

        Args:
            slot: of the column.
            places: where entries other than 0 are likely to be. If they are nowhere else that spares most of the work.
        """
        if slot not in self._columns:
            right = self._unit(slot)
            found = None if places is None else self._solve_in(places, right)
            self._columns[slot] = self.solve(right) if found is None else found
        return self._columns[slot]

    def _unit(self, slot: int) -> list[mpz]:
        return [mpz(place == slot) for place in range(len(self._rows))]

    def solve(self, right: Sequence[mpz]) -> Scaled:
        """Returns A⁻¹ right."""
        return self._join(right, *solve_regular(self._matrix, self._own_right(right)))

    def _own_right(self, right: Sequence[mpz]) -> fmpz_mat:
        """Returns what A_KK x_K is, for A x = right: x_C is the right side's."""
        own = _to_column([right[slot] for slot in self._own])
        beside = [slot for slot in self._beside if right[slot]]
        return own - self._part(beside) * _to_column([right[slot] for slot in beside]) if beside else own

    def _solve_in(self, places: Sequence[int], right: Sequence[mpz]) -> Scaled | None:
        """Returns A⁻¹ right, if it is found to be 0 outside of some places; else None."""
        likely = [slot for slot in places if not self._is_identity[slot]]
        found = solve_overdetermined(self._part(likely), self._own_right(right))
        if found is None:
            return None
        entries = dict(zip(likely, found[0].entries(), strict=True))
        return self._join(right, fmpz_mat(len(self._own), 1, [entries.get(slot, 0) for slot in self._own]), found[1])

    def _join(self, right: Sequence[mpz], solved: fmpz_mat, denominator: fmpz) -> Scaled:
        """Returns the whole of a solution, x_K and x_C."""
        scale = to_mpz(denominator)
        whole = [entry * scale for entry in right]
        for slot, entry in zip(self._own, solved.entries(), strict=True):
            whole[slot] = to_mpz(entry)
        return whole, scale

    def products(self, row: Row) -> Scaled:
        """Returns row A⁻¹, one entry for each column."""
        solved, denominator = solve_regular(self._matrix.transpose(), _to_column([row[slot] for slot in self._own]))
        beside = _to_column([row[slot] for slot in self._beside])
        rest = beside * denominator - self._part(self._beside).transpose() * solved
        whole = [mpz(0)] * len(row)
        for slots, part in ((self._own, solved), (self._beside, rest)):
            for slot, entry in zip(slots, part.entries(), strict=True):
                whole[slot] = to_mpz(entry)
        return whole, to_mpz(denominator)

    def is_regular(self) -> bool:
        """Returns whether the matrix is regular modulo a large prime; if it is, it is regular over Q, too."""
        return not self._own or nmod_mat(self._matrix, PRIME).rank() == len(self._own)

    def replace(self, slot: int, row: Row, products: Sequence[mpz] | None = None) -> None:
        """Replaces row `slot` of A; the new row must not depend on the others. Its products are not needed."""
        del products
        self._rows[slot] = [to_fmpz(entry) for entry in row]
        self._is_identity[slot] = _is_unit(self._rows[slot], slot)
        self._forget()

    def add_multiples(self, slot: int, multiples: Mapping[int, mpz]) -> None:
        """Adds multiples[j] times row `slot` to each row j ≠ slot of A."""
        if not multiples:
            return
        own, column = self._rows[slot], self._columns
        for other, multiple in multiples.items():
            factor = to_fmpz(multiple)
            self._rows[other] = [b + factor * a for a, b in zip(own, self._rows[other], strict=True)]
            self._is_identity[other] = _is_unit(self._rows[other], other)
        self._forget()
        self._columns = {other: entries for other, entries in column.items() if other != slot}

    def _forget(self) -> None:
        """Drops what was made of the rows before."""
        self._columns = {}
        for name in ("_own", "_beside", "_matrix"):
            self.__dict__.pop(name, None)

    def bent_column(self, slot: int, multiples: Mapping[int, mpz]) -> Scaled:
        """Returns the column `slot` as `add_multiples` would leave it."""
        if not multiples:
            return self.column(slot)
        right = self._unit(slot)
        for other, multiple in multiples.items():
            right[other] = -multiple
        return self.solve(right)


def _is_unit(row: Sequence[fmpz], slot: int) -> bool:
    """Returns whether a row is that of the identity in a slot."""
    return row[slot] == 1 and sum(map(bool, row)) == 1


def _to_column(entries: Sequence[mpz]) -> fmpz_mat:
    return fmpz_mat(len(entries), 1, [to_fmpz(entry) for entry in entries])


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
