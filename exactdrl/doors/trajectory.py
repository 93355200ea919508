"""Trajectories of a training: a row of parameters for each point.

`Recorder` writes trajectories with the shapes of their layers (`*.npz`, `*.parquet`). Other programs write them as a
table (CSV and its relatives, Parquet) or as an array of NumPy, with one layer's parameters in each row.
"""

import io
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from exactdrl.doors.npz import read_npz
from exactdrl.doors.recorder import FORMAT, METADATA_KEY, LayerShape
from exactdrl.doors.sheet import Sheet
from exactdrl.doors.sheet_frame import from_array
from exactdrl.doors.sheet_text import TextForm
from exactdrl.doors.tables import load_npy, read_sheet
from exactdrl.exact.rationals import InputError, shown
from exactdrl.problem.doubles import DoubleMatrix
from exactdrl.problem.file import read_bytes
from exactdrl.problem.instance import Instance, Layer, Samples

_RECORDED = frozenset({"step", "theta", "layers"})
_SHAPE_NUMBERS = 4
_MATRIX_AXES = 2
_MOST_SIZE = 1 << 40


@dataclass(frozen=True, slots=True)
class Trajectory:
    """The points of a trajectory.

    Attributes:
        place: what error messages call the trajectory.
        points: a row of parameters for each point, at least one row.
        steps: the number of the training's step at each point; the row's number, from 1, where the step is not known.
        shapes: the shapes of the layers whose parameters a row holds, one after the other. Empty where the file does
            not give them; then a row holds the parameters of the layer that is trained.
        notes: what was decided by a rule while reading, one sentence each.
    """

    place: str
    points: Samples
    steps: tuple[int, ...]
    shapes: tuple[LayerShape, ...] = ()
    notes: tuple[str, ...] = ()

    def layers_at(self, instance: Instance, row: int) -> tuple[Layer, ...]:
        """Returns the network at a point: recorded layers with the point's parameters, others from the instance.

        Args:
            instance: an instance with the same widths.
            row: the row's number, from 0; negative numbers count from the end.

        Raises:
            InputError: there is no such row, or the shapes are not the instance's.
        """
        count = len(self.points)
        if not -count <= row < count:
            raise InputError(f"{self.place}: there is no row {row}; the rows are 0 to {count - 1}")
        layers = list(instance.point_layers)
        numbers, position = self.points[row % count], 0
        for shape in self.shapes_in(instance):
            width = shape.width + shape.has_bias
            rows = tuple(
                numbers[position + unit * width : position + (unit + 1) * width] for unit in range(shape.units)
            )
            layers[shape.number - 1] = layers[shape.number - 1].with_parameters(rows)
            position += shape.size
        return tuple(layers)

    def instance_at(self, instance: Instance, row: int) -> Instance:
        """Returns the instance with the network at a point, to be judged or snapped there.

        All parameters are free if several layers were recorded, or if they are free in the instance. Otherwise the
        recorded layer is trained.

        Args:
            instance: an instance with the same widths.
            row: see `layers_at`.

        Raises:
            InputError: see `layers_at`.
        """
        layers = self.layers_at(instance, row)
        if len(self.shapes) > 1 or instance.free == "all":
            return replace(instance, layers=layers, free="all", start=(), file_digest=None)
        trained = self.shapes_in(instance)[0].number
        return replace(instance, layers=layers, free=trained, start=layers[trained - 1].parameters, file_digest=None)

    def points_of_layer(self, instance: Instance) -> Samples:
        """Returns the parameters of the instance's trained layer at each point.

        Raises:
            InputError: the layer was not recorded, the shapes are not the instance's, a row has another number of
                parameters, or another recorded layer differs from the instance's, though all layers but the trained one
                are fixed.
        """
        if not self.shapes:
            units, width = len(instance.start), len(instance.start[0])
            for number, numbers in enumerate(self.points, 1):
                if len(numbers) != units * width:
                    need = f"layer {instance.layer} has {units * width} parameters: {units} units, {width} a unit"
                    raise InputError(f"{self.place}: row {number} has {len(numbers)} numbers, {need}")
            return self.points
        shapes = self.shapes_in(instance)
        if all(shape.number != instance.layer for shape in shapes):
            raise InputError(f"{self.place}: layer {instance.layer} was not recorded")
        position, found = 0, slice(0)
        for shape in shapes:
            part = slice(position, position + shape.size)
            position += shape.size
            if shape.number == instance.layer:
                found = part
                continue
            own = tuple(number for row in instance.layers[shape.number - 1].parameters for number in row)
            for row, point in enumerate(self.points):
                if point[part] != own:
                    raise InputError(
                        f"{self.place}: in row {row + 1} (step {self.steps[row]}) layer {shape.number} is not the "
                        f"instance's; it has to stay fixed while layer {instance.layer} is trained"
                    )
        if isinstance(self.points, DoubleMatrix):
            return DoubleMatrix(self.points.doubles[:, found])
        return tuple(point[found] for point in self.points)

    def shapes_in(self, instance: Instance) -> tuple[LayerShape, ...]:
        """Returns the shapes of the recorded layers; that of the trained layer where the file does not give them.

        Raises:
            InputError: the shapes are not the instance's.
        """
        every = [
            LayerShape(number, len(layer.weight), len(layer.weight[0]), layer.bias is not None)
            for number, layer in enumerate(instance.layers, 1)
        ]
        chosen = self.shapes or tuple(every if instance.free == "all" else [every[instance.layer - 1]])
        for shape in chosen:
            if shape not in every:
                raise InputError(
                    f"{self.place}: layer {shape.number} was recorded with {_words(shape)}; the instance has "
                    f"{_words(every[shape.number - 1]) if 0 < shape.number <= len(every) else f'{len(every)} layers'}"
                )
        size = sum(shape.size for shape in chosen)
        if len(self.points[0]) != size:
            raise InputError(
                f"{self.place}: a row has {len(self.points[0])} numbers, the instance has {size} parameters"
            )
        return chosen


