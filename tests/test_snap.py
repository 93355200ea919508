"""Snapping: float-trained networks to the exact points that they approximate; proposals, distances, refusals."""

import json

import numpy as np
import pytest
from exactdrl_cli.main import main
from exactdrl_proofs.records.points import HERE as RECORDS
from exactdrl_proofs.records.points import W3, train, train_w1, train_w3, train_xor
from gmpy2 import mpq
from pointoracle import random_point, rng_of
from test_points import instance_of, name, shallow

from exactdrl import Instance, read_instance, write_instance
from exactdrl.constructions.nearest import find_nearest, minimise_nearest
from exactdrl.constructions.snap import propose, snap
from exactdrl.exact.rationals import InputError
from exactdrl.points.judge import judge
from exactdrl.points.reading import read_setting
from exactdrl.points.setting import find_loss
from exactdrl.problem.loss import Loss


def test_w1_training():
    """W1 in float32: the end is not stationary by its kinks' misses; snapped it is the spurious minimum 16139/578750."""
    found = snap(train_w1())
    assert name(found.trained) == "slope"
    assert found.trained.mean_loss > mpq(16139, 578750)
    assert found.best.judged.mean_loss == mpq(16139, 578750)
    assert name(found.best.judged) == "minimum"
    assert found.best.judged.is_affine_fit
    assert found.best.stays
    assert found.best.kinks >= 10
    assert found.best.squared_distance < mpq(1, 10**4)
    assert found.best.is_near
    assert find_loss(found.best.judged.setting, found.best.judged.better) < found.best.judged.loss
    assert name(judge(found.instance)) == "minimum"


def test_w3_training():
    """W3 in float32, two outputs: snapped it is the spurious minimum 17/200."""
    found = snap(train_w3(), tolerances=(mpq(1, 1000),))
    assert name(found.trained) == "slope"
    assert found.best.judged.mean_loss == mpq(17, 200)
    assert name(found.best.judged) == "minimum"
    assert found.best.stays


def test_irrational_saddle():
    """W3 passes a saddle with √29 in its coordinates: no rational point near it, and that is said, not another answer."""
    inputs, targets = ([[float(x) for x in row] for row in part] for part in W3)
    w, h = train(inputs, targets, width=50, deviation=50**-6.5, rate=0.002, steps=95_000, seed=0)
    found = snap(shallow(w, h, *W3), tolerances=(mpq(1, 1000),))
    # 161/800 - √29/50
    assert abs((161 / 800 - float(found.trained.mean_loss)) ** 2 - 29 / 2500) < 1e-6
    assert found.best is None or not found.best.is_near


@pytest.mark.parametrize(
    ("record", "loss"), [("xor-scikit", mpq(2, 3)), ("xor-torch-squared", mpq(2, 3)), ("xor-torch-absolute", mpq(1))]
)
def test_xor_training(record, loss):
    """XOR with two hidden units by scikit-learn and PyTorch, both losses: the ends snap to exact spurious minima.

    Another version of the packages may end elsewhere: then only what holds of every end is asked for.
    """
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    trained = train_xor()[record]
    found = snap(trained)
    assert found.best is not None
    assert found.best.is_near
    assert name(found.best.judged) in {"minimum", "escape"}
    if trained == read_instance(RECORDS / f"{record}.json"):
        assert found.best.judged.loss == loss
        assert name(found.best.judged) == "minimum"
        assert find_loss(found.best.judged.setting, found.best.judged.better) < loss


def near(network, theta, rng):
    """The same point with float noise on all parameters."""
    return [[[float(x) + rng.uniform(-1, 1) * 2.0**-30 for x in row] for row in matrix] for matrix in theta]


def test_noise_is_removed():
    """A stationary point with noise snaps to one with its loss, if its outer weights are not 0."""
    hits = 0
    for seed in range(60_000, 60_120):
        rng = rng_of(seed)
        network, theta = random_point(rng, outputs=1)
        judged = judge(instance_of(network, theta))
        if name(judged) not in {"minimum", "escape"} or not all(
            any(row[u] for row in theta[1]) for u in range(len(theta[0]))
        ):
            continue
        hits += 1
        found = snap(instance_of(network, near(network, theta, rng)), tolerances=(mpq(1, 10**6),))
        assert found.best is not None
        assert found.best.loss_change <= 0 or found.best.stays
        assert name(found.best.judged) != "slope", seed
        assert found.best.judged.loss <= judged.loss
        assert found.best.squared_distance < mpq(1, 10**6)
    assert hits >= 15


def test_one_layer_squared_and_absolute():
    """One layer of a network: the least squares fit from floats, and the vertex of an absolute loss."""
    rng = np.random.default_rng(1)
    x = rng.integers(-3, 4, (6, 2)).tolist()
    y = [[a + 2 * b] for a, b in x]
    noisy = [[1 + 1e-9, 2 - 1e-9]]
    for loss in (Loss.squared(), Loss.absolute()):
        found = snap(Instance.create([(noisy, None)], x, y, loss=loss), tolerances=(mpq(1, 10**6),))
        assert found.best.theta == (((mpq(1), mpq(2)),),)
        assert found.best.judged.loss == 0
        assert found.best.stays
    deep = [([[1, 1], [1, -1]], None), ([[1, 1]], None)]
    start = [[1 + 1e-10, 1], [1, -1]]
    found = snap(
        Instance.create(deep, [[1, 1], [2, -1]], [[3], [3]], start=start, loss=Loss.squared()),
        tolerances=(mpq(1, 10**6),),
    )
    assert found.best.kinks == 0
    assert found.best.stays
    assert found.best.judged.loss == 0


