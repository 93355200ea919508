"""Scans over all kinks in float64: values with a rigorous bound on their error, rates, and the step along them.

Arrays are (depth, unit, sample): `weights[depth, unit, below]`, `offsets`, `masks` (1.0 on, 0.0 off), `values`. Rows
of `inputs` are the columns of x̃; `slopes[0]` and `slopes[1]` are those of each unit's activation below and above 0. A
value of +∞ stands for what is no kink: it is on its side whatever is added, and nothing comes to it. These are the
loops that are compiled. Where the kernel runs as plain Python it takes the functions of the same names in arrays.py:
the error bounds hold for every order of summation, so they hold for both, and decisions that are certain agree.
Theorem and proof: proofs/filter.md.
"""

from exactdrl.arithmetic.float64.marks import compiled
from exactdrl.arithmetic.float64.state import FloatProblem, FloatVertex, Matrix

# Half a unit in the last place at 1: the relative error of one rounding
ROUNDING = 2.0**-53
# Above whatever underflow can lose, flush to zero included, for data within RANGE of problem.py
TINY = 2.0**-700
# Samples that are scanned through all layers at once: what a layer passes on stays in the cache
TILE = 256
# Terms of the partial sums of a product of matrices
BLOCK = 32


@compiled
def slack(terms: int) -> float:
    """Returns 4 (terms + 8) u: it covers a sum of so many products, its rounded data, and the bound's own rounding."""
    return (terms + 8) * 4.0 * ROUNDING


@compiled
def add_terms(vertex: FloatVertex, depth: int, unit: int, terms: int, values: Matrix, magnitudes: Matrix) -> None:
    """Adds Σ factors[j] values[j] to a unit's values, Σ spreads[j] |magnitudes[j]| to errors, two terms a pass."""
    samples = values.shape[1]
    for j in range(0, terms, 2):
        # one term more, 0 times the last, where their number is odd
        k, is_pair = min(j + 1, terms - 1), j + 1 < terms
        w, v = vertex.factors[j], vertex.spreads[j]
        x, y = vertex.factors[k] if is_pair else 0.0, vertex.spreads[k] if is_pair else 0.0
        for i in range(samples):
            vertex.values[depth, unit, i] += w * values[j, i] + x * values[k, i]
        for i in range(samples):
            vertex.errors[depth, unit, i] += v * abs(magnitudes[j, i]) + y * abs(magnitudes[k, i])


@compiled
def scan_values(problem: FloatProblem, vertex: FloatVertex) -> None:
    """Computes the values of all kinks at θ, with bounds on their errors."""
    rank, samples = problem.inputs.shape[0], problem.inputs.shape[1]
    for depth in range(problem.widths.shape[0]):
        terms = rank if depth == 0 else problem.widths[depth - 1]
        k, above = slack(terms), slack(problem.widths[depth])
        for unit in range(problem.widths[depth]):
            for i in range(samples):
                vertex.values[depth, unit, i] = problem.offsets[depth, unit, i]
                vertex.errors[depth, unit, i] = k * abs(problem.offsets[depth, unit, i])
            for j in range(terms):
                w = vertex.theta[unit * rank + j] if depth == 0 else problem.weights[depth, unit, j]
                vertex.factors[j] = w
                vertex.spreads[j] = vertex.theta_errors[unit * rank + j] + k * abs(w) if depth == 0 else abs(w)
            if depth == 0:
                add_terms(vertex, depth, unit, terms, problem.inputs, problem.inputs)
            else:
                add_terms(vertex, depth, unit, terms, vertex.active, vertex.magnitudes)
        for unit in range(problem.widths[depth]):
            low, high = problem.slopes[0, depth, unit], problem.slopes[1, depth, unit]
            for i in range(samples):
                # a structural zero (bound 0) keeps the bound 0: its value is 0 whatever the parameters
                bound, z = vertex.errors[depth, unit, i], vertex.values[depth, unit, i]
                e = bound * (1.0 + k) + (TINY if bound > 0.0 else 0.0)
                vertex.errors[depth, unit, i] = e
                f = high if vertex.masks[depth, unit, i] != 0.0 else low
                vertex.active[unit, i] = f * z
                vertex.magnitudes[unit, i] = abs(f) * (e + above * abs(z))


@compiled
def set_rates(
    vertex: FloatVertex, depth: int, unit: int, low: int, high: int, terms: int, sources: Matrix, shift: int
) -> None:
    """Sets a unit's rates to Σ factors[j] sources[j], for samples from `low` to `high`, up to three terms a pass.

    Sample i stands in place i - shift of `sources`.
    """
    done = 1 + (terms - 1) % 3
    w, x, y = vertex.factors[0], vertex.factors[done - 1], vertex.factors[1 if done == 3 else 0]
    if done == 1:
        for i in range(low, high):
            vertex.rates[depth, unit, i] = w * sources[0, i - shift]
    elif done == 2:
        for i in range(low, high):
            vertex.rates[depth, unit, i] = w * sources[0, i - shift] + x * sources[1, i - shift]
    else:
        for i in range(low, high):
            vertex.rates[depth, unit, i] = (
                w * sources[0, i - shift] + y * sources[1, i - shift] + x * sources[2, i - shift]
            )
    for j in range(done, terms, 3):
        w, x, y = vertex.factors[j], vertex.factors[j + 1], vertex.factors[j + 2]
        for i in range(low, high):
            vertex.rates[depth, unit, i] += (
                w * sources[j, i - shift] + x * sources[j + 1, i - shift] + y * sources[j + 2, i - shift]
            )


