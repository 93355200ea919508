"""One run of a campaign, by its kind."""

from exactdrl.campaigns.case import Case
from exactdrl.campaigns.cell_case import CellCase
from exactdrl.campaigns.cell_job import run_cells
from exactdrl.campaigns.task import RunResult, Task
from exactdrl.campaigns.walk_job import run_walk


def run_case(task: Task) -> RunResult:
    """Returns what a run came to. A CPU limit ends the process, see `limited`; errors are raised."""
    match task.case:
        case Case():
            return run_walk(task.case, task)
        case CellCase():
            return run_cells(task.case, task)
