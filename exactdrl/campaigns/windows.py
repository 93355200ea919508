"""The stretch of a walk on which a quantity decays exponentially by the greatest factor, anywhere in the walk.

This is more generous than the rule of `observations.phases`, whose phase begins at the first vertex. Here the walk may
do anything before and after the window. The search runs in floats on a grid of ends. What it finds is certified by
exact constants, so that the decay in a reported window is proved. It is not claimed that no other window is better.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from gmpy2 import mpq

from exactdrl.exact.enclosed import enclose, log_of
from exactdrl.observations.brackets import Bracket, bracket_sums, bracket_values, fit_slope
from exactdrl.observations.lengths import LengthSums

GRID = 24
# a window has at least this many parts of the grid, which is a quarter of the walk
LEAST_PARTS = 6
_POINTS = 160


@dataclass(frozen=True, slots=True)
class DecayWindow:
    """A stretch of exponential decay.

    Attributes:
        bracket: the certified constants, with a rate below 1 and a spread within the factor that was asked for.
        fall: the factor by which the quantity falls from the window's first step to its last, as a float.
    """

    bracket: Bracket
    fall: float

    @property
    def length(self) -> int:
        """Returns how many steps the window has."""
        return self.bracket.end - self.bracket.begin


def find_window(quantity: str, values: Sequence[mpq], first: int, spread: mpq) -> DecayWindow | None:
    """Returns the window in which an exact sequence falls most; None where no such window was found.

    Args:
        quantity: the sequence's name.
        values: q_0..q_S.
        first: the first step at which a window may begin.
        spread: the greatest factor between the constants, above 1.
    """
    logs = enclose(values).logs()
    for begin, end in _candidates(logs, first, spread):
        bracket = bracket_values(quantity, values, begin, end)
        if bracket is not None and _is_decay(bracket, spread):
            return DecayWindow(bracket, math.exp(log_of(values[begin]) - log_of(values[end])))
    return None


def find_length_window(sums: LengthSums, spread: mpq) -> DecayWindow | None:
    """Returns the window in which running sums of lengths fall most; None where no such window was found."""
    logs = [-math.inf] * sums.window + [math.log(int(value)) if value else -math.inf for value in sums.high]
    for begin, end in _candidates(logs, sums.window, spread):
        bracket = bracket_sums(sums, begin, end)
        if bracket is not None and _is_decay(bracket, spread):
            return DecayWindow(bracket, math.exp(logs[begin] - logs[end]))
    return None


def _is_decay(bracket: Bracket, spread: mpq) -> bool:
    return bracket.rate < 1 and bracket.spread is not None and bracket.spread <= spread


def _candidates(logs: Sequence[float], first: int, spread: mpq) -> list[tuple[int, int]]:
    """Returns windows between points of the grid that fit in floats, those with the greatest fall first."""
    positive = next((k for k in range(first, len(logs)) if logs[k] == -math.inf), len(logs)) - 1
    if positive - first < GRID:
        return []
    ends = [first + (positive - first) * i // GRID for i in range(GRID + 1)]
    allowed = log_of(spread)
    found = []
    for (i, begin), (j, end) in combinations(enumerate(ends), 2):
        if j - i < LEAST_PARTS:
            continue
        stride = max(1, (end - begin) // _POINTS)
        slope, height = fit_slope(logs[begin : end + 1 : stride])
        if slope < 0 and height <= allowed:
            found.append((begin, end))
    return sorted(found, key=lambda window: (logs[window[1]] - logs[window[0]], window))
