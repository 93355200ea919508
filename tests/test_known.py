"""The pages of docs/known: they say what their tables say; their tables are what the scripts make; words follow intervals."""

import importlib
import math
import re
import sys
from fractions import Fraction
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from exactdrl.campaigns.conduct import conduct
from exactdrl.campaigns.config import read_config
from exactdrl.campaigns.statistics import Share, summarise
from exactdrl.observations.brackets import fit_slope

ROOT = Path(__file__).parent.parent
KNOWN = ROOT / "docs" / "known"
SLICE = """
version = 1
keep_runs = true
[[problems]]
widths = [[2, 3, 1]]
samples = [14, 24]
seeds = 11
"""


@pytest.fixture(scope="module", autouse=True)
def scripts():
    """The scripts stand in a folder that is no package."""
    sys.path.insert(0, str(ROOT / "benchmarks" / "known"))
    yield
    sys.path.remove(str(ROOT / "benchmarks" / "known"))


def script(name):
    return importlib.import_module(name)


# -- pages


def page_names():
    return sorted(path.name.removesuffix(".md.in") for path in (KNOWN / "pages").glob("*.md.in"))


@pytest.mark.parametrize("name", page_names())
def test_pages_say_what_their_tables_say(name, tmp_path):
    """A page is its text with what is computed from the tables now: no number and no verdict is typed."""
    pages = script("pages")
    if name not in pages.PAGES:
        pytest.skip("a page without tables yet")
    (written,) = pages.write_pages([name], KNOWN / "tables", KNOWN / "pages", tmp_path)
    assert written.read_text(encoding="utf-8") == (KNOWN / f"{name}.md").read_text(encoding="utf-8")
    for figure in (tmp_path / "figures").glob("*.svg"):
        assert (KNOWN / "figures" / figure.name).exists()


@pytest.mark.parametrize("name", page_names())
def test_no_verdict_is_typed(name):
    """In a page's text what stands in bold, as verdicts do, is a place that is filled."""
    text = (KNOWN / "pages" / f"{name}.md.in").read_text(encoding="utf-8")
    bold = re.findall(r"\*\*(.*?)\*\*", text)
    assert bold
    assert all(re.fullmatch(r"\{\{ [a-z0-9_]+ \}\}", words) for words in bold)


def test_places_are_filled():
    """A place without a value is an error, not an empty page."""
    pages = script("pages")
    assert pages.fill("a {{ b }} c", {"b": "1"}) == "a 1 c"
    with pytest.raises(KeyError):
        pages.fill("{{ b }}", {"a": "1"})


def test_tables_are_small():
    """All tables together are a few megabytes."""
    assert sum(path.stat().st_size for path in (KNOWN / "tables").glob("*.parquet")) < 6_000_000


# -- words


