#!/usr/bin/env python3
"""Checks a certificate of a vertex walk: python -I -S check.py INSTANCE RUN.

Prints one line, `accepted: ...`, `rejected: REASON` or `malformed: REASON`, and exits with 0, 1 or 2. FORMAT.md
beside this file says what the two files are and what is claimed; section numbers below are that page's.

All numbers are integers or fractions of integers, nothing is rounded. Nothing is searched for, and nothing is carried
over from step to step but pattern and basis: each vertex is solved anew from them, and the network itself is evaluated
there. On the published experiment (25 parameters, 53-bit data) that takes 30 ms a step with 100 samples, 60 with 500.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
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
OUTCOMES = {
    "strict-local-minimum": ("likq",),
    "local-minimum": ("likq", "zero-loss"),
    "undecided": (),
    "step-limit": (),
}

Kink = tuple[int, int, int]  # layer, sample, unit
Pattern = dict[Kink, int]  # a bit for every kink: 1 is on, -1 is off
Signs = dict[Kink, int]  # 1, 0 or -1; the sign s breaks the bit b exactly if s == -b
Rows = list[list[Fraction]]
Form = dict[tuple[int, ...], Fraction]  # nonzero coefficients: of parameter p under (p,), of |z_k| under kink k


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
    trouble, size = "", 0
    try:
        with gzip.open(path, "rb") if path.endswith(".gz") else open(path, "rb") as stream:
            while line := stream.readline(LINE_CAP):
                size += len(line)
                demand(size <= cap, f"a file has over {cap} bytes")
                yield line
    except (OSError, EOFError, ValueError, zlib.error) as error:
        trouble = type(error).__name__
    demand(not trouble, f"a file cannot be read ({trouble}): {path}")


def parse_number(text: str) -> Fraction:
    """Returns the rational that a text means (section 1)."""
    demand(len(text) <= NUMBER_CAP, f"a number has over {NUMBER_CAP} characters")
    if match := RATIO.fullmatch(text):
        denominator = int(match[2])
        demand(denominator != 0, "a ratio has denominator 0")
        return Fraction(int(match[1]), denominator)
    base, cap, places, match = 10, DECIMAL_CAP, 1, DECIMAL.fullmatch(text)
    if match is None:
        base, cap, places, match = 16, BINARY_CAP, 4, HEXADECIMAL.fullmatch(text)
    sign, whole, behind, only, power = match.groups("") if match else ("", "", "", "", "")
    demand(match is not None, "a number is neither decimal, ratio nor hexadecimal float")
    exponent = int(power or "0")
    demand(abs(exponent) <= cap, f"a number's exponent is over {cap}")
    exponent -= places * len(behind + only)
    size = Fraction(int(whole + behind + only, base)) * Fraction(2 if base == 16 else 10) ** exponent
    return -size if sign else size


def to_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Returns a JSON object, refusing repeated keys (sections 2, 4)."""
    value = dict(pairs)
    demand(len(value) == len(pairs), "a key occurs twice in one object")
    return value


def parse_json(data: bytes, place: str) -> Any:
    """Returns a JSON value; integers become int, numbers with a point or exponent Fraction."""
    trouble, value = "", None
    try:
        value = json.loads(
            data.decode("ascii"),
            object_pairs_hook=to_object,
            parse_int=lambda text: parse_number(text).numerator,
            parse_float=parse_number,
            parse_constant=parse_number,  # refuses NaN, Infinity, -Infinity
        )
    except (ValueError, RecursionError) as error:
        trouble = type(error).__name__
    demand(not trouble, f"{place}: not JSON in ASCII ({trouble})")
    return value


def fields(value: Any, names: set[str], optional: set[str], place: str) -> dict[str, Any]:
    """Returns an object whose keys are the names and perhaps some optional ones."""
    demand(isinstance(value, dict), f"{place}: not an object")
    demand(names <= value.keys() <= names | optional, f"{place}: its keys are not those of the format")
    return dict(value)


def entries(value: Any, count: int | None, place: str) -> list[Any]:
    """Returns a list of `count` entries, or of at least one if that is None."""
    demand(isinstance(value, list), f"{place}: not a list")
    demand(len(value) == count if count is not None else len(value) > 0, f"{place}: {len(value)} entries")
    return list(value)


