"""Instances from networks that scikit-learn has trained."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from exactdrl.doors.extras import import_extra
from exactdrl.doors.floats import FLOAT64, KINDS
from exactdrl.doors.forward_check import bound_forward, check_forward, choose_samples, is_bounded
from exactdrl.doors.network import Chain, Network, to_float_inputs, to_instance
from exactdrl.exact.rationals import InputError, shown, to_rational
from exactdrl.problem.activation import IDENTITY, RELU
from exactdrl.problem.instance import Instance
from exactdrl.problem.loss import Loss

_ACTIVATIONS = {"relu": RELU, "identity": IDENTITY}
_CLASSIFIER_LOSSES = ("hinge", "squared", "linear", "two-slope")


def from_mlp_regressor(
    regressor: object,
    inputs: object,
    targets: object,
    *,
    layer: int = 1,
    free: object | None = None,
    loss: Loss | None = None,
    sample_weights: object | None = None,
) -> Instance:
    """Returns the problem of training a fitted `MLPRegressor` further, one layer or all of them, from its parameters.

    Parameters mean the dyadic rationals that they are. The data are taken as given, so that they have to be scaled as
    for the training. The regressor's own predictions on them are compared with the exact ones. Its training minimised
    the squared loss and a penalty on the weights; the penalty is no part of the problem.

    Args:
        regressor: a fitted `sklearn.neural_network.MLPRegressor` with activation "relu" or "identity".
        inputs: shape (N, n_0).
        targets: shape (N, n_{L+1}), or (N,) for one output.
        layer: the trained layer, 1..L+1.
        free: the same, or "all" for the parameters of all layers; in place of `layer`.
        loss: the loss; default: absolute.
        sample_weights: a nonnegative number for each sample; default: 1 each.

    Raises:
        InputError: scikit-learn is missing; the regressor is another object, is not fitted, or has another activation;
            its predictions differ from the exact ones by more than rounding explains; shapes do not fit, or a number is
            not finite.
    """
    own = _check_estimator(regressor, "MLPRegressor", "identity")
    network = _read(own, "the MLPRegressor")
    instance = to_instance(network, inputs, targets, layer=layer, free=free, loss=loss, sample_weights=sample_weights)
    kind = KINDS.get(own.coefs_[0].dtype.name, FLOAT64)
    if is_bounded(network.layers, kind):
        rows = to_float_inputs(inputs, kind)
        chosen = rows[choose_samples(network.layers, len(rows))]
        made = np.asarray(own.predict(chosen.astype(kind.name)), dtype=np.float64).reshape(len(chosen), -1)
        check_forward(network.layers, chosen, made, kind, "the MLPRegressor")
    return instance


def from_mlp_classifier(
    classifier: object,
    inputs: object,
    labels: object,
    *,
    layer: int = 1,
    free: object | None = None,
    loss: Loss | None = None,
    sample_weights: object | None = None,
) -> Instance:
    """Returns the problem of training a fitted `MLPClassifier` of two classes further, under another loss.

    The network's output is the argument of the logistic function. It is above 0 where the classifier predicts its
    second class. The targets are 1 for the second class and -1 for the first. The classifier's training minimised the
    logistic loss, which has no exact values; here the loss is the hinge loss or the squared loss. So the trained
    parameters are hardly a local minimum of this problem; they are a start, or a point for comparison.

    Args:
        classifier: a fitted `sklearn.neural_network.MLPClassifier` with activation "relu" or "identity".
        inputs: shape (N, n_0).
        labels: N labels, as for the training.
        layer: the trained layer, 1..L+1.
        free: the same, or "all" for the parameters of all layers; in place of `layer`.
        loss: the loss; default: hinge. Squared, linear and two-slope losses are possible, too.
        sample_weights: a nonnegative number for each sample; default: 1 each.

    Raises:
        InputError: scikit-learn is missing; the classifier is another object, is not fitted, or has more than two
            classes or another activation; a label is no class; its predictions are not those of its layers; shapes do
            not fit, or a number is not finite.
    """
    own = _check_estimator(classifier, "MLPClassifier", "logistic")
    classes = np.asarray(own.classes_).tolist()
    if own.n_outputs_ != 1 or len(classes) != 2:  # noqa: PLR2004 - one output parts two classes
        raise InputError(
            f"the MLPClassifier has {len(classes)} classes; two are needed, since the network has one output"
        )
    kind_of_loss = loss or Loss.hinge()
    if kind_of_loss.kind not in _CLASSIFIER_LOSSES:
        names = ", ".join(_CLASSIFIER_LOSSES)
        raise InputError(
            f"the loss is {kind_of_loss.kind}; with a classifier's targets, 1 and -1, it has to be one of {names}"
        )
    given = np.asarray(labels)
    if given.ndim != 1:
        raise InputError(f"labels have shape {given.shape}; one axis is needed")
    targets = []
    for index, label in enumerate(given.tolist()):
        if label not in classes:
            raise InputError(f"labels[{index}] is {shown(label)}; the classes are {', '.join(map(shown, classes))}")
        targets.append([1 if label == classes[1] else -1])
    network = _read(own, "the MLPClassifier")
    instance = to_instance(
        network, inputs, targets, layer=layer, free=free, loss=kind_of_loss, sample_weights=sample_weights
    )
    _check_classes(own, network, inputs, classes)
    return instance


def _check_estimator(estimator: object, name: str, output: str) -> Any:  # noqa: ANN401 - scikit-learn has no annotations
    kind = getattr(import_extra("sklearn.neural_network", "scikit-learn", "sklearn"), name)
    if not isinstance(estimator, kind):
        raise InputError(f"a fitted {name} is needed, not {shown(type(estimator).__name__)}")
    own: Any = estimator
    if own.activation not in _ACTIVATIONS:
        raise InputError(f'the {name} has activation {shown(own.activation)}, "relu" or "identity" is needed')
    if not hasattr(own, "coefs_"):
        raise InputError(f"the {name} is not fitted; call its fit first")
    if own.out_activation_ != output:
        words = "; it has more than two classes" if own.out_activation_ == "softmax" else ""
        raise InputError(f'the {name} has output activation {shown(own.out_activation_)}, "{output}" is needed{words}')
    return own


def _read(own: Any, place: str) -> Network:  # noqa: ANN401 - see above
    chain = Chain(place)
    for position, (weight, bias) in enumerate(zip(own.coefs_, own.intercepts_, strict=True)):
        if position:
            chain.add_activation("the activation", _ACTIVATIONS[own.activation])
        # scikit-learn multiplies from the right, so that its matrices have a column for each unit
        chain.add_affine(f"coefs_[{position}]", weight.T, bias, f"intercepts_[{position}]")
    return chain.build()


def _check_classes(own: Any, network: Network, inputs: object, classes: Sequence[object]) -> None:  # noqa: ANN401 - see above
    """Refuses a classifier whose predictions contradict exact outputs that rounding cannot bring to 0."""
    kind = KINDS.get(own.coefs_[0].dtype.name, FLOAT64)
    if not is_bounded(network.layers, kind):
        return
    rows = to_float_inputs(inputs, kind)
    chosen = rows[choose_samples(network.layers, len(rows))]
    predictions = own.predict(chosen.astype(kind.name)).tolist()
    for sample, (row, predicted) in enumerate(zip(chosen.tolist(), predictions, strict=True)):
        values, bounds = bound_forward(network.layers, [to_rational(value) for value in row], kind)
        if abs(values[0]) > bounds[0] and predicted != classes[int(values[0] > 0)]:
            raise InputError(
                f"the MLPClassifier predicts {shown(predicted)} on sample {sample}, which its layers do not predict"
            )
