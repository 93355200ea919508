"""`exactdrl show`."""

import json
from pathlib import Path

import click

from exactdrl import read_result, to_float, to_text

_LONGEST = 24


@click.command("show")
@click.argument("instance", type=click.Path(path_type=Path))
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--exact", is_flag=True, help="print the parameters as fractions, however long")
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON, with fractions and floats")
def show_command(*, instance: Path, run: Path, exact: bool, as_json: bool) -> None:
    """Show how the walk RUN on INSTANCE ended: outcome, loss, and the parameters of the last vertex.

    Nothing is checked here; `exactdrl verify` checks the certificate.
    """
    result = read_result(instance, run)
    if as_json:
        click.echo(json.dumps(result.to_dict()))
        return
    click.echo(str(result))
    at = result.loss_at_x
    click.echo(f"rounded      at the parameters in float64 the loss is {to_float(at - result.loss):.3g} higher")
    click.echo(
        f"parameters   of layer {result.instance.layer}, one row for each unit" + _bias_words(result.instance.has_bias)
    )
    for unit, row in enumerate(result.parameters):
        texts = [to_text(value) if exact else _short(to_text(value), to_float(value)) for value in row]
        click.echo(f"  unit {unit:<5} {'  '.join(texts)}")


def _bias_words(has_bias: bool) -> str:  # noqa: FBT001 - one word or none
    return ", the bias last" if has_bias else ""


def _short(text: str, value: float) -> str:
    """Returns a fraction where it is short, else its decimal."""
    return text if len(text) <= _LONGEST else f"{value:.10g}"
