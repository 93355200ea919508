"""Trainings recorded as they run, and what audit and visits make of the files."""

import json
import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from exactdrl_cli.main import main
from gmpy2 import mpq

from exactdrl.doors.arrays import from_arrays
from exactdrl.doors.recorder import LayerShape, Recorder
from exactdrl.doors.scikit import from_mlp_regressor
from exactdrl.doors.torch import from_torch
from exactdrl.doors.trajectory import read_trajectory
from exactdrl.doors.visits import find_visits
from exactdrl.exact.rationals import InputError
from exactdrl.problem.file import read_instance, write_instance
from exactdrl.problem.loss import Loss
from exactdrl.walks.driver import Walk


def refusal(function, *arguments, **options) -> str:
    with pytest.raises(InputError) as caught:
        function(*arguments, **options)
    return str(caught.value)


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return caught.value.code, captured.out, captured.err


@pytest.fixture(scope="module")
def torch():
    module = pytest.importorskip("torch")
    module.set_num_threads(1)
    return module


def train(torch, *, dtype=None, layer=None, every=1, steps=12):
    """Returns a recorder after a small training, with the module, the data and copies of the parameters at each step."""
    torch.manual_seed(5)
    nn = torch.nn
    module = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 3, bias=False), nn.ReLU(), nn.Linear(3, 1)).to(
        dtype
    )
    inputs = torch.randn(15, 2, dtype=dtype)
    targets = inputs.abs().sum(1, keepdim=True)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.05)
    recorder = Recorder(module, layer=layer, every=every)

    def copy():
        return [parameter.detach().double().numpy().copy() for parameter in module.parameters()]

    copies = [copy()]
    handle = recorder.attach(optimizer)
    for _ in range(steps):
        optimizer.zero_grad()
        (module(inputs) - targets).abs().mean().backward()
        optimizer.step()
        copies.append(copy())
    handle.remove()
    optimizer.step()
    return recorder, module, inputs, targets, copies


def row_of(copy):
    first, bias, second, third, last = copy
    return [*np.column_stack([first, bias]).ravel(), *second.ravel(), *np.column_stack([third, last]).ravel()]


@pytest.mark.parametrize("ending", ["npz", "parquet"])
def test_a_training_comes_back_bit_by_bit(torch, tmp_path, ending):
    """Each point has the floats that the module had, in float32, float64 and bfloat16; steps and shapes are known."""
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        recorder, module, inputs, targets, copies = train(torch, dtype=dtype)
        path = tmp_path / f"run-{str(dtype)[6:]}.{ending}"
        recorder.save(path)
        read = read_trajectory(path)
        assert read.steps == tuple(range(13))
        assert read.shapes == (LayerShape(1, 4, 2, True), LayerShape(2, 3, 4, False), LayerShape(3, 1, 3, True))
        assert [[float(x) for x in row] for row in read.points] == [row_of(copy) for copy in copies]
        if dtype != torch.bfloat16:
            instance = from_torch(module, inputs, targets)
            for row in (0, 5, -1):
                point = read.instance_at(instance, row)
                assert point.free == "all"
                for layer, (weight, bias) in zip(point.layers, parts(copies[row]), strict=True):
                    assert [list(map(float, units)) for units in layer.weight] == weight.tolist()
                    assert layer.bias is None if bias is None else list(map(float, layer.bias)) == bias.tolist()


def parts(copy):
    first, bias, second, third, last = copy
    return [(first, bias), (second, None), (third, last)]


