"""L(u + d) = L(u) + F(d) near u: proofs/kink-jump.md, second part, and proofs/likq.md.

First each kind of kink by itself, with its change δ smaller than what keeps its sign; then a chain of two vanishing
kinks below a positive residual, whose F is put together as proofs/FORMAT.md, section 5, says.
"""

import sympy

from . import parse, relu, require_equal

CLAIMS = {
    "positive unit": "delta",
    "negative unit": "0 * delta",
    "vanishing unit": "(delta + Abs(delta)) / 2",
    "positive residual": "delta",
    "negative residual": "-delta",
    "vanishing residual": "Abs(delta)",
    "second kink": "W / 2 * z1 + W / 2 * Abs(z1)",
    "F": "V * W / 4 * z1 + V * W / 4 * Abs(z1) + V / 2 * Abs(z2)",
}


def derive() -> None:
    """Derives every claim, case by case in the signs."""
    size, rest = sympy.symbols("p q", positive=True)
    for delta in (size, -size):
        above, below = size + rest, -size - rest  # the values at u are larger than the change
        derived = {
            "positive unit": relu(above + delta) - relu(above),
            "negative unit": relu(below + delta) - relu(below),
            "vanishing unit": relu(delta) - relu(0),
            "positive residual": sympy.Abs(above + delta) - above,
            "negative residual": sympy.Abs(below + delta) + below,
            "vanishing residual": sympy.Abs(delta),
        }
        for name, left in derived.items():
            require_equal(name, left, parse(CLAIMS[name], {"delta": delta}))
    output = sympy.Symbol("V", real=True)
    for z1 in (size, -size, sympy.Integer(0)):
        for weight in (rest, -rest):
            z2 = parse(CLAIMS["second kink"], {"z1": z1, "W": weight})
            require_equal("second kink", weight * relu(z1), z2)
            change = parse(CLAIMS["F"], {"z1": z1, "z2": z2, "W": weight, "V": output})
            require_equal("F", output * relu(weight * relu(z1)), change)
