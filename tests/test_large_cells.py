"""Hidden cells of large integer data against the judge of small ones; exact patterns of float weights."""

import numpy as np
import pytest
from gmpy2 import mpq
from hypothesis import given
from hypothesis import strategies as st
from strategies import examples

from exactdrl.exact.rationals import InputError
from exactdrl.hidden_cells.dichotomies import cells
from exactdrl.hidden_cells.judge import judge_cell
from exactdrl.hidden_cells.large import EmptyCell, GenuineCell, LargeData, OpenCell, exact_pattern
from exactdrl.hidden_cells.setting import Setting


@st.composite
def integer_problems(draw):
    width, count = draw(st.integers(1, 3)), draw(st.integers(1, 7))
    rows = draw(st.lists(st.lists(st.integers(-3, 3), min_size=width, max_size=width), min_size=count, max_size=count))
    if not any(map(any, rows)):
        rows[0][0] = 1
    return rows, draw(st.lists(st.integers(-3, 3), min_size=count, max_size=count)), draw(st.integers(1, 3))


@examples(150)
@given(integer_problems(), st.data())
def test_agrees_with_the_judge(case, data):
    """What is decided is what the judge decides, and a full-rank cell is always decided."""
    rows, targets, units = case
    setting = Setting.create(
        [[mpq(x) for x in row] for row in rows], [mpq(y) for y in targets], units=units, has_bias=False
    )
    names = sorted({cell.pattern for cell in cells(setting.samples)})
    patterns = [data.draw(st.sampled_from(names)) for _ in range(units)]
    large = LargeData(np.array(rows), np.array(targets))
    found = large.decide([np.array([bit == "1" for bit in pattern]) for pattern in patterns])
    judged = judge_cell(setting, patterns)
    match found:
        case GenuineCell(signs):
            assert any(
                all(a in (b, "*") or b == "*" for a, b in zip(signs, choice.signs, strict=True))
                for choice in judged.feasible
            )
        case EmptyCell(unit, samples):
            assert not judged.is_genuine
            assert 0 <= unit < units
            assert all(any(rows[sample]) for sample in samples)
        case OpenCell(freedom):
            assert freedom > 0


def test_cells_are_decided_all_three_ways():
    """A dead cell, an empty one and a genuine one of the data W1, scaled to integers."""
    inputs = np.array([[-10, 10], [-6, 10], [-1, 10], [3, 10], [7, 10]])
    data = LargeData(inputs, np.array([28, -10, 3, 23, -22]))

    def decide(*patterns):
        return data.decide([np.array([bit == "1" for bit in pattern]) for pattern in patterns])

    assert decide("00000") == GenuineCell("*")
    assert decide("11111") != GenuineCell("+")
    assert isinstance(decide("11111"), EmptyCell)
    assert isinstance(decide("11000"), EmptyCell)
    assert decide("11111", "11111") == GenuineCell("+-")
    assert decide("10000", "10000") == GenuineCell("+-")


def test_targets_that_are_0_where_a_unit_is_on():
    """Then V = 0 is a minimum, inside the cell by an outer weight 0."""
    data = LargeData(np.array([[1, 0], [0, 1], [-1, -1]]), np.array([0, 0, 5]))
    assert data.decide([np.array([True, True, False])]) == GenuineCell("0")
    mixed = data.decide([np.array([True, True, False]), np.array([False, False, False])])
    assert mixed == GenuineCell("0*")


@examples(40)
@given(integer_problems(), st.integers(2, 5), st.integers(2, 5))
def test_scaled_settings(case, one, two):
    """Data with fractions are scaled to integers, and decided as the integers are."""
    rows, targets, _ = case
    setting = Setting.create(
        [[mpq(x, one) for x in row] for row in rows], [mpq(y, two) for y in targets], units=1, has_bias=False
    )
    large, plain = LargeData.from_setting(setting), LargeData(np.array(rows), np.array(targets))
    for cell in cells(setting.samples):
        bits = [np.array([bit == "1" for bit in cell.pattern])]
        assert type(large.decide(bits)) is type(plain.decide(bits))


def test_other_settings_are_refused():
    """Absolute loss, an output bias and other slopes are refused."""
    for options in ({"loss": "absolute"}, {"has_output_bias": True}, {"slopes": (mpq(1, 2), mpq(1))}):
        with pytest.raises(InputError, match="squared loss, ReLU"):
            LargeData.from_setting(Setting.create([[mpq(1)]], [mpq(1)], **options))
    with pytest.raises(InputError, match="too large"):
        LargeData.from_setting(Setting.create([[mpq(2) ** 70]], [mpq(1)]))


def test_too_large_data_are_refused():
    """Sums that could leave 64-bit integers are refused."""
    with pytest.raises(InputError, match="too large"):
        LargeData(np.array([[2**32]]), np.array([1]))


@examples(100)
@given(
    st.lists(st.lists(st.integers(-20, 20), min_size=3, max_size=3), min_size=1, max_size=5),
    st.lists(st.floats(-8, 8), min_size=3, max_size=3)
    | st.lists(st.sampled_from([0.1, 0.2, 0.3, -0.3, 5e-324, -0.0]), min_size=3, max_size=3),
)
def test_exact_patterns(rows, weights):
    """The signs are those of rationals, also where float sums are 0 or tiny."""
    signs = exact_pattern(np.array(rows), np.array(weights))
    for row, sign in zip(rows, signs, strict=True):
        exact = sum(x * mpq(w) for x, w in zip(row, weights, strict=True))
        assert sign == (exact > 0) - (exact < 0)


def test_a_float_sum_that_lies():
    """0.1 + 0.2 - 0.3 is not 0 in floats that mean what they are; nor is it what the float sum says."""
    weights = np.array([0.1, 0.2, -0.3])
    exact = mpq(0.1) + mpq(0.2) - mpq(0.3)
    assert exact_pattern(np.array([[1, 1, 1]]), weights)[0] == (exact > 0) - (exact < 0)
    assert exact_pattern(np.array([[3, 0, 1]]), weights)[0] == (3 * mpq(0.1) > mpq(0.3)) - (3 * mpq(0.1) < mpq(0.3))
