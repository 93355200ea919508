"""What people read: parameters by name, no raw lists, whole numbers once."""

import json
import re

import pytest
import verdictcases
from exactdrl_cli.main import main
from gmpy2 import mpq

from exactdrl import judge, read_instance, sample_experiment, write_instance
from exactdrl.front.judged_layer import judge_start
from exactdrl.points.germ import Descent
from exactdrl.report.parameter_words import direction_words, handy_exponent, legend_words, parameter_name, point_lines
from exactdrl.report.point_words import _handy
from exactdrl.report.words import loss_words


def test_parameters_have_names():
    """Layers from 1, units from 0, biases apart; the first six moves are listed, the others counted."""
    assert parameter_name(2, 0, 1, is_bias=False) == "W2[0,1]"
    assert parameter_name(1, 3, 7, is_bias=True) == "b1[3]"
    zero, one, long = mpq(0), mpq(1), mpq(1, 3**40)
    rows = ((zero, -one / 2, one), (zero, long, zero))
    assert direction_words([(1, rows, True)]) == "W1[0,1] by -1/2, b1[0] by 1, W1[1,1] by ≈8.22526e-20"
    assert direction_words([(1, rows, False)]) == "W1[0,1] by -1/2, W1[0,2] by 1, W1[1,1] by ≈8.22526e-20"
    assert direction_words([(1, ((one,) * 4,), False), (2, ((one,) * 3,), False)]).endswith(
        "W2[0,1] by 1, and 1 other parameter"
    )
    assert direction_words([(1, ((one,) * 9,), False)]).endswith("W1[0,5] by 1, and 3 other parameters")
    assert direction_words([(1, ((zero,),), False)]) == "no parameter"


def test_points_are_listed_by_unit():
    """A line a unit with its bias apart; of many units their number alone."""
    rows = ((mpq(1), mpq(1, 2)), (mpq(0), mpq(-3)))
    assert list(point_lines([(1, rows, True), (2, ((mpq(2), mpq(5)),), False)])) == [
        "layer 1 unit 0: weights 1; bias 1/2",
        "layer 1 unit 1: weights 0; bias -3",
        "layer 2 unit 0: weights 2, 5",
    ]
    assert list(point_lines([(1, rows * 5, True)])) == ["it has 10 units and 20 parameters, which --json prints"]


def test_whole_losses_are_said_once():
    """14 and not 14 = 14."""
    assert [loss_words(mpq(14)), loss_words(mpq(7, 2)), loss_words(mpq(1, 3))] == [
        "14",
        "3.5 = 7/2",
        "0.3333333333 = 1/3",
    ]


@pytest.mark.parametrize("name", ["CASE_A", "COPY", "DEEP", "BIASED_OFF"])
def test_verdicts_hold_no_lists(name, tmp_path, capsys):
    """No line for people has a bracket of JSON in it, and every power of a curve is said."""
    write_instance(getattr(verdictcases, name), tmp_path / "a.json")
    result = judge(read_instance(tmp_path / "a.json"))
    lines = str(result).splitlines()
    assert all(len(line) < 250 and '"' not in line and "[[" not in line for line in lines)
    curve = result.to_dict().get("curve", ())
    powers = sum(any(entry != "0" for rows in part for row in rows for entry in row) for part in curve)
    assert sum(re.match(r" {13}t[²³]? moves [Wb]", line) is not None for line in lines) == powers


def test_minimum_names_its_direction(tmp_path, capsys):
    """`minimum` says which parameters its direction moves; JSON has all of them exactly."""
    write_instance(sample_experiment((2, 3, 1), samples=9, seed=1, bits=4), tmp_path / "a.json")
    with pytest.raises(SystemExit):
        main(["minimum", str(tmp_path / "a.json")])
    out = capsys.readouterr().out
    assert "direction    W1[0,0] by " in out and '"' not in out
    with pytest.raises(SystemExit):
        main(["minimum", str(tmp_path / "a.json"), "--json"])
    assert len(json.loads(capsys.readouterr().out)["direction"]) == 3


