"""`exactdrl spurious`."""

import json
from pathlib import Path

import click

from exactdrl import InputError, spurious_minimum
from exactdrl.front.cells_data import refuse_weights
from exactdrl.front.hidden import spurious_minimum_of
from exactdrl.front.options import ACTIVATION_NAMES, parse_activation, refuse_existing

from .cells_data import is_instance
from .tables import TableArguments, table_options

_LONG = 6


@click.command("spurious")
@click.argument("source", metavar="DATA", type=click.Path(path_type=Path))
@table_options
@click.option(
    "--widths",
    metavar="N0,...,NL",
    help="numbers of inputs, of units of each hidden layer, and of outputs  "
    "[default: one hidden layer with two units more than outputs]",
)
@click.option("--loss", type=click.Choice(["squared", "absolute"]), help="loss of a residual  [default: squared]")
@click.option(
    "--activation",
    metavar="BELOW,ABOVE",
    default="relu",
    show_default=True,
    help=f"activation of the hidden units: {ACTIVATION_NAMES}",
)
@click.option("--no-output-bias", is_flag=True, help="give the output no bias")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="write the instance to *.json or *.json.gz; its certificate is written beside it, to *.drl",
)
@click.option("--force", is_flag=True, help="write over existing files")
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
def spurious_command(
    *,
    source: Path,
    table: TableArguments,
    widths: str | None,
    loss: str | None,
    activation: str,
    no_output_bias: bool,
    output: Path,
    force: bool,
    as_json: bool,
) -> int:
    """Build a spurious minimum for DATA: a local minimum in all parameters that another point beats.

    DATA is a table (CSV, Parquet) or an instance file, of which the data and the loss are taken. The point is the
    best affine fit, passed through a network of any depth. The certificate holds a radius around the point within which
    no point is better, a better point where one was found, and a polyline of minima with the same loss. If a hypothesis
    of the construction fails, the refusal names it.
    """
    hidden = parse_activation(activation)
    slopes = (hidden.below, hidden.above)
    certificate = output.with_name(output.name.removesuffix(".gz").removesuffix(".json") + ".drl")
    for path in (output, certificate):
        refuse_existing(path, force=force)
    shape = None if widths is None else _parse_widths(widths)
    if is_instance(source):
        if not table.is_default or loss is not None:
            raise InputError(f"{source}: an instance has its own columns and loss; leave their options out")
        found = spurious_minimum_of(source, widths=shape, activation=slopes, has_output_bias=not no_output_bias)
    else:
        read = table.read(source)
        refuse_weights(read)
        found = spurious_minimum(
            read.inputs,
            read.targets,
            widths=shape,
            loss="absolute" if loss == "absolute" else "squared",
            activation=slopes,
            has_output_bias=not no_output_bias,
        )
    found.save(output, certificate, force=force)
    if as_json:
        click.echo(json.dumps(found.to_dict()))
    else:
        click.echo(f"instance     {output}\ncertificate  {certificate}\n{found}")
    return 0


def _parse_widths(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    is_number = all(part.isascii() and part.isdigit() and len(part) < _LONG for part in parts)
    if not is_number or not all(map(int, parts[1:])):
        raise InputError(f"--widths {text!r}: positive integers with commas are needed: inputs, hidden layers, outputs")
    return tuple(map(int, parts))
