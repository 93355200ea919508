"""VIPR certificates of regressions: what is written is a proof of the optimum, and changed it is none."""

import json
import re
from fractions import Fraction
from pathlib import Path

import pytest
from exactdrl_cli.main import main
from hypothesis import given
from hypothesis import strategies as st
from viprcheck import check_vipr

from exactdrl import InputError, Instance, Loss, Walk, read_instance, record_walk, write_instance
from exactdrl.certificate.reader import read_certificate
from exactdrl.certificate.vipr import vipr_lines, vipr_of_run

NUMBERS = st.integers(-6, 6).map(str)


def walked(instance):
    walk = Walk(instance)
    for _ in walk:
        pass
    return walk


def regression(inputs, targets, loss=None, **more):
    width = len(inputs[0])
    rows = [["0"] * width] * len(targets[0])
    return Instance.create([(rows, ["0"] * len(rows))], inputs, targets, loss=loss or Loss.absolute(), **more)


@given(st.data())
def test_optima_are_proved(data):
    """Random regressions of one to three outputs and any two slopes; the bound is the loss of the walk's end."""
    samples, width, outputs = data.draw(st.tuples(st.integers(4, 9), st.integers(1, 3), st.integers(1, 2)))
    row = st.lists(NUMBERS, min_size=width, max_size=width)
    inputs = data.draw(st.lists(row, min_size=samples, max_size=samples))
    target = st.lists(NUMBERS, min_size=outputs, max_size=outputs)
    targets = data.draw(st.lists(target, min_size=samples, max_size=samples))
    loss = data.draw(
        st.sampled_from(
            [Loss.absolute(), Loss.pinball(1 / to_number(4)), Loss.two_slope([to_number(-3)], [to_number(1)])]
        )
    )
    weights = data.draw(st.none() | st.lists(st.integers(0, 3).map(str), min_size=samples, max_size=samples))
    instance = regression(inputs, targets, loss, weights=weights)
    walk = walked(instance)
    assert check_vipr("\n".join(vipr_lines(instance, walk.vertex))) == Fraction(str(walk.loss))


def to_number(value):
    from gmpy2 import mpq

    return mpq(value)


STACK = regression([["1"], ["2"], ["3"], ["4"], ["5"]], [["1"], ["1"], ["2"], ["3"], ["2"]])


def test_the_degenerate_line():
    """The line through five points with a segment of optima: loss 2."""
    assert check_vipr("\n".join(vipr_lines(STACK, walked(STACK).vertex))) == 2


@pytest.mark.parametrize(("name", "loss"), [("lad-engel", "17559.93265"), ("lad-diabetes", "19024.34330")])
def test_real_data(name, loss):
    """The records' optima, on 235 and 442 samples."""
    folder = Path(__file__).parent.parent / "proofs" / "records" / name
    instance = read_instance(folder / "instance.json.gz")
    certificate = read_certificate(folder / "run.drl.gz", instance)
    optimum = check_vipr("\n".join(vipr_of_run(instance, certificate)))
    assert f"{float(optimum):.5f}" == loss


def test_every_number_matters():
    """Any number of the solution, the bound or the derivation changed: no proof."""
    text = "\n".join(vipr_lines(STACK, walked(STACK).vertex))
    start = text.index("RTP")
    places = [match.span() for match in re.finditer(r"(?<= )-?\d+(/\d+)?(?= |$)", text) if match.start() > start]
    assert len(places) > 20
    for low, high in places[:-1]:  # the last one is -1, which says nothing
        if text[high : high + 1] == "\n":
            continue
        changed = text[:low] + str(Fraction(text[low:high]) + 1) + text[high:]
        with pytest.raises(ValueError):
            check_vipr(changed)


def test_only_optima_and_regressions():
    """A point beside the optimum, a hidden layer and a squared loss are refused."""
    with pytest.raises(InputError, match="no optimum"):
        vipr_lines(STACK, tuple(tuple(x + 1 for x in row) for row in walked(STACK).vertex))
    deep = Instance.create([([["1"]], None), ([["1"]], None)], [["1"]], [["1"]])
    with pytest.raises(InputError, match="regression"):
        vipr_lines(deep, ((to_number(1),),))
    squared = regression([["1"]], [["1"]], Loss.squared())
    with pytest.raises(InputError, match="regression"):
        vipr_lines(squared, ((to_number(1), to_number(0)),))


def test_export_command(tmp_path, monkeypatch, capsys):
    """`exactdrl export --vipr` writes it, and refuses an existing file."""
    monkeypatch.chdir(tmp_path)
    write_instance(STACK, "a.json")
    walk = Walk(read_instance("a.json"))
    record_walk(walk, "a.drl")
    for code in (0, 2):
        with pytest.raises(SystemExit) as ended:
            main(["export", "a.json", "a.drl", "--vipr", "a.vipr"])
        assert ended.value.code == code
    assert "a.vipr" in capsys.readouterr().out
    text = (tmp_path / "a.vipr").read_text("ascii")
    assert check_vipr(text) == 2
    certificate = read_certificate("a.drl", walk.problem.instance)
    assert text == "".join(f"{line}\n" for line in vipr_of_run(walk.problem.instance, certificate))
    assert json.loads((tmp_path / "a.json").read_text())["format"] == "exactdrl-instance"
