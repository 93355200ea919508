"""Exact linear algebra against Gaussian elimination over `fractions.Fraction`."""

import itertools
from fractions import Fraction
from math import gcd

import oracle
import pytest
import strategies
from gmpy2 import mpq, mpz
from hypothesis import assume, given
from hypothesis import strategies as st

from exactdrl.exact import linear
from exactdrl.exact.basis import IntegerBasis, dot

Matrix = list[list[int]]
entries = st.integers(-5, 5)


def to_mpz(row: list[int]) -> list[mpz]:
    """Returns a row for gmpy2."""
    return [mpz(value) for value in row]


def to_mpz_rows(rows: Matrix) -> list[list[mpz]]:
    """Returns a matrix for gmpy2."""
    return [to_mpz(row) for row in rows]


def fractions(rows: Matrix) -> list[list[Fraction]]:
    """Returns a matrix for the oracle."""
    return [[Fraction(value) for value in row] for row in rows]


def determinant(matrix: Matrix) -> int:
    """Returns the determinant, by expansion."""
    if not matrix:
        return 1
    return sum(
        (-1) ** j * matrix[0][j] * determinant([[*row[:j], *row[j + 1 :]] for row in matrix[1:]])
        for j in range(len(matrix))
    )


def insert(basis: IntegerBasis, rows: Matrix) -> list[int]:
    """Puts rows in, each into the first free slot that takes it; returns the slot of each row."""
    slots: list[int] = []
    for row in rows:
        products, _ = basis.products(to_mpz(row))
        slot = next(s for s in range(len(rows)) if s not in slots and products[s] != 0)
        basis.replace(slot, to_mpz(row), products)
        slots.append(slot)
    return slots


def check(basis: IntegerBasis, matrix: Matrix) -> None:
    """Checks that a basis is the inverse of a matrix, den its determinant up to sign."""
    inverse = oracle.inverse(fractions(matrix))
    assert basis.den == abs(determinant(matrix))
    assert [
        [Fraction(int(basis.columns[j][i]), int(basis.den)) for j in range(len(matrix))] for i in range(len(matrix))
    ] == inverse


@strategies.examples(80)
@given(st.integers(1, 6))
def test_starts_as_the_identity(n: int) -> None:
    """A new basis is the identity matrix's inverse."""
    check(IntegerBasis(n), [[int(i == j) for j in range(n)] for i in range(n)])


@strategies.examples(150)
@given(strategies.invertible_matrices(), st.data())
def test_exchanges_of_rows(matrix: Matrix, data: st.DataObject) -> None:
    """After every exchange of a row the inverse is exact, den is |det|, and a dependent row is refused without a
    change.
    """
    n = len(matrix)
    basis = IntegerBasis(n)
    slots = insert(basis, matrix)
    current = [matrix[slots.index(slot)] for slot in range(n)]
    check(basis, current)
    for _ in range(data.draw(st.integers(0, 6))):
        slot = data.draw(st.integers(0, n - 1))
        row = data.draw(st.lists(entries, min_size=n, max_size=n))
        products, _ = basis.products(to_mpz(row))
        changed = [row if i == slot else old for i, old in enumerate(current)]
        assert abs(products[slot]) == abs(determinant(changed))
        if products[slot] == 0:
            with pytest.raises(ZeroDivisionError):
                basis.replace(slot, to_mpz(row))
        else:
            basis.replace(slot, to_mpz(row), data.draw(st.sampled_from([products, None])))
            current = changed
        check(basis, current)


@strategies.examples(120)
@given(strategies.invertible_matrices(), st.data())
def test_products_and_solve(matrix: Matrix, data: st.DataObject) -> None:
    """`products` is den · row A⁻¹ and `solve` is den · A⁻¹ right."""
    n = len(matrix)
    basis = IntegerBasis(n)
    slots = insert(basis, matrix)
    current = fractions([matrix[slots.index(slot)] for slot in range(n)])
    inverse = oracle.inverse(current)
    vector = data.draw(st.lists(entries, min_size=n, max_size=n))
    column = [list(c) for c in zip(*inverse, strict=True)]
    row = fractions([vector])[0]
    assert basis.products(to_mpz(vector)) == ([int(basis.den * oracle.dot(row, c)) for c in column], basis.den)
    assert basis.solve(to_mpz(vector)) == ([int(basis.den * oracle.dot(r, row)) for r in inverse], basis.den)


