"""Data beyond float64's range at either end: the filter is off, and certificates are true."""

import pytest
from gmpy2 import mpq

from exactdrl import Instance, Walk, record_walk, sample_experiment, verify, verify_fast, write_instance
from exactdrl.arithmetic.float64.problem import to_float_problem
from exactdrl.cells.integer_problem import IntegerProblem

TINY = mpq(1, 2**1500)


def faint(widths, samples, seed):
    """One output whose weights are 2^-1500 of usual ones, its bias 0, most of its targets too: no 0 by structure."""
    base = sample_experiment(widths, samples=samples, seed=seed, bits=20)
    layers = [([list(row) for row in layer.weight], list(layer.bias)) for layer in base.layers]
    layers[1][0][0] = [TINY * entry for entry in layers[1][0][0]]
    layers[1][1][0] = mpq(0)
    targets = [[mpq(0), *row[1:]] for row in base.targets]
    return Instance.create(layers, base.inputs, targets, start=base.start)


def test_data_that_round_to_zero_switch_floats_off():
    """A number other than 0 that is 0 in float64 is out of range."""
    assert to_float_problem(IntegerProblem.from_instance(faint((2, 3, 2), 9, 0))) is None


def test_the_default_walk_is_true(tmp_path):
    """With n = 72 floats would be used from phase 1 on. The certificate is accepted."""
    instance, path = tmp_path / "i.json", tmp_path / "r.drl"
    write_instance(faint((7, 9, 2), 90, 0), instance)
    record_walk(Walk(faint((7, 9, 2), 90, 0), rule="steepest", max_steps=2), path)
    assert verify(instance, path).line.startswith("accepted")


def test_the_fast_check_agrees(tmp_path):
    """Floats at once: both checks accept what was walked."""
    for seed in range(1, 5):
        instance, path = tmp_path / "i.json", tmp_path / "r.drl"
        made = faint((2, 2, 2), 12 + 3 * seed, seed)
        write_instance(made, instance, force=True)
        record_walk(Walk(made, max_steps=60), path, force=True)
        assert verify(instance, path).line.startswith("accepted")
        assert verify_fast(instance, path).line.startswith("accepted")


@pytest.mark.parametrize(("targets", "start"), [(["1", "1e400", "3"], None), (["1", "2", "3"], [["1e309", "0"]])])
def test_long_step_beyond_the_range(targets, start):
    """Numbers above 2^1024 are left to exact arithmetic."""
    instance = Instance.create([([[0]], [0])], [["1"], ["2"], ["4"]], [[y] for y in targets], start=start)
    assert list(Walk(instance, rule="long-step")) == list(Walk(instance, rule="long-step", arithmetic="exact"))
