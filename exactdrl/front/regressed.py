"""Exact quantile regression and least absolute deviations: from a table to coefficients that are proved optimal."""

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from gmpy2 import mpq
from numpy.typing import NDArray

from exactdrl.certificate.verify import CheckResult
from exactdrl.doors.design import Design, DesignOptions, with_ones
from exactdrl.doors.sheet_text import TextForm
from exactdrl.doors.tables import Columns
from exactdrl.exact.rationals import InputError, to_float, to_rational, to_text
from exactdrl.front.frames import to_frame
from exactdrl.front.regression_data import read_regression
from exactdrl.front.walked import WalkResult, walk
from exactdrl.problem.file import read_instance
from exactdrl.problem.instance import Instance
from exactdrl.problem.loss import Loss
from exactdrl.regression.fit import Fit, fit
from exactdrl.report.style import Size

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

Level: TypeAlias = mpq | int | float | str

_ENDINGS = (".json", ".json.gz")
_HALF = mpq(1, 2)
# characters of a fraction that a table shows
_LONGEST = 28


@dataclass(frozen=True)
class PathPiece:
    """Levels at which the same coefficients are optimal.

    Attributes:
        low: the least of these levels, 0 or a breakpoint.
        high: the greatest of these levels, 1 or a breakpoint.
        coefficients: the coefficients by name; None for a column that is aliased.
    """

    low: mpq
    high: mpq
    coefficients: dict[str, mpq | None]


