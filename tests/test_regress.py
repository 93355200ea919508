"""Quantile regression: known fits, optima and faces against PPL, the path, laws, tables, estimators, commands."""

import json
import pickle
import random
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from importlib.resources import files
from itertools import pairwise
from math import lcm
from pathlib import Path

import numpy as np
import oracle
import pytest
import strategies
from exactdrl_cli.main import main
from gmpy2 import mpq
from hypothesis import assume, given
from hypothesis import strategies as st
from oracle import ZERO, Row
from ppl import C_Polyhedron, Constraint_System, Linear_Expression, Variable

from exactdrl.doors.datasets import TABLES, load_table
from exactdrl.exact.rationals import InputError
from exactdrl.front.estimators import ExactLAD, ExactQuantileRegressor
from exactdrl.front.regressed import RegressionResult, regress
from exactdrl.problem.instance import Instance
from exactdrl.regression.path import Piece, _in_order, simplest_between

LEVELS = [Fraction(1, 2), Fraction(1, 4), Fraction(2, 3), Fraction(9, 10)]


def csv_of(name: str) -> str:
    return str(files("statsmodels").joinpath("datasets", name, f"{name}.csv"))


# --- known fits ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "slope"),
    [
        ("1/4", "331957812504625/700180481312569"),
        ("1/2", "245420677098290/438109956813801"),
        ("3/4", "164616498284988/255610068509299"),
    ],
)
def test_engel(level: str, slope: str) -> None:
    """Food expenditure on income, decimals as written."""
    assert regress(csv_of("engel"), "foodexp", tau=level).coefficients["income"] == mpq(slope)


@pytest.mark.parametrize(
    ("level", "objective"),
    [("0.1", "36579/4280"), ("0.5", "7259/345"), ("0.75", "7541/464"), ("0.9", "18981/2270"), ("0.25", "133/8")],
)
def test_stackloss(level: str, objective: str) -> None:
    """Objectives on the stack loss data."""
    result = regress(csv_of("stackloss"), "STACKLOSS", tau=level)
    assert result.objective == mpq(objective)
    check(result)


def test_stackloss_is_degenerate() -> None:
    """At 1/4 eight residuals vanish: one basis of four of them looks as if the fit were no optimum, others prove it."""
    result = regress(csv_of("stackloss"), "STACKLOSS", tau="0.25")
    assert list(result.coefficients.values()) == [-36, mpq(1, 2), 1, 0]
    assert len(result.zero_rows) == 8
    assert result.is_degenerate
    assert result.is_unique
    # rows 13, 14, 17 and 19, counted from 0 or 1 they are four of the eight
    instance = result.fit.problem.instance
    basis = [13, 14, 17, 19] if {13, 14, 17, 19} <= set(result.fit.vanishing) else [12, 13, 16, 18]
    assert set(basis) <= set(result.fit.vanishing)
    rows = [[oracle.to_fraction(v) for v in instance.inputs[i]] for i in basis]
    inverse = oracle.inverse(rows)
    assert inverse is not None
    total = [ZERO] * 4
    for sample, residual in enumerate(result.residuals):
        slope = (residual < 0) - Fraction(1, 4) if residual else ZERO
        total = [t + slope * oracle.to_fraction(v) for t, v in zip(total, instance.inputs[sample], strict=True)]
    multipliers = [-oracle.dot(total, [row[k] for row in inverse]) for k in range(4)]
    assert not all(-Fraction(1, 4) <= m <= Fraction(3, 4) for m in multipliers)


# --- any data, against PPL -------------------------------------------------------------------------------------------


def check(result: RegressionResult) -> None:
    """Checks over Fractions that the dual solution proves the objective, and that the objective is the coefficients'."""
    instance, level = result.fit.problem.instance, oracle.to_fraction(result.level)
    rows = oracle.to_fractions(instance.inputs)
    targets = [y for (y,) in oracle.to_fractions(instance.targets)]
    weights = (
        [Fraction(1)] * len(rows) if instance.weights is None else [oracle.to_fraction(w) for w in instance.weights]
    )
    dual = [oracle.to_fraction(d) for d in result.dual]
    for d, w in zip(dual, weights, strict=True):
        assert w * (level - 1) <= d <= w * level
    for column in range(len(rows[0])):
        assert sum((d * row[column] for d, row in zip(dual, rows, strict=True)), ZERO) == 0
    objective = oracle.to_fraction(result.objective)
    assert oracle.dot(dual, targets) == objective
    fitted = [oracle.dot(row, [oracle.to_fraction(c or 0) for c in result.coefficients.values()]) for row in rows]
    residuals = [y - f for y, f in zip(targets, fitted, strict=True)]
    assert [oracle.to_fraction(r) for r in result.residuals] == residuals
    shares = (w * r * (level if r > 0 else level - 1) for w, r in zip(weights, residuals, strict=True))
    assert sum(shares, ZERO) == objective


