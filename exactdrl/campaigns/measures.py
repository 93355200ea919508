"""The measures of a finished walk: exact numbers and certified brackets, with floats beside them.

The module `criteria` turns measures into answers about the published observations.
"""

import math
import random
from collections.abc import Sequence

from gmpy2 import mpq

from exactdrl.campaigns.windows import DecayWindow, find_length_window, find_window
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.certificate.reader import Certificate
from exactdrl.exact.rationals import parse_rational, to_float, to_number_text, to_text
from exactdrl.observations.brackets import Bracket
from exactdrl.observations.density import Line, LineDensity, count_breakpoints
from exactdrl.observations.float_lines import FloatProblem
from exactdrl.observations.observe import Observations, observe
from exactdrl.problem.instance import Instance, Matrix
from exactdrl.series.trajectory import Trajectory

LINES = 4
# the greatest factors between the constants of a decay that counts as exponential; the running mean is the noisiest
GAP_SPREAD = mpq(2)
DISTANCE_SPREAD = mpq(4)  # of squared distances, so 2 for distances
LENGTH_SPREAD = mpq(4)
# densities are compared within 2^-4 of the least power of 2 that is a radius around all vertices of the walk
RADII_BACK = 4
SHARES = (mpq(1, 4), mpq(1, 2), mpq(3, 4))
_DRAW_GRID = 1 << 20
_DIGITS = 12

Measures = dict[str, object]


def measure(instance: Instance, certificate: Certificate, seed: int) -> tuple[Measures, Trajectory]:
    """Returns the measures of a walk that ended at a proved minimum, as JSON values, and its sequences.

    Args:
        instance: the problem.
        certificate: the walk's certificate, which has to be whole.
        seed: the seed of the lines.
    """
    found = observe(instance, certificate, lines=LINES, seed=seed)
    problem = IntegerProblem.from_instance(instance)
    measures = {
        **_losses(found),
        **_decay(found),
        **_estimates(found),
        **_spacing(found),
        **_density(problem, found, seed),
    }
    return measures, found.trajectory


def _losses(found: Observations) -> Measures:
    losses = found.trajectory.losses
    values = {"first_loss": losses[0], "final_loss": losses[-1]}
    squares = {"first_squared_distance": found.trajectory.squared_distances[0]}
    return {key: value for name, exact in (values | squares).items() for key, value in _both(name, exact)}


def _both(name: str, value: mpq | None) -> list[tuple[str, object]]:
    if value is None:
        return [(name, None), (f"{name}_float", None)]
    return [(name, to_text(value)), (f"{name}_float", to_float(value))]


# -- decay


def _decay(found: Observations) -> Measures:
    trajectory, steps = found.trajectory, found.steps
    measures: Measures = {"decay_phase_end": found.phases.decay_end}
    for quantity in ("loss-gap", "squared-distance", "length-sum"):
        measures |= _bracket_fields(f"phase_{_word(quantity)}", found.bracket(quantity))
    windows = {
        "loss-gap": find_window("loss-gap", trajectory.gaps, 0, GAP_SPREAD),
        "squared-distance": find_window("squared-distance", trajectory.squared_distances, 0, DISTANCE_SPREAD),
        "length-sum": find_length_window(found.length_sums, LENGTH_SPREAD),
    }
    for quantity, window in windows.items():
        measures |= _window_fields(_word(quantity), window, steps)
    return measures | _speeds(found, windows["loss-gap"])


def _word(quantity: str) -> str:
    return quantity.replace("-", "_")


def _bracket_fields(name: str, bracket: Bracket | None) -> Measures:
    fields: Measures = {}
    for key in ("rate", "low", "high", "spread"):
        value: mpq | None = None if bracket is None else getattr(bracket, key)
        is_text = key != "spread"
        if is_text:
            fields[f"{name}_{key}"] = None if value is None else to_number_text(value)
        fields[f"{name}_{key}_float"] = None if value is None else to_float(value)
    return fields


def _window_fields(quantity: str, window: DecayWindow | None, steps: int) -> Measures:
    name = f"window_{quantity}"
    fields: Measures = {
        f"{name}_from": None if window is None else window.bracket.begin,
        f"{name}_to": None if window is None else window.bracket.end,
        f"{name}_share_float": 0.0 if window is None else window.length / steps,
        f"{name}_fall_float": None if window is None else _short(_fall(window)),
    }
    return fields | _bracket_fields(name, None if window is None else window.bracket)


def _fall(window: DecayWindow) -> float:
    """Returns the factor by which a quantity falls in its window; for squared distances that of the distances."""
    return math.sqrt(window.fall) if window.bracket.quantity == "squared-distance" else window.fall


