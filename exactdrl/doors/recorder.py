"""The recording of a training as it runs: the parameters of one layer, or of all, after chosen steps.

```python
recorder = Recorder(module)            # or Recorder(module, layer=1), or a model of scikit-learn
handle = recorder.attach(optimizer)    # or call recorder.record() in the loop, after partial_fit
...                                    # the training
recorder.save("run.npz")               # or run.parquet
```

The floats are kept bit by bit. `exactdrl audit` and `exactdrl visits` read the file.
"""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from exactdrl.doors.floats import is_torch, to_array
from exactdrl.exact.rationals import InputError, shown
from exactdrl.problem.output import write_new

# a function that returns (weight, bias) of each layer; a bias may be None
Parameters: TypeAlias = Callable[[], Sequence[tuple[object, object | None]]]

METADATA_KEY = b"exactdrl"
FORMAT = "exactdrl-trajectory"
_MATRIX_AXES = 2


@dataclass(frozen=True, slots=True)
class LayerShape:
    """The part of a row of parameters that belongs to a layer: units × (width + 1) numbers, row-major [W | b].

    Attributes:
        number: the layer's number, from 1.
        units: the number n_l of units.
        width: the number n_{l-1} of weights of a unit.
        has_bias: whether each unit's row ends with its bias.
    """

    number: int
    units: int
    width: int
    has_bias: bool

    @property
    def size(self) -> int:
        """Returns how many parameters the layer has."""
        return self.units * (self.width + self.has_bias)


class Recorder:
    """Keeps the parameters of a network while something else trains it."""

    def __init__(self, model: object, *, layer: int | None = None, every: int = 1) -> None:
        """Takes a model. Nothing is recorded yet.

        Args:
            model: a module of PyTorch whose forward pass is a chain of layers (see `from_torch`); an `MLPRegressor` or
                `MLPClassifier` of scikit-learn; or a function without arguments that returns (weight, bias) of each
                layer, shape (n_l, n_{l-1}) and (n_l,) or None.
            layer: the number of the layer that is recorded, from 1; default: all layers are.
            every: the first of every so many calls of `record` keeps the parameters.

        Raises:
            InputError: the model is another object, or `every` or `layer` is no integer from 1.
        """
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise InputError(f"every is {shown(every)}; an integer from 1 is needed")
        if layer is not None and (isinstance(layer, bool) or not isinstance(layer, int) or layer < 1):
            raise InputError(f"layer is {shown(layer)}; the number of a layer, from 1, is needed")
        self._read = _find_parameters(model)
        self._layer = layer
        self._every = every
        self._calls = 0
        self._steps: list[int] = []
        self._rows: list[np.ndarray] = []
        self._shapes: tuple[LayerShape, ...] = ()

    def __repr__(self) -> str:
        """Returns what was recorded so far, in short."""
        what = "all layers" if self._layer is None else f"layer {self._layer}"
        return f"<Recorder of {what}: {len(self)} points in {self._calls} calls>"

    def __len__(self) -> int:
        """Returns how many points are kept."""
        return len(self._rows)

    @property
    def shapes(self) -> tuple[LayerShape, ...]:
        """Returns the shapes of the recorded layers; none before the first point."""
        return self._shapes

    def record(self) -> None:
        """Keeps the parameters as they are now, if `every` counts this call.

        Raises:
            InputError: the model has no such layer, or its shapes have changed since the first point.
        """
        call, self._calls = self._calls, self._calls + 1
        if call % self._every:
            return
        layers = list(enumerate(self._read(), 1))
        if self._layer is not None:
            if self._layer > len(layers):
                raise InputError(f"layer is {self._layer}, the model has layers 1 to {len(layers)}")
            layers = [layers[self._layer - 1]]
        shapes, parts = [], []
        for number, (weight, bias) in layers:
            shape, numbers = _to_row(number, weight, bias)
            shapes.append(shape)
            parts.append(numbers)
        if self._rows and tuple(shapes) != self._shapes:
            raise InputError(f"at call {call + 1} the model's layers have other shapes than at the first point")
        self._shapes = tuple(shapes)
        self._steps.append(call)
        self._rows.append(np.concatenate(parts))

    def attach(self, optimizer: object) -> Any:  # noqa: ANN401 - PyTorch's own handle
        """Records now, and after every step of a PyTorch optimizer from now on.

        Returns:
            The handle of the hook; its `remove()` ends the recording.

        Raises:
            InputError: the object is no optimizer of PyTorch.
        """
        register = getattr(optimizer, "register_step_post_hook", None)
        if register is None:
            raise InputError(f"an optimizer of PyTorch is needed, not {shown(type(optimizer).__name__)}")
        self.record()
        return register(lambda *_: self.record())

    def save(self, path: Path | str, *, force: bool = False) -> None:
        """Writes the points to `*.npz` or `*.parquet`.

        The column or array `step` holds the number of each call, from 0. A row of `theta` holds the parameters: the
        layers one after the other, each row-major [W | b]. The shapes are the rows (number, units, width, has bias) of
        the array `layers`; in a Parquet file they are in the metadata under the key `exactdrl`.

        Args:
            path: the file's path.
            force: whether an existing file is written over.

        Raises:
            InputError: nothing was recorded, the path has another ending, the file exists and `force` is not set, or it
                cannot be written.
        """
        target = Path(path)
        if not self._rows:
            raise InputError("nothing was recorded; call record() in the training's loop")
        if target.suffix not in {".npz", ".parquet"}:
            raise InputError(f"{target}: a trajectory's name ends in .npz or .parquet")
        steps, theta = np.array(self._steps, dtype=np.int64), _narrowed(np.stack(self._rows))
        shapes = [[s.number, s.units, s.width, int(s.has_bias)] for s in self._shapes]
        stream = io.BytesIO()
        if target.suffix == ".npz":
            np.savez(stream, step=steps, theta=theta, layers=np.array(shapes, dtype=np.int64))
        else:
            _write_parquet(stream, steps, theta, shapes)
        write_new(target, stream.getvalue(), force=force)


