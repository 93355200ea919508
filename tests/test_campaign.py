"""Campaigns: configuration, kills, failures, limits, cluster, statistics; one table whatever happens on the way."""

import csv
import itertools
import json
import math
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from exactdrl_cli.main import main
from gmpy2 import mpq
from matplotlib.image import imread

from exactdrl import InputError, sample_experiment, verify
from exactdrl.campaigns.case import Case, Limits
from exactdrl.campaigns.conduct import conduct
from exactdrl.campaigns.config import default_config, parse_config, read_config
from exactdrl.campaigns.criteria import CRITERIA
from exactdrl.campaigns.measures import turn_rows
from exactdrl.campaigns.run import run_task, to_job
from exactdrl.campaigns.sequences import read_series
from exactdrl.campaigns.statistics import clopper_pearson, median_rank, summarise, wilson
from exactdrl.campaigns.store import open_store
from exactdrl.campaigns.summary import answer, summarise_campaign
from exactdrl.campaigns.task import Task
from exactdrl.campaigns.windows import find_window
from exactdrl.campaigns.words import to_markdown
from exactdrl.campaigns.zero_units import count_zero_units
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.certificate.reader import read_certificate
from exactdrl.certificate.record import record_walk
from exactdrl.certificate.replay import replay
from exactdrl.engine.job import Job, find_work, register, work_name
from exactdrl.engine.worker import remove_in_use
from exactdrl.problem.file import read_instance
from exactdrl.problem.names import parse_activation, parse_loss
from exactdrl.report.words import outcome_name
from exactdrl.series.export import points
from exactdrl.walks.driver import Walk

ROOT = Path(__file__).parent.parent
SMALL = """
version = 1
[[problems]]
widths = [[2, 2, 1], [2, 3, 1]]
samples = [12]
bits = [8]
seeds = 3
"""
TABLES = ("table.parquet", "table.csv", "floats.csv", "summary.json", "summary.md", "answers.svg", "measures.svg")


