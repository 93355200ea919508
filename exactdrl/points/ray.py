"""Decides whether a loss with two slopes falls forever along a line that meets no kink: then it is unbounded below.

Along the line every preactivation is its value plus t times its rate as long as none changes its sign. If none ever
does, that is so for all t > 0, and the loss is affine there with the slope it has at the point.
"""

from gmpy2 import mpq

from exactdrl.points.germ import Descent
from exactdrl.points.setting import Setting, Slopes, Theta, forward

_ZERO = mpq(0)


def falls_forever(setting: Setting, theta: Theta, descent: Descent) -> bool:
    """Returns whether the loss falls forever along a descent's line, all kinks behind it; False says nothing.

    Args:
        setting: the problem; with one free layer and a loss with two slopes.
        theta: the point.
        descent: with a negative slope.
    """
    if setting.loss_slopes is None or len(setting.free) != 1 or len(descent.curve) != 1 or descent.order != 1:
        return False
    found, free, last = forward(setting, theta), setting.free[0], len(theta) - 1
    for sample, x in enumerate(found.arrivals[free]):
        if not setting.weights[sample]:
            continue
        rates = [sum((d * a for d, a in zip(row, x, strict=True)), _ZERO) for row in descent.curve[0][free]]
        for number in range(free, last + 1):
            values = found.values[number][sample]
            slopes = setting.slopes[number] if number < last else setting.loss_slopes[sample]
            if any(_turns(value, rate, pair) for value, rate, pair in zip(values, rates, slopes, strict=True)):
                return False
            if number < last:
                passed = [
                    rate * pair[(value or rate) > 0] for value, rate, pair in zip(values, rates, slopes, strict=True)
                ]
                rates = [
                    sum((w * rate for w, rate in zip(row, passed, strict=False)), _ZERO) for row in theta[number + 1]
                ]
    return True


def _turns(value: mpq, rate: mpq, slopes: Slopes) -> bool:
    """Returns whether a number with a kink at 0 will change its sign."""
    return bool(slopes[0] != slopes[1] and value * rate < 0)
