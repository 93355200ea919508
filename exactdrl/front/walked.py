"""A walk from an instance to its certificate in one call, and the result of the walk."""

import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from gmpy2 import mpq
from numpy.typing import NDArray

from exactdrl.arithmetic.counts import DecisionCounts
from exactdrl.arithmetic.exact import ExactArithmetic
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.certificate.reader import read_certificate
from exactdrl.certificate.record import record_walk
from exactdrl.certificate.replay import final_vertex
from exactdrl.certificate.verify import CheckResult, verify, verify_fast
from exactdrl.exact.rationals import InputError, to_float, to_rational, to_text
from exactdrl.front.arrays import to_arrays, write_arrays
from exactdrl.front.frames import to_frame
from exactdrl.front.problems import Problem, to_instance
from exactdrl.front.result import Result
from exactdrl.minimality.judge import DEFAULT_BUDGET
from exactdrl.minimality.verdict import LocalMinimum, StrictLocalMinimum, Undecided, is_global_minimum
from exactdrl.problem.file import read_bytes, read_instance, write_instance
from exactdrl.problem.instance import Instance, Matrix
from exactdrl.problem.output import refuse_existing, temporary_folder, write_new
from exactdrl.report.style import Size
from exactdrl.report.words import count_words, loss_words, outcome_name, outcome_words, range_lines, zero_words
from exactdrl.series.export import points
from exactdrl.steps.step import Outcome, Step, StepLimit
from exactdrl.walks.driver import Walk
from exactdrl.walks.steppers import default_rule

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

    from exactdrl.front.progress import Report

_LONGEST_LIST = 12


@dataclass(frozen=True, slots=True)
class _End:
    """How a walk ended, in lines and for JSON.

    Attributes:
        problem: the scaled problem.
        outcome: one of the outcome types.
        steps: how many steps the walk took after its first vertex.
        loss: the loss at the last vertex.
        published_stops: see `WalkResult`.
    """

    problem: IntegerProblem
    outcome: Outcome
    steps: int
    loss: mpq
    published_stops: tuple[int, ...]

    def lines(self) -> list[str]:
        """Returns the end in lines."""
        lines = [
            f"outcome      {outcome_words(self.outcome)}",
            f"steps        {self.steps}",
            f"loss         {loss_words(self.loss)}",
        ]
        if self.problem.lineality:
            lines.append(f"lineality    {_lineality_words(self.problem.lineality)}")
        lines += range_lines(self.problem, self.outcome, self.loss)
        if self.published_stops:
            stops = ", ".join(map(str, self.published_stops[:_LONGEST_LIST]))
            more = len(self.published_stops) - _LONGEST_LIST
            lines.append(
                f"wrong stops  the published rule stops at vertices that are no minimum, before step {stops}"
                + (f" and {more} more" if more > 0 else "")
            )
        return lines

    def to_dict(self) -> dict[str, object]:
        """Returns the end for JSON."""
        found: dict[str, object] = {
            "outcome": outcome_name(self.outcome),
            "steps": self.steps,
            "loss": to_text(self.loss),
            "loss_float": to_float(self.loss),
            "published_stops": list(self.published_stops),
            "lineality": self.problem.lineality,
            "global": is_global_minimum(self.problem, self.outcome, self.loss),
            "idle_units": list(self.problem.ranges.idle),
        }
        if isinstance(self.outcome, Undecided):
            found["active"] = self.outcome.active
        return found


