"""Networks and samples in NumPy's archives `*.npz`."""

import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from exactdrl.doors.arrays import Data, to_plain
from exactdrl.doors.floats import check_decimals
from exactdrl.doors.network import AnyActivation, Chain, Network, to_activation
from exactdrl.exact.rationals import InputError, shown
from exactdrl.problem.file import read_bytes
from exactdrl.problem.file_kinds import find_kind
from exactdrl.problem.instance import to_samples

_LAYER_KEY = re.compile(r"(?:weight|bias)_[1-9][0-9]{0,3}")
_MATRIX_AXES = 2


def read_network_npz(
    path: Path | str,
    *,
    keys: Sequence[str] | None = None,
    activation: AnyActivation = "relu",
    decimals: int | None = None,
) -> Network:
    """Returns the network in a file `*.npz` with the arrays weight_1, bias_1, weight_2, bias_2, ...

    Args:
        path: the file's path. The array weight_k has shape (n_k, n_{k-1}) and bias_k has shape (n_k,); a layer without
            bias has no bias_k. Entries are integers, floats or texts of numbers.
        keys: other names of the arrays, from the input to the output. An array with two axes begins a layer, and one
            with one axis is the bias of the layer before it. Arrays that are not named are left out.
        activation: the activation after every layer but the last, see `to_activation`.
        decimals: reads floats as decimals with at most so many places, see `to_decimal`.

    Raises:
        InputError: the file is no npz file, has other or repeated names, a gap in the layers' numbers, arrays with
            wrong numbers of axes, or a number that is not finite; the message names the file, the array, the entry and
            the value.
    """
    hidden = to_activation(activation)
    arrays = read_npz(path)
    pairs = _numbered(arrays, path) if keys is None else _named(arrays, keys, path)
    chain = Chain(str(path), check_decimals(decimals))
    for position, (weight, bias) in enumerate(pairs):
        if position:
            chain.add_activation("the activation", hidden)
        chain.add_affine(weight, arrays[weight], None if bias is None else arrays[bias], bias or "bias")
    return chain.build()


def _numbered(arrays: dict[str, np.ndarray], path: Path | str) -> list[tuple[str, str | None]]:
    for name in arrays:
        if not _LAYER_KEY.fullmatch(name):
            hint = "weight_1, bias_1, weight_2, ... are possible, or name the arrays with --keys (keys=[...])"
            raise InputError(f"{path}: unknown array {shown(name)}; {hint}")
    count = max((int(name.partition("_")[2]) for name in arrays), default=1)
    pairs: list[tuple[str, str | None]] = []
    for number in range(1, count + 1):
        if f"weight_{number}" not in arrays:
            raise InputError(f"{path}: array weight_{number} is missing")
        bias = f"bias_{number}"
        pairs.append((f"weight_{number}", bias if bias in arrays else None))
    return pairs


def _named(arrays: dict[str, np.ndarray], keys: Sequence[str], path: Path | str) -> list[tuple[str, str | None]]:
    pairs: list[tuple[str, str | None]] = []
    for key in keys:
        if key not in arrays:
            raise InputError(f"{path}: no array is named {shown(key)}; the names are {', '.join(arrays)}")
        if arrays[key].ndim == _MATRIX_AXES:
            pairs.append((key, None))
        elif arrays[key].ndim == 1 and pairs and pairs[-1][1] is None:
            pairs[-1] = (pairs[-1][0], key)
        else:
            raise InputError(
                f"{path}: {key} has shape {arrays[key].shape}; a weight with two axes or its bias with one axis "
                "is needed"
            )
    return pairs


def read_data_npz(path: Path | str, *, inputs: str | None = None, targets: str | None = None) -> Data:
    """Returns the samples in a file `*.npz` with the arrays `inputs` and `targets`.

    Args:
        path: the file's path. `inputs` has shape (N, n_0), and `targets` has shape (N, outputs), or (N,) for one
            output.
        inputs: another name of the inputs' array; arrays that are not named are then left out.
        targets: another name of the targets' array, likewise.

    Raises:
        InputError: the file is no npz file, has other or repeated names, arrays with wrong numbers of axes or rows, or
            a number that is not finite; the message names the file, the array, the entry and the value.
    """
    arrays = read_npz(path)
    names = {"inputs": inputs or "inputs", "targets": targets or "targets"}
    if inputs is None and targets is None:
        for name in arrays:
            if name not in names:
                hint = "inputs and targets are needed, or name the arrays with --inputs and --target"
                raise InputError(f"{path}: unknown array {shown(name)}; {hint}")
    for name in names.values():
        if name not in arrays:
            raise InputError(f"{path}: array {name} is missing; the names are {', '.join(arrays) or 'none'}")
    chosen = {what: arrays[name] for what, name in names.items()}
    if chosen["targets"].ndim == 1:
        chosen["targets"] = chosen["targets"].reshape(-1, 1)
    rows = {
        what: to_samples(to_plain(array, f"{path}: {names[what]}", axes=(2,)), f"{path}: {names[what]}")
        for what, array in chosen.items()
    }
    if len(rows["inputs"]) != len(rows["targets"]):
        counts = f"{names['targets']} has {len(rows['targets'])} rows, {names['inputs']} has {len(rows['inputs'])}"
        raise InputError(f"{path}: {counts}")
    return Data(rows["inputs"], rows["targets"])


def read_npz(path: Path | str) -> dict[str, np.ndarray]:
    """Returns the arrays in a file `*.npz`, by their names.

    Arrays of objects are pickles, which could run code; they are refused.

    Raises:
        InputError: the file is no whole npz file, or a name is repeated.
    """
    content = read_bytes(Path(path))
    try:
        named = _load_npz(content)
    except Exception as error:  # noqa: BLE001 - a damaged file makes NumPy's parsers raise anything, tokenize.TokenError too
        # NumPy goes on with advice to load the file unsafely
        reason = str(error).partition(" If you trust")[0]
        raise InputError(f"{path}: not a whole npz file of plain arrays ({reason})") from None
    kind = find_kind(content)
    if "PyTorch" in kind:
        raise InputError(f"{path}: no npz file, but {kind}")
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
