"""Early estimates of the final loss, each only from the losses up to its step: Aitken's, exact, and a fit in floats.

Source: proofs/CLAIMS.md, section 3, has Aitken's extrapolation and the rule for its steps.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import arb, ctx
from gmpy2 import mpq

from exactdrl.exact.balls import to_arb
from exactdrl.exact.enclosed import PRECISION, EnclosedNumber, enclose

FRACTIONS = (mpq(0), mpq(1, 2), mpq(1, 4))
WITHIN = (mpq(1, 20), mpq(1, 100))
SHARES = tuple(mpq(tenth, 20) for tenth in range(1, 20))
_FIT_POINTS = 400
_FIT_STEPS = 200


@dataclass(frozen=True, slots=True)
class Estimate:
    """Aitken's estimate at a step, with its exact error.

    Attributes:
        fraction: the fraction f; the losses at the steps k, k - ⌊fk⌋ and k - 2⌊fk⌋ are used. With f = 0 the estimate is
            the loss itself.
        step: the step k.
        value: the estimate A_k; None where it does not exist.
        error: its relative error (A_k - L_S) / |L_S|; None where that does not exist.
    """

    fraction: mpq
    step: int
    value: EnclosedNumber | None
    error: EnclosedNumber | None


@dataclass(frozen=True, slots=True)
class EstimateRow:
    """The estimates of the final loss after a share of the walk.

    Attributes:
        share: the share of the walk's steps.
        step: the step at that share, rounded down.
        estimates: Aitken's estimates, one for each fraction.
        fit: the limit of the least-squares exponential, in floats; None where none fits.
        fit_error: the relative error of that limit, in floats.
    """

    share: mpq
    step: int
    estimates: tuple[Estimate, ...]
    fit: float | None
    fit_error: float | None


@dataclass(frozen=True, slots=True)
class Settled:
    """The step from which on an estimate stays close to the final loss, exactly.

    Attributes:
        fraction: the fraction f of the estimate.
        within: the relative error that is allowed.
        step: the first such step; None if not even the estimate at the last step is that close.
    """

    fraction: mpq
    within: mpq
    step: int | None


@dataclass(frozen=True, slots=True)
class SettledFit:
    """The step from which on the fitted limit stays close to the final loss, in floats, among some steps.

    Attributes:
        within: the relative error that is allowed.
        step: the first of the checked steps from which on all of them are that close; None if there is none.
        checked: how many steps were looked at.
    """

    within: mpq
    step: int | None
    checked: int


def aitken(losses: Sequence[mpq], step: int, fraction: mpq) -> mpq | None:
    """Returns Aitken's exact estimate A_k at a step; None where it does not exist.

    Args:
        losses: L_0, L_1, ... up to the step at least; later losses are not used.
        step: the step k.
        fraction: the fraction f, from 0 to 1/2.
    """
    h = int(fraction * step)
    before, after = losses[step - h] - losses[step - 2 * h], losses[step] - losses[step - h]
    if after == 0:
        return losses[step]
    return None if after == before else losses[step] - after * after / (after - before)


def estimate(losses: Sequence[mpq], step: int, fraction: mpq) -> Estimate:
    """Returns Aitken's exact estimate at a step, with its error against the last loss."""
    known = enclose(losses)
    with ctx.workprec(PRECISION):
        ball, final = _aitken_ball(known.balls, step, fraction), known.balls[-1]
        # where balls do not decide whether a denominator is 0, rationals do
        if ball is None and aitken(losses, step, fraction) is None:
            return Estimate(fraction, step, None, None)
        if ball is None:
            ball = to_arb(aitken(losses, step, fraction))
        value = EnclosedNumber(ball, lambda: _exact_aitken(losses, step, fraction))
        if known.compare(len(known) - 1, mpq(0)) == 0:
            return Estimate(fraction, step, value, None)
        error = EnclosedNumber((ball - final) / abs(final), lambda: (value.exact - losses[-1]) / abs(losses[-1]))
        return Estimate(fraction, step, value, error)


def _exact_aitken(losses: Sequence[mpq], step: int, fraction: mpq) -> mpq:
    value = aitken(losses, step, fraction)
    if value is None:
        raise AssertionError("an estimate that balls prove to exist does not exist: this is a bug")
    return value


def _aitken_ball(balls: Sequence[arb], step: int, fraction: mpq) -> arb | None:
    """Returns a ball that holds Aitken's estimate; None where balls do not tell whether it exists."""
    h = int(fraction * step)
    if h == 0:
        return balls[step]
    before, after = balls[step - h] - balls[step - 2 * h], balls[step] - balls[step - h]
    bend = after - before
    return None if bend.contains(0) else balls[step] - after * after / bend


