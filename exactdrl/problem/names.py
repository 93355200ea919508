"""Losses and activations by name, as commands and configurations write them.

Losses: `absolute`, `squared`, `hinge`, `linear`, `pinball:1/4`, `two-slope:-1,3/2`. Activations: `relu`, `leaky:1/10`,
`abs`, `identity`, or two slopes `-1/2,1`; `linear` is the identity.
"""

from gmpy2 import mpq

from exactdrl.exact.rationals import InputError, parse_rational, shown, to_number_text
from exactdrl.problem.activation import ABSOLUTE_VALUE, IDENTITY, RELU, Activation, leaky_relu
from exactdrl.problem.loss import Loss

_PAIR = 2
_PLAIN = {
    "absolute": Loss.absolute,
    "squared": Loss.squared,
    "hinge": Loss.hinge,
    "linear": Loss.linear,
}
_ACTIVATIONS = {
    "relu": RELU,
    "abs": ABSOLUTE_VALUE,
    "absolute": ABSOLUTE_VALUE,
    "identity": IDENTITY,
    "linear": IDENTITY,
}
LOSS_NAMES = "absolute, squared, hinge, linear, pinball:LEVEL, two-slope:BELOW,ABOVE"
ACTIVATION_NAMES = "relu, leaky:SLOPE, abs, identity, or BELOW,ABOVE"


def parse_loss(text: str) -> Loss:
    """Returns the loss that a name means.

    Args:
        text: a name of the module's list, with its numbers behind a colon. `pinball` takes several levels, one for each
            output, with commas between.

    Raises:
        InputError: no loss has that name, or its numbers are no levels or slopes.
    """
    name, colon, rest = text.strip().partition(":")
    if name in _PLAIN and not colon:
        return _PLAIN[name]()
    parts = rest.split(",")
    if name == "pinball" and colon:
        return Loss.pinball(*(_number(part, text) for part in parts))
    if name == "two-slope" and len(parts) == _PAIR:
        return Loss.two_slope([_number(parts[0], text)], [_number(parts[1], text)])
    raise InputError(f"loss is {shown(text)}; possible are {LOSS_NAMES}")


def loss_name(loss: Loss) -> str:
    """Returns the name of a loss that has the same slopes for all outputs."""
    numbers = [to_number_text(value) for value in (*loss.below, *loss.above)]
    return f"{loss.kind}:{','.join(numbers)}" if numbers else loss.kind


def parse_activation(text: str) -> Activation:
    """Returns the activation that a name or two slopes mean.

    Args:
        text: a name of the module's list, in upper or lower case, or two slopes with a comma between.

    Raises:
        InputError: no activation has that name, or both slopes are 0.
    """
    name, colon, number = text.strip().lower().partition(":")
    if name in _ACTIVATIONS and not colon:
        return _ACTIVATIONS[name]
    if name in {"leaky", "leaky-relu"} and colon:
        return leaky_relu(_number(number, text))
    if name == "leaky":
        raise InputError("activation is leaky without its slope; write leaky:0.01 for PyTorch's default")
    slopes = text.split(",")
    if len(slopes) == _PAIR:
        return Activation(_number(slopes[0], text), _number(slopes[1], text))
    raise InputError(f"activation is {shown(text)}; possible are {ACTIVATION_NAMES}")


def _number(text: str, whole: str) -> mpq:
    try:
        return parse_rational(text.strip())
    except InputError as error:
        raise InputError(f"{shown(whole)}: {error}") from None