def optimal_set(result: RegressionResult) -> C_Polyhedron:
    """Returns all optimal coefficients of the columns that are not aliased, by PPL from the objective's definition."""
    instance, level = result.fit.problem.instance, oracle.to_fraction(result.level)
    columns = result.fit.problem.pivots
    rows = [[row[c] for c in columns] for row in oracle.to_fractions(instance.inputs)]
    weights = (
        [Fraction(1)] * len(rows) if instance.weights is None else [oracle.to_fraction(w) for w in instance.weights]
    )
    n, system = len(columns), Constraint_System()
    for i, (row, (y,), w) in enumerate(zip(rows, oracle.to_fractions(instance.targets), weights, strict=True)):
        for slope in (w * level, w * (level - 1)):
            scale = lcm(*(v.denominator for v in [*row, y]), slope.denominator) ** 2
            own = [int(slope * v * scale) for v in row] + [scale * (k == i) for k in range(len(rows))]
            system.insert(Linear_Expression(own, -int(slope * y * scale)) >= 0)
    objective = oracle.to_fraction(result.objective)
    total = Linear_Expression([0] * n + [objective.denominator] * len(rows), -objective.numerator)
    system.insert(total <= 0)
    found = C_Polyhedron(system)
    found.remove_higher_space_dimensions(n)
    return found


@st.composite
def tables(draw: Callable, *, max_samples: int = 9) -> Instance:
    """Degenerate data with one target."""
    return draw(strategies.lad_problems(max_samples=max_samples, max_features=2, max_outputs=1))


def of(
    instance: Instance, level: Fraction, *, intercept: bool, weights: list[Fraction] | None = None
) -> RegressionResult:
    rows = [list(row) for row in instance.inputs]
    return regress(rows, [y for (y,) in instance.targets], tau=mpq(level), intercept=intercept, weights=weights)


weights_of = st.sampled_from([Fraction(0), Fraction(1), Fraction(2), Fraction(1, 3)])


@strategies.examples(80)
@given(tables(), st.sampled_from(LEVELS), st.booleans(), st.data())
def test_all_optimal_coefficients(instance: Instance, level: Fraction, intercept: bool, data: st.DataObject) -> None:
    """The fit is proved by its dual; the face has PPL's dimension, and each coefficient PPL's range on it."""
    count = len(instance.inputs)
    weights = data.draw(st.none() | st.lists(weights_of, min_size=count, max_size=count))
    assume(weights is None or any(weights))
    result = of(instance, level, intercept=intercept, weights=weights)
    check(result)
    found = optimal_set(result)
    assert not found.is_empty()
    assert result.dimension == found.affine_dimension()
    assert result.is_unique == (found.affine_dimension() == 0)
    for place, column in enumerate(result.fit.problem.pivots):
        ends = result.ranges[result.names[column]]
        assert ends is not None
        goal = Linear_Expression(Variable(place))
        highest, lowest = found.maximize(goal), found.minimize(goal)
        assert ends[1] == mpq(int(highest["sup_n"]), int(highest["sup_d"]))
        assert ends[0] == mpq(int(lowest["inf_n"]), int(lowest["inf_d"]))


@strategies.examples(60)
@given(tables(max_samples=12), st.sampled_from(LEVELS))
def test_quantile_property(instance: Instance, level: Fraction) -> None:
    """With an intercept at most τ N residuals are negative, and at most (1 - τ) N positive."""
    result = of(instance, level, intercept=True)
    count = len(result.residuals)
    assert sum(r < 0 for r in result.residuals) <= level * count
    assert sum(r > 0 for r in result.residuals) <= (1 - level) * count
    assert len(result.fit.vanishing) >= result.fit.problem.rank


