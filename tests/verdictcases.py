"""The checker's corpus for verdicts (proofs/VERDICT.md): built here, kept as files; `python tests/verdictcases.py` writes them.

A case in reject/ breaks exactly one claim, one in malformed/ one rule of the form.
"""

import json
from pathlib import Path

from pointoracle import random_point, rng_of
from test_points import instance_of

from exactdrl import Instance, parse_rational
from exactdrl.certificate.tree_lines import witness_fields
from exactdrl.certificate.verdict_file import verdict_text
from exactdrl.minimality.judge import DEFAULT_BUDGET
from exactdrl.points.decision import decide_form
from exactdrl.points.form import find_duals, localise_point
from exactdrl.points.judge import judge
from exactdrl.points.reading import read_setting
from exactdrl.points.setting import forward
from exactdrl.points.shallow import prove
from exactdrl.problem.file import to_json_text
from exactdrl.problem.loss import Loss

CORPUS = Path(__file__).parent / "corpus"
SQUARED, ABSOLUTE = Loss.squared(), Loss.absolute()


def network(layers, inputs, targets, *, loss=SQUARED, free="all", **more):
    return Instance.create(layers, inputs, targets, free=free, loss=loss, **more)


def shallow(inner, outer, inputs, targets, **more):
    return network([(inner, None), (outer, None)], inputs, targets, **more)


A_INPUTS, A_TARGETS = [[0, 1], [1, 1], [2, 1]], [[-3], [3], [1]]
CASE_A = shallow([[1, 0]], [[1]], A_INPUTS, A_TARGETS)
COPY = shallow([[1, 0]] * 2, [[1, 0]], A_INPUTS, A_TARGETS)
SLOPED = shallow([[1, 0]] * 2, [[2, -1]], A_INPUTS, A_TARGETS)
HALVES = shallow([[1, 0]] * 2, [["1/2", "1/2"]], A_INPUTS, A_TARGETS)
PROVED = shallow([[1, 0]], [[1]], A_INPUTS, [[-1], [2], [2]], loss=ABSOLUTE)
W3 = shallow(
    [["-1", "-1"], ["-1/2", "1"], ["0", "1"]],
    [["-1/4", "7/8", "1/16"], ["3/8", "0", "-1"]],
    [["-.3", ".5"], ["1", "1"], ["-.6", "-1"], [".4", "-.4"]],
    [[".6", "-.5"], [".5", "-1"], ["-.4", ".6"], [".8", ".2"]],
)
# two outputs, slopes 1/4 and 1, an inner bias, weights 0, 1 and 2, two kinks
LEAKY = instance_of(*random_point(rng_of(1681), outputs=2))
# affine on the samples, two hidden layers, with and without biases
DEEP = network(
    [([[1, 0]], [3]), ([[1]], [2]), ([["-693/4630"]], [parse_rational("1067/46300") + parse_rational("693/926")])],
    [["-1", 1], ["-0.6", 1], ["-0.1", 1], ["0.3", 1], ["0.7", 1]],
    [["0.28"], ["-0.1"], ["0.03"], ["0.23"], ["-0.22"]],
)
LINEAR = network([([[1]], None), ([[1]], None), ([["9/5"]], None)], [[1], [2]], [[1], [4]])
# the best linear function, but a unit bends on the samples: x = 1, 2, -1
BENT = network([([[1], [-1]], None), ([[1, -1]], None)], [[1], [-1]], [[1], [-1]])
SUM = network([([[1]], None)], [[1], [-1]], None, loss=Loss.linear())
FALLING = network(
    [([[1]], None)], [[1]], [[1]], loss=Loss.two_slope([parse_rational("-2")], [parse_rational("-1")]), free=1
)
LEAST = network([([[2]], None)], [[1], [2]], [[1], ["5/2"]], free=1, start=[["6/5"]])
TWICE = network([([[1, 1]], None)], [[1, 1], [2, 2]], [[2], [4]], free=1)
# f = 0 with a dead unit; w + 3t passes a better point at t = 2/3
DEAD = shallow([[-1]], [[1]], [[1]], [[1]])
PINBALL = network(
    [([[1], [2]], [0, 1]), ([[1, 0]], None)], [[1], [-1]], [[1], [2]], loss=Loss.pinball(parse_rational("1/4"))
)


def verdict(point, free=None, **changes):
    """A verdict's content: what the library says, with some keys changed."""
    content = json.loads(verdict_text(judge(point, free=free), point.digest))
    content.update(changes)
    return {key: value for key, value in content.items() if value is not None}


