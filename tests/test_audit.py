"""The audit: what it calls a walk is one, by an independent checker; what it calls wrong is wrong, by the oracle."""

import csv
import json
from fractions import Fraction
from itertools import pairwise

import numpy as np
import oracle
import pytest
from exactdrl_cli.main import main
from exactdrl_proofs import check
from gmpy2 import mpq
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import examples, instances
from test_corpus import WALKS, find_file, is_walk

from exactdrl import (
    InputError,
    Instance,
    StepLimit,
    Walk,
    read_certificate,
    read_instance,
    record_walk,
    sample_experiment,
    to_float,
    write_instance,
)
from exactdrl.arithmetic.exact import ExactArithmetic
from exactdrl.audits.audit import audit
from exactdrl.audits.move import Adjacent, Crossed, NoEdge, Stays
from exactdrl.audits.nearness import Bounds, Nearness
from exactdrl.audits.point import ExactPoint, has_rank, is_independent
from exactdrl.audits.record import record_audit
from exactdrl.audits.signs import bits_of, kinks_of, pattern_from_bits
from exactdrl.audits.vertex import FoundVertex, NoVertex, OnFace, _is_vertex, find_vertex
from exactdrl.cells.affine import affine_form
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Addresses, Pattern
from exactdrl.certificate.replay import first_cell, follow
from exactdrl.doors.trajectory import read_trajectory
from exactdrl.minimality.verdict import NotMinimum
from exactdrl.series.export import export
from exactdrl.steps.first_vertex import StartEnd


def flat(rows):
    return tuple(value for row in rows for value in row)


def walked(instance, **options):
    """The exact vertices of a walk, row-major, and the walk."""
    walk = Walk(instance, arithmetic="exact", **options)
    vertices = [flat(walk.vertex)]
    vertices += [flat(walk.vertex) for _ in walk]
    return vertices, walk


def rounded(vertices):
    return [[mpq(to_float(value)) for value in row] for row in vertices]


