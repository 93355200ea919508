"""The pages of docs/known: they say what their tables say; their tables are what the scripts make; words follow intervals."""

import gzip
import hashlib
import importlib
import math
import random
import re
import sys
from fractions import Fraction
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from gmpy2 import mpq

from exactdrl import judge, sample_experiment
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
    conduct(campaign, folder / "campaign", formats=())
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


def test_certificates_are_checked(tables, tmp_path, monkeypatch):
    """A random choice of certificates is accepted, with the hashes of their contents; a changed one is not."""
    verified, folder = script("verified"), tables.parent
    (tmp_path / "walks.parquet").write_bytes((tables / "walks.parquet").read_bytes())
    runs = tmp_path / "runs"
    runs.mkdir()
    for path in (folder / "campaign" / "runs").glob("*.drl.gz"):
        (runs / path.name).write_bytes(path.read_bytes())
    table = tmp_path / "verified.parquet"
    options = ["verified.py", str(folder / "slice.toml"), str(runs), str(table), "--fast", "2", "--checker", "2"]
    monkeypatch.setattr(sys, "argv", options)
    verified.main()
    rows = pq.read_table(table).to_pylist()
    assert [(row["method"], row["verdict"]) for row in rows] == [("checker", "accepted")] * 2 + [
        ("fast", "accepted")
    ] * 2
    for row in rows:
        content = gzip.decompress((runs / f"{row['name']}.drl.gz").read_bytes())
        assert row["certificate"] == hashlib.sha256(content).hexdigest()
    assert script("hinz").checked_words(table) == {"checked_checker": "2 of 2", "checked_fast": "2 of 2"}
    for path in runs.iterdir():
        lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
        path.write_bytes(gzip.compress(b"".join([*lines[:3], *lines[4:]])))
    verified.main()
    assert script("hinz").checked_words(table) == {"checked_checker": "0 of 2", "checked_fast": "0 of 2"}


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


# -- density


@pytest.fixture(scope="module")
def pair():
    """A problem with two minima of different losses, and the points at which density is counted."""
    density = script("density")
    for seed in range(20):
        instance = sample_experiment((2, 3, 1), samples=14, seed=seed, bits=8)
        found = density.find_places(seed, instance)
        if found is not None:
            return instance, *found
    raise AssertionError("no pair in twenty seeds")


def test_points_of_equal_loss(pair):
    """The other walk's point has the minimum's loss exactly, is no minimum, and turned points keep each unit's norm."""
    density = script("density")
    instance, places, high, low = pair
    points = dict(places)
    assert high.loss > low.loss
    assert instance.loss_of(points["minimum"]) == instance.loss_of(points["equal"]) == high.loss
    assert judge(instance.with_start(points["equal"])).status == "not-a-minimum"
    assert judge(instance.with_start(points["minimum"])).status.endswith("local-minimum")
    for name in ("minimum", "equal"):
        for row, turned in zip(points[name], points[f"{name} turned"], strict=True):
            assert math.isclose(density.norm_of((row,)), density.norm_of((turned,)), rel_tol=1e-4)
    losses = [instance.loss_of(points[f"walk {quarter}/4"]) for quarter in range(4)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] >= high.loss


def test_counts_of_kinks(pair):
    """Breakpoints on a line are where the loss's second difference is not 0; hidden kinks and residuals add up."""
    density = script("density")
    instance, places, *_ = pair
    reach = mpq(64)
    rows = list(density.count_lines(instance, places[:2], 0, reach))
    assert [row[:2] for row in rows] == [(place, parts) for place, _ in places[:2] for parts in density.PARTS]
    lines = density.directions(random.Random("lines 0"), density.LINES, instance.start)
    for place, parts, kinks, residual, _ in rows:
        assert 0 <= residual <= kinks
        point, seen = dict(places)[place], 0
        for line in lines:
            grid = [reach / parts * step / 4000 for step in range(-4000, 4001)]
            losses = [
                instance.loss_of(
                    [[p + t * d for p, d in zip(*pair, strict=True)] for pair in zip(point, line, strict=True)]
                )
                for t in (grid if place == "equal" and parts == density.PARTS[1] else [])
            ]
            bends = [i for i in range(1, len(losses) - 1) if losses[i - 1] + losses[i + 1] != 2 * losses[i]]
            # a breakpoint between two places of the grid bends at both; the one at the point itself is left out
            groups = sum(a + 1 != b for a, b in pairwise([-5, *bends]))
            seen += groups - (4000 in bends)
        if seen:
            assert seen <= kinks <= seen + 3


