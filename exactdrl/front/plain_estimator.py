"""The part of scikit-learn that the estimators need, for those who do not have the package."""

from __future__ import annotations

import inspect
from typing import Any, Self

import numpy as np

from exactdrl.exact.rationals import InputError

_AXES = 2


class BaseEstimator:
    """Settings by name, as scikit-learn's estimators have them."""

    @classmethod
    def _names(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, *, deep: bool = True) -> dict[str, object]:
        """Returns the settings."""
        del deep
        return {name: getattr(self, name) for name in self._names()}

    def set_params(self, **params: object) -> Self:
        """Changes settings, and returns the estimator.

        Raises:
            InputError: there is no such setting.
        """
        for name, value in params.items():
            if name not in self._names():
                raise InputError(f"{type(self).__name__} has no setting {name!r}; it has {', '.join(self._names())}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        """Returns the settings."""
        words = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"{type(self).__name__}({words})"


class RegressorMixin:
    """The score of a regressor."""

    def score(self, X: object, y: Any, sample_weight: Any = None) -> float:  # noqa: ANN401, N803 - scikit-learn's form
        """Returns R² of the predictions, in floats."""
        predict: Any = self
        found, targets = np.asarray(predict.predict(X)), np.asarray(y, dtype=np.float64)
        weights = np.ones(len(targets)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        mean = float((weights * targets).sum() / weights.sum())
        return 1.0 - float((weights * (targets - found) ** 2).sum() / (weights * (targets - mean) ** 2).sum())


def check_is_fitted(estimator: object) -> None:
    """Refuses an estimator that was not fitted.

    Raises:
        InputError: the estimator was not fitted.
    """
    if not hasattr(estimator, "result_"):
        raise InputError(f"this {type(estimator).__name__} is not fitted; call its fit first")


def validate_data(
    estimator: Any,  # noqa: ANN401 - any estimator
    X: Any,  # noqa: ANN401, N803 - anything with rows
    y: Any = None,  # noqa: ANN401
    *,
    reset: bool = True,
    dtype: str | None = "numeric",
    y_numeric: bool = False,
) -> Any:  # noqa: ANN401 - rows, or rows and targets
    """Returns rows and targets as arrays, and notes the columns' number and names on the estimator.

    Raises:
        InputError: the shapes of rows, targets or fit do not fit each other.
    """
    del dtype, y_numeric
    columns = getattr(X, "columns", None)
    rows = np.asarray(X)
    if rows.ndim != _AXES or not rows.size:
        raise InputError(f"X has shape {rows.shape}; rows and columns are needed")
    if reset:
        estimator.n_features_in_ = rows.shape[1]
        if columns is not None and all(isinstance(name, str) for name in columns):
            estimator.feature_names_in_ = np.array(list(columns), dtype=object)
    elif rows.shape[1] != estimator.n_features_in_:
        raise InputError(f"X has {rows.shape[1]} columns, the fit has {estimator.n_features_in_}")
    if y is None:
        return rows
    targets = np.asarray(y)
    if targets.shape not in ((len(rows),), (len(rows), 1)):
        raise InputError(f"y has shape {targets.shape}, X has {len(rows)} rows")
    return rows, targets.reshape(-1)
