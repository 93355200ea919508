"""Affine pieces of a cell: kinks' normals, the loss's gradient, and what one flip changes.

All of these come from backpropagation through one sample. The network over all samples is never built. Slopes follow
the pattern. An activation is its preactivation times the slope above 0 where the bit is on, below where it is off
(ReLU: 1 and 0). So is a residual's share of the loss (absolute loss: 1 and -1).
"""

from collections.abc import Collection
from dataclasses import dataclass

from flint import fmpz, fmpz_mat
from gmpy2 import mpz

from exactdrl.cells.integer_problem import IntegerProblem, Slopes
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.exact.linear import to_fmpz, to_mpz

_ZERO = mpz(0)


@dataclass(frozen=True, slots=True)
class AffineForm:
    """A kink's scaled preactivation or residual in a cell: row · θ + offset, at num/den: row · num + offset · den.

    Attributes:
        row: the normal, n integers.
        offset: the constant part.
    """

    row: list[mpz]
    offset: mpz


def incoming_weights(problem: IntegerProblem, kink: Kink) -> list[mpz]:
    """Returns the scaled weights by which a kink above the trained layer depends on the activations one layer below."""
    weights = problem.weights[kink.layer - problem.first - 1][kink.unit]
    if kink.layer == problem.last:
        factor = problem.residual_factors[kink.sample]
        return [factor * weight for weight in weights]
    return list(weights)


def pull_back(problem: IntegerProblem, depth: int, coefficients: list[mpz]) -> list[mpz]:
    """Returns coefficients on layer depth-1's activations from those on `depth`'s preactivations."""
    weights = problem.weights[depth - 1]
    totals = [_ZERO] * problem.widths[depth - 1]
    for coefficient, row in zip(coefficients, weights, strict=True):
        if coefficient:
            totals = [t + coefficient * w for t, w in zip(totals, row, strict=True)]
    return totals


def through_units(
    problem: IntegerProblem, pattern: Pattern, depth: int, sample: int, coefficients: list[mpz]
) -> list[mpz]:
    """Returns coefficients on a layer's preactivations from those on its activations: each times its unit's slope."""
    return [c * s if c else c for c, s in zip(coefficients, problem.slopes_at(pattern, depth, sample), strict=True)]


def affine_form(problem: IntegerProblem, pattern: Pattern, kink: Kink) -> AffineForm:
    """Returns a kink's scaled affine function in the cell of `pattern`."""
    units, offset = unit_form(problem, pattern, kink)
    return AffineForm(spread(problem, kink.sample, units), offset)


def unit_form(problem: IntegerProblem, pattern: Pattern, kink: Kink) -> tuple[list[mpz], mpz]:
    """Returns a kink's affine function as coefficients on the trained layer's units of its sample, and a constant."""
    layer, sample, _ = kink
    depth, unit = layer - problem.first, problem.addresses.unit(kink)
    offset = problem.offsets[depth][sample][unit]
    if depth == 0:
        return [mpz(u == unit) for u in range(problem.widths[0])], offset
    coefficients = incoming_weights(problem, kink)
    for below in range(depth - 1, 0, -1):
        coefficients = through_units(problem, pattern, below, sample, coefficients)
        for c, o in zip(coefficients, problem.offsets[below][sample], strict=True):
            if c:
                offset += c * o
        coefficients = pull_back(problem, below, coefficients)
    return through_units(problem, pattern, 0, sample, coefficients), offset


def spread(problem: IntegerProblem, sample: int, units: list[mpz]) -> list[mpz]:
    """Returns units ⊗ x̃, a row over all parameters, from coefficients on the trained layer's units of one sample."""
    row = problem.rows[sample]
    return [unit * x for unit in units for x in row]


