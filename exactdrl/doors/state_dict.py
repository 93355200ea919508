"""The network in a dict of named weights and biases, as PyTorch's modules return it and safetensors files hold it."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from exactdrl.doors.floats import check_decimals, to_array
from exactdrl.doors.network import AnyActivation, Chain, Network, to_activation
from exactdrl.exact.rationals import InputError, shown

_PARTS = frozenset({"weight", "bias"})
# What wrappers for several devices and compilers put before every name
_WRAPPERS = ("module.", "_orig_mod.")
_NUMBER = re.compile(r"([0-9]+)")
_MATRIX_AXES = 2


def read_state_dict(
    state: object,
    place: str,
    *,
    activation: AnyActivation = "relu",
    order: Sequence[str] | None = None,
    without_bias: Sequence[str] = (),
    decimals: int | None = None,
    is_ordered: bool = True,
) -> Network:
    """Returns the network whose parameters a dict holds under names like `fc1.weight` and `fc1.bias`.

    If the names differ in one number only, the layers are in the order of these numbers. Otherwise they are in the
    order of the dict, which is that of the module's definition. If the dict has lost that order, they are in the only
    order in which their shapes fit.

    Args:
        state: the tensors by their names.
        place: what error messages call the dict.
        activation: the activation after every layer but the last, see `to_activation`.
        order: the layers' names from the input to the output; layers that are not named are left out.
        without_bias: the names of layers that have no bias where other layers have one. Without such a name a missing
            bias is refused.
        decimals: reads floats as decimals with at most so many places, see `to_decimal`.
        is_ordered: whether the dict's order is that of the module.

    Raises:
        InputError: `state` is no dict, a name is not that of a weight or a bias, a tensor has another number of axes, a
            bias has no weight, layers do not fit each other, or a bias is missing; the message names the tensor.
    """
    if not isinstance(state, Mapping):
        hint = "; from_torch reads a module" if hasattr(state, "state_dict") else ""
        raise InputError(f"a state dict is needed, names with tensors, not {shown(type(state).__name__)}{hint}")
    hidden = to_activation(activation)
    layers = _group(state, place)
    notes: list[str] = []
    if order is None:
        names, reason = _find_order(layers, place, is_ordered=is_ordered)
        if reason:
            notes.append(f"the layers are taken in the order {', '.join(names)}: {reason}")
    else:
        names = list(order)
        for name in names:
            if name not in layers:
                raise InputError(f"{place}: no layer is named {shown(name)}; the names are {', '.join(layers)}")
    bare = [name for name in names if "bias" not in layers[name]]
    missing = [name for name in bare if name not in without_bias]
    if missing and len(bare) < len(names):
        shown_name = missing[0] or "(no name)"
        raise InputError(
            f"{place}: {shown(f'{missing[0]}.bias'.lstrip('.'))} is missing, though other layers have a bias; if layer "
            f"{shown_name} has none, type --without-bias {shown_name} (without_bias=[{missing[0]!r}])"
        )
    chain = Chain(place, check_decimals(decimals))
    for position, name in enumerate(names):
        chain.add_affine(name or "the layer", layers[name]["weight"], layers[name].get("bias"))
        if position < len(names) - 1:
            chain.add_activation("the activation", hidden)
    return chain.build(notes)


def _group(state: Mapping[object, object], place: str) -> dict[str, dict[str, object]]:
    """Returns the tensors of each layer, by the layer's name."""
    layers: dict[str, dict[str, object]] = {}
    for key, tensor in state.items():
        name = str(key)
        for wrapper in _WRAPPERS:
            name = name.removeprefix(wrapper)
        layer, _, part = name.rpartition(".")
        if part not in _PARTS:
            raise InputError(f"{place}: {shown(key)} is no weight or bias of an affine layer")
        array, _ = to_array(tensor, f"{place}: {key}")
        axes = _MATRIX_AXES if part == "weight" else 1
        if array.ndim != axes:
            kind = "; a vector of weights belongs to a normalisation or a PReLU" if part == "weight" else ""
            raise InputError(f"{place}: {key} has shape {array.shape}; {axes} axes are needed{kind}")
        layers.setdefault(layer, {})[part] = tensor
    for layer, parts in layers.items():
        if "weight" not in parts:
            raise InputError(f"{place}: {shown(f'{layer}.bias'.lstrip('.'))} has no weight beside it")
    if not layers:
        raise InputError(f"{place}: holds no tensors")
    return layers


def _find_order(layers: Mapping[str, Mapping[str, object]], place: str, *, is_ordered: bool) -> tuple[list[str], str]:
    """Returns the layers' names in their order, and the reason for it, empty where nothing had to be decided."""
    names = list(layers)
    parts = [_NUMBER.split(name) for name in names]
    if len(names) == 1:
        return names, ""
    if len({len(part) for part in parts}) == 1:
        varying = [index for index in range(len(parts[0])) if len({part[index] for part in parts}) > 1]
        if len(varying) == 1 and varying[0] % 2:
            return sorted(names, key=lambda name: int(_NUMBER.split(name)[varying[0]])), ""
    if is_ordered:
        return names, "the names have no numbers that order them, and this is the order of the dict"
    shapes = {name: to_array(layers[name]["weight"], place)[0].shape for name in names}
    orders = _find_chains(shapes)
    if len(orders) == 1:
        return orders[0], "it is the only one in which their shapes fit"
    found = "more than one order" if orders else "no order"
    raise InputError(
        f"{place}: the layers {', '.join(names)} fit each other in {found}; give their order with --order (order=[...])"
    )


def _find_chains(shapes: Mapping[str, tuple[int, ...]]) -> list[list[str]]:
    """Returns at most two orders in which each layer has as many inputs as the layer before has units.

    A layer is an edge from its number of inputs to its number of units, so that an order is an Eulerian path. Euler's
    conditions decide whether the beginning of an order can be continued, so that no search is in vain.
    """
    found: list[list[str]] = []

    def extend(chain: list[str], rest: list[str]) -> None:
        if not rest:
            found.append(chain)
            return
        for name in rest:
            others = [other for other in rest if other != name]
            fits = not chain or shapes[name][1] == shapes[chain[-1]][0]
            if len(found) < 2 and fits and _is_path(others, shapes[name][0], shapes):  # noqa: PLR2004 - two show that there are several
                extend([*chain, name], others)

    extend([], sorted(shapes))
    return found


def _is_path(names: Sequence[str], begin: int, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Returns whether layers have an order that begins with `begin` inputs."""
    if not names:
        return True
    balance: Counter[int] = Counter()
    for name in names:
        units, width = shapes[name]
        balance[width] += 1
        balance[units] -= 1
    # an Eulerian path leaves every width as often as it enters it, except for the first and the last width
    uneven = {width: surplus for width, surplus in balance.items() if surplus}
    if uneven and not (uneven.get(begin) == 1 and sorted(uneven.values()) == [-1, 1]):
        return False
    reached, fresh = {begin}, True
    while fresh:
        ends = {shapes[name][0] for name in names if shapes[name][1] in reached}
        fresh = not ends <= reached
        reached |= ends
    return all(shapes[name][1] in reached for name in names)