def test_work_under_a_limit():
    """What takes too long is None, what fails is an error, and what is found comes back."""
    run = script("density").run_limited
    assert run(5, lambda: 7) == 7
    assert run(1, lambda: sum(iter(int, 1))) is None
    with pytest.raises(RuntimeError, match="exit code 1"):
        run(5, lambda: 1 // 0)


def test_the_page_on_density(tables, tmp_path, capsys, monkeypatch):
    """The script's table on a slice, twice as many seeds in two goes; its page's shares are those counted by hand."""
    density = script("density")
    for name, option in (("lines", []), ("cells", ["--cells"])):
        for seeds in ("2", "4"):
            arguments = ["--widths", "2,3,1", "--samples", "12", "--bits", "6", "--seeds", seeds, *option]
            monkeypatch.setattr(sys, "argv", ["density.py", str(tmp_path / f"{name}.parquet"), *arguments])
            density.main()
    (tmp_path / "walks.parquet").write_bytes((tables / "walks.parquet").read_bytes())
    found = script("density_page").values(tmp_path, tmp_path / "figures")
    script("pages").fill((KNOWN / "pages" / "density.md.in").read_text(encoding="utf-8"), found)
    rows = pq.read_table(tmp_path / "cells.parquet").to_pylist()
    assert {row["seed"] for row in rows} == {0, 1, 2, 3}
    own = {(row["seed"], row["place"]): row["cells"] for row in rows if row["parts"] == 16}
    seeds = {seed for seed, _ in own}
    more = sum(own[seed, "minimum"] > own[seed, "equal"] for seed in seeds)
    assert found["cells_equal"].startswith(f"{more}/{len(seeds)} ")


def test_rank_correlation():
    """Spearman's coefficient is 1 for a growing function, -1 for a falling one, and SciPy's value otherwise."""
    rank = script("density_page").rank_correlation
    assert rank([(x, x**3) for x in range(9)]) == 1
    assert rank([(x, -x) for x in range(9)]) == -1
    scipy = pytest.importorskip("scipy.stats")
    values = np.random.default_rng(2).random((2, 12))
    assert math.isclose(rank(list(zip(*values.tolist(), strict=True))), scipy.spearmanr(*values).statistic)


def test_words_of_several_readings():
    """All readings must agree; some that hold are a condition; the rest is open."""
    combine = script("density_page").combine
    assert combine(["holds", "holds"]) == "holds"
    assert combine(["fails", "fails"]) == "fails"
    assert combine(["holds", "fails"]) == "holds with conditions"
    assert combine(["open", "fails"]) == "open"


# -- information leak


def falling(seed, count=241):
    """A walk whose losses fall to a limit, not quite as an exponential."""
    numbers = np.random.default_rng(seed)
    share = np.linspace(0, 1, count)
    return script("leak").Walked(seed, 1000 + seed, 50 + 30 * np.exp(-(2 + numbers.random()) * share**0.8))


def test_estimates_see_nothing_later():
    """No estimator's answer changes if the losses after its step do, nor with the number of steps to come."""
    leak = script("leak")
    runs = [falling(seed) for seed in range(8)]
    for name, trainer in leak.TRAINERS.items():
        estimator = trainer(runs[1:])
        for place in (12, 120, 228):
            other = runs[0].losses.copy()
            other[place + 1 :] = 1.0
            changed = leak.Walked(0, runs[0].steps, other)
            assert estimator(runs[0], place) == estimator(changed, place), name
            if name != "the median final loss":
                assert estimator(runs[0], place) <= runs[0].losses[place] * 1.0001 or "Aitken" in name


def test_aitken_is_exact_for_exponentials():
    """For a limit plus a geometric sequence Aitken's extrapolation is the limit, at every step."""
    leak = script("leak")
    run = leak.Walked(0, 240, 50 + 30 * 0.98 ** np.arange(241))
    for quarters in (1, 2):
        assert math.isclose(leak.aitken(quarters)([])(run, 120), 50, rel_tol=1e-9)


def test_the_choice_does_not_see_the_other_half():
    """Whatever the odd seeds' losses are, the same estimator is chosen; its errors are on the odd seeds alone."""
    leak = script("leak")
    runs = [falling(seed) for seed in range(24)]
    first = leak.attempt(runs)
    changed = [falling(seed) if seed % 2 == 0 else falling(100 + seed) for seed in range(24)]
    changed = [leak.Walked(seed, run.steps, run.losses) for seed, run in enumerate(changed)]
    second = leak.attempt(changed)
    assert first.scores == second.scores
    assert first.chosen == second.chosen != leak.TRIVIAL
    assert first.errors != second.errors
    assert first.runs == (12, 12)
    assert len(first.errors[first.chosen][120]) == 12
    # losses that fall as alike as these can be foretold
    assert leak.verdict(first) in {"holds", "holds with conditions"}
    assert leak.attempt(runs[:15]) is None
    assert leak.verdict(None) == "open"


def test_the_page_on_the_leak(tables, tmp_path):
    """Groups with too few runs have no trial, and the page says that it is open."""
    found = script("leak").values(tables, tmp_path, published="2,3,1 N=24 bits=53 reference")
    assert found["word_published"] == "open"
    script("pages").fill((KNOWN / "pages" / "leak.md.in").read_text(encoding="utf-8"), found)


# -- trainings


def test_slopes_of_trainings():
    """The subgradient is the loss's slope by exact differences, inside a cell."""
    training = script("training")
    instance = sample_experiment((3, 4, 3, 2), samples=9, seed=5, bits=8)
    net, start = training.Net.of(instance), training.to_array(instance.start)
    slope = net.slope(start, np.arange(9))
    step = mpq(1, 2**40)
    for row in range(len(instance.start)):
        for column in range(len(instance.start[0])):
            moved = [list(entries) for entries in instance.start]
            moved[row][column] += step
            change = (instance.loss_of(moved) - instance.loss_of(instance.start)) / step / 9
            assert math.isclose(float(Fraction(str(change))), slope[row, column], rel_tol=1e-9, abs_tol=1e-12)


def test_trainings(tmp_path):
    """The walk from an end never ends higher; a training with rate 0 stays; the page's words follow its table."""
    training = script("training")
    rows = training.measure((2, 3, 1), 20, 0, 30, 20)
    assert len(rows) == 9
    for row in rows:
        assert row["walked_loss"] <= row["trained_loss"]
        assert row["start_loss"] == rows[0]["start_loss"]
        assert 0 <= row["late_cells"] <= 1
        assert row["kinks"] == 20 * 4
    net = training.Net.of(sample_experiment((2, 3, 1), samples=20, seed=0))
    start = np.ones((3, 3))
    assert all((theta == start).all() for theta in training.descend(net, start, "adam", 0.0, 3, 0))
    training.write([row | {"seed": seed} for seed in range(12) for row in rows], tmp_path / "training.parquet")
    found = script("training_page").values(tmp_path, tmp_path / "figures")
    script("pages").fill((KNOWN / "pages" / "training.md.in").read_text(encoding="utf-8"), found)
    chosen = {tuple(entry.split(" with rate ")) for entry in found["chosen"].split(", ") if " with rate " in entry}
    assert len(chosen) == 3
    best = min((row for row in rows if row["method"] == "sgd"), key=lambda row: row["trained_loss"])
    assert ("sgd", f"{best['rate']:g}") in chosen


# -- cells and the front page


def test_hidden_cells(tmp_path):
    """The table of a small campaign has its counts, and the page its shares."""
    config = tmp_path / "cells.toml"
    config.write_text("version = 1\n[[cells]]\nsamples = [3, 5]\ninputs = [1]\nunits = [1]\nseeds = 10\n")
    conducted = conduct(read_config(config), tmp_path / "campaign")
    page = script("cells_page")
    assert page.tabulate(config, tmp_path / "campaign", tmp_path / "hidden_cells.parquet") == 20
    found = page.values(tmp_path, tmp_path / "figures")
    script("pages").fill((KNOWN / "pages" / "cells.md.in").read_text(encoding="utf-8"), found)
    bad = sum(row["drawn_bad"] for row in conducted.rows if row["samples"] == 5)
    line = next(line for line in found["shares"].splitlines() if line.startswith("| squared | 1 | 1 | 5 |"))
    assert f"| {bad}/10 [" in line
    assert page.flip(Share(2, 10, 0.1, 0.5)) == Share(8, 10, 0.5, 0.9)


def test_words_of_instances():
    """One certified instance against a statement is enough; those for it prove nothing in general."""
    word = script("front").by_instances
    assert word(5, 1) == "fails (instance)"
    assert word(5, 0) == "holds with conditions"
    assert word(0, 0) == "open"
