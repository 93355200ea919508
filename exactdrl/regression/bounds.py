"""A regression's vertex in float64: the inverse of its basis, its residuals and its multipliers, with error bounds.

proofs/long-step.md has the theorems and proofs. Every bound holds for any order of summation. The sizes of vectors are
bounded by their greatest entries where this is good enough, since each operation of NumPy costs more than its
arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exactdrl.regression.floats import SAFETY, FloatRegression, slack
from exactdrl.regression.products import TINY, Floats

# the bounds assume that ‖I - R A‖ is below these numbers, by rows and by columns
_REGULAR_ROWS, _REGULAR_COLUMNS = 0.25, 0.5
# an update with a smaller pivot may overflow; one with a greater computed defect is improved by more work. What is
# computed with an inverse is refined once, which squares the defect
_PIVOT, _DRIFTED = 2.0**-100, 2.0**-30

# up to this rank a defect is computed at each exchange, which costs less than carrying its bounds
_FEW = 60
# bounds on defects are carried up to this size
_CARRIED = 2.0**-8

Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Inverse:
    """An approximate inverse of the rows of a basis.

    Attributes:
        places: the places of the basis, in any order.
        rows: the rounded rows A, shape (r, r).
        reach_errors: the rows' entries of `FloatRegression.reach_errors`.
        inverse: the approximate inverse R.
        sizes: |R|.
        row_defect: a bound on the row sums of |I - R A|, for the exact A.
        column_defect: a bound on the column sums of |I - R A|, for the exact A.
    """

    places: Places
    rows: Floats
    reach_errors: Floats
    inverse: Floats
    sizes: Floats
    row_defect: float
    column_defect: float


@dataclass(frozen=True, slots=True)
class Located:
    """The place of a vertex.

    Attributes:
        s: the vertex in the coordinates s of `FloatRegression`.
        reach: max|s|.
        error: a bound on the error of every entry of s.
        values: all residuals at the vertex, shape (M,).
    """

    s: Floats
    reach: float
    error: float
    values: Floats


@dataclass(frozen=True, slots=True)
class Priced:
    """The slopes at a vertex.

    Attributes:
        gradient: the gradient, in s, of the sum of all residuals that do not vanish.
        multipliers: the multipliers of the basis.
        errors: bounds on the absolute errors of the multipliers.
    """

    gradient: Floats
    multipliers: Floats
    errors: Floats


def invert(floats: FloatRegression, basis: Sequence[int] | Places) -> Inverse | None:
    """Returns an inverse of a basis' rows; None if it is too inaccurate for the bounds.

    |I - R Â| ≤ |I - R A| + |R| |Â - A|, where the computed I - R A errs by at most slack · |R| |A|.
    """
    places = np.array(basis, dtype=np.intp)
    rows = floats.rows.take(places, axis=0)
    try:
        # NumPy's annotations leave the type of the result open
        inverse: Any = np.linalg.inv(rows)
    except np.linalg.LinAlgError:
        return None
    return _certify(floats, places, rows, inverse, np.inf)


def exchange(floats: FloatRegression, at: Inverse, slot: int, entering: int) -> Inverse | None:
    """Returns an inverse of the basis with another row in a slot, by an update where that is accurate; see `invert`."""
    places = at.places.copy()
    places[slot] = entering
    row = floats.rows[entering]
    products = row @ at.inverse
    pivot = float(products[slot])
    if abs(pivot) > _PIVOT:
        rows = at.rows.copy()
        rows[slot] = row
        # R - R e_s (v - e_s) / v_s for v = row · R
        products[slot] -= 1.0
        inverse = at.inverse - np.multiply.outer(at.inverse[:, slot] / pivot, products)
        if floats.rank > _FEW:
            carried = _carry(floats, at, slot, places, (rows, inverse, products, pivot))
            if carried is not None:
                return carried
        updated = _certify(floats, places, rows, inverse, _DRIFTED)
        if updated is None:
            # Newton's step squares the defect, at half the cost of an inverse from scratch
            defect = floats.identity - inverse @ rows
            inverse += defect @ inverse
            updated = _certify(floats, places, rows, inverse, _DRIFTED)
        if updated is not None:
            return updated
    return invert(floats, places)


def _carry(
    floats: FloatRegression, at: Inverse, slot: int, places: Places, update: tuple[Floats, Floats, Floats, float]
) -> Inverse | None:
    """Returns an updated inverse with bounds on its defects from those before; None where these have grown too much.

    Source: proofs/long-step.md, section 6, *carried*: E' = E - (R e_s)(a E - δ A)/v_s - F A'. This costs r², while
    computing the defect costs r³.

    Args:
        floats: the problem.
        at: the inverse before.
        slot: the slot s that is exchanged.
        places: the places of the new basis.
        update: the new rows, the computed inverse, v - e_s, and v_s.
    """
    rows, inverse, products, pivot = update
    row_error = float(floats.reach_errors[places[slot]])
    norms = floats.spreads.take(places)
    old_norms = norms.copy()
    old_norms[slot] = floats.spreads[at.places[slot]]
    column = at.sizes[:, slot] / abs(pivot)
    greatest, total = float(column.max()), float(column.sum())
    # Σ |δ_j| |a_j|
    lost = 2.0 * row_error * float(at.sizes.max(axis=0) @ old_norms)
    reach = float(np.abs(rows[slot]).max()) + row_error
    moved = float(np.abs(products) @ norms)
    shares = at.sizes @ norms
    rounding = 4.0 * 2.0**-53
    row_defect = at.row_defect + greatest * (float(norms[slot]) * at.row_defect + lost)
    row_defect = (row_defect + rounding * (float(shares.max()) + greatest * moved) + TINY) * SAFETY
    column_defect = at.column_defect + total * (reach * at.column_defect + lost)
    column_defect = (column_defect + rounding * (float(shares.sum()) + total * moved) + TINY) * SAFETY
    # the comparison is written so that NaN is refused
    if not (row_defect < _CARRIED and column_defect < _CARRIED):
        return None
    reach_errors = floats.reach_errors.take(places)
    return Inverse(places, rows, reach_errors, inverse, np.abs(inverse), row_defect, column_defect)


def _certify(floats: FloatRegression, places: Places, rows: Floats, inverse: Floats, accepted: float) -> Inverse | None:
    """Returns an inverse with its defects; None if the defects, or the computed defect, are too large."""
    sizes: Floats = np.abs(inverse)
    defect = inverse @ rows
    defect -= floats.identity
    total = floats.rank * float(np.abs(defect, out=defect).max())
    reach_errors = floats.reach_errors.take(places)
    errors = sizes @ reach_errors
    row_defect = (total + float(errors.max())) * SAFETY
    column_defect = (total + float(errors.sum())) * SAFETY
    # the comparison is written so that NaN is refused
    if not (total < accepted and row_defect < _REGULAR_ROWS and column_defect < _REGULAR_COLUMNS):
        return None
    return Inverse(places, rows, reach_errors, inverse, sizes, row_defect, column_defect)


def locate(floats: FloatRegression, at: Inverse) -> Located:
    """Returns the point at which the residuals of a basis vanish, and all residuals at that point."""
    right = -floats.values.take(at.places)
    s = at.inverse @ right
    s += at.inverse @ (right - at.rows @ s)
    reach = float(np.abs(s).max())
    rest = np.abs(right - at.rows @ s)
    rest += at.reach_errors * reach
    rest += floats.fixed_errors.take(at.places)
    error = float((at.sizes @ rest).max()) * ((1.0 + 2.0 * at.row_defect) * SAFETY)
    return Located(s, reach, error, floats.values_at(s))


def price(floats: FloatRegression, at: Inverse, signs: Floats) -> Priced:
    """Returns the gradient of the members with given signs, and the multipliers of the basis."""
    gradient = floats.combine(signs)
    if floats.pull is not None:
        gradient += floats.pull
    multipliers = gradient @ at.inverse
    multipliers += (gradient - multipliers @ at.rows) @ at.inverse
    sizes = np.abs(multipliers)
    # rows of coordinates may be far larger than other rows in some columns
    rest = sizes @ np.abs(at.rows)
    rest += np.abs(gradient)
    rest *= slack(floats.rank)
    rest += np.abs(gradient - multipliers @ at.rows)
    rest += floats.gradient_error
    rest += float(floats.floors.take(at.places) @ sizes)
    rest += 2.0 * at.column_defect * float(rest.max())
    return Priced(gradient, multipliers, (rest @ at.sizes) * SAFETY)


@dataclass(frozen=True, slots=True)
class Vertex:
    """A vertex in floats.

    Attributes:
        at: the inverse of its basis.
        located: the place of the vertex.
        signs: the certain signs of the members, shape (M,); 0 for the basis, for residuals that vanish, and beyond the
            members.
        vanishing: the members outside the basis whose residuals vanish, increasing.
        priced: the slopes at the vertex.
    """

    at: Inverse
    located: Located
    signs: Floats
    vanishing: list[int]
    priced: Priced


def certain_signs(floats: FloatRegression, at: Inverse, located: Located) -> tuple[Floats, list[int]]:
    """Returns the signs of the members, 0 for the basis and for uncertain signs, and the places of uncertain signs."""
    count = floats.count
    sizes = np.abs(located.values)
    sizes[at.places] = np.inf
    signs = np.copysign(1.0, located.values)
    signs[at.places] = 0.0
    signs[count:] = 0.0
    # mostly one bound shows all signs; the comparison is written so that NaN is uncertain
    if float(sizes[:count].min(initial=np.inf)) > floats.greatest_error(located.reach, located.error):
        return signs, []
    unsure = ~(sizes > floats.errors(located.reach, located.error))[:count]
    signs[:count][unsure] = 0.0
    return signs, unsure.nonzero()[0].tolist()


def is_certainly(floats: FloatRegression, located: Located, place: int, side: int) -> bool:
    """Returns whether a residual or coordinate certainly has the sign of a side; False says nothing."""
    error = floats.reach_errors[place] * located.reach + floats.fixed_errors[place]
    return bool(located.values[place] * side > error + floats.spreads[place] * located.error)


def falls_forever(floats: FloatRegression, at: Inverse, slot: int, side: int) -> bool:
    """Returns whether the loss certainly falls along an edge forever; False says nothing.

    Args:
        floats: the problem.
        at: the inverse of the basis of the vertex at which the edge begins.
        slot: the slot of the row of the basis that the edge leaves.
        side: the sign that this row gets along the edge.
    """
    if floats.pull is None:
        # a sum of absolute values does not fall forever
        return False
    direction, count = at.inverse[:, slot] * side, floats.count
    reach = float(np.abs(direction).max())
    error = at.row_defect * 2.0 * reach
    rate_errors = floats.reach_errors[:count] * reach + floats.spreads[:count] * error
    rates = np.abs(floats.times(direction))
    rates[at.places] = 0.0
    # the rates of the leaving row's own term and of all others
    total = float(rates[:count].sum()) + (1.0 if at.places[slot] < count else 0.0)
    # far out every residual grows in size, so that the slope is that of the linear term plus all rates
    slope = float(floats.pull @ direction) + total
    bound = float(rate_errors.sum()) + slack(count) * total + float(floats.pull_error @ np.abs(direction))
    bound += (slack(floats.rank) * reach + error) * float(np.abs(floats.pull).sum() + floats.pull_error.sum())
    return slope + bound * SAFETY < 0.0


def room_of_ties(floats: FloatRegression, at: Inverse, slot: int, tied: Sequence[int]) -> float:
    """Returns a lower bound on the sum of some members' rates, for a rate 1 of the basis' row in a slot."""
    if not tied:
        return 0.0
    places, column = np.array(tied, dtype=np.intp), at.inverse[:, slot]
    reach = float(np.abs(column).max())
    error = 2.0 * at.row_defect * reach
    parts = np.abs(floats.rows[places] @ column) - floats.reach_errors[places] * reach - floats.spreads[places] * error
    return float(np.maximum(parts, 0.0).sum()) * (1.0 - slack(len(places)))
