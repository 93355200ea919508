"""Builds networks that pass functions of the first layer on to the output, each layer inside one linear piece."""

from collections.abc import Sequence
from dataclasses import dataclass

from gmpy2 import mpq

from exactdrl.constructions.plain_network import PlainLayer, PlainNetwork, Rows

_ZERO, _ONE = mpq(0), mpq(1)


@dataclass(frozen=True, slots=True)
class Shape:
    """The shape of a network.

    Attributes:
        widths: n_0, ..., n_{L+1}.
        slopes: of the activation, below and above 0.
        has_output_bias: whether the last layer has a bias; all others have one.
    """

    widths: tuple[int, ...]
    slopes: tuple[mpq, mpq]
    has_output_bias: bool

    @property
    def side(self) -> int:
        """Returns 1 or -1, a side of 0 on which the activation's slope is not 0; 1 if there is a choice."""
        return 1 if self.slopes[1] else -1

    @property
    def slope(self) -> mpq:
        """Returns the activation's slope on that side."""
        return self.slopes[1] or self.slopes[0]

    def spare(self, outputs: int) -> int:
        """Returns how many units every hidden layer has beyond one for each output, and the constant one if needed."""
        *rest, last = self.widths[1:-1]
        return min([*rest, last - (not self.has_output_bias)]) - outputs


def build_channels(
    shape: Shape,
    inputs: Rows,
    firsts: Sequence[tuple[Sequence[mpq], bool]],
    outer: Rows,
    constants: Sequence[mpq],
) -> PlainNetwork:
    """Returns a network that computes affine functions, and the activation of affine functions, in its first layer.

    Its output q is Σ_j outer[q][j] · channel_j + constants[q], on the samples. Channels that bend are activations of
    the first layer, the others are shifted so that every sample lies on one side of 0, at a distance of at least 1,
    which is undone. Units that are left over have the weights 0, a bias of 1 or -1, and no influence.

    Args:
        shape: of the network; it needs as many units in every layer as there are channels, and one more in the last
            hidden layer if the output has no bias.
        inputs: the samples.
        firsts: for each channel its affine function, a number for each input and the constant, and whether it bends.
        outer: a row for each output.
        constants: one for each output.
    """
    side, slope = shape.side, shape.slope
    values = [[sum((a * b for a, b in zip(row, (*x, _ONE), strict=True)), _ZERO) for x in inputs] for row, _ in firsts]
    layers: list[PlainLayer] = []
    # what stands in the unit of a channel in front of its activation is value + shift, unless the channel bends there
    shifts: list[mpq] = [_ZERO] * len(firsts)
    hidden = len(shape.widths) - 2
    for level in range(hidden):
        width, below = shape.widths[level + 1], shape.widths[level]
        weight, bias = [], []
        for unit, (row, bends) in enumerate(firsts):
            if level == 0:
                new_shift = _ZERO if bends else _shift(values[unit], side)
                weight.append(tuple(row[:-1]))
                bias.append(row[-1] + new_shift)
            else:
                factor = _ONE if level == 1 and bends else 1 / slope
                if level == 1 and bends:
                    values[unit] = [v * shape.slopes[v > 0] for v in values[unit]]
                new_shift = _shift(values[unit], side)
                weight.append(tuple(factor * (place == unit) for place in range(below)))
                bias.append(new_shift - shifts[unit])
            shifts[unit] = new_shift
        for _ in range(width - len(firsts)):
            weight.append(tuple(_ZERO for _ in range(below)))
            bias.append(mpq(side))
        layers.append(PlainLayer(tuple(weight), tuple(bias)))
    factors = [_ONE if hidden == 1 and bends else 1 / slope for _, bends in firsts]
    last, offsets = [], []
    for row, constant in zip(outer, constants, strict=True):
        entries = [h * factor for h, factor in zip(row, factors, strict=True)]
        entries += [_ZERO] * (shape.widths[-2] - len(firsts))
        offset = constant - sum((h * shift for h, shift in zip(row, shifts, strict=True)), _ZERO)
        if not shape.has_output_bias:
            # the last unit's activation is side · slope on every sample
            entries[-1] = offset / (side * slope)
        last.append(tuple(entries))
        offsets.append(offset)
    layers.append(PlainLayer(tuple(last), tuple(offsets) if shape.has_output_bias else None))
    return PlainNetwork(tuple(layers), shape.slopes)


def _shift(values: Sequence[mpq], side: int) -> mpq:
    """Returns an integer that brings all values to one side of 0, at a distance of at least 1; 0 if they are there."""
    least = min(side * value for value in values)
    return mpq(0) if least >= 1 else mpq(side * (1 - least.numerator // least.denominator))
