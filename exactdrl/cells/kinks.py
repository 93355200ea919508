"""Kinks and activation patterns."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from exactdrl.exact.rationals import InputError


class Kink(NamedTuple):
    """The address of a place where a preactivation or a residual is 0. Tuples compare in address order.

    Attributes:
        layer: trained layer .. L+1; layer L+1 means the residual.
        sample: from 0.
        unit: from 0.
    """

    layer: int
    sample: int
    unit: int


class Pattern:
    """An activation pattern: on (1) or off (0) for every kink. Mutable; copy before you keep it.

    Attributes:
        bits: for each layer from the trained one to L+1, a byte for each kink in address order.
    """

    __slots__ = ("bits", "first", "samples", "widths")

    def __init__(self, first: int, samples: int, widths: Sequence[int], bits: Sequence[bytearray]) -> None:
        """Takes the bits as they are, without a copy.

        Args:
            first: the trained layer.
            samples: N.
            widths: units of the layers from the trained one to L+1.
            bits: for each of these layers samples · width bytes, 0 or 1.
        """
        self.first, self.samples, self.widths, self.bits = first, samples, tuple(widths), list(bits)

    def is_on(self, kink: Kink) -> bool:
        """Returns whether the kink's bit is 1: its preactivation or residual is ≥ 0 in the cell."""
        depth = kink.layer - self.first
        return bool(self.bits[depth][kink.sample * self.widths[depth] + kink.unit])

    def flip(self, kink: Kink) -> None:
        """Inverts the kink's bit."""
        depth = kink.layer - self.first
        self.bits[depth][kink.sample * self.widths[depth] + kink.unit] ^= 1

    def unit_bits(self, depth: int, sample: int) -> bytearray:
        """Returns the bits of one sample in the layer `depth` above the trained one."""
        width = self.widths[depth]
        return self.bits[depth][sample * width : (sample + 1) * width]

    def copy(self) -> "Pattern":
        """Returns an independent copy."""
        return Pattern(self.first, self.samples, self.widths, [bytearray(bits) for bits in self.bits])

    def kink(self, depth: int, index: int) -> Kink:
        """Returns the address of the kink number `index` of the layer `depth` above the trained one."""
        sample, unit = divmod(index, self.widths[depth])
        return Kink(self.first + depth, sample, unit)

    def __eq__(self, other: object) -> bool:
        """Returns whether all bits are the same."""
        return isinstance(other, Pattern) and self.bits == other.bits

    __hash__ = None  # type: ignore[assignment]

    def __iter__(self) -> Iterator[Kink]:
        """Yields every kink in address order."""
        for depth, bits in enumerate(self.bits):
            for index in range(len(bits)):
                yield self.kink(depth, index)

    def to_hex(self) -> list[str]:
        """Returns a string for each layer, as the certificate has it (proofs/FORMAT.md, section 4)."""
        texts = []
        for bits in self.bits:
            digits = -(-len(bits) // 4)
            value = int("".join(map(str, bits)).ljust(4 * digits, "0"), 2)
            texts.append(f"{value:0{digits}x}")
        return texts

    @classmethod
    def from_hex(cls, first: int, samples: int, widths: Sequence[int], texts: Sequence[str]) -> "Pattern":
        """Returns the pattern that `to_hex` wrote.

        Raises:
            InputError: a string has the wrong length or filling bits that are not 0, or there are too few or many.
        """
        if len(texts) != len(widths):
            raise InputError(f"pattern has {len(texts)} strings for {len(widths)} layers")
        layers = []
        for depth, (text, width) in enumerate(zip(texts, widths, strict=True)):
            count = samples * width
            if len(text) != -(-count // 4) or not set(text) <= set("0123456789abcdef"):
                raise InputError(f"pattern of layer {first + depth} is not {-(-count // 4)} hexadecimal digits")
            digits = f"{int(text, 16):0{4 * len(text)}b}"
            if "1" in digits[count:]:
                raise InputError(f"pattern of layer {first + depth} has filling bits that are not 0")
            layers.append(bytearray(map(int, digits[:count])))
        return cls(first, samples, widths, layers)
