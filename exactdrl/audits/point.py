"""Points together with the signs of all kinks and the loss there, and ranks of kinks' normals."""

from collections.abc import Sequence
from dataclasses import dataclass

from flint import nmod_mat
from gmpy2 import mpq, mpz

from exactdrl.audits.signs import Signs, pattern_from_bits, signs_of
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Pattern
from exactdrl.cells.scan import Values, loss_of_values, scan
from exactdrl.exact.basis import dot
from exactdrl.exact.linear import PRIME, Row, independent_rows, to_integers, to_matrix

# Rounding to float64 changes a number by at most one part in 2^53; twice as much is allowed
DOUBLE_BITS = 52


@dataclass(frozen=True, slots=True)
class ExactPoint:
    """A point of a trajectory, with the signs of all kinks and the loss there.

    Attributes:
        numerators: n integers, the reduced parameters times the denominator.
        denominator: the common denominator, positive.
        signs: the signs of all kinks' values.
        loss: the exact loss.
    """

    numerators: tuple[mpz, ...]
    denominator: mpz
    signs: Signs
    loss: mpq

    @classmethod
    def at(cls, problem: IntegerProblem, numerators: Sequence[mpz], denominator: mpz) -> tuple["ExactPoint", Values]:
        """Returns the point numerators / denominator, and the values of all kinks there.

        The values are long integers, so that the point does not keep them.
        """
        values = scan(problem, numerators, denominator, None)
        loss = loss_of_values(problem, values, denominator)
        return cls(tuple(numerators), denominator, signs_of(problem, values), loss), values

    @classmethod
    def of(cls, problem: IntegerProblem, parameters: Sequence[Sequence[mpq]]) -> tuple["ExactPoint", Values]:
        """Returns the point with these full parameters, shape (n_ℓ, m), and the values of all kinks there."""
        return cls.at(problem, *to_integers(problem.to_reduced(parameters)))

    def values(self, problem: IntegerProblem) -> Values:
        """Returns the scaled values of all kinks, computed anew."""
        return scan(problem, self.numerators, self.denominator, None)

    def squared_distance(self, other: "ExactPoint") -> mpq:
        """Returns the squared Euclidean distance in the reduced parameters."""
        p, q = self.denominator, other.denominator
        pairs = zip(self.numerators, other.numerators, strict=True)
        return mpq(sum(((x * q - y * p) ** 2 for x, y in pairs), mpz(0)), (p * q) ** 2)

    def squared_rounding(self) -> mpq:
        """Returns the squared distance by which rounding may have moved the point; this is a guess.

        It is the greater of two: one part in 2^52 of the point's norm, as for float64, and, for numbers that are
        written with fewer digits, the spacing of the grid that they lie on.
        """
        squared_norm = dot(self.numerators, self.numerators)
        return mpq(max(squared_norm >> 2 * DOUBLE_BITS, mpz(len(self.numerators))), self.denominator**2)

    def pattern(self, problem: IntegerProblem) -> Pattern:
        """Returns the pattern of a cell that holds the point, with the kinks that vanish off."""
        return pattern_from_bits(problem, self.signs.positive)


def is_independent(rows: Sequence[Row], width: int) -> bool:
    """Returns whether integer rows are linearly independent, exactly."""
    if not rows:
        return True
    if len(rows) > width:
        return False
    return bool(nmod_mat(to_matrix(rows, width), PRIME).rank() == len(rows)) or len(
        independent_rows(rows, width)
    ) == len(rows)


def has_rank(rows: Sequence[Row], width: int, rank: int) -> bool:
    """Returns whether integer rows, whose rank is at most `rank`, have exactly that rank."""
    if len(rows) < rank:
        return False
    if not rows or nmod_mat(to_matrix(rows, width), PRIME).rank() >= rank:
        return True
    return len(independent_rows(rows, width)) >= rank
