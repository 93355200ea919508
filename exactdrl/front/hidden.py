"""Cells of a hidden layer, global minima of small networks and spurious minima of data, in one call each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gmpy2 import mpq

from exactdrl.certificate.cells_file import CellsWriter, global_lines, spurious_lines
from exactdrl.constructions.channels import Shape
from exactdrl.constructions.instances import to_instance, to_rows
from exactdrl.constructions.spurious import SpuriousMinimum, build_spurious
from exactdrl.exact.rationals import InputError, to_rational
from exactdrl.front.problems import Problem
from exactdrl.front.problems import to_instance as read_problem
from exactdrl.front.result import Result
from exactdrl.hidden_cells.branch import GlobalMinimum, GlobalUndecided, find_global_minimum
from exactdrl.hidden_cells.instances import from_data, loss_kind, to_setting
from exactdrl.hidden_cells.setting import LossKind, Network
from exactdrl.hidden_cells.survey import JudgedCell, judge_cells, survey_cells
from exactdrl.problem.file import read_instance, write_instance
from exactdrl.problem.instance import Instance, to_samples, to_vector
from exactdrl.problem.output import refuse_existing
from exactdrl.report.construction_words import global_fields, global_words, spurious_fields, spurious_words
from exactdrl.report.words import loss_words

# hidden units beyond the outputs that a spurious minimum gets by default
_SPARE = 2


@dataclass(frozen=True, slots=True, repr=False)
class GlobalResult(Result):
    """The least loss that a network with one hidden layer can have. Numbers are exact `gmpy2.mpq`.

    Attributes:
        instance: the problem, whose own parameters have no part in the result.
        found: the minimum with its proof, or the bounds that a budget left open.
    """

    instance: Instance
    found: GlobalMinimum | GlobalUndecided

    @property
    def is_proved(self) -> bool:
        """Returns whether the loss is proved to be the least."""
        return isinstance(self.found, GlobalMinimum)

    @property
    def loss(self) -> mpq:
        """Returns the loss of the best network, squared or absolute, summed; it is the least one if `is_proved`."""
        return self.found.loss

    @property
    def bound(self) -> mpq:
        """Returns a loss that no network goes below."""
        return self.found.loss if isinstance(self.found, GlobalMinimum) else self.found.bound

    @property
    def network(self) -> Network:
        """Returns the best network."""
        return self.found.network

    @property
    def message(self) -> str:
        """Returns the result in a sentence."""
        if isinstance(self.found, GlobalMinimum):
            return f"no network of this shape has a smaller loss than {loss_words(self.loss)}"
        return f"undecided: the least loss is between {loss_words(self.bound)} and {loss_words(self.loss)}"

    def lines(self) -> list[str]:
        """Returns the result in lines, as `exactdrl global` prints it."""
        return global_words(to_setting(self.instance), self.found)

    def to_dict(self) -> dict[str, object]:
        """Returns the result for JSON, as `exactdrl global --json` prints it."""
        return global_fields(to_setting(self.instance), self.found)

    def save(self, instance: Path | str | None, certificate: Path | str, *, force: bool = False) -> None:
        """Writes the instance, and the certificate that `exactdrl.verify(instance, certificate)` checks.

        Args:
            instance: the path to which the instance is written; None where it is a file already.
            certificate: the certificate's path, `*.drl` or `*.drl.gz`.
            force: whether existing files are written over.

        Raises:
            InputError: the minimum is not proved, a file exists and `force` is not set, or it cannot be written.
        """
        if not isinstance(self.found, GlobalMinimum):
            raise InputError(
                "the minimum is undecided, so that there is no certificate; a greater budget may decide it"
            )
        refuse_existing(Path(certificate), force=force)
        if instance is not None:
            write_instance(self.instance, instance, force=force)
        with CellsWriter(Path(certificate), self.instance.digest) as writer:
            writer.write(global_lines(self.found))


@dataclass(frozen=True, slots=True, repr=False)
class SpuriousResult(Result):
    """A spurious minimum that was built for data: a local minimum in all parameters that another point beats.

    Attributes:
        instance: the problem, whose own parameters are the local minimum.
        found: the radius around the minimum within which no point is better, a better point, and the valley, a polyline
            of minima with the same loss.
    """

    instance: Instance
    found: SpuriousMinimum

    @property
    def message(self) -> str:
        """Returns the result in a sentence."""
        minimum = f"a local minimum in all parameters with the loss {loss_words(self.found.loss)}"
        if self.found.better_loss is None:
            return f"{minimum}; no better point was found, and whether there is one is open"
        return f"{minimum}; another point has the loss {loss_words(self.found.better_loss)}: it is spurious"

    def lines(self) -> list[str]:
        """Returns the result in lines, as `exactdrl spurious` prints it."""
        return spurious_words(self.found)

    def to_dict(self) -> dict[str, object]:
        """Returns the result for JSON, as `exactdrl spurious --json` prints it."""
        return spurious_fields(self.found)

    def save(self, instance: Path | str, certificate: Path | str, *, force: bool = False) -> None:
        """Writes the instance, and the certificate that `exactdrl.verify(instance, certificate)` checks.

        Raises:
            InputError: a file exists and `force` is not set, or it cannot be written.
        """
        for path in (instance, certificate):
            refuse_existing(Path(path), force=force)
        write_instance(self.instance, instance, force=force)
        with CellsWriter(Path(certificate), read_instance(instance).digest) as writer:
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
    """Returns all hidden cells of a layer of K units, up to the order of the units, each with its verdict.

    A hidden cell fixes the signs of all preactivations. Its verdict says whether the minimum of its relaxation is
    attained inside it, which is a genuine minimum (proofs/CELLS.md, section 3).

    Args:
        inputs: numbers of any exact kind, shape (N, n); floats mean the dyadic rationals that they are.
        targets: N numbers.
        units: the number K of hidden units.
        loss: `squared` or `absolute`.
        activation: the activation's slopes below and above 0.
        has_bias: whether the hidden layer has a bias.
        has_output_bias: whether the output has a bias.

    Raises:
        InputError: the data are no numbers, or shapes do not fit.

    Source: proofs/CELLS.md.
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
        inputs: see `judge_hidden_cells`.
        targets: N numbers.
        units: the number K of hidden units.
        loss: `squared` or `absolute`.
        activation: the activation's slopes below and above 0.
        has_bias: whether the hidden layer has a bias.
        has_output_bias: whether the output has a bias.
        budget: the most parts of the parameter space that are bounded; None for no limit. With too small a budget the
            result is undecided.

    Raises:
        InputError: the data are no numbers, or shapes do not fit.
    """
    instance = _to_instance(
        inputs, targets, units, loss, activation, has_bias=has_bias, has_output_bias=has_output_bias
    )
    return find_global(instance, budget=budget)


def find_global(
    instance: Instance, *, budget: int | None = None, on_node: Callable[[int, str], None] | None = None
) -> GlobalResult:
    """Returns the least loss that networks of an instance's shape can have on its data, with its proof.

    Args:
        instance: an instance with one hidden layer and one output, whose parameters have no part in the result.
        budget: the most parts of the parameter space that are bounded; None for no limit.
        on_node: is called with the number of parts so far, and a note.

    Raises:
        InputError: the instance has another number of layers or outputs.
    """
    return GlobalResult(instance, find_global_minimum(to_setting(instance), budget=budget, on_node=on_node))


def spurious_minimum(
    inputs: object,
    targets: object,
    *,
    widths: Sequence[int] | None = None,
    loss: Literal["squared", "absolute"] = "squared",
    activation: Sequence[object] = (0, 1),
    has_output_bias: bool = True,
) -> SpuriousResult:
    """Builds a local minimum in all parameters for data, and returns it with a better point where one was found.

    Args:
        inputs: see `judge_hidden_cells`; shape (N, n_0).
        targets: numbers, shape (N, n_{L+1}).
        widths: n_0, ..., n_{L+1}; default: one hidden layer with two units more than outputs.
        loss: `squared` or `absolute`.
        activation: the activation's slopes below and above 0.
        has_output_bias: whether the output has a bias.

    Raises:
        InputError: a hypothesis of the construction fails, which the message names; or the data are no numbers.

    Source: He, Wang and Tao, arXiv:2003.12236, theorem 1; proofs/spurious.md.
    """
    below, above = map(to_rational, activation)
    x, y = to_rows(to_samples(inputs, "inputs")), to_rows(to_samples(targets, "targets"))
    shape = tuple(widths) if widths is not None else (len(x[0]), len(y[0]) + _SPARE, len(y[0]))
    found = build_spurious(x, y, Shape(shape, (below, above), has_output_bias), loss)
    return SpuriousResult(to_instance(found.network, x, y, loss), found)


def spurious_minimum_of(
    problem: Problem,
    *,
    widths: Sequence[int] | None = None,
    activation: Sequence[object] = (0, 1),
    has_output_bias: bool = True,
) -> SpuriousResult:
    """Builds a spurious minimum for the data and the loss of an instance, whose network has no part in it.

    Args:
        problem: an instance, or the path of its file.
        widths: see `spurious_minimum`.
        activation: the activation's slopes below and above 0.
        has_output_bias: whether the output has a bias.

    Raises:
        InputError: see `spurious_minimum`; or the loss is neither squared nor absolute, or samples have weights.
    """
    instance = read_problem(problem)
    return spurious_minimum(
        instance.inputs,
        instance.targets,
        widths=widths,
        loss=loss_kind(instance),
        activation=activation,
        has_output_bias=has_output_bias,
    )
