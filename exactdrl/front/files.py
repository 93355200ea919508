"""Networks and data in files, read by their kind."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from exactdrl.doors.arrays import from_regression
from exactdrl.doors.network import AnyActivation, Network, to_instance
from exactdrl.doors.npz import read_data_npz, read_network_npz
from exactdrl.doors.onnx import check_onnx, read_onnx
from exactdrl.doors.safetensors import read_safetensors_network
from exactdrl.doors.state_dict import read_state_dict
from exactdrl.doors.tables import Table
from exactdrl.doors.torch import load_torch_file
from exactdrl.problem.instance import Instance, Samples, Vector
from exactdrl.problem.loss import Loss

__all__ = [
    "FileSamples",
    "Network",
    "NetworkKind",
    "check_words",
    "read_arrays",
    "read_network_file",
    "to_file_samples",
    "to_problem",
]

NetworkKind = Literal["network", "torch", "onnx", "safetensors"]


@dataclass(frozen=True, slots=True)
class FileSamples:
    """The samples of a file.

    Attributes:
        inputs: shape (N, n_0).
        targets: shape (N, n_{L+1}).
        weights: a nonnegative number for each sample; None without weights.
        lines: what a summary says of the samples.
    """

    inputs: Samples
    targets: Samples
    weights: Vector | None = None
    lines: tuple[str, ...] = ()


_ASSUMED = (
    "the file names no activations: ReLU is taken after every layer but the last; --activation chooses another one"
)


def read_network_file(
    path: Path | str,
    kind: NetworkKind,
    *,
    activation: AnyActivation | None = None,
    order: Sequence[str] | None = None,
    without_bias: Sequence[str] = (),
    key: str | None = None,
    keys: Sequence[str] | None = None,
    decimals: int | None = None,
) -> Network:
    """Returns the network in a file.

    Args:
        path: the file's path.
        kind: `network` for `*.npz`, `torch` for a state dict that torch.save has written, `onnx`, or `safetensors`.
        activation: the activation after every layer but the last; default: ReLU, which a note of the network says. An
            ONNX file has its own activations.
        order: for a state dict: the layers' names from the input to the output.
        without_bias: for a state dict: the names of layers that have no bias while others have one.
        key: for `torch`: the name of the state dict in a checkpoint.
        keys: for `network`: the names of its arrays.
        decimals: reads floats as decimals with at most so many places.

    Raises:
        InputError: the file cannot be read, or is not of the kind.
    """
    source, chosen = Path(path), "relu" if activation is None else activation
    match kind:
        case "onnx":
            return read_onnx(source, decimals=decimals)
        case "network":
            network = read_network_npz(source, keys=keys, activation=chosen, decimals=decimals)
        case "torch":
            network = read_state_dict(
                load_torch_file(source, key=key),
                str(source),
                activation=chosen,
                order=order,
                without_bias=without_bias,
                decimals=decimals,
            )
        case "safetensors":
            network = read_safetensors_network(
                source, activation=chosen, order=order, without_bias=without_bias, decimals=decimals
            )
    if activation is not None or len(network.layers) == 1:
        return network
    return replace(network, notes=(*network.notes, _ASSUMED))


def read_arrays(path: Path | str, *, inputs: str | None = None, targets: str | None = None) -> FileSamples:
    """Returns the samples in an archive `*.npz`, whose arrays are named `inputs` and `targets` unless said otherwise.

    Raises:
        InputError: the file cannot be read, or has no such arrays.
    """
    data = read_data_npz(Path(path), inputs=inputs, targets=targets)
    return FileSamples(data.inputs, data.targets)


def to_file_samples(table: Table) -> FileSamples:
    """Returns the samples of a table, with the names of its columns."""
    lines = [f"inputs   {', '.join(table.input_names)}", f"targets  {', '.join(table.target_names)}"]
    lines += [f"note     {note}" for note in table.notes]
    return FileSamples(table.inputs, table.targets, table.weights, tuple(lines))


def to_problem(
    network: Network | None,
    samples: FileSamples,
    *,
    layer: int = 1,
    free: object | None = None,
    has_bias: bool = True,
    loss: Loss | None = None,
    data_decimals: int | None = None,
) -> Instance:
    """Returns the problem of a network and samples, or of a regression where there is no network.

    Args:
        network: the network, whose parameters are the start; None for a regression from start 0.
        samples: the data.
        layer: the trained layer, from 1.
        free: the same, or `all` for the parameters of all layers; in place of `layer`.
        has_bias: whether a regression has an intercept.
        loss: the loss; default: absolute.
        data_decimals: reads the data's floats as decimals with at most so many places.

    Raises:
        InputError: shapes do not fit, or there is no such layer.
    """
    if network is None:
        instance = from_regression(
            samples.inputs, samples.targets, has_bias=has_bias, loss=loss, sample_weights=samples.weights
        )
        return instance.with_free("all") if free == "all" else instance
    return to_instance(
        network,
        samples.inputs,
        samples.targets,
        layer=layer,
        free=free,
        loss=loss,
        sample_weights=samples.weights,
        data_decimals=data_decimals,
    )


def check_words(path: Path | str, samples: FileSamples) -> str:
    """Compares an ONNX graph's own evaluation with the exact one, and says how far they are apart.

    Raises:
        InputError: the two differ by more than rounding explains.
    """
    result = check_onnx(Path(path), samples.inputs)
    return (
        "not done, since the layers are too wide for a proved bound in the graph's floats"
        if result is None
        else result.words
    )