def _words(shape: LayerShape) -> str:
    return f"{shape.units} units of {shape.width} weights {'and a bias' if shape.has_bias else 'without bias'}"


def read_trajectory(path: Path | str, *, columns: str | None = None, form: TextForm | None = None) -> Trajectory:
    """Returns the points of a trajectory.

    Decimals mean what is written, and binary floats mean the dyadic rationals that they are.

    Args:
        path: a file `*.npz` or `*.parquet` that `Recorder` has written; a file `*.npy` with an array of shape (rows, n)
            or (rows, n_ℓ, m); a file `*.npz` with such an array; or a table, see `read_table`.
        columns: for a table, the prefix of the columns prefix0, prefix1, ... that are taken, by default all; for
            `*.npz`, the name of the array.
        form: how a text is written; other files do not use it.

    Raises:
        InputError: the file cannot be read, holds no rows or ragged rows, or an entry is no finite number; the message
            names the file, row, column and value.
    """
    path = Path(path)
    if path.suffix in {".npy", ".npz"} and form not in {None, TextForm()}:
        raise InputError(f"{path}: the options for tables in text are of no use with a {path.suffix} file")
    if path.suffix == ".npz":
        return _read_npz(path, columns)
    if path.suffix == ".npy":
        if columns is not None:
            raise InputError(f"{path}: an npy file has no names of columns")
        return _from_array(load_npy(read_bytes(path), path), str(path))
    if path.suffix == ".parquet" and columns is None and (recorded := _read_parquet(path)) is not None:
        return recorded
    sheet = read_sheet(path, form)
    indices = list(range(sheet.width)) if columns is None else _choose(sheet, columns)
    return Trajectory(str(path), sheet.numbers(indices), sheet.lines, notes=sheet.notes)


def _choose(sheet: Sheet, prefix: str) -> list[int]:
    names = sheet.names or ()
    indices: list[int] = []
    while f"{prefix}{len(indices)}" in names:
        indices.append(names.index(f"{prefix}{len(indices)}"))
    if not indices:
        raise InputError(
            f"{sheet.place}: no column is named {prefix}0, as --columns {prefix} (columns={prefix!r}) asks"
        )
    return indices


