"""The options of commands that judge points: a row of a recorded training, and how much work a proof may take."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from exactdrl import Instance, read_instance, read_trajectory
from exactdrl.front.options import DEFAULT_BUDGET
from exactdrl.front.visited import point_of

from .tables import say_notes

R = TypeVar("R")

_LAST = -1

budget_option = click.option(
    "--budget",
    type=click.IntRange(min=1),
    default=DEFAULT_BUDGET,
    show_default=True,
    help="work that each proof may take, in nodes of its tree",
)


def point_options(command: Callable[..., R]) -> Callable[..., R]:
    """Adds --points and --row to a command, which gets the function that reads its instance as `read`."""

    @wraps(command)
    def wrapped(*args: Any, points: Path | None, row: int | None, **options: Any) -> R:  # noqa: ANN401 - click passes what the command's options are
        if row is not None and points is None:
            raise click.UsageError("--row needs --points")

        def read(path: Path) -> Instance:
            instance = read_instance(path)
            if points is None:
                return instance
            trajectory = read_trajectory(points)
            say_notes(trajectory.notes)
            return point_of(instance, trajectory, _LAST if row is None else row)

        return command(*args, read=read, **options)

    added: Callable[..., R] = click.option(
        "--row", type=int, help="the row of --points to take, from 1; -1 is the last row  [default: -1]"
    )(wrapped)
    return click.option(
        "--points",
        type=click.Path(path_type=Path),
        help="take the parameters from a row of this recorded training (see `visits --help`), not from INSTANCE",
    )(added)