def zero(instance, free=None):
    """A curve's entry that stands still."""
    setting, theta = read_setting(instance, free)
    return [[["0"] * len(row) for row in theta[number]] for number in setting.free]


def curve(instance, at, *moves, free=None):
    """A witness by a line: moves are (layer among the free ones, row, column, value)."""
    entry = zero(instance, free)
    for layer, row, column, value in moves:
        entry[layer][row][column] = value
    return {"by": "curve", "curve": [entry], "at": at}


def margins_of(instance, duals, margins, corners=None):
    """A margins witness for any e and δ, whether they are right or not, where the trees exist."""
    setting, theta = read_setting(instance)
    rows = tuple(tuple(map(parse_rational, row)) for row in duals)
    proof = prove(setting, theta, rows, tuple(map(parse_rational, margins)), DEFAULT_BUDGET).proof
    trees = [witness_fields(tree) for tree in proof.trees][:corners]
    return {"by": "margins", "duals": duals, "margins": margins, "trees": trees}


def tree_of(instance, free, *, is_spread=False):
    setting, theta = read_setting(instance, free)
    decided = decide_form(localise_point(setting, theta, is_spread=is_spread), DEFAULT_BUDGET)
    return witness_fields(decided.witness)


def changed(content, path, value):
    """A copy with another value at a path."""
    copy = json.loads(json.dumps(content))
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return copy


