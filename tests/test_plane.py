"""Kinks in a plane: compared with an exact evaluation of the network on random points and on the segments."""

import random
from itertools import combinations, pairwise

import pytest
import strategies
from gmpy2 import mpq
from hypothesis import given
from hypothesis import strategies as st

from exactdrl import InputError, Instance, sample_experiment
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.scan import scan
from exactdrl.exact.linear import to_integers
from exactdrl.observations.lines import find_breakpoints
from exactdrl.observations.plane import find_cells, find_segments, through_points


def values_at(problem, parameters):
    numerators, denominator = to_integers(problem.to_reduced(parameters))
    return scan(problem, numerators, denominator, None)


def points_of(instance, seed):
    source = random.Random(seed)
    rows, width = len(instance.start), len(instance.start[0])
    return [
        tuple(tuple(mpq(source.randint(-8, 8), source.choice([1, 2, 3])) for _ in range(width)) for _ in range(rows))
        for _ in range(3)
    ]


@strategies.examples(60)
@given(strategies.instances(max_samples=5), st.integers(0, 10**6))
def test_segments(instance, seed):
    """On a segment its kink vanishes; a line across the window meets the segments where the values change sign."""
    problem = IntegerProblem.from_instance(instance)
    try:
        plane = through_points(points_of(instance, seed))
    except InputError:
        return
    lower, upper = (mpq(-1), mpq(-1)), (mpq(2), mpq(2))
    segments = list(find_segments(problem, plane, lower, upper))
    for segment in segments:
        assert segment.begin != segment.end
        for share in (mpq(0), mpq(1, 3), mpq(1)):
            place = [a + share * (b - a) for a, b in zip(segment.begin, segment.end, strict=True)]
            assert all(low <= x <= high for low, x, high in zip(lower, place, upper, strict=True))
            depth, index = problem.addresses.place(segment.kink)
            assert values_at(problem, plane.point(*place))[depth][index] == 0
    source = random.Random(seed)
    ends = [(mpq(source.randint(-99, 199), 100), mpq(source.randint(-99, 199), 100)) for _ in range(2)]
    before, after = (values_at(problem, plane.point(*end)) for end in ends)
    for depth, (left, right) in enumerate(zip(before, after, strict=True)):
        for index, (x, y) in enumerate(zip(left, right, strict=True)):
            if x * y < 0:
                kink = problem.addresses.kink(depth, index)
                own = [segment for segment in segments if segment.kink == kink]
                assert any(_cross(segment, *ends) for segment in own), kink


def signs_at(problem, plane, place):
    """The sign of every kink at a place, by an exact evaluation of the network."""
    return tuple(
        (value > 0) - (value < 0)
        for depth, values in enumerate(values_at(problem, plane.point(*place)))
        for index, value in enumerate(values)
        if problem.addresses.is_kink(depth, index)
    )


def area(polygon):
    return sum(a[0] * b[1] - a[1] * b[0] for a, b in zip(polygon, [*polygon[1:], polygon[0]], strict=True)) / 2


@strategies.examples(40)
@given(strategies.instances(max_samples=4), st.integers(0, 10**6))
def test_cells(instance, seed):
    """Cells fill the window; inside a cell all signs are one, between cells they differ: so that none is counted twice."""
    problem = IntegerProblem.from_instance(instance)
    try:
        plane = through_points(points_of(instance, seed))
    except InputError:
        return
    cells = find_cells(problem, plane, (mpq(-1), mpq(-1)), (mpq(2), mpq(2)))
    areas = [area(cell) for cell in cells]
    assert all(areas)
    assert sum(map(abs, areas)) == 9
    source, found = random.Random(seed), []
    for cell in cells:
        signs = set()
        for _ in range(3):
            weights = [mpq(source.randint(1, 9)) for _ in cell]
            total = sum(weights)
            signs.add(
                signs_at(
                    problem,
                    plane,
                    tuple(
                        sum(w * corner[axis] for w, corner in zip(weights, cell, strict=True)) / total
                        for axis in (0, 1)
                    ),
                )
            )
        assert len(signs) == 1
        found += signs
    assert len(set(found)) == len(cells)


