"""What every function of the front takes as a recorded walk."""

from pathlib import Path
from typing import TypeAlias

from exactdrl.certificate.reader import Certificate, parse_beginning, read_certificate
from exactdrl.exact.rationals import InputError, shown
from exactdrl.front.walked import WalkResult
from exactdrl.problem.instance import Instance

Run: TypeAlias = WalkResult | Certificate | Path | str


def to_certificate(run: Run, instance: Instance) -> Certificate:
    """Returns a certificate as it is, that of a walk's result, or the one in the file that a path names.

    Raises:
        InputError: it is none of these, the file is not of the format, or the walk is one on another instance.
    """
    if isinstance(run, Certificate):
        return run
    if isinstance(run, WalkResult):
        found = parse_beginning(Path("the result"), run.certificate, instance)
        if found is None:
            raise AssertionError("a result without header and first vertex: this is a bug")
        return found
    if isinstance(run, (str, Path)):
        return read_certificate(run, instance)
    raise InputError(f"the result of a walk, a Certificate, or the path of its file, is needed, not {shown(run)}")
