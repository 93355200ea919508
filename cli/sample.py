"""`exactdrl sample`."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from exactdrl import InputError, sample_experiment, write_instance
from exactdrl.front.options import (
    ACTIVATION_NAMES,
    DOUBLE_BITS,
    LOSS_NAMES,
    PUBLISHED_SAMPLES,
    PUBLISHED_WIDTHS,
    STREAM,
    parse_activation,
    parse_loss,
)

_Named = TypeVar("_Named")


def _parse_widths(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[int, ...]:
    parts = value.split(",")
    if not all(part.isascii() and part.isdigit() and len(part) < 7 for part in parts):  # noqa: PLR2004 - no layer is wider
        raise click.BadParameter(f"{value!r} is not a list of widths like 4,5,4,3,2,1")
    return tuple(map(int, parts))


def _parse(option: str, text: str, parse: Callable[[str], _Named]) -> _Named:
    """Returns what a name means; a message of a bad one begins with the option."""
    try:
        return parse(text)
    except InputError as error:
        raise InputError(f"{option} {text}: {error}") from None


@click.command("sample")
@click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(path_type=Path),
    required=True,
    help="write the instance to *.json or *.json.gz, or - for standard output",
)
@click.option(
    "--widths",
    default=",".join(map(str, PUBLISHED_WIDTHS)),
    show_default=True,
    callback=_parse_widths,
    help="numbers of inputs, of units of each hidden layer, and of outputs: n_0,...,n_{L+1}",
)
@click.option("--samples", type=int, default=PUBLISHED_SAMPLES, show_default=True, help="number of samples N")
@click.option("--seed", type=int, default=0, show_default=True, help="seed of all draws")
@click.option(
    "--bits",
    type=int,
    default=DOUBLE_BITS,
    show_default=True,
    help="round every drawn number to this many bits after the binary point",
)
@click.option("--loss", default="absolute", show_default=True, help=f"loss of a residual: {LOSS_NAMES}")
@click.option(
    "--activation", default="relu", show_default=True, help=f"activation of the hidden layers: {ACTIVATION_NAMES}"
)
@click.option("--force", is_flag=True, help="write over an existing file")
def sample_command(
    *,
    path: Path,
    widths: tuple[int, ...],
    samples: int,
    seed: int,
    bits: int,
    loss: str,
    activation: str,
    force: bool,
) -> None:
    """Draw the published experiment's random problem, or one like it with another loss or activation.

    Layer 1 is trained. The parameters of the other layers are uniform on [-1, 1], inputs and targets on [-3, 3], and
    the start on [-20, 20]. Targets for the hinge loss are the signs of their draws. The same seed gives the same file,
    byte for byte.
    """
    instance = sample_experiment(
        widths,
        samples=samples,
        seed=seed,
        bits=bits,
        loss=_parse("--loss", loss, parse_loss),
        activation=_parse("--activation", activation, parse_activation),
    )
    write_instance(instance, path, force=force)
    summary = f"{path}: widths {','.join(map(str, widths))}, {samples} samples, seed {seed}, {bits} bits"
    click.echo(summary, err=path == STREAM)
