"""The filtered arithmetic on a regression: float64 proposes each edge and line search, and error bounds decide.

A proposed vertex is certain to be the result of the line search if every residual there has a certain sign, and the
loss certainly falls before it and rises behind it along the edge. The crossed residuals are then those whose signs
differ. Signs that are not certain are decided exactly, one by one. Everything else that is not certain is left to the
exact arithmetic. Source: proofs/long-step.md has the theorems.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from gmpy2 import mpq
from numpy.typing import NDArray

from exactdrl.arithmetic.counts import LONG_KINDS, DecisionCounts
from exactdrl.exact.rationals import to_float
from exactdrl.regression.bounds import (
    Inverse,
    Vertex,
    certain_signs,
    exchange,
    falls_forever,
    invert,
    is_certainly,
    locate,
    price,
    room_of_ties,
)
from exactdrl.regression.exact import ExactRegression
from exactdrl.regression.floats import FloatRegression, load
from exactdrl.regression.protocol import MIXED_DEPTHS, Met, Regression, local_offset

# with more residuals than this whose signs were uncertain though they do not vanish, the origin is moved
_UNSURE = 16
# up to this rank the origin is moved so late; above it, at once
_FEW = 60
# how many breakpoints are sorted at first; most line searches end within these
_SORTED = 64
# how many vertices are tried on an edge before the exact arithmetic searches it
_PROPOSALS = 4


class FilteredRegression:
    """A vertex of a regression, held in float64 where that is certain; implements `RegressionArithmetic`."""

    def __init__(
        self,
        regression: Regression,
        basis: Sequence[int],
        *,
        floats: FloatRegression | None = None,
        counts: DecisionCounts | None = None,
    ) -> None:
        """Takes a vertex; see `ExactRegression`.

        Args:
            regression: the problem.
            basis: r places.
            floats: the problem in float64; None to load it, if the problem is not a local one.
            counts: the counts to which decisions are added.
        """
        self.regression = regression
        self.counts = counts if counts is not None else DecisionCounts(LONG_KINDS)
        self._floats = floats if floats is not None or regression.depth else load(regression)
        self._can_move, self._missed = True, 0
        self._exact: ExactRegression | None = None
        self._set(list(basis))

    def _set(self, basis: list[int], exact: ExactRegression | None = None) -> None:
        self.basis, self._exact = basis, exact
        at = None if self._floats is None else invert(self._floats, basis)
        self._vertex: Vertex | None = self._find_vertex(at)

    def _exact_here(self) -> ExactRegression:
        """Returns the current vertex in exact arithmetic."""
        if self._exact is None:
            signs = None
            if self._vertex is not None:
                signs = self._vertex.signs[: self.regression.count].astype(np.int64).tolist()
            self._exact = ExactRegression(self.regression, self.basis, signs)
        return self._exact

    def _find_vertex(self, at: Inverse | None) -> Vertex | None:
        """Returns the vertex of a basis with all signs certain; None where floats cannot hold it."""
        floats = self._floats
        if floats is None or at is None:
            return None
        located = locate(floats, at)
        signs, unsure = certain_signs(floats, at, located)
        before = 0
        # with many columns an exact solution costs seconds, a new origin milliseconds
        enough = _UNSURE if floats.rank <= _FEW else 0
        if len(unsure) + self._missed > enough and unsure and self._can_move and floats.coordinates is not None:
            before, self._missed = len(unsure), 0
            floats.move_origin(located.s)
            located = locate(floats, at)
            signs, unsure = certain_signs(floats, at, located)
        vanishing: list[int] = []
        if not unsure:
            self.counts.floats["residual signs"] += 1
        else:
            self.counts.exact["residual signs"] += 1
            found = ExactRegression(self.regression, at.places.tolist()).signs_of(unsure)
            signs[unsure] = found
            vanishing = [place for place, sign in zip(unsure, found, strict=True) if not sign]
            self._missed += len(unsure) - len(vanishing)
            # moving the origin is of no use where half of the residuals with uncertain signs vanish
            self._can_move = self._can_move and (not before or 2 * len(vanishing) < before)
        return Vertex(at, located, signs, vanishing, price(floats, at, signs))

    def vanishing(self) -> list[int]:
        """Returns the members outside the basis whose residuals vanish, increasing."""
        return self._exact_here().vanishing() if self._vertex is None else self._vertex.vanishing

    def sign(self, place: int) -> int:
        """Returns the sign of a member's residual: -1, 0 or 1."""
        return self._exact_here().sign(place) if self._vertex is None else int(self._vertex.signs[place])

    def signs(self) -> list[int]:
        """Returns the sign of each member's residual."""
        return self._exact_here().signs()

    def leaving(self) -> tuple[int, int] | None:
        """Returns the row of the basis that is left, and to which side; see the protocol."""
        vertex = self._vertex
        if vertex is not None:
            multipliers, errors = vertex.priced.multipliers, vertex.priced.errors
            sizes = np.abs(multipliers)
            upper = sizes + errors
            bound, is_coordinate = 1.0, vertex.at.places >= self.regression.count
            if is_coordinate.any():
                # only coordinates may leave
                bound, sizes[~is_coordinate], upper[~is_coordinate] = 0.0, -np.inf, -np.inf
            elif float(upper.max()) < 1.0:
                self.counts.floats["leaving row"] += 1
                return None
            best = int(sizes.argmax())
            low, upper[best] = sizes[best] - errors[best], bound
            if low > upper.max():
                self.counts.floats["leaving row"] += 1
                return int(vertex.at.places[best]), -1 if multipliers[best] > 0.0 else 1
        self.counts.exact["leaving row"] += 1
        return self._exact_here().leaving()

    def go(self, leaving: int, side: int) -> Met | None:
        """Moves along an edge to the first point of least loss; stays and returns None if the loss falls forever."""
        floats, vertex = self._floats, self._vertex
        if floats is not None and vertex is not None:
            slot = vertex.at.places.tolist().index(leaving)
            proposed = _propose(floats, vertex, slot, side)
            if proposed is None:
                if falls_forever(floats, vertex.at, slot, side):
                    self.counts.floats["stopping kink"] += 1
                    return None
            else:
                met = self._confirm(floats, vertex, slot, side, proposed)
                if met is not None:
                    self.counts.floats["stopping kink"] += 1
                    self.counts.steps[0] += 1
                    return met
        self.counts.exact["stopping kink"] += 1
        exact = self._exact_here()
        met = exact.go(leaving, side)
        if met is not None:
            self.counts.steps[1] += 1
            self._set(list(exact.basis), exact)
        return met

    def go_far(self, leaving: int, side: int) -> Met | None:
        """Moves along an edge to the last residual that vanishes ahead; stays and returns None if there is none."""
        exact = self._exact_here()
        met = exact.go_far(leaving, side)
        if met is not None:
            self.counts.steps[1] += 1
            self._set(list(exact.basis), exact)
        return met

    def edge(self, leaving: int, side: int) -> list[mpq]:
        """Returns an edge direction in the parameters, r rationals."""
        return self._exact_here().edge(leaving, side)

    def _confirm(self, floats: FloatRegression, before: Vertex, slot: int, side: int, proposed: int) -> Met | None:
        """Moves to the vertex where a member vanishes on an edge, or one nearby, if the loss is certainly least there.

        At a vertex that is refused the nearby residuals are known far more accurately, so that it proposes the next
        vertex.
        """
        leaving = int(before.at.places[slot])
        entering: int | None = proposed
        for _ in range(_PROPOSALS):
            after = None if entering is None else self._find_vertex(exchange(floats, before.at, slot, entering))
            if entering is None or after is None:
                return None
            tied = [place for place in after.vanishing if before.signs[place] != 0.0]
            # per unit of the entering member's rate, the slopes before and behind the vertex are λ ∓ room
            room = 1.0 + room_of_ties(floats, after.at, slot, tied)
            multiplier = float(after.priced.multipliers[slot])
            size = abs(multiplier) + float(after.priced.errors[slot])
            if size < room and is_certainly(floats, after.located, leaving, side):
                first = min([*tied, entering])
                if first != entering:
                    after = self._find_vertex(exchange(floats, before.at, slot, first))
                return None if after is None else self._take(before, after, leaving, first)
            entering = _propose(floats, after, slot, -1 if multiplier > 0.0 else 1)
        return None

    def _take(self, before: Vertex, after: Vertex, leaving: int, entering: int) -> Met:
        """Makes the vertex at the end of an edge the current one."""
        self.basis = self.basis.copy()
        self.basis.remove(leaving)
        self.basis.append(entering)
        self._vertex, self._exact = after, None
        crossed = (before.signs * after.signs < 0.0).nonzero()[0]
        return Met(entering, crossed.tolist())

    def rebase(self, basis: Sequence[int]) -> None:
        """Replaces the basis at the same point."""
        exact = self._exact
        if exact is not None:
            exact.rebase(basis)
        self._set(list(basis), exact)

    def joinable(self, place: int) -> int | None:
        """Returns the first coordinate of the basis that a vanishing residual can replace; None if there is none."""
        return self._exact_here().joinable(place)

    def local(self) -> FilteredRegression:
        """Returns the local problem at this vertex, beginning at the basis of this vertex."""
        members = sorted([*self.basis, *self.vanishing()])
        position = {place: index for index, place in enumerate(members)}
        exact = self._exact_here()
        regression = self.regression.local(members, lambda: exact.pull)
        floats, vertex = self._floats, self._vertex
        local: FloatRegression | None = None
        if floats is not None and vertex is not None and regression.depth <= MIXED_DEPTHS:
            offsets = np.array([float(local_offset(sample, regression.depth)) for sample in regression.samples])
            if floats.weights is not None:
                offsets *= floats.weights[: self.regression.count][members]
            local = floats.local(members, offsets, vertex.priced.gradient, floats.gradient_error)
        basis = [position[place] for place in self.basis]
        return FilteredRegression(regression, basis, floats=local, counts=self.counts)

    def multipliers_of(self, basis: Sequence[int], signs: Mapping[int, int]) -> list[mpq]:
        """Returns λ of a basis of this point; see the protocol."""
        return self._exact_here().multipliers_of(basis, signs)

    def is_strict(self) -> bool:
        """Returns whether all multipliers of the basis are below 1 in size; no other residual may vanish."""
        if self._vertex is not None:
            priced = self._vertex.priced
            if bool((np.abs(priced.multipliers) + priced.errors < 1.0).all()):
                return True
        return self._exact_here().is_strict()

    def parameters(self) -> tuple[mpq, ...]:
        """Returns the reduced parameters of the output, r rationals."""
        return self._exact_here().parameters()

    def loss(self) -> mpq:
        """Returns the members' exact share in the loss."""
        return self._exact_here().loss()

    def loss_estimate(self) -> float:
        """Returns that share in floats, for display only."""
        if self._vertex is None:
            return self._exact_here().loss_estimate()
        values, shares = self._vertex.located.values[: self.regression.count], self.regression.shares
        total = float(np.abs(values).sum())
        if shares.is_tilted:
            total += float(values @ self._tilts)
        return to_float(shares.factor) * total

    @cached_property
    def _tilts(self) -> NDArray[np.float64]:
        shares = self.regression.shares
        return np.array([to_float(shares.tilt_of(sample)) for sample in self.regression.samples])


