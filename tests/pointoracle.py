"""An oracle for points that shares no code with the library: plain forward passes over Fraction, random rational curves."""

import random
from fractions import Fraction

TINY = (Fraction(1, 2**24), Fraction(1, 2**37))


class Network:
    """Data, slopes, loss; parameters are lists of matrices [W | b]."""

    def __init__(self, inputs, targets, slopes, biases, kind="squared", weights=None):
        self.inputs, self.targets = inputs, targets
        self.slopes, self.biases, self.kind = slopes, biases, kind
        self.weights = weights or [1] * len(inputs)

    def outputs(self, theta):
        found = []
        for row in self.inputs:
            values = [Fraction(x) for x in row]
            for matrix, slopes, has_bias in zip(theta, self.slopes, self.biases, strict=True):
                values = [*values, Fraction(1)] if has_bias else values
                sums = [
                    sum((Fraction(w) * x for w, x in zip(unit, values, strict=True)), Fraction(0)) for unit in matrix
                ]
                values = [s * (Fraction(b) if s < 0 else Fraction(a)) for s, (b, a) in zip(sums, slopes, strict=True)]
            found.append(values)
        return found

    def loss(self, theta):
        total = Fraction(0)
        for row, target, weight in zip(self.outputs(theta), self.targets, self.weights, strict=True):
            for f, y in zip(row, target, strict=True):
                r = f - Fraction(y)
                total += Fraction(weight) * (r * r if self.kind == "squared" else abs(r))
        return total


def move(theta, curve, t):
    """The point at t of a curve."""
    for power, part in enumerate(curve, 1):
        theta = [
            [[a + t**power * c for a, c in zip(r, s, strict=True)] for r, s in zip(m, d, strict=True)]
            for m, d in zip(theta, part, strict=True)
        ]
    return theta


def random_direction(rng, theta, free, spread):
    """A direction in the free layers, sparse or not, with entries of different sizes."""
    scales = [Fraction(1), Fraction(1, 8), Fraction(1, 64)]
    return [
        [
            [
                Fraction(rng.randint(-spread, spread)) * rng.choice(scales)
                if number in free and rng.random() < 0.6
                else Fraction(0)
                for _ in row
            ]
            for row in matrix
        ]
        for number, matrix in enumerate(theta)
    ]


def unit_direction(rng, theta):
    """One hidden unit's inner weights, and its outer ones, of very different sizes."""
    unit = rng.randrange(len(theta[0]))
    direction = [[[Fraction(0)] * len(row) for row in matrix] for matrix in theta]
    direction[0][unit] = [Fraction(rng.randint(-2, 2)) for _ in theta[0][unit]]
    for row in direction[1]:
        row[unit] = Fraction(rng.randint(-3, 3), rng.choice([1, 4, 16, 64]))
    return direction


def falls(network, theta, curve):
    """Whether the loss is below the point's at two tiny places of a curve."""
    before = network.loss(theta)
    return all(network.loss(move(theta, curve, t)) < before for t in TINY)


def find_fall(network, theta, free, rng, tries):
    """A random curve along which the loss falls at once, None if none of some does."""
    for _ in range(tries):
        if len(theta) == 2 and len(free) == 2 and rng.random() < 0.5:
            curve = [unit_direction(rng, theta)]
        else:
            curve = [random_direction(rng, theta, free, 2) for _ in range(rng.choice([1, 1, 2]))]
        if falls(network, theta, curve):
            return curve
    return None


def null_vector(rows, size, rng):
    """A random small integer vector that is orthogonal to all rows, perhaps 0."""
    matrix = [[Fraction(x) for x in row] for row in rows]
    pivots, reduced = [], []
    for given in matrix:
        left = given
        for column, pivot in zip(pivots, reduced, strict=True):
            left = [a - left[column] * b for a, b in zip(left, pivot, strict=True)]
        lead = next((k for k, x in enumerate(left) if x), None)
        if lead is not None:
            unit = [x / left[lead] for x in left]
            reduced = [[a - v[lead] * b for a, b in zip(v, unit, strict=True)] for v in reduced]
            pivots.append(lead)
            reduced.append(unit)
    free = [k for k in range(size) if k not in pivots]
    vector = [Fraction(0)] * size
    for k in free:
        factor = rng.randint(-2, 2)
        vector[k] += factor
        for column, row in zip(pivots, reduced, strict=True):
            vector[column] -= factor * row[k]
    return vector


def random_point(rng, *, outputs, kind="squared", hidden_bias=None, units=None):
    """A network with one hidden layer, and a point where often the outer gradient is 0, so that kinks decide.

    Residuals are chosen orthogonal to the activations, then the targets follow from them.
    """
    width = units or rng.randint(1, 3)
    samples, dimension = rng.randint(1, 5), rng.randint(1, 2)
    inner_bias = rng.random() < 0.5 if hidden_bias is None else hidden_bias
    outer_bias = rng.random() < 0.3
    inputs = [[rng.randint(-2, 2) for _ in range(dimension)] for _ in range(samples)]
    pair = rng.choice([(0, 1), (0, 1), (0, 1), (Fraction(1, 4), 1), (-1, 1)])
    slopes = [[pair] * width, [(1, 1)] * outputs]
    inner = [[rng.randint(-2, 2) for _ in range(dimension + inner_bias)] for _ in range(width)]
    outer = [[rng.choice([-1, 0, 0, 1, 2]) for _ in range(width + outer_bias)] for _ in range(outputs)]
    theta = [[[Fraction(x) for x in row] for row in matrix] for matrix in (inner, outer)]
    weights = [rng.choice([1, 1, 1, 2, 0]) for _ in inputs] if rng.random() < 0.2 else [1] * samples
    network = Network(inputs, [[0] * outputs for _ in inputs], slopes, [inner_bias, outer_bias], kind, weights)
    below = Network(inputs, [[0] * width for _ in inputs], slopes[:1], [inner_bias])
    activations = [row + [Fraction(1)] * outer_bias for row in below.outputs(theta[:1])]
    columns = [[w * row[c] for w, row in zip(weights, activations, strict=True)] for c in range(len(activations[0]))]
    residuals = [
        null_vector(columns, samples, rng) if rng.random() < 0.9 else [rng.randint(-2, 2) for _ in inputs]
        for _ in range(outputs)
    ]
    values = network.outputs(theta)
    network.targets = [[values[k][j] - residuals[j][k] for j in range(outputs)] for k in range(samples)]
    return network, theta


def rng_of(seed):
    """Random numbers that are the same everywhere."""
    return random.Random(seed)
