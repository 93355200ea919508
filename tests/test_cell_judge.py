"""Liu's judge against published tables, exhaustive programs on tiny data, and the laws it has to keep."""

import itertools
from fractions import Fraction

import pytest
from gmpy2 import mpq
from hypothesis import given
from hypothesis import strategies as st
from ppl import Linear_Expression, NNC_Polyhedron
from strategies import examples

from exactdrl.exact.rationals import InputError
from exactdrl.hidden_cells import judge
from exactdrl.hidden_cells.dichotomies import cells
from exactdrl.hidden_cells.farkas import Farkas
from exactdrl.hidden_cells.judge import judge_cell
from exactdrl.hidden_cells.relaxation import fit, relax
from exactdrl.hidden_cells.setting import Setting
from exactdrl.hidden_cells.survey import best_network, draw_cells, judge_cells, judge_chosen, survey_cells
from exactdrl.hidden_cells.unique import decide_unique

# x = -1, 0, 1 with y = -1, 1, 1: patterns, ½SSE, sign choices of the squared loss, LAD optimum
TABLE = [
    ("111", "111", "1/3", "+- -+", 1),
    ("111", "110", "0", "+-", 0),
    ("111", "100", "0", "+-", 0),
    ("111", "011", "0", "", 0),
    ("111", "001", "0", "", 0),
    ("111", "000", "1/3", "", 1),
    ("110", "110", "1/2", "+- -+", 1),
    ("110", "100", "1/2", "+-", 1),
    ("110", "011", "0", "", 0),
    ("110", "001", "0", "", 0),
    ("110", "000", "1/2", "", 1),
    ("100", "100", "1", "+- -+ -- -0 0-", 2),
    ("100", "011", "0", "", 0),
    ("100", "001", "1/2", "-+", 1),
    ("100", "000", "1", "-*", 2),
    ("011", "011", "1/2", "+- -+", 1),
    ("011", "001", "1/2", "+-", 1),
    ("011", "000", "1/2", "", 1),
    ("001", "001", "1", "++ +- -+ +0 0+", 2),
    ("001", "000", "1", "+*", 2),
    ("000", "000", "3/2", "**", 3),
]


def to_setting(inputs, targets, **options):
    rows = [[mpq(Fraction(x)) for x in (row if isinstance(row, (list, tuple)) else [row])] for row in inputs]
    return Setting.create(rows, [mpq(Fraction(y)) for y in targets], **options)


def judge_all(setting):
    found = [(cell.pattern, ball.center) for cell, ball in survey_cells(setting.samples)]
    return list(judge_cells(setting, found))


@pytest.mark.parametrize("case", TABLE, ids=lambda case: f"{case[0]} {case[1]}")
def test_table_of_two_units(case):
    """x = -1, 0, 1 and y = -1, 1, 1: values and sign choices of all 21 hidden cells, for both losses."""
    first, second, half, signs, lad = case
    for loss in ("squared", "absolute"):
        judged = judge_cell(to_setting([-1, 0, 1], [-1, 1, 1], units=2, loss=loss), [first, second])
        value = 2 * Fraction(half) if loss == "squared" else lad
        assert judged.relaxation.value == value
        assert {choice.signs for choice in judged.feasible} == set(signs.split())


def test_table_is_all_hidden_cells():
    """The judge of all hidden cells gives the table's, in its order, and the two valleys that only an exchange joins."""
    setting = to_setting([-1, 0, 1], [-1, 1, 1], units=2)
    found = judge_all(setting)
    assert [cell.judged.patterns for cell in found] == [case[:2] for case in TABLE]
    first = found[0].judged
    assert (len(first.valleys), len(first.classes), first.dimension) == (2, 1, 4)
    assert all(len(cell.judged.classes) == 1 for cell in found if cell.judged.is_genuine)
    assert best_network(found, setting)[0] == 0


def test_one_unit_on_w1():
    """Data W1: genuine minima are 10000, 00001 and the dead unit's alone."""
    targets = ["28/100", "-1/10", "3/100", "23/100", "-22/100"]
    found = judge_all(to_setting([-1, "-3/5", "-1/10", "3/10", "7/10"], targets))
    assert len(found) == 10
    genuine = {c.judged.patterns[0]: c.judged.relaxation.value / 5 for c in found if c.judged.is_genuine}
    assert genuine == {"10000": mpq(561, 25000), "00001": mpq(711, 25000), "00000": mpq(953, 25000)}


def test_one_unit_on_b():
    """Data B: all six cells have genuine minima, with these means of squares."""
    found = judge_all(to_setting(["-3/4", "-1/2", "1/8"], ["11/10", "1/10", "4/5"]))
    means = {c.judged.patterns[0]: Fraction(str(c.judged.relaxation.value)) / 3 for c in found if c.judged.is_genuine}
    expected = {"100": "13/60", "001": "61/150", "011": "121/300", "111": "512/2925", "110": "16/75", "000": "31/50"}
    assert means == {pattern: Fraction(value) for pattern, value in expected.items()}


