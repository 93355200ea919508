"""The front doors: arrays and npz files, scikit-learn's networks, the named problems, the random sample."""

import gzip
import hashlib
import importlib.util
import io
import sys
import zipfile
from fractions import Fraction
from itertools import pairwise
from math import lcm
from pathlib import Path

import numpy as np
import pytest
from gmpy2 import mpq

from exactdrl.doors import scikit
from exactdrl.doors.arrays import from_arrays, from_regression
from exactdrl.doors.datasets import DATASETS, load_dataset
from exactdrl.doors.network import to_instance
from exactdrl.doors.npz import read_data_npz, read_network_npz
from exactdrl.doors.sample import sample_experiment
from exactdrl.exact.rationals import InputError, to_float
from exactdrl.minimality.verdict import LocalMinimum, StrictLocalMinimum
from exactdrl.problem.file import parse_instance, to_json_text
from exactdrl.problem.instance import Instance
from exactdrl.walks.driver import Walk

# The exact minima of least absolute deviations; the floats are those of the issue, from other programs
STACKLOSS = mpq(14518, 345)
LONGLEY = mpq(6139948496661889412, 2517631891960141)
ENGEL = mpq(1282196888984091228751781760757, 73018326135633500000000000)
LAD_DIABETES = mpq(3477391033516410032218077, 182786389948038941735)
MINIMA = {
    "stackloss": (STACKLOSS, 42.08115942),
    "longley": (LONGLEY, 2438.779282),
    "engel": (ENGEL, 17559.93265),
    "lad-diabetes": (LAD_DIABETES, 19024.34330),
}


def refusal(function, *arguments, **options) -> str:
    """Returns the message with which a call refuses its input."""
    with pytest.raises(InputError) as caught:
        function(*arguments, **options)
    return str(caught.value)


def load(name: str) -> Instance:
    pytest.importorskip(DATASETS[name].extra)
    return load_dataset(name)


def package_text(package: str, *parts: str) -> str:
    """Returns the text of a data file, found without the code under test."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"{package} is not installed")
    content = Path(spec.submodule_search_locations[0]).joinpath(*parts).read_bytes()
    return (gzip.decompress(content) if parts[-1].endswith(".gz") else content).decode()


# Arrays


def test_floats_are_the_dyadics_that_they_are():
    """float64, float32, float16, longdouble and integers come through without rounding; 0.1 as a float is not 1/10."""
    for kind in (np.float64, np.float32, np.float16, np.longdouble):
        instance = from_arrays([np.array([[0.1, -3]], dtype=kind)], [None], [[1, 2]], [[0]])
        assert instance.layers[0].weight[0][0] == mpq(*(int(part) for part in kind(0.1).as_integer_ratio()))
        assert instance.layers[0].weight[0][0] != mpq(1, 10)
        assert instance.layers[0].weight[0][1] == -3
    large = from_arrays([np.array([[2**62 + 1]])], [None], np.array([[2**63 - 1]]), np.array([[0]], dtype=np.uint8))
    assert large.layers[0].weight[0][0] == 2**62 + 1
    assert large.inputs[0][0] == 2**63 - 1


def test_nested_lists_texts_and_fractions_are_taken_as_written():
    """Lists may hold every exact number, and texts mean what they write."""
    instance = from_arrays(
        [[["0.1", Fraction(1, 3)]], [[1]]], [["0x1.8p-1"], None], [["1e-2", 2]], [0.5], start=[[1, 2, 3]]
    )
    assert instance.layers[0].weight == ((mpq(1, 10), mpq(1, 3)),)
    assert instance.layers[0].bias == (mpq(3, 4),)
    assert instance.layers[1].bias is None
    assert instance.inputs == ((mpq(1, 100), mpq(2)),)
    assert instance.targets == ((mpq(1, 2),),)
    assert instance.start == ((1, 2, 3),)
    assert instance.layer == 1


def test_the_default_start_is_the_trained_layer():
    """Whichever layer is trained, its own parameters are the start, the bias last."""
    weights, biases = [np.eye(2), np.array([[1.0, 2.0]])], [np.array([3.0, 4.0]), np.array([5.0])]
    data = (np.ones((3, 2)), np.zeros(3))
    assert from_arrays(weights, biases, *data).start == ((1, 0, 3), (0, 1, 4))
    assert from_arrays(weights, biases, *data, layer=2).start == ((1, 2, 5),)
    assert from_arrays(weights, [None, None], *data, layer=2).start == ((1, 2),)


def test_one_axis_of_targets_is_one_output():
    """Targets of shape (N,) and (N, 1) are the same, as arrays and as lists."""
    options = ([[[1]]], [None], [[1], [2]])
    assert (
        len({from_arrays(*options, t).targets for t in ([3, 4], [[3], [4]], np.array([3, 4]), np.array([[3], [4]]))})
        == 1
    )


def test_regression_starts_at_zero():
    """Depth 0, as many outputs as targets have columns, with and without an intercept."""
    instance = from_regression([["0.5", 2]], [[1, 2, 3]])
    assert instance.widths == (2, 3)
    assert instance.start == ((0, 0, 0),) * 3
    assert instance.layer == 1
    assert from_regression([[1, 2]], [3], has_bias=False).start == ((0, 0),)
    assert instance.inputs == ((mpq(1, 2), 2),)


def test_pandas_integers_beside_floats_stay_exact():
    """A frame's large integers are not rounded to the floats of the column beside them."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [2**60 + 1, 3], "b": [0.5, 0.1]})
    instance = from_regression(frame, frame["b"])
    assert instance.inputs == ((2**60 + 1, mpq(1, 2)), (3, mpq(0.1)))
    frame.loc[1, "b"] = None
    assert "data.inputs[1][1]: not a finite number: nan" in refusal(from_regression, frame, [1, 2])


