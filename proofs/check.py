"""Checks a certificate of a vertex walk, and claims about it: python -I -S check.py INSTANCE RUN [CLAIMS].

Prints one line, `accepted: ...`, `rejected: REASON` or `malformed: REASON`, and exits with 0, 1 or 2. FORMAT.md and
CLAIMS.md beside this file say what the files are and what is claimed; section numbers below are FORMAT.md's.
`--steps A:B` checks steps A to B alone, `--gmpy2` computes with that package's integers, to the same end but faster.

All numbers are integers or fractions of integers, nothing is rounded, and nothing is searched for. From vertex to
vertex only what a pivot changes is computed anew; `Position` says what is kept, and why that is enough.
"""

# What JSON holds is Any until it is parsed, a verdict is no error, one file has no use for pathlib or a logger:
# ruff: noqa: ANN401, B007, B905, D107, FBT001, FBT003, N818, PLR2004, PLW2901, PTH123, T201

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import json
import re
import sys
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from functools import lru_cache, partial
from itertools import accumulate, count, islice, pairwise
from math import isqrt, lcm
from operator import add, mul
from typing import Any

# Bounds on decompressed bytes: a small file cannot fill the memory. The largest problems in view stay under a tenth.
INSTANCE_CAP, CERTIFICATE_CAP, LINE_CAP, CLAIMS_CAP = 2**28, 2**32, 2**26, 2**24
NUMBER_CAP, DECIMAL_CAP, BINARY_CAP, CLAIM_CAP = 100_000, 10_000, 40_000, 1000
RATIO = re.compile(r"(-?[0-9]+)/(0*[1-9][0-9]*)")
DECIMAL = re.compile(r"(-?)(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?")
HEXADECIMAL = re.compile(r"(-?)0[xX](?=\.?[0-9a-fA-F])([0-9a-fA-F]*)(?:\.([0-9a-fA-F]*))?[pP]([+-]?[0-9]+)")
USAGE = "usage: python -I -S check.py INSTANCE RUN [CLAIMS | --steps A:B] [--gmpy2]"
GRID, POWER = 2**53, lru_cache(64)(pow)  # 1e9999 is short, and may be in a file a million times

Line = dict[str, Any]  # a JSON object
Kink = tuple[int, int, int]  # layer, sample, unit
Table = list[list[list[int]]]  # an integer for each depth, unit, sample; of a pattern 1 for on and -1 for off
Rows = list[list[Fraction]]
Key = tuple[int, ...]  # (p,) for parameter p, a kink k for |z_k|
Form = dict[Key, Fraction]  # nonzero coefficients
Function = list[int]  # [a_1, ..., a_n, c] stands for a · (E times the parameters) + c, see find_function
Lines = Iterator[tuple[str, Line]]  # of a certificate, with their places
Point = tuple[list[list[int]], int]  # (t, den): the parameters t / den, of shape (n_ℓ, m)

INTEGER: Any = int  # or gmpy2's, which are faster
ZERO, ONE = Fraction(0), Fraction(1)


class Rejected(Exception):
    """A claim of well-formed files is false (section 6)."""


class Malformed(Exception):
    """A file is not of the form, or the certificate is for another instance (section 6)."""


def require(condition: bool, reason: str, verdict: type[Exception] = Rejected) -> None:
    """Rejects the certificate unless the condition, which it claims, holds; the only way to reject."""
    if not condition:
        raise verdict(reason)


demand = partial(require, verdict=Malformed)  # calls the files malformed unless the condition holds; the only way


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


def rational(value: Any, place: str) -> Fraction:
    """Returns a number (section 1) that stands in JSON."""
    if type(value) is int:
        return Fraction(value)
    demand(type(value) in {str, bytes}, f"{place}: not a number")
    text = value if isinstance(value, str) else value.decode()
    demand(len(text) <= NUMBER_CAP, f"{place}: a number has over {NUMBER_CAP} characters")
    if match := RATIO.fullmatch(text):
        return Fraction(int(match[1]), int(match[2]))
    base, root, places, cap, match = 10, 10, 1, DECIMAL_CAP, DECIMAL.fullmatch(text)
    if match is None:
        base, root, places, cap, match = 16, 2, 4, BINARY_CAP, HEXADECIMAL.fullmatch(text)
    sign, whole, behind, power = match.groups("") if match else ("", "", "", "")
    demand(match is not None, f"{place}: a number is neither decimal, ratio nor hexadecimal float")
    exponent = int(power or "0")
    demand(abs(exponent) <= cap, f"{place}: a number's exponent is over {cap}")
    exponent -= places * len(behind)
    return Fraction(int(sign + whole + behind, base) * POWER(root, max(exponent, 0)), POWER(root, max(-exponent, 0)))


def numeral(value: Any, place: str) -> Any:
    """Returns what stands for a number in JSON as it is, which is short, for `rational` later on."""
    rational(value, place)
    return value


def parse_json(data: bytes, place: str) -> Any:
    """Returns a JSON value: objects as pairs, and numbers with point or exponent as bytes, since 1e9999 is short."""
    hooks: Line = {"parse_float": str.encode, "parse_constant": partial(rational, place=place)}  # no NaN, no Infinity
    hooks["parse_int"] = lambda text: rational(text, place).numerator
    try:
        return json.loads(data.decode("ascii"), object_pairs_hook=tuple, **hooks)
    except (ValueError, RecursionError) as error:
        demand(False, f"{place}: not JSON in ASCII ({type(error).__name__})")


