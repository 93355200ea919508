"""The stand-alone checker's long integers: no kink is left out that can vanish next to where it was evaluated.

Networks are drawn at random, and then one kink is moved, by its target, to where it vanishes at the worst point that rounds to
the one where everything is evaluated. Each bound of proofs/checker/batch.py is needed: with a smaller one some such kink is left out.
"""

import itertools
import json
import random
from fractions import Fraction

import pytest
from test_corpus import FILES, load_checker

CHECKER = load_checker()
TEXT = FILES["batch"].read_text("utf-8")
COUNT = 150


def draw(rng):
    """An instance with small integers, a pattern and parameters on the grid."""
    widths = [rng.randint(1, 3) for _ in range(rng.randint(2, 4))] + [1]
    samples, size = rng.choice([1, 2, 5]), rng.choice([3, 30, 300])
    layers = []
    for below, above in itertools.pairwise(widths):
        weight = [[str(rng.randint(-9, 9)) for _ in range(below)] for _ in range(above)]
        slopes = rng.choice([["0", "1"], ["1", "3"], ["-3", "1"], ["1/10", "1"], ["1", "1"]])
        layers.append(
            {"weight": weight, "bias": rng.choice([None, ["2"] * above, ["1e12"] * above]), "activation": slopes}
        )
    layers[-1]["activation"] = ["1", "1"]
    inputs = [[str(rng.randint(-size, size)) for _ in range(widths[0])] for _ in range(samples)]
    content = {"format": "exactdrl-instance", "version": 2, "network": {"layers": layers}, "free": 1}
    start = [["0"] * (widths[0] + (layers[0]["bias"] is not None))] * widths[1]
    content |= {"loss": {"kind": "absolute"}, "data": {"inputs": inputs, "targets": [["0"]] * samples}, "start": start}
    pattern = [[bytearray(rng.getrandbits(1) for _ in range(samples)) for _ in range(width)] for width in widths[1:]]
    theta = [[rng.randint(-(2**40), 2**40) for _ in row] for row in start]
    return content, pattern, theta


def find_worst(problem, pattern, theta, kink):
    """GRID times a kink's function in the cell where it is least on its side, next to theta; and what one unit of output is there."""
    depth, sample, unit = kink
    gradient, constant = problem.find_gradient(pattern, [problem.locate((depth + problem.first, sample, unit))])
    flat = [(g, t) for row in zip(gradient, theta, strict=True) for g, t in zip(*row, strict=True)]
    value = sum(g * t for g, t in flat) + constant * CHECKER.parts["batch"].GRID
    change = sum(abs(g) for g, _ in flat)
    return value - change if pattern[depth][unit][sample] else value + change


def read(folder, content):
    path = folder / "a.json"
    path.write_text(json.dumps(content), "ascii")
    return CHECKER.parts["problem"].Problem(CHECKER.read_instance(str(path)))


def find_missing(folder, batch, count=COUNT):
    """Kinks that can be on the other side, or vanish, and are left out; kinks that are not left out."""
    missing = kept = kinks = 0
    for seed in range(count):
        rng = random.Random(seed)
        content, pattern, theta = draw(rng)
        sample, targets = rng.randrange(len(pattern[0][0])), content["data"]["targets"]
        last = (len(pattern) - 1, sample, 0)
        at = [find_worst(read(folder, content), pattern, theta, last)]
        content["data"]["targets"] = [["1"] if i == sample else own for i, own in enumerate(targets)]
        at.append(find_worst(read(folder, content), pattern, theta, last))
        target = Fraction(at[0], at[0] - at[1])  # where it is 0
        content["data"]["targets"] = [[str(target)] if i == sample else own for i, own in enumerate(targets)]
        problem = read(folder, content)
        assert find_worst(problem, pattern, theta, last) == 0
        found = set()
        for part in problem.batches:
            found |= set(batch(problem, part.samples).find_open(pattern, theta))
        for depth, columns in enumerate(pattern):
            for unit, column in enumerate(columns):
                below, above = problem.slopes[depth][unit][0]
                for i, bit in enumerate(column):
                    worst = find_worst(problem, pattern, theta, (depth, i, unit))
                    kinks += 1
                    kept += (depth, i, unit) in found
                    is_open = below != above and (worst <= 0 if bit else worst >= 0)
                    missing += is_open and (depth, i, unit) not in found
    return missing, kept, kinks


def test_no_open_kink_is_left_out(tmp_path):
    """On random networks, each with a kink that just vanishes at the worst point; and most kinks are left out where they may be."""
    missing, kept, kinks = find_missing(tmp_path, CHECKER.parts["batch"].Batch, 3 * COUNT)
    assert missing == 0
    assert kept < kinks * 0.8


