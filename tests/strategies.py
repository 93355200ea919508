"""Every Hypothesis generator of the tests. Operands are short, so that shrinking is quick and ties are plenty."""

import os
import random
from collections.abc import Callable
from fractions import Fraction

from gmpy2 import mpq
from hypothesis import settings
from hypothesis import strategies as st

from exactdrl.problem.instance import Instance
from exactdrl.problem.loss import Loss

EXAMPLES_FACTOR = 20 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 1

Matrix = list[list[Fraction]]


def examples(count: int) -> settings:
    """Returns the loaded profile with this many examples, 20 times as many in the profile `long`."""
    return settings(max_examples=count * EXAMPLES_FACTOR)


def integers() -> st.SearchStrategy[Fraction]:
    """Integers from -3 to 3: ties everywhere."""
    return st.integers(-3, 3).map(Fraction)


def rationals() -> st.SearchStrategy[Fraction]:
    """Rationals with short numerators and denominators up to 5."""
    return st.builds(Fraction, st.integers(-12, 12), st.integers(1, 5))


def operands() -> st.SearchStrategy[st.SearchStrategy[Fraction]]:
    """One of the two kinds of numbers, for a whole instance."""
    return st.sampled_from([integers(), rationals()])


def matrices(rows: int, columns: int, numbers: st.SearchStrategy[Fraction]) -> st.SearchStrategy[Matrix]:
    """Matrices of one shape."""
    return st.lists(st.lists(numbers, min_size=columns, max_size=columns), min_size=rows, max_size=rows)


@st.composite
def data(draw: Callable, samples: int, features: int, numbers: st.SearchStrategy[Fraction]) -> Matrix:
    """Inputs with repeated samples and with features that are zero, constant or copies of the feature before."""
    rows = draw(matrices(samples, features, numbers))
    if draw(st.booleans()):
        return rows
    for column in range(features):
        kind = draw(st.sampled_from(["plain", "plain", "plain", "zero", "constant", "copy"]))
        for row in rows:
            if kind == "zero":
                row[column] = Fraction(0)
            elif kind == "constant":
                row[column] = rows[0][column]
            elif kind == "copy" and column:
                row[column] = 2 * row[column - 1]
    for sample in range(1, samples):
        if draw(st.sampled_from([False, False, False, True])):
            rows[sample] = list(rows[draw(st.integers(0, sample - 1))])
    return rows


def _dead(row: list[Fraction]) -> list[Fraction]:
    return [-abs(value) for value in row]


