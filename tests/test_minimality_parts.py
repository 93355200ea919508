"""The parts of the minimality room: feasibility, settling, reach, reproducibility, and witnesses that are refused."""

import random
from dataclasses import replace
from fractions import Fraction
from itertools import product
from pathlib import Path

import oracle
import pytest
import strategies
from gmpy2 import mpq, mpz
from hypothesis import given
from hypothesis import strategies as st
from oracle import Problem
from test_minimality import TRIANGLE, cut_instance
from treecheck import check_tree, is_tree_of_signs

from exactdrl import read_instance
from exactdrl.cells.local_form import localise
from exactdrl.cells.reach import short_step
from exactdrl.cells.scan import scan
from exactdrl.certificate.lines import outcome_text, parse_object, parse_outcome
from exactdrl.exact import program as feasibility_module
from exactdrl.exact.linear import to_integers
from exactdrl.exact.program import BoundedForms, Conflict
from exactdrl.minimality.point import judge_point
from exactdrl.minimality.verdict import LocalMinimum, StrictLocalMinimum

bounds = st.none() | st.integers(-4, 4)


@st.composite
def programs(draw):
    """Integer forms and, for several rounds, bounds on variables and forms."""
    count, width = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    rows = [[draw(st.integers(-3, 3)) for _ in range(width)] for _ in range(count)]
    rounds = []
    for _ in range(draw(st.integers(1, 4))):
        changes = {}
        for index in draw(st.sets(st.integers(0, count + width - 1))):
            lower, upper = draw(bounds), draw(bounds)
            if lower is not None and upper is not None:
                lower, upper = min(lower, upper), max(lower, upper)
            changes[index] = (lower, upper)
        rounds.append(changes)
    return rows, width, rounds


@strategies.examples(300)
@given(programs())
def test_feasibility_proves_its_answer(program):
    """Either values within all bounds, or multipliers by which the bounds contradict each other; also after changes."""
    solve_and_check(program)


@strategies.examples(100)
@given(programs(), st.integers(0, 2))
def test_feasibility_by_blands_rule(program, greedy):
    """The same where Bland's rule makes all choices, or all but the first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feasibility_module, "_GREEDY", greedy)
        patch.setattr(feasibility_module, "_GREEDY_EACH", 0)
        solve_and_check(program)


@strategies.examples(300)
@given(programs(), st.integers(0, 3))
def test_forms_that_come_later(program, first):
    """The same where forms are added between the rounds, to whatever basis there is then."""
    solve_and_check(program, first)


def test_a_form_that_comes_to_a_basis():
    """A form is added in what is nonbasic then, over the denominator that there is: 2x + y and 3x - y as variables."""
    forms = BoundedForms([[mpz(2), mpz(1)], [mpz(3), mpz(-1)]], 2)
    for index, value in ((2, 7), (3, 3)):
        forms.set_bounds(index, mpq(value), mpq(value))
    assert forms.solve() == [2, 3]
    assert forms.add_form([mpz(1), mpz(4)]) == 4
    # x may follow one of the two now: x + 4 y ≥ 30 with 2 x + y = 7
    forms.set_bounds(3, None, None)
    forms.set_bounds(4, mpq(30), mpq(30))
    assert forms.solve() == [mpq(-2, 7), mpq(53, 7)]
    assert forms.add_form([mpz(0), mpz(1)]) == 5
    forms.set_bounds(4, None, None)
    forms.set_bounds(5, mpq(1), mpq(1))
    assert forms.solve() == [3, 1]
    forms.set_bounds(0, mpq(4), None)
    assert isinstance(forms.solve(), Conflict)


def test_a_form_of_variables_without_place():
    """One variable is in the basis, the other is not: the second's coefficient is scaled by the denominator."""
    forms = BoundedForms([[mpz(3), mpz(1)]], 2)
    forms.set_bounds(2, mpq(6), mpq(6))
    assert forms.solve() == [2, 0]
    index = forms.add_form([mpz(1), mpz(1)])
    forms.set_bounds(index, mpq(4), mpq(4))
    assert forms.solve() == [1, 3]