def test_one_layer_and_every_third_step(torch, tmp_path):
    """The rest of the network is the instance's; the steps are those of the training."""
    recorder, module, inputs, targets, copies = train(torch, layer=2, every=3)
    assert len(recorder) == 5
    assert repr(recorder) == "<Recorder of layer 2: 5 points in 13 calls>"
    recorder.save(tmp_path / "r.npz")
    read = read_trajectory(tmp_path / "r.npz")
    assert read.steps == (0, 3, 6, 9, 12)
    assert [[float(x) for x in row] for row in read.points] == [copies[step][2].ravel().tolist() for step in read.steps]
    instance = from_torch(module, inputs, targets, layer=2)
    point = read.instance_at(instance, 1)
    assert (point.free, point.layers[0], point.layers[2]) == (2, instance.layers[0], instance.layers[2])
    assert [list(map(float, row)) for row in point.start] == copies[3][2].tolist()
    assert "layer 1 was not recorded" in refusal(read.points_of_layer, instance.with_free(1))
    assert "there is no row 5; the rows are 0 to 4" in refusal(read.layers_at, instance, 5)
    other = from_arrays([np.ones((3, 2))], [None], np.ones((4, 2)), np.ones((4, 3)))
    assert "layer 2 was recorded with 3 units of 4 weights without bias; the instance has 1 layers" in refusal(
        read.layers_at, other, 0
    )


def test_partial_fit_is_recorded(tmp_path):
    """scikit-learn's regressor, step by step; the last point is the regressor."""
    neural_network = pytest.importorskip("sklearn.neural_network")
    generator = np.random.default_rng(0)
    inputs, targets = generator.normal(size=(20, 2)), generator.normal(size=20)
    regressor = neural_network.MLPRegressor(hidden_layer_sizes=(3,), random_state=0)
    recorder = Recorder(regressor)
    assert "no parameters before its first fit" in refusal(recorder.record)
    recorder = Recorder(regressor)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(4):
            regressor.partial_fit(inputs, targets)
            recorder.record()
    recorder.save(tmp_path / "r.parquet")
    read = read_trajectory(tmp_path / "r.parquet")
    instance = from_mlp_regressor(regressor, inputs, targets, free="all")
    assert read.instance_at(instance, -1) == instance
    assert read.instance_at(instance, 0) != instance
    assert [visit.step for visit in find_visits(instance, read)] == [0, 1, 2, 3]


def test_functions_are_recorded(tmp_path):
    """Any loop can give its parameters by a function."""
    weights = [np.array([[1.0, 2.0]])]
    recorder = Recorder(lambda: [(weights[0], np.array([0.5]))])
    recorder.record()
    weights[0] = np.array([[0.1, -2.0]])
    recorder.record()
    recorder.save(tmp_path / "r.npz")
    assert read_trajectory(tmp_path / "r.npz").points == ((1, 2, mpq(1, 2)), (mpq(0.1), -2, mpq(1, 2)))
    weights[0] = np.array([[1.0]])
    assert "at call 3 the model's layers have other shapes" in refusal(recorder.record)
    weights[0] = np.array([["x"]])
    assert "a matrix of floats is needed" in refusal(recorder.record)


def test_recorders_are_refused(torch, tmp_path):
    """Other objects, options out of range, nothing recorded, endings, existing files."""
    module = torch.nn.Linear(2, 1)
    for model in ("x", 3, torch.ones(2), torch.nn.Linear):
        assert "is needed, not" in refusal(Recorder, model)
    assert "every is 0" in refusal(Recorder, module, every=0)
    assert "layer is 0" in refusal(Recorder, module, layer=0)
    assert "is a Tanh" in refusal(Recorder, torch.nn.Sequential(module, torch.nn.Tanh()))
    recorder = Recorder(module, layer=2)
    assert "layer is 2, the model has layers 1 to 1" in refusal(recorder.record)
    recorder = Recorder(module)
    assert "an optimizer of PyTorch is needed, not 'Linear'" in refusal(recorder.attach, module)
    assert "nothing was recorded" in refusal(recorder.save, tmp_path / "r.npz")
    recorder.record()
    assert "a trajectory's name ends in .npz or .parquet" in refusal(recorder.save, tmp_path / "r.csv")
    recorder.save(tmp_path / "r.npz")
    assert "exists already" in refusal(recorder.save, tmp_path / "r.npz")
    recorder.save(tmp_path / "r.npz", force=True)


