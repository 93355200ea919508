"""Marks for native/translate.py, which makes the source of the compiled kernel of the functions that carry them."""

from collections.abc import Callable
from typing import Any, TypeVar

_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """Marks a function that compiled ones call: it becomes one of C, which Python does not see."""
    return function


def exported(function: _Function) -> _Function:
    """Marks a function that Python calls, too."""
    return function
