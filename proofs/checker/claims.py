"""Claims about a finished walk: CLAIMS.md says what they are."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from fractions import Fraction
from itertools import accumulate, pairwise
from math import isqrt
from typing import Any

from .exact import dot, to_integers
from .problem import Point, Problem
from .reading import ANY, CLAIMS_CAP, HASH, ONCE, SOME, Line, demand, numeral, parse, parse_json, rational, read_lines
from .reading import require

CLAIM_CAP, PIECE_CAP, PIECES_CAP = 1000, 2**16, 2**20
FEW = range(1, CLAIM_CAP + 1)


def read_claims(path: str, problem: Problem, run: str, steps: int) -> list[Line]:
    """Returns the claims of a claims file; lists of its numbers stay text, which is short (CLAIMS.md, 1 and 3)."""
    step, numbers, counts = range(steps + 1), [numeral, SOME], [ANY, SOME]
    matrix = [[numeral, [len(problem.start[0])]], [len(problem.start)]]
    span = {"from": step, "to": step, "low": rational, "high": rational}
    decay = {"claim": "decay", "rate": rational, **span}
    line = {"claim": "line-density", "step~": step, "offset": matrix, "direction": matrix}
    claims = (
        {"claim": "loss", "step": step, "low": rational, "high": rational},
        decay | {"quantity": "loss-gap|squared-distance"},
        decay | {"quantity": "length-sum", "window": SOME, "bits": range(1, 4097)},
        {"claim": "estimate", "method": "aitken", "fraction": rational, **span},
        {"claim": "trajectory-density", "squared_radii": numbers, "counts": counts},
        line | {"bounds": numbers, "counts": counts},
    )
    shape = {"format": "exactdrl-claims", "version": ONCE, "instance": HASH, "run": HASH, "claims": [claims, FEW]}
    content = parse(parse_json(b"".join(read_lines(path, CLAIMS_CAP)), "claims file"), shape, "claims file")
    demand(content["instance"] == problem.instance.digest, "claims: they are about another instance")
    demand(content["run"] == run, "claims: they are about another run")
    for number, claim in enumerate(content["claims"], 1):
        place, first, last = f"claim {number}", claim.get("from", 0), claim.get("to", 0)
        demand(claim.get("window", 0) <= first <= last, f"{place}: not window <= from <= to")
        demand(0 <= 2 * claim.get("fraction", 0) <= 1, f"{place}: fraction: out of range")
        if "rate" in claim:
            top, bottom = claim["rate"].as_integer_ratio()
            demand(0 < top <= 2**64 >= bottom, f"{place}: rate: out of range")
            demand(0 <= claim["low"] <= 1 <= claim["high"], f"{place}: not 0 <= low <= 1 <= high")
        for key in claim.keys() & {"squared_radii", "bounds"}:
            least = rational(claim[key][0], place)
            demand(least > 0 or (least == 0 and key == "squared_radii"), f"{place}: {key}: out of range")
            is_rising = all(x < y for x, y in pairwise(rational(entry, place) for entry in claim[key]))
            demand(is_rising, f"{place}: {key}: not increasing")
            demand(len(claim["counts"]) == len(claim[key]), f"{place}: counts: {len(claim['counts'])} entries")
    return list(content["claims"])


class Track:
    """What claims speak of: losses, lengths and distances of a run, and the points that lines start from."""

    def __init__(self, problem: Problem, end: Point, claims: list[Line]) -> None:
        self.problem, self.end = problem, end  # the last vertex is known first: to keep all points needs more room
        self.losses, self.lengths, self.distances = list[Fraction](), list[Fraction](), list[Fraction]()  # two squared
        self.here = zero = [[0 for _ in row] for row in self.end[0]], 1  # so that the first length has no meaning
        self.points = {claim.get("step"): zero for claim in claims if claim["claim"] == "line-density"}

    def add(self, point: Point, loss: Fraction) -> None:
        """Adds the next vertex of the run."""
        before, self.here = self.here, point
        if len(self.losses) in self.points:
            self.points[len(self.losses)] = self.here
        self.losses.append(loss)
        for squares, (rows, den) in ((self.lengths, before), (self.distances, self.end)):
            pairs = [both for one in zip(self.here[0], rows) for both in zip(*one)]
            total = sum((x * den - y * self.here[1]) ** 2 for x, y in pairs)
            squares.append(Fraction(int(total), int(den * self.here[1]) ** 2))

    def check_claim(self, claim: Line, place: str) -> None:
        """Checks a claim about an accepted run (CLAIMS.md, 3)."""
        kind = claim["claim"]
        if kind == "loss":
            require(claim["low"] <= self.losses[claim["step"]] <= claim["high"], f"{place}: outside the bracket")
        elif kind in {"decay", "estimate"}:
            (self.check_decay if kind == "decay" else self.check_estimate)(claim, place)
        else:
            key, side = ("bounds", bisect_left) if kind == "line-density" else ("squared_radii", bisect_right)
            values = sorted(self.find_breakpoints(claim, place) if kind == "line-density" else self.distances)
            for bound, count in zip(claim[key], claim["counts"]):
                found = side(values, rational(bound, place))
                require(found == count, f"{place}: a count is {found}, not {count}")

    def check_decay(self, claim: Line, place: str) -> None:
        """Checks that a quantity stays in its bracket (CLAIMS.md, `decay`)."""
        first, last, rate = claim["from"], claim["to"] + 1, claim["rate"]
        lower: list[Any] = self.distances[first:last]  # integers or fractions, as upper
        if claim["quantity"] == "loss-gap":
            lower = [loss - self.losses[-1] for loss in self.losses[first:last]]
        upper = lower
        if claim["quantity"] == "length-sum":
            bits, window = claim["bits"], claim["window"]
            squares = [(4**bits * s.numerator, s.denominator) for s in self.lengths[first + 1 - window : last]]
            roots = [isqrt(top // den) for top, den in squares]
            others = [root + (root * root * den != top) for root, (top, den) in zip(roots, squares)]
            sums = ([0, *accumulate(lengths)] for lengths in (roots, others))
            lower, upper = ([y - x for x, y in zip(total, total[window:])] for total in sums)
        require(lower[0] > 0, f"{place}: nothing is left at step {first}")
        least, most = claim["low"] * upper[0], claim["high"] * lower[0]
        p, q, gap = 1, 1, 0
        for k, (small, large) in enumerate(zip(lower[1:], upper[1:]), 1):
            # The power of the rate lies between p / (q + gap) and (p + gap) / q: long numbers are cut off.
            p, q, gap = p * rate.numerator, q * rate.denominator, gap * max(rate.as_integer_ratio())
            cut = max(p.bit_length(), q.bit_length(), 1024) - 1024
            p, q, gap = p >> cut, q >> cut, (gap >> cut) + 2 * (cut > 0)
            at = f"{place}: step {first + k}"
            require(is_ordered(least, p + gap, q, small) or least * rate**k <= small, f"{at} is below the bracket")
            require(is_ordered(-most, p, q + gap, -large) or most * rate**k >= large, f"{at} is above the bracket")

    def check_estimate(self, claim: Line, place: str) -> None:
        """Checks that estimates of the final loss are in their bracket (CLAIMS.md, `estimate`)."""
        for step in range(claim["from"], claim["to"] + 1):
            back = claim["fraction"].numerator * step // claim["fraction"].denominator
            losses = [self.losses[index] for index in (step, step - back, step - 2 * back, -1)]
            last, middle, first, final = to_integers([losses])[0][0]
            q, p = last - middle, middle - first
            # Without an estimate, q = p, den is 0 and the error q · q is in no bracket.
            top, den = (last * (q - p) - q * q, q - p) if q else (last, 1)
            error, unit = (top - den * final) * (1 if den > 0 else -1), abs(final * den)
            is_inside = is_ordered(claim["low"], unit, 1, error) and is_ordered(-claim["high"], unit, 1, -error)
            require(is_inside, f"{place}: step {step} has no estimate in the bracket")

    def find_breakpoints(self, claim: Line, place: str) -> list[Fraction]:
        """Returns the sizes under the last bound of t at breakpoints of the loss on a line."""
        # A sample's values are affine functions a + b t between breakpoints, with the scales of `Problem`, times den.
        problem, (theta, scale), bound = self.problem, self.points[claim["step"]], rational(claim["bounds"][-1], place)
        line, common = to_integers([[rational(x, place) for x in row] for row in claim["offset"] + claim["direction"]])
        den = scale * common
        origin = [[common * t + scale * o for t, o in zip(*both)] for both in zip(theta, line)]
        direction = [[scale * d for d in row] for row in line[len(theta) :]]
        jumps, room = dict[Fraction, int](), PIECES_CAP
        for sample, (x, factor) in enumerate(zip(problem.points, problem.factors)):
            pieces = [(-bound, bound, [(dot(u, x), dot(d, x)) for u, d in zip(origin, direction)])]
            for depth, (weight, shifts) in enumerate(zip(problem.layers, problem.shifts)):
                parts, pieces = pieces, []
                for left, right, lines in parts:
                    if depth > 0:
                        starts, slopes = zip(*lines)
                        lines = [(dot(row, starts), dot(row, slopes)) for row in weight]
                    lines = [(a + shift[sample] * den, b) for (a, b), shift in zip(lines, shifts)]
                    steps = [column[sample] for column in problem.slopes[depth]]
                    bent = (line for line, (below, above) in zip(lines, steps) if line[1] and below != above)
                    zeros = {Fraction(int(-a), int(b)) for a, b in bent}
                    ends = [left, *sorted(t for t in zeros if left < t < right), right]
                    for low, high in pairwise(ends):
                        p, q = (low + high).as_integer_ratio()  # no value has a zero inside: its sign is that at p / 2q
                        signs = [pair[2 * a * q + b * p > 0] for (a, b), pair in zip(lines, steps)]
                        require(len(pieces) < PIECE_CAP, f"{place}: sample {sample} has over {PIECE_CAP} pieces")
                        pieces.append((low, high, [(sign * a, sign * b) for sign, (a, b) in zip(signs, lines)]))
            room -= len(pieces)
            require(room >= 0, f"{place}: the samples have over {PIECES_CAP} pieces")
            rates = [factor * sum(b for _, b in lines) for _, _, lines in pieces]
            for (t, _, _), before, after in zip(pieces[1:], rates, rates[1:]):
                jumps[t] = jumps.get(t, 0) + after - before
        return [abs(t) for t, jump in jumps.items() if jump]


def is_ordered(bound: Fraction, top: int, bottom: int, value: Any) -> bool:
    """Returns whether bound · top / bottom <= value, an integer or a fraction."""
    return bool(bound.numerator * top * value.denominator <= value.numerator * bound.denominator * bottom)
