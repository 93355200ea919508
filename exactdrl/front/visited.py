"""The cells that a training visits, in one call."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from exactdrl.doors.trajectory import Trajectory
from exactdrl.doors.visits import Visit, find_visits
from exactdrl.exact.rationals import InputError, to_float, to_text
from exactdrl.front.problems import Problem, to_instance
from exactdrl.front.result import Result
from exactdrl.problem.instance import Instance

__all__ = ["TITLES", "Visit", "VisitResult", "point_of", "visit_fields", "visit_line", "visits"]

# units that are listed one by one
_LISTED = 6
TITLES = f"{'row':>6} {'step':>8} {'loss':>22} {'cell':>6} {'changed':>8} {'zeros':>6}  dead units"


@dataclass(frozen=True, slots=True, repr=False)
class VisitResult(Result):
    """The cells that a training visits, with the exact loss at each recorded point.

    Attributes:
        instance: the problem.
        visits: a visit for each recorded point.
    """

    instance: Instance
    visits: tuple[Visit, ...]

    @property
    def message(self) -> str:
        """Returns how many cells were visited, and how often the training came back to one and the loss rose."""
        cells = len({visit.cell for visit in self.visits})
        rises = sum(later.loss > earlier.loss for earlier, later in pairwise(self.visits))
        returns = sum(visit.is_return for visit in self.visits)
        words = f"{len(self.visits)} points in {cells} cells, {returns} returns to a cell that was left"
        return f"{words}; the loss rises {rises} times"

    def lines(self) -> list[str]:
        """Returns a line for each point, below a line of titles, and the summary."""
        return [TITLES, *map(visit_line, self.visits), self.message]

    def to_dict(self) -> dict[str, object]:
        """Returns the table for JSON."""
        return {"visits": [visit_fields(visit) for visit in self.visits]}


def visit_line(visit: Visit) -> str:
    """Returns a recorded point in a line, below `TITLES`."""
    dead = ", ".join(f"({layer}, {unit})" for layer, unit in visit.dead_units[:_LISTED])
    more = len(visit.dead_units) - _LISTED
    cell = f"{visit.cell}{'*' if visit.is_return else ''}"
    words = f"{dead}{f' and {more} more' if more > 0 else ''}"
    loss = f"{to_float(visit.loss):.15g}"
    return f"{visit.row:>6} {visit.step:>8} {loss:>22} {cell:>6} {visit.changed:>8} {visit.zeros:>6}  {words}".rstrip()


def visit_fields(visit: Visit) -> dict[str, object]:
    """Returns a recorded point for JSON."""
    return {
        "row": visit.row,
        "step": visit.step,
        "loss": to_text(visit.loss),
        "cell": visit.cell,
        "is_return": visit.is_return,
        "changed": visit.changed,
        "zeros": visit.zeros,
        "dead_units": [list(unit) for unit in visit.dead_units],
    }


def point_of(problem: Problem, trajectory: Trajectory, row: int = -1) -> Instance:
    """Returns the problem at a recorded point of a training, as an instance that can be judged, snapped or written.

    Args:
        problem: an instance, or the path of its file: the data and the loss.
        trajectory: what `read_trajectory` returns.
        row: the row of the trajectory, counted from 1; -1 is the last row, -2 the one before.

    Raises:
        InputError: there is no such row, or the trajectory's shapes are not the instance's.
    """
    count = len(trajectory.points)
    if not row or not -count <= row <= count:
        raise InputError(
            f"{trajectory.place}: there is no row {row}; the rows are 1 to {count}, or -1 to -{count} from the last "
            "one back"
        )
    return trajectory.instance_at(to_instance(problem), row - 1 if row > 0 else row)


def visits(problem: Problem, trajectory: Trajectory, *, on_visit: Callable[[Visit], None] | None = None) -> VisitResult:
    """Returns which cells a training visits, with the exact loss at each recorded point.

    Args:
        problem: an instance with the data and the loss, or the path of its file.
        trajectory: what `read_trajectory` returns.
        on_visit: is called after each point.

    Raises:
        InputError: the trajectory's shapes are not the instance's.
    """
    instance, found = to_instance(problem), list[Visit]()
    for visit in find_visits(instance, trajectory):
        found.append(visit)
        if on_visit is not None:
            on_visit(visit)
    return VisitResult(instance, tuple(found))
