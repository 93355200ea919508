"""Global minima of small networks: published values, an exhaustive search by another way, and the proof's parts."""

import itertools

import pytest
from gmpy2 import mpq
from hypothesis import given
from hypothesis import strategies as st
from strategies import examples
from test_cell_judge import problems, to_setting

from exactdrl.hidden_cells.branch import BoundLeaf, GlobalMinimum, GlobalUndecided, TwinLeaf, find_global_minimum
from exactdrl.hidden_cells.conic import fit_absolute, fit_squared
from exactdrl.hidden_cells.dichotomies import cells
from exactdrl.hidden_cells.setting import Setting

W1 = ([-1, "-3/5", "-1/10", "3/10", "7/10"], ["28/100", "-1/10", "3/100", "23/100", "-22/100"])
B = (["-3/4", "-1/2", "1/8"], ["11/10", "1/10", "4/5"])
BUMP = (range(1, 8), [0, 0, 0, 1, 0, 0, 0])


@pytest.mark.parametrize(
    ("data", "units", "mean"),
    [(W1, 1, "561/25000"), (W1, 2, "319/25000"), (W1, 3, "1/500"), (W1, 4, "0"), (B, 1, "512/2925"), (B, 2, "0")],
)
def test_published_values(data, units, mean):
    """W1 and B: the means of squares by width."""
    setting = to_setting(*data, units=units)
    found = find_global_minimum(setting)
    assert isinstance(found, GlobalMinimum)
    assert found.loss == mpq(mean) * len(setting.targets) == setting.loss_of(found.network)


def test_bump():
    """The LAD line of the bump is a global minimum at width 2 with an output bias; at width 3 the bump is fitted."""
    losses = [
        find_global_minimum(to_setting(*BUMP, units=units, loss="absolute", has_output_bias=True)).loss
        for units in (1, 2, 3)
    ]
    assert losses == [1, 1, 0]


def exhaustive(setting):
    """The least of all conic fits over all choices of cells and signs of the units, by the cells' rays."""
    fit = fit_squared if setting.loss == "squared" else fit_absolute
    columns_of = []
    for cell in cells(setting.samples):
        for sign in (1, -1):
            columns, free = [], []
            for number, ray in enumerate((*cell.cone.lines, *cell.cone.rays)):
                column = []
                for k, bit in enumerate(cell.pattern):
                    z = sum(a * b for a, b in zip(setting.samples.vector(k), ray, strict=True))
                    column.append(sign * setting.slope(bit) * z)
                columns.append(column)
                free.append(number < len(cell.cone.lines))
            columns_of.append((columns, free))
    best = None
    for chosen in itertools.combinations_with_replacement(columns_of, setting.units):
        columns = [column for part, _ in chosen for column in part]
        free = [flag for _, part in chosen for flag in part]
        if setting.has_output_bias:
            columns.append([mpq(1)] * len(setting.targets))
            free.append(True)
        value = fit(columns, free, setting.targets).value
        best = value if best is None else min(best, value)
    return best


@examples(40)
@given(problems(most=4))
def test_against_exhaustive_search(setting):
    """Branch and bound finds what trying every hidden cell and sign finds, and its network attains it."""
    found = find_global_minimum(setting)
    assert found.loss == setting.loss_of(found.network) == exhaustive(setting)


@examples(40)
@given(problems(most=4))
def test_leaves_prove_the_bound(setting):
    """The leaves' words are a tree's for each sign string, and every dual is a bound by its multipliers."""
    found = find_global_minimum(setting)
    assert isinstance(found, GlobalMinimum)
    for plus in range(setting.units + 1):
        signs = "+" * plus + "-" * (setting.units - plus)
        words = sorted(leaf.bits for leaf in found.leaves if leaf.signs == signs)
        assert sum(mpq(1, 2 ** len(word)) for word in words) == 1
        assert not any(b.startswith(a) for a, b in itertools.pairwise(words))
    for leaf in found.leaves:
        if isinstance(leaf, TwinLeaf):
            assert leaf.signs[leaf.unit] == leaf.signs[leaf.unit + 1]
        if isinstance(leaf, BoundLeaf):
            e, y = leaf.dual, setting.targets
            pairs = list(zip(e, y, strict=True))
            square = setting.loss == "squared"
            assert -sum(a * (2 * b + a) if square else a * b for a, b in pairs) >= found.loss
            assert square or max(map(abs, e)) <= 1
            assert not setting.has_output_bias or sum(e) == 0


@st.composite
def fits(draw):
    count = draw(st.integers(1, 4))
    column = st.lists(st.integers(-2, 2).map(mpq), min_size=count, max_size=count)
    columns = draw(st.lists(column, max_size=5))
    free = draw(st.lists(st.booleans(), min_size=len(columns), max_size=len(columns)))
    return columns, free, draw(column)


@examples(150)
@given(fits())
def test_conic_fits(case):
    """Coefficients and dual satisfy the optimality conditions, and both say the same value."""
    columns, free, goals = case
    for fit in (fit_squared, fit_absolute):
        found = fit(columns, free, goals)
        residuals = [-y for y in goals]
        for c, column in zip(found.coefficients, columns, strict=True):
            residuals = [r + c * a for r, a in zip(residuals, column, strict=True)]
        slopes = [sum(e * a for e, a in zip(found.dual, column, strict=True)) for column in columns]
        for c, is_free, slope in zip(found.coefficients, free, slopes, strict=True):
            assert slope == 0 if is_free else slope >= 0 and c >= 0
        if fit is fit_squared:
            assert found.value == sum(r * r for r in residuals)
            assert found.value == -sum(e * (2 * y + e) for e, y in zip(found.dual, goals, strict=True))
        else:
            assert found.value == sum(map(abs, residuals))
            assert found.value == -sum(e * y for e, y in zip(found.dual, goals, strict=True))
            assert max(map(abs, found.dual), default=0) <= 1


def test_a_budget_leaves_bounds():
    """With a small budget the answer is an interval that holds the minimum, and a network at its upper end."""
    setting = to_setting(*W1, units=2)
    found = find_global_minimum(setting, budget=30)
    assert isinstance(found, GlobalUndecided)
    assert found.bound <= mpq(319, 5000) <= found.loss == setting.loss_of(found.network)
    assert found.bound < found.loss


@examples(20)
@given(problems(most=4), st.permutations(range(4)))
def test_order_of_samples(setting, order):
    """Permuting samples does not change the minimum; scaling targets by 2 scales it."""
    order = [k for k in order if k < len(setting.targets)]
    moved = Setting.create(
        [setting.inputs[k] for k in order],
        [2 * setting.targets[k] for k in order],
        units=setting.units,
        loss=setting.loss,
        slopes=setting.slopes,
        has_bias=setting.has_bias,
        has_output_bias=setting.has_output_bias,
    )
    factor = 4 if setting.loss == "squared" else 2
    assert find_global_minimum(moved).loss == factor * find_global_minimum(setting).loss
