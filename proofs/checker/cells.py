"""The file of claims about cells, line by line: CELLS.md, section 1."""

from __future__ import annotations

import hashlib
from collections import deque
from fractions import Fraction
from itertools import islice
from typing import Any

from .exact import ONE
from .hidden import Cells
from .instance import Instance, find_loss
from .minima import check_global, check_minimum, check_valley, read_layers
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
