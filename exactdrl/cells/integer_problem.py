"""The problem in integers, reduced to the parameters that matter: the numbers of the walk's inner loops.

Scaling. A kink's sign and its breakpoints do not change when its preactivation is multiplied by a positive number, and
activations with two slopes commute with such factors. So sample i's x̃ is multiplied by D_i, a common denominator of
its entries, a layer's activation slopes by C_l, a common denominator of theirs, and its weights and bias by E_l. A
preactivation in layer l at parameters num/den becomes an integer: den · D_i · C_ℓ E_{ℓ+1} ⋯ C_{l-1} E_l times its
value. Residuals have one more factor T_i, for the targets' denominators.

Lineality. Where the x̃_i do not span Q^m, parameters outside the pivot columns of x̃ keep the start's values: column f
= Σ_p M_pf · column p, so with u_p = θ_p + Σ_f M_pf θ_f the preactivations are those of the pivot columns alone at u.
Where units of the trained layer have no kinks, the same holds of the units, whose columns are those of the kinks above
(`lineality`); if it is the last layer, outputs whose residuals have no kinks are left out. Inside, parameters are these
u, n = |units| · |pivots| of them. Source: proofs/FORMAT.md, section 3.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from flint import fmpz, fmpz_mat
from gmpy2 import lcm, mpq, mpz

from exactdrl.cells.dyadic import DyadicRows, DyadicSamples
from exactdrl.cells.kinks import Addresses, Pattern
from exactdrl.cells.lineality import Reduction, reduce_parameters
from exactdrl.cells.ranges import Ranges, find_ranges
from exactdrl.exact.linear import combine_columns, common_denominator, pivot_columns, to_fmpz, to_integers, to_matrix
from exactdrl.exact.rationals import InputError
from exactdrl.problem.instance import Instance

IntegerRows: TypeAlias = Sequence[tuple[mpz, ...]]
# slopes below and above 0, indexed by a kink's bit
Slopes: TypeAlias = tuple[mpz, mpz]

_RELU: Slopes = (mpz(0), mpz(1))
_NOTHING = fmpz(0)


@dataclass(frozen=True)
class IntegerProblem:
    """An instance in scaled integers; build it with `IntegerProblem.from_instance`.

    Attributes:
        instance: where it comes from.
        addresses: its kinks' addresses.
        rows: (N, r), sample i's D_i x̃_i in the pivot columns.
        slopes: for each layer ℓ..L, the slopes of each unit's activation, scaled by C_l.
        weights: for each layer ℓ+1..L+1, (n_l, n_{l-1}), scaled by E_l.
        offsets: for each layer ℓ..L+1, (N, n_l): scaled biases, in the last layer minus the targets, with the factor
            T_i. Of the trained layer only the units that remain have a column.
        residual_factors: T_i; 1 for all samples if the trained layer is the last.
        scales: for each layer ℓ..L+1 the product of the C and E up to it.
        loss_unit: a common denominator of the slopes of the true loss, by which the scaled one is multiplied too.
        loss_scale: the scaled loss at num/den is loss_scale · den times the loss; a squared loss has no scaled loss.
        loss_apart: what outputs of a trained last layer that do not remain add to the scaled loss at denominator 1,
            whatever the parameters, if the loss is constant along directions that change no kink; else 0 stands here.
        reduction: which parameters remain.
        find_weights: returns what `sample_weights` holds.
        find_loss_slopes: returns what `loss_slopes` holds.
        dyadic: the samples, where the network is one layer and they are binary floats.
    """

    instance: Instance
    addresses: Addresses
    rows: IntegerRows
    slopes: tuple[tuple[Slopes, ...], ...]
    weights: tuple[IntegerRows, ...]
    offsets: tuple[IntegerRows, ...]
    residual_factors: tuple[mpz, ...]
    scales: tuple[mpz, ...]
    loss_unit: mpz
    loss_scale: mpz
    loss_apart: mpz
    reduction: Reduction
    find_weights: Callable[[], tuple[mpz, ...]] = field(repr=False, compare=False)
    find_loss_slopes: Callable[[], tuple[Slopes, ...]] = field(repr=False, compare=False)
    dyadic: DyadicSamples | None = field(default=None, repr=False, compare=False)

    @classmethod
    def from_instance(cls, instance: Instance) -> "IntegerProblem":
        """Returns the scaled, reduced problem.

        Raises:
            InputError: all parameters are free, or the directions that change no kink have a form that is not handled.
        """
        doubles = instance.regression_doubles()
        if doubles is not None:
            return cls._from_dyadic(instance, DyadicSamples.create(*doubles))
        first = instance.layer
        pushed = instance.pushed_inputs()
        reduction = reduce_parameters(instance, pushed)
        targets_inside = first == len(instance.layers)
        rows: list[list[mpz]] = []
        denominators: list[mpz] = []
        for x, y in zip(pushed, instance.targets, strict=True):
            integers, denominator = to_integers([*x, *y] if targets_inside else x)
            rows.append(integers[: len(x)])
            denominators.append(denominator)
        reduced = tuple(tuple(row[column] for column in reduction.columns) for row in rows)

        weights: list[IntegerRows] = []
        slopes: list[tuple[Slopes, ...]] = []
        offsets: list[list[list[mpz]]] = [[[mpz(0)] * len(reduction.units) for _ in rows]]
        scales = [mpz(1)]
        kept: Sequence[int] = reduction.units
        for below, layer in zip(instance.layers[first - 1 :], instance.layers[first:], strict=False):
            integers, common = to_integers(
                [s for u in kept for s in (below.activations[u].below, below.activations[u].above)]
            )
            slopes.append(tuple(zip(integers[::2], integers[1::2], strict=True)))
            scale = scales[-1] * common
            bias = layer.bias or (mpq(0),) * len(layer.weight)
            matrix = [[row[u] for u in kept] for row in layer.weight]
            common = lcm(*(common_denominator(row) for row in matrix), common_denominator(bias))
            weights.append(tuple(tuple(mpz(w * common) for w in row) for row in matrix))
            scale *= common
            scaled_bias = [mpz(b * scale) for b in bias]
            offsets.append([[b * denominator for b in scaled_bias] for denominator in denominators])
            scales.append(scale)
            kept = range(len(layer.weight))
        scale = scales[-1]
        factors: list[mpz] = []
        for sample, (y, denominator) in enumerate(zip(instance.targets, denominators, strict=True)):
            scaled = [y[output] * scale * denominator for output in kept]
            factor = common_denominator(scaled)
            factors.append(factor)
            own = offsets[-1][sample]
            offsets[-1][sample] = [o * factor - mpz(t * factor) for o, t in zip(own, scaled, strict=True)]
        common = lcm(*(d * t for d, t in zip(denominators, factors, strict=True)))
        sample_weights = tuple(common // (d * t) for d, t in zip(denominators, factors, strict=True))
        every_slope, unit = _scale_loss(instance, sample_weights)
        loss_slopes, loss_apart = _keep_outputs(instance, every_slope, denominators, kept)
        return cls(
            instance,
            reduction.addresses,
            reduced,
            tuple(slopes),
            tuple(weights),
            tuple(tuple(tuple(row) for row in layer) for layer in offsets),
            tuple(factors),
            tuple(scales),
            unit,
            common * scale * unit,
            loss_apart,
            reduction,
            lambda: sample_weights,
            lambda: loss_slopes,
        )

    @classmethod
    def _from_dyadic(cls, instance: Instance, samples: DyadicSamples) -> "IntegerProblem":
        """Returns the same problem for one layer, its integers made when they are asked for."""
        count, columns = len(samples.bits), samples.columns
        rows = samples.rows(range(columns))
        pivots = pivot_columns(rows, columns)
        combination = tuple(tuple(row) for row in combine_columns(rows, pivots, columns))
        outputs = len(instance.layers[0].weight)
        addresses = Addresses.all_kinks(1, count, (outputs,))
        # without the samples' weights, which only the exact loss needs, the slopes' denominators are the levels'
        unit = common_denominator(instance.loss.below)
        return cls(
            instance,
            addresses,
            rows if len(pivots) == columns else samples.rows(pivots),
            (),
            (),
            (samples.offsets(),),
            (mpz(1),) * count,
            (mpz(1),),
            unit,
            (mpz(1) << samples.greatest) * unit,
            mpz(0),
            Reduction(addresses, tuple(range(outputs)), (), pivots, combination, None),
            samples.weights,
            lambda: _scale_loss(instance, samples.weights())[0],
            samples,
        )

    @property
    def first(self) -> int:
        """Returns the trained layer ℓ."""
        return self.addresses.first

    @property
    def last(self) -> int:
        """Returns L+1, the layer of the residuals."""
        return self.addresses.first + len(self.addresses.widths) - 1

    @property
    def samples(self) -> int:
        """Returns N."""
        return self.addresses.samples

    @property
    def widths(self) -> tuple[int, ...]:
        """Returns n_ℓ..n_{L+1}; of the trained layer only the units that are not fixed."""
        return self.addresses.widths

    @property
    def pivots(self) -> tuple[int, ...]:
        """Returns the columns of x̃ whose parameters remain."""
        return self.reduction.columns

    @cached_property
    def is_plain(self) -> bool:
        """Returns whether all activations are ReLU and the loss is absolute, without weights."""
        return self.instance.is_plain

    @cached_property
    def loss_slopes(self) -> tuple[Slopes, ...]:
        """Returns, for each residual in address order, the slopes of the scaled loss in its scaled value."""
        return self.find_loss_slopes()

    @cached_property
    def slope_numbers(self) -> tuple[tuple[tuple[fmpz, fmpz], ...] | None, ...]:
        """Returns `slopes` for FLINT, None for a layer of ReLUs."""
        return tuple(
            None
            if all(pair == _RELU for pair in layer)
            else tuple((to_fmpz(below), to_fmpz(above)) for below, above in layer)
            for layer in self.slopes
        )

    def pass_on(self, depth: int, bits: Sequence[int | bool], values: Sequence[fmpz]) -> list[fmpz]:
        """Returns a layer's activations, for all samples, from its preactivations: each times its bit's slope.

        Args:
            depth: of the layer, which has activations.
            bits: for each address of the layer whether it is on.
            values: its preactivations, or what else is multiplied by the slopes.
        """
        slopes = self.slope_numbers[depth]
        if slopes is None:
            return [value if on else _NOTHING for value, on in zip(values, bits, strict=True)]
        width = len(slopes)
        return [
            value * slopes[index % width][1 if on else 0]
            for index, (value, on) in enumerate(zip(values, bits, strict=True))
        ]

    def slopes_at(self, pattern: Pattern, depth: int, sample: int) -> list[mpz]:
        """Returns the slope of each unit of one sample in a layer that has activations."""
        bits = pattern.unit_bits(depth, sample)
        return [pair[on] for pair, on in zip(self.slopes[depth], bits, strict=True)]

    @cached_property
    def sample_weights(self) -> tuple[mpz, ...]:
        """Returns the common denominator of all samples over that of sample i's residuals."""
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

    @cached_property
    def ranges(self) -> Ranges:
        """Returns what the network above the trained layer says of the loss; not for a squared loss."""
        return find_ranges(self.instance)

    @property
    def rank(self) -> int:
        """Returns r, the number of pivot columns."""
        return len(self.pivots)

    @property
    def dimension(self) -> int:
        """Returns n, the number of parameters that remain."""
        return self.widths[0] * self.rank

    @property
    def lineality(self) -> int:
        """Returns the dimension of the space of directions along which no kink changes."""
        return len(self.instance.start) * len(self.instance.start[0]) - self.dimension

    def lineality_basis(self) -> list[tuple[mpq, ...]]:
        """Returns a basis of that space, each vector in the full parameters, row-major [W | b]."""
        return self.reduction.lineality_basis(len(self.instance.start[0]))

    def to_reduced(self, parameters: Sequence[Sequence[mpq]]) -> list[mpq]:
        """Returns the reduced parameters u, n of them, at full parameters of shape (n_ℓ, m)."""
        return self.reduction.to_reduced(parameters)

    def to_full(self, reduced: Sequence[mpq]) -> tuple[tuple[mpq, ...], ...]:
        """Returns full parameters, shape (n_ℓ, m), from reduced ones; those that do not remain are the start's."""
        return self.reduction.to_full(reduced, self.instance.start)

    def to_full_direction(self, reduced: Sequence[mpq]) -> tuple[tuple[mpq, ...], ...]:
        """Returns a direction in the full parameters, 0 in those that do not remain."""
        zero = mpq(0)
        full = [[zero] * len(self.instance.start[0]) for _ in self.instance.start]
        entries = iter(reduced)
        for unit in self.reduction.units:
            for column in self.pivots:
                full[unit][column] = next(entries)
        return tuple(map(tuple, full))

    def pattern_from_hex(self, texts: Sequence[str]) -> Pattern:
        """Returns the pattern that a certificate writes.

        Raises:
            InputError: the strings do not fit this problem.
        """
        return Pattern.from_hex(self.addresses, texts)

    def check_dimension(self, count: int) -> None:
        """Refuses a basis of the wrong size.

        Raises:
            InputError: `count` is not n.
        """
        if count != self.dimension:
            raise InputError(f"a basis has {count} kinks, {self.dimension} are needed")


