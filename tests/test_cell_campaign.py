"""Campaigns that draw data and judge their hidden cells: one table however it came about, shares as computed directly."""

import csv
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from fractions import Fraction
from itertools import product
from math import comb
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from exactdrl_cli.main import main
from gmpy2 import mpq

from exactdrl import InputError
from exactdrl.campaigns.cases import read_case
from exactdrl.campaigns.conduct import conduct
from exactdrl.campaigns.config import parse_config
from exactdrl.campaigns.statistics import clopper_pearson
from exactdrl.hidden_cells.draws import DataShape, DrawnJudged, draw_setting, judge_all, judge_drawn
from exactdrl.hidden_cells.judge import judge_cell
from exactdrl.hidden_cells.setting import Setting
from exactdrl.hidden_cells.survey import best_network, judge_cells, survey_cells

CELLS = """
[[cells]]
samples = [3, 4]
inputs = [1, 2]
units = [1, 2]
distributions = ["gaussian", "uniform"]
losses = ["squared", "absolute"]
bits = [6]
first_seed = 3
seeds = 2
"""
DRAWN = """
[[cells]]
samples = [6]
inputs = [3]
units = [2]
draws = 5
seeds = 4
"""
WALKS = """
[[problems]]
widths = [[2, 2, 1]]
samples = [8]
bits = [6]
seeds = 2
"""
ALL = f"version = 1\n{CELLS}{DRAWN}"
TABLES = ("table.parquet", "table.csv", "floats.csv", "summary.json", "summary.md")


def tables(folder):
    return {name: (folder / name).read_bytes() for name in TABLES}


def rows_of(folder):
    return pq.read_table(folder / "table.parquet").to_pylist()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The campaign, run in one go by one worker."""
    folder = tmp_path_factory.mktemp("whole") / "campaign"
    conduct(parse_config(ALL, "cells"), folder, jobs=1)
    return folder


def drawn_data(row):
    """A row's data, drawn here once more, by the words of the documentation."""
    source = random.Random(f"{row['inputs']} {row['samples']} {row['distribution']} {row['seed']}")
    gaussian = row["distribution"] == "gaussian"

    def number():
        return (
            mpq(round((source.gauss(0, 1) if gaussian else source.uniform(-1, 1)) * 2 ** row["bits"]))
            / 2 ** row["bits"]
        )

    inputs = [[number() for _ in range(row["inputs"])] for _ in range(row["samples"])]
    targets = [number() for _ in range(row["samples"])]
    return Setting.create(inputs, targets, units=row["units"], loss=row["loss"])


def drawn_weights(setting, row, count):
    """The patterns of the random weights, drawn here once more."""
    source, found = random.Random(row["seed"]), []
    for _ in range(count):
        patterns = []
        while len(patterns) < setting.units:
            weights = [Fraction(round(source.gauss(0, 1) * 10**6), 10**6) for _ in range(setting.samples.dimension)]
            values = [sum(Fraction(str(a)) * b for a, b in zip((*x, 1), weights, strict=True)) for x in setting.inputs]
            if all(values):
                patterns.append("".join("1" if value > 0 else "0" for value in values))
        found.append(tuple(sorted(patterns)))
    return found


# -- the table


def test_shares_are_those_of_a_direct_computation(whole):
    """Every row of all cells agrees with data, survey and verdicts computed without the campaign."""
    rows = [row for row in rows_of(whole) if row["draws"] == "all"]
    assert len(rows) == 64
    for row in rows:
        setting = drawn_data(row)
        units = [(cell.pattern, ball.center) for cell, ball in survey_cells(setting.samples)]
        found = list(judge_cells(setting, units))
        values = {
            tuple(sorted(cell.judged.patterns)): cell.judged.relaxation.value
            for cell in found
            if cell.network is not None
        }
        best = best_network(found, setting)[0]
        bad = {patterns for patterns, value in values.items() if value != best}
        assert (row["cells"], row["genuine"], row["bad"]) == (len(found), len(values), len(bad))
        assert mpq(row["least_loss"]) == best
        assert row["least_loss_float"] == float(Fraction(row["least_loss"]))
        (weights,) = drawn_weights(setting, row, 1)
        assert (row["drawn_genuine"], row["drawn_bad"]) == (weights in values, weights in bad)
        cells = sorted(tuple(sorted(cell.judged.patterns)) for cell in found)
        picked = random.Random(f"picked {row['seed']}").choice(cells)
        assert (row["picked_genuine"], row["picked_bad"]) == (picked in values, picked in bad)
        assert (row["mass_bad_low"] is None) == (row["inputs"] == 2)