@pytest.mark.parametrize(
    ("weights", "biases", "inputs", "targets", "message"),
    [
        ([[[1]]], [], [[1]], [1], "1 weights and 0 biases are given; a layer without bias needs the bias None"),
        ([np.ones(2)], [None], [[1]], [1], "network.layers[0].weight has shape (2,); 2 axes are needed"),
        (
            [np.ones((1, 1))],
            [np.ones((1, 1))],
            [[1]],
            [1],
            "network.layers[0].bias has shape (1, 1); 1 axes are needed",
        ),
        ([[[1]]], [None], np.array(1.0), [1], "data.inputs has shape (); 2 axes are needed"),
        ([[[1]]], [None], [[1]], np.ones((1, 1, 1)), "data.targets has shape (1, 1, 1); 1 or 2 axes are needed"),
        ([[[1]]], [None], np.array([[1.0], [np.nan]]), [1, 2], "data.inputs[1][0]: not a finite number: nan"),
        ([[[1]]], [None], [[1], [2]], [1, np.inf], "data.targets[1][0]: not a finite number: inf"),
        ([[[1]]], [None], [[1], ["1_0"]], [1, 2], "data.inputs[1][0]: not a number: '1_0'"),
        ([[[1]]], [None], [[True]], [1], "data.inputs[0][0]: not a number: True"),
        ([[[1]]], [None], np.array([[True]]), [1], "data.inputs[0][0]: not a number: "),
        ([[[1]]], [None], np.array([[1j]]), [1], "data.inputs[0][0]: not a number: "),
        (
            [[[1, 2], [3]]],
            [None],
            [[1]],
            [1],
            "network.layers[0].weight[1] has 1 entries, network.layers[0].weight[0] has 2",
        ),
        ([[[1]]], [None], [[1, 2]], [1], "weight has 1 columns, data.inputs have width 2"),
        ([[[1]]], [None], np.ones((0, 1)), [], "data.inputs is empty"),
        ([[[1]]], [None], [[1]], 3, "data.targets: a list of rows is needed, not 3"),
        ([[[1]]], [None], np.ma.masked_equal([[1, 2]], 2), [1], "data.inputs is a masked array"),
    ],
)
def test_arrays_are_refused_by_place_and_value(weights, biases, inputs, targets, message):
    """Nothing is repaired silently."""
    assert message in refusal(from_arrays, weights, biases, inputs, targets)


