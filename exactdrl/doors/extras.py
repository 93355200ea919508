"""Packages that exactdrl can use and does not need."""

from importlib import import_module
from types import ModuleType

from exactdrl.exact.rationals import InputError


def import_extra(module: str, package: str, extra: str) -> ModuleType:
    """Returns a module of an optional package.

    Args:
        module: the module's import name.
        package: the distribution's name.
        extra: the extra of exactdrl that installs the package.

    Raises:
        InputError: the module cannot be imported; the message says how to install the package.
    """
    try:
        return import_module(module)
    except ImportError as error:
        commands = f'pip install {package}, or in a clone of exactdrl: pip install ".[{extra}]"'
        raise InputError(f"{package} is needed: {commands} ({error})") from None