def test_weight_space(whole):
    """All cells are all of the weight space, and the share of random weights in genuine cells is near the measure's."""
    for row in rows_of(whole):
        if row["mass_genuine_low"] is None:
            continue
        found = judge_all(drawn_data(row), row["seed"])
        low, high = found.mass(found.cells)
        assert low <= 1 <= high < low + mpq(1, 10**20)
        assert found.mass(found.values) == (mpq(row["mass_genuine_low"]), mpq(row["mass_genuine_high"]))
        assert 0 <= mpq(row["mass_bad_low"]) <= mpq(row["mass_genuine_low"]) <= mpq(row["mass_genuine_high"]) <= 1
    row = rows_of(whole)[0] | {"units": 2}
    setting = drawn_data(row)
    found = judge_all(setting, 0)
    weights = drawn_weights(setting, {"seed": 1}, 400)
    share = clopper_pearson(sum(patterns in found.values for patterns in weights), 400)
    assert share.low <= found.mass(found.values)[0] <= share.high


def test_drawn_cells(whole):
    """Where only drawn cells are judged, what is bad is so by a better point, and what may be is not said."""
    rows = [row for row in rows_of(whole) if row["draws"] == "5"]
    assert len(rows) == 4
    for row in rows:
        setting = drawn_data(row)
        weights = drawn_weights(setting, row, 5)
        judged = [judge_cell(setting, patterns) for patterns in weights]
        zero = sum((y * y for y in setting.targets), mpq(0))
        best = min([zero, *(cell.relaxation.value for cell in judged if cell.is_genuine)])
        verdicts = [
            cell.is_genuine and (cell.relaxation.value > best or (None if cell.relaxation.value else False))
            for cell in judged
        ]
        assert mpq(row["least_loss"]) == best
        assert (row["weights"], row["weights_genuine"]) == (5, sum(cell.is_genuine for cell in judged))
        assert (row["weights_bad"], row["weights_open"]) == (verdicts.count(True), verdicts.count(None))
        assert (row["drawn_genuine"], row["drawn_bad"]) == (judged[0].is_genuine, verdicts[0])
        assert row["cells"] is None
    # a drawn verdict never contradicts the one that knows all cells
    open_, known = 0, 0
    for seed in range(12):
        setting = draw_setting(DataShape("uniform", 1, 4, 64), 2, "squared", seed)
        everything, drawn = judge_all(setting, seed), judge_drawn(setting, 2, seed)
        assert drawn.drawn[0] == everything.drawn
        for patterns in drawn.drawn:
            assert (patterns in drawn.values) == (patterns in everything.values)
            verdict = drawn.is_bad(patterns)
            open_, known = open_ + (verdict is None), known + (verdict is True)
            assert verdict in {None, patterns in everything.bad}
    assert open_
    assert known
    assert DrawnJudged((("1",),), {("1",): mpq(0)}, mpq(0)).is_bad(("1",)) is False


def test_summary(whole):
    """Sums, intervals and the widening by undecided verdicts, from the table's rows."""
    rows, summary = rows_of(whole), json.loads((whole / "summary.json").read_text())
    groups = summary["cells"]
    assert list(groups) == list(dict.fromkeys(row["group"] for row in rows))
    assert "groups" not in summary
    for name, group in groups.items():
        own = [row for row in rows if row["group"] == name]
        assert (group["runs"], group["statuses"]) == (len(own), {"done": len(own)})
        genuine = clopper_pearson(sum(row["drawn_genuine"] for row in own), len(own))
        assert group["weights"]["genuine"] == genuine.to_json() | {"undecided": 0}
        bad = [row["drawn_bad"] for row in own]
        found = group["weights"]["bad"]
        assert (found["count"], found["undecided"]) == (bad.count(True), bad.count(None))
        assert found["low"] == clopper_pearson(bad.count(True), len(own)).to_json()["low"]
        assert found["high"] == clopper_pearson(bad.count(True) + bad.count(None), len(own)).to_json()["high"]
        if group["draws"] != "all":
            assert (group["cells"], group["picked"], group["data_with_bad"]) == (None, {}, None)
            continue
        assert group["cells"] == {key: sum(row[key] for row in own) for key in ("cells", "genuine", "bad")}
        assert group["data_with_bad"]["count"] == sum(row["bad"] > 0 for row in own)
        for verdict, (low, high) in group["weight_space"].items():
            mean = sum(Fraction(row[f"mass_{verdict}_low"]) for row in own) / len(own)
            assert Fraction(low) <= mean <= Fraction(high) <= Fraction(low) + Fraction(3, 10**6)
        assert bool(group["weight_space"]) == (group["inputs"] == 1)
    page = (whole / "summary.md").read_text()
    assert page.count("\n| gaussian | ") + page.count("\n| uniform | ") == len(groups) == 33
    assert "published observations" not in page