@compiled
def scan_rates(problem: FloatProblem, vertex: FloatVertex) -> tuple[int, int, int]:
    """Fills in the rates along the direction.

    Returns:
        Depth, unit and sample of the kink that is met first, by floats alone; -1 for none.
    """
    rank, samples = problem.inputs.shape[0], problem.inputs.shape[1]
    top = problem.widths.shape[0] - 1
    depth_of, unit_of, sample_of = -1, -1, -1
    # the largest -rate/value met: the reciprocal of the nearest breakpoint's distance
    nearest = 0.0
    for tile in range((samples + TILE - 1) // TILE):
        low, high = tile * TILE, min((tile + 1) * TILE, samples)
        for depth in range(top + 1):
            for unit in range(problem.widths[depth]):
                if depth == 0:
                    for j in range(rank):
                        vertex.factors[j] = vertex.direction[unit * rank + j]
                    set_rates(vertex, depth, unit, low, high, rank, problem.inputs, 0)
                else:
                    for j in range(problem.widths[depth - 1]):
                        vertex.factors[j] = problem.weights[depth, unit, j]
                    set_rates(vertex, depth, unit, low, high, problem.widths[depth - 1], vertex.active, low)
                # values have the sign of their side; nearer than the nearest: -r/z > nearest, without a division
                nearer = 0
                for i in range(low, high):
                    z = vertex.values[depth, unit, i]
                    nearer += z * (vertex.rates[depth, unit, i] + nearest * z) < 0.0
                if nearer != 0:
                    for i in range(low, high):
                        z = vertex.values[depth, unit, i]
                        if z * (vertex.rates[depth, unit, i] + nearest * z) < 0.0:
                            nearest = -vertex.rates[depth, unit, i] / z
                            depth_of, unit_of, sample_of = depth, unit, i
            if depth == top:
                break
            for unit in range(problem.widths[depth]):
                off, on = problem.slopes[0, depth, unit], problem.slopes[1, depth, unit]
                for i in range(low, high):
                    slope = on if vertex.masks[depth, unit, i] != 0.0 else off
                    vertex.active[unit, i - low] = slope * vertex.rates[depth, unit, i]
    return depth_of, unit_of, sample_of


@compiled
def move_values(
    problem: FloatProblem, vertex: FloatVertex, distance: float, spread: float, share: float, lost: float
) -> int:
    """Goes a distance along the rates; returns how many values have not certainly the sign of their side.

    Their bound is spread · gain · size + share · level + lost.
    """
    unsure, samples = 0, problem.sizes.shape[0]
    for depth in range(problem.widths.shape[0]):
        for unit in range(problem.widths[depth]):
            factor, base = spread * problem.gains[depth, unit], share * problem.levels[depth, unit] + lost
            for i in range(samples):
                moved = vertex.values[depth, unit, i] + distance * vertex.rates[depth, unit, i]
                vertex.values[depth, unit, i] = moved
                # written so that a NaN is unsure
                unsure += not ((2.0 * vertex.masks[depth, unit, i] - 1.0) * moved > factor * problem.sizes[i] + base)
    return unsure


@compiled
def count_unsure(problem: FloatProblem, vertex: FloatVertex) -> int:
    """Returns how many values have not certainly the sign of their side, by the bounds in `errors`."""
    unsure = 0
    for depth in range(problem.widths.shape[0]):
        for unit in range(problem.widths[depth]):
            for i in range(problem.inputs.shape[1]):
                z, e = vertex.values[depth, unit, i], vertex.errors[depth, unit, i]
                # written so that a NaN is unsure; a structural zero (bound 0) is sure to be 0 for good
                if not ((2.0 * vertex.masks[depth, unit, i] - 1.0) * z > e or (e == 0.0 and z == 0.0)):
                    unsure += 1
    return unsure


@compiled
def set_defect(vertex: FloatVertex) -> None:
    """Computes I - A R, with partial sums of BLOCK terms."""
    n = vertex.matrix.shape[0]
    vertex.defect[:] = 0.0
    for i in range(n):
        vertex.defect[i, i] = 1.0
    # four rows at once, two terms a pass: each row of R is fetched n/4 times; partial sums of BLOCK terms, so that
    # rounding grows with BLOCK + n/BLOCK
    for i in range(0, n, 4):
        rows = min(4, n - i)
        # rows beyond the last are the last once more
        i1, i2, i3 = i + min(1, rows - 1), i + min(2, rows - 1), i + min(3, rows - 1)
        for block in range((n + BLOCK - 1) // BLOCK):
            low, high = block * BLOCK, min((block + 1) * BLOCK, n)
            vertex.sums[:] = 0.0
            for k in range(low, high - 1, 2):
                p, q, r, s = vertex.matrix[i, k], vertex.matrix[i1, k], vertex.matrix[i2, k], vertex.matrix[i3, k]
                t, u = vertex.matrix[i, k + 1], vertex.matrix[i1, k + 1]
                v, w = vertex.matrix[i2, k + 1], vertex.matrix[i3, k + 1]
                for j in range(n):
                    x, y = vertex.inverse[k, j], vertex.inverse[k + 1, j]
                    vertex.sums[0, j] += p * x + t * y
                    vertex.sums[1, j] += q * x + u * y
                    vertex.sums[2, j] += r * x + v * y
                    vertex.sums[3, j] += s * x + w * y
            if (high - low) % 2 == 1:
                k = high - 1
                p, q, r, s = vertex.matrix[i, k], vertex.matrix[i1, k], vertex.matrix[i2, k], vertex.matrix[i3, k]
                for j in range(n):
                    x = vertex.inverse[k, j]
                    vertex.sums[0, j] += p * x
                    vertex.sums[1, j] += q * x
                    vertex.sums[2, j] += r * x
                    vertex.sums[3, j] += s * x
            for own in range(rows):
                for j in range(n):
                    vertex.defect[i + own, j] -= vertex.sums[own, j]
