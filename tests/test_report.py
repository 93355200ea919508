"""The report of a run: one page that is whole in itself, says what was checked, and escapes what it is given."""

import base64
import hashlib
import json
import re
import shlex
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from exactdrl_cli.main import main

from exactdrl import (
    StepLimit,
    Unbounded,
    Undecided,
    Walk,
    read_result,
    record_walk,
    sample_experiment,
    to_float,
    to_text,
    verify,
    walk_points,
    write_instance,
)
from exactdrl.report.page import commands, to_html
from exactdrl.report.report import make_report

VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """What a page holds; refuses tags that do not match."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.open, self.images, self.words, self.attributes = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "img":
            self.images.append(dict(attrs))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in {"style", "script"}:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    instance = sample_experiment((2, 3, 1), samples=20, seed=1, bits=8)
    write_instance(instance, folder / "a.json")
    record_walk(Walk(instance), folder / "a.drl")
    return folder / "a.json", folder / "a.drl"


@pytest.fixture(scope="module")
def report(files):
    return make_report(*files, lines=2)


@pytest.fixture(scope="module")
def page(report):
    return Page(to_html(report))


def test_page_is_whole_in_itself(report, page):
    """No address to load: images are data, links stay on the page, styles and the script name no resource."""
    text = to_html(report)
    assert not {"link", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    assert page.tags.count("script") == 2
    names = [value for name, value in page.attributes if name == "id"]
    assert len(names) == len(set(names))
    for name, value in page.attributes:
        assert name != "style"
        assert not name.startswith("on")
        if name == "href":
            assert value[0] == "#" and value[1:] in names
        if name in {"src", "srcset", "action", "data", "poster"}:
            assert re.match(r"data:image/(svg\+xml|png);base64,", value)
    outside = re.sub(r'src="data:[^"]*"', "", text)
    outside = outside.replace('"http://www.w3.org/2000/svg"', "")  # the name of SVG's elements, which is no place
    outside = re.sub(r"^ *// .*$", "", outside, flags=re.MULTILINE)
    assert not re.search(r"https?:|//|url\(|@import|@font-face|fetch|import\(", outside)
    for image in page.images:
        content = base64.b64decode(image["src"].split(",")[1])
        if image["src"].startswith("data:image/svg"):
            loaded = re.findall(rb'(?:xlink:)?href="([^"]*)"', content)
            assert all(link.startswith(b"#") for link in loaded)
            assert b"<script" not in content
        else:
            assert content.startswith(b"\x89PNG")


def test_accessible(page):
    """A language, a title, one first heading, an alternative text of a sentence for each image, headers with a scope."""
    assert ("lang", "en") in page.attributes
    assert page.tags.count("h1") == page.tags.count("title") == page.tags.count("main") == 1
    assert len(page.images) == 4
    assert all(len(image["alt"]) > 40 and image["alt"].endswith(".") for image in page.images)
    assert page.tags.count("th") == sum(name == "scope" for name, _ in page.attributes)
    assert page.tags.count("nav") == 1 and page.tags.count("h2") == page.tags.count("a") == 8
    assert page.tags.count("details") == page.tags.count("summary") == 2
    assert page.tags.count("figcaption") == page.tags.count("figure") == 5


def test_dark_and_print(report):
    """Styles for a dark screen and for paper are there, and every colour that is used is defined in each."""
    text = to_html(report)
    style = text[text.index("<style>") : text.index("</style>")]
    light, dark, paper = (
        set(re.findall(r"--([a-z-]+):", part))
        for part in (
            style[: style.index("@media")],
            style[style.index("prefers-color-scheme: dark") : style.index("* {")],
            style[style.index("@media print") :],
        )
    )
    assert set(re.findall(r"var\(--([a-z-]+)\)", style)) <= light
    assert light - dark == light - paper == {"mono"}


def test_verdicts_have_their_colours(files, report):
    """What is proved is never shown as a warning: green where it was checked, blue where it was not."""

    def look(report):
        return re.search(r'class="verdict ([a-z]+)"', to_html(report))[1]

    def ended(outcome, **changes):
        return replace(report, certificate=replace(report.certificate, outcome=outcome), **changes)

    assert look(report) == "proved"
    assert look(replace(report, check=None)) == "stated"
    ray = Unbounded(())
    assert [look(ended(ray)), look(ended(ray, check=None))] == ["proved", "stated"]
    assert [look(ended(outcome)) for outcome in (Undecided(9), StepLimit(), None)] == ["open"] * 3


def test_the_chart_has_the_walk(files, report):
    """The chart's numbers are the losses of the walk; long walks are thinned, their ends kept."""

    def chart(report):
        return json.loads(re.search(r'id="walk-data">(.*?)</script>', to_html(report))[1])

    exact = list(walk_points(*files[:2]))
    data = chart(report)
    assert data["values"]["loss"] == [float(f"{to_float(point.loss):.6g}") for point in exact]
    assert data["values"]["loss gap"][-1] == data["values"]["distance to the last vertex"][-1] == 0
    assert data["values"]["step length"][0] is None
    assert data["steps"] == list(range(data["steps"][0], len(report.certificate.steps) + 1))
    count = 4567
    long = replace(
        report.series,
        before=3,
        **{name: tuple(map(float, range(count))) for name in ("loss", "gap", "length", "distance")},
    )
    data = chart(replace(report, series=long))
    assert len(data["steps"]) == 2000 and (data["steps"][0], data["steps"][-1]) == (-3, count - 4)
    assert [step + 3 for step in data["steps"]] == data["values"]["loss"]
    assert "2,000 of the 4,567 points" in to_html(replace(report, series=long))


