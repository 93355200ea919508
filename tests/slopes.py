"""An independent oracle for instances of version 2: proofs/FORMAT.md by brute force, over Fractions and PPL.

It reads the instance's JSON by itself, knows nothing of exactdrl or of the checker, and walks, judges and decides by the
definitions alone. It is slow: for a handful of parameters and samples.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction

import oracle
from oracle import ONE, ZERO, Kink, LocalForm, Row, dot, to_fraction, to_fractions
from ppl import C_Polyhedron, Linear_Expression

Pair = tuple[Fraction, Fraction]


class FalseClaimError(Exception):
    """What a line claims does not hold."""


class NoWalkError(Exception):
    """The instance has no walk: the format calls a certificate about it malformed."""


def hold(condition: bool, claim: str) -> None:
    """Raises FalseClaimError unless the condition holds."""
    if not condition:
        raise FalseClaimError(claim)


def read_pairs(layers: list[dict], number: int) -> list[Pair]:
    """Returns a layer's slopes, one pair a unit."""
    width = len(layers[number]["weight"])
    value = layers[number].get("activation", ["0", "1"] if number < len(layers) - 1 else ["1", "1"])
    value = value if isinstance(value[0], list) else [value] * width
    return [(to_fraction(below), to_fraction(above)) for below, above in value]


def read_phi(loss: dict, target: Fraction, output: int) -> Pair:
    """Returns the slopes of one entry's φ."""

    def number(key: str) -> Fraction:
        return to_fraction(loss[key][output] if isinstance(loss[key], list) else loss[key])

    match loss["kind"]:
        case "absolute":
            return -ONE, ONE
        case "linear":
            return ONE, ONE
        case "pinball":
            return -number("level"), ONE - number("level")
        case "two-slope":
            return number("below"), number("above")
        case "hinge":
            return (-ONE, ZERO) if target == 1 else (ZERO, ONE)
    raise NoWalkError


