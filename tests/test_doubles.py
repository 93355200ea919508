"""Samples of binary floats: the same instances, problems and refusals as with rationals, made when asked for."""

import copy
import pickle
import random
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import oracle
import pytest
import strategies
from gmpy2 import mpq
from hypothesis import given
from hypothesis import strategies as st

from exactdrl.cells import dyadic
from exactdrl.cells.dyadic import DyadicSamples
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.doors.arrays import from_arrays, from_regression
from exactdrl.exact.rationals import InputError
from exactdrl.problem.doubles import DoubleMatrix, find_doubles
from exactdrl.problem.instance import Instance
from exactdrl.problem.loss import Loss
from exactdrl.walks.driver import Walk

TINY, HUGE = 5e-324, 1.7976931348623157e308
doubles = st.one_of(
    st.floats(-4, 4),
    st.integers(-3, 3).map(float),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, -0.0, TINY, -TINY, HUGE, -HUGE, 2.0**-1022, 0.1]),
)


@st.composite
def regressions(draw: Callable) -> tuple[list[list[float]], list[list[float]]]:
    """Returns inputs and targets."""
    samples, width, outputs = draw(st.integers(1, 9)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
    kinds = draw(st.sampled_from([doubles, st.integers(-3, 3).map(float)]))
    inputs = draw(st.lists(st.lists(kinds, min_size=width, max_size=width), min_size=samples, max_size=samples))
    targets = draw(st.lists(st.lists(kinds, min_size=outputs, max_size=outputs), min_size=samples, max_size=samples))
    return inputs, targets


kinked = st.sampled_from(
    [Loss.absolute(), Loss.pinball(mpq(1, 3)), Loss.pinball(mpq(7, 10)), Loss.hinge(), Loss.pinball(mpq(1, 2))]
)


def with_loss(data: tuple[list[list[float]], list[list[float]]], loss: Loss, has_bias: bool) -> Instance:
    """Returns a regression with a loss; targets are made signs for the hinge."""
    inputs, targets = data
    if loss.kind == "hinge":
        one = type(targets[0][0])(1)
        targets = [[one if y > 0 else -one for y in row] for row in targets]
    width, outputs = len(inputs[0]), len(targets[0])
    layer = ([[0] * width] * outputs, [0] * outputs if has_bias else None)
    return Instance.create([layer], inputs, targets, loss=loss)


def to_rationals(rows: Sequence[Sequence[float]]) -> list[list[mpq]]:
    return [[mpq(value) for value in row] for row in rows]


@strategies.examples(80)
@given(regressions(), st.booleans(), kinked)
def test_problems_of_other_losses_are_the_same(
    data: tuple[list[list[float]], list[list[float]]], has_bias: bool, loss: Loss
) -> None:
    """Pinball and hinge losses of floats are read as fast: the scaled problems and the walks are those of rationals."""
    rational = tuple(map(to_rationals, data))
    lazy, plain = with_loss(data, loss, has_bias), with_loss(rational, loss, has_bias)
    assert lazy == plain
    ours, theirs = IntegerProblem.from_instance(lazy), IntegerProblem.from_instance(plain)
    assert ours.dyadic is not None
    assert theirs.dyadic is None
    assert (ours.loss_scale, ours.loss_unit, ours.loss_slopes) == (
        theirs.loss_scale,
        theirs.loss_unit,
        theirs.loss_slopes,
    )
    assert (ours.addresses, ours.reduction, ours.sample_weights) == (
        theirs.addresses,
        theirs.reduction,
        theirs.sample_weights,
    )
    for rule in ("long-step", "steepest"):
        walks = [Walk(one, rule=rule, max_steps=60) for one in (lazy, plain)]
        assert list(walks[0]) == list(walks[1])
        assert (walks[0].loss, walks[0].vertex) == (walks[1].loss, walks[1].vertex)
        assert repr(walks[0].outcome) == repr(walks[1].outcome)
        assert walks[0].loss == lazy.loss_of(walks[0].vertex)


@strategies.examples(80)
@given(regressions(), st.booleans(), st.booleans())
def test_problems_are_the_same(
    data: tuple[list[list[float]], list[list[float]]], has_bias: bool, as_arrays: bool
) -> None:
    """Instances of floats equal those of rationals; so do their digests and every integer of the scaled problems."""
    own = tuple(map(np.array, data)) if as_arrays else data
    lazy = from_regression(*own, has_bias=has_bias)
    plain = from_regression(*map(to_rationals, data), has_bias=has_bias)
    assert isinstance(lazy.inputs, DoubleMatrix)
    assert isinstance(plain.inputs, tuple)
    assert lazy == plain
    assert plain == lazy
    assert hash(lazy) == hash(plain)
    assert lazy.digest == plain.digest
    assert repr(lazy) == repr(plain)
    assert pickle.loads(pickle.dumps(lazy)) == plain
    ours, theirs = IntegerProblem.from_instance(lazy), IntegerProblem.from_instance(plain)
    assert ours.dyadic is not None
    assert theirs.dyadic is None
    for name in (
        "first",
        "last",
        "samples",
        "widths",
        "weights",
        "residual_factors",
        "loss_scale",
        "loss_slopes",
        "slopes",
        "scales",
        "loss_unit",
        "pivots",
    ):
        assert getattr(ours, name) == getattr(theirs, name)
    for name in ("reduction", "sample_weights", "members", "row_matrix", "weight_matrices", "offset_matrices"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert tuple(ours.rows) == theirs.rows
    assert tuple(map(tuple, ours.offsets)) == theirs.offsets
    assert [ours.rows[i] for i in range(-1, ours.samples)] == [theirs.rows[i] for i in range(-1, theirs.samples)]
    assert ours.rows[::2] == list(theirs.rows[::2])


@strategies.examples(40)
@given(regressions(), st.sampled_from(["long-step", "long-step", "steepest", "reference"]))
def test_walks_are_the_same(data: tuple[list[list[float]], list[list[float]]], rule: str) -> None:
    """From floats and from rationals, in either arithmetic: the same steps, end and loss, which is that of the end."""
    walks = [
        Walk(from_regression(*own), rule=rule, arithmetic=arithmetic, max_steps=100)
        for own in (data, [to_rationals(rows) for rows in data])
        for arithmetic in ("filtered", "exact")
    ]
    steps = [list(walk) for walk in walks]
    assert steps == [steps[0]] * len(walks)
    assert len({(walk.loss, walk.vertex, repr(walk.outcome)) for walk in walks}) == 1
    problem = oracle.Problem(walks[0].problem.instance)
    assert oracle.to_fraction(walks[0].loss) == problem.loss(oracle.to_fractions(walks[0].vertex))


@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8", ">f8"])
def test_kinds_of_floats(dtype: str) -> None:
    """Floats of fewer bits and of the other byte order mean what they mean; the array may change afterwards."""
    array = np.array([[0.1, -0.0], [3.0, 2.0**-14]], dtype=dtype)
    found = find_doubles(array)
    expected = tuple(tuple(Fraction(float(value)) for value in row) for row in array)
    array[0, 0] = 7.0
    assert found == expected
    assert found is not None
    assert found[0] == expected[0]
    assert found[-1] == expected[-1]
    assert len(found) == 2
    assert list(found) == list(expected)
    assert found[:1] == expected[:1]
    assert found != ()
    with pytest.raises(IndexError):
        found[2]
    with pytest.raises(ValueError, match="read-only"):
        found.doubles[0, 0] = 1.0


class Other(float):
    """A float that may mean something else."""


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [[]],
        [[1.0], [1.0, 2.0]],
        [[1.0, 2]],
        [[1.0, True]],
        [[1.0, "0.1"]],
        [[1.0, Other(2.0)]],
        [[1.0, mpq(1, 3)]],
        [[np.float64(1.0)]],
        [[1.0, float("nan")]],
        [[float("inf")]],
        ["12"],
        "12",
        7,
        {1.0: 2.0},
        [{1.0: 2.0}],
        np.array([[1, 2]]),
        np.array([1.0]),
        np.array([[[1.0]]]),
        np.empty((0, 2)),
        np.empty((2, 0)),
        np.array([[np.nan]]),
        np.array([[1.0]], dtype=np.longdouble),
        np.array([[True]]),
        np.array([[1.0 + 2.0j]]),
        np.ma.masked_array([[1.0, 2.0]], [[False, True]]),
    ],
    ids=repr,
)
def test_all_else_is_left_to_the_general_reading(rows: object) -> None:
    """Nothing but plain floats is taken; mixed rows keep their exact meaning, and what is refused is so as before."""
    assert find_doubles(rows) is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_refusals_name_place_and_value(value: float) -> None:
    """NaN and infinities in arrays and lists, inputs and targets: the message is that of the general reading."""
    inputs, targets = [[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]], [[1.0], [2.0], [3.0]]
    for rows, place in ((inputs, "data.inputs[1][0]"), (targets, "data.targets[1][0]")):
        kept, rows[1][0] = rows[1][0], value
        for make in (lambda rows: rows, np.array, lambda rows: np.array(rows, dtype=np.float32)):
            for build in (from_regression, lambda x, y: from_arrays([[[0, 0]]], [[0]], x, y)):
                with pytest.raises(InputError) as refused:
                    build(make(inputs), make(targets))
                assert str(refused.value) == f"{place}: not a finite number: {value}"
        rows[1][0] = kept
    with pytest.raises(InputError, match=r"data\.targets has 2 rows, data\.inputs has 3"):
        Instance.create([([[0, 0]], [0])], np.array(inputs), np.array(targets[:2]))


