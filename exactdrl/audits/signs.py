"""The signs of all kinks at a point as two long integers, so that comparing two points takes a few operations."""

from collections.abc import Iterator
from dataclasses import dataclass

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.cells.scan import Values

_TO_BITS = bytes.maketrans(b"01", b"\0\1")


@dataclass(frozen=True, slots=True)
class Signs:
    """Which kinks are positive and which negative at a point; the others vanish there.

    Attributes:
        positive: a bit for each kink in address order, the first kink's bit most significant, 1 where the kink is
            positive.
        negative: the same bits, 1 where the kink is negative.
        count: how many kinks there are.
    """

    positive: int
    negative: int
    count: int

    @property
    def zero(self) -> int:
        """Returns the bits of the kinks that vanish."""
        return ((1 << self.count) - 1) ^ self.positive ^ self.negative

    def opposite(self, other: "Signs") -> int:
        """Returns the bits of the kinks that are positive at one of two points and negative at the other."""
        return (self.positive & other.negative) | (self.negative & other.positive)


def signs_of(problem: IntegerProblem, values: Values) -> Signs:
    """Returns the signs of all kinks' values; addresses without a kink count as positive."""
    texts = ["".join(["1" if v > 0 else "0" for v in layer]) for layer in values]
    opposites = ["".join(["1" if v < 0 else "0" for v in layer]) for layer in values]
    for depth, bends in enumerate(problem.addresses.bends):
        if bends is not None:
            texts[depth] = "".join(t if bend else "1" for t, bend in zip(texts[depth], bends, strict=True))
            opposites[depth] = "".join(t if bend else "0" for t, bend in zip(opposites[depth], bends, strict=True))
    return Signs(int("".join(texts), 2), int("".join(opposites), 2), sum(map(len, values)))


def pattern_from_bits(problem: IntegerProblem, bits: int) -> Pattern:
    """Returns the pattern whose kinks are on where a bit is 1."""
    sizes = [problem.samples * width for width in problem.widths]
    text = f"{bits:0{sum(sizes)}b}".encode("ascii").translate(_TO_BITS)
    layers, place = [], 0
    for size in sizes:
        layers.append(bytearray(text[place : place + size]))
        place += size
    return Pattern(problem.addresses, layers)


def bits_of(pattern: Pattern) -> int:
    """Returns the bits of the kinks that are on."""
    return int("".join("".join(map(str, layer)) for layer in pattern.bits), 2)


def kinks_of(pattern: Pattern, bits: int) -> Iterator[Kink]:
    """Yields the kinks whose bit is 1, in address order; the pattern gives the layers' sizes."""
    sizes = [len(layer) for layer in pattern.bits]
    count = sum(sizes)
    depth, begin = 0, 0
    while bits:
        index = count - bits.bit_length()
        while index - begin >= sizes[depth]:
            begin += sizes[depth]
            depth += 1
        yield pattern.kink(depth, index - begin)
        bits ^= 1 << (count - 1 - index)
