"""Which parameters matter to the kinks: the others keep the values of the start.

Each kink of sample i depends on the trained layer's preactivations by a row v, and so on the parameters by v ⊗ x̃_i.
The space that a sample's rows span is the same in every cell, since a flip adds multiples of the flipped kink's row to
deeper ones'. If it is one space V for all samples that have any, the kinks' normals span V ⊗ span x̃_i together, and
directions D with V D x̃_i = 0 change no kink: they are the lineality. Source: proofs/FORMAT.md, section 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gmpy2 import mpq

from exactdrl.cells.kinks import Addresses
from exactdrl.exact.linear import combine_columns, pivot_columns, to_integers
from exactdrl.exact.rationals import InputError
from exactdrl.problem.instance import Instance

_ZERO = mpq(0)
Rows = Sequence[Sequence[mpq]]


@dataclass(frozen=True, slots=True)
class Reduction:
    """The parameters that remain: those of some units of the trained layer, in some columns of x̃.

    Attributes:
        addresses: the kinks, without the units that do not remain.
        units: the units that remain.
        unit_combination: for each of these, the multiple of it for which each unit that does not remain stands.
        columns: the columns that remain.
        combination: for each of these, the multiple of it for which each column that does not remain stands.
        ray: a direction in all parameters, row-major, along which no kink changes and the loss falls forever; None
            where there is none.
    """

    addresses: Addresses
    units: tuple[int, ...]
    unit_combination: tuple[tuple[mpq, ...], ...]
    columns: tuple[int, ...]
    combination: tuple[tuple[mpq, ...], ...]
    ray: tuple[mpq, ...] | None

    def _combine_units(self, parameters: Rows) -> list[list[mpq]]:
        """Returns a row for each unit that remains, the others' added to it."""
        if not self.unit_combination:
            return [list(parameters[unit]) for unit in self.units]
        fixed = [row for unit, row in enumerate(parameters) if unit not in self.units]
        rows = []
        for unit, counts in zip(self.units, self.unit_combination, strict=True):
            row = list(parameters[unit])
            for count, other in zip(counts, fixed, strict=True):
                if count:
                    row = [a + count * b for a, b in zip(row, other, strict=True)]
            rows.append(row)
        return rows

    def _shifts(self, row: Sequence[mpq]) -> list[mpq]:
        """Returns what the columns that do not remain add to those that do."""
        fixed = [value for column, value in enumerate(row) if column not in self.columns]
        return [sum((m * value for m, value in zip(counts, fixed, strict=True)), _ZERO) for counts in self.combination]

    def to_reduced(self, parameters: Rows) -> list[mpq]:
        """Returns the reduced parameters at full ones, row by row."""
        reduced = []
        for row in self._combine_units(parameters):
            shifts = self._shifts(row) if len(self.columns) < len(row) else [_ZERO] * len(row)
            reduced += [row[column] + shift for column, shift in zip(self.columns, shifts, strict=True)]
        return reduced

    def to_full(self, reduced: Sequence[mpq], start: Rows) -> tuple[tuple[mpq, ...], ...]:
        """Returns full parameters from reduced ones; those that do not remain are the start's."""
        full = [list(row) for row in start]
        rank = len(self.columns)
        # what the others add, with 0 for the units that remain
        rest = self._combine_units([[_ZERO] * len(r) if u in self.units else r for u, r in enumerate(start)])
        for place, unit in enumerate(self.units):
            row = [a + b for a, b in zip(full[unit], rest[place], strict=True)] if self.unit_combination else full[unit]
            shifts = self._shifts(row)
            for index, (column, shift) in enumerate(zip(self.columns, shifts, strict=True)):
                full[unit][column] = reduced[place * rank + index] - shift - rest[place][column]
        return tuple(map(tuple, full))

    def lineality_basis(self, width: int) -> list[tuple[mpq, ...]]:
        """Returns a basis of the directions that change no kink, in full parameters of `width` columns, row-major."""
        units = self.addresses.units
        vectors = []
        for unit in range(units):
            for column in range(width):
                if unit in self.units and column in self.columns:
                    continue
                one = [[mpq((unit, column) == (u, c)) for c in range(width)] for u in range(units)]
                # what it does to the parameters that remain is undone
                entries = iter(self.to_reduced(one))
                for u in self.units:
                    for c in self.columns:
                        one[u][c] -= next(entries)
                vectors.append(tuple(entry for row in one for entry in row))
        return vectors


