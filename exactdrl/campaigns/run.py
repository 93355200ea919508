"""One run of a campaign of any kind, as the job that campaigns register in the engine."""

from exactdrl.campaigns.case import Case
from exactdrl.campaigns.cell_case import CellCase
from exactdrl.campaigns.cell_job import run_cells
from exactdrl.campaigns.task import Task
from exactdrl.campaigns.walk_job import run_walk
from exactdrl.engine.job import Job, JobResult, register, work_name


@register
def run_task(arguments: dict[str, object]) -> JobResult:
    """Returns the result of a run. A CPU limit ends the process, see `cpu_limit`; errors are raised."""
    task = Task.from_json(arguments)
    match task.case:
        case Case():
            return run_walk(task.case, task)
        case CellCase():
            return run_cells(task.case, task)


def to_job(task: Task) -> Job:
    """Returns the job that does a run."""
    return Job(work_name(run_task), task.to_json(), task.limits.seconds)
