"""Vertices where units are 0 are left in floats: by the exact walk's own step, or not at all."""

import os
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace

import pytest
from flint import nmod_mat
from gmpy2 import mpq, mpz
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import examples

from exactdrl import Instance, Walk, read_instance, record_walk, sample_experiment, verify, write_instance
from exactdrl.arithmetic.balls import BallVertex, Reach, UncertainError
from exactdrl.arithmetic.exact import ExactArithmetic
from exactdrl.arithmetic.filtered import FilteredArithmetic
from exactdrl.arithmetic.float64 import leave
from exactdrl.arithmetic.float64.state import RESTING
from exactdrl.arithmetic.protocol import Edge, Move
from exactdrl.cells.local_form import LocalForm
from exactdrl.cells.scan import scan
from exactdrl.certificate.fast_check import FalseClaimError, _plain, check_steps
from exactdrl.certificate.reader import read_certificate
from exactdrl.exact.linear import PRIME, to_integers, to_matrix
from exactdrl.minimality.rules.settle import Settled, settle

RULES = ("reference", "steepest", "first")
WIDTHS = [(1, 3, 1), (2, 3, 1), (1, 2, 2, 1), (2, 2, 2, 1), (1, 4, 1), (2, 3, 2, 1), (1, 3, 2)]


@st.composite
def small_experiments(draw):
    """Problems with few inputs, as theory papers have them: nearly every vertex has a unit that is 0."""
    widths, samples = draw(st.sampled_from(WIDTHS)), draw(st.integers(5, 16))
    drawn = sample_experiment(
        widths, samples=samples, seed=draw(st.integers(0, 9999)), bits=draw(st.sampled_from([2, 3, 4, 12, 53]))
    )
    return weighted(drawn, draw(st.sampled_from([(1,), (0, 1, 2), (1, 1, 0, mpq(5, 7))])))


def weighted(drawn, weights):
    """The problem with weights of its samples, which are repeated; residuals of weight 0 are no kinks."""
    if weights == (1,):
        return drawn
    layers = [(layer.weight, layer.bias) for layer in drawn.layers]
    own = [weights[sample % len(weights)] for sample in range(len(drawn.inputs))]
    return Instance.create(layers, drawn.inputs, drawn.targets, layer=1, start=drawn.start, weights=own)


@pytest.mark.parametrize("rule", RULES)
@examples(40)
@given(instance=small_experiments())
def test_same_walk_where_units_are_zero(rule, instance):
    """The filtered walk takes the exact walk's steps, the bases of those out of degenerate vertices included."""
    exact = Walk(instance, rule=rule, arithmetic="exact", max_steps=60)
    walk = Walk(instance, rule=rule, max_steps=60)
    steps = []
    while more := walk.advance(9):
        steps += more
    assert steps == list(exact)
    assert walk.outcome == exact.outcome


@pytest.mark.parametrize("widths", [(2, 3, 2, 1), (2, 3, 3, 1)])
def test_samples_of_weight_zero_bound_no_cell(widths, tmp_path):
    """Where units are 0 on a group, the residual of a sample of weight 0, which is no kink, is not one that is met."""
    instance = weighted(sample_experiment(widths, samples=30, seed=3, bits=20), (0, 1, 2, mpq(5, 7)))
    write_instance(instance, tmp_path / "a.json")
    instance = read_instance(tmp_path / "a.json")
    record_walk(Walk(instance), tmp_path / "a.drl")
    record_walk(Walk(instance, arithmetic="exact"), tmp_path / "b.drl")
    assert (tmp_path / "a.drl").read_bytes() == (tmp_path / "b.drl").read_bytes()
    assert verify(tmp_path / "a.json", tmp_path / "a.drl").status == "accepted"


