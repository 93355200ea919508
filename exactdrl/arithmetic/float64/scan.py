"""Scans over all kinks in float64: values with a rigorous bound on their error, rates, and the step along them.

Arrays are (depth, unit, sample): `weights[depth, unit, below]`, `offsets`, `masks` (1.0 on, 0.0 off), `values`. Rows
of `inputs` are the columns of x̃; `slopes[0]` and `slopes[1]` are those of each unit's activation below and above 0. A
value of +∞ stands for what is no kink: it is on its side whatever is added, and nothing comes to it. Each function
stands here twice: loops for the compiler, and NumPy for where there is none; the error bounds hold for every order of
summation, so they hold for both, and decisions that are certain agree. Theorem and proof: proofs/filter.md.
"""

import numpy as np
from numpy.typing import NDArray

from exactdrl.arithmetic.compiling import compiled, either

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

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
    return (terms + 8) * 4.0 * 2.0**-53


@compiled
def add_terms(
    total: Floats, bound: Floats, factors: Floats, sizes: Floats, terms: int, values: Floats, magnitudes: Floats
) -> None:
    """Adds Σ factors[j] values[j] to `total` and Σ sizes[j] magnitudes[j] to `bound`, two terms a pass."""
    samples = total.shape[0]
    for j in range(0, terms - 1, 2):
        w, x, v, y = factors[j], factors[j + 1], sizes[j], sizes[j + 1]
        a, b, g, h = values[j], values[j + 1], magnitudes[j], magnitudes[j + 1]
        for i in range(samples):
            total[i] += w * a[i] + x * b[i]
            bound[i] += v * g[i] + y * h[i]
    if terms % 2 == 1:
        w, v, a, g = factors[terms - 1], sizes[terms - 1], values[terms - 1], magnitudes[terms - 1]
        for i in range(samples):
            total[i] += w * a[i]
            bound[i] += v * g[i]


@compiled
def set_rates(total: Floats, factors: Floats, terms: int, rates: Floats) -> None:
    """Sets `total` to Σ factors[j] rates[j], up to three terms a pass."""
    samples = total.shape[0]
    done = 1 + (terms - 1) % 3
    w, x, a, b = factors[0], factors[done - 1], rates[0], rates[done - 1]
    if done == 1:
        for i in range(samples):
            total[i] = w * a[i]
    elif done == 2:
        for i in range(samples):
            total[i] = w * a[i] + x * b[i]
    else:
        y, c = factors[1], rates[1]
        for i in range(samples):
            total[i] = w * a[i] + y * c[i] + x * b[i]
    for j in range(done, terms, 3):
        w, x, y = factors[j], factors[j + 1], factors[j + 2]
        a, b, c = rates[j], rates[j + 1], rates[j + 2]
        for i in range(samples):
            total[i] += w * a[i] + x * b[i] + y * c[i]


def _scan_values_loops(
    widths: Integers,
    inputs: Floats,
    weights: Floats,
    offsets: Floats,
    slopes: Floats,
    masks: Floats,
    theta: Floats,
    theta_error: Floats,
    values: Floats,
    errors: Floats,
    active: Floats,
    magnitudes: Floats,
) -> None:
    samples, rank = inputs.shape[1], inputs.shape[0]
    top = len(widths) - 1
    sizes = np.abs(inputs)
    for depth in range(top + 1):
        terms = rank if depth == 0 else widths[depth - 1]
        k = slack(terms)
        for unit in range(widths[depth]):
            z, s, o = values[depth, unit], errors[depth, unit], offsets[depth, unit]
            for i in range(samples):
                z[i] = o[i]
                s[i] = k * abs(o[i])
            if depth == 0:
                w = theta[unit * rank : (unit + 1) * rank]
                add_terms(z, s, w, theta_error[unit * rank : (unit + 1) * rank] + k * np.abs(w), terms, inputs, sizes)
            else:
                add_terms(z, s, weights[depth, unit], np.abs(weights[depth, unit]), terms, active, magnitudes)
        above = slack(widths[depth])
        for unit in range(widths[depth]):
            z, s, m, a, g = values[depth, unit], errors[depth, unit], masks[depth, unit], active[unit], magnitudes[unit]
            low, high = slopes[0, depth, unit], slopes[1, depth, unit]
            for i in range(samples):
                # a structural zero (s == 0) keeps the bound 0: its value is 0 whatever the parameters
                e = s[i] * (1.0 + k) + (2.0**-700 if s[i] > 0.0 else 0.0)
                s[i] = e
                f = high if m[i] != 0.0 else low
                a[i] = f * z[i]
                g[i] = abs(f) * (e + above * abs(z[i]))


