"""Observations as one JSON object, with exact numbers as texts beside floats."""

from gmpy2 import mpq

from exactdrl.exact.enclosed import EnclosedNumber
from exactdrl.exact.rationals import to_float, to_number_text, to_text
from exactdrl.observations.brackets import Bracket
from exactdrl.observations.estimates import Estimate
from exactdrl.observations.observe import Observations


def to_summary(found: Observations) -> dict[str, object]:
    """Returns what was observed, without the sequences; null stands for a number that does not exist."""
    losses, end = found.trajectory.losses, found.phases.decay_end
    return {
        "instance": found.instance_digest,
        "run": found.run_digest,
        "steps": found.steps,
        "first_loss": to_float(losses[0]),
        "final_loss": to_float(losses[-1]),
        "final_loss_exact": to_text(losses[-1]),
        "window": found.window,
        "phases": {"spread": to_number_text(found.phases.spread), "decay_end": end},
        "brackets": [_bracket(bracket) for bracket in found.brackets],
        "estimates": [
            {
                "share": to_float(row.share),
                "step": row.step,
                "estimates": [_estimate(found_here) for found_here in row.estimates],
                "fit": row.fit,
                "fit_error": row.fit_error,
            }
            for row in found.estimates
        ],
        "settled": [
            {"fraction": to_number_text(s.fraction), "within": to_float(s.within), "step": s.step}
            for s in found.settled
        ],
        "settled_fits": [
            {"within": to_float(s.within), "step": s.step, "steps_checked": s.checked} for s in found.settled_fits
        ],
        "vertices_within": [
            [to_float(radius), count]
            for radius, count in zip(found.trajectory_density.radii, found.trajectory_density.counts, strict=True)
        ],
        "kinks_within": [
            {"radius": to_float(row.radius), "last": row.last, "control": row.control, "ratio": _float(row.ratio)}
            for row in found.density_rows
        ],
        "lines": len(found.line_densities) // 2,
        "claims": len(found.claims),
    }


def _bracket(bracket: Bracket) -> dict[str, object]:
    return {
        "quantity": bracket.quantity,
        "from": bracket.begin,
        "to": bracket.end,
        "rate": to_number_text(bracket.rate),
        "low": to_number_text(bracket.low),
        "high": to_number_text(bracket.high),
        "half_life": bracket.half_life if bracket.rate != 1 else None,
    }


def _estimate(estimate: Estimate) -> dict[str, object]:
    fraction = to_number_text(estimate.fraction)
    return {"fraction": fraction, "value": _nearest(estimate.value), "error": _nearest(estimate.error)}


def _float(value: mpq | None) -> float | None:
    return None if value is None else to_float(value)


def _nearest(number: EnclosedNumber | None) -> float | None:
    return None if number is None else number.to_float()
