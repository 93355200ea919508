"""`exactdrl observe` and `exactdrl plot`: what they print and write, and that every refusal is one clear line."""

import csv
import hashlib
import json
import math
import shutil
import subprocess
from dataclasses import replace
from xml.etree.ElementTree import parse

import pyarrow.parquet
import pytest
from exactdrl_cli.main import main
from matplotlib.figure import Figure
from matplotlib.image import imread

from exactdrl import Walk, read_certificate, read_instance, record_walk, sample_experiment, write_instance
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.exact.rationals import to_float
from exactdrl.observations.observe import observe
from exactdrl.observations.tables import TABLES
from exactdrl.report.figures import _kinks
from exactdrl.report.latex_text import latex_texts, to_latex
from exactdrl.report.style import set_scale
from exactdrl.series.export import points


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return stop.value.code, captured.out, captured.err


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("observed")
    write_instance(sample_experiment((2, 3, 1), samples=30, seed=2, bits=12), folder / "a.json")
    record_walk(Walk(read_instance(folder / "a.json")), folder / "a.drl")
    return folder


def test_observe(folder, tmp_path, capsys):
    """A summary on stdout, nothing on stderr, claims that name run and instance, every table in both formats."""
    inputs = (folder / "a.json", folder / "a.drl")
    options = ("--window", 3, "--lines", 2, "--jobs", 1)
    code, out, err = run(capsys, "observe", *inputs, "-o", tmp_path / "a.claims", *options, "--tables", tmp_path / "t")
    assert (code, err) == (0, "")
    assert "local minimum" in out and "estimates" in out and "density" in out
    claims = json.loads((tmp_path / "a.claims").read_text("ascii"))
    assert claims["instance"] == hashlib.sha256(inputs[0].read_bytes()).hexdigest()
    assert claims["run"] == hashlib.sha256(inputs[1].read_bytes()).hexdigest()
    code, out, _ = run(capsys, "observe", *inputs, "-o", tmp_path / "b.claims.gz", *options, "--json", "--tables",
                       tmp_path / "t", "--table-format", "parquet")  # fmt: skip
    result = json.loads(out)
    assert code == 0 and result["claims"] == len(claims["claims"]) and len(result["tables"]) == 7
    for path in (tmp_path / "t").glob("*.csv"):
        with path.open(encoding="ascii") as stream:
            rows = list(csv.DictReader(stream))
        table = pyarrow.parquet.read_table(path.with_suffix(".parquet"))
        assert len(rows) == table.num_rows and (not rows or list(rows[0]) == table.column_names)


def test_walk_table_against_exports(folder, tmp_path, capsys):
    """The table of points has the floats nearest to the exact losses, lengths and distances of the export, phase 1 too."""
    inputs = (folder / "a.json", folder / "a.drl")
    options = ("--tables", tmp_path / "t", "--window", 3, "--lines", 0, "--jobs", 1)
    run(capsys, "observe", *inputs, "-o", tmp_path / "a.claims", *options)
    with (tmp_path / "t" / "walk.csv").open(encoding="ascii") as stream:
        rows = list(csv.DictReader(stream))
    instance = read_instance(inputs[0])
    exact = list(points(IntegerProblem.from_instance(instance), read_certificate(inputs[1], instance)))
    assert len(rows) == len(exact)
    first = sum(point.phase == 1 for point in exact) - 1
    assert first > 0
    lengths = []
    for row, point in zip(rows, exact, strict=True):
        assert int(row["step"]) == point.step - first
        assert float(row["loss"]) == to_float(point.loss)
        assert float(row["loss_gap"]) == to_float(point.loss - exact[-1].loss)
        distance = math.sqrt(to_float(point.squared_distance_to_last))
        assert math.isclose(float(row["distance_to_last"]), distance, rel_tol=1e-15)
        lengths.append(math.nan if point.squared_step is None else math.sqrt(to_float(point.squared_step)))
        assert (row["length"] == "") == (point.squared_step is None)
        if point.squared_step is not None:
            assert math.isclose(float(row["length"]), lengths[-1], rel_tol=1e-15)
        mean = row["mean_of_3_lengths"]
        assert (mean == "") == (point.step < 3)
        assert mean == "" or math.isclose(float(mean), math.fsum(lengths[-3:]) / 3, rel_tol=1e-15)


