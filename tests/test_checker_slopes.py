"""Version 2 of the instance and the stand-alone checker: any two slopes, weights, reach, rays.

Small random instances of every kind are walked by tests/slopes.py, by brute force from the format's page. The checker
accepts these walks; and of certificates changed in any way it accepts exactly those that are true.
"""

import copy
import hashlib
import itertools
import json
import random

import oracle
import pytest
import slopes
from hypothesis import given
from hypothesis import strategies as st
from oracle import ONE, ZERO, dot
from slopes import FalseClaimError, NoWalkError, Slopes
from strategies import examples
from test_corpus import load_checker, run

ACTIVATIONS = [["0", "1"], ["1/10", "1"], ["-1", "1"], ["1", "1"], ["1", "0"], ["2", "-1/3"], ["1/2", "1/2"]]
LOSSES = ["absolute", "linear", "pinball", "pinball-list", "hinge", "two-slope", "two-slope-list", "flat-side"]


def make_loss(kind, outputs, rng):
    match kind:
        case "pinball":
            return {"kind": "pinball", "level": rng.choice(["1/4", "0.5", "9/10"])}
        case "pinball-list":
            return {"kind": "pinball", "level": [rng.choice(["1/4", "0.5", "9/10"]) for _ in range(outputs)]}
        case "two-slope":
            return {"kind": "two-slope", "below": "-1/2", "above": "3"}
        case "two-slope-list":
            pairs = [
                rng.choice([("-1", "2"), ("1", "1"), ("0", "1"), ("-3", "-1"), ("1/3", "2")]) for _ in range(outputs)
            ]
            return {"kind": "two-slope", "below": [a for a, _ in pairs], "above": [b for _, b in pairs]}
        case "flat-side":
            return {"kind": "two-slope", "below": "0", "above": "1"}
    return {"kind": kind}


def make_instance(rng):
    """A small instance of version 2 with few values, so that kinks coincide."""
    depth = rng.choice([1, 2, 2, 3])
    widths = [rng.randint(1, 2), *(rng.randint(1, 3) for _ in range(depth - 1)), rng.randint(1, 2)]
    trained = rng.randint(1, depth)
    samples = rng.randint(2, 6)
    if rng.random() < 0.2:  # over a network's input
        widths[0], trained, samples = 0, 1, 1
    numbers = ["-2", "-1", "-1/2", "0", "1/3", "1", "2"]

    def matrix(rows, columns):
        return [[rng.choice(numbers) for _ in range(columns)] for _ in range(rows)]

    layers = []
    for number, (before, width) in enumerate(itertools.pairwise(widths), 1):
        bias = [rng.choice(numbers) for _ in range(width)]
        layer = {"weight": matrix(width, before), "bias": bias if number == trained or rng.random() < 0.6 else None}
        if rng.random() < 0.7 and (number < depth or rng.random() < 0.3):
            several = rng.random() < 0.4
            layer["activation"] = (
                [rng.choice(ACTIVATIONS) for _ in range(width)] if several else rng.choice(ACTIVATIONS)
            )
        layers.append(layer)
    if widths[0] == 0:
        layers[0]["activation"] = ["1", "1"]
    kind = rng.choice(LOSSES)
    data = {"inputs": matrix(samples, widths[0]), "targets": matrix(samples, widths[-1])}
    if kind == "hinge":
        data["targets"] = [[rng.choice(["-1", "1"]) for _ in row] for row in data["targets"]]
    if kind == "linear" and rng.random() < 0.5:
        del data["targets"]
    if rng.random() < 0.4:
        data["weights"] = [rng.choice(["0", "1", "1/2", "3"]) for _ in range(samples)]
    loss = make_loss(kind, widths[-1], rng)
    network = {"layers": layers}
    return {
        "format": "exactdrl-instance",
        "version": 2,
        "network": network,
        "free": trained,
        "loss": loss,
        "data": data,
    }


def move_to_vertex(problem, rng):
    """Pattern, basis and point of a vertex of the start's cell, without rise; or pattern and a ray along which the loss falls."""
    values = problem.values(problem.start)
    on = dict.fromkeys(problem.addresses(), True)
    on |= {k: values[k] > 0 or (values[k] == 0 and rng.random() < 0.5) for k in problem.kinks()}
    theta, basis = [list(row) for row in problem.start], []
    normals, gradient = problem.normals(on)
    if not problem.is_flat(on):
        return on, find_lineal_ray(problem, [normals[kink] for kink in problem.kinks()], gradient)
    while len(basis) < problem.reduced_n:
        zero = [k for k in problem.kinks() if problem.values(theta)[k] == 0]
        own = next(
            (k for k in zero if oracle.rank([problem.reduce(normals[j]) for j in [*basis, k]]) > len(basis)), None
        )
        if own is not None:
            basis.append(own)
            continue
        rows = [problem.reduce(normals[k]) for k in basis]
        reduced, pivots = oracle.reduced_rows(rows) if rows else ([], [])
        column = rng.choice([c for c in range(problem.reduced_n) if c not in pivots])
        small = [ZERO] * problem.reduced_n
        small[column] = ONE
        for row, pivot in zip(reduced, pivots, strict=True):
            small[pivot] = -row[column]
        ray = [ZERO] * problem.n
        for (unit, c), value in zip(problem.free, small, strict=True):
            ray[unit * problem.m + c] = value
        slope = dot(gradient, ray)
        sides = [ray, [-value for value in ray]] if slope <= 0 else [[-value for value in ray]]
        hit = next(
            (found for side in sides[: 2 if slope == 0 else 1] if (found := find_hit(problem, on, theta, side))), None
        )
        if hit is None:
            return on, sides[0]
        theta = hit[0]
    return on, basis, theta


