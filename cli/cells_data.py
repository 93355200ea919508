"""The data of the commands about cells, a table or an instance file, and what the options say about the network."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from exactdrl import InputError
from exactdrl.front.cells_data import CellsData, read_cells_instance, to_cells_data
from exactdrl.front.options import ACTIVATION_NAMES, parse_activation

from .tables import TableArguments, table_options

R = TypeVar("R")

_ENDINGS = (".json", ".json.gz")


def is_instance(path: Path) -> bool:
    """Returns whether a path names an instance file."""
    return path.name.endswith(_ENDINGS)


def read_cells_data(
    source: Path,
    table: TableArguments,
    *,
    units: int | None,
    loss: str | None,
    activation: str | None,
    no_bias: bool,
    output_bias: bool,
) -> CellsData:
    """Returns the data of a command.

    Args:
        source: the path of a table or of an instance file.
        table: how the table is read.
        units: the number K of hidden units; default: 1, or as many as the instance has.
        loss: the kind of the loss; default: squared, or the instance's.
        activation: the hidden units' activation by name; default: ReLU, or the instance's.
        no_bias: whether the hidden layer of a table's network has no bias.
        output_bias: whether the output of a table's network has a bias.

    Raises:
        InputError: the data cannot be read, the instance has not one hidden layer and one output, or an option is given
            that the instance decides.
    """
    if is_instance(source):
        if not table.is_default or no_bias or output_bias or activation is not None or loss is not None:
            raise InputError(
                f"{source}: an instance has its own columns, loss, biases and activation; leave their options out"
            )
        return read_cells_instance(source, units)
    hidden = parse_activation(activation or "relu")
    return to_cells_data(
        table.read(source),
        units=units or 1,
        loss="absolute" if loss == "absolute" else "squared",
        activation=hidden,
        has_bias=not no_bias,
        has_output_bias=output_bias,
    )


def cells_options(command: Callable[..., R]) -> Callable[..., R]:
    """Adds the options about the network and its data; the command gets them as one argument `data`."""

    def wrapped(*args: Any, source: Path, table: TableArguments, **options: Any) -> R:  # noqa: ANN401 - click's options
        names = ("units", "loss", "activation", "no_bias", "output_bias")
        data = read_cells_data(source, table, **{name: options.pop(name) for name in names})
        return command(*args, data=data, **options)

    added: Callable[..., R] = table_options(wraps(command)(wrapped))
    for option in reversed(
        (
            click.argument("source", metavar="DATA", type=click.Path(path_type=Path)),
            click.option(
                "--units", type=click.IntRange(min=1), metavar="K", help="number of hidden units  [default: 1]"
            ),
            click.option(
                "--loss", type=click.Choice(["squared", "absolute"]), help="loss of a residual  [default: squared]"
            ),
            click.option(
                "--activation",
                metavar="BELOW,ABOVE",
                help=f"activation of the hidden units: {ACTIVATION_NAMES}  [default: relu]",
            ),
            click.option("--no-bias", is_flag=True, help="give the hidden layer no bias"),
            click.option("--output-bias", is_flag=True, help="give the output a bias"),
        )
    ):
        added = option(added)
    return added
