"""Instances from networks of PyTorch.

A module's forward pass is traced by `torch.fx`. It has to be a chain of affine layers and of activations with two
slopes; anything else is refused by its name. Then the module's own outputs on the data are compared with the exact
ones. A proved bound says what rounding may change.

Importing this module does not import PyTorch.
"""

import copy
import io
import operator
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from gmpy2 import mpq

from exactdrl.doors.extras import import_extra
from exactdrl.doors.floats import FLOAT64, KINDS, FloatKind, check_decimals, is_torch, to_array
from exactdrl.doors.forward_check import ForwardCheck, check_forward, choose_samples, is_bounded
from exactdrl.doors.network import AnyActivation, Chain, Network, to_float_inputs, to_instance
from exactdrl.doors.state_dict import read_state_dict
from exactdrl.exact.rationals import InputError, shown
from exactdrl.problem.activation import ABSOLUTE_VALUE, RELU, Activation
from exactdrl.problem.file import read_bytes
from exactdrl.problem.file_kinds import find_kind
from exactdrl.problem.instance import Instance
from exactdrl.problem.loss import Loss

_ADVICE = {
    "Softmax": "; leave it out: the problem is about the outputs before it",
    "LogSoftmax": "; leave it out: the problem is about the outputs before it",
    "Sigmoid": "; at the end leave it out: the problem is about the outputs before it",
    "BatchNorm1d": "; fold it into the layer before it",
    "ParametrizationList": "; take the parametrization off with torch.nn.utils.parametrize.remove_parametrizations",
    "ParametrizedLinear": "; take the parametrization off with torch.nn.utils.parametrize.remove_parametrizations",
}
# operations that read a shape for `view`
_SHAPES = frozenset({"size", "getattr", "getitem", "shape"})