def test_the_last_vertex_is_there(files, report, page):
    """Every parameter, as a fraction where it is short, else as a decimal."""
    rows = read_result(*files).parameters
    words = page.text[page.text.rindex("The last vertex") : page.text.rindex("Figures")]
    for value in (value for row in rows for value in row):
        assert to_text(value) in words or f"{to_float(value):.10g}".replace("-", "\N{MINUS SIGN}") in words
    assert f"All {sum(map(len, rows))} parameters of layer 1" in words


def test_content(files, report, page):
    """Verdict with its witness, checker's line, exact loss, hashes, versions, claims with their status, commands."""
    instance, run = files
    walk = Walk(sample_experiment((2, 3, 1), samples=20, seed=1, bits=8))
    outcome = walk.run()
    assert {"StrictLocalMinimum": "Strict local minimum", "LocalMinimum": "Local minimum"}[
        type(outcome).__name__
    ] in page.text
    assert "Witness: " in page.text
    assert verify(instance, run).line in page.text
    assert str(walk.loss) in page.text or f"a fraction of {len(str(walk.loss)):,} characters" in page.text
    for path in files:
        assert hashlib.sha256(path.read_bytes()).hexdigest() in page.text
    assert [name for name, _ in report.versions] == [
        "Python",
        "exactdrl",
        "python-flint",
        "gmpy2",
        "numpy",
        "float kernel",
    ]
    assert all(number in page.text for _, number in report.versions)
    count = len(report.found.claims)
    assert f"{count} claims" in page.text
    status = "accepted" if report.can_check_claims else "not checked"
    assert to_html(report).count(f'<td class="status">{status}</td>') == count
    if not report.can_check_claims:
        assert "not independently checked" in page.text
    assert all(line in page.text.replace("\n", " ") for line in commands(report))


def test_claims_hash_is_that_of_observe(files, report, tmp_path, capsys, monkeypatch):
    """The page's commands give the page's claims: the same bytes, by the hash that it states."""
    monkeypatch.chdir(files[0].parent)
    line = next(line for line in commands(report) if line.startswith("exactdrl observe"))
    arguments = [word.replace("run.claims", str(tmp_path / "run.claims")) for word in shlex.split(line)[1:]]
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 0
    capsys.readouterr()
    assert hashlib.sha256((tmp_path / "run.claims").read_bytes()).hexdigest() == dict(report.hashes)["claims"]


