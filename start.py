"""Sets up exactdrl in a virtual environment of its own and does one job there. Needs nothing but Python 3.11.

python3 start.py demo     sample the published experiment, walk, verify, observe; results in the folder demo
python3 start.py test     all tests, ruff and strict mypy
python3 start.py fuzz     the tests with many more random examples (long)
python3 start.py soak     the nightly search: 100,000 verdicts and 1,000,000 damaged certificates against other oracles,
                          walks timed (hours); smaller by options: soak --instances 2000 --mutants 5000 --seeds 20
python3 start.py docs     the documentation site, into docs/_build
python3 start.py bench    the benchmarks (long)
python3 start.py coq      the proved checker: its proofs from clean, the program, its tests (minutes). Where Coq is
                          missing and apt can be used as root, it is installed; else this says SKIPPED and exits with 3
python3 start.py proofs   the same without the tests
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
    print(f"\nLook at {folder / 'walk.png'}. What a referee runs, who trusts none of this (a minute or more):")  # noqa: T201
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


def soak() -> None:
    """The nightly search for faults; options go to tests/soak.py."""
    set_up("[test]")
    run(PYTHON, "tests/soak.py", *sys.argv[2:])


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


def coq() -> None:
    """The proofs of proofs/coq, the program that is extracted from them, and its tests."""
    proofs()
    set_up("[test]")
    run(PYTHON, "-m", "pytest", "-n", "auto", "tests/test_coq.py", "tests/test_coq_mutations.py")


def proofs() -> None:
    """The proofs of proofs/coq from clean, what they rest on, and the program that is extracted."""
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
