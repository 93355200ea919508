"""Settling: kinks that move freely of the others are decided one by one, and leave a smaller form behind.

Let r be a kink whose |z_r| occurs in no other kink's form, and Z_r independent of the other rows: Z_r·e = 1 and
Z_k·e = 0 for all others, for some e. With λ = g·e, F(d) = F'(d) + λ z_r + b_r |z_r|, where F' has the slope g - λ Z_r,
the weights b_k - λ L_rk, and no kink r. So F ≥ 0 iff F' ≥ 0 and |λ| ≤ b_r. A kink whose |z| occurs nowhere is settled
with λ = 0. At a degenerate vertex this leaves the kinks that cause the degeneracy. (Rows that are independent of all
others together are the coloops of the rows' matroid.) Source: proofs/minimality-tree.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from flint import fmpq_mat, fmpz_mat, nmod_mat
from gmpy2 import mpq, mpz

from exactdrl.cells.local_form import LocalForm
from exactdrl.exact.linear import PRIME, pivot_columns, primitive, to_integers, to_matrix, to_mpz

_ZERO = mpq(0)


@dataclass(frozen=True, slots=True)
class SettledKink:
    """A settled kink.

    Attributes:
        position: in the form.
        multiplier: λ.
        escape: e, up to a factor; None for a kink without effect.
        round: in which it was found; the escape of one kink moves no other's row of the same round.
    """

    position: int
    multiplier: mpq
    escape: tuple[mpz, ...] | None
    round: int


@dataclass(frozen=True, slots=True)
class Settled:
    """A form without its settled kinks.

    Attributes:
        form: the whole, reduced form.
        kinks: the settled ones, in the order in which they were settled.
        remaining: positions of the kinks that are left, in address order.
        slope: of F'.
        weights: of F', for all kinks of the form; those of settled kinks are final.
    """

    form: LocalForm
    kinks: tuple[SettledKink, ...]
    remaining: tuple[int, ...]
    slope: tuple[mpq, ...]
    weights: tuple[mpq, ...]

    def resting(self) -> list[int]:
        """Returns kinks that rest where F = 0, if the remaining ones rest where F' = 0: then Z_j · d = 0 for them all.

        These are the remaining ones and the settled ones with |λ| < b that fold none but these.
        """
        strict = {kink.position for kink in self.kinks if abs(kink.multiplier) < self.weights[kink.position]}
        resting = set(self.remaining)
        for position in sorted(strict):
            if all(k in resting for k in self.form.folds[position]):
                resting.add(position)
        return sorted(resting)

    def lift(self, direction: Sequence[mpq]) -> tuple[mpq, ...]:
        """Returns a direction with the same F' along which settled kinks rest, so that F there is F' here."""
        return self._rest(list(direction), self.kinks)

    def push(self, kink: SettledKink) -> tuple[mpq, ...]:
        """Returns a direction along which a settled kink changes by ∓1 against its λ, and F by b - |λ|."""
        direction = _move(self.form, [_ZERO] * len(self.slope), kink, mpq(-1 if kink.multiplier > 0 else 1))
        before = self.kinks[: self.kinks.index(kink)]
        # those found together with it rest already, unless they fold something
        return self._rest(direction, [k for k in before if k.round != kink.round or self.form.folds[k.position]])

    def _rest(self, direction: list[mpq], kinks: Sequence[SettledKink]) -> tuple[mpq, ...]:
        """Returns a direction along which some settled kinks rest too, and those after them change as before."""
        for kink in reversed(kinks):
            direction = _move(self.form, direction, kink, _ZERO)
        return tuple(direction)


def settle(form: LocalForm) -> Settled | tuple[mpq, ...]:
    """Settles what can be settled of a reduced form, or returns a direction with F < 0.

    Where several kinks show a descent at once it is the steepest of theirs.
    """
    rows = [to_integers(row)[0] for row in form.rows]
    state = Settled(form, (), tuple(range(len(rows))), form.slope, form.weights)
    while True:
        found = _find(state, rows)
        if not found:
            return state
        for kink in found:
            state = _without(state, kink)
        descent = _steepest(state, found)
        if descent is not None:
            return descent


def _steepest(state: Settled, kinks: Sequence[SettledKink]) -> tuple[mpq, ...] | None:
    """Returns, of the descents along which one settled kink changes, the steepest; slopes are compared by squares."""
    best, best_slope, best_length = None, _ZERO, mpq(1)
    for kink in kinks:
        excess = abs(kink.multiplier) - state.weights[kink.position]
        if excess > 0:
            direction = state.push(kink)
            slope, length = excess**2, sum((d * d for d in direction), _ZERO)
            if best is None or slope * best_length > best_slope * length:
                best, best_slope, best_length = direction, slope, length
    return best


def _find(state: Settled, rows: Sequence[Sequence[mpz]]) -> list[SettledKink]:
    """Returns remaining kinks that can be settled one after another, the deepest first; empty if there are none."""
    form, n = state.form, len(state.slope)
    used = {k for j in state.remaining for k in form.folds[j]}
    last = [position for position in reversed(state.remaining) if position not in used]
    idle = [SettledKink(position, _ZERO, None, len(state.kinks)) for position in last if not state.weights[position]]
    if idle:
        return idle
    found = _find_coloops(state, [rows[k] for k in state.remaining], last, n, is_modular=True)
    # a row may be a coloop modulo a prime only, or be missed; then all is done again over Q
    return found if found is not None else _find_coloops(state, [rows[k] for k in state.remaining], last, n) or []


def _find_coloops(
    state: Settled, rows: Sequence[Sequence[mpz]], last: Sequence[int], n: int, *, is_modular: bool = False
) -> list[SettledKink] | None:
    """Returns the kinks that no other folds, the deepest first, whose rows are coloops.

    Args:
        state: whose remaining kinks are looked at.
        rows: theirs.
        last: those that no other kink folds, the deepest first.
        n: the length of a row.
        is_modular: look for them modulo a prime. What is found is checked over Q, and that none is missed; None if that
            fails.
    """
    chosen, found_rows = (coloops_modular if is_modular else coloops)(rows, n)
    # with as much rank modulo the prime as over Q no coloop is missed: without it the rank falls here too
    if is_modular and len(chosen) < n and len(chosen) < to_matrix(rows, n).rank():
        return None
    place = {position: index for index, position in enumerate(state.remaining)}
    free = [position for position in last if place[position] in set(found_rows)]
    if not free:
        return []
    matrix = to_matrix(rows, n)
    basis = [rows[index] for index in chosen]
    columns = range(n) if len(basis) == n else pivot_columns(basis, n)
    square = fmpz_mat(len(basis), len(basis), [int(row[column]) for row in basis for column in columns])
    units = [[int(index == place[position]) for position in free] for index in chosen]
    solved, _ = fmpq_mat(square).solve(fmpq_mat(fmpz_mat(units))).numer_denom()
    escapes = fmpz_mat(n, len(free))
    for k, column in enumerate(columns):
        for c in range(len(free)):
            escapes[column, c] = solved[k, c]
    moved = (matrix * escapes).tolist()
    found = []
    for c, position in enumerate(free):
        if any(row[c] != 0 for index, row in enumerate(moved) if index != place[position]):
            if is_modular:
                return None
            raise AssertionError("a coloop moves other rows: this is a bug")
        escape = primitive([to_mpz(escapes[k, c]) for k in range(n)])
        multiplier = _dot(state.slope, escape) / _dot(state.form.rows[position], escape)
        found.append(SettledKink(position, multiplier, escape, len(state.kinks)))
    return found


def coloops(rows: Sequence[Sequence[mpz]], width: int) -> tuple[tuple[int, ...], list[int]]:
    """Returns the first independent rows, and the coloops: rows that are independent of all others together. Exact."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    pivots = pivot_columns(columns, len(rows)) if rows and width else ()
    reduced = to_matrix(columns, len(rows)).rref()[0] if pivots else None
    found = [
        pivot
        for index, pivot in enumerate(pivots)
        if reduced is not None and all(reduced[index, other] == 0 for other in range(len(rows)) if other != pivot)
    ]
    return pivots, found


