"""Covers: relations by which convex kinks outweigh concave ones, and the tree that uses them."""

import random
from dataclasses import replace

import pytest
import strategies
from gmpy2 import mpq, mpz
from hypothesis import assume, event, given
from hypothesis import strategies as st
from oracle import Problem
from test_minimality import absolute_terms, judged, unit
from test_minimality_search import blocks
from treecheck import check_tree

from exactdrl.certificate.lines import outcome_text, parse_object, parse_outcome
from exactdrl.exact.linear import to_matrix
from exactdrl.minimality.decide import Budget
from exactdrl.minimality.rules.blocks import Block
from exactdrl.minimality.tree import covered_tree as covered_tree_module
from exactdrl.minimality.tree.cover import Cover, find_covers, lowered
from exactdrl.minimality.tree.covered_tree import close_covered
from exactdrl.minimality.tree.tree import Closed, Multipliers, OutOfBudget, Refuted, close_tree, slacks
from exactdrl.minimality.tree.witness import is_writable
from exactdrl.minimality.verdict import LocalMinimum, NotMinimum, StrictLocalMinimum
from exactdrl.problem.instance import Instance

AMPLE = 10**6


def work(amount: int):
    """Returns a allowance."""
    return Budget(amount, None).allowance(amount)


def relations(block: Block) -> list[list[mpq]]:
    """Returns a basis of the relations between a block's rows."""
    kernel, nullity = to_matrix(block.rows, block.width).transpose().nullspace()
    return [[mpq(int(kernel[row, column])) for row in range(len(block.rows))] for column in range(nullity)]


@strategies.examples(80)
@given(blocks(), st.data())
def test_a_cover_lowers(block, data):
    """Whatever the relation and the kink, folds or none: F with the weights that covers leave is nowhere greater."""
    basis = relations(block)
    assume(basis)
    numbers = st.integers(-3, 3)
    covers = []
    for _ in range(data.draw(st.integers(1, 2))):
        factors = [data.draw(numbers) for _ in basis]
        shares = [sum(f * row[k] for f, row in zip(factors, basis, strict=True)) for k in range(len(block.rows))]
        covers.append(Cover(data.draw(st.integers(0, len(block.rows) - 1)), tuple(shares)))
    low = lowered(block, covers)
    for _ in range(8):
        point = [mpz(data.draw(st.integers(-20, 20))) for _ in range(block.width)]
        assert low.change(point) <= block.change(point)
    # a share less breaks the relation, and may break the bound: the relation is what makes it true
    assert all(
        sum(share * row[c] for share, row in zip(cover.shares, block.rows, strict=True)) == 0
        for cover in covers
        for c in range(block.width)
    )


@st.composite
def shallow_blocks(draw, *, max_width: int = 4, concave: int = 6):
    """Blocks of one layer: many convex kinks, and some concave ones with less weight in all."""
    source = random.Random(draw(st.integers(0, 10**6)))
    width = draw(st.integers(1, max_width))
    count = draw(st.integers(width + 1, 4 * width + 4))
    few = draw(st.integers(1, concave))
    reach = draw(st.sampled_from([1, 3, 60]))
    rows = [[source.randint(-reach, reach) for _ in range(width)] for _ in range(count + few)]
    for row in rows:
        if not any(row):
            row[source.randrange(width)] = 1
    assume(len({c for row in rows[:count] for c, entry in enumerate(row) if entry}) == width)
    assume(to_matrix(rows[:count], width).rank() == width)
    weights = [mpq(source.randint(1, 9)) for _ in range(count)]
    weights += [mpq(-source.randint(1, draw(st.sampled_from([2, 9, 30])))) for _ in range(few)]
    parts = [mpq(source.randint(-9, 9), 10) * w for w in weights[:count]]
    slope = [
        sum(p * row[c] for p, row in zip(parts, rows, strict=False)) * draw(st.integers(0, 1)) for c in range(width)
    ]
    size = count + few
    return Block(
        (0,),
        tuple(range(size)),
        (mpq(1),) * size,
        tuple(range(width)),
        False,
        tuple(tuple(map(mpz, row)) for row in rows),
        ({},) * size,
        tuple(map(mpq, slope)),
        tuple(weights),
    )