def build():
    """Cases by folder and name: instance, content of the verdict (text where it is none), and the reason."""
    a, proved, copy = verdict(CASE_A), verdict(PROVED), verdict(COPY)
    least, twice = verdict(LEAST), verdict(TWICE)
    linear = verdict(LINEAR)
    accept = {
        "margins": (CASE_A, a),
        "margins-better": (HALVES, verdict(HALVES)),
        "margins-absolute": (PROVED, proved),
        "margins-two-outputs": (W3, verdict(W3)),
        "margins-slopes-and-weights": (LEAKY, verdict(LEAKY)),
        "margins-one-layer-instance": (CASE_A.with_free(1), verdict(CASE_A.with_free(1), "all")),
        "affine": (DEEP, verdict(DEEP)),
        "affine-linear": (LINEAR, linear),
        "escape": (COPY, copy),
        "saddle": (SADDLE, verdict(SADDLE)),
        "slope": (SLOPED, verdict(SLOPED)),
        "slope-of-one-layer": (SLOPED, verdict(SLOPED, 1)),
        "tree": (TWICE, twice),
        "tree-strict": (CASE_A, verdict(CASE_A, 1)),
        "tree-spread": (LEAST, least),
        "tree-absolute": (PROVED, verdict(PROVED, 1)),
        "tree-two-outputs": (W3, verdict(W3, 1)),
        "pinball": (PINBALL, verdict(PINBALL)),
        "zero-loss": (BENT, verdict(BENT)),
        "zero-loss-one-layer": (
            BENT,
            verdict(BENT, 1, verdict="local-minimum", witness={"by": "zero-loss"}, better=None),
        ),
        "nothing": (CASE_A, changed(changed(a, ["verdict"], "undecided"), ["witness"], {"by": "nothing"})),
        "curve-of-second-degree": (
            COPY,
            changed(
                copy, ["witness"], {"by": "curve", "curve": [zero(COPY), copy["witness"]["curve"][0]], "at": "1/4"}
            ),
        ),
    }
    accept["weaker"] = (SLOPED, verdict(SLOPED, verdict="not-a-minimum"))
    twofold = [["12"], ["-8"], ["4"]]
    worse = [[["1", "0"]], [["0"]]]
    reject = {
        "loss": (CASE_A, changed(a, ["loss"], "15"), "the loss at the point is another"),
        "better": (CASE_A, {**a, "better": worse}, "better: the loss is not smaller there"),
        "better-equal": (CASE_A, {**a, "better": [[["1", "0"]], [["1"]]]}, "better: the loss is not smaller there"),
        "duals-twofold": (
            CASE_A,
            changed(a, ["witness"], margins_of(CASE_A, twofold, ["1/2"])),
            "duals: no subgradient at sample 0, output 0",
        ),
        "duals-above": (
            PROVED,
            changed(proved, ["witness"], margins_of(PROVED, [["1"], ["-2"], ["1"]], ["1/2"])),
            "duals: no subgradient at sample 1, output 0",
        ),
        "duals-below": (
            PROVED_LOW,
            changed(verdict(PROVED_LOW), ["witness"], margins_of(PROVED_LOW, [["0"], ["-2"]], ["1/2"])),
            "duals: no subgradient at sample 1, output 0",
        ),
        "duals-high": (
            PROVED_HIGH,
            changed(verdict(PROVED_HIGH), ["witness"], margins_of(PROVED_HIGH, [["0"], ["2"]], ["1/2"])),
            "duals: no subgradient at sample 1, output 0",
        ),
        "outer-bias-not-best": (
            BIASED_OFF,
            verdict(BIASED_OFF, verdict="local-minimum", witness=margins_of(BIASED_OFF, [["2"], ["2"]], ["1"])),
            "margins: the loss has a slope along outer parameters",
        ),
        "margin-zero": (
            COPY,
            changed(
                changed(copy, ["verdict"], "local-minimum"), ["witness"], margins_of(COPY, duals_of(COPY), ["1/2", "0"])
            ),
            "margins: one is not positive",
        ),
        "margins-tree": (
            COPY,
            changed(
                changed(copy, ["verdict"], "local-minimum"),
                ["witness"],
                {**margins_of(COPY, duals_of(COPY), ["1/2", "0"]), "margins": ["1/2", "1/2"]},
            ),
            "outcome",
        ),
        "affine-bends": (
            BENT_OFF,
            verdict(BENT_OFF, verdict="local-minimum", witness={"by": "affine", "duals": duals_of(BENT_OFF)}),
            "affine: layer 1, unit 0 bends",
        ),
        "affine-on-the-kink": (
            KINKED,
            verdict(KINKED, verdict="local-minimum", witness={"by": "affine", "duals": duals_of(KINKED)}, better=None),
            "affine: layer 1, unit 0 bends",
        ),
        "affine-not-best": (
            LINEAR_OFF,
            verdict(LINEAR_OFF, verdict="local-minimum", witness={"by": "affine", "duals": duals_of(LINEAR_OFF)}),
            "affine: another function is better",
        ),
        "affine-constant": (
            CONSTANT_OFF,
            verdict(CONSTANT_OFF, verdict="local-minimum", witness={"by": "affine", "duals": duals_of(CONSTANT_OFF)}),
            "affine: another function is better",
        ),
        "affine-duals": (
            LINEAR,
            changed(linear, ["witness"], {"by": "affine", "duals": [["0"], ["0"]]}),
            "duals: no subgradient at sample 0, output 0",
        ),
        "zero-loss-positive": (CASE_A, changed(a, ["witness"], {"by": "zero-loss"}), "zero-loss: the loss is not 0"),
        "zero-loss-without-floor": (
            SUM,
            verdict(SUM, verdict="local-minimum", witness={"by": "zero-loss"}),
            "zero-loss: the loss can be negative",
        ),
        "zero-loss-below-a-kink": (
            FALLING,
            verdict(FALLING, verdict="local-minimum", witness={"by": "zero-loss"}),
            "zero-loss: the loss can be negative",
        ),
        "curve-level": (
            DEAD,
            verdict(DEAD, verdict="not-a-minimum", witness=curve(DEAD, "2/3", (0, 0, 0, "3")), better=None),
            "curve: the loss does not fall along it",
        ),
        "curve-rises": (
            RISING,
            verdict(RISING, verdict="not-a-minimum", witness=curve(RISING, "13/10", (0, 0, 0, "1")), better=None),
            "curve: the loss does not fall along it",
        ),
        "curve-without-slope": (
            COPY,
            changed(copy, ["verdict"], "not-stationary"),
            "curve: the loss has no slope along it",
        ),
        "curve-backwards": (
            SADDLE,
            verdict(SADDLE, witness=curve(SADDLE, "-1/2", (0, 0, 0, "1"), (1, 0, 0, "1"))),
            "curve: its place is not behind the point",
        ),
        "curve-at-its-start": (COPY, changed(copy, ["witness", "at"], "0"), "curve: its place is not behind the point"),
        "curve-too-far": (COPY, changed(copy, ["witness", "at"], "100"), "curve: the loss is not smaller at its place"),
        "strict-without-spread": (
            LEAST,
            changed(least, ["witness"], {"by": "tree", "tree": least["witness"]["tree"]}),
            "not strict",
        ),
        "strict-spread-flat": (
            TWICE,
            changed(
                changed(twice, ["verdict"], "strict-local-minimum"),
                ["witness"],
                {"by": "tree", "tree": tree_of(TWICE, 1), "spread": tree_of(TWICE, 1, is_spread=True)},
            ),
            "not strict",
        ),
        "spread-without-minimum": (
            NO_LEAST,
            verdict(
                NO_LEAST,
                verdict="strict-local-minimum",
                witness={"by": "tree", "tree": tree_of(LEAST, 1), "spread": tree_of(NO_LEAST, 1, is_spread=True)},
            ),
            "outcome",
        ),
        "tree-of-a-slope": (
            LEAST_OFF,
            verdict(LEAST_OFF, verdict="local-minimum", witness={"by": "tree", "tree": tree_of(LEAST, 1)}),
            "outcome: the slope is not that of the multipliers",
        ),
    }
    tree = verdict(CASE_A, 1)
    settled = tree["witness"]["tree"]
    deep = verdict(DEEP)
    malformed = {
        "version": (CASE_A, changed(a, ["version"], 2), "verdict: version: out of range"),
        "instance": (CASE_A, changed(a, ["instance"], "A" * 64), "verdict: instance: does not match"),
        "other-instance": (CASE_A.with_free(1), a, "verdict: it is about another instance"),
        "free": (CASE_A, changed(a, ["free"], 3), "verdict: free: out of range"),
        "loss": (CASE_A, changed(a, ["loss"], "x"), "verdict: loss: a number"),
        "verdict": (CASE_A, changed(a, ["verdict"], "maximum"), "verdict: verdict: does not match"),
        "key-missing": (CASE_A, {key: value for key, value in a.items() if key != "loss"}, "its keys are not those"),
        "key-unknown": (CASE_A, {**a, "seconds": 1}, "its keys are not those"),
        "witness-of-another-verdict": (
            COPY,
            changed(copy, ["verdict"], "local-minimum"),
            "verdict: witness: not of a kind that goes with the verdict",
        ),
        "witness-no-object": (CASE_A, changed(a, ["witness"], ["by", "margins"]), "verdict: witness: not of a kind"),
        "witness-key": (CASE_A, changed(a, ["witness", "note"], "x"), "verdict: witness: its keys are not those"),
        "margins-of-one-layer": (
            CASE_A,
            changed(a, ["free"], 1),
            "verdict: witness: margins does not go with what is free",
        ),
        "affine-of-one-layer": (
            LINEAR,
            changed(linear, ["free"], 3),
            "verdict: witness: affine does not go with what is free",
        ),
        "margins-deep": (
            DEEP,
            changed(deep, ["witness"], {**a["witness"], "duals": [["0"]] * 5}),
            "verdict: witness: margins does not go with what is free",
        ),
        "tree-of-all": (CASE_A, changed(tree, ["free"], "all"), "verdict: witness: tree does not go with what is free"),
        "margins-number": (
            CASE_A,
            changed(a, ["witness", "margins"], ["1/0"]),
            "verdict: witness: margins 1: a number",
        ),
        "margins-count": (
            CASE_A,
            changed(a, ["witness", "margins"], ["1/2"] * 2),
            "verdict: witness: margins: 2 entries",
        ),
        "trees-count": (
            CASE_A,
            changed(a, ["witness", "trees"], a["witness"]["trees"][:1]),
            "verdict: witness: trees: 1 entries",
        ),
        "duals-count": (
            CASE_A,
            changed(a, ["witness", "duals"], a["witness"]["duals"][:2]),
            "duals: not one for each output",
        ),
        "duals-width": (CASE_A, changed(a, ["witness", "duals", 0], ["6", "0"]), "duals: not one for each output"),
        "duals-number": (
            CASE_A,
            changed(a, ["witness", "duals", 0, 0], "six"),
            "verdict: witness: duals 1 1: a number",
        ),
        "affine-duals": (
            LINEAR,
            changed(linear, ["witness", "duals", 0, 0], "x"),
            "verdict: witness: duals 1 1: a number",
        ),
        "curve-empty": (COPY, changed(copy, ["witness", "curve"], []), "verdict: witness: curve: 0 entries"),
        "curve-layers": (
            COPY,
            changed(copy, ["witness", "curve", 0], copy["witness"]["curve"][0][:1]),
            "verdict: witness: curve 1: not the parameters that are free",
        ),
        "curve-rows": (
            SLOPED_SECOND,
            changed(verdict(SLOPED_SECOND), ["witness"], curve_rows()),
            "verdict: witness: curve 1: not the parameters that are free",
        ),
        "curve-number": (
            COPY,
            changed(copy, ["witness", "curve", 0, 0, 0, 0], "x"),
            "verdict: witness: curve 1 1 1 1: a number",
        ),
        "at": (COPY, changed(copy, ["witness", "at"], "1e"), "verdict: witness: at: a number"),
        "better-shape": (
            CASE_A,
            {**a, "better": [[["1"]], [["1"]]]},
            "verdict: better: not the parameters that are free",
        ),
        "tree-keys": (CASE_A, changed(tree, ["witness", "tree"], {"settled": []}), "verdict: witness: tree: its keys"),
        "tree-is-a-list": (CASE_A, changed(tree, ["witness", "tree"], []), "verdict: witness: tree: not an object"),
        "spread-without-squares": (
            PROVED,
            changed(verdict(PROVED, 1), ["witness", "spread"], settled),
            "verdict: witness: its keys are not those",
        ),
        "spread-is-a-list": (
            LEAST,
            changed(least, ["witness", "spread"], []),
            "verdict: witness: spread: not an object",
        ),
        "spread-of-a-minimum": (
            LEAST,
            changed(changed(least, ["verdict"], "local-minimum"), ["witness", "by"], "tree"),
            "verdict: witness: its keys are not those",
        ),
        "kink-sample": (CASE_A, with_kink(tree, [1, 3, 0]), "kink: out of range"),
        "kink-unit": (CASE_A, with_kink(tree, [1, 0, 1]), "kink: out of range"),
        "kink-below-the-layer": (BENT, with_kink(verdict(BENT, 2), [1, 0, 0]), "kink: out of range"),
        "no-json": (CASE_A, '{"format":"exactdrl-verdict",', "verdict: not JSON in ASCII"),
        "format-alone": (CASE_A, '{"format":"exactdrl-verdict"}', "verdict: its keys are not those"),
    }
    cases = {("accept", name): (*case, None) for name, case in accept.items()}
    cases |= {("reject", name): case for name, case in reject.items()}
    cases |= {("malformed", name): case for name, case in malformed.items()}
    return cases