def find_lineal_ray(problem, rows, gradient):
    """A direction that changes no kink, along which the loss falls."""
    reduced, pivots = oracle.reduced_rows(rows) if rows else ([], [])
    for column in set(range(problem.n)).difference(pivots):
        ray = [ZERO] * problem.n
        ray[column] = ONE
        for row, pivot in zip(reduced, pivots, strict=True):
            ray[pivot] = -row[column]
        slope = dot(gradient, ray)
        if slope != 0:
            return [-slope * value for value in ray]
    raise AssertionError


def find_hit(problem, on, theta, ray):
    """The point where a ray leaves the cell, and the kinks there; None if it does not."""
    normals, values = problem.normals(on)[0], problem.values(theta)
    times = {}
    for kink in problem.kinks():
        rate = dot(normals[kink], ray)
        if rate != 0 and (rate > 0) != on[kink]:
            times[kink] = -values[kink] / rate
    if not times:
        return None
    least = min(times.values())
    return oracle.move(theta, ray, least), [kink for kink, time in times.items() if time == least], least


def walk(content, rng, steps=6):
    """Lines 2 to 4 of a true certificate about an instance, whose start may be moved."""
    problem = Slopes(content)
    found = move_to_vertex(problem, rng)
    if len(found) == 2:
        on, ray = found
        rows = [[str(value) for value in ray[u * problem.m : (u + 1) * problem.m]] for u in range(problem.units)]
        return [
            {"start": {"pattern": slopes.write_pattern(problem, on)}},
            {"outcome": "unbounded", "flip": [], "ray": rows},
        ]
    on, basis, theta = found
    lines = [{"vertex": {"pattern": slopes.write_pattern(problem, on), "basis": list(map(list, basis))}}]
    for _ in range(steps):
        zero = [kink for kink in problem.kinks() if problem.values(theta)[kink] == 0]
        trials = [[], *([k] for k in basis), *([k] for k in zero), [k for k in zero if rng.random() < 0.5]]
        rng.shuffle(trials)
        for flips in trials:
            new = on | {k: not on[k] for k in flips}
            try:
                _, edges = slopes.solve(problem, new, basis)
            except FalseClaimError:
                continue
            gradient = problem.normals(new)[1]
            falling = [(k, edge if new[k] else [-e for e in edge]) for k, edge in zip(basis, edges, strict=True)]
            falling = [(k, edge) for k, edge in falling if dot(gradient, edge) < 0]
            if not falling:
                continue
            leave, edge = rng.choice(falling)
            hit = find_hit(problem, new, theta, edge)
            if hit is None:
                return [*lines, {"outcome": "unbounded", "flip": list(map(list, flips)), "leave": list(leave)}]
            if hit[2] == 0:
                continue
            enter = rng.choice(hit[1])
            lines.append({"flip": list(map(list, flips)), "leave": list(leave), "enter": list(enter)})
            on, theta = new, hit[0]
            basis = [k for k in basis if k != leave] + [enter]
            break
        else:
            break
    return [*lines, find_outcome(problem, theta)]


def find_outcome(problem, theta):
    """What is true of the last vertex."""
    form = slopes.local_form(problem, theta)
    if problem.loss(theta) == 0 and all(below <= 0 <= above for row in problem.phi for below, above in row):
        return {"outcome": "local-minimum", "by": "zero-loss"}
    verdict = oracle.likq_verdict(problem, form)
    if verdict in {"strict", "minimum"}:
        return {"outcome": "strict-local-minimum" if verdict == "strict" else "local-minimum", "by": "likq"}
    return {"outcome": "undecided", "active": len(form.active)}


class Case:
    """An instance's file and true lines about it."""

    def __init__(self, folder, seed):
        rng = random.Random(seed)
        self.lines = None
        while self.lines is None:
            self.content = make_instance(rng)
            try:
                self.lines = walk(self.content, rng)
            except NoWalkError:
                continue
        self.problem = Slopes(self.content)
        self.path, self.run_path = folder / "a.json", folder / "a.drl"
        text = json.dumps(self.content).encode("ascii")
        self.path.write_bytes(text)
        self.digest = hashlib.sha256(text).hexdigest()

    def check(self, checker, lines, *options):
        self.run_path.write_text(write_certificate(self.digest, lines), "ascii")
        return run(checker, self.path, self.run_path, *options)


