"""What an instance says of kinks, cells and the loss (section 3), in integers."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import compress
from math import lcm
from operator import add, mul
from typing import Any

from .exact import ONE, ZERO, dot, echelon, to_integers
from .instance import Instance, push
from .reading import ANY, SOME, Line, demand, numeral, parse, require

GRID, ADDRESS_CAP = 2**53, 2**24

Kink = tuple[int, int, int]  # layer, sample, unit
Table = list[list[list[int]]]  # an integer for each depth, unit, sample; of a pattern 1 for on and -1 for off
Function = list[int]  # [a_1, ..., a_n, c] stands for a · (E times the parameters) + c, see find_function
Slopes = list[int]  # below 0 and above
Matrix = list[list[int]]
Echelon = dict[int, list[Fraction]]  # rows of a reduced echelon form by their pivots
Values = tuple[Table, Matrix]
Point = tuple[Matrix, int]  # (t, den): the parameters t / den, of shape (n_ℓ, m)


class Problem:
    """An instance (section 3), scaled to integers. Layers are counted by depth here: 0 is the trained layer."""

    def __init__(self, instance: Instance) -> None:
        demand(instance.trained > 0, "instance: free: the certificate of a walk is about one layer")
        demand(instance.slopes is not None, "instance: loss: the certificate of a walk is not about the squared loss")
        first, weights, targets = instance.trained, instance.weights, instance.targets
        biases = [bias or [ZERO] * len(weight) for weight, bias in zip(weights, instance.biases)]
        inputs = push(instance, first - 1)
        if instance.biases[first - 1] is not None:
            inputs = [[*x, ONE] for x in inputs]
        count = len(inputs) * sum(map(len, weights[first - 1 :]))
        demand(count <= ADDRESS_CAP, f"instance: {count} addresses, over {ADDRESS_CAP}")
        self.digest, self.samples, self.inputs = instance.digest, range(len(inputs)), inputs  # x̃_i
        self.first, self.last = first, len(weights) - first
        self.weights = [[], *weights[first:], [[ONE] * len(weights[-1])]]
        self.widths = [len(weight) for weight in weights[first - 1 :]]
        # The slopes below and above 0, for each depth, unit, sample: of the activations, at the last depth of the loss.
        hidden, loss = instance.activations[first - 1 : -1], instance.slopes or []
        self.pairs = [[[pair] * len(inputs) for pair in pairs] for pairs in hidden] + [[[*x] for x in zip(*loss)]]
        self.start, self.den = to_integers(instance.start)  # E times the start, E
        self.units, self.pivots = self.find_reach()
        everything = [(j, k) for j, row in enumerate(self.start) for k in range(len(row))]
        self.free = [(j, k) for j, k in everything if j in self.units and k in self.pivots]  # the n that remain
        self.fixed = [(j, k) for j, k in everything if j not in self.units or k not in self.pivots]
        # s_d is a common denominator of depth d, q_d one of its slopes, D_i one of x̃_i and y_i. The weight is held s_d
        # times, a slope q_d times. With S_d = q_0 s_1 ... q_(d-1) s_d a preactivation of sample i at depth d is found
        # S_d D_i times, so what is added there (the bias, minus the target at the last depth) is held that many times.
        scaled, scales = zip(*(to_integers([x, y]) for x, y in zip(inputs, targets)))
        self.points, goals = zip(*scaled)
        self.layers: Table = [[]]
        self.shifts: Table = [[[0] * len(inputs)] * self.widths[0]]
        self.slopes: list[list[list[Slopes]]] = []  # pairs, q_d times
        # If no parameter changes by more than 1 / den, nothing that `evaluate` returns changes by more than its margin:
        # a layer of weights multiplies by its largest row sum of sizes at most, an activation by its largest slope.
        self.margins = [[sum(map(abs, x)) for x in self.points]]
        total = 1  # S_d
        for weight, bias, pairs in zip(weights[first:], biases[first:], hidden):
            (*rows, offset), scale = to_integers([*weight, bias])
            slopes, steps = to_integers(pairs)
            self.slopes.append([[pair] * len(inputs) for pair in slopes])
            self.layers.append(rows)
            steepest = max(abs(slope) for pair in slopes for slope in pair)
            growth = max(sum(map(abs, row)) for row in rows)
            self.margins.append([steepest * growth * margin for margin in self.margins[-1]])
            total *= steps * scale
            self.shifts.append([[b * (total // scale) * factor for factor in scales] for b in offset])
        self.shifts[-1] = [[b - total * y for b, y in zip(*both)] for both in zip(self.shifts[-1], zip(*goals))]
        slopes, steps = to_integers([pair for row in loss for pair in row])
        self.slopes.append([slopes[unit :: self.widths[-1]] for unit in range(self.widths[-1])])
        common = lcm(*scales)
        self.factors = [common // scale for scale in scales]
        self.unit = common * total * steps * self.den  # what the loss in a cell is multiplied by

    def find_reach(self) -> tuple[Echelon, Echelon]:
        """Returns the spaces of what kinks see of layer ℓ's units and of x̃, with the pivots U and P (section 3)."""
        known: Echelon = {}
        form = [[Fraction(i == j) for j in range(self.widths[0])] for i in range(self.widths[0])]
        for pairs, weight in zip(self.pairs[:-1], self.weights[1:]):  # form: this depth, by layer ℓ's preactivations
            known = echelon([*known.values(), *(row for row, ((x, y), *_) in zip(form, pairs) if x != y)])
            if len(known) == len(form[0]):
                break  # deeper kinks see no more
            active = [[pair[0][1] * entry for entry in row] for row, pair in zip(form, pairs)]
            form = [[sum(map(mul, row, column), ZERO) for column in zip(*active)] for row in weight]
        bent = [tuple(column[sample][0] != column[sample][1] for column in self.pairs[-1]) for sample in self.samples]
        spaces = {bits: echelon([*known.values(), *compress(form, bits)]) for bits in set(bent)}
        found = [space for space in spaces.values() if space] or [{}]
        demand(all(space == found[0] for space in found), "instance: the samples' kinks see different spaces of units")
        return found[0], echelon(x for x, bits in zip(self.inputs, bent) if spaces[bits])

    def is_kink(self, depth: int, unit: int, sample: int) -> bool:
        """Returns whether anything bends at an address (section 3)."""
        below, above = self.slopes[depth][unit][sample]
        return bool(below != above)

    def parse_kink(self, value: Any, place: str) -> Kink:
        """Returns a kink (section 3)."""
        layer, sample, unit = parse(value, [ANY, [3]], f"{place}: kink")
        is_one = sample in self.samples and layer - self.first in range(len(self.widths))
        demand(is_one and unit < self.widths[layer - self.first], f"{place}: kink: out of range")
        demand(self.is_kink(layer - self.first, unit, sample), f"{place}: kink: nothing bends there")
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
        for columns, slopes in zip(pattern, self.slopes):
            pairs = (pair for column in zip(columns, slopes) for pair in zip(*column))
            is_fit = all(bit > 0 or below != above for bit, (below, above) in pairs)
            demand(is_fit, f"{place}: what is no kink is off")
        return pattern

    def parse_settled(self, value: Any, place: str) -> dict[Kink, Any]:
        """Returns the settled kinks with their multipliers, which stay text (section 4, line 4)."""
        pairs = parse(value, [[lambda entry, _: entry, [2]], ANY], place)
        kinks = [self.parse_kink(kink, place) for kink, _ in pairs]
        demand(kinks == sorted(set(kinks)), f"{place}: not in address order, each once")
        return {kink: numeral(number, place) for kink, (_, number) in zip(kinks, pairs)}

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

    def evaluate(self, theta: Matrix, den: int, samples: Sequence[int], pattern: Table | None = None) -> Values:
        """Returns some samples' preactivations, the last ones as residuals, S_d D_i den times, and the loss's entries.

        Without a pattern they are those of the network itself, with one those of the affine functions in the cell.
        """
        active: Sequence[Sequence[int]] = list(zip(*(self.points[sample] for sample in samples)))
        values: Table = []
        for weight, shifts, slopes in zip([theta, *self.layers[1:]], self.shifts, self.slopes):
            values.append([])
            for row, shift in zip(weight, shifts):
                total = [shift[sample] * den for sample in samples]
                for factor, column in zip(row, active):
                    total = [known + factor * entry for known, entry in zip(total, column)]
                values[-1].append(total)
            signs = pattern[len(values) - 1] if pattern else values[-1]
            parts = zip(values[-1], signs, ([pairs[sample] for sample in samples] for pairs in slopes))
            active = [[t * pair[sign > 0] for t, sign, pair in zip(*part)] for part in parts]
        return values, [list(column) for column in active]

    def find_zeros(self, pattern: Table, point: Point, place: str) -> set[Kink]:
        """Checks that a point lies in the cell, and returns the kinks that vanish there (section 3)."""
        # The network is evaluated close by, where numbers are short, and at the point only where signs are still open.
        # Up to the first kink that breaks the pattern its values are those of the affine functions.
        theta, den = point
        close = [[GRID * entry // den for entry in row] for row in theta]
        doubtful = []
        for depth, columns in enumerate(self.evaluate(close, GRID, self.samples)[0]):
            for unit, column in enumerate(columns):
                tests = zip(self.samples, column, pattern[depth][unit], self.margins[depth])
                near = [sample for sample, value, bit, margin in tests if value * bit <= margin]
                doubtful += [(depth, unit, sample) for sample in near if self.is_kink(depth, unit, sample)]
        samples = sorted({sample for _, _, sample in doubtful})
        values, zeros = self.evaluate(*point, samples)[0], set()
        for depth, unit, sample in doubtful:
            kink, value = (self.first + depth, sample, unit), values[depth][unit][bisect_left(samples, sample)]
            require(value * pattern[depth][unit][sample] >= 0, f"{place} is outside the cell, at kink {kink}")
            zeros |= set() if value else {kink}
        return zeros

    def find_weights(self, pattern: Table, sample: int, depth: int, v: list[int]) -> tuple[list[int], int]:
        """Returns v · (preactivations or residuals at a depth) in the cell, by those of layer ℓ, and a constant."""
        constant = 0
        for d in range(depth, -1, -1):
            constant += self.den * dot(v, [shift[sample] for shift in self.shifts[d]])
            if d > 0:
                slopes = [pairs[sample][bits[sample] > 0] for pairs, bits in zip(self.slopes[d - 1], pattern[d - 1])]
                v = [dot(column, v) * slope if slope else 0 for column, slope in zip(zip(*self.layers[d]), slopes)]
        return v, constant

    def find_function(self, pattern: Table, sample: int, depth: int, v: list[int]) -> Function:
        """Returns v · (preactivations or residuals at a depth), S_d D_i E times, as an affine function in the cell."""
        x, (v, constant) = self.points[sample], self.find_weights(pattern, sample, depth, v)
        constant += sum(v[j] * x[k] * self.start[j][k] for j, k in self.fixed)
        return [*(v[j] * x[k] for j, k in self.free), constant]

    def locate(self, kink: Kink) -> tuple[int, int, list[int]]:
        """Returns a kink as a sample, a depth and the combination there that is it alone."""
        depth = kink[0] - self.first
        return kink[1], depth, [int(unit == kink[2]) for unit in range(self.widths[depth])]

    def find_signs(self, pattern: Table, sample: int) -> list[int]:
        """Returns what a sample's residuals are multiplied by in the loss, in the cell."""
        columns = zip(pattern[-1], self.slopes[-1])
        return [self.factors[sample] * pairs[sample][bits[sample] > 0] for bits, pairs in columns]

    def find_loss(self, pattern: Table, samples: Iterable[int]) -> Function:
        """Returns what some samples add to the loss in the cell, `unit` times."""
        total = [0] * (len(self.free) + 1)
        for sample in samples:
            function = self.find_function(pattern, sample, self.last, self.find_signs(pattern, sample))
            total = list(map(add, total, function))
        return total

    def is_flat(self, pattern: Table) -> bool:
        """Returns whether the loss is constant along every direction that changes no kink (section 3)."""
        # The gradient G, of the shape of the start, is then a sum of products of vectors in V and of the rows' space of
        # x̃. Both have a basis that is the identity in the pivots, so that G is known from its entries there.
        total = [[0] * len(row) for row in self.start]
        for sample in self.samples if self.fixed else ():
            v, _ = self.find_weights(pattern, sample, self.last, self.find_signs(pattern, sample))
            total = [[g + share * x for g, x in zip(row, self.points[sample])] for row, share in zip(total, v)]
        for j, k in self.fixed:
            seen = [(row[j], total[a]) for a, row in self.units.items() if row[j]]
            if total[j][k] != sum(share * row[b] * x[k] for share, row in seen for b, x in self.pivots.items() if x[k]):
                return False
        return True

    def flip(self, pattern: Table, kinks: Iterable[Kink]) -> None:
        """Inverts the bits of some kinks."""
        for layer, sample, unit in kinks:
            pattern[layer - self.first][unit][sample] *= -1
