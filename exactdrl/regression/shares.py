"""The share of each residual of an output in the loss: every loss with two slopes as absolute values and a linear part.

A loss φ with the slopes below and above of 0 is φ(r) = h (|r| + t r) with h = (above - below)/2 and the *tilt*
t = (above + below)/(above - below). The tilt is 0 for the absolute loss, 1 - 2τ for the pinball loss of level τ, and
minus the target for the hinge loss. So the loss of an output is h times Σ ω_i |r_i| + t_i ω_i r_i with the samples'
weights ω_i. Apart from the factor h, these are least absolute deviations of ω_i r_i with a linear term. Source:
proofs/long-step.md, section 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from gmpy2 import mpq, mpz

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.exact.linear import common_denominator


@dataclass(frozen=True)
class Shares:
    """The shares of one output in the loss.

    Attributes:
        problem: the scaled problem, whose trained layer is the last.
        unit: the number of the output among those that remain.
        factor: the factor h; 0 where no residual has a kink.
        tilt: the tilt t of all residuals; None for the hinge loss, where it is minus the target.
        refinement: a further factor of the shares' scale, for a linear term with denominators of its own.
    """

    problem: IntegerProblem
    unit: int
    factor: mpq
    tilt: mpq | None
    refinement: mpz = field(default_factory=lambda: mpz(1))

    @classmethod
    def of_unit(cls, problem: IntegerProblem, unit: int) -> "Shares":
        """Returns the shares of an output. The loss must have two slopes."""
        loss = problem.instance.loss
        below, above = loss.slopes(problem.reduction.units[unit], mpq(1))
        factor = (above - below) / 2
        if loss.kind == "hinge":
            return cls(problem, unit, factor, None)
        return cls(problem, unit, factor, (above + below) / (above - below) if factor else mpq(0))

    @property
    def output(self) -> int:
        """Returns the output, from 0, as the instance has it."""
        return self.problem.reduction.units[self.unit]

    @property
    def is_tilted(self) -> bool:
        """Returns whether there is a linear part."""
        return self.tilt is None or bool(self.tilt)

    @cached_property
    def multiple(self) -> mpz:
        """Returns the factor of the problem's own scale by which all shares are integers."""
        own = self.problem.instance.weights
        by_tilt = self.refinement * (1 if self.tilt is None else self.tilt.denominator)
        return by_tilt if own is None else by_tilt * common_denominator(own)

    @cached_property
    def scale(self) -> mpz:
        """Returns the scale of the shares. A scaled residual times its weight in `weights` is the scale times ω r."""
        # the problem's loss has a factor for its slopes, which these shares leave out
        return self.multiple * (self.problem.loss_scale // self.problem.loss_unit)

    @cached_property
    def members(self) -> tuple[int, ...]:
        """Returns the samples whose residuals have a kink and change with the parameters, increasing."""
        weights = self.problem.instance.weights
        if not self.factor:
            return ()
        if weights is None:
            return self.problem.members
        return tuple(sample for sample in self.problem.members if weights[sample])

    @cached_property
    def apart(self) -> tuple[int, ...]:
        """Returns the samples whose residuals have a kink and never change."""
        if not self.factor or len(self.members) == self.problem.samples:
            return ()
        weights, members = self.problem.instance.weights, set(self.members)
        others = (sample for sample in range(self.problem.samples) if sample not in members)
        return tuple(sample for sample in others if weights is None or weights[sample])

    def weight_of(self, sample: int) -> mpq:
        """Returns the sample's own weight ω."""
        return self.problem.instance.sample_weight(sample)

    def weights(self, samples: Sequence[int]) -> list[mpz]:
        """Returns the factors of some samples' scaled residuals. A factor times the residual is `scale` times ω r."""
        own, given = self.problem.sample_weights, self.problem.instance.weights
        if given is not None:
            return [mpz(self.multiple * given[sample]) * own[sample] for sample in samples]
        return [self.multiple * own[sample] for sample in samples]

    def tilt_of(self, sample: int) -> mpq:
        """Returns the tilt t of a sample's residual."""
        return -self.problem.instance.targets[sample][self.output] if self.tilt is None else self.tilt

    def tilts(self, samples: Sequence[int]) -> list[mpz]:
        """Returns each factor of `weights` times the sample's tilt."""
        return [mpz(weight * self.tilt_of(s)) for s, weight in zip(samples, self.weights(samples), strict=True)]

    def signs_of_tilts(self) -> tuple[list[int], mpz]:
        """Returns the members' `tilts` as signs and a common factor besides the scale, for samples without weights."""
        if self.tilt is None:
            return [1 if self.tilt_of(sample) > 0 else -1 for sample in self.members], self.refinement
        return [1] * len(self.members), self.tilt.numerator * self.refinement

    def loss_apart(self) -> mpq:
        """Returns the share in the loss of the samples whose residuals never change."""
        total = mpz(0)
        for sample, weight, tilt in zip(self.apart, self.weights(self.apart), self.tilts(self.apart), strict=True):
            residual = self.problem.offsets[0][sample][self.unit]
            total += weight * abs(residual) + tilt * residual
        return self.factor * mpq(total, self.scale)
