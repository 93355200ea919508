"""Steps and outcomes of a walk, as values."""

from dataclasses import dataclass
from typing import TypeAlias

from exactdrl.cells.kinks import Kink
from exactdrl.minimality.verdict import LocalMinimum, StrictLocalMinimum, Undecided


@dataclass(frozen=True, slots=True)
class Step:
    """One step of phase 2, as combinatorics: from a vertex to another one, where the loss is smaller.

    Attributes:
        index: counted from 1.
        flips: kinks whose bits change at the vertex before the edge is taken.
        basis: the basis that replaces the old one at that vertex, None where it stays; only at degenerate vertices.
        leaving: the kink that the edge leaves.
        entering: the kink at which the step ends.
        is_published_stop: the published rule stops at the vertex where this step begins, which is no local minimum.
        crossed: kinks through which a long step passes; where there are none, the vertices are adjacent.
    """

    index: int
    flips: tuple[Kink, ...]
    basis: tuple[Kink, ...] | None
    leaving: Kink
    entering: Kink
    is_published_stop: bool
    crossed: tuple[Kink, ...] = ()


@dataclass(frozen=True, slots=True)
class StepLimit:
    """The walk was stopped by a limit or an interrupt; it says nothing about minimality."""


Outcome: TypeAlias = StrictLocalMinimum | LocalMinimum | Undecided | StepLimit