@pytest.mark.parametrize(
    ("widths", "samples", "rule"),
    [((1, 8, 1), 100, "reference"), ((2, 5, 1), 60, "steepest")],
)
def test_nearly_all_steps_are_certain_in_floats(widths, samples, rule):
    """Where nearly each vertex is degenerate floats take the walk all the same."""
    instance = sample_experiment(widths, samples=samples, seed=0)
    walk = Walk(instance, rule=rule)
    while walk.advance(64):
        pass
    seen = vertices(instance, rule=rule, limit=200)
    assert sum(len(at.vanishing_kinks()) > problem.dimension for problem, at in seen) > 10
    assert walk.counts.steps[0] > 0.9 * walk.steps


# problems on whose walks units of layer 2 are 0 on groups of samples
GROUPED = [
    ((1, 3, 3, 1), 10, 9626, 12, "steepest"),
    ((1, 3, 3, 1), 7, 4771, 4, "steepest"),
    ((1, 3, 3, 1), 15, 4110, 12, "reference"),
    ((1, 5, 5, 1), 30, 2, 53, "reference"),
    ((1, 3, 3, 2, 1), 20, 5, 53, "steepest"),
]


@pytest.mark.parametrize("case", GROUPED)
def test_same_walk_where_units_are_zero_on_groups(case):
    """The filtered walk takes the exact walk's steps where units above the trained layer are 0 on groups of samples."""
    widths, samples, seed, bits, rule = case
    instance = sample_experiment(widths, samples=samples, seed=seed, bits=bits)
    exact = Walk(instance, rule=rule, arithmetic="exact", max_steps=80)
    walk = Walk(instance, rule=rule, max_steps=80)
    steps = []
    while more := walk.advance(9):
        steps += more
    assert steps == list(exact)
    assert walk.outcome == exact.outcome


def groups_of(instance, rule):
    """Yields problem, filtered arithmetic and exact one at the vertices of the exact walk where floats see groups."""
    for problem, at in vertices(instance, rule, limit=80):
        arithmetic = FilteredArithmetic(problem, at.pattern, at.basis)
        arithmetic._load()
        if arithmetic._vertex is not None and arithmetic._vertex.group_counts[RESTING]:
            yield problem, arithmetic, ExactArithmetic(problem, at.pattern, at.basis)


def test_what_floats_say_of_groups_is_true():
    """Marked kinks vanish, and edges are blocked that are said to be; where floats hold a vertex nothing else vanishes."""
    marked = blocked = 0
    for widths, samples, seed, bits, rule in GROUPED:
        instance = sample_experiment(widths, samples=samples, seed=seed, bits=bits)
        for problem, arithmetic, exact in groups_of(instance, rule):
            floats, vertex = arithmetic._floats, arithmetic._vertex
            found = {
                (problem.first + depth, sample, unit)
                for depth, unit, sample in zip(*(vertex.vanishing == 1.0).nonzero(), strict=True)
            }
            vanishing = set(exact.vanishing_kinks()) - set(exact.basis)
            assert found <= vanishing
            marked += len(found)
            if not arithmetic._load():
                continue
            own = {kink for kink in vanishing if kink.layer == problem.first and vertex.zero_units[kink.unit]}
            assert found == vanishing - own
            for slot in range(problem.dimension):
                kink = problem.addresses.kink_of(*vertex.kinks[slot].tolist())
                for is_across in (False, True):
                    if leave.is_certainly_blocked_by_group(floats, vertex, slot, is_across):
                        assert exact.is_blocked(Edge(kink, is_across))
                        blocked += 1
    assert marked > 100
    assert blocked > 20


def test_no_step_within_a_group():
    """A recorded step that exchanges two kinks of one group, at one point, is not certain, whatever its slope."""
    asked = 0
    for widths, samples, seed, bits, rule in GROUPED:
        instance = sample_experiment(widths, samples=samples, seed=seed, bits=bits)
        for problem, arithmetic, exact in groups_of(instance, rule):
            others = set(exact.vanishing_kinks()) - set(exact.basis)
            for leaving in exact.basis:
                for entering in [kink for kink in others if kink[::2] == leaving[::2] and kink.layer > problem.first][
                    :1
                ]:
                    for flips in ((), (leaving,)):
                        fresh = FilteredArithmetic(problem, arithmetic.pattern, arithmetic.basis)
                        assert fresh.follow([Move(flips, leaving, entering, False)]) == 0
                        asked += 1
    assert asked > 20


