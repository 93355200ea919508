"""The doors for networks: PyTorch, state dicts, safetensors, ONNX, scikit-learn's classifier.

Each is tested with the real package, and skipped where that is missing. The oracle is the program's own forward pass,
and a plain forward pass with Fraction that stands here. Small models are trained in the tests.
"""

import io
import json
import pickle
import sys
import time
import warnings
from fractions import Fraction
from itertools import pairwise, permutations
from pathlib import Path

import numpy as np
import pytest
from exactdrl_cli.main import main
from gmpy2 import mpq
from hypothesis import given
from hypothesis import strategies as st

from exactdrl.doors import floats, safetensors, state_dict
from exactdrl.doors.arrays import from_arrays
from exactdrl.doors.floats import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, to_decimal
from exactdrl.doors.forward_check import bound_forward, check_forward
from exactdrl.doors.keras import from_keras
from exactdrl.doors.network import Chain, compose, to_activation, to_instance
from exactdrl.doors.npz import read_data_npz, read_network_npz
from exactdrl.doors.onnx import check_onnx, from_onnx, read_onnx
from exactdrl.doors.safetensors import from_safetensors, read_safetensors
from exactdrl.doors.scikit import from_mlp_classifier, from_mlp_regressor
from exactdrl.doors.state_dict import read_state_dict
from exactdrl.doors.torch import check_module, from_state_dict, from_torch, load_torch_file
from exactdrl.exact.rationals import InputError, to_float
from exactdrl.problem.activation import ABSOLUTE_VALUE, IDENTITY, RELU, Activation, leaky_relu
from exactdrl.problem.file import parse_instance, to_json_text
from exactdrl.problem.instance import Instance
from exactdrl.problem.loss import Loss
from exactdrl.problem.names import parse_loss


def refusal(function, *arguments, **options) -> str:
    """Returns the message with which a call refuses its input."""
    with pytest.raises(InputError) as caught:
        function(*arguments, **options)
    return str(caught.value)


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return caught.value.code, captured.out, captured.err


def forward(instance: Instance, row):
    """A plain forward pass with Fraction, which shares nothing with the library but the layers' numbers."""
    values = [Fraction(value) for value in row]
    for layer in instance.layers:
        made = []
        for unit, weights in enumerate(layer.weight):
            total = sum((Fraction(w) * v for w, v in zip(weights, values, strict=True)), Fraction(0))
            total += Fraction(layer.bias[unit]) if layer.bias is not None else 0
            slopes = layer.activations[unit]
            made.append(total * Fraction(slopes.above if total > 0 else slopes.below))
        values = made
    return values


# Floats and decimals


def test_decimals_are_what_the_author_wrote():
    """0.7 in any kind of float is 7/10 with one decimal or more; without decimals it is the dyadic that it is."""
    for kind, dtype in ((FLOAT64, np.float64), (FLOAT32, np.float32), (FLOAT16, np.float16)):
        for text in ("0.7", "-0.3", "0", "12", "0.125"):
            value = mpq(float(dtype(text)))
            for places in (3, 4):
                assert to_decimal(value, kind, places) == mpq(text)
    assert to_decimal(mpq(float(np.float32("0.7"))), FLOAT32, 1) == mpq(7, 10)
    assert "no decimal with at most 0 places rounds to the float32 0.699999988079071" in refusal(
        to_decimal, mpq(float(np.float32("0.7"))), FLOAT32, 0
    )


@given(st.integers(-(10**5), 10**5), st.integers(0, 5), st.sampled_from([FLOAT64, FLOAT32]))
def test_every_short_decimal_comes_back(digits, places, kind):
    """What an author writes with a few digits is found again from the float, whatever its size."""
    value = Fraction(digits, 10**places)
    dtype = {"float64": np.float64, "float32": np.float32}[kind.name]
    stored = mpq(float(dtype(str(float(value)))))
    assert to_decimal(stored, kind, places) == mpq(value)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.integers(0, 60))
def test_a_decimal_rounds_back_to_the_float(value, places):
    """Whatever is accepted lies strictly between the midpoints to the neighbouring floats, by NumPy's own neighbours."""
    single = np.float32(value)
    exact = mpq(float(single))
    try:
        decimal = to_decimal(exact, FLOAT32, places)
    except InputError:
        return
    assert (decimal * mpq(10) ** places).denominator == 1
    for towards in (np.float32(-np.inf), np.float32(np.inf)):
        neighbour = np.nextafter(single, towards)
        if np.isfinite(neighbour) and decimal != exact:
            assert abs(decimal - exact) < abs(decimal - mpq(float(neighbour)))


def test_tensors_keep_their_numbers():
    """bfloat16 and float16 are the dyadics that they are; gradients are left behind; integers stay integers."""
    torch = pytest.importorskip("torch")
    for dtype, kind in ((torch.bfloat16, BFLOAT16), (torch.float16, FLOAT16), (torch.float32, FLOAT32)):
        tensor = torch.tensor([[0.7, -3.0]], dtype=dtype, requires_grad=True)
        array, found = floats.to_array(tensor, "x")
        assert found == kind
        assert array.tolist() == [[tensor[0, 0].item(), -3.0]]
    instance = from_arrays(
        [torch.tensor([[0.5, 2.0]], requires_grad=True)],
        [torch.nn.Parameter(torch.ones(1))],
        torch.eye(2),
        torch.ones(2),
    )
    assert instance.layers[0].weight == ((mpq(1, 2), 2),)
    assert instance.layers[0].bias == (1,)
    assert floats.to_array(torch.tensor([2**62 + 1]), "x")[0].tolist() == [2**62 + 1]
    for odd in (torch.eye(2).to_sparse(), torch.empty(2, 2, device="meta")):
        assert "without plain numbers" in refusal(floats.to_array, odd, "x")
    assert "not a number: " in refusal(from_arrays, [torch.tensor([[1j]])], [None], [[1]], [1])


# Activations


@given(*[st.fractions(-2, 2, max_denominator=4)] * 5)
def test_activations_compose(below, above, then_below, then_above, value):
    """Two activations behind each other are one, at every point; what is 0 everywhere is refused."""
    if not (below or above) or not (then_below or then_above):
        return
    first, then = Activation(mpq(below), mpq(above)), Activation(mpq(then_below), mpq(then_above))
    point = mpq(value)
    try:
        both = compose(first, then)
    except InputError:
        assert then(first(mpq(1))) == 0 == then(first(mpq(-1)))
        return
    assert both(point) == then(first(point))


def test_activations_have_names():
    """Names, slopes as they are written, and pairs."""
    assert to_activation("relu") == RELU
    assert to_activation("ABS") == ABSOLUTE_VALUE
    assert to_activation("identity") == to_activation("linear") == IDENTITY
    assert to_activation("leaky:0.01") == leaky_relu(mpq(1, 100)) == to_activation(("1/100", 1))
    assert to_activation("absolute") == ABSOLUTE_VALUE
    assert to_activation("-1/2,1") == Activation(mpq(-1, 2), mpq(1))
    for odd in (("1",), 3, None):
        assert "a pair of slopes or one of relu, leaky:SLOPE, abs, identity, or BELOW,ABOVE" in refusal(
            to_activation, odd
        )
    for odd in ("tanh", "relu:1", "1", "1,2,3"):
        assert "possible are relu, leaky:SLOPE" in refusal(to_activation, odd)
    assert "write leaky:0.01 for PyTorch" in refusal(to_activation, "leaky")


def test_losses_have_names():
    """As the option `--loss` writes them."""
    assert parse_loss("squared") == Loss.squared()
    assert parse_loss("pinball:1/4") == Loss.pinball(mpq(1, 4))
    assert parse_loss("two-slope:-1,3/2") == Loss.two_slope([mpq(-1)], [mpq(3, 2)])
    for odd in ("huber", "pinball", "two-slope:1", "absolute:1"):
        assert "possible are" in refusal(parse_loss, odd)
    assert "between 0 and 1" in refusal(parse_loss, "pinball:2")


# The bound on rounding


