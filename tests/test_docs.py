"""The documentation: its Python runs, its links lead somewhere, its commands exist."""

import re
from pathlib import Path

import pytest
from exactdrl_cli.main import COMMANDS
from matplotlib import rc_context

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    path
    for folder in ("docs", "proofs")
    for path in (ROOT / folder).rglob("*.md")
    if not {"_build", "_generated", "campaign"} & set(path.parts)
)
RUN = [
    ROOT / "README.md",
    ROOT / "docs" / "tutorial.md",
    ROOT / "docs" / "gallery" / "index.md",
    ROOT / "docs" / "howto" / "tables.md",
    ROOT / "docs" / "howto" / "recording.md",
]


@pytest.mark.parametrize("page", RUN, ids=lambda path: path.name)
def test_python_runs(page, tmp_path, monkeypatch):
    """The Python of a page runs from top to bottom, in an empty folder."""
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    if any("sklearn" in block for block in blocks):
        pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    with rc_context():
        for block in blocks:
            exec(compile(block, str(page), "exec"), names)
    assert blocks


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    """A link to a file of the repository names one that is there."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_exist(page):
    """Every exactdrl command that a page names exists."""
    for name in re.findall(r"(?:^\$ |`)exactdrl ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE):
        assert name in COMMANDS, name
