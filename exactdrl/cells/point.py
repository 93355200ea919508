"""A point of the trained layer's parameters, with what the network is there."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from gmpy2 import mpq, mpz

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.cells.scan import Values, loss_of_values, pattern_of, scan, vanishing_kinks
from exactdrl.exact.linear import to_integers
from exactdrl.problem.instance import Instance, Matrix, to_matrix


@dataclass(frozen=True)
class Point:
    """A point; build it by `Point.of` from full parameters, or by `Point.at` from reduced ones.

    What the network is there is computed when it is asked for, and kept.

    Attributes:
        problem: the scaled problem.
        numerators: n integers, the reduced parameters times the denominator.
        denominator: positive.
    """

    problem: IntegerProblem
    numerators: tuple[mpz, ...]
    denominator: mpz

    @classmethod
    def at(cls, problem: IntegerProblem, reduced: Sequence[mpq]) -> "Point":
        """Returns the point with these reduced parameters."""
        numerators, denominator = to_integers(reduced)
        return cls(problem, tuple(numerators), denominator)

    @classmethod
    def of(cls, problem: IntegerProblem | Instance, parameters: Sequence[Sequence[object]] | None = None) -> "Point":
        """Returns the point with these full parameters, shape (n_ℓ, m), numbers of any exact kind; default: the start.

        Raises:
            InputError: an entry is no number.
        """
        scaled = IntegerProblem.from_instance(problem) if isinstance(problem, Instance) else problem
        rows = scaled.instance.start if parameters is None else to_matrix(parameters, "parameters")
        return cls.at(scaled, scaled.to_reduced(rows))

    @cached_property
    def values(self) -> Values:
        """Returns every kink's scaled preactivation or residual, by layer."""
        return scan(self.problem, self.numerators, self.denominator, None)

    @cached_property
    def loss(self) -> mpq:
        """Returns the loss; of a problem whose loss has slopes."""
        return loss_of_values(self.problem, self.values, self.denominator)

    @property
    def reduced(self) -> tuple[mpq, ...]:
        """Returns the reduced parameters, n rationals."""
        return tuple(mpq(numerator, self.denominator) for numerator in self.numerators)

    @property
    def parameters(self) -> Matrix:
        """Returns the full parameters, shape (n_ℓ, m); those that do not matter to the kinks are the start's."""
        return self.problem.to_full(self.reduced)

    @property
    def pattern(self) -> Pattern:
        """Returns a cell that holds the point: kinks that vanish are off."""
        return pattern_of(self.problem, self.values)

    @property
    def vanishing(self) -> list[Kink]:
        """Returns the kinks that vanish at the point, in address order."""
        return vanishing_kinks(self.pattern, self.values)

    def vanishes(self, kink: Kink) -> bool:
        """Returns whether a kink vanishes at the point."""
        depth, index = self.problem.addresses.place(kink)
        return bool(self.values[depth][index] == 0)

    def is_same(self, other: "Point") -> bool:
        """Returns whether two points of one problem are the same."""
        pairs = zip(self.numerators, other.numerators, strict=True)
        return all(a * other.denominator == b * self.denominator for a, b in pairs)

    def squared_distance(self, other: "Point") -> mpq:
        """Returns the squared Euclidean distance of two points of one problem, in the reduced parameters."""
        p, q = self.denominator, other.denominator
        pairs = zip(self.numerators, other.numerators, strict=True)
        return mpq(sum(((x * q - y * p) ** 2 for x, y in pairs), mpz(0)), (p * q) ** 2)
