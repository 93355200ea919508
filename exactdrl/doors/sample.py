"""The published experiment's random problem."""

import random
from collections.abc import Sequence
from itertools import pairwise

from gmpy2 import mpq

from exactdrl.exact.rationals import InputError
from exactdrl.problem.activation import RELU, Activation
from exactdrl.problem.instance import Instance
from exactdrl.problem.loss import Loss

PUBLISHED_WIDTHS = (4, 5, 4, 3, 2, 1)
PUBLISHED_SAMPLES = 500
DOUBLE_BITS = 53


def sample_experiment(
    widths: Sequence[int] = PUBLISHED_WIDTHS,
    *,
    samples: int = PUBLISHED_SAMPLES,
    seed: int = 0,
    bits: int = DOUBLE_BITS,
    loss: Loss | None = None,
    activation: Activation = RELU,
) -> Instance:
    """Returns the published experiment's random instance.

    Layer 1 is trained. The parameters of the other layers are uniform on [-1, 1], inputs and targets on [-3, 3], and
    the start on [-20, 20]. Layer 1's own parameters are the start.

    Every number is a draw in float64, rounded to `bits` bits after the binary point (ties to even). With 53 bits this
    leaves nearly all draws as they are. The same arguments give the same instance on every machine: the draws are those
    of Python's Mersenne Twister, whose `random()` is fixed by its documentation.

    Args:
        widths: n_0..n_{L+1}, at least two numbers.
        samples: the number N of samples, at least 1.
        seed: the seed of all draws, not negative.
        bits: how many bits after the binary point are kept, 1 to 53.
        loss: the loss; default: absolute, as published. For the hinge loss each target is the sign of its draw.
        activation: the activation of all layers but the last; default: ReLU, as published.

    Raises:
        InputError: an argument is out of range; the message names it.

    Source: Hinz, The layer-wise L1 loss landscape of neural nets is more complex around local minima, section II.
    """
    if len(widths) < 2 or min(widths) < 1:  # noqa: PLR2004 - an input and an output
        raise InputError(
            f"widths are {','.join(map(str, widths))}; at least two numbers are needed, each of them at least 1"
        )
    if samples < 1:
        raise InputError(f"samples is {samples}; at least 1 is needed")
    if seed < 0:
        raise InputError(f"seed is {seed}; it must not be negative")
    if not 1 <= bits <= DOUBLE_BITS:
        raise InputError(f"bits is {bits}; 1 to {DOUBLE_BITS} are possible")
    source = random.Random(seed)  # noqa: S311 - an experiment's draws, not a secret

    def draw(bound: int) -> mpq:
        scaled = mpq((2 * source.random() - 1) * bound) * 2**bits
        # Fraction and mpq alike round half to even
        return mpq(round(scaled), 2**bits)

    def draws(rows: int, columns: int, bound: int) -> list[list[mpq]]:
        return [[draw(bound) for _ in range(columns)] for _ in range(rows)]

    layers = []
    for below, width in pairwise(widths[1:]):
        rows = draws(width, below + 1, 1)
        layers.append(([row[:-1] for row in rows], [row[-1] for row in rows]))
    inputs = draws(samples, widths[0], 3)
    targets = draws(samples, widths[-1], 3)
    start = draws(widths[1], widths[0] + 1, 20)
    first = ([row[:-1] for row in start], [row[-1] for row in start])
    chosen = loss or Loss.absolute()
    if chosen.kind == "hinge":
        targets = [[mpq(1 if value >= 0 else -1) for value in row] for row in targets]
    built = [(weight, bias, activation) for weight, bias in [first, *layers][:-1]]
    return Instance.create([*built, [first, *layers][-1]], inputs, targets, layer=1, start=start, loss=chosen)
