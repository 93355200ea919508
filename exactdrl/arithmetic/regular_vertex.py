"""Vertices at which only the kinks of the basis vanish, solved for exactly; and their numbers in float64."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import arb, ctx
from gmpy2 import mpz

from exactdrl.arithmetic.float64.scan import ROUNDING, TINY
from exactdrl.arithmetic.float64.state import FloatVertex
from exactdrl.cells.affine import affine_form
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.cells.scan import Values, is_in_cell, scan, vanishing_kinks
from exactdrl.exact.basis import Scaled
from exactdrl.exact.linear import to_fmpz
from exactdrl.exact.solved import SolvedBasis

# Precision at which exact numbers are rounded on their way to float64
_BITS = 96


@dataclass(frozen=True, slots=True)
class RegularVertex:
    """A vertex in its cell, at which no kink outside the basis vanishes.

    Attributes:
        point: reduced parameters, integers over a denominator.
        values: every kink's scaled value there.
    """

    point: Scaled
    values: Values


def find_regular_vertex(problem: IntegerProblem, pattern: Pattern, basis: Sequence[Kink]) -> RegularVertex | None:
    """Returns the vertex of a basis; None where it is not in the cell, or other kinks vanish there, too. Exact.

    Args:
        problem: the scaled problem.
        pattern: the cell.
        basis: n kinks.
    """
    forms = [affine_form(problem, pattern, kink) for kink in basis]
    try:
        point = SolvedBasis([form.row for form in forms]).solve([-form.offset for form in forms])
    except ZeroDivisionError:
        # the kinks' normals are dependent
        return None
    values = scan(problem, *point, pattern)
    if not is_in_cell(pattern, values) or vanishing_kinks(pattern, values) != sorted(basis):
        return None
    return RegularVertex(point, values)


def put_in_floats(problem: IntegerProblem, at: RegularVertex, vertex: FloatVertex) -> None:
    """Sets point and values of a vertex in float64, and the bounds on the values' errors, to the rounded exact ones."""
    numerators, denominator = at.point
    common = problem.loss_scale // (problem.scales[-1] * problem.loss_unit)
    with ctx.workprec(_BITS):
        below = arb(to_fmpz(denominator))
        vertex.theta[:] = [_to_float(numerator, below) for numerator in numerators]
        # values have the samples' factors: common / weight with the residuals' own, else without
        with_own = [below * to_fmpz(common) / to_fmpz(weight) for weight in problem.sample_weights]
        without = [scale / to_fmpz(own) for scale, own in zip(with_own, problem.residual_factors, strict=True)]
        top = len(problem.widths) - 1
        for depth, (layer, width) in enumerate(zip(at.values, problem.widths, strict=True)):
            scales = [own * to_fmpz(problem.scales[depth]) for own in (with_own if depth == top else without)]
            floats = [float(arb(value) / scales[index // width]) for index, value in enumerate(layer)]
            vertex.values[depth, :width] = np.array(floats).reshape(problem.samples, width).T
            vertex.errors[depth, :width] = 2.0 * ROUNDING * np.abs(vertex.values[depth, :width]) + TINY


def _to_float(numerator: mpz, denominator: arb) -> float:
    return float(arb(to_fmpz(numerator)) / denominator)
