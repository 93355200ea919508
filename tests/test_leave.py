"""Vertices where units are 0 are left in floats: by the exact walk's own step, or not at all."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from flint import nmod_mat
from gmpy2 import mpq, mpz
from hypothesis import given
from hypothesis import strategies as st
from strategies import examples

from exactdrl import Walk, record_walk, sample_experiment, verify_fast, write_instance
from exactdrl.arithmetic.filtered import FilteredArithmetic
from exactdrl.arithmetic.float64 import leave
from exactdrl.arithmetic.float64.problem import find_bases, to_float_problem
from exactdrl.arithmetic.float64.state import empty_slopes, empty_vertex
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.local_form import LocalForm, localise
from exactdrl.cells.scan import scan
from exactdrl.certificate.fast_check import FalseClaimError, _plain, check_steps
from exactdrl.certificate.reader import read_certificate
from exactdrl.exact.linear import PRIME, to_integers, to_matrix
from exactdrl.minimality.rules.likq import decide_by_likq, reduce_form
from exactdrl.minimality.rules.settle import Settled, _find, settle
from exactdrl.problem.instance import Instance

RULES = ("reference", "steepest", "first")
WIDTHS = [(1, 3, 1), (2, 3, 1), (1, 2, 2, 1), (2, 2, 2, 1), (1, 4, 1), (2, 3, 2, 1), (1, 3, 2)]


@st.composite
def small_experiments(draw):
    """Problems with few inputs, as theory papers have them: nearly every vertex has a unit that is 0."""
    widths, samples = draw(st.sampled_from(WIDTHS)), draw(st.integers(5, 16))
    return sample_experiment(
        widths, samples=samples, seed=draw(st.integers(0, 9999)), bits=draw(st.sampled_from([2, 3, 4, 12, 53]))
    )


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


@pytest.mark.parametrize(
    ("widths", "samples", "rule"),
    [((1, 8, 1), 100, "reference"), ((2, 5, 1), 60, "steepest")],
)
def test_nearly_all_steps_are_certain_in_floats(widths, samples, rule):
    """Where each vertex is degenerate floats take the walk all the same."""
    walk = Walk(sample_experiment(widths, samples=samples, seed=0), rule=rule)
    bases = 0
    while steps := walk.advance(64):
        bases += sum(step.basis is not None for step in steps)
    assert bases > 5
    assert walk.counts.steps[0] > 0.9 * walk.steps


def vertices(instance, limit=40):
    """Yields the exact walk's problem and arithmetic at each vertex."""
    walk = Walk(instance, arithmetic="exact", max_steps=limit)
    for _ in walk:
        yield walk.problem, walk.arithmetic


@examples(60)
@given(instance=small_experiments())
def test_what_floats_know_of_the_local_form(instance):
    """Where there are two bases of kinks for each unit that is 0 and the turns are known, LIKQ says nothing and each
    turn settles what it is said to settle.
    """
    for problem, at in vertices(instance):
        arithmetic = FilteredArithmetic(problem, at.pattern, at.basis)
        if not arithmetic._load() or not arithmetic._vertex.zero_units.any():
            continue
        floats, vertex = arithmetic._floats, arithmetic._vertex
        slopes = empty_slopes(floats)
        if (
            not leave.find_turns(floats, vertex, slopes)
            or leave.has_constant_kinks(floats, vertex)
            or not leave.are_crowded(floats, vertex, slopes)
        ):
            continue
        numerators, denominator = to_integers(at.vertex())
        reduced = reduce_form(localise(problem, scan(problem, numerators, denominator, at.pattern)))
        assert decide_by_likq(reduced) is None
        rows = [to_integers(row)[0] for row in reduced.rows]
        found = _find(Settled(reduced, (), tuple(range(len(rows))), reduced.slope, reduced.weights), rows)
        told = {arithmetic._kink(*kink) for kink in vertex.kinks[slopes.turns == 1].tolist()}
        assert {reduced.kinks[kink.position] for kink in found} == told


