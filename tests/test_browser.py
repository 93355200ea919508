"""A real browser opens what people look at: reports and the documentation. Skipped where no Chromium is installed.

Pages are opened from files, as people open them. A script is added to a copy of the page, does what a reader would do,
and leaves what it saw in the title.
"""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest
from matplotlib.image import imread

from exactdrl import Walk, record_walk, sample_experiment, write_instance
from exactdrl.report.page import to_html
from exactdrl.report.report import make_report

ROOT = Path(__file__).parent.parent
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium is installed, nothing is looked at in a browser: apt-get install chromium"
)


def browse(page, folder, *options):
    """Opens a page without a window, and returns its elements at the end and what it complained about."""
    command = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        f"--user-data-dir={folder / 'profile'}",
        "--enable-logging=stderr",
        "--virtual-time-budget=5000",
        *options,
        page.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


READER = """
const seen = { curve: [], words: [] };
const look = () => {
  seen.curve.push(document.querySelector("#plot .curve").getAttribute("points").split(" ").length);
  seen.words.push(document.getElementById("readout").textContent);
};
const send = (element, kind, values = {}) => element.dispatchEvent(Object.assign(new Event(kind, { bubbles: true }), values));
const box = document.getElementById("plot").getBoundingClientRect();
const across = (share) => ({ clientX: box.left + box.width * share, clientY: box.top + 50 });
look();
quantity.value = "step length";
send(quantity, "change");
logarithmic.checked = false;
send(logarithmic, "change");
look();
step.value = 0;
send(step, "input");
look();
send(plot, "pointermove", across(0.999));
look();
send(plot, "pointerdown", across(0.4));
send(plot, "pointermove", across(0.6));
seen.chosen = document.querySelectorAll("#plot .chosen").length;
send(window, "pointerup", across(0.6));
look();
document.getElementById("whole").click();
look();
seen.hidden = chart.hidden;
seen.copies = [...document.querySelectorAll("button.copy")].filter((button) => !button.hidden).length;
seen.wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
document.querySelector("button.copy").click();
setTimeout(() => {
  seen.copied = document.querySelector("button.copy").textContent;
  document.title = JSON.stringify(seen);
}, 500);
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    instance = sample_experiment((2, 3, 1), samples=20, seed=1, bits=8)
    write_instance(instance, folder / "a.json")
    record_walk(Walk(instance), folder / "a.drl")
    return make_report(folder / "a.json", folder / "a.drl", lines=1, check=False)


def test_a_reader_uses_the_chart(report, tmp_path):
    """Quantities, scale, slider, pointer and zoom do what they say, commands are copied, and nothing complains."""
    text = to_html(report)
    page = tmp_path / "report.html"
    page.write_text(text.replace("</body>", f"<script>{READER}</script></body>"), encoding="utf-8")
    content, complaints = browse(page, tmp_path, "--dump-dom")
    assert complaints == []
    seen = json.loads(unescape(re.search(r"<title>(.*?)</title>", content)[1]))
    count, steps = len(report.series.loss), report.series.steps
    # the last gap is 0, which has no logarithm; the start has no step to it
    zeros = sum(value == 0 for value in report.series.gap)
    assert seen["curve"][:4] == [count - zeros, count - 1, count - 1, count - 1]
    assert 2 < seen["curve"][4] < count - 1 and seen["curve"][5] == count - 1
    assert seen["words"][0].startswith(f"step {steps[-1]}: loss gap 0; loss {report.series.loss[-1]:.6g};")
    assert seen["words"][2].startswith(f"step {steps[0]} (") and "step length none" in seen["words"][2]
    assert seen["words"][3].startswith(f"step {steps[-1]}:")
    assert (seen["chosen"], seen["hidden"], seen["wide"]) == (1, False, False)
    assert seen["copies"] == 7 and seen["copied"] in {"copied", "selected"}


@pytest.mark.parametrize("width", [390, 1000])
def test_a_report_looks_like_something(report, tmp_path, width):
    """A screenshot, on a telephone and on a desk, has ink, and no console line speaks."""
    page, picture = tmp_path / "report.html", tmp_path / "report.png"
    page.write_text(to_html(report), encoding="utf-8")
    _, complaints = browse(page, tmp_path, f"--screenshot={picture}", f"--window-size={width},1400")
    assert complaints == []
    pixels = imread(picture)
    assert pixels.shape[1] >= width and pixels[..., :3].std() > 0.05


def test_the_documentation_opens(tmp_path):
    """The site is built without a warning; its first pages open with their pictures, formulas and no complaint."""
    for package, name in (("sphinx", "sphinx"), ("myst_nb", "myst-nb"), ("furo", "furo")):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f'{name} is not installed, so no site is built: pip install ".[docs]" in a clone of exactdrl')
    site = tmp_path / "site"
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", ROOT / "docs", site]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr[-3000:]
    probe = "document.title = [...document.images].filter((image) => image.complete && !image.naturalWidth).length"
    for name in ("index.html", "gallery/index.html", "concepts/certificates.html", "notebooks/walk.html"):
        page = site / name
        text = page.read_text(encoding="utf-8")
        page.write_text(
            text.replace("</body>", f"<script>onload = () => {{ {probe} }}</script></body>"), encoding="utf-8"
        )
        content, complaints = browse(page, tmp_path, "--dump-dom")
        # formulas are set by a script that is loaded from the net, which a test does not ask
        assert [line for line in complaints if "mathjax" not in line.lower()] == [], name
        assert "<title>0</title>" in content, name