@dataclass(frozen=True, slots=True, repr=False)
class WalkResult(Result):
    """A finished walk. Numbers are exact `gmpy2.mpq` unless their name says otherwise.

    Attributes:
        instance: the problem.
        outcome: how the walk ended, one of the outcome types.
        rule: the pivot rule.
        steps: how many steps the walk took after its first vertex.
        published_stops: the steps before which the published stopping rule stops though the vertex is no local minimum.
        parameters: rows [W | b] of the trained layer at the last vertex, shape (n_ℓ, m).
        loss: the loss at the last vertex.
        lineality: how many independent directions change no kink.
        certificate: the bytes of the certificate.
        counts: how the decisions were made; None where all were exact, or where that is not known.
    """

    instance: Instance
    outcome: Outcome
    rule: str
    steps: int
    published_stops: tuple[int, ...]
    parameters: Matrix
    loss: mpq
    lineality: int
    certificate: bytes = field(repr=False)
    counts: DecisionCounts | None = field(default=None, repr=False, compare=False)

    @property
    def status(self) -> str:
        """Returns the outcome's name, as the certificate has it."""
        return outcome_name(self.outcome)

    @property
    def message(self) -> str:
        """Returns the outcome in a sentence."""
        return outcome_words(self.outcome)

    @property
    def success(self) -> bool:
        """Returns whether the walk ended in a proved local minimum."""
        return isinstance(self.outcome, (LocalMinimum, StrictLocalMinimum))

    @property
    def is_global(self) -> bool:
        """Returns whether the end is proved to be a global minimum in the trained layer's parameters.

        A local minimum is global if the loss is convex, or as small as the outputs' ranges allow (proofs/convexity.md).
        False only says that neither was shown.
        """
        return is_global_minimum(IntegerProblem.from_instance(self.instance), self.outcome, self.loss)

    def lines(self) -> list[str]:
        """Returns the result in lines."""
        return self._end.lines()

    @property
    def _end(self) -> "_End":
        problem = IntegerProblem.from_instance(self.instance)
        return _End(problem, self.outcome, self.steps, self.loss, self.published_stops)

    @property
    def x(self) -> NDArray[np.float64]:
        """Returns the parameters in float64, each correctly rounded. The rounded point is not a vertex."""
        return np.array([[to_float(value) for value in row] for row in self.parameters])

    @property
    def loss_at_x(self) -> mpq:
        """Returns the exact loss at the rounded parameters `x`."""
        return self.instance.loss_of([[mpq(value) for value in row] for row in self.x.tolist()])

    def to_numpy(self) -> dict[str, NDArray[np.float64]]:
        """Returns the whole network at the last vertex in float64: weight_1, bias_1, weight_2, ..."""
        return to_arrays(self.instance.with_start(self.parameters).point_layers)

    def to_dict(self) -> dict[str, object]:
        """Returns the result for JSON: fractions as text, floats beside them."""
        own = {
            "message": self.message,
            "rule": self.rule,
            "parameters": [[to_text(value) for value in row] for row in self.parameters],
            "parameters_float": self.x.tolist(),
        }
        return self._end.to_dict() | own

    def to_pandas(self) -> "DataFrame":
        """Returns a data frame with a row for each point of the walk: step, phase, loss and step length in floats.

        Raises:
            InputError: pandas is not installed.
        """
        with self._files() as (_, run):
            found = list(points(IntegerProblem.from_instance(self.instance), read_certificate(run, self.instance)))
        columns: dict[str, list[object]] = {
            "step": [point.step for point in found],
            "phase": [point.phase for point in found],
            "loss": [to_float(point.loss) for point in found],
            "step_length": [_root(point.squared_step) for point in found],
            "degenerate": [point.is_degenerate for point in found],
        }
        return to_frame(columns)

    def save(self, path: Path | str, *, instance: Path | str | None = None, force: bool = False) -> None:
        """Writes the certificate, and the instance beside it if a path is given.

        Args:
            path: the certificate's path, `*.drl`, or `*.drl.gz` to compress it.
            instance: the instance's path, `*.json` or `*.json.gz`; None to leave it out.
            force: whether existing files are written over.

        Raises:
            InputError: a path has another ending, a file exists and `force` is not set, or it cannot be written.
        """
        target = Path(path)
        if not target.name.endswith((".drl", ".drl.gz")):
            raise InputError(f"{target}: a certificate's name ends in .drl or .drl.gz")
        refuse_existing(target, force=force)
        if instance is not None:
            write_instance(self.instance, instance, force=force)
        is_compressed = target.suffix == ".gz"
        write_new(target, gzip.compress(self.certificate, mtime=0) if is_compressed else self.certificate, force=force)

    def save_npz(self, path: Path | str, *, force: bool = False) -> None:
        """Writes the network at the last vertex in float64 as an npz file, which `exactdrl import --network` reads.

        Raises:
            InputError: the path has another ending, the file exists and `force` is not set, or it cannot be written.
        """
        write_arrays(self.instance.with_start(self.parameters).point_layers, path, force=force)

    def verify(self, *, fast: bool = False) -> CheckResult:
        """Checks the certificate, and returns the checker's verdict.

        Args:
            fast: whether this package's own filtered arithmetic checks the steps, in place of the stand-alone checker.
        """
        with self._files() as (instance, run):
            return verify_fast(instance, run) if fast else verify(instance, run)

    def plot(self, *, size: Size = "screen") -> "Figure":
        """Returns a Matplotlib figure of the loss against the step, on a log scale where the loss is positive.

        Args:
            size: `screen`, or for print `column` (one column of a paper with two) or `page` (its width).

        Raises:
            InputError: there is no such size.
        """
        from exactdrl.report.quick import plot_losses  # noqa: PLC0415 - matplotlib takes a second to import

        with self._files() as (_, run):
            found = [
                (point.step, to_float(point.loss))
                for point in points(IntegerProblem.from_instance(self.instance), read_certificate(run, self.instance))
            ]
        return plot_losses([step for step, _ in found], [loss for _, loss in found], self.message, size=size)

    def plot_slice(self, *, zoom: mpq | int | str | None = None, size: Size = "screen") -> "Figure":
        """Returns a Matplotlib figure of the loss in the plane of the walk's start, end and farthest point.

        Args:
            zoom: how many times the picture is enlarged around the walk's end; default: it shows the whole walk.
            size: see `plot`.

        Raises:
            InputError: the walk ends where it starts, `zoom` is not positive, or there is no such size.
        """
        from exactdrl.front.sliced import slice_loss  # noqa: PLC0415 - for who draws
        from exactdrl.report.slice import draw_slice  # noqa: PLC0415

        times = None if zoom is None else to_rational(zoom)
        if times is not None and times <= 0:
            raise InputError(f"zoom is {zoom}; a positive number is needed")
        with self._files() as (_, run):
            found = slice_loss(self.instance, read_certificate(run, self.instance), zoom=times)
        return draw_slice(found, title=self.message, size=size)

    @contextmanager
    def _files(self) -> Iterator[tuple[Path, Path]]:
        """Yields paths of the instance and of the certificate in a folder that goes away again."""
        with temporary_folder() as folder:
            instance, run = folder / "instance.json", folder / "run.drl"
            run.write_bytes(self.certificate)
            # the certificate names the instance by the digest of its file, which may be formatted in another way
            source = self.instance.file_path
            if source is not None and source.is_file() and read_instance(source).digest == self.instance.digest:
                yield source, run
                return
            write_instance(self.instance, instance)
            if read_instance(instance).digest != self.instance.digest:
                raise InputError("the certificate is about the instance's file, which is gone or has changed")
            yield instance, run


