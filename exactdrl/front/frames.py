"""Data frames of results; pandas is an optional package."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from exactdrl.doors.extras import import_extra

if TYPE_CHECKING:
    from pandas import DataFrame


def to_frame(columns: Mapping[str, Sequence[object]], *, index: str | Sequence[str] | None = None) -> "DataFrame":
    """Returns a data frame.

    Args:
        columns: the columns by name, all of one length.
        index: the column that names the rows, or the rows' names; None where the rows are numbered.

    Raises:
        InputError: pandas is not installed.
    """
    pd = import_extra("pandas", "pandas", "regression")
    frame: DataFrame
    if isinstance(index, str):
        frame = pd.DataFrame(dict(columns)).set_index(index)
    else:
        frame = pd.DataFrame(dict(columns), index=None if index is None else list(index))
    return frame
