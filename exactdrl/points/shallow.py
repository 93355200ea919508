"""Judges points in all parameters of a network with one hidden layer, by Theorem W of proofs/all-parameters.md.

With e the derivative of a convex differentiable loss by the outputs, a point is a local minimum if (S1) Σ_k e_k a(z_ik)
= 0 for every unit, and Σ_k e_k = 0 with an output bias, (S2) h_i·D_i ≥ 0, and (NE) h_i·D_i(v) = 0 only where D_i(v) =
0. S1 and S2 are necessary; where h_i = 0, NE is. So for one output the three decide, and with more outputs only escape
units with h_i ≠ 0 may stay open. S2 and NE together say that (h_i + δq)·D_i ≥ 0 for small δ and all q of a simplex
around 0, and that is the witness. Source: proofs/all-parameters.md.
"""

from dataclasses import dataclass

from gmpy2 import mpq

from exactdrl.points.decision import Negative, Nonnegative, decide_form
from exactdrl.points.escape import find_escape_curve
from exactdrl.points.form import find_duals, localise_point
from exactdrl.points.germ import find_descent
from exactdrl.points.layer import first_order
from exactdrl.points.search import search_curves
from exactdrl.points.setting import Matrix, Pass, Setting, Theta, Vector, find_loss, forward, freeze, zero_direction
from exactdrl.points.subgradients import NoChoice, choose_subgradients, read_subgradients
from exactdrl.points.units import (
    Escapes,
    Falls,
    Margin,
    UnitState,
    Unknown,
    corners,
    judge_unit,
    map_unit,
    outer_gradient,
)
from exactdrl.points.verdict import MarginProof, Minimum, NotMinimum, Undecided, Verdict, ZeroLoss

_ZERO = mpq(0)


@dataclass(frozen=True, slots=True)
class UnitStates:
    """What is known of the hidden units, for given e.

    Attributes:
        duals: e.
        states: of each unit.
    """

    duals: Matrix
    states: tuple[UnitState, ...]


def judge_units(setting: Setting, theta: Theta, budget: int) -> UnitStates | None:
    """Returns what S2 and NE say of each hidden unit; None where a kink of the loss leaves e open."""
    found = forward(setting, theta)
    entries = find_duals(setting, found)
    duals = tuple(tuple(e for e in row if e is not None) for row in entries)
    if any(len(row) < setting.outputs for row in duals):
        return None
    states = []
    for unit in range(len(theta[0])):
        outer = [row[unit] for row in theta[1]]
        states.append(judge_unit(map_unit(setting, found, duals, unit), outer, budget))
    return UnitStates(duals, tuple(states))


def judge_shallow(setting: Setting, theta: Theta, budget: int, units: UnitStates | None) -> Verdict:
    """Returns the verdict on a point in all parameters of a network with one hidden layer. Exact.

    Args:
        setting: with both layers free.
        theta: the point.
        budget: how much work each tree may take.
        units: of `judge_units` at the point.
    """
    if setting.has_floor and not find_loss(setting, theta):
        return Minimum(ZeroLoss(), is_strict=False)
    found = forward(setting, theta)
    if units is None:
        return _judge_kinked(setting, theta, found, budget)
    refuted = _refute_first_order(setting, theta, found, units)
    if refuted is not None:
        return refuted
    unknown = [unit for unit, state in enumerate(units.states) if isinstance(state, Unknown)]
    if unknown:
        return Undecided(f"hidden units {unknown}: the tree of tangent cells went beyond the budget")
    escapes = {unit: state for unit, state in enumerate(units.states) if isinstance(state, Escapes)}
    margins = tuple(state.delta for state in units.states if isinstance(state, Margin))
    return _judge_escapes(setting, theta, found, escapes) or prove(setting, theta, units.duals, margins, budget)


def _judge_escapes(setting: Setting, theta: Theta, found: Pass, escapes: dict[int, Escapes]) -> Verdict | None:
    """Returns the verdict on a stationary point with escape units; None if it has none."""
    if not escapes:
        return None
    curves = (find_escape_curve(setting, theta, found, unit, state) for unit, state in escapes.items())
    descent = next((curve for curve in curves if curve is not None), None) or search_curves(setting, theta)
    if descent is not None:
        return NotMinimum(descent, is_stationary=True)
    return Undecided(
        f"stationary; hidden units {[*escapes]} are escape units with outer weights other than 0, which with several "
        "outputs neither proves nor refutes a minimum, and no curve was found along which the loss falls"
    )


def _refute_first_order(setting: Setting, theta: Theta, found: Pass, units: UnitStates) -> NotMinimum | None:
    """Returns the refutation by S1 or S2."""
    gradient = outer_gradient(setting, found, units.duals)
    direction = zero_direction(theta)
    if any(any(row) for row in gradient):
        direction[1] = [[-g for g in row] for row in gradient]
    else:
        falls = ((unit, state) for unit, state in enumerate(units.states) if isinstance(state, Falls))
        first = next(falls, None)
        if first is None:
            return None
        direction[0][first[0]] = list(first[1].direction)
    descent = find_descent(setting, theta, (freeze(direction),), order=1)
    if descent is None or descent.order != 1:
        raise AssertionError("a negative slope does not lower the loss: this is a bug")
    return NotMinimum(descent, is_stationary=False)


def prove(setting: Setting, theta: Theta, duals: Matrix, margins: Vector, budget: int) -> Verdict:
    """Returns the minimum that margins prove, with a tree for each corner."""
    trees = []
    for corner in corners(setting.outputs):
        outer = tuple(
            (*(h + delta * q for h, delta in zip(row, margins, strict=False)), *row[len(margins) :])
            for row, q in zip(theta[1], corner, strict=True)
        )
        decided = decide_form(localise_point(setting.only(0), (theta[0], outer), duals=duals), budget)
        if not isinstance(decided, Nonnegative):
            return Undecided("the trees of all hidden units together went beyond the budget")
        trees.append(decided.witness)
    return Minimum(MarginProof(duals, margins, tuple(trees)), is_strict=False)


def _judge_kinked(setting: Setting, theta: Theta, found: Pass, budget: int) -> Verdict:
    """Judges a point at which some residuals are kinks of the loss."""
    decided = decide_form(localise_point(setting, theta), budget)
    if isinstance(decided, Negative):
        return NotMinimum(first_order(setting, theta, decided), is_stationary=False)
    guess = None
    if isinstance(decided, Nonnegative):
        guess = read_subgradients(setting, found, localise_point(setting, theta), decided.witness)
    chosen = choose_subgradients(setting, theta, found, guess=guess, budget=budget)
    if not isinstance(chosen, NoChoice):
        return prove(setting, theta, chosen.duals, chosen.margins, budget)
    descent = None
    if isinstance(decided, Nonnegative):
        descent = search_curves(setting, theta, chosen.tried)
    if descent is not None:
        return NotMinimum(descent, is_stationary=True)
    first = "every first-order test holds" if isinstance(decided, Nonnegative) else "the first-order test is open"
    return Undecided(f"{first}; {chosen.reason}, which is sufficient but not necessary, and no curve was found")