@given(st.integers(0, 2**32), st.sampled_from([np.float32, np.float64, np.float16]))
def test_the_bound_holds_for_numpy(seed, dtype):
    """NumPy's forward pass, sums in its own order and in a shuffled one, is within the bound, and mostly not exact."""
    generator = np.random.default_rng(seed)
    kind = floats.KINDS[np.dtype(dtype).name]
    widths = generator.integers(1, 9, size=4)
    chain = Chain("the network")
    arrays = []
    for below, above in pairwise(widths):
        weight = (generator.normal(size=(above, below)) * 10.0 ** generator.integers(-2, 2)).astype(dtype)
        bias = generator.normal(size=above).astype(dtype)
        chain.add_affine("layer", weight, bias)
        chain.add_activation("leaky", leaky_relu(mpq(float(dtype(0.3)))))
        arrays.append((weight, bias))
    layers = chain.build().layers
    row = generator.normal(size=widths[0]).astype(dtype)
    values, bounds = bound_forward(layers, [mpq(float(value)) for value in row], kind)
    made = row
    for weight, bias in arrays:
        order = generator.permutation(len(made))
        total = np.zeros(len(bias), dtype=dtype)
        for index in order:
            total = (total + weight[:, index] * made[index]).astype(dtype)
        total = (total + bias).astype(dtype)
        made = np.where(total > 0, total, (dtype(0.3) * total).astype(dtype)).astype(dtype)
    for value, bound, own in zip(values, bounds, made, strict=True):
        assert abs(mpq(float(own)) - value) <= bound
        assert kind != FLOAT64 or bound < mpq(1, 10**8)


@given(st.integers(0, 2**32))
def test_the_bound_holds_for_activations_behind_each_other(seed):
    """Up to five leaky slopes, each rounded to float16, as the page allows; a sixth activation is refused."""
    generator = np.random.default_rng(seed)
    slopes = generator.uniform(-1.2, 1.2, size=5)
    weight, row = generator.normal(size=(3, 4)).astype(np.float16), generator.normal(size=4).astype(np.float16)
    chain = Chain("the network")
    chain.add_affine("layer", weight, None)
    for slope in slopes:
        # The slope that the program holds has more digits than float16
        chain.add_activation("leaky", leaky_relu(mpq(float(slope))))
    values, bounds = bound_forward(chain.build().layers, [mpq(float(x)) for x in row], FLOAT16)
    made = np.zeros(3, dtype=np.float16)
    for index in range(4):
        made = (made + weight[:, index] * row[index]).astype(np.float16)
    for slope in slopes:
        made = np.where(made > 0, made, (np.float16(slope) * made).astype(np.float16)).astype(np.float16)
    for value, bound, own in zip(values, bounds, made, strict=True):
        assert abs(mpq(float(own)) - value) <= bound
    assert "is the 6th activation behind one layer; combine these" in refusal(chain.add_activation, "one more", RELU)


def test_other_functions_are_beyond_the_bound():
    """A bias that is off by 1/1000, and an activation that is missing, are noticed; equality is within the bound."""
    chain = Chain("the network")
    chain.add_affine("layer", [["0.5", 2]], [1])
    layers = chain.build().layers
    row = np.array([[1.0, -3.0]])
    assert check_forward(layers, row, np.array([[-4.5]]), FLOAT64, "it").difference == 0
    for wrong in (-4.501, 4.5, 0.0):
        assert "on sample 0 its own output 0 is" in refusal(
            check_forward, layers, row, np.array([[wrong]]), FLOAT64, "it"
        )
    assert "is nan, the exact one is -4.5" in refusal(check_forward, layers, row, np.array([[np.nan]]), FLOAT64, "it")
    assert "shape (1, 2)" in refusal(check_forward, layers, row, np.array([[1.0, 2.0]]), FLOAT64, "it")


# PyTorch


@pytest.fixture(scope="module")
def torch():
    module = pytest.importorskip("torch")
    module.set_num_threads(1)
    return module


def trained(torch, *, dtype=None):
    """Returns a network that Adam has trained for some steps, with its data."""
    torch.manual_seed(3)
    nn = torch.nn
    inputs = torch.randn(30, 3, dtype=dtype)
    targets = torch.stack([inputs.abs().sum(1), inputs[:, 0] - 1], 1)
    module = nn.Sequential(
        nn.Flatten(), nn.Linear(3, 5), nn.ReLU(), nn.Identity(), nn.Linear(5, 4, bias=False), nn.LeakyReLU(0.25),
        nn.Dropout(0.5), nn.Linear(4, 2),
    ).to(dtype)  # fmt: skip
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.l1_loss(module(inputs), targets).backward()
        optimizer.step()
    return module.eval(), inputs, targets


def test_a_trained_network_is_taken_over_exactly(torch):
    """Every parameter is the module's float, the exact forward pass is its own to rounding, and so is the loss."""
    for dtype in (torch.float32, torch.float64):
        module, inputs, targets = trained(torch, dtype=dtype)
        for layer in (1, 2, 3):
            instance = from_torch(module, inputs, targets, layer=layer)
            assert instance.layer == layer
            assert instance.widths == (3, 5, 4, 2)
            for own, part in zip(instance.layers, (module[1], module[4], module[7]), strict=True):
                assert [list(map(float, row)) for row in own.weight] == part.weight.tolist()
                assert (own.bias is None) == (part.bias is None)
                assert own.bias is None or list(map(float, own.bias)) == part.bias.tolist()
            assert [own.activations[0] for own in instance.layers] == [RELU, leaky_relu(mpq(1, 4)), IDENTITY]
        exact = np.array([[float(value) for value in forward(instance, row)] for row in instance.inputs])
        made = module(inputs).detach().double().numpy()
        assert np.abs(exact - made).max() < (1e-5 if dtype == torch.float32 else 1e-13)
        assert to_float(instance.loss_of(instance.start)) == pytest.approx(
            float((module(inputs) - targets).abs().sum().detach()), rel=1e-5
        )
        assert parse_instance(to_json_text(instance).encode()) == instance


def test_a_network_may_be_free_as_a_whole(torch):
    """With free="all" the point is the network, with any loss and weights of samples."""
    module, inputs, targets = trained(torch)
    instance = from_torch(
        module, inputs, targets, free="all", loss=Loss.squared(), sample_weights=torch.arange(30.0, requires_grad=True)
    )
    assert instance.free == "all"
    assert instance.weights == tuple(map(mpq, range(30)))
    own = ((module(inputs) - targets) ** 2).sum(1) @ torch.arange(30.0)
    assert to_float(instance.loss_at(instance.layers)) == pytest.approx(float(own.detach()), rel=1e-5)


def test_modules_whose_forward_is_code(torch):
    """Functions and methods in place of modules; outputs without an axis; PReLU's slopes for each unit."""
    nn, functional = torch.nn, torch.nn.functional

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2, self.fc3 = nn.Linear(6, 4), nn.Linear(4, 3), nn.Linear(3, 1)
            self.slopes = nn.PReLU(3)
            self.activation = nn.ReLU()

        def forward(self, x):
            x = x.view(x.size(0), -1)
            x = functional.leaky_relu(self.activation(self.fc1(x)), 0.5)
            x = self.slopes(self.fc2(functional.dropout(x, 0.5, self.training)))
            x = functional.linear(abs(x), self.fc3.weight, self.fc3.bias)
            return torch.flatten(x, 1).squeeze(-1)

    torch.manual_seed(1)
    module, inputs = Net().eval(), torch.randn(20, 2, 3)
    with torch.no_grad():
        module.slopes.weight.copy_(torch.tensor([0.5, -0.25, 2.0]))
    instance = from_torch(module, inputs, module(inputs))
    assert instance.widths == (6, 4, 3, 1)
    assert instance.layers[0].activations == (RELU,) * 4
    # |PReLU with slope s| has the slopes -s... of its absolute value
    assert instance.layers[1].activations == (
        Activation(mpq(-1, 2), mpq(1)),
        Activation(mpq(-1, 4), mpq(1)),
        Activation(mpq(-2), mpq(1)),
    )
    assert to_float(instance.loss_of(instance.start)) < 1e-5
    for index, row in enumerate(instance.inputs):
        assert float(forward(instance, row)[0]) == pytest.approx(
            float(module(inputs[index : index + 1]).detach()), abs=1e-6
        )


