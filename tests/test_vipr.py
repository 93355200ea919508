"""VIPR certificates of regressions: what is written is a proof of the optimum, and changed it is none."""

import contextlib
import json
import random
import re
from fractions import Fraction
from pathlib import Path

import pytest
from exactdrl_cli.main import main
from hypothesis import given, settings
from hypothesis import strategies as st
from viprcheck import Tokens, check_vipr, dot, holds, sense

from exactdrl import (
    InputError,
    Instance,
    LocalMinimum,
    Loss,
    StrictLocalMinimum,
    Walk,
    read_instance,
    record_walk,
    sample_experiment,
    write_instance,
)
from exactdrl.arithmetic.exact import ExactArithmetic
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.certificate.reader import read_certificate
from exactdrl.certificate.replay import final_vertex
from exactdrl.certificate.vipr import vipr_lines, vipr_of_run
from exactdrl.certificate.vipr_cells import choice_lines, vipr_of_cells
from exactdrl.certificate.vipr_minimum import leaf_programs, vipr_of_minimum
from exactdrl.hidden_cells.farkas import Farkas
from exactdrl.hidden_cells.instances import to_setting
from exactdrl.hidden_cells.judge import judge_cell

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


CORPUS = Path(__file__).parent / "corpus" / "accept"
LEAVES = {
    "deep-likq": 1,
    "tree-walk-deep-settled": 1,
    "tree-walk-strict-deep": 16,
    "tree-lineality": 2,
    "slopes-activation-leaky-deep": 1,
    "cover": 4,
}


def programs_of(name):
    instance = read_instance(CORPUS / f"{name}.json")
    return instance, [
        "\n".join(p) for p in vipr_of_minimum(instance, read_certificate(CORPUS / f"{name}.drl", instance))
    ]


@pytest.mark.parametrize("name", LEAVES)
def test_leaves_of_local_minima(name):
    """On each leaf of the tree the least change of the loss is 0."""
    _, programs = programs_of(name)
    assert [check_vipr(text) for text in programs] == [0] * LEAVES[name]


def read_rows(text):
    """A program's variables, objective, and rows."""
    tokens = Tokens(text)
    tokens.expect("VER", "1.0", "VAR")
    names = [tokens.next() for _ in range(tokens.count())]
    tokens.expect("INT", "0", "OBJ", "min")
    objective = tokens.sparse(len(names))
    tokens.expect("CON")
    count, _ = tokens.count(), tokens.count()
    rows = [(tokens.next()[0], sense(tokens.next()), tokens.number(), tokens.sparse(len(names))) for _ in range(count)]
    return names, objective, rows


def forward(instance, parameters):
    """All preactivations and residuals by address, all activations, and the loss, in plain fractions."""
    first = instance.free
    values, outputs, loss = {}, {}, Fraction(0)
    for sample, row in enumerate(instance.pushed_inputs()):
        x = [Fraction(str(v)) for v in row]
        z, a = [sum((p * v for p, v in zip(r, x, strict=True)), Fraction(0)) for r in parameters], x
        for number, layer in enumerate(instance.layers[first - 1 :], first):
            if number > first:
                biases = layer.bias or [0] * len(layer.weight)
                z = [
                    sum((Fraction(str(w)) * v for w, v in zip(weights, a, strict=True)), Fraction(str(bias)))
                    for weights, bias in zip(layer.weight, biases, strict=True)
                ]
            a = [
                Fraction(str(act.above if v > 0 else act.below)) * v
                for act, v in zip(layer.activations, z, strict=True)
            ]
            for unit in range(len(z)):
                values[number, sample, unit], outputs[number, sample, unit] = z[unit], a[unit]
        weight = Fraction(str(instance.sample_weight(sample)))
        for unit, (value, target) in enumerate(zip(a, instance.targets[sample], strict=True)):
            r = value - Fraction(str(target))
            low, high = (Fraction(str(s)) for s in instance.loss.slopes(unit, target))
            share = weight * (high if r > 0 else low) * r
            # the last layer's activations are the identity: its address is the residual's
            values[len(instance.layers), sample, unit], outputs[len(instance.layers), sample, unit] = r, share
            loss += share
    return values, outputs, loss


@pytest.mark.parametrize("name", LEAVES)
def test_the_programs_are_about_the_loss(name):
    """At points nearby the rows hold on some leaf, on every leaf but for its signs, and the objective is the loss's change."""
    instance, programs = programs_of(name)
    certificate = read_certificate(CORPUS / f"{name}.drl", instance)
    problem = IntegerProblem.from_instance(instance)
    vertex = ExactArithmetic(problem, *final_vertex(problem, certificate)).vertex()
    point = [[Fraction(str(v)) for v in row] for row in problem.to_full(vertex)]
    values, outputs, loss = forward(instance, point)
    rng = random.Random(1)
    for _ in range(12):
        d = [[Fraction(rng.randint(-3, 3), 10**9) for _ in row] for row in point]
        near = [[p + q for p, q in zip(*rows, strict=True)] for rows in zip(point, d, strict=True)]
        values_near, outputs_near, loss_near = forward(instance, near)
        assert loss_near >= loss
        fitting = 0
        for text in programs:
            names, objective, rows = read_rows(text)
            at = dict(enumerate(x for row in d for x in row))
            for index, word in enumerate(names):
                if word[0] != "d":
                    kink = tuple(map(int, word[1:].split("_")))
                    assert values[kink] == 0
                    at[index] = values_near[kink] if word[0] == "z" else outputs_near[kink] - outputs[kink]
            assert dot(objective, at) == loss_near - loss
            is_here = all(holds(side, dot(row, at), right) for kind, side, right, row in rows if kind == "S")
            assert all(holds(side, dot(row, at), right) for kind, side, right, row in rows if is_here or kind in "BZ")
            fitting += is_here
        assert fitting >= 1


