"""Vertices and losses by enclosures: they hold the exact ones, and no answer hangs on how wide they are."""

import math
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, arb_mat, ctx
from gmpy2 import mpq
from hypothesis import given
from hypothesis import strategies as st
from strategies import examples, instances

from exactdrl import InputError, Walk, read_certificate, read_instance, record_walk, sample_experiment
from exactdrl import write_instance as write
from exactdrl.cells.affine import gradient_jump
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Pattern
from exactdrl.certificate.replay import replay
from exactdrl.exact.balls import from_arb, from_parts, to_arb, to_parts
from exactdrl.exact.enclosed import PRECISION, EnclosedNumber, EnclosedSequence, concatenate, enclose
from exactdrl.exact.rationals import to_float
from exactdrl.observations.claims import enclose_decimal, enclose_number, to_fields
from exactdrl.observations.density import choose_radii
from exactdrl.observations.lengths import Lengths, enclose_root, mean_text, sum_lengths
from exactdrl.observations.observe import observe
from exactdrl.observations.series import to_series
from exactdrl.observations.tables import all_tables
from exactdrl.series import enclosures, trajectory
from exactdrl.series.enclosures import EnclosedVertex, inverse_bound, replay_enclosed
from exactdrl.series.jumps import GradientJumps
from exactdrl.series.segments import Segment, replay_segment, segments
from exactdrl.series.trajectory import follow_trajectory

rationals = st.builds(mpq, st.integers(-(10**30), 10**30), st.integers(1, 10**30))


def recorded(folder, instance, **options):
    write(instance, folder / "a.json")
    instance = read_instance(folder / "a.json")
    record_walk(Walk(instance, **options), folder / "a.drl")
    return IntegerProblem.from_instance(instance), read_certificate(folder / "a.drl", instance)


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """A walk on a small deep network."""
    folder = tmp_path_factory.mktemp("walked")
    problem, certificate = recorded(folder, sample_experiment((2, 3, 2, 1), samples=30, seed=5, bits=20))
    assert len(certificate.steps) > 20
    return folder, problem, certificate


def holds(ball, value):
    return abs(value - from_arb(ball.mid())) <= from_arb(ball.rad())


# --- enclosures of vertices


@given(instance=instances(max_depth=3, max_parameters=5), length=st.integers(1, 5))
@examples(40)
def test_enclosures_hold_the_vertices(tmp_path_factory, instance, length):
    """At every vertex, ties or not, the balls hold the exact coordinates and the exact loss, and are narrow."""
    problem, certificate = recorded(tmp_path_factory.mktemp("any"), instance)
    if certificate.first.is_start:
        return
    for segment in segments(problem, certificate, length):
        pairs = zip(replay_enclosed(problem, segment), replay_segment(problem, segment), strict=True)
        for (point, loss), exact in pairs:
            coordinates = exact.vertex()
            assert all(holds(ball, value) for ball, value in zip(point.entries(), coordinates, strict=True))
            assert holds(loss, exact.loss())
            size = max(map(abs, coordinates), default=mpq(0)) + 1
            assert all(from_arb(ball.rad()) <= size / 2**90 for ball in point.entries())


def exact_box(problem, certificate):
    """The least and the greatest value of each coordinate over all vertices, on multiples of 1/1024."""
    columns = list(zip(*(list(vertex.vertex()) for vertex in replay(problem, certificate)), strict=True))
    lower = [mpq(math.floor(min(column) * 1024), 1024) for column in columns]
    upper = [mpq(math.floor(max(column) * 1024) + 1, 1024) for column in columns]
    return problem.to_full(lower), problem.to_full(upper)


@given(instance=instances(max_depth=3, max_parameters=5), length=st.integers(1, 5))
@examples(40)
def test_box(tmp_path_factory, instance, length):
    """The walk's box is that of its exact vertices."""
    problem, certificate = recorded(tmp_path_factory.mktemp("box"), instance)
    if certificate.first.is_start:
        return
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(trajectory, "_STEPS_A_PART", length)
        found = follow_trajectory(problem, certificate)
    assert (found.lower, found.upper) == exact_box(problem, certificate)


@pytest.mark.parametrize("widths", [(1, 4, 1), (2, 6, 2, 1)])
def test_box_of_units_that_are_0(tmp_path, monkeypatch, widths):
    """Where units are 0 the box needs no exact vertex: the basis shows it."""
    problem, certificate = recorded(tmp_path, sample_experiment(widths, samples=40, seed=1))
    vertices = [vertex.vertex() for vertex in replay(problem, certificate)]
    parts = segments(problem, certificate, len(certificate.steps))
    zeros = list(trajectory._find_zeros(problem, parts[0]))
    assert any(zeros)
    assert [[k for k, value in enumerate(vertex) if value == 0] for vertex in vertices] == list(map(sorted, zeros))
    expected = exact_box(problem, certificate)

    def refuse(*_):
        raise AssertionError("all vertices were computed")

    monkeypatch.setattr(trajectory, "replay_segment", refuse)
    found = follow_trajectory(problem, certificate)
    assert (found.lower, found.upper) == expected