def parse(value: Any, shape: Any, place: str) -> Any:
    """Returns what a JSON value of a shape stands for. Places name keys, and count the entries of lists from 1."""
    # A shape is a dict for an object with these keys (one with "?" may be missing), a tuple of dicts for one of these,
    # a list [shape, lengths] for a list, a range for an integer in it, a pattern for a string, a set of truth values,
    # or a function that takes value and place.
    if callable(shape):
        return shape(value, place)
    if isinstance(shape, dict | tuple):
        demand(isinstance(value, tuple), f"{place}: not an object")
        found = dict(value)
        demand(len(found) == len(value), f"{place}: a key occurs twice in one object")
        if isinstance(shape, tuple):
            shape = next((part for part in shape if part.keys() == found.keys()), shape[0])
        shapes = {key.rstrip("?"): part for key, part in shape.items()}
        is_fit = shape.keys() & shapes.keys() <= found.keys() <= shapes.keys()
        demand(is_fit, f"{place}: its keys are not those of the format")
        return {key: parse(found[key], part, f"{place}: {key}") for key, part in shapes.items() if key in found}
    if isinstance(shape, list):
        demand(isinstance(value, list), f"{place}: not a list")
        demand(len(value) in shape[1], f"{place}: {len(value)} entries")
        return [parse(entry, shape[0], f"{place} {number}") for number, entry in enumerate(value, 1)]
    if isinstance(shape, range):
        demand(type(value) is int, f"{place}: not an integer")  # JSON's true is an int in Python
        demand(value in shape, f"{place}: out of range")
    elif isinstance(shape, str):
        demand(isinstance(value, str) and re.fullmatch(shape, value) is not None, f"{place}: does not match {shape}")
    else:
        demand(type(value) is bool and value in shape, f"{place}: not {' or '.join(map(json.dumps, sorted(shape)))}")
    return value


def nullable(shape: Any, value: Any, place: str) -> Any:
    """Returns what a JSON value of a shape stands for, or None for null."""
    return None if value is None else parse(value, shape, place)


ANY, SOME = range(10**NUMBER_CAP), range(1, 10**NUMBER_CAP)  # no integer in a file is larger
ONCE, FEW, HASH, NAME = range(1, 2), range(1, CLAIM_CAP + 1), "[0-9a-f]{64}", "[a-z][a-z0-9-]{0,63}"
MATRIX = [[rational, SOME], SOME]
NETWORK = {"layers": [{"weight": MATRIX, "bias": partial(nullable, [rational, SOME])}, SOME]}
INSTANCE: Line = {"format": "exactdrl-instance", "version": ONCE, "network": NETWORK, "layer": SOME}
INSTANCE |= {"loss": {"kind": "absolute"}, "data": {"inputs": MATRIX, "targets": MATRIX}}
INSTANCE |= {"start?": partial(nullable, MATRIX)}


def dot(left: Iterable[int], right: Iterable[int]) -> int:
    """Returns the inner product."""
    return sum(map(mul, left, right))


