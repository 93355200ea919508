"""Exports in parallel: the same bytes for any number of processes, and regular vertices told by residues."""

from dataclasses import replace

import pytest
from gmpy2 import mpq
from hypothesis import assume, given
from strategies import examples, instances

from exactdrl import (
    InputError,
    Instance,
    Loss,
    StepLimit,
    Walk,
    read_certificate,
    read_instance,
    record_walk,
    sample_experiment,
    write_instance,
)
from exactdrl.arithmetic.exact import ExactArithmetic
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.certificate.replay import replay
from exactdrl.engine.pool import map_items
from exactdrl.series.export import export, points
from exactdrl.series.parallel import common_problem
from exactdrl.series.residues import PRIME, ResidueScan
from exactdrl.series.segments import replay_segment, segments


def recorded(folder, instance, **options):
    write_instance(instance, folder / "a.json")
    instance = read_instance(folder / "a.json")
    record_walk(Walk(instance, **options), folder / "a.drl")
    return IntegerProblem.from_instance(instance), read_certificate(folder / "a.drl", instance)


def test_same_bytes_for_any_number_of_processes(tmp_path):
    """Tables made by three processes are those made by one."""
    problem, certificate = recorded(tmp_path, sample_experiment(samples=60, seed=1, bits=10), max_steps=600)
    assert certificate.outcome == StepLimit() and len(certificate.steps) == 600
    counted = []
    for jobs in (1, 3):
        paths = {"vertices": tmp_path / f"{jobs}.csv", "losses": tmp_path / f"{jobs}.jsonl"}
        export(problem, certificate, **paths, jobs=jobs, on_point=lambda point: counted.append(point.step))
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "3.csv").read_bytes()
    assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "3.jsonl").read_bytes()
    half = len(counted) // 2
    assert counted == [*range(half), *range(half)]


@given(instance=instances(max_depth=3, max_parameters=5))
@examples(25)
def test_points_are_those_of_a_plain_replay(tmp_path_factory, instance):
    """Vertices, losses in the cells and regularity agree with a replay that scans every vertex, ties or not."""
    problem, certificate = recorded(tmp_path_factory.mktemp("any"), instance)
    assume(not certificate.first.is_start)  # such a run has no vertex
    found = [point for point in points(problem, certificate) if point.is_degenerate is not None]
    exact = []
    for arithmetic in replay(problem, certificate):
        theta = tuple(value for row in problem.to_full(arithmetic.vertex()) for value in row)
        exact.append((theta, arithmetic.loss(), len(arithmetic.vanishing_kinks())))
    assert [(point.theta, point.loss) for point in found] == [(theta, loss) for theta, loss, _ in exact]
    for point, (_, _, vanishing) in zip(found, exact, strict=True):
        assert vanishing > problem.dimension or not point.is_degenerate
    for length in (1, 2):
        parts = segments(problem, certificate, length)
        assert sum(len(part.steps) for part in parts) == len(certificate.steps)
        losses = [[vertex.loss() for vertex in replay_segment(problem, part)] for part in parts]
        assert [losses[0][0], *(loss for part in losses for loss in part[1:])] == [loss for _, loss, _ in exact]


@given(instance=instances(max_depth=2, max_parameters=4))
@examples(25)
def test_residues_are_sound(tmp_path_factory, instance):
    """A vertex that is certainly regular has exactly n vanishing kinks; in small numbers the converse holds too."""
    problem, certificate = recorded(tmp_path_factory.mktemp("any"), instance)
    assume(not certificate.first.is_start)  # such a run has no vertex
    residues = ResidueScan(problem)
    for segment in segments(problem, certificate, 10):
        for vertex in replay_segment(problem, segment):
            is_regular = residues.is_certainly_regular(*vertex.point(), vertex.pattern)
            count = len(vertex.vanishing_kinks())
            assert is_regular == (count == problem.dimension)


def test_residues_leave_multiples_of_the_prime_open(tmp_path):
    """A residual that is a multiple of the prime is not told from 0 by residues, but by integers."""
    targets = [[str(y)] for y in (5, 5 + PRIME, 5 + 3 * PRIME, 6)]
    instance = Instance.create([([["0"]], None)], [["1"]] * 4, targets)
    problem, certificate = recorded(tmp_path, instance)
    first = ExactArithmetic(problem, problem.pattern_from_hex(certificate.first.pattern), certificate.first.basis)
    assert first.vertex() == (mpq(5),)
    assert not ResidueScan(problem).is_certainly_regular([5], 1, first.pattern)
    assert [point.is_degenerate for point in points(problem, certificate)][1:] == [False] * (1 + len(certificate.steps))


def test_a_killed_process_is_reported(tmp_path, monkeypatch):
    """When a worker process dies, one clear refusal says so."""
    problem, _ = recorded(tmp_path, sample_experiment((2, 2, 1), samples=6, seed=1, bits=4))
    with pytest.raises(InputError, match="a worker process was killed"):
        list(map_items(common_problem(problem), [1, 2], _die, jobs=2))


def _die(problem, item):
    import os

    os._exit(9)


def test_runs_that_end_in_their_start_say_why(tmp_path):
    """Without a vertex there is nothing to export: since the loss is constant, since it falls, or for no reason known."""
    constant = Instance.create([([[1, 0], [0, 1]], [0, 0]), ([[0, 0]], [1])], [[1, 2], [3, 4]], [[1], [2]])
    ray = Instance.create([([[1]], [0])], [[1], [1]], [[1], [2]], loss=Loss.linear())
    for name, instance, reason in (
        ("constant", constant, ": the loss is constant in the trained layer"),
        ("ray", ray, ": the loss falls forever along a ray from there"),
    ):
        (tmp_path / name).mkdir()
        problem, certificate = recorded(tmp_path / name, instance)
        assert certificate.first.is_start
        with pytest.raises(InputError) as raised:
            list(replay(problem, certificate))
        assert str(raised.value) == f"the run ends in its start, it has no vertex{reason}"
        with pytest.raises(InputError) as raised:
            next(replay(problem, replace(certificate, outcome=None)))
        assert str(raised.value) == "the run ends in its start, it has no vertex"
        with pytest.raises(InputError) as raised:
            Walk(instance).stepper.arithmetic.point()
        assert str(raised.value) == f"the walk ends in its start, it has no vertex{reason}"
