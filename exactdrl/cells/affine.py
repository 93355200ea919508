"""Affine pieces of a cell: kinks' normals, the loss's gradient, and what one flip changes.

All by backpropagation through one sample; the network over all samples is never built. Signs follow the pattern: an
activation whose bit is off is 0, one whose bit is on passes; a residual whose bit is on counts +, off -.
"""

from collections.abc import Collection
from dataclasses import dataclass

from flint import fmpz, fmpz_mat
from gmpy2 import mpz

from exactdrl.cells.integer_problem import IntegerProblem
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


def pull_back(problem: IntegerProblem, bits: bytearray, depth: int, coefficients: list[mpz]) -> list[mpz]:
    """Returns coefficients on layer depth-1's activations from those on `depth`'s; units that are off stop them."""
    weights = problem.weights[depth - 1]
    totals = [_ZERO] * problem.widths[depth - 1]
    for on, coefficient, row in zip(bits, coefficients, weights, strict=True):
        if on and coefficient:
            totals = [t + coefficient * w for t, w in zip(totals, row, strict=True)]
    return totals


def affine_form(problem: IntegerProblem, pattern: Pattern, kink: Kink) -> AffineForm:
    """Returns a kink's scaled affine function in the cell of `pattern`."""
    layer, sample, unit = kink
    depth = layer - problem.first
    offset = problem.offsets[depth][sample][unit]
    if depth == 0:
        units = [mpz(u == unit) for u in range(problem.widths[0])]
    else:
        coefficients = incoming_weights(problem, kink)
        for below in range(depth - 1, 0, -1):
            bits = pattern.unit_bits(below, sample)
            for on, c, o in zip(bits, coefficients, problem.offsets[below][sample], strict=True):
                if on:
                    offset += c * o
            coefficients = pull_back(problem, bits, below, coefficients)
        units = [c if on else _ZERO for c, on in zip(coefficients, pattern.unit_bits(0, sample), strict=True)]
    return AffineForm(spread(problem, sample, units), offset)


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
        coefficients = pull_back(problem, pattern.unit_bits(below, kink.sample), below, coefficients)
    return coefficients


def flip_multiple(problem: IntegerProblem, pattern: Pattern, flipped: Kink, deeper: Kink) -> mpz:
    """Returns c such that a flip adds c times the flipped kink's affine function to a deeper kink's."""
    if flipped.sample != deeper.sample or flipped.layer >= deeper.layer:
        return _ZERO
    coefficient = path_coefficients(problem, pattern, deeper, flipped.layer - problem.first)[flipped.unit]
    return -coefficient if pattern.is_on(flipped) else coefficient


def loss_coefficients(problem: IntegerProblem, pattern: Pattern, sample: int, depth: int) -> list[mpz]:
    """Returns how one sample's share of the scaled loss depends on its activations in a ReLU layer.

    The layer is `depth` above the trained one, depth < L+1-ℓ.
    """
    weight = problem.sample_weights[sample] * problem.residual_factors[sample]
    top = len(problem.widths) - 1
    coefficients = [weight if on else -weight for on in pattern.unit_bits(top, sample)]
    coefficients = pull_back(problem, bytearray(b"\1" * len(coefficients)), top, coefficients)
    for below in range(top - 1, depth, -1):
        coefficients = pull_back(problem, pattern.unit_bits(below, sample), below, coefficients)
    return coefficients


def gradient_jump(problem: IntegerProblem, pattern: Pattern, flipped: Kink) -> mpz:
    """Returns γ such that a flip adds γ times the flipped kink's affine function to the scaled loss."""
    on = pattern.is_on(flipped)
    if flipped.layer == problem.last:
        jump = 2 * problem.sample_weights[flipped.sample]
    else:
        depth = flipped.layer - problem.first
        jump = loss_coefficients(problem, pattern, flipped.sample, depth)[flipped.unit]
    return -jump if on else jump


def gradient(problem: IntegerProblem, pattern: Pattern, skipped: Collection[int] = ()) -> list[mpz]:
    """Returns the gradient of the scaled loss in a cell: loss_scale times the loss's gradient, n integers.

    Args:
        problem: the scaled problem.
        pattern: the cell.
        skipped: samples whose share of the loss is left out.
    """
    top = len(problem.widths) - 1
    entries = []
    for sample, (weight, factor) in enumerate(zip(problem.sample_weights, problem.residual_factors, strict=True)):
        size = to_fmpz(weight * factor) if sample not in skipped else fmpz(0)
        entries += [size if on else -size for on in pattern.unit_bits(top, sample)]
    matrix = fmpz_mat(problem.samples, problem.widths[top], entries)
    for depth in range(top, 0, -1):
        back = (matrix * problem.weight_matrices[depth - 1].transpose()).entries()
        masked = [entry if on else 0 for entry, on in zip(back, pattern.bits[depth - 1], strict=True)]
        matrix = fmpz_mat(problem.samples, problem.widths[depth - 1], masked)
    return [to_mpz(entry) for entry in (matrix.transpose() * problem.row_matrix).entries()]
