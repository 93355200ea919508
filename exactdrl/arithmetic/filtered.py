"""The filtered arithmetic: steps whose decisions are all certain in float64 are taken there, every other one is exact.

The trajectory is that of the exact arithmetic, since a decision is certain by a proved bound (proofs/filter.md) or is not taken in floats.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from gmpy2 import mpq

from exactdrl.arithmetic.exact import ExactArithmetic
from exactdrl.arithmetic.float_kernel import (
    FIRST,
    FULL,
    NO_EDGE,
    RECORD,
    REFERENCE,
    STEEPEST,
    begin,
    load,
    walk_steps,
)
from exactdrl.arithmetic.float_problem import FloatProblem, to_float_problem
from exactdrl.arithmetic.float_vertex import FloatVertex, empty_vertex
from exactdrl.arithmetic.protocol import Edge, Move
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.cells.scan import Breakpoint

_RULES = {"reference": REFERENCE, "steepest": STEEPEST, "first": FIRST}
# After a vertex that floats cannot hold, so many exact steps pass before the next trial, twice as many after each failure
_LONGEST_REST = 64


@dataclass(slots=True)
class DecisionCounts:
    """How many decisions were certain in float64, and how many were made exactly.

    Attributes:
        slope_signs: (certain, exact).
        steepest: comparisons of a vertex's steepest edge, (certain, exact).
        first_kinks: ratio tests, (certain, exact).
        steps: (by floats, exact).
        loads: vertices at which floats were set up anew.
        condition: the largest condition number met, ‖ |R| |A| ‖.
    """

    slope_signs: list[int]
    steepest: list[int]
    first_kinks: list[int]
    steps: list[int]
    loads: int = 0
    condition: float = 0.0


class FilteredArithmetic:
    """A vertex held in float64 where that is certain, in integers elsewhere; implements `Arithmetic`."""

    def __init__(self, problem: IntegerProblem, pattern: Pattern, basis: Sequence[Kink]) -> None:
        """Takes a vertex; see `ExactArithmetic`."""
        self._problem = problem
        self._exact: ExactArithmetic | None = ExactArithmetic(problem, pattern, basis)
        self._floats: FloatProblem | None = to_float_problem(problem)
        self._vertex: FloatVertex | None = None
        self._is_loaded = False
        self._rest, self._next_rest = 0, 1
        self.ends: dict[int, int] = {}
        self.counts = DecisionCounts([0, 0], [0, 0], [0, 0], [0, 0])

    # -- steps in floats

    def run_ahead(self, rule: str, limit: int) -> list[Move]:
        """Takes up to `limit` steps of a pivot rule all of whose decisions are certain in float64; fewer, or none, if one is not."""
        if self._floats is None or rule not in _RULES or limit <= 0 or not self._load():
            return []
        vertex, n = self._vertex, self._problem.dimension
        assert vertex is not None  # noqa: S101 - _load made it
        records = np.zeros((limit, RECORD), dtype=np.int64)
        flips = np.zeros((limit * n, 3), dtype=np.int64)
        tally = np.zeros(3, dtype=np.int64)
        taken, end, _ = walk_steps(self._floats, vertex, _RULES[rule], limit, records, flips, tally)
        for counter, count in zip(
            (self.counts.slope_signs, self.counts.steepest, self.counts.first_kinks), tally, strict=True
        ):
            counter[0] += int(count)
        self.counts.steps[0] += int(taken)
        self.ends[end] = self.ends.get(end, 0) + 1
        self.counts.condition = max(self.counts.condition, float(vertex.scalars[2]))
        if taken:
            self._exact, self._next_rest = None, 1
        if end != FULL:
            self._is_loaded = False
            # without an improving edge the verdict is next, and nothing to come back to; otherwise one exact step
            self._rest = self._next_rest if end != NO_EDGE and not taken else 0
            self._next_rest = min(2 * self._next_rest, _LONGEST_REST) if not taken else 1
        return self._to_moves(records[:taken].tolist(), flips.tolist() if taken else [])

    def _to_moves(self, records: list[list[int]], flips: list[list[int]]) -> list[Move]:
        moves, place = [], 0
        for record in records:
            flipped = tuple(self._kink(*kink) for kink in flips[place : place + record[0]])
            place += record[0]
            moves.append(Move(flipped, self._kink(*record[1:4]), self._kink(*record[4:7]), bool(record[7])))
        return moves

    def _kink(self, depth: int, sample: int, unit: int) -> Kink:
        return Kink(self._problem.first + depth, sample, unit)

    def _load(self) -> bool:
        """Sets the floats up at the current vertex; False if they cannot hold it, or had better not be tried."""
        if self._is_loaded:
            return True
        if self._rest:
            self._rest -= 1
            return False
        assert self._floats is not None  # noqa: S101 - the caller asked
        exact = self._exact_here()
        if self._vertex is None:
            self._vertex = empty_vertex(self._floats)
        vertex, first = self._vertex, self._problem.first
        for depth, (bits, width) in enumerate(zip(exact.pattern.bits, self._problem.widths, strict=True)):
            vertex.masks[depth, :width] = np.frombuffer(bits, dtype=np.uint8).reshape(self._problem.samples, width).T
        vertex.kinks[:] = [(kink.layer - first, kink.sample, kink.unit) for kink in exact.basis]
        vertex.order[:] = np.arange(len(exact.basis))
        self.counts.loads += 1
        self._is_loaded = load(self._floats, vertex) and self._invert(vertex) and begin(self._floats, vertex)
        if not self._is_loaded:
            self._rest, self._next_rest = self._next_rest, min(2 * self._next_rest, _LONGEST_REST)
        return self._is_loaded

    @staticmethod
    def _invert(vertex: FloatVertex) -> bool:
        try:
            vertex.inverse[:] = np.linalg.inv(vertex.matrix)
        except np.linalg.LinAlgError:
            return False
        return bool(np.isfinite(vertex.inverse).all())

    # -- the vertex

    def _exact_here(self) -> ExactArithmetic:
        """Returns the current vertex in exact arithmetic."""
        if self._exact is None:
            self._exact = ExactArithmetic(self._problem, self.pattern, self.basis)
        return self._exact

    @property
    def pattern(self) -> Pattern:
        """Returns the current cell; read only."""
        if self._exact is not None:
            return self._exact.pattern
        assert self._vertex is not None  # noqa: S101 - there is one or the other
        masks = self._vertex.masks
        bits = [
            bytearray(masks[depth, :width].T.astype(np.uint8).tobytes()) for depth, width in enumerate(self._problem.widths)
        ]
        return Pattern(self._problem.first, self._problem.samples, self._problem.widths, bits)

    @property
    def basis(self) -> list[Kink]:
        """Returns the basis in order of entry; read only."""
        if self._exact is not None:
            return self._exact.basis
        assert self._vertex is not None  # noqa: S101 - there is one or the other
        return [self._kink(*self._vertex.kinks[slot].tolist()) for slot in self._vertex.order]

    def vertex(self) -> tuple[mpq, ...]:
        """Returns the reduced parameters, n rationals."""
        return self._exact_here().vertex()

    def loss(self) -> mpq:
        """Returns the loss at the vertex."""
        return self._exact_here().loss()

    def vanishing_kinks(self) -> list[Kink]:
        """Returns all kinks that vanish at the vertex, in address order."""
        return self._exact_here().vanishing_kinks()

    # -- exact decisions, where floats are not certain

    def slope_sign(self, edge: Edge) -> int:
        """Returns the sign of the loss's slope along an edge: -1, 0 or 1."""
        self.counts.slope_signs[1] += 1
        return self._exact_here().slope_sign(edge)

    def steepest(self, edges: Sequence[Edge]) -> Edge:
        """Returns the edge with the largest -slope / |direction| of edges with negative slope; ties: the first."""
        self.counts.steepest[1] += 1
        return self._exact_here().steepest(edges)

    def first_kinks(self, leaving: Kink) -> Breakpoint | None:
        """Returns the ratio test along the current cell's edge that leaves a kink; None if the edge meets no kink."""
        self.counts.first_kinks[1] += 1
        return self._exact_here().first_kinks(leaving)

    def flip(self, kink: Kink) -> None:
        """Goes over to the cell on the other side of a basis kink; the vertex stays."""
        self._leave_floats()
        self._exact_here().flip(kink)

    def pivot(self, leaving: Kink, entering: Kink) -> None:
        """Exchanges two kinks: the entering one, met by the edge, joins the basis as its last."""
        self._leave_floats()
        self._exact_here().pivot(leaving, entering)

    def rebase(self, pattern: Pattern, candidates: Sequence[Kink]) -> None:
        """Takes another cell at the same vertex; its basis are the first n independent ones of some kinks."""
        self._leave_floats()
        self._exact_here().rebase(pattern, candidates)

    def _leave_floats(self) -> None:
        self._exact_here()
        self._is_loaded = False
