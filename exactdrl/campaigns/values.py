"""Values of a configuration, which are refused if they are not of their kind."""

from collections.abc import Callable
from typing import TypeVar

from exactdrl.exact.rationals import InputError, shown

MAX_SEED = 2**63 - 1
_Value = TypeVar("_Value")


def refuse_unknown(table: dict[str, object], place: str, known: tuple[str, ...]) -> None:
    """Refuses a table with an unknown key.

    Raises:
        InputError: a key is unknown; the message names the place and the value.
    """
    for key in table:
        if key not in known:
            raise InputError(f"{place}unknown key {shown(key)}; possible are {', '.join(known)}")


def integer(value: object, place: str, least: int, greatest: int) -> int:
    """Returns a value that is an integer within bounds.

    Raises:
        InputError: the value is none; the message names the place and the value.
    """
    # in Python a bool is an int; in TOML 2.0 is no integer
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= greatest:
        raise InputError(f"{place} is {shown(value)}, an integer from {least} to {greatest} is needed")
    return value


def optional(table: dict[str, object], key: str, place: str, least: int, greatest: int) -> int | None:
    """Returns an entry that is an integer within bounds; None if there is no such entry.

    Raises:
        InputError: the entry is no such integer; the message names the place and the value.
    """
    return integer(table[key], place, least, greatest) if key in table else None


def boolean(value: object, place: str) -> bool:
    """Returns a value that is true or false.

    Raises:
        InputError: the value is neither; the message names the place and the value.
    """
    if not isinstance(value, bool):
        raise InputError(f"{place} is {shown(value)}, true or false is needed")
    return value


def several(value: object, place: str, parse: Callable[[object, str], _Value]) -> list[_Value]:
    """Returns the parsed entries of a list without repetitions.

    Raises:
        InputError: the value is no list, is empty, or has a repeated or a wrong entry; the message names the place and
            the value.
    """
    if not isinstance(value, list) or not value:
        raise InputError(f"{place} is {shown(value)}, a list with at least one entry is needed")
    found: list[_Value] = []
    for index, entry in enumerate(value):
        parsed = parse(entry, f"{place}[{index}]")
        if parsed in found:
            raise InputError(f"{place}[{index}] is {shown(entry)}, which stands in the list already")
        found.append(parsed)
    return found