@strategies.examples(40)
@given(tables(), st.sampled_from(LEVELS), st.integers(0, 10**6))
def test_equivariance(instance: Instance, level: Fraction, seed: int) -> None:
    """Scaled, reflected and shifted targets, and recombined columns, have the same objective but for the scale."""
    source = random.Random(seed)
    rows, targets = oracle.to_fractions(instance.inputs), [y for (y,) in oracle.to_fractions(instance.targets)]
    scale, shift = Fraction(source.randint(1, 9), 7), [Fraction(source.randint(-5, 5)) for _ in rows[0]]
    base = regress(rows, targets, tau=mpq(level))
    assert regress(rows, [scale * y for y in targets], tau=mpq(level)).objective == mpq(scale) * base.objective
    assert regress(rows, [-scale * y for y in targets], tau=1 - mpq(level)).objective == mpq(scale) * base.objective
    moved = [y + 3 + oracle.dot(row, shift) for y, row in zip(targets, rows, strict=True)]
    assert regress(rows, moved, tau=mpq(level)).objective == base.objective
    turned = [[2 * entry + 1 if column == 0 else entry + row[0] for column, entry in enumerate(row)] for row in rows]
    assert regress(turned, targets, tau=mpq(level)).objective == base.objective
    order = source.sample(range(len(rows)), len(rows))
    shuffled = regress([rows[i] for i in order], [targets[i] for i in order], tau=mpq(level))
    assert shuffled.objective == base.objective
    assert shuffled.ranges == base.ranges


@strategies.examples(40)
@given(tables(), st.data())
def test_weights_are_repetitions(instance: Instance, data: st.DataObject) -> None:
    """Integer weights are repeated samples; samples of weight 0 are left out; rows that are left out are aliased away."""
    count = len(instance.inputs)
    weights = data.draw(st.lists(st.integers(0, 3), min_size=count, max_size=count))
    assume(any(weights))
    rows, targets = oracle.to_fractions(instance.inputs), [y for (y,) in oracle.to_fractions(instance.targets)]
    repeated = [i for i, w in enumerate(weights) for _ in range(w)]
    first = regress(rows, targets, tau="1/4", weights=weights)
    second = regress([rows[i] for i in repeated], [targets[i] for i in repeated], tau="1/4")
    assert first.objective == second.objective
    assert first.ranges == second.ranges


# --- the path --------------------------------------------------------------------------------------------------------


def check_path(result: RegressionResult, seed: int, fits: int = 6) -> None:
    """Compares the path with single fits at random levels and at breakpoints; it covers all levels."""
    path = result.path
    assert (path[0].low, path[-1].high) == (0, 1)
    instance = result.fit.problem.instance
    rows, targets = oracle.to_fractions(instance.inputs), [y for (y,) in oracle.to_fractions(instance.targets)]
    weights = instance.weights

    def objective(coefficients: dict[str, mpq | None], level: mpq) -> Fraction:
        level, total = oracle.to_fraction(level), ZERO
        values: Row = [oracle.to_fraction(c or 0) for c in coefficients.values()]
        for i, (row, y) in enumerate(zip(rows, targets, strict=True)):
            r = y - oracle.dot(row, values)
            total += (1 if weights is None else oracle.to_fraction(weights[i])) * r * (level if r > 0 else level - 1)
        return total

    for one, two in pairwise(path):
        assert one.low < one.high == two.low
        assert one.coefficients != two.coefficients
        # both are optimal at the breakpoint
        assert objective(one.coefficients, one.high) == objective(two.coefficients, one.high)
    source = random.Random(seed)
    levels = [mpq(source.randint(1, 999), 1000) for _ in range(fits)]
    levels += [source.choice(path).high for _ in range(3)]
    for level in levels:
        if level == 1:
            continue
        single = regress(rows, targets, tau=level, intercept=False, weights=None if weights is None else list(weights))
        for piece in path:
            is_optimal = objective(piece.coefficients, level) == oracle.to_fraction(single.objective)
            assert is_optimal or not piece.low <= level <= piece.high
            assert not is_optimal or piece.low <= level <= piece.high or not single.is_unique


@strategies.examples(40)
@given(tables(max_samples=10), st.booleans(), st.integers(0, 10**6))
def test_path(instance: Instance, intercept: bool, seed: int) -> None:
    """On degenerate data."""
    check_path(of(instance, Fraction(1, 2), intercept=intercept), seed, fits=3)


def test_path_of_stackloss() -> None:
    """Its pieces are those of single fits."""
    result = regress(csv_of("stackloss"), "STACKLOSS")
    check_path(result, 1, fits=40)
    (degenerate,) = [piece for piece in result.path if piece.low < mpq(1, 4) < piece.high]
    assert list(degenerate.coefficients.values()) == [-36, mpq(1, 2), 1, 0]


