"""The global minimum with one hidden layer, and spurious minima at any depth: CELLS.md, sections 5 and 6."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

from .exact import ONE, ZERO, Rows, combine, dot
from .hidden import Cells
from .instance import Instance, find_residuals, forward, to_layer
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


def read_layers(instance: Instance, lines: list[Line], place: str) -> list[Rows]:
    """Returns the layers of a network on a line, and demands the instance's shape."""
    sizes = [[len(row) - biased for row in layer] for layer, biased in zip(instance.layers, instance.biased)]
    biases = [len(layer) if biased else None for layer, biased in zip(instance.layers, instance.biased)]
    is_fit = [[*map(len, line["weight"])] for line in lines] == sizes
    is_fit &= [None if line["bias"] is None else len(line["bias"]) for line in lines] == biases
    demand(is_fit, f"{place}: not the shape of the instance")
    return [to_layer(line) for line in lines]


def find_signs(values: list[Any]) -> set[tuple[int, ...]]:
    """Returns the signs that hidden preactivations have on a sample."""
    return {tuple((t > 0) - (t < 0) for row in rows for t in row) for rows in zip(*values[:-1])}


def check_minimum(instance: Instance, line: Line, place: str) -> None:
    """Checks that the instance's point is a local minimum as a best affine fit, within a radius (section 6)."""
    radius, dual, (arrivals, values) = line["radius"], line["dual"], forward(instance, instance.layers)
    signs = find_signs(values)
    require(all(map(all, signs)), f"{place}: a preactivation is 0 on a sample")
    require(len(signs) <= 1, f"{place}: the samples are not on one side of every unit")
    require(radius > 0, f"{place}: the radius is not positive")
    moves: list[Any] = [[ZERO] * len(x) for x in instance.inputs]
    for layer, given, z, pairs in zip(instance.layers, arrivals, values[:-1], instance.activations):
        own = [radius * (sum(map(abs, x)) + sum(d)) for x, d in zip(given, moves)]
        moves = [[dot(map(abs, row), d) + more for row in layer] for d, more in zip(moves, own)]
        is_near = all(d <= abs(t) for both in zip(moves, z) for d, t in zip(*both))
        require(is_near, f"{place}: the radius is too large")
        moves = [[abs(pair[t > 0]) * d for d, t, pair in zip(*both, pairs)] for both in zip(moves, z)]
    demand([*map(len, dual)] == [*map(len, instance.targets)], f"{place}: dual: not a number for each target")
    inputs = [[*x, ONE] for x in instance.inputs]
    moments = [dot(column, e) for column in zip(*inputs) for e in zip(*dual)]
    require(not any(moments), f"{place}: the dual is not orthogonal to the affine functions")
    residuals = find_residuals(instance, values[-1])
    pairs = [both for rows in zip(residuals, dual) for both in zip(*rows)]
    fits = all(r == e if instance.slopes is None else abs(e) <= 1 and e * r == abs(r) for r, e in pairs)
    require(fits, f"{place}: the dual is not that of the residuals")


def check_valley(instance: Instance, points: list[list[Line]], place: str) -> None:
    """Checks that the loss is the same along a polyline of local minima (section 6)."""
    path = [read_layers(instance, layers, f"{place}: point {number}") for number, layers in enumerate(points, 1)]
    require(path[0] == instance.layers, f"{place}: the first point is not the instance's")
    start = forward(instance, instance.layers)[1]
    for number, (one, two) in enumerate(pairwise(path), 1):
        spot, values = f"{place}: segment {number}", forward(instance, two)[1]
        require(find_signs(values) == find_signs(start), f"{spot}: a preactivation changes its sign")
        first = [*map(list.__eq__, one, two), False].index(False)
        rows = [(*both, b) for a, c, b in list(zip(one, two, instance.biased))[first + 1 :] for both in zip(a, c)]
        is_bias = all(x[: len(x) - b] == y[: len(y) - b] for x, y, b in rows)
        require(is_bias, f"{spot}: weights of two layers change")
        require(values[-1] == start[-1], f"{spot}: the outputs change")