@dataclass(frozen=True)
class RegressionResult:
    """An exact regression quantile. Numbers are exact `gmpy2.mpq` unless their name says otherwise.

    The objective is a convex function of the coefficients, so that this is a *global* minimum: no coefficients have a
    smaller objective, and `dual` proves it. A column is aliased if it is a combination of columns before it; it has no
    coefficient of its own.

    Attributes:
        names: the names of the columns, `Intercept` first where one is fitted.
        target: the name of the target.
        level: the level τ of the quantile, between 0 and 1.
        fit: the fit in numbers.
        lines: for each sample, the number of its row as the source counts it.
        notes: what was decided by a rule rather than by the caller, one sentence each.
    """

    names: tuple[str, ...]
    target: str
    level: mpq
    fit: Fit
    lines: tuple[int, ...]
    notes: tuple[str, ...] = ()

    @property
    def coefficients(self) -> dict[str, mpq | None]:
        """Returns the coefficients by name; None for a column that is aliased, as R's lm says NA."""
        return self._named([self.fit.coefficients[column] for column in self.fit.problem.pivots])

    def _named(self, reduced: Sequence[mpq]) -> dict[str, mpq | None]:
        found: dict[str, mpq | None] = dict.fromkeys(self.names)
        for column, value in zip(self.fit.problem.pivots, reduced, strict=True):
            found[self.names[column]] = value
        return found

    @property
    def objective(self) -> mpq:
        """Returns the weighted sum of the samples' pinball losses.

        The pinball loss is τ r for a residual r = y - fit above 0, and (τ - 1) r for one below 0.
        """
        return self._part * self.fit.objective

    @property
    def _part(self) -> mpq:
        """Returns how much of the instance's loss the objective is: half of the absolute loss."""
        return _HALF if self.fit.problem.instance.loss.kind == "absolute" else mpq(1)

    @property
    def parameters(self) -> tuple[mpq, ...]:
        """Returns the coefficients in the order of `names`, 0 for aliased columns."""
        return self.fit.coefficients

    @property
    def x(self) -> NDArray[np.float64]:
        """Returns the coefficients in float64, each correctly rounded. Rounded they are no longer optimal."""
        return np.array([to_float(value) for value in self.fit.coefficients])

    @property
    def objective_at_x(self) -> mpq:
        """Returns the exact objective at the rounded coefficients `x`."""
        return self._part * self.fit.problem.instance.loss_of([[mpq(value) for value in self.x.tolist()]])

    @property
    def status(self) -> str:
        """Returns `strict-global-minimum` where no other coefficients are optimal, else `global-minimum`."""
        return "strict-global-minimum" if self.is_unique else "global-minimum"

    @property
    def message(self) -> str:
        """Returns in a sentence what was found."""
        if self.is_unique:
            return "these coefficients are the only ones with the least objective"
        return f"no coefficients have a smaller objective; those that have it form a face of dimension {self.dimension}"

    @property
    def residuals(self) -> tuple[mpq, ...]:
        """Returns y minus the fitted value, one a sample."""
        return self.fit.residuals

    @property
    def dual(self) -> tuple[mpq, ...]:
        """Returns the optimal dual solution d: a number for each sample.

        Each number lies between w (τ - 1) and w τ for the sample's weight w.
        Σ d_i x_i = 0 and Σ d_i y_i is the objective, so that no coefficients have a smaller one.
        """
        return tuple(self._part * entry for entry in self.fit.dual)

    @property
    def zero_rows(self) -> tuple[int, ...]:
        """Returns the rows, as the source counts them, that are fitted without a residual."""
        return tuple(self.lines[sample] for sample in self.fit.vanishing)

    @property
    def is_degenerate(self) -> bool:
        """Returns whether more residuals vanish than there are coefficients."""
        return self.fit.is_degenerate

    @property
    def aliased(self) -> dict[str, dict[str, mpq]]:
        """Returns each aliased column, with the columns before it and their factors in the combination."""
        pivots = self.fit.problem.pivots
        return {
            self.names[column]: {self.names[p]: count for p, count in zip(pivots, counts, strict=True) if count}
            for column, counts in self.fit.aliased.items()
        }

    @property
    def is_unique(self) -> bool:
        """Returns whether these are the only optimal coefficients, where aliased columns are left out."""
        return self.fit.face.is_point

    @property
    def dimension(self) -> int:
        """Returns the dimension of the set of all optimal coefficients."""
        return self.fit.face.dimension

    @cached_property
    def ranges(self) -> dict[str, tuple[mpq, mpq] | None]:
        """Returns each coefficient's least and greatest optimal value; None for aliased columns."""
        face, pivots = self.fit.face, self.fit.problem.pivots
        found: dict[str, tuple[mpq, mpq] | None] = dict.fromkeys(self.names)
        for column, least, greatest in zip(pivots, face.least, face.greatest, strict=True):
            found[self.names[column]] = least, greatest
        return found

    @cached_property
    def path(self) -> tuple[PathPiece, ...]:
        """Returns the optimal coefficients for all levels between 0 and 1, piece by piece.

        Each piece is proved by its own multipliers. The pieces leave no level out: the `high` of a piece is the `low`
        of the next one.
        """
        return tuple(PathPiece(piece.low, piece.high, self._named(piece.parameters)) for piece in self.fit.path)

    def plot(self, *, size: Size = "screen") -> "Figure":
        """Returns a Matplotlib figure of the path: each coefficient against the level τ, and this result's level.

        Args:
            size: `screen`, or for print `column` (one column of a paper with two) or `page` (its width).

        Raises:
            InputError: there is no such size.
        """
        from exactdrl.report.quick import plot_path  # noqa: PLC0415 - matplotlib takes a second to import

        paths: dict[str, list[tuple[float, float, float]]] = {}
        for piece in self.path:
            for name, value in piece.coefficients.items():
                if value is not None:
                    piece_ends = to_float(piece.low), to_float(piece.high)
                    paths.setdefault(name, []).append((*piece_ends, to_float(value)))
        return plot_path(paths, to_float(self.level), f"regression quantiles of {self.target}", size=size)

    @cached_property
    def certificate(self) -> WalkResult:
        """Returns the walk to the optimum with its certificate; `certificate.verify()` asks the stand-alone checker."""
        return walk(self.fit.problem.instance, rule="long-step")

    def verify(self, *, fast: bool = False) -> CheckResult:
        """Returns the verdict of the stand-alone checker on the certificate; see `WalkResult.verify`."""
        return self.certificate.verify(fast=fast)

    def save(self, path: Path | str, *, instance: Path | str | None = None, force: bool = False) -> None:
        """Writes the certificate, `*.drl`, and the instance that it is about beside it.

        Args:
            path: the certificate's path.
            instance: the instance's path; default: the same name, ending in .json.
            force: whether existing files are written over.

        Raises:
            InputError: see `WalkResult.save`.
        """
        beside = Path(path).with_name(Path(path).name.removesuffix(".gz").removesuffix(".drl") + ".json")
        self.certificate.save(path, instance=beside if instance is None else instance, force=force)

    def predict(self, rows: object) -> tuple[mpq, ...]:
        """Returns exact predictions for rows of the input columns.

        Args:
            rows: shape (count, columns), without a column for the intercept; numbers of any exact kind.

        Raises:
            InputError: a row has another number of entries, or an entry is no number.
        """
        from exactdrl.problem.instance import to_samples  # noqa: PLC0415 - as one line

        samples = to_samples(rows, "rows")
        if self.names[:1] == ("Intercept",):
            samples = with_ones(samples)
        if len(samples[0]) != len(self.names):
            raise InputError(
                f"rows have {len(samples[0])} columns, the fit has {len(self.names)}: {', '.join(self.names)}"
            )
        used = [(column, value) for column, value in enumerate(self.fit.coefficients) if value]
        return tuple(sum((value * row[column] for column, value in used), mpq(0)) for row in samples)

    def to_numpy(self) -> NDArray[np.float64]:
        """Returns the coefficients in float64 in the order of `names`, NaN for aliased columns."""
        return np.array([np.nan if value is None else to_float(value) for value in self.coefficients.values()])

    def to_dict(self) -> dict[str, object]:
        """Returns the result for JSON: fractions as text, null for aliased columns."""
        return {
            "target": self.target,
            "tau": to_text(self.level),
            "coefficients": {name: _text(value) for name, value in self.coefficients.items()},
            "coefficients_float": {name: _float(value) for name, value in self.coefficients.items()},
            "objective": to_text(self.objective),
            "objective_float": to_float(self.objective),
            "minimum": "global",
            "unique": self.is_unique,
            "dimension": self.dimension,
            "ranges": {
                name: None if ends is None else [to_text(end) for end in ends] for name, ends in self.ranges.items()
            },
            "degenerate": self.is_degenerate,
            "zero_residuals": list(self.zero_rows),
            "aliased": {
                name: {other: to_text(count) for other, count in counts.items()}
                for name, counts in self.aliased.items()
            },
            "samples": len(self.lines),
            "steps": self.fit.steps,
        }

    def to_pandas(self) -> "DataFrame":
        """Returns a data frame with a row for each column: the coefficient and its range, in float64 and as text.

        Raises:
            InputError: pandas is not installed.
        """
        ends = [self.ranges[name] or (None, None) for name in self.names]
        values = [self.coefficients[name] for name in self.names]
        columns: dict[str, list[object]] = {
            "coefficient": [_float(value) for value in values],
            "exact": [_text(value) for value in values],
            "least": [_float(least) for least, _ in ends],
            "greatest": [_float(greatest) for _, greatest in ends],
        }
        return to_frame(columns, index=list(self.names))

    @property
    def title(self) -> str:
        """Returns what was fitted, in a line."""
        kind = "Least absolute deviations" if self.level == _HALF else "Quantile regression"
        return f"{kind}, τ = {to_text(self.level)}"

    def facts(self) -> list[tuple[str, str]]:
        """Returns the names and texts of what a summary says beside the coefficients."""
        rank = self.fit.problem.rank
        size = f"{len(self.lines)}, {rank} coefficient{'' if rank == 1 else 's'}"
        weights = self.fit.problem.instance.weights
        if weights is not None:
            idle = sum(not weight for weight in weights)
            size += f", weighted; {idle} of weight 0" if idle else ", weighted"
        facts = [
            ("target", self.target),
            ("samples", size),
            ("objective", f"{_words(self.objective)}, the sum of the pinball losses"),
        ]
        if self.level == _HALF:
            facts.append(("deviations", f"{_words(2 * self.objective)}, the sum of the absolute residuals"))
        facts.append(("minimum", f"global and exact, after {self.fit.steps} step{'s' * (self.fit.steps != 1)}"))
        if self.is_unique:
            facts.append(("unique", "yes: all other coefficients have a larger objective"))
        else:
            facts.append(("unique", f"no: the optimal coefficients form a face of dimension {self.dimension}"))
        zeros = len(self.fit.vanishing)
        extra = f"; this is degenerate, since it is more than {rank}" if self.is_degenerate else ""
        facts.append(("zero residuals", f"{zeros}{extra}"))
        for name, counts in self.aliased.items():
            sum_words = " + ".join(f"{to_text(count)} {other}" for other, count in counts.items()) or "0"
            facts.append(("aliased", f"{name} = {sum_words}"))
        return facts

    def table(self, *, longest: int | None = _LONGEST) -> list[tuple[str, ...]]:
        """Returns the coefficients as rows of text, below a row of heads.

        Args:
            longest: how many characters a fraction may have to be written out; None for any number.
        """
        rows: list[tuple[str, ...]] = [("", "coefficient", "exact")]
        if not self.is_unique:
            rows[0] = (*rows[0], "least", "greatest")
        for name, value in self.coefficients.items():
            if value is None:
                row: tuple[str, ...] = (name, "aliased", "")
            else:
                text = to_text(value)
                is_short = longest is None or len(text) <= longest
                row = (name, f"{to_float(value):.10g}", text if is_short else f"({len(text)} characters)")
            if not self.is_unique:
                ends = self.ranges[name]
                row = (*row, *("", "")) if ends is None else (*row, *(f"{to_float(end):.10g}" for end in ends))
            rows.append(row)
        return rows

    def summary(self, *, longest: int | None = _LONGEST) -> str:
        """Returns the summary in lines; see `table`."""
        rows = self.table(longest=longest)
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = [self.title, *(f"{name:<16}{text}" for name, text in self.facts()), ""]
        lines += [
            "  ".join((row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))))
            for row in rows
        ]
        return "\n".join(line.rstrip() for line in lines)

    def __str__(self) -> str:
        """Returns the summary."""
        return self.summary()

    def __repr__(self) -> str:
        """Returns the summary, since the fields hold all of the data."""
        return str(self)

    def _repr_html_(self) -> str:
        facts = "".join(f"<tr><th>{html.escape(a)}</th><td>{html.escape(b)}</td></tr>" for a, b in self.facts())
        heads, *rows = self.table()
        head = "".join(f"<th>{html.escape(cell)}</th>" for cell in heads)
        body = "".join(
            f"<tr><th>{html.escape(row[0])}</th>" + "".join(f"<td>{html.escape(c)}</td>" for c in row[1:]) + "</tr>"
            for row in rows
        )
        caption = f"<caption>{html.escape(self.title)}</caption>"
        return f"<table>{caption}{facts}</table><table><tr>{head}</tr>{body}</table>"


