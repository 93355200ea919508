"""The global minimum with one hidden layer, and spurious minima at any depth: CELLS.md, sections 5 and 6."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from .exact import ONE, ZERO, Rows
from .hidden import Cells, combine, dot
from .instance import Instance
from .reading import Line, demand, require


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
    signs, bits = leaf["leaf"], leaf["bits"]
    demand(len(bits) <= cells.units * len(order), f"{place}: too many bits")
    words = [bits[unit :: cells.units] for unit in range(cells.units)]
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
        flips = [
            1 if level == len(order) or is_same(cells.x[k], cells.x[order[level]]) else -1
            for k, level in enumerate(known)
        ]
        sides.append(
            [(1 if word[level] == "1" else -1) * flip if level < len(word) else 0 for level, flip in zip(known, flips)]
        )
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


def is_same(left: list[Fraction], right: list[Fraction]) -> bool:
    """Returns whether parallel vectors have the same direction."""
    return bool(dot(left, right) > 0)


class Point:
    """A network of the instance's shape on its samples (section 6)."""

    def __init__(self, instance: Instance, weights: list[Rows], biases: list[list[Fraction] | None]) -> None:
        self.weights, self.biases, self.sides = weights, biases, set[tuple[bool, ...]]()
        self.z: list[
            list[list[Fraction]]
        ] = []  # preactivations of each sample, layer by layer; the last are the outputs
        for x in instance.inputs:
            rows, values = [], x
            for weight, bias, pairs in zip(weights, biases, instance.activations):
                z = [dot(row, values) + b for row, b in zip(weight, bias or [ZERO] * len(weight))]
                values = [t * pair[t > 0] for t, pair in zip(z, pairs)]
                rows.append(z)
            self.z.append(rows)
        self.outputs = [rows[-1] for rows in self.z]
        hidden = [[t for z in rows[:-1] for t in z] for rows in self.z]
        self.is_strict = all(t != 0 for row in hidden for t in row)
        self.sides = {tuple(t > 0 for t in row) for row in hidden}
        residuals = [f - y for row, goals in zip(self.outputs, instance.targets) for f, y in zip(row, goals)]
        self.loss = sum((r * r if instance.slopes is None else abs(r) for r in residuals), ZERO)


def read_point(instance: Instance, layers: list[Line], place: str) -> Point:
    """Returns the network of a line, and demands the instance's shape."""
    weights, biases = [layer["weight"] for layer in layers], [layer["bias"] for layer in layers]
    shapes = [[[*map(len, weight)] for weight in both] for both in (weights, instance.weights)]
    sizes = [[None if bias is None else len(bias) for bias in both] for both in (biases, instance.biases)]
    demand(shapes[0] == shapes[1] and sizes[0] == sizes[1], f"{place}: not the shape of the instance")
    return Point(instance, weights, biases)


def check_minimum(instance: Instance, line: Line, place: str) -> Point:
    """Checks that the instance's point is a local minimum as a best affine fit, within a radius (section 6)."""
    point, radius, dual = Point(instance, instance.weights, instance.biases), line["radius"], line["dual"]
    require(point.is_strict, f"{place}: a preactivation is 0 on a sample")
    require(len(point.sides) == 1, f"{place}: the samples are not on one side of every unit")
    require(radius > 0, f"{place}: the radius is not positive")
    for x, rows in zip(instance.inputs, point.z):
        values, moves = x, [ZERO] * len(x)
        for weight, bias, pairs, z in zip(instance.weights, instance.biases, instance.activations, rows[:-1]):
            own = radius * (sum(map(abs, values), ZERO) + sum(moves) + (bias is not None))
            shifts = [dot([abs(w) for w in row], moves) + own for row in weight]
            require(all(d <= abs(t) for d, t in zip(shifts, z)), f"{place}: the radius is too large")
            moves = [abs(pair[t > 0]) * d for d, t, pair in zip(shifts, z, pairs)]
            values = [t * pair[t > 0] for t, pair in zip(z, pairs)]
    demand([*map(len, dual)] == [*map(len, instance.targets)], f"{place}: dual: not a number for each target")
    for e in zip(*dual):
        moments = combine(zip(e, ([*x, ONE] for x in instance.inputs)), len(instance.inputs[0]) + 1)
        require(not any(moments), f"{place}: the dual is not orthogonal to the affine functions")
    pairs = [(f - y, e) for fs, ys, es in zip(point.outputs, instance.targets, dual) for f, y, e in zip(fs, ys, es)]
    fits = all(r == e if instance.slopes is None else abs(e) <= 1 and e * r == abs(r) for r, e in pairs)
    require(fits, f"{place}: the dual is not that of the residuals")
    return point


def check_valley(instance: Instance, start: Point, points: list[list[Line]], place: str) -> None:
    """Checks that the loss is the same along a polyline of local minima (section 6)."""
    path = [read_point(instance, layers, f"{place}: point {number}") for number, layers in enumerate(points, 1)]
    is_start = path[0].weights == start.weights and path[0].biases == start.biases
    require(is_start, f"{place}: the first point is not the instance's")
    for number, (one, two) in enumerate(pairwise(path), 1):
        spot = f"{place}: segment {number}"
        require(two.is_strict and two.sides == start.sides, f"{spot}: a preactivation changes its sign")
        changed = [a != b for a, b in zip(zip(one.weights, one.biases), zip(two.weights, two.biases))]
        first = changed.index(True) if True in changed else len(changed)
        require(one.weights[first + 1 :] == two.weights[first + 1 :], f"{spot}: weights of two layers change")
        require(one.outputs == two.outputs, f"{spot}: the outputs change")
