"""Pivot rules: which edge a walk takes from a vertex. Each is a function of the vertex alone, by exact decisions.

At a degenerate vertex an edge may leave its cell at once: a kink outside of the basis vanishes there, too, and changes
its sign along the edge. Such an edge is blocked. Where the rule's is, the steepest of those that are not is taken.
"""

from collections.abc import Callable
from dataclasses import dataclass

from exactdrl.arithmetic.protocol import Arithmetic, Edge, EdgeSearch
from exactdrl.cells.kinks import Kink


@dataclass(frozen=True, slots=True)
class Choice:
    """An improving edge.

    Attributes:
        flips: kinks of the basis to flip, in order; then the edge lies in the current cell.
        leaving: the kink that the edge leaves.
        is_published_stop: the published rule stops here, though this edge improves.
    """

    flips: tuple[Kink, ...]
    leaving: Kink
    is_published_stop: bool = False

    @classmethod
    def of(cls, edge: Edge) -> "Choice":
        """Returns an edge as a choice that flips its own kink alone, where the edge is on its other side."""
        return cls((edge.kink,) if edge.is_flipped else (), edge.kink)

    @property
    def edge(self) -> Edge:
        """Returns the edge, as it is before the flips."""
        return Edge(self.leaving, self.leaving in self.flips)


@dataclass(frozen=True, slots=True)
class PivotRule:
    """A pivot rule.

    Attributes:
        choose: returns the edge from a vertex, None where the rule sees no improving one.
        search: how an arithmetic makes the same choices by itself, steps on end; None where it cannot.
        is_published: the rule is the published one with an edge more, and stops of that one are recorded.
    """

    choose: Callable[[Arithmetic], Choice | None]
    search: EdgeSearch | None = None
    is_published: bool = False


def choose_reference(arithmetic: Arithmetic) -> Choice | None:
    """Returns the edge that the published rule takes, or, where that stops, the one edge it never looks at.

    The published rule flips the basis' kinks cumulatively in order of entry, and after each flip takes the steepest
    improving one of that cell's n edges. Edges of a vertex and basis do not depend on which other kinks are flipped,
    so after k flips the n edges are the first k kinks' on their other sides and the others' in the current cell.

    Source: Hinz and van de Geer, Deep ReLU Programming; proofs/published-stop.md.
    """
    basis = list(arithmetic.basis)
    inside = [edge for edge in (Edge(kink, is_flipped=False) for kink in basis) if arithmetic.slope_sign(edge) < 0]
    improving_inside = {edge.kink for edge in inside}
    improving: list[Edge] = []
    for count, kink in enumerate(basis, 1):
        across = Edge(kink, is_flipped=True)
        if arithmetic.slope_sign(across) < 0:
            improving.append(across)
        edges = improving + [Edge(other, is_flipped=False) for other in basis[count:] if other in improving_inside]
        if edges:
            return Choice(tuple(basis[:count]), arithmetic.steepest(edges).kink)
    if inside:
        return Choice((), basis[0], is_published_stop=True)
    return None


def choose_steepest(arithmetic: Arithmetic) -> Choice | None:
    """Returns the steepest improving one of all 2n edges."""
    improving = _improving(arithmetic)
    return Choice.of(arithmetic.steepest(improving)) if improving else None


def choose_first(arithmetic: Arithmetic) -> Choice | None:
    """Returns the first improving edge in address order; of one kink's two, the one in the current cell comes first."""
    return next((Choice.of(edge) for edge in _all_edges(arithmetic) if arithmetic.slope_sign(edge) < 0), None)


def choose_instead(arithmetic: Arithmetic, blocked: Edge) -> Choice | None:
    """Returns the steepest improving one of all 2n edges that are not blocked, None if there is none.

    Args:
        arithmetic: the vertex.
        blocked: an edge that is.
    """
    rivals = [edge for edge in _improving(arithmetic) if edge != blocked]
    while rivals:
        edge = arithmetic.steepest(rivals)
        if not arithmetic.is_blocked(edge):
            return Choice.of(edge)
        rivals.remove(edge)
    return None


def _improving(arithmetic: Arithmetic) -> list[Edge]:
    return [edge for edge in _all_edges(arithmetic) if arithmetic.slope_sign(edge) < 0]


def _all_edges(arithmetic: Arithmetic) -> list[Edge]:
    return [Edge(kink, is_flipped) for kink in sorted(arithmetic.basis) for is_flipped in (False, True)]


RULES = {
    "reference": PivotRule(choose_reference, EdgeSearch.CUMULATIVE, is_published=True),
    "steepest": PivotRule(choose_steepest, EdgeSearch.STEEPEST),
    "first": PivotRule(choose_first, EdgeSearch.FIRST),
}
