"""Cells of one unit, and the judge of hidden cells: CELLS.md, sections 2 to 4."""

from __future__ import annotations

from fractions import Fraction
from math import gcd
from typing import Any

from .exact import ZERO, Rows, combine, dot, to_integers
from .instance import Instance, find_loss, forward
from .reading import Line, demand, require


def to_plane(row: list[int]) -> tuple[int, ...]:
    """Returns the primitive multiple of an integer vector with a positive first entry that is not 0; all 0 for 0."""
    scale = gcd(*row) * (1 if next((entry for entry in row if entry), 1) > 0 else -1)
    return tuple(int(entry // (scale or 1)) for entry in row)


def count_cells(planes: list[tuple[int, ...]]) -> int:
    """Returns the number of cells of different hyperplanes by the recursion (section 3)."""
    if not planes or len(planes[0]) <= 2:
        return max(1, 2 * len(planes))
    total = 1
    for number, plane in enumerate(planes):
        lead = next(place for place, entry in enumerate(plane) if entry)
        rows = ([plane[lead] * a - other[lead] * b for a, b in zip(other, plane)] for other in planes[:number])
        total += count_cells([*{to_plane(row[:lead] + row[lead + 1 :]) for row in rows}])
    return total


class Cells:
    """A network with one hidden layer and one output, and what was checked of its cells (section 2)."""

    def __init__(self, instance: Instance) -> None:
        layers, (hidden, *_) = instance.layers, instance.activations
        demand(len(layers) == 2 and len(layers[1]) == 1, "instance: not one hidden layer and one output")
        demand(len(set(hidden)) == 1, "instance: the hidden units have different activations")
        self.instance, self.is_shifted, self.slopes = instance, instance.biased[1], hidden[0]
        self.x: Rows = forward(instance, [])[0][0]
        self.y, self.is_squared = [row[0] for row in instance.targets], instance.slopes is None
        self.units, self.size, self.samples = len(layers[0]), len(self.x[0]), range(len(self.x))
        self.rows = [to_integers([x])[0][0] for x in self.x]
        self.planes = [to_plane(row) for row in self.rows]
        self.known: set[str] = set()
        self.values: dict[tuple[str, ...], Fraction] = {}

    def find_loss(self, line: Line, place: str) -> Any:
        """Returns the loss of a network."""
        self.demand_rows(line["units"], self.size, place)
        demand(len(line["outer"]) == self.units, f"{place}: not an outer weight for each unit")
        demand(self.is_shifted or not line["constant"], f"{place}: the output has no bias")
        outer = [*line["outer"], *([line["constant"]] if self.is_shifted else [])]
        return find_loss(self.instance, [line["units"], [outer]])

    def demand_rows(self, rows: Rows, size: int, place: str) -> None:
        """Demands a row of a size for each unit."""
        demand([*map(len, rows)] == [size] * self.units, f"{place}: not {self.units} rows of {size} numbers")

    def find_sides(self, bits: str, place: str) -> list[int]:
        """Returns 1 or -1 for each sample, 0 where x̃ is 0."""
        demand(len(bits) == len(self.x), f"{place}: not a bit for each sample")
        fits = all(any(plane) or bit == "0" for plane, bit in zip(self.planes, bits))
        demand(fits, f"{place}: the bit of a sample that is 0 is not 0")
        return [(1 if bit == "1" else -1) * any(plane) for plane, bit in zip(self.planes, bits)]

    def read_pairs(self, pairs: list[tuple[int, Fraction]], sides: list[int], place: str) -> list[Fraction]:
        """Returns the combination of the σ x̃ that positive multipliers make; sides are 0 where none may be."""
        samples = [sample for sample, _ in pairs]
        demand(samples == sorted({*samples} & {*self.samples}), f"{place}: the samples of multipliers do not increase")
        is_fit = all(y > 0 and sides[k] for k, y in pairs)
        require(is_fit, f"{place}: a multiplier is not positive, or has no condition")
        return combine(((y * sides[k], self.x[k]) for k, y in pairs), self.size)

    def check_cell(self, line: Line, place: str) -> None:
        """Checks a cell of one unit and its radius (section 3)."""
        sides, center, radius = self.find_sides(line["cell"], place), line["center"], line["radius"]
        demand(len(center) == self.size, f"{place}: not {self.size} numbers")
        # multiples of what is compared, in integers: most of a file's time is spent here
        ((*c, r),), _ = to_integers([[*center, radius]])
        is_in = all(side * dot(x, c) >= r * sum(map(abs, x)) for side, x in zip(sides, self.rows))
        require(radius > 0 and is_in, f"{place}: the ball is not in the cell")
        require(all(abs(entry) + radius <= 1 for entry in center), f"{place}: the ball is not in the box")
        z = sum(map(abs, self.read_pairs(line["multipliers"], sides, place)), ZERO)
        weight = z + sum((y * sum(map(abs, self.x[k])) for k, y in line["multipliers"]), ZERO)
        is_largest = radius == 1 or (weight > 0 and radius * weight >= z)
        require(is_largest, f"{place}: the multipliers do not show that no ball is larger")
        self.known.add(line["cell"])

    def check_complete(self, line: Line, place: str) -> None:
        """Checks that no cell is missing (section 3)."""
        require(len(self.known) == line["complete"], f"{place}: there are not so many different cells before it")
        planes = [*dict.fromkeys(plane for plane in self.planes if any(plane))]
        require(count_cells(planes) == line["complete"], f"{place}: the recursion has another number of cells")

    def check_judged(self, line: Line, place: str) -> None:
        """Checks the relaxation's minimum and the sign choices of a hidden cell (section 4)."""
        patterns, e, size = line["judged"], line["dual"], self.size
        demand(len(patterns) == self.units, f"{place}: not a pattern for each unit")
        require({*patterns} <= self.known, f"{place}: a pattern is not that of a cell before it")
        sides = [self.find_sides(bits, place) for bits in patterns]
        slopes = [[self.slopes[side > 0] * abs(side) for side in row] for row in sides]
        v, constant = line["optimum"], line["constant"]
        residuals = self.find_fit(v, constant, slopes, self.y, place)
        demand(len(e) == len(self.y), f"{place}: dual: not a number for each sample")
        for row in slopes:
            gradient = combine(((a * b, x) for a, b, x in zip(e, row, self.x)), size)
            require(not any(gradient), f"{place}: the dual is not orthogonal to what a unit can do")
        require(not self.is_shifted or not sum(e), f"{place}: the dual is not orthogonal to the constant")
        if self.is_squared:
            require(e == residuals, f"{place}: the dual is not the residuals")
            goals, tied = [y + r for y, r in zip(self.y, residuals)], [True for _ in e]
        else:
            fits = all(r * a > 0 if abs(a) == 1 else abs(a) < 1 and not r for r, a in zip(residuals, e))
            require(fits, f"{place}: dual and residuals are not complementary")
            goals, tied = self.y, [abs(a) < 1 for a in e]
        live = ["+-0" if any(row) else "*" for row in slopes]
        words = [""]
        for kinds in live:
            words = [word + kind for word in words for kind in kinds]
        found = sorted(choice["signs"] for choice in [*line["feasible"], *line["infeasible"]])
        require(found == sorted(words), f"{place}: not each sign choice once")
        for choice in line["feasible"]:
            signs, rows, spot = choice["signs"], choice["v"], f"{place}: {choice['signs']}"
            fit = self.find_fit(rows, choice["constant"], slopes, goals, spot)
            is_minimum = all(not f if tie else a * f >= 0 for f, tie, a in zip(fit, tied, e))
            require(is_minimum, f"{spot}: V is no minimum of the relaxation")
            for sign, row, own in zip(signs, rows, sides):
                factor = {"+": 1, "-": -1}.get(sign, 0)
                inside = all(factor * s * dot(row, x) > 0 for s, x in zip(own, self.x) if s) if factor else not any(row)
                require(inside, f"{spot}: V has not these signs")
        cell = sides, slopes, goals, [ZERO if tie else a for tie, a in zip(tied, e)]
        for choice in line["infeasible"]:
            self.check_farkas(choice, cell, place)
        if line["feasible"]:
            self.values[tuple(patterns)] = sum((r * r if self.is_squared else abs(r) for r in residuals), ZERO)

    def find_fit(self, rows: Rows, constant: Fraction, slopes: Rows, goals: list[Fraction], place: str) -> list[Any]:
        """Returns f - goal for each sample, in a hidden cell."""
        self.demand_rows(rows, self.size, place)
        demand(self.is_shifted or not constant, f"{place}: the output has no bias")
        fit = [constant - goal for goal in goals]
        for v, row in zip(rows, slopes):
            fit = [f + a * dot(v, x) for f, a, x in zip(fit, row, self.x)]
        return fit

    def check_farkas(self, choice: Line, cell: Any, place: str) -> None:
        """Checks that a sign choice is not feasible (section 4)."""
        signs, cones, p = choice["signs"], choice["cones"], choice["fits"]
        (sides, slopes, goals, e), spot = cell, f"{place}: {signs}"
        self.demand_rows(cones, len(self.x), spot)
        demand(len(p) == len(self.x), f"{spot}: not a number for each sample")
        require(all(a * b >= 0 for a, b in zip(p, e)), f"{spot}: a multiplier of a residual has the wrong sign")
        is_positive = False
        for sign, row, own, slope in zip(signs, cones, sides, slopes):
            factor = {"+": 1, "-": -1}.get(sign, 0)
            require(all(a > 0 if a else True for a in row), f"{spot}: a multiplier is negative")
            require(bool(factor) or not any(row), f"{spot}: a unit without a sign has multipliers")
            terms = ((a * factor * s + b * c, x) for a, s, b, c, x in zip(row, own, p, slope, self.x))
            require(not factor or not any(combine(terms, self.size)), f"{spot}: the multipliers do not cancel")
            is_positive |= any(a and s for a, s in zip(row, own))
        require(not self.is_shifted or not sum(p), f"{spot}: the multipliers do not cancel in the constant")
        value = dot(p, goals)
        require(value > 0 or (value == 0 and is_positive), f"{spot}: the multipliers show nothing")

    def check_bad(self, line: Line, place: str) -> None:
        """Checks that a network is better than a genuine minimum (section 4)."""
        value = self.values.get(tuple(line["bad"]))
        require(value is not None, f"{place}: no genuine minimum of this hidden cell stands before it")
        require(self.find_loss(line, place) < (value or ZERO), f"{place}: the network is not better")
