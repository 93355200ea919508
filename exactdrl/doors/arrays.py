"""Instances from arrays, from `*.npz` files and from tables of decimals (CSV).

Binary floats mean the dyadic rationals that they are, text means what is written; nothing is rounded on the way.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gmpy2 import mpq

from exactdrl.exact.rationals import InputError, parse_rational, shown
from exactdrl.problem.doubles import DoubleMatrix
from exactdrl.problem.file import read_bytes
from exactdrl.problem.instance import Instance, Matrix, Samples, Vector, to_matrix, to_samples, to_vector

_LAYER_KEY = re.compile(r"(?:weight|bias)_[1-9][0-9]{0,3}")
_COLUMN_NUMBER = re.compile(r"[0-9]{1,9}")
# What programs write where a number is missing: never the name of a column that was merely not declared as one
_NO_VALUE = frozenset({"nan", "inf", "infinity", "na", "n/a", "null", "none"})


@dataclass(frozen=True, slots=True)
class Network:
    """The layers of a network as a file holds them.

    Attributes:
        weights: of layers 1..L+1, shape (n_l, n_{l-1}) each.
        biases: of layers 1..L+1, n_l entries each, None for a layer without bias.
    """

    weights: tuple[Matrix, ...]
    biases: tuple[Vector | None, ...]


@dataclass(frozen=True, slots=True)
class Data:
    """Samples.

    Attributes:
        inputs: shape (N, n_0).
        targets: shape (N, n_{L+1}).
    """

    inputs: Samples
    targets: Samples


@dataclass(frozen=True, slots=True)
class Table:
    """The cells of a CSV text, not yet read as numbers; all rows are equally long.

    Attributes:
        place: what error messages call the text, its file's name.
        names: of the columns, or None without a header; no two the same.
        lines: for each row of `cells`, the line of the file where it begins, from 1.
        cells: at least one row, the header not among them.
    """

    place: str
    names: tuple[str, ...] | None
    lines: tuple[int, ...]
    cells: tuple[tuple[str, ...], ...]

    def column_index(self, column: int | str) -> int:
        """Returns a column's index, from 0.

        Args:
            column: a name, or a number as counted in the file, from 1. A text of digits is a number where no column
                has that name.

        Raises:
            InputError: there is no such column, or the text is one column's name and another one's number.
        """
        width = len(self.cells[0])
        names = self.names or ()
        index: int | None = None
        if isinstance(column, int) and not isinstance(column, bool):
            index = column - 1
        elif isinstance(column, str) and _COLUMN_NUMBER.fullmatch(column):
            index = int(column) - 1
        if isinstance(column, str) and column in names:
            named = names.index(column)
            if index is not None and 0 <= index < width and index != named:
                number = f"column {index + 1} or, by its name, column {named + 1}"
                raise InputError(f"{self.place}: column {shown(column)} may be {number}")
            return named
        if index is None:
            known = f"the names are {', '.join(names)}" if self.names else "the file has no header, choose by number"
            raise InputError(f"{self.place}: no column is named {shown(column)}; {known}")
        if not 0 <= index < width:
            raise InputError(f"{self.place}: there is no column {column}; the columns are 1 to {width}")
        return index

    def numbers(self, indices: Sequence[int]) -> Matrix:
        """Returns the chosen columns as the numbers that are written, shape (rows, len(indices)).

        Args:
            indices: of columns, from 0.

        Raises:
            InputError: a cell is empty or no number; the message names file, row, column and value.
        """
        return tuple(
            tuple(self._number(line, row, index) for index in indices)
            for line, row in zip(self.lines, self.cells, strict=True)
        )

    def _number(self, line: int, row: Sequence[str], index: int) -> mpq:
        try:
            return parse_rational(row[index])
        except InputError as error:
            reason = str(error) if row[index] else "the cell is empty: ''"
            raise InputError(f"{self.place}: row {line}, {_column(index, self.names)}: {reason}") from None


def _column(index: int, names: Sequence[str] | None) -> str:
    return f"column {index + 1} ({shown(names[index])})" if names and index < len(names) else f"column {index + 1}"


def from_arrays(
    weights: Sequence[object],
    biases: Sequence[object | None],
    inputs: object,
    targets: object,
    *,
    layer: int = 1,
    start: object | None = None,
) -> Instance:
    """Returns an instance from NumPy arrays, nested lists, pandas frames or whatever offers itself as an array.

    Args:
        weights: of layers 1..L+1, shape (n_l, n_{l-1}) each: a row a unit. (scikit-learn and Keras keep the
            transposes.)
        biases: of layers 1..L+1, n_l entries each, None for a layer without bias.
        inputs: shape (N, n_0).
        targets: shape (N, n_{L+1}), or (N,) for one output.
        layer: the trained layer, 1..L+1.
        start: shape (n_layer, n_{layer-1} + 1), without the last column where the bias is None; default: the layer's
            own parameters.

    Raises:
        InputError: as many biases as weights are needed; shapes that do not fit, NaN, infinities; the message names
            the place and the value.
    """
    if len(weights) != len(biases):
        raise InputError(f"{len(weights)} weights and {len(biases)} biases; a layer without bias needs the bias None")
    layers = []
    for index, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        place = f"network.layers[{index}]"
        vector = None if bias is None else _to_plain(bias, f"{place}.bias", axes=(1,))
        layers.append((_to_plain(weight, f"{place}.weight", axes=(2,)), vector))
    return Instance.create(
        layers,
        _to_plain(inputs, "data.inputs", axes=(2,)),
        _to_target_rows(targets, "data.targets"),
        layer=layer,
        start=None if start is None else _to_plain(start, "start", axes=(2,)),
    )


def from_regression(inputs: object, targets: object, *, has_bias: bool = True) -> Instance:
    """Returns the problem of least absolute deviations: one affine layer, which is trained, from start 0.

    Args:
        inputs: shape (N, n_0).
        targets: shape (N, outputs), or (N,) for one output.
        has_bias: whether there is an intercept; its coefficient is the last parameter of an output.

    Raises:
        InputError: see `from_arrays`.
    """
    rows = to_samples(_to_plain(inputs, "data.inputs", axes=(2,)), "data.inputs")
    columns = to_samples(_to_target_rows(targets, "data.targets"), "data.targets")
    weight = [[0] * len(rows[0]) for _ in columns[0]]
    return Instance.create([(weight, [0] * len(columns[0]) if has_bias else None)], rows, columns)


def _to_plain(values: object, place: str, axes: Sequence[int]) -> object:
    """Returns arrays, frames and tensors as NumPy arrays with an allowed number of axes; everything else as it is."""
    if isinstance(values, np.ma.MaskedArray):
        raise InputError(f"{place} is a masked array; values that are masked have no meaning here")
    if not hasattr(values, "__array__"):
        return values
    try:
        # A frame's columns of integers must not become floats because those of another column are
        is_pandas = type(values).__module__.partition(".")[0] == "pandas"
        convert = getattr(values, "to_numpy", None) if is_pandas else None
        array = np.asarray(values) if convert is None else convert(dtype=object)
    except (RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"{place} cannot be read as an array ({error})") from None
    if array.ndim not in axes:
        raise InputError(f"{place} has shape {array.shape}; {' or '.join(map(str, axes))} axes are needed")
    return array


def _to_target_rows(values: object, place: str) -> object:
    """Returns targets with an axis for the outputs; numbers without one are the targets of a single output."""
    plain = _to_plain(values, place, axes=(1, 2))
    if isinstance(plain, np.ndarray):
        return plain.reshape(-1, 1) if plain.ndim == 1 else plain
    if isinstance(plain, DoubleMatrix):
        return plain
    if isinstance(plain, (str, bytes)) or not isinstance(plain, Iterable):
        return plain
    entries = list(plain)
    if any(isinstance(entry, Iterable) and not isinstance(entry, (str, bytes)) for entry in entries):
        return entries
    return [[entry] for entry in entries]


def read_network_npz(path: Path | str) -> Network:
    """Returns the network in a file `*.npz` with the arrays weight_1, bias_1, weight_2, bias_2, ...

    Args:
        path: of the file. weight_k has shape (n_k, n_{k-1}), bias_k has shape (n_k,), or is missing: the layer has no
            bias. Integers, floats or texts of numbers.

    Raises:
        InputError: the file is no npz file, has other or repeated names, a gap in the layers' numbers, wrong numbers
            of axes, NaN or infinities; the message names the file, the array, the entry and the value.
    """
    arrays = _read_npz(Path(path))
    for name in arrays:
        if not _LAYER_KEY.fullmatch(name):
            raise InputError(f"{path}: unknown array {shown(name)}; weight_1, bias_1, weight_2, ... are possible")
    count = max((int(name.partition("_")[2]) for name in arrays), default=1)
    weights, biases = [], []
    for number in range(1, count + 1):
        if f"weight_{number}" not in arrays:
            raise InputError(f"{path}: array weight_{number} is missing")
        place = f"{path}: weight_{number}"
        weights.append(to_matrix(_to_plain(arrays[f"weight_{number}"], place, axes=(2,)), place))
        place = f"{path}: bias_{number}"
        bias = arrays.get(f"bias_{number}")
        biases.append(None if bias is None else to_vector(_to_plain(bias, place, axes=(1,)), place))
    return Network(tuple(weights), tuple(biases))


def read_data_npz(path: Path | str) -> Data:
    """Returns the samples in a file `*.npz` with the arrays `inputs` and `targets`.

    Args:
        path: of the file. `inputs` has shape (N, n_0), `targets` (N, outputs) or (N,) for one output.

    Raises:
        InputError: the file is no npz file, has other or repeated names, wrong numbers of axes or rows, NaN or
            infinities; the message names the file, the array, the entry and the value.
    """
    arrays = _read_npz(Path(path))
    for name in arrays:
        if name not in ("inputs", "targets"):
            raise InputError(f"{path}: unknown array {shown(name)}; inputs and targets are needed")
    for name in ("inputs", "targets"):
        if name not in arrays:
            raise InputError(f"{path}: array {name} is missing")
    if arrays["targets"].ndim == 1:
        arrays["targets"] = arrays["targets"].reshape(-1, 1)
    inputs, targets = (
        to_samples(_to_plain(arrays[name], f"{path}: {name}", axes=(2,)), f"{path}: {name}")
        for name in ("inputs", "targets")
    )
    if len(inputs) != len(targets):
        raise InputError(f"{path}: targets has {len(targets)} rows, inputs has {len(inputs)}")
    return Data(inputs, targets)


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    content = read_bytes(path)
    try:
        named = _load_npz(content)
    except Exception as error:  # noqa: BLE001 - a damaged file makes NumPy's parsers raise anything, tokenize.TokenError too
        raise InputError(f"{path}: not a whole npz file of plain arrays ({error})") from None
    if named is None:
        raise InputError(f"{path}: holds a single array; an npz file is needed")
    arrays: dict[str, np.ndarray] = {}
    for name, array in named:
        if name in arrays:
            raise InputError(f"{path}: array {shown(name)} is repeated")
        if not isinstance(array, np.ndarray):
            raise InputError(f"{path}: {shown(name)} is no array")
        arrays[name] = array
    return arrays


def _load_npz(content: bytes) -> list[tuple[str, object]] | None:
    """Returns what a file's members hold, in order; None where the file is a single array."""
    # No pickles: an array of objects would run the file's own code
    loaded = np.load(io.BytesIO(content), allow_pickle=False)
    return [(name, loaded[name]) for name in loaded.files] if isinstance(loaded, np.lib.npyio.NpzFile) else None