class Slopes:
    """An instance over Fractions.

    Attributes:
        layer: ℓ; last: L+1, counted with the identity layer that may be added; units: n_ℓ; m; n: all parameters.
        pushed: x̃; upper: weight and bias of the layers above ℓ; pairs: slopes of layers ℓ..L.
        free: the parameters (unit, column) that remain.
    """

    def __init__(self, content: dict) -> None:
        layers = content["network"]["layers"]
        network = [
            (
                to_fractions(layer["weight"]),
                [to_fraction(b) for b in layer["bias"] or [0] * len(layer["weight"])],
                read_pairs(layers, number),
            )
            for number, layer in enumerate(layers)
        ]
        outputs = len(layers[-1]["weight"])
        if set(network[-1][2]) != {(ONE, ONE)}:
            identity = [[Fraction(i == j) for j in range(outputs)] for i in range(outputs)]
            network.append((identity, [ZERO] * outputs, [(ONE, ONE)] * outputs))
        self.layer = content["free"] if content["version"] == 2 else content["layer"]
        if self.layer == "all":
            raise NoWalkError
        data = content["data"]
        inputs = to_fractions(data["inputs"])
        self.targets = to_fractions(data.get("targets") or [[0] * outputs] * len(inputs))
        shares = [to_fraction(w) for w in data.get("weights") or [1] * len(inputs)]
        self.phi = [
            [tuple(share * slope for slope in read_phi(content["loss"], y, output)) for output, y in enumerate(row)]
            for share, row in zip(shares, self.targets, strict=True)
        ]
        self.pushed: list[Row] = []
        for x in inputs:
            values = list(x)
            for weight, bias, pairs in network[: self.layer - 1]:
                pre = [dot(row, values) + b for row, b in zip(weight, bias, strict=True)]
                values = [bend(t, pair) for t, pair in zip(pre, pairs, strict=True)]
            self.pushed.append(values + ([ONE] if layers[self.layer - 1]["bias"] is not None else []))
        own = network[self.layer - 1]
        self.start = to_fractions(content.get("start") or [])
        if not content.get("start"):
            has_bias = layers[self.layer - 1]["bias"] is not None
            self.start = [[*row, *([b] if has_bias else [])] for row, b in zip(own[0], own[1], strict=True)]
        self.upper = [(weight, bias) for weight, bias, _ in network[self.layer :]]
        self.pairs = [pairs for _, _, pairs in network[self.layer - 1 : -1]]
        self.last, self.units, self.m = len(network), len(self.start), len(self.pushed[0])
        self.n = self.units * self.m
        self.free = self.find_free()
        self.reduced_n = len(self.free)

    def addresses(self) -> Iterator[Kink]:
        """Yields every address in order, kink or not."""
        widths = [self.units, *(len(weight) for weight, _ in self.upper)]
        for offset, width in enumerate(widths):
            for sample in range(len(self.pushed)):
                for unit in range(width):
                    yield self.layer + offset, sample, unit

    def pair(self, address: Kink) -> Pair:
        """Returns the slopes at an address."""
        layer, sample, unit = address
        return self.phi[sample][unit] if layer == self.last else self.pairs[layer - self.layer][unit]

    def kinks(self) -> list[Kink]:
        """Returns the addresses where something bends."""
        return [address for address in self.addresses() if self.pair(address)[0] != self.pair(address)[1]]

    def find_free(self) -> list[tuple[int, int]]:
        """Returns the parameters that remain, by the definition of reach."""
        on = dict.fromkeys(self.addresses(), True)
        spaces = {}
        for sample in range(len(self.pushed)):
            rows = self.unit_rows(on, sample)
            kinks = [kink for kink in self.kinks() if kink[1] == sample]
            spaces[sample] = oracle.reduced_rows([rows[kink] for kink in kinks])
        reached = [sample for sample, (rows, _) in spaces.items() if rows]
        if not reached:
            return []
        if any(spaces[sample] != spaces[reached[0]] for sample in reached):
            raise NoWalkError
        columns = oracle.pivot_columns([self.pushed[sample] for sample in reached])
        return [(unit, column) for unit in spaces[reached[0]][1] for column in columns]

    def unit_rows(self, on: dict[Kink, bool], sample: int) -> dict[Kink, Row]:
        """Returns the coefficients of a sample's affine functions on layer ℓ's preactivations."""
        result = {}
        rows = [[Fraction(i == j) for j in range(self.units)] for i in range(self.units)]
        for layer in range(self.layer, self.last + 1):
            if layer > self.layer:
                weight, _ = self.upper[layer - self.layer - 1]
                slopes = [self.pair((layer - 1, sample, u))[on[layer - 1, sample, u]] for u in range(len(rows))]
                rows = [
                    [
                        sum((w * s * row[c] for w, s, row in zip(ws, slopes, rows, strict=True)), ZERO)
                        for c in range(self.units)
                    ]
                    for ws in weight
                ]
            result |= {(layer, sample, u): row for u, row in enumerate(rows)}
        return result

    def values(self, theta: Sequence[Row], on: dict[Kink, bool] | None = None) -> dict[Kink, Fraction]:
        """Returns every preactivation and residual: by the network itself, or by a pattern's affine functions."""
        result: dict[Kink, Fraction] = {}
        for sample, x in enumerate(self.pushed):
            pre = [dot(row, x) for row in theta]
            for layer in range(self.layer, self.last + 1):
                if layer > self.layer:
                    weight, bias = self.upper[layer - self.layer - 1]
                    below = [(layer - 1, sample, u) for u in range(len(pre))]
                    active = [
                        t * self.pair(k)[on[k]] if on else bend(t, self.pair(k))
                        for k, t in zip(below, pre, strict=True)
                    ]
                    pre = [dot(row, active) + b for row, b in zip(weight, bias, strict=True)]
                if layer == self.last:
                    pre = [v - y for v, y in zip(pre, self.targets[sample], strict=True)]
                result |= {(layer, sample, u): v for u, v in enumerate(pre)}
        return result

    def loss(self, theta: Sequence[Row]) -> Fraction:
        """Returns the loss, by a plain forward pass."""
        return sum((bend(v, self.pair(k)) for k, v in self.values(theta).items() if k[0] == self.last), ZERO)

    def normals(self, on: dict[Kink, bool]) -> tuple[dict[Kink, Row], Row]:
        """Returns the normals of all addresses in the cell, in all parameters, and the gradient."""
        result, gradient = {}, [ZERO] * self.n
        for sample, x in enumerate(self.pushed):
            for address, row in self.unit_rows(on, sample).items():
                result[address] = [a * b for a in row for b in x]
                if address[0] == self.last:
                    slope = self.pair(address)[on[address]]
                    gradient = [a + slope * b for a, b in zip(gradient, result[address], strict=True)]
        return result, gradient

    def reduce(self, row: Sequence[Fraction]) -> Row:
        """Returns a row's entries in the parameters that remain."""
        return [row[unit * self.m + column] for unit, column in self.free]

    def is_in_cell(self, values: dict[Kink, Fraction], on: dict[Kink, bool]) -> bool:
        """Returns whether values of kinks satisfy a pattern."""
        return all(values[kink] == 0 or (values[kink] > 0) == on[kink] for kink in self.kinks())

    def is_flat(self, on: dict[Kink, bool]) -> bool:
        """Returns whether the gradient is 0 along all directions that change no kink."""
        normals, gradient = self.normals(on)
        rows = [normals[kink] for kink in self.kinks()]
        return (oracle.combination(rows, gradient) is not None) if rows else not any(gradient)