@st.composite
def instances(
    draw: Callable,
    *,
    min_depth: int = 0,
    max_depth: int = 3,
    max_parameters: int = 6,
    max_samples: int = 8,
    max_width: int = 3,
) -> Instance:
    """Small random problems: any trained layer, layers without bias, dead units, several outputs, all kinds of starts.

    The start is random, zero, has a dead unit, or lies on kinks of the trained layer.
    """
    numbers = draw(operands())
    depth = draw(st.integers(min_depth, max_depth))
    layer = draw(st.integers(1, depth + 1))
    max_parameters = draw(st.integers(1, max_parameters))
    widths = [draw(st.integers(1, max_width)) for _ in range(depth + 2)]
    biased = [draw(st.sampled_from([True, True, False])) for _ in range(depth + 1)]
    widths[layer - 1] = min(widths[layer - 1], max(1, max_parameters - biased[layer - 1]))
    m = widths[layer - 1] + biased[layer - 1]
    widths[layer] = min(widths[layer], max(1, max_parameters // m))
    layers: list[tuple[Matrix, list[Fraction] | None]] = []
    for index in range(depth + 1):
        weight = draw(matrices(widths[index + 1], widths[index], numbers))
        bias = (
            draw(st.lists(numbers, min_size=widths[index + 1], max_size=widths[index + 1])) if biased[index] else None
        )
        kind = draw(st.sampled_from(["plain", "lively", "dead"])) if index < depth else "plain"
        if kind == "lively":
            weight = [[abs(value) for value in row] for row in weight]
        elif kind == "dead":
            unit = draw(st.integers(0, widths[index + 1] - 1))
            weight[unit] = _dead(weight[unit])
            if bias is not None:
                bias[unit] = -abs(bias[unit])
        layers.append((weight, bias))
    samples = draw(st.integers(1, max_samples) | st.integers(max(1, max_samples - 3), max_samples))
    inputs = draw(data(samples, widths[0], numbers))
    targets = draw(matrices(samples, widths[-1], numbers))
    start = draw(starts(widths[layer], m, numbers))
    instance = Instance.create(layers, inputs, targets, layer=layer, start=start)
    if draw(st.sampled_from([False, False, True])):
        start = _onto_kinks(draw, instance, start)
        instance = Instance.create(layers, inputs, targets, layer=layer, start=start)
    return instance


def activations(extremes: bool = False) -> st.SearchStrategy[tuple[Fraction, Fraction]]:
    """Slopes below and above 0: ReLU, leaky ReLU, absolute value, mirrored, falling, the identity; or far apart."""
    pairs = [(0, 1), (0, 1), (Fraction(1, 10), 1), (Fraction(1, 3), Fraction(-2, 3)), (-1, 1), (1, 0), (2, 3), (1, 1)]
    if extremes:
        pairs += [(2**300, 1), (Fraction(1, 2**300), 1), (1, 1 + Fraction(1, 2**80)), (Fraction(1, 10**30), 1)]
    return st.sampled_from([(Fraction(below), Fraction(above)) for below, above in pairs])


@st.composite
def losses(draw: Callable, outputs: int) -> Loss:
    """A loss with two slopes, one for all outputs or one an output; half of them may be unbounded below."""
    kind = draw(st.sampled_from(["absolute", "pinball", "hinge", "linear", "two-slope", "two-slope"]))
    count = draw(st.sampled_from([1, outputs]))
    if kind == "pinball":
        return Loss.pinball(*(mpq(draw(st.integers(1, 6)), 7) for _ in range(count)))
    if kind == "two-slope":
        below = [mpq(draw(st.integers(-4, 1)), draw(st.integers(1, 3))) for _ in range(count)]
        return Loss.two_slope(below, [slope + draw(st.sampled_from([0, 1, 3, mpq(1, 3)])) for slope in below])
    return {"absolute": Loss.absolute, "hinge": Loss.hinge, "linear": Loss.linear}[kind]()


@st.composite
def general_instances(draw: Callable, *, extremes: bool = False, **sizes: int) -> Instance:
    """The problems of `instances` with activations for each layer or unit, any loss with two slopes, weights down to 0."""
    base = draw(instances(**sizes))
    layers = []
    for index, layer in enumerate(base.layers):
        own: object = None
        if index < len(base.layers) - 1 or draw(st.sampled_from([False, False, True])):
            kind = st.lists(activations(extremes), min_size=len(layer.weight), max_size=len(layer.weight))
            own = draw(activations(extremes) | kind)
        layers.append((layer.weight, layer.bias, own))
    loss = draw(losses(len(base.targets[0])))
    targets = base.targets
    if loss.kind == "hinge":
        targets = [[Fraction(1 if y > 0 else -1) for y in row] for row in targets]
    weights = None
    if draw(st.sampled_from([False, False, True])):
        weight = st.sampled_from([Fraction(0), Fraction(1), Fraction(1, 3), Fraction(5)])
        weights = [draw(weight) for _ in base.inputs]
    return Instance.create(layers, base.inputs, targets, layer=base.layer, start=base.start, loss=loss, weights=weights)


@st.composite
def mixed_outputs(draw: Callable, *, max_samples: int = 6) -> Instance:
    """The last layer is trained; one output's residuals have a kink, another's have none, a third's may do either.

    Often the inputs sum to 0, so that an output without a kink does not make the loss fall forever. Weights down to 0.
    """
    small = st.fractions(-4, 4, max_denominator=2)
    outputs, features, has_bias = draw(st.integers(2, 3)), draw(st.integers(1, 3)), draw(st.booleans())
    bent = [mpq(draw(st.integers(-4, 1)), draw(st.integers(1, 3))) for _ in range(outputs)]
    pairs = [(slope, slope + draw(st.sampled_from([1, 2, mpq(1, 3)]))) for slope in bent]
    straight = [
        (mpq(slope), mpq(slope)) for slope in draw(st.lists(st.sampled_from([0, -2, 1]), min_size=3, max_size=3))
    ]
    kinds = draw(st.permutations([True, False, draw(st.booleans())][:outputs]))
    pairs = [pair if has_kink else even for has_kink, pair, even in zip(kinds, pairs, straight, strict=False)]
    inputs = draw(matrices(draw(st.integers(1, max_samples)), features, small))
    weight = st.sampled_from([Fraction(0), Fraction(1), Fraction(1, 3), Fraction(5)])
    weights = draw(st.none() | st.lists(weight, min_size=len(inputs), max_size=len(inputs)))
    if draw(st.sampled_from([True, True, False])):
        inputs = [*inputs, *([-entry for entry in row] for row in inputs)]
        weights = None if weights is None else weights * 2
    layers: list[tuple[object, ...]] = [(draw(matrices(outputs, features, small)), [0] * outputs if has_bias else None)]
    if draw(st.sampled_from([False, False, True])):
        layers.insert(0, (draw(matrices(features, features, small)), None, draw(activations())))
    targets = draw(matrices(len(inputs), outputs, small))
    loss = Loss.two_slope([below for below, _ in pairs], [above for _, above in pairs])
    return Instance.create(layers, inputs, targets, loss=loss, weights=weights, free=len(layers))


@st.composite
def starts(draw: Callable, units: int, m: int, numbers: st.SearchStrategy[Fraction]) -> Matrix:
    """Parameters of the trained layer: random, zero, or with a unit that is zero or negative throughout."""
    kind = draw(st.sampled_from(["plain", "plain", "zero", "unit", "dead"]))
    start = draw(matrices(units, m, numbers))
    unit = draw(st.integers(0, units - 1))
    if kind == "zero":
        start = [[Fraction(0)] * m for _ in range(units)]
    elif kind == "unit":
        start[unit] = [Fraction(0)] * m
    elif kind == "dead":
        start[unit] = _dead(start[unit])
    return start


@st.composite
def one_layer_instances(draw: Callable, *, max_parameters: int = 6, max_samples: int = 10) -> Instance:
    """Units that are 0 on all samples, below one output, with no residual at 0: F is a sum of |linear forms|.

    Integers from -2 to 2, so that forms coincide, cancel, and are dependent in many ways. Without the labels' signs
    every form would be convex. Some units may be elsewhere; or the only layer is trained, and some residuals vanish.
    """
    small = st.integers(-2, 2).map(Fraction)
    units = draw(st.sampled_from([1, 1, 1, 2]))
    m = draw(st.integers(1, max_parameters // units))
    samples = draw(st.integers(1, max_samples) | st.integers(max(1, max_samples - 3), max_samples))
    inputs = draw(data(samples, m, small))
    if draw(st.booleans()):
        # forms instead of ReLUs: |z| = ReLU(z) + ReLU(-z)
        inputs = [*inputs, *([-entry for entry in row] for row in inputs)]
        samples *= 2
    if draw(st.sampled_from([False, False, False, True])):
        start = draw(starts(units, m, small))
        targets = [[sum((a * b for a, b in zip(row, x, strict=True)), Fraction(0)) for row in start] for x in inputs]
        off = draw(matrices(samples, units, st.sampled_from([Fraction(0), Fraction(0), Fraction(1), Fraction(-1)])))
        moved = [[y + e for y, e in zip(*rows, strict=True)] for rows in zip(targets, off, strict=True)]
        return Instance.create([(start, None)], inputs, moved, start=start)
    start = [[Fraction(draw(st.sampled_from([0, 0, 0, 1])))] * m for _ in range(units)]
    outer = [[draw(st.sampled_from([Fraction(1), Fraction(2)])) for _ in range(units)]]
    # the unit's activation raises the loss where the label is below the output, and lowers it elsewhere
    rising = draw(st.integers(2, 9))
    targets = draw(matrices(samples, 1, st.integers(0, 9).map(lambda k: Fraction(-99 if k <= rising else 99))))
    return Instance.create([(start, None), (outer, None)], inputs, targets, layer=1, start=start)


def _onto_kinks(draw: Callable, instance: Instance, start: Matrix) -> Matrix:
    """Changes one parameter a unit so that the unit's preactivation vanishes on one sample."""
    pushed = [[Fraction(str(value)) for value in row] for row in instance.pushed_inputs()]
    moved = [list(row) for row in start]
    for row in moved:
        x = pushed[draw(st.integers(0, len(pushed) - 1))]
        column = next((c for c in reversed(range(len(x))) if x[c] != 0), None)
        if column is not None:
            row[column] -= sum((a * b for a, b in zip(row, x, strict=True)), Fraction(0)) / x[column]
    return moved


@st.composite
def generic_instances(draw: Callable, *, min_depth: int = 0, max_depth: int = 3, bits: int = 24) -> Instance:
    """Problems in general position: numbers with many random digits, so that no tie occurs that the structure does not
    force.

    Shrinks by its shape and its seed alone.
    """
    source = random.Random(draw(st.integers(0, 10**6)))
    depth = draw(st.integers(min_depth, max_depth))
    layer = draw(st.integers(1, depth + 1))
    widths = [draw(st.integers(1, 3)) for _ in range(depth + 2)]
    widths[layer] = min(widths[layer], 2)
    samples = draw(st.integers(1, 9))

    def number(reach: int) -> Fraction:
        return Fraction(source.randint(-reach << bits, reach << bits), 1 << bits)

    def rows(count: int, width: int, reach: int) -> Matrix:
        return [[number(reach) for _ in range(width)] for _ in range(count)]

    layers = [(rows(widths[i + 1], widths[i], 2), [number(1) for _ in range(widths[i + 1])]) for i in range(depth + 1)]
    inputs, targets = rows(samples, widths[0], 3), rows(samples, widths[-1], 3)
    return Instance.create(layers, inputs, targets, layer=layer, start=rows(widths[layer], widths[layer - 1] + 1, 4))


@st.composite
def lad_problems(draw: Callable, *, max_samples: int = 12, max_features: int = 3, max_outputs: int = 2) -> Instance:
    """Least absolute deviations: one affine layer, with degenerate data as in `data`."""
    numbers = draw(operands())
    samples, features = draw(st.integers(1, max_samples)), draw(st.integers(1, max_features))
    outputs = draw(st.integers(1, max_outputs))
    has_bias = draw(st.booleans())
    inputs = draw(data(samples, features, numbers))
    targets = draw(matrices(samples, outputs, numbers))
    start = draw(starts(outputs, features + has_bias, numbers))
    weight = [row[:features] for row in start]
    bias = [row[features] for row in start] if has_bias else None
    return Instance.create([(weight, bias)], inputs, targets)


@st.composite
def invertible_matrices(draw: Callable, max_size: int = 5) -> list[list[int]]:
    """Square integer matrices with determinant other than 0: a product of triangular ones, rows permuted."""
    n = draw(st.integers(1, max_size))
    entries = st.integers(-4, 4)
    lower = [[draw(entries) if j < i else int(i == j) for j in range(n)] for i in range(n)]
    diagonal = [draw(st.sampled_from([-3, -2, -1, 1, 2, 3])) for _ in range(n)]
    upper = [[draw(entries) if j > i else (diagonal[i] if i == j else 0) for j in range(n)] for i in range(n)]
    product = [[sum(lower[i][k] * upper[k][j] for k in range(n)) for j in range(n)] for i in range(n)]
    return draw(st.permutations(product))


def integer_matrices(max_rows: int = 5, max_columns: int = 5) -> st.SearchStrategy[list[list[int]]]:
    """Integer matrices, often of low rank."""

    @st.composite
    def build(draw: Callable) -> list[list[int]]:
        rows, columns = draw(st.integers(1, max_rows)), draw(st.integers(1, max_columns))
        inner = draw(st.integers(1, max(rows, columns)))
        entries = st.integers(-3, 3)
        left = [[draw(entries) for _ in range(inner)] for _ in range(rows)]
        right = [[draw(entries) for _ in range(columns)] for _ in range(inner)]
        return [[sum(left[i][k] * right[k][j] for k in range(inner)) for j in range(columns)] for i in range(rows)]

    return build()


@st.composite
def number_texts(draw: Callable) -> tuple[str, Fraction]:
    """A text of the format's grammar and the rational that it means, built from its parts (never parsed)."""
    kind = draw(st.sampled_from(["decimal", "ratio", "hexadecimal"]))
    minus = draw(st.booleans())
    factor = -1 if minus else 1
    prefix = "-" if minus else ""
    if kind == "ratio":
        p, q = draw(st.integers(0, 10**9)), draw(st.integers(1, 10**6))
        zeros = "0" * draw(st.integers(0, 2))
        return f"{prefix}{zeros}{p}/{zeros}{q}", Fraction(factor * p, q)
    base, places = (10, "0123456789") if kind == "decimal" else (16, "0123456789abcdefABCDEF")
    whole = draw(st.text(places, max_size=6))
    part = draw(st.text(places, max_size=6))
    has_point = draw(st.booleans()) or not whole
    if has_point and not whole and not part:
        part = "0"
    if not has_point:
        part = ""
    mantissa = Fraction(int((whole + part) or "0", base), base ** len(part))
    text = whole + ("." if has_point else "") + part
    exponent = draw(st.none() | st.integers(-40, 40)) if kind == "decimal" else draw(st.integers(-80, 80))
    written = "" if exponent is None else draw(st.sampled_from(["", "+"] if exponent >= 0 else [""])) + str(exponent)
    if kind == "decimal":
        letter = "" if exponent is None else draw(st.sampled_from("eE"))
        return f"{prefix}{text}{letter}{written}", factor * mantissa * Fraction(10) ** (exponent or 0)
    x, p = draw(st.sampled_from("xX")), draw(st.sampled_from("pP"))
    return f"{prefix}0{x}{text}{p}{written}", factor * mantissa * Fraction(2) ** exponent
