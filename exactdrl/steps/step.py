"""Steps and outcomes of a walk, as values."""

from dataclasses import dataclass
from typing import TypeAlias

from gmpy2 import mpq

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


@dataclass(frozen=True, slots=True)
class Unbounded:
    """Proved: the loss has no lower bound. It falls along a ray forever, and the ray stays in one cell.

    Attributes:
        direction: of the ray, in the trained layer's parameters, shape (n_ℓ, m).
        flips: kinks whose bits change at the last vertex, where the ray begins; empty if it begins at the start.
        basis: the basis that replaces the old one at that vertex, None where it stays.
        leaving: the kink of the basis that the ray, an edge, leaves; None if the ray begins at the start, and the walk
            has no vertex.
    """

    direction: tuple[tuple[mpq, ...], ...]
    flips: tuple[Kink, ...] = ()
    basis: tuple[Kink, ...] | None = None
    leaving: Kink | None = None


Outcome: TypeAlias = StrictLocalMinimum | LocalMinimum | Unbounded | Undecided | StepLimit
