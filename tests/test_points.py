"""Verdicts on points: known answers, published points, and thousands of small networks against an independent oracle."""

from fractions import Fraction

import pytest
from gmpy2 import mpq
from pointoracle import falls, find_fall, move, random_point, rng_of

from exactdrl.constructions.spurious_end import with_better
from exactdrl.exact.rationals import InputError
from exactdrl.points.judge import JudgedPoint, judge
from exactdrl.points.reading import read_setting
from exactdrl.points.setting import find_loss
from exactdrl.points.verdict import FormProof, MarginProof, Minimum, NotMinimum, Undecided, ZeroLoss
from exactdrl.problem.instance import Instance
from exactdrl.problem.loss import Loss

LOSSES = {"squared": Loss.squared(), "absolute": Loss.absolute()}


def instance_of(network, theta, free="all"):
    """The library's instance of an oracle's network."""
    layers = []
    for matrix, slopes, has_bias in zip(theta, network.slopes, network.biases, strict=True):
        weight = [row[:-1] for row in matrix] if has_bias else matrix
        layers.append((weight, [row[-1] for row in matrix] if has_bias else None, [list(pair) for pair in slopes]))
    return Instance.create(
        layers, network.inputs, network.targets, free=free, loss=LOSSES[network.kind], weights=network.weights
    )


def name(judged: JudgedPoint) -> str:
    match judged.verdict:
        case Minimum(is_strict=strict):
            return "strict" if strict else "minimum"
        case NotMinimum(is_stationary=stationary):
            return "escape" if stationary else "slope"
        case Undecided():
            return "undecided"


def plain(theta):
    return [[[Fraction(int(x.numerator), int(x.denominator)) for x in row] for row in matrix] for matrix in theta]


def check_against_oracle(network, theta, free, rng, tries, parameters="all"):
    """Judges a point, confirms what the verdict shows, and looks for a contradiction; returns the verdict's name."""
    judged = judge(instance_of(network, theta, parameters))
    assert plain([[[judged.loss]]])[0][0][0] == network.loss(theta)
    match judged.verdict:
        case Minimum():
            assert find_fall(network, theta, free, rng, tries) is None
        case NotMinimum(descent, is_stationary):
            curve = [plain(part) for part in descent.curve]
            assert falls(network, theta, curve)
            at, before = plain([[[descent.at]]])[0][0][0], network.loss(theta)
            there = network.loss(move(theta, curve, at))
            assert there < before
            assert there == plain([[[descent.loss]]])[0][0][0]
            if not is_stationary:
                t = Fraction(1, 2**60)
                slope = (network.loss(move(theta, curve, t)) - before) / t
                assert abs(slope - plain([[[descent.coefficient]]])[0][0][0]) < Fraction(1, 2**20)
                assert descent.order == 1
    return name(judged)


@pytest.mark.parametrize("part", range(8))
def test_one_output_is_decided(part):
    """One output, squared loss, all parameters: never undecided, and never contradicted by a curve."""
    seen = {}
    for seed in range(part * 200, part * 200 + 200):
        rng = rng_of(seed)
        network, theta = random_point(rng, outputs=1)
        found = check_against_oracle(network, theta, [0, 1], rng, 12)
        seen[found] = seen.get(found, 0) + 1
    assert set(seen) == {"minimum", "escape", "slope"}, seen
    assert min(seen.values()) >= 5, seen


@pytest.mark.parametrize("part", range(4))
def test_two_outputs(part):
    """Two outputs: three-valued, and undecided only where an escape unit has outer weights other than 0."""
    for seed in range(10_000 + part * 150, 10_150 + part * 150):
        rng = rng_of(seed)
        network, theta = random_point(rng, outputs=2)
        found = check_against_oracle(network, theta, [0, 1], rng, 12)
        if found == "undecided":
            judged = judge(instance_of(network, theta))
            assert any(any(row[e.unit] for row in theta[1]) for e in judged.escapes)


@pytest.mark.parametrize("part", range(4))
def test_absolute_loss(part):
    """Absolute loss, all parameters: what is decided is right."""
    for seed in range(20_000 + part * 100, 20_100 + part * 100):
        rng = rng_of(seed)
        network, theta = random_point(rng, outputs=rng.choice([1, 1, 2]), kind="absolute")
        check_against_oracle(network, theta, [0, 1], rng, 12)


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("kind", ["squared", "absolute"])
def test_one_layer(part, kind):
    """One layer, any number of outputs: never undecided on small networks, and right."""
    for seed in range(30_000 + part * 75, 30_075 + part * 75):
        rng = rng_of(seed)
        network, theta = random_point(rng, outputs=rng.choice([1, 2]), kind=kind)
        layer = rng.choice([1, 2])
        found = check_against_oracle(network, theta, [layer - 1], rng, 12, layer)
        assert found != "undecided"


