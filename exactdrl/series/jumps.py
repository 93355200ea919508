"""What flips add to the loss's gradient along a walk, with the paths through the layers above computed only once.

A flip adds a multiple of its kink's affine function (`cells.affine.gradient_jump`). For a given sample the multiple
depends only on the bits of the layers above, and along a walk few patterns of these bits occur.
"""

from gmpy2 import mpz

from exactdrl.cells.affine import pull_back, slope_change, through_units
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink, Pattern


class GradientJumps:
    """The jumps of the scaled loss's gradient at flips. Computed paths are remembered."""

    __slots__ = ("_paths", "_problem", "_top")

    def __init__(self, problem: IntegerProblem) -> None:
        """Takes the problem."""
        self._problem, self._top = problem, len(problem.widths) - 1
        self._paths: dict[tuple[int, bytes], list[list[mpz]]] = {}

    def at(self, pattern: Pattern, flipped: Kink) -> mpz:
        """Returns the multiple of a kink's affine function that a flip adds to the scaled loss's affine function."""
        problem, top = self._problem, self._top
        depth, index = problem.addresses.place(flipped)
        is_on = pattern.bits[depth][index]
        if depth == top:
            return slope_change(problem.loss_slopes[index], is_on=bool(is_on))
        sample, unit = divmod(index, problem.widths[depth])
        first = sample * problem.widths[top]
        bits = pattern.bits[top]
        total = mpz(0)
        for output, path in enumerate(self._paths_above(pattern, depth, sample), first):
            total += problem.loss_slopes[output][bits[output]] * path[unit]
        change = slope_change(problem.slopes[depth][unit], is_on=bool(is_on))
        return problem.residual_factors[sample] * total * change

    def _paths_above(self, pattern: Pattern, depth: int, sample: int) -> list[list[mpz]]:
        """Returns each output's coefficients on a layer's activations, without the residual's factor."""
        problem, top = self._problem, self._top
        key = depth, b"".join([pattern.unit_bits(above, sample) for above in range(depth + 1, top)])
        if key not in self._paths:
            paths = []
            for weights in problem.weights[top - 1]:
                coefficients = list(weights)
                for below in range(top - 1, depth, -1):
                    coefficients = through_units(problem, pattern, below, sample, coefficients)
                    coefficients = pull_back(problem, below, coefficients)
                paths.append(coefficients)
            self._paths[key] = paths
        return self._paths[key]