def test_plot(folder, tmp_path, capsys):
    """Five figures in each format, readable, and the same bytes again; the data beside them."""
    inputs = (folder / "a.json", folder / "a.drl")
    options = ("--lines", 2, "--jobs", 1, "--window", 3, "--format", "pdf")
    run(capsys, "plot", *inputs, "-o", tmp_path / "q", *options)
    code, out, err = run(capsys, "plot", *inputs, "-o", tmp_path / "p", *options, "--format", "png", "--format", "svg")
    assert (code, err) == (0, "")
    written = sorted(path.name for path in (tmp_path / "p").iterdir())
    assert sorted(line.rsplit("/", 1)[1] for line in out.splitlines()) == written
    names = {"walk", "loss", "lengths", "distance", "density"}
    assert {path.stem for path in (tmp_path / "p").glob("*.png")} == names
    for name in names:
        image = imread(tmp_path / "p" / f"{name}.png")
        assert image.shape[1] >= 1200 and image.std() > 0.01
        drawing = parse(tmp_path / "p" / f"{name}.svg").getroot()
        assert len(drawing.findall(".//{http://www.w3.org/2000/svg}text")) >= 8  # letters stay letters
        assert (tmp_path / "p" / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    for path in (tmp_path / "q").iterdir():
        assert path.read_bytes() == (tmp_path / "p" / path.name).read_bytes(), path.name


def test_sizes_and_pgf(folder, tmp_path, capsys):
    """Sizes for print are as wide as a column or a page; pgf is for LaTeX, and without it a message says what to do."""
    inputs = (folder / "a.json", folder / "a.drl")
    options = ("--lines", 4, "--jobs", 1, "--window", 3)
    for size, width in (("column", 3.3), ("page", 6.8)):
        assert run(capsys, "plot", *inputs, "-o", tmp_path / size, *options, "--size", size)[0] == 0
        for name in ("walk", "density"):
            assert imread(tmp_path / size / f"{name}.png").shape[1] == round(300 * width)
    out = tmp_path / "x"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shutil.which", lambda name: None)
        for command in (
            ("plot", *inputs, "-o", out, "--format", "pgf"),
            ("observe", *inputs, "-o", tmp_path / "x.claims", "--figures", out, "--format", "pgf"),
            ("slice", *inputs, "-o", tmp_path / "x.pgf"),
            ("judge", inputs[0], "--figure", tmp_path / "x.pgf"),
        ):
            code, _, err = run(capsys, *command)
            assert code == 2 and "apt-get install texlive-latex-recommended texlive-pictures" in err, command
        assert not out.exists() and not (tmp_path / "x.claims").exists()
    if shutil.which("pdflatex") is None:
        pytest.skip("LaTeX is not installed: apt-get install texlive-latex-recommended texlive-pictures")
    code, said, _ = run(capsys, "plot", *inputs, "-o", out, *options, "--format", "pgf", "--size", "column")
    assert (code, said.count(".pgf")) == (0, 5)
    assert run(capsys, "slice", *inputs, "-o", out / "slice.pgf", "--title", "a_b of 50", "--size", "column")[0] == 0
    assert (out / "slice-img0.png").exists()
    titles = (r"\none {", "} a_b #1 & 5 % ~ ^ <x|y> $", r"$\theta_1$ {and} \$5", "Größe ±")
    for number, title in enumerate(titles):
        assert run(capsys, "slice", *inputs, "-o", out / f"title-{number}.pgf", "--title", title)[0] == 0, title
    code, _, err = run(capsys, "slice", *inputs, "-o", out / "bad.pgf", "--title", r"$\none$")
    assert code == 2 and "LaTeX cannot set a text of the figure (! Undefined control sequence" in err
    figures = "\n".join(rf"\input{{{path.name}}}" for path in sorted(out.glob("*.pgf")))
    page = rf"\documentclass{{article}}\usepackage{{pgf}}\begin{{document}}{figures}\end{{document}}"
    (out / "page.tex").write_text(page, encoding="utf-8")
    command = ["pdflatex", "-interaction=batchmode", "-halt-on-error", "page.tex"]
    done = subprocess.run(command, cwd=out, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, (out / "page.log").read_text(errors="replace")[-2000:]


def test_texts_for_latex_are_literal_outside_of_mathematics():
    """Signs of LaTeX are escaped, a pair of dollars is mathematics, and the figure has its texts again afterwards."""
    for text, expected in (
        ("a_b 50 % é", "a_b 50 % é"),
        (r"\none {", r"\textbackslash{}none \{"),
        ("5 $ & #1", r"5 \$ \& \#1"),
        ("$a_{1}$ {$b$}", r"$a_{1}$ \{$b$\}"),
        (r"$a$ costs \$5", r"$a$ costs \$5"),
        ("$a$ $", r"\$a\$ \$"),
        ("<x>|~", r"\ensuremath{<}x\ensuremath{>}\ensuremath{|}\textasciitilde{}"),
    ):
        assert to_latex(text) == expected
    figure = Figure()
    axes = figure.add_subplot()
    axes.set_title("{ and $")
    with latex_texts(figure):
        assert axes.get_title() == r"\{ and \$"
        assert not axes.title.get_parse_math()
    assert axes.get_title() == "{ and $"
    assert axes.title.get_parse_math()


def test_bands_that_reach_zero(folder, tmp_path):
    """Where a quarter of the lines meets no kink the band ends at 0, which the axis shows."""
    found = observe(folder / "a.json", folder / "a.drl", window=3, lines=8, jobs=1)
    seen = dict.fromkeys(("last", "control"), 0)
    lines = []
    for line in found.line_densities:
        seen[line.line.place] += 1
        is_empty = seen[line.line.place] <= 4
        lines.append(replace(line, counts=(line.at_origin,) * len(line.counts)) if is_empty else line)
    assert min(seen.values()) == 8
    figure = Figure()
    axes = figure.add_subplot()
    _kinks(axes, replace(found, line_densities=tuple(lines)))
    assert axes.get_yscale() == "symlog" and axes.get_ylim()[0] == 0
    lowest = min(path.vertices[:, 1].min() for band in axes.collections for path in band.get_paths())
    assert lowest == 0
    figure.draw_without_rendering()
    assert "$\\mathdefault{0}$" in [label.get_text() for label in axes.get_yticklabels()]


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([880.0, 812.0], "linear"),
        ([3.0, 1.0], "log"),
        ([2.99, 1.0], "linear"),
        ([5.0, 0.0], "linear"),
        ([5.0, -1.0], "linear"),
        ([1e9, 1e-9, math.nan], "log"),
        ([math.nan], "linear"),
    ],
)
def test_scales_have_labels(values, scale):
    """An axis is logarithmic where that shows more, and has two labels at least within what it shows."""
    figure = Figure()
    axes = figure.add_subplot()
    axes.plot(values)
    set_scale(axes, values)
    assert axes.get_yscale() == scale
    figure.draw_without_rendering()
    low, high = axes.get_ylim()
    labels = [label for label in axes.get_yticklabels() if low <= label.get_position()[1] <= high and label.get_text()]
    assert len(labels) >= 2


