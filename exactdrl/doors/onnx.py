"""Instances from networks in ONNX files.

The graph has to be a chain of Gemm, or of MatMul and Add, with constant weights, and of Relu, LeakyRelu, PRelu, Abs,
Identity, Flatten, Reshape, Squeeze and Dropout. Any other operator is refused by its name. Then the outputs of ONNX's
reference evaluator on the data are compared with the exact ones; a proved bound says what rounding may change.

Importing this module does not import the package onnx.
"""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from gmpy2 import mpq

from exactdrl.doors.extras import import_extra
from exactdrl.doors.floats import FLOAT32, KINDS, FloatKind, Tensor, check_decimals, to_array
from exactdrl.doors.forward_check import ForwardCheck, check_forward, choose_samples, is_bounded
from exactdrl.doors.network import Chain, Network, to_float_inputs, to_instance
from exactdrl.exact.rationals import InputError, shown, to_rational
from exactdrl.problem.activation import ABSOLUTE_VALUE, RELU, Activation
from exactdrl.problem.file import read_bytes
from exactdrl.problem.file_kinds import find_kind
from exactdrl.problem.instance import Instance
from exactdrl.problem.loss import Loss

_KNOWN = "Gemm, MatMul, Add, Relu, LeakyRelu, PRelu, Abs, Identity, Flatten, Reshape, Squeeze, Dropout"
# The slope that the operator has where the file gives none
_DEFAULT_SLOPE = 0.01
_MATRIX_AXES = 2
# More samples at a time than anybody exports a graph for
_MOST_BATCH = 1 << 16


