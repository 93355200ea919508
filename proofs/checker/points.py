"""Verdicts on points (VERDICT.md): is a point a local minimum of one layer's loss, or of the loss in all parameters?

Section numbers are VERDICT.md's. Along a curve the numbers of a network depend on t; see `Germ`.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

from .exact import ONE, ZERO, Germ, Rows, dot
from .form import Bend, LocalForm, parse_kink, shape_tree
from .instance import Instance, find_loss, find_residuals, forward
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
        is_all = by not in {"margins", "affine"} or len(self.free) == self.last + 1
        demand(is_all, f"{place}: margins and affine are for all parameters")
        demand(by != "margins" or self.last == 1, f"{place}: margins are for one hidden layer")
        demand(by != "tree" or len(self.free) == 1, f"{place}: a tree is for one layer")
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

    def find_bend(self, layer: int, i: int, j: int) -> Bend:
        """Returns how an activation changes with its preactivation, or the loss with a residual (section 3, Form)."""
        value = self.values[layer][i][j]
        if layer == self.last and self.instance.slopes is None:
            return 2 * self.instance.shares[i] * value, ZERO
        below, above = self.instance.activations[layer][j]
        if layer == self.last and self.instance.slopes is not None:
            below, above = self.instance.slopes[i][j]
        return ((below, above)[value > 0], ZERO) if value else ((below + above) / 2, (above - below) / 2)

    def find_form(self, behind: list[Rows], duals: Rows | None = None, *, has_spread: bool = False) -> LocalForm:
        """Returns the form F of the first free layer, with layers behind it, reduced (section 3, Form).

        It may be that for other e_ij, or have Σ |δr| added.
        """
        layer = self.free[0]
        bends = [
            [[self.find_bend(number, i, j) for j in range(len(row))] for i, row in enumerate(self.values[number])]
            for number in range(layer, self.last + 1)
        ]
        if duals:
            bends[-1] = [[(e, ZERO) for e in row] for row in duals]
        if has_spread:
            shares = self.instance.shares
            bends[-1] = [[(e, Fraction(share > 0)) for e, _ in row] for row, share in zip(bends[-1], shares)]
        places = [(j, k) for j, row in enumerate(self.layers[layer]) for k in range(len(row))]
        form = LocalForm(layer + 1, self.arrivals[layer], behind, bends, places)
        form.units = {p: [(p,)] for p in range(len(places))}  # parameters are units of their own
        form.reduce()
        return form

    def check_duals(self, duals: Rows, rows: Rows, reason: str) -> None:
        """Checks subgradients (section 3, margins, 1), and that the columns of a table are orthogonal to them."""
        for i, row in enumerate(duals):
            for j, e in enumerate(row):
                slope, fold = self.find_bend(self.last, i, j)
                require(abs(e - slope) <= fold, f"duals: no subgradient at sample {i}, output {j}")
        require(not any(dot(column, own) for column in zip(*rows) for own in zip(*duals)), reason)

    def check_margins(self, witness: Line) -> None:
        """Checks a local minimum in all parameters of a network with one hidden layer (section 3, margins)."""
        duals, margins, outer = witness["duals"], witness["margins"], self.layers[1]
        self.check_duals(duals, self.arrivals[1], "margins: the loss has a slope along outer parameters")
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
        self.check_duals(duals, [[*x, *extra] for x in self.instance.inputs], "affine: another function is better")

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
        require(not judged.loss, "zero-loss: the loss is not 0")
        is_fit = all(below <= 0 <= above for row in instance.slopes or () for below, above in row)
        require(is_fit, "zero-loss: the loss can be negative")
    for matrices in better:
        require(find_loss(instance, judged.replace(matrices)) < judged.loss, "better: the loss is not smaller there")
    free = "all parameters" if content["free"] == "all" else f"layer {content['free']}"
    return f"{name}: the point in {free}, shown by {by}{', and another point is better' if better else ''}"
