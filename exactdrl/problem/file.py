"""The instance file: the format `exactdrl-instance`, versions 1 and 2.

proofs/FORMAT.md, sections 2 and 2a, specifies the format.
"""

import gzip
import hashlib
import json
import re
import sys
import zlib
from dataclasses import replace
from pathlib import Path

from exactdrl.exact.rationals import InputError, shown, to_number_text, to_rational
from exactdrl.problem.activation import IDENTITY, RELU, Activation
from exactdrl.problem.file_kinds import kind_name
from exactdrl.problem.instance import Instance, Layer, Samples, Vector, to_vector
from exactdrl.problem.loss import KINDS, Loss, LossKind
from exactdrl.problem.output import STREAM, write_new

FORMAT = "exactdrl-instance"
VERSIONS = (1, 2)
# bytes to which a compressed file may unfold, far above any instance that a walk can handle
MAX_BYTES = 1 << 30


def read_bytes(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Returns the bytes of a file, decompressed where its name ends in .gz; for the path `-` those of standard input.

    Raises:
        InputError: the file cannot be read, is truncated, or unfolds to more than `limit` bytes.
    """
    try:
        if path == STREAM:
            return sys.stdin.buffer.read(limit + 1)
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
        InputError: the file cannot be read or is not of the format; the message names the file, the place and the
            value.
    """
    content = read_bytes(Path(path))
    place = None if Path(path) == STREAM else Path(path).absolute()
    kind = kind_name(content)
    if kind and kind != "an instance":
        raise InputError(f"{path}: no instance, but {kind}; `exactdrl import` writes an instance")
    try:
        return replace(parse_instance(content), file_digest=hashlib.sha256(content).hexdigest(), file_path=place)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def parse_instance(content: bytes) -> Instance:
    """Returns the instance that a JSON text describes.

    Raises:
        InputError: the text is not of the format; the message names the place and the value.
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
        raise InputError(f"no instance: byte {error.start} is not UTF-8") from None
    except json.JSONDecodeError as error:
        hint = "" if text.lstrip().startswith("{") else "; `exactdrl import` writes an instance of a table or a network"
        raise InputError(f"not JSON: {error}{hint}") from None
    except RecursionError:
        raise InputError("not JSON of this format: nested too deeply") from None
    if not isinstance(data, dict):
        raise InputError("the file holds no JSON object")
    # the version decides which keys there are
    version = _to_integer(data.get("version"))
    if data.get("format", FORMAT) != FORMAT:
        raise InputError(f'format is {shown(data["format"])}, "{FORMAT}" is needed')
    if "version" in data and version not in VERSIONS:
        raise InputError(f"version is {_plain(data['version'])}, this program reads versions 1 and 2")
    return _read_version(data, is_general=version == VERSIONS[-1])


def _read_version(data: dict[str, object], *, is_general: bool) -> Instance:
    """Returns the instance that an object of version 2, with `is_general`, or of version 1 describes."""
    free = "free" if is_general else "layer"
    top = _expect(data, "the file", ("format", "version", "network", free, "loss", "data"), ("start",))
    layers = _read_layers(top["network"], is_general=is_general)
    number = _to_integer(top[free])
    if number is None and not (is_general and top[free] == "all"):
        raise InputError(f"{free} is {_plain(top[free])}, an integer{' or all' if is_general else ''} is needed")
    loss = _read_loss(top["loss"], is_general=is_general)
    needs_targets = loss.kind != "linear"
    needed, allowed = (("inputs", "targets"), ()) if needs_targets else (("inputs",), ("targets",))
    sets = _expect(top["data"], "data", needed, (*allowed, "weights") if is_general else ())
    if needs_targets and sets["targets"] is None:
        raise InputError("data.targets: a list of rows is needed, not null")
    if not is_general and isinstance(sets["inputs"], list) and sets["inputs"] and sets["inputs"][0] == []:
        raise InputError("data.inputs[0] is empty")
    return Instance.create(
        layers,
        sets["inputs"],
        sets.get("targets"),
        free="all" if number is None else number,
        start=top.get("start"),
        loss=loss,
        weights=sets.get("weights"),
    )


def _read_layers(network: object, *, is_general: bool) -> list[tuple[object, object, object]]:
    layers = _expect(network, "network", ("layers",))["layers"]
    if not isinstance(layers, list):
        raise InputError("network.layers is not a list; a list of layers is needed")
    built = []
    for index, layer in enumerate(layers):
        parts = _expect(layer, f"network.layers[{index}]", ("weight", "bias"), ("activation",) if is_general else ())
        if "activation" in parts and not isinstance(parts["activation"], list):
            raise InputError(f"network.layers[{index}].activation is {_plain(parts['activation'])}, a list is needed")
        built.append((parts["weight"], parts["bias"], parts.get("activation")))
    return built


def _read_loss(value: object, *, is_general: bool) -> Loss:
    if not isinstance(value, dict) or "kind" not in value:
        _expect(value, "loss", ("kind",))
    assert isinstance(value, dict)  # noqa: S101 - for mypy: `_expect` refuses what is none
    kind = value["kind"]
    if not is_general:
        _expect(value, "loss", ("kind",))
        if kind != "absolute":
            raise InputError(f'loss.kind is {shown(kind)}, "absolute" is needed in version 1')
        return Loss.absolute()
    keys = {"pinball": ("level",), "two-slope": ("below", "above")}.get(str(kind), ())
    parts = _expect(value, "loss", ("kind", *keys))
    if kind not in KINDS or isinstance(kind, _Written):
        raise InputError(f"loss.kind is {shown(kind)}; one of {', '.join(KINDS)} is needed")
    name: LossKind = next(known for known in KINDS if known == kind)
    numbers = [_read_numbers(parts[key], f"loss.{key}") for key in keys]
    return Loss(name, *numbers)


def _read_numbers(value: object, place: str) -> Vector:
    """Returns a number as a tuple of one number, and a list of numbers as a tuple."""
    if isinstance(value, list):
        return to_vector(value, place)
    try:
        return (to_rational(value),)
    except InputError as error:
        raise InputError(f"{place}: {error}") from None


class _Written(str):
    """A JSON number as it is written; it is read where its place is known."""

    __slots__ = ()


def _to_integer(value: object) -> int | None:
    """Returns the integer that a JSON number writes; None for anything else."""
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
        raise InputError(f"{place} is not a JSON object")
    for key in needed:
        if key not in value:
            raise InputError(f"{place}: key {key!r} is missing")
    for key in value:
        if key not in needed + allowed:
            raise InputError(f"{place}: unknown key {shown(key)}")
    return value


def to_json_text(instance: Instance) -> str:
    """Returns the text of an instance's file in ASCII, with a line for each row of numbers, ended by a newline.

    It is of version 1 where that version can describe the instance, else of version 2.
    """

    def numbers(row: Vector) -> str:
        return "[" + ", ".join(f'"{to_number_text(value)}"' for value in row) + "]"

    def rows(matrix: Samples, indent: str) -> str:
        return "[\n" + ",\n".join(indent + " " + numbers(row) for row in matrix) + f"\n{indent}]"

    def activation(layer: Layer, default: Activation) -> str:
        pairs = [numbers((one.below, one.above)) for one in layer.activations]
        if all(one == default for one in layer.activations):
            return ""
        text = pairs[0] if len(set(pairs)) == 1 else "[" + ", ".join(pairs) + "]"
        return f', "activation": {text}'

    last = len(instance.layers) - 1
    layers = ",\n".join(
        '   {"weight": '
        + rows(layer.weight, "    ")
        + ', "bias": '
        + ("null" if layer.bias is None else numbers(layer.bias))
        + activation(layer, IDENTITY if index == last else RELU)
        + "}"
        for index, layer in enumerate(instance.layers)
    )
    version, free = (1, f'"layer": {instance.free}') if instance.is_plain else (2, f'"free": {_free_text(instance)}')
    weights = "" if instance.weights is None else f',\n  "weights": {numbers(instance.weights)}'
    start = "null" if instance.free == "all" else rows(instance.start, "  ")
    return (
        f'{{"format": "{FORMAT}", "version": {version},\n'
        f' "network": {{"layers": [\n{layers}\n ]}},\n'
        f' {free},\n "loss": {_loss_text(instance.loss)},\n'
        f' "data": {{"inputs": {rows(instance.inputs, "  ")},\n'
        f'  "targets": {rows(instance.targets, "  ")}{weights}}},\n'
        f' "start": {start}}}\n'
    )


def _free_text(instance: Instance) -> str:
    return '"all"' if instance.free == "all" else str(instance.free)


def _loss_text(loss: Loss) -> str:
    def numbers(values: Vector) -> str:
        texts = [f'"{to_number_text(value)}"' for value in values]
        return texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"

    names = {"pinball": ("level",), "two-slope": ("below", "above")}.get(loss.kind, ())
    parts = [f'"{name}": {numbers(values)}' for name, values in zip(names, (loss.below, loss.above), strict=False)]
    return "{" + ", ".join([f'"kind": "{loss.kind}"', *parts]) + "}"


def write_instance(instance: Instance, path: Path | str, *, force: bool = False) -> None:
    """Writes an instance to `*.json`, or compressed to `*.json.gz`; the same instance gives the same bytes.

    Raises:
        InputError: the path has another ending, the file exists and `force` is not set, or it cannot be written.
    """
    target = Path(path)
    if target != STREAM and not target.name.endswith((".json", ".json.gz")):
        raise InputError(f"{target}: an instance file's name ends in .json or .json.gz")
    content = to_json_text(instance).encode("ascii")
    if target.suffix == ".gz":
        content = gzip.compress(content, mtime=0)
    write_new(target, content, force=force)
