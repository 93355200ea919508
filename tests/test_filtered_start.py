"""Phase 1 by the coordinate rule, floats first: the exact search's vertex and points."""

import random

import numpy as np
import pytest
from hypothesis import assume, given
from strategies import examples, general_instances, instances
from test_filter import GENERAL, generalise

from exactdrl import InputError, Instance, Walk, sample_experiment
from exactdrl.arithmetic import filtered_start
from exactdrl.arithmetic.filtered import FilteredArithmetic
from exactdrl.arithmetic.filtered_start import FilteredSearch
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.exact.solved import LARGEST_KEPT
from exactdrl.steps import coordinate_search, first_vertex
from exactdrl.steps.coordinate_search import CoordinateSearch
from exactdrl.steps.first_vertex import StartEnd, find_first_vertex


def search_filtered(problem, monkeypatch, *, with_points=True):
    """Phase 1 with floats, however few the parameters; and how many exchanges floats did."""
    monkeypatch.setattr(coordinate_search, "LARGEST_KEPT", 0)
    taken = []
    honest = FilteredSearch.take_in

    def take_in(self, entered, *, is_flat):
        found, rivals = honest(self, entered, is_flat=is_flat)
        taken.extend(found)
        return found, rivals

    monkeypatch.setattr(FilteredSearch, "take_in", take_in)
    return find_first_vertex(problem, "coordinate", filtered=True, with_points=with_points), len(taken)


def check_same(instance, **options):
    """How many exchanges floats did, and of how many; the vertex and each point are the exact ones."""
    problem = IntegerProblem.from_instance(instance)
    exact = find_first_vertex(problem, "coordinate")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in options.items():
            patch.setattr(filtered_start, name, value)
        found, taken = search_filtered(problem, patch)
    assert found == exact
    return taken, 0 if isinstance(exact, StartEnd) else len(exact.basis)


@given(instance=instances())
def test_same_first_vertex_on_small_instances(instance):
    """On degenerate and regular problems alike."""
    check_same(instance)


@given(instance=general_instances())
def test_same_first_vertex_on_general_problems(instance):
    """With other activations and losses, and where an edge of phase 1 that falls meets no kink."""
    try:
        problem = IntegerProblem.from_instance(instance)
    except InputError:
        # kinks that differ from sample to sample
        assume(False)
    if problem.reduction.ray is None:
        check_same(instance)


@pytest.mark.parametrize("name", ["leaky", "falling", "pinball", "leaky hinge", "weights"])
def test_same_first_vertex_on_general_experiments(name):
    """Doubles are certain in floats here, too."""
    base = [sample_experiment((4, 5, 4, 2), samples=30, seed=seed) for seed in range(3)]
    found = [check_same(generalise(instance, **GENERAL[name])) for instance in base]
    assert sum(taken == n for taken, n in found) >= 2


@pytest.mark.parametrize("bits", [53, 12, 3, 1])
@pytest.mark.parametrize("widths", [(4, 5, 4, 3, 2, 1), (3, 2, 2), (6, 4, 1), (5, 1)])
def test_same_first_vertex_on_random_problems(widths, bits):
    """From doubles to single bits; doubles are certain in floats, but for slopes that are 0."""
    found = [check_same(sample_experiment(widths, samples=30, seed=seed, bits=bits)) for seed in range(3)]
    if bits == 53:
        assert sum(taken == n for taken, n in found) >= 2


def sparse(seed):
    """Inputs of small integers, most of them 0, and units that are on for few samples: images in small."""
    numbers = random.Random(seed)
    inputs = [[numbers.choice([0] * (2 + 3 * j) + [1, 2, 5]) for j in range(6)] for _ in range(25)]
    first = [([numbers.randint(-9, 9) for _ in range(6)], numbers.choice([-30, -8, 3])) for _ in range(4)]
    weights = [[numbers.randint(1, 9) * numbers.choice([-1, 1]) for _ in range(4)]]
    layers = [([list(row) for row, _ in first], [b for _, b in first]), (weights, [1])]
    return Instance.create(layers, inputs, [[numbers.randint(-20, 20)] for _ in inputs])


def test_slopes_that_are_zero_go_up_the_ladder():
    """Where all slopes are 0 and edges meet nothing on one side, exact exchanges go on and floats take over again."""
    found = [check_same(sparse(seed)) for seed in range(12)]
    assert any(0 < taken < n for taken, n in found)


@examples(40)
@given(instance=instances())
def test_balls_narrow_down_what_floats_leave(instance):
    """Floats never hold a point; balls look at every choice among two coordinates and more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FilteredSearch, "_load", lambda self, entered: False)
        taken, _ = check_same(instance, _MANY_RIVALS=1)
    assert taken == 0


def test_many_parameters_take_no_exact_vertex(monkeypatch):
    """With n = 130, first vertex and steps are found without an exact vertex, or one exact exchange."""

    def refuse(self, *arguments):
        raise AssertionError("an exact decision was asked for")

    monkeypatch.setattr(FilteredArithmetic, "_exact_here", refuse)
    monkeypatch.setattr(CoordinateSearch, "_exchange_one", refuse)
    walk = Walk(sample_experiment((12, 10, 1), samples=200, seed=1), max_steps=40)
    assert walk.start_rule == "coordinate"
    assert walk.problem.dimension > LARGEST_KEPT
    assert len(walk.first_vertex.points) == 1
    while walk.advance(8):
        assert np.isfinite(walk.loss_estimate)
    assert walk.steps == 40


def test_few_samples_project_little(monkeypatch):
    """With fewer samples than parameters: once the gradient is projected to 0 it stays so, and so do coordinates."""
    calls = []
    real = first_vertex.project_out
    monkeypatch.setattr(first_vertex, "project_out", lambda rows, vector: calls.append(len(rows)) or real(rows, vector))
    problem = IntegerProblem.from_instance(sample_experiment((4, 6, 4, 1), samples=3, seed=1))
    n = problem.dimension
    found = find_first_vertex(problem, "projected-gradient")
    assert len(found.basis) == n == 18
    # one projection of the gradient a move, and one more where it is 0; each coordinate fails at most once
    assert n <= len(calls) <= 2 * n + 1
