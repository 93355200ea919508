"""The float walk goes wrong in the ways that docs/foil.md counts, exactdrl does not, and the audit finds each of them."""

import importlib.util
import sys
from itertools import combinations
from pathlib import Path

import oracle
import pytest
from exactdrl_proofs import check
from foil import run_foil
from gmpy2 import mpq

from exactdrl import Walk, record_walk, sample_experiment, to_float, write_instance
from exactdrl.audits.audit import audit
from exactdrl.audits.record import record_audit
from exactdrl.audits.vertex import FoundVertex, OnFace
from exactdrl.minimality.verdict import NotMinimum

ROOT = Path(__file__).parent.parent
_SPEC = importlib.util.spec_from_file_location("foil_benchmark", ROOT / "benchmarks" / "foil.py")
benchmark = importlib.util.module_from_spec(_SPEC)
sys.modules["foil_benchmark"] = benchmark
_SPEC.loader.exec_module(benchmark)
Case = benchmark.Case

WRONG_ENDS = [
    Case((1, 1), 20, "as drawn", 0),
    Case((1, 1), 20, "as drawn", 9),
    Case((1, 1), 20, "as drawn", 14),
    Case((2, 2, 2, 1), 20, "as drawn", 1),
]
RIGHT_ENDS = [
    Case((1, 1), 20, "as drawn", 1),
    Case((3, 2, 1), 20, "as drawn", 0),
    Case((2, 2, 2, 1), 20, "as drawn", 0),
]
SINGULAR = [Case((2, 3, 1), 20, "twice", seed) for seed in range(4)] + [Case((1, 1), 20, "twice", 1)]
LEFT = [Case((1, 1), 20, "twice", 4), Case((2, 3, 1), 20, "as drawn", 3), Case((2, 3, 1), 20, "as drawn", 1)]
BACKWARDS = Case((2, 3, 1), 20, "as drawn", 1)


def audited(case):
    instance = benchmark.make(case)
    run = run_foil(instance)
    rows = [[mpq(value) for value in point] for point in run.points]
    first = min(run.first_vertex + 1, len(rows))
    return instance, run, audit(instance, rows, first_vertex=first, claims_minimum=run.reason == "converged")


def vertex_of(result, row):
    point = row.vertex.point
    return result.problem.to_full([mpq(entry, point.denominator) for entry in point.numerators])


@pytest.mark.parametrize("case", WRONG_ENDS, ids=str)
def test_it_stops_wrongly(case, tmp_path):
    """The foil declares convergence at a vertex that is no local minimum; the exact walk ends in one, lower."""
    instance, run, result = audited(case)
    assert run.reason == "converged"
    assert result.false_end
    assert isinstance(result.last, NotMinimum)
    # the oracle shares no code with the package, and the loss is a plain forward pass
    problem, end = oracle.Problem(instance), oracle.to_fractions(vertex_of(result, result.rows[-1]))
    minimality = oracle.decide_minimality(problem, end)
    assert not minimality.is_minimum
    assert any(
        problem.loss(oracle.move(end, minimality.direction, oracle.Fraction(1, 2**k))) < problem.loss(end)
        for k in range(0, 4000, 40)
    )
    write_instance(instance, tmp_path / "a.json")
    walk = Walk(instance)
    record_walk(walk, tmp_path / "a.drl")
    assert walk.loss < result.rows[-1].loss
    assert "local-minimum" in check.check(str(tmp_path / "a.json"), str(tmp_path / "a.drl"))
    if case.widths == (1, 1):
        assert str(walk.loss) == str(oracle.lad_optimum_of(problem))


@pytest.mark.parametrize("case", RIGHT_ENDS, ids=str)
def test_where_it_is_right_the_audit_says_so(case, tmp_path):
    """A run without a mistake audits as a walk, and gets a certificate that the checker accepts."""
    instance, run, result = audited(case)
    assert run.reason == "converged"
    assert not result.is_wrong
    assert not result.is_undecided
    write_instance(instance, tmp_path / "a.json")
    record_audit(result, tmp_path / "a.drl")
    line = check.check(str(tmp_path / "a.json"), str(tmp_path / "a.drl"))
    assert "local-minimum" in line
    steps = sum(
        a != b for a, b in zip(run.points[run.first_vertex :], run.points[run.first_vertex + 1 :], strict=False)
    )
    assert 0 < int(line.split()[0]) <= steps


