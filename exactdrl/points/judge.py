"""The front of the room: an instance's point gives a verdict, and what a person wants to know beside it."""

from dataclasses import dataclass

from gmpy2 import mpq

from exactdrl.minimality.judge import DEFAULT_BUDGET
from exactdrl.points.affine import is_affine_fit
from exactdrl.points.better import find_better
from exactdrl.points.deep import judge_deep
from exactdrl.points.form import localise_point
from exactdrl.points.layer import judge_layer
from exactdrl.points.reading import Choice, read_setting
from exactdrl.points.setting import Setting, Theta, find_loss, forward
from exactdrl.points.shallow import judge_shallow, judge_units
from exactdrl.points.units import Escapes, dead_units
from exactdrl.points.verdict import EscapeUnit, Minimum, Verdict
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
        escapes: the escape units, for one hidden layer and a loss without kink at the point; None where not determined.
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
    """Judges an instance's point: is it a local minimum? Exact; what is not proved is undecided, with the reason.

    Args:
        instance: the problem and its point.
        free: "layer" for the instance's own layer, "all" for all parameters, or a layer from 1; default: what the
            instance says.
        budget: how much work each tree may take, see `minimality.judge`.

    Raises:
        InputError: there is no such layer.
    """
    return judge_setting(*read_setting(instance, free), budget=budget)


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
    elif setting.is_shallow():
        verdict = judge_shallow(setting, theta, budget, units)
        loss = find_loss(setting, theta)
        if isinstance(verdict, Minimum) and (loss or not setting.has_floor):
            better = find_better(setting, theta)
    else:
        verdict = judge_deep(setting, theta, budget)
    escapes = None
    if units is not None:
        escapes = tuple(
            EscapeUnit(unit, state.direction, state.rates)
            for unit, state in enumerate(units.states)
            if isinstance(state, Escapes)
        )
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
