"""Settling: kinks that move freely of the others are decided one by one, and leave a smaller form behind.

Let r be a kink whose |z_r| occurs in no other kink's form, and Z_r independent of the other rows: Z_r·e = 1 and
Z_k·e = 0 for all others, for some e. With λ = g·e, F(d) = F'(d) + λ z_r + b_r |z_r|, where F' has the slope g - λ Z_r, the
weights b_k - λ L_rk, and no kink r. So F ≥ 0 iff F' ≥ 0 and |λ| ≤ b_r, and F > 0 off 0 iff F' is positive where it is
defined and |λ| < b_r. A kink whose |z| occurs nowhere is settled with λ = 0. At a degenerate vertex this leaves the
kinks that cause the degeneracy. Source: proofs/minimality-tree.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gmpy2 import mpq, mpz

from exactdrl.exact.linear import independent_rows, project_out, solve_rows, to_integers
from exactdrl.minimality.local_form import LocalForm

_ZERO = mpq(0)


@dataclass(frozen=True, slots=True)
class Settled:
    """A form without its settled kinks.

    Attributes:
        form: the whole, reduced form.
        multipliers: λ of the settled kinks, by their position in the form.
        remaining: positions of the kinks that are left, in address order.
        slope: of F'.
        weights: of F', for all kinks of the form; those of settled kinks are final: |λ| ≤ b is what they need.
    """

    form: LocalForm
    multipliers: dict[int, mpq]
    remaining: tuple[int, ...]
    slope: tuple[mpq, ...]
    weights: tuple[mpq, ...]

    @property
    def is_strict(self) -> bool:
        """Returns whether F' > 0 makes F > 0: all settled kinks that move have |λ| < b."""
        return all(abs(m) < self.weights[r] for r, m in self.multipliers.items() if m or self.weights[r])

    def lift(self, direction: Sequence[mpq]) -> tuple[mpq, ...]:
        """Returns a direction with the same F' and with every settled kink at rest, so that F there is F' here."""
        return _move(self, direction, {})


def settle(form: LocalForm) -> Settled | tuple[mpq, ...]:
    """Settles what can be settled of a reduced form, or returns a direction with F < 0."""
    rows = [to_integers(row)[0] for row in form.rows]
    slope, weights = list(form.slope), list(form.weights)
    remaining = list(range(len(rows)))
    multipliers: dict[int, mpq] = {}
    n = len(slope)
    while True:
        used = {k for j in remaining for k in form.folds[j]}
        position, escape = _next(remaining, used, weights, rows, n)
        if position is None:
            break
        remaining.remove(position)
        multipliers[position] = _ZERO
        if escape is not None:
            along = sum((a * e for a, e in zip(form.rows[position], escape, strict=True)), _ZERO)
            factor = sum((g * e for g, e in zip(slope, escape, strict=True)), _ZERO) / along
            multipliers[position] = factor
            slope = [g - factor * a for g, a in zip(slope, form.rows[position], strict=True)]
            for k, fold in form.folds[position].items():
                weights[k] -= factor * fold
        state = Settled(form, dict(multipliers), tuple(remaining), tuple(slope), tuple(weights))
        if abs(multipliers[position]) > weights[position]:
            side = -1 if multipliers[position] > 0 else 1
            return _move(state, [_ZERO] * n, {position: mpq(side)})
    return Settled(form, multipliers, tuple(remaining), tuple(slope), tuple(weights))


def _next(
    remaining: Sequence[int], used: set[int], weights: Sequence[mpq], rows: Sequence[Sequence[mpz]], n: int
) -> tuple[int | None, list[mpz] | None]:
    """Returns the deepest kink that can be settled, and a vector e for it, None if it has no effect."""
    for position in reversed(remaining):
        if position in used:
            continue
        if not weights[position]:
            return position, None
        others = [rows[k] for k in remaining if k != position]
        basis = [others[k] for k in independent_rows(others, n)]
        escape = project_out(basis, rows[position])
        if any(escape):
            return position, escape
    return None, None


def _move(state: Settled, direction: Sequence[mpq], wanted: dict[int, mpq]) -> tuple[mpq, ...]:
    """Returns a direction along which remaining kinks change as along `direction`, settled ones as wanted, else 0."""
    form = state.form
    changes = form.kink_changes(direction)
    right: dict[int, mpq] = dict.fromkeys(state.remaining, _ZERO)
    for r, multiplier in sorted(state.multipliers.items()):
        if not multiplier and not state.weights[r]:
            continue
        goal = wanted.get(r, _ZERO)
        folded = sum((c * abs(wanted.get(k, _ZERO) if k in right else changes[k]) for k, c in form.folds[r].items()), _ZERO)
        right[r] = goal - folded
    return tuple(direction)