@given(instance=instances(max_depth=3, max_parameters=5), seed=st.integers(0, 2**32))
@examples(60)
def test_jumps_that_are_remembered(instance, seed):
    """A flip changes the gradient by what it does without memory, whatever the pattern and in any order."""
    problem = IntegerProblem.from_instance(instance)
    source = np.random.default_rng(seed)
    bits = [bytearray(source.integers(0, 2, problem.samples * width).tolist()) for width in problem.widths]
    pattern, jumps = Pattern(problem.addresses, bits), GradientJumps(problem)
    kinks = list(pattern)
    for place in source.integers(0, max(len(kinks), 1), min(60, 60 * len(kinks))).tolist():
        assert jumps.at(pattern, kinks[place]) == gradient_jump(problem, pattern, kinks[place])
        pattern.flip(kinks[place])


def test_exact_points_where_floats_prove_nothing(walked, monkeypatch):
    """Where no float inverse is good enough, vertices are solved for exactly: the same walk."""
    _, problem, certificate = walked
    usual = follow_trajectory(problem, certificate)
    monkeypatch.setattr(enclosures, "inverse_bound", lambda *_: math.nan)
    assert follow_trajectory(problem, certificate) == usual


@pytest.mark.parametrize("bound", [0.5000001, math.inf, math.nan])
def test_no_enclosure_without_its_hypothesis(walked, monkeypatch, bound):
    """A bound of |I - C A| that does not show regularity is not used, NaN neither."""
    _, problem, certificate = walked
    segment = segments(problem, certificate, 5)[0]
    vertex = EnclosedVertex(problem, problem.pattern_from_hex(segment.pattern), segment.basis)
    assert vertex._corrected() is not None
    monkeypatch.setattr(enclosures, "inverse_bound", lambda *_: bound)
    assert vertex._corrected() is None


@given(st.integers(1, 6), st.integers(0, 2**32), st.integers(0, 300))
@examples(100)
def test_inverse_bound(n, seed, scale):
    """The bound is never below the exact row sum of |I - C A|, and not far above it where C is a good inverse."""
    source = np.random.default_rng(seed)
    exact = [[Fraction(int(v), 1 << 80) for v in row] for row in source.integers(-(2**62), 2**62, (n, n))]
    exact = [[value * (1 << 17) * (Fraction(1, 1 << scale) if (i + j) % 3 == 0 else 1) for j, value in enumerate(row)]
             for i, row in enumerate(exact)]  # fmt: skip
    rounded = np.array([[float(value) for value in row] for row in exact])
    try:
        inverse = np.linalg.inv(rounded)
    except np.linalg.LinAlgError:
        return
    for candidate in (inverse, inverse * 1.25, np.zeros((n, n)), inverse[::-1].copy()):
        if not np.isfinite(candidate).all():
            continue
        sums = []
        for i in range(n):
            row = [sum(Fraction(candidate[i, k]) * exact[k][j] for k in range(n)) for j in range(n)]
            sums.append(sum(abs(Fraction(i == j) - value) for j, value in enumerate(row)))
        bound = inverse_bound(candidate, rounded)
        assert not bound < max(sums)
    assert inverse_bound(np.zeros((n, n)), rounded) <= 1.02
    assert math.isnan(inverse_bound(np.full((n, n), math.nan), rounded))


def test_inverse_bound_counts_the_rounding_of_the_matrix():
    """A product that is the identity in floats, of a matrix that was rounded: the bound is not 0."""
    assert 0 < inverse_bound(np.eye(3), np.eye(3)) < 1e-13
    third = np.array([[1 / 3]])
    assert inverse_bound(np.array([[3.0]]), third) >= abs(1 - 3 * Fraction(1 / 3)) + Fraction(1, 2**53)


def test_leaving_the_cell_is_refused(walked):
    """A segment whose last vertex is outside its cell is refused, by balls as by integers."""
    _, problem, certificate = walked
    first = segments(problem, certificate, 100)[0]
    pattern = problem.pattern_from_hex(first.pattern)
    basis = set(first.basis)
    refused = 0
    for kink in list(pattern)[:40]:
        if kink in basis:
            continue
        pattern.flip(kink)
        wrong = Segment(0, tuple(pattern.to_hex()), first.basis, ())
        pattern.flip(kink)
        for follow in (replay_enclosed, replay_segment):
            try:
                list(follow(problem, wrong))
            except InputError as error:
                refused += 1
                assert "leaves its cells" in str(error) or "depends on those before it" in str(error)
    assert refused >= 40


# --- answers do not hang on the balls


