"""Finds the verdict on a point, by rules in a fixed order."""

from collections.abc import Callable
from dataclasses import dataclass

from gmpy2 import mpq, mpz

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.local_form import LocalForm, localise
from exactdrl.cells.reach import affine_reach, short_step
from exactdrl.cells.scan import Values, scaled_loss
from exactdrl.minimality.decide import SMALL, Budget, Strict, decide_blocks, prove_strict
from exactdrl.minimality.rules.blocks import Block, find_escape, split
from exactdrl.minimality.rules.flat import face_dimension, find_flat, find_still
from exactdrl.minimality.rules.likq import decide_by_likq, reduce_form
from exactdrl.minimality.rules.settle import Settled, settle
from exactdrl.minimality.tree.tree import Closed
from exactdrl.minimality.tree.unscale import to_witness
from exactdrl.minimality.tree.witness import is_writable
from exactdrl.minimality.verdict import Flat, LocalMinimum, NotMinimum, StrictLocalMinimum, Undecided, Verdict

# work of a tree, see `close_tree`: a node at a dead unit in R^4 with 40 samples costs 1 and takes about a millisecond
DEFAULT_BUDGET = 4000


def judge(
    problem: IntegerProblem,
    values: Values,
    *,
    denominator: mpz | None = None,
    loss: mpq | None = None,
    budget: int = DEFAULT_BUDGET,
    on_node: Callable[[int], None] | None = None,
) -> Verdict:
    """Returns the verdict on the point whose scaled values are given.

    Exact and deterministic. LIKQ decides regular vertices and the degenerate ones whose extra kinks merge or have no
    effect; elsewhere kinks are settled, units that share no kink are decided apart, and the tree of tangent cells
    decides each block.

    Args:
        problem: the scaled problem.
        values: of the point.
        denominator: of the point, by which its values are scaled; None if no lengths of steps are wanted.
        loss: at the point, to be compared with the lower bound for all parameters; None if it is not to be compared.
        budget: how much work each block's tree may take; beyond it the verdict is `Undecided`.
        on_node: called with the number of the trees' nodes so far.

    Source: proofs/likq.md, proofs/minimality-tree.md.
    """
    form = localise(problem, values)
    is_least = loss is not None and problem.ranges.bound is not None and loss == problem.ranges.bound
    found = _decide(problem, values, form, Budget(budget, on_node), is_least=is_least)
    if isinstance(found, _Descent):
        if form.change(found.direction) >= 0:
            raise AssertionError("a descent does not descend: this is a bug")
        reach = None if denominator is None else affine_reach(problem, values, denominator, found.direction)
        return NotMinimum(found.direction, None if reach is None else short_step(reach))
    if isinstance(found, LocalMinimum) and found.flat is not None and denominator is not None:
        direction = found.flat.direction
        reach = affine_reach(problem, values, denominator, direction)
        flat = Flat(direction, reach, is_measured=True, dimension=face_dimension(form, direction))
        return LocalMinimum(found.by, found.witness, flat)
    return found


@dataclass(frozen=True, slots=True)
class _Descent:
    direction: tuple[mpq, ...]


def _decide(
    problem: IntegerProblem, values: Values, form: LocalForm, budget: Budget, *, is_least: bool
) -> StrictLocalMinimum | LocalMinimum | Undecided | _Descent:
    reduced = reduce_form(form)
    qualified = decide_by_likq(reduced)
    if qualified is not None:
        if qualified.descent is not None:
            return _Descent(qualified.descent)
        if qualified.is_strict and not problem.lineality:
            return StrictLocalMinimum()
        return LocalMinimum("likq", flat=_to_flat(qualified.flat or find_still(reduced)))
    # of a loss that is nowhere negative, outputs that do not remain have no share: the denominator does not matter
    is_zero = problem.instance.loss.is_nonnegative and scaled_loss(problem, values, mpz(1)) == 0
    if is_zero or is_least:
        # a minimum without any work, and with a little of it perhaps a strict one
        strict = None
        if not problem.lineality and find_still(reduced) is None:
            strict = _decide_degenerate(problem, form, reduced, Budget(min(SMALL, budget.work), None))
        return strict if isinstance(strict, StrictLocalMinimum) else LocalMinimum("zero-loss" if is_zero else "bound")
    return _decide_degenerate(problem, form, reduced, budget)


def _decide_degenerate(
    problem: IntegerProblem, form: LocalForm, reduced: LocalForm, budget: Budget
) -> StrictLocalMinimum | LocalMinimum | Undecided | _Descent:
    """Decides where LIKQ does not hold."""
    state = settle(reduced)
    if not isinstance(state, Settled):
        return _Descent(state)
    escape = find_escape(state)
    if escape is not None:
        return _Descent(state.lift(escape))
    blocks = split(state, problem.widths[0])
    decided = decide_blocks(blocks, budget)
    if decided is None:
        return Undecided(len(form.kinks))
    if isinstance(decided, tuple):
        block, direction = decided
        return _Descent(state.lift(block.embed(direction, problem.dimension)))
    return _conclude(problem, form, state, list(zip(blocks, decided, strict=True)), budget)


def _conclude(
    problem: IntegerProblem, form: LocalForm, state: Settled, closed: list[tuple[Block, Closed]], budget: Budget
) -> StrictLocalMinimum | LocalMinimum | Undecided:
    """Returns what closed trees prove."""
    shown = None if problem.lineality else prove_strict(state, closed, problem.widths[0], budget)
    if isinstance(shown, Strict):
        strict = to_witness(problem, shown.state, shown.closed)
        if is_writable(strict):
            return StrictLocalMinimum("tree", strict)
        shown = None
    witness = to_witness(problem, state, closed)
    if not is_writable(witness):
        # a proof that no certificate can hold cannot be checked
        return Undecided(len(form.kinks))
    return LocalMinimum("tree", witness, _to_flat(shown or find_flat(state, closed)))


def _to_flat(direction: tuple[mpq, ...] | None) -> Flat | None:
    return None if direction is None else Flat(direction, None, is_measured=False)
