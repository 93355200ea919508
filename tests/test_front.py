"""The front's functions and results: what they hold agrees with the rooms below, and saves, checks and shows itself."""

import json
from pathlib import Path

import pytest
from exactdrl_cli.main import run
from gmpy2 import mpq

import exactdrl
from exactdrl import InputError, Instance, Loss


@pytest.fixture
def problem() -> Instance:
    return exactdrl.sample_experiment((2, 3, 1), samples=15, seed=1, bits=8)


def test_walk_result(problem, tmp_path, capsys):
    """A walk's result is the walk's: exact, rounded beside it, and written, read and checked again."""
    result = exactdrl.walk(problem, rule="steepest")
    walk = exactdrl.Walk(problem, rule="steepest")
    assert result.outcome == walk.run()
    assert (result.steps, result.loss, result.parameters) == (walk.steps, walk.loss, walk.vertex)
    assert result.success
    assert result.x.shape == (3, 3)
    assert result.loss_at_x == problem.loss_of([[mpq(v) for v in row] for row in result.x.tolist()]) >= result.loss
    assert result.verify().status == result.verify(fast=True).status == "accepted"
    assert result.status in str(result.to_dict()) and result.message in str(result)
    assert result.message.split("(")[0].strip() in result._repr_html_()
    arrays = result.to_numpy()
    assert sorted(arrays) == ["bias_1", "bias_2", "weight_1", "weight_2"]
    assert (arrays["weight_1"] == result.x[:, :-1]).all()
    assert json.loads(json.dumps(result.to_dict()))["steps"] == result.steps

    result.save(tmp_path / "a.drl", instance=tmp_path / "a.json")
    again = exactdrl.read_result(tmp_path / "a.json", tmp_path / "a.drl")
    assert (again.outcome, again.parameters, again.loss) == (result.outcome, result.parameters, result.loss)
    assert again.verify().status == "accepted"
    direct = exactdrl.walk(tmp_path / "a.json", rule="steepest", path=tmp_path / "b.drl")
    assert direct.certificate == (tmp_path / "b.drl").read_bytes()
    result.save_npz(tmp_path / "a.npz")
    with pytest.raises(InputError, match="exists already"):
        result.save_npz(tmp_path / "a.npz")
    assert run(["show", str(tmp_path / "a.json"), str(tmp_path / "a.drl"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == again.to_dict()
    assert len(result.plot().axes) == 1
    assert result.plot_slice(zoom=mpq(2)).axes


def test_frames(problem):
    """A result is a data frame with a row for each point."""
    pytest.importorskip("pandas")
    result = exactdrl.walk(problem)
    frame = result.to_pandas()
    assert frame["loss"].iloc[-1] == float(result.loss)
    assert (frame["loss"].diff().dropna() <= 0).all()


def test_default_rule(tmp_path):
    """Convex problems are walked by long steps, others by the published rule."""
    data = [[1, 2], [2, 1], [3, 5], [4, 3]], [[1], [2], [2], [5]]
    assert exactdrl.walk(exactdrl.from_regression(*data)).rule == "long-step"
    assert exactdrl.walk(exactdrl.sample_experiment((1, 2, 1), samples=6, seed=0, bits=6)).rule == "reference"
    with pytest.raises(InputError, match="an Instance, or the path"):
        exactdrl.walk(3)


def test_argument_minimisation():
    """The end of a walk over a network's input is a minimum there; on the box the multipliers of its kinks prove it."""
    weights, biases = [[[1, 2], [-1, 1], ["1/2", -2]], [[1, -1, "1/2"]]], [[0, 1, -1], None]
    boxed = exactdrl.walk(exactdrl.from_network_argument(weights, biases, box=(-1, 1)))
    assert [row[0] for row in boxed.parameters] == [-1, mpq(1, 2)]
    assert boxed.loss == mpq(-5, 2)
    assert boxed.verify().line == "accepted: 0 steps, strict-local-minimum by likq"
    free = exactdrl.walk(exactdrl.from_network_argument(weights, biases))
    assert free.status == "unbounded"
    assert not free.success
    assert free.verify().status == "accepted"
    steps = [free.instance.loss_of(_along(free, t)) for t in (0, 1, 2, 10**6)]
    assert steps == sorted(steps, reverse=True)
    for words, options in (
        ("the lower bound has to be below", {"box": (1, 1)}),
        ("outside the box", {"box": (0, 1), "start": [2, 0]}),
        ("direction has 2 entries", {"direction": [1, 1]}),
        ("start has 1 entries", {"start": [1]}),
    ):
        with pytest.raises(InputError, match=words):
            exactdrl.from_network_argument(weights, biases, **options)


def _along(result, length):
    rows = zip(result.parameters, result.outcome.direction, strict=True)
    return [[a + length * d for a, d in zip(*pair, strict=True)] for pair in rows]


def test_judge_and_snap(tmp_path):
    """A trained network: literally not stationary, snapped a spurious local minimum; both verdicts are accepted."""
    numpy = pytest.importorskip("numpy")
    network = pytest.importorskip("sklearn.neural_network")
    inputs, targets = numpy.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), numpy.array([0.0, 1, 1, 0])
    options = {"hidden_layer_sizes": (3,), "solver": "lbfgs", "alpha": 0, "max_iter": 2000, "random_state": 3}
    fitted = network.MLPRegressor(**options).fit(inputs, targets)
    problem = exactdrl.from_mlp_regressor(fitted, inputs, targets, free="all", loss=Loss.squared())
    trained = exactdrl.judge(problem)
    assert not trained.is_minimum
    assert trained.verify().status == "accepted"
    found = exactdrl.snap(problem)
    assert found.trained.loss == trained.loss
    snapped = found.snapped
    assert snapped is not None
    assert snapped.is_minimum
    # which minimum depends on the build of the optimiser; these are the losses of the affine fits on the cells
    assert snapped.loss <= found.trained.loss
    assert snapped.mean_loss == snapped.loss / 4
    assert snapped.verify().status == "accepted"
    assert snapped.status in str(snapped.to_dict())
    assert snapped.message in str(found)
    assert snapped.message.split("(")[0] in snapped._repr_html_()
    exactdrl.write_instance(snapped.instance, tmp_path / "s.json")
    snapped.save(tmp_path / "s.verdict")
    assert run(["judge", str(tmp_path / "s.json")]) == 0
    assert exactdrl.judge(Path(tmp_path / "s.json")).status == snapped.status