def reduce_parameters(instance: Instance, pushed: Rows) -> Reduction:
    """Returns which parameters remain.

    Args:
        instance: the problem; not all parameters free.
        pushed: x̃.

    Raises:
        InputError: samples' kinks depend on the trained layer in different spaces.
    """
    first, samples = instance.layer, len(pushed)
    units = len(instance.layers[first - 1].weight)
    widths = instance.widths[first:]
    bends = find_bends(instance)
    addresses = Addresses(first, samples, widths, bends, units, tuple(range(units)))
    if bends[0] is None:
        columns, combination = _reduce_columns(pushed)
        return Reduction(addresses, tuple(range(units)), (), columns, combination, None)
    spaces = _find_spaces(instance, addresses)
    reached = [sample for sample in range(samples) if spaces[sample]]
    different = {spaces[sample] for sample in reached}
    if len(different) > 1:
        # what has a kink differs between samples only where some have the weight 0, and so no share in the loss
        weightless = next(sample for sample in range(samples) if not instance.sample_weight(sample))
        raise InputError(
            f"data.weights[{weightless}] is 0, and kinks of layer {first} see other units on such samples than on the "
            "others; leave samples of weight 0 out, which does not change the loss"
        )
    space = [list(row) for row in (different.pop() if different else ())]
    chosen = pivot_columns([to_integers(row)[0] for row in space], units) if space else ()
    counts = tuple(tuple(row) for row in combine_columns([to_integers(row)[0] for row in space], chosen, units))
    columns, combination = _reduce_columns([pushed[sample] for sample in reached])
    inner = addresses
    if not reached:
        # no column remains, and so no parameter, whatever the units
        chosen = tuple(range(units))
    if len(chosen) < units:
        own = bytes(bends[0][s * units + unit] for s in range(samples) for unit in chosen)
        inner = Addresses(
            first, samples, (len(chosen), *widths[1:]), (None if all(own) else own, *bends[1:]), units, chosen
        )
    reduction = Reduction(inner, chosen, counts if len(chosen) < units else (), columns, combination, None)
    ray = _find_ray(instance, pushed, reduction)
    return reduction if ray is None else Reduction(inner, chosen, reduction.unit_combination, columns, combination, ray)


def _reduce_columns(rows: Rows) -> tuple[tuple[int, ...], tuple[tuple[mpq, ...], ...]]:
    if not rows:
        return (), ()
    integers = [to_integers(row)[0] for row in rows]
    width = len(rows[0])
    pivots = pivot_columns(integers, width)
    return pivots, tuple(tuple(row) for row in combine_columns(integers, pivots, width))


def find_bends(instance: Instance) -> tuple[bytes | None, ...]:
    """Returns, for each layer from the trained one to L+1, which addresses are kinks, as `Addresses` has it."""
    first, samples = instance.layer, len(instance.inputs)
    found: list[bytes | None] = []
    for layer in instance.layers[first - 1 : -1]:
        own = bytes(activation.has_kink for activation in layer.activations)
        found.append(None if all(own) else own * samples)
    if instance.loss.is_squared:
        found.append(bytes(samples * len(instance.targets[0])))
    elif instance.is_plain:
        found.append(None)
    else:
        last = bytes(below != above for s in range(samples) for below, above in instance.entry_slopes(s))
        found.append(None if all(last) else last)
    return tuple(found)