def integer(value: Any, low: int, high: int | None, place: str) -> int:
    """Returns an integer in low..high; JSON's true is an int in Python, and is refused."""
    demand(type(value) is int, f"{place}: not an integer")
    demand(low <= value and (high is None or value <= high), f"{place}: out of range")
    return int(value)


def vector(value: Any, count: int | None, place: str) -> list[Fraction]:
    """Returns a list of numbers (section 1)."""
    numbers = entries(value, count, place)
    demand(all(type(number) in (str, int, Fraction) for number in numbers), f"{place}: an entry is not a number")
    return [parse_number(number) if type(number) is str else Fraction(number) for number in numbers]


def matrix(value: Any, rows: int | None, columns: int | None, place: str) -> Rows:
    """Returns a matrix of numbers with rows of one length."""
    result: Rows = []
    for index, row in enumerate(entries(value, rows, place)):
        result.append(vector(row, columns, f"{place}, row {index}"))
        columns = len(result[0])
    return result


class Point(NamedTuple):
    """Parameters theta / den, theta of shape (n_ℓ, m), in lowest terms with den > 0: equal points are equal tuples."""

    theta: tuple[tuple[int, ...], ...]
    den: int


def to_point(theta: list[list[int]], den: int) -> Point:
    """Returns theta / den in lowest terms, den != 0."""
    divisor = gcd(den, *(entry for row in theta for entry in row)) * (1 if den > 0 else -1)
    return Point(tuple(tuple(entry // divisor for entry in row) for row in theta), den // divisor)


@dataclass(frozen=True, slots=True)
class Problem:
    """An instance (section 2), also in integers. Depth 0 is the trained layer; entry 0 of lists by depth is empty."""

    digest: str
    first: int  # ℓ
    widths: list[int]  # n_ℓ, ..., n_{L+1}, by depth
    weights: list[Rows]  # by depth
    # (A, A transposed, C) by depth: with s_d a common denominator of layer ℓ + d and S_d = s_1 ... s_d, A is s_d · weight
    # and C is S_d · bias. A preactivation of sample i at depth d is computed S_d D_i times its size.
    layers: list[tuple[list[list[int]], list[list[int]], list[int]]]
    inputs: Rows  # x̃_i
    scales: list[int]  # D_i > 0: D_i x̃_i and D_i y_i are integers
    common: int  # of all D_i
    points: list[list[int]]  # D_i x̃_i
    goals: list[list[int]]  # S D_i y_i, where S is S_d of the last layer
    final: int  # S
    pivots: list[int]  # P (section 3)
    n: int
    start: Point


def to_integers(numbers: list[Fraction], scale: int) -> list[int]:
    """Returns scale · numbers, where scale is a common denominator."""
    return [number.numerator * (scale // number.denominator) for number in numbers]


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


def load_problem(path: str) -> Problem:
    """Reads an instance (section 2) and pushes its inputs through the layers before the trained one (section 3)."""
    data = b"".join(read_lines(path, INSTANCE_CAP))
    names = {"format", "version", "network", "layer", "loss", "data"}
    instance = fields(parse_json(data, "instance"), names, {"start"}, "instance")
    demand(instance["format"] == "exactdrl-instance", "instance: unknown format")
    integer(instance["version"], 1, 1, "instance: version")
    network = fields(instance["network"], {"layers"}, set(), "network")
    weights: list[Rows] = []
    biases: list[list[Fraction] | None] = []
    for number, entry in enumerate(entries(network["layers"], None, "layers"), 1):
        layer = fields(entry, {"weight", "bias"}, set(), f"layer {number}")
        weights.append(matrix(layer["weight"], None, len(weights[-1]) if weights else None, f"layer {number}, weight"))
        bias = layer["bias"]
        biases.append(None if bias is None else vector(bias, len(weights[-1]), f"layer {number}, bias"))
    first = integer(instance["layer"], 1, len(weights), "instance: layer")
    loss = fields(instance["loss"], {"kind"}, set(), "loss")
    demand(loss["kind"] == "absolute", "loss: unknown kind")
    samples = fields(instance["data"], {"inputs", "targets"}, set(), "data")
    inputs = matrix(samples["inputs"], None, len(weights[0][0]), "inputs")
    targets = matrix(samples["targets"], len(inputs), len(weights[-1]), "targets")

    offsets = [bias or [Fraction(0)] * len(weight) for weight, bias in zip(weights, biases)]
    for weight, offset in zip(weights[: first - 1], offsets):
        inputs = [[max(sum(map(mul, row, x), b), Fraction(0)) for row, b in zip(weight, offset)] for x in inputs]
    trained, bias = weights[first - 1], biases[first - 1]
    if bias is not None:
        inputs = [[*x, Fraction(1)] for x in inputs]
        trained = [[*row, b] for row, b in zip(trained, bias)]
    if instance.get("start") is not None:
        trained = matrix(instance["start"], len(trained), len(trained[0]), "start")
    den = lcm(*(entry.denominator for row in trained for entry in row))

    layers: list[tuple[list[list[int]], list[list[int]], list[int]]] = [([], [], [])]
    final = 1
    for weight, offset in zip(weights[first:], offsets[first:]):
        scale = lcm(*(entry.denominator for row in [*weight, offset] for entry in row))
        final *= scale
        rows = [to_integers(row, scale) for row in weight]
        layers.append((rows, [list(column) for column in zip(*rows)], to_integers(offset, final)))
    scales = [lcm(*(entry.denominator for entry in x + y)) for x, y in zip(inputs, targets)]
    pivots, _ = echelon(inputs)
    return Problem(
        digest=hashlib.sha256(data).hexdigest(),
        first=first,
        widths=[len(weight) for weight in weights[first - 1 :]],
        weights=[[], *weights[first:]],
        layers=layers,
        inputs=inputs,
        scales=scales,
        common=lcm(*scales),
        points=[to_integers(x, scale) for x, scale in zip(inputs, scales)],
        goals=[to_integers(y, final * scale) for y, scale in zip(targets, scales)],
        final=final,
        pivots=pivots,
        n=len(trained) * len(pivots),
        start=to_point([to_integers(row, den) for row in trained], den),
    )


def parse_kink(problem: Problem, value: Any, place: str) -> Kink:
    """Returns a kink's address (section 3)."""
    layer, sample, unit = entries(value, 3, f"{place}: kink")
    last = problem.first + len(problem.widths) - 1
    layer = integer(layer, problem.first, last, f"{place}: kink's layer")
    sample = integer(sample, 0, len(problem.points) - 1, f"{place}: kink's sample")
    return layer, sample, integer(unit, 0, problem.widths[layer - problem.first] - 1, f"{place}: kink's unit")


def parse_kinks(problem: Problem, value: Any, place: str) -> list[Kink]:
    """Returns a list of kinks, perhaps empty."""
    demand(isinstance(value, list), f"{place}: not a list of kinks")
    return [parse_kink(problem, kink, place) for kink in value]


def parse_pattern(problem: Problem, value: Any) -> Pattern:
    """Returns the pattern (section 4, line 2)."""
    pattern: Pattern = {}
    for depth, text in enumerate(entries(value, len(problem.widths), "pattern")):
        width = problem.widths[depth]
        count = width * len(problem.points)
        demand(isinstance(text, str), "pattern: not a string")
        demand(len(text) == -(-count // 4), "pattern: wrong number of digits")
        demand(re.fullmatch("[0-9a-f]*", text) is not None, "pattern: not lower-case hexadecimal")
        bits = f"{int(text, 16):0{4 * len(text)}b}"
        demand("1" not in bits[count:], "pattern: the last digit is not filled up with zero bits")
        for index, bit in enumerate(bits[:count]):
            pattern[problem.first + depth, index // width, index % width] = 1 if bit == "1" else -1
    return pattern


def parse_step(problem: Problem, value: Any, place: str) -> dict[str, Any]:
    """Returns a step with its kinks parsed (section 4, line 3)."""
    step = fields(value, {"flip", "leave", "enter"}, {"basis", "published_stop"}, place)
    demand(step.get("published_stop", True) is True, f"{place}: published_stop is not true")
    for key in {"flip", "basis"} & step.keys():
        step[key] = parse_kinks(problem, step[key], place)
    for key in ("leave", "enter"):
        step[key] = parse_kink(problem, step[key], place)
    return step


def parse_outcome(value: Any, place: str) -> dict[str, Any]:
    """Returns an outcome (section 4, line 4)."""
    name = value["outcome"]
    demand(isinstance(name, str) and name in OUTCOMES, f"{place}: unknown outcome")
    more = {"by"} if OUTCOMES[name] else {"active"} if name == "undecided" else set()
    outcome = fields(value, {"outcome"} | more, set(), place)
    demand(not OUTCOMES[name] or outcome["by"] in OUTCOMES[name], f"{place}: unknown derivation of the outcome")
    integer(outcome.get("active", 0), 0, None, f"{place}: active")
    return outcome


def read_certificate(path: str, problem: Problem) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields place and content of lines 2, 3 and 4 (section 4); when it ends, all of the form has been checked."""
    lines = enumerate(read_lines(path, CERTIFICATE_CAP), 1)
    digest = hashlib.sha256()

    def parse_line() -> tuple[str, Any]:
        number, line = next(lines, (0, b""))
        demand(line != b"", "the certificate breaks off before its end line")
        demand(line.endswith(b"\n"), f"line {number}: breaks off, or is longer than {LINE_CAP} bytes")
        value = parse_json(line, f"line {number}")
        if not (isinstance(value, dict) and "end" in value):
            digest.update(line)
        return f"line {number}", value

    place, value = parse_line()
    header = fields(value, {"format", "version", "instance", "rule", "start"}, set(), place)
    demand(header["format"] == "exactdrl-certificate", f"{place}: unknown format")
    integer(header["version"], 1, 1, f"{place}: version")
    demand(header["instance"] == problem.digest, f"{place}: the certificate is for another instance")
    for name in (header["rule"], header["start"]):
        demand(isinstance(name, str) and NAME.fullmatch(name) is not None, f"{place}: rule or start is not a name")

    place, value = parse_line()
    vertex = fields(fields(value, {"vertex"}, set(), place)["vertex"], {"pattern", "basis"}, set(), place)
    basis = parse_kinks(problem, vertex["basis"], place)
    yield place, {"pattern": parse_pattern(problem, vertex["pattern"]), "basis": basis}

    steps = 0
    place, value = parse_line()
    while not (isinstance(value, dict) and "outcome" in value):
        yield place, parse_step(problem, value, place)
        steps += 1
        place, value = parse_line()
    yield place, parse_outcome(value, place)

    place, value = parse_line()
    end = fields(fields(value, {"end"}, set(), place)["end"], {"steps", "sha256"}, set(), place)
    demand(integer(end["steps"], 0, None, f"{place}: steps") == steps, f"{place}: there are {steps} steps")
    demand(end["sha256"] == digest.hexdigest(), f"{place}: the hash is not that of the lines before")
    demand(next(lines, None) is None, f"{place}: something follows the end line")


class Vertex(NamedTuple):
    """A point with the signs of all kinks and the loss there."""

    point: Point
    signs: Signs
    loss: Fraction


def evaluate(problem: Problem, point: Point) -> Vertex:
    """Evaluates the network itself, without a pattern, on all samples (section 2)."""
    signs: Signs = {}
    loss, last = 0, len(problem.widths) - 1
    for sample, (x, scale, goal) in enumerate(zip(problem.points, problem.scales, problem.goals)):
        unit = scale * point.den
        z = [sum(map(mul, row, x)) for row in point.theta]
        for depth in range(last + 1):
            if depth > 0:
                weight, _, bias = problem.layers[depth]
                active = [value if value > 0 else 0 for value in z]
                z = [sum(map(mul, row, active), b * unit) for row, b in zip(weight, bias)]
            if depth == last:
                z = [value - y * point.den for value, y in zip(z, goal)]
            for u, value in enumerate(z):
                signs[problem.first + depth, sample, u] = (value > 0) - (value < 0)
        loss += sum(map(abs, z)) * (problem.common // scale)
    return Vertex(point, signs, Fraction(loss, problem.common * problem.final * point.den))


def find_violation(pattern: Pattern, signs: Signs) -> Kink | None:
    """Returns a kink whose sign breaks the pattern; None means that the point lies in the cell (section 3).

    The signs are the network's own. As long as no shallower kink breaks the pattern, network and affine functions
    agree, so the first break shows in both.
    """
    return next((kink for kink, sign in signs.items() if sign == -pattern[kink]), None)


def pull_back(problem: Problem, pattern: Pattern, sample: int, v: list[int]) -> tuple[list[int], int]:
    """Returns (w, c): in the cell, v · (preactivations of the layer of depth d) is w · (trained ones) + c · D_i.

    The depth d is told by the list of layers left to go through: v is a covector of the last of `problem.layers`.
    """
    raise NotImplementedError