def path_coefficients(problem: IntegerProblem, pattern: Pattern, kink: Kink, depth: int) -> list[mpz]:
    """Returns how a kink's scaled preactivation depends on its sample's activations in a layer below.

    Args:
        problem: the scaled problem.
        pattern: the cell.
        kink: in a layer above that one.
        depth: of that layer, 0 for the trained one.
    """
    coefficients = incoming_weights(problem, kink)
    for below in range(kink.layer - problem.first - 1, depth, -1):
        coefficients = pull_back(problem, below, through_units(problem, pattern, below, kink.sample, coefficients))
    return coefficients


def flip_multiple(problem: IntegerProblem, pattern: Pattern, flipped: Kink, deeper: Kink) -> mpz:
    """Returns c such that a flip adds c times the flipped kink's affine function to a deeper kink's."""
    if flipped.sample != deeper.sample or flipped.layer >= deeper.layer:
        return _ZERO
    depth = flipped.layer - problem.first
    unit = problem.addresses.unit(flipped)
    coefficient = path_coefficients(problem, pattern, deeper, depth)[unit]
    return coefficient * slope_change(problem.slopes[depth][unit], is_on=pattern.is_on(flipped))


def slope_change(slopes: Slopes, *, is_on: bool) -> mpz:
    """Returns what a flip adds to a slope: above minus below, or the opposite where the kink is on."""
    below, above = slopes
    return below - above if is_on else above - below


def loss_coefficients(problem: IntegerProblem, pattern: Pattern, sample: int, depth: int) -> list[mpz]:
    """Returns how one sample's share of the scaled loss depends on its activations in a ReLU layer.

    The layer is `depth` above the trained one, depth < L+1-ℓ.
    """
    factor = problem.residual_factors[sample]
    top, width = len(problem.widths) - 1, problem.widths[-1]
    slopes = problem.loss_slopes[sample * width : (sample + 1) * width]
    coefficients = [factor * pair[on] for pair, on in zip(slopes, pattern.unit_bits(top, sample), strict=True)]
    coefficients = pull_back(problem, top, coefficients)
    for below in range(top - 1, depth, -1):
        coefficients = pull_back(problem, below, through_units(problem, pattern, below, sample, coefficients))
    return coefficients


def gradient_jump(problem: IntegerProblem, pattern: Pattern, flipped: Kink) -> mpz:
    """Returns γ such that a flip adds γ times the flipped kink's affine function to the scaled loss."""
    depth, index = problem.addresses.place(flipped)
    is_on = pattern.is_on(flipped)
    if flipped.layer == problem.last:
        return slope_change(problem.loss_slopes[index], is_on=is_on)
    unit = problem.addresses.unit(flipped)
    coefficient = loss_coefficients(problem, pattern, flipped.sample, depth)[unit]
    return coefficient * slope_change(problem.slopes[depth][unit], is_on=is_on)


def gradient(problem: IntegerProblem, pattern: Pattern, skipped: Collection[int] = ()) -> list[mpz]:
    """Returns the gradient of the scaled loss in a cell: loss_scale times the loss's gradient, n integers.

    Args:
        problem: the scaled problem.
        pattern: the cell.
        skipped: samples whose share of the loss is left out.
    """
    top, width = len(problem.widths) - 1, problem.widths[-1]
    entries = []
    for sample, factor in enumerate(problem.residual_factors):
        if sample in skipped:
            entries += [fmpz(0)] * width
            continue
        slopes = problem.loss_slopes[sample * width : (sample + 1) * width]
        entries += [to_fmpz(factor * pair[on]) for pair, on in zip(slopes, pattern.unit_bits(top, sample), strict=True)]
    matrix = fmpz_mat(problem.samples, problem.widths[top], entries)
    for depth in range(top, 0, -1):
        back = (matrix * problem.weight_matrices[depth - 1].transpose()).entries()
        passed = problem.pass_on(depth - 1, pattern.bits[depth - 1], back)
        matrix = fmpz_mat(problem.samples, problem.widths[depth - 1], passed)
    return [to_mpz(entry) for entry in (matrix.transpose() * problem.row_matrix).entries()]