def test_path_with_several_vertices_at_once() -> None:
    """Without an intercept a whole segment may be optimal at all levels of an interval: the pieces touch still."""
    for rows, targets in [
        ([[1], [-1]], [1, 1]),
        ([[1], [-1], [2], [-2]], [1, 1, 3, -1]),
        ([[1, 0], [-1, 0], [0, 1], [0, -1], [1, 1]], [1, 1, 2, 2, 5]),
        ([[1, 2], [-1, -2], [1, 0], [-1, 0], [0, 3]], [2, 2, 1, 1, 0]),
    ]:
        result = regress(rows, targets, intercept=False)
        check_path(result, 3, fits=10)
    for seed in range(12):
        source = random.Random(seed)
        half = [[source.randint(-2, 2) for _ in range(2)] for _ in range(4)]
        rows = [*half, *([-entry for entry in row] for row in half), [1, 1]]
        result = regress(rows, [source.randint(0, 3) for _ in rows], intercept=False)
        check_path(result, seed, fits=4)


def test_pieces_touch() -> None:
    """Of vertices that are optimal at the same levels the one that stays so longest is taken; a gap is a bug."""
    a, b, c = (mpq(1),), (mpq(2),), (mpq(3),)
    whole = {a: (mpq(0), mpq(2, 3)), b: (mpq(1, 3), mpq(1)), c: (mpq(0), mpq(1, 2))}
    assert _in_order(whole) == (Piece(mpq(0), mpq(2, 3), a), Piece(mpq(2, 3), mpq(1), b))
    with pytest.raises(AssertionError, match="do not touch"):
        _in_order({a: (mpq(0), mpq(1, 3)), b: (mpq(1, 2), mpq(1))})


@given(st.fractions(0, 20, max_denominator=60), st.fractions(0, 20, max_denominator=60))
def test_simplest_between(one: Fraction, two: Fraction) -> None:
    """It lies strictly between, and nothing between has a smaller denominator."""
    assume(one != two)
    low, high = sorted((one, two))
    found = oracle.to_fraction(simplest_between(mpq(low), mpq(high)))
    assert low < found < high
    for denominator in range(1, found.denominator):
        assert not low < Fraction(int(low * denominator) + 1, denominator) < high


# --- tables, formulas ------------------------------------------------------------------------------------------------

TABLE = """,y,x,region,flag
1,1.1,0.1,a,True
2,2.5,0.2,b,False
3,3.5,0.7,c,True
4,1,0.9,a,False
5,4,1.5,b,True
6,0.5,1.7,c,False
7,0.25,2,a,True
"""


@pytest.fixture
def table(tmp_path: Path) -> str:
    (tmp_path / "t.csv").write_text(TABLE, encoding="utf-8")
    return str(tmp_path / "t.csv")


def test_index_and_texts(table: str) -> None:
    """An index column is left out; texts are refused with what to type; categories are a formula's."""
    with pytest.raises(InputError, match=r"column 4 \('region'\) holds no numbers, but 'a'.*--exclude region leaves"):
        regress(table, "y")
    assert regress(table, "y", exclude="region").names == ("Intercept", "x", "flag[T.True]")
    result = regress(table, "y", exclude="region,flag")
    assert result.names == ("Intercept", "x")
    assert any("is taken for an index" in note for note in result.notes)
    result = regress(table, formula="y ~ x + C(region) + flag")
    assert result.names == ("Intercept", "x", "C(region)[T.b]", "C(region)[T.c]", "flag[T.True]")
    check(result)
    rows = result.fit.problem.instance.inputs
    assert rows[2] == (1, mpq(7, 10), 0, 1, 1)