@strategies.examples(120)
@given(strategies.invertible_matrices(), st.data())
def test_added_multiples(matrix: Matrix, data: st.DataObject) -> None:
    """`add_multiples` is what adding multiples of one row to others does; `bent_column` foretells it without a
    change.
    """
    n = len(matrix)
    basis = IntegerBasis(n)
    slots = insert(basis, matrix)
    current = [matrix[slots.index(slot)] for slot in range(n)]
    slot = data.draw(st.integers(0, n - 1))
    others = data.draw(st.dictionaries(st.integers(0, n - 1).filter(lambda j: j != slot), entries)) if n > 1 else {}
    multiples = {j: mpz(value) for j, value in others.items()}
    foretold, _ = basis.bent_column(slot, multiples)
    check(basis, current)
    basis.add_multiples(slot, multiples)
    assert basis.columns[slot] == foretold
    bent = [
        [a + others.get(j, 0) * b for a, b in zip(row, current[slot], strict=True)] for j, row in enumerate(current)
    ]
    check(basis, bent)


@strategies.examples(60)
@given(st.integers(0, 6).flatmap(lambda n: st.tuples(*[st.lists(entries, min_size=n, max_size=n)] * 2)))
def test_dot(pair: tuple[list[int], list[int]]) -> None:
    """The inner product, 0 for no entries; lengths that differ are refused."""
    left, right = map(to_mpz, pair)
    assert dot(left, right) == sum(a * b for a, b in zip(*pair, strict=True))
    with pytest.raises(ValueError, match="zip"):
        dot(left, [*right, mpz(1)])


# --- exactdrl.exact.linear -------------------------------------------------------------------------------------------


def test_rows_that_are_dependent_modulo_the_prime_only() -> None:
    """Rows of which some vanish modulo the prime, or become others, or depend on later rows only."""
    prime = linear.PRIME
    rows = [[1, 0, 0], [prime, 1, 0], [prime, 0, 0], [0, prime + 2, prime], [3, 4, 0], [0, 0, 5], [1, 2, 3], [2, 4, 6]]
    for order in itertools.permutations(range(len(rows)), 4):
        matrix = to_mpz_rows([rows[place] for place in order])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(linear, "_MANY_ENTRIES", 0)
            patch.setattr(linear, "_DEARER", 0)
            found = linear.independent_rows(matrix, 3)
        assert found == linear.independent_rows(matrix, 3)


