"""The kinks around a point in the order of their distances; far kinks' distances are not computed."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

from gmpy2 import mpq, mpz

from exactdrl.audits.point import ExactPoint
from exactdrl.cells.affine import path_coefficients, through_units
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink
from exactdrl.cells.scan import Values
from exactdrl.exact.basis import dot


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds on the kinks' scaled normals that hold in every cell.

    Attributes:
        lengths: for each layer ℓ..L+1 and each of its kinks, an upper bound on the squared length of the kink's normal.
    """

    lengths: tuple[tuple[mpz, ...], ...]

    @classmethod
    def of(cls, problem: IntegerProblem) -> "Bounds":
        """Returns the bounds.

        The size of a path coefficient is at most the coefficient with every weight and every activation's steeper slope
        replaced by its absolute value.
        """
        squares = [dot(row, row) for row in problem.rows]
        identity = [[mpz(u == v) for v in range(problem.widths[0])] for u in range(problem.widths[0])]
        paths, layers = identity, []
        for depth, width in enumerate(problem.widths):
            if depth:
                steepest = [max(abs(below), abs(above)) for below, above in problem.slopes[depth - 1]]
                passed = [[s * entry for entry in path] for s, path in zip(steepest, paths, strict=True)]
                columns = list(zip(*passed, strict=True))
                paths = [
                    [dot([abs(w) for w in row], column) for column in columns] for row in problem.weights[depth - 1]
                ]
            units = [dot(path, path) for path in paths]
            is_last = depth and depth == len(problem.widths) - 1
            factors = [f**2 if is_last else mpz(1) for f in problem.residual_factors]
            pairs = zip(squares, factors, strict=True)
            layers.append(tuple(s * f * units[u] for s, f in pairs for u in range(width)))
        return cls(tuple(layers))


class Nearness:
    """The kinks around a point in order of their distance |value| / |normal| in the point's own cell."""

    def __init__(self, problem: IntegerProblem, bounds: Bounds, point: ExactPoint, values: Values) -> None:
        """Takes a point, with the values of all kinks at the point."""
        self._problem, self._values, self._denominator = problem, values, point.denominator
        self.pattern = point.pattern(problem)
        entries = [
            (value.bit_length(), bound.bit_length(), depth, index)
            for depth, (layer, lengths) in enumerate(zip(values, bounds.lengths, strict=True))
            for index, (value, bound) in enumerate(zip(layer, lengths, strict=True))
            if bound and problem.addresses.is_kink(depth, index)
        ]
        # kinks that vanish come first whatever their normals are
        self._vanishing = [(depth, index) for bits, _, depth, index in entries if not bits]
        # elsewhere value² / bound lies in [2^(e-2), 2^(e+1)] for e = 2 · bits of the value - bits of the bound
        self._order = sorted((2 * bits - size, depth, index) for bits, size, depth, index in entries if bits)

    def _squared_distance(self, depth: int, index: int) -> mpq | None:
        """Returns value² / normal², None where the normal is 0."""
        problem, kink = self._problem, self.pattern.kink(depth, index)
        row = problem.rows[kink.sample]
        length = dot(row, row)
        if depth:
            path = path_coefficients(problem, self.pattern, kink, 0)
            units = through_units(problem, self.pattern, 0, kink.sample, path)
            length *= dot(units, units)
        return mpq(mpz(int(self._values[depth][index])) ** 2, length) if length else None

    def kinks(self) -> Iterator[tuple[mpq, Kink]]:
        """Yields the kinks whose normal is not 0 with their squared distances, nearest first, ties by address."""
        waiting: list[tuple[mpq, Kink]] = []

        def add(depth: int, index: int) -> None:
            square = self._squared_distance(depth, index)
            if square is not None:
                heapq.heappush(waiting, (square, self.pattern.kink(depth, index)))

        for depth, index in self._vanishing:
            add(depth, index)
        for exponent, depth, index in self._order:
            # what comes later is at least as far as this; kinks that are equally far are waited for
            while waiting and waiting[0][0] < _power(exponent - 2):
                yield self._pop(waiting)
            add(depth, index)
        while waiting:
            yield self._pop(waiting)

    def _pop(self, waiting: list[tuple[mpq, Kink]]) -> tuple[mpq, Kink]:
        square, kink = heapq.heappop(waiting)
        return square / self._denominator**2, kink

    def are_others_beyond(self, vanishing: set[Kink], square: mpq) -> bool:
        """Returns whether the squared distance of every kink outside a set is at least `square`."""
        limit = square * self._denominator**2

        def is_near(depth: int, index: int) -> bool:
            if self.pattern.kink(depth, index) in vanishing:
                return False
            own = self._squared_distance(depth, index)
            return own is not None and own < limit

        if limit and any(is_near(depth, index) for depth, index in self._vanishing):
            return False
        near = takewhile(lambda entry: _power(entry[0] - 2) < limit, self._order)
        return not any(is_near(depth, index) for _, depth, index in near)


def _power(exponent: int) -> mpq:
    return mpq(mpz(1) << exponent) if exponent >= 0 else mpq(1, mpz(1) << -exponent)