def test_formulas_are_exact(table: str) -> None:
    """Products and powers are exact, floats are noted, and what formulaic says of columns in floats is the same."""
    formulaic, pandas = pytest.importorskip("formulaic"), pytest.importorskip("pandas")
    frame = pandas.read_csv(table, index_col=0)
    frame["flag"] = pandas.Categorical(frame["flag"])
    for formula in (
        "y ~ x * region",
        "y ~ x + I(x ** 2) - 1",
        "y ~ region:x + flag",
        "y ~ C(region, contr.sum)",
        "y ~ center(x)",
        "I(y / 3) ~ 0 + region",
        "y ~ 1",
        "y ~ .",
    ):
        if formula == "y ~ .":
            result = regress(table, formula="y ~ x + region + flag")
        else:
            result = regress(table, formula=formula)
        assert not any("float64" in note for note in result.notes)
        plain = formulaic.model_matrix(
            formula.replace(".", "x + region + flag") if formula == "y ~ ." else formula, frame
        )
        assert result.names == tuple(plain.rhs.columns)
        exact = [[float(v) for v in row] for row in result.fit.problem.instance.inputs]
        assert np.allclose(exact, np.asarray(plain.rhs, dtype=float), rtol=1e-12, atol=1e-12)
    assert regress(table, formula="y ~ I(x ** 2)").fit.problem.instance.inputs[1] == (1, mpq(1, 25))
    result = regress(table, formula="y ~ np.log(x)")
    assert result.notes == ("np.log(x) is computed in float64; its values are taken as the floats that they are",)
    assert result.fit.problem.instance.inputs[1][1] == mpq(float(np.log(0.2)))
    assert "poly(x, 2) is computed in float64" in regress(table, formula="y ~ poly(x, 2)").notes[0]


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("~ x", "has no target"),
        ("y ~ x +", "cannot be read"),
        ("y ~ nothing", "`nothing` is not present"),
        ("region ~ x", "has 3 targets"),
        ("y ~ np.log(x - 0.1)", "cannot be evaluated"),
        ("y ~ 0", "has no terms"),
    ],
)
def test_bad_formulas(table: str, formula: str, message: str) -> None:
    """Each is refused in a sentence."""
    with pytest.raises(InputError, match=message):
        regress(table, formula=formula)


def test_frames() -> None:
    """Booleans and categories have treatment coding, names are kept; a constant column is aliased."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "x": [1.0, 2.5, 3.0, 4.0, 5.0, 6.0],
            "c": [2, 2, 2, 2, 2, 2],
            "flag": [True, False, True, True, False, False],
            "g": pandas.Categorical(list("abcabc"), categories=list("cbad")),
            "y": [1.5, 2.0, 2.0, 4.0, 3.0, 9.0],
        },
        index=[7, 8, 9, 10, 11, 12],
    )
    result = regress(frame, "y", tau="1/3")
    assert result.names == ("Intercept", "x", "c", "flag[T.True]", "g[T.b]", "g[T.a]")
    assert result.aliased == {"c": {"Intercept": 2}}
    arrays = result.to_numpy()
    assert np.isnan(arrays[result.names.index("c")]) and np.isnan(arrays).sum() == 1
    assert [value for value in arrays if not np.isnan(value)] == [
        float(value) for value in result.coefficients.values() if value is not None
    ]
    assert result.status == ("strict-global-minimum" if result.is_unique else "global-minimum")
    assert ("only ones" in result.message) == result.is_unique
    assert result.coefficients["c"] is None
    assert result.ranges["c"] is None
    check(result)
    assert "aliased         c = 2 Intercept" in str(result)
    assert result.to_dict()["coefficients"]["c"] is None
    assert "<table>" in result._repr_html_()
    assert list(result.to_pandas().index) == list(result.names)
    same = regress(frame.drop(columns="y"), frame["y"], tau="1/3")
    assert same.coefficients == result.coefficients
    assert regress(frame, formula="y ~ x + flag + g").names == ("Intercept", "x", "flag[T.True]", "g[T.b]", "g[T.a]")


def test_instances() -> None:
    """An instance's last layer is fitted whatever its loss is; its bias is the intercept, and comes last."""
    instance = Instance.create([([[0]], [0])], [[1], [2], [3]], [[1], [2], [4]])
    assert regress(instance, tau="1/4").names == ("column_1", "Intercept")
    with pytest.raises(InputError, match="an instance has its own target"):
        regress(instance, "y")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tau": 0}, "tau is 0; it has to lie between 0 and 1"),
        ({"tau": "1"}, "tau is 1;"),
        ({"tau": "-1/2"}, "tau is -1/2;"),
        ({"tau": "a"}, "tau: "),
        ({"tau": float("nan")}, "tau: "),
        ({"weights": [1, -1, 1]}, r"weights\[1\] is -1; it must not be negative"),
        ({"weights": [1, 1]}, "weights has 2 entries, the data has 3 rows"),
        ({"weights": [0, 0, 0]}, "all weights are zero"),
        ({"target": [1, 2]}, "target has 2 entries, the data has 3 rows"),
        ({"target": [1, float("inf"), 2]}, r"target\[1\]: "),
        ({"formula": "y ~ x"}, "a formula names the target"),
        ({"target": None, "formula": "y ~ x"}, "the columns have no names"),
    ],
)
def test_bad_input(options: dict, message: str) -> None:
    """Each is refused, naming place and value."""
    with pytest.raises(InputError, match=message):
        regress([[1, 2], [3, 4], [5, 7]], **{"target": [1, 2, 3], **options})


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("y,x\n1,2\n3,\n", {}, r"row 3, column 2 \('x'\): the cell is empty"),
        ("y,x\n1,2\n3,NA\n", {}, r"row 3, column 2 \('x'\)"),
        ("y,x,w\n1,2,1\n3,4,-1\n", {"weights": "w"}, r"row 3, column 3 \('w'\): a weight is -1, below 0"),
        ("y,x\n1,2\n3,\n", {"target": None, "formula": "y ~ x"}, r"row 3, column 2 \('x'\): the value is missing"),
        ("y,x,w\n1,2,1\n3,4,-1\n", {"target": None, "formula": "y ~ x", "weights": "w"}, "a weight is -1, below 0"),
        ("y,z,x\n1,2,3\n3,4,5\n", {"target": "y,z"}, "the targets are y, z; one is needed"),
        ("y,Intercept\n1,2\n3,4\n", {}, "--no-intercept"),
    ],
)
def test_bad_tables(tmp_path: Path, text: str, options: dict, message: str) -> None:
    """Missing values, negative weights, two targets: named by row and column."""
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        regress(tmp_path / "t.csv", **{"target": "y", **options})