def parse_table(text: str, place: str, *, has_header: bool | None = None, delimiter: str = ",") -> Table:
    """Returns the cells of a CSV text.

    Args:
        text: rows of cells; a cell may stand in double quotes.
        place: what error messages call the text.
        has_header: whether the first row holds names. None: it does if every cell of it begins with a letter or `_`
            and is none of `nan`, `inf`, `NA` and the like; it does not if every cell is a number; anything else is
            refused.
        delimiter: one character.

    Raises:
        InputError: no rows, ragged or blank rows, repeated names, bad quoting, or a first row that may be a header or
            not; the message names the place, row and column.
    """
    if len(delimiter) != 1 or delimiter in '\r\n"':
        raise InputError(f"delimiter is {shown(delimiter)}; one character is needed")
    lines, rows = _read_rows(text, place, delimiter)
    names = rows[0] if has_header or (has_header is None and _is_header(rows[0], place)) else None
    for line, row in zip(lines, rows, strict=True):
        _check_length(row, len(rows[0]), names, f"{place}: row {line}")
    if names is None:
        return Table(place, None, lines, rows)
    for index, name in enumerate(names):
        first = names.index(name)
        if first != index:
            raise InputError(
                f"{place}: row 1, column {index + 1}: the name {shown(name)} is repeated, column {first + 1} has it"
            )
    if len(rows) == 1:
        raise InputError(f"{place}: holds no rows below the header")
    return Table(place, names, lines[1:], rows[1:])


