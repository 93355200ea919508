"""A vertex by enclosures: balls that hold its coordinates and its loss, without its exact numbers of thousands of bits.

A vertex solves A θ = b, with a row of exactly known integers for each kink of its basis. Floats only propose an inverse
C of A, and with it corrections of an approximation t. Krawczyk's bound is proved: if the greatest row sum of |I - C A|
is at most η < 1, A is regular and |θ - t| ≤ max |C (b - A t)| / (1 - η) in every coordinate. I - C A is bounded by a
float product and its rounding errors, and b - A t by balls. Where η is too large, the vertex is solved for exactly. The
cell's loss is affine: a step changes its gradient by a multiple of each flipped kink's affine function. Source:
proofs/enclosures.md.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from flint import arb, arb_mat, ctx
from gmpy2 import mpz
from numpy.typing import NDArray

from exactdrl.arithmetic.exact import ExactArithmetic
from exactdrl.cells.affine import gradient, unit_form
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.cells.scan import is_in_cell, loss_constant
from exactdrl.exact.balls import to_arb
from exactdrl.exact.enclosed import PRECISION
from exactdrl.exact.linear import to_fmpz
from exactdrl.exact.rationals import InputError
from exactdrl.series.jumps import GradientJumps
from exactdrl.series.segments import Segment
from exactdrl.walks.driver import Step

Floats = NDArray[np.float64]

# corrections stop when the radius is this small relative to the coordinates
_SMALL = 2.0**-96
_MOST_CORRECTIONS = 12
_UNIT = 2.0**-52  # twice the unit roundoff of float64
_NOTHING = arb(0)
_TINY = 2.0**-1000  # more than all that underflow can lose in a sum of products of numbers up to 1


def inverse_bound(inverse: Floats, matrix: Floats) -> float:
    """Returns an upper bound on the greatest row sum of |I - C A|; infinity or NaN where floats overflow.

    Args:
        inverse: C, shape (n, n).
        matrix: the entries of A with at most three roundings each, shape (n, n); those of A are at most 1 in size.
    """
    n = len(matrix)
    defect = inverse @ matrix
    defect.flat[:: n + 1] -= 1
    sizes = np.abs(inverse)
    # every entry of the product has at most n + 6 roundings; the last term covers underflow
    error = (n + 6) * _UNIT * (sizes @ np.abs(matrix)).sum(axis=1) + _TINY * (1 + sizes.sum(axis=1))
    return float(1.01 * (np.abs(defect).sum(axis=1) + error).max(initial=0.0))


def correction_bound(sizes: Floats, rest: Floats, radii: Floats, eta: float) -> float:
    """Returns a bound on the distance of the solution from t + fl(C r) in every coordinate; infinity after overflow.

    Args:
        sizes: |C|, shape (n, n).
        rest: r, the middles of the balls of b - A t, rounded to nearest.
        radii: the radii of these balls.
        eta: a bound on the greatest row sum of |I - C A|, at most 1/2.
    """
    shares = (2 * eta + (len(rest) + 6) * _UNIT) * np.abs(rest) + 2 * radii + _TINY
    return float(1.01 * (sizes @ shares).max(initial=0.0))


@dataclass(frozen=True, slots=True)
class _Form:
    """A kink's affine function in a cell, divided by 2^bits: row · θ + offset."""

    row: arb_mat
    offset: arb
    bits: int


