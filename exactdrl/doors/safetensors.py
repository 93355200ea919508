"""Tensors in a safetensors file, read without any package.

The file holds the length of a header, the header in JSON, and the tensors' bytes. Every number of the header is checked
against the file's size before it is used.

Source: the format's page in the project huggingface/safetensors, section "Format".
"""

import json
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path

import numpy as np

from exactdrl.doors.floats import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, FloatKind, Tensor
from exactdrl.doors.network import AnyActivation, Network, to_instance
from exactdrl.doors.state_dict import read_state_dict
from exactdrl.exact.rationals import InputError, shown
from exactdrl.problem.file import read_bytes
from exactdrl.problem.file_kinds import find_kind
from exactdrl.problem.instance import Instance
from exactdrl.problem.loss import Loss

_LENGTH_BYTES = 8
# the format's own bound
_MOST_HEADER_BYTES = 100_000_000
_MOST_AXES = 64
_FLOATS: dict[str, tuple[str, FloatKind]] = {
    "F64": ("<f8", FLOAT64),
    "F32": ("<f4", FLOAT32),
    "F16": ("<f2", FLOAT16),
    "BF16": ("<u2", BFLOAT16),
}
_INTEGERS = {
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
}


def from_safetensors(
    path: Path | str,
    inputs: object,
    targets: object,
    *,
    activation: AnyActivation = "relu",
    order: Sequence[str] | None = None,
    without_bias: Sequence[str] = (),
    layer: int = 1,
    free: object | None = None,
    loss: Loss | None = None,
    sample_weights: object | None = None,
    decimals: int | None = None,
    data_decimals: int | None = None,
) -> Instance:
    """Returns the problem of training a network further whose parameters a safetensors file holds.

    Args:
        path: the file's path.
        inputs: shape (N, n_0); a tensor, array or list.
        targets: shape (N, n_{L+1}), or (N,) for one output.
        activation: the activation after every layer but the last, see `to_activation`.
        order: the layers' names from the input to the output; default: decided by the rule of `read_state_dict`.
        without_bias: the names of layers that have no bias, where other layers have one.
        layer: the trained layer, 1..L+1.
        free: the same, or "all" for the parameters of all layers; in place of `layer`.
        loss: the loss; default: absolute.
        sample_weights: a nonnegative number for each sample; default: 1 each.
        decimals: reads the parameters as decimals with at most so many places, see `from_torch`.
        data_decimals: the same for the data.

    Raises:
        InputError: the file is damaged or holds other tensors than layers' weights and biases, shapes do not fit, or a
            number is not finite.
    """
    network = read_safetensors_network(
        path, activation=activation, order=order, without_bias=without_bias, decimals=decimals
    )
    return to_instance(
        network,
        inputs,
        targets,
        layer=layer,
        free=free,
        loss=loss,
        sample_weights=sample_weights,
        data_decimals=data_decimals,
    )


def read_safetensors_network(
    path: Path | str,
    *,
    activation: AnyActivation = "relu",
    order: Sequence[str] | None = None,
    without_bias: Sequence[str] = (),
    decimals: int | None = None,
) -> Network:
    """Returns the network whose parameters a safetensors file holds; see `from_safetensors`.

    Raises:
        InputError: see `from_safetensors`.
    """
    # the order in a file's header may differ from that of the module's definition
    return read_state_dict(
        read_safetensors(path),
        str(path),
        activation=activation,
        order=order,
        without_bias=without_bias,
        decimals=decimals,
        is_ordered=False,
    )


def read_safetensors(path: Path | str) -> dict[str, Tensor]:
    """Returns the tensors in a safetensors file, by their names.

    Raises:
        InputError: the file is damaged or of another kind: its header is longer than the file or is no JSON of the
            format, or its tensors do not fill the rest of the file one after the other.
    """
    header, body = _split(read_bytes(Path(path)), path)
    tensors, places = {}, []
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        dtype, shape, begin, end = _parse_entry(entry, f"{path}: {shown(name)}")
        if not 0 <= begin <= end <= len(body):
            raise InputError(f"{path}: {shown(name)} lies at bytes {begin} to {end}, the file has {len(body)}")
        places.append((begin, end, name))
        tensors[name] = _to_tensor(body[begin:end], dtype, shape, f"{path}: {shown(name)}")
    expected = 0
    for begin, end, name in sorted(places):
        if begin != expected:
            raise InputError(f"{path}: {shown(name)} begins at byte {begin}, the tensor before it ends at {expected}")
        expected = end
    if expected != len(body):
        raise InputError(f"{path}: the tensors end at byte {expected}, the file at {len(body)}")
    return tensors


def _split(content: bytes, path: Path | str) -> tuple[dict[str, object], bytes]:
    """Returns the header and the bytes of the tensors."""
    if len(content) < _LENGTH_BYTES:
        raise InputError(f"{path}: no safetensors file: it has {len(content)} bytes")
    length = int.from_bytes(content[:_LENGTH_BYTES], "little")
    if length > min(_MOST_HEADER_BYTES, len(content) - _LENGTH_BYTES):
        if kind := find_kind(content):
            raise InputError(f"{path}: no safetensors file, but {kind}")
        raise InputError(
            f"{path}: no whole safetensors file: its header has {length} bytes, the file has {len(content)}"
        )
    start = _LENGTH_BYTES + length
    try:
        header = json.loads(content[_LENGTH_BYTES:start].decode("utf-8"), object_pairs_hook=_to_object)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: the header is no JSON ({error})") from None
    if not isinstance(header, dict):
        raise InputError(f"{path}: the header is no JSON object")
    return header, content[start:]


def _to_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    keys = dict(pairs)
    if len(keys) != len(pairs):
        raise ValueError("a name is repeated")
    return keys


def _parse_entry(entry: object, place: str) -> tuple[str, list[int], int, int]:
    if not isinstance(entry, Mapping) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise InputError(f"{place}: dtype, shape and data_offsets are needed")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not _is_counts(shape) or len(shape) > _MOST_AXES or not _is_counts(offsets) or len(offsets) != 2:  # noqa: PLR2004
        raise InputError(
            f"{place}: shape is {shown(shape)}, data_offsets are {shown(offsets)}; lists of counts are needed"
        )
    if not isinstance(dtype, str) or (dtype not in _FLOATS and dtype not in _INTEGERS):
        known = ", ".join((*_FLOATS, *_INTEGERS))
        raise InputError(f"{place}: dtype is {shown(dtype)}; {known} are possible")
    return dtype, shape, offsets[0], offsets[1]


def _is_counts(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(entry, int) and not isinstance(entry, bool) and entry >= 0 for entry in value
    )


def _to_tensor(content: bytes, dtype: str, shape: Sequence[int], place: str) -> Tensor:
    code, kind = _FLOATS[dtype] if dtype in _FLOATS else (_INTEGERS[dtype], None)
    size = np.dtype(code).itemsize
    if prod(shape) * size != len(content):
        raise InputError(
            f"{place}: {dtype} of shape {tuple(shape)} needs {prod(shape) * size} bytes, not {len(content)}"
        )
    flat = np.frombuffer(content, dtype=code)
    if dtype == "BF16":
        # bfloat16 is the upper half of a float32
        flat = (flat.astype(np.uint32) << 16).view(np.float32)
    array = flat.reshape(shape)
    return Tensor(array if kind is None else array.astype(np.float64), kind)
