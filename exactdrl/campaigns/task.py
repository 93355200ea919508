"""One run of a campaign as the arguments of a job."""

from dataclasses import dataclass

from exactdrl.campaigns.case import Limits
from exactdrl.campaigns.cases import AnyCase, read_case


@dataclass(frozen=True, slots=True)
class Task:
    """One run that is to be done.

    Attributes:
        case: the run.
        limits: the run's limits.
        verify: whether the stand-alone checker checks its certificate.
        keep_runs: whether instance, certificate and the walk's sequences are handed back.
    """

    case: AnyCase
    limits: Limits
    verify: bool
    keep_runs: bool

    def to_json(self) -> dict[str, object]:
        """Returns the task as a JSON object."""
        return {
            "case": self.case.to_json(),
            "max_steps": self.limits.max_steps,
            "seconds": self.limits.seconds,
            "verify": self.verify,
            "keep_runs": self.keep_runs,
        }

    @classmethod
    def from_json(cls, value: dict[str, object]) -> "Task":
        """Returns the task that `to_json` wrote.

        Raises:
            ValueError: the value is no task.
        """
        match value:
            case {
                "case": dict(case),
                "max_steps": int() | None as max_steps,
                "seconds": int() | None as seconds,
                "verify": bool(is_checked),
                "keep_runs": bool(keep_runs),
            }:
                return cls(read_case(case), Limits(max_steps, seconds), is_checked, keep_runs)
        raise ValueError(f"not a task: {value!r}")