@dataclass(frozen=True, slots=True, repr=False)
class WalkSummary(Result):
    """The result of a walk that has just ended, without its certificate.

    Attributes:
        state: the walk.
        outcome: how it ended.
    """

    state: Walk
    outcome: Outcome

    @property
    def message(self) -> str:
        """Returns the outcome in a sentence."""
        return outcome_words(self.outcome)

    @property
    def is_decided(self) -> bool:
        """Returns whether the walk ended in a local minimum, or on a ray along which the loss falls forever."""
        return not isinstance(self.outcome, (Undecided, StepLimit))

    def lines(self) -> list[str]:
        """Returns the result in lines, as `exactdrl walk` prints it."""
        return self._end.lines()

    @property
    def _end(self) -> "_End":
        state = self.state
        return _End(state.problem, self.outcome, state.steps, state.loss, tuple(state.published_stops))

    def count_lines(self) -> list[str]:
        """Returns how the decisions were made, in lines."""
        return count_words(self.state.counts)

    def to_dict(self) -> dict[str, object]:
        """Returns the result for JSON, as `exactdrl walk --json` prints it."""
        return self._end.to_dict()


def walk(
    problem: Problem,
    *,
    rule: str | None = None,
    start_rule: str | None = None,
    arithmetic: str = "filtered",
    max_steps: int | None = None,
    budget: int = DEFAULT_BUDGET,
    path: Path | str | None = None,
    force: bool = False,
    resume: bool = False,
    progress: bool | None = None,
    on_step: Callable[[Step], None] | None = None,
) -> WalkResult:
    """Walks from an instance's start to a local minimum of the trained layer's loss, and returns the result.

    Args:
        problem: an instance, or the path of its file.
        rule: the pivot rule, which chooses the next edge: `reference` (as published), `steepest`, `first`, or
            `long-step`. Default: `long-step` where the last layer is trained, so that the loss is convex; else
            `reference`.
        start_rule: the way to the first vertex, see `Walk`.
        arithmetic: `filtered` or `exact`; the walk is the same.
        max_steps: the number of steps after which the walk stops with the outcome `StepLimit`.
        budget: how much work a proof at a degenerate vertex may take, in nodes of its tree; beyond it the walk ends
            `Undecided`.
        path: the path to which the certificate is written as the walk goes, `*.drl` or `*.drl.gz`; default: it is kept
            in memory.
        force: whether an existing file is written over.
        resume: whether the walk that `path` holds is continued.
        progress: whether the progress of the walk is shown; default: in a notebook only.
        on_step: is called now and then with the latest step.

    Raises:
        InputError: the problem is not one that can be walked, a rule does not fit it, or a file cannot be written.
    """
    from exactdrl.front.progress import progress as reporting  # noqa: PLC0415 - rich takes a while to import

    if resume and path is None:
        raise InputError("resume is set without a path; name the file of the walk that goes on: path=")
    instance = to_instance(problem)
    chosen = default_rule(instance, start_rule) if rule is None else rule
    state = Walk(
        instance, rule=chosen, start_rule=start_rule, arithmetic=arithmetic, max_steps=max_steps, budget=budget
    )
    with reporting("walk", total=max_steps, has_heartbeat=True, is_shown=progress) as report:
        follow = tell_steps(state, report, on_step)
        if path is not None:
            outcome = record_walk(state, path, force=force, resume=resume, on_step=follow)
            return to_result(state, outcome, Path(path))
        with temporary_folder() as folder:
            outcome = record_walk(state, folder / "run.drl", on_step=follow)
            return to_result(state, outcome, folder / "run.drl")


