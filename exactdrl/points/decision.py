"""F ≥ 0, or a direction with F < 0: the engine of the room `minimality`, on a form in true units."""

from dataclasses import dataclass
from typing import TypeAlias

from gmpy2 import gcd, mpq

from exactdrl.cells.local_form import LocalForm
from exactdrl.exact.linear import independent_rows, to_integers
from exactdrl.minimality.decide import Budget, decide_blocks
from exactdrl.minimality.rules.blocks import find_escape, split
from exactdrl.minimality.rules.flat import find_flat
from exactdrl.minimality.rules.likq import reduce_form
from exactdrl.minimality.rules.settle import Settled, settle
from exactdrl.minimality.tree.tree import is_strict
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
    n = len(form.slope)
    if isinstance(decided, tuple):
        block, direction = decided
        return _negative(form, state.lift(block.embed(direction, n)))
    closed = list(zip(blocks, decided, strict=True))
    witness = gather_witness(state, closed, [mpq(1)] * len(state.form.kinks), range(n))
    if not is_writable(witness):
        return Open()
    resting = [to_integers(state.form.rows[j])[0] for j in state.resting()]
    strict = len(independent_rows(resting, n)) == n and all(
        is_strict(block, leaf) for block, tree in closed for leaf in tree.leaves
    )
    return Nonnegative(witness, strict, None if strict else find_flat(state, closed))


def _negative(form: LocalForm, direction: tuple[mpq, ...]) -> Negative:
    if form.change(direction) >= 0:
        raise AssertionError("a descent does not descend: this is a bug")
    return Negative(_short(direction))


def _short(direction: tuple[mpq, ...]) -> tuple[mpq, ...]:
    """Returns the positive multiple with coprime integers."""
    integers, _ = to_integers(direction)
    content = gcd(*integers)
    return tuple(mpq(entry // content) for entry in integers)
