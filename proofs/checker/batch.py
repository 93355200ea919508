"""The signs of many preactivations at once. The numbers of some samples stand side by side in one long integer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from . import exact
from .exact import dot

Matrix = list[list[int]]
Pattern = list[list[bytearray]]  # for each depth, unit, sample 1 for on and 0 for off
GRID, KEPT = 2**32, 256


class Batch:
    """Consecutive samples, each with a slot of `size` bytes in every long integer.

    A long integer is the sum of its slots' numbers times powers of 256^size, so that its multiples are those of all
    slots. Numbers are under half a slot in size: with `half` added to each of them no slot is negative or reaches into
    the next one, and a slot's highest bit is set if its number is not negative.

    A cell's functions are found at parameters on a grid, GRID times. Behind each depth the lowest bits are dropped, as
    they say no more. No number is off by more than its margin, if no parameter is by more than 1: a layer of weights
    multiplies sizes by its largest row sum of sizes at most, an activation by its largest slope, and what is rounded
    down is off by 1.
    """

    def __init__(self, problem: Any, samples: list[int]) -> None:
        part = slice(samples[0], samples[-1] + 1)
        self.part, self.samples, self.size, self.layers = part, samples, 0, problem.layers
        self.points, self.pairs = problem.points[part], [[column[part] for column in rows] for rows in problem.slopes]
        self.shifts = [[[GRID * number for number in column[part]] for column in problem.shifts[0]]]
        self.margins, self.drops, self.growths, dropped = [[sum(map(abs, x)) for x in self.points]], list[int](), [1], 0
        for rows, columns, pairs in zip(self.layers[1:], problem.shifts[1:], self.pairs):
            self.drops.append(max(min(self.margins[-1]).bit_length() - 8, 0))
            dropped += self.drops[-1]
            self.shifts.append([[GRID * number >> dropped for number in column[part]] for column in columns])
            steepest = max(abs(slope) for pair in pairs for slope in pair[0])
            self.growths.append(steepest * max(sum(map(abs, row)) for row in rows))
            self.margins.append([self.growths[-1] * ((m >> self.drops[-1]) + 2) + 1 for m in self.margins[-1]])
        self.drops.append(0)

    def fit(self, peak: int) -> None:
        """Makes slots for the numbers at parameters of up to this size."""
        bound, most = max(self.margins[0]) * peak, 0
        for growth, columns, margins, drop in zip(self.growths, self.shifts, self.margins, self.drops):
            bound = growth * bound + max(max(map(abs, column)) for column in columns)
            most, bound = max(most, bound + max(margins) + 2), (bound >> drop) + 1
        size = 4 * (most.bit_length() // 32 + 1)
        if size != self.size:
            self.size, self.masks = size, dict[tuple[int, int], tuple[bytearray, int, int]]()
            self.half = self.fill(256**size // 2)
            self.inputs = [self.pack(column) for column in zip(*self.points)]
            self.bases = [[self.pack(column) + self.half for column in columns] for columns in self.shifts]
            self.least = [self.pack([margin + 1 for margin in margins]) for margins in self.margins]
            bent = [[bytes(below != above for below, above in column) for column in columns] for columns in self.pairs]
            self.kinks = [[self.half & self.spread(bits) for bits in columns] for columns in bent]
            self.keeps = [self.fill((256**size - 1) >> drop) for drop in self.drops]

    def fill(self, number: int) -> int:
        """Returns the long integer with one number, which is not negative, everywhere."""
        return int.from_bytes(number.to_bytes(self.size, "little") * len(self.samples), "little")

    def pack(self, column: Sequence[int]) -> Any:
        """Returns the long integer with these numbers."""
        half = 256**self.size // 2
        data = b"".join((int(number) + half).to_bytes(self.size, "little") for number in column)
        return exact.INTEGER(int.from_bytes(data, "little") - self.half)

    def spread(self, bits: bytes | bytearray) -> int:
        """Returns the long integer whose slots have all bits set or none."""
        return int.from_bytes(bits.replace(b"\0", bytes(self.size)).replace(b"\1", b"\xff" * self.size), "little")

    def find_mask(self, depth: int, unit: int, bits: bytearray) -> tuple[int, int]:
        """Returns what cuts out the samples that a unit is on for, and what `half` becomes in their slots."""
        known = self.masks.get((depth, unit))
        if known is None or known[0] != bits:
            mask = self.spread(bits)
            known = self.masks[depth, unit] = bits, mask, mask & self.half >> self.drops[depth]
        return known[1:]

    def find_open(self, pattern: Pattern, theta: Matrix, *, is_ray: bool = False) -> Iterator[tuple[int, int, int]]:
        """Yields depth, sample and unit of kinks that may be negative where on, or positive where off, or vanish.

        All other kinks are positive where on and negative where off, in the cell's functions at all parameters with
        GRID times them next to theta; or along a ray, next to theta, where nothing is added to sums.
        """
        self.fit(max(abs(entry) for row in theta for entry in row))
        active = self.inputs
        for depth, (layer, bases) in enumerate(zip([theta, *self.layers[1:]], self.bases)):
            numbers, active, drop = active, list[Any](), self.drops[depth]
            for unit, (row, base, pairs) in enumerate(zip(layer, bases, self.pairs[depth])):
                value, (below, above) = dot(row, numbers) + (self.half if is_ray else base), pairs[0]
                mask, halves = self.find_mask(depth, unit, pattern[depth][unit][self.part])
                # on: half - 1 - value, off: half + value; so the highest bit is set where value · ±1 <= margin
                low = (value ^ mask) + self.least[depth] & self.kinks[depth][unit]
                while low:
                    slot = (low.bit_length() - 1) // (8 * self.size)
                    low ^= 1 << 8 * self.size * (slot + 1) - 1
                    yield depth, self.samples[slot], unit
                value = value >> drop & self.keeps[depth]
                on = (value & mask) - halves
                if (below, above) != (0, 1):
                    on = below * (value - (self.half >> drop)) + (above - below) * on
                active.append(on)
        if self.size > KEPT:  # or the long integers of all batches stay in memory
            self.size, self.inputs, self.bases, self.least, self.kinks, self.keeps = 0, [], [], [], [], []
            self.masks.clear()
