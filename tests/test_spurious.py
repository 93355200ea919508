"""Spurious minima: the construction's claims, computed independently; SymPy for its identities; refusals."""

import random
from fractions import Fraction

import pytest
import sympy
from gmpy2 import mpq
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import examples

from exactdrl.constructions.channels import Shape
from exactdrl.constructions.instances import to_instance, to_plain
from exactdrl.constructions.plain_network import PlainLayer, PlainNetwork
from exactdrl.constructions.spurious import build_spurious, find_radius, total_loss
from exactdrl.exact.rationals import InputError


def to_rows(rows):
    return tuple(tuple(mpq(Fraction(x)) for x in row) for row in rows)


LINE = to_rows([[-1], [0], [1]]), to_rows([[-1], [1], [1]])
RELU = (mpq(0), mpq(1))


@st.composite
def cases(draw):
    """Distinct samples with one or two outputs, and a shape that the construction takes."""
    size, outputs = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    points = draw(st.lists(st.tuples(*[st.integers(-3, 3)] * size), min_size=2, max_size=6, unique=True))
    targets = [[draw(st.integers(-3, 3)) for _ in range(outputs)] for _ in points]
    has_output_bias = draw(st.booleans())
    hidden = [draw(st.integers(outputs, outputs + 4)) for _ in range(draw(st.integers(1, 3)))]
    hidden[-1] += not has_output_bias
    slopes = draw(st.sampled_from([(0, 1), (mpq(1, 10), 1), (-1, 1), (1, 0), (-2, mpq(-1, 3))]))
    shape = Shape((size, *hidden, outputs), (mpq(slopes[0]), mpq(slopes[1])), has_output_bias)
    return to_rows(points), to_rows(targets), shape, draw(st.sampled_from(["squared", "absolute"]))


def build(case):
    inputs, targets, shape, loss = case
    try:
        return build_spurious(inputs, targets, shape, loss)
    except InputError as error:
        assert "affinely fittable" in str(error)
        assume(False)


def perturbed(network, radius, generator):
    """A network whose parameters differ by at most the radius, often by exactly it."""
    layers = []
    for layer in network.layers:

        def move(value):
            return value + radius * generator.choice([mpq(-1), mpq(1), mpq(generator.randint(-9, 9), 9)])

        weight = tuple(tuple(map(move, row)) for row in layer.weight)
        layers.append(PlainLayer(weight, None if layer.bias is None else tuple(map(move, layer.bias))))
    return PlainNetwork(tuple(layers), network.slopes)


@examples(60)
@given(cases(), st.integers(0, 10**6))
def test_what_is_built_is_what_is_claimed(case, seed):
    """Loss; better point; constant valley; no perturbation within the radius is better, and signs stay."""
    found = build(case)
    inputs, targets, _, loss = case
    assert total_loss(found.network.outputs(inputs), targets, loss) == found.loss > 0
    assert found.better is None or total_loss(found.better.outputs(inputs), targets, loss) == found.better_loss
    assert found.better_loss is None or found.better_loss < found.loss
    assert found.valley[0] == found.network
    assert len(found.valley) == len(set(found.valley)) > 1
    assert {point.outputs(inputs) for point in found.valley} == {found.network.outputs(inputs)}
    for one, two in zip(found.valley, found.valley[1:], strict=False):
        for share in (mpq(1, 3), mpq(1, 2)):
            middle = blend(one, two, share)
            assert total_loss(middle.outputs(inputs), targets, loss) == found.loss
    generator = random.Random(seed)
    before = [[[z > 0 for z in row] for row in found.network.preactivations(x)[:-1]] for x in inputs]
    for _ in range(5):
        near = perturbed(found.network, found.radius, generator)
        assert total_loss(near.outputs(inputs), targets, loss) >= found.loss
        for x, signs in zip(inputs, before, strict=True):
            for row, own in zip(near.preactivations(x)[:-1], signs, strict=True):
                assert all(z == 0 or (z > 0) == sign for z, sign in zip(row, own, strict=True))


def blend(one, two, share):
    def mix(a, b):
        return a + share * (b - a)

    layers = []
    for a, b in zip(one.layers, two.layers, strict=True):
        weight = tuple(tuple(map(mix, p, q)) for p, q in zip(a.weight, b.weight, strict=True))
        layers.append(PlainLayer(weight, None if a.bias is None else tuple(map(mix, a.bias, b.bias))))
    return PlainNetwork(tuple(layers), one.slopes)


@examples(60)
@given(cases())
def test_a_better_point_exists_where_it_is_promised(case):
    """Squared loss with a spare unit, absolute loss with three: there always is one."""
    found = build(case)
    spare = case[2].spare(len(case[1][0]))
    if spare >= (1 if case[3] == "squared" else 3):
        assert found.better is not None


@examples(30)
@given(cases())
def test_instances_and_back(case):
    """The instance of the point is the point, and its loss is the loss."""
    found = build(case)
    inputs, targets, _, loss = case
    instance = to_instance(found.network, inputs, targets, loss)
    assert to_plain(instance) == found.network
    assert instance.loss_at(instance.layers) == found.loss
    assert instance.free == "all"