def test_the_legend_names_parameters_that_the_network_has():
    """In each layer, with one input or many, with a bias or none; of several layers the highest that moves."""
    counted = "are counted from 0"
    one, zero = mpq(1), mpq(0)
    cases = [
        (
            [(1, ((one, one, one),), True)],
            f"W1[0,1] is the weight to unit 0 of layer 1 from input 1, b1[0] a bias; units and inputs {counted}",
        ),
        (
            [(1, ((one,),), False)],
            f"W1[0,0] is the weight to unit 0 of layer 1 from input 0; units and inputs {counted}",
        ),
        ([(1, ((one,),), True)], f"b1[0] is the bias of unit 0 of layer 1; units and inputs {counted}"),
        (
            [(3, ((one, one),), True)],
            f"W3[0,0] is the weight to unit 0 of layer 3 from unit 0 of layer 2, b3[0] a bias; units {counted}",
        ),
        (
            [(1, ((one, one),), False), (2, ((one, one),), False), (3, ((zero, zero),), True)],
            f"W2[0,1] is the weight to unit 0 of layer 2 from unit 1 of layer 1; units {counted}",
        ),
    ]
    for direction, words in cases:
        assert legend_words(direction) == words


def test_directions_have_readable_numbers(tmp_path):
    """The largest entry is about 1, and the loss falls at the step that is said; short numbers stay as they are."""
    assert handy_exponent([mpq(3), mpq(-1, 7), mpq(10**13)]) == 0
    assert handy_exponent([mpq(0)]) == handy_exponent([]) == 0
    for entry in (mpq(10**47), mpq(-(10**47) + 1, 3), mpq(1, 10**40), mpq(-(3**40), 7**60)):
        assert mpq(1, 2) < abs(entry) * mpq(2) ** handy_exponent([entry, entry / 5]) < 2
    instance = sample_experiment((2, 3, 2, 1), samples=9, seed=2)
    found = judge_start(instance)
    assert max(map(abs, found.judged.verdict.direction)) > 2**40
    fields = found.to_dict()
    direction, epsilon = fields["direction"], mpq(fields["epsilon"])
    assert mpq(1, 2) < max(abs(mpq(entry)) for row in direction for entry in row) < 2
    there = [
        [value + epsilon * mpq(move) for value, move in zip(*pair, strict=True)]
        for pair in zip(instance.start, direction, strict=True)
    ]
    assert instance.loss_of(there) < instance.loss_of(instance.start)
    assert f"epsilon      {epsilon}:" in str(found)
    shown = judge(instance).to_dict()
    (part,) = shown["curve"]
    at = mpq(shown["at"])
    moved = [
        [value + at * mpq(move) for value, move in zip(*pair, strict=True)]
        for pair in zip(instance.start, part[0], strict=True)
    ]
    assert mpq(shown["loss_at"]) == instance.loss_of(moved) < instance.loss_of(instance.start)
    assert max(abs(mpq(entry)) for row in part[0] for entry in row) < 2


def test_curves_stay_the_same():
    """Another unit of t moves the same points: c_k t^k does not change."""
    first = (((mpq(0), mpq(3, 7**30)),),)
    second = (((mpq(5, 7**70), mpq(0)),),)
    for curve in ((first, second), ((((mpq(0),) * 2,),), second)):
        descent = Descent(curve, 2, mpq(-4), mpq(7**29), mpq(1))
        handy = _handy(descent)
        assert handy.at != descent.at
        assert handy.coefficient * handy.at**2 == descent.coefficient * descent.at**2
        for power, (old, new) in enumerate(zip(curve, handy.curve, strict=True), 1):
            assert [x * descent.at**power for x in old[0][0]] == [x * handy.at**power for x in new[0][0]]
        lowest = next(part for part in handy.curve if any(part[0][0]))
        assert mpq(1, 4) < max(map(abs, lowest[0][0])) < 4
