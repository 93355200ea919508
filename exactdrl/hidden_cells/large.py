"""Judges hidden cells of data at the size of images: is the least squares minimum attained inside the cell?

Floats propose a unit and two samples: at one a preactivation of the minimum has the wrong sign for an outer weight >
0, at the other for one < 0. Both preactivations have to be the same at all minima. That is so if the linear function
is u G for the Gram matrix G = AᵀA of the cell, and then its value is u Aᵀy. Exact algebra decides: u is one linear
system, solved over Q, u G is compared, and the signs are those of integers. Where A has full rank and no unit fails,
V itself is computed, and its signs decide. Units that share a pattern are never excluded: with w in their cell, M w
added to one and taken from another gives them an outer weight > 0 and one < 0, for M large enough. All other cells
stay undecided.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from flint import fmpz, fmpz_mat, nmod_mat
from numpy.typing import NDArray

from exactdrl.exact.linear import PRIME, pivot_columns, solve_regular, to_integers
from exactdrl.exact.rationals import InputError
from exactdrl.hidden_cells.setting import Setting

_LARGEST = 2**62
_RESOLUTION = 53
# units that floats propose and exact algebra checks at most
_TRIED = 3


@dataclass(frozen=True, slots=True)
class GenuineCell:
    """The minimum is inside the cell.

    Attributes:
        signs: of the outer weights, + - 0, or * for a dead unit.
    """

    signs: str


@dataclass(frozen=True, slots=True)
class EmptyCell:
    """The minimum is outside of the cell, whatever the signs.

    Attributes:
        unit: one of whose preactivations two have the wrong sign.
        samples: one that excludes an outer weight > 0, and one that excludes one < 0; both together exclude 0.
    """

    unit: int
    samples: tuple[int, int]


@dataclass(frozen=True, slots=True)
class OpenCell:
    """It is not decided whether the minimum is inside the cell.

    Attributes:
        freedom: the number of independent directions in which V can move without a change of predictions, at most.
    """

    freedom: int


LargeVerdict = GenuineCell | EmptyCell | OpenCell


class LargeData:
    """Samples with integer entries, and an integer target each."""

    def __init__(self, inputs: NDArray[np.int64], targets: NDArray[np.int64]) -> None:
        """Takes the data.

        Args:
            inputs: (N, m), the bias's 1 among them if there is one.
            targets: (N,).

        Raises:
            InputError: entries are so large that their products' sums could leave the machine's integers.
        """
        largest = max(int(np.abs(inputs).max()), int(np.abs(targets).max()), 1)
        if largest * largest * len(inputs) >= _LARGEST:
            raise InputError(
                "the data are too large for exact sums in machine integers; rounded data may be small enough"
            )
        rows = [list(map(int, row)) for row in inputs]
        self.pivots = list(pivot_columns(rows, inputs.shape[1]))
        self.inputs = np.ascontiguousarray(inputs[:, self.pivots])
        self.targets = targets
        self.is_bound = np.any(inputs != 0, axis=1)
        count, rank = len(inputs), len(self.pivots)
        entries = [int(entry) for entry in self.inputs.ravel()]
        self.rows = fmpz_mat(count, rank, entries)
        self.residues = nmod_mat(count, rank, [entry % PRIME for entry in entries], PRIME)

    @classmethod
    def from_setting(cls, setting: Setting) -> "LargeData":
        """Returns the data of a setting, inputs and targets each times one positive integer.

        Raises:
            InputError: the loss is not squared, the units are no ReLU, the output has a bias, or the integers are too
            large.
        """
        if setting.loss != "squared" or setting.slopes != (0, 1) or setting.has_output_bias:
            raise InputError("cells of large data are decided for squared loss, ReLU and an output without bias")
        count = len(setting.targets)
        vectors = [setting.samples.vector(sample) for sample in range(count)]
        numbers, _ = to_integers([entry for vector in vectors for entry in vector])
        goals, _ = to_integers(list(setting.targets))
        if max(map(abs, [*numbers, *goals])) >= _LARGEST:
            raise InputError(
                "the data are too large for exact sums in machine integers; rounded data may be small enough"
            )
        inputs = np.array(list(map(int, numbers)), np.int64).reshape(count, -1)
        return cls(inputs, np.array(list(map(int, goals)), np.int64))

    def decide(self, patterns: Sequence[NDArray[np.bool_]]) -> LargeVerdict:
        """Returns whether a hidden cell has a genuine minimum of the squared loss, for ReLU units without output bias.

        Args:
            patterns: K arrays of N bits, patterns of cells.
        """
        groups: dict[bytes, list[int]] = {}
        for unit, pattern in enumerate(patterns):
            if pattern.any():
                groups.setdefault(pattern.tobytes(), []).append(unit)
        owners = list(groups.values())
        if all(len(units) > 1 for units in owners):
            return GenuineCell(_pair_signs(len(patterns), owners))
        cell = _LargeCell(self, [patterns[units[0]] for units in owners], [len(units) > 1 for units in owners])
        if not any(cell.moments):
            # V = 0 is a minimum
            return GenuineCell("".join("0" if pattern.any() else "*" for pattern in patterns))
        for place, up, down in cell.propose():
            low, high = cell.sign_at(place, up), cell.sign_at(place, down)
            # one of both is not 0, so that the outer weight is not 0 either
            if low is not None and high is not None and low <= 0 <= high and low < high:
                return EmptyCell(owners[place][0], (up, down))
        if len(cell.chosen) < len(cell.moments):
            return OpenCell(len(cell.moments) - len(cell.chosen))
        return self._by_signs(cell, len(patterns), owners)

    def _by_signs(self, cell: "_LargeCell", count: int, owners: Sequence[Sequence[int]]) -> LargeVerdict:
        """Decides a cell with a unique V, up to exchanges among units of one pattern, by its signs."""
        rank, signs = len(self.pivots), list(_pair_signs(count, owners))
        v = cell.solve(cell.moments)
        for place, units in enumerate(owners):
            if len(units) > 1:
                continue
            own = fmpz_mat(rank, 1, v[place * rank : (place + 1) * rank])
            column = (self.rows * own).entries()
            if not any(own.entries()):
                signs[units[0]] = "0"
                continue
            sides = [value if on else -value for value, on in zip(column, cell.patterns[place], strict=True)]
            up = next((k for k, side in enumerate(sides) if self.is_bound[k] and side <= 0), None)
            down = next((k for k, side in enumerate(sides) if self.is_bound[k] and side >= 0), None)
            if up is not None and down is not None:
                return EmptyCell(units[0], (up, down))
            signs[units[0]] = "+" if up is None else "-"
        return GenuineCell("".join(signs))


def _pair_signs(count: int, owners: Sequence[Sequence[int]]) -> str:
    """Returns the signs of units that share their pattern: one + and one -, the others +; * for all other units."""
    signs = ["*"] * count
    for units in owners:
        if len(units) > 1:
            for unit in units:
                signs[unit] = "-" if unit == units[1] else "+"
    return "".join(signs)


class _LargeCell:
    """A hidden cell: G = AᵀA and Aᵀy as integers, and rows of G that are independent modulo a prime."""

    def __init__(self, data: LargeData, patterns: Sequence[NDArray[np.bool_]], is_shared: Sequence[bool]) -> None:
        """Takes different patterns, and for each whether several units have it: nothing can exclude those."""
        self.data, self.patterns, self.is_shared = data, patterns, is_shared
        self.design = design = np.hstack([data.inputs * pattern[:, None] for pattern in patterns])
        self.gram, self.moments = design.T @ design, [int(entry) for entry in design.T @ data.targets]
        size = design.shape[1]
        self.reduced, rank = nmod_mat(size, size, [int(entry) % PRIME for entry in self.gram.ravel()], PRIME).rref()
        self.chosen: list[int] = []
        for row in range(rank):
            column = self.chosen[-1] + 1 if self.chosen else 0
            while int(self.reduced[row, column]) == 0:
                column += 1
            self.chosen.append(column)
        part = self.gram[np.ix_(self.chosen, self.chosen)]
        self.square = fmpz_mat(rank, rank, [int(entry) for entry in part.ravel()])

    def solve(self, right: Sequence[int]) -> list[fmpz]:
        """Returns a positive multiple of the u on the chosen rows with G u = right there; the other entries are 0."""
        column = fmpz_mat(len(self.chosen), 1, [right[row] for row in self.chosen])
        numerators, _ = solve_regular(self.square, column)
        found = [fmpz(0)] * len(self.moments)
        for row, entry in zip(self.chosen, numerators.entries(), strict=True):
            found[row] = entry
        return found

    def _kernel(self) -> list[list[int]]:
        """Returns a basis of the kernel of G modulo the prime."""
        size, chosen = len(self.moments), set(self.chosen)
        basis = []
        for column in range(size):
            if column not in chosen:
                vector = [0] * size
                vector[column] = 1
                for row, lead in enumerate(self.chosen):
                    vector[lead] = -int(self.reduced[row, column]) % PRIME
                basis.append(vector)
        return basis

    def propose(self) -> Iterator[tuple[int, int, int]]:
        """Yields units with two samples each that float least squares says exclude an outer weight > 0 and < 0.

        Only samples whose preactivation is, modulo the prime, the same at all minima.
        """
        rank, kernel = len(self.data.pivots), self._kernel()
        values, *_ = np.linalg.lstsq(self.design.astype(np.float64), self.data.targets.astype(np.float64), rcond=None)
        candidates = []
        for place, pattern in enumerate(self.patterns):
            if self.is_shared[place]:
                continue
            own = values[place * rank : (place + 1) * rank]
            sizes = np.abs(self.data.inputs) @ np.abs(own)
            # how wrong a sign is, against what is added up
            sides = np.where(pattern, 1, -1) * (self.data.inputs @ own) / np.where(sizes > 0, sizes, 1)
            fixed = self.data.is_bound.copy()
            if kernel:
                block = [vector[place * rank : (place + 1) * rank] for vector in kernel]
                columns = nmod_mat(rank, len(kernel), [row[k] for k in range(rank) for row in block], PRIME)
                moves = (self.data.residues * columns).tolist()
                fixed &= np.array([not any(int(entry) for entry in row) for row in moves])
            if not fixed.any():
                continue
            up = int(np.argmin(np.where(fixed, sides, np.inf)))
            down = int(np.argmax(np.where(fixed, sides, -np.inf)))
            if up != down:
                candidates.append((min(-sides[up], sides[down]), place, up, down))
        for _, place, up, down in sorted(candidates, reverse=True)[:_TRIED]:
            yield place, up, down

    def sign_at(self, place: int, sample: int) -> int | None:
        """Returns the sign of σ x̃ · v at a sample, if it is the same at all minima; else None. Exact."""
        rank = len(self.data.pivots)
        function = [0] * len(self.moments)
        function[place * rank : (place + 1) * rank] = [int(entry) for entry in self.data.inputs[sample]]
        u = self.solve(function)
        # the multiple is positive and unknown: it is read off an entry of the function
        made = fmpz_mat(len(u), len(u), [int(entry) for entry in self.gram.ravel()]) * fmpz_mat(len(u), 1, u)
        lead = next(row for row, entry in enumerate(function) if entry)
        scale = made[lead, 0] // function[lead] if made[lead, 0] % function[lead] == 0 else fmpz(0)
        if scale <= 0 or any(made[row, 0] != scale * entry for row, entry in enumerate(function)):
            return None
        value = sum((entry * moment for entry, moment in zip(u, self.moments, strict=True)), fmpz(0))
        own = value if self.patterns[place][sample] else -value
        return int(own > 0) - int(own < 0)


def exact_pattern(inputs: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.int8]:
    """Returns the exact signs of inputs · weights: 1, 0 or -1, for weights that are the dyadic rationals they are.

    Floats decide only where the sum's error cannot change its sign. A sum of m products, in any order, has an error
    of at most m u / (1 - m u) Σ |x||w| with u = 2⁻⁵³; the bound that is used is four times that, since it is a float
    sum too. Products that underflow add at most 2⁻¹⁰⁷⁴ each: where the bound is below 2⁻⁹⁰⁰ nothing is decided by it.

    Args:
        inputs: (N, m) integers below 2⁵³ in size.
        weights: (m,).
    """
    rows = inputs.astype(np.float64)
    values, sizes = rows @ weights, np.abs(rows) @ np.abs(weights)
    bounds = sizes * (4 * inputs.shape[1]) / 2**_RESOLUTION
    signs: NDArray[np.int8] = np.sign(values).astype(np.int8)
    for sample in np.flatnonzero(~(np.abs(values) > bounds) | (bounds < np.ldexp(np.ones_like(bounds), -900))):
        signs[sample] = _exact_sign(inputs[sample], weights)
    return signs


def _exact_sign(row: NDArray[np.int64], weights: NDArray[np.float64]) -> int:
    ratios = [entry.as_integer_ratio() for entry in weights.tolist()]
    common = max(denominator for _, denominator in ratios)
    total = sum(
        int(entry) * numerator * (common // denominator)
        for entry, (numerator, denominator) in zip(row, ratios, strict=True)
    )
    return int(total > 0) - int(total < 0)
