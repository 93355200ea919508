"""The absolute value and the L1 loss as ReLU layers: proofs/l1-as-relu.md."""

import sympy

from . import parse, relu, require_equal

CLAIMS = {
    "absolute value": "relu(t) + relu(-t)",
    "identity": "relu(t) - relu(-t)",
    "activation": "(t + Abs(t)) / 2",
    "loss": "relu(f - y) + relu(y - f)",
}


def derive() -> None:
    """Derives every claim, on t ≥ 0 and on t ≤ 0."""
    size = sympy.Symbol("p", nonnegative=True)
    target = sympy.Symbol("y", real=True)
    # the loss as a network: the residual goes into two more units, with weights 1 and -1 and biases -y and y
    weight, bias, last = sympy.Matrix([1, -1]), sympy.Matrix([-target, target]), sympy.Matrix([[1, 1]])
    for t in (size, -size):
        for name, left in (("absolute value", sympy.Abs(t)), ("identity", t), ("activation", relu(t))):
            require_equal(name, left, parse(CLAIMS[name], {"t": t}))
        output = target + t
        claimed = parse(CLAIMS["loss"], {"f": output, "y": target})
        require_equal("loss", sympy.Abs(t), claimed)
        require_equal("loss as layers", (last * (weight * output + bias).applyfunc(relu))[0], claimed)