def _speeds(found: Observations, window: DecayWindow | None) -> Measures:
    """Returns how fast the loss's logarithm falls per step in the loss gap's window and after it.

    It also returns by which factor the running mean of lengths grows after the window. Both are None where the rest of
    the walk is too short for two running means.
    """
    losses, sums = found.trajectory.losses, found.length_sums
    measures: Measures = dict.fromkeys(
        ("window_loss_speed_float", "after_steps", "after_loss_speed_float", "after_length_growth_float")
    )
    if window is None or not losses[-1]:
        return measures
    begin, end = window.bracket.begin, window.bracket.end
    measures["window_loss_speed_float"] = _speed(losses[begin], losses[end], end - begin)
    rest = found.steps - end
    if rest < 2 * sums.window:
        return measures
    measures |= {"after_steps": rest, "after_loss_speed_float": _speed(losses[end], losses[-1], rest)}
    # the first running mean of what follows against the last
    first = sums.high[end]
    if first:
        measures["after_length_growth_float"] = _short(to_float(mpq(sums.high[-1], first)))
    return measures


def _speed(before: mpq, after: mpq, steps: int) -> float:
    return _short(math.log(to_float(before / after)) / steps)


def _spacing(found: Observations) -> Measures:
    """Returns how far apart consecutive vertices are at the beginning, at the end and where they are closest."""
    sums = [to_float(mpq(value, 1 << found.length_sums.bits)) for value in found.length_sums.high]
    if not sums:
        return {"first_mean_length_float": None, "last_mean_length_float": None, "least_mean_length_share_float": None}
    window = found.length_sums.window
    return {
        "first_mean_length_float": _short(sums[0] / window),
        "last_mean_length_float": _short(sums[-1] / window),
        "least_mean_length_share_float": _short((sums.index(min(sums)) + window) / found.steps),
    }


# -- estimates


def _estimates(found: Observations) -> Measures:
    measures: Measures = {}
    for row in found.estimates:
        if row.share not in SHARES:
            continue
        at = f"at_{int(100 * row.share)}"
        for entry in row.estimates:
            name = "loss" if not entry.fraction else f"aitken_{entry.fraction.denominator}"
            error = None if entry.error is None else entry.error.to_float()
            measures[f"{at}_{name}_error_float"] = error
        measures[f"{at}_fit_error_float"] = None if row.fit_error is None else _short(row.fit_error)
    return measures


# -- density


def _density(problem: IntegerProblem, found: Observations, seed: int) -> Measures:
    radii = found.trajectory_density.radii
    index = max(0, len(radii) - 1 - RADII_BACK)
    lines, floats = list(found.line_densities), FloatProblem.of(problem)
    source = random.Random(f"norms {seed}")  # noqa: S311 - an experiment's draws, not a secret
    turned = [
        count_breakpoints(
            problem,
            found.trajectory.last,
            Line("turned", turn_rows(source, problem, found.trajectory.last), density.line.direction),
            radii,
            floats,
        )
        for density in lines
        if density.line.place == "last"
    ]
    counts = {
        "last": _count(lines, "last", index),
        "control": _count(lines, "control", index),
        "turned": _count(turned, "turned", index),
    }
    measures: Measures = {"radius": to_number_text(radii[index])}
    measures |= {f"breakpoints_{place}": count for place, count in counts.items()}
    measures |= {
        f"density_ratio_{place}_float": _ratio(counts["last"], counts[place]) for place in ("control", "turned")
    }
    measures["vertices_within_radius"] = found.trajectory_density.counts[index]
    return measures


def _count(densities: Sequence[LineDensity], place: str, index: int) -> int:
    # the line through a vertex has a breakpoint there, which says nothing about density
    return sum(density.counts[index] - density.at_origin for density in densities if density.line.place == place)


def _ratio(count: int, other: int) -> float | None:
    return count / other if other else None


def turn_rows(source: random.Random, problem: IntegerProblem, last: Matrix) -> Matrix:
    """Returns a control point whose rows have the norms of the last vertex's rows, in random directions.

    All kinks of the trained layer's unit j go through θ_j = 0, so that many kinks are near any point that is near
    there, whether or not a minimum is near. This control point tells the two effects apart. Its norms equal the
    vertex's up to rounding (2^-20).
    """
    rows = []
    for row in last:
        norm = math.sqrt(to_float(sum((row[column] ** 2 for column in problem.pivots), mpq(0))))
        draws = [math.fsum(source.random() for _ in range(12)) - 6.0 for _ in problem.pivots]
        size = math.sqrt(math.fsum(draw * draw for draw in draws))
        turned = list(row)
        for column, draw in zip(problem.pivots, draws, strict=True):
            turned[column] = mpq(round(draw / size * norm * _DRAW_GRID), _DRAW_GRID) if size else mpq(0)
        rows.append(tuple(turned))
    return tuple(rows)


def _short(value: float) -> float:
    """Returns a float rounded to twelve digits, since logarithms differ in their last digits between machines."""
    return to_float(parse_rational(f"{value:.{_DIGITS - 1}e}"))
