"""The setting in which a point is judged: data, loss, activations, the free layers; and exact forward passes.

A point is a matrix [W | b] for each layer (the last column is the bias, where the layer has one). So a direction in all
parameters has the same shape, and is added entry by entry.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul
from typing import TypeAlias

from gmpy2 import lcm, mpq, mpz

from exactdrl.exact.linear import to_integers

Vector: TypeAlias = tuple[mpq, ...]
Matrix: TypeAlias = tuple[Vector, ...]
# [W | b] for each layer
Theta: TypeAlias = tuple[Matrix, ...]
Slopes: TypeAlias = tuple[mpq, mpq]

_ZERO, _ONE, _NOTHING = mpq(0), mpq(1), mpz(0)


@dataclass(frozen=True, slots=True)
class Setting:
    """A problem without its point.

    Attributes:
        inputs: shape (N, n_0).
        targets: shape (N, n_{L+1}).
        weights: of the samples, N nonnegative numbers.
        slopes: for each layer, of each unit's activation below and above 0. The last layer's are (1, 1).
        biases: for each layer, whether it has a bias.
        loss_slopes: shape (N, n_{L+1}), φ's slopes below and above 0; None for the squared loss φ(r) = r².
        free: the layers whose parameters are free, counted from 0, increasing.
    """

    inputs: Matrix
    targets: Matrix
    weights: Vector
    slopes: tuple[tuple[Slopes, ...], ...]
    biases: tuple[bool, ...]
    loss_slopes: tuple[tuple[Slopes, ...], ...] | None
    free: tuple[int, ...]

    @property
    def is_squared(self) -> bool:
        """Returns whether the loss is the squared one."""
        return self.loss_slopes is None

    @property
    def samples(self) -> int:
        """Returns N."""
        return len(self.inputs)

    @property
    def outputs(self) -> int:
        """Returns n_{L+1}."""
        return len(self.targets[0])

    @property
    def has_floor(self) -> bool:
        """Returns whether the loss is nowhere negative, by its slopes."""
        return self.loss_slopes is None or all(
            below <= 0 <= above
            for row, weight in zip(self.loss_slopes, self.weights, strict=True)
            if weight
            for below, above in row
        )

    def is_shallow(self) -> bool:
        """Returns whether there are one hidden layer and one output layer, both free."""
        return len(self.slopes) == 2 and self.free == (0, 1)  # noqa: PLR2004 - a hidden layer and an output layer

    def only(self, layer: int) -> "Setting":
        """Returns the same setting with one free layer, counted from 0."""
        return self.freeing((layer,))

    def at(self, inputs: Sequence[Vector]) -> "Setting":
        """Returns the same network on other inputs, with targets 0 and weights 1."""
        count = len(inputs)
        targets = ((_ZERO,) * self.outputs,) * count
        return Setting(tuple(inputs), targets, (_ONE,) * count, self.slopes, self.biases, None, self.free)

    def freeing(self, free: tuple[int, ...]) -> "Setting":
        """Returns the same setting with other free layers."""
        return Setting(self.inputs, self.targets, self.weights, self.slopes, self.biases, self.loss_slopes, free)


@dataclass(frozen=True, slots=True)
class Pass:
    """An exact forward pass.

    Attributes:
        arrivals: for each layer and sample, what the layer is given, with 1 appended where it has a bias.
        values: for each layer, sample and unit, the preactivation; in the last layer the residual f(x) - y.
    """

    arrivals: tuple[tuple[Vector, ...], ...]
    values: tuple[tuple[Vector, ...], ...]


def activate(value: mpq, slopes: Slopes) -> mpq:
    """Returns a(value)."""
    return value * (slopes[1] if value > 0 else slopes[0])


def forward(setting: Setting, theta: Theta) -> Pass:
    """Returns the forward pass of a point."""
    arrivals, values = [], []
    given: list[Vector] = list(setting.inputs)
    last = len(theta) - 1
    for number, (matrix, slopes, has_bias) in enumerate(zip(theta, setting.slopes, setting.biases, strict=True)):
        padded = tuple((*row, _ONE) if has_bias else row for row in given)
        # in integers over one denominator a row: a fraction reduced once a sum, not once a term
        units = [to_integers(unit) for unit in matrix]
        rows = [to_integers(row) for row in padded]
        found = tuple(
            tuple(mpq(sum(map(mul, unit, row), _NOTHING), scale * own) for unit, scale in units) for row, own in rows
        )
        if number == last:
            found = tuple(
                tuple(f - y for f, y in zip(row, target, strict=True))
                for row, target in zip(found, setting.targets, strict=True)
            )
        arrivals.append(padded)
        values.append(found)
        given = [tuple(activate(z, s) for z, s in zip(row, slopes, strict=True)) for row in found]
    return Pass(tuple(arrivals), tuple(values))


def entry_loss(setting: Setting, sample: int, output: int, residual: mpq) -> mpq:
    """Returns what one residual adds to the loss."""
    weight = setting.weights[sample]
    if setting.loss_slopes is None:
        return weight * residual * residual
    return weight * activate(residual, setting.loss_slopes[sample][output])


def find_loss(setting: Setting, theta: Theta) -> mpq:
    """Returns the loss at a point."""
    residuals = forward(setting, theta).values[-1]
    if setting.is_squared:
        squares = [to_integers([w, *row]) for w, row in zip(setting.weights, residuals, strict=True) if w]
        shared = lcm(*(scale for _, scale in squares)) if squares else mpz(1)
        total = sum(
            (own[0] * sum(map(mul, own[1:], own[1:]), _NOTHING) * (shared // scale) ** 3 for own, scale in squares),
            _NOTHING,
        )
        return mpq(total, shared**3)
    return sum((entry_loss(setting, i, j, r) for i, row in enumerate(residuals) for j, r in enumerate(row)), _ZERO)


def derivative(setting: Setting, sample: int, output: int, residual: mpq) -> mpq | None:
    """Returns the derivative of what a residual adds to the loss; None at a kink of the loss."""
    weight = setting.weights[sample]
    if setting.loss_slopes is None:
        return 2 * weight * residual
    below, above = setting.loss_slopes[sample][output]
    if residual:
        return weight * (above if residual > 0 else below)
    return weight * below if below == above or not weight else None


def zero_direction(theta: Theta) -> list[list[list[mpq]]]:
    """Returns a direction in all parameters that is 0, to be filled."""
    return [[[_ZERO] * len(row) for row in matrix] for matrix in theta]


def freeze(direction: Sequence[Sequence[Sequence[mpq]]]) -> Theta:
    """Returns a direction as tuples."""
    return tuple(tuple(tuple(row) for row in matrix) for matrix in direction)


def unflatten(setting: Setting, theta: Theta, flat: Sequence[mpq]) -> Theta:
    """Returns the direction whose entries in the free layers are given, layer by layer, row by row; 0 elsewhere."""
    entries = iter(flat)
    return tuple(
        tuple(tuple(next(entries) if number in setting.free else _ZERO for _ in row) for row in matrix)
        for number, matrix in enumerate(theta)
    )
