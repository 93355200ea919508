"""`exactdrl spurious`."""

import json
from pathlib import Path
from typing import cast

import click

from exactdrl import InputError, read_instance, to_float, to_text
from exactdrl.certificate.cells_file import CellsWriter, spurious_lines
from exactdrl.constructions.channels import Shape
from exactdrl.constructions.instances import to_instance, to_rows
from exactdrl.constructions.plain_network import PlainNetwork, Rows
from exactdrl.constructions.spurious import SpuriousMinimum, build_spurious
from exactdrl.hidden_cells.instances import loss_kind
from exactdrl.hidden_cells.setting import LossKind
from exactdrl.problem.file import write_instance
from exactdrl.problem.names import ACTIVATION_NAMES, parse_activation
from exactdrl.problem.output import refuse_existing
from exactdrl.report.words import loss_words

from .cells_data import is_instance, refuse_weights
from .tables import TableArguments, table_options

_SPARE = 2
_LONG = 6


@click.command("spurious")
@click.argument("source", metavar="DATA", type=click.Path(path_type=Path))
@table_options
@click.option(
    "--widths",
    metavar="N0,...,NL",
    help="inputs, hidden layers, outputs  [default: one hidden layer, two wider than the output]",
)
@click.option("--loss", type=click.Choice(["squared", "absolute"]), help="[default: squared]")
@click.option(
    "--activation",
    metavar="BELOW,ABOVE",
    default="relu",
    show_default=True,
    help=f"of the hidden units: {ACTIVATION_NAMES}",
)
@click.option("--no-output-bias", is_flag=True, help="the output has no bias")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="the instance, *.json or *.json.gz; its certificate is written beside it, *.drl",
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
    best affine fit, passed through a network of any depth. The certificate holds its radius, a better point where one
    was found, and a polyline of minima with the same loss. Where a hypothesis of the construction fails the refusal
    names it.
    """
    inputs, targets, kind = _read(source, table, loss)
    hidden = parse_activation(activation)
    shape = Shape(_parse_widths(widths, inputs, targets), (hidden.below, hidden.above), not no_output_bias)
    certificate = output.with_name(output.name.removesuffix(".gz").removesuffix(".json") + ".drl")
    for path in (output, certificate):
        refuse_existing(path, force=force)
    found = build_spurious(inputs, targets, shape, kind)
    write_instance(to_instance(found.network, inputs, targets, kind), output, force=force)
    with CellsWriter(certificate, read_instance(output).digest) as writer:
        writer.write(spurious_lines(found))
    if as_json:
        click.echo(json.dumps(_to_json(found)))
    else:
        for line in _to_lines(found, output, certificate):
            click.echo(line)
    return 0


def _read(source: Path, table: TableArguments, loss: str | None) -> tuple[Rows, Rows, LossKind]:
    if is_instance(source):
        if not table.is_default or loss is not None:
            raise InputError(f"{source}: an instance says itself what its columns and its loss are")
        instance = read_instance(source)
        return to_rows(instance.inputs), to_rows(instance.targets), loss_kind(instance)
    read = table.read(source)
    refuse_weights(read)
    return to_rows(read.inputs), to_rows(read.targets), cast("LossKind", loss or "squared")


def _parse_widths(text: str | None, inputs: Rows, targets: Rows) -> tuple[int, ...]:
    if text is None:
        return len(inputs[0]), len(targets[0]) + _SPARE, len(targets[0])
    parts = [part.strip() for part in text.split(",")]
    is_number = all(part.isascii() and part.isdigit() and len(part) < _LONG for part in parts)
    if not is_number or not all(map(int, parts[1:])):
        raise InputError(f"--widths {text!r}: positive integers with commas are needed: inputs, hidden layers, outputs")
    return tuple(map(int, parts))


def _layers_json(network: PlainNetwork) -> list[dict[str, object]]:
    return [
        {
            "weight": [[to_text(entry) for entry in row] for row in layer.weight],
            "bias": None if layer.bias is None else [to_text(entry) for entry in layer.bias],
        }
        for layer in network.layers
    ]


def _to_json(found: SpuriousMinimum) -> dict[str, object]:
    return {
        "verdict": "local-minimum",
        "by": "affine-fit",
        "loss": to_text(found.loss),
        "loss_float": to_float(found.loss),
        "radius": to_text(found.radius),
        "better": None if found.better is None else _layers_json(found.better),
        "better_loss": None if found.better_loss is None else to_text(found.better_loss),
        "valley": [_layers_json(point) for point in found.valley],
    }


def _to_lines(found: SpuriousMinimum, output: Path, certificate: Path) -> list[str]:
    lines = [
        f"instance     {output}",
        f"certificate  {certificate}",
        "verdict      local minimum in all parameters: the best affine fit, within one linear piece",
        f"loss         {loss_words(found.loss)}",
        f"radius       {to_text(found.radius)} in every parameter",
    ]
    if found.better_loss is None:
        lines.append("better       none was found; whether there is one is open")
    else:
        lines.append(f"better       {loss_words(found.better_loss)}: the minimum is spurious")
    segments = len(found.valley) - 1
    lines.append(f"valley       a polyline of {segments} segment{'s' * (segments != 1)} with the same loss")
    return lines