def slopes_at(slopes: Floats, masks: Floats, depth: int, width: int) -> Floats:
    """Returns (width, N), the slopes of a layer's activations on the sides of the masks."""
    off, on = slopes[0, depth, :width, None], slopes[1, depth, :width, None]
    return np.where(masks[depth, :width] != 0.0, on, off)


def _scan_values_arrays(
    widths: Integers,
    inputs: Floats,
    weights: Floats,
    offsets: Floats,
    slopes: Floats,
    masks: Floats,
    theta: Floats,
    theta_error: Floats,
    values: Floats,
    errors: Floats,
    active: Floats,
    magnitudes: Floats,
) -> None:
    del magnitudes
    rank = inputs.shape[0]
    active = inputs
    spread = np.abs(inputs)
    for depth, width in enumerate(widths):
        if depth == 0:
            matrix = theta.reshape(width, rank)
            sizes = theta_error.reshape(width, rank) + slack(rank) * np.abs(matrix)
            k = slack(rank)
        else:
            matrix = weights[depth, :width, : widths[depth - 1]]
            sizes = np.abs(matrix)
            k = slack(int(widths[depth - 1]))
        own = offsets[depth, :width]
        values[depth, :width] = matrix @ active + own
        bound = sizes @ spread + k * np.abs(own)
        errors[depth, :width] = bound * (1.0 + k) + np.where(bound > 0.0, TINY, 0.0)
        passing = slopes_at(slopes, masks, depth, width)
        active = passing * values[depth, :width]
        spread = np.abs(passing) * (errors[depth, :width] + slack(int(width)) * np.abs(values[depth, :width]))


scan_values = either(_scan_values_loops, _scan_values_arrays)


def _scan_rates_loops(
    widths: Integers,
    inputs: Floats,
    weights: Floats,
    slopes: Floats,
    masks: Floats,
    direction: Floats,
    values: Floats,
    rates: Floats,
    active: Floats,
) -> tuple[int, int, int]:
    rank, samples = inputs.shape
    top = len(widths) - 1
    depth_of, unit_of, sample_of = -1, -1, -1
    # the largest -rate/value met: the reciprocal of the nearest breakpoint's distance
    nearest = 0.0
    for low in range(0, samples, TILE):
        high = min(low + TILE, samples)
        for depth in range(top + 1):
            for unit in range(widths[depth]):
                r = rates[depth, unit, low:high]
                if depth == 0:
                    set_rates(r, direction[unit * rank : (unit + 1) * rank], rank, inputs[:, low:high])
                else:
                    set_rates(r, weights[depth, unit], widths[depth - 1], active[:, : high - low])
                z = values[depth, unit, low:high]
                # z has the sign of its side; nearer than the nearest: -r/z > nearest, without a division
                nearer = 0
                for i in range(high - low):
                    nearer += z[i] * (r[i] + nearest * z[i]) < 0.0
                if nearer:
                    for i in range(high - low):
                        if z[i] * (r[i] + nearest * z[i]) < 0.0:
                            nearest = -r[i] / z[i]
                            depth_of, unit_of, sample_of = depth, unit, low + i
            if depth == top:
                break
            for unit in range(widths[depth]):
                r, m, a = rates[depth, unit, low:high], masks[depth, unit, low:high], active[unit]
                off, on = slopes[0, depth, unit], slopes[1, depth, unit]
                for i in range(high - low):
                    a[i] = (on if m[i] != 0.0 else off) * r[i]
    return depth_of, unit_of, sample_of


def _scan_rates_arrays(
    widths: Integers,
    inputs: Floats,
    weights: Floats,
    slopes: Floats,
    masks: Floats,
    direction: Floats,
    values: Floats,
    rates: Floats,
    active: Floats,
) -> tuple[int, int, int]:
    rank = inputs.shape[0]
    active = inputs
    nearest, found = 0.0, (-1, -1, -1)
    for depth, width in enumerate(widths):
        matrix = direction.reshape(width, rank) if depth == 0 else weights[depth, :width, : widths[depth - 1]]
        r, z = rates[depth, :width], values[depth, :width]
        r[:] = matrix @ active
        active = slopes_at(slopes, masks, depth, width) * r
        with np.errstate(all="ignore"):
            closeness = np.where(z * r < 0.0, -r / z, 0.0)
        unit, sample = divmod(int(np.argmax(closeness)), z.shape[1])
        if closeness[unit, sample] > nearest:
            nearest, found = float(closeness[unit, sample]), (depth, unit, sample)
    return found


# Fills in the rates along a direction; returns (depth, unit, sample) of the kink that is met first, by floats alone
scan_rates = either(_scan_rates_loops, _scan_rates_arrays)