# npz files


def write_npz(path: Path, **arrays) -> Path:
    np.savez(path, **arrays)
    return path


def test_npz_files_round_trip(tmp_path):
    """A network with a layer without bias, data with one axis of targets, floats and texts."""
    generator = np.random.default_rng(0)
    first, second, bias = (
        generator.normal(size=(3, 2)),
        generator.normal(size=(1, 3)).astype(np.float32),
        generator.normal(size=3),
    )
    network = read_network_npz(write_npz(tmp_path / "network.npz", weight_2=second, weight_1=first, bias_1=bias))
    assert network.layers[1].bias is None
    data = read_data_npz(write_npz(tmp_path / "data.npz", inputs=np.array([["1/3", "0.1"]]), targets=np.array([0.1])))
    assert data.inputs == ((mpq(1, 3), mpq(1, 10)),)
    assert data.targets == ((mpq(0.1),),)
    read = to_instance(network, data.inputs, data.targets)
    assert read == from_arrays([first, second], [bias, None], data.inputs, data.targets)
    assert parse_instance(to_json_text(read).encode()) == read


@pytest.mark.parametrize(
    ("read", "arrays", "message"),
    [
        (read_network_npz, {"weight_1": np.ones((1, 1)), "weight_3": np.ones((1, 1))}, "array weight_2 is missing"),
        (read_network_npz, {"weight_1": np.ones((1, 1)), "bias_2": np.ones(1)}, "array weight_2 is missing"),
        (read_network_npz, {}, "array weight_1 is missing"),
        (read_network_npz, {"weight_01": np.ones((1, 1))}, "unknown array 'weight_01'"),
        (read_network_npz, {"weight_1": np.ones(1)}, "weight_1 has shape (1,); 2 axes are needed"),
        (
            read_network_npz,
            {"weight_1": np.ones((1, 1)), "bias_1": np.array(1)},
            "bias_1 has shape (); 1 axes are needed",
        ),
        (read_network_npz, {"weight_1": np.array([[1, np.nan]])}, "weight_1[0][1]: not a finite number: nan"),
        (read_network_npz, {"weight_1": np.array([["1_0"]])}, "weight_1[0][0]: not a number: "),
        (read_network_npz, {"weight_1": np.array([[None]])}, "not a whole npz file of plain arrays"),
        (read_network_npz, {"weight_1": np.ones((1, 1)), "bias_1": np.array([b"1"])}, "bias_1[0]: not a number: "),
        (read_data_npz, {"inputs": np.ones((1, 1))}, "array targets is missing"),
        (read_data_npz, {"inputs": np.ones((1, 1)), "targets": np.ones(1), "x": np.ones(1)}, "unknown array 'x'"),
        (read_data_npz, {"inputs": np.ones((2, 1)), "targets": np.ones(3)}, "targets has 3 rows, inputs has 2"),
        (read_data_npz, {"inputs": np.ones(2), "targets": np.ones(2)}, "inputs has shape (2,); 2 axes are needed"),
        (
            read_data_npz,
            {"inputs": np.ones((1, 1)), "targets": np.array([-np.inf])},
            "targets[0][0]: not a finite number: -inf",
        ),
    ],
)
def test_npz_files_are_refused_by_file_array_and_value(tmp_path, read, arrays, message):
    """The message begins with the file."""
    path = write_npz(tmp_path / "x.npz", **arrays)
    text = refusal(read, path)
    assert text.startswith(f"{path}: ")
    assert message in text


