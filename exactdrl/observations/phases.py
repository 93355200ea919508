"""A stated rule that splits a walk into a phase of exponential decay and the fine-tuning after it.

The decay phase is the longest window 0..b, b ≥ `MIN_STEPS`, on which the loss gap stays within a factor `spread` of a
geometric sequence: there are a rate ρ < 1 and constants with low ρ^k ≤ (L_k - L_S)/(L_0 - L_S) ≤ high ρ^k and
high / low ≤ spread. The factor of a longer window is not smaller, so that b is found by bisection. The search runs in
floats. What it finds is then certified by exact constants (`brackets`). It is not claimed that no longer window exists.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from gmpy2 import mpq

from exactdrl.exact.enclosed import enclose, log_of
from exactdrl.observations.brackets import Bracket, bracket_values, fit_slope

SPREAD = mpq(2)
MIN_STEPS = 10


@dataclass(frozen=True, slots=True)
class Phases:
    """The decay phase of a walk.

    Attributes:
        spread: the factor of the rule.
        decay_end: the last step b of the decay phase 0..b; None where there is no such phase.
        decay: the certified bracket of the loss gap over 0..b; None where there is no such phase.
    """

    spread: mpq
    decay_end: int | None
    decay: Bracket | None


def split_phases(gaps: Sequence[mpq], spread: mpq = SPREAD) -> Phases:
    """Returns the decay phase of a walk's loss gaps by the rule above.

    Args:
        gaps: L_k - L_S for k = 0..S.
        spread: the factor of the rule, above 1.
    """
    logs = list(takewhile(lambda log: log > -math.inf, enclose(gaps).logs()))
    allowed = log_of(spread)
    fits, beyond = 0, len(logs)  # 0..fits is narrow enough; 0..beyond is not, or there is no such step
    while beyond - fits > 1:
        middle = (fits + beyond) // 2
        if fit_slope(logs[: middle + 1])[1] <= allowed:
            fits = middle
        else:
            beyond = middle
    # constants are rounded outward and may miss the spread by a digit, so that the window is shortened
    while fits >= MIN_STEPS:
        bracket = bracket_values("loss-gap", gaps, 0, fits)
        if bracket is None or bracket.rate >= 1:
            break
        if bracket.spread is not None and bracket.spread <= spread:
            return Phases(spread, fits, bracket)
        fits -= max(fits // 100, 1)
    return Phases(spread, None, None)