def tables(folder):
    return {name: (folder / name).read_bytes() for name in TABLES}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The small campaign, run in one go by one worker."""
    folder = tmp_path_factory.mktemp("whole") / "campaign"
    conduct(parse_config(SMALL, "small"), folder, jobs=1)
    return folder


def worker(tmp_path, body):
    """The command of a worker whose `run(task)` has another body; `run_task` is the real one."""
    path = tmp_path / "worker.py"
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    path.write_text(
        "import os, signal, time\n"
        "from exactdrl.campaigns.run import run_task\n"
        "from exactdrl.campaigns.task import Task\n"
        "from exactdrl.engine.worker import serve\n"
        f"def run(arguments):\n    task = Task.from_json(arguments)\n{lines}\n    return run_task(arguments)\n"
        "serve(lambda name: run)\n"
    )
    return (sys.executable, str(path))


def rows_by_seed(conducted):
    return {row["seed"]: row for row in conducted.rows}


# -- the table does not depend on how it came about


def test_table_does_not_depend_on_jobs(whole, tmp_path):
    """Two workers at once give the same bytes as one, and running it again runs nothing."""
    campaign = parse_config(SMALL, "small")
    found = conduct(campaign, tmp_path / "two", jobs=2)
    assert found.run == 6
    assert tables(tmp_path / "two") == tables(whole)
    again = conduct(campaign, tmp_path / "two", jobs=2, command=("false",), formats=())
    assert again.run == 0
    assert tables(tmp_path / "two") == tables(whole)


def test_killed_and_resumed(whole, tmp_path):
    """A campaign killed by SIGKILL in its middle goes on by the same command: nothing lost, nothing twice, one table."""
    config, folder = tmp_path / "small.toml", tmp_path / "campaign"
    config.write_text(SMALL)
    command = [sys.executable, "-m", "exactdrl_cli", "campaign", str(config), "-o", str(folder), "--jobs", "2"]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=os.environ | {"TMPDIR": str(scratch)})
    until = time.monotonic() + 120
    while len(list((folder / "results").glob("*.json"))) < 2:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()
    before = {path: path.stat().st_mtime_ns for path in (folder / "results").glob("*.json")}
    assert 2 <= len(before) < 6
    assert not (folder / "table.parquet").exists()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    assert f"runs         6, {6 - len(before)} of them done now" in done.stdout
    assert tables(folder) == tables(whole)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    while list(scratch.iterdir()):  # the orphans end by themselves, and leave nothing
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_folder_in_use_is_removed(tmp_path):
    """Files that another thread makes meanwhile do not keep it."""
    folder = tmp_path / "scratch"

    def work():
        with suppress(OSError):
            for number in itertools.count():
                (folder / f"{number % 50}").mkdir(exist_ok=True)
                (folder / f"{number % 50}" / f"{number}").touch()

    for _ in range(20):
        folder.mkdir()
        busy = threading.Thread(target=work)
        busy.start()
        while len(list(folder.iterdir())) < 50:
            time.sleep(0.001)
        remove_in_use(str(folder))
        busy.join(timeout=60)
        assert not busy.is_alive()
        assert not list(tmp_path.iterdir())


def test_workers_end_with_their_parent(tmp_path):
    """A worker whose stdin ends stops at once, even in the middle of a run."""
    command = worker(tmp_path, "open('began', 'w').close()\ntime.sleep(1000)")
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path)
    case = Case((2, 2, 1), 5, 8, "reference", 0)
    job = to_job(Task(case, Limits(), verify=False, keep_runs=False))
    process.stdin.write(json.dumps(job.to_json()).encode() + b"\n")
    process.stdin.flush()
    while not (tmp_path / "began").exists():
        time.sleep(0.01)
    process.stdin.close()
    assert process.wait(timeout=20) == 0
    process.stdout.close()


def test_cluster(whole, tmp_path):
    """A Dask cluster gives the same bytes; a death there is the run's failure, and not the cluster's."""
    from distributed import LocalCluster

    options = {"n_workers": 1, "threads_per_worker": 2, "processes": False, "protocol": "tcp"}
    with LocalCluster(**options, dashboard_address=None, local_directory=str(tmp_path)) as cluster:
        address = cluster.scheduler_address
        conduct(parse_config(SMALL, "small"), tmp_path / "cluster", scheduler=address)
        command = worker(tmp_path, "if task.case.seed == 1: os.kill(os.getpid(), signal.SIGKILL)")
        campaign = parse_config(SMALL.replace("[2, 3, 1]", "[1, 1]").replace("seeds = 3", "seeds = 2"), "killed")
        killed = conduct(campaign, tmp_path / "killed", scheduler=address, command=command, formats=())
    assert tables(tmp_path / "cluster") == tables(whole)
    assert [row["status"] for row in killed.rows] == ["done", "failed"] * 2
    assert "signal 9 (SIGKILL)" in killed.rows[1]["reason"]


def test_no_cluster(tmp_path, monkeypatch):
    """Without Dask, or without a scheduler, the message says so."""
    campaign = parse_config(SMALL, "small")
    monkeypatch.setattr("exactdrl.engine.cluster._SECONDS_TO_CONNECT", 1)
    with pytest.raises(InputError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        conduct(campaign, tmp_path / "a", scheduler="tcp://127.0.0.1:9", formats=())
    with pytest.raises(InputError, match="no Dask scheduler answers at nonsense"):
        conduct(campaign, tmp_path / "a", scheduler="nonsense://", formats=())
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'dask\[distributed\]'"):
        conduct(campaign, tmp_path / "b", scheduler="tcp://127.0.0.1:9", formats=())


# -- jobs by name


def test_work_is_found_by_its_name():
    """A worker imports the module of a job's function; what is not registered cannot be called."""
    task = Task(Case((2, 2, 1), 5, 8, "reference", 0), Limits(seconds=7), verify=False, keep_runs=True)
    job = Job.from_json(json.loads(json.dumps(to_job(task).to_json())))
    assert job == to_job(task)
    assert job.seconds == 7
    assert Task.from_json(job.arguments) == task
    script = f"from exactdrl.engine.job import find_work; print(find_work({job.work!r}).__name__)"
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "run_task\n"
    assert find_work(work_name(run_task)) is run_task
    for name in ("os:system", "exactdrl.campaigns.run:to_job", "exactdrl.campaigns.run", ""):
        with pytest.raises(ValueError, match="no function is registered as"):
            find_work(name)
    with pytest.raises(ValueError, match="not a job"):
        Job.from_json({"work": 1, "arguments": {}, "seconds": None})
    assert register(run_task) is run_task


# -- failures and limits


