"""The file of claims about cells, line by line: CELLS.md, section 1."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from itertools import islice
from typing import Any

from .exact import ONE
from .hidden import Cells
from .instance import Instance
from .minima import Point, check_global, check_minimum, check_valley, read_point
from .reading import ANY, CERTIFICATE_CAP, HASH, ONCE, SOME, Line, demand, nullable, parse, parse_json, rational
from .reading import read_lines, require

BITS, SIGNS, VECTOR = "[01]*", "[-+0*]+", [rational, ANY]
ROWS = [VECTOR, ANY]


def parse_pair(value: Any, place: str) -> tuple[int, Fraction]:
    """Returns a sample and a number."""
    sample, number = parse(value, [lambda entry, _: entry, [2]], place)
    return parse(sample, ANY, place), rational(number, place)


PAIRS = [parse_pair, ANY]
NETWORK: Line = {"units": ROWS, "outer": VECTOR, "constant": rational}
LAYERS = [{"weight": ROWS, "bias": partial(nullable, VECTOR)}, SOME]
HEADER = {"format": lambda value, _: value, "version": ONCE, "instance": HASH}  # check.py looks at the format
LINES = (
    {"end": {"lines": ANY, "sha256": HASH}},
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


def read_claims(path: str, instance: Instance) -> Iterator[tuple[str, Line]]:
    """Yields the claims of a file with their places, and demands its form (section 1)."""
    lines, digest, count, ended = read_lines(path, CERTIFICATE_CAP), hashlib.sha256(), 0, False
    for number, data in enumerate(lines, 1):
        place = f"line {number}"
        demand(not ended and data.endswith(b"\n"), f"{place}: stands behind the end, or is no whole line")
        line = parse(parse_json(data, place), LINES if number > 1 else HEADER, place)
        if number == 1:
            demand(line["instance"] == instance.digest, "line 1: the file is about another instance")
        elif "end" in line:
            ended = True
            is_end = line["end"]["lines"] == count and line["end"]["sha256"] == digest.hexdigest()
            demand(is_end, f"{place}: not what stands before it")
            demand(count > 0, f"{place}: the file claims nothing")
        else:
            count += 1
            yield place, line
        digest.update(data)
    demand(ended, "the file breaks off before its end")


def check_cells(instance: Instance, path: str) -> str:
    """Checks a cells file; returns a summary of what it claims."""
    demand(instance.trained == 0, "instance: not all parameters are free")
    is_plain = instance.slopes is None or {pair for row in instance.slopes for pair in row} == {(-ONE, ONE)}
    demand(is_plain, "instance: the loss is neither squared nor absolute")
    demand({*instance.shares} == {ONE}, "instance: samples have weights")
    counts, cells, start = dict[str, int](), None, None
    for _ in read_claims(path, instance):  # the form of all lines first
        pass
    claims = read_claims(path, instance)
    for place, line in claims:
        kind = next(iter(line))
        demand(kind != "leaf", f"{place}: a leaf stands behind no global minimum that has it")
        counts[kind] = counts.get(kind, 0) + 1
        if kind in {"cell", "complete", "judged", "bad", "global"}:
            cells = cells or Cells(instance)
        if kind == "global":
            leaves = list(islice(claims, line["leaves"]))
            demand(
                len(leaves) == line["leaves"] and all("leaf" in leaf for _, leaf in leaves),
                f"{place}: leaves are missing",
            )
            check_global(cells or Cells(instance), line, place, leaves)
        elif kind == "minimum":
            start = check_minimum(instance, line, place)
        elif kind == "better":
            own = start or Point(instance, instance.weights, instance.biases)
            require(read_point(instance, line["better"], place).loss < own.loss, f"{place}: the point is not better")
        elif kind == "valley":
            demand(start is not None, f"{place}: no minimum stands before it")
            check_valley(instance, start or Point(instance, instance.weights, instance.biases), line["valley"], place)
        else:
            getattr(cells, f"check_{kind}")(line, place)
    return ", ".join(f"{count} {kind}" for kind, count in counts.items())
