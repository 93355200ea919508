"""The verdict on a point in one layer's parameters, and where the point lies among the kinks."""

from collections.abc import Callable
from dataclasses import dataclass

from gmpy2 import mpq

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.front.judged import JudgeResult, judge
from exactdrl.front.problems import Problem, to_instance
from exactdrl.front.result import Result
from exactdrl.minimality.judge import DEFAULT_BUDGET
from exactdrl.minimality.point import JudgedPoint, judge_point
from exactdrl.minimality.verdict import LocalMinimum, StrictLocalMinimum, Undecided
from exactdrl.problem.instance import Instance
from exactdrl.report.layer_words import layer_fields, layer_lines, layer_verdict_name, layer_verdict_words


@dataclass(frozen=True, slots=True, repr=False)
class LayerResult(Result):
    """A verdict on the start of a problem, whose trained layer alone is free.

    Attributes:
        instance: the problem.
        judged: the verdict, and where the point lies among the kinks.
    """

    instance: Instance
    judged: JudgedPoint

    @property
    def status(self) -> str:
        """Returns the verdict's name."""
        return layer_verdict_name(self.judged)

    @property
    def message(self) -> str:
        """Returns the verdict in a sentence."""
        return layer_verdict_words(self.judged)

    @property
    def loss(self) -> mpq:
        """Returns the loss at the point."""
        return self.judged.loss

    @property
    def is_minimum(self) -> bool:
        """Returns whether the point is proved to be a local minimum."""
        return isinstance(self.judged.verdict, (LocalMinimum, StrictLocalMinimum))

    @property
    def is_decided(self) -> bool:
        """Returns whether the point is proved to be a minimum, or to be none."""
        return not isinstance(self.judged.verdict, Undecided)

    def lines(self) -> list[str]:
        """Returns the result in lines, as `exactdrl minimum` prints it."""
        return layer_lines(self.judged)

    def to_dict(self) -> dict[str, object]:
        """Returns the result for JSON, as `exactdrl minimum --json` prints it."""
        return layer_fields(self.judged)


def judge_start(
    problem: Problem, *, budget: int = DEFAULT_BUDGET, on_node: Callable[[int], None] | None = None
) -> LayerResult | JudgeResult:
    """Is the start of a problem a local minimum of the trained layer's loss?

    Args:
        problem: an instance, or the path of its file.
        budget: how much work each proof may take, in nodes of its tree.
        on_node: is called with the number of a proof's nodes so far.

    Returns:
        A `LayerResult`. Where the loss is squared, or falls forever along a line without a kink, a `JudgeResult`.

    Raises:
        InputError: the file cannot be read, or all parameters are free.
    """
    instance = to_instance(problem)
    if instance.loss.is_squared or (
        not instance.is_plain and IntegerProblem.from_instance(instance).reduction.ray is not None
    ):
        return judge(instance, free="layer", budget=budget)
    return LayerResult(instance, judge_point(instance, budget=budget, on_node=on_node))
