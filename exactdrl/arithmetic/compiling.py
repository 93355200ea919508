"""Compilation of the float kernel by numba, where it can be had; otherwise the same functions run as plain Python."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

_Function = TypeVar("_Function", bound=Callable[..., Any])

try:
    import numba
except ImportError:
    _jit = None
else:
    # Compilation keeps IEEE semantics: no fastmath, so the error bounds hold for the loops as written
    _jit = None if os.environ.get("EXACTDRL_NO_NUMBA") else numba.njit(cache=True, error_model="numpy")

IS_COMPILED = _jit is not None


def compiled(function: _Function) -> _Function:
    """Returns the function compiled, or as it is where numba is missing or EXACTDRL_NO_NUMBA is set."""
    return function if _jit is None else _jit(function)


def either(loops: _Function, arrays: _Function) -> _Function:
    """Returns the loops, compiled, or where there is no compiler the same computation on NumPy arrays."""
    return arrays if _jit is None else _jit(loops)
