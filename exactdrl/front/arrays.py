"""Networks in float64, by name, as `exactdrl import --network` reads them from an npz file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exactdrl.exact.rationals import InputError, to_float
from exactdrl.problem.instance import Layer
from exactdrl.problem.output import new_file


def to_arrays(layers: Sequence[Layer]) -> dict[str, NDArray[np.float64]]:
    """Returns a network's parameters in float64, each correctly rounded: weight_1, bias_1, weight_2, ..."""
    arrays = {}
    for number, layer in enumerate(layers, 1):
        arrays[f"weight_{number}"] = np.array([[to_float(w) for w in row] for row in layer.weight])
        if layer.bias is not None:
            arrays[f"bias_{number}"] = np.array([to_float(b) for b in layer.bias])
    return arrays


def write_arrays(layers: Sequence[Layer], path: Path | str, *, force: bool = False) -> None:
    """Writes a network in float64 as an npz file.

    Raises:
        InputError: the path has another ending, the file exists and `force` is not set, or it cannot be written.
    """
    target = Path(path)
    if target.suffix != ".npz":
        raise InputError(f"{target}: the name of an archive of arrays ends in .npz")
    arrays: dict[str, Any] = to_arrays(layers)
    with new_file(target, force=force) as partial:
        np.savez(partial, **arrays)
