"""Decides exactly whether variables and linear forms of them can keep bounds: finds values or Farkas multipliers.

The general simplex of Dutertre and de Moura: each form is a variable too, bounds may change between calls, and the
basis stays, so that the nodes of a tree are solved one from another. In the end Bland's rule makes both choices, so
that it terminates. The tableau has integers over one positive denominator (Edmonds); every entry is a minor of the
forms' matrix.

Source: Dutertre and de Moura, A fast linear-arithmetic solver for DPLL(T), sections 3 and 4.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gmpy2 import divexact, mpq, mpz

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

    __slots__ = ("_basic", "_den", "_lower", "_nonbasic", "_rows", "_tableau", "_upper", "_values", "width")

    def __init__(self, rows: Sequence[Sequence[mpz]], width: int) -> None:
        """Takes the forms.

        Args:
            rows: (k, width) integers.
            width: v.
        """
        self.width = width
        count = len(rows)
        self._tableau = [list(row) for row in rows]
        self._den = mpz(1)
        self._basic = list(range(width, width + count))
        self._nonbasic = list(range(width))
        self._lower: list[mpq | None] = [None] * (width + count)
        self._upper: list[mpq | None] = [None] * (width + count)
        self._values: list[mpq] = [_ZERO] * (width + count)
        self._rows = count

    def add_form(self, row: Sequence[mpz]) -> int:
        """Takes one more form, without bounds; basis and values stay. Returns its index."""
        index, columns = len(self._values), {other: column for column, other in enumerate(self._nonbasic)}
        places = {other: place for place, other in enumerate(self._basic)}
        entries = [mpz(0)] * self.width
        for variable, coefficient in enumerate(row):
            if not coefficient:
                continue
            if variable in columns:
                entries[columns[variable]] += coefficient * self._den
            else:
                own = self._tableau[places[variable]]
                entries = [e + coefficient * o if o else e for e, o in zip(entries, own, strict=True)]
        self._tableau.append(entries)
        self._basic.append(index)
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
        if index in self._nonbasic:
            if lower is not None and value < lower:
                self._shift(self._nonbasic.index(index), lower - value)
            elif upper is not None and value > upper:
                self._shift(self._nonbasic.index(index), upper - value)

    def _shift(self, column: int, change: mpq) -> None:
        """Moves a nonbasic variable, and the basic ones with it."""
        if not change:
            return
        values = self._values
        values[self._nonbasic[column]] += change
        unit = change / self._den
        for index, row in zip(self._basic, self._tableau, strict=True):
            if row[column]:
                values[index] += unit * row[column]

    def solve(self) -> list[mpq] | Conflict:
        """Returns values of the variables that keep all bounds, or the reason why there are none."""
        pivots, most = 0, _GREEDY + _GREEDY_EACH * len(self._values)
        while True:
            is_greedy = pivots < most
            violated = self._most_violated() if is_greedy else self._first_violated()
            if violated is None:
                return self._values[: self.width]
            row, bound, is_low = violated
            column = (self._roomiest if is_greedy else self._first_useful)(row, is_low=is_low)
            if column is None:
                return self._conflict(row, is_low=is_low)
            change = (bound - self._values[self._basic[row]]) * self._den / self._tableau[row][column]
            self._shift(column, change)
            self._pivot(row, column)
            pivots += 1

    def _violated(self) -> Iterator[tuple[int, mpq, bool]]:
        """Yields the rows whose basic variable is out of its bounds, the bound, and whether it is the lower one."""
        for row, index in enumerate(self._basic):
            value, lower, upper = self._values[index], self._lower[index], self._upper[index]
            if lower is not None and value < lower:
                yield row, lower, True
            elif upper is not None and value > upper:
                yield row, upper, False

    def _most_violated(self) -> tuple[int, mpq, bool] | None:
        return max(self._violated(), key=lambda v: abs(v[1] - self._values[self._basic[v[0]]]), default=None)

    def _first_violated(self) -> tuple[int, mpq, bool] | None:
        return min(self._violated(), key=lambda violated: self._basic[violated[0]], default=None)

    def _useful(self, row: int, *, is_low: bool) -> Iterator[tuple[int, mpz, mpq | None]]:
        """Yields the columns that can repair a row, their entries, and how far they can move; None for any length."""
        for column, (index, entry) in enumerate(zip(self._nonbasic, self._tableau[row], strict=True)):
            if entry:
                bound = self._upper[index] if (entry > 0) == is_low else self._lower[index]
                room = None if bound is None else abs(bound - self._values[index])
                if room is None or room:
                    yield column, entry, room

    def _roomiest(self, row: int, *, is_low: bool) -> int | None:
        """Returns the column that can repair a row by most, the first of equals."""
        best = max(
            self._useful(row, is_low=is_low),
            key=lambda useful: (useful[2] is None, abs(useful[1]) * (1 if useful[2] is None else useful[2])),
            default=None,
        )
        return None if best is None else best[0]

    def _first_useful(self, row: int, *, is_low: bool) -> int | None:
        columns = (column for column, _, _ in self._useful(row, is_low=is_low))
        return min(columns, key=lambda column: self._nonbasic[column], default=None)

    def _pivot(self, row: int, column: int) -> None:
        """Exchanges a basic and a nonbasic variable; values stay."""
        den, special = self._den, self._tableau[row]
        pivot = special[column]
        side = 1 if pivot > 0 else -1
        pivot = abs(pivot)
        for other, entries in enumerate(self._tableau):
            factor = entries[column]
            if other == row:
                continue
            if factor:
                signed = side * factor
                updated = [
                    divexact(e * pivot - signed * s, den) if s else divexact(e * pivot, den) if e else e
                    for e, s in zip(entries, special, strict=True)
                ]
                updated[column] = signed
                self._tableau[other] = updated
            elif pivot != den:
                self._tableau[other] = [divexact(e * pivot, den) if e else e for e in entries]
        exchanged = [-e for e in special] if side > 0 else list(special)
        exchanged[column] = side * den
        self._tableau[row] = exchanged
        self._den = pivot
        self._basic[row], self._nonbasic[column] = self._nonbasic[column], self._basic[row]

    def _conflict(self, row: int, *, is_low: bool) -> Conflict:
        """Returns ±(den · basic - Σ entries · nonbasic), which is too small or too great, as a combination of forms."""
        side = 1 if is_low else -1
        multipliers = [mpz(0)] * self._rows
        if self._basic[row] >= self.width:
            multipliers[self._basic[row] - self.width] = side * self._den
        for index, entry in zip(self._nonbasic, self._tableau[row], strict=True):
            if index >= self.width:
                multipliers[index - self.width] = -side * entry
        return Conflict(tuple(multipliers))

    def maximize(self, index: int) -> "Optimum | None":
        """Returns the greatest value of a form without bounds, from values that keep all bounds; None if there is none.

        `solve` has to have found values before. Greatest coefficients choose first, then Bland's rule, so it ends.

        Args:
            index: v + i for the form i.
        """
        if index in self._nonbasic:
            column = self._nonbasic.index(index)
            self._pivot(next(row for row, entries in enumerate(self._tableau) if entries[column]), column)
        goal = self._basic.index(index)
        pivots, most = 0, _GREEDY + _GREEDY_EACH * len(self._values)
        while True:
            best = self._improving(goal, is_greedy=pivots < most)
            if best is None:
                return self._optimum(goal)
            if not self._advance(best, goal):
                return None
            pivots += 1

    def _improving(self, goal: int, *, is_greedy: bool) -> int | None:
        """Returns a column along which the form in row `goal` can grow, None if there is none."""
        best: int | None = None
        for column, (index, entry) in enumerate(zip(self._nonbasic, self._tableau[goal], strict=True)):
            if not entry:
                continue
            bound = self._upper[index] if entry > 0 else self._lower[index]
            if bound is not None and bound == self._values[index]:
                continue
            if best is None or (
                abs(entry) > abs(self._tableau[goal][best]) if is_greedy else index < self._nonbasic[best]
            ):
                best = column
        return best

    def _advance(self, column: int, goal: int) -> bool:
        """Moves a nonbasic variable as far as all bounds allow, and pivots; returns False if nothing stops it."""
        index, side = self._nonbasic[column], 1 if self._tableau[goal][column] > 0 else -1
        own = self._upper[index] if side > 0 else self._lower[index]
        room: mpq | None = None if own is None else abs(own - self._values[index])
        stop: int | None = None
        for row, (basic, entries) in enumerate(zip(self._basic, self._tableau, strict=True)):
            entry = entries[column]
            if not entry:
                continue
            bound = self._upper[basic] if (entry > 0) == (side > 0) else self._lower[basic]
            if bound is None:
                continue
            length = abs(bound - self._values[basic]) * self._den / abs(entry)
            if room is None or length < room or (length == room and stop is not None and basic < self._basic[stop]):
                room, stop = length, row
        if room is None:
            return False
        self._shift(column, side * room)
        if stop is not None:
            self._pivot(stop, column)
        return True

    def _optimum(self, goal: int) -> "Optimum":
        multipliers = [_ZERO] * len(self._values)
        for index, entry in zip(self._nonbasic, self._tableau[goal], strict=True):
            multipliers[index] = mpq(entry, self._den)
        return Optimum(self._values[self._basic[goal]], tuple(self._values[: self.width]), tuple(multipliers))


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