def test_intervals_of_many_runs():
    """The interval by terms from one to the next is the one by sums of binomials."""
    parts = 2**20
    for count, total in ((0, 7), (1, 7), (7, 7), (40, 123), (122, 123), (999, 2000)):
        share = clopper_pearson(count, total)
        for end, step, tail in (
            (share.low, 1, range(count, total + 1)),
            (share.high, -1, range(count + 1)),
        ):
            if end in {0.0, 1.0}:
                continue
            for part, is_rare in ((int(end * parts), True), (int(end * parts) + step, False)):
                chance = sum(comb(total, k) * part**k * (parts - part) ** (total - k) for k in tail)
                assert (40 * chance <= parts**total) == is_rare


# -- how it comes about


def test_table_does_not_depend_on_jobs(whole, tmp_path):
    """Two workers give the same bytes as one; run again, nothing is run."""
    campaign = parse_config(ALL, "cells")
    assert conduct(campaign, tmp_path / "two", jobs=2).run == 68
    assert tables(tmp_path / "two") == tables(whole)
    assert conduct(campaign, tmp_path / "two", command=("false",)).run == 0
    assert tables(tmp_path / "two") == tables(whole)


def test_killed_and_resumed(whole, tmp_path):
    """Killed by SIGKILL with a result half written, it goes on by the same command: nothing twice, one table."""
    config, folder = tmp_path / "cells.toml", tmp_path / "campaign"
    config.write_text(ALL)
    command = [sys.executable, "-m", "exactdrl_cli", "campaign", str(config), "-o", str(folder), "--jobs", "1"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=os.environ | {"TMPDIR": str(tmp_path)})
    until = time.monotonic() + 120
    while len(list((folder / "results").glob("*.json"))) < 3:
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = {path: path.stat().st_mtime_ns for path in (folder / "results").glob("*.json")}
    assert not (folder / "table.parquet").exists()
    missing = parse_config(ALL, "cells").cases[-1]
    (folder / "results" / f"{missing.name}.json.new").write_text('{"case": {"kin')
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    assert f"runs         68, {68 - len(before)} of them done now" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert tables(folder) == tables(whole)


def test_beside_walks(whole, tmp_path):
    """Walks and cells in one campaign have the rows that they have alone; their summaries stand side by side."""
    both = conduct(parse_config(f"version = 1\n{WALKS}{DRAWN}", "both"), tmp_path / "both")
    alone = conduct(parse_config(f"version = 1\n{WALKS}", "walks"), tmp_path / "walks")
    assert both.rows[:2] == alone.rows
    assert "cells" not in json.loads((tmp_path / "walks" / "summary.json").read_text())
    assert both.summary.groups == alone.summary.groups
    cells = {row["name"]: row for row in rows_of(whole) if row["draws"] == "5"}
    with (tmp_path / "both" / "table.csv").open(encoding="utf-8") as stream:
        for row in list(csv.DictReader(stream))[2:]:
            assert row["least_loss"] == cells[row["name"]]["least_loss"]
    page = (tmp_path / "both" / "summary.md").read_text()
    assert "## The published observations" in page
    assert "## Hidden cells of drawn data" in page
    assert (tmp_path / "both" / "answers.svg").exists()


def test_limit(tmp_path):
    """A run over its CPU seconds is over a limit, and no trial of any share."""
    text = 'version = 1\n[limits]\nseconds = 1\n[[cells]]\nsamples = [20]\ninputs = [2]\nunits = [2]\ndraws = "all"\nseeds = 1\n'
    found = conduct(parse_config(text, "long"), tmp_path / "long")
    (row,), (group,) = found.rows, found.summary.cells
    assert (row["status"], row["reason"]) == ("limit", "over 1 CPU seconds")
    assert (group.statuses, group.weights["bad"].share.total, group.cells) == ({"limit": 1}, 0, None)
    assert f"- `{row['name']}`: limit: over 1 CPU seconds" in (tmp_path / "long" / "summary.md").read_text()


