"""Embedding: the theory's table in full, by exact verdicts on many points."""

import json
from fractions import Fraction

import pytest
from exactdrl_cli.main import main
from gmpy2 import mpq
from pointoracle import random_point, rng_of
from test_points import A_INPUTS, A_TARGETS, instance_of, name, shallow

from exactdrl import write_instance
from exactdrl.constructions.embed import add_inactive, is_borne_out, propagate_inactive, replicate
from exactdrl.exact.rationals import InputError
from exactdrl.points.judge import judge

HALF = mpq(1, 2)
COPIES = {
    "all positive": [(mpq(1), HALF), (mpq(2), mpq(1, 4))],
    "one zero": [(mpq(1), mpq(1)), (mpq(3), mpq(0))],
    "one negative": [(mpq(1), mpq(2)), (HALF, mpq(-2))],
}


def cases(count, first):
    """Points with one output that are minima or stationary."""
    for seed in range(first, first + count):
        network, theta = random_point(rng_of(seed), outputs=1)
        instance = instance_of(network, theta)
        judged = judge(instance)
        if name(judged) in {"minimum", "escape"} and judged.loss:
            yield instance, judged, network, theta


@pytest.mark.parametrize("kind", COPIES)
def test_replication(kind):
    """All γ > 0 keeps both; γ = 0 keeps a stationary point, a minimum only where D ≡ 0; γ < 0 only where h D ≡ 0."""
    seen = set()
    for instance, judged, _, theta in cases(250, 70_000):
        for unit in range(len(theta[0])):
            found = replicate(instance, unit, COPIES[kind])
            assert found.after.loss == judged.loss
            assert is_borne_out(found), (kind, found.prediction, name(found.before), name(found.after))
            seen.add((name(found.before), name(found.after)))
    assert ("minimum", "minimum") in seen
    if kind == "one zero":
        assert ("minimum", "escape") in seen
    elif kind == "one negative":
        assert ("minimum", "slope") in seen
    else:
        assert all(before == after for before, after in seen)


def test_inactive_units_keep_everything():
    """A unit that is off on all samples keeps stationarity and minimality, whatever its outer weights."""
    count = 0
    for instance, judged, network, theta in cases(150, 71_000):
        if network.slopes[0][0][0] or not network.biases[0]:
            continue
        inner = [mpq(1)] * len(network.inputs[0]) + [mpq(-20)]
        found = add_inactive(instance, inner, [mpq(count - 3)])
        assert name(found.after) == name(judged)
        assert is_borne_out(found)
        assert (0, len(theta[0])) in found.after.dead
        count += 1
    assert count >= 10


def test_propagation():
    """h = 0, any w: stationary iff S1 holds, and then a minimum iff D ≡ 0."""
    seen = set()
    for instance, judged, _, theta in cases(200, 72_000):
        rng = rng_of(len(seen))
        for _ in range(3):
            inner = [mpq(rng.randint(-2, 2)) for _ in theta[0][0]]
            found = propagate_inactive(instance, inner)
            assert found.after.loss == judged.loss
            assert is_borne_out(found), (found.prediction, name(found.before), name(found.after))
            seen.add((name(found.before), name(found.after)))
    assert {("minimum", "minimum"), ("minimum", "escape"), ("minimum", "slope"), ("escape", "escape")} <= seen


def test_published_cases():
    """Case A's replications and case B's additions."""
    a = shallow([[1, 0]], [[1]], A_INPUTS, A_TARGETS)
    for copies, after in (([(1, HALF)] * 2, "minimum"), ([(1, 1), (1, 0)], "escape"), ([(1, 2), (1, -1)], "slope")):
        found = replicate(a, 0, [(mpq(b), mpq(c)) for b, c in copies])
        assert (name(found.after), is_borne_out(found)) == (after, True)
    b = shallow([[1]], [[1]], [[1], [-1]], [[1], [1]])
    for inner, after in ((0, "escape"), (1, "minimum"), (-1, "slope")):
        found = propagate_inactive(b, [mpq(inner)])
        assert (name(found.after), is_borne_out(found)) == (after, True)


def test_refusals():
    """A β that is not positive, a sum that is not 1, a unit that is not there or not off: named with place and value."""
    a = shallow([[1, 0]], [[1]], A_INPUTS, A_TARGETS)
    for unit, copies, said in (
        (1, [(1, 1)], "units 0 to 0"),
        (0, [(-1, -1)], "copy 0: β is -1"),
        (0, [(1, 1), (1, 1)], "Σ β γ is 2"),
        (0, [], "no copies"),
    ):
        with pytest.raises(InputError, match=said):
            replicate(a, unit, [(mpq(b), mpq(c)) for b, c in copies])
    with pytest.raises(InputError, match="sample 0: its preactivation is 1"):
        add_inactive(a, [mpq(0), mpq(1)], [mpq(1)])
    with pytest.raises(InputError, match="3 inner weights"):
        propagate_inactive(a, [mpq(0)] * 3)


def test_front():
    """One call with numbers of any exact kind; exactly one way is named."""
    import exactdrl

    a = shallow([[1, 0]], [[1]], A_INPUTS, A_TARGETS)
    found = exactdrl.embed(a, replicated=(0, [("1", 0.5), (1, "1/2")]))
    assert (name(found.after.judged), found.agrees) == ("minimum", True)
    assert name(exactdrl.embed(a, inactive=([0, -1], ["5"])).after.judged) == "minimum"
    assert name(exactdrl.embed(a, propagated=[1, 0]).after.judged) == "escape"
    for ways in ({}, {"propagated": [1, 0], "inactive": ([0, -1], [5])}):
        with pytest.raises(InputError, match="one of replicated, inactive and propagated"):
            exactdrl.embed(a, **ways)


def test_command(capsys, tmp_path):
    """Words and JSON; the wider instance is written and judged as predicted."""
    write_instance(shallow([[1, 0]], [[1]], A_INPUTS, A_TARGETS), tmp_path / "a.json")
    arguments = ["embed", str(tmp_path / "a.json"), "-o", str(tmp_path / "b.json"), "--force"]
    with pytest.raises(SystemExit) as stop:
        main([*arguments, "--replicate", "0", "--copies", "1,1;1,0"])
    out = capsys.readouterr().out
    assert stop.value.code == 0
    assert "escape unit  1" in out
    assert "a local minimum does not stay one" in out
    assert "the verdicts agree" in out
    with pytest.raises(SystemExit) as stop:
        main([*arguments, "--inactive", "0,-1;5", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["after"]["dead_units"] == [1]
    assert found["theory"]["agrees"] is True
    for options, said in (
        ([], "is needed"),
        (["--replicate", "0"], "belong together"),
        (["--replicate", "0", "--copies", "1"], "two are needed"),
        (["--propagate", "1,x"], "--propagate"),
        (["--inactive", "0,-1"], "semicolon"),
    ):
        with pytest.raises(SystemExit) as stop:
            main([*arguments, *options])
        assert stop.value.code == 2
        assert said in capsys.readouterr().err


def test_deep_networks_embed_without_a_prediction():
    """Several hidden layers: the function stays, and no theory is claimed."""
    from exactdrl import Instance
    from exactdrl.problem.loss import Loss

    layers = [([[1]], None), ([[1]], None), ([[1]], None)]
    found = replicate(Instance.create(layers, [[1]], [[2]], free="all", loss=Loss.squared()), 0, [(mpq(1), HALF)] * 2)
    assert found.prediction is None
    assert found.after.loss == found.before.loss
    assert Fraction(int(found.after.loss)) == 1