def test_an_activation_at_the_end_is_a_layer_more(torch):
    """ReLU on the outputs: an identity layer follows, as the format says."""
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU())
    instance = from_torch(module, torch.randn(5, 2), torch.zeros(5, 3))
    assert instance.widths == (2, 3, 3)
    assert instance.layers[1].weight == ((1, 0, 0), (0, 1, 0), (0, 0, 1))


def test_small_floats_are_the_dyadics_that_they_are(torch):
    """A bfloat16 module is compared in float64, in which its parameters are the same numbers; wide ones too."""
    module, inputs, targets = trained(torch)
    module = module.to(torch.bfloat16)
    instance = from_torch(module, inputs, targets)
    assert [list(map(float, row)) for row in instance.layers[0].weight] == module[1].weight.tolist()
    assert check_module(module, inputs).bound < mpq(1, 10**10)
    wide = torch.nn.Sequential(torch.nn.Linear(300, 2)).to(torch.bfloat16)
    assert check_module(wide, torch.randn(4, 300)).bound < mpq(1, 10**10)


def test_decimals_are_asked_for(torch):
    """0.7 is 7/10 only with `decimals`; a trained weight is no such decimal and is refused by its name."""
    module = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.LeakyReLU(0.01))
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor([[0.7, -0.3]]))
        module[0].bias.fill_(0.1)
    data = torch.tensor([[0.1, 2.0]]), torch.tensor([0.3])
    plain = from_torch(module, *data)
    assert plain.layers[0].weight[0][0] == mpq(float(np.float32(0.7))) != mpq(7, 10)
    written = from_torch(module, *data, decimals=2, data_decimals=1)
    assert written.layers[0].weight == ((mpq(7, 10), mpq(-3, 10)),)
    assert written.layers[0].bias == (mpq(1, 10),)
    assert written.layers[0].activations == (leaky_relu(mpq(1, 100)),)
    assert (written.inputs, written.targets) == (((mpq(1, 10), 2),), ((mpq(3, 10),),))
    assert "no decimal with at most 1 places rounds to the float64 0.01" in refusal(
        from_torch, module, *data, decimals=1
    )
    trained_module, inputs, targets = trained(torch)
    message = refusal(from_torch, trained_module, inputs, targets, decimals=3)
    assert "the module Sequential: 1.weight[0][0]: " in message
    assert "no decimal with at most 3 places rounds to the float32" in message
    assert "data.inputs[0][0]: " in refusal(from_torch, trained_module, inputs, targets, data_decimals=2)
    assert "decimals is -1" in refusal(from_torch, module, *data, decimals=-1)


def test_other_modules_are_refused_by_name(torch):
    """What is no chain of layers and activations with two slopes, what is in training mode, what is no module."""
    nn = torch.nn
    inputs, targets = torch.randn(6, 3), torch.zeros(6, 2)

    class Custom(nn.Module):
        def __init__(self, forward):
            super().__init__()
            self.a, self.b, self.code = nn.Linear(3, 3), nn.Linear(3, 2), forward

        def forward(self, x):
            return self.code(self, x)

    def branch(net, x):
        return net.b(x) if x.sum() > 0 else net.b(net.a(x))

    shared = nn.Linear(3, 3)
    cases = [
        (nn.Sequential(nn.Linear(3, 2), nn.Tanh()), "1 is of class Tanh"),
        (nn.Sequential(nn.Linear(3, 2), nn.Softmax(1)), "1 is of class Softmax; leave it out"),
        (nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)), "1 is of class BatchNorm1d; fold it"),
        (nn.Sequential(nn.Linear(3, 2), nn.ReLU6()), "1 is of class ReLU6"),
        (nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5)).train(), "1 is a Dropout in training mode; call"),
        (nn.Sequential(nn.ReLU(), nn.Linear(3, 2)), "0 stands before the first affine layer"),
        (nn.Sequential(nn.Flatten(0), nn.Linear(18, 2)), "0 flattens the axes 0 to -1"),
        (nn.Sequential(nn.LazyLinear(2)), "0 is of class LazyLinear"),
        (nn.Sequential(shared, nn.ReLU(), shared), "0 has the weights of an earlier layer"),
        (nn.Sequential(), "holds no affine layer"),
        (nn.Sequential(nn.Linear(4, 2)), "weight has 4 columns, data.inputs have width 3"),
        (nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)), "of class ParametrizationList; take the parametrization off"),
        (Custom(lambda net, x: net.b(x + net.a(x).relu())), "its forward pass calls add"),
        (Custom(lambda net, x: net.b(torch.sigmoid(net.a(x)))), "its forward pass calls sigmoid"),
        (Custom(lambda net, x: net.b(net.a(x)).T), "and not the last layer's outputs; one tensor is needed"),
        (Custom(lambda net, x: net.b(net.a(x) * 2)), "its forward pass calls mul"),
        (Custom(lambda net, x: (net.b(x), x)), "its forward pass returns more than one tensor; one tensor is needed"),
        (Custom(lambda net, x: net.b(torch.relu(net.a(x)).view(2, -1))), "another shape than rows of samples"),
        (Custom(branch), "cannot be traced"),
        (torch.jit.trace(nn.Linear(3, 2), inputs), "cannot be traced"),
        ("model.pt", "a module of PyTorch is needed, not an object of type 'str'"),
        (nn.Linear, "a module of PyTorch is needed, not an object of type 'type'"),
    ]  # fmt: skip
    for module, words in cases:
        assert words in refusal(from_torch, module, inputs, targets), words
    poisoned = nn.Sequential(nn.Linear(3, 2))
    with torch.no_grad():
        poisoned[0].weight[1, 2] = float("nan")
    assert "0.weight[1][2]: not a finite number: nan" in refusal(from_torch, poisoned, inputs, targets)
    good = nn.Sequential(nn.Linear(3, 2))
    assert "data.targets has 5 rows, data.inputs has 6" in refusal(from_torch, good, inputs, targets[:5])
    assert "layer is 2, the network has layers 1 to 1" in refusal(from_torch, good, inputs, targets, layer=2)
    assert "data.inputs has shape (6, 3, 1); 2 axes are needed" in refusal(from_torch, good, inputs[..., None], targets)


def test_a_forward_pass_that_does_something_else_is_noticed(torch):
    """Hooks change what a module computes, and no trace shows them: its own outputs do."""
    module, inputs, targets = trained(torch)
    handle = module[4].register_forward_hook(lambda part, given, made: made + 1e-4)
    message = refusal(from_torch, module, inputs, targets)
    assert "its forward pass is not this chain of layers" in message
    handle.remove()
    assert from_torch(module, inputs, targets).widths == (3, 5, 4, 2)
    module[2].register_forward_hook(lambda part, given, made: 1 / 0)
    assert "refuses the data (division by zero)" in refusal(from_torch, module, inputs, targets)


