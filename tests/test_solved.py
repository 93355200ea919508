"""The inverse that is solved for part by part: the kept one's numbers, and the same walks."""

import pytest
from gmpy2 import mpq, mpz
from hypothesis import given
from hypothesis import strategies as st
from strategies import examples, instances, invertible_matrices

from exactdrl import Walk, sample_experiment
from exactdrl.arithmetic.exact import ExactArithmetic
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.exact import solved
from exactdrl.exact.basis import IntegerBasis
from exactdrl.exact.linear import PRIME
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
