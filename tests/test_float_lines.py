"""Breakpoints along lines in floats: what floats are certain of is true, and counts are those of integers."""

import math

import numpy as np
import pytest
from gmpy2 import mpq
from hypothesis import given
from hypothesis import strategies as st
from strategies import examples, instances

from exactdrl import Instance, sample_experiment
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.exact.linear import to_integers
from exactdrl.observations import lines
from exactdrl.observations.density import Line, count_breakpoints
from exactdrl.observations.float_lines import FloatProblem, find_certain
from exactdrl.observations.lines import count_breakpoints_within, find_breakpoints

RADII = (mpq(1, 8), mpq(1, 2), mpq(2), mpq(32))


def matrices(problem, source, bits):
    shape = len(problem.instance.start), len(problem.instance.start[0])
    entries = source.integers(-(2**bits), 2**bits, (2, *shape))
    point, flat = ([[mpq(int(v), 2 ** (bits - 1)) for v in row] for row in matrix] for matrix in entries)
    return point, problem.to_full_direction([v for row in flat for v in row][: problem.dimension])


def by_integers(problem, origin, direction, radii=RADII):
    sizes = sorted(map(abs, find_breakpoints(problem, origin, direction, radii[-1])))
    return tuple(sum(size < radius for size in sizes) for radius in radii), bool(sizes) and sizes[0] == 0


@given(instance=instances(max_depth=3, max_parameters=6), seed=st.integers(0, 2**32), bits=st.sampled_from([1, 3, 40]))
@examples(120)
def test_counts_are_those_of_integers(instance, seed, bits):
    """On any line of any problem, with ties, dead units, leaky activations and coarse numbers."""
    problem = IntegerProblem.from_instance(instance)
    if not problem.dimension:
        return
    origin, direction = matrices(problem, np.random.default_rng(seed), bits)
    floats = FloatProblem.of(problem)
    assert floats is not None
    expected = by_integers(problem, origin, direction)
    assert count_breakpoints_within(problem, origin, direction, RADII, floats) == expected
    assert count_breakpoints_within(problem, origin, direction, RADII, None) == expected


@given(instance=instances(max_depth=3, max_parameters=6), seed=st.integers(0, 2**32), bits=st.sampled_from([2, 40]))
@examples(120)
def test_what_floats_are_certain_of(instance, seed, bits):
    """On a sample that is not left open floats find each of its breakpoints, within their bounds, and no other."""
    problem = IntegerProblem.from_instance(instance)
    if not problem.dimension:
        return
    origin, direction = matrices(problem, np.random.default_rng(seed), bits)
    floats = FloatProblem.of(problem)
    point, rates = problem.to_reduced(origin), problem.to_reduced(direction)
    found = find_certain(floats, point, rates, float(RADII[-1]))
    line = lines._Line.through(problem, origin, direction, RADII[-1])
    for sample in np.flatnonzero(~found.is_open).tolist():
        exact = sorted(lines._find_jumps(problem, line, [sample]))
        own = found.sample == sample
        near = sorted(zip(found.place[own].tolist(), found.error[own].tolist(), strict=True))
        assert len(exact) == len(near)
        for place, (about, error) in zip(exact, near, strict=True):
            assert abs(place - mpq(about)) <= mpq(error)


def test_floats_settle_nearly_all_of_random_problems():
    """On the published experiment floats leave almost nothing open, and where a vertex's kinks meet, those samples."""
    problem = IntegerProblem.from_instance(sample_experiment(samples=60, seed=2))
    source = np.random.default_rng(0)
    open_samples = 0
    for _ in range(5):
        origin, direction = matrices(problem, source, 40)
        found = find_certain(
            FloatProblem.of(problem), problem.to_reduced(origin), problem.to_reduced(direction), float(RADII[-1])
        )
        open_samples += int(found.is_open.sum())
        assert len(found.place) > 30
    assert open_samples <= 3


def test_ties_between_samples():
    """Breakpoints of two samples at one place count once, or cancel; beside a certain one an open one is no other."""
    instance = Instance.create([([["0"]], None)], [["1"]] * 5, [["0"], ["1"], ["1"], ["1"], ["3"]])
    problem = IntegerProblem.from_instance(instance)
    origin, direction = [[mpq(1)]], [[mpq(1)]]
    radii = (mpq(1, 2), mpq(2), mpq(4))
    expected = by_integers(problem, origin, direction, radii)
    assert expected == ((1, 2, 3), True)
    assert count_breakpoints_within(problem, origin, direction, radii, FloatProblem.of(problem)) == expected
    cancelling = Instance.create([([["0"]], None), ([["1"]], None)], [["1"], ["-1"]], [["-9"], ["9"]])
    problem = IntegerProblem.from_instance(cancelling)
    for sample_floats in (FloatProblem.of(problem), None):
        assert count_breakpoints_within(problem, [[mpq(0)]], [[mpq(1)]], (mpq(5),), sample_floats) == ((0,), False)