def _from_array(array: np.ndarray, place: str) -> Trajectory:
    if array.ndim not in (2, 3):
        raise InputError(f"{place}: has shape {array.shape}; (rows, n) or (rows, units, parameters a unit) is needed")
    if not array.size:
        raise InputError(f"{place}: has shape {array.shape}, it is empty")
    flat = array.reshape(len(array), -1)
    points = from_array(flat, place).numbers(range(flat.shape[1]))
    return Trajectory(place, points, tuple(range(1, len(flat) + 1)))


def _read_npz(path: Path, name: str | None) -> Trajectory:
    arrays = read_npz(path)
    if name is None and set(arrays) == _RECORDED:
        return _recorded(arrays["step"], arrays["theta"], arrays["layers"].tolist(), str(path))
    if name is None:
        if len(arrays) != 1:
            raise InputError(
                f"{path}: holds the arrays {', '.join(arrays) or '(none)'}; name the one with the points by --columns"
            )
        name = next(iter(arrays))
    if name not in arrays:
        raise InputError(f"{path}: no array is named {shown(name)}; the names are {', '.join(arrays)}")
    return _from_array(arrays[name], f"{path}: {name}")


def _read_parquet(path: Path) -> Trajectory | None:
    """Returns what `Recorder` has written; None where the file holds another table."""
    import pyarrow as pa  # noqa: PLC0415 - a tenth of a second, for those who need it
    from pyarrow import parquet  # noqa: PLC0415 - the same

    try:
        file = parquet.ParquetFile(io.BytesIO(read_bytes(path)))
        about = (file.schema_arrow.metadata or {}).get(METADATA_KEY)
        if about is None:
            return None
        described = json.loads(about)
        if not isinstance(described, dict) or described.get("format") != FORMAT:
            return None
        table = file.read(columns=["step", "theta"])
        flat = table["theta"].combine_chunks()
        theta = np.asarray(flat.flatten()).reshape(len(flat), -1)
        return _recorded(np.asarray(table["step"]), theta, described.get("layers"), str(path))
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: not a whole Parquet file of a trajectory ({error})") from None


def _recorded(steps: np.ndarray, theta: np.ndarray, layers: object, place: str) -> Trajectory:
    shapes = _parse_shapes(layers, place)
    if theta.ndim != _MATRIX_AXES or not theta.size or steps.shape != (len(theta),) or steps.dtype.kind not in "iu":
        raise InputError(f"{place}: theta has shape {theta.shape}, step {steps.shape}; a row for each step is needed")
    size = sum(shape.size for shape in shapes)
    if theta.shape[1] != size:
        raise InputError(f"{place}: theta has {theta.shape[1]} columns, its layers have {size} parameters")
    if theta.dtype.kind == "f" and not np.isfinite(theta).all():
        row, column = (int(index) for index in np.argwhere(~np.isfinite(theta))[0])
        where = f"{place}: row {row + 1} (step {steps[row]}), column {column + 1}"
        raise InputError(f"{where}: not a finite number: {theta[row, column]}")
    sheet = from_array(theta, place)
    return Trajectory(place, sheet.numbers(range(size)), tuple(map(int, steps)), shapes)


def _parse_shapes(layers: object, place: str) -> tuple[LayerShape, ...]:
    shapes = []
    for entry in layers if isinstance(layers, list) else []:
        numbers = entry if isinstance(entry, list) and all(type(number) is int for number in entry) else []
        if len(numbers) != _SHAPE_NUMBERS or not all(0 <= number < _MOST_SIZE for number in numbers) or numbers[3] > 1:
            raise InputError(
                f"{place}: layers has the entry {shown(entry)}; number, units, width and 0 or 1 are needed"
            )
        shapes.append(LayerShape(numbers[0], numbers[1], numbers[2], bool(numbers[3])))
    if not shapes or len({shape.number for shape in shapes}) != len(shapes) or not shapes[0].number:
        raise InputError(f"{place}: layers is {shown(layers)}; a shape for each layer that was recorded is needed")
    return tuple(shapes)
