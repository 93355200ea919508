"""Losses: a function φ of each residual r = f(x) - y, summed over samples and outputs.

φ is the square, or has two slopes, one below r = 0 and one above. Source: proofs/FORMAT.md, section 2a. The pinball
loss is that of Koenker and Bassett, Regression quantiles (1978).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from gmpy2 import mpq

from exactdrl.exact.rationals import InputError, to_number_text

LossKind: TypeAlias = Literal["absolute", "pinball", "hinge", "linear", "two-slope", "squared"]
KINDS: tuple[LossKind, ...] = get_args(LossKind)

_ONE, _ZERO = mpq(1), mpq(0)


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss; build it by `Loss.absolute()`, `Loss.pinball(levels)` and so on.

    Attributes:
        kind: the loss's name in an instance file.
        below: for `two-slope` the slopes of φ below 0, for `pinball` the levels: one for all outputs, or one for each
            output. Empty for other kinds.
        above: for `two-slope` the slopes above 0, as many as `below`. Empty for other kinds.

    Raises:
        InputError: a level is not between 0 and 1, a slope below 0 is greater than that above 0, or the lists do not
            fit.
    """

    kind: LossKind = "absolute"
    below: tuple[mpq, ...] = ()
    above: tuple[mpq, ...] = ()

    def __post_init__(self) -> None:
        """Refuses numbers that make no loss of the kind.

        Raises:
            InputError: a level is not between 0 and 1, a slope below 0 is greater than that above 0, or the lists do
                not fit.
        """
        if self.kind == "pinball":
            for index, level in enumerate(self.below):
                if not 0 < level < 1:
                    place = self._place("level", index)
                    raise InputError(f"{place} is {to_number_text(level)}; it has to lie between 0 and 1")
        if self.kind == "two-slope":
            if len(self.below) != len(self.above):
                raise InputError(f"loss.below has {len(self.below)} entries, loss.above has {len(self.above)}")
            for index, (below, above) in enumerate(zip(self.below, self.above, strict=True)):
                if below > above:
                    raise InputError(
                        f"{self._place('below', index)} is {to_number_text(below)}, which is greater than "
                        f"{self._place('above', index)}, {to_number_text(above)}; the loss would be concave at 0"
                    )

    def _place(self, key: str, index: int) -> str:
        """Returns the place of a number of the loss, as an instance file has it."""
        return f"loss.{key}[{index}]" if len(self.below) > 1 else f"loss.{key}"

    @classmethod
    def absolute(cls) -> "Loss":
        """Returns the loss whose φ(r) is the absolute value of r."""
        return cls("absolute")

    @classmethod
    def squared(cls) -> "Loss":
        """Returns φ(r) = r²."""
        return cls("squared")

    @classmethod
    def linear(cls) -> "Loss":
        """Returns φ(r) = r. With targets 0 the loss is the sum of the outputs."""
        return cls("linear")

    @classmethod
    def hinge(cls) -> "Loss":
        """Returns the hinge loss max(0, 1 - y f) of an output f for targets y = ±1."""
        return cls("hinge")

    @classmethod
    def pinball(cls, *levels: mpq) -> "Loss":
        """Returns the pinball loss. The constant with the least loss is a quantile of this level.

        With r = f - y and the level τ, φ(r) is -τ r below 0 and (1 - τ) r above 0.

        Args:
            levels: one level for all outputs, or one for each output, each between 0 and 1.

        Raises:
            InputError: a level is not between 0 and 1.
        """
        return cls("pinball", levels)

    @classmethod
    def two_slope(cls, below: Sequence[mpq], above: Sequence[mpq]) -> "Loss":
        """Returns φ with these slopes below and above 0.

        Args:
            below: the slopes below 0, one for all outputs, or one for each output.
            above: the slopes above 0, as many, none of them less than that below 0.

        Raises:
            InputError: a slope below 0 is greater than that above 0, or there are not as many of both.
        """
        return cls("two-slope", tuple(below), tuple(above))

    @property
    def is_squared(self) -> bool:
        """Returns whether φ is the square, which has no kink and no slopes."""
        return self.kind == "squared"

    @property
    def is_nonnegative(self) -> bool:
        """Returns whether φ is nowhere negative, so that a loss of 0 is the least possible one."""
        if self.kind == "two-slope":
            return all(b <= 0 <= a for b, a in zip(self.below, self.above, strict=True))
        return self.kind != "linear"

    def check_outputs(self, count: int) -> None:
        """Refuses lists that have neither one entry for all outputs nor one for each output.

        Raises:
            InputError: the message names the list.
        """
        name = "level" if self.kind == "pinball" else "below"
        if self.kind in {"pinball", "two-slope"} and len(self.below) not in {1, count}:
            raise InputError(f"loss.{name} has {len(self.below)} entries, the network has {count} outputs")

    def slopes(self, output: int, target: mpq) -> tuple[mpq, mpq]:
        """Returns the slopes of φ below and above a residual of 0.

        Args:
            output: the output's number, from 0.
            target: the target, on which the slopes of the hinge loss depend.

        Raises:
            InputError: the loss is squared.
        """
        if self.kind == "absolute":
            return -_ONE, _ONE
        if self.kind == "linear":
            return _ONE, _ONE
        if self.kind == "hinge":
            return (-_ONE, _ZERO) if target > 0 else (_ZERO, _ONE)
        if self.is_squared:
            raise InputError(
                "a squared loss has no slopes, so that no walk is possible; `exactdrl judge` judges its points"
            )
        index = output if len(self.below) > 1 else 0
        if self.kind == "pinball":
            return -self.below[index], _ONE - self.below[index]
        return self.below[index], self.above[index]

    def value(self, residual: mpq, output: int, target: mpq) -> mpq:
        """Returns φ(residual)."""
        if self.is_squared:
            return residual * residual
        below, above = self.slopes(output, target)
        return residual * (above if residual > 0 else below)
