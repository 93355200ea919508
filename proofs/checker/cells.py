"""Claims about cells (CELLS.md): those of one unit, hidden cells, the global minimum with one hidden layer.

Section numbers are those of CELLS.md.
"""

from __future__ import annotations

import hashlib
from collections import deque
from fractions import Fraction
from itertools import islice, pairwise, product
from math import gcd
from typing import Any

from .exact import ONE, ZERO, Rows, combine, dot, to_integers
from .instance import Instance, find_loss, forward
from .points import check_minimum, check_valley, read_layers
from .reading import ANY, HASH, ONCE, SOME, Line, demand, parse, rational, read_claimed, require

BITS, SIGNS, VECTOR = "[01]*", "[-+0*]+", [rational, ANY]
ROWS = [VECTOR, ANY]


def parse_pair(value: Any, place: str) -> tuple[int, Fraction]:
    """Returns a sample and a number."""
    sample, number = parse(value, [lambda entry, _: entry, [2]], place)
    return parse(sample, ANY, place), rational(number, place)


PAIRS = [parse_pair, ANY]
NETWORK: Line = {"units": ROWS, "outer": VECTOR, "constant": rational}
LAYERS = [{"weight": ROWS, "bias~": VECTOR}, SOME]
HEADER = {"format": lambda value, _: value, "version": ONCE, "instance": HASH}  # check.py looks at the format
LINES: tuple[Line, ...] = (
    {"cell": BITS, "center": VECTOR, "radius": rational, "multipliers": PAIRS},
    {"complete": ANY},
    {"judged": [BITS, SOME], "optimum": ROWS, "constant": rational, "dual": VECTOR}
    | {"feasible": [{"signs": SIGNS, "v": ROWS, "constant": rational}, ANY]}
    | {"infeasible": [{"signs": SIGNS, "cones": ROWS, "fits": VECTOR}, ANY]},
    {"bad": [BITS, SOME]} | NETWORK,
    {"global": rational} | NETWORK | {"order": [ANY, ANY], "leaves": SOME},
    {"leaf": SIGNS, "bits": BITS, "dual": VECTOR, "multipliers": [PAIRS, ANY]},
    {"leaf": SIGNS, "bits": BITS, "flat": ANY, "multipliers": PAIRS},
    {"leaf": SIGNS, "bits": BITS, "twin": ANY},
    {"minimum": "affine-fit", "radius": rational, "dual": ROWS},
    {"better": LAYERS},
    {"valley": [LAYERS, SOME]},
)


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
        words = map("".join, product(*("+-0" if any(row) else "*" for row in slopes)))
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


def check_global(cells: Cells, line: Line, place: str, leaves: list[tuple[str, Line]]) -> None:
    """Checks the global minimum (section 5)."""
    require(cells.find_loss(line, place) == line["global"], f"{place}: the network has another loss")
    order, planes = line["order"], cells.planes
    demand({*order} <= {*cells.samples}, f"{place}: order: not a sample")
    named = [planes[k] for k in order]
    is_fit = len({*named}) == len(named) and {*named} == {plane for plane in planes if any(plane)}
    require(is_fit, f"{place}: order: not a sample of each hyperplane")
    words: dict[str, list[str]] = {"+" * p + "-" * (cells.units - p): [] for p in range(cells.units + 1)}
    for spot, leaf in leaves:
        demand(leaf["leaf"] in words, f"{spot}: not signs of the units, + first")
        words[leaf["leaf"]].append(leaf["bits"])
        check_leaf(cells, leaf, order, line["global"], spot)
    for signs, own in words.items():
        own.sort()
        is_code = not any(b.startswith(a) for a, b in pairwise(own))
        is_whole = sum(Fraction(1, 2 ** len(word)) for word in own) == 1
        require(is_code and is_whole, f"{place}: the leaves of {signs} are not those of a tree")


