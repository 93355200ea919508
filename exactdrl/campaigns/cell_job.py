"""One run that judges the hidden cells of drawn data."""

from random import Random

from gmpy2 import mpq

from exactdrl.campaigns.cell_case import CellCase
from exactdrl.campaigns.task import Task
from exactdrl.engine.job import DONE, JobResult
from exactdrl.engine.limited import cpu_limit
from exactdrl.exact.rationals import to_float, to_text
from exactdrl.hidden_cells.draws import DataShape, draw_setting, judge_all, judge_drawn
from exactdrl.hidden_cells.setting import Setting


def run_cells(case: CellCase, task: Task) -> JobResult:
    """Returns the result of a run. A CPU limit ends the process, see `cpu_limit`; errors are raised."""
    with cpu_limit(task.limits.seconds):
        shape = DataShape(case.distribution, case.inputs, case.samples, 2**case.bits)
        setting = draw_setting(shape, case.units, case.loss, case.seed)
        if case.draws is None:
            fields = _all_fields(setting, case.seed)
        else:
            fields = _drawn_fields(setting, case.draws, case.seed)
    return JobResult(DONE, "", fields, {})


def _all_fields(setting: Setting, seed: int) -> dict[str, object]:
    """Judges all cells, and picks one of them at random, so that runs are independent trials."""
    found = judge_all(setting, seed)
    bad = found.bad
    picked = Random(f"picked {seed}").choice(found.cells)  # noqa: S311 - no secret hangs on it
    fields: dict[str, object] = {
        "cells": len(found.cells),
        "genuine": len(found.values),
        "bad": len(bad),
        "picked_genuine": picked in found.values,
        "picked_bad": picked in bad,
        "drawn_genuine": found.drawn in found.values,
        "drawn_bad": found.drawn in bad,
    }
    for name, group in (("genuine", found.values.keys()), ("bad", bad)):
        mass = found.mass(group)
        if mass is not None:
            fields |= _number(f"mass_{name}_low", mass[0]) | _number(f"mass_{name}_high", mass[1])
    return fields | _number("least_loss", found.best)


def _drawn_fields(setting: Setting, draws: int, seed: int) -> dict[str, object]:
    """Judges the cells of random weights. The first weights are the run's trial; the others look for better points."""
    found = judge_drawn(setting, draws, seed)
    verdicts = [found.is_bad(patterns) for patterns in found.drawn]
    return {
        "weights": draws,
        "weights_genuine": sum(patterns in found.values for patterns in found.drawn),
        "weights_bad": sum(verdict is True for verdict in verdicts),
        "weights_open": sum(verdict is None for verdict in verdicts),
        "drawn_genuine": found.drawn[0] in found.values,
        "drawn_bad": verdicts[0],
    } | _number("least_loss", found.best)


def _number(name: str, value: mpq) -> dict[str, object]:
    return {name: to_text(value), f"{name}_float": to_float(value)}
