"""proofs/all-parameters.md: the change of the loss, an escape unit's curve and a better point, in one cell.

Two samples, one hidden unit and an output bias: everything else is a sum of such terms. In a cell a'(z; s) is a slope
times s; the loss is squared.
"""

import sympy
from exactdrl_proofs.derivations import parse, require_equal

CLAIMS = {
    "change of the loss": "(h + dh) * D * dw + dh * S + dc * E + o1 * d1**2 + o2 * d2**2",
    "outer slope": "D * w",
    "escape unit's curve": "-kappa * rate**2 + kappa**2 * rate**2 * A",
    "better point": "-c**2 / (4 * A)",
}


def derive() -> None:
    """Derives every claim by evaluating the network."""
    x1, x2, y1, y2, s1, s2, w, h, c0 = sympy.symbols("x1 x2 y1 y2 s1 s2 w h c0")
    dw, dh, dc, t, kappa, v = sympy.symbols("dw dh dc t kappa v")
    o1, o2 = sympy.symbols("o1 o2", positive=True)

    def outputs(inner: sympy.Expr, outer: sympy.Expr, constant: sympy.Expr) -> tuple[sympy.Expr, sympy.Expr]:
        return outer * s1 * inner * x1 + constant, outer * s2 * inner * x2 + constant

    def loss(f1: sympy.Expr, f2: sympy.Expr) -> sympy.Expr:
        return o1 * (f1 - y1) ** 2 + o2 * (f2 - y2) ** 2

    before, after = outputs(w, h, c0), outputs(w + dw, h + dh, c0 + dc)
    e1, e2 = 2 * o1 * (before[0] - y1), 2 * o2 * (before[1] - y2)
    values = {"h": h, "dh": dh, "dw": dw, "dc": dc, "w": w, "o1": o1, "o2": o2}
    values |= {"D": e1 * s1 * x1 + e2 * s2 * x2, "S": e1 * s1 * w * x1 + e2 * s2 * w * x2, "E": e1 + e2}
    values |= {"d1": after[0] - before[0], "d2": after[1] - before[1]}
    claimed = parse(CLAIMS["change of the loss"], values)
    require_equal("change of the loss", sympy.expand(loss(*after) - loss(*before)), sympy.expand(claimed))
    # S is D in the direction of the unit's own weights
    require_equal("outer slope", sympy.expand(values["S"]), sympy.expand(parse(CLAIMS["outer slope"], values)))

    # h = 0, and S1 by the choice of one residual: a unit with activations a_k and derivatives s_k x_k v
    r1, r2, a1, a2, b1, b2 = sympy.symbols("r1 r2 a1 a2 b1 b2")
    s1_holds = {r1: sympy.solve(o1 * r1 * a1 + o2 * r2 * a2, r1)[0]}
    rate = v * (2 * o1 * r1 * b1 + 2 * o2 * r2 * b2)
    moved = (r1 - kappa * t * rate * (a1 + t * v * b1), r2 - kappa * t * rate * (a2 + t * v * b2))
    change = o1 * (moved[0] ** 2 - r1**2) + o2 * (moved[1] ** 2 - r2**2)
    germ = sympy.Poly(sympy.expand(change.subs(s1_holds)), t)
    require_equal("escape unit's curve", germ.coeff_monomial(t), sympy.Integer(0))
    size = o1 * a1**2 + o2 * a2**2
    second = parse(CLAIMS["escape unit's curve"], {"kappa": kappa, "rate": rate, "A": size}).subs(s1_holds)
    require_equal("escape unit's curve", germ.coeff_monomial(t**2), sympy.expand(second))

    # one more unit with the activations a_k, at the best outer weight
    slope = 2 * o1 * r1 * a1 + 2 * o2 * r2 * a2
    best = -slope / (2 * size)
    lowered = o1 * ((r1 + best * a1) ** 2 - r1**2) + o2 * ((r2 + best * a2) ** 2 - r2**2)
    require_equal("better point", lowered, parse(CLAIMS["better point"], {"c": slope, "A": size}))