def _to_matrix(rows: IntegerRows, width: int) -> fmpz_mat:
    return fmpz_mat(len(rows), width, rows.flat()) if isinstance(rows, DyadicRows) else to_matrix(rows, width)


def _keep_outputs(
    instance: Instance, slopes: tuple[Slopes, ...], denominators: Sequence[mpz], kept: Sequence[int]
) -> tuple[tuple[Slopes, ...], mpz]:
    """Returns the loss's slopes for the outputs that remain, and what the others add to the scaled loss.

    Args:
        instance: the problem.
        slopes: for each residual.
        denominators: by which each sample's residuals are multiplied, if some outputs do not remain.
        kept: the outputs that remain.
    """
    outputs = len(instance.targets[0])
    apart = [output for output in range(outputs) if output not in kept]
    if not apart:
        return slopes, mpz(0)
    total = mpz(0)
    for sample, (target, denominator) in enumerate(zip(instance.targets, denominators, strict=True)):
        for output in apart:
            # without a kink, and the same for all the output's parameters: also where these are 0
            total -= slopes[sample * outputs + output][1] * mpz(target[output] * denominator)
    own = tuple(slopes[sample * outputs + output] for sample in range(len(denominators)) for output in kept)
    return own, total


def _scale_loss(instance: Instance, sample_weights: Sequence[mpz]) -> tuple[tuple[Slopes, ...], mpz]:
    """Returns the scaled loss's slopes in the scaled residuals, and the number by which they are multiplied besides.

    A squared loss has none: its entries are 0.
    """
    outputs = len(instance.targets[0])
    if instance.loss.is_squared:
        return ((mpz(0), mpz(0)),) * (len(instance.inputs) * outputs), mpz(1)
    if instance.is_plain:
        return tuple((-weight, weight) for weight in sample_weights for _ in range(outputs)), mpz(1)
    true = [pair for sample in range(len(instance.inputs)) for pair in instance.entry_slopes(sample)]
    unit = common_denominator([slope for pair in true for slope in pair])
    scaled = []
    for index, (below, above) in enumerate(true):
        weight = sample_weights[index // outputs] * unit
        scaled.append((mpz(below * weight), mpz(above * weight)))
    return tuple(scaled), unit
