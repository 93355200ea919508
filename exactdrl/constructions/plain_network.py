"""Networks of any depth with one activation, as plain rational matrices: what constructions build."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gmpy2 import mpq

_ZERO = mpq(0)

Rows: TypeAlias = tuple[tuple[mpq, ...], ...]


@dataclass(frozen=True, slots=True)
class PlainLayer:
    """An affine layer.

    Attributes:
        weight: shape (n_l, n_{l-1}).
        bias: n_l numbers, or None.
    """

    weight: Rows
    bias: tuple[mpq, ...] | None

    def affine(self, values: Sequence[mpq]) -> list[mpq]:
        """Returns W values + b."""
        sums = [sum((w * v for w, v in zip(row, values, strict=True) if w and v), _ZERO) for row in self.weight]
        return sums if self.bias is None else [s + b for s, b in zip(sums, self.bias, strict=True)]


@dataclass(frozen=True, slots=True)
class PlainNetwork:
    """A network: the activation follows every layer but the last.

    Attributes:
        layers: layers 1..L+1.
        slopes: of the activation, below and above 0.
    """

    layers: tuple[PlainLayer, ...]
    slopes: tuple[mpq, mpq]

    def activate(self, z: mpq) -> mpq:
        """Returns the activation's value."""
        return z * self.slopes[z > 0]

    def preactivations(self, x: Sequence[mpq]) -> list[list[mpq]]:
        """Returns the preactivations of every layer; the last are the outputs."""
        found, values = [], list(x)
        for layer in self.layers:
            found.append(layer.affine(values))
            values = [self.activate(z) for z in found[-1]]
        return found

    def outputs(self, inputs: Rows) -> Rows:
        """Returns f(x) for every input."""
        return tuple(tuple(self.preactivations(x)[-1]) for x in inputs)

    def allows(self, inputs: Rows, radius: mpq) -> bool:
        """Returns whether no preactivation of a hidden layer changes its sign within a radius.

        The radius bounds the change of every parameter. Preactivations may become 0. The bound is that of
        proofs/CELLS.md, section 6: True is proved, and False only says that it was not shown.

        Args:
            inputs: the samples.
            radius: positive.
        """
        for x in inputs:
            values, changes = list(x), [_ZERO] * len(x)
            for layer in self.layers[:-1]:
                sizes = sum((abs(a) + d for a, d in zip(values, changes, strict=True)), _ZERO)
                own = radius * (sizes + (layer.bias is not None))
                moves = [sum((abs(w) * d for w, d in zip(row, changes, strict=True)), own) for row in layer.weight]
                z = layer.affine(values)
                if any(move > abs(entry) for move, entry in zip(moves, z, strict=True)):
                    return False
                changes = [abs(self.slopes[entry > 0]) * move for entry, move in zip(z, moves, strict=True)]
                values = [self.activate(entry) for entry in z]
        return True
