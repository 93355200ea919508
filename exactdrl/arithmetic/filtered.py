"""The filtered arithmetic: whole steps in float64, else decisions in balls of growing precision, else exact integers.

The trajectory is that of the exact arithmetic: a decision is certain by a proved bound (proofs/filter.md), or the next
of these three makes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from gmpy2 import mpq

from exactdrl.arithmetic import native
from exactdrl.arithmetic.balls import BallVertex, Reach, UncertainError
from exactdrl.arithmetic.counts import KINDS, DecisionCounts
from exactdrl.arithmetic.exact import ExactArithmetic
from exactdrl.arithmetic.float64 import kernel
from exactdrl.arithmetic.float64.problem import to_float_problem
from exactdrl.arithmetic.float64.slopes import NO_EDGE, UNSURE_SIGN
from exactdrl.arithmetic.float64.state import (
    CONDITION,
    EPSILON,
    SIGNS,
    STEEPEST_EDGES,
    FloatProblem,
    FloatVertex,
    Slopes,
    empty_slopes,
    empty_vertex,
)
from exactdrl.arithmetic.float64.vertex import LARGEST_DEFECT, estimate_loss, set_masks
from exactdrl.arithmetic.protocol import Edge, EdgeSearch, Move
from exactdrl.arithmetic.regular_vertex import RegularVertex, find_regular_vertex, put_in_floats
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.cells.scan import Breakpoint
from exactdrl.exact.rationals import to_float
from exactdrl.exact.solved import LARGEST_KEPT

# Precisions of the balls, one after another; many parameters make the later ones dearer than an exact linear system
BALL_BITS = (128, 256, 512)
_DEAR_LADDER = 1
# Few parameters make exact steps as cheap as balls, once the first is there: balls are for floats that fail at a vertex
# here and there
_SHORT_REST = 2
# After a vertex that floats cannot hold, so many exact steps pass before the next trial, twice as many after each
# failure
_LONGEST_REST = 64

# the kernel's numbers
_SEARCHES = {
    EdgeSearch.CUMULATIVE: kernel.CUMULATIVE,
    EdgeSearch.STEEPEST: kernel.STEEPEST,
    EdgeSearch.FIRST: kernel.FIRST,
}

Result = TypeVar("Result")


class FilteredArithmetic:
    """A vertex held in float64 where that is certain, in integers elsewhere; implements `Arithmetic`."""

    def __init__(self, problem: IntegerProblem, pattern: Pattern, basis: Sequence[Kink]) -> None:
        """Takes a vertex; see `ExactArithmetic`.

        With more than LARGEST_KEPT parameters floats are tried first, and the exact vertex is computed where it is
        asked for.

        Raises:
            InputError: the normals are not independent, or not n.
        """
        problem.check_dimension(len(basis))
        self._problem = problem
        self._exact: ExactArithmetic | None = None
        self._recorded: tuple[Pattern, list[Kink]] | None = (pattern.copy(), list(basis))
        self._balls: BallVertex | None = None
        self._reach: Reach | None = None
        self._floats: FloatProblem | None = None
        self._vertex: FloatVertex | None = None
        self._slopes: Slopes | None = None
        # of the vertex, where it was needed; and the step that floats proposed last, with its flips
        self._regular: RegularVertex | None = None
        self._proposed: tuple[list[int], list[list[int]]] | None = None
        self._is_out_of_range = False
        self._is_loaded = False
        self._rest, self._next_rest = 0, 1
        self.counts = DecisionCounts()
        self._is_dear = problem.dimension > LARGEST_KEPT
        if not self._is_dear:
            self._exact_here()

    def restart(self, pattern: Pattern, basis: Sequence[Kink]) -> None:
        """Takes another vertex, and tries floats there at once."""
        self._exact, self._balls, self._recorded, self._regular = None, None, (pattern.copy(), list(basis)), None
        self._is_loaded, self._rest = False, 0

    # -- steps in floats

    def run_ahead(self, search: EdgeSearch, limit: int) -> list[Move]:
        """Takes up to `limit` steps whose decisions are certain in float64, but for slopes that are exactly 0.

        Fewer, or none, where another decision is not certain.
        """
        if self._is_out_of_range or limit <= 0:
            return []
        if not self._is_loaded and self._rest:
            self._rest -= 1
            return []
        if not self._load():
            return []
        moves, end = self._walk_on(search, limit, [])
        while end in (UNSURE_SIGN, kernel.UNSURE_FIRST) and len(moves) < limit:
            proved, zeros = self._look_closer(end)
            if not proved and not zeros:
                break
            moves += proved
            end = kernel.FULL if proved else end
            if len(moves) == limit or not self._load():
                break
            more, end = self._walk_on(search, limit - len(moves), zeros)
            moves += more
            if zeros and not more and end == UNSURE_SIGN:
                break
        if end not in (kernel.FULL, NO_EDGE):
            self._rest = 1 if moves else self._back_off()
        return moves

    def _walk_on(self, search: EdgeSearch, limit: int, zeros: Sequence[Edge]) -> tuple[list[Move], int]:
        """Takes up to `limit` steps from a vertex that is loaded; returns them, and how that ended.

        Args:
            search: how the edge is chosen.
            limit: at least 1.
            zeros: edges of the vertex whose slope is exactly 0.
        """
        floats, vertex, slopes, basis = self._floats, self._vertex, self._slopes, list(self.basis)
        assert floats is not None  # noqa: S101 - the vertex is loaded
        assert vertex is not None  # noqa: S101
        assert slopes is not None  # noqa: S101
        records = np.zeros((limit, kernel.RECORD), dtype=np.int64)
        flips = np.zeros((limit * self._problem.dimension, 3), dtype=np.int64)
        slopes.given[:] = 0
        kink_of = self._problem.addresses.kink_of
        place = {kink_of(*at): slot for slot, at in enumerate(vertex.kinks.tolist())}
        slopes.given[[2 * place[edge.kink] + edge.is_flipped for edge in zeros]] = 1
        taken, end = native.walk_steps(floats, vertex, slopes, _SEARCHES[search], records, flips)
        # a step that was told exact signs is none in float64 alone
        helped = min(taken, 1) if zeros else 0
        self.counts.steps[0] += taken - helped
        self.counts.steps[1] += helped
        self.counts.exact["slope sign"] += len(zeros) * helped
        self.counts.condition = max(self.counts.condition, float(vertex.scalars[CONDITION]))
        self._count_floats(vertex, taken - helped)
        if taken:
            self._forget()
        self._is_loaded = end == kernel.FULL
        filled = int(records[:taken, 0].sum())
        taken_flips = flips[:filled]
        self._proposed = None
        if end == kernel.UNSURE_FIRST and records[taken, 4] >= 0:
            record = records[taken].tolist()
            self._proposed = record, flips[filled : filled + record[0]].tolist()
        return self._to_moves(basis, records[:taken].tolist(), taken_flips.tolist()), end

    def _look_closer(self, end: int) -> tuple[list[Move], list[Edge]]:
        """Returns the step that was not certain, if it can be proved; or the edges whose slope is exactly 0.

        Mostly a slope is exactly 0, by some structure of the data; a linear system finds all that are.
        """
        if end == UNSURE_SIGN:
            return [], self._zero_edges() if self._load() else []
        proved = self._take_proposed()
        return [] if proved is None else [proved], []

    def _take_proposed(self) -> Move | None:
        """Takes the step whose edge floats have chosen, if it is proved that it ends where they propose.

        At the end only the kinks of the basis may vanish, and the others have to be on their sides: then the ratio test
        finds the proposed kink alone (proofs/filter.md, 5).
        """
        if self._proposed is None or not self._is_dear:
            return None
        record, flips = self._proposed
        pattern, basis = self.pattern.copy(), list(self.basis)
        (move,) = self._to_moves(basis, [record], flips)
        for kink in move.flips:
            pattern.flip(kink)
        found = find_regular_vertex(self._problem, pattern, basis)
        if found is None:
            return None
        self._forget()
        self._recorded, self._regular, self._is_loaded = (pattern, basis), found, False
        self.counts.steps[1] += 1
        self.counts.exact["first kink"] += 1
        return move

    def _zero_edges(self) -> list[Edge]:
        """Returns the edges of the current vertex whose slope is exactly 0."""
        exact = self._exact or ExactArithmetic(self._problem, self.pattern, self.basis, is_brief=True)
        edges = [Edge(kink, is_flipped) for kink in exact.basis for is_flipped in (False, True)]
        return [edge for edge in edges if exact.slope_sign(edge) == 0]

    def follow(self, moves: Sequence[Move]) -> int:
        """Takes recorded steps as long as what each claims is certain in float64; returns how many it took.

        Whether a pivot rule would have taken them is not asked. A step that is not certain is not said to be wrong.

        Args:
            moves: steps without another basis; kinks of this problem, no two flips of a step the same.
        """
        if not moves or self._is_out_of_range or not self._load():
            return 0
        floats, vertex, slopes, place = self._floats, self._vertex, self._slopes, self._problem.addresses.numbers
        assert floats is not None  # noqa: S101 - _load made them
        assert vertex is not None  # noqa: S101
        assert slopes is not None  # noqa: S101
        steps = np.array([(*place(move.leaving), *place(move.entering)) for move in moves], dtype=np.int64)
        flips = np.array([place(kink) for move in moves for kink in move.flips], dtype=np.int64).reshape(-1, 3)
        ends = np.cumsum([len(move.flips) for move in moves], dtype=np.int64)
        taken = int(native.follow_steps(floats, vertex, slopes, steps, ends, flips))
        self.counts.steps[0] += taken
        if taken:
            self._forget()
        self._is_loaded = taken == len(moves)
        return taken

    def _forget(self) -> None:
        """Drops every other form of the vertex: the floats have moved on."""
        self._exact, self._balls, self._recorded, self._regular, self._next_rest = None, None, None, None, 1

    def _count_floats(self, vertex: FloatVertex, steps: int) -> None:
        for kind, count in zip(KINDS, (vertex.scalars[SIGNS], vertex.scalars[STEEPEST_EDGES], steps), strict=True):
            self.counts.floats[kind] += int(count)
        vertex.scalars[SIGNS] = vertex.scalars[STEEPEST_EDGES] = 0.0

    def _to_moves(self, basis: list[Kink], records: list[list[int]], flips: list[list[int]]) -> list[Move]:
        """Returns steps from a vertex on, whose basis is given and changed."""
        moves, place, kink_of = [], 0, self._problem.addresses.kink_of
        for record in records:
            flipped = tuple(kink_of(*kink) for kink in flips[place : place + record[0]])
            place += record[0]
            leaving, entering = kink_of(*record[1:4]), kink_of(*record[4:7])
            basis.remove(leaving)
            basis.append(entering)
            moves.append(Move(flipped, leaving, entering, bool(record[7])))
        return moves

    def _back_off(self) -> int:
        """Returns how many exact steps pass before the next trial, and doubles it for the one after."""
        rest, self._next_rest = self._next_rest, min(2 * self._next_rest, _LONGEST_REST)
        return rest

    def _load(self) -> bool:
        """Sets the floats up at the current vertex; False if they cannot hold it."""
        if self._is_loaded:
            return True
        if self._floats is None:
            self._floats = to_float_problem(self._problem)
            if self._floats is None:
                self._is_out_of_range = True
                return False
        if self._vertex is None:
            self._vertex, self._slopes = empty_vertex(self._floats), empty_slopes(self._floats)
        vertex, basis, numbers = self._vertex, self.basis, self._problem.addresses.numbers
        set_masks(vertex, self.pattern)
        vertex.kinks[:] = [numbers(kink) for kink in basis]
        vertex.order[:] = np.arange(len(basis))
        self.counts.loads += 1
        self._is_loaded = native.set_up(self._floats, vertex) or self._load_point(self._floats, vertex)
        if not self._is_loaded:
            self._rest = self._back_off()
        return self._is_loaded

    def _load_point(self, floats: FloatProblem, vertex: FloatVertex) -> bool:
        """Sets up a vertex whose inverse floats enclose by its exact point, where that costs less than balls."""
        if not self._is_dear or not vertex.scalars[EPSILON] < LARGEST_DEFECT:
            return False
        if self._regular is None:
            self._regular = find_regular_vertex(self._problem, self.pattern, self.basis)
        if self._regular is None:
            return False
        put_in_floats(self._problem, self._regular, vertex)
        return bool(native.begin_at(floats, vertex))

    # -- the vertex

    def _exact_here(self) -> ExactArithmetic:
        """Returns the current vertex in exact arithmetic; where that is dear, other forms of it are kept."""
        if self._exact is None:
            self._exact = ExactArithmetic(self._problem, self.pattern, self.basis)
            if not self._is_dear:
                self._recorded = self._balls = None
            elif self._recorded is None:
                self._recorded = (self._exact.pattern.copy(), list(self._exact.basis))
        return self._exact

    @property
    def pattern(self) -> Pattern:
        """Returns the current cell; read only."""
        if self._exact is not None:
            return self._exact.pattern
        if self._recorded is not None:
            return self._recorded[0]
        assert self._vertex is not None  # noqa: S101 - there is one or the other
        masks = self._vertex.masks
        bits = [
            bytearray(masks[depth, :width].T.astype(np.uint8).tobytes())
            for depth, width in enumerate(self._problem.widths)
        ]
        return Pattern(self._problem.addresses, bits)

    @property
    def basis(self) -> list[Kink]:
        """Returns the basis in order of entry; read only."""
        if self._exact is not None:
            return self._exact.basis
        if self._recorded is not None:
            return self._recorded[1]
        assert self._vertex is not None  # noqa: S101 - there is one or the other
        kink_of = self._problem.addresses.kink_of
        return [kink_of(*self._vertex.kinks[slot].tolist()) for slot in self._vertex.order]

    def vertex(self) -> tuple[mpq, ...]:
        """Returns the reduced parameters, n rationals."""
        return self._exact_here().vertex()

    def loss(self) -> mpq:
        """Returns the loss at the vertex."""
        return self._exact_here().loss()

    def loss_estimate(self) -> float:
        """Returns the loss in floats, for display only."""
        if self._recorded is not None and self._is_dear:
            # floats are asked first where an exact vertex is dear
            self._load()
        if self._exact is not None or self._vertex is None or (self._recorded is not None and not self._is_loaded):
            return self._exact_here().loss_estimate()
        assert self._floats is not None  # noqa: S101 - the vertex has room for it
        apart = to_float(mpq(self._problem.loss_apart, self._problem.loss_scale))
        return estimate_loss(self._floats, self._vertex) + apart

    def vanishing_kinks(self) -> list[Kink]:
        """Returns all kinks that vanish at the vertex, in address order."""
        return self._exact_here().vanishing_kinks()

    # -- single decisions, where floats are not certain: balls, then exact

    def _decide(
        self, kind: str, in_balls: Callable[[BallVertex], Result], exactly: Callable[[ExactArithmetic], Result]
    ) -> Result:
        """Returns a decision, and counts it."""
        result, is_exact = self._settle(in_balls, exactly)
        (self.counts.exact if is_exact else self.counts.balls)[kind] += 1
        return result

    def _settle(
        self, in_balls: Callable[[BallVertex], Result], exactly: Callable[[ExactArithmetic], Result]
    ) -> tuple[Result, bool]:
        """Returns a decision from the cheapest arithmetic that is certain of it, and whether that is the exact one.

        A cheap exact vertex that is there already is asked at once.
        """
        if self._is_dear or (self._exact is None and self._next_rest <= _SHORT_REST):
            for bits in BALL_BITS[:_DEAR_LADDER] if self._is_dear else BALL_BITS:
                try:
                    return in_balls(self._balls_here(bits)), False
                except UncertainError:
                    continue
        return exactly(self._exact_here()), True

    def _balls_here(self, bits: int) -> BallVertex:
        """Returns the current vertex in balls of at least a precision."""
        if self._balls is None or self._balls.bits < bits:
            if self._reach is None:
                self._reach = Reach.of(self._problem)
            self._balls = BallVertex(self._problem, self._reach, self.pattern, self.basis, bits=bits)
        return self._balls

    def slope_sign(self, edge: Edge) -> int:
        """Returns the sign of the loss's slope along an edge: -1, 0 or 1."""
        return self._decide("slope sign", lambda balls: balls.slope_sign(edge), lambda exact: exact.slope_sign(edge))

    def steepest(self, edges: Sequence[Edge]) -> Edge:
        """Returns the edge with the largest -slope / |direction| of edges with negative slope; ties: the first."""
        rivals = sorted(edges)

        def in_balls(balls: BallVertex) -> Edge:
            nonlocal rivals
            rivals = balls.steepest(rivals)
            if len(rivals) > 1:
                raise UncertainError
            return rivals[0]

        return self._decide("steepest edge", in_balls, lambda exact: exact.steepest(rivals))

    def is_blocked(self, edge: Edge) -> bool:
        """Returns whether an edge leaves its cell at once; a part of the ratio test, and counted with it."""
        return self._settle(lambda balls: balls.is_blocked(edge), lambda exact: exact.is_blocked(edge))[0]

    def first_kinks(self, leaving: Kink) -> Breakpoint | None:
        """Returns the ratio test along the current cell's edge that leaves a kink; None if the edge meets no kink.

        Its distance is None where the test did not need it exactly.
        """

        def in_balls(balls: BallVertex) -> Breakpoint | None:
            kink = balls.first_kink(leaving)
            return None if kink is None else Breakpoint((kink,), None, is_blocked=False)

        return self._decide("first kink", in_balls, lambda exact: exact.first_kinks(leaving))

    # -- moves

    def flip(self, kink: Kink) -> None:
        """Goes over to the cell on the other side of a basis kink; the vertex stays."""
        recorded = self._leave_floats()
        if self._exact is not None:
            self._exact.flip(kink)
        # balls come first, since they look at the cell before the flip
        if self._balls is not None:
            self._balls.flip(kink)
        if recorded is not None:
            recorded[0].flip(kink)

    def pivot(self, leaving: Kink, entering: Kink) -> None:
        """Exchanges two kinks: the entering one, met by the edge, joins the basis as its last."""
        recorded = self._leave_floats()
        self.counts.steps[1] += 1
        if recorded is None:
            self._exact_here().pivot(leaving, entering)
            return
        self._exact = self._balls = None
        recorded[1].remove(leaving)
        recorded[1].append(entering)

    def rebase(self, pattern: Pattern, candidates: Sequence[Kink]) -> None:
        """Takes another cell at the same vertex; its basis are the first n independent ones of some kinks."""
        self._leave_floats()
        exact = self._exact_here()
        exact.rebase(pattern, candidates)
        if self._recorded is not None:
            self._balls, self._recorded = None, (exact.pattern.copy(), list(exact.basis))

    def _leave_floats(self) -> tuple[Pattern, list[Kink]] | None:
        """Returns pattern and basis, to be changed; None if the exact vertex holds them."""
        if self._exact is None and self._recorded is None:
            self._recorded = (self.pattern, self.basis)
        self._is_loaded, self._regular = False, None
        return self._recorded
