"""A campaign on a Dask cluster of processes: a scheduler, two workers, one of them killed in the middle of a run."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager

import pytest

from exactdrl.campaigns.conduct import conduct
from exactdrl.campaigns.config import parse_config
from exactdrl.campaigns.run import to_job
from exactdrl.campaigns.task import Task
from exactdrl.engine.process import WorkerProcess
from exactdrl.problem.output import MachineError

pytest.importorskip("distributed")

CAMPAIGN = """
version = 1
keep_runs = true
[[problems]]
widths = [[2, 2, 1]]
samples = [12]
bits = [8]
seeds = 8
"""
# a worker whose runs take a while, and which notes when each begins and ends, and for which Dask worker
NOTING = """
import os, time
from exactdrl.campaigns.run import run_task
from exactdrl.engine.worker import serve

def note(word, arguments):
    line = f"{{word}} {{arguments['case']['seed']}} {{os.getppid()}}\\n"
    with open({notes!r}, "ab", buffering=0) as stream:
        stream.write(line.encode("ascii"))

def run(arguments):
    note("begin", arguments)
    time.sleep(0.7)
    result = run_task(arguments)
    note("end", arguments)
    return result

serve(lambda name: run)
"""


@contextmanager
def cluster(folder):
    """Yields the scheduler's address and the worker processes by their ids."""
    file = folder / "scheduler.json"
    common = ["--scheduler-file", str(file)]
    scheduler = [sys.executable, "-m", "distributed.cli.dask_scheduler", *common, "--port", "0", "--no-dashboard"]
    one = [sys.executable, "-m", "distributed.cli.dask_worker", *common, "--no-nanny", "--no-dashboard"]
    one += ["--nthreads", "1", "--local-directory", str(folder)]
    with (folder / "log").open("wb") as log:
        options = {"stdout": log, "stderr": log, "cwd": folder}
        started = [subprocess.Popen(scheduler, **options)]
        try:
            until = time.monotonic() + 120
            while not file.exists() or not file.stat().st_size:
                assert started[0].poll() is None, (folder / "log").read_text()
                assert time.monotonic() < until
                time.sleep(0.1)
            started += [subprocess.Popen(one, **options) for _ in range(2)]
            from distributed import Client

            with Client(scheduler_file=str(file), timeout=120, set_as_default=False) as client:
                client.wait_for_workers(2, timeout=120)
                address = client.scheduler.address
            yield address, {process.pid: process for process in started[1:]}
        finally:
            for process in reversed(started):
                process.kill()
                process.wait()


def read_notes(path):
    lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return [(word, int(seed), int(worker)) for word, seed, worker in lines]


def in_hand(notes):
    """The Dask workers with a run that has begun and has not ended."""
    busy = {}
    for word, _, worker in notes:
        busy[worker] = word == "begin"
    return [worker for worker, is_busy in busy.items() if is_busy]


def contents(folder):
    """Every file of a campaign but for its lock."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def test_a_worker_is_killed(tmp_path):
    """Nothing is lost: each run is done once in the table, the run in hand is begun again, all files are the same."""
    campaign, notes = parse_config(CAMPAIGN, "campaign"), tmp_path / "notes"
    script = tmp_path / "noting.py"
    script.write_text(NOTING.format(notes=str(notes)))
    killed = []

    def on_run(done, total, case, status):
        del total, case
        assert status == "done"
        if done >= 2 and not killed:
            busy = in_hand(read_notes(notes))
            until = time.monotonic() + 60
            while not busy and time.monotonic() < until:
                time.sleep(0.02)
                busy = in_hand(read_notes(notes))
            os.kill(busy[0], signal.SIGKILL)
            workers[busy[0]].wait()
            killed.append(busy[0])

    with cluster(tmp_path) as (address, workers):
        command = (sys.executable, str(script))
        found = conduct(campaign, tmp_path / "cluster", scheduler=address, command=command, formats=(), on_run=on_run)
        assert set(killed) < set(workers)
        assert {worker for _, _, worker in read_notes(notes)} == set(workers)
    local = conduct(campaign, tmp_path / "local", formats=())
    assert [row["status"] for row in found.rows] == ["done"] * 8
    assert found.rows == local.rows
    assert contents(tmp_path / "cluster") == contents(tmp_path / "local")
    begun = [seed for word, seed, _ in read_notes(notes) if word == "begin"]
    assert set(begun) == set(range(8))
    assert len(begun) > 8


def test_the_scheduler_dies(tmp_path, capfd, monkeypatch):
    """A message that says so, not failed runs; what is done is kept, and the campaign goes on elsewhere."""
    from distributed import Client

    campaign, notes = parse_config(CAMPAIGN, "campaign"), tmp_path / "notes"
    script = tmp_path / "noting.py"
    script.write_text(NOTING.format(notes=str(notes)))
    done = []
    # of the cluster's processes, which are killed in the end
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))

    def on_run(count, total, case, status):
        del total, case
        assert status == "done"
        done.append(count)
        if count == 3:
            os.kill(scheduler, signal.SIGKILL)

    with cluster(tmp_path) as (address, _):
        with Client(address, set_as_default=False) as client:
            scheduler = client.run_on_scheduler(os.getpid)
        command = (sys.executable, str(script))
        began = time.monotonic()
        with pytest.raises(MachineError, match=r"the Dask scheduler at .* went away.*again"):
            conduct(campaign, tmp_path / "cluster", scheduler=address, command=command, formats=(), on_run=on_run)
        assert time.monotonic() - began < 100
    assert 3 <= len(done) < 8
    assert "Traceback" not in capfd.readouterr().err
    until = time.monotonic() + 30
    while list((tmp_path / "temporary").glob("exactdrl-*")):
        assert time.monotonic() < until
        time.sleep(0.05)
    counts = []
    found = conduct(campaign, tmp_path / "cluster", formats=(), on_run=lambda count, *_: counts.append(count))
    assert counts[0] == len(done)
    local = conduct(campaign, tmp_path / "local", formats=())
    assert found.rows == local.rows
    assert contents(tmp_path / "cluster") == contents(tmp_path / "local")


def test_an_idle_worker_is_killed(tmp_path, monkeypatch):
    """A worker process that was killed between two jobs is started again, and no job fails; nothing stays behind."""
    script = tmp_path / "noting.py"
    script.write_text(NOTING.format(notes=str(tmp_path / "notes")))
    campaign = parse_config(CAMPAIGN, "campaign")
    first, second = (to_job(Task(case, campaign.limits, verify=False, keep_runs=False)) for case in campaign.cases[:2])
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    worker = WorkerProcess((sys.executable, str(script)))
    assert worker.run(first).status == "done"
    worker.kill()
    worker._process.wait()
    assert worker.run(second).status == "done"
    worker.close()
    assert list((tmp_path / "temporary").iterdir()) == []