def solve_and_check(program, first: int | None = None) -> None:
    """Solves a program round by round, and checks each answer; after the first forms one comes in each round."""
    every, width, rounds = program
    rows = every[:first]
    forms = BoundedForms([[mpz(a) for a in row] for row in rows], width)
    current = dict.fromkeys(range(width + len(every)), (None, None))
    for changes in rounds:
        if len(rows) < len(every):
            rows.append(every[len(rows)])
            assert forms.add_form([mpz(a) for a in rows[-1]]) == width + len(rows) - 1
        for index, (lower, upper) in changes.items():
            if index >= width + len(rows):
                continue
            current[index] = (lower, upper)
            forms.set_bounds(index, None if lower is None else mpq(lower), None if upper is None else mpq(upper))
        solved = forms.solve()
        if not isinstance(solved, Conflict):
            values = [*solved, *(sum(a * x for a, x in zip(row, solved, strict=True)) for row in rows)]
            for value, (lower, upper) in zip(values, (current[i] for i in range(len(values))), strict=True):
                assert lower is None or value >= lower
                assert upper is None or value <= upper
            continue
        y = solved.multipliers
        coefficients = [-sum(m * row[k] for m, row in zip(y, rows, strict=True)) for k in range(width)] + list(y)
        least = 0
        for index, coefficient in enumerate(coefficients):
            if coefficient:
                bound = current[index][0 if coefficient > 0 else 1]
                assert bound is not None
                least += coefficient * bound
        assert least > 0


@strategies.examples(60)
@given(strategies.instances(max_samples=6), st.integers(0, 10**6))
def test_radius(instance, seed):
    """Within the radius the loss changes as the local form does."""
    problem = Problem(instance)
    point = judge_point(instance, budget=1)
    source = random.Random(seed)
    reach = Fraction(5) if point.radius is None else oracle.to_fraction(point.radius) * Fraction(99, 100)
    assert reach > 0
    reduced = [mpq(source.randint(-8, 8), 8) * mpq(reach) for _ in range(point.problem.dimension)]
    direction = [oracle.to_fraction(value) for row in point.problem.to_full_direction(reduced) for value in row]
    form = oracle.local_form(problem, problem.start)
    changed = problem.loss(oracle.move(problem.start, direction, Fraction(1)))
    assert changed == problem.loss(problem.start) + oracle.local_change(form, direction)


@pytest.mark.parametrize("text", ["1", "1/2", "1/3", "2/3", "3/4", "5", "7", "8", "1023/1024", "1024/1023"])
def test_short_step(text):
    """The greatest power of two that is not greater."""
    step = short_step(mpq(text))
    assert step <= mpq(text) < 2 * step
    assert (step.numerator * step.denominator).bit_count() == 1


@strategies.examples(40)
@given(strategies.instances(max_samples=6))
def test_same_verdict_twice(instance):
    """A verdict is a function of the point alone."""
    first, second = judge_point(instance), judge_point(instance)
    assert first.verdict == second.verdict
    assert getattr(first.verdict, "flat", None) == getattr(second.verdict, "flat", None)


@pytest.mark.parametrize("is_strict", [False, True])
def test_outcome_lines(is_strict):
    """A witness is read from its line as it was written."""
    verdict = judge_point(cut_instance(3, TRIANGLE, 5)).verdict
    verdict = StrictLocalMinimum("tree", verdict.witness) if is_strict else LocalMinimum("tree", verdict.witness)
    assert parse_outcome(parse_object(outcome_text(verdict).encode(), "line"), "line") == verdict


