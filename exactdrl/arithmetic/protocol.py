"""What a walk asks of an arithmetic, which holds a vertex as pattern and basis and decides exactly."""

from collections.abc import Sequence
from enum import Enum, auto
from typing import NamedTuple, Protocol

from gmpy2 import mpq

from exactdrl.arithmetic.counts import DecisionCounts
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.cells.scan import Breakpoint


class Edge(NamedTuple):
    """One of the 2n edges of a vertex and its basis.

    Attributes:
        kink: of the basis; the edge leaves it and keeps the others.
        is_flipped: False for the edge in the current cell, True for that on the kink's other side.
    """

    kink: Kink
    is_flipped: bool


class EdgeSearch(Enum):
    """How an arithmetic that takes steps by itself chooses among the 2n edges of a vertex.

    Attributes:
        CUMULATIVE: the basis' kinks are flipped one after another, in order of entry, until the cell has an improving
            edge; the steepest one of that cell is chosen.
        STEEPEST: the steepest of all edges.
        FIRST: the first improving one in address order.
    """

    CUMULATIVE = auto()
    STEEPEST = auto()
    FIRST = auto()


class Move(NamedTuple):
    """A step that an arithmetic took by itself.

    Attributes:
        flips: kinks whose bits changed before the edge was taken.
        leaving: the kink that the edge left.
        entering: the kink that it met.
        is_published_stop: the published rule stops at the vertex where the step began.
    """

    flips: tuple[Kink, ...]
    leaving: Kink
    entering: Kink
    is_published_stop: bool


class Arithmetic(Protocol):
    """A vertex that flips and pivots change. Each decision is exact, whatever way it was computed."""

    @property
    def pattern(self) -> Pattern:
        """Returns the current cell; read only."""
        ...

    @property
    def basis(self) -> list[Kink]:
        """Returns the basis in order of entry; read only."""
        ...

    @property
    def counts(self) -> DecisionCounts | None:
        """Returns how the decisions were made so far; None where all are exact."""
        ...

    def run_ahead(self, search: EdgeSearch, limit: int) -> list[Move]:
        """Takes up to `limit` steps as they would be decided exactly; none, if there is no faster way.

        Where the edge that is chosen is blocked, the steepest one that is not is taken.
        """
        ...

    def slope_sign(self, edge: Edge) -> int:
        """Returns the sign of the loss's slope along an edge: -1, 0 or 1."""
        ...

    def steepest(self, edges: Sequence[Edge]) -> Edge:
        """Returns the edge with the largest -slope / |direction| of edges with negative slope.

        Ties go to the first in (kink, is_flipped) order.
        """
        ...

    def is_blocked(self, edge: Edge) -> bool:
        """Returns whether an edge leaves its cell at once.

        A kink outside of the basis that vanishes at the vertex, too, changes its sign along such an edge.
        """
        ...

    def first_kinks(self, leaving: Kink) -> Breakpoint | None:
        """Returns the ratio test along the current cell's edge that leaves a kink; None if the edge meets no kink."""
        ...

    def flip(self, kink: Kink) -> None:
        """Goes over to the cell on the other side of a basis kink; the vertex stays."""
        ...

    def pivot(self, leaving: Kink, entering: Kink) -> None:
        """Exchanges two kinks: the entering one, met by the edge, joins the basis as its last."""
        ...

    def vanishing_kinks(self) -> list[Kink]:
        """Returns all kinks that vanish at the vertex, in address order."""
        ...

    def rebase(self, pattern: Pattern, candidates: Sequence[Kink]) -> None:
        """Takes another cell at the same vertex; its basis are the first n independent ones of some kinks.

        Args:
            pattern: the cell; copied.
            candidates: kinks that vanish at the vertex.
        """
        ...

    def vertex(self) -> tuple[mpq, ...]:
        """Returns the reduced parameters, n rationals."""
        ...

    def loss_estimate(self) -> float:
        """Returns the loss in floats, for display only."""
        ...

    def loss(self) -> mpq:
        """Returns the loss at the vertex."""
        ...
