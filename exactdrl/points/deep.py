"""Judges points in all parameters of a network with several hidden layers."""

from exactdrl.points.affine import prove_affine
from exactdrl.points.decision import Negative, Nonnegative, decide_form
from exactdrl.points.form import localise_point
from exactdrl.points.germ import find_descent
from exactdrl.points.layer import first_order
from exactdrl.points.search import search_curves
from exactdrl.points.setting import Setting, Theta, find_loss, forward, freeze, zero_direction
from exactdrl.points.shallow import judge_shallow, judge_units
from exactdrl.points.verdict import Minimum, NotMinimum, Undecided, Verdict, ZeroLoss


def judge_deep(setting: Setting, theta: Theta, budget: int) -> Verdict:
    """Returns the verdict on a point in the parameters of several layers."""
    if setting.has_floor and not find_loss(setting, theta):
        return Minimum(ZeroLoss(), is_strict=False)
    decided = decide_form(localise_point(setting, theta), budget)
    if isinstance(decided, Negative):
        return NotMinimum(first_order(setting, theta, decided), is_stationary=False)
    proof = prove_affine(setting, theta)
    if not isinstance(proof, str):
        return Minimum(proof, is_strict=False)
    if not isinstance(decided, Nonnegative):
        return Undecided("the first-order test in all parameters went beyond the budget")
    refuted = _judge_top(setting, theta, budget) or _search(setting, theta)
    if refuted is not None:
        return refuted
    return Undecided(
        f"every first-order test holds, and no curve was found along which the loss falls; not proved, since {proof}"
    )


def _search(setting: Setting, theta: Theta) -> NotMinimum | None:
    descent = search_curves(setting, theta)
    return None if descent is None else NotMinimum(descent, is_stationary=True)


def _judge_top(setting: Setting, theta: Theta, budget: int) -> NotMinimum | None:
    """Returns a refutation by the last two layers alone, whose inputs are what the layers below make of the data."""
    first = len(theta) - 2
    if first not in setting.free or first + 1 not in setting.free:
        return None
    arrivals = forward(setting, theta).arrivals[first]
    cut = slice(0, len(arrivals[0]) - 1) if setting.biases[first] else slice(None)
    top = Setting(
        tuple(row[cut] for row in arrivals),
        setting.targets,
        setting.weights,
        setting.slopes[first:],
        setting.biases[first:],
        setting.loss_slopes,
        (0, 1),
    )
    verdict = judge_shallow(top, theta[first:], budget, judge_units(top, theta[first:], budget))
    if not isinstance(verdict, NotMinimum):
        return None
    still = freeze(zero_direction(theta))[:first]
    descent = find_descent(setting, theta, tuple((*still, *part) for part in verdict.descent.curve))
    return None if descent is None else NotMinimum(descent, is_stationary=True)