def test_same_files_same_page(files, report):
    """The page depends on the files alone."""
    assert to_html(make_report(*files, lines=2)) == to_html(report)


def test_names_are_escaped(files, report, tmp_path, capsys, monkeypatch):
    """Names with markup, quotes, dollars and spaces stand in the page as they are, and its commands work on them."""
    instance, run = files
    monkeypatch.chdir(tmp_path)
    odd_instance, odd_run = "a $title 'x' \"y\".json", "<b>&amp;<script>alert(1).drl"
    (tmp_path / odd_instance).write_bytes(instance.read_bytes())
    (tmp_path / odd_run).write_bytes(run.read_bytes())
    with pytest.raises(SystemExit) as stop:
        main(["report", odd_instance, odd_run, "-o", "r.html", "--lines", "1", "--no-check", "--jobs", "1"])
    assert stop.value.code == 0
    capsys.readouterr()
    found = Page((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert "b" not in found.tags and found.tags.count("script") == 2
    assert odd_run in found.text
    assert odd_instance in found.text
    assert "The stand-alone checker was not run" in found.text
    assert "No checker was run" in found.text
    renamed = replace(report, instance_name=odd_instance, run_name=odd_run)
    line = next(line for line in commands(renamed) if line.startswith("exactdrl rerun"))
    with pytest.raises(SystemExit) as stop:
        main(shlex.split(line)[1:])
    assert stop.value.code == 0
    # a leading hyphen is no option
    assert "exactdrl verify a.json ./-o.drl" in Page(to_html(replace(report, run_name="-o.drl"))).text


def test_refusals(files, tmp_path, capsys):
    """A rejected run, a missing file, an existing page, another ending: one line, exit 2, no page."""
    instance, run = files

    def report_on(*arguments):
        with pytest.raises(SystemExit) as stop:
            main(["report", *map(str, arguments)])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return stop.value.code, captured.err

    false = tmp_path / "false.drl"
    lines = run.read_text().splitlines()
    outcome = '{"outcome":"local-minimum","by":"zero-loss"}'
    body = "".join(f"{line}\n" for line in [*lines[:-2], outcome])
    end = f'{{"end":{{"steps":{len(lines) - 4},"sha256":"{hashlib.sha256(body.encode()).hexdigest()}"}}}}\n'
    false.write_text(body + end)
    page = tmp_path / "r.html"
    code, message = report_on(instance, false, "-o", page, "--lines", 0, "--jobs", 1)
    assert (code, "rejected: " in message) == (2, True)
    assert report_on(instance, tmp_path / "none.drl", "-o", page)[0] == 2
    code, message = report_on(instance, run, "-o", tmp_path / "r.txt")
    assert (code, "ends in .html" in message) == (2, True)
    assert not page.exists()
    page.write_text("mine")
    code, message = report_on(instance, run, "-o", page)
    assert (code, "exists already" in message) == (2, True)
    assert page.read_text() == "mine"


@pytest.mark.parametrize(("widths", "seed", "limit"), [((1, 1), 0, None), ((2, 2, 1), 3, 0)])
def test_other_outcomes(tmp_path, widths, seed, limit):
    """Short walks, stopped ones and those without a step have a page too, and a stopped one claims no minimum."""
    instance = sample_experiment(widths, samples=9, seed=seed, bits=6)
    write_instance(instance, tmp_path / "a.json")
    record_walk(Walk(instance, max_steps=limit), tmp_path / "a.drl")
    found = Page(to_html(make_report(tmp_path / "a.json", tmp_path / "a.drl", lines=1, check=False)))
    assert ("Stopped by a limit" in found.text) == (limit is not None)
    assert ("ocal minimum" in found.text.split("The run")[0]) == (limit is None)
