"""Kinks and activation patterns."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of a problem, and which of them are kinks.

    Attributes:
        first: the trained layer.
        samples: N.
        widths: units of the layers from the trained one to L+1.
        bends: for each of these layers a byte for each address, 1 where it is a kink, 0 where the two slopes are the
            same, so that nothing bends; None for a layer where all are kinks.
        units: of the trained layer as the instance has it.
        kept: which of these `widths[0]` counts, in order; the others are fixed, and no kinks.
    """

    first: int
    samples: int
    widths: tuple[int, ...]
    bends: tuple[bytes | None, ...]
    units: int
    kept: tuple[int, ...]

    @classmethod
    def all_kinks(cls, first: int, samples: int, widths: Sequence[int]) -> "Addresses":
        """Returns addresses all of which are kinks."""
        return cls(first, samples, tuple(widths), (None,) * len(widths), widths[0], tuple(range(widths[0])))

    def kink(self, depth: int, index: int) -> Kink:
        """Returns the address number `index` of the layer `depth` above the trained one."""
        return self.kink_of(depth, *divmod(index, self.widths[depth]))

    def kink_of(self, depth: int, sample: int, number: int) -> Kink:
        """Returns an address by the number of its unit among those of its layer that are not fixed."""
        return Kink(self.first + depth, sample, number if depth else self.kept[number])

    def numbers(self, kink: Kink) -> tuple[int, int, int]:
        """Returns the depth, the sample and the number of the unit of an address: what `kink_of` takes."""
        return kink.layer - self.first, kink.sample, self.unit(kink)

    def place(self, kink: Kink) -> tuple[int, int]:
        """Returns the depth and the number within its layer of an address."""
        depth = kink.layer - self.first
        return depth, kink.sample * self.widths[depth] + self.unit(kink)

    def unit(self, kink: Kink) -> int:
        """Returns the number of a kink's unit among those of its layer that are not fixed."""
        if kink.layer > self.first or len(self.kept) == self.units:
            return kink.unit
        return self.kept.index(kink.unit)

    def is_kink(self, depth: int, index: int) -> bool:
        """Returns whether the two slopes at an address differ."""
        bends = self.bends[depth]
        return bends is None or bool(bends[index])

    def holds(self, kink: Kink) -> bool:
        """Returns whether an address exists and is a kink."""
        depth = kink.layer - self.first
        is_inside = 0 <= depth < len(self.widths) and 0 <= kink.sample < self.samples
        if not is_inside or not (0 <= kink.unit < self.widths[depth] if depth else kink.unit in self.kept):
            return False
        return self.is_kink(*self.place(kink))

    def kinks_of(self, depth: int) -> Iterator[int]:
        """Yields the numbers of a layer's addresses that are kinks."""
        bends = self.bends[depth]
        if bends is None:
            yield from range(self.samples * self.widths[depth])
        else:
            yield from (index for index, bend in enumerate(bends) if bend)