def test_broken_npz_files_are_refused(tmp_path):
    """Missing, truncated, another kind of file, an array twice, a header that asks for more memory than there is."""
    good = write_npz(tmp_path / "good.npz", inputs=np.ones((50, 2)), targets=np.ones(50)).read_bytes()
    path = tmp_path / "bad.npz"
    assert "cannot be read" in refusal(read_data_npz, path)
    for content in (b"", good[:40], good[:-30], b"inputs,targets\n1,2\n", good[:200] + b"\xff" * 200 + good[400:]):
        path.write_bytes(content)
        assert str(path) in refusal(read_data_npz, path)
    single = io.BytesIO()
    np.save(single, np.ones((1, 1)))
    path.write_bytes(single.getvalue())
    assert "holds a single array" in refusal(read_data_npz, path)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inputs.npy", single.getvalue())
        archive.writestr("inputs.npy", single.getvalue())
    assert "array 'inputs' is repeated" in refusal(read_data_npz, path)
    # The header's text is padded with blanks, so that a longer shape fits
    huge = single.getvalue().replace(b"(1, 1), }" + b" " * 13, b"(99999999999999, 1), }")
    assert len(huge) == len(single.getvalue()) and huge != single.getvalue()
    for content in (huge, b"no array", single.getvalue()[:-1], single.getvalue().replace(b"}", b"(")):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("inputs.npy", content)
            archive.writestr("targets.npy", single.getvalue())
        assert refusal(read_data_npz, path).startswith(f"{path}: ")


# scikit-learn


def fitted(**options):
    neural_network = pytest.importorskip("sklearn.neural_network")
    generator = np.random.default_rng(1)
    inputs, targets = generator.normal(size=(30, 3)), generator.normal(size=(30, 2))
    settings = {"hidden_layer_sizes": (4, 2), "solver": "lbfgs", "random_state": 0, "max_iter": 20, **options}
    with pytest.warns(Warning):
        return neural_network.MLPRegressor(**settings).fit(inputs, abs(targets)), inputs, targets


def test_a_regressor_is_taken_over_exactly():
    """Weights are the transposed coefs_, bit by bit, and the instance's network predicts what the regressor does."""
    regressor, inputs, targets = fitted()
    for layer in (1, 2, 3):
        instance = scikit.from_mlp_regressor(regressor, inputs, targets, layer=layer)
        assert instance.layer == layer
        assert instance.widths == (3, 4, 2, 2)
        for own, weight, bias in zip(instance.layers, regressor.coefs_, regressor.intercepts_, strict=True):
            assert own.weight == tuple(tuple(mpq(float(w)) for w in column) for column in weight.T)
            assert own.bias == tuple(mpq(float(b)) for b in bias)
        assert to_float(instance.loss_of(instance.start)) == pytest.approx(
            abs(regressor.predict(inputs) - targets).sum()
        )


def test_other_estimators_are_refused():
    """Another activation or output, not fitted, or no regressor at all."""
    regressor, inputs, targets = fitted(activation="tanh")
    call = scikit.from_mlp_regressor
    assert refusal(call, regressor, inputs, targets) == (
        'the MLPRegressor has activation \'tanh\', "relu" or "identity" is needed'
    )
    regressor, inputs, targets = fitted()
    regressor.out_activation_ = "exp"
    assert (
        refusal(call, regressor, inputs, targets)
        == "the MLPRegressor has output activation 'exp', \"identity\" is needed"
    )
    assert refusal(call, type(regressor)(), inputs, targets) == "the MLPRegressor is not fitted; call its fit first"
    assert refusal(call, "model.pkl", inputs, targets) == "a fitted MLPRegressor is needed, not 'str'"
    classifier = sys.modules["sklearn.neural_network"].MLPClassifier()
    assert refusal(call, classifier, inputs, targets) == "a fitted MLPRegressor is needed, not 'MLPClassifier'"


def test_missing_packages_name_their_extra(monkeypatch):
    """Every optional package is asked for by the command that installs it."""
    for module in ("sklearn", "sklearn.neural_network", "sklearn.datasets", "statsmodels"):
        monkeypatch.setitem(sys.modules, module, None)
    assert (
        'scikit-learn is needed: pip install scikit-learn, or in a clone of exactdrl: pip install ".[sklearn]"'
        in refusal(scikit.from_mlp_regressor, None, [[1]], [1])
    )
    for dataset in DATASETS.values():
        assert f'".[{dataset.extra}]"' in refusal(dataset.load)


