"""The commands cells, global and spurious: results, JSON keys, files, refusals and exit codes."""

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from gmpy2 import mpq
from test_cell_judge import TABLE
from test_cli import run

from exactdrl import read_instance

W1 = "x,y\n-1,.28\n-.6,-.1\n-.1,.03\n.3,.23\n.7,-.22\n"
THREE = "x,y\n-1,-1\n0,1\n1,1\n"
BUMP = "x,y\n" + "".join(f"{x},{int(x == 4)}\n" for x in range(1, 8))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("w1.csv").write_text(W1)
    Path("three.csv").write_text(THREE)
    Path("bump.csv").write_text(BUMP)
    return tmp_path


def json_of(capsys, *arguments):
    code, out, _ = run(capsys, *arguments, "--json")
    assert code == 0
    return json.loads(out)


@pytest.mark.usefixtures("folder")
def test_cells_of_w1(capsys):
    """Ten cells of one unit with witnesses; judged, three are genuine, with sums of squares as fractions."""
    cells = json_of(capsys, "cells", "w1.csv", "--target", "y")
    assert len(cells) == 10
    for cell in cells:
        w, b = map(mpq, cell["witness"])
        bits = "".join("1" if w * mpq(x) + b > 0 else "0" for x in ("-1", "-3/5", "-1/10", "3/10", "7/10"))
        assert bits == cell["pattern"]
        assert (cell["genuine"], cell["loss"]) == (None, None)
        assert mpq(cell["measure"][0]) <= mpq(cell["measure"][1])
    judged = json_of(capsys, "cells", "w1.csv", "--target", "y", "--judge")
    genuine = {cell["pattern"]: cell["loss"] for cell in judged if cell["genuine"]}
    assert genuine == {"10000": "561/5000", "00001": "711/5000", "00000": "953/5000"}
    assert [cell["pattern"] for cell in judged if cell["bad"]] == ["00001", "00000"]


@pytest.mark.usefixtures("folder")
def test_cells_of_two_units(capsys):
    """The table of 21 hidden cells, as JSON and as CSV and Parquet."""
    judged = json_of(capsys, "cells", "three.csv", "--target", "y", "--units", 2, "--judge", "--table", "t.parquet")
    assert [tuple(cell["pattern"]) for cell in judged] == [case[:2] for case in TABLE]
    assert [mpq(cell["loss"]) for cell in judged] == [2 * mpq(case[2]) for case in TABLE]
    assert [set(cell["signs"]) for cell in judged] == [set(case[3].split()) for case in TABLE]
    table = pq.read_table("t.parquet").to_pylist()
    assert [row["pattern"] for row in table] == [" ".join(case[:2]) for case in TABLE]
    run(capsys, "cells", "three.csv", "--target", "y", "--units", 2, "--judge", "--table", "t.csv")
    with Path("t.csv").open(encoding="ascii") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["loss"] for row in rows] == [cell["loss"] for cell in judged]
    assert float(rows[0]["loss_float"]) == 2 / 3


@pytest.mark.usefixtures("folder")
def test_counts_of_several_units(capsys):
    """The text tells both counts; JSON lists the hidden cells up to order."""
    code, out, _ = run(capsys, "cells", "three.csv", "--target", "y", "--units", 2)
    assert code == 0
    assert "36 of 2 units, 21 up to their order" in out
    assert len(json_of(capsys, "cells", "three.csv", "--target", "y", "--units", 2)) == 21


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("budget", [3, 4])
def test_a_budget_stops_an_enumeration_and_after_goes_on(capsys, budget):
    """Exit code 3 with what is known; --after lists the rest."""
    code, out, err = run(capsys, "cells", "w1.csv", "--target", "y", "--budget", budget, "--json")
    assert code == 3
    first = [cell["pattern"] for cell in json.loads(out)]
    assert f"{budget} cells were listed, and there are 10" in err
    after = err.split("--after ")[1].split()[0]
    rest = [cell["pattern"] for cell in json_of(capsys, "cells", "w1.csv", "--target", "y", "--after", after)]
    assert len(set(first + rest)) == len(first) + len(rest) == 10


@pytest.mark.usefixtures("folder")
def test_too_many_cells_end_at_once(capsys):
    """Many samples in many dimensions: bounds on the count and exit code 3, for the list and for the judge."""
    rows = [[(17 * i * i + 5 * j * j * j + i * j) % 101 for j in range(26)] for i in range(150)]
    Path("big.csv").write_text("\n".join(",".join(map(str, row)) for row in rows) + "\n")
    for more in ([], ["--judge"]):
        code, _, err = run(capsys, "cells", "big.csv", "--no-header", "--target", "26", *more)
        assert code == 3
        assert "undecided" in err
        assert "at least" in err


@pytest.mark.usefixtures("folder")
def test_drawn_cells(capsys):
    """--draw judges cells of random weights, the same ones for the same seed."""
    arguments = ["cells", "w1.csv", "--target", "y", "--units", 2, "--draw", 6, "--seed", 4]
    one, two = json_of(capsys, *arguments), json_of(capsys, *arguments)
    assert one == two
    assert len(one) == 6


