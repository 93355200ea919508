"""The exact arithmetic: integers only, one integer-preserving inverse of the basis, one scan of all kinks a step."""

from collections.abc import Sequence

from gmpy2 import mpq, mpz, sign

from exactdrl.arithmetic.protocol import Edge, Move
from exactdrl.cells.affine import AffineForm, affine_form, flip_multiple, gradient, gradient_jump
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.cells.scan import Breakpoint, Values, first_breakpoint, scaled_loss, scan, vanishing_kinks
from exactdrl.exact.basis import IntegerBasis, dot
from exactdrl.exact.linear import independent_rows, to_mpz
from exactdrl.exact.rationals import InputError, to_float


class ExactArithmetic:
    """A vertex held in integers; implements `Arithmetic`.

    The inverse of the basis matrix gives every edge as a column; the slopes along the n edges of the cell are gradient
    · columns. A flip of kink k adds multiples of row k to the rows of deeper kinks of the same sample and to the
    gradient, so only column k changes.
    """

    __slots__ = (
        "_forms",
        "_gradient",
        "_inverse",
        "_kink_of",
        "_numerators",
        "_problem",
        "_slopes",
        "_slot_of",
        "_values",
        "basis",
        "pattern",
    )

    def __init__(self, problem: IntegerProblem, pattern: Pattern, basis: Sequence[Kink]) -> None:
        """Takes a vertex.

        Args:
            problem: the scaled problem.
            pattern: a cell; copied.
            basis: n kinks, in order of entry.

        Raises:
            InputError: the normals are not independent, or not n.
        """
        problem.check_dimension(len(basis))
        self._problem = problem
        self._set_cell(pattern.copy(), list(basis), [affine_form(problem, pattern, kink) for kink in basis])

    def _set_cell(self, pattern: Pattern, basis: list[Kink], forms: list[AffineForm]) -> None:
        self.pattern, self.basis = pattern, basis
        self._inverse = IntegerBasis(len(basis))
        self._kink_of: list[Kink] = [Kink(-1, -1, -1)] * len(basis)
        self._forms: list[AffineForm] = [AffineForm([], mpz(0))] * len(basis)
        free = list(range(len(basis)))
        for kink, form in zip(basis, forms, strict=True):
            products = self._inverse.products(form.row)
            slot = next((slot for slot in free if products[slot]), None)
            if slot is None:
                raise InputError(f"the normal of kink {tuple(kink)} depends on those before it in the basis")
            free.remove(slot)
            self._inverse.replace(slot, products)
            self._kink_of[slot], self._forms[slot] = kink, form
        self._slot_of = {kink: slot for slot, kink in enumerate(self._kink_of)}
        self._gradient = gradient(self._problem, pattern)
        self._slopes: list[mpz] | None = None
        self._numerators: list[mpz] | None = None
        self._values: Values | None = None

    def run_ahead(self, rule: str, limit: int) -> list[Move]:
        """Returns no steps: every decision is asked for one by one."""
        del rule, limit
        return []

    # -- positions

    def _point(self) -> list[mpz]:
        if self._numerators is None:
            self._numerators = self._inverse.solve([-form.offset for form in self._forms])
        return self._numerators

    def values(self) -> Values:
        """Returns every kink's scaled value at the vertex."""
        if self._values is None:
            self._values = scan(self._problem, self._point(), self._inverse.den, self.pattern)
        return self._values

    def vertex(self) -> tuple[mpq, ...]:
        """Returns the reduced parameters, n rationals."""
        return tuple(mpq(numerator, self._inverse.den) for numerator in self._point())

    def loss(self) -> mpq:
        """Returns the loss at the vertex."""
        return mpq(to_mpz(scaled_loss(self._problem, self.values())), self._problem.loss_scale * self._inverse.den)

    def loss_estimate(self) -> float:
        """Returns the loss in floats, for display only."""
        return to_float(self.loss())

    def vanishing_kinks(self) -> list[Kink]:
        """Returns all kinks that vanish at the vertex, in address order."""
        return vanishing_kinks(self.pattern, self.values())

    # -- edges

    def _cell_slopes(self) -> list[mpz]:
        if self._slopes is None:
            self._slopes = self._inverse.products(self._gradient)
        return self._slopes

    def _multiples(self, kink: Kink) -> dict[int, mpz]:
        multiples = {}
        for slot, other in enumerate(self._kink_of):
            if other.sample == kink.sample and other.layer > kink.layer:
                multiple = flip_multiple(self._problem, self.pattern, kink, other)
                if multiple:
                    multiples[slot] = multiple
        return multiples

    def _slope(self, edge: Edge) -> mpz:
        """Returns the scaled slope along the edge's direction, `_direction(edge)`."""
        slopes, slot = self._cell_slopes(), self._slot_of[edge.kink]
        is_on = self.pattern.is_on(edge.kink)
        if not edge.is_flipped:
            return slopes[slot] if is_on else -slopes[slot]
        multiples = self._multiples(edge.kink)
        slope = slopes[slot] + gradient_jump(self._problem, self.pattern, edge.kink) * self._inverse.den
        for other, multiple in multiples.items():
            slope -= multiple * slopes[other]
        return -slope if is_on else slope

    def _direction(self, edge: Edge) -> list[mpz]:
        slot = self._slot_of[edge.kink]
        column = self._inverse.columns[slot]
        if edge.is_flipped:
            column = self._inverse.bent_column(slot, self._multiples(edge.kink))
        return column if self.pattern.is_on(edge.kink) != edge.is_flipped else [-entry for entry in column]

    def slope_sign(self, edge: Edge) -> int:
        """Returns the sign of the loss's slope along an edge: -1, 0 or 1."""
        return int(sign(self._slope(edge)))

    def steepest(self, edges: Sequence[Edge]) -> Edge:
        """Returns the edge with the largest -slope / |direction| of edges with negative slope; ties: the first.

        Compared by squares: s²/|r|² ; no root is taken.
        """
        best, best_slope, best_length = None, mpz(0), mpz(1)
        for edge in sorted(edges):
            slope, direction = self._slope(edge), self._direction(edge)
            slope, length = slope * slope, dot(direction, direction)
            if best is None or slope * best_length > best_slope * length:
                best, best_slope, best_length = edge, slope, length
        if best is None:
            raise ValueError("steepest of no edges")
        return best

    def first_kinks(self, leaving: Kink) -> Breakpoint | None:
        """Returns the ratio test along the current cell's edge that leaves a kink; None if the edge meets no kink."""
        rates = scan(self._problem, self._direction(Edge(leaving, is_flipped=False)), mpz(0), self.pattern)
        return first_breakpoint(self.pattern, self.values(), rates)

    # -- moves

    def flip(self, kink: Kink) -> None:
        """Goes over to the cell on the other side of a basis kink; the vertex stays."""
        slot, problem = self._slot_of[kink], self._problem
        multiples = self._multiples(kink)
        jump = gradient_jump(problem, self.pattern, kink)
        own = self._forms[slot]
        if jump:
            self._gradient = [g + jump * a for g, a in zip(self._gradient, own.row, strict=True)]
        for other, multiple in multiples.items():
            form = self._forms[other]
            row = [b + multiple * a for b, a in zip(form.row, own.row, strict=True)]
            self._forms[other] = AffineForm(row, form.offset + multiple * own.offset)
        self._inverse.add_multiples(slot, multiples)
        self.pattern.flip(kink)
        self._slopes = None

    def pivot(self, leaving: Kink, entering: Kink) -> None:
        """Exchanges two kinks: the entering one, met by the edge, joins the basis as its last."""
        slot = self._slot_of.pop(leaving)
        form = affine_form(self._problem, self.pattern, entering)
        self._inverse.replace(slot, self._inverse.products(form.row))
        self._forms[slot], self._kink_of[slot], self._slot_of[entering] = form, entering, slot
        self.basis.remove(leaving)
        self.basis.append(entering)
        self._slopes = self._numerators = self._values = None

    def rebase(self, pattern: Pattern, candidates: Sequence[Kink]) -> None:
        """Takes another cell at the same vertex; its basis are the first n independent ones of some kinks.

        Raises:
            InputError: fewer than n of them are independent.
        """
        forms = [affine_form(self._problem, pattern, kink) for kink in candidates]
        chosen = independent_rows([form.row for form in forms], self._problem.dimension)
        self._problem.check_dimension(len(chosen))
        self._set_cell(pattern.copy(), [candidates[i] for i in chosen], [forms[i] for i in chosen])