def spoiled(witness):
    """Yields witnesses that each break one condition."""
    block = witness.blocks[0]
    leaf = next(leaf for leaf in block.leaves if leaf.signs and not leaf.is_empty)
    place = block.leaves.index(leaf)

    def with_leaf(changed):
        leaves = (*block.leaves[:place], *changed, *block.leaves[place + 1 :])
        return replace(witness, blocks=(replace(block, leaves=leaves), *witness.blocks[1:]))

    yield with_leaf([])
    yield with_leaf([leaf, leaf])
    yield with_leaf([replace(leaf, signs=(*leaf.signs[:-1], (leaf.signs[-1][0], -leaf.signs[-1][1])))])
    yield with_leaf([replace(leaf, multipliers=tuple(2 * m for m in leaf.multipliers))])
    yield with_leaf([replace(leaf, is_empty=True)])
    yield replace(witness, blocks=())
    yield replace(witness, blocks=(*witness.blocks, block))
    yield replace(witness, blocks=(replace(block, kinks=block.kinks[1:]), *witness.blocks[1:]))
    yield replace(witness, settled=((block.kinks[0], mpq(10**9)),))


def sign_maps(*texts):
    """Returns sign maps of kinks 0, 1, ... from texts of +, - and ."""
    return [{k: {"+": 1, "-": -1}[c] for k, c in enumerate(text) if c != "."} for text in texts]


def test_maps_that_cover_but_are_no_tree():
    """Five maps that cover all signs once, 3/4 + 2/8, and share no kink: refused. A tree with one leaf changed, too."""
    assert not is_tree_of_signs(sign_maps("+-.", ".+-", "-.+", "+++", "---"))
    tree = ["++.", "+-+", "+--", "-.."]
    assert is_tree_of_signs(sign_maps(*tree))
    for place, leaf in enumerate(tree):
        for k, c in enumerate(leaf):
            for other in set("+-.") - {c}:
                changed = [*tree[:place], leaf[:k] + other + leaf[k + 1 :], *tree[place + 1 :]]
                assert not is_tree_of_signs(sign_maps(*changed))
    assert not is_tree_of_signs([])
    assert not is_tree_of_signs(sign_maps("...", "..."))


@strategies.examples(60)
@given(st.randoms(use_true_random=False), st.permutations(range(4)))
def test_trees_by_any_split(source, order):
    """Leaves of a tree that splits by kinks in another order on each path are a tree, in any order."""

    def grow(left, own):
        if not left or source.random() < 0.3:
            return [own]
        kink = source.choice(sorted(left))
        return [leaf for side in (1, -1) for leaf in grow(left - {kink}, {**own, kink: side})]

    leaves = grow(set(order), {})
    source.shuffle(leaves)
    assert is_tree_of_signs(leaves)
    if len(leaves) > 1:
        assert not is_tree_of_signs(leaves[1:])


def test_spoiled_witnesses_are_refused():
    """The test's own checker refuses a witness that breaks any one condition."""
    instance = cut_instance(3, TRIANGLE, 5)
    problem = Problem(instance)
    witness = judge_point(instance).verdict.witness
    check_tree(problem, problem.start, witness, is_strict=False)
    for wrong in spoiled(witness):
        with pytest.raises((AssertionError, ValueError)):
            check_tree(problem, problem.start, wrong, is_strict=False)


def test_radius_in_all_parameters():
    """With lineality the radius holds for changes of all parameters, not only of those that remain."""
    instance = read_instance(Path(__file__).parent / "instances" / "radius-21.json")
    point = judge_point(instance)
    assert point.problem.lineality
    assert point.radius == mpq(2, 3)
    problem, start = point.problem, instance.start
    reduced = problem.to_reduced(start)
    numerators, denominator = to_integers(reduced)
    form = localise(problem, scan(problem, numerators, denominator, None))
    for signs in product((-1, 0, 1), repeat=sum(map(len, start))):
        change = iter(signs)
        moved = [[value + mpq(665, 1000) * next(change) for value in row] for row in start]
        direction = [a - b for a, b in zip(problem.to_reduced(moved), reduced, strict=True)]
        difference = instance.loss_of(moved) - instance.loss_of(start)
        assert difference == form.change(direction) / problem.loss_scale