def signed_sums(values: np.ndarray, signs: list[int]) -> tuple[list[int], list[Fraction]]:
    """Returns the sums of the arrays, and those of Fractions."""
    samples = DyadicSamples.create(values[:, :-1], values[:, -1:])
    scale = 2**samples.greatest
    exact = [
        sum((sign * Fraction(value) for sign, value in zip(signs, column, strict=True)), Fraction(0)) * scale
        for column in values.T.tolist()
    ]
    return list(map(int, samples.signed_sums(np.array(signs)))), exact


@strategies.examples(60)
@given(regressions(), st.randoms(use_true_random=False))
def test_signed_sums(data: tuple[list[list[float]], list[list[float]]], source: random.Random) -> None:
    """They are the exact sums, over the whole range of float64."""
    values = np.hstack(list(map(np.array, data)))
    found, exact = signed_sums(values, [source.choice([-1, 0, 1]) for _ in values])
    assert found == exact


def test_parts_of_signed_sums_are_short_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest sums fit into 64 bits: so many rows of ones in every bit; with longer groups they would not."""
    rows = 1 << 12
    monkeypatch.setattr(dyadic, "_ROWS", rows)
    # each exponent within a group occurs, for either sign
    values = np.array([[(2.0**53 - 1) * 2.0**k, -(2.0**53 - 1) * 2.0**-k] for k in range(32)])
    values = np.repeat(values, rows // 8, axis=0)
    found, exact = signed_sums(values, [1] * len(values))
    assert found == exact
    # the block's bits and the group's together are what 64 bits hold: 27 + 15 + 20 < 63
    assert dyadic._LOWER + dyadic._GROUP - 1 + 20 < 63
    monkeypatch.setattr(dyadic, "_GROUP", 30)
    found, exact = signed_sums(values, [1] * len(values))
    assert found != exact


def test_copies_are_read_only() -> None:
    """A copy is the same matrix, and as little to be written to."""
    matrix = DoubleMatrix(np.array([[0.1, -0.0], [3.0, 5e-324]]))
    for copied in (pickle.loads(pickle.dumps(matrix)), copy.deepcopy(matrix), copy.copy(matrix)):
        assert copied == matrix
        assert hash(copied) == hash(matrix)
        assert not copied.doubles.flags.writeable


@pytest.mark.parametrize("entries", [[[np.nan]], [[np.inf, 1.0]], [], [[]], [1.0]])
def test_only_finite_rows(entries: list) -> None:
    """What is no matrix of numbers is refused."""
    with pytest.raises(ValueError, match="finite"):
        DoubleMatrix(np.array(entries))


def test_an_array_without_axes_is_refused() -> None:
    """It says that it can be iterated over, and cannot."""
    with pytest.raises(InputError, match=r"data\.inputs: a list of rows is needed"):
        Instance.create([([[1]], [0])], np.array(1.0), [[1]])
    with pytest.raises(InputError, match=r"data\.targets\[0\]: a list of numbers is needed"):
        Instance.create([([[1]], [0])], [[1]], [np.array(1.0)])
