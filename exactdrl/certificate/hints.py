"""Writes hints for the proved checker: the solutions that it would otherwise have to compute.

Hints are each vertex's coordinates, the inverse of a basis where an exchange of one kink does not show that it is one,
multipliers where the published rule stops, directions along which nothing changes, and at the end slopes that prove the
minimum, or the ray along which the loss falls forever. They are not trusted. proofs/coq/README.md has their format.
"""

import json
from collections.abc import Callable, Iterator, Sequence

from gmpy2 import mpq, mpz

from exactdrl.arithmetic.exact import ExactArithmetic
from exactdrl.arithmetic.protocol import Edge
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink
from exactdrl.certificate.cell_normals import CellNormals
from exactdrl.certificate.reader import Certificate
from exactdrl.certificate.replay import replay
from exactdrl.exact.linear import to_integers
from exactdrl.exact.rationals import InputError, to_text
from exactdrl.minimality.slopes import (
    DEFAULT_NODES,
    AxisLeaf,
    AxisTree,
    SlopeLeaf,
    SlopeTree,
    Ties,
    find_slopes,
    find_strict_slopes,
)
from exactdrl.minimality.verdict import LocalMinimum, StrictLocalMinimum
from exactdrl.problem.instance import Instance
from exactdrl.steps.step import Outcome, Unbounded


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
        InputError: a line does not fit the problem; then the last line of the hints says so.
    """
    yield _line({"format": "exactdrl-hints", "version": 1, "instance": instance.digest})
    if certificate.first.is_start:
        return  # a ray is in the certificate, and a constant loss needs no proof
    try:
        problem = IntegerProblem.from_instance(instance)
    except InputError as error:
        yield _reason("malformed", error)
        raise
    try:
        yield from _walk_lines(problem, certificate, nodes, on_step)
    except InputError as error:
        yield _reason("false", error)
        raise


def _reason(key: str, error: InputError) -> str:
    """Returns the line that stands where there is nothing to hint at, in characters that need no escape."""
    text = str(error).encode("ascii", "replace").decode("ascii")
    return _line({key: text.replace("\\", "/").replace('"', "'")})


def _walk_lines(
    problem: IntegerProblem, certificate: Certificate, nodes: int, on_step: Callable[[int], None] | None
) -> Iterator[str]:
    """Yields the hints of the vertices and of the outcome."""
    cells = CellNormals(problem)
    vertices = replay(problem, certificate)
    vertex = next(vertices)
    first: dict[str, object] = {"point": _point(problem, vertex.vertex())}
    first["inverse"] = cells.inverse(vertex.pattern, certificate.first.basis)
    if problem.lineality:
        first["held"] = cells.held()
    yield _line(first)
    basis = list(certificate.first.basis)
    for step in certificate.steps:
        # the checker knows the basis in the certificate's order
        before = vertex.pattern.copy()
        content: dict[str, object] = {}
        if step.is_published_stop:
            content["stop"] = cells.stop(before, basis)
        turned = before.copy()
        turned.flip_all(step.flips)
        is_shown = cells.keeps(basis, step.flips)
        if step.basis is not None:
            basis = list(step.basis)
            content["between"] = cells.inverse(turned, basis)
            is_shown = True
        is_shown = is_shown and cells.keeps((), step.crossed)
        basis.remove(step.leaving)
        basis.append(step.entering)
        vertex = next(vertices)
        content["point"] = _point(problem, vertex.vertex())
        if not is_shown:
            content["inverse"] = cells.inverse(vertex.pattern, basis)
        yield _line(content)
        if on_step is not None:
            on_step(step.index)
    yield from _outcome_lines(problem, cells, certificate.outcome, vertex, nodes)


def _outcome_lines(
    problem: IntegerProblem, cells: CellNormals, outcome: Outcome | None, vertex: ExactArithmetic, nodes: int
) -> Iterator[str]:
    """Yields what proves the outcome, a line or nothing."""
    instance = problem.instance
    point = problem.to_full(vertex.vertex())
    content: dict[str, object] = {"point": [[to_text(x) for x in row] for row in point]}
    match outcome:
        case StrictLocalMinimum():
            strict = find_strict_slopes(instance, point, nodes=nodes)
            if strict is None:
                content = {"unsupported": f"no slopes prove that the minimum is strict within {nodes} linear programs"}
            else:
                content["strict"] = _axis_tree(strict)
        case LocalMinimum(by) if by not in {"zero-loss", "bound"}:
            tree = find_slopes(instance, point, nodes=nodes)
            if tree is None:
                content = {"unsupported": f"no slopes prove the minimum within {nodes} linear programs"}
            else:
                content["tree"] = _tree(tree)
        case Unbounded(flips=flips, basis=replaced, leaving=leaving) if leaving is not None:
            pattern, basis = vertex.pattern.copy(), list(vertex.basis if replaced is None else replaced)
            try:
                pattern.flip_all(flips)
                arithmetic = ExactArithmetic(problem, pattern, basis)
                numerators, _ = arithmetic.direction(Edge(leaving, is_flipped=False))
            except (IndexError, KeyError, ValueError, ZeroDivisionError):
                raise InputError("outcome: no edge of the last vertex: verify the certificate") from None
            direction = problem.to_full_direction([mpq(entry) for entry in numerators])
            content["direction"] = [[to_text(x) for x in row] for row in direction]
            if replaced is not None or not cells.keeps(basis, flips):
                content["between"] = cells.inverse(pattern, basis)
        case _:
            return
    yield _line(content)


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


def _axis_tree(tree: AxisTree) -> dict[str, object]:
    if isinstance(tree, AxisLeaf):
        return {"axes": [[[_slopes(up), _slopes(down)] for up, down in row] for row in tree.pairs]}
    return _split(tree.kink, tree.ties, _axis_tree(tree.plus), _axis_tree(tree.minus))


def _split(kink: Kink, ties: Ties, plus: dict[str, object], minus: dict[str, object]) -> dict[str, object]:
    content: dict[str, object] = {"kink": list(kink), "plus": plus, "minus": minus}
    if ties:
        content["tied"] = [[list(other), to_text(factor)] for other, factor in ties]
    return content


def _slopes(leaf: SlopeLeaf) -> list[object]:
    return [[*kink, to_text(value)] for kink, value in sorted(leaf.slopes.items())]


def _tree(tree: SlopeTree) -> dict[str, object]:
    if isinstance(tree, SlopeLeaf):
        return {"slopes": _slopes(tree)}
    return _split(tree.kink, tree.ties, _tree(tree.plus), _tree(tree.minus))
