"""Converts an instance to a setting and a point, and back."""

from typing import Literal, TypeAlias

from exactdrl.exact.rationals import InputError, shown
from exactdrl.points.setting import Matrix, Setting, Theta
from exactdrl.problem.instance import Instance

# the instance's own trained layer, all parameters, or a layer from 1
Choice: TypeAlias = Literal["layer", "all"] | int


def choose_free(instance: Instance, free: Choice | None) -> int | Literal["all"]:
    """Returns what is free: a layer from 1, or "all".

    Args:
        instance: the problem.
        free: "layer" for the instance's own layer, "all", or a layer; None for what the instance says.

    Raises:
        InputError: there is no such layer, or the instance names none.
    """
    if free is None:
        return instance.free
    if free == "all":
        return "all"
    if free == "layer":
        if instance.free == "all":
            raise InputError("free is layer, but the instance frees all parameters: name a layer, as in --free 1")
        return instance.free
    if isinstance(free, bool) or not isinstance(free, int) or not 1 <= free <= len(instance.layers):
        raise InputError(f"free is {shown(free)}; layer, all or a layer from 1 to {len(instance.layers)} is needed")
    return free


def read_setting(instance: Instance, free: Choice | None = None) -> tuple[Setting, Theta]:
    """Returns an instance's setting and its point: the network's parameters, in the trained layer the start.

    Raises:
        InputError: see `choose_free`.
    """
    chosen = choose_free(instance, free)
    layers = instance.layers
    loss = instance.loss
    setting = Setting(
        tuple(instance.inputs),
        tuple(instance.targets),
        tuple(instance.sample_weight(sample) for sample in range(len(instance.inputs))),
        tuple(tuple((one.below, one.above) for one in layer.activations) for layer in layers),
        tuple(layer.bias is not None for layer in layers),
        None
        if loss.is_squared
        else tuple(tuple(loss.slopes(j, y) for j, y in enumerate(row)) for row in instance.targets),
        tuple(range(len(layers))) if chosen == "all" else (chosen - 1,),
    )
    theta: list[Matrix] = [layer.parameters for layer in layers]
    if instance.free != "all":
        theta[instance.free - 1] = instance.start
    return setting, tuple(theta)


def write_point(instance: Instance, theta: Theta, free: Choice | None = None) -> Instance:
    """Returns the instance with another point, and with what is free; layers may have another width.

    Raises:
        InputError: see `choose_free`.
    """
    chosen = choose_free(instance, free)
    layers = []
    for layer, matrix in zip(instance.layers, theta, strict=True):
        weight = tuple(row[:-1] for row in matrix) if layer.bias is not None else matrix
        bias = tuple(row[-1] for row in matrix) if layer.bias is not None else None
        slopes = [(one.below, one.above) for one in layer.activations]
        own = slopes if len(slopes) == len(matrix) else slopes[0]
        layers.append((weight, bias, own))
    return Instance.create(
        layers,
        instance.inputs,
        instance.targets,
        free=chosen,
        loss=instance.loss,
        weights=instance.weights,
    )
