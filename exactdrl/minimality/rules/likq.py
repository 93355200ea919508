"""LIKQ: the linear-independence kink qualification, where it holds, decides minimality by one linear solve.

Let the rows Z_j be independent, λ the one solution of g = Zᵀλ, and c_j = b_j - Σ_{k>j} L_kj λ_k. The point is a local
minimum iff |λ_j| ≤ c_j for all j, and a strict one iff all |λ_j| < c_j and Z has rank n. At a regular vertex these are
the signs of all 2n slopes. Source: the theory of abs-normal forms (Griewank and Walther); proofs/likq.md proves it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gmpy2 import mpq

from exactdrl.cells.local_form import LocalForm
from exactdrl.exact.linear import independent_rows, project_out, solve_combination, solve_rows, to_integers

_ZERO = mpq(0)


@dataclass(frozen=True, slots=True)
class Qualified:
    """What LIKQ decides.

    Attributes:
        is_minimum: whether F is nowhere negative.
        is_strict: whether F is positive everywhere but at 0, in the reduced parameters.
        descent: a direction with F < 0 where it is no minimum, else None.
        flat: a direction along which a kink changes and F is 0; None if there is none.
    """

    is_minimum: bool
    is_strict: bool
    descent: tuple[mpq, ...] | None
    flat: tuple[mpq, ...] | None = None


def reduce_form(form: LocalForm) -> LocalForm:
    """Returns the same F with fewer kinks: zero forms dropped, proportional ones merged, kinks without effect dropped.

    Source: proofs/FORMAT.md, section 5, Reduction.
    """
    rows = list(form.rows)
    folds = [dict(fold) for fold in form.folds]
    weights = list(form.weights)
    alive = list(range(len(rows)))
    # each row in proportion to its first entry other than 0, which does not change while folds are replaced
    leads = [next((value for value in row if value), None) for row in rows]
    ratios = [
        () if lead is None else tuple((column, value / lead) for column, value in enumerate(row) if value)
        for row, lead in zip(rows, leads, strict=True)
    ]
    changed = True
    while changed:
        changed = False
        seen: dict[tuple[tuple[tuple[int, mpq], ...], ...], tuple[int, mpq]] = {}
        for j in list(alive):
            fold = tuple(sorted((k, value) for k, value in folds[j].items() if value))
            lead = leads[j] or next((value for _, value in fold), None)
            if lead is None:
                factor, into = _ZERO, None
            else:
                key = (ratios[j], tuple((k, value / lead) for k, value in fold))
                if key not in seen:
                    seen[key] = (j, lead)
                    continue
                into, other = seen[key]
                factor = abs(lead / other)
            _substitute(j, into, factor, folds=folds, weights=weights, alive=alive)
            alive.remove(j)
            changed = True
        for j in reversed(list(alive)):
            if not weights[j] and not any(folds[k].get(j) for k in alive):
                alive.remove(j)
                changed = True
    position = {old: new for new, old in enumerate(alive)}
    return LocalForm(
        tuple(form.kinks[j] for j in alive),
        tuple(rows[j] for j in alive),
        tuple({position[k]: value for k, value in folds[j].items() if value} for j in alive),
        form.slope,
        tuple(weights[j] for j in alive),
    )


def _substitute(
    gone: int, into: int | None, factor: mpq, *, folds: list[dict[int, mpq]], weights: list[mpq], alive: Sequence[int]
) -> None:
    """Replaces |z_gone| by factor · |z_into| wherever it occurs, by 0 if `into` is None."""
    if into is not None:
        weights[into] += factor * weights[gone]
    for k in alive:
        value = folds[k].pop(gone, None)
        if value and into is not None:
            folds[k][into] = folds[k].get(into, _ZERO) + factor * value


def decide_by_likq(form: LocalForm) -> Qualified | None:
    """Returns what LIKQ decides about a reduced form; None where the rows are dependent, so that it does not apply."""
    n = len(form.slope)
    integer_rows = [to_integers(row)[0] for row in form.rows]
    scales = [to_integers(row)[1] for row in form.rows]
    if len(integer_rows) > n or len(independent_rows(integer_rows, n)) < len(integer_rows):
        return None
    scaled = solve_combination(integer_rows, form.slope)
    if scaled is None:
        integers, _ = to_integers(form.slope)
        return Qualified(
            is_minimum=False, is_strict=False, descent=tuple(mpq(-p) for p in project_out(integer_rows, integers))
        )
    multipliers = [value * scale for value, scale in zip(scaled, scales, strict=True)]
    bounds = list(form.weights)
    for k, fold in enumerate(form.folds):
        for j, value in fold.items():
            bounds[j] -= value * multipliers[k]
    for j, (multiplier, bound) in enumerate(zip(multipliers, bounds, strict=True)):
        if abs(multiplier) > bound:
            return Qualified(
                is_minimum=False, is_strict=False, descent=_descent(form, integer_rows, scales, j, multiplier)
            )
    tight = next((j for j, (m, c) in enumerate(zip(multipliers, bounds, strict=True)) if abs(m) == c), None)
    flat = None if tight is None else _descent(form, integer_rows, scales, tight, multipliers[tight])
    return Qualified(is_minimum=True, is_strict=len(form.rows) == n and tight is None, descent=None, flat=flat)


def _descent(
    form: LocalForm, rows: Sequence[Sequence[mpq]], scales: Sequence[mpq], j: int, multiplier: mpq
) -> tuple[mpq, ...]:
    """Returns d with z_j = ∓1 against λ_j's sign and all other z = 0, so F(d) = c_j - |λ_j|."""
    right = [-fold.get(j, _ZERO) for fold in form.folds]
    right[j] = mpq(-1 if multiplier > 0 else 1)
    return tuple(solve_rows(rows, [value * scale for value, scale in zip(right, scales, strict=True)]))
