"""Verdicts on points (VERDICT.md): is a point a local minimum of one layer's loss, or of the loss in all parameters?

Section numbers are VERDICT.md's; spurious minima and valleys stand last (CELLS.md, 6). Along a curve the
numbers of a network depend on t; see `Germ`.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from itertools import pairwise
from typing import Any

from .exact import ONE, ZERO, Germ, Rows, dot
from .form import LocalForm, check_duals, find_bends, parse_kink, shape_tree
from .instance import Instance, check_zero_loss, find_loss, find_residuals, forward, to_layer
from .reading import ANY, HASH, LINE_CAP, ONCE, SOME, Line, demand, parse, parse_json, rational, read_lines, require

ROWS, MATRICES = [[rational, SOME], SOME], [[[rational, ANY], SOME], SOME]
KINDS = {  # what shows a verdict
    "strict-local-minimum": ("tree",),
    "local-minimum": ("tree", "zero-loss", "margins", "affine"),
    "not-a-minimum": ("curve",),
    "not-stationary": ("curve",),
    "undecided": ("nothing",),
}


class Judged:
    """An instance's network at its point, and what is free (section 1). Layers count from 0 here."""

    def __init__(self, instance: Instance, free: int | str) -> None:
        self.instance, self.layers, self.last = instance, instance.layers, len(instance.layers) - 1
        self.free = [*range(self.last + 1)] if free == "all" else [int(free) - 1]
        self.arrivals, self.values = forward(instance, self.layers)
        self.values[-1] = find_residuals(instance, self.values[-1])
        self.bends = find_bends(instance, self.values)
        self.loss, self.outputs = find_loss(instance, self.layers), len(self.layers[-1])

    def parse_duals(self, value: Any, place: str) -> Rows:
        """Returns one number for each sample and output."""
        rows: Rows = parse(value, ROWS, place)
        demand([*map(len, rows)] == [self.outputs] * len(self.values[-1]), f"{place}: not one for each output")
        return rows

    def parse_parameters(self, value: Any, place: str) -> list[Rows]:
        """Returns matrices of the shapes of the free layers' parameters."""
        matrices: list[Rows] = parse(value, MATRICES, place)
        sizes = [[*map(len, self.layers[number])] for number in self.free]
        demand([[*map(len, matrix)] for matrix in matrices] == sizes, f"{place}: not the parameters that are free")
        return matrices

    def parse_witness(self, verdict: str, value: Any, place: str) -> Line:
        """Returns a witness of a kind that goes with the verdict and what is free (section 2)."""
        by = dict(value).get("by") if isinstance(value, tuple) else None
        demand(by in KINDS[verdict], f"{place}: not of a kind that goes with the verdict")
        is_all, is_one = len(self.free) == self.last + 1, len(self.free) == 1
        is_fit = {"tree": is_one, "affine": is_all, "margins": is_all and self.last == 1}.get(str(by), True)
        demand(is_fit, f"{place}: {by} does not go with what is free, or with the network")
        # a block's units are the parameters of the layer to which a tree belongs: the free one, or the first
        first, counts = self.free[0], [*map(len, self.layers)]
        kink = partial(parse_kink, first=first + 1, widths=counts[first:], count=len(self.values[-1]))
        tree = shape_tree(kink, sum(map(len, self.layers[first])))
        shapes: dict[Any, Line] = {
            "margins": {"duals": self.parse_duals, "margins": [rational, [counts[0]]]}
            | {"trees": [tree, [counts[-1] + 1]]},
            "affine": {"duals": self.parse_duals},
            "curve": {"curve": [self.parse_parameters, SOME], "at": rational},
            "tree": {"tree": tree},
        }
        if verdict == "strict-local-minimum" and self.instance.slopes is None:
            shapes["tree"]["spread?"] = tree
        return dict(parse(value, dict(shapes.get(by, {}), by=str(by)), place))

    def replace(self, matrices: list[Any]) -> list[Any]:
        """Returns the layers with other ones where they are free."""
        layers: list[Any] = [*self.layers]
        for number, matrix in zip(self.free, matrices):
            layers[number] = matrix
        return layers

    def find_form(self, behind: list[Rows], duals: Rows | None = None, *, has_spread: bool = False) -> LocalForm:
        """Returns the form F of the first free layer, with layers behind it, reduced (section 3, Form).

        It may be that for other e_ij, or have Σ |δr| added.
        """
        layer = self.free[0]
        *bends, outer = self.bends[layer:]
        if duals:
            outer = [[(e, ZERO) for e in row] for row in duals]
        if has_spread:
            outer = [[(e, Fraction(w > 0)) for e, _ in row] for row, w in zip(outer, self.instance.shares)]
        places = [(j, k) for j, row in enumerate(self.layers[layer]) for k in range(len(row))]
        form = LocalForm(layer + 1, self.arrivals[layer], behind, [*bends, outer], places)
        form.units = {p: [(p,)] for p in range(len(places))}  # parameters are units of their own
        form.reduce()
        return form

    def check_margins(self, witness: Line) -> None:
        """Checks a local minimum in all parameters of a network with one hidden layer (section 3, margins)."""
        duals, margins, outer = witness["duals"], witness["margins"], self.layers[1]
        reason = "margins: the loss has a slope along outer parameters"
        check_duals(self.bends[-1], duals, self.arrivals[1], "duals", reason)
        require(min(margins) > 0, "margins: one is not positive")
        outputs = range(self.outputs)
        corners = [[Fraction(j == k) for k in outputs] for j in outputs] + [[-ONE for _ in outputs]]
        for corner, tree in zip(corners, witness["trees"]):
            moves = [[*(q * delta for delta in margins), ZERO] for q in corner]
            moved: Rows = [[h + move for h, move in zip(*pair)] for pair in zip(outer, moves)]
            self.find_form([moved], duals).check_tree(tree, strict=False)

    def check_affine(self, duals: Rows) -> None:
        """Checks a local minimum in all parameters of a network that is affine on the samples (section 3, affine)."""
        for number in range(self.last):
            for unit, (below, above) in enumerate(self.instance.activations[number]):
                numbers = [row[unit] for row, share in zip(self.values[number], self.instance.shares) if share]
                signs = {(z > 0) - (z < 0) for z in numbers}
                require(below == above or signs in ({1}, {-1}), f"affine: layer {number + 1}, unit {unit} bends")
        extra = [ONE] if any(self.instance.biased) else []
        rows = [[*x, *extra] for x in self.instance.inputs]
        check_duals(self.bends[-1], duals, rows, "duals", "affine: another function is better")

    def check_curve(self, witness: Line, *, is_slope: bool) -> None:
        """Checks that the loss falls along a curve, with a slope if asked (section 3, curve)."""
        at, points = witness["at"], [[self.layers[number] for number in self.free], *witness["curve"]]
        curve = [[[Germ(c) for c in zip(*rows)] for rows in zip(*matrices)] for matrices in zip(*points)]
        change = Germ([-self.loss]) + find_loss(self.instance, self.replace(curve))
        require(-1 * change > 0, "curve: the loss does not fall along it")
        require(not is_slope or change.coefficients[1] != 0, "curve: the loss has no slope along it")
        require(at > 0, "curve: its place is not behind the point")
        powers = [at**k for k in range(len(points))]
        there = [[[dot(x.coefficients, powers) for x in row] for row in matrix] for matrix in curve]
        loss = find_loss(self.instance, self.replace(there))
        require(loss < self.loss, "curve: the loss is not smaller at its place")


