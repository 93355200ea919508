"""The inverse that is solved for part by part: the kept one's numbers, and the same walks."""

import pytest
from flint import fmpz_mat
from gmpy2 import mpq, mpz
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import examples, instances, invertible_matrices

from exactdrl import Walk, sample_experiment
from exactdrl.arithmetic.exact import ExactArithmetic
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.exact import solved
from exactdrl.exact.basis import IntegerBasis
from exactdrl.exact.linear import PRIME, independent_rows, solve_overdetermined
from exactdrl.exact.rationals import InputError
from exactdrl.exact.solved import DependentRowError, SolvedBasis, invert
from exactdrl.steps.first_vertex import find_first_vertex


def to_rationals(scaled):
    numerators, denominator = scaled
    assert denominator > 0
    return [mpq(entry, denominator) for entry in numerators]


def rows_of(matrix):
    return [[mpz(entry) for entry in row] for row in matrix]


def check_same(kept, other, n, vector):
    """Both are the inverse of one matrix."""
    for slot in range(n):
        assert to_rationals(kept.column(slot)) == to_rationals(other.column(slot))
    assert to_rationals(kept.products(vector)) == to_rationals(other.products(vector))
    assert to_rationals(kept.solve(vector)) == to_rationals(other.solve(vector))


@examples(80)
@given(invertible_matrices(), st.data())
def test_every_part_is_the_kept_inverse(matrix, data):
    """Columns, products and solutions; after exchanges and flips, too."""
    rows = rows_of(matrix)
    n = len(rows)
    kept, slots = invert(rows)
    assert isinstance(kept, IntegerBasis)
    other = SolvedBasis([rows[slots.index(slot)] for slot in range(n)])
    vector = [mpz(entry) for entry in data.draw(st.lists(st.integers(-9, 9), min_size=n, max_size=n))]
    for _ in range(data.draw(st.integers(0, 4))):
        check_same(kept, other, n, vector)
        slot = data.draw(st.integers(0, n - 1))
        if data.draw(st.booleans()):
            multiples = {j: mpz(data.draw(st.integers(-3, 3))) for j in range(n) if j != slot}
            assert to_rationals(kept.bent_column(slot, multiples)) == to_rationals(other.bent_column(slot, multiples))
            kept.add_multiples(slot, multiples)
            other.add_multiples(slot, multiples)
        elif kept.products(vector)[0][slot]:
            kept.replace(slot, vector)
            other.replace(slot, vector)
    check_same(kept, other, n, vector)


def with_identity_rows(matrix, data):
    """The matrix with some rows of the identity in their own slots, independent as before, else None."""
    n = len(matrix)
    chosen = data.draw(st.sets(st.integers(0, n - 1)))
    rows = [[mpz(j == i) if i in chosen else mpz(entry) for j, entry in enumerate(row)] for i, row in enumerate(matrix)]
    return rows if len(independent_rows(rows, n)) == n else None


@examples(120)
@given(invertible_matrices(), st.data())
def test_rows_of_the_identity_and_likely_places(matrix, data):
    """Rows of the identity are not solved for; a column is right wherever it is said to be likely to be 0."""
    rows, n = with_identity_rows(matrix, data), len(matrix)
    assume(rows is not None)
    kept, slots = invert(rows)
    other = SolvedBasis([rows[slots.index(slot)] for slot in range(n)])
    vector = [mpz(entry) for entry in data.draw(st.lists(st.integers(-9, 9), min_size=n, max_size=n))]
    for slot in range(n):
        right = to_rationals(kept.column(slot))
        exactly = [place for place, entry in enumerate(right) if entry]
        for places in (exactly, sorted(data.draw(st.sets(st.integers(0, n - 1))))):
            other._columns.clear()
            assert to_rationals(other.column(slot, places)) == right
    check_same(kept, other, n, vector)