@strategies.examples(80)
@given(shallow_blocks())
def test_covers_are_relations(block):
    """What is found is a relation, exactly, and raises the weight of each concave kink to at least 0."""
    concave = [j for j, weight in enumerate(block.weights) if weight < 0]
    covers = find_covers(block, concave, [mpq(0)] * len(block.rows))
    event(f"{'no ' if covers is None else ''}covers")
    if covers is None:
        return
    assert [cover.kink for cover in covers] == concave
    for cover in covers:
        assert not any(cover.shares[j] for j in concave if j != cover.kink)
        for c in range(block.width):
            assert sum(share * row[c] for share, row in zip(cover.shares, block.rows, strict=True)) == 0
    low = lowered(block, covers)
    assert all(0 < low.weights[j] < -block.weights[j] / 2**20 for j in concave)


@strategies.examples(60)
@given(shallow_blocks(max_width=3, concave=5) | blocks())
def test_the_same_answer_with_covers(block):
    """With covers the tree answers as without, and each leaf's inequalities hold."""
    begin = tuple(mpz(not index) for index in range(block.width))
    plain = close_tree(block, begin, work(AMPLE))
    covered = close_covered(block, begin, work(AMPLE))
    event(
        f"{type(plain).__name__}{', a covered leaf' if getattr(covered, 'leaves', ()) and any(leaf.covers for leaf in covered.leaves) else ''}"
    )
    assert type(covered) is type(plain)
    if isinstance(covered, Refuted):
        assert block.change(covered.direction) < 0
    if isinstance(covered, Closed):
        for leaf in covered.leaves:
            assert not (leaf.is_empty and leaf.covers)
            held = [slack for j, slack in enumerate(slacks(block, leaf)) if leaf.signs.get(j) != 0]
            assert leaf.is_empty or min(held) >= 0


def test_a_kink_outside_the_span():
    """A concave kink that no combination of convex ones reaches is covered by none."""
    block = Block(
        (0,), (0, 1, 2), (mpq(1),) * 3, (0, 1), False,
        ((mpz(1), mpz(0)), (mpz(2), mpz(0)), (mpz(1), mpz(1))), ({},) * 3, (mpq(0), mpq(0)), (mpq(5), mpq(5), mpq(-1)),
    )  # fmt: skip
    assert find_covers(block, [2], [mpq(0)] * 3) is None


def test_what_is_given_is_not_more_than_there_is():
    """Three forms of weight 1 cannot cover the fourth, however the load is shared; with weight 3 they can."""
    rows = ((1, 0), (0, 1), (1, 1), (1, -1))

    def block(weight: int) -> Block:
        return Block(
            (0,), tuple(range(4)), (mpq(1),) * 4, (0, 1), False, tuple(tuple(map(mpz, row)) for row in rows), ({},) * 4,
            (mpq(0), mpq(0)), (mpq(weight), mpq(weight), mpq(weight), mpq(-2)),
        )  # fmt: skip

    for weight in (1, 3):
        begin = (mpz(1), mpz(0))
        plain, covered = (close(block(weight), begin, work(AMPLE)) for close in (close_tree, close_covered))
        assert type(plain) is type(covered) is (Refuted if weight == 1 else Closed)


def many_concave(n: int, convex: int, concave: int, seed: int = 0) -> Instance:
    """A unit at 0 with a sum of |linear forms| that has far more cells of concave ones than a budget allows."""
    source = random.Random(seed)

    def form() -> list[int]:
        return [source.randint(-50, 50) for _ in range(n)]

    terms = [(10, form()) for _ in range(convex)] + [(-source.randint(1, 5), form()) for _ in range(concave)]
    return unit(absolute_terms(terms), [0] * n)


def test_many_concave_kinks():
    """20 concave kinks in 6 dimensions have 33,328 cells; one leaf with covers proves the minimum, and is written and read."""
    instance = many_concave(6, 40, 20)
    verdict = judged(instance).verdict
    assert isinstance(verdict, (LocalMinimum, StrictLocalMinimum))
    (block,) = verdict.witness.blocks
    (leaf,) = block.leaves
    assert len(leaf.covers) == 20
    assert is_writable(verdict.witness)
    assert parse_outcome(parse_object(outcome_text(verdict).encode(), "line"), "line") == verdict
    check_tree(
        Problem(instance), Problem(instance).start, verdict.witness, is_strict=isinstance(verdict, StrictLocalMinimum)
    )


