"""Counts of how the decisions of a walk were made, by kind: in floats, in balls or exactly."""

from collections import Counter
from dataclasses import dataclass, field

KINDS = ("slope sign", "steepest edge", "first kink")
# Of the rule long-step: the signs of all residuals at a vertex, the row to leave, where to stop
LONG_KINDS = ("residual signs", "leaving row", "stopping kink")


@dataclass(slots=True)
class DecisionCounts:
    """How many decisions were certain in float64, how many in balls, and how many were made exactly.

    Attributes:
        kinds: what is counted.
        steps: the number of steps decided in float64 alone, and the number of others.
        floats: decisions made in float64, by kind.
        balls: decisions made in balls, by kind.
        exact: decisions made exactly, by kind.
        loads: the number of vertices at which floats were set up anew.
        condition: the largest condition number met, ‖ |R| |A| ‖.
    """

    kinds: tuple[str, ...] = KINDS
    steps: list[int] = field(default_factory=lambda: [0, 0])
    floats: Counter[str] = field(default_factory=Counter)
    balls: Counter[str] = field(default_factory=Counter)
    exact: Counter[str] = field(default_factory=Counter)
    loads: int = 0
    condition: float = 0.0
