"""The cells that a training visits: which signs change from one recorded point to the next, and the exact loss.

A recorded point is a point of floats. Signs and losses are decided exactly at that point, and nothing is claimed about
the way between two points.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from gmpy2 import mpq

from exactdrl.doors.trajectory import Trajectory
from exactdrl.problem.instance import Instance, Layer


@dataclass(frozen=True, slots=True)
class Visit:
    """A recorded point.

    Attributes:
        row: the row of the trajectory, from 1.
        step: the step of the training.
        loss: the exact loss at the point.
        cell: the number of the point's sign pattern, from 1, in the order of first visits. Points with the same number
            have the same signs at all kinks.
        is_return: whether the training comes back to a pattern that it had left.
        changed: how many kinks have another sign than at the point before; 0 at the first point.
        zeros: how many kinks the point lies on exactly.
        dead_units: the pairs (layer, unit) of units whose activation is 0 on all samples, layers counted from 1 and
            units from 0.
    """

    row: int
    step: int
    loss: mpq
    cell: int
    is_return: bool
    changed: int
    zeros: int
    dead_units: tuple[tuple[int, int], ...]


def find_visits(instance: Instance, trajectory: Trajectory) -> Iterator[Visit]:
    """Yields the visit at each point of a trajectory, in order.

    A kink is a preactivation of a unit whose activation bends at 0, or a residual at which the loss bends, each on one
    sample of the data.

    Args:
        instance: the problem, with the data and the loss.
        trajectory: a trajectory of the same network.

    Raises:
        InputError: the trajectory's shapes are not the instance's.
    """
    known: dict[bytes, int] = {}
    before: bytes | None = None
    for row, step in enumerate(trajectory.steps):
        layers = trajectory.layers_at(instance, row)
        signs, dead = _find_signs(instance, layers)
        is_return = signs in known and signs != before
        cell = known.setdefault(signs, len(known) + 1)
        yield Visit(
            row + 1,
            step,
            instance.loss_at(layers),
            cell,
            is_return=is_return,
            changed=0 if before is None else sum(a != b for a, b in zip(before, signs, strict=True)),
            zeros=signs.count(0),
            dead_units=dead,
        )
        before = signs


def _find_signs(instance: Instance, layers: tuple[Layer, ...]) -> tuple[bytes, tuple[tuple[int, int], ...]]:
    """Returns the sign of each kink as 0, 1 or 2 for zero, plus and minus, and the units that are 0 on all samples."""
    signs = bytearray()
    alive = [[False] * len(layer.weight) for layer in layers]
    has_slopes = not instance.loss.is_squared
    for sample, (row, target) in enumerate(zip(instance.inputs, instance.targets, strict=True)):
        values = list(row)
        for number, layer in enumerate(layers):
            before = layer.affine(values)
            values = []
            for unit, (activation, value) in enumerate(zip(layer.activations, before, strict=True)):
                if activation.has_kink:
                    signs.append(_sign(value))
                values.append(activation(value))
                alive[number][unit] |= bool(values[-1])
        slopes = instance.entry_slopes(sample) if has_slopes else []
        for (below, above), made, wanted in zip(slopes, values, target, strict=False):
            if below != above:
                signs.append(_sign(made - wanted))
    dead = tuple(
        (number, unit)
        for number, units in enumerate(alive[:-1], 1)
        for unit, is_alive in enumerate(units)
        if not is_alive
    )
    return bytes(signs), dead


def _sign(value: mpq) -> int:
    return 1 if value > 0 else 2 if value < 0 else 0
