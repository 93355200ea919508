"""Checks a certificate of a vertex walk, and claims about it: python -I -S check.py INSTANCE RUN [CLAIMS].

In place of a run there may be a verdict on the instance's point, or claims about cells: VERDICT.md, CELLS.md. Prints
one line, `accepted: ...`, `rejected: REASON`, `malformed: REASON` or `failed: REASON`, and exits with 0, 1, 2 or 4.
FORMAT.md and CLAIMS.md beside this file say what the files are and what is claimed. The files in the folder `checker`
do the work; its `__init__.py` says in which order to read them. `--steps A:B` checks steps A to B alone, `--gmpy2`
computes with that package's integers, to the same end but faster.

All numbers are integers or fractions of integers, nothing is rounded, and nothing is searched for. From vertex to
vertex only what a pivot changes is computed anew; `Position` says what is kept, and why that is enough.
"""

from __future__ import annotations

import importlib.util
import os.path
import re
import sys
from collections.abc import Callable

if __name__ == "__main__":  # what is run is what can be read: no compiled files
    sys.pycache_prefix, sys.dont_write_bytecode = os.devnull, True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # under -I this folder is not on the path

from checker import exact
from checker.cells import check_cells
from checker.instance import Instance, read_instance
from checker.points import check_verdict
from checker.reading import Failed, Malformed, Rejected, demand, read_format
from checker.walks import check_walk

USAGE = "usage: python -I -S check.py INSTANCE RUN [CLAIMS | --steps A:B] [--gmpy2]"
VERDICTS = {"accepted": 0, "rejected": 1, "malformed": 2, "failed": 4}

# What checks a second file, by the format that it names first. All others are read as certificates of walks.
KINDS: dict[str, Callable[[Instance, str], str]] = {"exactdrl-cells": check_cells, "exactdrl-verdict": check_verdict}


def check(instance: str, run: str, about: str | None = None, *, span: str = ":") -> str:
    """Checks a file about an instance, perhaps with claims or a span of steps; returns a summary (section 6)."""
    sys.set_int_max_str_digits(0)  # `rational` bounds the digits itself
    demand(re.fullmatch("[0-9]{0,9}:[0-9]{0,9}", span) is not None, USAGE)
    problem = read_instance(instance)
    kind = KINDS.get(read_format(run))
    if kind is None:
        return check_walk(problem, run, about, span)
    demand(about is None and span == ":", USAGE)
    return kind(problem, run)


def main(argv: list[str]) -> int:
    """Prints the verdict in one line and returns the exit code (section 6)."""
    files, span, exact.INTEGER = [word for word in argv if word != "--gmpy2"], ":", int
    try:
        if "--steps" in files:
            index = files.index("--steps")
            span = "".join(files[index + 1 : index + 2])
            del files[index : index + 2]
        demand(len(files) == 2 or (len(files) == 3 and "--steps" not in argv), USAGE)
        if "--gmpy2" in argv:
            demand(importlib.util.find_spec("gmpy2") is not None, "--gmpy2: gmpy2 cannot be imported")
            exact.INTEGER = importlib.import_module("gmpy2").mpz
        verdict, reason = "accepted", check(*files, span=span)
    except (Rejected, Malformed, Failed) as error:
        verdict, reason = type(error).__name__.lower(), str(error)
    except MemoryError:
        verdict, reason = "failed", "not enough memory"
    except KeyboardInterrupt:
        verdict, reason = "failed", "interrupted"
    except Exception as error:  # noqa: BLE001 - a fault of the checker says nothing about the files
        verdict, reason = "failed", f"the checker has a fault: {type(error).__name__}: {error}"
    line = f"{verdict}: {reason}".encode("unicode_escape").decode("ascii")  # one line, whatever is in a file's name
    return VERDICTS[verdict] if say(line) else VERDICTS["failed"]


def say(line: str) -> bool:
    """Prints a line; returns False if nobody can have read it, on a closed or full output."""
    try:
        print(line, flush=True)
    except (OSError, ValueError):
        sys.stdout = None  # or Python tries again when it ends
        return False
    return sys.stdout is not None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