def test_data_may_be_of_any_kind(torch):
    """Lists, texts and fractions stay what they are; the module is compared on the floats nearest to them."""
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(inplace=True), torch.nn.Linear(3, 1))
    instance = from_torch(module, [["0.1", "1/3"], [2, Fraction(1, 7)]], ["0.5", 1])
    assert instance.inputs == ((mpq(1, 10), mpq(1, 3)), (2, mpq(1, 7)))
    assert instance.targets == ((mpq(1, 2),), (1,))
    assert "data.inputs[1][0] is 1e+300, beyond the range of float32" in refusal(
        from_torch, module, [[1.0, 2.0], [1e300, 0.0]], [1, 2]
    )
    assert from_torch(module, [["0.1", "1/3"]], None, loss=Loss.linear()).targets == ((0,),)

    class Optional(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = module

        def forward(self, x, verbose=False, *, scale=None):
            return self.inner(x).relu_()

    assert from_torch(Optional(), [[1, 2]], [1]).widths == (2, 3, 1, 1)


def test_compiled_modules_are_what_is_inside(torch):
    """torch.compile wraps a module; nothing is compiled here."""
    module, inputs, targets = trained(torch)
    expected = from_torch(module, inputs, targets)
    assert from_torch(torch.compile(module), inputs, targets) == expected
    assert from_torch(torch.nn.DataParallel(module), inputs, targets) == expected
    assert "; from_torch reads a module" in refusal(from_state_dict, module, inputs, targets)
    scripted = torch.jit.script(module)
    assert "cannot be traced" in refusal(from_torch, scripted, inputs, targets)
    assert "give the module that was scripted" in refusal(from_torch, scripted, inputs, targets)


# State dicts


def test_state_dicts_are_the_module(torch):
    """With the activation named, the instance is the one of a module with that activation throughout."""
    nn = torch.nn
    module = nn.Sequential(nn.Linear(3, 12), nn.ReLU(), nn.Linear(12, 4), nn.ReLU(), nn.Linear(4, 2))
    inputs, targets = torch.randn(7, 3), torch.randn(7, 2)
    expected = from_torch(module, inputs, targets, layer=2)
    state = module.state_dict()
    assert from_state_dict(state, inputs, targets, layer=2) == expected
    # Twelve layers: 10 comes after 2, whatever the order of the dict
    shuffled = {f"module.net.{int(key.split('.')[0]) * 5}.{key.split('.')[1]}": state[key] for key in reversed(state)}
    assert from_state_dict(shuffled, inputs, targets, layer=2) == expected
    arrays = {key: value.numpy() for key, value in state.items()}
    assert from_state_dict(arrays, inputs, targets, layer=2) == expected
    leaky = from_state_dict(state, inputs, targets, activation="leaky:1/10")
    assert leaky.layers[0].activations[0] == leaky_relu(mpq(1, 10))
    assert leaky.layers[2].activations[0] == IDENTITY


def arrays_of(*widths, names=None, bias=True):
    generator = np.random.default_rng(sum(widths))
    state = {}
    for position, (below, above) in enumerate(pairwise(widths)):
        name = names[position] if names else f"fc{position + 1}"
        state[f"{name}.weight"] = generator.normal(size=(above, below))
        if bias:
            state[f"{name}.bias"] = generator.normal(size=above)
    return state


def test_the_order_of_layers_is_found():
    """By the numbers in names, by the dict, by shapes; what fits in several ways is refused."""
    numbered = arrays_of(2, 3, 4, 1)
    assert read_state_dict(numbered, "x").notes == ()
    named = arrays_of(2, 3, 4, 1, names=["zeta", "beta", "alpha"])
    network = read_state_dict(named, "x")
    assert network.names == ("zeta", "beta", "alpha")
    assert "this is the order of the dict" in network.notes[0]
    backwards = dict(reversed(named.items()))
    network = read_state_dict(backwards, "x", is_ordered=False)
    assert network.names == ("zeta", "beta", "alpha")
    assert "it is the only one in which their shapes fit" in network.notes[0]
    square = arrays_of(3, 3, 3, names=["b", "a"])
    message = refusal(read_state_dict, square, "x", is_ordered=False)
    assert "fit each other in more than one order; give their order with --order" in message
    assert read_state_dict(square, "x", order=["a", "b"], is_ordered=False).names == ("a", "b")
    assert "no layer is named 'c'" in refusal(read_state_dict, square, "x", order=["c"])
    assert read_state_dict(numbered, "x", order=["fc1"]).widths == (2, 3)
    loose = {**arrays_of(2, 3, names=["a"]), **arrays_of(5, 7, names=["b"])}
    assert "in no order" in refusal(read_state_dict, loose, "x", is_ordered=False)
    many = arrays_of(*[3] * 25, names=[f"layer{chr(97 + k)}" for k in range(24)])
    start = time.monotonic()
    assert "more than one order" in refusal(read_state_dict, many, "x", is_ordered=False)
    # No order at all, among very many that begin well
    broken = {**many, **arrays_of(5, 7, names=["odd"])}
    del broken["layera.weight"], broken["layera.bias"]
    assert "in no order" in refusal(read_state_dict, broken, "x", is_ordered=False)
    assert time.monotonic() - start < 20


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=5))
def test_the_orders_are_those_of_a_search(shapes):
    """None, one or several orders, as found by trying all permutations."""
    named = {f"layer{chr(97 + position)}": shape for position, shape in enumerate(shapes)}
    every = [
        list(order)
        for order in permutations(named)
        if all(named[above][1] == named[below][0] for below, above in pairwise(order))
    ]
    found = state_dict._find_chains(named)
    assert len(found) == min(2, len(every))
    assert all(order in every for order in found)
    assert len({tuple(order) for order in found}) == len(found)


def test_state_dicts_are_refused_by_name():
    """Missing biases, other tensors, shapes that do not fit, NaN, objects."""
    state = arrays_of(2, 3, 1)
    assert read_state_dict(arrays_of(2, 3, 1, bias=False), "x").layers[0].bias is None
    lacking = {key: value for key, value in state.items() if key != "fc2.bias"}
    message = refusal(read_state_dict, lacking, "x")
    assert "x: 'fc2.bias' is missing, though other layers have a bias" in message
    assert "--without-bias fc2" in message
    assert read_state_dict(lacking, "x", without_bias=["fc2"]).layers[1].bias is None
    for change, words in (
        ({"bn.running_mean": np.ones(3)}, "'bn.running_mean' is no weight or bias"),
        ({"fc1.weight": np.ones(3)}, "fc1.weight has shape (3,); 2 axes are needed; a vector of weights belongs to"),
        ({"fc1.weight": np.ones((3, 2, 1))}, "fc1.weight has shape (3, 2, 1)"),
        ({"fc1.bias": np.ones(4)}, "fc1.bias has 4 entries, the weight has 3 rows"),
        ({"fc2.weight": np.ones((1, 4))}, "fc2.weight has 4 columns, the layer below (fc1) has 3 units"),
        ({"fc3.bias": np.ones(4)}, "'fc3.bias' has no weight beside it"),
        ({"fc1.weight": np.array([[1, np.nan]] * 3)}, "fc1.weight[0][1]: not a finite number: nan"),
        ({"fc1.weight": np.array([[1, None]] * 3)}, "fc1.weight[0][1]: not a number: None"),
        ({"fc1.weight": np.array([[1, "x"]] * 3)}, "fc1.weight[0][1]: not a number: "),
        ({"fc1.weight": "text"}, "fc1.weight has shape ()"),
        ({"fc1.weight": None}, "fc1.weight has shape ()"),
    ):
        assert words in refusal(read_state_dict, {**state, **change}, "x"), words
    assert "holds no tensors" in refusal(read_state_dict, {}, "x")
    assert refusal(read_state_dict, [1], "x") == "a state dict is needed, names with tensors, not 'list'"


def test_torch_files_are_opened_safely(torch, tmp_path):
    """State dicts and checkpoints are read; whole modules and other pickles are refused, and their code does not run."""
    module, _, _ = trained(torch)
    path = tmp_path / "m.pt"
    torch.save(module.state_dict(), path)
    state = load_torch_file(path)
    assert list(state) == list(module.state_dict())
    assert all(torch.equal(state[key], value) for key, value in module.state_dict().items())
    torch.save({"epoch": 3, "model": module.state_dict(), "optimizer": {"lr": 0.1}}, path)
    assert list(load_torch_file(path)) == list(state)
    assert list(load_torch_file(path, key="model")) == list(state)
    assert "no dict is named 'epoch'" in refusal(load_torch_file, path, key="epoch")
    torch.save({"a": module.state_dict(), "b": module.state_dict()}, path)
    assert "several state dicts, a, b: choose one with --key" in refusal(load_torch_file, path)
    torch.save({"lr": 0.1}, path)
    assert "holds no state dict" in refusal(load_torch_file, path)
    torch.save(torch.ones(2), path)
    assert "a state dict is needed" in refusal(load_torch_file, path)
    torch.save(module, path)
    assert "a whole module is a pickle, which runs code" in refusal(load_torch_file, path)
    mark = tmp_path / "ran"

    class Bomb:
        def __reduce__(self):
            return (Path.touch, (mark,))

    path.write_bytes(pickle.dumps({"0.weight": Bomb()}))
    assert "cannot be opened safely" in refusal(load_torch_file, path)
    torch.save({"0.weight": Bomb()}, path)
    unsafe = "cannot be opened safely (PyTorch's weights_only refuses what is in it)"
    assert unsafe in refusal(load_torch_file, path)
    assert not mark.exists()
    torch.save(module.state_dict(), path)
    whole = path.read_bytes()
    for content in (b"", whole[:100], whole[:-50], b"PK\x03\x04", b"a,b\n1,2\n", b"\x93NUMPY" + b"\x00" * 30):
        path.write_bytes(content)
        assert refusal(load_torch_file, path).startswith(f"{path}: ")


