"""The exact arithmetic on a regression, by FLINT's integers and rationals, with a scan of all residuals a decision."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import groupby

from flint import fmpz, fmpz_mat
from gmpy2 import mpq, mpz

from exactdrl.exact.basis import dot
from exactdrl.exact.linear import independent_rows, solve_regular, to_fmpz, to_matrix, to_mpz
from exactdrl.exact.rationals import to_float
from exactdrl.regression.protocol import Met, Regression

# a product of matrices costs as much as one by one the residuals of 1/8 of the members
_MANY = 8
_KEY = 64


class ExactRegression:
    """A vertex of a regression; implements `RegressionArithmetic`."""

    def __init__(self, regression: Regression, basis: Sequence[int], signs: Sequence[int] | None = None) -> None:
        """Takes a vertex.

        Args:
            regression: the problem.
            basis: r places with independent rows, in order of entry.
            signs: the signs of all members at the vertex, where they are known.
        """
        self.regression = regression
        self._set(list(basis), signs)

    def _set(self, basis: list[int], signs: Sequence[int] | None = None) -> None:
        self.basis = basis
        for name in ("_rows", "point", "_signs", "_sums", "pull", "_coordinate_edges"):
            self.__dict__.pop(name, None)
        if signs is not None:
            self._signs = list(signs)

    @cached_property
    def _rows(self) -> fmpz_mat:
        return to_matrix([self.regression.row(place) for place in self.basis], len(self.basis))

    @cached_property
    def point(self) -> tuple[fmpz_mat, fmpz]:
        """Returns the numerators of the parameters, shape (r, 1), and their positive common denominator."""
        right = fmpz_mat(len(self.basis), 1, [to_fmpz(-self.regression.offset(place)) for place in self.basis])
        return solve_regular(self._rows, right)

    def parameters(self) -> tuple[mpq, ...]:
        """Returns the reduced parameters of the output, r rationals."""
        numerators, denominator = self.point
        return tuple(mpq(int(entry), int(denominator)) for entry in numerators.entries())

    def values(self) -> list[fmpz]:
        """Returns the scaled residuals of all members times the point's denominator."""
        numerators, denominator = self.point
        constants = self.regression.offset_matrix * denominator
        # the usual start is 0
        if not any(numerators.entries()):
            return constants.entries()
        return (self.regression.matrix * numerators + constants).entries()

    def signs_of(self, places: Sequence[int]) -> list[int]:
        """Returns the signs of some members' residuals."""
        if _MANY * len(places) > self.regression.count:
            return [self._signs[place] for place in places]
        numerators, denominator = self.point
        point = [to_mpz(entry) for entry in numerators.entries()]
        scale, regression = to_mpz(denominator), self.regression
        values = (dot(regression.row(place), point) + regression.offset(place) * scale for place in places)
        return [(value > 0) - (value < 0) for value in values]

    @cached_property
    def _signs(self) -> list[int]:
        return [(value > 0) - (value < 0) for value in self.values()]

    def signs(self) -> list[int]:
        """Returns the sign of each member's residual."""
        return self._signs

    def sign(self, place: int) -> int:
        """Returns the sign of a member's residual: -1, 0 or 1."""
        return self._signs[place]

    def vanishing(self) -> list[int]:
        """Returns the members outside the basis whose residuals vanish, increasing."""
        inside = set(self.basis)
        return [place for place, value in enumerate(self._signs) if not value and place not in inside]

    @cached_property
    def _sums(self) -> tuple[list[mpz], mpz]:
        return self.regression.signed_sums(self._signs)

    @cached_property
    def pull(self) -> list[mpz]:
        """Returns the gradient of the linear term and all residuals that do not vanish, scaled like the loss."""
        return [entry + p for entry, p in zip(self._sums[0], self.regression.pull, strict=True)]

    def multipliers_of(self, basis: Sequence[int], signs: Mapping[int, int]) -> list[mpq]:
        """Returns λ of a basis of this point; see the protocol."""
        regression = self.regression
        total = list(self.pull)
        for place, sign in signs.items():
            weight = sign * regression.weights[place]
            total = [t + weight * entry for t, entry in zip(total, regression.row(place), strict=True)]
        rows = to_matrix([regression.row(place) for place in basis], len(basis)).transpose()
        numerators, denominator = solve_regular(rows, fmpz_mat(len(basis), 1, [to_fmpz(entry) for entry in total]))
        scale = regression.scale
        found = []
        for place, numerator in zip(basis, numerators.entries(), strict=True):
            # the scaled row is the true row times D ω with D = scale / weight, or times a start value's denominator
            factor = (
                mpq(1, regression.weights[place])
                if place < regression.count
                else mpq(regression.start[place - regression.count].denominator, scale)
            )
            found.append(mpq(int(numerator), int(denominator)) * factor)
        return found

    def is_strict(self) -> bool:
        """Returns whether all multipliers of the basis are below 1 in size; no other residual may vanish."""
        return all(abs(multiplier) < 1 for multiplier in self.multipliers_of(self.basis, {}))

    def loss(self) -> mpq:
        """Returns the members' exact share in the loss."""
        numerators, denominator = self.point
        scale, regression = to_mpz(denominator), self.regression
        constant = self._sums[1] + regression.linear[1]
        total = dot(self.pull, [to_mpz(entry) for entry in numerators.entries()]) + constant * scale
        return regression.shares.factor * mpq(total, regression.scale * scale)

    def loss_estimate(self) -> float:
        """Returns that share in floats, for display only."""
        return to_float(self.loss())

    @staticmethod
    def is_basis(regression: Regression, places: Sequence[int]) -> bool:
        """Returns whether the rows of some places are independent."""
        return len(independent_rows([regression.row(place) for place in places], len(places))) == len(places)

    def leaving(self) -> tuple[int, int] | None:
        """Returns the row of the basis that is left, and to which side; see the protocol."""
        count = self.regression.count
        multipliers = dict(zip(self.basis, self.multipliers_of(self.basis, {}), strict=True))
        coordinates = sorted(place for place in self.basis if place >= count)
        candidates = coordinates or sorted(self.basis)
        if not candidates:
            return None
        best = max(candidates, key=lambda place: abs(multipliers[place]))
        if not coordinates and abs(multipliers[best]) <= 1:
            return None
        return best, -1 if multipliers[best] > 0 else 1

    def _direction(self, leaving: int, side: int) -> fmpz_mat:
        """Returns a positive multiple of an edge direction, shape (r, 1)."""
        slot = self.basis.index(leaving)
        right = fmpz_mat(len(self.basis), 1, [side * (index == slot) for index in range(len(self.basis))])
        return solve_regular(self._rows, right)[0]

    def edge(self, leaving: int, side: int) -> list[mpq]:
        """Returns an edge direction in the parameters, r rationals."""
        return [mpq(int(entry)) for entry in self._direction(leaving, side).entries()]

    def _rates(self, direction: fmpz_mat) -> tuple[list[fmpz], list[int]]:
        """Returns the rates of all members along an edge, and the places whose residuals come nearer to 0."""
        rates = (self.regression.matrix * direction).entries()
        ahead = [
            place
            for place, (sign, rate) in enumerate(zip(self._signs, rates, strict=True))
            if sign and ((rate < 0) if sign > 0 else (rate > 0))
        ]
        return rates, ahead

    def go(self, leaving: int, side: int) -> Met | None:
        """Moves along an edge to the first point of least loss; stays and returns None if the loss falls forever."""
        weights = self.regression.weights
        direction = self._direction(leaving, side)
        rates, ahead = self._rates(direction)
        slope = dot(self.pull, [to_mpz(entry) for entry in direction.entries()])
        slope += sum((abs(to_mpz(r)) * w for s, r, w in zip(self._signs, rates, weights, strict=True) if not s), mpz(0))
        crossed: list[int] = []
        for places in _in_order(self.values(), rates, ahead):
            for place in places:
                slope += 2 * abs(to_mpz(rates[place])) * weights[place]
            if slope >= 0:
                return self._meet(leaving, places, crossed)
            crossed += places
        return None

    def go_far(self, leaving: int, side: int) -> Met | None:
        """Moves along an edge to the last residual that vanishes ahead; stays and returns None if there is none."""
        rates, ahead = self._rates(self._direction(leaving, side))
        groups = list(_in_order(self.values(), rates, ahead))
        if not groups:
            return None
        return self._meet(leaving, groups[-1], [place for places in groups[:-1] for place in places])

    def _meet(self, leaving: int, places: Sequence[int], crossed: Sequence[int]) -> Met:
        self._set([place for place in self.basis if place != leaving] + [places[0]])
        return Met(places[0], sorted(crossed))

    def rebase(self, basis: Sequence[int]) -> None:
        """Replaces the basis at the same point."""
        self._set(list(basis), self._signs)

    @cached_property
    def _coordinate_edges(self) -> list[tuple[int, list[mpz]]]:
        """Returns the coordinates of the basis, increasing, each with a multiple of its edge."""
        slots = sorted((place, slot) for slot, place in enumerate(self.basis) if self.regression.is_coordinate(place))
        size = len(self.basis)
        right = fmpz_mat(size, len(slots), [int(row == slot) for row in range(size) for _, slot in slots])
        columns = solve_regular(self._rows, right)[0].transpose().table() if slots else []
        return [(place, [to_mpz(x) for x in column]) for (place, _), column in zip(slots, columns, strict=True)]

    def joinable(self, place: int) -> int | None:
        """Returns the first coordinate of the basis that a vanishing residual can replace; None if there is none."""
        row = self.regression.row(place)
        return next((coordinate for coordinate, edge in self._coordinate_edges if dot(row, edge)), None)

    def local(self) -> "ExactRegression":
        """Returns the local problem at this vertex, beginning at the basis of this vertex."""
        members = sorted([*self.basis, *self.vanishing()])
        position = {place: index for index, place in enumerate(members)}
        pull = self.pull
        return ExactRegression(self.regression.local(members, lambda: pull), [position[place] for place in self.basis])


def _in_order(values: Sequence[fmpz], rates: Sequence[fmpz], ahead: Sequence[int]) -> Iterator[list[int]]:
    """Yields the places that an edge meets, by |value / rate|; those that it meets at the same point come together."""
    # the quotients times one power of 2, rounded down, sort most places; that power makes the least one _KEY bits long
    bits = min((values[place].bit_length() - rates[place].bit_length() for place in ahead), default=0)
    shift = max(0, _KEY - bits)
    keyed = sorted(((abs(values[place]) << shift) // abs(rates[place]), place) for place in ahead)
    for _, near in groupby(keyed, key=lambda pair: pair[0]):
        places = [place for _, place in near]
        if len(places) == 1:
            yield places
            continue
        exact = sorted((mpq(int(abs(values[place])), int(abs(rates[place]))), place) for place in places)
        for _, group in groupby(exact, key=lambda pair: pair[0]):
            yield [place for _, place in group]
