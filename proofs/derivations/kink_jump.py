"""What a flip changes: the gradient's jump across a kink, and the affine functions above it: proofs/kink-jump.md.

A network of two units in the trained layer, two in the next and a residual, on one sample, with its activation pattern
as symbols: bits e1, e2 (trained layer), h1, h2 (next layer), s = ±1 (residual). In a cell everything is a polynomial in
these, of degree 1 in each, so that an identity in the symbols holds in every cell.
"""

import sympy

from . import parse, require_equal

CLAIMS = {
    "trained unit, loss": "s * (V1 * h1 * W11 + V2 * h2 * W21) * z1",
    "trained unit, next layer": "W11 * z1",
    "trained unit, residual": "(V1 * h1 * W11 + V2 * h2 * W21) * z1",
    "next unit, loss": "s * V1 * y1",
    "next unit, residual": "V1 * y1",
    "residual, loss": "2 * r",
    "normal": "(V1 * h1 * W11 + V2 * h2 * W21) * e1",
}


def derive() -> None:
    """Derives every claim by evaluating the network with the bit on and off."""
    bits = e1, e2, h1, h2, s = sympy.symbols("e1 e2 h1 h2 s")
    weights = w11, w12, w21, w22, v1, v2 = sympy.symbols("W11 W12 W21 W22 V1 V2")
    x1, x2, b1, b2, b3 = sympy.symbols("x1 x2 b1 b2 b3")
    theta = t11, t12, t21, t22 = sympy.symbols("t11 t12 t21 t22")
    z1, z2 = t11 * x1 + t12 * x2, t21 * x1 + t22 * x2
    y1 = w11 * e1 * z1 + w12 * e2 * z2 + b1
    y2 = w21 * e1 * z1 + w22 * e2 * z2 + b2
    r = v1 * h1 * y1 + v2 * h2 * y2 + b3
    loss = s * r
    values = {"z1": z1, "y1": y1, "r": r} | {str(symbol): symbol for symbol in (*bits, *weights)}

    def jump(function: sympy.Expr, bit: sympy.Symbol, off: int = 0) -> sympy.Expr:
        return sympy.expand(function.subs(bit, 1) - function.subs(bit, off))

    derived = {
        "trained unit, loss": jump(loss, e1),
        "trained unit, next layer": jump(y1, e1),
        "trained unit, residual": jump(r, e1),
        "next unit, loss": jump(loss, h1),
        "next unit, residual": jump(r, h1),
        "residual, loss": jump(loss, s, off=-1),
    }
    for name, left in derived.items():
        require_equal(name, left, sympy.expand(parse(CLAIMS[name], values)))
    # the normal of the residual is v ⊗ x̃, with v by backpropagation through the sample alone
    v = parse(CLAIMS["normal"], values)
    for parameter, entry in ((t11, x1), (t12, x2)):
        require_equal("normal", sympy.expand(sympy.diff(r, parameter)), sympy.expand(v * entry))
    # and so the gradient's jump is a multiple of the flipped kink's normal
    factor = parse(CLAIMS["trained unit, loss"], values | {"z1": sympy.Integer(1)})
    for parameter in theta:
        require_equal(
            "gradient", sympy.diff(jump(loss, e1), parameter), sympy.expand(factor * sympy.diff(z1, parameter))
        )
