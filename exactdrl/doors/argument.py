"""The input of a network as the unknown: minimise a linear function of its outputs over the inputs.

Layer 1 is then an identity layer without inputs, whose bias is the unknown x. The network follows; there is one sample,
and the loss is linear. A box l ≤ x ≤ u is kept by an exact penalty: identity units hand x on to the outputs, where the
residuals x_i - l_i and x_i - u_i cost M_i for each unit of length outside the box. M_i is above the size of any slope
of the function in x_i, so that outside the box the penalised function falls towards the box. So its local minima are
those of the function over the box. A minimum on the box's boundary comes with multipliers of the box's kinks.

Source: Hinz and van de Geer, Deep ReLU Programming (argument minimisation).
"""

from collections.abc import Sequence

from gmpy2 import mpq

from exactdrl.exact.rationals import InputError, to_number_text
from exactdrl.problem.activation import IDENTITY, RELU, Activation
from exactdrl.problem.instance import Instance, Layer, Matrix, Vector, to_activations, to_matrix, to_vector
from exactdrl.problem.loss import Loss

_ZERO, _ONE = mpq(0), mpq(1)


def from_network_argument(
    weights: Sequence[object],
    biases: Sequence[object | None],
    direction: object | None = None,
    *,
    activation: object | None = None,
    box: tuple[object, object] | None = None,
    start: object | None = None,
) -> Instance:
    """Returns the problem of minimising direction · f(x) over the input x of a network f.

    The parameters of a walk on this problem, shape (n_0, 1), are x.

    Args:
        weights: the weights of layers 1..L+1, shape (n_l, n_{l-1}) each; numbers of any exact kind. Binary floats mean
            the dyadic rationals that they are.
        biases: the biases of the same layers, n_l numbers each, or None for a layer without bias.
        direction: n_{L+1} numbers; default: 1 for each output. The opposite direction maximises.
        activation: the activation of layers 1..L, as `to_activations` takes it; default: ReLU. The last layer is
            affine.
        box: the bounds l < u, n_0 numbers each or one number for all; default: no bounds. Without bounds the function
            of a random network falls forever in some direction.
        start: n_0 numbers in the box; default: the middle of the box, or 0.

    Raises:
        InputError: shapes do not fit, the box is empty, or the start lies outside the box; the message names the place.

    Source: Hinz and van de Geer, Deep ReLU Programming (argument minimisation).
    """
    if len(weights) != len(biases) or not weights:
        raise InputError(f"{len(weights)} weights and {len(biases)} biases are given; each layer needs one of both")
    layers: list[Layer] = []
    for index, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        place = f"weights[{index}]"
        matrix = to_matrix(weight, place)
        if index and len(matrix[0]) != len(layers[-1].weight):
            raise InputError(f"{place} has {len(matrix[0])} columns, layer {index} has {len(layers[-1].weight)} units")
        vector = None if bias is None else to_vector(bias, f"biases[{index}]")
        if vector is not None and len(vector) != len(matrix):
            raise InputError(f"biases[{index}] has {len(vector)} entries, {place} has {len(matrix)} rows")
        given = IDENTITY if index == len(weights) - 1 else RELU if activation is None else activation
        layers.append(Layer(matrix, vector, to_activations(given, len(matrix), f"activation of layer {index + 1}")))
    layers[-1] = _compose(layers[-1], direction)
    inputs = len(layers[0].weight[0])
    bounds = None if box is None else (_to_bounds(box[0], inputs, "l"), _to_bounds(box[1], inputs, "u"))
    begin = _to_start(start, inputs, bounds)
    first = (((),) * inputs, begin, IDENTITY)
    if bounds is None:
        return _build([first, *((one.weight, one.bias, one.activations) for one in layers)], [[_ZERO]], Loss.linear())
    penalties = [bound + 1 for bound in _steepest_slopes(layers)]
    carried = [(*_carry(one, inputs, is_first=index == 0),) for index, one in enumerate(layers[:-1])]
    last = layers[-1]
    # the outputs: the function, x for the lower bounds, x for the upper bounds
    hidden = len(last.weight[0]) if len(layers) > 1 else 0
    unit = _identity(inputs)
    top = [last.weight[0] + (_ZERO,) * inputs if hidden else last.weight[0]]
    top += [(_ZERO,) * hidden + row for row in (*unit, *unit)]
    bias = ((last.bias or (_ZERO,))[0], *(_ZERO,) * (2 * inputs))
    loss = Loss.two_slope(
        [_ONE, *(-penalty for penalty in penalties), *(_ZERO,) * inputs], [_ONE, *(_ZERO,) * inputs, *penalties]
    )
    return _build([first, *carried, (tuple(top), bias, IDENTITY)], [[_ZERO, *bounds[0], *bounds[1]]], loss)