def check_verdict(instance: Instance, path: str) -> str:
    """Checks a verdict on the instance's point, and returns a summary."""
    layers = range(1, len(instance.layers) + 1)
    shape: Line = {"version": ONCE, "instance": HASH, "loss": rational, "verdict": "|".join(KINDS)}
    shape["format"] = "exactdrl-verdict"  # as check.py saw already
    shape["free"] = lambda value, place: value if value == "all" else parse(value, layers, place)
    shape |= {key: lambda value, _: value for key in ("witness", "better?")}
    content = parse(parse_json(b"".join(read_lines(path, LINE_CAP)), "verdict"), shape, "verdict")
    demand(content["instance"] == instance.digest, "verdict: it is about another instance")
    judged, name = Judged(instance, content["free"]), content["verdict"]
    witness = judged.parse_witness(name, content["witness"], "verdict: witness")
    better = [judged.parse_parameters(content["better"], "verdict: better")] if "better" in content else []
    require(judged.loss == content["loss"], "the loss at the point is another")
    by, is_strict, spread = witness["by"], name == "strict-local-minimum", witness.get("spread")
    if by == "tree":
        behind = instance.layers[judged.free[0] + 1 :]
        judged.find_form(behind).check_tree(witness["tree"], strict=is_strict and not spread)
        if spread:
            judged.find_form(behind, has_spread=True).check_tree(spread, strict=True)
    elif by == "margins":
        judged.check_margins(witness)
    elif by == "affine":
        judged.check_affine(witness["duals"])
    elif by == "curve":
        judged.check_curve(witness, is_slope=name == "not-stationary")
    elif by == "zero-loss":
        check_zero_loss(instance, judged.loss, "zero-loss")
    for matrices in better:
        require(find_loss(instance, judged.replace(matrices)) < judged.loss, "better: the loss is not smaller there")
    free = "all parameters" if content["free"] == "all" else f"layer {content['free']}"
    return f"{name}: the point in {free}, shown by {by}{', and another point is better' if better else ''}"


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
    """Checks that the instance's point is a local minimum as a best affine fit, within a radius (CELLS.md, 6)."""
    radius, dual, (arrivals, values) = line["radius"], line["dual"], forward(instance, instance.layers)
    signs, residuals = find_signs(values), find_residuals(instance, values[-1])
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
    duals = [[2 * e if instance.slopes is None else e for e in row] for row in dual]  # of squares, half the slope
    bends, reason = find_bends(instance, [residuals])[0], f"{place}: the dual is not orthogonal to the affine functions"
    check_duals(bends, duals, [[*x, ONE] for x in instance.inputs], f"{place}: dual", reason)


def check_valley(instance: Instance, points: list[list[Line]], place: str) -> None:
    """Checks that the loss is the same along a polyline of local minima (CELLS.md, 6)."""
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
