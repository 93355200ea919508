"""The instance file, format `exactdrl-instance` version 1. The format's page is proofs/FORMAT.md, section 2."""

import gzip
import hashlib
import json
import re
import zlib
from dataclasses import replace
from pathlib import Path

from exactdrl.exact.rationals import InputError, shown, to_number_text
from exactdrl.problem.instance import Instance, Samples, Vector

FORMAT = "exactdrl-instance"
VERSION = 1
# A bound on what a compressed file may unfold to: far above any instance that a walk can handle
MAX_BYTES = 1 << 30


def read_bytes(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Returns a file's bytes, decompressed where its name ends in .gz.

    Raises:
        InputError: the file cannot be read, is truncated, or unfolds to more than `limit` bytes.
    """
    try:
        if path.suffix != ".gz":
            return path.read_bytes()
        with gzip.open(path, "rb") as stream:
            content = stream.read(limit + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: not a whole gzip file ({error})") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    if len(content) > limit:
        raise InputError(f"{path}: unfolds to more than {limit} bytes")
    return content


def read_instance(path: Path | str) -> Instance:
    """Returns the instance in a file `*.json` or `*.json.gz`.

    Raises:
        InputError: the file is not of the format; the message names the file, the place and the value.
    """
    content = read_bytes(Path(path))
    try:
        return replace(parse_instance(content), file_digest=hashlib.sha256(content).hexdigest())
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def parse_instance(content: bytes) -> Instance:
    """Returns the instance that a JSON text describes.

    Raises:
        InputError: it is not of the format; the message names the place and the value.
    """
    try:
        text = content.decode("utf-8")
        data = json.loads(
            text,
            object_pairs_hook=_to_object,
            parse_int=_Written,
            parse_float=_Written,
            parse_constant=_Written,
        )
    except UnicodeDecodeError as error:
        raise InputError(f"byte {error.start} is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON: {error}") from None
    except RecursionError:
        raise InputError("not JSON of this format: nested too deeply") from None
    top = _expect(data, "the file", ("format", "version", "network", "layer", "loss", "data"), ("start",))
    if top["format"] != FORMAT:
        raise InputError(f'format is {shown(top["format"])}, "{FORMAT}" is needed')
    if _to_integer(top["version"]) != VERSION:
        raise InputError(f"version is {_plain(top['version'])}, this program reads version {VERSION}")
    loss = _expect(top["loss"], "loss", ("kind",))
    if loss["kind"] != "absolute":
        raise InputError(f'loss.kind is {shown(loss["kind"])}, "absolute" is needed')
    layers = _expect(top["network"], "network", ("layers",))["layers"]
    if not isinstance(layers, list):
        raise InputError("network.layers is not a list")
    pairs = []
    for index, layer in enumerate(layers):
        parts = _expect(layer, f"network.layers[{index}]", ("weight", "bias"))
        pairs.append((parts["weight"], parts["bias"]))
    number = _to_integer(top["layer"])
    if number is None:
        raise InputError(f"layer is {_plain(top['layer'])}, an integer is needed")
    sets = _expect(top["data"], "data", ("inputs", "targets"))
    return Instance.create(pairs, sets["inputs"], sets["targets"], layer=number, start=top.get("start"))


class _Written(str):
    """A JSON number as it is written, to be read where its place is known."""

    __slots__ = ()


def _to_integer(value: object) -> int | None:
    """Returns the integer that a JSON number writes, None for anything else."""
    if not isinstance(value, _Written) or not re.fullmatch(r"-?[0-9]{1,9}", value):
        return None
    return int(value)


def _plain(value: object) -> str:
    return shown(value)[1:-1] if isinstance(value, _Written) else shown(value)


def _to_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    keys = dict(pairs)
    if len(keys) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise InputError(f"key {shown(repeated)} is repeated")
    return keys


def _expect(value: object, place: str, needed: tuple[str, ...], allowed: tuple[str, ...] = ()) -> dict[str, object]:
    if not isinstance(value, dict):
        raise InputError(f"{place} is not an object")
    for key in needed:
        if key not in value:
            raise InputError(f"{place}: key {key!r} is missing")
    for key in value:
        if key not in needed + allowed:
            raise InputError(f"{place}: unknown key {shown(key)}")
    return value


def to_json_text(instance: Instance) -> str:
    """Returns the instance as the text of its file: one line a row of numbers, ASCII, ended by a newline."""

    def numbers(row: Vector) -> str:
        return "[" + ", ".join(f'"{to_number_text(value)}"' for value in row) + "]"

    def rows(matrix: Samples, indent: str) -> str:
        return "[\n" + ",\n".join(indent + " " + numbers(row) for row in matrix) + f"\n{indent}]"

    layers = ",\n".join(
        '   {"weight": '
        + rows(layer.weight, "    ")
        + ', "bias": '
        + ("null" if layer.bias is None else numbers(layer.bias))
        + "}"
        for layer in instance.layers
    )
    return (
        f'{{"format": "{FORMAT}", "version": {VERSION},\n'
        f' "network": {{"layers": [\n{layers}\n ]}},\n'
        f' "layer": {instance.layer},\n "loss": {{"kind": "absolute"}},\n'
        f' "data": {{"inputs": {rows(instance.inputs, "  ")},\n  "targets": {rows(instance.targets, "  ")}}},\n'
        f' "start": {rows(instance.start, "  ")}}}\n'
    )


def write_instance(instance: Instance, path: Path | str, *, force: bool = False) -> None:
    """Writes an instance to `*.json`, or compressed to `*.json.gz`; the same instance gives the same bytes.

    Raises:
        InputError: the path's ending is another, it exists and `force` is not set, or it cannot be written.
    """
    target = Path(path)
    if not target.name.endswith((".json", ".json.gz")):
        raise InputError(f"{target}: an instance file's name ends in .json or .json.gz")
    content = to_json_text(instance).encode("ascii")
    if target.suffix == ".gz":
        content = gzip.compress(content, mtime=0)
    write_new(target, content, force=force)


def refuse_existing(path: Path, *, force: bool) -> None:
    """Refuses an output path that exists, or whose folder does not.

    Raises:
        InputError: it exists and `force` is not set, it is a folder, or its folder does not exist.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder")
    if path.exists() and not force:
        raise InputError(f"{path}: exists already (--force writes over it)")
    if not path.parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist")


def write_new(path: Path, content: bytes, *, force: bool) -> None:
    """Writes a whole new file.

    Raises:
        InputError: see `refuse_existing`; or the file cannot be written.
    """
    refuse_existing(path, force=force)
    try:
        path.write_bytes(content)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None
