"""The published observations as yes-or-no questions about one run, each by a stated criterion.

Source: Hinz, The layer-wise L1 loss landscape of neural nets is more complex around local minima, sections II and III.
The paper draws figures and says "roughly exponentially", "slower", "larger". The numbers of the criteria are chosen
here; they were fixed on runs with other seeds than those of the shipped campaign.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

FALL = 10.0
WEAK_FALL = 5.0
WITHIN = 0.05

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Criterion:
    """A question about one run.

    Attributes:
        name: a short key.
        claim: the published observation.
        question: the question that is asked of a run.
        holds: returns the answer for a run; None where the run does not allow an answer.
    """

    name: str
    claim: str
    question: str
    holds: Callable[[Row], bool | None]


def number(row: Row, key: str) -> float | None:
    """Returns a number of a row; None where the row has no such number."""
    value = row.get(key)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _decays(quantity: str, least: float = FALL) -> Callable[[Row], bool | None]:
    def holds(row: Row) -> bool | None:
        if number(row, "final_loss_float") is None:
            return None
        fall = number(row, f"window_{quantity}_fall_float")
        return fall is not None and fall >= least

    return holds


def _all_decay_at_once(row: Row) -> bool | None:
    windows = []
    for quantity in ("loss_gap", "squared_distance", "length_sum"):
        holds = _decays(quantity)(row)
        if not holds:
            return holds
        windows.append((number(row, f"window_{quantity}_from"), number(row, f"window_{quantity}_to")))
    begins, ends = zip(*windows, strict=True)
    return max(begin or 0.0 for begin in begins) < min(end or 0.0 for end in ends)


def _falls_in_phase(quantity: str) -> Callable[[Row], bool | None]:
    def holds(row: Row) -> bool | None:
        rate = number(row, f"phase_{quantity}_rate_float")
        return None if rate is None else rate < 1

    return holds


def _slower_afterwards(row: Row) -> bool | None:
    speed, fall = number(row, "after_loss_speed_float"), number(row, "window_loss_speed_float")
    return None if speed is None or fall is None else speed < fall


def _longer_afterwards(row: Row) -> bool | None:
    growth = number(row, "after_length_growth_float")
    return None if growth is None else growth > 1


def _closer_at_the_end(row: Row) -> bool | None:
    first, last = number(row, "first_mean_length_float"), number(row, "last_mean_length_float")
    return None if first is None or last is None else last < first


def _within(method: str, share: int) -> Callable[[Row], bool | None]:
    def holds(row: Row) -> bool | None:
        if number(row, f"at_{share}_loss_error_float") is None:
            return None
        error = number(row, f"at_{share}_{method}_error_float")
        return error is not None and abs(error) <= WITHIN

    return holds


def _beats_the_loss(method: str, share: int) -> Callable[[Row], bool | None]:
    def holds(row: Row) -> bool | None:
        naive = number(row, f"at_{share}_loss_error_float")
        if naive is None:
            return None
        error = number(row, f"at_{share}_{method}_error_float")
        return error is not None and abs(error) < abs(naive)

    return holds


def _denser(place: str) -> Callable[[Row], bool | None]:
    def holds(row: Row) -> bool | None:
        last, other = number(row, "breakpoints_last"), number(row, f"breakpoints_{place}")
        return None if last is None or other is None else last > other

    return holds


_DECAY = "an exponential decay phase of loss, distance to the minimum and running mean of step lengths"
_TUNING = "then fine tuning: the loss falls more slowly, lengths and distances show no systematic behaviour"
_ESTIMATE = "the final loss can be estimated from earlier losses"
_DENSITY = "vertices are denser near the minimum"


def _window(spread: int, fall: float = FALL) -> str:
    return (
        f"some window of at least a quarter of the steps where it falls by a factor of at least {fall:.0f} and stays "
        f"within certified bounds c ρ^k and C ρ^k, ρ < 1, with C/c at most {spread}"
    )


CRITERIA = (
    Criterion("decay-loss", _DECAY, f"loss gap: {_window(2)}", _decays("loss_gap")),
    Criterion("decay-distance", _DECAY, f"distance to the last vertex: {_window(2)}", _decays("squared_distance")),
    Criterion(
        "decay-distance-weak",
        _DECAY,
        f"the same with a factor of {WEAK_FALL:.0f}",
        _decays("squared_distance", WEAK_FALL),
    ),
    Criterion("decay-length", _DECAY, f"running mean of 40 step lengths: {_window(4)}", _decays("length_sum")),
    Criterion("decay-together", _DECAY, "all three windows exist and share steps", _all_decay_at_once),
    Criterion(
        "phase-distance",
        _DECAY,
        "in the loss gap's own first phase (from the first vertex on, C/c at most 2) the distance falls, ρ < 1",
        _falls_in_phase("squared_distance"),
    ),
    Criterion(
        "phase-length", _DECAY, "in that phase the running mean of step lengths falls", _falls_in_phase("length_sum")
    ),
    Criterion(
        "tuning-slower",
        _TUNING,
        "after the loss gap's window, the logarithm of the loss falls more slowly per step than in it",
        _slower_afterwards,
    ),
    Criterion(
        "tuning-longer",
        _TUNING,
        "after that window the running mean of step lengths grows to the end (no systematic behaviour: about half)",
        _longer_afterwards,
    ),
    Criterion(
        "estimate-loss-half",
        _ESTIMATE,
        f"after half of the steps the loss itself is within {WITHIN:.0%} of the final loss",
        _within("loss", 50),
    ),
    Criterion(
        "estimate-aitken-half",
        _ESTIMATE,
        f"after half of the steps Aitken's extrapolation (exact, f = 1/2) is within {WITHIN:.0%}",
        _within("aitken_2", 50),
    ),
    Criterion(
        "estimate-fit-half",
        _ESTIMATE,
        f"after half of the steps a fitted exponential's limit is within {WITHIN:.0%}",
        _within("fit", 50),
    ),
    Criterion(
        "estimate-aitken-better",
        _ESTIMATE,
        "after half of the steps Aitken's extrapolation is closer than the loss itself",
        _beats_the_loss("aitken_2", 50),
    ),
    Criterion(
        "estimate-fit-better",
        _ESTIMATE,
        "after half of the steps the fitted limit is closer than the loss itself",
        _beats_the_loss("fit", 50),
    ),
    Criterion(
        "estimate-fit-better-late",
        _ESTIMATE,
        "after three quarters of the steps the fitted limit is closer than the loss itself",
        _beats_the_loss("fit", 75),
    ),
    Criterion(
        "density-steps",
        _DENSITY,
        "the last 40 steps are shorter on average than the first 40",
        _closer_at_the_end,
    ),
    Criterion(
        "density-control",
        _DENSITY,
        "lines through the last vertex meet more kinks than lines through random points of the box of the walk",
        _denser("control"),
    ),
    Criterion(
        "density-turned",
        _DENSITY,
        "lines through the last vertex meet more kinks than lines through points equally far from the origin, unit by "
        "unit",
        _denser("turned"),
    ),
)
