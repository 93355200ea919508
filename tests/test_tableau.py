"""The simplex tableau held by a small inverse: rows, columns and denominator are those of the whole tableau."""

import random

import pytest
import strategies
from flint import fmpz_mat
from gmpy2 import mpz
from hypothesis import given
from hypothesis import strategies as st

from exactdrl.exact.tableau import Tableau


def value_of(index: int, forms, width: int, variable: int) -> int:
    """Returns a variable or form where one variable is 1 and all others are 0."""
    return int(index == variable) if index < width else forms[index - width][variable]


def check(tableau: Tableau, forms, width: int) -> None:
    """Checks a tableau against the forms: its equations hold identically, and its denominator is their minor."""
    rows = [tableau.row(place) for place in range(len(forms))]
    assert [tableau.column(slot) for slot in range(width)] == [list(column) for column in zip(*rows, strict=True)]
    assert sorted([*tableau.basic, *tableau.nonbasic]) == list(range(width + len(forms)))
    for place, row in enumerate(rows):
        for variable in range(width):
            right = [value_of(index, forms, width, variable) for index in tableau.nonbasic]
            left = tableau.den * value_of(tableau.basic[place], forms, width, variable)
            assert left == sum(t * x for t, x in zip(row, right, strict=True))
    inside = [index for index in tableau.basic if index < width]
    outside = [index - width for index in tableau.nonbasic if index >= width]
    minor = fmpz_mat([[int(forms[i][j]) for j in inside] for i in outside]).det() if inside else 1
    assert tableau.den == abs(int(minor))


@strategies.examples(150)
@given(st.integers(1, 5), st.integers(1, 5), st.sampled_from([1, 3, 50]), st.randoms(use_true_random=False))
def test_rows_and_columns_after_any_pivots(count: int, width: int, size: int, rng: random.Random):
    """Forms and variables go in and out in every combination, and forms come later."""
    forms = [[mpz(rng.randint(-size, size)) for _ in range(width)] for _ in range(count)]
    tableau = Tableau(forms, width)
    check(tableau, forms, width)
    for _ in range(12):
        if rng.random() < 0.2:
            # trailing variables that a form does not name have the coefficient 0
            form = [mpz(rng.randint(-size, size)) for _ in range(rng.randint(0, width))]
            tableau.add_form(form)
            forms.append([*form, *[mpz(0)] * (width - len(form))])
        place, slot = rng.randrange(len(forms)), rng.randrange(width)
        row, column = tableau.row(place), tableau.column(slot)
        if row[slot]:
            tableau.pivot(place, slot, row, column)
        check(tableau, forms, width)


@pytest.mark.parametrize("side", [1, -1])
def test_the_four_kinds_of_pivot(side: int):
    """A form for a variable, a variable for a form, a form for a form, and a variable for a variable; either sign."""
    forms = [[mpz(side * 2), mpz(1), mpz(3)], [mpz(1), mpz(side * -5), mpz(4)]]
    tableau = Tableau(forms, 3)
    kinds = []
    # by indices: variables 0 to 2, forms 3 and 4
    for leaving, entering in ((3, 0), (0, 1), (4, 3), (1, 4), (3, 1), (4, 2)):
        kinds.append((leaving < 3, entering < 3))
        place, slot = tableau.basic.index(leaving), tableau.nonbasic.index(entering)
        tableau.pivot(place, slot, tableau.row(place), tableau.column(slot))
        assert (tableau.basic[place], tableau.nonbasic[slot]) == (entering, leaving)
        check(tableau, forms, 3)
    assert set(kinds) == {(False, True), (True, True), (False, False), (True, False)}
