"""The tree with chords: on narrow cones concave kinks are at most linear forms."""

import json
import random
from dataclasses import replace
from fractions import Fraction

import oracle
import pytest
import strategies
from gmpy2 import mpq, mpz
from hypothesis import event, given
from hypothesis import strategies as st
from oracle import Problem
from test_corpus import load_checker
from test_fast_check import rewrite
from test_minimality import absolute_terms, judged, unit
from test_minimality_covers import AMPLE, shallow_blocks, work
from treecheck import check_tree

from exactdrl import Walk, record_walk, sample_experiment, write_instance
from exactdrl.exact.linear import dot
from exactdrl.minimality import decide as decide_module
from exactdrl.minimality.decide import SMALL, Budget
from exactdrl.minimality.descent.planes import descend_on_planes
from exactdrl.minimality.descent.subgradient_steps import search_by_subgradients
from exactdrl.minimality.rules.blocks import Block
from exactdrl.minimality.tree import chords as chords_module
from exactdrl.minimality.tree.chords import close_by_chords, is_narrow
from exactdrl.minimality.tree.strictness import find_strict
from exactdrl.minimality.tree.tree import Closed, Node, OutOfBudget, Refuted, close_tree, find_inside, slacks
from exactdrl.minimality.verdict import LocalMinimum, NotMinimum, StrictLocalMinimum


def begin(block):
    """Returns the first axis."""
    return tuple(mpz(not index) for index in range(block.width))


@strategies.examples(80)
@given(shallow_blocks(max_width=4, concave=6).filter(lambda block: block.width > 1))
def test_the_same_answer_with_chords(block):
    """With chords the tree answers as without; each leaf's covers are relations and its inequalities hold."""
    plain = close_tree(block, begin(block), work(AMPLE))
    found = close_by_chords(block, begin(block), work(AMPLE))
    event(type(plain).__name__)
    assert type(found) is type(plain)
    if isinstance(found, Refuted):
        assert block.change(found.direction) < 0
        return
    for leaf in found.leaves:
        assert not leaf.is_empty
        assert min(slacks(block, leaf)) >= 0
        for cover in leaf.covers:
            assert cover.kink not in leaf.signs
            assert all(
                sum(r * row[c] for r, row in zip(cover.shares, block.rows, strict=True)) == 0
                for c in range(block.width)
            )


@strategies.examples(40)
@given(shallow_blocks(max_width=3, concave=6).filter(lambda block: block.width > 1))
def test_the_same_strictness_with_chords(block):
    """Both trees lead to the same answer on F > 0 off 0, with a direction where F = 0 if it is not."""
    plain, found = (close(block, begin(block), work(AMPLE)) for close in (close_tree, close_by_chords))
    if not isinstance(plain, Closed):
        return
    answers = [find_strict(block, tree, work(AMPLE)) for tree in (plain, found)]
    event(type(answers[0]).__name__)
    assert type(answers[0]) is type(answers[1])
    for answer in answers:
        if isinstance(answer, list):
            assert any(answer)
            assert block.change(answer) == 0


@st.composite
def terms(draw):
    """Sums of |a + b| + |a - b| - k |a| = 2 max(|a|, |b|) - k |a|: strict minima for k = 1, of F = 0 on cones for k = 2."""
    source = random.Random(draw(st.integers(0, 10**6)))
    width = draw(st.integers(2, 3))
    reach, times = draw(st.sampled_from([1, 2, 5])), draw(st.sampled_from([1, 2, 2, 2, 3]))
    found = []
    for _ in range(width + 2):
        form = [source.randint(-reach, reach) for _ in range(width)]
        other = [source.randint(-reach, reach) for _ in range(width)]
        weight = source.randint(1, 3)
        found += [(weight, [a + b for a, b in zip(form, other, strict=True)])]
        found += [(weight, [a - b for a, b in zip(form, other, strict=True)])]
        found += [(-times * weight, form)]
    return width, [(b, a) for b, a in found if any(a)]


@strategies.examples(60)
@given(terms())
def test_verdicts_of_narrow_blocks(case):
    """Verdicts on units that are 0, with more concave kinks than dimensions, are those of the enumeration of all cells."""
    width, found = case
    instance = unit(absolute_terms(found), [0] * width)
    verdict = judged(instance).verdict
    truth = oracle.decide_minimality(Problem(instance), Problem(instance).start)
    event(type(verdict).__name__)
    assert isinstance(verdict, (StrictLocalMinimum, LocalMinimum) if truth.is_minimum else NotMinimum)
    assert not isinstance(verdict, StrictLocalMinimum) or truth.is_strict


