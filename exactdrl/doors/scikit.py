"""Instances from networks that scikit-learn has trained."""

from exactdrl.doors.arrays import from_arrays
from exactdrl.doors.extras import import_extra
from exactdrl.exact.rationals import InputError, shown
from exactdrl.problem.instance import Instance


def from_mlp_regressor(regressor: object, inputs: object, targets: object, *, layer: int = 1) -> Instance:
    """Returns the problem of training one layer of a fitted `MLPRegressor` further, from its parameters.

    Parameters mean the dyadic rationals that they are. The data is taken as given: scale it before, as for the
    training.

    Args:
        regressor: a fitted `sklearn.neural_network.MLPRegressor` with activation "relu".
        inputs: shape (N, n_0).
        targets: shape (N, n_{L+1}), or (N,) for one output.
        layer: the trained layer, 1..L+1.

    Raises:
        InputError: scikit-learn is missing; the regressor is another object, is not fitted, or is no network of ReLUs
            with an affine output; shapes that do not fit, NaN, infinities.
    """
    kind = import_extra("sklearn.neural_network", "scikit-learn", "sklearn").MLPRegressor
    if not isinstance(regressor, kind):
        raise InputError(f"a fitted MLPRegressor is needed, not {shown(type(regressor).__name__)}")
    if regressor.activation != "relu":
        raise InputError(f'the MLPRegressor has activation {shown(regressor.activation)}, "relu" is needed')
    if not hasattr(regressor, "coefs_"):
        raise InputError("the MLPRegressor is not fitted; call its fit first")
    output = regressor.out_activation_
    if output != "identity":
        raise InputError(f'the MLPRegressor has output activation {shown(output)}, "identity" is needed')
    # scikit-learn multiplies from the right: its matrices have a column a unit
    weights = [weight.T for weight in regressor.coefs_]
    return from_arrays(weights, list(regressor.intercepts_), inputs, targets, layer=layer)
