"""Running the stand-alone checker, in an interpreter of its own that sees none of this package."""

import subprocess
import sys
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Literal

from exactdrl.exact.rationals import InputError

_STATUS: dict[int, Literal["accepted", "rejected", "malformed"]] = {0: "accepted", 1: "rejected", 2: "malformed"}


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What the checker said.

    Attributes:
        status: `accepted`, `rejected` or `malformed`.
        line: the checker's whole answer.
    """

    status: Literal["accepted", "rejected", "malformed"]
    line: str


def verify(instance: Path | str, run: Path | str, *, steps: str | None = None, gmpy2: bool = False) -> CheckResult:
    """Returns the verdict of proofs/check.py on a certificate; its progress goes to stderr.

    The same as `python -I -S proofs/check.py INSTANCE RUN`.

    Args:
        instance: the instance's file.
        run: the certificate's file.
        steps: `A:B` checks steps A to B alone, counted from 1; either end may be left out.
        gmpy2: let the checker compute with gmpy2's integers. It then sees the installed packages.

    Raises:
        InputError: the checker itself could not be run.
    """
    with as_file(files("exactdrl_proofs") / "check.py") as checker:
        alone = ["-I"] if gmpy2 else ["-I", "-S"]
        command = [sys.executable, *alone, str(checker), str(instance), str(run)]
        command += ["--gmpy2"] if gmpy2 else []
        command += ["--steps", steps] if steps is not None else []
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603 - our own checker
    if done.returncode not in _STATUS:
        raise InputError(f"the checker ended with exit code {done.returncode}")
    return CheckResult(_STATUS[done.returncode], done.stdout.strip())