@pytest.mark.parametrize("case", SINGULAR, ids=str)
def test_it_meets_a_singular_matrix(case):
    """Repeated samples end the foil in a singular matrix; the exact walk ends in a minimum."""
    instance, run, _ = audited(case)
    assert run.reason == "singular matrix"
    assert type(Walk(instance).run()).__name__ in ("LocalMinimum", "StrictLocalMinimum")


@pytest.mark.parametrize("case", LEFT, ids=str)
def test_it_leaves_the_vertices(case):
    """The foil stops inside a face, since a dependent kink entered; the audit finds the row, and its bound holds."""
    instance, run, result = audited(case)
    row = result.first_fault
    assert isinstance(row.vertex, OnFace)
    assert row.row > run.first_vertex
    if instance.widths != (1, 1):
        return
    # all vertices of this line fit, by the oracle: pairs of lines that meet
    problem = oracle.Problem(instance)
    point = oracle.to_fractions([[mpq(value) for value in run.points[row.row - 1]]])
    here = problem.values(point)
    lines = [([*x], y[0]) for x, y in zip(problem.pushed, problem.targets, strict=True)]
    squares = []
    for (a, y), (b, z) in combinations(lines, 2):
        inverse = oracle.inverse([a, b])
        if inverse is not None:
            vertex = [[oracle.dot(entries, [y, z]) for entries in inverse]]
            there = problem.values(vertex)
            if all(value == 0 or (value > 0) == (here[kink] > 0) for kink, value in there.items()):
                squares.append(sum((p - q) ** 2 for p, q in zip(point[0], vertex[0], strict=True)))
    assert squares
    assert row.vertex.squared_distance <= min(squares)
    assert row.vertex.squared_distance > mpq(1, 10**6)


def test_it_steps_backwards():
    """A step of negative length, and a loss that is not what an exact walk would have."""
    instance, run, result = audited(BACKWARDS)
    assert run.shortest < benchmark.BACKWARD
    assert result.is_wrong
    losses = [instance.loss_of([point[unit * 3 : unit * 3 + 3] for unit in range(3)]) for point in to_rationals(run)]
    assert [row.point_loss for row in result.rows] == losses


def to_rationals(run):
    return [[mpq(value) for value in point] for point in run.points]


def test_it_drifts():
    """The point is never put back on its kinks: at the end it is far off the nearest floats."""
    _, _, result = audited(WRONG_ENDS[-1])
    found = [row for row in result.rows if isinstance(row.vertex, FoundVertex)]
    assert len(found) > 30
    worst = max(found, key=lambda row: row.vertex.squared_distance)
    entries = [value for row in vertex_of(result, worst) for value in row]
    nearest = sum((value - mpq(to_float(value))) ** 2 for value in entries)
    assert worst.vertex.squared_distance > 10**4 * nearest > 0


def test_the_table_counts_what_it_says():
    """The benchmark's rows are what the cases above show."""
    wrong = benchmark.run(WRONG_ENDS[0])
    assert (wrong.reason, wrong.is_false_end, wrong.is_minimum, wrong.has_left) == ("converged", True, True, False)
    assert 0 < wrong.excess < 1
    left = benchmark.run(LEFT[0])
    assert (left.reason, left.has_left, left.is_false_end) == ("singular matrix", True, False)
    assert len(benchmark.to_cells([wrong, left])) == len(benchmark.COLUMNS)


def test_it_is_the_same_everywhere():
    """Elementwise float operations in a fixed order: a run's last point, to the last bit."""
    run = run_foil(sample_experiment((1, 1), samples=20, seed=0))
    assert [value.hex() for value in run.points[-1]] == LAST_POINT


LAST_POINT = ["-0x1.943f10c722e64p-3", "0x1.bac25cb7b4036p-2"]
