"""Checks a certificate of a vertex walk, and claims about it: python -I -S check.py INSTANCE RUN [CLAIMS].

Prints one line, `accepted: ...`, `rejected: REASON` or `malformed: REASON`, and exits with 0, 1 or 2. FORMAT.md and
CLAIMS.md beside this file say what the files are and what is claimed; section numbers below are FORMAT.md's.
`--steps A:B` checks steps A to B alone, `--gmpy2` computes with that package's integers, to the same end but faster.

All numbers are integers or fractions of integers, nothing is rounded, and nothing is searched for. From vertex to
vertex only what a pivot changes is computed anew; `Position` says what is kept, and why that is enough.
"""

# What JSON holds is Any until it is parsed, shapes are checked there and not again, a verdict is no error, and a reader
# of one file has no use for pathlib or a logger:
# ruff: noqa: ANN401, B905, FBT001, FBT003, N818, PLR0917, PLR2004, PLW2901, PTH123, T201

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import json
import re
import sys
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import accumulate, pairwise
from math import isqrt, lcm, prod
from operator import mul
from typing import Any

# Bounds on decompressed bytes, so that a small file cannot fill the memory. The largest problems in view (20,000
# samples, 650 parameters, 10^6 steps) stay under a tenth of each.
INSTANCE_CAP, CERTIFICATE_CAP, LINE_CAP, CLAIMS_CAP = 2**28, 2**32, 2**26, 2**24
NUMBER_CAP, DECIMAL_CAP, BINARY_CAP = 100_000, 10_000, 40_000
RATIO = re.compile(r"(-?[0-9]+)/([0-9]+)")
DECIMAL = re.compile(r"(-?)(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([+-]?[0-9]+))?")
HEXADECIMAL = re.compile(r"(-?)0[xX](?:([0-9a-fA-F]+)(?:\.([0-9a-fA-F]*))?|\.([0-9a-fA-F]+))[pP]([+-]?[0-9]+)")
NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")
USAGE = "usage: python -I -S check.py INSTANCE RUN [CLAIMS | --steps A:B] [--gmpy2]"
GRID = 2**53

Line = dict[str, Any]  # a JSON object
Kink = tuple[int, int, int]  # layer, sample, unit
Columns = list[list[int]]  # for each unit of a layer, an integer for each of some samples
Pattern = list[Columns]  # a bit for each depth, unit, sample: 1 is on, -1 is off
Signs = dict[Kink, int]  # 1, 0 or -1; the sign s breaks the bit b exactly if s == -b
Rows = list[list[Fraction]]
Form = dict[tuple[int, ...], Fraction]  # nonzero coefficients: of parameter p under (p,), of |z_k| under kink k
Function = tuple[list[int], int]  # (a, c) stands for a · (E times the parameters) + c, see find_function
Moduli = dict[Kink, tuple[int, Form]]  # (s, a) with |z_k| = s (a · d) on a cone
Point = tuple[list[list[int]], int]  # (t, den): the parameters t / den, of shape (n_ℓ, m)

OUTCOMES: list[Line] = [
    {"outcome": "strict-local-minimum", "by": "likq"},
    {"outcome": "local-minimum", "by": "likq"},
    {"outcome": "local-minimum", "by": "zero-loss"},
    {"outcome": "strict-local-minimum", "by": "tree", "settled": [], "blocks": []},
    {"outcome": "local-minimum", "by": "tree", "settled": [], "blocks": []},
    {"outcome": "undecided", "active": 0},
    {"outcome": "step-limit"},
]
INTEGER: Any = int  # or gmpy2's, which are faster
OPEN: Line = {"active": 0, "settled": [], "blocks": []}  # what these keys hold is not compared with OUTCOMES


CLAIM_KEYS = {
    "loss": "step low high",
    "decay": "quantity from to rate low high",
    "estimate": "method fraction from to low high",
    "trajectory-density": "squared_radii counts",
    "line-density": "step offset direction bounds counts",
}


