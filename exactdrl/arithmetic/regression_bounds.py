"""A regression's vertex in float64: its inverse, its residuals, its multipliers, each with a bound on its error.

Theorems and proofs: proofs/long-step.md. Every bound holds for any order of summation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from exactdrl.arithmetic.regression_floats import SAFETY, TINY, FloatRegression, Floats, slack

# ‖I - R A‖ must be below these, by rows and by columns: the bounds assume it
_REGULAR_ROWS, _REGULAR_COLUMNS = 2.0**-10, 0.5


@dataclass(frozen=True, slots=True)
class Inverse:
    """About the inverse of the rows of a basis.

    Attributes:
        rows: A, (r, r), rounded.
        sizes: of the rows.
        floors: of the rows.
        inverse: R.
        row_defects: bounds of the sums of rows of |I - R A|, for the true A.
        column_defect: a bound of every sum of a column of it.
    """

    rows: Floats
    sizes: Floats
    floors: Floats
    inverse: Floats
    row_defects: Floats
    column_defect: float

    @property
    def row_defect(self) -> float:
        """Returns the largest of the row defects."""
        return float(self.row_defects.max())


@dataclass(frozen=True, slots=True)
class Located:
    """Where a vertex is.

    Attributes:
        s: the point.
        values: of all members and coordinates there.
        errors: absolute, of the values.
    """

    s: Floats
    values: Floats
    errors: Floats


@dataclass(frozen=True, slots=True)
class Priced:
    """The slopes at a vertex.

    Attributes:
        gradient: of all that does not vanish, in s.
        gradient_error: absolute.
        multipliers: of the basis.
        errors: absolute, of the multipliers.
    """

    gradient: Floats
    gradient_error: Floats
    multipliers: Floats
    errors: Floats


def invert(floats: FloatRegression, basis: Sequence[int]) -> Inverse | None:
    """Returns the inverse of a basis' rows; None if it is too far from exact for the bounds.

    |I - R Â| ≤ |I - R A| + |R| |Â - A|, where the computed I - R A errs by at most slack · |R| |A|.
    """
    places = list(basis)
    rows, sizes, floors = floats.rows[places], floats.sizes[places], floats.floors[places]
    try:
        inverse: Floats = np.linalg.inv(rows).astype(np.float64, copy=False)
    except np.linalg.LinAlgError:
        return None
    defect = np.abs(np.eye(floats.rank) - inverse @ rows)
    errors = np.abs(inverse) * (slack(floats.rank) * sizes + floors)
    row_defects: Floats = (defect.sum(axis=1) + errors.sum(axis=1)) * SAFETY
    column_defect = float(defect.sum(axis=0).max() + errors.sum()) * SAFETY
    # written so that NaN is refused
    if not (float(row_defects.max()) < _REGULAR_ROWS and column_defect < _REGULAR_COLUMNS):
        return None
    return Inverse(rows, sizes, floors, inverse, row_defects, column_defect)


def locate(floats: FloatRegression, basis: Sequence[int], at: Inverse) -> Located:
    """Returns the point at which a basis vanishes, and all values there."""
    k, places = slack(floats.rank), list(basis)
    right, right_errors = -floats.values[places], floats.value_errors[places]
    s = at.inverse @ right
    s += at.inverse @ (right - at.rows @ s)
    reach = float(np.abs(s).max())
    rest = np.abs(right - at.rows @ s) + k * (at.sizes * reach + np.abs(right)) + at.floors * reach + right_errors
    spread = np.abs(at.inverse) @ rest
    error = float((spread + at.row_defects * (2.0 * float(spread.max()))).max()) * SAFETY
    values = floats.times(s) + floats.values
    errors = floats.sizes * ((k * reach + error) * SAFETY) + np.abs(floats.values) * (k * SAFETY)
    errors += floats.floors * ((reach + error) * SAFETY) + floats.value_errors * SAFETY + TINY
    return Located(s, values, errors)


def price(floats: FloatRegression, at: Inverse, signs: Floats) -> Priced:
    """Returns the gradient of the members with given signs, and the multipliers of the basis."""
    k, count = slack(floats.rank), len(signs)
    gradient = floats.combine(signs) + floats.pull
    gradient_error = slack(count) * (floats.columns + np.abs(floats.pull)) + float(floats.floors[:count].sum())
    gradient_error = (gradient_error + floats.pull_error) * SAFETY
    multipliers = gradient @ at.inverse
    multipliers += (gradient - multipliers @ at.rows) @ at.inverse
    sizes = np.abs(multipliers)
    rest = np.abs(gradient - multipliers @ at.rows) + k * (sizes @ np.abs(at.rows) + np.abs(gradient))
    rest = rest + float(at.floors @ sizes) + gradient_error
    rest = rest + 2.0 * at.column_defect * float(rest.max())
    return Priced(gradient, gradient_error, multipliers, (rest @ np.abs(at.inverse)) * SAFETY)


@dataclass(frozen=True, slots=True)
class Vertex:
    """A vertex in floats.

    Attributes:
        at: the inverse of its basis.
        located: where it is.
        signs: of the members, certain; 0 for the basis and for residuals that vanish.
        vanishing: members outside the basis that vanish, increasing.
        priced: its slopes.
    """

    at: Inverse
    located: Located
    signs: Floats
    vanishing: list[int]
    priced: Priced


def certain_signs(located: Located, count: int, basis: Sequence[int]) -> tuple[Floats, list[int]]:
    """Returns the signs of the members, 0 for the basis and where it is not certain, and the places of the latter."""
    values, errors = located.values[:count], located.errors[:count]
    signs = np.where(np.abs(values) > errors, np.sign(values), 0.0)
    outside = np.ones(count, dtype=bool)
    outside[[place for place in basis if place < count]] = False
    signs *= outside
    return signs, np.flatnonzero((signs == 0.0) & outside).tolist()


def falls_forever(floats: FloatRegression, vertex: Vertex, direction: Floats, rates: Floats, own: float) -> bool:
    """Returns whether the loss certainly falls along an edge however far one goes; False only says unsure.

    Args:
        floats: the problem.
        vertex: where the edge begins.
        direction: of the edge, in s.
        rates: of the members along it, 0 for the basis.
        own: the slope of the leaving row's own term.
    """
    count = len(rates)
    k, reach = slack(floats.rank), float(np.abs(direction).max())
    error = vertex.at.row_defect * 2.0 * reach
    rate_errors = floats.sizes[:count] * (k * reach + error) + floats.floors[:count] * (reach + error)
    total = float(np.abs(rates).sum())
    # at infinity every residual grows: the slope is that of the linear term and all rates
    slope = float(floats.pull @ direction) + total + own
    bound = float(rate_errors.sum()) + slack(count) * (total + own) + float(floats.pull_error @ np.abs(direction))
    bound += (k * reach + error) * float(np.abs(floats.pull).sum() + floats.pull_error.sum())
    return slope + bound * SAFETY < 0.0


def room_of_ties(floats: FloatRegression, at: Inverse, slot: int, tied: Sequence[int]) -> float:
    """Returns at most what some members' rates sum to, per unit of the rate of the basis' row in a slot."""
    if not tied:
        return 0.0
    places, column = list(tied), at.inverse[:, slot]
    reach = float(np.abs(column).max())
    error = (slack(floats.rank) + 2.0 * at.row_defect) * reach * SAFETY
    parts = np.abs(floats.rows[places] @ column) - floats.sizes[places] * error - floats.floors[places] * (2.0 * reach)
    return float(np.maximum(parts, 0.0).sum()) * (1.0 - slack(len(places)))
