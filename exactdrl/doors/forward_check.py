"""A check that a program's own forward pass is that of the network that was read from the program.

The program computes in floats and the network exactly, so that the outputs differ. The difference has a proved bound. A
larger difference shows that the program computes another function, and is refused.

Source: proofs/forward-check.md has the bound, its assumptions and its proof.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from gmpy2 import mpq

from exactdrl.doors.floats import FloatKind
from exactdrl.exact.rationals import InputError, to_float, to_rational
from exactdrl.problem.instance import Layer

_ZERO, _ONE = mpq(0), mpq(1)
_HALF = mpq(1, 2)
# how many exact products the check may take, which is a matter of seconds
_MOST_PRODUCTS = 1 << 19
_PLAIN_SLOPES = frozenset({mpq(0), mpq(1), mpq(-1)})


@dataclass(frozen=True, slots=True)
class ForwardCheck:
    """The result of a check.

    Attributes:
        samples: how many samples were compared.
        difference: the largest difference between an output and the exact one.
        bound: the largest of the proved bounds.
    """

    samples: int
    difference: mpq
    bound: mpq

    @property
    def words(self) -> str:
        """Returns the result in a sentence."""
        difference, bound = to_float(self.difference), to_float(self.bound)
        return (
            f"the program's own outputs on {self.samples} samples differ from the exact ones by at most "
            f"{difference:.2g}; rounding explains up to {bound:.2g}"
        )


def choose_samples(layers: Sequence[Layer], count: int) -> list[int]:
    """Returns the samples that are compared: all of them, or evenly spaced ones that take some seconds."""
    products = sum(len(layer.weight) * len(layer.weight[0]) for layer in layers)
    most = max(1, _MOST_PRODUCTS // products)
    if count <= most:
        return list(range(count))
    return sorted({round(index) for index in np.linspace(0, count - 1, most)})


def is_bounded(layers: Sequence[Layer], kind: FloatKind) -> bool:
    """Returns whether the bound holds, which it does if the sums are short enough for the kind of floats."""
    longest = max(len(layer.weight[0]) for layer in layers)
    return bool((longest + 2) * kind.roundoff <= _HALF)


def check_forward(
    layers: Sequence[Layer], inputs: np.ndarray, outputs: np.ndarray, kind: FloatKind, place: str
) -> ForwardCheck:
    """Returns how far a program's outputs are from the exact ones.

    Args:
        layers: the layers of the network.
        inputs: the floats that the program was given, shape (samples, n_0).
        outputs: the outputs that it computed, shape (samples, n_{L+1}).
        kind: the kind of floats that it computed in; `is_bounded` has to hold for it.
        place: what error messages call the program.

    Raises:
        InputError: the outputs have another shape, are not finite, or differ by more than rounding explains; the
            message names the sample and the output.
    """
    shape = (len(inputs), len(layers[-1].weight))
    if outputs.shape != shape:
        raise InputError(
            f"{place}: its own outputs have shape {outputs.shape}; those of the layers that were read, {shape}"
        )
    largest = ForwardCheck(len(inputs), _ZERO, _ZERO)
    for sample, (row, made) in enumerate(zip(inputs.tolist(), outputs.tolist(), strict=True)):
        exact, bounds = bound_forward(layers, [to_rational(value) for value in row], kind)
        for output, (value, own, bound) in enumerate(zip(exact, made, bounds, strict=True)):
            where = f"{place}: on sample {sample} its own output {output}"
            try:
                difference = abs(to_rational(own) - value)
            except InputError:
                raise InputError(f"{where} is {own}, the exact one is {to_float(value):.9g}") from None
            if difference > bound:
                raise InputError(
                    f"{where} is {own:.9g}, but the layers that were read give {to_float(value):.9g}, and rounding "
                    f"explains at most {to_float(bound):.2g}; so its forward pass is not this chain of layers"
                )
            largest = ForwardCheck(len(inputs), max(largest.difference, difference), max(largest.bound, bound))
    return largest


def bound_forward(layers: Sequence[Layer], row: Sequence[mpq], kind: FloatKind) -> tuple[list[mpq], list[mpq]]:
    """Returns the exact outputs on a sample, and for each a bound on the error of the forward pass in floats.

    Args:
        layers: the layers of the network.
        row: the sample, whose numbers are floats of the kind.
        kind: the kind of the floats.

    Source: proofs/forward-check.md.
    """
    values, errors = list(row), [_ZERO] * len(row)
    unit, tiny = kind.roundoff, kind.smallest
    for layer in layers:
        length = len(layer.weight[0]) + 2
        gamma = length * unit / (1 - length * unit)
        sizes = [abs(value) + error for value, error in zip(values, errors, strict=True)]
        exact = layer.affine(values)
        spread = []
        for index, weights in enumerate(layer.weight):
            carried = sum((abs(w) * e for w, e in zip(weights, errors, strict=True) if w and e), _ZERO)
            size = sum((abs(w) * s for w, s in zip(weights, sizes, strict=True) if w), _ZERO)
            bias = _ZERO if layer.bias is None else abs(layer.bias[index])
            spread.append(carried + gamma * (size + bias) + 4 * length * tiny)
        values, errors = [], []
        for activation, value, error in zip(layer.activations, exact, spread, strict=True):
            steepest = max(abs(activation.below), abs(activation.above))
            bound = steepest * error
            if not {activation.below, activation.above} <= _PLAIN_SLOPES:
                bound += 16 * unit * steepest * (abs(value) + error) + 16 * tiny
            values.append(activation(value))
            errors.append(bound)
    return values, errors
