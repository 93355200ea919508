"""A vertex in FLINT's ball arithmetic, which decides at a chosen precision what floats leave open, or raises an error.

Every number is a ball that holds the exact one. A decision that the balls leave open raises `UncertainError`: a tie, a
slope or a value that is exactly 0, or too little precision. Theorem and proof: proofs/filter.md, section 7.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from flint import arb, arb_mat, ctx, fmpz, fmpz_mat
from gmpy2 import mpz

from exactdrl.arithmetic.protocol import Edge
from exactdrl.cells.affine import affine_form, flip_multiple, gradient, gradient_jump
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.cells.scan import Values, scan
from exactdrl.exact.linear import Row, to_fmpz, to_mpz


class UncertainError(Exception):
    """The balls leave a decision open."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far values can move with the parameters: the problem with every number replaced by its size.

    Attributes:
        rows: (N, r), |x̃|.
        weights: for each layer above the trained one, transposed.
    """

    rows: fmpz_mat
    weights: tuple[fmpz_mat, ...]

    @classmethod
    def of(cls, problem: IntegerProblem) -> "Reach":
        """Returns a problem's."""
        return cls(_sizes(problem.row_matrix), tuple(map(_sizes, problem.weight_matrices)))

    def scan(self, problem: IntegerProblem, errors: Sequence[fmpz], pattern: Pattern) -> Values:
        """Returns by how much each kink's scaled value changes at most when parameters change by at most `errors`."""
        parameters = fmpz_mat(problem.widths[0], problem.rank, list(errors))
        matrix = self.rows * parameters.transpose()
        changes: Values = [matrix.entries()]
        for depth, weights in enumerate(self.weights, 1):
            passed = [abs(entry) for entry in problem.pass_on(depth - 1, pattern.bits[depth - 1], changes[-1])]
            matrix = fmpz_mat(problem.samples, problem.widths[depth - 1], passed) * weights
            changes.append(matrix.entries())
        if self.weights:
            factors = [to_fmpz(factor) for factor in problem.residual_factors for _ in range(problem.widths[-1])]
            changes[-1] = [factor * entry for factor, entry in zip(factors, changes[-1], strict=True)]
        return changes


def _sizes(matrix: fmpz_mat) -> fmpz_mat:
    return fmpz_mat(matrix.nrows(), matrix.ncols(), [abs(entry) for entry in matrix.entries()])


