"""Compilation of the float kernel by numba, where it can be had; otherwise the same functions run as plain Python."""

import hashlib
import importlib
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

_Function = TypeVar("_Function", bound=Callable[..., Any])

IS_COMPILED = importlib.util.find_spec("numba") is not None and not os.environ.get("EXACTDRL_NO_NUMBA")


def _cache_folder() -> Path:
    """Returns where compiled code is kept: a folder of the user's, named by the kernel's sources and their place.

    numba looks at one file's age only, so that a compiled function would outlive changes in those it calls.
    """
    sources = sorted((Path(__file__).parent / "float64").glob("*.py"))
    contents = [path.read_bytes() for path in (*sources, Path(__file__))]
    # numba's own key holds the files' place, so another installation's code is of no use to this one
    digest = hashlib.sha256(b"".join([str(Path(__file__).parent).encode(), *contents])).hexdigest()[:16]
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "exactdrl" / f"kernel-{digest}"


def is_compiled_already() -> bool:
    """Returns whether compiled code from an earlier run is there: the kernel starts in a second, not in thirty."""
    return IS_COMPILED and any(_cache_folder().rglob("*.nbc"))


def _compile(function: _Function, **options: object) -> _Function:
    # IEEE semantics: no fastmath, so the error bounds hold for the loops as written
    numba: Any = importlib.import_module("numba")
    before = numba.config.CACHE_DIR
    try:
        folder = _cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        numba.config.CACHE_DIR = str(folder)
        result = numba.njit(cache=True, error_model="numpy", **options)(function)
    except (OSError, RuntimeError):
        # nowhere to keep compiled code: it is compiled anew in each process
        result = numba.njit(error_model="numpy", **options)(function)
    finally:
        numba.config.CACHE_DIR = before
    return cast(_Function, result)


def exported(function: _Function) -> _Function:
    """Returns the function compiled for calls from Python too; as it is where numba is missing or turned off."""
    return _compile(function) if IS_COMPILED else function


def compiled(function: _Function) -> _Function:
    """Returns the function compiled for calls from compiled code; called from Python it runs as it is.

    What unpacks Python's arguments, dozens of arrays, would take a fifth of the time that the kernel takes to compile.
    """
    return _without_unpacking(_compile(function, no_cpython_wrapper=True)) if IS_COMPILED else function


def inlined(function: _Function) -> _Function:
    """Returns the function compiled as a part of its callers: where there is one, it need not be compiled twice."""
    return _without_unpacking(_compile(function, inline="always", no_cpython_wrapper=True)) if IS_COMPILED else function


def _without_unpacking(dispatcher: _Function) -> _Function:
    """Makes calls from Python run the Python function: without a wrapper they would end the interpreter."""

    class Inner(type(dispatcher)):  # type: ignore[misc]
        """A dispatcher that only compiled code dispatches with."""

        def __call__(self, *arguments: object) -> object:
            return self.py_func(*arguments)

    dispatcher.__class__ = Inner
    return dispatcher


def either(loops: _Function, arrays: _Function) -> _Function:
    """Returns the loops, compiled, or where there is no compiler the same computation on NumPy arrays."""
    return compiled(loops) if IS_COMPILED else arrays
