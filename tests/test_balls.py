"""Ball arithmetic, the middle rung: every ball holds the exact number, every decision is the exact one or is passed on."""

from fractions import Fraction
from itertools import pairwise

import pytest
from flint import arb, fmpz
from gmpy2 import mpz
from hypothesis import given
from strategies import instances

from exactdrl import Instance, Walk, sample_experiment
from exactdrl.arithmetic import balls, filtered
from exactdrl.arithmetic.balls import BallVertex, Reach, UncertainError
from exactdrl.arithmetic.exact import ExactArithmetic
from exactdrl.arithmetic.filtered import FilteredArithmetic
from exactdrl.arithmetic.protocol import Edge
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink
from exactdrl.cells.scan import pattern_of, scan
from exactdrl.exact.linear import to_integers

CASES = [((2, 3, 2, 1), 8, 1, 53), ((3, 2, 3, 2), 9, 4, 53), ((2, 2), 9, 5, 53), ((3, 4, 1), 30, 2, 12)]


def vertices(case, steps=6):
    """Some vertices of an exact walk: problem, pattern, basis, the exact arithmetic there."""
    widths, samples, seed, bits = case
    walk = Walk(sample_experiment(widths, samples=samples, seed=seed, bits=bits), arithmetic="exact", max_steps=steps)
    for _ in walk:
        at = walk.stepper.arithmetic
        yield walk.problem, at.pattern, list(at.basis), ExactArithmetic(walk.problem, at.pattern, at.basis)


def exact_of(number):
    mantissa, exponent = number.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def holds(ball, value):
    """Exactly: flint's own `contains` would round the value first."""
    return abs(exact_of(ball.mid()) - value) <= exact_of(ball.rad())


def check_vertex(problem, pattern, basis, exact, bits):
    """Asserts that slopes, columns and values in balls hold the exact ones, on both sides of every kink."""
    vertex = BallVertex(problem, Reach.of(problem), pattern, basis, bits=bits)
    for kink in basis:
        for side in (False, True):
            edge = Edge(kink, side)
            # balls count the kink's own value, integers a common denominator
            direction, size = exact.direction(edge)
            assert holds(vertex._slope(edge), Fraction(int(exact._slope(edge)), int(exact._cell_slopes()[1])))
            slot = vertex._slot_of[kink]
            column = vertex._bent_column(slot, vertex._multiples(kink) if side else {})
            sign = 1 if pattern.is_on(kink) != side else -1
            assert all(holds(sign * a, Fraction(int(b), int(size))) for a, b in zip(column, direction, strict=True))
            assert vertex._bent_slope(slot, kink, vertex._multiples(kink)).is_finite()
    numerators, denominator = to_integers(exact.vertex())
    own, scale = exact._inverse.column(exact._slot_of[basis[0]])
    values = scan(problem, numerators, denominator, pattern)
    for balls_, is_point, truth, den in (
        (vertex._point, 1, values, int(denominator)),
        (vertex._columns[0], 0, scan(problem, own, 0, pattern), int(scale)),
    ):
        shift = balls._to_integers(balls_, bits)[0]
        middle, errors = vertex._scan(balls_, is_point, pattern)
        for layers in zip(middle, errors, truth, strict=True):
            for value, error, number in zip(*layers, strict=True):
                assert abs(Fraction(int(value), 2**shift) - Fraction(int(number), den)) <= Fraction(
                    int(error), 2**shift
                )


@pytest.mark.parametrize("bits", [64, 128])
@pytest.mark.parametrize("case", CASES)
def test_balls_hold_the_exact_numbers(case, bits):
    """Slopes on both sides, directions, values and rates."""
    for vertex in vertices(case):
        check_vertex(*vertex, bits)


@pytest.mark.parametrize("name", ["reach", "radii", "midpoints"])
def test_bounds_are_needed(monkeypatch, name):
    """Without the radii of a point, or without what they do to the values, the check above notices."""
    if name == "reach":
        monkeypatch.setattr(
            Reach, "scan", lambda self, problem, errors, pattern: [[fmpz(0)] * len(bits) for bits in pattern.bits]
        )
    elif name == "radii":
        honest = balls._to_integers
        monkeypatch.setattr(
            balls, "_to_integers", lambda b, bits: (honest(b, bits)[0], honest(b, bits)[1], [fmpz(0)] * len(b))
        )
    else:
        monkeypatch.setattr(balls, "_sizes", lambda matrix: matrix)
    noticed = 0
    for case in CASES:
        for vertex in vertices(case):
            try:
                check_vertex(*vertex, 64)
            except AssertionError:
                noticed += 1
    assert noticed