class BallVertex:
    """A vertex whose inverse, slopes and point are balls."""

    def __init__(
        self, problem: IntegerProblem, reach: Reach, pattern: Pattern, basis: Sequence[Kink], *, bits: int
    ) -> None:
        """Takes a vertex.

        Args:
            problem: the scaled problem.
            reach: `Reach.of` it.
            pattern: a cell; copied.
            basis: n independent kinks.
            bits: the precision.

        Raises:
            UncertainError: the basis is not independent at this precision.
        """
        self._problem, self._reach, self.bits = problem, reach, bits
        self._pattern, self._kinks = pattern.copy(), list(basis)
        forms = [affine_form(problem, pattern, kink) for kink in basis]
        n = len(forms)
        with ctx.workprec(bits):
            inverse = _invert([form.row for form in forms])
            row = arb_mat(fmpz_mat(1, n, [to_fmpz(entry) for entry in gradient(problem, pattern)]))
            offsets = arb_mat(fmpz_mat(n, 1, [to_fmpz(-form.offset) for form in forms]))
            self._slopes: list[arb] = (row * inverse).entries()
            self._point: list[arb] = (inverse * offsets).entries()
        entries = inverse.entries()
        self._columns = [entries[slot::n] for slot in range(n)]
        self._slot_of = {kink: slot for slot, kink in enumerate(self._kinks)}
        self._values: tuple[Values, Values] | None = None

    # -- edges

    def _multiples(self, kink: Kink) -> dict[int, fmpz]:
        multiples = {}
        for slot, other in enumerate(self._kinks):
            if other.sample == kink.sample and other.layer > kink.layer:
                multiple = flip_multiple(self._problem, self._pattern, kink, other)
                if multiple:
                    multiples[slot] = to_fmpz(multiple)
        return multiples

    def _bent_slope(self, slot: int, kink: Kink, multiples: dict[int, fmpz]) -> arb:
        slope = self._slopes[slot] + to_fmpz(gradient_jump(self._problem, self._pattern, kink))
        for other, multiple in multiples.items():
            slope -= self._slopes[other] * multiple
        return slope

    def _bent_column(self, slot: int, multiples: dict[int, fmpz]) -> list[arb]:
        column = self._columns[slot]
        for other, multiple in multiples.items():
            column = [a - b * multiple for a, b in zip(column, self._columns[other], strict=True)]
        return column

    def _slope(self, edge: Edge) -> arb:
        """Returns the scaled slope along the edge's direction, in which its own kink's value changes by ±1."""
        slot, is_on = self._slot_of[edge.kink], self._pattern.is_on(edge.kink)
        if not edge.is_flipped:
            return self._slopes[slot] if is_on else -self._slopes[slot]
        slope = self._bent_slope(slot, edge.kink, self._multiples(edge.kink))
        return -slope if is_on else slope

    def slope_sign(self, edge: Edge) -> int:
        """Returns the sign of the loss's slope along an edge.

        Raises:
            UncertainError: the slope's ball holds 0.
        """
        with ctx.workprec(self.bits):
            slope = self._slope(edge)
        if slope > 0:
            return 1
        if slope < 0:
            return -1
        raise UncertainError

    def steepest(self, edges: Sequence[Edge]) -> list[Edge]:
        """Returns, of edges with negative slope, those that may have the largest -slope / |direction|."""
        with ctx.workprec(self.bits):
            steepness = []
            for edge in edges:
                slot = self._slot_of[edge.kink]
                column = self._bent_column(slot, self._multiples(edge.kink) if edge.is_flipped else {})
                steepness.append(_steepness(self._slope(edge), column))
            return [edges[place] for place in _largest(steepness)]

    # -- the ratio test

    def is_blocked(self, edge: Edge) -> bool:
        """Returns False where an edge certainly does not leave its cell at once.

        Kinks of the basis other than the edge's own rest along it, and all others that vanish rest, or move to the side
        of their bits.

        Raises:
            UncertainError: a kink that may vanish may move to the other side.
        """
        unsure = self._unsure_kinks()
        if unsure:
            slot, pattern = self._slot_of[edge.kink], self._pattern.copy()
            is_along = pattern.is_on(edge.kink) != edge.is_flipped
            with ctx.workprec(self.bits):
                column = self._bent_column(slot, self._multiples(edge.kink) if edge.is_flipped else {})
                column = column if is_along else [-entry for entry in column]
            if edge.is_flipped:
                # other kinks of the basis rest along the edge, whatever their bits are
                pattern.flip(edge.kink)
            rates, errors = self._scan(column, mpz(0), pattern)
            for depth, index in unsure:
                rate, error = rates[depth][index], errors[depth][index]
                if not (rate >= error if pattern.bits[depth][index] else rate <= -error):
                    raise UncertainError
        return False

    def _vertex_values(self) -> tuple[Values, Values]:
        """Returns each kink's scaled value at the point's midpoint, and a bound on its error."""
        if self._values is None:
            self._values = self._scan(self._point, mpz(1), self._pattern)
        return self._values

    def _unsure_kinks(self) -> list[tuple[int, int]]:
        """Returns depth and number of each kink outside of the basis that may vanish."""
        values, errors = self._vertex_values()
        basis = set(map(self._problem.addresses.place, self._kinks))
        return [
            (depth, index)
            for depth, bits in enumerate(self._pattern.bits)
            for index, (value, error, on) in enumerate(zip(values[depth], errors[depth], bits, strict=True))
            if not (value > error if on else value < -error)
            and (depth, index) not in basis
            and self._pattern.addresses.is_kink(depth, index)
        ]

    def first_kink(self, leaving: Kink) -> Kink | None:
        """Returns the one kink that the current cell's edge meets first; None if it certainly meets none.

        Raises:
            UncertainError: another kink may be met as early, or block the edge at once.
        """
        slot = self._slot_of[leaving]
        is_on = self._pattern.is_on(leaving)
        with ctx.workprec(self.bits):
            # a negation rounds, too
            column = self._columns[slot] if is_on else [-entry for entry in self._columns[slot]]
        values, value_errors = self._vertex_values()
        rates, rate_errors = self._scan(column, mpz(0), self._pattern)
        rivals: list[tuple[fmpz, fmpz, fmpz, fmpz, Kink]] = []
        for depth, bits in enumerate(self._pattern.bits):
            layer = self._problem.first + depth
            place = self._problem.addresses.place
            basis = {place(kink)[1] for kink in self._kinks if kink.layer == layer}
            rows = zip(values[depth], value_errors[depth], rates[depth], rate_errors[depth], bits, strict=True)
            for index, (value, error, rate, rate_error, on) in enumerate(rows):
                if (error == 0 and rate_error == 0 and rate == 0) or not self._pattern.addresses.is_kink(depth, index):
                    # a function that is constant in the cell is never met
                    continue
                if value > error if on else value < -error:
                    towards = -rate if on else rate
                    if towards + rate_error > 0 and index not in basis:
                        rivals.append((abs(value), error, towards, rate_error, self._pattern.kink(depth, index)))
                elif index not in basis:
                    raise UncertainError
        return _first_of(rivals) if rivals else None

    def _scan(self, balls: Sequence[arb], is_point: mpz, pattern: Pattern) -> tuple[Values, Values]:
        """Returns each kink's value at the balls' midpoints, as integers of one scale, and bounds on its error.

        Args:
            balls: a point, or a direction.
            is_point: 1 for values, 0 for rates.
            pattern: the cell.
        """
        shift, numerators, errors = _to_integers(balls, self.bits)
        middle = scan(self._problem, [to_mpz(value) for value in numerators], is_point << max(shift, 0), pattern)
        return middle, self._reach.scan(self._problem, errors, pattern)

    # -- moves

    def flip(self, kink: Kink) -> None:
        """Goes over to the cell on the other side of a basis kink; the vertex stays."""
        slot, multiples = self._slot_of[kink], self._multiples(kink)
        with ctx.workprec(self.bits):
            self._slopes[slot] = self._bent_slope(slot, kink, multiples)
            self._columns[slot] = self._bent_column(slot, multiples)
        self._pattern.flip(kink)
        self._values = None


