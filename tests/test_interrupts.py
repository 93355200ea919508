"""An interrupt is answered within seconds, in one long call into a library and while a command loads."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from exactdrl_cli.guard import GRACE

from exactdrl import Walk, record_walk, sample_experiment, verify, write_instance

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")

# one call into FLINT that takes minutes: the determinant of 700 rows of 2000-bit numbers
LONG = """
import random
from flint import fmpz_mat
random.seed(1)
long = fmpz_mat(700, 700, [random.getrandbits(2000) for _ in range(490_000)])
"""
IN_CALL = """
from pathlib import Path
from exactdrl.problem.output import new_file, temporary_folder
from exactdrl_cli import entry, main

def call(_):
    main.guard.allow_end()
    with temporary_folder() as folder, new_file(Path("x.json"), force=True) as partial:
        partial.write_text("half")
        (folder / "y").write_text("half")
        print(folder, partial, flush=True)
        long.det()

run = main.run
main.run = lambda: run(None, call)
entry.main()
"""
# the tenth step of a walk takes minutes
IN_WALK = """
import exactdrl.walks.driver as driver
from exactdrl_cli import entry

advance = driver.Walk.advance

def slow(self, limit):
    if self.steps == 10:
        print("begun", flush=True)
        long.det()
    return advance(self, min(limit, 5))

driver.Walk.advance = slow
entry.main()
"""
# a real interrupt at one traced line of whatever Python code loads and runs, from the entry on
AT_LINE = """
import os, signal, sys

left = int(sys.argv.pop(1))

def trace(frame, event, _):
    global left
    if event == "line":
        left -= 1
        if left == 0:
            sys.settrace(None)
            os.kill(os.getpid(), signal.SIGINT)
            return None
    return trace

from exactdrl_cli.entry import main
sys.settrace(trace)
main()
"""


def start(script: str, *arguments: object, folder: Path) -> subprocess.Popen:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def interrupt(process: subprocess.Popen, number: int = signal.SIGINT) -> tuple[float, str, str]:
    """Interrupts a process a little later, and returns how long it takes to end and what it has said."""
    time.sleep(0.3)
    began = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return time.monotonic() - began, out, err


def test_long_call(tmp_path):
    """A call that takes minutes ends soon after an interrupt: exit code 3, one line, nothing half-written is left."""
    process = start(LONG + IN_CALL, folder=tmp_path)
    folder, partial = map(Path, process.stdout.readline().split())
    assert folder.is_dir()
    assert partial.exists()
    seconds, _, err = interrupt(process)
    assert process.returncode == 3
    assert GRACE <= seconds < GRACE + 8  # the machine may be loaded
    assert re.fullmatch("interrupted in the middle of one long exact step; .*\n", err)
    assert not folder.exists()
    assert list(tmp_path.iterdir()) == []


def test_killed(tmp_path):
    """After a kill, too, nothing half-written is left, and no guard."""
    process = start(LONG + IN_CALL, folder=tmp_path)
    folder, partial = map(Path, process.stdout.readline().split())
    assert partial.exists()
    # the pipes close when the guard has ended, too
    _, out, err = interrupt(process, signal.SIGKILL)
    assert (process.returncode, out, err) == (-signal.SIGKILL, "", "")
    assert not folder.exists()
    assert list(tmp_path.iterdir()) == []


def test_walk_in_long_call(tmp_path):
    """A walk that is ended in one long call is resumed to the same bytes."""
    problem = sample_experiment(samples=40, seed=1)
    write_instance(problem, tmp_path / "a.json")
    record_walk(Walk(problem, max_steps=30), tmp_path / "whole.drl")
    process = start(LONG + IN_WALK, "walk", "a.json", "-o", "a.drl", "--max-steps", 30, folder=tmp_path)
    assert process.stdout.readline() == "begun\n"
    _, _, err = interrupt(process)
    assert process.returncode == 3
    assert "--resume goes on" in err
    assert b'"end"' not in (tmp_path / "a.drl").read_bytes()
    assert len((tmp_path / "a.drl").read_bytes().splitlines()) == 12
    record_walk(Walk(problem, max_steps=30), tmp_path / "a.drl", resume=True)
    assert (tmp_path / "a.drl").read_bytes() == (tmp_path / "whole.drl").read_bytes()
    assert verify(tmp_path / "a.json", tmp_path / "a.drl").status == "accepted"


LINES = [2, 9, 40, 130, 600, 4_000, 20_000, 60_000, 100_000, 150_000]


@pytest.mark.parametrize("line", LINES)
def test_first_second(tmp_path, line):
    """An interrupt at any line, from the entry on, while modules load: no traceback, one word, exit code 3."""
    write_instance(sample_experiment(samples=3, widths=(1, 2, 1), seed=2, bits=12), tmp_path / "a.json")
    process = start(AT_LINE, line, "minimum", "a.json", folder=tmp_path)
    _, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (3, "interrupted\n")


def test_ignored(tmp_path):
    """Where interrupts are ignored, in a script's background jobs, they stay so."""
    script = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + AT_LINE
    write_instance(sample_experiment(samples=3, widths=(1, 2, 1), seed=2, bits=12), tmp_path / "a.json")
    process = start(script, 4_000, "minimum", "a.json", "--json", folder=tmp_path)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0
    assert '"verdict"' in out
    assert err == ""


POOL = """
import multiprocessing, sys, time
from exactdrl.engine.pool import Common, map_items
from test_interrupts import build, rest

if __name__ == "__main__":
    for pid in map_items(Common(0, build), [0] * 9, rest, jobs=2):
        print(pid, flush=True)
        time.sleep(60)
"""


def build() -> int:
    return 0


def rest(_: int, __: int) -> int:
    return os.getpid()


def test_pool_after_kill(tmp_path):
    """A pool's processes end when the one that asked was killed."""
    (tmp_path / "pool.py").write_text(POOL)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])}
    process = subprocess.Popen([sys.executable, "pool.py"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE)
    pid = int(process.stdout.readline())
    os.kill(pid, 0)
    process.kill()
    process.communicate(timeout=60)
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.05)