def test_weights_and_output_bias():
    """Sample weights and an output bias take part: the weighted mean."""
    instance = Instance.create(
        [([[0.0]], [-1.0]), ([[2.0]], [0.33])], [[1], [2]], [[0], [1]], free="all", loss=Loss.squared(), weights=[1, 2]
    )
    found = snap(instance, tolerances=(mpq(1, 100),))
    assert found.best.theta[1][0][1] == mpq(2, 3)
    assert name(found.best.judged) == "minimum"


def test_proposals():
    """A tolerance is relative to the sizes of the terms; residuals of a squared loss are never proposed to be 0."""
    setting, theta = read_setting(shallow([[1, "-0.999"], [1000, "-1000"]], [["1", "0.001"]], [[1, 1]], [[0]]))
    assert propose(setting, theta, mpq(1, 1000)).signs == (((0, 0),), ((1,),))
    assert propose(setting, theta, mpq(1, 10000)).signs == (((1, 0),), ((1,),))
    assert propose(setting, theta, mpq(1, 1000)).silenced == (1,)
    absolute, _ = read_setting(shallow([[1, 0]], [["1.0000001"]], [[1, 1]], [[1]], Loss.absolute()))
    _, theta = read_setting(shallow([[1, 0]], [["1.0000001"]], [[1, 1]], [[1]], Loss.absolute()))
    assert propose(absolute, theta, mpq(1, 10**6)).signs[1] == ((0,),)


def test_nearest():
    """The nearest solution of a system, and the nearest minimiser on a flat; None where there is none."""
    assert find_nearest([[mpq(1), mpq(1)]], [mpq(2)], [mpq(0), mpq(0)]) == [1, 1]
    assert find_nearest([[mpq(1), mpq(1)], [mpq(2), mpq(2)]], [mpq(2), mpq(5)], [mpq(0), mpq(0)]) is None
    assert find_nearest([], [], [mpq(3)]) == [3]
    found = minimise_nearest(
        [[mpq(1), mpq(-1), mpq(0)]],
        [mpq(0)],
        features=[[mpq(1), mpq(1), mpq(0)], [mpq(1), mpq(0), mpq(0)]],
        goals=[mpq(2), mpq(3)],
        weights=[mpq(1), mpq(2)],
        point=[mpq(5), mpq(0), mpq(7)],
    )
    # y = (a, a, c): (2a - 2)² + 2 (a - 3)² is least at a = 5/3
    assert found == [mpq(5, 3), mpq(5, 3), 7]


@pytest.mark.parametrize(
    ("tolerance", "said"),
    [("0", "it proposes nothing"), ("1", "between 0 and 1"), ("-1", "between 0 and 1"), ("x", "x")],
)
def test_bad_tolerance(capsys, tmp_path, tolerance, said):
    """Exit 2, in words; nothing is written."""
    write_instance(shallow([[1]], [[1]], [[1]], [[1]]), tmp_path / "a.json")
    with pytest.raises(SystemExit) as stop:
        main(["snap", str(tmp_path / "a.json"), "-o", str(tmp_path / "b.json"), "--tolerance", tolerance])
    assert stop.value.code == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "b.json").exists()


def test_command(capsys, tmp_path):
    """A table of tolerances, both verdicts, the snapped instance; with --json the same."""
    far = shallow([[1.0000001, 0.5]], [[0.9]], [[1, 0], [0, 1]], [[1], [2]])
    write_instance(far, tmp_path / "far.json")
    with pytest.raises(SystemExit) as stop:
        main(["snap", str(tmp_path / "far.json"), "-o", str(tmp_path / "c.json")])
    assert stop.value.code == 3
    assert "undecided: not rational. The snapped point is far from the trained one" in capsys.readouterr().out
    write_instance(shallow([[1.0000001, 1.9999999]], [[1.0]], [[1, 0], [0, 1]], [[1], [2]]), tmp_path / "a.json")
    arguments = ["snap", str(tmp_path / "a.json"), "-o", str(tmp_path / "b.json")]
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    out = capsys.readouterr().out
    assert stop.value.code == 0
    assert "the trained point, taken literally" in out
    assert "not even stationary" in out
    assert "1e-06  inner weights" in out
    assert "local minimum (the loss is 0" in out
    with pytest.raises(SystemExit) as stop:
        main([*arguments, "--json"])
    assert stop.value.code == 2
    assert "exists already" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main([*arguments, "--json", "--force"])
    found = json.loads(capsys.readouterr().out)
    assert found["snapped"]["verdict"] == "local-minimum"
    assert found["trained"]["verdict"] == "not-stationary"
    assert len(found["attempts"]) == 6


def test_deep_network_needs_a_layer():
    """All parameters of several hidden layers are not solved for at once: said plainly."""
    layers = [([[1]], None), ([[1]], None), ([[1]], None)]
    with pytest.raises(InputError, match="name a layer"):
        snap(Instance.create(layers, [[1]], [[2]], free="all", loss=Loss.squared()))