def test_bases_of_samples():
    """Lists of samples are disjoint, independent, and hold none that is in proportion to another."""
    rows = [[1, 2], [2, 4], [0, 0], [1, 0], [0, 1], [-1, 1], [3, 1], [1, 7], [-3, -1], [5, 1], [1, 5]]
    bases = find_bases([[mpz(x) for x in row] for row in rows], 2)
    flat = [index for base in bases for index in base]
    assert len(set(flat)) == len(flat)
    assert len(bases) == 3
    assert not set(flat) & {0, 1, 2, 6, 8}
    for base in bases:
        assert to_matrix([rows[index] for index in base], 2).rank() == 2
    assert find_bases([[mpz(1), mpz(k)] for k in (1, 1, 2, 2)], 2) == []


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
    """Steps that bring the basis in another order are certain in floats."""
    instance = sample_experiment((1, 8, 1), samples=100, seed=0)
    write_instance(instance, tmp_path / "a.json")
    walk = Walk(instance)
    record_walk(walk, tmp_path / "a.drl")
    counts = check_steps(walk.problem, read_certificate(tmp_path / "a.drl", instance))
    assert counts.steps[0] > 0.9 * walk.steps
    assert verify_fast(tmp_path / "a.json", tmp_path / "a.drl").status == "accepted"


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
    place = next(place for place, step in enumerate(certificate.steps) if step.basis is not None)
    step = certificate.steps[place]
    foreign = next(kink for kink in (s.entering for s in certificate.steps[place + 1 :]) if kink not in step.basis)
    for basis in ((foreign, *step.basis[1:]), step.basis[:-1]):
        tampered = [*certificate.steps]
        tampered[place] = type(step)(
            step.index, step.flips, basis, step.leaving, step.entering, step.is_published_stop, step.crossed
        )
        fields = {name: getattr(certificate, name) for name in certificate.__slots__}
        with pytest.raises(FalseClaimError):
            check_steps(walk.problem, type(certificate)(**fields | {"steps": tuple(tampered)}))


# -- mutations: with a condition taken away, walks differ

HEAD = """
import inspect
from exactdrl import Walk, sample_experiment
from exactdrl.arithmetic.float64 import kernel, leave, slopes, vertex
def change(module, name, old, new):
    before = getattr(module, name)
    source = inspect.getsource(before)
    assert old in source
    exec(source.replace(old, new), vars(module))
    for other in (kernel, leave, slopes, vertex):
        if getattr(other, name, None) is before:
            setattr(other, name, getattr(module, name))
"""
# case: widths, samples, seed, bits, rule
MUTATIONS = {
    "a kink without weight": (
        ("leave", "find_turns", "if not abs(weight) > bound:", "if False:"),
        ((1, 2, 2, 1), 14, 8268, 3, "reference"),
    ),
    "turns": (
        ("leave", "find_turns", "slopes.turns[slot] = max(slopes.turns[slot], slopes.turns[other] + 1)", "pass"),
        ((1, 3, 2), 11, 7898, 4, "steepest"),
    ),
    "an edge that is blocked": (
        ("leave", "is_certainly_blocked", "    return False\n", "    return True\n"),
        ((1, 3, 1), 10, 5180, 12, "first"),
    ),
    "an edge that is flipped before": (
        ("kernel", "is_stuck", "        is_flipped = place < flips\n", "        pass\n"),
        ((1, 4, 1), 11, 9431, 4, "reference"),
    ),
    "the first of many to enter": (
        ("vertex", "first_to_enter", "                return i\n", "                return sample\n"),
        ((2, 3, 1), 16, 1031, 4, "reference"),
    ),
    "the lower side": (
        ("leave", "choose_settled", "if here >= 0 and there >= 0:", "if False:"),
        ((1, 8, 1), 100, 0, 53, "steepest"),
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_conditions_are_needed(name):
    """Without a condition the walk differs from the exact one; with it, it does not."""
    (module, function, old, new), (widths, samples, seed, bits, rule) = MUTATIONS[name]
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
        for mutation in ("", f"change({module}, {function!r}, {old!r}, {new!r})\n")
    ]
    assert outputs == ["True", "False"]


def test_constant_kinks_are_seen():
    """A kink that adds up activations that are off, or of units that are 0, and no offset, is 0 whatever the rest."""
    layers = [([[1], [1]], [0, 0]), ([[1, 0], [1, 1]], [0, 0]), ([[1, 1]], [1])]
    instance = Instance.create(layers, [[k] for k in range(1, 9)], [[3]] * 8, layer=1)
    problem = IntegerProblem.from_instance(instance)
    floats = to_float_problem(problem)
    vertex = empty_vertex(floats)
    vertex.masks[:] = 1.0
    assert not leave.has_constant_kinks(floats, vertex)
    vertex.zero_units[0] = 1
    # the first unit of layer 2 adds up unit 0 alone
    assert leave.has_constant_kinks(floats, vertex)
    vertex.zero_units[:] = [0, 1]
    assert not leave.has_constant_kinks(floats, vertex)
    vertex.masks[0, :, 3] = 0.0
    assert leave.has_constant_kinks(floats, vertex)
