"""Checks a certificate of a vertex walk: python -I -S check.py INSTANCE RUN.

Prints one line, `accepted: ...`, `rejected: REASON` or `malformed: REASON`, and exits with 0, 1 or 2. FORMAT.md
beside this file says what the two files are and what is claimed; section numbers below are that page's.

All numbers are integers or fractions of integers, nothing is rounded. Nothing is searched for, and nothing is carried
over from step to step but pattern and basis: each vertex is solved anew from them, and the network itself is evaluated
there. On the published experiment (25 parameters, 53-bit data, 500 samples) that takes about 20 ms a step; 90 ms where
a basis is all residuals, most of them for solving.
"""

# What JSON holds is Any until it is parsed, shapes are checked there and not again, a verdict is no error, and a reader
# of one file has no use for pathlib or a logger:
# ruff: noqa: ANN401, B905, FBT001, FBT003, N818, PLR0917, PLR2004, PTH123, T201

from __future__ import annotations

import gzip
import hashlib
import json
import re
import sys
import zlib
from collections.abc import Iterator
from fractions import Fraction
from math import gcd, lcm
from operator import mul
from typing import Any, NamedTuple

# Bounds on decompressed bytes, so that a small file cannot fill the memory. The largest problems in view (20,000
# samples, 650 parameters, 10^6 steps) stay under a tenth of each.
INSTANCE_CAP, CERTIFICATE_CAP, LINE_CAP = 2**28, 2**32, 2**26
NUMBER_CAP, DECIMAL_CAP, BINARY_CAP = 100_000, 10_000, 40_000
RATIO = re.compile(r"(-?[0-9]+)/([0-9]+)")
DECIMAL = re.compile(r"(-?)(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([+-]?[0-9]+))?")
HEXADECIMAL = re.compile(r"(-?)0[xX](?:([0-9a-fA-F]+)(?:\.([0-9a-fA-F]*))?|\.([0-9a-fA-F]+))[pP]([+-]?[0-9]+)")
NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")

Line = dict[str, Any]  # a JSON object
Kink = tuple[int, int, int]  # layer, sample, unit
Pattern = dict[Kink, int]  # a bit for every kink: 1 is on, -1 is off
Signs = dict[Kink, int]  # 1, 0 or -1; the sign s breaks the bit b exactly if s == -b
Rows = list[list[Fraction]]
Form = dict[tuple[int, ...], Fraction]  # nonzero coefficients: of parameter p under (p,), of |z_k| under kink k
Moduli = dict[Kink, tuple[int, Form]]  # (s, a) with |z_k| = s (a · d) on a cone

OUTCOMES: list[Line] = [
    {"outcome": "strict-local-minimum", "by": "likq"},
    {"outcome": "local-minimum", "by": "likq"},
    {"outcome": "local-minimum", "by": "zero-loss"},
    {"outcome": "strict-local-minimum", "by": "tree", "settled": [], "blocks": []},
    {"outcome": "local-minimum", "by": "tree", "settled": [], "blocks": []},
    {"outcome": "undecided", "active": 0},
    {"outcome": "step-limit"},
]
OPEN: Line = {"active": 0, "settled": [], "blocks": []}  # what these keys hold is not compared with OUTCOMES


class Rejected(Exception):
    """A claim of a well-formed certificate is false (section 6)."""


class Malformed(Exception):
    """A file is not of the form, or the certificate is for another instance (section 6)."""


def require(condition: bool, reason: str) -> None:
    """Rejects the certificate unless the condition holds; the only way to reject."""
    if not condition:
        raise Rejected(reason)


def demand(condition: bool, reason: str) -> None:
    """Calls the input malformed unless the condition holds; the only way to do so."""
    if not condition:
        raise Malformed(reason)


def read_lines(path: str, cap: int) -> Iterator[bytes]:
    """Yields a file's lines, decompressed if its name ends in .gz (sections 2, 4); lines over LINE_CAP in pieces."""
    size = 0
    try:
        with gzip.open(path, "rb") if path.endswith(".gz") else open(path, "rb") as stream:
            while line := stream.readline(LINE_CAP):
                size += len(line)
                demand(size <= cap, f"a file has over {cap} bytes")
                yield line
    except (OSError, EOFError, ValueError, zlib.error) as error:
        demand(False, f"a file cannot be read ({type(error).__name__}): {path}")


def parse_number(text: str) -> Fraction:
    """Returns the rational that a text means (section 1)."""
    demand(len(text) <= NUMBER_CAP, f"a number has over {NUMBER_CAP} characters")
    if match := RATIO.fullmatch(text):
        demand(int(match[2]) != 0, "a ratio has denominator 0")
        return Fraction(int(match[1]), int(match[2]))
    base, cap, places, match = 10, DECIMAL_CAP, 1, DECIMAL.fullmatch(text)
    if match is None:
        base, cap, places, match = 16, BINARY_CAP, 4, HEXADECIMAL.fullmatch(text)
    sign, whole, behind, only, power = match.groups("") if match else ("", "", "", "", "")
    demand(match is not None, "a number is neither decimal, ratio nor hexadecimal float")
    exponent = int(power or "0")
    demand(abs(exponent) <= cap, f"a number's exponent is over {cap}")
    exponent -= places * len(behind + only)
    return Fraction(int(sign + whole + behind + only, base)) * Fraction(2 if base == 16 else 10) ** exponent


