"""Verdicts on points (VERDICT.md): is a point a local minimum of one layer's loss, or of the loss in all parameters?

Section numbers are VERDICT.md's. Along a curve every number of a network is a polynomial in t for small t > 0, its
germ: coefficients from the constant one up, without zeros at the end. A point is a curve that stands still.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import reduce
from typing import Any

from .exact import ONE, ZERO, Rows
from .form import Form, LocalForm, mix
from .instance import Instance, Pair
from .problem import Kink, Problem
from .reading import ANY, HASH, LINE_CAP, ONCE, SOME, Line, demand, parse, parse_json, rational, read_lines, require

Germ = list[Fraction]
Theta = list[list[list[Germ]]]  # [W | b] for each layer

ROWS, MATRICES = [[rational, SOME], SOME], [[[rational, ANY], SOME], SOME]
KINDS = {  # what shows a verdict
    "strict-local-minimum": ("tree",),
    "local-minimum": ("tree", "zero-loss", "margins", "affine"),
    "not-a-minimum": ("curve",),
    "not-stationary": ("curve",),
    "undecided": ("nothing",),
}


def add(left: Germ, right: Germ) -> Germ:
    """Returns the sum."""
    short, long = sorted((left, right), key=len)
    total = [a + b for a, b in zip(short, long)] + long[len(short) :]
    while total and not total[-1]:
        total.pop()
    return total


def multiply(left: Germ, right: Germ) -> Germ:
    """Returns the product."""
    product = [ZERO] * (len(left) + len(right) - 1) if left and right else []
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            product[i + j] += a * b
    return product


def to_germs(numbers: Iterable[Fraction]) -> list[Germ]:
    """Returns numbers as germs."""
    return [[x] if x else [] for x in numbers]


def sign(germ: Germ) -> int:
    """Returns the sign for small t > 0."""
    lead = next((x for x in germ if x), ZERO)
    return (lead > 0) - (lead < 0)


def bend(germ: Germ, slopes: Pair) -> Germ:
    """Returns the germ after a function with these slopes below and above 0."""
    slope = slopes[sign(germ) > 0]
    return [slope * x for x in germ] if slope else []


class Judged:
    """An instance's network at its point, and what is free (section 1). Layers count from 0 here."""

    def __init__(self, instance: Instance, free: int | str) -> None:
        self.instance, self.last = instance, len(instance.weights) - 1
        self.free = [*range(self.last + 1)] if free == "all" else [int(free) - 1]
        layers = [[*map(list, weight)] for weight in instance.weights]
        for layer, bias in zip(layers, instance.biases):
            for row, b in zip(layer, bias or []):
                row.append(b)
        if instance.trained:
            layers[instance.trained - 1] = instance.start
        self.theta: Theta = [[to_germs(row) for row in layer] for layer in layers]
        self.samples, self.outputs = range(len(instance.inputs)), range(len(layers[-1]))
        # a block's units are the parameters of the layer to which a tree belongs: the free one, or the first
        self.widths = [sum(map(len, layers[self.free[0]]))]
        # of w_i φ_ij; None if the loss is squared
        none: list[Pair | None] = [None] * len(self.outputs)
        self.slopes: list[list[Pair | None]] = [none] * len(self.samples)
        if instance.slopes is not None:
            self.slopes = [[*row] for row in instance.slopes]
        self.arrivals, self.values = self.forward(self.theta)
        self.loss = self.find_loss(self.theta)

    def parse_kink(self, value: Any, place: str) -> Kink:
        """Returns the address of a kink (section 2)."""
        layer, sample, unit = parse(value, [ANY, [3]], f"{place}: kink")
        is_one = sample in self.samples and layer - 1 in range(self.free[0], self.last + 1)
        demand(is_one and unit < len(self.theta[layer - 1]), f"{place}: kink: out of range")
        return layer, sample, unit

    def parse_tree(self, value: Any, place: str) -> Line:
        """Returns a tree (section 2)."""
        problem: Any = Problem
        tree: Line = {"settled": lambda part, spot: problem.parse_settled(self, part, spot)}
        tree["blocks"] = [lambda part, spot: problem.parse_block(self, part, spot), ANY]
        return dict(parse(value, tree, place))

    def parse_duals(self, value: Any, place: str) -> Rows:
        """Returns one number for each sample and output."""
        rows: Rows = parse(value, ROWS, place)
        demand([*map(len, rows)] == [len(self.outputs)] * len(self.samples), f"{place}: not one for each output")
        return rows

    def parse_parameters(self, value: Any, place: str) -> list[Rows]:
        """Returns matrices of the shapes of the free layers' parameters."""
        matrices: list[Rows] = parse(value, MATRICES, place)
        sizes = [[len(row) for row in self.theta[number]] for number in self.free]
        demand([[*map(len, matrix)] for matrix in matrices] == sizes, f"{place}: not the parameters that are free")
        return matrices

    def parse_witness(self, verdict: str, value: Any, place: str) -> Line:
        """Returns a witness of a kind that goes with the verdict and what is free (section 2)."""
        by = dict(value).get("by") if isinstance(value, tuple) else None
        is_all, is_one = len(self.free) == self.last + 1, len(self.free) == 1
        demand(by in KINDS[verdict], f"{place}: not of a kind that goes with the verdict")
        demand(by not in {"margins", "affine"} or is_all, f"{place}: margins and affine are for all parameters")
        demand(by != "margins" or self.last == 1, f"{place}: margins are for one hidden layer")
        demand(by != "tree" or is_one, f"{place}: a tree is for one layer")
        shape: Line = {}
        if by == "margins":
            trees = [self.parse_tree, [len(self.outputs) + 1]]
            shape = {"duals": self.parse_duals, "margins": [rational, [len(self.theta[0])]], "trees": trees}
        elif by == "affine":
            shape = {"duals": self.parse_duals}
        elif by == "curve":
            shape = {"curve": [self.parse_parameters, SOME], "at": rational}
        elif by == "tree":
            shape["tree"] = self.parse_tree
            if verdict == "strict-local-minimum" and self.instance.slopes is None:
                shape["spread?"] = self.parse_tree
        return dict(parse(value, dict(shape, by=by), place))

    def forward(self, theta: Theta) -> tuple[list[list[list[Germ]]], list[list[list[Germ]]]]:
        """Returns, by layer and sample, what a layer is given, and its preactivations, at last the residuals."""
        given = [to_germs(row) for row in self.instance.inputs]
        arrivals, values, zero = list[list[list[Germ]]](), list[list[list[Germ]]](), list[Fraction]()
        for layer, bias, slopes in zip(theta, self.instance.biases, self.instance.activations):
            arrivals.append([[*row, *([] if bias is None else [[ONE]])] for row in given])
            pairs = [[[(w, x) for w, x in zip(unit, row) if w and x] for unit in layer] for row in arrivals[-1]]
            values.append([[reduce(add, (multiply(*pair) for pair in unit), zero) for unit in row] for row in pairs])
            given = [[bend(z, s) for z, s in zip(row, slopes)] for row in values[-1]]
        values[-1] = [[add(f, [-y]) for f, y in zip(*pair)] for pair in zip(given, self.instance.targets)]
        return arrivals, values

    def find_loss(self, theta: Theta) -> Germ:
        """Returns the loss (section 1)."""
        rows, total = self.forward(theta)[1][-1], Germ()
        for row, slopes, share in zip(rows, self.slopes, to_germs(self.instance.shares)):
            for r, pair in zip(row, slopes):
                total = add(total, bend(r, pair) if pair else multiply(share, multiply(r, r)))
        return total

    def find_dual(self, i: int, j: int) -> Fraction | None:
        """Returns e_ij where it is a derivative, None at a kink of the loss (section 3, Form)."""
        slopes, residual = self.slopes[i][j], self.values[-1][i][j]
        if slopes is None:
            return 2 * self.instance.shares[i] * sum(residual, ZERO)
        return slopes[sign(residual) > 0] if residual or slopes[0] == slopes[1] else None

    def check_duals(self, duals: Rows, rows: Rows, reason: str) -> None:
        """Checks subgradients (section 3, margins, 1), and that the columns of a table are orthogonal to them."""
        for i, row in enumerate(duals):
            for j, e in enumerate(row):
                found, slopes = self.find_dual(i, j), self.slopes[i][j]
                is_fit = e == found if found is not None or slopes is None else slopes[0] <= e <= slopes[1]
                require(is_fit, f"duals: no subgradient at sample {i}, output {j}")
        totals = [sum(x * e for x, e in zip(column, own)) for column in zip(*rows) for own in zip(*duals)]
        require(not any(totals), reason)

    def check_margins(self, witness: Line) -> None:
        """Checks a local minimum in all parameters of a network with one hidden layer (section 3, margins)."""
        duals, margins, units = witness["duals"], witness["margins"], len(self.theta[0])
        rows = [[sum(x, ZERO) for x in row] for row in self.arrivals[1]]
        self.check_duals(duals, rows, "margins: the loss has a slope along outer parameters")
        require(min(margins) > 0, "margins: one is not positive")
        corners = [[Fraction(j == k) for k in self.outputs] for j in self.outputs] + [[-ONE] * len(self.outputs)]
        for corner, tree in zip(corners, witness["trees"]):
            moves = [to_germs(q * delta for delta in margins) for q in corner]
            outer = [[*map(add, row, move), *row[units:]] for row, move in zip(self.theta[1], moves)]
            PointForm(self, 0, [self.theta[0], outer], duals, False).check_tree(tree, False)

    def check_affine(self, duals: Rows) -> None:
        """Checks a local minimum in all parameters of a network that is affine on the samples (section 3, affine)."""
        for number in range(self.last):
            for unit, (below, above) in enumerate(self.instance.activations[number]):
                rows = zip(self.values[number], self.instance.shares)
                signs = {sign(row[unit]) for row, share in rows if share}
                require(below == above or signs in ({1}, {-1}), f"affine: layer {number + 1}, unit {unit} bends")
        extra = [ONE] if any(bias is not None for bias in self.instance.biases) else []
        self.check_duals(duals, [[*x, *extra] for x in self.instance.inputs], "affine: another function is better")

    def check_curve(self, witness: Line, is_slope: bool) -> None:
        """Checks that the loss falls along a curve, with a slope if asked (section 3, curve)."""
        at, moved = witness["at"], [[[*row] for row in layer] for layer in self.theta]
        for power, matrices in enumerate(witness["curve"], 1):
            for number, matrix in zip(self.free, matrices):
                for row, change in zip(moved[number], matrix):
                    row[:] = [add(x, [ZERO] * power + [c]) for x, c in zip(row, change)]
        change = add(self.find_loss(moved), [-x for x in self.loss])
        require(sign(change) < 0, "curve: the loss does not fall along it")
        require(not is_slope or change[1] != 0, "curve: the loss has no slope along it")
        require(at > 0, "curve: its place is not behind the point")
        there = [[to_germs(sum(c * at**k for k, c in enumerate(x)) for x in row) for row in layer] for layer in moved]
        require(sum(self.find_loss(there)) < sum(self.loss), "curve: the loss is not smaller at its place")