def steepest_columns(rows: Sequence[Row], slope: Row, slots: Sequence[int], bits: int) -> list[int]:
    """Returns which of some columns of a matrix' inverse may have the largest |slope · column| / |column|.

    Args:
        rows: of the matrix, which is regular.
        slope: a vector.
        slots: of the columns.
        bits: the precision.

    Raises:
        UncertainError: the matrix is not certainly regular at this precision.
    """
    n = len(rows)
    with ctx.workprec(bits):
        inverse = _invert(rows)
        slopes = (arb_mat(fmpz_mat(1, n, [to_fmpz(entry) for entry in slope])) * inverse).entries()
        entries = inverse.entries()
        return [slots[place] for place in _largest([_steepness(slopes[slot], entries[slot::n]) for slot in slots])]


def _invert(rows: Sequence[Row]) -> arb_mat:
    try:
        return arb_mat(fmpz_mat(len(rows), len(rows), [to_fmpz(entry) for row in rows for entry in row])).inv()
    except ZeroDivisionError:
        raise UncertainError from None


def _steepness(slope: arb, column: Sequence[arb]) -> arb:
    return slope**2 / sum((entry * entry for entry in column), arb(0))


def _largest(sizes: Sequence[arb]) -> list[int]:
    """Returns the places of the numbers that may be the largest one."""
    best = 0
    for place, size in enumerate(sizes):
        # an arb comparison is False both ways where it is undecided
        if size > sizes[best]:
            best = place
    return [place for place, size in enumerate(sizes) if place == best or not size < sizes[best]]


def _to_integers(balls: Sequence[arb], bits: int) -> tuple[int, list[fmpz], list[fmpz]]:
    """Returns s, and for each ball an integer m and e ≥ 0 such that it lies in (m ± e) / 2^s; s is at least 0.

    The largest ball keeps about `bits` bits.

    Raises:
        UncertainError: a ball is not finite.
    """
    if not all(ball.is_finite() for ball in balls):
        raise UncertainError
    parts = [(ball.mid().man_exp(), ball.rad().man_exp()) for ball in balls]
    top = max((int(m).bit_length() + int(e) for (m, e), _ in parts if m), default=0)
    shift = max(bits - top, 0)
    numerators, errors = [], []
    for (middle, exponent), (radius, radius_exponent) in parts:
        numerators.append(_shifted(middle, int(exponent) + shift))
        # one more for each rounding down
        errors.append(fmpz(0) if middle == 0 and radius == 0 else _shifted(radius, int(radius_exponent) + shift) + 2)
    return shift, numerators, errors


def _shifted(value: fmpz, places: int) -> fmpz:
    return value << places if places >= 0 else value >> -places


def _first_of(rivals: Sequence[tuple[fmpz, fmpz, fmpz, fmpz, Kink]]) -> Kink:
    """Returns the kink of the certainly least |value| / rate.

    Args:
        rivals: |value|, its error, the rate towards 0, its error, the kink; of each, value > error and rate > -error.
    """
    best = None
    top, bottom = fmpz(0), fmpz(1)
    for rival in rivals:
        value, error, rate, rate_error, _ = rival
        if rate > rate_error and (best is None or (value + error) * bottom < top * (rate - rate_error)):
            best, top, bottom = rival, value + error, rate - rate_error
    if best is None:
        raise UncertainError
    for rival in rivals:
        value, error, rate, rate_error, _ = rival
        if rival is not best and not (value - error) * bottom > top * (rate + rate_error):
            raise UncertainError
    return best[4]