def checked(instance, result, folder):
    """The checker's line on the certificate that an audit writes."""
    write_instance(instance, folder / "a.json", force=True)
    record_audit(result, folder / "a.drl", force=True)
    return check.check(str(folder / "a.json"), str(folder / "a.drl"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("audit")


@pytest.fixture(scope="module")
def sampled():
    """A walk of a few dozen steps on a small network."""
    return walked(sample_experiment((2, 3, 1), samples=20, seed=0))


# --- whole walks -----------------------------------------------------------------------------------------------------


@examples(40)
@given(instance=instances(), rule=st.sampled_from(["reference", "steepest", "first"]))
def test_an_exact_walk_is_whole(instance, rule, folder):
    """The exact vertices of a walk, degenerate ones too, are whole, and their certificate says what the walk's says."""
    vertices, walk = walked(instance, rule=rule)
    # a walk that ends in its start visits no vertex
    assume(not isinstance(walk.first_vertex, StartEnd))
    result = audit(instance, vertices, claims_minimum=not isinstance(walk.outcome, StepLimit))
    assert result.first_fault is None
    assert result.first_open is None
    assert all(isinstance(row.vertex, FoundVertex) and row.vertex.squared_distance == 0 for row in result.rows)
    assert [row.loss for row in result.rows] == [instance.loss_of(matrix(instance, row)) for row in vertices]
    assert not result.is_wrong
    assert result.is_certifiable
    line = checked(instance, result, folder)
    assert line.startswith(f"{walk.steps} steps, ")


def matrix(instance, row):
    width = len(instance.start[0])
    return [row[unit * width : (unit + 1) * width] for unit in range(len(instance.start))]


CASES = [((1, 1), 20, 3), ((2, 3, 1), 20, 1), ((2, 3, 1), 20, 7), ((3, 4, 2, 1), 25, 0), ((2, 2, 2, 2), 15, 11)]


@pytest.mark.parametrize(("widths", "samples", "seed"), CASES)
def test_a_rounded_walk_is_whole(widths, samples, seed, folder):
    """Vertices rounded to float64 are read as the vertices that they were, and the certificate is accepted."""
    instance = sample_experiment(widths, samples=samples, seed=seed)
    vertices, walk = walked(instance)
    result = audit(instance, rounded(vertices), claims_minimum=True)
    assert result.is_certifiable
    assert not result.is_wrong
    found = [flat(walk.problem.to_full(vertex_of(row))) for row in result.rows]
    assert found == vertices
    assert result.last == walk.outcome
    assert checked(instance, result, folder).startswith(f"{walk.steps} steps, ")


def vertex_of(row):
    point = row.vertex.point
    return [mpq(entry, point.denominator) for entry in point.numerators]


CORPUS = [stem for stem in WALKS if stem.parent.name == "accept" and is_walk(stem)]


@pytest.mark.parametrize("stem", CORPUS, ids=lambda stem: stem.name)
def test_the_vertices_of_accepted_certificates_are_whole(stem, folder):
    """The vertices of each walk in the checker's corpus, degenerate and made by hand, get a certificate that holds."""
    run_path, path = find_file(stem, ".drl"), find_file(stem, ".json")
    instance = read_instance(path)
    certificate = read_certificate(run_path, instance)
    problem = IntegerProblem.from_instance(instance)
    pattern, basis = first_cell(problem, certificate)
    basis, cells = list(basis), [(pattern.copy(), list(basis))]
    for step in certificate.steps:
        follow(pattern, basis, step)
        cells.append((pattern.copy(), list(basis)))
    vertices = [flat(problem.to_full(ExactArithmetic(problem, *cell).vertex())) for cell in cells]
    result = audit(instance, vertices)
    if any(step.crossed for step in certificate.steps):
        assert all(row.vertex.squared_distance == 0 for row in result.rows)
        return
    assert result.is_certifiable
    assert not result.is_wrong
    record_audit(result, folder / "c.drl", force=True)
    line = check.check(str(path), str(folder / "c.drl"))
    assert export(problem, read_certificate(folder / "c.drl", instance), losses=folder / "l.csv", force=True)
    assert line.startswith(f"{len(certificate.steps)} steps, ")


def test_degenerate_vertices_are_met():
    """The cases above hold degenerate vertices, so that the replaced bases are tested."""
    sizes = []
    for widths, samples, seed in CASES:
        instance = sample_experiment(widths, samples=samples, seed=seed)
        result = audit(instance, rounded(walked(instance)[0]))
        sizes += [row.active - result.problem.dimension for row in result.rows]
    assert max(sizes) > 10


def test_a_walk_from_elsewhere(folder, sampled):
    """A trajectory that does not begin in the start's cell is certified without a claim on the way to it."""
    vertices, walk = sampled
    instance = walk.problem.instance
    moved = vertices[9:]
    assert ExactPoint.of(walk.problem, instance.start)[0].signs.opposite(
        ExactPoint.of(walk.problem, matrix(instance, moved[0]))[0].signs
    )
    result = audit(instance, rounded(moved))
    assert result.chain.is_elsewhere
    assert "elsewhere" in checked(instance, result, folder)


def test_above_the_start_nothing_is_certified(folder, sampled):
    """A walk whose first vertex has a greater loss than the start is a walk, but no certificate can say so."""
    vertices, walk = sampled
    instance = walk.problem.instance.with_start(matrix(walk.problem.instance, vertices[-1]))
    result = audit(instance, vertices[:4])
    assert result.chain.is_above_start
    assert not result.is_wrong
    assert not result.is_certifiable
    with pytest.raises(InputError, match="not proved to be a walk"):
        record_audit(result, folder / "b.drl")
    assert audit(instance, vertices[-1:]).is_certifiable


# --- what is wrong ---------------------------------------------------------------------------------------------------


def test_a_missing_row_is_found(sampled):
    """Without one of its rows a walk goes over a kink or leaves the edges, unless three vertices are a triangle's."""
    vertices, walk = sampled
    found = []
    for gap in range(1, len(vertices) - 1):
        row = audit(walk.problem.instance, vertices[gap - 1 : gap] + vertices[gap + 1 : gap + 2]).rows[1]
        found.append(type(row.move))
        assert (row.fault is None) == isinstance(row.move, Adjacent)
    assert found.count(Adjacent) < len(found) / 4
    assert {Crossed, NoEdge} <= set(found)


def test_a_walk_backwards_rises(sampled):
    """Backwards every step is adjacent and wrong, since the loss rises."""
    vertices, walk = sampled
    result = audit(walk.problem.instance, rounded(vertices[::-1]))
    assert all(isinstance(row.move, Adjacent) for row in result.rows[1:])
    assert all("the loss rises by" in row.fault and row.loss_change == 1 for row in result.rows[1:])
    assert result.first_fault.row == 2
    assert result.chain is None


def test_a_row_that_stays_is_no_step(sampled, folder):
    """A vertex that is written twice is no fault and no step."""
    vertices, walk = sampled
    twice = [row for row in vertices for _ in range(2)]
    result = audit(walk.problem.instance, twice)
    assert [type(row.move) for row in result.rows[1::2]] == [Stays] * len(vertices)
    assert checked(walk.problem.instance, result, folder).startswith(f"{walk.steps} steps, ")


@pytest.mark.parametrize("share", [mpq(1, 2), mpq(1, 3), mpq(9, 10)])
def test_a_row_inside_an_edge_is_no_vertex(sampled, share):
    """A row between two adjacent vertices lies in a face of dimension 1, and its bound on the distance holds."""
    vertices, walk = sampled
    a, b = vertices[4:6]
    between = [mpq(to_float(x + share * (y - x))) for x, y in zip(a, b, strict=True)]
    result = audit(walk.problem.instance, [*vertices[:5], between, *vertices[5:]])
    row = result.first_fault
    assert (row.row, row.vertex.dimension) == (6, 1)
    assert "no vertex" in row.fault
    for vertex in (a, b):
        assert row.vertex.squared_distance <= sum((x - y) ** 2 for x, y in zip(between, vertex, strict=True))


def test_a_start_is_not_judged(sampled):
    """Rows before the first vertex are the way to it; named as vertices they leave the whole undecided."""
    vertices, walk = sampled
    start = flat(walk.problem.instance.start)
    assert audit(walk.problem.instance, [start, *vertices]).is_certifiable
    result = audit(walk.problem.instance, [start, *vertices], first_vertex=1)
    assert result.first_open.row == 1
    assert result.is_undecided
    assert audit(walk.problem.instance, [vertices[3], *vertices], first_vertex=2).is_certifiable


def test_a_gap_leaves_the_way_open(sampled):
    """After a row whose vertex is not found nothing is claimed of the way, and nothing is certified."""
    vertices, walk = sampled
    unclear = [value + mpq(1, 10**4) * (index + 1) for index, value in enumerate(vertices[5])]
    result = audit(walk.problem.instance, [*vertices[:5], unclear, *vertices[6:]])
    assert isinstance(result.rows[5].vertex, NoVertex)
    assert [row.row for row in result.rows if row.is_open] == [6, 7]
    assert result.is_undecided
    assert not result.is_wrong
    assert not result.is_certifiable
    rising = audit(walk.problem.instance, [*vertices[:5], unclear, *vertices[:3]])
    assert rising.first_fault.row == 7
    assert "the loss rises" in rising.first_fault.fault


def test_a_false_end(sampled):
    """A trajectory that stops too early is a walk, and wrong where it claims to end in a minimum."""
    vertices, walk = sampled
    result = audit(walk.problem.instance, vertices[:-1], claims_minimum=True)
    assert isinstance(result.last, NotMinimum)
    assert result.false_end
    assert result.is_wrong
    end = vertex_of(result.rows[-1])
    lower = [x + result.last.epsilon * d for x, d in zip(end, result.last.direction, strict=True)]
    problem = walk.problem
    assert problem.instance.loss_of(problem.to_full(lower)) < problem.instance.loss_of(problem.to_full(end))
    assert not audit(walk.problem.instance, vertices[:-1]).is_wrong


# --- against the oracle ----------------------------------------------------------------------------------------------


@examples(25)
@given(instance=instances(), data=st.data())
def test_moves_against_the_oracle(instance, data):
    """Whether two vertices are adjacent, and what is crossed between them, by the oracle's own definitions."""
    vertices, _ = walked(instance)
    assume(len(vertices) > 2)
    first, second = (data.draw(st.integers(0, len(vertices) - 1)) for _ in range(2))
    row = audit(instance, [vertices[first], vertices[second]]).rows[1]
    problem = oracle.Problem(instance)
    v, w = (matrix(instance, oracle.to_fractions([vertices[i]])[0]) for i in (first, second))
    at_v, at_w = problem.values(v), problem.values(w)
    opposite = [kink for kink in at_v if at_v[kink] * at_w[kink] < 0]
    shared = [kink for kink in at_v if at_v[kink] == at_w[kink] == 0]
    normals, _ = problem.normals({kink: at_v[kink] > 0 or at_w[kink] > 0 for kink in at_v})
    rank = oracle.rank([problem.reduce(normals[kink]) for kink in shared])
    assert row.loss_change == oracle.sign(problem.loss(w) - problem.loss(v))
    assert row.opposite == len(opposite)
    match row.move:
        case Stays():
            assert v == w
        case Crossed(kink, fraction, count):
            assert count == len(opposite) > 0
            assert 0 < fraction < 1
            f = Fraction(str(fraction))
            at = [
                problem.values(
                    [[a + t * (b - a) for a, b in zip(*pair, strict=True)] for pair in zip(v, w, strict=True)]
                )
                for t in (f / 2, f)
            ]
            assert at[1][kink] == 0 != at[0][kink]
            assert all(at_v[k] * at[1][k] >= 0 for k in at_v)
        case Adjacent():
            assert not opposite
            assert v != w
            assert rank == problem.reduced_n - 1
        case NoEdge(dimension):
            assert not opposite
            assert dimension == problem.reduced_n - rank >= 2


@examples(40)
@given(instance=instances(), data=st.data())
def test_what_is_read_as_a_vertex_is_one(instance, data):
    """Any point: a vertex that is found is one by the oracle; a face's bound holds for the vertices of a walk in it."""
    numbers = st.builds(Fraction, st.integers(-6, 6), st.sampled_from([1, 2, 3, 7, 10**6]))
    width = len(instance.start[0])
    rows = data.draw(
        st.lists(
            st.lists(numbers, min_size=width, max_size=width),
            min_size=len(instance.start),
            max_size=len(instance.start),
        )
    )
    separation = data.draw(st.sampled_from([1, 16, 2**16]))
    integer = IntegerProblem.from_instance(instance)
    problem = oracle.Problem(instance)
    point, values = ExactPoint.of(integer, [[mpq(v.numerator, v.denominator) for v in row] for row in rows])
    found = find_vertex(integer, Bounds.of(integer), point, values, separation=separation)
    reduced = [mpq(entry, point.denominator) for entry in point.numerators]
    if isinstance(found, FoundVertex):
        at = [mpq(entry, found.point.denominator) for entry in found.point.numerators]
        theta = oracle.to_fractions(integer.to_full(at))
        here = problem.values(theta)
        normals, _ = problem.normals({kink: value > 0 for kink, value in here.items()})
        zeros = [problem.reduce(normals[kink]) for kink, value in here.items() if value == 0]
        assert oracle.rank(zeros) == problem.reduced_n
        assert found.squared_distance == sum(((a - b) ** 2 for a, b in zip(at, reduced, strict=True)), mpq(0))
        assert str(found.point.loss) == str(problem.loss(theta))
    elif isinstance(found, OnFace):
        signs = problem.values(oracle.to_fractions(integer.to_full(reduced)))
        for vertex in walked(instance)[0]:
            there = problem.values(matrix(instance, oracle.to_fractions([vertex])[0]))
            if all(value == 0 or (value > 0) == (signs[kink] > 0) for kink, value in there.items()):
                other = integer.to_reduced(matrix(instance, vertex))
                assert found.squared_distance <= sum((a - b) ** 2 for a, b in zip(other, reduced, strict=True))


@examples(25)
@given(instance=instances(), data=st.data())
def test_nearest_kinks_come_first(instance, data):
    """The search by bounds yields all kinks in the order of their exact distances, vanishing ones first."""
    problem = IntegerProblem.from_instance(instance)
    reduced = data.draw(st.lists(st.integers(-3, 3), min_size=problem.dimension, max_size=problem.dimension))
    point, values = ExactPoint.of(problem, problem.to_full([mpq(v) for v in reduced]))
    nearness = Nearness(problem, Bounds.of(problem), point, values)
    expected = []
    for kink in nearness.pattern:
        form = affine_form(problem, nearness.pattern, kink)
        length = sum(a * a for a in form.row)
        if length:
            value = sum(
                (a * b for a, b in zip(form.row, point.numerators, strict=True)), form.offset * point.denominator
            )
            expected.append((mpq(value * value, length * point.denominator**2), kink))
    assert list(nearness.kinks()) == sorted(expected)
    for square, _ in expected:
        inside = {kink for other, kink in expected if other < square}
        assert nearness.are_others_beyond(inside, square)
        assert nearness.are_others_beyond(inside, square + 1) == all(
            other >= square + 1 for other, kink in expected if kink not in inside
        )
        assert all(not nearness.are_others_beyond(inside - {kink}, square) for kink in inside)


def test_a_kink_through_the_row_is_no_bystander():
    """A row on a kink that does not pass through the vertex nearby is not read as that vertex, however near it is."""
    # lines a + b = 0, b - a = 0, b = 1/10^15: the row lies on the third one and 1/10^15 from the first two's vertex
    targets = [["0"], ["0"], ["1/1000000000000000"]]
    instance = Instance.create([([["0"]], ["0"])], [["1"], ["-1"], ["0"]], targets)
    vertex, beside = [mpq(0), mpq(0)], [mpq(0), mpq(1, 10**15)]
    assert isinstance(audit(instance, [vertex]).rows[0].vertex, FoundVertex)
    assert not isinstance(audit(instance, [beside]).rows[0].vertex, FoundVertex)
    far = audit(instance, [[mpq(0), mpq(1, 10**25)]]).rows[0].vertex
    assert isinstance(far, FoundVertex)
    assert far.point.numerators == (0, 0)


def test_a_guess_outside_its_cell_is_none():
    """Points of phase 1, where the nearest kinks of the point's cell meet outside it: said so, not called a vertex."""
    walk = Walk(sample_experiment((3, 4, 2, 1), samples=25, seed=0))
    problem, reasons = walk.problem, []
    for reduced in walk.first_vertex.points[:-1]:
        point, values = ExactPoint.of(problem, problem.to_full(reduced))
        found = find_vertex(problem, Bounds.of(problem), point, values, separation=2**40)
        assert not isinstance(found, FoundVertex)
        reasons += [found.reason] if isinstance(found, NoVertex) else []
    assert "the nearest kinks meet outside the point's own cell" in reasons


def test_vertices_by_rank():
    """n kinks that vanish at a point make it a vertex only if they are independent there."""
    instance = Instance.create([([["0"]], ["0"])], [["1"], ["2"], ["3"], ["1"]], [["1"], ["2"], ["3"], ["1"]])
    problem = IntegerProblem.from_instance(instance)
    point, values = ExactPoint.of(problem, [[mpq(1), mpq(0)]])
    kinks = list(kinks_of(point.pattern(problem), point.signs.zero))
    assert len(kinks) == 4
    assert _is_vertex(problem, values, kinks)
    assert _is_vertex(problem, values, kinks[1:3])
    assert not _is_vertex(problem, values, [kinks[0], kinks[3]])
    assert not _is_vertex(problem, values, kinks[:1])


def test_ranks():
    """Rows that are dependent, or dependent modulo the prime only."""
    prime = 2**61 - 1
    assert is_independent([], 2)
    assert is_independent([[1, 0], [1, prime]], 2)
    assert not is_independent([[1, 2], [2, 4]], 2)
    assert not is_independent([[1, 0], [0, 1], [1, 1]], 2)
    assert has_rank([[1, 0], [1, prime], [2, 0]], 2, 2)
    assert not has_rank([[1, 0], [2, 0]], 2, 2)
    assert not has_rank([[1, 0]], 2, 2)
    assert has_rank([], 3, 0)


@given(bits=st.lists(st.booleans(), min_size=12, max_size=12))
def test_bits_are_the_pattern(bits):
    """Signs as integers and patterns mean the same kinks."""
    pattern = Pattern(Addresses.all_kinks(2, 3, (3, 1)), [bytearray(bits[:9]), bytearray(bits[9:])])
    kinks = list(pattern)
    value = bits_of(pattern)
    assert [kink for kink in kinks if pattern.is_on(kink)] == list(kinks_of(pattern, value))
    problem = IntegerProblem.from_instance(
        Instance.create([([[1]], None), ([[1]] * 3, None), ([[1, 1, 1]], None)], [[1], [2], [3]], [[1]] * 3, layer=2)
    )
    assert pattern_from_bits(problem, value) == pattern


# --- files and the command line --------------------------------------------------------------------------------------


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return stop.value.code, captured.out, captured.err


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_instance(sample_experiment((2, 3, 1), samples=20, seed=0), tmp_path / "a.json")
    return tmp_path


def test_export_audit_verify(files, capsys):
    """A recorded walk, exported and rounded, audits as a walk, and `verify` accepts what `audit` writes."""
    instance = read_instance("a.json")
    record_walk(Walk(instance), "a.drl")
    assert run(capsys, "export", "a.json", "a.drl", "--vertices", "v.csv")[0] == 0
    code, out, err = run(
        capsys, "audit", "a.json", "v.csv", "--columns", "theta_float_", "--certificate", "b.drl", "-o", "t.csv"
    )
    assert (code, err) == (0, "")
    assert "verdict      a walk: consecutive vertices are adjacent, and the loss never rises" in out
    assert run(capsys, "verify", "a.json", "b.drl")[0] == 0
    steps = read_certificate("a.drl", instance).steps
    with (files / "t.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert [row["move"] for row in table].count("adjacent") == len(steps)
    with (files / "v.csv").open(newline="") as stream:
        exact = [row["loss"] for row in csv.DictReader(stream)]
    assert [row["loss"] for row in table if row["loss"]] == exact[-len(steps) - 1 :]
    code, out, _ = run(capsys, "audit", "a.json", "v.csv", "--columns", "theta_", "--json", "--claims-minimum")
    value = json.loads(out)
    assert (code, value["verdict"], value["end"]) == (0, "walk", "strict-local-minimum")
    assert len(value["table"]) == len(exact)
    assert {row["distance"] for row in value["table"] if row["vertex"]} == {0.0}


def test_exit_codes(files, capsys, sampled):
    """0 a walk, 1 wrong, 3 undecided; the table names the row and says why."""
    vertices, _ = sampled
    floats = np.array([[to_float(value) for value in row] for row in vertices])
    np.save("p.npy", floats)
    assert run(capsys, "audit", "a.json", "p.npy", "--summary")[0] == 0
    np.save("p.npy", floats.reshape(len(floats), 3, 3))
    assert run(capsys, "audit", "a.json", "p.npy", "--summary", "--claims-minimum")[0] == 0
    np.savetxt("p.csv", floats[::-1], delimiter=",", fmt="%.17g")
    code, out, _ = run(capsys, "audit", "a.json", "p.csv", "--certificate", "b.drl")
    assert code == 1
    assert "verdict      wrong: row 2: the loss rises by" in out
    assert "certificate  not written" in out
    assert not (files / "b.drl").exists()
    np.save("p.npy", floats[:-1])
    code, out, _ = run(capsys, "audit", "a.json", "p.npy", "--claims-minimum", "--json")
    assert (code, json.loads(out)["end"]) == (1, "not-a-minimum")
    np.save("p.npy", floats + 1e-6 * np.arange(9))
    code, out, _ = run(capsys, "audit", "a.json", "p.npy")
    assert code == 3
    assert "undecided: no row was read as a vertex" in out
    code, out, _ = run(capsys, "audit", "a.json", "p.npy", "--first-vertex", 1)
    assert code in (1, 3)
    assert "row 1" in out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("1,2,3,4,5,6,7,8,9\n1,2,3,4,x,6,7,8,9\n", "row 2, column 5: not a number: 'x'"),
        ("1,2,3,4,5,6,7,8,9\n1,2,3,4,,6,7,8,9\n", "row 2, column 5: the cell is empty"),
        ("1,2,3,4,5,6,7,8,9\n1,2,3\n", "row 2 has 3 cells, row 1 has 9: column 4 is missing"),
        ("1,2,3,4,5,6,7,8,nan\n", "row 1, column 9: 'nan' is not a number"),
        ("1,2,3\n", "p.csv: row 1 has 3 numbers, layer 1 has 9 parameters: 3 units, 3 a unit"),
        ("a,b,c,d,e,f,g,h,i\n", "holds no rows below the header"),
        ("", "holds no rows"),
    ],
)
def test_bad_points(files, capsys, content, words):
    """Bad input ends with 2 and one line that names row, column and value."""
    (files / "p.csv").write_text(content)
    code, out, err = run(capsys, "audit", "a.json", "p.csv")
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1


def test_bad_arrays(files, capsys):
    """The same for NumPy arrays; pickles are not opened."""
    cases = [
        (np.array([[1.0] * 8 + [np.nan]]), "row 1, column 9: not a finite number: nan"),
        (np.zeros((2, 8)), "row 1 has 8 numbers"),
        (np.zeros(9), "has shape (9,)"),
        (np.zeros((0, 9)), "it is empty"),
        (np.array([[None] * 9]), "not a whole npy file"),
        (np.array([["a"] * 9]), "row 1, column 1: not a number: "),
    ]
    for array, words in cases:
        np.save("p.npy", array, allow_pickle=True)
        code, out, err = run(capsys, "audit", "a.json", "p.npy")
        assert (code, out) == (2, ""), words
        assert words in err
        assert err.count("\n") == 1
    (files / "p.npy").write_bytes(b"\x93NUMPY")
    assert run(capsys, "audit", "a.json", "p.npy")[0] == 2
    assert run(capsys, "audit", "a.json", "missing.csv")[0] == 2
    assert run(capsys, "audit", "missing.json", "p.npy")[0] == 2


def test_refusals_of_outputs(files, capsys, sampled):
    """Existing files are kept; endings are checked; nothing is written over without --force."""
    np.save("p.npy", np.array([[to_float(value) for value in row] for row in sampled[0]]))
    (files / "t.csv").write_text("kept")
    assert run(capsys, "audit", "a.json", "p.npy", "-o", "t.csv")[0] == 2
    assert (files / "t.csv").read_text() == "kept"
    assert run(capsys, "audit", "a.json", "p.npy", "-o", "t.csv", "--force", "--summary")[0] == 0
    assert run(capsys, "audit", "a.json", "p.npy", "-o", "t.txt")[0] == 2
    assert run(capsys, "audit", "a.json", "p.npy", "--certificate", "b.txt")[0] == 2
    assert run(capsys, "audit", "a.json", "p.npy", "--certificate", "b.csv", "-o", "b.csv")[0] == 2
    assert run(capsys, "audit", "a.json", "p.npy", "--columns", "x")[0] == 2
    assert run(capsys, "audit", "a.json", "p.npy", "--first-vertex", 99)[0] == 2


def test_headers_and_columns(files):
    """A header is seen, columns are chosen by their prefix in order of their numbers, hexadecimal floats are exact."""
    (files / "p.csv").write_text("w_1,other,w_0\n0x1p-1,9,0.1\n1/3,9,2\n")
    assert read_trajectory("p.csv", columns="w_").points == ((mpq(1, 10), mpq(1, 2)), (mpq(2), mpq(1, 3)))
    assert read_trajectory("p.csv").points[0] == (mpq(1, 2), mpq(9), mpq(1, 10))
    with pytest.raises(InputError, match="no column is named v_0"):
        read_trajectory("p.csv", columns="v_")
    np.save("p.npy", np.array([[0.1, 2]], dtype=np.float32))
    assert read_trajectory("p.npy").points == ((mpq(float(np.float32(0.1))), mpq(2)),)


def test_pairs_of_rounded_rows(sampled):
    """As given, too, the loss is compared exactly: its changes are those of the instance's own loss."""
    vertices, walk = sampled
    rows = rounded(vertices)
    result = audit(walk.problem.instance, rows)
    losses = [walk.problem.instance.loss_of(matrix(walk.problem.instance, row)) for row in rows]
    assert [row.point_loss for row in result.rows] == losses
    assert [row.point_loss_change for row in result.rows[1:]] == [(b > a) - (b < a) for a, b in pairwise(losses)]