# safetensors


def header_bytes(header: object, body: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + body


def test_safetensors_are_read_without_torch(torch, tmp_path):
    """What the package safetensors writes, in every kind of float, is what the module holds; torch is not imported."""
    package = pytest.importorskip("safetensors.torch")
    path = tmp_path / "m.safetensors"
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1)).to(dtype)
        package.save_file(module.state_dict(), path, metadata={"format": "pt"})
        tensors = read_safetensors(path)
        for name, tensor in module.state_dict().items():
            assert tensors[name].array.tolist() == tensor.double().tolist()
            assert tensors[name].kind.name == str(dtype).removeprefix("torch.")
        inputs, targets = torch.randn(5, 3), torch.randn(5)
        assert from_safetensors(path, inputs, targets) == from_state_dict(module.state_dict(), inputs, targets)
    numpy = pytest.importorskip("safetensors.numpy")
    numpy.save_file({"x": np.arange(6, dtype=np.int64).reshape(2, 3), "y": np.array(7, dtype=np.uint8)}, path)
    assert read_safetensors(path)["x"].array.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert read_safetensors(path)["y"].array.tolist() == 7
    written = {"0.weight": np.array([[0.7, -0.3]], dtype=np.float32), "0.bias": np.array([0.1], dtype=np.float32)}
    numpy.save_file(written, path)
    exact = from_safetensors(path, [["1", "2"]], [0], decimals=1)
    assert exact.layers[0].weight == ((mpq(7, 10), mpq(-3, 10)),)


F32 = {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it has 0 bytes"),
        (b"\x01\x00", "it has 2 bytes"),
        (header_bytes({}, length=1 << 60), "its header has 1152921504606846976 bytes"),
        (header_bytes({}, length=(1 << 64) - 1), "its header has 18446744073709551615 bytes"),
        (header_bytes({"0.weight": F32}, bytes(7)), "lies at bytes 0 to 8, the file has 7"),
        (header_bytes({"0.weight": F32}, bytes(9)), "the tensors end at byte 8, the file at 9"),
        (header_bytes({"a": {**F32, "shape": [1 << 62, 1 << 62]}}, bytes(8)), "needs "),
        (header_bytes({"a": {**F32, "shape": [-1, -2]}}, bytes(8)), "counts are needed"),
        (header_bytes({"a": {**F32, "shape": [True, 2]}}, bytes(8)), "counts are needed"),
        (header_bytes({"a": {**F32, "shape": [1] * 65}}, bytes(8)), "counts are needed"),
        (header_bytes({"a": {**F32, "data_offsets": [8, 0]}}, bytes(8)), "lies at bytes 8 to 0"),
        (header_bytes({"a": {**F32, "data_offsets": [0, 8, 8]}}, bytes(8)), "counts are needed"),
        (header_bytes({"a": {**F32, "dtype": "F8_E4M3"}}, bytes(8)), "dtype is 'F8_E4M3'"),
        (header_bytes({"a": {**F32, "dtype": []}}, bytes(8)), "dtype is []"),
        (header_bytes({"a": {"dtype": "F32"}}, bytes(8)), "dtype, shape and data_offsets are needed"),
        (header_bytes({"a": F32, "b": F32}, bytes(8)), "begins at byte 0, the tensor before it ends at 8"),
        (header_bytes(b'{"a": {}, "a": {}}'), "a name is repeated"),
        (header_bytes(b"[1]"), "the header is no JSON object"),
        (header_bytes(b"{"), "the header is no JSON"),
        (header_bytes(b"\xff\xfe"), "the header is no JSON"),
        (header_bytes(b"[" * 100_000), "the header is no JSON"),
        (b"PK\x03\x04" + bytes(50), "no safetensors file, but a zip archive"),
        (b"\x93NUMPY\x01\x00" + bytes(50), "no safetensors file, but a NumPy array"),
    ],
)
def test_damaged_safetensors_are_refused(tmp_path, content, words):
    """Every number in the header is checked against the file before anything is made of it."""
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    message = refusal(read_safetensors, path)
    assert message.startswith(f"{path}: ")
    assert words in message


