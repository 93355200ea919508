"""Decides whether F ≥ 0 or finds a direction with F < 0, by `minimality`, for a form that is not scaled."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gmpy2 import gcd, mpq

from exactdrl.cells.local_form import LocalForm
from exactdrl.exact.linear import to_integers
from exactdrl.minimality.decide import Budget, Strict, decide_blocks, prove_strict
from exactdrl.minimality.rules.blocks import Block, find_escape, split
from exactdrl.minimality.rules.flat import find_flat
from exactdrl.minimality.rules.likq import reduce_form
from exactdrl.minimality.rules.settle import Settled, settle
from exactdrl.minimality.tree.tree import Closed
from exactdrl.minimality.tree.unscale import gather_witness
from exactdrl.minimality.tree.witness import TreeWitness, is_writable


@dataclass(frozen=True, slots=True)
class Nonnegative:
    """F is nowhere negative.

    Attributes:
        witness: the tree of tangent cells that shows it.
        is_strict: whether the witness shows that F is positive everywhere but at 0.
        flat: a direction other than 0 with F = 0; None only says that none was found.
    """

    witness: TreeWitness
    is_strict: bool
    flat: tuple[mpq, ...] | None


@dataclass(frozen=True, slots=True)
class Negative:
    """F is negative in a direction."""

    direction: tuple[mpq, ...]


@dataclass(frozen=True, slots=True)
class Open:
    """The work that was allowed was not enough; nothing is said about F."""


Decision: TypeAlias = Nonnegative | Negative | Open


def decide_form(form: LocalForm, budget: int) -> Decision:
    """Decides whether F ≥ 0. Exact. Parameters that share no kink are decided apart.

    In the witness, a block's units are its parameters, from 0.

    Args:
        form: F, in true units.
        budget: how much work each tree may take, see `minimality.judge`.
    """
    # without parameters nothing changes
    return _decide(form, budget) if form.slope else Nonnegative(TreeWitness((), ()), is_strict=True, flat=None)


def _decide(form: LocalForm, budget: int) -> Decision:
    state = settle(reduce_form(form))
    if not isinstance(state, Settled):
        return _negative(form, state)
    escape = find_escape(state)
    if escape is not None:
        return _negative(form, state.lift(escape))
    blocks = split(state, len(form.slope))
    decided = decide_blocks(blocks, Budget(budget, None))
    if decided is None:
        return Open()
    if isinstance(decided, tuple):
        block, direction = decided
        return _negative(form, state.lift(block.embed(direction, len(form.slope))))
    return _conclude(state, list(zip(blocks, decided, strict=True)), Budget(budget, None))


def _conclude(state: Settled, closed: Sequence[tuple[Block, Closed]], budget: Budget) -> Nonnegative | Open:
    """Returns what closed trees prove."""
    n = len(state.slope)
    factor = [mpq(1)] * len(state.form.kinks)
    witness = gather_witness(state, closed, factor, range(n))
    if not is_writable(witness):
        return Open()
    shown = prove_strict(state, closed, n, budget)
    if isinstance(shown, Strict):
        strict = gather_witness(shown.state, shown.closed, factor, range(n))
        if is_writable(strict):
            return Nonnegative(strict, is_strict=True, flat=None)
        shown = None
    return Nonnegative(witness, is_strict=False, flat=shown or find_flat(state, closed))


def _negative(form: LocalForm, direction: tuple[mpq, ...]) -> Negative:
    if form.change(direction) >= 0:
        raise AssertionError("a descent does not descend: this is a bug")
    return Negative(_short(direction))


def _short(direction: tuple[mpq, ...]) -> tuple[mpq, ...]:
    """Returns the positive multiple with coprime integers."""
    integers, _ = to_integers(direction)
    content = gcd(*integers)
    return tuple(mpq(entry // content) for entry in integers)
