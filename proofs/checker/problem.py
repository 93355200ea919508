"""What an instance says of kinks, cells and the loss (section 3), in integers."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import lcm
from operator import add
from typing import Any

from .exact import ONE, ZERO, dot, echelon, to_integers
from .instance import Instance, push
from .reading import ANY, SOME, Line, demand, numeral, parse, rational, require

GRID = 2**53

Kink = tuple[int, int, int]  # layer, sample, unit
Table = list[list[list[int]]]  # an integer for each depth, unit, sample; of a pattern 1 for on and -1 for off
Function = list[int]  # [a_1, ..., a_n, c] stands for a · (E times the parameters) + c, see find_function
Point = tuple[list[list[int]], int]  # (t, den): the parameters t / den, of shape (n_ℓ, m)


class Problem:
    """An instance (section 3), scaled to integers. Layers are counted by depth here: 0 is the trained layer."""

    def __init__(self, instance: Instance) -> None:
        first, weights, targets = instance.trained, instance.weights, instance.targets
        biases = [bias or [ZERO] * len(weight) for weight, bias in zip(weights, instance.biases)]
        inputs = push(instance, first - 1)
        if instance.biases[first - 1] is not None:
            inputs = [[*x, ONE] for x in inputs]
        widths = [len(weight) for weight in weights]
        self.digest = instance.digest
        self.start, self.den = to_integers(instance.start)  # E times the start, E
        self.inputs, self.pivots = inputs, list(echelon(inputs))  # x̃_i, P
        self.free = [(j, k) for j in range(len(self.start)) for k in self.pivots]  # the n parameters that remain
        self.weights = [[], *weights[first:], [[ONE] * widths[-1]]]
        self.widths = widths[first - 1 :]
        self.first, self.last, self.samples = first, len(self.widths) - 1, range(len(inputs))
        # s_d is a common denominator of depth d, D_i one of x̃_i and y_i. With S_d = s_1 ... s_d the weight is held s_d
        # times, and a preactivation of sample i at depth d is computed S_d D_i times, so what is added there (the bias,
        # minus the target at the last depth) is held that many times.
        scaled, scales = zip(*(to_integers([x, y]) for x, y in zip(inputs, targets)))
        self.points, goals = zip(*scaled)
        self.layers: Table = [[]]
        self.shifts: Table = [[[0] * len(inputs)] * self.widths[0]]
        # If no parameter changes by more than 1 / den, nothing that `evaluate` returns changes by more than its margin:
        # a layer of weights multiplies by its largest row sum of sizes at most, a ReLU by 1.
        self.margins = [[sum(map(abs, x)) for x in self.points]]
        total = 1  # S_d
        for weight, bias in zip(weights[first:], biases[first:]):
            (*rows, offset), scale = to_integers([*weight, bias])
            self.layers.append(rows)
            growth = max(sum(map(abs, row)) for row in rows)
            self.margins.append([growth * margin for margin in self.margins[-1]])
            self.shifts.append([[b * total * scale for scale in scales] for b in offset])
            total *= scale
        self.shifts[-1] = [[b - total * y for b, y in zip(*both)] for both in zip(self.shifts[-1], zip(*goals))]
        common = lcm(*scales)
        self.factors = [common // scale for scale in scales]
        self.unit = common * total * self.den  # what the loss in a cell is multiplied by

    def parse_kink(self, value: Any, place: str) -> Kink:
        """Returns a kink (section 3)."""
        layer, sample, unit = parse(value, [ANY, [3]], f"{place}: kink")
        is_one = sample in self.samples and layer - self.first in range(len(self.widths))
        demand(is_one and unit < self.widths[layer - self.first], f"{place}: kink: out of range")
        return layer, sample, unit

    def parse_pattern(self, value: Any, place: str) -> Table:
        """Returns a pattern (section 4, line 2)."""
        pattern: Table = []
        for width, text in zip(self.widths, parse(value, ["[0-9a-f]+", [len(self.widths)]], place)):
            count = width * len(self.points)
            demand(len(text) == -(-count // 4), f"{place}: not {-(-count // 4)} digits for a layer")
            bits = f"{int(text, 16):0{4 * len(text)}b}"
            demand("1" not in bits[count:], f"{place}: not filled up with zero bits")
            pattern.append([[1 if bit == "1" else -1 for bit in bits[u:count:width]] for u in range(width)])
        return pattern

    def parse_settled(self, value: Any, place: str) -> dict[Kink, Fraction]:
        """Returns the settled kinks with their multipliers (section 4, line 4)."""
        pairs = parse(value, [[lambda entry, _: entry, [2]], ANY], place)
        kinks = [self.parse_kink(kink, place) for kink, _ in pairs]
        demand(kinks == sorted(set(kinks)), f"{place}: not in address order, each once")
        return {kink: rational(number, place) for kink, (_, number) in zip(kinks, pairs)}

    def parse_block(self, value: Any, place: str) -> Line:
        """Returns a block (section 4, line 4); the multipliers stay text."""
        leaf = {"signs": "[+.-]*", "empty": {True, False}, "multipliers": [numeral, ANY]}
        leaf["covers?"] = [{"kink": self.parse_kink, "shares": [numeral, ANY]}, ANY]
        units, kinks = [range(self.widths[0]), SOME], [self.parse_kink, ANY]
        block: Line = parse(value, {"units": units, "kinks": kinks, "leaves": [leaf, SOME]}, place)
        for key in ("units", "kinks"):
            demand(block[key] == sorted(set(block[key])), f"{place}: {key}: not in order, each once")
        for leaf in block["leaves"]:
            own, covers = block["kinks"], leaf.setdefault("covers", [])
            lists = [leaf["signs"], leaf["multipliers"], *(cover["shares"] for cover in covers)]
            is_fit = {*map(len, lists)} == {len(own)} and all(cover["kink"] in own for cover in covers)
            demand(is_fit, f"{place}: leaves: signs, multipliers or covers do not fit the kinks")
        return block

    def evaluate(self, theta: list[list[int]], den: int, samples: Sequence[int]) -> Table:
        """Returns some samples' preactivations, the last ones as residuals, S_d D_i den times, without a pattern."""
        inputs = list(zip(*(self.points[sample] for sample in samples)))
        values: Table = []
        for weight, shifts in zip([theta, *self.layers[1:]], self.shifts):
            active = [[max(value, 0) for value in column] for column in values[-1]] if values else inputs
            values.append([])
            for row, shift in zip(weight, shifts):
                total = [shift[sample] * den for sample in samples]
                for factor, column in zip(row, active):
                    total = [known + factor * entry for known, entry in zip(total, column)]
                values[-1].append(total)
        return values

    def find_zeros(self, pattern: Table, point: Point, place: str) -> set[Kink]:
        """Checks that a point lies in the cell, and returns the kinks that vanish there (section 3)."""
        # The network is evaluated close by, where numbers are short, and at the point only where signs are still open.
        # Up to the first kink that breaks the pattern its values are those of the affine functions.
        theta, den = point
        close = [[GRID * entry // den for entry in row] for row in theta]
        doubtful = []
        for depth, columns in enumerate(self.evaluate(close, GRID, self.samples)):
            for unit, column in enumerate(columns):
                tests = zip(self.samples, column, pattern[depth][unit], self.margins[depth])
                doubtful += [(depth, unit, sample) for sample, value, bit, margin in tests if value * bit <= margin]
        samples = sorted({sample for _, _, sample in doubtful})
        values, zeros = self.evaluate(*point, samples), set()
        for depth, unit, sample in doubtful:
            kink, value = (self.first + depth, sample, unit), values[depth][unit][bisect_left(samples, sample)]
            require(value * pattern[depth][unit][sample] >= 0, f"{place} is outside the cell, at kink {kink}")
            zeros |= set() if value else {kink}
        return zeros

    def find_function(self, pattern: Table, sample: int, depth: int, v: list[int]) -> Function:
        """Returns v · (preactivations or residuals at a depth), S_d D_i E times, as an affine function in the cell."""
        x, constant = self.points[sample], 0
        for d in range(depth, -1, -1):
            constant += self.den * dot(v, [shift[sample] for shift in self.shifts[d]])
            if d > 0:
                columns = zip(zip(*self.layers[d]), pattern[d - 1])
                v = [dot(column, v) if bits[sample] > 0 else 0 for column, bits in columns]
        for k in set(range(len(x))).difference(self.pivots):  # parameters that are fixed (section 3)
            constant += x[k] * sum(v_j * row[k] for v_j, row in zip(v, self.start))
        return [*(v[j] * x[k] for j, k in self.free), constant]

    def locate(self, kink: Kink) -> tuple[int, int, list[int]]:
        """Returns a kink as a sample, a depth and the combination there that is it alone."""
        depth = kink[0] - self.first
        return kink[1], depth, [int(unit == kink[2]) for unit in range(self.widths[depth])]

    def find_loss(self, pattern: Table, samples: Iterable[int]) -> Function:
        """Returns what some samples add to the loss in the cell, `unit` times."""
        total = [0] * (len(self.free) + 1)
        for sample in samples:
            signs = [self.factors[sample] * column[sample] for column in pattern[-1]]
            total = list(map(add, total, self.find_function(pattern, sample, self.last, signs)))
        return total

    def flip(self, pattern: Table, kinks: Iterable[Kink]) -> None:
        """Inverts the bits of some kinks."""
        for layer, sample, unit in kinks:
            pattern[layer - self.first][unit][sample] *= -1
