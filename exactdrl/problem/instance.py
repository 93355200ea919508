"""An instance: a network, data, a loss, what is trained, and the start. It is exact, validated and immutable."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias, TypeGuard

import numpy as np
from gmpy2 import mpq
from numpy.typing import NDArray

from exactdrl.exact.rationals import InputError, shown, to_number_text, to_rational
from exactdrl.problem.activation import IDENTITY, RELU, Activation
from exactdrl.problem.doubles import DoubleMatrix, find_doubles
from exactdrl.problem.facts import Facts
from exactdrl.problem.loss import Loss
from exactdrl.problem.names import loss_name

Vector: TypeAlias = tuple[mpq, ...]
Matrix: TypeAlias = tuple[Vector, ...]
# a `DoubleMatrix` compares and behaves like the tuple
Samples: TypeAlias = Matrix | DoubleMatrix
# the trained layer, 1..L+1, or all parameters of all layers
Free: TypeAlias = int | Literal["all"]

_ZERO, _ONE = mpq(0), mpq(1)
# losses under which every residual has a kink, unless its sample's weight is 0
_KINKED = frozenset({"absolute", "pinball", "hinge"})
_PAIR = 2


def _has_entries(values: object) -> TypeGuard[Iterable[object]]:
    """Returns whether the values are a list of some kind. An array without axes is none, though it has an iterator."""
    is_text = isinstance(values, (str, bytes, Mapping))
    return not is_text and isinstance(values, Iterable) and getattr(values, "ndim", 1) != 0


def to_vector(values: object, place: str) -> Vector:
    """Returns a tuple of rationals.

    Args:
        values: any sequence of numbers or number texts.
        place: what an error message calls them.

    Raises:
        InputError: the values are no sequence, or an entry is no finite number; the message names the entry.
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


def to_matrix(rows: object, place: str, *, may_be_narrow: bool = False) -> Matrix:
    """Returns a tuple of equally long tuples of rationals, at least one row and one column.

    Args:
        rows: any sequence of sequences of numbers.
        place: what an error message calls the rows.
        may_be_narrow: whether rows without any entry are allowed.

    Raises:
        InputError: there are no rows, rows differ in length, or an entry is no finite number; the message names the
            place.
    """
    if not _has_entries(rows):
        raise InputError(f"{place}: a list of rows is needed, not {shown(rows)}")
    matrix = tuple(to_vector(row, f"{place}[{index}]") for index, row in enumerate(rows))
    if not matrix:
        raise InputError(f"{place} is empty")
    for index, row in enumerate(matrix):
        if len(row) != len(matrix[0]):
            raise InputError(f"{place}[{index}] has {len(row)} entries, {place}[0] has {len(matrix[0])}")
    if not matrix[0] and not may_be_narrow:
        raise InputError(f"{place}[0] is empty")
    return matrix


def to_samples(rows: object, place: str, *, may_be_narrow: bool = False) -> Samples:
    """Returns the matrix of `to_matrix`; a matrix of binary floats makes its rationals on demand.

    Raises:
        InputError: see `to_matrix`.
    """
    if isinstance(rows, DoubleMatrix):
        return rows
    found = find_doubles(rows)
    return to_matrix(rows, place, may_be_narrow=may_be_narrow) if found is None else found


def to_activations(value: object, units: int, place: str) -> tuple[Activation, ...]:
    """Returns one activation for each unit.

    Args:
        value: an `Activation`, a pair of slopes (below, above), or a list of one of these for each unit.
        units: how many units the layer has.
        place: what an error message calls it.

    Raises:
        InputError: the value is none of these, or both slopes of an activation are 0; the message names the place.
    """
    if isinstance(value, Activation):
        return (value,) * units
    entries = list(value) if _has_entries(value) else []
    if len(entries) == _PAIR and not any(isinstance(e, Activation) or _has_entries(e) for e in entries):
        return (_to_activation(value, place),) * units
    if len(entries) != units:
        raise InputError(f"{place}: a pair of slopes, or one for each of {units} units, is needed, not {shown(value)}")
    return tuple(
        entry if isinstance(entry, Activation) else _to_activation(entry, f"{place}[{index}]")
        for index, entry in enumerate(entries)
    )


