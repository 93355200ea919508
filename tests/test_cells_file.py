"""Cells files: what the library writes the checker accepts, and it refuses what is changed in it and false."""

import json
from pathlib import Path

import pytest
from gmpy2 import mpq
from hypothesis import given
from hypothesis import strategies as st
from strategies import examples
from test_cell_judge import judge_all, problems
from test_cells_cli import W1
from test_cli import run as run_command
from test_corpus import load_checker, run
from test_spurious import build, cases

from exactdrl.certificate.cells_file import (
    CellsWriter,
    bad_lines,
    cell_lines,
    complete_lines,
    global_lines,
    judged_lines,
    spurious_lines,
)
from exactdrl.constructions.instances import to_instance
from exactdrl.hidden_cells.branch import find_global_minimum
from exactdrl.hidden_cells.instances import from_data
from exactdrl.hidden_cells.survey import best_network, survey_cells
from exactdrl.problem.file import read_instance, write_instance

CHECK = load_checker()


def check(folder, instance, lines, name="a.drl"):
    """What the checker says of lines about an instance."""
    write_instance(instance, folder / "a.json", force=True)
    with CellsWriter(folder / name, read_instance(folder / "a.json").digest) as writer:
        writer.write(lines)
    return run(CHECK, folder / "a.json", folder / name)


def to_file_instance(setting):
    return from_data(
        setting.inputs,
        setting.targets,
        units=setting.units,
        loss=setting.loss,
        slopes=setting.slopes,
        has_bias=setting.has_bias,
        has_output_bias=setting.has_output_bias,
    )


def all_lines(setting):
    """Every claim that the commands can write about a setting."""
    lines = []
    sized = list(survey_cells(setting.samples))
    for cell, ball in sized:
        lines += cell_lines(setting.samples, cell, ball)
    lines += complete_lines(len(sized))
    judged = judge_all(setting)
    best = best_network(judged, setting)
    for cell in judged:
        lines += judged_lines(setting, cell.judged)
        if best is not None and cell.judged.is_genuine and cell.judged.relaxation.value > best[0]:
            lines += bad_lines(cell.judged.patterns, best[1])
    return lines + list(global_lines(find_global_minimum(setting)))


@examples(40)
@given(setting=problems(most=4))
def test_what_is_written_is_accepted(tmp_path_factory, setting):
    """Cells, verdicts, better points and the global minimum of tiny, often degenerate, problems of every kind."""
    code, text = check(tmp_path_factory.mktemp("a"), to_file_instance(setting), all_lines(setting))
    assert code == 0, text


@examples(40)
@given(case=cases())
def test_spurious_minima_are_accepted(tmp_path_factory, case):
    """Spurious minima of every depth, activation and loss, with better point and valley."""
    found = build(case)
    inputs, targets, _, loss = case
    instance = to_instance(found.network, inputs, targets, loss)
    code, text = check(tmp_path_factory.mktemp("a"), instance, spurious_lines(found))
    assert code == 0, text


@examples(60)
@given(setting=problems(most=3), data=st.data())
def test_false_losses_are_rejected(tmp_path_factory, setting, data):
    """A global minimum that is told smaller, or larger, is rejected; so is one leaf less, and a wrong count of cells."""
    lines = [json.loads(line) for line in all_lines(setting)]
    place = next(k for k, line in enumerate(lines) if "global" in line)
    kind = data.draw(st.sampled_from(["smaller", "larger", "leaf", "count", "verdict"]))
    if kind in {"smaller", "larger"}:
        lines[place]["global"] = str(mpq(lines[place]["global"]) + (1 if kind == "larger" else -1))
    elif kind == "leaf":
        lines[place]["leaves"] -= 1
        lines.pop()
        if not lines[place]["leaves"]:
            return
    elif kind == "count":
        next(line for line in lines if "complete" in line)["complete"] += 1
    else:
        judged = data.draw(
            st.sampled_from([line for line in lines if "judged" in line and line["infeasible"]] or [None])
        )
        if judged is None:
            return
        choice = judged["infeasible"].pop()
        rows = [["0"] * setting.samples.dimension] * setting.units
        judged["feasible"].append({"signs": choice["signs"], "v": rows, "constant": "0"})
    code, text = check(tmp_path_factory.mktemp("a"), to_file_instance(setting), [json.dumps(line) for line in lines])
    assert code == 1, text


def test_compressed_files(tmp_path, capsys, monkeypatch):
    """A compressed certificate is accepted, and the same bytes come again."""
    monkeypatch.chdir(tmp_path)
    Path("w1.csv").write_text(W1)
    for name in ("a", "b"):
        assert run_command(capsys, "cells", "w1.csv", "--target", "y", "--judge", "-o", f"{name}.drl.gz")[0] == 0
    assert Path("a.drl.gz").read_bytes() == Path("b.drl.gz").read_bytes()
    assert run_command(capsys, "verify", "a.json", "a.drl.gz")[0] == 0
    assert run_command(capsys, "global", "w1.csv", "--target", "y", "--units", "2", "-o", "g.drl")[0] == 0
    assert run_command(capsys, "verify", "g.json", "g.drl")[0] == 0
    assert run_command(capsys, "spurious", "w1.csv", "--target", "y", "--widths", "1,3,2,1", "-o", "s.json")[0] == 0
    assert run_command(capsys, "verify", "s.json", "s.drl")[0] == 0
    assert run_command(capsys, "verify", "a.json", "g.drl")[0] == 2


def test_a_file_that_claims_nothing_is_not_written(tmp_path):
    """Without a claim, or after an error, there is no file."""
    with CellsWriter(tmp_path / "a.drl", "0" * 64):
        pass
    assert not list(tmp_path.iterdir())

    def fail():
        yield '{"complete":1}'
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), CellsWriter(tmp_path / "a.drl", "0" * 64) as writer:
        writer.write(fail())
    assert not list(tmp_path.iterdir())