class Rejected(Exception):
    """A claim of well-formed files is false (section 6)."""


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
    """Returns a JSON value; numbers with a point or exponent stay bytes: 1e9999 is short in a file only."""
    try:
        return json.loads(
            data.decode("ascii"),
            object_pairs_hook=to_object,
            parse_int=lambda text: parse_number(text).numerator,
            parse_float=str.encode,
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


def rational(value: Any, place: str) -> Fraction:
    """Returns a number (section 1) that stands in JSON."""
    demand(type(value) in {str, int, bytes}, f"{place}: not a number")
    return Fraction(value) if type(value) is int else parse_number(value if type(value) is str else value.decode())


def matrix(value: Any, rows: int | None, columns: int | None, place: str) -> Rows:
    """Returns a matrix of numbers (section 1) with rows of one length."""
    lists = [entries(row, columns, place) for row in entries(value, rows, place)]
    demand(len({len(row) for row in lists}) == 1, f"{place}: rows of different lengths")
    return [[rational(entry, place) for entry in row] for row in lists]


def combine(weights: list[int], columns: Iterable[Iterable[int]], total: list[int]) -> list[int]:
    """Returns total plus the combination of columns with these weights."""
    for weight, column in zip(weights, columns):
        total = [known + weight * entry for known, entry in zip(total, column)]
    return total


def dot(left: Iterable[int], right: Iterable[int]) -> int:
    """Returns the inner product."""
    return sum(map(mul, left, right))


def to_integers(numbers: list[Fraction], scale: int) -> list[int]:
    """Returns scale · numbers, where scale is a common denominator."""
    return [INTEGER(number.numerator * (scale // number.denominator)) for number in numbers]


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
        self.den = find_common(start)  # E
        self.start = [to_integers(row, self.den) for row in start]  # E times the start
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
        self.samples = list(range(len(inputs)))
        self.points = [to_integers(x, scale) for x, scale in zip(inputs, self.scales)]
        self.goals = [to_integers(y, self.total * scale) for y, scale in zip(targets, self.scales)]
        # If no parameter changes by more than 1 / den, nothing that `evaluate` returns changes by more than its margin:
        # a layer of weights multiplies by its largest row sum of sizes at most, a ReLU by 1.
        self.margins = [[sum(map(abs, x)) for x in self.points]]
        for rows, _ in self.layers[1:]:
            growth = max(sum(map(abs, row)) for row in rows)
            self.margins.append([growth * margin for margin in self.margins[-1]])

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
        pattern: Pattern = []
        for depth, text in enumerate(entries(value, len(self.widths), f"{place}: pattern")):
            width = self.widths[depth]
            count = width * len(self.points)
            demand(isinstance(text, str), f"{place}: pattern: not a string")
            digits = re.fullmatch(f"[0-9a-f]{{{-(-count // 4)}}}", text)
            demand(digits is not None, f"{place}: pattern: not {-(-count // 4)} lower-case hexadecimal digits")
            bits = f"{int(text, 16):0{4 * len(text)}b}"
            demand("1" not in bits[count:], f"{place}: pattern: not filled up with zero bits")
            pattern.append([[1 if bit == "1" else -1 for bit in bits[u:count:width]] for u in range(width)])
        return pattern

    def parse_settled(self, value: Any, place: str) -> dict[Kink, Fraction]:
        """Returns the settled kinks with their multipliers (section 4, line 4)."""
        pairs = [entries(pair, 2, f"{place}: settled") for pair in members(value, f"{place}: settled")]
        kinks = self.parse_kinks([kink for kink, _ in pairs], f"{place}: settled")
        demand(kinks == sorted(set(kinks)), f"{place}: settled: not in address order, each once")
        return dict(zip(kinks, matrix([[number for _, number in pairs]], 1, len(pairs), f"{place}: settled")[0]))

    def parse_block(self, value: Any, place: str) -> Line:
        """Returns a block (section 4, line 4)."""
        block = fields(value, place, "units kinks leaves")
        units = entries(block["units"], None, f"{place}: units")
        units = [integer(unit, 0, self.widths[0] - 1, f"{place}: unit") for unit in units]
        demand(units == sorted(set(units)), f"{place}: units: not increasing")
        kinks = self.parse_kinks(block["kinks"], f"{place}: kinks")
        demand(kinks == sorted(set(kinks)), f"{place}: kinks: not in address order, each once")
        leaves = []
        for entry in entries(block["leaves"], None, f"{place}: leaves"):
            leaf = fields(entry, f"{place}: leaf", "signs empty multipliers", "covers")
            signs, empty = leaf["signs"], leaf["empty"]
            demand(isinstance(signs, str), f"{place}: signs: not a string")
            demand(len(signs) == len(kinks) and set(signs) <= set("+-."), f"{place}: signs: not one for each kink")
            demand(isinstance(empty, bool), f"{place}: empty: neither true nor false")
            covers = [
                fields(cover, place, "kink shares") for cover in members(leaf.get("covers", []), f"{place}: covers")
            ]
            leaf["heads"] = self.parse_kinks([cover["kink"] for cover in covers], f"{place}: covers")
            demand(set(leaf["heads"]) <= set(kinks), f"{place}: covers: not of the block")
            leaf["rows"] = [leaf["multipliers"], *(cover["shares"] for cover in covers)]
            matrix(leaf["rows"], None, len(kinks), f"{place}: multipliers")  # kept as text, which is short
            leaves.append(leaf)
        return {"units": units, "kinks": kinks, "leaves": leaves}

    def evaluate(self, theta: list[list[int]], den: int, samples: list[int]) -> list[Columns]:
        """Evaluates the network itself, without a pattern, on some samples at theta / den, den > 0 (section 2).

        Returns the preactivations depth by depth, the last of them as residuals, each S_d D_i den times.
        """
        units = [self.scales[sample] * den for sample in samples]
        inputs = list(zip(*(self.points[sample] for sample in samples)))
        values = [[combine(row, inputs, [0] * len(samples)) for row in theta]]
        for weight, bias in self.layers[1:]:
            active = [[max(value, 0) for value in column] for column in values[-1]]
            values.append([combine(row, active, [b * unit for unit in units]) for row, b in zip(weight, bias)])
        goals = zip(*(self.goals[sample] for sample in samples))
        values[-1] = [[value - y * den for value, y in zip(*both)] for both in zip(values[-1], goals)]
        return values

    def survey(self, point: Point, samples: list[int]) -> tuple[Signs, Fraction]:
        """Returns the signs of the kinks of some samples, and what those samples add to the loss."""
        values = self.evaluate(*point, samples)
        signs = {
            (self.first + depth, sample, u): (column[index] > 0) - (column[index] < 0)
            for index, sample in enumerate(samples)
            for depth, columns in enumerate(values)
            for u, column in enumerate(columns)
        }
        sizes = (sum(map(abs, residuals)) for residuals in zip(*values[-1]))
        loss = sum(size * (self.common // self.scales[sample]) for size, sample in zip(sizes, samples))
        return signs, Fraction(int(loss), int(self.common * self.total * point[1]))

    def find_function(self, pattern: Pattern, sample: int, depth: int, v: list[int]) -> Function:
        """Returns v · (preactivations at this depth, residuals at the last) as an affine function in the cell.

        It is (a, c) such that a · (E times the parameters) + c is S_d D_i E times that, with E the start's denominator;
        what the fixed parameters contribute is part of c (section 3).
        """
        x, scale = self.points[sample], self.scales[sample]
        constant = -dot(v, self.goals[sample]) if depth == self.last else 0
        for d in range(depth, 0, -1):
            weight, bias = self.layers[d]
            constant += dot(v, bias) * scale
            v = [dot(row, v) if bits[sample] > 0 else 0 for row, bits in zip(zip(*weight), pattern[d - 1])]
        constant *= self.den
        for k in set(range(len(x))).difference(self.pivots):
            constant += x[k] * sum(v_j * row[k] for v_j, row in zip(v, self.start))
        return [v[j] * x[k] for j, k in self.free], constant

    def find_bit(self, pattern: Pattern, kink: Kink) -> int:
        """Returns the bit of a kink."""
        return pattern[kink[0] - self.first][kink[2]][kink[1]]

    def flip(self, pattern: Pattern, kinks: list[Kink]) -> None:
        """Inverts the bits of some kinks."""
        for layer, sample, unit in kinks:
            pattern[layer - self.first][unit][sample] *= -1

    def find_kink(self, pattern: Pattern, kink: Kink) -> Function:
        """Returns a kink's affine function in the cell, up to a positive factor."""
        depth = kink[0] - self.first
        return self.find_function(pattern, kink[1], depth, [int(u == kink[2]) for u in range(self.widths[depth])])

    def find_loss(self, pattern: Pattern, samples: Iterable[int]) -> Function:
        """Returns what some samples add to the loss in the cell, each the same multiple of it."""
        total, offset = [0] * len(self.free), 0
        for sample in samples:
            bits = [column[sample] for column in pattern[-1]]
            normal, constant = self.find_function(pattern, sample, self.last, bits)
            factor = self.common // self.scales[sample]
            total = [t + factor * a for t, a in zip(total, normal)]
            offset += factor * constant
        return total, offset


class Position:
    """Where a walk is: a cell, a basis, and the vertex that they make.

    **Point.** The rows a_0, a_1, ... are the normals of n kinks (unit vectors to begin with), always independent, and
    den > 0 is the size of their determinant. Their functions vanish where E times the parameters is numerators / den,
    integers by Cramer's rule. To exchange row l for (a', c'), take the edge r with a_l · r = den and a_j · r = 0 for
    the other rows, integers too. The size of a' · r is the new determinant: the rows stay independent exactly if it is
    not 0. The point moves along r until the new function vanishes.

    **Edge.** With the rows' inverse modulo a prime, the digits of r to that base are read off one by one: rows times
    digits are what is left, modulo the prime, so that after them a multiple of it is left.

    **Signs.** The network is evaluated at a point close by, whose numbers are short, and only those samples at the
    vertex itself where the sign of a kink might be another there.
    """

    def __init__(self, problem: Problem, pattern: Pattern) -> None:
        """Starts in a cell, without a basis."""
        self.problem, self.pattern = problem, pattern
        self.zeros: list[Kink] = []  # those that vanish at the vertex
        self.basis: list[Kink] = []
        self.loss = Fraction(0)
        self.piece = problem.find_loss(pattern, problem.samples)
        self.clear(2**255 - 19)

    def clear(self, prime: int) -> None:
        """Makes all rows unit vectors, and takes another prime."""
        n = range(len(self.problem.free))
        self.prime = prime
        self.owners: list[Kink | None] = [None for _ in n]
        self.rows: list[Function] = [([INTEGER(i == j) for j in n], 0) for i in n]
        self.inverse = [row for row, _ in self.rows]  # its columns
        self.numerators, self.den = [INTEGER(0) for _ in n], INTEGER(1)

    def turn(self, kinks: list[Kink]) -> None:
        """Inverts bits of the pattern. Rows that change with them lose their owners."""
        samples = sorted({sample for _, sample, _ in kinks})
        normal, offset = self.problem.find_loss(self.pattern, samples)
        self.problem.flip(self.pattern, kinks)
        more, constant = self.problem.find_loss(self.pattern, samples)
        gradient = [g - a + b for g, a, b in zip(self.piece[0], normal, more)]
        self.piece = gradient, self.piece[1] - offset + constant
        for index, kink in enumerate(self.owners):
            is_touched = kink is not None and kink[1] in samples
            if kink and is_touched and self.problem.find_kink(self.pattern, kink) != self.rows[index]:
                self.owners[index] = None

    def find_edge(self, index: int) -> list[int]:
        """Returns the integers r with a_index · r = den, a_j · r = 0 for the other rows; ends only if they are."""
        lines, prime, power = list(zip(*self.inverse)), self.prime, 1
        edge, left = [0] * len(lines), [0] * len(lines)
        left[index] = self.den
        while any(left):
            rest = [value // power for value in left]
            digits = [(dot(line, rest) + prime // 2) % prime - prime // 2 for line in lines]
            edge = [r + power * digit for r, digit in zip(edge, digits)]
            left = [-dot(row, edge) for row, _ in self.rows]
            left[index] += self.den
            power *= prime
        return edge

    def exchange(self, index: int, kink: Kink, row: Function, shares: list[int]) -> None:
        """Exchanges a row for that of a kink; its shares are its products with the inverse's columns."""
        normal, constant = row
        edge = self.find_edge(index)
        den, value = dot(normal, edge), dot(normal, self.numerators) + constant * self.den
        sign = 1 if den > 0 else -1
        self.numerators = [sign * (x * den - value * r) // self.den for x, r in zip(self.numerators, edge)]
        self.den, self.rows[index], self.owners[index] = sign * den, row, kink
        unit = pow(shares[index], -1, self.prime)
        pivot = [x * unit % self.prime for x in self.inverse[index]]
        for other, share in enumerate(shares):
            column = self.inverse[other]
            self.inverse[other] = [(x - share * y) % self.prime for x, y in zip(column, pivot)] if share else column
        self.inverse[index] = pivot

    def occupy(self, basis: list[Kink], place: str) -> None:
        """Moves to the point of a basis in the cell, if it is one (section 3)."""
        n = len(self.rows)
        require(len(basis) == n, f"{place}: {len(basis)} kinks in the basis, not {n}")
        self.basis = list(basis)
        wanted, found = set(basis), set(self.owners)
        vacant = [index for index, kink in enumerate(self.owners) if kink not in wanted]
        for kink in sorted(wanted - found):
            row = self.problem.find_kink(self.pattern, kink)
            shares = [dot(row[0], column) % self.prime for column in self.inverse]
            index = next((index for index in vacant if shares[index]), None)
            if index is None:
                break
            self.exchange(index, kink, row, shares)
            vacant.remove(index)
        if vacant:  # the basis is dependent, modulo the prime at least
            normals = [self.problem.find_kink(self.pattern, kink)[0] for kink in basis]
            pivots, _ = echelon([list(map(Fraction, normal)) for normal in normals])
            require(len(pivots) == n, f"{place}: the basis is dependent in the cell")
            prime = self.prime + 2
            while pow(2, prime - 1, prime) != 1:
                prime += 2
            self.clear(prime)
            self.occupy(basis, place)

    def arrive(self, place: str) -> None:
        """Checks that the point lies in the cell (section 3), and finds its zeros and the loss there."""
        problem, theta, den = self.problem, *self.find_parameters()
        close = [[GRID * entry // den for entry in row] for row in theta]
        doubtful = set()
        for depth, columns in enumerate(problem.evaluate(close, GRID, problem.samples)):
            for column, bits in zip(columns, self.pattern[depth]):
                tests = enumerate(zip(column, bits, problem.margins[depth]))
                doubtful.update([sample for sample, (value, bit, margin) in tests if value * bit <= margin])
        signs, _ = problem.survey((theta, den), sorted(doubtful))
        check_inside(problem, self.pattern, signs, f"{place}: the vertex")
        self.zeros = [kink for kink, sign in signs.items() if sign == 0]
        normal, offset = self.piece
        loss = dot(normal, self.numerators) + offset * self.den
        self.loss = Fraction(int(loss), int(den * problem.common * problem.total))

    def find_parameters(self) -> Point:
        """Returns the vertex, in all parameters."""
        theta = [[entry * self.den for entry in row] for row in self.problem.start]
        for (j, k), value in zip(self.problem.free, self.numerators):
            theta[j][k] = value
        return theta, self.problem.den * self.den


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
    vertex = fields(fields(value, place, "vertex")["vertex"], place, "pattern basis", "elsewhere")
    demand(vertex.get("elsewhere", True) is True, f"{place}: elsewhere is not true")
    vertex["pattern"] = problem.parse_pattern(vertex["pattern"], place)
    vertex["basis"] = problem.parse_kinks(vertex["basis"], place)
    yield place, vertex
    place, value = parse_line()
    while not (isinstance(value, dict) and "outcome" in value):
        step = fields(value, place, "flip leave enter", "basis cross published_stop")
        demand(step.get("published_stop", True) is True, f"{place}: published_stop is not true")
        for key in {"flip", "basis", "cross"} & step.keys():
            step[key] = problem.parse_kinks(step[key], place)
        demand(step.get("cross") != [], f"{place}: cross is empty")
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


def check_inside(problem: Problem, pattern: Pattern, signs: Signs, place: str) -> None:
    """Checks that a point with these signs lies in the cell (section 3).

    The signs are the network's own: up to the first kink that breaks the pattern they are the affine functions'.
    """
    kink = next((kink for kink, sign in signs.items() if sign == -problem.find_bit(pattern, kink)), None)
    require(kink is None, f"{place} is outside the cell, at kink {kink}")


def check_published_stop(position: Position, place: str) -> None:
    """Checks that the published rule stops here (section 4, published_stop), and returns to the cell.

    A flip of a kink of the basis adds multiples of its normal to the others' and to the gradient. So no edge changes
    but that kink's own, and no other slope.
    """
    basis = position.basis
    require(bool(basis), f"{place}: published_stop without parameters")
    slopes = {kink: dot(position.piece[0], position.find_edge(position.owners.index(kink))) for kink in basis}
    for number, kink in enumerate(basis, 1):
        position.turn([kink])
        position.occupy(basis, place)
        slopes[kink] = dot(position.piece[0], position.find_edge(position.owners.index(kink)))
        falling = [other for other in basis if slopes[other] * position.problem.find_bit(position.pattern, other) < 0]
        require(not falling, f"{place}: no published stop, after {number} flips edge {falling[:1]} falls")
    position.turn(basis)


def check_step(position: Position, step: Line, place: str) -> None:
    """Checks a step, and goes to the next vertex (section 4)."""
    point, den, loss = position.numerators, position.den, position.loss
    if "published_stop" in step:
        check_published_stop(position, place)
    flips, crossed, leave, enter = step["flip"], step.get("cross", []), step["leave"], step["enter"]
    require(len(set(flips)) == len(flips), f"{place}: a kink is flipped twice")
    for kink in flips:
        # A zero kink satisfies either bit, and its activation is 0 with either: the vertex lies in the new cell.
        require(kink in position.zeros, f"{place}: flipped kink {kink} is not zero at the vertex")
    position.turn(flips)
    basis = step.get("basis", position.basis)
    if "basis" in step:
        position.occupy(basis, f"{place}: basis")
        is_same = all(x * den == y * position.den for x, y in zip(position.numerators, point))
        require(is_same, f"{place}: basis: it is another point's")
    require(len(set(crossed)) == len(crossed), f"{place}: a kink is crossed twice")
    inner = [kink for kink in crossed if kink in basis]
    require(not inner, f"{place}: crossed kinks {inner[:1]} are in the basis")
    position.turn(crossed)
    require(leave in basis, f"{place}: leaving kink {leave} is not in the basis")
    require(enter not in basis, f"{place}: entering kink {enter} is already in the basis")
    position.occupy([kink for kink in basis if kink != leave] + [enter], place)
    position.arrive(place)
    has_moved = any(x * den != y * position.den for x, y in zip(position.numerators, point))
    require(has_moved, f"{place}: the point stays where it is")
    require(position.loss <= loss, f"{place}: the loss rises")
    is_lower = position.loss < loss
    require(is_lower or not crossed, f"{place}: cross, but the loss does not fall")
    require(is_lower or "published_stop" not in step, f"{place}: published_stop, but the loss does not fall")


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
    """Checks that a point with this local form is a local minimum by LIKQ, a strict one if asked (section 5).

    That is a tree without blocks, whose settled kinks have the only multipliers there are.
    """
    zero, kinks = Fraction(0), sorted(rows)
    count, n = len(kinks), len(problem.free)
    # A column for each Z_j and the last one for g: where the Z_j are independent, g = Zᵀλ reads off the echelon form.
    columns = [rows[kink] for kink in kinks] + [change]
    system = [[column.get((p,), zero) for column in columns] for p in range(n)]
    pivots, system = echelon(system) if count <= n else ([], [])
    require(pivots[:count] == list(range(count)), f"outcome: no LIKQ, the {count} reduced kinks are dependent")
    settled = {kink: row[count] for kink, row in zip(kinks, system)}
    check_tree(problem, rows, change, {"settled": settled, "blocks": []}, strict)


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


def check_block(problem: Problem, rows: dict[Kink, Form], change: Form, block: Line, strict: bool, place: str) -> None:
    """Checks that F ≥ 0 on a block, and takes the block's share out of F (section 5, tree, 5 to 10)."""
    zero, kinks = Fraction(0), block["kinks"]
    keys: list[tuple[int, ...]] = [(p,) for p, (unit, _) in enumerate(problem.free) if unit in block["units"]]
    far = [kink for kink in kinks if not rows[kink].keys() <= {*keys, *kinks}]
    require(not far, f"{place}: kinks {far[:1]} depend on what is not in the block")
    require(is_tree([leaf["signs"] for leaf in block["leaves"]]), f"{place}: the leaves are not those of a tree")
    # A line for each parameter and then each kink: its coefficients in the kinks' forms, the last one in F.
    lines = [[*(rows[kink].get(key, zero) for kink in kinks), change.pop(key, zero)] for key in [*keys, *kinks]]
    scale, rank = find_common(lines), find_rank(rows, kinks, keys)
    table = [to_integers(line, scale) for line in lines]
    for number, leaf in enumerate(block["leaves"], 1):
        spot = f"{place}, leaf {number}"
        numbers = matrix(leaf["rows"], None, len(kinks), spot)
        den = find_common(numbers)
        multipliers, *covers = (to_integers(row, den) for row in numbers)
        rest = [(0 if leaf["empty"] else den * line[-1]) - sum(map(mul, multipliers, line)) for line in table]
        require(not any(rest[: len(keys)]), f"{spot}: the multipliers do not give the slope")
        signed = [{"+": x, "-": -x, ".": -abs(x)}[sign] for sign, x in zip(leaf["signs"], multipliers)]
        slacks = {kink: c + scale * x for kink, c, x in zip(kinks, rest[len(keys) :], signed)}
        for head, shares in zip(leaf["heads"], covers):
            bent = [dot(shares, line) for line in table]
            require(not any(bent[: len(keys)]), f"{spot}: the cover of {head} is no relation")
            for kink, share, fold in zip(kinks, shares, bent[len(keys) :]):
                slacks[kink] += scale * (abs(share) if kink == head else -abs(share)) - abs(fold)
        moduli = find_moduli(rows, kinks, leaf["signs"])
        resting = {kink for kink, (_, row) in moduli.items() if not row}
        low = [kink for kink in kinks if slacks[kink] < 0 and kink not in resting]
        require(not low, f"{spot}: kinks {low[:1]} have a multiplier that is too large")
        moving = any(slacks[kink] > 0 for kink in moduli.keys() - resting)
        require(moving or not leaf["empty"], f"{spot}: the multipliers do not show that it is empty")
        known: set[tuple[int, ...]] = {*keys}
        for kink in kinks:
            if (slacks[kink] > 0 or kink in resting) and rows[kink].keys() <= known:
                known.add(kink)
        is_strict = leaf["empty"] or not strict or find_rank(rows, [k for k in kinks if k in known], keys) == rank
        require(is_strict, f"{spot}: not strict")


def check_tree(problem: Problem, rows: dict[Kink, Form], change: Form, tree: Line, strict: bool) -> None:
    """Checks that a point with this local form is a local minimum by a tree, a strict one if asked (section 5)."""
    settled: dict[Kink, Fraction] = tree["settled"]
    blocks: list[Line] = tree["blocks"]
    left = [kink for block in blocks for kink in block["kinks"]]
    is_whole = sorted([*settled, *left]) == sorted(rows)
    require(is_whole, "outcome: settled kinks and blocks do not hold each reduced kink once")
    units = [unit for block in blocks for unit in block["units"]]
    require(len(set(units)) == len(units), "outcome: a unit is in two blocks")
    keys: list[tuple[int, ...]] = [(p,) for p in range(len(problem.free))]
    known = {*keys, *left}
    for kink, multiplier in settled.items():
        add(change, -multiplier, rows[kink])
    for kink, multiplier in settled.items():
        bound = change.pop(kink, Fraction(0))
        require(abs(multiplier) <= bound, f"outcome: the multiplier of {kink} is too large")
        if abs(multiplier) < bound and rows[kink].keys() <= known:
            known.add(kink)
    for number, block in enumerate(blocks, 1):
        check_block(problem, rows, change, block, strict, f"outcome: block {number}")
    require(not change, "outcome: the slope is not that of the multipliers")
    if strict:
        is_full = find_rank(rows, [kink for kink in rows if kink in known], keys) == len(keys)
        require(is_full, "outcome: not strict")
        require(len(problem.pivots) == len(problem.inputs[0]), "outcome: not strict, there is lineality")


def check_outcome(position: Position, content: Line) -> str:
    """Checks the outcome, and returns it in words (section 4, line 4)."""
    by, name = content.get("by"), content["outcome"]
    require(by != "zero-loss" or position.loss == 0, "outcome: the loss is not zero")
    needs_form = by in {"likq", "tree"} or "active" in content
    problem = position.problem
    signs, _ = problem.survey(position.find_parameters(), problem.samples)
    rows, change = find_local_form(problem, signs) if needs_form else ({}, {})
    require(content.get("active", len(rows)) == len(rows), f"outcome: {len(rows)} kinks are active")
    if by in {"likq", "tree"}:
        reduce(rows, change)
    if by == "likq":
        check_likq(problem, rows, change, name == "strict-local-minimum")
    if by == "tree":
        check_tree(problem, rows, change, content, name == "strict-local-minimum")
    return f"{name} by {by}" if by else str(name)


def read_claims(path: str, problem: Problem, run: str, steps: int) -> list[Line]:
    """Returns the claims of a claims file; its numbers stay text, which is short (CLAIMS.md, 1 and 3)."""
    content = parse_json(b"".join(read_lines(path, CLAIMS_CAP)), "claims")
    content = fields(content, "claims", "format version instance run claims")
    demand(content["format"] == "exactdrl-claims", "claims: unknown format")
    integer(content["version"], 1, 1, "claims: version")
    demand(content["instance"] == problem.digest, "claims: they are about another instance")
    digest = hashlib.sha256()
    for line in read_lines(run, CERTIFICATE_CAP):
        digest.update(line)
    demand(content["run"] == digest.hexdigest(), "claims: they are about another run")
    claims = enumerate(entries(content["claims"], None, "claims"), 1)
    return [parse_claim(claim, problem, steps, f"claim {index}") for index, claim in claims]


def parse_claim(value: Any, problem: Problem, steps: int, place: str) -> Line:
    """Returns a claim about a run of so many steps, if it is of the form (CLAIMS.md, 3)."""
    demand(isinstance(value, dict), f"{place}: not an object")
    kind, quantity = value.get("claim"), value.get("quantity")
    demand(isinstance(kind, str) and kind in CLAIM_KEYS, f"{place}: unknown claim")
    claim = fields(value, place, f"claim {CLAIM_KEYS[kind]}" + " window bits" * (quantity == "length-sum"))
    for key in {"step", "from", "to"} & claim.keys():
        if kind != "line-density" or claim[key] is not None:
            integer(claim[key], 0, steps, f"{place}: {key}")
    demand(claim.get("from", 0) <= claim.get("to", 0), f"{place}: from is after to")
    keys = {"rate", "fraction", "low", "high"} & claim.keys()
    numbers = {key: rational(claim[key], f"{place}: {key}") for key in keys}
    if kind == "decay":
        demand(quantity in ("loss-gap", "squared-distance", "length-sum"), f"{place}: unknown quantity")
        rate = numbers["rate"]
        demand(rate > 0 and max(rate.as_integer_ratio()) <= 2**64, f"{place}: rate: out of range")
        demand(0 <= numbers["low"] <= 1 <= numbers["high"], f"{place}: not 0 <= low <= 1 <= high")
    if quantity == "length-sum":
        integer(claim["window"], 1, claim["from"], f"{place}: window")
        integer(claim["bits"], 1, 4096, f"{place}: bits")
    if kind == "estimate":
        demand(claim["method"] == "aitken", f"{place}: unknown method")
        demand(0 <= 2 * numbers["fraction"] <= 1, f"{place}: fraction: out of range")
    for key in {"offset", "direction"} & claim.keys():
        matrix(claim[key], len(problem.start), len(problem.start[0]), f"{place}: {key}")
    for key in {"squared_radii", "bounds"} & claim.keys():
        before = None
        for entry in entries(claim[key], None, f"{place}: {key}"):
            radius = rational(entry, f"{place}: {key}")
            is_first = before is None and (radius > 0 or (key == "squared_radii" and radius == 0))
            demand(is_first or (before is not None and before < radius), f"{place}: {key}: not positive and increasing")
            before = radius
        for count in entries(claim["counts"], len(claim[key]), f"{place}: counts"):
            integer(count, 0, None, f"{place}: counts")
    return claim


class Track:
    """What claims speak of: losses, lengths and distances of a run, and the points that lines start from."""

    def __init__(self, end: Position, claims: list[Line]) -> None:
        """Starts before the first vertex; the distances are those to `end`, which costs less room than all points."""
        self.end = self.here = end.find_parameters()
        self.losses: list[Fraction] = []
        self.lengths: list[Fraction] = []  # squared; the first one has no meaning
        self.distances: list[Fraction] = []  # squared
        zero = [[0 for _ in row] for row in self.here[0]], 1
        self.points = {claim.get("step"): zero for claim in claims if claim["claim"] == "line-density"}

    def add(self, position: Position) -> None:
        """Adds the next vertex of the run."""
        before, self.here = self.here, position.find_parameters()
        if len(self.losses) in self.points:
            self.points[len(self.losses)] = self.here
        self.losses.append(position.loss)
        self.lengths.append(find_squared_distance(before, self.here))
        self.distances.append(find_squared_distance(self.end, self.here))


def find_squared_distance(left: Point, right: Point) -> Fraction:
    """Returns the squared distance of two points."""
    (rows, den), (others, common) = left, right
    pairs = [both for one in zip(rows, others) for both in zip(*one)]
    return Fraction(int(sum((x * common - y * den) ** 2 for x, y in pairs)), int(den * common) ** 2)


def check_decay(track: Track, claim: Line, place: str) -> None:
    """Checks that a quantity stays in its bracket (CLAIMS.md, `decay`)."""
    first, last = claim["from"], claim["to"] + 1
    rate, low, high = (rational(claim[key], place) for key in ("rate", "low", "high"))
    lower: list[Any] = track.distances[first:last]  # integers or fractions, as upper
    if claim["quantity"] == "loss-gap":
        lower = [loss - track.losses[-1] for loss in track.losses[first:last]]
    upper = lower
    if claim["quantity"] == "length-sum":
        bits, window = claim["bits"], claim["window"]
        squares = [
            (4**bits * length.numerator, length.denominator) for length in track.lengths[first + 1 - window : last]
        ]
        roots = [isqrt(top // den) for top, den in squares]
        others = [root + (root * root * den != top) for root, (top, den) in zip(roots, squares)]
        sums = ([0, *accumulate(lengths)] for lengths in (roots, others))
        lower, upper = ([y - x for x, y in zip(total, total[window:])] for total in sums)
    require(lower[0] > 0, f"{place}: nothing is left at step {first}")
    least, most = low * upper[0], high * lower[0]
    top = bottom = 1
    for step, (small, large) in enumerate(zip(lower[1:], upper[1:]), first + 1):
        top, bottom = top * rate.numerator, bottom * rate.denominator
        # Long powers are cut off first: top / bottom lies between p / (q + 1) and (p + 1) / q.
        cut = max(min(top.bit_length(), bottom.bit_length()) - 256, 0)
        p, q = top >> cut, bottom >> cut
        is_high = is_ordered(least, p + 1, q, small) or is_ordered(least, top, bottom, small)
        require(is_high, f"{place}: step {step} is below the bracket")
        is_low = is_ordered(-most, p, q + 1, -large) or is_ordered(-most, top, bottom, -large)
        require(is_low, f"{place}: step {step} is above the bracket")


def is_ordered(bound: Fraction, top: int, bottom: int, value: Any) -> bool:
    """Returns whether bound · top / bottom <= value, an integer or a fraction."""
    return bool(bound.numerator * top * value.denominator <= value.numerator * bound.denominator * bottom)


def check_estimate(track: Track, claim: Line, place: str) -> None:
    """Checks that estimates of the final loss are in their bracket (CLAIMS.md, `estimate`)."""
    fraction, low, high = (rational(claim[key], place) for key in ("fraction", "low", "high"))
    for step in range(claim["from"], claim["to"] + 1):
        back = fraction.numerator * step // fraction.denominator
        losses = [track.losses[index] for index in (step, step - back, step - 2 * back, -1)]
        last, middle, first, final = to_integers(losses, prod(loss.denominator for loss in losses))
        q, p = last - middle, middle - first
        # Without an estimate, q = p, den is 0 and the error q · q is in no bracket.
        top, den = (last * (q - p) - q * q, q - p) if q else (last, 1)
        error, unit = (top - den * final) * (1 if den > 0 else -1), final * abs(den)
        is_inside = low * unit <= error <= high * unit
        require(is_inside, f"{place}: step {step} has no estimate in the bracket")


def check_counts(values: list[Fraction], bounds: list[Any], counts: list[int], side: Any, place: str) -> None:
    """Checks how many values are below each bound."""
    values.sort()
    for bound, count in zip(bounds, counts):
        found = side(values, rational(bound, place))
        require(found == count, f"{place}: a count is {found}, not {count}")


def find_breakpoints(problem: Problem, origin: Point, direction: list[list[int]], bound: Fraction) -> list[Fraction]:
    """Returns the breakpoints t of the loss, |t| < bound, at (theta + t direction) / den with the origin theta / den.

    A sample's values are affine functions a + b t between breakpoints, held as `evaluate` holds them.
    """
    theta, den = origin
    jumps: dict[Fraction, int] = {}
    for x, goals, scale in zip(problem.points, problem.goals, problem.scales):
        pieces = [(-bound, bound, [(dot(u, x), dot(d, x)) for u, d in zip(theta, direction)])]
        for depth, (weight, bias) in enumerate(problem.layers):
            parts, pieces = pieces, []
            for left, right, lines in parts:
                if depth > 0:
                    starts, slopes = zip(*lines)
                    lines = [(dot(row, starts) + c * scale * den, dot(row, slopes)) for row, c in zip(weight, bias)]
                if depth == problem.last:
                    lines = [(a - y * den, b) for (a, b), y in zip(lines, goals)]
                zeros = {Fraction(int(-a), int(b)) for a, b in lines if b}
                ends = [left, *sorted(t for t in zeros if left < t < right), right]
                for low, high in pairwise(ends):
                    p, q = (low + high).as_integer_ratio()  # no value has a zero inside, so its sign is that at p / 2q
                    signs = [1 if 2 * a * q + b * p > 0 else -(depth == problem.last) for a, b in lines]
                    pieces.append((low, high, [(sign * a, sign * b) for sign, (a, b) in zip(signs, lines)]))
        rates = [sum(b for _, b in lines) * (problem.common // scale) for _, _, lines in pieces]
        for (t, _, _), before, after in zip(pieces[1:], rates, rates[1:]):
            jumps[t] = jumps.get(t, 0) + after - before
    return [t for t, jump in jumps.items() if jump]


def check_claim(problem: Problem, track: Track, claim: Line, place: str) -> None:
    """Checks a claim about an accepted run (CLAIMS.md, 3)."""
    kind = claim["claim"]
    if kind == "loss":
        low, high = rational(claim["low"], place), rational(claim["high"], place)
        require(low <= track.losses[claim["step"]] <= high, f"{place}: the loss is outside the bracket")
    elif kind == "decay":
        check_decay(track, claim, place)
    elif kind == "estimate":
        check_estimate(track, claim, place)
    elif kind == "trajectory-density":
        check_counts(track.distances[:], claim["squared_radii"], claim["counts"], bisect_right, place)
    else:
        theta, den = track.points[claim["step"]]
        offset, direction = (matrix(claim[key], len(theta), None, place) for key in ("offset", "direction"))
        scale = find_common([*offset, *direction])
        more = [[den * o for o in to_integers(row, scale)] for row in offset]
        origin = [[scale * t + o for t, o in zip(*both)] for both in zip(theta, more)]
        way = [[den * d for d in to_integers(row, scale)] for row in direction]
        found = find_breakpoints(problem, (origin, scale * den), way, rational(claim["bounds"][-1], place))
        check_counts([abs(t) for t in found], claim["bounds"], claim["counts"], bisect_left, place)


def replay(problem: Problem, run: str, count: int) -> tuple[Position, Line, Iterator[tuple[str, Line]]]:
    """Returns the vertex after some steps, without checking those; the first line and the lines that follow."""
    lines = read_certificate(run, problem)
    place, vertex = next(lines)
    pattern, basis = vertex["pattern"], vertex["basis"]
    for number in range(1, count + 1):
        place, step = next(lines)
        problem.flip(pattern, step["flip"] + step.get("cross", []))
        basis = [kink for kink in step.get("basis") or basis if kink != step["leave"]] + [step["enter"]]
        show_progress(number, count, "replayed")
    position = Position(problem, pattern)
    position.occupy(basis, place)
    position.arrive(place)
    return position, vertex, lines


def check(instance: str, run: str, about: str | None = None, first: int = 1, last: int | None = None) -> str:
    """Checks a certificate, or some of its steps, and claims about it; returns a summary or raises (section 6)."""
    sys.set_int_max_str_digits(0)  # parse_number bounds the digits itself
    problem = Problem(instance)
    # All of the form first: what is not of the form is malformed even if a claim in it is false.
    kinds = ["cross" in content for _, content in read_certificate(run, problem) if "leave" in content]
    total = len(kinds)
    last = total if last is None else last
    demand(1 <= first <= max(last, 1) and last <= total, f"--steps: {first}:{last} is no span of {total} steps")
    claims = read_claims(about, problem, run, total) if about else []
    track = Track(replay(problem, run, total)[0], claims) if claims else None
    position, vertex, lines = replay(problem, run, first - 1)
    if first == 1:
        signs, loss = problem.survey((problem.start, problem.den), problem.samples)
        check_inside(problem, position.pattern, {} if "elsewhere" in vertex else signs, "line 2: the start")
        require(position.loss <= loss, "line 2: the loss is above the loss at the start")
    if track:
        track.add(position)
    result = ""
    for number, (place, claim) in enumerate(lines, first):
        if "leave" not in claim:
            result = check_outcome(position, claim)
        elif number > last:
            break
        else:
            check_step(position, claim, place)
            show_progress(number, total, "checked")
            if track:
                track.add(position)
    for number, claim in enumerate(claims, 1):
        if track:
            check_claim(problem, track, claim, f"claim {number}")
    count, long = last - first + 1, sum(kinds[first - 1 : last])
    notes = [f"{count - long} adjacent, {long} long"] if long else []
    notes += ["first vertex elsewhere"] if first == 1 and "elsewhere" in vertex else []
    notes += [f"part: the rest {'was' if result else 'and the outcome were'} not checked"] if count < total else []
    words = f"steps {first} to {last} of {total}" if count < total else f"{total} steps"
    words += (f", {result}" if result else "") + (f", {len(claims)} claims" if claims else "")
    return words + (f" ({'; '.join(notes)})" if notes else "")


def show_progress(number: int, total: int, word: str) -> None:
    """Shows on a terminal how far the check is."""
    if sys.stderr.isatty() and (number % 50 == 0 or number == total):
        print(f"\r{word} step {number} of {total}", end="" if number < total else "\n", file=sys.stderr, flush=True)


def main(argv: list[str]) -> int:
    """Prints the verdict in one line and returns the exit code (section 6)."""
    global INTEGER  # noqa: PLW0603 - one choice for the whole run
    INTEGER, span = int, None
    try:
        arguments = [word for word in argv if word != "--gmpy2"]
        if "--steps" in arguments:
            index = arguments.index("--steps")
            span = re.fullmatch("([0-9]{0,9}):([0-9]{0,9})", "".join(arguments[index + 1 : index + 2]))
            demand(span is not None, USAGE)
            del arguments[index : index + 2]
        demand(len(arguments) == 2 or (len(arguments) == 3 and span is None), USAGE)
        if "--gmpy2" in argv:
            demand(importlib.util.find_spec("gmpy2") is not None, "--gmpy2: gmpy2 cannot be imported")
            INTEGER = importlib.import_module("gmpy2").mpz
        first, last = (int(span[1] or 1), int(span[2]) if span[2] else None) if span else (1, None)
        instance, run, *claims = arguments
        line, code = f"accepted: {check(instance, run, claims[0] if claims else None, first, last)}", 0
    except Rejected as reason:
        line, code = f"rejected: {reason}", 1
    except Malformed as reason:
        line, code = f"malformed: {reason}", 2
    except MemoryError:
        line, code = "malformed: not enough memory for this instance", 2
    print(line.encode("unicode_escape").decode("ascii"))  # one line of ASCII, whatever is in a file's name
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
