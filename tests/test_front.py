"""The front's functions and results: what they hold agrees with the rooms below, and saves, checks and shows itself."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
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


@pytest.mark.parametrize("free", ["layer", "all"])
def test_point_of_a_verdict(free, tmp_path):
    """A verdict's point: exact, rounded with its own loss, as arrays, as a frame, and written back."""
    third = exactdrl.sample_experiment((2, 3, 1), samples=9, seed=4, bits=6)
    third = third.with_start([[value / 3 for value in row] for row in third.start])
    if free == "all":
        third = replace(third, layers=third.point_layers, loss=Loss.squared())
    result = exactdrl.judge(third, free=free)
    assert result.loss == third.loss_at(third.point_layers)
    rounded = [[[mpq(value) for value in row] for row in layer.tolist()] for layer in result.x]
    network = [layer.with_parameters(rows) for layer, rows in zip(third.point_layers, rounded, strict=True)]
    assert result.loss_at_x == third.loss_at(network) != result.loss
    arrays = result.to_numpy()
    assert sorted(arrays) == ["bias_1", "bias_2", "weight_1", "weight_2"]
    assert (arrays["weight_1"] == result.x[0][:, :-1]).all() and (arrays["bias_2"] == result.x[1][:, -1]).all()
    result.save_npz(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as stored:
        assert all((stored[name] == array).all() for name, array in arrays.items())
    with pytest.raises(InputError, match=r"ends in \.npz"):
        result.save_npz(tmp_path / "a.json")
    pytest.importorskip("pandas")
    frame = result.to_pandas()
    assert [mpq(text) for text in frame["exact"]] == [v for layer in result.parameters for row in layer for v in row]
    assert list(frame["input"][:3]) == [1, 2, "bias"] and frame["value"][0] == result.x[0][0, 0]


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


@pytest.fixture
def recorded(problem, tmp_path) -> tuple[Path, Path]:
    """A walk in files."""
    exactdrl.walk(problem).save(tmp_path / "a.drl", instance=tmp_path / "a.json")
    return tmp_path / "a.json", tmp_path / "a.drl"


def test_observe_result(recorded, capsys):
    """What was observed is what the command prints and writes; the claims are accepted."""
    instance, run_file = recorded
    found = exactdrl.observe(instance, run_file, window=2, lines=1, jobs=1)
    walk = exactdrl.read_result(instance, run_file)
    assert (found.status, found.steps, found.final_loss) == (walk.status, walk.steps, walk.loss)
    assert found.losses[-1] == walk.loss
    assert len(found.losses) == walk.steps + 1
    claims = instance.parent / "a.claims"
    found.save(claims)
    assert exactdrl.verify(instance, run_file, claims).status == "accepted"
    tables = found.save_tables(instance.parent / "tables")
    assert len(tables) == 7
    assert {path.suffix for path in found.save_figures(instance.parent / "drawn", formats=["svg"])} == {".svg", ".csv"}
    assert len(found.plot().axes) == 3
    command = ["observe", str(instance), str(run_file), "-o", str(instance.parent / "b.claims"), "--json"]
    assert run([*command, "--window", "2", "--lines", "1"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert {key: printed[key] for key in found.to_dict()} == json.loads(json.dumps(found.to_dict()))
    assert found.message in found._repr_html_()
    pytest.importorskip("pandas")
    assert found.to_pandas()["loss"].iloc[-1] == float(walk.loss)


def test_points_and_export(recorded):
    """Points and tables of a walk by its files."""
    instance, run_file = recorded
    walk = exactdrl.read_result(instance, run_file)
    found = list(exactdrl.walk_points(instance, run_file))
    assert found[-1].loss == walk.loss
    assert exactdrl.export(instance, run_file, losses=instance.parent / "l.csv", jobs=1) == len(found)
    exactdrl.write_report(instance, run_file, instance.parent / "a.html", check=False, lines=1, jobs=1)
    assert exactdrl.to_text(walk.loss) in (instance.parent / "a.html").read_text("utf-8")
    with pytest.raises(InputError, match=r"ends in \.html"):
        exactdrl.write_report(instance, run_file, instance.parent / "a.txt")


def test_audit_result(recorded):
    """The vertices of a walk are one; a row that is moved is a fault; both as the command says them."""
    instance, run_file = recorded
    rows = [point.theta for point in exactdrl.walk_points(instance, run_file) if point.phase == 2]
    found = exactdrl.audit(instance, rows)
    assert (found.status, found.is_wrong, found.is_certifiable) == ("walk", False, True)
    found.save(instance.parent / "b.drl")
    assert exactdrl.verify(instance, instance.parent / "b.drl").status == "accepted"
    found.save_table(instance.parent / "rows.csv")
    assert len((instance.parent / "rows.csv").read_text().splitlines()) == len(rows) + 1
    assert len(found.table_lines()) == len(rows) + 1
    wrong = exactdrl.audit(instance, [rows[0], rows[-1]])
    assert (wrong.status, wrong.is_wrong) == ("wrong", True)
    assert wrong.message in str(wrong)
    assert wrong.to_dict()["first_fault"]["row"] == 2
    with pytest.raises(InputError, match="the trajectory is not proved to be a walk"):
        wrong.save(instance.parent / "c.drl")
    pytest.importorskip("pandas")
    assert list(wrong.to_pandas().index) == [1, 2]


def test_judge_start(problem, recorded, capsys):
    """A start is judged in its layer alone, as `minimum` prints it; squared loss goes to `judge`."""
    from exactdrl.front.judged_layer import judge_start

    instance, run_file = recorded
    end = problem.with_start(exactdrl.read_result(instance, run_file).parameters)
    found = judge_start(end)
    assert isinstance(found, exactdrl.LayerResult)
    assert found.is_minimum
    assert found.is_decided
    exactdrl.write_instance(end, instance.parent / "end.json")
    assert run(["minimum", str(instance.parent / "end.json"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert {key: printed[key] for key in found.to_dict()} == json.loads(json.dumps(found.to_dict()))
    assert not judge_start(instance).is_minimum
    squared = replace(end, loss=Loss.squared())
    assert isinstance(judge_start(squared), exactdrl.JudgeResult)


def test_snap_and_embed_results(tmp_path):
    """Both verdicts, in lines, for JSON, and as an instance."""
    a = Instance.create([([[1]], None), ([[1]], None)], [[1], [-1]], [[1], [1]], loss=Loss.squared(), free="all")
    snapped = exactdrl.snap(a)
    assert snapped.is_decided
    snapped.save(tmp_path / "s.json")
    assert (
        exactdrl.judge(tmp_path / "s.json").status == snapped.snapped.status == snapped.to_dict()["snapped"]["verdict"]
    )
    embedded = exactdrl.embed(a, propagated=[1])
    embedded.save(tmp_path / "e.json")
    assert exactdrl.judge(tmp_path / "e.json").status == embedded.after.status
    assert embedded.to_dict()["theory"]["agrees"] == embedded.agrees
    assert embedded.message in embedded._repr_html_()


def test_campaign_result(tmp_path):
    """A small campaign by one call; a second call runs nothing."""
    config = tmp_path / "small.toml"
    config.write_text("version = 1\n[[problems]]\nwidths = [[2, 2, 1]]\nsamples = [8]\nbits = [8]\nseeds = 2\n")
    found = exactdrl.campaign(config, tmp_path / "runs", jobs=1)
    assert (found.rejected, found.has_failed, found.failures) == (0, False, ())
    assert found.message.startswith("2, 2 of them done now")
    assert exactdrl.campaign(config, tmp_path / "runs", jobs=1).message.startswith("2, 0 of them done now")
    assert found.to_dict() == json.loads((tmp_path / "runs" / "summary.json").read_text())
    pytest.importorskip("pandas")
    assert len(found.to_pandas()) == 2
