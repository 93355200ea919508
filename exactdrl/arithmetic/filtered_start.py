"""Phase 1 by the coordinate rule, as far as floats are certain of it. Balls narrow down what floats leave open."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from gmpy2 import mpz

from exactdrl.arithmetic import native
from exactdrl.arithmetic.balls import UncertainError, steepest_columns
from exactdrl.arithmetic.filtered import BALL_BITS
from exactdrl.arithmetic.float64.problem import to_float_problem
from exactdrl.arithmetic.float64.start import set_coordinates
from exactdrl.arithmetic.float64.state import empty_slopes, empty_vertex
from exactdrl.arithmetic.float64.vertex import set_masks
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.exact.linear import Row
from exactdrl.exact.rationals import to_float

# A kink of the basis, with the slot that it took over
Entry: TypeAlias = tuple[int, Kink]
# Rivals beyond which balls are asked: they cost about as much as this many columns solved for exactly
_MANY_RIVALS = 4


class FilteredSearch:
    """The kinks that have entered the basis, each with the slot of the coordinate that it replaced."""

    def __init__(self, problem: IntegerProblem, pattern: Pattern) -> None:
        """Starts with no kink.

        Args:
            problem: the scaled problem.
            pattern: the start's cell, in which phase 1 stays.
        """
        n = problem.dimension
        self._problem, self._pattern = problem, pattern
        self._floats = to_float_problem(problem)
        self._start = np.array([to_float(value) for value in problem.to_reduced(problem.instance.start)])
        if not np.isfinite(self._start).all():
            self._floats = None
        self._vertex = None if self._floats is None else empty_vertex(self._floats)
        self._slopes = None if self._floats is None else empty_slopes(self._floats)
        self._found = np.zeros((n, 4), dtype=np.int64)
        self._rivals = np.zeros(n, dtype=np.int64)

    def take_in(self, entered: Sequence[Entry], *, is_flat: bool) -> tuple[list[Entry], list[int]]:
        """Goes on from a point of phase 1 for as long as each decision is certain in float64.

        Args:
            entered: slots and kinks that the basis holds, in order of entry.
            is_flat: every slope along a coordinate's edge is 0.

        Returns:
            Slots and kinks that enter next, and after them the slots one of which certainly is the next to leave; no
            slots where not even that is certain.
        """
        if self._floats is None or self._vertex is None or self._slopes is None or not self._load(entered):
            return [], []
        count, rivals = native.take_in_kinks(
            self._floats, self._vertex, self._slopes, self._start, len(entered), is_flat, self._found, self._rivals
        )
        kink_of = self._problem.addresses.kink_of
        taken = [(slot, kink_of(*at)) for slot, *at in self._found[len(entered) : count].tolist()]
        return taken, self._rivals[:rivals].tolist()

    def _load(self, entered: Sequence[Entry]) -> bool:
        floats, vertex, numbers = self._floats, self._vertex, self._problem.addresses.numbers
        assert floats is not None  # noqa: S101 - take_in has asked
        assert vertex is not None  # noqa: S101
        set_masks(vertex, self._pattern)
        set_coordinates(vertex, self._start)
        for slot, kink in entered:
            vertex.kinks[slot] = numbers(kink)
        return native.set_up(floats, vertex)


def narrow_down(rows: Sequence[Row], gradient: Sequence[mpz], slots: list[int]) -> list[int]:
    """Returns those of some slots that may have the steepest column, by balls where there are many.

    Args:
        rows: of the basis.
        gradient: of the loss.
        slots: of columns.
    """
    for bits in BALL_BITS:
        if len(slots) <= _MANY_RIVALS:
            break
        try:
            slots = steepest_columns(rows, gradient, slots, bits)
        except UncertainError:
            continue
    return slots
