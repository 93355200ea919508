"""Conversions between instances and the plain networks of this package."""

from collections.abc import Sequence

from gmpy2 import mpq

from exactdrl.constructions.plain_network import PlainLayer, PlainNetwork, Rows
from exactdrl.exact.rationals import InputError
from exactdrl.hidden_cells.setting import LossKind
from exactdrl.problem.activation import IDENTITY, Activation
from exactdrl.problem.instance import Instance, Samples
from exactdrl.problem.loss import Loss


def to_instance(network: PlainNetwork, inputs: Samples | Rows, targets: Samples | Rows, loss: LossKind) -> Instance:
    """Returns the instance whose point is a network; all parameters are free.

    Args:
        network: the point.
        inputs: N rows.
        targets: N rows.
        loss: its kind.
    """
    activation = Activation(*network.slopes)
    layers: list[tuple[object, ...]] = [(layer.weight, layer.bias, activation) for layer in network.layers[:-1]]
    layers.append((network.layers[-1].weight, network.layers[-1].bias))
    kind = Loss.squared() if loss == "squared" else Loss.absolute()
    return Instance.create(layers, inputs, targets, free="all", loss=kind)


def to_plain(instance: Instance) -> PlainNetwork:
    """Returns an instance's network, at the point where it starts.

    Raises:
        InputError: hidden units have different activations.
    """
    layers = instance.layers if instance.free == "all" else instance.with_free("all").layers
    slopes = [activation for layer in layers[:-1] for activation in layer.activations]
    if any(activation != slopes[0] for activation in slopes):
        raise InputError("the hidden units have different activations; the construction needs the same one for all")
    first = slopes[0] if slopes else IDENTITY
    return PlainNetwork(tuple(PlainLayer(layer.weight, layer.bias) for layer in layers), (first.below, first.above))


def to_rows(samples: Samples | Sequence[Sequence[mpq]]) -> Rows:
    """Returns samples as tuples of rationals."""
    return tuple(tuple(row) for row in samples)