def vertices(instance, rule="reference", limit=40):
    """Yields the exact walk's problem and arithmetic at each vertex."""
    walk = Walk(instance, rule=rule, arithmetic="exact", max_steps=limit)
    for _ in walk:
        yield walk.problem, walk.stepper.arithmetic


@examples(60)
@given(instance=small_experiments())
def test_blocked_edges(instance):
    """An edge is blocked where the ratio test at it finds no room; balls say that it is not, or nothing."""
    for problem, at in vertices(instance):
        balls = BallVertex(problem, Reach.of(problem), at.pattern, at.basis, bits=128)
        for kink in at.basis:
            for is_flipped in (False, True):
                here = ExactArithmetic(problem, at.pattern, at.basis)
                found = here.is_blocked(Edge(kink, is_flipped))
                if is_flipped:
                    here.flip(kink)
                met = here.first_kinks(kink)
                assert found == (met is not None and met.is_blocked)
                with suppress(UncertainError):
                    assert not balls.is_blocked(Edge(kink, is_flipped))
                    assert not found


@examples(60)
@given(instance=small_experiments())
def test_floats_call_no_edge_blocked_that_is_not(instance):
    """What floats say of edges that leave kinks of units that are 0 is true."""
    for problem, at in vertices(instance):
        arithmetic = FilteredArithmetic(problem, at.pattern, at.basis)
        if not arithmetic._load():
            continue
        floats, vertex = arithmetic._floats, arithmetic._vertex
        here = ExactArithmetic(problem, at.pattern, at.basis)
        for slot in range(problem.dimension):
            if not leave.is_zero_unit_kink(vertex, slot):
                continue
            kink = problem.addresses.kink_of(*vertex.kinks[slot].tolist())
            for is_flipped in (False, True):
                if leave.is_certainly_blocked(floats, vertex, slot, at.pattern.is_on(kink) != is_flipped):
                    assert here.is_blocked(Edge(kink, is_flipped))


@pytest.mark.parametrize("rule", RULES)
@examples(40)
@given(instance=small_experiments())
def test_steps_at_degenerate_vertices_descend(rule, instance):
    """Where an edge of the basis improves and is not blocked, the step takes one, without another basis."""
    walk = Walk(instance, rule=rule, arithmetic="exact", max_steps=40)
    # a loss that does not depend on the layer has no vertex
    assume(walk.start_end is None)
    while True:
        here = ExactArithmetic(walk.problem, walk.stepper.arithmetic.pattern, walk.stepper.arithmetic.basis)
        edges = [Edge(kink, is_flipped) for kink in here.basis for is_flipped in (False, True)]
        is_open = any(here.slope_sign(edge) < 0 and not here.is_blocked(edge) for edge in edges)
        before = walk.loss
        steps = walk.advance(1)
        if not steps:
            break
        assert is_open == (steps[0].basis is None)
        assert walk.loss < before


def test_a_kink_that_is_alone_is_not_missed_modulo_the_prime():
    """A row that is 0 modulo the prime settles all the same: the trajectory hangs on exact ranks alone."""
    rows = ((mpq(PRIME), mpq(0)), (mpq(0), mpq(1)), (mpq(0), mpq(2)))
    assert nmod_mat(to_matrix([to_integers(row)[0] for row in rows], 2), PRIME).rank() == 1
    form = LocalForm((0, 1, 2), rows, ({}, {}, {}), (mpq(0), mpq(0)), (mpq(1), mpq(1), mpq(1)))
    state = settle(form)
    assert isinstance(state, Settled)
    assert [kink.position for kink in state.kinks] == [0]