def coloops_modular(rows: Sequence[Sequence[mpz]], width: int) -> tuple[tuple[int, ...], list[int]]:
    """Returns rows that are independent, and those of them that are coloops modulo a prime.

    Rows that are independent modulo a prime are so over Q; the converse fails, so that there may be more, and where the
    rank is less than over Q some may be missed.
    """
    if not rows or not width:
        return (), []
    reduced, rank = nmod_mat(to_matrix(rows, width).transpose(), PRIME).rref()
    pivots: list[int] = []
    found: list[int] = []
    for line in reduced.tolist()[:rank]:
        places = [index for index, entry in enumerate(line) if int(entry)]
        pivots.append(places[0])
        if len(places) == 1:
            found.append(places[0])
    return tuple(pivots), found


def _without(state: Settled, kink: SettledKink) -> Settled:
    form, position, multiplier = state.form, kink.position, kink.multiplier
    weights = list(state.weights)
    for k, fold in form.folds[position].items():
        weights[k] -= multiplier * fold
    return Settled(
        form,
        (*state.kinks, kink),
        tuple(k for k in state.remaining if k != position),
        tuple(g - multiplier * a for g, a in zip(state.slope, form.rows[position], strict=True)),
        tuple(weights),
    )


def _move(form: LocalForm, direction: list[mpq], kink: SettledKink, goal: mpq) -> list[mpq]:
    """Returns a direction along which a settled kink changes by `goal`, and the kinks left after it as before."""
    if kink.escape is None:
        return direction
    change = form.kink_change(kink.position, direction)
    if change == goal:
        return direction
    length = (goal - change) / _dot(form.rows[kink.position], kink.escape)
    return [d + length * e for d, e in zip(direction, kink.escape, strict=True)]


def _dot(left: Sequence[mpq], right: Sequence[mpz]) -> mpq:
    return sum((a * b for a, b in zip(left, right, strict=True) if b), _ZERO)
