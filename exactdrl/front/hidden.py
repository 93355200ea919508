"""Cells of a hidden layer, global minima of small networks and spurious minima of data, in one call each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gmpy2 import mpq

from exactdrl.certificate.cells_file import CellsWriter, global_lines, spurious_lines
from exactdrl.constructions.channels import Shape
from exactdrl.constructions.instances import to_instance, to_rows
from exactdrl.constructions.spurious import SpuriousMinimum, build_spurious
from exactdrl.exact.rationals import InputError, to_rational
from exactdrl.hidden_cells.branch import GlobalMinimum, GlobalUndecided, find_global_minimum
from exactdrl.hidden_cells.instances import from_data, to_setting
from exactdrl.hidden_cells.setting import LossKind, Network
from exactdrl.hidden_cells.survey import JudgedCell, judge_cells, survey_cells
from exactdrl.problem.file import write_instance
from exactdrl.problem.instance import Instance, to_samples, to_vector


@dataclass(frozen=True, slots=True)
class GlobalResult:
    """The least loss that a network with one hidden layer can have. Numbers are exact `gmpy2.mpq`.

    Attributes:
        instance: the problem; its own parameters are 0.
        found: the minimum with its proof, or what a budget left open.
    """

    instance: Instance
    found: GlobalMinimum | GlobalUndecided

    @property
    def is_proved(self) -> bool:
        """Returns whether the loss is proved to be the least."""
        return isinstance(self.found, GlobalMinimum)

    @property
    def loss(self) -> mpq:
        """Returns the loss of the best network, Σ r² or Σ |r|; it is the least one if `is_proved`."""
        return self.found.loss

    @property
    def bound(self) -> mpq:
        """Returns a loss below which no network is."""
        return self.found.loss if isinstance(self.found, GlobalMinimum) else self.found.bound

    @property
    def network(self) -> Network:
        """Returns the best network."""
        return self.found.network

    def save(self, instance: Path | str, certificate: Path | str, *, force: bool = False) -> None:
        """Writes the instance, and the certificate that `exactdrl.verify(instance, certificate)` checks.

        Raises:
            InputError: nothing is proved, a file exists and `force` is not set, or it cannot be written.
        """
        if not isinstance(self.found, GlobalMinimum):
            raise InputError("the minimum is undecided: there is no certificate")
        write_instance(self.instance, instance, force=force)
        with CellsWriter(Path(certificate), self.instance.digest) as writer:
            writer.write(global_lines(self.found))


@dataclass(frozen=True, slots=True)
class SpuriousResult:
    """A spurious minimum of data, built.

    Attributes:
        instance: the problem, whose parameters are the local minimum.
        found: radius, better point and valley.
    """

    instance: Instance
    found: SpuriousMinimum

    def save(self, instance: Path | str, certificate: Path | str, *, force: bool = False) -> None:
        """Writes the instance, and the certificate that `exactdrl.verify(instance, certificate)` checks.

        Raises:
            InputError: a file exists and `force` is not set, or it cannot be written.
        """
        write_instance(self.instance, instance, force=force)
        with CellsWriter(Path(certificate), self.instance.digest) as writer:
            writer.write(spurious_lines(self.found))


def _to_instance(
    inputs: object,
    targets: object,
    units: int,
    loss: LossKind,
    activation: Sequence[object],
    *,
    has_bias: bool,
    has_output_bias: bool,
) -> Instance:
    below, above = map(to_rational, activation)
    return from_data(
        to_samples(inputs, "inputs", may_be_narrow=True),
        to_vector(targets, "targets"),
        units=units,
        loss=loss,
        slopes=(below, above),
        has_bias=has_bias,
        has_output_bias=has_output_bias,
    )


def judge_hidden_cells(
    inputs: object,
    targets: object,
    *,
    units: int = 1,
    loss: LossKind = "squared",
    activation: Sequence[object] = (0, 1),
    has_bias: bool = True,
    has_output_bias: bool = False,
) -> list[JudgedCell]:
    """Returns all hidden cells of a layer of K units, up to their order, each with its verdict.

    Args:
        inputs: shape (N, n); numbers of any exact kind, floats mean the dyadic rationals that they are.
        targets: N numbers.
        units: K.
        loss: `squared` or `absolute`.
        activation: slopes below and above 0.
        has_bias: whether the hidden layer has a bias.
        has_output_bias: whether the output has one.

    Raises:
        InputError: the data are no numbers, or shapes do not fit.
    """
    setting = to_setting(
        _to_instance(inputs, targets, units, loss, activation, has_bias=has_bias, has_output_bias=has_output_bias)
    )
    chosen = [(cell.pattern, ball.center) for cell, ball in survey_cells(setting.samples)]
    return list(judge_cells(setting, chosen))


def global_minimum(
    inputs: object,
    targets: object,
    *,
    units: int = 1,
    loss: LossKind = "squared",
    activation: Sequence[object] = (0, 1),
    has_bias: bool = True,
    has_output_bias: bool = False,
    budget: int | None = None,
) -> GlobalResult:
    """Returns the least loss that a network with K hidden units can have, with its proof.

    Args:
        inputs: see `judge_hidden_cells`, as for the arguments below.
        targets: N numbers.
        units: K.
        loss: `squared` or `absolute`.
        activation: slopes below and above 0.
        has_bias: whether the hidden layer has a bias.
        has_output_bias: whether the output has one.
        budget: parts of the parameters that are bounded at most; None for no limit.

    Raises:
        InputError: the data are no numbers, or shapes do not fit.
    """
    instance = _to_instance(
        inputs, targets, units, loss, activation, has_bias=has_bias, has_output_bias=has_output_bias
    )
    return GlobalResult(instance, find_global_minimum(to_setting(instance), budget=budget))


def spurious_minimum(
    inputs: object,
    targets: object,
    *,
    widths: Sequence[int],
    loss: Literal["squared", "absolute"] = "squared",
    activation: Sequence[object] = (0, 1),
    has_output_bias: bool = True,
) -> SpuriousResult:
    """Returns a local minimum in all parameters that is built for data, and a better point where one was found.

    Args:
        inputs: shape (N, n_0); see `judge_hidden_cells`.
        targets: shape (N, n_{L+1}).
        widths: n_0, ..., n_{L+1}.
        loss: `squared` or `absolute`.
        activation: slopes below and above 0.
        has_output_bias: whether the output has a bias.

    Raises:
        InputError: a hypothesis of the construction fails, which the message names; or the data are no numbers.
    """
    below, above = map(to_rational, activation)
    x, y = to_rows(to_samples(inputs, "inputs")), to_rows(to_samples(targets, "targets"))
    found = build_spurious(x, y, Shape(tuple(widths), (below, above), has_output_bias), loss)
    return SpuriousResult(to_instance(found.network, x, y, loss), found)