# Named problems


def test_datasets_are_known_by_name():
    """An unknown name is answered with the known ones."""
    assert list(DATASETS) == ["stackloss", "longley", "engel", "lad-diabetes", "iris", "diabetes"]
    assert "dataset is 'mnist'; one of stackloss, longley, engel, lad-diabetes, iris, diabetes is needed" in refusal(
        load_dataset, "mnist"
    )


@pytest.mark.parametrize(
    ("name", "target", "inputs", "samples"),
    [("stackloss", 0, (1, 2, 3), 21), ("longley", 1, (2, 3, 4, 5, 6, 7), 16), ("engel", 1, (0,), 235)],
)
def test_statsmodels_data_is_the_text_of_its_file(name, target, inputs, samples):
    """Every number equals the decimal in the bundled CSV file, read here by Fraction; the start is 0, the intercept a bias."""
    rows = package_text("statsmodels", "datasets", name, f"{name}.csv").split()[1:]
    expected = [[Fraction(cell) for cell in row.split(",")] for row in rows]
    instance = load(name)
    assert len(instance.inputs) == samples
    assert instance.widths == (len(inputs), 1)
    assert [list(map(Fraction, row)) for row in instance.inputs] == [[row[i] for i in inputs] for row in expected]
    assert [Fraction(row[0]) for row in instance.targets] == [row[target] for row in expected]
    assert instance.start == ((0,) * (len(inputs) + 1),)
    assert instance.has_bias


def test_sklearn_data_is_the_text_of_its_files():
    """Iris lies on the grid of tenths; the unscaled diabetes columns are decimals."""
    rows = package_text("sklearn", "datasets", "data", "iris.csv").split()[1:]
    iris = load("iris")
    both = [
        [*map(Fraction, inputs), Fraction(targets[0])]
        for inputs, targets in zip(iris.inputs, iris.targets, strict=True)
    ]
    assert both == [[Fraction(cell) for cell in row.split(",")[:4]] for row in rows]
    assert all((10 * value).denominator == 1 for row in both for value in row)
    lad = load("lad-diabetes")
    lines = package_text("sklearn", "datasets", "data", "diabetes_data_raw.csv.gz").splitlines()
    assert [list(map(Fraction, row)) for row in lad.inputs] == [
        [Fraction(cell) for cell in line.split()] for line in lines
    ]
    targets = package_text("sklearn", "datasets", "data", "diabetes_target.csv.gz").split()
    assert [Fraction(row[0]) for row in lad.targets] == [Fraction(cell) for cell in targets]


@pytest.mark.parametrize(("name", "widths", "samples"), [("iris", (3, 3, 1), 150), ("diabetes", (10, 4, 1), 442)])
def test_trained_networks_are_dyadic_and_repeatable(name, widths, samples):
    """Parameters are doubles, the start is the trained first layer, and two trainings in one process give the same bytes."""
    instance = load(name)
    assert (instance.widths, len(instance.inputs), instance.layer) == (widths, samples, 1)
    first = instance.layers[0]
    assert instance.start == tuple((*row, bias) for row, bias in zip(first.weight, first.bias, strict=True))
    parameters = [w for layer in instance.layers for row in (*layer.weight, layer.bias) for w in row]
    assert all(mpq(to_float(w)) == w for w in parameters)
    assert to_json_text(load(name)) == to_json_text(instance)


# Walks on them


