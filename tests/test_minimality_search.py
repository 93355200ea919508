"""The search for descents: machine integers, edges, rows modulo a prime, and witnesses that are too long to write."""

import itertools
from pathlib import Path

import numpy as np
import oracle
import pytest
import strategies
from gmpy2 import mpq, mpz
from hypothesis import assume, given
from hypothesis import strategies as st
from oracle import Problem
from test_minimality import TRIANGLE, cut_instance

from exactdrl import Walk, read_instance
from exactdrl.cells.local_form import localise
from exactdrl.cells.scan import scan
from exactdrl.certificate.lines import outcome_text
from exactdrl.exact.linear import PRIME, independent_rows, to_integers
from exactdrl.minimality.descent.block_edge import to_block_edge
from exactdrl.minimality.descent.machine_form import REACH, _orthogonalise, to_machine_form
from exactdrl.minimality.descent.ray import to_edge
from exactdrl.minimality.descent.subgradient_steps import search_by_subgradients
from exactdrl.minimality.point import judge_point
from exactdrl.minimality.rules.blocks import Block
from exactdrl.minimality.rules.settle import coloops, coloops_modular
from exactdrl.minimality.tree import witness as witness_module
from exactdrl.minimality.tree.witness import is_writable
from exactdrl.minimality.verdict import NotMinimum, Undecided
from exactdrl.problem.instance import Instance

INSTANCES = Path(__file__).parent / "instances"


@st.composite
def blocks(draw):
    """A block of small numbers, some kinks of which fold earlier ones."""
    width, count = draw(st.integers(1, 4)), draw(st.integers(1, 7))
    numbers = st.integers(-4, 4)
    rows = [[draw(numbers) for _ in range(width)] for _ in range(count)]
    assume(len(independent_rows([[mpz(e) for e in row] for row in rows], width)) == width)
    folds = []
    for j in range(count):
        folded = draw(st.sets(st.integers(0, j - 1), max_size=2)) if j and draw(st.booleans()) else set()
        folds.append({k: mpq(draw(numbers.filter(bool)), draw(st.integers(1, 3))) for k in sorted(folded)})
    weights = [mpq(draw(numbers.filter(bool)), draw(st.integers(1, 3))) for _ in range(count)]
    slope = [mpq(draw(numbers)) for _ in range(width)]
    return Block(
        (0,),
        tuple(range(count)),
        (mpq(1),) * count,
        tuple(range(width)),
        False,
        tuple(tuple(map(mpz, row)) for row in rows),
        tuple(folds),
        tuple(slope),
        tuple(weights),
    )


def bent_rows(form, changes):
    """Returns the rows by which the kinks are linear in the cell of a direction along which they change so."""
    rows: list[list[mpq]] = []
    for own, fold in zip(form.rows, form.folds, strict=True):
        row = [mpq(entry) for entry in own]
        for k, c in fold.items():
            sign = (changes[k] > 0) - (changes[k] < 0)
            row = [a + c * sign * b for a, b in zip(row, rows[k], strict=True)]
        rows.append(row)
    return rows


@strategies.examples(60)
@given(st.integers(1, 6), st.sampled_from([2, 9, 10**12]), st.randoms(use_true_random=False))
def test_unit_vectors_made_orthogonal(width, size, rng):
    """Each is its unit vector and a combination of those before, orthogonal to them, with the square that is said."""
    rows = [[mpz(rng.randint(-size, size)) for _ in range(width)] for _ in range(width)]
    # of full rank, whatever was drawn
    rows += [[mpz(i == k) for k in range(width)] for i in range(width)]
    gram = [[sum((row[i] * row[k] for row in rows), mpz(0)) for k in range(width)] for i in range(width)]
    columns, squares = _orthogonalise(gram)
    for i, left in enumerate(columns):
        assert left[i] == 1
        assert not any(left[i + 1 :])
        for k, right in enumerate(columns):
            product = sum(
                a * g * b for a, line in zip(left, gram, strict=True) for g, b in zip(line, right, strict=True)
            )
            assert product == (squares[i] if i == k else 0)


@strategies.examples(60)
@given(blocks(), st.data())
def test_machine_form_is_the_block_rounded(block, data):
    """In proportion to what could be, z, F and F's slope differ from the exact ones by little, and nothing overflows."""
    form = to_machine_form(block)
    point = [data.draw(st.integers(-REACH, REACH)) for _ in range(block.width)]
    direction = form.to_direction(point)
    kinks = form.kink_changes(np.array([point]).T)
    exact = block.kink_changes(direction)
    assert np.abs(kinks).max() < 2**39
    for own, true in zip(kinks[:, 0].tolist(), exact, strict=True):
        # kinks are scaled by powers of two: signs agree where rounding does not matter
        assert abs(own) < 2**28 or (own > 0) == (true > 0)
    values, sizes = form.changes(kinks, np.array([point]).T)
    bent = sum(abs(b * z) for b, z in zip(block.weights, exact, strict=True))
    if bent:
        change = block.change(direction)
        true, own = change / bent, mpq(int(values[0]), int(sizes[0]) or 1)
        if abs(true) > mpq(1, 4) and sizes[0] > 2**48:
            assert (own > 0) == (true > 0)
    slope = form.gradients(kinks)[:, 0].tolist()
    along = sum(g * y for g, y in zip(slope, point, strict=True))
    # F is homogeneous: its slope along the point itself is F
    assert abs(along - int(values[0])) <= int(sizes[0]) // 2**6 + 2**46


