"""The loss along a polynomial curve t -> θ + t c_1 + t² c_2 + ..., for small t > 0, as an exact polynomial in t.

Along such a curve every preactivation is, for small t > 0, a polynomial whose sign is that of its first coefficient
that is not 0. So every activation picks one slope, and the loss is a polynomial for small t. A point is no local
minimum if the first coefficient behind the constant one is negative: that is a proof, where a single smaller value is
none.
Source: proofs/curves.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gmpy2 import mpq, mpz

from exactdrl.points.setting import Setting, Slopes, Theta, find_loss

# coefficients of 1, t, t², ...; no zeros at the end
Polynomial: TypeAlias = tuple[mpq, ...]
_ZERO = mpq(0)
# bits that an entry of a direction may have on average, and the grid on which longer ones are rounded
_SHORT, _GRID = 64, 2**16


@dataclass(frozen=True, slots=True)
class Descent:
    """A curve from a point along which the loss falls at once.

    Attributes:
        curve: c_1, c_2, ..., each of the point's shape.
        order: of the first power of t in the loss's change; 1 means a slope.
        coefficient: of that power, negative.
        at: a t > 0 at which the loss is smaller.
        loss: there.
    """

    curve: tuple[Theta, ...]
    order: int
    coefficient: mpq
    at: mpq
    loss: mpq


def add(left: Polynomial, right: Polynomial) -> Polynomial:
    """Returns the sum."""
    if len(left) < len(right):
        left, right = right, left
    sums = [a + b for a, b in zip(left, right, strict=False)] + list(left[len(right) :])
    while sums and not sums[-1]:
        sums.pop()
    return tuple(sums)


def multiply(left: Polynomial, right: Polynomial) -> Polynomial:
    """Returns the product."""
    if not left or not right:
        return ()
    product = [_ZERO] * (len(left) + len(right) - 1)
    for i, a in enumerate(left):
        if a:
            for j, b in enumerate(right):
                product[i + j] += a * b
    return tuple(product)


def bend(germ: Polynomial, slopes: Slopes) -> Polynomial:
    """Returns the activation of a germ."""
    lead = next((c for c in germ if c), _ZERO)
    slope = slopes[1] if lead > 0 else slopes[0]
    return tuple(slope * c for c in germ) if slope and lead else ()


def move(theta: Theta, curve: Sequence[Theta], at: mpq) -> Theta:
    """Returns the curve's point at a parameter."""
    for power, part in enumerate(curve, 1):
        factor = at**power
        theta = tuple(
            tuple(
                tuple(a + factor * d if d else a for a, d in zip(row, change, strict=True))
                for row, change in zip(matrix, changes, strict=True)
            )
            for matrix, changes in zip(theta, part, strict=True)
        )
    return theta


def loss_germ(setting: Setting, theta: Theta, curve: Sequence[Theta]) -> Polynomial:
    """Returns the loss along a curve for small t > 0."""
    parameters = [
        [
            [_trim((entry, *(part[number][unit][k] for part in curve))) for k, entry in enumerate(row)]
            for unit, row in enumerate(matrix)
        ]
        for number, matrix in enumerate(theta)
    ]
    total: Polynomial = ()
    for sample, row in enumerate(setting.inputs):
        if not setting.weights[sample]:
            continue
        given: list[Polynomial] = [_trim((x,)) for x in row]
        for matrix, slopes, has_bias in zip(parameters, setting.slopes, setting.biases, strict=True):
            if has_bias:
                given.append((mpq(1),))
            germs = []
            for unit in matrix:
                germ: Polynomial = ()
                for weight, x in zip(unit, given, strict=True):
                    if weight and x:
                        germ = add(germ, multiply(weight, x))
                germs.append(germ)
            given = [bend(germ, s) for germ, s in zip(germs, slopes, strict=True)]
        for output, (germ, target) in enumerate(zip(given, setting.targets[sample], strict=True)):
            residual = add(germ, _trim((-target,)))
            if setting.loss_slopes is None:
                entry = multiply(residual, residual)
            else:
                entry = bend(residual, setting.loss_slopes[sample][output])
            total = add(total, tuple(setting.weights[sample] * c for c in entry))
    return total


def _trim(entries: Sequence[mpq]) -> Polynomial:
    found = list(entries)
    while found and not found[-1]:
        found.pop()
    return tuple(found)


def find_descent(setting: Setting, theta: Theta, curve: Sequence[Theta], order: int | None = None) -> Descent | None:
    """Returns the proof that the loss falls along a curve at once; None if it does not.

    A line with long numbers is rounded where the loss falls along the rounded one, too. The parameter t that is shown
    is a power of 2, at most 1, at which the loss is smaller.

    Args:
        setting: the problem.
        theta: the point.
        curve: c_1, c_2, ...
        order: of the first power of t in the loss's change, if that is known.
    """
    short = _rounded(curve[0]) if len(curve) == 1 else None
    found = None if short is None else _first_power(setting, theta, (short,))
    if short is not None and found is not None and found[1] < 0 and order in (None, found[0]):
        curve = (short,)
    else:
        found = _first_power(setting, theta, curve)
    if found is None or found[1] >= 0:
        return None
    before = find_loss(setting, theta)
    at = found[2]
    while True:
        loss = find_loss(setting, move(theta, curve, at))
        if loss < before:
            return Descent(tuple(curve), found[0], found[1], at, loss)
        at /= 2


def _first_power(setting: Setting, theta: Theta, curve: Sequence[Theta]) -> tuple[int, mpq, mpq] | None:
    """Returns order and coefficient of the first power of t in the loss's change, and a t to begin with.

    Up to about half of where a later power, with a positive coefficient, is as great as the first one.
    """
    germ = loss_germ(setting, theta, curve)
    powers = [(order, c) for order, c in enumerate(germ) if order and c]
    if not powers:
        return None
    order, first = powers[0]
    at = mpq(1)
    for later, c in powers[1:]:
        if c > 0:
            exponent = (_size(first) - _size(c) - 1) // (later - order)
            at = min(at, mpq(2) ** exponent)
    return order, first, at


def _size(value: mpq) -> int:
    """Returns an integer near the logarithm to base 2."""
    return int(abs(value.numerator).bit_length()) - int(value.denominator.bit_length())


def _rounded(line: Theta) -> Theta | None:
    """Returns a direction with short numbers, its largest entry near 1; None if the given one is short already."""
    entries = [abs(entry) for matrix in line for row in matrix for entry in row if entry]
    if sum(int(e.numerator.bit_length() + e.denominator.bit_length()) for e in entries) <= _SHORT * len(entries):
        return None
    largest = mpq(2) ** _size(max(entries))
    return tuple(
        tuple(tuple(mpq(mpz(entry / largest * _GRID), _GRID) for entry in row) for row in matrix) for matrix in line
    )
