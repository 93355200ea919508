"""The instance file (section 2), as it is read: version 1 becomes what version 2 says with its defaults."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

from .exact import ONE, ZERO, Rows, dot
from .reading import ANY, INSTANCE_CAP, ONCE, SOME, Line, check_exponents, demand, parse, parse_json, rational
from .reading import read_lines, require

Pair = tuple[Fraction, Fraction]  # slopes below and above 0


def parse_several(value: Any, place: str, one: Any = rational) -> Any:
    """Returns what one shape stands for, or a list of such; a number, or a pair in a list of pairs."""
    inside = value if one is rational else next(iter(value), None) if isinstance(value, list) else None
    return parse(value, [one, SOME] if isinstance(inside, list) else one, place)


MATRIX, WIDE = [[rational, SOME], SOME], [[rational, ANY], SOME]  # without and with empty rows
LAYER = {"weight": MATRIX, "bias~": [rational, SOME]}
FIRST: Line = {"format": "exactdrl-instance", "version": ONCE, "network": {"layers": [LAYER, SOME]}, "layer": SOME}
FIRST |= {"loss": {"kind": "absolute"}, "data": {"inputs": MATRIX, "targets": MATRIX}, "start?~": MATRIX}
LAYER = LAYER | {"weight": WIDE, "activation?": partial(parse_several, one=[rational, [2]])}
LOSSES: Any = {"kind": "absolute|hinge|linear|squared"}, {"kind": "pinball", "level": parse_several}
LOSSES += ({"kind": "two-slope", "below": parse_several, "above": parse_several},)
DATA = {"inputs": WIDE, "targets?~": MATRIX, "weights?~": [rational, SOME]}
SECOND: Line = {"format": "exactdrl-instance", "version": range(2, 3), "network": {"layers": [LAYER, SOME]}}
SECOND |= {"loss": LOSSES, "data": DATA, "start?~": WIDE}
SECOND |= {"free": lambda value, place: 0 if value == "all" else parse(value, SOME, place)}  # 0: all layers


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance: shapes fit, and the last layer's activation is the identity. Entry l - 1 of a list is of layer l."""

    digest: str
    layers: list[Rows]  # each row the weights of a unit, and its bias if there is one; the start of the trained layer
    biased: list[bool]
    activations: list[list[Pair]]  # a pair for each unit
    trained: int  # the trained layer, from 1; 0 if all are free
    inputs: Rows
    targets: Rows
    slopes: list[list[Pair]] | None  # of the loss, for each sample and output, times the sample's weight; None: squared
    shares: list[Fraction]  # the samples' weights


def to_layer(layer: Line) -> Rows:
    """Returns weights and biases in one matrix."""
    weight, bias = layer["weight"], layer["bias"]
    return [[*row, b] for row, b in zip(weight, bias)] if bias else weight


def read_instance(path: str) -> Instance:
    """Returns what an instance file of either version holds."""
    data = b"".join(read_lines(path, INSTANCE_CAP))
    check_exponents(data, "instance")
    content = parse(parse_json(data, "instance"), (FIRST, SECOND), "instance")
    name = "free" if "free" in content else "layer"
    parts, trained = content["network"]["layers"], content[name]
    inputs, targets = content["data"]["inputs"], content["data"].get("targets")
    demand(trained <= len(parts), f"instance: {name}: out of range")
    widths = [len(parts[0]["weight"][0]), *(len(part["weight"]) for part in parts)]
    for number, (part, width) in enumerate(zip(parts, widths), 1):
        weight, bias = part["weight"], part["bias"]
        is_fit = {*map(len, weight)} == {width} and (bias is None or len(bias) == len(weight))
        demand(is_fit, f"layer {number}: not {width} weights and a bias for each unit")
    if content["loss"]["kind"] == "linear":
        targets = targets or [[ZERO] * widths[-1]] * len(inputs)
    is_fit = {*map(len, inputs)} == {widths[0]} and [*map(len, targets or ())] == [widths[-1]] * len(inputs)
    demand(is_fit, f"data: not {widths[0]} inputs and {widths[-1]} targets for each sample")
    shares = content["data"].get("weights") or [ONE] * len(inputs)
    slopes = find_slopes(content["loss"], targets, shares)
    layers, biased = [to_layer(part) for part in parts], [part["bias"] is not None for part in parts]
    if start := content.get("start"):
        sizes = [*map(len, layers[trained - 1])] if trained else []
        demand([*map(len, start)] == sizes, f"start: not {len(sizes)} rows of {(sizes or [0])[0]} numbers")
        layers[trained - 1] = start
    activations = [find_activation(parts, number) for number in range(1, len(parts) + 1)]
    if set(activations[-1]) != {(ONE, ONE)}:  # as if the identity followed (section 2a)
        layers.append([[Fraction(i == j) for j in range(widths[-1])] for i in range(widths[-1])])
        biased.append(False)
        activations.append([(ONE, ONE)] * widths[-1])
    digest = hashlib.sha256(data).hexdigest()
    return Instance(digest, layers, biased, activations, trained, inputs, targets, slopes, shares)


