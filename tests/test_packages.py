"""What is published: the source archive and the wheel, built by the backend and installed in a fresh environment.

Nothing is downloaded: the fresh environment sees the packages that exactdrl depends on where they are installed.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
VERSION = PROJECT["project"]["version"]
NAME = f"exactdrl-{VERSION}"
# what pyproject.toml asks for
NEEDED = 77
HOOK = "import sys; sys.path.insert(0, 'native'); import backend; print(getattr(backend, sys.argv[1])(*sys.argv[2:]))"


def run(*command, cwd, **variables):
    """Runs a command that has to succeed, without what the tests' own environment puts on the path."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | variables
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Returns the archive, and the wheel made of the archive alone."""
    if importlib.util.find_spec("setuptools") is None or int(version("setuptools").partition(".")[0]) < NEEDED:
        pytest.skip(f"setuptools from {NEEDED} on is not installed: pip install 'setuptools>={NEEDED}'")
    folder = tmp_path_factory.mktemp("packages")
    source = folder / "source"
    kept = shutil.ignore_patterns(
        ".git", ".venv", "*.egg-info", "build", "dist", "__pycache__", ".*_cache", "demo", "_kernel*"
    )
    shutil.copytree(ROOT, source, ignore=kept, symlinks=True)
    run(sys.executable, "-c", HOOK, "build_sdist", folder, cwd=source)
    archive = folder / f"{NAME}.tar.gz"
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    run(sys.executable, "-c", HOOK, "build_wheel", folder, cwd=folder / NAME, EXACTDRL_REQUIRE_KERNEL="1")
    (wheel,) = folder.glob("*.whl")
    return archive, wheel


def test_the_wheel_has_all_modules_and_nothing_else(built):
    """Every module of the library, the command line and the proofs, their data files, and no tests."""
    with zipfile.ZipFile(built[1]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    expected = set()
    for folder, package in (("exactdrl", "exactdrl"), ("cli", "exactdrl_cli"), ("proofs", "exactdrl_proofs")):
        for path in (ROOT / folder).rglob("*.py"):
            inner = path.relative_to(ROOT / folder)
            if folder != "proofs" or len(inner.parts) == 1 or inner.parts[0] == "checker":
                expected.add(f"{package}/{inner.as_posix()}")
    expected |= {f"exactdrl_proofs/{path.name}" for path in (ROOT / "proofs").glob("*.md")} | {"exactdrl/py.typed"}
    for room, pattern in (("campaigns", "*.toml"), ("report", "*.html"), ("report", "*.js"), ("report", "*.mplstyle")):
        expected |= {f"exactdrl/{room}/{path.name}" for path in (ROOT / "exactdrl" / room).glob(pattern)}
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    baseline = f"exactdrl/arithmetic/_kernel{suffix}"
    assert baseline in names
    assert names - {baseline, f"exactdrl/arithmetic/_kernel_avx2{suffix}"} == expected


def test_the_wheel_works_in_a_fresh_environment(built, tmp_path):
    """Installed without its source: a walk is sampled, walked and verified, and the checker runs alone."""
    fresh = tmp_path / "fresh"
    venv.create(fresh, with_pip=True)
    python = fresh / "bin" / "python"
    if not python.exists():
        pytest.skip("virtual environments have another layout here")
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile", built[1], cwd=tmp_path)
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip())
    # The dependencies are those of the tests; a link to exactdrl itself would be one of the wheel's place
    own = sysconfig.get_path("purelib")
    (site / "dependencies.pth").write_text(f"import sys; sys.path.append({own!r})\n", encoding="utf-8")
    place = run(python, "-c", "import exactdrl; print(exactdrl.__file__, exactdrl.__version__)", cwd=tmp_path)
    assert place.strip() == f"{site / 'exactdrl' / '__init__.py'} {VERSION}"
    kernel = "from exactdrl.arithmetic import native as n; print(n.IS_COMPILED, n._compiled.__file__)"
    is_compiled, path = run(python, "-W", "error", "-c", kernel, cwd=tmp_path).split()
    assert is_compiled == "True"
    assert path.startswith(str(site))
    command = fresh / "bin" / "exactdrl"
    assert VERSION in run(command, "--version", cwd=tmp_path)
    run(command, "sample", "-o", "a.json", "--widths", "2,3,1", "--samples", 12, "--bits", 6, cwd=tmp_path)
    run(command, "walk", "a.json", "-o", "a.drl", cwd=tmp_path)
    assert "accepted" in run(command, "verify", "a.json", "a.drl", cwd=tmp_path)
    assert "accepted" in run(python, "-I", "-S", site / "exactdrl_proofs" / "check.py", "a.json", "a.drl", cwd=tmp_path)
    (tmp_path / "d.csv").write_text("x;y\n1,5;2\n3;4,25\n", encoding="utf-8")
    assert "widths 1,1" in run(command, "import", "--data", "d.csv", "-o", "d.json", cwd=tmp_path)


def test_without_a_compiler_the_package_works_and_says_so(built, tmp_path):
    """The wheel is built all the same; walks take the same steps, and a warning names the remedy."""
    source, fresh = tmp_path / "source", tmp_path / "installed"
    with tarfile.open(built[0]) as opened:
        opened.extractall(source, filter="data")
    run(sys.executable, "-c", HOOK, "build_wheel", tmp_path, cwd=source / NAME, CC="no-such-compiler")
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        assert not any("_kernel" in name for name in opened.namelist())
        opened.extractall(fresh)
    code = (
        "import warnings\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    from exactdrl import Walk, __file__, sample_experiment\n"
        "    walk = Walk(sample_experiment((2, 3, 1), samples=12, seed=1))\n"
        "    steps = list(walk)\n"
        "print(__file__, len(caught), caught[0].category.__name__, 'python -m pip install .' in str(caught[0].message))\n"
        "print(walk.counts.steps[0] > 0, steps == list(Walk(walk.problem.instance, arithmetic='exact')))\n"
    )
    lines = run(sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(fresh)).splitlines()
    assert lines == [f"{fresh / 'exactdrl' / '__init__.py'} 1 SlowKernelWarning True", "True True"]


def test_a_compiler_is_asked_for_where_there_is_none():
    """From the package index, and only where the machine has none."""
    asked = [
        run(sys.executable, "-c", HOOK, f"get_requires_for_build_{kind}", cwd=ROOT, **variables)
        for kind in ("wheel", "editable")
        for variables in ({}, {"CC": "no-such-compiler"})
    ]
    assert ["ziglang" in answer for answer in asked] == [False, True, False, True]


def test_the_archive_holds_what_the_wheel_needs(built):
    """The wheel was made of it; the licence and the citation come with it."""
    with tarfile.open(built[0]) as archive:
        names = {name.removeprefix(f"{NAME}/") for name in archive.getnames()}
    assert {
        "LICENSE",
        "README.md",
        "pyproject.toml",
        "CITATION.cff",
        "CHANGELOG.md",
        "conda/meta.yaml",
        "setup.py",
    } <= names
    assert {f"native/{path.name}" for path in (ROOT / "native").glob("*.py")} <= names
    # who packages exactdrl runs the tests
    assert {f"tests/{path.name}" for path in (ROOT / "tests").glob("*.py")} <= names
    assert not any(name.startswith(("demo", ".venv", ".git/")) for name in names)


def test_all_places_name_the_same_version():
    """The package, its metadata, the citation and the recipe for conda."""
    init = (ROOT / "exactdrl" / "__init__.py").read_text(encoding="utf-8")
    assert re.search(r'^__version__ = "([^"]+)"$', init, re.MULTILINE)[1] == VERSION
    yaml = pytest.importorskip("yaml")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == VERSION
    # what the format 1.2.0 demands
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["authors"]
    for reference in citation["references"]:
        assert {"type", "title", "authors"} <= set(reference)


def test_the_recipe_for_conda_has_the_same_dependencies():
    """Name by name, with the same lower bounds."""
    yaml = pytest.importorskip("yaml")
    text = (ROOT / "conda" / "meta.yaml").read_text(encoding="utf-8")
    assert f'{{% set version = "{VERSION}" %}}' in text
    plain = re.sub(r"\{%.*?%\}", "", text).replace("{{ version }}", VERSION).replace("{{ PYTHON }}", "python")
    recipe = yaml.safe_load(plain)
    assert recipe["package"] == {"name": "exactdrl", "version": VERSION}
    # what conda-forge calls the package without its graphical parts
    renamed = {"matplotlib": "matplotlib-base"}
    expected = set()
    for entry in PROJECT["project"]["dependencies"]:
        name, bound = re.fullmatch(r"([a-z0-9-]+)(>=.+)", entry).groups()
        expected.add(f"{renamed.get(name, name)} {bound}")
    expected.add(f"python {PROJECT['project']['requires-python']}")
    assert set(recipe["requirements"]["run"]) == expected
    assert recipe["build"]["entry_points"] == [f"exactdrl = {PROJECT['project']['scripts']['exactdrl']}"]