def share(low, high, total=20):
    return Share(total // 2, total, low, high)


@pytest.mark.parametrize(
    ("shares", "word"),
    [
        ([share(0.51, 0.9)], "holds"),
        ([share(0.5, 0.9)], "open"),
        ([share(0.1, 0.49)], "fails"),
        ([share(0.1, 0.5)], "open"),
        ([share(0.51, 0.9), share(0.1, 0.4)], "holds with conditions"),
        ([share(0.51, 0.9), share(0.4, 0.6)], "holds with conditions"),
        ([share(0.1, 0.4), share(0.4, 0.6)], "open"),
        ([share(0.51, 0.9), share(0.1, 0.4, total=9)], "holds"),
        ([share(0.6, 0.9, total=9)], "open"),
        ([], "open"),
    ],
)
def test_words_follow_intervals(shares, word):
    """One half is on neither side; groups with fewer than ten answers do not count."""
    assert script("evidence").decide(shares) == word


def test_ratios():
    """A ratio is above 1 if its median's interval is."""
    decide = script("evidence").decide_ratio
    assert decide(summarise([1.1] * 20)) == "holds"
    assert decide(summarise([0.9] * 20)) == "fails"
    assert decide(summarise([0.9, 1.1] * 10)) == "open"
    assert decide(summarise([1.0] * 20)) == "open"
    assert decide(summarise([2.0] * 5)) == "open"


def test_missing_runs_widen_intervals():
    """With missing trials the interval is that of the worst and the best case, and without it is Wilson's."""
    evidence = script("evidence")
    assert evidence.bounded(8, 10) == evidence.wilson(8, 10)
    found = evidence.bounded(8, 10, 3)
    assert (found.count, found.total) == (8, 10)
    assert (found.low, found.high) == (evidence.wilson(8, 13).low, evidence.wilson(11, 13).high)


def test_exponents():
    """A power law without scatter gives its exponent; the interval covers a noisy one and is wider for more noise."""
    fit = script("evidence").fit_exponent
    exact = fit([(x, 3 * x**1.5) for x in range(1, 20)])
    assert math.isclose(exact.value, 1.5)
    assert exact.high - exact.low < 1e-9
    noise = np.random.default_rng(0).normal(size=200)
    widths = []
    for scale in (0.1, 0.5):
        points = [(x, x**0.5 * math.exp(scale * e)) for x, e in zip([10, 100] * 100, noise, strict=True)]
        found = fit(points)
        assert found.low < 0.5 < found.high
        widths.append(found.high - found.low)
    assert math.isclose(widths[1], 5 * widths[0])
    assert fit([(1, 1)] * 30) is None
    assert fit([(x, x) for x in range(1, 10)]) is None


# -- walks


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """The tables of a small campaign, of which one run is missing."""
    folder = tmp_path_factory.mktemp("known")
    config = folder / "slice.toml"
    config.write_text(SLICE)
    campaign = read_config(config)
    conduct(campaign, folder / "campaign", draw=False)
    (folder / "campaign" / "results" / f"{campaign.cases[-1].name}.json").unlink()
    assert script("walks").tabulate(config, folder / "campaign", folder / "tables") == 21
    return folder / "tables"


def brute_fall(values, spread, parts):
    """The greatest fall over windows of a grid of 24; each fitted by the campaign's own search for a strip."""
    values = np.asarray(values)
    positive = int(np.argmax(values <= 0)) if (values <= 0).any() else len(values)
    if positive - 1 < 24:
        return 0.0
    logs, best = np.log(values[:positive]), 0.0
    ends = [(positive - 1) * part // 24 for part in range(25)]
    for i, j in combinations(range(25), 2):
        part = logs[ends[i] : ends[j] + 1]
        if j - i < parts:
            continue
        slope, height = fit_slope(part)
        if slope < 0 and height <= math.log(spread):
            best = max(best, math.exp(part[0] - part[-1]))
    return best


def test_falls():
    """Falls are those of a search by other means; a pure decay falls by all that it has, and a growing one not at all."""
    walks = script("walks")
    steps = np.arange(241)
    decay = 0.97**steps
    assert math.isclose(walks.best_fall(walks.find_windows(decay), 2.0, 6), 0.97**-240, rel_tol=1e-9)
    assert walks.best_fall(walks.find_windows(1 / decay), 2.0, 6) == 0
    assert walks.find_windows(decay[:20]) == []
    for seed in range(3):
        noisy = decay**0.5 * np.exp(0.4 * np.random.default_rng(seed).normal(size=241))
        noisy[-3:] = 0  # from the first 0 on there is no logarithm
        for spread in (1.5, 4.0, 8.0):
            for parts in (3, 6, 12):
                found = walks.best_fall(walks.find_windows(noisy), spread, parts)
                assert math.isclose(found, brute_fall(noisy, spread, parts), rel_tol=1e-6, abs_tol=1e-12)


def test_a_mean_is_a_mean():
    """Running means are those of NumPy's convolution."""
    values = np.random.default_rng(1).random(50)
    assert np.allclose(script("walks").running_mean(values, 7), np.convolve(values, np.ones(7) / 7, "valid"))


def test_certified_windows_are_among_the_falls(tables):
    """The certified window's fall is at most what the search in floats on the same grid finds, up to its rounding."""
    rows = {row["name"]: row for row in pq.read_table(tables / "walks.parquet").to_pylist()}
    falls = pq.read_table(tables / "falls.parquet").to_pylist()
    compared = 0
    for row in falls:
        if (row["quantity"], row["parts"]) == ("gap", 6) and row["spread"] == 2:
            certified = rows[row["name"]]["window_loss_gap_fall_float"]
            if certified is not None:
                assert row["fall"] >= certified * 0.999
                compared += 1
    assert compared > 5


def test_walk_tables(tables):
    """Losses at the grid are the campaign's first and last, and never rise; long rationals are left out."""
    rows = {row["name"]: row for row in pq.read_table(tables / "walks.parquet").to_pylist()}
    assert len(rows) == 21
    for entry in pq.read_table(tables / "losses.parquet").to_pylist():
        losses, row = entry["losses"], rows[entry["name"]]
        assert len(losses) == 241
        assert (losses[0], losses[-1]) == (row["first_loss_float"], row["final_loss_float"])
        assert all(a >= b for a, b in pairwise(losses))
        assert "final_loss" not in row


def test_the_page_on_walks(tables, tmp_path):
    """On a slice the page's shares are those counted by hand, and every place of its text has a value."""
    found = script("hinz").values(tables, tmp_path, published="2,3,1 N=24 bits=53 reference")
    rows = [
        row
        for row in pq.read_table(tables / "walks.parquet").to_pylist()
        if row["samples"] == 24 and row["window_loss_gap_share_float"] is not None
    ]
    count = sum((row["window_loss_gap_fall_float"] or 0) >= 10 for row in rows)
    assert found["published_loss"].startswith(f"{count}/{len(rows)} ")
    script("pages").fill((KNOWN / "pages" / "hinz.md.in").read_text(encoding="utf-8"), found)
    assert len(list(tmp_path.glob("*.svg"))) == 3


# -- small starts


def affine_loss(rows, targets):
    """The least sum of squares of a line, by Cramer's rule."""
    x, y = [Fraction(str(row[0])) for row in rows], [Fraction(str(value)) for value in targets]
    n, sx, sy = len(x), sum(x), sum(y)
    sxx, sxy = sum(a * a for a in x), sum(a * b for a, b in zip(x, y, strict=True))
    det = n * sxx - sx * sx
    slope, height = (n * sxy - sx * sy) / det, (sxx * sy - sx * sxy) / det
    return sum((slope * a + height - b) ** 2 for a, b in zip(x, y, strict=True))


def test_small_starts(tmp_path):
    """Ends of a short run: the affine loss is the line's, an end at the affine fit has it, and the table comes back."""
    small = script("small_start")
    rows = small.run(3, 3, range(4), width=6, deviation=1e-3, rate=0.02, steps=20_000)
    small.write(rows, tmp_path / "a.parquet")
    found = pq.read_table(tmp_path / "a.parquet").to_pylist()
    assert [row["draw"] for row in found] == [0, 1, 2, 3]
    assert any(row["is_affine_fit"] for row in found)
    for row in found:
        data = small.draw_data(3, row["draw"], 3)
        assert Fraction(row["affine_loss"]) == affine_loss(*data)
        if row["end"] == "minimum":
            assert row["is_affine_fit"] == (Fraction(row["loss"]) == Fraction(row["affine_loss"]))
            assert row["is_spurious"] == (Fraction(row["loss"]) > 0)
            assert math.isclose(row["trained_loss"], float(Fraction(row["loss"])), rel_tol=1e-3, abs_tol=1e-6)
    assert small.draw_data(3, 0, 3)[1] == [y + 3 for y in small.draw_data(3, 0, 0)[1]]
