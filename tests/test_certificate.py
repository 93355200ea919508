"""Certificates: what is written is accepted, interrupted walks resume to the same bytes, exports are exact."""

import csv
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import pyarrow.parquet
import pytest
from gmpy2 import mpq
from test_corpus import WALKS, find_file, is_walk

from exactdrl import (
    InputError,
    StepLimit,
    Walk,
    read_certificate,
    read_instance,
    record_walk,
    sample_experiment,
    verify,
    write_instance,
)  # fmt: skip
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.certificate.replay import replay
from exactdrl.series.export import export, points

RULES = ("reference", "steepest", "first")


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A small published experiment: its instance file, its certificate, and the losses seen while walking."""
    folder = tmp_path_factory.mktemp("published")
    write_instance(sample_experiment(samples=25, seed=3, bits=20), folder / "a.json")
    record_walk(Walk(read_instance(folder / "a.json")), folder / "a.drl")
    walk = Walk(read_instance(folder / "a.json"), arithmetic="exact")
    losses = [walk.loss] + [walk.loss for _ in walk]
    return folder, losses


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("widths", "seed"), [((2, 3, 1), s) for s in range(6)] + [((3, 4, 2, 2), s) for s in range(3)])
def test_produced_certificates_are_accepted(tmp_path, rule, widths, seed):
    """The independent checker accepts every certificate that a walk writes, degenerate vertices included."""
    write_instance(sample_experiment(widths, samples=15, seed=seed, bits=6), tmp_path / "a.json")
    record_walk(Walk(read_instance(tmp_path / "a.json"), rule=rule), tmp_path / "a.drl")
    assert verify(tmp_path / "a.json", tmp_path / "a.drl").status == "accepted"


@pytest.mark.parametrize("start_rule", ["projected-gradient", "coordinate"])
def test_both_start_rules_are_accepted(tmp_path, start_rule):
    """Either way to the first vertex gives a certificate that is accepted."""
    write_instance(sample_experiment((3, 3, 2, 1), samples=12, seed=1, bits=8), tmp_path / "a.json")
    record_walk(Walk(read_instance(tmp_path / "a.json"), start_rule=start_rule), tmp_path / "a.drl")
    assert verify(tmp_path / "a.json", tmp_path / "a.drl").status == "accepted"


@pytest.mark.parametrize("ending", ["drl", "drl.gz"])
def test_every_beginning_resumes_to_the_same_bytes(published, tmp_path, ending):
    """Cut anywhere, also inside a line or a gzip member, the walk resumes to the same bytes."""
    folder, _ = published
    instance = read_instance(folder / "a.json")
    record_walk(Walk(instance), tmp_path / f"whole.{ending}")
    whole = (tmp_path / f"whole.{ending}").read_bytes()
    path = tmp_path / f"cut.{ending}"
    for cut in [
        0,
        1,
        100,
        len(whole) // 3,
        len(whole) // 2,
        len(whole) - 300,
        len(whole) - 90,
        len(whole) - 1,
        len(whole),
    ]:
        path.write_bytes(whole[: max(cut, 0)])
        record_walk(Walk(instance), path, resume=True)
        assert path.read_bytes() == whole


def test_many_members_resume_to_the_same_bytes(tmp_path):
    """A compressed certificate of several members, cut inside one of them, resumes to the same bytes."""
    instance = sample_experiment((3, 4, 3, 1), samples=60, seed=2, bits=10)
    record_walk(Walk(instance, rule="first"), tmp_path / "a.drl.gz")
    whole = (tmp_path / "a.drl.gz").read_bytes()
    assert gzip.decompress(whole).count(b"\n") > 256
    for cut in (len(whole) // 2, len(whole) - 5):
        (tmp_path / "b.drl.gz").write_bytes(whole[:cut])
        record_walk(Walk(instance, rule="first"), tmp_path / "b.drl.gz", resume=True)
        assert (tmp_path / "b.drl.gz").read_bytes() == whole


def test_step_limit_then_resume(published, tmp_path):
    """A walk stopped by a limit says so, is accepted as that, and resumes to the same bytes."""
    folder, _ = published
    instance = read_instance(folder / "a.json")
    assert record_walk(Walk(instance, max_steps=7), tmp_path / "a.drl") == StepLimit()
    answer = verify(folder / "a.json", tmp_path / "a.drl")
    assert answer.status == "accepted"
    assert "step-limit" in answer.line
    record_walk(Walk(instance), tmp_path / "a.drl", resume=True)
    assert (tmp_path / "a.drl").read_bytes() == (folder / "a.drl").read_bytes()


def test_kill_in_the_middle_then_resume(tmp_path):
    """kill -9 leaves a beginning that --resume completes to the bytes of an uninterrupted walk."""
    write_instance(sample_experiment(samples=40, seed=0, bits=30), tmp_path / "a.json")
    command = [sys.executable, "-m", "exactdrl_cli", "walk", "a.json"]
    subprocess.run([*command, "-o", "whole.drl"], cwd=tmp_path, check=True, capture_output=True)
    child = subprocess.Popen([*command, "-o", "cut.drl"], cwd=tmp_path, stdout=subprocess.DEVNULL)
    path = tmp_path / "cut.drl"
    deadline = time.monotonic() + 60
    while (not path.exists() or path.stat().st_size < 4000) and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    child.wait()
    subprocess.run([*command, "-o", "cut.drl", "--resume"], cwd=tmp_path, check=True, capture_output=True)
    assert path.read_bytes() == (tmp_path / "whole.drl").read_bytes()
    assert not list(tmp_path.glob("*.new"))


def test_resume_refuses_other_walks(published, tmp_path):
    """Resuming with another rule or for another instance is refused, and the file stays as it was."""
    folder, _ = published
    content = (folder / "a.drl").read_bytes()[:-200]
    path = tmp_path / "a.drl"
    path.write_bytes(content)
    with pytest.raises(InputError, match="was walked with rule reference"):
        record_walk(Walk(read_instance(folder / "a.json"), rule="first"), path, resume=True)
    with pytest.raises(InputError, match="is for the instance with SHA-256"):
        record_walk(Walk(sample_experiment(samples=25, seed=4, bits=20)), path, resume=True)
    assert path.read_bytes() == content


def test_exports_are_exact(published, tmp_path):
    """Exports hold every point: losses by an independent forward pass, squared distances, and the walk's own losses."""
    folder, losses = published
    instance = read_instance(folder / "a.json")
    certificate = read_certificate(folder / "a.drl", instance)
    problem = IntegerProblem.from_instance(instance)
    for ending in ("jsonl", "csv", "parquet"):
        count = export(problem, certificate, vertices=tmp_path / f"v.{ending}", losses=tmp_path / f"l.{ending}")
        assert count == len(losses) + 25
    rows = [json.loads(line) for line in (tmp_path / "v.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(len(rows)))
    assert [mpq(row["loss"]) for row in rows[25:]] == losses
    assert {row["phase"] for row in rows[:26]} == {1}
    assert {row["phase"] for row in rows[26:]} == {2}
    last = [Fraction(text) for text in rows[-1]["theta"]]
    before = None
    for row in rows[:40] + rows[-3:]:
        theta = [Fraction(text) for text in row["theta"]]
        flat = [mpq(value) for value in theta]
        assert instance.loss_of([flat[k : k + 5] for k in range(0, 25, 5)]) == mpq(row["loss"])
        assert row["theta_float"] == [float(value) for value in theta]
        assert Fraction(row["squared_distance_to_last"]) == sum((a - b) ** 2 for a, b in zip(theta, last, strict=True))
        if before is not None and before[0] == row["step"] - 1:
            assert Fraction(row["squared_step"]) == sum((a - b) ** 2 for a, b in zip(theta, before[1], strict=True))
        before = row["step"], theta
    with (tmp_path / "v.csv").open() as stream:
        for row, line in zip(rows, csv.DictReader(stream), strict=True):
            assert line["loss"] == row["loss"]
            assert [line[f"theta_{k}"] for k in range(25)] == row["theta"]
    assert pyarrow.parquet.read_table(tmp_path / "v.parquet").to_pylist() == rows
    assert pyarrow.parquet.read_table(tmp_path / "l.parquet").column("loss").to_pylist() == [
        row["loss"] for row in rows
    ]


def test_replayed_vertices_satisfy_their_kinks(published):
    """Every replayed vertex makes each kink of its basis vanish, exactly."""
    folder, losses = published
    instance = read_instance(folder / "a.json")
    certificate = read_certificate(folder / "a.drl", instance)
    seen = []
    for arithmetic in replay(IntegerProblem.from_instance(instance), certificate):
        assert set(arithmetic.basis) <= set(arithmetic.vanishing_kinks())
        seen.append(arithmetic.loss())
    assert seen == losses


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[: len(text) // 2].rpartition("\n")[0] + "\n", "breaks off after step"),
        (lambda text: text.replace('"flip"', '"flop"', 1), "outcome is not of the format"),
        (lambda text: text.replace('"enter"', '"entr"', 1), "kink is not three integers"),
        (lambda text: text + text, "count or hash"),
        (lambda text: text.replace('"steps":', '"steps":1', 1), "count or hash"),
        (lambda text: "{}\n" + text, "not the header"),
        (lambda _: "", "no header"),
    ],
)
def test_damaged_certificates_are_refused(published, tmp_path, change, message):
    """The package's reader names what is wrong with a damaged certificate."""
    folder, _ = published
    (tmp_path / "a.drl").write_text(change((folder / "a.drl").read_text()))
    with pytest.raises(InputError, match=message):
        read_certificate(tmp_path / "a.drl", read_instance(folder / "a.json"))


def test_unwritable_output_is_refused(published, tmp_path):
    """A path that exists, lies in no folder, or has another ending is refused before the walk begins."""
    folder, _ = published
    instance = read_instance(folder / "a.json")
    for path, message in [
        (folder / "a.drl", "exists already"),
        (tmp_path / "none" / "a.drl", "does not exist"),
        (tmp_path / "a.txt", "ends in .drl"),
        (tmp_path, "ends in .drl"),
    ]:
        with pytest.raises(InputError, match=message):
            record_walk(Walk(instance), path)
    if os.name == "posix" and os.geteuid() != 0:
        tmp_path.chmod(0o500)
        with pytest.raises(InputError, match="cannot be written"):
            record_walk(Walk(instance), Path(tmp_path) / "a.drl")


@pytest.mark.parametrize("stem", [s for s in WALKS if s.parent.name == "accept" and is_walk(s)], ids=lambda s: s.name)
def test_every_accepted_certificate_is_exported(stem):
    """Whatever the checker accepts has points, whose losses do not rise; also where flips leave the basis dependent."""
    instance = read_instance(find_file(stem, ".json"))
    found = list(points(IntegerProblem.from_instance(instance), read_certificate(find_file(stem, ".drl"), instance)))
    losses = [point.loss for point in found]
    assert losses == sorted(losses, reverse=True)