def _build(layers: Sequence[tuple[object, ...]], targets: Sequence[Sequence[mpq]], loss: Loss) -> Instance:
    return Instance.create(layers, [[]], targets, layer=1, loss=loss)


def _compose(last: Layer, direction: object | None) -> Layer:
    """Returns the last layer with its outputs combined to the one output direction · f(x)."""
    outputs = len(last.weight)
    chosen = (_ONE,) * outputs if direction is None else to_vector(direction, "direction")
    if len(chosen) != outputs:
        raise InputError(f"direction has {len(chosen)} entries, the network has {outputs} outputs")
    row = [
        sum((c * w for c, w in zip(chosen, column, strict=True)), _ZERO) for column in zip(*last.weight, strict=True)
    ]
    bias = None if last.bias is None else (sum((c * b for c, b in zip(chosen, last.bias, strict=True)), _ZERO),)
    return Layer((tuple(row),), bias, (IDENTITY,))


def _to_bounds(value: object, inputs: int, name: str) -> Vector:
    try:
        bounds = to_vector(value, f"box, {name}")
    except InputError:
        bounds = to_vector([value], f"box, {name}") * inputs
    if len(bounds) != inputs:
        raise InputError(f"box, {name} has {len(bounds)} entries, the network has {inputs} inputs")
    return bounds


def _to_start(start: object | None, inputs: int, bounds: tuple[Vector, Vector] | None) -> Vector:
    if bounds is not None:
        for index, (low, high) in enumerate(zip(*bounds, strict=True)):
            if not low < high:
                text = f"from {to_number_text(low)} to {to_number_text(high)}"
                raise InputError(f"box: input {index} goes {text}; the lower bound has to be below the upper one")
    if start is None:
        if bounds is None:
            return (_ZERO,) * inputs
        return tuple((low + high) / 2 for low, high in zip(*bounds, strict=True))
    begin = to_vector(start, "start")
    if len(begin) != inputs:
        raise InputError(f"start has {len(begin)} entries, the network has {inputs} inputs")
    if bounds is not None:
        for index, (value, low, high) in enumerate(zip(begin, *bounds, strict=True)):
            if not low <= value <= high:
                raise InputError(
                    f"start[{index}] is {to_number_text(value)}, outside the box from {to_number_text(low)} to "
                    f"{to_number_text(high)}"
                )
    return begin


def _steepest_slopes(layers: Sequence[Layer]) -> list[mpq]:
    """Returns, for each input, a bound on the size of the output's slope in that input."""
    bounds = [abs(entry) for entry in layers[-1].weight[0]]
    for layer in reversed(layers[:-1]):
        scaled = [b * _steepest(a) for b, a in zip(bounds, layer.activations, strict=True)]
        bounds = [
            sum((b * abs(w) for b, w in zip(scaled, column, strict=True)), _ZERO)
            for column in zip(*layer.weight, strict=True)
        ]
    return bounds


def _steepest(activation: Activation) -> mpq:
    return max(abs(activation.below), abs(activation.above))


def _carry(layer: Layer, inputs: int, *, is_first: bool) -> tuple[Matrix, Vector, tuple[Activation, ...]]:
    """Returns a layer with added identity units that hand the network's input on."""
    own = layer.weight if is_first else tuple((*row, *(_ZERO,) * inputs) for row in layer.weight)
    width = 0 if is_first else len(layer.weight[0])
    passed = tuple((_ZERO,) * width + row for row in _identity(inputs))
    bias = layer.bias or (_ZERO,) * len(layer.weight)
    return own + passed, bias + (_ZERO,) * inputs, layer.activations + (IDENTITY,) * inputs


def _identity(size: int) -> Matrix:
    return tuple(tuple(mpq(row == column) for column in range(size)) for row in range(size))