def test_diverged_trainings_are_refused_by_step(tmp_path):
    """A NaN or an infinity is recorded, and named by its row and step when the file is read."""
    values = iter([1.0, np.inf])
    recorder = Recorder(lambda: [(np.array([[0.5, next(values)]]), None)], every=2)
    for _ in range(3):
        recorder.record()
    for name in ("r.npz", "r.parquet"):
        recorder.save(tmp_path / name)
        assert "row 2 (step 2), column 2: not a finite number: inf" in refusal(read_trajectory, tmp_path / name)


def test_damaged_trajectories_are_refused(tmp_path):
    """Arrays that do not fit, other arrays, truncated files."""
    path = tmp_path / "r.npz"
    good = {"step": np.arange(2), "theta": np.ones((2, 3)), "layers": np.array([[1, 1, 2, 1]])}
    for change, words in (
        ({"theta": np.ones((2, 4))}, "theta has 4 columns, its layers have 3 parameters"),
        ({"theta": np.ones(3)}, "a row for each step is needed"),
        ({"theta": np.ones((0, 3)), "step": np.arange(0)}, "a row for each step is needed"),
        ({"theta": np.array([["x"] * 3] * 2)}, "not a number: "),
        ({"step": np.arange(3)}, "a row for each step is needed"),
        ({"step": np.ones(2)}, "a row for each step is needed"),
        ({"layers": np.array([[1, 1, 2]])}, "layers has the entry"),
        ({"layers": np.array([[1, 1, 2, 7]])}, "layers has the entry"),
        ({"layers": np.array([[1, -1, 2, 1]])}, "layers has the entry"),
        ({"layers": np.array([[1.0, 1, 2, 1]])}, "layers has the entry"),
        ({"layers": np.array([[1, 1, 2, 1]] * 2)}, "a shape for each layer"),
        ({"layers": np.array([1, 1, 2, 1])}, "layers has the entry"),
        ({"layers": np.array(1)}, "a shape for each layer"),
        ({"more": np.ones(2)}, "name the one with the points by --columns"),
    ):
        np.savez(path, **{**good, **change})
        assert words in refusal(read_trajectory, path), words
    np.savez(path, **good)
    assert read_trajectory(path).points == ((1, 1, 1), (1, 1, 1))
    assert read_trajectory(path, columns="theta").points == ((1, 1, 1), (1, 1, 1))
    assert "no array is named 'x'" in refusal(read_trajectory, path, columns="x")
    whole = path.read_bytes()
    for content in (b"", whole[:60], whole[:-30], b"a,b\n"):
        path.write_bytes(content)
        assert refusal(read_trajectory, path).startswith(f"{path}: ")
    import pyarrow as pa
    from pyarrow import parquet

    path = tmp_path / "r.parquet"
    for about in (b"{", b"[]", b'{"format": "other"}', b'{"format": "exactdrl-trajectory"}'):
        parquet.write_table(pa.table({"a": [1.5, 2.0]}).replace_schema_metadata({b"exactdrl": about}), path)
        try:
            assert read_trajectory(path).points == ((mpq(3, 2),), (2,))
        except InputError as error:
            assert str(error).startswith(f"{path}: ")


# audit and visits


def walked(tmp_path):
    """Returns an instance, and the vertices of a walk on it as rows of floats."""
    generator = np.random.default_rng(4)
    data = np.round(generator.normal(size=(9, 2)), 1), np.round(generator.normal(size=(9, 1)), 1)
    layers = [np.round(generator.normal(size=(2, 2)), 1), np.array([[1.0, -1.0]])]
    instance = from_arrays(layers, [np.array([0.5, -0.5]), np.array([0.0])], *data)
    walk = Walk(instance)
    vertices = [walk.vertex, *(walk.vertex for _ in walk)]
    write_instance(instance, tmp_path / "i.json")
    return instance, np.array([[[float(x) for x in row] for row in vertex] for vertex in vertices])


