"""Writes a regression's optimum as a VIPR certificate, a format in which exact linear programming is checked.

The loss of a last layer is a linear program: least Σ (above · p - below · q), where prediction - p + q is the target
and p, q >= 0. The certificate holds it, the optimum as a solution, and one derived inequality: the slopes at the
optimum, as multipliers of the rows, give the optimum as a lower bound. All numbers are fractions.

Source: Cheung, Gleixner and Steffy, Verifying integer programming results (2017), and the format's specification 1.0.
"""

from collections.abc import Iterator, Sequence

from gmpy2 import mpq

from exactdrl.arithmetic.exact import ExactArithmetic
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink
from exactdrl.certificate.reader import Certificate
from exactdrl.certificate.replay import final_vertex
from exactdrl.exact.rationals import InputError, to_text
from exactdrl.minimality.slopes import SlopeLeaf, find_slopes
from exactdrl.problem.instance import Instance, Matrix

_ZERO, _ONE = mpq(0), mpq(1)

# coefficients by variable, in order
Row = list[tuple[int, mpq]]


def vipr_of_run(instance: Instance, certificate: Certificate) -> Iterator[str]:
    """Yields the lines of a VIPR certificate that the last vertex of a walk is optimal.

    Args:
        instance: a regression: the last layer is trained, and the loss has two slopes.
        certificate: of a walk on it, which ended in a minimum.

    Raises:
        InputError: the instance is no regression, or the last vertex is no optimum.
    """
    problem = IntegerProblem.from_instance(instance)
    vertex = ExactArithmetic(problem, *final_vertex(problem, certificate)).vertex()
    return vipr_lines(instance, problem.to_full(vertex))


def vipr_lines(instance: Instance, parameters: Matrix) -> Iterator[str]:
    """Yields the lines of a VIPR certificate that a point of a regression is optimal.

    Args:
        instance: a regression: the last layer is trained, and the loss has two slopes.
        parameters: the optimum, shape (n_ℓ, m).

    Raises:
        InputError: the instance is no regression, or the point is no optimum.
    """
    if instance.free != len(instance.layers) or instance.loss.is_squared:
        raise InputError(
            "VIPR: the instance is no regression: the last layer has to be trained, with a loss of two slopes"
        )
    tree = find_slopes(instance, parameters)
    if not isinstance(tree, SlopeLeaf):
        raise InputError("VIPR: the point is no optimum of the regression")
    return _lines(instance, parameters, tree)


def _lines(instance: Instance, parameters: Matrix, leaf: SlopeLeaf) -> Iterator[str]:
    features = instance.pushed_inputs()
    outputs, width = len(parameters), len(parameters[0])
    count = len(features) * outputs
    # variables: the parameters, row by row, then p and q of each entry
    first = outputs * width
    solution: Row = [(j * width + k, x) for j, row in enumerate(parameters) for k, x in enumerate(row)]
    objective: Row = []
    rows: list[tuple[mpq, Row]] = []
    derived: Row = []
    bound = _ZERO
    for sample, feature in enumerate(features):
        weight = _ONE if instance.weights is None else instance.weights[sample]
        for output in range(outputs):
            entry = sample * outputs + output
            target = instance.targets[sample][output]
            below, above = (weight * slope for slope in instance.loss.slopes(output, target))
            residual = sum((w * x for w, x in zip(parameters[output], feature, strict=True)), -target)
            slope = above if residual > 0 else below
            if residual == 0 and below != above:
                slope = leaf.slopes.get(Kink(len(instance.layers), sample, output), _ZERO)
            p, q = first + 2 * entry, first + 2 * entry + 1
            objective += [(p, above), (q, -below)]
            rows.append((target, [*((output * width + k, x) for k, x in enumerate(feature)), (p, -_ONE), (q, _ONE)]))
            solution += [(p, max(residual, _ZERO)), (q, max(-residual, _ZERO))]
            bound -= slope * target
            # the entry's row, then p >= 0 and q >= 0
            derived += [(2 * count + entry, -slope), (2 * entry, above - slope), (2 * entry + 1, slope - below)]
    yield "VER 1.0"
    yield f"VAR {first + 2 * count}"
    yield " ".join(f"w{j}_{k}" for j in range(outputs) for k in range(width))
    yield " ".join(f"p{entry} q{entry}" for entry in range(count))
    yield "INT 0"
    yield "OBJ min"
    yield sparse(objective)
    yield f"CON {3 * count} {2 * count}"
    for entry in range(count):
        yield f"P{entry} G 0 1 {first + 2 * entry} 1"
        yield f"Q{entry} G 0 1 {first + 2 * entry + 1} 1"
    for entry, (target, row) in enumerate(rows):
        yield f"E{entry} E {to_text(target)} {sparse(row)}"
    yield f"RTP range {to_text(bound)} {to_text(bound)}"
    yield "SOL 1"
    yield f"optimum {sparse(solution)}"
    yield "DER 1"
    yield f"bound G {to_text(bound)} OBJ {{ lin {sparse(derived)} }} -1"


def sparse(row: Sequence[tuple[int, mpq]]) -> str:
    """Returns the number of entries other than 0, and each with its index; no index twice."""
    kept = [(index, value) for index, value in row if value]
    return " ".join([str(len(kept)), *(f"{index} {to_text(value)}" for index, value in kept)])
