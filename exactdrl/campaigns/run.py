"""One run of a campaign: sample, walk, verify, measure; what it came to as JSON values."""

import base64
import gzip
import tempfile
from dataclasses import dataclass
from pathlib import Path

from exactdrl.campaigns.case import Case, Limits
from exactdrl.campaigns.limited import cpu_limit
from exactdrl.campaigns.measures import measure
from exactdrl.campaigns.zero_units import count_zero_units
from exactdrl.certificate.reader import Certificate, read_certificate
from exactdrl.certificate.record import record_walk
from exactdrl.certificate.verify import verify
from exactdrl.doors.sample import sample_experiment
from exactdrl.minimality.verdict import LocalMinimum, StrictLocalMinimum
from exactdrl.problem.file import write_instance
from exactdrl.problem.instance import Instance
from exactdrl.problem.names import parse_activation, parse_loss
from exactdrl.report.words import outcome_name
from exactdrl.walks.driver import Outcome, StepLimit, Walk

DONE, LIMIT, FAILED = "done", "limit", "failed"


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker is asked to do.

    Attributes:
        case: the walk.
        limits: of it.
        verify: whether the stand-alone checker looks at it.
        keep_runs: whether instance and certificate are handed back.
    """

    case: Case
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
                return cls(Case.from_json(case), Limits(max_steps, seconds), is_checked, keep_runs)
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


def run_case(task: Task) -> RunResult:
    """Returns what a run came to. A CPU limit ends the process, see `limited`; errors are raised."""
    with tempfile.TemporaryDirectory(prefix="exactdrl-") as name:
        folder = Path(name)
        problem, run = folder / "a.json", folder / "a.drl"
        with cpu_limit(task.limits.seconds):
            case = task.case
            instance = sample_experiment(
                case.widths,
                samples=case.samples,
                seed=case.seed,
                bits=case.bits,
                loss=parse_loss(case.loss),
                activation=parse_activation(case.activation),
            )
            write_instance(instance, problem)
            walk = Walk(instance, rule=case.rule, max_steps=task.limits.max_steps)
            outcome = record_walk(walk, run)
            if isinstance(outcome, StepLimit):
                return RunResult(LIMIT, f"over {task.limits.max_steps} steps", {}, {})
            fields = _walk_fields(walk, outcome, instance, read_certificate(run, instance), run)
        # the checker has no part in the limit: it is a process of its own
        fields["verified"] = verify(problem, run).status if task.verify else None
        kept = {}
        if task.keep_runs:
            kept = {
                ".json.gz": gzip.compress(problem.read_bytes(), mtime=0),
                ".drl.gz": gzip.compress(run.read_bytes(), mtime=0),
            }
        return RunResult(DONE, "", fields, kept)


def _walk_fields(
    walk: Walk, outcome: Outcome, instance: Instance, certificate: Certificate, run: Path
) -> dict[str, object]:
    fields: dict[str, object] = {
        "instance": instance.digest,
        "outcome": outcome_name(outcome),
        "by": outcome.by if isinstance(outcome, (StrictLocalMinimum, LocalMinimum)) else None,
        "parameters": walk.problem.dimension,
        "lineality": walk.problem.lineality,
        "steps": walk.steps,
        "wrong_stops": len(walk.published_stops),
        "first_wrong_stop": walk.published_stops[0] if walk.published_stops else None,
        "zero_unit_vertices": count_zero_units(walk.problem, certificate),
        "degenerate_exits": sum(step.basis is not None for step in certificate.steps),
        "last_is_degenerate": walk.start_ray is None
        and len(walk.arithmetic.vanishing_kinks()) > walk.problem.dimension,
    }
    # what is said of the way to a minimum needs one
    if isinstance(outcome, (LocalMinimum, StrictLocalMinimum)) and walk.steps:
        fields |= measure(instance, certificate, run, 0)
    return fields
