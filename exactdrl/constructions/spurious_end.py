"""Finds a strictly better network beside a local minimum that is the best affine fit: then the minimum is spurious."""

from dataclasses import replace

from exactdrl.constructions.affine_fit import fit_affine
from exactdrl.constructions.better import find_better
from exactdrl.constructions.channels import Shape
from exactdrl.constructions.plain_network import PlainNetwork
from exactdrl.hidden_cells.setting import LossKind
from exactdrl.points.judge import JudgedPoint
from exactdrl.points.setting import Setting, Theta, find_loss
from exactdrl.points.verdict import AffineProof, Minimum


def with_better(judged: JudgedPoint) -> JudgedPoint:
    """Returns a judged point with a better one, where one is known of; else the point as it is.

    It is looked for where the point is a local minimum in all parameters whose values are the best affine fit's, every
    hidden layer has biases and one activation that bends, and no better point is known yet. The loss is the squared or
    the absolute one.
    """
    setting, verdict = judged.setting, judged.verdict
    if judged.better is not None or not isinstance(verdict, Minimum) or not judged.loss:
        return judged
    shape, loss = _find_shape(setting, judged.theta), _find_loss_kind(setting)
    if shape is None or loss is None or not (judged.is_affine_fit or isinstance(verdict.proof, AffineProof)):
        return judged
    affine = fit_affine(setting.inputs, setting.targets, loss)
    found = find_better(shape, setting.inputs, setting.targets, affine, loss) if affine.loss else None
    if found is None:
        return judged
    theta = _to_theta(found)
    return replace(judged, better=theta) if find_loss(setting, theta) < judged.loss else judged


def _find_loss_kind(setting: Setting) -> LossKind | None:
    if setting.loss_slopes is None:
        return "squared"
    return "absolute" if all(pair == (-1, 1) for row in setting.loss_slopes for pair in row) else None


def _find_shape(setting: Setting, theta: Theta) -> Shape | None:
    """Returns the network's shape; None if the construction is not for it."""
    widths = (len(setting.inputs[0]), *map(len, theta))
    slopes = {pair for layer in setting.slopes[:-1] for pair in layer}
    if (
        len(slopes) != 1
        or len(setting.free) != len(theta)
        or not all(setting.biases[:-1])
        or any(weight != 1 for weight in setting.weights)
    ):
        return None
    pair = slopes.pop()
    shape = Shape(widths, pair, setting.biases[-1])
    return None if pair[0] == pair[1] or shape.spare(setting.outputs) < 0 else shape


def _to_theta(network: PlainNetwork) -> Theta:
    return tuple(
        layer.weight
        if layer.bias is None
        else tuple((*row, b) for row, b in zip(layer.weight, layer.bias, strict=True))
        for layer in network.layers
    )
