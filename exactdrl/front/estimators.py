"""Exact regressions as estimators in scikit-learn's form, with or without scikit-learn installed.

```python
model = ExactQuantileRegressor(quantile="1/4").fit(X, y)
model.coef_, model.intercept_  # float64
model.exact_coef_, model.exact_intercept_  # fractions
model.certificate_.verify()  # the stand-alone checker
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from gmpy2 import mpq
from numpy.typing import NDArray

from exactdrl.doors.design import INTERCEPT
from exactdrl.exact.rationals import InputError, to_float
from exactdrl.front.regressed import RegressionResult, regress, to_level
from exactdrl.front.walked import WalkResult

try:
    from sklearn.base import BaseEstimator, RegressorMixin
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError:  # pragma: no cover - the tests hide scikit-learn in a process of their own
    from exactdrl.front.plain_estimator import BaseEstimator, RegressorMixin, check_is_fitted, validate_data

if TYPE_CHECKING:
    # its classes have no types
    _Base: Any = object
    _Mixin: Any = object
else:
    _Base, _Mixin = BaseEstimator, RegressorMixin

_KIND = type(mpq(0))


class ExactQuantileRegressor(_Mixin, _Base):  # type: ignore[misc]
    """The exact regression quantile of a level.

    Attributes:
        coef_: the coefficients in float64, correctly rounded, shape (columns,). A column that is aliased, a combination
            of columns before it, has the coefficient 0.
        intercept_: the intercept in float64, correctly rounded; 0 where none is fitted.
        exact_coef_: the exact coefficients.
        exact_intercept_: the exact intercept.
        result_: everything else, a `RegressionResult`: the objective, whether the fit is unique, the dual, the path.
        n_features_in_: the number of columns.
        feature_names_in_: the names of the columns, where the data has names that are texts.
    """

    def __init__(self, quantile: object = "1/2", *, fit_intercept: bool = True) -> None:
        """Takes the settings.

        Args:
            quantile: the level τ, between 0 and 1: a text like "1/4" or "0.25", a fraction, or a float, which means the
                dyadic rational that it is.
            fit_intercept: whether there is a column of ones.
        """
        self.quantile = quantile
        self.fit_intercept = fit_intercept

    def _level(self) -> mpq:
        level: Any = self.quantile
        return to_level(level)

    # scikit-learn's names
    def fit(self, X: object, y: object, sample_weight: object = None) -> Self:  # noqa: N803
        """Fits the model, and returns it.

        Args:
            X: the columns, shape (N, columns): an array, a frame, or rows. Floats mean the dyadic rationals that they
                are.
            y: the targets, shape (N,).
            sample_weight: nonnegative weights, shape (N,); default: 1 each.

        Raises:
            InputError: the shapes do not fit, a level is not between 0 and 1, a weight is negative, or all weights are
                0.
        """
        level = self._level()
        exact = _to_exact_rows(X)
        checked, targets = validate_data(self, X, y, dtype=None if exact else "numeric", y_numeric=not exact)
        rows = exact if exact is not None else np.asarray(checked, dtype=np.float64)
        weights = None if sample_weight is None else _to_weights(sample_weight, len(rows))
        self.result_: RegressionResult = regress(
            rows, np.asarray(targets).tolist(), tau=level, intercept=self.fit_intercept, weights=weights
        )
        names = getattr(self, "feature_names_in_", None)
        if names is not None:
            listed = tuple(map(str, names))
            own = (INTERCEPT, *listed) if self.fit_intercept else listed
            self.result_ = _renamed(self.result_, own)
        values = self.result_.fit.coefficients
        self.exact_intercept_ = values[0] if self.fit_intercept else mpq(0)
        self.exact_coef_ = tuple(values[1:] if self.fit_intercept else values)
        self.intercept_ = to_float(self.exact_intercept_)
        self.coef_ = np.array([to_float(value) for value in self.exact_coef_])
        self.n_iter_ = self.result_.fit.steps
        return self

    def predict(self, X: object) -> NDArray[np.float64]:  # noqa: N803
        """Returns the predictions in float64, each rounded correctly from the exact one."""
        return np.array([to_float(value) for value in self.exact_predict(X)])

    def exact_predict(self, X: object) -> tuple[mpq, ...]:  # noqa: N803
        """Returns the exact predictions."""
        check_is_fitted(self)
        exact = _to_exact_rows(X)
        checked = validate_data(self, X, reset=False, dtype=None if exact else "numeric")
        rows = exact if exact is not None else np.asarray(checked, dtype=np.float64)
        return self.result_.predict(rows)

    @property
    def certificate_(self) -> WalkResult:
        """Returns the walk to the optimum with its certificate, which is made when it is asked for."""
        check_is_fitted(self)
        return self.result_.certificate


class ExactLAD(ExactQuantileRegressor):
    """Exact least absolute deviations, the regression quantile of level 1/2; see `ExactQuantileRegressor`."""

    def __init__(self, *, fit_intercept: bool = True) -> None:
        """Takes the settings.

        Args:
            fit_intercept: whether there is a column of ones.
        """
        self.fit_intercept = fit_intercept

    def _level(self) -> mpq:
        return mpq(1, 2)


def _renamed(result: RegressionResult, names: tuple[str, ...]) -> RegressionResult:
    return RegressionResult(names, result.target, result.level, result.fit, result.lines, result.notes)


def _to_exact_rows(rows: object) -> list[list[object]] | None:
    """Returns rows with exact rationals as they are; None for all other data."""
    if isinstance(rows, (list, tuple)) and rows and isinstance(rows[0], (list, tuple)):
        listed = [list(row) for row in rows]
        if any(isinstance(value, _KIND) for row in listed for value in row):
            return listed
    return None


def _to_weights(weights: Any, count: int) -> list[object]:  # noqa: ANN401 - anything that lists numbers
    if isinstance(weights, (int, float)):
        return [weights] * count
    listed = list(weights) if isinstance(weights, (list, tuple)) else np.asarray(weights).reshape(-1).tolist()
    if len(listed) != count:
        raise InputError(f"sample_weight has {len(listed)} entries, X has {count} rows")
    return listed