def _read_rows(text: str, place: str, delimiter: str) -> tuple[tuple[int, ...], tuple[tuple[str, ...], ...]]:
    """Returns the lines where the rows begin, from 1, and the rows; at least one, none of them blank."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    lines, rows = [], []
    line = 1
    try:
        for row in reader:
            if not row:
                raise InputError(f"{place}: row {line} is blank")
            lines.append(line)
            rows.append(tuple(row))
            # A quoted cell may hold line breaks, so that a row is more than a line
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{place}: row {line} is no CSV ({error})") from None
    if not rows:
        raise InputError(f"{place}: holds no rows")
    return tuple(lines), tuple(rows)


def _check_length(row: Sequence[str], width: int, names: Sequence[str] | None, place: str) -> None:
    problem = f"{place} has {len(row)} cells, row 1 has {width}"
    if len(row) < width:
        raise InputError(f"{problem}: {_column(len(row), names)} is missing")
    if len(row) > width:
        raise InputError(f"{problem}: column {width + 1} is beyond, with the value {shown(row[width])}")


def _is_header(row: Sequence[str], place: str) -> bool:
    are_numbers = [_is_number(cell) for cell in row]
    if all(are_numbers):
        return False
    are_names = [(cell[:1].isalpha() or cell[:1] == "_") and cell.lower() not in _NO_VALUE for cell in row]
    if all(are_names):
        return True
    # Beside numbers the odd one is what is no number, beside names what is no name
    odd = (are_numbers if any(are_numbers) else are_names).index(False)
    raise InputError(
        f"{place}: row 1, column {odd + 1}: {shown(row[odd])} is not a number, and the row is not plainly a header; "
        "say whether the first row holds names"
    )


def _is_number(cell: str) -> bool:
    try:
        parse_rational(cell)
    except InputError:
        return False
    return True


def to_data(table: Table, *, targets: Sequence[int | str], inputs: Sequence[int | str] | None = None) -> Data:
    """Returns chosen columns of a table as samples. Columns that are not chosen are not read as numbers.

    Args:
        table: the cells.
        targets: columns, each by its name or its number as counted in the file, from 1.
        inputs: the same; default: all columns that are no targets, in the file's order.

    Raises:
        InputError: no targets or inputs, an unknown column, one chosen twice, or a cell that is no number; the
            message names the place, row, column and value.
    """
    chosen = [table.column_index(column) for column in targets]
    width = len(table.cells[0])
    if inputs is None:
        others = [index for index in range(width) if index not in chosen]
    else:
        others = [table.column_index(column) for column in inputs]
    for indices, what in ((chosen, "targets"), (others, "inputs")):
        if not indices:
            raise InputError(f"{table.place}: no column is left for the {what}")
    both = [*others, *chosen]
    repeated = next((index for position, index in enumerate(both) if index in both[:position]), None)
    if repeated is not None:
        raise InputError(f"{table.place}: {_column(repeated, table.names)} is chosen twice")
    return Data(table.numbers(others), table.numbers(chosen))


def decode_table(content: bytes, place: str) -> str:
    """Returns the text of a CSV file: UTF-8, a byte order mark at its beginning left out.

    Raises:
        InputError: the bytes are not UTF-8; the message names the place.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{place}: byte {error.start} is not UTF-8") from None


def read_data_csv(
    path: Path | str,
    *,
    targets: Sequence[int | str],
    inputs: Sequence[int | str] | None = None,
    has_header: bool | None = None,
    delimiter: str = ",",
) -> Data:
    """Returns the samples in a CSV file, or a compressed one whose name ends in .gz; decimals mean what is written.

    Args:
        path: of the file.
        targets: see `to_data`.
        inputs: see `to_data`.
        has_header: see `parse_table`.
        delimiter: see `parse_table`.

    Raises:
        InputError: the file cannot be read, see also `parse_table` and `to_data`; the message names the file, row (as
            counted in the file, from 1), column and value.
    """
    text = decode_table(read_bytes(Path(path)), str(path))
    table = parse_table(text, str(path), has_header=has_header, delimiter=delimiter)
    return to_data(table, targets=targets, inputs=inputs)