def test_targets_beside_a_table() -> None:
    """Targets given as numbers: weights may be a column still, a name that is none is refused; floats stay floats."""
    rows = np.array([[1.0, 2.0], [2.0, 0.0], [3.0, 1.0], [5.0, 3.0]])
    named = regress(rows, [1.0, 2.0, 2.5, 4.0], weights=2)
    given = regress(rows[:, :1], [1.0, 2.0, 2.5, 4.0], weights=[2, 0, 1, 3])
    assert named.names == given.names == ("Intercept", "column_1")
    assert named.coefficients == given.coefficients
    with pytest.raises(InputError, match="no column is named 'w'"):
        regress(rows, [1, 2, 3, 4], weights="w")
    plain = regress(rows, np.array([1.0, 2.0, 2.5, 4.0]))
    assert plain.fit.problem.dyadic is not None
    assert plain.coefficients == regress(rows, [mpq(1), mpq(2), mpq(5, 2), mpq(4)]).coefficients


@pytest.mark.parametrize("level", ["1/2", "1/3"])
def test_results_in_floats_and_checked(level: str) -> None:
    """Parameters in the columns' order, floats beside with their exact objective, and the checker's verdict."""
    result = regress(csv_of("engel"), "foodexp", tau=level)
    assert result.parameters == tuple(result.coefficients.values())
    assert result.x.tolist() == [float(value) for value in result.parameters]
    assert 0 <= result.objective_at_x - result.objective < result.objective * mpq(1, 2**40)
    assert result.verify(fast=True).status == "accepted"
    certificate = result.certificate
    assert certificate.success
    scale = 2 if level == "1/2" else 1
    assert (certificate.parameters, certificate.loss) == ((result.parameters,), scale * result.objective)


def test_nothing_to_fit() -> None:
    """A column of zeros is aliased to nothing; constants are aliased to the intercept; the path has one piece."""
    result = regress([[0], [0], [0]], [1, 2, 4], intercept=False)
    assert result.coefficients == {"column_1": None}
    assert result.objective == mpq(7, 2)
    assert result.is_unique
    assert result.aliased == {"column_1": {}}
    assert [(piece.low, piece.high) for piece in result.path] == [(0, 1)]
    check(result)
    medians = regress([[3], [3], [3], [3]], [1, 2, 4, 9])
    assert medians.aliased == {"column_1": {"Intercept": 3}}
    assert medians.ranges["Intercept"] == (2, 4)
    assert [piece.high for piece in medians.path] == [mpq(1, 4), mpq(1, 2), mpq(3, 4), 1]
    assert [piece.coefficients["Intercept"] for piece in medians.path] == [1, 2, 4, 9]


