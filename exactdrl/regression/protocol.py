"""The loss of one output, and what a walk of long steps asks of an arithmetic on it.

Where the last layer is trained, each output is a problem of its own, which is convex in its r parameters u: a sum of
absolute values of weighted residuals, and a linear term (`Shares`). The members are the samples whose residual has a
kink and changes with u. A residual is named by its place among the members. The place count + j stands for the
coordinate u_j minus its start value, which serves as a row of the basis until r kinks have entered.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
from flint import fmpz_mat
from gmpy2 import mpq, mpz

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.exact.linear import common_denominator, to_fmpz, to_matrix, to_mpz
from exactdrl.regression.shares import Shares

# local problems that are nested deeper than this have powers as offsets, and are decided exactly
MIXED_DEPTHS = 8
_MASK = (1 << 64) - 1


def local_offset(sample: int, depth: int) -> int:
    """Returns the residual that a vanishing residual gets in a local problem.

    Any numbers serve; scattered numbers make ties unlikely. Beyond MIXED_DEPTHS the vectors of different depths are
    linearly independent (Vandermonde), so that the nesting ends (proofs/long-step.md).
    """
    if depth > MIXED_DEPTHS:
        return int((sample + 1) ** (depth - MIXED_DEPTHS))
    # the finaliser of splitmix64
    x = (sample * 0x9E3779B97F4A7C15 + depth * 0xD1B54A32D192ED03 + 0x632BE59BD9B4E019) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return ((x ^ (x >> 31)) >> 34) - (1 << 29)


@dataclass(frozen=True)
class Regression:
    """Σ |ω_i residual_i(u)| + pull · u over some members, in the scaled integers of `IntegerProblem`.

    The loss of the output is `shares.factor` times this. "Scaled like the loss" means multiplied by `scale`. The pull
    is the gradient of the linear term.

    Attributes:
        problem: the scaled problem, whose trained layer is the last.
        shares: the shares of the output in the loss.
        samples: the samples of the members, increasing.
        find_offsets: a function that returns `offsets`.
        start: the reduced parameters of the start, r rationals, at which coordinates in the basis stay.
        find_linear: a function that returns `linear`, which the filtered arithmetic seldom needs.
        has_pull: whether the linear term may be other than 0.
        depth: 0 for the problem itself, 1 for a local problem at one of its vertices, and so on.
    """

    problem: IntegerProblem
    shares: Shares
    samples: tuple[int, ...]
    find_offsets: Callable[[], Sequence[mpz]] = field(repr=False)
    start: tuple[mpq, ...]
    find_linear: Callable[[], tuple[Sequence[mpz], mpz]] = field(repr=False)
    has_pull: bool
    depth: int = 0

    @classmethod
    def of_unit(cls, problem: IntegerProblem, unit: int) -> "Regression":
        """Returns the problem of one output."""
        return cls.of_shares(Shares.of_unit(problem, unit))

    @classmethod
    def of_shares(cls, shares: Shares) -> "Regression":
        """Returns the problem of one output with given shares, which may differ from those of the instance's loss."""
        problem, unit = shares.problem, shares.unit
        samples, rank = shares.members, problem.rank
        reduced = problem.to_reduced(problem.instance.start)
        start = tuple(reduced[unit * rank : (unit + 1) * rank])

        def find_offsets() -> list[mpz]:
            return [problem.offsets[0][sample][unit] for sample in samples]

        def find_linear() -> tuple[Sequence[mpz], mpz]:
            if not shares.is_tilted:
                return (mpz(0),) * rank, mpz(0)
            if problem.dyadic is not None:
                signs, numerator = shares.signs_of_tilts()
                gradient, constant = whole.signed_sums(signs)
                # exact: the sums have the factor `multiple`
                return [e // shares.multiple * numerator for e in gradient], constant // shares.multiple * numerator
            return whole.sums(shares.tilts(samples))

        whole = cls(problem, shares, samples, find_offsets, start, find_linear, shares.is_tilted)
        return whole

    def with_term(self, term: Sequence[mpq]) -> "Regression":
        """Returns the problem with a linear term added, r rationals in units of the loss over `shares.factor`."""
        finer = common_denominator([entry * self.scale for entry in term])
        shares = replace(self.shares, refinement=self.shares.refinement * finer)

        def find_linear() -> tuple[Sequence[mpz], mpz]:
            pull, constant = self.linear
            added = (mpz(entry * shares.scale) for entry in term)
            return [finer * own + more for own, more in zip(pull, added, strict=True)], finer * constant

        return replace(self, shares=shares, find_linear=find_linear, has_pull=True)

    @property
    def unit(self) -> int:
        """Returns the number of the output among those that remain."""
        return self.shares.unit

    def local(self, members: Sequence[int], find_pull: Callable[[], Sequence[mpz]]) -> "Regression":
        """Returns the local problem of some members that vanish at a point, with their residuals set apart there.

        Args:
            members: the places of the members, increasing.
            find_pull: a function that returns the gradient of the linear term and all residuals that do not vanish, r
                integers, scaled like the loss.
        """
        problem, depth = self.problem, self.depth + 1
        samples = tuple(self.samples[place] for place in members)
        # a residual is (row · u + offset) / D_i with D_i = common / sample weight
        common = problem.loss_scale // problem.loss_unit
        scales = (common // problem.sample_weights[sample] for sample in samples)
        offsets = tuple(local_offset(s, depth) * scale for s, scale in zip(samples, scales, strict=True))
        start = (mpq(0),) * problem.rank
        # the constant of the linear term matters to no decision
        return Regression(
            problem,
            self.shares,
            samples,
            lambda: offsets,
            start,
            lambda: (find_pull(), mpz(0)),
            has_pull=True,
            depth=depth,
        )

    @cached_property
    def offsets(self) -> tuple[mpz, ...]:
        """Returns the constant parts of the members' residuals, scaled like their rows."""
        return tuple(self.find_offsets())

    @cached_property
    def linear(self) -> tuple[tuple[mpz, ...], mpz]:
        """Returns the linear term, r integers and a constant, scaled like the loss."""
        pull, constant = self.find_linear()
        return tuple(pull), constant

    @property
    def pull(self) -> tuple[mpz, ...]:
        """Returns the linear term's gradient, r integers, scaled like the loss."""
        return self.linear[0]

    @property
    def scale(self) -> mpz:
        """Returns the factor of numbers that are scaled like the loss."""
        return self.shares.scale

    def signed_sums(self, signs: Sequence[int]) -> tuple[list[mpz], mpz]:
        """Returns gradient, r integers, and constant of Σ sign · ω residual over the members, scaled like the loss.

        Args:
            signs: the signs of the members.
        """
        dyadic = self.problem.dyadic
        if dyadic is not None and not self.depth:
            every = np.zeros(self.problem.samples, dtype=np.int64)
            every[list(self.samples)] = signs
            sums = dyadic.signed_sums(every)
            multiple = self.shares.multiple
            if multiple != 1:
                sums = [multiple * entry for entry in sums]
            return [sums[column] for column in self.problem.pivots], -sums[dyadic.columns + self.shares.output]
        return self.sums([s * w for s, w in zip(signs, self.weights, strict=True)])

    def sums(self, counts: Sequence[mpz]) -> tuple[list[mpz], mpz]:
        """Returns the gradient, r integers, and the constant of Σ count · scaled residual over the members."""
        own = fmpz_mat(1, self.count, [to_fmpz(count) for count in counts])
        gradient = [to_mpz(entry) for entry in (own * self.matrix).entries()]
        return gradient, to_mpz((own * self.offset_matrix)[0, 0])

    @property
    def count(self) -> int:
        """Returns the number of members."""
        return len(self.samples)

    @cached_property
    def places(self) -> dict[int, int]:
        """Returns the place of each sample that is a member."""
        return {sample: place for place, sample in enumerate(self.samples)}

    @cached_property
    def weights(self) -> list[mpz]:
        """Returns the factor of each member's scaled residual in the scaled loss."""
        return self.shares.weights(self.samples)

    @cached_property
    def matrix(self) -> fmpz_mat:
        """Returns the members' rows, shape (count, r)."""
        if self.count == self.problem.samples:
            return self.problem.row_matrix
        return to_matrix([self.problem.rows[sample] for sample in self.samples], self.problem.rank)

    @cached_property
    def offset_matrix(self) -> fmpz_mat:
        """Returns the members' offsets, shape (count, 1)."""
        return to_matrix([(offset,) for offset in self.offsets], 1)

    def is_coordinate(self, place: int) -> bool:
        """Returns whether a place stands for a coordinate, not for a residual."""
        return place >= self.count

    def row(self, place: int) -> Sequence[mpz]:
        """Returns the scaled normal of a residual or coordinate."""
        if place < self.count:
            return self.problem.rows[self.samples[place]]
        index = place - self.count
        return [self.start[index].denominator if other == index else mpz(0) for other in range(len(self.start))]

    def offset(self, place: int) -> mpz:
        """Returns the constant part of a scaled residual or coordinate."""
        if place >= self.count:
            return -self.start[place - self.count].numerator
        # computing all offsets for one is seldom worth it
        return self.offsets[place] if self.depth else self.problem.offsets[0][self.samples[place]][self.unit]


class Met(NamedTuple):
    """The end of a line search along an edge.

    Attributes:
        entering: the first residual in address order that vanishes at the end and not before.
        crossed: the residuals that change their sign on the way.
    """

    entering: int
    crossed: list[int]


class RegressionArithmetic(Protocol):
    """A vertex of a regression with a basis of r places, in order of entry. Each decision is exact."""

    @property
    def regression(self) -> Regression:
        """Returns the problem."""
        ...

    @property
    def basis(self) -> list[int]:
        """Returns the basis in order of entry, which must not be changed."""
        ...

    def vanishing(self) -> list[int]:
        """Returns the members outside the basis whose residuals vanish, increasing."""
        ...

    def sign(self, place: int) -> int:
        """Returns the sign of a member's residual: -1, 0 or 1."""
        ...

    def signs(self) -> list[int]:
        """Returns the sign of each member's residual."""
        ...

    def leaving(self) -> tuple[int, int] | None:
        """Returns the row of the basis that is left, and to which side; None if no row improves the loss.

        While coordinates are in the basis, it is the coordinate along which the loss changes fastest, the first of
        several, and to the side 1 if the loss does not change. After that it is the residual with the largest
        multiplier, if that is greater than 1.
        """
        ...

    def go(self, leaving: int, side: int) -> Met | None:
        """Moves along an edge to the first point of least loss; stays and returns None if the loss falls forever."""
        ...

    def go_far(self, leaving: int, side: int) -> Met | None:
        """Moves along an edge to the last residual that vanishes ahead; stays and returns None if there is none."""
        ...

    def edge(self, leaving: int, side: int) -> list[mpq]:
        """Returns an edge direction in the parameters, r rationals."""
        ...

    def rebase(self, basis: Sequence[int]) -> None:
        """Replaces the basis at the same point."""
        ...

    def joinable(self, place: int) -> int | None:
        """Returns the first coordinate of the basis that a vanishing residual can replace; None if there is none."""
        ...

    def local(self) -> "RegressionArithmetic":
        """Returns the local problem at this vertex, beginning at the basis of this vertex."""
        ...

    def is_strict(self) -> bool:
        """Returns whether all multipliers of the basis are below 1 in size; no other residual may vanish."""
        ...

    def multipliers_of(self, basis: Sequence[int], signs: Mapping[int, int]) -> list[mpq]:
        """Returns the multipliers λ of a basis of this point.

        Σ λ_k ω_k (true normal k) over the basis is the gradient of the rest of the loss, divided by `shares.factor`.

        Args:
            basis: r places.
            signs: the signs with which the vanishing members outside the basis count, by their places.
        """
        ...

    def parameters(self) -> tuple[mpq, ...]:
        """Returns the reduced parameters of the output, r rationals."""
        ...

    def loss(self) -> mpq:
        """Returns the members' exact share in the loss."""
        ...

    def loss_estimate(self) -> float:
        """Returns that share in floats, for display only."""
        ...
