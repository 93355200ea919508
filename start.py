"""Sets up exactdrl in a virtual environment of its own, and does one job there.

It needs Python 3.11 or later, and a package index that pip can reach.

python3 start.py demo     samples the published experiment, walks on it, verifies and observes the walk (a minute);
                          the results are in the folder demo
python3 start.py test     runs all tests, ruff and strict mypy
python3 start.py fuzz     runs the tests with many more random examples (long)
python3 start.py soak     searches for faults (hours): 100,000 verdicts and 1,000,000 damaged certificates are compared
                          with other oracles, and walks are timed. Options make it smaller:
                          soak --instances 2000 --mutants 5000 --seeds 20
python3 start.py docs     builds the documentation site in docs/_build
python3 start.py bench    runs the benchmarks (long)
python3 start.py coq      builds the proved checker and runs its tests (minutes). Where Coq is missing, it is installed
                          by apt if this runs as root; else the job says SKIPPED and exits with code 3
python3 start.py proofs   builds the proved checker without running its tests
"""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
ENVIRONMENT = ROOT / ".venv"
BIN = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")


def run(*command: object, **variables: str) -> None:
    """Runs a command in the repository's folder, and exits with the command's exit code if that is not 0."""
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
    """Samples the published experiment, walks on it, verifies the walk and observes it."""
    set_up("")
    folder = Path("demo")
    (ROOT / folder).mkdir(exist_ok=True)
    instance, certificate = folder / "experiment.json", folder / "walk.drl"
    show("sample", "-o", instance, "--samples", DEMO_SAMPLES, "--seed", DEMO_SEED, "--force")
    show("walk", instance, "-o", certificate, "--force")
    show("verify", instance, certificate, "--fast")
    show("observe", instance, certificate, "-o", folder / "walk.claims", "--figures", folder, "--force")
    print(f"\nThe figure is {folder / 'walk.png'}. Python alone checks the walk (a minute or more):")  # noqa: T201
    print(f"python3 -I -S proofs/check.py {instance} {certificate}")  # noqa: T201


def test() -> None:
    """Runs all tests, the linter and the type checker."""
    set_up("[test]")
    run(PYTHON, "-m", "ruff", "check", ".")
    run(PYTHON, "-m", "ruff", "format", "--check", ".")
    run(PYTHON, "-m", "mypy")
    run(PYTHON, "-m", "pytest", "-n", "auto")


def fuzz() -> None:
    """Runs the tests with many more random examples."""
    set_up("[test]")
    run(PYTHON, "-m", "pytest", "-n", "auto", HYPOTHESIS_PROFILE="long")


def soak() -> None:
    """Runs the long search for faults; options go to tests/soak.py."""
    set_up("[test]")
    run(PYTHON, "tests/soak.py", *sys.argv[2:])


def docs() -> None:
    """Builds the documentation site."""
    set_up("[docs]")
    run(PYTHON, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "docs", "docs/_build")
    print(f"the site begins at {Path('docs') / '_build' / 'index.html'}")  # noqa: T201


def bench() -> None:
    """Runs every benchmark, one after another."""
    set_up("[test]")
    for script in sorted((ROOT / "benchmarks").glob("*.py")):
        print(f"\n== {script.name}", flush=True)  # noqa: T201
        run(PYTHON, script)


def coq() -> None:
    """Builds the proofs of proofs/coq and the program that is extracted from them, and runs its tests."""
    proofs()
    set_up("[test]")
    run(PYTHON, "-m", "pytest", "-n", "auto", "tests/test_coq.py", "tests/test_coq_mutations.py")


def proofs() -> None:
    """Builds the proofs of proofs/coq from clean, says what they rest on, and builds the extracted program."""
    if not has_coq() and shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        print("installing Coq by apt ...", flush=True)  # noqa: T201
        for words in (["update"], ["install", "-y", "--no-install-recommends", *COQ_PACKAGES]):
            command = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", *words]
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)  # noqa: S603
    if not has_coq():
        print("!" * 100)  # noqa: T201
        print("SKIPPED: Coq, its Mathematical Components, OCaml, zarith or make is missing.")  # noqa: T201
        print("The proofs of proofs/coq were NOT checked, and the program was NOT built.")  # noqa: T201
        print(f"On Debian: apt-get install {' '.join(COQ_PACKAGES)}")  # noqa: T201
        print("!" * 100, flush=True)  # noqa: T201
        sys.exit(3)
    run("make", "-C", "proofs/coq", "clean")
    run("make", "-C", "proofs/coq")


def has_coq() -> bool:
    """Returns whether all that the proofs and the program need is installed."""
    if not all(map(shutil.which, ("coqc", "ocamlfind", "make"))):
        return False
    where = subprocess.run(["coqc", "-where"], capture_output=True, text=True, check=False)  # noqa: S607
    library = Path(where.stdout.strip()) / "user-contrib" / "mathcomp"
    parts = [library / "algebra" / "ssrnum.vo", library / "algebra_tactics" / "ring.vo"]
    zarith = subprocess.run(["ocamlfind", "query", "zarith"], capture_output=True, check=False)  # noqa: S607
    return all(part.exists() for part in parts) and zarith.returncode == 0


COQ_PACKAGES = (
    "make",
    "coq",
    "libcoq-mathcomp-algebra",
    "libcoq-mathcomp-algebra-tactics",
    "ocaml-findlib",
    "libzarith-ocaml-dev",
)
DEMO_SAMPLES, DEMO_SEED = 500, 1
JOBS = {
    "demo": demo,
    "test": test,
    "fuzz": fuzz,
    "soak": soak,
    "docs": docs,
    "bench": bench,
    "coq": coq,
    "proofs": proofs,
}

if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036 - this is where an older Python learns it
        sys.exit("exactdrl needs Python 3.11 or later")
    if len(sys.argv) < 2 or sys.argv[1] not in JOBS or (len(sys.argv) > 2 and sys.argv[1] != "soak"):  # noqa: PLR2004
        sys.exit(__doc__)
    JOBS[sys.argv[1]]()
