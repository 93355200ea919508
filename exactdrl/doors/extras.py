"""Packages that exactdrl can use and does not need."""

from importlib import import_module
from types import ModuleType

from exactdrl.exact.rationals import InputError


def import_extra(module: str, package: str, extra: str) -> ModuleType:
    """Returns a module of an optional package.

    Args:
        module: its import name.
        package: the distribution's name.
        extra: the extra of exactdrl that brings it.

    Raises:
        InputError: it cannot be imported; the message says how to install it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        commands = f'pip install {package}, or in a clone of exactdrl: pip install ".[{extra}]"'
        raise InputError(f"{package} is needed: {commands} ({error})") from None
