"""A walk's sequences as the file that a campaign keeps beside the certificate, with a row for each vertex."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from exactdrl.exact.rationals import InputError
from exactdrl.series.trajectory import Trajectory

SERIES_ENDING = ".series.parquet"
COLUMNS = ("loss", "squared_step", "squared_distance")


def to_series(trajectory: Trajectory) -> bytes:
    """Returns a walk's sequences as Parquet: the columns `loss`, `squared_step` and `squared_distance`, as float64.

    Row k is the vertex after step k. Each float is the one nearest to an exact number; `squared_step`, the squared
    length of step k, is null in row 0.
    """
    import pyarrow as pa  # noqa: PLC0415 - half a second to import, and only this needs it
    import pyarrow.parquet as pq  # noqa: PLC0415

    columns: tuple[Sequence[float | None], ...] = (
        trajectory.losses.floats(),
        [None, *trajectory.squared_steps.floats()],
        trajectory.squared_distances.floats(),
    )
    arrays = [pa.array(values, type=pa.float64()) for values in columns]
    sink = pa.BufferOutputStream()
    # neighbouring numbers share their leading bytes, which the split stores together
    pq.write_table(
        pa.table(arrays, names=list(COLUMNS)),
        sink,
        compression="zstd",
        use_dictionary=False,
        use_byte_stream_split=True,
    )
    return bytes(sink.getvalue())


def read_series(path: Path) -> dict[str, NDArray[np.float64]]:
    """Returns the columns that `to_series` wrote; the step length of row 0 is NaN.

    Raises:
        InputError: the file cannot be read, or is no file of sequences.
    """
    import pyarrow as pa  # noqa: PLC0415 - as above
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: cannot be read as Parquet ({error})") from None
    if tuple(table.column_names) != COLUMNS:
        raise InputError(f"{path}: has the columns {', '.join(table.column_names)}, not {', '.join(COLUMNS)}")
    return {name: table[name].to_numpy(zero_copy_only=False) for name in COLUMNS}
