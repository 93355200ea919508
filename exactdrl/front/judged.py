"""Verdicts on points, and the exact points that trained floats approximate, in one call each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from gmpy2 import mpq
from numpy.typing import NDArray

from exactdrl.certificate.verdict_file import status_name, write_verdict
from exactdrl.certificate.verify import CheckResult, verify
from exactdrl.constructions.snap import DEFAULT_TOLERANCES, Snapped
from exactdrl.constructions.snap import snap as find_snapped
from exactdrl.constructions.spurious_end import with_better
from exactdrl.exact.rationals import InputError, to_float, to_text
from exactdrl.front.arrays import to_arrays, write_arrays
from exactdrl.front.frames import to_frame
from exactdrl.front.problems import Problem, to_instance
from exactdrl.front.result import Result
from exactdrl.minimality.judge import DEFAULT_BUDGET
from exactdrl.points.judge import JudgedPoint
from exactdrl.points.judge import judge as judge_instance
from exactdrl.points.reading import Choice
from exactdrl.points.verdict import Minimum, Undecided
from exactdrl.problem.file import write_instance
from exactdrl.problem.instance import Instance
from exactdrl.problem.output import temporary_folder
from exactdrl.report.point_words import checked_words, verdict_fields, verdict_lines, verdict_words
from exactdrl.report.snap_words import snap_fields, snap_lines
from exactdrl.report.style import Size

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame


@dataclass(frozen=True, slots=True, repr=False)
class JudgeResult(Result):
    """A verdict on a point. Numbers are exact `gmpy2.mpq` unless their name says otherwise.

    Attributes:
        instance: the problem and its point.
        judged: the verdict with its proof, and what else is known of the point.
    """

    instance: Instance
    judged: JudgedPoint

    @property
    def status(self) -> str:
        """Returns the verdict's name, as `exactdrl judge --json` prints it."""
        return status_name(self.judged)

    @property
    def message(self) -> str:
        """Returns the verdict in a sentence."""
        return verdict_words(self.judged)

    @property
    def checked(self) -> str:
        """Returns what was checked, in words."""
        return checked_words(self.judged)

    @property
    def is_minimum(self) -> bool:
        """Returns whether the point is proved to be a local minimum."""
        return isinstance(self.judged.verdict, Minimum)

    @property
    def is_decided(self) -> bool:
        """Returns whether the point is proved to be a minimum, or to be none."""
        return not isinstance(self.judged.verdict, Undecided)

    @property
    def loss(self) -> mpq:
        """Returns the loss, a sum over samples and outputs."""
        return self.judged.loss

    @property
    def mean_loss(self) -> mpq:
        """Returns the loss divided by the number of samples and outputs."""
        return self.judged.mean_loss

    @property
    def parameters(self) -> tuple[tuple[tuple[mpq, ...], ...], ...]:
        """Returns the point as the rows [W | b] of each layer.

        Rows of a layer have shape (n_l, n_{l-1} + 1), or (n_l, n_{l-1}) where the layer has no bias.
        """
        return tuple(tuple(tuple(row) for row in layer) for layer in self.judged.theta)

    @property
    def x(self) -> list[NDArray[np.float64]]:
        """Returns the point in float64, an array for each layer."""
        return [np.array([[to_float(value) for value in row] for row in layer]) for layer in self.judged.theta]

    @property
    def loss_at_x(self) -> mpq:
        """Returns the exact loss at the rounded point `x`."""
        rounded = [[[mpq(value) for value in row] for row in layer.tolist()] for layer in self.x]
        layers = self.instance.point_layers
        return self.instance.loss_at([o.with_parameters(r) for o, r in zip(layers, rounded, strict=True)])

    @property
    def escape_units(self) -> tuple[int, ...]:
        """Returns the escape units of the hidden layer, counted from 0; empty also where they are not determined.

        The inner weights of an escape unit can move at slope 0 so that its outer weights get a slope.
        """
        return tuple(escape.unit for escape in self.judged.escapes or ())

    @property
    def dead_units(self) -> tuple[tuple[int, int], ...]:
        """Returns the units that are off on every sample, as pairs of layer (from 1) and unit (from 0)."""
        return tuple((layer + 1, unit) for layer, unit in self.judged.dead)

    def to_numpy(self) -> dict[str, NDArray[np.float64]]:
        """Returns the point's network in float64: weight_1, bias_1, weight_2, ..."""
        return to_arrays(self.instance.point_layers)

    def to_dict(self) -> dict[str, object]:
        """Returns the result for JSON, as `exactdrl judge --json` prints it."""
        return verdict_fields(self.judged)

    def to_pandas(self) -> "DataFrame":
        """Returns a data frame with a row for each parameter.

        The columns are the layer, the unit and the input that it belongs to, counted from 1 (`bias` for a bias), its
        value in float64, and the exact value as text.

        Raises:
            InputError: pandas is not installed.
        """
        rows = [
            (number, unit, "bias" if layer.bias is not None and place == len(row) else place, value)
            for number, (layer, matrix) in enumerate(zip(self.instance.point_layers, self.parameters, strict=True), 1)
            for unit, row in enumerate(matrix, 1)
            for place, value in enumerate(row, 1)
        ]
        return to_frame(
            {
                "layer": [number for number, *_ in rows],
                "unit": [unit for _, unit, *_ in rows],
                "input": [place for _, _, place, _ in rows],
                "value": [to_float(value) for *_, value in rows],
                "exact": [to_text(value) for *_, value in rows],
            }
        )

    def save_npz(self, path: Path | str, *, force: bool = False) -> None:
        """Writes the point's network in float64 as an npz file, which `exactdrl import --network` reads.

        Raises:
            InputError: the path has another ending, the file exists and `force` is not set, or it cannot be written.
        """
        write_arrays(self.instance.point_layers, path, force=force)

    def save(self, path: Path | str, *, force: bool = False) -> None:
        """Writes the verdict with its proof, `*.verdict`.

        Raises:
            InputError: the verdict is undecided, the path has another ending, the file exists and `force` is not set,
                or it cannot be written.
        """
        write_verdict(self.judged, self.instance.digest, Path(path), force=force)

    def verify(self) -> CheckResult:
        """Returns what the stand-alone checker says of the verdict's file.

        Raises:
            InputError: the verdict is undecided, or the instance's file is gone or has changed.
        """
        with temporary_folder() as folder:
            instance, verdict = folder / "instance.json", folder / "point.verdict"
            self.save(verdict)
            source = self.instance.file_path
            if self.instance.file_digest is None:
                write_instance(self.instance, instance)
            elif source is not None and source.is_file():
                instance = source
            else:
                raise InputError("the verdict is about the instance's file, which is gone")
            return verify(instance, verdict)

    def save_figure(self, path: Path | str, *, title: str = "", size: Size = "screen", force: bool = False) -> None:
        """Writes the figure of `plot`, `*.png`, `*.svg`, `*.pdf` or `*.pgf`.

        Raises:
            InputError: the path has another ending, the file exists and `force` is not set, or there is nothing to
                draw.
        """
        from exactdrl.report.point_figures import draw_points  # noqa: PLC0415 - matplotlib takes a second to import

        draw_points([(title, self.judged)], Path(path), size=size, force=force)

    def plot(self, *, size: Size = "screen") -> "Figure":
        """Returns a Matplotlib figure: units among the samples' hyperplanes, the function, the loss along the curve.

        Args:
            size: `screen`, or for print `column` (one column of a paper with two) or `page` (its width).

        Raises:
            InputError: there is no such size, or there is nothing to draw: neither units in a plane nor a curve.
        """
        from exactdrl.report.point_figures import figure_of  # noqa: PLC0415 - matplotlib takes a second to import

        return figure_of([("", self.judged)], size=size)

    def lines(self) -> list[str]:
        """Returns the result in lines, as `exactdrl judge` prints it."""
        return verdict_lines(self.judged)