class EnclosedVertex:
    """A vertex that moves along a recorded walk.

    Attributes:
        pattern: the activation pattern of its cell.
        basis: the kinks of its basis.
    """

    __slots__ = (
        "_constant",
        "_forms",
        "_gradient",
        "_inputs",
        "_jumps",
        "_matrix",
        "_middle",
        "_offsets",
        "_problem",
        "_rounded",
        "_scale",
        "_slots",
        "basis",
        "pattern",
    )

    def __init__(self, problem: IntegerProblem, pattern: Pattern, basis: Sequence[Kink]) -> None:
        """Takes a vertex.

        Raises:
            InputError: the basis does not have n kinks.
        """
        problem.check_dimension(len(basis))
        n = problem.dimension
        self._problem, self.pattern, self.basis = problem, pattern.copy(), list(basis)
        self._jumps = GradientJumps(problem)
        self._inputs: dict[int, tuple[list[arb], Floats, int]] = {}
        self._slots: dict[Kink, int] = {}
        self._forms: dict[Kink, _Form] = {}
        self._matrix, self._offsets = arb_mat(n, n), arb_mat(n, 1)
        self._rounded = np.zeros((n, n))
        self._middle: arb_mat | None = None
        with ctx.workprec(PRECISION):
            self._place_all()
            self._gradient = arb_mat(1, n, [_to_ball(entry) for entry in gradient(problem, self.pattern)])
            self._constant = _to_ball(loss_constant(problem, self.pattern))
            self._scale = _to_ball(problem.loss_scale)

    def _place_all(self) -> None:
        self._slots, self._forms = {}, {}
        for slot, kink in enumerate(self.basis):
            self._place(slot, kink)

    def _place(self, slot: int, kink: Kink) -> None:
        """Makes a kink's affine function a row of the system."""
        form, units = self._form(kink)
        self._slots[kink], self._forms[kink] = slot, form
        for column, entry in enumerate(form.row.entries()):
            self._matrix[slot, column] = entry
        self._offsets[slot, 0] = -form.offset
        self._rounded[slot] = np.multiply.outer(units, self._inputs_of(kink.sample)[1]).ravel()

    def _form(self, kink: Kink) -> tuple[_Form, Floats]:
        """Returns a kink's affine function in balls, and its coefficients on units as floats of size at most 1."""
        units, offset = unit_form(self._problem, self.pattern, kink)
        inputs, _, power = self._inputs_of(kink.sample)
        # powers of 2 make the coefficients, and the inputs, at most 1
        bits = max((unit.bit_length() for unit in units), default=0)
        balls = [_to_ball(unit, -bits) if unit else _NOTHING for unit in units]
        row = arb_mat(1, self._problem.dimension, [unit * entry for unit in balls for entry in inputs])
        floats = np.array([float(ball) for ball in balls], dtype=np.float64)
        return _Form(row, _to_ball(offset, -bits - power), bits + power), floats

    def _inputs_of(self, sample: int) -> tuple[list[arb], Floats, int]:
        """Returns a sample's x̃ divided by a power of 2 beyond its entries, as balls and as floats, and the power."""
        if sample not in self._inputs:
            row = self._problem.rows[sample]
            power = max((entry.bit_length() for entry in row), default=0)
            balls = [_to_ball(entry, -power) for entry in row]
            self._inputs[sample] = balls, np.array([float(ball) for ball in balls], dtype=np.float64), power
        return self._inputs[sample]

    # -- moves

    def move(self, step: Step) -> None:
        """Moves on by a step that fits this vertex, as `certificate.replay.follow` does."""
        with ctx.workprec(PRECISION):
            for kink in step.flips:
                self._flip(kink)
            if step.basis is not None:
                self.basis = list(step.basis)
                self._place_all()
            for kink in step.crossed:
                self._flip(kink)
            slot = self._slots.pop(step.leaving)
            del self._forms[step.leaving]
            self.basis.remove(step.leaving)
            self.basis.append(step.entering)
            self._place(slot, step.entering)

    def _flip(self, kink: Kink) -> None:
        jump = self._jumps.at(self.pattern, kink)
        if jump:
            form = self._forms.get(kink) or self._form(kink)[0]
            multiple = _to_ball(jump, form.bits)
            self._gradient += form.row * multiple
            self._constant += form.offset * multiple
        self.pattern.flip(kink)
        for other in self.basis:
            if other.sample == kink.sample and other.layer > kink.layer:
                self._place(self._slots[other], other)

    # -- enclosures

    def point(self) -> arb_mat:
        """Returns balls that hold the coordinates, shape (n, 1).

        Raises:
            InputError: the basis is dependent.
        """
        found = self._corrected()
        return self._exact_point() if found is None else found

    def _corrected(self) -> arb_mat | None:
        """Returns the balls by Krawczyk's bound; None where floats do not prove the matrix regular."""
        n = len(self.basis)
        try:
            inverse = np.asarray(np.linalg.inv(self._rounded), dtype=np.float64)
        except np.linalg.LinAlgError:
            return None
        eta = inverse_bound(inverse, self._rounded)
        if not eta <= 0.5:  # noqa: PLR2004 - and not for NaN
            return None
        sizes = np.abs(inverse)
        with ctx.workprec(PRECISION):
            middle = self._proposed(inverse)
            size = float(np.abs(np.array([float(entry) for entry in middle.entries()])).max(initial=0.0))
            moved, radius = middle, math.inf
            for _ in range(_MOST_CORRECTIONS):
                rest = (self._offsets - self._matrix * middle).entries()
                middles = np.array([float(ball) for ball in rest], dtype=np.float64)
                change = inverse @ middles
                if not np.isfinite(change).all():
                    return None
                moved = middle + arb_mat(n, 1, change.tolist())
                middle = moved.mid()
                size += float(np.abs(change).max(initial=0.0))
                radii = np.array([float(ball.rad()) for ball in rest], dtype=np.float64)
                before, radius = radius, correction_bound(sizes, middles, radii, eta)
                if radius <= _SMALL * size or not radius < before / 2:
                    break
            self._middle = middle
            return moved + arb_mat(n, 1, [arb(0, radius)] * n) if radius < math.inf else None

    def _proposed(self, inverse: Floats) -> arb_mat:
        """Returns a first approximation, a step along the edge from the vertex before to the kink that entered last."""
        n = len(self.basis)
        if self._middle is None:
            return arb_mat(n, 1)
        entered = self.basis[-1]
        rest = float(-self._forms[entered].offset - (self._forms[entered].row * self._middle)[0, 0])
        change = inverse[:, self._slots[entered]] * rest
        return (self._middle + arb_mat(n, 1, change.tolist())).mid() if np.isfinite(change).all() else self._middle

    def _exact_point(self) -> arb_mat:
        numbers = self._exact().vertex()
        with ctx.workprec(PRECISION):
            return arb_mat(len(numbers), 1, [to_arb(number) for number in numbers])

    def _exact(self) -> ExactArithmetic:
        return ExactArithmetic(self._problem, self.pattern, self.basis, is_brief=True)

    def loss(self, point: arb_mat) -> arb:
        """Returns a ball that holds the loss at the vertex."""
        with ctx.workprec(PRECISION):
            along = (self._gradient * point)[0, 0] if self.basis else arb(0)
            return (along + self._constant) / self._scale

    def check_cell(self, point: arb_mat) -> None:
        """Refuses a vertex outside its cell, where the cell's affine function is not the loss.

        Raises:
            InputError: the vertex lies outside; no accepted walk has such a vertex.
        """
        values = enclose_values(self._problem, point, self.pattern)
        own = set(self.basis)
        is_inside: bool | None = True
        for depth, (layer, bits) in enumerate(zip(values, self.pattern.bits, strict=True)):
            for index in self.pattern.addresses.kinks_of(depth):
                value = layer[index]
                if (value > 0) if bits[index] else (value < 0):
                    continue
                if self.pattern.kink(depth, index) in own:
                    continue  # its value is 0
                if (value < 0) if bits[index] else (value > 0):
                    raise InputError("the run leaves its cells; `exactdrl verify` checks the certificate")
                is_inside = None
        if is_inside is None:
            exact = self._exact()
            if not is_in_cell(self.pattern, exact.values()):
                raise InputError("the run leaves its cells; `exactdrl verify` checks the certificate")


