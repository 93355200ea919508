"""The data of questions about hidden cells: a table, or an instance with one hidden layer and one output."""

from dataclasses import dataclass
from pathlib import Path

from exactdrl.doors.tables import Table
from exactdrl.exact.rationals import InputError
from exactdrl.hidden_cells.instances import from_data, to_setting
from exactdrl.hidden_cells.setting import LossKind, Setting
from exactdrl.problem.activation import RELU, Activation
from exactdrl.problem.file import read_instance
from exactdrl.problem.instance import Instance


@dataclass(frozen=True, slots=True)
class CellsData:
    """A problem whose hidden cells are asked for.

    Attributes:
        instance: the problem; that of a table has all parameters 0.
        setting: the same problem as `exactdrl.hidden_cells` takes it.
        is_from_file: whether the instance is that of a file, so that a certificate can name the file.
    """

    instance: Instance
    setting: Setting
    is_from_file: bool


def read_cells_instance(path: Path | str, units: int | None = None) -> CellsData:
    """Returns the data of an instance file.

    Args:
        path: the file's path.
        units: the number of hidden units; default: as many as the instance has.

    Raises:
        InputError: the file cannot be read, or its network has not one hidden layer and one output.
    """
    instance = read_instance(path)
    setting = to_setting(instance)
    if units is None or units == setting.units:
        return CellsData(instance, setting, is_from_file=instance.free == "all")
    return _with_units(setting, units)


def to_cells_data(
    table: Table,
    *,
    units: int = 1,
    loss: LossKind = "squared",
    activation: Activation = RELU,
    has_bias: bool = True,
    has_output_bias: bool = False,
) -> CellsData:
    """Returns the data of a table.

    Args:
        table: a table with one target column and without weights.
        units: the number of hidden units.
        loss: the kind of the loss.
        activation: the activation of the hidden units.
        has_bias: whether the hidden layer has a bias.
        has_output_bias: whether the output has a bias.

    Raises:
        InputError: the table has several targets, or weights.
    """
    refuse_weights(table)
    if len(table.target_names) != 1:
        raise InputError(
            f"{table.place}: one target column is needed, not {len(table.target_names)}; --target names it"
        )
    setting = Setting.create(
        tuple(tuple(row) for row in table.inputs),
        [row[0] for row in table.targets],
        loss=loss,
        slopes=(activation.below, activation.above),
        has_bias=has_bias,
        has_output_bias=has_output_bias,
    )
    return _with_units(setting, units)


def _with_units(setting: Setting, units: int) -> CellsData:
    instance = from_data(
        setting.inputs,
        setting.targets,
        units=units,
        loss=setting.loss,
        slopes=setting.slopes,
        has_bias=setting.has_bias,
        has_output_bias=setting.has_output_bias,
    )
    return CellsData(instance, to_setting(instance), is_from_file=False)


def refuse_weights(table: Table) -> None:
    """Refuses a table with weights.

    Raises:
        InputError: the table has weights.
    """
    if table.weights is not None:
        raise InputError(f"{table.place}: cells are judged without weights of the samples; leave --weights out")
