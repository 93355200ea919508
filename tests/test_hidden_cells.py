"""Cells of one unit: all dichotomies, their number and their size; against brute force and closed formulas."""

import itertools
from fractions import Fraction
from math import comb

import pytest
from gmpy2 import mpq
from hypothesis import given
from hypothesis import strategies as st
from ppl import Linear_Expression, NNC_Polyhedron
from strategies import examples

from exactdrl.exact.program import BoundedForms
from exactdrl.hidden_cells.cone import Cone, ConeTooLargeError, split_cone
from exactdrl.hidden_cells.count import count_cells, general_count, least_count
from exactdrl.hidden_cells.dichotomies import cell_of, cells, half_of_cells
from exactdrl.hidden_cells.inradius import find_inradius
from exactdrl.hidden_cells.measure import gaussian_measure
from exactdrl.hidden_cells.samples import Samples
from exactdrl.hidden_cells.survey import count_unit_cells, survey_cells


def to_samples(rows, has_bias=True):
    return Samples.create([[mpq(Fraction(x)) for x in row] for row in rows], has_bias=has_bias)


def is_pattern(samples, bits):
    """Whether some weights have a pattern: a polyhedron with strict inequalities is not empty, by PPL."""
    found = NNC_Polyhedron(samples.dimension)
    for bit, row in zip(bits, samples.rows, strict=True):
        if any(row):
            value = Linear_Expression([int(entry) for entry in row], 0)
            found.add_constraint(value > 0 if bit == "1" else value < 0)
    return not found.is_empty()


def brute_force(samples):
    """All patterns, by trying each."""
    options = ["01" if any(row) else "0" for row in samples.rows]
    return {"".join(bits) for bits in itertools.product(*options) if is_pattern(samples, bits)}


def patterns_of(samples):
    return [cell.pattern for cell in cells(samples)]


@st.composite
def degenerate_rows(draw):
    """Few short samples with repetitions, opposites, zeros and collinear points."""
    width = draw(st.integers(1, 3))
    rows = draw(st.lists(st.lists(st.integers(-2, 2), min_size=width, max_size=width), min_size=1, max_size=6))
    return rows, draw(st.booleans())


@examples(60)
@given(degenerate_rows())
def test_cells_are_those_of_brute_force(case):
    """Degenerate, repeated, opposite and zero samples: the patterns, and the recursion, are what trying all gives."""
    rows, has_bias = case
    samples = to_samples(rows, has_bias)
    found = patterns_of(samples)
    assert len(found) == len(set(found))
    assert set(found) == brute_force(samples)
    assert len(found) == count_cells(samples)


@pytest.mark.parametrize(("count", "width"), [(1, 1), (7, 1), (8, 2), (7, 3), (6, 4)])
def test_general_position(count, width):
    """On the moment curve any m samples are independent, and the number is Cover's."""
    samples = to_samples([[t**power for power in range(1, width + 1)] for t in range(count)])
    cover = 2 * sum(comb(count - 1, size) for size in range(width + 1))
    assert len(patterns_of(samples)) == count_cells(samples) == general_count(count, width + 1) == cover


@examples(40)
@given(degenerate_rows())
def test_bounds_of_the_count(case):
    """The least and the greatest number that are told without the recursion are bounds."""
    samples = to_samples(*case)
    told = count_unit_cells(samples, budget=0)
    assert told.least <= count_cells(samples) <= told.most


def test_the_recursion_has_a_budget():
    """A count beyond the budget is None, and the bounds are told instead."""
    samples = to_samples([[t, t * t, t**3] for t in range(12)])
    assert count_cells(samples, budget=50) is None
    told = count_unit_cells(samples, budget=50)
    assert told.exact is None
    assert told.least == max(24, 16)
    assert told.most == count_cells(samples)


@examples(40)
@given(degenerate_rows())
def test_witness_and_largest_ball(case):
    """The center has the pattern; the ball is in cell and box; the multipliers bound every other ball."""
    samples = to_samples(*case)
    for cell, ball in survey_cells(samples):
        for sample in range(len(samples.rows)):
            x = samples.vector(sample)
            value = sum(a * b for a, b in zip(x, ball.center, strict=True))
            side = 1 if cell.pattern[sample] == "1" else -1
            assert not any(x) or side * value >= ball.radius * sum(map(abs, x))
        assert all(abs(entry) + ball.radius <= 1 for entry in ball.center)
        assert 0 < ball.radius <= 1
        z = [mpq(0)] * samples.dimension
        weight = mpq(0)
        for plane, y in ball.multipliers:
            assert y > 0
            z = [a + y * cell.sides[plane] * b for a, b in zip(z, samples.planes[plane], strict=True)]
            weight += y * sum(map(abs, samples.planes[plane]))
        size = sum(map(abs, z))
        assert ball.radius == (size / (size + weight) if samples.planes else 1)


def test_an_enumeration_goes_on_where_it_stopped():
    """Behind each cell of the half the sequence is what is left of it."""
    samples = to_samples([[0, 1], [1, 1], [2, -1], [2, -1], [0, 0]])
    whole = [cell.pattern for cell in half_of_cells(samples)]
    for place, pattern in enumerate(whole):
        assert [cell.pattern for cell in half_of_cells(samples, pattern)] == whole[place + 1 :]


@examples(30)
@given(degenerate_rows())
def test_a_survey_goes_on_behind_any_cell(case):
    """Behind each cell, first or opposite of a pair, comes what is left of the whole sequence, with the same balls."""
    samples = to_samples(*case)
    whole = [(cell.pattern, ball) for cell, ball in survey_cells(samples)]
    for place in range(0, len(whole), 3):
        rest = [(cell.pattern, ball) for cell, ball in survey_cells(samples, after=whole[place][0])]
        assert [pattern for pattern, _ in rest] == [pattern for pattern, _ in whole[place + 1 :]]
        assert [ball.radius for _, ball in rest] == [ball.radius for _, ball in whole[place + 1 :]]


