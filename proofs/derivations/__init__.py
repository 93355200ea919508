"""Symbolic derivations: each identity of the proof pages, derived by SymPy and compared with the text of the claim.

Every module has CLAIMS, the right-hand sides as text, and `derive`, which raises `NotDerivedError` if one of them is
not what follows from the definitions. tests/test_derivations.py runs them all, and changes the texts to see that they
fail.
"""

from collections.abc import Mapping

import sympy


class NotDerivedError(ArithmeticError):
    """A claim is not what follows from the definitions."""


def relu(value: sympy.Expr) -> sympy.Expr:
    """Returns max(0, value)."""
    return sympy.Max(0, value)


def parse(text: str, symbols: Mapping[str, object]) -> sympy.Expr:
    """Returns the expression that a claim's text means."""
    return sympy.sympify(text, locals={"relu": relu, **symbols})


def require_equal(name: str, derived: sympy.Expr, claimed: sympy.Expr) -> None:
    """Demands that two expressions, or two matrices, are the same.

    Raises:
        NotDerivedError: they are not, or SymPy cannot show that they are.
    """
    difference = sympy.simplify(derived - claimed)
    if not (difference.is_zero_matrix if isinstance(difference, sympy.MatrixBase) else difference == 0):
        raise NotDerivedError(f"{name}: {difference} is left")