def test_degenerate_data(tmp_path):
    """Numbers of one bit: samples that coincide, targets that are 0 or contradict one another."""
    text = CELLS.replace("bits = [6]", "bits = [1]").replace("seeds = 2", "seeds = 4")
    found = conduct(parse_config(f"version = 1\n{text}", "coarse"), tmp_path / "coarse", jobs=2)
    assert found.count("done") == len(found.rows) == 128
    assert any(row["cells"] < 6 for row in found.rows)
    assert all(row["genuine"] >= 1 and 0 <= row["bad"] < row["genuine"] for row in found.rows)


# -- the configuration


def test_cases():
    """Every combination is a run of its own name; JSON gives it back."""
    cases = parse_config(ALL, "cells").cases
    assert len({case.name for case in cases}) == len(cases) == 68
    assert all(read_case(json.loads(json.dumps(case.to_json()))) == case for case in cases)
    expected = product(("gaussian", "uniform"), (1, 2), (3, 4), (1, 2), ("squared", "absolute"), (3, 4))
    found = [(c.distribution, c.inputs, c.samples, c.units, c.loss, c.seed) for c in cases[:64]]
    assert found == list(expected)
    with pytest.raises(ValueError, match="not a case"):
        read_case({"kind": "cells", "inputs": 1})


def test_documented_configuration():
    """The configuration in the documentation is one, with as many runs as it says."""
    page = (Path(__file__).parent.parent / "docs" / "cells.md").read_text("utf-8")
    (text,) = re.findall("```toml\n(.*?)```", page, re.DOTALL)
    campaign = parse_config(text, "docs")
    assert (len(campaign.cases), campaign.limits.seconds) == (1600, 600)
    assert {case.draws for case in campaign.cases} == {None}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "at least one table [[problems]] or [[cells]]"),
        ("cells = []", "cells: at least one table [[cells]] is needed"),
        ("cells = [3]", "cells[0] is 3, a table"),
        (DRAWN.replace("inputs = [3]", ""), "cells[0]: key 'inputs' is missing"),
        (DRAWN.replace("inputs", "input"), "cells[0]: unknown key 'input'"),
        (DRAWN.replace("[3]", "[0]"), "cells[0].inputs[0] is 0"),
        (DRAWN.replace("[6]", "[]"), "cells[0].samples is []"),
        (DRAWN.replace("[2]", "[2, 2]"), "cells[0].units[1] is 2, which stands"),
        (DRAWN.replace("= 5", "= 0"), 'cells[0].draws is 0, "all" or'),
        (DRAWN.replace("= 5", "= 'cells'"), "cells[0].draws is 'cells'"),
        (DRAWN.replace("= 5", "= true"), "cells[0].draws is True"),
        (f"{DRAWN}bits = [54]", "cells[0].bits[0] is 54"),
        (f"{DRAWN}losses = ['hinge']", "cells[0].losses[0] is 'hinge'; one of squared, absolute"),
        (f"{DRAWN}distributions = ['cauchy']", "cells[0].distributions[0] is 'cauchy'; one of gaussian, uniform"),
        (f"{DRAWN}distributions = [[1]]", "cells[0].distributions[0] is [1]"),
        (DRAWN.replace("seeds = 4", "seeds = 100001"), "cells[0]: more than 100000 runs"),
        (f"{DRAWN}{DRAWN}", "cells[1]: the run cells_gaussian_d3_n6_k2_b12_squared_5_s0 is in cells[0]"),
        (DRAWN.replace("= 5", "= 'all'").replace("[6]", "[100]"),
         "cells[0]: 100 samples with 3 inputs and 2 units have"),
        (f"verify = true\n{DRAWN}", "verify: runs of [[cells]] have no certificate"),
        (f"keep_runs = true\n{DRAWN}", "keep_runs: runs of [[cells]] have no certificate"),
    ],
)  # fmt: skip
def test_bad_configurations(tmp_path, capsys, text, message):
    """Every bad configuration is refused with the place and the value, exit 2, nothing written, no traceback."""
    (tmp_path / "c.toml").write_text(f"version = 1\n{text}")
    with pytest.raises(SystemExit) as stop:
        main(["campaign", str(tmp_path / "c.toml"), "-o", str(tmp_path / "out")])
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert message in error
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()


def test_certificates_asked_for():
    """The command's options are refused like the file's."""
    campaign = parse_config(ALL, "cells")
    assert campaign.with_options(verify=False, keep_runs=False) == campaign
    with pytest.raises(InputError, match=r"verify: runs of \[\[cells\]\] have no certificate"):
        campaign.with_options(verify=True, keep_runs=False)
