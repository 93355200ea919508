"""`exactdrl import`."""

from pathlib import Path
from typing import get_args

import click

from exactdrl import Instance, load_dataset, write_instance
from exactdrl.front.files import (
    FileSamples,
    Network,
    NetworkKind,
    check_words,
    read_arrays,
    read_network_file,
    to_file_samples,
    to_problem,
)
from exactdrl.front.options import ACTIVATION_NAMES, DATASETS, LOSS_NAMES, STREAM, parse_loss

from .tables import TableArguments, say_notes, table_options

_LISTED = "; ".join(f"{name}: {dataset.description}" for name, dataset in DATASETS.items())
_SOURCES: tuple[NetworkKind, ...] = get_args(NetworkKind)


@click.command("import", epilog=f"Named data sets: {_LISTED}.")
@click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(path_type=Path),
    required=True,
    help="write the instance to *.json or *.json.gz",
)
@click.option("--dataset", type=click.Choice(list(DATASETS)), help="a named problem on real data, see below")
@click.option(
    "--network",
    type=click.Path(path_type=Path),
    help="a network in *.npz, with the arrays weight_1, bias_1, weight_2, ...",
)
@click.option("--torch", type=click.Path(path_type=Path), help="a state dict that torch.save has written: *.pt, *.pth")
@click.option("--onnx", type=click.Path(path_type=Path), help="a network in an ONNX file")
@click.option("--safetensors", type=click.Path(path_type=Path), help="a state dict in a safetensors file")
@click.option("--activation", help=f"activation of the hidden layers: {ACTIVATION_NAMES}  [default: relu]")
@click.option("--order", help="for a state dict: the layers' names from input to output, with commas between")
@click.option(
    "--without-bias", multiple=True, metavar="LAYER", help="for a state dict: a layer without bias, if others have one"
)
@click.option("--key", help="with --torch: the name of the state dict in a checkpoint")
@click.option("--keys", help="with --network: the names of its arrays, W1,b1,W2,...")
@click.option(
    "--decimals",
    type=click.IntRange(min=0),
    metavar="K",
    help="read the network's floats as decimals with up to K places",
)
@click.option(
    "--data-decimals",
    type=click.IntRange(min=0),
    metavar="K",
    help="with a network: read floats in the data as decimals with up to K places",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="the data: *.npz with the arrays inputs and targets, or a table (CSV, Parquet, *.npy)",
)
@table_options
@click.option("--no-bias", "--no-intercept", "no_bias", is_flag=True, help="fit a regression without intercept")
@click.option("--layer", type=int, help="the trained layer, from 1  [default: 1]")
@click.option("--free", help="the same as --layer, or `all` for the parameters of all layers")
@click.option("--loss", metavar="LOSS", help=f"loss of a residual: {LOSS_NAMES}  [default: absolute]")
@click.option("--force", is_flag=True, help="write over an existing file")
def import_command(
    *,
    path: Path,
    dataset: str | None,
    data: Path | None,
    table: TableArguments,
    no_bias: bool,
    layer: int | None,
    free: str | None,
    loss: str | None,
    force: bool,
    data_decimals: int | None,
    **source: object,
) -> None:
    """Write an instance from a network and data, or from a named data set.

    A binary float means the dyadic rational that it is. With --decimals it means the decimal that rounds to it (0.7 for
    float32's 0.7), and a float without such a decimal is refused. A number in a table of text means what is written.
    Without a network the problem is a regression of the targets on the inputs with an intercept, from start 0. What is
    decided by a rule is said on stderr: the sign between cells, a decimal comma, names in the first row, an index
    column, the order of layers.
    """
    given = _find_sources(source, dataset=dataset, data=data)
    if no_bias and (dataset is not None or given):
        raise click.UsageError("--no-bias is for regressions, which have neither --dataset nor a network")
    if layer is not None and free is not None:
        raise click.UsageError("--layer and --free say the same thing; give one of them")
    lines: tuple[str, ...] = ()
    if dataset is not None:
        if given or not table.is_default or loss is not None or layer is not None or free is not None:
            raise click.UsageError("--dataset brings its network, columns and loss itself")
        instance = load_dataset(dataset)
    elif data is not None:
        network = _read_network(given[0], source) if given else None
        samples = _read_data(data, table)
        lines = samples.lines
        chosen = parse_loss(loss) if loss is not None else None
        if network is None:
            _refuse_idle(source, ("activation", "order", "key", "keys", "decimals"), "a network")
            if data_decimals is not None or layer not in {None, 1} or free not in {None, "1", "all"}:
                raise click.UsageError("--layer, --free and --data-decimals need a network")
            instance = to_problem(None, samples, free=free, has_bias=not no_bias, loss=chosen)
        else:
            instance = to_problem(
                network,
                samples,
                layer=layer or 1,
                free=None if free is None else int(free) if free.isascii() and free.isdecimal() else free,
                loss=chosen,
                data_decimals=data_decimals,
            )
            notes = (f"note     {note}" for note in network.notes)
            lines = (*lines, *notes, *_check(source["onnx"], samples))
    write_instance(instance, path, force=force)
    _show(path, instance, lines)