def duals_of(instance):
    setting, theta = read_setting(instance)
    return [[str(e) for e in row] for row in find_duals(setting, forward(setting, theta))]


def with_kink(content, kink):
    """A tree with a settled kink more, at an address."""
    settled = content["witness"]["tree"]["settled"]
    return changed(content, ["witness", "tree", "settled"], sorted([*settled, [kink, "0"]]))


# e may lie between 0 and 1 at sample 1 only if it is no subgradient of |r|
PROVED_LOW = shallow([[1, 0]], [[-1]], [[1, 0], [0, 1]], [[-1], [0]], loss=ABSOLUTE)
PROVED_HIGH = shallow([[1, 0]], [[1]], [[1, 0], [0, 1]], [[1], [0]], loss=ABSOLUTE)
# f = h w x without a kink: a saddle at 0, from which the loss falls on both sides
SADDLE = network([([[0]], None, [1, 1]), ([[0]], None)], [[1]], [[1]])
# all units dead, the constant output not the mean
BIASED_OFF = network([([[-1]], None), ([[1]], [1])], [[1], [2]], [[0], [0]])
# f = |x| while the best linear function of the data is 0: the residuals are orthogonal to x
BENT_OFF = network([([[1], [-1]], None), ([[1, 1]], None)], [[1], [-1]], [[2], [2]])
KINKED = network([([[1]], None), ([[1]], None)], [[0], [1]], [[1], [1]])
LINEAR_OFF = network([([[1]], None), ([[1]], None), ([["2"]], None)], [[1], [2]], [[1], [4]])
# the slope is best among the functions a x, but a constant would help, and a layer has a bias
CONSTANT_OFF = network([([[1]], [0]), ([["9/5"]], None)], [[1], [2]], [[1], [4]])
LEAST_OFF = network([([[2]], None)], [[1], [2]], [[1], ["5/2"]], free=1, start=[["1"]])
NO_LEAST = network([([[2]], None)], [[1], [2]], [[1], ["5/2"]], free=1, start=[["119/100"]])
# f = w - 10 relu(w - 2): 1 at w = 1, target -1; the loss rises up to w = 2, and then falls below where it was
RISING = network([([[1]], None), ([[1], [1]], [0, -2]), ([[1, -10]], None)], [[1]], [[-1]])
SLOPED_SECOND = shallow([[1], [1]], [[1, 0]], [[1]], [[3]])


def curve_rows():
    """A curve whose first matrix lacks a row of zeros."""
    entry = zero(SLOPED_SECOND)
    entry[0] = entry[0][:1]
    entry[0][0][0] = "1"
    return {"by": "curve", "curve": [entry], "at": "1"}


def to_files(case):
    instance, content, reason = case
    text = content if isinstance(content, str) else json.dumps(content, separators=(",", ":"))
    files = {".json": to_json_text(instance), ".verdict": text + "\n"}
    return files if reason is None else files | {".reason": reason + "\n"}


def main():
    for (folder, name), case in build().items():
        for ending, text in to_files(case).items():
            (CORPUS / folder / f"verdict-{name}{ending}").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
