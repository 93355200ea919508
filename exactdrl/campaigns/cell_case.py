"""A run that draws data and judges their hidden cells."""

from dataclasses import dataclass

from exactdrl.hidden_cells.draws import Distribution
from exactdrl.hidden_cells.setting import LossKind

KIND = "cells"
ALL = "all"


@dataclass(frozen=True, slots=True)
class CellCase:
    """Data to draw, and the cells to judge on them.

    Attributes:
        distribution: the distribution of the data, see `DataShape`.
        inputs: the number d of inputs, without the appended 1 of the bias.
        samples: the number N of samples.
        units: the number K of hidden units.
        loss: squared or absolute.
        bits: how many bits after the binary point every drawn number has.
        draws: of how many random weights the cells are judged; None where all cells are judged.
        seed: the seed of data and weights.
    """

    distribution: Distribution
    inputs: int
    samples: int
    units: int
    loss: LossKind
    bits: int
    draws: int | None
    seed: int

    @property
    def draws_text(self) -> str:
        """Returns which cells are judged, as the configuration says it."""
        return ALL if self.draws is None else str(self.draws)

    @property
    def name(self) -> str:
        """Returns the name of the run's files, without an ending."""
        shape = f"d{self.inputs}_n{self.samples}_k{self.units}_b{self.bits}"
        return f"cells_{self.distribution}_{shape}_{self.loss}_{self.draws_text}_s{self.seed}"

    @property
    def group(self) -> str:
        """Returns the name of all runs that differ from this one in the seed alone."""
        shape = f"d={self.inputs} N={self.samples} K={self.units} bits={self.bits}"
        return f"cells {self.distribution} {shape} {self.loss} draws={self.draws_text}"

    def to_json(self) -> dict[str, object]:
        """Returns the case as a JSON object."""
        return {
            "kind": KIND,
            "distribution": self.distribution,
            "inputs": self.inputs,
            "samples": self.samples,
            "units": self.units,
            "loss": self.loss,
            "bits": self.bits,
            "draws": self.draws,
            "seed": self.seed,
        }

    @classmethod
    def from_json(cls, value: dict[str, object]) -> "CellCase":
        """Returns the case that `to_json` wrote.

        Raises:
            ValueError: the value is no case.
        """
        match value:
            case {
                "distribution": "gaussian" | "uniform" as distribution,
                "inputs": int(inputs),
                "samples": int(samples),
                "units": int(units),
                "loss": "squared" | "absolute" as loss,
                "bits": int(bits),
                "draws": int() | None as draws,
                "seed": int(seed),
            }:
                return cls(distribution, inputs, samples, units, loss, bits, draws, seed)
        raise ValueError(f"not a case: {value!r}")