@given(st.integers(0, 2**32))
def test_no_safetensors_end_in_a_traceback(seed):
    """Bytes changed anywhere give other numbers or a message."""
    generator = np.random.default_rng(seed)
    body = np.arange(6, dtype=np.float32).tobytes()
    header = {"0.weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}
    content = bytearray(header_bytes(header, body))
    for _ in range(3):
        content[generator.integers(len(content))] = generator.integers(256)
    try:
        header, body = safetensors._split(bytes(content), "x")
        for name, entry in header.items():
            dtype, shape, begin, end = safetensors._parse_entry(entry, name)
            safetensors._to_tensor(body[begin:end], dtype, shape, name)
    except InputError as error:
        assert str(error)


# ONNX


@pytest.fixture(scope="module")
def onnx():
    return pytest.importorskip("onnx")


def random_constants():
    generator = np.random.default_rng(1)

    def draw(*shape):
        return generator.normal(size=shape).astype(np.float32)

    return {"W1": draw(4, 3), "b1": draw(4), "W2": draw(4, 2), "b2": draw(1, 2), "s": draw(4), "one": draw(1)}


DATA = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
CONSTANTS = random_constants()


def graph(onnx, *nodes, inputs=("N", 3), constants=None, outputs=1):
    """Returns a model; each node is (operator, inputs, attributes), and takes `_` for the result before it."""
    made, last = [], "x"
    for position, (operator, taken, attributes) in enumerate(nodes):
        result = "y" if position == len(nodes) - 1 else f"r{position}"
        made.append(
            onnx.helper.make_node(operator, [last if name == "_" else name for name in taken], [result], **attributes)
        )
        last = result
    float_type = onnx.TensorProto.FLOAT
    described = onnx.helper.make_graph(
        made,
        "g",
        [onnx.helper.make_tensor_value_info("x", float_type, list(inputs))],
        [onnx.helper.make_tensor_value_info("y", float_type, ["N", None])] * outputs,
        [onnx.numpy_helper.from_array(value, name) for name, value in (constants or CONSTANTS).items()],
    )
    return onnx.helper.make_model(described, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9)


def save(onnx, folder, model):
    onnx.save(model, folder / "m.onnx")
    return folder / "m.onnx"


GEMM = ("Gemm", ["_", "W1", "b1"], {"transB": 1})
MATMUL = ("MatMul", ["_", "W2"], {})


def test_onnx_graphs_are_taken_over_exactly(onnx, tmp_path):
    """Each operator of a chain, in each form; the expected layers are written by hand, the outputs are the evaluator's."""
    weight = [[mpq(float(w)) for w in row] for row in CONSTANTS["W1"]]
    bias = [mpq(float(b)) for b in CONSTANTS["b1"]]
    alpha, beta = mpq(float(np.float32(0.3))), mpq(2)
    slopes = [Activation(mpq(float(s)), mpq(1)) for s in CONSTANTS["s"]]
    half = leaky_relu(mpq(1, 2))
    cases = [
        ([GEMM], weight, bias, [IDENTITY] * 4),
        ([("Gemm", ["_", "W1"], {"transB": 1})], weight, None, [IDENTITY] * 4),
        (
            [("Gemm", ["_", "W1", "b1"], {"transB": 1, "alpha": 0.3, "beta": 2.0})],
            [[alpha * w for w in row] for row in weight],
            [beta * b for b in bias],
            [IDENTITY] * 4,
        ),
        ([("Flatten", ["_"], {}), GEMM, ("Relu", ["_"], {})], weight, bias, [RELU] * 4),
        ([GEMM, ("LeakyRelu", ["_"], {"alpha": 0.5}), ("Identity", ["_"], {})], weight, bias, [half] * 4),
        ([GEMM, ("LeakyRelu", ["_"], {})], weight, bias, [leaky_relu(mpq(float(np.float32(0.01))))] * 4),
        ([GEMM, ("PRelu", ["_", "s"], {})], weight, bias, slopes),
        ([GEMM, ("Abs", ["_"], {}), ("Dropout", ["_"], {})], weight, bias, [ABSOLUTE_VALUE] * 4),
        ([GEMM, ("Add", ["b1", "_"], {})], weight, [2 * b for b in bias], [IDENTITY] * 4),
    ]
    for nodes, expected_weight, expected_bias, activations in cases:
        path = save(onnx, tmp_path, graph(onnx, *nodes, MATMUL, ("Add", ["_", "b2"], {})))
        instance = from_onnx(path, DATA, np.zeros((12, 2)), layer=2)
        assert instance.layers[0].weight == tuple(map(tuple, expected_weight))
        assert instance.layers[0].bias == (None if expected_bias is None else tuple(expected_bias))
        assert instance.layers[0].activations == tuple(activations)
        assert instance.layers[1].weight == tuple(tuple(mpq(float(w)) for w in column) for column in CONSTANTS["W2"].T)
        assert instance.layers[1].bias == tuple(mpq(float(b)) for b in CONSTANTS["b2"][0])
        assert check_onnx(path, DATA).samples == 12


def test_onnx_constants_that_are_numbers_are_read(onnx, tmp_path):
    """A Constant with one float or a list of floats stands for the tensor of these float32; other ones are refused."""

    def model(**value):
        made = graph(onnx, GEMM, ("PRelu", ["_", "slope"], {}))
        made.graph.node.insert(0, onnx.helper.make_node("Constant", [], ["slope"], **value))
        return save(onnx, tmp_path, made)

    slope = mpq(float(np.float32(0.3)))
    for value in ({"value_float": 0.3}, {"value_floats": [0.3]}):
        layer = from_onnx(model(**value), DATA, np.zeros((12, 4))).layers[0]
        assert layer.activations == (Activation(slope, mpq(1)),) * 4, value
    listed = [0.5, 0.25, 0.3, 0.0]
    layer = from_onnx(model(value_floats=listed), DATA, np.zeros((12, 4))).layers[0]
    assert layer.activations == tuple(Activation(mpq(float(np.float32(s))), mpq(1)) for s in listed)
    words = refusal(from_onnx, model(value_string="0.3"), DATA, np.zeros((12, 4)))
    assert "is a constant that is no tensor of numbers" in words


def test_onnx_decimals(onnx, tmp_path):
    """What an author wrote in the graph, the slope too."""
    constants = {"W1": np.array([[0.7], [0.1]], dtype=np.float32), "b1": np.array([0.2], dtype=np.float32)}
    nodes = [("MatMul", ["_", "W1"], {}), ("Add", ["_", "b1"], {}), ("LeakyRelu", ["_"], {"alpha": 0.1})]
    path = save(onnx, tmp_path, graph(onnx, *nodes, inputs=("N", 2), constants=constants))
    instance = from_onnx(path, np.ones((2, 2)), [1, 2], decimals=1)
    assert instance.layers[0].weight == ((mpq(7, 10), mpq(1, 10)),)
    assert instance.layers[0].bias == (mpq(1, 5),)
    assert instance.layers[0].activations == (leaky_relu(mpq(1, 10)),)


def test_exported_modules_are_the_module(onnx, torch, tmp_path):
    """What PyTorch's exporter writes gives the module's own instance, but for the float32 slope."""
    module, inputs, targets = trained(torch)
    path = tmp_path / "m.onnx"
    with pytest.warns(DeprecationWarning):
        torch.onnx.export(
            module, (inputs,), path, dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "n"}}, output_names=["y"]
        )
    assert from_onnx(path, inputs, targets) == from_torch(module, inputs, targets)
    with pytest.warns(DeprecationWarning):
        torch.onnx.export(module, (inputs[:1],), path, dynamo=False)
    assert from_onnx(path, inputs, targets) == from_torch(module, inputs, targets)


