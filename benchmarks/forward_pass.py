"""Times a NumPy float64 forward pass over an instance's data, with which benchmarks compare a step."""

import time
from collections.abc import Callable

import numpy as np

from exactdrl import Instance, to_float


def forward_pass(instance: Instance) -> Callable[[], object]:
    """Returns a function that computes the network's outputs on all samples in float64."""
    layers = []
    for layer in instance.layers:
        weight = np.array([[to_float(w) for w in row] for row in layer.weight]).T
        layers.append((weight, np.array([to_float(b) for b in layer.bias or [0] * len(layer.weight)])))
    inputs = np.array([[to_float(x) for x in row] for row in instance.inputs])

    def run() -> object:
        values = inputs
        for weight, bias in layers[:-1]:
            values = np.maximum(values @ weight + bias, 0)
        return values @ layers[-1][0] + layers[-1][1]

    return run


def seconds_a_call(function: Callable[[], object], repeats: int = 1000) -> float:
    """Returns the mean processor time of a call, which other processes on the machine disturb least."""
    function()
    began = time.process_time()
    for _ in range(repeats):
        function()
    return (time.process_time() - began) / repeats