def regress(
    data: object,
    target: object | None = None,
    *,
    tau: Level = "1/2",
    formula: str | None = None,
    intercept: bool = True,
    inputs: Columns | None = None,
    exclude: Columns | None = None,
    weights: object | None = None,
    index: bool | None = None,
    drop_missing: bool = False,
    form: TextForm | None = None,
) -> RegressionResult:
    """Returns the exact regression quantile of a level: least absolute deviations for 1/2.

    ```python
    result = exactdrl.regress("engel.csv", "foodexp", tau="1/4")
    result.coefficients  # {'Intercept': mpq(...), 'income': mpq(...)}
    ```

    Args:
        data: a table, as the path of a CSV, Parquet or NumPy file, a frame, an array of NumPy, or rows as a list of
            lists; or an instance whose last layer is trained, or the path of its file (`*.json`). The instance's loss
            has no part in the fit.
        target: the target column's name or its number, from 1; default: the last column, or the formula's. Or the
            targets themselves, one number a row.
        tau: the level, between 0 and 1. A text means what it writes, a float the dyadic rational that it is.
        formula: a formula `target ~ terms`, read by formulaic, in place of target, inputs and intercept.
        intercept: whether a column of ones is fitted.
        inputs: the input columns; default: all others.
        exclude: columns that are left out.
        weights: the column of nonnegative weights, or the weights themselves, one number a row.
        index: whether the first column is an index, which is left out; default: decided by the rule of `read_table`.
        drop_missing: whether rows with a missing value are left out.
        form: how a text writes a table.

    Raises:
        InputError: the data cannot be read or do not fit, a level is not between 0 and 1, a weight is negative; the
            message names the place and the value.
    """
    level = to_level(tau)
    source = _read_instance(data)
    if source is not None:
        if formula is not None or target is not None or weights is not None:
            raise InputError("an instance has its own target and weights; target, formula and weights are for tables")
        if len(source.layers) > 1 and source.free != len(source.layers):
            trained = "all layers are" if source.free == "all" else f"layer {source.free} is"
            raise InputError(
                f"a regression trains the last layer, here layer {len(source.layers)}; in this instance {trained} "
                "trained: use `exactdrl walk` or `exactdrl judge`"
            )
        return _fit_instance(source, level)
    options = DesignOptions(intercept, inputs, exclude, None, index, drop_missing, form or TextForm())
    return fit_design(read_regression(data, target, options, formula=formula, weights=weights), level)


