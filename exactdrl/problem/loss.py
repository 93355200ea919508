"""Losses: a function φ of each residual r = f(x) - y, summed over samples and outputs.

φ has two slopes, left and right of r = 0, or is the square. Source: proofs/FORMAT.md, section 2a; the pinball loss is
Koenker and Bassett's, Regression quantiles (1978).
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
        kind: its name, as an instance file has it.
        below: for `two-slope` the slopes of φ left of 0, for `pinball` the levels; one for all outputs, or one an
            output; empty for other kinds.
        above: for `two-slope` the slopes right of 0, as many as `below`; empty for other kinds.
    """

    kind: LossKind = "absolute"
    below: tuple[mpq, ...] = ()
    above: tuple[mpq, ...] = ()

    def __post_init__(self) -> None:
        """Refuses numbers that make no loss of the kind.

        Raises:
            InputError: a level outside (0, 1), a slope below that is above the slope above, or lists that do not fit.
        """
        if self.kind == "pinball":
            for index, level in enumerate(self.below):
                if not 0 < level < 1:
                    raise InputError(f"loss.level[{index}] is {to_number_text(level)}; it has to lie between 0 and 1")
        if self.kind == "two-slope":
            if len(self.below) != len(self.above):
                raise InputError(f"loss.below has {len(self.below)} entries, loss.above has {len(self.above)}")
            for index, (below, above) in enumerate(zip(self.below, self.above, strict=True)):
                if below > above:
                    raise InputError(
                        f"loss.below[{index}] is {to_number_text(below)}, above loss.above[{index}], "
                        f"{to_number_text(above)}: the loss would be concave at 0"
                    )

    @classmethod
    def absolute(cls) -> "Loss":
        """Returns the loss whose φ is the size of the residual."""
        return cls("absolute")

    @classmethod
    def squared(cls) -> "Loss":
        """Returns φ(r) = r²."""
        return cls("squared")

    @classmethod
    def linear(cls) -> "Loss":
        """Returns φ(r) = r: the sum of the outputs, where targets are 0."""
        return cls("linear")

    @classmethod
    def hinge(cls) -> "Loss":
        """Returns max(0, 1 - y f) for targets y = ±1."""
        return cls("hinge")

    @classmethod
    def pinball(cls, *levels: mpq) -> "Loss":
        """Returns the pinball loss: a constant with the least loss is a quantile of this level.

        Args:
            levels: one for all outputs, or one an output; each between 0 and 1.

        Raises:
            InputError: a level is not between 0 and 1.
        """
        return cls("pinball", levels)

    @classmethod
    def two_slope(cls, below: Sequence[mpq], above: Sequence[mpq]) -> "Loss":
        """Returns φ with these slopes left and right of 0; one for all outputs, or one an output.

        Raises:
            InputError: a slope below is above the slope above, or there are not as many of both.
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
        """Refuses lists that do not have one entry for all outputs, or one an output.

        Raises:
            InputError: the message names the list.
        """
        name = "level" if self.kind == "pinball" else "below"
        if self.kind in {"pinball", "two-slope"} and len(self.below) not in {1, count}:
            raise InputError(f"loss.{name} has {len(self.below)} entries, the network has {count} outputs")

    def slopes(self, output: int, target: mpq) -> tuple[mpq, mpq]:
        """Returns the slopes of φ left and right of a residual of 0.

        Args:
            output: from 0.
            target: of the entry; the hinge's slopes depend on it.

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
            raise InputError("a squared loss has no slopes: its points are judged, and no walk is on them")
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