def check_leaf(cells: Cells, leaf: Line, order: list[int], least: Fraction, place: str) -> None:
    """Checks one leaf of the search (section 5)."""
    signs, word = leaf["leaf"], leaf["bits"]
    demand(len(word) <= cells.units * len(order), f"{place}: too many bits")
    words = [word[unit :: cells.units] for unit in range(cells.units)]
    if "twin" in leaf:
        unit = leaf["twin"]
        demand(unit + 1 < cells.units, f"{place}: there is no next unit")
        require(signs[unit] == signs[unit + 1], f"{place}: the twins have different signs")
        first = next((pair for pair in zip(words[unit], words[unit + 1]) if len({*pair}) > 1), ("", ""))
        require(first == ("0", "1"), f"{place}: the twins are in order")
        return
    levels = {cells.planes[k]: level for level, k in enumerate(order)}
    sides: list[list[int]] = []  # 1 or -1 where a bit is determined
    for word in words:
        known = [levels.get(plane, len(order)) for plane in cells.planes]
        flips = [level == len(order) or dot(cells.x[k], cells.x[order[level]]) > 0 for k, level in enumerate(known)]
        bits = [word[level : level + 1] for level in known]  # "" where it is open
        sides.append([(1 if (bit == "1") == flip else -1) if bit else 0 for bit, flip in zip(bits, flips)])
    if "flat" in leaf:
        demand(leaf["flat"] < cells.units, f"{place}: there is no such unit")
        require(bool(leaf["multipliers"]), f"{place}: no multipliers")
        total = cells.read_pairs(leaf["multipliers"], sides[leaf["flat"]], place)
        require(not any(total), f"{place}: the conditions do not cancel")
        return
    e = leaf["dual"]
    demand(len(e) == len(cells.x) and len(leaf["multipliers"]) == cells.units, f"{place}: not a number for each sample")
    is_open = [any(plane) and not all(row[k] for row in sides) for k, plane in enumerate(cells.planes)]
    require(not any(a and o for a, o in zip(e, is_open)), f"{place}: the dual is not 0 on an open sample")
    for sign, own, pairs in zip(signs, sides, leaf["multipliers"]):
        factors = [a * cells.slopes[s > 0] * (1 if sign == "+" else -1) for a, s in zip(e, own)]
        wanted = combine(zip(factors, cells.x), cells.size)
        require(cells.read_pairs(pairs, own, place) == wanted, f"{place}: the multipliers do not give the dual")
    require(not cells.is_shifted or not sum(e), f"{place}: the dual is not orthogonal to the constant")
    require(cells.is_squared or max(map(abs, e)) <= 1, f"{place}: the dual is over 1")
    bound = -sum((a * (2 * y + a if cells.is_squared else y) for a, y in zip(e, cells.y)), ZERO)
    require(bound >= least, f"{place}: the bound is below the minimum")


def check_cells(instance: Instance, path: str) -> str:
    """Checks a cells file; returns a summary of what it claims."""
    demand(instance.trained == 0, "instance: not all parameters are free")
    is_plain = instance.slopes is None or {pair for row in instance.slopes for pair in row} == {(-ONE, ONE)}
    demand(is_plain, "instance: the loss is neither squared nor absolute")
    demand({*instance.shares} == {ONE}, "instance: samples have weights")
    counts, cells, hashed, has_minimum = dict[str, int](), None, hashlib.sha256(), False
    deque(read_claimed(path, instance.digest, HEADER, LINES, hashed), 0)  # the form of all lines first
    claims = read_claimed(path, instance.digest, HEADER, LINES, hashlib.sha256(), form=hashed.hexdigest())
    for place, line in claims:
        kind = next(iter(line))
        demand(kind != "leaf", f"{place}: a leaf stands behind no global minimum that has it")
        counts[kind] = counts.get(kind, 0) + 1
        if kind == "minimum":
            check_minimum(instance, line, place)
            has_minimum = True
        elif kind == "better":
            loss = find_loss(instance, read_layers(instance, line["better"], place))
            require(loss < find_loss(instance, instance.layers), f"{place}: the point is not better")
        elif kind == "valley":
            demand(has_minimum, f"{place}: no minimum stands before it")
            check_valley(instance, line["valley"], place)
        else:
            cells = cells or Cells(instance)
            if kind == "global":
                leaves = list(islice(claims, line["leaves"]))
                is_whole = len(leaves) == line["leaves"] and all("leaf" in leaf for _, leaf in leaves)
                demand(is_whole, f"{place}: leaves are missing")
                check_global(cells, line, place, leaves)
            else:
                getattr(cells, f"check_{kind}")(line, place)
    return ", ".join(f"{count} {kind}" for kind, count in counts.items())