def to_level(tau: Level) -> mpq:
    """Returns a level as a rational.

    Raises:
        InputError: the level is no number between 0 and 1.
    """
    try:
        level = to_rational(tau)
    except InputError as error:
        raise InputError(f"tau: {error}") from None
    if not 0 < level < 1:
        raise InputError(f"tau is {to_text(level)}; it has to lie between 0 and 1")
    return level


def fit_design(design: Design, level: mpq) -> RegressionResult:
    """Returns the exact fit of a regression's columns.

    Raises:
        InputError: all samples have weight 0.
    """
    if design.weights is not None and not any(design.weights):
        raise InputError(f"{design.place}: all weights are zero")
    instance = Instance.create(
        [([[0] * len(design.names)], None)],
        design.rows,
        design.targets,
        loss=_to_loss(level),
        weights=design.weights,
    )
    found = fit(instance)
    return RegressionResult(design.names, design.target_name, level, found, design.lines, design.notes)


def _to_loss(level: mpq) -> Loss:
    """Returns the loss of a level; the absolute one for 1/2, so that instance files are of version 1."""
    return Loss.absolute() if level == _HALF else Loss.pinball(level)


def _read_instance(data: object) -> Instance | None:
    if isinstance(data, Instance):
        return data
    if isinstance(data, (str, Path)) and str(data).endswith(_ENDINGS):
        return read_instance(data)
    return None


def _fit_instance(instance: Instance, level: mpq) -> RegressionResult:
    """Returns the fit of an instance's last layer at a level.

    Raises:
        InputError: another layer is trained, or there are several outputs.
    """
    other = replace(instance, loss=_to_loss(level), file_digest=None, file_path=None)
    found = fit(other)
    width = len(instance.start[0]) - instance.has_bias
    names = tuple(f"column_{column + 1}" for column in range(width)) + (("Intercept",) if instance.has_bias else ())
    return RegressionResult(names, "target", level, found, tuple(range(1, len(instance.inputs) + 1)))


def _text(value: mpq | None) -> str | None:
    return None if value is None else to_text(value)


def _float(value: mpq | None) -> float | None:
    return None if value is None else to_float(value)


def _words(value: mpq) -> str:
    text = to_text(value)
    short = f"{to_float(value):.10g}"
    return short if short == text or len(text) > _LONGEST else f"{short} = {text}"
