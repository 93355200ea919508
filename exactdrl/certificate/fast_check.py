"""The daily check of a certificate: it checks steps by the float filter, and exactly where floats are not certain.

It does not use the walk's driver or its pivot rules: it asks of each step what proofs/FORMAT.md says that a step
claims. The form of the files and the outcome are left to the stand-alone checker, which looks at the run's end only.
"""

from collections.abc import Callable, Sequence
from itertools import islice

from flint import fmpz_mat
from gmpy2 import mpz

from exactdrl.arithmetic.counts import DecisionCounts
from exactdrl.arithmetic.exact import ExactArithmetic
from exactdrl.arithmetic.filtered import FilteredArithmetic
from exactdrl.arithmetic.protocol import Edge, Move
from exactdrl.cells.affine import affine_form
from exactdrl.cells.cell import Cell
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.cells.point import Point
from exactdrl.certificate.reader import Certificate
from exactdrl.exact.linear import solve_regular, to_fmpz, to_mpz
from exactdrl.steps.step import Step

# Steps that are handed to the kernel at once
_BATCH = 1024


class FalseClaimError(Exception):
    """A claim of the certificate is false; the message says which."""


def check_steps(
    problem: IntegerProblem, certificate: Certificate, *, on_step: Callable[[int], None] | None = None
) -> DecisionCounts:
    """Checks what first vertex and steps claim; returns how many steps were certain in floats, and how many exact.

    Args:
        problem: the instance's.
        certificate: a whole one for it.
        on_step: called with the number of steps checked, now and then.

    Raises:
        FalseClaimError: a claim is false.
    """
    counts = DecisionCounts()
    if certificate.first.is_start:
        # there is no vertex and no step; the ray is the stand-alone checker's
        return counts
    pattern, basis = _check_first(problem, certificate)
    filtered = FilteredArithmetic(problem, pattern, basis) if problem.dimension else None
    steps = iter(certificate.steps)
    done = 0
    while batch := list(islice(steps, _BATCH)):
        place = 0
        while place < len(batch):
            certain = 0
            if filtered is not None:
                plain = _plain(batch[place:], filtered.basis)
                certain = filtered.follow([_to_move(problem, step) for step in plain])
            place += certain
            counts.steps[0] += certain
            if place < len(batch):
                if filtered is not None:
                    pattern, basis = filtered.pattern, filtered.basis
                pattern, basis = check_step(problem, pattern, basis, batch[place])
                counts.steps[1] += 1
                place += 1
                if filtered is not None:
                    filtered.restart(pattern, basis)
        done += len(batch)
        if on_step is not None:
            on_step(done)
    return counts


def _plain(steps: Sequence[Step], basis: Sequence[Kink]) -> list[Step]:
    """Returns the steps up to the first that claims more than the kernel follows.

    A step may bring the basis in another order, the leaving kink last: at the same vertex, in a cell that flips of
    kinks that vanish lead to, the same kinks are the same point's basis.

    Args:
        steps: one after another.
        basis: before the first of them, in order of entry.
    """
    order = dict.fromkeys(basis)
    plain: list[Step] = []
    for step in steps:
        if step.is_published_stop or step.crossed or step.leaving not in order:
            break
        del order[step.leaving]
        if step.basis is not None and step.basis != (*order, step.leaving):
            break
        order[step.entering] = None
        plain.append(step)
    return plain


def _to_move(problem: IntegerProblem, step: Step) -> Move:
    for kink in (*step.flips, *step.crossed, step.leaving, step.entering):
        _require_kink(problem, kink, step.index)
    for kinks in (step.flips, step.crossed):
        _require(len(set(kinks)) == len(kinks), step.index, "flips or crosses a kink twice")
    return Move(step.flips, step.leaving, step.entering, is_published_stop=False)


def _require(condition: bool, index: int, reason: str) -> None:  # noqa: FBT001 - as in the checker
    if not condition:
        raise FalseClaimError(f"step {index}: {reason}")


def _require_kink(problem: IntegerProblem, kink: Kink, index: int) -> None:
    _require(problem.addresses.holds(kink), index, f"kink {list(kink)} is none of this problem's")