def _to_activation(value: object, place: str) -> Activation:
    slopes = to_vector(value, place)
    if len(slopes) != _PAIR:
        raise InputError(f"{place} has {len(slopes)} numbers, two slopes are needed: below 0 and above 0")
    try:
        return Activation(*slopes)
    except InputError as error:
        raise InputError(f"{place}: {error}") from None


@dataclass(frozen=True, slots=True)
class Layer:
    """One affine layer and the activations that follow it.

    Attributes:
        weight: shape (n_l, n_{l-1}).
        bias: n_l entries, or None for a layer without bias.
        activations: one activation for each unit.
    """

    weight: Matrix
    bias: Vector | None
    activations: tuple[Activation, ...]

    def affine(self, values: Sequence[mpq]) -> list[mpq]:
        """Returns the preactivations W values + b, exactly."""
        sums = [sum((w * v for w, v in zip(row, values, strict=True) if w and v), _ZERO) for row in self.weight]
        return sums if self.bias is None else [s + b for s, b in zip(sums, self.bias, strict=True)]

    def apply(self, values: Sequence[mpq]) -> list[mpq]:
        """Returns the layer's activations from those of the layer below, exactly."""
        return [activation(z) for activation, z in zip(self.activations, self.affine(values), strict=True)]

    def with_parameters(self, parameters: Sequence[Sequence[mpq]]) -> "Layer":
        """Returns the layer with other parameters, rows [W | b], the last column only where the layer has a bias."""
        if self.bias is None:
            return Layer(tuple(map(tuple, parameters)), None, self.activations)
        return Layer(tuple(tuple(row[:-1]) for row in parameters), tuple(r[-1] for r in parameters), self.activations)

    @property
    def parameters(self) -> Matrix:
        """Returns rows [W | b], the last column only where the layer has a bias."""
        if self.bias is None:
            return self.weight
        return tuple((*row, b) for row, b in zip(self.weight, self.bias, strict=True))