class PointForm(LocalForm):
    """The form F of one layer (section 3, Form), perhaps with Σ |δr| added; reduced."""

    def __init__(self, judged: Judged, layer: int, theta: Theta, duals: Rows | None, spread: bool) -> None:
        self.judged, self.duals, self.spread, self.rows, self.change = judged, duals, spread, dict[Kink, Form](), Form()
        width = len(theta[layer][0])
        self.free = [(p, 0) for p in range(width * len(theta[layer]))]  # parameters are units of their own
        self.keys, self.fixed = {(p,) for p, _ in self.free}, False  # condition 12 is in condition 11
        self.problem: Any = self
        below: list[list[Form]] = [[] for _ in judged.samples]
        for number in range(layer, judged.last + 1):
            forms: list[list[Form]] = [[] for _ in judged.samples]
            for i, given in enumerate(judged.arrivals[layer]):
                for u, row in enumerate(theta[number]):
                    form: Form = {(u * width + k,): sum(x, ZERO) for k, x in enumerate(given) if x}
                    if number > layer:
                        form = mix((sum(weight, ZERO), part) for weight, part in zip(row, below[i]))
                    forms[i].append(self.pass_on((number + 1, i, u), form))
            below = forms
        self.reduce()

    def pass_on(self, kink: Kink, form: Form) -> Form:
        """Returns the change of an activation from that of its preactivation; a residual's goes into the loss's."""
        judged, (layer, i, u) = self.judged, kink
        value = judged.values[layer - 1][i][u]
        if layer <= judged.last:
            below, above = judged.instance.activations[layer - 1][u]
            if value or below == above or not form:
                return mix([((below, above)[sign(value) > 0], form)])
            self.rows[kink] = form
            return mix([((below + above) / 2, form), ((above - below) / 2, {kink: ONE})])
        slopes, e = judged.slopes[i][u], self.duals[i][u] if self.duals else judged.find_dual(i, u)
        size = Fraction(self.spread and judged.instance.shares[i] > 0)
        if e is None and slopes is not None:
            e, size = (slopes[0] + slopes[1]) / 2, size + (slopes[1] - slopes[0]) / 2
        if form:
            self.rows |= {kink: form} if size else {}
            self.change = mix([(ONE, self.change), (e or ZERO, form), (size, {kink: ONE})])
        return Form()