@pytest.mark.parametrize("size", ["1e-400", "1e400", "1e-150", "1e150"])
def test_numbers_beyond_the_range_of_floats(size):
    """Data, and lines, that no float holds are left to integers; what fits after scaling is not."""
    instance = Instance.create(
        [([["1", "2"]], ["1"]), ([["1"]], ["0"])], [[size, "1"], ["1", size], ["2", "3"]], [["1"], [size], ["0"]]
    )
    problem = IntegerProblem.from_instance(instance)
    floats = FloatProblem.of(problem)
    source = np.random.default_rng(1)
    for scale in (mpq(1), mpq(size) if "e" not in size else mpq(10) ** int(size[2:])):
        origin, direction = matrices(problem, source, 5)
        direction = [[value * scale for value in row] for row in direction]
        expected = by_integers(problem, origin, direction)
        assert count_breakpoints_within(problem, origin, direction, RADII, floats) == expected


def test_radii_that_are_no_floats():
    """A radius that is no float exactly is compared by integers."""
    problem = IntegerProblem.from_instance(Instance.create([([["0"]], None)], [["3"]] * 2, [["1"], ["2"]]))
    radii = (mpq(1, 3), mpq(2, 3))
    line = Line("control", ((mpq(0),),), ((mpq(1),),))
    found = count_breakpoints(problem, ((mpq(0),),), line, radii, FloatProblem.of(problem))
    assert found.counts == (0, 1)  # 1/3 is not below 1/3, 2/3 not below 2/3


def test_open_samples_are_settled_by_integers(monkeypatch):
    """Whatever samples floats leave open, the counts are the same."""
    problem = IntegerProblem.from_instance(sample_experiment((2, 3, 2, 1), samples=25, seed=3, bits=12))
    origin, direction = matrices(problem, np.random.default_rng(5), 30)
    floats = FloatProblem.of(problem)
    expected = by_integers(problem, origin, direction)
    find = find_certain
    for seed in range(6):
        source = np.random.default_rng(seed)

        def open_some(*arguments, source=source):
            found = find(*arguments)
            found.is_open[source.random(problem.samples) < 0.5] = True
            kept = ~found.is_open[found.sample]
            return type(found)(found.sample[kept], found.place[kept], found.error[kept], found.is_open)

        monkeypatch.setattr(lines, "find_certain", open_some)
        assert count_breakpoints_within(problem, origin, direction, RADII, floats) == expected


def test_line_in_integers():
    """τ = t · unit: the scaled line's coefficients are integers."""
    problem = IntegerProblem.from_instance(sample_experiment((2, 2, 1), samples=9, seed=1, bits=5))
    origin, direction = matrices(problem, np.random.default_rng(1), 5)
    line = lines._Line.through(problem, origin, direction, mpq(2))
    assert to_integers(problem.to_reduced(origin)) == (line.point, line.scale)
    assert line.end == 2 * line.unit
    assert math.isfinite(float(line.unit))


def certain(layers):
    """What floats find on θ = t for one sample x = 1 and target 0, the first layer's weights (0, ...) + t (1, 2, ...)."""
    instance = Instance.create(layers, [["1"]], [["-50"]])
    problem = IntegerProblem.from_instance(instance)
    units = problem.dimension
    return find_certain(FloatProblem.of(problem), [mpq(0)] * units, [mpq(k + 1) for k in range(units)], 8.0)


def test_zeros_at_one_place_are_left_open():
    """Two units of a layer whose zeros coincide have no order."""
    found = certain([([["0"], ["0"]], None), ([["1", "1"]], ["3"])])
    assert found.is_open.tolist() == [True]


def test_paths_that_cancel_are_left_open():
    """Two live paths whose weights cancel: that the slope does not change there is for integers to say."""
    found = certain([([["0"]], None), ([["0.1"], ["0.1"]], ["5", "7"]), ([["1", "-1"]], ["3"])])
    assert found.is_open.tolist() == [True]
    found = certain([([["0"]], None), ([["0.1"], ["0.1"]], ["5", "7"]), ([["1", "-2"]], ["3"])])
    assert found.is_open.tolist() == [False] and len(found.place) == 1


def test_units_without_a_bend_have_no_breakpoint():
    """Where an activation's slopes are the same its zero is no breakpoint."""
    relu, identity = ("0", "1"), ("1", "1")
    # the second unit is -2 at t = 0, and 0 at t = 1: off, or passed on with nothing new at t = 1
    for second, expected in ((relu, 1), (identity, 0)):
        hidden = ([["1"]], ["-2"], [second])
        found = certain([([["0"]], None, [("1", "2")]), hidden, ([["1"]], ["3"])])
        assert found.is_open.tolist() == [False]
        assert found.place.tolist() == pytest.approx([expected], abs=1e-9)


def test_a_certain_place_that_an_open_sample_shares(monkeypatch):
    """A breakpoint of which floats are certain counts once where a sample that they left open breaks, too."""
    instance = Instance.create([([["0"]], None)], [["1"]] * 3, [["0"], ["1"], ["1"]])
    problem = IntegerProblem.from_instance(instance)

    def open_one(*arguments):
        found = find_certain(*arguments)
        kept = found.sample != 1
        return type(found)(found.sample[kept], found.place[kept], found.error[kept], np.arange(3) == 1)

    monkeypatch.setattr(lines, "find_certain", open_one)
    line = [[mpq(1, 4)]], [[mpq(1)]]
    floats = FloatProblem.of(problem)
    assert count_breakpoints_within(problem, *line, (mpq(4),), floats) == by_integers(problem, *line, (mpq(4),))