def test_audit_reads_recorded_trainings(tmp_path, capsys, monkeypatch):
    """The same verdict for an npy array, the recorded layer, and all layers where the others stay; else a refusal."""
    monkeypatch.chdir(tmp_path)
    _, vertices = walked(tmp_path)
    np.save("p.npy", vertices)
    assert len(vertices) > 3
    current = [vertices[0]]
    last = (np.array([[1.0, -1.0]]), np.array([0.0]))

    def parameters():
        return [(current[0][:, :-1], current[0][:, -1]), last]

    for layer, name in ((1, "one.npz"), (None, "all.parquet")):
        recorder = Recorder(parameters, layer=layer)
        for vertex in vertices:
            current[0] = vertex
            recorder.record()
        recorder.save(name)
    expected = run(capsys, "audit", "i.json", "p.npy")
    assert expected[0] == 0
    assert run(capsys, "audit", "i.json", "one.npz") == expected
    assert run(capsys, "audit", "i.json", "all.parquet") == expected
    recorder = Recorder(parameters)
    recorder.record()
    last = (np.array([[1.5, -1.0]]), np.array([0.0]))
    recorder.record()
    recorder.save("moved.npz")
    code, _, err = run(capsys, "audit", "i.json", "moved.npz")
    assert code == 2
    assert "in row 2 (step 1) layer 2 is not the instance's; it has to stay fixed while layer 1 is trained" in err


def plain_signs(layers, inputs, targets):
    """The signs of all kinks and the loss, by Fraction; written without the code under test."""
    signs, loss = [], Fraction(0)
    for row, target in zip(inputs, targets, strict=True):
        values = [Fraction(x) for x in row]
        for position, (weight, bias) in enumerate(layers):
            values = [
                sum((Fraction(w) * v for w, v in zip(units, values, strict=True)), Fraction(b))
                for units, b in zip(weight, bias, strict=True)
            ]
            if position < len(layers) - 1:
                signs += [(v > 0) - (v < 0) for v in values]
                values = [max(v, Fraction(0)) for v in values]
        residuals = [v - Fraction(y) for v, y in zip(values, target, strict=True)]
        signs += [(r > 0) - (r < 0) for r in residuals]
        loss += sum(map(abs, residuals))
    return signs, loss