@strategies.examples(200)
@given(
    st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(entries, min_size=n, max_size=n), min_size=1, max_size=14))
)
def test_independent_rows_by_the_prime(matrix: Matrix) -> None:
    """The rows that elimination finds."""
    rows, width = to_mpz_rows(matrix), len(matrix[0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linear, "_MANY_ENTRIES", 0)
        patch.setattr(linear, "_DEARER", 0)
        found = linear.independent_rows(rows, width)
    assert list(found) == oracle.pivot_columns(fractions([list(column) for column in zip(*matrix, strict=True)]))


@strategies.examples(150)
@given(strategies.integer_matrices())
def test_pivot_columns_and_independent_rows(matrix: Matrix) -> None:
    """Both take greedily what is independent of what stands before, columns from the left, rows from the top."""
    width = len(matrix[0])
    rows = to_mpz_rows(matrix)
    assert list(linear.pivot_columns(rows, width)) == oracle.pivot_columns(fractions(matrix))
    transposed = [list(column) for column in zip(*matrix, strict=True)]
    assert list(linear.independent_rows(rows, width)) == oracle.pivot_columns(fractions(transposed))


def test_nothing_to_reduce() -> None:
    """No rows and no columns have no pivots."""
    assert linear.pivot_columns([], 3) == ()
    assert linear.pivot_columns([[], []], 0) == ()
    assert linear.independent_rows([[], []], 0) == ()
    assert linear.independent_rows([], 3) == ()


@strategies.examples(120)
@given(strategies.integer_matrices())
def test_combined_columns(matrix: Matrix) -> None:
    """Each column outside the pivots is the returned combination of the pivot columns."""
    width = len(matrix[0])
    rows = to_mpz_rows(matrix)
    pivots = linear.pivot_columns(rows, width)
    combination = linear.combine_columns(rows, pivots, width)
    others = [column for column in range(width) if column not in pivots]
    assert len(combination) == len(pivots)
    for row in matrix:
        for place, column in enumerate(others):
            assert row[column] == sum((combination[k][place] * row[p] for k, p in enumerate(pivots)), mpq(0))


@strategies.examples(150)
@given(strategies.integer_matrices(), st.data())
def test_solved_combination(matrix: Matrix, data: st.DataObject) -> None:
    """λ with Σ λ_j row_j = target is found exactly if there is one, else None."""
    rows = [matrix[i] for i in oracle.pivot_columns([list(c) for c in zip(*fractions(matrix), strict=True)])]
    numbers = st.fractions(-3, 3, max_denominator=4)
    width = len(matrix[0])
    if data.draw(st.booleans()):
        multipliers = [data.draw(numbers) for _ in rows]
        target = [
            sum((m * row[c] for m, row in zip(multipliers, rows, strict=True)), Fraction(0)) for c in range(width)
        ]
    else:
        target = [data.draw(numbers) for _ in range(width)]
    expected = oracle.combination(fractions(rows), target) if rows else ([] if not any(target) else None)
    found = linear.solve_combination(to_mpz_rows(rows), [mpq(t.numerator, t.denominator) for t in target])
    assert (None if found is None else [oracle.to_fraction(value) for value in found]) == expected


@strategies.examples(120)
@given(strategies.integer_matrices(), st.data())
def test_solved_rows(matrix: Matrix, data: st.DataObject) -> None:
    """The returned d has row_j · d = right_j and is 0 outside the pivot columns."""
    rows = [matrix[i] for i in oracle.pivot_columns([list(c) for c in zip(*fractions(matrix), strict=True)])]
    assume(rows)
    right = [data.draw(st.fractions(-3, 3, max_denominator=4)) for _ in rows]
    direction = linear.solve_rows(to_mpz_rows(rows), [mpq(r.numerator, r.denominator) for r in right])
    found = [oracle.to_fraction(value) for value in direction]
    assert [oracle.dot(row, found) for row in fractions(rows)] == right
    pivots = oracle.pivot_columns(fractions(rows))
    assert not any(value for column, value in enumerate(found) if column not in pivots)


@strategies.examples(150)
@given(strategies.integer_matrices(), st.data())
def test_projection(matrix: Matrix, data: st.DataObject) -> None:
    """The part orthogonal to the rows: orthogonal, the rest in their span, a positive multiple, no common factor."""
    rows = [matrix[i] for i in oracle.pivot_columns([list(c) for c in zip(*fractions(matrix), strict=True)])]
    width = len(matrix[0])
    vector = data.draw(st.lists(entries, min_size=width, max_size=width))
    part = [int(value) for value in linear.project_out(to_mpz_rows(rows), to_mpz(vector))]
    assert all(sum(a * b for a, b in zip(row, part, strict=True)) == 0 for row in rows)
    if not any(part):
        assert oracle.rank(fractions([*rows, vector])) == len(rows)
        return
    assert gcd(*part) == 1
    # v = part / factor + rest with part ⊥ rest, so v·part = part·part / factor
    factor = Fraction(sum(p * p for p in part), sum(a * b for a, b in zip(part, vector, strict=True)))
    assert factor > 0
    rest = [a - p / factor for a, p in zip(vector, part, strict=True)]
    assert oracle.rank([*fractions(rows), rest]) == len(rows)


@strategies.examples(80)
@given(st.lists(st.fractions(-9, 9, max_denominator=12), max_size=5))
def test_to_integers(values: list[Fraction]) -> None:
    """Integers over the least common denominator are the given rationals."""
    integers, denominator = linear.to_integers([mpq(v.numerator, v.denominator) for v in values])
    assert [Fraction(int(a), int(denominator)) for a in integers] == values
    assert denominator == linear.common_denominator([mpq(v.numerator, v.denominator) for v in values])
    assert gcd(int(denominator), *map(int, integers)) == 1