def is_within(losses: Sequence[mpq], step: int, fraction: mpq, within: mpq) -> bool:
    """Returns exactly whether the estimate at a step exists and is off by at most `within` times the last loss."""
    value = aitken(losses, step, fraction)
    return value is not None and abs(value - losses[-1]) <= within * abs(losses[-1])


def find_settled(losses: Sequence[mpq], fraction: mpq, within: mpq) -> Settled:
    """Returns exactly from which step on an estimate stays close to the final loss.

    The search goes from the end to the beginning. Balls decide most steps, and rationals those that balls leave open.
    """
    with ctx.workprec(PRECISION):
        balls = enclose(losses).balls
        final, width = balls[-1], to_arb(within) * abs(balls[-1])
        step = len(losses)
        while step > 0:
            certain = _certainly_within(balls, step - 1, fraction, final, width)
            if not (is_within(losses, step - 1, fraction, within) if certain is None else certain):
                break
            step -= 1
        return Settled(fraction, within, step if step < len(losses) else None)


def _certainly_within(balls: Sequence[arb], step: int, fraction: mpq, final: arb, width: arb) -> bool | None:
    value = _aitken_ball(balls, step, fraction)
    if value is None:
        return None
    size = abs(value - final)
    # where balls overlap, both comparisons are false
    return True if size <= width else False if size > width else None


def fit_limit(losses: Sequence[float], step: int) -> float | None:
    """Returns the limit c of the exponential c + a ρ^k that fits the losses of steps ⌊step/2⌋..step best, in floats.

    It is a least-squares fit on at most 400 evenly spaced steps. For a given ρ the best c and a follow linearly. The
    rate ρ is found on a grid of decays over the window from e^-0.1 to e^-100, and then refined. None where there are
    fewer than four steps, or where the best decay is at an end of the grid, so that the window shows no exponential.
    """
    begin = step // 2
    if step - begin < 3:  # noqa: PLR2004 - three unknowns
        return None
    chosen = np.unique(np.linspace(begin, step, _FIT_POINTS).round().astype(np.int64))
    heights = np.asarray([losses[int(k)] for k in chosen])
    places = (chosen - begin) / (step - begin)
    scale = float(np.ptp(heights))
    if scale == 0:
        return float(heights[-1])
    heights = (heights - heights[-1]) / scale

    def best(decay: float) -> tuple[float, float]:
        wave = np.exp(-decay * places)
        wave_mean, height_mean = float(wave.mean()), float(heights.mean())
        centred = wave - wave_mean
        size = float(centred @ centred)
        amplitude = float(centred @ heights) / size if size > 0 else 0.0
        limit = height_mean - amplitude * wave_mean
        rest = heights - limit - amplitude * wave
        return float(rest @ rest), limit

    grid = np.geomspace(0.1, 100.0, 46)
    found = min(range(len(grid)), key=lambda index: best(float(grid[index]))[0])
    if found in {0, len(grid) - 1}:
        return None
    low, high = math.log(grid[found - 1]), math.log(grid[found + 1])
    for _ in range(40):
        third = (high - low) / 3
        if best(math.exp(low + third))[0] <= best(math.exp(high - third))[0]:
            high -= third
        else:
            low += third
    return best(math.exp((low + high) / 2))[1] * scale + losses[step]


def tabulate_estimates(
    losses: Sequence[mpq], floats: Sequence[float], fractions: Sequence[mpq] = FRACTIONS, shares: Sequence[mpq] = SHARES
) -> tuple[EstimateRow, ...]:
    """Returns the estimates after each share of the walk, each only from the losses up to there.

    Args:
        losses: L_0..L_S.
        floats: the losses as floats, for the fit.
        fractions: the fractions of Aitken's estimates.
        shares: the shares of the S steps.
    """
    rows = []
    steps = len(losses) - 1
    for share in shares:
        step = int(share * steps)
        fit = fit_limit(floats[: step + 1], step)
        error = None if fit is None or floats[-1] == 0 else (fit - floats[-1]) / floats[-1]
        rows.append(EstimateRow(share, step, tuple(estimate(losses, step, f) for f in fractions), fit, error))
    return tuple(rows)


def find_settled_fit(floats: Sequence[float], within: mpq) -> SettledFit:
    """Returns from which of 200 evenly spaced steps on the fitted limit stays close to the final loss, in floats."""
    last = len(floats) - 1
    steps = sorted({round(last * part / _FIT_STEPS) for part in range(1, _FIT_STEPS + 1)})
    settled = None
    for step in reversed(steps):
        fit = fit_limit(floats[: step + 1], step)
        if fit is None or abs(fit - floats[-1]) > float(within) * floats[-1]:
            break
        settled = step
    return SettledFit(within, settled, len(steps))