def tell_steps(state: Walk, report: "Report", on_step: Callable[[Step], None] | None = None) -> Callable[[Step], None]:
    """Makes a walk report what it does while a vertex is judged, and returns the function to call with each step."""

    def on_node(node: int) -> None:
        if report.is_due():
            report(state.steps, f"proving minimality{zero_words(state.vertex)}, node {node:,}")

    def follow(step: Step) -> None:
        if report.is_due():
            report(step.index, f"loss {state.loss_estimate:.6g}")
        if on_step is not None:
            on_step(step)

    state.on_node = on_node
    return follow


def to_result(state: Walk, outcome: Outcome, path: Path) -> WalkResult:
    """Returns the result of a walk that has ended, and whose certificate is in a file."""
    return WalkResult(
        state.problem.instance,
        outcome,
        state.rule,
        state.steps,
        tuple(state.published_stops),
        state.vertex,
        state.loss,
        state.problem.lineality,
        read_bytes(path),
        state.counts,
    )


def read_result(problem: Problem, run: Path | str) -> WalkResult:
    """Returns the result that a certificate records.

    The last vertex is computed from the certificate; nothing else is checked.

    Raises:
        InputError: a file cannot be read, is not of its format, or the certificate is for another instance.
    """
    instance = to_instance(problem)
    certificate = read_certificate(run, instance)
    if certificate.outcome is None:
        raise AssertionError("a whole certificate without an outcome: this is a bug")
    scaled = IntegerProblem.from_instance(instance)
    parameters, loss = instance.start, None
    if not certificate.first.is_start:
        last = ExactArithmetic(scaled, *final_vertex(scaled, certificate))
        parameters, loss = scaled.to_full(last.vertex()), last.loss()
    return WalkResult(
        instance,
        certificate.outcome,
        certificate.header.rule,
        len(certificate.steps),
        tuple(step.index for step in certificate.steps if step.is_published_stop),
        parameters,
        instance.loss_of(parameters) if loss is None else loss,
        scaled.lineality,
        read_bytes(Path(run)),
    )


def _lineality_words(count: int) -> str:
    return f"{count} independent directions do not change the loss; minima are meant up to moves along these"


def _root(square: mpq | None) -> float:
    return float("nan") if square is None else to_float(square) ** 0.5
