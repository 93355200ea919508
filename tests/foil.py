"""A float walk in the style of the published code: what exact arithmetic is measured against, mistakes included.

Written from the description of the algorithms in arXiv:2011.14895 and arXiv:2105.02831, and from what was observed of
the published code; none of its lines are here. On purpose it

- keeps the active kinks in a list, and the activation pattern beside it, and never looks at the signs again;
- flips the active kinks one after another, cumulatively, and looks only at the n edges of each cell after each flip,
  so never at the first kink's edge in the cell through which it arrived; stops after n flips ("converged");
- admits steps of a length down to -0.1, and takes the first of equals;
- lets the point drift: it is moved by t · direction and never put back on its kinks;
- gives up with "singular matrix" or "coordinate difference diverged".

Every float operation is elementwise, in an order that is written out (no BLAS, no LAPACK, no reduction that a machine
may reorder), so that the same seed gives the same run everywhere. It imports nothing from exactdrl.
"""

from dataclasses import dataclass

import numpy as np

LOWEST_STEP = -0.1  # the least length of a step that is admitted
FLAT = 1e-9  # a slope per unit length above minus this does not count as falling
STILL = 1e-12  # a projected gradient of a squared length below this counts as 0
DIVERGED = 1e-2  # largest difference between the point and the point where its kinks meet


class SingularError(Exception):
    """A pivot is exactly 0, or a solution is not finite."""


@dataclass(frozen=True, slots=True)
class FoilRun:
    """A run of the foil.

    Attributes:
        points: rows of n floats: the start, and the point after each move.
        first_vertex: the index of the first one that the foil takes for a vertex.
        reason: `converged`, `singular matrix`, `coordinate difference diverged`, `no kink`, `step limit`.
        shortest: the least length of a step, in units of the normalised direction.
    """

    points: tuple
    first_vertex: int
    reason: str
    shortest: float


def product(left, right):
    """left · rightᵀ, summed from the first column to the last."""
    total = left[:, 0:1] * right[:, 0]
    for column in range(1, left.shape[1]):
        total = total + left[:, column : column + 1] * right[:, column]
    return total


def dot(left, right):
    """The inner product, summed from first to last."""
    total = 0.0
    for a, b in zip(left.tolist(), right.tolist(), strict=True):
        total += a * b
    return total


def solve(matrix, right):
    """The solution by elimination with row pivoting, right a matrix."""
    system = np.hstack([np.array(matrix, dtype=float), right])
    n = len(matrix)
    with np.errstate(all="ignore"):
        for column in range(n):
            pivot = column + int(np.argmax(np.abs(system[column:, column])))
            if system[pivot, column] == 0 or not np.isfinite(system[pivot, column]):
                raise SingularError
            system[[column, pivot]] = system[[pivot, column]]
            system[column] = system[column] / system[column, column]
            factors = system[:, column : column + 1].copy()
            factors[column] = 0
            system = system - factors * system[column]
    if not np.isfinite(system).all():
        raise SingularError
    return system[:, n:]


