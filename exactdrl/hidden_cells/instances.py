"""Conversions from an instance to a `Setting`, and from data to an instance."""

from collections.abc import Sequence

from gmpy2 import mpq

from exactdrl.exact.rationals import InputError
from exactdrl.hidden_cells.setting import LossKind, Setting
from exactdrl.problem.activation import IDENTITY, Activation
from exactdrl.problem.instance import Instance, Samples
from exactdrl.problem.loss import Loss

_TWO = 2


def loss_kind(instance: Instance) -> LossKind:
    """Returns the kind of an instance's loss.

    Raises:
        InputError: it is neither squared nor absolute, or samples have weights.
    """
    if instance.weights is not None and any(weight != 1 for weight in instance.weights):
        raise InputError("the samples have weights, but cells are judged without: leave the weights out")
    if instance.loss.kind not in {"squared", "absolute"}:
        raise InputError(f"the loss is {instance.loss.kind}; cells are judged for squared and absolute loss")
    return "squared" if instance.loss.kind == "squared" else "absolute"


def to_setting(instance: Instance, units: int | None = None) -> Setting:
    """Returns an instance as a `Setting`.

    Args:
        instance: with one hidden layer and one output.
        units: K; default: as many as the hidden layer has.

    Raises:
        InputError: it has another shape, units with different activations, weights, or another loss.
    """
    kind = loss_kind(instance)
    if len(instance.layers) != _TWO or instance.layers[1].activations != (IDENTITY,):
        raise InputError(
            f"the network has widths {','.join(map(str, instance.widths))}; "
            "cells are those of one hidden layer and one output"
        )
    hidden, last = instance.layers
    activation = hidden.activations[0]
    if any(other != activation for other in hidden.activations):
        raise InputError("the units of the hidden layer have different activations; cells need the same one for all")
    return Setting.create(
        instance.inputs,
        [row[0] for row in instance.targets],
        units=len(hidden.weight) if units is None else units,
        loss=kind,
        slopes=(activation.below, activation.above),
        has_bias=hidden.bias is not None,
        has_output_bias=last.bias is not None,
    )


def from_data(
    inputs: Samples | Sequence[Sequence[mpq]],
    targets: Sequence[mpq],
    *,
    units: int,
    loss: LossKind,
    slopes: tuple[mpq, mpq],
    has_bias: bool,
    has_output_bias: bool,
) -> Instance:
    """Returns the instance of a network with one hidden layer and data; all parameters are 0, and free.

    Args:
        inputs: N rows.
        targets: N numbers.
        units: K.
        loss: its kind.
        slopes: of the hidden activation, below and above 0.
        has_bias: whether the hidden layer has a bias.
        has_output_bias: whether the output has one.

    Raises:
        InputError: the data have no input and no bias, or the slopes are both 0.
    """
    size = len(inputs[0])
    if not size and not has_bias:
        raise InputError("the data have no input column, and the hidden layer has no bias")
    zero = mpq(0)
    return Instance.create(
        [
            ([[zero] * size] * units, [zero] * units if has_bias else None, Activation(*slopes)),
            ([[zero] * units], [zero] if has_output_bias else None),
        ],
        inputs,
        [[target] for target in targets],
        free="all",
        loss=Loss.squared() if loss == "squared" else Loss.absolute(),
    )
