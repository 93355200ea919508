"""Which stepper takes a walk's steps, by the names of pivot rule, start rule and arithmetic."""

from collections.abc import Callable, Sequence

from exactdrl.arithmetic.exact import ExactArithmetic
from exactdrl.arithmetic.filtered import FilteredArithmetic
from exactdrl.arithmetic.protocol import Arithmetic
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.exact.rationals import InputError
from exactdrl.problem.instance import Instance
from exactdrl.regression.long_step import LINE_SEARCH, LONG_STEP, LongSteps, check_long_step, is_convex
from exactdrl.steps.first_vertex import (
    FirstVertex,
    StartEnd,
    default_start_rule,
    find_constant,
    find_first_vertex,
    to_start_rule,
)
from exactdrl.walks.edge_steps import EdgeSteps
from exactdrl.walks.rules import RULES
from exactdrl.walks.stepper import Stepper

ALL_RULES = (*RULES, LONG_STEP)
_FILTERED = "filtered"
# each takes a problem, a pattern and a basis; the trajectory is the same with every one
ARITHMETICS: dict[str, Callable[[IntegerProblem, Pattern, Sequence[Kink]], Arithmetic]] = {
    _FILTERED: FilteredArithmetic,
    "exact": lambda problem, pattern, basis: ExactArithmetic(problem, pattern, basis, is_walked=True),
}


def default_rule(instance: Instance, start_rule: str | None = None) -> str:
    """Returns the pivot rule where none is named: `long-step` where the problem is convex, else the published one.

    Args:
        instance: the problem.
        start_rule: what was named; `long-step` has its own.
    """
    return LONG_STEP if is_convex(instance) and start_rule in (None, LINE_SEARCH) else "reference"


def check_names(rule: str, arithmetic: str) -> None:
    """Checks that there are a pivot rule and an arithmetic with these names.

    Raises:
        InputError: there is none.
    """
    if rule not in ALL_RULES:
        raise InputError(f"rule is {rule!r}; one of {', '.join(ALL_RULES)} is needed")
    if arithmetic not in ARITHMETICS:
        raise InputError(f"arithmetic is {arithmetic!r}; one of {', '.join(ARITHMETICS)} is needed")


def choose_stepper(
    problem: IntegerProblem, rule: str, start_rule: str | None, *, arithmetic: str, budget: int
) -> tuple[str, Stepper]:
    """Returns the start rule's name, and what takes the steps.

    Args:
        problem: the scaled problem.
        rule: one of `ALL_RULES`.
        start_rule: of phase 1; None for the rule's own.
        arithmetic: one of `ARITHMETICS`.
        budget: how much work a proof at a degenerate vertex may take.

    Raises:
        InputError: an unknown start rule, or a rule that the problem does not allow.
    """
    is_filtered = arithmetic == _FILTERED
    if rule == LONG_STEP:
        check_long_step(problem)
        if start_rule not in (None, LINE_SEARCH):
            raise InputError(f"start rule is {start_rule!r}; rule {LONG_STEP} starts by {LINE_SEARCH}")
        return LINE_SEARCH, LongSteps(problem, filtered=is_filtered)
    named = default_start_rule(problem) if start_rule is None else to_start_rule(start_rule)
    if named is None:
        raise InputError(f"start rule is {start_rule!r}; one of projected-gradient, coordinate is needed")

    def find_first() -> FirstVertex | StartEnd:
        return find_constant(problem) or find_first_vertex(problem, named, filtered=is_filtered, with_points=False)

    return named, EdgeSteps(
        problem, RULES[rule], find_first=find_first, arithmetic_at=ARITHMETICS[arithmetic], budget=budget
    )