def test_missing_rows_are_left_out_on_demand(tmp_path: Path) -> None:
    """With or without a formula, and said."""
    (tmp_path / "t.csv").write_text("y,x\n1,2\n3,\n2,5\n4,1\n", encoding="utf-8")
    for options in ({"target": "y"}, {"formula": "y ~ x"}):
        result = regress(tmp_path / "t.csv", drop_missing=True, **options)
        assert result.lines == (2, 4, 5)
        assert any("are left out" in note for note in result.notes)


def test_truth_values_in_a_text(tmp_path: Path) -> None:
    """They are coded as in a formula, in Python's and in R's writing; other words are refused, and a formula named."""
    cells = [("1", "2", "TRUE"), ("3", "5", "FALSE"), ("2", "5", " false"), ("4", "1", "True"), ("7", "3", "")]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["y,x,flag", *map(",".join, cells)]), encoding="utf-8")
    result = regress(path, "y", drop_missing=True)
    numbers = tmp_path / "n.csv"
    rows = [f"{y},{x},{int(flag.strip().lower() == 'true')}" for y, x, flag in cells if flag]
    numbers.write_text("\n".join(["y,x,flag[T.True]", *rows]), encoding="utf-8")
    assert result.coefficients == regress(numbers, "y").coefficients
    assert list(result.coefficients) == ["Intercept", "x", "flag[T.True]"]
    assert result.lines == (2, 3, 4, 5)
    with pytest.raises(InputError, match=r"row 6, column 3 .*: the cell is empty"):
        regress(path, "y")
    path.write_text(path.read_text(encoding="utf-8") + "\n1,1,maybe\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"--exclude flag leaves it out.*; a formula takes texts as categories"):
        regress(path, "y", drop_missing=True)
    assert "C(flag)[T.maybe]" in regress(path, formula="y ~ x + C(flag)", drop_missing=True).names


# --- estimators ------------------------------------------------------------------------------------------------------


def test_estimators() -> None:
    """Coefficients in floats and exact, names, weights, predictions, certificates, copies."""
    pandas, base = pytest.importorskip("pandas"), pytest.importorskip("sklearn.base")
    frame = pandas.read_csv(csv_of("stackloss"))
    inputs, targets = frame[["AIRFLOW", "WATERTEMP", "ACIDCONC"]], frame["STACKLOSS"]
    model = base.clone(ExactQuantileRegressor(quantile="1/4")).fit(inputs, targets)
    assert model.exact_coef_ == (mpq(1, 2), 1, 0)
    assert model.exact_intercept_ == -36
    assert model.intercept_ == -36.0
    assert model.coef_.tolist() == [0.5, 1.0, 0.0]
    assert list(model.feature_names_in_) == ["AIRFLOW", "WATERTEMP", "ACIDCONC"]
    assert model.result_.objective == mpq(133, 8)
    assert model.exact_predict(inputs) == tuple(
        -36 + mpq(int(a), 2) + int(b) for a, b in zip(frame["AIRFLOW"], frame["WATERTEMP"], strict=True)
    )
    assert model.predict(inputs).tolist() == [float(value) for value in model.exact_predict(inputs)]
    copy = pickle.loads(pickle.dumps(model))
    assert copy.result_.objective == model.result_.objective
    lad = ExactLAD().fit(inputs, targets)
    assert lad.result_.objective == mpq(7259, 345)
    assert lad.certificate_.verify().status == "accepted"
    assert ExactLAD(fit_intercept=False).fit(inputs, targets).exact_intercept_ == 0
    weights = [0] * 5 + [1] * 16
    weighted = ExactLAD().fit(inputs, targets, sample_weight=weights)
    assert weighted.exact_coef_ == ExactLAD().fit(inputs[5:], targets[5:]).exact_coef_
    assert ExactQuantileRegressor(quantile=0.25).set_params(quantile="3/4").get_params() == {
        "quantile": "3/4",
        "fit_intercept": True,
    }
    with pytest.raises(InputError, match="between 0 and 1"):
        ExactQuantileRegressor(quantile=2).fit(inputs, targets)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("model", [ExactLAD(), ExactQuantileRegressor(quantile="1/3")], ids=["lad", "quantile"])
def test_scikit_learn_s_checks(model: ExactLAD | ExactQuantileRegressor) -> None:
    """scikit-learn's own checks of estimators find no fault."""
    checks = pytest.importorskip("sklearn.utils.estimator_checks")
    results = checks.check_estimator(model, on_fail=None)
    assert len(results) > 40
    assert [r["check_name"] for r in results if r["status"] not in ("passed", "skipped")] == []


WITHOUT = """
import sys
sys.modules["sklearn"] = None
from exactdrl.front.estimators import ExactLAD, ExactQuantileRegressor
from exactdrl.exact.rationals import InputError
model = ExactQuantileRegressor("1/4").fit([[1.0], [2.0], [3.0]], [1.0, 2.0, 4.0])
print(model, model.get_params(), model.exact_coef_, model.n_features_in_, model.score([[1.0], [2.0]], [1.0, 2.0]))
for wrong in (lambda: ExactLAD().predict([[1.0]]), lambda: model.predict([[1.0, 2.0]]), lambda: model.set_params(a=1)):
    try:
        wrong()
    except InputError as error:
        print("refused:", error)
"""


def test_without_scikit_learn() -> None:
    """The estimators work where scikit-learn is not installed."""
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("ExactQuantileRegressor(quantile='1/4', fit_intercept=True) {'quantile': '1/4'")
    assert "refused: this ExactLAD is not fitted; call its fit first" in lines
    assert "refused: X has 2 columns, the fit has 1" in lines
    assert len(lines) == 4


# --- commands --------------------------------------------------------------------------------------------------------


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as done:
        main(["regress", *arguments])
    captured = capsys.readouterr()
    return int(done.value.code or 0), captured.out, captured.err


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Prints table, path and JSON, and writes a certificate with its instance, but over nothing."""
    path = str(tmp_path / "r.drl")
    code, out, _ = run(capsys, csv_of("stackloss"), "--target", "STACKLOSS", "--tau", "0.25", "-o", path)
    assert code == 0
    assert "133/8" in out
    assert "zero residuals  8; this is degenerate, since it is more than 4" in out
    assert Path(path).exists()
    assert (tmp_path / "r.json").exists()
    assert run(capsys, csv_of("stackloss"), "--target", "STACKLOSS", "-o", path)[0] == 2
    code, out, _ = run(capsys, csv_of("stackloss"), "--target", "STACKLOSS", "--tau", "1/4", "--json", "--path")
    found = json.loads(out)
    assert found["coefficients"] == {"Intercept": "-36", "AIRFLOW": "1/2", "WATERTEMP": "1", "ACIDCONC": "0"}
    assert (found["objective"], found["unique"], found["degenerate"]) == ("133/8", True, True)
    assert found["path"][0]["low"] == "0"
    code, out, _ = run(
        capsys, csv_of("engel"), "--formula", "foodexp ~ income", "--tau", "1/4", "--tau", "3/4", "--json"
    )
    assert [one["coefficients"]["income"] for one in json.loads(out)] == [
        "331957812504625/700180481312569",
        "164616498284988/255610068509299",
    ]
    code, out, _ = run(capsys, csv_of("engel"), "--target", "foodexp", "--exact", "--path")
    assert "245420677098290/438109956813801" in out
    assert "path            267 pieces" in out


# sums of absolute residuals, to ten digits, by others' linear programs
PUBLISHED = {
    "stackloss": "42.08115942",
    "longley": "2438.779282",
    "engel": "17559.93265",
    "fair": "4490.410172",
    "diabetes": "19024.34330",
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_tables_of_other_packages(capsys: pytest.CaptureFixture[str], name: str) -> None:
    """Least absolute deviations of the tables that come with statsmodels and scikit-learn, columns by name."""
    assert set(PUBLISHED) == set(TABLES)
    code, out, _ = run(capsys, "--dataset", name, "--json")
    assert code == 0
    found = json.loads(out)
    assert list(found["coefficients"])[1:] == list(load_table(name).names or ())[:-1]
    last = Fraction(1, 10 ** len(PUBLISHED[name].split(".")[1]))
    assert abs(2 * Fraction(found["objective"]) - Fraction(PUBLISHED[name])) <= last / 2
    assert run(capsys, "--dataset", name, "t.csv")[0] == 2
    assert run(capsys)[0] == 2
    with pytest.raises(InputError, match="table is 'none'; one of stackloss, "):
        load_table("none")


@pytest.mark.parametrize(
    "arguments", [["--tau", "2"], ["--tau", "x"], ["--target", "nothing"], ["--weights", "nothing"]]
)
def test_command_refuses(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """Bad input ends in one line and code 2."""
    code, out, err = run(capsys, csv_of("engel"), *arguments)
    assert code == 2
    assert not out
    assert len(err.splitlines()) == 1
