"""Kinks and loss of a cell as affine functions, not scaled, which the proved checker multiplies out.

Shapes are those of the trained layer's parameters. Where there is lineality, forms are taken in the parameters that
remain, and the others are held.
"""

from collections.abc import Sequence

from flint import fmpq, fmpq_mat
from gmpy2 import mpq

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.exact.linear import to_fmpq, to_mpq
from exactdrl.exact.rationals import InputError, to_text

_ZERO = mpq(0)


class CellNormals:
    """Normals, gradients and their combinations for one cell after another."""

    def __init__(self, problem: IntegerProblem) -> None:
        """Takes the problem; nothing is computed yet but the inputs pushed through the layers before."""
        self._problem = problem
        self._layers = problem.instance.layers
        self._pushed = problem.instance.pushed_inputs()
        self._width = len(problem.instance.start[0])
        units, columns = problem.reduction.units, problem.reduction.columns
        self._free = [(unit, column) for unit in units for column in columns]

    def keeps(self, basis: Sequence[Kink], flipped: Sequence[Kink]) -> bool:
        """Returns whether flips leave a basis one without more ado: of its own kinks, and of residuals."""
        own = {*basis}
        return all(kink in own or kink.layer == self._problem.last for kink in flipped)

    def inverse(self, pattern: Pattern, basis: Sequence[Kink]) -> list[list[list[str]]]:
        """Returns, for each free parameter, the combination of the basis' normals that is this parameter alone.

        A held parameter has an empty list in its place.

        Raises:
            InputError: the normals are dependent.
        """
        inverse = self._solve(pattern, basis)
        size = len(basis)
        rows: list[list[list[str]]] = [[[] for _ in range(self._width)] for _ in self._problem.instance.start]
        for place, (unit, column) in enumerate(self._free):
            rows[unit][column] = [to_text(to_mpq(inverse[place, k])) for k in range(size)]
        return rows

    def stop(self, pattern: Pattern, basis: Sequence[Kink]) -> list[list[str]]:
        """Returns, for each flip of the published rule's stop, the multipliers of the normals that give the gradient.

        Raises:
            InputError: the normals are dependent.
        """
        cell = pattern.copy()
        found = []
        for kink in basis:
            cell.flip(kink)
            gradient = self._gradient(cell)
            row = fmpq_mat(1, len(basis), [to_fmpq(gradient[u][c]) for u, c in self._free])
            solved = row * self._solve(cell, basis)
            found.append([to_text(to_mpq(solved[0, k])) for k in range(len(basis))])
        return found

    def held(self) -> list[list[object]]:
        """Returns, for each held parameter, its unit, its column, and a direction along which nothing changes."""
        held = [
            (unit, column)
            for unit in range(len(self._problem.instance.start))
            for column in range(self._width)
            if (unit, column) not in self._free
        ]
        found: list[list[object]] = []
        for (unit, column), vector in zip(held, self._problem.lineality_basis(), strict=True):
            texts = [to_text(x) for x in vector]
            rows = [texts[start : start + self._width] for start in range(0, len(texts), self._width)]
            found.append([unit, column, rows])
        return found

    def _solve(self, pattern: Pattern, basis: Sequence[Kink]) -> fmpq_mat:
        """Returns the inverse of the matrix whose rows are the normals."""
        if len(basis) != len(self._free):
            raise InputError(f"a basis has {len(basis)} kinks, {len(self._free)} are needed: verify the certificate")
        entries: list[fmpq] = []
        for kink in basis:
            units = self._normal(pattern, kink)
            x = self._pushed[kink.sample]
            entries += [to_fmpq(units[unit] * x[column]) for unit, column in self._free]
        try:
            return fmpq_mat(len(basis), len(basis), entries).inv()
        except ZeroDivisionError:
            raise InputError("a basis is dependent: verify the certificate") from None

    def _normal(self, pattern: Pattern, kink: Kink) -> list[mpq]:
        """Returns a kink's normal in a cell, on the trained layer's preactivations."""
        units = [mpq(unit == kink.unit) for unit in range(len(self._layers[kink.layer - 1].weight))]
        return self._pull(pattern, kink.sample, kink.layer, units)

    def _pull(self, pattern: Pattern, sample: int, number: int, units: list[mpq]) -> list[mpq]:
        """Returns coefficients on a layer's preactivations as those on the trained layer's."""
        for above in range(number, pattern.first, -1):
            weight, activations = self._layers[above - 1].weight, self._layers[above - 2].activations
            arriving = [
                sum((v * row[k] for v, row in zip(units, weight, strict=True)), _ZERO) for k in range(len(weight[0]))
            ]
            units = [
                value * (activation.above if _is_on(pattern, Kink(above - 1, sample, unit)) else activation.below)
                for unit, (activation, value) in enumerate(zip(activations, arriving, strict=True))
            ]
        return units

    def _gradient(self, pattern: Pattern) -> list[list[mpq]]:
        """Returns the gradient of the loss in a cell."""
        instance, last = self._problem.instance, len(self._layers)
        total = [[_ZERO] * self._width for _ in instance.start]
        for sample, x in enumerate(self._pushed):
            units = [
                above if _is_on(pattern, Kink(last, sample, output)) else below
                for output, (below, above) in enumerate(instance.entry_slopes(sample))
            ]
            for row, value in zip(total, self._pull(pattern, sample, last, units), strict=True):
                if value:
                    for column, entry in enumerate(x):
                        row[column] += value * entry
        return total


def _is_on(pattern: Pattern, address: Kink) -> bool:
    """Returns an address' bit; addresses that are no kink are on."""
    return not pattern.addresses.holds(address) or pattern.is_on(address)