def enclose_optimum(matrix, targets):
    """The least Σ |r| by trying every set of rows that is interpolated, and the best constant-rank fit."""
    width = len(matrix[0])
    best = None
    for size in range(width + 1):
        for rows in itertools.combinations(range(len(matrix)), size):
            point = interpolate([matrix[k] for k in rows], [targets[k] for k in rows], width)
            if point is not None:
                value = sum(
                    abs(sum(a * v for a, v in zip(row, point, strict=True)) - y)
                    for row, y in zip(matrix, targets, strict=True)
                )
                best = value if best is None else min(best, value)
    return best


def interpolate(rows, values, width):
    """A point with row · point = value, 0 in the columns that are free; None if there is none."""
    rows = [[Fraction(str(a)) for a in row] + [Fraction(str(v))] for row, v in zip(rows, values, strict=True)]
    pivots = []
    for column in range(width):
        place = next((k for k in range(len(pivots), len(rows)) if rows[k][column]), None)
        if place is None:
            continue
        rows[len(pivots)], rows[place] = rows[place], rows[len(pivots)]
        lead = rows[len(pivots)]
        rows[len(pivots)] = lead = [entry / lead[column] for entry in lead]
        rows = [row if row is lead else [a - row[column] * b for a, b in zip(row, lead, strict=True)] for row in rows]
        pivots.append(column)
    if any(row[width] for row in rows[len(pivots) :]):
        return None
    point = [Fraction(0)] * width
    for row, column in zip(rows, pivots, strict=False):
        point[column] = row[width]
    return point


@st.composite
def problems(draw, most=5):
    """Tiny settings, often degenerate."""
    width = draw(st.integers(1, 2))
    count = draw(st.integers(1, most))
    rows = draw(st.lists(st.lists(st.integers(-2, 2), min_size=width, max_size=width), min_size=count, max_size=count))
    targets = draw(st.lists(st.integers(-2, 2), min_size=count, max_size=count))
    slopes = draw(st.sampled_from([(0, 1), (0, 1), (-1, 1), (mpq(1, 2), 1)]))
    return to_setting(
        rows,
        targets,
        units=draw(st.integers(1, 2)),
        loss=draw(st.sampled_from(["squared", "absolute"])),
        slopes=tuple(map(mpq, slopes)),
        has_bias=draw(st.booleans()),
        has_output_bias=draw(st.booleans()),
    )


def choose_patterns(draw, setting):
    names = sorted({cell.pattern for cell in cells(setting.samples)})
    return [draw(st.sampled_from(names)) for _ in range(setting.units)]


@examples(80)
@given(st.data())
def test_relaxation_is_optimal(data):
    """Squared: the normal equations; absolute: what trying all interpolations gives, and a strictly complementary dual."""
    setting = data.draw(problems())
    found = relax(setting, choose_patterns(data.draw, setting))
    columns = list(zip(*found.matrix, strict=True))
    assert all(sum(e * a for e, a in zip(found.dual, column, strict=True)) == 0 for column in columns)
    if setting.loss == "squared":
        assert found.dual == found.residuals
        assert found.value == sum(r * r for r in found.residuals)
    else:
        assert found.value == sum(map(abs, found.residuals)) == enclose_optimum(found.matrix, setting.targets)
        for e, r, tied in zip(found.dual, found.residuals, found.is_tied, strict=True):
            assert tied == (abs(e) < 1) == (r == 0)
            assert tied or e * r > 0


def is_feasible(setting, patterns, relaxation, signs):
    """The same question as one polyhedron with strict inequalities, by PPL: V is optimal and has the signs."""
    size, width = setting.samples.dimension, len(relaxation.variables)
    found = NNC_Polyhedron(width)

    def form(row, constant):
        common = 1
        for entry in [*row, constant]:
            common *= int(entry.denominator)
        return Linear_Expression([int(entry * common) for entry in row], int(constant * common))

    for unit, sign in enumerate(signs):
        for k, bit in enumerate(patterns[unit]):
            x = setting.samples.vector(k)
            row = [mpq(0)] * width
            row[unit * size : (unit + 1) * size] = x
            if sign in "+-" and any(x):
                expression = form(row, mpq(0))
                found.add_constraint(expression > 0 if (bit == "1") == (sign == "+") else expression < 0)
        if sign not in "+-":
            for place in range(size):
                row = [mpq(unit * size + place == column) for column in range(width)]
                found.add_constraint(form(row, mpq(0)) == 0)
    for k, e in enumerate(relaxation.dual):
        goal = setting.targets[k] + (relaxation.residuals[k] if setting.loss == "squared" else 0)
        expression = form(relaxation.matrix[k], -goal)
        if setting.loss == "squared" or abs(e) < 1:
            found.add_constraint(expression == 0)
        else:
            found.add_constraint(expression >= 0 if e > 0 else expression <= 0)
    return not found.is_empty()