def _find_spaces(instance: Instance, addresses: Addresses) -> list[tuple[tuple[mpq, ...], ...]]:
    """Returns, for each sample, a canonical basis of the space of its kinks' rows.

    Rows are on the trained layer's preactivations, in the pattern where all units are on.
    """
    units, first = addresses.units, instance.layer
    # rows of a layer's preactivations on those of the trained layer
    rows = [[mpq(u == v) for v in range(units)] for u in range(units)]
    hidden: list[list[mpq]] = []
    for depth in range(len(addresses.widths)):
        if depth:
            layer, below = instance.layers[first + depth - 1], instance.layers[first + depth - 2]
            passed = [[a.above * e for e in row] for a, row in zip(below.activations, rows, strict=True)]
            rows = [
                [sum((w * row[v] for w, row in zip(weights, passed, strict=True)), _ZERO) for v in range(units)]
                for weights in layer.weight
            ]
        if depth < len(addresses.widths) - 1:
            hidden += [row for u, row in enumerate(rows) if addresses.is_kink(depth, u)]
    top, outputs = len(addresses.widths) - 1, addresses.widths[-1]
    known: dict[tuple[bool, ...], tuple[tuple[mpq, ...], ...]] = {}
    found = []
    for sample in range(addresses.samples):
        mask = tuple(addresses.is_kink(top, sample * outputs + output) for output in range(outputs))
        if mask not in known:
            known[mask] = _echelon([*hidden, *(row for row, bend in zip(rows, mask, strict=True) if bend)], units)
        found.append(known[mask])
    return found


def _echelon(rows: Rows, width: int) -> tuple[tuple[mpq, ...], ...]:
    """Returns the reduced row echelon form's rows that are not 0: the same for the same space."""
    found: dict[int, list[mpq]] = {}
    for given in rows:
        row = list(given)
        for column, pivot in found.items():
            if row[column]:
                row = [a - row[column] * b for a, b in zip(row, pivot, strict=True)]
        lead = next((column for column in range(width) if row[column]), None)
        if lead is None:
            continue
        row = [entry / row[lead] for entry in row]
        for column, pivot in found.items():
            if pivot[lead]:
                found[column] = [a - pivot[lead] * b for a, b in zip(pivot, row, strict=True)]
        found[lead] = row
    return tuple(tuple(found[column]) for column in sorted(found))


def _find_ray(instance: Instance, pushed: Rows, reduction: Reduction) -> tuple[mpq, ...] | None:
    """Returns a direction that changes no kink and along which the loss falls, None if there is none.

    The loss is affine along each direction that changes no kink, with the same slope everywhere, so that any pattern
    serves: here all units are on.
    """
    if instance.loss.is_squared:
        return None
    units, width = reduction.addresses.units, len(pushed[0])
    gradient = [[_ZERO] * width for _ in range(units)]
    for sample, x in enumerate(pushed):
        coefficients = [above for _, above in instance.entry_slopes(sample)]
        for layer, below in zip(
            reversed(instance.layers[instance.layer :]), reversed(instance.layers[instance.layer - 1 : -1]), strict=True
        ):
            pulled = [
                sum((c * row[v] for c, row in zip(coefficients, layer.weight, strict=True)), _ZERO)
                for v in range(len(below.weight))
            ]
            coefficients = [a.above * c for a, c in zip(below.activations, pulled, strict=True)]
        for unit, coefficient in enumerate(coefficients):
            if coefficient:
                gradient[unit] = [g + coefficient * entry for g, entry in zip(gradient[unit], x, strict=True)]
    flat = [entry for row in gradient for entry in row]
    for vector in reduction.lineality_basis(width):
        slope = sum((g * d for g, d in zip(flat, vector, strict=True) if d), _ZERO)
        if slope:
            return tuple(-d if slope > 0 else d for d in vector)
    return None
