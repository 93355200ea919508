"""Scans over all kinks: their values at a point, their rates along a direction, the first breakpoint on a ray."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from flint import fmpz, fmpz_mat
from gmpy2 import mpq, mpz

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.exact.linear import to_fmpz, to_mpz

Values: TypeAlias = list[list[fmpz]]


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """The first kinks that a ray meets.

    Attributes:
        kinks: all that it meets first, in address order.
        distance: the t at which the ray point + t · direction meets them; None where `is_blocked`, or not asked for.
        is_blocked: the ray leaves the cell at once: the kinks vanish at its origin already.
    """

    kinks: tuple[Kink, ...]
    distance: mpq | None
    is_blocked: bool


def scan(
    problem: IntegerProblem,
    numerators: Sequence[mpz],
    denominator: mpz,
    pattern: Pattern | None,
    *,
    on_layer: Callable[[int, list[fmpz]], None] | None = None,
    last: int | None = None,
) -> Values:
    """Returns every kink's scaled preactivation or residual at numerators / denominator.

    Args:
        problem: the scaled problem.
        numerators: n integers.
        denominator: positive; or 0 for the rates along the direction `numerators`, which need a pattern.
        pattern: whose bits decide what passes; None to decide by the values' own signs.
        on_layer: called with each layer's depth and entries, before they are passed on: it may set the layer's bits.
        last: the depth of the last layer that is asked for, 0 for the trained one; None for all.

    Returns:
        A list for each layer ℓ..L+1, entries in address order.
    """
    width = problem.widths[0]
    parameters = fmpz_mat(width, problem.rank, [to_fmpz(value) for value in numerators])
    matrix = problem.row_matrix * parameters.transpose()
    scale = to_fmpz(denominator)
    values: Values = []
    top = len(problem.widths) - 1
    for depth in range((top if last is None else last) + 1):
        if depth:
            bits = pattern.bits[depth - 1] if pattern is not None else [entry > 0 for entry in values[-1]]
            passed = problem.pass_on(depth - 1, bits, values[-1])
            matrix = fmpz_mat(problem.samples, problem.widths[depth - 1], passed) * problem.weight_matrices[depth - 1]
            if depth == top:
                matrix = _scale_residuals(problem, matrix)
        offsets = problem.offset_matrices[depth]
        if offsets is not None and denominator:
            matrix += offsets * scale
        values.append(matrix.entries())
        if on_layer is not None:
            on_layer(depth, values[-1])
    return values


def _scale_residuals(problem: IntegerProblem, matrix: fmpz_mat) -> fmpz_mat:
    if all(factor == 1 for factor in problem.residual_factors):
        return matrix
    width = problem.widths[-1]
    factors = [to_fmpz(factor) for factor in problem.residual_factors for _ in range(width)]
    return fmpz_mat(problem.samples, width, [f * entry for f, entry in zip(factors, matrix.entries(), strict=True)])


def pattern_of(problem: IntegerProblem, values: Values) -> Pattern:
    """Returns the pattern of values by their signs; a kink that vanishes is off."""
    layers = [bytearray(v > 0 for v in layer) for layer in values]
    for bits, bends in zip(layers, problem.addresses.bends, strict=True):
        if bends is not None:
            bits[:] = bytes(on or not bend for on, bend in zip(bits, bends, strict=True))
    return Pattern(problem.addresses, layers)


def vanishing_kinks(pattern: Pattern, values: Values) -> list[Kink]:
    """Returns the kinks whose value is 0, in address order."""
    is_kink = pattern.addresses.is_kink
    return [
        pattern.kink(depth, i)
        for depth, layer in enumerate(values)
        for i, v in enumerate(layer)
        if v == 0 and is_kink(depth, i)
    ]


def is_in_cell(pattern: Pattern, values: Values) -> bool:
    """Returns whether every kink's value has the sign of its bit, weakly."""
    is_kink = pattern.addresses.is_kink
    return all(
        (v >= 0 if on else v <= 0) or not is_kink(depth, index)
        for depth, (layer, bits) in enumerate(zip(values, pattern.bits, strict=True))
        for index, (v, on) in enumerate(zip(layer, bits, strict=True))
    )


def scaled_loss(problem: IntegerProblem, values: Values, denominator: mpz) -> mpz:
    """Returns loss_scale · denominator · loss for the values of a point over this denominator."""
    total = fmpz(0)
    for value, slopes in zip(values[-1], problem.loss_slopes, strict=True):
        total += value * to_fmpz(slopes[value > 0])
    return to_mpz(total) + problem.loss_apart * denominator


def loss_of_values(problem: IntegerProblem, values: Values, denominator: mpz) -> mpq:
    """Returns the loss for the values of a point over this denominator."""
    return mpq(scaled_loss(problem, values, denominator), problem.loss_scale * denominator)


