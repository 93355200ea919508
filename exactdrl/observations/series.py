"""What figures and tables show of a walk, point by point, as the floats nearest to the exact values."""

import math
from dataclasses import dataclass
from itertools import pairwise

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.certificate.reader import Certificate
from exactdrl.exact.enclosed import concatenate, enclose
from exactdrl.exact.linear import to_integers
from exactdrl.observations.lengths import Lengths
from exactdrl.series.export import exact_loss, phase_one_points, squared_distance
from exactdrl.series.trajectory import Trajectory


@dataclass(frozen=True, slots=True)
class Series:
    """A walk's points in order, those before the first vertex first. Roots and means are correct to 17 digits.

    Attributes:
        before: the number of points before the first vertex; point i is vertex v_k with k = i - before.
        loss: the loss at each point.
        gap: the loss minus the last loss.
        length: the length of the step to each point; NaN for the start.
        running_mean: the mean of the last `window` lengths; NaN where there are fewer.
        distance: the distance to the last vertex.
        window: how many lengths a mean takes.
    """

    before: int
    loss: tuple[float, ...]
    gap: tuple[float, ...]
    length: tuple[float, ...]
    running_mean: tuple[float, ...]
    distance: tuple[float, ...]
    window: int

    @property
    def steps(self) -> range:
        """Returns the points' steps k: 0 for the first vertex, negative numbers for points before it."""
        return range(-self.before, len(self.loss) - self.before)


def to_series(problem: IntegerProblem, certificate: Certificate, trajectory: Trajectory, window: int) -> Series:
    """Returns a walk's points as floats, the start and phase 1 included.

    Args:
        problem: the scaled problem.
        certificate: the walk's certificate, which has to be whole.
        trajectory: the walk's vertices.
        window: how many step lengths a mean takes.
    """
    early = phase_one_points(problem, certificate)
    places = [to_integers(at) for at in early]
    last = to_integers(problem.to_reduced(trajectory.last))
    first = to_integers(problem.to_reduced(trajectory.first))
    path = [*places, first]
    squared_steps = [squared_distance(here, before) for before, here in pairwise(path)]
    lengths = Lengths(concatenate(enclose(squared_steps), trajectory.squared_steps))
    losses = concatenate(enclose([exact_loss(problem, at) for at in early]), trajectory.losses)
    squared_distances = [squared_distance(place, last) for place in places]
    distances = Lengths(concatenate(enclose(squared_distances), trajectory.squared_distances))
    points = range(len(losses))
    return Series(
        len(early),
        tuple(losses.floats()),
        tuple(losses.minus(-1).floats()),
        (math.nan, *map(lengths.root, points[:-1])),
        tuple(lengths.mean(end - window, end) if end >= window else math.nan for end in points),
        tuple(map(distances.root, points)),
        window,
    )