class Foil:
    """The state of a run: point, pattern, active kinks."""

    def __init__(self, instance):
        layers = [
            (np.array(layer.weight, dtype=float), None if layer.bias is None else np.array(layer.bias, dtype=float))
            for layer in instance.layers
        ]
        x = np.array(instance.inputs, dtype=float)
        for weight, bias in layers[: instance.layer - 1]:
            x = np.maximum(product(x, weight) + (0 if bias is None else bias), 0)
        if layers[instance.layer - 1][1] is not None:
            x = np.hstack([x, np.ones((len(x), 1))])
        self.x, self.y = x, np.array(instance.targets, dtype=float)
        self.upper = layers[instance.layer :]
        self.theta = np.array(instance.start, dtype=float)
        self.units, self.width = self.theta.shape
        self.n = self.theta.size
        values = self.values(self.theta, None)
        self.pattern = [value > 0 for value in values]
        self.active = []

    def values(self, theta, pattern, *, rates=False):
        """Preactivations and residuals, by the pattern's bits or, where it is None, by the values' own signs."""
        found = [product(self.x, theta)]
        for depth, (weight, bias) in enumerate(self.upper):
            on = found[-1] > 0 if pattern is None else pattern[depth]
            found.append(product(np.where(on, found[-1], 0.0), weight))
            if bias is not None and not rates:
                found[-1] = found[-1] + bias
        if not rates:
            found[-1] = found[-1] - self.y
        return found

    def normal(self, kink):
        """A kink's normal in the current cell."""
        depth, sample, unit = kink
        v = np.zeros(len(self.pattern[depth][sample]))
        v[unit] = 1.0
        for below in range(depth - 1, -1, -1):
            v = product(v[np.newaxis, :], self.upper[below][0].T)[0]
            v = np.where(self.pattern[below][sample], v, 0.0)
        return (v[:, np.newaxis] * self.x[sample]).ravel()

    def gradient(self):
        """The gradient of the loss in the current cell."""
        back = np.where(self.pattern[-1], 1.0, -1.0)
        for below in range(len(self.upper) - 1, -1, -1):
            back = np.where(self.pattern[below], product(back, self.upper[below][0].T), 0.0)
        terms = back[:, :, np.newaxis] * self.x[:, np.newaxis, :]
        return np.add.accumulate(terms, axis=0)[-1].ravel()

    def normals(self):
        return np.array([self.normal(kink) for kink in self.active]).reshape(len(self.active), self.n)

    def nearest(self, direction):
        """The ratio test: (t, kink) of the least admitted step, None where there is none."""
        values = self.values(self.theta, self.pattern)
        rates = self.values(direction.reshape(self.units, self.width), self.pattern, rates=True)
        best = None
        for depth, (value, rate, on) in enumerate(zip(values, rates, self.pattern, strict=True)):
            towards = np.where(on, rate < 0, rate > 0)
            for layer, sample, unit in self.active:
                if layer == depth:
                    towards[sample, unit] = False
            with np.errstate(all="ignore"):
                t = np.where(towards, -value / rate, np.inf)
            t = np.where(t >= LOWEST_STEP, t, np.inf)
            sample, unit = divmod(int(np.argmin(t)), t.shape[1])
            if np.isfinite(t[sample, unit]) and (best is None or t[sample, unit] < best[0]):
                best = float(t[sample, unit]), (depth, sample, unit)
        return best

    def move(self, direction, t):
        self.theta = self.theta + t * direction.reshape(self.units, self.width)

    def project(self, vector):
        """The part of a vector that is orthogonal to the active normals."""
        if not self.active:
            return vector
        a = self.normals()
        multipliers = solve(product(a, a), product(a, vector[np.newaxis, :]))
        return vector - product(a.T, multipliers.T)[:, 0]

    def difference(self):
        """The largest difference between the point and the one where its kinks meet."""
        values = self.values(self.theta, self.pattern)
        heights = np.array([[values[depth][sample, unit]] for depth, sample, unit in self.active])
        return float(np.max(np.abs(solve(self.normals(), heights))))


def run_foil(instance, max_steps=10_000):
    """Runs the foil from the instance's start."""
    foil = Foil(instance)
    points = [tuple(foil.theta.ravel().tolist())]
    shortest = np.inf

    def end(reason):
        return FoilRun(tuple(points), foil.n, reason, float(shortest))

    try:
        while len(foil.active) < foil.n:
            direction = foil.project(-foil.gradient())
            if dot(direction, direction) < STILL:
                candidates = (foil.project(row) for row in np.eye(foil.n))
                direction = max(candidates, key=lambda row: dot(row, row))
            direction = direction / np.sqrt(dot(direction, direction))
            met = foil.nearest(direction)
            if met is None:
                direction = -direction
                met = foil.nearest(direction)
            if met is None:
                return end("no kink")
            foil.move(direction, met[0])
            foil.active.append(met[1])
            points.append(tuple(foil.theta.ravel().tolist()))
        for _ in range(max_steps):
            edge = find_edge(foil)
            if edge is None:
                return end("converged")
            place, direction = edge
            leaving = foil.active.pop(place)
            foil.active.append(leaving)  # it is no candidate of the ratio test
            met = foil.nearest(direction)
            foil.active.pop()
            if met is None:
                return end("no kink")
            shortest = min(shortest, met[0])
            foil.move(direction, met[0])
            foil.active.append(met[1])
            points.append(tuple(foil.theta.ravel().tolist()))
            if not foil.difference() < DIVERGED:
                return end("coordinate difference diverged")
    except SingularError:
        return end("singular matrix")
    return end("step limit")


def find_edge(foil):
    """(place in the list, normalised direction) of the edge that is taken, after up to n flips; None after n."""
    for depth, sample, unit in list(foil.active):
        foil.pattern[depth][sample, unit] ^= True
        columns = solve(foil.normals(), np.eye(foil.n))
        gradient = foil.gradient()
        best, chosen = -FLAT, None
        for place, kink in enumerate(foil.active):
            column = columns[:, place]
            on = foil.pattern[kink[0]][kink[1], kink[2]]
            direction = column if on else -column
            direction = direction / np.sqrt(dot(direction, direction))
            slope = dot(gradient, direction)
            if slope < best:
                best, chosen = slope, (place, direction)
        if chosen is not None:
            return chosen
    return None
