"""The filtered arithmetic on a regression: float64 proposes each edge and line search, and error bounds decide.

A proposal is certain by looking at the vertex to which it leads: if every residual there has a certain sign, the loss
falls before it and rises behind it along the edge, then it is the line search's one answer, and the residuals crossed
are those whose signs differ. Signs that are not certain are decided exactly, one by one; everything else that is not
certain is left to the exact arithmetic. Theorems: proofs/long-step.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from gmpy2 import mpq

from exactdrl.arithmetic.filtered import DecisionCounts
from exactdrl.arithmetic.regression import MIXED_DEPTHS, Met, Regression, local_offset
from exactdrl.arithmetic.regression_exact import ExactRegression
from exactdrl.arithmetic.regression_floats import SAFETY, TINY, FloatRegression, Floats, load, slack

# ‖I - R A‖ must be below: the bounds assume it
_REGULAR = 2.0**-10
# so many residuals of unsure sign, now and before, that do not vanish make it worth moving the origin
_UNSURE = 16
# breakpoints that are sorted at first; most line searches end within
_SORTED = 64


@dataclass(slots=True)
class _Vertex:
    """A vertex in floats.

    Attributes:
        inverse: R, about the inverse of the basis' rows, (r, r).
        row_defects: sums of rows of a bound of |I - R A|.
        column_defect: the largest sum of a column of it.
        s: the point.
        values: of all members and coordinates, and
        value_errors: their absolute errors.
        signs: of the members, certain; 0 for the basis and for residuals that vanish.
        vanishing: members outside the basis that vanish, increasing.
        gradient: of all that does not vanish, in s.
        gradient_error: its absolute error.
        multipliers: of the basis, and
        multiplier_errors: their absolute errors.
    """

    inverse: Floats
    row_defects: Floats
    column_defect: float
    s: Floats
    values: Floats
    value_errors: Floats
    signs: Floats
    vanishing: list[int]
    gradient: Floats
    gradient_error: Floats
    multipliers: Floats
    multiplier_errors: Floats


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
            floats: the problem in float64; None to load it, for a problem that is not a local one.
            counts: to which decisions are added.
        """
        self.regression = regression
        self.counts = counts if counts is not None else DecisionCounts()
        self._floats = floats if floats is not None or regression.depth else load(regression)
        self._can_move, self._missed = True, 0
        self._exact: ExactRegression | None = None
        self._set(list(basis))

    def _set(self, basis: list[int], exact: ExactRegression | None = None) -> None:
        self.basis, self._exact = basis, exact
        self._vertex: _Vertex | None = self._find_vertex(basis)

    def _exact_here(self) -> ExactRegression:
        """Returns the current vertex in exact arithmetic."""
        if self._exact is None:
            signs = None if self._vertex is None else [int(sign) for sign in self._vertex.signs.tolist()]
            self._exact = ExactRegression(self.regression, self.basis, signs)
        return self._exact

    # -- a vertex and its bounds

    def _find_vertex(self, basis: list[int]) -> _Vertex | None:
        """Returns the vertex of a basis with all signs certain; None where floats cannot hold it."""
        floats = self._floats
        if floats is None:
            return None
        rank = floats.rank
        k = slack(rank)
        rows = floats.rows
        a, floors, sizes = rows[basis], floats.floors[basis], floats.sizes[basis]
        try:
            inverse = np.linalg.inv(a)
        except np.linalg.LinAlgError:
            return None
        defect = np.abs(np.eye(rank) - inverse @ a)
        size = np.abs(inverse)
        errors = size * (k * sizes + floors)
        row_defects = (defect.sum(axis=1) + errors.sum(axis=1)) * SAFETY
        column_defect = (float(defect.sum(axis=0).max()) + float(errors.sum())) * SAFETY
        # written so that NaN is refused
        if not (float(row_defects.max()) < _REGULAR and column_defect < 0.5):
            return None
        before = 0
        while True:
            right, right_errors = -floats.values[basis], floats.value_errors[basis]
            s = inverse @ right
            s += inverse @ (right - a @ s)
            reach = float(np.abs(s).max())
            rest = np.abs(right - a @ s) + k * (sizes * reach + np.abs(right)) + floors * reach + right_errors
            spread = size @ rest
            s_error = float((spread + row_defects * (2.0 * float(spread.max()))).max()) * SAFETY
            values = floats.times(s) + floats.values
            value_errors = (
                floats.sizes * ((k * reach + s_error) * SAFETY)
                + floats.floors * ((reach + s_error) * SAFETY)
                + np.abs(floats.values) * (k * SAFETY)
                + floats.value_errors * SAFETY
                + TINY
            )
            count = self.regression.count
            members, member_errors = values[:count], value_errors[:count]
            signs = np.where(np.abs(members) > member_errors, np.sign(members), 0.0)
            outside = np.ones(count, dtype=bool)
            outside[[place for place in basis if place < count]] = False
            signs *= outside
            unsure = np.flatnonzero((signs == 0.0) & outside)
            if before or len(unsure) + self._missed <= _UNSURE or not self._can_move or floats.coordinates is None:
                break
            before, self._missed = len(unsure), 0
            floats.move_origin(s)
        vanishing: list[int] = []
        if len(unsure):
            places = unsure.tolist()
            exact = ExactRegression(self.regression, basis)
            self.counts.exact["slope sign"] += 1
            found = exact.signs_of(places)
            signs[unsure] = found
            vanishing = [place for place, sign in zip(places, found, strict=True) if not sign]
            self._missed += len(places) - len(vanishing)
            # an origin at which half of what is unsure vanishes is of no use
            self._can_move = self._can_move and (not before or 2 * len(vanishing) < before)
        gradient = floats.combine(signs) + floats.pull
        gradient_error = (
            slack(count) * (floats.columns + np.abs(floats.pull)) + float(floats.floors[:count].sum()) + floats.pull_error
        ) * SAFETY
        multipliers = gradient @ inverse
        multipliers += (gradient - multipliers @ a) @ inverse
        left = (
            np.abs(gradient - multipliers @ a)
            + k * (np.abs(multipliers) @ np.abs(a) + np.abs(gradient))
            + float(floors @ np.abs(multipliers))
            + gradient_error
        )
        left = left + 2.0 * column_defect * float(left.max())
        return _Vertex(
            inverse,
            row_defects,
            column_defect,
            s,
            values,
            value_errors,
            signs,
            vanishing,
            gradient,
            gradient_error,
            multipliers,
            (left @ size) * SAFETY,
        )

    # -- the protocol

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
        """Returns which row of the basis to leave, and to which side; see the protocol."""
        vertex, count = self._vertex, self.regression.count
        if vertex is not None and self.basis:
            places = np.array(self.basis)
            sizes, errors = np.abs(vertex.multipliers), vertex.multiplier_errors
            is_coordinate = places >= count
            if is_coordinate.any():
                sizes = np.where(is_coordinate, sizes, -np.inf)
                bound = 0.0
            else:
                bound = 1.0
                if bool((sizes + errors < 1.0).all()):
                    return None
            best = int(np.argmax(sizes))
            low = sizes[best] - errors[best]
            others = sizes + errors
            others[best] = -np.inf
            if low > bound and low > others.max():
                return self.basis[best], -1 if vertex.multipliers[best] > 0.0 else 1
            self.counts.unsure["steepest edge"] += 1
        self.counts.exact["steepest edge"] += 1
        return self._exact_here().leaving()

    def go(self, leaving: int, side: int) -> Met | None:
        """Goes along an edge to where the loss is least, the first such point; None, unmoved, if it falls forever."""
        if self._vertex is not None:
            proposed = self._propose(self._vertex, leaving, side)
            if proposed is not None:
                if proposed < 0:
                    return None
                met = self._confirm(self._vertex, leaving, side, proposed)
                if met is not None:
                    self.counts.steps[0] += 1
                    return met
            self.counts.unsure["first kink"] += 1
        self.counts.exact["first kink"] += 1
        exact = self._exact_here()
        met = exact.go(leaving, side)
        if met is not None:
            self.counts.steps[1] += 1
            self._set(list(exact.basis), exact)
        return met

    def _propose(self, vertex: _Vertex, leaving: int, side: int) -> int | None:
        """Returns a member at which the loss may be least, -1 if it certainly falls forever, None for neither."""
        floats, count = self._floats, self.regression.count
        assert floats is not None  # noqa: S101 - there is a vertex
        slot = self.basis.index(leaving)
        direction = vertex.inverse[:, slot] * side
        rates = floats.times(direction)[:count]
        rates[[place for place in self.basis if place < count]] = 0.0
        slope = side * float(vertex.multipliers[slot]) + (1.0 if leaving < count else 0.0)
        slope += float(np.abs(rates[vertex.vanishing]).sum())
        approach = vertex.signs * -rates
        ahead = np.flatnonzero(approach > 0.0)
        speeds = approach[ahead]
        if slope + 2.0 * float(speeds.sum()) < 0.0:
            return -1 if self._falls_forever(vertex, slot, direction, rates) else None
        times = np.abs(vertex.values[ahead]) / speeds
        many = _SORTED
        while True:
            near = np.argpartition(times, many)[:many] if many < len(times) else np.arange(len(times))
            near = near[np.argsort(times[near], kind="stable")]
            slopes = slope + 2.0 * np.cumsum(speeds[near])
            place = int(np.searchsorted(slopes, 0.0))
            if place < len(near):
                return int(ahead[near[place]])
            if many >= len(times):
                return None
            many *= 8

    def _falls_forever(self, vertex: _Vertex, slot: int, direction: Floats, rates: Floats) -> bool:
        """Returns whether the loss certainly falls along an edge however far one goes; False only says unsure."""
        floats, count = self._floats, self.regression.count
        assert floats is not None  # noqa: S101 - there is a vertex
        k, reach = slack(floats.rank), float(np.abs(direction).max())
        error = float(vertex.row_defects.max()) * 2.0 * reach
        rate_errors = floats.sizes[:count] * (k * reach + error) + floats.floors[:count] * (reach + error)
        total = float(np.abs(rates).sum())
        slope = float(vertex.gradient @ direction) + total + (1.0 if self.basis[slot] < count else 0.0)
        bound = (
            float(rate_errors.sum())
            + slack(count) * total
            + float(vertex.gradient_error @ np.abs(direction))
            + (k * reach + error) * float(np.abs(vertex.gradient).sum() + vertex.gradient_error.sum())
            + slack(1)
        )
        return slope + bound * SAFETY < 0.0

    def _confirm(self, before: _Vertex, leaving: int, side: int, entering: int) -> Met | None:
        """Goes to the vertex where a member vanishes on an edge, if that is certainly where the loss is least."""
        count = self.regression.count
        kept = [place for place in self.basis if place != leaving]
        after = self._find_vertex([*kept, entering])
        if after is None:
            return None
        # on the edge, and not behind its origin
        if leaving < count:
            is_ahead = float(after.signs[leaving]) == side
        else:
            is_ahead = float(after.values[leaving]) * side > float(after.value_errors[leaving])
        slot = len(kept)
        room = 1.0
        tied = [place for place in after.vanishing if before.signs[place] != 0.0]
        if tied:
            floats = self._floats
            assert floats is not None  # noqa: S101 - there is a vertex
            column = after.inverse[:, slot]
            reach = float(np.abs(column).max())
            error = (slack(floats.rank) + 2.0 * float(after.row_defects.max())) * reach * SAFETY
            parts = np.abs(floats.rows[tied] @ column) - floats.sizes[tied] * error - floats.floors[tied] * reach * 2.0
            room += float(np.maximum(parts, 0.0).sum()) * (1.0 - slack(len(tied)))
        # the slopes before and behind are ∓ room + λ per unit of the entering member's residual
        if not (is_ahead and abs(float(after.multipliers[slot])) + float(after.multiplier_errors[slot]) < room):
            return None
        if tied and tied[0] < entering:
            entering = tied[0]
            after = self._find_vertex([*kept, entering])
            if after is None:
                return None
        crossed = np.flatnonzero(before.signs * after.signs < 0.0)
        self.basis, self._vertex, self._exact = [*kept, entering], after, None
        return Met(entering, crossed.tolist())

    def rebase(self, basis: Sequence[int]) -> None:
        """Replaces the basis at the same point."""
        exact = self._exact
        if exact is not None:
            exact.rebase(basis)
        self._set(list(basis), exact)

    def joinable(self, place: int) -> int | None:
        """Returns the first coordinate of the basis that a vanishing residual can replace, None if there is none."""
        return self._exact_here().joinable(place)

    def local(self) -> FilteredRegression:
        """Returns the local problem at this vertex, at the basis of this vertex."""
        members = sorted([*self.basis, *self.vanishing()])
        position = {place: index for index, place in enumerate(members)}
        basis = [position[place] for place in self.basis]
        regression = self.regression.local(members, lambda exact=self._exact_here(): exact.pull)
        floats, vertex = self._floats, self._vertex
        local: FloatRegression | None = None
        if floats is not None and vertex is not None and regression.depth <= MIXED_DEPTHS:
            offsets = np.array([float(local_offset(sample, regression.depth)) for sample in regression.samples])
            local = floats.local(members, offsets, vertex.gradient, vertex.gradient_error)
        return FilteredRegression(regression, basis, floats=local, counts=self.counts)

    def multipliers_of(self, basis: Sequence[int], signs: Mapping[int, int]) -> list[mpq]:
        """Returns λ of a basis of this point: Σ λ_k (true normal k) is the gradient of the rest."""
        return self._exact_here().multipliers_of(basis, signs)

    def is_strict(self) -> bool:
        """Returns whether all multipliers of the basis are below 1 in size, where nothing else vanishes."""
        vertex = self._vertex
        if vertex is not None and bool((np.abs(vertex.multipliers) + vertex.multiplier_errors < 1.0).all()):
            return True
        return self._exact_here().is_strict()

    def parameters(self) -> tuple[mpq, ...]:
        """Returns the reduced parameters of the unit, r rationals."""
        return self._exact_here().parameters()

    def loss(self) -> mpq:
        """Returns the sum of the members' |residuals|, exact."""
        return self._exact_here().loss()

    def loss_estimate(self) -> float:
        """Returns that sum in floats, for display only."""
        if self._vertex is None:
            return self._exact_here().loss_estimate()
        return float(np.abs(self._vertex.values[: self.regression.count]).sum())