def _write_parquet(stream: io.BytesIO, steps: np.ndarray, theta: np.ndarray, shapes: list[list[int]]) -> None:
    import pyarrow as pa  # noqa: PLC0415 - a tenth of a second, for those who need it
    from pyarrow import parquet  # noqa: PLC0415 - the same

    flat = pa.array(theta.reshape(-1))
    table = pa.table({"step": pa.array(steps), "theta": pa.FixedSizeListArray.from_arrays(flat, theta.shape[1])})
    about = json.dumps({"format": FORMAT, "layers": shapes}).encode()
    parquet.write_table(table.replace_schema_metadata({METADATA_KEY: about}), stream)


def _narrowed(theta: np.ndarray) -> np.ndarray:
    """Returns the numbers in float32, half as large, where all of them are float32 numbers."""
    with np.errstate(over="ignore"):
        narrow = theta.astype(np.float32)
    return narrow if np.array_equal(narrow.astype(np.float64), theta, equal_nan=True) else theta


def _to_row(number: int, weight: object, bias: object | None) -> tuple[LayerShape, np.ndarray]:
    place = f"layer {number}"
    matrix, _ = to_array(weight, f"{place}: the weight")
    if matrix.ndim != _MATRIX_AXES or matrix.dtype.kind not in "fiu":
        raise InputError(
            f"{place}: the weight has shape {matrix.shape} of {matrix.dtype}; a matrix of floats is needed"
        )
    rows = matrix.astype(np.float64)
    if bias is not None:
        vector, _ = to_array(bias, f"{place}: the bias")
        if vector.shape != (len(matrix),):
            raise InputError(f"{place}: the bias has shape {vector.shape}, the weight has {len(matrix)} rows")
        rows = np.column_stack([rows, vector.astype(np.float64)])
    return LayerShape(number, len(matrix), matrix.shape[1], bias is not None), rows.reshape(-1)


def _find_parameters(model: object) -> Parameters:
    package = type(model).__module__.partition(".")[0]
    if hasattr(model, "parameters") and hasattr(model, "state_dict") and not is_torch(model):
        from exactdrl.doors.torch import find_parameters  # noqa: PLC0415 - both are large

        pairs = find_parameters(model)
        # The optimizer changes the tensors in place
        return lambda: pairs
    if package == "sklearn" and hasattr(model, "partial_fit"):
        return lambda: _sklearn_parameters(model)
    if callable(model) and not isinstance(model, type):
        return model
    raise InputError(
        "a module of PyTorch, a model of scikit-learn or a function is needed, not an object of type "
        f"{shown(type(model).__name__)}"
    )


def _sklearn_parameters(model: Any) -> list[tuple[object, object | None]]:  # noqa: ANN401 - scikit-learn has no annotations
    if not hasattr(model, "coefs_"):
        raise InputError("the model has no parameters before its first fit or partial_fit; record after it")
    # scikit-learn multiplies from the right, so that its matrices have a column for each unit
    return [(weight.T, bias) for weight, bias in zip(model.coefs_, model.intercepts_, strict=True)]
