"""The names, possible values and defaults of options, for whoever builds commands on the front.

A name's module is imported when the name is first used, so that a command starts at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exactdrl.audits.vertex import SEPARATION
    from exactdrl.constructions.snap import DEFAULT_TOLERANCES
    from exactdrl.doors.datasets import DATASETS, TABLES, load_table
    from exactdrl.doors.sample import DOUBLE_BITS, PUBLISHED_SAMPLES, PUBLISHED_WIDTHS
    from exactdrl.doors.sheet_text import TextForm
    from exactdrl.engine.pool import available_jobs
    from exactdrl.minimality.judge import DEFAULT_BUDGET
    from exactdrl.minimality.slopes import DEFAULT_NODES
    from exactdrl.observations.observe import LINES, WINDOW
    from exactdrl.observations.phases import SPREAD
    from exactdrl.observations.tables import ENDINGS as TABLE_ENDINGS
    from exactdrl.problem.names import ACTIVATION_NAMES, LOSS_NAMES, parse_activation, parse_loss
    from exactdrl.problem.output import STREAM, MachineError, refuse_existing, temporary_listeners
    from exactdrl.report.slice import SLICE_FORMATS
    from exactdrl.report.style import FORMATS, SIZE_HELP, SIZES, Size, check_format
    from exactdrl.walks.steppers import ALL_RULES, ARITHMETICS, default_rule

__all__ = [
    "ACTIVATION_NAMES",
    "ALL_RULES",
    "ARITHMETICS",
    "DATASETS",
    "DEFAULT_BUDGET",
    "DEFAULT_NODES",
    "DEFAULT_TOLERANCES",
    "DOUBLE_BITS",
    "FORMATS",
    "LINES",
    "LOSS_NAMES",
    "PUBLISHED_SAMPLES",
    "PUBLISHED_WIDTHS",
    "SEPARATION",
    "SIZES",
    "SIZE_HELP",
    "SLICE_FORMATS",
    "SPREAD",
    "STREAM",
    "TABLES",
    "TABLE_ENDINGS",
    "WINDOW",
    "MachineError",
    "Size",
    "TextForm",
    "available_jobs",
    "check_format",
    "default_rule",
    "load_table",
    "parse_activation",
    "parse_loss",
    "refuse_existing",
    "temporary_listeners",
]

_PLACES = {
    "SLICE_FORMATS": ("exactdrl.report.slice", "SLICE_FORMATS"),
    "check_format": ("exactdrl.report.style", "check_format"),
    "Size": ("exactdrl.report.style", "Size"),
    "SIZE_HELP": ("exactdrl.report.style", "SIZE_HELP"),
    "SIZES": ("exactdrl.report.style", "SIZES"),
    "FORMATS": ("exactdrl.report.style", "FORMATS"),
    "temporary_listeners": ("exactdrl.problem.output", "temporary_listeners"),
    "available_jobs": ("exactdrl.engine.pool", "available_jobs"),
    "load_table": ("exactdrl.doors.datasets", "load_table"),
    "default_rule": ("exactdrl.walks.steppers", "default_rule"),
    "SEPARATION": ("exactdrl.audits.vertex", "SEPARATION"),
    "DEFAULT_TOLERANCES": ("exactdrl.constructions.snap", "DEFAULT_TOLERANCES"),
    "DATASETS": ("exactdrl.doors.datasets", "DATASETS"),
    "TABLES": ("exactdrl.doors.datasets", "TABLES"),
    "DOUBLE_BITS": ("exactdrl.doors.sample", "DOUBLE_BITS"),
    "PUBLISHED_SAMPLES": ("exactdrl.doors.sample", "PUBLISHED_SAMPLES"),
    "PUBLISHED_WIDTHS": ("exactdrl.doors.sample", "PUBLISHED_WIDTHS"),
    "TextForm": ("exactdrl.doors.sheet_text", "TextForm"),
    "DEFAULT_BUDGET": ("exactdrl.minimality.judge", "DEFAULT_BUDGET"),
    "DEFAULT_NODES": ("exactdrl.minimality.slopes", "DEFAULT_NODES"),
    "LINES": ("exactdrl.observations.observe", "LINES"),
    "WINDOW": ("exactdrl.observations.observe", "WINDOW"),
    "SPREAD": ("exactdrl.observations.phases", "SPREAD"),
    "TABLE_ENDINGS": ("exactdrl.observations.tables", "ENDINGS"),
    "ACTIVATION_NAMES": ("exactdrl.problem.names", "ACTIVATION_NAMES"),
    "LOSS_NAMES": ("exactdrl.problem.names", "LOSS_NAMES"),
    "parse_activation": ("exactdrl.problem.names", "parse_activation"),
    "parse_loss": ("exactdrl.problem.names", "parse_loss"),
    "STREAM": ("exactdrl.problem.output", "STREAM"),
    "MachineError": ("exactdrl.problem.output", "MachineError"),
    "refuse_existing": ("exactdrl.problem.output", "refuse_existing"),
    "ALL_RULES": ("exactdrl.walks.steppers", "ALL_RULES"),
    "ARITHMETICS": ("exactdrl.walks.steppers", "ARITHMETICS"),
}


def __getattr__(name: str) -> object:
    """Returns what one of the names stands for, and imports it.

    Raises:
        AttributeError: there is no such name.
    """
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, own_name = _PLACES[name]
    value = globals()[name] = getattr(import_module(module), own_name)
    return value


def __dir__() -> list[str]:
    """Returns the names."""
    return sorted(_PLACES)
