"""`exactdrl import`."""

from pathlib import Path

import click

from exactdrl import Instance, write_instance
from exactdrl.doors.arrays import Data, from_arrays, from_regression, read_data_csv, read_data_npz, read_network_npz
from exactdrl.doors.datasets import DATASETS, load_dataset

_LISTED = "; ".join(f"{name}: {dataset.description}" for name, dataset in DATASETS.items())


def _columns(text: str | None) -> list[str] | None:
    return None if text is None else text.split(",")


@click.command("import", epilog=f"Named data sets: {_LISTED}.")
@click.option("-o", "--output", "path", type=click.Path(path_type=Path), required=True, help="*.json or *.json.gz")
@click.option("--dataset", type=click.Choice(list(DATASETS)), help="a named real problem, see below")
@click.option("--network", type=click.Path(path_type=Path), help="*.npz with weight_1, bias_1, weight_2, ...")
@click.option("--data", type=click.Path(path_type=Path), help="*.npz with inputs and targets, or *.csv")
@click.option("--targets", help="CSV: names or numbers (from 1) of the target columns, with commas")
@click.option("--inputs", help="CSV: the input columns  [default: all others]")
@click.option(
    "--header/--no-header", default=None, help="CSV: whether the first row names the columns  [default: look]"
)
@click.option("--layer", type=int, default=1, show_default=True, help="the trained layer")
@click.option("--force", is_flag=True, help="write over an existing file")
def import_command(
    *,
    path: Path,
    dataset: str | None,
    network: Path | None,
    data: Path | None,
    targets: str | None,
    inputs: str | None,
    header: bool | None,
    layer: int,
    force: bool,
) -> None:
    """Write an instance from a network and data, or from a named data set.

    Binary floats are taken as the dyadic rationals that they are, decimals in a CSV file as they are written. Without
    --network the problem is least absolute deviations of the targets on the inputs with an intercept, from start 0.
    """
    if (dataset is None) == (data is None):
        raise click.UsageError("give either --dataset or --data")
    if dataset is not None:
        if network is not None or targets is not None or inputs is not None:
            raise click.UsageError("--dataset brings its network and columns itself")
        instance = load_dataset(dataset)
    else:
        instance = _from_files(network, _read_data(data, targets, inputs, header=header), layer)
    write_instance(instance, path, force=force)
    widths = ",".join(map(str, instance.widths))
    click.echo(f"{path}: widths {widths}, layer {instance.layer} trained, {len(instance.inputs)} samples")


def _read_data(path: Path | None, targets: str | None, inputs: str | None, *, header: bool | None) -> Data:
    if path is None:
        raise click.UsageError("--data is missing")
    if path.suffix == ".npz":
        if targets is not None or inputs is not None:
            raise click.UsageError("an npz file has its columns by the names inputs and targets")
        return read_data_npz(path)
    columns = _columns(targets)
    if columns is None:
        raise click.UsageError("name the target columns of a CSV file with --targets")
    return read_data_csv(path, targets=columns, inputs=_columns(inputs), has_header=header)


def _from_files(network: Path | None, data: Data, layer: int) -> Instance:
    if network is None:
        if layer != 1:
            raise click.UsageError("--layer needs --network")
        return from_regression(data.inputs, data.targets)
    layers = read_network_npz(network)
    return from_arrays(layers.weights, layers.biases, data.inputs, data.targets, layer=layer)
