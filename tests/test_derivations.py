"""The symbolic derivations hold, and each claim in them can fail; the pages name functions that exist."""

import ast
import importlib
import re
from pathlib import Path

import pytest
from exactdrl_proofs.derivations import NotDerivedError
from test_corpus import FILES

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "proofs" / "derivations"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")
PAGES = sorted((ROOT / "proofs").glob("*.md"))


def load(name):
    return importlib.import_module(f"exactdrl_proofs.derivations.{name}")


CASES = [(name, claim) for name in NAMES for claim in load(name).CLAIMS]


def mutants(text):
    """A claim with one sign changed, with one term left out, and doubled."""
    found = []
    tree = ast.parse(text, mode="eval")
    for index, node in enumerate(ast.walk(tree)):
        changed = ast.parse(text, mode="eval")
        twin = list(ast.walk(changed))[index]
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
            twin.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
            found.append(ast.unparse(changed))
    return [*found, f"-({text})", f"2 * ({text})"]


@pytest.mark.parametrize("name", NAMES)
def test_derivations_hold(name):
    """Every claim follows from the definitions."""
    load(name).derive()


@pytest.mark.parametrize(("name", "claim"), CASES)
def test_a_changed_claim_fails(monkeypatch, name, claim):
    """With another sign or factor no claim is derived any more, unless it says 0."""
    module = load(name)
    text = module.CLAIMS[claim]
    changed = [text.replace("0 *", "1 *")] if text.startswith("0 *") else mutants(text)
    assert changed
    for mutant in changed:
        monkeypatch.setitem(module.CLAIMS, claim, mutant)
        with pytest.raises(NotDerivedError):
            module.derive()


def test_every_derivation_has_its_page():
    """Each derivation names a page that exists and that names it."""
    for name in NAMES:
        pages = re.findall(r"proofs/([a-z0-9-]+\.md)", load(name).__doc__)
        assert pages, name
        assert any(f"derivations/{name}.py" in (ROOT / "proofs" / page).read_text() for page in pages), name


def defined(path):
    tree = ast.parse(path.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}


CHECKED = set().union(*(defined(path) for path in FILES.values()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_name_functions_that_exist(page):
    """The lines `Checker: ...` and `Library: FILE: ...` of a page name functions and classes that are there."""
    for line in page.read_text().splitlines():
        if line.startswith("Checker: "):
            names = re.findall(r"`([A-Za-z_.]+)`", line)
            assert names, line
            assert {name.split(".")[-1] for name in names} <= CHECKED, line
        for path, names in re.findall(r"`(exactdrl/[a-z_/]+\.py)`: ((?:`[A-Za-z_]+`(?:, )?)+)", line):
            assert set(re.findall(r"`([A-Za-z_]+)`", names)) <= defined(ROOT / path), line
