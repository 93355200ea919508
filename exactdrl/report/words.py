"""How results are worded for people and for programs."""

from gmpy2 import mpq

from exactdrl.arithmetic.counts import DecisionCounts
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.exact.rationals import to_float, to_text
from exactdrl.minimality.verdict import LocalMinimum, StrictLocalMinimum, Undecided, is_global_minimum
from exactdrl.problem.instance import Matrix
from exactdrl.steps.step import Outcome, StepLimit, Unbounded

_BY = {
    "likq": "linear-independence kink qualification",
    "zero-loss": "the loss is 0, and nowhere negative",
    "bound": "the ranges of the outputs allow no smaller loss, so it is a global one",
    "tree": "a tree of tangent cells",
}
_LONGEST_FRACTION = 60


def outcome_words(outcome: Outcome) -> str:
    """Returns an outcome in a sentence."""
    match outcome:
        case StrictLocalMinimum(by):
            return f"strict local minimum ({_BY[by]})"
        case LocalMinimum(by):
            return f"local minimum ({_BY[by]})"
        case Undecided(active):
            return f"undecided: {active} active kinks meet here, and a local minimum is neither proved nor refuted"
        case Unbounded(leaving=leaving):
            origin = "the start" if leaving is None else "the last vertex"
            return f"unbounded: the loss falls forever along a ray from {origin} that meets no kink"
        case StepLimit():
            return "stopped before the end; --resume continues the walk"


def outcome_name(outcome: Outcome) -> str:
    """Returns an outcome's name, as the certificate has it."""
    match outcome:
        case StrictLocalMinimum():
            return "strict-local-minimum"
        case LocalMinimum():
            return "local-minimum"
        case Undecided():
            return "undecided"
        case Unbounded():
            return "unbounded"
        case StepLimit():
            return "step-limit"


def range_lines(problem: IntegerProblem, outcome: object, loss: mpq) -> list[str]:
    """Returns lines that say if an outcome is proved to be a global minimum, and which units have no effect."""
    lines = []
    if is_global_minimum(problem, outcome, loss):
        reason = (
            "the loss is convex in them" if problem.ranges.is_convex else "the outputs' ranges allow no smaller loss"
        )
        lines.append(f"global       no parameters of the trained layer have a smaller loss: {reason}")
    idle = problem.ranges.idle
    if idle:
        verb = "unit has" if len(idle) == 1 else "units have"
        lines.append(f"no effect    {len(idle)} {verb} no effect on the loss: {', '.join(map(str, idle))}")
    return lines


def loss_words(loss: mpq) -> str:
    """Returns a loss as a decimal, and as a fraction where that is short."""
    text, decimal = to_text(loss), f"{to_float(loss):.10g}"
    if text == decimal:
        return text
    fraction = f" = {text}" if len(text) <= _LONGEST_FRACTION else f" (a fraction of {len(text)} characters)"
    return f"{decimal}{fraction}"


def zero_words(parameters: Matrix) -> str:
    """Returns which units of the trained layer are 0 on all samples, since all their parameters are 0."""
    units = [str(unit) for unit, row in enumerate(parameters) if not any(row)]
    if not units:
        return ""
    return (
        f" where unit{'s' * (len(units) > 1)} {', '.join(units)} {'are' if len(units) > 1 else 'is'} 0 on all samples"
    )


def count_words(counts: DecisionCounts | None) -> list[str]:
    """Returns how the decisions of a walk were made since it was begun or resumed, in lines."""
    if counts is None:
        return ["decisions    all exact"]
    lines = [
        f"steps        {counts.steps[0]} in float64 alone, {counts.steps[1]} not",
        f"decisions        {'calls':>9} {'in float64':>11} {'by balls':>9} {'exact':>9}",
    ]
    for kind in counts.kinds:
        floats, balls, exact = counts.floats[kind], counts.balls[kind], counts.exact[kind]
        lines.append(f"  {kind:<14} {floats + balls + exact:>9} {floats:>11} {balls:>9} {exact:>9}")
    if counts.loads:
        condition = f"{counts.condition:.3g}"
        lines.append(f"set-ups      {counts.loads} of the float arithmetic; largest condition met {condition}")
    return lines