def _find_sources(source: dict[str, object], *, dataset: str | None, data: Path | None) -> list[NetworkKind]:
    """Returns the option that brings a network, if there is one."""
    given = [name for name in _SOURCES if source[name] is not None]
    if given and dataset is None and data is None:
        raise click.UsageError(f"--{given[0]} needs --data: the loss is about a network and its data")
    if (dataset is None) == (data is None):
        raise click.UsageError("give either --dataset or --data")
    if len(given) > 1:
        raise click.UsageError(f"--{given[0]} and --{given[1]} both bring a network; give one of them")
    return given


def _show(path: Path, instance: Instance, lines: tuple[str, ...]) -> None:
    widths = ",".join(map(str, instance.widths))
    trained = "all layers" if instance.free == "all" else f"layer {instance.free}"
    click.echo(f"{path}: widths {widths}, {trained} trained, {len(instance.inputs)} samples", err=path == STREAM)
    for line in lines:
        click.echo(line, err=path == STREAM)


def _refuse_idle(source: dict[str, object], names: tuple[str, ...], need: str) -> None:
    for name in names:
        if source[name] is not None:
            raise click.UsageError(f"--{name.replace('_', '-')} needs {need}")
    if source["without_bias"]:
        raise click.UsageError(f"--without-bias needs {need}")


def _read_network(kind: NetworkKind, source: dict[str, object]) -> Network:
    decimals, order, bare, key = source["decimals"], _names(source["order"]), source["without_bias"], source["key"]
    without_bias = bare if isinstance(bare, tuple) else ()
    if kind != "torch" and key is not None:
        raise click.UsageError("--key needs --torch")
    if kind != "network" and source["keys"] is not None:
        raise click.UsageError("--keys needs --network")
    if kind in {"network", "onnx"} and (order or without_bias):
        raise click.UsageError("--order and --without-bias need --torch or --safetensors")
    if kind == "onnx" and source["activation"] is not None:
        raise click.UsageError(
            "--activation is of no use with --onnx, since the file has the activations; leave it out"
        )
    network = read_network_file(
        _path(source[kind]),
        kind,
        activation=None if source["activation"] is None else str(source["activation"]),
        order=order,
        without_bias=without_bias,
        key=None if key is None else str(key),
        keys=_names(source["keys"]),
        decimals=decimals if isinstance(decimals, int) else None,
    )
    say_notes(network.notes)
    return network


def _check(onnx: object, samples: FileSamples) -> tuple[str, ...]:
    """Compares an ONNX graph with its own evaluation, and returns a line on it."""
    return () if onnx is None else (f"check    {check_words(_path(onnx), samples)}",)


def _path(value: object) -> Path:
    return Path(str(value))


def _names(value: object) -> list[str] | None:
    return None if value is None else [name.strip() for name in str(value).split(",")]


def _read_data(path: Path, table: TableArguments) -> FileSamples:
    if path.suffix == ".npz":
        if not table.has_only_names:
            raise click.UsageError(
                "an npz file has arrays, not columns; of the options for tables only --inputs and --target name them"
            )
        return read_arrays(path, inputs=table.single("inputs"), targets=table.single("targets"))
    return to_file_samples(table.read(path))