def bend(t: Fraction, pair: Pair) -> Fraction:
    """Returns a function with a kink at 0."""
    return t * pair[t > 0]


# --- vertices, steps, outcomes ---------------------------------------------------------------------------------------


def write_pattern(problem: Slopes, on: dict[Kink, bool]) -> list[str]:
    """Returns the strings of a pattern."""
    texts = []
    for layer in range(problem.layer, problem.last + 1):
        digits = "".join("01"[on[address]] for address in problem.addresses() if address[0] == layer)
        digits += "0" * (-len(digits) % 4)
        texts.append("".join(f"{int(digits[k : k + 4], 2):x}" for k in range(0, len(digits), 4)))
    return texts


def parse_pattern(problem: Slopes, texts: list[str]) -> dict[Kink, bool]:
    """Returns the bits of a well-formed pattern."""
    bits = {}
    for layer, text in enumerate(texts, problem.layer):
        digits = "".join(f"{int(digit, 16):04b}" for digit in text)
        own = [address for address in problem.addresses() if address[0] == layer]
        bits |= {address: digit == "1" for address, digit in zip(own, digits, strict=False)}
    return bits


def solve(problem: Slopes, on: dict[Kink, bool], basis: list[Kink]) -> tuple[list[Row], list[Row]]:
    """Returns the point of a basis in a cell, and its edges in all parameters, each to where its kink's function grows."""
    hold(len(basis) == problem.reduced_n, "the basis has another length")
    normals, _ = problem.normals(on)
    inverse = oracle.inverse([problem.reduce(normals[kink]) for kink in basis]) if basis else []
    hold(inverse is not None, "the basis is dependent")
    values = problem.values(problem.start, on)
    theta, edges = [list(row) for row in problem.start], [[ZERO] * problem.n for _ in basis]
    for (unit, column), row in zip(problem.free, inverse, strict=True):
        theta[unit][column] -= dot(row, [values[kink] for kink in basis])
        for edge, entry in zip(edges, row, strict=True):
            edge[unit * problem.m + column] = entry
    return theta, edges


def find_vertex(problem: Slopes, on: dict[Kink, bool], basis: list[Kink]) -> list[Row]:
    """Returns the vertex of a basis in a cell."""
    theta, _ = solve(problem, on, basis)
    hold(problem.is_in_cell(problem.values(theta), on), "the point is outside the cell")
    return theta


def prepare(problem: Slopes, on: dict[Kink, bool], basis: list[Kink], theta: list[Row], step: dict) -> None:
    """Judges flips, crossings, a replaced basis and the leaving kink; changes pattern and basis in place."""
    values = problem.values(theta)
    for key in ("flip", "cross"):
        kinks = [tuple(kink) for kink in step.get(key, [])]
        hold(len(set(kinks)) == len(kinks), f"{key}: a kink occurs twice")
        if key == "cross":
            hold(not set(kinks) & set(basis), "a crossed kink is in the basis")
        for kink in kinks:
            hold(key == "cross" or values[kink] == 0, "a flipped kink is not zero")
            on[kink] = not on[kink]
        if key == "flip" and "basis" in step:
            basis[:] = map(tuple, step["basis"])
            hold(find_vertex(problem, on, basis) == theta, "the replaced basis is another point's")
    hold("leave" not in step or tuple(step["leave"]) in basis, "the leaving kink is not in the basis")


