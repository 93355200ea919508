"""Instances from dense models of Keras 3.

The model's layers are read in the order in which the model lists them. Then its own outputs on the data are compared
with the exact ones. A proved bound says what rounding may change, so that a branch or a wrapper is noticed.

Importing this module does not import Keras.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from gmpy2 import mpq

from exactdrl.doors.extras import import_extra
from exactdrl.doors.floats import FLOAT32, KINDS, check_decimals
from exactdrl.doors.forward_check import ForwardCheck, check_forward, choose_samples, is_bounded
from exactdrl.doors.network import Chain, Network, to_float_inputs, to_instance
from exactdrl.exact.rationals import InputError, shown
from exactdrl.problem.activation import RELU, Activation
from exactdrl.problem.instance import Instance
from exactdrl.problem.loss import Loss

# The slope of Keras' function leaky_relu where none is given
_DEFAULT_SLOPE = 0.2
_KNOWN = "Dense, ReLU, LeakyReLU, Activation, Flatten, Dropout, Identity"


def from_keras(
    model: object,
    inputs: object,
    targets: object,
    *,
    layer: int = 1,
    free: object | None = None,
    loss: Loss | None = None,
    sample_weights: object | None = None,
    decimals: int | None = None,
    data_decimals: int | None = None,
) -> Instance:
    """Returns the problem of training a dense Keras model further, one layer or all of them, from its parameters.

    Args:
        model: a built model that is a chain of Dense layers and of activations `relu`, `leaky_relu` or `linear`, which
            may be layers of their own.
        inputs: shape (N, n_0), with more axes where the model flattens its inputs.
        targets: shape (N, n_{L+1}), or (N,) for one output.
        layer: the trained layer, 1..L+1, where only Dense layers are counted.
        free: the same, or "all" for the parameters of all layers; in place of `layer`.
        loss: the loss; default: absolute.
        sample_weights: a nonnegative number for each sample; default: 1 each.
        decimals: reads the parameters as decimals with at most so many places, see `from_torch`.
        data_decimals: the same for the data.

    Raises:
        InputError: Keras is missing; the model has another kind of layer or activation; its own outputs differ from the
            exact ones by more than rounding explains; shapes do not fit, or a number is not finite.
    """
    network = read_keras(model, decimals=decimals)
    instance = to_instance(
        network,
        inputs,
        targets,
        layer=layer,
        free=free,
        loss=loss,
        sample_weights=sample_weights,
        data_decimals=data_decimals,
    )
    check_keras(model, inputs)
    return instance


def read_keras(model: object, *, decimals: int | None = None) -> Network:
    """Returns the network in a Keras model, not yet compared with its forward pass.

    Raises:
        InputError: see `from_keras`.
    """
    keras = import_extra("keras", "keras", "keras")
    if not isinstance(model, keras.Model):
        raise InputError(f"a model of Keras is needed, not an object of type {shown(type(model).__name__)}")
    own: Any = model
    if not own.built:
        raise InputError(f"the model {own.name} has no parameters before it is built; call it on data first")
    chain = Chain(f"the model {own.name}", check_decimals(decimals))
    # a functional model's operations are its layers, and what joins branches without being a layer
    for part in getattr(own, "operations", own.layers):
        _add(chain, part)
    return chain.build()


def _add(chain: Chain, part: Any) -> None:  # noqa: ANN401 - Keras may be missing
    kind, name = type(part).__name__, part.name
    if not type(part).__module__.startswith("keras."):
        raise InputError(f"{chain.place}: {name} is of class {kind}; {_KNOWN} are possible")
    if kind == "Dense":
        numbers = part.get_weights()
        if len(numbers) != 1 + bool(part.use_bias):
            raise InputError(f"{chain.place}: {name} has {len(numbers)} arrays; a kernel and a bias are possible")
        # Keras multiplies from the right, so that its matrices have a column for each unit
        chain.add_affine(name, numbers[0].T, numbers[1] if part.use_bias else None)
        _add_activation(chain, name, part.activation)
    elif kind == "Activation":
        _add_activation(chain, name, part.activation)
    elif kind == "ReLU":
        if part.max_value is not None or part.threshold:
            raise InputError(f"{chain.place}: {name} has a threshold or a largest value; only a bend at 0 is possible")
        chain.add_activation(name, Activation(chain.slope(float(part.negative_slope or 0)), mpq(1)))
    elif kind == "LeakyReLU":
        chain.add_activation(name, Activation(chain.slope(float(part.negative_slope)), mpq(1)))
    elif kind == "Flatten":
        chain.is_flat = chain.is_flat or not chain.has_layers
    elif kind not in {"InputLayer", "Dropout", "Identity"}:
        raise InputError(f"{chain.place}: {name} is of class {kind}; {_KNOWN} are possible")


def _add_activation(chain: Chain, name: str, function: Callable[..., object]) -> None:
    known = getattr(function, "__name__", "")
    if known == "relu":
        chain.add_activation(name, RELU)
    elif known == "leaky_relu":
        chain.add_activation(name, Activation(chain.slope(_DEFAULT_SLOPE), mpq(1)))
    elif known != "linear":
        raise InputError(
            f"{chain.place}: {name} has the activation {shown(known)}; relu, leaky_relu, linear are possible"
        )


def check_keras(model: object, inputs: object) -> ForwardCheck | None:
    """Returns how far a model's own outputs are from the exact ones of the network that is read from it.

    Args:
        model: see `from_keras`.
        inputs: see `from_keras`; the model gets them rounded to its floats.

    Returns:
        The result; None where layers are too wide for the bound to hold in the model's floats.

    Raises:
        InputError: the outputs differ by more than rounding explains, or the model refuses the data.
    """
    keras = import_extra("keras", "keras", "keras")
    network, own = read_keras(model), _as_any(model)
    place = f"the model {own.name}"
    kind = KINDS.get(str(own.compute_dtype), FLOAT32)
    if not is_bounded(network.layers, kind) or kind.name == "bfloat16":
        return None
    given = to_float_inputs(inputs, kind, is_flat=network.is_flat)
    chosen = given[choose_samples(network.layers, len(given))]
    rows = chosen.astype(kind.name)
    try:
        made = np.asarray(keras.ops.convert_to_numpy(own(rows, training=False)), dtype=np.float64)
    except Exception as error:  # noqa: BLE001 - a model raises what its author likes
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"{place} refuses the data ({reason})") from None
    return check_forward(network.layers, chosen.reshape(len(chosen), -1), made.reshape(len(rows), -1), kind, place)


def _as_any(model: object) -> Any:  # noqa: ANN401 - Keras may be missing
    return model
