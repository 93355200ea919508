"""Embedding: the same function by a wider network, and what that does to stationarity and minimality.

Three ways to add hidden units without a change of the function on the data: replicate a unit, add one that is off on
every sample, or add one whose outer weights are 0. For one hidden layer, one output and a convex differentiable loss it
is known what becomes of a stationary point and of a local minimum. Source: Wu, Simsek and Ged, arXiv:2402.05626;
proofs/embedding.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gmpy2 import mpq

from exactdrl.cells.local_form import LocalForm
from exactdrl.exact.rationals import InputError, to_rational, to_text
from exactdrl.minimality.judge import DEFAULT_BUDGET
from exactdrl.points.decision import Nonnegative, decide_form
from exactdrl.points.judge import JudgedPoint, judge_setting
from exactdrl.points.reading import read_setting
from exactdrl.points.setting import Setting, Theta, Vector, forward
from exactdrl.points.shallow import UnitStates, judge_units
from exactdrl.points.units import Escapes, Falls, Margin, map_unit, outer_gradient
from exactdrl.points.verdict import Minimum, NotMinimum
from exactdrl.problem.instance import Instance

_ZERO, _ONE = mpq(0), mpq(1)


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the theory says of an embedded point, if the given point is stationary or a local minimum.

    Attributes:
        stays_stationary: whether a stationary point stays stationary.
        stays_minimum: whether a local minimum stays one.
        reason: the reason in words.
    """

    stays_stationary: bool
    stays_minimum: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Embedded:
    """A point, the embedded point, and what the theory says.

    Attributes:
        instance: the problem at the embedded point; all parameters are free.
        before: the verdict on the given point, in all parameters.
        after: the verdict on the embedded one.
        prediction: of the theory; None where there are several hidden layers or outputs, or the loss has a kink at the
            point.
    """

    instance: Instance
    before: JudgedPoint
    after: JudgedPoint
    prediction: Prediction | None


def replicate(
    instance: Instance, unit: int, copies: Sequence[tuple[mpq, mpq]], *, budget: int = DEFAULT_BUDGET
) -> Embedded:
    """Replaces a unit of the first hidden layer by copies with inner weights β w and outer weights γ h.

    Args:
        instance: the problem and its point.
        unit: from 0.
        copies: pairs (β, γ), every β positive, Σ β γ = 1.
        budget: how much work each tree may take.

    Raises:
        InputError: no such unit, a β that is not positive, or a sum that is not 1.
    """
    setting, theta = _start(instance)
    width = len(theta[0])
    if not 0 <= unit < width:
        raise InputError(f"unit is {unit}; the first hidden layer has units 0 to {width - 1}")
    if not copies:
        raise InputError("no copies are given; at least one pair (β, γ) is needed")
    for index, (beta, _) in enumerate(copies):
        if beta <= 0:
            raise InputError(
                f"copy {index}: β is {to_text(beta)}; only positive multiples of the inner weights keep a unit"
            )
    total = sum((beta * gamma for beta, gamma in copies), _ZERO)
    if total != 1:
        raise InputError(f"Σ β γ is {to_text(total)}; it has to be 1, so that the network's function stays the same")
    inner = [*theta[0][:unit], *(tuple(beta * w for w in theta[0][unit]) for beta, _ in copies), *theta[0][unit + 1 :]]
    outer = [[*row[:unit], *(gamma * row[unit] for _, gamma in copies), *row[unit + 1 :]] for row in theta[1]]
    units = [*range(unit), *(unit for _ in copies), *range(unit + 1, width)]
    prediction = None
    states = _states(setting, theta, budget)
    if states is not None:
        prediction = _predict_replication(setting, theta, states, unit, [gamma for _, gamma in copies])
    return _finish(instance, (setting, theta), (inner, outer, units), prediction, budget)