def judge_step(problem: Slopes, on: dict[Kink, bool], basis: list[Kink], theta: list[Row], step: dict) -> list[Row]:
    """Judges a step, and returns the next vertex."""
    prepare(problem, on, basis, theta, step)
    leave, enter = tuple(step["leave"]), tuple(step["enter"])
    hold(enter not in basis, "the entering kink is in the basis")
    basis.remove(leave)
    basis.append(enter)
    after = find_vertex(problem, on, basis)
    hold(after != theta, "the point stays")
    hold(problem.loss(after) <= problem.loss(theta), "the loss rises")
    hold(problem.loss(after) < problem.loss(theta) or "cross" not in step, "the loss does not fall")
    return after


def judge(problem: Slopes, lines: list[dict]) -> None:
    """Judges lines 2 to 4 of a well-formed certificate.

    Raises:
        FalseClaimError: a claim is false.
        oracle.TooManyCellsError: not judged.
    """
    if "start" in lines[0]:
        on, ray = parse_pattern(problem, lines[0]["start"]["pattern"]), lines[-1]["ray"]
        hold(problem.is_in_cell(problem.values(problem.start), on), "the start is outside the cell")
        hold(is_ray(problem, on, problem.start, [to_fraction(entry) for row in ray for entry in row]), "no ray")
        return
    vertex, outcome = lines[0]["vertex"], lines[-1]
    on, basis = parse_pattern(problem, vertex["pattern"]), list(map(tuple, vertex["basis"]))
    theta = find_vertex(problem, on, basis)
    hold(problem.is_flat(on), "the loss changes where no kink does")
    hold(
        "elsewhere" in vertex or problem.is_in_cell(problem.values(problem.start), on), "the start is outside the cell"
    )
    hold(problem.loss(theta) <= problem.loss(problem.start), "the loss is above the start's")
    for step in lines[1:-1]:
        theta = judge_step(problem, on, basis, theta, step)
    judge_outcome(problem, on, basis, theta, outcome)


def judge_outcome(problem: Slopes, on: dict[Kink, bool], basis: list[Kink], theta: list[Row], outcome: dict) -> None:
    """Judges an outcome; a minimum by LIKQ is judged by the condition and by the cells around it."""
    form = local_form(problem, theta)
    if outcome["outcome"] == "undecided":
        hold(len(form.active) == outcome["active"], "another number of kinks is active")
    elif outcome["outcome"] == "unbounded":
        prepare(problem, on, basis, theta, outcome)
        hold(is_ray(problem, on, theta, find_ray(problem, on, basis, outcome)), "no ray")
    elif outcome.get("by") == "zero-loss":
        hold(all(below <= 0 <= above for row in problem.phi for below, above in row), "the loss can be negative")
        hold(problem.loss(theta) == 0, "the loss is not zero")
    elif outcome.get("by") == "likq":
        verdict = oracle.likq_verdict(problem, form)
        hold(verdict in {"strict", "minimum"}, "no minimum by LIKQ")
        hold(verdict == "strict" or outcome["outcome"] == "local-minimum", "not strict by LIKQ")
        is_minimum, is_strict = decide_minimality(problem, theta)
        assert is_minimum
        assert is_strict == (verdict == "strict")


def find_ray(problem: Slopes, on: dict[Kink, bool], basis: list[Kink], outcome: dict) -> Row:
    """Returns the edge that an outcome `unbounded` means, in all parameters."""
    _, edges = solve(problem, on, basis)
    leave = tuple(outcome["leave"])
    edge = edges[basis.index(leave)]
    return edge if on[leave] else [-entry for entry in edge]


def is_ray(problem: Slopes, on: dict[Kink, bool], theta: list[Row], ray: Row) -> bool:
    """Returns whether the loss falls for ever along a ray that stays in the cell."""
    normals, gradient = problem.normals(on)
    rates = {kink: dot(normals[kink], ray) for kink in problem.kinks()}
    found = all(rate == 0 or (rate > 0) == on[kink] for kink, rate in rates.items()) and dot(gradient, ray) < 0
    if found:  # by the network itself
        losses = [problem.loss(oracle.move(theta, ray, Fraction(t))) for t in (0, 1, 1000)]
        assert losses[1] - losses[0] == dot(gradient, ray)
        assert losses[2] - losses[0] == 1000 * dot(gradient, ray)
    return found


