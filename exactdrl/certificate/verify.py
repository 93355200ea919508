"""Runs the stand-alone checker, in another interpreter that sees none of this package, and the fast check."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Literal

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.certificate.fast_check import FalseClaimError, check_steps
from exactdrl.certificate.reader import read_certificate
from exactdrl.exact.rationals import InputError
from exactdrl.problem.facts import Facts
from exactdrl.problem.file import read_bytes, read_instance
from exactdrl.problem.output import STREAM, MachineError, temporary_folder

_STATUS: dict[int, Literal["accepted", "rejected", "malformed"]] = {0: "accepted", 1: "rejected", 2: "malformed"}


@dataclass(frozen=True, slots=True)
class CheckResult(Facts):
    """The checker's answer.

    Attributes:
        status: `accepted`, `rejected` or `malformed`.
        line: the checker's whole answer.
    """

    status: Literal["accepted", "rejected", "malformed"]
    line: str

    def to_dict(self) -> dict[str, object]:
        """Returns the result for JSON, as `exactdrl verify --json` prints it."""
        return {"status": self.status, "message": self.line}

    def _title(self) -> str:
        return "exactdrl checker"

    def _facts(self) -> list[tuple[str, str]]:
        return [("answer", self.line)]


def verify(
    instance: Path | str,
    run: Path | str,
    claims: Path | str | None = None,
    *,
    steps: str | None = None,
    gmpy2: bool = False,
) -> CheckResult:
    """Returns the verdict of proofs/check.py on a certificate, and on claims about it; its progress goes to stderr.

    The same as `python -I -S proofs/check.py INSTANCE RUN [CLAIMS]`.

    Args:
        instance: the instance's file. One of the files may be `-`, standard input.
        run: the certificate's file.
        claims: a claims file about the run, or None.
        steps: `A:B` checks steps A to B alone, counted from 1; either end may be left out. Not with claims.
        gmpy2: let the checker compute with gmpy2's integers. It then sees the installed packages.

    Raises:
        InputError: more than one file is standard input.
        MachineError: the checker gave no verdict: too little memory, an interrupt, a fault.
    """
    with (
        _on_disk(instance, run, *([] if claims is None else [claims])) as paths,
        _started(*paths, steps=steps, gmpy2=gmpy2) as done,
    ):
        return _result(done)


def verify_fast(instance: Path | str, run: Path | str, *, on_step: Callable[[int], None] | None = None) -> CheckResult:
    """Returns the answer of the daily check, which costs less than the walk.

    This package's float filter checks the first vertex and the steps, and exact arithmetic where floats are not
    certain, without the walk's driver or rules. At the same time the stand-alone checker checks form and outcome.

    Args:
        instance: the instance's file. One of the files may be `-`, standard input.
        run: the certificate's file.
        on_step: called with the number of steps checked, now and then.

    Raises:
        InputError: both files are standard input.
        MachineError: the checker gave no verdict: too little memory, an interrupt, a fault.
    """
    with _on_disk(instance, run) as (instance_file, run_file):
        return _verify_fast(instance_file, run_file, on_step)


def _verify_fast(instance: Path, run: Path, on_step: Callable[[int], None] | None) -> CheckResult:
    try:
        problem = read_instance(instance)
        certificate = read_certificate(run, problem)
        scaled = IntegerProblem.from_instance(problem)
    except InputError:
        # the stand-alone checker says what is wrong; and it handles problems that this package does not
        return verify(instance, run)
    total = len(certificate.steps)
    with _started(instance, run, steps=f"{max(total, 1)}:" if total else None) as done:
        counts, reason = None, ""
        try:
            counts = check_steps(scaled, certificate, on_step=on_step)
        except (FalseClaimError, InputError) as error:
            reason = str(error)
        ending = _result(done)
    # what is not of the form is malformed even if a claim in it is false
    if ending.status == "malformed":
        return ending
    if counts is None:
        return CheckResult("rejected", f"rejected: fast check: {reason}")
    if ending.status == "rejected":
        return ending
    outcome = ending.line.split(", ", 1)[1].split(" (")[0]
    how = f"fast check: {counts.steps[0]} certain in float64, {counts.steps[1]} exact"
    return CheckResult(
        "accepted", f"accepted: {total} steps, {outcome} ({how}; the outcome by the stand-alone checker)"
    )


@contextmanager
def _on_disk(*paths: Path | str) -> Iterator[list[Path]]:
    """Yields paths that another process can open: of standard input's a copy.

    Raises:
        InputError: more than one path is standard input, or it cannot be read.
    """
    given = [Path(path) for path in paths]
    if given.count(STREAM) > 1:
        raise InputError("-: only one of the files can be standard input")
    if STREAM not in given:
        yield given
        return
    with temporary_folder() as folder:
        copy = folder / "standard-input"
        copy.write_bytes(read_bytes(STREAM))
        yield [copy if path == STREAM else path for path in given]


@contextmanager
def _started(*inputs: Path, steps: str | None, gmpy2: bool = False) -> Iterator[subprocess.Popen[str]]:
    """Starts the stand-alone checker."""
    with as_file(files("exactdrl_proofs")) as proofs:  # check.py finds the folder checker beside it
        alone = ["-I"] if gmpy2 else ["-I", "-S"]
        command = [sys.executable, *alone, str(proofs / "check.py"), *map(str, inputs)]
        command += ["--gmpy2"] if gmpy2 else []
        command += ["--steps", steps] if steps is not None else []
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as done:  # noqa: S603 - our own checker
            yield done


def _result(done: subprocess.Popen[str]) -> CheckResult:
    """Waits for the checker's answer."""
    answer, _ = done.communicate()
    if done.returncode not in _STATUS:
        raise MachineError(answer.strip() or f"the checker ended with exit code {done.returncode}")
    return CheckResult(_STATUS[done.returncode], answer.strip())