def test_figures_of_an_observation(folder, tmp_path, capsys):
    """`observe --figures` writes what `plot` writes, from one computation; existing files are refused before it."""
    inputs = (folder / "a.json", folder / "a.drl")
    options = ("--lines", 2, "--jobs", 1, "--window", 3)
    run(capsys, "plot", *inputs, "-o", tmp_path / "p", *options)
    both = ("--tables", tmp_path / "o", "--figures", tmp_path / "o")
    code, out, err = run(capsys, "observe", *inputs, "-o", tmp_path / "a.claims", *options, *both)
    assert (code, err) == (0, "")
    assert "figures " in out
    drawn = {path.name: path.read_bytes() for path in (tmp_path / "o").iterdir()}
    assert {name: drawn[name] for name in drawn if (tmp_path / "p" / name).exists()} == {
        path.name: path.read_bytes() for path in (tmp_path / "p").iterdir()
    }
    assert {name.removesuffix(".csv") for name in drawn if name.endswith(".csv")} == set(TABLES)
    for command, output, more in (
        ("plot", tmp_path / "p", ()),
        ("observe", tmp_path / "b.claims", ("--figures", tmp_path / "p")),
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("exactdrl.front.observed.observe_run", None)
            code, _, err = run(capsys, command, *inputs, "-o", output, *options, *more)
        assert code == 2 and "exists already" in err


def test_walks_without_a_step(tmp_path, capsys):
    """A walk that begins at its end is observed and drawn."""
    text = '{"format": "exactdrl-instance", "version": 1, "network": {"layers": [{"weight": [["0"]], "bias": null}]}, "layer": 1, "loss": {"kind": "absolute"}, "data": {"inputs": [["1"]], "targets": [["0"]]}}'
    (tmp_path / "a.json").write_text(text)
    record_walk(Walk(read_instance(tmp_path / "a.json")), tmp_path / "a.drl")
    inputs = (tmp_path / "a.json", tmp_path / "a.drl")
    assert run(capsys, "observe", *inputs, "-o", tmp_path / "a.claims", "--jobs", 1, "--tables", tmp_path / "t")[0] == 0
    assert run(capsys, "plot", *inputs, "-o", tmp_path / "p", "--jobs", 1)[0] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "a.json"], "a.json: a claims file's name ends in .claims or .claims.gz"),
        (["-o", "missing/a.claims"], "the folder missing does not exist"),
        (["-o", "a.claims", "--spread", "1"], "spread is 1"),
        (["-o", "a.claims", "--spread", "one"], "--spread: not a number: 'one'"),
        (["-o", "a.claims", "--between", "5", "2"], "window of steps is 5..2"),
        (["-o", "a.claims", "--lines", "-1"], "Invalid value for '--lines'"),
        (["-o", "a.claims", "--window", "0"], "Invalid value for '--window'"),
        (["-o", "old.claims"], "old.claims: this file exists already"),
        (["-o", "a.claims", "--tables", "old.claims"], "old.claims: cannot be made"),
    ],
)
def test_refusals(folder, tmp_path, capsys, monkeypatch, options, message):
    """Bad options end with 2 and one line that names them, before any claims are written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.claims").write_text("old")
    code, out, err = run(capsys, "observe", folder / "a.json", folder / "a.drl", "--jobs", "1", *options)
    assert (code, out) == (2, "")
    assert message in err and "Traceback" not in err
    assert {path.name for path in tmp_path.iterdir()} == {"old.claims"}
    assert (tmp_path / "old.claims").read_text() == "old"


def test_refusals_of_files(folder, tmp_path, capsys):
    """A run of another instance, a broken run and an existing table are refused; --force writes over."""
    write_instance(sample_experiment((2, 3, 1), samples=4, seed=2, bits=4), tmp_path / "b.json")
    code, _, err = run(capsys, "observe", tmp_path / "b.json", folder / "a.drl", "-o", tmp_path / "a.claims")
    assert code == 2 and "is for the instance with SHA-256" in err
    lines = (folder / "a.drl").read_bytes().splitlines(keepends=True)
    (tmp_path / "cut.drl").write_bytes(b"".join(lines[:-1]))
    for command, output in (("observe", "a.claims"), ("plot", "p")):
        code, _, err = run(capsys, command, folder / "a.json", tmp_path / "cut.drl", "-o", tmp_path / output)
        assert code == 2 and "breaks off" in err
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "walk.csv").write_text("old")
    arguments = (
        "observe",
        folder / "a.json",
        folder / "a.drl",
        "-o",
        tmp_path / "a.claims",
        "--tables",
        tmp_path / "t",
    )
    code, _, err = run(capsys, *arguments, "--jobs", 1, "--lines", 0)
    assert code == 2 and "walk.csv: this file exists already" in err and not (tmp_path / "a.claims").exists()
    assert run(capsys, *arguments, "--jobs", 1, "--lines", 0, "--force")[0] == 0
    assert (tmp_path / "t" / "walk.csv").read_text().startswith("step,")