def test_permuted_and_rescaled():
    """Hidden units may be permuted, and rescaled to (a w, h / a): the verdict is the same."""
    for seed in range(40_000, 40_150):
        rng = rng_of(seed)
        network, theta = random_point(rng, outputs=rng.choice([1, 1, 2]))
        order = list(range(len(theta[0])))
        rng.shuffle(order)
        factors = [rng.choice([Fraction(1, 3), Fraction(1), Fraction(2)]) for _ in order]
        inner = [[x * factors[u] for x in theta[0][u]] for u in order]
        outer = [[*(row[u] / factors[u] for u in order), *row[len(order) :]] for row in theta[1]]
        first, second = judge(instance_of(network, theta)), judge(instance_of(network, [inner, outer]))
        assert name(first) == name(second)
        assert sorted(order.index(e.unit) for e in first.escapes) == [e.unit for e in second.escapes]


def rational(text):
    return mpq(*map(int, text.split("/"))) if "/" in text else text


def shallow(inner, outer, inputs, targets, loss=None, free="all", **more):
    """An instance without biases; a bias is an input that is 1."""
    return Instance.create(
        [(inner, None), (outer, None)], inputs, targets, free=free, loss=loss or Loss.squared(), **more
    )


A_INPUTS, A_TARGETS = [[0, 1], [1, 1], [2, 1]], [[-3], [3], [1]]


def test_case_a():
    """A local minimum at a kink, and its replications: (1/2, 1/2) stays, (1, 0) has an escape unit, (2, -1) a slope."""
    assert judge(shallow([[1, 0]], [[1]], A_INPUTS, A_TARGETS)).loss == 14
    assert name(judge(shallow([[1, 0]], [[1]], A_INPUTS, A_TARGETS))) == "minimum"
    assert name(judge(shallow([[1, 0]] * 2, [["1/2", "1/2"]], A_INPUTS, A_TARGETS))) == "minimum"
    copied = judge(shallow([[1, 0]] * 2, [[1, 0]], A_INPUTS, A_TARGETS))
    assert name(copied) == "escape"
    assert [e.unit for e in copied.escapes] == [1]
    assert name(judge(shallow([[1, 0]] * 2, [[2, -1]], A_INPUTS, A_TARGETS))) == "slope"
    setting, _ = read_setting(shallow([[1, 0], [1, "-1/100"]], [[1, "-1/400"]], A_INPUTS, A_TARGETS))
    _, theta = read_setting(shallow([[1, 0], [1, "-1/100"]], [[1, "-1/400"]], A_INPUTS, A_TARGETS))
    assert (14 - find_loss(setting, theta)) / 2 == mpq(9561875, 10**12)


def test_case_b():
    """No bias: adding (0, 0) makes an escape unit, (1, 0) changes nothing, (-1, 0) violates S1."""
    inputs, targets = [[1], [-1]], [[1], [1]]
    assert name(judge(shallow([[1]], [[1]], inputs, targets))) == "minimum"
    zero = judge(shallow([[1], [0]], [[1, 0]], inputs, targets))
    assert name(zero) == "escape"
    assert [e.unit for e in zero.escapes] == [1]
    assert judge(shallow([[1], ["-1/10"]], [[1, "1/10"]], inputs, targets)).loss == mpq(9801, 10000)
    assert name(judge(shallow([[1], [1]], [[1, 0]], inputs, targets))) == "minimum"
    assert name(judge(shallow([[1], [-1]], [[1, 0]], inputs, targets))) == "slope"


def test_absolute_loss_proved_by_subgradients():
    """The example of the absolute loss: e = (1, -1, 1/2); and one that the certificate cannot prove stays undecided."""
    judged = judge(shallow([[1, 0]], [[1]], A_INPUTS, [[-1], [2], [2]], Loss.absolute()))
    assert judged.loss == 2
    assert isinstance(judged.verdict, Minimum)
    proof = judged.verdict.proof
    assert isinstance(proof, MarginProof)
    assert proof.duals == ((mpq(1),), (mpq(-1),), (mpq(1, 2),))
    # h = 0, w = (2, 1): a local minimum of L = 1 in an open cell, where no subgradients satisfy NE
    open_cell = judge(shallow([[2, 1]], [[0]], [[1, 0], [0, 1]], [[0], [1]], Loss.absolute()))
    assert name(open_cell) in {"undecided", "minimum"}