@dataclass(frozen=True, slots=True, repr=False)
class SnapResult(Result):
    """A trained point and the exact stationary point that it approximates.

    Attributes:
        trained: the verdict on the trained point, taken literally.
        snapped: the verdict on the snapped point; None where no tolerance proposes a point.
        attempts: what each tolerance proposed, with the verdict on the proposed point.
        tolerance: the tolerance whose point was taken; None where no tolerance proposes a point.
    """

    trained: JudgeResult
    snapped: JudgeResult | None
    attempts: Snapped
    tolerance: mpq | None

    @property
    def squared_distance(self) -> mpq | None:
        """Returns the exact squared Euclidean distance of both points; None without a snapped point."""
        best = self.attempts.best
        return None if best is None else best.squared_distance

    @property
    def is_decided(self) -> bool:
        """Returns whether a snapped point near the trained one was found, and the verdict on it is proved."""
        best = self.attempts.best
        return best is not None and best.is_near and self.snapped is not None and self.snapped.is_decided

    @property
    def message(self) -> str:
        """Returns both verdicts in a sentence."""
        found = "no tolerance proposes a point" if self.snapped is None else self.snapped.message
        return f"trained, taken literally: {self.trained.message}; snapped: {found}"

    def lines(self) -> list[str]:
        """Returns the result in lines, as `exactdrl snap` prints it."""
        return snap_lines(self.attempts)

    def to_dict(self) -> dict[str, object]:
        """Returns the result for JSON, as `exactdrl snap --json` prints it."""
        return snap_fields(self.attempts)

    def save(self, path: Path | str, *, force: bool = False) -> None:
        """Writes the snapped point as an instance, `*.json` or `*.json.gz`.

        Raises:
            InputError: there is no snapped point, the path has another ending, the file exists and `force` is not set,
                or it cannot be written.
        """
        if self.snapped is None:
            raise InputError("no tolerance proposes a pattern that has a point, so that there is nothing to write")
        write_instance(self.snapped.instance, path, force=force)


