"""Embedding of a network in a wider one in one call, and what becomes of its point."""

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
    """A point, the embedded point, and what the theory says.

    Attributes:
        given: the problem of the given point.
        embedded: the embedded point with both verdicts.
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
        """Returns what the theory says; None where it is silent."""
        return self.embedded.prediction

    @property
    def agrees(self) -> bool | None:
        """Returns whether both verdicts are as the theory says; None where it does not say anything about them."""
        return is_borne_out(self.embedded)

    @property
    def message(self) -> str:
        """Returns what becomes of the point, in a sentence."""
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
            InputError: the path has another ending, exists and `force` is not set, or cannot be written.
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
        replicated: a unit of the first hidden layer, from 0, and copies (β, γ): inner weights times β, which is
            positive, outer weights times γ, Σ β γ = 1.
        inactive: inner weights, the bias last, and outer weights of a unit that is off on every sample.
        propagated: inner weights, the bias last, of a unit with outer weights 0.
        budget: how much work each proof may take.

    Raises:
        InputError: not exactly one way is named, or what is given does not keep the function.
    """
    instance = to_instance(problem)
    found = embed_instance(instance, replicated=replicated, inactive=inactive, propagated=propagated, budget=budget)
    return EmbedResult(instance, found)