W1_INPUTS = [["-1", "1"], ["-0.6", "1"], ["-0.1", "1"], ["0.3", "1"], ["0.7", "1"]]
W1_TARGETS = [["0.28"], ["-0.1"], ["0.03"], ["0.23"], ["-0.22"]]
W1_END = [mpq(693, 4630), mpq(1067, 46300) - mpq(693, 4630) * mpq(7, 10)]


def test_w1():
    """Wu, Simsek, Ged's first experiment: origin, plateau and end, at the width that they use."""
    width = 50
    origin = judge(shallow([[0, 0]] * width, [[0] * width], W1_INPUTS, W1_TARGETS))
    assert origin.mean_loss == mpq(953, 25000)
    assert name(origin) == "escape"
    assert len(origin.escapes) == width
    plateau_outer = [mpq(231, 2690) / 40] * 40 + [0] * 10
    inner = [[-1, "7/10"]] * 40 + [[0, 0]] * 10
    plateau = judge(shallow(inner, [plateau_outer], W1_INPUTS, W1_TARGETS))
    assert plateau.mean_loss == mpq(50749, 1681250)
    assert name(plateau) == "escape"
    inner[49], outer = ["9/1000", "11/1000"], [[*plateau_outer[:49], "-1/100"]]
    assert judge(shallow(inner, outer, W1_INPUTS, W1_TARGETS)).mean_loss == mpq(8117224831003, 269000000000000)
    inner = [[-1, "7/10"]] * 40 + [[0, 1]] * 10
    end = judge(shallow(inner, [[W1_END[0] / 40] * 40 + [W1_END[1] / 10] * 10], W1_INPUTS, W1_TARGETS))
    assert end.mean_loss == mpq(16139, 578750)
    assert name(end) == "minimum"
    assert end.is_affine_fit
    assert end.better is not None
    assert find_loss(end.setting, end.better) < end.loss
    for loss, k in ((mpq(561, 25000), 1), (mpq(319, 25000), 2), (mpq(1, 500), 3)):
        assert loss < end.mean_loss, k


W3_INPUTS = [["-.3", ".5"], ["1", "1"], ["-.6", "-1"], [".4", "-.4"]]
W3_TARGETS = [[".6", "-.5"], [".5", "-1"], ["-.4", ".6"], [".8", ".2"]]


def test_w3():
    """Two outputs: the end is a local minimum by S1, S2 and NE, though width 4 reaches 0; h·e_4 = 1/8."""
    end = judge(
        shallow(
            [["-1", "-1"], ["-1/2", "1"], ["0", "1"]],
            [["-1/4", "7/8", "1/16"], ["3/8", "0", "-1"]],
            W3_INPUTS,
            W3_TARGETS,
        )
    )
    assert end.mean_loss == mpq(17, 200)
    assert name(end) == "minimum"
    duals = end.verdict.proof.duals
    assert [e / 2 for e in duals[3]] == [mpq(-4, 5), mpq(-1, 5)]
    assert sum(h * e for h, e in zip((mpq(-1, 4), mpq(3, 8)), duals[3], strict=True)) / 2 == mpq(1, 8)
    zero = judge(
        shallow(
            [[-2, -2], [-2, -1], [-1, -2], [-1, 2]],
            [["-45/32", "-1/2", "2", "1/2"], ["-183/32", "8", "1/2", "-1"]],
            W3_INPUTS,
            W3_TARGETS,
        )
    )
    assert zero.loss == 0
    assert isinstance(zero.verdict.proof, ZeroLoss)


def test_flat_directions():
    """A dead unit's outer weight is a flat direction of a minimum in all parameters; one layer's face is shown, too."""
    dead = judge(shallow([[1, 0], [0, -1]], [[1, 5]], A_INPUTS, A_TARGETS))
    assert name(dead) == "minimum"
    assert dead.verdict.flat == (((0, 0), (0, 0)), ((0, 1),))
    for t in (mpq(-3), mpq(7)):
        assert find_loss(dead.setting, ((*dead.theta[0],), ((1, 5 + t),))) == dead.loss
    layer = judge(shallow([[1, 0], [0, -1]], [[1, 5]], A_INPUTS, A_TARGETS), free=1)
    assert name(layer) == "minimum"
    assert any(any(row) for row in layer.verdict.flat[0])