def judge(problem: Problem, *, free: Choice | None = None, budget: int = DEFAULT_BUDGET) -> JudgeResult:
    """Is the point of a problem a local minimum, of one layer's loss or of the loss in all parameters?

    The verdict is exact. What is not proved is undecided, and the verdict has the reason.

    Args:
        problem: an instance, or the path of its file. The point is the network with the start in the trained layer.
        free: "layer" for the instance's own layer, "all" for all parameters, or the number of a layer, from 1; default:
            what the instance says.
        budget: how much work each proof may take, in nodes of its tree.

    Raises:
        InputError: there is no such layer, or the file is not of the format.

    Source: proofs/VERDICT.md says what each verdict claims and how it is checked.
    """
    instance = to_instance(problem)
    return JudgeResult(instance, with_better(judge_instance(instance, free=free, budget=budget)))


def snap(
    problem: Problem,
    *,
    free: Choice | None = None,
    tolerances: Sequence[mpq] = DEFAULT_TOLERANCES,
    budget: int = DEFAULT_BUDGET,
) -> SnapResult:
    """Finds the exact stationary point that trained floats approximate, and judges both points.

    Args:
        problem: an instance, or the path of its file.
        free: see `judge`.
        tolerances: positive numbers. Each proposes which preactivations, residuals and outer weights are 0, by their
            relative size; exact algebra then finds the nearest stationary point with that pattern.
        budget: how much work each proof may take, in nodes of its tree.

    Raises:
        InputError: a tolerance is not positive, or points of such problems are not snapped.
    """
    instance = to_instance(problem)
    found = find_snapped(instance, free=free, tolerances=tuple(tolerances), budget=budget)
    best, snapped = found.best, None
    if best is not None and best.judged is not None and found.instance is not None:
        snapped = JudgeResult(found.instance, best.judged)
    return SnapResult(JudgeResult(instance, found.trained), snapped, found, None if best is None else best.tolerance)