def to_integers(rows: Rows) -> tuple[list[list[int]], int]:
    """Returns a matrix times its least common denominator, and that."""
    scale = lcm(*(entry.denominator for row in rows for entry in row))
    return [[INTEGER(entry.numerator * (scale // entry.denominator)) for entry in row] for row in rows], scale


def echelon(rows: Iterable[list[Fraction]]) -> dict[int, list[Fraction]]:
    """Returns the rows of a matrix's reduced row echelon form, by their pivot columns (section 3)."""
    found: dict[int, list[Fraction]] = {}
    for row in rows:
        for column, pivot in found.items():
            row = [x - row[column] * y for x, y in zip(row, pivot)] if row[column] else row
        lead = next((column for column, entry in enumerate(row) if entry), None)
        if lead is not None:
            unit = [entry / row[lead] for entry in row]
            found = {k: [x - v[lead] * y for x, y in zip(v, unit)] if v[lead] else v for k, v in found.items()}
            found[lead] = unit
        if len(found) == len(row):
            break
    return dict(sorted(found.items()))


class Problem:
    """An instance (sections 2, 3), scaled to integers. Layers are counted by depth here: 0 is the trained layer."""

    def __init__(self, path: str) -> None:
        data = b"".join(read_lines(path, INSTANCE_CAP))
        self.digest = hashlib.sha256(data).hexdigest()
        instance = parse(parse_json(data, "instance"), INSTANCE, "instance")
        layers, first = instance["network"]["layers"], int(instance["layer"])
        inputs, targets = instance["data"]["inputs"], instance["data"]["targets"]
        demand(first <= len(layers), "instance: layer: out of range")
        weights: list[Rows] = [layer["weight"] for layer in layers]
        biases: Rows = [layer["bias"] or [ZERO] * len(layer["weight"]) for layer in layers]
        widths = [len(weights[0][0]), *map(len, weights)]
        for number, (weight, bias, width) in enumerate(zip(weights, biases, widths), 1):
            is_fit = {*map(len, weight)} == {width} and len(bias) == len(weight)
            demand(is_fit, f"layer {number}: not {width} weights and a bias for each unit")
        is_fit = {*map(len, inputs)} == {widths[0]} and [*map(len, targets)] == [widths[-1]] * len(inputs)
        demand(is_fit, f"data: not {widths[0]} inputs and {widths[-1]} targets for each sample")
        for weight, bias in zip(weights[: first - 1], biases):
            inputs = [[max(sum(map(mul, row, x), b), ZERO) for row, b in zip(weight, bias)] for x in inputs]
        start = weights[first - 1]
        if layers[first - 1]["bias"]:
            inputs = [[*x, ONE] for x in inputs]
            start = [[*row, b] for row, b in zip(start, biases[first - 1])]
        start, sizes = instance.get("start") or start, [*map(len, start)]
        demand([*map(len, start)] == sizes, f"start: not {len(sizes)} rows of {sizes[0]} numbers")
        self.start, self.den = to_integers(start)  # E times the start, E
        self.inputs, self.pivots = inputs, list(echelon(inputs))  # x̃_i, P
        self.free = [(j, k) for j in range(len(start)) for k in self.pivots]  # the n parameters that remain
        self.weights = [[], *weights[first:], [[ONE] * widths[-1]]]
        self.widths = widths[first:]
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


class Position:
    """Where a walk is: a cell, a basis, and the vertex that they make.

    **Point.** The rows a_0, a_1, ... are the normals of n kinks (unit vectors to begin with), always independent; den,
    over 0, is the size of their determinant. Their functions vanish where E times the parameters is numerators / den,
    integers by Cramer's rule. To exchange row l for (a', c'), take the edge r with a_l · r = den and a_j · r = 0 for
    others, integers too. The size of a' · r is the new determinant: the rows stay independent exactly if it is not 0.
    The point moves along r until the new function vanishes.

    **Edge.** With the rows' inverse modulo a prime, the digits of r to that base are read off one by one: rows times
    digits are what is left, modulo the prime, so that after them a multiple of it is left.
    """

    def __init__(self, problem: Problem, pattern: Table, track: Track | None = None) -> None:
        self.problem, self.pattern, self.track = problem, pattern, track
        self.basis, self.zeros, self.loss = list[Kink](), set[Kink](), ZERO  # zeros vanish at the vertex
        self.piece = problem.find_loss(pattern, problem.samples)
        self.clear(2**255 - 19)

    def clear(self, prime: int) -> None:
        """Makes all rows unit vectors, and takes another prime."""
        self.prime, n = prime, range(len(self.problem.free))
        self.owners: list[Kink | None] = [None for _ in n]
        self.rows: list[Function] = [[*(INTEGER(i == j) for j in n), 0] for i in n]
        self.inverse = [row[:-1] for row in self.rows]  # its columns
        self.numerators, self.den = [INTEGER(0) for _ in n], INTEGER(1)

    def turn(self, kinks: list[Kink]) -> None:
        """Inverts bits of the pattern. Rows that change with them lose their owners."""
        samples = {sample for _, sample, _ in kinks}
        before = self.problem.find_loss(self.pattern, samples)
        self.problem.flip(self.pattern, kinks)
        after = self.problem.find_loss(self.pattern, samples)
        self.piece = [g - a + b for g, a, b in zip(self.piece, before, after)]
        for index, kink in enumerate(self.owners):
            if kink and kink[1] in samples:
                row = self.problem.find_function(self.pattern, *self.problem.locate(kink))
                self.owners[index] = kink if row == self.rows[index] else None

    def find_edge(self, index: int) -> list[int]:
        """Returns the integers r with a_index · r = den, a_j · r = 0 for the other rows; ends only if they are."""
        lines, prime, power = list(zip(*self.inverse)), self.prime, 1
        edge, left = [0] * len(lines), [0] * len(lines)
        left[index] = self.den
        while any(left):
            rest = [value // power for value in left]
            digits = [(dot(line, rest) + prime // 2) % prime - prime // 2 for line in lines]
            edge = [r + power * digit for r, digit in zip(edge, digits)]
            left = [-dot(row, edge) for row in self.rows]
            left[index] += self.den
            power *= prime
        return edge

    def exchange(self, index: int, kink: Kink, row: Function, shares: list[int]) -> None:
        """Exchanges a row for that of a kink; its shares are its products with the inverse's columns."""
        edge = self.find_edge(index)
        den, value = dot(row, edge), dot(row, [*self.numerators, self.den])
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
        require(len(basis) == len(self.rows), f"{place}: {len(basis)} kinks in the basis, not {len(self.rows)}")
        self.basis, wanted = list(basis), set(basis)
        vacant = [index for index, kink in enumerate(self.owners) if kink not in wanted]
        for kink in sorted(wanted.difference(self.owners)):
            row = self.problem.find_function(self.pattern, *self.problem.locate(kink))
            shares = [dot(row, column) % self.prime for column in self.inverse]
            index = next((index for index in vacant if shares[index]), -1)
            if index < 0:  # modulo the prime at least, the row is a combination of rows that stay
                require(any(dot(row, self.find_edge(index)) for index in vacant), f"{place}: the basis is dependent")
                self.clear(next(p for p in count(self.prime + 2, 2) if pow(2, p - 1, p) == 1))
                self.occupy(basis, place)
                return
            self.exchange(index, kink, row, shares)
            vacant.remove(index)
        require(not vacant, f"{place}: the basis is dependent")

    def arrive(self, place: str) -> None:
        """Checks that the point lies in the cell (section 3), and finds its zeros and the loss there."""
        self.zeros = self.problem.find_zeros(self.pattern, self.find_parameters(), f"{place}: the vertex")
        loss = dot(self.piece, [*self.numerators, self.den])
        self.loss = Fraction(int(loss), int(self.den * self.problem.unit))
        if self.track:
            self.track.add(self)

    def find_slope(self, kink: Kink) -> int:
        """Returns the slope of a kink's edge, up to a positive factor."""
        layer, sample, unit = kink
        bit = self.pattern[layer - self.problem.first][unit][sample]
        return bit * dot(self.piece, self.find_edge(self.owners.index(kink)))

    def find_parameters(self) -> Point:
        """Returns the vertex, in all parameters."""
        theta = [[entry * self.den for entry in row] for row in self.problem.start]
        for (j, k), value in zip(self.problem.free, self.numerators):
            theta[j][k] = value
        return theta, self.problem.den * self.den

    def check_published_stop(self, place: str) -> None:
        """Checks that the published rule stops here (section 4, published_stop), and returns to the cell."""
        # A flip of a kink of the basis adds multiples of its normal to the others' and to the gradient. So no edge
        # changes but that kink's own, and no other slope.
        require(bool(self.basis), f"{place}: published_stop without parameters")
        slopes = {kink: self.find_slope(kink) for kink in self.basis}
        for number, kink in enumerate(self.basis, 1):
            self.turn([kink])
            self.occupy(self.basis, place)
            slopes[kink] = self.find_slope(kink)
            falling = [other for other in self.basis if slopes[other] < 0]
            require(not falling, f"{place}: no published stop, after {number} flips edge {falling[:1]} falls")
        self.turn(self.basis)

    def check_step(self, step: Line, place: str) -> None:
        """Checks a step, and goes to the next vertex (section 4)."""
        point, den, loss = self.numerators, self.den, self.loss
        if "published_stop" in step:
            self.check_published_stop(place)
        flips, crossed, leave, enter = step["flip"], step.get("cross", []), step["leave"], step["enter"]
        is_once = len(flips) == len({*flips}) and len(crossed) == len({*crossed})
        require(is_once, f"{place}: a kink is flipped or crossed twice")
        # A zero kink satisfies either bit, and its activation is 0 with either: the vertex lies in the new cell.
        require({*flips} <= self.zeros, f"{place}: a flipped kink is not zero at the vertex")
        self.turn(flips)
        basis = step.get("basis", self.basis)
        if "basis" in step:
            self.occupy(basis, f"{place}: basis")
            is_same = all(x * den == y * self.den for x, y in zip(self.numerators, point))
            require(is_same, f"{place}: basis: it is another point's")
        require({*basis}.isdisjoint(crossed), f"{place}: a crossed kink is in the basis")
        self.turn(crossed)
        require(leave in basis, f"{place}: leaving kink {leave} is not in the basis")
        require(enter not in basis, f"{place}: entering kink {enter} is already in the basis")
        self.occupy([kink for kink in basis if kink != leave] + [enter], place)
        self.arrive(place)
        require(any(x * den != y * self.den for x, y in zip(self.numerators, point)), f"{place}: the point stays")
        require(self.loss <= loss, f"{place}: the loss rises")
        strict = [key for key in ("cross", "published_stop") if key in step]
        require(self.loss < loss or not strict, f"{place}: {' and '.join(strict)}, but the loss does not fall")

    def check_outcome(self, content: Line) -> str:
        """Checks the outcome, and returns it in words (section 4, line 4)."""
        by, name = content.get("by"), content["outcome"]
        require(by != "zero-loss" or self.loss == 0, "outcome: the loss is not zero")
        if by in {"likq", "tree"} or "active" in content:
            form = LocalForm(self)
            count = len(form.rows)
            require(content.get("active", count) == count, f"outcome: {count} kinks are active")
            if by:
                form.reduce()
                form.check_tree(content if by == "tree" else form.find_likq(), name == "strict-local-minimum")
        return f"{name} by {by}" if by else str(name)


def read_certificate(path: str, problem: Problem, digest: Any) -> Lines:
    """Yields place and content of lines 2, 3 and 4 (section 4); at the end all form is checked, all bytes hashed."""
    kink, kinks = problem.parse_kink, [problem.parse_kink, ANY]
    minimum, undecided = {"outcome": "(strict-)?local-minimum"}, {"outcome": "undecided", "active": ANY}
    tree = {"by": "tree", "settled": problem.parse_settled, "blocks": [problem.parse_block, ANY]}
    step = {"flip": kinks, "leave": kink, "enter": kink, "basis?": kinks, "cross?": [kink, SOME]}
    shapes: Line = {
        "header": {"format": "exactdrl-certificate", "version": ONCE, "instance": HASH, "rule": NAME, "start": NAME},
        "vertex": {"vertex": {"pattern": problem.parse_pattern, "basis": kinks, "elsewhere?": {True}}},
        "step": step | {"published_stop?": {True}},
        "outcome": ({"outcome": "step-limit"}, undecided, minimum | {"by": "likq|zero-loss"}, minimum | tree),
        "end": {"end": {"steps": ANY, "sha256": HASH}},
    }
    steps, part = 0, "header"
    for number, line in enumerate(read_lines(path, CERTIFICATE_CAP), 1):
        place = f"line {number}"
        demand(part != "nothing", f"{place}: something follows the end line")
        demand(line.endswith(b"\n"), f"{place}: breaks off, or is longer than {LINE_CAP} bytes")
        value = parse_json(line, place)
        part = "outcome" if part == "step" and isinstance(value, tuple) and "outcome" in dict(value) else part
        content = parse(value, shapes[part], place)
        if part == "header":
            demand(content["instance"] == problem.digest, f"{place}: the certificate is for another instance")
        elif part == "end":
            demand(content["end"]["steps"] == steps, f"{place}: there are {steps} steps")
            demand(content["end"]["sha256"] == digest.hexdigest(), f"{place}: the hash is not that of the lines before")
        else:
            demand(content != {"outcome": "strict-local-minimum", "by": "zero-loss"}, f"{place}: strict by zero-loss")
            yield place, content.get("vertex", content)
        digest.update(line)
        steps += part == "step"
        part = {"header": "vertex", "outcome": "end", "end": "nothing"}.get(part, "step")
    demand(part == "nothing", "the certificate breaks off before its end line")


def mix(terms: Iterable[tuple[Fraction, Form]]) -> Form:
    """Returns the sum of multiples of forms; coefficients that cancel vanish."""
    total: Form = {}
    for factor, form in terms:
        for key, value in form.items() if factor else ():
            total[key] = total.get(key, ZERO) + factor * value
    return {key: value for key, value in total.items() if value}


class LocalForm:
    """How the loss changes near a vertex (section 5): F as (g, b), and the forms (Z_j, L_j) of the active kinks."""

    def __init__(self, position: Position) -> None:
        self.position, self.problem, self.rows = position, position.problem, dict[Kink, Form]()
        self.keys: set[Key] = {(p,) for p in range(len(self.problem.free))}
        for kink in sorted(position.zeros):
            form = self.find_change(*self.problem.locate(kink))
            self.rows |= {kink: form} if form else {}
        self.change: Form = {}
        for sample in self.problem.samples:
            self.change = mix([(ONE, self.change), (ONE, self.find_change(sample, self.problem.last + 1, [1]))])

    def find_change(self, sample: int, depth: int, v: list[Any]) -> Form:
        """Returns the change of v · (what a sample has at a depth, after the last its loss), by the rows before it."""
        form: Form = {}
        for d in range(depth - 1, -1, -1):
            v = [sum(map(mul, column, v), ZERO) for column in zip(*self.problem.weights[d + 1])]
            off = -int(d == self.problem.last)  # what an activation changes by if its bit is off: 0 times z, or -z
            for unit, share in enumerate(v):
                kink = self.problem.first + d, sample, unit
                if kink in self.position.zeros:
                    v[unit] = share * (1 + off) / 2
                    form |= {kink: share * (1 - off) / 2} if kink in self.rows else {}
                elif self.position.pattern[d][unit][sample] < 0:
                    v[unit] = share * off
        form |= {(p,): v[j] * self.problem.inputs[sample][k] for p, (j, k) in enumerate(self.problem.free)}
        return {key: value for key, value in form.items() if value}

    def reduce(self) -> None:
        """Reduces the form until nothing changes (section 5)."""
        leaders: dict[frozenset[tuple[Key, Fraction]], tuple[Kink, Fraction]] = {}
        for kink, form in list(self.rows.items()):
            lead = form[min(form)] if form else ZERO
            leader, scale = leaders.setdefault(frozenset((key, x / lead) for key, x in form.items()), (kink, lead))
            if not form or leader != kink:
                del self.rows[kink]
                for owner in (self.change, *self.rows.values()):
                    total = owner.pop(kink, ZERO) * (abs(lead / scale) if form else 0) + owner.pop(leader, ZERO)
                    owner.update({leader: total} if total else {})
        while unused := self.rows.keys() - set(self.change).union(*self.rows.values()):
            self.rows = {kink: form for kink, form in self.rows.items() if kink not in unused}

    def find_likq(self) -> Line:
        """Returns LIKQ as a tree: without blocks, and the settled kinks have the only multipliers that there are."""
        # A column for each Z_j and the last one for g: if the Z_j are independent, g = Zᵀλ reads off the echelon form
        columns, count = [*self.rows.values(), self.change], len(self.rows)
        system = echelon([column.get(key, ZERO) for column in columns] for key in self.keys)
        require([*system][:count] == [*range(count)], f"outcome: no LIKQ, the {count} reduced kinks are dependent")
        return {"settled": {kink: row[-1] for kink, row in zip(self.rows, system.values())}, "blocks": []}

    def find_rank(self, kinks: list[Kink], keys: set[Key], left: Iterable[Kink] = ()) -> int:
        """Returns the rank of Z of the kinks left, and of kinks whose keys are known or belong to such kinks."""
        known = keys.union(left)
        for kink in kinks:
            known |= {kink} if self.rows[kink].keys() <= known else set()
        return len(echelon([self.rows[kink].get(key, ZERO) for key in keys] for kink in self.rows if kink in known))

    def check_tree(self, tree: Line, strict: bool) -> None:
        """Checks that the vertex is a local minimum by a tree, a strict one if asked (section 5)."""
        settled, blocks = tree["settled"], tree["blocks"]
        left = [kink for block in blocks for kink in block["kinks"]]
        require(sorted([*settled, *left]) == sorted(self.rows), "outcome: it does not hold each reduced kink once")
        units = [unit for block in blocks for unit in block["units"]]
        require(len(set(units)) == len(units), "outcome: a unit is in two blocks")
        self.change = mix([(ONE, self.change), *((-x, self.rows[kink]) for kink, x in settled.items())])
        slacks = {kink: self.change.pop(kink, ZERO) - abs(x) for kink, x in settled.items()}
        low = next((kink for kink, slack in slacks.items() if slack < 0), None)
        require(low is None, f"outcome: the multiplier of {low} is too large")
        for number, block in enumerate(blocks, 1):
            self.check_block(block, strict, f"outcome: block {number}")
        require(not self.change, "outcome: the slope is not that of the multipliers")
        if strict:
            tight = [kink for kink, slack in slacks.items() if slack > 0]
            require(self.find_rank(tight, self.keys, left) == len(self.keys), "outcome: not strict")
            require(len(self.problem.pivots) == len(self.problem.inputs[0]), "outcome: not strict, there is lineality")

    def check_block(self, block: Line, strict: bool, place: str) -> None:
        """Checks that F ≥ 0 on a block, and takes the block's share out of F (section 5, tree, 5 to 10)."""
        kinks, leaves, rows = block["kinks"], block["leaves"], self.rows
        keys: set[Key] = {(p,) for p, (unit, _) in enumerate(self.problem.free) if unit in block["units"]}
        far = next((kink for kink in kinks if not rows[kink].keys() <= keys.union(kinks)), None)
        require(far is None, f"{place}: kink {far} depends on what is not in the block")
        require(is_tree([leaf["signs"] for leaf in leaves]), f"{place}: the leaves are not those of a tree")
        share, rank = {key: self.change.pop(key, ZERO) for key in [*keys, *kinks]}, self.find_rank(kinks, keys)
        for number, leaf in enumerate(leaves, 1):
            spot, empty, signs = f"{place}, leaf {number}", leaf["empty"], dict(zip(kinks, leaf["signs"]))
            multipliers = {kink: rational(text, spot) for kink, text in zip(kinks, leaf["multipliers"])}
            rest = mix([(ZERO if empty else ONE, share), *((-x, rows[kink]) for kink, x in multipliers.items())])
            require(not rest.keys() & keys, f"{spot}: the multipliers do not give the slope")
            slacks = {k: rest.get(k, ZERO) + {"+": x, "-": -x, ".": -abs(x)}[signs[k]] for k, x in multipliers.items()}
            for cover in leaf["covers"]:
                shares = {kink: rational(text, spot) for kink, text in zip(kinks, cover["shares"])}
                bent = mix((x, rows[kink]) for kink, x in shares.items())
                require(not bent.keys() & keys, f"{spot}: the cover of {cover['kink']} is no relation")
                for kink, x in shares.items():
                    slacks[kink] += (abs(x) if kink == cover["kink"] else -abs(x)) - abs(bent.get(kink, ZERO))
            moduli: dict[Key, Form] = {}  # a with |z_j| = a · d on the leaf's cone, for determined kinks j
            for kink, sign in signs.items():
                terms = ((x, moduli.get(key, {key: ONE})) for key, x in rows[kink].items())
                row = rows[kink] if rows[kink].keys().isdisjoint(moduli) else mix(terms)
                if not row or (sign != "." and not row.keys() & rows.keys()):
                    moduli[kink] = mix([(-ONE, row)]) if sign == "-" else row
            resting = {kink for kink, row in moduli.items() if not row}
            low = next((kink for kink in kinks if slacks[kink] < 0 and kink not in resting), None)
            require(low is None, f"{spot}: the multiplier of {low} is too large")
            is_flat = any(slacks[kink] > 0 for kink in kinks if moduli.get(kink))
            require(is_flat or not empty, f"{spot}: the multipliers do not show that it is empty")
            tight = [kink for kink in kinks if slacks[kink] > 0 or kink in resting]
            require(empty or not strict or self.find_rank(tight, keys) == rank, f"{spot}: not strict")


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


def read_claims(path: str, problem: Problem, run: str, steps: int) -> list[Line]:
    """Returns the claims of a claims file; lists of its numbers stay text, which is short (CLAIMS.md, 1 and 3)."""
    step, numbers, counts = range(steps + 1), [numeral, SOME], [ANY, SOME]
    matrix = [[numeral, [len(problem.start[0])]], [len(problem.start)]]
    span = {"from": step, "to": step, "low": rational, "high": rational}
    decay = {"claim": "decay", "rate": rational, **span}
    line = {"claim": "line-density", "step": partial(nullable, step), "offset": matrix, "direction": matrix}
    claims = (
        {"claim": "loss", "step": step, "low": rational, "high": rational},
        decay | {"quantity": "loss-gap|squared-distance"},
        decay | {"quantity": "length-sum", "window": SOME, "bits": range(1, 4097)},
        {"claim": "estimate", "method": "aitken", "fraction": rational, **span},
        {"claim": "trajectory-density", "squared_radii": numbers, "counts": counts},
        line | {"bounds": numbers, "counts": counts},
    )
    shape = {"format": "exactdrl-claims", "version": ONCE, "instance": HASH, "run": HASH, "claims": [claims, FEW]}
    content = parse(parse_json(b"".join(read_lines(path, CLAIMS_CAP)), "claims file"), shape, "claims file")
    demand(content["instance"] == problem.digest, "claims: they are about another instance")
    demand(content["run"] == run, "claims: they are about another run")
    for number, claim in enumerate(content["claims"], 1):
        place, first, last = f"claim {number}", claim.get("from", 0), claim.get("to", 0)
        demand(claim.get("window", 0) <= first <= last, f"{place}: not window <= from <= to")
        demand(0 <= 2 * claim.get("fraction", 0) <= 1, f"{place}: fraction: out of range")
        if "rate" in claim:
            top, bottom = claim["rate"].as_integer_ratio()
            demand(0 < top <= 2**64 >= bottom, f"{place}: rate: out of range")
            demand(0 <= claim["low"] <= 1 <= claim["high"], f"{place}: not 0 <= low <= 1 <= high")
        for key in claim.keys() & {"squared_radii", "bounds"}:
            least = rational(claim[key][0], place)
            demand(least > 0 or (least == 0 and key == "squared_radii"), f"{place}: {key}: out of range")
            is_rising = all(x < y for x, y in pairwise(rational(entry, place) for entry in claim[key]))
            demand(is_rising, f"{place}: {key}: not increasing")
            demand(len(claim["counts"]) == len(claim[key]), f"{place}: counts: {len(claim['counts'])} entries")
    return list(content["claims"])


class Track:
    """What claims speak of: losses, lengths and distances of a run, and the points that lines start from."""

    def __init__(self, end: Position, claims: list[Line]) -> None:
        self.problem, self.end = end.problem, end.find_parameters()  # known first: to keep all points needs more room
        self.losses, self.lengths, self.distances = list[Fraction](), list[Fraction](), list[Fraction]()  # two squared
        self.here = zero = [[0 for _ in row] for row in self.end[0]], 1  # so that the first length has no meaning
        self.points = {claim.get("step"): zero for claim in claims if claim["claim"] == "line-density"}

    def add(self, position: Position) -> None:
        """Adds the next vertex of the run."""
        before, self.here = self.here, position.find_parameters()
        if len(self.losses) in self.points:
            self.points[len(self.losses)] = self.here
        self.losses.append(position.loss)
        for squares, (rows, den) in ((self.lengths, before), (self.distances, self.end)):
            pairs = [both for one in zip(self.here[0], rows) for both in zip(*one)]
            total = sum((x * den - y * self.here[1]) ** 2 for x, y in pairs)
            squares.append(Fraction(int(total), int(den * self.here[1]) ** 2))

    def check_claim(self, claim: Line, place: str) -> None:
        """Checks a claim about an accepted run (CLAIMS.md, 3)."""
        kind = claim["claim"]
        if kind == "loss":
            require(claim["low"] <= self.losses[claim["step"]] <= claim["high"], f"{place}: outside the bracket")
        elif kind in {"decay", "estimate"}:
            (self.check_decay if kind == "decay" else self.check_estimate)(claim, place)
        else:
            key, side = ("bounds", bisect_left) if kind == "line-density" else ("squared_radii", bisect_right)
            values = sorted(self.find_breakpoints(claim, place) if kind == "line-density" else self.distances)
            for bound, count in zip(claim[key], claim["counts"]):
                found = side(values, rational(bound, place))
                require(found == count, f"{place}: a count is {found}, not {count}")

    def check_decay(self, claim: Line, place: str) -> None:
        """Checks that a quantity stays in its bracket (CLAIMS.md, `decay`)."""
        first, last, rate = claim["from"], claim["to"] + 1, claim["rate"]
        lower: list[Any] = self.distances[first:last]  # integers or fractions, as upper
        if claim["quantity"] == "loss-gap":
            lower = [loss - self.losses[-1] for loss in self.losses[first:last]]
        upper = lower
        if claim["quantity"] == "length-sum":
            bits, window = claim["bits"], claim["window"]
            squares = [(4**bits * s.numerator, s.denominator) for s in self.lengths[first + 1 - window : last]]
            roots = [isqrt(top // den) for top, den in squares]
            others = [root + (root * root * den != top) for root, (top, den) in zip(roots, squares)]
            sums = ([0, *accumulate(lengths)] for lengths in (roots, others))
            lower, upper = ([y - x for x, y in zip(total, total[window:])] for total in sums)
        require(lower[0] > 0, f"{place}: nothing is left at step {first}")
        least, most = claim["low"] * upper[0], claim["high"] * lower[0]
        p, q, gap = 1, 1, 0
        for k, (small, large) in enumerate(zip(lower[1:], upper[1:]), 1):
            # The power of the rate lies between p / (q + gap) and (p + gap) / q: long numbers are cut off.
            p, q, gap = p * rate.numerator, q * rate.denominator, gap * max(rate.as_integer_ratio())
            cut = max(p.bit_length(), q.bit_length(), 1024) - 1024
            p, q, gap = p >> cut, q >> cut, (gap >> cut) + 2 * (cut > 0)
            at = f"{place}: step {first + k}"
            require(is_ordered(least, p + gap, q, small) or least * rate**k <= small, f"{at} is below the bracket")
            require(is_ordered(-most, p, q + gap, -large) or most * rate**k >= large, f"{at} is above the bracket")

    def check_estimate(self, claim: Line, place: str) -> None:
        """Checks that estimates of the final loss are in their bracket (CLAIMS.md, `estimate`)."""
        for step in range(claim["from"], claim["to"] + 1):
            back = claim["fraction"].numerator * step // claim["fraction"].denominator
            losses = [self.losses[index] for index in (step, step - back, step - 2 * back, -1)]
            last, middle, first, final = to_integers([losses])[0][0]
            q, p = last - middle, middle - first
            # Without an estimate, q = p, den is 0 and the error q · q is in no bracket.
            top, den = (last * (q - p) - q * q, q - p) if q else (last, 1)
            error, unit = (top - den * final) * (1 if den > 0 else -1), final * abs(den)
            is_inside = is_ordered(claim["low"], unit, 1, error) and is_ordered(-claim["high"], unit, 1, -error)
            require(is_inside, f"{place}: step {step} has no estimate in the bracket")

    def find_breakpoints(self, claim: Line, place: str) -> list[Fraction]:
        """Returns the sizes under the last bound of t at breakpoints of the loss on a line."""
        # A sample's values are affine functions a + b t between breakpoints, held as `evaluate` holds them.
        problem, (theta, scale), bound = self.problem, self.points[claim["step"]], rational(claim["bounds"][-1], place)
        line, common = to_integers([[rational(x, place) for x in row] for row in claim["offset"] + claim["direction"]])
        den = scale * common
        origin = [[common * t + scale * o for t, o in zip(*both)] for both in zip(theta, line)]
        direction = [[scale * d for d in row] for row in line[len(theta) :]]
        jumps: dict[Fraction, int] = {}
        for sample, (x, factor) in enumerate(zip(problem.points, problem.factors)):
            pieces = [(-bound, bound, [(dot(u, x), dot(d, x)) for u, d in zip(origin, direction)])]
            for depth, (weight, shifts) in enumerate(zip(problem.layers, problem.shifts)):
                parts, pieces = pieces, []
                for left, right, lines in parts:
                    if depth > 0:
                        starts, slopes = zip(*lines)
                        lines = [(dot(row, starts), dot(row, slopes)) for row in weight]
                    lines = [(a + shift[sample] * den, b) for (a, b), shift in zip(lines, shifts)]
                    zeros = {Fraction(int(-a), int(b)) for a, b in lines if b}
                    ends = [left, *sorted(t for t in zeros if left < t < right), right]
                    for low, high in pairwise(ends):
                        p, q = (low + high).as_integer_ratio()  # no value has a zero inside: its sign is that at p / 2q
                        signs = [1 if 2 * a * q + b * p > 0 else -(depth == problem.last) for a, b in lines]
                        pieces.append((low, high, [(sign * a, sign * b) for sign, (a, b) in zip(signs, lines)]))
            rates = [factor * sum(b for _, b in lines) for _, _, lines in pieces]
            for (t, _, _), before, after in zip(pieces[1:], rates, rates[1:]):
                jumps[t] = jumps.get(t, 0) + after - before
        return [abs(t) for t, jump in jumps.items() if jump]


def is_ordered(bound: Fraction, top: int, bottom: int, value: Any) -> bool:
    """Returns whether bound · top / bottom <= value, an integer or a fraction."""
    return bool(bound.numerator * top * value.denominator <= value.numerator * bound.denominator * bottom)


def replay(problem: Problem, run: str, count: int, track: Track | None = None) -> tuple[Position, Line, Lines]:
    """Returns the vertex after some steps, without checking those; the first line and the lines that follow."""
    lines = read_certificate(run, problem, hashlib.sha256())
    place, vertex = next(lines)
    pattern, basis = vertex["pattern"], vertex["basis"]
    for place, step in islice(lines, count):
        problem.flip(pattern, step["flip"] + step.get("cross", []))
        basis = [kink for kink in step.get("basis") or basis if kink != step["leave"]] + [step["enter"]]
    position = Position(problem, pattern, track)
    position.occupy(basis, place)
    position.arrive(place)
    return position, vertex, lines


def check(instance: str, run: str, about: str | None = None, *, span: str = ":") -> str:
    """Checks a certificate, or a span of its steps, and claims about it; returns a summary (section 6)."""
    sys.set_int_max_str_digits(0)  # `rational` bounds the digits itself
    demand(re.fullmatch("[0-9]{0,9}:[0-9]{0,9}", span) is not None, USAGE)
    problem, digest = Problem(instance), hashlib.sha256()
    # All of the form first: what is not of the form is malformed even if a claim in it is false.
    kinds = ["cross" in content for _, content in read_certificate(run, problem, digest) if "leave" in content]
    total = len(kinds)
    first, last = (int(text or default) for text, default in zip(span.split(":"), (1, total)))
    demand(1 <= first <= max(last, 1) and last <= total, f"--steps: {first}:{last} is no span of {total} steps")
    claims = read_claims(about, problem, digest.hexdigest(), total) if about else []
    track = Track(replay(problem, run, total)[0], claims) if claims else None
    position, vertex, lines = replay(problem, run, first - 1, track)
    if first == 1:
        start = problem.start, problem.den
        if "elsewhere" not in vertex:
            problem.find_zeros(position.pattern, start, "line 2: the start")
        loss = sum(dot(map(abs, column), problem.factors) for column in problem.evaluate(*start, problem.samples)[-1])
        require(position.loss * problem.unit <= int(loss), "line 2: the loss is above the loss at the start")
    for number, (place, step) in enumerate(islice(lines, last - first + 1), first):
        position.check_step(step, place)
        if sys.stderr.isatty() and (number % 50 == 0 or number == last):
            print(f"\rchecked step {number} of {last}", end="\n" * (number == last), file=sys.stderr, flush=True)
    result = position.check_outcome(next(lines)[1]) if last == total else ""
    if track:
        for number, claim in enumerate(claims, 1):
            track.check_claim(claim, f"claim {number}")
    count, long = last - first + 1, sum(kinds[first - 1 : last])
    part = f"{total} steps" if count == total else f"steps {first} to {last} of {total}"
    words = [part, result, f"{len(claims)} claims" if claims else ""]
    notes = [f"{count - long} adjacent, {long} long"] if long else []
    notes += ["first vertex elsewhere"] if first == 1 and "elsewhere" in vertex else []
    notes += [f"part: the rest {'was' if result else 'and the outcome were'} not checked"] if count < total else []
    return ", ".join(filter(None, words)) + (f" ({'; '.join(notes)})" if notes else "")


def main(argv: list[str]) -> int:
    """Prints the verdict in one line and returns the exit code (section 6)."""
    global INTEGER  # noqa: PLW0603 - one choice for the whole run
    INTEGER, files, span = int, [word for word in argv if word != "--gmpy2"], ":"
    try:
        if "--steps" in files:
            index = files.index("--steps")
            span = "".join(files[index + 1 : index + 2])
            del files[index : index + 2]
        demand(len(files) == 2 or (len(files) == 3 and "--steps" not in argv), USAGE)
        if "--gmpy2" in argv:
            demand(importlib.util.find_spec("gmpy2") is not None, "--gmpy2: gmpy2 cannot be imported")
            INTEGER = importlib.import_module("gmpy2").mpz
        verdict, reason = "accepted", check(*files, span=span)
    except (Rejected, Malformed) as error:
        verdict, reason = type(error).__name__.lower(), str(error)
    except MemoryError:
        verdict, reason = "malformed", "not enough memory for this instance"
    print(f"{verdict}: {reason}".encode("unicode_escape").decode("ascii"))  # one line, whatever is in a file's name
    return ("accepted", "rejected", "malformed").index(verdict)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