def test_b():
    """Boursier and Flammarion's data: least squares 512/2925, a differentiable local minimum at every width."""
    inputs, targets = [["-3/4", 1], ["-1/2", 1], ["1/8", 1]], [["11/10"], ["1/10"], ["4/5"]]
    line = ["-4/65", "251/390"]
    for width in (1, 2, 3, 7):
        judged = judge(shallow([line] * width, [[mpq(1, width)] * width], inputs, targets))
        assert judged.mean_loss == mpq(512, 2925)
        assert name(judged) == "minimum"
        assert judged.active == 0
        assert judged.is_affine_fit
        assert (judged.better is not None) == (width > 1)


def test_maxcut_points_are_the_same_with_squared_loss():
    """At h = 1, w = 0 and labels ±1 the derivatives of both losses are in proportion, and so are the verdicts."""
    from test_minimality import TRIANGLE, cut_instance

    for c, expected in ((3, "slope"), (5, "strict")):
        plain_instance = cut_instance(3, TRIANGLE, c)
        layers = [(layer.weight, layer.bias) for layer in plain_instance.layers]
        for loss in LOSSES.values():
            same = Instance.create(
                layers, plain_instance.inputs, plain_instance.targets, start=plain_instance.start, loss=loss
            )
            assert name(judge(same)) == expected
            assert name(judge(same, free="all")) == ("slope" if expected == "slope" else "minimum")


def test_least_squares_is_strict():
    """One linear layer: a full column rank makes the least squares solution strict, a lower one does not."""
    instance = Instance.create([([["-693/4630", "1067/46300"]], None)], W1_INPUTS, W1_TARGETS, loss=Loss.squared())
    judged = judge(instance)
    assert name(judged) == "strict"
    assert isinstance(judged.verdict.proof, FormProof)
    twice = Instance.create([([[1, 1]], None)], [[1, 1], [2, 2]], [[2], [4]], loss=Loss.squared())
    assert name(judge(twice)) == "minimum"
    assert any(any(row) for row in judge(twice).verdict.flat[0])


def test_deep_networks():
    """Two hidden layers: affine on the samples and the best affine fit is proved, a slope or an escape refutes."""
    fit = [([[1, 0]], ["3"]), ([[1]], ["2"]), ([["-693/4630"]], [mpq(1067, 46300) + mpq(693, 4630) * 5])]
    one = [[row[0], 1] for row in W1_INPUTS]
    judged = judge(Instance.create(fit, one, W1_TARGETS, free="all", loss=Loss.squared()))
    assert name(judged) == "minimum"
    assert judged.mean_loss == mpq(16139, 578750)
    assert judged.is_affine_fit
    wide = [([[1, 0], [0, 0]], ["3", "1"]), ([[1, 0], [0, 0]], ["2", "1"]), ([["-693/4630", "0"]], fit[2][1])]
    spurious = with_better(judge(Instance.create(wide, one, W1_TARGETS, free="all", loss=Loss.squared())))
    assert name(spurious) == "minimum"
    assert find_loss(spurious.setting, spurious.better) < spurious.loss
    assert with_better(judged).better is None or find_loss(judged.setting, with_better(judged).better) < judged.loss
    other = [*fit[:2], ([["1"]], ["0"])]
    assert name(judge(Instance.create(other, one, W1_TARGETS, free="all", loss=Loss.squared()))) == "slope"
    origin = [([[0, 0]], None), ([[0]], None), ([[0]], None)]
    assert name(judge(Instance.create(origin, one, W1_TARGETS, free="all", loss=Loss.squared()))) == "escape"
    half = [([[1, 1]], None), ([[1], [0]], None), ([[0, 0]], None)]
    assert name(judge(Instance.create(half, one, W1_TARGETS, free="all", loss=Loss.squared()))) in {"slope", "escape"}


def test_free_is_refused():
    """What is no layer is refused, with the layers that there are."""
    instance = shallow([[1]], [[1]], [[1]], [[1]])
    with pytest.raises(InputError, match="name a layer"):
        judge(instance, free="layer")
    with pytest.raises(InputError, match="1 to 2"):
        judge(instance, free=3)