def from_torch(
    module: object,
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
    """Returns the problem of training a PyTorch network further, one layer or all of them, from its parameters.

    Parameters and data mean the dyadic rationals that they are, also in float32 and bfloat16. The slope of a LeakyReLU
    is the float64 that the module holds. The module is not changed.

    Args:
        module: a `nn.Sequential`, or any module whose forward pass is a chain of Linear, ReLU, LeakyReLU, PReLU, abs,
            Identity, Flatten, and Dropout in evaluation mode, as modules or as functions.
        inputs: a tensor, array or list of shape (N, n_0), with more axes where the module flattens its inputs.
        targets: shape (N, n_{L+1}), or (N,) for one output.
        layer: the trained layer, 1..L+1, where only Linear layers are counted.
        free: the same, or "all" for the parameters of all layers; in place of `layer`.
        loss: the loss; default: absolute.
        sample_weights: a nonnegative number for each sample; default: 1 each.
        decimals: reads each parameter as the decimal with at most so many places that rounds to it; a parameter without
            such a decimal is refused.
        data_decimals: the same for the data.

    Raises:
        InputError: PyTorch is missing; the forward pass has another kind of part; the module's own outputs differ from
            the exact ones by more than rounding explains; shapes do not fit, or a number is not finite.
    """
    network = read_module(module, decimals=decimals)
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
    check_module(module, inputs)
    return instance


def read_module(module: object, *, decimals: int | None = None) -> Network:
    """Returns the network in a PyTorch module, not yet compared with its forward pass.

    Args:
        module: see `from_torch`.
        decimals: see `from_torch`.

    Raises:
        InputError: see `from_torch`.
    """
    return _open(module, decimals).read()


def find_parameters(module: object) -> list[tuple[object, object | None]]:
    """Returns weight and bias of each layer. These are the module's own tensors, which a training changes in place.

    Raises:
        InputError: see `from_torch`.
    """
    reader = _open(module, None)
    reader.read()
    return reader.pairs


def _open(module: object, decimals: int | None) -> "_Reader":
    torch = import_extra("torch", "torch", "torch")
    if not isinstance(module, torch.nn.Module):
        raise InputError(f"a module of PyTorch is needed, not an object of type {shown(type(module).__name__)}")
    inner: Any = _inner(torch, module)
    return _Reader(torch, inner, Chain(f"the module {type(inner).__name__}", check_decimals(decimals)))


def _inner(torch: ModuleType, module: object) -> object:
    """Returns the module that a wrapper computes with: torch.compile's, or one for several devices."""
    inner: Any = getattr(module, "_orig_mod", module)
    several = (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel)
    return _inner(torch, inner.module) if isinstance(inner, several) else inner


def from_state_dict(
    state: Mapping[str, object],
    inputs: object,
    targets: object,
    *,
    activation: AnyActivation = "relu",
    order: Sequence[str] | None = None,
    without_bias: Sequence[str] = (),
    layer: int = 1,
    free: object | None = None,
    loss: Loss | None = None,
    sample_weights: object | None = None,
    decimals: int | None = None,
    data_decimals: int | None = None,
) -> Instance:
    """Returns the problem of training a network further whose parameters a state dict holds.

    Args:
        state: tensors or arrays by names like `fc1.weight` and `fc1.bias`. A state dict does not hold the activations.
        inputs: shape (N, n_0); a tensor, array or list.
        targets: shape (N, n_{L+1}), or (N,) for one output.
        activation: the activation after every layer but the last, see `to_activation`.
        order: the layers' names from the input to the output; default: decided by the rule of `read_state_dict`.
        without_bias: the names of layers that have no bias, where other layers have one.
        layer: the trained layer, 1..L+1.
        free: the same, or "all" for the parameters of all layers; in place of `layer`.
        loss: the loss; default: absolute.
        sample_weights: a nonnegative number for each sample; default: 1 each.
        decimals: reads the parameters as decimals with at most so many places, see `from_torch`.
        data_decimals: the same for the data.

    Raises:
        InputError: a name is not that of a layer's weight or bias, shapes do not fit, or a number is not finite.
    """
    network = read_state_dict(
        state, "the state dict", activation=activation, order=order, without_bias=without_bias, decimals=decimals
    )
    return to_instance(
        network,
        inputs,
        targets,
        layer=layer,
        free=free,
        loss=loss,
        sample_weights=sample_weights,
        data_decimals=data_decimals,
    )


def load_torch_file(path: Path | str, *, key: str | None = None) -> dict[str, object]:
    """Returns the state dict in a file that `torch.save` has written.

    The file is opened with `weights_only=True`, so that no code in it runs. A file that holds a whole module is
    refused.

    Args:
        path: the file's path.
        key: the name of the state dict in a checkpoint that holds several things; default: the only entry that is a
            dict with a tensor named `weight` or `....weight`.

    Raises:
        InputError: PyTorch is missing, the file is damaged or of another kind, or it holds no state dict, or several.
    """
    content = read_bytes(Path(path))
    kind = find_kind(content)
    if "PyTorch" not in kind and kind != "a pickle":
        raise InputError(f"{path}: no file that torch.save has written{f', but {kind}' if kind else ''}")
    torch = import_extra("torch", "torch", "torch")
    try:
        loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 - a damaged file makes PyTorch raise anything
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if reason.startswith("Weights only"):
            # What follows in PyTorch's message is how to open it unsafely
            reason = "PyTorch's weights_only refuses what is in it"
        hint = "a file of torch.save(module.state_dict(), path) is needed; a whole module is a pickle, which runs code"
        raise InputError(f"{path}: cannot be opened safely ({reason[:120]}); {hint}") from None
    if not isinstance(loaded, Mapping):
        raise InputError(f"{path}: holds {shown(type(loaded).__name__)}; a state dict is needed")
    named = {str(name): value for name, value in loaded.items()}
    if key is not None:
        if not isinstance(named.get(key), Mapping):
            raise InputError(f"{path}: no dict is named {shown(key)}; the names are {', '.join(map(shown, named))}")
        return {str(name): value for name, value in named[key].items()}
    if _is_state_dict(named):
        return named
    found = [name for name, value in named.items() if isinstance(value, Mapping) and _is_state_dict(value)]
    if len(found) == 1:
        return {str(name): value for name, value in named[found[0]].items()}
    several = f"several state dicts, {', '.join(found)}: choose one with --key" if found else "no state dict"
    raise InputError(f"{path}: holds {several}")


def _is_state_dict(value: Mapping[Any, object]) -> bool:
    return any(str(name).rpartition(".")[2] == "weight" and is_torch(tensor) for name, tensor in value.items())


def check_module(module: object, inputs: object) -> ForwardCheck:
    """Returns how far a module's own outputs are from the exact ones of the network that is read from it.

    The module computes in its own floats, on the data rounded to these. Then a copy of the module computes in float64,
    for which the bound is far smaller. One of the two comparisons is left out where the module's floats are too short
    for the bound to hold (bfloat16 and wide layers), or where the module cannot be copied.

    Args:
        module: see `from_torch`.
        inputs: see `from_torch`.

    Raises:
        InputError: the outputs differ by more than rounding explains, or the module refuses the data.
    """
    network = read_module(module)
    own: Any = _inner(import_extra("torch", "torch", "torch"), module)
    place = f"the module {type(own).__name__}"
    dtypes = {str(parameter.dtype).removeprefix("torch.") for parameter in own.parameters()}
    if len(dtypes) != 1 or not dtypes <= set(KINDS):
        raise InputError(f"{place} has parameters of {', '.join(sorted(dtypes))}; one kind of floats is needed")
    kind = KINDS[dtypes.pop()]
    given = to_float_inputs(inputs, kind, is_flat=network.is_flat)
    chosen = given[choose_samples(network.layers, len(given))]
    checks = [_check_floats(own, network, chosen, kind, place)] if is_bounded(network.layers, kind) else []
    if kind is not FLOAT64:
        try:
            double = copy.deepcopy(own).double()
        except Exception as error:  # noqa: BLE001 - a module's own code may refuse to be copied
            if not checks:
                raise InputError(f"{place}: cannot be compared in float64, as it cannot be copied ({error})") from None
        else:
            checks.append(_check_floats(double, network, chosen, FLOAT64, place))
    return checks[-1]


def _check_floats(own: Any, network: Network, chosen: np.ndarray, kind: FloatKind, place: str) -> ForwardCheck:  # noqa: ANN401 - of a package that may be missing
    torch = import_extra("torch", "torch", "torch")
    with torch.no_grad():
        device = next(iter(own.parameters())).device
        rows = torch.tensor(chosen).to(device=device, dtype=getattr(torch, kind.name))
        try:
            outputs = own(rows)
        except Exception as error:  # noqa: BLE001 - a module raises what its author likes
            raise InputError(f"{place} refuses the data ({error})") from None
    if not isinstance(outputs, torch.Tensor):
        raise InputError(f"{place} returns {shown(type(outputs).__name__)}; one tensor is needed")
    made, _ = to_array(outputs, f"{place}: the outputs")
    return check_forward(network.layers, chosen.reshape(len(chosen), -1), made.reshape(len(chosen), -1), kind, place)


class _Reader:
    """Walks along the traced forward pass of a module."""

    def __init__(self, torch: ModuleType, module: Any, chain: Chain) -> None:  # noqa: ANN401 - of a package that may be missing
        self.torch = torch
        self.module = module
        self.chain = chain
        functional = torch.nn.functional
        self.modules: dict[object, Callable[[str, Any], None]] = {
            torch.nn.Linear: self._linear,
            torch.nn.ReLU: lambda name, _: chain.add_activation(name, RELU),
            torch.nn.LeakyReLU: lambda name, part: self._leaky(name, part.negative_slope),
            torch.nn.PReLU: lambda name, part: self._prelu(name, part.weight),
            torch.nn.Identity: lambda _name, _: None,
            torch.nn.Dropout: self._dropout,
            torch.nn.Flatten: lambda name, part: self._flatten(name, part.start_dim, part.end_dim),
        }
        self.functions: dict[object, Callable[[Any], None]] = {
            torch.relu: lambda node: chain.add_activation(node.name, RELU),
            functional.relu: lambda node: chain.add_activation(node.name, RELU),
            functional.leaky_relu: self._leaky_function,
            functional.linear: self._linear_function,
            functional.dropout: self._dropout_function,
            torch.abs: lambda node: chain.add_activation(node.name, ABSOLUTE_VALUE),
            abs: lambda node: chain.add_activation(node.name, ABSOLUTE_VALUE),
            operator.abs: lambda node: chain.add_activation(node.name, ABSOLUTE_VALUE),
            torch.flatten: lambda node: self._flatten(node.name, *_arguments(node, ("start_dim", 0), ("end_dim", -1))),
        }
        self.methods: dict[str, Callable[[Any], None]] = {
            "relu": lambda node: chain.add_activation(node.name, RELU),
            "relu_": lambda node: chain.add_activation(node.name, RELU),
            "abs": lambda node: chain.add_activation(node.name, ABSOLUTE_VALUE),
            "flatten": lambda node: self._flatten(node.name, *_arguments(node, ("start_dim", 0), ("end_dim", -1))),
            "view": self._view,
            "reshape": self._view,
            "squeeze": self._squeeze,
            "contiguous": lambda _: None,
        }
        # weight and bias of each layer, which are the module's own tensors
        self.pairs: list[tuple[object, object | None]] = []
        # after this only the shape of the outputs may change
        self.is_squeezed = False

    def read(self) -> Network:
        """Returns the network."""
        fx = import_extra("torch.fx", "torch", "torch")
        try:
            graph = fx.Tracer().trace(self.module)
        except Exception as error:  # noqa: BLE001 - tracing runs the module's own code
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            hint = "; give the module that was scripted" if isinstance(self.module, self.torch.jit.ScriptModule) else ""
            raise InputError(f"{self.chain.place}: its forward pass cannot be traced ({reason}){hint}") from None
        current: object = None
        for node in graph.nodes:
            if node.op == "placeholder":
                if current is not None and not node.users:
                    continue
                if current is not None:
                    raise InputError(f"{self.chain.place}: its forward pass has a second input, {node.name}")
                current = node
            elif node.op == "get_attr" or self._is_shape(node):
                continue
            elif node.op == "output":
                if node.args[0] is not current:
                    made = getattr(node.args[0], "name", None)
                    what = f"{made}, and not the last layer's outputs" if made else "more than one tensor"
                    raise InputError(f"{self.chain.place}: its forward pass returns {what}; one tensor is needed")
            else:
                self._step(node, current)
                current = node
        return self.chain.build()

    def _step(self, node: Any, current: object) -> None:  # noqa: ANN401 - a node of torch.fx
        place = self.chain.place
        name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
        if node.op == "call_module":
            part = self.module.get_submodule(node.target)
            kind = type(part).__name__
            handler = self.modules.get(type(part))
            if handler is None:
                known = ", ".join(known.__name__ for known in self.modules)  # type: ignore[attr-defined] # types have it
                if any(kind == known.__name__ for known in self.modules):  # type: ignore[attr-defined] # the same
                    kind = f"{type(part).__module__}.{kind}"
                raise InputError(
                    f"{place}: {node.target} is of class {kind}{_ADVICE.get(kind, '')}; {known} are possible"
                )
        elif (node.target if node.op == "call_function" else None) not in self.functions and name not in self.methods:
            raise InputError(f"{place}: its forward pass calls {name} ({node.name}), which is no layer or activation")
        if any(use is not current and not self._is_shape(use) and use.op != "get_attr" for use in node.all_input_nodes):
            raise InputError(f"{place}: its forward pass is no chain: {node.name} uses an earlier result")
        if not node.args or node.args[0] is not current:
            raise InputError(f"{place}: its forward pass is no chain: {node.name} does not take the result before it")
        if self.is_squeezed:
            raise InputError(f"{place}: {node.name} comes after the outputs' shape has changed")
        if node.op == "call_module":
            handler = self.modules[type(part)]
            handler(str(node.target), part)
        elif node.op == "call_function":
            self.functions[node.target](node)
        else:
            self.methods[name](node)

    def _is_shape(self, node: Any) -> bool:  # noqa: ANN401
        """Returns whether a node reads the number of samples, for `view`."""
        target = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
        return node.op in {"call_method", "call_function"} and target in _SHAPES and target not in self.methods

    def _linear(self, name: str, part: Any) -> None:  # noqa: ANN401
        self._add_affine(name, part.weight, part.bias)

    def _linear_function(self, node: Any) -> None:  # noqa: ANN401
        weight, bias = _arguments(node, ("weight", None), ("bias", None))
        self._add_affine(node.name, self._constant(node, weight), self._constant(node, bias))

    def _add_affine(self, name: str, weight: object, bias: object) -> None:
        if any(weight is other for other, _ in self.pairs):
            raise InputError(
                f"{self.chain.place}: {name} has the weights of an earlier layer; layers must not share weights"
            )
        self.pairs.append((weight, bias))
        self.chain.add_affine(name, weight, bias)

    def _constant(self, node: Any, value: Any) -> object:  # noqa: ANN401
        if value is None:
            return None
        if getattr(value, "op", None) != "get_attr":
            raise InputError(f"{self.chain.place}: {node.name} has weights that the forward pass computes")
        owner, _, name = value.target.rpartition(".")
        return getattr(self.module.get_submodule(owner), name)

    def _leaky(self, name: str, slope: object) -> None:
        if not isinstance(slope, (int, float)):
            raise InputError(f"{self.chain.place}: {name} has the slope {shown(slope)}; a number is needed")
        self.chain.add_activation(name, Activation(self.chain.slope(float(slope)), mpq(1)))

    def _leaky_function(self, node: Any) -> None:  # noqa: ANN401
        self._leaky(node.name, _arguments(node, ("negative_slope", 0.01))[0])

    def _prelu(self, name: str, weight: object) -> None:
        array, kind = to_array(weight, f"{self.chain.place}: {name}")
        slopes = [Activation(self.chain.slope(value, kind or FLOAT64), mpq(1)) for value in array.tolist()]
        self.chain.add_activation(name, *slopes)

    def _dropout(self, name: str, part: Any) -> None:  # noqa: ANN401
        if part.training and part.p:
            raise InputError(
                f"{self.chain.place}: {name} is a Dropout in training mode; call the module's eval() first"
            )

    def _dropout_function(self, node: Any) -> None:  # noqa: ANN401
        rate, training = _arguments(node, ("p", 0.5), ("training", True))
        if training and rate:
            raise InputError(f"{self.chain.place}: {node.name} is a dropout in training mode; call eval() first")

    def _flatten(self, name: str, start: object, end: object) -> None:
        if (start, end) not in {(1, -1), (1, 1)}:
            raise InputError(f"{self.chain.place}: {name} flattens the axes {start} to {end}; 1 to -1 are possible")
        if not self.chain.has_layers:
            self.chain.is_flat = True

    def _view(self, node: Any) -> None:  # noqa: ANN401
        sizes = node.args[1] if len(node.args) == 2 and isinstance(node.args[1], (tuple, list)) else node.args[1:]  # noqa: PLR2004
        # the number of samples, read from the data or left open, and one axis for the rest
        if len(sizes) == 1 and sizes[0] == -1 and self.chain.has_layers:
            self.is_squeezed = True
            return
        if len(sizes) != 2 or (isinstance(sizes[0], int) and sizes[0] != -1) or not isinstance(sizes[1], int):  # noqa: PLR2004
            raise InputError(f"{self.chain.place}: {node.name} gives the data another shape than rows of samples")
        if not self.chain.has_layers:
            self.chain.is_flat = True

    def _squeeze(self, node: Any) -> None:  # noqa: ANN401
        if not self.chain.has_layers or _arguments(node, ("dim", None))[0] not in (-1, 1, None):
            raise InputError(f"{self.chain.place}: {node.name} removes an axis that is not the outputs'")
        self.is_squeezed = True


def _arguments(node: Any, *named: tuple[str, object]) -> list[Any]:  # noqa: ANN401
    """Returns arguments of a call after the first, by position or by name."""
    given = list(node.args[1:])
    return [
        given[position] if position < len(given) else node.kwargs.get(name, default)
        for position, (name, default) in enumerate(named)
    ]
