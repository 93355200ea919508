"""One walk of a campaign: sample, walk, verify, measure."""

import gzip
import tempfile
from pathlib import Path

from exactdrl.campaigns.case import Case
from exactdrl.campaigns.measures import measure
from exactdrl.campaigns.sequences import SERIES_ENDING, to_series
from exactdrl.campaigns.task import Task
from exactdrl.campaigns.zero_units import count_zero_units
from exactdrl.certificate.reader import Certificate, read_certificate
from exactdrl.certificate.record import record_walk
from exactdrl.certificate.verify import verify
from exactdrl.doors.sample import sample_experiment
from exactdrl.engine.job import DONE, LIMIT, JobResult
from exactdrl.engine.limited import cpu_limit
from exactdrl.minimality.verdict import LocalMinimum, StrictLocalMinimum
from exactdrl.problem.file import write_instance
from exactdrl.problem.instance import Instance
from exactdrl.problem.names import parse_activation, parse_loss
from exactdrl.report.words import outcome_name
from exactdrl.walks.driver import Outcome, StepLimit, Walk


def run_walk(case: Case, task: Task) -> JobResult:
    """Returns the result of a walk. A CPU limit ends the process, see `cpu_limit`; errors are raised."""
    with tempfile.TemporaryDirectory(prefix="exactdrl-") as name:
        folder = Path(name)
        problem, run = folder / "a.json", folder / "a.drl"
        with cpu_limit(task.limits.seconds):
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
                return JobResult(LIMIT, f"over {task.limits.max_steps} steps", {}, {})
            certificate = read_certificate(run, instance)
            fields = _walk_fields(walk, outcome, instance, certificate)
            trajectory = None
            # the measures are about the way to a minimum
            if isinstance(outcome, (LocalMinimum, StrictLocalMinimum)) and walk.steps:
                measures, trajectory = measure(instance, certificate, 0)
                fields |= measures
        # the limit does not count the checker, which is a process of its own
        fields["verified"] = verify(problem, run).status if task.verify else None
        kept = {}
        if task.keep_runs:
            kept = {
                ".json.gz": gzip.compress(problem.read_bytes(), mtime=0),
                ".drl.gz": gzip.compress(run.read_bytes(), mtime=0),
            }
            if trajectory is not None:
                kept[SERIES_ENDING] = to_series(trajectory)
        return JobResult(DONE, "", fields, kept)


def _walk_fields(walk: Walk, outcome: Outcome, instance: Instance, certificate: Certificate) -> dict[str, object]:
    return {
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
        "last_is_degenerate": walk.start_end is None and len(walk.active_kinks) > walk.problem.dimension,
    }