def check_verdict(instance: Instance, path: str) -> str:
    """Checks a verdict on the instance's point, and returns a summary."""
    data = b"".join(read_lines(path, LINE_CAP))
    layers = range(1, len(instance.weights) + 1)
    shape: Line = {"version": ONCE, "instance": HASH, "loss": rational, "verdict": "|".join(KINDS)}
    shape["format"] = "exactdrl-verdict"  # as check.py saw already
    shape["free"] = lambda value, place: value if value == "all" else parse(value, layers, place)
    shape |= {key: lambda value, _: value for key in ("witness", "better?")}
    content = parse(parse_json(data, "verdict"), shape, "verdict")
    demand(content["instance"] == instance.digest, "verdict: it is about another instance")
    judged, name = Judged(instance, content["free"]), content["verdict"]
    witness = judged.parse_witness(name, content["witness"], "verdict: witness")
    better = [judged.parse_parameters(content["better"], "verdict: better")] if "better" in content else []
    require(sum(judged.loss) == content["loss"], "the loss at the point is another")
    by, strict, spread = witness["by"], name == "strict-local-minimum", witness.get("spread")
    if by == "tree":
        for tree, is_spread in [(witness["tree"], False)] + ([(spread, True)] if spread else []):
            form = PointForm(judged, judged.free[0], judged.theta, None, is_spread)
            form.check_tree(tree, strict and is_spread == (spread is not None))
    elif by == "margins":
        judged.check_margins(witness)
    elif by == "affine":
        judged.check_affine(witness["duals"])
    elif by == "curve":
        judged.check_curve(witness, name == "not-stationary")
    elif by == "zero-loss":
        pairs = [pair for row in judged.slopes for pair in row if pair]
        require(not judged.loss, "zero-loss: the loss is not 0")
        require(all(below <= 0 <= above for below, above in pairs), "zero-loss: the loss can be negative")
    for matrices in better:
        theta = [*judged.theta]
        for number, matrix in zip(judged.free, matrices):
            theta[number] = [to_germs(row) for row in matrix]
        require(sum(judged.find_loss(theta)) < sum(judged.loss), "better: the loss is not smaller there")
    free = "all parameters" if content["free"] == "all" else f"layer {content['free']}"
    return f"{name}: the point in {free}, shown by {by}{', and another point is better' if better else ''}"
