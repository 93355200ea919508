"""The instance file (section 2), as it is read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from operator import mul

from .exact import ZERO, Rows
from .reading import INSTANCE_CAP, ONCE, SOME, Line, demand, nullable, parse, parse_json, rational, read_lines

MATRIX = [[rational, SOME], SOME]
NETWORK = {"layers": [{"weight": MATRIX, "bias": partial(nullable, [rational, SOME])}, SOME]}
INSTANCE: Line = {"format": "exactdrl-instance", "version": ONCE, "network": NETWORK, "layer": SOME}
INSTANCE |= {"loss": {"kind": "absolute"}, "data": {"inputs": MATRIX, "targets": MATRIX}}
INSTANCE |= {"start?": partial(nullable, MATRIX)}


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance: shapes fit. Entry l - 1 of a list belongs to layer l."""

    digest: str
    weights: list[Rows]
    biases: list[list[Fraction] | None]
    trained: int  # the trained layer, from 1
    inputs: Rows
    targets: Rows
    start: Rows  # each row the weights of a unit of the trained layer, and its bias if there is one


def read_instance(path: str) -> Instance:
    """Returns what an instance file holds."""
    data = b"".join(read_lines(path, INSTANCE_CAP))
    instance = parse(parse_json(data, "instance"), INSTANCE, "instance")
    layers, trained = instance["network"]["layers"], int(instance["layer"])
    inputs, targets = instance["data"]["inputs"], instance["data"]["targets"]
    demand(trained <= len(layers), "instance: layer: out of range")
    weights, biases = [layer["weight"] for layer in layers], [layer["bias"] for layer in layers]
    widths = [len(weights[0][0]), *map(len, weights)]
    for number, (weight, bias, width) in enumerate(zip(weights, biases, widths), 1):
        is_fit = {*map(len, weight)} == {width} and (bias is None or len(bias) == len(weight))
        demand(is_fit, f"layer {number}: not {width} weights and a bias for each unit")
    is_fit = {*map(len, inputs)} == {widths[0]} and [*map(len, targets)] == [widths[-1]] * len(inputs)
    demand(is_fit, f"data: not {widths[0]} inputs and {widths[-1]} targets for each sample")
    start, bias = weights[trained - 1], biases[trained - 1]
    start = [[*row, b] for row, b in zip(start, bias)] if bias else start
    start, sizes = instance.get("start") or start, [*map(len, start)]
    demand([*map(len, start)] == sizes, f"start: not {len(sizes)} rows of {sizes[0]} numbers")
    return Instance(hashlib.sha256(data).hexdigest(), weights, biases, trained, inputs, targets, start)


def push(instance: Instance, count: int) -> Rows:
    """Returns the samples' values after some layers, with their activations."""
    values = instance.inputs
    for weight, bias in list(zip(instance.weights, instance.biases))[:count]:
        shifts = bias or [ZERO] * len(weight)
        values = [[max(sum(map(mul, row, x), b), ZERO) for row, b in zip(weight, shifts)] for x in values]
    return values