@strategies.examples(50)
@given(blocks())
def test_slide_and_edge(block):
    """What subgradient steps find is a descent; its edge has as much slope, and all kinks but a line's rest in the cell."""
    direction, proposals = search_by_subgradients(block)
    if direction is None:
        assert all(any(proposal) for proposal in proposals)
        return
    assert block.change(direction) < 0
    edge = to_block_edge(block, direction)
    assert block.change(edge) < 0
    before, after = block.kink_changes(direction), block.kink_changes(edge)
    assert all(b * a >= 0 for b, a in zip(before, after, strict=True))
    rows = bent_rows(block, after)
    resting = [to_integers(row)[0] for row, change in zip(rows, after, strict=True) if not change]
    assert len(independent_rows(resting, block.width)) == block.width - 1


def test_a_hidden_descent():
    """A vertex with 84 active kinks that a search of cells and a tree of 4000 nodes left undecided is no minimum."""
    instance = read_instance(INSTANCES / "hidden-descent.json")
    point = judge_point(instance)
    assert (point.active, point.freedom) == (84, 0)
    assert isinstance(point.verdict, NotMinimum)
    problem = Problem(instance)
    direction = [
        oracle.to_fraction(value) for row in point.problem.to_full_direction(point.verdict.direction) for value in row
    ]
    below = oracle.move(problem.start, direction, oracle.to_fraction(point.verdict.epsilon))
    assert problem.loss(below) < problem.loss(problem.start)


@strategies.examples(30)
@given(strategies.instances(max_samples=6))
def test_edges_at_vertices(instance):
    """At a vertex a descent leads to an edge with negative slope: n-1 independent kinks rest along it."""
    walk = Walk(instance)
    start = walk.vertex
    point = judge_point(instance, start)
    assume(isinstance(point.verdict, NotMinimum))
    assert point.freedom == 0
    problem = point.problem
    numerators, denominator = to_integers(problem.to_reduced(start))
    values = scan(problem, numerators, denominator, None)
    edge = to_edge(problem, values, point.verdict.direction)
    form = localise(problem, values)
    assert form.change(edge) < 0
    changes = form.kink_changes(edge)
    before = form.kink_changes(point.verdict.direction)
    assert all(a * b >= 0 for a, b in zip(changes, before, strict=True))
    rows = bent_rows(form, changes)
    resting = [to_integers(row)[0] for row, change in zip(rows, changes, strict=True) if not change]
    assert len(independent_rows(resting, problem.dimension)) == problem.dimension - 1


@strategies.examples(60)
@given(strategies.integer_matrices(6, 5))
def test_rows_that_move_alone(rows):
    """Modulo a large prime the same rows are found as over Q."""
    integers = [[mpz(entry) for entry in row] for row in rows]
    assert coloops_modular(integers, len(rows[0])) == coloops(integers, len(rows[0]))


def test_a_prime_in_the_data():
    """Rows that are dependent modulo the prime alone: what seems to move alone is checked over Q, and refused."""
    prime = mpz(PRIME)
    rows = [[mpz(1), mpz(0)], [mpz(0), mpz(1)], [prime, prime]]
    assert coloops_modular(rows, 2)[1] == [0, 1]
    assert coloops(rows, 2)[1] == []
    samples = [((1, 0), 1), ((0, 1), 1), ((prime, prime), 1)]
    instance = Instance.create([([[0, 0]], None), ([[1]], None)], [x for x, _ in samples], [[y] for _, y in samples])
    problem = Problem(instance)
    truth = oracle.decide_minimality(problem, problem.start)
    assert isinstance(judge_point(instance).verdict, NotMinimum) != truth.is_minimum


def test_witness_that_fits():
    """The bound on a witness's length is above its line's, and not far."""
    verdict = judge_point(cut_instance(3, TRIANGLE, 5)).verdict
    length = len(outcome_text(verdict)) + 1
    assert is_writable(verdict.witness)
    fits = []
    for limit in itertools.count(length // 2, length // 100):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(witness_module, "LONGEST_LINE", limit)
            if is_writable(verdict.witness):
                fits.append(limit)
                break
    assert length <= fits[0] <= 8 * length


@pytest.mark.parametrize(("name", "value"), [("LONGEST_LINE", 2000), ("LONGEST_NUMBER", 2)])
def test_witness_that_does_not_fit(monkeypatch, name, value):
    """A proof that no certificate can hold is no proof for its reader: undecided."""
    instance = cut_instance(3, TRIANGLE, 5)
    active = judge_point(instance).active
    monkeypatch.setattr(witness_module, name, value)
    assert judge_point(instance).verdict == Undecided(active)
