"""The house's laws: imports point down, the checker knows nothing of the package, every package is shipped."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

import exactdrl

ROOT = Path(__file__).parent.parent
# ground floor first; a room may import itself and rooms below
ROOMS = (
    "exact",
    "engine",
    "problem",
    "cells",
    "arithmetic",
    "minimality",
    "points",
    "hidden_cells",
    "constructions",
    "steps",
    "regression",
    "walks",
    "certificate",
    "audits",
    "series",
    "observations",
    "report",
    "doors",
    "campaigns",
    "front",
)

CHECKER = re.findall("^([a-z]+) +[a-z]", (ROOT / "proofs" / "checker" / "__init__.py").read_text("utf-8"), re.MULTILINE)


def imported_modules(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module or "")
    return found


def test_rooms_are_the_folders():
    """Every folder of the library is a room in the order above."""
    assert {path.parent.name for path in (ROOT / "exactdrl").glob("*/__init__.py")} == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_imports_point_down(room):
    """No module imports a room above its own, nor the command line, nor the package's own front."""
    allowed = ROOMS[: ROOMS.index(room) + 1]
    for path in (ROOT / "exactdrl" / room).rglob("*.py"):
        for module in imported_modules(path):
            parts = module.split(".")
            assert parts[0] not in {"exactdrl_cli", "cli", "proofs", "exactdrl_proofs"}, (path, module)
            if parts[0] == "exactdrl":
                assert len(parts) > 1, (path, module)
                assert parts[1] in allowed, (path, module)


def test_public_names_are_no_rooms():
    """A public name that is a room's, too, would be the room once that is imported."""
    assert not set(ROOMS) & set(exactdrl.__all__)


def test_the_command_line_knows_the_front_alone():
    """A command parses, calls functions of the front, and prints: it imports public names and the front's modules."""
    for path in (ROOT / "cli").glob("*.py"):
        for module in imported_modules(path):
            parts = module.split(".")
            assert parts[0] != "exactdrl" or len(parts) == 1 or parts[1] == "front", (path, module)


def test_checker_needs_only_the_standard_library():
    """proofs/check.py and the folder checker import the standard library and themselves alone, downwards."""
    proofs = ROOT / "proofs"
    for path in (proofs / "check.py", *(proofs / "checker").glob("*.py")):
        modules = {module.split(".")[0] for module in imported_modules(path)}
        assert modules <= sys.stdlib_module_names | ({"checker"} if path.name == "check.py" else set()), path
    for number, name in enumerate(CHECKER):
        tree = ast.parse((proofs / "checker" / f"{name}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.level > 0:
                assert {node.module or alias.name for alias in node.names} <= set(CHECKER[:number]), name


def test_checker_is_read_in_order():
    """The folder's first page names its files, lowest first, and the whole stays short."""
    folder = ROOT / "proofs" / "checker"
    assert {path.stem for path in folder.glob("*.py")} == {*CHECKER, "__init__"}
    lines = [len(path.read_text("utf-8").splitlines()) for path in (folder.parent / "check.py", *folder.glob("*.py"))]
    assert sum(lines) < 2141
    assert max(lines) < 400


def test_all_packages_are_shipped():
    """pyproject.toml lists every package of the library, the command line and the proofs."""
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"])
    rooms = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "exactdrl").rglob("*/__init__.py")}
    assert listed == rooms | {"exactdrl", "exactdrl_cli", "exactdrl_proofs", "exactdrl_proofs.checker"}


FLOATS = {"float", "isclose", "allclose"}


@pytest.mark.parametrize(
    "room", ["cells", "minimality", "points", "hidden_cells", "constructions", "steps", "walks", "certificate"]
)
def test_no_floats_in_decisions(room):
    """Rooms that decide neither convert to float nor compare approximately, and have no float literals."""
    for path in (ROOT / "exactdrl" / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), (path, node.lineno)
            called = node.func if isinstance(node, ast.Call) else None
            assert not (isinstance(called, ast.Name) and called.id in FLOATS), (path, node.lineno)
