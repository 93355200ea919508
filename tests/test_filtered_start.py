"""Phase 1 by the coordinate rule in floats: the exact one's vertex, or nothing."""

import numpy as np
import pytest
from hypothesis import given
from strategies import instances

from exactdrl import Walk, sample_experiment
from exactdrl.arithmetic import filtered
from exactdrl.arithmetic.filtered import FilteredArithmetic, find_first_basis
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.walk.start import find_first_vertex, find_start_cell


def check_same(instance):
    """Whether floats find a first vertex; it is the exact one."""
    problem = IntegerProblem.from_instance(instance)
    found = find_first_basis(problem, find_start_cell(problem)) if problem.dimension else None
    if found is None:
        return False
    exact = find_first_vertex(problem, "coordinate")
    assert tuple(found) == exact.basis
    assert find_start_cell(problem) == exact.pattern
    return True


@given(instance=instances())
def test_same_first_vertex_on_small_instances(instance):
    """On degenerate and regular problems alike."""
    check_same(instance)


@pytest.mark.parametrize("bits", [53, 12, 3, 1])
@pytest.mark.parametrize("widths", [(4, 5, 4, 3, 2, 1), (3, 2, 2), (6, 4, 1), (5, 1)])
def test_same_first_vertex_on_random_problems(widths, bits):
    """From doubles to single bits; doubles are certain in floats, but for slopes that are 0."""
    found = [check_same(sample_experiment(widths, samples=30, seed=seed, bits=bits)) for seed in range(3)]
    if bits == 53:
        assert sum(found) >= 2


def test_many_parameters_take_no_exact_vertex(monkeypatch):
    """With n = 130, first vertex and steps are found without an exact vertex."""

    def refuse(self):
        raise AssertionError("an exact vertex was asked for")

    monkeypatch.setattr(FilteredArithmetic, "_exact_here", refuse)
    walk = Walk(sample_experiment((12, 10, 1), samples=200, seed=1), max_steps=40)
    assert walk.start_rule == "coordinate"
    assert walk.problem.dimension > filtered.LARGEST_EXACT
    while walk.advance(8):
        assert np.isfinite(walk.loss_estimate)
    assert walk.steps == 40
