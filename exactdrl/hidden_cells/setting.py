"""The problem of this package: a network with one hidden layer and one output, all parameters free, and its data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from gmpy2 import mpq

from exactdrl.exact.rationals import InputError
from exactdrl.hidden_cells.samples import Samples

LossKind: TypeAlias = Literal["squared", "absolute"]


@dataclass(frozen=True, slots=True)
class Network:
    """A network with one hidden layer and one output.

    Attributes:
        units: K rows of m weights, the bias last where the hidden layer has one.
        outer: K outer weights.
        constant: the output's bias, 0 where it has none.
    """

    units: tuple[tuple[mpq, ...], ...]
    outer: tuple[mpq, ...]
    constant: mpq


@dataclass(frozen=True, slots=True)
class Setting:
    """Data, loss and shape of the network.

    Attributes:
        samples: the inputs.
        targets: N rationals.
        units: K.
        loss: its kind; Σ r² or Σ |r|, without ½ or mean.
        slopes: of the hidden activation, below and above 0.
        has_output_bias: whether the output has a bias.
        has_bias: whether the hidden layer has one.
        inputs: N rows, without the appended 1.
    """

    samples: Samples
    targets: tuple[mpq, ...]
    units: int
    loss: LossKind
    slopes: tuple[mpq, mpq]
    has_output_bias: bool
    has_bias: bool
    inputs: tuple[tuple[mpq, ...], ...]

    @classmethod
    def create(
        cls,
        inputs: Sequence[Sequence[mpq]],
        targets: Sequence[mpq],
        *,
        units: int = 1,
        loss: LossKind = "squared",
        slopes: tuple[mpq, mpq] = (mpq(0), mpq(1)),
        has_bias: bool = True,
        has_output_bias: bool = False,
    ) -> "Setting":
        """Takes data and shape.

        Args:
            inputs: N rows of equally many rationals.
            targets: N rationals.
            units: K, at least 1.
            loss: its kind.
            slopes: of the hidden activation, below and above 0, not both 0.
            has_bias: whether the hidden layer has a bias.
            has_output_bias: whether the output has one.

        Raises:
            InputError: there is no sample, or no input and no bias.
        """
        if not inputs:
            raise InputError("the data have no sample")
        if not inputs[0] and not has_bias:
            raise InputError("the data have no input column, and the hidden layer has no bias")
        samples = Samples.create(inputs, has_bias=has_bias)
        return cls(
            samples,
            tuple(targets),
            units,
            loss,
            slopes,
            has_output_bias,
            has_bias,
            tuple(tuple(row) for row in inputs),
        )

    def slope(self, bit: str) -> mpq:
        """Returns the activation's slope on the side of a bit."""
        return self.slopes[bit == "1"]

    def is_dead(self, pattern: str) -> bool:
        """Returns whether a unit with this pattern passes nothing on on any sample."""
        return all(
            place is None or not self.slope(bit) for bit, place in zip(pattern, self.samples.places, strict=True)
        )

    def predict(self, network: Network) -> list[mpq]:
        """Returns f(x_k) for every sample."""
        below, above = self.slopes
        found = []
        for sample in range(len(self.targets)):
            x, total = self.samples.vector(sample), network.constant
            for weights, outer in zip(network.units, network.outer, strict=True):
                z = sum((a * b for a, b in zip(weights, x, strict=True)), mpq(0))
                total += outer * (above * z if z > 0 else below * z)
            found.append(total)
        return found

    def loss_of(self, network: Network) -> mpq:
        """Returns the loss of a network."""
        residuals = [f - y for f, y in zip(self.predict(network), self.targets, strict=True)]
        return self.total(residuals)

    def total(self, residuals: Sequence[mpq]) -> mpq:
        """Returns Σ r² or Σ |r|."""
        return sum((r * r if self.loss == "squared" else abs(r) for r in residuals), mpq(0))