# -- the daily check


def test_fast_check_follows_steps_with_a_basis_in_floats(tmp_path):
    """Steps that bring the basis in another order, their leaving kink last, are certain in floats."""
    instance = sample_experiment((1, 8, 1), samples=100, seed=0)
    walk = Walk(instance, rule="steepest")
    record_walk(walk, tmp_path / "a.drl")
    certificate = read_certificate(tmp_path / "a.drl", instance)
    order, steps = list(certificate.first.basis), []
    for step in certificate.steps:
        order = [kink for kink in step.basis or order if kink != step.leaving]
        steps.append(replace(step, basis=step.basis or (*order, step.leaving)))
        order.append(step.entering)
    counts = check_steps(walk.problem, replace(certificate, steps=tuple(steps)))
    assert counts.steps[0] > 0.9 * walk.steps


def test_fast_check_looks_at_the_basis():
    """A basis in any other order, or of other kinks, is no step for floats."""
    kinks = tuple(range(5))
    step = SimpleNamespace(is_published_stop=False, crossed=(), leaving=1, entering=9, basis=(0, 2, 3, 4, 1))
    after = SimpleNamespace(is_published_stop=False, crossed=(), leaving=9, entering=1, basis=None)
    assert _plain([step, after], kinks) == [step, after]
    for wrong in ((0, 1, 2, 3, 4), (0, 2, 3, 1, 4), (0, 2, 3, 7, 1), (0, 2, 3, 1), (0, 2, 3, 4, 1, 1)):
        step.basis = wrong
        assert _plain([step, after], kinks) == []
    step.basis, step.leaving = None, 7
    assert _plain([step], kinks) == []


def test_fast_check_rejects_false_bases(tmp_path):
    """A certificate whose basis is that of another point is rejected."""
    instance = sample_experiment((1, 8, 1), samples=60, seed=0)
    walk = Walk(instance)
    record_walk(walk, tmp_path / "a.drl")
    certificate = read_certificate(tmp_path / "a.drl", instance)
    order = list(certificate.first.basis)
    foreign = next(step.entering for step in certificate.steps[1:] if step.entering not in order)
    for basis in ((foreign, *order[1:]), tuple(order[:-1])):
        tampered = (replace(certificate.steps[0], basis=basis), *certificate.steps[1:])
        with pytest.raises(FalseClaimError):
            check_steps(walk.problem, replace(certificate, steps=tampered))


# -- mutations: with a condition taken away, walks differ

