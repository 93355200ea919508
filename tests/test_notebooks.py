"""Notebooks: those of the documentation run and print what they have stored; bars and values look right in a kernel."""

import importlib.util
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "docs" / "notebooks"
for needed in ("nbclient", "ipykernel"):
    if importlib.util.find_spec(needed) is None:
        pytest.skip(f'{needed} is not installed, no notebook is run: pip install ".[test]"', allow_module_level=True)

import nbformat  # noqa: E402 - where it is installed
from nbclient import NotebookClient  # noqa: E402

PACKAGES = {"walk": (), "regression": ("statsmodels", "pandas"), "torch": ("torch",)}


@pytest.fixture(scope="module")
def make():
    spec = importlib.util.spec_from_file_location("make_notebooks", FOLDER / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_notebook_is_run():
    """The list above has all of them, and the site shows each."""
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(PACKAGES)
    index = (FOLDER.parent / "index.md").read_text(encoding="utf-8")
    assert all(f"\nnotebooks/{name}\n" in index for name in PACKAGES)


@pytest.mark.parametrize("name", PACKAGES)
def test_notebooks_run(make, name, tmp_path):
    """Every cell runs, and prints what the stored notebook says that it prints; pictures are shown."""
    for package in PACKAGES[name]:
        pytest.importorskip(package, reason=f'{package} is not installed: pip install ".[test-doors]"')
    path = FOLDER / f"{name}.ipynb"
    stored = nbformat.read(path, as_version=4)
    book = make.run(path, tmp_path)
    assert dict(make.printed(book)) == dict(make.printed(stored))
    for cells in (stored.cells, book.cells):
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        assert sum("image/png" in output.get("data", {}) for output in outputs) >= 1
        assert any("accepted: " in output.get("data", {}).get("text/html", "") for output in outputs)
        assert not any(output.output_type == "error" or output.get("name") == "stderr" for output in outputs)
        # no path of the machine where it was run
        assert not re.search(r"/(home|root|tmp|usr)/", nbformat.writes(book))


CELLS = [
    "import time\nimport exactdrl.front.progress as shown\nshown._SECONDS_BEFORE_NOTEBOOK = 0.02",
    (
        "with shown.progress('work', total=3, unit='part', is_shown=None) as report:\n"
        "    report(1)\n    time.sleep(0.05)\n    report(2, 'a <b> note')\n    print(report.is_due())\n    time.sleep(0.15)\n    report(3)"
    ),
    (
        "import exactdrl\nproblem = exactdrl.sample_experiment((2, 3, 1), samples=12, seed=1, bits=6)\n"
        "shown._SECONDS_BEFORE_NOTEBOOK = 0.0\nresult = exactdrl.walk(problem)"
    ),
    "silent = exactdrl.walk(problem, progress=False)",
    "problem",
    "result",
    "result.save('a.drl', instance='a.json')\nexactdrl.read_certificate('a.drl', exactdrl.read_instance('a.json'))",
    "exactdrl.judge(result.instance.with_start(result.parameters))",
]


def test_bars_and_values_in_a_kernel(tmp_path):
    """A bar is shown after a while, updated, and gone at the end; values are short tables, and never all numbers."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    seen = []

    class Client(NotebookClient):
        def process_message(self, message, cell, cell_index):
            if message["msg_type"] in {"display_data", "update_display_data"}:
                seen.append((cell_index, message["msg_type"], message["content"]["data"].get("text/html")))
            return super().process_message(message, cell, cell_index)

    Client(book, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    bar = [(kind, text) for index, kind, text in seen if index == 1]
    assert [kind for kind, _ in bar] == ["display_data", "update_display_data", "update_display_data"]
    assert "<progress value='2' max='3'></progress>" in bar[0][1] and "a &lt;b&gt; note" in bar[0][1]
    assert "part 3" in bar[1][1] and bar[2][1] == ""
    walked = [(kind, text) for index, kind, text in seen if index == 2]
    assert walked[0][0] == "display_data" and "walk: step" in walked[0][1] and walked[-1][1] == ""
    assert not [index for index, _, _ in seen if index == 3]
    for cell in book.cells[4:]:
        data = cell.outputs[-1].data
        assert len(data["text/plain"]) < 1500 and "mpq(" not in data["text/plain"], cell.source
        assert len(data["text/html"]) < 3000, cell.source


def test_no_bar_without_a_notebook(capsys):
    """A function that is not asked shows nothing in a script, though its output is a terminal's."""
    from exactdrl import sample_experiment, walk
    from exactdrl.front.progress import is_notebook

    assert not is_notebook()
    walk(sample_experiment((2, 3, 1), samples=12, seed=1, bits=6))
    assert capsys.readouterr() == ("", "")
