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
from .batch import Matrix, Pattern
from .claims import Track, read_claims
from .exact import ZERO, combine, dot, to_integers
from .form import Kink, shape_tree
from .instance import Instance, check_zero_loss, find_loss
from .problem import Function, Point, Problem
from .ranges import find_range
from .reading import ANY, HASH, NAME, ONCE, SOME, Failed, Line, demand, numeral, rational, read_claimed, require

PRIME_BITS, PRIME_TRIES = 256, 16
Lines = Iterator[tuple[str, Line]]  # of a certificate, with their places


class Position:
    """Where a walk is: a cell, a basis, and the vertex that they make.

    The rows are the functions of n kinks (of coordinates to begin with), whose normals are always independent; den > 0
    is the size of their determinant. They vanish where E times the parameters is numerators / den, all integers. The
    last part of integer-basis.md says how an exchange of rows moves the point, and how an edge is found by a prime.
    """

    def __init__(self, problem: Problem, pattern: Pattern, track: Track | None = None) -> None:
        self.problem, self.pattern, self.track = problem, pattern, track
        self.basis, self.zeros, self.loss = list[Kink](), set[Kink](), ZERO  # zeros vanish at the vertex
        self.piece = problem.find_function(pattern, problem.list_loss(pattern, problem.samples))
        # whoever writes an instance cannot choose it
        self.clear(find_prime(2 ** (PRIME_BITS - 1) + int(problem.instance.digest, 16) // 2 * 2 + 1))

    def clear(self, prime: int) -> None:
        """Makes all rows unit vectors, and takes another prime."""
        self.prime, n = prime, range(len(self.problem.free))
        self.owners: list[Kink | None] = [None for _ in n]
        self.rows: list[Function] = [[*(exact.INTEGER(i == j) for j in n), 0] for i in n]
        self.inverse: Matrix = [row[:-1] for row in self.rows]  # modulo the prime
        self.numerators, self.den = [exact.INTEGER(0) for _ in n], exact.INTEGER(1)

    def turn(self, kinks: list[Kink]) -> None:
        """Inverts bits of the pattern. Rows that change with them lose their owners."""
        problem, samples = self.problem, {sample for _, sample, _ in kinks}
        before = problem.find_function(self.pattern, problem.list_loss(self.pattern, samples))
        problem.flip(self.pattern, kinks)
        after = problem.find_function(self.pattern, problem.list_loss(self.pattern, samples))
        self.piece = [g - a + b for g, a, b in zip(self.piece, before, after)]
        for index, kink in enumerate(self.owners):
            if kink and kink[1] in samples:
                row = problem.find_function(self.pattern, [problem.locate(kink)])
                self.owners[index] = kink if row == self.rows[index] else None

    def find_edge(self, index: int) -> list[int]:
        """Returns the integers r with a_index · r = den, a_j · r = 0 for the other rows; ends only if they are."""
        edge, left, den, power = [0] * len(self.rows), [0] * len(self.rows), self.den, 1
        while den or any(left):
            den, digit = divmod(den, self.prime)
            left[index] += digit
            digits = [(dot(line, left) + self.prime // 2) % self.prime - self.prime // 2 for line in self.inverse]
            edge = [r + power * digit for r, digit in zip(edge, digits)]
            left = [(rest - dot(row, digits)) // self.prime for rest, row in zip(left, self.rows)]  # without remainder
            power *= self.prime
        return edge

    def exchange(self, index: int, kink: Kink, row: Function, shares: list[int]) -> None:
        """Exchanges a row for that of a kink; its shares are its products with the inverse's columns."""
        edge = self.find_edge(index)
        den, value = dot(row, edge), dot(row, [*self.numerators, self.den])
        sign = 1 if den > 0 else -1
        self.numerators = [sign * (x * den - value * r) // self.den for x, r in zip(self.numerators, edge)]
        self.den, self.rows[index], self.owners[index] = sign * den, row, kink
        unit, shares = pow(shares[index], -1, self.prime), [*shares]
        shares[index] -= 1  # in place of this column comes the column over its share
        for number, line in enumerate(self.inverse):
            if factor := line[index] * unit % self.prime:
                self.inverse[number] = [(x - share * factor) % self.prime for x, share in zip(line, shares)]

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
            row = self.problem.find_function(self.pattern, [self.problem.locate(kink)])
            shares = [share % self.prime for share in combine(zip(row, self.inverse), len(self.rows))]
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
        self.zeros = self.problem.find_zeros(self.pattern, point, f"{place}: the vertex", self.basis)
        loss = dot(self.piece, [*self.numerators, self.den])
        self.loss = Fraction(int(loss), int(self.den * self.problem.unit))
        if self.track:
            self.track.add(point, self.loss)

    def find_ray(self, kink: Kink) -> list[int]:
        """Returns a multiple of the edge that leaves a kink of the basis (section 3)."""
        layer, sample, unit = kink
        sign = 1 if self.pattern[layer - self.problem.first][unit][sample] else -1
        return [sign * entry for entry in self.find_edge(self.owners.index(kink))]

    def find_parameters(self) -> Point:
        """Returns the vertex, in all parameters."""
        theta = [[entry * self.den for entry in row] for row in self.problem.start]
        for (j, k), value in zip(self.problem.free, self.numerators):
            theta[j][k] = value
        return theta, self.problem.den * self.den

    def is_at(self, numerators: list[int], den: int) -> bool:
        """Returns whether this is the vertex."""
        return all(x * den == y * self.den for x, y in zip(self.numerators, numerators))

    def check_published_stop(self, place: str) -> None:
        """Checks that the published rule stops here (section 4, published_stop), and returns to the cell."""
        # A flip of a kink of the basis adds multiples of its normal to the others' and to the gradient. So no edge
        # changes but that kink's own, and no other slope.
        require(bool(self.basis), f"{place}: published_stop without parameters")
        slopes = {kink: dot(self.piece, self.find_ray(kink)) for kink in self.basis}
        for number, kink in enumerate(self.basis, 1):
            self.turn([kink])
            self.occupy(self.basis, place)
            slopes[kink] = dot(self.piece, self.find_ray(kink))
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
            require(self.is_at(point, den), f"{place}: basis: it is another point's")
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
        require(not self.is_at(point, den), f"{place}: the point stays")
        require(self.loss <= loss, f"{place}: the loss rises")
        strict = [key for key in ("cross", "published_stop") if key in step]
        require(self.loss < loss or not strict, f"{place}: {' and '.join(strict)}, but the loss does not fall")

    def check_outcome(self, content: Line, bound: Fraction | None) -> str:
        """Checks the outcome, and returns it in words (section 4, line 4); the bound is of the loss (section 5a)."""
        by, name, problem = content.get("by"), content["outcome"], self.problem
        if name == "unbounded":
            self.occupy(self.prepare(content, "outcome"), "outcome")
            ray = [[0 for _ in row] for row in problem.start]
            for (j, k), entry in zip(problem.free, self.find_ray(content["leave"])):
                ray[j][k] = entry
            check_ray(problem, self.pattern, ray)
        if by == "zero-loss":
            check_zero_loss(problem.instance, self.loss, "outcome")
        if by == "bound":
            require(self.loss == bound, "outcome: the ranges of the outputs allow a smaller loss")
        if by in {"likq", "tree"} or "active" in content:
            form, is_strict = problem.find_form(self.pattern, self.zeros), name == "strict-local-minimum"
            count = len(form.rows)
            require(content.get("active", count) == count, f"outcome: {count} kinks are active")
            if by:
                form.reduce()
                form.check_tree(content if by == "tree" else form.find_likq(), strict=is_strict)
                require(not is_strict or not problem.fixed, "outcome: not strict, there is lineality")
        return f"{name} by {by}" if by else str(name)


def check_ray(problem: Problem, pattern: Pattern, ray: Matrix) -> None:
    """Checks that a ray stays in a cell, from each point of it, and that the loss falls along it."""
    problem.find_zeros(pattern, (ray, 0), "outcome: the ray")
    gradient, _ = problem.find_gradient(pattern, problem.list_loss(pattern, problem.samples))
    require(sum(map(dot, gradient, ray)) < 0, "outcome: the loss does not fall along the ray")


def find_prime(least: int) -> int:
    """Returns the next number from an odd one on that is prime, as far as Fermat's test says; nothing rests on that."""
    return next(p for p in count(least, 2) if pow(2, p - 1, p) == 1)


def read_certificate(path: str, problem: Problem, hashed: Any, form: str = "") -> Lines:
    """Yields place and content of lines 2, 3 and 4 (section 4); at the end all form is checked, all bytes hashed."""
    kink, kinks = problem.parse_kink, [problem.parse_kink, ANY]
    minimum, ray = {"outcome": "(strict-)?local-minimum"}, [[numeral, [len(problem.start[0])]], [len(problem.start)]]
    header = {"format": "exactdrl-certificate", "version": ONCE, "instance": HASH, "rule": NAME, "start": NAME}
    vertex = {"vertex": {"pattern": problem.parse_pattern, "basis": kinks, "elsewhere?": {True}}}
    step = {"flip": kinks, "leave": kink, "enter": kink, "basis?": kinks, "cross?": [kink, SOME]}
    shapes: tuple[Line, ...] = step | {"published_stop?": {True}}, vertex, {"start": {"pattern": problem.parse_pattern}}
    shapes += (
        {"outcome": "step-limit"},
        {"outcome": "undecided", "active": ANY},
        minimum | {"by": "likq|zero-loss|bound"},
    )
    shapes += (minimum | {"by": "tree"} | shape_tree(kink, problem.widths[0]),)
    shapes += ({"outcome": "unbounded", "flip": kinks, "leave": kink, "basis?": kinks},)
    shapes += ({"outcome": "unbounded", "flip": [kink, [0]], "ray": ray},)
    first, ended = dict[str, Any](), False
    for place, content in read_claimed(path, problem.instance.digest, header, shapes, hashed, form=form):
        is_first, by = not content.keys().isdisjoint({"vertex", "start"}), content.get("by")
        # without a vertex there is an outcome alone, of the start; with one no ray
        is_fit = is_first != bool(first) and (
            "ray" not in content if "start" not in first else "ray" in content or by == "bound"
        )
        demand(is_fit, f"{place}: its keys are not those of the format")
        demand(not ended, f"{place}: something follows the outcome")
        is_plain = by in {"zero-loss", "bound"} and content["outcome"].startswith("strict")
        demand(not is_plain, f"{place}: strict by {by}")
        first, ended = first or content, "outcome" in content
        yield place, content.get("vertex", content)  # or {"start": ...}
    demand(ended, "the file has no outcome")


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


def check_start(problem: Problem, lines: Lines, constant: bool) -> str:
    """Checks a certificate without a vertex, whose outcome speaks of the start; returns a summary."""
    pattern, (_, content) = next(lines)[1]["start"]["pattern"], next(lines)
    problem.find_zeros(pattern, (problem.start, problem.den), "line 2: the start")
    if "ray" in content:
        ray = [[rational(entry, "outcome: ray") for entry in row] for row in content["ray"]]
        check_ray(problem, pattern, to_integers(ray)[0])
    else:
        require(constant, "outcome: the loss need not be constant")
    deque(lines, 0)
    return "0 steps, unbounded" if "ray" in content else "0 steps, local-minimum by bound (global)"


def check_walk(instance: Instance, run: str, about: str | None, span: str) -> str:
    """Checks a certificate, or a span A:B of its steps, and claims about it; returns a summary (section 6)."""
    problem, hashed = Problem(instance), hashlib.sha256()
    # All of the form first: what is not of the form is malformed even if a claim in it is false.
    kinds, ending, is_start = bytearray(), dict[str, Any](), False  # 1 for a long step
    for _, ending in read_certificate(run, problem, hashed):
        kinds += bytes(["cross" in ending]) if "enter" in ending else b""
        is_start |= "start" in ending
    digest, total, ranges = hashed.hexdigest(), len(kinds), find_range(instance, problem)
    first, last = (int(text or default) for text, default in zip(span.split(":"), (1, total)))
    demand(1 <= first <= max(last, 1) and last <= total, f"--steps: {first}:{last} is no span of {total} steps")
    demand(not is_start or not about, "claims: the run has no vertex")
    claims, start = read_claims(about, problem, digest, total) if about else [], (problem.start, problem.den)
    lines = read_certificate(run, problem, hashlib.sha256(), digest)
    if is_start:
        return check_start(problem, lines, ranges.low is not None and ranges.low == ranges.high)
    track: Any = None
    if claims:
        end, _ = replay(problem, lines, total)
        deque(lines, 0)
        track, lines = (
            Track(problem, end.find_parameters(), claims),
            read_certificate(run, problem, hashlib.sha256(), digest),
        )
    position, vertex = replay(problem, lines, first - 1, track)
    require(problem.is_flat(position.pattern), "line 2: the loss changes along a direction that changes no kink")
    if first == 1:
        if "elsewhere" not in vertex:
            problem.find_zeros(position.pattern, start, "line 2: the start")
        loss = find_loss(instance, instance.layers)
        require(position.loss <= loss, "line 2: the loss is above the loss at the start")
    for number, (place, step) in enumerate(islice(lines, last - first + 1), first):
        position.check_step(step, place)
        if sys.stderr and sys.stderr.isatty() and (number % 50 == 0 or number == last):
            print(f"\rchecked step {number} of {last}", end="\n" * (number == last), file=sys.stderr, flush=True)
    result = position.check_outcome(next(lines)[1], ranges.low) if last == total else ""
    deque(lines, 0)
    for number, claim in enumerate(claims, 1):
        track.check_claim(claim, f"claim {number}")
    is_global = ranges.convex or ending.get("by") in {"zero-loss", "bound"}
    notes = ["global"] if is_global and " by " in result else []
    more = ["first vertex elsewhere"] if first == 1 and "elsewhere" in vertex else []
    return summarize(kinds, first, last, [result, f"{len(claims)} claims" if claims else ""], notes, more)


def summarize(kinds: bytearray, first: int, last: int, words: list[str], *notes: list[str]) -> str:
    """Returns what was checked, in words; a step's kind is 1 if it is long."""
    total, count, long = len(kinds), last - first + 1, sum(kinds[first - 1 : last])
    part = f"{total} steps" if count == total else f"steps {first} to {last} of {total}"
    kinds_of = [f"{count - long} adjacent, {long} long"] if long else []
    rest = [f"part: the rest {'was' if words[0] else 'and the outcome were'} not checked"] if count < total else []
    remarks = [*notes[0], *kinds_of, *notes[1], *rest]
    return ", ".join(filter(None, [part, *words])) + (f" ({'; '.join(remarks)})" if remarks else "")
