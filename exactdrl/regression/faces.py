"""All minimisers of an output's loss: the face of optimal solutions, and the range of each parameter on it.

Let e_i be multipliers of all members with Σ e_i ω_i x_i = -π and |e_i| ≤ 1, where e_i is the sign of a residual that is
not 0. They prove that a point u is a minimiser. Another point v is a minimiser exactly if e_i r_i(v) = |r_i(v)| for
every member, that is, r_i(v) = 0 where |e_i| < 1, and r_i(v) e_i ≥ 0 elsewhere. So the minimisers form a polyhedron. It
is bounded where the loss grows in every direction.

Let v be a minimiser of L - ε c for some ε > 0 and a linear function c. If L is least at v, c is greatest at v among all
minimisers w of L, since L(w) - ε c(w) ≥ L(v) - ε c(v) and L(w) = L(v). So the same walk finds v, and one exact loss
proves it. Source: proofs/long-step.md, section 9.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gmpy2 import mpq, mpz

from exactdrl.exact.linear import independent_rows
from exactdrl.regression.convex import UnitOptimum
from exactdrl.regression.exact import ExactRegression
from exactdrl.regression.filtered import FilteredRegression
from exactdrl.regression.long_step import descend
from exactdrl.regression.protocol import Regression

Parameters = tuple[mpq, ...]

# ε is 2 to minus these bits, times the size of the problem's gradients; the next one is tried where L is not least
_BITS = (30, 80, 200, 500, 1200, 3000, 8000, 20000)


@dataclass(frozen=True, slots=True)
class Face:
    """The face of all minimisers.

    Attributes:
        dimension: the dimension of the face; 0 if there is only one minimiser.
        least: the least value of each parameter on the face, r rationals.
        greatest: the greatest value of each parameter on the face, r rationals.
    """

    dimension: int
    least: Parameters
    greatest: Parameters

    @property
    def is_point(self) -> bool:
        """Returns whether there is only one minimiser."""
        return not self.dimension


def multipliers_at(optimum: UnitOptimum) -> list[mpq]:
    """Returns the multipliers e of all members that prove the optimum: Σ e ω (true normal) is minus the linear term."""
    arithmetic = optimum.arithmetic
    found = [mpq(sign) for sign in arithmetic.signs()]
    for place, sign in optimum.signs.items():
        found[place] = mpq(sign)
    # the multipliers of the basis balance all others
    for place, value in zip(optimum.basis, arithmetic.multipliers_of(optimum.basis, optimum.signs), strict=True):
        found[place] = -value
    return found


def find_face(optimum: UnitOptimum) -> Face:
    """Returns the face of minimisers. The loss must grow in every direction, so that the face is bounded."""
    regression, here = optimum.arithmetic.regression, optimum.arithmetic.parameters()
    held = [place for place, e in enumerate(multipliers_at(optimum)) if abs(e) < 1]
    rank = regression.problem.rank
    if _rank(regression, held) == rank:
        return Face(0, here, here)
    corners = {here}
    spans = []
    for index in range(rank):
        ends = []
        for side in (1, -1):
            corner = _find_corner(optimum, [mpq(side * (other == index)) for other in range(rank)])
            corners.add(corner)
            ends.append(corner[index])
        spans.append(ends)
    dimension = _find_dimension(optimum, held, corners)
    return Face(dimension, tuple(ends[1] for ends in spans), tuple(ends[0] for ends in spans))


def _find_dimension(optimum: UnitOptimum, held: Sequence[int], corners: set[Parameters]) -> int:
    """Returns the dimension of the face, which is r minus the rank of the residuals that vanish on all of it."""
    regression = optimum.arithmetic.regression
    signs = multipliers_at(optimum)
    always = list(held)
    # a residual that vanishes at all corners found so far may grow elsewhere on the face
    for place in (place for place, e in enumerate(signs) if abs(e) == 1):
        if any(_residual(regression, place, corner) for corner in corners):
            continue
        if _rank(regression, [*always, place]) == _rank(regression, always):
            continue
        row = regression.row(place)
        corner = _find_corner(optimum, [signs[place] * entry for entry in row])
        corners.add(corner)
        if not _residual(regression, place, corner):
            always.append(place)
    return regression.problem.rank - _rank(regression, always)


def _find_corner(optimum: UnitOptimum, goal: Sequence[mpq]) -> Parameters:
    """Returns a minimiser at which a linear function is greatest among all minimisers."""
    arithmetic = optimum.arithmetic
    regression = arithmetic.regression
    least = ExactRegression(regression, list(optimum.basis)).loss()
    size = max(map(abs, goal), default=mpq(0))
    # about what the rows sum to, as a power of 2
    scale = max((abs(entry) for entry in regression.linear[0]), default=mpz(0)) // regression.scale + regression.count
    for bits in _BITS:
        unit = mpq(1, mpz(1) << bits) * (mpz(1) << int(scale).bit_length()) / size
        term = regression.with_term([-unit * entry for entry in goal])
        found = FilteredRegression(term, list(optimum.basis))
        if descend(found) is not None and ExactRegression(regression, found.basis).loss() == least:
            return found.parameters()
    raise AssertionError("no corner of the face was found: this is a bug")


def _rank(regression: Regression, places: Iterable[int]) -> int:
    rows = [regression.row(place) for place in places]
    return len(independent_rows(rows, regression.problem.rank)) if rows else 0


def _residual(regression: Regression, place: int, parameters: Parameters) -> mpq:
    row = regression.row(place)
    return sum((entry * value for entry, value in zip(row, parameters, strict=True)), mpq(regression.offset(place)))
