"""Judges a certificate by its claims alone, over Fractions and PPL, with nothing of exactdrl and nothing of the checker."""

from fractions import Fraction

import oracle
from oracle import ZERO, Kink, Problem, Row


class FalseClaimError(Exception):
    """What a line claims does not hold."""


def hold(condition: bool, claim: str) -> None:
    """Raises FalseClaimError unless the condition holds."""
    if not condition:
        raise FalseClaimError(claim)


def parse_pattern(problem: Problem, texts: list[str]) -> dict[Kink, bool]:
    """Returns the bits of a well-formed first vertex."""
    bits = {}
    for layer, text in enumerate(texts, problem.layer):
        kinks = [kink for kink in problem.kinks() if kink[0] == layer]
        digits = "".join(f"{int(digit, 16):04b}" for digit in text)
        bits |= {kink: digit == "1" for kink, digit in zip(kinks, digits, strict=False)}
    return bits


def write_pattern(problem: Problem, bits: dict[Kink, bool]) -> list[str]:
    """Returns the strings of a pattern."""
    texts = []
    for layer in range(problem.layer, problem.last + 1):
        digits = "".join("01"[bits[kink]] for kink in problem.kinks() if kink[0] == layer)
        digits += "0" * (-len(digits) % 4)
        texts.append("".join(f"{int(digits[k : k + 4], 2):x}" for k in range(0, len(digits), 4)))
    return texts


def cell_values(problem: Problem, theta: list[Row], bits: dict[Kink, bool]) -> dict[Kink, Fraction]:
    """Returns the values of the cell's affine functions at a point, in the cell or not."""
    result = {}
    for sample, x in enumerate(problem.pushed):
        values = [oracle.dot(row, x) for row in theta]
        for layer in range(problem.layer, problem.last + 1):
            if layer > problem.layer:
                weight, bias = problem.upper[layer - problem.layer - 1]
                passed = [v if bits[layer - 1, sample, u] else ZERO for u, v in enumerate(values)]
                values = [oracle.dot(row, passed) + b for row, b in zip(weight, bias, strict=True)]
            if layer == problem.last:
                values = [v - y for v, y in zip(values, problem.targets[sample], strict=True)]
            result |= {(layer, sample, u): v for u, v in enumerate(values)}
    return result


def solve(problem: Problem, bits: dict[Kink, bool], basis: list[Kink]) -> tuple[list[Row], list[Row]]:
    """Returns the point of a basis in a cell, and the inverse of its normals (its edges are the columns)."""
    hold(len(basis) == problem.reduced_n, "the basis has another length")
    normals, _ = problem.normals(bits)
    inverse = oracle.inverse([problem.reduce(normals[kink]) for kink in basis]) if basis else []
    hold(inverse is not None, "the basis is dependent")
    values = cell_values(problem, problem.start, bits)
    theta = [list(row) for row in problem.start]
    free = [(unit, column) for unit in range(problem.units) for column in problem.columns]
    for (unit, column), row in zip(free, inverse, strict=True):
        theta[unit][column] -= oracle.dot(row, [values[kink] for kink in basis])
    return theta, inverse


def find_vertex(problem: Problem, bits: dict[Kink, bool], basis: list[Kink]) -> list[Row]:
    """Returns the vertex of a basis in a cell."""
    theta, _ = solve(problem, bits, basis)
    hold(problem.is_in_cell(problem.values(theta), bits), "the point is outside the cell")
    return theta


def judge_published_stop(problem: Problem, bits: dict[Kink, bool], basis: list[Kink]) -> None:
    """All edges of n cells have slope ≥ 0, by the definition."""
    bits = dict(bits)
    hold(bool(basis), "published_stop without parameters")
    for kink in basis:
        bits[kink] = not bits[kink]
        _, inverse = solve(problem, bits, basis)
        gradient = problem.reduce(problem.normals(bits)[1])
        for other, edge in zip(basis, zip(*inverse, strict=True), strict=True):
            hold(oracle.dot(gradient, edge) * (1 if bits[other] else -1) >= 0, "an edge falls")


def judge_step(problem: Problem, bits: dict[Kink, bool], basis: list[Kink], theta: list[Row], step: dict) -> list[Row]:
    """Judges a step by FORMAT.md section 4; changes bits and basis in place."""
    before = problem.loss(theta)
    if "published_stop" in step:
        judge_published_stop(problem, bits, basis)
    values = problem.values(theta)
    for key in ("flip", "cross"):
        kinks = [tuple(kink) for kink in step.get(key, [])]
        hold(len(set(kinks)) == len(kinks), f"{key}: a kink occurs twice")
        if key == "cross":
            hold(not set(kinks) & set(basis), "a crossed kink is in the basis")
        for kink in kinks:
            hold(key == "cross" or values[kink] == 0, "a flipped kink is not zero")
            bits[kink] = not bits[kink]
        if key == "flip" and "basis" in step:
            basis[:] = map(tuple, step["basis"])
            hold(find_vertex(problem, bits, basis) == theta, "the replaced basis is another point's")
    leave, enter = tuple(step["leave"]), tuple(step["enter"])
    hold(leave in basis, "the leaving kink is not in the basis")
    hold(enter not in basis, "the entering kink is in the basis")
    basis.remove(leave)
    basis.append(enter)
    after = find_vertex(problem, bits, basis)
    hold(after != theta, "the point stays")
    loss = problem.loss(after)
    hold(loss <= before, "the loss rises")
    hold(loss < before or not {"cross", "published_stop"} & step.keys(), "the loss does not fall")
    return after


def judge_steps(problem: Problem, lines: list[dict]) -> list[Row]:
    """Judges first vertex and steps; returns the last vertex."""
    vertex = lines[0]["vertex"]
    bits, basis = parse_pattern(problem, vertex["pattern"]), list(map(tuple, vertex["basis"]))
    theta = find_vertex(problem, bits, basis)
    if "elsewhere" not in vertex:
        hold(problem.is_in_cell(problem.values(problem.start), bits), "the start is outside the cell")
    hold(problem.loss(theta) <= problem.loss(problem.start), "the loss is above the start's")
    for step in lines[1:-1]:
        theta = judge_step(problem, bits, basis, theta, step)
    return theta


def judge_outcome(problem: Problem, theta: list[Row], outcome: dict) -> None:
    """Judges whether the last vertex is what the outcome says; how that is shown is the checker's question.

    Raises:
        oracle.TooManyCellsError: not judged.
    """
    if outcome["outcome"] == "undecided":
        hold(len(oracle.local_form(problem, theta).active) == outcome["active"], "another number of kinks is active")
    if outcome.get("by") == "zero-loss":
        hold(problem.loss(theta) == 0, "the loss is not zero")
    elif "by" in outcome:
        verdict = oracle.decide_minimality(problem, theta, max_cells=3000)
        hold(verdict.is_minimum, "no local minimum")
        hold(verdict.is_strict or outcome["outcome"] != "strict-local-minimum", "no strict local minimum")
