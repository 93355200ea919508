"""What every function of the front takes as a problem."""

from pathlib import Path
from typing import TypeAlias

from exactdrl.exact.rationals import InputError, shown
from exactdrl.problem.file import read_instance
from exactdrl.problem.instance import Instance

Problem: TypeAlias = Instance | Path | str


def to_instance(problem: Problem) -> Instance:
    """Returns an instance as it is, and reads it where the path of its file is given.

    Raises:
        InputError: it is neither an instance nor a path, or the file is not of the format.
    """
    if isinstance(problem, Instance):
        return problem
    if isinstance(problem, (str, Path)):
        return read_instance(problem)
    raise InputError(f"an Instance, or the path of an instance file, is needed, not {shown(problem)}")