def test_failures_are_recorded(tmp_path):
    """An exception, a killed worker, an exit: each is recorded with its reason, and the others are run."""
    command = worker(
        tmp_path,
        "seed = task.case.seed\n"
        "if seed == 0: raise RuntimeError('deliberate\\nfailure')\n"
        "if seed == 1: os.kill(os.getpid(), signal.SIGKILL)\n"
        "if seed == 2: print('no result', flush=True)\n"
        "if seed == 3: os._exit(7)",
    )
    campaign = parse_config(SMALL.replace("seeds = 3", "seeds = 5").replace(", [2, 3, 1]", ""), "failing")
    found = conduct(campaign, tmp_path / "campaign", jobs=2, command=command, formats=())
    rows = rows_by_seed(found)
    assert [rows[seed]["status"] for seed in range(5)] == ["failed", "failed", "done", "failed", "done"]
    assert rows[0]["reason"] == "RuntimeError: deliberate failure"
    assert rows[1]["reason"] == "the worker process was ended by signal 9 (SIGKILL)"
    assert rows[3]["reason"].startswith("the worker process ended with exit code 7")
    assert [name for name, _ in found.summary.failures] == [rows[seed]["name"] for seed in (0, 1, 3)]
    share = found.summary.groups[0].outcomes
    assert {entry.total for entry in share.values()} == {2}
    # the failures stay as they are, unless they are to be tried again
    assert conduct(campaign, tmp_path / "campaign", command=("false",), formats=()).run == 0
    retried = conduct(campaign, tmp_path / "campaign", retry_failed=True, formats=())
    assert (retried.run, retried.count("done")) == (3, 5)


def test_no_worker(tmp_path):
    """A worker that cannot be started, or dies before it works, is a failure of each run, with its last words."""
    campaign = parse_config(SMALL.replace("seeds = 3", "seeds = 1"), "none")
    found = conduct(campaign, tmp_path / "a", command=(str(tmp_path / "missing"),))
    assert all("FileNotFoundError" in row["reason"] for row in found.rows)
    found = conduct(campaign, tmp_path / "b", command=(sys.executable, "-c", "raise SystemExit('no such thing')"))
    assert all(row["reason"].endswith("exit code 1: no such thing") for row in found.rows)


def test_limits(tmp_path):
    """A run over its steps or its CPU seconds is over a limit: no result, no failure."""
    command = worker(tmp_path, "pass")
    spinning = tmp_path / "spin"
    spinning.mkdir()
    spin = worker(
        spinning,
        "from exactdrl.engine.limited import cpu_limit\n"
        "if task.case.seed == 0:\n    with cpu_limit(task.limits.seconds):\n        while True: sum(range(10**6))",
    )
    one = SMALL.replace(", [2, 3, 1]", "").replace("seeds = 3", "seeds = 2")
    found = conduct(
        parse_config(f"{one}\n[limits]\nmax_steps = 1\n", "steps"), tmp_path / "steps", command=command, formats=()
    )
    assert [(row["status"], row["reason"]) for row in found.rows] == [("limit", "over 1 steps")] * 2
    assert found.summary.groups[0].statuses == {"limit": 2}
    assert found.summary.groups[0].outcomes["the last vertex is degenerate"].total == 0
    found = conduct(
        parse_config(f"{one}\n[limits]\nseconds = 1\n", "time"), tmp_path / "time", command=spin, formats=()
    )
    assert [(row["status"], row["reason"]) for row in found.rows] == [("limit", "over 1 CPU seconds"), ("done", "")]


def check_series(path, instance, run):
    """The kept sequences are the floats nearest to what a replay in rationals, vertex by vertex, finds."""
    problem, certificate = IntegerProblem.from_instance(instance), read_certificate(run, instance)
    found = list(points(problem, certificate))
    vertices = found[-len(certificate.steps) - 1 :]
    series = read_series(path)
    assert len(vertices) > 3
    assert [point.phase for point in vertices] == [1] + [2] * len(certificate.steps)
    for column, exact in (
        ("loss", [point.loss for point in vertices]),
        ("squared_distance", [point.squared_distance_to_last for point in vertices]),
        ("squared_step", [None, *(point.squared_step for point in vertices[1:])]),
    ):
        floats = [math.nan if value is None else float(Fraction(str(value))) for value in exact]
        assert list(map(repr, series[column].tolist())) == list(map(repr, floats)), column


def test_series_of_others(tmp_path):
    """A file that is no kept sequence is refused with its name."""
    path = tmp_path / "a.series.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"a\.series\.parquet: cannot be read as Parquet"):
        read_series(path)
    pq.write_table(pa.table({"loss": [1.0]}), path)
    with pytest.raises(InputError, match="has the columns loss, not loss, squared_step, squared_distance"):
        read_series(path)


