"""The kinds of runs that a campaign can have."""

from typing import TypeAlias

from exactdrl.campaigns.case import Case
from exactdrl.campaigns.cell_case import KIND, CellCase

AnyCase: TypeAlias = Case | CellCase


def read_case(value: dict[str, object]) -> AnyCase:
    """Returns the case that a case's `to_json` wrote.

    Raises:
        ValueError: the value is no case.
    """
    return CellCase.from_json(value) if value.get("kind") == KIND else Case.from_json(value)
