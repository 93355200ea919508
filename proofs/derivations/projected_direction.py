"""The negative gradient projected onto the null space of the active normals: proofs/projected-direction.md."""

import sympy

from . import parse, require_equal

CLAIMS = {
    "direction": "-(g - A.T * (A * A.T)**(-1) * A * g)",
    "slope": "-D",  # D = |d|²
    "slope of another": "-X",  # X = d · e, for every e with A e = 0
    "steepest": "D * E - G**2",  # G = g · e, E = |e|²: a square, so never negative
}


def derive() -> None:
    """Derives every claim with two normals in R³, and with one, where the null space has dimension 2."""
    for count in (1, 2):
        a = sympy.Matrix(count, 3, sympy.symbols(f"a:{3 * count}", real=True))
        g = sympy.Matrix(sympy.symbols("g:3", real=True))
        d = sympy.simplify(sympy.sympify(CLAIMS["direction"], locals={"A": a, "g": g}))
        require_equal("direction keeps the active kinks", a * d, sympy.zeros(count, 1))
        require_equal("slope", g.dot(d), parse(CLAIMS["slope"], {"D": d.dot(d)}))
        if count == 1:
            r, t = sympy.symbols("r t", real=True)
            e = r * sympy.Matrix([-a[1], a[0], 0]) + t * sympy.Matrix([-a[2], 0, a[0]])
            require_equal("slope of another", g.dot(e), parse(CLAIMS["slope of another"], {"X": d.dot(e)}))
            # both lie in the plane A⊥, whose normal is a: |d|²|e|² - (d·e)² = det(d, e, a)² / |a|²
            claimed = parse(CLAIMS["steepest"], {"D": d.dot(d), "E": e.dot(e), "G": g.dot(e)})
            square = sympy.Matrix.hstack(d, e, a.T).det() ** 2 / a.dot(a)
            require_equal("steepest", square, claimed)