def test_a_budget_cuts_the_survey():
    """The survey ends after as many cells as its budget allows, odd or even, and not before."""
    samples = to_samples([[0], [1], [2]])
    whole = [cell.pattern for cell, _ in survey_cells(samples)]
    assert len(whole) == 6
    for budget in range(8):
        assert [cell.pattern for cell, _ in survey_cells(samples, budget=budget)] == whole[:budget]


def test_cell_of_a_pattern():
    """A pattern's cell is found without enumerating, and a pattern that no weights have is None."""
    samples = to_samples([[-1], [0], [1]])
    assert cell_of(samples, "110").pattern == "110"
    assert cell_of(samples, "101") is None
    repeated = to_samples([[1], [1]])
    assert cell_of(repeated, "10") is None


def test_zero_samples_bound_no_cell():
    """Without a bias a zero input has bit 0, and all-zero data have one cell, the whole space with radius 1."""
    assert sorted(patterns_of(to_samples([[0, 0], [1, 0]], has_bias=False))) == ["00", "01"]
    samples = to_samples([[0], [0]], has_bias=False)
    assert patterns_of(samples) == ["00"]
    ((_, ball),) = survey_cells(samples)
    assert (ball.radius, ball.multipliers) == (1, ())


def test_measures_of_the_plane():
    """The shares of three samples on a line with bias: 1/4 for the two constant patterns, 1/8 for the others."""
    samples = to_samples([[-1], [0], [1]])
    shares = {cell.pattern: gaussian_measure(cell.cone) for cell in cells(samples)}
    eighth, quarter = (mpq(1, 8), mpq(1, 8)), (mpq(1, 4), mpq(1, 4))
    assert shares == {"111": quarter, "000": quarter, "110": eighth, "100": eighth, "011": eighth, "001": eighth}


def test_measures_add_up():
    """The enclosures of all cells of the plane have 1 between their sums, and are narrow."""
    samples = to_samples([[-3], [0], [2], [7], [Fraction(1, 3)]])
    bounds = [gaussian_measure(cell.cone) for cell in cells(samples)]
    assert sum(low for low, _ in bounds) <= 1 <= sum(high for _, high in bounds)
    assert all(low <= high < low + mpq(1, 2**80) for low, high in bounds)
    assert gaussian_measure(next(cells(to_samples([[1, 0]]))).cone) == (mpq(1, 2), mpq(1, 2))
    assert gaussian_measure(next(cells(to_samples([[1, 0], [0, 1], [1, 1]]))).cone) is None


def test_a_cone_with_too_many_rays_is_refused():
    """The cut of a cone over a cross-polytope of high dimension would compare too many rays: it is refused, no hang."""
    dimension = 12
    rows = [[*(side * (place == k) for place in range(dimension)), 1] for k in range(dimension) for side in (1, -1)]
    samples = to_samples([*rows, list(range(1, dimension + 2))], has_bias=False)
    with pytest.raises(ConeTooLargeError):
        for _ in half_of_cells(samples):
            pass


def test_parts_of_a_cone_that_a_hyperplane_only_touches():
    """A hyperplane that touches a cone in a ray cuts nothing off."""
    quadrant = Cone.whole(2)
    for index, row in enumerate(([1, 0], [0, 1])):
        quadrant = split_cone(quadrant, row, index)[1]
    below, above = split_cone(quadrant, [1, 0], 2)
    assert below is None
    assert set(above.rays) == {(1, 0), (0, 1)}


@examples(30)
@given(degenerate_rows(), st.permutations(range(6)), st.integers(1, 3))
def test_permuted_and_scaled_samples(case, order, factor):
    """Permuting samples permutes the bits; scaling by positive numbers changes nothing."""
    rows, has_bias = case
    order = [place for place in order if place < len(rows)]
    found = sorted("".join(pattern[k] for k in order) for pattern in patterns_of(to_samples(rows, has_bias)))
    moved = [[factor * x for x in [*rows[k], 1][: len(rows[k]) + has_bias]] for k in order]
    assert sorted(patterns_of(to_samples(moved, has_bias=False))) == found


def test_least_count():
    """The bounds below: 2 · planes from rank 2 on, 2^rank, and 1 for nothing."""
    assert [least_count(*case) for case in [(0, 0), (1, 1), (5, 2), (3, 3), (5, 4)]] == [1, 2, 10, 8, 16]


def test_largest_ball_by_a_full_program():
    """The ball found with the facets alone is that of the program with all hyperplanes."""
    samples = to_samples([[-3, 1], [0, 2], [2, 2], [7, -1], [1, 1], [1, -2]])
    for cell in cells(samples):
        rows = [
            [*(side * x for x in plane), -sum(map(abs, plane))]
            for plane, side in zip(samples.planes, cell.sides, strict=True)
        ]
        count = len(rows)
        rows += [[*(s * (a == b) for b in range(3)), 1] for a in range(3) for s in (1, -1)] + [[0, 0, 0, 1]]
        program = BoundedForms([[mpq(x).numerator for x in row] for row in rows], 4)
        for form in range(count):
            program.set_bounds(4 + form, mpq(0), None)
        for form in range(count, len(rows) - 1):
            program.set_bounds(4 + form, None, mpq(1))
        assert program.maximize(4 + len(rows) - 1).value == find_inradius(samples, cell).radius