def walk_in_balls(monkeypatch, instance, rule, limit):
    """A walk whose floats never hold a vertex, and which forgets its exact vertex after every step."""
    monkeypatch.setattr(FilteredArithmetic, "_load", lambda _self: False)
    monkeypatch.setattr(filtered, "LARGEST_KEPT", 0)
    walk = Walk(instance, rule=rule, max_steps=limit)
    steps = []
    while taken := walk.advance(1):
        steps += [(step.flips, step.basis, step.leaving, step.entering, step.is_published_stop) for step in taken]
        arithmetic = walk.stepper.arithmetic
        if arithmetic._exact is not None:
            arithmetic.restart(arithmetic.pattern, arithmetic.basis)
    return steps, walk


def steps_of(walk):
    return [(step.flips, step.basis, step.leaving, step.entering, step.is_published_stop) for step in walk]


@given(instances())
@pytest.mark.parametrize("rule", ["reference", "steepest", "first"])
def test_the_walk_is_the_exact_one(rule, instance):
    """Decided in balls wherever these are certain, on instances with ties and degenerate vertices."""
    with pytest.MonkeyPatch.context() as patch:
        steps, _ = walk_in_balls(patch, instance, rule, 30)
    assert steps == steps_of(Walk(instance, rule=rule, arithmetic="exact", max_steps=30))


@pytest.mark.parametrize("rule", ["reference", "steepest", "first"])
def test_generic_walks_are_decided_in_balls(monkeypatch, rule):
    """Away from degenerate vertices nothing is left to exact integers but slopes that are 0, and the rest of a step."""
    instance = sample_experiment((3, 4, 2, 1), samples=40, seed=3)
    exact = steps_of(Walk(instance, rule=rule, arithmetic="exact", max_steps=40))
    steps, walk = walk_in_balls(monkeypatch, instance, rule, 40)
    assert steps == exact
    # a slope that is 0 takes the rest of its step to exact integers
    assert walk.counts.balls["first kink"] >= 25
    assert walk.counts.balls["slope sign"] >= 50


TINY = Fraction(1, 2**150)


def test_precision_grows():
    """Kinks 2^-150 apart along an edge are told apart by 256 bits, not by 128."""
    # lines through (-2, 1) and (3, 4); leaving the second, the others are met at slopes 0 and 2/3 TINY
    inputs, targets = [[1], [1 + TINY], [3], [-2]], [[1], [1 + 2 * TINY], [4], [1]]
    problem = IntegerProblem.from_instance(Instance.create([([[1]], [0])], inputs, targets))
    cell = pattern_of(problem, scan(problem, [mpz(3), mpz(11)], mpz(5), None))
    basis = [Kink(1, 2, 0), Kink(1, 3, 0)]
    for is_on in (False, True):
        pattern = cell.copy()
        if pattern.is_on(basis[0]) != is_on:
            pattern.flip(basis[0])
        found = ExactArithmetic(problem, pattern, basis).first_kinks(basis[0])
        rough, fine = (BallVertex(problem, Reach.of(problem), pattern, basis, bits=bits) for bits in (128, 256))
        if is_on:
            assert fine.first_kink(basis[0]) is rough.first_kink(basis[0]) is found is None
            continue
        with pytest.raises(UncertainError):
            rough.first_kink(basis[0])
        assert (fine.first_kink(basis[0]),) == found.kinks == (Kink(1, 1, 0),)


def test_ties_are_passed_on():
    """What is met at the same place first, and what is not there, is not decided."""
    one, two = fmpz(1), fmpz(2)
    with pytest.raises(UncertainError):
        balls._first_of([(two, one, two, one, "a"), (two, one, two, one, "b")])
    with pytest.raises(UncertainError):
        balls._first_of([(two, one, one, one, "a")])
    assert balls._first_of([(two, fmpz(0), two, fmpz(0), "a"), (two, fmpz(0), one, fmpz(0), "b")]) == "a"
    with pytest.raises(UncertainError):
        balls._to_integers([arb("inf")], 64)


def test_integers_enclose_balls():
    """Midpoints and radii of any size, rounded outwards."""
    for text in ("1 +/- 1e-30", "3e40 +/- 1", "-7e-90 +/- 1e-95", "0 +/- 1e-10", "5"):
        ball = arb(text)
        for bits in (10, 64, 200):
            shift, (middle,), (error,) = balls._to_integers([ball], bits)
            scale = 2**shift
            assert abs(exact_of(ball.mid()) * scale - int(middle)) + exact_of(ball.rad()) * scale <= int(error)
    assert balls._to_integers([arb(0)], 64)[2] == [0]


def test_flips_of_balls_are_those_of_the_exact_vertex():
    """After flips one after another, slopes still hold the exact ones."""
    for case in CASES:
        for problem, pattern, basis, exact in vertices(case, 3):
            vertex = BallVertex(problem, Reach.of(problem), pattern, basis, bits=128)
            for first, second in pairwise(basis):
                for kink in (first, second):
                    vertex.flip(kink)
                    exact.flip(kink)
                for kink in basis:
                    truth = Fraction(int(exact._slope(Edge(kink, False))), int(exact._cell_slopes()[1]))
                    assert holds(vertex._slope(Edge(kink, False)), truth)
