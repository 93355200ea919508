"""Activations with two slopes: ReLU, leaky ReLU, the absolute value, the identity."""

from dataclasses import dataclass

from gmpy2 import mpq

from exactdrl.exact.rationals import InputError, to_number_text


@dataclass(frozen=True, slots=True)
class Activation:
    """The function t ↦ below · t for t ≤ 0, above · t for t ≥ 0.

    Attributes:
        below: the slope below 0.
        above: the slope above 0.

    Raises:
        InputError: both slopes are 0.
    """

    below: mpq
    above: mpq

    def __post_init__(self) -> None:
        """Refuses the activation that is 0 everywhere.

        Raises:
            InputError: both slopes are 0.
        """
        if not self.below and not self.above:
            raise InputError("an activation's slopes are 0 and 0; at least one of them has to be another number")

    @property
    def has_kink(self) -> bool:
        """Returns whether the function bends at 0."""
        return bool(self.below != self.above)

    def slope(self, *, is_on: bool) -> mpq:
        """Returns the slope above 0 for a unit that is on, else the slope below."""
        return self.above if is_on else self.below

    def __call__(self, value: mpq) -> mpq:
        """Returns the function's value."""
        return value * (self.above if value > 0 else self.below) if value else value

    def __str__(self) -> str:
        """Returns the activation's name, or its slopes."""
        pair = f"({to_number_text(self.below)}, {to_number_text(self.above)})"
        return NAMES.get(self, f"slopes {pair}")


RELU = Activation(mpq(0), mpq(1))
IDENTITY = Activation(mpq(1), mpq(1))
ABSOLUTE_VALUE = Activation(mpq(-1), mpq(1))
NAMES = {RELU: "ReLU", IDENTITY: "identity", ABSOLUTE_VALUE: "absolute value"}


def leaky_relu(slope: mpq) -> Activation:
    """Returns leaky ReLU with this slope below 0."""
    return Activation(slope, mpq(1))
