"""What an instance says of kinks, cells and the loss (section 3), in integers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import compress, groupby
from math import lcm
from typing import Any

from .exact import Rows, dot, echelon, to_integers
from .batch import GRID, Batch, Matrix, Pattern
from .form import Kink, LocalForm, find_bends, parse_kink
from .instance import Instance, forward
from .reading import demand, parse, require

ADDRESS_CAP, BATCH = 2**24, 512

Function = list[int]  # [a_1, ..., a_n, c] stands for a · (E times the parameters) + c, see find_function
Term = tuple[int, int, Sequence[int]]  # a sample, a depth, and factors for its units
Echelon = dict[int, list[Fraction]]  # rows of a reduced echelon form by their pivots
Point = tuple[Matrix, int]  # (t, den): the parameters t / den, of shape (n_ℓ, m)


class Problem:
    """An instance (section 3), scaled to integers. Layers are counted by depth here: 0 is the trained layer."""

    def __init__(self, instance: Instance) -> None:
        demand(instance.trained > 0, "instance: free: the certificate of a walk is about one layer")
        demand(instance.slopes is not None, "instance: loss: the certificate of a walk is not about the squared loss")
        self.instance, self.first, targets = instance, instance.trained, instance.targets
        own, *behind = instance.layers[self.first - 1 :]
        self.inputs: Rows = forward(instance, instance.layers[: self.first - 1])[0][-1]  # x̃_i
        self.samples, self.widths, self.last = range(len(targets)), [*map(len, [own, *behind])], len(behind)
        count = len(targets) * sum(self.widths)
        demand(count <= ADDRESS_CAP, f"instance: {count} addresses, over {ADDRESS_CAP}")
        self.hidden, self.loss = instance.activations[self.first - 1 : -1], instance.slopes or []
        self.start, self.den = to_integers(own)  # E times the start, E
        self.units, self.pivots = self.find_reach()
        everything = [(j, k) for j, row in enumerate(self.start) for k in range(len(row))]
        self.free = [(j, k) for j, k in everything if j in self.units and k in self.pivots]  # the n that remain
        self.fixed = [(j, k) for j, k in everything if j not in self.units or k not in self.pivots]
        # s_d is a common denominator of depth d, q_d one of its slopes, D_i one of x̃_i and y_i. The weight is held s_d
        # times, a slope q_d times. With S_d = q_0 s_1 ... q_(d-1) s_d a preactivation of sample i at depth d is found
        # S_d D_i times, so what is added there (the bias, minus the target at the last depth) is held that many times.
        scaled, scales = zip(*(to_integers([x, y]) for x, y in zip(self.inputs, targets)))
        self.points, goals = zip(*scaled)
        self.layers: list[Matrix] = [[]]
        self.shifts: list[Matrix] = [[[0] * len(targets)] * self.widths[0]]
        self.slopes: list[list[Any]] = []  # below and above 0, q_d times, by depth, unit, sample; at last of the loss
        total = 1  # S_d
        for layer, biased, pairs in zip(behind, instance.biased[self.first :], self.hidden):
            rows, scale = to_integers(layer)
            slopes, steps = to_integers(pairs)
            self.slopes.append([[pair] * len(targets) for pair in slopes])
            self.layers.append([row[: len(row) - biased] for row in rows])
            total *= steps * scale
            self.shifts.append([[biased * row[-1] * (total // scale) * factor for factor in scales] for row in rows])
        self.shifts[-1] = [[b - total * y for b, y in zip(*both)] for both in zip(self.shifts[-1], zip(*goals))]
        slopes, steps = to_integers([pair for row in self.loss for pair in row])
        self.slopes.append([slopes[unit :: self.widths[-1]] for unit in range(self.widths[-1])])
        common = lcm(*scales)
        self.factors = [common // scale for scale in scales]
        self.unit = common * total * steps * self.den  # what the loss in a cell is multiplied by
        # samples of one batch have slots of one size, so that none may need much more room than the others
        sizes = [(max(scale, *map(abs, x)).bit_length() // 256).bit_length() for scale, x in zip(scales, self.points)]
        runs = groupby(self.samples, key=lambda sample: (sample // BATCH, sizes[sample]))
        self.batches = [Batch(self, [*run]) for _, run in runs]

    def find_reach(self) -> tuple[Echelon, Echelon]:
        """Returns the spaces of what kinks see of layer ℓ's units and of x̃, with the pivots U and P (section 3)."""
        known: Echelon = {}
        form = [[Fraction(i == j) for j in range(self.widths[0])] for i in range(self.widths[0])]
        weights = self.instance.layers[self.first :]
        for pairs, weight in zip(self.hidden, weights):  # form: this depth, by layer ℓ's preactivations
            known = echelon([*known.values(), *(row for row, (x, y) in zip(form, pairs) if x != y)])
            if len(known) == len(form[0]):
                break  # deeper kinks see no more
            active = [[above * entry for entry in row] for row, (_, above) in zip(form, pairs)]
            form = [[dot(row, column) for column in zip(*active)] for row in weight]
        bent = [tuple(below != above for below, above in row) for row in self.loss]
        spaces = {bits: echelon([*known.values(), *compress(form, bits)]) for bits in set(bent)}
        found = [space for space in spaces.values() if space] or [{}]
        demand(all(space == found[0] for space in found), "instance: the samples' kinks see different spaces of units")
        return found[0], echelon(x for x, bits in zip(self.inputs, bent) if spaces[bits])

    def parse_kink(self, value: Any, place: str) -> Kink:
        """Returns a kink (section 3)."""
        layer, sample, unit = kink = parse_kink(value, place, self.first, self.widths, len(self.samples))
        below, above = self.slopes[layer - self.first][unit][sample]
        demand(below != above, f"{place}: kink: nothing bends there")
        return kink

    def parse_pattern(self, value: Any, place: str) -> Pattern:
        """Returns a pattern (section 4, line 2)."""
        pattern: Pattern = []
        for width, text in zip(self.widths, parse(value, ["[0-9a-f]+", [len(self.widths)]], place)):
            count = width * len(self.points)
            demand(len(text) == -(-count // 4), f"{place}: not {-(-count // 4)} digits for a layer")
            bits = f"{int(text, 16):0{4 * len(text)}b}"
            demand("1" not in bits[count:], f"{place}: not filled up with zero bits")
            pattern.append([bytearray(map(int, bits[u:count:width])) for u in range(width)])
        for columns, slopes in zip(pattern, self.slopes):
            pairs = (pair for column in zip(columns, slopes) for pair in zip(*column))
            demand(all(bit or below != above for bit, (below, above) in pairs), f"{place}: what is no kink is off")
        return pattern

    def find_zeros(self, pattern: Pattern, point: Point, place: str, known: Iterable[Kink] = ()) -> set[Kink]:
        """Checks that a point lies in the cell, and returns the kinks that vanish there, some of them known before.

        A point (ray, 0) stands for a ray: it stays in the cell from each point of it, and its kinks do not change.
        """
        # All signs are found close by, where numbers are short, and at the point only those that are still open.
        theta, den = point
        close = [[GRID * entry // den for entry in row] for row in theta] if den else theta
        found = (open_ for batch in self.batches for open_ in batch.find_open(pattern, close, is_ray=not den))
        kinks, zeros = {(self.first + depth, sample, unit) for depth, sample, unit in found}, {*known}
        kinks -= zeros
        for sample in sorted({sample for _, sample, _ in kinks}):
            values = self.find_values(pattern, point, sample)
            for depth, unit in ((d, u) for d, width in enumerate(self.widths) for u in range(width)):
                kink, value = (self.first + depth, sample, unit), values[depth][unit]
                is_inside = kink not in kinks or (value >= 0 if pattern[depth][unit][sample] else value <= 0)
                require(is_inside, f"{place} {'is outside' if den else 'leaves'} the cell, at kink {kink}")
                zeros |= set() if value or kink not in kinks else {kink}
        return zeros

    def find_values(self, pattern: Pattern, point: Point, sample: int) -> Matrix:
        """Returns the cell's functions on a sample at a point, S_d D_i den times, by depth and unit."""
        (theta, den), values, numbers = point, list[list[int]](), self.points[sample]
        for layer, shifts, slopes, columns in zip([theta, *self.layers[1:]], self.shifts, self.slopes, pattern):
            values.append([dot(row, numbers) + shift[sample] * den for row, shift in zip(layer, shifts)])
            parts = zip(values[-1], slopes, columns)
            numbers = [value * pairs[sample][bits[sample]] for value, pairs, bits in parts]
        return values

    def find_gradient(self, pattern: Pattern, terms: Iterable[Term]) -> tuple[Matrix, int]:
        """Returns a sum of preactivations or residuals, S_d D_i times, in the cell: by all parameters of layer ℓ."""
        total, constant = [[0] * len(row) for row in self.start], 0
        for sample, depth, v in terms:
            for d in range(depth, -1, -1):
                constant += dot(v, [shift[sample] for shift in self.shifts[d]])
                if d > 0:
                    slopes = [pairs[sample][bits[sample]] for pairs, bits in zip(self.slopes[d - 1], pattern[d - 1])]
                    v = [dot(column, v) * slope if slope else 0 for column, slope in zip(zip(*self.layers[d]), slopes)]
            for j, share in enumerate(v):
                if share:
                    total[j] = [g + share * x for g, x in zip(total[j], self.points[sample])]
        return total, constant

    def find_function(self, pattern: Pattern, terms: Iterable[Term]) -> Function:
        """Returns the same sum, S_d D_i E times, as an affine function of the parameters that remain."""
        total, constant = self.find_gradient(pattern, terms)
        rest = sum(total[j][k] * self.start[j][k] for j, k in self.fixed)
        return [*(total[j][k] for j, k in self.free), self.den * constant + rest]

    def locate(self, kink: Kink) -> Term:
        """Returns a kink as a sample, a depth and the combination there that is it alone."""
        depth = kink[0] - self.first
        return kink[1], depth, [int(unit == kink[2]) for unit in range(self.widths[depth])]

    def list_loss(self, pattern: Pattern, samples: Iterable[int]) -> Iterator[Term]:
        """Yields what some samples add to the loss in the cell, `unit` times (but for E)."""
        for sample in samples:
            signs = [pairs[sample][bits[sample]] for bits, pairs in zip(pattern[-1], self.slopes[-1])]
            yield sample, self.last, [self.factors[sample] * sign for sign in signs]

    def is_flat(self, pattern: Pattern) -> bool:
        """Returns whether the loss is constant along every direction that changes no kink (section 3)."""
        # The gradient G, of the shape of the start, is then a sum of products of vectors in V and of the rows' space of
        # x̃. Both have a basis that is the identity in the pivots, so that G is known from its entries there.
        total, _ = self.find_gradient(pattern, self.list_loss(pattern, self.samples if self.fixed else ()))
        for j, k in self.fixed:
            seen = [(row[j], total[a]) for a, row in self.units.items() if row[j]]
            if total[j][k] != sum(share * row[b] * x[k] for share, row in seen for b, x in self.pivots.items() if x[k]):
                return False
        return True

    def flip(self, pattern: Pattern, kinks: Iterable[Kink]) -> None:
        """Inverts the bits of some kinks."""
        for layer, sample, unit in kinks:
            pattern[layer - self.first][unit][sample] ^= 1

    def find_form(self, pattern: Pattern, zeros: set[Kink]) -> LocalForm:
        """Returns the local form at a point in the cell where some kinks vanish (section 5)."""
        signs = [[[2 * bit - 1 for bit in bits] for bits in zip(*columns)] for columns in pattern]
        for layer, sample, unit in zeros:
            signs[layer - self.first][sample][unit] = 0
        weights, bends = self.instance.layers[self.first :], find_bends(self.instance, signs)
        return LocalForm(self.first, self.inputs, weights, bends, self.free)