def _propose(floats: FloatRegression, vertex: Vertex, slot: int, side: int) -> int | None:
    """Returns a member at which the loss may be least along an edge; None if the loss seems to fall forever.

    Args:
        floats: the problem.
        vertex: the vertex at which the edge begins.
        slot: the slot of the row of the basis that the edge leaves.
        side: the sign that this row gets along the edge.
    """
    # in the backward direction a residual of the same sign as its rate comes nearer to 0
    backward = vertex.at.inverse[:, slot] * -side
    rates = floats.times(backward)
    rates[vertex.at.places] = 0.0
    slope = -float(vertex.priced.gradient @ backward)
    slope += 1.0 if vertex.at.places[slot] < floats.count else 0.0
    if vertex.vanishing:
        slope += float(np.abs(rates[vertex.vanishing]).sum())
    approach = vertex.signs * rates
    ahead = (approach > 0.0).nonzero()[0]
    speeds, times = approach[ahead], vertex.located.values[ahead] / rates[ahead]
    many = _SORTED
    while True:
        if many < len(times):
            near = times.argpartition(many)[:many]
            near = near[times[near].argsort()]
        else:
            near = times.argsort()
        # the slope rises by twice the speed of each breakpoint
        place = int(speeds[near].cumsum().searchsorted(-0.5 * slope))
        if place < len(near):
            return int(ahead[near[place]])
        if many >= len(times):
            return None
        many *= 8