def test_kept_and_verified(tmp_path, monkeypatch):
    """Kept files are the run's: the checker accepts them, and they are those of the commands that are given."""
    one = SMALL.replace(", [2, 3, 1]", "").replace("seeds = 3", "seeds = 1")
    campaign = parse_config(one, "kept").with_options(verify=True, keep_runs=True)
    found = conduct(campaign, tmp_path / "campaign", formats=())
    (row,) = found.rows
    assert row["verified"] == "accepted"
    assert found.summary.groups[0].verified == (1, 1)
    base = tmp_path / "campaign" / "runs" / row["name"]
    assert verify(f"{base}.json.gz", f"{base}.drl.gz").status == "accepted"
    check_series(Path(f"{base}.series.parquet"), read_instance(f"{base}.json.gz"), Path(f"{base}.drl.gz"))
    monkeypatch.chdir(tmp_path)
    for line in campaign.cases[0].commands:
        with pytest.raises(SystemExit) as stop:
            main(line.split()[1:])
        assert stop.value.code == 0
    assert verify(f"{row['name']}.json", f"{row['name']}.drl").status == "accepted"


# -- the folder


def test_other_campaign_in_the_folder(whole, tmp_path):
    """Another configuration, a stranger's folder, a result of another run, a second process: each is refused."""
    with pytest.raises(InputError, match="they differ in cases"):
        conduct(parse_config(SMALL.replace("seeds = 3", "seeds = 2"), "other"), whole)
    with pytest.raises(InputError, match="they differ in verify"):
        conduct(parse_config(f"verify = true\n{SMALL}", "other"), whole, formats=())
    # what means the same is the same
    conduct(parse_config(f"# a comment\nkeep_runs = false\n{SMALL}", "same"), whole, formats=())
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("mine")
    campaign = parse_config(SMALL, "small")
    with pytest.raises(InputError, match="not a campaign's"):
        conduct(campaign, tmp_path / "mine", formats=())
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["file"]
    with (
        open_store(tmp_path / "held", campaign),
        pytest.raises(InputError, match="another process"),
        open_store(tmp_path / "held", campaign),
    ):
        pass
    with open_store(tmp_path / "held", campaign) as store:
        first, second = campaign.cases[:2]
        store.save(first, {"case": second.to_json()}, {})
        with pytest.raises(InputError, match="not the result of this run"):
            store.result(first)
        (tmp_path / "held" / "results" / f"{second.name}.json").write_text("{")
        with pytest.raises(InputError, match="remove it to run it again"):
            store.result(second)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version = 1", "problems: at least one table"),
        (SMALL.replace("version = 1", ""), "version is None"),
        (SMALL.replace("version = 1", "version = 2"), "version is 2"),
        (SMALL.replace("version = 1", "version = true"), "version is True"),
        (f"jobs = 3\n{SMALL}", "unknown key 'jobs'"),
        (SMALL.replace("samples", "sample"), "problems[0]: unknown key 'sample'"),
        (SMALL.replace("samples = [12]", ""), "problems[0]: key 'samples' is missing"),
        (SMALL.replace("[12]", "12"), "problems[0].samples is 12, a list"),
        (SMALL.replace("[12]", "[12.0]"), "problems[0].samples[0] is 12.0, an integer"),
        (SMALL.replace("[12]", "[12, 12]"), "problems[0].samples[1] is 12, which stands"),
        (SMALL.replace("[12]", "[]"), "problems[0].samples is [], a list with at least one"),
        (SMALL.replace("[12]", "[0]"), "problems[0].samples[0] is 0"),
        (SMALL.replace("[8]", "[54]"), "problems[0].bits[0] is 54"),
        (SMALL.replace("[2, 2, 1]", "[2]"), "problems[0].widths[0] is [2], a list of 2 to"),
        (SMALL.replace("[2, 2, 1]", "[2, 0]"), "problems[0].widths[0][1] is 0"),
        (SMALL.replace("[2, 2, 1]", "'4,5'"), "problems[0].widths[0] is '4,5'"),
        (SMALL.replace("seeds = 3", "seeds = 0"), "problems[0].seeds is 0"),
        (SMALL.replace("seeds = 3", "seeds = 99999999999"), "problems[0]: more than 100000 runs"),
        (f"{SMALL}first_seed = -1", "problems[0].first_seed is -1"),
        (f"{SMALL}rules = ['best']", "problems[0].rules[0] is 'best'; one of reference"),
        (f"{SMALL}rules = ['long-step']", "problems[0]: rule 'long-step' needs the last layer to be trained; campaigns"),
        (f"{SMALL}{SMALL.replace('version = 1', '')}", "problems[1]: the run w2-2-1_n12_b8_reference_s0 is in problems[0]"),
        (f"limits = 3\n{SMALL}", "limits is 3, a table"),
        (f"{SMALL}[limits]\nseconds = 0", "limits.seconds is 0"),
        (f"{SMALL}[limits]\nhours = 1", "limits: unknown key 'hours'"),
        (f"verify = 'yes'\n{SMALL}", "verify is 'yes', true or false"),
        ("version = ", "not TOML"),
        ("problems = [3]\nversion = 1", "problems[0] is 3, a table"),
    ],
)  # fmt: skip
def test_bad_configurations(tmp_path, capsys, text, message):
    """Every bad configuration is refused with the place and the value, exit 2, nothing written, no traceback."""
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(SystemExit) as stop:
        main(["campaign", str(tmp_path / "c.toml"), "-o", str(tmp_path / "out")])
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert message in error
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()