def _find_vertex(problem: IntegerProblem, pattern: Pattern, basis: Sequence[Kink], index: int) -> Point:
    """Returns the vertex of a pattern and a basis.

    Raises:
        FalseClaimError: they are none.
    """
    n = problem.dimension
    _require(len(basis) == n, index, f"the basis has {len(basis)} kinks, {n} are needed")
    for kink in basis:
        _require_kink(problem, kink, index)
    forms = [affine_form(problem, pattern, kink) for kink in basis]
    numerators, denominator = _solve([form.row for form in forms], [-form.offset for form in forms], index)
    point = Point(problem, tuple(numerators), denominator)
    _require(Cell(problem, pattern).holds(point), index, "the basis' point is not in the cell")
    return point


def _solve(rows: Sequence[Sequence[mpz]], right: Sequence[mpz], index: int) -> tuple[list[mpz], mpz]:
    n = len(rows)
    if not n:
        return [], mpz(1)
    matrix = fmpz_mat(n, n, [to_fmpz(entry) for row in rows for entry in row])
    try:
        numerators, denominator = solve_regular(matrix, fmpz_mat(n, 1, [to_fmpz(entry) for entry in right]))
    except ZeroDivisionError:
        raise FalseClaimError(f"step {index}: the normals of the basis are dependent") from None
    return [to_mpz(entry) for entry in numerators.entries()], to_mpz(denominator)


def _check_first(problem: IntegerProblem, certificate: Certificate) -> tuple[Pattern, list[Kink]]:
    """Checks the first vertex; step 0 in messages."""
    pattern, basis = problem.pattern_from_hex(certificate.first.pattern), list(certificate.first.basis)
    _require(problem.reduction.ray is None, 0, "the loss changes along a direction that changes no kink")
    vertex = _find_vertex(problem, pattern, basis, 0)
    start = Point.of(problem, problem.instance.start)
    if not certificate.first.is_elsewhere:
        _require(Cell(problem, pattern).holds(start), 0, "the start is not in the cell of the first vertex")
    _require(vertex.loss <= start.loss, 0, "the loss at the first vertex is above the start's")
    return pattern, basis


def check_step(
    problem: IntegerProblem, pattern: Pattern, basis: Sequence[Kink], step: Step
) -> tuple[Pattern, list[Kink]]:
    """Checks one step exactly; returns pattern and basis after it.

    Args:
        problem: the scaled problem.
        pattern: before the step.
        basis: before the step, in order of entry; with the pattern a vertex.
        step: what is claimed.

    Raises:
        FalseClaimError: the claim is false.
    """
    index = step.index
    _to_move(problem, step)
    before = _find_vertex(problem, pattern, basis, index)
    if step.is_published_stop:
        _check_published_stop(problem, pattern, basis, index)
    pattern, basis = pattern.copy(), list(basis)
    for kink in step.flips:
        _require(before.vanishes(kink), index, f"flips kink {list(kink)}, which does not vanish")
        pattern.flip(kink)
    if step.basis is not None:
        basis = list(step.basis)
        at = _find_vertex(problem, pattern, basis, index)
        _require(at.is_same(before), index, "the basis is that of another point")
    _require(step.leaving in basis, index, "the leaving kink is not in the basis")
    _require(step.entering not in basis, index, "the entering kink is in the basis")
    for kink in step.crossed:
        _require(kink not in basis, index, f"crosses kink {list(kink)}, which is in the basis")
        pattern.flip(kink)
    basis.remove(step.leaving)
    basis.append(step.entering)
    after = _find_vertex(problem, pattern, basis, index)
    _require(not after.is_same(before), index, "the point stays where it is")
    _require(after.loss <= before.loss, index, "the loss rises")
    is_strict = step.is_published_stop or bool(step.crossed)
    _require(after.loss < before.loss or not is_strict, index, "the loss does not fall")
    return pattern, basis


def _check_published_stop(problem: IntegerProblem, pattern: Pattern, basis: Sequence[Kink], index: int) -> None:
    _require(bool(basis), index, "a stop without parameters")
    arithmetic = ExactArithmetic(problem, pattern, basis)
    for flipped in basis:
        arithmetic.flip(flipped)
        for kink in basis:
            falls = arithmetic.slope_sign(Edge(kink, is_flipped=False)) < 0
            _require(not falls, index, "the published rule would not have stopped")