@examples(80)
@given(st.data())
def test_every_sign_choice_is_decided_with_a_proof(data):
    """Each choice occurs once; a V has its signs and is optimal; Farkas multipliers cancel; a fresh program agrees."""
    setting = data.draw(problems())
    patterns = choose_patterns(data.draw, setting)
    judged = judge_cell(setting, patterns)
    relaxation, size = judged.relaxation, setting.samples.dimension
    kinds = ["*" if setting.is_dead(pattern) else "+-0" for pattern in patterns]
    answers = [choice.signs for choice in judged.feasible] + [signs for signs, _ in judged.infeasible]
    assert sorted(answers) == sorted(map("".join, itertools.product(*kinds)))
    for choice in judged.feasible:
        assert is_feasible(setting, patterns, relaxation, choice.signs)
        fits = [sum(a * v for a, v in zip(row, choice.variables, strict=True)) for row in relaxation.matrix]
        residuals = [f - y for f, y in zip(fits, setting.targets, strict=True)]
        assert setting.total(residuals) == relaxation.value
        for unit, sign in enumerate(choice.signs):
            v = choice.variables[unit * size : (unit + 1) * size]
            for k, bit in enumerate(patterns[unit]):
                x = setting.samples.vector(k)
                value = sum(a * b for a, b in zip(v, x, strict=True)) * {"+": 1, "-": -1}.get(sign, 0)
                assert not any(x) or sign not in "+-" or ((value > 0) == (bit == "1") and value)
            assert sign in "+-" or not any(v)
    for signs, farkas in judged.infeasible:
        assert not is_feasible(setting, patterns, relaxation, signs)
        check_farkas(setting, patterns, relaxation, signs, farkas)


def check_farkas(setting, patterns, relaxation, signs, farkas):
    """The conditions of proofs/CELLS.md, section 4."""
    goals = [
        y + (r if setting.loss == "squared" else 0) for y, r in zip(setting.targets, relaxation.residuals, strict=True)
    ]
    p = farkas.fits
    for e, entry, tied in zip(relaxation.dual, p, relaxation.is_tied, strict=True):
        assert tied or e * entry >= 0
    counts = False
    for unit, sign in enumerate(signs):
        side = {"+": 1, "-": -1}.get(sign, 0)
        assert all(entry >= 0 for entry in farkas.cones[unit])
        assert side or not any(farkas.cones[unit])
        total = [mpq(0)] * setting.samples.dimension
        for k, bit in enumerate(patterns[unit]):
            x = setting.samples.vector(k)
            factor = farkas.cones[unit][k] * side * (1 if bit == "1" else -1)
            factor += p[k] * (setting.slope(bit) if any(x) else 0)
            total = [t + factor * a for t, a in zip(total, x, strict=True)]
            counts |= bool(farkas.cones[unit][k] and any(x))
        assert not side or not any(total)
    assert not setting.has_output_bias or sum(p) == 0
    value = sum(a * b for a, b in zip(p, goals, strict=True))
    assert value > 0 or (value == 0 and counts)


@examples(40)
@given(st.data())
def test_a_unique_minimum_needs_no_programs(data):
    """Where the minimum is unique, its signs and the linear programs decide alike."""
    setting = data.draw(problems())
    patterns = choose_patterns(data.draw, setting)
    relaxation = relax(setting, patterns)
    found = decide_unique(setting, patterns, relaxation)
    if found is None:
        return
    other = dict(judge._decide(setting, patterns, judge._SignPrograms(setting, patterns, relaxation)))
    assert {k: isinstance(v, Farkas) for k, v in found.items()} == {k: isinstance(v, Farkas) for k, v in other.items()}


@examples(40)
@given(st.data())
def test_order_of_units_and_samples(data):
    """Exchanging units or samples exchanges the answer and nothing else."""
    setting = data.draw(problems())
    patterns = choose_patterns(data.draw, setting)
    judged = judge_cell(setting, patterns)
    signs = {choice.signs: choice.dimension for choice in judged.feasible}
    other = judge_cell(setting, patterns[::-1])
    assert {choice.signs[::-1]: choice.dimension for choice in other.feasible} == signs
    order = data.draw(st.permutations(range(len(setting.targets))))
    moved = Setting.create(
        [setting.inputs[k] for k in order],
        [setting.targets[k] for k in order],
        units=setting.units,
        loss=setting.loss,
        slopes=setting.slopes,
        has_bias=setting.has_bias,
        has_output_bias=setting.has_output_bias,
    )
    third = judge_cell(moved, ["".join(pattern[k] for k in order) for pattern in patterns])
    assert third.relaxation.value == judged.relaxation.value
    assert {choice.signs: choice.dimension for choice in third.feasible} == signs
    assert (len(third.valleys), len(third.classes)) == (len(judged.valleys), len(judged.classes))


