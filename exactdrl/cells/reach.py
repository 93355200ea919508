"""How far the local form is the loss: along a ray exactly, in all directions by a bound."""

from collections.abc import Sequence

from flint import fmpz
from gmpy2 import mpq, mpz

from exactdrl.cells.affine import incoming_weights
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.cells.scan import Values, first_breakpoint, pattern_of, scan
from exactdrl.exact.linear import common_denominator, to_integers


def tangent_cell(problem: IntegerProblem, values: Values, direction: Sequence[mpq]) -> tuple[Pattern, Values]:
    """Returns the cell into which a ray leads, and the rates of all kinks along it; kinks that stay at 0 are off.

    Args:
        problem: the scaled problem.
        values: of the ray's origin.
        direction: in the reduced parameters.
    """
    numerators, _ = to_integers(direction)
    pattern = pattern_of(problem, values)

    def turn_on(depth: int, rates: list[fmpz]) -> None:
        # the bits below have decided the rates of this layer
        bits = pattern.bits[depth]
        for index, (value, rate) in enumerate(zip(values[depth], rates, strict=True)):
            if value == 0 and rate > 0:
                bits[index] = 1

    return pattern, scan(problem, numerators, mpz(0), pattern, on_layer=turn_on)


def affine_reach(problem: IntegerProblem, values: Values, denominator: mpz, direction: Sequence[mpq]) -> mpq | None:
    """Returns the greatest t such that the loss is affine from a point to t times a direction; None if it is forever.

    Args:
        problem: the scaled problem.
        values: of the point.
        denominator: of the point, by which its values are scaled.
        direction: in the reduced parameters.
    """
    pattern, rates = tangent_cell(problem, values, direction)
    met = first_breakpoint(pattern, values, rates)
    return None if met is None or met.distance is None else met.distance * common_denominator(direction) / denominator


def short_step(reach: mpq) -> mpq:
    """Returns the greatest power of 2 that is at most `reach` > 0: a step with short numbers."""
    exponent = int(reach.numerator.bit_length()) - int(reach.denominator.bit_length())
    step = mpq(2) ** exponent
    return step if step <= reach else step / 2


def localisation_radius(problem: IntegerProblem, values: Values, denominator: mpz) -> mpq | None:
    """Returns an r > 0 such that L(θ + d) = L(θ) + F(d) for all |d|_∞ < r; None if that holds for all d.

    d is a change of all the trained layer's parameters, also of those that the reduced ones leave out.

    A kink of the trained layer changes by at most Σ |x̃_i| |d|_∞, a deeper one by the weighted sum of what the
    activations below change, which is their preactivations' change times a slope; r is the least size of a kink in
    proportion to that bound.
    """
    radius: mpq | None = None
    sizes = [_input_size(problem, sample) for sample in range(problem.samples)]
    # a unit that remains stands for a multiple of each one that does not, too
    counts = problem.reduction.unit_combination or ((),) * problem.widths[0]
    shares = [1 + sum(map(abs, own), mpq(0)) for own in counts]
    bounds: list[list[mpq]] = []
    for depth, width in enumerate(problem.widths):
        own: list[list[mpq]] = []
        for sample in range(problem.samples):
            row = []
            for unit in range(width):
                if depth:
                    kink = Kink(problem.first + depth, sample, unit)
                    pairs = zip(incoming_weights(problem, kink), bounds[sample], strict=True)
                    bound = sum((abs(weight) * below for weight, below in pairs), mpq(0))
                else:
                    bound = sizes[sample] * shares[unit]
                value = mpz(int(values[depth][sample * width + unit]))
                if value and bound and problem.addresses.is_kink(depth, sample * width + unit):
                    own_radius = abs(value) / (bound * denominator)
                    radius = own_radius if radius is None or own_radius < radius else radius
                row.append(bound * _largest_slope(problem, depth, unit, value))
            own.append(row)
        bounds = own
    return radius


def _input_size(problem: IntegerProblem, sample: int) -> mpq:
    """Returns Σ |x̃_i| over all columns, those that the reduced parameters leave out among them, scaled like `rows`."""
    row = problem.rows[sample]
    size = mpq(sum(map(abs, row), mpz(0)))
    for counts in zip(*problem.reduction.combination, strict=True):
        size += abs(sum((m * entry for m, entry in zip(counts, row, strict=True)), mpq(0)))
    return size


def _largest_slope(problem: IntegerProblem, depth: int, unit: int, value: mpz) -> mpz:
    """Returns the size of the slope by which a unit's activation changes near a preactivation; of both, at 0."""
    if depth == len(problem.slopes):
        return mpz(0)
    below, above = problem.slopes[depth][unit]
    return max(abs(below), abs(above)) if value == 0 else abs(above if value > 0 else below)