@pytest.mark.parametrize("radius", [1e-25, 1e-9, 1e-2, 1e12])
def test_wide_balls_change_nothing(walked, monkeypatch, radius):
    """Balls blown up, little by little, until they settle nothing: every claim and every table stays the same."""
    folder, problem, certificate = walked
    settings = {"window": 4, "lines": 1, "between": [(3, 15)]}
    usual = observe(folder / "a.json", folder / "a.drl", **settings)
    tables = all_tables(usual, to_series(problem, certificate, usual.trajectory, 4))

    def blown_up(*arguments):
        for point, loss in replay_enclosed(*arguments):
            with ctx.workprec(PRECISION):
                noise = arb_mat(point.nrows(), 1, [arb(0, radius)] * point.nrows())
                yield point + noise, loss + arb(0, radius)

    asked = []
    find = EnclosedSequence.__getitem__
    monkeypatch.setattr(trajectory, "replay_enclosed", blown_up)
    monkeypatch.setattr(EnclosedSequence, "__getitem__", lambda self, k: asked.append(k) or find(self, k))
    wide = observe(folder / "a.json", folder / "a.drl", **settings)
    assert list(map(to_fields, wide.claims)) == list(map(to_fields, usual.claims))
    again = all_tables(wide, to_series(problem, certificate, wide.trajectory, 4))
    assert repr(again) == repr(tables)
    if radius >= 1e-9:
        assert len(asked) > len(certificate.steps)  # the rationals were needed


# --- numbers and sequences


@given(st.lists(rationals, min_size=1, max_size=6), rationals, st.integers(0, 120))
@examples(150)
def test_sequences_answer_as_rationals_do(values, bound, width):
    """Signs, floats, differences and decimals are the rationals', however wide the balls are."""
    with ctx.workprec(PRECISION):
        balls = [to_arb(value) + arb(0, arb((1, 60 - width))) for value in values]
    known = EnclosedSequence(balls, values.__getitem__)
    for probe in (bound, values[0], mpq(0)):
        assert known.compare_all(probe) == [(value > probe) - (value < probe) for value in values]
        assert known.compare(-1, probe) == (values[-1] > probe) - (values[-1] < probe)
    assert known.floats() == list(map(to_float, values))
    assert known.minus(0).floats() == [to_float(value - values[0]) for value in values]
    assert list(known) == values and known == tuple(values) and known[1:] == values[1:]
    assert concatenate(known, enclose([bound])).floats() == [*map(to_float, values), to_float(bound)]
    for index, value in enumerate(values):
        number = known.number(index)
        assert number.to_float() == to_float(value)
        assert enclose_number(number, 4) == enclose_decimal(value, 4)
        low, high = number.ends
        assert low <= value <= high
    for log, value in zip(known.logs(), values, strict=True):
        assert log == -math.inf if value <= 0 else abs(math.exp(log) - value) <= 1e-9 * value


@given(st.lists(rationals.map(abs), min_size=1, max_size=8), st.integers(0, 200), st.sampled_from([3, 20, 64, 100]))
@examples(100)
def test_roots_and_radii_are_those_of_rationals(squares, width, bits):
    """Running sums of roots, means, and the radii for a density, by balls of any width."""
    with ctx.workprec(PRECISION):
        known = EnclosedSequence([to_arb(s) + arb(0, arb((1, 60 - width))) for s in squares], squares.__getitem__)
    sums = sum_lengths(known, 1, bits)
    assert list(zip(sums.low, sums.high, strict=True)) == [enclose_root(square, bits) for square in squares]
    assert choose_radii(known) == choose_radii(squares)
    greatest = choose_radii(squares)[-1]
    assert all(square <= greatest**2 for square in squares)
    assert not any(squares) or any(square > (greatest / 2) ** 2 for square in squares)
    lengths = Lengths(known)
    for index, square in enumerate(squares):
        assert lengths.root(index) == (float(mean_text([square], 17)) if square else 0.0)
    if all(squares):
        assert lengths.mean(0, len(squares)) == float(mean_text(squares, 17))


@pytest.mark.parametrize(
    "value", [mpq(0), mpq(1, 3), mpq(-5), mpq(5, 4), mpq(10) ** -400, mpq(10) ** 400, -mpq(1, 10**330)]
)
def test_floats_at_the_ends_of_their_range(value):
    """Zero, numbers that underflow and overflow, exact floats: as the rational's float, sign of zero included."""
    with ctx.workprec(PRECISION):
        for ball in (to_arb(value), to_arb(value) + arb(0, arb((1, -2000)))):
            assert repr(EnclosedNumber(ball, lambda: value).to_float()) == repr(to_float(value))


@given(rationals, st.integers(-3000, 3000), st.sampled_from([53, 192, 400]))
@examples(200)
def test_balls_hold_their_rationals(value, power, precision):
    """A ball around a rational, long ones cut before FLINT sees them, holds it and is as narrow as the precision says."""
    value *= mpq(2) ** power * mpq(7**900 + 2, 7**900)
    with ctx.workprec(precision):
        ball = to_arb(value)
        assert holds(ball, value)
        assert from_arb(ball.rad()) <= abs(value) / 2 ** (precision - 2)
        sent = from_parts(to_parts(ball))
        assert (from_arb(sent.mid()), from_arb(sent.rad())) == (from_arb(ball.mid()), from_arb(ball.rad()))


def test_roots_that_are_fractions():
    """A root that is a multiple of 2^-bits is enclosed by itself, by an exact ball as by the rational."""
    squares = [mpq(4), mpq(9, 16), mpq(2)]
    sums = sum_lengths(enclose(squares), 1, 2)
    assert sums.low == (8, 3, 5)
    assert sums.high == (8, 3, 6)