def to_object(pairs: list[tuple[str, Any]]) -> Line:
    """Returns a JSON object, refusing repeated keys (sections 2, 4)."""
    value = dict(pairs)
    demand(len(value) == len(pairs), "a key occurs twice in one object")
    return value


def parse_json(data: bytes, place: str) -> Any:
    """Returns a JSON value; integers become int, numbers with a point or exponent Fraction."""
    try:
        return json.loads(
            data.decode("ascii"),
            object_pairs_hook=to_object,
            parse_int=lambda text: parse_number(text).numerator,
            parse_float=parse_number,
            parse_constant=parse_number,  # refuses NaN, Infinity, -Infinity
        )
    except (ValueError, RecursionError) as error:
        demand(False, f"{place}: not JSON in ASCII ({type(error).__name__})")


def fields(value: Any, place: str, names: str, optional: str = "") -> Line:
    """Returns an object whose keys are the names and perhaps some optional ones."""
    demand(isinstance(value, dict), f"{place}: not an object")
    needed, allowed = set(names.split()), set(f"{names} {optional}".split())
    demand(needed <= value.keys() <= allowed, f"{place}: its keys are not those of the format")
    return dict(value)


def members(value: Any, place: str) -> list[Any]:
    """Returns a list, perhaps empty."""
    demand(isinstance(value, list), f"{place}: not a list")
    return list(value)


def entries(value: Any, count: int | None, place: str) -> list[Any]:
    """Returns a list of `count` entries, or of at least one if that is None."""
    found = members(value, place)
    demand(len(found) == count if count is not None else len(found) > 0, f"{place}: {len(found)} entries")
    return found


def integer(value: Any, low: int, high: int | None, place: str) -> int:
    """Returns an integer in low..high; JSON's true is an int in Python, and is refused."""
    demand(type(value) is int, f"{place}: not an integer")
    demand(low <= value and (high is None or value <= high), f"{place}: out of range")
    return int(value)


def matrix(value: Any, rows: int | None, columns: int | None, place: str) -> Rows:
    """Returns a matrix of numbers (section 1) with rows of one length."""
    lists = [entries(row, columns, place) for row in entries(value, rows, place)]
    demand(len({len(row) for row in lists}) == 1, f"{place}: rows of different lengths")
    types = {type(entry) for row in lists for entry in row}
    demand(types <= {str, int, Fraction}, f"{place}: an entry is not a number")
    return [[parse_number(entry) if type(entry) is str else Fraction(entry) for entry in row] for row in lists]


class Point(NamedTuple):
    """Parameters theta / den, theta of shape (n_ℓ, m), in lowest terms with den > 0: equal points are equal tuples."""

    theta: tuple[tuple[int, ...], ...]
    den: int


class Leaf(NamedTuple):
    """A leaf of a block's tree: for each kink of the block "+", "-" or ".", and its multiplier (section 5)."""

    signs: str
    empty: bool
    multipliers: list[Fraction]


class Block(NamedTuple):
    """A block of a tree's witness (section 5)."""

    units: list[int]
    kinks: list[Kink]
    leaves: list[Leaf]


class Vertex(NamedTuple):
    """A point with the signs of all kinks and the loss there."""

    point: Point
    signs: Signs
    loss: Fraction