def test_three_points_and_two_units():
    """x = -1, 0, 1, y = -1, 1, 1: Σ r² is 2/3 at the line, and 0 at a better point; absolute 1, and 0."""
    shape = Shape((1, 2, 1), RELU, has_output_bias=False)
    squared = build_spurious(*LINE, shape, "squared")
    assert (squared.loss, squared.better_loss) == (mpq(2, 3), 0)
    absolute = build_spurious(*LINE, shape, "absolute")
    assert (absolute.loss, absolute.better_loss) == (1, 0)


def test_no_better_point_is_claimed_for_the_bump():
    """The bump's LAD line is a global minimum at width 2: no better point is found, and none is claimed."""
    inputs, targets = to_rows([[x] for x in range(1, 8)]), to_rows([[int(x == 4)] for x in range(1, 8)])
    found = build_spurious(inputs, targets, Shape((1, 2, 1), RELU, has_output_bias=True), "absolute")
    assert (found.loss, found.better) == (1, None)
    wide = build_spurious(inputs, targets, Shape((1, 4, 1), RELU, has_output_bias=True), "absolute")
    assert wide.better_loss == 0


@pytest.mark.parametrize(
    ("inputs", "targets", "widths", "slopes", "bias", "words"),
    [
        ([[0], [1], [2]], [[1], [3], [5]], (1, 2, 1), (0, 1), True, "not affinely fittable"),
        ([[0], [1], [0]], [[1], [3], [5]], (1, 2, 1), (0, 1), True, "samples 1 and 3 .* samples are distinct"),
        ([[0], [1], [2]], [[1, 0], [3, 1], [5, 5]], (1, 1, 2), (0, 1), True, "narrower than the output"),
        ([[0], [1], [2]], [[1], [3], [0]], (1, 1, 1), (0, 1), False, "carry the constant"),
        ([[0], [1], [2]], [[1], [3], [0]], (1, 2, 1), (1, 1), True, "not linear"),
        ([[0], [1], [2]], [[1], [3], [0]], (1, 1), (0, 1), True, "no hidden layer"),
        ([[0], [1], [2]], [[1], [3], [0]], (2, 2, 1), (0, 1), True, "begin with 2"),
        ([[0], [1], [2]], [[1], [3], [0]], (1, 2, 3), (0, 1), True, "end with 3"),
    ],
)
def test_refusals_name_the_hypothesis(inputs, targets, widths, slopes, bias, words):
    """Where a hypothesis fails, the refusal says which."""
    shape = Shape(widths, (mpq(slopes[0]), mpq(slopes[1])), bias)
    with pytest.raises(InputError, match=words):
        build_spurious(to_rows(inputs), to_rows(targets), shape, "squared")


def test_equal_samples_with_equal_targets_are_no_hindrance():
    """A repeated sample is refused only if its targets differ."""
    inputs, targets = to_rows([[-1], [0], [0], [1]]), to_rows([[-1], [1], [1], [1]])
    found = build_spurious(inputs, targets, Shape((1, 2, 1), RELU, has_output_bias=True), "squared")
    assert found.better_loss < found.loss


def test_second_difference():
    """c(u_0 - εx_i) - 2 c(u_0) + c(u_0 + εx_i) = r_i ε |x_i|² where no other sample changes its side (SymPy)."""
    r, rest, eps, size, slope = sympy.symbols("r rest epsilon size slope", positive=True)

    def c(step):
        # sample i contributes r · relu(step · |x_i|²), the others an affine function of the step
        own = sympy.Piecewise((step * size, step > 0), (0, True))
        return r * own + rest + slope * step

    assert sympy.simplify(c(-eps) - 2 * c(0) + c(eps) - r * eps * size) == 0


def test_the_unit_lowers_the_squares():
    """With γ = -c / Σ a², Σ (r + γ a)² = Σ r² - c² / Σ a² (SymPy, three samples)."""
    r, a = sympy.symbols("r0:3"), sympy.symbols("a0:3", positive=True)
    c, s = sum(x * y for x, y in zip(r, a, strict=True)), sum(y * y for y in a)
    gamma = -c / s
    after = sum((x + gamma * y) ** 2 for x, y in zip(r, a, strict=True))
    assert sympy.simplify(after - sum(x * x for x in r) + c * c / s) == 0


def test_relu_from_two_slopes():
    """relu(t) = (a(t) - below t) / (above - below) on both sides (SymPy)."""
    t, below, above = sympy.symbols("t below above")
    assert sympy.simplify((above * t - below * t) / (above - below) - t) == 0
    assert sympy.simplify((below * t - below * t) / (above - below)) == 0


def test_radius_on_both_sides():
    """A radius is allowed up to where a bound reaches 0, and not beyond: z = w x + b at x = 1 moves by 2ε (1 + 1)."""
    network = PlainNetwork((PlainLayer(to_rows([[1]]), (mpq(1),)), PlainLayer(to_rows([[1]]), (mpq(0),))), RELU)
    inputs = to_rows([[1]])
    assert network.allows(inputs, mpq(1))
    assert not network.allows(inputs, mpq(1) + mpq(1, 10**9))
    assert find_radius(network, inputs) == 1


def test_no_radius_at_a_kink():
    """A preactivation 0 has no radius."""
    network = PlainNetwork((PlainLayer(to_rows([[1]]), (mpq(0),)), PlainLayer(to_rows([[1]]), None)), RELU)
    with pytest.raises(InputError, match="no radius"):
        find_radius(network, to_rows([[0]]))