def test_figures_have_formats_and_sizes(whole, tmp_path, capsys):
    """Figures are drawn again in other formats and sizes, without a run; pgf needs LaTeX, which is asked for first."""
    folder = Path(shutil.copytree(whole, tmp_path / "whole"))
    config = tmp_path / "small.toml"
    config.write_text(SMALL)

    def run(*arguments):
        with pytest.raises(SystemExit) as stop:
            main(["campaign", str(config), "-o", str(folder), *arguments])
        return stop.value.code, *capsys.readouterr()

    for size, width in (("column", 3.3), ("page", 6.8)):
        code, out, _ = run("--format", "png", "--format", "pdf", "--size", size)
        assert code == 0
        assert "6, 0 of them done now" in out
        for name in ("answers", "measures"):
            image = imread(folder / f"{name}.png")
            assert image.shape[1] == round(300 * width)
            assert image.std() > 0.01
            assert (folder / f"{name}.pdf").read_bytes().startswith(b"%PDF")
            assert f"written      {folder / name}.pdf\n" in out
    assert (folder / "answers.svg").read_bytes() == (whole / "answers.svg").read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shutil.which", lambda name: None)
        code, _, err = run("--format", "pgf")
        assert code == 2
        assert "the format pgf needs LaTeX" in err
    if shutil.which("pdflatex") is not None:
        assert run("--format", "pgf", "--size", "column")[0] == 0
        assert (folder / "measures.pgf").stat().st_size > 10_000


def test_command_line(whole, tmp_path, capsys, monkeypatch):
    """Usage errors end with 2, a whole campaign with 0, one with failures with 3; the shipped campaign parses."""
    monkeypatch.setattr("exactdrl.campaigns.conduct.save_figure", lambda figure, path, **_: [path])
    whole = Path(shutil.copytree(whole, tmp_path / "whole"))

    def run(*arguments):
        with pytest.raises(SystemExit) as stop:
            main(["campaign", *map(str, arguments)])
        return stop.value.code, *capsys.readouterr()

    config = tmp_path / "small.toml"
    config.write_text(SMALL)
    assert run(config)[0] == run("-o", tmp_path / "x")[0] == run(config, "--default", "-o", tmp_path / "x")[0] == 2
    assert run(config, "-o", tmp_path / "x", "--jobs", 1, "--scheduler", "a")[0] == 2
    assert run(tmp_path / "none.toml", "-o", tmp_path / "x")[0] == 2
    code, out, _ = run(config, "-o", whole, "--json")
    assert (code, json.loads(out)["digest"]) == (0, parse_config(SMALL, "s").digest)
    assert "6, 0 of them done now; 0 met a limit, 0 failed" in run(config, "-o", whole)[1]
    assert run("--show-default")[1] == default_config()
    case = parse_config(SMALL, "s").cases[0]
    path = whole / "results" / f"{case.name}.json"
    text = path.read_text()
    path.write_text(json.dumps(json.loads(text) | {"status": "failed", "reason": "deliberate", "fields": {}}))
    code, _, err = run(config, "-o", whole)
    assert (code, f"{case.name}: failed: deliberate" in err) == (3, True)
    rejected = json.loads(text)
    rejected["fields"]["verified"] = "rejected"
    path.write_text(json.dumps(rejected))
    assert run(config, "-o", whole)[0] == 1


def test_shipped_campaign():
    """At least 100 runs, three architectures with the published one among them, the published number of samples too."""
    campaign = parse_config(default_config(), "default")
    assert len(campaign.cases) >= 100
    assert len({case.widths for case in campaign.cases}) == 3
    published = [case for case in campaign.cases if case.widths == (4, 5, 4, 3, 2, 1)]
    assert {case.samples for case in published} >= {100, 500}
    assert {case.bits for case in campaign.cases} == {53}


# -- the table's content


