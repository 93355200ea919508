"""The problem in integers, reduced to the parameters that matter: the numbers of the walk's inner loops.

Scaling. A kink's sign and its breakpoints do not change when its preactivation is multiplied by a positive number, and
ReLU commutes with such factors. So sample i's x̃ is multiplied by D_i, a common denominator of its entries, layer l's
weights and bias by E_l, a common denominator of theirs, and a preactivation in layer l at parameters num/den becomes
an integer: den · D_i · E_{ℓ+1} ⋯ E_l times its value. Residuals have one more factor T_i, for the targets'
denominators.

Lineality. Where the x̃_i do not span Q^m, parameters outside the pivot columns of x̃ keep the start's values: column f
= Σ_p M_pf · column p, so with u_p = θ_p + Σ_f M_pf θ_f the preactivations are those of the pivot columns alone at u.
Inside, parameters are these u, n = n_ℓ · |pivots| of them. Source: proofs/FORMAT.md, section 3.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from flint import fmpz_mat
from gmpy2 import lcm, mpq, mpz

from exactdrl.cells.dyadic import DyadicRows, DyadicSamples
from exactdrl.cells.kinks import Pattern
from exactdrl.exact.linear import combine_columns, common_denominator, pivot_columns, to_integers, to_matrix
from exactdrl.exact.rationals import InputError
from exactdrl.problem.instance import Instance

IntegerRows: TypeAlias = Sequence[tuple[mpz, ...]]


@dataclass(frozen=True)
class IntegerProblem:
    """An instance in scaled integers; build it with `IntegerProblem.from_instance`.

    Attributes:
        instance: where it comes from.
        first: the trained layer ℓ.
        last: L+1, the layer of the residuals.
        samples: N.
        widths: n_ℓ..n_{L+1}.
        rows: (N, r), sample i's D_i x̃_i in the pivot columns.
        weights: for each layer ℓ+1..L+1, (n_l, n_{l-1}), scaled by E_l.
        offsets: for each layer ℓ..L+1, (N, n_l): scaled biases, in the last layer minus the targets, with the factor
            T_i.
        residual_factors: T_i; 1 for all samples if the trained layer is the last.
        loss_scale: the scaled loss at num/den is loss_scale · den times the loss.
        pivots: the pivot columns of x̃.
        combination: M of the module's docstring, (r, m - r).
        find_weights: returns `sample_weights`.
        dyadic: the samples, where the network is one layer and they are binary floats.
    """

    instance: Instance
    first: int
    last: int
    samples: int
    widths: tuple[int, ...]
    rows: IntegerRows
    weights: tuple[IntegerRows, ...]
    offsets: tuple[IntegerRows, ...]
    residual_factors: tuple[mpz, ...]
    loss_scale: mpz
    pivots: tuple[int, ...]
    combination: tuple[tuple[mpq, ...], ...]
    find_weights: Callable[[], tuple[mpz, ...]] = field(repr=False, compare=False)
    dyadic: DyadicSamples | None = field(default=None, repr=False, compare=False)

    @classmethod
    def from_instance(cls, instance: Instance) -> "IntegerProblem":
        """Returns the scaled, reduced problem."""
        doubles = instance.regression_doubles()
        if doubles is not None:
            return cls._from_dyadic(instance, DyadicSamples.create(*doubles))
        first, last = instance.layer, len(instance.layers)
        widths = instance.widths[first:]
        pushed = instance.pushed_inputs()
        targets_inside = first == last
        rows: list[list[mpz]] = []
        denominators: list[mpz] = []
        for x, y in zip(pushed, instance.targets, strict=True):
            integers, denominator = to_integers([*x, *y] if targets_inside else x)
            rows.append(integers[: len(x)])
            denominators.append(denominator)
        columns = len(pushed[0])
        pivots = pivot_columns(rows, columns)
        combination = combine_columns(rows, pivots, columns)
        reduced = tuple(tuple(row[column] for column in pivots) for row in rows)

        weights: list[IntegerRows] = []
        offsets: list[list[list[mpz]]] = [[[mpz(0)] * widths[0] for _ in rows]]
        scale = mpz(1)
        for layer in instance.layers[first:]:
            bias = layer.bias or (mpq(0),) * len(layer.weight)
            common = lcm(*(common_denominator(row) for row in layer.weight), common_denominator(bias))
            weights.append(tuple(tuple(mpz(w * common) for w in row) for row in layer.weight))
            scaled_bias = [mpz(b * common) * scale for b in bias]
            offsets.append([[b * denominator for b in scaled_bias] for denominator in denominators])
            scale *= common
        factors: list[mpz] = []
        for sample, (y, denominator) in enumerate(zip(instance.targets, denominators, strict=True)):
            scaled = [value * scale * denominator for value in y]
            factor = common_denominator(scaled)
            factors.append(factor)
            own = offsets[-1][sample]
            offsets[-1][sample] = [o * factor - mpz(t * factor) for o, t in zip(own, scaled, strict=True)]
        common = lcm(*(d * t for d, t in zip(denominators, factors, strict=True)))
        sample_weights = tuple(common // (d * t) for d, t in zip(denominators, factors, strict=True))
        return cls(
            instance,
            first,
            last,
            len(rows),
            widths,
            reduced,
            tuple(weights),
            tuple(tuple(tuple(row) for row in layer) for layer in offsets),
            tuple(factors),
            common * scale,
            pivots,
            tuple(tuple(row) for row in combination),
            lambda: sample_weights,
        )

    @classmethod
    def _from_dyadic(cls, instance: Instance, samples: DyadicSamples) -> "IntegerProblem":
        """Returns the same problem for one layer, its integers made when they are asked for."""
        count, columns = len(samples.bits), samples.columns
        rows = samples.rows(range(columns))
        pivots = pivot_columns(rows, columns)
        combination = combine_columns(rows, pivots, columns)
        return cls(
            instance,
            1,
            1,
            count,
            instance.widths[1:],
            rows if len(pivots) == columns else samples.rows(pivots),
            (),
            (samples.offsets(),),
            (mpz(1),) * count,
            mpz(1) << samples.greatest,
            pivots,
            tuple(tuple(row) for row in combination),
            samples.weights,
            samples,
        )

    @cached_property
    def sample_weights(self) -> tuple[mpz, ...]:
        """Returns w_i, by which sample i's scaled residual counts in the scaled loss."""
        return self.find_weights()

    @cached_property
    def members(self) -> tuple[int, ...]:
        """Returns the samples whose x̃ is not 0."""
        if self.dyadic is not None:
            return self.dyadic.members()
        return tuple(sample for sample, row in enumerate(self.rows) if any(row))

    @cached_property
    def row_matrix(self) -> fmpz_mat:
        """Returns `rows` for FLINT, (N, r)."""
        return _to_matrix(self.rows, self.rank)

    @cached_property
    def weight_matrices(self) -> tuple[fmpz_mat, ...]:
        """Returns `weights` for FLINT, transposed."""
        return tuple(to_matrix(layer, len(layer[0])).transpose() for layer in self.weights)

    @cached_property
    def offset_matrices(self) -> tuple[fmpz_mat | None, ...]:
        """Returns `offsets` for FLINT, None for a layer where all are 0."""
        return tuple(_to_matrix(layer, len(layer[0])) if any(map(any, layer)) else None for layer in self.offsets)

    @property
    def rank(self) -> int:
        """Returns r, the number of pivot columns."""
        return len(self.pivots)

    @property
    def dimension(self) -> int:
        """Returns n = n_ℓ r, the number of parameters that remain."""
        return self.widths[0] * self.rank

    @property
    def lineality(self) -> int:
        """Returns the dimension of the space of directions along which the loss does not change at all."""
        return self.widths[0] * (len(self.instance.start[0]) - self.rank)

    def lineality_basis(self) -> list[tuple[mpq, ...]]:
        """Returns a basis of that space, each vector in the full parameters, row-major [W | b]."""
        columns = len(self.instance.start[0])
        fixed = [column for column in range(columns) if column not in self.pivots]
        vectors = []
        for unit in range(self.widths[0]):
            for index, column in enumerate(fixed):
                vector = [mpq(0)] * (self.widths[0] * columns)
                vector[unit * columns + column] = mpq(1)
                for p, pivot in enumerate(self.pivots):
                    vector[unit * columns + pivot] = -self.combination[p][index]
                vectors.append(tuple(vector))
        return vectors

    def to_reduced(self, parameters: Sequence[Sequence[mpq]]) -> list[mpq]:
        """Returns the reduced parameters u, n of them, at full parameters of shape (n_ℓ, m)."""
        reduced = []
        for row in parameters:
            fixed = [value for column, value in enumerate(row) if column not in self.pivots]
            for p, pivot in enumerate(self.pivots):
                shift = sum((m * value for m, value in zip(self.combination[p], fixed, strict=True)), mpq(0))
                reduced.append(row[pivot] + shift)
        return reduced

    def to_full(self, reduced: Sequence[mpq]) -> tuple[tuple[mpq, ...], ...]:
        """Returns full parameters, shape (n_ℓ, m), from reduced ones; outside the pivot columns the start's."""
        full = []
        for unit, start in enumerate(self.instance.start):
            row = list(start)
            fixed = [value for column, value in enumerate(start) if column not in self.pivots]
            for p, pivot in enumerate(self.pivots):
                shift = sum((m * value for m, value in zip(self.combination[p], fixed, strict=True)), mpq(0))
                row[pivot] = reduced[unit * self.rank + p] - shift
            full.append(tuple(row))
        return tuple(full)

    def to_full_direction(self, reduced: Sequence[mpq]) -> tuple[tuple[mpq, ...], ...]:
        """Returns a direction in the full parameters, 0 outside the pivot columns."""
        full = []
        for unit in range(self.widths[0]):
            row = [mpq(0)] * len(self.instance.start[0])
            for p, pivot in enumerate(self.pivots):
                row[pivot] = reduced[unit * self.rank + p]
            full.append(tuple(row))
        return tuple(full)

    def pattern_from_hex(self, texts: Sequence[str]) -> Pattern:
        """Returns the pattern that a certificate writes.

        Raises:
            InputError: the strings do not fit this problem.
        """
        return Pattern.from_hex(self.first, self.samples, self.widths, texts)

    def check_dimension(self, count: int) -> None:
        """Refuses a basis of the wrong size.

        Raises:
            InputError: `count` is not n.
        """
        if count != self.dimension:
            raise InputError(f"a basis has {count} kinks, {self.dimension} are needed")


def _to_matrix(rows: IntegerRows, width: int) -> fmpz_mat:
    return fmpz_mat(len(rows), width, rows.flat()) if isinstance(rows, DyadicRows) else to_matrix(rows, width)
