"""Follows a certificate's combinatorics: the cell and basis before and after each step."""

from collections.abc import Iterable, Iterator

from exactdrl.arithmetic.exact import ExactArithmetic
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.certificate.reader import Certificate
from exactdrl.exact.rationals import InputError
from exactdrl.steps.step import Step, Unbounded


def final_vertex(problem: IntegerProblem, certificate: Certificate) -> tuple[Pattern, tuple[Kink, ...]]:
    """Returns pattern and basis after the last step, without computing any vertex.

    Raises:
        InputError: a line does not fit this problem.
    """
    pattern, basis = first_cell(problem, certificate)
    for step in certificate.steps:
        follow(pattern, basis, step)
    return pattern, tuple(basis)


def first_cell(problem: IntegerProblem, certificate: Certificate) -> tuple[Pattern, list[Kink]]:
    """Returns pattern and basis of the first vertex.

    Raises:
        InputError: they do not fit this problem, or the run ends in its start.
    """
    if certificate.first.is_start:
        reason = ": the loss falls forever along a ray from there"
        if not isinstance(certificate.outcome, Unbounded):
            # A file that breaks off does not say why
            reason = "" if certificate.outcome is None else ": the loss is constant in the trained layer"
        raise InputError(f"the run ends in its start, it has no vertex{reason}")
    pattern = problem.pattern_from_hex(certificate.first.pattern)
    _check_kinks(pattern, certificate.first.basis, "the first vertex")
    return pattern, list(certificate.first.basis)


def _check_kinks(pattern: Pattern, kinks: Iterable[Kink], place: str) -> None:
    """Refuses addresses that the problem does not have: Python takes a negative index for one from the end."""
    for kink in kinks:
        if not pattern.addresses.holds(kink):
            raise InputError(f"{place}: kink {tuple(kink)} is not of this problem")


def follow(pattern: Pattern, basis: list[Kink], step: Step) -> None:
    """Changes pattern and basis in place to those after a step, without computing any vertex.

    Raises:
        InputError: the step does not fit this problem.
    """
    kinks = (*step.flips, *(step.basis or ()), *step.crossed, step.leaving, step.entering)
    _check_kinks(pattern, kinks, f"step {step.index}")
    try:
        for kink in step.flips:
            pattern.flip(kink)
        if step.basis is not None:
            basis[:] = step.basis
        for kink in step.crossed:
            pattern.flip(kink)
        basis.remove(step.leaving)
    except ValueError:
        raise InputError(f"step {step.index}: kink {tuple(step.leaving)} is not in the basis") from None
    basis.append(step.entering)


def replay(problem: IntegerProblem, certificate: Certificate) -> Iterator[ExactArithmetic]:
    """Yields the vertices of a walk, the first one and that after each step, in exact arithmetic.

    The same object is yielded again and again, moved on in between.

    Raises:
        InputError: a line does not fit this problem, or a basis is dependent.
    """
    final_vertex(problem, certificate)  # refuses addresses that do not fit
    arithmetic = ExactArithmetic(problem, *first_cell(problem, certificate))
    yield arithmetic
    for step in certificate.steps:
        advance(arithmetic, step)
        yield arithmetic


def advance(arithmetic: ExactArithmetic, step: Step) -> None:
    """Moves a vertex on by a step.

    Raises:
        InputError: the step does not fit this problem or the vertex, or its basis is dependent.
    """
    try:
        if step.basis is None and not step.crossed and set(step.flips) <= set(arithmetic.basis):
            for kink in step.flips:
                arithmetic.flip(kink)
            arithmetic.pivot(step.leaving, step.entering)
        else:
            # in the cell after the flips the old basis may be dependent; only the new one has to be independent
            pattern, basis = arithmetic.pattern.copy(), list(step.basis or arithmetic.basis)
            for kink in (*step.flips, *step.crossed):
                pattern.flip(kink)
            basis.remove(step.leaving)
            arithmetic.rebase(pattern, [*basis, step.entering])
    except (IndexError, KeyError, ValueError, ZeroDivisionError):
        raise InputError(f"step {step.index} is no step from the vertex before it: verify the certificate") from None