HEAD = """
import inspect
from exactdrl import Walk, sample_experiment
from exactdrl.arithmetic import native
from exactdrl.arithmetic.float64 import groups, kernel, leave, slopes, vertex
def change(module, name, old, new):
    before = getattr(module, name)
    source = inspect.getsource(before)
    assert old in source
    exec(source.replace(old, new), vars(module))
    for other in (groups, kernel, leave, native, slopes, vertex):
        if getattr(other, name, None) is before:
            setattr(other, name, getattr(module, name))
"""
# case: widths, samples, seed, bits, rule
MUTATIONS = {
    "an edge that is blocked": (
        (
            "leave",
            "is_certainly_blocked",
            "            return True\n    return False\n",
            "            return True\n    return True\n",
        ),
        ((1, 3, 1), 13, 4937, 12, "reference"),
    ),
    "an edge that is flipped before": (
        ("kernel", "choose_open", "across = 1 if is_among_first(vertex, leaving, flips) else 0", "across = 0"),
        ((2, 3, 1), 10, 3035, 4, "reference"),
    ),
    "flips of another choice than the rule's": (
        (
            "kernel",
            "walk_steps",
            " if search == CUMULATIVE and is_own else leaving",
            " if search == CUMULATIVE else leaving",
        ),
        ((2, 3, 2, 1), 12, 5874, 12, "reference"),
    ),
    "a stop of the published rule": (
        (
            "kernel",
            "walk_steps",
            "search == CUMULATIVE and is_own and flipped == 0",
            "search == CUMULATIVE and flipped == 0",
        ),
        ((1, 4, 1), 11, 849, 3, "reference"),
    ),
    "the first of many to enter": (
        ("vertex", "first_to_enter", "                return i\n", "                return sample\n"),
        ((1, 4, 1), 11, 849, 3, "reference"),
    ),
    "the sides of a group": (
        ("groups", "has_sides", "                return False\n", "                return True\n"),
        GROUPED[0],
    ),
    "as many kinks of a group as inputs": (
        ("groups", "mark_groups", "if count >= rank", "if count >= 1"),
        GROUPED[0],
    ),
    "the first that is met with a group": (
        ("groups", "is_first_met", "                    return False\n", "                    return True\n"),
        GROUPED[0],
    ),
    "the cell of an edge across": (
        ("leave", "is_certainly_blocked_by_group", "1.0 - own if is_across else own", "own"),
        GROUPED[0],
    ),
    "the bound on rates": (
        ("leave", "is_certainly_blocked_by_group", "bound = factor * problem.sizes[i] + TINY", "bound = 0.0"),
        ((1, 2, 2, 1), 12, 1541, 12, "reference"),
    ),
    "the direction of an edge across": (
        ("leave", "set_edge", "    if is_across:", "    if is_across and False:"),
        GROUPED[2],
    ),
}
# a proposal: with another one the step is left to exact arithmetic, unless the condition that finds that is gone, too
PROPOSAL = "change(groups, 'first_near', '                    return t, j, i', '                    return depth, unit, sample')\n"


@pytest.mark.parametrize("name", MUTATIONS)
def test_conditions_are_needed(name):
    """Without a condition the walk differs from the exact one; with it, it does not."""
    (module, function, old, new), (widths, samples, seed, bits, rule) = MUTATIONS[name]
    before = PROPOSAL if function == "is_first_met" else ""
    code = (
        f"instance = sample_experiment({widths}, samples={samples}, seed={seed}, bits={bits})\n"
        f"exact = list(Walk(instance, rule={rule!r}, arithmetic='exact', max_steps=180))\n"
        f"print(list(Walk(instance, rule={rule!r}, max_steps=180)) == exact)\n"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", HEAD + mutation + code],
            env=os.environ | {"EXACTDRL_PURE_PYTHON": "1"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for mutation in (before, before + f"change({module}, {function!r}, {old!r}, {new!r})\n")
    ]
    assert outputs == ["True", "False"]


@pytest.mark.parametrize("seed", [10, 34])
def test_what_blocks_an_edge_exactly(monkeypatch, seed):
    """An edge is blocked if and only if, of all kinks of all layers, one that vanishes moves against its bit."""
    ask = ExactArithmetic.is_blocked
    seen = Counter()

    def compare(vertex, edge):
        for one in [Edge(kink, is_flipped) for kink in vertex.basis for is_flipped in (False, True)]:
            direction, _ = vertex.direction(one)
            pattern = vertex.pattern.copy()
            if one.is_flipped:
                pattern.flip(one.kink)
            rates = scan(vertex._problem, direction, mpz(0), pattern)
            against = [
                depth
                for depth, layer in enumerate(vertex.values())
                for value, rate, bit in zip(layer, rates[depth], pattern.bits[depth], strict=True)
                if value == 0 and rate != 0 and (rate > 0) != bool(bit)
            ]
            assert ask(vertex, one) == bool(against)
            seen[min(against, default=None)] += 1
        return ask(vertex, edge)

    monkeypatch.setattr(ExactArithmetic, "is_blocked", compare)
    Walk(sample_experiment((2, 3, 2, 1), samples=60, seed=seed)).run()
    # open edges, and such that only a kink above the trained layer blocks
    assert seen[None] > 0
    assert seen[1] > 0