# --- minimality ------------------------------------------------------------------------------------------------------


def local_form(problem: Slopes, theta: Sequence[Row]) -> LocalForm:
    """Returns the local form at a point in all parameters, as section 5 writes it."""
    values = problem.values(theta)
    form = LocalForm([], {}, {}, {}, [ZERO] * problem.n)

    def scale(factor: Fraction, change: tuple[Row, dict]) -> tuple[Row, dict]:
        return [factor * v for v in change[0]], {k: factor * v for k, v in change[1].items() if factor * v != 0}

    def add(one: tuple[Row, dict], other: tuple[Row, dict]) -> tuple[Row, dict]:
        parts = {k: one[1].get(k, ZERO) + other[1].get(k, ZERO) for k in {*one[1], *other[1]}}
        return [a + b for a, b in zip(one[0], other[0], strict=True)], {k: v for k, v in parts.items() if v != 0}

    nothing = ([ZERO] * problem.n, {})
    total = nothing
    kinks = set(problem.kinks())
    for sample, x in enumerate(problem.pushed):
        changes = []
        for unit in range(problem.units):
            row = [ZERO] * problem.n
            row[unit * problem.m : (unit + 1) * problem.m] = x
            changes.append((row, {}))
        for layer in range(problem.layer, problem.last + 1):
            passed = []
            for unit, change in enumerate(changes):
                address = layer, sample, unit
                below, above = problem.pair(address)
                if address not in kinks or values[address] > 0:
                    passed.append(scale(above, change))
                elif values[address] < 0:
                    passed.append(scale(below, change))
                elif any(change[0]) or change[1]:
                    form.active.append(address)
                    form.linear[address], form.absolute[address], form.weights[address] = change[0], change[1], ZERO
                    bent = [ZERO] * problem.n, {address: (above - below) / 2}
                    passed.append(add(scale((above + below) / 2, change), bent))
                else:
                    passed.append(nothing)
            if layer == problem.last:
                for change in passed:
                    total = add(total, change)
            else:
                weight, _ = problem.upper[layer - problem.layer]
                changes = []
                for ws in weight:
                    change = nothing
                    for w, below in zip(ws, passed, strict=True):
                        change = add(change, scale(w, below))
                    changes.append(change)
    form.gradient = total[0]
    form.weights |= total[1]
    form.active.sort()
    return form


def decide_minimality(problem: Slopes, theta: Sequence[Row], max_cells: int = 20_000) -> tuple[bool, bool]:
    """Returns whether a point is a local minimum, and a strict one, by all full-dimensional cones around it.

    On a cone that no kink splits the loss changes by a linear function, which is nonnegative if it is on generators.

    Raises:
        oracle.TooManyCellsError: more than `max_cells` cones.
    """
    values = problem.values(theta)
    order = sorted(problem.kinks(), key=lambda kink: (kink[1], kink[0], kink[2]))
    active = [kink for kink in order if values[kink] == 0]
    cells, strict = 0, True
    on = dict.fromkeys(problem.addresses(), True) | {k: values[k] > 0 for k in order}
    stack = [(C_Polyhedron(problem.n, "universe"), 0, on)]
    while stack:
        cone, index, on = stack.pop()
        generators = oracle._spanning(cone)
        if index == len(active):
            cells += 1
            if cells > max_cells:
                raise oracle.TooManyCellsError(f"more than {max_cells} cells")
            _, gradient = problem.normals(on)
            slopes = [sum((g * d for g, d in zip(gradient, ray, strict=True)), ZERO) for ray in generators]
            if any(slope < 0 for slope in slopes):
                return False, False
            strict = strict and all(slope > 0 for slope in slopes)
            continue
        kink = active[index]
        (form,) = oracle._integer_rows([problem.normals(on)[0][kink]])
        signs = [sum(a * b for a, b in zip(form, ray, strict=True)) for ray in generators]
        for side in (True, False):
            if any(s > 0 if side else s < 0 for s in signs) or (side and not any(signs)):
                part = C_Polyhedron(cone)
                part.add_constraint(Linear_Expression(form if side else [-a for a in form], 0) >= 0)
                stack.append((part, index + 1, on | {kink: side}))
    return True, strict