def enclose_values(problem: IntegerProblem, point: arb_mat, pattern: Pattern) -> list[list[arb]]:
    """Returns balls that hold every kink's scaled value at a point of a cell, in the order of `cells.scan.scan`."""
    with ctx.workprec(PRECISION):
        parameters = arb_mat(problem.widths[0], problem.rank, point.entries())
        matrix = arb_mat(problem.row_matrix) * parameters.transpose()
        found: list[list[arb]] = []
        top = len(problem.widths) - 1
        for depth in range(top + 1):
            if depth:
                passed = _pass_on(problem, depth - 1, pattern, found[-1])
                matrix = arb_mat(problem.samples, problem.widths[depth - 1], passed)
                matrix = matrix * arb_mat(problem.weight_matrices[depth - 1])
                if depth == top:
                    factors = [to_fmpz(factor) for factor in problem.residual_factors for _ in range(matrix.ncols())]
                    entries = [f * entry for f, entry in zip(factors, matrix.entries(), strict=True)]
                    matrix = arb_mat(problem.samples, matrix.ncols(), entries)
            offsets = problem.offset_matrices[depth]
            found.append((matrix if offsets is None else matrix + arb_mat(offsets)).entries())
        return found


def _pass_on(problem: IntegerProblem, depth: int, pattern: Pattern, values: list[arb]) -> list[arb]:
    """Returns the activations of a layer: each value times its bit's slope."""
    slopes = [(to_fmpz(below), to_fmpz(above)) for below, above in problem.slopes[depth]]
    width = len(slopes)
    return [
        value * slopes[index % width][on]
        for index, (value, on) in enumerate(zip(values, pattern.bits[depth], strict=True))
    ]


def _to_ball(value: mpz, power: int = 0) -> arb:
    """Returns the ball of radius 0 that is an integer times a power of 2."""
    return arb((int(value), power))


def replay_enclosed(problem: IntegerProblem, segment: Segment) -> Iterator[tuple[arb_mat, arb]]:
    """Yields enclosures of a segment's vertices and losses, before its first step and after each step.

    Raises:
        InputError: a basis is dependent, or the first or last vertex lies outside its cell.
    """
    vertex = EnclosedVertex(problem, problem.pattern_from_hex(segment.pattern), segment.basis)
    point = vertex.point()
    vertex.check_cell(point)
    yield point, vertex.loss(point)
    for step in segment.steps:
        vertex.move(step)
        try:
            point = vertex.point()
        except InputError:
            raise InputError(
                f"step {step.index} is no step from the vertex before it; `exactdrl verify` checks the certificate"
            ) from None
        yield point, vertex.loss(point)
    vertex.check_cell(point)
