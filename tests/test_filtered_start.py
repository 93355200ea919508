"""Phase 1 by the coordinate rule, floats first: the exact search's vertex and points."""

import random

import numpy as np
import pytest
from gmpy2 import mpq
from hypothesis import assume, given
from strategies import examples, general_instances, instances
from test_filter import GENERAL, cell_function, generalise, within

from exactdrl import InputError, Instance, Walk, sample_experiment
from exactdrl.arithmetic import filtered_start, native
from exactdrl.arithmetic.filtered import FilteredArithmetic
from exactdrl.arithmetic.filtered_start import FilteredSearch
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.exact import solved
from exactdrl.exact.solved import LARGEST_KEPT
from exactdrl.steps import coordinate_search, first_vertex
from exactdrl.steps.coordinate_search import CoordinateSearch
from exactdrl.steps.first_vertex import StartEnd, find_first_vertex


def search_filtered(problem, monkeypatch, *, with_points=True):
    """Phase 1 with floats, however few the parameters; and how many exchanges floats did."""
    monkeypatch.setattr(coordinate_search, "LARGEST_KEPT", 0)
    monkeypatch.setattr(solved, "LARGEST_KEPT", 0)
    taken = []
    honest, honest_one = FilteredSearch.take_in, FilteredSearch.take_in_one

    def take_in(self, entered, *, is_flat):
        found, rivals = honest(self, entered, is_flat=is_flat)
        taken.extend(found)
        return found, rivals

    def take_in_one(self, *arguments):
        kink = honest_one(self, *arguments)
        taken.extend([] if kink is None else [kink])
        return kink

    monkeypatch.setattr(FilteredSearch, "take_in", take_in)
    monkeypatch.setattr(FilteredSearch, "take_in_one", take_in_one)
    return find_first_vertex(problem, "coordinate", filtered=True, with_points=with_points), len(taken)


def check_same(instance, **options):
    """How many exchanges floats did, and of how many; the vertex and each point are the exact ones."""
    problem = IntegerProblem.from_instance(instance)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coordinate_search, "LARGEST_KEPT", 0)
        exact = find_first_vertex(problem, "coordinate")
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


FEW = [(widths, samples, seed) for widths, samples in (((6, 4, 1), 6), ((4, 5, 3, 1), 5)) for seed in range(4)]


@pytest.mark.parametrize(("widths", "samples", "seed"), FEW)
def test_flat_exchanges_take_no_exact_point(widths, samples, seed, monkeypatch):
    """With few samples most exchanges are flat: where an edge meets nothing, exact rates say so, and floats go on."""
    problem = IntegerProblem.from_instance(sample_experiment(widths, samples=samples, seed=seed))
    exact = find_first_vertex(problem, "coordinate")
    honest, turned = coordinate_search.meets_kink, []
    monkeypatch.setattr(coordinate_search, "meets_kink", lambda *args: honest(*args) or turned.append(args) or False)

    def refuse(self, met, slot):
        raise AssertionError(f"slot {slot} left exactly, for {met}")

    monkeypatch.setattr(CoordinateSearch, "_put_first", refuse)
    found, taken = search_filtered(problem, monkeypatch)
    assert found == exact
    assert taken == problem.dimension
    assert turned


def count_wrong_rates(problem, pattern, floats, vertex):
    """Asserts that rates along the float direction are as near to the exact ones as the bound of a scan has it.

    Returns how many rates of 0 are not those of the float direction.
    """
    instance, longest, corrected = problem.instance, max(map(abs, vertex.direction.tolist())), 0
    full = problem.to_full_direction([mpq(entry) for entry in vertex.direction.tolist()])
    direction = [entry for row in full for entry in row]
    for sample in range(len(instance.inputs)):
        ahead, here = (cell_function(instance, pattern, sample, at) for at in (direction, [mpq(0)] * len(direction)))
        for (layer, unit), value in ahead.items():
            depth = layer - instance.layer
            rate, computed = value - here[layer, unit], vertex.rates[depth, unit, sample]
            within(rate, computed, floats.rounding[0] * floats.gains[depth, unit] * floats.sizes[sample] * longest)
            corrected += bool(rate) and computed == 0.0
    return corrected


@pytest.mark.parametrize("is_mutated", [False, True])
def test_rates_that_are_zero_are_near_those_of_the_direction(is_mutated, monkeypatch):
    """Rates set to 0 stay within a scan's bound; if those of other kinks are set to 0, too, the check notices."""
    problem, pattern, corrected, noticed = None, None, 0, 0
    honest = native.take_in_one

    def take_in_one(floats, vertex, *arguments):
        nonlocal corrected, noticed
        if is_mutated:
            depth, sample, unit = arguments[-3:]
            proposed = vertex.rates[depth, unit, sample]
            vertex.rates[:] = 0.0
            vertex.rates[depth, unit, sample] = proposed
        try:
            corrected += count_wrong_rates(problem, pattern, floats, vertex)
        except AssertionError:
            noticed += 1
        return honest(floats, vertex, *arguments)

    monkeypatch.setattr(native, "take_in_one", take_in_one)
    for widths, samples, seed in FEW:
        problem = IntegerProblem.from_instance(sample_experiment(widths, samples=samples, seed=seed))
        pattern = CoordinateSearch(problem, filtered=False, with_points=False).pattern
        search_filtered(problem, monkeypatch)
    assert bool(noticed) == is_mutated
    assert corrected or is_mutated


@pytest.mark.parametrize("name", ["take_in_one", "take_in_kinks"])
def test_a_vertex_that_is_not_held_is_set_up_anew(name, monkeypatch):
    """The kernel goes on, but says that its vertex is lost: the exact search's vertex is found all the same."""
    honest = getattr(native, name)

    def lose(*arguments):
        answer = honest(*arguments)
        # the kinks that were entered last are not told
        return False if name == "take_in_one" else (max(arguments[4], answer[0] - 2), 0, False)

    monkeypatch.setattr(native, name, lose)
    for widths, samples, seed in FEW:
        check_same(sample_experiment(widths, samples=samples, seed=seed))


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