def to_point(theta: list[list[int]], den: int) -> Point:
    """Returns theta / den in lowest terms, den != 0."""
    common = gcd(den, *(entry for row in theta for entry in row)) * (1 if den > 0 else -1)
    return Point(tuple(tuple(entry // common for entry in row) for row in theta), den // common)


def to_integers(numbers: list[Fraction], scale: int) -> list[int]:
    """Returns scale · numbers, where scale is a common denominator."""
    return [number.numerator * (scale // number.denominator) for number in numbers]


def find_common(rows: Rows) -> int:
    """Returns the least common denominator of a matrix."""
    return lcm(*(entry.denominator for row in rows for entry in row))


def echelon(rows: Rows) -> tuple[list[int], Rows]:
    """Returns the pivot columns (section 3) and the reduced row echelon form of a matrix."""
    pivots: list[int] = []
    for column in range(len(rows[0]) if rows else 0):
        chosen = next((k for k in range(len(pivots), len(rows)) if rows[k][column]), None)
        if chosen is not None:
            pivot = [entry / rows[chosen][column] for entry in rows[chosen]]
            others = rows[:chosen] + rows[chosen + 1 :]
            rows = [[x - row[column] * y for x, y in zip(row, pivot)] if row[column] else row for row in others]
            rows.insert(len(pivots), pivot)
            pivots.append(column)
    return pivots, rows


def solve(rows: list[list[int]], right: list[int]) -> tuple[list[int], int]:
    """Returns (numerators, den) of the solution of a square system; den = 0 means that the rows are dependent.

    Fraction-free elimination (Bareiss): after step k each entry below is a minor of order k + 1 of the first rows, and
    division by the pivot before is exact. Short rows go first, which keeps the minors short for longer.
    """
    system = [[entry // (gcd(*row, b) or 1) for entry in [*row, b]] for row, b in zip(rows, right)]
    system.sort(key=lambda row: max(map(abs, row)))
    size, before = len(system), 1
    order = list(range(size))
    for k, row in enumerate(system):
        column = next((c for c in range(k, size) if row[c]), None)
        if column is None:
            return [0] * size, 0
        for other in [order, *system]:
            other[k], other[column] = other[column], other[k]
        for other in system[k + 1 :]:
            p, f = row[k], other[k]
            other[k:] = [(p * x - f * y) // before for x, y in zip(other[k:], row[k:])]
        before = row[k]
    numerators = [0] * size
    for k in range(size - 1, -1, -1):
        known = sum(system[k][j] * numerators[order[j]] for j in range(k + 1, size))
        numerators[order[k]] = (before * system[k][size] - known) // system[k][k]
    return numerators, before


class Problem:
    """An instance (section 2), scaled to integers. Layers are counted by depth here: 0 is the trained layer."""

    def __init__(self, path: str) -> None:
        """Reads an instance and pushes its inputs through the layers before the trained one (section 3)."""
        data = b"".join(read_lines(path, INSTANCE_CAP))
        self.digest = hashlib.sha256(data).hexdigest()
        names = "format version network layer loss data"
        instance = fields(parse_json(data, "instance"), "instance", names, "start")
        demand(instance["format"] == "exactdrl-instance", "instance: unknown format")
        integer(instance["version"], 1, 1, "instance: version")
        layers = fields(instance["network"], "network", "layers")["layers"]
        weights: list[Rows] = []
        biases: list[list[Fraction] | None] = []
        for number, entry in enumerate(entries(layers, None, "layers"), 1):
            place, width = f"layer {number}", len(weights[-1]) if weights else None
            layer = fields(entry, place, "weight bias")
            weights.append(matrix(layer["weight"], None, width, f"{place}, weight"))
            bias = layer["bias"]
            biases.append(None if bias is None else matrix([bias], 1, len(weights[-1]), f"{place}, bias")[0])
        self.first = first = integer(instance["layer"], 1, len(weights), "instance: layer")
        demand(fields(instance["loss"], "loss", "kind")["kind"] == "absolute", "loss: unknown kind")
        samples = fields(instance["data"], "data", "inputs targets")
        inputs = matrix(samples["inputs"], None, len(weights[0][0]), "inputs")
        targets = matrix(samples["targets"], len(inputs), len(weights[-1]), "targets")
        offsets = [bias or [Fraction(0)] * len(weight) for weight, bias in zip(weights, biases)]
        for weight, offset in zip(weights[: first - 1], offsets):
            inputs = [[max(sum(map(mul, row, x), b), Fraction(0)) for row, b in zip(weight, offset)] for x in inputs]
        start, bias = weights[first - 1], biases[first - 1]
        if bias is not None:
            inputs = [[*x, Fraction(1)] for x in inputs]
            start = [[*row, b] for row, b in zip(start, bias)]
        if instance.get("start") is not None:
            start = matrix(instance["start"], len(start), len(start[0]), "start")
        den = find_common(start)
        self.start = to_point([to_integers(row, den) for row in start], den)
        self.inputs = inputs  # x̃_i
        self.pivots, _ = echelon(inputs)  # P
        self.free = [(j, k) for j in range(len(start)) for k in self.pivots]  # the n parameters that remain
        self.widths = [len(weight) for weight in weights[first - 1 :]]
        self.last = len(self.widths) - 1
        self.weights = [[], *weights[first:]]
        # s_d is a common denominator of depth d, D_i one of x̃_i and y_i. With S_d = s_1 ... s_d the weight is held s_d
        # times, the bias S_d times, and a preactivation of sample i at depth d is computed S_d D_i times.
        self.layers: list[tuple[list[list[int]], list[int]]] = [([], [])]
        self.total = 1
        for weight, offset in zip(weights[first:], offsets[first:]):
            scale = find_common([*weight, offset])
            self.total *= scale
            self.layers.append(([to_integers(row, scale) for row in weight], to_integers(offset, self.total)))
        self.scales = [find_common([x, y]) for x, y in zip(inputs, targets)]
        self.common = lcm(*self.scales)
        self.points = [to_integers(x, scale) for x, scale in zip(inputs, self.scales)]
        self.goals = [to_integers(y, self.total * scale) for y, scale in zip(targets, self.scales)]

    def parse_kinks(self, value: Any, place: str) -> list[Kink]:
        """Returns a list of kinks (section 3), perhaps empty."""
        kinks = []
        for address in members(value, place):
            layer, sample, unit = entries(address, 3, f"{place}: kink")
            layer = integer(layer, self.first, self.first + self.last, f"{place}: kink's layer")
            sample = integer(sample, 0, len(self.points) - 1, f"{place}: kink's sample")
            unit = integer(unit, 0, self.widths[layer - self.first] - 1, f"{place}: kink's unit")
            kinks.append((layer, sample, unit))
        return kinks

    def parse_pattern(self, value: Any, place: str) -> Pattern:
        """Returns a pattern (section 4, line 2)."""
        pattern: Pattern = {}
        for depth, text in enumerate(entries(value, len(self.widths), f"{place}: pattern")):
            width = self.widths[depth]
            count = width * len(self.points)
            demand(isinstance(text, str), f"{place}: pattern: not a string")
            digits = re.fullmatch(f"[0-9a-f]{{{-(-count // 4)}}}", text)
            demand(digits is not None, f"{place}: pattern: not {-(-count // 4)} lower-case hexadecimal digits")
            bits = f"{int(text, 16):0{4 * len(text)}b}"
            demand("1" not in bits[count:], f"{place}: pattern: not filled up with zero bits")
            for index, bit in enumerate(bits[:count]):
                pattern[self.first + depth, index // width, index % width] = 1 if bit == "1" else -1
        return pattern

    def parse_settled(self, value: Any, place: str) -> dict[Kink, Fraction]:
        """Returns the settled kinks with their multipliers (section 4, line 4)."""
        pairs = [entries(pair, 2, f"{place}: settled") for pair in members(value, f"{place}: settled")]
        kinks = self.parse_kinks([kink for kink, _ in pairs], f"{place}: settled")
        demand(kinks == sorted(set(kinks)), f"{place}: settled: not in address order, each once")
        return dict(zip(kinks, matrix([[number for _, number in pairs]], 1, len(pairs), f"{place}: settled")[0]))

    def parse_block(self, value: Any, place: str) -> Block:
        """Returns a block (section 4, line 4)."""
        block = fields(value, place, "units kinks leaves")
        units = entries(block["units"], None, f"{place}: units")
        units = [integer(unit, 0, self.widths[0] - 1, f"{place}: unit") for unit in units]
        demand(units == sorted(set(units)), f"{place}: units: not increasing")
        kinks = self.parse_kinks(block["kinks"], f"{place}: kinks")
        demand(kinks == sorted(set(kinks)), f"{place}: kinks: not in address order, each once")
        leaves = []
        for entry in entries(block["leaves"], None, f"{place}: leaves"):
            leaf = fields(entry, f"{place}: leaf", "signs empty multipliers")
            signs, empty = leaf["signs"], leaf["empty"]
            demand(isinstance(signs, str), f"{place}: signs: not a string")
            demand(len(signs) == len(kinks) and set(signs) <= set("+-."), f"{place}: signs: not one for each kink")
            demand(isinstance(empty, bool), f"{place}: empty: neither true nor false")
            multipliers = matrix([leaf["multipliers"]], 1, len(kinks), f"{place}: multipliers")[0]
            leaves.append(Leaf(signs, empty, multipliers))
        return Block(units, kinks, leaves)

    def evaluate(self, point: Point) -> Vertex:
        """Evaluates the network itself, without a pattern, on all samples (section 2)."""
        signs: Signs = {}
        loss = 0
        for sample, (x, scale, goal) in enumerate(zip(self.points, self.scales, self.goals)):
            unit = scale * point.den
            z = [sum(map(mul, row, x)) for row in point.theta]
            for depth, (weight, bias) in enumerate(self.layers):
                if depth > 0:
                    active = [max(value, 0) for value in z]
                    z = [sum(map(mul, row, active), b * unit) for row, b in zip(weight, bias)]
                if depth == self.last:
                    z = [value - y * point.den for value, y in zip(z, goal)]
                for u, value in enumerate(z):
                    signs[self.first + depth, sample, u] = (value > 0) - (value < 0)
            loss += sum(map(abs, z)) * (self.common // scale)
        return Vertex(point, signs, Fraction(loss, self.common * self.total * point.den))

    def pull_back(self, pattern: Pattern, sample: int, depth: int, v: list[int]) -> tuple[list[int], int]:
        """Returns (w, c): in the cell, v · (preactivations at this depth) = w · (trained preactivations) + c D_i."""
        constant = 0
        for d in range(depth, 0, -1):
            weight, bias = self.layers[d]
            constant += sum(map(mul, v, bias))
            on = [pattern[self.first + d - 1, sample, u] > 0 for u in range(self.widths[d - 1])]
            v = [sum(map(mul, column, v)) if is_on else 0 for column, is_on in zip(zip(*weight), on)]
        return v, constant

    def find_function(self, pattern: Pattern, kink: Kink) -> tuple[list[int], int]:
        """Returns (a, c) such that a · (E times the parameters) + c is a positive multiple of a kink's affine function.

        E is the start's denominator, a a multiple of the kink's normal in the cell; what the fixed parameters
        contribute is part of c (section 3).
        """
        layer, sample, unit = kink
        depth, x = layer - self.first, self.points[sample]
        v, constant = self.pull_back(pattern, sample, depth, [int(u == unit) for u in range(self.widths[depth])])
        constant = constant * self.scales[sample] - (self.goals[sample][unit] if depth == self.last else 0)
        constant *= self.start.den
        for k in set(range(len(x))).difference(self.pivots):
            constant += x[k] * sum(v_j * row[k] for v_j, row in zip(v, self.start.theta))
        return [v[j] * x[k] for j, k in self.free], constant

    def find_gradient(self, pattern: Pattern) -> list[int]:
        """Returns a positive multiple of the cell's gradient (section 3)."""
        gradient = [0] * len(self.free)
        for sample, (x, scale) in enumerate(zip(self.points, self.scales)):
            bits = [pattern[self.first + self.last, sample, u] for u in range(self.widths[-1])]
            v, _ = self.pull_back(pattern, sample, self.last, bits)
            gradient = [a + v[j] * x[k] * (self.common // scale) for a, (j, k) in zip(gradient, self.free)]
        return gradient


def read_certificate(path: str, problem: Problem) -> Iterator[tuple[str, Line]]:
    """Yields place and content of lines 2, 3 and 4 (section 4); when it ends, all of the form has been checked."""
    lines = enumerate(read_lines(path, CERTIFICATE_CAP), 1)
    digest, steps = hashlib.sha256(), 0

    def parse_line() -> tuple[str, Any]:
        number, line = next(lines, (0, b""))
        demand(line != b"", "the certificate breaks off before its end line")
        demand(line.endswith(b"\n"), f"line {number}: breaks off, or is longer than {LINE_CAP} bytes")
        value = parse_json(line, f"line {number}")
        if not (isinstance(value, dict) and "end" in value):
            digest.update(line)
        return f"line {number}", value

    place, value = parse_line()
    header = fields(value, place, "format version instance rule start")
    demand(header["format"] == "exactdrl-certificate", f"{place}: unknown format")
    integer(header["version"], 1, 1, f"{place}: version")
    demand(header["instance"] == problem.digest, f"{place}: the certificate is for another instance")
    for name in (header["rule"], header["start"]):
        demand(isinstance(name, str) and NAME.fullmatch(name) is not None, f"{place}: rule or start is not a name")
    place, value = parse_line()
    vertex = fields(fields(value, place, "vertex")["vertex"], place, "pattern basis")
    vertex["pattern"] = problem.parse_pattern(vertex["pattern"], place)
    vertex["basis"] = problem.parse_kinks(vertex["basis"], place)
    yield place, vertex
    place, value = parse_line()
    while not (isinstance(value, dict) and "outcome" in value):
        step = fields(value, place, "flip leave enter", "basis published_stop")
        demand(step.get("published_stop", True) is True, f"{place}: published_stop is not true")
        for key in {"flip", "basis"} & step.keys():
            step[key] = problem.parse_kinks(step[key], place)
        step["leave"], step["enter"] = problem.parse_kinks([step["leave"], step["enter"]], place)
        yield place, step
        steps += 1
        place, value = parse_line()
    demand({key: OPEN.get(key, entry) for key, entry in value.items()} in OUTCOMES, f"{place}: unknown outcome")
    integer(value.get("active", 0), 0, None, f"{place}: active")
    if value.get("by") == "tree":
        value["settled"] = problem.parse_settled(value["settled"], place)
        blocks = enumerate(members(value["blocks"], f"{place}: blocks"), 1)
        value["blocks"] = [problem.parse_block(block, f"{place}: block {number}") for number, block in blocks]
    yield place, value
    place, value = parse_line()
    end = fields(fields(value, place, "end")["end"], place, "steps sha256")
    demand(integer(end["steps"], 0, None, f"{place}: steps") == steps, f"{place}: there are {steps} steps")
    demand(end["sha256"] == digest.hexdigest(), f"{place}: the hash is not that of the lines before")
    demand(next(lines, None) is None, f"{place}: something follows the end line")


def check_inside(pattern: Pattern, vertex: Vertex, place: str) -> None:
    """Checks that a point lies in the cell (section 3).

    The signs are the network's own: up to the first kink that breaks the pattern they are the affine functions'.
    """
    kink = next((kink for kink, sign in vertex.signs.items() if sign == -pattern[kink]), None)
    require(kink is None, f"{place} is outside the cell, at kink {kink}")


def check_vertex(problem: Problem, pattern: Pattern, basis: list[Kink], place: str) -> Vertex:
    """Checks that pattern and basis are a vertex, and returns it (section 3)."""
    n = len(problem.free)
    require(len(basis) == n, f"{place}: {len(basis)} kinks in the basis, not {n}")
    functions = [problem.find_function(pattern, kink) for kink in basis]
    solution, den = solve([normal for normal, _ in functions], [-constant for _, constant in functions])
    require(den != 0, f"{place}: the basis is dependent in the cell")
    theta = [[entry * den for entry in row] for row in problem.start.theta]
    for (j, k), value in zip(problem.free, solution):
        theta[j][k] = value
    vertex = problem.evaluate(to_point(theta, den * problem.start.den))
    check_inside(pattern, vertex, f"{place}: the vertex")
    return vertex


def check_published_stop(problem: Problem, pattern: Pattern, basis: list[Kink], place: str) -> None:
    """Checks that the published rule stops here (section 4, published_stop).

    If Aᵀλ = g for the basis' normals A and the gradient g, the edge r of kink k has the slope g · r = λ_k (a_k · r),
    whose sign is that of λ_k if k is on, of -λ_k if k is off. A flip of a kink of the basis adds multiples of its
    normal to the others': they stay independent.
    """
    require(bool(problem.free), f"{place}: published_stop without parameters")
    pattern = dict(pattern)
    for number, kink in enumerate(basis, 1):
        pattern[kink] = -pattern[kink]
        normals = [problem.find_function(pattern, other)[0] for other in basis]
        slopes, den = solve([list(column) for column in zip(*normals)], problem.find_gradient(pattern))
        falling = [other for other, slope in zip(basis, slopes) if slope * den * pattern[other] < 0]
        require(not falling, f"{place}: no published stop, after {number} flips edge {falling[:1]} falls")


def check_step(problem: Problem, pattern: Pattern, basis: list[Kink], vertex: Vertex, step: Line, place: str) -> Vertex:
    """Checks a step, changes pattern and basis in place, and returns the next vertex (section 4)."""
    if "published_stop" in step:
        check_published_stop(problem, pattern, basis, place)
    flips, leave, enter = step["flip"], step["leave"], step["enter"]
    require(len(set(flips)) == len(flips), f"{place}: a kink is flipped twice")
    for kink in flips:
        # A zero kink satisfies either bit, and its activation is 0 with either: the vertex lies in the new cell.
        require(vertex.signs[kink] == 0, f"{place}: flipped kink {kink} is not zero at the vertex")
        pattern[kink] = -pattern[kink]
    if "basis" in step:
        basis[:] = step["basis"]
        again = check_vertex(problem, pattern, basis, f"{place}: basis")
        require(again.point == vertex.point, f"{place}: basis: it is another point's")
    require(leave in basis, f"{place}: leaving kink {leave} is not in the basis")
    require(enter not in basis, f"{place}: entering kink {enter} is already in the basis")
    basis.remove(leave)
    basis.append(enter)
    result = check_vertex(problem, pattern, basis, place)
    require(result.point != vertex.point, f"{place}: the point stays where it is")
    require(result.loss <= vertex.loss, f"{place}: the loss rises")
    is_lower = result.loss < vertex.loss
    require(is_lower or "published_stop" not in step, f"{place}: published_stop, but the loss does not fall")
    return result


def add(target: Form, factor: Fraction, form: Form) -> None:
    """Adds factor · form to target in place; coefficients that cancel vanish."""
    for key, value in form.items():
        total = target.pop(key, Fraction(0)) + factor * value
        if total:
            target[key] = total


def find_local_form(problem: Problem, signs: Signs) -> tuple[dict[Kink, Form], Form]:
    """Returns the forms (Z_j, L_j) of the active kinks, and F as (g, b), at a point with these signs (section 5)."""
    rows: dict[Kink, Form] = {}
    change: Form = {}
    half, one = Fraction(1, 2), Fraction(1)
    for sample, x in enumerate(problem.inputs):
        forms: list[Form] = [{} for _ in range(problem.widths[0])]
        for p, (j, k) in enumerate(problem.free):
            add(forms[j], x[k], {(p,): one})
        for depth, weight in enumerate(problem.weights):
            activations, forms = forms, [{} for _ in weight] if depth > 0 else forms
            for form, row in zip(forms, weight):
                for factor, activation in zip(row, activations):
                    add(form, factor, activation)
            for unit, form in enumerate(forms):
                kink = (problem.first + depth, sample, unit)
                active = signs[kink] == 0 and bool(form)
                modulus: Form = {kink: one}
                if active:
                    rows[kink] = form
                if depth == problem.last:
                    add(change, Fraction(signs[kink]), form)
                    add(change, Fraction(active), modulus)
                elif signs[kink] <= 0:
                    forms[unit] = {}
                    add(forms[unit], half * active, form)
                    add(forms[unit], half * active, modulus)
    return rows, change


def reduce(rows: dict[Kink, Form], change: Form) -> None:
    """Reduces a local form in place until nothing changes (section 5)."""
    size = -1
    while size != len(rows):
        size = len(rows)
        leaders: dict[frozenset[tuple[tuple[int, ...], Fraction]], tuple[Kink, Fraction]] = {}
        for kink in sorted(rows):
            form = rows[kink]
            lead = form[min(form)] if form else Fraction(0)
            shape = frozenset((key, value / lead) for key, value in form.items())
            leader, scale = leaders.setdefault(shape, (kink, lead))
            if form and leader == kink:
                continue
            del rows[kink]
            for owner in [change, *rows.values()]:
                factor = owner.pop(kink, Fraction(0))
                if form and factor:
                    add(owner, factor, {leader: abs(lead / scale)})
        for kink in rows.keys() - set(change).union(*rows.values()):
            del rows[kink]


def check_likq(problem: Problem, rows: dict[Kink, Form], change: Form, strict: bool) -> None:
    """Checks that a point with this local form is a local minimum by LIKQ, a strict one if asked (section 5)."""
    reduce(rows, change)
    zero, kinks = Fraction(0), sorted(rows)
    count, n = len(kinks), len(problem.free)
    # A column for each Z_j and the last one for g: where the Z_j are independent, g = Zᵀλ reads off the echelon form.
    columns = [rows[kink] for kink in kinks] + [change]
    system = [[column.get((p,), zero) for column in columns] for p in range(n)]
    pivots, system = echelon(system) if count <= n else ([], [])
    require(pivots[:count] == list(range(count)), f"outcome: no LIKQ, the {count} reduced kinks are dependent")
    require(count not in pivots, "outcome: no local minimum, the gradient is not in the span of the kinks")
    multipliers = {kink: row[count] for kink, row in zip(kinks, system)}
    for kink in kinks:
        bound = change.get(kink, zero) - sum(rows[k].get(kink, zero) * multipliers[k] for k in kinks)
        require(abs(multipliers[kink]) <= bound, f"outcome: no local minimum, the multiplier of {kink} is too large")
        require(not strict or abs(multipliers[kink]) < bound, f"outcome: not strict, {kink} is at its bound")
    require(not strict or count == n, f"outcome: not strict, {count} reduced kinks in {n} parameters")
    require(not strict or len(problem.pivots) == len(problem.inputs[0]), "outcome: not strict, there is lineality")


def find_rank(rows: dict[Kink, Form], kinks: list[Kink], keys: list[tuple[int, ...]]) -> int:
    """Returns the rank of some kinks' Z in some parameters."""
    return len(echelon([[rows[kink].get(key, Fraction(0)) for kink in kinks] for key in keys])[0])


def is_tree(leaves: list[str]) -> bool:
    """Returns whether these are the signs of a tree's leaves, which cover all signs (section 5, tree, 6)."""
    parts = [(leaves, 0)]
    while parts:
        part, depth = parts.pop()
        if len(part) > 1 or len(part[0]) - part[0].count(".") != depth:
            split = next((index for index, column in enumerate(zip(*part)) if {*column} == {"+", "-"}), None)
            if split is None:
                return False
            parts += [([signs for signs in part if signs[split] == sign], depth + 1) for sign in "+-"]
    return True


def find_moduli(rows: dict[Kink, Form], kinks: list[Kink], signs: str) -> Moduli:
    """Returns (s, a) with |z_j| = s (a · d) on a leaf's cone, for the kinks j where it is known (section 5, tree)."""
    moduli: Moduli = {}
    for kink, sign in zip(kinks, signs):
        row = dict(rows[kink])
        for key in moduli.keys() & row.keys():
            factor, form = moduli[key]
            add(row, factor * row.pop(key), form)
        if not row or (sign != "." and not row.keys() & rows.keys()):
            moduli[kink] = -1 if sign == "-" else 1, row
    return moduli


def check_block(problem: Problem, rows: dict[Kink, Form], change: Form, block: Block, strict: bool, place: str) -> None:
    """Checks that F ≥ 0 on a block, and takes the block's share out of F (section 5, tree, 5 to 10)."""
    zero, kinks = Fraction(0), block.kinks
    keys: list[tuple[int, ...]] = [(p,) for p, (unit, _) in enumerate(problem.free) if unit in block.units]
    far = [kink for kink in kinks if not rows[kink].keys() <= {*keys, *kinks}]
    require(not far, f"{place}: kinks {far[:1]} depend on what is not in the block")
    require(is_tree([leaf.signs for leaf in block.leaves]), f"{place}: the leaves are not those of a tree")
    # A line for each parameter and then each kink: its coefficients in the kinks' forms, the last one in F.
    lines = [[*(rows[kink].get(key, zero) for kink in kinks), change.pop(key, zero)] for key in [*keys, *kinks]]
    scale, rank = find_common(lines), find_rank(rows, kinks, keys)
    table = [to_integers(line, scale) for line in lines]
    for number, leaf in enumerate(block.leaves, 1):
        spot = f"{place}, leaf {number}"
        den = lcm(*(multiplier.denominator for multiplier in leaf.multipliers))
        multipliers = to_integers(leaf.multipliers, den)
        rest = [(0 if leaf.empty else den * line[-1]) - sum(map(mul, multipliers, line)) for line in table]
        require(not any(rest[: len(keys)]), f"{spot}: the multipliers do not give the slope")
        signed = [{"+": x, "-": -x, ".": -abs(x)}[sign] for sign, x in zip(leaf.signs, multipliers)]
        slacks = {kink: c + scale * x for kink, c, x in zip(kinks, rest[len(keys) :], signed)}
        moduli = find_moduli(rows, kinks, leaf.signs)
        resting = {kink for kink, (_, row) in moduli.items() if not row}
        low = [kink for kink in kinks if slacks[kink] < 0 and kink not in resting]
        require(not low, f"{spot}: kinks {low[:1]} have a multiplier that is too large")
        moving = any(slacks[kink] > 0 for kink in moduli.keys() - resting)
        require(moving or not leaf.empty, f"{spot}: the multipliers do not show that it is empty")
        known: set[tuple[int, ...]] = {*keys}
        for kink in kinks:
            if (slacks[kink] > 0 or kink in resting) and rows[kink].keys() <= known:
                known.add(kink)
        is_strict = leaf.empty or not strict or find_rank(rows, [k for k in kinks if k in known], keys) == rank
        require(is_strict, f"{spot}: not strict")


def check_tree(problem: Problem, rows: dict[Kink, Form], change: Form, tree: Line, strict: bool) -> None:
    """Checks that a point with this local form is a local minimum by a tree, a strict one if asked (section 5)."""
    reduce(rows, change)
    settled: dict[Kink, Fraction] = tree["settled"]
    blocks: list[Block] = tree["blocks"]
    left = [kink for block in blocks for kink in block.kinks]
    is_whole = sorted([*settled, *left]) == sorted(rows)
    require(is_whole, "outcome: settled kinks and blocks do not hold each reduced kink once")
    units = [unit for block in blocks for unit in block.units]
    require(len(set(units)) == len(units), "outcome: a unit is in two blocks")
    keys: list[tuple[int, ...]] = [(p,) for p in range(len(problem.free))]
    known = {*keys, *left}
    for kink, multiplier in settled.items():
        add(change, -multiplier, rows[kink])
    for kink, multiplier in settled.items():
        bound = change.pop(kink, Fraction(0))
        require(abs(multiplier) <= bound, f"outcome: the multiplier of settled kink {kink} is too large")
        if abs(multiplier) < bound and rows[kink].keys() <= known:
            known.add(kink)
    for number, block in enumerate(blocks, 1):
        check_block(problem, rows, change, block, strict, f"outcome: block {number}")
    require(not change, "outcome: the slope is not that of the blocks")
    if strict:
        is_full = find_rank(rows, [kink for kink in rows if kink in known], keys) == len(keys)
        require(is_full, "outcome: not strict")
        require(len(problem.pivots) == len(problem.inputs[0]), "outcome: not strict, there is lineality")


def check(instance: str, run: str) -> str:
    """Checks a certificate and returns a summary; raises Rejected or Malformed (section 6)."""
    sys.set_int_max_str_digits(0)  # parse_number bounds the digits itself
    problem = Problem(instance)
    # All of the form first: what is not of the form is malformed even if a claim in it is false.
    total = sum("leave" in content for _, content in read_certificate(run, problem))
    claims = read_certificate(run, problem)
    place, first = next(claims)
    pattern, basis = first["pattern"], first["basis"]
    start = problem.evaluate(problem.start)
    check_inside(pattern, start, f"{place}: the start")
    vertex = check_vertex(problem, pattern, basis, place)
    require(vertex.loss <= start.loss, f"{place}: the loss is above the loss at the start")
    summary = ""
    for number, (place, content) in enumerate(claims, 1):
        if "leave" in content:
            vertex = check_step(problem, pattern, basis, vertex, content, place)
            if sys.stderr.isatty():
                print(f"\rstep {number} of {total}", end="" if number < total else "\n", file=sys.stderr, flush=True)
        else:
            by, name = content.get("by"), content["outcome"]
            require(by != "zero-loss" or vertex.loss == 0, "outcome: the loss is not zero")
            needs_form = by in {"likq", "tree"} or "active" in content
            rows, change = find_local_form(problem, vertex.signs) if needs_form else ({}, {})
            require(content.get("active", len(rows)) == len(rows), f"outcome: {len(rows)} kinks are active")
            if by == "likq":
                check_likq(problem, rows, change, name == "strict-local-minimum")
            if by == "tree":
                check_tree(problem, rows, change, content, name == "strict-local-minimum")
            summary = f"{total} steps, {name}" + (f" by {by}" if by else "")
    return summary


def main(argv: list[str]) -> int:
    """Prints the verdict in one line and returns the exit code (section 6)."""
    try:
        demand(len(argv) == 2, "usage: python -I -S check.py INSTANCE RUN")
        line, code = f"accepted: {check(*argv)}", 0
    except Rejected as reason:
        line, code = f"rejected: {reason}", 1
    except Malformed as reason:
        line, code = f"malformed: {reason}", 2
    print(line.encode("unicode_escape").decode("ascii"))  # one line of ASCII, whatever is in a file's name
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
