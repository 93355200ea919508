"""Losses as a command's option writes them."""

from exactdrl.exact.rationals import InputError, parse_rational, shown
from exactdrl.problem.loss import Loss

_PLAIN = {
    "absolute": Loss.absolute,
    "squared": Loss.squared,
    "hinge": Loss.hinge,
    "linear": Loss.linear,
}
FORMS = "absolute, squared, hinge, linear, pinball:LEVEL, two-slope:BELOW,ABOVE"


def parse_loss(text: str) -> Loss:
    """Returns a loss from its name, with numbers behind a colon where it has some.

    Args:
        text: one of `absolute`, `squared`, `hinge`, `linear`, `pinball:1/4` (the level; several with commas, one an
            output) and `two-slope:-1,3/2` (the slopes below and above 0).

    Raises:
        InputError: it is none of these, or the numbers make no such loss.
    """
    name, colon, rest = text.strip().partition(":")
    if not colon and name in _PLAIN:
        return _PLAIN[name]()
    if colon and name in {"pinball", "two-slope"}:
        numbers = [parse_rational(part.strip()) for part in rest.split(",")]
        if name == "pinball":
            return Loss.pinball(*numbers)
        if len(numbers) == 2:  # noqa: PLR2004 - below and above
            return Loss.two_slope(numbers[:1], numbers[1:])
    raise InputError(f"loss is {shown(text)}; {FORMS} are possible")
