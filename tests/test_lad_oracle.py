"""Least absolute deviations: the walk against an independent exact linear program (PPL)."""

import random
from fractions import Fraction

import oracle
import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st
from oracle import ZERO, Problem

from exactdrl.minimality.verdict import LocalMinimum, StrictLocalMinimum, Undecided
from exactdrl.problem.instance import Instance
from exactdrl.walks.driver import Walk

RULES = ["reference", "steepest", "first"]
START_RULES = ["projected-gradient", "coordinate"]

rules = st.sampled_from(RULES)
start_rules = st.sampled_from(START_RULES)


def check(instance: Instance, rule: str, start_rule: str | None = None) -> Walk:
    """Walks, and compares the last loss with the optimum: equal where a minimum is claimed, never below it."""
    walk = Walk(instance, rule=rule, start_rule=start_rule, max_steps=3000)
    outcome = walk.run()
    problem = Problem(instance)
    loss, optimum = oracle.to_fraction(walk.loss), oracle.lad_optimum_of(problem)
    assert loss == problem.loss(oracle.to_fractions(walk.vertex))
    if isinstance(outcome, StrictLocalMinimum | LocalMinimum):
        assert loss == optimum
    else:
        assert isinstance(outcome, Undecided)
        assert loss >= optimum
    return walk


@strategies.examples(250)
@given(strategies.lad_problems(), rules, start_rules)
def test_minimum_is_the_optimum(instance: Instance, rule: str, start_rule: str) -> None:
    """LAD is convex: a proved minimum has the linear program's optimal value, exactly; an undecided loss is not below
    it.
    """
    check(instance, rule, start_rule)


@strategies.examples(60)
@given(strategies.generic_instances(max_depth=0), rules, start_rules)
def test_general_position_is_decided(instance: Instance, rule: str, start_rule: str) -> None:
    """In general position no vertex is degenerate: the walk ends at the optimum, decided. Rules agree on the loss."""
    assert not isinstance(check(instance, rule, start_rule).outcome, Undecided)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", range(6))
def test_lines(rule: str, seed: int) -> None:
    """Random lines with 20 points and three decimals, started far off: every rule ends at the optimum."""
    source = random.Random(seed)

    def numbers(count: int, reach: int) -> list[Fraction]:
        return [Fraction(source.randint(-reach, reach), 1000) for _ in range(count)]

    inputs, targets = [[x] for x in numbers(20, 3000)], [[y] for y in numbers(20, 3000)]
    walk = check(Instance.create([([[0]], [0])], inputs, targets, start=[numbers(2, 20000)]), rule)
    assert isinstance(walk.outcome, StrictLocalMinimum | LocalMinimum)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("start_rule", START_RULES)
def test_integer_grid(rule: str, start_rule: str) -> None:
    """Planes through integer data on a grid, with ties everywhere and repeated rows: never wrong, never below the
    optimum.
    """
    for seed in range(4):
        source = random.Random(seed)
        inputs = [[source.randint(0, 2), source.randint(0, 2)] for _ in range(14)]
        targets = [[source.randint(0, 3)] for _ in range(14)]
        check(Instance.create([([[0, 0]], [0])], inputs, targets), rule, start_rule)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("start_rule", START_RULES)
def test_medians(rule: str, start_rule: str) -> None:
    """A constant fitted to numbers is a median: strict for an odd count of distinct ones, a segment for an even
    count.
    """
    for values, loss, is_strict in [
        ([3, 1, 2], 2, True),
        ([3, 1, 2, 7], 7, False),
        ([5], 0, None),
        ([5, 5, 5], 0, None),
        ([1, 1, 4], 3, True),
        ([1, 1, 4, 4], 6, False),
        ([1, 1, 1, 9], 8, True),
    ]:
        for start in (-2, 1, 2, Fraction(7, 2), 9):
            instance = Instance.create([([[start]], None)], [[1]] * len(values), [[v] for v in values])
            walk = check(instance, rule, start_rule)
            assert walk.loss == loss
            if is_strict is not None:
                assert isinstance(walk.outcome, StrictLocalMinimum if is_strict else LocalMinimum)


@pytest.mark.parametrize("rule", RULES)
def test_theory_line(rule: str) -> None:
    """Data on a line with more than one optimum: the linear program says 2, so does the walk."""
    instance = Instance.create([([[0]], [0])], [[1], [2], [3], [4], [5]], [[1], [1], [2], [3], [2]])
    assert oracle.lad_optimum_of(Problem(instance)) == 2
    assert check(instance, rule).loss == 2


@strategies.examples(60)
@given(strategies.lad_problems(max_samples=7, max_features=2), rules, st.integers(0, 10**6))
def test_below_fixed_layers(instance: Instance, rule: str, seed: int) -> None:
    """The last layer of a deeper network is LAD on the pushed inputs: the same optimum."""
    source = random.Random(seed)
    features = len(instance.inputs[0])
    weight = [[Fraction(source.randint(-4, 4), 2) for _ in range(features)] for _ in range(2)]
    deep = Instance.create(
        [(weight, [1, 0]), ([[1, -1]] * len(instance.targets[0]), [0] * len(instance.targets[0]))],
        instance.inputs,
        instance.targets,
        layer=2,
    )
    check(deep, rule)


@strategies.examples(40)
@given(strategies.lad_problems(max_samples=6, max_features=2, max_outputs=1))
def test_linear_program_by_enumeration(instance: Instance) -> None:
    """The linear program itself is right: its value is the least loss over all bases of the data."""
    problem = Problem(instance)
    optimum = oracle.lad_optimum_of(problem)
    assert optimum <= problem.loss(problem.start)
    columns = problem.columns
    rows = [[x[c] for c in columns] for x in problem.pushed]
    best = None
    for chosen in _subsets(len(rows), len(columns)):
        inverse = oracle.inverse([rows[i] for i in chosen]) if chosen else []
        if inverse is None:
            continue
        theta = [ZERO] * problem.m
        for column, row in zip(columns, inverse, strict=True):
            theta[column] = oracle.dot(row, [problem.targets[i][0] for i in chosen])
        loss = problem.loss([theta])
        best = loss if best is None else min(best, loss)
    assert best == optimum


def _subsets(count: int, size: int) -> list[tuple[int, ...]]:
    from itertools import combinations

    return list(combinations(range(count), size))
