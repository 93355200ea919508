"""Judges an instance's point: finds the verdict, and what else a person wants to know of the point."""

from dataclasses import dataclass, replace

from gmpy2 import mpq

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.exact.rationals import InputError
from exactdrl.minimality.judge import DEFAULT_BUDGET
from exactdrl.points.affine import is_affine_fit
from exactdrl.points.better import find_better
from exactdrl.points.deep import judge_deep
from exactdrl.points.form import localise_point
from exactdrl.points.germ import find_descent
from exactdrl.points.layer import judge_layer
from exactdrl.points.ray import falls_forever
from exactdrl.points.reading import Choice, read_setting
from exactdrl.points.setting import Setting, Theta, find_loss, forward, freeze, unflatten, zero_direction
from exactdrl.points.shallow import judge_shallow, judge_units
from exactdrl.points.units import Escapes, dead_units
from exactdrl.points.verdict import EscapeUnit, MarginProof, Minimum, NotMinimum, Verdict
from exactdrl.problem.instance import Instance


@dataclass(frozen=True, slots=True)
class JudgedPoint:
    """A point and what is known of it.

    Attributes:
        setting: the problem, with what is free.
        theta: the point.
        verdict: on it.
        loss: at it.
        active: how many kinks are active at it.
        dead: units that are off on every sample and near it, as pairs of layer and unit from 0.
        escapes: the escape units, for one hidden layer and a loss without kink at the point, or for the subgradients
            that prove a minimum; None where not determined.
        is_affine_fit: whether the network's values on the samples are those of the best affine function; squared loss.
        better: at a local minimum in all parameters of a network with one hidden layer, a point with a smaller loss:
            the minimum is spurious. None where none was found, which says nothing.
    """

    setting: Setting
    theta: Theta
    verdict: Verdict
    loss: mpq
    active: int
    dead: tuple[tuple[int, int], ...]
    escapes: tuple[EscapeUnit, ...] | None
    is_affine_fit: bool
    better: Theta | None

    @property
    def mean_loss(self) -> mpq:
        """Returns the loss divided by the number of samples and outputs."""
        return self.loss / (self.setting.samples * self.setting.outputs)


def judge(instance: Instance, *, free: Choice | None = None, budget: int = DEFAULT_BUDGET) -> JudgedPoint:
    """Returns whether an instance's point is a local minimum. Exact; what is not proved is undecided, with the reason.

    Args:
        instance: the problem and its point.
        free: "layer" for the instance's own layer, "all" for all parameters, or a layer from 1; default: what the
            instance says.
        budget: how much work each tree may take, see `minimality.judge`.

    Raises:
        InputError: there is no such layer.
    """
    judged = judge_setting(*read_setting(instance, free), budget=budget)
    ray = _find_ray(instance, judged)
    return judged if ray is None else replace(judged, verdict=ray)


def _find_ray(instance: Instance, judged: JudgedPoint) -> NotMinimum | None:
    """Returns the refutation by a direction that changes no kink of the problem, along which the loss falls forever."""
    setting, verdict = judged.setting, judged.verdict
    if setting.is_squared or len(setting.free) != 1 or not isinstance(verdict, NotMinimum) or verdict.is_unbounded:
        return None
    try:
        problem = IntegerProblem.from_instance(instance.with_free(setting.free[0] + 1))
    except InputError:
        # kinks that differ from sample to sample: walks are not for it
        return None
    ray = problem.reduction.ray
    descent = None
    if ray is not None:
        descent = find_descent(setting, judged.theta, (unflatten(setting, judged.theta, ray),))
    if descent is None or not falls_forever(setting, judged.theta, descent):
        return None
    return NotMinimum(descent, is_stationary=False, is_unbounded=True)


def _find_dead_direction(theta: Theta, dead: tuple[int, ...]) -> Theta | None:
    """Returns the direction of a dead hidden unit's outer weight, along which nothing changes; None without one."""
    if not dead:
        return None
    direction = zero_direction(theta)
    direction[1][0][dead[0]] += 1
    return freeze(direction)


def judge_setting(setting: Setting, theta: Theta, *, budget: int = DEFAULT_BUDGET) -> JudgedPoint:
    """Judges a point of a setting.

    Args:
        setting: the problem, with what is free.
        theta: [W | b] for each layer.
        budget: how much work each tree may take.
    """
    found = forward(setting, theta)
    is_two = len(theta) == 2  # noqa: PLR2004 - a hidden layer and an output layer
    units = judge_units(setting, theta, budget) if is_two else None
    better = None
    if len(setting.free) == 1:
        verdict = judge_layer(setting, theta, budget)
        if isinstance(verdict, NotMinimum) and falls_forever(setting, theta, verdict.descent):
            verdict = replace(verdict, is_unbounded=True)
    elif setting.is_shallow():
        verdict = judge_shallow(setting, theta, budget, units)
        loss = find_loss(setting, theta)
        if isinstance(verdict, Minimum):
            verdict = replace(verdict, flat=_find_dead_direction(theta, dead_units(setting, found, 0)))
            better = find_better(setting, theta) if loss or not setting.has_floor else None
    else:
        verdict = judge_deep(setting, theta, budget)
    escapes = None
    if units is not None:
        escapes = tuple(
            EscapeUnit(unit, state.direction, state.rates)
            for unit, state in enumerate(units.states)
            if isinstance(state, Escapes)
        )
    elif isinstance(verdict, Minimum) and isinstance(verdict.proof, MarginProof):
        # for the subgradients that prove it there are none
        escapes = ()
    dead = tuple((layer, unit) for layer in range(len(theta) - 1) for unit in dead_units(setting, found, layer))
    return JudgedPoint(
        setting,
        theta,
        verdict,
        find_loss(setting, theta),
        len(localise_point(setting, theta).kinks),
        dead,
        escapes,
        setting.is_squared and is_affine_fit(setting, found),
        better,
    )