def write_certificate(digest, lines):
    """A certificate's text, with header and end."""
    header = {"format": "exactdrl-certificate", "version": 1, "instance": digest, "rule": "reference", "start": "brute"}
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in [header, *lines])
    steps = sum("enter" in line for line in lines)
    end = {"end": {"steps": steps, "sha256": hashlib.sha256(text.encode("ascii")).hexdigest()}}
    return f"{text}{json.dumps(end, separators=(',', ':'))}\n"


@pytest.fixture(scope="module")
def checker():
    return load_checker()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("slopes")


@given(seed=st.integers(0, 10**9))
@examples(150)
def test_true_walks_are_accepted(checker, folder, seed):
    """What the oracle walks is accepted, with Python's integers and with gmpy2's."""
    case = Case(folder, seed)
    slopes.judge(case.problem, case.lines)
    code, text = case.check(checker, case.lines)
    assert code == 0, (text, case.content, case.lines)
    assert case.check(checker, case.lines, "--gmpy2") == (code, text)


def change(case, lines, rng):
    """Changes lines so that they stay well-formed."""
    kinks = list(map(list, case.problem.kinks()))
    steps = [line for line in lines if "leave" in line]
    if "start" in lines[0]:
        change_start(case, lines, kinks, rng)
        return
    kind = rng.randrange(8)
    if kind == 0 and kinks:
        vertex = lines[0]["vertex"]
        on = slopes.parse_pattern(case.problem, vertex["pattern"])
        kink = tuple(rng.choice(kinks))
        vertex["pattern"] = slopes.write_pattern(case.problem, on | {kink: not on[kink]})
    elif kind == 1 and steps and kinks:
        step = rng.choice(steps)
        key = rng.choice([key for key in ("leave", "enter") if key in step] or ["flip"])
        step[key] = rng.choice(kinks) if key != "flip" else [rng.choice(kinks)]
    elif kind == 2 and kinks:
        step = rng.choice([*steps, lines[0]["vertex"]])
        basis = lines[0]["vertex"]["basis"]
        target = step.get("flip", basis)
        if target and rng.random() < 0.5:
            target.pop(rng.randrange(len(target)))
        else:
            target.insert(rng.randrange(len(target) + 1), rng.choice(kinks))
    elif kind == 3 and len(lines) > 2:
        del lines[rng.randrange(1, len(lines) - 1)]
    elif kind == 4:
        lines[-1] = rng.choice(
            [
                {"outcome": "strict-local-minimum", "by": "likq"},
                {"outcome": "local-minimum", "by": "likq"},
                {"outcome": "local-minimum", "by": "zero-loss"},
                {"outcome": "undecided", "active": rng.randrange(6)},
                {"outcome": "step-limit"},
            ]
        )
    elif kind == 5 and kinks:
        flips = [kink for kink in kinks if rng.random() < 0.3]
        lines[-1] = {"outcome": "unbounded", "flip": flips, "leave": rng.choice(kinks)}
    elif kind == 6:
        ray = [[rng.choice(["-1", "0", "0", "1"]) for _ in range(case.problem.m)] for _ in range(case.problem.units)]
        lines[:] = [
            {"start": {"pattern": lines[0]["vertex"]["pattern"]}},
            {"outcome": "unbounded", "flip": [], "ray": ray},
        ]
    elif kind == 7 and len(lines) > 2:
        del lines[rng.randrange(2, len(lines)) :]
        lines.append({"outcome": "step-limit"})


def change_start(case, lines, kinks, rng):
    """Changes the pattern or the ray of a walk without vertex."""
    row = rng.choice(lines[-1]["ray"])
    if kinks and rng.random() < 0.4:
        on = slopes.parse_pattern(case.problem, lines[0]["start"]["pattern"])
        kink = tuple(rng.choice(kinks))
        lines[0]["start"]["pattern"] = slopes.write_pattern(case.problem, on | {kink: not on[kink]})
    elif row:
        row[rng.randrange(len(row))] = rng.choice(["-1", "0", "1/2", "5"])


@given(seed=st.integers(0, 10**9))
@examples(300)
def test_changed_walks_are_accepted_if_true(checker, folder, seed):
    """The checker rejects exactly what the oracle calls false."""
    case, rng = Case(folder, seed), random.Random(seed)
    for _ in range(4):
        lines = copy.deepcopy(case.lines)
        for _ in range(rng.randint(1, 2)):
            change(case, lines, rng)
        try:
            slopes.judge(case.problem, lines)
            right = 0
        except FalseClaimError:
            right = 1
        except oracle.TooManyCellsError:
            continue
        code, text = case.check(checker, lines)
        assert code == right, (text, case.content, lines)