def test_table_content(whole):
    """Parquet and CSV hold a row a run; exact numbers are texts whose nearest float stands beside them."""
    table = pq.read_table(whole / "table.parquet").to_pylist()
    assert len(table) == 6
    for row in table:
        instance = sample_experiment(tuple(map(int, row["widths"].split(","))), samples=12, seed=row["seed"], bits=8)
        assert row["instance"] == instance.digest
        walk = Walk(instance)
        walk.run()
        assert (row["steps"], row["outcome"]) == (walk.steps, outcome_name(walk.outcome))
        assert mpq(row["final_loss"]) == walk.loss
        assert row["final_loss_float"] == float(Fraction(row["final_loss"]))
        assert row["wrong_stops"] == len(walk.published_stops)
        if row["window_loss_gap_rate"] is not None:
            assert row["window_loss_gap_rate_float"] == float(Fraction(row["window_loss_gap_rate"])) < 1
    lines = (whole / "table.csv").read_text().splitlines()
    assert lines[0].split(",") == list(table[0])
    assert len(lines) == 7
    assert "final_loss," not in (whole / "floats.csv").read_text().splitlines()[0]


def test_certified_window():
    """A window's constants hold exactly on every step of it; growth and noise beyond the spread give none."""
    source = random.Random(1)
    values = [mpq(3)] * 40 + [mpq(3) * mpq(9, 10) ** k * mpq(source.randint(90, 110), 100) for k in range(120)]
    window = find_window("loss-gap", values, 0, mpq(2))
    bracket = window.bracket
    assert bracket.high / bracket.low <= 2
    assert bracket.rate < 1
    for k in range(bracket.begin, bracket.end + 1):
        scale = bracket.rate ** (k - bracket.begin) * values[bracket.begin]
        assert bracket.low * scale <= values[k] <= bracket.high * scale
    assert bracket.begin > 20
    assert window.fall > 1000
    assert window.length >= len(values) // 4
    assert find_window("loss-gap", values[::-1], 0, mpq(2)) is None
    assert find_window("loss-gap", [mpq(1 + 9 * (k % 2)) for k in range(100)], 0, mpq(2)) is None


@pytest.mark.parametrize(("widths", "seed"), [((2, 3, 1), 0), ((2, 3, 1), 3), ((3, 4, 2, 1), 1), ((2, 2, 1), 2)])
def test_zero_units_against_coordinates(tmp_path, widths, seed):
    """The count from the certificate's kinks alone is that of vertices where a unit's exact parameters are all 0."""
    instance = sample_experiment(widths, samples=15, seed=seed, bits=8)
    path = tmp_path / "a.drl"
    record_walk(Walk(instance), path)
    problem, certificate = IntegerProblem.from_instance(instance), read_certificate(path, instance)
    expected = sum(
        any(not any(row) for row in problem.to_full(vertex.vertex())) for vertex in replay(problem, certificate)
    )
    assert count_zero_units(problem, certificate) == expected


def test_turned_rows_keep_their_norms():
    """The control point's units are as far from the origin as the vertex's, up to the rounding of its draws."""
    instance = sample_experiment((3, 4, 1), samples=9, seed=0, bits=8)
    problem = IntegerProblem.from_instance(instance)
    turned = turn_rows(random.Random(0), problem, instance.start)
    assert turned != instance.start
    for row, control in zip(instance.start, turned, strict=True):
        norm, other = (math.sqrt(float(sum(value**2 for value in values))) for values in (row, control))
        assert abs(norm - other) <= 4 / 2**20


# -- statistics


def test_clopper_pearson():
    """The ends are where the binomial tails are 1/40 each, from outside; at the ends of the range they are closed."""
    for count, total in [(3, 10), (0, 7), (7, 7), (40, 50)]:
        share = clopper_pearson(count, total)

        def tail(counts, p, total=total):
            return sum(math.comb(total, k) * p**k * (1 - p) ** (total - k) for k in counts)

        low, high = Fraction(share.low), Fraction(share.high)
        step = Fraction(1, 2**20)
        assert tail(range(count, total + 1), low) <= Fraction(1, 40) or count == 0
        assert count == 0 or tail(range(count, total + 1), low + step) > Fraction(1, 40)
        assert tail(range(count + 1), high) <= Fraction(1, 40) or count == total
        assert count == total or tail(range(count + 1), high - step) > Fraction(1, 40)
    assert clopper_pearson(0, 7).low == 0
    assert clopper_pearson(7, 7).high == 1
    assert (clopper_pearson(0, 0).low, clopper_pearson(0, 0).high) == (0.0, 1.0)