def test_heavy_concave_kinks():
    """The same with the weights exchanged is no minimum."""
    source = random.Random(0)
    terms = [(-10 if k % 2 else 10, [source.randint(-50, 50) for _ in range(6)]) for k in range(40)]
    assert isinstance(judged(unit(absolute_terms(terms), [0] * 6)).verdict, NotMinimum)


def spoiled(witness):
    """Yields witnesses that each break one condition of a cover."""
    (block,) = witness.blocks
    (leaf,) = block.leaves
    (kink, shares), *others = leaf.covers

    def with_covers(*covers):
        return replace(witness, blocks=(replace(block, leaves=(replace(leaf, covers=covers),)),))

    other = next(k for k in block.kinks if k != kink)
    yield "a cover is missing", with_covers(*others)
    yield "another kink is named", with_covers((other, shares), *others)
    place = next(k for k, share in enumerate(shares) if share and block.kinks[k] != kink)
    # it takes less than the relation does: all slacks grow
    yield "no relation", with_covers((kink, (*shares[:place], shares[place] / 2, *shares[place + 1 :])), *others)
    yield "more than there is", with_covers((kink, tuple(1000 * share for share in shares)), *others)
    yield "less than is needed", with_covers((kink, tuple(share / 2 for share in shares)), *others)
    yield "a kink of no block", with_covers((kink._replace(sample=999), shares), *others)


def test_spoiled_covers_are_refused():
    """The test's own checker refuses a cover that is no relation, takes too much, gives too little, or names another kink."""
    instance = many_concave(5, 24, 9)
    problem = Problem(instance)
    witness = judged(instance).verdict.witness
    assert witness.blocks[0].leaves[0].covers
    for name, wrong in spoiled(witness):
        with pytest.raises((AssertionError, ValueError, KeyError)):
            check_tree(problem, problem.start, wrong, is_strict=False)
            pytest.fail(name)


def test_a_wrong_leaf_is_a_bug(monkeypatch):
    """A leaf whose inequalities do not hold is not handed on: the program's bounds are not trusted."""
    block = many_block()
    begin = tuple(mpz(not index) for index in range(block.width))
    assert isinstance(close_covered(block, begin, work(AMPLE)), Closed)
    solve = Multipliers.solve

    def wrong(self, signs, inside):
        found = solve(self, signs, inside)
        return replace(found, multipliers=(found.multipliers[0] + 10**6, *found.multipliers[1:]))

    monkeypatch.setattr(Multipliers, "solve", wrong)
    monkeypatch.setattr(
        covered_tree_module, "find_covers", lambda block, free, found: find_covers(block, free, [mpq(0)] * len(found))
    )
    with pytest.raises(AssertionError, match="does not close"):
        close_covered(block, begin, work(AMPLE))


def many_block() -> Block:
    """Twelve convex kinks and three concave ones in the plane."""
    source = random.Random(3)
    rows = [[source.randint(-9, 9), source.randint(1, 9)] for _ in range(15)]
    return Block(
        (0,), tuple(range(15)), (mpq(1),) * 15, (0, 1), False, tuple(tuple(map(mpz, row)) for row in rows), ({},) * 15,
        (mpq(0), mpq(0)), (mpq(5),) * 12 + (mpq(-1),) * 3,
    )  # fmt: skip


def test_out_of_budget():
    """Beyond its allowance the tree with covers says nothing."""
    block = many_block()
    assert isinstance(close_covered(block, (mpz(1), mpz(0)), work(0)), OutOfBudget)


def test_numbers_of_any_size():
    """Weights and rows scaled by huge and tiny factors get covers alike."""
    block = many_block()
    for power in (-400, 0, 400):
        factor = mpq(2) ** power
        scaled = replace(block, weights=tuple(factor * weight for weight in block.weights))
        covers = find_covers(scaled, [12, 13, 14], [mpq(0)] * 15)
        assert covers is not None
        assert [[share / factor for share in cover.shares] for cover in covers] == [
            list(cover.shares) for cover in find_covers(block, [12, 13, 14], [mpq(0)] * 15)
        ]
