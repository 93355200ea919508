"""Judges points in the parameters of one layer, at any depth: F ≥ 0 decides for convex losses.

Squared loss: L(u + d) - L(u) = F(d) + Σ (weights) δf(d)² for small d, so u is a local minimum iff F ≥ 0, and a strict
one iff F and all δf are 0 together only at d = 0: iff F + Σ |δf| > 0 off 0. Source: proofs/one-layer.md.
"""

from exactdrl.points.decision import Negative, Nonnegative, Open, decide_form
from exactdrl.points.form import localise_point
from exactdrl.points.germ import Descent, find_descent
from exactdrl.points.setting import Setting, Theta, find_loss, unflatten
from exactdrl.points.verdict import FormProof, Minimum, NotMinimum, Undecided, Verdict, ZeroLoss


def judge_layer(setting: Setting, theta: Theta, budget: int) -> Verdict:
    """Returns the verdict on a point whose free layer is one. Exact; undecided only beyond the budget."""
    form = localise_point(setting, theta)
    decided = decide_form(form, budget)
    if isinstance(decided, Negative):
        return NotMinimum(first_order(setting, theta, decided), is_stationary=False)
    if isinstance(decided, Open):
        if setting.has_floor and not find_loss(setting, theta):
            return Minimum(ZeroLoss(), is_strict=False)
        return Undecided(f"{len(form.kinks)} active kinks: the tree of tangent cells went beyond the budget")
    strict = decided.is_strict
    proof, flat = FormProof(decided.witness), decided.flat
    if setting.is_squared and not strict:
        spread = decide_form(localise_point(setting, theta, is_spread=True), budget)
        flat = spread.flat if isinstance(spread, Nonnegative) else None
        if isinstance(spread, Nonnegative) and spread.is_strict:
            strict, proof = True, FormProof(decided.witness, spread.witness)
    return Minimum(proof, is_strict=strict, flat=None if flat is None else unflatten(setting, theta, flat))


def first_order(setting: Setting, theta: Theta, decided: Negative) -> Descent:
    """Returns the descent along a straight line whose slope is negative."""
    descent = find_descent(setting, theta, (unflatten(setting, theta, decided.direction),), order=1)
    if descent is None or descent.order != 1:
        raise AssertionError("a negative slope does not lower the loss: this is a bug")
    return descent
