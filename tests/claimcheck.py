"""An independent judge of claims about walks (proofs/CLAIMS.md), over `fractions.Fraction` and tests/oracle.py alone.

Written from the format's page; shares no code with the library or the checker. It is slow: for small problems.
"""

import json
from collections.abc import Sequence
from copy import copy
from fractions import Fraction
from itertools import pairwise
from math import isqrt

import oracle

Kink = tuple[int, int, int]
Point = list[list[Fraction]]


def bits_of(problem: oracle.Problem, texts: Sequence[str]) -> dict[Kink, bool]:
    """The pattern of a certificate's second line."""
    on = {}
    kinks = list(problem.kinks())
    for depth, text in enumerate(texts):
        own = [kink for kink in kinks if kink[0] == problem.layer + depth]
        digits = "".join(f"{int(digit, 16):04b}" for digit in text)
        on.update({kink: digits[i] == "1" for i, kink in enumerate(own)})
    return on


def constants(problem: oracle.Problem, on: dict[Kink, bool]) -> dict[Kink, Fraction]:
    """The constant parts of the affine functions in a cell: the network at parameters 0, with the pattern's bits."""
    found = {}
    for sample in range(len(problem.pushed)):
        values = [Fraction(0)] * problem.units
        layer = problem.layer
        for weight, bias in problem.upper:
            found.update({(layer, sample, u): value for u, value in enumerate(values)})
            passed = [value if on[layer, sample, u] else Fraction(0) for u, value in enumerate(values)]
            values = [oracle.dot(row, passed) + b for row, b in zip(weight, bias, strict=True)]
            layer += 1
        for u, value in enumerate(values):
            found[layer, sample, u] = value - problem.targets[sample][u]
    return found


def solve_vertex(problem: oracle.Problem, on: dict[Kink, bool], basis: Sequence[Kink]) -> Point:
    """The point where a basis vanishes; parameters outside the pivot columns keep the start's values."""
    normals, _ = problem.normals(on)
    offsets = constants(problem, on)
    start = [value for row in problem.start for value in row]
    free = [u * problem.m + c for u in range(problem.units) for c in problem.columns]
    flat = [value if i not in free else Fraction(0) for i, value in enumerate(start)]
    rows = [[normals[kink][i] for i in free] for kink in basis]
    right = [-offsets[kink] - oracle.dot(normals[kink], flat) for kink in basis]
    inverse = oracle.inverse(rows)
    for i, row in zip(free, inverse, strict=True):
        flat[i] = oracle.dot(row, right)
    return [flat[u * problem.m : (u + 1) * problem.m] for u in range(problem.units)]


class Run:
    """The vertices and losses of a certificate, each vertex solved anew, each loss by a forward pass."""

    def __init__(self, instance: object, certificate: str) -> None:
        self.problem = oracle.Problem(instance)
        self.lines: dict[str, list[Fraction]] = {}  # breakpoints that were found already
        lines = [json.loads(line) for line in certificate.splitlines()]
        on = bits_of(self.problem, lines[1]["vertex"]["pattern"])
        basis = [tuple(kink) for kink in lines[1]["vertex"]["basis"]]
        self.points = [solve_vertex(self.problem, on, basis)]
        for line in lines[2:]:
            if "leave" in line:
                for kink in [*line["flip"], *line.get("cross", [])]:
                    on[tuple(kink)] = not on[tuple(kink)]
                if "basis" in line:
                    basis = [tuple(kink) for kink in line["basis"]]
                basis.remove(tuple(line["leave"]))
                basis.append(tuple(line["enter"]))
                self.points.append(solve_vertex(self.problem, on, basis))
        self.losses = [self.problem.loss(point) for point in self.points]
        self.squared_steps = [squared_distance(a, b) for a, b in pairwise(self.points)]
        self.squared_distances = [squared_distance(point, self.points[-1]) for point in self.points]


def squared_distance(left: Point, right: Point) -> Fraction:
    return sum(((a - b) ** 2 for p, q in zip(left, right, strict=True) for a, b in zip(p, q, strict=True)), Fraction(0))


def number(text: str) -> Fraction:
    """A number's text as a Fraction; hexadecimal floats are dyadic."""
    if "x" in text:
        mantissa, exponent = text.split("p")
        whole, _, part = mantissa.replace("0x", "").partition(".")
        return Fraction(int(whole + part, 16), 16 ** len(part)) * Fraction(2) ** int(exponent)
    return Fraction(text)


def is_true(run: Run, claim: dict[str, object]) -> bool:
    """Whether a claim holds, by its definition."""
    return {
        "loss": _loss,
        "decay": _decay,
        "estimate": _estimate,
        "trajectory-density": _trajectory_density,
        "line-density": _line_density,
    }[claim["claim"]](run, claim)


def _loss(run: Run, claim: dict) -> bool:
    return number(claim["low"]) <= run.losses[claim["step"]] <= number(claim["high"])