def add_inactive(
    instance: Instance, inner: Sequence[mpq], outer: Sequence[mpq], *, budget: int = DEFAULT_BUDGET
) -> Embedded:
    """Adds a unit to the first hidden layer that is off on every sample: it may have any outer weights.

    Args:
        instance: the problem and its point.
        inner: [w | b] of the unit.
        outer: its weights in layer 2.
        budget: how much work each tree may take.

    Raises:
        InputError: shapes that do not fit, a slope below 0 that is not 0, or a sample on which the unit is not off.
    """
    setting, theta = _start(instance)
    _check_shapes(theta, inner, outer)
    if setting.slopes[0][0][0]:
        raise InputError("the activation's slope below 0 is not 0, so no unit can be off on every sample")
    for sample, x in enumerate(forward(setting, theta).arrivals[0]):
        value = sum((w * a for w, a in zip(inner, x, strict=True)), _ZERO)
        if value >= 0:
            raise InputError(
                f"the unit is not off on sample {sample}: its preactivation is {to_text(value)}, not negative"
            )
    prediction = None
    if _states(setting, theta, budget) is not None:
        words = "a unit that is off on every sample, and near it, changes nothing nearby"
        prediction = Prediction(stays_stationary=True, stays_minimum=True, reason=words)
    return _finish(instance, (setting, theta), _widened(theta, inner, outer), prediction, budget)


def propagate_inactive(instance: Instance, inner: Sequence[mpq], *, budget: int = DEFAULT_BUDGET) -> Embedded:
    """Adds a unit to the first hidden layer whose outer weights are 0: it may have any inner weights.

    Args:
        instance: the problem and its point.
        inner: [w | b] of the unit.
        budget: how much work each tree may take.

    Raises:
        InputError: shapes that do not fit.
    """
    setting, theta = _start(instance)
    outer = [_ZERO] * len(theta[1])
    _check_shapes(theta, inner, outer)
    wide, layers = _widened(theta, inner, outer), theta
    prediction = None
    if _states(setting, layers, budget) is not None:
        larger = _widen(setting, wide[2])
        moved: Theta = (tuple(map(tuple, wide[0])), tuple(map(tuple, wide[1])))
        prediction = _predict_propagation(larger, moved, budget)
    return _finish(instance, (setting, theta), wide, prediction, budget)


def embed(
    instance: Instance,
    *,
    replicated: tuple[int, Sequence[tuple[object, object]]] | None = None,
    inactive: tuple[Sequence[object], Sequence[object]] | None = None,
    propagated: Sequence[object] | None = None,
    budget: int = DEFAULT_BUDGET,
) -> Embedded:
    """Adds hidden units that keep the function, in one of three ways, and judges what becomes of the point.

    Args:
        instance: the problem and its point.
        replicated: a unit of the first hidden layer, from 0, and copies (β, γ); see `replicate`.
        inactive: inner and outer weights of a unit that is off on every sample; see `add_inactive`.
        propagated: inner weights of a unit with outer weights 0; see `propagate_inactive`.
        budget: how much work each tree may take.

    Raises:
        InputError: not exactly one way is named, or what is given does not keep the function.
    """
    if sum(way is not None for way in (replicated, inactive, propagated)) != 1:
        raise InputError("exactly one of replicated, inactive and propagated is needed")
    if replicated is not None:
        unit, copies = replicated
        pairs = [(to_rational(beta), to_rational(gamma)) for beta, gamma in copies]
        return replicate(instance, unit, pairs, budget=budget)
    if inactive is not None:
        inner, outer = ([to_rational(entry) for entry in part] for part in inactive)
        return add_inactive(instance, inner, outer, budget=budget)
    return propagate_inactive(instance, [to_rational(entry) for entry in propagated or ()], budget=budget)


def _start(instance: Instance) -> tuple[Setting, Theta]:
    setting, theta = read_setting(instance, "all")
    if len(theta) < 2:  # noqa: PLR2004 - a hidden layer and an output layer
        raise InputError("the network has no hidden layer to which a unit could be added")
    return setting, theta


def _check_shapes(theta: Theta, inner: Sequence[mpq], outer: Sequence[mpq]) -> None:
    if len(inner) != len(theta[0][0]):
        raise InputError(f"{len(inner)} inner weights are given, layer 1 needs {len(theta[0][0])}, the bias last")
    if len(outer) != len(theta[1]):
        raise InputError(f"{len(outer)} outer weights are given, layer 2 has {len(theta[1])} units")


# inner rows, outer rows, and for each unit which of the given ones it has its activation from
_Wide = tuple[list[Vector], list[list[mpq]], list[int]]


def _widened(theta: Theta, inner: Sequence[mpq], outer: Sequence[mpq]) -> _Wide:
    width = len(theta[0])
    rows = [[*row[:width], h, *row[width:]] for row, h in zip(theta[1], outer, strict=True)]
    return [*theta[0], tuple(inner)], rows, [*range(width), 0]