def test_visits_are_the_cells_of_the_points(torch, tmp_path, capsys, monkeypatch):
    """Signs, changes, returns and losses agree with a plain forward pass in Fraction."""
    monkeypatch.chdir(tmp_path)
    recorder, module, inputs, targets, copies = train(torch, steps=25)
    recorder.save("r.npz")
    instance = from_torch(module, inputs, targets, free="all")
    write_instance(instance, "i.json")
    known, before = [], None
    visits = list(find_visits(instance, read_trajectory("r.npz")))
    assert len(visits) == 26
    for visit, (first, bias, second, third, last) in zip(visits, copies, strict=True):
        layers = [(first, bias), (second, [0, 0, 0]), (third, last)]
        signs, loss = plain_signs(layers, inputs.tolist(), targets.tolist())
        assert Fraction(visit.loss) == loss
        assert visit.zeros == signs.count(0)
        assert visit.changed == (0 if before is None else sum(a != b for a, b in zip(before, signs, strict=True)))
        assert visit.is_return == (signs in known and signs != before)
        if signs not in known:
            known.append(signs)
        assert visit.cell == known.index(signs) + 1
        before = signs
    assert len(known) > 3
    code, out, err = run(capsys, "visits", "i.json", "r.npz", "--json")
    assert (code, err) == (0, "")
    table = json.loads(out)
    assert [entry["cell"] for entry in table] == [visit.cell for visit in visits]
    assert [mpq(entry["loss"]) for entry in table] == [visit.loss for visit in visits]
    code, out, _ = run(capsys, "visits", "i.json", "r.npz", "--row", 3, "-o", "p.json")
    assert code == 0
    assert len(out.splitlines()) == 29
    assert out.splitlines()[-2].startswith(f"26 points in {len(known)} cells, ")
    assert out.splitlines()[-1] == "p.json: the point of row 3, step 2"
    point = read_instance("p.json")
    assert point.loss_at(point.layers) == visits[2].loss
    # `judge` and `snap` take the recorded point themselves, and say the same as of the instance
    for command in ("judge", "snap"):
        files = {place: () if command == "judge" else ("--free", 1, "-o", f"{place}.json") for place in ("a", "b")}
        code, out, err = run(capsys, command, "p.json", *files["a"], "--json")
        found = run(capsys, command, "i.json", "--points", "r.npz", "--row", 3, *files["b"], "--json")
        assert (found[0], found[2]) == (code, err)
        told, asked = json.loads(found[1]), json.loads(out)
        assert told.pop("seconds", None) is None or asked.pop("seconds")
        assert told == asked
    last = json.loads(run(capsys, "judge", "i.json", "--points", "r.npz", "--json")[1])
    assert last["loss"] == table[-1]["loss"] != table[2]["loss"] == asked["trained"]["loss"]
    code, out, err = run(capsys, "judge", "i.json", "--points", "r.npz", "-o", "p.verdict")
    assert (code, out) == (2, "")
    assert "a verdict names the file of its instance: write the point first by `exactdrl visits" in err
    code, out, err = run(capsys, "judge", "i.json", "--points", "r.npz", "--row", 27)
    assert (code, out, err) == (
        2,
        "",
        "error: r.npz: there is no row 27; the rows are 1 to 26, or -1 to -26 from the last one back\n",
    )
    assert "--row needs --points" in run(capsys, "judge", "i.json", "--row", 3)[2]
    assert run(capsys, "visits", "i.json", "r.npz", "--row", 0, "-o", "q.json")[0] == 2
    assert run(capsys, "visits", "i.json", "r.npz", "--row", 3)[0] == 2
    assert run(capsys, "visits", "i.json", "r.npz", "--row", 27, "-o", "q.json")[0] == 2
    assert run(capsys, "visits", "i.json", "none.npz")[0] == 2
    np.savez("other.npz", step=[0], theta=np.ones((1, 3)), layers=np.array([[1, 1, 2, 1]]))
    code, out, err = run(capsys, "visits", "i.json", "other.npz")
    assert (code, out) == (2, "")
    assert "layer 1 was recorded with 1 units of 2 weights and a bias; the instance has 4 units" in err
    assert not Path("q.json").exists()


def test_returns_and_dead_units_are_seen():
    """A path that goes to and fro, written by hand: one unit, one sample, and the unit that dies."""
    values = iter([1.0, -1.0, 1.0, -1.0, 0.0])
    recorder = Recorder(lambda: [(np.array([[next(values)]]), None), (np.array([[1.0]]), None)])
    for _ in range(5):
        recorder.record()
    instance = from_arrays([[[1]], [[1]]], [None, None], [[2]], [[1]], free="all")
    recorder_path = read_trajectory_of(recorder)
    visits = list(find_visits(instance, recorder_path))
    assert [visit.cell for visit in visits] == [1, 2, 1, 2, 3]
    assert [visit.is_return for visit in visits] == [False, False, True, True, False]
    # The residual 2 - 1 turns to 0 - 1 with the unit; the last point changes the unit alone
    assert [visit.changed for visit in visits] == [0, 2, 2, 2, 1]
    assert [visit.zeros for visit in visits] == [0, 0, 0, 0, 1]
    assert [visit.loss for visit in visits] == [1, 1, 1, 1, 1]
    assert [visit.dead_units for visit in visits] == [(), ((1, 0),), (), ((1, 0),), ((1, 0),)]
    squared = from_arrays([[[1]], [[1]]], [None, None], [[2]], [[1]], free="all", loss=Loss.squared())
    assert [visit.changed for visit in find_visits(squared, recorder_path)] == [0, 1, 1, 1, 1]


def read_trajectory_of(recorder):
    """Returns what a recorder has kept, by way of a file."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        recorder.save(Path(folder) / "r.npz")
        return read_trajectory(Path(folder) / "r.npz")