def test_wilson():
    """Published values of Wilson's interval (Brown, Cai, DasGupta 2001 use the same formula), ends, symmetry."""
    share = wilson(8, 10)
    assert (round(share.low, 4), round(share.high, 4)) == (0.4902, 0.9433)
    assert (wilson(0, 10).low, wilson(10, 10).high) == (0.0, 1.0)
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)
    for count in range(21):
        low, high = wilson(count, 20).low, wilson(count, 20).high
        assert low <= count / 20 <= high
        assert math.isclose(low, 1 - wilson(20 - count, 20).high, abs_tol=1e-12)


def test_median_interval():
    """The ranks are those of the standard tables for 95 %, and cover as promised on all orders by the binomial law."""
    assert [median_rank(size) for size in (0, 5, 6, 8, 9, 10, 20, 30, 100)] == [None, None, 1, 1, 2, 2, 6, 10, 40]
    for size in range(6, 60):
        rank = median_rank(size)
        miss = 2 * sum(math.comb(size, below) for below in range(rank))
        assert Fraction(miss, 2**size) <= Fraction(1, 20) < Fraction(miss + 2 * math.comb(size, rank), 2**size)
    found = summarise([float(value) for value in range(10)])
    assert (found.value, found.quartiles, found.interval) == (4.5, (2.25, 6.75), (1.0, 8.0))
    assert summarise([]).value is None


def test_answers():
    """Each criterion answers both ways, or not at all; the words follow the intervals."""
    yes = {
        "final_loss_float": 1.0,
        **{f"window_{q}_fall_float": 10.0 for q in ("loss_gap", "squared_distance", "length_sum")},
        **{f"window_{q}_from": 10 for q in ("loss_gap", "squared_distance", "length_sum")},
        **{f"window_{q}_to": 20 for q in ("loss_gap", "squared_distance", "length_sum")},
        **{f"phase_{q}_rate_float": 0.9 for q in ("squared_distance", "length_sum")},
        "window_loss_speed_float": 2.0,
        "after_loss_speed_float": 1.0,
        "after_length_growth_float": 1.5,
        "first_mean_length_float": 2.0,
        "last_mean_length_float": 1.0,
        **{f"at_{s}_{m}_error_float": -0.01 for s in (50, 75) for m in ("aitken_2", "fit")},
        **{f"at_{s}_loss_error_float": 0.05 for s in (50, 75)},
        "breakpoints_last": 3,
        "breakpoints_control": 2,
        "breakpoints_turned": 2,
    }
    no = {
        **yes,
        **{f"window_{q}_fall_float": 4.9 for q in ("loss_gap", "squared_distance", "length_sum")},
        **{f"phase_{q}_rate_float": 1.0 for q in ("squared_distance", "length_sum")},
        "after_loss_speed_float": 2.0,
        "after_length_growth_float": 1.0,
        "last_mean_length_float": 2.0,
        **{f"at_{s}_{m}_error_float": 0.06 for s in (50, 75) for m in ("aitken_2", "fit", "loss")},
        "breakpoints_last": 2,
    }
    for criterion in CRITERIA:
        assert criterion.holds(yes) is True, criterion.name
        assert criterion.holds(no) is False, criterion.name
        assert criterion.holds({}) is None, criterion.name
    apart = {**yes, "window_length_sum_from": 20, "window_length_sum_to": 30}
    assert next(c for c in CRITERIA if c.name == "decay-together").holds(apart) is False

    def words(*groups):
        rows = [
            {"group": str(i), "name": "", "status": "done", "reason": "", "outcome": "undecided", "steps": 1, **row}
            for i, (row, count) in enumerate(groups)
            for _ in range(count)
        ]
        return answer(summarise_campaign("", rows), CRITERIA[0])

    assert words((yes, 10)) == "in every run"
    assert words((no, 10)) == "in no run"
    assert words((yes, 10), (no, 9)) == "in every run"
    assert words((yes, 9)) == words((yes, 2), ({}, 20)) == "too few runs"
    assert words((yes, 10), (no, 10)) == "in most runs of some groups, in a minority of others"

    def mixed(good, bad):
        rows = [{"group": "", "name": "", "status": "done", "reason": "", "outcome": "undecided", **yes}] * good
        return answer(summarise_campaign("", [*rows, *({**row, **no} for row in rows[:1] * bad)]), CRITERIA[0])

    assert mixed(9, 1) == "in most runs of every group"
    assert mixed(1, 9) == "in a minority of the runs of every group"
    assert mixed(5, 5) == "open: some intervals hold one half"