def test_a_ray_has_nothing_added(tmp_path):
    """Along a ray targets and biases do not count, and kinks whose rate is far from 0 are left out on their side."""
    for seed in range(COUNT):
        rng = random.Random(seed)
        content, pattern, theta = draw(rng)
        content["data"]["targets"] = [[str(rng.randint(-(10**30), 10**30))] for _ in content["data"]["targets"]]
        problem = read(tmp_path, content)
        found = {kink for part in problem.batches for kink in part.find_open(pattern, theta, is_ray=True)}
        for depth, columns in enumerate(pattern):
            for unit, column in enumerate(columns):
                below, above = problem.slopes[depth][unit][0]
                for i, bit in enumerate(column):
                    gradient, _ = problem.find_gradient(pattern, [problem.locate((depth + problem.first, i, unit))])
                    flat = [(g, t) for row in zip(gradient, theta, strict=True) for g, t in zip(*row, strict=True)]
                    rate = sum(g * t for g, t in flat) * (1 if bit else -1)
                    if below != above and rate <= sum(abs(g) for g, _ in flat):
                        assert (depth, i, unit) in found
                    if rate > 10**6 * sum(abs(g) for g, _ in flat) > 0 and depth == 0:
                        assert (depth, i, unit) not in found


def test_samples_of_other_size_are_in_other_batches(tmp_path):
    """A sample with long numbers does not lengthen the slots of those with short ones."""
    content, *_ = draw(random.Random(3))
    content["data"] = {"inputs": [["1"], ["2"], ["1e4000"], ["3"]], "targets": [["0"]] * 4}
    content["network"] = {"layers": [{"weight": [["1"]], "bias": None}]}
    content["start"] = None
    problem = read(tmp_path, content)
    assert [part.samples for part in problem.batches] == [[0, 1], [2], [3]]
    list(problem.batches[0].find_open([[bytearray(4)]], [[1]]))
    assert problem.batches[0].size < 40


BOUNDS = {
    "no margin": ("[[sum(map(abs, x)) for x in self.points]]", "[[0 for x in self.points]]"),
    "largest input": ("[[sum(map(abs, x)) for x in self.points]]", "[[max(map(abs, x)) for x in self.points]]"),
    "signed inputs": ("[[sum(map(abs, x)) for x in self.points]]", "[[abs(sum(x)) for x in self.points]]"),
    "no growth": ("[self.growths[-1] * ((m >>", "[steepest * ((m >>"),
    "no slope": ("self.growths.append(steepest * max(", "self.growths.append(max("),
    "smallest slope": ("max(abs(slope) for pair", "min(abs(slope) for pair"),
    "signed slope": ("max(abs(slope) for pair", "max(slope for pair"),
    "largest weight": ("max(sum(map(abs, row)) for row in rows)", "max(max(map(abs, row)) for row in rows)"),
    "signed weights": ("max(sum(map(abs, row)) for row in rows)", "max(abs(sum(row)) for row in rows)"),
    "smallest row": ("max(sum(map(abs, row)) for row in rows)", "min(sum(map(abs, row)) for row in rows)"),
    "half": ("self.pack([margin + 1 for margin", "self.pack([margin // 2 + 1 for margin"),
    "without equality": ("self.pack([margin + 1 for margin", "self.pack([margin for margin"),
    "nothing for what is dropped": ("((m >> self.drops[-1]) + 2) + 1", "(m >> self.drops[-1])"),
    "more dropped": ("((m >> self.drops[-1]) + 2) + 1", "(m >> self.drops[-1] + 1)"),
    "slots too narrow": ("size = 4 * (most.bit_length() // 32 + 1)", "size = 4 * (most.bit_length() // 48 + 1)"),
    "slots for parameters alone": ("bound = growth * bound + max(", "bound = growth * bound + 0 * max("),
    "what is on where it is off": ("low = (value ^ mask) +", "low = (value ^ self.fill(256**self.size - 1)) +"),
    "bits of the next slot": ("value = value >> drop & self.keeps[depth]", "value = value >> drop"),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_every_bound_is_needed(name, tmp_path):
    """With another bound a kink is left out, or numbers do not fit."""
    old, new = BOUNDS[name]
    assert TEXT.count(old) == 1
    module = load_checker(batch=compile(TEXT.replace(old, new), "mutant", "exec"))
    try:
        missing = find_missing(tmp_path, module.parts["batch"].Batch)[0]
    except OverflowError:
        return
    assert missing > 0
