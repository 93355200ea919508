"""The front's functions about cells: what they return agrees with the rooms below, and saves and checks itself."""

import numpy as np
import pytest
from gmpy2 import mpq
from test_cell_judge import TABLE

import exactdrl


def test_cells_of_two_units():
    """The 21 hidden cells of the table, from a NumPy array."""
    found = exactdrl.judge_hidden_cells(np.array([[-1.0], [0.0], [1.0]]), [-1, 1, 1], units=2)
    assert [cell.judged.patterns for cell in found] == [case[:2] for case in TABLE]
    assert [cell.judged.relaxation.value for cell in found] == [2 * mpq(case[2]) for case in TABLE]


def test_global_minimum_and_its_certificate(tmp_path):
    """W1 at width 2, from texts; the certificate is accepted, and an undecided one is not written."""
    inputs = [["-1"], ["-0.6"], ["-0.1"], ["0.3"], ["0.7"]]
    targets = ["0.28", "-0.1", "0.03", "0.23", "-0.22"]
    result = exactdrl.global_minimum(inputs, targets, units=2)
    assert (result.is_proved, result.loss, result.bound) == (True, mpq(319, 5000), mpq(319, 5000))
    result.save(tmp_path / "a.json", tmp_path / "a.drl")
    assert exactdrl.verify(tmp_path / "a.json", tmp_path / "a.drl").status == "accepted"
    undecided = exactdrl.global_minimum(inputs, targets, units=2, budget=20)
    assert not undecided.is_proved
    assert undecided.bound <= result.loss <= undecided.loss
    with pytest.raises(exactdrl.InputError, match="undecided"):
        undecided.save(tmp_path / "b.json", tmp_path / "b.drl")


def test_spurious_minimum_and_its_certificate(tmp_path):
    """The point of the instance is the minimum, and exactdrl judges it as one."""
    result = exactdrl.spurious_minimum([[-1], [0], [1]], [[-1], [1], [1]], widths=(1, 3, 2, 1))
    assert result.found.loss == mpq(2, 3) > result.found.better_loss
    result.save(tmp_path / "a.json", tmp_path / "a.drl")
    assert exactdrl.verify(tmp_path / "a.json", tmp_path / "a.drl").status == "accepted"
    assert exactdrl.judge(result.instance).status == "local-minimum"


def test_wrong_shapes_are_refused():
    """Ragged rows, missing targets and texts that are no numbers are refused."""
    for inputs, targets in (([[1], [2, 3]], [1, 2]), ([[1]], [1, 2]), ([["x"]], [1])):
        with pytest.raises(exactdrl.InputError):
            exactdrl.global_minimum(inputs, targets)