def test_both_exporters_of_pytorch_are_read(onnx, torch, tmp_path):
    """The newer one too, for any number of samples and for a fixed one, and outputs without an axis."""
    pytest.importorskip("onnxscript")
    nn = torch.nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.slopes = nn.Linear(6, 4, bias=False), nn.Linear(4, 1), nn.PReLU(4)

        def forward(self, x):
            return self.b(self.slopes(self.a(x.view(x.size(0), -1)).relu())).squeeze(-1)

    torch.manual_seed(0)
    inputs, path = torch.randn(8, 2, 3), tmp_path / "m.onnx"
    module = Net().eval()
    expected = from_torch(module, inputs, torch.zeros(8))
    for example, options in (
        (inputs, {"dynamic_shapes": ({0: torch.export.Dim("n")},)}),
        (inputs[:3], {}),
        (inputs[:1], {}),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(module, (example,), path, dynamo=True, external_data=False, verbose=False, **options)
        assert from_onnx(path, inputs, torch.zeros(8)) == expected
        assert check_onnx(path, inputs).samples == 8


def test_other_graphs_are_refused_by_name(onnx, tmp_path):
    """Operators that make no chain of layers; the message names operator and node."""
    targets = np.zeros((12, 2))
    cases = [
        ([GEMM, ("Tanh", ["_"], {}), MATMUL], "Tanh 'r1' is no operator of a chain of layers"),
        ([GEMM, ("Add", ["_", "r0"], {}), MATMUL], "the graph is no chain: it adds a result to itself"),
        ([GEMM, ("Relu", ["_"], {}), ("Add", ["_", "r0"], {}), MATMUL], "the graph is no chain: it takes r1, r0"),
        (
            [GEMM, ("Relu", ["_"], {}), ("Add", ["_", "b1"], {})],
            "adds numbers to something else than the output of an affine layer",
        ),
        ([("Relu", ["_"], {}), GEMM], "stands before the first affine layer"),
        ([("MatMul", ["W1", "_"], {})], "has the data as its second factor;"),
        ([("Gemm", ["W1", "_"], {})], "has the data as its second factor or transposed"),
        ([("Flatten", ["_"], {"axis": 0}), GEMM], "keeps another axis"),
        ([GEMM, ("Add", ["_", "one"], {}), ("Add", ["_", "b2"], {})], "has shape (1, 2), the layer below"),
        ([("Identity", ["_"], {})], "holds no affine layer"),
        ([GEMM, ("Squeeze", ["_"], {}), MATMUL], "only that of the outputs may be removed"),
        ([GEMM, GEMM], "has 3 columns, the layer below"),
    ]
    for nodes, words in cases:
        path = save(onnx, tmp_path, graph(onnx, *nodes))
        message = refusal(from_onnx, path, DATA, targets)
        assert message.startswith(f"{path}: ")
        assert words in message, (words, message)
    poisoned = {**CONSTANTS, "W1": np.full((4, 3), np.nan, dtype=np.float32)}
    path = save(onnx, tmp_path, graph(onnx, GEMM, MATMUL, constants=poisoned))
    assert "not a finite number: nan" in refusal(from_onnx, path, DATA, targets)


def test_damaged_onnx_files_are_refused(onnx, tmp_path):
    """Truncated at every byte, changed at random, with weights in a second file, or another kind of file."""
    model = graph(onnx, GEMM, ("Relu", ["_"], {}), MATMUL)
    whole = model.SerializeToString()
    path = tmp_path / "m.onnx"
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        assert refusal(read_onnx, path).startswith(f"{path}: ")
    generator = np.random.default_rng(2)
    for _ in range(150):
        content = bytearray(whole)
        for _ in range(3):
            content[generator.integers(len(content))] = generator.integers(256)
        path.write_bytes(bytes(content))
        try:
            from_onnx(path, DATA, np.zeros((12, 2)))
        except InputError as error:
            assert str(error).startswith((f"{path}: ", "network.layers", "data."))
    for content in (b"a,b\n1,2\n", b"PK\x03\x04" + bytes(99), b"\x93NUMPY\x01", b"\x00" * 64):
        path.write_bytes(content)
        kind = {b"PK": "no ONNX file, but a zip archive", b"\x93N": "no ONNX file, but a NumPy array"}.get(content[:2])
        assert (kind or "not a whole ONNX file") in refusal(read_onnx, path)
    assert "cannot be read" in refusal(read_onnx, tmp_path / "none.onnx")
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert "its weights are in a second file; save it as one file" in refusal(read_onnx, path)
    (tmp_path / "weights.bin").unlink()
    assert "its weights are in a second file; save it as one file" in refusal(read_onnx, path)


# Packages that are missing


def test_missing_packages_say_what_to_install(monkeypatch, tmp_path):
    """The command installs the package, and works from a clone too."""
    for name in ("torch", "onnx"):
        monkeypatch.setitem(sys.modules, name, None)
    (tmp_path / "m.onnx").write_bytes(b"")
    (tmp_path / "m.pt").write_bytes(b"\x80\x04")
    assert "torch is needed: pip install torch" in refusal(from_torch, None, [[1]], [1])
    assert "torch is needed: pip install torch" in refusal(load_torch_file, tmp_path / "m.pt")
    assert "onnx is needed: pip install onnx" in refusal(read_onnx, tmp_path / "m.onnx")


# scikit-learn's classifier


def fitted_classifier(classes=2, **options):
    neural_network = pytest.importorskip("sklearn.neural_network")
    generator = np.random.default_rng(1)
    inputs = generator.normal(size=(40, 3))
    labels = np.array(["no", "yes", "perhaps"])[(inputs[:, 0] > 0).astype(int) + (classes > 2) * (inputs[:, 1] > 0.5)]
    settings = {"hidden_layer_sizes": (4,), "solver": "lbfgs", "random_state": 0, "max_iter": 30, **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return neural_network.MLPClassifier(**settings).fit(inputs, labels), inputs, labels


def test_a_classifier_is_taken_over_exactly():
    """The output's sign is the prediction, targets are 1 and -1, and the hinge loss is the one computed by hand."""
    classifier, inputs, labels = fitted_classifier()
    instance = from_mlp_classifier(classifier, inputs, labels, free="all")
    assert instance.loss == Loss.hinge()
    assert [row[0] for row in instance.targets] == [1 if label == "yes" else -1 for label in labels]
    margins = [forward(instance, row)[0] for row in instance.inputs]
    assert [("no", "yes")[int(margin > 0)] for margin in margins] == classifier.predict(inputs).tolist()
    expected = sum(max(Fraction(0), 1 - int(y[0]) * f) for y, f in zip(instance.targets, margins, strict=True))
    assert Fraction(instance.loss_at(instance.layers)) == expected
    squared = from_mlp_classifier(classifier, inputs, labels, loss=Loss.squared())
    assert Fraction(squared.loss_of(squared.start)) == sum(
        (f - int(y[0])) ** 2 for y, f in zip(instance.targets, margins, strict=True)
    )


def test_other_classifiers_are_refused():
    """Three classes, other losses, labels that are no class, a regressor, a network whose layers were changed."""
    classifier, inputs, labels = fitted_classifier(3)
    assert "output activation 'softmax', \"logistic\" is needed; it has more than two classes" in refusal(
        from_mlp_classifier, classifier, inputs, labels
    )
    classifier, inputs, labels = fitted_classifier()
    assert "the loss is absolute; with a classifier's targets, 1 and -1, it has to be one of hinge" in refusal(
        from_mlp_classifier, classifier, inputs, labels, loss=Loss.absolute()
    )
    assert "labels[0] is 'maybe'; the classes are 'no', 'yes'" in refusal(
        from_mlp_classifier, classifier, inputs, ["maybe", *labels[1:]]
    )
    assert "labels have shape (40, 1)" in refusal(from_mlp_classifier, classifier, inputs, labels[:, None])
    assert "a fitted MLPRegressor is needed" in refusal(from_mlp_regressor, classifier, inputs, labels)
    assert "not fitted" in refusal(from_mlp_classifier, type(classifier)(), inputs, labels)
    classifier.predict = lambda rows: np.array(["no"] * len(rows))
    assert "predicts 'no' on sample" in refusal(from_mlp_classifier, classifier, inputs, labels)


# npz files with names of their own


def test_npz_keys_may_be_named(tmp_path):
    """Weights and biases in the order given; inputs and targets by any name; the rest of the file does not matter."""
    generator = np.random.default_rng(0)
    first, second, bias = generator.normal(size=(3, 2)), generator.normal(size=(1, 3)), generator.normal(size=3)
    path = tmp_path / "n.npz"
    np.savez(path, W=first, c=bias, V=second, X=np.ones((2, 2)), y=np.zeros(2), history=np.ones(5))
    network = read_network_npz(path, keys=["W", "c", "V"], activation="abs")
    data = read_data_npz(path, inputs="X", targets="y")
    assert to_instance(network, data.inputs, data.targets) == from_arrays(
        [first, second], [bias, None], np.ones((2, 2)), np.zeros(2), activations=[ABSOLUTE_VALUE, None]
    )
    assert "unknown array 'W'; weight_1, bias_1" in refusal(read_network_npz, path)
    assert "no array is named 'Z'; the names are W, c, V" in refusal(read_network_npz, path, keys=["Z"])
    assert "c has shape (3,); a weight with two axes" in refusal(read_network_npz, path, keys=["c", "W"])
    assert "array Z is missing" in refusal(read_data_npz, path, inputs="Z")
    np.savez(path, weight_1=np.array([[1, None]]))
    assert "not a whole npz file of plain arrays" in refusal(read_network_npz, path)


# The command


def test_import_takes_networks(torch, onnx, tmp_path, capsys, monkeypatch):
    """Each option gives the instance of its function; a checkpoint, an order and decimals too."""
    monkeypatch.chdir(tmp_path)
    nn = torch.nn
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    inputs = torch.randint(-9, 9, (8, 3)) / 4
    targets = inputs.sum(1)
    rows = [
        "a,b,c,y",
        *(",".join(map(str, [*row, y])) for row, y in zip(inputs.tolist(), targets.tolist(), strict=True)),
    ]
    Path("d.csv").write_text("\n".join(rows) + "\n")
    expected = to_json_text(from_torch(module, inputs, targets, layer=2))
    torch.save({"model": module.state_dict()}, "m.pt")
    pytest.importorskip("safetensors.torch").save_file(module.state_dict(), "m.safetensors")
    with pytest.warns(DeprecationWarning):
        torch.onnx.export(module, (inputs,), "m.onnx", dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "n"}})
    np.savez(
        "m.npz",
        W=module[0].weight.detach(),
        b=module[0].bias.detach(),
        V=module[2].weight.detach(),
        c=module[2].bias.detach(),
    )
    np.savez("d.npz", X=inputs, t=targets)
    for source in (
        ["--torch", "m.pt"],
        ["--torch", "m.pt", "--key", "model", "--order", "0,2", "--activation", "relu"],
        ["--safetensors", "m.safetensors"],
        ["--onnx", "m.onnx"],
        ["--network", "m.npz", "--keys", "W,b,V,c"],
    ):
        # a file without activations is taken to have ReLU, which is said
        assumed = "the file names no activations: ReLU is taken after every layer but the last; --activation chooses another one"
        is_assumed = "--onnx" not in source and "--activation" not in source
        for data in (["--data", "d.csv", "--target", "y"], ["--data", "d.npz", "--inputs", "X", "--target", "t"]):
            code, out, err = run(capsys, "import", *source, *data, "--layer", 2, "-o", "i.json", "--force")
            assert (code, err) == (0, f"note: {assumed}\n" if is_assumed else ""), source
            assert (f"note     {assumed}\n" in out) == is_assumed
            assert out.startswith("i.json: widths 3,4,1, layer 2 trained, 8 samples\n")
            assert ("check    the program's own outputs on 8 samples" in out) == ("--onnx" in source)
            assert Path("i.json").read_text() == expected
    code, out, _ = run(
        capsys, "import", "--torch", "m.pt", "--data", "d.csv", "--free", "all", "--loss", "squared", "-o", "j.json"
    )
    assert (code, out.splitlines()[0]) == (0, "j.json: widths 3,4,1, all layers trained, 8 samples")
    assert parse_instance(Path("j.json").read_bytes()) == from_torch(
        module, inputs, targets, free="all", loss=Loss.squared()
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--torch", "d.csv", "--onnx", "d.csv"], "--torch and --onnx both bring a network"),
        (["--safetensors", "d.csv"], "its header has"),
        (["--torch", "d.csv"], "no file that torch.save has written"),
        (["--safetensors", "none"], "cannot be read"),
        (["--network", "d.csv"], "not a whole npz file"),
        (["--onnx", "d.csv", "--activation", "relu"], "--activation is of no use with --onnx"),
        (["--safetensors", "d.csv", "--key", "x"], "--key needs --torch"),
        (["--safetensors", "d.csv", "--keys", "x"], "--keys needs --network"),
        (["--network", "d.csv", "--order", "x"], "--order and --without-bias need"),
        (["--order", "x"], "--order needs a network"),
        (["--without-bias", "x"], "--without-bias needs a network"),
        (["--layer", 2], "--layer, --free and --data-decimals need a network"),
        (["--layer", 1, "--free", "all"], "--layer and --free say the same thing"),
        (["--loss", "huber"], "loss is 'huber'"),
        (["--loss", "hinge"], "the hinge loss has targets 1 and -1"),
        (["--dataset", "stackloss"], "give either --dataset or --data"),
    ],
)
def test_import_refuses_what_does_not_fit(tmp_path, capsys, monkeypatch, arguments, words):
    """One line on stderr, and code 2; nothing is written."""
    monkeypatch.chdir(tmp_path)
    Path("d.csv").write_text("x,y\n1.5,2\n3,4\n")
    code, out, err = run(capsys, "import", "--data", "d.csv", "--target", "y", *arguments, "-o", "i.json")
    assert (code, out) == (2, "")
    assert words in err
    assert "Traceback" not in err
    assert not Path("i.json").exists()


