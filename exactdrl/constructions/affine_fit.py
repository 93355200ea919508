"""Finds the best affine fit of data with several outputs, with the dual that proves it. Exact."""

from dataclasses import dataclass

from gmpy2 import mpq

from exactdrl.constructions.plain_network import Rows
from exactdrl.hidden_cells.relaxation import fit
from exactdrl.hidden_cells.setting import LossKind


@dataclass(frozen=True, slots=True)
class AffineFit:
    """An affine function with the least loss.

    Attributes:
        coefficients: a row for each output: a number for each input, and the constant.
        residuals: N rows, prediction minus target.
        dual: N rows with Σ_k e_k (x_k, 1) = 0 for each output; squared: the residuals; absolute: |e| ≤ 1 and e r = |r|.
        loss: Σ r² or Σ |r|.
    """

    coefficients: Rows
    residuals: Rows
    dual: Rows
    loss: mpq

    def values(self, inputs: Rows) -> Rows:
        """Returns the predictions, N rows."""
        return tuple(
            tuple(sum((a * b for a, b in zip(row, (*x, mpq(1)), strict=True)), mpq(0)) for row in self.coefficients)
            for x in inputs
        )


def fit_affine(inputs: Rows, targets: Rows, loss: LossKind) -> AffineFit:
    """Returns the affine function with the least loss.

    Args:
        inputs: N rows.
        targets: N rows.
        loss: its kind.
    """
    matrix = [[*x, mpq(1)] for x in inputs]
    fits = [fit(matrix, column, loss) for column in zip(*targets, strict=True)]
    return AffineFit(
        tuple(found.variables for found in fits),
        tuple(zip(*(found.residuals for found in fits), strict=True)),
        tuple(zip(*(found.dual for found in fits), strict=True)),
        sum((found.value for found in fits), mpq(0)),
    )
