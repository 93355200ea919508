"""The words for a snapped point, for people and for programs."""

from exactdrl.certificate.verdict_file import verdict_name
from exactdrl.constructions.snap import Attempt, Snapped
from exactdrl.exact.rationals import to_float, to_text
from exactdrl.points.judge import JudgedPoint
from exactdrl.report.point_words import verdict_fields, verdict_lines


def _judged(attempt: Attempt) -> JudgedPoint:
    if attempt.judged is None:
        raise AssertionError("an attempt without a point was chosen: this is a bug")
    return attempt.judged


def snap_lines(found: Snapped) -> list[str]:
    """Returns both verdicts, and what every tolerance proposed, in lines for a person."""
    lines = ["the trained point, taken literally:", *(f"  {line}" for line in verdict_lines(found.trained)[:4]), ""]
    lines.append(
        f"{'tolerance':>9}  {'solved for':<13} {'kinks':>5} {'residuals':>9} {'silenced':>8}  {'distance':>9}  "
        f"{'loss change':>11}  in its cell  verdict"
    )
    lines += [_row(attempt) for attempt in found.attempts]
    best = found.best
    lines.append("")
    if best is None:
        return [*lines, "no tolerance proposes a pattern that has a point: the trained point stays as it is"]
    lines.append(f"the snapped point, tolerance {to_text(best.tolerance)}:")
    lines += [f"  {line}" for line in verdict_lines(_judged(best))]
    if not best.is_near:
        lines.append(
            "  undecided: not rational. The snapped point is far from the trained one, which does not approximate it."
        )
        lines.append(
            "  No stationary point with rational coordinates was found near the trained one. Saddles of networks with"
        )
        lines.append("  several outputs may be irrational.")
        return lines
    if not best.stays:
        lines.append("  the snapped point lies outside the proposed cell, whose pattern is not its own")
    if verdict_name(_judged(best)) in {"not-stationary", "undecided"}:
        lines.append("  no proposed pattern gave a stationary point with rational coordinates near the trained one")
    return lines


def _row(attempt: Attempt) -> str:
    start = (
        f"{to_float(attempt.tolerance):>9.0e}  {attempt.method:<13} {attempt.kinks:>5} {attempt.residuals:>9} "
        f"{len(attempt.silenced):>8}"
    )
    if attempt.judged is None or attempt.squared_distance is None or attempt.loss_change is None:
        return f"{start}  {'-':>9}  {'-':>11}  {'-':<11}  the proposed kinks have no common point"
    distance = to_float(attempt.squared_distance) ** 0.5
    stays = "yes" if attempt.stays else "no"
    change = to_float(attempt.loss_change)
    return f"{start}  {distance:>9.2e}  {change:>11.2e}  {stays:<11}  {verdict_name(attempt.judged)}"


def snap_fields(found: Snapped) -> dict[str, object]:
    """Returns both verdicts and what every tolerance proposed as a JSON object."""
    return {
        "trained": verdict_fields(found.trained),
        "attempts": [
            {
                "tolerance": to_text(attempt.tolerance),
                "solved_for": attempt.method,
                "kinks": attempt.kinks,
                "residuals": attempt.residuals,
                "silenced": list(attempt.silenced),
                "in_its_cell": attempt.stays,
                "is_near": attempt.is_near,
                "squared_distance": None if attempt.squared_distance is None else to_text(attempt.squared_distance),
                "loss_change": None if attempt.loss_change is None else to_text(attempt.loss_change),
                "verdict": None if attempt.judged is None else verdict_name(attempt.judged),
                "loss": None if attempt.judged is None else to_text(attempt.judged.loss),
                "mean_loss": None if attempt.judged is None else to_text(attempt.judged.mean_loss),
            }
            for attempt in found.attempts
        ],
        "snapped": None if found.best is None else verdict_fields(_judged(found.best)),
        "tolerance": None if found.best is None else to_text(found.best.tolerance),
    }
