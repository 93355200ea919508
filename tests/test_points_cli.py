"""`exactdrl judge`: words, JSON, exit codes, bad input; `minimum` on a squared loss."""

import json

import pytest
from exactdrl_cli.main import main
from test_points import A_INPUTS, A_TARGETS, shallow

from exactdrl import Instance, write_instance
from exactdrl.problem.loss import Loss


def run(capsys, tmp_path, instance, *options, command="judge"):
    """Runs the command; returns its exit code, what it prints, and what it says on stderr."""
    path = tmp_path / "a.json"
    if isinstance(instance, str):
        path.write_text(instance)
    else:
        write_instance(instance, path, force=True)
    with pytest.raises(SystemExit) as stop:
        main([command, str(path), *options])
    out = capsys.readouterr()
    return stop.value.code, out.out, out.err


def test_keys(capsys, tmp_path):
    """The keys that programs rely on."""
    code, out, _ = run(capsys, tmp_path, shallow([[1, 0]] * 2, [[1, 0]], A_INPUTS, A_TARGETS), "--json")
    found = json.loads(out)
    assert code == 0
    assert found["verdict"] == "not-a-minimum"
    assert found["loss"] == "14"
    assert found["mean_loss"] == "14/3"
    assert found["escape_units"] == [1]
    assert found["dead_units"] == []
    assert found["escapes"][0]["unit"] == 1
    assert found["is_stationary"] is True


def test_names(capsys, tmp_path):
    """Each verdict's name; with all parameters a negative slope means not stationary."""
    minimum = shallow([[1, 0], [0, -1]], [[1, 5]], A_INPUTS, A_TARGETS)
    _, out, _ = run(capsys, tmp_path, minimum, "--json")
    assert json.loads(out)["verdict"] == "local-minimum"
    assert json.loads(out)["dead_units"] == [1]
    sloped = shallow([[1, 0]] * 2, [[2, -1]], A_INPUTS, A_TARGETS)
    _, out, _ = run(capsys, tmp_path, sloped, "--json")
    assert json.loads(out)["verdict"] == "not-stationary"
    _, out, _ = run(capsys, tmp_path, sloped, "--free", "1", "--json")
    assert json.loads(out)["verdict"] == "not-a-minimum"


def test_words(capsys, tmp_path):
    """What a stranger reads: what was checked, the verdict, the loss as a fraction, kinks, dead and escape units."""
    code, out, _ = run(capsys, tmp_path, shallow([[1, 0], [1, 0], [0, -1]], [[1, 0, 3]], A_INPUTS, A_TARGETS))
    assert code == 0
    assert "all changes of all parameters of 2 layers at once; squared loss" in out
    assert "stationary, but the loss falls along a curve" in out
    assert "loss         sum 14\n" in out
    assert "mean 4.666666667 = 14/3" in out
    assert "2 active at the point" in out
    assert "dead units   layer 1 unit 2" in out
    assert "escape unit  1" in out
    assert "at t = " in out


def test_one_layer_by_either_name(capsys, tmp_path):
    """`minimum` and `judge --free layer` say the same of a squared loss."""
    instance = shallow([[1, 0]], [[1]], A_INPUTS, A_TARGETS, free=1)
    for command in ("minimum", "judge"):
        code, out, _ = run(capsys, tmp_path, instance, "--json", command=command)
        assert code == 0
        assert json.loads(out)["verdict"] == "strict-local-minimum"
        assert json.loads(out)["by"] == "tree"


def test_undecided_says_why(capsys, tmp_path):
    """Exit 3, with the reason."""
    open_cell = shallow([[2, 1]], [[0]], [[1, 0], [0, 1]], [[0], [1]], Loss.absolute())
    code, out, _ = run(capsys, tmp_path, open_cell)
    assert code == 3
    assert "no subgradients of the loss satisfy the first-order test together" in out


def test_unbounded(capsys, tmp_path):
    """A linear loss without a bound: the same by `judge` and by `minimum`, which called such points minima."""
    layers = [([["1"]], None), ([["1"]], None)]
    instance = Instance.create(layers, [["1"], ["2"]], None, free=2, loss=Loss.linear())
    for command in ("judge", "minimum"):
        code, out, _ = run(capsys, tmp_path, instance, "--json", command=command)
        assert code == 0
        assert json.loads(out)["verdict"] == "unbounded"
    _, out, _ = run(capsys, tmp_path, instance)
    assert "falls forever along a line that meets no kink" in out
    bent = Instance.create(layers, [["1"], ["2"]], None, free=1, loss=Loss.linear())
    _, out, _ = run(capsys, tmp_path, bent, "--json")
    assert json.loads(out)["verdict"] == "not-a-minimum"


@pytest.mark.parametrize(
    ("option", "said"),
    [("5", "1 to 2"), ("layer", "name a layer"), ("0", "1 to 2"), ("both", "neither layer, nor all"), ("²", "neither")],
)
def test_free_is_refused(capsys, tmp_path, option, said):
    """Exit 2 and one line."""
    code, out, err = run(capsys, tmp_path, shallow([[1]], [[1]], [[1]], [[1]]), "--free", option)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


def test_nan_is_refused(capsys, tmp_path):
    """A network with NaN: refused, with the place."""
    layers = '{"layers": [{"weight": [["NaN"]], "bias": null}, {"weight": [["1"]], "bias": null}]}'
    text = '{"format": "exactdrl-instance", "version": 2, "network": %s, "free": "all", "loss": {"kind": "squared"}, "data": {"inputs": [["1"]], "targets": [["1"]]}}'
    code, _, err = run(capsys, tmp_path, text % layers)
    assert code == 2
    assert "network.layers[0].weight[0][0]" in err


def test_squared_loss_does_not_walk(capsys, tmp_path):
    """A squared loss asked to walk is refused, in words."""
    instance = Instance.create([([["1"]], None)], [["1"]], [["2"]], loss=Loss.squared())
    code, _, err = run(capsys, tmp_path, instance, "-o", str(tmp_path / "a.drl"), command="walk")
    assert code == 2
    assert "squared" in err


def test_deep_network(capsys, tmp_path):
    """`--free all` on a deep network works."""
    layers = [([[1, 1]], None), ([[1], [0]], None), ([[0, 0]], None)]
    instance = Instance.create(layers, [["-1", "1"], ["1", "1"]], [["1"], ["2"]], loss=Loss.squared())
    code, out, _ = run(capsys, tmp_path, instance, "--free", "all", "--json")
    assert code == 0
    assert json.loads(out)["free"] == "all"
    assert json.loads(out)["verdict"] in {"not-stationary", "not-a-minimum"}