def find_activation(layers: list[Line], number: int) -> list[Pair]:
    """Returns the slopes of a layer's units."""
    width, value = len(layers[number - 1]["weight"]), layers[number - 1].get("activation")
    value = value or [ZERO if number < len(layers) else ONE, ONE]
    pairs = [(below, above) for below, above in (value if isinstance(value[0], list) else [value] * width)]
    demand(len(pairs) == width, f"layer {number}: activation: {len(pairs)} pairs")
    demand((ZERO, ZERO) not in pairs, f"layer {number}: activation: both slopes of a unit are 0")
    return pairs


def find_slopes(loss: Line, targets: Rows, weights: list[Fraction]) -> list[list[Pair]] | None:
    """Returns the loss's slopes for each sample and output, times the sample's weight; None if it is squared."""
    kind, width = loss["kind"], len(targets[0])
    demand(len(weights) == len(targets) and min(weights) >= 0, "data: weights: not a number >= 0 for each sample")
    lists = [loss[key] for key in ("level", "below", "above") if key in loss]
    lists = [value if isinstance(value, list) else [value] * width for value in lists]
    demand({width}.issuperset(map(len, lists)), f"instance: loss: not {width} numbers, one for each output")
    rows = [[(-ONE, ONE)] * width] * len(targets)
    if kind == "linear":
        rows = [[(ONE, ONE)] * width] * len(targets)
    elif kind == "hinge":
        demand(all(abs(y) == 1 for row in targets for y in row), "data: targets: not 1 or -1, as the loss hinge wants")
        rows = [[(-ONE, ZERO) if y == 1 else (ZERO, ONE) for y in row] for row in targets]
    elif kind == "pinball":
        demand(all(0 < level < 1 for level in lists[0]), "instance: loss: level: not between 0 and 1")
        rows = [[(-level, 1 - level) for level in lists[0]]] * len(targets)
    elif kind == "two-slope":
        rows = [[*zip(*lists)]] * len(targets)
        demand(all(below <= above for below, above in rows[0]), "instance: loss: below is over above")
    scaled = [row if w == 1 else [(w * below, w * above) for below, above in row] for row, w in zip(rows, weights)]
    return None if kind == "squared" else scaled


def forward(instance: Instance, layers: list[Any]) -> tuple[list[Any], list[Any]]:
    """Returns, by layer and sample, what a layer is given, with 1 for its bias, and its preactivations.

    The layers may be other ones than the instance's, and of numbers that depend on t. If there are fewer, the last
    entry is what the next one is given.
    """
    given: list[Any] = instance.inputs
    arrivals, values = [], list[Any]()
    for number, (biased, pairs) in enumerate(zip(instance.biased, instance.activations)):
        given = [[*x, ONE] if biased else x for x in given]
        arrivals.append(given)
        if number == len(layers):
            break
        values.append([[dot(row, x) for row in layers[number]] for x in given])
        given = [[t * pair[t > 0] for t, pair in zip(z, pairs)] for z in values[-1]]
    return arrivals, values


def check_zero_loss(instance: Instance, loss: Any, place: str) -> None:
    """Checks that a loss is the smallest one since it is 0."""
    require(not loss, f"{place}: the loss is not 0")
    is_fit = all(below <= 0 <= above for row in instance.slopes or () for below, above in row)
    require(is_fit, f"{place}: the loss can be negative")


def find_residuals(instance: Instance, outputs: list[Any]) -> list[Any]:
    """Returns outputs minus targets, for each sample."""
    return [[f + -y for f, y in zip(*pair)] for pair in zip(outputs, instance.targets)]


def find_loss(instance: Instance, layers: list[Any]) -> Any:
    """Returns the loss of a network."""
    total: Any = ZERO
    for i, row in enumerate(find_residuals(instance, forward(instance, layers)[1][-1])):
        for j, r in enumerate(row):
            total += r * instance.shares[i] * r if instance.slopes is None else r * instance.slopes[i][j][r > 0]
    return total