@pytest.mark.usefixtures("folder")
def test_drawn_cells_of_large_data(capsys):
    """Large data are decided without programs; a certificate of them is refused, and so is another loss."""
    rows = [[(17 * i * i + 5 * j * j * j + i * j) % 101 - 50 for j in range(31)] for i in range(400)]
    Path("big.csv").write_text("\n".join(",".join(map(str, row)) for row in rows) + "\n")
    arguments = ["cells", "big.csv", "--no-header", "--target", "31", "--units", 2, "--draw", 2]
    found = json_of(capsys, *arguments)
    assert [(cell["genuine"], cell["loss"], len(cell["pattern"])) for cell in found] == [(False, None, 2)] * 2
    assert "genuine      0 with a genuine minimum, 2 without" in run(capsys, *arguments)[1]
    for more, words in (
        (["-o", "a.drl"], "no certificate for cells of data this large"),
        (["--loss", "absolute"], "squared loss"),
    ):
        code, _, err = run(capsys, *arguments, *more)
        assert code == 2
        assert words in err


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "loss"),
    [
        (["w1.csv"], "561/5000"),
        (["w1.csv", "--units", "2"], "319/5000"),
        (["w1.csv", "--units", "3", "--loss", "squared"], "1/100"),
        (["w1.csv", "--units", "4"], "0"),
        (["bump.csv", "--units", "2", "--loss", "absolute", "--output-bias"], "1"),
    ],
)
def test_global_minima(capsys, arguments, loss):
    """The least losses of the issue, Σ as a fraction."""
    found = json_of(capsys, "global", *arguments, "--target", "y")
    assert found["loss"] == loss
    assert found["units"] == (int(arguments[2]) if len(arguments) > 2 else 1)


@pytest.mark.usefixtures("folder")
def test_an_undecided_global_minimum(capsys):
    """A spent budget ends with 3 and an interval."""
    code, out, err = run(capsys, "global", "w1.csv", "--target", "y", "--units", 2, "--budget", 20, "--json")
    found = json.loads(out)
    assert (code, found["loss"], found["proved"]) == (3, None, False)
    assert mpq(found["least"]) <= mpq(319, 5000) <= mpq(found["most"])
    assert "undecided" in err


@pytest.mark.usefixtures("folder")
def test_spurious_minimum_and_its_instance(capsys):
    """The instance's point has the loss that is told, the better point a smaller one, and the cells commands read it."""
    found = json_of(capsys, "spurious", "three.csv", "--target", "y", "--widths", "1,3,2,1", "-o", "s.json")
    instance = read_instance("s.json")
    assert instance.widths == (1, 3, 2, 1)
    assert instance.free == "all"
    assert instance.loss_at(instance.layers) == mpq(found["loss"]) == mpq(2, 3)
    assert mpq(found["better_loss"]) < mpq(2, 3)
    assert found["verdict"] == "local-minimum"
    assert Path("s.drl").read_text().startswith('{"format":"exactdrl-cells"')
    run(capsys, "spurious", "three.csv", "--target", "y", "-o", "one.json")
    assert len(json_of(capsys, "cells", "one.json", "--units", "1", "--judge")) == 6
    assert json_of(capsys, "global", "one.json")["loss"] == "0"


@pytest.mark.usefixtures("folder")
def test_an_instance_says_its_loss_itself(capsys):
    """Options of tables are refused with an instance."""
    run(capsys, "spurious", "three.csv", "--target", "y", "-o", "s.json")
    code, _, err = run(capsys, "cells", "s.json", "--loss", "absolute")
    assert code == 2
    assert "an instance has its own columns" in err


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["cells", "no.csv"], "cannot be read"),
        (["cells", "w1.csv", "--target", "z"], "no column is named 'z'"),
        (["cells", "w1.csv", "--target", "x,y"], "no column is left"),
        (["cells", "w1.csv", "--activation", "0,0"], "slopes are 0 and 0"),
        (["cells", "w1.csv", "--activation", "swish"], "possible are relu, leaky:SLOPE, abs"),
        (["cells", "w1.csv", "--after", "101"], "a bit for each of the 5 samples"),
        (["cells", "w1.csv", "--after", "10101"], "no weights have this pattern"),
        (["cells", "w1.csv", "-o", "a.txt"], "ends in .drl"),
        (["cells", "w1.csv", "--table", "a.txt"], "ends in .parquet or .csv"),
        (["global", "w1.csv", "--units", "0"], "0 is not in the range"),
        (["spurious", "w1.csv", "-o", "a.json", "--widths", "1,0,1"], "positive integers"),
        (["spurious", "w1.csv", "-o", "a.json", "--widths", "2,2,1"], "begin with 2"),
        (["spurious", "w1.csv", "-o", "a.txt"], ".json"),
        (["spurious", "line.csv", "-o", "a.json"], "not affinely fittable"),
        (["spurious", "twice.csv", "-o", "a.json"], "the samples are distinct"),
        (["spurious", "w1.csv", "-o", "a.json", "--activation", "1,1"], "not linear"),
        (["spurious", "two.csv", "--target", "y,z", "-o", "a.json", "--widths", "1,1,2"], "narrower than the output"),
    ],
)
def test_refusals(capsys, arguments, words):
    """Bad input is one line on stderr and exit code 2."""
    Path("line.csv").write_text("x,y\n0,1\n1,3\n2,5\n")
    Path("twice.csv").write_text("x,y\n0,1\n0,2\n1,5\n")
    Path("two.csv").write_text("x,y,z\n0,1,0\n1,2,0\n2,5,7\n")
    if "--target" not in arguments:
        arguments = [*arguments, "--target", "y"]
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert words in err
    assert out == ""
    assert not list(Path().glob("a.*"))


@pytest.mark.usefixtures("folder")
def test_existing_files_are_kept(capsys):
    """A second run is refused without --force, and the file stays."""
    arguments = ["cells", "w1.csv", "--target", "y", "-o", "a.drl"]
    assert run(capsys, *arguments)[0] == 0
    before = Path("a.drl").read_bytes()
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert "exists already" in err
    assert run(capsys, *arguments, "--force")[0] == 0
    assert Path("a.drl").read_bytes() == before
