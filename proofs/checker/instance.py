"""The instance file (section 2), as it is read: version 1 becomes what version 2 says with its defaults."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from operator import mul
from typing import Any

from .exact import ONE, ZERO, Rows
from .reading import ANY, INSTANCE_CAP, ONCE, SOME, Line, check_exponents, demand, nullable, parse, parse_json
from .reading import rational, read_lines

Pair = tuple[Fraction, Fraction]  # slopes below and above 0


def parse_list(value: Any, place: str) -> Any:
    """Returns a number, or a list of numbers."""
    return parse(value, [rational, SOME] if isinstance(value, list) else rational, place)


def parse_activation(value: Any, place: str) -> Any:
    """Returns a pair of slopes, or a list of pairs."""
    pair, several = [rational, [2]], isinstance(value, list) and isinstance(next(iter(value), None), list)
    return parse(value, [pair, SOME] if several else pair, place)


MATRIX, WIDE = [[rational, SOME], SOME], [[rational, ANY], SOME]  # without and with empty rows
LAYER = {"weight": MATRIX, "bias": partial(nullable, [rational, SOME])}
FIRST: Line = {"format": "exactdrl-instance", "version": ONCE, "network": {"layers": [LAYER, SOME]}, "layer": SOME}
FIRST |= {"loss": {"kind": "absolute"}, "data": {"inputs": MATRIX, "targets": MATRIX}}
FIRST |= {"start?": partial(nullable, MATRIX)}
LAYER = LAYER | {"weight": WIDE, "activation?": parse_activation}
LOSSES: Any = {"kind": "absolute|hinge|linear|squared"}, {"kind": "pinball", "level": parse_list}
LOSSES += ({"kind": "two-slope", "below": parse_list, "above": parse_list},)
DATA = {"inputs": WIDE, "targets?": partial(nullable, MATRIX), "weights?": partial(nullable, [rational, SOME])}
SECOND: Line = {"format": "exactdrl-instance", "version": range(2, 3), "network": {"layers": [LAYER, SOME]}}
SECOND |= {"loss": LOSSES, "data": DATA, "start?": partial(nullable, WIDE)}
SECOND |= {"free": lambda value, place: 0 if value == "all" else parse(value, SOME, place)}  # 0: all layers


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance: shapes fit, and the last layer's activation is the identity. Entry l - 1 of a list is of layer l."""

    digest: str
    weights: list[Rows]
    biases: list[list[Fraction] | None]
    activations: list[list[Pair]]  # a pair for each unit
    trained: int  # the trained layer, from 1; 0 if all are free
    inputs: Rows
    targets: Rows
    slopes: list[list[Pair]] | None  # of the loss, for each sample and output, times the sample's weight; None: squared
    shares: list[Fraction]  # the samples' weights
    start: Rows  # each row the weights of a unit of the trained layer, and its bias if there is one; else empty


def read_instance(path: str) -> Instance:
    """Returns what an instance file of either version holds."""
    data = b"".join(read_lines(path, INSTANCE_CAP))
    check_exponents(data, "instance")
    content = parse(parse_json(data, "instance"), (FIRST, SECOND), "instance")
    name = "free" if "free" in content else "layer"
    layers, trained = content["network"]["layers"], content[name]
    inputs, targets = content["data"]["inputs"], content["data"].get("targets")
    demand(trained <= len(layers), f"instance: {name}: out of range")
    weights, biases = [layer["weight"] for layer in layers], [layer["bias"] for layer in layers]
    widths = [len(weights[0][0]), *map(len, weights)]
    for number, (weight, bias, width) in enumerate(zip(weights, biases, widths), 1):
        is_fit = {*map(len, weight)} == {width} and (bias is None or len(bias) == len(weight))
        demand(is_fit, f"layer {number}: not {width} weights and a bias for each unit")
    if content["loss"]["kind"] == "linear":
        targets = targets or [[ZERO] * widths[-1]] * len(inputs)
    is_fit = {*map(len, inputs)} == {widths[0]} and [*map(len, targets or ())] == [widths[-1]] * len(inputs)
    demand(is_fit, f"data: not {widths[0]} inputs and {widths[-1]} targets for each sample")
    shares = content["data"].get("weights") or [ONE] * len(inputs)
    slopes = find_slopes(content["loss"], targets, shares)
    start: Rows = []
    if trained:
        start, bias = weights[trained - 1], biases[trained - 1]
        start = [[*row, b] for row, b in zip(start, bias)] if bias else start
    start, sizes = content.get("start") or start, [*map(len, start)]
    demand([*map(len, start)] == sizes, f"start: not {len(sizes)} rows of {(sizes or [0])[0]} numbers")
    activations = [find_activation(layers, number) for number in range(1, len(layers) + 1)]
    if set(activations[-1]) != {(ONE, ONE)}:  # as if the identity followed (section 2a)
        weights.append([[Fraction(i == j) for j in range(widths[-1])] for i in range(widths[-1])])
        biases.append(None)
        activations.append([(ONE, ONE)] * widths[-1])
    digest = hashlib.sha256(data).hexdigest()
    return Instance(digest, weights, biases, activations, trained, inputs, targets, slopes, shares, start)


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


def push(instance: Instance, count: int) -> Rows:
    """Returns the samples' values after some layers, with their activations."""
    values = instance.inputs
    for weight, bias, pairs in list(zip(instance.weights, instance.biases, instance.activations))[:count]:
        shifts = bias or [ZERO] * len(weight)
        values = [[sum(map(mul, row, x), b) for row, b in zip(weight, shifts)] for x in values]
        values = [[t * pair[t > 0] for t, pair in zip(x, pairs)] for x in values]
    return values
