"""`exactdrl global`."""

import json
import time
from pathlib import Path

import click

from exactdrl import to_float, to_text
from exactdrl.certificate.cells_file import CellsWriter, global_lines
from exactdrl.hidden_cells.branch import GlobalMinimum, GlobalUndecided, find_global_minimum
from exactdrl.report.words import loss_words

from .cells import check_output, open_writer
from .cells_data import Data, cells_options
from .progress import progress

UNDECIDED = 3
_BUDGET = 200_000


@click.command("global")
@cells_options
@click.option(
    "--budget",
    type=click.IntRange(min=1),
    default=_BUDGET,
    show_default=True,
    help="parts of the parameters that are bounded at most",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="write the certificate, *.drl or *.drl.gz; of a table also the instance beside it",
)
@click.option("--force", is_flag=True, help="write over existing files")
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
def global_command(*, data: Data, budget: int, output: Path | None, force: bool, as_json: bool) -> int:
    """Find the least loss that K hidden units can reach on DATA, with a proof that no network does better.

    DATA is a table (CSV, Parquet) or an instance file. The search branches over the signs of outer weights and of the
    preactivations on each sample; every part that it closes has an exact dual bound.
    """
    if output is not None:
        check_output(data, output, force=force)
    began = time.monotonic()
    with progress("global", unit="part") as report:
        found = find_global_minimum(data.setting, budget=budget, on_node=report)
    seconds = time.monotonic() - began
    if isinstance(found, GlobalMinimum) and output is not None:
        with open_writer(data, output, force=force) as writer:
            _write(writer, found)
    if as_json:
        click.echo(json.dumps(_to_json(data, found, seconds)))
    else:
        for line in _to_lines(data, found):
            click.echo(line)
    if isinstance(found, GlobalUndecided):
        click.echo(f"undecided: the budget of {budget} parts is spent", err=True)
        return UNDECIDED
    return 0


def _write(writer: CellsWriter, found: GlobalMinimum) -> None:
    writer.write(global_lines(found))


def _to_json(data: Data, found: GlobalMinimum | GlobalUndecided, seconds: float) -> dict[str, object]:
    is_proved = isinstance(found, GlobalMinimum)
    network = found.network
    return {
        "loss": to_text(found.loss) if is_proved else None,
        "loss_float": to_float(found.loss) if is_proved else None,
        "mean": to_text(found.loss / len(data.setting.targets)) if is_proved else None,
        "units": data.setting.units,
        "proved": is_proved,
        "least": to_text(found.loss if isinstance(found, GlobalMinimum) else found.bound),
        "most": to_text(found.loss),
        "weights": [[to_text(entry) for entry in row] for row in network.units],
        "outer": [to_text(entry) for entry in network.outer],
        "constant": to_text(network.constant),
        "parts": found.nodes,
        "seconds": round(seconds, 3),
    }


def _to_lines(data: Data, found: GlobalMinimum | GlobalUndecided) -> list[str]:
    setting = data.setting
    head = f"{setting.units} unit{'s' * (setting.units > 1)}, {setting.loss} loss, {len(setting.targets)} samples"
    if isinstance(found, GlobalMinimum):
        lines = [f"global       {loss_words(found.loss)}", f"mean         {to_text(found.loss / len(setting.targets))}"]
    else:
        lines = [f"at least     {loss_words(found.bound)}", f"at most      {loss_words(found.loss)}"]
    lines.insert(0, f"network      {head}")
    for weights, outer in zip(found.network.units, found.network.outer, strict=True):
        lines.append(f"unit         weights {' '.join(map(to_text, weights))}, outer weight {to_text(outer)}")
    if setting.has_output_bias:
        lines.append(f"constant     {to_text(found.network.constant)}")
    lines.append(f"parts        {found.nodes} bounded")
    return lines
