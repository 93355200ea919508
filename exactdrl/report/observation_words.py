"""The words for the observations of a walk; `to_summary` has them for programs."""

from exactdrl.exact.rationals import to_float, to_number_text
from exactdrl.observations.brackets import Bracket
from exactdrl.observations.observe import Observations
from exactdrl.report.words import outcome_words

_QUANTITIES = {
    "loss-gap": "loss gap",
    "squared-distance": "squared distance to the last vertex",
    "length-sum": "running mean of step lengths",
}


def observation_lines(found: Observations) -> list[str]:
    """Returns the observations in lines, which say what is certified and what is a fit in floats."""
    trajectory = found.trajectory
    first, last = to_float(trajectory.losses[0]), to_float(found.final_loss)
    lines = [
        f"walk         {found.steps} steps; loss {first:.10g} at the first vertex, {last:.10g} at the last",
        f"end          {outcome_words(found.outcome)}",
    ]
    end, spread = found.phases.decay_end, to_float(found.phases.spread)
    if end is None:
        lines.append(
            f"phases       no decay phase: no long start of the walk keeps the loss gap within a factor {spread:g} of "
            "exponential"
        )
    else:
        share = f"{100 * end / found.steps:.3g} % of the walk"
        lines.append(f"phases       decay in steps 0..{end} ({share}), fine-tuning after it")
        lines.append(
            f"             (the longest start found that keeps the loss gap within a factor {spread:g} of exponential)"
        )
    if found.brackets:
        lines.append(
            "decay        certified for each quantity q: low · rate^(k-a) ≤ q_k / q_a ≤ high · rate^(k-a), k = a..b"
        )
    lines += [_bracket_line(bracket) for bracket in found.brackets]
    lines.append("estimates    of the final loss from earlier losses, and the step from which on they stay close to it")
    for settled in found.settled:
        name = "the loss itself" if not settled.fraction else f"Aitken, gap {settled.fraction} of the steps so far"
        lines.append(_settled_line(name, to_float(settled.within), settled.step, found.steps))
    for fit in found.settled_fits:
        name = f"least-squares exponential (floats, {fit.checked} steps looked at)"
        lines.append(_settled_line(name, to_float(fit.within), fit.step, found.steps))
    if found.density_rows:
        count = len(found.line_densities) // 2
        lines.append(
            f"density      kinks on {count} lines through the last vertex and {count} through random control points"
        )
        lines.append("             radius       last    control   ratio   vertices of the walk within")
        vertices = found.trajectory_density.counts
        for row, walked in zip(found.density_rows, vertices, strict=True):
            ratio = "-" if row.ratio is None else f"{to_float(row.ratio):.3f}"
            radius = f"{to_float(row.radius):<9g}"
            lines.append(f"             {radius} {row.last:7d}    {row.control:7d}   {ratio:>5}   {walked:7d}")
    return lines


def _bracket_line(bracket: Bracket) -> str:
    spread = "" if bracket.spread is None else f", high/low {to_float(bracket.spread):.4g}"
    life = f"half-life {bracket.half_life:.4g} steps" if bracket.rate < 1 else "no decay"
    numbers = (
        f"rate {to_number_text(bracket.rate)}, low {to_number_text(bracket.low)}, high {to_number_text(bracket.high)}"
    )
    return f"             {_QUANTITIES[bracket.quantity]}, {bracket.begin}..{bracket.end}: {numbers}{spread}; {life}"


def _settled_line(name: str, within: float, step: int | None, steps: int) -> str:
    if step is None:
        return f"             within {100 * within:g} %: not at the last step ({name})"
    return f"             within {100 * within:g} %: from step {step} on, {steps - step} steps before the end ({name})"