def test_cells_of_lines():
    """Seven lines in general position, LAD in two coefficients: 1 + 7 + 21 cells, as Zaslavsky counts them."""
    instance = Instance.create(
        [([[0]], [0])], [[x] for x in range(7)], [[x**3 % 11 + x * x] for x in range(7)], layer=1
    )
    problem = IntegerProblem.from_instance(instance)
    plane = through_points([((mpq(0), mpq(0)),), ((mpq(1), mpq(0)),), ((mpq(0), mpq(1)),)])
    far = mpq(10**6)
    cells = find_cells(problem, plane, (-far, -far), (far, far))
    met = sum(_are_concurrent(*rows) for rows in combinations([(x, 1, x**3 % 11 + x * x) for x in range(7)], 3))
    assert met == 0
    assert len(cells) == 29
    with pytest.raises(InputError, match="window of the plane is empty"):
        find_cells(problem, plane, (far, far), (-far, far))


def _are_concurrent(a, b, c) -> bool:
    return (
        a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0]) + a[2] * (b[0] * c[1] - b[1] * c[0])
        == 0
    )


def _cross(segment, p, q) -> bool:
    """Whether a segment meets the line between two points, ends included."""

    def side(a, b, c):
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])

    one = side(p, q, segment.begin) * side(p, q, segment.end)
    two = side(segment.begin, segment.end, p) * side(segment.begin, segment.end, q)
    return one <= 0 and two <= 0


def test_along_an_axis():
    """The line t = 0 of a plane meets the segments at the breakpoints that the exact search on lines finds."""
    instance = sample_experiment((2, 3, 2, 1), samples=6, seed=4, bits=6)
    problem = IntegerProblem.from_instance(instance)
    plane = through_points(points_of(instance, 11))
    found = set()
    for segment in find_segments(problem, plane, (mpq(-1), mpq(-1)), (mpq(1), mpq(1))):
        (s, t), (u, v) = segment.begin, segment.end
        if t * v < 0:
            found.add(s + (u - s) * t / (t - v))
    expected = find_breakpoints(problem, plane.origin, plane.first, mpq(1))
    # kinks without effect on the loss are segments, but no breakpoints
    assert set(expected) <= found
    slopes = [instance.loss_of(plane.point(s, mpq(0))) for s in sorted(found)]
    assert len(slopes) == len(found)
    assert all(a < b for a, b in pairwise(sorted(found)))


def test_bad_planes():
    """Three points on a line, too few points and an empty window are refused."""
    instance = sample_experiment((1, 2, 1), samples=3, seed=0, bits=4)
    points = points_of(instance, 1)
    with pytest.raises(InputError, match="lie on a line"):
        through_points([points[0], points[0], points[1]])
    with pytest.raises(InputError, match="2 points are given"):
        through_points(points[:2])
    problem = IntegerProblem.from_instance(instance)
    with pytest.raises(InputError, match="empty"):
        next(find_segments(problem, through_points(points), (mpq(0), mpq(0)), (mpq(0), mpq(1))))


def test_command(tmp_path, capsys):
    """Pictures of every kind, of a walk and of a plane through given points; what is wrong is said."""
    from exactdrl_cli.main import run

    from exactdrl import Walk, record_walk, write_instance

    instance = sample_experiment((2, 3, 1), samples=12, seed=0, bits=8)
    write_instance(instance, tmp_path / "a.json")
    record_walk(Walk(instance), tmp_path / "a.drl")
    names = [str(tmp_path / name) for name in ("a.json", "a.drl")]
    for name, head in (("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF"), ("a.gif", b"GIF89a")):
        assert run(["slice", *names, "-o", str(tmp_path / name), "--zoom", "2"]) == 0
        assert (tmp_path / name).read_bytes().startswith(head)
    assert "straight pieces of kinks" in capsys.readouterr().out
    svg = (tmp_path / "a.svg").read_bytes()
    assert run(["slice", *names, "-o", str(tmp_path / "a.svg"), "--zoom", "2", "--force"]) == 0
    assert (tmp_path / "a.svg").read_bytes() == svg
    (tmp_path / "p.csv").write_text("0,0,0,0,0,0,0,0,0\n1,0,0,0,0,0,0,0,0\n0,0,0,1,0,0,0,0,1/2")
    through = ["--through", str(tmp_path / "p.csv")]
    assert run(["slice", names[0], "-o", str(tmp_path / "b.png"), *through]) == 0
    for arguments, words in (
        ([names[0], "-o", str(tmp_path / "c.gif")], "an animation shows a walk"),
        ([names[0], "-o", str(tmp_path / "c.txt")], "a figure's name ends in"),
        ([*names, "-o", str(tmp_path / "a.png")], "exists already"),
        ([*names, "-o", str(tmp_path / "c.png"), "--zoom", "0"], "a positive number is needed"),
    ):
        assert run(["slice", *arguments]) == 2
        assert words in capsys.readouterr().err
    assert not list(tmp_path.glob("c.*"))