def test_swapped_files_are_refused(torch, onnx, tmp_path, capsys, monkeypatch):
    """Every kind of file given to every other option: a message, never a traceback."""
    monkeypatch.chdir(tmp_path)
    Path("d.csv").write_text("x,y\n1.5,2\n3,4\n")
    torch.save(torch.nn.Linear(1, 1).state_dict(), "m.pt")
    onnx.save(graph(onnx, GEMM), "m.onnx")
    np.save("a.npy", np.ones((2, 2)))
    np.savez("a.npz", weight_1=np.ones((1, 1)))
    pytest.importorskip("safetensors.numpy").save_file({"0.weight": np.ones((1, 1))}, "m.safetensors")
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.table({"x": [1.0], "y": [2.0]}), "d.parquet")
    files = ["d.csv", "m.pt", "m.onnx", "a.npy", "a.npz", "m.safetensors", "d.parquet"]
    right = {"--torch": "m.pt", "--onnx": "m.onnx", "--safetensors": "m.safetensors", "--network": "a.npz"}
    for option, own in right.items():
        for file in files:
            if file != own:
                code, out, err = run(capsys, "import", option, file, "--data", "d.csv", "-o", "i.json", "--force")
                assert (code, out) == (2, ""), (option, file)
                assert err.splitlines()[-1].startswith("error: "), (option, file)
    for file in ("m.pt", "m.onnx", "m.safetensors"):
        code, out, err = run(capsys, "import", "--data", file, "-o", "i.json")
        assert (code, out) == (2, ""), file
        assert err.startswith("error: "), file
    renamed = io.BytesIO(Path("m.pt").read_bytes())
    for name in ("x.csv", "x.npy", "x.npz", "x.parquet", "x.csv.gz"):
        Path(name).write_bytes(renamed.getvalue())
        code, out, err = run(capsys, "import", "--data", name, "-o", "i.json")
        assert (code, out) == (2, ""), name
        assert err.startswith("error: "), name


# Keras


@pytest.fixture(scope="module")
def keras():
    """Keras 3 on whatever backend there is; PyTorch, if nothing else was chosen."""
    pytest.importorskip("torch")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_BACKEND", "torch")
        return pytest.importorskip("keras")


def dense_model(keras):
    keras.utils.set_random_seed(2)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((2, 2)),
            layers.Flatten(),
            layers.Dense(4, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(3, use_bias=False),
            layers.LeakyReLU(negative_slope=0.25),
            layers.Dense(2, activation="leaky_relu"),
            layers.Dense(1),
        ]
    )
    inputs = np.random.default_rng(0).normal(size=(16, 2, 2)).astype(np.float32)
    model.compile(optimizer="sgd", loss="mae")
    model.fit(inputs, inputs.sum((1, 2)), epochs=2, verbose=0)
    return model, inputs


def test_keras_models_are_taken_over_exactly(keras):
    """Kernels are transposed, bit by bit; the exact forward pass is the model's to rounding."""
    model, inputs = dense_model(keras)
    instance = from_keras(model, inputs, np.zeros(16), layer=2)
    assert instance.widths == (4, 4, 3, 2, 1)
    arrays = iter(model.get_weights())
    for own, has_bias in zip(instance.layers, (True, False, True, True), strict=True):
        assert [list(map(float, row)) for row in own.weight] == next(arrays).T.tolist()
        assert own.bias is None if not has_bias else list(map(float, own.bias)) == next(arrays).tolist()
    slopes = [own.activations[0].below for own in instance.layers]
    assert slopes == [0, mpq(1, 4), mpq(0.2), 1]
    made = model.predict(inputs, verbose=0)[:, 0]
    for row, value in zip(instance.inputs, made, strict=True):
        assert float(forward(instance, row)[0]) == pytest.approx(float(value), abs=1e-5)


def test_other_keras_models_are_refused(keras):
    """Layers and activations by name, a branch by what it computes, a model that is not built."""
    layers = keras.layers
    inputs = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)

    def sequence(*parts):
        return keras.Sequential([keras.Input((3,)), *parts])

    entry = keras.Input((3,))
    hidden = layers.Dense(3, activation="relu")(entry)
    branch = keras.Model(entry, layers.Dense(1)(layers.Dense(3)(hidden) + hidden))
    cases = [
        (sequence(layers.Dense(1, activation="tanh")), "has the activation 'tanh'"),
        (sequence(layers.BatchNormalization(), layers.Dense(1)), "is of class BatchNormalization"),
        (sequence(layers.Dense(1), layers.ReLU(max_value=6)), "has a threshold or a largest value"),
        (sequence(layers.ReLU(), layers.Dense(1)), "stands before the first affine layer"),
        (branch, "is of class Add; "),
        (keras.Sequential([layers.Dense(1)]), "has no parameters before it is built"),
        ("model.keras", "a model of Keras is needed, not an object of type 'str'"),
    ]
    for model, words in cases:
        assert words in refusal(from_keras, model, inputs, np.zeros(5)), words

    class Twice(keras.Sequential):
        def call(self, x, **options):
            return 2 * super().call(x, **options)

    twice = Twice([keras.Input((3,)), layers.Dense(1)])
    assert "its forward pass is not this chain of layers" in refusal(from_keras, twice, inputs, np.zeros(5))
    assert "data.inputs have width 2" in refusal(from_keras, sequence(layers.Dense(1)), inputs[:, :2], np.zeros(5))
