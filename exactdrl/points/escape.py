"""Finds a curve along which the loss falls in second order, from an escape unit.

The inner weights move by t v and the outer ones by t p. Given S1, and v with h·D(v) = 0, the loss changes by
t² (p_i·D_i(v) + Σ ω_k |α_k + Σ_c p_c a_ck|²) + o(t²), where α_k = h a'(z_ik; x̃_k·v) and the square is there for the
squared loss alone. This is a quadratic function of p that is minimised exactly. Source: proofs/all-parameters.md.
"""

from collections.abc import Sequence

from flint import fmpq_mat
from gmpy2 import mpq

from exactdrl.exact.linear import to_fmpq
from exactdrl.points.germ import Descent, find_descent
from exactdrl.points.setting import Pass, Setting, Theta, freeze, zero_direction
from exactdrl.points.units import Escapes, activations

_ZERO = mpq(0)


def find_escape_curve(setting: Setting, theta: Theta, found: Pass, unit: int, state: Escapes) -> Descent | None:
    """Returns a descent that an escape unit allows; None only says that the second order did not show one.

    A unit whose outer weights are 0 always allows one.
    """
    direction = zero_direction(theta)
    direction[0][unit] = list(state.direction)
    outer = [row[unit] for row in theta[1]]
    if not any(outer):
        size = sum((w * a * a for w, a in zip(setting.weights, activations(setting, found, unit), strict=True)), _ZERO)
        length = mpq(1)
        while setting.is_squared and 2 * length * size > 1:
            length /= 2
        for output, rate in enumerate(state.rates):
            direction[1][output][unit] = -length * rate
        return find_descent(setting, theta, (freeze(direction),))
    low, high = setting.slopes[0][unit]
    moves = []
    for x, values in zip(found.arrivals[0], found.values[0], strict=True):
        change = sum((a * d for a, d in zip(x, state.direction, strict=True)), _ZERO)
        moves.append(change * (high if (values[unit] or change) > 0 else low))
    weights = setting.weights if setting.is_squared else (_ZERO,) * setting.samples
    for output, rate in enumerate(state.rates):
        rows = found.arrivals[1]
        alphas = [outer[output] * move for move in moves]
        linear = [
            2 * sum((w * a * row[c] for w, a, row in zip(weights, alphas, rows, strict=True)), _ZERO)
            for c in range(len(rows[0]))
        ]
        linear[unit] += rate
        direction[1][output] = _minimise(rows, weights, linear)
    return find_descent(setting, theta, (freeze(direction),))


def _minimise(rows: Sequence[Sequence[mpq]], weights: Sequence[mpq], linear: Sequence[mpq]) -> list[mpq]:
    """Returns a p that minimises linear·p + Σ ω_k (row_k·p)², or along which that falls forever."""
    size = len(linear)
    entries = [
        [2 * sum((w * row[c] * row[d] for w, row in zip(weights, rows, strict=True)), _ZERO) for d in range(size)]
        for c in range(size)
    ]
    matrix = fmpq_mat(size, size + 1, [to_fmpq(x) for row, b in zip(entries, linear, strict=True) for x in (*row, -b)])
    reduced, rank = matrix.rref()
    pivots = [next(c for c in range(size + 1) if reduced[line, c] != 0) for line in range(rank)]
    found = [_ZERO] * size
    if pivots and pivots[-1] == size:
        # the linear part is not in the range of the matrix: its part in the kernel falls forever
        return _kernel_part(entries, linear)
    for line, column in enumerate(pivots):
        value = reduced[line, size]
        found[column] = mpq(int(value.p), int(value.q))
    return found


def _kernel_part(entries: Sequence[Sequence[mpq]], linear: Sequence[mpq]) -> list[mpq]:
    """Returns minus a direction of a symmetric matrix's kernel that has a positive product with `linear`."""
    size = len(linear)
    reduced, rank = fmpq_mat(size, size, [to_fmpq(x) for row in entries for x in row]).rref()
    pivots = [next(c for c in range(size) if reduced[line, c] != 0) for line in range(rank)]
    for free in sorted(set(range(size)) - set(pivots)):
        kernel = [_ZERO] * size
        kernel[free] = mpq(1)
        for line, column in enumerate(pivots):
            entry = reduced[line, free]
            kernel[column] = -mpq(int(entry.p), int(entry.q))
        product = sum((a * b for a, b in zip(kernel, linear, strict=True)), _ZERO)
        if product:
            return [-a if product > 0 else a for a in kernel]
    raise AssertionError("a vector outside a symmetric matrix's range is orthogonal to its kernel: this is a bug")
