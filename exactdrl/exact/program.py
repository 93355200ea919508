"""Decides exactly whether variables and linear forms of them can keep bounds: finds values or Farkas multipliers.

The general simplex of Dutertre and de Moura: each form is a variable too, bounds may change between calls, and the
basis stays, so that the nodes of a tree are solved one from another. In the end Bland's rule makes both choices, so
that it terminates. Rows and columns of the tableau are integers over one positive denominator, found where they are
asked for (`tableau`).

Source: Dutertre and de Moura, A fast linear-arithmetic solver for DPLL(T), sections 3 and 4.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gmpy2 import mpq, mpz

from exactdrl.exact.tableau import Tableau

_ZERO = mpq(0)
# pivots by greatest violation and room before Bland's rule takes over, and more for each variable and form; measured on
# cells of blocks with 15 to 19 variables and 108 to 118 kinks: 28 to 47 pivots a solution instead of 120 to 520. At a
# unit dead on 442 samples in 11 dimensions 561 pivots were enough, where Bland's rule had not ended after 18,000
_GREEDY, _GREEDY_EACH = 200, 4


@dataclass(frozen=True, slots=True)
class Conflict:
    """Shows that no values keep the bounds: within them Σ_i y_i (form_i - row_i · x), which is 0, would be positive.

    Attributes:
        multipliers: y, one for each form.
    """

    multipliers: tuple[mpz, ...]


class BoundedForms:
    """Variables x_0..x_{v-1} and forms row_i · x, of which each may have bounds; the form i has the index v + i.

    There is no bound at first, and x is 0.
    """

    __slots__ = ("_lower", "_rows", "_tableau", "_upper", "_values", "width")

    def __init__(self, rows: Sequence[Sequence[mpz]], width: int) -> None:
        """Takes the forms.

        Args:
            rows: (k, width) integers.
            width: v.
        """
        self.width = width
        count = len(rows)
        self._tableau = Tableau(rows, width)
        self._lower: list[mpq | None] = [None] * (width + count)
        self._upper: list[mpq | None] = [None] * (width + count)
        self._values: list[mpq] = [_ZERO] * (width + count)
        self._rows = count

    def add_form(self, row: Sequence[mpz]) -> int:
        """Takes one more form, without bounds; basis and values stay. Returns its index."""
        index = len(self._values)
        self._tableau.add_form(row)
        self._lower.append(None)
        self._upper.append(None)
        self._values.append(sum((c * x for c, x in zip(row, self._values, strict=False) if c), _ZERO))
        self._rows += 1
        return index

    def bounds(self, index: int) -> tuple[mpq | None, mpq | None]:
        """Returns the lower and the upper bound of a variable or form; None where there is none."""
        return self._lower[index], self._upper[index]

    def set_bounds(self, index: int, lower: mpq | None, upper: mpq | None) -> None:
        """Replaces the bounds of a variable or form; lower ≤ upper."""
        self._lower[index], self._upper[index] = lower, upper
        value = self._values[index]
        change = _ZERO
        if lower is not None and value < lower:
            change = lower - value
        elif upper is not None and value > upper:
            change = upper - value
        if change and index in self._tableau.nonbasic:
            slot = self._tableau.nonbasic.index(index)
            self._shift(slot, change, self._tableau.column(slot))

    def _shift(self, slot: int, change: mpq, column: Sequence[mpz]) -> None:
        """Moves a nonbasic variable, and the basic ones with it."""
        if not change:
            return
        values = self._values
        values[self._tableau.nonbasic[slot]] += change
        unit = change / self._tableau.den
        for index, entry in zip(self._tableau.basic, column, strict=True):
            if entry:
                values[index] += unit * entry

    def solve(self) -> list[mpq] | Conflict:
        """Returns values of the variables that keep all bounds, or the reason why there are none."""
        pivots, most = 0, _GREEDY + _GREEDY_EACH * len(self._values)
        while True:
            is_greedy = pivots < most
            violated = self._most_violated() if is_greedy else self._first_violated()
            if violated is None:
                return self._values[: self.width]
            place, bound, is_low = violated
            row = self._tableau.row(place)
            slot = (self._roomiest if is_greedy else self._first_useful)(row, is_low=is_low)
            if slot is None:
                return self._conflict(place, row, is_low=is_low)
            column = self._tableau.column(slot)
            change = (bound - self._values[self._tableau.basic[place]]) * self._tableau.den / row[slot]
            self._shift(slot, change, column)
            self._tableau.pivot(place, slot, row, column)
            pivots += 1

    def _violated(self) -> Iterator[tuple[int, mpq, bool]]:
        """Yields the rows whose basic variable is out of its bounds, the bound, and whether it is the lower one."""
        for place, index in enumerate(self._tableau.basic):
            value, lower, upper = self._values[index], self._lower[index], self._upper[index]
            if lower is not None and value < lower:
                yield place, lower, True
            elif upper is not None and value > upper:
                yield place, upper, False

    def _most_violated(self) -> tuple[int, mpq, bool] | None:
        return max(self._violated(), key=lambda v: abs(v[1] - self._values[self._tableau.basic[v[0]]]), default=None)

    def _first_violated(self) -> tuple[int, mpq, bool] | None:
        return min(self._violated(), key=lambda violated: self._tableau.basic[violated[0]], default=None)

    def _useful(self, row: Sequence[mpz], *, is_low: bool) -> Iterator[tuple[int, mpz, mpq | None]]:
        """Yields the columns that can repair a row, their entries, and how far they can move; None for any length."""
        for slot, (index, entry) in enumerate(zip(self._tableau.nonbasic, row, strict=True)):
            if entry:
                bound = self._upper[index] if (entry > 0) == is_low else self._lower[index]
                room = None if bound is None else abs(bound - self._values[index])
                if room is None or room:
                    yield slot, entry, room

    def _roomiest(self, row: Sequence[mpz], *, is_low: bool) -> int | None:
        """Returns the column that can repair a row by most, the first of equals; any length is more than a room."""
        best, is_endless, most = None, False, _ZERO
        for slot, entry, room in self._useful(row, is_low=is_low):
            if room is None:
                size = abs(entry)
                if not is_endless or size > most:
                    best, is_endless, most = slot, True, size
            elif not is_endless:
                size = abs(entry) * room
                if best is None or size > most:
                    best, most = slot, size
        return best

    def _first_useful(self, row: Sequence[mpz], *, is_low: bool) -> int | None:
        slots = (slot for slot, _, _ in self._useful(row, is_low=is_low))
        return min(slots, key=lambda slot: self._tableau.nonbasic[slot], default=None)

    def _conflict(self, place: int, row: Sequence[mpz], *, is_low: bool) -> Conflict:
        """Returns ±(den · basic - Σ entries · nonbasic), which is too small or too great, as a combination of forms."""
        side = 1 if is_low else -1
        multipliers = [mpz(0)] * self._rows
        if self._tableau.basic[place] >= self.width:
            multipliers[self._tableau.basic[place] - self.width] = side * self._tableau.den
        for index, entry in zip(self._tableau.nonbasic, row, strict=True):
            if index >= self.width:
                multipliers[index - self.width] = -side * entry
        return Conflict(tuple(multipliers))

    def maximize(self, index: int) -> "Optimum | None":
        """Returns the greatest value of a form without bounds, from values that keep all bounds; None if there is none.

        `solve` has to have found values before. Greatest coefficients choose first, then Bland's rule, so it ends.

        Args:
            index: v + i for the form i.
        """
        if index in self._tableau.nonbasic:
            slot = self._tableau.nonbasic.index(index)
            column = self._tableau.column(slot)
            place = next(place for place, entry in enumerate(column) if entry)
            self._tableau.pivot(place, slot, self._tableau.row(place), column)
        goal = self._tableau.basic.index(index)
        pivots, most = 0, _GREEDY + _GREEDY_EACH * len(self._values)
        while True:
            row = self._tableau.row(goal)
            best = self._improving(row, is_greedy=pivots < most)
            if best is None:
                return self._optimum(goal, row)
            if not self._advance(best, 1 if row[best] > 0 else -1):
                return None
            pivots += 1

    def _improving(self, row: Sequence[mpz], *, is_greedy: bool) -> int | None:
        """Returns a column along which the form of a row can grow, None if there is none."""
        best: int | None = None
        for slot, (index, entry) in enumerate(zip(self._tableau.nonbasic, row, strict=True)):
            if not entry:
                continue
            bound = self._upper[index] if entry > 0 else self._lower[index]
            if bound is not None and bound == self._values[index]:
                continue
            if best is None or (abs(entry) > abs(row[best]) if is_greedy else index < self._tableau.nonbasic[best]):
                best = slot
        return best

    def _advance(self, slot: int, side: int) -> bool:
        """Moves a nonbasic variable as far as all bounds allow, and pivots; returns False if nothing stops it.

        Args:
            slot: its column.
            side: 1 up, -1 down.
        """
        tableau = self._tableau
        index, column = tableau.nonbasic[slot], tableau.column(slot)
        own = self._upper[index] if side > 0 else self._lower[index]
        room: mpq | None = None if own is None else abs(own - self._values[index])
        stop: int | None = None
        for place, (basic, entry) in enumerate(zip(tableau.basic, column, strict=True)):
            if not entry:
                continue
            bound = self._upper[basic] if (entry > 0) == (side > 0) else self._lower[basic]
            if bound is None:
                continue
            length = abs(bound - self._values[basic]) * tableau.den / abs(entry)
            if room is None or length < room or (length == room and stop is not None and basic < tableau.basic[stop]):
                room, stop = length, place
        if room is None:
            return False
        self._shift(slot, side * room, column)
        if stop is not None:
            tableau.pivot(stop, slot, tableau.row(stop), column)
        return True

    def _optimum(self, goal: int, row: Sequence[mpz]) -> "Optimum":
        multipliers = [_ZERO] * len(self._values)
        for index, entry in zip(self._tableau.nonbasic, row, strict=True):
            multipliers[index] = mpq(entry, self._tableau.den)
        return Optimum(self._values[self._tableau.basic[goal]], tuple(self._values[: self.width]), tuple(multipliers))


@dataclass(frozen=True, slots=True)
class Optimum:
    """The greatest value of a form within bounds.

    Attributes:
        value: of the form.
        point: values of the variables there.
        multipliers: y, one for each variable and then for each form: the form is Σ y_i · (variable or form i), where
            y_i > 0 only at an upper bound and y_i < 0 only at a lower one.
    """

    value: mpq
    point: tuple[mpq, ...]
    multipliers: tuple[mpq, ...]