@dataclass(frozen=True, slots=True)
class Instance(Facts):
    """A problem: minimise a loss over the parameters of one layer, or of all layers, from a start.

    Build it with `Instance.create`, which takes plain Python, NumPy or text numbers.

    Attributes:
        layers: layers 1..L+1; the last layer's activations are the identity.
        free: the trained layer, 1..L+1, or "all" for the parameters of all layers.
        inputs: shape (N, n_0).
        targets: shape (N, n_{L+1}).
        start: the start in the trained layer, rows [W | b] of shape (n_layer, n_{layer-1} + 1), without the last column
            where that layer has no bias. Empty where all parameters are free; the layers' own parameters are then the
            start.
        loss: the loss of a residual, summed over samples and outputs.
        weights: a nonnegative number for each sample, by which its share of the loss is multiplied; None for 1 each.
        file_digest: the SHA-256 of the file from which this instance was read; None if it was made in memory.
        file_path: the path of that file.
    """

    layers: tuple[Layer, ...]
    free: Free
    inputs: Samples
    targets: Samples
    start: Matrix
    loss: Loss = field(default_factory=Loss.absolute)
    weights: Vector | None = None
    file_digest: str | None = field(default=None, compare=False)
    file_path: Path | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Refuses shapes that do not fit.

        Raises:
            InputError: the message names the place, its shape and the shape that is needed.
        """
        width = self._check_layers()
        if len(self.targets) != len(self.inputs):
            raise InputError(f"data.targets has {len(self.targets)} rows, data.inputs has {len(self.inputs)}")
        if len(self.targets[0]) != width:
            raise InputError(f"data.targets has {len(self.targets[0])} columns, the network has {width} outputs")
        self._check_loss(width)
        if self.free == "all":
            if self.start:
                raise InputError(
                    "start is given, though all parameters are free and the network's own are the start; leave it out"
                )
            return
        trained = self.layers[self.layer - 1]
        shape = (len(trained.weight), len(trained.weight[0]) + (trained.bias is not None))
        if (len(self.start), len(self.start[0])) != shape:
            raise InputError(
                f"start has shape {(len(self.start), len(self.start[0]))}, layer {self.layer} needs {shape}"
            )
        if not shape[1]:
            raise InputError(f"layer {self.layer} has neither inputs nor a bias, so that there is nothing to train")

    def _title(self) -> str:
        return "exactdrl instance" if self.file_path is None else f"exactdrl instance {self.file_path.name}"

    def _facts(self) -> list[tuple[str, str]]:
        trained = "all layers" if self.free == "all" else f"layer {self.free}"
        entries = self.layers if self.free == "all" else (self.layers[self.layer - 1],)
        count = sum(len(layer.weight) * (len(layer.weight[0]) + (layer.bias is not None)) for layer in entries)
        kinds = sorted({str(kind) for layer in self.layers[:-1] for kind in layer.activations})
        return [
            ("network", f"widths {', '.join(map(str, self.widths))}"),
            ("activation", ", ".join(kinds)) if kinds else ("activation", "none"),
            ("free", f"{trained}, {count} parameters"),
            ("loss", loss_name(self.loss) if len(self.loss.below) <= 1 else self.loss.kind),
            ("samples", f"{len(self.inputs)}{'' if self.weights is None else ', weighted'}"),
        ]

    def _check_layers(self) -> int:
        """Refuses layers that do not fit, and returns the number of outputs."""
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
            if len(layer.activations) != width:
                raise InputError(f"{place}: activation has {len(layer.activations)} entries, weight has {width} rows")
        if self.free != "all" and not 1 <= self.free <= len(self.layers):
            raise InputError(f"layer is {shown(self.free)}, the network has layers 1 to {len(self.layers)}")
        return width

    def _check_loss(self, outputs: int) -> None:
        self.loss.check_outputs(outputs)
        if self.loss.kind == "hinge":
            for index, row in enumerate(self.targets):
                for output, target in enumerate(row):
                    if abs(target) != 1:
                        place = f"data.targets[{index}][{output}]"
                        raise InputError(f"{place} is {to_number_text(target)}; the hinge loss has targets 1 and -1")
        if self.weights is not None:
            if len(self.weights) != len(self.inputs):
                raise InputError(f"data.weights has {len(self.weights)} entries, data.inputs has {len(self.inputs)}")
            for index, weight in enumerate(self.weights):
                if weight < 0:
                    raise InputError(f"data.weights[{index}] is {to_number_text(weight)}; it must not be negative")

    @classmethod
    def create(
        cls,
        layers: Iterable[tuple[object, ...]],
        inputs: object,
        targets: object | None,
        *,
        layer: object = 1,
        free: object | None = None,
        start: object | None = None,
        loss: Loss | None = None,
        weights: object | None = None,
        file_digest: str | None = None,
    ) -> "Instance":
        """Returns an instance from numbers of any exact kind.

        Args:
            layers: (weight, bias) or (weight, bias, activation) of layers 1..L+1, of shapes (n_l, n_{l-1}) and (n_l,).
                A layer without bias has the bias None. An activation is given as `to_activations` takes it; default:
                ReLU, and the identity in the last layer. If the last layer has another activation, an identity layer is
                appended.
            inputs: shape (N, n_0). Binary floats mean the dyadic rationals that they are, and texts mean what they
                write. Arrays and lists of floats only are read fastest.
            targets: shape (N, n_{L+1}); may be None for a linear loss.
            layer: the trained layer, 1..L+1.
            free: the same, or "all" for the parameters of all layers; in place of `layer`.
            start: the start in the trained layer, rows [W | b] of shape (n_layer, n_{layer-1} + 1), without the last
                column where the bias is None; default: the layer's own parameters.
            loss: the loss; default: absolute.
            weights: a nonnegative number for each sample; default: 1 each.
            file_digest: see the class.

        Raises:
            InputError: shapes do not fit, or a number is not finite; the message names the place and the value.
        """
        samples = to_samples(inputs, "data.inputs", may_be_narrow=True)
        built = _build_layers(layers, is_narrow=not len(samples[0]))
        chosen: object = layer if free is None else free
        if chosen != "all" and (isinstance(chosen, bool) or not isinstance(chosen, int)):
            raise InputError(f"layer is {shown(chosen)}, an integer is needed")
        if not built:
            raise InputError("network.layers is empty")
        if isinstance(chosen, int) and not 1 <= chosen <= len(built):
            raise InputError(f"layer is {shown(chosen)}, the network has layers 1 to {len(built)}")
        if start is not None:
            parameters = to_matrix(start, "start")
        elif isinstance(chosen, int):
            own = built[chosen - 1]
            fits = own.bias is None or len(own.bias) == len(own.weight)
            parameters = own.parameters if fits else own.weight
        else:
            parameters = ()
        kind = loss or Loss.absolute()
        if targets is None and kind.kind == "linear":
            targets = [[_ZERO] * len(built[-1].weight) for _ in samples]
        return cls(
            tuple(built),
            chosen if isinstance(chosen, int) else "all",
            samples,
            to_samples(targets, "data.targets"),
            parameters,
            kind,
            None if weights is None else to_vector(weights, "data.weights"),
            file_digest,
        )

    @property
    def layer(self) -> int:
        """Returns the trained layer.

        Raises:
            InputError: all parameters are free.
        """
        if self.free == "all":
            raise InputError(
                "all parameters are free, but one trained layer is needed; name it in the instance (free=1)"
            )
        return self.free

    def with_free(self, free: Free) -> "Instance":
        """Returns the same network and data with other parameters free, from the point where this instance starts.

        The result is a new instance with another digest.

        Raises:
            InputError: there is no such layer.
        """
        layers = list(self.layers)
        if self.free != "all":
            layers[self.free - 1] = layers[self.free - 1].with_parameters(self.start)
        if free != "all" and not 1 <= free <= len(layers):
            raise InputError(f"layer is {free}, the network has layers 1 to {len(layers)}")
        start = () if free == "all" else layers[free - 1].parameters
        return replace(self, layers=tuple(layers), free=free, start=start, file_digest=None, file_path=None)

    @property
    def widths(self) -> tuple[int, ...]:
        """Returns n_0..n_{L+1}."""
        return (len(self.inputs[0]), *(len(layer.weight) for layer in self.layers))

    @property
    def has_bias(self) -> bool:
        """Returns whether the trained layer has a bias."""
        return self.layers[self.layer - 1].bias is not None

    @property
    def is_plain(self) -> bool:
        """Returns whether a file of version 1 can describe the instance.

        It can with ReLU, the absolute loss, no weights of samples, and one trained layer.
        """
        last = len(self.layers) - 1
        return (
            self.free != "all"
            and self.loss.kind == "absolute"
            and self.weights is None
            and bool(self.widths[0])
            and all(
                activation == (IDENTITY if index == last else RELU)
                for index, layer in enumerate(self.layers)
                for activation in layer.activations
            )
        )

    @property
    def digest(self) -> str:
        """Returns the SHA-256 of the instance's file, written or not, by which a certificate names the instance."""
        if self.file_digest is not None:
            return self.file_digest
        from exactdrl.problem.file import to_json_text  # noqa: PLC0415 - the file format knows the instance

        return hashlib.sha256(to_json_text(self).encode("ascii")).hexdigest()

    def sample_weight(self, sample: int) -> mpq:
        """Returns the number by which a sample's share of the loss is multiplied."""
        return _ONE if self.weights is None else self.weights[sample]

    def entry_slopes(self, sample: int) -> list[tuple[mpq, mpq]]:
        """Returns, for each output, the slopes of a sample's share of the loss below and above a residual of 0.

        Raises:
            InputError: the loss is squared.
        """
        weight = self.sample_weight(sample)
        pairs = (self.loss.slopes(output, target) for output, target in enumerate(self.targets[sample]))
        return [(weight * below, weight * above) for below, above in pairs]

    def pushed_inputs(self) -> list[list[mpq]]:
        """Returns x̃, shape (N, m): inputs pushed exactly through the layers below, with 1 appended for a bias."""
        pushed = []
        for row in self.inputs:
            values = list(row)
            for layer in self.layers[: self.layer - 1]:
                values = layer.apply(values)
            pushed.append([*values, _ONE] if self.has_bias else values)
        return pushed

    def regression_doubles(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Returns x̃ and the targets of a regression in which every residual has a kink and every number is a float.

        None for all other instances.
        """
        inputs, targets = self.inputs, self.targets
        if not isinstance(inputs, DoubleMatrix) or not isinstance(targets, DoubleMatrix):
            return None
        if len(self.layers) > 1 or self.free == "all" or self.weights is not None or not self.widths[0]:
            return None
        if self.loss.kind not in _KINKED:
            return None
        pushed = np.hstack([inputs.doubles, np.ones((len(inputs), 1))]) if self.has_bias else inputs.doubles
        return pushed, targets.doubles

    def with_start(self, start: object) -> "Instance":
        """Returns the same problem with another start, as a new instance with another digest.

        Raises:
            InputError: the start has another shape than the trained layer.
        """
        return replace(self, start=to_matrix(start, "start"), file_digest=None, file_path=None)

    def loss_at(self, layers: Sequence[Layer]) -> mpq:
        """Returns the loss of a network on the instance's data, by a plain exact forward pass."""
        total = _ZERO
        for sample, (row, target) in enumerate(zip(self.inputs, self.targets, strict=True)):
            values = list(row)
            for layer in layers:
                values = layer.apply(values)
            share = (self.loss.value(f - y, j, y) for j, (f, y) in enumerate(zip(values, target, strict=True)))
            total += self.sample_weight(sample) * sum(share, _ZERO)
        return total

    def loss_of(self, parameters: Sequence[Sequence[mpq]]) -> mpq:
        """Returns the loss at parameters [W | b] of the trained layer, by a plain exact forward pass."""
        trained = self.layers[self.layer - 1].with_parameters(parameters)
        return self.loss_at((*self.layers[: self.layer - 1], trained, *self.layers[self.layer :]))

    @property
    def point_layers(self) -> tuple[Layer, ...]:
        """Returns the network at the start: the layers, the trained one with the start's parameters."""
        if self.free == "all":
            return self.layers
        index = self.layer - 1
        return (*self.layers[:index], self.layers[index].with_parameters(self.start), *self.layers[index + 1 :])


def _build_layers(layers: Iterable[tuple[object, ...]], *, is_narrow: bool) -> list[Layer]:
    parts = list(layers)
    built = []
    for index, (weight, bias, *rest) in enumerate(parts):
        place = f"network.layers[{index}]"
        matrix = to_matrix(weight, f"{place}.weight", may_be_narrow=is_narrow and index == 0)
        given = rest[0] if rest else None
        default = IDENTITY if index == len(parts) - 1 else RELU
        activations = to_activations(default if given is None else given, len(matrix), f"{place}.activation")
        built.append(Layer(matrix, None if bias is None else to_vector(bias, f"{place}.bias"), activations))
    if built and any(activation != IDENTITY for activation in built[-1].activations):
        width = len(built[-1].weight)
        identity = tuple(tuple(mpq(row == column) for column in range(width)) for row in range(width))
        built.append(Layer(identity, None, (IDENTITY,) * width))
    return built
