"""Trajectories that other programs wrote: a row of n parameters for each point, as CSV or as a NumPy array."""

import io
from pathlib import Path

import numpy as np
from gmpy2 import mpq

from exactdrl.doors.arrays import Table, decode_table, parse_table
from exactdrl.exact.rationals import InputError, to_rational
from exactdrl.problem.file import read_bytes


def read_trajectory(
    path: Path | str, *, has_header: bool | None = None, columns: str | None = None
) -> tuple[tuple[mpq, ...], ...]:
    """Returns the points of a trajectory; decimals mean what is written, binary floats the dyadic rationals they are.

    Args:
        path: `*.npy` with an array of shape (rows, n) or (rows, n_ℓ, m), anything else is read as CSV, decompressed if
            its name ends in .gz.
        has_header: CSV: see `parse_table`.
        columns: CSV with a header: take the columns named `columns`0, `columns`1, ...; default: all columns.

    Raises:
        InputError: the file cannot be read, holds no rows, ragged rows, or what is no finite number; the message names
            the file, row, column and value.
    """
    path = Path(path)
    content = read_bytes(path)
    if path.suffix == ".npy":
        if columns is not None or has_header is not None:
            raise InputError(f"{path}: an npy file has no header and no names of columns")
        return _parse_array(content, path)
    table = parse_table(decode_table(content, str(path)), str(path), has_header=has_header)
    indices = list(range(len(table.cells[0]))) if columns is None else _choose(table, columns)
    return table.numbers(indices)


def _choose(table: Table, prefix: str) -> list[int]:
    names = table.names or ()
    indices: list[int] = []
    while f"{prefix}{len(indices)}" in names:
        indices.append(names.index(f"{prefix}{len(indices)}"))
    if not indices:
        raise InputError(f"{table.place}: no column is named {prefix}0")
    return indices


def _parse_array(content: bytes, path: Path) -> tuple[tuple[mpq, ...], ...]:
    try:
        # No pickles: an array of objects would run the file's own code
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except Exception as error:  # noqa: BLE001 - a damaged file makes NumPy's parsers raise anything
        raise InputError(f"{path}: not a whole npy file of plain numbers ({error})") from None
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path}: an npy file with a single array is needed")
    if array.ndim not in (2, 3):
        raise InputError(f"{path}: has shape {array.shape}; (rows, n) or (rows, units, parameters a unit) is needed")
    if not array.size:
        raise InputError(f"{path}: has shape {array.shape}, it is empty")
    rows = array.reshape(len(array), -1)
    return tuple(
        tuple(_number(value, f"{path}: row {r}, column {c}") for c, value in enumerate(row, 1))
        for r, row in enumerate(rows, 1)
    )


def _number(value: object, place: str) -> mpq:
    try:
        return to_rational(value)
    except InputError as error:
        raise InputError(f"{place}: {error}") from None
