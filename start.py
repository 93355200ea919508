"""Sets up exactdrl in a virtual environment of its own and does one job there. Needs nothing but Python 3.11.

python3 start.py demo     sample the published experiment, walk, verify, observe; results in the folder demo
python3 start.py test     all tests, ruff and strict mypy
python3 start.py fuzz     the tests with many more random examples (long)
python3 start.py docs     the documentation site, into docs/_build
python3 start.py bench    the benchmarks (long)
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
ENVIRONMENT = ROOT / ".venv"
BIN = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")


def run(*command: object, **variables: str) -> None:
    """Runs a command in the repository's folder, and ends with its exit code if that is not 0."""
    done = subprocess.run(list(map(str, command)), cwd=ROOT, env=os.environ | variables, check=False)  # noqa: S603
    if done.returncode:
        sys.exit(done.returncode)


def show(*arguments: object) -> None:
    """Prints an exactdrl command and runs it."""
    print(f"\n$ exactdrl {' '.join(map(str, arguments))}", flush=True)  # noqa: T201
    run(BIN / "exactdrl", *arguments)


def set_up(extra: str) -> None:
    """Makes the virtual environment if there is none, and installs the package in it."""
    if not PYTHON.exists():
        venv.create(ENVIRONMENT, with_pip=True)
    print("installing exactdrl into .venv ...", flush=True)  # noqa: T201
    run(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--editable", f".{extra}")


def demo() -> None:
    """The main job on the published experiment, whole."""
    set_up("")
    folder = Path("demo")
    (ROOT / folder).mkdir(exist_ok=True)
    instance, certificate = folder / "experiment.json", folder / "walk.drl"
    show("sample", "-o", instance, "--samples", DEMO_SAMPLES, "--seed", DEMO_SEED, "--force")
    show("walk", instance, "-o", certificate, "--force")
    show("verify", instance, certificate, "--fast")
    show("observe", instance, certificate, "-o", folder / "walk.claims", "--figures", folder, "--force")
    print(f"\nLook at {folder / 'walk.png'}. What a referee runs, who trusts none of this (some minutes):")  # noqa: T201
    print(f"python3 -I -S proofs/check.py {instance} {certificate}")  # noqa: T201


def test() -> None:
    """All tests, the linter and the type checker."""
    set_up("[test]")
    run(PYTHON, "-m", "ruff", "check", ".")
    run(PYTHON, "-m", "ruff", "format", "--check", ".")
    run(PYTHON, "-m", "mypy")
    run(PYTHON, "-m", "pytest", "-n", "auto")


def fuzz() -> None:
    """The tests with many more random examples."""
    set_up("[test]")
    run(PYTHON, "-m", "pytest", "-n", "auto", HYPOTHESIS_PROFILE="long")


def docs() -> None:
    """The documentation site."""
    set_up("[docs]")
    run(PYTHON, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "docs", "docs/_build")
    print(f"open {Path('docs') / '_build' / 'index.html'}")  # noqa: T201


def bench() -> None:
    """Every benchmark, one after another."""
    set_up("[test]")
    for script in sorted((ROOT / "benchmarks").glob("*.py")):
        print(f"\n== {script.name}", flush=True)  # noqa: T201
        run(PYTHON, script)


DEMO_SAMPLES, DEMO_SEED = 500, 1
JOBS = {"demo": demo, "test": test, "fuzz": fuzz, "docs": docs, "bench": bench}

if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036 - this is where an older Python learns it
        sys.exit("exactdrl needs Python 3.11 or later")
    if len(sys.argv) != 2 or sys.argv[1] not in JOBS:  # noqa: PLR2004
        sys.exit(__doc__)
    JOBS[sys.argv[1]]()
