"""Phase 1 by the coordinate rule, as far as floats are certain of it. Balls narrow down what floats leave open."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from gmpy2 import mpq, mpz

from exactdrl.arithmetic import native
from exactdrl.arithmetic.balls import UncertainError, steepest_columns
from exactdrl.arithmetic.filtered import BALL_BITS
from exactdrl.arithmetic.float64.arrays import nearest_kink, scan_rates
from exactdrl.arithmetic.float64.problem import to_float_problem
from exactdrl.arithmetic.float64.start import set_coordinates
from exactdrl.arithmetic.float64.state import empty_slopes, empty_vertex
from exactdrl.arithmetic.float64.vertex import set_masks
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.cells.scan import Values
from exactdrl.exact.basis import Scaled
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
        # how many kinks the vertex in floats holds, where it is certain
        self._held: int | None = None

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
        count, rivals, is_held = native.take_in_kinks(
            self._floats, self._vertex, self._slopes, self._start, len(entered), is_flat, self._found, self._rivals
        )
        self._held = count if is_held else None
        kink_of = self._problem.addresses.kink_of
        taken = [(slot, kink_of(*at)) for slot, *at in self._found[len(entered) : count].tolist()]
        return taken, self._rivals[:rivals].tolist()

    def likely_places(self, slot: int) -> list[int] | None:
        """Returns where a column of the inverse is likely to be other than 0; None if floats do not hold the basis."""
        if self._held is None or self._vertex is None:
            return None
        sizes, error = np.abs(self._vertex.inverse[:, slot]), self._vertex.column_errors[slot]
        return [int(place) for place in np.flatnonzero(sizes > error)]

    def take_in_one(self, entered: Sequence[Entry], slot: int, column: Scaled, sign: int, rates: Values) -> Kink | None:
        """Exchanges one coordinate for the kink that is met first along its edge, if that is certain in float64.

        Args:
            entered: slots and kinks that the basis holds, in order of entry.
            slot: of the coordinate.
            column: the exact one of the inverse.
            sign: of the direction, which is the column or its opposite.
            rates: the exact ones along the direction, up to a factor.
        """
        floats, vertex = self._floats, self._vertex
        if floats is None or vertex is None or self._held != len(entered):
            return None
        self._held = None
        numerators, denominator = column
        vertex.direction[:] = [to_float(mpq(sign * entry, denominator)) for entry in numerators]
        scan_rates(floats, vertex)
        # rounding makes small rates of those that are 0
        for depth, layer in enumerate(rates):
            is_still = np.array([rate == 0 for rate in layer]).reshape(self._problem.samples, -1).T
            vertex.rates[depth, : len(is_still)][is_still] = 0.0
        depth, unit, sample = nearest_kink(floats, vertex)
        if depth < 0 or not native.take_in_one(floats, vertex, self._start, slot, float(sign), depth, sample, unit):
            return None
        self._held = len(entered) + 1
        return self._problem.addresses.kink_of(*vertex.kinks[slot].tolist())

    def _load(self, entered: Sequence[Entry]) -> bool:
        if self._held == len(entered):
            return True
        self._held = None
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
