"""Verdicts where one layer bends alone, against the values of F on all rays of its arrangement."""

import oracle
import strategies
from hypothesis import event, given
from oracle import Problem
from test_minimality import TRIANGLE, cut_instance, judged, max_cut

from exactdrl.minimality.verdict import LocalMinimum, NotMinimum, StrictLocalMinimum, Undecided
from exactdrl.problem.instance import Instance


def compare(instance: Instance) -> str:
    """Judges a start, compares with the rays, and returns the verdict in words."""
    problem = Problem(instance)
    form = oracle.local_form(problem, problem.start)
    is_minimum, is_strict, direction = oracle.decide_on_rays(form)
    if direction is not None:
        assert oracle.local_change(form, direction) < 0
    verdict = judged(instance).verdict
    assert not isinstance(verdict, Undecided)
    assert isinstance(verdict, NotMinimum) != is_minimum
    if isinstance(verdict, StrictLocalMinimum):
        assert is_strict
    elif isinstance(verdict, LocalMinimum) and verdict.by == "likq":
        assert not is_strict
    return f"{type(verdict).__name__} {getattr(verdict, 'by', '')}, n = {problem.n}"


@strategies.examples(120)
@given(strategies.one_layer_instances())
def test_against_rays(instance):
    """With up to 6 parameters and many coincidences the verdict is what F's values on all rays say."""
    event(compare(instance))


@strategies.examples(40)
@given(strategies.one_layer_instances(max_parameters=3, max_samples=6))
def test_rays_against_cells(instance):
    """The two oracles agree: the rays of the arrangement, and the enumeration of cells by PPL."""
    problem = Problem(instance)
    is_minimum, is_strict, _ = oracle.decide_on_rays(oracle.local_form(problem, problem.start))
    truth = oracle.decide_minimality(problem, problem.start)
    assert (is_minimum, is_strict) == (truth.is_minimum, truth.is_strict)


def test_maximum_cuts_on_rays():
    """The family with known answers, on both sides of its bound."""
    c = 2 * max_cut(3, TRIANGLE) + 1
    assert compare(cut_instance(3, TRIANGLE, c)).startswith(("LocalMinimum tree", "StrictLocalMinimum tree"))
    assert compare(cut_instance(3, TRIANGLE, c - 2)).startswith("NotMinimum")
