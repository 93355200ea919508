"""The embedding of a network in a wider one in one call, with the verdicts on its point before and after."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from exactdrl.constructions.embed import Embedded, Prediction, is_borne_out
from exactdrl.constructions.embed import embed as embed_instance
from exactdrl.front.judged import JudgeResult
from exactdrl.front.problems import Problem, to_instance
from exactdrl.front.result import Result
from exactdrl.minimality.judge import DEFAULT_BUDGET
from exactdrl.problem.file import write_instance
from exactdrl.problem.instance import Instance
from exactdrl.report.construction_words import embedded_fields, embedded_lines


@dataclass(frozen=True, slots=True, repr=False)
class EmbedResult(Result):
    """A point, the point that it becomes in a wider network, and what the theory says of both.

    Attributes:
        given: the problem of the given point.
        embedded: the embedded point, and the verdicts on both points.
    """

    given: Instance
    embedded: Embedded

    @property
    def instance(self) -> Instance:
        """Returns the problem of the embedded point; all its parameters are free."""
        return self.embedded.instance

    @property
    def before(self) -> JudgeResult:
        """Returns the verdict on the given point, in all parameters."""
        return JudgeResult(self.given, self.embedded.before)

    @property
    def after(self) -> JudgeResult:
        """Returns the verdict on the embedded point."""
        return JudgeResult(self.instance, self.embedded.after)

    @property
    def prediction(self) -> Prediction | None:
        """Returns what the theory predicts; None where it does not cover the problem."""
        return self.embedded.prediction

    @property
    def agrees(self) -> bool | None:
        """Returns whether both verdicts are as the theory predicts; None where it predicts neither."""
        return is_borne_out(self.embedded)

    @property
    def message(self) -> str:
        """Returns both verdicts in a sentence."""
        return f"before: {self.before.message}; embedded: {self.after.message}"

    def lines(self) -> list[str]:
        """Returns the result in lines, as `exactdrl embed` prints it."""
        return embedded_lines(self.embedded)

    def to_dict(self) -> dict[str, object]:
        """Returns the result for JSON, as `exactdrl embed --json` prints it."""
        return embedded_fields(self.embedded)

    def save(self, path: Path | str, *, force: bool = False) -> None:
        """Writes the embedded point as an instance, `*.json` or `*.json.gz`.

        Raises:
            InputError: the path has another ending, the file exists and `force` is not set, or it cannot be written.
        """
        write_instance(self.instance, path, force=force)


def embed(
    problem: Problem,
    *,
    replicated: tuple[int, Sequence[tuple[object, object]]] | None = None,
    inactive: tuple[Sequence[object], Sequence[object]] | None = None,
    propagated: Sequence[object] | None = None,
    budget: int = DEFAULT_BUDGET,
) -> EmbedResult:
    """Adds hidden units that keep the function, in one of three ways, and judges what becomes of the point.

    Args:
        problem: an instance, or the path of its file: the network and its point.
        replicated: a unit of the first hidden layer, from 0, and the pairs (β, γ) of its copies. A copy has the unit's
            inner weights times β > 0 and its outer weights times γ, with Σ β γ = 1.
        inactive: the inner weights, the bias last, and the outer weights of a new unit that is off on every sample.
        propagated: the inner weights, the bias last, of a new unit with outer weights 0.
        budget: how much work each proof may take, in nodes of its tree.

    Raises:
        InputError: not exactly one way is given, or the new units would change the function.
    """
    instance = to_instance(problem)
    found = embed_instance(instance, replicated=replicated, inactive=inactive, propagated=propagated, budget=budget)
    return EmbedResult(instance, found)
