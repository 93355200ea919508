"""Builds spurious minima for data: the best affine fit as a local minimum, a better point, and a valley of minima.

All preactivations on the samples lie strictly inside one linear piece of the activation, so that for all nearby
parameters the network is affine on the samples, and its loss is at least the best affine fit's, which the point
attains.

Source: He, Wang and Tao, arXiv:2003.12236, theorem 1; Yun, Sra and Jadbabaie, arXiv:1802.03487; proofs/spurious.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gmpy2 import mpq

from exactdrl.constructions.affine_fit import AffineFit, fit_affine
from exactdrl.constructions.better import find_better
from exactdrl.constructions.channels import Shape, build_channels
from exactdrl.constructions.plain_network import PlainLayer, PlainNetwork, Rows
from exactdrl.exact.rationals import InputError
from exactdrl.hidden_cells.setting import LossKind

_ZERO, _ONE = mpq(0), mpq(1)
# a radius is looked for among the powers of 1/2 down to this one
_LEAST_POWER = 4000


@dataclass(frozen=True, slots=True)
class SpuriousMinimum:
    """A local minimum in all parameters, and what makes it spurious.

    Attributes:
        network: the point.
        loss: there, Σ r² or Σ |r|.
        radius: no point whose parameters differ by at most this much has a smaller loss.
        affine: the fit, with its dual.
        better: a network of the same shape with a smaller loss; None where none was found.
        better_loss: its loss.
        valley: networks, the first is the point; along the segments between them the loss is the same, and every
            point is a local minimum.
    """

    network: PlainNetwork
    loss: mpq
    radius: mpq
    affine: AffineFit
    better: PlainNetwork | None
    better_loss: mpq | None
    valley: tuple[PlainNetwork, ...]


def find_radius(network: PlainNetwork, inputs: Rows) -> mpq:
    """Returns a radius within which no preactivation on the samples changes its sign: a power of 1/2, or 1.

    Raises:
        InputError: a preactivation of a hidden layer is 0 on a sample, or so near to 0 that no radius is found.
    """
    radius = _ONE
    for _ in range(_LEAST_POWER):
        if network.allows(inputs, radius):
            return radius
        radius /= 2
    raise InputError("a preactivation is 0 on a sample: there is no radius")


def build_spurious(inputs: Rows, targets: Rows, shape: Shape, loss: LossKind) -> SpuriousMinimum:
    """Returns a spurious minimum for data.

    Args:
        inputs: N rows.
        targets: N rows.
        shape: of the network; all of its hidden layers are at least as wide as its output, the last one wider where the
            output has no bias.
        loss: its kind.

    Raises:
        InputError: a hypothesis fails; the message names it.
    """
    _check_shape(inputs, targets, shape)
    _check_distinct(inputs, targets)
    affine = fit_affine(inputs, targets, loss)
    if not affine.loss:
        raise InputError(
            "the data are fitted by an affine function without error: the affine fit is a global minimum "
            "(hypothesis: the data are not affinely fittable)"
        )
    outputs = len(targets[0])
    identity = tuple(tuple(mpq(q == p) for p in range(outputs)) for q in range(outputs))
    network = build_channels(shape, inputs, [(row, False) for row in affine.coefficients], identity, [_ZERO] * outputs)
    better = find_better(shape, inputs, targets, affine, loss)
    return SpuriousMinimum(
        network,
        affine.loss,
        find_radius(network, inputs),
        affine,
        better,
        None if better is None else total_loss(better.outputs(inputs), targets, loss),
        _find_valley(network, inputs, shape),
    )


def total_loss(outputs: Rows, targets: Rows, loss: LossKind) -> mpq:
    """Returns Σ r² or Σ |r| over samples and outputs."""
    residuals = [f - y for row, goals in zip(outputs, targets, strict=True) for f, y in zip(row, goals, strict=True)]
    return sum((r * r if loss == "squared" else abs(r) for r in residuals), _ZERO)


def _check_shape(inputs: Rows, targets: Rows, shape: Shape) -> None:
    widths, outputs = shape.widths, len(targets[0])
    if len(widths) < 3:  # noqa: PLR2004 - inputs, a hidden layer, outputs
        raise InputError(f"widths {_words(widths)} have no hidden layer: all minima of an affine model are global")
    if widths[0] != len(inputs[0]):
        raise InputError(f"widths {_words(widths)} begin with {widths[0]}, the data have {len(inputs[0])} inputs")
    if widths[-1] != outputs:
        raise InputError(f"widths {_words(widths)} end with {widths[-1]}, the data have {outputs} targets")
    for number, width in enumerate(widths[1:-1], 1):
        if width < outputs:
            raise InputError(
                f"the output, of width {outputs}, is wider than hidden layer {number}, of width {width} "
                "(hypothesis: no hidden layer is narrower than the output)"
            )
    if not shape.has_output_bias and widths[-2] < outputs + 1:
        raise InputError(
            f"the output, of width {outputs}, has no bias, and the last hidden layer has width {widths[-2]} "
            "(hypothesis: one hidden unit more can carry the constant)"
        )
    if shape.slopes[0] == shape.slopes[1]:
        raise InputError(
            f"the activation has the slope {shape.slopes[0]} on both sides of 0: every network is affine "
            "(hypothesis: the activation is not linear)"
        )


def _words(widths: Sequence[int]) -> str:
    return ",".join(map(str, widths))


def _check_distinct(inputs: Rows, targets: Rows) -> None:
    first: dict[tuple[mpq, ...], int] = {}
    for number, (x, y) in enumerate(zip(inputs, targets, strict=True), 1):
        before = first.setdefault(x, number)
        if targets[before - 1] != y:
            raise InputError(
                f"samples {before} and {number} have the same inputs and different targets "
                "(hypothesis: the samples are distinct)"
            )


def _find_valley(network: PlainNetwork, inputs: Rows, shape: Shape) -> tuple[PlainNetwork, ...]:
    """Returns a polyline of minima: a bias moves and a later one moves back, a unit without influence gets one."""
    points = [network]
    layers = list(network.layers)
    if layers[0].bias is None:
        raise AssertionError("hidden layers have biases")
    # the first channel's bias moves away from 0; what this adds behind it is taken out of the biases that follow
    bias = list(layers[0].bias)
    bias[0] += shape.side
    for later, layer in enumerate(layers[1:], 1):
        if layer.bias is not None:
            moved = tuple(
                b - row[0] * shape.side * shape.slope for b, row in zip(layer.bias, layer.weight, strict=True)
            )
            layers[0] = replace(layers[0], bias=tuple(bias))
            layers[later] = replace(layer, bias=moved)
            points.append(PlainNetwork(tuple(layers), network.slopes))
            break
    outputs, last = shape.widths[-1], len(layers) - 1
    spare = shape.widths[-2] - outputs - (layers[last].bias is None)
    if spare > 0:
        # a unit that is side · slope on every sample gets an outer weight, and the constant takes it back
        value = shape.side * shape.slope
        weight = [list(row) for row in layers[last].weight]
        weight[0][outputs] += _ONE
        end = layers[last].bias
        if end is None:
            weight[0][-1] -= _ONE
            layers[last] = PlainLayer(tuple(map(tuple, weight)), None)
        else:
            layers[last] = PlainLayer(tuple(map(tuple, weight)), (end[0] - value, *end[1:]))
        points.append(PlainNetwork(tuple(layers), network.slopes))
    first = shape.widths[1] - 1
    if len(shape.widths) > 3 and first >= outputs:  # noqa: PLR2004 - the unit's own outer weights are still 0
        # a unit of the first layer without influence turns, as far as its sign on the samples allows
        reach = max(max((abs(entry) for entry in x), default=_ZERO) for x in inputs)
        weight = [list(row) for row in layers[0].weight]
        weight[first] = [1 / (2 * len(inputs[0]) * (reach + 1)) for _ in weight[first]]
        layers[0] = replace(layers[0], weight=tuple(map(tuple, weight)))
        points.append(PlainNetwork(tuple(layers), network.slopes))
    return tuple(points) if len(points) > 1 else (network, _exchange_constants(network, outputs))


def _exchange_constants(network: PlainNetwork, outputs: int) -> PlainNetwork:
    """Returns a minimum in which the constant unit of the only hidden layer gives more, and the channels less.

    Args:
        network: with one hidden layer, without output bias and spare units.
        outputs: how many; the constant unit stands behind the channels.
    """
    first, last = network.layers
    shares = [last.weight[output][outputs] / last.weight[output][output] for output in range(outputs)]
    step = 1 / (2 * max(_ONE, *map(abs, shares)))
    bias = [*(-step * share for share in shares), step]
    moved = tuple(b + d for b, d in zip(first.bias or (), bias, strict=True))
    return PlainNetwork((replace(first, bias=moved), last), network.slopes)
