"""The options of commands that draw figures into a folder."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from exactdrl.front.options import FORMATS, SIZE_HELP, SIZES

F = TypeVar("F", bound=Callable[..., Any])

size_option = click.option("--size", type=click.Choice(SIZES), default="screen", show_default=True, help=SIZE_HELP)


def format_option(default: str) -> Callable[[F], F]:
    """Returns the option --format of a command, which gets the formats as `formats`."""
    return click.option(
        "--format",
        "formats",
        type=click.Choice(FORMATS),
        multiple=True,
        default=(default,),
        show_default=True,
        help="format of the figures; may be repeated",
    )