def solve_regression(instance: Instance) -> Fraction:
    """Returns the minimum of LAD by PPL's exact simplex: minimise sum e_i with e_i >= |x_i theta - y_i|."""
    ppl = pytest.importorskip("ppl")
    samples, width = len(instance.inputs), len(instance.inputs[0]) + 1
    theta = [ppl.Variable(index) for index in range(width)]
    errors = [ppl.Variable(width + index) for index in range(samples)]
    problem = ppl.MIP_Problem()
    problem.add_space_dimensions_and_embed(width + samples)
    for row, target, error in zip(instance.inputs, instance.targets, errors, strict=True):
        numbers = [*row, mpq(1), target[0]]
        scale = lcm(*(int(number.denominator) for number in numbers))
        *coefficients, constant = (int(number * scale) for number in numbers)
        residual = sum((c * t for c, t in zip(coefficients, theta, strict=True)), ppl.Linear_Expression()) - constant
        problem.add_constraint(scale * error >= residual)
        problem.add_constraint(scale * error >= -residual)
    problem.set_objective_function(sum(errors, ppl.Linear_Expression()))
    problem.set_optimization_mode("minimization")
    value = problem.optimal_value()
    return Fraction(int(value.numerator), int(value.denominator))


@pytest.mark.parametrize("rule", ["reference", "steepest"])
@pytest.mark.parametrize("name", list(MINIMA))
def test_regression_walks_end_at_the_minimum(name, rule):
    """From 0 both rules reach the known minimum, as a fraction; it agrees with the value that other programs found."""
    exact, known = MINIMA[name]
    walk = Walk(load(name), rule=rule)
    assert isinstance(walk.run(), StrictLocalMinimum | LocalMinimum)
    assert walk.loss == exact
    assert walk.problem.instance.loss_of(walk.vertex) == exact
    assert to_float(exact) == pytest.approx(known, rel=5e-10)


@pytest.mark.parametrize("name", ["stackloss", "longley", "engel"])
def test_an_independent_exact_program_agrees(name):
    """PPL's linear program has the same minimum."""
    assert solve_regression(load(name)) == Fraction(MINIMA[name][0])


@pytest.mark.parametrize("rule", ["reference", "steepest"])
def test_the_walk_on_iris_falls(rule):
    """The loss falls at every step from the trained network, whatever the outcome is; ties abound."""
    walk = Walk(load("iris"), rule=rule)
    losses = [walk.problem.instance.loss_of(walk.problem.instance.start), walk.loss]
    losses += [walk.loss for _ in walk]
    assert len(losses) > 10
    assert losses[0] >= losses[1]
    assert all(after < before for before, after in pairwise(losses[1:]))
    assert walk.outcome is not None


# The random sample


def test_the_sample_is_the_same_bytes():
    """The same seed gives the same file, another seed another one; on every machine, so a digest is written down here."""
    text = to_json_text(sample_experiment((2, 3, 1), samples=10, seed=7))
    assert text == to_json_text(sample_experiment((2, 3, 1), samples=10, seed=7))
    assert (
        hashlib.sha256(text.encode()).hexdigest() == "0df8aeb6bfc332f02045f2ea263649f08b1fd6b727a0d8a5b4067199fe715b6a"
    )
    assert text != to_json_text(sample_experiment((2, 3, 1), samples=10, seed=8))
    assert parse_instance(text.encode()) == sample_experiment((2, 3, 1), samples=10, seed=7)


@pytest.mark.parametrize("bits", [1, 4, 53])
def test_the_sample_has_the_published_shape_and_ranges(bits):
    """Widths, ranges and the grid of `bits` bits; layer 1 is trained from its own parameters."""
    instance = sample_experiment((4, 5, 3, 1), samples=20, seed=1, bits=bits)
    assert (instance.widths, len(instance.inputs), instance.layer) == ((4, 5, 3, 1), 20, 1)

    def check(rows, bound):
        for row in rows:
            assert all(abs(value) <= bound and (value * 2**bits).denominator == 1 for value in row)

    check(instance.inputs, 3)
    check(instance.targets, 3)
    check(instance.start, 20)
    for layer in instance.layers[1:]:
        check((*layer.weight, layer.bias), 1)
    assert instance.start == tuple(
        (*row, b) for row, b in zip(instance.layers[0].weight, instance.layers[0].bias, strict=True)
    )