def _move_values_loops(
    widths: Integers,
    masks: Floats,
    values: Floats,
    rates: Floats,
    distance: float,
    sizes: Floats,
    gains: Floats,
    levels: Floats,
    spread: float,
    share: float,
    lost: float,
) -> int:
    unsure = 0
    for depth in range(len(widths)):
        for unit in range(widths[depth]):
            z, r, m = values[depth, unit], rates[depth, unit], masks[depth, unit]
            factor, base = spread * gains[depth, unit], share * levels[depth, unit] + lost
            for i in range(z.shape[0]):
                moved = z[i] + distance * r[i]
                z[i] = moved
                # written so that a NaN is unsure
                unsure += not ((2.0 * m[i] - 1.0) * moved > factor * sizes[i] + base)
    return unsure


def _move_values_arrays(
    widths: Integers,
    masks: Floats,
    values: Floats,
    rates: Floats,
    distance: float,
    sizes: Floats,
    gains: Floats,
    levels: Floats,
    spread: float,
    share: float,
    lost: float,
) -> int:
    unsure = 0
    for depth, width in enumerate(widths):
        values[depth, :width] += distance * rates[depth, :width]
        bounds = spread * gains[depth, :width, None] * sizes + (share * levels[depth, :width, None] + lost)
        unsure += int(np.count_nonzero(~((2.0 * masks[depth, :width] - 1.0) * values[depth, :width] > bounds)))
    return unsure


# Goes `distance` along the rates; returns how many values have not certainly the sign of their side, by the bound
# spread · gain · size + share · level + lost
move_values = either(_move_values_loops, _move_values_arrays)


def _count_unsure_loops(widths: Integers, masks: Floats, values: Floats, errors: Floats) -> int:
    unsure = 0
    for depth in range(len(widths)):
        for unit in range(widths[depth]):
            z = values[depth, unit]
            e = errors[depth, unit]
            m = masks[depth, unit]
            for i in range(z.shape[0]):
                # written so that a NaN is unsure; a structural zero (bound 0) is sure to be 0 for good
                if not ((2.0 * m[i] - 1.0) * z[i] > e[i] or (e[i] == 0.0 and z[i] == 0.0)):
                    unsure += 1
    return unsure


def _count_unsure_arrays(widths: Integers, masks: Floats, values: Floats, errors: Floats) -> int:
    unsure = 0
    for depth, width in enumerate(widths):
        z, e, m = values[depth, :width], errors[depth, :width], masks[depth, :width]
        unsure += int(np.count_nonzero(~(((2.0 * m - 1.0) * z > e) | ((e == 0.0) & (z == 0.0)))))
    return unsure


count_unsure = either(_count_unsure_loops, _count_unsure_arrays)


def _identity_defect_loops(left: Floats, right: Floats, defect: Floats) -> None:
    n = right.shape[0]
    defect[:] = 0.0
    for i in range(n):
        defect[i, i] = 1.0
    # four rows at once, two terms a pass: each row of the right one is fetched n/4 times; partial sums of BLOCK terms,
    # so that rounding grows with BLOCK + n/BLOCK
    sums = np.zeros((4, n))
    d, e, f, g = sums[0], sums[1], sums[2], sums[3]
    for i in range(0, n, 4):
        rows = min(4, n - i)
        # rows beyond the last are the last once more
        i1, i2, i3 = i + min(1, rows - 1), i + min(2, rows - 1), i + min(3, rows - 1)
        for low in range(0, n, BLOCK):
            high = min(low + BLOCK, n)
            sums[:] = 0.0
            for k in range(low, high - 1, 2):
                a, b = right[k], right[k + 1]
                p, q, r, s = left[i, k], left[i1, k], left[i2, k], left[i3, k]
                t, u, v, w = left[i, k + 1], left[i1, k + 1], left[i2, k + 1], left[i3, k + 1]
                for j in range(n):
                    x, y = a[j], b[j]
                    d[j] += p * x + t * y
                    e[j] += q * x + u * y
                    f[j] += r * x + v * y
                    g[j] += s * x + w * y
            if (high - low) % 2 == 1:
                a = right[high - 1]
                p, q, r, s = left[i, high - 1], left[i1, high - 1], left[i2, high - 1], left[i3, high - 1]
                for j in range(n):
                    d[j] += p * a[j]
                    e[j] += q * a[j]
                    f[j] += r * a[j]
                    g[j] += s * a[j]
            for own in range(rows):
                out, part = defect[i + own], sums[own]
                for j in range(n):
                    out[j] -= part[j]


def _identity_defect_arrays(left: Floats, right: Floats, defect: Floats) -> None:
    # BLAS may add in any order: partial products keep to the bound
    n = right.shape[0]
    defect[:] = np.eye(n)
    for low in range(0, n, BLOCK):
        defect[:] -= left[:, low : low + BLOCK] @ right[low : low + BLOCK]


# I - left · right
identity_defect = either(_identity_defect_loops, _identity_defect_arrays)