def test_documented_campaign():
    """The page on observations is about the shipped campaign: its summary follows from its table, its numbers are there."""

    def value(text):
        if text in {"True", "False"}:
            return text == "True"
        for kind in (int, float):
            try:
                return kind(text)
            except ValueError:
                pass
        return text or None

    docs = ROOT / "docs"
    campaign = parse_config(default_config(), "default")
    with (docs / "campaign" / "floats.csv").open(encoding="utf-8", newline="") as stream:
        rows = [{key: value(text) for key, text in row.items()} for row in csv.DictReader(stream)]
    assert [row["name"] for row in rows] == [case.name for case in campaign.cases]
    summary = summarise_campaign(campaign.digest, [row | {"reason": row["reason"] or ""} for row in rows])
    assert json.loads((docs / "campaign" / "summary.json").read_text()) == json.loads(json.dumps(summary.to_json()))
    assert (docs / "campaign" / "summary.md").read_text(encoding="utf-8") == to_markdown(summary)
    page = (docs / "observations.md").read_text(encoding="utf-8")
    table = page[page.index("## In short") : page.index("## The criteria")]
    answers = summary.groups[-1].answers
    for name, share in answers.items():
        if name in {
            "decay-loss",
            "decay-distance",
            "decay-length",
            "decay-together",
            "tuning-slower",
            "density-turned",
        }:
            assert re.search(rf"\*\* \| {share.count} of {share.total}\b", table), name
    for name in ("estimate-aitken-half", "estimate-fit-half", "estimate-loss-half", "estimate-aitken-better"):
        assert f"{answers[name].count} of {answers[name].total}" in table, name
    for figure in re.findall(r"\]\((figures/[^)]*)\)", page):
        assert (docs / figure).exists()


def test_losses_and_activations(tmp_path):
    """Every combination of loss and activation is a problem of its own, walked as a direct walk does it."""
    config = tmp_path / "a.toml"
    config.write_text(
        "version = 1\n[[problems]]\nwidths = [[2, 2, 1]]\nsamples = [8]\nbits = [6]\nseeds = 1\n"
        'losses = ["absolute", "pinball:1/4", "linear"]\nactivations = ["relu", "leaky:1/10"]\n'
    )
    found = conduct(read_config(config), tmp_path / "b")
    rows = [json.loads(path.read_text()) for path in sorted((tmp_path / "b" / "results").glob("*.json"))]
    assert len(rows) == len({row["fields"]["instance"] for row in rows}) == 6
    for row in rows:
        case = row["case"]
        instance = sample_experiment(
            (2, 2, 1),
            samples=8,
            seed=0,
            bits=6,
            loss=parse_loss(case.get("loss", "absolute")),
            activation=parse_activation(case.get("activation", "relu")),
        )
        assert row["fields"]["instance"] == instance.digest
        walk = Walk(instance)
        assert row["fields"]["outcome"] == outcome_name(walk.run())
    assert found is not None


def test_convex_walks(tmp_path):
    """Without hidden layers a campaign walks by the rule of the convex case, too, to the loss that other rules find."""
    config = tmp_path / "a.toml"
    config.write_text(
        "version = 1\nverify = true\n[[problems]]\nwidths = [[2, 2]]\nsamples = [9]\nbits = [1]\nseeds = 3\n"
        'rules = ["long-step", "reference"]\nlosses = ["pinball:1/4", "hinge"]\n'
    )
    conduct(read_config(config), tmp_path / "b")
    rows = [json.loads(path.read_text()) for path in sorted((tmp_path / "b" / "results").glob("*.json"))]
    losses = {}
    for row in rows:
        case, fields = row["case"], row["fields"]
        assert (row["status"], fields["verified"]) == ("done", "accepted")
        instance = sample_experiment((2, 2), samples=9, seed=case["seed"], bits=1, loss=parse_loss(case["loss"]))
        walk = Walk(instance, rule=case["rule"])
        walk.run()
        residuals = [
            sum(w * x for w, x in zip(output, [*inputs, 1], strict=True)) - target
            for inputs, targets in zip(instance.inputs, instance.targets, strict=True)
            for output, target in zip(walk.vertex, targets, strict=True)
        ]
        zeros = sum(not residual for residual in residuals)
        assert len(walk.active_kinks) == zeros
        assert fields["last_is_degenerate"] is (zeros > 6)
        losses.setdefault((case["loss"], case["seed"]), set()).add(walk.loss)
    assert len(losses) == 6
    assert all(len(found) == 1 for found in losses.values())
    assert {row["fields"]["last_is_degenerate"] for row in rows} == {True, False}