@strategies.examples(40)
@given(shallow_blocks(max_width=4).filter(lambda block: block.width > 1), st.integers(0, 10**6))
def test_narrower_cones(block, seed):
    """What exchanges lead to is a basis whose cone holds the node's, and lies in the first one's."""
    source = random.Random(seed)
    inside = [mpz(source.randint(-99, 99)) for _ in range(block.width)]
    changes = [dot(row, inside) for row in block.rows]
    signs = {j: 1 if z > 0 else -1 for j, z in enumerate(changes) if z and source.random() < 0.7}
    facets = chords_module._nearest(block, signs, inside)
    if len(facets) < block.width:
        return
    narrowed = chords_module._narrowed(block, signs, facets)
    assert len(set(narrowed)) == block.width
    assert set(narrowed) <= set(signs)
    event("narrowed" if set(narrowed) != set(facets) else "as it was")
    for shares in chords_module._combinations(block, narrowed, facets):
        assert len(shares) == block.width
    for facet, shares in zip(facets, chords_module._combinations(block, narrowed, facets), strict=True):
        assert all(signs[facet] * signs[i] * share >= 0 for i, share in zip(narrowed, shares, strict=True))


def test_what_is_narrow():
    """Blocks of few dimensions and more concave kinks: one dimension, folds and few concave kinks are left to the others."""
    block = next(iter(_dead_blocks()))
    assert is_narrow(block)
    assert not is_narrow(replace(block, folds=({}, {0: mpq(1)}, *block.folds[2:])))
    assert not is_narrow(replace(block, weights=tuple(map(abs, block.weights))))
    assert not is_narrow(replace(block, columns=(0,)))
    assert not is_narrow(replace(block, columns=tuple(range(5))))


def _dead_blocks():
    """Yields a block in the plane whose F is |x| + |y| - |x + y|/2 - |x - y|/2 and more: 0 on no cone."""
    source = random.Random(1)
    rows = [[source.randint(-9, 9), source.randint(1, 9)] for _ in range(24)]
    yield shallow(rows, [5] * 16 + [-2] * 8)


def shallow(rows, weights):
    """Returns a block of one layer, without slope."""
    count, width = len(rows), len(rows[0])
    return chords_module.Block(
        (0,), tuple(range(count)), (mpq(1),) * count, tuple(range(width)), False,
        tuple(tuple(map(mpz, row)) for row in rows), ({},) * count, (mpq(0),) * width, tuple(map(mpq, weights)),
    )  # fmt: skip


def test_out_of_budget():
    """Beyond its allowance the tree with chords says nothing."""
    assert isinstance(close_by_chords(next(_dead_blocks()), (mpz(1), mpz(0)), work(3)), OutOfBudget)


def test_an_empty_root():
    """Below a node without interior there is one leaf, which shows that."""
    block = shallow([[1, 0], [2, 0], [0, 1], [1, 1]], [1, 1, 1, -1])
    node = Node({0: 1, 1: -1}, None)
    found = close_by_chords(block, (mpz(1), mpz(1)), work(9), root=node)
    assert found == Closed((find_inside(block, node.signs),))
    assert found.leaves[0].is_empty


def test_where_the_loss_is_constant_on_a_cone():
    """|x| + |y| + |z| against the three halves that are equal to it where all are positive: F = 0 on that octant."""
    rows = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
    half = Fraction(1, 4)
    found = [(1, row) for row in rows[:3]] + [(-half, row) for row in rows[3:6]] + [(-2 * half, rows[6])]
    instance = unit(absolute_terms(found), [0, 0, 0])
    verdict = judged(instance).verdict
    assert isinstance(verdict, LocalMinimum)
    assert verdict.flat is not None


def test_a_wrong_leaf_is_a_bug(monkeypatch):
    """A leaf whose inequalities do not hold is not handed on: the program's bounds are not trusted."""
    block = next(_dead_blocks())
    assert isinstance(close_by_chords(block, (mpz(1), mpz(0)), work(AMPLE)), Closed)
    solve = chords_module._Program.solve

    def wrong(self, signs, chords):
        found = solve(self, signs, chords)
        return [found[0] + 10**6, *found[1:]] if isinstance(found, list) else found

    monkeypatch.setattr(chords_module._Program, "solve", wrong)
    with pytest.raises(AssertionError, match="does not close"):
        close_by_chords(block, (mpz(1), mpz(0)), work(AMPLE))


