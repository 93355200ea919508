"""The search for a descent of a block: subgradient steps down F from many directions at once, in machine integers.

It proves nothing where it finds none. Deterministic: integers alone, and always the same pseudo-random starts.
"""

from collections.abc import Iterator

import numpy as np
from gmpy2 import mpz

from exactdrl.minimality.descent.machine_form import REACH, Integers, MachineForm, to_machine_form
from exactdrl.minimality.rules.blocks import Block

_STARTS = 24
_ROUNDS = 160
# after the first direction with F < 0, so many rounds pass in which others may become steeper
_MORE_ROUNDS = 4
# the most promising directions of a search that found no descent
_PROPOSALS = 8
# what is below is left of F by rounding
_NOISE_BITS = 20
_STEP_BITS = 10


def search_by_subgradients(block: Block) -> tuple[tuple[mpz, ...] | None, list[tuple[mpz, ...]]]:
    """Returns a direction with F < 0, or None and the directions with the least F in proportion to Σ |b_j z_j|."""
    form = to_machine_form(block)
    if form is None:
        return None, []
    points = _starts(block.width)
    best, least = points.copy(), np.full(points.shape[1], 2**62, dtype=np.int64)
    rounds = _ROUNDS
    step = 0
    while step < rounds:
        kinks = form.kink_changes(points)
        values, sizes = form.changes(kinks, points)
        ratios = values // ((sizes >> _NOISE_BITS) + 1)
        is_better = ratios < least
        least[is_better] = ratios[is_better]
        best[:, is_better] = points[:, is_better]
        if rounds == _ROUNDS and least.min() < 0:
            rounds = min(_ROUNDS, step + _MORE_ROUNDS)
        points = _move(form, kinks, points, step)
        step += 1
    proposals = [form.to_direction(best[:, index].tolist()) for index in np.argsort(least, kind="stable").tolist()]
    for direction, ratio in zip(proposals, np.sort(least).tolist(), strict=True):
        if ratio >= 0:
            break
        if block.change(direction) < 0:
            return direction, []
    return None, proposals[:_PROPOSALS]


def _move(form: MachineForm, kinks: Integers, points: Integers, step: int) -> Integers:
    """Returns points a step further down along the gradient's part orthogonal to them, at the border of the box."""
    gradients = _fit(form.gradients(kinks))
    # entries up to 2^18: squares and products stay below 2^36, sums of them times an entry below 2^62
    along = (gradients * points).sum(axis=0)
    square = (points * points).sum(axis=0)
    downhill = _fit(gradients - points * along // np.maximum(square, 1))
    # steps shrink like 1 / (1 + step / 8), from half of the box
    length = (1 << _STEP_BITS) * 4 // (8 + step)
    return _fit((points << _STEP_BITS) - length * downhill)


def _fit(points: Integers) -> Integers:
    """Returns points scaled so that the largest entry of each is about REACH; 0 stays 0."""
    largest = np.maximum(np.abs(points).max(axis=0), 1)
    # entries beyond 2^44 are shifted first, so that the product does not overflow
    excess = np.maximum(largest >> 44, 0)
    shift = np.zeros_like(excess)
    while excess.any():
        shift += excess > 0
        excess >>= 1
    result: Integers = (points >> shift) * REACH // np.maximum(largest >> shift, 1)
    return np.clip(result, -REACH, REACH)


def _starts(width: int) -> Integers:
    """Returns pairs of opposite pseudo-random points, (width, _STARTS)."""
    numbers = _numbers()
    points = np.array([[next(numbers) for _ in range(width)] for _ in range(_STARTS // 2)], dtype=np.int64).T
    return _fit(np.concatenate([points, -points], axis=1))


def _numbers() -> Iterator[int]:
    """Yields numbers about 0, by the high bits of Knuth's 64-bit linear congruential generator, always the same."""
    state = 1
    while True:
        total = 0
        for _ in range(4):
            state = (6364136223846793005 * state + 1442695040888963407) % 2**64
            total += (state >> 44) - 2**19
        yield total
