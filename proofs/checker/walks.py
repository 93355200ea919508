"""The certificate of a walk (section 4): its lines, and the vertices that it goes through."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from fractions import Fraction
from itertools import count, islice
from typing import Any

from . import exact
from .claims import Track, read_claims
from .exact import ZERO, dot
from .form import LocalForm
from .instance import Instance
from .problem import Function, Kink, Point, Problem, Table
from .reading import (
    ANY,
    CERTIFICATE_CAP,
    HASH,
    LINE_CAP,
    NAME,
    ONCE,
    SOME,
    Line,
    demand,
    parse,
    parse_json,
    read_lines,
    require,
)

Lines = Iterator[tuple[str, Line]]  # of a certificate, with their places


class Position:
    """Where a walk is: a cell, a basis, and the vertex that they make.

    **Point.** The rows a_0, a_1, ... are the normals of n kinks (unit vectors to begin with), always independent; den,
    over 0, is the size of their determinant. Their functions vanish where E times the parameters is numerators / den,
    integers by Cramer's rule. To exchange row l for (a', c'), take the edge r with a_l · r = den and a_j · r = 0 for
    others, integers too. The size of a' · r is the new determinant: the rows stay independent exactly if it is not 0.
    The point moves along r until the new function vanishes.

    **Edge.** With the rows' inverse modulo a prime, the digits of r to that base are read off one by one: rows times
    digits are what is left, modulo the prime, so that after them a multiple of it is left.
    """

    def __init__(self, problem: Problem, pattern: Table, track: Track | None = None) -> None:
        self.problem, self.pattern, self.track = problem, pattern, track
        self.basis, self.zeros, self.loss = list[Kink](), set[Kink](), ZERO  # zeros vanish at the vertex
        self.piece = problem.find_loss(pattern, problem.samples)
        self.clear(2**255 - 19)

    def clear(self, prime: int) -> None:
        """Makes all rows unit vectors, and takes another prime."""
        self.prime, n = prime, range(len(self.problem.free))
        self.owners: list[Kink | None] = [None for _ in n]
        self.rows: list[Function] = [[*(exact.INTEGER(i == j) for j in n), 0] for i in n]
        self.inverse = [row[:-1] for row in self.rows]  # its columns
        self.numerators, self.den = [exact.INTEGER(0) for _ in n], exact.INTEGER(1)

    def turn(self, kinks: list[Kink]) -> None:
        """Inverts bits of the pattern. Rows that change with them lose their owners."""
        samples = {sample for _, sample, _ in kinks}
        before = self.problem.find_loss(self.pattern, samples)
        self.problem.flip(self.pattern, kinks)
        after = self.problem.find_loss(self.pattern, samples)
        self.piece = [g - a + b for g, a, b in zip(self.piece, before, after)]
        for index, kink in enumerate(self.owners):
            if kink and kink[1] in samples:
                row = self.problem.find_function(self.pattern, *self.problem.locate(kink))
                self.owners[index] = kink if row == self.rows[index] else None

    def find_edge(self, index: int) -> list[int]:
        """Returns the integers r with a_index · r = den, a_j · r = 0 for the other rows; ends only if they are."""
        lines, prime, power = list(zip(*self.inverse)), self.prime, 1
        edge, left = [0] * len(lines), [0] * len(lines)
        left[index] = self.den
        while any(left):
            rest = [value // power for value in left]
            digits = [(dot(line, rest) + prime // 2) % prime - prime // 2 for line in lines]
            edge = [r + power * digit for r, digit in zip(edge, digits)]
            left = [-dot(row, edge) for row in self.rows]
            left[index] += self.den
            power *= prime
        return edge

    def exchange(self, index: int, kink: Kink, row: Function, shares: list[int]) -> None:
        """Exchanges a row for that of a kink; its shares are its products with the inverse's columns."""
        edge = self.find_edge(index)
        den, value = dot(row, edge), dot(row, [*self.numerators, self.den])
        sign = 1 if den > 0 else -1
        self.numerators = [sign * (x * den - value * r) // self.den for x, r in zip(self.numerators, edge)]
        self.den, self.rows[index], self.owners[index] = sign * den, row, kink
        unit = pow(shares[index], -1, self.prime)
        pivot = [x * unit % self.prime for x in self.inverse[index]]
        for other, share in enumerate(shares):
            column = self.inverse[other]
            self.inverse[other] = [(x - share * y) % self.prime for x, y in zip(column, pivot)] if share else column
        self.inverse[index] = pivot

    def occupy(self, basis: list[Kink], place: str) -> None:
        """Moves to the point of a basis in the cell, if it is one (section 3)."""
        require(len(basis) == len(self.rows), f"{place}: {len(basis)} kinks in the basis, not {len(self.rows)}")
        self.basis, wanted = list(basis), set(basis)
        vacant = [index for index, kink in enumerate(self.owners) if kink not in wanted]
        for kink in sorted(wanted.difference(self.owners)):
            row = self.problem.find_function(self.pattern, *self.problem.locate(kink))
            shares = [dot(row, column) % self.prime for column in self.inverse]
            index = next((index for index in vacant if shares[index]), -1)
            if index < 0:  # modulo the prime at least, the row is a combination of rows that stay
                require(any(dot(row, self.find_edge(index)) for index in vacant), f"{place}: the basis is dependent")
                self.clear(next(p for p in count(self.prime + 2, 2) if pow(2, p - 1, p) == 1))
                self.occupy(basis, place)
                return
            self.exchange(index, kink, row, shares)
            vacant.remove(index)
        require(not vacant, f"{place}: the basis is dependent")

    def arrive(self, place: str) -> None:
        """Checks that the point lies in the cell (section 3), and finds its zeros and the loss there."""
        point = self.find_parameters()
        self.zeros = self.problem.find_zeros(self.pattern, point, f"{place}: the vertex")
        loss = dot(self.piece, [*self.numerators, self.den])
        self.loss = Fraction(int(loss), int(self.den * self.problem.unit))
        if self.track:
            self.track.add(point, self.loss)

    def find_slope(self, kink: Kink) -> int:
        """Returns the slope of a kink's edge, up to a positive factor."""
        layer, sample, unit = kink
        bit = self.pattern[layer - self.problem.first][unit][sample]
        return bit * dot(self.piece, self.find_edge(self.owners.index(kink)))

    def find_parameters(self) -> Point:
        """Returns the vertex, in all parameters."""
        theta = [[entry * self.den for entry in row] for row in self.problem.start]
        for (j, k), value in zip(self.problem.free, self.numerators):
            theta[j][k] = value
        return theta, self.problem.den * self.den

    def check_published_stop(self, place: str) -> None:
        """Checks that the published rule stops here (section 4, published_stop), and returns to the cell."""
        # A flip of a kink of the basis adds multiples of its normal to the others' and to the gradient. So no edge
        # changes but that kink's own, and no other slope.
        require(bool(self.basis), f"{place}: published_stop without parameters")
        slopes = {kink: self.find_slope(kink) for kink in self.basis}
        for number, kink in enumerate(self.basis, 1):
            self.turn([kink])
            self.occupy(self.basis, place)
            slopes[kink] = self.find_slope(kink)
            falling = [other for other in self.basis if slopes[other] < 0]
            require(not falling, f"{place}: no published stop, after {number} flips edge {falling[:1]} falls")
        self.turn(self.basis)

    def check_step(self, step: Line, place: str) -> None:
        """Checks a step, and goes to the next vertex (section 4)."""
        point, den, loss = self.numerators, self.den, self.loss
        if "published_stop" in step:
            self.check_published_stop(place)
        flips, crossed, leave, enter = step["flip"], step.get("cross", []), step["leave"], step["enter"]
        is_once = len(flips) == len({*flips}) and len(crossed) == len({*crossed})
        require(is_once, f"{place}: a kink is flipped or crossed twice")
        # A zero kink satisfies either bit, and its activation is 0 with either: the vertex lies in the new cell.
        require({*flips} <= self.zeros, f"{place}: a flipped kink is not zero at the vertex")
        self.turn(flips)
        basis = step.get("basis", self.basis)
        if "basis" in step:
            self.occupy(basis, f"{place}: basis")
            is_same = all(x * den == y * self.den for x, y in zip(self.numerators, point))
            require(is_same, f"{place}: basis: it is another point's")
        require({*basis}.isdisjoint(crossed), f"{place}: a crossed kink is in the basis")
        self.turn(crossed)
        require(leave in basis, f"{place}: leaving kink {leave} is not in the basis")
        require(enter not in basis, f"{place}: entering kink {enter} is already in the basis")
        self.occupy([kink for kink in basis if kink != leave] + [enter], place)
        self.arrive(place)
        require(any(x * den != y * self.den for x, y in zip(self.numerators, point)), f"{place}: the point stays")
        require(self.loss <= loss, f"{place}: the loss rises")
        strict = [key for key in ("cross", "published_stop") if key in step]
        require(self.loss < loss or not strict, f"{place}: {' and '.join(strict)}, but the loss does not fall")

    def check_outcome(self, content: Line) -> str:
        """Checks the outcome, and returns it in words (section 4, line 4)."""
        by, name = content.get("by"), content["outcome"]
        require(by != "zero-loss" or self.loss == 0, "outcome: the loss is not zero")
        if by in {"likq", "tree"} or "active" in content:
            form = LocalForm(self.problem, self.pattern, self.zeros)
            count = len(form.rows)
            require(content.get("active", count) == count, f"outcome: {count} kinks are active")
            if by:
                form.reduce()
                form.check_tree(content if by == "tree" else form.find_likq(), name == "strict-local-minimum")
        return f"{name} by {by}" if by else str(name)


def read_certificate(path: str, problem: Problem, digest: Any) -> Lines:
    """Yields place and content of lines 2, 3 and 4 (section 4); at the end all form is checked, all bytes hashed."""
    kink, kinks = problem.parse_kink, [problem.parse_kink, ANY]
    minimum, undecided = {"outcome": "(strict-)?local-minimum"}, {"outcome": "undecided", "active": ANY}
    tree = {"by": "tree", "settled": problem.parse_settled, "blocks": [problem.parse_block, ANY]}
    step = {"flip": kinks, "leave": kink, "enter": kink, "basis?": kinks, "cross?": [kink, SOME]}
    shapes: Line = {
        "header": {"format": "exactdrl-certificate", "version": ONCE, "instance": HASH, "rule": NAME, "start": NAME},
        "vertex": {"vertex": {"pattern": problem.parse_pattern, "basis": kinks, "elsewhere?": {True}}},
        "step": step | {"published_stop?": {True}},
        "outcome": ({"outcome": "step-limit"}, undecided, minimum | {"by": "likq|zero-loss"}, minimum | tree),
        "end": {"end": {"steps": ANY, "sha256": HASH}},
    }
    steps, part = 0, "header"
    for number, line in enumerate(read_lines(path, CERTIFICATE_CAP), 1):
        place = f"line {number}"
        demand(part != "nothing", f"{place}: something follows the end line")
        demand(line.endswith(b"\n"), f"{place}: breaks off, or is longer than {LINE_CAP} bytes")
        value = parse_json(line, place)
        part = "outcome" if part == "step" and isinstance(value, tuple) and "outcome" in dict(value) else part
        content = parse(value, shapes[part], place)
        if part == "header":
            demand(content["instance"] == problem.digest, f"{place}: the certificate is for another instance")
        elif part == "end":
            demand(content["end"]["steps"] == steps, f"{place}: there are {steps} steps")
            demand(content["end"]["sha256"] == digest.hexdigest(), f"{place}: the hash is not that of the lines before")
        else:
            demand(content != {"outcome": "strict-local-minimum", "by": "zero-loss"}, f"{place}: strict by zero-loss")
            yield place, content.get("vertex", content)
        digest.update(line)
        steps += part == "step"
        part = {"header": "vertex", "outcome": "end", "end": "nothing"}.get(part, "step")
    demand(part == "nothing", "the certificate breaks off before its end line")


def replay(problem: Problem, run: str, count: int, track: Track | None = None) -> tuple[Position, Line, Lines]:
    """Returns the vertex after some steps, without checking those; the first line and the lines that follow."""
    lines = read_certificate(run, problem, hashlib.sha256())
    place, vertex = next(lines)
    pattern, basis = vertex["pattern"], vertex["basis"]
    for place, step in islice(lines, count):
        problem.flip(pattern, step["flip"] + step.get("cross", []))
        basis = [kink for kink in step.get("basis") or basis if kink != step["leave"]] + [step["enter"]]
    position = Position(problem, pattern, track)
    position.occupy(basis, place)
    position.arrive(place)
    return position, vertex, lines


def check_walk(instance: Instance, run: str, about: str | None, span: str) -> str:
    """Checks a certificate, or a span A:B of its steps, and claims about it; returns a summary (section 6)."""
    problem, digest = Problem(instance), hashlib.sha256()
    # All of the form first: what is not of the form is malformed even if a claim in it is false.
    kinds = ["cross" in content for _, content in read_certificate(run, problem, digest) if "leave" in content]
    total = len(kinds)
    first, last = (int(text or default) for text, default in zip(span.split(":"), (1, total)))
    demand(1 <= first <= max(last, 1) and last <= total, f"--steps: {first}:{last} is no span of {total} steps")
    claims = read_claims(about, problem, digest.hexdigest(), total) if about else []
    track = Track(problem, replay(problem, run, total)[0].find_parameters(), claims) if claims else None
    position, vertex, lines = replay(problem, run, first - 1, track)
    if first == 1:
        start = problem.start, problem.den
        if "elsewhere" not in vertex:
            problem.find_zeros(position.pattern, start, "line 2: the start")
        loss = sum(dot(map(abs, column), problem.factors) for column in problem.evaluate(*start, problem.samples)[-1])
        require(position.loss * problem.unit <= int(loss), "line 2: the loss is above the loss at the start")
    for number, (place, step) in enumerate(islice(lines, last - first + 1), first):
        position.check_step(step, place)
        if sys.stderr.isatty() and (number % 50 == 0 or number == last):
            print(f"\rchecked step {number} of {last}", end="\n" * (number == last), file=sys.stderr, flush=True)
    result = position.check_outcome(next(lines)[1]) if last == total else ""
    if track:
        for number, claim in enumerate(claims, 1):
            track.check_claim(claim, f"claim {number}")
    count, long = last - first + 1, sum(kinds[first - 1 : last])
    part = f"{total} steps" if count == total else f"steps {first} to {last} of {total}"
    words = [part, result, f"{len(claims)} claims" if claims else ""]
    notes = [f"{count - long} adjacent, {long} long"] if long else []
    notes += ["first vertex elsewhere"] if first == 1 and "elsewhere" in vertex else []
    notes += [f"part: the rest {'was' if result else 'and the outcome were'} not checked"] if count < total else []
    return ", ".join(filter(None, words)) + (f" ({'; '.join(notes)})" if notes else "")
