"""The exact arithmetic, which has integers only and scans all kinks at each step.

The inverse of the basis is kept without fractions up to 60 parameters, in walks up to 200. With more parameters its
columns are solved for one by one.
"""

from collections.abc import Sequence

from gmpy2 import mpq, mpz, sign

from exactdrl.arithmetic.protocol import Edge, EdgeSearch, Move
from exactdrl.cells.affine import AffineForm, affine_form, flip_multiple, gradient, gradient_jump
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.cells.scan import Breakpoint, Values, first_breakpoint, loss_of_values, scan, vanishing_kinks
from exactdrl.exact.basis import Scaled, dot
from exactdrl.exact.linear import independent_rows
from exactdrl.exact.rationals import InputError, to_float
from exactdrl.exact.solved import DependentRowError, invert


class ExactArithmetic:
    """A vertex held in integers; implements `Arithmetic`.

    The inverse of the basis matrix gives every edge as a column; the slopes along the n edges of the cell are gradient
    · columns. A flip of kink k adds multiples of row k to the rows of deeper kinks of the same sample and to the
    gradient, so only column k changes.
    """

    __slots__ = (
        "_extra",
        "_forms",
        "_found_point",
        "_gradient",
        "_inverse",
        "_is_brief",
        "_is_walked",
        "_kink_of",
        "_problem",
        "_slopes",
        "_slot_of",
        "_values",
        "basis",
        "pattern",
    )

    def __init__(
        self,
        problem: IntegerProblem,
        pattern: Pattern,
        basis: Sequence[Kink],
        *,
        is_walked: bool = False,
        is_brief: bool = False,
    ) -> None:
        """Takes a vertex.

        Args:
            problem: the scaled problem.
            pattern: a cell; copied.
            basis: n kinks, in order of entry.
            is_walked: whether a whole walk will be made from here, or only single vertices are looked at.
            is_brief: whether few things are asked of one vertex, so that an inverse is not worth its computation.

        Raises:
            InputError: the normals are not independent, or not n.
        """
        problem.check_dimension(len(basis))
        self._problem, self._is_walked, self._is_brief = problem, is_walked, is_brief
        self._set_cell(pattern.copy(), list(basis), [affine_form(problem, pattern, kink) for kink in basis])

    def _set_cell(self, pattern: Pattern, basis: list[Kink], forms: list[AffineForm]) -> None:
        self.pattern, self.basis = pattern, basis
        try:
            self._inverse, slots = invert(
                [form.row for form in forms], is_walked=self._is_walked, is_brief=self._is_brief
            )
        except DependentRowError as error:
            kink = tuple(basis[error.index])
            raise InputError(f"the normal of kink {kink} depends on those before it in the basis") from None
        self._slot_of = dict(zip(basis, slots, strict=True))
        placed = sorted(zip(slots, basis, forms, strict=True), key=lambda one: one[0])
        self._kink_of = [kink for _, kink, _ in placed]
        self._forms = [form for _, _, form in placed]
        self._gradient = gradient(self._problem, pattern)
        self._slopes: Scaled | None = None
        self._found_point: Scaled | None = None
        self._values: Values | None = None
        self._extra: tuple[dict[int, list[Kink]], list[Kink]] | None = None

    def run_ahead(self, search: EdgeSearch, limit: int) -> list[Move]:
        """Returns no steps: every decision is asked for one by one."""
        del search, limit
        return []

    @property
    def counts(self) -> None:
        """Returns None: every decision is made by integers."""
        return

    # -- positions

    def _point(self) -> Scaled:
        if self._found_point is None:
            self._found_point = self._inverse.solve([-form.offset for form in self._forms])
        return self._found_point

    def values(self) -> Values:
        """Returns every kink's scaled value at the vertex."""
        if self._values is None:
            self._values = scan(self._problem, *self._point(), self.pattern)
        return self._values

    def vertex(self) -> tuple[mpq, ...]:
        """Returns the reduced parameters, n rationals."""
        numerators, denominator = self._point()
        return tuple(mpq(numerator, denominator) for numerator in numerators)

    def loss(self) -> mpq:
        """Returns the loss at the vertex."""
        return loss_of_values(self._problem, self.values(), self._point()[1])

    def loss_estimate(self) -> float:
        """Returns the loss in floats, for display only."""
        return to_float(self.loss())

    def vanishing_kinks(self) -> list[Kink]:
        """Returns all kinks that vanish at the vertex, in address order."""
        return vanishing_kinks(self.pattern, self.values())

    # -- edges

    def _cell_slopes(self) -> Scaled:
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
        """Returns the slope along the edge's direction, times the denominator of `_cell_slopes`."""
        (slopes, denominator), slot = self._cell_slopes(), self._slot_of[edge.kink]
        is_on = self.pattern.is_on(edge.kink)
        if not edge.is_flipped:
            return slopes[slot] if is_on else -slopes[slot]
        multiples = self._multiples(edge.kink)
        slope = slopes[slot] + gradient_jump(self._problem, self.pattern, edge.kink) * denominator
        for other, multiple in multiples.items():
            slope -= multiple * slopes[other]
        return -slope if is_on else slope

    def direction(self, edge: Edge) -> Scaled:
        """Returns an edge's direction in the reduced parameters, integers over one denominator."""
        slot = self._slot_of[edge.kink]
        multiples = self._multiples(edge.kink) if edge.is_flipped else {}
        column, denominator = self._inverse.bent_column(slot, multiples)
        is_along = self.pattern.is_on(edge.kink) != edge.is_flipped
        return column if is_along else [-entry for entry in column], denominator

    def slope_sign(self, edge: Edge) -> int:
        """Returns the sign of the loss's slope along an edge: -1, 0 or 1."""
        return int(sign(self._slope(edge)))

    def steepest(self, edges: Sequence[Edge]) -> Edge:
        """Returns the edge with the largest -slope / |direction| of edges with negative slope; ties: the first.

        Compared by squares: s²/|r|² ; no root is taken.
        """
        best, best_slope, best_length = None, mpz(0), mpz(1)
        own = self._cell_slopes()[1]
        for edge in sorted(edges):
            slope, (direction, denominator) = self._slope(edge), self.direction(edge)
            slope, length = slope * slope, dot(direction, direction)
            if denominator != own:
                slope, length = slope * denominator * denominator, length * own * own
            if best is None or slope * best_length > best_slope * length:
                best, best_slope, best_length = edge, slope, length
        if best is None:
            raise ValueError("steepest of no edges")
        return best

    def is_blocked(self, edge: Edge) -> bool:
        """Returns whether an edge leaves its cell at once: a kink outside of the basis changes its sign there."""
        own, deeper = self._extra_kinks()
        if not own and not deeper:
            return False
        direction, _ = self.direction(edge)
        rank, pattern = self._problem.rank, self.pattern
        for unit, kinks in own.items():
            part = direction[unit * rank : (unit + 1) * rank]
            if any(part):
                for kink in kinks:
                    rate = dot(self._problem.rows[kink.sample], part)
                    if rate and (rate > 0) != pattern.is_on(kink):
                        return True
        if not deeper:
            return False
        if edge.is_flipped:
            # other kinks of the basis rest along the edge, whatever their bits are
            pattern = pattern.copy()
            pattern.flip(edge.kink)
        # only what vanishes can block, so that the layers above the last such kink are not asked for
        places = list(map(self._problem.addresses.place, deeper))
        last = max(depth for depth, _ in places)
        rates = scan(self._problem, direction, mpz(0), pattern, last=last)
        return any(
            rates[depth][index] != 0 and (rates[depth][index] > 0) != bool(pattern.bits[depth][index])
            for depth, index in places
        )

    def _extra_kinks(self) -> tuple[dict[int, list[Kink]], list[Kink]]:
        """Returns the kinks that vanish and are not in the basis: the trained layer's own by unit, and deeper ones."""
        if self._extra is None:
            own: dict[int, list[Kink]] = {}
            deeper = []
            for kink in vanishing_kinks(self.pattern, self.values()):
                if kink in self._slot_of:
                    continue
                if kink.layer == self._problem.first:
                    own.setdefault(self._problem.addresses.unit(kink), []).append(kink)
                else:
                    deeper.append(kink)
            self._extra = own, deeper
        return self._extra

    def first_kinks(self, leaving: Kink) -> Breakpoint | None:
        """Returns the ratio test along the current cell's edge that leaves a kink; None if the edge meets no kink."""
        direction, _ = self.direction(Edge(leaving, is_flipped=False))
        rates = scan(self._problem, direction, mpz(0), self.pattern)
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
        self._inverse.replace(slot, form.row)
        self._forms[slot], self._kink_of[slot], self._slot_of[entering] = form, entering, slot
        self.basis.remove(leaving)
        self.basis.append(entering)
        self._slopes = self._found_point = self._values = self._extra = None

    def rebase(self, pattern: Pattern, candidates: Sequence[Kink]) -> None:
        """Takes another cell at the same vertex; its basis are the first n independent ones of some kinks.

        Raises:
            InputError: fewer than n of them are independent.
        """
        forms = [affine_form(self._problem, pattern, kink) for kink in candidates]
        chosen = independent_rows([form.row for form in forms], self._problem.dimension)
        self._problem.check_dimension(len(chosen))
        self._set_cell(pattern.copy(), [candidates[i] for i in chosen], [forms[i] for i in chosen])
