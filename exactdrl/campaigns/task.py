"""What a worker is asked to do, and what that came to, both as JSON values."""

import base64
from dataclasses import dataclass

from exactdrl.campaigns.case import Limits
from exactdrl.campaigns.cases import AnyCase, read_case

DONE, LIMIT, FAILED = "done", "limit", "failed"


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker is asked to do.

    Attributes:
        case: the run.
        limits: of it.
        verify: whether the stand-alone checker looks at it.
        keep_runs: whether instance and certificate are handed back.
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
        """Returns the task that `to_json` wrote."""
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


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run came to.

    Attributes:
        status: `done`, `limit` or `failed`.
        reason: why it is not done; empty if it is.
        fields: of the table's row; JSON values. Only of a run that is done.
        kept: files to keep, by ending.
    """

    status: str
    reason: str
    fields: dict[str, object]
    kept: dict[str, bytes]

    def to_json(self) -> dict[str, object]:
        """Returns the result as a JSON object."""
        kept = {ending: base64.b64encode(content).decode("ascii") for ending, content in self.kept.items()}
        return {"status": self.status, "reason": self.reason, "fields": self.fields, "kept": kept}

    @classmethod
    def from_json(cls, value: object) -> "RunResult":
        """Returns the result that `to_json` wrote."""
        match value:
            case {"status": str(status), "reason": str(reason), "fields": dict(fields), "kept": dict(kept)}:
                return cls(status, reason, fields, {key: base64.b64decode(text) for key, text in kept.items()})
        raise ValueError("not a result")


def failed(reason: str) -> RunResult:
    """Returns the record of a run that came to nothing; the reason on one line."""
    return RunResult(FAILED, " ".join(reason.split())[:500], {}, {})
