"""Instances from arrays and from `*.npz` files.

Binary floats mean the dyadic rationals that they are, texts mean what they write; nothing is rounded on the way.
"""

import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from exactdrl.exact.rationals import InputError, shown
from exactdrl.problem.doubles import DoubleMatrix
from exactdrl.problem.file import read_bytes
from exactdrl.problem.instance import Instance, Matrix, Samples, Vector, to_matrix, to_samples, to_vector

_LAYER_KEY = re.compile(r"(?:weight|bias)_[1-9][0-9]{0,3}")


@dataclass(frozen=True, slots=True)
class Network:
    """The layers of a network as a file holds them.

    Attributes:
        weights: of layers 1..L+1, shape (n_l, n_{l-1}) each.
        biases: of layers 1..L+1, n_l entries each, None for a layer without bias.
    """

    weights: tuple[Matrix, ...]
    biases: tuple[Vector | None, ...]


@dataclass(frozen=True, slots=True)
class Data:
    """Samples.

    Attributes:
        inputs: shape (N, n_0).
        targets: shape (N, n_{L+1}).
    """

    inputs: Samples
    targets: Samples


def from_arrays(
    weights: Sequence[object],
    biases: Sequence[object | None],
    inputs: object,
    targets: object,
    *,
    layer: int = 1,
    start: object | None = None,
) -> Instance:
    """Returns an instance from NumPy arrays, nested lists, pandas frames or whatever offers itself as an array.

    Args:
        weights: of layers 1..L+1, shape (n_l, n_{l-1}) each: a row a unit. (scikit-learn and Keras keep the
            transposes.)
        biases: of layers 1..L+1, n_l entries each, None for a layer without bias.
        inputs: shape (N, n_0).
        targets: shape (N, n_{L+1}), or (N,) for one output.
        layer: the trained layer, 1..L+1.
        start: shape (n_layer, n_{layer-1} + 1), without the last column where the bias is None; default: the layer's
            own parameters.

    Raises:
        InputError: as many biases as weights are needed; shapes that do not fit, NaN, infinities; the message names
            the place and the value.
    """
    if len(weights) != len(biases):
        raise InputError(f"{len(weights)} weights and {len(biases)} biases; a layer without bias needs the bias None")
    layers = []
    for index, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        place = f"network.layers[{index}]"
        vector = None if bias is None else _to_plain(bias, f"{place}.bias", axes=(1,))
        layers.append((_to_plain(weight, f"{place}.weight", axes=(2,)), vector))
    return Instance.create(
        layers,
        _to_plain(inputs, "data.inputs", axes=(2,)),
        _to_target_rows(targets, "data.targets"),
        layer=layer,
        start=None if start is None else _to_plain(start, "start", axes=(2,)),
    )


def from_regression(inputs: object, targets: object, *, has_bias: bool = True) -> Instance:
    """Returns the problem of least absolute deviations: one affine layer, which is trained, from start 0.

    Args:
        inputs: shape (N, n_0).
        targets: shape (N, outputs), or (N,) for one output.
        has_bias: whether there is an intercept; its coefficient is the last parameter of an output.

    Raises:
        InputError: see `from_arrays`.
    """
    rows = to_samples(_to_plain(inputs, "data.inputs", axes=(2,)), "data.inputs")
    columns = to_samples(_to_target_rows(targets, "data.targets"), "data.targets")
    weight = [[0] * len(rows[0]) for _ in columns[0]]
    return Instance.create([(weight, [0] * len(columns[0]) if has_bias else None)], rows, columns)


def _to_plain(values: object, place: str, axes: Sequence[int]) -> object:
    """Returns arrays, frames and tensors as NumPy arrays with an allowed number of axes; everything else as it is."""
    if isinstance(values, np.ma.MaskedArray):
        raise InputError(f"{place} is a masked array; values that are masked have no meaning here")
    if not hasattr(values, "__array__"):
        return values
    try:
        # A frame's columns of integers must not become floats because those of another column are
        is_pandas = type(values).__module__.partition(".")[0] == "pandas"
        convert = getattr(values, "to_numpy", None) if is_pandas else None
        array = np.asarray(values) if convert is None else convert(dtype=object)
    except (RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"{place} cannot be read as an array ({error})") from None
    if array.ndim not in axes:
        raise InputError(f"{place} has shape {array.shape}; {' or '.join(map(str, axes))} axes are needed")
    return array


