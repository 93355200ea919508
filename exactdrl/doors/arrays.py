"""Instances from arrays, tensors and nested lists.

Binary floats mean the dyadic rationals that they are, and texts mean what they write. Nothing is rounded.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from exactdrl.doors.floats import is_tensor, to_array
from exactdrl.exact.rationals import InputError
from exactdrl.problem.doubles import DoubleMatrix
from exactdrl.problem.instance import Instance, Samples, to_samples
from exactdrl.problem.loss import Loss


@dataclass(frozen=True, slots=True)
class Data:
    """Samples with their targets.

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
    activations: Sequence[object | None] | None = None,
    layer: int = 1,
    free: object | None = None,
    start: object | None = None,
    loss: Loss | None = None,
    sample_weights: object | None = None,
) -> Instance:
    """Returns an instance from arrays, tensors, nested lists, frames or anything that NumPy reads as an array.

    Tensors of PyTorch are taken without their gradients.

    Args:
        weights: the weights of layers 1..L+1, shape (n_l, n_{l-1}) each, with a row for each unit. (scikit-learn and
            Keras keep the transposes.)
        biases: the biases of layers 1..L+1, n_l entries each, or None for a layer without bias.
        inputs: shape (N, n_0).
        targets: shape (N, n_{L+1}), or (N,) for one output.
        activations: the activations of layers 1..L+1: for each layer an `Activation`, a pair of slopes below and above
            0, a list of these for the units, or None for the default, which is ReLU after all layers but the last.
        layer: the trained layer, 1..L+1.
        free: the same, or "all" for the parameters of all layers; in place of `layer`.
        start: the start in the trained layer, rows [W | b], shape (n_layer, n_{layer-1} + 1), without the last column
            where the bias is None; default: the layer's own parameters.
        loss: the loss; default: absolute.
        sample_weights: a nonnegative number for each sample; default: 1 each.

    Raises:
        InputError: there are not as many biases or activations as weights, shapes do not fit, or a number is not
            finite; the message names the place and the value.
    """
    if len(weights) != len(biases):
        raise InputError(
            f"{len(weights)} weights and {len(biases)} biases are given; a layer without bias needs the bias None"
        )
    if activations is not None and len(activations) != len(weights):
        raise InputError(
            f"{len(weights)} weights and {len(activations)} activations are given; each layer needs one or None"
        )
    layers: list[tuple[object, ...]] = []
    for index, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        place = f"network.layers[{index}]"
        vector = None if bias is None else to_plain(bias, f"{place}.bias", axes=(1,))
        activation = None if activations is None else activations[index]
        layers.append((to_plain(weight, f"{place}.weight", axes=(2,)), vector, activation))
    return Instance.create(
        layers,
        to_plain(inputs, "data.inputs", axes=(2,)),
        to_target_rows(targets, "data.targets"),
        layer=layer,
        free=free,
        start=None if start is None else to_plain(start, "start", axes=(2,)),
        loss=loss,
        weights=None if sample_weights is None else to_plain(sample_weights, "data.weights", axes=(1,)),
    )


def from_regression(
    inputs: object,
    targets: object,
    *,
    has_bias: bool = True,
    loss: Loss | None = None,
    sample_weights: object | None = None,
) -> Instance:
    """Returns the problem of a regression: one affine layer is trained, from start 0.

    Args:
        inputs: shape (N, n_0).
        targets: shape (N, outputs), or (N,) for one output.
        has_bias: whether there is an intercept, the last parameter of each output.
        loss: the loss; default: absolute, which gives least absolute deviations.
        sample_weights: a nonnegative number for each sample; default: 1 each.

    Raises:
        InputError: see `from_arrays`.
    """
    rows = to_samples(to_plain(inputs, "data.inputs", axes=(2,)), "data.inputs")
    columns = to_samples(to_target_rows(targets, "data.targets"), "data.targets")
    weight = [[0] * len(rows[0]) for _ in columns[0]]
    return Instance.create(
        [(weight, [0] * len(columns[0]) if has_bias else None)],
        rows,
        columns,
        loss=loss,
        weights=None if sample_weights is None else to_plain(sample_weights, "data.weights", axes=(1,)),
    )


def to_plain(values: object, place: str, axes: Sequence[int]) -> object:
    """Returns arrays, frames and tensors as NumPy arrays, and everything else as it is.

    Args:
        values: any object.
        place: what error messages call it.
        axes: the numbers of axes that are allowed.

    Raises:
        InputError: the array has another number of axes, is masked, or cannot be read.
    """
    if isinstance(values, np.ma.MaskedArray):
        raise InputError(f"{place} is a masked array; masked values have no meaning here, so leave their rows out")
    if not is_tensor(values):
        return values
    is_pandas = type(values).__module__.partition(".")[0] == "pandas"
    if is_pandas and hasattr(values, "to_numpy"):
        # a frame's columns of integers must not become floats because another column holds floats
        array = np.asarray(values.to_numpy(dtype=object))
    else:
        array, _ = to_array(values, place)
    if array.ndim not in axes:
        raise InputError(f"{place} has shape {array.shape}; {' or '.join(map(str, axes))} axes are needed")
    return array


def to_target_rows(values: object, place: str) -> object:
    """Returns targets with an axis for the outputs, which is added where there is one output.

    Raises:
        InputError: see `to_plain`.
    """
    plain = to_plain(values, place, axes=(1, 2))
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
