"""The kinds of runs that a campaign knows."""

from typing import TypeAlias

from exactdrl.campaigns.case import Case
from exactdrl.campaigns.cell_case import KIND, CellCase

AnyCase: TypeAlias = Case | CellCase


def read_case(value: dict[str, object]) -> AnyCase:
    """Returns the case that a `to_json` wrote.

    Raises:
        ValueError: it is none.
    """
    return CellCase.from_json(value) if value.get("kind") == KIND else Case.from_json(value)