def two_by_two():
    """The rows (1, 1) and (1, 2), whose inverse has no 0."""
    return SolvedBasis([[mpz(1), mpz(1)], [mpz(1), mpz(2)]])


def test_what_places_say_is_checked(monkeypatch):
    """A solution of some equations that is none of all is refused; without the check the column is wrong."""
    assert to_rationals(two_by_two().column(0, [0])) == [2, -1]
    monkeypatch.setattr(
        solved, "solve_overdetermined", lambda matrix, right: (fmpz_mat(1, 1, [right[0, 0]]), matrix[0, 0])
    )
    assert to_rationals(two_by_two().column(0, [0])) == [1, 0]


def test_equations_with_no_solution():
    """No solution, or columns that depend on each other: None. Otherwise numerators and denominator, in lowest terms."""
    column = fmpz_mat(3, 1, [2, 4, 6])
    assert solve_overdetermined(column, fmpz_mat(3, 1, [1, 2, 3])) == (fmpz_mat(1, 1, [1]), 2)
    assert solve_overdetermined(column, fmpz_mat(3, 1, [1, 2, 4])) is None
    assert solve_overdetermined(fmpz_mat(2, 2, [1, 2, 2, 4]), fmpz_mat(2, 1, [1, 2])) is None
    assert solve_overdetermined(fmpz_mat(2, 0, []), fmpz_mat(2, 1, [0, 0])) == (fmpz_mat(0, 1, []), 1)
    assert solve_overdetermined(fmpz_mat(2, 0, []), fmpz_mat(2, 1, [0, 1])) is None


@examples(40)
@given(st.lists(st.lists(st.integers(-1, 1), min_size=4, max_size=4), min_size=4, max_size=4))
def test_dependent_rows_are_found(matrix):
    """The first row that depends on those before it, whichever way the inverse is held."""
    found = []
    for largest in (0, 60):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(solved, "LARGEST_KEPT", largest)
            try:
                invert(rows_of(matrix))
                found.append(None)
            except DependentRowError as error:
                found.append(error.index)
    assert found[0] == found[1]


def test_a_multiple_of_the_prime_is_no_dependence():
    """A matrix that is singular modulo the prime and regular all the same."""
    rows = [[mpz(0)] * 61 for _ in range(61)]
    for place in range(61):
        rows[place][place] = mpz(1)
    rows[7][7] = mpz(PRIME)
    inverse, _ = invert(rows)
    assert isinstance(inverse, SolvedBasis)
    assert not inverse.is_regular()
    assert inverse.column(7)[1] == PRIME
    rows[9] = [2 * entry for entry in rows[8]]
    with pytest.raises(DependentRowError, match="row 9"):
        invert(rows)


def walk_of(instance, rule, limit=60):
    walk = Walk(instance, rule=rule, arithmetic="exact", max_steps=limit)
    steps = [(s.flips, s.basis, s.leaving, s.entering, s.is_published_stop) for s in walk]
    return steps, type(walk.outcome), walk.loss, walk.vertex


@examples(60)
@given(instance=instances())
@pytest.mark.parametrize("rule", ["reference", "steepest"])
def test_walks_are_the_same(rule, instance):
    """Exact walks on solved systems, degenerate vertices and all."""
    expected = walk_of(instance, rule)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(solved, "LARGEST_WALKED", 0)
        assert walk_of(instance, rule) == expected


def test_a_large_vertex_costs_little():
    """With n = 130, an exact vertex: its kinks vanish, and a dependent basis is refused by name."""
    problem = IntegerProblem.from_instance(sample_experiment((12, 10, 1), samples=200, seed=1))
    first = find_first_vertex(problem, "coordinate", filtered=True, with_points=False)
    vertex = ExactArithmetic(problem, first.pattern, first.basis)
    assert vertex.vanishing_kinks() == sorted(first.basis)
    with pytest.raises(InputError, match="depends on those before it"):
        ExactArithmetic(problem, first.pattern, (*first.basis[:-1], first.basis[0]))
