"""What a worker is asked to do, and the result of it, both as JSON values."""

import base64
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

DONE, LIMIT, FAILED = "done", "limit", "failed"
_MAX_REASON = 500


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker is asked to do.

    Attributes:
        work: the name of a registered function, see `register`.
        arguments: the function's arguments, a JSON object.
        seconds: the CPU seconds that the function allows itself by `cpu_limit`, which ends its process; None for no
            limit.
    """

    work: str
    arguments: dict[str, object]
    seconds: int | None = None

    def to_json(self) -> dict[str, object]:
        """Returns the job as a JSON object."""
        return {"work": self.work, "arguments": self.arguments, "seconds": self.seconds}

    @classmethod
    def from_json(cls, value: object) -> "Job":
        """Returns the job that `to_json` wrote.

        Raises:
            ValueError: the value is no job.
        """
        match value:
            case {"work": str(work), "arguments": dict(arguments), "seconds": int() | None as seconds}:
                return cls(work, arguments, seconds)
        raise ValueError(f"not a job: {value!r}")


@dataclass(frozen=True, slots=True)
class JobResult:
    """The result of a job.

    Attributes:
        status: `done`, `limit` or `failed`.
        reason: why the job is not done; empty if it is done.
        fields: what was found, as JSON values; empty if the job is not done.
        kept: the contents of files to keep, by their endings.
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
    def from_json(cls, value: object) -> "JobResult":
        """Returns the result that `to_json` wrote.

        Raises:
            ValueError: the value is no result.
        """
        match value:
            case {"status": str(status), "reason": str(reason), "fields": dict(fields), "kept": dict(kept)}:
                return cls(status, reason, fields, {key: base64.b64decode(text) for key, text in kept.items()})
        raise ValueError("not a result")


def failed(reason: str) -> JobResult:
    """Returns the result of a job that failed, with the reason on one line."""
    return JobResult(FAILED, " ".join(reason.split())[:_MAX_REASON], {}, {})


Work: TypeAlias = Callable[[dict[str, object]], JobResult]
_registered: dict[str, Work] = {}


def register(work: Work) -> Work:
    """Registers a module's function as a job, under the name that `work_name` gives it. It is a decorator."""
    _registered[work_name(work)] = work
    return work


def work_name(work: Work) -> str:
    """Returns the name by which jobs call a function: its module's name and its own."""
    return f"{work.__module__}:{work.__qualname__}"


def find_work(name: str) -> Work:
    """Returns a registered function by its name. Its module is imported, so that a worker loads only what it needs.

    Raises:
        ValueError: no function is registered under this name.
    """
    module = name.partition(":")[0]
    if name not in _registered and module.startswith("exactdrl."):
        importlib.import_module(module)
    if name not in _registered:
        raise ValueError(f"no function is registered as {name!r}")
    return _registered[name]
