"""What can be said of a point."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from gmpy2 import mpq


@dataclass(frozen=True, slots=True)
class StrictLocalMinimum:
    """Proved: near the point, the loss is greater everywhere else.

    Attributes:
        by: what proves it.
    """

    by: Literal["likq"] = "likq"


@dataclass(frozen=True, slots=True)
class LocalMinimum:
    """Proved: near the point, the loss is nowhere smaller. Strictness is not claimed.

    Attributes:
        by: what proves it.
    """

    by: Literal["likq", "zero-loss"]


@dataclass(frozen=True, slots=True)
class NotMinimum:
    """Proved: the loss falls along a direction.

    Attributes:
        direction: in the reduced parameters, n rationals.
    """

    direction: tuple[mpq, ...]


@dataclass(frozen=True, slots=True)
class Undecided:
    """Neither proved nor refuted; it says nothing about minimality.

    Attributes:
        active: how many kinks are active at the point.
    """

    active: int


Verdict: TypeAlias = StrictLocalMinimum | LocalMinimum | NotMinimum | Undecided
