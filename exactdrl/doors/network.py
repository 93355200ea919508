"""A network as a file or a program holds it: a chain of affine layers and activations.

Every door for networks builds one of these, and hands it to `to_instance` with the data.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from gmpy2 import mpq

from exactdrl.doors.arrays import to_plain, to_target_rows
from exactdrl.doors.floats import (
    FLOAT64,
    FloatKind,
    check_decimals,
    is_tensor,
    to_array,
    to_decimal,
    to_exact,
    to_numbers,
)
from exactdrl.exact.rationals import InputError, shown, to_float, to_rational
from exactdrl.problem.activation import IDENTITY, Activation
from exactdrl.problem.doubles import DoubleMatrix
from exactdrl.problem.instance import Instance, Layer, Matrix, Vector, to_matrix, to_samples, to_vector
from exactdrl.problem.loss import Loss
from exactdrl.problem.names import ACTIVATION_NAMES, parse_activation

# A name, a pair of slopes, or an activation; see `to_activation`
AnyActivation: TypeAlias = str | tuple[object, object] | Activation

_SAMPLE_AXES = 2
# how many activations behind one layer the bound of proofs/forward-check.md allows for
_MOST_BEHIND = 5
# More axes than any tensor has
_MOST_AXES = 65


@dataclass(frozen=True, slots=True)
class Network:
    """A network.

    Attributes:
        layers: layers 1..L+1.
        names: the name of each layer in the file or program.
        is_flat: whether the network flattens its inputs, so that they may have more than two axes.
        notes: what was decided by a rule while reading, one sentence each.
    """

    layers: tuple[Layer, ...]
    names: tuple[str, ...]
    is_flat: bool = False
    notes: tuple[str, ...] = ()

    @property
    def widths(self) -> tuple[int, ...]:
        """Returns n_0..n_{L+1}."""
        return (len(self.layers[0].weight[0]), *(len(layer.weight) for layer in self.layers))


def to_instance(
    network: Network,
    inputs: object,
    targets: object,
    *,
    layer: int = 1,
    free: object | None = None,
    loss: Loss | None = None,
    sample_weights: object | None = None,
    data_decimals: int | None = None,
) -> Instance:
    """Returns the problem of training a network further, one layer or all of them, from its parameters.

    Args:
        network: the network.
        inputs: shape (N, n_0), with more axes where the network flattens its inputs.
        targets: shape (N, n_{L+1}), or (N,) for one output.
        layer: the trained layer, 1..L+1.
        free: the same, or "all" for the parameters of all layers; in place of `layer`.
        loss: the loss; default: absolute.
        sample_weights: a nonnegative number for each sample; default: 1 each.
        data_decimals: reads floats in the data as decimals with at most so many places, see `to_decimal`.

    Raises:
        InputError: shapes do not fit, or a number is not finite; the message names the place and the value.
    """
    places = check_decimals(data_decimals)
    return Instance.create(
        [(own.weight, own.bias, own.activations) for own in network.layers],
        to_input_rows(inputs, places, is_flat=network.is_flat),
        None if targets is None else to_target_rows(_with_decimals(targets, places), "data.targets"),
        layer=layer,
        free=free,
        loss=loss,
        weights=None if sample_weights is None else to_plain(sample_weights, "data.weights", axes=(1,)),
    )


def to_input_rows(inputs: object, decimals: int | None = None, *, is_flat: bool = False) -> object:
    """Returns inputs with one row a sample.

    Args:
        inputs: shape (N, n_0), or (N, ...) with more axes where `is_flat` is set.
        decimals: reads floats as decimals with at most so many places, see `to_decimal`.
        is_flat: whether further axes are flattened, row by row.

    Raises:
        InputError: the inputs have another number of axes.
    """
    place = "data.inputs"
    plain = to_plain(inputs, place, axes=range(_SAMPLE_AXES, _MOST_AXES) if is_flat else (_SAMPLE_AXES,))
    if isinstance(plain, np.ndarray):
        if plain.ndim > _SAMPLE_AXES:
            plain = plain.reshape(len(plain), -1)
        return to_numbers(plain, to_array(inputs, place)[1], place, decimals) if decimals is not None else plain
    return to_exact(plain, place, decimals)


def to_float_inputs(inputs: object, kind: FloatKind, *, is_flat: bool = False) -> np.ndarray:
    """Returns inputs as a program gets them: rounded to its kind of floats, with all their axes.

    Args:
        inputs: see `to_input_rows`; any exact numbers.
        kind: the kind of the floats.
        is_flat: see `to_input_rows`.

    Returns:
        An array of float64 whose numbers are floats of the kind.

    Raises:
        InputError: see `to_input_rows`; or a number is beyond the floats' range.
    """
    place = "data.inputs"
    samples = to_samples(to_input_rows(inputs, is_flat=is_flat), place)
    exact = (
        samples.doubles
        if isinstance(samples, DoubleMatrix)
        else np.array([[to_float(x) for x in row] for row in samples])
    )
    rounded = np.asarray(_round(exact, kind))
    if not np.isfinite(rounded).all():
        row, column = (int(index) for index in np.argwhere(~np.isfinite(rounded))[0])
        raise InputError(f"{place}[{row}][{column}] is {exact[row, column]}, beyond the range of {kind.name}")
    shape = to_array(inputs, place)[0].shape if is_flat and is_tensor(inputs) else rounded.shape
    return rounded.reshape(shape)


def _round(values: np.ndarray, kind: FloatKind) -> np.ndarray:
    if kind.name == "bfloat16":
        # the nearest float32 whose lower half is 0, with ties to even
        bits = values.astype(np.float32).view(np.uint32)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)).view(np.float32).astype(np.float64)
    with np.errstate(over="ignore"):
        return values.astype(kind.name).astype(np.float64)


def _with_decimals(targets: object, decimals: int | None) -> object:
    return targets if decimals is None else to_exact(targets, "data.targets", decimals)


def to_activation(given: AnyActivation) -> Activation:
    """Returns an activation from its name or its slopes.

    Args:
        given: a name as `exactdrl.problem.names.parse_activation` reads it (`relu`, `identity`, `abs`, `leaky:SLOPE`),
            or a pair of numbers, the slopes below and above 0.

    Raises:
        InputError: it is neither such a name nor such a pair.
    """
    if isinstance(given, Activation):
        return given
    if isinstance(given, str):
        return parse_activation(given)
    if isinstance(given, (tuple, list)) and len(given) == 2:  # noqa: PLR2004 - slopes below and above
        return Activation(to_rational(given[0]), to_rational(given[1]))
    raise InputError(f"activation is {shown(given)}; a pair of slopes or one of {ACTIVATION_NAMES} is needed")


def compose(first: Activation, then: Activation) -> Activation:
    """Returns the activation t ↦ then(first(t)), which has two slopes, too.

    Raises:
        InputError: the composed activation is 0 everywhere.
    """

    def outer(sign: mpq) -> mpq:
        return then.above if sign > 0 else then.below

    # below 0 the inner value has the sign of -first.below
    return Activation(first.below * outer(-first.below), first.above * outer(first.above))


@dataclass(slots=True)
class Chain:
    """A network in the making: affine layers and activations are added in the order of the forward pass.

    Attributes:
        place: what error messages call the network.
        decimals: reads floats as decimals with at most so many places, see `to_decimal`; None takes them as they are.
        is_flat: whether the network flattens its inputs.
    """

    place: str
    decimals: int | None = None
    is_flat: bool = False
    _layers: list[tuple[str, Matrix, Vector | None]] = field(default_factory=list)
    _activations: list[tuple[Activation, ...]] = field(default_factory=list)
    _behind: int = 0

    def add_affine(self, name: str, weight: object, bias: object | None, bias_name: str | None = None) -> None:
        """Adds a layer.

        Args:
            name: the layer's name, or the weight's name where `bias_name` is given.
            weight: shape (n_l, n_{l-1}).
            bias: n_l entries, or None.
            bias_name: the bias's name, where weight and bias have names of their own.

        Raises:
            InputError: a number is not finite, an array has a wrong number of axes, or the width does not fit the layer
                below.
        """
        place = f"{self.place}: {name}.weight" if bias_name is None else f"{self.place}: {name}"
        matrix = to_matrix(self._exact(weight, place, 2), place)
        if self._layers and len(self._layers[-1][1]) != len(matrix[0]):
            below, rows, _ = self._layers[-1]
            raise InputError(f"{place} has {len(matrix[0])} columns, the layer below ({below}) has {len(rows)} units")
        place = f"{self.place}: {bias_name or f'{name}.bias'}"
        vector = None if bias is None else to_vector(self._exact(bias, place, 1), place)
        if vector is not None and len(vector) != len(matrix):
            raise InputError(f"{place} has {len(vector)} entries, the weight has {len(matrix)} rows")
        self._layers.append((name, matrix, vector))
        self._behind = 0
        self._activations.append((IDENTITY,) * len(matrix))

    def add_bias(self, name: str, bias: object) -> None:
        """Adds a bias to the preactivations of the last layer.

        Args:
            name: the bias's name.
            bias: one number for each unit, or one for all units.

        Raises:
            InputError: there is no layer, an activation stands between, or there are not as many numbers as units.
        """
        if not self._layers or any(activation != IDENTITY for activation in self._activations[-1]):
            raise InputError(f"{self.place}: {name} adds numbers to something else than the output of an affine layer")
        below, matrix, old = self._layers[-1]
        place = f"{self.place}: {name}"
        array, kind = to_array(bias, place)
        # one number for all units, or one for each unit behind axes of length 1
        flat = array.reshape(-1)
        if flat.size == 1:
            flat = np.repeat(flat, len(matrix))
        if flat.size != len(matrix) or array.shape[-1:] not in ((), (1,), (len(matrix),)):
            raise InputError(f"{place} has shape {array.shape}, the layer below ({below}) has {len(matrix)} units")
        vector = to_vector(to_numbers(flat, kind, place, self.decimals), place)
        both = vector if old is None else tuple(a + b for a, b in zip(old, vector, strict=True))
        self._layers[-1] = (below, matrix, both)

    def add_activation(self, name: str, *activations: Activation) -> None:
        """Adds an activation behind the last layer.

        Args:
            name: the activation's name.
            activations: one for all units, or one for each unit.

        Raises:
            InputError: there is no layer below, there are not as many activations as units, or there are too many
                activations behind one layer.
        """
        if not self._layers:
            raise InputError(
                f"{self.place}: {name} stands before the first affine layer; apply it to the inputs yourself"
            )
        units = len(self._layers[-1][1])
        each = activations * units if len(activations) == 1 else activations
        self._behind += 1
        if self._behind > _MOST_BEHIND:
            raise InputError(
                f"{self.place}: {name} is the {self._behind}th activation behind one layer; combine these into one"
            )
        if len(each) != units:
            raise InputError(f"{self.place}: {name} has {len(each)} slopes, the layer below has {units} units")
        self._activations[-1] = tuple(compose(a, b) for a, b in zip(self._activations[-1], each, strict=True))

    def slope(self, value: float, kind: FloatKind = FLOAT64) -> mpq:
        """Returns a slope that is given as a float, as a decimal where those are asked for.

        Raises:
            InputError: the slope is not finite, or no such decimal rounds to it.
        """
        exact = to_rational(value)
        return exact if self.decimals is None else to_decimal(exact, kind, self.decimals)

    def build(self, notes: Sequence[str] = ()) -> Network:
        """Returns the network.

        Raises:
            InputError: no affine layer was added.
        """
        if not self._layers:
            raise InputError(f"{self.place}: holds no affine layer")
        layers = tuple(
            Layer(matrix, bias, activations)
            for (_, matrix, bias), activations in zip(self._layers, self._activations, strict=True)
        )
        return Network(layers, tuple(name for name, _, _ in self._layers), self.is_flat, tuple(notes))

    @property
    def has_layers(self) -> bool:
        """Returns whether an affine layer was added."""
        return bool(self._layers)

    def _exact(self, values: object, place: str, axes: int) -> object:
        if not is_tensor(values):
            return to_exact(values, place, self.decimals)
        array, kind = to_array(values, place)
        if array.ndim != axes:
            raise InputError(f"{place} has shape {array.shape}; {axes} axes are needed")
        return to_numbers(array, kind, place, self.decimals)
