"""Without hidden layers the walk is Barrodale and Roberts' simplex for L1 regression: proofs/barrodale-roberts.md.

Two parameters, two residuals in the basis, three others with signs s: the slopes along the edges, the test of the
optimum, and how the slope changes where the edge passes another residual's kink.
"""

import sympy

from . import parse, require_equal

CLAIMS = {
    "multipliers": "B.T**(-1) * S",  # S = Σ s_i x_i over the residuals outside the basis
    "slope where the residual grows": "1 + L",
    "slope where it falls": "1 - L",
    "slope behind a breakpoint": "slope + 2 * rate",  # rate: |x_i · r| of the residual that vanishes there
}


def derive() -> None:
    """Derives every claim."""
    b = sympy.Matrix(2, 2, sympy.symbols("b:4", real=True))
    x = sympy.Matrix(3, 2, sympy.symbols("x:6", real=True))
    signs = sympy.Matrix(sympy.symbols("s:3", real=True))
    outside = x.T * signs
    multipliers = sympy.sympify(CLAIMS["multipliers"], locals={"B": b, "S": outside})
    for k in range(2):
        other = 1 - k
        for grows in (1, -1):
            # the edge r: B r = ± e_k, so that residual k changes and the other one of the basis stays 0
            r = b.inv() * sympy.Matrix([grows * int(i == k) for i in range(2)])
            require_equal("edge", (b * r)[other], sympy.Integer(0))
            # residual k has the sign `grows` along the edge, the other one's bit does not count
            gradient = outside + grows * b[k, :].T
            name = "slope where the residual grows" if grows == 1 else "slope where it falls"
            require_equal(name, gradient.dot(r), parse(CLAIMS[name], {"L": multipliers[k]}))
    # behind a breakpoint residual 0 has the other sign; it vanished there, so its sign was against its rate
    r = sympy.Matrix(sympy.symbols("r:2", real=True))
    rate = sympy.Symbol("rate", positive=True)
    for sign in (1, -1):
        # x_0 · r = -sign · rate, solved for one entry of x_0
        entry = sympy.solve(x[0, :].dot(r) + sign * rate, x[0, 0])[0]
        before = sum((signs[i] * x[i, :].dot(r) for i in (1, 2)), sympy.Integer(0))
        slope, behind = (before + factor * x[0, :].dot(r).subs(x[0, 0], entry) for factor in (sign, -sign))
        name = "slope behind a breakpoint"
        require_equal(name, behind, parse(CLAIMS[name], {"slope": slope, "rate": rate}))
