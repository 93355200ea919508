"""An instance: a network, the trained layer, the data, the start. Exact, validated, immutable."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias, TypeGuard

import numpy as np
from gmpy2 import mpq
from numpy.typing import NDArray

from exactdrl.exact.rationals import InputError, shown, to_rational
from exactdrl.problem.doubles import DoubleMatrix, find_doubles

Vector: TypeAlias = tuple[mpq, ...]
Matrix: TypeAlias = tuple[Vector, ...]
# a `DoubleMatrix` equals the tuple, and is used like it
Samples: TypeAlias = Matrix | DoubleMatrix

_ZERO, _ONE = mpq(0), mpq(1)


def _has_entries(values: object) -> TypeGuard[Iterable[object]]:
    """Returns whether the values are a list of some kind; an array without axes is not, though it says so."""
    is_text = isinstance(values, (str, bytes, Mapping))
    return not is_text and isinstance(values, Iterable) and getattr(values, "ndim", 1) != 0


def to_vector(values: object, place: str) -> Vector:
    """Returns a tuple of rationals.

    Args:
        values: any sequence of numbers or number texts.
        place: what an error message calls it.

    Raises:
        InputError: it is no sequence, or an entry is no finite number; the message names the entry.
    """
    if not _has_entries(values):
        raise InputError(f"{place}: a list of numbers is needed, not {shown(values)}")
    numbers = []
    for index, value in enumerate(values):
        try:
            numbers.append(to_rational(value))
        except InputError as error:
            raise InputError(f"{place}[{index}]: {error}") from None
    return tuple(numbers)


def to_matrix(rows: object, place: str) -> Matrix:
    """Returns a tuple of equally long tuples of rationals, at least one row and one column.

    Raises:
        InputError: no rows, ragged rows, or an entry that is no finite number; the message names the place.
    """
    if not _has_entries(rows):
        raise InputError(f"{place}: a list of rows is needed, not {shown(rows)}")
    matrix = tuple(to_vector(row, f"{place}[{index}]") for index, row in enumerate(rows))
    if not matrix:
        raise InputError(f"{place} is empty")
    for index, row in enumerate(matrix):
        if len(row) != len(matrix[0]):
            raise InputError(f"{place}[{index}] has {len(row)} entries, {place}[0] has {len(matrix[0])}")
    if not matrix[0]:
        raise InputError(f"{place}[0] is empty")
    return matrix


def to_samples(rows: object, place: str) -> Samples:
    """Returns the matrix of `to_matrix`; one of binary floats makes its rationals when they are asked for.

    Raises:
        InputError: see `to_matrix`.
    """
    if isinstance(rows, DoubleMatrix):
        return rows
    found = find_doubles(rows)
    return to_matrix(rows, place) if found is None else found


@dataclass(frozen=True, slots=True)
class Layer:
    """One affine layer.

    Attributes:
        weight: shape (n_l, n_{l-1}).
        bias: n_l entries, or None for a layer without bias.
    """

    weight: Matrix
    bias: Vector | None

    def affine(self, values: Sequence[mpq]) -> list[mpq]:
        """Returns W values + b, exactly."""
        sums = [sum((w * v for w, v in zip(row, values, strict=True) if w and v), _ZERO) for row in self.weight]
        return sums if self.bias is None else [s + b for s, b in zip(sums, self.bias, strict=True)]


def relu(values: Sequence[mpq]) -> list[mpq]:
    """Returns the positive parts."""
    return [value if value > 0 else _ZERO for value in values]


@dataclass(frozen=True, slots=True)
class Instance:
    """A problem: minimise the L1 loss over the parameters of one layer, from a start.

    Build it with `Instance.create`, which takes plain Python, NumPy or text numbers.

    Attributes:
        layers: layers 1..L+1; ReLU follows every layer but the last.
        layer: the trained layer, 1..L+1.
        inputs: shape (N, n_0).
        targets: shape (N, n_{L+1}).
        start: shape (n_layer, n_{layer-1} + 1), the bias last; without the last column where the trained layer has no
            bias.
        file_digest: the SHA-256 of the file that this instance was read from, None if it was made in memory.
    """

    layers: tuple[Layer, ...]
    layer: int
    inputs: Samples
    targets: Samples
    start: Matrix
    file_digest: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Refuses shapes that do not fit.

        Raises:
            InputError: the message names the place, its shape and the shape that is needed.
        """
        if not self.layers:
            raise InputError("network.layers is empty")
        width = len(self.inputs[0])
        for number, layer in enumerate(self.layers, 1):
            place = f"network.layers[{number - 1}] (layer {number})"
            if len(layer.weight[0]) != width:
                below = "data.inputs have" if number == 1 else f"layer {number - 1} has"
                raise InputError(f"{place}: weight has {len(layer.weight[0])} columns, {below} width {width}")
            width = len(layer.weight)
            if layer.bias is not None and len(layer.bias) != width:
                raise InputError(f"{place}: bias has {len(layer.bias)} entries, weight has {width} rows")
        if not 1 <= self.layer <= len(self.layers):
            raise InputError(f"layer is {self.layer}, the network has layers 1 to {len(self.layers)}")
        if len(self.targets) != len(self.inputs):
            raise InputError(f"data.targets has {len(self.targets)} rows, data.inputs has {len(self.inputs)}")
        if len(self.targets[0]) != width:
            raise InputError(f"data.targets has {len(self.targets[0])} columns, the network has {width} outputs")
        trained = self.layers[self.layer - 1]
        shape = (len(trained.weight), len(trained.weight[0]) + (trained.bias is not None))
        if (len(self.start), len(self.start[0])) != shape:
            raise InputError(
                f"start has shape {(len(self.start), len(self.start[0]))}, layer {self.layer} needs {shape}"
            )

    @classmethod
    def create(
        cls,
        layers: Iterable[tuple[object, object | None]],
        inputs: object,
        targets: object,
        *,
        layer: int = 1,
        start: object | None = None,
        file_digest: str | None = None,
    ) -> "Instance":
        """Returns an instance from numbers of any exact kind.

        Args:
            layers: (weight, bias) of layers 1..L+1; bias None for a layer without bias.
            inputs: shape (N, n_0). Binary floats mean the dyadic rational that they are, text what is written. Arrays,
                and lists, of nothing but floats are read fastest.
            targets: shape (N, n_{L+1}).
            layer: the trained layer, 1..L+1.
            start: shape (n_layer, n_{layer-1} + 1), without the last column where the bias is None; default: the
                layer's own parameters.
            file_digest: see the class.

        Raises:
            InputError: shapes that do not fit, NaN, infinities; the message names the place and the value.
        """
        built = []
        for index, (weight, bias) in enumerate(layers):
            place = f"network.layers[{index}]"
            matrix = to_matrix(weight, f"{place}.weight")
            built.append(Layer(matrix, None if bias is None else to_vector(bias, f"{place}.bias")))
        if isinstance(layer, bool) or not isinstance(layer, int):
            raise InputError(f"layer is {shown(layer)}, an integer is needed")
        if not built:
            raise InputError("network.layers is empty")
        if not 1 <= layer <= len(built):
            raise InputError(f"layer is {shown(layer)}, the network has layers 1 to {len(built)}")
        if start is None:
            own = built[layer - 1]
            parameters = own.weight
            if own.bias is not None and len(own.bias) == len(own.weight):
                parameters = tuple((*row, b) for row, b in zip(own.weight, own.bias, strict=True))
        else:
            parameters = to_matrix(start, "start")
        return cls(
            tuple(built),
            layer,
            to_samples(inputs, "data.inputs"),
            to_samples(targets, "data.targets"),
            parameters,
            file_digest,
        )

    @property
    def widths(self) -> tuple[int, ...]:
        """Returns n_0..n_{L+1}."""
        return (len(self.inputs[0]), *(len(layer.weight) for layer in self.layers))

    @property
    def has_bias(self) -> bool:
        """Returns whether the trained layer has a bias."""
        return self.layers[self.layer - 1].bias is not None

    @property
    def digest(self) -> str:
        """Returns the SHA-256 by which a certificate names this instance: its file's, written or not."""
        if self.file_digest is not None:
            return self.file_digest
        from exactdrl.problem.file import to_json_text  # noqa: PLC0415 - the file format knows the instance

        return hashlib.sha256(to_json_text(self).encode("ascii")).hexdigest()

    def pushed_inputs(self) -> list[list[mpq]]:
        """Returns x̃, shape (N, m): inputs pushed exactly through the layers below, with 1 appended for a bias."""
        pushed = []
        for row in self.inputs:
            values = list(row)
            for layer in self.layers[: self.layer - 1]:
                values = relu(layer.affine(values))
            pushed.append([*values, _ONE] if self.has_bias else values)
        return pushed

    def regression_doubles(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Returns x̃ and the targets where the network is one layer and all of them are binary floats."""
        inputs, targets = self.inputs, self.targets
        if len(self.layers) > 1 or not isinstance(inputs, DoubleMatrix) or not isinstance(targets, DoubleMatrix):
            return None
        pushed = np.hstack([inputs.doubles, np.ones((len(inputs), 1))]) if self.has_bias else inputs.doubles
        return pushed, targets.doubles

    def with_start(self, start: object) -> "Instance":
        """Returns the same problem with another start. It is a new instance, with another digest."""
        return replace(self, start=to_matrix(start, "start"), file_digest=None)

    def loss(self, parameters: Sequence[Sequence[mpq]]) -> mpq:
        """Returns the L1 loss at parameters [W | b] of the trained layer, by a plain exact forward pass."""
        weight, bias = parameters, None
        if self.has_bias:
            weight, bias = [row[:-1] for row in parameters], tuple(row[-1] for row in parameters)
        trained = Layer(tuple(tuple(row) for row in weight), bias)
        layers = (*self.layers[: self.layer - 1], trained, *self.layers[self.layer :])
        total = _ZERO
        for row, target in zip(self.inputs, self.targets, strict=True):
            values = list(row)
            for layer in layers[:-1]:
                values = relu(layer.affine(values))
            total += sum((abs(f - y) for f, y in zip(layers[-1].affine(values), target, strict=True)), _ZERO)
        return total