def _decay(run: Run, claim: dict) -> bool:
    a, b, rate = claim["from"], claim["to"], number(claim["rate"])
    low, high = number(claim["low"]), number(claim["high"])
    if not 0 <= low <= 1 <= high or rate <= 0 or not 0 <= a <= b:
        return False
    if claim["quantity"] == "length-sum":
        window, bits = claim["window"], claim["bits"]
        scaled = [square * 4**bits for square in run.squared_steps]
        floors = [isqrt(value.numerator // value.denominator) for value in scaled]
        ceilings = [root if root * root == value else root + 1 for root, value in zip(floors, scaled, strict=True)]
        lows = {k: sum(floors[k - window : k]) for k in range(window, b + 1)}
        highs = {k: sum(ceilings[k - window : k]) for k in range(window, b + 1)}
    else:
        values = run.squared_distances
        if claim["quantity"] == "loss-gap":
            values = [loss - run.losses[-1] for loss in run.losses]
        lows = highs = dict(enumerate(values))
    return lows[a] > 0 and all(
        low * rate ** (k - a) * highs[a] <= lows[k] and highs[k] <= high * rate ** (k - a) * lows[a]
        for k in range(a + 1, b + 1)
    )


def _estimate(run: Run, claim: dict) -> bool:
    for k in range(claim["from"], claim["to"] + 1):
        h = int(number(claim["fraction"]) * k)
        first, second, third = (run.losses[k - j * h] for j in (2, 1, 0))
        if third == second:
            value = third
        elif third - 2 * second + first == 0:
            return False
        else:
            # Aitken's formula in its other form
            value = (first * third - second**2) / (third - 2 * second + first)
        final = run.losses[-1]
        if not number(claim["low"]) * final <= value - final <= number(claim["high"]) * final:
            return False
    return True


def _trajectory_density(run: Run, claim: dict) -> bool:
    return claim["counts"] == [
        sum(square <= number(radius) for square in run.squared_distances) for radius in claim["squared_radii"]
    ]


def _line_density(run: Run, claim: dict) -> bool:
    offset, direction = ([[number(v) for v in row] for row in claim[key]] for key in ("offset", "direction"))
    if claim["step"] is not None:
        offset = [
            [a + b for a, b in zip(p, q, strict=True)] for p, q in zip(offset, run.points[claim["step"]], strict=True)
        ]
    bounds = [number(text) for text in claim["bounds"]]
    key = json.dumps([claim["step"], claim["offset"], claim["direction"], claim["bounds"][-1]])
    if key not in run.lines:
        run.lines[key] = breakpoints(run.problem, offset, direction, bounds[-1])
    places = run.lines[key]
    return claim["counts"] == [sum(abs(place) < bound for place in places) for bound in bounds]


def breakpoints(problem: oracle.Problem, origin: Point, direction: Point, radius: Fraction) -> list[Fraction]:
    """Where the loss's slope along a line changes: sample by sample from kink to kink, by forward passes."""
    jumps: dict[Fraction, Fraction] = {}
    for x, target in zip(problem.pushed, problem.targets, strict=True):
        single = copy(problem)
        single.pushed, single.targets = [x], [target]
        for place, jump in _jumps(single, origin, direction, radius):
            jumps[place] = jumps.get(place, Fraction(0)) + jump
    return sorted(place for place, jump in jumps.items() if jump)


def _jumps(
    problem: oracle.Problem, origin: Point, direction: Point, radius: Fraction
) -> list[tuple[Fraction, Fraction]]:
    """The changes of slope of one sample's loss.

    From t on to the right: the kinks' values at t and at a point so near that no kink lies between give each kink's
    rate, and those the first kink behind t. To find such a point the distance is halved until the values at three points
    between lie on the chords (bends that hide from all three are improbable) and no value changes its sign.
    """

    def at(t: Fraction) -> dict[Kink, Fraction]:
        rows = zip(origin, direction, strict=True)
        return problem.values([[p + t * d for p, d in zip(*row, strict=True)] for row in rows])

    def is_affine(begin: Fraction, end: Fraction) -> bool:
        left, right = at(begin), at(end)
        if any(left[k] * right[k] < 0 for k in left):
            return False
        for part in (Fraction(1, 2), Fraction(1, 3), Fraction(5, 7)):
            middle = at(begin + part * (end - begin))
            if any(middle[k] != left[k] + part * (right[k] - left[k]) for k in left):
                return False
        return True

    places, t = [], -radius
    while t < radius:
        end = radius
        while not is_affine(t, end):
            end = t + (end - t) / 2
        left, right = at(t), at(end)
        zeros = [t - left[k] * (end - t) / (right[k] - left[k]) for k in left if left[k] * (right[k] - left[k]) < 0]
        t = min([zero for zero in zeros if zero > t] + [radius])
        places.append(t)

    def loss(t: Fraction) -> Fraction:
        return sum((abs(v) for k, v in at(t).items() if k[0] == problem.last), Fraction(0))

    slopes = [(loss(b) - loss(a)) / (b - a) for a, b in pairwise([-radius, *places])]
    return [(place, after - before) for place, (before, after) in zip(places, pairwise(slopes), strict=False)]