@examples(40)
@given(st.data(), st.sampled_from([(1, 0, 0, 1), (2, 1, 1, 1), (0, 1, -1, 0), (3, 0, 0, -2)]))
def test_linear_maps_of_inputs(data, matrix):
    """An invertible linear map of inputs with two columns changes no verdict."""
    setting = data.draw(problems())
    if len(setting.inputs[0]) != 2:
        return
    patterns = choose_patterns(data.draw, setting)
    a, b, c, d = matrix
    moved = Setting.create(
        [(a * x + b * y, c * x + d * y) for x, y in setting.inputs],
        [3 * y for y in setting.targets],
        units=setting.units,
        loss=setting.loss,
        slopes=setting.slopes,
        has_bias=setting.has_bias,
        has_output_bias=setting.has_output_bias,
    )
    one, two = judge_cell(setting, patterns), judge_cell(moved, patterns)
    assert two.relaxation.value == one.relaxation.value * (9 if setting.loss == "squared" else 3)
    assert [(c.signs, c.dimension) for c in one.feasible] == [(c.signs, c.dimension) for c in two.feasible]


@examples(30)
@given(st.data())
def test_networks_at_minima(data):
    """The network at a genuine minimum lies in the cell and has the relaxation's loss."""
    setting = data.draw(problems(most=4))
    found = judge_all(setting)
    for cell in found:
        if cell.network is None:
            continue
        assert setting.loss_of(cell.network) == cell.judged.relaxation.value
        for weights, pattern in zip(cell.network.units, cell.judged.patterns, strict=True):
            for k, bit in enumerate(pattern):
                z = sum(a * b for a, b in zip(weights, setting.samples.vector(k), strict=True))
                assert (z > 0) == (bit == "1")


def test_the_branch_of_outer_weight_zero():
    """Pattern 100 twice: with one outer weight 0 the minimum stays, and joins the valleys of both signs."""
    judged = judge_cell(to_setting([-1, 0, 1], [-1, 1, 1], units=2), ["100", "100"])
    assert {choice.signs for choice in judged.feasible} >= {"-0", "0-", "--", "+-", "-+"}
    assert len(judged.valleys) == 1


def test_absolute_loss_has_more_local_minima():
    """One unit, x = (1,0), (0,1), y = 0, 1: outer weight 0 at w = (2,1) is a local minimum with loss 1, not the relaxation's."""
    setting = to_setting([[1, 0], [0, 1]], [0, 1], loss="absolute", has_bias=False)
    judged = judge_cell(setting, ["11"])
    assert judged.relaxation.value == 0
    # V = (0, 1) is the only optimum and has a preactivation 0: it is not inside the cell
    assert not judged.is_genuine
    at_zero, near = mpq(1), []
    for h in (mpq(1, 100), mpq(-1, 100)):
        for dx, dy in itertools.product((mpq(-1, 10), 0, mpq(1, 10)), repeat=2):
            w = (2 + dx, 1 + dy)
            near.append(abs(h * w[0]) + abs(h * w[1] - 1))
    assert min(near) >= at_zero
    assert abs(mpq(1, 10)) + abs(mpq(1) - 1) == mpq(1, 10)


def test_fit_without_columns_of_use():
    """A matrix of zeros has the constant 0 as its best fit, with any dual that complements it."""
    for loss in ("squared", "absolute"):
        found = fit([[mpq(0)], [mpq(0)]], [mpq(2), mpq(0)], loss)
        assert found.variables == (0,)
        assert found.value == (4 if loss == "squared" else 2)


def test_drawn_cells_are_cells():
    """Drawn weights have the pattern that is told, and the same seed draws the same."""
    setting = to_setting([[0, 1], [1, 1], [2, -1]], [1, 0, 2], units=2)
    drawn = list(draw_cells(setting, 20, seed=3))
    assert drawn == list(draw_cells(setting, 20, seed=3))
    names = {cell.pattern for cell in cells(setting.samples)}
    for chosen in drawn:
        assert {pattern for pattern, _ in chosen} <= names
        judge_chosen(setting, chosen)


def test_data_without_samples_or_inputs_are_refused():
    """No sample, or neither input nor bias, is refused."""
    with pytest.raises(InputError, match="no sample"):
        Setting.create([], [])
    with pytest.raises(InputError, match="no input column"):
        Setting.create([()], [mpq(1)], has_bias=False)
