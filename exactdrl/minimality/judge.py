"""The verdict on a point: the rules that decide, in their order."""

from gmpy2 import mpq

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.scan import Values, scaled_loss
from exactdrl.exact.linear import independent_rows, solve_rows, to_integers
from exactdrl.minimality.likq import decide_by_likq, reduce_form
from exactdrl.minimality.local_form import LocalForm, localise
from exactdrl.minimality.verdict import LocalMinimum, NotMinimum, StrictLocalMinimum, Undecided, Verdict


def judge(problem: IntegerProblem, values: Values) -> Verdict:
    """Returns the verdict on the point whose scaled values are given.

    Exact. LIKQ decides regular vertices and the degenerate ones whose extra kinks merge or have no effect; elsewhere a
    descent may be found by trial, and `Undecided` is returned if none is.
    """
    form = localise(problem, values)
    reduced = reduce_form(form)
    qualified = decide_by_likq(reduced)
    if qualified is not None:
        if qualified.descent is not None:
            return NotMinimum(qualified.descent)
        return StrictLocalMinimum() if qualified.is_strict and not problem.lineality else LocalMinimum("likq")
    if scaled_loss(problem, values) == 0:
        return LocalMinimum("zero-loss")
    descent = find_descent(reduced)
    return NotMinimum(descent) if descent is not None else Undecided(len(form.kinks))


def find_descent(form: LocalForm) -> tuple[mpq, ...] | None:
    """Returns a direction with F < 0, the first among some that are tried; None says only that none of these is one.

    Tried, in this order: minus the gradient of each cell met so far, and the directions that leave one kink of a basis
    and keep the others.
    """
    n = len(form.slope)
    if not any(form.rows):
        return None
    tried: list[tuple[mpq, ...]] = [tuple(-g for g in form.slope)]
    rows = [to_integers(row)[0] for row in form.rows]
    chosen = independent_rows(rows, n)
    for index in chosen:
        for side in (1, -1):
            right = [mpq(side) if other == index else -form.folds[other].get(index, mpq(0)) for other in chosen]
            scales = [to_integers(form.rows[other])[1] for other in chosen]
            solved = solve_rows([rows[other] for other in chosen], [r * s for r, s in zip(right, scales, strict=True)])
            tried.append(tuple(solved))
    for direction in tried:
        if form.change(direction) < 0:
            return direction
    return None