def loss_constant(problem: IntegerProblem, pattern: Pattern) -> mpz:
    """Returns the constant part of the scaled loss's affine function in a cell: its value at parameters 0."""
    residuals = scan(problem, [mpz(0)] * problem.dimension, mpz(1), pattern)[-1]
    total = fmpz(0)
    for value, slopes, is_on in zip(residuals, problem.loss_slopes, pattern.bits[-1], strict=True):
        total += value * to_fmpz(slopes[is_on])
    return to_mpz(total) + problem.loss_apart


def first_breakpoint(pattern: Pattern, values: Values, rates: Values) -> Breakpoint | None:
    """Returns where a ray first meets a kink that changes its sign there; None if it never does.

    Distances count in units of direction by point: the true t is `distance` · denominator of the direction / that of
    the point; here both denominators are taken as 1.

    Args:
        pattern: the cell that holds the ray's origin.
        values: of the origin.
        rates: of the direction, in this cell.
    """
    blocked: list[Kink] = []
    is_kink = pattern.addresses.is_kink
    candidates: list[tuple[int, int, int]] = []
    for depth, (layer_values, layer_rates, bits) in enumerate(zip(values, rates, pattern.bits, strict=True)):
        # the first test is cheap and drops half of the kinks: those that move away from 0, or do not move
        for index, (value, rate) in enumerate(zip(layer_values, layer_rates, strict=True)):
            if rate >= 0 if value > 0 else rate <= 0 if value < 0 else rate == 0 or (rate > 0) == bits[index]:
                continue
            if not is_kink(depth, index):
                continue
            if value == 0:
                blocked.append(pattern.kink(depth, index))
            candidates.append((value.bit_length() - rate.bit_length(), depth, index))
    if blocked:
        return Breakpoint(tuple(blocked), None, is_blocked=True)
    return _nearest(pattern, values, rates, candidates) if candidates else None


def meets_kink(pattern: Pattern, rates: Values) -> bool:
    """Returns whether a ray from a point of a cell meets a kink, wherever in the cell the point is.

    In the cell a kink's value has its bit's sign, weakly. So the ray meets it unless it moves to its bit's side, or
    does not move.

    Args:
        pattern: the cell.
        rates: along the ray.
    """
    is_kink = pattern.addresses.is_kink
    return any(
        rate != 0 and (rate > 0) != bits[index] and is_kink(depth, index)
        for depth, (layer, bits) in enumerate(zip(rates, pattern.bits, strict=True))
        for index, rate in enumerate(layer)
    )


def first_on_line(
    problem: IntegerProblem, pattern: Pattern, values: Values, direction: list[mpz]
) -> tuple[list[mpz], Breakpoint]:
    """Returns a direction, or its opposite where it meets no kink of the cell, and what it meets.

    The loss has to be the same along both: a direction of descent that meets no kink is not turned around.

    Args:
        problem: the scaled problem, whose reduced parameters change some value along every line.
        pattern: the cell that holds the line's origin.
        values: of the origin.
        direction: n integers.
    """
    for candidate in (direction, [-entry for entry in direction]):
        met = first_breakpoint(pattern, values, scan(problem, candidate, mpz(0), pattern))
        if met is not None:
            return candidate, met
    raise AssertionError("a line meets no kink, yet the parameters are reduced: this is a bug in exactdrl")


def first_ahead(problem: IntegerProblem, pattern: Pattern, values: Values, direction: list[mpz]) -> Breakpoint | None:
    """Returns what a ray first meets in its cell, None if it meets no kink."""
    return first_breakpoint(pattern, values, scan(problem, direction, mpz(0), pattern))


def _nearest(pattern: Pattern, values: Values, rates: Values, candidates: Sequence[tuple[int, int, int]]) -> Breakpoint:
    """Returns the least |value / rate| of candidates (difference of bit lengths, depth, index), and who has it."""
    # |value / rate| lies in (2^(e-1), 2^(e+1)) for a difference e of bit lengths: only e and e + 1 of the least e can
    # be first
    least = min(candidates)[0]
    best_value, best_rate = fmpz(0), fmpz(0)
    first: list[Kink] = []
    for exponent, depth, index in candidates:
        if exponent > least + 1:
            continue
        value, rate = abs(values[depth][index]), abs(rates[depth][index])
        comparison = value * best_rate - best_value * rate if first else fmpz(-1)
        if comparison < 0:
            best_value, best_rate, first = value, rate, []
        if comparison <= 0:
            first.append(pattern.kink(depth, index))
    return Breakpoint(tuple(first), mpq(int(best_value), int(best_rate)), is_blocked=False)
