"""Trajectories that other programs wrote: a row of n parameters for each point.

They come as CSV and its relatives, as Parquet, or as arrays of NumPy.
"""

from dataclasses import dataclass
from pathlib import Path

from gmpy2 import mpq

from exactdrl.doors.sheet import Sheet
from exactdrl.doors.sheet_frame import from_array
from exactdrl.doors.sheet_text import TextForm
from exactdrl.doors.tables import load_npy, read_sheet
from exactdrl.exact.rationals import InputError
from exactdrl.problem.file import read_bytes


@dataclass(frozen=True, slots=True)
class Trajectory:
    """The points of a trajectory.

    Attributes:
        points: a row of n parameters for each point, at least one row.
        notes: what was decided by a rule while reading, one sentence each.
    """

    points: tuple[tuple[mpq, ...], ...]
    notes: tuple[str, ...] = ()


def read_trajectory(path: Path | str, *, columns: str | None = None, form: TextForm | None = None) -> Trajectory:
    """Returns the points of a trajectory; decimals mean what is written, binary floats the dyadic rationals they are.

    Args:
        path: `*.npy` with an array of shape (rows, n) or (rows, n_ℓ, m), or a table, see `read_table`.
        columns: a table with names: take the columns named `columns`0, `columns`1, ...; default: all columns.
        form: how a text is written; it is of no use with other files.

    Raises:
        InputError: the file cannot be read, holds no rows, ragged rows, or what is no finite number; the message names
            the file, row, column and value.
    """
    path = Path(path)
    if path.suffix == ".npy":
        if columns is not None or form not in {None, TextForm()}:
            raise InputError(f"{path}: an npy file has no header and no names of columns")
        sheet = _read_array(path)
    else:
        sheet = read_sheet(path, form)
    indices = list(range(sheet.width)) if columns is None else _choose(sheet, columns)
    return Trajectory(tuple(sheet.numbers(indices)), sheet.notes)


def _choose(sheet: Sheet, prefix: str) -> list[int]:
    names = sheet.names or ()
    indices: list[int] = []
    while f"{prefix}{len(indices)}" in names:
        indices.append(names.index(f"{prefix}{len(indices)}"))
    if not indices:
        raise InputError(f"{sheet.place}: no column is named {prefix}0")
    return indices


def _read_array(path: Path) -> Sheet:
    array = load_npy(read_bytes(path), path)
    if array.ndim not in (2, 3):
        raise InputError(f"{path}: has shape {array.shape}; (rows, n) or (rows, units, parameters a unit) is needed")
    if not array.size:
        raise InputError(f"{path}: has shape {array.shape}, it is empty")
    return from_array(array.reshape(len(array), -1), str(path))