def from_onnx(
    path: Path | str,
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
    """Returns the problem of training a network in an ONNX file further, one layer or all of them.

    Args:
        path: the file's path, `*.onnx`; weights in a second file are refused.
        inputs: shape (N, n_0), with more axes where the network flattens its inputs.
        targets: shape (N, n_{L+1}), or (N,) for one output.
        layer: the trained layer, 1..L+1.
        free: the same, or "all" for the parameters of all layers; in place of `layer`.
        loss: the loss; default: absolute.
        sample_weights: a nonnegative number for each sample; default: 1 each.
        decimals: reads each parameter as the decimal with at most so many places that rounds to it; a parameter without
            such a decimal is refused.
        data_decimals: the same for the data.

    Raises:
        InputError: onnx is missing, the file is damaged or has another kind of operator, the outputs differ from the
            exact ones by more than rounding explains, shapes do not fit, or a number is not finite.
    """
    network = read_onnx(path, decimals=decimals)
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
    check_onnx(path, inputs)
    return instance


def read_onnx(path: Path | str, *, decimals: int | None = None) -> Network:
    """Returns the network in an ONNX file, not yet compared with an evaluation of it.

    Args:
        path: see `from_onnx`.
        decimals: see `from_onnx`.

    Raises:
        InputError: see `from_onnx`.
    """
    onnx = import_extra("onnx", "onnx", "onnx")
    return _Reader(onnx, _load(onnx, path), Chain(str(path), check_decimals(decimals))).read()


def check_onnx(path: Path | str, inputs: object) -> ForwardCheck | None:
    """Returns how far the outputs of ONNX's reference evaluator are from the exact ones of the network that is read.

    Args:
        path: see `from_onnx`.
        inputs: see `from_onnx`; the evaluator gets them rounded to the floats of the graph.

    Returns:
        The result; None where layers are too wide for the bound to hold in the graph's floats.

    Raises:
        InputError: the outputs differ by more than rounding explains, or the evaluator refuses the data.
    """
    onnx = import_extra("onnx", "onnx", "onnx")
    reference = import_extra("onnx.reference", "onnx", "onnx")
    model = _load(onnx, path)
    network = read_onnx(path)
    constants = {tensor.name for tensor in model.graph.initializer}
    entry = next(value for value in model.graph.input if value.name not in constants)
    code = onnx.helper.tensor_dtype_to_np_dtype(entry.type.tensor_type.elem_type)
    kind = KINDS.get(np.dtype(code).name)
    if kind is None:
        raise InputError(f"{path}: the input {entry.name} has numbers of kind {np.dtype(code).name}; floats are needed")
    if not is_bounded(network.layers, kind):
        return None
    given = to_float_inputs(inputs, kind, is_flat=network.is_flat)
    chosen = given[choose_samples(network.layers, len(given))]
    rows = chosen.astype(code)
    try:
        made = [
            np.asarray(reference.ReferenceEvaluator(model).run(None, {entry.name: batch})[0])
            for batch in _split(rows, _find_batch(entry))
        ]
    except Exception as error:  # noqa: BLE001 - the evaluator runs what the file says
        raise InputError(f"{path}: the reference evaluator refuses the data ({error})") from None
    outputs = np.concatenate([part.reshape(_find_batch(entry) or len(rows), -1) for part in made])[: len(rows)]
    return check_forward(network.layers, chosen.reshape(len(chosen), -1), outputs.astype(np.float64), kind, str(path))


def _find_batch(entry: Any) -> int | None:  # noqa: ANN401 - a message of protobuf
    """Returns for how many samples at a time a graph was exported; None where it takes any number."""
    axes = entry.type.tensor_type.shape.dim
    return int(axes[0].dim_value) if axes and axes[0].HasField("dim_value") and axes[0].dim_value > 0 else None


def _split(rows: np.ndarray, batch: int | None) -> list[np.ndarray]:
    """Returns the rows in batches; the last batch is filled up with the last row."""
    if batch is None:
        return [rows]
    if batch > _MOST_BATCH:
        raise InputError(f"the graph takes {batch} samples at a time; export it for any number of samples")
    missing = -len(rows) % batch
    whole = np.concatenate([rows, np.repeat(rows[-1:], missing, axis=0)])
    return np.split(whole, len(whole) // batch)


def _load(onnx: ModuleType, path: Path | str) -> Any:  # noqa: ANN401 - a message of protobuf
    content = read_bytes(Path(path))
    try:
        model = onnx.load_model_from_string(content)
        # truncated files and files of other kinds may still be valid, empty messages
        onnx.checker.check_model(model)
    except Exception as error:  # noqa: BLE001 - protobuf and the checker raise errors of their own
        if _has_external_data(locals().get("model")):
            raise InputError(f"{path}: its weights are in a second file; save it as one file") from None
        kind = find_kind(content)
        if kind and "ONNX" not in kind:
            raise InputError(f"{path}: no ONNX file, but {kind}") from None
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path}: not a whole ONNX file ({reason[:160]})") from None
    if _has_external_data(model):
        raise InputError(f"{path}: its weights are in a second file; save it as one file")
    return model


def _has_external_data(model: Any) -> bool:  # noqa: ANN401
    return model is not None and any(
        tensor.external_data or tensor.data_location == 1 for tensor in model.graph.initializer
    )


class _Reader:
    """Walks along the graph of a model."""

    def __init__(self, onnx: ModuleType, model: Any, chain: Chain) -> None:  # noqa: ANN401
        self.onnx = onnx
        self.graph = model.graph
        self.chain = chain
        self.constants: dict[str, Tensor] = {}
        # after this only the shape of the outputs may change
        self.is_squeezed = False

    def read(self) -> Network:
        """Returns the network."""
        place = self.chain.place
        for tensor in self.graph.initializer:
            self.constants[tensor.name] = self._to_tensor(tensor, tensor.name)
        entries = [value.name for value in self.graph.input if value.name not in self.constants]
        if len(entries) != 1 or len(self.graph.output) != 1:
            raise InputError(
                f"{place}: the graph has {len(entries)} inputs and {len(self.graph.output)} outputs; one each is needed"
            )
        current = entries[0]
        for node in self.graph.node:
            if not self._fold(node):
                self._step(node, current)
                current = node.output[0]
        if self.graph.output[0].name != current:
            raise InputError(
                f"{place}: the graph returns {self.graph.output[0].name}, not the last layer's result {current}"
            )
        return self.chain.build()

    def _fold(self, node: Any) -> bool:  # noqa: ANN401
        """Evaluates a node that makes a constant of constants, and returns whether it was such a node."""
        if node.op_type == "Constant":
            given = self._attributes(node)
            if "value" in given:
                self.constants[node.output[0]] = self._to_tensor(given["value"], node.output[0])
            elif numbers := [given[name] for name in ("value_float", "value_floats") if name in given]:
                place = f"{self.chain.place}: {node.output[0]}"
                self.constants[node.output[0]] = Tensor(*to_array(np.array(numbers[0], np.float32), place))
            else:
                raise InputError(f"{self._name(node)} is a constant that is no tensor of numbers")
        elif node.op_type in {"Transpose", "Identity"} and node.input[0] in self.constants:
            tensor = self.constants[node.input[0]]
            order = self._attributes(node).get("perm")
            is_moved = node.op_type == "Transpose"
            array = np.transpose(tensor.array, None if order is None else tuple(order)) if is_moved else tensor.array
            self.constants[node.output[0]] = Tensor(array, tensor.kind)
        else:
            return False
        return True

    def _step(self, node: Any, current: str) -> None:  # noqa: ANN401
        name, kind = self._name(node), node.op_type
        handler = getattr(self, f"_take_{kind.lower()}", None)
        if handler is None or node.domain not in {"", "ai.onnx"}:
            raise InputError(f"{name} is no operator of a chain of layers; {_KNOWN} are possible")
        if self.is_squeezed:
            raise InputError(f"{name} comes after the outputs' shape has changed")
        others = [entry for entry in node.input if entry not in {current, ""}]
        if current not in node.input or any(entry not in self.constants for entry in others):
            raise InputError(
                f"{name}: the graph is no chain: it takes {', '.join(node.input)}, not the result before it"
            )
        handler(node, [None if entry in {current, ""} else self.constants[entry] for entry in node.input])

    def _take_gemm(self, node: Any, given: list[Tensor | None]) -> None:  # noqa: ANN401
        attributes, name = self._attributes(node), self._name(node)
        weight = given[1]
        if given[0] is not None or weight is None or attributes.get("transA", 0):
            raise InputError(
                f"{name} has the data as its second factor or transposed; they have to be its first factor as they are"
            )
        self._check_matrix(weight, name)
        array = weight.array if attributes.get("transB", 0) else weight.array.T
        self._add(node, array, weight.kind, attributes.get("alpha", 1.0))
        if len(given) > 2 and given[2] is not None:  # noqa: PLR2004 - the third input is the bias
            self._add_bias(node, given[2], attributes.get("beta", 1.0))

    def _take_matmul(self, node: Any, given: list[Tensor | None]) -> None:  # noqa: ANN401
        weight = given[1]
        if weight is None:
            raise InputError(f"{self._name(node)} has the data as its second factor; they have to be its first factor")
        self._check_matrix(weight, self._name(node))
        self._add(node, weight.array.T, weight.kind, 1.0)

    def _take_add(self, node: Any, given: list[Tensor | None]) -> None:  # noqa: ANN401
        bias = next((entry for entry in given if entry is not None), None)
        if bias is None:
            raise InputError(f"{self._name(node)}: the graph is no chain: it adds a result to itself")
        self._add_bias(node, bias, 1.0)

    def _take_relu(self, node: Any, _: list[Tensor | None]) -> None:  # noqa: ANN401
        self.chain.add_activation(self._short(node), RELU)

    def _take_abs(self, node: Any, _: list[Tensor | None]) -> None:  # noqa: ANN401
        self.chain.add_activation(self._short(node), ABSOLUTE_VALUE)

    def _take_leakyrelu(self, node: Any, _: list[Tensor | None]) -> None:  # noqa: ANN401
        slope = self._attributes(node).get("alpha", float(np.float32(_DEFAULT_SLOPE)))
        self.chain.add_activation(self._short(node), Activation(self.chain.slope(slope, FLOAT32), mpq(1)))

    def _take_prelu(self, node: Any, given: list[Tensor | None]) -> None:  # noqa: ANN401
        slopes = given[1]
        if slopes is None:
            raise InputError(f"{self._name(node)} has slopes that the graph computes; constant slopes are needed")
        kind = slopes.kind or FLOAT32
        each = [Activation(self.chain.slope(value, kind), mpq(1)) for value in slopes.array.reshape(-1).tolist()]
        self.chain.add_activation(self._short(node), *each)

    def _take_identity(self, node: Any, given: list[Tensor | None]) -> None:  # noqa: ANN401
        """Does nothing: the data passes."""

    def _take_dropout(self, node: Any, given: list[Tensor | None]) -> None:  # noqa: ANN401
        if len(given) > 2 and given[2] is not None and given[2].array.any():  # noqa: PLR2004 - the third input
            raise InputError(f"{self._name(node)} is a dropout in training mode; export the network in evaluation mode")

    def _take_flatten(self, node: Any, _: list[Tensor | None]) -> None:  # noqa: ANN401
        if self._attributes(node).get("axis", 1) != 1:
            raise InputError(f"{self._name(node)} keeps another axis than that of the samples; axis 1 is needed")
        if not self.chain.has_layers:
            self.chain.is_flat = True

    def _take_reshape(self, node: Any, given: list[Tensor | None]) -> None:  # noqa: ANN401
        shape = given[1].array.tolist() if len(given) > 1 and given[1] is not None else None
        if not isinstance(shape, list) or len(shape) != _MATRIX_AXES or shape[1] == 0:
            raise InputError(f"{self._name(node)} gives the data another shape than rows of samples: {shown(shape)}")
        if not self.chain.has_layers:
            self.chain.is_flat = True

    def _take_squeeze(self, node: Any, given: list[Tensor | None]) -> None:  # noqa: ANN401
        axes = given[1].array.tolist() if len(given) > 1 and given[1] is not None else None
        if not self.chain.has_layers or axes not in ([1], [-1]):
            raise InputError(
                f"{self._name(node)} removes the axes {shown(axes)}; only that of the outputs may be removed"
            )
        self.is_squeezed = True

    def _check_matrix(self, weight: Tensor, name: str) -> None:
        if weight.array.ndim != _MATRIX_AXES:
            raise InputError(f"{name} has weights of shape {weight.array.shape}; {_MATRIX_AXES} axes are needed")

    def _add(self, node: Any, weight: np.ndarray, kind: FloatKind | None, factor: float) -> None:  # noqa: ANN401
        self.chain.add_affine(self._short(node), self._scaled(Tensor(weight, kind), factor, node), None)

    def _add_bias(self, node: Any, bias: Tensor, factor: float) -> None:  # noqa: ANN401
        self.chain.add_bias(self._short(node), self._scaled(bias, factor, node))

    def _scaled(self, tensor: Tensor, factor: float, node: Any) -> object:  # noqa: ANN401
        """Returns a tensor times a factor, exactly."""
        if factor == 1:
            return tensor
        if self.chain.decimals is not None:
            raise InputError(
                f"{self._name(node)} has the factor {factor}, and --decimals (decimals=) does not apply to products"
            )
        exact = np.frompyfunc(lambda value: to_rational(value) * to_rational(factor), 1, 1)(tensor.array.astype(object))
        return Tensor(np.asarray(exact, dtype=object), None)

    def _to_tensor(self, tensor: Any, name: str) -> Tensor:  # noqa: ANN401
        if tensor.data_location == 1:
            raise InputError(f"{self.chain.place}: {name} is in a second file; save the network as one file")
        try:
            array = self.onnx.numpy_helper.to_array(tensor)
        except Exception as error:  # noqa: BLE001 - a damaged tensor makes NumPy raise anything
            raise InputError(f"{self.chain.place}: the tensor {name} is damaged ({error})") from None
        return Tensor(*to_array(array, f"{self.chain.place}: {name}"))

    def _attributes(self, node: Any) -> Mapping[str, Any]:  # noqa: ANN401
        return {entry.name: self.onnx.helper.get_attribute_value(entry) for entry in node.attribute}

    def _short(self, node: Any) -> str:  # noqa: ANN401
        return node.name or f"{node.op_type} ({node.output[0]})"

    def _name(self, node: Any) -> str:  # noqa: ANN401
        return f"{self.chain.place}: {node.op_type} {shown(node.name or node.output[0])}"
