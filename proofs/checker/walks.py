"""The certificate of a walk (section 4): its lines, and the vertices that it goes through."""

from __future__ import annotations

import hashlib
import sys
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from itertools import count, islice
from typing import Any

from . import exact
from .claims import Track, read_claims
from .exact import ZERO, dot, to_integers
from .form import LocalForm
from .instance import Instance
from .problem import Function, Kink, Matrix, Point, Problem, Table
from .ranges import Quantity, find_loss
from .reading import ANY, CERTIFICATE_CAP, HASH, LINE_CAP, NAME, ONCE, SOME, Failed, Line, check_exponents, demand
from .reading import numeral
from .reading import parse, parse_json, rational, read_lines, require

PRIME_TRIES, QUICK = 16, "likq|zero-loss|bound"
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
        self.clear(
            find_prime(2**255 + int(problem.digest, 16) // 2 * 2 + 1)
        )  # whoever writes an instance cannot choose it

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
        for _ in range(PRIME_TRIES):
            if self.take(basis, place):
                return
            self.clear(find_prime(self.prime + 2))
        require(False, f"{place}: {PRIME_TRIES} primes divide the basis' determinant", Failed)

    def take(self, basis: list[Kink], place: str) -> bool:
        """Moves to the point of a basis in the cell, if it is one; returns False if the prime is of no use for that."""
        self.basis, wanted = list(basis), set(basis)
        vacant = [index for index, kink in enumerate(self.owners) if kink not in wanted]
        for kink in sorted(wanted.difference(self.owners)):
            row = self.problem.find_function(self.pattern, *self.problem.locate(kink))
            shares = [dot(row, column) % self.prime for column in self.inverse]
            index = next((index for index in vacant if shares[index]), -1)
            if index < 0:  # modulo the prime at least, the row is a combination of rows that stay
                require(any(dot(row, self.find_edge(index)) for index in vacant), f"{place}: the basis is dependent")
                return False
            self.exchange(index, kink, row, shares)
            vacant.remove(index)
        require(not vacant, f"{place}: the basis is dependent")
        return True

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

    def prepare(self, step: Line, place: str) -> list[Kink]:
        """Inverts the bits of a step or an outcome, and returns the basis that it leaves (section 4)."""
        point, den, basis = self.numerators, self.den, step.get("basis", self.basis)
        flips, crossed, leave = step["flip"], step.get("cross", []), step["leave"]
        is_once = len(flips) == len({*flips}) and len(crossed) == len({*crossed})
        require(is_once, f"{place}: a kink is flipped or crossed twice")
        # A zero kink satisfies either bit, and its activation is 0 with either: the vertex lies in the new cell.
        require({*flips} <= self.zeros, f"{place}: a flipped kink is not zero at the vertex")
        self.turn(flips)
        if "basis" in step:
            self.occupy(basis, f"{place}: basis")
            is_same = all(x * den == y * self.den for x, y in zip(self.numerators, point))
            require(is_same, f"{place}: basis: it is another point's")
        require({*basis}.isdisjoint(crossed), f"{place}: a crossed kink is in the basis")
        self.turn(crossed)
        require(leave in basis, f"{place}: leaving kink {leave} is not in the basis")
        return list(basis)

    def check_step(self, step: Line, place: str) -> None:
        """Checks a step, and goes to the next vertex (section 4)."""
        point, den, loss = self.numerators, self.den, self.loss
        if "published_stop" in step:
            self.check_published_stop(place)
        basis, leave, enter = self.prepare(step, place), step["leave"], step["enter"]
        require(enter not in basis, f"{place}: entering kink {enter} is already in the basis")
        self.occupy([kink for kink in basis if kink != leave] + [enter], place)
        self.arrive(place)
        require(any(x * den != y * self.den for x, y in zip(self.numerators, point)), f"{place}: the point stays")
        require(self.loss <= loss, f"{place}: the loss rises")
        strict = [key for key in ("cross", "published_stop") if key in step]
        require(self.loss < loss or not strict, f"{place}: {' and '.join(strict)}, but the loss does not fall")

    def check_outcome(self, content: Line, bound: Fraction | None) -> str:
        """Checks the outcome, and returns it in words (section 4, line 4); the bound is of the loss (section 5a)."""
        by, name = content.get("by"), content["outcome"]
        if name == "unbounded":
            self.check_unbounded(content)
        if by == "zero-loss":
            is_fit = all(below <= 0 <= above for column in self.problem.slopes[-1] for below, above in column)
            require(is_fit, "outcome: zero-loss, but the loss can be negative")
            require(self.loss == 0, "outcome: the loss is not zero")
        if by == "bound":
            require(self.loss == bound, "outcome: the ranges of the outputs allow a smaller loss")
        if by in {"likq", "tree"} or "active" in content:
            form = LocalForm(self.problem, self.pattern, self.zeros)
            count = len(form.rows)
            require(content.get("active", count) == count, f"outcome: {count} kinks are active")
            if by:
                form.reduce()
                form.check_tree(content if by == "tree" else form.find_likq(), name == "strict-local-minimum")
        return f"{name} by {by}" if by else str(name)

    def check_unbounded(self, content: Line) -> None:
        """Checks that an edge meets no kink, and that the loss falls along it (section 4, unbounded)."""
        basis, (layer, sample, unit) = self.prepare(content, "outcome"), content["leave"]
        self.occupy(basis, "outcome")
        bit = self.pattern[layer - self.problem.first][unit][sample]
        ray = [[0 for _ in row] for row in self.problem.start]
        for (j, k), entry in zip(self.problem.free, self.find_edge(self.owners.index(content["leave"]))):
            ray[j][k] = bit * entry
        check_ray(self.problem, self.pattern, ray)


def check_ray(problem: Problem, pattern: Table, ray: Matrix) -> None:
    """Checks that a ray stays in a cell, from each point of it, and that the loss falls along it."""
    rates, entries = problem.evaluate(ray, 0, problem.samples, pattern)
    for depth, columns in enumerate(rates):
        for unit, column in enumerate(columns):
            against = [s for s, rate, bit in zip(problem.samples, column, pattern[depth][unit]) if rate * bit < 0]
            kinks = [(problem.first + depth, s, unit) for s in against if problem.is_kink(depth, unit, s)]
            require(not kinks, f"outcome: the ray leaves the cell, at kink {kinks[:1]}")
    require(
        sum(dot(column, problem.factors) for column in entries) < 0, "outcome: the loss does not fall along the ray"
    )


def find_prime(least: int) -> int:
    """Returns the next number from an odd one on that is prime, as far as Fermat's test says; nothing rests on that."""
    return next(p for p in count(least, 2) if pow(2, p - 1, p) == 1)


def read_certificate(path: str, problem: Problem, digest: Any) -> Lines:
    """Yields place and content of lines 2, 3 and 4 (section 4); at the end all form is checked, all bytes hashed."""
    kink, kinks = problem.parse_kink, [problem.parse_kink, ANY]
    minimum, ray = {"outcome": "(strict-)?local-minimum"}, [[numeral, [len(problem.start[0])]], [len(problem.start)]]
    outcomes = (
        {"outcome": "step-limit"},
        {"outcome": "undecided", "active": ANY},
        minimum | {"by": "likq|zero-loss|bound"},
    )
    tree = minimum | {"by": "tree", "settled": problem.parse_settled, "blocks": [problem.parse_block, ANY]}
    unbounded = {"outcome": "unbounded", "flip": kinks, "leave": kink, "basis?": kinks}
    vertex = {"pattern": problem.parse_pattern, "basis": kinks, "elsewhere?": {True}}
    step = {"flip": kinks, "leave": kink, "enter": kink, "basis?": kinks, "cross?": [kink, SOME]}
    shapes: Line = {
        "header": {"format": "exactdrl-certificate", "version": ONCE, "instance": HASH, "rule": NAME, "start": NAME},
        "vertex": ({"vertex": vertex}, {"start": {"pattern": problem.parse_pattern}}),
        "step": step | {"published_stop?": {True}},
        "outcome": (*outcomes, tree, unbounded),
        "ray": ({"outcome": "unbounded", "flip": [kink, [0]], "ray": ray}, minimum | {"by": "bound"}),
        "end": {"end": {"steps": ANY, "sha256": HASH}},
    }
    steps, part = 0, "header"
    for number, line in enumerate(read_lines(path, CERTIFICATE_CAP), 1):
        place = f"line {number}"
        demand(part != "nothing", f"{place}: something follows the end line")
        demand(line.endswith(b"\n"), f"{place}: breaks off, or is longer than {LINE_CAP} bytes")
        value = parse_json(line, place)
        check_exponents(b"" if part == "vertex" else line, place)  # a pattern's digits are no numbers
        part = "outcome" if part == "step" and isinstance(value, tuple) and "outcome" in dict(value) else part
        content = parse(value, shapes[part], place)
        if part == "header":
            demand(content["instance"] == problem.digest, f"{place}: the certificate is for another instance")
        elif part == "end":
            demand(content["end"]["steps"] == steps, f"{place}: there are {steps} steps")
            demand(content["end"]["sha256"] == digest.hexdigest(), f"{place}: the hash is not that of the lines before")
        else:
            is_plain = content.get("by") in {"zero-loss", "bound"} and content["outcome"].startswith("strict")
            demand(not is_plain, f"{place}: strict by {content.get('by')}")
            yield place, content.get("vertex", content)  # or {"start": ...}
        digest.update(line)
        steps += part == "step"
        follow = {"header": "vertex", "outcome": "end", "ray": "end", "end": "nothing"}
        part = "ray" if "start" in content and part == "vertex" else follow.get(part, "step")
    demand(part == "nothing", "the certificate breaks off before its end line")


def read_again(path: str, problem: Problem, digest: str) -> Lines:
    """Yields what `read_certificate` does, of a file that had a digest; to be read to its end."""
    again = hashlib.sha256()
    yield from read_certificate(path, problem, again)
    demand(again.hexdigest() == digest, "the certificate changed while it was checked")


def replay(problem: Problem, lines: Lines, count: int, track: Track | None = None) -> tuple[Position, Line]:
    """Returns the vertex after some steps, without checking those, and the first line; takes these lines."""
    place, vertex = next(lines)
    pattern, basis = vertex["pattern"], vertex["basis"]
    for place, step in islice(lines, count):
        problem.flip(pattern, step["flip"] + step.get("cross", []))
        basis = [kink for kink in step.get("basis") or basis if kink != step["leave"]] + [step["enter"]]
    position = Position(problem, pattern, track)
    position.occupy(basis, place)
    position.arrive(place)
    return position, vertex


def check_start(problem: Problem, lines: Lines, ending: Line, ranges: Quantity) -> str:
    """Checks a certificate without a vertex, whose outcome speaks of the start; returns a summary."""
    pattern = next(lines)[1]["start"]["pattern"]
    problem.find_zeros(pattern, (problem.start, problem.den), "line 2: the start")
    if "ray" in ending:
        ray = [[rational(entry, "outcome: ray") for entry in row] for row in next(lines)[1]["ray"]]
        check_ray(problem, pattern, to_integers(ray)[0])
    else:
        require(ranges.low is not None and ranges.low == ranges.high, "outcome: the loss need not be constant")
    deque(lines, 0)
    return "0 steps, unbounded" if "ray" in ending else "0 steps, local-minimum by bound (global)"


def check_walk(instance: Instance, run: str, about: str | None, span: str) -> str:
    """Checks a certificate, or a span A:B of its steps, and claims about it; returns a summary (section 6)."""
    problem, hashed = Problem(instance), hashlib.sha256()
    # All of the form first: what is not of the form is malformed even if a claim in it is false.
    kinds, ending, is_start = bytearray(), dict[str, Any](), False  # 1 for a long step
    for _, ending in read_certificate(run, problem, hashed):
        kinds += bytes(["cross" in ending]) if "enter" in ending else b""
        is_start = is_start or "start" in ending
    ranges = find_loss(instance, problem)
    is_global = ranges.convex or ending.get("by") in {"zero-loss", "bound"}
    notes = ["global"] if is_global and ending["outcome"].endswith("minimum") else []
    digest = hashed.hexdigest()
    total = len(kinds)
    first, last = (int(text or default) for text, default in zip(span.split(":"), (1, total)))
    demand(1 <= first <= max(last, 1) and last <= total, f"--steps: {first}:{last} is no span of {total} steps")
    demand(not is_start or not about, "claims: the run has no vertex")
    claims, start = read_claims(about, problem, digest, total) if about else [], (problem.start, problem.den)
    lines, track = read_again(run, problem, digest), None
    if is_start:
        return check_start(problem, lines, ending, ranges)
    if claims:
        end, _ = replay(problem, lines, total)
        deque(lines, 0)
        track, lines = Track(problem, end.find_parameters(), claims), read_again(run, problem, digest)
    position, vertex = replay(problem, lines, first - 1, track)
    require(problem.is_flat(position.pattern), "line 2: the loss changes along a direction that changes no kink")
    if first == 1:
        if "elsewhere" not in vertex:
            problem.find_zeros(position.pattern, start, "line 2: the start")
        loss = sum(dot(column, problem.factors) for column in problem.evaluate(*start, problem.samples)[1])
        require(position.loss * problem.unit <= int(loss), "line 2: the loss is above the loss at the start")
    for number, (place, step) in enumerate(islice(lines, last - first + 1), first):
        position.check_step(step, place)
        if sys.stderr and sys.stderr.isatty() and (number % 50 == 0 or number == last):
            print(f"\rchecked step {number} of {last}", end="\n" * (number == last), file=sys.stderr, flush=True)
    result = position.check_outcome(next(lines)[1], ranges.low) if last == total else ""
    deque(lines, 0)
    if track:
        for number, claim in enumerate(claims, 1):
            track.check_claim(claim, f"claim {number}")
    count, long = last - first + 1, sum(kinds[first - 1 : last])
    part = f"{total} steps" if count == total else f"steps {first} to {last} of {total}"
    words = [part, result, f"{len(claims)} claims" if claims else ""]
    notes = notes if result else []
    notes += [f"{count - long} adjacent, {long} long"] if long else []
    notes += ["first vertex elsewhere"] if first == 1 and "elsewhere" in vertex else []
    notes += [f"part: the rest {'was' if result else 'and the outcome were'} not checked"] if count < total else []
    return ", ".join(filter(None, words)) + (f" ({'; '.join(notes)})" if notes else "")
