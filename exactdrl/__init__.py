"""exactdrl: exact verdicts on the loss landscapes of networks with piecewise linear activations, with certificates.

```python
import exactdrl

instance = exactdrl.sample_experiment(samples=40, seed=0)
result = exactdrl.walk(instance)
print(result)  # how it ended, the steps, the loss
print(result.parameters, result.x)  # the last vertex, exact and in float64
print(result.verify().line)  # accepted: ...
```

For fixed data and fixed other layers such a network's loss is piecewise affine in the parameters of one layer. A walk
goes from vertex to vertex of the pieces until it ends in a local minimum. Numbers are exact (`gmpy2.mpq`), except where
a name or a docstring says float64. The docs' glossary explains the terms.

Public names are imported when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exactdrl.cells.cell import Cell as Cell
    from exactdrl.cells.kinks import Kink as Kink
    from exactdrl.cells.point import Point as Point
    from exactdrl.certificate.reader import Certificate as Certificate
    from exactdrl.certificate.reader import read_certificate as read_certificate
    from exactdrl.certificate.record import record_walk as record_walk
    from exactdrl.certificate.rerun import rerun as rerun
    from exactdrl.certificate.verify import CheckResult as CheckResult
    from exactdrl.certificate.verify import verify as verify
    from exactdrl.certificate.verify import verify_fast as verify_fast
    from exactdrl.doors.argument import from_network_argument as from_network_argument
    from exactdrl.doors.arrays import from_arrays as from_arrays
    from exactdrl.doors.arrays import from_regression as from_regression
    from exactdrl.doors.datasets import load_dataset as load_dataset
    from exactdrl.doors.keras import from_keras as from_keras
    from exactdrl.doors.onnx import from_onnx as from_onnx
    from exactdrl.doors.recorder import Recorder as Recorder
    from exactdrl.doors.safetensors import from_safetensors as from_safetensors
    from exactdrl.doors.sample import sample_experiment as sample_experiment
    from exactdrl.doors.scikit import from_mlp_classifier as from_mlp_classifier
    from exactdrl.doors.scikit import from_mlp_regressor as from_mlp_regressor
    from exactdrl.doors.tables import Table as Table
    from exactdrl.doors.tables import read_table as read_table
    from exactdrl.doors.torch import from_state_dict as from_state_dict
    from exactdrl.doors.torch import from_torch as from_torch
    from exactdrl.doors.trajectory import read_trajectory as read_trajectory
    from exactdrl.exact.rationals import InputError as InputError
    from exactdrl.exact.rationals import parse_rational as parse_rational
    from exactdrl.exact.rationals import to_float as to_float
    from exactdrl.exact.rationals import to_text as to_text
    from exactdrl.front.audited import AuditResult as AuditResult
    from exactdrl.front.audited import audit as audit
    from exactdrl.front.campaigned import CampaignResult as CampaignResult
    from exactdrl.front.campaigned import campaign as campaign
    from exactdrl.front.embedded import EmbedResult as EmbedResult
    from exactdrl.front.embedded import embed as embed
    from exactdrl.front.estimators import ExactLAD as ExactLAD
    from exactdrl.front.estimators import ExactQuantileRegressor as ExactQuantileRegressor
    from exactdrl.front.exported import elaborate as elaborate
    from exactdrl.front.exported import export as export
    from exactdrl.front.exported import export_vipr as export_vipr
    from exactdrl.front.exported import walk_points as walk_points
    from exactdrl.front.exported import write_report as write_report
    from exactdrl.front.hidden import GlobalResult as GlobalResult
    from exactdrl.front.hidden import SpuriousResult as SpuriousResult
    from exactdrl.front.hidden import global_minimum as global_minimum
    from exactdrl.front.hidden import judge_hidden_cells as judge_hidden_cells
    from exactdrl.front.hidden import spurious_minimum as spurious_minimum
    from exactdrl.front.judged import JudgeResult as JudgeResult
    from exactdrl.front.judged import SnapResult as SnapResult
    from exactdrl.front.judged import judge as judge
    from exactdrl.front.judged import snap as snap
    from exactdrl.front.judged_layer import LayerResult as LayerResult
    from exactdrl.front.observed import ObserveResult as ObserveResult
    from exactdrl.front.observed import observe as observe
    from exactdrl.front.regressed import RegressionResult as RegressionResult
    from exactdrl.front.regressed import regress as regress
    from exactdrl.front.visited import VisitResult as VisitResult
    from exactdrl.front.visited import visits as visits
    from exactdrl.front.walked import WalkResult as WalkResult
    from exactdrl.front.walked import read_result as read_result
    from exactdrl.front.walked import walk as walk
    from exactdrl.minimality.verdict import LocalMinimum as LocalMinimum
    from exactdrl.minimality.verdict import StrictLocalMinimum as StrictLocalMinimum
    from exactdrl.minimality.verdict import Undecided as Undecided
    from exactdrl.problem.activation import Activation as Activation
    from exactdrl.problem.file import read_instance as read_instance
    from exactdrl.problem.file import write_instance as write_instance
    from exactdrl.problem.instance import Instance as Instance
    from exactdrl.problem.instance import Layer as Layer
    from exactdrl.problem.loss import Loss as Loss
    from exactdrl.series.export import WalkPoint as WalkPoint
    from exactdrl.walks.driver import Outcome as Outcome
    from exactdrl.walks.driver import Step as Step
    from exactdrl.walks.driver import StepLimit as StepLimit
    from exactdrl.walks.driver import Unbounded as Unbounded
    from exactdrl.walks.driver import Walk as Walk

__version__ = "0.2.0"

# where each public name is defined; it is imported when it is first used, so that a command starts at once
_PLACES = {
    "AuditResult": "exactdrl.front.audited",
    "audit": "exactdrl.front.audited",
    "Cell": "exactdrl.cells.cell",
    "Kink": "exactdrl.cells.kinks",
    "Point": "exactdrl.cells.point",
    "Certificate": "exactdrl.certificate.reader",
    "read_certificate": "exactdrl.certificate.reader",
    "record_walk": "exactdrl.certificate.record",
    "rerun": "exactdrl.certificate.rerun",
    "CheckResult": "exactdrl.certificate.verify",
    "verify": "exactdrl.certificate.verify",
    "verify_fast": "exactdrl.certificate.verify",
    "EmbedResult": "exactdrl.front.embedded",
    "embed": "exactdrl.front.embedded",
    "from_network_argument": "exactdrl.doors.argument",
    "from_arrays": "exactdrl.doors.arrays",
    "from_regression": "exactdrl.doors.arrays",
    "load_dataset": "exactdrl.doors.datasets",
    "from_keras": "exactdrl.doors.keras",
    "from_onnx": "exactdrl.doors.onnx",
    "Recorder": "exactdrl.doors.recorder",
    "from_safetensors": "exactdrl.doors.safetensors",
    "sample_experiment": "exactdrl.doors.sample",
    "from_mlp_regressor": "exactdrl.doors.scikit",
    "from_mlp_classifier": "exactdrl.doors.scikit",
    "Table": "exactdrl.doors.tables",
    "read_table": "exactdrl.doors.tables",
    "from_torch": "exactdrl.doors.torch",
    "from_state_dict": "exactdrl.doors.torch",
    "read_trajectory": "exactdrl.doors.trajectory",
    "InputError": "exactdrl.exact.rationals",
    "parse_rational": "exactdrl.exact.rationals",
    "to_float": "exactdrl.exact.rationals",
    "to_text": "exactdrl.exact.rationals",
    "ExactLAD": "exactdrl.front.estimators",
    "ExactQuantileRegressor": "exactdrl.front.estimators",
    "RegressionResult": "exactdrl.front.regressed",
    "regress": "exactdrl.front.regressed",
    "GlobalResult": "exactdrl.front.hidden",
    "SpuriousResult": "exactdrl.front.hidden",
    "global_minimum": "exactdrl.front.hidden",
    "judge_hidden_cells": "exactdrl.front.hidden",
    "spurious_minimum": "exactdrl.front.hidden",
    "JudgeResult": "exactdrl.front.judged",
    "SnapResult": "exactdrl.front.judged",
    "judge": "exactdrl.front.judged",
    "snap": "exactdrl.front.judged",
    "WalkResult": "exactdrl.front.walked",
    "read_result": "exactdrl.front.walked",
    "walk": "exactdrl.front.walked",
    "LocalMinimum": "exactdrl.minimality.verdict",
    "StrictLocalMinimum": "exactdrl.minimality.verdict",
    "Undecided": "exactdrl.minimality.verdict",
    "LayerResult": "exactdrl.front.judged_layer",
    "ObserveResult": "exactdrl.front.observed",
    "observe": "exactdrl.front.observed",
    "Activation": "exactdrl.problem.activation",
    "read_instance": "exactdrl.problem.file",
    "write_instance": "exactdrl.problem.file",
    "Instance": "exactdrl.problem.instance",
    "Layer": "exactdrl.problem.instance",
    "Loss": "exactdrl.problem.loss",
    "WalkPoint": "exactdrl.series.export",
    "CampaignResult": "exactdrl.front.campaigned",
    "campaign": "exactdrl.front.campaigned",
    "elaborate": "exactdrl.front.exported",
    "export": "exactdrl.front.exported",
    "export_vipr": "exactdrl.front.exported",
    "walk_points": "exactdrl.front.exported",
    "write_report": "exactdrl.front.exported",
    "VisitResult": "exactdrl.front.visited",
    "visits": "exactdrl.front.visited",
    "Outcome": "exactdrl.walks.driver",
    "Step": "exactdrl.walks.driver",
    "StepLimit": "exactdrl.walks.driver",
    "Unbounded": "exactdrl.walks.driver",
    "Walk": "exactdrl.walks.driver",
}

__all__ = [
    "Activation",
    "AuditResult",
    "CampaignResult",
    "Cell",
    "Certificate",
    "CheckResult",
    "EmbedResult",
    "ExactLAD",
    "ExactQuantileRegressor",
    "GlobalResult",
    "InputError",
    "Instance",
    "JudgeResult",
    "Kink",
    "Layer",
    "LayerResult",
    "LocalMinimum",
    "Loss",
    "ObserveResult",
    "Outcome",
    "Point",
    "Recorder",
    "RegressionResult",
    "SnapResult",
    "SpuriousResult",
    "Step",
    "StepLimit",
    "StrictLocalMinimum",
    "Table",
    "Unbounded",
    "Undecided",
    "VisitResult",
    "Walk",
    "WalkPoint",
    "WalkResult",
    "audit",
    "campaign",
    "elaborate",
    "embed",
    "export",
    "export_vipr",
    "from_arrays",
    "from_keras",
    "from_mlp_classifier",
    "from_mlp_regressor",
    "from_network_argument",
    "from_onnx",
    "from_regression",
    "from_safetensors",
    "from_state_dict",
    "from_torch",
    "global_minimum",
    "judge",
    "judge_hidden_cells",
    "load_dataset",
    "observe",
    "parse_rational",
    "read_certificate",
    "read_instance",
    "read_result",
    "read_table",
    "read_trajectory",
    "record_walk",
    "regress",
    "rerun",
    "sample_experiment",
    "snap",
    "spurious_minimum",
    "to_float",
    "to_text",
    "verify",
    "verify_fast",
    "visits",
    "walk",
    "walk_points",
    "write_instance",
    "write_report",
]


def __getattr__(name: str) -> object:
    """Returns what a public name of the package stands for, and imports it.

    Raises:
        AttributeError: the package has no such public name.
    """
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_PLACES[name]), name)
    return value


def __dir__() -> list[str]:
    """Returns the public names."""
    return sorted([*__all__, "__version__"])
