"""`exactdrl minimum`: words, JSON and exit codes."""

import json

import pytest
from exactdrl_cli.main import main
from test_minimality import TRIANGLE, cut_instance, line, unit

from exactdrl import Instance, write_instance


def run(capsys, tmp_path, instance: Instance, *options: str):
    """Runs the command; returns its exit code and what it prints."""
    path = tmp_path / "a.json"
    write_instance(instance, path, force=True)
    with pytest.raises(SystemExit) as stop:
        main(["minimum", str(path), *options])
    return stop.value.code, capsys.readouterr().out


def test_not_a_minimum(capsys, tmp_path):
    """A direction and a step to a smaller loss, exit 0."""
    code, out = run(capsys, tmp_path, cut_instance(3, TRIANGLE, 3))
    assert code == 0
    assert "degenerate vertex" in out
    assert "not a local minimum" in out
    assert "direction" in out
    assert "epsilon" in out


def test_minimum_by_tree(capsys, tmp_path):
    """A proved minimum names its proof."""
    code, out = run(capsys, tmp_path, cut_instance(3, TRIANGLE, 5))
    assert code == 0
    assert "local minimum (a tree of tangent cells)" in out


def test_undecided(capsys, tmp_path):
    """Beyond the budget: exit 3, and nothing is claimed."""
    code, out = run(capsys, tmp_path, cut_instance(3, TRIANGLE, 5), "--budget", "2")
    assert code == 3
    assert "undecided" in out
    assert "neither proved nor refuted" in out


def test_gradient_not_zero(capsys, tmp_path):
    """Inside a cell with a slope: no vertex, and the gradient is not zero."""
    code, out = run(capsys, tmp_path, unit([((1, 1), 0), ((2, 1), 9)], [1, 1]))
    assert code == 0
    assert "inside a cell of dimension 2" in out
    assert "not zero along the face" in out


def test_flat_cell(capsys, tmp_path):
    """Inside a flat cell: its dimension."""
    code, out = run(capsys, tmp_path, unit([((1, 1), 0), ((2, 1), 1)], [-1, -1]))
    assert code == 0
    assert "flat along its face of dimension 2" in out
    code, out = run(capsys, tmp_path, line("5/8", "3/8"))
    assert "flat along its face of dimension 1" in out
    assert "the loss keeps its value up to" in out
    assert "throughout the face of dimension 1" in out


def test_json(capsys, tmp_path):
    """The same for programs."""
    code, out = run(capsys, tmp_path, cut_instance(3, TRIANGLE, 3), "--json")
    result = json.loads(out)
    assert code == 0
    assert result["verdict"] == "not-a-minimum"
    assert result["face_dimension"] == 0
    assert result["epsilon"]
    assert len(result["direction"][0]) == 4
    code, out = run(capsys, tmp_path, line("1/2", "1/2"), "--json")
    result = json.loads(out)
    assert result["verdict"] == "local-minimum"
    assert result["by"]
    assert result["flat_length"]
    assert result["flat_face_dimension"] == 1