def _to_target_rows(values: object, place: str) -> object:
    """Returns targets with an axis for the outputs; numbers without one are the targets of a single output."""
    plain = _to_plain(values, place, axes=(1, 2))
    if isinstance(plain, np.ndarray):
        return plain.reshape(-1, 1) if plain.ndim == 1 else plain
    if isinstance(plain, DoubleMatrix):
        return plain
    if isinstance(plain, (str, bytes)) or not isinstance(plain, Iterable):
        return plain
    entries = list(plain)
    if any(isinstance(entry, Iterable) and not isinstance(entry, (str, bytes)) for entry in entries):
        return entries
    return [[entry] for entry in entries]


def read_network_npz(path: Path | str) -> Network:
    """Returns the network in a file `*.npz` with the arrays weight_1, bias_1, weight_2, bias_2, ...

    Args:
        path: of the file. weight_k has shape (n_k, n_{k-1}), bias_k has shape (n_k,), or is missing: the layer has no
            bias. Integers, floats or texts of numbers.

    Raises:
        InputError: the file is no npz file, has other or repeated names, a gap in the layers' numbers, wrong numbers
            of axes, NaN or infinities; the message names the file, the array, the entry and the value.
    """
    arrays = _read_npz(Path(path))
    for name in arrays:
        if not _LAYER_KEY.fullmatch(name):
            raise InputError(f"{path}: unknown array {shown(name)}; weight_1, bias_1, weight_2, ... are possible")
    count = max((int(name.partition("_")[2]) for name in arrays), default=1)
    weights, biases = [], []
    for number in range(1, count + 1):
        if f"weight_{number}" not in arrays:
            raise InputError(f"{path}: array weight_{number} is missing")
        place = f"{path}: weight_{number}"
        weights.append(to_matrix(_to_plain(arrays[f"weight_{number}"], place, axes=(2,)), place))
        place = f"{path}: bias_{number}"
        bias = arrays.get(f"bias_{number}")
        biases.append(None if bias is None else to_vector(_to_plain(bias, place, axes=(1,)), place))
    return Network(tuple(weights), tuple(biases))


def read_data_npz(path: Path | str) -> Data:
    """Returns the samples in a file `*.npz` with the arrays `inputs` and `targets`.

    Args:
        path: of the file. `inputs` has shape (N, n_0), `targets` (N, outputs) or (N,) for one output.

    Raises:
        InputError: the file is no npz file, has other or repeated names, wrong numbers of axes or rows, NaN or
            infinities; the message names the file, the array, the entry and the value.
    """
    arrays = _read_npz(Path(path))
    for name in arrays:
        if name not in ("inputs", "targets"):
            raise InputError(f"{path}: unknown array {shown(name)}; inputs and targets are needed")
    for name in ("inputs", "targets"):
        if name not in arrays:
            raise InputError(f"{path}: array {name} is missing")
    if arrays["targets"].ndim == 1:
        arrays["targets"] = arrays["targets"].reshape(-1, 1)
    inputs, targets = (
        to_samples(_to_plain(arrays[name], f"{path}: {name}", axes=(2,)), f"{path}: {name}")
        for name in ("inputs", "targets")
    )
    if len(inputs) != len(targets):
        raise InputError(f"{path}: targets has {len(targets)} rows, inputs has {len(inputs)}")
    return Data(inputs, targets)


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    content = read_bytes(path)
    try:
        named = _load_npz(content)
    except Exception as error:  # noqa: BLE001 - a damaged file makes NumPy's parsers raise anything, tokenize.TokenError too
        raise InputError(f"{path}: not a whole npz file of plain arrays ({error})") from None
    if named is None:
        raise InputError(f"{path}: holds a single array; an npz file is needed")
    arrays: dict[str, np.ndarray] = {}
    for name, array in named:
        if name in arrays:
            raise InputError(f"{path}: array {shown(name)} is repeated")
        if not isinstance(array, np.ndarray):
            raise InputError(f"{path}: {shown(name)} is no array")
        arrays[name] = array
    return arrays


def _load_npz(content: bytes) -> list[tuple[str, object]] | None:
    """Returns what a file's members hold, in order; None where the file is a single array."""
    # No pickles: an array of objects would run the file's own code
    loaded = np.load(io.BytesIO(content), allow_pickle=False)
    return [(name, loaded[name]) for name in loaded.files] if isinstance(loaded, np.lib.npyio.NpzFile) else None
