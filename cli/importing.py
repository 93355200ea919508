"""`exactdrl import`."""

from pathlib import Path

import click

from exactdrl import Instance, write_instance
from exactdrl.doors.arrays import Data, from_arrays, from_regression, read_data_npz, read_network_npz
from exactdrl.doors.datasets import DATASETS, load_dataset

from .tables import TableArguments, table_options

_LISTED = "; ".join(f"{name}: {dataset.description}" for name, dataset in DATASETS.items())


@click.command("import", epilog=f"Named data sets: {_LISTED}.")
@click.option("-o", "--output", "path", type=click.Path(path_type=Path), required=True, help="*.json or *.json.gz")
@click.option("--dataset", type=click.Choice(list(DATASETS)), help="a named real problem, see below")
@click.option("--network", type=click.Path(path_type=Path), help="*.npz with weight_1, bias_1, weight_2, ...")
@click.option(
    "--data", type=click.Path(path_type=Path), help="*.npz with inputs and targets, or a table: CSV, Parquet, *.npy"
)
@table_options
@click.option("--no-bias", "--no-intercept", "no_bias", is_flag=True, help="regression: no intercept")
@click.option("--layer", type=int, default=1, show_default=True, help="the trained layer")
@click.option("--force", is_flag=True, help="write over an existing file")
def import_command(
    *,
    path: Path,
    dataset: str | None,
    network: Path | None,
    data: Path | None,
    table: TableArguments,
    no_bias: bool,
    layer: int,
    force: bool,
) -> None:
    """Write an instance from a network and data, or from a named data set.

    Binary floats are taken as the dyadic rationals that they are, decimals in a table of text as they are written.
    Without --network the problem is least absolute deviations of the targets on the inputs with an intercept, from
    start 0. What is decided by a rule (the sign between cells, a decimal comma, names in the first row, an index
    column) is said on stderr.
    """
    if (dataset is None) == (data is None):
        raise click.UsageError("give either --dataset or --data")
    if no_bias and (dataset is not None or network is not None):
        raise click.UsageError("--no-bias is for regressions, which have neither --dataset nor --network")
    lines: list[str] = []
    if dataset is not None:
        if network is not None or not table.is_default:
            raise click.UsageError("--dataset brings its network and columns itself")
        instance = load_dataset(dataset)
    else:
        instance = _from_files(network, _read_data(data, table, lines), layer, has_bias=not no_bias)
    write_instance(instance, path, force=force)
    widths = ",".join(map(str, instance.widths))
    click.echo(f"{path}: widths {widths}, layer {instance.layer} trained, {len(instance.inputs)} samples")
    for line in lines:
        click.echo(line)


def _read_data(path: Path | None, table: TableArguments, lines: list[str]) -> Data:
    if path is None:
        raise click.UsageError("--data is missing")
    if path.suffix == ".npz":
        if not table.is_default:
            raise click.UsageError("an npz file has its columns by the names inputs and targets")
        return read_data_npz(path)
    read = table.read(path)
    if read.weights is not None:
        raise click.UsageError("--weights: an instance of this kind has no weights")
    lines.append(f"inputs   {', '.join(read.input_names)}")
    lines.append(f"targets  {', '.join(read.target_names)}")
    lines.extend(f"note     {note}" for note in read.notes)
    return Data(read.inputs, read.targets)


def _from_files(network: Path | None, data: Data, layer: int, *, has_bias: bool) -> Instance:
    if network is None:
        if layer != 1:
            raise click.UsageError("--layer needs --network")
        return from_regression(data.inputs, data.targets, has_bias=has_bias)
    layers = read_network_npz(network)
    return from_arrays(layers.weights, layers.biases, data.inputs, data.targets, layer=layer)