@given(st.integers(0, 5), st.integers(0, 2**32))
@settings(max_examples=25)
def test_walks_end_in_proved_minima(number, seed):
    """Random networks of few bits, whose vertices are degenerate: where slopes are found, VIPR's checker agrees."""
    widths = ((2, 2, 1), (1, 3, 1), (2, 2, 2, 1), (1, 2, 2, 2), (2, 1), (2, 2))[number]
    instance = sample_experiment(widths, samples=7, seed=seed, bits=3)
    walk = walked(instance)
    if isinstance(walk.outcome, LocalMinimum | StrictLocalMinimum):
        with contextlib.suppress(InputError):
            for lines in leaf_programs(instance, walk.vertex, nodes=60):
                assert check_vipr("\n".join(lines)) == 0


def test_every_number_of_a_leaf_matters():
    """A multiplier changed: no proof. A leaf of a point that is no minimum does not exist."""
    _, programs = programs_of("tree-lineality")
    changed = 0
    for text in programs:
        start, end = text.index("lin "), text.rindex(" }")
        for match in re.finditer(r"(?<= )-?\d+(/\d+)?(?= |$)", text[start:end]):
            low, high = match.start() + start, match.end() + start
            with pytest.raises(ValueError):
                check_vipr(text[:low] + str(Fraction(text[low:high]) + 1) + text[high:])
            changed += 1
    assert changed > 20
    instance = read_instance(CORPUS / "trap-left.json")
    with pytest.raises(InputError, match="no slopes prove"):
        vipr_of_minimum(instance, read_certificate(CORPUS / "trap-left.drl", instance))


@pytest.mark.parametrize(("name", "count"), [("absolute", 9), ("slopes", 12), ("squared", 16), ("zeros", 0)])
def test_infeasible_sign_choices(name, count):
    """Each sign choice that a cells file calls infeasible, in a program that has no solution."""
    path = CORPUS / f"cells-judged-{name}.drl"
    lines = [json.loads(line) for line in path.read_text("ascii").splitlines()]
    assert sum(len(line.get("infeasible", [])) for line in lines) == count
    programs = vipr_of_cells(read_instance(CORPUS / f"cells-judged-{name}.json"), path)
    assert [check_vipr("\n".join(program)) for program in programs] == ["infeasible"] * count


def test_feasible_sign_choices_fit_the_program():
    """The minimum of a feasible choice, scaled, fulfils the rows that an infeasible one of the same cell would have."""
    instance = read_instance(CORPUS / "cells-judged-absolute.json")
    fitting = 0
    for line in (CORPUS / "cells-judged-absolute.drl").read_text("ascii").splitlines():
        content = json.loads(line)
        if "judged" not in content:
            continue
        setting = to_setting(instance, len(content["judged"]))
        judged = judge_cell(setting, content["judged"])
        nothing = Farkas(
            tuple((to_number(0),) * len(setting.targets) for _ in content["judged"]),
            (to_number(0),) * len(setting.targets),
        )
        for choice in judged.feasible:
            text = "\n".join(choice_lines(setting, judged.relaxation, content["judged"], choice.signs, nothing))
            _, _, rows = read_rows(text)
            at = {index: Fraction(str(v)) for index, v in enumerate(choice.variables)} | {
                len(choice.variables): Fraction(1)
            }
            at = {index: v * 10**9 for index, v in at.items()}
            assert all(holds(side, dot(row, at), right) for _, side, right, row in rows)
            with pytest.raises(ValueError):
                check_vipr(text)
            fitting += 1
    assert fitting > 2


def test_export_of_leaves_and_cells(tmp_path, capsys):
    """`exactdrl export --vipr` numbers the files where there are several, and says where there are none."""
    for name, count in (
        ("tree-lineality", 2),
        ("deep-likq", 1),
        ("cells-judged-slopes", 12),
        ("cells-judged-zeros", 0),
    ):
        path = tmp_path / f"{name}.vipr"
        with pytest.raises(SystemExit) as ended:
            main(["export", str(CORPUS / f"{name}.json"), str(CORPUS / f"{name}.drl"), "--vipr", str(path)])
        assert ended.value.code == (0 if count else 2)
        names = [path] if count == 1 else [tmp_path / f"{name}-{k}.vipr" for k in range(1, count + 1)]
        assert sorted(tmp_path.glob(f"{name}*")) == sorted(names if count else [])
        for one in names:
            assert check_vipr(one.read_text("ascii")) in ({"infeasible"} if "cells" in name else {0})
    assert "no choice of signs of a judged cell is infeasible" in capsys.readouterr().err
