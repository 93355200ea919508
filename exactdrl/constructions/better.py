"""Finds a strictly better point than the best affine fit, by one unit more or a few, with an exact proof.

Squared loss: let r be the fit's residuals and take a sample i with r_i ≠ 0. For u_0 ⟂ x̃_i and not ⟂ to any other
sample, c(u) = Σ r relu(u · x̃) has the second difference r_i ε |x̃_i|² at u_0 - ε x̃_i, u_0, u_0 + ε x̃_i, so it is
not 0 for one of the three; adding -c / Σ relu² times the unit lowers Σ r² by c² / Σ relu². Absolute loss: a bump of
three units that is 0 on all samples but i always lowers Σ |r|. With fewer units candidates are tried, and whether one
fits better is decided exactly.

Source: He, Wang and Tao, arXiv:2003.12236; Yun, Sra and Jadbabaie, arXiv:1802.03487; proofs/spurious.md.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

from gmpy2 import mpq

from exactdrl.constructions.affine_fit import AffineFit
from exactdrl.constructions.channels import Shape, build_channels
from exactdrl.constructions.plain_network import PlainNetwork, Rows
from exactdrl.hidden_cells.relaxation import fit
from exactdrl.hidden_cells.setting import LossKind

_ZERO, _ONE = mpq(0), mpq(1)
_BUMP = 3
# samples, and units, that are tried at most; each costs a fit
_SAMPLES, _UNITS = 20, 60

Function = tuple[mpq, ...]  # an affine function of the inputs, the constant last


def _value(row: Function, x: Sequence[mpq]) -> mpq:
    return sum((a * b for a, b in zip(row, (*x, _ONE), strict=True)), _ZERO)


def _separating(inputs: Rows, sample: int) -> Function:
    """Returns u_0: an affine function that is 0 at a sample and at no other place of the data.

    The direction lies on the moment curve, of whose points only finitely many fail.
    """
    here, size = inputs[sample], len(inputs[sample])
    others = [x for x in inputs if x != here]
    number = 1
    while True:
        direction = [mpq(number) ** place for place in range(size)]
        row = (*direction, -sum((a * b for a, b in zip(direction, here, strict=True)), _ZERO))
        if all(_value(row, x) for x in others):
            return row
        number += 1


def _units(inputs: Rows, weights: Sequence[mpq]) -> Iterator[Function]:
    """Yields the units u_0 and u_0 ± ε x̃_i, and -u_0, for the samples with the greatest weights."""
    order = sorted((k for k, w in enumerate(weights) if w), key=lambda k: -abs(weights[k]))
    for sample in order[:_SAMPLES]:
        row = _separating(inputs, sample)
        x = (*inputs[sample], _ONE)
        gap = min((abs(_value(row, other)) for other in inputs if other != inputs[sample]), default=_ONE)
        most = max(abs(sum((a * b for a, b in zip(x, (*other, _ONE), strict=True)), _ZERO)) for other in inputs)
        step = gap / (2 * most) if most else _ONE
        for side in (0, 1, -1):
            yield tuple(a + side * step * b for a, b in zip(row, x, strict=True))
        yield tuple(-a for a in row)


def _relu(value: mpq) -> mpq:
    return value if value > 0 else _ZERO


def find_better(shape: Shape, inputs: Rows, targets: Rows, affine: AffineFit, loss: LossKind) -> PlainNetwork | None:
    """Returns a network whose loss is smaller than the affine fit's; None where none was found.

    With the squared loss, slopes that differ and a spare unit in every hidden layer there always is one; likewise
    with the absolute loss and three spare units.

    Args:
        shape: of the network.
        inputs: N rows.
        targets: N rows.
        affine: the best affine fit, with a loss > 0.
        loss: its kind.
    """
    outputs = len(targets[0])
    output = max(range(outputs), key=lambda q: sum((abs(row[q]) for row in affine.residuals), _ZERO))
    spare = shape.spare(outputs)
    if spare < 1:
        return _bend_channel(shape, inputs, targets, affine=affine, output=output, loss=loss)
    goals = [row[output] for row in targets]
    best, gain = None, _ZERO
    if loss == "squared":
        residuals = [row[output] for row in affine.residuals]
        for unit in islice(_units(inputs, residuals), _UNITS):
            relus = [_relu(_value(unit, x)) for x in inputs]
            own = sum((r * a for r, a in zip(residuals, relus, strict=True)), _ZERO)
            if own and own * own / sum((a * a for a in relus), _ZERO) > gain:
                gain = own * own / sum((a * a for a in relus), _ZERO)
                best = [unit]
    else:
        before = sum((abs(row[output]) for row in affine.residuals), _ZERO)
        for unit in islice(_units(inputs, [row[output] for row in affine.residuals]), _UNITS):
            value = fit([[*x, _ONE, _relu(_value(unit, x))] for x in inputs], goals, loss).value
            if before - value > gain:
                gain, best = before - value, [unit]
        if best is None and spare >= _BUMP:
            best = _bump(inputs, next(k for k, row in enumerate(affine.residuals) if row[output]))
    if best is None:
        return None
    return _with_units(shape, inputs, goals, affine=affine, output=output, units=best, loss=loss)


def _bump(inputs: Rows, sample: int) -> list[Function]:
    """Returns three units of which one combination is 1 at a sample and 0 at all others."""
    row = _separating(inputs, sample)
    gap = min((abs(_value(row, x)) for x in inputs if x != inputs[sample]), default=_ONE)
    return [(*row[:-1], row[-1] + shift) for shift in (gap, _ZERO, -gap)]


def _with_units(
    shape: Shape,
    inputs: Rows,
    goals: Sequence[mpq],
    *,
    affine: AffineFit,
    output: int,
    units: Sequence[Function],
    loss: LossKind,
) -> PlainNetwork:
    """Returns the network of the affine fits, with one output refitted on the inputs and some units."""
    size = len(inputs[0])
    found = fit([[*x, _ONE, *(_relu(_value(unit, x)) for unit in units)] for x in inputs], goals, loss).variables
    below, above = shape.slopes
    # relu(t) = (a(t) - below · t) / (above - below): the linear part joins the affine function
    factors = [entry / (above - below) for entry in found[size + 1 :]]
    linear = list(found[: size + 1])
    for factor, unit in zip(factors, units, strict=True):
        linear = [a - factor * below * b for a, b in zip(linear, unit, strict=True)]
    firsts: list[tuple[Function, bool]] = [
        (tuple(linear) if q == output else row, False) for q, row in enumerate(affine.coefficients)
    ]
    firsts += [(unit, True) for unit in units]
    outer = tuple(
        (
            *(mpq(q == place) for place in range(len(affine.coefficients))),
            *(factor if q == output else _ZERO for factor in factors),
        )
        for q in range(len(affine.coefficients))
    )
    return build_channels(shape, inputs, firsts, outer, [_ZERO] * len(affine.coefficients))


def _bend_channel(
    shape: Shape, inputs: Rows, targets: Rows, *, affine: AffineFit, output: int, loss: LossKind
) -> PlainNetwork | None:
    """Returns a network in which one output's own unit bends between samples, if that fits better."""
    row, goals = affine.coefficients[output], [y[output] for y in targets]
    values = sorted({_value(row, x) for x in inputs})
    best, gain = None, _ZERO
    before = affine.loss if len(affine.coefficients) == 1 else _output_loss(affine, output, loss)
    below, above = shape.slopes
    for value in values:
        for side in (1, -1):
            unit = tuple(side * (a - value * (place == len(row) - 1)) for place, a in enumerate(row))
            bent = [t * (above if t > 0 else below) for t in (_value(unit, x) for x in inputs)]
            found = fit([[b, _ONE] for b in bent], goals, loss)
            if before - found.value > gain:
                gain, best = before - found.value, (unit, found.variables)
    if best is None:
        return None
    unit, (factor, constant) = best
    count = len(affine.coefficients)
    firsts = [(unit if q == output else affine.coefficients[q], q == output) for q in range(count)]
    outer = tuple(
        tuple((factor if q == output else _ONE) if q == p else _ZERO for p in range(count)) for q in range(count)
    )
    return build_channels(shape, inputs, firsts, outer, [constant if q == output else _ZERO for q in range(count)])


def _output_loss(affine: AffineFit, output: int, loss: LossKind) -> mpq:
    entries = [row[output] for row in affine.residuals]
    return sum((r * r if loss == "squared" else abs(r) for r in entries), _ZERO)