def test_a_unit_that_is_0_on_100_samples():
    """A walk whose end was undecided after 2.3 s: one unit is 0 on all samples, and the loss constant on a cone."""
    walk = Walk(sample_experiment((2, 3, 1), samples=100, seed=5))
    walk.run()
    assert isinstance(walk.outcome, LocalMinimum)
    assert all(leaf.covers for block in walk.outcome.witness.blocks for leaf in block.leaves)


def test_certificates_with_chords(tmp_path):
    """proofs/check.py and the test's own checker accept a walk's end with chords; a change of any part is rejected."""
    instance = sample_experiment((1, 4, 1), samples=60, seed=5)
    write_instance(instance, tmp_path / "a.json")
    walk = Walk(instance)
    record_walk(walk, tmp_path / "a.drl")
    check_tree(Problem(instance), oracle.to_fractions(walk.vertex), walk.outcome.witness, is_strict=False)
    checker = load_checker()
    paths = [str(tmp_path / "a.json"), str(tmp_path / "a.drl")]
    assert checker.main(paths) == 0
    lines = [json.loads(line) for line in (tmp_path / "a.drl").read_text("ascii").splitlines()][:-1]
    for spoil in (_without_a_cover, _halved_share, _without_a_leaf, _turned_sign, _greater_multiplier):
        changed = json.loads(json.dumps(lines))
        spoil(max(changed[-1]["blocks"], key=lambda block: len(block["leaves"]))["leaves"])
        rewrite(tmp_path / "a.drl", changed)
        assert checker.main(paths) == 1, spoil.__name__


def _without_a_cover(leaves):
    del next(leaf for leaf in leaves if leaf.get("covers"))["covers"][0]


def _halved_share(leaves):
    shares = next(leaf for leaf in leaves if leaf.get("covers"))["covers"][0]["shares"]
    place = next(k for k, share in enumerate(shares) if share != "0")
    shares[place] = str(Fraction(shares[place]) / 2)


def _without_a_leaf(leaves):
    del leaves[1]


def _turned_sign(leaves):
    signs = leaves[0]["signs"]
    leaves[0]["signs"] = signs.translate(str.maketrans("+-", "-+"))


def _greater_multiplier(leaves):
    multipliers = leaves[0]["multipliers"]
    multipliers[0] = str(Fraction(multipliers[0]) + 1)


def _narrow_block(seed: int) -> Block:
    """Returns a block of one layer in two or three dimensions, whose convex kinks are about as heavy as the others."""
    rng = random.Random(seed)
    width = 2 + seed % 2
    rows = [[mpz(rng.randint(-99, 99)) for _ in range(width)] for _ in range(60)]
    weights = [mpq(rng.randint(1, 9) if rng.random() < 0.6 else -rng.randint(2, 11)) for _ in rows]
    places = tuple(range(len(rows)))
    scales, folds = (mpq(1),) * len(rows), tuple({} for _ in rows)
    slope = (mpq(0),) * width
    return Block((0,), places, scales, places[:width], False, tuple(map(tuple, rows)), folds, slope, tuple(weights))


def test_no_search_in_vain(monkeypatch):
    """A narrow block with a descent is not asked for a proof, and leaves along the descent that it had without chords.

    One without is not searched for a descent once more.
    """

    def refuse(*_arguments):
        raise AssertionError("asked in vain")

    seen = {"tree": 0, "planes": 0, "proved": 0}
    for seed in range(50):
        block = _narrow_block(seed)
        if not is_narrow(block):
            continue
        descent, proposals = search_by_subgradients(block)
        if descent is not None:
            proposals = []
        start = proposals[0] if proposals else begin(block)
        ray = descend_on_planes(block)
        small = close_tree(block, start, work(SMALL))
        with monkeypatch.context() as patch:
            if ray is not None:
                patch.setattr(decide_module, "close_by_chords", refuse)
                patch.setattr(decide_module, "close_covered", refuse)
            else:
                patch.setattr(decide_module, "_search_cells", refuse)
            found = decide_module._decide_block(block, proposals, Budget(4000, None))
        if ray is None:
            assert found == close_by_chords(block, start, work(1000))
            assert isinstance(found, Closed)
            seen["proved"] += 1
        elif isinstance(small, Refuted):
            assert found == small
            seen["tree"] += 1
        else:
            assert found == Refuted(ray)
            seen["planes"] += 1
    assert min(seen.values()) > 1, seen