class Pattern:
    """An activation pattern: on (1) or off (0) for every kink, on for addresses that are no kink.

    A pattern is mutable. Copy it before you keep it.

    Attributes:
        addresses: what the bits belong to.
        bits: for each layer from the trained one to L+1, a byte for each address in address order.
    """

    __slots__ = ("addresses", "bits")

    def __init__(self, addresses: Addresses, bits: Sequence[bytearray]) -> None:
        """Takes the bits as they are, without a copy.

        Args:
            addresses: what the bits belong to.
            bits: for each of its layers samples · width bytes, 0 or 1; 1 where the address is no kink.
        """
        self.addresses, self.bits = addresses, list(bits)

    @property
    def first(self) -> int:
        """Returns the trained layer."""
        return self.addresses.first

    @property
    def widths(self) -> tuple[int, ...]:
        """Returns the units of the layers from the trained one to L+1."""
        return self.addresses.widths

    @property
    def samples(self) -> int:
        """Returns N."""
        return self.addresses.samples

    def is_on(self, kink: Kink) -> bool:
        """Returns whether the kink's bit is 1: its preactivation or residual is ≥ 0 in the cell."""
        depth, index = self.addresses.place(kink)
        return bool(self.bits[depth][index])

    def flip(self, kink: Kink) -> None:
        """Inverts the kink's bit."""
        depth, index = self.addresses.place(kink)
        self.bits[depth][index] ^= 1

    def flip_all(self, kinks: Iterable[Kink]) -> None:
        """Inverts the bits of some kinks, one after another."""
        place, bits = self.addresses.place, self.bits
        for kink in kinks:
            depth, index = place(kink)
            bits[depth][index] ^= 1

    def unit_bits(self, depth: int, sample: int) -> bytearray:
        """Returns the bits of one sample in the layer `depth` above the trained one."""
        width = self.addresses.widths[depth]
        return self.bits[depth][sample * width : (sample + 1) * width]

    def copy(self) -> "Pattern":
        """Returns an independent copy."""
        return Pattern(self.addresses, [bytearray(bits) for bits in self.bits])

    def kink(self, depth: int, index: int) -> Kink:
        """Returns the address number `index` of the layer `depth` above the trained one."""
        return self.addresses.kink(depth, index)

    def __eq__(self, other: object) -> bool:
        """Returns whether all bits are the same."""
        return isinstance(other, Pattern) and self.bits == other.bits

    __hash__ = None  # type: ignore[assignment]

    def __iter__(self) -> Iterator[Kink]:
        """Yields every kink in address order."""
        for depth in range(len(self.bits)):
            for index in self.addresses.kinks_of(depth):
                yield self.kink(depth, index)

    def to_hex(self) -> list[str]:
        """Returns a string for each layer, as the certificate has it (proofs/FORMAT.md, section 4)."""
        texts = []
        for bits in self._written_bits():
            digits = -(-len(bits) // 4)
            value = int("".join(map(str, bits)).ljust(4 * digits, "0"), 2)
            texts.append(f"{value:0{digits}x}")
        return texts

    def _written_bits(self) -> list[bytearray]:
        addresses = self.addresses
        if addresses.units == addresses.widths[0]:
            return self.bits
        # fixed units are on
        layer = bytearray(b"\1" * addresses.samples * addresses.units)
        for place, unit in enumerate(addresses.kept):
            layer[unit :: addresses.units] = self.bits[0][place :: len(addresses.kept)]
        return [layer, *self.bits[1:]]

    @classmethod
    def from_hex(cls, addresses: Addresses, texts: Sequence[str]) -> "Pattern":
        """Returns the pattern that `to_hex` wrote.

        Raises:
            InputError: a string has the wrong length or filling bits that are not 0, there are too few or too many
                strings, or an address that is no kink is off.
        """
        first = addresses.first
        widths = (addresses.units, *addresses.widths[1:])
        if len(texts) != len(widths):
            raise InputError(f"pattern has {len(texts)} strings for {len(widths)} layers")
        layers = []
        for depth, (text, width) in enumerate(zip(texts, widths, strict=True)):
            count = addresses.samples * width
            if len(text) != -(-count // 4) or not set(text) <= set("0123456789abcdef"):
                raise InputError(f"pattern of layer {first + depth} is not {-(-count // 4)} hexadecimal digits")
            digits = f"{int(text, 16):0{4 * len(text)}b}"
            if "1" in digits[count:]:
                raise InputError(f"pattern of layer {first + depth} has filling bits that are not 0")
            bits = bytearray(map(int, digits[:count]))
            bends = addresses.bends[depth]
            if width != addresses.widths[depth]:
                fixed = [unit for unit in range(width) if unit not in addresses.kept]
                if not all(all(bits[unit::width]) for unit in fixed):
                    raise InputError(f"pattern of layer {first + depth} has an address off that is no kink")
                bits = bytearray(bits[s * width + unit] for s in range(addresses.samples) for unit in addresses.kept)
            if bends is not None and not all(on or bend for on, bend in zip(bits, bends, strict=True)):
                raise InputError(f"pattern of layer {first + depth} has an address off that is no kink")
            layers.append(bits)
        return cls(addresses, layers)
