"""Hints for the proved checker: what it would have to solve for, written down beside a certificate.

Each vertex's coordinates, the inverse of a basis where an exchange of one kink does not show that it is one, and slopes
at the end that prove the minimum. Hints are not trusted; proofs/coq/README.md has their format.
"""

import json
from collections.abc import Callable, Iterator, Sequence

from flint import fmpq, fmpq_mat
from gmpy2 import mpq, mpz

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.certificate.reader import Certificate
from exactdrl.certificate.replay import replay
from exactdrl.exact.linear import to_integers, to_mpq
from exactdrl.exact.rationals import InputError, to_text
from exactdrl.minimality.slopes import (
    DEFAULT_NODES,
    AxisLeaf,
    AxisTree,
    SlopeLeaf,
    SlopeTree,
    find_slopes,
    find_strict_slopes,
)
from exactdrl.minimality.verdict import LocalMinimum, StrictLocalMinimum
from exactdrl.problem.instance import Instance
from exactdrl.steps.step import Step

_ZERO = mpq(0)


def hint_lines(
    instance: Instance,
    certificate: Certificate,
    *,
    nodes: int = DEFAULT_NODES,
    on_step: Callable[[int], None] | None = None,
) -> Iterator[str]:
    """Yields the lines of a hints file, without their newlines.

    Args:
        instance: the problem.
        certificate: a whole one.
        nodes: how many linear programs the end may take.
        on_step: called with the number of each step.

    Raises:
        InputError: the run is of a kind that the proved checker does not cover, or a line does not fit the problem.
    """
    problem = IntegerProblem.from_instance(instance)
    if len(problem.addresses.kept) < problem.addresses.units:
        raise InputError("hints are not made for problems where units of the trained layer matter to no kink")
    if problem.lineality:
        raise InputError("the proved checker does not cover problems with lineality (proofs/FORMAT.md, section 3)")
    yield _line({"format": "exactdrl-hints", "version": 1, "instance": instance.digest})
    vertices = replay(problem, certificate)
    vertex = next(vertices)
    first = {"point": _point(problem, vertex.vertex())}
    yield _line(first | {"inverse": _inverse(instance, vertex.pattern, certificate.first.basis)})
    before = list(vertex.basis)
    last = problem.first + len(problem.widths) - 1
    for step, vertex in zip(certificate.steps, vertices, strict=True):
        content: dict[str, object] = {"point": _point(problem, vertex.vertex())}
        if not _is_exchange(step, before, last):
            # the checker knows the basis in the certificate's order
            old = list(before if step.basis is None else step.basis)
            old.remove(step.leaving)
            content["inverse"] = _inverse(instance, vertex.pattern, [*old, step.entering])
        before = list(before if step.basis is None else step.basis)
        before.remove(step.leaving)
        before.append(step.entering)
        yield _line(content)
        if on_step is not None:
            on_step(step.index)
    outcome = certificate.outcome
    is_minimum = isinstance(outcome, LocalMinimum | StrictLocalMinimum)
    if is_minimum and not (isinstance(outcome, LocalMinimum) and outcome.by == "zero-loss"):
        point = problem.to_full(vertex.vertex())
        texts = [[to_text(x) for x in row] for row in point]
        if isinstance(outcome, StrictLocalMinimum):
            strict = find_strict_slopes(instance, point, nodes=nodes)
            if strict is not None:
                yield _line({"point": texts, "strict": _axis_tree(strict)})
                return
        tree = find_slopes(instance, point, nodes=nodes)
        if tree is None:
            yield _line({"unsupported": f"no slopes prove the minimum within {nodes} linear programs"})
        else:
            yield _line({"point": texts, "tree": _tree(tree)})


def _line(content: dict[str, object]) -> str:
    return json.dumps(content, separators=(",", ":"))


def _point(problem: IntegerProblem, vertex: Sequence[mpq]) -> dict[str, object]:
    rows = problem.to_full(vertex)
    flat, denominator = to_integers([x for row in rows for x in row])
    width = len(rows[0])
    texts = [_hexadecimal(x) for x in flat]
    return {
        "numerators": [texts[start : start + width] for start in range(0, len(texts), width)],
        "denominator": _hexadecimal(denominator),
    }


def _hexadecimal(number: mpz) -> str:
    return f"{'-' if number < 0 else ''}0x{abs(number).digits(16)}"


def _is_exchange(step: Step, basis: list[Kink], last: int) -> bool:
    """Returns whether the new basis is one because the old one is: only kinks of the basis, and residuals, change."""
    free = {*basis}
    return (
        step.basis is None
        and all(kink in free or kink.layer == last for kink in step.flips)
        and all(kink.layer == last for kink in step.crossed)
    )


def _inverse(instance: Instance, pattern: Pattern, basis: Sequence[Kink]) -> list[list[list[str]]]:
    """Returns, for each parameter, the combination of the basis' normals in the cell that is the parameter alone."""
    pushed = instance.pushed_inputs()
    normals = [_normal(instance, pattern, kink, pushed[kink.sample]) for kink in basis]
    size = len(basis)
    entries = [fmpq(int(x.numerator), int(x.denominator)) for row in normals for x in row]
    inverse = fmpq_mat(size, size, entries).inv()
    width = len(pushed[0])
    rows = [[to_text(to_mpq(inverse[p, k])) for k in range(size)] for p in range(size)]
    return [rows[start : start + width] for start in range(0, size, width)]


def _normal(instance: Instance, pattern: Pattern, kink: Kink, feature: Sequence[mpq]) -> list[mpq]:
    """Returns a kink's normal in a cell, in true units."""
    layers, first = instance.layers, pattern.first
    last = first + len(pattern.widths) - 1
    units = [mpq(unit == kink.unit) for unit in range(pattern.widths[kink.layer - first])]
    layer = kink.layer
    if layer == last and last == len(layers):
        # the residual's layer has identity activations
        units = [a.above * v for a, v in zip(layers[layer - 1].activations, units, strict=True)]
    while layer > first:
        weight = layers[layer - 1].weight
        units = [sum((v * row[k] for v, row in zip(units, weight, strict=True)), _ZERO) for k in range(len(weight[0]))]
        layer -= 1
        for unit, activation in enumerate(layers[layer - 1].activations):
            is_on = pattern.is_on(Kink(layer, kink.sample, unit))
            units[unit] *= activation.above if is_on else activation.below
    return [v * x for v in units for x in feature]


def _axis_tree(tree: AxisTree) -> dict[str, object]:
    if isinstance(tree, AxisLeaf):
        return {"axes": [[[_slopes(up), _slopes(down)] for up, down in row] for row in tree.pairs]}
    return {"kink": list(tree.kink), "plus": _axis_tree(tree.plus), "minus": _axis_tree(tree.minus)}


def _slopes(leaf: SlopeLeaf) -> list[object]:
    return [[*kink, to_text(value)] for kink, value in sorted(leaf.slopes.items())]


def _tree(tree: SlopeTree) -> dict[str, object]:
    if isinstance(tree, SlopeLeaf):
        return {"slopes": _slopes(tree)}
    return {"kink": list(tree.kink), "plus": _tree(tree.plus), "minus": _tree(tree.minus)}
