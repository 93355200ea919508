"""Scans over all kinks in float64: values with a rigorous bound on their error, rates, the proposed first kink.

Arrays are (depth, unit, sample): `weights[depth, unit, below]`, `offsets`, `masks` (1.0 on, 0.0 off), `values`. Rows
of `inputs` are the columns of x̃. Each function stands here twice: loops for the compiler, and NumPy for where there
is none; the error bounds hold for every order of summation, so they hold for both, and decisions that are certain
agree. Theorem and proof: proofs/filter.md.
"""

import numpy as np
from numpy.typing import NDArray

from exactdrl.arithmetic.compiling import compiled, either

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Half a unit in the last place at 1: the relative error of one rounding
ROUNDING = 2.0**-53
# Above whatever underflow can lose, flush to zero included, for data within RANGE of float_problem.py
TINY = 2.0**-700


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
def add_rates(total: Floats, factors: Floats, terms: int, rates: Floats) -> None:
    """Adds Σ factors[j] rates[j] to `total`, two terms a pass."""
    samples = total.shape[0]
    for j in range(0, terms - 1, 2):
        w, x, a, b = factors[j], factors[j + 1], rates[j], rates[j + 1]
        for i in range(samples):
            total[i] += w * a[i] + x * b[i]
    if terms % 2 == 1:
        w, a = factors[terms - 1], rates[terms - 1]
        for i in range(samples):
            total[i] += w * a[i]


def _scan_values_loops(
    widths: Integers,
    inputs: Floats,
    weights: Floats,
    offsets: Floats,
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
            for i in range(samples):
                # a structural zero (s == 0) keeps the bound 0: its value is 0 whatever the parameters
                e = s[i] * (1.0 + k) + (2.0**-700 if s[i] > 0.0 else 0.0)
                s[i] = e
                a[i] = m[i] * z[i]
                g[i] = m[i] * (e + above * abs(z[i]))


def _scan_values_arrays(
    widths: Integers,
    inputs: Floats,
    weights: Floats,
    offsets: Floats,
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
        active = masks[depth, :width] * values[depth, :width]
        spread = masks[depth, :width] * (errors[depth, :width] + slack(int(width)) * np.abs(values[depth, :width]))


scan_values = either(_scan_values_loops, _scan_values_arrays)


def _scan_rates_loops(
    widths: Integers, inputs: Floats, weights: Floats, masks: Floats, direction: Floats, rates: Floats, active: Floats
) -> None:
    samples, rank = inputs.shape[1], inputs.shape[0]
    for depth in range(len(widths)):
        for unit in range(widths[depth]):
            z = rates[depth, unit]
            for i in range(samples):
                z[i] = 0.0
            if depth == 0:
                add_rates(z, direction[unit * rank : (unit + 1) * rank], rank, inputs)
            else:
                add_rates(z, weights[depth, unit], widths[depth - 1], active)
        for unit in range(widths[depth]):
            z, m, a = rates[depth, unit], masks[depth, unit], active[unit]
            for i in range(samples):
                a[i] = m[i] * z[i]


def _scan_rates_arrays(
    widths: Integers, inputs: Floats, weights: Floats, masks: Floats, direction: Floats, rates: Floats, active: Floats
) -> None:
    rank = inputs.shape[0]
    active = inputs
    for depth, width in enumerate(widths):
        matrix = direction.reshape(width, rank) if depth == 0 else weights[depth, :width, : widths[depth - 1]]
        rates[depth, :width] = matrix @ active
        active = masks[depth, :width] * rates[depth, :width]


scan_rates = either(_scan_rates_loops, _scan_rates_arrays)


def _propose_first_loops(widths: Integers, values: Floats, rates: Floats) -> tuple[int, int, int]:
    depth_of, unit_of, sample_of = -1, -1, -1
    best_value, best_rate = 1.0, 0.0
    for depth in range(len(widths)):
        for unit in range(widths[depth]):
            z = values[depth, unit]
            r = rates[depth, unit]
            for i in range(z.shape[0]):
                if z[i] * r[i] < 0.0:
                    value, rate = abs(z[i]), abs(r[i])
                    if value * best_rate < best_value * rate:
                        best_value, best_rate = value, rate
                        depth_of, unit_of, sample_of = depth, unit, i
    return depth_of, unit_of, sample_of


def _propose_first_arrays(widths: Integers, values: Floats, rates: Floats) -> tuple[int, int, int]:
    nearest, found = np.inf, (-1, -1, -1)
    for depth, width in enumerate(widths):
        z, r = values[depth, :width], rates[depth, :width]
        with np.errstate(all="ignore"):
            distances = np.where(z * r < 0.0, -z / r, np.inf)
        place = int(np.argmin(distances))
        unit, sample = divmod(place, z.shape[1])
        if distances[unit, sample] < nearest:
            nearest, found = float(distances[unit, sample]), (depth, unit, sample)
    return found


propose_first = either(_propose_first_loops, _propose_first_arrays)


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


def _identity_defect_loops(inverse: Floats, matrix: Floats, defect: Floats) -> None:
    n = matrix.shape[0]
    for i in range(n):
        row = defect[i]
        for j in range(n):
            row[j] = 0.0
        row[i] = 1.0
        for k in range(n):
            r = inverse[i, k]
            a = matrix[k]
            for j in range(n):
                row[j] -= r * a[j]


def _identity_defect_arrays(inverse: Floats, matrix: Floats, defect: Floats) -> None:
    defect[:] = np.eye(matrix.shape[0]) - inverse @ matrix


# I - R A, by the computed matrices
identity_defect = either(_identity_defect_loops, _identity_defect_arrays)
