"""The protocol of what takes a walk's steps. It knows neither arithmetics nor regressions."""

from collections.abc import Callable, Sequence
from typing import Protocol

from gmpy2 import mpq

from exactdrl.arithmetic.counts import DecisionCounts
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.steps.first_vertex import FirstVertex, StartEnd
from exactdrl.steps.step import Outcome, Step


class Stepper(Protocol):
    """A vertex that moves.

    Attributes:
        on_node: called with the number of nodes so far, while a vertex is proved to be a minimum; None for nothing.
    """

    on_node: Callable[[int], None] | None

    @property
    def first_vertex(self) -> FirstVertex | StartEnd:
        """Returns the result of phase 1: a vertex, or a ray from the start along which the loss falls forever."""
        ...

    @property
    def start_end(self) -> StartEnd | None:
        """Returns the ray that phase 1 found instead of a vertex, None where there is a vertex."""
        ...

    @property
    def counts(self) -> DecisionCounts | None:
        """Returns how the decisions were made so far; None where all are exact."""
        ...

    def resume(self, pattern: Pattern, basis: Sequence[Kink]) -> None:
        """Takes a vertex that this same walk has reached before."""
        ...

    def parameters(self) -> tuple[mpq, ...]:
        """Returns the reduced parameters of the vertex."""
        ...

    def loss(self) -> mpq:
        """Returns the loss at the vertex."""
        ...

    def loss_estimate(self) -> float:
        """Returns the loss in floats, for display only."""
        ...

    def advance(self, index: int, limit: int) -> list[Step] | Outcome:
        """Takes at least one and up to `limit` steps, the first of them numbered `index`, or returns the outcome."""
        ...