def _widen(setting: Setting, units: Sequence[int]) -> Setting:
    slopes = (tuple(setting.slopes[0][unit] for unit in units), *setting.slopes[1:])
    return Setting(
        setting.inputs, setting.targets, setting.weights, slopes, setting.biases, setting.loss_slopes, setting.free
    )


def _states(setting: Setting, theta: Theta, budget: int) -> UnitStates | None:
    """Returns what is known of the units where the theory applies."""
    return judge_units(setting, theta, budget) if setting.is_shallow() and setting.outputs == 1 else None


def _predict_replication(
    setting: Setting, theta: Theta, states: UnitStates, unit: int, gammas: Sequence[mpq]
) -> Prediction:
    """Returns the table's row: S2 of a copy is γ h D ≥ 0, and NE of a copy with γ = 0 is D ≡ 0."""
    own = map_unit(setting, forward(setting, theta), states.duals, unit)
    outer = theta[1][0][unit]
    is_null = all(_is_nonnegative(own.form([mpq(side)])) for side in (1, -1))
    is_still = is_null or not outer
    stationary = min(gammas) >= 0 or is_still
    minimum = min(gammas) > 0 or is_null or (not outer and isinstance(states.states[unit], Margin))
    what = "D ≡ 0" if is_null else "D is not 0 everywhere"
    signs = "all γ > 0" if min(gammas) > 0 else "all γ ≥ 0" if min(gammas) >= 0 else "a γ < 0"
    return Prediction(stationary, minimum, f"{signs}; {what} for the unit")


def _is_nonnegative(form: LocalForm) -> bool:
    return isinstance(decide_form(form, DEFAULT_BUDGET), Nonnegative)


def _predict_propagation(setting: Setting, theta: Theta, budget: int) -> Prediction:
    """Returns the table's row: stationary iff S1 holds for the new unit, and then a minimum iff D ≡ 0."""
    found = forward(setting, theta)
    states = judge_units(setting, theta, budget)
    if states is None:
        raise AssertionError("a unit without outer weights made a kink of the loss: this is a bug in exactdrl")
    unit = len(theta[0]) - 1
    slope = outer_gradient(setting, found, states.duals)[0][unit]
    state = states.states[unit]
    if slope:
        return Prediction(
            stays_stationary=False,
            stays_minimum=False,
            reason=f"S1 fails: the outer weight has the slope {to_text(slope)}",
        )
    if isinstance(state, Escapes | Falls):
        return Prediction(
            stays_stationary=True, stays_minimum=False, reason="S1 holds, D is not 0 everywhere: an escape unit"
        )
    return Prediction(stays_stationary=True, stays_minimum=True, reason="S1 holds, and D ≡ 0")


def _finish(
    instance: Instance, point: tuple[Setting, Theta], wide: _Wide, prediction: Prediction | None, budget: int
) -> Embedded:
    (setting, theta), (inner, outer, units) = point, wide
    layers: list[tuple[object, ...]] = []
    moved: list[Sequence[Sequence[mpq]]] = [inner, outer, *theta[2:]]
    slopes = [[setting.slopes[0][unit] for unit in units], *setting.slopes[1:]]
    for matrix, pairs, has_bias in zip(moved, slopes, setting.biases, strict=True):
        weight = [row[:-1] for row in matrix] if has_bias else matrix
        layers.append((weight, [row[-1] for row in matrix] if has_bias else None, pairs))
    built = Instance.create(
        layers, instance.inputs, instance.targets, free="all", loss=instance.loss, weights=instance.weights
    )
    return Embedded(
        built,
        judge_setting(setting, theta, budget=budget),
        judge_setting(*read_setting(built), budget=budget),
        prediction,
    )


def is_borne_out(embedded: Embedded) -> bool | None:
    """Returns whether the verdicts agree with the theory; None where it says nothing of this point."""
    prediction, before, after = embedded.prediction, embedded.before.verdict, embedded.after.verdict
    if prediction is None:
        return None
    match before:
        case Minimum():
            return isinstance(after, Minimum) == prediction.stays_minimum
        case NotMinimum(is_stationary=True):
            is_stationary = isinstance(after, Minimum) or (isinstance(after, NotMinimum) and after.is_stationary)
            return is_stationary == prediction.stays_stationary
    return None
