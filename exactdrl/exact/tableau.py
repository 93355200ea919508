"""The simplex tableau of linear forms, held by the inverse of the part that has been exchanged.

Forms s = R x; of forms and variables together, as many as there are forms are basic, each a combination of the others:
den · basic = T · nonbasic, with integers T and den > 0 (Edmonds). Let P be the variables that are basic, and Q the
forms that are not; they are equally many. Then with the integers W = den · R_QP⁻¹

    den · x_P = W s_Q - W R_QN x_N;    den · s_i = (R_iP W) s_Q + (den · R_iN - R_iP W R_QN) x_N,

so that W and R give each row and each column of T. A pivot changes W alone, and asks for one row and one column; in the
whole tableau it would change every entry. There are at most as many variables in P as there are forms, and as there are
variables: W is small where forms are few (a unit that is 0 on 500 samples in 24 parameters: 24 forms of 1,000
variables, and 0.15 s a pivot of the whole tableau), and where variables are.

Source: the revised simplex method; Edmonds, Systems of distinct representatives and linear algebra (1967).
"""

from collections.abc import Sequence
from operator import mul

from gmpy2 import divexact, mpz

_ZERO = mpz(0)


class Tableau:
    """Forms of variables; the variable j has the index j, the form i has the index width + i. All forms begin as basic.

    Attributes:
        width: the number of variables.
        den: the positive denominator.
        basic: the index of each row.
        nonbasic: the index of each column.
    """

    __slots__ = ("_forms", "_inverse", "_places", "_slots", "basic", "den", "nonbasic", "width")

    def __init__(self, forms: Sequence[Sequence[mpz]], width: int) -> None:
        """Takes the forms.

        Args:
            forms: (k, width) integers.
            width: the number of variables.
        """
        self.width = width
        self.den = mpz(1)
        self._forms = [list(form) for form in forms]
        self.basic = list(range(width, width + len(forms)))
        self.nonbasic = list(range(width))
        # the rows of P, the columns of Q, and W
        self._places: list[int] = []
        self._slots: list[int] = []
        self._inverse: list[list[mpz]] = []

    def add_form(self, form: Sequence[mpz]) -> None:
        """Takes one more form, which becomes the last row."""
        self._forms.append([*form, *[_ZERO] * (self.width - len(form))])
        self.basic.append(self.width + len(self._forms) - 1)

    def row(self, place: int) -> list[mpz]:
        """Returns a row of T."""
        index = self.basic[place]
        if index < self.width:
            shares = self._inverse[self._places.index(place)]
            entries = [_ZERO] * self.width
        else:
            own, den = self._forms[index - self.width], self.den
            parts = [own[self.basic[other]] for other in self._places]
            shares = [_dot(parts, column) for column in zip(*self._inverse, strict=True)]
            entries = [den * entry for entry in own] if den != 1 else own
        for share, slot in zip(shares, self._slots, strict=True):
            if share:
                form = self._forms[self.nonbasic[slot] - self.width]
                entries = [e - share * f if f else e for e, f in zip(entries, form, strict=True)]
        found = [entries[index] if index < self.width else _ZERO for index in self.nonbasic]
        for share, slot in zip(shares, self._slots, strict=True):
            found[slot] = share
        return found

    def column(self, slot: int) -> list[mpz]:
        """Returns a column of T."""
        index = self.nonbasic[slot]
        if index < self.width:
            own = [self._forms[self.nonbasic[other] - self.width][index] for other in self._slots]
            parts = [-_dot(shares, own) for shares in self._inverse]
        else:
            at = self._slots.index(slot)
            parts = [shares[at] for shares in self._inverse]
        found = [_ZERO] * len(self.basic)
        exchanged = [(self.basic[place], part) for place, part in zip(self._places, parts, strict=True) if part]
        for place, other in enumerate(self.basic):
            if other >= self.width:
                form = self._forms[other - self.width]
                entry = self.den * form[index] if index < self.width and form[index] else _ZERO
                for variable, part in exchanged:
                    if form[variable]:
                        entry += form[variable] * part
                found[place] = entry
        for place, part in zip(self._places, parts, strict=True):
            found[place] = part
        return found

    def pivot(self, place: int, slot: int, row: Sequence[mpz], column: Sequence[mpz]) -> None:
        """Exchanges the basic variable or form of a row and the nonbasic one of a column.

        Args:
            place: of the row.
            slot: of the column.
            row: that row of T.
            column: that column of T; the entry of both is not 0.
        """
        den, width = self.den, self.width
        side, pivot = (1, row[slot]) if row[slot] > 0 else (-1, -row[slot])
        leaving, entering = self.basic[place], self.nonbasic[slot]
        if entering >= width:
            at = self._slots.index(slot)
            del self._slots[at]
            for shares in self._inverse:
                del shares[at]
        if leaving < width:
            at = self._places.index(place)
            del self._places[at], self._inverse[at]
        special = [side * row[other] for other in self._slots]
        for at, other in enumerate(self._places):
            factor = column[other]
            shares = self._inverse[at]
            if factor:
                shares = [divexact(e * pivot - factor * s, den) for e, s in zip(shares, special, strict=True)]
            elif pivot != den:
                shares = [divexact(e * pivot, den) for e in shares]
            self._inverse[at] = shares
        if entering < width:
            self._places.append(place)
            self._inverse.append([-entry for entry in special])
        if leaving >= width:
            self._slots.append(slot)
            for shares, other in zip(self._inverse, self._places, strict=True):
                shares.append(side * (den if other == place else column[other]))
        self.den = pivot
        self.basic[place], self.nonbasic[slot] = entering, leaving


def _dot(left: Sequence[mpz], right: Sequence[mpz]) -> mpz:
    return sum(map(mul, left, right), _ZERO)
