"""Slopes that floats call 0 since the changes of the units that move cancel are exactly 0, and each condition is needed."""

import inspect
from types import FunctionType

import pytest
from gmpy2 import mpq
from hypothesis import given
from hypothesis import strategies as st

from exactdrl import Walk, sample_experiment
from exactdrl.arithmetic.filtered import FilteredArithmetic
from exactdrl.arithmetic.float64 import cancel, structure
from exactdrl.arithmetic.float64.state import empty_slopes
from exactdrl.arithmetic.protocol import Edge
from exactdrl.problem.activation import RELU, Activation

SHAPES = ((1, 3, 1), (1, 4, 1), (2, 3, 1), (1, 5, 1), (1, 2, 2, 1), (1, 3, 2), (2, 4, 2), (1, 4, 3, 1), (1, 3, 2, 2, 1))
ACTIVATIONS = (RELU, Activation(mpq(1), mpq(0)), Activation(mpq(1, 10), mpq(1)), Activation(mpq(-1), mpq(1)))


def edges_called_zero(problem, pattern, basis):
    """Every edge of a vertex whose slope is called 0, whether its sign in floats is certain or not."""
    arithmetic = FilteredArithmetic(problem, pattern, basis)
    if not arithmetic._load() or not cancel.can_cancel(arithmetic._floats):
        return []
    floats, vertex, room = arithmetic._floats, arithmetic._vertex, empty_slopes(arithmetic._floats)
    structure.find_zero_slopes(floats, vertex, room)
    cancel.prepare(floats, vertex, room)
    return [
        Edge(kink, is_across)
        for slot, kink in enumerate(basis)
        for is_across in (False, True)
        if cancel.is_cancelled(floats, vertex, room, slot, is_across)
    ]


def compare(instance, rule, limit=60):
    """How many slopes along an exact walk are called 0, and how many of them are not."""
    walk = Walk(instance, rule=rule, arithmetic="exact", max_steps=limit)
    found = wrong = 0
    if walk.start_end is not None:
        return found, wrong
    while True:
        for edge in edges_called_zero(walk.problem, walk.stepper.arithmetic.pattern, walk.stepper.arithmetic.basis):
            found += 1
            wrong += walk.stepper.arithmetic.slope_sign(edge) != 0
        if not walk.advance(1):
            return found, wrong


@given(
    widths=st.sampled_from(SHAPES), samples=st.integers(5, 14), seed=st.integers(0, 10**6), bits=st.sampled_from((2, 3, 4, 12)),
    activation=st.sampled_from(ACTIVATIONS), rule=st.sampled_from(("reference", "steepest")),
)  # fmt: skip
def test_what_cancels_is_exactly_zero(widths, samples, seed, bits, activation, rule):
    """No slope that is called 0 is another number, on random and on tied data, with any activation."""
    instance = sample_experiment(widths, samples=samples, seed=seed, bits=bits, activation=activation)
    assert compare(instance, rule, 30)[1] == 0


@pytest.mark.parametrize(
    ("widths", "samples", "seed"), [((1, 8, 1), 60, 2), ((2, 8, 1), 60, 0), ((1, 10, 10, 1), 60, 0)]
)
def test_most_zero_slopes_are_found(widths, samples, seed):
    """With few inputs nearly all steps are certain in floats, though slopes are exactly 0."""
    walk = Walk(sample_experiment(widths, samples=samples, seed=seed), max_steps=150)
    walk.run()
    assert walk.counts.steps[0] >= 0.95 * walk.steps


# -- mutations: without a condition, slopes that are not 0 are called 0

CASES = {
    "a layer of two": ((1, 2, 2, 1), 7, 4179, 3, "steepest", RELU),
    "one input": ((1, 4, 1), 7, 5200, 3, "reference", RELU),
    "one input, many bits": ((1, 3, 1), 10, 9718, 12, "steepest", RELU),
    "a layer of three": ((1, 4, 3, 1), 11, 1416, 4, "reference", RELU),
    "two inputs, two outputs": ((2, 4, 2), 12, 3439, 3, "steepest", RELU),
    "one input, two outputs": ((1, 3, 2), 9, 3584, 4, "steepest", RELU),
    "leaky units": ((1, 3, 1), 9, 0, 4, "steepest", ACTIVATIONS[2]),
}
# function, what stands there, what takes its place, and the case that notices
MUTATIONS = {
    "a condition for each sample": (
        "span_samples",
        "            conditions += slopes.counts[part]\n",
        "            conditions += 0\n",
        "a layer of two",
    ),
    "a condition where a kink may choose": (
        "span_samples",
        "            conditions += 1\n",
        "            conditions += 0\n",
        "a layer of three",
    ),
    "conditions for each input": ("span_samples", "conditions + size * rank", "conditions + size", "a layer of two"),
    "what is in the span": (
        "is_spanned",
        "return rest == 0",
        "return True",
        "two inputs, two outputs",
    ),
    "where a unit is quiet": ("is_quiet", "    return False\n", "    return True\n", "a layer of two"),
    "the side of the edge": ("is_cancelled", "    if has_slope(", "    if False and has_slope(", "one input"),
    "the edge's own kink moves": (
        "is_cancelled",
        "slopes.resting[sample] &= ~own_bit(depth, unit)",
        "pass",
        "one input, many bits",
    ),
    "rows of deeper kinks": (
        "all_cancels",
        "                depth > 0\n",
        "                depth > 9\n",
        "a layer of two",
    ),
    "rows of own kinks": (
        "all_cancels",
        "1 if own != 0",
        "1 if other == slot and own != 0",
        "a layer of two",
    ),
    "the edge's own row": (
        "all_cancels",
        "    if slopes.groups[slot] == 0:\n        return False\n",
        "",
        "a layer of two",
    ),
    "rows of one sample": ("all_cancels", " and slopes.rows_of[vertex.kinks[slot, 1]] <= most", "", "a layer of two"),
    "the rank of a sample's rows": ("all_cancels", "min(most, count - size)", "1", "one input, two outputs"),
    "one slope a unit": (
        "find_moved",
        " or min(abs(below), abs(above), abs(difference)) != 0.0",
        "",
        "leaky units",
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_conditions_are_needed(name, monkeypatch):
    """With a condition taken away the comparison fails; with it, it does not."""
    function, old, new, case = MUTATIONS[name]
    widths, samples, seed, bits, rule, activation = CASES[case]
    instance = sample_experiment(widths, samples=samples, seed=seed, bits=bits, activation=activation)
    assert compare(instance, rule)[1] == 0
    source = inspect.getsource(getattr(cancel, function))
    assert source.count(old) == 1
    changed = dict(vars(cancel))
    exec(source.replace(old, new), changed)
    monkeypatch.setattr(cancel, function, FunctionType(changed[function].__code__, vars(cancel)))
    assert compare(instance, rule)[1] > 0
