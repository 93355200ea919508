"""Walks again in exact arithmetic, and compares with a recorded walk step by step."""

from collections.abc import Callable

from exactdrl.certificate.lines import VertexLine, outcome_text, step_text
from exactdrl.certificate.reader import Certificate
from exactdrl.exact.rationals import InputError
from exactdrl.problem.instance import Instance
from exactdrl.regression.long_step import LINE_SEARCH, LONG_STEP
from exactdrl.steps.first_vertex import FirstVertex, StartEnd, to_start_rule
from exactdrl.walks.driver import Step, StepLimit, Walk
from exactdrl.walks.rules import RULES


def rerun(instance: Instance, certificate: Certificate, *, on_step: Callable[[Step], None] | None = None) -> str | None:
    """Returns None if the walk in exact arithmetic is the recorded one, else a sentence on the first difference.

    A certificate that ends at a step limit is compared up to there.

    Args:
        instance: the certificate's.
        certificate: a whole one.
        on_step: called after each step that agrees.

    Raises:
        InputError: the certificate was made by a rule that this package does not have.
    """
    header = certificate.header
    is_long = (header.rule, header.start_rule) == (LONG_STEP, LINE_SEARCH)
    if not is_long and (header.rule not in RULES or to_start_rule(header.start_rule) is None):
        raise InputError(f"rule {header.rule} with start rule {header.start_rule} is none of this package's")
    limit = len(certificate.steps) if certificate.outcome == StepLimit() else None
    walk = Walk(instance, rule=header.rule, start_rule=header.start_rule, arithmetic="exact", max_steps=limit)
    if _first_line(walk.first_vertex) != certificate.first:
        return "the first vertex"
    steps = iter(walk)
    for recorded in certificate.steps:
        step = next(steps, None)
        if step is None:
            return f"step {recorded.index}: the exact walk has ended before"
        if step != recorded:
            return f"step {recorded.index}: recorded {step_text(recorded)}, exact {step_text(step)}"
        if on_step is not None:
            on_step(step)
    extra = next(steps, None)
    if extra is not None:
        return f"step {extra.index}: the exact walk goes on with {step_text(extra)}"
    if walk.outcome is None or certificate.outcome is None:
        raise AssertionError("a whole walk without an outcome: this is a bug")
    if outcome_text(walk.outcome) != outcome_text(certificate.outcome):
        return f"the outcome: recorded {outcome_text(certificate.outcome)}, exact {outcome_text(walk.outcome)}"
    return None


def _first_line(first: FirstVertex | StartEnd) -> VertexLine:
    pattern = tuple(first.pattern.to_hex())
    if isinstance(first, StartEnd):
        return VertexLine(pattern, (), is_start=True)
    return VertexLine(pattern, first.basis, first.is_elsewhere)
